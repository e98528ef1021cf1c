"""The survey as one HTML file: what an integration engineer sends to a retailer before a project begins.

What surprises here: sums of different kinds are never added up. The same unit may be shown too often, be off its
allotment and have a wrong price; each kind says by itself what is at stake.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from deployments.planning.page import page
from flows.survey import KINDS, Survey
from flows.wiring import House

SHOWN = 25
"""Findings of each kind on the page, the most money first; ``serai survey --json`` has them all."""


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """A kind of finding in a retailer's words: what it is, what it costs, what is at stake and how it is counted."""

    title: str
    means: str
    stake: str


MEANINGS = {
    "oversell": Meaning(
        title="Goods that can be sold twice right now",
        means="Your channels together show more units than are there and not yet sold. Whoever buys last gets a "
              "cancellation.",
        stake="units shown beyond what is there × price",
    ),
    "order": Meaning(
        title="Orders that nobody is working on",
        means="A buyer ordered, and the system that ships has no order with that number. It may have been typed in "
              "under another one; if not, nothing will be sent.",
        stake="total of these orders",
    ),
    "price": Meaning(
        title="Prices that differ between systems",
        means="A buyer sees another price than the one your leading system gives. Too high loses the sale, too low "
              "loses the margin.",
        stake="difference × units shown there",
    ),
    "stock": Meaning(
        title="Stock figures that are off their share",
        means="A channel shows more or fewer units than its share of what is free. Too few are goods that nobody can "
              "buy.",
        stake="units off × price",
    ),
    "missing": Meaning(
        title="Articles that only one system knows",
        means="They are sold nowhere else, or were renamed in one place only.",
        stake="",
    ),
    "double": Meaning(
        title="Customers who seem to be in twice",
        means="The same e-mail, telephone or name stands at several customers. Discounts, addresses and consent are "
              "then kept in two places.",
        stake="",
    ),
}
"""Kind → its meaning, what hurts most first; the same kinds as the terminal's survey."""


NAMES = {"erp": "ERP", "crm": "CRM", "pos": "tills", "market": "marketplace", "shop": "web shop"}


def _known_as(platform: str) -> str:
    """What people call a platform: its own name, or what the simulated ones stand for."""
    name = platform.removeprefix("sandbox_").replace("_", " ")
    return NAMES.get(name, name.capitalize())


def survey_page(house: House, survey: Survey) -> str:
    """The page."""
    kinds = [
        {
            "kind": kind, "meaning": meaning, "findings": found[:SHOWN], "more": max(0, len(found) - SHOWN),
            "count": len(found), "stake": sum((one.at_stake for one in found), Decimal(0)),
        }
        for kind, meaning in MEANINGS.items()
        if (found := survey.of(kind)) or kind in KINDS
    ]  # fmt: skip
    systems = [
        {
            "name": name, "platform": _known_as(row.platform),
            "read": [(entity, n) for (channel, entity), n in sorted(survey.read.items()) if channel == name],
            "away": survey.unreachable.get(name),
        }
        for name, row in house.project.channels.items()
    ]  # fmt: skip
    company: Any = next(iter(house.project.companies.values()))
    return page("survey.html", {
        "survey": survey, "kinds": kinds, "systems": systems, "company": company, "at": house.registry.now(),
        "documents": sum(survey.read.values()),
    })  # fmt: skip
