"""Carrying out what a visitor asks of a session that is on the air."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import structlog

from visavis.conversation.conversation import Conversation
from visavis.media.peer import PeerError
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
    Respond,
    SendImage,
    SendText,
    SetBackground,
    SetEmotion,
    SetVariables,
    ToolResult,
)
from visavis.session.events import Answered
from visavis.session.studio import Studio
from visavis.session.views import UnknownBackgroundError
from visavis.speech.ports import SPEECH_RATE

log = structlog.get_logger(__name__)

_SOUND_BYTES = 2 * SPEECH_RATE // 5
"""Pushed sound is handed on in pieces of 0.2 s, between which other sessions have their turn."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """The visitor's side of a command: who is told of answers to it, and whether there is still anybody."""

    emit: Callable[[Answered], None]
    on_answer: Callable[[], None]
    gone: Callable[[], bool]


async def carry_out(command: Command, studio: Studio, visitor: Visitor) -> None:
    """Do what is asked; it returns before the work that this causes is done."""
    conversation = studio.conversation
    match command:
        case AcceptAnswer() | AcceptOffer() | AddCandidate():
            await _signal(command, studio, visitor)
        case AppendAudio(pcm):
            await _push(pcm, studio, visitor)
        case SetBackground():
            await _set_background(command, studio)
        case SetEmotion(feeling):
            studio.feel(feeling)
        case CommitAudio():
            conversation.commit_audio()
        case ClearAudio():
            await conversation.clear_audio()
        case Interrupt() if not isinstance(conversation, Conversation):
            await conversation.clear_audio()
        case _:
            if isinstance(conversation, Conversation):
                _converse(conversation, command)


async def _push(pcm: bytes, studio: Studio, visitor: Visitor) -> None:
    for start in range(0, len(pcm), _SOUND_BYTES):
        if start:
            await asyncio.sleep(0)
        if visitor.gone():
            return
        piece = np.frombuffer(pcm[start : start + _SOUND_BYTES], "<i2")
        studio.conversation.push_audio(piece.astype(np.int16, copy=False))


async def _set_background(command: SetBackground, studio: Studio) -> None:
    try:
        await studio.stand_before(command.background)
    except UnknownBackgroundError as error:
        log.warning("a background was refused", error=str(error))


async def _signal(command: AcceptAnswer | AcceptOffer | AddCandidate, studio: Studio, visitor: Visitor) -> None:
    peer = studio.peer
    try:
        match command:
            case AcceptAnswer(sdp):
                await peer.answer(sdp)
                visitor.on_answer()
            case AcceptOffer(sdp):
                visitor.emit(Answered(await peer.accept_offer(sdp)))
            case AddCandidate(candidate, sdp_mid, sdp_mline_index):
                await peer.add_candidate(candidate, sdp_mid, sdp_mline_index)
    except (PeerError, ValueError) as error:
        # The client may try again; the media timer ends the call of one that does not get it right.
        log.warning("signalling was refused", command=type(command).__name__, error=str(error))


def _converse(conversation: Conversation, command: Command) -> None:
    match command:
        case Configure(voice, prompt, tools, extend_tools):
            conversation.configure(voice=voice, prompt=prompt, tools=tools, extend_tools=extend_tools)
        case AddMessage(text, role, images):
            conversation.add_message(text, role=role, images=images)
        case SendText(text, reply):
            conversation.send_text(text, reply=reply)
        case SendImage(image, reply):
            conversation.send_image(image, reply=reply)
        case ToolResult(call_id, output, reply):
            conversation.add_result(call_id, output, reply=reply)
        case Respond():
            conversation.respond()
        case Interrupt():
            conversation.interrupt()
        case SetVariables(values):
            conversation.set_variables(values)
        case _:
            pass
