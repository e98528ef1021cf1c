"""Runs the tests that stand in a mapping file, and says what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping as Table
from dataclasses import dataclass
from typing import Any

from mappings.language.faults import Fault, Ref
from mappings.language.lint import LintError, LintErrors, nearest
from mappings.language.loader import Node
from mappings.language.mapping import Mapping, compile  # the word for it
from mappings.language.shapes import Schema

KEYS = ("name", "direction", "given", "expect", "absent", "refs", "context", "faults", "skips", "id")
CONTEXT: dict[str, Any] = {
    "channel": "test",
    "company": {"name": "Test", "country": "KZ", "currency": "KZT"},
    "settings": {},
    "now": "2026-01-01T00:00:00Z",
    "run": "test",
}
"""What ``context`` is in a test that does not say otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """The outcome of one test; ``diff`` says line by line what was expected and what came."""

    __test__ = False  # pytest collects what is called Test…

    name: str
    ok: bool
    diff: tuple[str, ...]
    line: int


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
        if not {"expect", "faults", "skips", "absent"} & set(test.value):
            errors.append(test.error("missing-key", "a test expects nothing", "expect, absent, faults or skips"))
    if errors:
        raise LintErrors(errors)
    return [_run(mapping, test) for test in node.value]


def _run(mapping: Mapping, node: Node) -> TestResult:
    test = node.data()
    direction = test.get("direction", "inward" if mapping.inward else "outward")
    context = {**CONTEXT, **test.get("context", {})}
    outward = direction == "outward"
    refs = _refs(test["refs"], outward) if "refs" in test else _Everything(outward)
    given = test["given"]
    diff: list[str] = []
    try:
        if outward:
            made = mapping.map_outward(given if isinstance(given, list) else [given], refs, context)
            _outward(test, made.docs, diff)
        else:
            if isinstance(given, dict) and mapping.id_path is not None and len(mapping.id_path) == 1:
                given = {mapping.id_path[0]: "test", **given}
            result = mapping.map_inward([given], refs, context)
            made = result  # type: ignore[assignment]  # faults and skips have the same shape in both
            _inward(mapping, test, result.records, diff)
        _faults(test.get("faults", []), made.faults, diff)
        if "skips" in test:
            reasons = [skip.reason for skip in made.skips]
            if reasons != test["skips"]:
                diff.append(f"skips: expected {test['skips']}, got {reasons}")
    except ValueError as error:
        diff.append(str(error))
    return TestResult(name=str(test["name"]), ok=not diff, diff=tuple(diff), line=node.line)


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


def _inward(mapping: Mapping, test: dict[str, Any], records: list[Any], diff: list[str]) -> None:
    by_entity: dict[str, list[dict[str, Any]]] = {entity: [] for entity in mapping.inward}
    for record in records:
        shown = {**record.values, "id": record.id, "keep": dict(record.keep)}
        for reference in record.local:
            _set(shown, reference.path, f"{reference.entity}:{reference.id}")
        by_entity[record.entity].append(shown)
    for entity, expected in test.get("expect", {}).items():
        came = by_entity.get(entity)
        if came is None:
            diff.append(f"{entity}: the mapping yields none; it yields {', '.join(mapping.inward)}")
        elif isinstance(expected, list):
            _compare(expected, came, entity, diff)
        elif len(came) != 1:
            diff.append(f"{entity}: expected one, got {len(came)}")
        else:
            _compare(expected, came[0], entity, diff)
    for entity, fields in test.get("absent", {}).items():
        for record in by_entity.get(entity, []):
            diff.extend(
                f"{entity}.{field}: expected to be absent, got {record[field]!r}" for field in fields if field in record
            )


def _outward(test: dict[str, Any], docs: list[Any], diff: list[str]) -> None:
    if "expect" in test:
        expected = test["expect"] if isinstance(test["expect"], list) else [test["expect"]]
        _compare(expected, [doc.doc for doc in docs], "doc", diff)
    diff.extend(
        f"doc.{field}: expected to be absent" for field in test.get("absent", []) for doc in docs if field in doc.doc
    )
    if "id" in test:
        ids = [doc.id for doc in docs]
        wanted = test["id"] if isinstance(test["id"], list) else [test["id"]]
        if ids != wanted:
            diff.append(f"id: expected {wanted}, got {ids}")


def _set(value: Any, path: tuple[str | int, ...], new: Any) -> None:
    for part in path[:-1]:
        value = value[part]
    value[path[-1]] = new


def _compare(expected: Any, came: Any, where: str, diff: list[str]) -> None:
    """Objects: the fields that are expected; lists: as many, one by one; values: equal and of the same kind."""
    if isinstance(expected, dict) and isinstance(came, dict):
        for key, value in expected.items():
            if key not in came:
                diff.append(f"{where}.{key}: expected {value!r}, it is absent")
            else:
                _compare(value, came[key], f"{where}.{key}", diff)
    elif isinstance(expected, list) and isinstance(came, list):
        if len(expected) != len(came):
            diff.append(f"{where}: expected {len(expected)} items, got {len(came)}")
        for number, (one, other) in enumerate(zip(expected, came, strict=False)):
            _compare(one, other, f"{where}[{number}]", diff)
    elif expected != came or isinstance(expected, bool) != isinstance(came, bool):
        diff.append(f"{where}: expected {expected!r}, got {came!r}")


def _faults(expected: list[Any], came: list[Fault], diff: list[str]) -> None:
    left = list(came)
    for one in expected:
        wanted = one if isinstance(one, dict) else {"field": one}
        found = next((f for f in left if all(str(getattr(f, k, None)) == str(v) for k, v in wanted.items())), None)
        if found is None:
            diff.append(f"faults: expected {wanted}, it did not come")
        else:
            left.remove(found)
    diff.extend(f"fault: {fault}" for fault in left)
