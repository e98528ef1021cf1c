"""Reads a mapping file as a whole: what it extends, the forms of its platform, its headers and blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mappings.language.grammar import HEADERS, Block, File, Leaf, Reader
from mappings.language.lint import LintErrors
from mappings.language.loader import Node, load_node


def overlaid(base: Node, over: Node, *, rows: bool = False) -> Node:
    """``over`` laid on ``base``: headers and entities merge, a row replaces the row of the same name as a whole."""
    result = Node("map", dict(base.value), over.file, over.line, over.column)
    result.keys = {**base.keys, **over.keys}
    for key, node in over.items():
        below = base.get(key)
        deep = below is not None and below.kind == "map" and node.kind == "map" and not rows
        if deep and key in ("inward", "forms"):
            result.value[key] = overlaid(below, node)  # type: ignore[arg-type]  # deep: below is a map
        elif deep and key in ("fields", "let", "keep", "drop_if"):
            result.value[key] = overlaid(below, node, rows=True)  # type: ignore[arg-type]  # deep: below is a map
        elif deep and (key == "outward" or "fields" in below.value or "fields" in node.value):  # type: ignore[union-attr]
            result.value[key] = _block_over(below, node)  # type: ignore[arg-type]  # deep: below is a map
        elif deep:
            result.value[key] = overlaid(below, node, rows=True)  # type: ignore[arg-type]  # deep: below is a map
        else:
            result.value[key] = node
    return result


def _block_over(below: Node, node: Node) -> Node:
    """Blocks with and without ``fields`` meet in the form with ``fields``."""

    def full(block: Node) -> Node:
        if "fields" in block.value or set(block.value) <= {"entity", "per", "with", "id"}:
            return block
        wrapped = Node("map", {"fields": block}, block.file, block.line, block.column)
        wrapped.keys = {"fields": (block.line, block.column)}
        return wrapped

    return overlaid(full(below), full(node))


def read(text: str, name: str, load: Callable[[str], str], entities: Mapping[str, Any]) -> tuple[File, list[str]]:
    """The file with what it extends and the platform's forms; all texts read, for the hash. Raises ``LintErrors``."""
    reader = Reader(name, text)
    texts = [text]
    root = load_node(text, name)
    if not reader.is_map(root, "a mapping file"):
        raise LintErrors(reader.errors)
    chain: set[str] = set()
    while (extends := root.get("extends")) is not None:
        relative = reader.text(extends, "extends")
        relative = relative if relative.endswith(".yaml") else relative + ".yaml"
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
        base = load_node(base_text, label)
        if not reader.is_map(base, "a mapping file"):
            break
        over = Node("map", {k: v for k, v in root.items() if k != "extends"}, root.file, root.line, root.column)
        over.keys = root.keys
        tests = over.get("tests")
        root = overlaid(Node("map", {k: v for k, v in base.items() if k != "tests"}, label, 1, 1), over)
        root.keys = {**base.keys, **over.keys}
        if tests is not None:
            root.value["tests"] = tests
    reader.known(root, HEADERS, "the mapping")
    heads = {}
    for key in ("platform", "resource"):
        found = root.get(key)
        if found is None:
            reader.wrong(root, "missing-key", f"the mapping has no {key}", f"{key}: …")
        heads[key] = reader.text(found, key) if found is not None else ""
    form_nodes = []
    try:
        relative = f"{heads['platform']}/forms.yaml"
        shared = load(relative)
        texts.append(shared)
        reader.texts[f"mappings/{relative}"] = shared.splitlines()
        form_nodes.append(load_node(shared, f"mappings/{relative}"))
    except FileNotFoundError:
        pass
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
        inward=blocks,
        outward=outward,
        tests=root.get("tests"),
        root=root,
    )
    if reader.errors:
        raise LintErrors(reader.errors)
    return file, texts
