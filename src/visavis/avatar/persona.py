"""Persona: who an avatar is, apart from its face. Read from the ``avatar.toml`` beside its package."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from visavis.avatar.files import more_than

AVATAR_FILE: Final = "avatar.toml"
_MAX_BYTES: Final = 1024 * 1024
_MAX_VALUES: Final = 50_000
_MAX_FINDINGS: Final = 50


Voice = Annotated[str, Field(max_length=200)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Rate = Annotated[float, Field(ge=0.5, le=2.0)]
Prompt = Annotated[str, Field(max_length=100_000)]
Greeting = Annotated[str, Field(max_length=2000)]


class PersonaError(Exception):
    """An ``avatar.toml`` cannot be used; the message names the file and the key. ``others``: what else is wrong."""

    def __init__(self, file: Path, key: str, problem: str, others: "tuple[PersonaError, ...]" = ()) -> None:
        super().__init__(f"{file}: {key}: {problem}" if key else f"{file}: {problem}")
        self.file = file
        self.key = key
        self.problem = problem
        self.others = others


@dataclass(frozen=True, slots=True)
class Persona:
    """Who the avatar is. ``tools`` are JSON-schema dicts: ``name``, ``description``, ``parameters``."""

    name: str
    voice: str = ""
    """The synthesizer's name of the voice; empty: the language's default."""
    language: str = "en"
    """BCP 47 tag."""
    rate: float = 1.0
    """Pace of speech, 1.0 normal."""
    prompt: str = ""
    """Never leaves the server."""
    greeting: str = ""
    """Said when a call begins; empty: the avatar waits."""
    tools: tuple[Mapping[str, Any], ...] = ()
    knowledge: Path | None = None
    """File of questions and answers for the embedded brain."""
    model: str = ""
    """The language model's name; empty: the server's default."""
    provider_name: str = "openai"
    """What look-ups report; some clients offer the camera and tools only for ``openai``."""
    phrases: tuple[str, ...] = ()
    """Sentences that visitors are likely to say."""
    persistence: bool | None = None
    """Whether visitors come back to the conversation they left; None: as the server is set."""


@dataclass(frozen=True, slots=True)
class AvatarFile:
    """All of one ``avatar.toml``: the persona, and which package is its face.

    ``package``: a path relative to the file's folder, or the id of another avatar whose face this one borrows.
    """

    persona: Persona
    package: str


class _Tool(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Annotated[str, Field(max_length=4000)] = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})


class _Toml(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    package: Annotated[str, Field(min_length=1, max_length=500)] = "face"
    voice: Voice = ""
    language: Language = "en"
    rate: Rate = 1.0
    prompt: Prompt = ""
    greeting: Greeting = ""
    knowledge: Annotated[str, Field(max_length=500)] = ""
    model: Annotated[str, Field(max_length=200)] = ""
    provider_name: Annotated[str, Field(min_length=1, max_length=100)] = "openai"
    phrases: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=2000)] = Field(
        default_factory=list[str]
    )
    persistence: bool | None = None
    tools: Annotated[list[_Tool], Field(max_length=128)] = Field(default_factory=list[_Tool])


def read_avatar_file(path: Path) -> AvatarFile:
    """Read and check an ``avatar.toml``. Blocks. Raises ``PersonaError``."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PersonaError(path, "", f"is larger than {_MAX_BYTES} bytes")
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PersonaError(path, "", error.strerror or "cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PersonaError(path, "", f"is not TOML: {error}") from None
    except RecursionError:
        raise PersonaError(path, "", "is nested too deeply") from None
    if more_than(raw, _MAX_VALUES):
        raise PersonaError(path, "", f"holds more than {_MAX_VALUES} values")
    try:
        toml = _Toml.model_validate(raw)
    except ValidationError as error:
        first, *others = [
            PersonaError(
                path,
                ".".join(str(part) for part in one["loc"]),
                "is not a known key" if one["type"] == "extra_forbidden" else one["msg"],
            )
            for one in error.errors(include_url=False, include_input=False)[:_MAX_FINDINGS]
        ]
        raise PersonaError(path, first.key, first.problem, tuple(others)) from None
    knowledge = None
    if toml.knowledge:
        folder = path.parent.resolve()
        knowledge = (folder / toml.knowledge).resolve()
        if not knowledge.is_relative_to(folder):
            raise PersonaError(path, "knowledge", f"{toml.knowledge!r} lies outside the avatar's folder")
        if not knowledge.is_file():
            raise PersonaError(path, "knowledge", f"there is no file {toml.knowledge!r}")
    persona = Persona(
        name=toml.name,
        voice=toml.voice,
        language=toml.language,
        rate=toml.rate,
        prompt=toml.prompt.strip(),
        greeting=toml.greeting.strip(),
        tools=tuple(tool.model_dump() for tool in toml.tools),
        knowledge=knowledge,
        model=toml.model,
        provider_name=toml.provider_name,
        phrases=tuple(toml.phrases),
        persistence=toml.persistence,
    )
    return AvatarFile(persona, toml.package)


def write_avatar_file(path: Path, persona: Persona) -> None:
    """Write an ``avatar.toml`` of the persona's name, voice, language, rate, greeting and prompt. Blocks.

    Raises ``OSError``. Reading it again tells whether the values were good.
    """
    lines: dict[str, str | float] = {
        "name": persona.name,
        "voice": persona.voice,
        "language": persona.language,
        "rate": persona.rate,
        "greeting": persona.greeting,
        "prompt": persona.prompt,
    }
    usual = {"voice": "", "rate": 1.0, "greeting": "", "prompt": ""}
    # A TOML string's escapes are JSON's, but for one character that TOML wants escaped, too.
    text = "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items() if usual.get(key) != value
    )
    path.write_text(text.replace("\x7f", "\\u007f"), encoding="utf-8")


def plain_persona(name: str, *, language: str = "en", voice: str = "", rate: float = 1.0, origin: str = "") -> Persona:
    """Someone friendly who says to be an AI avatar. ``origin``: what it was made of, as "from a photo"."""
    made = f" made {origin}, not the person shown" if origin else ""
    return Persona(
        name=name,
        language=language,
        voice=voice,
        rate=rate,
        greeting=f"Hello! I am {name}, an AI avatar. What would you like to talk about?",
        prompt=(
            f"You are {name}, an AI avatar who talks with visitors face to face. You are friendly and brief: one to "
            f"three sentences an answer, as in speech. If you are asked, say that you are an AI avatar{made}."
        ),
    )
