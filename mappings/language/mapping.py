"""``compile``: text in, a ``Mapping`` out, whose functions turn pages of documents into records and back.

A mapping is pure: no clock, no network, no file. The same documents, references and context give the same values.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping as Table, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mappings.language import compiler
from mappings.language.faults import Fault, Inward, Outward, Skip
from mappings.language.files import read
from mappings.language.grammar import Block, File
from mappings.language.likeness import laid
from mappings.language.lint import LintErrors
from mappings.language.origins import FieldLineage
from mappings.language.shapes import ANY, Book, Schema, Shape, shape_of
from mappings.language.tracing import RowInfo, Trace
from mappings.language.values import EXACT


@dataclass(frozen=True, kw_only=True, slots=True)
class OutwardHead:
    """What one write consists of. ``joins``: bare name → (entity, many): what the record holds besides its own values.

    With ``per`` the record is ``{"uid": uid of the group, <per>: {…}, <entity>s: [{…}], …}``; without it, it is the
    record's values and ``uid``, joined records in place of the references to them, lists under their plural.
    """

    entity: str
    per: str | None
    with_: tuple[str, ...]
    joins: Table[str, tuple[str, bool]]
    always: tuple[str, ...] | None = None

    def changed(self, doc: dict[str, Any], told: Table[str, Any]) -> dict[str, Any]:
        """What is written of a document to a channel that keeps the fields a write leaves out.

        Without ``emit_partial`` (``always`` is None) the whole document; with it the fields that differ from what the
        channel was ``told`` last, and those that are always written.
        """
        if self.always is None:
            return doc
        differ = {name for name, value in doc.items() if name not in told or told[name] != value}
        return {name: doc[name] for name in doc if name in differ or name in self.always} if differ else doc


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mapping:
    """A compiled mapping. ``hash`` changes with anything that can change its values."""

    name: str
    platform: str
    resource: str
    hash: str
    inward: tuple[str, ...]
    outward: OutwardHead | None
    id_path: tuple[str, ...] | None  # where a document's id lies; None when an expression gives it
    source: str
    lineage: tuple[FieldLineage, ...] = field(repr=False)  # what every row reads, in the order of the file
    needs: frozenset[str] = field(repr=False)  # every path of a document that the inward mapping reads
    outward_needs: Table[str, frozenset[str]] = field(repr=False)  # entity → fields that the outward mapping reads
    tests: Any = field(repr=False)
    file: File = field(repr=False)  # the rows as written, what it extends and the forms laid in
    _one_each: bool = field(repr=False)  # every document yields exactly one item: nothing has to be counted
    _rows: list[RowInfo] = field(repr=False)
    _space: dict[str, Any] = field(repr=False)

    @property
    def rows(self) -> Sequence[RowInfo]:
        """Every row in the order of the file: its field, its place, its text; what lineage points to."""
        return self._rows

    @property
    def one_each(self) -> bool:
        """Whether every document yields exactly one item, or a fault, or a skip."""
        return self._one_each

    def inward_references(self, docs: Sequence[Any], context: Table[str, Any] | None = None) -> set[tuple[str, str]]:
        """Every (entity, external id) that the documents refer to, their own items included."""
        return self._references("inward_references", docs, context)

    def outward_references(
        self, records: Sequence[Any], context: Table[str, Any] | None = None
    ) -> set[tuple[str, str]]:
        """Every (entity, uid) that the records refer to, and each record's own."""
        return self._references("outward_references", records, context)

    def _references(self, name: str, docs: Sequence[Any], context: Table[str, Any] | None) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        run = self._space.get(name)
        if run is not None:
            with decimal.localcontext(EXACT):
                run(docs, context if context is not None else {}, found.add, lambda n: Trace(n, self._rows, []))
        return found

    def map_inward(self, docs: Sequence[Any], refs: Table[tuple[str, str], str], context: Table[str, Any]) -> Inward:
        """The records of a page, with the faults and skips of the rest; never raises for a document.

        Every item a document yields is in exactly one of the three; a document that yields none is one skip.
        """
        if not self.inward:
            raise ValueError(f"{self.name} maps nothing inward")
        return self._inward(self._space["inward"], docs, refs, context, Inward([], [], []))

    def _inward(self, run: Callable[..., None], docs: Sequence[Any], refs: Any, context: Any, result: Inward) -> Inward:
        slow = self._space["inward_safe"]

        def safe(n: int, doc: Any) -> None:
            trace = Trace(n, self._rows, result.faults, result.skips)
            slow(n, doc, refs, context, result.records.append, result.skips.append, trace)
            trace.settle(result.records.append)

        with decimal.localcontext(EXACT):
            run(docs, refs, context, result.records, result.skips, safe)
        if not self._one_each or len(result.records) < len(docs):
            yielded = {part.doc for parts in result for part in parts}
            result.skips.extend(
                Skip(n, None, None, "the document yields nothing") for n in range(len(docs)) if n not in yielded
            )
        return result

    def map_carefully(self, docs: Sequence[Any], refs: Table[tuple[str, str], str], context: Table[str, Any]) -> Inward:
        """``map_inward`` by the variant that walks every path step by step: the same result, five times slower."""
        found = Inward([], [], [])

        def run(docs: Any, refs: Any, context: Any, records: Any, skips: Any, safe: Callable[[int, Any], None]) -> None:
            for n, doc in enumerate(docs):
                safe(n, doc)

        return self._inward(run, docs, refs, context, found)

    def map_outward(
        self, records: Sequence[Any], refs: Table[tuple[str, str], Any], context: Table[str, Any]
    ) -> Outward:
        """The native documents of records, with the faults and skips of the rest; never raises for a record."""
        if self.outward is None:
            raise ValueError(f"{self.name} maps nothing outward")
        result = Outward([], [], [])
        slow = self._space["outward_safe"]

        def safe(n: int, record: Any) -> None:
            trace = Trace(n, self._rows, result.faults, result.skips)
            slow(n, record, refs, context, result.docs.append, result.skips.append, trace)

        with decimal.localcontext(EXACT):
            self._space["outward"](records, refs, context, result.docs, result.skips, safe)
        return result


def compile(  # the word for it; `mappings.language.compile` reads well
    text: str, name: str, *, load: Callable[[str], str], source_schema: Schema | None, canonical: Table[str, Schema]
) -> Mapping:
    """A mapping from its text, checked against both schemas.

    ``load(relative)`` gives the text of ``<platform>/forms.yaml`` and of a file named by ``extends``, or raises
    FileNotFoundError. ``canonical`` holds a schema per entity (and the files their ``$ref`` name). Raises
    ``LintErrors`` with every mistake found.
    """
    made_of = _MADE_OF.get((name, text))
    if made_of is not None and made_of.same(load, source_schema, canonical):
        return made_of.mapping
    given: dict[str, str | None] = {}

    def noted(relative: str) -> str:
        given[relative] = None
        given[relative] = found = load(relative)
        return found

    mapping = _compiled(text, name, noted, source_schema, canonical)
    _keep(_MADE_OF, (name, text), _MadeOf(
        given=given, source_schema=source_schema, canonical=dict(canonical), mapping=mapping
    ))
    return mapping


def _compiled(
    text: str, name: str, load: Callable[[str], str], source_schema: Schema | None, canonical: Table[str, Schema]
) -> Mapping:
    file, texts = read(text, name, load, canonical)
    digest = compiler.digest(texts, source_schema, canonical)
    known = _COMPILED.get((name, digest))
    if known is not None:
        return known
    source = ANY if source_schema is None else shape_of(source_schema, Book(root=source_schema))
    head, record = (None, ANY) if file.outward is None else _head(file.outward, canonical)
    try:
        made = compiler.emit(file, source, canonical, record)
        if made.errors:
            raise LintErrors(made.errors)
        space = compiler.compiled(made.source, made.constants, name)
    except (RecursionError, MemoryError, SyntaxError):  # Python nests at most 20 loops, and 200 parentheses
        raise LintErrors(
            [file.root.error("too-deep", "lists and objects are nested too deep", "at most 8 levels")]
        ) from None
    mapping = Mapping(
        name=name,
        platform=file.platform,
        resource=file.resource,
        hash=digest,
        inward=tuple(block.entity for block in file.inward),
        outward=head,
        id_path=file.id.segments,
        source=made.source,
        lineage=made.lineage,
        needs=made.needs.get("inward", frozenset()),
        outward_needs={} if head is None else by_entity(made.needs["outward"], head),
        tests=laid(file.tests),
        file=file,
        _one_each=len(file.inward) == 1 and file.inward[0].each is None and file.inward[0].source is None,
        _rows=made.rows,
        _space=space,
    )
    _keep(_COMPILED, (name, digest), mapping)
    return mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class _MadeOf:
    """What a mapping was compiled from beside its text; ``given``: by name, None where there was no such file."""

    given: Table[str, str | None]
    source_schema: Schema | None
    canonical: Table[str, Schema]
    mapping: Mapping

    def same(self, load: Callable[[str], str], source_schema: Schema | None, canonical: Table[str, Schema]) -> bool:
        """Whether all of it still is what it was."""
        for relative, text in self.given.items():
            try:
                if load(relative) != text:
                    return False
            except FileNotFoundError:
                if text is not None:
                    return False
        return source_schema == self.source_schema and dict(canonical) == self.canonical


MAX_COMPILED = 500
_COMPILED: dict[tuple[str, str], Mapping] = {}
"""Mappings of this process by name and content; the oldest goes first. Reading a file takes a tenth of compiling it."""
_MADE_OF: dict[tuple[str, str], _MadeOf] = {}
"""By name and text what was compiled last: whoever opens the same files again does not even read them as YAML."""
_Kept = TypeVar("_Kept")


def _keep(kept: dict[tuple[str, str], _Kept], key: tuple[str, str], value: _Kept) -> None:
    if len(kept) >= MAX_COMPILED:
        kept.pop(next(iter(kept)), None)
    kept[key] = value


def _head(block: Block, canonical: Table[str, Schema]) -> tuple[OutwardHead, Shape]:
    """The outward head, and the shape of the records it sees."""
    own = block.per or block.entity
    shapes = {name: _record_schema(canonical, name) for name in {own, block.entity, *block.with_}}
    joins: dict[str, tuple[str, bool]] = {}
    if block.per is not None:
        joins[block.per] = (block.per, False)
        joins[block.entity + "s"] = (block.entity, True)
    to_one = {prop.get("x-ref") for prop in _properties(canonical, own).values()}
    for name in block.with_:
        many = name not in to_one
        joins[name + "s" if many else name] = (name, many)
    base = shapes[own]
    properties: dict[str, Any] = {"uid": {"type": "string"}} if block.per is not None else dict(base["properties"])
    required = ["uid"]
    for bare, (entity, many) in joins.items():
        schema = shapes[entity]
        if many:
            properties[bare] = {"type": "array", "items": schema}
        elif block.per == bare:
            properties[bare] = schema
        else:
            properties[bare] = {"anyOf": [schema, {"type": "null"}]}
        if many or block.per == bare:
            required.append(bare)
    schema = {"type": "object", "additionalProperties": False, "properties": properties, "required": required}
    book = Book(root=schema, others=canonical, canonical=True)
    head = OutwardHead(entity=block.entity, per=block.per, with_=block.with_, joins=joins, always=block.emit_partial)
    return head, shape_of(schema, book)


def by_entity(needs: frozenset[str], head: OutwardHead) -> dict[str, frozenset[str]]:
    """What an outward mapping reads, per entity: its top-level fields; ``uid``, which is always there, is left out."""
    own = head.per or head.entity
    found: dict[str, set[str]] = {
        name: set() for name in {own, head.entity, *(entity for entity, _ in head.joins.values())}
    }
    for path in needs:
        first, _, rest = path.replace("[]", "").partition(".")
        entity, many = head.joins.get(first, (None, True))
        if entity is not None:
            found[entity].add(rest.partition(".")[0])
        if not many or entity is None:  # the reference itself decides too which record it is
            found[own].add(first)
    return {entity: frozenset(fields - {"", "uid", entity}) for entity, fields in found.items()}


def _properties(canonical: Table[str, Schema], name: str) -> dict[str, Any]:
    found: dict[str, Any] = dict(canonical.get(name, {}).get("properties", {}))
    return found


def _record_schema(canonical: Table[str, Schema], name: str) -> dict[str, Any]:
    """A record outward: nothing is sure to be there but its uid; stock has what the rules of trade publish."""
    properties = {key: _nullable(value, name) for key, value in _properties(canonical, name).items()}
    properties["uid"] = {"type": "string"}
    if name == "stock":
        properties["publish"] = {"type": "string", "format": "decimal"}
        properties["available_on"] = {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": ["uid"]}


def _nullable(schema: Any, name: str) -> Any:
    """The schema with null allowed, and its references to its own file naming that file."""
    if isinstance(schema, list):
        return [_nullable(item, name) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {k: _absolute(v, name) if k != "$ref" else _absolute_ref(v, name) for k, v in schema.items()}
    return {"anyOf": [made, {"type": "null"}], **{k: v for k, v in made.items() if k.startswith("x-")}}


def _absolute(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_absolute(item, name) for item in value]
    if isinstance(value, dict):
        return {k: _absolute_ref(v, name) if k == "$ref" else _absolute(v, name) for k, v in value.items()}
    return value


def _absolute_ref(value: Any, name: str) -> Any:
    return f"{name}.schema.json{value}" if isinstance(value, str) and value.startswith("#") else value


__all__ = ["Fault", "Mapping", "OutwardHead", "compile"]
