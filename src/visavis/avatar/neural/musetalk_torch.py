"""MuseTalk's three networks from their published files, by PyTorch, diffusers and transformers (extra ``musetalk``)."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from visavis.avatar.neural.mel import BANDS
from visavis.avatar.neural.musetalk import LATENT, LAYERS, SIDE
from visavis.avatar.neural.ports import Floats, NeuralError

UNET_CONFIG: Final = "musetalkV15/musetalk.json"
UNET_WEIGHTS: Final = "musetalkV15/unet.pth"
VAE: Final = "sd-vae"
WHISPER: Final = "whisper"
_FILES: Final = (UNET_CONFIG, UNET_WEIGHTS, f"{VAE}/config.json", f"{WHISPER}/config.json")


class TorchNetworks:
    """See ``MuseTalkNetworks``. ``folder``: the ``models`` folder as MuseTalk's own instructions fill it.

    ``device``: ``cuda``, ``cuda:1``, ``mps`` or ``cpu``; half precision on all but ``cpu``. Nothing is downloaded, no
    pickled code is run. Blocks while it loads (seconds). Raises ``NeuralError``.
    """

    def __init__(self, folder: Path, *, device: str = "cuda") -> None:
        for name in _FILES:
            if not (folder / name).is_file():
                raise NeuralError(f"{folder / name}: there is no such file; docs/neural.md says which MuseTalk needs")
        torch, diffusers, transformers = (_library(name) for name in ("torch", "diffusers", "transformers"))
        self._torch = torch
        self._device = _device(torch, device)
        self._type = torch.float32 if self._device.type == "cpu" else torch.float16
        self._unet: Any = self._ready(_loaded(folder / UNET_WEIGHTS, lambda: _unet(torch, diffusers, folder)))
        local = {"local_files_only": True}
        self._vae: Any = self._ready(
            _loaded(folder / VAE, lambda: diffusers.AutoencoderKL.from_pretrained(str(folder / VAE), **local))
        )
        whisper: Any = _loaded(
            folder / WHISPER, lambda: transformers.WhisperModel.from_pretrained(str(folder / WHISPER), **local)
        )
        self._whisper: Any = self._ready(whisper.encoder)
        self.width = int(whisper.config.d_model)
        self._scale = float(self._vae.config.scaling_factor)
        self._check(folder, whisper.config)

    def encode(self, pictures: Floats) -> Floats:
        """See ``MuseTalkNetworks``."""
        with self._torch.inference_mode():
            # The mean and not a sample: the same picture has the same latents every time.
            return self._back(self._vae.encode(self._given(pictures)).latent_dist.mode() * self._scale)

    def listen(self, mel: Floats, steps: int) -> Floats:
        """See ``MuseTalkNetworks``."""
        with self._torch.inference_mode():
            states = self._whisper(self._given(mel), output_hidden_states=True).hidden_states
            return self._back(self._torch.stack([state[:, :steps] for state in states], 2))

    def draw(self, latents: Floats, sound: Floats) -> Floats:
        """See ``MuseTalkNetworks``."""
        with self._torch.inference_mode():
            when = self._torch.zeros(1, dtype=self._torch.long, device=self._device)
            drawn = self._unet(self._given(latents), when, encoder_hidden_states=self._given(sound)).sample
            return self._back(self._vae.decode(drawn / self._scale).sample)

    def close(self) -> None:
        """See ``MuseTalkNetworks``."""
        self._unet = self._vae = self._whisper = None
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()

    def _ready(self, module: Any) -> Any:
        return module.to(device=self._device, dtype=self._type).eval().requires_grad_(False)

    def _given(self, values: Floats) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(values)).to(device=self._device, dtype=self._type)

    def _back(self, values: Any) -> Floats:
        return np.asarray(values.float().cpu().numpy(), np.float32)

    def _check(self, folder: Path, whisper: Any) -> None:
        """What the files say of themselves, before a network fails in the middle of a call."""
        unet, vae = self._unet.config, self._vae.config
        shrink = 2 ** (len(vae.block_out_channels) - 1)
        for name, what, found, wanted in (
            (UNET_CONFIG, "in_channels", unet.in_channels, 8),
            (UNET_CONFIG, "out_channels", unet.out_channels, 4),
            (UNET_CONFIG, "cross_attention_dim", unet.cross_attention_dim, self.width),
            (f"{VAE}/config.json", "latent_channels", vae.latent_channels, 4),
            (f"{VAE}/config.json", "size of the latents", SIDE // shrink, LATENT),
            (f"{WHISPER}/config.json", "num_mel_bins", whisper.num_mel_bins, BANDS),
            (f"{WHISPER}/config.json", "encoder_layers", whisper.encoder_layers, LAYERS - 1),
        ):
            if found != wanted:
                raise NeuralError(f"{folder / name}: {what} is {found}; MuseTalk has {wanted}")


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NeuralError(f"MuseTalk needs {name}: pip install 'visavis[musetalk]' ({error})") from error


def _device(torch: Any, name: str) -> Any:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise NeuralError(f"{name!r} is no device that PyTorch knows") from error
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.type, False):
        raise NeuralError(f"PyTorch finds no {name} here; MuseTalk on cpu takes seconds for every picture")
    return device


def _loaded(path: Path, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except NeuralError:
        raise
    except Exception as error:
        told = " ".join(str(error).split())
        raise NeuralError(f"{path}: it cannot be loaded: {told[:400]}") from error


def _unet(torch: Any, diffusers: Any, folder: Path) -> Any:
    config = json.loads((folder / UNET_CONFIG).read_text(encoding="utf-8"))
    unet = diffusers.UNet2DConditionModel.from_config(config)
    # weights_only: a checkpoint from a stranger can do no harm.
    unet.load_state_dict(torch.load(folder / UNET_WEIGHTS, map_location="cpu", weights_only=True))
    return unet
