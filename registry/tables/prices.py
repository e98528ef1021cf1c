"""What channels were seen to show as prices, from when to when."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, PrimaryKeyConstraint, Table, Text, text

from registry.tables.frame import Key, Moment, metadata

shown_price = Table(
    "shown_price",
    metadata,
    Column("channel", Key, nullable=False),
    Column("variant_uid", Key, nullable=False),
    Column("start", Moment, nullable=False),
    Column("until", Moment),
    Column("amount", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("tax_mode", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("due_at", Moment),
    PrimaryKeyConstraint("variant_uid", "channel", "start", name="one_price_shown_per_variant_channel_and_moment"),
    CheckConstraint("until IS NULL OR until > start", name="a_price_is_shown_for_some_time"),
    Index(
        "one_price_shown_now_per_variant_and_channel",
        "variant_uid",
        "channel",
        unique=True,
        sqlite_where=text("until IS NULL"),
        postgresql_where=text("until IS NULL"),
    ),
)
