"""Two documents of one thing make one record, and a record merged away is answered by its survivor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from registry import (
    RecordRow,
    Registry,
    Tx,
    claim_keys,
    drop_keys,
    keys_of,
    linked,
    lock_records,
    new_uids,
    open_registry,
    own_key,
    owners,
    put_links,
    put_records,
    records,
    records_by_field,
    records_where,
    resolve,
    set_people,
)


def put(tx: Tx, *uids: str, entity: str = "variant", **values: object) -> None:
    put_records(tx, [RecordRow(uid=uid, entity=entity, values=values) for uid in uids])


def together(*works: Callable[[], object]) -> list[BaseException]:
    """Runs them in threads; what they raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 — handed to the test
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def test_the_first_to_claim_a_key_owns_it(reg: Registry) -> None:
    """P2: everybody is told the same owner of a key, whoever asks."""
    with reg.write() as tx:
        assert claim_keys(tx, [("variant", "sku", "A", "u1"), ("variant", "gtin", "A", "u1")]) == {
            ("variant", "sku", "A"): "u1",
            ("variant", "gtin", "A"): "u1",
        }
        assert claim_keys(tx, [("variant", "sku", "A", "u2"), ("variant", "sku", "B", "u2")]) == {
            ("variant", "sku", "A"): "u1",
            ("variant", "sku", "B"): "u2",
        }
        assert owners(tx, [("product", "sku", "A"), ("variant", "gtin", "B"), ("variant", "sku", "B")]) == {
            ("variant", "sku", "B"): "u2"
        }
        assert keys_of(tx, ["u1", "u3"]) == {"u1": [("variant", "gtin", "A"), ("variant", "sku", "A")], "u3": []}
        assert drop_keys(tx, [("variant", "sku", "A"), ("variant", "sku", "C")]) == 1
        assert keys_of(tx, ["u1"]) == {"u1": [("variant", "gtin", "A")]}


def test_a_key_being_claimed_makes_the_second_wait_and_adopt(reg: Registry) -> None:
    """P2: the loser of the race waits for the winner's commit and works with the winner's record."""
    inside, told = threading.Event(), threading.Event()
    seen: dict[str, str] = {}

    def first() -> None:
        with reg.write() as tx:
            seen["first"] = claim_keys(tx, [("variant", "sku", "A", "u1")])["variant", "sku", "A"]
            inside.set()
            assert not told.wait(0.3), "the second was told an owner before the first had committed"

    def second() -> None:
        inside.wait(10)
        with reg.write() as tx:
            seen["second"] = claim_keys(tx, [("variant", "sku", "A", "u2")])["variant", "sku", "A"]
            told.set()

    assert together(first, second) == []
    assert seen == {"first": "u1", "second": "u1"}


def test_two_pages_of_the_same_records_in_opposite_order_queue(reg: Registry) -> None:
    """P1: rows are locked in uid order, so two pages that meet never deadlock and lose no update."""
    uids = new_uids(40)
    with reg.write() as tx:
        put(tx, *uids, n=0)

    def page(order: list[str]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(15):
                with reg.write() as tx:  # not `attempt`: a deadlock would surface here
                    held = lock_records(tx, order)
                    rows = [RecordRow(uid=u, entity="variant", values={"n": held[u].values["n"] + 1}) for u in order]
                    put_records(tx, rows)

        return run

    assert together(page(uids), page(uids[::-1]), page(uids[20:] + uids[:20])) == []
    with reg.read() as tx:
        assert {found.values["n"] for found in records(tx, uids).values()} == {45}


def test_a_record_keeps_its_birthday(reg: Registry) -> None:
    """P11: when a record was first known stays known."""
    with reg.write() as tx:
        put(tx, "a", sku="A")
    with reg.write() as tx:
        born = records(tx, ["a"])["a"].created_at
        put(tx, "a", sku="B")
        found = records(tx, ["a"])["a"]
        assert (found.created_at, found.values, found.entity) == (born, {"sku": "B"}, "variant")
        assert found.changed_at > born


def test_references_are_those_of_the_last_values(reg: Registry) -> None:
    """P1: dependents are found by every reference that a record now has, and by none that it had."""
    with reg.write() as tx:
        put(tx, "s1", "s2", entity="bundle")
        refers = [("s1", "variant", "v1"), ("s2", "variant", "v1"), ("s1", "location", "l")]
        put_links(tx, [(uid, "bundle", name, target) for uid, name, target in refers])
        assert linked(tx, "bundle", "variant", ["v1", "v2"]) == {"v1": ["s1", "s2"], "v2": []}
        put_links(tx, [("s1", "bundle", "variant", "v2")], of=["s1", "s2"])
        assert linked(tx, "bundle", "variant", ["v1", "v2"]) == {"v1": [], "v2": ["s1"]}
        assert linked(tx, "bundle", "location", ["l"]) == {"l": []}
        assert [found.uid for found in records_by_field(tx, "bundle", "variant", ["v2"])["v2"]] == ["s1"]


def test_what_is_made_of_others_is_found_by_them(reg: Registry) -> None:
    """P2: the stock of a variant at a location is one record, found by both, whatever its neighbours are called."""
    with reg.write() as tx:
        made = {"s1": ("v1", "l1"), "s2": ("v1", "l2"), "s3": ("v10", "l1"), "s4": ("v", "l1"), "s5": ("v1", None)}
        put_records(tx, [
            RecordRow(uid=uid, entity="stock", values={}, key=own_key("stock", {"variant": v, "location": place}, uid))
            for uid, (v, place) in made.items()
        ], new=True)
        put_records(tx, [RecordRow(uid="p", entity="price", values={}, key="v1@retail")])
        found = linked(tx, "stock", "variant", ["v1", "v10", "v2"])
        assert found == {"v1": ["s1", "s2", "s5"], "v10": ["s3"], "v2": []}
        assert linked(tx, "stock", "location", ["l1", "l2"]) == {"l1": ["s1", "s3", "s4"], "l2": ["s2"]}
        assert [one.uid for one in records_by_field(tx, "price", "variant", ["v1"])["v1"]] == ["p"]
        wanted = [("stock", "variant@location", "v1@l2"), ("stock", "variant@location", "v2@l1"),
                  ("price", "variant@list", "v1@retail")]
        assert owners(tx, wanted) == {wanted[0]: "s2", wanted[2]: "p"}


def test_changing_a_record_keeps_its_own_key(reg: Registry) -> None:
    """P2: a new figure does not make the stock record forget what it is the stock of."""
    with reg.write() as tx:
        put_records(tx, [RecordRow(uid="s", entity="stock", values={"n": 1}, key="v@l")], new=True)
        put_records(tx, [RecordRow(uid="s", entity="stock", values={"n": 2})])
        assert linked(tx, "stock", "variant", ["v"]) == {"v": ["s"]}
        put_records(tx, [RecordRow(uid="s", entity="stock", values={"n": 2}, key="w@l")])
        assert linked(tx, "stock", "variant", ["v", "w"]) == {"v": [], "w": ["s"]}


def test_of_two_pages_that_make_the_same_record_one_is_run_again(postgres_url: str) -> None:
    """P2: what was new when it was looked for and is not when it is stored makes the page begin anew."""
    reg = open_registry(postgres_url)
    turns = []

    def page(tx: Tx) -> str:
        turns.append(1)
        found = owners(tx, [("stock", "variant@location", "v@l")])
        if len(turns) == 1:
            with reg.write() as other:
                put_records(other, [RecordRow(uid="first", entity="stock", values={}, key="v@l")], new=True)
        if not found:
            put_records(tx, [RecordRow(uid="second", entity="stock", values={}, key="v@l")], new=True)
        return next(iter(found.values()), "second")

    assert reg.attempt(page) == "first"
    assert len(turns) == 2
    reg.close()


def test_a_record_that_stands_for_another_answers_for_it(reg: Registry) -> None:
    """P1: by uid, by lock and in lists; apart again, each answers for itself."""
    with reg.write() as tx:
        put(tx, "old", "new", "s", entity="customer")
        set_people(tx, {"old": "new"})
    with reg.write() as tx:
        assert resolve(tx, ["old", "new", "s"]) == {"old": "new", "new": "new", "s": "s"}
        assert {asked: found.uid for asked, found in lock_records(tx, ["old"]).items()} == {"old": "new"}
        assert sorted(found.uid for found in records_where(tx, "customer")) == ["new", "s"]
        set_people(tx, {"old": "old"})
        assert resolve(tx, ["old"]) == {"old": "old"}


def test_uids_are_unique_and_sort_by_age() -> None:
    """P1: a uid is 32 hex digits, later ones sort after earlier ones."""
    before = datetime.now(UTC)
    uids = new_uids(5_000)
    assert len(set(uids)) == 5_000
    assert all(len(uid) == 32 and int(uid, 16) >= 0 for uid in uids)
    assert uids == sorted(uids)
    assert abs(int(uids[0][:12], 16) / 1000 - before.timestamp()) < 5
