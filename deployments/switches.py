"""What a person may switch on a channel: modes per entity, the red button, notices; what writes is audited.

What surprises here: an entity that channels.yaml does not name cannot be switched on, and a reason is required for
every switch that lets something be written.
"""

from __future__ import annotations

from connectors.errors import Misconfigured
from flows.settings import MODES
from flows.wiring import House
from registry import Tx, modes, set_mode as store_mode, set_pause as store_pause


def set_mode(house: House, channel: str, entity: str, mode: str | None, *, who: str, because: str) -> list[str]:
    """Afterwards the entity (or ``all`` the channel carries) has the mode; a sentence per change.

    Raises Misconfigured naming what is allowed: the channel, entity or mode is unknown, or the reason is missing.
    """
    carried = list(house.channel(channel).entities)
    chosen = carried if entity == "all" else [entity]
    if entity != "all" and entity not in carried:
        raise Misconfigured(
            f"{channel}: channels.yaml names no entity {entity!r}; there are {', '.join(carried)}, "
            "or `all`, `pause`, `resume`, `subscribe`"
        )
    if mode not in MODES:
        found = "no mode" if mode is None else f"the mode {mode!r}"
        raise Misconfigured(f"{channel} {entity}: found {found}; allowed are {', '.join(MODES)}")
    _reason(because, f"serai channel {channel} {entity} {mode}")

    def work(tx: Tx) -> list[str]:
        before = modes(tx)
        for name in chosen:
            if before.get((channel, name)) != mode:
                store_mode(tx, channel, name, mode, who, because)
        return [f"{channel} {name}: {before.get((channel, name), 'off')} → {mode}" for name in chosen]

    return house.registry.attempt(work)


def set_pause(house: House, channel: str, *, paused: bool, who: str, because: str) -> str:
    """Afterwards no write to the channel begins later than two seconds from now (True), or writes go on (False)."""
    house.channel(channel)
    if not paused:
        _reason(because, f"serai channel {channel} resume")
    reason = because or "the red button"
    house.registry.attempt(lambda tx: store_pause(tx, channel, paused, who, reason))
    return f"{channel}: writes are paused; orders are still read" if paused else f"{channel}: writes go on"


def subscribe(house: House, channel: str, receiver: str) -> str:
    """Afterwards the platform notifies ``receiver`` (its public address); again: no change. Raises ConnectorError."""
    url = f"{receiver.rstrip('/')}/hooks/{channel}"
    house.connector(channel).subscribe(url)
    return f"{channel}: notices go to {url}"


def _reason(because: str, command: str) -> None:
    if not because.strip():
        raise Misconfigured(f'the audit needs a reason: {command} --because "…"')
