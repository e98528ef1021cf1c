"""A person's profile: accounts, purchases and what they come to, contacts and how they were taken, segments, consents.

What surprises here: nothing is stored. Purchases and contacts hang on the identity that made them; a person has those
of all identities, so a merge gathers them and a split gives each its own again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from flows.people import CUSTOMER
from flows.segmenting import bought, bought_by, named
from flows.stewards import find
from flows.wiring import House
from mappings.commerce.customers.offers import codes
from mappings.commerce.customers.segments import Purchases, purchases, repeat_rate, segments_of
from registry import (
    Binding,
    LikenessRow,
    bindings_of,
    likenesses,
    members,
    opt_outs,
    records,
    records_by_field,
    records_where,
)

PAGE = 1_000
CONTACT = ("kind", "at", "means", "direction", "purpose", "reaction")
REACTED = ("opened", "clicked", "answered", "bounced", "complained", "unsubscribed")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Everything that is known of one person. ``values`` are personal: they are shown to who asked and kept nowhere."""

    uid: str
    values: Mapping[str, Any]
    accounts: Sequence[Binding]
    orders: Sequence[Mapping[str, Any]]
    bought: Purchases
    segments: Sequence[str]
    interactions: Sequence[Mapping[str, Any]]
    likenesses: Sequence[LikenessRow]
    telling: Sequence[str] = field(default_factory=tuple)

    @property
    def reactions(self) -> dict[str, int]:
        """How marketing was taken: reaction → how often."""
        said = [one.get("reaction") for one in self.interactions if one.get("purpose") == "marketing"]
        return {name: said.count(name) for name in REACTED if name in said}

    @property
    def offers(self) -> list[str]:
        """Codes that the person's orders redeemed."""
        return sorted({code for order in self.orders for code in codes(order)})

    def row(self) -> dict[str, Any]:
        """The profile as plain JSON."""
        return {
            "uid": self.uid, **{name: self.values.get(name) for name in ("name", "email", "phone", "group", "number")},
            "accounts": [{"channel": one.channel, "id": one.external_id, "identity": one.uid} for one in self.accounts],
            **worth(self.bought), "segments": list(self.segments), "offers": self.offers,
            "orders": [{name: order.get(name) for name in ("number", "placed_at", "status", "channel", "total")}
                       for order in self.orders],
            "interactions": [{name: one.get(name) for name in CONTACT} for one in self.interactions],
            "marketing": self.reactions, "consents": self.values.get("consents") or [],
            "points_and_credit": self.values.get("accounts") or [],
            "links": [{"one": row.one, "other": row.other, "state": row.state, "because": row.because, "who": row.who}
                      for row in self.likenesses],
            "refusals_on_their_way": list(self.telling),
        }


def worth(of: Purchases) -> dict[str, Any]:
    """What somebody is worth, for people: figures of money per currency."""
    return {
        "bought": of.orders, "lifetime_value": {currency: str(amount) for currency, amount in of.spent.items()},
        "average_order": {currency: str(amount) for currency, amount in of.average.items()},
        "days_since_last_order": of.recency, "came_again": of.orders > 1,
    }


def profile(house: House, name: str) -> Profile:
    """The profile of who ``name`` means (a uid, ``channel:id``, e-mail, telephone). Raises CannotBind."""
    with house.registry.read() as tx:
        uid = find(tx, name)
        everyone = members(tx, [uid])[uid]
        person = records(tx, [uid])[uid]
        orders = bought_by(tx, everyone)
        talks = [record.values for found in records_by_field(tx, "interaction", CUSTOMER, everyone).values()
                 for record in found]
        worth_of = purchases(orders, house.registry.now(), **named(tx, orders))
        return Profile(
            uid=person.uid, values=person.values, orders=sorted(orders, key=lambda order: order.get("placed_at") or ""),
            accounts=[one for found in bindings_of(tx, everyone, CUSTOMER).values() for one in found], bought=worth_of,
            segments=segments_of(worth_of, house.project.customers.segments),
            interactions=sorted(talks, key=lambda one: str(one.get("at"))), likenesses=likenesses(tx, everyone),
            telling=sorted({channel for _, channel in opt_outs(tx, everyone)}),
        )


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What all customers come to."""

    customers: int
    bought: int
    repeat_rate: Decimal | None
    spent: Mapping[str, Decimal]
    average: Mapping[str, Decimal]
    segments: Mapping[str, Sequence[str]]


def figures(house: House, now: datetime | None = None) -> Figures:
    """Lifetime value, average order, repeat rate of everybody, and who is in which segment; reads all customers."""
    now = now or house.registry.now()
    everybody: list[Purchases] = []
    people = 0
    within: dict[str, list[str]] = {segment.name: [] for segment in house.project.customers.segments}
    after = ""
    while True:
        with house.registry.read() as tx:
            page = [record.uid for record in records_where(tx, CUSTOMER, after, PAGE)]
            if not page:
                break
            found = bought(tx, page, now)
        after = page[-1]
        people += len(page)
        for uid in page:
            everybody.append(found[uid])
            for name in segments_of(found[uid], house.project.customers.segments):
                within[name].append(uid)
    spent: dict[str, Decimal] = {}
    counted: dict[str, int] = {}
    for one in everybody:
        for currency, amount in one.spent.items():
            spent[currency] = spent.get(currency, Decimal(0)) + amount
            counted[currency] = counted.get(currency, 0) + one.counted[currency]
    return Figures(
        customers=people, bought=sum(one.orders > 0 for one in everybody), repeat_rate=repeat_rate(everybody),
        spent=spent, segments=within, average=Purchases(spent=spent, counted=counted).average,
    )
