"""What is known of orders beside their records: their numbers, their edits, what reports paid out for them."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text

from registry.tables.frame import Key, Moment, Serial, metadata

order_number = Table(
    "order_number",
    metadata,
    Column("order_uid", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("whose", Key, nullable=False),
    Column("number", Key, nullable=False),
    PrimaryKeyConstraint("order_uid", "channel", "whose", name="one_number_per_order_channel_and_party"),
    Index("orders_by_number", "number"),
)

order_edit = Table(
    "order_edit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("order_uid", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("part", Text),
    Column("detail", Text, nullable=False),
    Index("edits_of_an_order", "order_uid", "id"),
)

settlement_line = Table(
    "settlement_line",
    metadata,
    Column("settlement_uid", Key, nullable=False),
    Column("part", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("order_number", Key),
    Column("order_uid", Key),
    Column("kind", Text, nullable=False),
    Column("name", Text),
    Column("amount", Text, nullable=False),
    Column("currency", Text, nullable=False),
    PrimaryKeyConstraint("settlement_uid", "part", name="one_line_per_report_and_key"),
    Index("settlement_lines_of_an_order", "order_uid"),
    Index("settlement_lines_by_number", "channel", "order_number"),
)
"""``order_uid`` is null while no order goes by the number on the channel; an exact amount as text, signed."""
