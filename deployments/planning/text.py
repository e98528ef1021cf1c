"""A plan, and what became of it, in a terminal."""

from __future__ import annotations

import sys

from deployments.planning import words
from deployments.printing import show
from flows.apply import Applied
from flows.plan import Plan

SHOWN = 10
"""Writes of each channel and entity that a terminal shows; --format json and html have them all."""


def print_plan(plan: Plan) -> None:
    """What would change: files, sums per channel, then the writes with before, after and why."""
    out = sys.stdout.write
    scope = words.scope(plan)
    out(f"plan of {plan.project} {words.against(plan)}" + (f", only {scope}" if scope else "") + "\n")
    for file in plan.files:
        out(f"  {file.what:<8} {file.name} (+{file.added} −{file.removed})\n")
    if plan.base is not None and not plan.files:
        out("  no file differs from the release in force\n")
    contributions, merged = plan.realigned
    if contributions or merged:
        out(f"  {words.number(contributions, 'contribution')} mapped anew from kept documents, "
            f"{words.number(merged, 'record')} different\n")  # fmt: skip
    rows = [
        {
            "channel": part.channel, "what": part.entity, "create": part.create, "update": part.update,
            "delete": part.delete, "unchanged": part.unchanged, "waiting": part.waiting, "parked": part.parked,
            "money moved": words.money(part), "breaker": words.verdict(part) or part.note,
        }
        for part in words.stands_out(plan.parts)
    ]  # fmt: skip
    if rows:
        show("", rows, as_json=False, nothing="")
    _writes(plan)
    for part in plan.parts:
        for why, count in part.reasons.items():
            out(f"  {part.channel} {part.entity}: {count} not written: {why}\n")
    for why, count in plan.left.items():
        out(f"  {why}: {count}\n")
    for fault in plan.faults:
        out(f"  {fault}\n")
    out(words.heading(plan) + "\n")


def _writes(plan: Plan) -> None:
    for part in plan.parts:
        mine = [one for one in plan.writes if (one.channel, one.entity) == (part.channel, part.entity)]
        if not mine:
            continue
        rows = [
            {
                "record": one.label, "op": one.op, "field": change.path, "before": words.value(change.before),
                "after": words.value(change.after), "because": "; ".join(one.because) if place == 0 else "",
            }
            for one in mine[:SHOWN]
            for place, change in enumerate(one.fields)
        ]  # fmt: skip
        show(f"{part.channel} {part.entity}", rows, as_json=False, nothing="")
        if len(mine) > SHOWN:
            sys.stdout.write(f"  … {len(mine) - SHOWN:,} more; --format json and html name them all\n")


def print_applied(done: Applied) -> None:
    """What became of the plan: written, done before, left out, not confirmed yet."""
    out = sys.stdout.write
    out(f"release {done.release.number} is in force\n")
    if done.contributions or done.records:
        out(f"{words.number(done.contributions, 'contribution')} mapped anew, "
            f"{words.number(done.records, 'record')} different\n")  # fmt: skip
    out(f"{words.number(len(done.written), 'planned write')} made")
    out(f", {len(done.done_before):,} made before\n" if done.done_before else "\n")
    for one in done.skipped:
        out(f"  left out, moved since: {one.channel} {one.entity} {one.label}\n")
    for one, why in done.left:
        out(f"  not confirmed yet: {one.channel} {one.entity} {one.label}: {why}\n")
    for note in done.notes:
        out(f"  {note}\n")
