"""Policies: one module per file ``policies/<name>.yaml``: how it is read and checked, and how its own tests are run.

To add one: a module here with ``read(rows, …, errors)``, which collects mistakes and returns frozen data of
``mappings.commerce``, and ``example(policy, given)``, which decides what a test of the file gives by the same pure
functions that decide in a run; its line in ``EXAMPLES``; its field in ``Project``; its schema in
``deployments/authoring/schemas.py``.

What surprises here: ``tests`` is no name of a channel in a policy file. Each entry is ``{name, given, expect}``;
``expect`` is compared on the keys that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flows.policies import (
    breaker,
    cohorts,
    customers,
    fulfilment,
    fx,
    orders,
    prices,
    products,
    sources,
    stock,
    taxes,
)
from flows.setting_files import SettingsFile
from mappings.language import TestResult, compare

__all__ = [
    "EXAMPLES", "FILES", "TESTS", "Example", "breaker", "cohorts", "customers", "examples", "fulfilment", "fx",
    "orders", "prices", "products", "run", "sources", "stock", "taxes",
]

TESTS: Final = "tests"
_KEYS: Final = ("name", "given", "expect")

EXAMPLES: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]]] = {
    "stock": stock.example,
    "breaker": breaker.example,
    "customers": customers.example,
    "orders": orders.example,
    "fulfilment": fulfilment.example,
    "products": products.example,
    "taxes": taxes.example,
    "fx": fx.example,
    "prices": prices.example,
}
"""Policy → what a test of its file gives."""
FILES: Final = tuple(f"policies/{name}" for name in EXAMPLES)
"""The policy files of a project, without ``.yaml``."""
COUNTING: Final = "counting"
"""The rows ``sources`` and ``pos`` of policies/stock.yaml: a test of them names one of them."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One test of a policy file."""

    policy: str
    file: str
    line: int
    name: str
    given: Mapping[str, Any]
    expect: Mapping[str, Any]


def examples(policy: str, file: SettingsFile, found: Any) -> list[Example]:
    """The tests of a policy file; one that is not of the right shape is a mistake of the file."""
    if not isinstance(found, list):
        file.fail((TESTS,), "shape", f"found {found!r}", "a list of {name: …, given: …, expect: …}")
        return []
    rows = [
        (number, row) for number, row in enumerate(found)
        if file.keys((TESTS, number), row, _KEYS, _KEYS) and file.texts((TESTS, number), row, ["name"])
        and all(file.is_map((TESTS, number, key), row[key]) for key in ("given", "expect"))
    ]
    return [
        Example(policy=COUNTING if policy == "stock" and {"source", "pos"} & row["given"].keys() else policy,
                file=file.name, line=file.line(TESTS, number), name=row["name"], given=row["given"],
                expect=row["expect"])
        for number, row in rows
    ]


def run(example: Example, policy: Any) -> TestResult:
    """Whether the policy gives what the test expects."""
    try:
        decide = sources.example if example.policy == COUNTING else EXAMPLES[example.policy]
        came = decide(policy, example.given)
        differences = compare(example.expect, came)
    except (KeyError, TypeError, ValueError, ArithmeticError) as fault:
        differences = compare({"given": "what the policy can be asked"}, {"given": f"{type(fault).__name__}: {fault}"})
    return TestResult(
        name=example.name, ok=not differences, differences=differences, line=example.line, direction="policy"
    )
