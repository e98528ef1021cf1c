"""The descriptions in sandbox/retail/platforms fit the systems: the real connector reads, writes and hears them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
import yaml

from connectors.base import Write
from connectors.errors import RetryLater
from connectors.generic_rest import GenericRest
from connectors.paging import at
from connectors.ports import Ports, SystemClock
from deployments.sandbox import Sandbox
from deployments.sandbox.people import People
from tests.listening import Ear
from tests.projects import RETAIL
from tests.unit.sandbox.conftest import Ask
from tests.unit.sandbox.test_writes import SALE

PLATFORMS = RETAIL / "platforms"
SYSTEMS = ("erp", "crm", "shop", "pos", "market")


class Kept:
    """Secrets, tokens and budget of a test."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def get(self, name: str) -> str:
        return self._secrets[name]

    def load(self) -> tuple[int, Mapping[str, str]]:
        return 0, {}

    def swap(self, version: int, tokens: Mapping[str, str]) -> bool:
        return True

    def take(self, n: float, lane: str, bucket: str = "") -> None:
        return None

    def told(self, available: float, bucket: str = "") -> None:
        return None

    def back(self, n: float, bucket: str = "") -> None:
        return None

    def refused(self, after: float, bucket: str = "") -> None:
        return None


@pytest.fixture
def channels(sandbox: Sandbox) -> Iterator[dict[str, GenericRest]]:
    found = {}
    for name in SYSTEMS:
        described = yaml.safe_load((PLATFORMS / f"sandbox_{name}.yaml").read_text(encoding="utf-8"))
        kept = Kept({"token": sandbox.tokens[name], "hook_secret": sandbox.hook_secrets[name]})
        found[name] = GenericRest(
            channel=f"{name}-kz",
            url=sandbox.urls[name],
            options={"platform": f"sandbox_{name}", "description": described, "secrets": {}},
            ports=Ports(secrets=kept, tokens=kept, budget=kept, clock=SystemClock()),
        )
    yield found
    for channel in found.values():
        channel.close()


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_row_is_read_once_resumed_anywhere_and_fetched(
    sandbox: Sandbox, channels: dict[str, GenericRest], name: str
) -> None:
    """P1: full scans page through everything; a cursor from the middle gives the rest; absent is None."""
    channel = channels[name]
    channel.check()
    turned = 0
    for resource, facts in channel.resources.items():
        pages = list(channel.read(resource))
        turned += len(pages)
        ids = [str(at(doc, facts.id)) for page in pages for doc in page.docs]
        assert sorted(ids) == sorted(sandbox.systems[name].tables[resource].rows)
        middle = pages[len(pages) // 2]
        rest = [str(at(doc, facts.id)) for page in pages[len(pages) // 2 + 1 :] for doc in page.docs]
        if not middle.last:
            resumed = channel.read(resource, middle.cursor)
            assert [str(at(doc, facts.id)) for page in resumed for doc in page.docs] == rest
        fetched = channel.fetch(resource, [*ids[:60], "absent"])
        assert fetched["absent"] is None
        assert all(fetched[id] is not None for id in ids[:60])
    assert turned > len(channel.resources)


def test_a_scan_for_changes_finds_what_people_changed(channels: dict[str, GenericRest], people: People) -> None:
    """Each system's own stamps and its own `since`, local time, UTC or epoch."""
    marks = {name: list(channels[name].read(what))[-1].cursor for name, what in CHANGED}
    people.set_price("007", "4321")
    people.edit_phone("crm", "50101", "+7 777 1")
    people.buy_in_shop({"KTL-777-RED": 1}, email="a@example.kz", name="Айгерім Ким")
    people.sell_at_till("almaty-1", {"007": 1})
    people.edit("market", "prices", "007", {"price": {"amount": "4321", "currency": "KZT"}})
    found = {name: [d for page in channels[name].read(what, marks[name]) for d in page.docs] for name, what in CHANGED}
    assert "4321.00" in [doc["amount"] for doc in found["erp"] if doc["item"] == "007"]
    assert "+7 777 1" in [doc["properties"]["phone"] for doc in found["crm"]]
    assert len(found["shop"]) <= 3
    assert "a@example.kz" in [doc["contact"]["email"] for doc in found["shop"]]
    assert found["pos"][0]["rows"][0]["sku"] == "007"
    assert "4321.00" in [doc["price"]["amount"] for doc in found["market"] if doc["sellerSku"] == "007"]
    assert len(found["market"]) < 50


CHANGED = (("erp", "prices"), ("crm", "contacts"), ("shop", "orders"), ("pos", "receipts"), ("market", "prices"))


def test_a_sale_whose_answer_was_lost_is_found_by_our_reference(
    channels: dict[str, GenericRest], people: People, ask: Ask
) -> None:
    """P2, P3: the write is unknown, settling finds it, and there is one sale; one that never arrived is not found."""
    doc = {key: value for key, value in SALE.items() if key != "reference"}
    write = Write(key="serai-1", op="create", doc=doc)
    people.temper("erp", "lose_answer", on="POST /orders")
    (receipt,) = channels["erp"].write("orders", [write])
    assert receipt.outcome == "unknown"
    (settled,) = channels["erp"].settle("orders", [write])
    assert settled.outcome == "applied"
    assert settled.doc is not None
    assert settled.doc["reference"] == "serai-1"
    (missing,) = channels["erp"].settle("orders", [Write(key="serai-2", op="create", doc=doc)])
    assert (missing.outcome, missing.id) == ("rejected", None)
    people.temper("erp", "throttle", seconds=2)
    with pytest.raises(RetryLater) as busy:
        list(channels["erp"].read("orders"))
    assert busy.value.after == 2


@pytest.mark.parametrize("name", ["erp", "shop"])
def test_a_notice_is_taken_for_genuine(channels: dict[str, GenericRest], people: People, hook: Ear, name: str) -> None:
    """The description names the signature as the system makes it; the notice names resource, id and moment."""
    channels[name].subscribe(hook.url)
    channels[name].subscribe(hook.url)
    resource, id, changes = {"erp": ("items", "007", {"name": "Қазан"}), "shop": ("orders", "40001", {})}[name]
    people.edit(name, resource, id, changes)
    assert people.notices_sent(name)
    (request,) = hook.heard
    (notice,) = channels[name].receive(request).notices
    assert (notice.resource, notice.id) == (resource, id)
    assert abs((notice.at - datetime.now(UTC)).total_seconds()) < 30
