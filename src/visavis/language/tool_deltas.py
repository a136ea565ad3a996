"""Puts streamed tool calls together, whatever shape a server gives the pieces.

Shapes seen in the field besides OpenAI's own: no ``index`` (Ollama, Gemini proxies), no ``id``, every call at index 0
with its own ``id``, all arguments in the first piece, ``arguments`` as an object, the name repeated in every piece, the
older ``function_call``.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from visavis.language.ports import ToolCall, ToolCallDelta


@dataclass(slots=True)
class _Partial:
    """A call as far as it has come."""

    call_id: str
    id_given: bool
    index: int | None
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])
    told: int = 0


class ToolCallAssembler:
    """Collects the tool calls of one answer."""

    def __init__(self) -> None:
        self._calls: list[_Partial] = []

    def push(self, raw_calls: object) -> list[ToolCallDelta]:
        """Take a delta's ``tool_calls``; returns the pieces that may be told (the function's name being known)."""
        listed: Sequence[object] = [raw_calls]
        if isinstance(raw_calls, list):
            listed = cast(list[object], raw_calls)
        deltas: list[ToolCallDelta] = []
        for raw in listed:
            if isinstance(raw, Mapping):
                deltas += self._push_one(cast(Mapping[str, Any], raw))
        return deltas

    def finish(self) -> list[ToolCall]:
        """The answer has ended: the whole calls. Raises ``ValueError`` where arguments are not a JSON object."""
        calls: list[ToolCall] = []
        for call in self._calls:
            if not call.name:
                raise ValueError("a tool call without a function name")
            arguments = "".join(call.pieces).strip() or "{}"
            try:
                parsed = json.loads(arguments)
            except (ValueError, RecursionError):
                raise ValueError(f"the arguments for {call.name!r} are not JSON") from None
            if parsed is None:
                arguments = "{}"
            elif not isinstance(parsed, dict):
                raise ValueError(f"the arguments for {call.name!r} are not a JSON object")
            calls.append(ToolCall(call.call_id, call.name, arguments))
        return calls

    def _push_one(self, raw: Mapping[str, Any]) -> list[ToolCallDelta]:
        function = raw  # some servers leave out the wrapping
        if isinstance(raw.get("function"), Mapping):
            function = cast(Mapping[str, Any], raw["function"])
        given_name: object = function.get("name")
        given_arguments: object = function.get("arguments")
        name = given_name if isinstance(given_name, str) else ""
        call = self._find(raw.get("index"), raw.get("id"), name)
        call.name = call.name or name
        if isinstance(given_arguments, str):
            call.pieces.append(given_arguments)
        elif isinstance(given_arguments, Mapping):
            call.pieces.append(json.dumps(given_arguments, ensure_ascii=False))
        if not call.name:
            return []
        fresh = "".join(call.pieces[call.told :])
        call.told = len(call.pieces)
        return [ToolCallDelta(call.call_id, call.name, fresh)] if fresh else []

    def _find(self, index: object, given_id: object, name: str) -> _Partial:
        """The call that a piece belongs to, a new one where it begins one."""
        call_id = given_id if isinstance(given_id, str) else ""
        number = index if isinstance(index, int) else None
        found: _Partial | None = None
        if number is not None:
            found = next((call for call in reversed(self._calls) if call.index == number), None)
        elif call_id:
            found = next((call for call in reversed(self._calls) if call.id_given and call.call_id == call_id), None)
            if found is None and not name and self._calls:
                found = self._calls[-1]
        elif not name and self._calls:
            found = self._calls[-1]
        if found is not None and not (call_id and found.id_given and call_id != found.call_id and name):
            return found
        call = _Partial(call_id or f"call_{uuid.uuid4().hex[:24]}", bool(call_id), number)
        self._calls.append(call)
        return call
