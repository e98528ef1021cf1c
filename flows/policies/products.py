"""policies/products.yaml: what each channel shows of products, in which words, and what it requires of a listing.

What surprises here: a path of a requirement names a canonical field (``variant.gtin``); one that no schema has is an
error, else a requirement with a typing error would keep every listing back for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from flows.setting_files import Row, SettingsFile, one_of
from mappings import canonical
from mappings.commerce.products import CONTENT_FIELDS, Attribute, Listing, Requirement, listed
from mappings.language import LintError

KEYS: Final = ("content", "over", "categories", "attributes", "requires", "unready", "gtins")
REQUIREMENT_KEYS: Final = ("path", "any", "longest", "least", "plain", "when")
ATTRIBUTE_KEYS: Final = ("name", "values")
UNREADY: Final = ("keep", "withdraw")
GTINS: Final = ("any", "worldwide")
JUDGED: Final = ("product", "variant")
"""The entities whose fields a channel may require: what a listing is made of."""

_Path = tuple[str | int, ...]


def read(rows: Mapping[str, Row], channels: Collection[str], errors: list[LintError]) -> dict[str, Listing]:
    """Channel → its listing."""
    found: dict[str, Listing] = {}
    for name, (file, row) in rows.items():
        before = len(errors)
        if name not in channels:
            file.fail((name,), "unknown-channel", f"found {name!r}", one_of(channels))
            continue
        if not file.keys((name,), row, KEYS):
            continue
        listing = Listing(
            content=_texts(file, (name, "content"), row.get("content", [])),
            over=_fields(file, (name, "over"), row.get("over", list(CONTENT_FIELDS))),
            categories=_table(file, (name, "categories"), row["categories"]) if "categories" in row else None,
            attributes=_attributes(file, (name, "attributes"), row.get("attributes", {})),
            requires=_requires(file, (name, "requires"), row.get("requires", [])),
            unready=row.get("unready", "keep"), gtins=row.get("gtins", "any"),
        )
        for key, words in (("unready", UNREADY), ("gtins", GTINS)):
            if row.get(key, words[0]) not in words:
                file.fail((name, key), key, f"found {row[key]!r}", f"one of {', '.join(words)}")
        if len(errors) == before:
            found[name] = listing
    return found


def example(policy: Mapping[str, Listing], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What ``channel`` sees of ``product`` and ``variant``, and ``missing``: the places of what it still requires."""
    records = {entity: given[entity] for entity in JUDGED if entity in given}
    shown = listed(given["channel"], records, policy.get(given["channel"], Listing()))
    return {**shown.records, "missing": [one.where for one in shown.missing]}


def _texts(file: SettingsFile, path: _Path, found: Any) -> tuple[str, ...]:
    return tuple(found) if file.list_of_texts(path, found) else ()


def _fields(file: SettingsFile, path: _Path, found: Any) -> tuple[str, ...]:
    names = _texts(file, path, found)
    for position, name in enumerate(names):
        if name not in CONTENT_FIELDS:
            file.fail((*path, position), "unknown-field", f"found {name!r}", f"one of {', '.join(CONTENT_FIELDS)}")
    return names


def _table(file: SettingsFile, path: _Path, found: Any) -> dict[str, str]:
    if not file.is_map(path, found):
        return {}
    for name, value in found.items():
        if not isinstance(value, str) or value == "":
            file.fail((*path, name), "type", f"found {value!r}", "the channel's word as text; put a number in quotes")
    return dict(found)


def _attributes(file: SettingsFile, path: _Path, found: Any) -> dict[str, Attribute]:
    rows: dict[str, Attribute] = {}
    taken: dict[str, str] = {}
    for name, row in found.items() if file.is_map(path, found) else ():
        if not file.keys((*path, name), row, ATTRIBUTE_KEYS, ("name",)) or not file.texts((*path, name), row, ["name"]):
            continue
        if row["name"] in taken:
            file.fail((*path, name, "name"), "twice", f"{row['name']!r} is the name of {taken[row['name']]!r} already",
                      "one attribute of ours for each of the channel's")
        taken[row["name"]] = name
        rows[name] = Attribute(name=row["name"], values=_table(file, (*path, name, "values"), row.get("values", {})))
    return rows


def _requires(file: SettingsFile, path: _Path, found: Any) -> tuple[Requirement, ...]:
    if not isinstance(found, list):
        file.fail(path, "type", f"found {found!r}", "a list of paths, such as [product.description, variant.gtin]")
        return ()
    read = (_requirement(file, (*path, number), row) for number, row in enumerate(found))
    return tuple(one for one in read if one is not None)


def _requirement(file: SettingsFile, path: _Path, row: Any) -> Requirement | None:
    if isinstance(row, str):
        return Requirement(paths=(row,)) if _exists(file, path, row) else None
    if not file.keys(path, row, REQUIREMENT_KEYS):
        return None
    if ("path" in row) == ("any" in row):
        file.fail(path, "requirement", "it needs `path` or `any`, one of them", "{path: product.name, longest: 150}")
        return None
    key = "path" if "path" in row else "any"
    paths = _texts(file, (*path, key), row["any"] if key == "any" else [row["path"]])
    wrong = not paths or not all([_exists(file, (*path, key), one) for one in paths])
    for name in ("longest", "least"):
        if name in row and (isinstance(row[name], bool) or not isinstance(row[name], int) or row[name] < 1):
            file.fail((*path, name), "number", f"found {row[name]!r}", "a whole number from 1 on")
            wrong = True
    if not isinstance(row.get("plain", False), bool):
        file.fail((*path, "plain"), "type", f"found {row['plain']!r}", "true or false")
        wrong = True
    when = row.get("when", {})
    for condition, values in when.items() if file.is_map((*path, "when"), when) else ():
        exists = _exists(file, (*path, "when", condition), condition)
        wrong |= not (exists and file.list_of_texts((*path, "when", condition), values))
    if wrong or not isinstance(when, dict):
        return None
    return Requirement(
        paths=paths, longest=row.get("longest"), least=row.get("least", 1), plain=row.get("plain", False),
        when={condition: tuple(values) for condition, values in when.items()},
    )


def _exists(file: SettingsFile, path: _Path, field: str) -> bool:
    """Whether some listing can have a value there; else that is an error."""
    entity, _, rest = field.partition(".")
    name = rest.partition(".")[0]
    if entity in JUDGED and name in canonical.fields(entity) and name != "content":
        return True
    near = {one for known in JUDGED for one in canonical.fields(known) if one == name}
    file.fail(path, "unknown-path", f"no listing has {field!r}",
              f"one of {', '.join(f'{known}.{name}' for known in JUDGED if name in canonical.fields(known))}" if near
              else "product.FIELD or variant.FIELD, such as product.description or variant.attributes.size")
    return False
