"""Every table of the registry, each promise named on the constraint that keeps it.

What surprises here: moments are whole microseconds since 1970 UTC (exact and cheap to compare on both dialects); JSON
is TEXT written by ``codec.encode``; key texts sort by code point on both dialects (collation "C" on PostgreSQL). A
change here needs a migration beside it (see README.md); a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData()

Key = Text().with_variant(Text(collation="C"), "postgresql")
Serial = BigInteger().with_variant(Integer, "sqlite")
Moment = BigInteger
Hash = LargeBinary(16)


def _one_of(column: str, *allowed: str, name: str) -> CheckConstraint:
    words = ", ".join(f"'{word}'" for word in allowed)
    return CheckConstraint(f"{column} IN ({words})", name=name)


MODES = ("off", "shadow", "canary", "on")
BINDING_STATES = ("live", "gone", "unmatched")
RECORD_STATES = ("live", "archived")
OUTBOX_STATES = ("due", "decided", "sent", "accepted", "unknown", "waiting", "held", "parked", "rejected")
IN_FLIGHT = ("decided", "sent", "accepted", "unknown")
PARKED_KINDS = ("waiting", "parked", "quarantined")
PARKED_STATES = ("open", "replayed", "dismissed")
CANDIDATE_KINDS = ("exact", "fuzzy", "none", "ambiguous")

channel = Table(
    "channel",
    metadata,
    Column("name", Key, nullable=False),
    Column("platform", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("created_at", Moment, nullable=False),
    Column("vanished_at", Moment),
    Column("rebound", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("name", name="one_row_per_channel"),
)

mode = Table(
    "mode",
    metadata,
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("mode", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", "entity", name="one_mode_per_channel_and_entity"),
    _one_of("mode", *MODES, name="mode_is_known"),
)

consent = Table(
    "consent",
    metadata,
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", "entity", name="one_consent_per_channel_and_entity"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
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

lease = Table(
    "lease",
    metadata,
    Column("channel", Key, nullable=False),
    Column("resource", Key, nullable=False),
    Column("lane", Key, nullable=False),
    Column("owner", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("until", Moment, nullable=False),
    PrimaryKeyConstraint("channel", "resource", "lane", name="one_lease_per_channel_resource_and_lane"),
)

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
    _one_of("state", *BINDING_STATES, name="binding_state_is_known"),
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
    _one_of("state", *RECORD_STATES, name="record_state_is_known"),
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

inbox = Table(
    "inbox",
    metadata,
    Column("uid", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("delivery", Key, nullable=False),
    Column("resource", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("body", LargeBinary),
    Column("received_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claimed_by", Text),
    Column("ready_at", Moment, nullable=False),
    Column("detail", Text),
    Column("done_at", Moment),
    PrimaryKeyConstraint("uid", name="one_row_per_notice"),
    UniqueConstraint("channel", "delivery", name="one_notice_per_delivery"),
    Index(
        "notices_that_wait", "ready_at", sqlite_where=text("done_at IS NULL"), postgresql_where=text("done_at IS NULL")
    ),
    info={"part": "inbox"},
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("uid", Key, nullable=False),
    Column("state", Text, nullable=False),
    Column("key", Text),
    Column("op", Text),
    Column("payload", LargeBinary),
    Column("external_id", Text),
    Column("ticket", Text),
    Column("attempt", Integer, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("due_again", Boolean, nullable=False, server_default=false()),
    Column("forced", Boolean, nullable=False, server_default=false()),
    Column("reason", Text),
    Column("claimed_by", Text),
    Column("claimed_until", Moment),
    Column("created_at", Moment, nullable=False),
    Column("decided_at", Moment),
    Column("cause", Text),
    Column("stalled_at", Moment),
    UniqueConstraint("uid", "entity", "channel", name="one_open_write_per_channel_entity_and_record"),
    _one_of("state", *OUTBOX_STATES, name="outbox_state_is_known"),
    CheckConstraint(
        "state NOT IN ('decided', 'sent', 'accepted', 'unknown') OR (key IS NOT NULL AND payload IS NOT NULL)",
        name="a_write_in_flight_has_its_key_and_payload",
    ),
    CheckConstraint(  # so that an update of the state alone, which no index names, moves the row in no index
        "(stalled_at IS NOT NULL) = (state IN ('waiting', 'held', 'parked', 'rejected'))",
        name="what_stands_still_says_since_when",
    ),
    Index(
        "writes_that_move",
        "channel",
        "entity",
        "due_at",
        "id",
        sqlite_where=text("stalled_at IS NULL"),
        postgresql_where=text("stalled_at IS NULL"),
    ),
    Index(
        "writes_that_stand_still",
        "channel",
        "entity",
        sqlite_where=text("stalled_at IS NOT NULL"),
        postgresql_where=text("stalled_at IS NOT NULL"),
    ),
)

outbox_later = Table(
    "outbox_later",
    metadata,
    Column("channel", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("uid", Key, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("cause", Text),
    PrimaryKeyConstraint("channel", "entity", "due_at", "uid", name="one_dated_write_per_moment_and_record"),
)

parked = Table(
    "parked",
    metadata,
    Column("uid", Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Key, nullable=False),
    Column("direction", Key, nullable=False),
    Column("entity", Key, nullable=False),
    Column("subject", Key, nullable=False),
    Column("external_id", Text),
    Column("record_uid", Key),
    Column("resource", Text),
    Column("document", LargeBinary),
    Column("field", Text),
    Column("path", Text),
    Column("file", Text),
    Column("line", Integer),
    Column("rule", Text),
    Column("value_masked", Text),
    Column("message", Text, nullable=False),
    Column("remedy", Text),
    Column("awaits_entity", Key),
    Column("awaits_id", Key),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("times", Integer, nullable=False),
    Column("state", Text, nullable=False),
    PrimaryKeyConstraint("uid", name="one_row_per_parked_item"),
    _one_of("kind", *PARKED_KINDS, name="parked_kind_is_known"),
    _one_of("state", *PARKED_STATES, name="parked_state_is_known"),
    _one_of("direction", "inward", "outward", name="parked_direction_is_known"),
    Index(
        "one_open_parked_item_per_subject",
        "channel",
        "direction",
        "entity",
        "subject",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "items_that_await_a_reference",
        "channel",
        "awaits_entity",
        "awaits_id",
        sqlite_where=text("state = 'open' AND awaits_id IS NOT NULL"),
        postgresql_where=text("state = 'open' AND awaits_id IS NOT NULL"),
    ),
)

reservation = Table(
    "reservation",
    metadata,
    Column("order_uid", Key, nullable=False),
    Column("line", Key, nullable=False),
    Column("variant_uid", Key, nullable=False),
    Column("location_uid", Key),
    Column("channel", Key, nullable=False),
    Column("quantity", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("posted_at", Moment),
    Column("released_at", Moment),
    PrimaryKeyConstraint("order_uid", "line", name="one_reservation_per_order_line"),
    Index(
        "reservations_that_bind_stock",
        "variant_uid",
        sqlite_where=text("released_at IS NULL"),
        postgresql_where=text("released_at IS NULL"),
    ),
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

run = Table(
    "run",
    metadata,
    Column("run", Key, nullable=False),
    Column("channel", Key, nullable=False),
    Column("what", Key, nullable=False),
    Column("direction", Text, nullable=False),
    Column("read", Integer, nullable=False),
    Column("counts", Text, nullable=False),
    Column("balanced", Boolean, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("error", Text),
    Column("prefect_run_id", Text),
    PrimaryKeyConstraint("run", name="one_row_per_run"),
    Index("runs_of_a_channel", "channel", "what", "started_at"),
    Index("runs_by_moment", "started_at"),
)

credential = Table(
    "credential",
    metadata,
    Column("channel", Key, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("tokens", LargeBinary, nullable=False),
    Column("changed_at", Moment, nullable=False),
    PrimaryKeyConstraint("channel", name="one_credential_per_channel"),
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
    _one_of("kind", *CANDIDATE_KINDS, name="candidate_kind_is_known"),
)

release = Table(
    "release",
    metadata,
    Column("number", Serial, autoincrement=True, nullable=False),
    Column("content", Key, nullable=False),
    Column("files", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("settled_at", Moment),
    PrimaryKeyConstraint("number", name="one_row_per_release"),
)

release_text = Table(
    "release_text",
    metadata,
    Column("hash", Key, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("hash", name="one_text_per_content"),
)
