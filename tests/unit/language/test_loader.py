"""YAML is read without a surprise: what looks like text stays text, and no file can exhaust the machine."""

import time
from decimal import Decimal
from itertools import pairwise

import pytest

from mappings.language import LintErrors, load_yaml


def test_nothing_changes_its_type_unseen() -> None:
    """P7: codes with zeros, exponents, times, dates, on and no are text; only plain numbers are numbers."""
    text = """
sku: 007
size: 1E5
half: .5
plus: +5
time: 12:30
day: 2026-03-01
mode: on
answer: no
octal: 0o7
under: 1_000
whole: -12
big: 9007199254740993
money: 0.10
yes: true
none: null
gone:
tilde: ~
quoted: "5"
5: five
null: key
"""
    data, _ = load_yaml(text, "a.yaml")
    assert data == {
        "sku": "007",
        "size": "1E5",
        "half": ".5",
        "plus": "+5",
        "time": "12:30",
        "day": "2026-03-01",
        "mode": "on",
        "answer": "no",
        "octal": "0o7",
        "under": "1_000",
        "whole": -12,
        "big": 9007199254740993,
        "money": Decimal("0.10"),
        "yes": True,
        "none": None,
        "gone": None,
        "tilde": None,
        "quoted": "5",
        "5": "five",
        "null": "key",
    }
    assert str(data["money"]) == "0.10"


def test_an_alias_may_repeat_a_part_but_not_blow_up() -> None:
    """Nine levels of nine aliases are refused before anybody expands them; an honest alias works."""
    data, where = load_yaml("a: &a {x: 1}\nb: *a\n", "a.yaml")
    assert data == {"a": {"x": 1}, "b": {"x": 1}}
    assert where("b") == (2, 1)
    names = "abcdefghi"
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for before, name in pairwise(names):
        bomb += f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    start = time.process_time()
    with pytest.raises(LintErrors, match=r"a.yaml:5:\d+: too-large: aliases expand too far; at most 100000"):
        load_yaml(bomb, "a.yaml")
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 5000, "too-deep"),
        ("".join(" " * n + f"k{n}:\n" for n in range(60)), "too-deep"),
        ("x" * 1_000_001, "too-large"),
        ("a: &a\n  b: *a\n", "alias"),
        ("a: 1\n---\nb: 2\n", "documents"),
        ("? [a]\n: 1\n", "key"),
        ("a: !!python/object:os.system x\n", "tag"),
        ("!x {a: 1}\n", "tag"),
        ("a: \x00\n", "yaml"),
    ],
)
def test_a_file_that_is_too_much_or_not_plain_is_refused_with_its_place(text: str, code: str) -> None:
    """No tags, no recursion, one document, bounded depth and size."""
    with pytest.raises(LintErrors) as refused:
        load_yaml(text, "a.yaml")
    error = refused.value.errors[0]
    assert error.code == code
    assert error.file == "a.yaml"
    assert error.line >= 1
