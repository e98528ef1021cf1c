"""policies/stock.yaml: allocation, cap and presets, and what lint says of rows that cannot hold together."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from flows.policies import stock
from flows.setting_files import SettingsFile
from mappings.commerce.stock import StockPolicy
from mappings.language import LintError

CHANNELS = ("shop", "market", "fair")


def read(tmp_path: Path, text: str) -> tuple[dict[str, StockPolicy], list[str]]:
    """The policies, and the mistakes as ``line: code``."""
    path = tmp_path / "stock.yaml"
    path.write_text(text, encoding="utf-8")
    file = SettingsFile(path, tmp_path)
    errors: list[LintError] = file.errors
    found = stock.read({name: (file, row) for name, row in file.data.items()}, CHANNELS, errors)
    return found, [f"{error.line}: {error.code}" for error in errors]


def test_a_preset_is_a_word_for_allocation_share_and_safety_and_a_row_may_say_otherwise(tmp_path: Path) -> None:
    found, wrong = read(tmp_path, """\
shop: {locations: [wh], share: 0.6, preset: careful}
market: {locations: [wh], share: 0.4, preset: balanced, safety: 2, cap: 5}
fair: {locations: [yard], preset: sell-out}
""")
    assert wrong == []
    assert found["shop"] == StockPolicy(locations=("wh",), share=Decimal("0.6"), safety=1, allocation="hard")
    assert found["market"] == StockPolicy(
        locations=("wh",), share=Decimal("0.4"), safety=2, cap=5, allocation="hard"
    )
    assert found["fair"] == StockPolicy(locations=("yard",), share=Decimal(1), allocation="pooled")


def test_channels_that_pool_a_place_may_each_show_all_of_it(tmp_path: Path) -> None:
    found, wrong = read(tmp_path, """\
shop: {locations: [wh], share: 1, allocation: pooled}
market: {locations: [wh], share: 1, allocation: pooled}
""")
    assert wrong == []
    assert stock.example(found, {"sellable": {"wh": 7}}) == {"shop": {"wh": 7}, "market": {"wh": 7}}


def test_a_cap_is_the_most_that_is_shown_of_all_places_together(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "shop: {locations: [wh, store], share: 1, cap: 5}")
    for sellable in ({"wh": 9, "store": 9}, {"wh": 1, "store": 9}):
        assert sum(stock.example(found, {"sellable": sellable})["shop"].values()) == 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shop: {locations: [wh], share: 1, allocation: strict}", "1: allocation"),
        ("shop: {locations: [wh], preset: bold}", "1: preset"),
        ("shop: {locations: [wh], preset: careful}", "1: missing-key"),
        ("shop: {locations: [wh], share: 1, cap: -1}", "1: cap"),
        ("shop: {locations: [wh], share: 1, cap: true}", "1: cap"),
        ("shop: {locations: [wh], share: 0.5, allocation: hard}\nmarket: {locations: [wh], preset: sell-out}",
         "2: mixed-allocation"),
        ("shop: {locations: [wh], share: 0.7, allocation: hard}\nmarket: {locations: [wh], share: 0.7}", "1: shares"),
    ],
)
def test_a_row_that_cannot_hold_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    """P8: what would oversell, or means nothing, is a mistake before anything runs."""
    assert read(tmp_path, text)[1] == [says]
