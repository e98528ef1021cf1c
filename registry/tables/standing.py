"""What stands: channels, their modes and secrets, who changed what, which runs there were, what is in force."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    text,
)

from registry.tables.frame import Key, Moment, Serial, metadata, one_of

MODES = ("off", "shadow", "canary", "on")

channel = Table(
    "channel",
    metadata,
    Column("name", Key, nullable=False),
    Column("platform", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("created_at", Moment, nullable=False),
    Column("vanished_at", Moment),
    Column("rebound", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("name", name="one_row_per_channel"),
)

mode = Table(
    "mode",
    metadata,
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("mode", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", "entity", name="one_mode_per_channel_and_entity"),
    one_of("mode", *MODES, name="mode_is_known"),
)

consent = Table(
    "consent",
    metadata,
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", "entity", name="one_consent_per_channel_and_entity"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
)

run = Table(
    "run",
    metadata,
    Column("run", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("what", Key, nullable=False),
    Column("direction", Text, nullable=False),
    Column("read", Integer, nullable=False),
    Column("counts", Text, nullable=False),
    Column("balanced", Boolean, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("error", Text),
    Column("prefect_run_id", Text),
    PrimaryKeyConstraint("run", name="one_row_per_run"),
    Index("runs_of_a_channel", "channel", "what", "started_at"),
    Index("runs_by_moment", "started_at"),
)

credential = Table(
    "credential",
    metadata,
    Column("channel", Key, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("tokens", LargeBinary, nullable=False),
    Column("changed_at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", name="one_credential_per_channel"),
)

release = Table(
    "release",
    metadata,
    Column("number", Serial, autoincrement=True, nullable=False),
    Column("content", Key, nullable=False),
    Column("files", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("settled_at", Moment),
    PrimaryKeyConstraint("number", name="one_row_per_release"),
)

release_text = Table(
    "release_text",
    metadata,
    Column("hash", Key, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("hash", name="one_text_per_content"),
)
