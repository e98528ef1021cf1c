"""Stock that a channel shows otherwise than it was told, and when that is a mistake.

What surprises here: a channel that sells lowers its own figure before we have read the order. A lower figure is
therefore no edit and is never "put back" by a read; only `reconcile`, which reads the orders too, puts it right. A
figure above what the channel was told can sell what is not there: it is put back at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flows.render import PUBLISH, shown
from flows.wiring import House
from registry import Tx, binding_for, bindings_where, linked, owners


def told_figures(house: House, tx: Tx, channel: str, stocks: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Stock uid → the figure the channel was last told for its group; only those it was told of."""
    group = house.of(channel).outward.get("stock")
    if group is None or "stock" not in house.channel(channel).receives:
        return {}
    of = {uid: uid if group.base == "stock" else str(values["variant"]) for uid, values in stocks.items()}
    told = binding_for(tx, channel, group.name, sorted(set(of.values())))
    return {
        uid: int(told[target].kept[PUBLISH]) for uid, target in of.items()
        if target in told and PUBLISH in told[target].kept
    }


def drifted(house: House, tx: Tx, channel: str) -> list[str]:
    """The groups (uids as the outbox has them) whose figure on the channel is not the one it was told."""
    group = house.of(channel).outward["stock"]
    found: dict[str, None] = {}
    after = ""
    while page := bindings_where(tx, channel, "stock", after=after, limit=1_000, state="live"):
        after = page[-1].external_id
        said = {str(binding.uid): binding.values for binding in page if binding.values_text is not None}
        values = {uid: one for uid, one in said.items() if one is not None}
        told = told_figures(house, tx, channel, values)
        for uid, one in values.items():
            if uid in told and shown(one) != told[uid]:
                found[uid if group.base == "stock" else str(one["variant"])] = None
    return list(found)


def stock_records(tx: Tx, places: Iterable[tuple[str, str | None]]) -> list[str]:
    """The stock records of these (variant, location); of every location where none is named."""
    named = [(variant, location) for variant, location in places if location is not None]
    anywhere: Sequence[str] = [variant for variant, location in places if location is None]
    found = owners(tx, [("stock", "variant@location", f"{variant}@{location}") for variant, location in named])
    rest = linked(tx, "stock", "variant", anywhere) if anywhere else {}
    return sorted({*found.values(), *(uid for uids in rest.values() for uid in uids)})
