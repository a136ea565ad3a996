"""A clock that is turned by hand, networks of the same graph shape with random weights, and voices."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from visavis.avatar.neural.composition import SpeakingFace
from visavis.avatar.neural.pictures import FaceLoop
from visavis.avatar.neural.ports import MOUTH_RATE, MouthEngine, Passage, Place
from visavis.avatar.neural.renderer import NeuralRenderer
from visavis.avatar.neural.worker import MouthWorker
from visavis.speech.ports import SPEECH_RATE, Pcm16

PLACE = Place(x=64.0, eyes=48.0, lips=84.0)
"""The face in ``small_loop``."""


class HandClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


class LoudnessEngine:
    """Draws a mouth as bright as its 0.2 s of sound are loud; remembers what it drew at once."""

    side, after, before, longest = 16, 0.2, 0.0, 4

    def __init__(self) -> None:
        self.batches: list[list[Passage[str]]] = []
        self.failing = False
        self.closed = False

    def span(self, first: int, count: int) -> tuple[int, int]:
        return first * 640, (count - 1) * 640 + 3200

    def rect(self, place: Place) -> tuple[float, float, float, float]:
        return place.x - 30, place.lips - 30, place.x + 30, place.lips + 30

    def mask(self) -> np.ndarray:
        return np.ones((self.side, self.side), np.float32)

    def prepare(self, crops: np.ndarray) -> str:
        return f"{len(crops)} crops"

    def draw(self, passages: Sequence[Passage[str]]) -> np.ndarray:
        if self.failing:
            raise RuntimeError("the network is broken")
        self.batches.append(list(passages))
        levels = [
            np.abs(passage.heard()[offset * 640 : offset * 640 + 3200]).mean()
            for passage in passages
            for offset in range(passage.count)
        ]
        return np.stack([np.full((16, 16, 3), min(255, round(level * 255)), np.uint8) for level in levels])

    def close(self) -> None:
        self.closed = True


def small_loop(pictures: int = 3) -> FaceLoop:
    """128 × 128, each picture of another grey with a darker mouth."""
    frames = []
    for number in range(pictures):
        picture = np.full((128, 128, 3), 90 + 20 * number, np.uint8)
        cv2.rectangle(picture, (50, 78), (78, 90), (40, 40, 60 + number), -1)
        frames.append(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420))
    return FaceLoop(np.stack(frames), (PLACE,) * pictures)


def settle(worker: MouthWorker[Any]) -> None:
    """Wait until the worker has nothing left to do."""
    give_up = time.monotonic() + 60
    while worker.busy:
        assert time.monotonic() < give_up, "the worker does not come to rest"
        time.sleep(0.001)


def renderer(
    engine: MouthEngine[Any], worker: MouthWorker[Any], clock: HandClock, loop: FaceLoop | None = None
) -> NeuralRenderer[Any]:
    return NeuralRenderer(SpeakingFace(loop or small_loop(), engine), engine, worker, clock.now)


def voice(seconds: float, seed: int = 1) -> Pcm16:
    """Syllables of noise, four a second."""
    count = round(seconds * SPEECH_RATE)
    loud = np.abs(np.sin(np.arange(count) * (np.pi * 4 / SPEECH_RATE)))
    return (np.random.default_rng(seed).standard_normal(count) * loud * 5000).astype(np.int16)


def ticks(start: float, end: float) -> list[float]:
    """The times of all pictures from ``start`` to ``end``."""
    return [number / MOUTH_RATE for number in range(round(start * MOUTH_RATE), round(end * MOUTH_RATE))]


def write_wav2lip(
    path: Path,
    *,
    side: int = 96,
    batch: int | str = "batch",
    mel_shape: tuple[int, ...] = (1, 80, 16),
    channels: int = 6,
    output: str = "drawn",
    names: tuple[str, str] = ("mel", "face"),
) -> Path:
    """Wav2Lip's inputs and outputs around a small network: sound through a convolution, added to one of the face.

    ``output``: ``drawn``; ``masked`` or ``whole``: what came in, for a look at the inputs; ``half``: of a wrong size.
    """
    random = np.random.default_rng(7)
    mel, face = names

    def weights(name: str, *shape: int, scale: float) -> Any:
        return numpy_helper.from_array((random.standard_normal(shape) * scale).astype(np.float32), name)

    constants = [
        weights("hear", 4, mel_shape[0], 9, 5, scale=0.05),
        weights("say", 3, 4, 1, 1, scale=1.5),
        weights("look", 3, channels, 5, 5, scale=0.1),
    ]
    nodes = [
        helper.make_node("Conv", [mel, "hear"], ["heard"], kernel_shape=[9, 5], strides=[3, 2]),
        helper.make_node("Relu", ["heard"], ["felt"]),
        helper.make_node("GlobalAveragePool", ["felt"], ["pooled"]),
        helper.make_node("Conv", ["pooled", "say"], ["said"], kernel_shape=[1, 1]),
        helper.make_node("Conv", [face, "look"], ["looked"], kernel_shape=[5, 5], pads=[2, 2, 2, 2]),
        helper.make_node("Add", ["looked", "said"], ["both"]),
    ]
    if output == "drawn":
        nodes.append(helper.make_node("Sigmoid", ["both"], ["out"]))
    elif output == "half":
        nodes.append(helper.make_node("AveragePool", ["both"], ["out"], kernel_shape=[2, 2], strides=[2, 2]))
    else:
        start, end = (3, 6) if output == "whole" else (0, 3)
        constants.append(numpy_helper.from_array(np.array([start], np.int64), "start"))
        constants.append(numpy_helper.from_array(np.array([1], np.int64), "channel"))
        constants.append(numpy_helper.from_array(np.array([end], np.int64), "end"))
        nodes.append(helper.make_node("Slice", [face, "start", "end", "channel"], ["shown"]))
        nodes.append(helper.make_node("Sub", ["both", "both"], ["nothing"]))
        nodes.append(helper.make_node("Add", ["shown", "nothing"], ["out"]))
    graph = helper.make_graph(
        nodes,
        "wav2lip",
        [
            helper.make_tensor_value_info(mel, TensorProto.FLOAT, [batch, *mel_shape]),
            helper.make_tensor_value_info(face, TensorProto.FLOAT, [batch, channels, side, side]),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [batch, 3, None, None])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
