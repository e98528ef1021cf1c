"""The steps of a price in words, for `serai why` and for whoever compares channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from flows.pricing import recomputed
from mappings.commerce.prices.money import digits, exact

Sentence = tuple[str, str]
"""What happened, and where the rule stands."""


def sentences(kept: Mapping[str, Any]) -> Iterator[Sentence]:
    """Step by step what became of the list's price; ``kept`` is a view's or a hop's ``policy["price"]``."""
    currency = ""
    for step in kept["steps"]:
        currency = step.get("currency", currency)
        yield f"{_words(step, currency)}: {_figure(step['after'], currency)} {currency}", str(step.get("where", ""))
    reference = kept.get("reference")
    if reference is not None:
        yield (
            f"struck through beside it: {reference['amount']} {currency}" if reference["amount"] is not None
            else f"no strike-through price: {reference['reason']}"
        ), ""


def proof(kept: Mapping[str, Any]) -> str:
    """Whether the steps that were kept when the price was told give it again."""
    try:
        found = recomputed(kept)
    except ValueError as fault:
        return f"the steps kept when it was told do not give it again: {fault}"
    same = Decimal(found["amount"]) == Decimal(kept["amount"]) and found["currency"] == kept["currency"]
    return (f"the {len(kept['steps'])} steps kept when it was told give {found['amount']} {found['currency']}"
            + (" again" if same else f", not {kept['amount']} {kept['currency']}"))


def _words(step: Mapping[str, Any], currency: str) -> str:
    match step["step"]:
        case "list":
            more = [step.get("kind"), f"for {step['group']}" if "group" in step else None,
                    f"from {step['min_quantity']} on" if "min_quantity" in step else None,
                    f"from {step['valid_from']}" if "valid_from" in step else None,
                    f"to {step['valid_to']}" if "valid_to" in step else None]
            said = ", ".join(one for one in more if one is not None)
            return f"the list {step['list']} says, {step['tax_mode']}" + (f" ({said})" if said else "")
        case "redenomination":
            return f"redenominated, times {_short(step['factor'])}"
        case "fx":
            return f"exchanged, times {_short(step['factor'])}"
        case "markup":
            parts = [f"{_percent(step['by'])} more" if Decimal(step["by"]) >= 0 else f"{_percent(step['by'])} less"]
            parts += [f"{step['plus']} on top"] if Decimal(step["plus"]) != 0 else []
            return " and ".join(parts)
        case "tax":
            off = [f"{_percent(step['off'])} tax off"] if Decimal(step["off"]) != 0 else []
            on = [f"{_percent(step['on'])} tax on"] if Decimal(step["on"]) != 0 else []
            return (", ".join([*off, *on]) or "no tax") + f", {step['tax_mode']}"
        case "round":
            return f"rounded ({step['mode']}) to {step['size']}" + _ending(step)
        case "floor":
            rule = (f"(cost {_short(step['cost'])} + handling {_short(step['handling'])}) / (1 − fee {step['fee']} − "
                    f"margin {step['margin']}) · (1 + tax {step['tax']})")
            return "not below " + (rule if step["map"] is None else f"max(MAP {_short(step['map'])}, {rule})")
        case "ceiling":
            return f"not above {_short(step['amount'])}"
        case "not_above" | "not_below" as name:
            return f"{name.replace('_', ' ')} {step['channel']}, {step['amount']}"
        case "override":
            return "set by hand"
        case name:
            return str(name)


def _ending(step: Mapping[str, Any]) -> str:
    return f" ending in {step['ending']}" if Decimal(step["ending"]) != 0 else ""


def _percent(rate: str) -> str:
    return f"{abs(Decimal(rate)) * 100:f}".rstrip("0").rstrip(".") + " %"


def _figure(value: str, currency: str) -> str:
    """An amount on its way: as it is, or about so many digits more than its currency has."""
    figure = Fraction(value)
    exactly = exact(figure, digits(currency))
    return f"{exactly:f}" if Fraction(exactly) == figure else f"{exact(figure, digits(currency) + 4):f}…"


def _short(value: str) -> str:
    figure = Fraction(value)
    rounded = exact(figure, 8)
    return f"{rounded:f}".rstrip("0").rstrip(".") + ("" if Fraction(rounded) == figure else "…")
