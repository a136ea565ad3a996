"""From the session's events to messages for the client."""

import base64
import json
from itertools import count
from typing import Any, Final, Literal, assert_never, cast

from visavis.conversation.events import (
    AnswerAudio,
    AnswerAudioDone,
    AnswerDelta,
    AnswerDone,
    SpeechStarted,
    SpeechStopped,
    ToolArguments,
    ToolRequested,
    UserTranscript,
)
from visavis.session.events import (
    Answered,
    Created,
    Ended,
    Expiring,
    Offered,
    Ready,
    Restored,
    SessionEvent,
    StateChanged,
)
from visavis.session.ports import IceServer, Notice
from visavis.wire.navtalk.farewell import farewell
from visavis.wire.navtalk.progress import expiring, restored, state_changed
from visavis.wire.navtalk.server_messages import (
    AnswerData,
    AnsweredDescription,
    ArgumentsDeltaData,
    AudioDelta,
    AudioDeltaData,
    AudioDone,
    ConnectedSuccess,
    ConnectedWarning,
    CreatedData,
    FunctionArgumentsDelta,
    FunctionArgumentsDone,
    FunctionCallData,
    IceServerEntry,
    OfferData,
    OfferedDescription,
    RawFunctionCall,
    ResponseData,
    ServerMessage,
    SessionCreated,
    SessionUpdated,
    SignalingAnswer,
    SignalingOffer,
    SpeechMark,
    SuccessData,
    TranscriptDelta,
    TranscriptDeltaData,
    TranscriptDone,
    TranscriptDoneData,
    UserTranscriptCompleted,
    UserTranscriptData,
    WarningData,
)
from visavis.wire.navtalk.text import encodable

ToolArgumentsForm = Literal["object", "string"]

_MAX_OPEN_CALLS: Final = 32


def success(
    session_id: str,
    ice_servers: tuple[IceServer, ...],
    *,
    resume_token: str | None = None,
    persistent: bool | None = None,
    resumed: bool | None = None,
) -> ConnectedSuccess:
    """The first message of a call; all but id and servers only for a client that asks for states."""
    entries = [
        IceServerEntry(urls=list(server.urls), username=server.username, credential=server.credential)
        for server in ice_servers
    ]
    return ConnectedSuccess(
        data=SuccessData(
            sessionId=session_id,
            iceServers=entries,
            resumeToken=resume_token,
            persistent=persistent,
            resumed=resumed,
        )
    )


def warning(notice: Notice) -> ConnectedWarning:
    """A non-fatal problem, right after ``success``."""
    text = encodable(notice.message)
    return ConnectedWarning(message=text, data=WarningData(message=text, avatarId=notice.avatar_id))


class Encoder:
    """Turns one session's events into messages; keeps what was told of tool calls that are still being written.

    ``tool_arguments``: the form of a call's arguments in ``data``. ``audio_delta``: also tell the answer's sound.
    ``states``: also tell what only clients that ask for it are told (``progress``).
    """

    def __init__(
        self, tool_arguments: ToolArgumentsForm = "object", audio_delta: bool = False, states: bool = False
    ) -> None:
        self._tool_arguments: Final = tool_arguments
        self._audio_delta: Final = audio_delta
        self._states: Final = states
        self._told: Final[dict[str, str]] = {}
        self._event_numbers: Final = count(1)

    def encode(self, event: SessionEvent) -> tuple[ServerMessage, ...]:
        """The messages of ``event``, in their order; none for what this client is not told."""
        match event:
            case StateChanged() | Expiring() | Restored():
                return self._progress(event) if self._states else ()
            case Offered():
                return (SignalingOffer(data=OfferData(sdp=OfferedDescription(sdp=event.sdp))),)
            case Answered():
                description = AnsweredDescription(sdp=event.sdp)
                return (SignalingAnswer(data=AnswerData(sdp=description), sdp=description),)
            case Created():
                return (SessionCreated(data=CreatedData(sessionId=event.session_id)),)
            case Ready():
                return (SessionUpdated(),)
            case Ended():
                return farewell(event, states=self._states).messages
            case SpeechStarted():
                return (SpeechMark(type="realtime.input_audio_buffer.speech_started"),)
            case SpeechStopped():
                return (SpeechMark(type="realtime.input_audio_buffer.speech_stopped"),)
            case UserTranscript():
                text = encodable(event.text)
                data = UserTranscriptData(content=text, transcript=text, item_id=event.item_id)
                return (UserTranscriptCompleted(data=data),)
            case AnswerDelta():
                return (_transcript_delta(event),)
            case AnswerDone():
                return (_transcript_done(event),)
            case AnswerAudio():
                return (_audio_delta(event),) if self._audio_delta else ()
            case AnswerAudioDone():
                return (AudioDone(data=ResponseData(id=event.response_id, response_id=event.response_id)),)
            case ToolArguments():
                return self._arguments(event.call_id, encodable(event.delta))
            case ToolRequested():
                return self._tool_call(event)
        assert_never(event)

    def _progress(self, event: StateChanged | Expiring | Restored) -> tuple[ServerMessage, ...]:
        match event:
            case StateChanged():
                message = state_changed(event)
                return () if message is None else (message,)
            case Expiring():
                return (expiring(event),)
            case Restored():
                return (restored(event),)

    def _arguments(self, call_id: str, delta: str) -> tuple[ServerMessage, ...]:
        if not delta:
            return ()
        self._told[call_id] = self._told.get(call_id, "") + delta
        while len(self._told) > _MAX_OPEN_CALLS:  # Calls of interrupted answers are never requested.
            del self._told[next(iter(self._told))]
        return (FunctionArgumentsDelta(data=ArgumentsDeltaData(call_id=call_id, delta=delta)),)

    def _tool_call(self, event: ToolRequested) -> tuple[ServerMessage, ...]:
        """The rest of the arguments, so that their deltas make the whole, and the call."""
        arguments = encodable(event.arguments)
        told = self._told.pop(event.call_id, "")
        rest = arguments.removeprefix(told) if arguments.startswith(told) else ""
        done = FunctionArgumentsDone(
            data=FunctionCallData(
                name=event.name,
                function_name=event.name,
                call_id=event.call_id,
                arguments=_as_object(arguments) if self._tool_arguments == "object" else arguments,
            ),
            raw_data=RawFunctionCall(
                name=event.name,
                arguments=arguments,
                call_id=event.call_id,
                event_id=f"event_{next(self._event_numbers)}",
                item_id=event.item_id,
                output_index=0,
                response_id=event.response_id,
            ),
        )
        if not rest:
            return (done,)
        return FunctionArgumentsDelta(data=ArgumentsDeltaData(call_id=event.call_id, delta=rest)), done


def _transcript_delta(event: AnswerDelta) -> TranscriptDelta:
    text = encodable(event.text)
    identity = event.response_id
    return TranscriptDelta(data=TranscriptDeltaData(content=text, delta=text, id=identity, response_id=identity))


def _transcript_done(event: AnswerDone) -> TranscriptDone:
    text = encodable(event.text)
    identity = event.response_id
    return TranscriptDone(data=TranscriptDoneData(content=text, transcript=text, id=identity, response_id=identity))


def _audio_delta(event: AnswerAudio) -> AudioDelta:
    sound = base64.b64encode(event.pcm.astype("<i2", copy=False).tobytes()).decode("ascii")
    return AudioDelta(data=AudioDeltaData(delta=sound, id=event.response_id, response_id=event.response_id))


def _as_object(arguments: str) -> dict[str, Any] | str:
    """The arguments as an object; the text itself where a model wrote none that strict readers could take."""
    try:
        value = json.loads(arguments, parse_constant=_refuse)
        value = json.loads(encodable(json.dumps(value, allow_nan=False, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return arguments
    return cast(dict[str, Any], value) if isinstance(value, dict) else arguments


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
