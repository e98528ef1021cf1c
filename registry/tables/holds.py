"""What a breaker stopped: the holds, the writes in each, and what each cause has done of late."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from registry.tables.frame import Hash, Key, Moment, Serial, metadata, one_of

HOLD_STATES = ("open", "approved", "rejected", "resolved")

hold = Table(
    "hold",
    metadata,
    Column("uid", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("cause", Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_at", Moment),
    Column("who", Text),
    Column("reason", Text),
    PrimaryKeyConstraint("uid", name="one_row_per_hold"),
    one_of("state", *HOLD_STATES, name="hold_state_is_known"),
    one_of("kind", "single", "all", "alert", name="hold_kind_is_known"),
    Index(
        "one_open_hold_per_channel_entity_and_cause",
        "channel",
        "entity",
        "cause",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

hold_item = Table(
    "hold_item",
    metadata,
    Column("hold", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("uid", Key, nullable=False),
    Column("mark", Hash, nullable=False),
    Column("moves", Text),
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("hold", "uid", name="one_item_per_hold_and_record"),
    Index("held_writes_of_a_record", "uid", "entity", "channel"),
)

tally = Table(
    "tally",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("cause", Key, nullable=False),
    Column("at", Moment, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("moved", Text, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("zeroed", Integer, nullable=False),
    Index("tallies_of_a_cause", "channel", "entity", "at"),
)
