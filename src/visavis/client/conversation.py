"""What a call knows of its conversation: who said what, the variables, the tools; over all its connections."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

from visavis.client import wire
from visavis.client.dialogue import Dialogue
from visavis.client.events import Activity, Caption, Event, HistoryItem, Message, Notice, Resumed, Variable
from visavis.client.link import Link
from visavis.client.tools import Tool, Toolbox
from visavis.client.variables import Variables

_HISTORY_HELD = 1000


class Conversation:
    """Turns the server's messages into events for ``tell``, and remembers; ``answer`` returns the results of tools."""

    def __init__(
        self,
        tell: Callable[[Event], None],
        answer: Callable[[str, str], Awaitable[None]],
        *,
        tools: Sequence[Tool],
        variables: Mapping[str, Variable],
        history: Sequence[HistoryItem | str],
    ) -> None:
        self._tell = tell
        self.dialogue = Dialogue(self._follow)
        self.toolbox = Toolbox(tools, answer)
        self.variables = Variables(variables)
        earlier = (HistoryItem("user", item) if isinstance(item, str) else item for item in history)
        self.history: deque[HistoryItem] = deque(earlier, _HISTORY_HELD)

    async def introduce(self, link: Link) -> None:
        """Tell a session that begins, or goes on, what it is to know."""
        if values := self.variables.told():
            await link.send(wire.variables(values))
        if definitions := self.toolbox.definitions():
            await link.send(wire.more_tools(definitions))
        if not link.resumed:
            for item in tuple(self.history):
                await link.send(wire.said(item.text, item.role))

    def take(self, message: Message) -> None:
        """One of the server's messages. Raises ``ProtocolError``, and what ``tell`` raises."""
        match message.type:
            case "conversation.connected.state":
                # The link tells its states itself.
                pass
            case "conversation.connected.warning":
                self._tell(Notice(message.told))
            case "conversation.connected.expiring":
                self._tell(wire.expiring(message))
            case "conversation.connected.resumed":
                self._restore(wire.resumed(message))
            case "realtime.response.function_call_arguments.done":
                call = wire.tool_call(message)
                self.dialogue.uses_tool(call.response_id)
                self._tell(call)
                self.toolbox.use(call)
            case _ if not self.dialogue.take(message):
                self._tell(message)
            case _:
                pass

    def _restore(self, resumed: Resumed) -> None:
        self.history.clear()
        self.history.extend(resumed.history)
        self.variables.restore(resumed.variables)
        self._tell(resumed)

    def _follow(self, event: Caption | Activity) -> None:
        """What the dialogue tells."""
        if isinstance(event, Caption) and event.state == "final" and event.text:
            self.history.append(HistoryItem("user" if event.side == "user" else "assistant", event.text))
        self._tell(event)
