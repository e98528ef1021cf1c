"""Brings a plan about: releases the checkout's content and writes exactly what was planned.

What surprises here: the plan is made again first and compared with the one given, so that a record that moved since is
named before anything happens. Killed at any point and repeated, it goes on where it stopped: what was written already
is found by what the channels were told, what was mapped and merged already is in line, and a release that holds the
same content is not made twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.errors import ConnectorError
from flows.ledger import Ledger, Stretch
from flows.plan import Key, Plan, Planned, checkout, plan
from flows.push import push
from flows.realign import Realigned, realign
from flows.release import on_disk
from flows.settings import load_project
from flows.settle import settle
from flows.wiring import House, follows_disk
from registry import (
    OutboxRow,
    Release,
    Tx,
    binding_for,
    mark_due,
    newest_release,
    outbox_rows,
    put_release,
    registry_mark,
    settle_release,
    write_audit,
)

ROUNDS = 20
UNBOUNDED = Stretch(seconds=1e9, records=10**9)
EVERYTHING = 10**9
UNDER_WAY = ("decided", "sent", "accepted", "unknown")
NAMED = 20


class CannotApply(Exception):
    """The plan is not for this checkout, this registry or this release. Nothing was done; the message says why."""


class Fate(StrEnum):
    """What a planned write is now: still to do, done already, or of a record that moved since."""

    to_do = "to do"
    done = "done"
    moved = "moved"


class Moved(CannotApply):
    """Planned records moved since the plan was made. Nothing was done; ``writes`` names them."""

    def __init__(self, writes: Sequence[Planned]) -> None:
        names = "\n".join(f"  {one.channel} {one.entity} {one.label}" for one in writes[:NAMED])
        more = f"\n  … {len(writes) - NAMED} more" if len(writes) > NAMED else ""
        super().__init__(
            f"{len(writes)} planned records moved since the plan was made:\n{names}{more}\n"
            "nothing was released or written; plan again, or leave them out with --skip-stale"
        )
        self.writes = tuple(writes)


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What came of it. ``left`` are planned writes that are not confirmed yet, as (write, its state and why)."""

    release: Release
    written: Sequence[Planned]
    done_before: Sequence[Planned]
    skipped: Sequence[Planned]
    left: Sequence[tuple[Planned, str]]
    contributions: int
    records: int
    ledgers: Sequence[Ledger]
    notes: Sequence[str]


def apply(house: House, planned: Plan, *, who: str, because: str = "", skip_stale: bool = False) -> Applied:
    """Afterwards the checkout's content is in force and exactly the planned writes were made.

    Raises CannotApply when the plan is not for this checkout and registry, Moved when planned records moved since
    (``skip_stale`` leaves these out). What could not be confirmed yet stays due and is named in ``left``.
    """
    given = checkout(house)
    _fits(house, planned, given.content.hash, given.newest)
    now = plan(house, planned.scope, of=given)
    fates = _fates(house, planned, now)
    moved = [one for one in planned.writes if fates[one.key] is Fate.moved]
    if moved and not skip_stale:
        raise Moved(moved)
    to_do = [one for one in planned.writes if fates[one.key] is Fate.to_do]
    release = house.registry.attempt(lambda tx: _release(tx, given.content.texts, who, because))
    fresh = given.house
    fresh.release = release
    run = fresh.account("*", "apply", "outward").run
    in_line = realign(fresh, given.before, run=run) if release.settled_at is None else Realigned()
    fresh.registry.attempt(lambda tx: mark_due(tx, [(*one.key, None, False, fresh.release_cause) for one in to_do]))
    ledgers, notes = _deliver(fresh, to_do)
    if planned.scope.whole and not moved:
        fresh.registry.attempt(lambda tx: settle_release(tx, release.number))
    left = _left(fresh, to_do)
    open_keys = {one.key for one, _ in left}
    return Applied(
        release=release, written=[one for one in to_do if one.key not in open_keys],
        done_before=[one for one in planned.writes if fates[one.key] is Fate.done], skipped=moved, left=left,
        contributions=in_line.contributions, records=in_line.records, ledgers=ledgers, notes=notes,
    )


def first_release(house: House, who: str) -> Release | None:
    """Makes the first release of what is on disk, which is what ran until now; None where there is one, or where the
    disk is followed. Nothing is mapped or written anew."""
    if follows_disk():
        return None
    texts = on_disk(load_project(house.project.folder)).texts

    def work(tx: Tx) -> Release | None:
        if newest_release(tx) is not None:
            return None
        made = put_release(tx, texts, who, "the first release: what ran until now")
        settle_release(tx, made.number)
        write_audit(tx, who, f"release {made.number}", made.because, None, made.content)
        return made

    return house.registry.attempt(work)


def _fits(house: House, planned: Plan, content: str, newest: Release | None) -> None:
    with house.registry.read() as tx:
        mark = registry_mark(tx)
    if planned.registry != mark:
        raise CannotApply(
            f"the plan was made for project {planned.project!r} on another registry than this one; plan again here"
        )
    if planned.content != content:
        raise CannotApply(
            "mappings, authority or policies on disk are not those that were planned; plan again, or put back the "
            "files as they were"
        )
    number = None if newest is None else newest.number
    if number != planned.base and (newest is None or newest.content != planned.content):
        raise CannotApply(
            f"release {number} went live since the plan was made (it was made against "
            f"{'none' if planned.base is None else planned.base}); plan again"
        )


def _release(tx: Tx, texts: Mapping[str, str], who: str, because: str) -> Release:
    before = newest_release(tx)
    made = put_release(tx, texts, who, because)
    if before is None or made.number != before.number:
        was = None if before is None else before.content
        write_audit(tx, who, f"release {made.number}", because, was, made.content)
    return made


def _fates(house: House, planned: Plan, now: Plan) -> dict[Key, Fate]:
    """What each planned write is now, compared with the plan made again."""
    coming = {one.key: one for one in now.writes}
    with house.registry.read() as tx:
        flying = {(row.channel, row.entity, row.uid) for row in outbox_rows(tx, states=UNDER_WAY, limit=EVERYTHING)}
        done = _told_already(house, tx, planned)
    return {
        one.key: Fate.to_do if one.key in flying or _same(one, coming.get(one.key))
        else Fate.done if one.key not in coming and one.key in done
        else Fate.moved
        for one in planned.writes
    }


def _same(one: Planned, now: Planned | None) -> bool:
    """Whether the write would still take the channel from and to what was planned.

    A document that refers to what did not exist when it was planned is told another id by now.
    """
    if now is None or now.told != one.told:
        return False
    if one.minted:
        return {change.path for change in now.fields} == {change.path for change in one.fields}
    return now.telling == one.telling


def _told_already(house: House, tx: Tx, planned: Plan) -> set[Key]:
    """Planned writes that the channels were told since: by this plan, applied before and cut short."""
    by_place: dict[tuple[str, str], list[Planned]] = {}
    for one in planned.writes:
        by_place.setdefault((one.channel, one.entity), []).append(one)
    found: set[Key] = set()
    for (channel, entity), writes in by_place.items():
        group = house.of(channel).outward.get(entity) if channel in house.project.channels else None
        if group is None:
            continue
        bound = binding_for(tx, channel, group.name, [one.uid for one in writes])
        for one in writes:
            binding = bound.get(one.uid)
            if binding is None or binding.told_hash is None:
                continue
            since = binding.told_at is not None and binding.told_at >= planned.made_at
            if binding.told_hash.hex() == one.telling or (one.minted and since):
                found.add(one.key)
    return found


def _deliver(house: House, to_do: Sequence[Planned]) -> tuple[list[Ledger], list[str]]:
    """Settles and pushes the planned places until nothing that is due can move; one broken channel stops no other."""
    ledgers: list[Ledger] = []
    notes: dict[str, None] = {}
    order = list(Counter((one.channel, one.entity) for one in to_do))
    places = [(name, entity) for name, row in house.project.channels.items() for entity in row.receives
              if (name, entity) in order]
    for _ in range(ROUNDS):
        written = 0
        for channel, entity in places:
            try:
                ledgers.append(settle(house, channel, entity))
                ledger = push(house, channel, entity, stretch=UNBOUNDED)
            except ConnectorError as fault:
                notes[f"{channel} {entity}: {fault}"] = None
                continue
            ledgers.append(ledger)
            written += ledger.total("written")
            if ledger.note:
                notes[f"{channel} {entity}: {ledger.note}"] = None
        if written == 0:
            break
    return ledgers, list(notes)


def _left(house: House, to_do: Sequence[Planned]) -> list[tuple[Planned, str]]:
    wanted = {one.key: one for one in to_do}
    with house.registry.read() as tx:
        rows: list[OutboxRow] = outbox_rows(tx, uids=sorted({one.uid for one in to_do}), limit=EVERYTHING)
    return [
        (wanted[key], f"{row.state}: {row.reason}" if row.reason else row.state) for row in rows
        if (key := (row.channel, row.entity, row.uid)) in wanted
    ]
