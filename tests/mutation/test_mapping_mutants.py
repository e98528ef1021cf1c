"""The tests inside mapping files notice what changes: a fixed part of all mutants; `make mutation` runs all."""

from __future__ import annotations

from typing import Any

from mappings import canonical
from mappings.language import compile, run_tests_of
from mappings.language.loader import load_node
from mappings.language.shapes import Book, shape_of
from tests.mutation.judging import judge, mapping_paths
from tests.mutation.mutants import OPERATORS, mutants_of, mutated

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "code": {"type": "string"},
        "title": {"type": "string"},
        "label": {"type": "string"},
        "state": {"type": "string", "enum": ["A", "B", "C"]},
        "price": {"type": "number"},
        "cost": {"type": "number"},
        "lines": {"type": "array", "items": {"properties": {"n": {"type": "number"}, "m": {"type": "number"}}}},
    },
    "required": ["id", "code", "title", "label", "state", "price", "cost", "lines"],
}
TEXT = """
platform: x
resource: r
tables: {states: {A: first, B: second, C: third}}
inward:
  product:
    drop_if: {a draft: = price < 0}
    fields:
      code: code
      name: {from: title, required: true}
      brand: {from: label, on_error: absent, default: = 'none'}
      status: {from: state, table: {A: active, B: archived}, otherwise: park}
      attributes:
        fields:
          margin: "= price - cost if price > cost else 0"
          rounded: {from: price, as: decimal, round: half_up}
          total: = sum(l.n for l in lines if l.n > 0)
          many: {each: lines, where: = n > 0, sort: {by: m, descending: true}, fields: {n: n}}
          kind: {from: state, table: states}
          chosen: {when: [{if: = price > cost, then: title}, {else: label}]}
tests:
  - name: one
    given: {code: c, title: t, label: l, state: A, price: 2.5, cost: 1, lines: []}
    expect: {product: {code: c}}
"""


def built(text: str) -> Any:
    return compile(text, "mappings/x/r.yaml", load=_load, source_schema=SCHEMA, canonical=canonical.schemas())


def _load(name: str) -> str:
    raise FileNotFoundError(name)


def mutants() -> list[Any]:
    return mutants_of(TEXT, built(TEXT), shape_of(SCHEMA, Book(root=SCHEMA)), canonical.schemas())


def test_every_operator_finds_its_places() -> None:
    """Each operator of operators.yaml changes something in a file that has a place for it."""
    found = {mutant.key for mutant in mutants()}
    assert {mutant.operator for mutant in mutants()} == set(OPERATORS)
    assert "path inward.product.fields.code: code → title" in found
    assert "table inward.product.fields.status.table.A: active → archived" in found
    assert "required inward.product.fields.name.required: true → dropped" in found
    assert "round inward.product.fields.attributes.fields.rounded.round: half_up → half_even" in found
    assert (
        "arithmetic inward.product.fields.attributes.fields.margin: = price - cost if price > cost else 0"
        " → = price + cost if price > cost else 0" in found
    )
    assert (
        "path inward.product.fields.attributes.fields.total: = sum(l.n for l in lines if l.n > 0)"
        " → = sum(l.m for l in lines if l.n > 0)" in found
    )
    assert "path inward.product.fields.attributes.fields.many.sort.by: m → n" in found
    assert "table tables.states.A: first → second" in found
    assert "path inward.product.fields.attributes.fields.chosen.when.0.then: title → code" in found
    assert not any(key.startswith("row inward.product.fields.code") for key in found)  # it is required


def test_a_mutant_differs_in_its_one_place_and_points_at_the_line() -> None:
    """What a survivor names is what was changed."""
    data = load_node(TEXT, "").data()
    for mutant in mutants():
        changed = load_node(mutated(data, mutant), "").data()
        assert changed != data
        holder, before = changed, data
        for step in mutant.place[:-1]:
            holder, before = holder[step], before[step]
        holder[mutant.place[-1]] = before[mutant.place[-1]]
        assert changed == data
        assert str(mutant.place[-1]) in TEXT.splitlines()[mutant.line - 1] or mutant.operator in ("row", "path")


def test_a_test_that_asserts_more_catches_more() -> None:
    """A survivor is a thing no test looks at: asserting it catches the mutant, and nothing else does."""
    table = next(m for m in mutants() if m.operator == "table" and m.place[-1] == "A")
    asserting = TEXT.replace("{product: {code: c}}", "{product: {code: c, status: active}}")
    for text, caught in ((TEXT, False), (asserting, True)):
        changed = mutated(load_node(text, "").data(), table)
        assert any(not result.ok for result in run_tests_of(built(changed))) is caught


def test_the_mappings_own_tests_catch_nearly_every_mutant() -> None:
    """A fixed sample of every file's mutants: at least 95 % of those that change something are caught."""
    judged = [judge(path, share=0.03) for path in mapping_paths()]
    caught = sum(one.tests + one.lint for one in judged)
    missed = [f"{one.file}:{mutant.line}: {mutant.key}" for one in judged for mutant in one.survivors]
    assert caught > 100
    assert caught >= 0.95 * (caught + len(missed)), "\n".join(missed)
