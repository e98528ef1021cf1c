"""A read-only look at every channel: what is wrong today, with the money at stake, before anything is connected.

What surprises here: nothing is written, not even to the registry. Documents are mapped as a pull would map them, but
records exist in memory only; a survey of a house in operation therefore tells what the channels hold, not what Serai
believes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from connectors.errors import ConnectorError
from flows.resources import resources_of
from flows.settings import ENTITIES
from flows.wiring import House
from mappings.commerce.match import keys as match_keys, similar
from mappings.commerce.prices.pipeline import Priced, price
from mappings.commerce.stock import free, publish
from mappings.commerce.stock.allocation import connected

SHOWN = 2_000
"""Customers whose names are compared with each other; beyond it only keys are, since names are compared pairwise."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong: what it is about, a sentence, and the money at stake in its company's currency."""

    kind: str
    subject: str
    sentence: str
    at_stake: Decimal = Decimal(0)
    currency: str | None = None
    """None: that of the survey."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the channels hold: documents read per channel and entity, faults, and findings by kind.

    ``currency`` is the first company's; money in another is told with its finding and is in no sum.
    """

    read: Mapping[tuple[str, str], int]
    faults: Sequence[str]
    unreachable: Mapping[str, str]
    findings: Sequence[Finding]
    currency: str

    def of(self, kind: str) -> list[Finding]:
        """The findings of one kind, the most money first."""
        return sorted((one for one in self.findings if one.kind == kind), key=lambda one: (-one.at_stake, one.subject))

    def stake(self, kind: str) -> Decimal:
        """The money at stake in the findings of a kind, of those in the survey's currency."""
        found = (one.at_stake for one in self.of(kind) if one.currency in (None, self.currency))
        return sum(found, Decimal(0))

    def counts(self) -> dict[str, int]:
        """Kind → how many findings."""
        return {kind: len(self.of(kind)) for kind in KINDS}

    def row(self) -> dict[str, Any]:
        """The survey as plain JSON."""
        return {
            "read": {f"{channel} {entity}": n for (channel, entity), n in sorted(self.read.items())},
            "unreachable": dict(self.unreachable), "faults": list(self.faults), "currency": self.currency,
            "counts": self.counts(),
            "at_stake": {kind: str(self.stake(kind)) for kind in KINDS},
            "findings": [
                {"kind": one.kind, "subject": one.subject, "sentence": one.sentence, "at_stake": str(one.at_stake)}
                for kind in KINDS for one in self.of(kind)
            ],
        }


KINDS = {
    "price": "prices that differ",
    "oversell": "SKUs that can oversell now",
    "stock": "stock figures that differ from the allotment",
    "missing": "SKUs on one channel only",
    "order": "orders without a counterpart in the system with authority",
    "double": "customers that look double",
}
"""Kind → what the findings of that kind are, for people."""


@dataclass(kw_only=True)
class _Seen:
    """Everything the channels said: (channel, entity) → uid → contributions."""

    house: House
    said: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    known: dict[tuple[str, str, str], str] = field(default_factory=dict)
    owners: dict[tuple[str, str, str], str] = field(default_factory=dict)
    read: dict[tuple[str, str], int] = field(default_factory=dict)
    texts: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)

    def take(self, channel: str, resource: str) -> None:
        """Reads a resource to its end and files what it says, by record."""
        mapping = self.house.of(channel).inward[resource]
        context = self.house.context(channel, self.house.registry.now())
        for page in self.house.connector(channel, "look").read(resource):
            refs = {
                (entity, id): self.known[channel, entity, id]
                for entity, id in mapping.inward_references(page.docs) if (channel, entity, id) in self.known
            }
            result = mapping.map_inward(page.docs, refs, context)
            self.faults += [f"{channel}: {fault}" for fault in result.faults]
            if "order" in mapping.inward:
                texts = self.texts.setdefault((channel, "order"), set())
                texts.update(value for doc in page.docs for value in doc.values() if isinstance(value, str))
            for record in sorted(result.records, key=lambda record: ENTITIES.index(record.entity)):
                for local in record.local:
                    place: Any = record.values
                    for step in local.path[:-1]:
                        place = place[step]
                    place[local.path[-1]] = self.known.get((channel, local.entity, local.id))
                self.file(channel, record.entity, record.id, record.values)

    def file(self, channel: str, entity: str, id: str, values: dict[str, Any]) -> None:
        """Files one contribution under the record that owns one of its keys, or under a new one."""
        country = self.house.channel(channel).company.country
        keys = [(entity, kind, value) for kind, value in match_keys(entity, values, channel, id, country=country)]
        uid = next((self.owners[key] for key in keys if key in self.owners), f"{channel}:{entity}:{id}")
        for key in keys:
            self.owners.setdefault(key, uid)
        self.known[channel, entity, id] = uid
        self.said.setdefault((channel, entity), {}).setdefault(uid, []).append(values)
        self.read[channel, entity] = self.read.get((channel, entity), 0) + 1


def survey(house: House, channels: Iterable[str] | None = None) -> Survey:
    """Reads every channel (or these) to the end and tells what is wrong. Writes nothing anywhere.

    A channel that cannot be reached is named in ``unreachable`` and left out.
    """
    seen = _Seen(house=house)
    names = list(channels) if channels is not None else list(house.project.channels)
    wanted = sorted(
        (min(ENTITIES.index(entity) for entity in house.of(name).inward[resource].inward), position, resource, name)
        for position, name in enumerate(names) for resource in resources_of(house, name)
    )
    for _, _, resource, name in wanted:
        if name in seen.unreachable:
            continue
        try:
            seen.take(name, resource)
        except ConnectorError as fault:
            seen.unreachable[name] = str(fault)
    findings = [*_missing(seen), *_orders(seen), *_doubles(seen)]
    for legal in house.project.companies.values():
        theirs = (*_prices(seen, legal.id), *_stock(seen, legal.id))
        findings += [replace(one, currency=legal.currency) for one in theirs]
    company = next(iter(house.project.companies.values()))
    return Survey(
        read=seen.read, faults=tuple(seen.faults), unreachable=seen.unreachable, findings=tuple(findings),
        currency=company.currency,
    )


def _leading(seen: _Seen, entity: str, company: str) -> str | None:
    """The first channel of a company with authority over an entity that was read."""
    order = seen.house.authority(entity)["*"]
    if isinstance(order, str):
        return None
    ours = (name for name in order if seen.house.channel(name).company.id == company)
    return next((name for name in ours if (name, entity) in seen.said), None)


def _receiving(seen: _Seen, entity: str, company: str) -> list[str]:
    return [name for name, row in seen.house.project.channels.items()
            if row.company.id == company and entity in row.receives and (name, entity) in seen.said]


def _skus(seen: _Seen) -> dict[str, str]:
    return {
        uid: str(rows[0].get("sku")) for (_, entity), records in seen.said.items() if entity == "variant"
        for uid, rows in records.items()
    }


def _missing(seen: _Seen) -> list[Finding]:
    """SKUs that stand on one channel only, of those channels that carry variants."""
    carrying = [name for name in seen.house.project.channels if (name, "variant") in seen.said]
    found = []
    for uid, sku in _skus(seen).items():
        there = [name for name in carrying if uid in seen.said[name, "variant"]]
        if len(there) == 1 and len(carrying) > 1:
            found.append(Finding(kind="missing", subject=sku, sentence=f"{sku} is on {there[0]} only"))
    return found


def _prices(seen: _Seen, company: str) -> list[Finding]:
    """Prices that differ from what follows for the channel from the lists of who has authority; at stake is the
    difference times the units shown there."""
    lead = _leading(seen, "price", company)
    if lead is None:
        return []
    skus = _skus(seen)
    lists: dict[str, list[dict[str, Any]]] = {}
    for uid, rows in seen.said[lead, "price"].items():
        lists.setdefault(rows[-1]["variant"], []).append({**rows[-1], "uid": uid})
    found = []
    for name in _receiving(seen, "price", company):
        units = _shown(seen, name, _sold_from(seen, company, name))
        for rows in seen.said[name, "price"].values():
            mine, variant = rows[-1]["amount"], str(rows[-1].get("variant"))
            right = _follows(seen, lead, name, variant, lists.get(variant, ()))
            if right is None or (Decimal(mine["amount"]), mine["currency"]) == (right.amount, right.currency):
                continue
            off = abs(Decimal(mine["amount"]) - right.amount)
            says = f"{lead} says" if len(right.steps) == 1 else f"by the list of {lead} and policies/prices.yaml it is"
            found.append(Finding(
                kind="price", subject=f"{skus.get(variant, variant)} on {name}",
                at_stake=off * units.get(variant, Decimal(0)),
                sentence=f"{name} shows {mine['amount']} {mine['currency']}, {says} {right.amount:f} {right.currency}",
            ))
    return found


def _follows(
    seen: _Seen, lead: str, channel: str, variant: str, lists: Sequence[dict[str, Any]]
) -> Priced | None:
    """What follows for a channel from the lists of a variant; None: nothing does, or it would be held."""
    rules = seen.house.project.prices[channel]
    others = {
        name: [one.amount] for name in (*rules.not_above, *rules.not_below)
        if (one := _follows(seen, lead, name, variant, lists)) is not None
    }
    goods = next(iter(seen.said.get((lead, "variant"), {}).get(variant, ())), {})
    found = price(rules, lists, goods, seen.house.registry.now(), others=others)
    return found if isinstance(found, Priced) else None


def _sold_from(seen: _Seen, company: str, channel: str) -> set[str]:
    """The locations of ours that a channel sells from, for those that keep a figure for each."""
    policy = seen.house.project.stock.get(channel)
    places = seen.said.get((_leading(seen, "stock", company) or "", "location"), {})
    return set() if policy is None else {uid for uid, rows in places.items() if rows[0].get("code") in policy.locations}


def _shown(seen: _Seen, channel: str, ours: Set[str]) -> dict[str, Decimal]:
    """Variant → units the channel shows, without a location or at ``ours``; what it holds itself is not ours."""
    found: dict[str, Decimal] = {}
    for rows in seen.said.get((channel, "stock"), {}).values():
        for row in rows:
            if row.get("variant") is not None and (row.get("location") is None or row["location"] in ours):
                found[row["variant"]] = found.get(row["variant"], Decimal(0)) + Decimal(row["quantity"]["value"])
    return found


def _stock(seen: _Seen, company: str) -> list[Finding]:
    """What can oversell now (all channels together show more than there is), and figures off their allotment."""
    lead = _leading(seen, "stock", company)
    policies = {name: policy for name, policy in seen.house.project.stock.items()
                if seen.house.channel(name).company.id == company}
    selling = [name for name in _receiving(seen, "stock", company) if name in policies]
    if lead is None or not selling:
        return []
    skus = _skus(seen)
    codes = {uid: str(rows[0].get("code")) for uid, rows in seen.said.get((lead, "location"), {}).items()}
    prices = _price_of(seen, company)
    held: dict[str, dict[str, Decimal]] = {}
    for rows in seen.said[lead, "stock"].values():
        for row in rows:
            place = held.setdefault(row["variant"], {})
            code = codes.get(row["location"], str(row["location"]))
            place[code] = place.get(code, Decimal(0)) + Decimal(row["quantity"]["value"])
    locations = {code for name in selling for code in policies[name].locations}
    promised = _promised(seen)
    shown = {name: _shown(seen, name, _sold_from(seen, company, name)) for name in selling}
    found = []
    for variant, places in held.items():
        sku = skus.get(variant, variant)
        left = free(places, promised.get(variant, {}), pools=connected(policies))
        sellable = Decimal(sum(units for code, units in left.items() if code in locations))
        together = sum((shown[name].get(variant, Decimal(0)) for name in selling), Decimal(0))
        if together > sellable:
            told = ", ".join(f"{name} {shown[name][variant]}" for name in selling if variant in shown[name])
            found.append(Finding(
                kind="oversell", subject=sku, at_stake=(together - sellable) * prices.get(variant, Decimal(0)),
                sentence=f"{told}: together {together}, and {sellable} are there",
            ))
        right = publish(places, {code: units for code, units in promised.get(variant, {}).items()}, policies)
        for name in selling:
            if variant in shown[name] and shown[name][variant] != right.get(name, 0):
                off = abs(shown[name][variant] - right.get(name, 0))
                found.append(Finding(
                    kind="stock", subject=f"{sku} on {name}", at_stake=off * prices.get(variant, Decimal(0)),
                    sentence=f"{name} shows {shown[name][variant]}, its allotment is {right.get(name, 0)}",
                ))
    return found


def _promised(seen: _Seen) -> dict[str, dict[str | None, Decimal]]:
    """Variant → location → units of orders that are not sent yet, at the first location their channel sells from."""
    found: dict[str, dict[str | None, Decimal]] = {}
    for (name, entity), records in seen.said.items():
        policy = seen.house.project.stock.get(name)
        if entity != "order" or policy is None or not policy.locations:
            continue
        for rows in records.values():
            if rows[-1].get("status") not in ("open", "confirmed"):
                continue
            for line in rows[-1].get("lines") or ():
                if line.get("variant") is not None:
                    place = found.setdefault(line["variant"], {})
                    units = Decimal(line["quantity"]["value"])
                    place[policy.locations[0]] = place.get(policy.locations[0], Decimal(0)) + units
    return found


def _price_of(seen: _Seen, company: str) -> dict[str, Decimal]:
    lead = _leading(seen, "price", company)
    rows = seen.said.get((lead or "", "price"), {}).values()
    return {row["variant"]: Decimal(row["amount"]["amount"]) for group in rows for row in group}


def _orders(seen: _Seen) -> list[Finding]:
    """Orders of a selling channel whose number no order of the receiving system carries in any of its own fields.

    Compared with the native documents, since orders typed in before Serai carry the number wherever people put it.
    """
    keepers = [name for name, row in seen.house.project.channels.items()
               if "order" in row.receives and seen.house.may_create(name, "stock")]
    if not keepers:
        return []
    booked = {text for name in keepers for text in seen.texts.get((name, "order"), ())}
    found = []
    for (name, entity), records in seen.said.items():
        if entity != "order" or name in keepers or "order" in seen.house.channel(name).receives:
            continue
        for rows in records.values():
            row = rows[-1]
            if row.get("status") not in ("cancelled",) and str(row["number"]) not in booked:
                found.append(Finding(
                    kind="order", subject=f"{row['number']} of {name}", at_stake=Decimal(row["total"]["amount"]),
                    sentence=f"{keepers[0]} has no order for it ({row['status']}, {row['payment']})",
                ))
    return found


def _doubles(seen: _Seen) -> list[Finding]:
    """The same person more than once on one channel, and names alike across channels that share no key."""
    found = []
    names: dict[str, str] = {}
    for (channel, entity), records in seen.said.items():
        if entity != "customer":
            continue
        for uid, rows in records.items():
            names.setdefault(uid, str(rows[0].get("name") or ""))
            if len(rows) > 1:
                found.append(Finding(
                    kind="double", subject=f"{len(rows)} customers of {channel}", sentence="share an e-mail or a phone",
                ))
    if len(names) <= SHOWN:
        left = dict(names)
        for uid, name in names.items():
            left.pop(uid)
            if name and (alike := similar(name, left, at_least=0.99)):
                found.append(Finding(
                    kind="double", subject=f"{len(alike) + 1} customers",
                    sentence="have the same name and share no key",
                ))
    return found
