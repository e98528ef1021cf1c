"""Compiles a mapping file to Python source: a page function inward, one outward, and one each for their references.

The generated source is kept (``Mapping.source``) for people to read. Its globals hold nothing but the functions of the
language and the constants of the file; ``__builtins__`` is reduced to the four names the emitter uses.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mappings.language import (
    amounts,
    bounded,
    bounds,
    faults,
    functions,
    moments,
    operators,
    ordering,
    origins,
    tracing,
    types,
    values,
)
from mappings.language.blocks import Emitter
from mappings.language.grammar import File, Forms
from mappings.language.kinds import Val
from mappings.language.lint import LintError
from mappings.language.shapes import Book, Schema, Shape, shape_of

VERSION = "2"
"""Part of every mapping's hash: raised when the same file may give other values than before."""

_CONTEXT: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["channel", "company", "settings", "now", "run"],
    "properties": {
        "channel": {"type": "string"},
        "company": {"type": "object"},
        "settings": {"type": "object"},
        "now": {"type": "string", "format": "date-time"},
        "run": {"type": "string"},
        "tables": {"type": "object"},
    },
}

_GLOBALS: dict[str, Any] = {
    "__builtins__": {
        "enumerate": enumerate,
        "frozenset": frozenset,
        "len": len,
        "str": str,
        "Exception": Exception,
        "int": int,
        "bool": bool,
        "list": list,
        "dict": dict,
    },
    **{f"f_{name}": function.run for name, function in functions.FUNCTIONS.items()},
    **{reader.__name__: reader for reader in types.READERS.values()},
    **{
        f"op_{name}": getattr(operators, name)
        for name in ("add", "subtract", "multiply", "divide", "floor_divide", "remainder")
    },
    "Work": bounds.Work,
    "less": operators.less,
    "same_value": operators.same_value,
    "truth": operators.truth,
    **{
        name: getattr(amounts, name)
        for name in (
            "money_json",
            "money_out",
            "minor_of",
            "money_rounded",
            "add_money",
            "subtract_money",
            "sum_money",
            "quantity_json",
            "quantity_out",
            "plain",
            "native",
        )
    },
    "MISSING": values.MISSING,
    "number_text": values.number_text,
    "moment_text": moments.moment_text,
    **{
        name: getattr(tracing, name)
        for name in (
            "FAULTED",
            "walk",
            "met",
            "emptied",
            "at",
            "nullified",
            "need",
            "no_case",
            "not_null",
            "choose",
            "refer",
            "refer_out",
            "region",
        )
    },
    "within": bounded.within,
    "EMPTY": bounded.EMPTY,
    "distinct_by": ordering.distinct_by,
    "grouped_by": ordering.grouped_by,
    "sorted_by": ordering.sorted_by,
    "Skip": faults.Skip,
    "InwardRecord": faults.InwardRecord,
    "OutwardDoc": faults.OutwardDoc,
    "contains": functions.FUNCTIONS["contains"].run,
    **{
        f"{kind}_{word}": tracing.only(python, what, hint, null=word == "only")
        for kind, (python, what, hint) in tracing.CHECKED.items()
        for word in ("only", "sure")
    },
    "present": lambda items: [item for item in items if item is not values.MISSING],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Emitted:
    """A module's source, its constants, its rows, the mistakes found; ``needs`` by direction."""

    source: str
    constants: dict[str, Any]
    rows: list[tracing.RowInfo]
    errors: list[LintError]
    lineage: tuple[origins.FieldLineage, ...]
    needs: Mapping[str, frozenset[str]]


def emit(file: File, source: Shape, canonical: Mapping[str, Schema], record: Shape) -> Emitted:
    """The module's source and what was learned on the way."""
    book = Book(root=_CONTEXT)
    context = Val(
        code="context", kind="object", null=False, shape=shape_of(_CONTEXT, book), text="context", place=origins.CONTEXT
    )
    parts: list[str] = []
    constants: dict[str, Any] = {"OWN": frozenset(block.entity for block in file.inward)}
    infos: list[tracing.RowInfo] = []
    errors: list[LintError] = []
    lineage: list[origins.FieldLineage] = []
    needs: dict[str, frozenset[str]] = {}

    def emitter(shape: Shape, *, safe: bool, inward: bool, forms: Forms) -> Emitter:
        doc = Val(code="doc", kind=shape.kind if shape.kind == "object" else "any", null=False, shape=shape, place="")
        made = Emitter(canonical=canonical, safe=safe, inward=inward, forms=forms, doc=doc, context=context)
        made.count = len(constants) * 1000 + 1000
        made.infos = infos
        made.tables = file.tables
        return made

    def add(kind: str, safe: bool, inward: bool, run: Callable[[Emitter], list[str]]) -> None:
        made = emitter(source if inward else record, safe=safe, inward=inward, forms=file.forms)
        lines = run(made)
        if not safe:
            errors.extend(made.errors)
            if kind in ("inward", "outward"):
                lineage.extend(made.lineage)
                needs[kind] = made.needs()
        constants.update(made.constants)
        parts.extend(_wrapped(kind, lines, safe, needs_mark=len(file.inward) > 1 or any(b.each for b in file.inward)))

    if file.inward:
        add("inward", False, True, lambda e: e.inward_page(file))
        add("inward", True, True, lambda e: e.inward_page(file))
        add("inward_references", False, True, lambda e: e.references_page(file.inward))
        add("inward_references", True, True, lambda e: e.references_page(file.inward))
    if file.outward is not None:
        block = file.outward
        add("outward", False, False, lambda e: e.outward_page(block, source))
        add("outward", True, False, lambda e: e.outward_page(block, source))
        add("outward_references", False, False, lambda e: e.references_page([block]))
        add("outward_references", True, False, lambda e: e.references_page([block]))
    return Emitted(
        source="\n".join(parts) + "\n",
        constants=constants,
        rows=infos,
        errors=errors,
        lineage=tuple(lineage),
        needs=needs,
    )


def _wrapped(kind: str, lines: list[str], safe: bool, *, needs_mark: bool) -> list[str]:
    """A function around the body of a loop. A record that the fast one cannot map goes through the safe one."""
    body = lines or ["            pass"]
    if any("work." in line for line in body):
        body = ["            work = Work()", *body]
    if kind.endswith("references"):
        if safe:
            return [f"def {kind}_safe(n, doc, context, add, tr):", "    for _ in (0,):", "        if True:", *body, ""]
        return [
            f"def {kind}(docs, context, add, trace):",
            "    for n, doc in enumerate(docs):",
            "        try:",
            *body,
            "        except Exception:",
            f"            {kind}_safe(n, doc, context, add, trace(n))",
            "",
        ]
    if safe:
        return [
            f"def {kind}_safe(n, doc, refs, context, add, skip, tr):",
            "    for _ in (0,):",
            "        if True:",
            *body,
            "",
        ]
    mark = ["        mark = len(records), len(skips)"]
    undo = ["            del records[mark[0]:], skips[mark[1]:]"]
    return [
        f"def {kind}(docs, refs, context, records, skips, safe):",
        "    add = records.append",
        "    skip = skips.append",
        "    for n, doc in enumerate(docs):",
        *(mark if needs_mark else []),
        "        try:",
        *body,
        "        except Exception:",
        *(undo if needs_mark else []),
        "            safe(n, doc)",
        "",
    ]


# What Python would say of a constant compared with null is said better by lint, with its line and column.
warnings.filterwarnings("ignore", category=SyntaxWarning, module=r"<.+\.yaml>\Z")


def compiled(source: str, constants: dict[str, Any], name: str) -> dict[str, Any]:
    """The functions of the generated source."""
    space = {**_GLOBALS, **constants, "__builtins__": dict(_GLOBALS["__builtins__"])}
    exec(compile(source, f"<{name}>", "exec"), space)  # noqa: S102  # the emitter writes only whitelisted nodes
    return space


def digest(texts: list[str], source_schema: Schema | None, canonical: Mapping[str, Schema]) -> str:
    """The content hash of a mapping: its texts, the schemas, the compiler's version."""
    made = hashlib.blake2b(digest_size=16)
    for part in (VERSION, *texts, _written(source_schema), _canonical_written(canonical)):
        encoded = part.encode("utf-8", "surrogatepass")
        made.update(len(encoded).to_bytes(8, "big") + encoded)
    return made.hexdigest()


def _written(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True, default=str)


def _canonical_written(canonical: Mapping[str, Schema]) -> str:
    """The same object stands behind all mappings of a house, so it is written once."""
    global _last
    if _last[0] is not canonical:
        _last = (canonical, _written(dict(canonical)))
    return _last[1]


_last: tuple[Mapping[str, Schema] | None, str] = (None, "")
