"""The simulated database: records, domains, x2many commands, companies, stamps, and transactions that fail as a whole.

What surprises here:

* A stamp is that of the transaction's start, with microseconds; it is told in whole seconds.
* Records are held in the names of Odoo 19; what another version calls a field is translated at the door (`Call`).
* A failure undoes everything the call did; nothing of it is in the books.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from deployments.sandbox.books import Books
from deployments.sandbox.notation import Doc
from deployments.sandbox.odoo.models import MODELS, UNTIL, Field, renamed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Change = tuple[str, int]


class Failure(Exception):
    """What Odoo raises; ``name`` is the Python exception's, ``status`` that of the HTTP answer of JSON-2."""

    def __init__(self, name: str, message: str, status: int) -> None:
        super().__init__(message)
        self.name, self.message, self.status = name, message, status


def user_error(message: str) -> Failure:
    """A rule of trade says no."""
    return Failure("odoo.exceptions.UserError", message, 422)


def value_error(message: str) -> Failure:
    """A programmer's mistake: Odoo answers 500, although nothing was done."""
    return Failure("builtins.ValueError", message, 500)


@dataclass(kw_only=True, slots=True)
class Row:
    """A record and when it was written."""

    doc: Doc
    at: datetime
    made: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Who asks: the user's companies, and the context of the call."""

    companies: frozenset[int]
    context: Mapping[str, Any] = field(default_factory=dict)

    def allowed(self) -> Sequence[int]:
        """The companies that this call may see; AccessError for one that is not the user's."""
        wanted = self.context.get("allowed_company_ids") or [min(self.companies)]
        if not set(wanted) <= self.companies:
            raise Failure("odoo.exceptions.AccessError", "Access to unauthorized or invalid companies.", 403)
        return list(wanted)


@dataclass(kw_only=True)
class Database:
    """One Odoo database. ``announce(model, id, moment)`` is told of every committed change but the opening's."""

    books: Books
    version: int = 19
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    announce: Callable[[str, int, datetime], None] = lambda model, id, at: None
    opening: datetime | None = None
    places: dict[str, str] = field(default_factory=dict)
    """Short name of a warehouse, which has five letters at most, → the retailer's own code of the place."""
    late: Callable[[str], float] = lambda model: 0.0
    """How many seconds ago the transaction that writes this model began."""
    lock: Any = field(default_factory=threading.RLock)
    rows: dict[str, dict[int, Row]] = field(default_factory=lambda: {model: {} for model in MODELS})
    numbers: dict[str, int] = field(default_factory=dict)
    quants: dict[tuple[int, int], int] = field(default_factory=dict)
    compute: dict[tuple[str, str], Callable[[Database, int, Session], Any]] = field(default_factory=dict)
    _undo: list[tuple[str, int, Row | None]] = field(default_factory=list)
    _entries: list[tuple[str, Doc]] = field(default_factory=list)
    _changed: dict[Change, None] = field(default_factory=dict)

    # ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────

    def now(self) -> datetime:
        """The database's clock."""
        return self.wall() if self.opening is None else self.opening

    def transact(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns; when it raises, everything is as before."""
        with self.lock:
            try:
                found = work()
            except BaseException:
                for model, id, row in reversed(self._undo):
                    if row is None:
                        self.rows[model].pop(id, None)
                    else:
                        self.rows[model][id] = row
                self._reindex()
                self._undo, self._entries, self._changed = [], [], {}
                raise
            entries, changed = self._entries, self._changed
            self._undo, self._entries, self._changed = [], [], {}
            for kind, fields in entries:
                self.books.enter(kind, self.now(), **fields)
            if self.opening is None:
                for model, id in changed:
                    self.announce(model, id, self.now())
            return found

    def book(self, kind: str, **fields: Any) -> None:
        """Enters into the books when the transaction is committed."""
        self._entries.append((kind, fields))

    def _reindex(self) -> None:
        self.quants = {
            (row.doc["product_id"], row.doc["location_id"]): id for id, row in self.rows["stock.quant"].items()
        }

    # ── records ──────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, model: str, id: int) -> Doc:
        """The record; MissingError where there is none."""
        row = self.rows[model].get(id)
        if row is None:
            raise Failure(
                "odoo.exceptions.MissingError", f"Record does not exist or has been deleted. ({model},{id})", 404
            )
        return row.doc

    def all(self, model: str, /, **values: Any) -> Iterator[Doc]:
        """The records that have these values, oldest first."""
        for row in list(self.rows[model].values()):
            if all(row.doc.get(name) == value for name, value in values.items()):
                yield row.doc

    def one(self, model: str, /, **values: Any) -> Doc | None:
        """The oldest record that has these values."""
        return next(self.all(model, **values), None)

    def insert(self, model: str, values: Mapping[str, Any]) -> int:
        """A new record; its id."""
        self.numbers[model] = id = self.numbers.get(model, 0) + 1
        bare: Doc = {name: _empty(kind) for name, kind in MODELS[model].items() if _kept(kind)}
        if "active" in bare:
            bare["active"] = True
        moment = self._stamp(model)
        self._undo.append((model, id, None))
        self.rows[model][id] = Row(doc={**bare, **values, "id": id}, at=moment, made=moment)
        self._changed[model, id] = None
        return id

    def update(self, model: str, id: int, values: Mapping[str, Any], *, stamped: bool = True) -> None:
        """The record with other values; ``stamped`` False: only computed ones, so that nobody sees it by its stamp."""
        self.get(model, id)
        old = self.rows[model][id]
        self._undo.append((model, id, old))
        at = self._stamp(model) if stamped else old.at
        self.rows[model][id] = Row(doc={**old.doc, **values}, at=at, made=old.made)
        self._changed[model, id] = None

    def delete(self, model: str, id: int) -> None:
        """The record is gone without a trace."""
        self._undo.append((model, id, self.rows[model].pop(id)))

    def _stamp(self, model: str) -> datetime:
        return self.now() - timedelta(seconds=0.0 if self.opening is not None else self.late(model))

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, model: str, id: int, name: str, session: Session) -> Any:
        """A field's value as it is kept: links are ids."""
        kind = MODELS[model][name]
        if (model, name) in self.compute:
            return self.compute[model, name](self, id, session)
        row = self.rows[model][id]
        if name in ("write_date", "create_date"):
            return row.at if name == "write_date" else row.made
        if kind.type == "one2many":
            return [doc["id"] for doc in self.all(kind.of, **{kind.inverse: id})]
        if name == "display_name":
            return row.doc.get("name") or f"{model},{id}"
        return row.doc[name]

    def told(self, model: str, id: int, name: str, session: Session) -> Any:
        """A field's value as Odoo tells it: false for empty, ``[id, name]`` for a link, naive text for a moment."""
        kind, value = MODELS[model][name], self.value(model, id, name, session)
        if kind.type == "many2one":
            if value is False or value is None:
                return False
            return [value, str(self.told(kind.of, value, "display_name", session))]
        if isinstance(value, datetime):
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        if kind.type == "float":
            return float(value or 0)
        if name == "type" and self.version < 18 and kind.type == "selection" and self._counted(model, id, session):
            return "product"
        return False if value is None or value == "" else value

    def _counted(self, model: str, id: int, session: Session) -> bool:
        """Goods whose stock is counted, which before 18 were a type of their own."""
        return "is_storable" in MODELS[model] and bool(self.value(model, id, "is_storable", session))

    def search(self, model: str, domain: Sequence[Any], session: Session, order: str = "id") -> list[int]:
        """The ids that a domain finds, in an order; archived ones and other companies' are not among them."""
        fields, allowed = MODELS[model], set(session.allowed())
        named = {term[0] for term in domain if not isinstance(term, str)}
        hidden = "active" in fields and "active" not in named and session.context.get("active_test", True)
        owned = "company_id" in fields
        found, rows = list[int](), self.rows[model]
        domain = [_quick(term) for term in domain]
        wanted = [term[2] for term in domain if term[:2] == ["id", "in"] and isinstance(term[2], frozenset)]
        simple = not any(isinstance(term, str) for term in domain)
        for id in sorted(wanted[0] & rows.keys()) if wanted and simple else list(rows):
            row = rows[id]
            if hidden and not self.value(model, id, "active", session):
                continue
            if owned and self.value(model, id, "company_id", session) not in allowed | {False}:
                continue
            if model == "res.company" and row.doc["id"] not in allowed:
                continue
            if self._holds(model, id, domain, session):
                found.append(id)
        for part in reversed([part.split() for part in order.split(",")]):
            if part[0] not in fields or not fields[part[0]].stored:
                raise value_error(f"Invalid field '{part[0]}' on model '{model}'")
            found.sort(
                key=lambda id, name=part[0]: _sortable(self.value(model, id, name, session)),  # type: ignore[misc]
                reverse=part[1:] == ["desc"],
            )
        return found

    def _holds(self, model: str, id: int, domain: Sequence[Any], session: Session) -> bool:
        """A domain in Polish notation: terms are joined by an implicit ``&``."""
        stack: list[bool] = []
        for term in reversed(domain):
            if term == "!":
                stack.append(not stack.pop())
            elif term in ("&", "|"):
                one, other = stack.pop(), stack.pop()
                stack.append(one and other if term == "&" else one or other)
            else:
                stack.append(self._term(model, id, term, session))
        return all(stack)

    def _term(self, model: str, id: int, term: Sequence[Any], session: Session) -> bool:
        name, operator, wanted = term
        head, _, rest = str(name).partition(".")
        kind = MODELS[model].get(head)
        if kind is None or (not kind.stored and (model, head) not in _SEARCHABLE):
            raise value_error(f"Invalid field {model}.{head} in leaf {tuple(term)!r}")
        value = self.value(model, id, head, session)
        if rest:
            ids = value if isinstance(value, list) else [] if value is False else [value]
            if operator == "!=" and wanted is False:
                return any(self._term(kind.of, one, [rest, "!=", False], session) for one in ids)
            return any(self._term(kind.of, one, [rest, operator, wanted], session) for one in ids)
        return _compare(self.version, kind, value, operator, wanted)

    def names(self, model: str) -> Mapping[str, str]:
        """Field as this version calls it → field of 19."""
        older = renamed(self.version, model)
        there = [name for name in MODELS[model] if self.version <= UNTIL.get((model, name), self.version)]
        found = {older.get(name, name): name for name in there}
        return {then: now for then, now in found.items() if then is not None}


_SEARCHABLE = {
    ("product.product", "is_storable"),
    ("product.product", "type"),
    ("product.product", "sale_ok"),
    ("stock.move", "picking_code"),
    ("product.product", "company_id"),
    ("product.pricelist.item", "company_id"),
    ("product.pricelist.item", "currency_id"),
    ("pos.order", "config_id"),
    ("product.product", "uom_id"),
    ("product.product", "name"),
    ("product.template.attribute.value", "attribute_id"),
}
"""Computed fields that are related to a stored one."""


def _empty(kind: Field) -> Any:
    if kind.type in ("integer",):
        return 0
    return [] if kind.type == "many2many" else 0.0 if kind.type == "float" else False


def _kept(kind: Field) -> bool:
    return kind.stored and kind.type != "one2many"


def _quick(term: Any) -> Any:
    """A term whose long list of ids is looked up, not gone through."""
    ids = isinstance(term, list) and isinstance(term[2], list) and all(type(id) is int for id in term[2])
    return [*term[:2], frozenset(term[2])] if ids else term


def _sortable(value: Any) -> Any:
    """Odoo sorts empty values last."""
    empty = value is False or value is None
    return (empty, "" if empty else value)


def moment(text: Any) -> datetime:
    """A moment from Odoo's naive text; ValueError's failure for any other."""
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise value_error(f"time data {text!r} does not match format '%Y-%m-%d %H:%M:%S'") from None


def _compare(version: int, kind: Field, value: Any, operator: str, wanted: Any) -> bool:
    if kind.type == "datetime" and isinstance(wanted, str):
        wanted = moment(wanted)
        if version >= 19 and operator == ">":
            operator, wanted = ">=", wanted + timedelta(seconds=1)
    if operator in ("=", "!=") and isinstance(value, list):
        same = (not value) if wanted is False else wanted in value
        return same == (operator == "=")
    if operator == "=":
        return _same(value, wanted)
    if operator == "!=":
        return not _same(value, wanted)
    if operator in ("in", "not in"):
        if isinstance(wanted, frozenset):
            met = not wanted.isdisjoint(value) if isinstance(value, list) else value in wanted
            return met == (operator == "in")
        if not isinstance(wanted, list):
            raise value_error(f"'{operator}' wants a list")
        ids = value if isinstance(value, list) else [value]
        return any(_same(one, other) for one in ids for other in wanted) == (operator == "in")
    if operator in ("<", "<=", ">", ">="):
        if value is False or value is None:
            return False
        return bool({"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[operator])
    if operator in ("=ilike", "=like", "ilike", "like"):
        if not isinstance(value, str):
            return False
        one, other = (
            (value, str(wanted)) if "i" not in operator.replace("like", "") else (value.lower(), str(wanted).lower())
        )
        if operator.startswith("="):
            return one.startswith(other[:-1]) if other.endswith("%") else one == other
        return other.strip("%") in one
    raise value_error(f"Invalid operator {operator!r}")


def _same(value: Any, wanted: Any) -> bool:
    if wanted is False or wanted is None or wanted == "":
        return value in (False, None, "") and not (
            isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        )
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)
