"""How a platform continues a list: each style is a pure function of (position, answer), so any page can be resumed.

What surprises here:

* A position is the JSON that goes into the cursor: the query parameters of the next request, or ``{"url": …}``.
* A style is called with no position and no answer for the first page; ``None`` afterwards ends the scan.
* A list ends when the platform says so or sends an empty page, never because a page is short: a platform that caps
  the page size below what we ask for would otherwise lose the rest silently.
* A missing end mark is ``ShapeChanged``, for the same reason; ``absent: end`` is for platforms that omit it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from connectors.base import Doc, Resource
from connectors.errors import ShapeChanged

Position: TypeAlias = dict[str, Any]
"""Query parameters of the next request, or ``{"url": …}``: its whole address."""


class _Absent:
    """What ``at`` finds where nothing is; it refuses to be tested for truth."""

    def __bool__(self) -> bool:
        raise TypeError("ABSENT is neither true nor false; compare with `is`")

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


def at(value: Any, path: str) -> Any:
    """The value at a dotted path ("" is the value itself; digits index lists), or ABSENT: null is not absent."""
    if path == "":
        return value
    if type(value) is dict and "." not in path:
        return value.get(path, ABSENT)
    for step in path.split("."):
        if isinstance(value, dict | Mapping) and step in value:     # nearly always a dict: that is told at once
            value = value[step]
        elif isinstance(value, Sequence) and not isinstance(value, str) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Turned:
    """One answer as paging sees it: its documents, decoded body, lower-case headers."""

    docs: Sequence[Doc]
    body: Any
    headers: Mapping[str, str]


Style: TypeAlias = Callable[[Position | None, Turned | None, Resource], Position | None]


def _sized(facts: Resource) -> Position:
    name = facts.paging_options.get("size", "limit")
    return {name: str(facts.page_size)} if name else {}


def _end_mark(turned: Turned, path: str, facts: Resource) -> Any:
    """The value at ``path``, or None where null or "" ends the list; absent raises unless ``absent: end``."""
    found = at(turned.body, path)
    if found is ABSENT:
        if facts.paging_options.get("absent") == "end":
            return None
        raise ShapeChanged(
            f"{facts.path}: the answer has no `{path}`, so it cannot be known whether more pages follow; "
            "correct `paging_options`, or write `absent: end` where the platform omits it on the last page"
        )
    return None if found is None or found == "" else found


def _more(turned: Turned, facts: Resource) -> bool | None:
    """What the boolean at option ``more`` says; None where the description names none."""
    path = facts.paging_options.get("more")
    if path is None:
        return None
    found = at(turned.body, path)
    if not isinstance(found, bool):
        raise ShapeChanged(f"{facts.path}: `{path}` should be true or false, found {type(found).__name__}")
    return found


def _whole(turned: Turned, path: str, facts: Resource) -> int:
    found = at(turned.body, path)
    if isinstance(found, str) and found.isdigit():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int):
        raise ShapeChanged(f"{facts.path}: `{path}` should be a whole number, found {type(found).__name__}")
    return found


def cursor(position: Position | None, turned: Turned | None, facts: Resource) -> Position | None:
    """A token at option ``next`` goes back in parameter ``param``. Null or "" ends; the token 0 does not."""
    if turned is None:
        return _sized(facts)
    more = _more(turned, facts)
    if more is False:
        return None
    token = _end_mark(turned, facts.paging_options.get("next", "next_cursor"), facts)
    if token is None:
        if more is True:
            raise ShapeChanged(f"{facts.path}: the answer promises more pages but carries no token for them")
        return None
    if isinstance(token, bool) or not isinstance(token, str | int | Decimal):
        raise ShapeChanged(f"{facts.path}: the next page's token should be text, found {type(token).__name__}")
    return {**_sized(facts), facts.paging_options.get("param", "cursor"): str(token)}


def page(position: Position | None, turned: Turned | None, facts: Resource) -> Position | None:
    """Pages counted from option ``first`` (1) in parameter ``param``, up to option ``pages`` or an empty page."""
    name = facts.paging_options.get("param", "page")
    if position is None or turned is None:
        return {**_sized(facts), name: facts.paging_options.get("first", "1")}
    number = int(position[name])
    if not turned.docs or _more(turned, facts) is False:
        return None
    if "pages" in facts.paging_options:
        last = _whole(turned, facts.paging_options["pages"], facts) + int(facts.paging_options.get("first", "1")) - 1
        if number >= last:
            return None
    return {**position, name: str(number + 1)}


def offset(position: Position | None, turned: Turned | None, facts: Resource) -> Position | None:
    """Parameter ``param`` skips what was received so far, up to option ``total`` or an empty page."""
    name = facts.paging_options.get("param", "offset")
    if position is None or turned is None:
        return {**_sized(facts), name: "0"}
    reached = int(position[name]) + len(turned.docs)
    if not turned.docs or _more(turned, facts) is False:
        return None
    if "total" in facts.paging_options and reached >= _whole(turned, facts.paging_options["total"], facts):
        return None
    return {**position, name: str(reached)}


def keyset(position: Position | None, turned: Turned | None, facts: Resource) -> Position | None:
    """Parameter ``param`` is the last document's id; with option ``stamp``, that parameter is its ``updated``.

    With ``stamp`` the platform must answer what stands after (stamp, id) in that order; rows that share one stamp are
    then neither lost nor repeated. An empty page ends.
    """
    if turned is None:
        return _sized(facts)
    if not turned.docs or _more(turned, facts) is False:
        return None
    last, stamp = turned.docs[-1], facts.paging_options.get("stamp")
    following = {**_sized(facts), facts.paging_options.get("param", "after"): _plain(last, facts.id, facts)}
    return following if stamp is None else {**following, stamp: _plain(last, facts.updated or "", facts)}


def _plain(doc: Doc, path: str, facts: Resource) -> str:
    found = at(doc, path)
    if isinstance(found, bool) or not isinstance(found, str | int | Decimal):
        raise ShapeChanged(f"{facts.path}: a document's `{path}` should be text or a number to page by it")
    return str(found)


_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_RELATION = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


def link(position: Position | None, turned: Turned | None, facts: Resource) -> Position | None:
    """The address of relation ``next`` in the Link header (RFC 8288); none ends."""
    if turned is None:
        return _sized(facts)
    for address, attributes in _LINK.findall(turned.headers.get("link", "")):
        relation = _RELATION.search(attributes)
        if relation is not None and "next" in (relation[1] or relation[2]).lower().split():
            return {"url": address}
    return None


def next_url(position: Position | None, turned: Turned | None, facts: Resource) -> Position | None:
    """The address at option ``next`` in the body (relative ones allowed); null or "" ends."""
    if turned is None:
        return _sized(facts)
    address = _end_mark(turned, facts.paging_options.get("next", "next"), facts)
    if address is None:
        return None
    if not isinstance(address, str):
        raise ShapeChanged(f"{facts.path}: the next page's address should be text, found {type(address).__name__}")
    return {"url": address}


def single(position: Position | None, turned: Turned | None, facts: Resource) -> Position | None:
    """The whole list in one answer."""
    return {} if turned is None else None


STYLES: Mapping[str, Style] = {
    "cursor": cursor,
    "page": page,
    "offset": offset,
    "keyset": keyset,
    "link": link,
    "next_url": next_url,
    "single": single,
}
OPTIONS = frozenset({"param", "next", "size", "more", "absent", "first", "pages", "total", "stamp", "alone"})
"""Every key of ``paging_options``; ``alone: "true"`` sends a later page's position without filter and params."""
