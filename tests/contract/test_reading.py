"""What every connector promises of reading and fetching, asked of each in front of a platform that behaves."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from connectors.base import Connector
from connectors.errors import Misconfigured, ShapeChanged
from tests.contract.harness import (
    EARLY,
    SPREAD,
    Call,
    Fault,
    FixedClock,
    Reply,
    Simulator,
    Subject,
    ids_of,
    read_all,
)


def test_every_row_of_every_page_comes_once(subject: Subject, simulator: Simulator, connector: Connector) -> None:
    """P1: nothing lost, on several pages."""
    seeded = subject.seed(simulator, SPREAD)
    pages = list(connector.read(subject.resource))
    assert len([page for page in pages if page.docs]) >= 2
    assert sorted(id for page in pages for id in ids_of(connector, subject, page.docs)) == sorted(seeded)


def test_an_empty_platform_is_one_empty_last_page(subject: Subject, simulator: Simulator, connector: Connector) -> None:
    """P1: an empty page ends the scan."""
    ids, last = read_all(connector, subject)
    assert ids == []
    assert last.last


def test_reading_resumes_after_any_page_with_the_same_rest(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P15: a cursor, stored as JSON and given to a fresh connector, continues where it stood."""
    subject.seed(simulator, SPREAD)
    pages = list(connector.read(subject.resource))
    for index, page in enumerate(pages[:-1]):
        stored = json.loads(json.dumps(page.cursor))
        rest, _ = read_all(subject.connect(simulator), subject, stored)
        assert rest == [id for later in pages[index + 1 :] for id in ids_of(connector, subject, later.docs)]


def test_only_changes_are_read_and_the_window_survives_paging(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P1: the window of a scan for changes holds on its second page too, also after a restart in between."""
    old = subject.seed(simulator, SPREAD)
    _, last = read_all(connector, subject)
    if "since" in subject.lacks:
        assert connector.resources[subject.resource].since is None, subject.lacks["since"]
        assert sorted(read_all(connector, subject, last.cursor)[0]) == sorted(old)
        return
    lag = timedelta(seconds=connector.resources[subject.resource].lag)
    later = SPREAD[-1] + lag + timedelta(minutes=5)
    changed = old[:4]
    for id in changed:
        subject.touch(simulator, id, later)
    boundary = {old[-1]}  # re-read, because it stands at the watermark
    first = next(iter(connector.read(subject.resource, last.cursor)))
    rest, _ = read_all(subject.connect(simulator), subject, first.cursor)
    found = ids_of(connector, subject, first.docs) + rest
    assert sorted(set(found) - boundary) == sorted(changed)
    assert len(found) == len(set(found))


def test_rows_sharing_the_boundary_stamp_are_read_again_not_lost(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P1: a row written in the watermark's own instant, after it was read, is found."""
    if "since" in subject.lacks:
        return  # every read is a full scan, as the test before this one asserts
    subject.seed(simulator, SPREAD)
    _, last = read_all(connector, subject)
    late = subject.seed(simulator, [SPREAD[-1]])
    ids, _ = read_all(connector, subject, last.cursor)
    assert set(late) <= set(ids)


def test_rows_committed_late_behind_the_watermark_are_found(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P1: a stamp is often the start of a transaction; the overlap of ``lag`` seconds finds what committed later."""
    lag = connector.resources[subject.resource].lag
    if "since" in subject.lacks or lag < 1:
        assert connector.resources[subject.resource].since is None, "without a lag, late rows are lost"
        return
    subject.seed(simulator, SPREAD)
    _, last = read_all(connector, subject)
    late = subject.seed(simulator, [SPREAD[-1] - timedelta(seconds=int(lag) - 1)])
    ids, _ = read_all(connector, subject, last.cursor)
    assert set(late) <= set(ids)


def test_a_row_stamped_in_the_future_does_not_hide_later_changes(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P1: the watermark never passes the moment the scan began."""
    if "since" in subject.lacks:
        return  # no watermark to pass
    old = subject.seed(simulator, [*SPREAD, EARLY + timedelta(days=3650)])
    _, last = read_all(connector, subject)
    subject.touch(simulator, old[0], EARLY + timedelta(hours=2))
    ids, _ = read_all(connector, subject, last.cursor)
    assert old[0] in ids


def test_a_change_during_the_scan_is_found_by_the_next(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P1: a row that changed after its page was read, before a newer one was read, is not behind the watermark."""
    if "since" in subject.lacks:
        return  # the next scan reads everything
    clock = connector.ports.clock
    assert isinstance(clock, FixedClock)
    clock.at = SPREAD[-1] + timedelta(minutes=1)
    old = subject.seed(simulator, SPREAD)
    scan = connector.read(subject.resource)
    pages = [next(scan)]
    subject.touch(simulator, old[0], clock.at + timedelta(seconds=20))
    subject.touch(simulator, old[-1], clock.at + timedelta(minutes=2))
    pages.extend(scan)
    ids, _ = read_all(connector, subject, pages[-1].cursor)
    assert old[0] in ids


def test_a_page_is_stamped_when_its_request_began(subject: Subject, simulator: Simulator, connector: Connector) -> None:
    """P5: what the platform changes while it answers is newer than the page."""
    subject.seed(simulator, SPREAD[:1])
    clock = connector.ports.clock
    assert isinstance(clock, FixedClock)
    answered = simulator.handle

    def slowly(call: Call) -> Reply:
        clock.at += timedelta(seconds=9)
        return answered(call)

    connector.check()
    began = clock.at
    simulator.handle = slowly  # type: ignore[method-assign]  # the platform takes its time
    page = next(iter(connector.read(subject.resource)))
    assert began <= page.asked_at <= clock.at - timedelta(seconds=9)


def test_a_missing_list_is_an_error_not_an_empty_page(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P1: an answer of another shape must never look like the end of the list."""
    subject.seed(simulator, SPREAD)
    simulator.befall(Fault(reply=subject.shapeless()))
    with pytest.raises(ShapeChanged, match="shop-kz"):
        list(connector.read(subject.resource))


@pytest.mark.parametrize(
    "raw",
    [b"<html>Please log in</html>", b"", b'{"items": [', b"[" * 50_000, b"\xff\xfe\x00"],
    ids=["html", "empty", "cut off", "too deep", "binary"],
)
def test_a_page_of_garbage_is_an_error_that_names_the_channel(
    subject: Subject, simulator: Simulator, connector: Connector, raw: bytes
) -> None:
    """P1: nothing of it is believed."""
    simulator.befall(Fault(reply=Reply(raw=raw)))
    with pytest.raises(ShapeChanged, match=r"^shop-kz: "):
        list(connector.read(subject.resource))


def test_an_answer_of_ten_megabytes_is_an_error_that_names_the_remedy(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """A platform gone wild does not fill the worker's memory."""
    simulator.befall(Fault(reply=Reply(raw=b"[" + b" " * 10_000_000 + b"]")))
    with pytest.raises(ShapeChanged, match=r"^shop-kz: .*largest_answer"):
        list(connector.read(subject.resource))


def test_fetch_answers_every_id_and_absent_is_none(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P10: None means that the platform says so, for each id asked for, also twice and among many."""
    seeded = subject.seed(simulator, SPREAD)
    absent = seeded[0][:-1] + ("8" if seeded[0][-1] != "8" else "7") if seeded[0][:-1] else "999"
    absent = absent if absent not in seeded else seeded[0] + "999"
    found = connector.fetch(subject.resource, [*seeded, absent, seeded[0]])
    assert set(found) == {*seeded, absent}
    assert found[absent] is None
    for id in seeded:
        doc = found[id]
        assert doc is not None
        assert ids_of(connector, subject, [doc]) == [id]
    assert connector.fetch(subject.resource, []) == {}


def test_a_forbidden_document_is_an_error_not_absent(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P10: a lost right must not look like a deletion."""
    seeded = subject.seed(simulator, SPREAD[:1])
    reply = Reply(status=403) if "forbidden" in subject.lacks else subject.denied(403, "things:read")
    simulator.befall(*[Fault(reply=reply)] * 3)
    with pytest.raises(Misconfigured):
        connector.fetch(subject.resource, seeded)
