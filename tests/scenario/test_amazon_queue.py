"""A retailer whose notices of Amazon stand in a queue: heard at once, counted once, never in the way of the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import Misconfigured, RetryLater
from deployments.drain import Drain
from deployments.sandbox.amazon.api import Plan
from deployments.sandbox.amazon.fill import enter
from deployments.sandbox.amazon.server import Running, start
from deployments.sandbox.amazon.state import Market
from deployments.sandbox.people import People
from deployments.sandbox.start import Part, Playing
from flows import steps
from flows.checking import check
from flows.collecting import collect
from flows.wiring import House
from registry import parked, runs
from tests.retailer import until
from tests.scenario.played import played

CHANNELS = """\
amazon-kz:
  platform: amazon
  company: kz
  url: env:SERAI_AMAZON_URL
  secrets:
    client_id: env:SERAI_AMAZON_CLIENT_ID
    client_secret: env:SERAI_AMAZON_CLIENT_SECRET
    refresh_token: env:SERAI_AMAZON_REFRESH_TOKEN
    aws_access_key_id: env:SERAI_AMAZON_AWS_ACCESS_KEY_ID
    aws_secret_access_key: env:SERAI_AMAZON_AWS_SECRET_ACCESS_KEY
  entities: {variant: on, price: on, order: on}
  settings:
    {seller: A3KARAVANHOME1, marketplace: A1KARAVANKZ001, token_url: /auth/o2/token, lag: 0,
     queue: "arn:aws:sqs:eu-west-1:123456789012:karavan", queue_url: /123456789012/karavan}
"""
AUTHORITY = """\
product: {'*': [amazon-kz]}
variant: {'*': [amazon-kz]}
price: {'*': [amazon-kz]}
order: {'*': origin}
"""


@contextmanager
def selling(folder: Path) -> Iterator[tuple[House, People, Running]]:
    """Serai beside a marketplace with one listing, which tells its queue; everything was read once."""
    made: list[Running] = []

    def play(part: Part) -> Playing:
        market = Market(name=part.name, books=part.books, wall=part.wall)
        market.opening = datetime(2026, 3, 1, tzinfo=UTC)
        enter(market, "KTL", title="Kettle", price=Decimal(12490), available=50)
        market.opening = None
        made.append(start(market, plan=Plan(speed=1e9)))
        secrets = {name.upper(): text for name, text in made[0].secrets.items()}
        return Playing(url=made[0].url, secrets=secrets, stop=made[0].stop)

    with played(folder, {"amazon": play}, {"channels": CHANNELS, "authority": AUTHORITY}) as (house, people):
        steps.pull_all(house)
        house.connector("amazon-kz").subscribe("http://127.0.0.1:9/never")
        yield house, people, made[0]


def bought(people: People) -> str:
    return str(people.buy_on_market({"KTL": 1}, name="Dina", market="amazon").id)


def orders(house: House) -> int:
    with house.registry.read() as tx:
        return sum(run.counts.get("order", {}).get("created", 0) for run in runs(tx, limit=1_000))


def test_a_sale_is_heard_of_while_the_drain_waits_at_the_queue(tmp_path: Path) -> None:
    """§8: nobody pulls; the queue is empty once the inbox has it, and the order is there."""
    with selling(tmp_path / "project") as (house, people, running):
        drain = Drain(house, lambda ledger: None)
        thread = threading.Thread(target=drain.run, daemon=True)
        thread.start()
        try:
            for n in range(1, 4):
                bought(people)
                until(lambda n=n: orders(house) == n)
            assert running.queue.settled(30)
        finally:
            drain.stop()
            thread.join(60)
        assert not thread.is_alive()


def test_a_crash_between_the_commit_and_the_deletion_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1, P2, P15: the message is there again, is stored as the delivery it is, and then the queue forgets it."""
    with selling(tmp_path / "project") as (house, people, running):
        bought(people)
        with monkeypatch.context() as dying:
            dying.setattr("connectors.amazon_queue.Queue.forget", crash)
            with pytest.raises(RuntimeError):
                collect(house, "amazon-kz")
        stored = house.registry.inbox.depth()
        assert stored["amazon-kz"] == len(running.queue.waiting) > 0
        running.queue.waiting.again()
        assert collect(house, "amazon-kz") == 0
        assert house.registry.inbox.depth() == stored
        assert len(running.queue.waiting) == 0
        steps.take_notices(house)
        assert orders(house) == 1
        assert collect(house, "amazon-kz") == 0


def crash(*_: Any) -> None:
    raise RuntimeError("the power is gone")


def test_a_message_that_nobody_can_read_is_parked_and_let_go(tmp_path: Path) -> None:
    """P6, P13: it does not come for ever; why stands there, not what it says, and a person lets it go."""
    with selling(tmp_path / "project") as (house, people, running):
        running.queue.waiting.put("<html>not ours</html>")
        bought(people)
        assert collect(house, "amazon-kz") >= 1
        assert len(running.queue.waiting) == 0
        steps.take_notices(house)
        assert orders(house) == 1
        with house.registry.read() as tx:
            (row,) = parked(tx, "amazon-kz")
        assert (row.entity, row.document) == ("message", None)
        assert row.external_id
        assert "it is not JSON" in row.message
        steps.replay(house, [row.uid])
        with house.registry.read() as tx:
            assert parked(tx, "amazon-kz") == []


def test_a_queue_that_refuses_or_is_away_stops_no_reading_and_the_channel_says_so(tmp_path: Path) -> None:
    """P1: what stands in the queue stays there; the resources are read all the same; its own run names the fault."""
    with selling(tmp_path / "project") as (house, people, running):
        id = bought(people)
        waiting = len(running.queue.waiting)
        running.queue.waiting.refuses = True
        ledgers = steps.pull_all(house)
        assert orders(house) == 1, id
        assert any("aws_secret_access_key" in fault for ledger in ledgers for fault in ledger.faults)
        with pytest.raises(Misconfigured):
            collect(house, "amazon-kz")
        with house.registry.read() as tx:
            said = [run.error for run in runs(tx, limit=1_000) if run.what == "notices" and run.error]
        assert said
        assert all("aws_access_key_id" in error and "the queue at 127.0.0.1" in error for error in said)
        running.faults.command({"fault": "fail", "next": 1, "on": "POST /"})
        with pytest.raises(RetryLater):
            collect(house, "amazon-kz")
        assert len(running.queue.waiting) == waiting
        (heard,) = [found for found in check(house, "amazon-kz") if found.what == "notices"]
        assert (heard.works, "aws_secret_access_key" in heard.detail) == (False, True)
        running.queue.waiting.refuses = False
        (heard,) = [found for found in check(house, "amazon-kz") if found.what == "notices"]
        assert heard.works
        assert collect(house, "amazon-kz") == waiting
