"""What holds whatever an author writes and whatever a document holds."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from mappings import language
from mappings.language import LintErrors, Mapping, Ref

ROOT = Path(__file__).resolve().parents[2]
CANONICAL: dict[str, Any] = {
    path.name.removesuffix(".json").removesuffix(".schema"): json.loads(path.read_text())
    for path in sorted((ROOT / "mappings" / "canonical").glob("*.json"))
}
CODES = set(re.findall(r"^### (\S+)$", (ROOT / "mappings" / "ERRORS.md").read_text(), re.MULTILINE))
CONTEXT: dict[str, Any] = {
    "channel": "fuzz",
    "company": {"name": "Fuzz", "country": "KZ", "currency": "KZT", "tax": "0.16", "price_list": "retail"},
    "settings": {"shop": "x", "rates": []},
    "tables": {},
    "now": "2026-01-01T00:00:00Z",
    "run": "fuzz",
}
SECONDS = 20.0
"""CPU time that no file and no document may take; everything measured stays far below on any machine."""


class _Everything(dict[tuple[str, str], Any]):
    """Every reference is known."""

    def __init__(self, outward: bool) -> None:
        super().__init__()
        self.outward = outward

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        return self[key]

    def __missing__(self, key: tuple[str, str]) -> Any:
        return Ref(f"{key[0]}:{key[1]}", {"b": "kept"}) if self.outward else f"{key[0]}:{key[1]}"


def load(relative: str) -> str:
    """The file of the checkout that a mapping names."""
    path = (ROOT / "mappings" / relative).resolve()
    if not path.is_relative_to(ROOT / "mappings") or not path.is_file():
        raise FileNotFoundError(relative)
    return path.read_text()


def compiled(text: str, name: str = "x/r.yaml", schema: Any = None) -> Mapping | None:
    """The mapping, or None when lint refused it; nothing else may happen."""
    start = time.process_time()
    try:
        return language.compile(text, name, load=load, source_schema=schema, canonical=CANONICAL)
    except LintErrors as refused:
        right(refused)
        return None
    finally:
        assert time.process_time() - start < SECONDS, "compiling took too long"


def right(refused: LintErrors, lines: int | None = None) -> None:
    """Every mistake has a place and a code of the catalogue."""
    assert refused.errors
    for error in refused.errors:
        assert error.code in CODES, error
        assert error.line >= 1, error
        assert lines is None or error.line <= lines, error
        assert error.column >= 1, error
        assert error.what, error


def total(mapping: Mapping, docs: Sequence[Any]) -> None:
    """Every document ends as records, faults or a skip, in both directions; nothing raises, what comes out is JSON."""
    start = time.process_time()
    refs: Any
    for refs in (_Everything(False), {}):
        if mapping.inward:
            mapping.inward_references(docs, CONTEXT)
            result = mapping.map_inward(docs, refs, CONTEXT)
            told = {part.doc for parts in result for part in parts}
            assert told == set(range(len(docs)))
            for record in result.records:
                assert record.entity in mapping.inward
                assert isinstance(record.id, str)
                assert _exact(record.values)
                assert record.covers >= set(record.values)
            str(result.faults)
    for refs in (_Everything(True), {}):
        if mapping.outward is not None:
            records = [doc if isinstance(doc, dict) else {"uid": "u", "a": doc} for doc in docs]
            mapping.outward_references(records, CONTEXT)
            out = mapping.map_outward(records, refs, CONTEXT)
            told = {doc.index for doc in out.docs} | {part.doc for part in (*out.faults, *out.skips)}
            assert told == set(range(len(records)))
            for doc in out.docs:
                assert doc.id is None or isinstance(doc.id, str)
                assert _native(doc.doc)
    assert time.process_time() - start < SECONDS, "mapping took too long"


def _exact(value: Any) -> bool:
    """Canonical JSON: no fraction but in text."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _exact(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_exact, value))
    return value is None or isinstance(value, str | bool | int)


def _native(value: Any) -> bool:
    """JSON with exact numbers."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _native(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_native, value))
    return value is None or isinstance(value, str | bool | int | Decimal)
