"""The contract between Serai and one account of a platform: documents in, documents out, and what may go wrong.

What surprises here:

* Position lives in the cursor, never in an object: any page's cursor, given to a fresh connector, yields the same rest.
* ``Page.asked_at`` is when the request *began*, by the database's clock: what the platform changed while answering is
  newer than the page (promise P5).
* A write that timed out is not rejected, it is ``unknown``; only ``settle`` may find out what became of it (P3).
* A rejection is a receipt, not an exception: one bad record never stops a page (P6).

Errors, by what to do next::

    ConnectorError
    ├── RetryLater(after)      the platform is busy or away; the same call may succeed after `after` seconds
    ├── Misconfigured          a person must act: a secret, a scope, an address; retrying is useless
    ├── Forged                 a notice that this channel did not send; refuse it, tell nobody what was wrong
    ├── ShapeChanged           the answer is not what the platform's contract says; nothing of it may be believed
    └── Stopped                mode, lease or the red button forbid a further request
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from connectors.limits import Limit

from msgspec import Struct

Doc: TypeAlias = dict[str, Any]
"""A native document as the platform wrote it: JSON with exact Decimals."""
Cursor: TypeAlias = dict[str, Any]
"""Where a read stands: JSON, written by the connector, opaque to everybody else."""
Op: TypeAlias = Literal["create", "update", "delete"]
Outcome: TypeAlias = Literal["applied", "rejected", "accepted", "unknown"]


class ConnectorError(Exception):
    """What a platform did to us. The message names the channel and the remedy, never a secret."""


class RetryLater(ConnectorError):
    """The same call may succeed after ``after`` seconds (the platform's own figure where it gave one)."""

    def __init__(self, message: str, *, after: float) -> None:
        super().__init__(message)
        self.after = after


class Misconfigured(ConnectorError):
    """A person must act: the message names the setting, secret or scope that is missing. Retrying is useless."""


class Forged(ConnectorError):
    """A notice whose signature, age or delivery is not this channel's. It is refused and leaves no trace in data."""


class ShapeChanged(ConnectorError):
    """The answer does not have the shape its contract says; a missing list is never an empty page."""


class Stopped(ConnectorError):
    """No further request may begin: the mode, the lease or the red button forbid it."""


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
    itself, as Shopify's ``changeFromQuantity``, is such a version).
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


class Secrets(Protocol):
    """Resolves a secret's name at the moment of use."""

    def get(self, name: str) -> str:
        """The value; raises Misconfigured naming the reference when there is none."""


class Tokens(Protocol):
    """A channel's short-lived tokens, shared by all workers."""

    def load(self) -> tuple[int, Mapping[str, str]]:
        """The version and the tokens; version 0 and an empty mapping when there are none."""

    def swap(self, version: int, tokens: Mapping[str, str]) -> bool:
        """Store if the version is still the one loaded; False: somebody else was faster, load again."""


class Budget(Protocol):
    """Asked before each request begins; what a platform allows an account is shared by all workers (limits.py)."""

    def take(self, n: float, lane: str, bucket: str = "") -> None:
        """Returns when a request that costs ``n`` may begin; raises Stopped on mode, lease or pause, or RetryLater."""

    def told(self, available: float, bucket: str = "") -> None:
        """The platform says that so much is left."""

    def refused(self, after: float, bucket: str = "") -> None:
        """The platform turned a request down; nobody asks before ``after`` seconds have gone."""


class Clock(Protocol):
    """The database's time."""

    def now(self) -> datetime:
        """An aware moment in UTC."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """What a connector may ask of the house it runs in."""

    secrets: Secrets
    tokens: Tokens
    budget: Budget
    clock: Clock


class SystemClock:
    """This machine's clock, for tools that run without a registry."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)


class Connector(ABC):
    """One account of a platform; native documents only. ``verified`` says what it was tried on, and when; ``limits``
    what the platform publishes that it allows, by bucket (the channel's setting ``limits`` wins); ``scopes`` the rights
    that reading and writing a resource need.

    ``options`` are the channel's settings as its YAML has them (secrets still as references), ``fields`` the fields
    wanted per resource (empty: all). ``lane`` ("live", "backfill", …) goes with each ``budget.take``."""

    platform: ClassVar[str]
    verified: ClassVar[str] = "not recorded"
    limits: ClassVar[Mapping[str, Limit]] = {}
    scopes: Mapping[str, Sequence[str]] = {}
    resources: Mapping[str, Resource]

    def __init__(
        self,
        *,
        channel: str,
        url: str,
        options: Mapping[str, Any],
        ports: Ports,
        fields: Mapping[str, Sequence[str]] | None = None,
        lane: str = "live",
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


def in_order(writes: Iterable[Write], receipts: Mapping[str, Receipt]) -> Iterator[Receipt]:
    """Receipts in the order of their writes; a write the platform's answer passed over is unknown."""
    for write in writes:
        found = receipts.get(write.key)
        if found is None:
            found = Receipt(outcome="unknown", id=write.id, detail="the answer did not mention it")
        yield found
