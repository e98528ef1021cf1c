"""Where settings, registry, connectors and compiled mappings become one house; everything above receives a `House`.

What surprises here: opening a house asks no system anything: connectors are built on first use, one per thread, channel
and lane.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from cryptography.fernet import Fernet

from connectors import CATALOG, speaker
from connectors.base import Connector, Doc, Resource
from connectors.errors import Misconfigured
from connectors.limits import Limit, read_limits
from connectors.ports import Ports
from flows.budgets import Budget
from flows.ledger import Account, Direction, Ledger
from flows.ports import EnvironmentSecrets, RegistryTokens, resolve
from flows.release import on_disk, released
from flows.routes import PlatformMappings, Route, load_mappings, routes_of
from flows.settings import ENTITIES, STATE, Channel, Order, Project, load_project
from mappings import canonical
from mappings.commerce.prices.taxes import rate
from mappings.language import LintError, LintErrors
from registry import (
    ChannelSetting,
    Parked,
    Registry,
    Release,
    RunRow,
    Tx,
    decode,
    mark_due,
    new_uids,
    newest_release,
    open_registry,
    put_channels,
    put_run,
)

ENDS_WITHIN = 60.0
"""Seconds that whoever closes a house waits for those at work in it."""
OURS = "serai-"
"""How every idempotency key begins: a document that carries one was written by us."""
RELEASE = "release"
"""How the cause of a write begins that follows from a release: a person planned and applied it."""


@dataclass(kw_only=True)
class House:
    """A retailer's project, opened: settings, registry, compiled mappings, connectors on demand.

    ``release`` is the one in force when it was opened; without one, mappings, authority and policies are the disk's,
    and ``read_from`` tells what was there then.
    """

    rehearses: ClassVar[bool] = False
    """Whether nothing is asked of any channel: a plan is tried out."""
    project: Project
    registry: Registry
    mappings: Mapping[str, PlatformMappings]
    release: Release | None = None
    read_from: str = ""
    owner: str = field(default_factory=lambda: f"{os.uname().nodename}:{os.getpid()}")
    claim_seconds: float = 60.0
    paces: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    """(channel, entity) → the seconds that a write took of late, with its answer; (channel, ``read`` and a resource) →
    those that a document took to be committed."""
    beside: set[threading.Thread] = field(default_factory=set, repr=False)
    """Threads at work for somebody who waits no longer; who closes the house waits for them."""
    _local: threading.local = field(default_factory=threading.local, repr=False)

    def claims(self, channel: str) -> float:
        """Seconds for which writes to the channel are their worker's: one that begins in the first half is answered."""
        return max(self.claim_seconds, 2 * self.channel(channel).timeout)

    @property
    def settings(self) -> Project:
        """The project's settings."""
        return self.project

    @property
    def release_number(self) -> int | None:
        """The release under which this house works; None where it follows the disk."""
        return None if self.release is None else self.release.number

    @property
    def release_cause(self) -> str:
        """What made a write due that follows from other mappings, authority or policies: a person put them in force."""
        return "checkout" if self.release is None else f"{RELEASE} {self.release.number}"

    def outdated(self) -> bool:
        """Whether another release is in force by now, or, where the disk is followed, a file was saved since.

        Whoever works for long asks from time to time, and opens the house anew.
        """
        if self.release is None and follows_disk():
            return on_disk(self.project).hash != self.read_from
        with self.registry.read() as tx:
            newest = newest_release(tx)
        return newest is not None and newest.number != self.release_number

    def renew(self) -> None:
        """Afterwards this house works with what is in force now; for who only shows and asks. Raises LintErrors."""
        fresh = reopened(self)
        self.project, self.mappings, self.release = fresh.project, fresh.mappings, fresh.release
        self.read_from = fresh.read_from
        self.__dict__.pop("routes", None)

    @cached_property
    def key(self) -> Fernet:
        """The key that seals tokens: $SERAI_KEY, else one kept beside the registry, readable by its owner only."""
        return Fernet(self._sealing)

    @cached_property
    def secret(self) -> bytes:
        """What pseudonyms are made with: it follows from the key, and says nothing of it."""
        return hashlib.blake2b(self._sealing, person=b"pseudonyms").digest()

    @cached_property
    def _sealing(self) -> bytes:
        given = os.environ.get("SERAI_KEY")
        if given is not None:
            return given.encode()
        path = self.project.state / "key"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(base64.urlsafe_b64encode(os.urandom(32)))
        return path.read_bytes()

    def channel(self, name: str) -> Channel:
        """The channel of that name; raises Misconfigured naming those there are."""
        try:
            return self.project.channels[name]
        except KeyError:
            raise Misconfigured(
                f"there is no channel {name!r}; channels.yaml has {', '.join(self.project.channels)}"
            ) from None

    def of(self, channel: str) -> PlatformMappings:
        """The mappings of a channel's platform."""
        return self.mappings[self.channel(channel).platform]

    def connector(self, channel: str, lane: str = "live") -> Connector:
        """The channel's connector for a lane, kept per thread. Raises Misconfigured."""
        kept: dict[tuple[str, str], Connector] = self._local.__dict__.setdefault("kept", {})
        if (channel, lane) not in kept:
            kept[channel, lane] = self._connect(self.channel(channel), lane)
        return kept[channel, lane]

    def offered(self, channel: str) -> Collection[str] | None:
        """The resources that the connector of a channel's platform has by itself; None: its description names them."""
        row = self.channel(channel)
        return None if row.description is not None else getattr(CATALOG.get(row.platform), "resources", None)

    def _connect(self, row: Channel, lane: str) -> Connector:
        name = row.platform if row.description is None else speaker(row.description)
        if name not in CATALOG:
            raise Misconfigured(
                f"{row.name}: unknown platform {row.platform!r}; known: {', '.join(sorted(CATALOG))}, "
                "or describe a private system in platforms/<name>.yaml"
            )
        options = {**row.settings, "timeout": row.timeout, "secrets": row.secrets, "platform": row.platform}
        if row.description is not None:
            options["description"] = row.description
        return CATALOG[name](
            channel=row.name, url=self._address(row), options=options, ports=self._ports(row), lane=lane,
            fields=self._wanted(row.platform),
        )

    def _wanted(self, platform: str) -> dict[str, list[str]]:
        """Resource → the paths of its documents that any mapping reads or writes: nothing else has to be asked for."""
        wanted: dict[str, set[str]] = {}
        of = self.mappings.get(platform)
        if of is None:
            return {}
        for resource, mapping in of.inward.items():
            wanted.setdefault(resource, set()).update(mapping.needs)
        for group in of.outward.values():
            if group.mapping.resource in wanted:
                wanted[group.mapping.resource] |= {
                    row.field for row in group.mapping.lineage if (row.direction, row.part) == ("outward", "fields")
                }
        return {resource: sorted(paths) for resource, paths in wanted.items()}

    def _address(self, row: Channel) -> str:
        """The channel's address; a folder (``file:…``) is the project's unless it begins at the root."""
        found = resolve(row.url, f"{row.name}: url")
        if found.startswith("file:"):
            return f"file:{self.project.folder / found.removeprefix('file:').removeprefix('//')}"
        return found

    def _ports(self, row: Channel) -> Ports:
        return Ports(
            secrets=EnvironmentSecrets(channel=row.name, references=row.secrets),
            tokens=RegistryTokens(self.registry, row.name, lambda: self.key),
            budget=Budget(self.registry, row.name, self._limits(row)), clock=self.registry,
        )

    def _limits(self, row: Channel) -> Mapping[str, Limit]:
        """What the platform allows this account: its own plan's figures, else the published ones."""
        for where, given in (
            (f"{row.name}: settings.limits", row.settings.get("limits")),
            (f"platforms/{row.platform}.yaml: limits", (row.description or {}).get("limits")),
        ):
            if given is not None:
                return read_limits(where, given)
        return {} if row.description is not None else CATALOG[row.platform].limits

    def descriptor(self, channel: str, resource: str) -> Resource:
        """The facts about a resource of a channel's platform."""
        resources = self.connector(channel).resources
        if resource not in resources:
            raise Misconfigured(f"{channel}: no resource {resource!r}; there are {', '.join(resources)}")
        return resources[resource]

    def context(self, channel: str, now: datetime, run: str = "") -> dict[str, Any]:
        """What a mapping may read besides its document: names and figures of channel and company, a frozen now."""
        row = self.channel(channel)
        company, prices = row.company, self.project.prices[channel]
        tax = rate(prices.taxes, company.id, None, now)
        return {
            "channel": channel, "settings": dict(row.settings), "now": moment_text(now), "run": run,
            "company": {
                "id": company.id, "name": company.name, "country": company.country, "currency": prices.currency,
                "tax": str(company.tax if tax is None else tax.rate), "price_list": prices.price_list,
                "zone": company.zone,
            },
        }

    @cached_property
    def references(self) -> dict[str, dict[str, str]]:
        """Entity → its reference field → the entity referred to, from the canonical schemas."""
        return {
            entity: {name: part["x-ref"] for name, part in schema["properties"].items() if "x-ref" in part}
            for entity, schema in canonical.schemas().items()
        }

    @cached_property
    def personal(self) -> dict[str, set[str]]:
        """Entity → its personal fields, which are shown nowhere."""
        return {
            entity: {name for name, part in schema["properties"].items() if part.get("x-personal")}
            for entity, schema in canonical.schemas().items()
        }

    @cached_property
    def routes(self) -> dict[str, list[Route]]:
        """Entity → the routes its changes take, over all channels that receive something."""
        return routes_of(self.project, self.mappings, self.references)

    def authority(self, entity: str) -> Mapping[str, Order]:
        """Who decides the entity's fields; where authority.yaml says nothing, whoever spoke first."""
        order = self.project.authority.get(entity, {"*": "origin"})
        loyalty = self.project.customers.loyalty
        if loyalty is not None and entity in ("customer", "gift_card"):      # copies of what one channel keeps
            keeper = loyalty.authority
            return {**order, "accounts": [keeper]} if entity == "customer" else {"*": [keeper]}
        return order

    def may_create(self, channel: str, entity: str) -> bool:
        """Whether documents of the channel that match no record make one: it is in the entity's ``*`` order."""
        order = self.authority(entity)["*"]
        return isinstance(order, str) or channel in order or "origin" in order

    def decides_alone(self, channel: str, entity: str) -> bool:
        """Whether a record that only this channel speaks of is exactly what it says."""
        return all(
            isinstance(order, str) or channel in order or "origin" in order
            for order in self.authority(entity).values()
        )

    def document_id(self, channel: str, resource: str, doc: Doc) -> str:
        """The id of a native document, as text."""
        return self.document_ids(channel, resource, [doc])[0]

    def document_ids(self, channel: str, resource: str, docs: Sequence[Doc]) -> list[str]:
        """The ids of native documents, as text."""
        found: Sequence[Any] = docs
        for step in self.descriptor(channel, resource).id.split("."):
            found = [one.get(step) if isinstance(one, dict) else None for one in found]
        return ["" if one is None else str(one) for one in found]

    def carries_ours(self, channel: str, resource: str, entity: str) -> bool:
        """Whether documents of the resource can carry the key under which we created them."""
        group = self.of(channel).outward.get(entity)
        return (group is not None and group.mapping.resource == resource
                and self.descriptor(channel, resource).reference_field is not None)

    def our_reference(self, channel: str, resource: str, entity: str, doc: Doc) -> str | None:
        """The key under which we created this document, where it carries one; None for everybody else's documents."""
        group = self.of(channel).outward.get(entity)
        path = self.descriptor(channel, resource).reference_field
        if group is None or path is None or group.mapping.resource != resource:
            return None
        found: Any = doc
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return found if isinstance(found, str) and found.startswith(OURS) else None

    def document_of(self, row: Parked) -> str:
        """The id of the document a parked item came from."""
        if row.document is None or row.resource is None:
            return row.external_id or ""
        return self.document_id(row.channel, row.resource, decode(row.document))

    def account(self, channel: str, what: str, direction: Direction) -> Account:
        """A new account of one step, with a run id of its own."""
        return Account(
            run=new_uids(1)[0], channel=channel, what=what, direction=direction, started_at=self.registry.now()
        )

    def finish(self, ledger: Ledger, error: str | None = None) -> Ledger:
        """Keeps the ledger in `run`, unless nothing happened at all; returns it."""
        if ledger.read > 0 or ledger.note or error is not None or ledger.direction == "inward":
            self.registry.attempt(lambda tx: put_run(tx, RunRow(
                run=ledger.run, channel=ledger.channel, what=ledger.what, direction=ledger.direction,
                started_at=ledger.started_at, ended_at=ledger.ended_at, read=ledger.read, balanced=ledger.balanced,
                counts=ledger.row()["counts"], error=error,
            )))
        return ledger

    def close(self) -> None:
        """Afterwards no connection of this house is open, and nobody works in it, unless it hangs for ENDS_WITHIN."""
        until = time.monotonic() + ENDS_WITHIN
        for thread in tuple(self.beside):
            thread.join(max(0.0, until - time.monotonic()))
        self.registry.close()


def not_there(entity: str, channel: str) -> str:
    """Why a write waits: what it refers to has no id on the channel. Whoever brings one wakes what waits for this."""
    return f"{entity} is not on {channel} yet"


def moment_text(at: datetime) -> str:
    """A moment as canonical text: UTC, Z, no fraction when it is zero."""
    return at.isoformat().replace("+00:00", "Z")


def registry_url(state: Path) -> str:
    """$SERAI_REGISTRY, else an SQLite file in the folder of the project's state."""
    return os.environ.get("SERAI_REGISTRY") or f"sqlite:///{state / 'registry.db'}"


DEV = "SERAI_DEV"


def follows_disk() -> bool:
    """Whether this process runs what is on disk, release or not: $SERAI_DEV is 1 (``serai up --dev``, the demo)."""
    return os.environ.get(DEV) == "1"


def open_house(
    folder: Path | str, *, registry: Registry | None = None, disk: bool = False, writing: str | None = None
) -> House:
    """The house of a project folder, its registry migrated, its channels known with their first modes.

    Mappings, authority and policies are those of the release in force; the disk's before the first release, where
    `follows_disk`, and for who asks for the ``disk``: plans are about what is there. ``writing``: for a decision that
    is in a hurry, only the mappings that write this entity, and of channels and dates nothing is noted.
    """
    root = Path(folder).resolve()
    if registry is None:
        if not _stored(root):       # before there is anything, a mistake in the settings leaves no trace
            load_mappings(load_project(folder))
        registry = open_registry(registry_url(root / STATE))
        registry.migrate()
    house = _read(folder, registry, disk=disk, writing=writing)
    if writing is not None:
        return house
    rows: list[ChannelSetting] = [
        (channel.name, channel.platform, channel.company.id, dict(channel.entities))
        for channel in house.project.channels.values()
    ]

    def known(tx: Tx) -> None:
        put_channels(tx, rows)
        if not disk:
            mark_due(tx, later_prices(house, tx.now))

    from flows.repricing import later_prices  # it is about houses, and they begin here

    registry.attempt(known)
    _collect_rarely()
    return house


def reopened(house: House) -> House:
    """A house of the same folder and registry, with what is in force now. Raises LintErrors."""
    return _read(house.project.folder, house.registry)


def _read(folder: Path | str, registry: Registry, *, disk: bool = False, writing: str | None = None) -> House:
    with registry.read() as tx:
        release = None if disk or follows_disk() else newest_release(tx)
        content = None if release is None else released(tx, release)
    try:
        project = load_project(folder, rules=None if content is None else content.rules)
        seen = on_disk(project).hash if follows_disk() else ""     # before they are read, so that no save is missed
        compiled = load_mappings(project, content, writing)
    except LintErrors as found:
        if release is None:
            raise
        raise LintErrors([_no_longer_fits(error, release) for error in found.errors]) from None
    return House(project=project, registry=registry, mappings=compiled, release=release, read_from=seen)


def _no_longer_fits(error: LintError, release: Release) -> LintError:
    """A mistake seen with what was released, which had none then: channels, companies or Serai are others now."""
    on_disk_still = error.file.startswith(("channels", "companies", "platforms/"))
    return replace(
        error, file=error.file if on_disk_still else f"release {release.number}: {error.file}",
        allowed=f"{error.allowed} (of authority, policies and mappings release {release.number} counts, not the disk: "
                "`serai plan` and `serai apply` put the disk in force)",
    )


def _stored(root: Path) -> bool:
    """Whether the project's registry is there already."""
    return "SERAI_REGISTRY" in os.environ or (root / STATE / "registry.db").exists()


def _collect_rarely() -> None:
    """Has the garbage collector look less often, and never again at what is there now.

    A page is tens of thousands of objects that end with it. Looked at after every 700 of them (the interpreter's
    default), with all modules each few thousand times that, they cost a quarter of a sync.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@contextmanager
def opened(folder: Path | str, *, disk: bool = False, writing: str | None = None) -> Iterator[House]:
    """`open_house`, closed afterwards."""
    house = open_house(folder, disk=disk, writing=writing)
    try:
        yield house
    finally:
        house.close()


def entity_order(entities: Sequence[str]) -> list[str]:
    """Entities so that each comes after those it may refer to."""
    return sorted(entities, key=ENTITIES.index)
