"""What a channel said and was told comes back exactly, in a constant number of statements."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from registry import (
    BindingRow,
    DatabaseRefused,
    RecordRow,
    Registry,
    Unholdable,
    binding_for,
    bindings,
    bindings_of,
    bindings_where,
    decode,
    digest,
    documents,
    encode,
    new_uids,
    put_bindings,
    put_documents,
    put_records,
    records,
    refs_for,
    uids_for,
)

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=12)
ODD = st.sampled_from(["", "\\N", "\\.", "\\", "\t", "\r\n", "007", "1E5", "NULL", "'", '"', "\x01", "Қазақ", "𐍈", " "])
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(
        [0, 2**53 + 1, Decimal("0.10"), Decimal("-0.0"), Decimal("12.50"), Decimal("1E+5"), Decimal("3.00")]
    ),
)
VALUES = st.dictionaries(
    TEXT | ODD,
    st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXT | ODD,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=5,
)


def bound(external_id: str, uid: str | None = "u", **more: Any) -> BindingRow:
    return BindingRow(channel="erp", entity="stock", external_id=external_id, uid=uid, **more)


@pytest.mark.parametrize("filler", [0, 100], ids=["few rows", "by COPY"])
@given(ids=st.lists(TEXT | ODD, min_size=1, max_size=8, unique=True), values=VALUES, version=TEXT | ODD)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_comes_back_exactly(
    reg: Registry, filler: int, ids: list[str], values: dict[str, Any], version: str
) -> None:
    """P7: 0, "", false, null, absent, "007", "1E5", 2**53+1 and 0.10 survive the registry, whatever the key."""
    more = [bound(f"filler {n}") for n in range(filler)]
    with reg.write() as tx:
        put_bindings(tx, [*(bound(id, values=values, told=values, kept=values, version=version) for id in ids), *more])
        found = bindings(tx, "erp", [("stock", id) for id in ids])
    assert set(found) == {("stock", id) for id in ids}
    for binding in found.values():
        assert binding.values == binding.told == binding.kept == values
        assert encode(binding.values) == encode(values)  # 0.10 is not 0.1, true is not 1
        assert binding.version == version
        assert binding.values_hash == digest(encode(values))


@given(body=st.binary(max_size=700), version=st.none() | TEXT)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_document_comes_back_byte_for_byte(reg: Registry, body: bytes, version: str | None) -> None:
    """P1: what a channel sent can be mapped again, short or long, alone or in a page."""
    page = [("erp", "items", f"{n}", body if n % 2 else body * 3, NOON) for n in range(90)]
    with reg.write() as tx:
        put_documents(tx, page[:1])
        put_documents(tx, page)
        assert documents(tx, "erp", "items", ["0", "1", "none"]) == {"0": body * 3, "1": body}


@pytest.mark.parametrize("rows", [3, 100])
@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_a_text_no_database_holds_is_named_before_anything_is_written(reg: Registry, rows: int, text: str) -> None:
    """P6: the row is named, so that one bad record can be parked and the rest of its page stored."""
    page = [bound(f"{n}", version=text if n == 2 else "good") for n in range(rows)]
    with reg.write() as tx:
        with pytest.raises(Unholdable, match=r"binding\.version") as refused:
            put_bindings(tx, sorted(page, key=lambda row: row.external_id))
        assert tx.statements == 0
        put_bindings(tx, [row for row in page if row.version == "good"])
    assert sorted(row.external_id for row in page)[refused.value.row] == "2"
    with reg.read() as tx:
        assert len(bindings(tx, "erp", [("stock", row.external_id) for row in page])) == rows - 1


def test_a_page_larger_than_a_thousand_is_found_whole(reg: Registry) -> None:
    """P1: chunks of keys lose and repeat nothing."""
    uids = new_uids(2_345)
    keys = [("stock", f"e{n}") for n in range(len(uids))]
    with reg.write() as tx:
        put_bindings(tx, [bound(id, uid) for (_entity, id), uid in zip(keys, uids, strict=True)])
        put_records(tx, [RecordRow(uid=uid, entity="stock", values={}) for uid in uids])
        assert uids_for(tx, "erp", keys) == dict(zip(keys, uids, strict=True))
        assert set(records(tx, uids)) == set(uids)


@pytest.mark.parametrize("ids", [[""], ["", "a"], ["a\x1fb", "a", "b"], ["'", '"', "\\", "{a,b}", "NULL", "%s"]])
def test_a_document_is_found_whatever_its_id(reg: Registry, ids: list[str]) -> None:
    """P7: an id is text; nothing in it is taken for the end of it."""
    with reg.write() as tx:
        put_bindings(tx, [bound(id) for id in ids])
        put_bindings(tx, [bound("other")])
        assert set(bindings(tx, "erp", [("stock", id) for id in ids])) == {("stock", id) for id in ids}


def test_of_two_rows_with_one_key_the_last_counts(reg: Registry) -> None:
    """P6: a channel that lists a document twice on one page does not fail the page, on either dialect."""
    for filler in (0, 100):
        twice = [
            bound("same", values={"n": 1}),
            bound("same", values={"n": 2}),
        ]
        with reg.write() as tx:
            put_bindings(tx, [*twice, *(bound(f"f{n}") for n in range(filler))])
            assert bindings(tx, "erp", [("stock", "same")])["stock", "same"].values == {"n": 2}


def test_references_find_only_what_lives_on_that_channel(reg: Registry) -> None:
    """P1: a gone or unmatched document is nobody's reference; a binding of another channel or entity is not ours."""
    with reg.write() as tx:
        put_bindings(
            tx,
            [
                bound("live", "u1", kept={"listing": "L1"}),
                bound("gone", "u2", state="gone"),
                bound("new", None, state="unmatched"),
                BindingRow(channel="shop", entity="stock", external_id="other", uid="u1"),
                BindingRow(channel="erp", entity="variant", external_id="live", uid="u3"),
            ],
        )
        asked = [("stock", "live"), ("stock", "gone"), ("stock", "new"), ("stock", "absent")]
        assert uids_for(tx, "erp", asked) == {("stock", "live"): "u1"}
        assert refs_for(tx, "erp", [("stock", "u1"), ("stock", "u2"), ("price", "u1")]) == {
            ("stock", "u1"): ("live", {"listing": "L1"})
        }
        assert set(bindings(tx, "erp", asked)) == set(asked[:3])
        assert [at.channel for at in bindings_of(tx, ["u1", "u2"])["u1"]] == ["erp", "shop"]
        assert bindings_of(tx, ["u2"]) == {"u2": []}
        assert binding_for(tx, "shop", "stock", ["u1", "u3"])["u1"].external_id == "other"


def test_a_copied_binding_changes_only_what_is_said(reg: Registry) -> None:
    """P3: storing a receipt leaves the contribution and its stamps as they were."""
    since = encode({"$since": 7})
    first = bound("a", values={"q": Decimal("1.10")}, covers=since, asked_at=NOON, mapping_hash="m", resource="items")
    with reg.write() as tx:
        put_bindings(tx, [first])
        before = bindings(tx, "erp", [("stock", "a")])["stock", "a"]
        put_bindings(tx, [before.row(told={"quantity": 1}, told_at=NOON, pending=True)])
        after = bindings(tx, "erp", [("stock", "a")])["stock", "a"]
    assert (after.told, after.told_at, after.pending) == ({"quantity": 1}, NOON, True)
    assert after.told_hash == digest(encode({"quantity": 1}))
    for name in ("values", "values_hash", "changed", "asked_at", "mapping_hash", "resource", "kept", "state", "uid"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.changed == {"$since": 7, "q": 7}


def test_a_live_binding_always_names_its_record(reg: Registry) -> None:
    """P1: the database itself refuses a live binding that belongs to nothing."""
    with pytest.raises(DatabaseRefused, match="a_live_binding_names_its_record"), reg.write() as tx:
        put_bindings(tx, [bound("a", None, state="live")])


def test_paging_through_a_channel_shows_each_binding_once(reg: Registry) -> None:
    """P10: reconcile sees every binding once, in one order on both dialects."""
    ids = ["a", "B", "10", "9", "é", "_", "aa", "Z", ""]
    with reg.write() as tx:
        put_bindings(tx, [bound(id) for id in ids])
        seen = [at.external_id for at in bindings_where(tx, "erp", "stock", limit=4)]
        while page := bindings_where(tx, "erp", "stock", after=seen[-1], limit=4):
            seen += [at.external_id for at in page]
    assert seen == sorted(set(ids) - {""})


def test_what_is_no_number_is_refused_and_a_text_that_says_so_is_not() -> None:
    """P7: NaN has no JSON; a product may well be called so."""
    for number in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(ValueError, match="malformed"):
            encode({"amount": Decimal(number)})
    assert decode(encode({"name": "NaN Infinity"})) == {"name": "NaN Infinity"}
