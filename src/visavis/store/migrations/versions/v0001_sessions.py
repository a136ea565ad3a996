"""Records of sessions, and sessions that visitors can come back to."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    op.create_table(
        "session_records",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("avatar_id", sa.Text(), nullable=False),
        sa.Column("license_id", sa.Text(), nullable=False),
        sa.Column("license_name", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("ending", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("resumptions", sa.Integer(), nullable=False),
        sa.Column("states", sa.JSON(), nullable=False),
        sa.Column("user_turns", sa.Integer(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("interruptions", sa.Integer(), nullable=False),
        sa.Column("tool_calls", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("connect_seconds", sa.Double[float]()),
        sa.Column("answer_seconds", sa.JSON(), nullable=False),
    )
    op.create_index("ix_session_records_started_at", "session_records", ["started_at"])
    op.create_index("ix_session_records_license_id_started_at", "session_records", ["license_id", "started_at"])
    op.create_table(
        "saved_sessions",
        sa.Column("session_id", sa.Text(), primary_key=True),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("license_id", sa.Text(), nullable=False),
        sa.Column("avatar_id", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_saved_sessions_key_hash", "saved_sessions", ["key_hash"])
    op.create_index("ix_saved_sessions_expires_at", "saved_sessions", ["expires_at"])


def downgrade() -> None:
    op.drop_table("saved_sessions")
    op.drop_table("session_records")
