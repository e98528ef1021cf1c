"""The first tables: what is known, what is promised, what waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0001"
down_revision = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates them."""
    if has("registry"):
        _registry()
    if has("inbox"):
        _inbox()


def _registry() -> None:
    op.create_table(
        "channel",
        sa.Column("name", KEY, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("vanished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="one_row_per_channel"),
    )
    op.create_table(
        "mode",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("mode IN ('off', 'shadow', 'canary', 'on')", name="mode_is_known"),
        sa.PrimaryKeyConstraint("channel", "entity", name="one_mode_per_channel_and_entity"),
    )
    op.create_table(
        "consent",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "entity", name="one_consent_per_channel_and_entity"),
    )
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "cursor",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("resource", KEY, nullable=False),
        sa.Column("lane", KEY, nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "resource", "lane", name="one_cursor_per_channel_resource_and_lane"),
    )
    op.create_table(
        "scan",
        sa.Column("scan", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("resource", KEY, nullable=False),
        sa.Column("entities", sa.Text(), nullable=True),
        sa.Column("from_page_one", sa.Boolean(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scan", name="one_row_per_scan"),
        sa.UniqueConstraint("channel", "resource", name="one_unfinished_scan_per_channel_and_resource"),
    )
    op.create_table(
        "scan_key",
        sa.Column("scan", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("external_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("scan", "entity", "external_id", name="one_sighting_per_scan"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lease",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("resource", KEY, nullable=False),
        sa.Column("lane", KEY, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "resource", "lane", name="one_lease_per_channel_resource_and_lane"),
    )
    op.create_table(
        "binding",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("external_id", KEY, nullable=False),
        sa.Column("uid", KEY, nullable=True),
        sa.Column("resource", KEY, nullable=True),
        sa.Column("values", sa.Text(), nullable=True),
        sa.Column("covers", sa.Text(), nullable=True),
        sa.Column("values_hash", sa.LargeBinary(length=16), nullable=True),
        sa.Column("told", sa.Text(), nullable=True),
        sa.Column("told_hash", sa.LargeBinary(length=16), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("kept", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("mapping_hash", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("pending", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("state IN ('live', 'gone', 'unmatched')", name="binding_state_is_known"),
        sa.CheckConstraint("uid IS NOT NULL OR state <> 'live'", name="a_live_binding_names_its_record"),
        sa.PrimaryKeyConstraint(
            "channel", "entity", "external_id", name="one_binding_per_channel_entity_and_external_id"
        ),
    )
    op.create_index("bindings_of_a_record", "binding", ["uid", "channel", "entity"], unique=False)
    op.create_index(
        "bindings_whose_projection_is_pending",
        "binding",
        ["channel", "entity"],
        unique=False,
        sqlite_where=sa.text("pending"),
        postgresql_where=sa.text("pending"),
    )
    op.create_table(
        "record",
        sa.Column("uid", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("values", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("merged_into", KEY, nullable=True),
        sa.CheckConstraint("state IN ('live', 'archived')", name="record_state_is_known"),
        sa.CheckConstraint("merged_into IS NULL OR merged_into <> uid", name="no_record_is_merged_into_itself"),
        sa.PrimaryKeyConstraint("uid", name="one_record_per_uid"),
    )
    op.create_index(
        "records_merged_into",
        "record",
        ["merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_index("records_of_an_entity", "record", ["entity", "uid"], unique=False)
    op.create_table(
        "link",
        sa.Column("uid", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("field", KEY, nullable=False),
        sa.Column("target_uid", KEY, nullable=False),
        sa.PrimaryKeyConstraint("uid", "field", "target_uid", name="one_link_per_field_and_target"),
        sqlite_with_rowid=False,
    )
    op.create_index("links_to_a_target", "link", ["target_uid", "entity", "field"], unique=False)
    op.create_table(
        "matchkey",
        sa.Column("entity", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("value", KEY, nullable=False),
        sa.Column("uid", KEY, nullable=False),
        sa.PrimaryKeyConstraint("entity", "kind", "value", name="one_record_per_match_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("match_keys_of_a_record", "matchkey", ["uid"], unique=False)
    op.create_table(
        "document",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("resource", KEY, nullable=False),
        sa.Column("external_id", KEY, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("packed", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "resource", "external_id", name="one_last_document_per_external_id"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("uid", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("op", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("ticket", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("due_again", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("forced", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('due', 'decided', 'sent', 'accepted', 'unknown', 'waiting', 'held', 'parked', 'rejected')",
            name="outbox_state_is_known",
        ),
        sa.CheckConstraint(
            "state NOT IN ('decided', 'sent', 'accepted', 'unknown') OR (key IS NOT NULL AND payload IS NOT NULL)",
            name="a_write_in_flight_has_its_key_and_payload",
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid", "entity", "channel", name="one_open_write_per_channel_entity_and_record"),
    )
    op.create_index("writes_by_state_and_moment", "outbox", ["channel", "entity", "state", "due_at"], unique=False)
    op.create_index(
        "writes_that_wait",
        "outbox",
        ["channel", "entity"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "outbox_later",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("uid", KEY, nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("channel", "entity", "due_at", "uid", name="one_dated_write_per_moment_and_record"),
    )
    op.create_table(
        "parked",
        sa.Column("uid", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("direction", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("subject", KEY, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("record_uid", KEY, nullable=True),
        sa.Column("resource", sa.Text(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("value_masked", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=True),
        sa.Column("awaits_entity", KEY, nullable=True),
        sa.Column("awaits_id", KEY, nullable=True),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("direction IN ('inward', 'outward')", name="parked_direction_is_known"),
        sa.CheckConstraint("kind IN ('waiting', 'parked', 'quarantined')", name="parked_kind_is_known"),
        sa.CheckConstraint("state IN ('open', 'replayed', 'dismissed')", name="parked_state_is_known"),
        sa.PrimaryKeyConstraint("uid", name="one_row_per_parked_item"),
    )
    op.create_index(
        "items_that_await_a_reference",
        "parked",
        ["channel", "awaits_entity", "awaits_id"],
        unique=False,
        sqlite_where=sa.text("state = 'open' AND awaits_id IS NOT NULL"),
        postgresql_where=sa.text("state = 'open' AND awaits_id IS NOT NULL"),
    )
    op.create_index(
        "one_open_parked_item_per_subject",
        "parked",
        ["channel", "direction", "entity", "subject"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "reservation",
        sa.Column("order_uid", KEY, nullable=False),
        sa.Column("line", KEY, nullable=False),
        sa.Column("variant_uid", KEY, nullable=False),
        sa.Column("location_uid", KEY, nullable=True),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("posted_at", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("order_uid", "line", name="one_reservation_per_order_line"),
    )
    op.create_index(
        "reservations_that_bind_stock",
        "reservation",
        ["variant_uid"],
        unique=False,
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "hop",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("uid", KEY, nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("document_hash", sa.LargeBinary(length=16), nullable=True),
        sa.Column("before_hash", sa.LargeBinary(length=16), nullable=True),
        sa.Column("after_hash", sa.LargeBinary(length=16), nullable=True),
        sa.Column("mapping_hash", sa.Text(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("hops_of_a_record", "hop", ["uid", "id"], unique=False)
    op.create_table(
        "run",
        sa.Column("run", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("what", KEY, nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("balanced", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("prefect_run_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run", name="one_row_per_run"),
    )
    op.create_index("runs_by_moment", "run", ["started_at"], unique=False)
    op.create_index("runs_of_a_channel", "run", ["channel", "what", "started_at"], unique=False)
    op.create_table(
        "credential",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="one_credential_per_channel"),
    )
    op.create_table(
        "candidate",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("entity", KEY, nullable=False),
        sa.Column("external_id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uid", KEY, nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("values", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('exact', 'fuzzy', 'none', 'ambiguous')", name="candidate_kind_is_known"),
        sa.PrimaryKeyConstraint("channel", "entity", "external_id", name="one_candidate_per_external_id"),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("uid", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("delivery", KEY, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("ready_at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("uid", name="one_row_per_notice"),
        sa.UniqueConstraint("channel", "delivery", name="one_notice_per_delivery"),
        info={"part": "inbox"},
    )
    op.create_index(
        "notices_that_wait",
        "inbox",
        ["ready_at"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
