"""Prices that differ between two channels of one company in one country, with the rule that makes them differ, or none.

What surprises here: what was *seen* to be shown is compared, not what is aimed at. A rule explains a difference only
where both channels show what their rules say now; anything else is a difference that nobody decided, and the answer
says what stands in the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Any

from flows.pricing import Offer, offers, pipeline_of
from flows.wiring import House
from mappings.commerce.prices.differences import parted
from mappings.commerce.prices.lists import faults
from registry import OutboxRow, Record, ShownPrice, Tx, outbox_rows, records_by_field, records_where, shown_prices

PAGE = 1_000
OPEN_WRITES = 100_000


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One article that two channels show at different prices. ``rule`` names what makes it so; None: nothing does, and
    ``because`` says what each channel would show."""

    sku: str
    channels: tuple[str, str]
    prices: tuple[str, str]
    rule: str | None
    because: str

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "sku": self.sku, "channels": list(self.channels), "prices": list(self.prices), "rule": self.rule,
            "because": self.because,
        }


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """One article whose list contradicts itself."""

    sku: str
    fault: str

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"sku": self.sku, "fault": self.fault}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Every difference, those that a rule explains too, and every list that contradicts itself."""

    articles: int
    differences: Sequence[Difference]
    doubts: Sequence[Doubt]

    @property
    def undecided(self) -> list[Difference]:
        """The differences that no rule makes."""
        return [one for one in self.differences if one.rule is None]


def compare(house: House) -> Compared:
    """Looks at every article that two channels of one company and country show; a few statements per 1,000 articles."""
    differences: list[Difference] = []
    doubts: list[Doubt] = []
    number, after = 0, ""
    while True:
        with house.registry.read() as tx:
            page = [record for record in records_where(tx, "variant", after, PAGE) if record.state == "live"]
            if not page:
                return Compared(articles=number, differences=differences, doubts=doubts)
            after = page[-1].uid
            number += len(page)
            skus = {record.uid: str(record.values.get("sku", record.uid)) for record in page}
            lists = records_by_field(tx, "price", "variant", list(skus))
            doubts += [
                Doubt(sku=skus[uid], fault=fault) for uid, rows in lists.items() for fault in faults(_live(rows))
            ]
            differences += _differences(house, tx, skus, house.registry.now())


def _live(rows: Sequence[Record]) -> list[dict[str, Any]]:
    return [{**record.values, "uid": record.uid} for record in rows if record.state == "live"]


def _differences(house: House, tx: Tx, skus: Mapping[str, str], now: datetime) -> Iterator[Difference]:
    for channels in _comparable(house):
        shown = shown_prices(tx, list(skus), channels)
        aimed = {channel: offers(house, tx, channel, list(skus), now) for channel in channels}
        waits = {
            channel: {row.uid: row for row in outbox_rows(tx, channel, "price", limit=OPEN_WRITES)}
            for channel in channels
        }
        for uid, sku in skus.items():
            for one, other in combinations(channels, 2):
                seen = [_now(shown.get((channel, uid), ())) for channel in (one, other)]
                first, second = seen
                if first is None or second is None or _says(first) == _says(second):
                    continue
                rules = [_follows(aimed[channel][uid], price) for channel, price in ((one, first), (other, second))]
                steps = [offer.result.steps for channel in (one, other)
                         if (offer := aimed[channel][uid]).result is not None]
                rule = parted(steps[0], steps[1]) if all(rules) and len(steps) == 2 else None
                yield Difference(
                    sku=sku, channels=(one, other), prices=(_words(first), _words(second)), rule=rule,
                    because="" if rule is not None else "; ".join(
                        _why(channel, aimed[channel][uid], waits[channel]) for channel, follows in
                        zip((one, other), rules, strict=True) if not follows
                    ) or "their rules say the same",
                )


def _comparable(house: House) -> list[list[str]]:
    """The channels of one company and country that are told prices, where there are two."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, channel in house.project.channels.items():
        if "price" in channel.receives:
            pipeline = pipeline_of(house, name)
            groups.setdefault((pipeline.company, pipeline.country), []).append(name)
    return [sorted(names) for names in groups.values() if len(names) > 1]


def _now(history: Sequence[ShownPrice]) -> ShownPrice | None:
    return history[-1] if history and history[-1].until is None else None


def _says(price: ShownPrice) -> tuple[Decimal, str, str]:
    return price.amount, price.currency, price.tax_mode


def _words(price: ShownPrice) -> str:
    return f"{price.amount:f} {price.currency}"


def _follows(offer: Offer, price: ShownPrice) -> bool:
    """Whether a channel shows what its rules say now."""
    found = offer.result
    return found is not None and (found.amount, found.currency, found.tax_mode) == _says(price)


def _why(channel: str, offer: Offer, waits: Mapping[str, OutboxRow]) -> str:
    """What a channel would show, and what stands in the way."""
    write = waits.get(offer.home or "")
    state = "nothing is on its way" if write is None else f"the write is {write.state}" + (
        f" ({write.reason})" if write.reason else "")
    if offer.held is not None:
        return f"{channel}: held, {offer.held.reason}"
    if offer.result is None:
        return f"{channel}: its list has no price now"
    return f"{channel}: its rules say {offer.result.amount:f} {offer.result.currency}, {state}"
