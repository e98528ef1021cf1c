"""Stock that a channel shows otherwise than it was told, and when that is a mistake.

What surprises here: a channel that sells lowers its own figure before we have read the order. A lower figure is
therefore no edit and is never "put back" by a read; only `reconcile`, which reads the orders too, puts it right. A
figure above what the channel was told can sell what is not there: it is put back at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from flows.render import PUBLISH, shown
from flows.wiring import House
from registry import Binding, Tx, bindings_where, linked, owners


def told_figure(binding: Binding | None) -> int | None:
    """The stock figure the channel was last told; None when it was told none."""
    figure = None if binding is None else binding.kept.get(PUBLISH)
    return None if figure is None else int(figure)


def drifted(house: House, tx: Tx, channel: str) -> list[str]:
    """The groups (uids as the outbox has them) whose figure on the channel is not the one it was told."""
    group = house.of(channel).outward["stock"]
    found: list[str] = []
    after = ""
    while page := bindings_where(tx, channel, group.name, after=after, limit=1_000, state="live"):
        after = page[-1].external_id
        for binding in page:
            told, values = told_figure(binding), binding.values
            if told is not None and values is not None and shown(values) != told:
                found.append(str(binding.uid))
    return found


def stock_records(tx: Tx, places: Iterable[tuple[str, str | None]]) -> list[str]:
    """The stock records of these (variant, location); of every location where none is named."""
    named: list[str] = []
    anywhere: list[str] = []
    for variant, location in places:
        if location is None:
            anywhere.append(variant)
        else:
            named.append(f"{variant}@{location}")
    found = owners(tx, [("stock", "variant@location", key) for key in named])
    rest = linked(tx, "stock", "variant", anywhere) if anywhere else {}
    return sorted({*found.values(), *(uid for uids in rest.values() for uid in uids)})
