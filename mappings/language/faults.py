"""What a mapping gives, and what it says of what it cannot map: field, file:line, input path, rule, masked value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["fault", "wait", "fetch", "park"]


class LocalRef(NamedTuple):
    """A reference to an item of the same document: ``values`` holds null at ``path`` until the caller knows its uid."""

    path: tuple[str | int, ...]
    entity: str
    id: str


class InwardRecord(NamedTuple):
    """What a document says of one record. A tuple, because one is built per document and a class costs a microsecond.

    ``values`` are in canonical JSON form; ``covers`` are the top-level fields the document speaks of (a covered null
    clears); ``keep`` are the platform's own ids for the binding; ``local`` are references within the document.
    """

    doc: int
    entity: str
    id: str
    values: dict[str, Any]
    covers: frozenset[str]
    keep: Mapping[str, Any]
    local: tuple[LocalRef, ...] = ()


class OutwardDoc(NamedTuple):
    """The native document of the record at ``index``; ``id`` is the external id, None while it has none."""

    index: int  # type: ignore[assignment]  # hides tuple.index on purpose: it is the record's place in the call
    doc: dict[str, Any]
    id: str | None


class Ref(NamedTuple):
    """What a channel calls a record: its external id, and the ids kept inward."""

    id: str
    kept: Mapping[str, Any] = {}


class Skip(NamedTuple):
    """An item, or a whole document (``entity`` is None), that is left out on purpose."""

    doc: int
    entity: str | None
    id: str | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Why one field of one item could not be mapped. ``value`` is masked; ``reference`` is what is missing."""

    doc: int
    entity: str
    id: str | None
    kind: Kind
    field: str
    path: str
    file: str
    line: int
    column: int
    rule: str
    message: str
    value: str
    reference: tuple[str, str] | None = None

    def __str__(self) -> str:
        where = f" from {self.path}" if self.path else ""
        found = "" if self.value in ("", "absent", "null") else f" (found {self.value})"
        item = f"{self.entity} {self.id}" if self.id is not None else f"{self.entity} of document {self.doc}"
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{item}: {self.field}{where}: {self.message}{found}; see {place} ({self.rule})"


class Inward(NamedTuple):
    """A page mapped inward."""

    records: list[InwardRecord]
    faults: list[Fault]
    skips: list[Skip]


class Outward(NamedTuple):
    """Records mapped outward."""

    docs: list[OutwardDoc]
    faults: list[Fault]
    skips: list[Skip]
