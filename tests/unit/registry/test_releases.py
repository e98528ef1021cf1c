"""Releases are kept by content; a copy of a registry shows one moment and leaves the original alone."""

from __future__ import annotations

from sqlalchemy import func, select

from registry import (
    BindingRow,
    DueRow,
    RecordRow,
    Registry,
    Tx,
    bindings,
    consent,
    content_hash,
    copied,
    encode,
    mark_due,
    modes,
    new_uids,
    newest_release,
    outbox_rows,
    put_bindings,
    put_channels,
    put_documents,
    put_records,
    put_release,
    records,
    registry_mark,
    release_texts,
    released_before,
    settle_release,
)
from registry.tables import document, release_text

ONE = {"project/authority.yaml": "product: {'*': [erp]}\n", "mappings/shop/products.yaml": "тест\n"}
TWO = {**ONE, "mappings/shop/products.yaml": "other\n"}


def test_a_release_gives_back_its_texts_and_the_newest_is_in_force(reg: Registry) -> None:
    """P12: what runs is what was released, to the letter."""
    with reg.read() as tx:
        assert newest_release(tx) is None
        assert released_before(tx) is None
    first = reg.attempt(lambda tx: put_release(tx, ONE, "Aigerim", "first"))
    second = reg.attempt(lambda tx: put_release(tx, TWO, "Aigerim", "second"))
    with reg.read() as tx:
        assert newest_release(tx) == second
        assert release_texts(tx, first) == ONE
        assert release_texts(tx, second) == TWO
        assert (first.number, second.number) == (1, 2)
    assert (first.content, second.content) == (content_hash(ONE), content_hash(TWO))
    assert (second.who, second.because, second.settled_at) == ("Aigerim", "second", None)


def test_the_same_content_is_released_once_and_an_earlier_one_may_come_back(reg: Registry) -> None:
    """A repeated apply makes no second release; going back makes one, and stores no text again."""
    numbers = []
    for texts in (ONE, ONE, TWO, ONE):
        with reg.write() as tx:
            numbers.append(put_release(tx, texts, "Aigerim", "").number)
    assert numbers == [1, 1, 2, 3]
    with reg.read() as tx:
        assert tx.rows(select(func.count()).select_from(release_text))[0][0] == 3


def test_a_release_counts_as_reached_only_when_it_is_settled(reg: Registry) -> None:
    """P15: after a killed apply the one before is what plans compare with."""
    one = reg.attempt(lambda tx: put_release(tx, ONE, "Aigerim", ""))
    reg.attempt(lambda tx: settle_release(tx, one.number))
    two = reg.attempt(lambda tx: put_release(tx, TWO, "Aigerim", ""))
    with reg.read() as tx:
        reached = released_before(tx)
    assert reached is not None
    assert reached.number == 1
    reg.attempt(lambda tx: settle_release(tx, two.number))
    with reg.read() as tx:
        first = released_before(tx)
    reg.attempt(lambda tx: settle_release(tx, two.number))
    with reg.read() as tx:
        assert released_before(tx) == first
    assert first is not None
    assert first.number == 2


def test_a_copy_shows_what_decides_and_what_is_tried_on_it_stays_in_it(reg: Registry) -> None:
    """P12: the original keeps every row as it was; documents and lineage are not copied."""
    uid, other = new_uids(2)
    due: DueRow = ("shop", "product", uid, None, False, None)

    def fill(tx: Tx) -> None:
        put_channels(tx, [("shop", "medusa", "kz", {"product": "on"})])
        consent(tx, "shop", "product", "Aigerim")
        put_records(tx, [RecordRow(uid=uid, entity="product", values={"name": "Чайник"})])
        put_bindings(tx, [
            BindingRow(channel="shop", entity="product", external_id="7", uid=uid, told={"title": "Чайник", "n": 0}),
        ])
        put_documents(tx, [("shop", "products", "7", b"{}", reg.now())])
        mark_due(tx, [due])

    reg.attempt(fill)
    with copied(reg) as copy:
        with copy.read() as tx, reg.read() as original:
            assert records(tx, [uid])[uid].values == {"name": "Чайник"}
            held, kept = (bindings(t, "shop", [("product", "7")])["product", "7"] for t in (tx, original))
            assert held.row() == kept.row()
            assert outbox_rows(tx) == outbox_rows(original)
            assert modes(tx) == {("shop", "product"): "on"}
            assert tx.rows(select(func.count()).select_from(document))[0][0] == 0
        copy.attempt(lambda tx: put_records(tx, [RecordRow(uid=other, entity="product", values={})]))
        assert abs((copy.now() - reg.now()).total_seconds()) < 5
    with reg.read() as tx:
        assert records(tx, [other]) == {}
        assert encode(records(tx, [uid])[uid].values) == encode({"name": "Чайник"})


def test_two_registries_are_told_apart(reg: Registry) -> None:
    """A plan made against one is not for the other, however alike their channels are."""
    with reg.read() as tx:
        assert registry_mark(tx) == ""
    reg.attempt(lambda tx: put_channels(tx, [("shop", "medusa", "kz", {})]))
    with reg.read() as tx:
        mark = registry_mark(tx)
    reg.attempt(lambda tx: put_channels(tx, [("shop", "medusa", "kz", {}), ("till", "pos", "kz", {})]))
    with reg.read() as tx:
        assert registry_mark(tx) == mark != ""
