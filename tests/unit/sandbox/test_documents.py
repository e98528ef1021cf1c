"""Whatever is done to the systems, their replies keep to the native formats that the mappings are written against."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings, strategies as st

import deployments
from deployments.sandbox import Sandbox, start_sandbox
from deployments.sandbox.people import People, Refusal
from tests.unit.sandbox.conftest import Ask, asking

MAPPINGS = Path(deployments.__file__).parents[1] / "mappings"
LISTS = {
    "erp": lambda name, body: body["items"],
    "crm": lambda name, body: body["results"],
    "shop": lambda name, body: body[name],
    "pos": lambda name, body: body,
    "market": lambda name, body: body["result"]["items"],
}


def native(system: str, resource: str) -> dict[str, Any]:
    path = MAPPINGS / f"sandbox_{system}" / f"{resource}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def checked(system: str, resource: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(native(system, resource))


def an_act(people: People, dice: random.Random, sku: str, n: int) -> None:
    """One of the things that people do."""
    act = dice.randrange(7)
    if act == 0:
        people.buy_in_shop({sku: 1}, email=f"N{n}@Example.kz", name="Әсел Ким", phone=None)
    elif act == 1:
        people.buy_on_market({sku: 2}, name="Assel Kim", phone=f"70155500{n:02d}")
    elif act == 2:
        people.sell_at_till("almaty-2", {sku: 1}, phone="87015550011")
    elif act == 3:
        people.set_price(sku, f"{dice.randrange(1000, 90000)}.5")
    elif act == 4:
        people.count_stock(sku, "almaty-1", dice.randrange(0, 9))
    elif act == 5:
        people.rename_item(sku, f"Шәйнек {n}")
    else:
        people.list_by_hand(f"HAND-{n}", "Ручная работа", "1990", 2)


def a_busy_day(people: People, seed: int) -> None:
    """Forty seeded acts; what cannot be sold is refused, nothing else is."""
    dice = random.Random(seed)
    skus = [doc["sku"] for doc in people.books("market") if doc["kind"] == "shown"]
    refusals = []
    for n in range(40):
        try:
            an_act(people, dice, dice.choice(skus), n)
        except Refusal as refusal:
            refusals.append(refusal.code)
    assert set(refusals) <= {"sold_out", "not_sold", "not_found", "unknown_item"}
    assert len(refusals) < 20


def test_every_reply_keeps_to_its_schema_after_a_busy_day(sandbox: Sandbox, ask: Ask, people: People) -> None:
    """The formats are a contract: every document of every resource validates, opening data and after acts."""
    a_busy_day(people, seed=3)
    sale = {"ordered_at": "2026-03-01T09:00:00Z", "state": "confirmed", "paid": "yes", "currency": "KZT"}
    line = {"ref": "1", "item": "007", "qty": "1", "price": "10", "sum": "10"}
    people.receive_goods("007", "almaty-wh", 5)
    number = ask("erp", "POST", "/orders", {**sale, "lines": [line], "total": "10"}).body["number"]
    people.deliver(people.ship(order=number).number)
    seen = 0
    for system, running in sandbox.systems.items():
        for resource, table in running.tables.items():
            validator = checked(system, resource)
            docs = LISTS[system](resource, ask(system, "GET", f"/{resource}").body)
            assert docs or resource in ("fulfilments", "shipments")
            alone = [ask(system, "GET", f"/{resource}/{id}").body for id in list(table.rows)[-3:]]
            for doc in [*docs, *alone]:
                validator.validate(doc)
                seen += 1
    assert seen > 800


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def shared_ask() -> Any:
    running = start_sandbox()
    yield asking(running)
    running.stop()


WRITTEN = [
    ("erp", "items", {"code": "007"}),
    ("erp", "orders", {}),
    ("crm", "contacts", {}),
    ("shop", "variants", {}),
    ("shop", "inventory", {"variantId": "81001"}),
    ("pos", "prices", {"sku": "007"}),
    ("market", "prices", {"sellerSku": "007"}),
]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_garbage_in_a_write_gets_past_the_schema_or_breaks_the_system(shared_ask: Ask, data: st.DataObject) -> None:
    """Whatever JSON is sent, the answer is a valid document or a refusal that says why, and no half row is left."""
    system, resource, key = data.draw(st.sampled_from(WRITTEN))
    validator = checked(system, resource)
    names = sorted(native(system, resource)["properties"])
    body = data.draw(st.dictionaries(st.sampled_from(names), json_values, max_size=4) | json_values)
    body = {**body, **key} if isinstance(body, dict) else body
    answer = shared_ask(system, "POST", f"/{resource}", body)
    assert answer.status in (200, 201, 400, 422)
    if answer.status < 300:
        validator.validate(answer.body)
    else:
        assert set(answer.body["error"]) >= {"code", "message"}
    for doc in LISTS[system](resource, shared_ask(system, "GET", f"/{resource}").body):
        validator.validate(doc)
