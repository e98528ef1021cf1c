"""What is known of orders beside their records: the numbers they go by, and what was edited of them."""

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
