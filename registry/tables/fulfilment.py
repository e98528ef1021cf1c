"""By when an order wants something of us, and what became of it."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text, text

from registry.tables.frame import Key, Moment, metadata, one_of

DEADLINE_STATES = ("open", "met", "void", "expired")

deadline = Table(
    "deadline",
    metadata,
    Column("order_uid", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("soon_at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("settled_at", Moment),
    Column("note", Text),
    PrimaryKeyConstraint("order_uid", "kind", name="one_deadline_of_a_kind_per_order"),
    one_of("state", *DEADLINE_STATES, name="deadline_state_is_known"),
    Index(
        "deadlines_that_run",
        "soon_at",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)
