"""Which record a document is about."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from mappings.commerce.match import classify, email, keys, phone, similar


@pytest.mark.parametrize(
    ("entity", "values", "expected"),
    [
        ("variant", {"sku": "007", "gtin": "4006381333931"}, [("sku", "007"), ("gtin", "04006381333931")]),
        ("variant", {"sku": "7", "gtin": "4006381333932"}, [("sku", "7")]),
        ("variant", {"sku": "8", "gtin": "2000000000015"}, [("sku", "8")]),
        ("variant", {"sku": "", "gtin": None}, []),
        ("product", {"code": "KTL-101", "name": "Kettle"}, [("code", "KTL-101")]),
        ("location", {"code": "almaty-wh"}, [("code", "almaty-wh")]),
        (
            "customer",
            {"name": "A", "email": " Айгүл@Example.KZ ", "phone": "8 (701) 123-45-67"},
            [("email", "айгүл@example.kz"), ("phone", "+77011234567")],
        ),
        ("customer", {"name": "A", "email": None}, []),
        ("stock", {"variant": "v1", "location": "l1"}, [("variant@location", "v1@l1")]),
        ("stock", {"variant": "v1", "location": None}, []),
        ("price", {"variant": "v1", "list": "retail"}, [("variant@list", "v1@retail")]),
        ("order", {"number": "1001"}, [("origin", "shop-kz:40001")]),
        ("shipment", {"number": "D1", "order": "o1"}, [("origin", "shop-kz:40001")]),
    ],
)
def test_the_keys_of_each_entity(entity: str, values: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert keys(entity, values, "shop-kz", "40001", country="KZ") == expected


def test_the_same_order_number_on_two_channels_is_two_orders() -> None:
    """P2: an order is known by its origin and id only; numbers repeat between shops."""
    same = {"number": "1001"}
    assert not set(keys("order", same, "shop-a", "1")) & set(keys("order", same, "shop-b", "1"))


def test_a_sku_is_compared_as_exact_text() -> None:
    """P7: leading zeros, case and spaces tell articles apart."""
    spellings = ["007", "7", "07", "ab", "AB", " ab"]
    found = [tuple(keys("variant", {"sku": sku}, "c", "1")) for sku in spellings]
    assert len(set(found)) == len(spellings)


@pytest.mark.parametrize(
    ("written", "country"),
    [
        ("8 (701) 123-45-67", "KZ"),
        ("+7 701 123 45 67", None),
        ("7011234567", "KZ"),
        ("87011234567", "KZ"),
        ("+77011234567", "BG"),
    ],
)
def test_one_phone_however_it_is_written(written: str, country: str | None) -> None:
    assert phone(written, country) == "+77011234567"


@pytest.mark.parametrize("text", ["", "0", "12", "no phone", None, 77011234567, "+7 701 123"])
def test_what_is_no_phone_is_no_key(text: object) -> None:
    assert phone(text, "KZ") is None


def test_a_number_without_prefix_needs_a_country() -> None:
    assert phone("87011234567") is None


@pytest.mark.parametrize("text", ["", " ", "@", "a@", "@b", "a@b@c", "a b@c.kz", None, 5])
def test_what_is_no_address_is_no_key(text: object) -> None:
    assert email(text) is None


@given(st.emails() | st.text(min_size=1).map(lambda text: text + "@Example.KZ"))
def test_normalising_an_address_twice_changes_nothing(text: str) -> None:
    once = email(text)
    assert once is None or email(once) == once


def test_composed_and_decomposed_letters_are_one_address() -> None:
    assert email("Jose\u0301@example.com") == email("jos\u00e9@EXAMPLE.com")


SKU, GTIN = ("sku", "A-1"), ("gtin", "04006381333931")


def test_all_known_keys_lead_to_one_record() -> None:
    match = classify([SKU, GTIN], {SKU: "u1", GTIN: "u1"})
    assert (match.kind, match.uid, match.because) == ("exact", "u1", "same sku and gtin")
    assert classify([SKU, GTIN], {GTIN: "u1"}).uid == "u1"


def test_keys_that_lead_to_two_records_are_left_to_a_person() -> None:
    match = classify([SKU, GTIN], {SKU: "u1", GTIN: "u2"}, label="Kettle", candidates={"u3": "Kettle"})
    assert (match.kind, match.uid, match.uids) == ("ambiguous", None, ("u1", "u2"))


def test_a_similar_name_proposes_and_never_decides() -> None:
    match = classify([SKU], {}, label="Kettle red", candidates={"u1": "Red KETTLE", "u2": "Toaster"})
    assert (match.kind, match.uid, match.uids, match.score) == ("fuzzy", None, ("u1",), 1.0)
    assert classify([SKU], {}, label="Pan", candidates={"u1": "Red KETTLE"}).kind == "none"
    assert classify([], {}).because == "the document has no key"


def test_names_are_compared_across_scripts_best_first() -> None:
    candidates = {"u1": "TEFAL Chaynik, 1.7", "u2": "Tefal pan", "u3": "Ковёр"}
    assert similar("Чайник Tefal 1.7", candidates) == [("u1", 1.0)]
    assert similar("", candidates) == []
    assert similar("!?", {"u1": "!?"}) == []


@given(st.text(), st.text())
def test_similarity_is_symmetric_and_between_0_and_1(one: str, other: str) -> None:
    forward = similar(one, {"u": other}, at_least=0)
    assert forward == similar(other, {"u": one}, at_least=0)
    assert 0 <= forward[0][1] <= 1
