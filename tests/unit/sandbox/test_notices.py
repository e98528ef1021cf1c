"""Notices over real HTTP: signed, retried within bounds, and lost, doubled or out of order on command."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from deployments.sandbox import Sandbox
from deployments.sandbox.faults import Faults
from deployments.sandbox.people import People
from deployments.sandbox.shopify.server import Hooks, empty
from tests.listening import Ear
from tests.unit.sandbox.conftest import Ask


def ids(hook: Ear) -> list[str]:
    return [json.loads(request.body)["id"] for request in hook.heard]


def subscribed(ask: Ask, system: str, hook: Ear) -> None:
    assert ask(system, "POST", "/webhooks", {"url": hook.url}).status == 201
    assert ask(system, "POST", "/webhooks", {"url": hook.url}).status == 200


def test_a_change_is_announced_signed_and_once(sandbox: Sandbox, ask: Ask, people: People, hook: Ear) -> None:
    """The signature covers timestamp and body; subscribing twice does not double notices; the books tell of them."""
    subscribed(ask, "shop", hook)
    people.edit_phone("shop", "9001", "+77770001122")
    assert people.notices_sent("shop")
    (request,) = hook.heard
    headers, body = request.headers, request.body
    signed = headers["x-timestamp"].encode() + b"." + body
    secret = sandbox.hook_secrets["shop"].encode()
    assert headers["x-signature"] == hmac.new(secret, signed, hashlib.sha256).hexdigest()
    assert abs(int(headers["x-timestamp"]) - time.time()) < 30
    told = json.loads(body)
    assert (told["resource"], told["id"], told["delivery"]) == ("customers", "9001", headers["x-delivery"])
    entries = [entry for entry in people.books("shop") if entry["kind"] == "notice"]
    assert [(entry["id"], entry["outcome"]) for entry in entries] == [("9001", "delivered")]


def test_several_changes_of_the_erp_may_come_as_one_notice(ask: Ask, people: People, hook: Ear) -> None:
    """Coalesced: every change is told, in one delivery or more."""
    subscribed(ask, "erp", hook)
    rows = [{"op": "update", "id": f"retail:{sku}", "doc": {"amount": "999"}} for sku in ("007", "1E5", "00712")]
    assert ask("erp", "POST", "/prices/batch", {"items": rows}).status == 200
    assert people.notices_sent("erp")
    told = [event["id"] for request in hook.heard for event in json.loads(request.body)["events"]]
    assert told == ["retail:007", "retail:1E5", "retail:00712"]


def test_a_refused_notice_is_sent_again_and_given_up_in_the_end(ask: Ask, people: People, hook: Ear) -> None:
    """Bounded retries with the same delivery id; after three the platform gives up, and its books say so."""
    subscribed(ask, "crm", hook)
    hook.failing = 2
    people.edit_phone("crm", "50101", "1")
    assert people.notices_sent("crm")
    assert len({request.headers["x-delivery"] for request in hook.heard}) == 1
    assert len(hook.heard) == 3
    hook.failing = 3
    people.edit_phone("crm", "50102", "2")
    assert people.notices_sent("crm")
    outcomes = [entry["outcome"] for entry in people.books("crm") if entry["kind"] == "notice"]
    assert outcomes == ["failed", "failed", "delivered", "failed", "failed", "given up"]


def test_notices_are_lost_doubled_and_out_of_order_on_command(ask: Ask, people: People, hook: Ear) -> None:
    """What a receiver must survive; the lost one stands in the platform's books only."""
    subscribed(ask, "market", hook)
    people.temper("market", "drop")
    people.edit("market", "offers", "007", {"title": "Казан 1"})
    assert people.notices_sent("market")
    assert hook.heard == []
    people.temper("market", "duplicate")
    people.edit("market", "offers", "1E5", {"title": "Казан 2"})
    assert people.notices_sent("market")
    assert ids(hook) == ["1E5", "1E5"]
    assert len({request.headers["x-delivery"] for request in hook.heard}) == 1
    people.temper("market", "reorder")
    for sku in ("007", "1E5"):
        people.edit("market", "offers", sku, {"title": "Казан 3"})
    assert people.notices_sent("market")
    assert ids(hook)[2:] == ["1E5", "007"]
    assert next(entry["outcome"] for entry in people.books("market") if entry["kind"] == "notice") == "dropped"


def test_a_held_notice_goes_out_when_nothing_follows(ask: Ask, people: People, hook: Ear) -> None:
    """Out of order is not lost."""
    subscribed(ask, "market", hook)
    people.temper("market", "reorder")
    people.edit("market", "offers", "007", {"title": "Казан 1"})
    assert people.notices_sent("market")
    assert ids(hook) == ["007"]


def test_the_sandbox_notifies_this_machine_only(ask: Ask) -> None:
    """A demo sends nothing to the world."""
    for url in (
        "http://example.com/hook",
        "https://127.0.0.1/",
        "file:///etc/passwd",
        "http://127.0.0.1@evil.example/",
        "http://127.0.0.1:x/",
    ):
        assert ask("shop", "POST", "/webhooks", {"url": url}).status == 422


def test_a_webhook_that_waits_its_turn_reaches_its_subscriber_whatever_is_announced_meanwhile(hook: Ear) -> None:
    """The shop tells each topic's subscribers, as they were told of it: later news of other topics takes none away,
    and of two changes within one second each is told as it was."""
    shop = empty()
    product = shop.product({"title": "Чайник"})["id"]
    (variant,) = shop.variants_of(product)
    place = shop.put(shop.gid("Location"), {"name": "Warehouse", "fulfillsOnlineOrders": True})["id"]
    shop.hooks += [{"topic": topic, "uri": hook.url} for topic in ("PRODUCTS_UPDATE", "INVENTORY_LEVELS_UPDATE")]
    hooks = Hooks(shop, Faults(), "secret")
    shop.announce = hooks.told
    shop.stock(variant["item"], place, available=5)
    shop.stock(variant["item"], place, available=-2)
    shop.product({"title": "Самовар"}, id=product)
    shop.put(shop.gid("Customer"), {"email": "dina@example.kz"}, "customers/create")
    hooks.start()
    assert hooks.settled(30)
    hooks.stop()
    bodies = [(request.headers["x-shopify-topic"], json.loads(request.body)) for request in hook.heard]
    assert [topic for topic, _ in bodies] == ["inventory_levels/update", "inventory_levels/update", "products/update"]
    assert [body.get("available") for _, body in bodies] == [5, 3, None]
