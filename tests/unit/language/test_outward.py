"""Records become native documents: typed by the target, complete or waiting, never with a value of ours."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mappings.language import LintErrors, Mapping, Ref

CONTEXT: dict[str, Any] = {
    "channel": "c",
    "company": {"currency": "KZT"},
    "settings": {},
    "now": "2026-01-01T00:00:00Z",
    "run": "r",
}
Compiled = Callable[..., Mapping]
HEAD = "platform: x\nresource: r\n"
PRICE = {"uid": "q", "amount": {"amount": "12.50", "currency": "KZT"}}


def target(**properties: Any) -> dict[str, Any]:
    """A native schema."""
    return {"type": "object", "additionalProperties": False, "properties": {"id": {"type": "string"}, **properties}}


def docs(mapping: Mapping, record: dict[str, Any], refs: Any = None) -> Any:
    """The one document of a record."""
    result = mapping.map_outward([record], refs or {}, CONTEXT)
    assert result.faults == [], str(result.faults[0])
    (doc,) = result.docs
    return doc


def test_numbers_take_the_type_of_the_target(compiled: Compiled) -> None:
    """P7: exact text becomes an exact number, a whole number, or stays text, as the platform's schema says."""
    schema = target(n={"type": "number"}, i={"type": "integer"}, t={"type": "string"}, s={"type": "string"}, m={})
    mapping = compiled(
        HEAD
        + "outward: {entity: price, fields: {n: = amount(amount), i: = amount(amount) * 100, t: amount.amount,"
        + " s: {from: = amount(amount) + 0, as: text}, m: amount}}",
        schema,
    )
    doc = docs(mapping, PRICE).doc
    assert doc == {"n": Decimal("12.50"), "i": 1250, "t": "12.50", "s": "12.50", "m": PRICE["amount"]}
    assert isinstance(doc["n"], Decimal)
    assert isinstance(doc["i"], int)
    result = mapping.map_outward([{"uid": "q", "amount": {"amount": "0.125", "currency": "KWD"}}], {}, CONTEXT)
    assert [fault.rule for fault in result.faults] == ["integer"]


def test_absent_stays_absent_null_stays_null_zero_stays_zero(compiled: Compiled) -> None:
    """P7: a document says of a record exactly what the record says."""
    mapping = compiled(
        HEAD + "outward: {entity: stock, fields: {q: quantity.value, at: as_of, deep: {fields: {p: publish}}}}",
        target(
            q={"type": "integer"},
            at={"type": "string"},
            deep={"type": "object", "properties": {"p": {"type": "integer"}}},
        ),
    )
    quantity = {"value": "0", "unit": "each", "kind": "on_hand"}
    assert docs(mapping, {"uid": "s", "quantity": quantity, "as_of": None, "publish": "0"}).doc == {
        "q": 0,
        "at": None,
        "deep": {"p": 0},
    }
    assert docs(mapping, {"uid": "s"}).doc == {}


def test_a_record_the_channel_does_not_know_yet_waits(compiled: Compiled) -> None:
    """A missing reference outward is waiting, not parked; the record's own id may be missing: it is created."""
    mapping = compiled(
        HEAD + "outward: {entity: stock, fields: {v: {ref: variant}, l: {from: location, ref: location}}}"
    )
    record = {"uid": "s", "variant": "V", "location": None}
    assert mapping.outward_references([record]) == {("stock", "s"), ("variant", "V")}
    result = mapping.map_outward([record], {}, CONTEXT)
    assert [(fault.kind, fault.field, fault.reference) for fault in result.faults] == [("wait", "v", ("variant", "V"))]
    doc = docs(mapping, record, {("variant", "V"): Ref("v9")})
    assert (doc.doc, doc.id) == ({"v": "v9", "l": None}, None)
    assert docs(mapping, record, {("variant", "V"): Ref("v9"), ("stock", "s"): Ref("s9")}).id == "s9"


def test_records_grouped_per_variant_become_one_document(compiled: Compiled) -> None:
    """`per` and `with`: the group's own id, sums over its members, joined records in place of references."""
    mapping = compiled(
        HEAD
        + """outward:
  entity: stock
  per: variant
  with: [product, price]
  id: {ref: variant}
  drop_if: {nothing to show: count(stocks) == 0}
  fields:
    type: {ref: variant, kept: type}
    sku: variant.sku
    product: {from: product, ref: product}
    quantity: = sum(s.publish for s in stocks)
    first: stocks.0.publish
    price: = first(p.amount for p in prices)
    places: {each: stocks, where: = publish != 0, fields: {at: {from: location, ref: location}, n: publish}}
""".replace("count(stocks) == 0", "= count(stocks) == 0"),
        target(
            type={"type": "string"},
            sku={"type": "string"},
            product={"type": "string"},
            quantity={"type": "integer"},
            first={"type": "integer"},
            price={"type": "object"},
            places={"type": "array"},
        ),
    )
    assert mapping.outward is not None
    assert dict(mapping.outward.joins) == {
        "variant": ("variant", False),
        "stocks": ("stock", True),
        "product": ("product", False),
        "prices": ("price", True),
    }
    record = {
        "uid": "V",
        "variant": {"uid": "V", "sku": "007"},
        "product": {"uid": "P", "name": "Kettle"},
        "prices": [PRICE],
        "stocks": [{"uid": "a", "location": "L", "publish": "3"}, {"uid": "b", "location": "M", "publish": "0"}],
    }
    refs = {
        ("variant", "V"): Ref("v9", {"type": "KETTLE"}),
        ("product", "P"): Ref("p9"),
        ("location", "L"): Ref("l9"),
        ("location", "M"): Ref("m9"),
    }
    assert mapping.outward_references([record]) == set(refs)
    doc = docs(mapping, record, refs)
    assert doc.id == "v9"
    assert doc.doc == {
        "type": "KETTLE",
        "sku": "007",
        "product": "p9",
        "quantity": 3,
        "first": 3,
        "price": PRICE["amount"],
        "places": [{"at": "l9", "n": "3"}],
    }
    skipped = mapping.map_outward([{**record, "stocks": []}], refs, CONTEXT)
    assert [skip.reason for skip in skipped.skips] == ["nothing to show"]
    lacking = mapping.map_outward([record], {**refs, ("variant", "V"): Ref("v9")}, CONTEXT)
    assert [(fault.field, fault.kind) for fault in lacking.faults] == [("type", "wait")]


def test_a_joined_record_stands_in_place_of_the_reference_to_it(compiled: Compiled) -> None:
    """`with` without `per`: product.name reads the product, `ref: product` still gives its id."""
    mapping = compiled(
        HEAD
        + "outward: {entity: variant, with: [product, price],"
        + " fields: {t: product.name, p: {ref: product}, n: = count(prices), sku: sku}}"
    )
    record = {"uid": "V", "sku": "A", "product": {"uid": "P", "name": "Kettle"}, "prices": [PRICE]}
    assert docs(mapping, record, {("product", "P"): Ref("p9")}).doc == {"t": "Kettle", "p": "p9", "n": 1, "sku": "A"}
    assert docs(mapping, {**record, "product": None}).doc == {"t": None, "p": None, "n": 1, "sku": "A"}
    assert mapping.outward_references([record]) == {("variant", "V"), ("product", "P")}


def test_moments_leave_in_the_platforms_way_of_writing_them(compiled: Compiled) -> None:
    """Zone and format of the forms hold outward too."""
    text = (
        HEAD
        + 'forms: {moment: {zone: Asia/Almaty, format: "%Y-%m-%d %H:%M:%S"}}\n'
        + "outward: {entity: order, fields: {a: {from: placed_at, as: moment}, b: placed_at,"
        + " c: {from: placed_at, as: {moment: {format: unix}}}}}"
    )
    doc = docs(compiled(text), {"uid": "o", "placed_at": "2026-03-01T09:00:00Z"}).doc
    assert doc == {"a": "2026-03-01 14:00:00", "b": "2026-03-01T09:00:00Z", "c": 1772355600}


def test_one_bad_record_never_stops_a_push(compiled: Compiled) -> None:
    """P6: the others are rendered; the fault names record and field, and shows no value."""
    mapping = compiled(HEAD + "outward: {entity: product, fields: {n: {from: attributes.n, as: integer}}}")
    records = [
        {"uid": "a", "attributes": {"n": "1"}},
        {"uid": "b", "attributes": {"n": "Aigul"}},
        {"uid": "c", "attributes": {"n": 3}},
    ]
    result = mapping.map_outward(records, {("product", "b"): Ref("77")}, CONTEXT)
    assert [(doc.index, doc.doc) for doc in result.docs] == [(0, {"n": 1}), (2, {"n": 3})]
    (fault,) = result.faults
    assert (fault.doc, fault.id, fault.field, fault.path, fault.value) == (1, "77", "n", "attributes.n", "text(5)")


def test_a_file_maps_both_ways_and_a_value_survives_the_round(compiled: Compiled) -> None:
    """P4 begins here: what went out comes back as what it was."""
    mapping = compiled(
        HEAD
        + """forms: {quantity: {unit: each, kind: on_hand}}
inward: {stock: {required: false, fields: {quantity: qty, as_of: {from: at, as: {moment: {zone: UTC}}}}}}
outward: {entity: stock, fields: {qty: quantity.value, at: as_of}}
""",
        target(qty={"type": "number"}, at={"type": "string"}),
    )
    for value in ("0", "3", "2.5", "9007199254740993"):
        (record,) = mapping.map_inward(
            [{"id": "1", "qty": Decimal(value), "at": "2026-03-01T09:00:00Z"}], {}, CONTEXT
        ).records
        doc = docs(mapping, {"uid": "s", **record.values}).doc
        again = mapping.map_inward([{"id": "1", **doc}], {}, CONTEXT).records[0]
        assert again.values == record.values
        assert record.values["quantity"] == {"value": value, "unit": "each", "kind": "on_hand"}


PARTIAL = """
platform: x
resource: variants
outward:
  entity: variant
  emit_partial: {}
  fields: {{sku: sku, title: name, barcode: {{from: gtin, default: = ''}}}}
"""


def test_a_partial_update_holds_what_changed_and_what_is_always_written(compiled: Callable[..., Mapping]) -> None:
    """Without the key the whole document; where nothing that is there differs the whole document too."""
    doc, told = {"sku": "A", "title": "New", "barcode": ""}, {"sku": "A", "title": "Old"}
    given = {how: compiled(PARTIAL.format(how)).outward for how in ("false", "true", "[sku]")}
    assert {how: head.changed(doc, told) for how, head in given.items() if head is not None} == {
        "false": doc,
        "true": {"title": "New", "barcode": ""},
        "[sku]": doc,
    }
    head = given["[sku]"]
    assert head is not None
    assert head.changed(doc, {**doc, "title": "Old"}) == {"sku": "A", "title": "New"}
    assert head.changed(doc, {**doc, "gone": 1}) == doc
    with pytest.raises(LintErrors, match=r"y.yaml:6:18: unknown-field: outward sets no 'skus'; did you mean 'sku'"):
        compiled(PARTIAL.format("[skus]"))
    with pytest.raises(LintErrors, match=r"y.yaml:6:17: shape: emit_partial is a list; true, or the fields"):
        compiled(PARTIAL.format("{sku: true}"))


ONE_OF_TWO = """outward:
  entity: price
  let: {own: = list == 'retail'}
  id:
    when:
      - {if: = own, then: {from: variant, ref: variant}}
      - {else: {from: uid, ref: price}}
  fields: {n: amount.amount}
"""


@pytest.mark.parametrize("known", [(), ("variant",), ("price",), ("variant", "price")])
@pytest.mark.parametrize("at", ["retail", "outlet", None])
def test_a_document_named_by_one_of_two_records_waits_for_the_other_but_not_for_itself(
    compiled: Compiled, at: str | None, known: tuple[str, ...]
) -> None:
    """P6: which record names it is decided per document. What is not on the channel yet is asked for and waited for;
    the record's own id may be missing: then it is created."""
    mapping = compiled(HEAD + ONE_OF_TWO)
    record = {"uid": "q", "list": at, "variant": "V", "amount": {"amount": "0.00", "currency": "KZT"}}
    assert mapping.outward_references([record]) >= {("variant", "V"), ("price", "q")}
    refs = {pair: Ref(f"{pair[0]}9") for pair in (("variant", "V"), ("price", "q")) if pair[0] in known}
    result = mapping.map_outward([record], refs, CONTEXT)
    if at == "retail" and "variant" not in known:
        assert [(f.kind, f.field, f.reference) for f in result.faults] == [("wait", "id", ("variant", "V"))]
        assert result.docs == []
    else:
        wanted = "variant9" if at == "retail" else "price9" if "price" in known else None
        assert result.faults == []
        assert [(doc.id, doc.doc) for doc in result.docs] == [(wanted, {"n": "0.00"})]
