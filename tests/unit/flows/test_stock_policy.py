"""policies/stock.yaml: allocation, cap and presets, and what lint says of rows that cannot hold together."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from flows.policies import Example, cohorts, run, sources, stock
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
    rows = {name: (file, row) for name, row in file.data.items()}
    sets = cohorts.read(rows)
    found = stock.read(rows, CHANNELS, errors, sets)
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


COHORTS = """\
cohorts: {clearance: {skus: [OLD-1]}, coming: {field: {listing: back_order}}, tea: {category: tea}}
shop:
  locations: [wh]
  share: 0.6
  safety: 1
  cohorts: {clearance: {safety: 0, share: 0.9}, coming: {listing: back_order, within: 30d}}
market: {locations: [wh], share: 0.1, cohorts: {tea: {listing: pre_order, on: "2026-05-01"}}}
"""


def test_a_row_of_a_cohort_says_what_differs_and_the_rest_is_the_channels(tmp_path: Path) -> None:
    """P8: one set of articles, defined once; its tests in the file say for which article they ask."""
    found, wrong = read(tmp_path, COHORTS)
    assert wrong == []

    def shows(**given: object) -> dict[str, object]:
        return dict(stock.example(found, {"sellable": {"wh": 10}, **given}))

    assert shows() == shows(article={"sku": "NEW-1"}) == {"shop": {"wh": 5}, "market": {"wh": 1}}
    assert shows(article={"sku": "OLD-1"})["shop"] == {"wh": 9}
    comes = {"inbound": [{"on": "2026-03-20", "units": 10}, {"on": "2026-04-20", "units": 90}], "today": "2026-03-01"}
    coming = shows(article={"sku": "X", "fields": {"listing": "back_order"}}, back_orders=5, **comes)
    assert coming["shop"] == {"units": 5 + 3, "available_on": "2026-03-20"}
    tea = shows(article={"sku": "X", "category": "tea"}, **comes)
    assert tea["market"] == {"units": 1 + 10, "available_on": "2026-05-01"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shop: {locations: [wh], share: 1, cohorts: {clearence: {safety: 0}}}", "1: unknown-cohort"),
        ("cohorts: {a: {skus: [X]}, b: {skus: [X, Y]}}", "1: overlapping-cohorts"),
        ("cohorts: {a: {category: tea}, b: {category: [cups, tea]}}", "1: overlapping-cohorts"),
        ("cohorts: {a: {}}", "1: cohort"),
        ("cohorts: {a: {sku: [X]}}", "1: unknown-key"),
        ("cohorts: {a: {skus: [X]}}\nshop: {locations: [wh], share: 0.5, cohorts: {a: {locations: [st]}}}",
         "2: unknown-key"),
        ("cohorts: {a: {skus: [X]}}\nshop: {locations: [wh], share: 0.5, cohorts: {a: {safety: -1}}}", "2: safety"),
        ("cohorts: {a: {skus: [X]}}\nshop: {locations: [wh], share: 0.5, cohorts: {a: {allocation: hard}}}",
         "2: allocation"),
        ("cohorts: {a: {skus: [X]}}\nshop: {locations: [wh], share: 0.5, cohorts: {a: {share: 0.8}}}\n"
         "market: {locations: [wh], share: 0.5}", "2: shares"),
        ("shop: {locations: [wh], share: 1, listing: later}", "1: listing"),
        ("shop: {locations: [wh], share: 1, listing: pre_order}", "1: on"),
        ("shop: {locations: [wh], share: 1, listing: pre_order, on: soon}", "1: on"),
        ("shop: {locations: [wh], share: 1, within: 30d}", "1: within"),
        ("shop: {locations: [wh], share: 1, listing: back_order, within: 2h}", "1: within"),
    ],
)
def test_a_cohort_or_a_promise_that_cannot_hold_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    """P8: a name nobody defined, an article in two sets, a day that is none."""
    assert read(tmp_path, text)[1] == [says]


ROWS = """\
sources:
  erp: {figure: on_hand, restocks: serai, fresh: 15m, dead_after: 4, dead: minus_expected_sales, counting: lower}
pos: {till: {posts_to_erp: per_shift, silent_after: 2h, silent: zero}}
units: {till: require, "*": warn}
"""


def test_rows_of_sources_and_tills_are_tested_in_their_file_too(tmp_path: Path) -> None:
    """P7: what a figure contains, what a silent one counts, who posts a receipt: each expectation can fail."""
    path = tmp_path / "stock.yaml"
    path.write_text(ROWS, encoding="utf-8")
    file = SettingsFile(path, tmp_path)
    found = sources.read({name: (file, row) for name, row in file.data.items()}, ("erp", "till"), file.errors)
    assert file.errors == []
    assert (found.naming("till"), found.naming("shop")) == ("require", "warn")

    def came(given: dict[str, object], expect: dict[str, object]) -> bool:
        example = Example(policy="counting", file="stock.yaml", line=1, name="x", given=given, expect=expect)
        return run(example, found).ok

    erp = {"source": "erp", "figure": 10, "per_hour": 2}
    assert came({**erp, "age": "1h"}, {"counts": 10, "contains": {"confirmed": False, "shipped": True}})
    assert came({**erp, "age": "61m"}, {"counts": 7, "gives_back": False})
    assert came({**erp, "before": 8}, {"counts": 8})
    assert came({"pos": "till", "figure": 10, "age": "3h"}, {"counts": 0, "posted_by_us": False})
    assert not came({**erp, "age": "1h"}, {"counts": 9})
    assert not came({**erp}, {"contains": {"confirmed": True}})


def test_a_level_that_is_none_or_of_nobody_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stock.yaml"
    path.write_text("units: {till: strict, shpo: warn}\n", encoding="utf-8")
    file = SettingsFile(path, tmp_path)
    sources.read({name: (file, row) for name, row in file.data.items()}, ("till",), file.errors)
    assert [error.code for error in file.errors] == ["units", "unknown-channel"]
