"""The sandbox's own doors stand at every simulated system, also at those that have a server of their own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deployments.sandbox import start_sandbox
from deployments.sandbox.amazon import server as amazon
from deployments.sandbox.bitrix24 import server as bitrix24
from deployments.sandbox.books import Books
from deployments.sandbox.odoo import fill as database, server as odoo
from deployments.sandbox.shopify import server as shopify


def _sandbox() -> tuple[str, Callable[[], None]]:
    running = start_sandbox(filled=False)
    return running.urls["erp"], running.stop


def _served(running: Any) -> tuple[str, Callable[[], None]]:
    return running.url, running.stop


SYSTEMS: dict[str, Callable[[], tuple[str, Callable[[], None]]]] = {
    "sandbox": _sandbox,
    "amazon": lambda: _served(amazon.start(amazon.empty())),
    "bitrix24": lambda: _served(bitrix24.start(bitrix24.empty())),
    "odoo": lambda: _served(odoo.start(database.empty(Books("erp", None)))),
    "shopify": lambda: _served(shopify.start(shopify.empty())),
}
CALL = b'{"params": {"service": "common", "method": "version", "args": []}}'
"""What Odoo reads as a call; the others answer that there is no such place."""


@pytest.fixture(params=list(SYSTEMS))
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    found, stop = SYSTEMS[request.param]()
    yield found
    stop()


def asked(url: str, data: bytes | None = None) -> tuple[int, Any]:
    """Status and JSON of an answer; ConnectionError: none came."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_a_tenth_of_a_second_is_an_ill_temper_like_any_other_and_stands_in_the_books(url: str) -> None:
    """P14: what is slow, is lost and broke at every system the same way, once, and the judge can read of it."""
    before = asked(f"{url}/nothing")
    for fault in ({"fault": "slow", "seconds": 0.1}, {"fault": "lose_answer"}, {"fault": "fail_after"}):
        assert asked(f"{url}/_control", json.dumps({"clear": True}).encode()) == (200, {"ok": True})
        assert asked(f"{url}/_control", json.dumps({**fault, "next": 1}).encode()) == (200, {"ok": True})
        if fault["fault"] == "lose_answer":
            with pytest.raises(ConnectionError):
                asked(f"{url}/jsonrpc", CALL)
        else:
            assert (asked(f"{url}/jsonrpc", CALL)[0] == 500) == (fault["fault"] == "fail_after")
    _, books = asked(f"{url}/_books")
    assert [entry["fault"] for entry in books if entry["kind"] == "fault"] == ["slow", "lose_answer", "fail_after"]
    assert asked(f"{url}/_books?after={len(books)}") == (200, [])
    assert asked(f"{url}/nothing") == before
    assert asked(f"{url}/_settled?timeout=1") == (200, {"settled": True})


def test_an_act_that_is_unknown_or_lacks_what_it_needs_is_told_so(url: str) -> None:
    """Whoever writes a scenario reads what was wrong, not that the connection broke."""
    status, told = asked(f"{url}/_act/dance", b"{}")
    assert status == 404
    verbs = json.loads(told)["error"]["message"].removeprefix("acts here: ").split(", ")
    assert len(verbs) > 5
    assert asked(f"{url}/_act/{verbs[0]}", b"{}")[0] in (400, 404, 422)
    assert asked(f"{url}/_act/{verbs[0]}", b"not json")[0] == 400
    assert asked(f"{url}/_act/{verbs[0]}")[0] in (400, 405)
    assert asked(f"{url}/_control", b'{"fault": "hiccups"}')[0] == 400
