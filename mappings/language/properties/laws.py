"""The laws: each looks at one example and yields what it breaks, with the row to look at."""

from __future__ import annotations

import copy
import decimal
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping as Table, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis.strategies import SearchStrategy
from jsonschema_rs import Draft202012Validator

from mappings.language.faults import Fault, Inward, InwardRecord, OutwardDoc, Ref, Skip
from mappings.language.grammar import Block, Row
from mappings.language.mapping import Mapping
from mappings.language.properties.lossless import lossless, values_at
from mappings.language.shapes import Schema
from mappings.language.tracing import Trace
from mappings.language.values import EXACT


class Broken(NamedTuple):
    """A property that an example breaks: which, at which field, and the row that is to be looked at."""

    law: str
    field: str
    row: Row | Block | Fault
    what: str

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes two failures the same one."""
        return self.law, self.row.file if isinstance(self.row, Fault) else "", self.row.line, _bare(self.field)


class Known(dict[tuple[str, str], Any]):
    """References that resolve by name, ``variant:81001`` to ``81001`` and back, but for the lost ones."""

    def __init__(self, lost: frozenset[tuple[str, str]] = frozenset(), kept: Table[str, Any] | None = None) -> None:
        super().__init__()
        self.lost, self.kept = lost, kept

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        return default if key in self.lost else self[key]

    def __contains__(self, key: object) -> bool:
        return key not in self.lost

    def __missing__(self, key: tuple[str, str]) -> Any:
        if key in self.lost:
            raise KeyError(key)
        entity, id = key
        return f"{entity}:{id}" if self.kept is None else Ref(id.removeprefix(f"{entity}:"), self.kept)


@dataclass(frozen=True, kw_only=True, repr=False)
class Checks:
    """A mapping with what its checks need to know of it."""

    mapping: Mapping
    canonical: Table[str, Schema]
    contexts: Sequence[dict[str, Any]]
    kept: dict[str, Any]
    documents: SearchStrategy[Any] | None
    records: SearchStrategy[Any] | None
    validators: dict[str, Any] = field(default_factory=dict)
    reached: Counter[str] = field(default_factory=Counter)

    @property
    def pair(self) -> tuple[Block, Block] | None:
        """The inward block of the entity that also goes out, when both speak of the same one document."""
        out = self.mapping.file.outward
        inward = next((b for b in self.mapping.file.inward if out is not None and b.entity == out.entity), None)
        return (inward, out) if inward is not None and out is not None and inward.each is None else None


# -- inward -----------------------------------------------------------------------------------------------------------
def inward_broken(checks: Checks, example: Any) -> Iterator[Broken]:
    doc, lost, context = example
    mapping, refs = checks.mapping, Known(lost)
    try:
        made = mapping.map_inward([doc], refs, context)
    except Exception as error:  # noqa: BLE001  # that it never raises is what is being checked
        yield Broken("total", "", mapping.file.inward[0], f"it raised {type(error).__name__}")
        return
    if not (made.records or made.faults or made.skips):
        yield Broken("total", "", mapping.file.inward[0], "the document ends as no record, no fault and no skip")
    yield from _unforeseen(made.faults)
    careful = mapping.map_carefully([doc], refs, context)
    if careful.records != made.records or len(careful.faults) != len(made.faults):
        yield Broken("total", "", mapping.file.inward[0], "the fast and the safe variant differ in values or faults")
    checks.reached["total"] += 1
    checks.reached["valid"] += bool(made.records)
    for record in made.records:
        yield from _invalid(checks, record)
    if checks.pair is not None:
        for record in made.records:
            if record.entity == checks.pair[0].entity:
                yield from _echo(checks, doc, record, context, refs)


def _unforeseen(faults: Sequence[Fault]) -> Iterator[Broken]:
    """Faults that no value of the data explains: an exception of Python, a type the schema had promised."""
    for fault in faults:
        if fault.rule in ("type", "path"):
            yield Broken("total", fault.field, fault, f"{fault.message}, though the schema allows the value")


def _block(mapping: Mapping, entity: str) -> Block:
    return next(block for block in mapping.file.inward if block.entity == entity)


def _row(rows: Sequence[Row], path: Sequence[str | int]) -> Row | None:
    """The row that sets the field at a path, or the deepest one above it."""
    found: Row | None = None
    for step in path:
        if isinstance(step, int):
            continue
        below = next((row for row in rows if row.name == step), None)
        if below is None:
            return found
        found, rows = below, below.fields or ()
    return found


def _invalid(checks: Checks, record: InwardRecord) -> Iterator[Broken]:
    block = _block(checks.mapping, record.entity)
    if record.entity not in checks.validators:
        schema = {key: value for key, value in checks.canonical[record.entity].items() if key != "required"}
        checks.validators[record.entity] = Draft202012Validator(schema)  # a contribution may be silent on a field
    values = record.values
    if record.local:
        values = copy.deepcopy(values)
        for local in record.local:
            holder = values
            for step in local.path[:-1]:
                holder = holder[step]  # type: ignore[index]  # a path through objects and lists
            holder[local.path[-1]] = f"{local.entity}:{local.id}"  # type: ignore[index]  # the same
    for error in checks.validators[record.entity].iter_errors(values):
        path = list(error.instance_path)
        row = _row(block.fields, path) or block
        yield Broken("valid", _shown((record.entity, *path)), row, error.message)


def _echo(checks: Checks, doc: Any, record: InwardRecord, context: Any, refs: Known) -> Iterator[Broken]:
    """What we read, written back to the platform that told it, reads the same; so it is no edit, and the echo dies."""
    mapping, pair = checks.mapping, checks.pair
    assert pair is not None
    going = _outgoing(checks, record)
    if going is None:
        return
    made = mapping.map_outward([going], Known(kept={**checks.kept, **record.keep}), context)
    yield from _unforeseen(made.faults)
    if not made.docs:
        return
    again = _again(mapping, overlaid(doc, made.docs[0].doc, own=True), refs.lost, context)
    second = next((r for r in again.records if r.entity == record.entity), None)
    if second is None:
        fault = next((f for f in again.faults if f.entity == record.entity), None)
        if fault is not None:
            what = f"what it writes it cannot read: {fault.message}"
            yield Broken("echo", f"{record.entity}.{fault.field}", fault, what)
        return
    checks.reached["echo"] += 1
    for way, before, after in _differing(record.values, second.values, ()):
        row = _row(pair[0].fields, way) or pair[0]
        what = f"read {_brief(before)}, written back it reads {_brief(after)}"
        yield Broken("echo", _shown((record.entity, *way)), row, what)


def _differing(one: Any, other: Any, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    """Where two records differ on what both say; an absent field says nothing, here or deep inside."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in (key for key in one if key in other):
            yield from _differing(one[key], other[key], (*at, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (item, its) in enumerate(zip(one, other, strict=True)):
            yield from _differing(item, its, (*at, number))
    elif one != other:
        yield at, one, other


def _again(mapping: Mapping, doc: Any, lost: frozenset[tuple[str, str]], context: Any) -> Inward:
    """A document mapped inward once more; nothing where it raises, which the law ``total`` tells of."""
    try:
        return mapping.map_inward([doc], Known(lost), context)
    except Exception:  # noqa: BLE001  # told by another law, with a document of its own
        return Inward([], [], [])


def _outgoing(checks: Checks, record: InwardRecord) -> dict[str, Any] | None:
    """The record as it would go out to the channel that told it; None where others would go into the same write."""
    head = checks.mapping.outward
    assert head is not None
    if head.with_:
        return None
    values: dict[str, Any] = {**record.values, "uid": f"{record.entity}:{record.id}"}
    if record.entity == "stock":
        if values.get("quantity", {}).get("kind") != "available":
            return None
        values["publish"] = values["quantity"]["value"]
    if head.per is None:
        return values
    group = values.get(head.per)
    return None if group is None else {"uid": group, head.per: {"uid": group}, f"{head.entity}s": [values]}


def overlaid(base: Any, over: Any, *, own: bool = False) -> Any:
    """A document after a write: what the write leaves out stays as it was.

    Items of a list are taken one by one. Where some of the document's ``own`` items were left out, nobody can say which
    the platform would keep; the list stays as it was.
    """
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: overlaid(base.get(key), value, own=own) for key, value in over.items()}}
    if isinstance(base, list) and isinstance(over, list):
        if len(base) == len(over):
            return [overlaid(one, other, own=own) for one, other in zip(base, over, strict=True)]
        if own and any(isinstance(item, dict) for item in base):
            return base
    return over


# -- outward ----------------------------------------------------------------------------------------------------------
def outward_broken(checks: Checks, example: Any) -> Iterator[Broken]:
    record, lost, context, base, more = example
    mapping, refs = checks.mapping, Known(lost, checks.kept)
    out = mapping.file.outward
    assert out is not None
    try:
        made = mapping.map_outward([record], refs, context)
    except Exception as error:  # noqa: BLE001  # that it never raises is what is being checked
        yield Broken("total", "", out, f"it raised {type(error).__name__}")
        return
    if not (made.docs or made.faults or made.skips):
        yield Broken("total", "", out, "the record ends as no document, no fault and no skip")
    yield from _unforeseen(made.faults)
    docs: list[OutwardDoc] = []
    faults: list[Fault] = []
    with decimal.localcontext(EXACT):
        trace = Trace(0, mapping._rows, faults)
        mapping._space["outward_safe"](0, record, refs, context, docs.append, list[Skip]().append, trace)
    if docs != made.docs or len(faults) != len(made.faults):
        yield Broken("total", "", out, "the fast and the safe variant give different documents or faults")
    checks.reached["total"] += 1
    if made.docs and base is not None:
        yield from _trip(checks, record, made.docs[0].doc, base, context)
    if made.docs and out.entity == "stock":
        yield from _smaller(checks, record, made.docs[0].doc, refs, context, more)


def _trip(checks: Checks, record: Any, written: Any, base: Any, context: Any) -> Iterator[Broken]:
    """Fields that stand at one place of the document both ways come back as they went."""
    assert checks.pair is not None
    inward, _ = checks.pair
    again = _again(checks.mapping, overlaid(base, written), frozenset(), context)
    back = next((r for r in again.records if r.entity == inward.entity), None)
    if back is None:
        return
    checks.reached["round trip"] += 1
    empty = checks.mapping.file.forms.empty
    for pair in lossless(*checks.pair):
        wrote = {_numbers(way) for way, _ in values_at(written, pair.native)}
        came = dict(values_at(back.values, pair.canonical))
        for way, value in values_at(record, pair.canonical):
            if value is None or value in empty or _numbers(way) not in wrote:
                continue
            if way not in came or not _same(value, came[way]):
                what = f"{_brief(value)} went out, {_brief(came[way]) if way in came else 'nothing'} came back"
                yield Broken("round trip", _shown((inward.entity, *way)), pair.inward, what)


def _numbers(way: tuple[str | int, ...]) -> tuple[int, ...]:
    return tuple(step for step in way if isinstance(step, int))


def _smaller(checks: Checks, record: Any, doc: Any, refs: Known, context: Any, more: int) -> Iterator[Broken]:
    """More to publish at one place never gives a smaller figure."""
    out = checks.mapping.file.outward
    assert out is not None
    grown = copy.deepcopy(record)
    stocks = grown.get("stocks", []) if out.per is not None else [grown]
    if not stocks or "publish" not in stocks[0]:
        return
    stocks[0]["publish"] = str(Decimal(stocks[0]["publish"]) + more)
    made = checks.mapping.map_outward([grown], refs, context)
    if not made.docs:
        yield Broken("monotone", "publish", out, f"with {more} more to publish nothing is written any more")
        return
    checks.reached["monotone"] += 1
    after = dict(_figures(made.docs[0].doc))
    for way, figure in _figures(doc):
        if way in after and after[way] < figure:
            row = _row(out.fields, way) or out
            yield Broken("monotone", _shown(way), row, f"{figure} became {after[way]} with {more} more to publish")


def _figures(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Decimal]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _figures(inner, (*at, key))
    elif not isinstance(value, bool):
        try:
            yield at, Decimal(value)
        except (decimal.InvalidOperation, TypeError, ValueError):
            return


# -- showing ----------------------------------------------------------------------------------------------------------
def _same(one: Any, other: Any) -> bool:
    """Equal, an exact amount by its value: 12.5 is 12.50."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            Decimal(one[key]) == Decimal(other[key]) if key in ("amount", "value") else _same(one[key], other[key])
            for key in one
        )
    return bool(one == other)


def _shown(way: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way).lstrip(".")


def _bare(name: str) -> str:
    """A field without the numbers of its items."""
    return re.sub(r"\[[0-9]+\]", "", name)


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=plain_number)
    return text if len(text) <= 120 else text[:117] + "…"


def plain_number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) and value == Decimal(repr(float(value))) else str(value)
