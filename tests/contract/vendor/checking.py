"""What a vendor's own description says of the requests we send: one small module per vendor, one suite for all.

What surprises here: the requests are real ones, recorded while the connector works in front of its simulator; nothing
is written down twice. A check that finds nothing wrong proves little, so each is broken on purpose: every required
field dropped, two hundred others renamed or given another type, and each time the description must object.

Plug in a vendor: a module ``<vendor>.py`` beside this one with ``VENDOR``, a `Vendor`. OpenAPI vendors judge a request
by method and path, GraphQL ones by the text and its variables; both hand over JSON whose places can be broken.
"""

from __future__ import annotations

import copy
import os
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flows.mapping_files import mapping_files
from tests.contract.harness import subjects
from tests.contract.published import PublishedSubject

SPECS = Path(os.environ.get("SERAI_SPECS", Path(__file__).parents[4] / "shared" / "specs"))
Place = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request that the connector made: the vendor's name of the operation, and what went with it as JSON."""

    operation: str
    body: Any
    text: str = ""


class Vendor(ABC):
    """One vendor's description, and how our requests are judged by it."""

    name: ClassVar[str]
    folder: ClassVar[str]
    demanded: ClassVar[int] = 20
    read: ClassVar[int] = 30
    """How many required places and published examples there are at least, so that no check is empty unseen."""

    def file(self, name: str) -> Path:
        """A file that the vendor published, or a visible skip where it is not at hand."""
        found = SPECS / self.folder / name
        if not found.is_file():
            pytest.skip(f"what the vendor published is not at {found}; name its folder in SERAI_SPECS")
        return found

    @abstractmethod
    def known(self) -> Sequence[str]:
        """Every operation that the connector can make."""

    @abstractmethod
    def recorded(self) -> Sequence[Sent]:
        """Requests of every operation, as they went over the wire."""

    @abstractmethod
    def objection(self, sent: Sent) -> str | None:
        """Why the vendor's description refuses the request, strictly: also for a field it does not name."""

    @abstractmethod
    def required(self, sent: Sent) -> Sequence[Place]:
        """The places in the request that the vendor demands."""

    def breakable(self, sent: Sent) -> Sequence[Place]:
        """The places of the request where a slip can be seen: every name and value in it."""
        return [place for place in places(sent.body) if isinstance(place[-1], str)]

    def misfits(self) -> Sequence[str]:
        """What the simulator offers or answers that the vendor's description does not allow."""
        return ()

    def examples(self) -> Sequence[tuple[str, str | None]]:
        """The vendor's own examples of what the connector reads, each with what is wrong in how it was read."""
        return ()

    def spoilt(self) -> Sequence[Sent]:
        """Requests that break what the vendor says in prose only."""
        return ()

    def renamed(self, sent: Sent, dice: random.Random) -> Sent | None:
        """The request with a word of its text misspelt; None: it has no text."""
        return None


def vendors() -> list[Vendor]:
    """The ``VENDOR`` or ``VENDORS`` of each module beside this one, and each platform described in YAML."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
    modules = [import_module(f"tests.contract.vendor.{name}") for name in names if not name.startswith(("_", "test_"))]
    found = [(module.__name__, module.VENDOR) for module in modules if hasattr(module, "VENDOR")]
    own: list[Vendor] = [vendor for name, vendor in found if type(vendor).__module__ == name]
    own += [vendor for module in modules for vendor in getattr(module, "VENDORS", ())]
    described = import_module("tests.contract.vendor.described").DescribedVendor
    return [*own, *(
        described(subject) for subject in subjects()
        if isinstance(subject, PublishedSubject) and mapping_files(None, subject.platform)
    )]  # fmt: skip


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield (*path, step)
        yield from places(inner, (*path, step))


def at_place(value: Any, place: Place) -> Any:
    """The value there."""
    for step in place:
        value = value[step]
    return value


def dropped(sent: Sent, place: Place) -> Sent:
    """The request without what stands there."""
    body = copy.deepcopy(sent.body)
    del at_place(body, place[:-1])[place[-1]]
    return replace(sent, body=body)


def misspelt(sent: Sent, place: Place) -> Sent:
    """The request with that name misspelt."""
    body = copy.deepcopy(sent.body)
    around = at_place(body, place[:-1])
    around[f"{place[-1]}X"] = around.pop(place[-1])
    return replace(sent, body=body)


def retyped(sent: Sent, place: Place) -> Sent:
    """The request with a value of a type there that nothing takes in its stead."""
    body = copy.deepcopy(sent.body)
    value = at_place(body, place)
    at_place(body, place[:-1])[place[-1]] = [[value]] if isinstance(value, dict | list) else {"not": value}
    return replace(sent, body=body)
