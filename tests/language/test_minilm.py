"""The sentence encoder, on a small model with made-up weights; on the real one where it is installed."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from visavis.language.minilm import WHEEL_FOLDER, MiniLm, ModelFileError, WordPiece, find_minilm

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "cafe", ",", "!", "hello", "world", "a", "##b"]
WIDTH, LAYERS, INNER = 64, 2, 96


def weights() -> dict[str, NDArray[np.float32]]:
    chance = np.random.default_rng(3)

    def some(*shape: int) -> NDArray[np.float32]:
        return chance.normal(0, 0.3, shape).astype(np.float32)

    made = {
        "embeddings.word_embeddings.weight": some(len(TOKENS), WIDTH),
        "embeddings.position_embeddings.weight": some(128, WIDTH),
        "embeddings.token_type_embeddings.weight": some(2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
        linear = [(f"{name}.attention.self.{part}", WIDTH, WIDTH) for part in ("query", "key", "value")]
        linear += [(f"{name}.attention.output.dense", WIDTH, WIDTH)]
        linear += [(f"{name}.intermediate.dense", INNER, WIDTH), (f"{name}.output.dense", WIDTH, INNER)]
        for part, out, into in linear:
            made |= {f"{part}.weight": some(out, into), f"{part}.bias": some(out)}
    for norm in norms:
        made |= {f"{norm}.weight": some(WIDTH), f"{norm}.bias": some(WIDTH)}
    return made


def write(folder: Path, tensors: dict[str, NDArray[np.float32]], tokens: list[str] | None = None) -> Path:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, tensor in tensors.items():
        data = tensor.tobytes()
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)
    (folder / "vocab.txt").write_text("\n".join(tokens or TOKENS) + "\n", encoding="utf-8")
    return folder


def by_hand(tensors: dict[str, NDArray[np.float32]], ids: list[int]) -> NDArray[np.float64]:
    """BERT's formulas, one token and one head after the other."""

    def linear(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return tensors[f"{name}.weight"].astype(float) @ x + tensors[f"{name}.bias"]

    def norm(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return (x - x.mean()) / math.sqrt(x.var() + 1e-12) * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def gelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in x])

    hidden = [
        norm(
            tensors["embeddings.word_embeddings.weight"][token].astype(float)
            + tensors["embeddings.position_embeddings.weight"][at]
            + tensors["embeddings.token_type_embeddings.weight"][0],
            "embeddings.LayerNorm",
        )
        for at, token in enumerate(ids)
    ]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            [linear(x, f"{name}.attention.self.{part}") for x in hidden] for part in ("query", "key", "value")
        )
        out: list[NDArray[np.float64]] = []
        for at, x in enumerate(hidden):
            seen = np.zeros(WIDTH)
            for head in range(0, WIDTH, 32):
                part = slice(head, head + 32)
                scores = np.exp([query[at][part] @ other[part] / math.sqrt(32) for other in key])
                seen[part] = sum(s * v[part] for s, v in zip(scores / scores.sum(), value, strict=True))
            x = norm(x + linear(seen, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
            inner = gelu(linear(x, f"{name}.intermediate.dense"))
            out.append(norm(x + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm"))
        hidden = out
    mean = np.mean(hidden, axis=0)
    return mean / np.linalg.norm(mean)


def test_the_forward_pass_is_berts(tmp_path: Path) -> None:
    tensors = weights()
    model = MiniLm(write(tmp_path, tensors))
    encoded = model.encode(["hello world!", "unaffable", "a"])
    for row, ids in enumerate([[2, 10, 11, 9, 3], [2, 4, 5, 6, 3], [2, 12, 3]]):
        assert np.abs(encoded[row] - by_hand(tensors, ids)).max() < 1e-4


def test_a_sentence_is_the_same_alone_and_among_longer_ones(tmp_path: Path) -> None:
    model = MiniLm(write(tmp_path, weights()))
    sentences = ["hello", "hello " * 60, "world, hello!", *(f"{'world ' * size}" for size in range(1, 50))]
    together = model.encode(sentences)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for row in (0, 2, 30):
        assert np.abs(together[row] - model.encode([sentences[row]])[0]).max() < 1e-5


def test_more_than_it_can_read_is_cut(tmp_path: Path) -> None:
    model = MiniLm(write(tmp_path, weights()))
    assert np.array_equal(model.encode(["hello " * 126])[0], model.encode(["hello " * 500])[0])


def test_names_with_a_prefix_are_read(tmp_path: Path) -> None:
    tensors = weights()
    plain = MiniLm(write(tmp_path, tensors)).encode(["hello"])
    prefixed = MiniLm(write(tmp_path, {f"bert.{name}": tensor for name, tensor in tensors.items()})).encode(["hello"])
    assert np.array_equal(plain, prefixed)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello, WORLD!", ["hello", ",", "world", "!"]),
        ("Café", ["cafe"]),
        ("unaffable", ["un", "##aff", "##able"]),
        ("xyz hello", ["[UNK]", "hello"]),
        ("ab", ["a", "##b"]),
        ("", []),
    ],
)
def test_words_are_cut_into_the_vocabularys_pieces(tmp_path: Path, text: str, pieces: list[str]) -> None:
    write(tmp_path, {})
    numbers = WordPiece(tmp_path / "vocab.txt").encode(text, 32)
    assert [TOKENS[number] for number in numbers] == ["[CLS]", *pieces, "[SEP]"]


def test_files_that_are_wrong(tmp_path: Path) -> None:
    tensors = weights()
    with pytest.raises(ModelFileError, match=r"vocab\.txt"):
        MiniLm(tmp_path)
    missing = {name: tensor for name, tensor in tensors.items() if "layer.1.output.dense" not in name}
    with pytest.raises(ModelFileError, match=r"layer\.1\.output\.dense"):
        MiniLm(write(tmp_path, missing))
    reshaped = tensors | {"encoder.layer.0.output.dense.weight": np.zeros((3, 3), np.float32)}
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        MiniLm(write(tmp_path, reshaped))
    with pytest.raises(ModelFileError, match="CLS"):
        MiniLm(write(tmp_path, tensors, ["a", "b"]))
    with pytest.raises(ModelFileError, match="does not fit"):
        MiniLm(write(tmp_path, tensors, [*TOKENS, "more"]))
    write(tmp_path, tensors)
    whole = (tmp_path / "model.safetensors").read_bytes()
    for broken in (b"", whole[:100], whole[:-4000], b"\xff" * 200):
        (tmp_path / "model.safetensors").write_bytes(broken)
        with pytest.raises(ModelFileError, match=r"model\.safetensors"):
            MiniLm(tmp_path)


def test_it_is_found_by_its_two_files(tmp_path: Path) -> None:
    folder = tmp_path / "minilm"
    folder.mkdir()
    assert find_minilm([folder]) != folder
    write(folder, weights())
    assert find_minilm([tmp_path, folder]) == folder


def test_the_real_model() -> None:
    folder = find_minilm()
    if folder is None:
        pytest.skip(f"{WHEEL_FOLDER} is not installed")
    model = MiniLm(folder)
    eating, bread, baby = model.encode(
        ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby."]
    )
    assert eating @ bread == pytest.approx(0.7553, abs=1e-3)  # as the model's authors print it
    assert eating @ baby == pytest.approx(-0.105, abs=2e-3)
