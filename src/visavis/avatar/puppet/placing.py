"""Where the square picture of the person stands in a frame."""

from dataclasses import dataclass

from visavis.avatar.package import AvatarPackage
from visavis.avatar.view import View


@dataclass(frozen=True, slots=True)
class Placing:
    """The square's side and its left and top pixel in the view; all even, so that chroma lies where it does."""

    side: int
    left: int
    top: int


def placing(package: AvatarPackage, view: View) -> Placing:
    """In the middle, as large as fits; in a tall view, a person with a matte stands on its lower edge."""
    side = min(view.width, view.height)
    left, above = (view.width - side) // 4 * 2, view.height - side
    return Placing(side, left, above if package.matte is not None else above // 4 * 2)
