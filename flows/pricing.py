"""What each channel shows as the price of a variant, and why.

What surprises here:

* A channel shows one price of a variant, whatever records its list has of it. The write is filed under one of them, the
  *home*: the one that the channel's own item is bound to, else the usual price of the list. What touches any other
  record of the list is passed on to the home when it is looked at (`Offer.home`).
* A platform that holds prices with their windows (its mapping writes them: `told_apart`) is told each price for a time,
  a group, a reduction or so many units by itself, ahead of its time. The home is then the usual price.
* A platform that holds several lists (`catalogs`: the channel's setting ``price_lists`` names them) is told those
  beside the channel's own as they stand: the channel's rules are about the list that it sells from.
* What another channel shows counts for ``not_above`` and ``not_below`` as seen *and* as aimed at, whichever is
  stricter, so that a raise waits until the other's is confirmed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct, structs

from flows.routes import Group
from flows.wiring import House
from mappings.commerce.prices.lists import COST, Overlap, apart, pick, plain
from mappings.commerce.prices.money import exact
from mappings.commerce.prices.pipeline import Held, Pipeline, Priced, price
from mappings.commerce.prices.reference import EU, Reference, Shown, lowest_before, unit_price, usual_before
from mappings.commerce.prices.steps import replay
from registry import (
    EVERYWHERE,
    OverrideRow,
    Record,
    ShownPrice,
    Tx,
    binding_for,
    overrides,
    records,
    records_by_field,
    shown_prices,
)

PRICE: Final = "$price"
"""Where what is kept of a price stands in an outbox row's payload."""
OTHER_LIST: Final = "a price list of other customers"
ELSEWHERE: Final = "told under the channel's own record of this price"
NO_PRICE: Final = "no price of the channel's list holds now"
NO_MORE: Final = "it is a price no more"
OVER: Final = "it ended before the channel heard of it"
APART: Final = "apart"
"""In what is kept of a price: it was told by itself, so it is not what the channel shows at every moment."""


class Offer(Struct, frozen=True, kw_only=True):
    """What a channel is to show of a variant: the price as the outward mapping sees it, or why there is none.

    ``home`` is the record the write is filed under; ``policy`` what is kept of it for `serai why`; ``apart`` uid → what
    is told of a price by itself, where the platform holds such.
    """

    row: dict[str, Any] | None = None
    home: str | None = None
    held: Held | None = None
    policy: dict[str, Any] | None = None
    result: Priced | None = None
    apart: Mapping[str, Telling] = {}


class Telling(Struct, frozen=True, kw_only=True):
    """A group's price: its row, or why nothing may be told now: ``held`` (a person must act), ``nothing`` (there is
    nothing to tell), ``instead`` (it is told under that record). ``over``: its time is past, so only a channel that
    heard of it hears more.
    """

    row: dict[str, Any] | None = None
    held: Held | None = None
    nothing: str = ""
    instead: str | None = None
    policy: dict[str, Any] | None = None
    over: bool = False

    @property
    def silent(self) -> bool:
        """Whether nothing may be told."""
        return self.held is not None or self.instead is not None or self.nothing != ""


def carries(group: Group) -> bool:
    """Whether the group's writes carry prices."""
    return "price" in (group.entity, group.base, *group.joins)


def told_apart(group: Group | None) -> bool:
    """Whether the platform holds prices with their windows itself, so that each is told as it stands."""
    return group is not None and group.entity == group.base == "price" and {"valid_from", "valid_to"} <= group.needs


def pipeline_of(house: House, channel: str) -> Pipeline:
    """How the channel's price follows from its list."""
    return house.project.prices[channel]


def lists_of(house: House, channel: str) -> set[str]:
    """Every list that the channel's prices follow from: its own, of costs, of ceilings, those of its neighbours, and
    those that it holds beside."""
    found = catalogs(house, channel)
    for name in {channel, *neighbours(house, channel)}:
        one = pipeline_of(house, name)
        found |= {one.price_list, *(rule.cost_list for rule in one.floors if rule.cost_list is not None)}
        found |= {rule.price_list for rule in one.ceilings if rule.price_list is not None}
    return found


def catalogs(house: House, channel: str) -> set[str]:
    """The lists that the platform holds for some buyers, beside the one that the channel sells from."""
    named = house.project.channels[channel].settings.get("price_lists")
    return set(named) - {pipeline_of(house, channel).price_list} if isinstance(named, Mapping) else set()


def neighbours(house: House, channel: str) -> set[str]:
    """The channels whose prices bound this one's, and those that bound theirs."""
    found: set[str] = set()
    waiting = [channel]
    while waiting:
        one = pipeline_of(house, waiting.pop())
        fresh = {*one.not_above, *one.not_below} - found
        found |= fresh
        waiting += sorted(fresh)
    return found


# ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


def priced(
    house: House, tx: Tx, channel: str, group: Group, base: Mapping[str, Mapping[str, Any]], now: datetime
) -> dict[str, Telling]:
    """uid → the price of a group (uid → its values); of groups that carry none, nothing. A constant number of
    statements for each list."""
    if not carries(group) or group.base not in ("price", "variant"):
        return {}
    mine = lists_of(house, channel)
    of = {uid: uid for uid in base}
    if group.base == "price":
        of = {uid: values["variant"] for uid, values in base.items() if values["list"] in mine}
    content = "'unit_price'" in group.mapping.source
    beside = catalogs(house, channel) if group.base == "price" else set()
    own = [of[uid] for uid, row in base.items() if uid in of and row.get("list") not in beside]
    found = offers(house, tx, channel, own, now, whole=content, each=told_apart(group))
    told = {
        uid: _telling(house, channel, group, uid, row, found[of[uid]]) if uid in of else Telling(nothing=OTHER_LIST)
        for uid, row in base.items() if row.get("list") not in beside
    }
    held_too = {(row["list"], row["amount"]["currency"]) for row in base.values() if row.get("list") in beside}
    for name, currency in sorted(held_too):
        rows = {uid: row for uid, row in base.items() if (row["list"], row["amount"]["currency"]) == (name, currency)}
        told |= _catalog(house, tx, channel, group, rows, now)
    return told


def _catalog(
    house: House, tx: Tx, channel: str, group: Group, base: Mapping[str, Mapping[str, Any]], now: datetime
) -> dict[str, Telling]:
    """Prices of one list that the platform holds beside the channel's own: as the list says them, in its currency."""
    row = next(iter(base.values()))
    own = pipeline_of(house, channel)
    listed = Pipeline(
        channel=channel, company=own.company, country=own.country, price_list=row["list"],
        currency=row["amount"]["currency"], list_company=own.company,
    )
    found = offers(house, tx, channel, [row["variant"] for row in base.values()], now, whole=False, pipeline=listed)
    told = {}
    for uid, row in base.items():
        one = _telling(house, channel, group, uid, row, found[row["variant"]])
        told[uid] = one if one.policy is None else structs.replace(one, policy={**one.policy, APART: True})
    return told


def _telling(house: House, channel: str, group: Group, uid: str, row: Mapping[str, Any], offer: Offer) -> Telling:
    pipeline = pipeline_of(house, channel)
    if told_apart(group) and apart(row, pipeline.price_list, pipeline.group):
        return offer.apart.get(uid, Telling(nothing=NO_MORE))
    if group.base == "price" and offer.home != uid:
        return Telling(nothing=NO_PRICE) if offer.home is None else Telling(instead=offer.home)
    if offer.held is not None:
        return Telling(held=offer.held)
    if offer.row is None:
        return Telling(nothing=NO_PRICE if group.entity == "price" else "")
    return Telling(row={**offer.row, "uid": uid} if group.base == "price" else offer.row, policy=offer.policy)


def offers(
    house: House, tx: Tx, channel: str, variants: Collection[str], now: datetime, *, whole: bool = True,
    each: bool = False, pipeline: Pipeline | None = None,
) -> dict[str, Offer]:
    """Variant → what the channel is to show of it at a moment; a constant number of statements. With ``each`` it is
    what stands there besides the prices that are told by themselves, and those; with a ``pipeline`` what that gives
    instead of the channel's own.

    Five at most: the prices, the variants, what was seen to be shown, what is bound, what people said for now. Without
    ``whole`` the variants are looked at only where the channel has rules of its own.
    """
    listed = pipeline is not None
    pipeline = pipeline or pipeline_of(house, channel)
    wanted = sorted(set(variants))
    prices = {
        variant: [_values(record) for record in rows if record.state == "live"]
        for variant, rows in records_by_field(tx, "price", "variant", wanted).items()
    }
    whole = whole or pipeline.written
    goods = {uid: record.values for uid, record in records(tx, wanted).items()} if whole else {}
    near = set() if listed else neighbours(house, channel)
    reducing = {variant for variant, rows in prices.items() if any(row.get("kind") == "sale" for row in rows)}
    history: dict[tuple[str, str], list[ShownPrice]] = {}
    if near or (reducing and pipeline.country in EU and not listed):
        history = shown_prices(tx, wanted if near else sorted(reducing), {channel, *near})
    alone: dict[str, list[dict[str, Any]]] = {variant: [] for variant in wanted}
    usual = prices
    if told_apart(house.of(channel).outward.get("price")):
        alone = {variant: [row for row in rows if apart(row, pipeline.price_list, pipeline.group)]
                 for variant, rows in prices.items()}
        usual = {variant: [row for row in rows if not apart(row, pipeline.price_list, pipeline.group)]
                 for variant, rows in prices.items()}
    homes = _homes(tx, channel, pipeline.price_list, usual)
    said = {} if listed else overrides(tx, "price", wanted, now)
    known = _Known(house=house, now=now, history=history, said=said)
    shown = usual if each else prices
    found = {
        variant: _offer(known, pipeline, variant, shown[variant], goods.get(variant, {}), homes.get(variant))
        for variant in wanted
    }
    return found if not each else {
        variant: structs.replace(offer, apart={
            row["uid"]: _by_itself(known, pipeline, row, prices[variant], goods.get(variant, {}))
            for row in alone[variant]
        })
        for variant, offer in found.items()
    }


class _Known(Struct, frozen=True, kw_only=True):
    """What a page of prices has in hand: rules, the moment, what was shown, what people said for now."""

    house: House
    now: datetime
    history: Mapping[tuple[str, str], Sequence[ShownPrice]]
    said: Mapping[tuple[str, str], OverrideRow]


def _offer(
    known: _Known, pipeline: Pipeline, variant: str, prices: Sequence[dict[str, Any]], goods: Mapping[str, Any],
    home: str | None,
) -> Offer:
    found = _price(known, pipeline, variant, prices, goods)
    if found is None:
        return Offer(home=home)
    if isinstance(found, Held):
        return Offer(home=home, held=found)
    row = {**found.price, "tax_mode": found.tax_mode}
    if len(found.steps) > 1:
        row["amount"] = _money(found.amount, found.currency)
    content = unit_price(found.amount, found.currency, goods.get("net_content"))
    row["reference_price"], row["unit_price"], row["breaks"] = None, content, None
    if found.breaks:
        row["breaks"] = [
            {"min_quantity": f"{least:f}", "amount": _money(amount, found.currency)} for least, amount in found.breaks
        ]
    kept: dict[str, Any] = {
        "variant": variant, "at": known.now.isoformat(), **row["amount"], "tax_mode": found.tax_mode,
        "floor": None if found.floor is None else f"{found.floor:f}", "steps": list(found.steps),
    }
    if found.price.get("kind") == "sale":
        reference = _reference(known, pipeline, found, variant, prices, goods)
        if reference.amount is not None:
            row["reference_price"] = _money(reference.amount, found.currency)
        kept["reference"] = {
            "amount": None if reference.amount is None else f"{reference.amount:f}", "reason": reference.reason,
        }
    return Offer(row=row, home=home, policy=kept, result=found)


def _price(
    known: _Known, pipeline: Pipeline, variant: str, prices: Sequence[dict[str, Any]], goods: Mapping[str, Any]
) -> Priced | Held | None:
    """The channel's price, those of its neighbours being bounds: what they aim at, and what they were seen to show."""
    others: dict[str, list[Decimal]] = {}
    for name in dict.fromkeys((*pipeline.not_above, *pipeline.not_below)):
        aimed = _price(known, pipeline_of(known.house, name), variant, prices, goods)
        shows = [
            one.amount for one in known.history.get((name, variant), ())
            if one.until is None and (one.currency, one.tax_mode) == _shape(aimed, one)
        ]
        if isinstance(aimed, Held) and not shows:
            return Held(
                reason=f"it depends on the price of {name}, which is held: {aimed.reason}", rule=aimed.rule,
                remedy=aimed.remedy,
            )
        others[name] = [*shows, *([aimed.amount] if isinstance(aimed, Priced) else [])]
    said = known.said.get((pipeline.channel, variant), known.said.get((EVERYWHERE, variant)))
    override = None if said is None else (
        Decimal(said.value["amount"]), said.value["currency"],
        f"{said.who}: {said.because}, until {said.until:%Y-%m-%d %H:%M} UTC",
    )
    return price(pipeline, prices, goods, known.now, others=others, override=override)


def _shape(aimed: Priced | Held | None, one: ShownPrice) -> tuple[str, str]:
    return (aimed.currency, aimed.tax_mode) if isinstance(aimed, Priced) else (one.currency, one.tax_mode)


def _reference(
    known: _Known, pipeline: Pipeline, found: Priced, variant: str, prices: Sequence[dict[str, Any]],
    goods: Mapping[str, Any],
) -> Reference:
    """The strike-through price beside a sale: in the EU from the channel's own history, else its usual price."""
    if pipeline.country not in EU:
        usual = _price(known, pipeline, variant, [row for row in prices if row.get("kind") != "sale"], goods)
        return usual_before(usual.amount if isinstance(usual, Priced) else None, found.amount)
    mine = [
        Shown(amount=one.amount, currency=one.currency, tax_mode=one.tax_mode, start=one.start, end=one.until)
        for one in known.history.get((pipeline.channel, variant), ())
    ]
    begins = known.now
    if found.price.get("valid_from") is not None:
        begins = datetime.fromisoformat(found.price["valid_from"])
    elif mine and mine[-1].end is None and mine[-1].amount == found.amount:
        begins = mine[-1].start
    return lowest_before(
        mine, begins, Shown(amount=found.amount, currency=found.currency, tax_mode=found.tax_mode, start=begins)
    )


def _by_itself(
    known: _Known, pipeline: Pipeline, row: dict[str, Any], prices: Sequence[dict[str, Any]], goods: Mapping[str, Any]
) -> Telling:
    """A price as it will stand beside the usual one: the channel's rules laid over it alone, when it begins or now."""
    start, end = (None if row.get(edge) is None else datetime.fromisoformat(row[edge])
                  for edge in ("valid_from", "valid_to"))
    if start is not None and end is not None and start >= end:
        return Telling(nothing="it ends before it begins")
    over = end is not None and end <= known.now
    at = end - timedelta(microseconds=1) if over and end is not None else max(known.now, start or known.now)
    least = Decimal(1 if row.get("min_quantity") is None else row["min_quantity"])
    try:
        pick(prices, pipeline.price_list, at.isoformat(), currency=row["amount"]["currency"], group=row.get("group"),
             quantity=least)
    except Overlap as fault:
        if any(one["uid"] == row["uid"] for one in fault.prices):
            return Telling(held=Held(reason=str(fault), rule="overlap", remedy="end one of them where prices are kept"))
    now_for_all = at == known.now and row.get("group") in (None, pipeline.group) and least <= 1
    beside = [one for one in prices if one["list"] != pipeline.price_list or one.get("kind") == COST]
    found = _price(
        structs.replace(known, now=at, said=known.said if now_for_all else {}),
        replace(pipeline, group=row.get("group")), row["variant"], [{**row, "min_quantity": None}, *beside], goods,
    )
    if not isinstance(found, Priced):
        return Telling(nothing=NO_PRICE) if found is None else Telling(held=found)
    told = {**row, "tax_mode": found.tax_mode, "reference_price": None, "unit_price": None, "breaks": None}
    if len(found.steps) > 1:
        told["amount"] = _money(found.amount, found.currency)
    return Telling(row=told, over=over, policy={
        "variant": row["variant"], "at": at.isoformat(), **told["amount"], "tax_mode": found.tax_mode, APART: True,
        "floor": None if found.floor is None else f"{found.floor:f}", "steps": list(found.steps),
    })


def recomputed(policy: Mapping[str, Any]) -> dict[str, str]:
    """The price that the kept steps give, computed again; raises ValueError where a step does not give what it says."""
    state = replay(policy["steps"])
    places = max(0, -int(Decimal(policy["amount"]).as_tuple().exponent))
    return _money(exact(state.amount, places), state.currency)


# ── where a write is filed ───────────────────────────────────────────────────────────────────────────────────────────


def home_of(rows: Sequence[Mapping[str, Any]], bound: Collection[str] = ()) -> str | None:
    """The record under which a channel is told the price: one it has bound, the usual one, the first; None: none."""
    ranked = sorted(rows, key=lambda row: (row["uid"] not in bound, not plain(row), row["uid"]))
    return ranked[0]["uid"] if ranked else None


def _homes(
    tx: Tx, channel: str, price_list: str, prices: Mapping[str, Sequence[dict[str, Any]]]
) -> dict[str, str]:
    mine = {variant: [row for row in rows if row["list"] == price_list and row.get("kind") != "cost"]
            for variant, rows in prices.items()}
    several = [row["uid"] for rows in mine.values() if len(rows) > 1 for row in rows]
    bound = binding_for(tx, channel, "price", several) if several else {}
    return {variant: home for variant, rows in mine.items() if (home := home_of(rows, bound)) is not None}


def unmatched_homes(tx: Tx, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(variant, list) → the record that a channel's price of a list is about, where the list has no usual price."""
    found = records_by_field(tx, "price", "variant", sorted({variant for variant, _ in wanted})) if wanted else {}
    homes = {
        (variant, name): home_of([row for record in found[variant] if (row := _values(record))["list"] == name
                                  and row.get("kind") != "cost"])
        for variant, name in wanted
    }
    return {place: home for place, home in homes.items() if home is not None}


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": f"{amount:f}", "currency": currency}


def _values(record: Record) -> dict[str, Any]:
    values = record.values
    values["uid"] = record.uid
    return values
