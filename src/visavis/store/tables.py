"""The tables. A change here needs a version in ``migrations/versions``, which a test compares with this."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Dialect, Double, Index, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import JSON, TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone, kept in UTC; SQLite, which knows no zones, gets it without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables have in common."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: UtcTime(),
        float: Double[float](),
        list[Any]: JSON(),
    }


class SessionRow(Base):
    """A ``SessionRecord``; ``touched_at`` is when a server last said that it holds."""

    __tablename__ = "session_records"
    __table_args__ = (
        Index("ix_session_records_started_at", "started_at"),
        Index("ix_session_records_license_id_started_at", "license_id", "started_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    avatar_id: Mapped[str]
    license_id: Mapped[str]
    license_name: Mapped[str]
    model: Mapped[str]
    origin: Mapped[str]
    started_at: Mapped[datetime]
    touched_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ending: Mapped[str | None]
    message: Mapped[str]
    resumptions: Mapped[int]
    states: Mapped[list[Any]]
    user_turns: Mapped[int]
    answers: Mapped[int]
    interruptions: Mapped[int]
    tool_calls: Mapped[int]
    failures: Mapped[int]
    connect_seconds: Mapped[float | None]
    answer_seconds: Mapped[list[Any]]


class SavedRow(Base):
    """A ``SavedSession``; ``snapshot`` is the text of ``snapshot_json.dump``."""

    __tablename__ = "saved_sessions"
    __table_args__ = (
        Index("ix_saved_sessions_key_hash", "key_hash"),
        Index("ix_saved_sessions_expires_at", "expires_at"),
    )

    session_id: Mapped[str] = mapped_column(primary_key=True)
    key_hash: Mapped[str]
    license_id: Mapped[str]
    avatar_id: Mapped[str]
    snapshot: Mapped[str]
    saved_at: Mapped[datetime]
    expires_at: Mapped[datetime]
