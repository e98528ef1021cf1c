"""What does a mapping do? Field ← row ← source path ← value, as a table and as a graph; for one document, or for any.

What surprises here: the lineage is the compiler's own, so what is shown is what runs. References resolve as in a test
that names none, to ``<entity>:<id>``; nobody is asked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from deployments.authoring import CannotDo
from deployments.printing import one_line
from mappings.language import Fault, FieldLineage, Mapping as MappingFile, Skip
from mappings.language.examples import ABSENT, mapped, shown as as_expected
from mappings.language.faults import Inward, Outward

_INDEX = re.compile(r"\[\d+\]")
_PATH = re.compile(r"[\w.@-]+")
Row = dict[str, Any]


def document(given: str, mapping: MappingFile, direction: str | None) -> dict[str, Any]:
    """A test to run: one of the mapping's own by (part of) its name, or a JSON file's document (``-``: from stdin).

    Raises CannotDo for what is neither.
    """
    path = Path(given)
    if given == "-" or path.is_file():
        try:
            text = path.read_bytes() if given != "-" else b"" if sys.stdin is None else sys.stdin.buffer.read()
            read = msgspec.json.Decoder(float_hook=Decimal).decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise CannotDo(f"{given} is not JSON: {fault}") from None
        return {"given": read, "direction": direction or _only_direction(mapping)}
    tests: dict[str, Any] = {}
    for test in mapping.tests.data() if mapping.tests is not None else []:
        tests[str(test.get("name"))] = test
    fitting = [name for name in tests if given == name] or [name for name in tests if given.lower() in name.lower()]
    if len(fitting) == 1:
        return {"direction": _only_direction(mapping), **tests[fitting[0]]}
    if fitting:
        several = " or ".join(repr(name) for name in fitting)
        raise CannotDo(f"{given!r} may be the test {several}; write more of its name")
    if path.suffix == ".json" or "/" in given:
        raise CannotDo(f"there is no file {given}")
    named = "; ".join(tests) or "it has none"
    raise CannotDo(f"{given!r} is neither a JSON file nor a test of {mapping.name}; its tests: {named}")


def _only_direction(mapping: MappingFile) -> str:
    return "inward" if mapping.inward else "outward"


def rows(mapping: MappingFile, direction: str | None = None) -> list[Row]:
    """A row per row of the mapping: what it sets, where it stands, what it reads, what it does."""
    return [
        {"field": field_of(one), "row": place_of(one), "from": ", ".join(one.sources) or None, "how": how(one) or None}
        for one in mapping.lineage
        if direction in (None, one.direction)
    ]


def field_of(one: FieldLineage) -> str:
    """``order.lines[].price``; a block's own keys in brackets: ``order (drop_if: a sample)``; outward ``→ price``."""
    head = one.entity if one.direction == "inward" else "doc"
    if one.part == "fields":
        return f"{head}.{one.field}"
    return f"{head} ({one.part}{f': {one.field}' if one.field and one.field != one.part else ''})"


def place_of(one: FieldLineage) -> str:
    """file:line of a row, the file as a person here types it."""
    return f"{one.file}:{one.line}"


def how(one: FieldLineage) -> str:
    """What is done with what is read: the expression, a table, a reference."""
    parts = []
    if one.text and not _PATH.fullmatch(one.text):
        parts.append(f"= {one.text}")
    if one.table:
        parts.append("table")
    if one.ref is not None:
        parts.append(f"ref {one.ref}")
    return ", ".join(parts)


def run(mapping: MappingFile, test: Mapping[str, Any]) -> Inward | Outward:
    """What the mapping makes of it. Raises CannotDo when it has no such direction."""
    try:
        return mapped(mapping, dict(test))
    except ValueError as fault:
        raise CannotDo(str(fault)) from None


def values(mapping: MappingFile, made: Inward | Outward, given: Sequence[Any]) -> list[tuple[str, list[Row]]]:
    """Per record or document that came: its title, and a row per value: field, value, row, source path, its value."""
    found = []
    if isinstance(made, Inward):
        for record in made.records:
            lineage = [one for one in mapping.lineage if one.direction == "inward" and one.entity == record.entity]
            kept = {name: value for name, value in as_expected(record).items() if name not in ("id", "keep")}
            found.append((f"{record.entity} {record.id}", list(_rows(kept, lineage, given[record.doc]))))
    else:
        for doc in made.docs:
            lineage = [one for one in mapping.lineage if one.direction == "outward"]
            title = f"{mapping.platform} {mapping.resource} {doc.id if doc.id is not None else '(new)'}"
            found.append((title, list(_rows(doc.doc, lineage, given[doc.index]))))
    return found


def problems(made: Inward | Outward) -> Iterator[str]:
    """A sentence per fault and skip."""
    for fault in made.faults:
        yield _fault(fault)
    for skip in made.skips:
        yield _skip(skip)


def _fault(fault: Fault) -> str:
    return f"fault: {fault}"


def _skip(skip: Skip) -> str:
    what = skip.entity or "document"
    return f"skipped: {what}{f' {skip.id}' if skip.id is not None else ''}: {skip.reason}"


def _rows(record: Any, lineage: Sequence[FieldLineage], source: Any) -> Iterator[Row]:
    for field, value in leaves(record):
        row = row_of(field, lineage)
        if row is None and _is_exact(value):  # money by its form, but put together by rows of its own
            for part in value:
                yield from _rows({f"{field}.{part}": value[part]}, lineage, source)
            continue
        row = row or _first_inside(field, lineage)
        if row is None:
            yield {"field": field, "value": _in_short(value), "row": None, "from": None, "found": None}
            continue
        paths = [path for path in row.sources if not path.startswith("context.")]
        there = [text for path in paths if (text := _found(source, path, field)) is not None]
        yield {
            "field": field, "value": _in_short(value), "row": place_of(row),
            "from": ", ".join(row.sources) or how(row) or None, "found": ", ".join(there) or None,
        }


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of everything that is neither an object nor a list; exact values (money, quantity) are one leaf."""
    if isinstance(value, Mapping) and value and not _is_exact(value):
        for name, one in value.items():
            yield from leaves(one, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from leaves(one, f"{path}[{number}]")
    else:
        yield path, value


def _is_exact(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) in ({"amount", "currency"}, {"value", "unit", "kind"})


def _in_short(value: Any) -> str:
    """Money and quantities as people write them, everything else as JSON."""
    return " ".join(str(part) for part in value.values()) if _is_exact(value) else one_line(value)


def row_of(field: str, lineage: Sequence[FieldLineage]) -> FieldLineage | None:
    """The row that sets a field: the one with the longest path that leads to it."""
    wanted = _INDEX.sub("[]", field)
    best: FieldLineage | None = None
    for row in lineage:
        name = _INDEX.sub("[]", row.field)
        fits = row.part == "fields" and (wanted == name or wanted.startswith((f"{name}.", f"{name}[")))
        if fits and (best is None or len(row.field) >= len(best.field)):
            best = row
    return best


def _first_inside(field: str, lineage: Sequence[FieldLineage]) -> FieldLineage | None:
    """The first row inside an object that came out empty."""
    wanted = _INDEX.sub("[]", field)
    inside = (row for row in lineage if _INDEX.sub("[]", row.field).startswith((f"{wanted}.", f"{wanted}[")))
    return next(inside, None)


def _found(source: Any, path: str, field: str) -> str | None:
    """What stands at a source path; of a list the item with the field's own number, when there are as many."""
    several = list(_walk(source, path))
    if not several:
        return None
    if "[]" in path:
        number = re.search(r"\[(\d+)\]", field)
        if number is not None and int(number[1]) < len(several) and path.count("[]") == 1:
            several = [several[int(number[1])]]
    text = ", ".join("absent" if one is ABSENT else one_line(one) for one in several)
    return text if len(text) <= 120 else text[:119] + "…"


def _walk(value: Any, path: str) -> Iterator[Any]:
    if path in ("", "*"):
        yield value
        return
    step, _, rest = path.replace("[]", ".[]").removeprefix(".").partition(".")
    rest = rest.replace(".[]", "[]")
    if step == "[]":
        for one in value if isinstance(value, list) else []:
            yield from _walk(one, rest)
    elif isinstance(value, Mapping):
        if step in value:
            yield from _walk(value[step], rest)
        else:
            yield ABSENT
    elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
        yield from _walk(value[int(step)], rest)


def mermaid(mapping: MappingFile, direction: str | None = None) -> str:
    """The lineage as a Mermaid flowchart: source paths on the left, fields on the right, an edge per path read."""
    lines = ["flowchart LR"]
    for side in ("inward", "outward"):
        lineage = [one for one in mapping.lineage if one.direction == side and direction in (None, side)]
        lineage = [one for one in lineage if one.part in ("fields", "id", "keep")]
        if not lineage:
            continue
        sources = list(dict.fromkeys(path for one in lineage for path in one.sources))
        native = f"{mapping.platform} {mapping.resource}"
        canonical = mapping.outward.entity if side == "outward" and mapping.outward is not None else "record"
        names = {path: f"{side[0]}s{number}" for number, path in enumerate(sources)}
        title = native if side == "inward" else canonical
        lines += _group(f"{side}_from", title, [(name, path) for path, name in names.items()])
        by_entity: dict[str, list[tuple[str, str]]] = {}
        edges = []
        for number, one in enumerate(lineage):
            target = f"{side[0]}t{number}"
            title = one.entity if side == "inward" else native
            label = one.field if one.part == "fields" else f"({one.part}) {one.field}".strip()
            by_entity.setdefault(title, []).append((target, label))
            words = [f"{name}()" for name in one.functions]
            words += ["table"] if one.table else []
            words += [f"ref {one.ref}"] if one.ref is not None else []
            label = f'|"{_text(", ".join(words))}"|' if words else ""
            edges += [f"  {names[path]} -->{label} {target}" for path in one.sources]
        for number, (title, targets) in enumerate(by_entity.items()):
            lines += _group(f"{side}_to{number}", title, targets)
        lines += dict.fromkeys(edges)
    return "\n".join(lines)


def _group(name: str, title: str, nodes: Sequence[tuple[str, str]]) -> list[str]:
    return [f'  subgraph {name}["{_text(title)}"]', *(f'    {id}["{_text(label)}"]' for id, label in nodes), "  end"]


def _text(text: str) -> str:
    return text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def needs(mapping: MappingFile) -> dict[str, list[str]]:
    """What the mapping reads: paths of the platform's document, and outward fields of each entity."""
    found = {f"{mapping.platform} {mapping.resource}": sorted(mapping.needs)} if mapping.inward else {}
    return found | {entity: sorted(fields) for entity, fields in mapping.outward_needs.items()}
