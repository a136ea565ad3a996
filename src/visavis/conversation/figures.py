"""One response's instants as figures."""

import asyncio
from collections.abc import Callable

from visavis.conversation.parts import ConversationObserver
from visavis.conversation.stage import Stage


class ResponseFigures:
    """A ``ResponseObserver``. ``speech_ended`` (loop time) is None where no turn of the user was answered.

    ``on_reached`` is told whether the answer could reach the language model at all.
    """

    def __init__(
        self,
        observer: ConversationObserver,
        stage: Stage,
        speech_ended: float | None,
        on_reached: Callable[[bool], None],
    ) -> None:
        self._observer = observer
        self._stage = stage
        self._ended = speech_ended
        self._on_reached = on_reached
        self._started = asyncio.get_running_loop().time()

    def failure(self, part: str) -> None:
        """See ``ResponseObserver``."""
        self._observer.failure(part)

    def reached(self, ok: bool) -> None:
        """See ``ResponseObserver``."""
        self._on_reached(ok)

    def first_words(self) -> None:
        """See ``ResponseObserver``."""
        if self._ended is not None:
            self._observer.thought(asyncio.get_running_loop().time() - self._started)

    def first_sound(self, at: float) -> None:
        """See ``ResponseObserver``."""
        if self._ended is not None:
            ahead = max(0.0, at - self._stage.now)
            self._observer.answered(asyncio.get_running_loop().time() + ahead - self._ended)
