"""How lists continue and end: each style as a pure function, and the windows that go with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from connectors import paging, window
from connectors.base import Resource
from connectors.errors import Misconfigured, ShapeChanged
from connectors.scan import request
from tests.contract.generic_rest_simulator import Described, Shelf
from tests.contract.harness import EARLY, Fault, FixedClock, Reply, read_all


def turned(body: Any, *, docs: int = 1, headers: Mapping[str, str] | None = None) -> paging.Turned:
    return paging.Turned(docs=[{"id": n} for n in range(docs)], body=body, headers=headers or {})


def facts(paging_style: str, **options: str) -> Resource:
    return Resource(path="/things", paging=paging_style, paging_options=options, page_size=3)


@pytest.mark.parametrize("token", [0, "0", "false", " "])
def test_a_token_that_looks_empty_does_not_end_the_list(token: Any) -> None:
    """P1, P7: only null and "" end it."""
    assert paging.cursor({}, turned({"next_cursor": token}), facts("cursor")) == {"limit": "3", "cursor": str(token)}
    for end in (None, ""):
        assert paging.cursor({}, turned({"next_cursor": end}), facts("cursor")) is None


def test_a_missing_end_mark_is_an_error_unless_the_platform_omits_it() -> None:
    """P1: a renamed field would otherwise end every scan after its first page."""
    for style in ("cursor", "next_url"):
        with pytest.raises(ShapeChanged, match="absent: end"):
            paging.STYLES[style]({}, turned({"renamed": "x"}), facts(style))
        assert paging.STYLES[style]({}, turned({"renamed": "x"}), facts(style, absent="end")) is None


def test_a_promise_of_more_without_a_token_is_an_error() -> None:
    """P1: the two marks contradict each other."""
    with pytest.raises(ShapeChanged, match="more pages"):
        paging.cursor({}, turned({"more": True, "next_cursor": None}), facts("cursor", more="more"))


@pytest.mark.parametrize("style", ["page", "offset", "keyset"])
def test_a_short_page_does_not_end_the_list(style: str) -> None:
    """P1: a platform may send fewer rows than it was asked for; only its word or an empty page ends the list."""
    first = paging.STYLES[style](None, None, facts(style))
    assert paging.STYLES[style](first, turned([], docs=1), facts(style)) is not None
    assert paging.STYLES[style](first, turned([], docs=0), facts(style)) is None


@given(
    st.lists(st.sampled_from(["first", "last", "prev"]), max_size=3),
    st.sampled_from(['rel="next"', "rel=next", 'rel="prev next"', "REL=Next", 'title="a, b"; rel="next"']),
)
def test_the_next_link_is_found_among_others(others: list[str], relation: str) -> None:
    """RFC 8288: any order, quoted or not, several relations in one."""
    links = [f'<https://shop.example/{name}?a=1,2>; rel="{name}"' for name in others]
    header = ", ".join([*links, f"<https://shop.example/n?page=2>; {relation}"])
    found = paging.link({}, turned([], headers={"link": header}), facts("link"))
    assert found == {"url": "https://shop.example/n?page=2"}
    assert paging.link({}, turned([], headers={"link": ", ".join(links)}), facts("link")) is None


def test_a_platform_that_ignores_the_position_is_an_error_not_an_endless_scan() -> None:
    """P1, P14: the same page again, or a token that was there before, stops the scan."""
    subject = Described("page")
    simulator = subject.simulator()
    with simulator.running():
        connector = subject.connect(simulator)
        same = Reply(body={"items": [{"id": "1", "stamp": "2026-03-01T09:00:00Z"}], "pages": 9})
        simulator.befall(*[Fault(reply=same)] * 5)
        with pytest.raises(ShapeChanged, match="repeats a page"):
            list(connector.read("things"))
    subject = Described("cursor")
    simulator = subject.simulator()
    with simulator.running():
        connector = subject.connect(simulator)
        pages = [{"items": [{"id": str(n), "stamp": None}], "next": token} for n, token in enumerate("abcab")]
        simulator.befall(*[Fault(reply=Reply(body=page)) for page in pages])
        with pytest.raises(ShapeChanged, match="repeats a page"):
            list(connector.read("things"))


@pytest.mark.parametrize(
    "address", ["http://evil.example/v1/things", "//evil.example/x", "http://127.0.0.1:1/v1/things"]
)
def test_a_next_page_on_another_host_never_gets_our_credential(address: str) -> None:
    """P13: it is an error that names both."""
    subject = Described("next_url")
    simulator = subject.simulator()
    with simulator.running():
        connector = subject.connect(simulator)
        simulator.befall(Fault(reply=Reply(body={"value": [{"id": "1"}], "@next": address})))
        with pytest.raises(ShapeChanged, match="another host"):
            list(connector.read("things"))


def test_a_position_the_platform_forgot_restarts_its_window() -> None:
    """P15: a token that expired overnight costs a second reading, not a person's time; the window stays the same."""
    subject = Described("cursor")
    simulator = subject.simulator()
    with simulator.running():
        ids = subject.seed(simulator, [EARLY + timedelta(minutes=n) for n in range(7)])
        page = next(iter(subject.connect(simulator).read("things")))
        stale = {**page.cursor, "position": {"cursor": "bm90IG1pbmU="}}
        simulator.befall(Fault(reply=Reply(status=410, body={"error": {"message": "this cursor has expired"}})))
        assert read_all(subject.connect(simulator), subject, stale)[0] == ids
        simulator.befall(*[Fault(reply=Reply(status=410))] * 2)
        with pytest.raises(Misconfigured, match="410"):
            list(subject.connect(simulator).read("things", stale))


def test_a_later_page_goes_alone_where_the_platform_wants_it_so() -> None:
    """Some platforms refuse a filter beside a page token."""
    row = Resource(
        path="/things", since="since", params={"status": "any"}, paging_options={"alone": "true"}, page_size=3
    )
    state = window.Window(since=EARLY)
    assert request(row, state, {"limit": "3"}, row.params)[1] == {
        "status": "any", "since": "2026-03-01T08:59:55Z", "limit": "3",
    }  # fmt: skip
    assert request(row, window.Window(since=EARLY, position={"cursor": "x"}), {"cursor": "x"}, row.params)[1] == {
        "cursor": "x"
    }


def test_a_stamp_is_asked_for_in_the_notation_the_platform_writes() -> None:
    """Epoch seconds, epoch milliseconds, ISO with any offset: the bound is never later than the stamp."""
    at = datetime(2026, 3, 1, 9, 0, 0, 999_999, tzinfo=UTC)
    assert window.written(at, "unix") == "1772355600"
    assert window.written(at, "unix_ms") == "1772355600999"
    assert window.moment(1772355600) == window.moment("2026-03-01T14:00:00+05:00") == window.moment(1772355600000)
    assert window.moment(Decimal("1772355600.5")) == datetime(2026, 3, 1, 9, 0, 0, 500_000, tzinfo=UTC)
    unreadable: list[Any] = ["", "yesterday", None, True, [], {}, Decimal("NaN"), Decimal("1E+40"), 10**30]
    for nonsense in unreadable:
        assert window.moment(nonsense) is None


@settings(max_examples=25, deadline=None)
@given(
    style=st.sampled_from(["cursor", "page", "offset", "keyset", "link", "next_url"]),
    history=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 90), st.booleans()), min_size=1, max_size=12),
)
def test_whatever_changes_between_and_during_scans_is_read_in_the_end(
    style: str, history: list[tuple[int, int, bool]]
) -> None:
    """P1: rows appear and change, between pages too; one quiet scan later, the newest state of every row was read."""
    subject = Described(style)
    simulator = subject.simulator()
    with simulator.running():
        connector = subject.connect(simulator)
        clock = connector.ports.clock
        assert isinstance(clock, FixedClock)
        clock.at = EARLY
        subject.seed(simulator, [EARLY] * 4)
        read: dict[str, int] = {}

        def edit(row: int) -> None:
            ids = sorted(simulator.rows)
            if row < len(ids):
                subject.touch(simulator, ids[row], clock.at)
            else:
                subject.seed(simulator, [clock.at])

        cursor = None
        for row, seconds, in_scan in [*history, (99, 0, False)]:
            clock.at += timedelta(seconds=seconds)
            if row != 99 and not in_scan:
                edit(row)
            for page in connector.read("things", cursor):
                cursor = page.cursor
                read.update({doc["id"]: max(doc["revision"], read.get(doc["id"], 0)) for doc in page.docs})
                if in_scan and row != 99 and style == "keyset":
                    # Only a keyset survives edits in mid-scan; in the others rows shift, which reconcile heals.
                    clock.at += timedelta(seconds=1)
                    edit(row)
                    in_scan = False
        assert read == {id: doc["revision"] for id, doc in simulator.rows.items()}
        assert isinstance(simulator, Shelf)
