"""The plainest end of turn: always the same silence."""

from visavis.speech.ports import Pcm16


class FixedTurnDetector:
    """A ``TurnDetector`` that always waits for ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def silence(self, audio: Pcm16, text: str) -> float:
        """The same for every turn."""
        del audio, text
        return self._seconds
