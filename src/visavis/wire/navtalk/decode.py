"""From a client's text to the session's commands."""

import json
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from visavis.avatar.emotion import Feeling
from visavis.conversation.snapshot import Variable
from visavis.language.ports import Image, Tool
from visavis.language.tool_size import characters
from visavis.session.commands import (
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    AddMessage,
    AppendAudio,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    Interrupt,
    KeepAlive,
    Respond,
    SendImage,
    SendText,
    SetBackground,
    SetEmotion,
    SetVariables,
    ToolResult,
)
from visavis.wire.navtalk.bad_message import BadKind, BadMessage
from visavis.wire.navtalk.base64_text import decode_base64
from visavis.wire.navtalk.client_messages import (
    AudioAppend,
    AudioMark,
    ClientMessage,
    FunctionCallOutput,
    InputConfig,
    InputFunctionCall,
    InputImage,
    InputText,
    ItemCreate,
    MessageItem,
    ResponseCancel,
    ResponseCreate,
    SessionKeepAlive,
    SessionUpdate,
    SessionVariables,
    SetBackgroundMessage,
    SetEmotionMessage,
    SignalingCandidate,
    SignalingDescription,
    ToolDefinition,
    ToolResultItem,
    VariableSetting,
    client_message,
    unwrapped,
)
from visavis.wire.navtalk.image import prepare_background, prepare_image
from visavis.wire.navtalk.json_text import parse_json
from visavis.wire.navtalk.text import MAX_TEXT
from visavis.wire.navtalk.view import background_of

UNKNOWN: Final = "unknown"
"""What ``Decoded.type`` is for a type that means nothing here."""

MAX_IMAGES: Final = 4
"""Pictures taken from one message."""

MAX_TOOL: Final = 64 * 1024
"""Characters of one tool's definition."""


@dataclass(frozen=True, slots=True)
class ImageDraft:
    """A ``SendImage`` whose picture is still as the client sent it."""

    source: str
    reply: bool


@dataclass(frozen=True, slots=True)
class MessageDraft:
    """An ``AddMessage`` whose pictures are still as the client sent them."""

    text: str
    role: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackgroundDraft:
    """A ``SetBackground`` whose picture is still as the client sent it."""

    source: str


Draft = ImageDraft | MessageDraft | BackgroundDraft


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a message asks for. ``type`` is one of ``CLIENT_TYPES`` or ``UNKNOWN``; ``flaws`` are what was left out."""

    type: str
    commands: tuple[Command | Draft, ...] = ()
    flaws: tuple[BadKind, ...] = ()


def decode(text: str) -> Decoded:
    """Read one message. Raises ``BadMessage``, and nothing else, whatever the text."""
    message = client_message(unwrapped(parse_json(text)))
    if message is None:
        return Decoded(UNKNOWN)
    flaws: list[BadKind] = []
    commands = _commands(message, flaws)
    return Decoded(message.type, commands, tuple(flaws))


def finish(draft: Draft) -> tuple[Command | None, tuple[BadKind, ...]]:
    """Unpack a draft's pictures: the command, None when nothing is left of it, and the flaws of bad pictures.

    To be called in a thread.
    """
    flaws: list[BadKind] = []
    if isinstance(draft, BackgroundDraft):
        try:
            return SetBackground(prepare_background(draft.source)), ()
        except BadMessage as bad:
            return None, (bad.kind,)
    images: list[Image] = []
    for source in draft.sources if isinstance(draft, MessageDraft) else (draft.source,):
        try:
            images.append(prepare_image(source))
        except BadMessage as bad:
            flaws.append(bad.kind)
    command: Command | None = None
    if isinstance(draft, MessageDraft):
        if images or draft.text:
            command = AddMessage(draft.text, draft.role, tuple(images))
    elif images:
        command = SendImage(images[0], draft.reply)
    return command, tuple(flaws)


def _commands(message: ClientMessage, flaws: list[BadKind]) -> tuple[Command | Draft, ...]:
    match message:
        case AudioAppend():
            return _audio(message, flaws)
        case AudioMark():
            return (CommitAudio(),) if message.type == "input_audio_buffer.commit" else (ClearAudio(),)
        case InputConfig():
            return _configuration(message.voice, message.prompt, message.tools, flaws)
        case SessionUpdate():
            session = message.session
            return _configuration(session.voice, session.prompt, session.tools, flaws)
        case InputFunctionCall():
            tools = _tools(message.tools or (), flaws)
            return (Configure(tools=tools, extend_tools=True),) if tools else ()
        case ItemCreate():
            return _item(message)
        case ResponseCreate():
            return (Respond(),)
        case ResponseCancel():
            return (Interrupt(),)
        case FunctionCallOutput():
            return (ToolResult(message.call_id, _output(message.output), message.reply),)
        case InputText():
            return (SendText(message.text, message.reply),) if message.text.strip() else ()
        case InputImage():
            return (ImageDraft(message.image, message.reply),)
        case SessionKeepAlive():
            return (KeepAlive(),)
        case SessionVariables():
            return _variables(message.variables, flaws)
        case SetBackgroundMessage():
            return _background(message.background)
        case SetEmotionMessage():
            return (SetEmotion(Feeling(message.emotion, message.intensity)),)
        case SignalingDescription():
            answered = message.type == "webrtc.signaling.answer"
            return (AcceptAnswer(message.sdp) if answered else AcceptOffer(message.sdp),)
        case SignalingCandidate():
            return _candidate(message)


def _audio(message: AudioAppend, flaws: list[BadKind]) -> tuple[Command, ...]:
    pcm = decode_base64(message.audio)
    if len(pcm) % 2:
        flaws.append(BadKind.ODD_AUDIO)
        pcm = pcm[:-1]
    return (AppendAudio(pcm),) if pcm else ()


def _configuration(
    voice: str | None, prompt: str | None, tools: tuple[Any, ...] | None, flaws: list[BadKind]
) -> tuple[Command, ...]:
    taken = None if tools is None else _tools(tools, flaws)
    if voice is None and prompt is None and taken is None:
        return ()
    return (Configure(voice, prompt, taken),)


def _tools(definitions: tuple[Any, ...], flaws: list[BadKind]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for definition in definitions:
        try:
            given = ToolDefinition.model_validate(definition)
        except (ValidationError, BadMessage):
            flaws.append(BadKind.BAD_TOOL)
            continue
        tool = Tool(given.name, given.description or "", given.parameters)
        if characters(tool) > MAX_TOOL:
            flaws.append(BadKind.BAD_TOOL)
        else:
            tools.append(tool)
    return tuple(tools)


def _variables(given: dict[str, Any], flaws: list[BadKind]) -> tuple[Command, ...]:
    values: dict[str, Variable | None] = {}
    for name, value in given.items():
        try:
            setting = VariableSetting(name=name, value=value)
        except ValidationError:
            flaws.append(BadKind.BAD_VARIABLE)
        else:
            values[setting.name] = setting.value
    return (SetVariables(values),) if values else ()


def _background(given: str) -> tuple[Command | Draft, ...]:
    if given[:5].lower() == "data:":
        return (BackgroundDraft(given),)
    try:
        return (SetBackground(background_of(given)),)
    except ValueError:
        raise BadMessage(BadKind.BAD_SHAPE, "background") from None


def _item(message: ItemCreate) -> tuple[Command | Draft, ...]:
    match message.item:
        case MessageItem():
            texts = [part.value for part in message.item.content if part.type == "text" and part.value.strip()]
            images = [part.value for part in message.item.content if part.type == "image"]
            if images:
                return (MessageDraft("\n".join(texts), message.item.role, tuple(images[:MAX_IMAGES])),)
            # The Android SDK remembers a call in one item, with a part for each thing that the user said.
            return tuple(AddMessage(text, message.item.role) for text in texts)
        case ToolResultItem():
            return (ToolResult(message.item.call_id, _output(message.item.output)),)
        case _:
            return ()


def _output(value: Any) -> str:
    output = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    if len(output) > MAX_TEXT:
        raise BadMessage(BadKind.BAD_SHAPE, "output too long")
    return output


def _candidate(message: SignalingCandidate) -> tuple[Command, ...]:
    given = message.candidate
    if given is None or not given.candidate:
        return ()
    # RTCIceCandidateInit needs one of the two; everything is bundled, so the first section is always right.
    index = 0 if given.sdp_mid is None and given.sdp_mline_index is None else given.sdp_mline_index
    return (AddCandidate(given.candidate, given.sdp_mid, index),)
