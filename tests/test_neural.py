"""Neural faces by settings, and a stage that one of them plays on."""

from pathlib import Path

import pytest

from tests.avatar.neural.parts import HandClock, write_wav2lip
from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.neural.house import WAV2LIP_FILE
from visavis.avatar.package import load_package
from visavis.config import Settings
from visavis.config_values import SettingsError
from visavis.neural import Neural

FACE = EMBEDDED / "vera" / "face"


def settings(**avatars: object) -> Settings:
    return Settings.model_validate({"avatars": avatars, "media": {"width": 256, "height": 256}})


async def test_the_puppet_needs_no_network() -> None:
    neural = Neural(settings())
    await neural.start()
    assert neural.open(load_package(FACE), FACE, HandClock().now) is None
    await neural.close()


@pytest.mark.parametrize("renderer", ["wav2lip", "musetalk"])
async def test_what_is_missing_is_a_setting(renderer: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"avatars.renderer {renderer} needs avatars.network"):
        await Neural(settings(renderer=renderer)).start()
    with pytest.raises(SettingsError, match=rf"avatars.renderer {renderer} cannot start: .*no such file"):
        await Neural(settings(renderer=renderer, network=str(tmp_path), device="cpu")).start()


async def test_a_network_gives_each_session_a_face_whose_sound_waits(tmp_path: Path) -> None:
    write_wav2lip(tmp_path / WAV2LIP_FILE)
    neural = Neural(settings(renderer="wav2lip", network=str(tmp_path), device="cpu", network_ms=200))
    await neural.start()
    try:
        face = neural.open(load_package(FACE), FACE, HandClock().now)
        assert face is not None
        assert (face.width, face.height) == (256, 256)
        assert 0.3 < face.latency < 1
        face.close()
    finally:
        await neural.close()
