"""Snapshots as JSON text, for a store."""

import json
from dataclasses import replace
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from visavis.conversation.snapshot import Snapshot

_VERSION: Final = 1
_ADAPTER: Final = TypeAdapter(Snapshot)


class SnapshotError(Exception):
    """A text is no snapshot that this version can read. The message holds no value of it."""


def dump(snapshot: Snapshot) -> str:
    """JSON text (UTF-8 safe, one object with a ``version``) that ``load`` makes the same snapshot of.

    Pictures are left out, and halves of surrogate pairs, which no UTF-8 can hold, become question marks.
    """
    bare = replace(snapshot, items=tuple(replace(item, images=()) for item in snapshot.items))
    fields: dict[str, Any] = {"version": _VERSION, **_ADAPTER.dump_python(bare, mode="python")}
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def load(text: str) -> Snapshot:
    """The snapshot that ``dump`` wrote. Raises ``SnapshotError``."""
    try:
        fields: object = json.loads(text)
    except (ValueError, RecursionError):
        raise SnapshotError("the snapshot is no JSON text") from None
    version = cast(dict[str, object], fields).get("version") if isinstance(fields, dict) else None
    if version is True or version != _VERSION:
        raise SnapshotError(f"the snapshot has not version {_VERSION}, which is the one that can be read")
    try:
        return _ADAPTER.validate_python(fields)
    except ValidationError as error:
        where = ", ".join(sorted({".".join(map(str, found["loc"])) for found in error.errors(include_input=False)}))
        raise SnapshotError(f"the snapshot is not as it should be at {where}") from None
