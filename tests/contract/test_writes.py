"""How a page of writes is cut, sent and judged, where the subject's platform makes a difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from connectors.base import Receipt, Resource, Write
from connectors.errors import Misconfigured, RetryLater
from connectors.writes import filled, holds, placed
from tests.contract.generic_rest_simulator import Described, Shelf
from tests.contract.harness import SPREAD, Call, Fault, Reply
from tests.retailer import until


class AllOrNothing(Shelf):
    """Refuses a whole batch when one of its rows is bad, as some shops do."""

    def handle(self, call: Call) -> Reply:
        if call.path == "/things/batch" and any(row["doc"].get("price") == "abc" for row in call.json["items"]):
            return Reply(status=400, body={"error": {"code": "bad_price", "message": "one of them"}})
        return super().handle(call)


def created(n: int, doc: Mapping[str, Any] | None = None, **more: Any) -> Write:
    return Write(key=f"k-{n}", op="create", doc=dict(doc or {"title": f"new {n}"}), **more)


@pytest.fixture
def subject() -> Described:
    return Described("cursor")


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = AllOrNothing("cursor")
    with shelf.running():
        yield shelf


@given(bad=st.sets(st.integers(0, 9)))
def test_a_batch_refused_as_a_whole_still_rejects_only_the_bad(bad: set[int]) -> None:
    """P6, P2: halves find the bad ones; every good one is created exactly once."""
    subject, shelf = Described("cursor"), AllOrNothing("cursor")
    with shelf.running():
        writes = [created(n, {"title": str(n), "price": "abc" if n in bad else "1"}) for n in range(10)]
        receipts = list(subject.connect(shelf).write("things", writes))
        assert [receipt.outcome for receipt in receipts] == ["rejected" if n in bad else "applied" for n in range(10)]
        assert sorted(int(doc["title"]) for doc in shelf.rows.values()) == sorted(set(range(10)) - bad)


def test_receipts_before_a_throttled_half_are_not_lost(subject: Described, shelf: Shelf) -> None:
    """P2: when halves are sent and the second is throttled, the first has its receipts and is not sent again."""
    writes = [created(0), created(1), created(2, {"price": "abc"}), created(3)]
    slow = Reply(status=429, headers={"Retry-After": "2"})
    shelf.befall(Fault(reply=Reply(status=400)))
    receipts: list[Receipt] = []
    rest = subject.connect(shelf).write("things", writes)
    receipts += [next(rest), next(rest)]
    shelf.befall(Fault(reply=slow))
    with pytest.raises(RetryLater) as caught:
        receipts.extend(rest)
    assert caught.value.after == 2
    assert [receipt.outcome for receipt in receipts] == ["applied", "applied"]
    assert len(shelf.rows) == 2


def test_after_a_time_out_the_rest_is_not_sent(shelf: Shelf) -> None:
    """P3: one silent request is enough to know; what has no receipt was not sent and may go again."""
    subject = Described("link")  # writes one by one
    shelf = Shelf("link")
    with shelf.running():
        connector = subject.connect(shelf, timeout=0.2)
        shelf.befall(Fault(reply=Reply(body={}), carried_out=True, delay=0.8))
        receipts: list[Receipt] = []
        with pytest.raises(RetryLater):
            receipts.extend(connector.write("things", [created(n) for n in range(5)]))
        until(lambda: shelf.calls)
        assert len(shelf.calls) == 1


def test_one_failing_document_does_not_stop_the_others_but_an_outage_does(subject: Described) -> None:
    """P6, P14: a 500 for one is unknown and the next is sent; a second in a row is the platform's trouble."""
    subject, shelf = Described("link"), Shelf("link")
    with shelf.running():
        shelf.befall(Fault(reply=Reply(status=500)))
        receipts = list(subject.connect(shelf).write("things", [created(n) for n in range(3)]))
        assert [receipt.outcome for receipt in receipts] == ["unknown", "applied", "applied"]
        shelf.befall(*[Fault(reply=Reply(status=503))] * 9)
        rest = subject.connect(shelf).write("things", [created(n) for n in range(9)])
        assert [next(rest).outcome, next(rest).outcome] == ["unknown", "unknown"]
        with pytest.raises(RetryLater):
            next(rest)


@pytest.mark.parametrize("style", ["cursor", "link"])
def test_a_write_that_expects_an_older_version_is_rejected(style: str) -> None:
    """P5: the platform compares, alone and in a batch; without an expectation nothing is compared."""
    subject, shelf = Described(style), Shelf(style)
    with shelf.running():
        (id,) = subject.seed(shelf, SPREAD[:1])
        connector = subject.connect(shelf)
        outcomes = []
        for expected in ("1", "1", None, "3"):
            write = Write(key="k", op="update", id=id, doc={"title": f"for {expected}"}, expected=expected)
            outcomes += list(connector.write("things", [write]))
        assert [receipt.outcome for receipt in outcomes] == ["applied", "rejected", "applied", "applied"]
        assert "another version" in outcomes[1].detail


def test_an_answer_that_promises_to_do_it_later_is_accepted_with_its_ticket(subject: Described) -> None:
    """P3: accepted is neither applied nor unknown; it is settled by our reference."""
    subject, shelf = Described("link"), Shelf("link")
    with shelf.running():
        shelf.befall(Fault(reply=Reply(status=202, body={"ticket": "job-7"})))
        connector = subject.connect(shelf)
        (receipt,) = connector.write("things", [created(1)])
        assert (receipt.outcome, receipt.ticket) == ("accepted", "job-7")
        (early,) = connector.settle("things", [created(1, ticket="job-7")])
        assert early.detail.startswith("not found")
        shelf.put({"title": "new 1", "reference": "k-1"}, SPREAD[0])
        (settled,) = connector.settle("things", [created(1, ticket="job-7")])
        assert settled.outcome == "applied"


def test_a_platform_that_ignores_the_reference_filter_does_not_pass_for_ours(subject: Described, shelf: Shelf) -> None:
    """P2: trap 7: an unknown filter is silently ignored, and the first stranger would count as our document."""
    stranger = {"id": "9", "reference": "somebody else's", "stamp": "2026-03-01T09:00:00Z"}
    shelf.befall(Fault(reply=Reply(body={"items": [stranger], "next": None})))
    (settled,) = subject.connect(shelf).settle("things", [created(1)])
    assert (settled.outcome, settled.id) == ("rejected", None)


def test_a_reference_that_the_mapping_wrote_is_the_one_looked_for(subject: Described, shelf: Shelf) -> None:
    """P2: looking for our key instead would find nothing and create the order twice."""
    connector = subject.connect(shelf)
    write = created(1, {"title": "x", "reference": "order 1001"})
    (receipt,) = connector.write("things", [write])
    (settled,) = connector.settle("things", [write])
    assert (settled.outcome, settled.id) == ("applied", receipt.id)


def test_deletes_are_sent_without_a_body_and_settled_by_absence(subject: Described) -> None:
    """P10: gone is applied, still there may be sent again."""
    for style in ("cursor", "link"):
        subject, shelf = Described(style), Shelf(style)
        with shelf.running():
            first, second = subject.seed(shelf, SPREAD[:2])
            connector = subject.connect(shelf)
            (receipt,) = connector.write("things", [Write(key="d", op="delete", id=first, doc={})])
            assert receipt.outcome == "applied"
            assert list(shelf.rows) == [second]
            gone, there = connector.settle(
                "things", [Write(key=id, op="delete", id=id, doc={}) for id in (first, second)]
            )
            assert (gone.outcome, there.outcome) == ("applied", "rejected")


def test_the_idempotency_key_goes_with_the_write(subject: Described) -> None:
    """P2: where the platform knows such a header, a repetition is recognised; the id is quoted into the path."""
    subject, shelf = Described("link"), Shelf("link")
    with shelf.running():
        connector = subject.connect(shelf)
        list(connector.write("things", [created(1)]))
        assert shelf.calls[-1].headers["idempotency-key"] == "k-1"
        (receipt,) = connector.write("things", [Write(key="u", op="update", id="t/001", doc={"title": "x"})])
        assert receipt.outcome == "applied"
        assert shelf.calls[-1].path == "/things/t%2F001"


def test_an_operation_the_platform_does_not_offer_is_named() -> None:
    """A description without `delete` refuses it before anything is sent."""
    subject, shelf = Described("link"), Shelf("link")
    with shelf.running():
        connector = subject.connect(shelf)
        row = connector.resources["things"]
        connector.resources = {"things": Resource(path=row.path, paging=row.paging, items="")}
        with pytest.raises(Misconfigured, match="`delete: METHOD path`"):
            list(connector.write("things", [Write(key="d", op="delete", id="1", doc={})]))
        assert shelf.calls == []


def test_a_batch_answered_with_another_number_of_rows_is_unknown(subject: Described, shelf: Shelf) -> None:
    """P3: rows that cannot be laid beside their writes say nothing of them."""
    shelf.befall(Fault(reply=Reply(body={"results": [{"status": 201}]}), carried_out=True))
    receipts = list(subject.connect(shelf).write("things", [created(n) for n in range(3)]))
    assert [receipt.outcome for receipt in receipts] == ["unknown"] * 3


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_a_document_holds_what_was_sent_to_it(value: Any) -> None:
    """P3: and whatever else the platform keeps beside it."""
    assert holds(value, value)
    assert holds({"a": value, "more": 1}, {"a": value})


def test_numbers_are_the_same_however_they_are_written() -> None:
    """P7: text or number, with or without zeros; true is not 1 and null is not empty."""
    assert holds("7.50", Decimal("7.5"))
    assert holds(7, "7.00")
    for doc, sent in ((True, 1), (0, False), (None, ""), ("", None), ("007x", "7"), ([1, 2], [1]), ({}, {"a": None})):
        assert not holds(doc, sent)


def test_our_reference_takes_its_place_without_touching_the_document() -> None:
    """P2: nested, beside what stands there; a value the mapping set itself stays."""
    doc = {"properties": {"amount": 1}}
    assert placed(doc, ["properties", "external_id"], "k") == {"properties": {"amount": 1, "external_id": "k"}}
    assert placed({"reference": "mine"}, ["reference"], "k") == {"reference": "mine"}
    assert placed({"reference": ""}, ["reference"], "k") == {"reference": "k"}
    assert doc == {"properties": {"amount": 1}}
    assert filled("PATCH /things/{id}", "a/b?c=ü") == ("PATCH", "/things/a%2Fb%3Fc%3D%C3%BC")
