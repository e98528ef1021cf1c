"""A description of a REST platform, proposed from the vendor's OpenAPI files.

What surprises here: only names tell how a vendor pages and filters, so what is proposed is marked ``# review``; what
nothing tells (signatures of notices, limits, how stock is written) is left to whoever reads the vendor's pages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from deployments.authoring import CannotDo, inferring
from deployments.authoring.proposing import ENTITIES, MARK

_UPDATED = re.compile(r"(date_|last_)?(modified|updated|changed)(_?(at|on|date|time))?|(updated|modified)(At|On|Date)")
_SINCE = re.compile(r"(min|since|from|after|gte|start)")
_TOTAL_PAGES = re.compile(r"(total_?pages|pages|page_?count|last_?page|totalPages)$", re.IGNORECASE)
_NEXT = re.compile(r"(next_?cursor|next_?page_?token|next_?token|end_?cursor|cursor|next)$", re.IGNORECASE)
_IDS = re.compile(r"(ids|id:in|id_in|id\[\]|id)$")
_DEPTH = 3
_KNOWN = {word for words in ENTITIES.values() for word in words.split()} - {"user", "users"}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A collection in the files: its row as YAML, what it is called, and where the schema of its documents stands."""

    name: str
    row: str
    schema: str


@dataclass(frozen=True, kw_only=True)
class _List:
    path: str
    query: Sequence[str]
    answer: Mapping[str, Any]
    items: str
    document: Mapping[str, Any]
    pointer: str


def read(files: Sequence[str]) -> list[tuple[str, Mapping[str, Any], str]]:
    """(file, its contents, the path its server adds to what the servers of all have in common). Raises CannotDo."""
    roots = [(file, inferring.read(file)) for file in files]
    for file, root in roots:
        if not isinstance(root, Mapping) or not isinstance(root.get("paths"), Mapping):
            raise CannotDo(f"{file} describes no paths; is it an OpenAPI file?")
    servers = [str((root.get("servers") or [{"url": ""}])[0].get("url", "")) for _, root in roots]
    paths = [urlsplit(server).path.rstrip("/") for server in servers]
    common = os.path.commonpath(paths) if all(paths) else ""
    return [(file, root, path.removeprefix(common)) for (file, root), path in zip(roots, paths, strict=True)]


def collections(files: Sequence[str]) -> list[Found]:
    """Every list of documents that a mapping could be for, in the order of the files. Raises CannotDo for none."""
    found: dict[str, Found] = {}
    for file, root, prefix in read(files):
        for one in _lists(root):
            name = re.sub(r"[^a-z0-9_]", "_", one.path.rstrip("/").rpartition("/")[2].lower())
            if name in _KNOWN and name not in found:
                row = _row(one, root, prefix)
                found[name] = Found(name=name, row=row, schema=f"{file}#{one.pointer}")
    if not found:
        raise CannotDo("the files hold no list of products, stock, prices, orders or the like; start without them")
    return list(found.values())


def auth(files: Sequence[str]) -> str:
    """The ``auth`` of a description, by the files' security schemes."""
    for _, root, _ in read(files):
        for scheme in ((root.get("components") or {}).get("securitySchemes") or {}).values():
            kind, way = scheme.get("type"), str(scheme.get("scheme", "")).lower()
            if kind == "apiKey" and scheme.get("in") == "header":
                return f"{{scheme: header_key, header: {scheme['name']}, token: token}}"
            if kind == "http" and way == "basic":
                return "{scheme: basic, user: user, password: password}"
            if kind == "oauth2":
                flows = scheme.get("flows") or {}
                if "clientCredentials" in flows:
                    url = flows["clientCredentials"].get("tokenUrl", "/token")
                    return f"{{scheme: oauth2, grant: client_credentials, token_url: {url}}}"
    return "{scheme: bearer, token: token}"


def _resolved(row: Any, root: Mapping[str, Any]) -> Any:
    for _ in range(8):
        if not isinstance(row, Mapping) or not isinstance(row.get("$ref"), str):
            return row
        row = inferring.at(root, row["$ref"].partition("#")[2], row["$ref"])
    return {}


def _lists(root: Mapping[str, Any]) -> Iterator[_List]:
    for path, row in root["paths"].items():
        operation = row.get("get")
        if "{" in path or not isinstance(operation, Mapping):
            continue
        rows = [_resolved(one, root) for one in (*row.get("parameters", ()), *operation.get("parameters", ()))]
        responses = operation.get("responses") or {}
        answer = _resolved(responses.get("200", responses.get(200)), root) or {}
        content = answer.get("content") or {}
        kind = next((kind for kind in content if "json" in kind), "")
        schema = content.get(kind, {}).get("schema")
        if schema is None:
            continue
        place, media = (text.replace("~", "~0").replace("/", "~1") for text in (path, kind))
        pointer = f"/paths/{place}/get/responses/200/content/{media}/schema"
        for items, document in _arrays(_resolved(schema, root), root, ""):
            yield _List(
                path=path, query=[one["name"] for one in rows if one.get("in") == "query"],
                answer=_resolved(schema, root), items=items, document=inferring.plain(document, root),
                pointer=pointer + "".join(f"/properties/{step}" for step in items.split(".") if step),
            )
            break


def _arrays(schema: Any, root: Mapping[str, Any], path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(path, schema of an item) of the lists of objects in an answer, the outer ones first."""
    schema = _resolved(schema, root)
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return
    if "items" in schema:
        if inferring.plain(schema["items"], root).get("properties"):
            yield path, schema["items"]
        return
    for part in schema.get("allOf", ()):
        yield from _arrays(part, root, path, depth + 1)
    for name, part in (schema.get("properties") or {}).items():
        if name in ("errors", "links", "included"):
            continue
        yield from _arrays(part, root, f"{path}.{name}".strip("."), depth + 1)


def _row(one: _List, root: Mapping[str, Any], prefix: str) -> str:
    properties = one.document.get("properties", {})
    updated = next((name for name in properties if _UPDATED.fullmatch(name)), None)
    changed = [name for name in one.query if re.search("modif|updat|chang", name) and _SINCE.search(name)]
    since = changed[0] if changed and updated is not None else None
    facts = {"path": prefix + one.path, "items": one.items}
    if "id" not in properties:
        facts["id"] = next((name for name in properties if name.lower().endswith("id")), "id")
    facts["updated"] = updated or "null"
    if since is not None:
        facts["since"] = since
    facts |= _paging(one, root)
    ids = next((name for name in one.query if _IDS.fullmatch(name)), None)
    single = next((path for path in root["paths"] if re.fullmatch(rf"{re.escape(one.path)}/\{{[^/]*\}}", path)), None)
    if ids is not None and ids != "id":
        facts["fetch"] = f"GET {prefix}{one.path}?{ids}={{ids}}"
    for op, method in (("create", "post"), ("update", "patch"), ("update", "put"), ("delete", "delete")):
        path = one.path if op == "create" else single
        if path is not None and method in root["paths"][path] and op not in facts:
            facts[op] = f"{method.upper()} {prefix}{one.path}" + ("" if op == "create" else "/{id}")
    return ", ".join(f"{key}: {_written(value)}" for key, value in facts.items())


def _paging(one: _List, root: Mapping[str, Any]) -> dict[str, str]:
    query = {name.lower(): name for name in one.query}
    leaves = [".".join(path) for path, _ in inferring.leaves(inferring.plain(one.answer, root))]
    size = next((query[word] for word in ("limit", "page_size", "per_page", "pagesize") if word in query), "")
    sized = {} if size == "limit" else {"size": size or '""'}
    if "page" in query:
        last = next((path for path in leaves if _TOTAL_PAGES.search(path)), None)
        return {"paging": "page", "paging_options": _options({**({"pages": last} if last else {}), **sized})}
    words = ("cursor", "page[cursor]", "after", "page_token", "pagetoken", "next")
    param = next((query[word] for word in words if word in query), None)
    if param is not None:
        token = next((path for path in leaves if _NEXT.search(path)), "next_cursor")
        options = {"param": _written(param), "next": token, "absent": "end", **sized}
        return {"paging": "cursor", "paging_options": _options(options)}
    if "offset" in query:
        return {"paging": "offset", **({"paging_options": _options(sized)} if sized else {})}
    return {"paging": "single"}


def _options(options: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in options.items()) + "}"


def _written(value: str) -> str:
    if value.startswith("{") or re.fullmatch(r"[\w./-]+( [\w./-]+)?", value):
        return value
    return f'"{value}"'


def description(name: str, files: Sequence[str], found: Sequence[Found]) -> str:
    """The text of ``platforms/<name>.yaml``."""
    lines = [
        f"# How {name} is spoken to, proposed from its OpenAPI files; every key is explained in connectors/README.md.",
        f"auth: {auth(files)}   {MARK}: the channel's secrets (channels.yaml: secrets: {{token: env:…}})",
        f"resources:   {MARK}: how lists continue, what `since` is called, what may be written",
    ]
    return "\n".join([*lines, *(f"  {one.name}: {{{one.row}}}" for one in found)]) + "\n"
