"""The simulated database: records, domains, commands of relations, stamps, and transactions that fail as a whole.

What surprises here: a stamp is that of the transaction's start, so all that a call writes has one; archived records are
hidden unless a domain names ``active``; a refusal undoes everything the call did, and nothing of it is in the books.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.books import Books
from deployments.sandbox.notation import Doc
from deployments.sandbox.tryton.models import MODELS, USUAL, Field

COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
    "in": lambda value, wanted: value in wanted, "not in": lambda value, wanted: value not in wanted,
}  # fmt: skip
_NUMBERS = ("numeric", "float", "integer")


class Failure(Exception):
    """What Tryton raises, as it stands in ``error`` of its answer."""

    def __init__(self, kind: str, told: Any) -> None:
        super().__init__(kind)
        self.error = [kind, told]


def user_error(message: str) -> Failure:
    """A rule of trade says no."""
    return Failure("UserError", [message, "", None])


def unknown(name: str) -> Failure:
    """A model or a field that is not there: the text of Python's KeyError."""
    return Failure(f"'{name}'", "")


@dataclass(kw_only=True, slots=True)
class Row:
    """A record, when it was made, and when it was last written."""

    doc: Doc
    made: datetime
    at: datetime


@dataclass(kw_only=True)
class Database:
    """One Tryton database of one company. ``changed(model, id)`` is told of each record a transaction wrote."""

    books: Books
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    opening: datetime | None = None
    late: Callable[[str], float] = lambda model: 0.0
    """How many seconds ago the transaction that writes this model began."""
    changed: Callable[[str, int], None] = lambda model, id: None
    lock: Any = field(default_factory=threading.RLock)
    rows: dict[str, dict[int, Row]] = field(default_factory=lambda: {model: {} for model in MODELS})
    numbers: dict[str, int] = field(default_factory=dict)
    compute: Mapping[tuple[str, str], Callable[[Database, int], Any]] = field(default_factory=dict)
    after: Mapping[str, Callable[[Database, Sequence[int]], None]] = field(default_factory=dict)
    """Model → what Tryton does and checks once records of it are written."""
    codes: dict[str, list[int]] = field(default_factory=dict)
    """Code → the products that have it."""
    children: dict[tuple[str, str, int], list[int]] = field(default_factory=dict)
    """(model, link, id) → the records that name it there."""
    _began: datetime | None = None
    _undo: list[tuple[str, int, Row | None]] = field(default_factory=list)
    _entries: list[tuple[str, Doc]] = field(default_factory=list)

    # ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────

    def now(self) -> datetime:
        """The database's clock; inside a transaction, when it began."""
        if self._began is not None:
            return self._began
        return self.wall() if self.opening is None else self.opening

    def transact(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns; when it raises, everything is as before."""
        with self.lock:
            self._began, self._undo, self._entries = self.now(), [], []
            try:
                found = work()
            except BaseException:
                for model, id, row in reversed(self._undo):
                    self._place(model, id, row)
                raise
            finally:
                at, self._began = self.now(), None
            for kind, fields in self._entries:
                self.books.enter(kind, at, **fields)
            for model, id in dict.fromkeys((model, id) for model, id, _ in self._undo):
                self.changed(model, id)
            return found

    def book(self, kind: str, **fields: Any) -> None:
        """Enters into the books when the transaction is committed."""
        self._entries.append((kind, fields))

    def _place(self, model: str, id: int, row: Row | None) -> None:
        old = self.rows[model].get(id)
        for name, kind in MODELS[model].fields.items():
            if kind.type == "many2one" and kind.via == "":
                self._link(model, name, id, old, row)
        if model == "product.product":
            if old is not None and old.doc["code"] is not None:
                self.codes[old.doc["code"]].remove(id)
            if row is not None and row.doc["code"] is not None:
                self.codes.setdefault(row.doc["code"], []).append(id)
        if row is None:
            self.rows[model].pop(id, None)
        else:
            self.rows[model][id] = row

    def _link(self, model: str, name: str, id: int, old: Row | None, row: Row | None) -> None:
        was = None if old is None else old.doc.get(name)
        now = None if row is None else row.doc.get(name)
        if was != now and was is not None:
            self.children[model, name, was].remove(id)
        if was != now and now is not None:
            self.children.setdefault((model, name, now), []).append(id)

    def _put(self, model: str, id: int, row: Row | None) -> None:
        self._undo.append((model, id, self.rows[model].get(id)))
        self._place(model, id, row)

    # ── records ──────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, model: str, id: int) -> Doc:
        """The record's own values."""
        return self.rows[model][id].doc

    def all(self, model: str, /, **values: Any) -> Iterator[Doc]:
        """The records that have these values, oldest first; with one link of them that is quick."""
        link = next((name for name in values if (model, name, values[name]) in self.children), None)
        ids = list(self.rows[model]) if link is None else sorted(self.children[model, link, values[link]])
        for id in ids:
            doc = self.rows[model][id].doc
            if all(doc.get(name) == value for name, value in values.items()):
                yield doc

    def one(self, model: str, /, **values: Any) -> Doc | None:
        """The oldest record that has these values."""
        return next(self.all(model, **values), None)

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        """A new record with what its relations are told; its id. Raises Failure."""
        self.numbers[model] = id = self.numbers.get(model, 0) + 1
        fields = MODELS[model].fields
        doc = {name: kind.default for name, kind in fields.items() if _kept(kind)}
        own, nested = self._split(model, values)
        at = self._stamp(model)
        self._put(model, id, Row(doc={**doc, **own, "id": id}, made=at, at=at))
        self._checked(model, id, fields)
        self._commanded(model, id, nested)
        self._then(model, [id])
        return id

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        """The records with other values. Raises Failure."""
        gone = [id for id in ids if id not in self.rows[model]]
        if gone:
            named = ", ".join(map(str, gone))
            label = MODELS[model].label
            raise user_error(f"You are trying to write to records \"{named}\" of \"{label}\" that don't exist.")
        own, nested = self._split(model, values)
        for id in ids:
            self.touch(model, id, own)
            self._checked(model, id, {name: MODELS[model].fields[name] for name in own})
            self._commanded(model, id, nested)
        self._then(model, ids)

    def touch(self, model: str, id: int, values: Mapping[str, Any]) -> None:
        """The record with other values of its own, and nothing that follows."""
        old = self.rows[model][id]
        self._put(model, id, Row(doc={**old.doc, **values}, made=old.made, at=self._stamp(model)))

    def delete(self, model: str, id: int) -> None:
        """The record is gone without a trace, and what belongs to it."""
        for kind in MODELS[model].fields.values():
            if kind.type == "one2many":
                for child in list(self.all(kind.of, **{kind.inverse: id})):
                    self.delete(kind.of, child["id"])
        self._put(model, id, None)

    def _stamp(self, model: str) -> datetime:
        return self.now() - timedelta(seconds=0.0 if self.opening is not None else self.late(model))

    def _then(self, model: str, ids: Sequence[int]) -> None:
        work = self.after.get(model)
        if work is not None:
            work(self, ids)

    def _split(self, model: str, values: Mapping[str, Any]) -> tuple[Doc, Doc]:
        own, nested = dict[str, Any](), dict[str, Any]()
        for name, value in values.items():
            kind = MODELS[model].fields.get(name)
            if kind is None:
                raise unknown(name)
            (nested if kind.type == "one2many" else own)[name] = _given(kind, value)
        return own, nested

    def _checked(self, model: str, id: int, fields: Mapping[str, Field]) -> None:
        doc, of = self.rows[model][id].doc, MODELS[model].label
        for name, kind in fields.items():
            value = doc.get(name)
            if kind.required and value is None:
                raise user_error(f'A value is required for field "{kind.label}" in "{of}".')
            if kind.required and value == "":
                called = doc.get("name") or ""
                raise user_error(f'A value is required for field "{kind.label}" in record "{called}" of "{of}".')
            if kind.type == "many2one" and value is not None and value not in self.rows[kind.of]:
                raise user_error(f'The value "{value}" for field "{kind.label}" in "{of}" does not exist.')
            if kind.digits is not None and isinstance(value, Decimal) and _decimals(value) > kind.digits:
                of = f"Product {kind.label}" if model.startswith("product.") else of  # a company has its own prices
                raise user_error(
                    f'The number of digits in the value "\'{value}\'" for field "{kind.label}" in record "({id})" of '
                    f'"{of}" exceeds the limit of "(None, {kind.digits})".'
                )
            if kind.among and value not in kind.among:
                raise user_error(
                    f'The value "{value}" for field "{kind.label}" in record "({id})" of "{of}" is not one of the '
                    "allowed options."
                )

    def _commanded(self, model: str, id: int, nested: Mapping[str, Any]) -> None:
        for name, commands in nested.items():
            kind = MODELS[model].fields[name]
            for command in commands or []:
                if command[0] == "create":
                    for row in command[1]:
                        self.create(kind.of, {**row, kind.inverse: id})
                elif command[0] == "write":
                    for ids, values in zip(command[1::2], command[2::2], strict=True):
                        self.write(kind.of, ids, values)
                elif command[0] == "delete":
                    for gone in command[1]:
                        self.delete(kind.of, gone)
                        self._then(kind.of, [])

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────

    def kind(self, model: str, name: str) -> Field:
        """What a field is; that of the template where a product has it from there."""
        if model not in MODELS:
            raise unknown(model)
        found = MODELS[model].fields.get(name) or USUAL.get(name)
        if found is None:
            if name == "id":
                return Field(type="integer")
            raise unknown(name)
        return found if found.via == "" else self.kind(MODELS[model].fields[found.via].of, name)

    def value(self, model: str, id: int, name: str) -> Any:
        """A field's value; of relations the ids."""
        row, kind = self.rows[model][id], MODELS[model].fields.get(name)
        if name == "id":
            return id
        if name in ("create_date", "last_modified_at"):
            return row.made if name == "create_date" else row.at
        if name == "_timestamp":
            return f"{row.at.timestamp():.6f}"
        if kind is None:
            raise unknown(name)
        if (model, name) in self.compute:
            return self.compute[model, name](self, id)
        if kind.via != "":
            return self.value(MODELS[model].fields[kind.via].of, row.doc[kind.via], name)
        if kind.type == "one2many":
            return [doc["id"] for doc in self.all(kind.of, **{kind.inverse: id}) if doc.get("active", True)]
        return list(row.doc[name]) if kind.type == "many2many" else row.doc[name]

    def read(self, model: str, id: int, fields: Sequence[str]) -> Doc:
        """Fields of a record as Tryton tells them; ``a.b`` under ``a.`` with the id."""
        found: Doc = {"id": id}
        deeper: dict[str, list[str]] = {}
        for name in fields:
            head, dot, rest = name.partition(".")
            self.kind(model, head)
            if dot == "":
                found[head] = self.value(model, id, head)
            else:
                deeper.setdefault(head, []).append(rest)
        for head, rest_of in deeper.items():
            of, value = self.kind(model, head).of, self.value(model, id, head)
            if isinstance(value, list):
                found[f"{head}."] = [self.read(of, one, rest_of) for one in value]
            else:
                found[f"{head}."] = None if value is None else self.read(of, value, rest_of)
        return found

    def search(self, model: str, domain: Sequence[Any], order: Any = None, *, archived: bool = False) -> list[int]:
        """The ids of what a domain names, in an order; archived ones only where it asks for them."""
        if model not in MODELS:
            raise unknown(model)
        if not archived and "active" in MODELS[model].fields and not _names_active(domain):
            domain = ["AND", list(domain), ["active", "=", True]]
        candidates = self._few(model, domain)
        ids = [id for id in candidates if self._fits(model, id, domain)]
        for name, direction in reversed(order or [["id", "ASC"]]):
            ids.sort(key=lambda id, name=name: _comparable(self.value(model, id, name)),  # type: ignore[misc]  # bound
                     reverse=str(direction).upper().startswith("DESC"))  # fmt: skip
        return ids

    def _few(self, model: str, domain: Sequence[Any]) -> list[int]:
        """The records that may fit: few where the domain names ids or a code."""
        for term in domain:
            if isinstance(term, list) and len(term) == 3 and isinstance(term[0], str):
                if term[0] == "id" and term[1] in ("=", "in"):
                    wanted = term[2] if term[1] == "in" else [term[2]]
                    return [id for id in wanted if id in self.rows[model]]
                if (model, term[0], term[1]) == ("product.product", "code", "="):
                    return list(self.codes.get(term[2], ()))
            elif isinstance(term, list) and domain and domain[0] == "AND":
                found = self._few(model, [term] if _is_leaf(term) else term)
                if len(found) < len(self.rows[model]):
                    return found
        return list(self.rows[model])

    def _fits(self, model: str, id: int, domain: Sequence[Any]) -> bool:
        if domain and domain[0] in ("OR", "AND"):
            results = (self._fits(model, id, part) for part in domain[1:])
            return any(results) if domain[0] == "OR" else all(results)
        if _is_leaf(domain):
            return self._holds(model, id, str(domain[0]), str(domain[1]), domain[2])
        return all(self._fits(model, id, part) for part in domain)

    def _holds(self, model: str, id: int, name: str, how: str, wanted: Any) -> bool:
        head, dot, rest = name.partition(".")
        kind, value = self.kind(model, head), self.value(model, id, head)
        if dot:
            linked = value if isinstance(value, list) else [] if value is None else [value]
            return any(self._holds(kind.of, one, rest, how, wanted) for one in linked)
        if model == "product.product" and name == "active":
            value = value and self.value("product.template", self.get(model, id)["template"], "active")
        if kind.type == "timestamp" and isinstance(wanted, str):
            wanted = datetime.fromisoformat(wanted).replace(tzinfo=UTC)
        if how not in COMPARED:
            raise Failure(f"'{how}'", "")
        if value is None and how in (">", ">=", "<", "<="):
            return False
        return bool(COMPARED[how](value, wanted))


def _kept(kind: Field) -> bool:
    return not kind.computed and kind.via == "" and kind.type != "one2many"


def _given(kind: Field, value: Any) -> Any:
    """A value as it is stored: a float is one, money is exact."""
    if kind.type == "float" and value is not None:
        return float(value)
    if kind.type == "numeric" and isinstance(value, int):
        return Decimal(value)
    if kind.type == "many2many":
        return tuple(id for command in value or [] if command[0] == "add" for id in command[1])
    return value


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.normalize().as_tuple().exponent))


def _is_leaf(term: Sequence[Any]) -> bool:
    return len(term) in (3, 4) and isinstance(term[0], str) and term[0] not in ("OR", "AND")


def _names_active(domain: Sequence[Any]) -> bool:
    if _is_leaf(domain):
        return bool(domain[0] == "active")
    return any(_names_active(term) for term in domain if isinstance(term, list))


def _comparable(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)


def tagged(value: Any) -> Any:
    """A value in Tryton's JSON: a Decimal, a moment and a day with their tags."""
    if isinstance(value, Mapping):
        return {name: tagged(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [tagged(item) for item in value]
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, datetime):
        parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{part: getattr(value, part) for part in parts}}
    if isinstance(value, date):
        return {"__class__": "date", **{part: getattr(value, part) for part in ("year", "month", "day")}}
    return value


def plain(value: Any) -> Any:
    """A value of Tryton's JSON without its tags."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("__class__") == "Decimal":
        return Decimal(value["decimal"])
    return {name: plain(item) for name, item in value.items()}
