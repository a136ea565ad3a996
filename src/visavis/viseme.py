"""Visemes: the mouth shapes that speech names and the face shows.

The set is the fifteen of the Oculus/Meta lip-sync reference, the common denominator of speech providers.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class Viseme(StrEnum):
    """One mouth shape; the value is the name in the Oculus set."""

    SIL = "sil"
    PP = "PP"
    FF = "FF"
    TH = "TH"
    DD = "DD"
    KK = "kk"
    CH = "CH"
    SS = "SS"
    NN = "nn"
    RR = "RR"
    AA = "aa"
    E = "E"
    IH = "ih"
    OH = "oh"
    OU = "ou"


@dataclass(frozen=True, slots=True)
class TimedViseme:
    """A mouth shape from ``start`` to ``end``, in seconds on the timeline that the carrier names."""

    viseme: Viseme
    start: float
    end: float

    def shifted(self, seconds: float) -> "TimedViseme":
        """The same shape, ``seconds`` later."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)
