"""What tests of flows ask of the small retailer: some channels live, what records and outbox hold, what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flows import steps
from flows.ledger import Ledger
from flows.wiring import House
from registry import Binding, Parked, Record, Tx, bindings, consent, outbox_counts, parked, put_channels, records_where
from tests.scenario.world import World

ASKED = datetime.fromisoformat("2026-03-01T09:00:00+00:00")
"""When the documents of tests without a system were asked for."""


def later(seconds: float) -> datetime:
    """So many seconds after ASKED."""
    return ASKED + timedelta(seconds=seconds)


def allow(world: World, *channels: str) -> None:
    """A person consents to everything that these channels receive being created there."""

    def work(tx: Tx) -> None:
        for name in channels:
            for entity in world.house.channel(name).receives:
                consent(tx, name, entity, "Aigerim")

    world.registry.attempt(work)


def carries(world: World, channel: str, *entities: str, receives: Sequence[str] = ()) -> None:
    """The channel carries these entities too, switched on, and receives some."""
    row = world.desk.project.channels[channel]
    row = replace(row, entities={**row.entities, **dict.fromkeys((*entities, *receives), "on")},
                  receives=tuple(dict.fromkeys((*row.receives, *receives))))
    project = replace(world.desk.project, channels={**world.desk.project.channels, channel: row})
    for house in (world.desk, world.house):
        house.project = project
        house.__dict__.pop("routes", None)
    world.registry.attempt(lambda tx: put_channels(tx, [
        (one.name, one.platform, one.company.id, dict(one.entities)) for one in project.channels.values()
    ]))
    for entity in (*entities, *receives):
        mode(world, channel, entity, "on")


def live(world: World, *channels: str) -> None:
    """These channels are read and written until nothing moves; creating on them was consented to."""
    allow(world, *channels)
    for _ in range(4):
        again(world, *channels)
        moving = [what for what in world.moving() if set(what.split()) & set(channels)]
        if not moving:
            return
    raise AssertionError(moving)


def again(world: World, *channels: str) -> list[Ledger]:
    """One round of everything on these channels."""
    return world.step("sync_all", channels=channels)


def records(house: House, entity: str) -> dict[str, Record]:
    """The entity's records by SKU, code, number, name or uid."""
    with house.registry.read() as tx:
        found = records_where(tx, entity)
    keys = ("sku", "code", "number", "name")
    return {next((r.values[name] for name in keys if name in r.values), r.uid): r for r in found}


def values(house: House, entity: str, key: str) -> dict[str, Any]:
    """What a record says."""
    found: dict[str, Any] = records(house, entity)[key].values
    return found


def binding(house: House, channel: str, entity: str, id: str) -> Binding:
    """What is known of one item of a channel."""
    with house.registry.read() as tx:
        return bindings(tx, channel, [(entity, id)])[entity, id]


def uid_of(house: House, channel: str, entity: str, id: str) -> str:
    """The record, or the customer's identity, that an item of a channel is."""
    return str(binding(house, channel, entity, id).uid)


def items(house: House, *kinds: str, channel: str | None = None) -> list[Parked]:
    """What is parked or waits."""
    with house.registry.read() as tx:
        return parked(tx, channel, kinds=kinds)


def outbox(house: House) -> dict[str, int]:
    """Open writes, as ``shop-kz product due`` → how many."""
    with house.registry.read() as tx:
        return {" ".join(key): n for key, n in outbox_counts(tx).items()}


def take(world: World, channel: str, resource: str, docs: Sequence[Mapping[str, Any]], at: datetime = ASKED) -> Ledger:
    """Documents as if they had been read at a moment."""
    (ledger,) = world.step("accept", channel, resource, [dict(doc) for doc in docs], asked_at=at)
    return ledger


def written(world: World, since: Mapping[str, int], system: str) -> list[str]:
    """What was written to a system since, as ``products update 7001``; only what the system took."""
    return [
        f"{entry['resource']} {entry['op']} {entry['id']}"
        for entry in world.sandbox.systems[system].books.after(since[system])
        if entry["kind"] == "write" and entry["status"] < 300
    ]


def tried(world: World, since: Mapping[str, int], system: str) -> int:
    """How many writes arrived at a system since, taken or not."""
    return sum(entry["kind"] == "write" for entry in world.sandbox.systems[system].books.after(since[system]))


def mode(world: World, channel: str, entity: str, word: str) -> None:
    """A person switches an entity of a channel."""
    from deployments.switches import set_mode

    set_mode(world.house, channel, entity, word, who="Aigerim", because="test")


def product(code: str, title: str = "Чайник", **more: Any) -> dict[str, Any]:
    """A product as the ERP writes it."""
    return {"code": code, "title": title, "text": None, "brand": "Karavan", "group": "Чайники", "images": [],
            "state": "A", "created_at": "2026-03-01T14:00:00+05:00", "changed_at": "2026-03-01T14:00:00+05:00", **more}


def item(code: str, of: str, **more: Any) -> dict[str, Any]:
    """An item as the ERP writes it."""
    return {"code": code, "product": of, "name": f"Чайник {code}", "barcode": None, "features": {}, "uom": "PCE",
            "vat": "S", "state": "A", "revision": 1, "created_at": "2026-03-01T14:00:00+05:00",
            "changed_at": "2026-03-01T14:00:00+05:00", **more}


__all__ = [
    "ASKED", "again", "allow", "binding", "carries", "item", "items", "later", "live", "mode", "outbox", "product",
    "records", "steps", "take", "tried", "uid_of", "values", "written",
]
