"""Properties of the language: total, exact, and one meaning whichever generated variant runs."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings, strategies as st

from mappings.language import InwardRecord, LintErrors, Mapping, Ref, compile, load_yaml
from mappings.language.tracing import Trace
from tests.bench import mapping_cases as page

CANONICAL = {
    path.name.removesuffix(".json").removesuffix(".schema"): json.loads(path.read_text())
    for path in sorted((Path(__file__).resolve().parents[2] / "mappings" / "canonical").glob("*.json"))
}
FAST = settings(max_examples=150, deadline=None)
EDGES: list[Any] = [
    0,
    "",
    False,
    None,
    "007",
    "1E5",
    2**53 + 1,
    Decimal("0.10"),
    "0.10",
    "a\x00b",
    "\ud800",
    -1,
    "−1",
    [],
    {},
]
json_values = st.recursive(
    st.sampled_from(EDGES)
    | st.text(max_size=5)
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _load(name: str) -> str:
    raise FileNotFoundError(name)


def build(text: str, schema: Any = None) -> Mapping:
    return compile(text, "mappings/x/y.yaml", load=_load, source_schema=schema, canonical=CANONICAL)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(p for key, inner in entries for p in paths(inner, (*at, key)))]


@st.composite
def hurt(draw: Any, docs: list[Any]) -> Any:
    """A good document with up to three places replaced by anything, or taken away."""
    doc = msgspec.json.decode(msgspec.json.encode(draw(st.sampled_from(docs))))
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from(paths(doc)[1:]))
        holder = doc
        for part in way:
            holder = holder[part]
        if isinstance(holder, dict) and draw(st.booleans()):
            del holder[last]
        else:
            holder[last] = draw(json_values)
        if len(paths(doc)) == 1:
            break
    return doc


def safely(mapping: Mapping, doc: Any, n: int = 0) -> tuple[list[InwardRecord], list[Any], list[Any]]:
    """The document through the safe variant alone."""
    records: list[InwardRecord] = []
    faults: list[Any] = []
    skips: list[Any] = []
    trace = Trace(n, mapping._rows, faults)
    mapping._space["inward_safe"](n, doc, page.REFS, page.CONTEXT, records.append, skips.append, trace)
    trace.settle(records.append)
    return records, faults, skips


ORDER = page.compiled(page.ORDER_MAPPING, page.ORDER_SCHEMA)
ORDER_BLIND = page.compiled(page.ORDER_MAPPING, None)
ORDERS = page.orders(8)


@FAST
@given(docs=st.lists(hurt(ORDERS), min_size=1, max_size=4))
def test_no_document_however_broken_stops_a_page_or_vanishes(docs: list[Any]) -> None:
    """P1, P6: every document ends as exactly one record, or faults, or a skip, and the others are untouched."""
    for mapping in (ORDER, ORDER_BLIND):
        result = mapping.map_inward(docs, page.REFS, page.CONTEXT)
        mapped = [record.doc for record in result.records]
        faulty = {fault.doc for fault in result.faults}
        skipped = {skip.doc for skip in result.skips}
        assert len(mapped) == len(set(mapped))
        assert set(mapped) | faulty | skipped == set(range(len(docs)))
        assert not set(mapped) & faulty
        for n, doc in enumerate(docs):
            alone = mapping.map_inward([doc], page.REFS, page.CONTEXT)
            assert [r.values for r in alone.records] == [r.values for r in result.records if r.doc == n]
        mapping.inward_references(docs, page.CONTEXT)


@FAST
@given(doc=hurt(ORDERS))
def test_both_generated_variants_say_the_same(doc: Any) -> None:
    """The fast variant may give up, but where it answers, the safe one answers the same; the schema changes nothing."""
    quick = ORDER.map_inward([doc], page.REFS, page.CONTEXT)
    blind = ORDER_BLIND.map_inward([doc], page.REFS, page.CONTEXT)
    slow = safely(ORDER, doc)
    assert [(r.id, r.values, r.covers) for r in quick.records] == [(r.id, r.values, r.covers) for r in slow[0]]
    assert [(r.id, r.values) for r in quick.records] == [(r.id, r.values) for r in blind.records]
    assert {(f.field, f.rule) for f in quick.faults} == {(f.field, f.rule) for f in slow[1]}


@FAST
@given(doc=hurt(ORDERS))
def test_no_fault_shows_a_value(doc: Any) -> None:
    """P13: a fault shows where and what shape, never the text that was found."""
    doc["name"] = 5
    doc["createdAt"] = "Aigul Serikova"
    doc["displayFinancialStatus"] = "secret-token"
    told = " ".join(map(str, ORDER.map_inward([doc], {}, page.CONTEXT).faults))
    assert "Aigul" not in told
    assert "secret" not in told
    assert "mappings/bench/page.yaml:" in told


SURVIVORS = build("""
platform: x
resource: r
inward:
  variant:
    fields: {sku: sku, gtin: gtin, attributes: {fields: {a: a, whole: whole.deep}}}
    required: false
""")


@FAST
@given(sku=st.text(min_size=1), a=json_values)
def test_values_survive_as_they_are(sku: str, a: Any) -> None:
    """P7: 0, "", false, null, absent, "007", "1E5", 2**53+1, 0.10 come out as they went in, numbers exactly."""
    (record,) = SURVIVORS.map_inward([{"id": "1", "sku": sku, "a": a}], {}, page.CONTEXT).records
    assert record.values["sku"] == sku
    assert record.covers == {"sku", "attributes"}
    assert "gtin" not in record.values
    assert _texts(record.values["attributes"]["a"]) == _texts(a)
    assert type(record.values["attributes"]["a"]) is type(a) or isinstance(a, Decimal)
    (cleared,) = SURVIVORS.map_inward([{"id": "1", "gtin": None}], {}, page.CONTEXT).records
    assert cleared.values == {"gtin": None}


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    return format(value, "f") if isinstance(value, Decimal) else value


MONEY = build(
    """
platform: x
resource: r
forms: {money: {currency: c}}
inward:
  order:
    fields: {total: amount, shipping: "= money(amount, c) - money(part, c)"}
    required: false
outward:
  entity: order
  fields: {total: = amount(total), cents: = int(amount(total) * 100), text: {from: = amount(total), as: text}}
""",
    {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "amount": {},
            "part": {},
            "c": {"type": "string"},
            "total": {"type": "number"},
            "cents": {"type": "integer"},
            "text": {"type": "string"},
        },
    },
)
cents = st.integers(-(10**18), 10**18)


@FAST
@given(a=cents, b=cents, as_text=st.booleans())
def test_money_is_exact_to_the_last_cent_in_both_directions(a: int, b: int, as_text: bool) -> None:
    """P7: no amount loses a cent on the way in, in arithmetic, or on the way out."""
    amount, part = Decimal(a) / 100, Decimal(b) / 100
    doc = {"id": "1", "amount": str(amount) if as_text else amount, "part": part, "c": "KZT"}
    (record,) = MONEY.map_inward([doc], {}, page.CONTEXT).records
    assert record.values["total"] == {"amount": f"{amount:.2f}", "currency": "KZT"}
    assert record.values["shipping"] == {"amount": f"{amount - part:.2f}", "currency": "KZT"}
    (out,) = MONEY.map_outward([{"uid": "u", **record.values}], {("order", "u"): Ref("7")}, page.CONTEXT).docs
    assert out.doc["total"] == amount
    assert out.doc["cents"] == a
    assert Decimal(out.doc["text"]) == amount
    assert out.id == "7"


@FAST
@given(text=st.text(max_size=60) | st.text(alphabet="ab:{}[]-\n \"'&*!#=,|%@1.", max_size=60))
def test_no_yaml_text_does_anything_but_load_or_name_its_mistake(text: str) -> None:
    """A loader that raises something else would take a deployment down with a traceback."""
    try:
        data, where = load_yaml(text, "channels.yaml")
    except LintErrors as error:
        refused = error.errors
    else:
        assert where() >= (1, 1)
        assert json.dumps(data, default=str) is not None
        return
    assert all(error.file == "channels.yaml" and error.line >= 1 and error.column >= 1 for error in refused)


TOKENS = [
    "a",
    "b.c",
    "doc",
    "this",
    "out.x",
    "1",
    "0.5",
    "'t'",
    "null",
    "true",
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "==",
    "<",
    "in",
    "and",
    "or",
    "not",
    "if",
    "else",
    "for",
    "(",
    ")",
    "[",
    "]",
    ",",
    "sum",
    "first",
    "money",
    "text",
    "upper",
    "__class__",
    "lambda",
    ":",
    "**",
    ".",
    "x",
    "{",
    "}",
    ":=",
    "is",
]


@FAST
@given(words=st.lists(st.sampled_from(TOKENS), max_size=9), doc=json_values)
def test_any_expression_is_refused_or_total(words: list[str], doc: Any) -> None:
    """Whatever passes the checker runs on whatever document without raising."""
    text = json.dumps("= " + " ".join(words))
    fields = f"{{attributes: {{fields: {{v: {text}}}}}}}"
    source = f"platform: x\nresource: r\ninward:\n  variant: {{required: false, fields: {fields}}}\n"
    try:
        mapping = build(source)
    except LintErrors:
        return
    result = mapping.map_inward([{"id": "1", "a": doc, "b": {"c": doc}}], {}, page.CONTEXT)
    assert len(result.records) == 1 or result.faults
