"""What was said so far, as the language model gets to see it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from visavis.language.ports import ChatMessage, Image, ToolCall

NO_RESULT = '{"status": "handed to the client, no result returned"}'
"""What a model reads in the place of a tool result that never came: most clients return none."""


@dataclass(frozen=True, slots=True)
class _Item:
    message: ChatMessage
    response_id: str = ""

    @property
    def blank(self) -> bool:
        """Whether it only keeps the place of a response of which nothing was heard."""
        return bool(self.response_id) and not self.message.text and not self.message.tool_calls


class History:
    """Both sides' items in order, bounded: beyond ``limit`` items the oldest are forgotten.

    Pictures weigh most, so only the last ``image_limit`` of them are kept; an older item keeps its text, if it has any.
    ``on_change`` is called after each change.
    """

    def __init__(self, on_change: Callable[[], None], limit: int = 400, image_limit: int = 4) -> None:
        self._items: list[_Item] = []
        self._results: dict[str, str] = {}
        self._on_change = on_change
        self._limit = limit
        self._image_limit = image_limit

    @property
    def inputs(self) -> int:
        """How many texts of the user and results of tools there are."""
        texts = sum(item.message.role == "user" and bool(item.message.text) for item in self._items)
        return texts + len(self._results)

    def restore(self, messages: Iterable[ChatMessage]) -> None:
        """Take up the items of an earlier conversation, as ``items`` gave them."""
        for message in messages:
            if message.role != "tool":
                self._append(_Item(message))
            elif self._knows(message.call_id):
                self._results[message.call_id] = message.text

    def add_user(self, text: str, images: Iterable[Image] = ()) -> None:
        """The user said, typed or showed something."""
        self._append(_Item(ChatMessage("user", text, images=tuple(images))))
        self._forget_images()
        self._on_change()

    def add_assistant(self, text: str) -> None:
        """An answer remembered from an earlier call."""
        self._append(_Item(ChatMessage("assistant", text)))
        self._on_change()

    def begin(self, response_id: str) -> None:
        """A response begins, and all before it are over.

        Its words will stand here: what the user adds before they sound comes after them, as it is not answered by them.
        """
        self._items = [item for item in self._items if not item.blank]
        self._append(_Item(ChatMessage("assistant"), response_id))

    def heard(self, response_id: str, words: str, marked: str) -> None:
        """More words of a response have sounded. So an answer that was cut off ends with the last word heard.

        ``marked``: the same with its marks of emotions. The words stand where the response began, and before its own
        tool calls, however late they sound.
        """
        for index, item in enumerate(self._items):
            if item.response_id != response_id:
                continue
            if item.message.tool_calls:
                self._items.insert(index, _Item(_spoken(words, marked), response_id))
            else:
                before = item.message.text
                message = _spoken(before + words, (item.message.marked or before) + marked)
                self._items[index] = replace(item, message=message)
            break
        else:
            self._append(_Item(_spoken(words, marked), response_id))
        self._on_change()

    def add_tool_call(self, call: ToolCall, response_id: str) -> None:
        """The model asked for a tool."""
        self._append(_Item(ChatMessage("assistant", tool_calls=(call,)), response_id))
        self._on_change()

    def add_result(self, call_id: str, output: str) -> bool:
        """A tool's result; False when no such call is remembered (the result is then dropped)."""
        if not self._knows(call_id):
            return False
        self._results[call_id] = output
        self._on_change()
        return True

    def awaits_result(self, call_id: str) -> bool:
        """Whether the call is remembered and still has no result."""
        return self._knows(call_id) and call_id not in self._results

    def messages(self, prompt: str) -> tuple[ChatMessage, ...]:
        """The prompt and all items as a model gets them: answers with their marks of emotions.

        Each tool call is followed by its result, or by ``NO_RESULT``.
        """
        found: list[ChatMessage] = [ChatMessage("system", prompt)] if prompt else []
        for item in self._items:
            if item.blank:
                continue
            text = item.message.marked or item.message.text
            found.append(replace(item.message, text=text, marked=""))
            found.extend(
                ChatMessage("tool", self._results.get(call.call_id, NO_RESULT), call_id=call.call_id)
                for call in item.message.tool_calls
            )
        return tuple(found)

    def items(self) -> Iterator[ChatMessage]:
        """All items; each tool call is followed by its result, where there is one."""
        for item in self._items:
            if item.blank:
                continue
            yield item.message
            for call in item.message.tool_calls:
                if call.call_id in self._results:
                    yield ChatMessage("tool", self._results[call.call_id], call_id=call.call_id)

    def _knows(self, call_id: str) -> bool:
        return any(call.call_id == call_id for item in self._items for call in item.message.tool_calls)

    def _append(self, item: _Item) -> None:
        self._items.append(item)
        while len(self._items) > self._limit:
            for call in self._items.pop(0).message.tool_calls:
                self._results.pop(call.call_id, None)

    def _forget_images(self) -> None:
        shown = [index for index, item in enumerate(self._items) if item.message.images]
        for index in reversed(shown[: -self._image_limit]):
            item = self._items[index]
            if item.message.text:
                self._items[index] = replace(item, message=replace(item.message, images=()))
            else:
                del self._items[index]


def _spoken(text: str, marked: str) -> ChatMessage:
    return ChatMessage("assistant", text, marked=marked if marked != text else "")
