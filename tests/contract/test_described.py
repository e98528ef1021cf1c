"""What descriptions may say since platforms come with Serai in YAML: parts, repeatable writes, bare lists, webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors import CATALOG
from connectors.base import Connector, Request, Write
from connectors.errors import Forged, Misconfigured, ShapeChanged
from connectors.window import moment
from tests.contract.harness import Call, Fault, Reply, Simulator, ports_with

LINES = "/orders/{id}/lines"
LEVELS = {"path": "/levels", "batch": 3, "batch_path": "PUT /levels", "repeatable": True, "returns_doc": False,
          "batch_options": {"list": "", "op": "", "id": "", "doc": "", "results": ""}}  # fmt: skip
DESCRIPTION: dict[str, Any] = {
    "signature": {"scheme": "header_token", "header": "x-own"},
    "subscribe": {
        "call": "POST /hooks", "url": "to", "topic": "on", "secret": "headers.x-own", "body": {"active": True},
    },
    "notices": {"resource": "on", "id": "data.id", "topics": {"order/made": "orders", "order/paid": "orders"}},
    "defaults": {"items": "", "updated": "changed", "paging": "page"},
    "resources": {"orders": {"path": "/orders", "since": "min_changed", "parts": {"lines": LINES}}, "levels": LEVELS},
}


class Shop(Simulator):
    """Two orders, their lines at addresses of their own, levels, webhooks."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[Any] = []
        self.hooks: list[Any] = []

    def handle(self, call: Call) -> Reply:
        if call.path == "/hooks":
            self.hooks += [call.json] if call.method == "POST" else []
            return Reply(body={"data": self.hooks})
        if call.path == "/levels":
            self.levels.append(call.json)
            bad = {"q": -1} in call.json
            return Reply(status=422, body={"title": "no"}) if bad else Reply(body={"transaction": "t1"})
        if call.path == "/orders/1/lines":
            return Reply(body=[{"sku": "007"}])
        if call.path.endswith("/lines"):
            return Reply(status=204)
        if call.query["page"] != "1" or "min_changed" in call.query:
            return Reply(status=204)
        stamp = "Sun, 01 Mar 2026 09:00:00 +0000"
        return Reply(body=[{"id": 1, "changed": stamp}, {"id": 2, "changed": stamp}])


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    with shop.running():
        yield shop


def connect(shop: Shop, **described: Any) -> Connector:
    options = {"description": {**DESCRIPTION, **described}, "secrets": {"hook_secret": "env:H"}, "timeout": 5}
    ports = ports_with({"hook_secret": "word-7"})
    return CATALOG["generic_rest"](channel="shop-kz", url=shop.url, options=options, ports=ports)


def test_what_lies_at_an_address_of_its_own_comes_with_the_document(shop: Shop) -> None:
    """P1: a list that is not there is an empty one only where the platform says "no content"."""
    (page, end) = connect(shop).read("orders")
    assert [doc["lines"] for doc in page.docs] == [[{"sku": "007"}], []]
    assert (end.docs, end.last) == ([], True)
    shop.befall(Fault(reply=Reply(body={"odd": 1})))
    with pytest.raises(ShapeChanged):
        list(connect(shop).read("orders"))


def test_an_e_mail_s_date_is_a_stamp(shop: Shop) -> None:
    """P1: so that the next read asks for changes only; it is asked for in ISO."""
    assert moment("Sun, 01 Mar 2026 10:00:00 +0100") == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert moment("yesterday") is None
    *_, last = connect(shop).read("orders")
    list(connect(shop).read("orders", last.cursor))
    assert shop.calls[-1].query["min_changed"] == "2026-03-01T08:59:55Z"


def test_a_bare_list_is_sent_and_a_2xx_is_for_all_of_it(shop: Shop) -> None:
    """P6: a refusal is halved until the bad one stands alone."""
    writes = [Write(key=f"k{n}", op="update", id=str(n), doc={"q": -1 if n == 1 else n}) for n in range(4)]
    receipts = list(connect(shop).write("levels", writes))
    assert [one.outcome for one in receipts] == ["applied", "rejected", "applied", "applied"]
    assert [one.id for one in receipts] == ["0", "1", "2", "3"]
    assert shop.levels[0] == [{"q": 0}, {"q": -1}, {"q": 2}]


def test_a_write_that_does_no_harm_twice_is_sent_again_and_not_looked_for(shop: Shop) -> None:
    """P3: nobody answered; an absolute value may go again, a create of one too."""
    shop.befall(Fault(reply=Reply(status=500)))
    write = Write(key="k", op="create", doc={"q": 5})
    (receipt,) = connect(shop).write("levels", [write])
    assert receipt.outcome == "unknown"
    asked = len(shop.calls)
    (settled,) = connect(shop).settle("levels", [write])
    assert (settled.outcome, settled.id, settled.detail[:9]) == ("rejected", None, "not found")
    assert len(shop.calls) == asked


def test_each_topic_gets_a_webhook_that_brings_our_word_back(shop: Shop) -> None:
    """P13: subscribed once, whatever how often; a notice without the word is refused."""
    for _ in range(2):
        connect(shop).subscribe("http://127.0.0.1/hooks/shop-kz")
    assert shop.hooks == [
        {"active": True, "to": "http://127.0.0.1/hooks/shop-kz", "on": topic, "headers": {"x-own": "word-7"}}
        for topic in ("order/made", "order/paid")
    ]
    body = b'{"on": "order/paid", "data": {"id": 2}}'
    request = Request(method="POST", url="/", query={}, headers={"x-own": "word-7"}, body=body, at=datetime.now(UTC))
    (notice,) = connect(shop).receive(request).notices
    assert (notice.resource, notice.id) == ("orders", "2")
    forged = Request(method="POST", url="/", query={}, headers={"x-own": "no"}, body=body, at=request.at)
    with pytest.raises(Forged):
        connect(shop).receive(forged)


@pytest.mark.parametrize(
    ("described", "says"),
    [
        ({"subscribe": {"url": "to"}}, "`call` is missing"),
        ({"subscribe": {"call": "POST hooks"}}, "should be METHOD and path"),
        ({"subscribe": {"call": "POST /hooks", "topics": "x"}}, "did you mean `topic`"),
        ({"subscribe": {"call": "POST /hooks", "body": "x"}}, "body: should be a map"),
        ({"verified": {"when": "2026-11", "contrct": "x"}}, "should be texts under when, contract"),
        ({"verified": {"contract": "x"}}, "`when` is missing"),
        ({"defaults": {"itms": "x"}}, "did you mean `items`"),
    ],
)
def test_a_mistake_names_its_place(shop: Shop, described: dict[str, Any], says: str) -> None:
    """Before the first request."""
    with pytest.raises(Misconfigured, match="shop-kz: platforms/") as caught:
        connect(shop, **described)
    assert says in str(caught.value)
