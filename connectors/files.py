"""Files as a channel: read from a folder page by page, archived once taken, written whole under a name of their own.

What surprises here:

* A file is checked to its last line before its first document is given. One that is malformed goes to ``quarantine``
  with a note that says line and reason, and the read ends with an error, so that somebody hears of it; the next read
  goes on with the others. Who only looks (`serai check`, `serai survey`) hears of it too, and leaves it where it lies.
* A file is archived when a read *begins* with a cursor that has it behind: only then is it certain that what it said
  was committed. A crash before that reads it again, which changes nothing.
* Files whose names begin with a dot or end in .part, .tmp or .filepart are under way, and so is one that was touched
  within ``rest`` seconds.
* With ``whole: true`` each file is the whole list: only the newest is read, it stays until a newer one is there, and
  what it lacks is gone. Else a file is news, and nothing follows from what it lacks.
* A write is a file of its own, named after its key: tried again, it is the same file. With a ``batch`` of more, a crash
  between the file and its receipt may write some of it once more in another file: only for values that bear that.
* Storage is fsspec's: a folder here, ``sftp://``, ``s3://``, or anything else that it has a package for. A bucket has
  no folders and no renaming: an empty folder is none, a file is put away by a copy and then a deletion (a crash in
  between leaves both, and what was taken is known), an object is whole or not there, so that it is written in place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import fsspec

from connectors.answers import masked
from connectors.base import Connector, Cursor, Doc, Page, Receipt, Resource, Write
from connectors.errors import ConnectorError, Misconfigured, RetryLater, ShapeChanged
from connectors.file_formats import READ, WRITTEN, Malformed
from connectors.ports import LOOKING, Ports
from connectors.verified import Verified
from connectors.writes import NOT_FOUND, id_of

AWAY: Final = 15.0
PATIENCE: Final = {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 1}}
UNDER_WAY: Final = (".part", ".tmp", ".filepart")
_KEYS = (
    "path", "id", "format", "page_size", "archive", "quarantine", "rest", "whole", "write", "batch", "stock_kind",
    "delimiter", "encoding", "items", "item", "lists", "sheet", "columns", "root",
)  # fmt: skip
_NEEDS = {"xml": "item"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A file that lies there; ``mark`` is by what it is known to be the same one."""

    path: str
    mark: str

    @property
    def key(self) -> list[str]:
        """How a cursor names it."""
        return [self.path, self.mark]


class Files(Connector):
    """A folder that platforms/<name>.yaml describes; ``url`` is ``file:inbox`` (in the project), or ``sftp://host/inbox``
    or ``s3://bucket/inbox`` with the secrets ``user`` and ``password``."""

    platform: ClassVar[str] = "files"
    verified = Verified(
        when="2026-11", simulator="S3: moto 5.2.5, which checks no signature and no rights",
        real="a folder; an SFTP server (paramiko) on loopback",
    )

    def __init__(
        self, *, channel: str, url: str, options: Mapping[str, Any], ports: Ports,
        fields: Mapping[str, Sequence[str]] | None = None, lane: str = "live",
    ) -> None:
        super().__init__(channel=channel, url=url, options=options, ports=ports, fields=fields, lane=lane)
        where = f"{channel}: platforms/{options.get('platform', 'files')}.yaml"
        described = options.get("description") or {}
        odd = sorted(set(described) - {"speaks", "resources"})
        rows = described.get("resources")
        if odd or not isinstance(rows, Mapping) or not rows:
            found = f"unknown key `{odd[0]}`" if odd else "`resources` should be a map of name → row, at least one"
            raise Misconfigured(f"{where}: {found}; allowed: resources, speaks")
        self._rows = {str(name): _checked(f"{where}: resources.{name}", row) for name, row in rows.items()}
        self.resources = {name: _facts(row) for name, row in self._rows.items()}
        self._storage: tuple[Any, str] | None = None
        self._objects = urlsplit(self.url).scheme == "s3"
        self._used: list[str] = []

    # ── Connector ────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """The folder of each resource can be listed."""
        for name, row in self._rows.items():
            self._listed(name, row)

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages of files, the oldest file first; a cursor is ``{file, row, taken}``: where it stands in which file, and
        the files that it has behind it."""
        row, size = self._row(resource), self.resources[resource].page_size
        state = cursor or {"file": None, "row": 0, "taken": []}
        asked_at = self.ports.clock.now()
        files, taken = self._archived(resource, row, self._listed(resource, row), state["taken"])
        new = [one for one in files if one.key not in taken]
        if row.get("whole") and new:
            taken = [*taken, *(one.key for one in new[:-1])]
            new = new[-1:]
        new.sort(key=lambda one: one.key != state["file"])  # what was cut short goes on first, if it is still that file
        if not new:
            yield Page(docs=[], cursor={"file": None, "row": 0, "taken": taken}, last=True, asked_at=asked_at)
        for one in new:
            docs = self._documents(resource, row, one)
            begin = int(state["row"]) if state["file"] == one.key else 0
            more = True
            while more:
                page, begin = docs[begin : begin + size], begin + size
                more = begin < len(docs)
                taken = taken if more else [*taken, one.key]
                at = {"file": one.key, "row": begin} if more else {"file": None, "row": 0}
                last = not more and one is new[-1]
                yield Page(docs=page, cursor={**at, "taken": taken}, last=last, asked_at=asked_at)

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """From the newest file where each is the whole list. Raises Misconfigured where files are news."""
        row = self._row(resource)
        if not row.get("whole"):
            raise Misconfigured(f"{self.channel}: {resource}: a file that is news cannot be asked for one document")
        files = self._listed(resource, row)
        docs = self._documents(resource, row, files[-1]) if files else []
        by_id = {id_of(self.resources[resource], doc): doc for doc in docs}
        return {id: by_id.get(id) for id in ids}

    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order; the writes of up to ``batch`` are one file, there whole or not at all."""
        row, facts = self._row(resource), self.resources[resource]
        for start in range(0, len(writes), facts.batch):
            yield from self._put(resource, row, writes[start : start + facts.batch])

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """By the file of the write's name; one that is not there never came, or was taken: its name is used again."""
        row = self._row(resource)
        for write in writes:
            with self._asking(resource) as (storage, root):
                there = storage.exists(_joined(root, _named(row, [write])))
            if there:
                yield Receipt(outcome="applied", id=write.id or write.key)
            else:
                yield Receipt(outcome="rejected", detail=NOT_FOUND + "it may be written again under its name")

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _row(self, resource: str) -> Mapping[str, Any]:
        if resource not in self._rows:
            raise Misconfigured(f"{self.channel}: no resource `{resource}`; there are {', '.join(self._rows)}")
        return self._rows[resource]

    def _listed(self, resource: str, row: Mapping[str, Any]) -> list[Found]:
        """The complete files of the resource, the oldest first."""
        pattern = PurePosixPath(row["path"])
        now, found = datetime.now(UTC).timestamp(), []
        with self._asking(resource) as (storage, root):
            folder = _joined(root, pattern.parent)
            if not storage.isdir(folder):
                if not self._objects or not storage.isdir(root.partition("/")[0]):
                    raise FileNotFoundError(folder)
                return []  # a bucket has no folders: an empty one is none
            for entry in storage.ls(folder, detail=True):
                name = PurePosixPath(entry["name"]).name
                if entry["type"] != "file" or not fnmatchcase(name, pattern.name) or name.startswith("."):
                    continue
                at = _seconds(entry.get("mtime", entry.get("LastModified", 0)))
                if not name.endswith(UNDER_WAY) and now - at >= float(row.get("rest", 2)):
                    tag = str(entry.get("ETag", "")).strip('"')
                    found.append((at, Found(path=str(entry["name"]), mark=f"{entry['size']}:{at:.6f}{tag}")))
        return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].path))]

    def _archived(
        self, resource: str, row: Mapping[str, Any], files: Sequence[Found], taken: Sequence[list[str]]
    ) -> tuple[list[Found], list[list[str]]]:
        """What still lies there, and what of it was taken, after the files that were taken have been put away."""
        keep = [one for one in files if one.key not in taken or (row.get("whole") and one is files[-1])]
        if row.get("archive") is not None and self.lane not in LOOKING:
            for one in files:
                if one not in keep:
                    self._moved(resource, one.path, str(row["archive"]))
            files = keep
        there = [one.key for one in files]
        return list(files), [key for key in taken if key in there]

    def _documents(self, resource: str, row: Mapping[str, Any], one: Found) -> list[Doc]:
        """All documents of a file. A malformed one is put away; raises ShapeChanged."""
        with self._asking(resource) as (storage, _):
            data = storage.cat_file(one.path)
        try:
            docs = list(READ[row["format"]](data, row))
            lacking = next((n for n, doc in enumerate(docs, 1) if id_of(self.resources[resource], doc) is None), None)
            if lacking is not None:
                raise Malformed(lacking, f"document {lacking} has no `{row['id']}`")
        except Malformed as fault:
            said = masked(str(fault), self._used)
        else:
            return docs
        name, place = PurePosixPath(one.path).name, str(row.get("quarantine", "quarantine"))
        if self.lane in LOOKING:
            raise ShapeChanged(f"{self.channel}: {resource}: {name}: {said}; a pull would put it into {place}; mend it")
        kept = self._moved(resource, one.path, place)
        with self._asking(resource) as (storage, _):
            storage.pipe_file(f"{kept}.why.txt", f"{said}\n".encode())
        raise ShapeChanged(
            f"{self.channel}: {resource}: {name}: {said}; nothing of it was taken, it lies in {place}: mend it and put "
            "it back, or ask whoever sends it"
        )

    def _moved(self, resource: str, path: str, folder: str) -> str:
        """Puts a file away under its name, or under another one where that is taken; where it is now."""
        with self._asking(resource) as (storage, root):
            name = PurePosixPath(path).name
            if not self._objects:
                storage.makedirs(_joined(root, folder), exist_ok=True)
            target = _joined(root, PurePosixPath(folder) / name)
            if storage.exists(target):
                target += f".{hashlib.sha256(f'{path}{storage.info(path)}'.encode()).hexdigest()[:8]}"
            storage.mv(path, target)
        return target

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _put(self, resource: str, row: Mapping[str, Any], writes: Sequence[Write]) -> list[Receipt]:
        if not row.get("write"):
            raise Misconfigured(f"{self.channel}: {resource}: its description does not say `write: true`")
        gone = [write for write in writes if write.op == "delete"]
        kept = [write for write in writes if write.op != "delete"]
        refused = [Receipt(outcome="rejected", id=write.id, detail="a file cannot delete") for write in gone]
        if not kept:
            return refused
        try:
            data = WRITTEN[row["format"]]([write.doc for write in kept], row)
        except ValueError as fault:
            if len(writes) == 1:
                return [Receipt(outcome="rejected", id=writes[0].id, detail=masked(str(fault), self._used))]
            half = len(writes) // 2  # one document that has no place in the file rejects itself only
            return [*self._put(resource, row, writes[:half]), *self._put(resource, row, writes[half:])]
        with self._asking(resource) as (storage, root):
            path = PurePosixPath(_joined(root, _named(row, kept)))
            if self._objects:
                storage.pipe_file(str(path), data)  # an object is there whole or not at all
            else:
                storage.makedirs(str(path.parent), exist_ok=True)
                under_way = str(path.with_name(f".{path.name}.part"))
                storage.pipe_file(under_way, data)
                storage.mv(under_way, str(path))
        told = {write.key: Receipt(outcome="applied", id=write.id or write.key) for write in kept}
        told |= {write.key: receipt for write, receipt in zip(gone, refused, strict=True)}
        return [told[write.key] for write in writes]

    # ── the storage ──────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _asking(self, resource: str) -> Iterator[tuple[Any, str]]:
        """The storage and the channel's folder in it. Raises Misconfigured or RetryLater."""
        self.ports.budget.take(1, self.lane)
        where = f"{self.channel}: {resource}"
        problem: ConnectorError | None = None
        try:
            yield self._opened()
        except (FileNotFoundError, NotADirectoryError):
            problem = Misconfigured(f"{where}: there is no such folder at `url`; make it, or correct `path` and `url`")
        except PermissionError:
            problem = Misconfigured(f"{where}: the account may not do this there; grant it")
        except ImportError as fault:
            problem = Misconfigured(f"{where}: {fault}; install that package")
        except (ConnectorError, Malformed):
            raise
        except Exception as fault:  # noqa: BLE001 (storages raise what their libraries raise; none may carry a secret on)
            kind = type(fault).__name__
            self._storage = None
            problem = (
                Misconfigured(f"{where}: the storage refuses the credential ({kind}); set the secrets again")
                if "Auth" in kind or "Credential" in kind
                else RetryLater(f"{where}: the storage cannot be reached ({kind})", after=AWAY)
            )
        if problem is not None:
            raise problem

    def _opened(self) -> tuple[Any, str]:
        if self._storage is None:
            parts = urlsplit(self.url)
            if parts.scheme in ("", "file"):
                self._storage = fsspec.filesystem("file"), self.url.removeprefix("file:").removeprefix("//")
                return self._storage
            named = self.options.get("secrets") or {}
            given = {name: self.ports.secrets.get(name) for name in named}
            self._used = list(given.values())
            if parts.scheme == "sftp":
                self._storage = fsspec.filesystem(
                    "sftp", host=parts.hostname, port=parts.port or 22, username=given.get("user"),
                    password=given.get("password"), timeout=10, banner_timeout=10, skip_instance_cache=True,
                ), parts.path
            elif self._objects:
                self._storage = fsspec.filesystem(
                    "s3", key=given.get("user"), secret=given.get("password"),
                    endpoint_url=self.options.get("endpoint"),
                    client_kwargs={"region_name": self.options.get("region")}, config_kwargs=PATIENCE,
                    use_listings_cache=False, skip_instance_cache=True,
                ), f"{parts.netloc}{parts.path}".rstrip("/")
            else:
                self._storage = fsspec.filesystem(parts.scheme, skip_instance_cache=True, **given), (
                    f"{parts.netloc}{parts.path}"
                )
        return self._storage


def _checked(where: str, row: Any) -> Mapping[str, Any]:
    """A row of the description. Raises Misconfigured."""
    if not isinstance(row, Mapping) or not set(row) <= set(_KEYS):
        odd = ", ".join(sorted(set(row) - set(_KEYS))) if isinstance(row, Mapping) else repr(row)
        raise Misconfigured(f"{where}: found {odd}; allowed: {', '.join(_KEYS)}")
    if not row.get("path") or not row.get("id"):
        raise Misconfigured(f"{where}: `path`, such as in/prices-*.csv, and `id` are missing")
    if row.get("format") not in READ:
        raise Misconfigured(f"{where}: `format`: found {row.get('format')!r}; allowed: {', '.join(READ)}")
    needed = _NEEDS.get(row["format"])
    if needed is not None and needed not in row:
        raise Misconfigured(f"{where}: `{needed}` is missing: what one element of the list is called")
    if row.get("write") and row["format"] not in WRITTEN:
        raise Misconfigured(f"{where}: {row['format']} is only read; what is written: {', '.join(WRITTEN)}")
    if row.get("write") and "*" not in str(row["path"]):
        raise Misconfigured(f"{where}: `path` of what is written has a *, which becomes the file's own name")
    return row


def _facts(row: Mapping[str, Any]) -> Resource:
    return Resource(
        path=str(row["path"]), items="", id=str(row["id"]), updated=None, page_size=int(row.get("page_size", 500)),
        create="PUT /" if row.get("write") else None, update="PUT /" if row.get("write") else None,
        batch=int(row.get("batch", 1)), returns_doc=False, partial_update=False, stock_kind=row.get("stock_kind"),
        complete=bool(row.get("whole", False)), ours=bool(row.get("write", False)),
    )


def _named(row: Mapping[str, Any], writes: Sequence[Write]) -> str:
    """The path of the file that holds these writes."""
    mark = writes[0].key
    if len(writes) > 1 or not re.fullmatch(r"[\w-]+", mark):
        mark = hashlib.sha256("\n".join(write.key for write in writes).encode()).hexdigest()[:16]
    return str(row["path"]).replace("*", mark)


def _joined(root: str, path: PurePosixPath | str) -> str:
    return str(PurePosixPath(root) / path)


def _seconds(at: Any) -> float:
    return at.timestamp() if isinstance(at, datetime) else float(at or 0)
