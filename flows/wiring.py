"""Where settings, registry, connectors and compiled mappings become one house; everything above receives a `House`.

What surprises here: opening a house asks no system anything: connectors are built on first use, one per thread, channel
and lane. A connector of the lane ``write`` asks the red button before every request; its answer is at most one second
old, so that no write begins later than two seconds after the button was pressed (promise P14).
"""

from __future__ import annotations

import base64
import gc
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from cryptography.fernet import Fernet

from connectors import CATALOG
from connectors.base import Connector, Doc, Misconfigured, Ports, Resource, Stopped
from flows.ledger import Account, Direction, Ledger
from flows.mapping_files import compile_file, mapping_files
from flows.release import Content, on_disk, released
from flows.settings import ENTITIES, STATE, Channel, Order, Project, load_project
from mappings import canonical
from mappings.language import LintError, LintErrors, Mapping as MappingFile
from registry import (
    ChannelSetting,
    Parked,
    Registry,
    Release,
    RunRow,
    Tx,
    decode,
    load_tokens,
    new_uids,
    newest_release,
    open_registry,
    paused,
    put_channels,
    put_run,
    swap_tokens,
)

OURS = "serai-"
"""How every idempotency key begins: a document that carries one was written by us."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """How an outward mapping groups records: ``base`` is the entity whose uid stands in the outbox.

    ``name`` is how bindings of the group are filed: the entity itself, or ``stock/variant`` for a grouped write, so
    that what we told about a group never collides with what the channel says of a single record.
    """

    entity: str
    base: str
    name: str
    joins: tuple[str, ...]
    needs: frozenset[str]
    mapping: MappingFile


@dataclass(frozen=True, kw_only=True)
class Route:
    """A change of an entity touches ``group`` on ``channel``; ``how`` tells where the group's uid is found.

    ``self``: the changed record is the group. ``holds``: the changed record refers to it in ``field``. ``held``: the
    group's base refers to the changed record in ``field``.
    """

    channel: str
    group: Group
    how: Literal["self", "holds", "held"]
    field: str = ""


@dataclass(frozen=True, kw_only=True)
class PlatformMappings:
    """The compiled mappings of one platform: by resource inward, by entity outward."""

    inward: Mapping[str, MappingFile]
    outward: Mapping[str, Group]


def routes_of(
    project: Project, loaded: Mapping[str, PlatformMappings], refers: Mapping[str, Mapping[str, str]]
) -> dict[str, list[Route]]:
    """Entity → the routes its changes take, computed from what channels receive and how their mappings group it."""
    routes: dict[str, list[Route]] = {}
    for channel in project.channels.values():
        for entity in channel.receives:
            group = loaded[channel.platform].outward.get(entity)
            if group is None:
                continue
            for changed in dict.fromkeys((group.entity, group.base, *group.joins)):
                route = _route(channel.name, group, changed, refers)
                if route is not None:
                    routes.setdefault(changed, []).append(route)
    return routes


def _route(channel: str, group: Group, changed: str, refers: Mapping[str, Mapping[str, str]]) -> Route | None:
    if changed == group.base:
        return Route(channel=channel, group=group, how="self")
    for name, target in refers.get(changed, {}).items():
        if target == group.base:
            return Route(channel=channel, group=group, how="holds", field=name)
    for name, target in refers.get(group.base, {}).items():
        if target == changed:
            return Route(channel=channel, group=group, how="held", field=name)
    return None


def load_mappings(project: Project, content: Content | None = None) -> dict[str, PlatformMappings]:
    """The mappings of every platform the project uses, those on disk or of a content.

    Raises LintErrors with the faults of all files.
    """
    errors: list[Any] = []
    loaded = {}
    for platform in sorted({channel.platform for channel in project.channels.values()}):
        inward: dict[str, MappingFile] = {}
        outward: dict[str, Group] = {}
        compilers = [
            partial(compile_file, project.folder, path) for path in mapping_files(project.folder, platform).values()
        ] if content is None else content.mappings(project.folder, platform)
        for compiled in compilers:
            try:
                mapping = compiled()
            except LintErrors as fault:
                errors.extend(fault.errors)
                continue
            if mapping.inward:
                inward[mapping.resource] = mapping
            if mapping.outward is not None:
                outward[mapping.outward.entity] = group_of(mapping)
        loaded[platform] = PlatformMappings(inward=inward, outward=outward)
    if errors:
        raise LintErrors(errors)
    return loaded


def group_of(mapping: MappingFile) -> Group:
    """How the outbox files the writes of an outward mapping."""
    head = mapping.outward
    if head is None:
        raise ValueError(f"{mapping.name} has no outward block")
    outward = mapping.source[mapping.source.index("def outward("):]
    joined = tuple(head.with_) + ((head.entity,) if head.per is not None and head.per != head.entity else ())
    return Group(
        entity=head.entity, base=head.per or head.entity, joins=joined, mapping=mapping,
        needs=frozenset(name for name in canonical.fields(head.entity) if f"'{name}'" in outward),
        name=head.entity if head.per in (None, head.entity) else f"{head.entity}/{head.per}",
    )


@dataclass(frozen=True, kw_only=True)
class EnvironmentSecrets:
    """Resolves ``env:NAME`` references of one channel when they are used, never earlier."""

    channel: str
    references: Mapping[str, str]

    def get(self, name: str) -> str:
        """The value; raises Misconfigured naming channel and reference when there is none."""
        reference = self.references.get(name)
        if reference is None:
            raise Misconfigured(
                f"{self.channel}: the platform needs the secret {name!r}; channels.yaml names "
                f"{', '.join(sorted(self.references)) or 'none'}: add `secrets: {{{name}: env:NAME}}`"
            )
        return resolve(reference, f"{self.channel}: secret {name!r}")


def resolve(reference: str, what: str) -> str:
    """The value behind ``env:NAME``; any other text is itself. Raises Misconfigured when the variable is not set."""
    if not reference.startswith("env:"):
        return reference
    value = os.environ.get(reference[4:])
    if value is None or value == "":
        raise Misconfigured(f"{what}: the environment variable {reference[4:]} is not set; set it and start again")
    return value


class RegistryTokens:
    """A channel's tokens in the registry, encrypted at rest with the project's key."""

    def __init__(self, registry: Registry, channel: str, key: Callable[[], Fernet]) -> None:
        self._registry, self._channel, self._key = registry, channel, key

    def load(self) -> tuple[int, Mapping[str, str]]:
        """Version and tokens; version 0 and nothing when there are none."""
        with self._registry.read() as tx:
            version, sealed = load_tokens(tx, self._channel)
        return version, json.loads(self._key().decrypt(sealed)) if sealed else {}

    def swap(self, version: int, tokens: Mapping[str, str]) -> bool:
        """Store if nobody stored since ``version``."""
        sealed = self._key().encrypt(json.dumps(dict(tokens)).encode())
        return self._registry.attempt(lambda tx: swap_tokens(tx, self._channel, version, sealed))


class RedButton:
    """Asked before each request: stops writes of a paused channel within two seconds."""

    def __init__(self, registry: Registry, channel: str) -> None:
        self._registry, self._channel = registry, channel
        self._paused, self._asked = False, -1.0

    def take(self, n: int, lane: str) -> None:
        """Returns when ``n`` requests may begin; raises Stopped when writes to the channel are paused."""
        if lane != "write":
            return
        if time.monotonic() - self._asked > 1:
            with self._registry.read() as tx:
                self._paused = self._channel in paused(tx)
            self._asked = time.monotonic()
        if self._paused:
            raise Stopped(f"{self._channel}: writes are paused; `serai channel {self._channel} resume` lets them go on")


@dataclass(kw_only=True)
class House:
    """A retailer's project, opened: settings, registry, compiled mappings, connectors on demand.

    ``release`` is the one in force when it was opened; without one, mappings, authority and policies are the disk's,
    and ``read_from`` tells what was there then.
    """

    project: Project
    registry: Registry
    mappings: Mapping[str, PlatformMappings]
    release: Release | None = None
    read_from: str = ""
    owner: str = field(default_factory=lambda: f"{os.uname().nodename}:{os.getpid()}")
    claim_seconds: float = 60.0
    _local: threading.local = field(default_factory=threading.local, repr=False)

    @property
    def settings(self) -> Project:
        """The project's settings."""
        return self.project

    @property
    def release_number(self) -> int | None:
        """The release under which this house works; None where it follows the disk."""
        return None if self.release is None else self.release.number

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
        given = os.environ.get("SERAI_KEY")
        if given is not None:
            return Fernet(given)
        path = self.project.state / "key"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(base64.urlsafe_b64encode(os.urandom(32)))
        return Fernet(path.read_bytes())

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

    def _connect(self, row: Channel, lane: str) -> Connector:
        name = "generic_rest" if row.description is not None else row.platform
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
        return resolve(row.url, f"{row.name}: url")

    def _ports(self, row: Channel) -> Ports:
        return Ports(
            secrets=EnvironmentSecrets(channel=row.name, references=row.secrets),
            tokens=RegistryTokens(self.registry, row.name, lambda: self.key),
            budget=RedButton(self.registry, row.name), clock=self.registry,
        )

    def descriptor(self, channel: str, resource: str) -> Resource:
        """The facts about a resource of a channel's platform."""
        resources = self.connector(channel).resources
        if resource not in resources:
            raise Misconfigured(f"{channel}: no resource {resource!r}; there are {', '.join(resources)}")
        return resources[resource]

    def context(self, channel: str, now: datetime, run: str = "") -> dict[str, Any]:
        """What a mapping may read besides its document: names and figures of channel and company, a frozen now."""
        row = self.channel(channel)
        company = row.company
        return {
            "channel": channel, "settings": dict(row.settings), "now": moment_text(now), "run": run,
            "company": {
                "id": company.id, "name": company.name, "country": company.country, "currency": company.currency,
                "tax": str(company.tax), "price_list": company.price_list, "zone": company.zone,
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
        return self.project.authority.get(entity, {"*": "origin"})

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
        steps = self.descriptor(channel, resource).id.split(".")
        ids = []
        for doc in docs:
            found: Any = doc
            for step in steps:
                found = found.get(step) if isinstance(found, dict) else None
            ids.append("" if found is None else str(found))
        return ids

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
        """Afterwards no connection of this house is open."""
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


def open_house(folder: Path | str, *, registry: Registry | None = None, disk: bool = False) -> House:
    """The house of a project folder, its registry migrated, its channels known with their first modes.

    Mappings, authority and policies are those of the release in force; the disk's before the first release, where
    `follows_disk`, and for who asks for the ``disk``: plans are about what is there.
    """
    root = Path(folder).resolve()
    if registry is None:
        if not _stored(root):       # before there is anything, a mistake in the settings leaves no trace
            load_mappings(load_project(folder))
        registry = open_registry(registry_url(root / STATE))
        registry.migrate()
    house = _read(folder, registry, disk=disk)
    rows: list[ChannelSetting] = [
        (channel.name, channel.platform, channel.company.id, dict(channel.entities))
        for channel in house.project.channels.values()
    ]

    def known(tx: Tx) -> None:
        put_channels(tx, rows)

    registry.attempt(known)
    _collect_rarely()
    return house


def reopened(house: House) -> House:
    """A house of the same folder and registry, with what is in force now. Raises LintErrors."""
    return _read(house.project.folder, house.registry)


def _read(folder: Path | str, registry: Registry, *, disk: bool = False) -> House:
    with registry.read() as tx:
        release = None if disk or follows_disk() else newest_release(tx)
        content = None if release is None else released(tx, release)
    try:
        project = load_project(folder, rules=None if content is None else content.rules)
        seen = on_disk(project).hash if follows_disk() else ""     # before they are read, so that no save is missed
        compiled = load_mappings(project, content)
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
def opened(folder: Path | str, *, disk: bool = False) -> Iterator[House]:
    """`open_house`, closed afterwards."""
    house = open_house(folder, disk=disk)
    try:
        yield house
    finally:
        house.close()


def entity_order(entities: Sequence[str]) -> list[str]:
    """Entities so that each comes after those it may refer to."""
    return sorted(entities, key=ENTITIES.index)
