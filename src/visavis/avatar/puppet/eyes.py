"""The eyes: a table of baked pictures, mixed for each eye's blink and gaze and pasted into the session's picture."""

from bisect import bisect_right

from visavis.avatar.face import ARKIT_INDEX, FaceFrame
from visavis.avatar.package import Pixels
from visavis.avatar.puppet.opencv import mix
from visavis.avatar.puppet.rig import Rig

_LEVELS = 16
"""Steps of blink and of gaze between two table entries; what is finer is not seen."""

# (image side, ARKit side): the avatar's right eye is on the image's left.
_SIDES = (
    (0, ARKIT_INDEX["eyeBlinkRight"], ARKIT_INDEX["eyeLookInRight"], ARKIT_INDEX["eyeLookOutRight"],
     ARKIT_INDEX["eyeLookUpRight"], ARKIT_INDEX["eyeLookDownRight"]),
    (1, ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeLookOutLeft"], ARKIT_INDEX["eyeLookInLeft"],
     ARKIT_INDEX["eyeLookUpLeft"], ARKIT_INDEX["eyeLookDownLeft"]),
)  # fmt: skip


class Eyes:
    """One session's eyes."""

    def __init__(self, rig: Rig, picture: Pixels) -> None:
        self._table = rig.eyes
        self._manifest = rig.manifest.eyes
        self._picture = picture
        self._shown: list[tuple[int, int, int] | None] = [None, None]

    def paint(self, face: FaceFrame) -> None:
        """Bring the session's picture (canonical, BGRA) up to date."""
        manifest = self._manifest
        if manifest is None:
            return
        for side, blink, right, left, up, down in _SIDES:
            weights = face.arkit
            closed = min(1.0, max(face.blink, float(weights[blink])))
            x = face.gaze_x + float(weights[right]) - float(weights[left])
            y = face.gaze_y + float(weights[up]) - float(weights[down])
            wanted = (
                round(closed * len(manifest.blink) * _LEVELS),
                round(_place(manifest.gaze_x, x) * _LEVELS),
                round(_place(manifest.gaze_y, y) * _LEVELS),
            )
            if wanted != self._shown[side]:
                self._shown[side] = wanted
                self._paste(side, wanted[0] / (len(manifest.blink) * _LEVELS), wanted[1], wanted[2])

    def _paste(self, side: int, closed: float, column: int, row: int) -> None:
        manifest, table = self._manifest, self._table
        if manifest is None or table is None:
            return
        box = manifest.box
        middle = manifest.split - box.left
        part = slice(0, middle) if side == 0 else slice(middle, box.width)
        place = _place(manifest.blink, closed)
        level, share = int(place), place - int(place)
        # Only the open end of the blink table is mixed with the gaze: nobody sees where a closing eye looks.
        upper = self._gaze(part, column, row) if level == 0 else table.blink[level, :, part]
        if share > 0:
            upper = mix(upper, table.blink[level + 1, :, part], share)
        across = slice(box.left + part.start, box.left + part.stop)
        self._picture[box.top : box.bottom, across, :3] = upper

    def _gaze(self, part: slice, column: int, row: int) -> Pixels:
        assert self._table is not None
        gaze = self._table.gaze
        x, x_share = divmod(column, _LEVELS)
        y, y_share = divmod(row, _LEVELS)

        def mixed(line: int) -> Pixels:
            if x_share == 0:
                return gaze[line, x, :, part]
            return mix(gaze[line, x, :, part], gaze[line, x + 1, :, part], x_share / _LEVELS)

        return mixed(y) if y_share == 0 else mix(mixed(y), mixed(y + 1), y_share / _LEVELS)


def _place(values: tuple[float, ...], value: float) -> float:
    """Where ``value`` lies in the ascending ``values``, as an index with a fraction; held at the ends."""
    if value <= values[0]:
        return 0.0
    if value >= values[-1]:
        return float(len(values) - 1)
    left = bisect_right(values, value) - 1
    return left + (value - values[left]) / (values[left + 1] - values[left])
