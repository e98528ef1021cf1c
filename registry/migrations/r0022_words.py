"""The words that a write's and a binding's state may be are compared one by one on SQLite."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations import has

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Says the same of every row. Of a list SQLite made a table for each row that it stored; PostgreSQL never did."""
    if not has("registry") or op.get_context().dialect.name == "postgresql":
        return
    flying = either("decided", "sent", "accepted", "unknown")
    still = either("waiting", "held", "parked", "rejected")
    moves, stands = sa.text("stalled_at IS NULL"), sa.text("stalled_at IS NOT NULL")
    op.drop_index("writes_that_move", table_name="outbox")
    op.drop_index("writes_that_stand_still", table_name="outbox")
    _rewrite("outbox", {
        "outbox_state_is_known": either(
            "due", "decided", "sent", "accepted", "unknown", "waiting", "held", "parked", "rejected"
        ),
        "a_write_in_flight_has_its_key_and_payload":
            f"NOT {flying} OR (\"key\" IS NOT NULL AND payload IS NOT NULL)",
        "what_stands_still_says_since_when": f"(stalled_at IS NOT NULL) = {still}",
    })
    op.create_index("writes_that_move", "outbox", ["channel", "entity", "due_at", "id"], sqlite_where=moves)
    op.create_index("writes_that_stand_still", "outbox", ["channel", "entity"], sqlite_where=stands)
    op.drop_index("bindings_whose_projection_is_pending", table_name="binding")
    _rewrite("binding", {"binding_state_is_known": either("live", "gone", "unmatched")})
    op.create_index(
        "bindings_whose_projection_is_pending", "binding", ["channel", "entity"], sqlite_where=sa.text("pending")
    )


def either(*states: str) -> str:
    return "(" + " OR ".join(f"state = '{state}'" for state in states) + ")"


def _rewrite(table: str, checks: dict[str, str]) -> None:
    with op.batch_alter_table(table) as batch:
        for name, words in checks.items():
            batch.drop_constraint(name, type_="check")
            batch.create_check_constraint(name, words)
