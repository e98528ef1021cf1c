"""One simulated system at work: rows, writes, lists and lookups, with every consequence under one lock.

What surprises here:

* A row's stamp is taken from the system's clock and cut to its resolution; many rows may share one.
* A write is brought into the system's notation, checked against the JSON Schema and the system's rules, applied with
  its consequences (a sale posts stock), booked, and announced, in that order; a refused one is booked too.
* Only ``put`` changes rows, so nothing can change without its books.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs

from deployments.sandbox.books import Books
from deployments.sandbox.design import By, Collection, Design, Refused
from deployments.sandbox.faults import Faults
from deployments.sandbox.lists import Listing
from deployments.sandbox.notation import Doc, merged, normalised, schema
from deployments.sandbox.quota import Quota

MISSING = object()


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its document in native notation and the moment of its last change."""

    doc: Doc
    at: datetime


@dataclass(kw_only=True, slots=True)
class Table:
    """A collection's rows, an index of the writers' references, and the next number."""

    rule: Mapping[str, Any]
    check: Any
    number: int
    rows: dict[str, Row] = field(default_factory=dict)
    references: dict[str, list[str]] = field(default_factory=dict)
    omitted: frozenset[str] = frozenset()


def at(doc: Any, path: str) -> Any:
    """The value at a dotted path, or MISSING."""
    for step in path.split("."):
        if not isinstance(doc, Mapping) or step not in doc:
            return MISSING
        doc = doc[step]
    return doc


def _nobody(url: str, question: Doc) -> Doc:
    raise Refused(502, "no_answer", f"this system asks nobody, so not {url} either")


class System:
    """A system with its state. ``announce`` is told of every change but the seed's."""

    def __init__(
        self,
        design: Design,
        *,
        books: Books,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        announce: Callable[[str, str, datetime], None] = lambda resource, id, at: None,
    ) -> None:
        self.design = design
        self.books = books
        self.faults = Faults(design.places)
        self.quota = Quota()
        self.announce = announce
        self.ask: Callable[[str, Doc], Doc] = _nobody
        """Puts a question to an address, signed, and waits for its answer."""
        self.lock = threading.RLock()
        self.opening: datetime | None = None
        """While set, the clock stands at this moment: the opening data is entered."""
        self.offline: dict[str, list[Doc]] = {}
        """What parts of the system that are cut off have done and nobody can read yet, by part."""
        self._wall = wall
        self._last = datetime(1970, 1, 1, tzinfo=UTC)
        self.tables = {name: self._table(name, c) for name, c in design.collections.items()}

    def _table(self, name: str, collection: Collection) -> Table:
        rule = schema(self.design.platform or self.design.name, name)
        return Table(rule=rule, check=jsonschema_rs.validator_for(rule), number=collection.first)

    # -- time

    def now(self) -> datetime:
        """The system's clock: it never goes back."""
        if self.opening is not None:
            return self.opening
        with self.lock:
            self._last = max(self._last, self._wall())
            return self._last

    def _stamp(self, name: str) -> datetime:
        moment = self.now()
        late = None if self.opening is not None else self.faults.strike("backdate", "", f"/{name}")
        if late is not None:
            moment -= timedelta(seconds=late.seconds)
        step = self.design.resolution
        return moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % step

    # -- rows

    def get(self, name: str, id: str) -> Doc:
        """The document; Refused 404 when there is none."""
        row = self.tables[name].rows.get(id)
        if row is None:
            raise Refused(404, "not_found", f"{name} has no {id}")
        return row.doc

    def find(self, name: str, id: str) -> Doc | None:
        """The document, or None."""
        row = self.tables[name].rows.get(id)
        return None if row is None else row.doc

    def docs(self, name: str) -> Iterator[Doc]:
        """All documents of a collection."""
        return (row.doc for row in list(self.tables[name].rows.values()))

    def by_reference(self, name: str, reference: str) -> list[Doc]:
        """The documents that carry the writer's reference, oldest first."""
        table = self.tables[name]
        return [table.rows[id].doc for id in table.references.get(reference, ()) if id in table.rows]

    def put(self, name: str, doc: Doc, *, by: By, id: str | None = None) -> Doc:
        """Enters or replaces a row: id and stamps set, the document valid by its schema, consequences and books done.

        Raises Refused, and then nothing has happened.
        """
        collection, table = self.design.collections[name], self.tables[name]
        with self.lock:
            if id is None:
                id = collection.key(doc) if collection.key is not None else collection.number.format(table.number)
            row = table.rows.get(id)
            moment = self._stamp(name)
            doc = doc | {collection.id: id, collection.stamp: self.design.written(moment)}
            if collection.created is not None:
                doc[collection.created] = doc[collection.stamp] if row is None else row.doc[collection.created]
            if collection.version is not None:
                doc[collection.version] = 1 if row is None else row.doc[collection.version] + 1
            if collection.archived is not None:
                doc = {collection.archived: False} | doc
            self._valid(table, doc)
            collection.check(self, None if row is None else row.doc, doc, by)
            if row is None and collection.key is None:
                table.number += 1
            table.rows[id] = Row(doc, moment)
            self._index(collection, table, id, None if row is None else row.doc, doc)
            collection.then(self, None if row is None else row.doc, doc, by)
            if by != "seed":
                self.announce(name, id, moment)
            return self.tables[name].rows[id].doc

    def _index(self, collection: Collection, table: Table, id: str, old: Doc | None, new: Doc) -> None:
        if collection.reference is None:
            return
        before = MISSING if old is None else at(old, collection.reference)
        after = at(new, collection.reference)
        if before == after:
            return
        if isinstance(before, str) and id in table.references.get(before, ()):
            table.references[before].remove(id)
        if isinstance(after, str) and after != "":
            table.references.setdefault(after, []).append(id)

    def _valid(self, table: Table, doc: Doc) -> None:
        if table.check.is_valid(doc):
            return
        error = next(iter(table.check.iter_errors(doc)))
        path = ".".join(str(step) for step in error.instance_path)
        raise Refused(422, "invalid", error.message[:300], field=path)

    def remove(self, name: str, id: str, *, by: By) -> None:
        """Afterwards the row is gone, or archived where the system archives; Refused 404 when there is none."""
        with self.lock:
            doc = self.get(name, id)
            collection = self.design.collections[name]
            if collection.archived is not None:
                self.put(name, doc | {collection.archived: True}, id=id, by=by)
                return
            del self.tables[name].rows[id]
            self.announce(name, id, self.now())

    # -- writes of programs

    def write(
        self, name: str, op: str, doc: Doc | None = None, *, id: str | None = None, expected: str | None = None
    ) -> tuple[int, str, Doc | None]:
        """Applies one write of a program: HTTP status, id, document (None after a delete). Raises Refused."""
        collection = self.design.collections[name]
        reference = None if doc is None or collection.reference is None else at(doc, collection.reference)
        reference = reference if isinstance(reference, str) else None
        told: Doc = {"resource": name, "op": op, "id": id, "reference": reference}
        with self.lock:
            try:
                status, id, result, changed = self._write(collection, name, op, doc, id, expected)
            except Refused as refused:
                self.books.enter(
                    "write", self.now(), **told, status=refused.status, changed=False, code=refused.error["code"]
                )
                raise
            told["id"] = id
            self.books.enter("write", self.now(), **told, status=status, changed=changed, code=None)
            return status, id, result

    def _write(
        self, collection: Collection, name: str, op: str, doc: Doc | None, id: str | None, expected: str | None
    ) -> tuple[int, str, Doc | None, bool]:
        if op not in collection.allows:
            allowed = ", ".join(sorted(collection.allows)) or "nothing"
            raise Refused(405, "not_allowed", f"{name}: {op} is not offered; programs may {allowed}")
        if op == "delete":
            self.remove(name, str(id), by="api")
            return 204, str(id), None, True
        if not isinstance(doc, dict):
            raise Refused(422, "invalid", "a document is an object", field="")
        table = self.tables[name]
        for part in doc:
            if table.rule["properties"].get(part, {}).get("readOnly"):
                raise Refused(422, "read_only", f"{part} is the system's own", field=part)
        if op == "create":
            same = self._same(collection, table, doc)
            if same is None:
                new = self._in_notation(table, doc)
                made = self.put(name, new, by="api")
                return 201, str(made[collection.id]), made, True
            if collection.once:
                return 200, same, table.rows[same].doc, False
            id = same
        return self._update(collection, table, name, doc, str(id), expected)

    def _keyed(self, collection: Collection, doc: Doc) -> str | None:
        if collection.key is None:
            return None
        try:
            return collection.key(doc)
        except (KeyError, TypeError) as missing:
            raise Refused(422, "invalid", f"the key needs {missing}", field=str(missing).strip("'")) from None

    def _same(self, collection: Collection, table: Table, doc: Doc) -> str | None:
        """The id of the row that a create means: by its key, or by a reference that is taken only once."""
        key = self._keyed(collection, doc)
        if key is not None:
            return key if key in table.rows else None
        if collection.once and collection.reference is not None:
            reference = at(doc, collection.reference)
            taken = table.references.get(reference, []) if isinstance(reference, str) else []
            return taken[0] if taken else None
        return None

    def _update(
        self, collection: Collection, table: Table, name: str, doc: Doc, id: str, expected: str | None
    ) -> tuple[int, str, Doc | None, bool]:
        old = self.get(name, id)
        if expected is not None and collection.version is not None and str(old[collection.version]) != expected:
            raise Refused(412, "stale", f"{id} is at {collection.version} {old[collection.version]}")
        if self.faults.strike("ignore", "", f"/{name}") is not None:
            return 200, id, old, False
        new = self._in_notation(table, merged(old, doc, table.rule))
        if self._keyed(collection, new) not in (None, id):
            raise Refused(422, "fixed", f"the key of {id} cannot change")
        if new == old and not self.design.restamps:
            return 200, id, old, False
        return 200, id, self.put(name, new, by="api", id=id), new != old

    def _in_notation(self, table: Table, doc: Doc) -> Doc:
        try:
            new: Doc = normalised(doc, table.rule, self.design.written)
        except ValueError as error:
            raise Refused(422, "bad_moment", str(error)) from None
        return new

    # -- acts of people

    def edit(self, name: str, id: str, change: Doc, *, by: By = "people") -> Doc:
        """A person changes a row by hand; the same rules hold, but nothing is read-only to them."""
        table = self.tables[name]
        with self.lock:
            new = merged(self.get(name, id), change, table.rule)
            return self.put(name, self._in_notation(table, new), id=id, by=by)

    def add(self, name: str, doc: Doc, *, by: By = "people", at: datetime | None = None) -> Doc:
        """A person (or the opening data) enters a row; ``at``: the moment it carries."""
        with self.lock:
            before, self.opening = self.opening, self.opening if at is None else at
            try:
                return self.put(name, self._in_notation(self.tables[name], doc), by=by)
            finally:
                self.opening = before

    # -- lists

    def listing(self, name: str, query: Mapping[str, str]) -> Any:
        """One page in the system's envelope; Refused 400 for a parameter it does not know."""
        with self.lock:
            return Listing(self, name, query).answer()
