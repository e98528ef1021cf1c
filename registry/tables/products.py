"""Who came for which feed, and when."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from registry.tables.frame import Key, Moment, Serial, metadata

feed_fetch = Table(
    "feed_fetch",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("channel", Key, nullable=False),
    Column("at", Moment, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("who", Text),
    Index("fetches_of_a_channel", "channel", "at"),
)
"""One row per complete answer to whoever fetches a channel's feed: what had reached it by then (``sequence``)."""
