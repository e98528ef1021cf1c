"""Rows for people and for programs: each verb's rows as a table in the terminal, the same rows as JSON.

What surprises here: a row is a plain mapping whose keys are the columns; money and quantities are text, moments UTC.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.printing import plain, show
from registry import (
    candidates,
    consented,
    cursors,
    last_runs,
    modes,
    outbox_counts,
    parked,
    parked_counts,
    paused,
)

if TYPE_CHECKING:
    from flows.survey import Survey
    from flows.why import Why
    from flows.wiring import House


def status_rows(house: House) -> list[dict[str, Any]]:
    """A row per channel: what it does, how fresh it is, what is due, what needs a person."""
    with house.registry.read() as tx:
        mode, still = modes(tx), paused(tx)
        read_at: dict[str, datetime] = {}
        for cursor in cursors(tx):
            read_at[cursor.channel] = max(cursor.asked_at, read_at.get(cursor.channel, cursor.asked_at))
        open_writes: dict[str, Counter[str]] = {state: Counter() for state in ("due", "waiting", "held")}
        for (channel, _, state), number in outbox_counts(tx).items():
            open_writes[state if state in open_writes else "due"][channel] += number
        open_items: Counter[tuple[str, str]] = Counter()
        for (channel, _, _, kind), number in parked_counts(tx).items():
            open_items[channel, kind] += number
        last = {}
        for run in sorted(last_runs(tx).values(), key=lambda run: run.started_at):
            last[run.channel] = run
    notices = house.registry.inbox.depth()
    rows = []
    for name, row in house.settings.channels.items():
        words = Counter(mode.get((name, entity), "off") for entity in row.entities)
        latest = last.get(name)
        rows.append(
            {
                "channel": name,
                "platform": row.platform,
                "modes": ", ".join(f"{number} {word}" for word, number in words.items())
                + (" (writes paused)" if name in still else ""),
                "read_at": read_at.get(name),
                "notices": notices.get(name, 0),
                "due": open_writes["due"][name],
                "held": open_writes["held"][name],
                "parked": open_items[name, "parked"] + open_items[name, "quarantined"],
                "waiting": open_items[name, "waiting"] + open_writes["waiting"][name],
                "last_run": None if latest is None else f"{latest.what} {'ok' if latest.error is None else 'FAILED'}",
            }
        )
    return rows


def mode_rows(of: tuple[House, str | None]) -> list[dict[str, Any]]:
    """A row per channel and entity: its mode, whether it is written to, whether Serai may create there."""
    house, only = of
    with house.registry.read() as tx:
        mode, still, may_create = modes(tx), paused(tx), consented(tx)
    return [
        {
            "channel": name,
            "entity": entity,
            "mode": mode.get((name, entity), "off"),
            "receives": entity in row.receives,
            "may_create": (name, entity) in may_create,
            "writes_paused": name in still,
        }
        for name, row in house.settings.channels.items()
        if only in (None, name)
        for entity in row.entities
    ]


def parked_rows(of: tuple[House, str | None]) -> list[dict[str, Any]]:
    """A row per item that waits or needs a person, the oldest first."""
    house, only = of
    with house.registry.read() as tx:
        items = parked(tx, only)
    return [
        {
            "number": item.uid,
            "channel": item.channel,
            "kind": item.kind,
            "direction": item.direction,
            "entity": item.entity,
            "id": item.external_id or item.record_uid,
            "field": item.field,
            "place": None if item.file is None else f"{item.file}:{item.line}",
            "value": item.value_masked,
            "what": item.message,
            "remedy": item.remedy,
            "since": item.first_at,
            "times": item.times,
        }
        for item in items
    ]


def candidate_rows(of: tuple[House, str | None]) -> list[dict[str, Any]]:
    """A row per document of the match report."""
    house, only = of
    with house.registry.read() as tx:
        found = candidates(tx, only)
    return [
        {
            "channel": one.channel,
            "entity": one.entity,
            "id": one.external_id,
            "match": one.kind,
            "label": one.label,
            "score": one.score,
            "record": one.uid,
        }
        for one in found
    ]


WORST = 5
"""Findings of each kind that a terminal shows; --json has them all."""


def print_survey(survey: Survey) -> None:
    """Who was not asked; what is wrong today: a line per kind with the money at stake, then the worst of each kind."""
    from flows.survey import KINDS

    for channel, why in survey.unreachable.items():
        sys.stdout.write(f"  {channel} was left out: {why}\n")
    counts = survey.counts()
    for kind, words in KINDS.items():
        stake = survey.stake(kind)
        money = f", {stake:,.2f} {survey.currency} at stake" if stake != 0 else ""
        sys.stdout.write(f"{counts[kind]:>6,} {words}{money}\n")
    for fault in survey.faults[:WORST]:
        sys.stdout.write(f"  {fault}\n")
    if len(survey.faults) > WORST:
        sys.stdout.write(f"  … {len(survey.faults) - WORST:,} more documents at fault: --json names them\n")
    rows = [
        {"what": one.kind, "of": one.subject, "found": one.sentence, "at_stake": f"{one.at_stake:,.2f}"}
        for kind in KINDS
        for one in survey.of(kind)[:WORST]
    ]
    if rows:
        show(f"the worst of each kind, in {survey.currency}", rows, as_json=False, nothing="")
    elif not survey.unreachable:
        sys.stdout.write("the channels agree\n")


def print_why(answer: Why) -> None:
    """What the channel was told, then how that came about, one step a line."""
    sys.stdout.write(f"{answer.channel} {answer.entity} {answer.key}\n")
    rows = [{"step": step.kind, "what": step.sentence, "where": step.where} for step in answer.steps]
    told = [{"step": "told", "what": f"{name}: {_short(value)}", "where": ""} for name, value in answer.told.items()]
    show("", [*told, *rows], as_json=False, nothing="")


def _short(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, default=plain)
    return "null" if value is None else str(value)
