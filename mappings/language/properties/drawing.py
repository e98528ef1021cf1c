"""What is drawn for the laws: documents, records, contexts, and references that are not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping as Table, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from mappings.language.examples import CONTEXT
from mappings.language.grammar import Block, Row
from mappings.language.mapping import Mapping
from mappings.language.properties.laws import Checks
from mappings.language.properties.samples import Sample, samples, seen_in
from mappings.language.shapes import Book, Schema, shape_of


def checks_of(mapping: Mapping, source_schema: Schema | None, canonical: Table[str, Schema]) -> Checks:
    tests = [node.data() for node in mapping.tests.value] if mapping.tests is not None else []
    contexts = [{**CONTEXT, **test["context"]} for test in tests if "context" in test] or [CONTEXT]
    both = bool(mapping.inward) and mapping.outward is not None
    native: list[Any] = []
    records: list[Any] = []
    for test in tests:
        outward = test.get("direction", "inward" if mapping.inward else "outward") == "outward"
        (records if outward else native).extend(_listed(test["given"]))
        if not outward and both:
            records.extend(_listed(test.get("expect", {}).get(mapping.outward.entity)))  # type: ignore[union-attr]  # both
    kept: dict[str, Any] = {row.kept: "1" for row in _rows(mapping.file.outward) if row.kept is not None}
    for test in tests:
        for entries in test.get("refs", {}).values():
            for ref in entries.values():
                kept.update(ref.get("kept", {}) if isinstance(ref, dict) else {})
    documents = None
    if source_schema is not None and mapping.inward:
        id_path = mapping.id_path or ()
        named = [{id_path[0]: "test", **doc} if len(id_path) == 1 and isinstance(doc, dict) else doc for doc in native]
        shape = shape_of(source_schema, Book(root=source_schema))
        documents = samples(shape, seen_in(named), _valid(named, source_schema, mapping.file.forms.empty))
    return Checks(
        mapping=mapping,
        canonical=canonical,
        contexts=contexts,
        kept=kept,
        documents=documents,
        records=_records(mapping, canonical, records) if mapping.outward is not None else None,
    )


def _valid(documents: Sequence[Any], schema: Schema, empty: Sequence[Any]) -> list[Any]:
    """Those that the schema allows, where ``empty`` stands for null; tests also show what it does not."""
    validator = Draft202012Validator(dict(schema))

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        if isinstance(value, Decimal):
            return float(value)
        return None if any(value == one and type(value) is type(one) for one in empty) and value != "" else value

    return [doc for doc in documents if validator.is_valid(plain(doc))]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _rows(block: Block | None) -> Iterator[Row]:
    waiting = [] if block is None else [*block.fields, *block.let, *([block.id] if block.id is not None else [])]
    while waiting:
        row = waiting.pop()
        yield row
        waiting += [*(row.fields or ()), *(row.items or ()), *row.let]


# -- what is drawn ----------------------------------------------------------------------------------------------------
def _records(mapping: Mapping, canonical: Table[str, Schema], given_: Sequence[Any]) -> Sample:
    """Records as the outward mapping sees them: whole, with a uid, and what ``per`` and ``with`` join."""
    head = mapping.outward
    assert head is not None

    def whole(entity: str) -> dict[str, Any]:
        schema = canonical[entity]
        properties = {**schema["properties"], "uid": {"type": "string", "enum": [f"{entity}:1", f"{entity}:007"]}}
        if entity == "stock":
            properties["publish"] = {"type": "string", "enum": ["0", "1", "3", "12", "9007199254740993"]}
        always = [*schema["required"], "uid", *(["publish"] if entity == "stock" else [])]
        return {**schema, "properties": properties, "required": always}

    if head.per is None:
        schema = whole(head.entity)
    else:
        schema = {"type": "object", "properties": {"uid": whole(head.per)["properties"]["uid"]}, "required": ["uid"]}
    for name, (entity, many) in head.joins.items():
        joined: dict[str, Any] = {"type": "array", "items": whole(entity)} if many else whole(entity)
        if not many and name != head.per:
            joined = {**joined, "type": ["object", "null"]}
        schema["properties"][name] = joined
        schema["required"] = [*schema["required"], *([name] if many or name == head.per else [])]
    drawn = samples(shape_of(schema, Book(root=schema, others=canonical, canonical=True)), seen_in(given_))
    return st.one_of(drawn, drawn.map(_one_currency), drawn.map(_one_currency))


def _one_currency(record: Any) -> Any:
    """The record with all its money in one currency, as most orders have it."""
    if isinstance(record, dict):
        return {k: "KZT" if k == "currency" and v is not None else _one_currency(v) for k, v in record.items()}
    return [_one_currency(item) for item in record] if isinstance(record, list) else record


SELDOM = st.sampled_from((False, False, False, False, False, False, False, True))


@st.composite
def inward_examples(draw: Any, checks: Checks) -> tuple[Any, frozenset[tuple[str, str]], dict[str, Any]]:
    context = draw(st.sampled_from(checks.contexts))
    doc = draw(checks.documents)
    references = sorted(checks.mapping.inward_references([doc], context))
    return doc, frozenset(ref for ref in references if draw(SELDOM)), context


@st.composite
def outward_examples(draw: Any, checks: Checks) -> tuple[Any, frozenset[tuple[str, str]], dict[str, Any], Any, int]:
    context = draw(st.sampled_from(checks.contexts))
    record = draw(checks.records)
    references = sorted(checks.mapping.outward_references([record], context))
    lost = frozenset(ref for ref in references if draw(SELDOM))
    base = draw(checks.documents) if checks.pair is not None and checks.documents is not None else None
    return record, lost, context, base, draw(st.integers(1, 3))


