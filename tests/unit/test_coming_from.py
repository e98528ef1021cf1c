"""The page for those who come from other mapping languages is true: each of its idioms does here what it says."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mappings import canonical
from mappings.language import compile as compile_mapping
from mappings.language.examples import mapped
from mappings.language.faults import Inward

PAGE = (Path(__file__).parents[2] / "mappings" / "COMING_FROM.md").read_text(encoding="utf-8")
IDIOMS = re.findall(r"^## \d+\. (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
OTHERS = ["Serai", "Celigo", "JSONata", "jq", "Bloblang"]
MAPPING = """\
platform: x
resource: y
inward:
  customer:
    required: false
    fields:
      attributes:
        fields:
          {row}
"""


def load(name: str) -> str:
    raise FileNotFoundError(name)


def test_twelve_idioms_stand_side_by_side() -> None:
    """Whoever comes from one of the four finds each of the twelve."""
    assert len(IDIOMS) == 12
    for title, body in IDIOMS:
        assert re.findall(r"^\| (\w+) \|", body, re.MULTILINE) == OTHERS, title


@pytest.mark.parametrize(("title", "body"), IDIOMS, ids=[title for title, _ in IDIOMS])
def test_our_row_gives_what_the_page_says(title: str, body: str) -> None:
    """What is copied from the page works; numbers stay exact, nothing faults."""
    found = re.search(r"Given `(.+?)`,\s+wanted\s+`(.+?)`", body)
    row = re.search(r"^\| Serai \| `(.+)` \|$", body, re.MULTILINE)
    assert found is not None
    assert row is not None
    given, wanted = (json.loads(part, parse_float=Decimal) for part in found.groups())
    text = MAPPING.format(row=row[1].replace("\\|", "|"))
    mapping = compile_mapping(text, "page.yaml", load=load, source_schema=None, canonical=canonical.schemas())
    made: Any = mapped(mapping, {"given": given})
    assert isinstance(made, Inward)
    assert [str(fault) for fault in made.faults] == []
    assert [record.values["attributes"] for record in made.records] == [wanted]
