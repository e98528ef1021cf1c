"""Modes, consent, audit, parked items, reservations, lineage, runs, tokens and the match report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from registry import (
    CandidateRow,
    HopRow,
    ParkedRow,
    Registry,
    RegistryError,
    RunRow,
    audit_rows,
    candidates,
    consent,
    consented,
    drop_candidates,
    hops_of,
    last_runs,
    load_tokens,
    modes,
    park,
    parked,
    parked_counts,
    paused,
    put_candidates,
    put_channels,
    put_hops,
    put_run,
    runs,
    set_mode,
    set_pause,
    swap_tokens,
    unpark,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_mode_changed_by_a_person_survives_the_next_start(reg: Registry) -> None:
    """P12: channels.yaml gives first modes only; a channel that vanishes keeps what is known of it."""
    shop = ("shop", "sandbox_shop", "kz", {"stock": "on", "price": "shadow"})
    with reg.write() as tx:
        put_channels(tx, [shop, ("erp", "sandbox_erp", "kz", {"stock": "on"})])
        set_mode(tx, "shop", "stock", "off", "Dana", "stock-taking")
        put_channels(tx, [(*shop[:3], {**shop[3], "product": "off"})])
        assert modes(tx) == {("shop", "stock"): "off", ("shop", "price"): "shadow", ("shop", "product"): "off"}
        put_channels(tx, [shop, ("erp", "sandbox_erp", "kz", {"stock": "off"})])
        assert modes(tx)["erp", "stock"] == "on"
        with pytest.raises(RegistryError, match="allowed are off, shadow, canary, on"):
            set_mode(tx, "shop", "stock", "maybe", "Dana", "?")


def test_every_decision_of_a_person_is_in_the_audit(reg: Registry) -> None:
    """P11: who, what, from what, to what, and why; the newest first."""
    with reg.write() as tx:
        put_channels(tx, [("shop", "sandbox_shop", "kz", {"stock": "shadow"})])
        set_mode(tx, "shop", "stock", "on", "Dana", "the report is clean")
        set_pause(tx, "shop", True, "Arman", "wrong prices")
        assert paused(tx) == {"shop"}
        set_pause(tx, "shop", False, "Arman", "mended")
        assert paused(tx) == set()
        consent(tx, "shop", "product", "Dana")
        consent(tx, "shop", "product", "Arman")
        assert consented(tx) == {("shop", "product")}
        assert [(row.who, row.what, row.because, row.before, row.after) for row in audit_rows(tx)] == [
            ("Dana", "creating product on shop", "the match report was accepted", None, "allowed"),
            ("Arman", "writes to shop", "mended", "paused", "writing"),
            ("Arman", "writes to shop", "wrong prices", "writing", "paused"),
            ("Dana", "mode of stock on shop", "the report is clean", "shadow", "on"),
        ]
        with pytest.raises(RegistryError, match="no such channel"):
            set_pause(tx, "nowhere", True, "Arman", "?")


def order(external_id: str, **more: object) -> ParkedRow:
    fields = {"channel": "shop", "entity": "order", "direction": "inward", "message": "unknown SKU", **more}
    return ParkedRow(external_id=external_id, **fields)  # type: ignore[arg-type]  # fields by name


def test_an_item_parked_again_is_one_item_that_says_what_is_wrong_now(reg: Registry) -> None:
    """P6: a person sees each bad record once, with its newest fault, first moment and number of times."""
    with reg.write() as tx:
        park(tx, [order("7", document=b"1", line=3), order("8")])
    with reg.write() as tx:
        park(tx, [order("7", message="no price", document=b"2", remedy="add one")])
        seven, eight = parked(tx)
        assert (seven.message, seven.document, seven.line, seven.remedy, seven.times) == (
            "no price", b"2", None, "add one", 2,
        )  # fmt: skip
        assert seven.first_at < seven.last_at
        assert (eight.times, eight.first_at) == (1, seven.first_at)
        assert parked_counts(tx) == {("shop", "order", "inward", "parked"): 2}
        assert unpark(tx, [seven.key, ("shop", "order", "9", "inward"), ("pos", "order", "8", "inward")]) == 1
        assert [item.external_id for item in parked(tx)] == ["8"]
        park(tx, [order("7")])
        assert next(item.times for item in parked(tx, "shop") if item.external_id == "7") == 1


def test_documents_without_an_id_are_parked_apart(reg: Registry) -> None:
    """P6: garbage that does not even reveal an id is kept, each once; an outward item is known by its record."""
    with reg.write() as tx:
        garbage = [
            ParkedRow(channel="shop", entity="order", direction="inward", message="m", document=body)
            for body in (b"a", b"b", b"a")
        ]
        park(tx, garbage)
        park(tx, [ParkedRow(channel="shop", entity="order", direction="outward", message="m", record_uid="u")])
        assert sorted(item.direction for item in parked(tx)) == ["inward", "inward", "outward"]
        assert unpark(tx, [("shop", "order", "u", "outward")]) == 1
        with pytest.raises(RegistryError, match="needs an external id"):
            park(tx, [ParkedRow(channel="shop", entity="order", direction="inward", message="m")])


def test_lineage_and_runs_are_shown_newest_first(reg: Registry) -> None:
    """P11: policy inputs come back exactly; a run that goes on is one row."""
    with reg.write() as tx:
        for n in range(3):
            hop = HopRow(
                uid="u", entity="price", channel="erp", direction="inward", policy={"share": Decimal("0.60"), "n": n}
            )
            put_hops(tx, [hop])
        found = hops_of(tx, "u", limit=2)
        assert [one.policy for one in found] == [{"share": Decimal("0.60"), "n": n} for n in (2, 1)]
        begun = [
            RunRow(
                run=f"r{n}", channel="erp", what="pull items", direction="inward", started_at=NOON + timedelta(hours=n)
            )
            for n in range(3)
        ]
        for row in begun:
            put_run(tx, row)
        counts = {"stock": {"created": 5}}
        done = replace(begun[1], ended_at=NOON, read=5, counts=counts, balanced=False, error="does not balance")
        put_run(tx, done)
        assert [one.run for one in runs(tx, "erp")] == ["r2", "r1", "r0"]
        assert runs(tx)[1] == done
        assert last_runs(tx)["erp", "pull items"].run == "r2"


def test_of_two_workers_that_renew_a_token_one_wins(reg: Registry) -> None:
    """P13: the second loads the first one's token instead of overwriting it."""
    with reg.write() as tx:
        assert load_tokens(tx, "shop") == (0, b"")
        assert swap_tokens(tx, "shop", 0, b"\x00sealed")
        assert not swap_tokens(tx, "shop", 0, b"other")
        assert load_tokens(tx, "shop") == (1, b"\x00sealed")
        assert swap_tokens(tx, "shop", 1, b"next")
        assert not swap_tokens(tx, "shop", 1, b"late")
        assert load_tokens(tx, "shop") == (2, b"next")


def test_the_match_report_says_the_last_that_was_found(reg: Registry) -> None:
    """First contact: each document stands once, with its newest verdict."""
    first = CandidateRow(
        channel="shop", entity="variant", external_id="1", kind="none", label="Kettle", values={"sku": "007"}
    )
    with reg.write() as tx:
        put_candidates(tx, [first, replace(first, channel="pos")])
        assert candidates(tx, "shop")[0].values == {"sku": "007"}
        put_candidates(tx, [replace(first, kind="fuzzy", uid="u", score=0.75, values=None)])
        (found,) = candidates(tx, "shop")
        assert (found.kind, found.uid, found.score, found.values) == ("fuzzy", "u", 0.75, None)
        assert [one.channel for one in candidates(tx, kinds=["none"])] == ["pos"]
        assert drop_candidates(tx, "shop", "variant", ["1", "2"]) == 1
        assert candidates(tx, "shop") == []
