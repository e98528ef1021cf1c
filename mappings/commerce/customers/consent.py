"""What a person allowed: the most restrictive of all that was said, per purpose, channel and means.

What surprises here: a grant never beats a denial that somebody else recorded. Only a later statement *of the same
source* (the account or form where the person spoke) takes an earlier one back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

Statement: TypeAlias = Mapping[str, Any]
MARKETING: Final = "marketing"
DENIED: Final = "denied"
GRANTED: Final = "granted"
_SAID: Final = ("purpose", "channel", "means")


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """Hours in which nobody is reached; ``end`` before ``start`` means over midnight."""

    start: time
    end: time

    def ends(self, now: datetime, zone: str) -> datetime | None:
        """When the quiet that holds at ``now`` ends; None where none holds.

        ``quiet ⇔ start ≤ local < end``, over midnight ``local ≥ start or local < end``.
        """
        there = now.astimezone(ZoneInfo(zone))
        local = there.time().replace(tzinfo=None)
        inside = (self.start <= local < self.end if self.start < self.end
                  else local >= self.start or local < self.end)
        if not inside:
            return None
        day = there.date() + timedelta(days=1 if local >= self.end else 0)
        return datetime.combine(day, self.end, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What a purpose needs: ``basis`` consent (a grant), or another basis (nothing but that nobody objected)."""

    basis: str = "consent"
    quiet: Quiet | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether somebody may be reached now; ``until`` is when a quiet hour ends, where only that stands in the way."""

    allowed: bool
    because: str
    until: datetime | None = None


def strictest(said: Iterable[Sequence[Statement]]) -> list[dict[str, Any]]:
    """One statement per (purpose, channel, means), from the consents of any number of identities; sorted by key.

    Per source the latest statement counts (a denial where two are of one moment; without a moment it is the earliest);
    then ``denied if any source denies, else granted``. Neither order nor repetition matters; more statements without a
    source never allow what fewer forbade.
    """
    latest: dict[tuple[Any, ...], Statement] = {}
    for number, statements in enumerate(said):
        for statement in statements:
            source = statement.get("source")
            place = (*(statement.get(name) for name in _SAID), source if source is not None else number)
            held = latest.get(place)
            if held is None or _rank(statement) > _rank(held):
                latest[place] = statement
    found: dict[tuple[Any, ...], Statement] = {}
    for (*subject, _), statement in latest.items():
        held = found.get(tuple(subject))
        if held is None or (statement["state"] == DENIED, *_rank(statement)) > (held["state"] == DENIED, *_rank(held)):
            found[tuple(subject)] = statement
    rows = [{**statement, "key": "/".join(one or "*" for one in subject)} for subject, statement in found.items()]
    return sorted(rows, key=lambda row: str(row["key"]))


def may_reach(
    consents: Sequence[Statement], purpose: str, channel: str, means: str, now: datetime, zone: str,
    rule: Purpose | None = None,
) -> Answer:
    """Whether a person may be reached for a purpose by a means of a channel at ``now``.

    ``allowed = no statement that applies denies ∧ (basis ≠ consent ∨ one grants) ∧ no quiet hour``. A statement applies
    where its purpose is the same and its channel and means are the same or left out.
    """
    rule = rule or Purpose()
    mine = [
        one for one in consents if one["purpose"] == purpose
        and one.get("channel") in (None, channel) and one.get("means") in (None, means)
    ]
    if any(one["state"] == DENIED for one in mine):
        return Answer(allowed=False, because=f"{purpose} by {means} was refused")
    if rule.basis == "consent" and not any(one["state"] == GRANTED for one in mine):
        return Answer(allowed=False, because=f"nobody agreed to {purpose} by {means}")
    ends = [end for end in (
        rule.quiet.ends(now, zone) if rule.quiet is not None else None,
        *(quiet_of(one["quiet"]).ends(now, one["quiet"].get("zone") or zone) for one in mine if one.get("quiet")),
    ) if end is not None]
    if ends:
        return Answer(allowed=False, because=f"{means} rests in quiet hours", until=max(ends))
    return Answer(allowed=True, because="agreed" if rule.basis == "consent" else rule.basis)


def stricter(before: Sequence[Statement], after: Sequence[Statement]) -> bool:
    """Whether ``after`` forbids something that ``before`` did not: a new denial, or a grant that is gone."""

    def of(statements: Sequence[Statement], state: str) -> set[tuple[Any, ...]]:
        return {tuple(one.get(name) for name in _SAID) for one in statements if one["state"] == state}

    return bool(of(after, DENIED) - of(before, DENIED) or of(before, GRANTED) - of(after, GRANTED))


def quiet_of(row: Mapping[str, Any]) -> Quiet:
    """The quiet hours of ``{from: "21:00", to: "09:00"}``."""
    return Quiet(start=time.fromisoformat(row["from"]), end=time.fromisoformat(row["to"]))


def _rank(statement: Statement) -> tuple[str, bool, str]:
    """Later beats earlier, a denial beats a grant of the same moment; the key, so that no two tie."""
    return statement.get("at") or "", statement["state"] == DENIED, str(sorted(statement.items(), key=str))
