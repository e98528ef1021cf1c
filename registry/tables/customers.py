"""Who is one person, who was forgotten, which refusals are on their way to channels, what tills were answered."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, PrimaryKeyConstraint, Table, Text, text

from registry.tables.frame import Key, Moment, metadata, one_of

LIKENESS_STATES = ("open", "merged", "separate")
ANSWERS = ("accepted", "refused")

likeness = Table(
    "likeness",
    metadata,
    Column("one", Key, nullable=False),
    Column("other", Key, nullable=False),
    Column("state", Text, nullable=False),
    Column("score", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("who", Text),
    Column("reason", Text),
    PrimaryKeyConstraint("one", "other", name="one_likeness_per_pair"),
    one_of("state", *LIKENESS_STATES, name="likeness_state_is_known"),
    CheckConstraint("one < other", name="a_pair_is_kept_in_one_order"),
    Index("likenesses_of_the_other", "other"),
    Index("likenesses_to_review", "at", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
)

trait = Table(
    "trait",
    metadata,
    Column("kind", Key, nullable=False),
    Column("mark", Key, nullable=False),
    Column("uid", Key, nullable=False),
    PrimaryKeyConstraint("kind", "mark", "uid", name="one_trait_of_a_kind_and_value_per_identity"),
    Index("traits_of_an_identity", "uid"),
    sqlite_with_rowid=False,  # narrow rows that are their own key
)

opt_out = Table(
    "opt_out",
    metadata,
    Column("uid", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("uid", "channel", name="one_refusal_on_its_way_per_identity_and_channel"),
)

erased = Table(
    "erased",
    metadata,
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("mark", Key, nullable=False),
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", "entity", "mark", name="what_is_erased_is_not_taken_again"),
)

erasure = Table(
    "erasure",
    metadata,
    Column("uid", Key, nullable=False),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("identities", Text, nullable=False),
    Column("proof", Text, nullable=False),
    PrimaryKeyConstraint("uid", name="one_row_per_erasure"),
)

answer = Table(
    "answer",
    metadata,
    Column("number", Key, nullable=False),
    Column("uid", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("until", Moment, nullable=False),
    Column("said", Text),
    Column("because", Text, nullable=False),
    PrimaryKeyConstraint("number", name="one_answer_per_redemption"),
    CheckConstraint("said IN ('accepted', 'refused')", name="an_answer_is_yes_or_no"),
    Index("redemptions_without_an_answer", "until", sqlite_where=text("said IS NULL"),
          postgresql_where=text("said IS NULL")),
)
"""One row per redemption that a till asked for: what it was told, or by when it will have stopped waiting."""
