"""What may still be sold of a variant on each channel, and what a person decided for a while."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Integer, PrimaryKeyConstraint, Table, Text, false, text

from registry.tables.frame import Key, Moment, metadata, one_of

OVERRIDDEN = ("stock", "price")

escrow = Table(
    "escrow",
    metadata,
    Column("channel", Key, nullable=False),
    Column("variant_uid", Key, nullable=False),
    Column("held", Integer, nullable=False),
    Column("shown", Integer),
    Column("sent", Integer),
    Column("open", Boolean, nullable=False, server_default=false()),
    Column("late", Integer, nullable=False, server_default=text("0")),
    Column("back", Integer, nullable=False, server_default=text("0")),
    Column("version", Text),
    Column("expected", Text),
    Column("shown_at", Moment),
    Column("sent_at", Moment),
    Column("opened_at", Moment, nullable=False),
    Column("step", Text, nullable=False, server_default=text("'1'")),
    PrimaryKeyConstraint("variant_uid", "channel", name="one_escrow_per_variant_and_channel"),
    CheckConstraint("held >= 0 AND late >= 0 AND back >= 0", name="nothing_less_than_nothing_may_be_sold"),
)

override = Table(
    "override",
    metadata,
    Column("entity", Key, nullable=False),
    Column("uid", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("value", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    PrimaryKeyConstraint("uid", "entity", "channel", name="one_override_per_record_entity_and_channel"),
    one_of("entity", *OVERRIDDEN, name="overridden_entity_is_known"),
    CheckConstraint("until > since", name="an_override_ends"),
)
