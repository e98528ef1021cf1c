"""Products: identifiers that name goods, a channel's own content over the master, and what a listing still lacks."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings.commerce.products import (
    Attribute,
    Listing,
    Requirement,
    gtin,
    listed,
    missing,
    mpn,
    rating,
    restricted,
    worldwide,
)
from mappings.commerce.products.categories import attributes_of, category_of
from mappings.commerce.products.content import CONTENT_FIELDS
from mappings.commerce.products.reviews import published


def with_check_digit(body: str) -> str:
    total = sum(int(digit) * (3 if position % 2 == 0 else 1) for position, digit in enumerate(reversed(body)))
    return body + str(-total % 10)


BODIES = st.sampled_from([7, 11, 12, 13]).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n))


@given(BODIES)
def test_a_code_with_its_check_digit_is_a_gtin_and_any_other_last_digit_is_not(body: str) -> None:
    code = with_check_digit(body)
    if not code.strip("0"):
        assert gtin(code) is None
        return
    assert gtin(code) == code.zfill(14)
    assert all(gtin(body + digit) is None for digit in "0123456789" if digit != code[-1])


def test_codes_of_different_length_are_one_article() -> None:
    assert gtin("4006381333931") == gtin("04006381333931")
    assert gtin("٤٠٠٦٣٨١٣٣٣٩٣١") is None


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ("200000000001", True), ("299999999999", True), ("021234500000", True), ("041234500000", True),
        ("990000000000", True), ("300000000000", False), ("487000100001", False), ("19487000100001"[:13], False),
        ("0212345", True), ("2012345", True), ("4012345", False), ("03600029145", False), ("21234567890", True),
    ],
)  # fmt: skip
def test_a_number_that_only_one_shop_understands_names_no_goods_elsewhere(body: str, own: bool) -> None:
    code = with_check_digit(body)
    whole = gtin(code)
    assert whole is not None
    assert restricted(whole) is own
    assert (worldwide(code) is None) is own


@given(BODIES)
def test_whether_a_number_is_a_shops_own_does_not_depend_on_how_many_zeros_lead_it(body: str) -> None:
    code = with_check_digit(body)
    if gtin(code) is not None:
        assert worldwide(code) == worldwide(code.zfill(14))


@pytest.mark.parametrize(
    ("text", "number"),
    [("KTL-17", "KTL-17"), ("  A  1 ", "A 1"), ("007", "007"), ("n/a", None), ("-", None), ("", None), (None, None),
     ("НЕТ", None), ("0", None), ("x" * 71, None), ("x" * 70, "x" * 70), ("A\x07", None), (7, None)],
)  # fmt: skip
def test_a_word_that_stands_for_none_is_no_part_number(text: Any, number: str | None) -> None:
    assert mpn(text) == number


MASTER: Mapping[str, Any] = {
    "uid": "p1", "code": "KTL", "name": "Чайник", "description": "Медный", "brand": "Karavan", "category": "Чайники",
    "category_path": ["Дом", "Кухня", "Чайники"], "images": ["https://img.example/1.jpg"], "status": "active",
    "attributes": {"цвет": "красный", "wattage": "0"},
    "content": [
        {"key": "shop-kz", "name": "Чайник «Алатау»", "images": ["https://img.example/shop.jpg"], "description": None},
        {"key": "kk", "name": "Шәйнек", "description": "Мыс", "attributes": [{"key": "цвет", "value": "қызыл"}]},
    ],
}  # fmt: skip


def test_a_channels_own_words_win_then_its_language_then_the_master() -> None:
    """The first row that says something wins, field by field; what no row says is the master's."""
    shown = listed("shop-kz", {"product": MASTER}, Listing(content=("shop-kz", "kk")))
    product = shown.records["product"]
    assert (product["name"], product["description"], product["brand"]) == ("Чайник «Алатау»", "Мыс", "Karavan")
    assert product["images"] == ["https://img.example/shop.jpg"]
    assert product["attributes"] == {"цвет": "қызыл", "wattage": "0"}
    assert "content" not in product
    assert shown.because["product.name"] == "content shop-kz"
    assert shown.because["product.description"] == "content kk"


def test_without_a_policy_a_channel_has_its_own_row_and_else_sees_the_master() -> None:
    assert listed("shop-kz", {"product": MASTER}, Listing()).records["product"]["name"] == "Чайник «Алатау»"
    plain = listed("pos-kz", {"product": MASTER}, Listing()).records["product"]
    assert plain == {name: value for name, value in MASTER.items() if name != "content"}


def test_the_policy_says_which_fields_a_channel_may_say_in_its_own_words() -> None:
    shown = listed("shop-kz", {"product": MASTER}, Listing(content=("kk",), over=("description",)))
    assert (shown.records["product"]["name"], shown.records["product"]["description"]) == ("Чайник", "Мыс")


ROWS = st.lists(
    st.fixed_dictionaries(
        {"key": st.sampled_from(["a", "b", "c"])},
        optional={"name": st.none() | st.text(max_size=3), "description": st.none() | st.sampled_from(["", "0", "x"])},
    ),
    max_size=4, unique_by=lambda row: row["key"],
)  # fmt: skip


@settings(max_examples=60)
@given(ROWS, st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3), st.text(max_size=2))
def test_every_shown_field_is_what_the_first_row_with_a_value_says(
    rows: list[dict[str, Any]], order: list[str], master: str
) -> None:
    """Formula: field(c) = the first non-null row's, else the master's; a zero and an empty text are values (P7)."""
    product = {"uid": "p", "code": "1", "name": master, "description": None, "content": rows}
    shown = listed("a", {"product": product}, Listing(content=tuple(order))).records["product"]
    by_key = {row["key"]: row for row in rows}
    for name in ("name", "description"):
        said = [by_key[key].get(name) for key in order or ["a"] if key in by_key]
        expected = next((one for one in said if one is not None), product[name])
        assert shown[name] == expected
    again = listed("a", {"product": shown}, Listing(content=tuple(order))).records["product"]
    assert again == shown, "laying over twice changes nothing"
    assert set(CONTENT_FIELDS) >= {"name", "description"}


def test_a_category_is_its_own_row_else_that_of_the_narrowest_category_above() -> None:
    table = {"Дом": "1", "Кухня": "2"}
    assert category_of("Чайники", ["Дом", "Кухня", "Чайники"], table) == "2"
    assert category_of("Чайники", ["Дом", "Кухня", "Чайники"], {**table, "Чайники": "0"}) == "0"
    assert category_of("Ковры", [], table) is None


def test_what_a_table_misses_keeps_the_listing_back_and_names_the_row_to_add() -> None:
    policy = Listing(categories={"Ковры": "9"}, attributes={"цвет": Attribute(name="color", values={"синий": "blue"})})
    shown = listed("feed", {"product": MASTER}, policy)
    assert [(one.where, one.remedy) for one in shown.missing] == [
        ("product.category", "add it to policies/products.yaml: feed: categories"),
        ("product.attributes.цвет", "add it to policies/products.yaml: feed: attributes: цвет: values"),
    ]
    assert shown.records["product"]["category"] is None, "our own word never goes out in the place of the channel's"
    assert all("красный" not in one.what for one in shown.missing), "a value is nobody's business here (P13)"


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(["a", "b", "color"]), st.none() | st.sampled_from(["1", "2", "3"])))
def test_an_attribute_goes_under_the_channels_name_in_whatever_order_they_come(own: dict[str, Any]) -> None:
    table = {"a": Attribute(name="color", values={"1": "one", "2": "two"})}
    found, gaps = attributes_of(own, table)
    assert attributes_of(dict(reversed(own.items())), table) == (found, gaps)
    assert gaps == ([("a", "3")] if own.get("a") == "3" else [])
    assert found.get("b") == own.get("b")
    if own.get("a") in ("1", "2"):
        assert found["color"] == {"1": "one", "2": "two"}[own["a"]]
    elif "a" not in own and "color" in own:
        assert found["color"] == own["color"]


REQUIRED = (
    Requirement(paths=("product.description",), longest=10, plain=True),
    Requirement(paths=("variant.gtin", "variant.mpn")),
    Requirement(paths=("variant.images", "product.images")),
    Requirement(paths=("product.attributes.size",), when={"product.category": ("Обувь",)}),
)
READY: Mapping[str, Any] = {
    "product": {"description": "Медный", "category": "Чайники", "images": ["https://img.example/1.jpg"]},
    "variant": {"gtin": None, "mpn": "KTL-17", "images": None},
}


def test_a_complete_listing_lacks_nothing() -> None:
    assert missing(READY, REQUIRED) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"product.description": ""}, "product.description is empty"),
        ({"product.description": "x" * 11}, "product.description has 11 characters, at most 10 are taken"),
        ({"product.description": "<b>x</b>"}, "product.description holds HTML, plain text is taken"),
        ({"variant.mpn": "n/a"}, "one of variant.gtin, variant.mpn is needed: variant.gtin is empty; "
                                 "variant.mpn is no part number"),
        ({"variant.mpn": None, "variant.gtin": "4006381333932"},
         "one of variant.gtin, variant.mpn is needed: variant.gtin is no GTIN: length or check digit is wrong; "
         "variant.mpn is empty"),
        ({"product.images": ["1.jpg"]}, "one of variant.images, product.images is needed: variant.images is empty; "
                                        "product.images is no address"),
        ({"product.images": []}, "one of variant.images, product.images is needed: variant.images is empty; "
                                 "product.images is empty"),
        ({"product.category": "Обувь"}, "product.attributes.size is empty"),
    ],
)  # fmt: skip
def test_what_a_listing_lacks_is_named_with_its_place_and_remedy(change: dict[str, Any], what: str) -> None:
    record = {entity: dict(values) for entity, values in READY.items()}
    for path, value in change.items():
        entity, _, name = path.partition(".")
        record[entity][name] = value
    (found,) = missing(record, REQUIRED)
    assert found.what == what
    assert found.where in what
    assert found.remedy


def test_a_zero_and_false_are_values_and_not_missing() -> None:
    """P7: nothing tests a business value for truthiness."""
    for value in ("0", 0, False, Decimal(0)):
        assert missing({"product": {"attributes": {"wattage": value}}},
                       [Requirement(paths=("product.attributes.wattage",))]) == []


VALUES = st.none() | st.sampled_from(["", "x", "https://a.example/1"]) | st.lists(st.just("https://a.example/1"))


@settings(max_examples=80)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "link", "images"]), VALUES),
    st.lists(st.lists(st.sampled_from(["a", "b", "link", "images"]), min_size=1, max_size=2, unique=True), max_size=4),
)
def test_a_value_that_comes_never_makes_a_listing_less_ready(values: dict[str, Any], rules: list[list[str]]) -> None:
    """Formula: ready ⇔ each requirement has a path without a fault; filling an empty path removes entries only."""
    requirements = [Requirement(paths=tuple(f"product.{name}" for name in names)) for names in rules]
    before = missing({"product": values}, requirements)
    for name in ("a", "b", "link", "images"):
        if values.get(name) in (None, "", []):
            filled = {**values, name: ["https://a.example/1"] if name == "images" else "https://a.example/1"}
            after = missing({"product": filled}, requirements)
            assert {one.where for one in after} <= {one.where for one in before}
            filled_rules = [rule for rule in requirements if f"product.{name}" in rule.paths]
            assert missing({"product": filled}, filled_rules) == []


def test_a_rating_is_the_mean_of_what_is_published_to_one_decimal() -> None:
    reviews: list[dict[str, Any]] = [
        {"rating": "5", "at": "2026-03-01T09:00:00Z", "status": "published"},
        {"rating": "4", "at": "2026-03-02T09:00:00Z", "status": None},
        {"rating": "4.5", "at": "2026-03-03T09:00:00Z"},
        {"rating": "1", "at": "2026-03-04T09:00:00Z", "status": "hidden"},
        {"rating": "1", "at": "2026-03-05T09:00:00Z", "status": "pending"},
    ]
    assert rating(reviews) == (Decimal("4.5"), 3)
    assert rating(reviews[:2] + reviews[1:2]) == (Decimal("4.3"), 3)
    assert rating([]) == (None, 0), "nobody said anything: that is no rating of 0"
    assert [one["rating"] for one in published(reviews)] == ["4.5", "4", "5"]
