"""What is written once and used often: fragments, tables, names of `let`, files that extend files; cases of `when`."""

from typing import Any

import pytest

from mappings.language import LintErrors
from tests.unit.language.test_inward import CONTEXT, HEAD, Compiled, faults, one, partial


def customer(rows: str, head: str) -> str:
    """A mapping of customers with tables or fragments in its head."""
    return partial(rows, entity="customer", head=head)


# -- fragments --------------------------------------------------------------------------------------------------------
def test_a_fragment_of_the_platform_is_used_by_its_files_and_overlaid_by_them(compiled: Compiled) -> None:
    """Ten resources write an address the same way; one of them says a field itself, one leaves a field out."""
    forms = "fragments:\n  address: {fields: {city: town, street: = upper(road), phone: tel}}\n"
    rows = "{address: {from: home, use: address, fields: {city: '= lower(town)'}, without: [phone]}}"
    mapping = compiled(customer(rows, ""), files={"x/forms.yaml": forms})
    doc = {"home": {"town": "OSH", "road": "a", "tel": "1"}}
    assert one(mapping, doc).values == {"address": {"city": "osh", "street": "A"}}
    own = "fragments: {address: {fields: {city: = 'own'}}}"
    mapping = compiled(customer("{address: {from: home, use: address}}", own), files={"x/forms.yaml": forms})
    assert one(mapping, doc).values == {"address": {"city": "own"}}


def test_the_same_file_is_compiled_anew_when_anything_that_it_stands_on_changed(compiled: Compiled) -> None:
    """A drain that follows the disk keeps what it compiled; what is saved beside a file counts too."""
    rows, forms = "{address: {from: home, use: address}}", "fragments: {address: {fields: {city: town}}}"
    doc = {"home": {"town": "Osh", "city": "Talas"}}
    text = customer(rows, "")
    first = compiled(text, files={"x/forms.yaml": forms})
    assert compiled(text, files={"x/forms.yaml": forms}) is first
    other = compiled(text, files={"x/forms.yaml": forms.replace("town", "= 'none'")})
    assert [one(mapping, doc).values["address"]["city"] for mapping in (first, other)] == ["Osh", "none"]
    with pytest.raises(LintErrors, match="unknown-fragment"):
        compiled(text)
    with pytest.raises(LintErrors, match="town"):
        compiled(text, files={"x/forms.yaml": forms}, schema={"properties": {"home": {"properties": {"city": {}}}}})


def test_a_mistake_in_a_fragment_is_shown_where_it_stands(compiled: Compiled) -> None:
    """Not at the row that uses it: there is nothing wrong there."""
    files = {"x/forms.yaml": "fragments:\n  address:\n    fields:\n      citi: town\n"}
    with pytest.raises(LintErrors, match=r"mappings/x/forms.yaml:4:7: unknown-field: there is no field 'citi'"):
        compiled(customer("{address: {from: home, use: address}}", ""), files=files)


def test_fragments_use_fragments_but_never_in_a_circle(compiled: Compiled) -> None:
    """No recursion: a mapping ends."""
    head = "fragments: {a: {use: b}, b: {from: x}}"
    assert one(compiled(customer("{name: {use: a}}", head)), {"x": "n"}).values == {"name": "n"}
    head = "fragments: {a: {fields: {x: {use: b}}}, b: {fields: {y: {use: c}}}, c: {use: [a]}}"
    with pytest.raises(LintErrors, match=r"y.yaml:3:\d+: circle: fragments use each other: a → b → c → a"):
        compiled(customer("{name: {use: a}}", head))


def test_fragments_that_use_each_other_twice_each_do_not_explode(compiled: Compiled) -> None:
    """Twenty lines must not become a million rows."""
    steps = ", ".join(f"f{n}: {{fields: {{a: {{use: f{n + 1}}}, b: {{use: f{n + 1}}}}}}}" for n in range(20))
    head = f"fragments: {{{steps}, f20: x}}"
    with pytest.raises(LintErrors, match="too-large: fragments are used too often; at most 1000 times"):
        compiled(customer("{attributes: {use: f0}}", head))


@pytest.mark.parametrize(
    ("head", "rows", "expected"),
    [
        ("fragments: {b: {from: x}}", "{name: {use: c}}", "unknown-fragment: unknown fragment 'c'; known: b"),
        ("fragments: {a: {from: x}}", "{name: x}", "unreachable: nothing uses the fragment 'a'"),
        ("fragments: {a: {fields: {x: x}}, b: {fields: {x: y}}}", "{attributes: {use: [a, b]}}",
         "overridden-twice: two fragments set x"),
        ("fragments: {a: {fields: {x: x}}}", "{attributes: {use: a, without: [y]}}",
         "unknown-field: there is no row 'y' to leave out"),
        ("", "{attributes: {fields: {x: x}, without: [x]}}", "alone: without needs use"),
        ("tables: {a: {x: y}}", "{name: x}", "unreachable: nothing uses the table 'a'"),
        ("tables: {states: {x: y}}", "{name: {from: x, table: state}}",
         "unknown-table: unknown table 'state'; did you mean 'states'?"),
        ("tables: {states: {x: {y: z}}}", "{name: {from: x, table: states}}",
         "table: the entry 'x' is not a single value"),
        ("tables: {states: [{x: y}]}", "{name: {from: x, table: states}}", "table: the table states is a list"),
        ("tables: {rates: [{x: y}]}", "{name: = tables.rate}",
         "unknown-table: unknown table 'rate'; did you mean 'rates'?"),
    ],
)  # fmt: skip
def test_fragments_and_tables_used_wrongly_are_told(compiled: Compiled, head: str, rows: str, expected: str) -> None:
    """Each with its place, and the nearest name there is."""
    with pytest.raises(LintErrors) as refused:
        compiled(customer(rows, head))
    assert expected in str(refused.value)


# -- tables -----------------------------------------------------------------------------------------------------------
def test_a_table_named_once_is_checked_and_used_like_one_in_the_row(compiled: Compiled) -> None:
    """Two rows share it; `otherwise` stays each row's own; an enum value it misses is told at the table."""
    head = "tables: {sizes: {S: small, L: large}}"
    rows = "{name: {from: a, table: sizes}, email: {from: b, table: sizes, otherwise: pass}}"
    mapping = compiled(customer(rows, head))
    assert one(mapping, {"a": "S", "b": "XL"}).values == {"name": "small", "email": "XL"}
    (fault,) = faults(mapping, {"a": "XL", "b": "S"})
    assert (fault.field, fault.rule) == ("name", "table")
    schema = {"type": "object", "properties": {"a": {"enum": ["S", "M"]}, "b": {"type": "string"}}}
    with pytest.raises(LintErrors, match=r"y.yaml:3:17: table-gap: the table misses M"):
        compiled(customer(rows, head), schema)


def test_dated_tables_come_with_the_context_and_constant_ones_from_the_file(compiled: Compiled) -> None:
    """The rate of the day is data of the retailer, not of the mapping."""
    rows = "{attributes: {fields: {rate: '= first(r.rate for r in context.tables.rates if r.day == day)', "
    rows += "vat: '= tables.taxes.KZ'}}}"
    mapping = compiled(customer(rows, "tables: {taxes: {KZ: 0.16}}"))
    context = {**CONTEXT, "tables": {"rates": [{"day": "1", "rate": 5}, {"day": "2", "rate": 6}]}}
    (record,) = mapping.map_inward([{"id": "1", "day": "2"}], {}, context).records
    assert record.values == {"attributes": {"rate": 6, "vat": "0.16"}}


# -- let --------------------------------------------------------------------------------------------------------------
def test_a_name_of_the_block_holds_in_its_lists_and_objects(compiled: Compiled) -> None:
    """The currency of a document is said once, and used in every line, also as an option."""
    text = f"""{HEAD}forms: {{quantity: {{unit: each}}}}
inward:
  order:
    required: false
    let: {{code: = upper(cur)}}
    fields:
      lines:
        each: l
        let: {{half: = n / 2}}
        fields:
          key: k
          name: "= join([code, text(half)], ' ')"
          quantity: n
          total: {{from: p, as: {{money: {{currency: = code}}}}}}
      buyer: {{from: b, fields: {{name: = code}}}}
      attributes: {{fields: {{all: {{items: [= code]}}, each: {{each: l, from: = code}}}}}}
"""
    doc = {"cur": "kzt", "l": [{"k": "1", "n": 3, "p": "2.50"}], "b": {}}
    values = one(compiled(text), doc).values
    assert (values["lines"][0]["name"], values["lines"][0]["total"]) == (
        "KZT 1.5",
        {"amount": "2.50", "currency": "KZT"},
    )
    assert (values["buyer"], values["attributes"]) == ({"name": "KZT"}, {"all": ["KZT"], "each": ["KZT"]})


def test_a_name_of_the_block_that_is_a_field_of_an_item_too_is_told(compiled: Compiled) -> None:
    """A total of the order must not slip into the lines unseen."""
    line = {"type": "object", "properties": {"total": {"type": "string"}, "k": {"type": "string"}}}
    fields = {"id": {"type": "string"}, "total": {"type": "string"}, "l": {"type": "array", "items": line}}
    schema = {"type": "object", "properties": fields}
    rows = "{let: {total: = upper(this.total)}, each: l, fields: {of: total}}"
    text = partial("{attributes: {fields: {l: " + rows + "}}}").replace(
        "    required", "    let: {total: total}\n    required"
    )
    with pytest.raises(LintErrors, match=r"y.yaml:8:\d+: ambiguous: total is a name of let: above and a field here"):
        compiled(text.replace("let: {total: = upper(this.total)}, ", ""), schema)
    assert compiled(text, schema), "the row's own name is meant"


# -- when -------------------------------------------------------------------------------------------------------------
CASES = """{payment: {when: [
  {if: = paid == 0, then: = 'open'}, {if: = paid < due, then: = 'part_paid'},
  {else: {from: state, table: {x: paid}}}]}}"""


@pytest.mark.parametrize(
    ("doc", "payment"),
    [
        ({"paid": 0, "due": 0}, "open"),
        ({"paid": 1, "due": 2}, "part_paid"),
        ({"paid": 2, "due": 2, "state": "x"}, "paid"),
    ],
)
def test_the_first_case_that_holds_counts(compiled: Compiled, doc: dict[str, Any], payment: str) -> None:
    """Zero paid of zero due is open; the order of the cases is the order in the file."""
    assert one(compiled(partial(CASES)), doc).values == {"payment": payment}


def test_a_case_is_a_row_of_its_own(compiled: Compiled) -> None:
    """Objects, lists and references in cases; the row's own type and default come after."""
    rows = """{customer: {when: [{if: = kind == 'b2b', then: {from: firm, ref: customer}}, {else: = null}]},
      address: {when: [{if: = home is not null, then: {from: home, fields: {city: c}}},
        {else: {fields: {city: = 'none'}}}]},
      placed_at: {when: [{if: = at is null, then: = '2026-01-01'}, {else: at}],
        as: {moment: {format: '%Y-%m-%d', zone: UTC}}},
      total: {when: [{if: = sum is not null, then: {from: sum}}, {else: due}], as: {money: {currency: = 'KZT'}}}}"""
    mapping = compiled(partial(rows))
    first = {"kind": "b2b", "firm": "7", "home": {"c": "Osh"}, "at": None, "sum": "5.00"}
    assert mapping.inward_references([{"id": "1", **first}]) == {("order", "1"), ("customer", "7")} - {("order", "1")}
    assert one(mapping, first, {("customer", "7"): "U"}).values == {
        "customer": "U",
        "address": {"city": "Osh"},
        "placed_at": "2026-01-01T00:00:00Z",
        "total": {"amount": "5.00", "currency": "KZT"},
    }
    second = one(mapping, {"kind": "b2c", "home": None, "at": "2026-02-03", "sum": None, "due": 4}).values
    assert (second["customer"], second["address"], second["placed_at"]) == (
        None,
        {"city": "none"},
        "2026-02-03T00:00:00Z",
    )
    assert second["total"] == {"amount": "4.00", "currency": "KZT"}


def test_no_case_is_a_fault_unless_there_is_a_default(compiled: Compiled) -> None:
    """A state nobody thought of is neither null nor left out by itself."""
    rows = "{payment: {when: [{if: = s == 'a', then: = 'paid'}]}}"
    (fault,) = faults(compiled(partial(rows)), {"s": "b"})
    assert (fault.field, fault.rule) == ("payment", "when")
    rows = "{payment: {when: [{if: = s == 'a', then: = 'paid'}], default: = 'open'}}"
    assert one(compiled(partial(rows)), {"s": "b"}).values == {"payment": "open"}
    (fault,) = faults(compiled(partial("{payment: {when: [{if: = s, then: = 'paid'}, {else: = 'open'}]}}")), {"s": "b"})
    assert (fault.path, fault.rule) == ("s", "type")


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ("{if: = a, then: b}", "shape: when is a list of cases"),
        ("[]", "shape: when is a list of cases"),
        ("[{if: = a}]", "missing-key: a case has if and then, or else"),
        ("[{iff: = a, then: b}]", "unknown-key: unknown key 'iff' in a case of number; did you mean 'if'?"),
        ("[{else: b}, {if: = a, then: c}]", "unreachable: a case after else; else is the last case"),
        ("[{if: = a, then: b}, {if: = a, then: c}]", "unreachable: an earlier case has the same condition"),
        ("[{if: = a == 1, then: = 5}, {else: b}]", "wrong-type: number is text, the value is a whole number"),
        ("[{if: = upper(a), then: b}]", "wrong-type: text is used as a condition"),
        ("[{if: = a, then: b}], from: c", "contradiction: a row has one of when, from"),
    ],
)
def test_cases_written_wrongly_are_told(compiled: Compiled, cases: str, expected: str) -> None:
    """Each with its place and what is allowed."""
    with pytest.raises(LintErrors) as refused:
        compiled(partial(f"{{number: {{when: {cases}}}}}"))
    assert expected in str(refused.value)
    assert all(error.line == 7 for error in refused.value.errors)


# -- extends ----------------------------------------------------------------------------------------------------------
def test_a_merchants_file_leaves_rows_of_the_platforms_out(compiled: Compiled) -> None:
    """`without` in a block of either direction; a row that is not there is told."""
    base = HEAD + "id: code\ninward:\n  product: {code: code, name: title, brand: maker, status: = 'active'}\n"
    base += "outward: {entity: product, fields: {name: name, brand: brand}}\n"
    over = "extends: x/items\ninward:\n  product: {without: [brand]}\noutward: {without: name}\n"
    mapping = compiled(over, files={"x/items.yaml": base}, name="shop/x/items.yaml")
    (record,) = mapping.map_inward([{"code": "P", "title": "t", "maker": "M"}], {}, CONTEXT).records
    assert record.values == {"code": "P", "name": "t", "status": "active"}
    (doc,) = mapping.map_outward([{"uid": "1", "name": "t", "brand": "M"}], {}, CONTEXT).docs
    assert doc.doc == {"brand": "M"}
    with pytest.raises(
        LintErrors, match=r"items.yaml:3:23: unknown-field: there is no row 'brant' to leave out; did you"
    ):
        compiled(over.replace("[brand]", "[brant]"), files={"x/items.yaml": base}, name="shop/x/items.yaml")


def test_a_row_that_two_files_of_a_chain_override_is_told(compiled: Compiled) -> None:
    """Who reads one of them would believe it; the other one counts."""
    files = {
        "x/base.yaml": HEAD + "inward:\n  customer: {name: a, email: b}\n",
        "x/country.yaml": "extends: x/base\ninward:\n  customer: {name: c}\n",
    }
    over = "extends: x/country\ninward:\n  customer: {name: d}\n"
    expected = "name is overridden twice: mappings/x/country.yaml:3 and mappings/x/base.yaml:4"
    with pytest.raises(LintErrors, match=rf"y.yaml:3:\d+: overridden-twice: {expected}"):
        compiled(over, files=files)
    assert one(compiled(over.replace("name: d", "email: d"), files=files), {"c": "n", "d": "e"}).values == {
        "name": "n",
        "email": "e",
    }


# -- on_error of the block --------------------------------------------------------------------------------------------
def test_a_block_says_what_becomes_of_an_item_that_faults(compiled: Compiled) -> None:
    """Park it, or leave it out with its reason; a row may say otherwise; what waits for a reference still waits."""
    text = HEAD + "inward:\n  customer:\n    on_error: {}\n    each: l\n    fields:\n      key: k\n"
    text += "      name: = upper(n)\n      email: {{from: e, as: email, on_error: absent}}\n"
    docs = [{"id": "1", "l": [{"k": "a", "n": "x", "e": "bad"}, {"k": "b", "n": None}, {"k": "c", "n": 5, "e": None}]}]
    parked = compiled(text.format("park")).map_inward(docs, {}, CONTEXT)
    assert [(f.id, f.field, f.kind) for f in parked.faults] == [("1/b", "name", "park"), ("1/c", "name", "park")]
    skipped = compiled(text.format("skip")).map_inward(docs, {}, CONTEXT)
    assert skipped.faults == []
    assert [record.id for record in skipped.records] == ["1/a"]
    assert [(skip.id, skip.reason.split(":")[0]) for skip in skipped.skips] == [("1/b", "name"), ("1/c", "name")]
    waits = partial("{order: {from: o, ref: order, otherwise: wait}}", "return")
    waits = waits.replace("    required", "    on_error: skip\n    required")
    result = compiled(waits).map_inward([{"id": "1", "o": "9"}], {}, CONTEXT)
    assert ([fault.kind for fault in result.faults], result.skips) == (["wait"], [])


def test_three_faults_of_one_record_are_told_together(compiled: Compiled) -> None:
    """An author mends a document in one go, not in three."""
    rows = "{number: = upper(a), payment: {from: b, table: {x: paid}}, placed_at: {from: c, as: {moment: {zone: UTC}}}}"
    found = faults(compiled(partial(rows)), {"a": None, "b": "y", "c": "yesterday"})
    rules = {fault.field: fault.rule for fault in found}
    assert rules == {"number": "null", "payment": "table", "placed_at": "moment"}


def test_a_field_that_says_skip_leaves_its_item_out(compiled: Compiled) -> None:
    """`on_error: skip` of one row, while another fault of the same block stays a fault."""
    rows = "{language: '= upper(l)', name: {from: '= upper(n)', on_error: skip}, email: '= upper(l)'}"
    mapping = compiled(customer(rows, ""))
    both = mapping.map_inward([{"id": "1", "n": 1, "l": 2}, {"id": "2", "n": "a", "l": 2}], {}, CONTEXT)
    assert [skip.id for skip in both.skips] == ["1"]
    assert [(fault.id, fault.field) for fault in both.faults] == [("2", "language"), ("2", "email")]
