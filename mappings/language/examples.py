"""Runs the tests that stand in a mapping file, and says what differs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping as Table
from dataclasses import dataclass
from typing import Any

from mappings.language.faults import Fault, Inward, InwardRecord, Outward, OutwardDoc, Ref
from mappings.language.lint import LintError, LintErrors, nearest
from mappings.language.loader import Node
from mappings.language.mapping import Mapping, compile  # the word for it
from mappings.language.shapes import Schema
from mappings.language.values import MISSING

KEYS = ("name", "direction", "like", "given", "expect", "absent", "refs", "context", "faults", "skips", "id")
CONTEXT: dict[str, Any] = {
    "channel": "test",
    "company": {"name": "Test", "country": "KZ", "currency": "KZT"},
    "settings": {},
    "now": "2026-01-01T00:00:00Z",
    "run": "test",
}
"""What ``context`` is in a test that does not say otherwise."""


ABSENT: Any = MISSING
"""What was expected, or what came, where there is nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One value that is not as expected. ``path`` leads to the expectation inside the test, ``("expect", "order", …)``.

    ``field`` is the value's own path as people write it (``order.lines[0].total``), ``what`` the whole as a sentence.
    """

    path: tuple[str | int, ...]
    field: str
    expected: Any
    got: Any
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """The outcome of one test; ``diff`` says line by line what was expected and what came."""

    __test__ = False  # pytest collects what is called Test…

    name: str
    ok: bool
    differences: tuple[Difference, ...]
    line: int
    direction: str

    @property
    def diff(self) -> tuple[str, ...]:
        """A sentence per difference."""
        return tuple(one.what for one in self.differences)


class _Everything(dict[tuple[str, str], Any]):
    """References of a test that names none: everything resolves, to ``<entity>:<id>``."""

    def __init__(self, outward: bool) -> None:
        super().__init__()
        self.outward = outward

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        return self[key]

    def __missing__(self, key: tuple[str, str]) -> Any:
        name = f"{key[0]}:{key[1]}"
        return Ref(name, {}) if self.outward else name


def compare(expected: Table[str, Any], came: Table[str, Any]) -> tuple[Difference, ...]:
    """How ``came`` differs from what is expected: objects on the keys that are expected, lists item by item."""
    found: list[Difference] = []
    for key, value in expected.items():
        if key in came:
            _compare(value, came[key], ("expect", key), key, found)
        else:
            _differ(found, ("expect", key), key, value, ABSENT)
    return tuple(found)


def run_tests(
    text: str, name: str, *, load: Callable[[str], str], source_schema: Schema | None, canonical: Table[str, Schema]
) -> list[TestResult]:
    """Compiles the mapping and runs its tests; raises ``LintErrors`` when it, or the form of a test, is wrong."""
    mapping = compile(text, name, load=load, source_schema=source_schema, canonical=canonical)
    return run_tests_of(mapping)


def run_tests_of(mapping: Mapping) -> list[TestResult]:
    """Runs the tests of a compiled mapping."""
    node: Node | None = mapping.tests
    if node is None:
        return []
    errors: list[LintError] = []
    if node.kind != "list":
        raise LintErrors([node.error("shape", "tests is a list", "- {name: …, given: …, expect: …}")])
    before: list[str] = []
    for test in node.value:
        if test.kind != "map":
            errors.append(test.error("shape", "a test is a map", "{name: …, given: …, expect: …}"))
            continue
        errors += [
            test.error("unknown-key", f"unknown key {k!r} in a test", nearest(k, KEYS), key=k)
            for k in test.value
            if k not in KEYS
        ]
        errors += [
            test.error("missing-key", f"a test has no {k}", "") for k in ("name", "given") if k not in test.value
        ]
        like = test.data().get("like")
        if like is not None and str(like) not in before:
            errors.append(test.error("shape", f"no earlier test is called {str(like)!r}", nearest(str(like), before),
                                     key="like"))
        before.append(str(test.data().get("name")))
        if not {"expect", "faults", "skips", "absent"} & set(test.value):
            errors.append(test.error("missing-key", "a test expects nothing", "expect, absent, faults or skips"))
        absent, said = test.value.get("absent"), test.data().get("direction", "inward" if mapping.inward else "outward")
        if absent is not None and absent.kind != ("map" if said == "inward" else "list"):
            errors.append(test.error("shape", "absent names fields that must not be there",
                                     "inward {product: [name]}, outward [name]", key="absent"))
    if errors:
        raise LintErrors(errors)
    return [_run(mapping, test) for test in node.value]


def _run(mapping: Mapping, node: Node) -> TestResult:
    test = node.data()
    direction = test.get("direction", "inward" if mapping.inward else "outward")
    diff: list[Difference] = []
    try:
        made = mapped(mapping, test)
        if isinstance(made, Outward):
            _outward(test, made.docs, diff)
        else:
            _inward(mapping, test, made.records, diff)
        _faults(test.get("faults", []), made.faults, diff)
        if "skips" in test:
            reasons = [skip.reason for skip in made.skips]
            if reasons != test["skips"]:
                _differ(diff, ("skips",), "skips", test["skips"], reasons)
    except ValueError as error:
        diff.append(Difference(path=(), field="", expected=ABSENT, got=ABSENT, what=str(error)))
    return TestResult(
        name=str(test["name"]), ok=not diff, differences=tuple(diff), line=node.line, direction=direction
    )


def mapped(mapping: Mapping, test: dict[str, Any]) -> Inward | Outward:
    """What the mapping makes of a test's ``given``, with its references and context. Raises ValueError."""
    outward = test.get("direction", "inward" if mapping.inward else "outward") == "outward"
    context = {**CONTEXT, **test.get("context", {})}
    refs = _refs(test["refs"], outward) if "refs" in test else _Everything(outward)
    given = test["given"]
    if outward:
        return mapping.map_outward(given if isinstance(given, list) else [given], refs, context)
    documents = given if isinstance(given, list) else [given]
    if mapping.id_path is not None and len(mapping.id_path) == 1:
        own = mapping.id_path[0]
        documents = [{own: "test", **doc} if isinstance(doc, dict) else doc for doc in documents]
    return mapping.map_inward(documents, refs, context)


def _refs(given: dict[str, Any], outward: bool) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for entity, entries in given.items():
        for key, value in entries.items():
            if outward:
                found[entity, key] = (
                    Ref(value["id"], value.get("kept", {})) if isinstance(value, dict) else Ref(value, {})
                )
            else:
                found[entity, key] = value
    return found


def shown(record: InwardRecord) -> dict[str, Any]:
    """An inward record as a test expects it: its values with ``id`` and ``keep``, local references as entity:id."""
    found: dict[str, Any] = {**copy.deepcopy(record.values), "id": record.id, "keep": dict(record.keep)}
    for reference in record.local:
        _set(found, reference.path, f"{reference.entity}:{reference.id}")
    return found


def _inward(mapping: Mapping, test: dict[str, Any], records: list[InwardRecord], diff: list[Difference]) -> None:
    by_entity: dict[str, list[dict[str, Any]]] = {entity: [] for entity in mapping.inward}
    for record in records:
        by_entity[record.entity].append(shown(record))
    for entity, expected in test.get("expect", {}).items():
        came = by_entity.get(entity)
        path = ("expect", entity)
        if came is None:
            what = f"{entity}: the mapping yields none; it yields {', '.join(mapping.inward)}"
            diff.append(Difference(path=path, field=entity, expected=expected, got=ABSENT, what=what))
        elif isinstance(expected, list):
            _compare(expected, came, path, entity, diff)
        elif len(came) != 1:
            what = f"{entity}: expected one, got {len(came)}"
            diff.append(Difference(path=path, field=entity, expected=expected, got=came, what=what))
        else:
            _compare(expected, came[0], path, entity, diff)
    for entity, fields in test.get("absent", {}).items():
        for one in by_entity.get(entity, []):
            for number, name in enumerate(fields):
                if (found := _at(one, name)) is not ABSENT:
                    _unwanted(diff, ("absent", entity, number), f"{entity}.{name}", found)


def _outward(test: dict[str, Any], docs: list[OutwardDoc], diff: list[Difference]) -> None:
    if "expect" in test:
        if isinstance(test["expect"], list):
            _compare(test["expect"], [doc.doc for doc in docs], ("expect",), "doc", diff)
        elif len(docs) != 1:
            what = f"doc: expected one, got {len(docs)}"
            came = [doc.doc for doc in docs]
            diff.append(Difference(path=("expect",), field="doc", expected=test["expect"], got=came, what=what))
        else:
            _compare(test["expect"], docs[0].doc, ("expect",), "doc", diff)
    for number, name in enumerate(test.get("absent", [])):
        for doc in docs:
            if (found := _at(doc.doc, name)) is not ABSENT:
                _unwanted(diff, ("absent", number), f"doc.{name}", found)
    if "id" in test:
        many = isinstance(test["id"], list)
        ids = [doc.id for doc in docs]
        if ids != (test["id"] if many else [test["id"]]):
            _differ(diff, ("id",), "id", test["id"], ids if many or len(ids) != 1 else ids[0])


def _at(value: Any, path: str) -> Any:
    """What stands at a path of names and item numbers such as ``address.city`` or ``lines.0.sku``."""
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return value


def _set(value: Any, path: tuple[str | int, ...], new: Any) -> None:
    for part in path[:-1]:
        value = value[part]
    value[path[-1]] = new


def _differ(diff: list[Difference], path: tuple[str | int, ...], field: str, expected: Any, got: Any) -> None:
    came = "it is absent" if got is ABSENT else f"got {got!r}"
    what = f"{field}: expected {expected!r}, {came}"
    diff.append(Difference(path=path, field=field, expected=expected, got=got, what=what))


def _unwanted(diff: list[Difference], path: tuple[str | int, ...], field: str, got: Any) -> None:
    what = f"{field}: expected to be absent, got {got!r}"
    diff.append(Difference(path=path, field=field, expected=ABSENT, got=got, what=what))


def _compare(expected: Any, came: Any, path: tuple[str | int, ...], where: str, diff: list[Difference]) -> None:
    """Objects: the fields that are expected; lists: as many, one by one; values: equal and of the same kind."""
    if isinstance(expected, dict) and isinstance(came, dict):
        for key, value in expected.items():
            if key not in came:
                _differ(diff, (*path, key), f"{where}.{key}", value, ABSENT)
            else:
                _compare(value, came[key], (*path, key), f"{where}.{key}", diff)
    elif isinstance(expected, list) and isinstance(came, list):
        if len(expected) != len(came):
            what = f"{where}: expected {len(expected)} items, got {len(came)}"
            diff.append(Difference(path=path, field=where, expected=expected, got=came, what=what))
        for number, (one, other) in enumerate(zip(expected, came, strict=False)):
            _compare(one, other, (*path, number), f"{where}[{number}]", diff)
    elif expected != came or isinstance(expected, bool) != isinstance(came, bool):
        _differ(diff, path, where, expected, came)


def _faults(expected: list[Any], came: list[Fault], diff: list[Difference]) -> None:
    left = list(came)
    for number, one in enumerate(expected):
        wanted = one if isinstance(one, dict) else {"field": one}
        found = next((f for f in left if all(str(getattr(f, k, None)) == str(v) for k, v in wanted.items())), None)
        if found is None:
            what = f"faults: expected {wanted}, it did not come"
            diff.append(Difference(path=("faults", number), field="faults", expected=wanted, got=ABSENT, what=what))
        else:
            left.remove(found)
    for fault in left:
        got = {"field": fault.field, "entity": fault.entity, "kind": fault.kind}
        diff.append(Difference(path=("faults",), field="faults", expected=ABSENT, got=got, what=f"fault: {fault}"))
