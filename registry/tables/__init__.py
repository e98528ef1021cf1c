"""Every table of the registry, each promise named on the constraint that keeps it; a module per subject.

What surprises here: moments are whole microseconds since 1970 UTC (exact and cheap to compare on both dialects); JSON
is TEXT written by ``codec.encode``; key texts sort by code point on both dialects (collation "C" on PostgreSQL). A
change here needs a migration beside it (see registry/README.md); a test compares the two.
"""

from __future__ import annotations

from registry.tables.budgets import budget
from registry.tables.customers import LIKENESS_STATES, answer, erased, erasure, likeness, opt_out, trait
from registry.tables.escrow import OVERRIDDEN, escrow, override
from registry.tables.frame import either, metadata
from registry.tables.fulfilment import DEADLINE_STATES, deadline
from registry.tables.holds import HOLD_STATES, hold, hold_item, tally
from registry.tables.knowing import (
    BINDING_STATES,
    CANDIDATE_KINDS,
    RECORD_STATES,
    binding,
    candidate,
    cursor,
    document,
    hop,
    link,
    matchkey,
    record,
    scan,
    sighting,
)
from registry.tables.moving import (
    IN_FLIGHT,
    OUTBOX_STATES,
    PARKED_KINDS,
    PARKED_STATES,
    STALLED,
    inbox,
    lease,
    outbox,
    outbox_later,
    parked,
    reservation,
)
from registry.tables.orders import order_edit, order_number, settlement_line
from registry.tables.prices import shown_price
from registry.tables.products import feed_fetch
from registry.tables.standing import (
    MODES,
    audit,
    channel,
    consent,
    credential,
    mode,
    release,
    release_text,
    run,
)
from registry.tables.stock import counting, shift, silence

__all__ = [
    "BINDING_STATES",
    "CANDIDATE_KINDS",
    "DEADLINE_STATES",
    "HOLD_STATES",
    "IN_FLIGHT",
    "LIKENESS_STATES",
    "MODES",
    "OUTBOX_STATES",
    "OVERRIDDEN",
    "PARKED_KINDS",
    "PARKED_STATES",
    "RECORD_STATES",
    "STALLED",
    "answer",
    "audit",
    "binding",
    "budget",
    "candidate",
    "channel",
    "consent",
    "counting",
    "credential",
    "cursor",
    "deadline",
    "document",
    "either",
    "erased",
    "erasure",
    "escrow",
    "feed_fetch",
    "hold",
    "hold_item",
    "hop",
    "inbox",
    "lease",
    "likeness",
    "link",
    "matchkey",
    "metadata",
    "mode",
    "opt_out",
    "order_edit",
    "order_number",
    "outbox",
    "outbox_later",
    "override",
    "parked",
    "record",
    "release",
    "release_text",
    "reservation",
    "run",
    "scan",
    "settlement_line",
    "shift",
    "shown_price",
    "sighting",
    "silence",
    "tally",
    "trait",
]
