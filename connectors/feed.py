"""A feed: a file with all that a platform is to know of us, which it fetches when it likes; no call ever reaches it.

What surprises here:

* A write changes the kept state and is ``accepted`` with a ticket. It is ``applied`` when a complete file that holds it
  was fetched: the fetch is the receipt, and how often it comes is the channel's lag.
* The file is never half: it is written beside the last one, made durable, and put in its place by one rename. Readers
  that have the old one open keep it. A writer killed anywhere leaves the last complete file.
* An item keeps the id under which a file showed it first, whatever becomes of its SKU: a platform hangs history on it.
* The state is an SQLite file in the channel's folder, shared by the process that writes and the one that serves.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

import msgspec

from connectors.answers import decoded
from connectors.base import Connector, Cursor, Doc, Page, Receipt, Resource, Write
from connectors.errors import Misconfigured
from connectors.feed_formats import GOOGLE, GOOGLE_LOCAL, GOOGLE_TSV, META, PRICE_LIST, Format
from connectors.ports import Ports
from connectors.verified import Verified

ROWS: Final = 2_000
"""Up to so many items every write renews the file; of more, whoever settles or fetches next renews it."""
_PAGE = 1_000
_encoder = msgspec.json.Encoder(decimal_format="number")
_TABLES = """
CREATE TABLE IF NOT EXISTS item (id TEXT PRIMARY KEY, doc BLOB, key TEXT NOT NULL, sequence INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS items_by_key ON item (key);
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """The last complete file: everything with a ticket of at most ``sequence`` is in it."""

    path: Path
    zipped: Path
    tag: str
    modified: datetime
    sequence: int
    items: int
    media: str


def _resource(id: str) -> Resource:
    return Resource(
        path="/", items="", id=id, updated=None, create="PUT item", update="PUT item", delete="DELETE item", batch=100,
        partial_update=False, returns_doc=False, visible_after=3_600.0, supersedes=True, ours=True,
    )


class Feed(Connector):
    """One file for one platform. The channel's ``url`` is a folder (``file:.serai/feeds``), its secret ``token`` part
    of the address at which the file is served."""

    verified = Verified(
        when="2026-11", contract="formats as published, looked up 2026-11-22",
        simulator="the csv and XML readers of Python's library",
    )
    form: ClassVar[Format]
    forms: ClassVar[Mapping[str, Format]] = {}
    identity: ClassVar[tuple[str, ...]] = ("id",)
    resources: Mapping[str, Resource] = {"items": _resource("id")}

    def __init__(
        self, *, channel: str, url: str, options: Mapping[str, Any], ports: Ports,
        fields: Mapping[str, Sequence[str]] | None = None, lane: str = "live",
    ) -> None:
        super().__init__(channel=channel, url=url, options=options, ports=ports, fields=fields, lane=lane)
        self.folder = Path(url.removeprefix("file:").removeprefix("//")) / channel
        chosen = options.get("format")
        if chosen is not None and chosen not in self.forms:
            raise Misconfigured(
                f"{channel}: settings.format is {chosen!r}; {self.platform} is written as "
                f"{', '.join(sorted(self.forms)) or 'one format only: leave it out'}"
            )
        self.format = self.form if chosen is None else self.forms[chosen]

    def check(self) -> None:
        """The folder can be written and everything the file needs is set."""
        absent = [name for name in self.format.needs if name not in self.options]
        if absent:
            raise Misconfigured(f"{self.channel}: {self.platform} needs settings.{absent[0]} in channels.yaml")
        self.ports.secrets.get("token")
        with self._state():
            pass

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """The items of the state in the order of their ids."""
        after, last = str((cursor or {}).get("after", "")), False
        while not last:
            asked = self.ports.clock.now()
            with self._state() as state:
                rows = state.execute(
                    "SELECT id, doc FROM item WHERE doc IS NOT NULL AND id > ? ORDER BY id LIMIT ?", (after, _PAGE)
                ).fetchall()
            last = len(rows) < _PAGE
            after = rows[-1][0] if rows else after
            yield Page(docs=[_decoded(doc) for _, doc in rows], cursor={} if last else {"after": after}, last=last,
                       asked_at=asked)

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Each item as the next file shows it."""
        with self._state() as state:
            found = {id: state.execute("SELECT doc FROM item WHERE id = ?", (id,)).fetchone() for id in ids}
        return {id: None if row is None or row[0] is None else _decoded(row[0]) for id, row in found.items()}

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """All of them in one transaction of the state; what the format cannot hold is rejected."""
        self.ports.budget.take(1, self.lane)
        receipts = []
        with self._state() as state, _transaction(state):
            sequence = _mark(state, "sequence") + 1
            for write in writes:
                receipts.append(self._put(state, write, sequence))
            _set(state, "sequence", sequence)
            total = state.execute("SELECT count(*) FROM item").fetchone()[0]
        if total <= ROWS:
            self.publish()
        yield from receipts

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """Applied, by ticket or by our key: a file that held it was fetched; with the document that was in it."""
        self.publish()
        with self._state() as state:
            fetched = _mark(state, "fetched")
            for write in writes:
                row = state.execute("SELECT id, sequence, doc FROM item WHERE key = ?", (write.key,)).fetchone()
                ticket = int(write.ticket) if write.ticket is not None else row[1] if row is not None else None
                id = write.id if write.id is not None else row[0] if row is not None else None
                if ticket is None:
                    yield Receipt(outcome="rejected", detail="not found: it never reached the feed")
                elif ticket <= fetched and id is not None:
                    same = row is not None and row[1] == ticket and row[2] is not None
                    yield Receipt(outcome="applied", id=id, doc=_decoded(row[2]) if same else None)
                else:
                    yield Receipt(outcome="accepted", id=id, ticket=str(ticket), detail="nobody fetched it yet")

    def publish(self) -> Served:
        """Afterwards the file holds everything that was written. Renewed only when something changed since."""
        with self._locked():
            served = self.served()
            with self._state() as state:
                if served is not None and served.sequence == _mark(state, "sequence"):
                    return served
                return self._render(state, served)

    def served(self) -> Served | None:
        """The last complete file; None before there was one."""
        try:
            found = json.loads((self.folder / "current.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Served(
            path=self.folder / found["path"], zipped=self.folder / (found["path"] + ".gz"), tag=found["tag"],
            modified=datetime.fromisoformat(found["modified"]), sequence=found["sequence"], items=found["items"],
            media=self.format.media,
        )

    def fetched(self, sequence: int) -> None:
        """A complete file with everything up to ``sequence`` was given away."""
        with self._state() as state, _transaction(state):
            _set(state, "fetched", max(sequence, _mark(state, "fetched")))

    def whole(self) -> bool:
        """Whether everything was written to it once, so that its file may be given away."""
        with self._state() as state:
            return _mark(state, "whole") > 0

    def now_whole(self) -> None:
        """From now on its file may be given away."""
        with self._state() as state, _transaction(state):
            _set(state, "whole", 1)

    def items(self) -> int:
        """How many items the next file holds."""
        with self._state() as state:
            return int(state.execute("SELECT count(*) FROM item WHERE doc IS NOT NULL").fetchone()[0])

    def _put(self, state: sqlite3.Connection, write: Write, sequence: int) -> Receipt:
        """One item into the state, under the id it had first."""
        id = write.id
        if id is None:      # created before and not fetched since: it is still that item, whatever its SKU is by now
            row = state.execute("SELECT id FROM item WHERE key = ?", (write.key,)).fetchone()
            id = row[0] if row is not None else "/".join(str(write.doc.get(name)) for name in self.identity)
        if write.op == "delete":
            doc = None
        else:
            row = state.execute("SELECT doc FROM item WHERE id = ? AND doc IS NOT NULL", (id,)).fetchone()
            first = _decoded(row[0]) if row is not None else {}
            shown = {**write.doc, **{name: first[name] for name in self.identity if name in first}}
            fault = self.format.fault(shown)
            if fault is not None:
                return Receipt(outcome="rejected", id=write.id, detail=fault)
            doc = _encoder.encode(shown)
        state.execute(
            "INSERT INTO item (id, doc, key, sequence) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
            "SET doc = excluded.doc, key = excluded.key, sequence = excluded.sequence", (id, doc, write.key, sequence)
        )
        return Receipt(outcome="accepted", id=id, ticket=str(sequence), detail="applied when it is fetched")

    def _render(self, state: sqlite3.Connection, before: Served | None) -> Served:
        """Writes a new file from one snapshot of the state and puts it in the place of the last one."""
        now = self.ports.clock.now().astimezone(UTC).replace(microsecond=0)
        state.execute("BEGIN")
        sequence = _mark(state, "sequence")
        name = f"{sequence}.{self.format.suffix}"
        digest, items = hashlib.sha256(), 0
        part, small = self.folder / f"{name}.part", self.folder / f"{name}.gz.part"
        with part.open("wb") as plain, small.open("wb") as below:
            with gzip.GzipFile(fileobj=below, mode="wb", mtime=0) as zipped:
                for text in self._lines(state, now):
                    items += 1
                    data = text.encode("utf-8")
                    digest.update(data)
                    plain.write(data)
                    zipped.write(data)
            _durable(plain)
            _durable(below)
        state.execute("COMMIT")
        small.replace(self.folder / f"{name}.gz")
        part.replace(self.folder / name)
        tag = digest.hexdigest()[:32]
        told = {
            "path": name, "tag": tag, "sequence": sequence, "items": items - 2,
            "modified": _dated(now, tag, before).isoformat(),
        }
        self._replace("current.json", json.dumps(told))
        same = self.folder / "feed.part"
        same.unlink(missing_ok=True)
        same.hardlink_to(self.folder / name)
        same.replace(self.folder / f"feed.{self.format.suffix}")
        self._forget({name, before.path.name if before is not None else name})
        found = self.served()
        if found is None:
            raise FileNotFoundError(self.folder / "current.json")
        return found

    def _lines(self, state: sqlite3.Connection, now: datetime) -> Iterator[str]:
        yield self.format.head(self.options, now)
        for (doc,) in state.execute("SELECT doc FROM item WHERE doc IS NOT NULL ORDER BY id"):
            yield self.format.row(_decoded(doc))
        yield self.format.tail

    def _replace(self, name: str, text: str) -> None:
        part = self.folder / f"{name}.part"
        with part.open("wb") as file:
            file.write(text.encode("utf-8"))
            _durable(file)
        part.replace(self.folder / name)

    def _forget(self, kept: set[str]) -> None:
        """Drops files of before the last one: whoever began with that may still open its other half."""
        for path in self.folder.glob(f"*.{self.format.suffix}*"):
            if path.name.split(".")[0].isdigit() and path.name.removesuffix(".gz") not in kept:
                path.unlink(missing_ok=True)

    @contextmanager
    def _state(self) -> Iterator[sqlite3.Connection]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.folder / "state.db", timeout=30, isolation_level=None)) as state:
                state.execute("PRAGMA journal_mode = WAL")
                state.execute("PRAGMA synchronous = FULL")
                state.executescript(_TABLES)
                yield state
        except (OSError, sqlite3.OperationalError) as fault:
            raise Misconfigured(
                f"{self.channel}: the folder of its feed cannot be used ({type(fault).__name__}: {fault}); "
                "its url is file:FOLDER, which every process must be able to write"
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer of files at a time, among all processes; the lock ends with the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class GoogleFeed(Feed):
    """Google Merchant Center: products, as RSS 2.0 or, with ``settings.format: tsv``, separated by tabs."""

    platform: ClassVar[str] = "feed_google"
    form: ClassVar[Format] = GOOGLE
    forms: ClassVar[Mapping[str, Format]] = {"xml": GOOGLE, "tsv": GOOGLE_TSV}


class GoogleLocalFeed(Feed):
    """Google Merchant Center: what is in which store, separated by tabs (XML is not taken for it)."""

    platform: ClassVar[str] = "feed_google_local"
    form: ClassVar[Format] = GOOGLE_LOCAL
    identity: ClassVar[tuple[str, ...]] = ("store_code", "id")


class MetaFeed(Feed):
    """Meta catalogue (Facebook, Instagram): CSV."""

    platform: ClassVar[str] = "feed_meta"
    form: ClassVar[Format] = META


class PriceListFeed(Feed):
    """A marketplace's price list as Kaspi takes it: offers with places and whole prices."""

    platform: ClassVar[str] = "feed_kaspi"
    form: ClassVar[Format] = PRICE_LIST
    identity: ClassVar[tuple[str, ...]] = ("sku",)
    resources: Mapping[str, Resource] = {"items": _resource("sku")}


def _decoded(doc: bytes) -> Doc:
    found: Doc = decoded(doc)
    return found


def _dated(now: datetime, tag: str, before: Served | None) -> datetime:
    """The date of a new file: that of the last one where they are equal, else a later second than that."""
    if before is None:
        return now
    return before.modified if before.tag == tag else max(now, before.modified + timedelta(seconds=1))


def _durable(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _mark(state: sqlite3.Connection, name: str) -> int:
    row = state.execute("SELECT value FROM mark WHERE name = ?", (name,)).fetchone()
    return 0 if row is None else int(row[0])


def _set(state: sqlite3.Connection, name: str, value: int) -> None:
    state.execute(
        "INSERT INTO mark (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


@contextmanager
def _transaction(state: sqlite3.Connection) -> Iterator[None]:
    state.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        state.execute("ROLLBACK")
        raise
    state.execute("COMMIT")
