"""The contract between Serai and one account of a platform: documents in, documents out, and what may go wrong.

What surprises here:

* Position lives in the cursor, never in an object: any page's cursor, given to a fresh connector, yields the same rest.
* ``Page.asked_at`` is when the request *began*, by the database's clock: what the platform changed while answering is
  newer than the page (promise P5).
* A write that timed out is not rejected, it is ``unknown``; only ``settle`` may find out what became of it (P3).
* A rejection is a receipt, not an exception: one bad record never stops a page (P6).

Errors stand in errors.py, ports in ports.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias

from msgspec import Struct

from connectors.errors import Forged, Misconfigured
from connectors.limits import Limit
from connectors.ports import Ports
from connectors.verified import Verified

Doc: TypeAlias = dict[str, Any]
"""A native document as the platform wrote it: JSON with exact Decimals."""
Cursor: TypeAlias = dict[str, Any]
"""Where a read stands: JSON, written by the connector, opaque to everybody else."""
Op: TypeAlias = Literal["create", "update", "delete"]
Outcome: TypeAlias = Literal["applied", "rejected", "accepted", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Documents of one answer and the cursor *after* them; ``last`` ends the scan, its cursor starts the next one."""

    docs: Sequence[Doc]
    cursor: Cursor
    last: bool
    asked_at: datetime


class Write(Struct, frozen=True, kw_only=True):
    """One intended change of one document.

    ``key`` is the idempotency key, fixed before the first attempt and the same at each; it is also *our reference*
    where the platform stores one. ``id`` is None for a create. ``expected`` is the version the platform must still
    hold (None: do not check). ``ticket`` is what an earlier ``accepted`` receipt left.
    """

    key: str
    op: Op
    doc: Doc
    id: str | None = None
    expected: str | None = None
    ticket: str | None = None
    attempt: int = 1


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of one write: applied, rejected (``detail`` says why), accepted (``ticket``) or unknown.

    ``doc`` is the document as the platform now holds it, where the answer carries it. From ``settle``, ``rejected``
    with ``id`` None and a detail "not found…" means that the write never arrived and may be sent again. ``stale``: it
    was rejected because the document is at another version than the write expected.
    """

    outcome: Outcome
    id: str | None = None
    doc: Doc | None = None
    ticket: str | None = None
    detail: str = ""
    stale: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Verified news of a change; ``delivery`` is its key, ``at`` the source's moment, ``doc`` where trustworthy."""

    delivery: str
    resource: str
    id: str
    at: datetime
    doc: Doc | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A message that a platform kept for us and that is no notice: its id there, and why; never what it says."""

    id: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """An inbound HTTP request as the receiver saw it. Header names are lower case; ``at`` is its arrival."""

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """Notices to store durably before ``status`` and ``reply`` go back to the sender."""

    notices: Sequence[Notice] = ()
    status: int = 202
    reply: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """Facts about one collection of a platform. Behaviour that does not fit these facts is a method override.

    ``path`` is relative to the channel's address; ``items`` the path of the list in an answer ("" for a bare list);
    ``id`` and ``updated`` are paths in a document; ``since`` names the query parameter for "changed at or after"
    (None: every read is a full scan); ``lag`` is the overlap in seconds re-read behind the watermark, longer than the
    platform's longest transaction; ``params`` go with each read; ``select`` is the query parameter that names the
    fields wanted of each document, joined by commas (None: all come); ``paging`` names a function of paging.py;
    ``embed`` the key a written document is wrapped in; ``create``, ``update``, ``delete`` are "METHOD path" templates
    with ``{id}``; ``batch`` the largest number of writes in one call (1: none); ``batch_path`` "METHOD path" of the
    batch call, ``batch_options`` the names in it (writes.py); ``fetch`` the path of one document (``{id}``; None:
    ``path/{id}``) or of up to ``fetch_size`` (``{ids}``, joined by commas); ``reference`` the query parameter that
    finds a document by our key; ``reference_field`` where our key stands in it; ``key_header`` the header of the
    idempotency key; ``version`` the path of a document's version and ``expect`` the header that makes a write depend
    on it (If-Match; set, it also stands in batches); ``partial_update``: an omitted field is kept (True) or cleared
    (False); ``returns_doc``: an answer to a write carries the whole document; ``stock_kind`` what its stock figure
    means; ``visible_after`` seconds until a written document can be found; ``supersedes``: a write that was accepted
    and not yet taken may be replaced by a later one of the same document; ``ours``: all that is in it came from us, so
    that nothing can be there already; ``complete``: a full read lists all there is (False: it is news only, and nothing
    follows from what it lacks); ``compare_and_set``: every change, a sale too, moves ``version``, and a write
    with `Write.expected` is carried out only while the document is at that version (a figure that a platform compares
    itself, as Shopify's ``changeFromQuantity``, is such a version); ``parts``: field → path (``{id}``) of a list that
    has an address of its own and belongs into each document (one more call per document; generic_rest);
    ``repeatable``: a write that nobody answered is sent again, since it does no harm twice (an absolute value).
    """

    path: str
    items: str = "items"
    id: str = "id"
    updated: str | None = "updated_at"
    since: str | None = None
    lag: float = 5.0
    params: Mapping[str, str] = field(default_factory=dict)
    select: str | None = None
    paging: str = "cursor"
    paging_options: Mapping[str, str] = field(default_factory=dict)
    page_size: int = 250
    fetch: str | None = None
    fetch_size: int = 50
    embed: str | None = None
    create: str | None = None
    update: str | None = None
    delete: str | None = None
    batch: int = 1
    batch_path: str | None = None
    batch_options: Mapping[str, str] = field(default_factory=dict)
    reference: str | None = None
    reference_field: str | None = None
    key_header: str | None = None
    version: str | None = None
    expect: str | None = None
    partial_update: bool = True
    returns_doc: bool = True
    stock_kind: str | None = None
    visible_after: float = 0.0
    supersedes: bool = False
    ours: bool = False
    complete: bool = True
    compare_and_set: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False


class Connector(ABC):
    """One account of a platform; native documents only. ``verified`` says what it was tried on, and when; ``limits``
    what the platform publishes that it allows, by bucket (the channel's setting ``limits`` wins); ``scopes`` the rights
    that reading and writing a resource need.

    ``options`` are the channel's settings as its YAML has them (secrets still as references), ``fields`` the fields
    wanted per resource (empty: all). ``lane`` ("live", "backfill", …) goes with each ``budget.take``. ``listens``: what
    the platform keeps for us can be waited for there, so that it is heard of at once."""

    platform: ClassVar[str]
    listens: bool = False
    verified: Verified = Verified()
    limits: ClassVar[Mapping[str, Limit]] = {}
    scopes: Mapping[str, Sequence[str]] = {}
    resources: Mapping[str, Resource]

    def __init__(
        self, *, channel: str, url: str, options: Mapping[str, Any], ports: Ports,
        fields: Mapping[str, Sequence[str]] | None = None, lane: str = "live",
    ) -> None:
        self.channel = channel
        self.url = url.rstrip("/")
        self.options = options
        self.ports = ports
        self.fields = fields or {}
        self.lane = lane

    @abstractmethod
    def check(self) -> None:
        """One cheap call; raises Misconfigured naming the missing scope, RetryLater when the system is away."""

    @abstractmethod
    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on (None: from page one, everything). Each page's cursor resumes after it."""

    @abstractmethod
    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once; None: the platform says that it does not exist. Forbidden raises Misconfigured."""

    @abstractmethod
    def write(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order, also on partial failure; raising: those without one were not sent."""

    @abstractmethod
    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per accepted or unknown write, in order: by ticket, our reference, or id; sends nothing."""

    def granted(self) -> frozenset[str] | None:
        """The rights we have; None: the platform does not say."""
        return None

    def close(self) -> None:  # noqa: B027 (a connector that keeps nothing has nothing to do)
        """Afterwards no connection is kept."""

    def subscribe(self, url: str) -> None:
        """Afterwards the platform notifies ``url``; calling it again changes nothing."""
        raise Misconfigured(f"{self.channel}: {self.platform} sends no notices; rely on schedule and reconcile")

    def receive(self, request: Request) -> Received:
        """Verifies an inbound request and names what changed; raises Forged."""
        raise Forged(f"{self.channel}: {self.platform} sends no notices")

    def kept(self, wait: float = 0.0) -> Iterator[Sequence[Notice | Unreadable]]:
        """Notices that the platform keeps until they are asked for; who goes on past some has stored them. One that
        `listens` waits so many seconds for the first."""
        return iter(())
