"""What NavTalk clients say: one union, after the differences between clients are taken away.

``unwrapped`` brings every variant of a message to the same plain form (no ``realtime.`` prefix, all fields side by
side); the models then say which fields a message has and which of their names and types are understood.
"""

from typing import Annotated, Any, Final, Literal, cast

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from visavis.avatar.emotion import Emotion
from visavis.conversation.snapshot import Variable
from visavis.wire.navtalk.bad_message import BadKind, BadMessage
from visavis.wire.navtalk.content import ContentPart, content_parts
from visavis.wire.navtalk.json_text import parse_json
from visavis.wire.navtalk.text import MAX_TEXT

MAX_TOOLS: Final = 128

MAX_VARIABLES: Final = 64
"""Variables in one message."""

MAX_VARIABLE_BYTES: Final = 4096
"""UTF-8 bytes of a variable's text."""

PREFIX: Final = "realtime."


def _truth(value: Any) -> Any:
    """``reply`` is 0 or 1 in the documentation; any number, a boolean or its name is taken."""
    return value != 0 if isinstance(value, int | float) else value


def _embedded(value: Any) -> Any:
    """JSON text or the value itself: clients send both."""
    return parse_json(value) if isinstance(value, str) and value.strip() else (value or None)


def _or_none(value: Any) -> Any:
    return None if value == "" else value


def _description(value: Any) -> Any:
    """A session description: ``{type, sdp}``, or the bare text."""
    return cast(dict[str, Any], value).get("sdp") if isinstance(value, dict) else value


Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
OptionalText = Annotated[Text | None, BeforeValidator(_or_none)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Reply = Annotated[bool, BeforeValidator(_truth)]
Sdp = Annotated[str, BeforeValidator(_description), StringConstraints(min_length=1, max_length=MAX_TEXT)]
Tools = Annotated[Annotated[tuple[Any, ...], Field(max_length=MAX_TOOLS)] | None, BeforeValidator(_embedded)]


class _Part(BaseModel):
    """A piece of a message; fields that are not understood are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ToolDefinition(_Part):
    """A function, in the flat form (``name``, ``parameters``) or under ``function``."""

    name: Name
    description: OptionalText = None
    parameters: dict[str, Any] = Field(default_factory=dict, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(inner := cast(dict[str, Any], value).get("function"), dict):
            return cast(dict[str, Any], inner)
        return cast(Any, value)

    @field_validator("parameters", mode="before")
    @classmethod
    def _schema(cls, value: Any) -> Any:
        """A JSON Schema object; an empty list stands for one (so the JavaScript SDK writes "no properties")."""
        schema = _embedded(value)
        if not schema:
            schema = {}
        if not isinstance(schema, dict):
            return schema
        given = cast(dict[str, Any], schema)
        return {**given, "type": given.get("type") or "object", "properties": given.get("properties") or {}}


class Configuration(_Part):
    """Fields shared by all ways of configuring a session; ``prompt`` is also called ``instructions``."""

    voice: OptionalText = None
    prompt: OptionalText = Field(None, validation_alias=AliasChoices("prompt", "instructions"))
    tools: Tools = None


class InputConfig(Configuration):
    """Session settings: ``content`` is their JSON text, or they are the fields themselves."""

    type: Literal["input_config"]

    @model_validator(mode="before")
    @classmethod
    def _content(cls, value: dict[str, Any]) -> dict[str, Any]:
        content = _embedded(value.get("content"))
        if content is None:
            return value
        if not isinstance(content, dict):
            raise BadMessage(BadKind.BAD_SHAPE, "configuration is no object")
        return {**value, **cast(dict[str, Any], content), "type": value["type"]}


class SessionUpdate(_Part):
    """Session settings in OpenAI's form."""

    type: Literal["session.update"]
    session: Configuration

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: dict[str, Any]) -> dict[str, Any]:
        """The settings may also lie beside the type."""
        return value if value.get("session") else {**value, "session": value}


class InputFunctionCall(_Part):
    """More tools."""

    type: Literal["input_function_call"]
    tools: Tools = Field(None, validation_alias=AliasChoices("content", "tools"))


class AudioAppend(_Part):
    """Sound: base64 of 16-bit little endian mono at 24 kHz."""

    type: Literal["input_audio_buffer.append"]
    audio: str


class AudioMark(_Part):
    """``commit``: the sound so far is an utterance; ``clear``: forget it."""

    type: Literal["input_audio_buffer.commit", "input_audio_buffer.clear"]


class MessageItem(_Part):
    """Something that was said (or typed, or shown)."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant"] = "user"
    content: Annotated[tuple[ContentPart, ...], BeforeValidator(content_parts)]


class ToolResultItem(_Part):
    """What a tool gave; any JSON value."""

    type: Literal["function_call_output"]
    call_id: Name
    output: Any = None


class OtherItem(_Part):
    """An item of a kind that means nothing here."""

    type: str


def _item_kind(value: Any) -> str:
    """Which item it is; one that does not say it is a message."""
    kind = cast(dict[str, Any], value).get("type", "message") if isinstance(value, dict) else None
    return kind if kind in ("message", "function_call_output") else "other"


class ItemCreate(_Part):
    """Put an item into the conversation."""

    type: Literal["conversation.item.create"]
    item: Annotated[
        Annotated[MessageItem, Tag("message")]
        | Annotated[ToolResultItem, Tag("function_call_output")]
        | Annotated[OtherItem, Tag("other")],
        Discriminator(_item_kind),
    ]


class ResponseCreate(_Part):
    """Speak now."""

    type: Literal["response.create"]


class ResponseCancel(_Part):
    """Be silent now."""

    type: Literal["response.cancel"]


class FunctionCallOutput(_Part):
    """A tool's result in the documentation's own form; answered unless ``reply`` is 0."""

    type: Literal["function_call_output"]
    call_id: Name = Field(validation_alias=AliasChoices("call_id", "callId"))
    output: Any = Field(None, validation_alias=AliasChoices("content", "output", "result"))
    reply: Reply = True


class InputText(_Part):
    """Typed text; answered unless ``reply`` is 0."""

    type: Literal["input_text"]
    text: Text = Field(validation_alias=AliasChoices("content", "text"))
    reply: Reply = True


class InputImage(_Part):
    """A picture as a data URL or bare base64; context only, unless ``reply`` is 1."""

    type: Literal["input_image"]
    image: str = Field(validation_alias=AliasChoices("content", "image", "image_url"))
    reply: Reply = False


class SessionKeepAlive(_Part):
    """The visitor is still there."""

    type: Literal["session.keep_alive"]


class SessionVariables(_Part):
    """Values for the session's variables; null removes one."""

    type: Literal["session.variables"]
    variables: Annotated[dict[str, Any], Field(max_length=MAX_VARIABLES)]


class VariableSetting(_Part):
    """One of them."""

    name: Annotated[str, StringConstraints(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,63}\z")]
    value: StrictStr | StrictBool | StrictInt | StrictFloat | None

    @field_validator("value")
    @classmethod
    def _bounded(cls, value: Variable | None) -> Variable | None:
        if isinstance(value, str) and len(value.encode()) > MAX_VARIABLE_BYTES:
            raise ValueError("too long")
        return value


class SetBackgroundMessage(_Part):
    """What is to lie behind the avatar: the words of the address's ``background``, or a picture as a data URL."""

    type: Literal["set_background"]
    background: Annotated[str, StringConstraints(min_length=1)]


class SetEmotionMessage(_Part):
    """What the avatar's face is to show."""

    type: Literal["set_emotion"]
    emotion: Emotion
    intensity: Annotated[float, Field(ge=0, le=1)] = 1.0


class SignalingDescription(_Part):
    """The client's WebRTC answer, or its offer to negotiate anew."""

    type: Literal["webrtc.signaling.answer", "webrtc.signaling.offer"]
    sdp: Sdp


class Candidate(_Part):
    """An RTCIceCandidateInit."""

    candidate: Annotated[str | None, StringConstraints(max_length=4096)] = None
    sdp_mid: Annotated[str | None, StringConstraints(max_length=256)] = Field(
        None, validation_alias=AliasChoices("sdpMid", "sdp_mid")
    )
    sdp_mline_index: Annotated[int | None, Field(ge=0, le=1024)] = Field(
        None, validation_alias=AliasChoices("sdpMLineIndex", "sdpMlineIndex", "sdp_mline_index")
    )


class SignalingCandidate(_Part):
    """One ICE candidate; None marks their end."""

    type: Literal["webrtc.signaling.iceCandidate"]
    candidate: Candidate | None = None

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, value: dict[str, Any]) -> dict[str, Any]:
        """``candidate`` holds the object, or its fields lie side by side with the others."""
        return value if not isinstance(value.get("candidate"), str) else {**value, "candidate": value}


ClientMessage = Annotated[
    InputConfig
    | SessionUpdate
    | InputFunctionCall
    | AudioAppend
    | AudioMark
    | ItemCreate
    | ResponseCreate
    | ResponseCancel
    | FunctionCallOutput
    | InputText
    | InputImage
    | SessionKeepAlive
    | SessionVariables
    | SetBackgroundMessage
    | SetEmotionMessage
    | SignalingDescription
    | SignalingCandidate,
    Field(discriminator="type"),
]

CLIENT_TYPES: Final = frozenset(
    {
        "input_config",
        "session.update",
        "input_function_call",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.create",
        "response.create",
        "response.cancel",
        "function_call_output",
        "input_text",
        "input_image",
        "session.keep_alive",
        "session.variables",
        "set_background",
        "set_emotion",
        "webrtc.signaling.answer",
        "webrtc.signaling.offer",
        "webrtc.signaling.iceCandidate",
    }
)
"""The types of ``ClientMessage``, without prefix; also the closed set of labels for metrics."""

_ADAPTER: Final[TypeAdapter[ClientMessage]] = TypeAdapter(ClientMessage)


def unwrapped(value: Any) -> dict[str, Any]:
    """The plain form of a message: its fields side by side, ``data``'s winning, and its type without prefix.

    Raises ``BadMessage``.
    """
    if not isinstance(value, dict):
        raise BadMessage(BadKind.NOT_OBJECT)
    outer = cast(dict[str, Any], value)
    kind = outer.get("type")
    if not isinstance(kind, str):
        raise BadMessage(BadKind.NO_TYPE)
    data = outer.get("data")
    fields = {**outer, **cast(dict[str, Any], data)} if isinstance(data, dict) else dict(outer)
    fields.pop("data", None)
    fields["type"] = kind.removeprefix(PREFIX)
    return fields


def client_message(fields: dict[str, Any]) -> "ClientMessage | None":
    """The message in plain form as its type says, None for a type that is not known. Raises ``BadMessage``."""
    if fields["type"] not in CLIENT_TYPES:
        return None
    try:
        return _ADAPTER.validate_python(fields)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False, include_input=False)[0]["loc"])
        raise BadMessage(BadKind.BAD_SHAPE, where) from None
