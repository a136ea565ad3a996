"""Follows the conversation by the server's messages: captions of both sides, and what the avatar does."""

import itertools
from collections import deque
from collections.abc import Callable

from visavis.client.events import Activity, Caption, Message

_REMEMBERED = 64
"""Answers whose ids are remembered, after their end too."""


class Dialogue:
    """Makes captions and activities of messages; ``tell`` gets them in their order."""

    def __init__(self, tell: Callable[[Caption | Activity], None]) -> None:
        self._tell = tell
        self._numbers = itertools.count(1)
        self._awaited: deque[str] = deque()
        """The user's turns that began and have no text yet, oldest first."""
        self._answers: dict[str, str] = {}
        """The words so far of answers under way."""
        self._active: set[str] = set()
        """Responses that spoke, or used a tool, and have not ended."""
        self._speaking = ""
        """The response that spoke last."""
        self._begun: deque[str] = deque(maxlen=_REMEMBERED)
        self.activity = Activity.IDLE

    @property
    def begun(self) -> frozenset[str]:
        """The ids of answers that have begun."""
        return frozenset(self._begun)

    def typed(self, text: str, *, answered: bool) -> None:
        """The visitor wrote something."""
        self._tell(Caption(self._next(), "user", text, "final"))
        if answered:
            self._become(Activity.THINKING)

    def uses_tool(self, response_id: str) -> None:
        """The avatar waits for a tool."""
        self._active.add(response_id)
        self._become(Activity.THINKING)

    def take(self, message: Message) -> bool:
        """Whether the message is one of the conversation's."""
        data = message.data
        response = str(data.get("response_id") or data.get("id") or "")
        match message.type:
            case "realtime.input_audio_buffer.speech_started":
                self._awaited.append(self._next())
                self._tell(Caption(self._awaited[-1], "user", "", "pending"))
                self._become(Activity.LISTENING)
            case "realtime.input_audio_buffer.speech_stopped":
                self._become(Activity.THINKING)
            case "realtime.conversation.item.input_audio_transcription.completed":
                self._understood(str(data.get("content") or data.get("transcript") or "").strip())
            case "realtime.response.audio_transcript.delta":
                self._grows(response, str(data.get("delta") or data.get("content") or ""))
            case "realtime.response.audio_transcript.done":
                self._answers.pop(response, None)
                self._note(response)
                text = str(data.get("transcript") or data.get("content") or "")
                self._tell(Caption(response, "avatar", text, "final"))
            case "realtime.response.audio.done":
                self._ends(response)
            case _:
                return False
        return True

    def end(self) -> None:
        """The connection is gone: nothing that is under way goes on."""
        while self._awaited:
            self._tell(Caption(self._awaited.popleft(), "user", "", "final"))
        for response, text in tuple(self._answers.items()):
            self._tell(Caption(response, "avatar", text, "final"))
        self._answers.clear()
        self._active.clear()
        self._become(Activity.IDLE)

    def _understood(self, text: str) -> None:
        caption = self._awaited.popleft() if self._awaited else self._next()
        self._tell(Caption(caption, "user", text, "final"))
        if not text and self.activity is Activity.THINKING:
            self._become(Activity.IDLE)

    def _grows(self, response: str, words: str) -> None:
        self._note(response)
        self._active.add(response)
        self._speaking = response
        text = self._answers[response] = self._answers.get(response, "") + words
        self._tell(Caption(response, "avatar", text, "partial"))
        self._become(Activity.SPEAKING)

    def _ends(self, response: str) -> None:
        # An answer that was cut short may end when the next one is already being thought of, or has begun; and one that
        # used a tool ends before the tool does.
        thinking = self.activity is Activity.THINKING and response not in self._active
        self._active.discard(response)
        if thinking or (self.activity is Activity.SPEAKING and response == self._speaking):
            self._become(Activity.IDLE)

    def _note(self, response: str) -> None:
        if response not in self._begun:
            self._begun.append(response)

    def _become(self, activity: Activity) -> None:
        if self.activity is not activity:
            self.activity = activity
            self._tell(activity)

    def _next(self) -> str:
        return f"user-{next(self._numbers)}"
