"""Reads a mapping file as a whole: what it extends, the forms of its platform, its headers and blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from mappings.language.grammar import HEADERS, SHARED, Block, File, Leaf
from mappings.language.layers import extended, map_of
from mappings.language.lint import LintErrors
from mappings.language.loader import Node, load_node
from mappings.language.reader import Reader

_NAME = r"[A-Za-z0-9_-]{1,80}"
"""What a mapping may call a platform or a file: no way leads out of the folder of mappings."""


def read(text: str, name: str, load: Callable[[str], str], entities: Mapping[str, Any]) -> tuple[File, list[str]]:
    """The file with what it extends and the platform's forms; all texts read, for the hash. Raises ``LintErrors``."""
    reader = Reader(name, text)
    texts = [text]
    root = load_node(text, name)
    if not reader.is_map(root, "a mapping file"):
        raise LintErrors(reader.errors)
    chain: set[str] = set()
    replaced: dict[int, Node] = {}

    def met(name: str, below: Node, above: Node) -> None:
        first = replaced.setdefault(id(above), below)
        if first is not below:
            places = f"{first.file}:{first.line} and {below.file}:{below.line}"
            reader.wrong(above, "overridden-twice", f"{name} is overridden twice: {places}", "override it in one file")

    while (extends := root.get("extends")) is not None:
        relative = reader.text(extends, "extends")
        relative = relative if relative.endswith(".yaml") else relative + ".yaml"
        if re.fullmatch(_NAME + "/" + _NAME + r"\.yaml", relative) is None:
            reader.wrong(extends, "extends", "extends names no file of a platform", "<platform>/<file>")
            break
        label = f"mappings/{relative}"
        if label in chain or len(chain) > 5:
            reader.wrong(extends, "extends", f"{relative} is extended in a circle or too deep", "", key=None)
            break
        chain.add(label)
        try:
            base_text = load(relative)
        except FileNotFoundError:
            reader.wrong(extends, "extends", f"there is no mapping {relative}", "<platform>/<file>")
            break
        texts.append(base_text)
        reader.texts[label] = base_text.splitlines()
        base = _below(base_text, label)
        if not reader.is_map(base, "a mapping file"):
            break
        over = map_of({key: value for key, value in root.items() if key != "extends"}, root, root.keys)
        root = extended(base, over, met, reader.wrong)
    reader.known(root, HEADERS, "the mapping")
    heads = {}
    for key in ("platform", "resource"):
        found = root.get(key)
        if found is None:
            reader.wrong(root, "missing-key", f"the mapping has no {key}", f"{key}: …")
        heads[key] = reader.text(found, key) if found is not None else ""
        if key == "platform" and found is not None and re.fullmatch(_NAME, heads[key]) is None:
            reader.wrong(found, "text", "a platform is a name", "letters, digits, _ and -")
            heads[key] = "none"
    form_nodes: list[Node] = []
    shared: dict[str, dict[str, Node]] = {key: {} for key in SHARED}
    try:
        relative = f"{heads['platform']}/forms.yaml"
        forms = load(relative)
        texts.append(forms)
        reader.texts[f"mappings/{relative}"] = forms.splitlines()
        platform = _below(forms, f"mappings/{relative}")
        if reader.is_map(platform, "forms"):
            form_nodes.append(map_of({k: v for k, v in platform.items() if k not in SHARED}, platform, platform.keys))
            _share(reader, platform, shared)
    except FileNotFoundError:
        pass
    _share(reader, root, shared)
    reader.tables, reader.fragments = shared["tables"], shared["fragments"]
    reader.no_circles()
    if reader.errors:
        raise LintErrors(reader.errors)
    if (found := root.get("forms")) is not None:
        form_nodes.append(found)
    id_node = root.get("id")
    id_leaf = reader.leaf(id_node) if id_node is not None else Leaf(node=root, text="id", segments=("id",))
    blocks: list[Block] = []
    if (found := root.get("inward")) is not None and reader.is_map(found, "inward"):
        for entity, node in found.items():
            reader.entity(found, entity, entities, key=entity)
            blocks.append(reader.block(entity, node, found.keys.get(entity)))
    outward = reader.outward(found, entities) if (found := root.get("outward")) is not None else None
    if root.get("inward") is None and root.get("outward") is None:
        reader.wrong(root, "missing-key", "the mapping has neither inward nor outward", "")
    file = File(
        platform=heads["platform"],
        resource=heads["resource"],
        id=id_leaf,
        forms=reader.forms(*form_nodes),
        tables={name: node.data() for name, node in reader.tables.items()},
        inward=blocks,
        outward=outward,
        tests=root.get("tests"),
        root=root,
    )
    _unused(reader, root, text)
    if reader.errors:
        raise LintErrors(reader.errors)
    return file, texts


@lru_cache(maxsize=64)
def _below(text: str, name: str) -> Node:
    """What many files lie over is read once; nobody changes a node that was read."""
    return load_node(text, name)


def _share(reader: Reader, node: Node, shared: dict[str, dict[str, Node]]) -> None:
    """Tables and fragments of a file; the mapping's own come after, and take the place of, its platform's."""
    for key in SHARED:
        if (found := node.get(key)) is not None and reader.is_map(found, key):
            shared[key].update(found.value)
    for name, table in shared["tables"].items():
        reader.whole_table(name, table)


def _unused(reader: Reader, root: Node, text: str) -> None:
    """A table or fragment of the mapping itself that nothing names is dead weight, or a name that is misspelt."""
    if not set(re.findall(r"\btables\.(\w+)", text)) <= set(reader.tables):
        return  # a misspelt name is told by the compiler
    for key in SHARED:
        found = root.get(key)
        if found is None or found.kind != "map":
            continue
        for name in found.value:
            if f"{key}.{name}" not in reader.named and not re.search(rf"\btables\.{re.escape(name)}\b", text):
                reader.wrong(found, "unreachable", f"nothing uses the {key[:-1]} {name!r}", "", key=name)
