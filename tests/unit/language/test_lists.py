"""Lists: lists in lists, told apart, sorted, grouped, added up; with and without a source schema, fast and safe."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings.language import LintErrors, Mapping, compile as compile_mapping
from tests.unit.language.conftest import CANONICAL, loader
from tests.unit.language.test_inward import CONTEXT, Compiled, faults, one, partial

LINE = {
    "type": "object",
    "required": ["sku", "n", "price", "tags"],
    "properties": {
        "sku": {"type": "string"},
        "n": {"type": "integer"},
        "price": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "orders"],
    "properties": {
        "id": {"type": "string"},
        "orders": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "lines"],
                "properties": {"code": {"type": "string"}, "lines": {"type": "array", "items": LINE}},
            },
        },
    },
}
DOC: dict[str, Any] = {
    "orders": [
        {"code": "b", "lines": [{"sku": "A", "n": 1, "price": "2.00", "tags": ["x"]}]},
        {"code": "a", "lines": [{"sku": "B", "n": 3, "price": "5.00", "tags": []}]},
        {"code": "c", "lines": [{"sku": "A", "n": 2, "price": "2.50", "tags": ["y", "x"]}]},
    ]
}


def both(text: str) -> list[Mapping]:
    """The mapping compiled with the schema of this page, and without one."""
    return [
        compile_mapping(text, "mappings/x/y.yaml", load=loader({}), source_schema=schema, canonical=CANONICAL)
        for schema in (SCHEMA, None)
    ]


def listed(row: str) -> list[Any]:
    """What a row of free attributes gives for the document of this page; the same in every variant."""
    given = [
        one(mapping, DOC).values["attributes"]["list"]
        for mapping in both(partial(f"{{attributes: {{fields: {{list: {row}}}}}}}"))
    ]
    # the safe variant: another row faults on purpose and is left out
    broken = partial(f"{{attributes: {{fields: {{bad: {{from: '= 1 / 0', on_error: absent}}, list: {row}}}}}}}")
    given += [one(mapping, DOC).values["attributes"]["list"] for mapping in both(broken)]
    assert all(value == given[0] for value in given)
    return list(given[0])


def pair(of: str, sku: Any) -> dict[str, Any]:
    return {"of": of, "sku": sku}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("{each: [orders, lines], from: sku}", ["A", "B", "A"]),
        ("{each: [orders, lines, tags], from: '= up.sku + this'}", ["Ax", "Ay", "Ax"]),
        ("{each: [orders, lines], fields: {of: up.code, sku: sku}}", [pair("b", "A"), pair("a", "B"), pair("c", "A")]),
        ("{each: [orders, lines], where: = n > 1, from: sku}", ["B", "A"]),
        ("{each: [orders, lines], distinct: sku, from: n}", [1, 3]),
        ("{each: orders, sort: code, from: code}", ["a", "b", "c"]),
        ("{each: orders, sort: {by: code, descending: true}, from: code}", ["c", "b", "a"]),
        ("{each: [orders, lines], sort: [sku, {by: n, descending: true}], from: n}", [2, 1, 3]),
        ("{each: [orders, lines], sort: '= decimal(price)', from: price}", ["2.00", "2.50", "5.00"]),
        ("{each: [orders, lines], group: sku, from: '= sum(x.n for x in items)'}", [3, 3]),
        ("{each: [orders, lines], group: sku, fields: {of: key, sku: {each: items, from: n}}}",
         [pair("A", [1, 2]), pair("B", [3])]),
        ("{each: [orders, lines], where: = n < 3, group: '= n > 1', from: key}", [False, True]),
        ("{each: orders, fields: {of: code, sku: {each: [lines, tags], sort: this}}}",
         [pair("b", ["x"]), pair("a", []), pair("c", ["x", "y"])]),
    ],
)  # fmt: skip
def test_a_list_is_put_in_order_the_same_way_in_every_variant(row: str, expected: list[Any]) -> None:
    """Lists in lists, `where`, `distinct`, `sort`, `group`: with a schema, without one, and beside a fault."""
    assert listed(row) == expected


def test_null_sorts_last_and_groups_by_itself(compiled: Compiled) -> None:
    """An item without a key is neither lost nor first."""
    lists = (
        "up: {each: l, sort: k, from: k}, down: {each: l, sort: {by: k, descending: true}, from: k}, "
        "groups: {each: l, group: k, from: '= len(items)'}"
    )
    rows = f"{{attributes: {{fields: {{{lists}}}}}}}"
    doc = {"l": [{"k": None}, {"k": 2}, {}, {"k": 1}]}
    assert one(compiled(partial(rows)), doc).values["attributes"] == {
        "up": [1, 2, None],  # what is absent leaves its place out
        "down": [2, 1, None],
        "groups": [2, 1, 1],
    }


def test_values_that_have_no_common_order_are_a_fault(compiled: Compiled) -> None:
    """10 and "9" have no order; a guess would be wrong half the time."""
    (fault,) = faults(compiled(partial("{attributes: {fields: {l: {each: l, sort: this}}}}")), {"l": [10, "9"]})
    assert (fault.field, fault.rule) == ("attributes.l", "mixed")


def test_a_documents_lines_become_records_of_another_entity_one_per_key(compiled: Compiled) -> None:
    """An ERP's price list of variants holds each product several times: it is one product."""
    text = """
platform: x
resource: y
inward:
  product:
    each: [groups, rows]
    distinct: code
    sort: code
    id: code
    fields: {code: code, name: title, status: = 'active', category: up.name}
  location:
    each: [groups, rows]
    group: place
    id: key
    fields: {code: key, name: "= join([x.code for x in items], '+')"}
"""
    doc = {
        "groups": [
            {
                "name": "G1",
                "rows": [{"code": "B", "title": "b", "place": "w"}, {"code": "A", "title": "a", "place": "v"}],
            },
            {"name": "G2", "rows": [{"code": "B", "title": "again", "place": "v"}]},
        ]
    }
    result = compiled(text).map_inward([{"id": "1", **doc}], {}, CONTEXT)
    assert result.faults == []
    assert [(r.entity, r.id, r.values["name"], r.values.get("category")) for r in result.records] == [
        ("product", "A", "a", "G1"),
        ("product", "B", "b", "G1"),
        ("location", "w", "B", None),
        ("location", "v", "A+B", None),
    ]


def test_references_inside_lists_of_lists_are_asked_for_before_the_map(compiled: Compiled) -> None:
    """One batch of references per page, also for those that only a group or an inner list names."""
    rows = (
        "{attributes: {fields: {a: {each: [o, l], fields: {v: {from: v, ref: variant}}}, "
        "b: {each: l, group: c, fields: {c: {from: key, ref: customer}}}}}}"
    )
    mapping = compiled(partial(rows))
    doc = {"id": "1", "o": [{"l": [{"v": "1"}, {"v": "2"}]}, {"l": None}], "l": [{"c": "7"}, {"c": "7"}]}
    assert mapping.inward_references([doc]) == {("variant", "1"), ("variant", "2"), ("customer", "7")}


def test_faults_inside_a_sorted_list_name_the_place_that_was_read(compiled: Compiled) -> None:
    """The engineer finds the item in the document, not where it would have stood."""
    rows = "{lines: {each: l, sort: n, fields: {key: k, name: k, quantity: q, total: \"= zero('KZT')\"}}}"
    mapping = compiled(partial(rows, head="forms: {quantity: {unit: each}}"))
    (fault,) = faults(mapping, {"l": [{"k": "a", "n": 2, "q": "x"}, {"k": "b", "n": 1, "q": 1}]})
    assert (fault.field, fault.path) == ("lines[1].quantity", "l[0].q")


TOTALS = """
platform: x
resource: y
forms: {quantity: {unit: each}}
inward:
  order:
    required: false
    fields:
      lines:
        each: l
        where: = n != 0
        fields:
          key: k
          name: k
          quantity: {from: n, as: quantity}
          total: "= money(p, 'KZT') * n"
      total: "= sum((line.total for line in out.lines), start=zero('KZT'))"
"""


TOTAL = compile_mapping(TOTALS, "mappings/x/y.yaml", load=loader({}), source_schema=None, canonical=CANONICAL)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 9), st.integers(0, 99999)), max_size=6))
def test_the_total_of_an_order_is_the_sum_of_its_lines_to_the_cent(lines: list[tuple[int, int]]) -> None:
    """`out.lines` gives the lines' own values: exact money, and only of lines that are there."""
    doc = {"l": [{"k": str(k), "n": n, "p": f"{cents // 100}.{cents % 100:02d}"} for k, (n, cents) in enumerate(lines)]}
    expected = sum(Decimal(cents) * n for n, cents in lines) / 100
    values = one(TOTAL, doc).values
    assert values["total"] == {"amount": f"{expected:.2f}".replace("-0.00", "0.00"), "currency": "KZT"}
    assert sum(Decimal(line["total"]["amount"]) for line in values["lines"]) == expected


def test_a_line_that_faults_gives_no_total_of_the_others() -> None:
    """A total that silently leaves a line out would be money lost; only the line's fault is told."""
    (fault,) = faults(TOTAL, {"l": [{"k": "a", "n": 1, "p": "1.00"}, {"k": "b", "n": 1, "p": "x"}]})
    assert fault.field == "lines[1].total"
    (fault,) = faults(TOTAL, {"l": "no list"})
    assert fault.field == "lines"


@pytest.mark.parametrize(
    ("row", "code", "what"),
    [
        ("{from: a, sort: b}", "alone", "sort needs each"),
        ("{each: orders, sort: {order: code}}", "unknown-key", "unknown key 'order' in sort; known: by, descending"),
        ("{each: orders, sort: {descending: true}}", "missing-key", "sort has no by"),
        ("{each: orders, sort: lines, from: code}", "wrong-type", "sort by a list"),
        ("{each: orders, group: cod, from: key}", "unknown-path", "did you mean 'code'"),
        ("{each: orders, group: code, from: code}", "unknown-path", "the source has no 'code'; known: items, key"),
        ("{each: [orders, code], from: this}", "wrong-type", "each over text"),
        ("{each: orders, distinct: lines, from: code}", "wrong-type", "distinct by a list"),
    ],
)
def test_a_key_of_lists_used_wrongly_says_what_is_allowed(row: str, code: str, what: str) -> None:
    """Lint: the row's line, the code, the words."""
    text = partial(f"{{attributes: {{fields: {{list: {row}}}}}}}")
    with pytest.raises(LintErrors) as refused:
        compile_mapping(text, "mappings/x/y.yaml", load=loader({}), source_schema=SCHEMA, canonical=CANONICAL)
    found = [error for error in refused.value.errors if error.code == code]
    assert found, str(refused.value)
    assert found[0].line == 7
    assert what in str(found[0])


@pytest.mark.parametrize(
    "row",
    [
        "{each: doc.l, fields: {b: {each: doc.l, fields: {c: {each: doc.l, from: = doc.l}}}}}",
        "{each: [doc.l, doc.l, doc.l]}",
        "{each: doc.l, from: '= count(y for x in doc.l for y in doc.l)'}",
    ],
)
def test_lists_in_lists_of_the_same_list_are_a_fault_long_before_they_fill_the_machine(
    compiled: Compiled, row: str
) -> None:
    """A document of two thousand numbers must not become eight billion values."""
    found = faults(compiled(partial(f"{{attributes: {{fields: {{list: {row}}}}}}}")), {"l": list(range(2000))})
    assert {fault.rule for fault in found} <= {"work", "length"}
    assert len(found) <= 100
