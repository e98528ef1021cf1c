"""Why a channel shows what it shows, from the source's document to the receipt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import steps
from flows.why import Unknown, why
from tests.scenario.kept import made
from tests.scenario.world import WAREHOUSE, World
from tests.unit.flows.retail import live, records
from tests.unit.flows.sharing import BOTH


@pytest.fixture
def selling(tmp_path: Path) -> Iterator[World]:
    with made(tmp_path, on_sale) as found:
        yield found


def on_sale(world: World) -> None:
    world.goods("KTL-1", on_hand=10, price="1990.50", listed=False)
    live(world, *BOTH)


@pytest.mark.parametrize("entity", ["product", "variant", "stock", "price"])
def test_every_published_value_is_what_recomputing_gives(selling: World, entity: str) -> None:
    """P11: rendering the record again gives the document that the shop was told, and that it holds."""
    key = "P-KTL-1" if entity == "product" else "KTL-1"
    steps.pull(selling.house, "shop-kz", "inventory")
    answer = why(selling.house, "shop-kz", entity, key)
    assert answer.same
    resource = selling.house.of("shop-kz").outward[entity].mapping.resource
    (held,) = selling.sandbox.systems["shop"].docs(resource)
    told = json.loads(json.dumps(answer.row()["told"]))
    assert told == {name: held[name] for name in told}
    assert answer.verified_at is not None


def test_a_price_leads_to_document_line_authority_policy_and_receipt(selling: World) -> None:
    """P11: source document, mapping file and line, authority, policy, receipt with key, time verified."""
    answer = why(selling.house, "shop-kz", "price", "KTL-1", "amount")
    kinds = {step.kind: step for step in answer.steps}
    assert "erp-kz says so in prices retail:KTL-1" in kinds["source"].sentence
    assert kinds["source"].where.startswith("mappings/sandbox_erp/prices.yaml:")
    assert "authority: erp-kz" in kinds["source"].sentence
    assert kinds["policy"].where == "companies.yaml"
    assert kinds["told"].where.startswith("mappings/sandbox_shop/prices.yaml:")
    assert "key serai-" in kinds["receipt"].sentence
    assert {"verified", "recomputed"} <= set(kinds)


def test_a_stock_figure_names_what_it_was_made_of(selling: World) -> None:
    """P11, P8: on hand, reserved, share, what the other channels may show, and the figure that was told."""
    answer = why(selling.house, "shop-kz", "stock", "KTL-1")
    (policy,) = [step for step in answer.steps if step.kind == "policy"]
    assert f"{WAREHOUSE} 10" in policy.sentence
    assert "share 0.6 gives 6" in policy.sentence
    assert "market-kz may show 4" in policy.sentence
    assert "so 6 may be shown" in policy.sentence


def test_a_change_that_is_on_its_way_is_told_as_such(selling: World) -> None:
    """P11: when the record is newer than what the channel was told, the answer says so instead of pretending."""
    selling.people.rename_item("KTL-1", "Чайник новый")
    steps.pull(selling.house, "erp-kz", "items")
    answer = why(selling.house, "shop-kz", "variant", "KTL-1")
    assert not answer.same
    assert "a newer change is on its way" in answer.steps[-1].sentence
    live(selling, *BOTH)
    assert why(selling.house, "shop-kz", "variant", "KTL-1").same


def test_what_was_never_told_is_answered_with_what_there_is(selling: World) -> None:
    """Nobody gets a traceback for a typing error or a question too early."""
    with pytest.raises(Unknown, match="'NO-SUCH'"):
        why(selling.house, "shop-kz", "variant", "NO-SUCH")
    with pytest.raises(Unknown, match="receives product, variant, stock, price, decision, shipment, return"):
        why(selling.house, "shop-kz", "customer", "x")
    with pytest.raises(Unknown, match="not told of variant KTL-1 yet"):
        why(selling.house, "pos-kz", "variant", "KTL-1")


@pytest.mark.parametrize(("channel", "entity"), [
    ("erp-kz", "customer"), ("crm-kz", "customer"), ("erp-kz", "order"), ("crm-kz", "order"),
])
def test_personal_values_are_never_part_of_an_explanation(selling: World, channel: str, entity: str) -> None:
    """P11, P13: whoever asks why sees where a phone number came from, not the number."""
    selling.people.buy_in_shop(
        {"KTL-1": 1}, email="planted.person@example.kz", name="Planted Personov", phone="+77015556677"
    )
    live(selling, *BOTH, "crm-kz")
    (record,) = records(selling.house, entity).values()
    answer = why(selling.house, channel, entity, record.uid)
    text = json.dumps([answer.row()["told"], answer.row()["steps"]], ensure_ascii=False)
    for planted in ("planted.person", "Planted", "Personov", "5556677"):
        assert planted not in text
    assert "…" in text
    assert answer.same
