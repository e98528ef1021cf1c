"""Runs the laws over generated documents, shrinks what breaks one, and tells it with its row.

What surprises here: a failure that is known is looked past, so that one run tells the next cause too, up to ``MOST``
per direction. The same seed in the same process gives the same documents.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping as Table, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed as seeded, settings

from mappings.language.faults import Fault
from mappings.language.mapping import Mapping
from mappings.language.properties.drawing import checks_of, inward_examples, outward_examples
from mappings.language.properties.laws import Broken, Checks, inward_broken, outward_broken, plain_number
from mappings.language.properties.lossless import lossless
from mappings.language.properties.samples import Sample
from mappings.language.shapes import Schema

MOST = 5
"""Failures told per direction; what comes after is seldom another cause."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PropertyOutcome:
    """How one property of one direction went; ``str()`` of it is the message.

    ``examples`` were looked at, in ``reached`` of them the property had something to say; ``document`` is the smallest
    that breaks it.
    """

    property: str
    direction: str
    ok: bool
    examples: int
    reached: int
    seed: int
    file: str
    line: int = 0
    column: int = 0
    field: str = ""
    what: str = ""
    document: Any = None

    def __str__(self) -> str:
        if self.ok:
            return f"{self.file}: {self.direction}: {self.property} held in {self.reached} of {self.examples} documents"
        shown = json.dumps(self.document, ensure_ascii=False, default=plain_number)
        return (
            f"{self.file}:{self.line}:{self.column}: {self.property}: {self.field}: {self.what}\n"
            f"  {'given' if self.direction == 'inward' else 'the record'}: {shown}"
        )


class _Failed(Exception):
    """Carries the failure out of Hypothesis, which keeps the smallest."""

    def __init__(self, broken: Broken, example: Any) -> None:
        super().__init__(broken.what)
        self.broken, self.example = broken, example


def check_properties(
    mapping: Mapping, source_schema: Schema | None, canonical: Table[str, Schema], *, examples: int = 100, seed: int = 0
) -> list[PropertyOutcome]:
    """One outcome per property that held, and one per failure found.

    ``canonical`` are the schemas with their references resolved. Without a source schema nothing is generated inward.
    """
    checks = checks_of(mapping, source_schema, canonical)
    outcomes: list[PropertyOutcome] = []
    if checks.documents is not None:
        properties = ["total", "valid", *(["echo"] if checks.pair is not None else [])]
        outcomes += _run(checks, "inward", properties, inward_examples(checks), inward_broken, examples, seed)
    if checks.records is not None and mapping.outward is not None:
        properties = ["total"]
        if checks.pair is not None and checks.documents is not None and lossless(*checks.pair):
            properties.append("round trip")
        if mapping.outward.entity == "stock":
            properties.append("monotone")
        outcomes += _run(checks, "outward", properties, outward_examples(checks), outward_broken, examples, seed)
    return outcomes


# -- running ----------------------------------------------------------------------------------------------------------
def _run(
    checks: Checks,
    direction: str,
    properties: Sequence[str],
    drawn: Sample,
    broken_by: Callable[[Checks, Any], Iterator[Broken]],
    examples: int,
    seed: int,
) -> list[PropertyOutcome]:
    """Looks for failures until none or ``MOST`` are found; one that is known is looked past."""
    told: list[tuple[Broken, Any]] = []

    def first(example: Any) -> Broken | None:
        known = {broken.key for broken, _ in told}
        return next((b for b in broken_by(checks, example) if b.key not in known), None)

    @seeded(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
    )
    @given(drawn)
    def look(example: Any) -> None:
        broken = first(example)
        if broken is not None:
            raise _Failed(broken, example)

    while len(told) < MOST:
        checks.reached.clear()
        try:
            look()
        except _Failed as failed:
            told.append((failed.broken, _trimmed(failed.example, failed.broken, lambda e: broken_by(checks, e))))
        else:
            break
    name = checks.mapping.name
    failed_ones = {broken.law for broken, _ in told}
    return [
        PropertyOutcome(
            property=p,
            direction=direction,
            ok=True,
            examples=examples,
            reached=checks.reached[p],
            seed=seed,
            file=name,
        )
        for p in properties
        if p not in failed_ones
    ] + [
        PropertyOutcome(
            property=broken.law,
            direction=direction,
            ok=False,
            examples=examples,
            reached=checks.reached[broken.law],
            seed=seed,
            file=broken.row.file if isinstance(broken.row, Fault) else broken.row.node.file,
            line=broken.row.line,
            column=broken.row.column,
            field=broken.field,
            what=broken.what,
            document=document,
        )
        for broken, document in told
    ]


def _trimmed(example: Any, broken: Broken, broken_by: Callable[[Any], Iterator[Broken]]) -> Any:
    """The document without the fields that the failure does not need, required or not: what is left is what matters."""
    document, *rest = copy.deepcopy(example)
    if broken.law == "total":
        return document  # it is about documents that the schema allows: nothing required is taken away
    for holder, key in list(_keys(document)):
        if key not in holder:
            continue
        before = dict(holder)
        del holder[key]
        if not any((b.key, b.what) == (broken.key, broken.what) for b in broken_by((document, *rest))):
            holder.clear()
            holder.update(before)
    return document


def _keys(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


