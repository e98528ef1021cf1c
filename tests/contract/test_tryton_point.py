"""Which receipts of a till are read again when something beside them changed."""

from __future__ import annotations

from connectors.tryton_facts import FIELDS, TILL, WATCHES, named_by


def test_the_receipts_paid_into_a_drawer_are_read_again_when_it_is_closed() -> None:
    """A session that was closed names the receipts of its payments, each once; an empty one names none."""
    (_, session) = WATCHES["receipts"]
    paid = [{"id": 1, "sale": 7}, {"id": 2, "sale": 8}, {"id": 3, "sale": 7}]
    rows = [{"id": 31, "payments": paid}, {"id": 32, "payments": []}, {"id": 0, "payments": [{"id": 4, "sale": 0}]}]
    assert named_by(rows, session.names) == [7, 8, 0]


def test_a_till_reads_what_the_erp_has_and_its_receipts() -> None:
    """Each resource is watched and has fields, so that it can be read."""
    assert set(TILL) <= set(WATCHES)
    assert set(TILL) <= set(FIELDS)
    assert TILL["receipts"].create is None
