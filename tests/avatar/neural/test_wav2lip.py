from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soxr

from tests.avatar.neural.parts import HandClock, renderer, settle, ticks, voice, write_wav2lip
from visavis.avatar.neural.composition import SpeakingFace
from visavis.avatar.neural.face import AudioFace
from visavis.avatar.neural.mel import wav2lip_mel
from visavis.avatar.neural.ports import MARGIN, NeuralError, Passage
from visavis.avatar.neural.wav2lip import Crops, Wav2Lip
from visavis.avatar.neural.worker import MouthWorker
from visavis.media.clock import MediaClock
from visavis.media.playout import Playout
from visavis.speech.ports import Pcm16


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav2lip(tmp_path_factory.mktemp("wav2lip") / "wav2lip.onnx")


def crops(side: int = 96, pictures: int = 3) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (pictures, side, side, 3), np.uint8)


def asked(engine: Wav2Lip, face: Crops, first: int, pcm: Pcm16, sources: tuple[int, ...]) -> Passage[Crops]:
    """A passage of a voice that begins at media time 0."""
    start, length = engine.span(first, len(sources))
    begin, count = (start - MARGIN) * 3 // 2, (length + 2 * MARGIN) * 3 // 2
    around = np.concatenate([np.zeros(24000, np.int16), pcm, np.zeros(24000, np.int16)])
    return Passage("test", first, around[24000 + begin : 24000 + begin + count], sources, face, 0.0, lambda *_: None)


def at_once(model: Path, pcm: Pcm16, crop: np.ndarray, number: int) -> np.ndarray:
    """Mouth ``number`` of a whole recording, as Wav2Lip's own program computes it: all sound is there before."""
    sound = soxr.resample(np.concatenate([pcm, np.zeros(24000, np.int16)]).astype(np.float32) / 32768, 24000, 16000)
    mel = wav2lip_mel(np.concatenate([np.zeros(401, np.float32), sound]))
    start = int(number * 80.0 / 25)
    whole = crop.astype(np.float32) / 255
    masked = whole.copy()
    masked[len(crop) // 2 :] = 0
    face = np.concatenate([masked, whole], 2).transpose(2, 0, 1)[None]
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"mel": mel[None, None, :, start : start + 16], "face": face})
    return (np.asarray(out)[0].transpose(1, 2, 0) * 255).astype(np.uint8)


@pytest.mark.parametrize("side", [96, 256])
def test_passages_give_what_the_whole_recording_gives(tmp_path: Path, side: int) -> None:
    model = write_wav2lip(tmp_path / "some.onnx", side=side)
    engine = Wav2Lip(model)
    pcm = voice(2.0)
    face = engine.prepare(crops(side))
    passages = [asked(engine, face, 3, pcm, (0, 1, 2, 1, 0)), asked(engine, face, 20, pcm, (2,))]
    drawn = engine.draw(passages)
    assert (drawn.shape, drawn.dtype) == ((6, side, side, 3), np.uint8)
    expected = [at_once(model, pcm, face.pixels[source], n) for n, source in [(3, 0), (5, 2), (7, 0), (20, 2)]]
    for mouth, wanted in zip(drawn[[0, 2, 4, 5]], expected, strict=True):
        assert np.abs(mouth.astype(int) - wanted).max() <= 1
    # The sound matters: other mouths of the same picture differ by more than that.
    assert np.abs(expected[0].astype(int) - expected[2]).max() > 3


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_changes_nothing(tmp_path: Path, model: Path, batch: int) -> None:
    free, fixed = Wav2Lip(model), Wav2Lip(write_wav2lip(tmp_path / "fixed.onnx", batch=batch))
    passages = [asked(free, free.prepare(crops()), 2, voice(1.0), (0, 1, 2, 0, 1))]
    assert np.abs(free.draw(passages).astype(int) - fixed.draw(passages)).max() <= 1


def test_the_network_is_shown_bgr_with_the_lower_half_black_first(tmp_path: Path) -> None:
    for output in ("masked", "whole"):
        engine = Wav2Lip(write_wav2lip(tmp_path / f"{output}.onnx", output=output))
        face = engine.prepare(crops())
        drawn = engine.draw([asked(engine, face, 0, voice(1.0), (1,))])[0].astype(int)
        assert np.abs(drawn[:48] - face.pixels[1, :48]).max() <= 1
        assert np.abs(drawn[48:] - (0 if output == "masked" else face.pixels[1, 48:])).max() <= 1


def test_inputs_are_known_by_their_shape(tmp_path: Path, model: Path) -> None:
    named = Wav2Lip(write_wav2lip(tmp_path / "named.onnx", names=("audio_input", "video_frames")))
    plain = Wav2Lip(model)
    passages = [asked(plain, plain.prepare(crops()), 2, voice(1.0), (0, 1))]
    assert (named.draw(passages) == plain.draw(passages)).all()


def test_sound_in_pieces_is_drawn_in_step(model: Path) -> None:
    """A voice that comes in pieces as it is spoken; every picture is its own mouth, as from the whole recording."""
    engine, clock = Wav2Lip(model), HandClock()
    worker = MouthWorker(engine, clock=clock.now)
    try:
        renders = renderer(engine, worker, clock)
        face = AudioFace(renders)
        playout = Playout(_media(clock), lead=face.latency)
        pcm = voice(2.0)
        pieces = np.split(pcm, 20)
        starts: list[float] = []
        shown = {}
        for at in ticks(0.04, 3.4):
            clock.time = at - 0.04
            while pieces and len(starts) * 0.1 <= clock.time - 0.2:
                starts.append(playout.append(pieces[0]))
                face.say(pieces.pop(0), starts[-1])
            settle(worker)
            shown[round(at * 25)] = face.pose(at)
        begin = starts[0]
        assert begin == pytest.approx(0.2 + face.latency, abs=0.05)
        assert worker.late == worker.refused == worker.failed == 0
    finally:
        worker.close()
    silence = np.zeros(round(begin * 24000), np.int16)
    spoken = np.concatenate([silence, pcm])
    face_of = SpeakingFace(renders._face.loop, engine)
    for number in range(int(begin * 25) + 1, int((begin + 2) * 25)):
        pose = shown[number]
        assert pose.drawn is not None
        assert pose.drawn.at == pytest.approx(number / 25), "a mouth of another time is shown"
        if number > (begin + 0.12) * 25:
            assert pose.share == 1
        if number % 7 == 0:
            crop = face_of.prepared.pixels[renders._face.loop.index(number)]
            wanted = at_once(model, spoken, crop, number)
            assert np.abs(pose.drawn.pixels.astype(int) - wanted).max() <= 1
    assert shown[4].share == 0
    assert shown[round(3.3 * 25)].share == 0


def _media(clock: HandClock) -> MediaClock:
    media = MediaClock()
    media.now = clock.now  # type: ignore[method-assign]
    return media


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mel_shape": (1, 80, 20)}, r"no input is Wav2Lip's mel \(B, 1, 80, 16\)"),
        ({"channels": 3}, r"no input is Wav2Lip's face .*face \['batch', 3, 96, 96\]"),
        ({"output": "half"}, r"it gives \(1, 3, 48, 48\), not \(1, 3, 96, 96\)"),
        ({"side": 64}, "square of a fixed side"),
    ],
)
def test_other_networks_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    model = write_wav2lip(tmp_path / "other.onnx", **change)  # type: ignore[arg-type]
    with pytest.raises(NeuralError, match=message) as refused:
        Wav2Lip(model)
    assert str(model) in str(refused.value)


def test_what_is_no_network_is_refused(tmp_path: Path, model: Path) -> None:
    with pytest.raises(NeuralError, match="there is no such file"):
        Wav2Lip(tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(NeuralError, match="cannot load it"):
        Wav2Lip(tmp_path / "text.onnx")
    with pytest.raises(NeuralError, match="not on 'tpu'"):
        Wav2Lip(model, device="tpu")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(NeuralError, match="onnxruntime-gpu"):
            Wav2Lip(model, device="cuda")


def test_a_closed_network_draws_nothing(model: Path) -> None:
    engine = Wav2Lip(model)
    passages = [asked(engine, engine.prepare(crops()), 2, voice(1.0), (0,))]
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.draw(passages)
    with pytest.raises(ValueError, match="crops"):
        engine.prepare(crops(side=64))
