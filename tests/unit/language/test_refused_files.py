"""Mapping files that must not pass: the pains of users that types can stop, and one file for every code of lint.

Each file marks the line at fault with ``# refused: <code>``; nothing else in it may be wrong.
"""

import json
import re
from pathlib import Path

import pytest

from mappings import language
from mappings.language import LintErrors
from tests.unit.language.conftest import CANONICAL, loader
from tests.unit.language.test_errors import ENTRIES

FOLDER = Path(__file__).with_name("refused")
FILES = sorted(FOLDER.glob("*.yaml"))
SCHEMA = json.loads((FOLDER / "document.schema.json").read_text())


def marked(text: str) -> set[tuple[int, str]]:
    """(line, code) of every mark."""
    return {
        (number, code)
        for number, line in enumerate(text.splitlines(), start=1)
        for codes in re.findall(r"# refused: (.*)$", line)
        for code in codes.split(", ")
    }


def found(text: str, name: str) -> set[tuple[int, str]]:
    """(line, code) of every mistake that lint finds."""
    try:
        language.run_tests(text, name, load=loader({}), source_schema=SCHEMA, canonical=CANONICAL)
    except LintErrors as refused:
        return {(error.line, error.code) for error in refused.errors}
    return set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_that_would_lose_money_goods_or_hours_is_refused_at_the_line_at_fault(path: Path) -> None:
    """P7: a wrong kind of stock, a lost currency, a naive moment never reach a channel."""
    text = path.read_text()
    assert marked(text)
    assert found(text, path.name) == marked(text)


def test_the_marks_are_read_from_the_file_that_is_mended(tmp_path: Path) -> None:
    """The corpus can fail: a file without its mistake is told apart."""
    text = (FOLDER / "pain_17_no_currency.yaml").read_text()
    mended = text.replace("as: money", "as: {money: {currency: currency}}")
    assert mended != text
    assert found(mended, "mended.yaml") == set()


def test_every_pain_and_every_code_has_its_file() -> None:
    """Pains 2, 15, 16, 17 and 21 of users, and all that lint can say."""
    stems = {path.stem for path in FILES}
    assert set(ENTRIES) - stems == set()
    for pain in ("02", "15", "16", "17", "21"):
        assert any(stem.startswith(f"pain_{pain}_") for stem in stems), pain
