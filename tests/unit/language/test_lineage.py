"""What a mapping says of itself without running: which field comes from which paths, and what it reads at all."""

import json
from collections.abc import Callable
from pathlib import Path

from mappings.language import FieldLineage, Mapping, compile as compile_mapping
from tests.unit.language.conftest import CANONICAL, ROOT

INWARD = """
platform: x
resource: orders
forms: {money: {amount: amount, currency: currencyCode}, moment: {zone: UTC}, quantity: {unit: each}}
inward:
  order:
    fields:
      number: name
      placed_at: createdAt
      status: = 'open'
      currency: currencyCode
      customer: {from: customer.id, ref: customer, otherwise: wait}
      payment: {from: displayFinancialStatus, table: {PAID: paid}}
      total: {from: totalPriceSet.shopMoney, as: money}
      buyer:
        from: customer
        fields:
          name: {let: {parts: "= filled([firstName, lastName])"}, from: "= upper(join(parts, ' '))"}
          email: email
      attributes: {fields: {channel: = context.channel, tags: {each: tags, as: text}}}
      lines:
        each: lineItems.nodes
        where: = sku is not null
        fields:
          key: id
          name: title
          quantity: {from: quantity, as: quantity}
          price: {from: originalTotalSet.shopMoney, as: money}
          discount: "= sum((money(d.allocated.shopMoney) for d in allocations), start=zero(doc.currencyCode))"
          total: = out.price - out.discount
    drop_if: {a test: = test == true}
    keep: {source: source_id}
"""


SHIPPED = [path for path in sorted((ROOT / "mappings").glob("*/*.yaml")) if path.name != "forms.yaml"]


def _shipped(path: Path) -> Mapping:
    def load(name: str) -> str:
        return (ROOT / "mappings" / name).read_text()

    schema = path.with_suffix(".schema.json")
    source = json.loads(schema.read_text()) if schema.is_file() else None
    return compile_mapping(path.read_text(), path.name, load=load, source_schema=source, canonical=CANONICAL)


def _by_field(mapping: Mapping, part: str = "fields") -> dict[str, FieldLineage]:
    return {entry.field: entry for entry in mapping.lineage if entry.part == part}


def test_every_field_names_the_paths_it_comes_from(compiled: Callable[..., Mapping]) -> None:
    """An engineer who sees a wrong total finds which fields of the document made it, and in which line."""
    mapping = compiled(INWARD)
    rows = _by_field(mapping)
    sources = {field: entry.sources for field, entry in rows.items()}
    assert sources["number"] == ("name",)
    assert sources["status"] == ()
    assert sources["total"] == (
        "totalPriceSet.shopMoney",
        "totalPriceSet.shopMoney.amount",
        "totalPriceSet.shopMoney.currencyCode",
    )
    assert sources["buyer"] == ("customer",)
    assert sources["buyer.name"] == ("customer.firstName", "customer.lastName")
    assert rows["buyer.name"].functions == ("upper", "join")
    assert sources["attributes.channel"] == ("context.channel",)
    assert sources["attributes.tags"] == ("tags", "tags[]")
    assert sources["lines"] == ("lineItems.nodes", "lineItems.nodes[].sku")
    assert sources["lines[].name"] == ("lineItems.nodes[].title",)
    assert sources["lines[].discount"] == (
        "lineItems.nodes[].allocations",
        "lineItems.nodes[].allocations[].allocated.shopMoney",
        "lineItems.nodes[].allocations[].allocated.shopMoney.amount",
        "lineItems.nodes[].allocations[].allocated.shopMoney.currencyCode",
        "currencyCode",
    )
    assert set(sources["lines[].total"]) == {*sources["lines[].price"], *sources["lines[].discount"]}
    assert (rows["customer"].ref, rows["payment"].table) == ("customer", True)
    lines = INWARD.splitlines()
    assert lines[rows["lines[].total"].line - 1].strip() == "total: = out.price - out.discount"
    assert {entry.file for entry in mapping.lineage} == {"mappings/x/y.yaml"}
    assert _by_field(mapping, "id")["id"].sources == ("id",)
    assert _by_field(mapping, "keep")["source"].sources == ("source_id",)
    assert _by_field(mapping, "drop_if")["a test"].sources == ("test",)


def test_needs_are_every_leaf_the_mapping_reads_and_no_container(compiled: Callable[..., Mapping]) -> None:
    """A channel that can be asked for single fields is asked for these; a list is named by what it yields."""
    assert compiled(INWARD).needs == {
        "id",
        "name",
        "createdAt",
        "currencyCode",
        "customer.id",
        "customer.firstName",
        "customer.lastName",
        "customer.email",
        "displayFinancialStatus",
        "totalPriceSet.shopMoney.amount",
        "totalPriceSet.shopMoney.currencyCode",
        "tags[]",
        "lineItems.nodes[].id",
        "lineItems.nodes[].sku",
        "lineItems.nodes[].title",
        "lineItems.nodes[].quantity",
        "lineItems.nodes[].originalTotalSet.shopMoney.amount",
        "lineItems.nodes[].originalTotalSet.shopMoney.currencyCode",
        "lineItems.nodes[].allocations[].allocated.shopMoney.amount",
        "lineItems.nodes[].allocations[].allocated.shopMoney.currencyCode",
        "test",
        "source_id",
    }


def test_what_lies_in_a_computed_value_comes_from_where_that_came_from(compiled: Callable[..., Mapping]) -> None:
    """A buyer chosen among several people still leads back to the document."""
    text = """
platform: x
resource: y
inward:
  customer:
    let: {who: = first(p.person for p in people)}
    fields: {name: who.name, address: {from: who.address, fields: {city: city}}}
"""
    rows = _by_field(compiled(text))
    assert rows["name"].sources == rows["address.city"].sources == ("people", "people[].person")


def test_what_is_taken_whole_is_needed_whole(compiled: Callable[..., Mapping]) -> None:
    """A container that also goes somewhere as it is must be asked for whole, not only the part read elsewhere."""
    text = """
platform: x
resource: y
inward:
  customer:
    fields:
      name: person.name
      attributes: {fields: {raw: person, all: this, many: "= count(x for x in tags)", some: "= distinct(codes)"}}
"""
    assert compiled(text).needs == {"id", "person", "person.name", "*", "tags[]", "codes"}


def test_outward_lineage_and_needs_name_the_fields_of_every_joined_entity(compiled: Callable[..., Mapping]) -> None:
    """A changed price of a product touches exactly the writes whose mapping reads it."""
    text = """
platform: amazon
resource: listings
outward:
  entity: stock
  per: variant
  with: [product, price]
  id: {ref: variant}
  drop_if: {archived: = variant.status == 'archived'}
  fields:
    productType: {ref: variant, kept: product_type}
    sku: variant.sku
    brand: product.brand
    price: = amount(first(p.amount for p in prices))
    patches: {items: [{fields: {value: {items: [{fields: {quantity: = sum(s.publish for s in stocks)}}]}}}]}
"""
    mapping = compiled(text)
    sources = {field: entry.sources for field, entry in _by_field(mapping).items()}
    assert sources["brand"] == ("product.brand",)
    assert sources["price"] == ("prices", "prices[].amount")
    assert sources["patches[0].value[0].quantity"] == ("stocks", "stocks[].publish")
    assert _by_field(mapping)["patches[0].value[0].quantity"].direction == "outward"
    assert mapping.outward_needs == {
        "variant": {"sku", "status", "product"},
        "product": {"brand"},
        "price": {"amount"},
        "stock": {"publish"},
    }
    assert mapping.needs == frozenset()


def test_every_row_of_the_shipped_mappings_has_its_lineage() -> None:
    """Nothing a mapping sets is without its line; every source that is no context is among the needs."""
    for path in SHIPPED:
        name, mapping = path.parent.name + "/" + path.name, _shipped(path)
        assert {entry.entity for entry in mapping.lineage if entry.direction == "inward"} == set(mapping.inward), name
        for entry in mapping.lineage:
            if entry.direction != "inward":
                continue
            for source in entry.sources:
                reached = [
                    need for need in mapping.needs if need == source or need.startswith((f"{source}.", f"{source}["))
                ]
                assert reached or source.startswith("context."), (name, entry.field, source)
