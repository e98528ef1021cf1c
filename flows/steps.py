"""The whole behaviour of Serai as plain functions over a house: what flows, command line, console and drain call.

What surprises here: nothing knows Prefect, and nothing sleeps. A step does a stretch of work and returns its ledger;
``more`` asks to be called again. `sync_all` is every step in the order in which one feeds the next, until all is
still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from connectors.errors import ConnectorError
from flows.apply import apply
from flows.fetching import accept
from flows.lapse import lapse
from flows.ledger import Direction, Ledger, Stretch, Unbalanced
from flows.matching import CannotBind, accept_exact, bind
from flows.notices import take_notices
from flows.plan import plan
from flows.pull import pull, reconcile
from flows.push import push
from flows.replay import replay
from flows.resources import resources_of
from flows.settings import ENTITIES
from flows.settle import settle
from flows.wiring import House
from registry import channels_due, to_settle

__all__ = [
    "CannotBind", "Ledger", "Stretch", "Unbalanced", "accept", "accept_exact", "apply", "bind", "lapse", "plan", "pull",
    "pull_all", "push", "push_all", "reconcile", "replay", "resources_of", "settle", "sync_all", "take_notices",
]

UNBOUNDED = Stretch(seconds=1e9, records=10**9)
ROUNDS = 20
"""More rounds than any chain of consequences has links; reaching it means that two channels answer each other."""


def pull_all(house: House, *, full: bool = False, channels: Sequence[str] | None = None) -> list[Ledger]:
    """Reads every resource of every channel (or of these): those others refer to first, then as channels.yaml says."""
    wanted = [
        (_rank(house, channel, resource), position, channel, resource)
        for position, channel in enumerate(channels or house.project.channels)
        for resource in resources_of(house, channel)
    ]
    return [
        _kept(house, partial(pull, house, channel, resource, full=full, stretch=UNBOUNDED), channel, resource, "inward")
        for _, _, channel, resource in sorted(wanted)
    ]


def _rank(house: House, channel: str, resource: str) -> int:
    carried = house.channel(channel).entities
    return min(ENTITIES.index(entity) for entity in house.of(channel).inward[resource].inward if entity in carried)


def push_all(house: House, *, channels: Sequence[str] | None = None) -> list[Ledger]:
    """Settles and pushes every entity to every channel (or to these) until nothing that is due can move."""
    places = _receiving(house, channels)
    return _push_on(house, places, places)


def sync_all(house: House, *, channels: Sequence[str] | None = None) -> list[Ledger]:
    """Every notice, read and write, in one process, until nothing is due. One broken channel stops no other."""
    places = _receiving(house, channels)
    taken = [*take_notices(house), *pull_all(house, channels=channels)]
    over = lapse(house, channels=channels)
    told = _push_on(house, places, places)
    taken += [*([over] if over.read > 0 else []), *told]
    if any(ledger.total("written") for ledger in told):
        # An offer that waited until the other channels show less is answered once they were told.
        over = lapse(house, channels=channels)
        taken += [*([over] if over.read > 0 else []), *_push_on(house, places, _moving(house, places))]
    return taken


def _receiving(house: House, channels: Sequence[str] | None) -> list[tuple[str, str]]:
    """Every channel (or these) with each entity that it receives."""
    return [(channel, entity) for channel in channels or house.project.channels
            for entity in house.channel(channel).receives]


def _moving(house: House, places: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The places where a write is due, or one whose outcome is to be found out."""
    with house.registry.read() as tx:
        found = {(channel, entity) for channel, entity, _ in (*channels_due(tx), *to_settle(tx))}
    return [place for place in places if place in found]


def _push_on(house: House, places: Sequence[tuple[str, str]], first: Sequence[tuple[str, str]]) -> list[Ledger]:
    """Settles and pushes at the first places, and wherever that made something due, until nothing moves."""
    ledgers: list[Ledger] = []
    now = first
    for _ in range(ROUNDS):
        moved = 0
        for channel, entity in now:
            for step in (settle, push):
                ledger = _kept(house, partial(step, house, channel, entity), channel, entity, "outward")
                if ledger.read > 0 or ledger.note:
                    ledgers.append(ledger)
                moved += ledger.total("written")
        if moved == 0:
            return ledgers
        now = _moving(house, places)
    return ledgers


def _kept(house: House, step: Callable[[], Ledger], channel: str, what: str, direction: Direction) -> Ledger:
    """The step's ledger; what the platform did instead is kept as the run's note, so that the others go on."""
    try:
        return step()
    except ConnectorError as fault:
        ledger = house.account(channel, what, direction).ledger(house.registry.now(), more=True, note=str(fault))
        return house.finish(ledger, error=str(fault))
