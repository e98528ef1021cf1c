"""What every connector promises of writes: receipts in order, nothing twice, values exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.base import Connector, Doc, Receipt, Write
from connectors.errors import RetryLater
from tests.contract.harness import (
    SPREAD,
    Fault,
    Reply,
    Simulator,
    Subject,
    ids_of,
)


def create(key: str, doc: Doc, **given: Any) -> Write:
    return Write(key=key, op="create", doc=doc, **given)


def test_what_is_written_is_held_and_the_receipt_names_it(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P3: an applied receipt carries the id, and the document where the platform returns it."""
    writes = [create(f"k-{n}", subject.creation(n)) for n in range(6)]
    receipts = list(connector.write(subject.resource, writes))
    assert [receipt.outcome for receipt in receipts] == ["applied"] * 6
    assert sorted(str(receipt.id) for receipt in receipts) == sorted(subject.held(simulator))
    if connector.resources[subject.resource].returns_doc:
        docs = [receipt.doc for receipt in receipts if receipt.doc is not None]
        assert ids_of(connector, subject, docs) == [receipt.id for receipt in receipts]


def test_an_update_reaches_its_document_only(subject: Subject, simulator: Simulator, connector: Connector) -> None:
    """P2: one write, one document."""
    seeded = subject.seed(simulator, SPREAD)
    if "update" in subject.lacks:
        assert connector.resources[subject.resource].update is None, subject.lacks["update"]
        return
    before = {id: dict(doc) for id, doc in subject.held(simulator).items()}
    write = Write(key="k", op="update", id=seeded[2], doc=subject.change(simulator, seeded[2], 5))
    (receipt,) = connector.write(subject.resource, [write])
    assert (receipt.outcome, receipt.id) == ("applied", seeded[2])
    after = subject.held(simulator)
    assert [id for id in before if after[id] != before[id]] == [seeded[2]]


def test_receipts_come_in_order_also_when_some_are_rejected(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P6: one bad document never stops the others, and each gets its own receipt."""
    if "rejection" in subject.lacks:
        return  # declared; the platform accepts anything of the right shape
    docs = [subject.bad() if n in (1, 4) else subject.creation(n) for n in range(6)]
    receipts = list(connector.write(subject.resource, [create(f"k-{n}", doc) for n, doc in enumerate(docs)]))
    expected = ["applied", "rejected", "applied", "applied", "rejected", "applied"]
    assert [receipt.outcome for receipt in receipts] == expected
    assert len(subject.held(simulator)) == 4
    assert all(receipt.detail for receipt in receipts if receipt.outcome == "rejected")
    assert "ops@shop.example" not in receipts[1].detail


def test_a_document_that_json_cannot_carry_is_rejected_alone(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P6: an infinite number or half a character stops its own write only."""
    good = subject.creation(1)
    field = next(name for name, value in good.items() if isinstance(value, str))
    bad = {**subject.creation(2), field: "\ud800"}
    endless = {**subject.creation(3), field: Decimal("NaN")}
    writes = [create("a", good), create("b", bad), create("c", endless)]
    receipts = list(connector.write(subject.resource, writes))
    assert [receipt.outcome for receipt in receipts] == ["applied", "rejected", "rejected"]


@pytest.mark.parametrize("answer", ["time-out", "500", "broken", "garbage"])
def test_a_write_that_may_have_arrived_is_unknown_and_settled_by_our_reference(
    subject: Subject, simulator: Simulator, answer: str
) -> None:
    """P3: never rejected, never repeated blindly; `settle` finds it, exactly once, and sends nothing."""
    reply = {"500": Reply(status=500), "time-out": Reply(body={}), "garbage": Reply(raw=b"<html>")}.get(answer)
    connector = subject.connect(simulator, timeout=1 if answer == "time-out" else 30)
    connector.check()
    simulator.befall(Fault(reply=reply, carried_out=True, delay=2.0 if answer == "time-out" else 0.0))
    write = create("our-key-1", subject.creation(1))
    (receipt,) = connector.write(subject.resource, [write])
    assert receipt.outcome == "unknown"
    connector = subject.connect(simulator, timeout=30)
    (settled,) = connector.settle(subject.resource, [write])
    if "reference" in subject.lacks:
        assert settled.outcome == "unknown", subject.lacks["reference"]
        return
    assert settled.outcome == "applied"
    assert [settled.id] == list(subject.held(simulator))
    again = list(connector.write(subject.resource, [replace(write, attempt=2)]))
    assert [r.outcome for r in again] == ["applied"]
    assert len(subject.held(simulator)) == 1


def test_a_write_that_never_arrived_may_be_sent_again(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P3: "not found" with no id says so."""
    simulator.befall(Fault(reply=Reply(status=503)))
    write = create("our-key-2", subject.creation(1))
    (receipt,) = connector.write(subject.resource, [write])
    assert receipt.outcome == "unknown"
    (settled,) = connector.settle(subject.resource, [write])
    if "reference" in subject.lacks:
        assert settled.outcome == "unknown", subject.lacks["reference"]
        return
    assert (settled.outcome, settled.id) == ("rejected", None)
    assert settled.detail.startswith("not found")


@pytest.mark.parametrize("carried_out", [True, False])
def test_an_update_without_an_answer_is_settled_by_its_document(
    subject: Subject, simulator: Simulator, connector: Connector, carried_out: bool
) -> None:
    """P3: the document as the platform holds it tells whether the update arrived."""
    seeded = subject.seed(simulator, SPREAD[:2])
    if "update" in subject.lacks:
        return  # asserted above
    write = Write(key="k", op="update", id=seeded[1], doc=subject.change(simulator, seeded[1], 9))
    connector.check()
    simulator.befall(Fault(reply=Reply(status=500), carried_out=carried_out))
    (receipt,) = connector.write(subject.resource, [write])
    assert (receipt.outcome, receipt.id) == ("unknown", seeded[1])
    sent = len(simulator.work)
    (settled,) = connector.settle(subject.resource, [write])
    assert settled.outcome == ("applied" if carried_out else "rejected")
    assert all(call.method == "GET" for call in simulator.work[sent:]) or "rpc" in subject.lacks


def test_a_write_that_cannot_leave_is_not_unknown(subject: Subject, simulator: Simulator) -> None:
    """P3: what was certainly not sent may be sent again without looking."""
    away = subject.connect(simulator, url="http://127.0.0.1:9")
    with pytest.raises(RetryLater):
        list(away.write(subject.resource, [create("k", subject.creation(1))]))


def test_receipts_of_what_was_done_survive_a_later_refusal(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P2: when the platform throttles in mid-page, the writes without a receipt are exactly those not carried out."""
    writes = [create(f"k-{n}", subject.creation(n)) for n in range(10)]
    connector.check()
    receipts: list[Receipt] = []
    rest = connector.write(subject.resource, writes)
    receipts.append(next(rest))
    simulator.befall(Fault(reply=subject.throttled(3)))
    with pytest.raises(RetryLater):
        receipts.extend(rest)
    assert 1 <= len(receipts) < 10
    assert len(subject.held(simulator)) == len([r for r in receipts if r.outcome == "applied"]) == len(receipts)


def test_values_come_back_as_they_went_out(subject: Subject, simulator: Simulator, connector: Connector) -> None:
    """P7: 0, "", false, null, [], "007", "1E5", 0.10 and 2**53+1 survive, on the wire and back."""
    assert subject.exact
    (receipt,) = connector.write(subject.resource, [create("k", subject.with_exact(subject.exact))])
    assert receipt.outcome == "applied"
    assert receipt.id is not None
    fetched = connector.fetch(subject.resource, [receipt.id])[receipt.id]
    read = next(doc for page in connector.read(subject.resource) for doc in page.docs)
    for doc in (fetched, read):
        assert doc is not None
        found = subject.exact_of(doc)
        assert {n: (type(v), v, str(v)) for n, v in found.items()} == {
            n: (type(v), v, str(v)) for n, v in subject.exact.items()
        }
