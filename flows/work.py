"""What one transaction has in hand while it accepts a page: its items, and the rows that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from msgspec import Struct

from connectors.base import Doc
from flows.consequences import Change
from flows.ledger import Account
from flows.wiring import House
from mappings.language import Fault, InwardRecord
from registry import (
    Binding,
    BindingRow,
    HopRow,
    NumberRow,
    ParkedRow,
    RecordRow,
    Standing,
    Tx,
    encode,
    micros,
)

ItemKey = tuple[str, str]
"""(entity, external id): what a document yields."""


class Item(Struct, kw_only=True):
    """One (entity, external id) of the page on its way from document to record.

    ``changed`` is when each field of its contribution moved; empty: all of them when the page was asked for.
    """

    record: InwardRecord
    binding: Binding | None = None
    was: Binding | None = None
    uid: str | None = None
    values: dict[str, Any] = {}
    key: str | None = None
    text: str = ""
    mark: bytes = b""
    changed: dict[str, int] = {}
    first: bool = False
    new: bool = False
    edit: bool = False
    moved: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Work:
    """Everything one transaction has in hand while it accepts a page."""

    house: House
    tx: Tx
    account: Account
    channel: str
    resource: str
    docs: Sequence[Doc]
    asked_at: datetime
    now: datetime
    mapping_hash: str
    known: dict[ItemKey, str] = field(default_factory=dict)
    reread: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    stored: list[BindingRow] = field(default_factory=list)
    fresh: list[BindingRow] = field(default_factory=list)
    records: list[RecordRow] = field(default_factory=list)
    new_records: list[RecordRow] = field(default_factory=list)
    hops: list[HopRow] = field(default_factory=list)
    links: list[tuple[str, str, str, str]] = field(default_factory=list)
    first_links: list[tuple[str, str, str, str]] = field(default_factory=list)
    relinked: set[str] = field(default_factory=set)
    documents: set[int] = field(default_factory=set)
    matched: dict[str, list[str]] = field(default_factory=dict)
    hashes: Sequence[bytes | None] = ()
    standing: Mapping[str, Standing] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    seen_stock: set[str] = field(default_factory=set)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    deciding: dict[str, bool] = field(default_factory=dict)
    people: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    hushed: Set[int] = frozenset()
    partial: Mapping[str, Sequence[Fault]] = field(default_factory=dict)
    judged: dict[tuple[str, str], ParkedRow] = field(default_factory=dict)
    cleared: set[tuple[str, str]] = field(default_factory=set)
    numbers: list[NumberRow] = field(default_factory=list)
    shown: dict[str, Item] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)
    unsettled: list[ParkedRow] = field(default_factory=list)

    @cached_property
    def moment(self) -> int:
        """When the page's request began, in microseconds."""
        return micros(self.asked_at)

    def alone(self, entity: str) -> bool:
        """Whether a record that only this channel speaks of is exactly what it says."""
        if entity not in self.deciding:
            self.deciding[entity] = self.house.decides_alone(self.channel, entity)
        return self.deciding[entity]

    @cached_property
    def since_now(self) -> str:
        """The text that says that every field of a contribution moved when the page was asked for."""
        return encode({"$since": self.moment})

    def hash(self, record: InwardRecord) -> bytes | None:
        """The digest of the document a record came from; None where it cannot be known again by it."""
        return self.hashes[record.doc] if self.hashes else None
