"""What the avatar says of itself: when a part of it fails, so that a visitor is never left with silence; when it asks
whether anybody is there; and when it hangs up. With marks of emotions."""

from collections.abc import Mapping
from typing import Final

from visavis.language.ports import ChatErrorKind

_BUSY = "busy"
_AWAY = "away"
_EMPTY = "empty"
_DEAF = "deaf"
_ALONE = "alone"
_LEAVING = "leaving"

_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        _BUSY: "I am being asked a lot right now. Please try again in a moment.",
        _AWAY: "Sorry, I cannot reach the part of me that thinks. Please try again in a moment.",
        _EMPTY: "Sorry, I have no answer to that.",
        _DEAF: "Sorry, my hearing failed just now. Could you say that again, or type it?",
        _ALONE: "Are you still there?",
        _LEAVING: "Goodbye, and thank you for the conversation.",
    },
    "de": {
        _BUSY: "Ich werde gerade sehr viel gefragt. Bitte versuche es gleich noch einmal.",
        _AWAY: "Entschuldigung, ich kann gerade nicht nachdenken. Bitte versuche es gleich noch einmal.",
        _EMPTY: "Entschuldigung, darauf habe ich keine Antwort.",
        _DEAF: "Entschuldigung, ich habe dich gerade nicht gehört. Sag es bitte noch einmal.",
        _ALONE: "Bist du noch da?",
        _LEAVING: "Auf Wiedersehen, und danke für das Gespräch.",
    },
    "fr": {
        _BUSY: "On me pose beaucoup de questions en ce moment. Réessayez dans un instant.",
        _AWAY: "Désolé, je n'arrive pas à réfléchir pour le moment. Réessayez dans un instant.",
        _EMPTY: "Désolé, je n'ai pas de réponse à cela.",
        _DEAF: "Désolé, je n'ai pas pu vous entendre. Pouvez-vous répéter ?",
        _ALONE: "Êtes-vous toujours là ?",
        _LEAVING: "Au revoir, et merci pour cette conversation.",
    },
    "es": {
        _BUSY: "Me están preguntando mucho ahora mismo. Inténtalo de nuevo en un momento.",
        _AWAY: "Lo siento, ahora mismo no puedo pensar. Inténtalo de nuevo en un momento.",
        _EMPTY: "Lo siento, no tengo respuesta para eso.",
        _DEAF: "Lo siento, no he podido oírte. ¿Puedes repetirlo?",
        _ALONE: "¿Sigues ahí?",
        _LEAVING: "Adiós, y gracias por la conversación.",
    },
}

_FEELINGS: Final = {
    _BUSY: "[concerned 0.5] ",
    _AWAY: "[concerned 0.6] ",
    _EMPTY: "[concerned 0.5] ",
    _DEAF: "[concerned 0.5] ",
    _ALONE: "",
    _LEAVING: "[happy 0.6] ",
}


def apology(kind: ChatErrorKind, language: str) -> str:
    """For a language model that failed with ``kind``, in ``language`` (BCP 47) or else in English."""
    return _text(_BUSY if kind is ChatErrorKind.RATE_LIMITED else _AWAY, language)


def no_answer(language: str) -> str:
    """For a language model that said nothing."""
    return _text(_EMPTY, language)


def not_heard(language: str) -> str:
    """For a recognizer that failed."""
    return _text(_DEAF, language)


def still_there(language: str) -> str:
    """For a visitor of whom nothing was heard for a long time."""
    return _text(_ALONE, language)


def farewell(language: str) -> str:
    """For a language model that hangs up without a word."""
    return _text(_LEAVING, language)


def _text(key: str, language: str) -> str:
    return _FEELINGS[key] + _TEXTS.get(language.split("-")[0].lower(), _TEXTS["en"])[key]
