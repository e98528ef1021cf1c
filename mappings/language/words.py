"""Texts of which only some are right: patterns, formats, zones, currencies, modes; constants are checked when read."""

from __future__ import annotations

import re
from collections.abc import Callable

from mappings.language.amounts import DIGITS
from mappings.language.functions.text import pattern
from mappings.language.lint import nearest
from mappings.language.moments import zone_of
from mappings.language.values import ROUNDING, Refused

DIRECTIVES = "%Y %y %m %d %H %I %M %S %f %p %j %b %B %a %A %z %%"


def _pattern(text: str) -> str:
    try:
        pattern(text)
    except Refused as error:
        return f"{error}; RE2 has no back references, no look-around, no repetition beyond 1,000"
    return ""


def _zone(text: str) -> str:
    try:
        zone_of(text)
    except Refused:
        return f"{text!r} is no time zone; a name of the IANA list such as UTC, Asia/Almaty, Europe/Berlin"
    return ""


def _currency(text: str) -> str:
    try:
        assert DIGITS[text]
    except Refused:
        return f"{text!r} is no currency; three capital letters such as KZT, EUR"
    return ""


def _format(text: str) -> str:
    used = re.findall(r"%.?", text)
    wrong = [word for word in used if word not in DIRECTIVES.split()]
    twice = [word for word in used if used.count(word) > 1 and word != "%%"]
    if not used and text not in ("unix", "unix_ms"):
        return f"{text!r} is no format; {DIRECTIVES}, or unix, unix_ms"
    if wrong:
        return f"{wrong[0]} is not part of a format; {DIRECTIVES}"
    return f"{twice[0]} stands twice in the format; each part once" if twice else ""


def _one_of(*known: str) -> Callable[[str], str]:
    return lambda text: "" if text in known else f"{text!r} is not known; {nearest(text, known)}"


WORDS: dict[str, tuple[str, Callable[[str], str]]] = {
    "pattern": ("pattern", _pattern),
    "zone": ("zone", _zone),
    "currency": ("currency", _currency),
    "format": ("format", _format),
    "mode": ("choice", _one_of(*ROUNDING)),
    "order": ("choice", _one_of("ascending", "descending")),
    "span": ("choice", _one_of("day", "week", "month", "year")),
    "unit": ("text", lambda text: "" if text else "a unit has a name; each, case, kg"),
    "kind": ("text", lambda text: "" if text else "a kind has a name; on_hand, available, ordered"),
}
"""Kind of word → its lint code, and what is wrong with a text, after a semicolon what is right; "" if nothing is."""


def wrong_word(kind: str, text: str) -> tuple[str, str, str] | None:
    """Lint code, what is wrong with a constant of that kind, and what is allowed; None when it is right."""
    code, check = WORDS[kind]
    what, _, allowed = check(text).partition("; ")
    return (code, what, allowed) if what else None
