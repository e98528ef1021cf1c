"""What is left of the calls that a platform allows one of its accounts."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, PrimaryKeyConstraint, Table

from registry.tables.frame import Key, Moment, metadata

budget = Table(
    "budget",
    metadata,
    Column("channel", Key, nullable=False),
    Column("bucket", Key, nullable=False),
    Column("level", Float(53), nullable=False),
    Column("at", Moment, nullable=False),
    Column("pace", Float(53), nullable=False),
    PrimaryKeyConstraint("channel", "bucket", name="one_budget_per_channel_and_bucket"),
    CheckConstraint("pace > 0 AND pace <= 1", name="pace_is_a_share"),
)
