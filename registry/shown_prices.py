"""What channels were seen to show as prices, from when to when: the history that a strike-through price needs.

What surprises here: only what was *verified* stands here, by an answer that carried the price or by a read. A price is
shown until another one is seen; seeing the same again writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from sqlalchemy import or_, select, update

from registry import bulk
from registry.codec import maybe_micros, maybe_moment, micros, moment
from registry.engine import Tx
from registry.tables import shown_price


class ShownRow(Struct, frozen=True, kw_only=True):
    """A channel was seen at ``start`` to show a price of a variant; ``source`` says by what (a receipt's key, a run).

    ``due_at`` is the moment at which it was to begin, where it was planned: ``start − due_at`` is its lag.
    """

    channel: str
    variant: str
    amount: Decimal
    currency: str
    tax_mode: str
    start: datetime
    source: str
    due_at: datetime | None = None


class ShownPrice(ShownRow, frozen=True, kw_only=True):
    """As stored; ``until`` None: the channel still shows it, as far as anybody saw."""

    until: datetime | None


_OPEN = bulk.Keyed(select(shown_price).where(shown_price.c.until.is_(None)), shown_price.c.variant_uid)


def put_shown_prices(tx: Tx, rows: Iterable[ShownRow]) -> list[ShownRow]:
    """Afterwards these are what the channels show, and what they showed before has ended; those that are news.

    What says the same as is known, or was seen before what is known, changes nothing.
    """
    seen = {(row.channel, row.variant): row for row in sorted(rows, key=lambda row: row.start)}
    if not seen:
        return []
    standing = {(row.channel, row.variant_uid): row for row in _OPEN.rows(tx, sorted({v for _, v in seen}))}
    fresh = [
        row for place, row in seen.items()
        if (old := standing.get(place)) is None or (
            micros(row.start) > old.start
            and (Decimal(old.amount), old.currency, old.tax_mode) != (row.amount, row.currency, row.tax_mode)
        )
    ]
    ended: dict[tuple[str, int], list[str]] = {}
    for row in fresh:
        if (row.channel, row.variant) in standing:
            ended.setdefault((row.channel, micros(row.start)), []).append(row.variant)
    for (channel, at), variants in ended.items():
        statement = update(shown_price).where(shown_price.c.channel == channel, shown_price.c.until.is_(None))
        bulk.change(tx, statement.values(until=at), shown_price.c.variant_uid, variants)
    bulk.insert(tx, "shown_price", (
        "channel", "variant_uid", "start", "amount", "currency", "tax_mode", "source", "due_at",
    ), [
        (row.channel, row.variant, micros(row.start), f"{row.amount:f}", row.currency, row.tax_mode, row.source,
         maybe_micros(row.due_at))
        for row in fresh
    ])
    return fresh


def shown_prices(
    tx: Tx, variants: Collection[str], channels: Collection[str], since: datetime | None = None
) -> dict[tuple[str, str], list[ShownPrice]]:
    """(channel, variant) → the prices it showed, the earliest first; with ``since`` those it still showed then."""
    statement = select(shown_price).where(bulk.within(tx, shown_price.c.channel, sorted(channels)))
    if since is not None:
        statement = statement.where(or_(shown_price.c.until.is_(None), shown_price.c.until > micros(since)))
    found: dict[tuple[str, str], list[ShownPrice]] = {}
    for row in sorted(bulk.gather(tx, statement, shown_price.c.variant_uid, variants), key=lambda row: row.start):
        found.setdefault((row.channel, row.variant_uid), []).append(ShownPrice(
            channel=row.channel, variant=row.variant_uid, amount=Decimal(row.amount), currency=row.currency,
            tax_mode=row.tax_mode, start=moment(row.start), until=maybe_moment(row.until), source=row.source,
            due_at=maybe_moment(row.due_at),
        ))
    return found
