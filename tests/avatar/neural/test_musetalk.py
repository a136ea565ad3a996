"""Without PyTorch: what MuseTalk's networks are given and what is made of what they give."""

from pathlib import Path

import numpy as np
import pytest

from tests.avatar.neural.parts import HandClock, renderer, settle, ticks, voice
from visavis.avatar.neural.face import AudioFace
from visavis.avatar.neural.mel import whisper_mel
from visavis.avatar.neural.musetalk import LAYERS, Latents, MuseTalk, sine_positions
from visavis.avatar.neural.ports import MARGIN, NeuralError, Passage
from visavis.avatar.neural.worker import MouthWorker

WIDTH = 12
CONTEXT = 100


class CountingNetworks:
    """Latents say which picture they are of; hidden states say which step of which sound they are."""

    width = WIDTH

    def __init__(self) -> None:
        self.encoded: list[np.ndarray] = []
        self.heard: list[np.ndarray] = []
        self.drawn: list[tuple[np.ndarray, np.ndarray]] = []
        self.picture: np.ndarray | None = None
        self.latent_side = 32
        self.closed = False

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        self.encoded.append(pictures)
        mean = pictures.mean((1, 2, 3))[:, None, None, None]
        return np.broadcast_to(mean, (len(pictures), 4, self.latent_side, self.latent_side)).astype(np.float32)

    def listen(self, mel: np.ndarray, steps: int) -> np.ndarray:
        self.heard.append(mel)
        states = np.zeros((len(mel), steps, LAYERS, WIDTH), np.float32)
        states += np.arange(steps)[None, :, None, None] * 10
        states += np.arange(LAYERS)[None, None, :, None]
        return states

    def draw(self, latents: np.ndarray, sound: np.ndarray) -> np.ndarray:
        self.drawn.append((latents, sound))
        out = np.zeros((len(latents), 3, 256, 256), np.float32)
        out[:] = np.array([1.0, 0.0, -1.0])[None, :, None, None]
        return out

    def close(self) -> None:
        self.closed = True


def crops(pictures: int = 3) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (pictures, 256, 256, 3), np.uint8)


def asked(engine: MuseTalk, face: Latents, first: int, sources: tuple[int, ...]) -> Passage[Latents]:
    start, length = engine.span(first, len(sources))
    begin, count = (start - MARGIN) * 3 // 2, (length + 2 * MARGIN) * 3 // 2
    around = np.concatenate([np.zeros(5 * 24000, np.int16), voice(8.0)])
    sound = around[5 * 24000 + begin : 5 * 24000 + begin + count]
    assert len(sound) == count
    return Passage("test", first, sound, sources, face, 0.0, lambda *_: None)


def test_the_picture_coder_gets_the_upper_half_and_the_whole_in_rgb() -> None:
    networks = CountingNetworks()
    some = crops(11)
    face = MuseTalk(networks).prepare(some)
    assert (face.values.shape, face.values.dtype) == ((11, 8, 32, 32), np.float16)
    assert [len(pictures) for pictures in networks.encoded] == [8, 8, 3, 3]
    upper, whole = networks.encoded[:2]
    assert whole.shape == (8, 3, 256, 256)
    assert whole[2, 0] == pytest.approx(some[2, :, :, 2] / 127.5 - 1, abs=1e-5)
    assert whole[2, 2] == pytest.approx(some[2, :, :, 0] / 127.5 - 1, abs=1e-5)
    assert (upper[:, :, :128] == whole[:, :, :128]).all()
    assert (upper[:, :, 128:] == -1).all()
    assert face.values[0, :4].mean() < face.values[0, 4:].mean()


def test_every_mouth_hears_ten_steps_around_its_time() -> None:
    networks = CountingNetworks()
    engine = MuseTalk(networks)
    face = engine.prepare(crops())
    drawn = engine.draw([asked(engine, face, 60, (0, 1, 2)), asked(engine, face, 90, (1,))])
    assert (drawn.shape, drawn.dtype) == ((4, 256, 256, 3), np.uint8)
    assert drawn[0, 5, 5].tolist() == [0, 128, 255], "not BGR of −1…1"
    latents, sound = networks.drawn[0]
    assert latents.shape == (4, 8, 32, 32)
    assert (latents[:, 0, 0, 0] == face.values[[0, 1, 2, 1], 0, 0, 0]).all()
    assert sound.shape == (4, 50, WIDTH)
    # Mouth n takes steps 2n − 4 … 2n + 5; the sound of a passage begins 2 s before those of its first.
    for row, first_step in enumerate((0, 2, 4, 0)):
        steps = (sound[row] - sine_positions(50, WIDTH)).reshape(10, LAYERS, WIDTH)
        assert steps[:, :, 0] == pytest.approx((CONTEXT + first_step + np.arange(10))[:, None] * 10 + np.arange(LAYERS))
    start, length = engine.span(60, 3)
    assert start == (2 * 60 - 4 - CONTEXT) * 320
    assert length == (CONTEXT + 4 + 9) * 320 + 560


def test_the_encoder_hears_the_very_sound() -> None:
    networks = CountingNetworks()
    engine = MuseTalk(networks)
    passage = asked(engine, engine.prepare(crops()), 60, (0, 1))
    engine.draw([passage])
    assert networks.heard[0].shape == (1, 80, 3000)
    assert (networks.heard[0][0] == whisper_mel(passage.heard())).all()


def test_positions_are_the_sine_ones() -> None:
    positions = sine_positions(50, 384)
    assert positions.shape == (50, 384)
    assert positions[0, 0::2].tolist() == [0.0] * 192
    assert positions[0, 1::2].tolist() == [1.0] * 192
    assert positions[7, 0] == pytest.approx(np.sin(7), abs=1e-5)
    assert positions[7, 383] == pytest.approx(np.cos(7 / 10000 ** (382 / 384)), abs=1e-6)


def test_latents_are_kept_from_one_start_to_the_next(tmp_path: Path) -> None:
    first = CountingNetworks()
    kept = MuseTalk(first, cache=tmp_path / "cache", weights="a").prepare(crops())
    again = CountingNetworks()
    assert (MuseTalk(again, cache=tmp_path / "cache", weights="a").prepare(crops()).values == kept.values).all()
    assert again.encoded == []
    for pictures, weights in ((crops(4), "a"), (crops(), "b")):
        other = CountingNetworks()
        MuseTalk(other, cache=tmp_path / "cache", weights=weights).prepare(pictures)
        assert other.encoded
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_broken_latents_are_made_again(tmp_path: Path) -> None:
    MuseTalk(CountingNetworks(), cache=tmp_path).prepare(crops())
    (kept,) = tmp_path.iterdir()
    for broken in (b"", kept.read_bytes()[:5000]):
        kept.write_bytes(broken)
        networks = CountingNetworks()
        assert MuseTalk(networks, cache=tmp_path).prepare(crops()).values.shape == (3, 8, 32, 32)
        assert networks.encoded
    np.save(kept.open("wb"), np.array([{"a": 1}], object), allow_pickle=True)
    networks = CountingNetworks()
    MuseTalk(networks, cache=tmp_path).prepare(crops())
    assert networks.encoded


def test_wrong_shapes_are_told() -> None:
    networks = CountingNetworks()
    networks.latent_side = 16
    with pytest.raises(NeuralError, match=r"\(3, 8, 16, 16\), not \(3, 8, 32, 32\)"):
        MuseTalk(networks).prepare(crops())
    with pytest.raises(ValueError, match="256"):
        MuseTalk(networks).prepare(np.zeros((1, 96, 96, 3), np.uint8))


def test_a_voice_far_ahead_is_drawn_in_step_and_in_batches() -> None:
    networks, clock = CountingNetworks(), HandClock()
    engine = MuseTalk(networks)
    worker = MouthWorker(engine, clock=clock.now)
    try:
        faces = [AudioFace(renderer(engine, worker, clock)) for _ in range(2)]
        for face in faces:
            face.say(voice(2.0), 0.6)
        for at in ticks(0.04, 2.2):
            clock.time = at - 0.04
            settle(worker)
            poses = [face.pose(at) for face in faces]
            if 0.7 < at < 2.2:
                assert [pose.drawn.at for pose in poses if pose.drawn] == [pytest.approx(at)] * 2
        assert worker.late == worker.failed == 0
        assert max(len(latents) for latents, _ in networks.drawn) > engine.longest, "no batch has both sessions"
        assert worker.drawn == sum(len(latents) for latents, _ in networks.drawn)
        frame = np.zeros((192, 128), np.uint8)
        faces[0].paint(poses[0], frame)
        assert int(frame[84, 64]) == pytest.approx(146, abs=3), "not the luma of the drawn orange"
    finally:
        worker.close()
        engine.close()
    assert networks.closed
