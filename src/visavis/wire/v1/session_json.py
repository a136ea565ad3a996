"""Session records as JSON."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from visavis.session.records import SessionRecord


def session_json(record: SessionRecord) -> dict[str, Any]:
    """A record for programs: names in camelCase, times in ISO 8601 (UTC), durations in seconds."""
    counts = record.counts
    return {
        "id": record.id,
        "status": status_of(record),
        "avatarId": record.avatar_id,
        "licenseId": record.license_id,
        "licenseName": record.license_name,
        "model": record.model,
        "origin": record.origin,
        "startedAt": iso(record.started_at),
        "endedAt": iso(record.ended_at) if record.ended_at is not None else None,
        "ending": record.ending.value if record.ending is not None else None,
        "message": record.message,
        "resumptions": record.resumptions,
        "states": [{"state": entry.state.value, "at": iso(entry.at)} for entry in record.states],
        "counts": {
            "userTurns": counts.user_turns,
            "answers": counts.answers,
            "interruptions": counts.interruptions,
            "toolCalls": counts.tool_calls,
            "failures": counts.failures,
        },
        "connectSeconds": record.connect_seconds,
        "answerSeconds": {
            "count": len(record.answer_seconds),
            "p50": percentile(record.answer_seconds, 50),
            "p95": percentile(record.answer_seconds, 95),
        },
    }


def status_of(record: SessionRecord) -> str:
    """``running``; ``ended``; or ``lost``: the server that ran it has gone without a word."""
    if record.ended_at is None:
        return "running"
    return "ended" if record.ending is not None else "lost"


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest of ``values`` that so many percent are not above (nearest rank); None of none."""
    if not values:
        return None
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


def iso(time: datetime) -> str:
    """A time such as ``2026-03-01T12:00:00.123456Z``."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
