"""The catalogue of mistakes is true: a wrong example gives its code, a mended one none, and no code is missing."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mappings import language
from mappings.language import LintErrors
from mappings.language.words import WORDS
from tests.unit.language.conftest import CANONICAL, loader

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "mappings" / "ERRORS.md").read_text()
SCHEMA: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
ENTRIES: dict[str, tuple[str, str]] = {
    code: (wrong, mended)
    for code, wrong, mended in re.findall(
        r"^### (\S+)\n.*?```yaml\n# wrong\n(.*?)```\n```yaml\n# mended\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE
    )
}


def mistakes(text: str) -> list[language.LintError]:
    """What lint says of a mapping, its tests included."""
    try:
        language.run_tests(text, "shop/orders.yaml", load=loader({}), source_schema=SCHEMA, canonical=CANONICAL)
    except LintErrors as found:
        return found.errors
    return []


@pytest.mark.parametrize("code", ENTRIES)
def test_the_wrong_example_of_a_mistake_is_refused_with_its_code_and_the_mended_one_is_not(code: str) -> None:
    """P13 of authors: who looks a code up finds it happening, and finds the way out working."""
    wrong, mended = ENTRIES[code]
    found = mistakes(wrong)
    assert code in {error.code for error in found}, list(map(str, found))
    assert all(error.line >= 1 and error.column >= 1 and error.what for error in found)
    assert [str(error) for error in mistakes(mended)] == []


def codes_in(tree: ast.AST) -> set[str]:
    """The codes that calls of a reporting function in a module name."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name not in ("wrong", "error", "fail", "line", "tell", "LintError"):
            continue
        keyword = [word.value for word in node.keywords if word.arg == "code"]
        for argument in keyword or node.args[:3]:
            options = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
            words = [o.value for o in options if isinstance(o, ast.Constant) and isinstance(o.value, str)]
            if words and all(re.fullmatch(r"[a-z]+(-[a-z]+)*", word) for word in words):
                found.update(words)
                break
    return found


def test_every_code_that_lint_can_give_stands_in_the_catalogue() -> None:
    """What an author reads in a terminal can be looked up."""
    known = {code for code, _ in WORDS.values()}
    for path in (ROOT / "mappings" / "language").glob("*.py"):
        known |= codes_in(ast.parse(path.read_text()))
    assert known - set(ENTRIES) == set()
    assert set(ENTRIES) - known == set()
