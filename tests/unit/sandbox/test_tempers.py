"""Every ill temper, over real HTTP: what a connector must survive is really done to it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from deployments.sandbox import Sandbox
from deployments.sandbox.people import People, Refusal
from tests.retailer import until
from tests.unit.sandbox.conftest import Ask
from tests.unit.sandbox.test_writes import SALE


def test_a_throttled_system_says_how_long_to_wait_and_does_nothing(ask: Ask, people: People) -> None:
    """P14: 429 with Retry-After for exactly the next n requests; a throttled write is not applied."""
    people.temper("erp", "throttle", next=2, seconds=3)
    answers = [ask("erp", "POST", "/orders", SALE) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 201]
    assert answers[0].headers["retry-after"] == "3"
    assert len(ask("erp", "GET", "/orders", query={"reference": "key-1"}).body["items"]) == 1


def test_a_failing_system_has_done_nothing_or_everything(ask: Ask, people: People) -> None:
    """P3: a 500 says nothing about the write: here one was never applied, the other was."""
    people.temper("erp", "fail", on="POST /orders")
    assert ask("erp", "GET", "/orders").status == 200
    assert ask("erp", "POST", "/orders", SALE).status == 500
    assert ask("erp", "GET", "/orders", query={"reference": "key-1"}).body["items"] == []
    people.temper("erp", "fail_after", on="POST /orders")
    assert ask("erp", "POST", "/orders", SALE).status == 500
    assert len(ask("erp", "GET", "/orders", query={"reference": "key-1"}).body["items"]) == 1


@pytest.mark.parametrize("seconds", [0, 2])
def test_an_answer_can_be_lost_after_the_write_was_applied(ask: Ask, people: People, seconds: int) -> None:
    """P3: the connection ends, or nothing comes within the time-out, and the sale is there all the same."""
    people.temper("erp", "lose_answer", on="POST", seconds=seconds)
    with pytest.raises(OSError):  # noqa: PT011 - a reset or a time-out, whichever the machine reports
        ask("erp", "POST", "/orders", SALE, timeout=0.5)
    until(lambda: len(ask("erp", "GET", "/orders", query={"reference": "key-1"}).body["items"]) == 1)


def test_a_slow_system_answers_late_and_right(ask: Ask, people: People) -> None:
    """A slow answer is still an answer."""
    people.temper("shop", "slow", seconds=0.4)
    began = time.monotonic()
    assert ask("shop", "GET", "/products/7001").body["id"] == "7001"
    assert time.monotonic() - began >= 0.4


def test_a_page_of_garbage_is_a_200_that_is_not_json(ask: Ask, people: People) -> None:
    """A maintenance page with status 200 is not a page of documents."""
    people.temper("shop", "garbage")
    answer = ask("shop", "GET", "/products")
    assert answer.status == 200
    assert isinstance(answer.body, bytes)


@pytest.mark.parametrize(
    ("system", "resource", "key"),
    [("erp", "items", "code"), ("market", "offers", "sellerSku"), ("pos", "articles", "sku")],
)
def test_one_page_can_be_missing_from_a_full_scan_and_the_next_is_whole(
    sandbox: Sandbox, ask: Ask, people: People, system: str, resource: str, key: str
) -> None:
    """P10: the scan ends as if complete; exactly one page's rows are missing, whatever the paging; then all is back."""
    everything = set(sandbox.systems[system].tables[resource].rows)
    size = sandbox.systems[system].design.lists.size
    people.temper(system, "omit_page", on=f"/{resource}", page=2)
    assert len(everything - scanned(ask, system, resource, key)) == min(size, len(everything) - size)
    assert scanned(ask, system, resource, key) == everything


def scanned(ask: Ask, system: str, resource: str, key: str) -> set[str]:
    """The ids of a full scan, in the system's own paging."""
    met: list[str] = []
    query: dict[str, str] = {}
    while True:
        body = ask(system, "GET", f"/{resource}", query=query).body
        if system == "erp":
            docs, query = body["items"], {"cursor": body["next_cursor"]}
            ended = body["next_cursor"] is None
        elif system == "market":
            docs, page = body["result"]["items"], body["result"]["page"]
            query, ended = {"page": str(page + 1)}, page >= body["result"]["pages"]
        else:
            docs = body
            ended = not docs
            query = {} if ended else {"after_modified": str(docs[-1]["modified"]), "after": docs[-1][key]}
        met += [doc[key] for doc in docs]
        if ended:
            assert len(met) == len(set(met))
            return set(met)


def test_a_backdated_change_lies_behind_the_watermark(ask: Ask, people: People) -> None:
    """Rows committed late: a scan for changes from now on does not see it, one with an overlap does."""
    people.set_price("007", "1000")
    mark = ask("erp", "GET", "/prices/retail:007").body["changed_at"]
    people.temper("erp", "backdate", on="/prices", seconds=30)
    people.set_price("1E5", "2000")
    since = ask("erp", "GET", "/prices", query={"changed_since": mark}).body["items"]
    assert [doc["item"] for doc in since] == ["007"]
    early = (datetime.fromisoformat(mark) - timedelta(seconds=60)).isoformat()
    overlapping = ask("erp", "GET", "/prices", query={"changed_since": early}).body["items"]
    assert [(doc["item"], doc["amount"]) for doc in overlapping] == [("1E5", "2000.00"), ("007", "1000.00")]


def test_an_ill_temper_can_be_ended_and_a_wrong_one_is_refused(ask: Ask, people: People) -> None:
    """A command that makes no sense says what would."""
    people.temper("crm", "fail", next=1000)
    people.calm("crm")
    assert ask("crm", "GET", "/deals").status == 200
    with pytest.raises(Refusal, match="throttle"):
        people.temper("crm", "sulk")
    with pytest.raises(Refusal, match="keys"):
        people.temper("crm", "fail", times=3)
