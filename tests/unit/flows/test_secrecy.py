"""Secrets and personal values stay where they belong: in documents and records, never in what is shown or logged."""

from __future__ import annotations

import logging

import pytest

from connectors.errors import ConnectorError
from flows import steps
from registry.tables import metadata
from tests.scenario.world import LONG, World
from tests.unit.flows.retail import items, later, live, take

PLANTED = ("planted.person@example.kz", "Planted", "Personov", "7015556677")
HOLDS_PERSONS = {
    "binding": {"values", "told"}, "record": {"values"}, "matchkey": {"value"}, "document": {"body"},
    "outbox": {"payload"}, "parked": {"document"}, "candidate": {"values", "label"}, "inbox": {"body"},
}
"""Table → the columns in which a personal value may stand: they are what erasure empties."""


def spread(world: World) -> None:
    """A person buys, is told to everybody, comes back wrong, and is rejected."""
    world.goods("KTL-1", on_hand=10)
    live(world, "erp-kz", "shop-kz", "crm-kz")
    world.people.buy_in_shop({"KTL-1": 1}, email=PLANTED[0], name="Planted Personov", phone="+77015556677")
    world.people.temper("crm", "fail", on="POST /contacts", next=1)
    live_again(world)
    bad = {"id": "77", "email": PLANTED[0], "firstName": "Planted", "lastName": {"of": "Personov"},
           "phone": "+77015556677", "locale": 5, "defaultAddress": "Planted", "createdAt": "x", "updatedAt": "x"}
    take(world, "shop-kz", "customers", [bad], world.house.registry.now())
    order = {**next(iter(world.sandbox.systems["shop"].docs("orders"))), "id": "40999", "placedAt": "Planted",
             "financialStatus": PLANTED[0], "currency": "Personov"}
    take(world, "shop-kz", "orders", [order], world.house.registry.now())
    for _ in range(2):
        world.pass_time(LONG)
        live_again(world)


def live_again(world: World) -> None:
    world.step("sync_all", channels=("erp-kz", "shop-kz", "crm-kz"))


def stored(world: World) -> dict[str, list[str]]:
    """``table.column`` → every text in it."""
    found: dict[str, list[str]] = {}
    for table in metadata.tables.values():
        engine = world.registry._inbox_engine if table.name == "inbox" else world.registry.engine
        with engine.connect() as conn:
            rows = conn.exec_driver_sql(f"SELECT * FROM {table.name}")
            for row in rows.mappings():
                for name, value in row.items():
                    binary = isinstance(value, bytes | memoryview)
                    shown = bytes(value).decode("utf-8", "replace") if binary else str(value)
                    found.setdefault(f"{table.name}.{name}", []).append(shown)
    return found


def test_a_persons_data_stand_in_documents_and_records_and_in_nothing_else(
    retail_on_each: World, caplog: pytest.LogCaptureFixture
) -> None:
    """P13: no hop, run, audit, reason, parked message, masked value or log line holds an e-mail, a name or a phone."""
    world = retail_on_each
    with caplog.at_level(logging.DEBUG):
        spread(world)
    found = stored(world)
    assert any(PLANTED[0] in value for value in found["record.values"])
    assert found["hop.id"]
    assert found["run.run"]
    leaks = [
        f"{place}: {mark}" for place, values in found.items() for mark in PLANTED
        if place.split(".")[1] not in HOLDS_PERSONS.get(place.split(".")[0], set()) and any(mark in v for v in values)
    ]
    assert leaks == []
    assert items(world.house, "parked", channel="shop-kz")
    assert [mark for mark in PLANTED if mark in caplog.text] == []
    told = " ".join(f"{ledger.sentence()} {ledger.row()}" for ledger in world.ledgers)
    assert [mark for mark in PLANTED if mark in told] == []


def test_a_secret_is_stored_nowhere_and_logged_nowhere(retail: World, caplog: pytest.LogCaptureFixture) -> None:
    """P13: a copy of the registry or of the logs opens no system."""
    with caplog.at_level(logging.DEBUG):
        retail.goods("KTL-1", on_hand=10)
        retail.people.temper("shop", "fail", next=2)
        live_again(retail)
        retail.people.temper("crm", "garbage", next=1)
        live_again(retail)
    secrets = [*retail.sandbox.tokens.values(), *retail.sandbox.hook_secrets.values()]
    everything = " ".join(value for values in stored(retail).values() for value in values) + caplog.text
    assert [secret for secret in secrets if secret in everything] == []


@pytest.mark.parametrize("temper", ["garbage", "fail", "throttle", "lose_answer"])
def test_what_a_platform_did_to_us_is_told_without_the_token(retail: World, temper: str) -> None:
    """P13: the sentence that ends up in a ticket names channel and remedy."""
    retail.goods("KTL-1", on_hand=10)
    retail.people.temper("erp", temper, on="GET /products", next=20)
    with pytest.raises(ConnectorError, match="erp-kz") as said:
        steps.pull(retail.house, "erp-kz", "products")
    assert retail.sandbox.tokens["erp"] not in f"{said.value!r} {said.value.__cause__!r} {said.value.__context__!r}"


def test_the_masked_value_of_a_fault_shows_its_kind_and_not_the_value(retail: World) -> None:
    """P6, P13: enough to recognise what is wrong, too little to know whose it is."""
    take(retail, "erp-kz", "products", [{"code": "A", "title": "T", "state": "planted.person@example.kz"}], later(1))
    (row,) = items(retail.house)
    assert "planted" not in f"{row.value_masked} {row.message} {row.remedy} {row.path}"
