"""A till asks for points over HTTP, and a buyer waits: the CRM keeps them, says yes or no, hangs, or dies between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests

from deployments.receiver import app_of
from deployments.sandbox.people import Refusal
from flows import steps
from flows.loyalty import GRACE, redeem
from registry import outbox_rows, parked
from registry.answers import unanswered
from tests.databases import registry_url, sqlite_url  # noqa: F401 (fixtures)
from tests.retailer import notice_headers, served
from tests.scenario.border import Border, Crash
from tests.scenario.world import World
from tests.unit.flows.conftest import retail, retail_on_each  # noqa: F401 (fixtures)
from tests.unit.flows.retail import live, mode, values

CARD = "K-7"


@contextmanager
def counter(world: World, within: float = 5.0) -> Iterator[str]:
    """The till's address; a buyer with 100 points on a card."""
    loyalty = world.house.project.customers.loyalty
    assert loyalty is not None
    policy = replace(world.house.project.customers, loyalty=replace(loyalty, within=within))
    world.desk.project = world.house.project = replace(world.house.project, customers=policy)
    world.people.add("crm", "contacts", {
        "properties": {"fullname": "Ким Ли", "email": "kim@example.kz"}, "cards": [{"number": CARD, "points": "100"}]})
    live(world, "crm-kz")
    with served(app_of(world.house)) as url:
        yield f"{url}/tills/pos-kz/loyalty"


def ask(world: World, url: str, receipt: str, points: str = "40", kind: str = "redeem", **more: Any) -> dict[str, Any]:
    """What the till hears."""
    body = json.dumps({"resource": "loyalty", "id": receipt, "kind": kind, "account": CARD, "points": points, **more})
    headers = notice_headers(world.sandbox.hook_secrets["pos"], body.encode(), at=world.clock.now())
    answer = requests.post(url, data=body.encode(), headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def held(world: World) -> int:
    """The points on the card, as the CRM has them."""
    (doc,) = [doc for doc in world.sandbox.systems["crm"].docs("contacts") if doc["cards"]]
    return int(Decimal(doc["cards"][0]["points"]))


def quiet(world: World) -> None:
    """Whatever was under way is settled."""
    for _ in range(4):
        world.pass_time(90)
        for name in ("settle", "push"):
            world.step(name, "crm-kz", "loyalty_event")
        with world.registry.read() as tx:
            if not outbox_rows(tx, "crm-kz", "loyalty_event"):
                return
    raise AssertionError("events are still under way")


def test_a_till_hears_yes_once_and_the_points_are_gone_once(retail_on_each: World) -> None:  # noqa: F811
    """P2: the same receipt is the same redemption; what is not there is refused; what is taken back is there again."""
    world = retail_on_each
    with counter(world) as url:
        first = ask(world, url, "R1-1")
        assert (first["answer"], held(world)) == ("accepted", 60)
        assert ask(world, url, "R1-1") == first
        assert (ask(world, url, "R1-2", "61")["answer"], held(world)) == ("refused", 60)
        assert (ask(world, url, "R1-3", "60")["answer"], held(world)) == ("accepted", 0)
        assert ask(world, url, "R1-1", kind="reverse")["answer"] == "accepted"
        assert ask(world, url, "R1-4", "15", kind="earn")["answer"] == "accepted"
        quiet(world)
        assert held(world) == 55
        assert ask(world, url, "R1-1")["answer"] == "refused"
        live(world, "crm-kz")
        copies = values(world.house, "customer", "Ким Ли")["accounts"]
    assert copies == [{"key": CARD, "kind": "points", "points": "55.00"}]
    numbers = [row["number"] for row in world.sandbox.systems["crm"].docs("points")]
    assert len(numbers) == len(set(numbers)) == 4


@pytest.mark.parametrize("trouble", ["fail", "fail_after", "lose_answer", "slow"])
def test_where_the_keeper_cannot_answer_the_till_hears_no_and_nothing_is_spent(
    retail: World, trouble: str  # noqa: F811
) -> None:
    """Bounded in time: refused, whatever arrives later is given back, and a later question hears the same."""
    with counter(retail, within=0.4) as url:
        retail.people.temper("crm", trouble, next=1, on="POST /points", **({"seconds": 1} if trouble == "slow" else {}))
        refused = ask(retail, url, "R1-1")
        assert refused["answer"] == "refused"
        assert "crm-kz" in refused["because"]
        retail.people.calm("crm")
        quiet(retail)
        assert held(retail) == 100
        assert ask(retail, url, "R1-1") == refused
        assert (ask(retail, url, "R1-2")["answer"], held(retail)) == ("accepted", 60)


def test_whoever_closes_the_house_waits_for_points_that_nobody_waits_for_any_more(
    retail: World  # noqa: F811
) -> None:
    """P15: no thread is left that writes to a registry which is closed under it."""
    with counter(retail, within=0.2):
        worker = retail.worker()
        retail.people.temper("crm", "slow", next=1, on="POST /points", seconds=2)
        answer = redeem(worker, CARD, channel="pos-kz", reference="R1", points=Decimal(40))
        assert not answer.accepted
        worker.close()
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("points at")] == []
        retail.people.calm("crm")
        quiet(retail)
        assert held(retail) == 100


def test_a_redemption_that_arrives_late_is_given_back_too(retail: World) -> None:  # noqa: F811
    """P2: refused for want of an answer, looked for and not found, sent again, and only then the first one arrives."""
    with counter(retail, within=0.4):
        border = retail.house.border
        border.slow = "POST crm/points"
        answer = redeem(retail.house, CARD, channel="pos-kz", reference="R1", points=Decimal(40))
        assert (answer.accepted, border.slow) == (False, "")
        retail.step("push", "crm-kz", "loyalty_event")
        assert len(list(retail.sandbox.systems["crm"].docs("points"))) == 0
        retail.pass_time(90)
        retail.step("settle", "crm-kz", "loyalty_event")
        border.arrive()
        assert held(retail) == 60
        quiet(retail)
        assert held(retail) == 100
        with retail.registry.read() as tx:
            assert parked(tx) == []


def test_a_crash_between_keeper_and_till_spends_nothing_unless_the_till_asks_again(retail: World) -> None:  # noqa: F811
    """P15: at every step the worker dies; the points are there again, or the repeated question hears yes."""
    with counter(retail):
        for at in range(1, 40, 2):
            before = held(retail)
            worker = retail.worker(Border(at))
            receipt: dict[str, Any] = {"channel": "pos-kz", "reference": f"R{at}", "points": Decimal(1)}
            try:
                redeem(worker, CARD, **receipt)
                done = not worker.border.broken
            except Crash:
                done = False
            if done:
                assert at > 4
                break
            retail.restart()
            if at % 4 == 1:
                quiet(retail)
                answer = redeem(retail.house, CARD, **receipt)
                quiet(retail)
                assert held(retail) == before - answer.accepted
            else:
                retail.pass_time(GRACE.total_seconds())
                steps.lapse(retail.house)
                quiet(retail)
                assert held(retail) == before
                assert not redeem(retail.house, CARD, **receipt).accepted
    with retail.registry.read() as tx:
        assert unanswered(tx, retail.registry.now()) == []


def test_only_a_signed_question_of_a_till_is_answered(retail: World) -> None:  # noqa: F811
    """P13: forged is 401, a channel that is no till is not there, and what lacks something hears what."""
    with counter(retail) as url:
        body = b'{"resource": "loyalty", "id": "R1", "kind": "redeem", "account": "K-7", "points": "1"}'
        right = notice_headers(retail.sandbox.hook_secrets["pos"], body, at=retail.clock.now())
        wrong = notice_headers("guessed", body, at=retail.clock.now())
        post = {place: requests.post(place, data=body, headers=headers, timeout=10).status_code
                for place, headers in ((url, wrong), (url.replace("pos-kz", "shop-kz"), right))}
        assert list(post.values()) == [401, 404]
        assert held(retail) == 100
        for lacks, said in (({"points": "0"}, "above zero"), ({"account": ""}, "account"), ({"kind": "give"}, "kind")):
            text = json.dumps({**json.loads(body), **lacks}).encode()
            signed = notice_headers(retail.sandbox.hook_secrets["pos"], text, at=retail.clock.now())
            answer = requests.post(url, data=text, headers=signed, timeout=10)
            assert (answer.status_code, answer.json()["answer"]) == (400, "refused")
            assert said in answer.json()["because"]
        mode(retail, "crm-kz", "loyalty_event", "off")
        assert ask(retail, url, "R2")["answer"] == "refused"
        assert held(retail) == 100


def test_what_a_store_set_aside_its_till_tells_and_the_buyer_hears_of_it(retail: World) -> None:  # noqa: F811 (fixture)
    """Click & collect with nobody in between: the simulated till's own question, and the shop's own books."""
    retail.goods("K-2")
    live(retail, "erp-kz", "shop-kz")
    order = retail.people.buy_in_shop({"K-2": 1}, email="c@example.kz", name="Ли", guest=True, pickup="almaty-1")
    live(retail, "erp-kz", "shop-kz")
    with served(app_of(retail.house)) as url:
        desk = f"{url}/tills/pos-kz"
        with pytest.raises(Refusal, match="not_collected_here"):
            retail.people.set_aside("almaty-2", order.number, desk)
        with pytest.raises(Refusal, match="no_answer"):
            retail.people.set_aside("almaty-1", order.number, "http://127.0.0.1:1/tills/pos-kz")
        for _ in range(2):
            retail.people.set_aside("almaty-1", order.number, desk)
    live(retail, "erp-kz", "shop-kz")
    told = [(entry["number"], entry["what"]) for entry in retail.sandbox.systems["shop"].books.after(0)
            if entry["kind"] == "told"]  # fmt: skip
    assert told == [(order.number, "ready")]


def test_a_till_confirms_a_pickup_and_the_buyer_is_told_once(retail: World) -> None:  # noqa: F811 (the fixture)
    """Click & collect: the store that has the goods says so, signed; no other store, and nobody who is no till, may."""
    retail.goods("K-1")
    live(retail, "erp-kz", "shop-kz")
    order = retail.people.buy_in_shop({"K-1": 1}, email="b@example.kz", name="Ким", guest=True, pickup="almaty-1")
    live(retail, "erp-kz", "shop-kz")

    def confirm(store: str = "almaty-1", number: str = order.number, till: str = "pos-kz") -> tuple[int, str]:
        body = json.dumps({"resource": "pickup", "id": "P1", "number": number, "store": store}).encode()
        headers = notice_headers(retail.sandbox.hook_secrets["pos"], body, at=retail.clock.now())
        answer = requests.post(f"{url}/tills/{till}/pickup", data=body, headers=headers, timeout=30)
        return answer.status_code, answer.json()["answer"] if answer.content else ""

    def told() -> list[str]:
        return [entry["what"] for entry in retail.sandbox.systems["shop"].books.after(0) if entry["kind"] == "told"]

    with served(app_of(retail.house)) as url:
        assert (confirm(store="almaty-2"), confirm(number="1"), told()) == ((200, "refused"), (200, "refused"), [])
        assert confirm(till="shop-kz") == (404, "")
        assert requests.post(f"{url}/tills/pos-kz/pickup", data=b"{}", timeout=30).status_code == 401
        assert [confirm(), confirm()] == [(200, "accepted"), (200, "accepted")]
    live(retail, "erp-kz", "shop-kz")
    assert told() == ["ready"]
