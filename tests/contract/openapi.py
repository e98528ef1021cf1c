"""What a vendor's OpenAPI or Swagger 2 files say: which operations there are, what may be asked, sent and answered.

What surprises here: it is strict where the files are not. A query parameter or a field of a body that they do not name
is an objection, since several vendors answer 2xx to a misspelt field and change nothing. Formats (dates, e-mail
addresses) are not judged: published examples break them everywhere.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator

SPECS = Path(os.environ.get("SERAI_SPECS", Path(__file__).parents[3] / "shared" / "specs"))
METHODS = ("get", "put", "post", "delete", "patch")
DEEPEST = 14
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEPT = ("enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "required", "const")
_NAMES = re.compile(r"\{([^}]+)\}")
Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """One method of one path: ``path`` as a channel would ask for it, ``file`` what its references lead into."""

    method: str
    path: str
    row: Mapping[str, Any]
    shared: Sequence[Mapping[str, Any]]
    file: Mapping[str, Any]

    @property
    def name(self) -> str:
        """``GET /v3/catalog/products``."""
        return f"{self.method} {self.path}"

    @cache  # noqa: B019  # operations live as long as the process
    def parameters(self, where: str) -> dict[str, tuple[Schema, bool]]:
        """The parameters that go there (query, path), by name: schema, and whether it must be there."""
        rows = [resolved(one, self.file) for one in (*self.shared, *self.row.get("parameters", ()))]
        return {one["name"]: (_of_parameter(one, self.file), one.get("required") is True)
                for one in rows if one["in"] == where}

    @cache  # noqa: B019
    def body(self) -> Schema | None:
        """The schema of what is sent as JSON."""
        return _media(self.row.get("requestBody"), self.file)

    @cache  # noqa: B019
    def answer(self, status: int) -> Schema | None:
        """The schema of what is answered as JSON."""
        responses = self.row.get("responses", {})
        return _media(responses.get(str(status), responses.get(status)), self.file)

    def examples(self) -> Iterator[tuple[str, Any]]:
        """The vendor's own examples of its 2xx answers."""
        for status, row in self.row.get("responses", {}).items():
            media: Mapping[str, Any] = next(iter((resolved(row, self.file).get("content") or {}).values()), {})
            for name, one in (media.get("examples") or {}).items():
                value = resolved(one, self.file)
                if str(status).startswith("2") and isinstance(value, Mapping) and "value" in value:
                    yield f"{self.name} {name}", value["value"]
            schema = resolved(media.get("schema"), self.file) or {}
            for row_with in (media, schema):
                if str(status).startswith("2") and "example" in row_with:
                    yield f"{self.name} example", row_with["example"]


def resolved(row: Any, file: Mapping[str, Any]) -> Any:
    """The row a reference leads to, or the row itself."""
    for _ in range(DEEPEST):
        if not isinstance(row, Mapping) or not isinstance(row.get("$ref"), str):
            return row
        found: Any = file
        for step in row["$ref"].partition("#/")[2].split("/"):
            found = found[unquote(step).replace("~1", "/").replace("~0", "~")]
        row = found
    return {}


def _media(row: Any, file: Mapping[str, Any]) -> Schema | None:
    content = (resolved(row, file) or {}).get("content") or {}
    media = next((one for kind, one in content.items() if "json" in kind), None)
    return None if media is None or "schema" not in media else plain(media["schema"], file)


def _of_parameter(row: Mapping[str, Any], file: Mapping[str, Any]) -> Schema:
    """The schema of a parameter; one that its text calls a list with commas takes several, whatever its type says."""
    schema = plain(row.get("schema", {}), file)
    several = re.search(r"comma.separated|separated by commas?", str(row.get("description", "")), re.IGNORECASE)
    return {"type": "array", "items": schema} if several and schema.get("type") != "array" else schema


def plain(schema: Any, file: Mapping[str, Any], depth: int = 0) -> Schema:
    """The schema without references, ``nullable`` as a type, ``allOf`` of objects as one object."""
    schema = resolved(schema, file)
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return {}
    made: Schema = {key: schema[key] for key in _KEPT if key in schema}
    made = {key: value for key, value in made.items() if key != "required" or isinstance(value, list)}
    for key in ("example", "default"):
        if key in schema:
            made.setdefault("examples", [schema[key]])
    kind = schema.get("type")
    if isinstance(kind, str):
        made["type"] = [kind, "null"] if schema.get("nullable") is True else kind
        if schema.get("nullable") is True and "enum" in made:
            made["enum"] = [*made["enum"], None]
    if isinstance(schema.get("properties"), Mapping):
        made["properties"] = {name: plain(one, file, depth + 1) for name, one in schema["properties"].items()}
    if "items" in schema:
        made["items"] = plain(schema["items"], file, depth + 1)
    if "additionalProperties" in schema and (schema["additionalProperties"] or made.get("properties")):
        more = schema["additionalProperties"]
        made["additionalProperties"] = plain(more, file, depth + 1) if isinstance(more, Mapping) else more
    for key in ("anyOf", "oneOf"):
        if key in schema:
            made["anyOf"] = [plain(one, file, depth + 1) for one in schema[key]]
    for part in schema.get("allOf", ()):
        inner = plain(part, file, depth + 1)
        made["properties"] = {**made.get("properties", {}), **inner.pop("properties", {})}
        made["required"] = [*made.get("required", ()), *inner.pop("required", ())]
        made = {**inner, **made}
    return {key: value for key, value in made.items() if value != {} or key not in ("properties",)}


class OpenApi:
    """The operations of a vendor's files. A channel's address is what the servers of all files have in common."""

    def __init__(self, folder: str, names: Sequence[str]) -> None:
        files = [_read(folder, name) for name in names]
        paths = [urlsplit(str((file.get("servers") or [{"url": ""}])[0]["url"])).path.rstrip("/") for file in files]
        common = os.path.commonpath(paths) if all(paths) else ""
        self.operations = [
            Operation(method=method.upper(), path=path.removeprefix(common) + template, row=row[method], file=file,
                      shared=row.get("parameters", ()))
            for file, path in zip(files, paths, strict=True)
            for template, row in file["paths"].items() for method in METHODS if method in row
        ]
        self._patterns = [(one, _pattern(one.path)) for one in self.operations]

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that a request is for; one without a parameter in its path before one with."""
        fitting = [one for one, pattern in self._patterns if one.method == method and pattern.fullmatch(path)]
        return min(fitting, key=lambda one: one.path.count("{"), default=None)

    def objection(self, method: str, path: str, query: Mapping[str, str], body: Any) -> str | None:
        """Why the files refuse a request; None: they do not."""
        operation = self.find(method, path)
        if operation is None:
            return f"there is no {method} {path}"
        known = operation.parameters("query")
        for name, value in query.items():
            if name not in known:
                return f"{operation.name}: unknown query parameter {name}"
            if (wrong := _misfit(typed(value, known[name][0]), known[name][0], name)) is not None:
                return f"{operation.name}: {wrong}"
        lacking = [name for name, (_, needed) in known.items() if needed and name not in query]
        if lacking:
            return f"{operation.name}: query parameter {lacking[0]} is missing"
        found = _pattern(operation.path).fullmatch(path)
        for name, value in zip(_NAMES.findall(operation.path), found.groups() if found else (), strict=True):
            schema = operation.parameters("path").get(name, ({}, True))[0]
            if (wrong := _misfit(typed(value, schema), schema, name)) is not None:
                return f"{operation.name}: {wrong}"
        schema_of_body = operation.body()
        if schema_of_body is None:
            return None if body is None else f"{operation.name}: takes no body"
        if body is None:
            return f"{operation.name}: the body is missing"
        return next(iter(misfits(body, schema_of_body, strict=True)), None)


@cache
def openapi(folder: str, names: tuple[str, ...]) -> OpenApi:
    """The files of a vendor, or a visible skip where they are not at hand."""
    return OpenApi(folder, names)


@cache
def _read(folder: str, name: str) -> Mapping[str, Any]:
    path = SPECS / folder / name
    if not path.is_file():
        pytest.skip(f"what the vendor published is not at {path}; name its folder in SERAI_SPECS")
    with path.open(encoding="utf-8") as text:
        found: Mapping[str, Any] = json.load(text) if name.endswith(".json") else yaml.load(text, Loader=_FAST)
    return modern(found) if found.get("swagger") == "2.0" else found


def modern(file: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Swagger 2 file with its operations as OpenAPI 3 writes them; its references still lead into ``definitions``."""
    paths: dict[str, Any] = {}
    for template, row in file["paths"].items():
        shared = [resolved(one, file) for one in row.get("parameters", ())]
        paths[template] = {
            method: _modern([*shared, *(resolved(one, file) for one in row[method].get("parameters", ()))], row[method])
            for method in METHODS if method in row
        }
    return {**file, "paths": paths}


def _modern(parameters: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> Mapping[str, Any]:
    made = {key: row[key] for key in ("operationId", "description") if key in row}
    kept = [name for name in ("type", "items", *_KEPT) if name != "required"]
    made["parameters"] = [{**one, "schema": {key: one[key] for key in kept if key in one}}
                          for one in parameters if one["in"] != "body"]
    for one in parameters:
        if one["in"] == "body":
            made["requestBody"] = {"content": {"application/json": {"schema": one["schema"]}}}
    made["responses"] = {
        status: {**one, "content": {"application/json": {"schema": one["schema"]}}} if "schema" in one else one
        for status, one in row["responses"].items()
    }
    return made


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[^}]+\\}", "([^/]+)", re.escape(template)))


def typed(value: str, schema: Schema) -> Any:
    """A text of the query as the type its parameter has; as it is where that does not fit."""
    kind = schema.get("type")
    if kind == "array":
        return [typed(one, schema.get("items", {})) for one in value.split(",")]
    if kind in ("integer", "number") and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return int(value) if kind == "integer" and "." not in value else float(value)
    return {"true": True, "false": False}.get(value, value) if kind == "boolean" else value


def misfits(value: Any, schema: Schema, *, strict: bool) -> Iterator[str]:
    """Where a JSON value breaks the schema; strictly, also each field that it does not name."""
    wrong = _misfit(value, schema, "the body")
    if wrong is not None:
        yield wrong
    if strict:
        yield from _unnamed(value, schema, "")


def _misfit(value: Any, schema: Schema, what: str) -> str | None:
    found = next(iter(_validator(_Held(schema)).iter_errors(_floats(value))), None)
    return None if found is None else f"{found.json_path.replace('$', what, 1)}: {found.message[:160]}"


class _Held:
    """A schema as a key: the same object is the same schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.schema is self.schema


@cache
def _validator(held: _Held) -> Draft202012Validator:
    return Draft202012Validator(held.schema)


def _floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _floats(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_floats(one) for one in value]
    return float(value) if isinstance(value, Decimal) else value


def fitting(value: Any, schema: Schema) -> Schema:
    """The schema with the choice that the value takes merged into it."""
    for choice in schema.get("anyOf", ()):
        if not list(_validator(_Held(choice)).iter_errors(_floats(value))):
            return {**schema, **choice, "properties": {**schema.get("properties", {}), **choice.get("properties", {})}}
    return schema


def _unnamed(value: Any, schema: Schema, path: str) -> Iterator[str]:
    choices = [one for one in schema.get("anyOf", ()) if not list(_validator(_Held(one)).iter_errors(_floats(value)))]
    if isinstance(value, Mapping):
        more = schema.get("additionalProperties")
        named: dict[str, Schema] = {**schema.get("properties", {})}
        for choice in choices:
            named |= choice.get("properties", {})
            more = choice.get("additionalProperties", more)
        for name, one in value.items():
            if name in named:
                yield from _unnamed(one, named[name], f"{path}.{name}")
            elif isinstance(more, Mapping):
                yield from _unnamed(one, dict(more), f"{path}.{name}")
            elif named and more is not True:
                yield f"the body{path}: unknown field {name}"
    if isinstance(value, list):
        inner: Schema = next((one["items"] for one in (schema, *choices) if "items" in one), {})
        for one in value:
            yield from _unnamed(one, inner, f"{path}[]")


def example(schema: Schema, *, depth: int = 0) -> Any:
    """A value that obeys the schema: the vendor's own example where it has one that does, else small and dull."""
    for one in schema.get("examples", ()):
        if depth > 0 and "properties" not in schema and _misfit(one, schema, "") is None:
            return one
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "properties" in schema:
        return {name: example(one, depth=depth + 1) for name, one in schema["properties"].items() if depth < 7}
    if "anyOf" in schema:
        return example(schema["anyOf"][0], depth=depth + 1)
    if "array" in kinds:
        return [example(schema["items"], depth=depth + 1)] if "items" in schema and depth < 7 else []
    dull: dict[str, Any] = {"string": "x" * schema.get("minLength", 1), "integer": schema.get("minimum", 1),
                            "number": schema.get("minimum", 1), "boolean": True, "object": {}}
    return next((dull[one] for one in kinds if one in dull), None)


def query_of(target: str) -> tuple[str, dict[str, str]]:
    """Path and query of ``/path?a=1``."""
    parts = urlsplit(target)
    return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))
