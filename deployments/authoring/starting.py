"""Starts a project or a mapping from a skeleton that lints and passes its own tests.

What surprises here: no file that exists is ever overwritten. A mapping's skeleton is compiled while it is made: its
test is what the rows make of the sample, and what lint still misses is said.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.authoring import CannotDo, inferring, proposing
from deployments.authoring.editing import written
from deployments.authoring.explaining import run
from deployments.authoring.finding import project_of, shown
from deployments.authoring.schemas import write as write_schemas
from deployments.authoring.skeletons import PROJECT, README
from flows.mapping_files import PACKAGE, compile_file, mapping_files
from mappings import canonical
from mappings.language import Inward, LintError, LintErrors, nearest
from mappings.language.examples import shown as as_expected

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VALUES = (("currency", "EUR"), ("country", "KZ"), ("email", "kim@example.kz"))
MODELINE = "# yaml-language-server: $schema={}\n"
RETAIL = PACKAGE.parent / "deployments" / "sandbox" / "retail"


@dataclass(frozen=True, kw_only=True)
class Started:
    """The files that were written, and what is left to do: mistakes that lint still finds, then sentences."""

    files: Sequence[Path]
    errors: Sequence[LintError]
    next: Sequence[str]


# -- a mapping --------------------------------------------------------------------------------------------------------
def mapping(
    folder: Path, platform: str, resource: str, *, entity: str | None, schema: str | None, sample: str | None
) -> Started:
    """``<platform>/<resource>.yaml`` with its native schema: rows proposed from a schema or sample, or a bare skeleton.

    Raises CannotDo for a name that cannot be one, a file that exists, an unknown entity, a schema that cannot be read.
    """
    named(platform, "platform")
    named(resource, "resource")
    root = root_of(folder)
    place = root / "mappings" / platform
    own = project_of(root)
    if f"{resource}.yaml" in mapping_files(own, platform):
        there = mapping_files(own, platform)[f"{resource}.yaml"]
        raise CannotDo(f"{shown(there)} exists; edit it, or lay a file over it with `extends: {platform}/{resource}`")
    entity = entity or proposing.entity_of(resource)
    if entity is None:
        raise CannotDo(f"which entity is {resource!r}? name it with --entity: {', '.join(canonical.ENTITIES)}")
    if entity not in canonical.ENTITIES:
        raise CannotDo(f"unknown entity {entity!r}; {nearest(entity, canonical.ENTITIES)}")
    docs, native = _native(resource, schema, sample)
    lines = _mapping_lines(platform, resource, entity, native)
    path = place / f"{resource}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = MODELINE.format(schema_place(root, place)) + "".join(f"{line}\n" for line in lines)
    beside = path.with_name(f"{resource}.schema.json")
    beside.write_text(schema_text(platform, resource, native), encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    files = [path, beside]
    try:
        made = compile_file(own, path, name=shown(path))
    except LintErrors as found:
        names = [line.partition(":")[0] for line in lines[lines.index(f"  {entity}:") + 1 :]]
        fields = {name.strip(): "review" for name in names if re.fullmatch(r" {4}\w+", name)}
        path.write_text(text + _test(docs[0], {entity: fields}), encoding="utf-8")
        return Started(files=files, errors=found.errors, next=[
            f"mend what lint says, judge each row marked `{proposing.MARK}`; then "
            f"`serai test {shown(path)} --update` writes what came into its test",
        ])
    kept = inferring.pruned(native, sorted(made.needs))
    beside.write_text(schema_text(platform, resource, kept), encoding="utf-8")
    doc = inferring.cut(docs[0], kept)
    result = run(made, {"given": doc})
    expect: dict[str, Any] = {}
    for record in result.records if isinstance(result, Inward) else ():
        values = as_expected(record)
        expect[record.entity] = {name: value for name, value in values.items() if name != "keep" or value != {}}
    more = {"faults": [{"field": fault.field, "kind": fault.kind} for fault in result.faults]} if result.faults else {}
    path.write_text(text + _test(doc, expect, **more), encoding="utf-8")
    said = [f"{fault.field}: {fault.message}" for fault in result.faults]
    return Started(files=files, errors=[], next=[
        *(f"the sample is at fault: {sentence}" for sentence in said),
        f"judge each row marked `{proposing.MARK}` in {shown(path)}; `serai test {shown(path)}`",
    ])


def _native(resource: str, schema: str | None, sample: str | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Documents to test with, and the schema of all of them."""
    if schema is not None and sample is not None:
        raise CannotDo("one of --from-schema, --from-sample")
    if sample is not None:
        docs = inferring.documents(inferring.read(sample), resource)
        return docs, inferring.of_samples(docs)
    if schema is not None:
        file = schema.partition("#")[0]
        native = inferring.of_vendor(inferring.read(schema), inferring.read(file))
        return [_example(native)], native
    doc = {"id": "1", "code": "A-1", "title": "An example", "active": True}
    return [doc], inferring.of_samples([doc])


def _mapping_lines(platform: str, resource: str, entity: str, native: dict[str, Any]) -> list[str]:
    properties = native.get("properties", {})
    names = [name for name in ("id", "uuid", "gid", "code", "key", "number", "_id") if name in properties]
    names += [name for name in properties if name.lower().endswith(("id", "_id"))]
    lines = [f"platform: {platform}", f"resource: {resource}"]
    if names and names[0] != "id":
        lines.append(f"id: {names[0]}   {proposing.MARK}: where a document's id lies")
    if not names:
        lines.append(f"# id:   {proposing.MARK}: where a document's id lies; no field is called so")
    lines.append(proposing.forms(native))
    lines += ["inward:", f"  {entity}:"]
    lines += [f"    {line}" for line in proposing.rows(canonical.schemas()[entity], native)]
    return lines


def _test(doc: dict[str, Any], expect: dict[str, Any], **more: Any) -> str:
    """A test of the sample: what came is what is expected, for a person to read once."""
    lines = ["tests:", f"  - name: the first sample   {proposing.MARK}: is this what it means?"]
    lines += ["    given:", *(f"      {written(key)}: {written(value)}" for key, value in doc.items())]
    lines += ["    expect:"] if expect else []
    for entity, values in expect.items():
        lines += [f"      {entity}:", *(f"        {written(key)}: {written(value)}" for key, value in values.items())]
    lines += [f"    {key}: {written(value)}" for key, value in more.items()]
    return "\n".join(lines) + "\n"


def _example(schema: dict[str, Any], name: str = "") -> Any:
    """A document that obeys the schema, small and dull."""
    kind = schema.get("type")
    kinds = [one for one in (kind if isinstance(kind, list) else [kind]) if one != "null"]
    if "properties" in schema:
        return {key: _example(part, key) for key, part in schema["properties"].items()}
    if "array" in kinds:
        return [_example(schema["items"], name)] if schema.get("items") else []
    known = next((value for word, value in _VALUES if word in name.lower()), None)
    allowed = schema.get("enum", ())
    if "string" in kinds and known is not None and (not allowed or known in allowed):
        return known
    if allowed:
        return allowed[0]
    if schema.get("format") == "date-time" or name.endswith(("_at", "At")):
        return "2026-01-01T09:00:00Z"
    if schema.get("format") == "date":
        return "2026-01-01"
    found: dict[Any, Any] = {"integer": 1, "number": 1, "boolean": True, "object": {}}
    return next((found[one] for one in kinds if one in found), f"{name or 'x'} 1")


def schema_text(platform: str, resource: str, schema: dict[str, Any]) -> str:
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"{platform} {resource}",
        "description": "What is known of the native document; say what may be null, and what is always there.",
        **schema,
    }
    return json.dumps(made, ensure_ascii=False, indent=2, default=str) + "\n"


# -- a project --------------------------------------------------------------------------------------------------------
def project(folder: Path) -> Started:
    """A retailer's folder with two channels of the sandbox, an override, and the editor's schemas. Raises CannotDo."""
    root = folder.resolve()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise CannotDo(f"{folder} exists and is not an empty folder")
    texts = {
        root / name: MODELINE.format(schema_place(root, (root / name).parent, schema)) + text
        for name, (schema, text) in PROJECT.items()
    }
    files = write_new(texts | {root / "README.md": README, root / ".gitignore": ".serai/\n"})
    (root / "platforms").mkdir()
    for name in ("sandbox_erp", "sandbox_shop"):
        files.append(root / "platforms" / f"{name}.yaml")
        shutil.copyfile(RETAIL / "platforms" / f"{name}.yaml", files[-1])
    files += write_schemas(root / "schemas")
    return Started(files=files, errors=[], next=[
        f"serai --project {folder} lint", f"serai --project {folder} test",
        f"{shown(root / 'README.md')} says how to look at it with the simulated systems",
    ])


# -- places -----------------------------------------------------------------------------------------------------------
def root_of(folder: Path) -> Path:
    """The project, or Serai's own checkout when the directory lies in it. Raises CannotDo."""
    found = project_of(folder.resolve())
    if found is not None:
        return found
    if folder.resolve().is_relative_to(PACKAGE.parent):
        return PACKAGE.parent
    raise CannotDo(f"there is no channels.yaml in {folder.resolve()}; name a project with --project, or start one with "
                   "`serai new project DIR`")


def schema_place(root: Path, place: Path, name: str = "mapping") -> str:
    """Where the editor finds the schema, seen from a file in ``place``: the project's own, else that of Serai."""
    own = PACKAGE if root == PACKAGE.parent else root / "schemas"
    if root != PACKAGE.parent and root.is_relative_to(PACKAGE.parent) and not own.is_dir():
        own = PACKAGE
    return os.path.relpath(own / f"{name}.schema.json", place)


def named(name: str, what: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise CannotDo(f"{name!r} is no name of a {what}: small Latin letters, digits and _, a letter first")


def write_new(files: dict[Path, str]) -> list[Path]:
    """Writes new files. Raises CannotDo when one exists; then none is written."""
    there = [shown(path) for path in files if path.exists()]
    if there:
        raise CannotDo(f"{', '.join(there)} exists; nothing was written")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)
