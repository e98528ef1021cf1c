"""What is known: records, what every channel says and was told of them, and how far each was read."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from registry.tables.frame import Hash, Key, Moment, Serial, metadata, one_of

BINDING_STATES = ("live", "gone", "unmatched")
RECORD_STATES = ("live", "archived")
CANDIDATE_KINDS = ("exact", "fuzzy", "none", "ambiguous")

binding = Table(
    "binding",
    metadata,
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("external_id", Key, nullable=False),
    Column("uid", Key),
    Column("resource", Key),
    Column("values", Text),
    Column("covers", Text),
    Column("values_hash", Hash),
    Column("told", Text),
    Column("told_hash", Hash),
    Column("told_at", Moment),
    Column("kept", Text),
    Column("version", Text),
    Column("asked_at", Moment),
    Column("verified_at", Moment),
    Column("mapping_hash", Text),
    Column("state", Text, nullable=False),
    Column("pending", Boolean, nullable=False, server_default=false()),
    Column("document_hash", LargeBinary(24)),
    PrimaryKeyConstraint("channel", "entity", "external_id", name="one_binding_per_channel_entity_and_external_id"),
    one_of("state", *BINDING_STATES, name="binding_state_is_known"),
    CheckConstraint("uid IS NOT NULL OR state <> 'live'", name="a_live_binding_names_its_record"),
    Index("bindings_of_a_record", "uid", "channel", "entity"),  # all three, or SQLite prefers the primary key
    Index(
        "bindings_whose_projection_is_pending",
        "channel",
        "entity",
        sqlite_where=text("pending"),
        postgresql_where=text("pending"),
    ),
)

record = Table(
    "record",
    metadata,
    Column("uid", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("values", Text, nullable=False),
    Column("hash", Hash, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("merged_into", Key),
    PrimaryKeyConstraint("uid", name="one_record_per_uid"),
    one_of("state", *RECORD_STATES, name="record_state_is_known"),
    CheckConstraint("merged_into IS NULL OR merged_into <> uid", name="no_record_is_merged_into_itself"),
    UniqueConstraint("entity", "key", name="one_record_per_key"),
    Index(
        "records_merged_into",
        "merged_into",
        sqlite_where=text("merged_into IS NOT NULL"),
        postgresql_where=text("merged_into IS NOT NULL"),
    ),
)

link = Table(
    "link",
    metadata,
    Column("uid", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("field", Key, nullable=False),
    Column("target_uid", Key, nullable=False),
    PrimaryKeyConstraint("uid", "field", "target_uid", name="one_link_per_field_and_target"),
    Index("links_to_a_target", "target_uid", "entity", "field"),
    sqlite_with_rowid=False,  # narrow rows that are their own key: one tree instead of two
)

matchkey = Table(
    "matchkey",
    metadata,
    Column("entity", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("value", Key, nullable=False),
    Column("uid", Key, nullable=False),
    PrimaryKeyConstraint("entity", "kind", "value", name="one_record_per_match_key"),
    Index("match_keys_of_a_record", "uid"),
    sqlite_with_rowid=False,  # narrow rows that are their own key: one tree instead of two
)

document = Table(
    "document",
    metadata,
    Column("channel", Key, nullable=False),
    Column("resource", Key, nullable=False),
    Column("external_id", Key, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("packed", Boolean, nullable=False),
    Column("asked_at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", "resource", "external_id", name="one_last_document_per_external_id"),
)

candidate = Table(
    "candidate",
    metadata,
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("external_id", Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("uid", Key),
    Column("label", Text, nullable=False),
    Column("score", Float),
    Column("values", Text),
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", "entity", "external_id", name="one_candidate_per_external_id"),
    one_of("kind", *CANDIDATE_KINDS, name="candidate_kind_is_known"),
)

cursor = Table(
    "cursor",
    metadata,
    Column("channel", Key, nullable=False),
    Column("resource", Key, nullable=False),
    Column("lane", Key, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("saved_at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", "resource", "lane", name="one_cursor_per_channel_resource_and_lane"),
)

scan = Table(
    "scan",
    metadata,
    Column("scan", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("resource", Key, nullable=False),
    Column("entities", Text),
    Column("from_page_one", Boolean, nullable=False),
    Column("began_at", Moment, nullable=False),
    PrimaryKeyConstraint("scan", name="one_row_per_scan"),
    UniqueConstraint("channel", "resource", name="one_unfinished_scan_per_channel_and_resource"),
)

sighting = Table(
    "sighting",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("scan", Key),
    Column("ids", LargeBinary),
    Index("sightings_of_an_entity", "channel", "entity", "asked_at"),
)

hop = Table(
    "hop",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("uid", Key, nullable=False),
    Column("entity", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("run", Text),
    Column("external_id", Text),
    Column("document_hash", Hash),
    Column("before_hash", Hash),
    Column("after_hash", Hash),
    Column("mapping_hash", Text),
    Column("policy", Text),
    Column("key", Text),
    Column("detail", Text),
    Column("release", BigInteger),
    Index("hops_of_a_record", "uid", "id"),
)
