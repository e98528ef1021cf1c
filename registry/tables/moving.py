"""What is on its way: notices in, writes out, what waits for a person or a reference, stock that is promised."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from registry.tables.frame import Key, Moment, Serial, either, metadata, one_of

OUTBOX_STATES = ("due", "decided", "sent", "accepted", "unknown", "waiting", "held", "parked", "rejected")
IN_FLIGHT = ("decided", "sent", "accepted", "unknown")
STALLED = ("waiting", "held", "parked", "rejected")
"""The states of writes that stand still."""
PARKED_KINDS = ("waiting", "parked", "quarantined")
PARKED_STATES = ("open", "replayed", "dismissed")

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
    one_of("state", *OUTBOX_STATES, name="outbox_state_is_known"),
    CheckConstraint(
        f"NOT {either('state', *IN_FLIGHT)} OR (key IS NOT NULL AND payload IS NOT NULL)",
        name="a_write_in_flight_has_its_key_and_payload",
    ),
    CheckConstraint(  # so that an update of the state alone, which no index names, moves the row in no index
        f"(stalled_at IS NOT NULL) = {either('state', *STALLED)}",
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
    one_of("kind", *PARKED_KINDS, name="parked_kind_is_known"),
    one_of("state", *PARKED_STATES, name="parked_state_is_known"),
    one_of("direction", "inward", "outward", name="parked_direction_is_known"),
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
    Column("taken_at", Moment),
    Column("moved_at", Moment),
    Column("because", Text),
    PrimaryKeyConstraint("order_uid", "line", name="one_reservation_per_order_line"),
    Index("reservations_by_variant_and_moment", "variant_uid", "made_at"),
    Index(
        "reservations_that_bind_stock",
        "variant_uid",
        sqlite_where=text("released_at IS NULL"),
        postgresql_where=text("released_at IS NULL"),
    ),
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
