"""How clients ask for a picture: its size, what lies behind the avatar, and transparency, as words of an address."""

import re
from typing import Final

from visavis.avatar.view import Background, BlurredBackground, ColourBackground, OwnBackground
from visavis.session.commands import NamedBackground
from visavis.session.ports import ViewRequest

_SIZE: Final = re.compile(r"([1-9][0-9]{1,3})x([1-9][0-9]{1,3})")
_COLOUR: Final = re.compile(r"#?([0-9A-Fa-f]{6})")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TRUTH: Final = {"1": True, "true": True, "0": False, "false": False}


def view_request(size: str | None, background: str | None, transparent: str | None) -> ViewRequest:
    """What an address asks for; None: nothing. Raises ``ValueError``, whose text names the parameter."""
    wanted = None
    if size is not None:
        match = _SIZE.fullmatch(size)
        if not match:
            raise ValueError("size: it should be like 512x512.")
        wanted = int(match[1]), int(match[2])
    if transparent is not None and transparent not in _TRUTH:
        raise ValueError("transparent: it should be 1 or 0.")
    return ViewRequest(
        wanted,
        None if background is None else background_of(background),
        transparent is not None and _TRUTH[transparent],
    )


def background_of(text: str) -> Background | NamedBackground:
    """``own``, ``blur``, a colour (six hexadecimal digits), or else a picture's name. Raises ``ValueError``."""
    if text == "own":
        return OwnBackground()
    if text == "blur":
        return BlurredBackground()
    if match := _COLOUR.fullmatch(text):
        red, green, blue = bytes.fromhex(match[1])
        return ColourBackground(red, green, blue)
    if not _NAME.fullmatch(text):
        raise ValueError("background: it should be own, blur, a colour such as 2f6f6f, or the name of a picture.")
    return NamedBackground(text)
