"""With PyTorch: the published files' form, small and with random weights. Skipped where the extra is not installed."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.avatar.neural.test_musetalk import asked, crops
from visavis.avatar.neural.musetalk import LAYERS, MuseTalk
from visavis.avatar.neural.musetalk_torch import TorchNetworks
from visavis.avatar.neural.ports import NeuralError

REASON = "the extra musetalk is not installed"
torch: Any = pytest.importorskip("torch", reason=REASON)
diffusers: Any = pytest.importorskip("diffusers", reason=REASON)
transformers: Any = pytest.importorskip("transformers", reason=REASON)

WIDTH = 48
UNET = {
    "_class_name": "UNet2DConditionModel",
    "sample_size": 64,
    "in_channels": 8,
    "out_channels": 4,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
    "layers_per_block": 1,
    "block_out_channels": [16, 32, 32, 32],
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
}


def whisper_config(**changes: int) -> Any:
    sizes = {"d_model": WIDTH, "encoder_layers": 4, "encoder_attention_heads": 2, "encoder_ffn_dim": 64}
    small = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 64, "vocab_size": 100}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    return transformers.WhisperConfig(**{**sizes, **small, **tokens, **changes})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as MuseTalk's instructions fill it."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(1)
    (folder / "musetalkV15").mkdir()
    (folder / "musetalkV15" / "musetalk.json").write_text(json.dumps(UNET))
    unet = diffusers.UNet2DConditionModel.from_config(UNET)
    torch.save(unet.state_dict(), folder / "musetalkV15" / "unet.pth")
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
    vae = diffusers.AutoencoderKL(
        **blocks, block_out_channels=[8, 8, 8, 8], norm_num_groups=4, latent_channels=4, layers_per_block=1
    )
    vae.save_pretrained(folder / "sd-vae", safe_serialization=False)
    transformers.WhisperModel(whisper_config()).save_pretrained(folder / "whisper")
    return folder


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(published, tmp_path / "models"))


def test_published_files_are_loaded_and_draw(published: Path) -> None:
    networks = TorchNetworks(published, device="cpu")
    engine = MuseTalk(networks)
    face = engine.prepare(crops())
    assert face.values.shape == (3, 8, 32, 32)
    assert np.isfinite(face.values).all()
    passages = [asked(engine, face, 60, (0, 1, 2)), asked(engine, face, 70, (1,))]
    drawn = engine.draw(passages)
    assert (drawn.shape, drawn.dtype) == ((4, 256, 256, 3), np.uint8)
    alone = engine.draw(passages[1:])
    assert np.abs(drawn[3].astype(int) - alone[0]).max() <= 1, "a batch changes what is drawn"
    assert np.abs(drawn[1].astype(int) - drawn[3]).max() > 1, "the sound changes nothing"
    engine.close()
    engine.close()


def test_hidden_states_are_those_of_the_whole_encoder(published: Path) -> None:
    networks = TorchNetworks(published, device="cpu")
    mel = np.random.default_rng(1).standard_normal((2, 80, 3000)).astype(np.float32)
    states = networks.listen(mel, 40)
    assert states.shape == (2, 40, LAYERS, WIDTH)
    whisper = transformers.WhisperModel.from_pretrained(str(published / "whisper")).eval()
    with torch.no_grad():
        expected = whisper.encoder(torch.from_numpy(mel), output_hidden_states=True).hidden_states
    for layer in range(LAYERS):
        assert states[:, :, layer] == pytest.approx(expected[layer][:, :40].numpy(), abs=1e-4)


@pytest.mark.parametrize("name", ["musetalkV15/musetalk.json", "musetalkV15/unet.pth", "whisper/config.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(NeuralError, match="there is no such file") as refused:
        TorchNetworks(folder, device="cpu")
    assert name in str(refused.value)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    other = {**UNET, "block_out_channels": [32, 32, 32, 32]}
    (folder / "musetalkV15" / "musetalk.json").write_text(json.dumps(other))
    with pytest.raises(NeuralError, match=r"unet\.pth: it cannot be loaded: .*size mismatch"):
        TorchNetworks(folder, device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"encoder_layers": 3}, "encoder_layers is 3; MuseTalk has 4"), ({"d_model": 64}, "cross_attention_dim is 48")],
)
def test_another_whisper_is_refused(folder: Path, change: dict[str, int], message: str) -> None:
    shutil.rmtree(folder / "whisper")
    transformers.WhisperModel(whisper_config(**change)).save_pretrained(folder / "whisper")
    with pytest.raises(NeuralError, match=message):
        TorchNetworks(folder, device="cpu")


def test_a_checkpoint_with_code_in_it_is_refused(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return Path.touch, (folder / "sprung",)  # type: ignore[return-value]

    torch.save({"weights": Trap()}, folder / "musetalkV15" / "unet.pth")
    with pytest.raises(NeuralError, match="cannot be loaded"):
        TorchNetworks(folder, device="cpu")
    assert not (folder / "sprung").exists()


def test_a_device_that_is_not_there_is_refused(published: Path) -> None:
    with pytest.raises(NeuralError, match="no device"):
        TorchNetworks(published, device="abacus")
    if not torch.cuda.is_available():
        with pytest.raises(NeuralError, match="finds no cuda"):
            TorchNetworks(published, device="cuda")
