"""Where settings come from: defaults < visavis.toml < environment < flags, each value with its origin.

An unknown name in any source is an error, also an environment variable ``VISAVIS_…`` that names no setting; every
error names the setting, its origin, and the nearest name that exists. (pydantic-settings overlooks unknown variables
and forgets origins, hence the small loader.)
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from visavis.config import Settings
from visavis.config_values import SettingsError

PREFIX = "VISAVIS_"
CONFIG_VARIABLE = "VISAVIS_CONFIG"
LICENSE_VARIABLE = "VISAVIS_LICENSE"
DEFAULT_FILE = Path("visavis.toml")

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """A setting given on the command line: ``path`` such as ``server.port``, ``name`` such as ``--port``.

    A value that is text is read as an environment variable's would be.
    """

    path: str
    value: object
    name: str


def settings_fields() -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting: its path (``("server", "port")``) and field, in the order of the documentation."""
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, inner in model.model_fields.items():
                yield (section, name), inner
        else:
            yield (section,), field


def variable_name(path: tuple[str, ...]) -> str:
    """The environment variable of a setting."""
    return PREFIX + "__".join(path).upper()


def load_settings(
    config: Path | None = None, flags: Iterable[Flag] = (), environ: Mapping[str, str] | None = None
) -> Settings:
    """Read all sources and check them together.

    ``config``: the settings file; None looks at ``VISAVIS_CONFIG``, then for ``visavis.toml`` in the working folder.
    ``environ``: None is the process's environment. Raises ``SettingsError``.
    """
    return load_with_origins(config, flags, environ)[0]


def load_with_origins(
    config: Path | None = None, flags: Iterable[Flag] = (), environ: Mapping[str, str] | None = None
) -> tuple[Settings, Mapping[Location, str]]:
    """As ``load_settings``, with the origin of every setting that is not left at its default."""
    variables = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    origins: dict[Location, str] = {}
    problems: list[str] = []
    path, document = _read_file(config, variables)
    if path is not None:
        _merge(values, origins, document, str(path))
    problems += _read_environment(values, origins, variables)
    problems += _read_flags(values, origins, flags)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_describe(cast(dict[str, Any], problem), values, origins) for problem in error.errors()]
    else:
        if not problems:
            return settings, origins
    raise SettingsError(*problems)


def _read_file(config: Path | None, variables: Mapping[str, str]) -> tuple[Path | None, dict[str, Any]]:
    path, origin = config, "--config"
    if path is None and variables.get(CONFIG_VARIABLE):
        path, origin = Path(variables[CONFIG_VARIABLE]), CONFIG_VARIABLE
    if path is None:
        if not DEFAULT_FILE.is_file():
            return None, {}
        path, origin = DEFAULT_FILE, "the working folder"
    try:
        with path.open("rb") as file:
            return path, tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path} (from {origin}): {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None


def _read_environment(
    values: dict[str, Any], origins: dict[Location, str], variables: Mapping[str, str]
) -> Iterator[str]:
    """Merge the variables in; yields a line for each that names no setting. An empty variable counts as not set."""
    known = {variable_name(path): (path, field) for path, field in settings_fields()}
    special = {CONFIG_VARIABLE, LICENSE_VARIABLE}
    for name in sorted(variables):
        if not name.startswith(PREFIX) or not variables[name] or name in special:
            continue
        if name not in known:
            yield f"environment variable {name} names no setting{_nearest(name, [*known, *special], PREFIX)}"
            continue
        path, field = known[name]
        try:
            value = _parse(variables[name], field.annotation)
        except ValueError as error:
            yield f"{'.'.join(path)}: {error} (from {name})"
            continue
        _merge(values, origins, _nested(path, value), name)
    if variables.get(LICENSE_VARIABLE):
        if variables.get(variable_name(("licenses",))):
            yield f"{LICENSE_VARIABLE} and {variable_name(('licenses',))} exclude each other"
        key = {"key": variables[LICENSE_VARIABLE], "name": "environment"}
        _merge(values, origins, {"licenses": [key]}, LICENSE_VARIABLE)


def _read_flags(values: dict[str, Any], origins: dict[Location, str], flags: Iterable[Flag]) -> Iterator[str]:
    known = {".".join(path): (path, field) for path, field in settings_fields()}
    for flag in flags:
        if flag.path not in known:
            yield f"{flag.path} is no setting{_nearest(flag.path, list(known))} (from {flag.name})"
            continue
        path, field = known[flag.path]
        value = flag.value
        if isinstance(value, str):
            try:
                value = _parse(value, field.annotation)
            except ValueError as error:
                yield f"{flag.path}: {error} (from {flag.name})"
                continue
        _merge(values, origins, _nested(path, value), flag.name)


def _nested(path: tuple[str, ...], value: object) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    return cast(dict[str, Any], value)


def _merge(
    values: dict[str, Any], origins: dict[Location, str], source: Mapping[str, Any], origin: str, at: Location = ()
) -> None:
    """Lay ``source`` over ``values``: tables are joined, anything else is replaced."""
    for name, value in source.items():
        here = (*at, name)
        below = values.get(name)
        if isinstance(value, Mapping) and isinstance(below, dict | None):
            table = cast(dict[str, Any], values.setdefault(name, {}))
            _merge(table, origins, cast(Mapping[str, Any], value), origin, here)
        else:
            values[name] = value
            origins[here] = origin


def _is_list(annotation: object) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return any(_is_list(option) for option in get_args(annotation))
    return get_origin(annotation) in (tuple, list)


def _parse(text: str, annotation: object) -> object:
    """Text of a variable or flag as a value: lists as JSON, or separated by commas; pydantic reads the rest."""
    if not _is_list(annotation):
        return text
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"is not valid JSON: {error}") from None
    return [part.strip() for part in text.split(",") if part.strip()]


def _describe(problem: dict[str, Any], values: Mapping[str, Any], origins: Mapping[Location, str]) -> str:
    """One line for one of pydantic's errors: setting, what is wrong, what was given, where it came from."""
    location = cast(Location, problem["loc"])
    model, annotation = _resolve(location)
    if problem["type"] == "extra_forbidden":
        nearest = _nearest(str(location[-1]), list(model.model_fields) if model is not None else [])
        return f"{_dotted(location)} is no setting{nearest}{_from(location, origins)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = _value(values, location)
    if isinstance(given, str | int | float) and _showable(annotation):
        message += f", got {given!r}"
    return f"{_dotted(location) + ': ' if location else ''}{message}{_from(location, origins)}"


def _dotted(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _from(location: Location, origins: Mapping[Location, str]) -> str:
    """Where the value at ``location`` came from; for a section, where each of its values did."""
    for length in range(len(location), 0, -1):
        if location[:length] in origins:
            return f" (from {origins[location[:length]]})"
    inside = dict.fromkeys(origin for at, origin in origins.items() if location and at[: len(location)] == location)
    return f" (from {', '.join(inside)})" if inside else ""


def _value(values: object, location: Location) -> object:
    for part in location:
        if isinstance(part, str) and isinstance(values, Mapping):
            values = cast(Mapping[str, Any], values).get(part)
        elif isinstance(part, int) and isinstance(values, list) and part < len(cast(list[Any], values)):
            values = cast(list[Any], values)[part]
        else:
            return None
    return values


def _resolve(location: Location) -> tuple[type[BaseModel] | None, Any]:
    """The model that holds the last part of ``location``, and that part's annotation where it has one."""
    holder: type[BaseModel] | None = None
    annotation: Any = Settings
    for part in location:
        holder = annotation if _is_model(annotation) else None
        if isinstance(part, int):
            annotation = next(iter(get_args(annotation)), None)
        else:
            field = holder.model_fields.get(part) if holder is not None else None
            annotation = field.annotation if field is not None else None
    return holder, annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _showable(annotation: Any) -> bool:
    """Whether a value of this type may be shown: text may be a secret, also an address that holds one."""
    options = {annotation, *get_args(annotation)}
    return annotation is not None and not _is_model(annotation) and not options & {str, SecretStr}


def _nearest(name: str, names: list[str], prefix: str = "") -> str:
    """A hint at the name that was probably meant; ``prefix`` is what all have in common."""
    found = difflib.get_close_matches(name.removeprefix(prefix), [known.removeprefix(prefix) for known in names], n=1)
    return f"; did you mean {prefix}{found[0]}?" if found else ""
