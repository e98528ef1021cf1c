"""Readiness: what a listing lacks before a channel may be told of it, where, and what to do.

What surprises here: an identifier that is there and wrong is missing; so is an address of a picture that is none. A
zero, ``false`` and the text ``0`` are values, an empty text and an empty list are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mappings.commerce.products.identifiers import gtin, mpn, restricted

_ADDRESSES = ("link", "images")
_MARKUP = re.compile(r"<\s*/?\s*[A-Za-z][^>]*>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One of ``paths`` must hold a value (``variant.gtin``), if all conditions ``when`` (path → values) hold.

    ``longest``: characters of a text; ``least``: entries of a list; ``plain``: text without HTML.
    """

    paths: tuple[str, ...]
    longest: int | None = None
    least: int = 1
    plain: bool = False
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """What a listing lacks, in words without its values; ``where`` is the path of the record; ``remedy`` what to do."""

    what: str
    where: str
    remedy: str


def missing(record: Mapping[str, Any], requirements: Iterable[Requirement]) -> list[Missing]:
    """What the record lacks of the requirements, in their order; empty: it is ready.

    ``record`` maps entity to its values (``{"product": {…}, "variant": {…}}``). ready ⇔ for each requirement whose
    conditions hold, one of its paths has no fault. Adding a value at a path that had none never adds an entry.
    """
    found = []
    for one in requirements:
        if not all(_text(at(record, path)) in values for path, values in one.when.items()):
            continue
        faults = [_fault(path, at(record, path), one) for path in one.paths]
        if None not in faults:
            told = [fault for fault in faults if fault is not None]
            found.append(_joined(one.paths, told))
    return found


def concerning(requirements: Sequence[Requirement], entities: Iterable[str]) -> list[Requirement]:
    """The requirements that can be judged where only records of these entities are known."""
    known = set(entities)
    return [one for one in requirements if {path.partition(".")[0] for path in (*one.paths, *one.when)} <= known]


def at(record: Any, path: str) -> Any:
    """The value at a dotted path; None where a step of it is not there. The rest of a path may itself hold dots."""
    found = record
    rest = path
    while rest:
        if not isinstance(found, Mapping):
            return None
        if rest in found:
            return found[rest]
        step, _, rest = rest.partition(".")
        found = found.get(step)
    return found


def _fault(path: str, value: Any, rule: Requirement) -> tuple[str, str] | None:
    """What is wrong with the value and what to do; None: nothing."""
    name = path.rpartition(".")[2]
    if value is None or (isinstance(value, str) and not value.strip()):
        return "is empty", "fill it where it has authority"
    if isinstance(value, list) and len(value) < max(1, rule.least):
        return (f"has {len(value)} of {rule.least} entries", "add the missing ones") if value else (
            "is empty", "fill it where it has authority")
    if name == "gtin" and (code := gtin(value)) is None:
        return "is no GTIN: length or check digit is wrong", "correct it from the package"
    if name == "gtin" and code is not None and restricted(code):
        return "is a number of restricted circulation", "use the maker's GTIN, or none"
    if name == "mpn" and mpn(value) is None:
        return "is no part number", "use the maker's number, or none"
    if name in _ADDRESSES and not all(_is_address(one) for one in (value if isinstance(value, list) else [value])):
        return "is no address", "give a whole address: https://…"
    if rule.longest is not None and isinstance(value, str) and len(value) > rule.longest:
        return f"has {len(value)} characters, at most {rule.longest} are taken", "shorten it for this channel"
    if rule.plain and isinstance(value, str) and _MARKUP.search(value):
        return "holds HTML, plain text is taken", "give this channel a text without HTML"
    return None


def _joined(paths: Sequence[str], faults: Sequence[tuple[str, str]]) -> Missing:
    """One entry for one requirement, whatever the number of its alternatives."""
    told = "; ".join(f"{path} {what}" for path, (what, _) in zip(paths, faults, strict=True))
    remedies = dict.fromkeys(remedy for _, remedy in faults)
    either = f"one of {', '.join(paths)} is needed: " if len(paths) > 1 else ""
    return Missing(what=f"{either}{told}", where=paths[0], remedy=", or ".join(remedies))


def _is_address(value: Any) -> bool:
    if not isinstance(value, str) or any(sign.isspace() for sign in value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.hostname is not None


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)
