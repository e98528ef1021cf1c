"""Documents become records: what covers what, what waits, what is parked, and what the rest of the page feels of it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mappings.language import InwardRecord, LintErrors, Mapping

CONTEXT: dict[str, Any] = {
    "channel": "shop-kz",
    "company": {"country": "KZ", "currency": "KZT"},
    "settings": {"zone": "Asia/Almaty"},
    "now": "2026-01-01T00:00:00Z",
    "run": "r1",
}
Compiled = Callable[..., Mapping]
HEAD = "platform: x\nresource: r\n"


def partial(fields: str, entity: str = "order", head: str = "") -> str:
    """A mapping of one entity that need not be complete; ``fields`` in flow style."""
    return f"{HEAD}{head}\ninward:\n  {entity}:\n    required: false\n    fields: {fields}\n"


def one(mapping: Mapping, doc: dict[str, Any], refs: Any = None) -> InwardRecord:
    """The single record of a document."""
    result = mapping.map_inward([{"id": "1", **doc}], refs or {}, CONTEXT)
    assert result.faults == [], str(result.faults[0])
    (record,) = result.records
    return record


def faults(mapping: Mapping, doc: dict[str, Any], refs: Any = None) -> list[Any]:
    """The faults of a document that gives no record."""
    result = mapping.map_inward([{"id": "1", **doc}], refs or {}, CONTEXT)
    assert result.records == []
    return result.faults


def test_a_sparse_read_covers_only_what_it_asked_for(compiled: Compiled) -> None:
    """Covers: an absent field is left as it is, null clears it, also where the path breaks off on the way."""
    mapping = compiled(partial("{currency: cur, buyer: {fields: {name: c.name, email: {from: s, table: {a: b}}}}}"))
    assert one(mapping, {}).covers == frozenset()
    assert one(mapping, {"cur": None, "c": None, "s": None}).values == {
        "currency": None,
        "buyer": {"name": None, "email": None},
    }
    assert one(mapping, {"c": {}}).values == {}
    assert one(mapping, {"c": {"name": ""}}).values == {"buyer": {"name": ""}}


def test_an_expression_with_an_absent_operand_is_absent_with_a_null_one_a_fault(compiled: Compiled) -> None:
    """A null operand is the field's fault unless the row has a default."""
    mapping = compiled(partial("{number: '= upper(a.b)'}"))
    assert one(mapping, {}).values == {}
    (fault,) = faults(mapping, {"a": {"b": None}})
    assert (fault.field, fault.path, fault.rule, fault.value) == ("number", "a.b", "null", "null")
    (fault,) = faults(mapping, {"a": None})
    assert fault.path == "a.b (stops at a)"
    assert one(compiled(partial("{number: {from: '= upper(a)', default: = 'x'}}")), {"a": None}).values == {
        "number": "x"
    }
    assert one(compiled(partial("{number: {from: '= upper(a)', default: = 'x'}}")), {}).values == {"number": "x"}


def test_a_null_is_a_fault_where_the_canonical_field_has_none(compiled: Compiled) -> None:
    """A total that is null must not reach the registry; that the document does not speak of it leaves it as it is."""
    rows = "{number: name, lines: {each: lines, fields: {key: id, name: title, quantity: n, total: \"= zero('KZT')\"}}}"
    mapping = compiled(partial(rows, head="forms: {quantity: {unit: each}}"))
    (fault,) = faults(mapping, {"name": None})
    assert (fault.field, fault.path, fault.rule) == ("number", "name", "null")
    assert "null is not allowed" in fault.message
    first, second = faults(mapping, {"name": "1", "lines": [{"id": None, "title": "a", "n": None}]})
    assert (first.field, second.field) == ("lines[0].key", "lines[0].quantity")
    assert one(mapping, {}).values == {}
    pictures = compiled(partial("{images: {each: images, from: src}}", "product"))
    (fault,) = faults(pictures, {"images": [{"src": "a"}, {"src": None}]})
    assert (fault.field, fault.rule) == ("images[1]", "null")
    (fault,) = faults(compiled(partial("{number: '= first(a, b)'}")), {"a": None})
    assert (fault.field, fault.rule) == ("number", "null"), "it was computed, and it is null"


def test_what_is_required_must_be_there(compiled: Compiled) -> None:
    """`required` turns null and absent into faults."""
    mapping = compiled(partial("{buyer: {fields: {name: {from: a, required: true}}}}"))
    assert [fault.rule for fault in faults(mapping, {"a": None})] == ["null"]
    assert [fault.rule for fault in faults(mapping, {})] == ["null"]
    assert one(mapping, {"a": ""}).values == {"buyer": {"name": ""}}


def test_a_text_outside_the_bounds_of_its_canonical_field_is_a_fault(compiled: Compiled) -> None:
    """An empty number, a country written out, a status nobody knows: none of them reaches the registry."""
    rows = "{number: n, address: {fields: {country: c}}, status: s, currency: cur}"
    found = faults(compiled(partial(rows)), {"n": "", "c": "Kazakhstan", "s": "lost", "cur": "kzt"})
    assert {fault.field: (fault.rule, fault.message) for fault in found} == {
        "number": ("schema", "the text is empty"),
        "address.country": ("schema", "the text does not have the form ^[A-Z]{2}$"),
        "status": ("schema", "the text is none of offered, open, held, confirmed, shipped, delivered, cancelled"),
        "currency": ("schema", "the text does not have the form ^[A-Z]{3}$"),
    }
    assert "Kazakhstan" not in "".join(map(str, found))
    values = {"n": "1", "c": "KZ", "s": "open", "cur": None}
    assert one(compiled(partial(rows)), values).covers == {"number", "address", "status", "currency"}


def test_a_missing_reference_says_whether_to_wait_to_fetch_or_to_ask_a_person(compiled: Compiled) -> None:
    """P1: the kind of a fault decides between waiting, fetching and parked; the reference is named."""
    for otherwise, kind in (("wait", "wait"), ("fetch", "fetch"), ("error", "fault")):
        mapping = compiled(partial(f"{{customer: {{from: c, ref: customer, otherwise: {otherwise}}}}}"))
        assert mapping.inward_references([{"id": "1", "c": 7}, {"id": "2", "c": None}, {"id": "3"}]) == {
            ("customer", "7")
        }
        (fault,) = faults(mapping, {"c": 7})
        assert (fault.kind, fault.reference, fault.rule) == (kind, ("customer", "7"), "reference")
        assert one(mapping, {"c": 7}, {("customer", "7"): "U"}).values == {"customer": "U"}
        assert one(mapping, {"c": None}).values == {"customer": None}


def test_every_reference_a_page_needs_is_known_before_it_is_mapped(compiled: Compiled) -> None:
    """References inside lists, under conditions and behind let are collected in one batch."""
    mapping = compiled(
        partial("""{lines: {each: ls, let: {v: item.v}, fields: {key: k, variant: {from: v, ref: variant},
           quantity: {from: q, as: {quantity: {unit: each}}}, total: {from: t, as: {money: {currency: doc.c}}}}},
           location: {from: loc, ref: location}}""")
    )
    docs = [
        {"id": "1", "loc": "w", "ls": [{"item": {"v": "a"}}, {"item": {"v": "b"}}, {"item": None}]},
        {"id": "2", "ls": None},
        {"id": "3", "ls": 5},
    ]
    assert mapping.inward_references(docs) == {("location", "w"), ("variant", "a"), ("variant", "b")}


def test_a_value_a_table_does_not_know_is_an_error_or_what_the_row_says(compiled: Compiled) -> None:
    """Unknown values are never passed on by accident."""
    base = "{{from: s, table: {{a: open, '0': confirmed, true: shipped}}{0}}}"
    mapping = compiled(partial("{status: " + base.format("") + "}"))
    assert [one(mapping, {"s": value}).values["status"] for value in ("a", 0, True)] == ["open", "confirmed", "shipped"]
    assert [fault.kind for fault in faults(mapping, {"s": "z"})] == ["fault"]
    parked = compiled(partial("{status: " + base.format(", otherwise: park") + "}"))
    assert [fault.kind for fault in faults(parked, {"s": "z"})] == ["park"]
    passed = compiled(partial("{attributes: {fields: {s: " + base.format(", otherwise: pass") + "}}}"))
    assert one(passed, {"s": "z"}).values == {"attributes": {"s": "z"}}
    default = compiled(partial("{status: " + base.format(", otherwise: default, default: = 'cancelled'") + "}"))
    assert one(default, {"s": "z"}).values == {"status": "cancelled"}


def test_on_error_says_what_becomes_of_a_fault(compiled: Compiled) -> None:
    """A field may be left out, take its default, or be parked."""
    row = "{{attributes: {{fields: {{n: {{from: a, as: decimal, on_error: {0}}}}}}}, number: b}}"
    doc = {"a": "many", "b": "x"}
    assert one(compiled(partial(row.format("absent"))), doc).values == {"number": "x"}
    assert [fault.kind for fault in faults(compiled(partial(row.format("park"))), doc)] == ["park"]
    assert one(compiled(partial(row.format("default, default: = 0"))), doc).values["attributes"] == {"n": "0"}
    assert [fault.kind for fault in faults(compiled(partial(row.format("fault"))), doc)] == ["fault"]


def test_a_record_with_faults_tells_all_of_them_and_the_page_goes_on(compiled: Compiled) -> None:
    """P6: every fault with field, place, path, rule and shape; the neighbours are mapped."""
    mapping = compiled(
        partial(
            "{number: name, placed_at: at, total: amount,"
            " lines: {each: ls, fields: {key: k, quantity: q, total: {from: t, as: money}}}}",
            head="forms: {money: {currency: doc.cur}, moment: {zone: UTC}, quantity: {unit: each}}",
        )
    )
    good = {"id": "1", "name": "A", "cur": "KZT", "ls": [{"k": "1", "q": 0, "t": 0}]}
    bad = {
        "id": "2",
        "name": 5,
        "at": "soon",
        "cur": "KZT",
        "amount": "1,5",
        "ls": [{"k": "1", "q": "x", "t": 1}, {"k": "2", "q": 1, "t": "1.005"}],
    }
    result = mapping.map_inward([good, bad, good], {}, CONTEXT)
    assert [record.doc for record in result.records] == [0, 2]
    assert result.records[0].values["lines"][0]["total"] == {"amount": "0.00", "currency": "KZT"}
    told = {fault.field: (fault.rule, fault.path, fault.value) for fault in result.faults}
    assert told == {
        "number": ("type", "name", "d"),
        "placed_at": ("moment", "at", "text(4)"),
        "total": ("number", "amount", "d,d"),
        "lines[0].quantity": ("number", "ls[0].q", "text(1)"),
        "lines[1].total": ("digits", "ls[1].t", "d.ddd"),
    }
    assert {(fault.doc, fault.id, fault.file) for fault in result.faults} == {(1, "2", "mappings/x/y.yaml")}
    assert str(result.faults[0]).startswith("order 2: number from name: text is wanted here")


def test_a_document_gives_several_entities_and_refers_to_its_own_items(compiled: Compiled) -> None:
    """A reference to an item of the same document resolves to it, before anybody knows its uid."""
    mapping = compiled(
        HEAD
        + """id: code
inward:
  product: {code: code, name: name, status: = 'active'}
  variant:
    each: sizes
    where: = sku != 'none'
    drop_if: {a sample: = sample == true}
    fields:
      key: n
      sku: sku
      name: up.name
      unit: = 'each'
      status: = 'active'
      product: {from: doc.code, ref: product}
"""
    )
    doc = {
        "code": "P",
        "name": "Kettle",
        "sizes": [
            {"n": 1, "sku": "a"},
            {"n": 2, "sku": "none"},
            {"n": 3, "sku": "c", "sample": True},
            {"n": 4, "sku": 9},
        ],
    }
    result = mapping.map_inward([doc], {}, CONTEXT)
    assert [(record.entity, record.id) for record in result.records] == [("product", "P"), ("variant", "P/1")]
    assert result.records[1].values["product"] is None
    assert [tuple(reference) for reference in result.records[1].local] == [(("product",), "product", "P")]
    assert [tuple(skip) for skip in result.skips] == [(0, "variant", "P/3", "a sample")]
    assert [(fault.entity, fault.id, fault.field) for fault in result.faults] == [("variant", "P/4", "sku")]
    known = mapping.map_inward([doc], {("product", "P"): "U"}, CONTEXT)
    assert known.records[1].values["product"] == "U"
    assert known.records[1].local == ()
    assert mapping.inward_references([doc]) == {("product", "P")}


def test_an_item_may_name_its_own_external_id_and_what_the_binding_keeps(compiled: Compiled) -> None:
    """`id` beside fields replaces the composed id; `keep` is for the way out."""
    mapping = compiled(
        HEAD + "inward: {variant: {each: vs, id: vid, required: false, keep: {kind: type.code}, fields: {sku: sku}}}"
    )
    result = mapping.map_inward(
        [{"id": "1", "vs": [{"vid": 7, "sku": "a", "type": {"code": "K"}}, {"sku": "b"}]}], {}, CONTEXT
    )
    assert [(record.id, record.keep) for record in result.records] == [("7", {"kind": "K"})]
    assert [(fault.field, fault.id) for fault in result.faults] == [("id", None)]


def test_a_document_that_yields_nothing_is_one_skip(compiled: Compiled) -> None:
    """P1: nothing vanishes; an empty list of items is said, a document without id is a fault."""
    mapping = compiled(HEAD + "inward: {variant: {each: vs, required: false, fields: {key: k, sku: sku}}}")
    result = mapping.map_inward([{"id": "1", "vs": []}, {"id": "2", "vs": None}, {"id": "3"}, {"vs": []}], {}, CONTEXT)
    assert [(skip.doc, skip.entity, skip.id) for skip in result.skips] == [
        (0, None, None),
        (1, None, None),
        (2, None, None),
    ]
    assert [(fault.doc, fault.field) for fault in result.faults] == [(3, "id")]
    crowded = mapping.map_inward(
        [{"id": "1", "vs": [{"k": 1}, {"k": 2}, {"k": 3}]}, {"id": "2", "vs": []}], {}, CONTEXT
    )
    assert [record.id for record in crowded.records] == ["1/1", "1/2", "1/3"]
    assert [skip.doc for skip in crowded.skips] == [1]


def test_forms_of_the_platform_say_how_it_writes_things(compiled: Compiled) -> None:
    """Shared forms hold, the file's own win; Odoo's false is null, but 0 is 0 and a boolean stays one."""
    files = {
        "x/forms.yaml": 'empty: [false]\nlink: "0"\nmoney: {currency: doc.cur.1}\n'
        'moment: {zone: UTC, format: "%Y-%m-%d %H:%M:%S"}\n'
    }
    schema = {
        "type": "object",
        "additionalProperties": True,
        "properties": {"id": {"type": "integer"}, "active": {"type": "boolean"}},
    }
    text = partial(
        "{currency: name, customer: {from: partner_id, ref: customer}, placed_at: date, total: amount,"
        " handed_over: active}",
        head="forms: {moment: {zone: Asia/Almaty}}",
    )
    for source in (schema, None):
        mapping = compiled(text, source, files=files)
        doc = {
            "id": 5,
            "name": False,
            "partner_id": [7, "Aigul"],
            "date": "2026-03-01 14:00:00",
            "amount": 0,
            "cur": [1, "KZT"],
        }
        record = one(mapping, doc, {("customer", "7"): "U"})
        assert record.id == "5"
        assert record.values == {
            "currency": None,
            "customer": "U",
            "placed_at": "2026-03-01T09:00:00Z",
            "total": {"amount": "0.00", "currency": "KZT"},
        }
        assert one(mapping, {"id": 5, "partner_id": False}).values == {"customer": None}
    assert one(compiled(text, schema, files=files), {"id": 5, "active": False}).values == {"handed_over": False}


def test_a_merchants_file_overrides_rows_of_the_platforms(compiled: Compiled) -> None:
    """`extends`: rows replace rows; a mistake in the base is shown in the base."""
    base = (
        HEAD
        + "id: code\ninward:\n  product: {code: code, name: title, status: = 'active'}\n"
        + "  location: {code: w, name: w}\n"
    )
    over = "extends: x/items\ninward:\n  product: {name: '= upper(title)', brand: maker}\n"
    mapping = compiled(over, files={"x/items.yaml": base}, name="shop/x/items.yaml")
    result = mapping.map_inward([{"code": "P", "title": "kettle", "maker": "M", "w": "w"}], {}, CONTEXT)
    assert [record.values for record in result.records] == [
        {"code": "P", "name": "KETTLE", "status": "active", "brand": "M"},
        {"code": "w", "name": "w"},
    ]
    assert mapping.hash != compiled(over, files={"x/items.yaml": base + "#"}, name="shop/x/items.yaml").hash
    with pytest.raises(LintErrors, match=r"mappings/x/items.yaml:5:\d+: unknown-field: there is no field 'nam'"):
        compiled(over, files={"x/items.yaml": base.replace("name: title", "nam: title")}, name="shop/x/items.yaml")


def test_scopes_reach_the_enclosing_item_the_document_the_context_and_fields_above(compiled: Compiled) -> None:
    """out, up, doc, context, this, let: each names one thing."""
    mapping = compiled(
        partial("""{number: name, attributes: {let: {n: "= len(name)"}, fields: {
           zone: context.settings.zone, odd: "= this['@odata.etag']", twice: = n * 2,
           groups: {each: gs, fields: {name: name, parent: doc.name,
              items: {each: is, fields: {a: a, group: up.name, b: = out.a + 1}}}},
           words: {each: ws, where: "= this != 'b'"}}}}""")
    )
    doc = {"name": "abc", "@odata.etag": "e", "gs": [{"name": "g", "is": [{"a": 1}, {"a": 2}]}], "ws": ["a", "b", "c"]}
    assert one(mapping, doc).values["attributes"] == {
        "zone": "Asia/Almaty",
        "odd": "e",
        "twice": 6,
        "words": ["a", "c"],
        "groups": [
            {"name": "g", "parent": "abc", "items": [{"a": 1, "group": "g", "b": 2}, {"a": 2, "group": "g", "b": 3}]}
        ],
    }


def test_money_is_rounded_only_where_the_row_says_so(compiled: Compiled) -> None:
    """`as: money` refuses more digits than the currency has unless `round:` stands in the row."""
    head = "forms: {money: {currency: = 'KZT'}}"
    assert [f.rule for f in faults(compiled(partial("{total: a}", head=head)), {"a": Decimal("1.005")})] == ["digits"]
    for mode, amount in (("half_up", "1.01"), ("half_even", "1.00"), ("down", "1.00"), ("up", "1.01")):
        mapping = compiled(partial(f"{{total: {{from: a, as: money, round: {mode}}}}}", head=head))
        assert one(mapping, {"a": Decimal("1.005")}).values["total"]["amount"] == amount
    product = compiled(partial("{total: {from: \"= money(a, 'KZT') * 0.3333\", round: half_up}}"))
    assert one(product, {"a": 10}).values["total"]["amount"] == "3.33"
    assert [f.rule for f in faults(compiled(partial("{total: \"= money(a, 'KZT') * 0.3333\"}")), {"a": 10})] == [
        "digits"
    ]


def test_currencies_are_never_mixed(compiled: Compiled) -> None:
    """P7: a sum over two currencies is a fault of its field."""
    mapping = compiled(partial("{total: \"= sum((money(l.a, l.c) for l in ls), start=zero('KZT'))\"}"))
    assert one(mapping, {"ls": []}).values["total"] == {"amount": "0.00", "currency": "KZT"}
    assert [f.rule for f in faults(mapping, {"ls": [{"a": 1, "c": "KZT"}, {"a": 1, "c": "EUR"}]})] == ["mixed"]


def test_a_schema_that_promised_too_much_costs_speed_not_truth(compiled: Compiled) -> None:
    """What the source schema calls non-null and present may be null or absent; the values are right all the same."""
    schema = {
        "type": "object",
        "required": ["id", "name", "customer"],
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "customer": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
        },
    }
    mapping = compiled(partial("{currency: name, customer: {from: customer.id, ref: customer}}"), schema)
    assert one(mapping, {"name": None, "customer": None}).values == {"currency": None, "customer": None}
    assert one(mapping, {}).values == {}


def test_the_hash_follows_everything_that_can_change_a_value(compiled: Compiled) -> None:
    """P11: a release names the mapping by content: text, forms, schemas."""
    text = partial("{number: name}")
    first = compiled(text).hash
    assert first == compiled(text).hash
    others = {
        compiled(text + "#").hash,
        compiled(text, {"type": "object"}).hash,
        compiled(text, files={"x/forms.yaml": "empty: [false]"}).hash,
    }
    assert first not in others
    assert len(others) == 3


def test_monstrous_numbers_are_faults_not_memory(compiled: Compiled) -> None:
    """P6: ten characters of JSON never become a gigabyte of text, in a value or in a message."""
    mapping = compiled(
        partial(
            "{number: {from: a, as: text}, attributes: {fields: {b: b}},"
            " total: {from: a, as: {money: {currency: = 'KZT'}}}}"
        )
    )
    for monster in (Decimal("1E+999999999"), Decimal("1E-999999999"), 10**5000, Decimal("NaN"), Decimal("Infinity")):
        result = mapping.map_inward([{"id": "1", "a": monster, "b": monster}], {}, CONTEXT)
        assert result.records == [] or monster == 10**5000
        assert all(len(str(fault)) < 500 for fault in result.faults)
        assert {"number", "total"} <= {fault.field for fault in result.faults}


def test_moments_with_and_without_a_fraction_compare_as_time(compiled: Compiled) -> None:
    """Half a second later is later."""
    mapping = compiled(partial("{handed_over: = moment(a) < moment(b)}", head="forms: {moment: {zone: UTC}}"))
    early, late = "2026-03-01T09:00:00Z", "2026-03-01T09:00:00.500Z"
    assert one(mapping, {"a": early, "b": late}).values == {"handed_over": True}
    assert one(mapping, {"a": late, "b": early}).values == {"handed_over": False}
    assert one(mapping, {"a": early, "b": early}).values == {"handed_over": False}


def test_money_has_exactly_the_digits_of_its_currency(compiled: Compiled) -> None:
    """P7: yen have no cents, dinars have three digits, and what is no currency is refused."""
    mapping = compiled(partial("{total: {from: a, as: {money: {currency: c}}}}"))
    for amount, currency, text in (
        ("12", "JPY", "12"),
        ("12.50", "KZT", "12.50"),
        ("12.5", "KWD", "12.500"),
        ("-0.00", "EUR", "0.00"),
    ):
        assert one(mapping, {"a": amount, "c": currency}).values["total"] == {"amount": text, "currency": currency}
    assert [fault.rule for fault in faults(mapping, {"a": "12.50", "c": "JPY"})] == ["digits"]
    assert [fault.rule for fault in faults(mapping, {"a": "12.50", "c": "kzt"})] == ["currency"]
    assert [fault.rule for fault in faults(mapping, {"a": "12.50", "c": None})] == ["null"]


def test_a_reference_to_an_item_the_document_lacks_is_missing_like_any_other(compiled: Compiled) -> None:
    """P1: only items the document really yields resolve within it; the others wait, fetch or fail."""
    mapping = compiled(
        HEAD + "inward:\n  product: {required: false, drop_if: {hidden: '= hidden == true'}, fields: {name: name}}\n"
        "  variant: {each: vs, required: false, fields: {key: k, product: {from: of, ref: product, otherwise: wait}}}\n"
    )
    doc = {"id": "P", "name": "Kettle", "vs": [{"k": 1, "of": "P"}, {"k": 2, "of": "Q"}]}
    result = mapping.map_inward([doc], {}, CONTEXT)
    assert [record.id for record in result.records] == ["P", "P/1"]
    assert [(fault.id, fault.kind, fault.reference) for fault in result.faults] == [("P/2", "wait", ("product", "Q"))]
    hidden = mapping.map_inward([{**doc, "hidden": True}], {("product", "Q"): "U"}, CONTEXT)
    assert [(record.id, record.values["product"]) for record in hidden.records] == [("P/2", "U")]
    assert [fault.reference for fault in hidden.faults] == [("product", "P")]


def test_units_and_kinds_of_quantities_are_never_mixed(compiled: Compiled) -> None:
    """P7: three pieces and three kilos are not six of anything."""
    mapping = compiled(
        partial("{attributes: {fields: {q: \"= quantity(1, 'each', 'ordered') + quantity(1, unit, kind)\"}}}")
    )
    assert one(mapping, {"unit": "each", "kind": "ordered"}).values["attributes"]["q"]["value"] == "2"
    assert [fault.rule for fault in faults(mapping, {"unit": "kg", "kind": "ordered"})] == ["mixed"]
    assert [fault.rule for fault in faults(mapping, {"unit": "each", "kind": "on_hand"})] == ["mixed"]


def test_a_list_of_ids_is_a_list_of_references(compiled: Compiled) -> None:
    """`each` without `from` takes the item itself, for references too, and they are known beforehand."""
    mapping = compiled(partial("{attributes: {fields: {related: {each: ids, ref: variant}}}}"))
    assert mapping.inward_references([{"id": "1", "ids": [1, "b"]}]) == {("variant", "1"), ("variant", "b")}
    refs = {("variant", "1"): "U1", ("variant", "b"): "U2"}
    assert one(mapping, {"ids": [1, "b"]}, refs).values["attributes"] == {"related": ["U1", "U2"]}
    (fault,) = faults(mapping, {"ids": [1, "c"]}, refs)
    assert (fault.field, fault.reference) == ("attributes.related[1]", ("variant", "c"))
