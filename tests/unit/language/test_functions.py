"""Every function gives what the reference says, refuses null, and never runs away."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mappings.language import Mapping
from mappings.language.functions import FUNCTIONS, Function
from mappings.language.types import READERS

CONTEXT: dict[str, Any] = {
    "channel": "c",
    "company": {"country": "KZ"},
    "settings": {},
    "now": "2026-01-01T00:00:00Z",
    "run": "r",
}
SAMPLE = {
    "any": "'x'",
    "text": "'x'",
    "pattern": "'x'",
    "integer": "1",
    "decimal": "0.1",
    "list": "[1]",
    "currency": "'KZT'",
    "unit": "'each'",
    "kind": "'on_hand'",
    "span": "'day'",
    "format": "'%Y'",
    "money": "money(1, 'KZT')",
    "date": "date('2026-03-01')",
    "moment": "moment('2026-03-01T00:00:00Z')",
}
"""A right argument of each kind."""
Compiled = Callable[..., Mapping]


def value_of(compiled: Compiled, expression: str, doc: dict[str, Any] | None = None) -> Any:
    """The value of an expression as an outward document holds it (numbers stay numbers); raises its fault's text."""
    text = f"platform: x\nresource: r\noutward:\n  entity: product\n  fields: {{v: {{from: {expression!r}}}}}\n"
    record = {"uid": "u", "attributes": {"id": "1", **(doc or {})}}
    result = compiled(text).map_outward([record], {}, CONTEXT)
    if result.faults:
        raise AssertionError(str(result.faults[0]))
    return result.docs[0].doc.get("v", "absent")


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda f: f.name)
def test_a_function_gives_what_its_example_says(compiled: Compiled, function: Function) -> None:
    """P7: the reference is executable, exact results included."""
    given = value_of(compiled, "= " + function.example)
    assert given == function.gives
    assert type(given) is type(function.gives) or isinstance(given, Decimal | int)


@pytest.mark.parametrize("function", [f for f in FUNCTIONS.values() if not f.takes_null], ids=lambda f: f.name)
def test_a_function_makes_no_value_of_null(compiled: Compiled, function: Function) -> None:
    """P7: `upper(null)` is a fault, never the text "None"."""
    args = ", ".join(["attributes.nothing", *(SAMPLE[p.kind] for p in function.parameters[1:] if not p.optional)])
    with pytest.raises(AssertionError, match=r"(rule )?null|is null|operand"):
        value_of(compiled, f"= {function.name}({args})", {"nothing": None})


@pytest.mark.parametrize(
    ("expression", "gives"),
    [
        ("= 0.1 + 0.2", Decimal("0.3")),
        ("= 7 // 2", 3),
        ("= -7 // 2", -4),
        ("= -7 % 3", 2),
        ("= 1 / 4", Decimal("0.25")),
        ("= 9007199254740993 + 0", 9007199254740993),
        ("= 'a' + 'b'", "ab"),
        ("= 1 if 'a' in ['a'] else 2", 1),
        ("= 1 if not (1 > 2) and 'a' != 'b' else 2", 1),
        ("= [x * 2 for x in [1, 2] if x > 1]", [4]),
        ("= [a + b for a in ['x', 'y'] for b in ['1', '2']]", ["x1", "x2", "y1", "y2"]),
        ("= {'a': 1}['a']", 1),
        ("= [1, 2][-1]", 2),
        ("= first(attributes.gone, attributes.zero, 5)", 0),
        ("= first(attributes.empty, 'x')", ""),
        ("= attributes.zero == 0", True),
        ("= attributes.no == true", False),
        ("= attributes.gone is null", True),
        ("= amount(money(10, 'KZT') * 0.16)", Decimal("1.60")),
        ("= amount(round(money(10, 'KZT') / 3))", Decimal("3.33")),
        ("= money(10, 'KZT') / money(4, 'KZT')", Decimal("2.5")),
        ("= money(10, 'KZT') > money(4, 'KZT')", True),
        ("= amount(sum([], start=zero('JPY')))", Decimal(0)),
        ("= amount(money(5, 'JPY'))", Decimal(5)),
        ("= amount(money('1.234', 'KWD'))", Decimal("1.234")),
        ("= moment('2026-03-01 09:00:00', zone='Asia/Almaty')", "2026-03-01T04:00:00Z"),
        ("= moment(1772355600, format='unix')", "2026-03-01T09:00:00Z"),
        ("= date('01.03.2026', format='%d.%m.%Y')", "2026-03-01"),
        ("= phone('8 701 555 01 01', region='KZ')", "+77015550101"),
        ("= email(' A@Example.COM ')", "A@example.com"),
        ("= integer('12')", 12),
        ("= text(1.50)", "1.50"),
        ("= extract('abc', 'z')", None),
    ],
)
def test_an_expression_is_exact(compiled: Compiled, expression: str, gives: Any) -> None:
    """P7: numbers are Decimals from their source text; zero, empty text and false are values."""
    given = value_of(compiled, expression, {"zero": 0, "empty": "", "no": False})
    assert given == gives
    assert not isinstance(given, float)
    assert isinstance(given, bool) == isinstance(gives, bool)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("= attributes.word * 3", "a number is wanted|text where"),
        ("= attributes.word + 1", "text where|wanted"),
        ("= 1 if attributes.word else 2", "a condition"),
        ("= money(1, 'KZT') + money(1, attributes.euro)", "different currencies"),
        ("= money(1.234, 'KZT')", "more digits than KZT has"),
        ("= money(1, attributes.word)", "currency"),
        ("= decimal('1E5')", "plain notation"),
        ("= decimal('1_000')", "plain notation"),
        ("= decimal(' 1')", "plain notation"),
        ("= decimal('٣')", "plain notation"),
        ("= integer(1.5)", "fraction"),
        ("= 1 / attributes.zero", "division by zero"),
        ("= 1 % attributes.zero", "division by zero"),
        ("= moment('2026-03-01T09:00:00', zone=attributes.word)", "no time zone"),
        ("= moment('yesterday', zone='UTC')", "not a moment"),
        ("= date('2026-02-30')", "not a date"),
        ("= phone('12', region='KZ')", "telephone"),
        ("= email('nobody')", "e-mail"),
        ("= min(attributes.word, 3)", "different"),
        ("= sum(x for x in attributes.word)", "list"),
    ],
)
def test_what_cannot_be_exact_is_refused(compiled: Compiled, expression: str, why: str) -> None:
    """P7: nothing is guessed; the fault says what was wanted."""
    with pytest.raises(AssertionError, match=why):
        value_of(compiled, expression, {"word": "kettle", "zero": 0, "euro": "EUR"})


def test_no_pattern_makes_a_page_hang(compiled: Compiled) -> None:
    """The classical exploding pattern takes no time: patterns are RE2's."""
    start = time.process_time()
    assert value_of(compiled, "= matches(attributes.long, '(a+)+b')", {"long": "a" * 5000}) is False
    assert time.process_time() - start < 2


def test_no_function_makes_text_explode(compiled: Compiled) -> None:
    """P14: a text that would grow beyond a million characters is refused before it is built."""
    with pytest.raises(AssertionError, match="1,000,000"):
        value_of(compiled, "= replace(attributes.long, 'a', attributes.long)", {"long": "a" * 5000})


def test_every_type_is_a_function_too(compiled: Compiled) -> None:
    """`as: x` and `x(…)` are one thing."""
    for name in READERS:
        extra = {"quantity": ", 'each', 'ordered'", "money": ", 'KZT'", "moment": ", zone='UTC'"}.get(name, "")
        with pytest.raises(AssertionError, match="null"):
            value_of(compiled, f"= {name}(attributes.nothing{extra})", {"nothing": None})
