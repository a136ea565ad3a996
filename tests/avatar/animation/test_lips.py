"""The mouth against the sound, on sentences whose timing and loudness were written down once (spoken.json)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.tables import HOUSE
from visavis.avatar.animation.visemes import SHAPES
from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.emotion import Emotion, Feeling
from visavis.avatar.face import FaceFrame, FaceState
from visavis.avatar.manifest import Overrides
from visavis.avatar.package import AvatarPackage, load_package
from visavis.avatar.puppet.rig import rig_of
from visavis.blendshape import ARKIT_INDEX
from visavis.speech.ports import SPEECH_RATE, Pcm16
from visavis.viseme import TimedViseme, Viseme

BEFORE = 1.0
FINE = 200


@dataclass(frozen=True)
class Spoken:
    visemes: tuple[TimedViseme, ...]
    loudness: np.ndarray
    """100 values a second."""

    @property
    def end(self) -> float:
        return self.visemes[-1].end

    @property
    def pcm(self) -> Pcm16:
        """A tone in the middle of a vowel's band, as loud as the voice was."""
        time = np.arange(len(self.loudness) * SPEECH_RATE // 100) / SPEECH_RATE
        level = np.interp(time, (np.arange(len(self.loudness)) + 0.5) / 100, self.loudness)
        return (level * 12000 * np.sin(2 * np.pi * 600 * time)).astype(np.int16)


def _spoken() -> list[Spoken]:
    out: list[Spoken] = []
    for sentence in json.loads((Path(__file__).parent / "spoken.json").read_text()):
        visemes: list[TimedViseme] = []
        start = sentence["first"] / 1000
        for part in sentence["visemes"].split():
            name, end = part.split(":")
            visemes.append(TimedViseme(Viseme(name), start, start := int(end) / 1000))
        out.append(Spoken(tuple(visemes), np.array([int(n) for n in sentence["loudness"].split()]) / 99))
    return out


SPOKEN = _spoken()
AVATARS = sorted(path.name for path in EMBEDDED.iterdir() if (path / "face").is_dir())


class Lips:
    """How far apart a package's lips are, along their line, in pixels of a picture of 768."""

    def __init__(self, package: AvatarPackage) -> None:
        rig = rig_of(package)
        self._weights = rig.weights
        # Across at all points, then down.
        self._parting = np.split(rig.mouth.parting, 2, axis=1)[1]

    def gap(self, frames: Sequence[FaceFrame]) -> np.ndarray:
        return np.maximum((np.stack([self._weights(f) for f in frames]) @ self._parting).max(1), 0)


@pytest.fixture(scope="module")
def lips(request: pytest.FixtureRequest) -> Lips:
    return Lips(load_package(EMBEDDED / request.param / "face"))


def play(spoken: Spoken, times: np.ndarray, feeling: Feeling, *, sound: bool = True) -> list[FaceFrame]:
    animator = Animator(3)
    animator.state(FaceState.SPEAKING, 0.0)
    animator.feel(feeling, 0.0)
    animator.frame(0.0)
    if sound:
        animator.sound(spoken.pcm, BEFORE)
    animator.speak([viseme.shifted(BEFORE) for viseme in spoken.visemes])
    return [animator.frame(float(at)) for at in times]


@pytest.mark.parametrize("lips", AVATARS, indirect=True)
@pytest.mark.parametrize("emotion", list(Emotion))
@pytest.mark.parametrize("rate", [25, 30])
def test_lips_are_seen_closed_on_bilabials_whatever_the_face_feels(lips: Lips, emotion: Emotion, rate: int) -> None:
    closed = closures = 0
    for number, spoken in enumerate(SPOKEN):
        times = np.arange(0.0, BEFORE + spoken.end + 0.2, 1 / rate) + number / len(SPOKEN) / rate
        gap = lips.gap(play(spoken, times, Feeling(emotion), sound=number % 2 == 0))
        for viseme in spoken.visemes:
            if viseme.viseme is Viseme.PP:
                shown = (times >= BEFORE + viseme.start - 0.06) & (times <= BEFORE + viseme.end)
                closures += 1
                closed += bool((gap[shown] <= 0.5).any())
    assert closures >= 20
    assert closed >= 0.95 * closures


def test_lips_close_whatever_a_package_says_of_how_its_face_speaks() -> None:
    open_mouth = {"jawOpen": 0.5, "mouthFunnel": 0.3, "mouthLowerDownLeft": 0.4, "mouthLowerDownRight": 0.4}
    animator = Animator(3, HOUSE.with_overrides(Overrides(states={FaceState.SPEAKING: open_mouth})))
    animator.state(FaceState.SPEAKING, 0.0)
    animator.frame(0.0)
    sounds = ((Viseme.AA, 1.0, 1.3), (Viseme.PP, 1.3, 1.4), (Viseme.AA, 1.4, 1.7))
    animator.speak([TimedViseme(*sound) for sound in sounds])
    frames = [animator.frame(index / 50) for index in range(85)]
    columns = [ARKIT_INDEX[name] for name in open_mouth]
    parted = np.array([frame.arkit[columns].max() for frame in frames])
    assert parted[50:65].max() > 0.3
    assert parted[65:70].min() < 0.05


@pytest.mark.parametrize("lips", AVATARS[:1], indirect=True)
def test_the_mouth_opens_with_the_vowels_a_little_before_them(lips: Lips) -> None:
    found: list[float] = []
    leads: list[int] = []
    window = np.hanning(22) / np.hanning(22).sum()
    for spoken in SPOKEN:
        times = np.arange(BEFORE - 0.2, BEFORE + spoken.end + 0.2, 1 / FINE)
        gap = np.convolve(lips.gap(play(spoken, times, Feeling())), window, "same")
        at = times - BEFORE
        loudness = np.interp(at, (np.arange(len(spoken.loudness)) + 0.5) / 100, spoken.loudness, left=0, right=0)
        vowels = [v for v in spoken.visemes if SHAPES[v.viseme].vowel]
        sounding = np.any([(at >= v.start) & (at < v.end) for v in vowels], axis=0)
        energy = np.sqrt(np.convolve(loudness**2 * sounding, window, "same"))
        lags = [np.corrcoef(gap[20:-20], np.roll(energy, -lag)[20:-20])[0, 1] for lag in range(-10, 21)]
        found.append(max(lags[10:23]))
        leads.append(5 * (int(np.argmax(lags)) - 10))
    assert np.mean(found) >= 0.8
    assert 0 <= np.median(leads) <= 60


def test_a_loud_vowel_opens_the_mouth_further_than_a_quiet_one() -> None:
    def jaw(level: float) -> float:
        loud = Spoken((TimedViseme(Viseme.AA, 0.0, 0.3),), np.concatenate([np.full(30, level), np.ones(30)]))
        return float(play(loud, np.array([BEFORE + 0.1]), Feeling())[0].arkit[ARKIT_INDEX["jawOpen"]])

    assert jaw(0.2) < 0.6 * jaw(0.9)


def test_fast_speech_opens_the_mouth_less() -> None:
    def peak(seconds: float) -> float:
        line = [Viseme.DD, Viseme.AA] * 6
        visemes = tuple(TimedViseme(v, i * seconds, (i + 1) * seconds) for i, v in enumerate(line))
        times = np.arange(BEFORE, BEFORE + 9 * seconds, 0.005)
        frames = play(Spoken(visemes, np.ones(1)), times, Feeling(), sound=False)
        return max(float(f.arkit[ARKIT_INDEX["jawOpen"]]) for f in frames)

    assert peak(0.05) < 0.85 * peak(0.16)


def test_lips_round_for_a_vowel_through_the_consonants_before_it() -> None:
    def pucker(vowel: Viseme) -> float:
        line = [Viseme.IH, Viseme.SS, Viseme.DD, vowel]
        visemes = tuple(TimedViseme(v, 0.09 * i, 0.09 * (i + 1)) for i, v in enumerate(line))
        during = np.array([BEFORE + 0.2])
        frames = play(Spoken(visemes, np.ones(1)), during, Feeling(), sound=False)
        return float(frames[0].arkit[ARKIT_INDEX["mouthPucker"]])

    assert pucker(Viseme.OU) > pucker(Viseme.IH) + 0.15
