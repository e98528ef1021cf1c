"""The language's reference is true: every example compiles and passes its own tests, every function is listed."""

import re
from pathlib import Path
from typing import Any

import pytest

from mappings.language import compile as compile_mapping, run_tests, run_tests_of
from mappings.language.functions import FUNCTIONS
from mappings.language.grammar import BLOCK, FORMS, HEADERS, OUTWARD, ROW
from mappings.language.types import READERS

README = (Path(__file__).resolve().parents[3] / "mappings" / "README.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


def _load(name: str) -> str:
    raise FileNotFoundError(name)


@pytest.mark.parametrize("text", EXAMPLES, ids=[re.findall(r"resource: (\S+)", text)[0] for text in EXAMPLES])
def test_every_example_of_the_reference_passes_its_own_tests(text: str, canonical: dict[str, Any]) -> None:
    """P11: what the reference shows is what the language does."""
    results = run_tests(text, "mappings/x/y.yaml", load=_load, source_schema=None, canonical=canonical)
    assert results
    assert [line for result in results for line in (result.name, *result.diff) if not result.ok] == []


def test_an_example_with_a_wrong_expectation_fails_and_says_what_differs(canonical: dict[str, Any]) -> None:
    """A test that cannot fail is none: the runner names field, expectation and value."""
    text = EXAMPLES[0].replace('number: "#1001"', 'number: "#1002"')
    text = text.replace("faults: [{field: payment, rule: table}]", "faults: [lines]")
    mapping = compile_mapping(text, "mappings/x/y.yaml", load=_load, source_schema=None, canonical=canonical)
    first, second = run_tests_of(mapping)
    assert first.diff == ("order.number: expected '#1002', got '#1001'",)
    assert not second.ok
    assert second.diff[0] == "faults: expected {'field': 'lines'}, it did not come"
    assert second.diff[1].startswith("fault: order 2: payment from displayFinancialStatus: the table has no entry")


def test_every_key_type_and_function_stands_in_the_reference() -> None:
    """What can be written is documented, functions with their exact signature and example."""
    for word in {*HEADERS, *ROW, *BLOCK, *OUTWARD, *FORMS, *READERS}:
        assert re.search(rf"`[^`]*\b{word}\b[^`]*`", README), word
    for function in FUNCTIONS.values():
        assert f"| `{function.signature}` | {function.what} | `{function.example}` |" in README, function.name
