"""What a simulated system is, as data: its collections, its notation, its lists, and the acts its people can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from deployments.sandbox.notation import Doc, Written

if TYPE_CHECKING:
    from deployments.sandbox.engine import System

By: TypeAlias = Literal["seed", "api", "people", "system"]
"""Who changes a row: the opening data, a program, a person, or the system itself as a consequence."""
Check: TypeAlias = "Callable[[System, Doc | None, Doc, By], None]"
Consequence: TypeAlias = "Callable[[System, Doc | None, Doc, By], None]"
Act: TypeAlias = "Callable[[System, Doc], Doc]"


class Refused(Exception):
    """A request the system turns down: HTTP status, its own code, the field at fault, a sentence."""

    def __init__(self, status: int, code: str, message: str, *, field: str | None = None, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.error: Doc = {"code": code, "field": field, "message": message, **more}


def nothing(system: System, old: Doc | None, new: Doc, by: By) -> None:
    """No check, no consequence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """A collection of rows. ``key`` makes the id from a document (None: the system numbers them by ``number``).

    ``stamp`` and ``created`` are the fields of its moments; ``allows`` what programs may do; ``reference`` the path of
    the writer's own reference, ``once`` whether a reference is taken only once; ``version`` a field counting writes;
    ``check`` refuses a document, ``then`` posts its consequences and books it, both under the system's lock.
    """

    id: str
    stamp: str
    created: str | None = None
    key: Callable[[Doc], str] | None = None
    number: str = "{}"
    first: int = 1
    allows: frozenset[str] = frozenset()
    reference: str | None = None
    once: bool = False
    version: str | None = None
    archived: str | None = None
    check: Check = nothing
    then: Consequence = nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Lists:
    """How a system answers a list: paging style, page size, names of parameters, and the envelope."""

    style: Literal["cursor", "page", "keyset"]
    size: int
    since: str
    envelope: Callable[[str, list[Doc], Doc], Any]
    """(resource, documents, facts) → the body; facts: next (token or None), page, pages, total."""
    position: str
    """The parameter that continues a list: a token, a page number, or the last id."""
    reference: str | None = None
    """The parameter that finds a row by the writer's reference."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """One system: everything that makes it different from the others."""

    name: str
    """The account; the second company has a shop and an ERP of its own, of the same ``platform``."""
    platform: str = ""
    currency: str = "KZT"
    home: str = "almaty-wh"
    """Where goods are sent from unless an order says otherwise."""
    written: Written
    resolution: timedelta
    lists: Lists
    collections: Mapping[str, Collection]
    acts: Mapping[str, Act] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    """Where its ``catalogue``, ``new order`` and ``reads`` are, for ill tempers (faults.py)."""
    batch: int = 100
    restamps: bool = False
    """A write that changes nothing moves the stamp all the same."""
    coalesces: bool = False
    """Several changes go into one notice."""
