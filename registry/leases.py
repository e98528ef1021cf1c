"""Who may work on one lane of one resource, and until when. Leases are economy, rows keep promises.

What surprises here: each new holder gets a higher epoch, and ``check_lease`` inside a page's transaction holds the row
until the commit, so that a holder who slept through its lease cannot commit after somebody else has begun.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update

from registry import bulk
from registry.codec import micros, moment
from registry.engine import LeaseLost, Registry, Tx
from registry.tables import lease as leases

# Built once: these are asked for at every page, and building a statement costs more than running it.
_PLACE = (
    leases.c.channel == bindparam("channel_"),
    leases.c.resource == bindparam("resource_"),
    leases.c.lane == bindparam("lane_"),
)
_EPOCH = select(leases.c.epoch).where(*_PLACE)
_HELD = select(leases.c.epoch, leases.c.until, leases.c.owner).where(*_PLACE).with_for_update(read=True)
_RENEW = (
    update(leases)
    .where(*_PLACE, leases.c.epoch == bindparam("epoch_"), leases.c.until > bindparam("stamp_"))
    .values(until=bindparam("until_"))
)
_RELEASE = update(leases).where(*_PLACE, leases.c.epoch == bindparam("epoch_")).values(until=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to work on a lane until ``until`` (by the database's clock)."""

    channel: str
    resource: str
    lane: str
    owner: str
    epoch: int
    until: datetime


def acquire(reg: Registry, channel: str, resource: str, lane: str, owner: str, seconds: float) -> Lease | None:
    """A lease with a new epoch, or None while another is in force (also one of the same owner)."""

    def work(tx: Tx) -> Lease | None:
        until = tx.stamp + int(seconds * 1_000_000)
        taken = bulk.upsert(
            tx,
            "lease",
            ("channel", "resource", "lane", "owner", "epoch", "until"),
            [(channel, resource, lane, owner, 1, until)],
            key=("channel", "resource", "lane"),
            change={"owner": "excluded.owner", "epoch": '"lease".epoch + 1', "until": "excluded.until"},
            unless=f'"lease".until > {tx.stamp}',
        )
        if not taken:
            return None
        row = tx.rows(_EPOCH, _place(channel, resource, lane))[0]
        return Lease(channel=channel, resource=resource, lane=lane, owner=owner, epoch=row.epoch, until=moment(until))

    return reg.attempt(work)


def renew(tx: Tx, lease: Lease, seconds: float = 60.0) -> Lease:
    """The same lease, good for ``seconds`` from now; raises LeaseLost when it is no longer ours.

    As after ``check_lease`` nobody else acquires it before the transaction ends.
    """
    until = tx.now + timedelta(seconds=seconds)
    place = _place(lease.channel, lease.resource, lease.lane)
    if tx.run(_RENEW, {**place, "epoch_": lease.epoch, "stamp_": tx.stamp, "until_": micros(until)}) == 0:
        check_lease(tx, lease)
    return replace(lease, until=until)


def release(reg: Registry, lease: Lease) -> None:
    """Afterwards another may acquire it at once; does nothing when it is no longer ours."""

    def work(tx: Tx) -> None:
        tx.run(_RELEASE, {**_place(lease.channel, lease.resource, lease.lane), "epoch_": lease.epoch})

    reg.attempt(work)


def check_lease(tx: Tx, lease: Lease) -> None:
    """Nobody else acquires this lease before the transaction ends; raises LeaseLost when that is already too late."""
    found = tx.rows(_HELD, _place(lease.channel, lease.resource, lease.lane))
    where = f"{lease.channel} {lease.resource} ({lease.lane})"
    if not found or found[0].epoch != lease.epoch:
        holder = found[0].owner if found else "nobody"
        raise LeaseLost(f"{where}: {lease.owner} lost the lease of epoch {lease.epoch}; {holder} holds it now")
    if found[0].until <= tx.stamp:
        raise LeaseLost(f"{where}: the lease of {lease.owner} ran out at {moment(found[0].until).isoformat()}")


def held(tx: Tx) -> list[Lease]:
    """The leases in force, for status."""
    found = tx.rows(select(leases).where(leases.c.until > tx.stamp).order_by(leases.c.channel, leases.c.resource))
    return [
        Lease(
            channel=row.channel,
            resource=row.resource,
            lane=row.lane,
            owner=row.owner,
            epoch=row.epoch,
            until=moment(row.until),
        )
        for row in found
    ]


def _place(channel: str, resource: str, lane: str) -> dict[str, str | int]:
    return {"channel_": channel, "resource_": resource, "lane_": lane}
