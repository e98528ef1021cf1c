"""Marks of goods are opaque: whatever they hold, the separator U+001D too, comes back from every notation."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, strategies as st

from connectors.answers import decoded
from connectors.feed_formats import separated
from mappings.language.functions import FUNCTIONS
from registry import encode, records_where
from tests.databases import registry_url, sqlite_url  # noqa: F401 (fixtures)
from tests.unit.flows.stockroom import Stockroom, stockroom

SEPARATOR = "\x1d"
MARK = f"0104600439931256215Qbag!{SEPARATOR}93Zj\\qw,;\"'<&"
MARKS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1)
spelled: Any = FUNCTIONS["escape_controls"].run
read: Any = FUNCTIONS["unescape_controls"].run


@pytest.fixture
def room(tmp_path: Path, registry_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stockroom]:  # noqa: F811
    with stockroom(tmp_path, registry_url, monkeypatch) as found:
        yield found


def test_a_mark_that_was_read_is_the_mark_that_is_known(room: Stockroom) -> None:
    """P7: through the JSON of the platform, the mapping and either database."""
    line = {"n": "1", "units": [{"mark": MARK}]}
    (units,) = [row["units"] for row in decoded(encode({"rows": [line]}).encode())["rows"]]
    room.order("1", {"K": {"n": "1", "units": units}})
    with room.house.registry.read() as tx:
        (order,) = records_where(tx, "order")
    assert order.values["lines"][0]["units"] == [{"mark": MARK}]


@given(MARKS)
def test_a_mark_comes_back_from_json_and_csv_as_it_is(mark: str) -> None:
    """P7: both hold every sign a mark may have."""
    assert json.loads(json.dumps({"mark": mark}))["mark"] == mark
    table = separated(("id", "mark"), ("id",), ",", "csv", "text/csv")
    ((_, found),) = list(csv.reader(io.StringIO(table.row({"id": "1", "mark": mark}), newline="")))
    assert found == mark


@given(MARKS | st.just(MARK))
def test_a_mark_goes_through_xml_spelled_out_and_comes_back(mark: str) -> None:
    """P7: XML has no U+001D, not even as a reference; `escape_controls` and `unescape_controls` carry it."""
    text = f"<unit>{escape(spelled(mark))}</unit>"
    assert SEPARATOR not in text
    assert read(ElementTree.fromstring(text).text) == mark
