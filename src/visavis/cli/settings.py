"""``visavis settings``: what holds, and the documentation of every setting."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args, get_origin

import typer

from visavis.cli.common import ConfigOption, SetOption, parse_assignments, settings_errors

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

INTRODUCTION = """\
# Settings

This page is made from the code by `visavis settings --markdown`.

A setting comes from, the later winning: its default, the settings file (`--config FILE`, else `$VISAVIS_CONFIG`,
else `visavis.toml` in the working folder), an environment variable, a flag (`--set section.name=value`, or the
command's own). In the file a setting stands in its section:

```toml
[server]
host = "0.0.0.0"
public_url = "https://talk.example.org"

[[licenses]]
key = "sk_…"
name = "our shop"

[[ice.servers]]
urls = ["turn:turn.example.org:3478"]
username = "visavis"
credential = "…"
```

The environment variable of `section.name` is `VISAVIS_SECTION__NAME`; lists are given with commas between, or as JSON.
`VISAVIS_LICENSE` gives a single license. An empty variable counts as not set. A name that is no setting, in any
source, is an error. Secrets are never printed. A relative path is taken from the working folder.

| setting | kind | default | unit | meaning |
|---|---|---|---|---|
"""


def markdown() -> str:
    """The page docs/settings.md."""
    from visavis.config import IceServerSettings, LicenseSettings
    from visavis.config_loading import settings_fields

    rows: list[str] = []
    for path, field in settings_fields():
        rows.append(_row(".".join(path), field))
        inner = {"licenses": LicenseSettings, "ice.servers": IceServerSettings}.get(".".join(path))
        for name, item in inner.model_fields.items() if inner else ():
            rows.append(_row(f"{'.'.join(path)}[].{name}", item))
    return INTRODUCTION + "".join(f"{row}\n" for row in rows)


def _row(name: str, field: "FieldInfo") -> str:
    extra = cast(dict[str, str], field.json_schema_extra or {})
    default = extra.get("shown") or _default(field)
    cells = [f"`{name}`", _kind(field.annotation), default, extra.get("unit", ""), field.description or ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(field: "FieldInfo") -> str:
    if field.is_required():
        return "needed"
    value: Any = field.get_default(call_default_factory=True)
    if value is None or value in ("", ()):
        return "–"
    return f"`{_text(value)}`"


def _text(value: Any) -> str:
    from pydantic import BaseModel

    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(item) for item in cast(tuple[Any, ...], value)) + "]"
    if isinstance(value, BaseModel):
        given = ((name, getattr(value, name)) for name in type(value).model_fields)
        return "{" + ", ".join(f"{name} = {_text(item)}" for name, item in given if item is not None) + "}"
    # TOML's basic strings are written as JSON's.
    return str(value) if isinstance(value, int | float) else json.dumps(str(value), ensure_ascii=False)


def _kind(annotation: Any) -> str:
    names = {str: "text", int: "integer", float: "number", bool: "true or false", "SecretStr": "secret", "Path": "path"}
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_kind(get_args(annotation)[0])}"
    if get_args(annotation):
        return _kind(next(option for option in get_args(annotation) if option is not type(None)))
    return names.get(annotation) or names.get(annotation.__name__) or "tables"


def settings(
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the documentation of all settings.")] = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show the settings that hold here, as TOML, with the origin of those that were set. Secrets are hidden."""
    if as_markdown:
        typer.echo(markdown(), nl=False)
        return
    from visavis.config_loading import load_with_origins, settings_fields

    with settings_errors():
        current, origins = load_with_origins(config, parse_assignments(assignments))
    for path, _ in settings_fields():
        value: Any = current
        for name in path:
            value = getattr(value, name)
        line = f"{'.'.join(path)} = {_text(value)}" if value is not None else f"# {'.'.join(path)} is not set"
        typer.echo(f"{line}  # from {origins[path]}" if path in origins else line)
