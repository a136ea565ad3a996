"""What the server says to NavTalk clients: one union, each message in the shape that all known clients can read.

``data`` is always an object, and text for people stands both beside and inside it: clients differ in where they look.
Names of fields are those of the wire.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Message(_Shape):
    def json_text(self) -> str:
        """The message as it goes over the wire."""
        return self.model_dump_json(exclude_none=True)


class Nothing(_Shape):
    """An empty ``data``."""


class IceServerEntry(_Shape):
    """``urls`` is always an array: the Android SDK fails on a string, the iOS SDK ignores it."""

    urls: Annotated[list[str], Field(min_length=1)]
    username: str | None = None
    credential: str | None = None


class SuccessData(_Shape):
    """``sessionId`` and ``iceServers`` are required by clients, and not empty; the others only for who asks for states.

    ``resumeToken``: with which the visitor can come back, absent where nothing is kept; ``persistent``: after hanging
    up, too, and not only after a lost connection. ``resumed``: whether this is an earlier session that goes on.
    """

    sessionId: Annotated[str, Field(min_length=1)]
    iceServers: Annotated[list[IceServerEntry], Field(min_length=1)]
    resumeToken: Annotated[str, Field(min_length=1)] | None = None
    persistent: bool | None = None
    resumed: bool | None = None


class ConnectedSuccess(_Message):
    """The first message of an admitted call."""

    type: Literal["conversation.connected.success"] = "conversation.connected.success"
    data: SuccessData


class WarningData(_Shape):
    """``avatarId``: the avatar that was chosen."""

    message: str
    avatarId: str


class ConnectedWarning(_Message):
    """A problem that does not keep the call from going on."""

    type: Literal["conversation.connected.warning"] = "conversation.connected.warning"
    message: str
    data: WarningData


class PictureData(_Shape):
    """``width`` and ``height``: pixels of the avatar's picture, as it is to be seen.

    ``transparent``: frames are twice as wide, with the opacity beside the colours. ``backgrounds``: whether what lies
    behind the person can be chosen.
    """

    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    transparent: bool
    backgrounds: bool


class StateData(_Shape):
    """``state``: where the session is. ``name`` to ``percentageLoaded``: the same as a step of the visitor's progress.

    ``queuePosition``: the visitor's place in the queue (1: next), only while there is one. ``picture``: what is about
    to be sent, only with ``connecting``.
    """

    state: Literal["queued", "preparing", "connecting", "connected"]
    name: Literal["SearchingForDigitalPerson", "DownloadingAssets", "ConnectingToDigitalPerson", "Connected"]
    currentStep: Annotated[int, Field(ge=1, le=4)]
    totalSteps: Literal[5] = 5
    percentageLoaded: Literal[25, 50, 75, 100]
    queuePosition: Annotated[int, Field(ge=1)] | None = None
    picture: PictureData | None = None


class ConnectedState(_Message):
    """The session's state, or the visitor's place in the queue, has changed."""

    type: Literal["conversation.connected.state"] = "conversation.connected.state"
    data: StateData


Reason = Literal["normal", "sessionTimeout", "conversationEnded", "controlDisconnected"]
"""Why a session ends, in the words of those who write pages."""


class ExpiringData(_Shape):
    """``seconds`` until the session ends with ``reason``; ``preventable``: unless the visitor does something."""

    reason: Reason
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    preventable: bool
    message: str


class ConnectedExpiring(_Message):
    """The session is about to end."""

    type: Literal["conversation.connected.expiring"] = "conversation.connected.expiring"
    message: str
    data: ExpiringData


class ResumedItem(_Shape):
    """Something that was said."""

    role: Literal["user", "assistant"]
    content: str


class ResumedData(_Shape):
    """What both sides said, oldest first, and the session's variables."""

    items: list[ResumedItem]
    variables: dict[str, str | Annotated[float, Field(allow_inf_nan=False)] | int | bool]


class ConnectedResumed(_Message):
    """The conversation so far, of a session that goes on."""

    type: Literal["conversation.connected.resumed"] = "conversation.connected.resumed"
    data: ResumedData


class ToldData(_Shape):
    """The message again, for clients that look here; ``code`` (the close reason's word) for who asks for states."""

    message: str
    code: str | None = None


ClosingType = Literal[
    "conversation.connected.fail",
    "conversation.connected.close",
    "conversation.connected.insufficient_balance",
    "conversation.connected.connection_limit_exceeded",
    "conversation.connected.gpu_full",
    "conversation.connected.backend_error",
    "realtime.session.gpu_full",
    "realtime.session.insufficient_balance",
]


class ConnectedClosing(_Message):
    """Why the call does not begin, or is over; the socket is closed after it."""

    type: ClosingType
    message: str
    data: ToldData


class CreatedData(_Shape):
    sessionId: str


class SessionCreated(_Message):
    """The client sends its history now."""

    type: Literal["realtime.session.created"] = "realtime.session.created"
    data: CreatedData


class SessionUpdated(_Message):
    """The client opens its microphone now; a second one would open a second microphone."""

    type: Literal["realtime.session.updated"] = "realtime.session.updated"
    data: Nothing = Nothing()


class SpeechMark(_Message):
    """The user's turn begins or ends."""

    type: Literal[
        "realtime.input_audio_buffer.speech_started",
        "realtime.input_audio_buffer.speech_stopped",
    ]
    data: Nothing = Nothing()


class UserTranscriptData(_Shape):
    content: str
    transcript: str
    item_id: str


class UserTranscriptCompleted(_Message):
    """The words of the user's turn, empty when none were understood."""

    type: Literal["realtime.conversation.item.input_audio_transcription.completed"] = (
        "realtime.conversation.item.input_audio_transcription.completed"
    )
    data: UserTranscriptData


class TranscriptDeltaData(_Shape):
    content: str
    delta: str
    id: str
    response_id: str


class TranscriptDelta(_Message):
    """More words of the answer."""

    type: Literal["realtime.response.audio_transcript.delta"] = "realtime.response.audio_transcript.delta"
    data: TranscriptDeltaData


class TranscriptDoneData(_Shape):
    content: str
    transcript: str
    id: str
    response_id: str


class TranscriptDone(_Message):
    """All words of the answer."""

    type: Literal["realtime.response.audio_transcript.done"] = "realtime.response.audio_transcript.done"
    data: TranscriptDoneData


class AudioDeltaData(_Shape):
    delta: str
    id: str
    response_id: str


class AudioDelta(_Message):
    """A copy of the answer's sound, base64 of 16-bit little endian mono at 24 kHz; only where it was asked for."""

    type: Literal["realtime.response.audio.delta"] = "realtime.response.audio.delta"
    data: AudioDeltaData


class ResponseData(_Shape):
    id: str
    response_id: str


class AudioDone(_Message):
    """The answer's sound is over."""

    type: Literal["realtime.response.audio.done"] = "realtime.response.audio.done"
    data: ResponseData


class ArgumentsDeltaData(_Shape):
    call_id: str
    delta: str


class FunctionArgumentsDelta(_Message):
    """More of a tool call's arguments."""

    type: Literal["realtime.response.function_call_arguments.delta"] = "realtime.response.function_call_arguments.delta"
    data: ArgumentsDeltaData


class FunctionCallData(_Shape):
    name: str
    function_name: str
    call_id: str
    arguments: dict[str, Any] | str


class RawFunctionCall(_Shape):
    """The event in OpenAI's form; ``arguments`` is JSON text."""

    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    name: str
    arguments: str
    call_id: str
    event_id: str
    item_id: str
    output_index: int
    response_id: str


class FunctionArgumentsDone(_Message):
    """A tool is to be called: all three shapes in which clients look for it, at once."""

    type: Literal["realtime.response.function_call_arguments.done"] = "realtime.response.function_call_arguments.done"
    data: FunctionCallData
    raw_data: RawFunctionCall


class OfferedDescription(_Shape):
    type: Literal["offer"] = "offer"
    sdp: str


class OfferData(_Shape):
    sdp: OfferedDescription


class SignalingOffer(_Message):
    """The server's WebRTC offer."""

    type: Literal["webrtc.signaling.offer"] = "webrtc.signaling.offer"
    data: OfferData


class AnsweredDescription(_Shape):
    type: Literal["answer"] = "answer"
    sdp: str


class AnswerData(_Shape):
    sdp: AnsweredDescription


class SignalingAnswer(_Message):
    """The server's answer to a client's offer; the phones' SDKs read the outer ``sdp``."""

    type: Literal["webrtc.signaling.answer"] = "webrtc.signaling.answer"
    data: AnswerData
    sdp: AnsweredDescription


ServerMessage = Annotated[
    ConnectedSuccess
    | ConnectedWarning
    | ConnectedState
    | ConnectedExpiring
    | ConnectedResumed
    | ConnectedClosing
    | SessionCreated
    | SessionUpdated
    | SpeechMark
    | UserTranscriptCompleted
    | TranscriptDelta
    | TranscriptDone
    | AudioDelta
    | AudioDone
    | FunctionArgumentsDelta
    | FunctionArgumentsDone
    | SignalingOffer
    | SignalingAnswer,
    Field(discriminator="type"),
]
