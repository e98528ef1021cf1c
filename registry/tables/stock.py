"""What the ledger of stock keeps beside figures and reservations: shifts of tills, counts under way, who is silent."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, Table, Text

from registry.tables.frame import Key, Moment, metadata

shift = Table(
    "shift",
    metadata,
    Column("channel", Key, nullable=False),
    Column("document", Key, nullable=False),
    Column("location_uid", Key, nullable=False),
    Column("register", Text),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    PrimaryKeyConstraint("location_uid", "channel", "document", name="one_row_per_shift_document"),
)

counting = Table(
    "counting",
    metadata,
    Column("stock_uid", Key, nullable=False),
    Column("before", Text, nullable=False),
    Column("began_at", Moment, nullable=False),
    PrimaryKeyConstraint("stock_uid", name="one_figure_from_before_a_count"),
)

silence = Table(
    "silence",
    metadata,
    Column("channel", Key, nullable=False),
    Column("place", Key, nullable=False),
    Column("heard_at", Moment),
    Column("quiet_since", Moment),
    PrimaryKeyConstraint("channel", "place", name="one_row_per_channel_and_place"),
)
