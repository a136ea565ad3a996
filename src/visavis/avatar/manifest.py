"""The manifest of an avatar package: what ``manifest.json`` says about the pictures and fields beside it.

The format is the project's own; docs/avatar-package.md describes it for people who make packages.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from visavis.avatar.emotion import Emotion
from visavis.avatar.face import FaceState
from visavis.avatar.persona import Greeting, Language, Prompt, Rate, Voice
from visavis.blendshape import ARKIT_INDEX
from visavis.viseme import Viseme

FORMAT: Final = 1
"""The version of the format that this code reads and writes."""

MAX_SIZE: Final = 2048
"""Largest side of a package's picture, in pixels."""

MAX_STATEMENT: Final = 2000
"""Longest statement of consent, in characters."""

MAX_EYE_PIXELS: Final = 4_000_000
"""Most pixels of all eye pictures together; a session's server holds up to sixteen times as many, made finer."""


def _known_shape(name: str) -> str:
    if name not in ARKIT_INDEX:
        raise ValueError(f"{name!r} is not an ARKit blendshape")
    return name


def _said(statement: str) -> str:
    if not statement.strip():
        raise ValueError("is empty")
    return statement


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


ShapeName = Annotated[str, AfterValidator(_known_shape)]
OverrideWeight = Annotated[float, Field(ge=0, le=1.5, allow_inf_nan=False)]
OverrideWeights = Mapping[ShapeName, OverrideWeight]
"""Weights by ARKit name; the blendshapes that are not named keep their usual weight."""
Text = Annotated[str, Field(max_length=4000)]
Coordinate = Annotated[float, Field(ge=-MAX_SIZE, le=2 * MAX_SIZE, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Box(_Part):
    """A rectangle in canonical pixels, right and bottom outside."""

    left: Annotated[int, Field(ge=0, le=MAX_SIZE)]
    top: Annotated[int, Field(ge=0, le=MAX_SIZE)]
    right: Annotated[int, Field(ge=0, le=MAX_SIZE)]
    bottom: Annotated[int, Field(ge=0, le=MAX_SIZE)]

    @model_validator(mode="after")
    def _not_empty(self) -> "Box":
        if self.right - self.left < 2 or self.bottom - self.top < 2:
            raise ValueError("the box is smaller than 2 by 2 pixels")
        return self

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


class Window(_Part):
    """A fine grid of nodes: node (row, column) lies at (left + column * step, top + row * step) canonical pixels."""

    left: Coordinate
    top: Coordinate
    step: Annotated[float, Field(gt=0, le=64)]
    columns: Annotated[int, Field(ge=4, le=160)]
    rows: Annotated[int, Field(ge=4, le=160)]

    @property
    def width(self) -> float:
        return self.step * self.columns

    @property
    def height(self) -> float:
        return self.step * self.rows

    def holds(self, box: Box) -> bool:
        """Whether all of ``box`` lies in it."""
        across = self.left <= box.left and box.right <= self.left + self.width
        return across and self.top <= box.top and box.bottom <= self.top + self.height


class Interior(_Part):
    """Teeth, tongue and cavity behind the lips, as layers of ``interior.png``.

    The layers' pixel (0, 0) lies at (``left``, ``top``) canonical pixels and is ``scale`` canonical pixels wide.
    The lower layers move down by ``jaw_travel * jawOpen - jaw_offset`` canonical pixels.
    """

    left: Coordinate
    top: Coordinate
    scale: Annotated[float, Field(gt=0, le=16)] = 1.0
    width: Annotated[int, Field(ge=2, le=1024)]
    height: Annotated[int, Field(ge=2, le=1024)]
    jaw_travel: Annotated[float, Field(ge=0, le=MAX_SIZE)]
    jaw_offset: Annotated[float, Field(ge=0, le=MAX_SIZE)] = 0.0
    cavity: tuple[int, int, int] = (26, 10, 20)
    """Colour (R, G, B) of the dark behind everything."""


class Mouth(_Part):
    """Where the mouth is. ``slit`` is the closed lips' line from the left corner to the right one, in image order."""

    box: Box
    window: Window
    slit: Annotated[tuple[Point, ...], Field(min_length=2, max_length=256)]
    interior: Interior | None = None

    @model_validator(mode="after")
    def _left_to_right(self) -> "Mouth":
        if any(b[0] <= a[0] for a, b in pairwise(self.slit)):
            raise ValueError("the slit's points must go from left to right")
        return self


class Eyes(_Part):
    """The table of eye pictures: one strip of ``eyes.webp`` per entry, blinks first, then gazes row by row.

    ``blink``: closedness of each blink picture, from 0 to 1. ``gaze_x``/``gaze_y``: where the gaze pictures look, in
    the units of ``FaceFrame``; every gaze_y has one picture for each gaze_x.
    """

    box: Box
    split: Annotated[int, Field(ge=0, le=MAX_SIZE)]
    """Canonical x between the two eyes."""
    blink: Annotated[tuple[Finite, ...], Field(min_length=2, max_length=16)]
    gaze_x: Annotated[tuple[Finite, ...], Field(min_length=1, max_length=32)]
    gaze_y: Annotated[tuple[Finite, ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _ascending(self) -> "Eyes":
        for name, values in (("blink", self.blink), ("gaze_x", self.gaze_x), ("gaze_y", self.gaze_y)):
            if any(b <= a for a, b in pairwise(values)):
                raise ValueError(f"{name} must ascend")
        if self.blink[0] != 0 or self.blink[-1] != 1:
            raise ValueError("blink must begin with 0 and end with 1")
        if not self.box.left < self.split < self.box.right:
            raise ValueError("split lies outside the box")
        if self.box.width * self.box.height * self.pictures > MAX_EYE_PIXELS:
            raise ValueError(f"the pictures have more than {MAX_EYE_PIXELS} pixels together")
        return self

    @property
    def pictures(self) -> int:
        return len(self.blink) + len(self.gaze_x) * len(self.gaze_y)


class Shading(_Part):
    """Luminance gains inside ``box``: one map per entry of ``shapes``, added in proportion to their mean weight."""

    box: Box
    columns: Annotated[int, Field(ge=2, le=256)]
    rows: Annotated[int, Field(ge=2, le=256)]
    shapes: Annotated[tuple[tuple[ShapeName, ...], ...], Field(min_length=1, max_length=64)]


class Head(_Part):
    """How the head turns. ``pivot``: canonical pixels; ``pivot_depth`` and the depth field: ``unit`` pixels each."""

    pivot: Point
    pivot_depth: Annotated[float, Field(ge=-100, le=100)]
    unit: Annotated[float, Field(ge=1, le=4 * MAX_SIZE)]
    """Canonical pixels per unit of depth (a decimetre)."""
    camera: Annotated[float, Field(gt=1, le=1000)] = 11.0
    """Distance of the camera, in units of depth."""


class Overrides(_Part):
    """Weights that suit this face better than those that all faces have."""

    visemes: Mapping[Viseme, OverrideWeights] = Field(default_factory=dict[Viseme, OverrideWeights])
    emotions: Mapping[Emotion, OverrideWeights] = Field(default_factory=dict[Emotion, OverrideWeights])
    states: Mapping[FaceState, OverrideWeights] = Field(default_factory=dict[FaceState, OverrideWeights])

    @field_validator("emotions")
    @classmethod
    def _of_something(cls, emotions: Mapping[Emotion, OverrideWeights]) -> Mapping[Emotion, OverrideWeights]:
        if Emotion.NEUTRAL in emotions:
            raise ValueError("neutral is the absence of emotions and has no weights")
        return emotions


class DefaultPersona(_Part):
    """Who the avatar is where its face comes alone, without an ``avatar.toml``; the fields are those of that file."""

    voice: Voice = ""
    language: Language = "en"
    rate: Rate = 1.0
    greeting: Greeting = ""
    prompt: Prompt = ""


class Consent(_Part):
    """The consent of the person shown. ``statement``: in the words of who gave it; ``given``: when, UTC."""

    statement: Annotated[str, Field(max_length=MAX_STATEMENT), AfterValidator(_said)]
    given: Annotated[AwareDatetime, AfterValidator(_utc)]


class Manifest(_Part):
    """All of ``manifest.json``."""

    format: int
    name: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Literal["cg", "photo", "layers"]
    licence: Text
    source: Text = ""
    notice: Text = ""
    size: Annotated[int, Field(ge=32, le=MAX_SIZE)]
    """Side of the square canonical picture."""
    grid: Annotated[int, Field(ge=8, le=256)]
    """Nodes along a side of the main grid, at (i + 0.5) * size / grid canonical pixels."""
    background: tuple[int, int, int] = (48, 56, 68)
    """Colour (R, G, B) beside the picture where the frame is wider or taller than square."""
    shapes: Annotated[tuple[ShapeName, ...], Field(min_length=1, max_length=len(ARKIT_INDEX))]
    head: Head
    mouth: Mouth
    eyes: Eyes | None = None
    shading: Shading | None = None
    overrides: Overrides = Overrides()
    persona: DefaultPersona | None = None
    consent: Consent | None = Field(default=None, validate_default=True)

    @field_validator("format")
    @classmethod
    def _readable(cls, format: int) -> int:
        if format != FORMAT:
            raise ValueError(f"is {format}; this version reads format {FORMAT}")
        return format

    @field_validator("consent")
    @classmethod
    def _consented(cls, consent: Consent | None, info: ValidationInfo) -> Consent | None:
        if consent is None and info.data.get("kind") == "photo":
            raise ValueError("is missing: an avatar made from a photo keeps the consent of the person shown")
        return consent

    @model_validator(mode="after")
    def _inside(self) -> "Manifest":
        if len(set(self.shapes)) != len(self.shapes):
            raise ValueError("shapes: a name occurs twice")
        boxes = [("mouth.box", self.mouth.box)]
        if self.eyes is not None:
            boxes.append(("eyes.box", self.eyes.box))
        if self.shading is not None:
            boxes.append(("shading.box", self.shading.box))
            if unknown := {n for group in self.shading.shapes for n in group} - set(self.shapes):
                raise ValueError(f"shading.shapes: {sorted(unknown)[0]!r} is not among the package's shapes")
        for name, box in boxes:
            if box.right > self.size or box.bottom > self.size:
                raise ValueError(f"{name}: reaches outside the picture of {self.size} pixels")
        if not self.mouth.window.holds(self.mouth.box):
            raise ValueError("mouth.window: does not hold all of mouth.box")
        if max(self.mouth.window.width, self.mouth.window.height) > 2 * self.size:
            # All of it is made as fine as the picture that is painted.
            raise ValueError("mouth.window: is more than twice as large as the picture")
        for colour in (self.background,) + ((self.mouth.interior.cavity,) if self.mouth.interior else ()):
            if not all(0 <= value <= 255 for value in colour):
                raise ValueError(f"{colour} is not a colour of three values 0–255")
        return self
