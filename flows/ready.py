"""Which listings a channel could not be told of now, and what each lacks: the answer of push, before it is asked.

What surprises here: nothing is judged a second way. The same views are rendered that a push would render, so that what
this lists and what waits can only be the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.errors import Misconfigured
from flows.content import publishes
from flows.render import views
from flows.routes import Group
from flows.wiring import House
from mappings.commerce.products import Missing
from registry import Record, Tx, binding_for, owners, records, records_where

AT_ONCE = 1_000


@dataclass(frozen=True, kw_only=True)
class Lack:
    """What one article lacks on a channel; ``published``: it is out already, and is kept or withdrawn by the policy."""

    key: str
    what: str
    where: str
    remedy: str
    published: bool


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """The answer: how many articles were looked at, how many are ready, and what the others lack; ``more``: not all of
    them were looked at."""

    channel: str
    articles: int
    ready: int
    lacks: Sequence[Lack]
    more: bool = False


def publishing(house: House) -> list[str]:
    """The channels that publish listings."""
    return [name for name in house.project.channels if _groups(house, name)]


def readiness(house: House, channel: str, sku: str | None = None, *, most: int | None = None) -> Readiness:
    """What every article (of ``most`` the first ones), or one SKU, lacks before ``channel`` may be told of it.

    Raises Misconfigured where the channel publishes no listings, and where no article has the SKU.
    """
    receives = house.channel(channel).receives
    groups = _groups(house, channel)
    if not groups:
        raise Misconfigured(
            f"{channel} publishes no listings: it receives {', '.join(receives) or 'nothing'}; a listing is a product, "
            "a variant, or a write that carries the product with it"
        )
    articles, ready, more = 0, 0, False
    lacks: list[Lack] = []
    for page in _articles(house, groups, sku):
        if most is not None and articles >= most:
            more = True
            break
        with house.registry.read() as tx:
            found = _of_page(house, tx, channel, groups, page)
        articles += len(page)
        ready += len(page) - len({one.key for one in found})
        lacks += found
    return Readiness(channel=channel, articles=articles, ready=ready, lacks=lacks, more=more)


def _groups(house: House, channel: str) -> list[Group]:
    """The writes of the channel that put a listing before buyers."""
    return [group for entity in house.channel(channel).receives
            if (group := house.of(channel).outward.get(entity)) is not None and publishes(group)
            and group.base in ("product", "variant")]


def _articles(house: House, groups: Sequence[Group], sku: str | None) -> Iterator[list[Record]]:
    """Pages of what is listed one by one: variants, or products where the channel knows no variants."""
    entity = "variant" if any(group.base == "variant" for group in groups) else "product"
    if sku is not None:
        kind = "sku" if entity == "variant" else "code"
        with house.registry.read() as tx:
            uid = owners(tx, [(entity, kind, sku)]).get((entity, kind, sku))
            if uid is None:
                raise Misconfigured(f"no {entity} has the {kind} {sku!r}; `serai find` looks for other numbers")
            yield list(records(tx, [uid]).values())
        return
    after = ""
    while True:
        with house.registry.read() as tx:
            page = records_where(tx, entity, after, AT_ONCE)
        if page:
            yield page
        if len(page) < AT_ONCE:
            return
        after = page[-1].uid


def _of_page(
    house: House, tx: Tx, channel: str, groups: Sequence[Group], page: Sequence[Record]
) -> list[Lack]:
    now = house.registry.now()
    found: dict[str, dict[str, Missing]] = {record.uid: {} for record in page}
    out: set[str] = set()
    for group in groups:
        of = {record.uid: record.uid if group.base == record.entity else record.values.get("product")
              for record in page}
        uids = sorted({uid for uid in of.values() if uid is not None})
        seen = views(house, tx, channel, group, uids, now)
        told = {uid for uid, one in binding_for(tx, channel, group.name, uids).items() if one.told_hash is not None}
        for article, uid in of.items():
            if uid in seen:
                found[article].update({one.what: one for one in seen[uid].missing})
            if uid in told:
                out.add(article)
    return [
        Lack(key=record.values.get("sku") or record.values["code"], what=one.what, where=one.where,
             remedy=_where_to(house, one), published=record.uid in out)
        for record in page for one in found[record.uid].values()
    ]


def _where_to(house: House, one: Missing) -> str:
    """The remedy, with the channels that have authority over the field."""
    entity, _, rest = one.where.partition(".")
    if not rest or "policies/" in one.remedy:
        return one.remedy
    orders = house.authority(entity)
    order = orders.get(rest.partition(".")[0], orders["*"])
    return f"{one.remedy} ({order if isinstance(order, str) else ', '.join(order)})"
