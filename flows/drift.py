"""Stock that a channel shows otherwise than it was told, and when that is a mistake.

What surprises here: a channel that sells lowers its own figure before we have read the order. A lower figure is
therefore no edit and is never "put back" by a read; only `reconcile`, which reads the orders too, puts it right. A
figure above what the channel was told can sell what is not there: it is put back at once.
"""

from __future__ import annotations

from flows.figures import Units, of_text, shown
from flows.pledges import PUBLISH
from flows.wiring import House
from registry import Binding, Tx, bindings_where


def told_figure(binding: Binding | None) -> Units | None:
    """The stock figure the channel was last told; None when it was told none."""
    figure = None if binding is None else binding.kept.get(PUBLISH)
    return None if figure is None else of_text(figure)


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
