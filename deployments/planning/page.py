"""A plan as one HTML file, for a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deployments.planning import words
from flows.plan import Plan

FIRST = 8
"""Writes of each channel and entity that stand open; the others unfold."""
SHOWN = 1_000
"""Writes of each channel and entity that a page holds; JSON holds them all."""


def plan_page(plan: Plan) -> str:
    """The page."""
    sections = [
        {
            "part": part,
            "writes": [one for one in plan.writes if (one.channel, one.entity) == (part.channel, part.entity)],
        }
        for part in words.stands_out(plan.parts)
    ]
    return page("plan.html", {"plan": plan, "sections": sections, "first": FIRST, "shown": SHOWN})


def page(template: str, values: Mapping[str, Any]) -> str:
    """A template of this package, filled in; every value is escaped."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals["words"] = words
    return made.get_template(template).render(values)
