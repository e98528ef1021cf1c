"""The schema of a native document, read off samples or cut out of what the vendor publishes.

What surprises here: a sample proves what was there, never what may be. Values seen are therefore ``examples``, not an
``enum``; a field is required when every sample has it, nullable when one sample holds null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import yaml

from deployments.authoring import CannotDo

_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Schema = dict[str, Any]
MOST_SAMPLES = 1_000
MOST_SEEN = 12
DEEPEST = 12
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_NUMBER = re.compile(r"-?[0-9]+([.][0-9]+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def read(given: str) -> Any:
    """The JSON or YAML behind ``FILE`` or ``FILE#/json/pointer``, numbers exact. Raises CannotDo."""
    file, _, pointer = given.partition("#")
    path = Path(file)
    if not path.is_file():
        raise CannotDo(f"there is no file {file}")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".yaml", ".yml"):
            found = yaml.load(text, Loader=_FAST)  # noqa: S506  # a safe loader; vendors' files are large
        elif path.suffix in (".jsonl", ".ndjson"):
            found = [_json(line) for line in text.splitlines() if line.strip()]
        else:
            found = _json(text)
    except yaml.YAMLError as fault:
        raise CannotDo(f"{file} is not YAML: {' '.join(str(fault).split())}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise CannotDo(f"{file} is not JSON: {fault}") from None
    return at(found, pointer, given)


def _json(text: str) -> Any:
    return msgspec.json.Decoder(float_hook=Decimal).decode(text)


def at(root: Any, pointer: str, given: str) -> Any:
    """What a JSON pointer leads to, ``~1`` and ``~0`` as RFC 6901 has them; through references and ``allOf``."""
    found = root
    for raw in pointer.strip("/").split("/") if pointer.strip("/") else ():
        step = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and isinstance(found.get("$ref"), str) and step not in found:
            found = at(root, found["$ref"].partition("#")[2], found["$ref"])
        if isinstance(found, Mapping) and step == "properties" and step not in found and "allOf" in found:
            parts = [one if "$ref" not in one else at(root, one["$ref"].partition("#")[2], one["$ref"])
                     for one in found["allOf"]]
            found = {step: {name: part for one in parts for name, part in (one.get(step) or {}).items()}}
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            there = ", ".join(list(found)[:12]) if isinstance(found, Mapping) else "a list or a value"
            raise CannotDo(f"{given}: nothing stands at {raw!r}; there is {there}")
    return found


def documents(found: Any, resource: str) -> list[dict[str, Any]]:
    """The documents of a sample: one, a list of them, or a page that holds them under the resource's name.

    Raises CannotDo when there is none.
    """
    if isinstance(found, Mapping):
        inside = found.get(resource)
        lists = [value for value in found.values() if isinstance(value, list)]
        if inside is None and len(lists) == 1 and len(found) <= 3:
            inside = lists[0]
        found = inside if isinstance(inside, list) else [found]
    docs = [doc for doc in found if isinstance(doc, dict)] if isinstance(found, list) else []
    if not docs:
        raise CannotDo("the sample holds no document: an object, or a list of objects; FILE#/pointer leads into it")
    return docs[:MOST_SAMPLES]


def of_samples(docs: Sequence[Any]) -> Schema:
    """The schema that all samples obey."""
    kinds = {_kind(doc) for doc in docs}
    schema: Schema = {}
    if "object" in kinds:
        objects = [doc for doc in docs if isinstance(doc, dict)]
        names = dict.fromkeys(name for doc in objects for name in doc)
        schema["required"] = [name for name in names if all(name in doc for doc in objects)]
        schema["properties"] = {
            name: of_samples([doc[name] for doc in objects if name in doc]) for name in names
        }
    if "array" in kinds:
        items = [item for doc in docs if isinstance(doc, list) for item in doc]
        schema["items"] = of_samples(items) if items else {}
    texts = [doc for doc in docs if isinstance(doc, str)]
    if texts:
        schema |= _of_texts(texts)
    if {"integer", "number"} <= kinds:
        kinds.discard("integer")
    ordered = sorted(kinds, key=lambda kind: (kind == "null", kind))
    return {"type": ordered[0] if len(ordered) == 1 else ordered, **schema} if ordered else {}


def _of_texts(texts: Sequence[str]) -> Schema:
    filled = [text for text in texts if text != ""]
    if filled and all(_MOMENT.fullmatch(text) for text in filled):
        return {"format": "date-time"}
    if filled and all(_DATE.fullmatch(text) for text in filled):
        return {"format": "date"}
    if filled and all(_NUMBER.fullmatch(text) for text in filled):
        return {"format": "decimal"} if any("." in text for text in filled) else {}
    seen = sorted(set(filled))
    if 0 < len(seen) <= MOST_SEEN and all(_WORD.fullmatch(text) for text in seen):
        return {"examples": seen}
    return {}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, Decimal | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def of_vendor(schema: Any, root: Any) -> Schema:
    """A published schema (JSON Schema, OpenAPI) as one without references: nullable values by their type.

    ``root`` is the file it stands in. Raises CannotDo when it describes no object.
    """
    made = plain(schema, root, 0)
    if made.get("type") == "array":
        made = made.get("items", {})
    if "properties" not in made:
        raise CannotDo("the schema describes no object with properties; FILE#/pointer leads to one, for example "
                       "#/components/schemas/Order")
    return made


def plain(schema: Any, root: Any, depth: int = 0) -> Schema:
    """The schema without references, its parts merged, nullable values by their type."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return {}
    if isinstance(schema.get("$ref"), str):
        reference = str(schema["$ref"])
        return plain(at(root, reference.partition("#")[2], reference), root, depth + 1) if reference[0] == "#" else {}
    made: Schema = {key: schema[key] for key in ("format", "enum", "description", "readOnly") if key in schema}
    kinds = _kinds(schema)
    parts = [plain(part, root, depth + 1) for part in schema.get("allOf", ())]
    choices = [plain(part, root, depth + 1) for key in ("anyOf", "oneOf") for part in schema.get(key, ())]
    real = [choice for choice in choices if choice.get("type") != "null"]
    if len(real) < len(choices):
        kinds.append("null")
    if len(real) == 1:
        parts += real
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for part in (*parts, {
        "properties": {name: plain(one, root, depth + 1) for name, one in (schema.get("properties") or {}).items()},
        "required": list(schema.get("required") or ()) if isinstance(schema.get("required"), list) else [],
    }):
        properties |= part.get("properties", {})
        required += part.get("required", ())
        made |= {key: value for key, value in part.items() if key in ("format", "enum", "items") and key not in made}
        kinds += [kind for kind in _kinds(part) if kind not in kinds]
    if properties:
        kinds = ["object", *[kind for kind in kinds if kind == "null"]]
        made["properties"] = properties
        made["required"] = [name for name in dict.fromkeys(required) if name in properties]
    if "items" in schema:
        made["items"] = plain(schema["items"], root, depth + 1)
        kinds = ["array", *[kind for kind in kinds if kind == "null"]]
    kinds = list(dict.fromkeys(kinds))
    return {"type": kinds[0] if len(kinds) == 1 else kinds, **made} if kinds else made


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type")
    kinds = [str(one) for one in kind] if isinstance(kind, list) else [str(kind)] if kind is not None else []
    return [*kinds, *(["null"] if schema.get("nullable") is True and "null" not in kinds else [])]


def pruned(schema: Schema, paths: Sequence[str]) -> Schema:
    """The schema of what these paths reach (``lines[].sku``); a path that ends at an object takes all of it."""
    return _pruned(schema, [tuple(path.replace("[]", ".[]").split(".")) for path in paths])


def _pruned(schema: Schema, paths: Sequence[tuple[str, ...]]) -> Schema:
    if () in paths:
        return schema
    inside = {head: [path[1:] for path in paths if path[0] == head] for head, *_ in paths}
    made = {key: value for key, value in schema.items() if key not in ("properties", "items", "required")}
    if "items" in schema:
        made["items"] = _pruned(schema["items"], inside["[]"]) if "[]" in inside else schema["items"]
    if "properties" in schema:
        made["properties"] = {
            name: _pruned(part, inside[name]) for name, part in schema["properties"].items() if name in inside
        }
        made["required"] = [name for name in schema.get("required", ()) if name in made["properties"]]
    return made


def cut(doc: Any, schema: Schema) -> Any:
    """A document with only what the schema names."""
    if isinstance(doc, dict) and "properties" in schema:
        return {name: cut(value, schema["properties"][name]) for name, value in doc.items()
                if name in schema["properties"]}
    if isinstance(doc, list) and "items" in schema:
        return [cut(item, schema["items"]) for item in doc]
    return doc


def leaves(schema: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """(path, schema) of every field, objects before what is in them; lists are not entered."""
    for name, part in schema.get("properties", {}).items():
        yield (*path, name), part
        if "properties" in part and len(path) < 3:
            yield from leaves(part, (*path, name))
