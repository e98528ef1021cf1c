"""Reads what a mapping names once and uses often: the tables of ``tables:`` and the fragments of ``fragments:``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.language.grammar import MAX_USES
from mappings.language.layers import Met, laid, map_of
from mappings.language.leaves import Leaves
from mappings.language.lint import nearest
from mappings.language.loader import Node


class Shared(Leaves):
    """Resolves ``use`` and ``table: name``."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self.fragments: Mapping[str, Node] = {}
        self.tables: Mapping[str, Node] = {}
        self.named: set[str] = set()
        """What something names: ``tables.x``, ``fragments.y``."""
        self._uses = 0

    # -- fragments ----------------------------------------------------------------------------------------------------
    def used(self, node: Node) -> Node:
        """The row or block with the fragments it uses laid under it."""
        found = node.get("use")
        if found is None:
            if node.get("without") is not None:
                self.wrong(node, "alone", "without needs use, or a file that extends another", "", key="without")
            return node
        own = map_of({key: value for key, value in node.items() if key != "use"}, node, node.keys)
        self._uses += 1
        if self._uses > MAX_USES:
            if self._uses == MAX_USES + 1:
                self.wrong(node, "too-large", "fragments are used too often", f"at most {MAX_USES} times", key="use")
            return own
        base: Node | None = None
        for item in found.value if found.kind == "list" else [found]:
            fragment = self._fragment(item)
            if fragment is not None:
                base = fragment if base is None else laid(base, fragment, self._twice(item), self.wrong)
        return own if base is None else laid(base, own, lambda *_: None, self.wrong)

    def _fragment(self, node: Node) -> Node | None:
        name = self.text(node, "use")
        if not name:
            return None
        fragment = self.fragments.get(name)
        if fragment is None:
            self.wrong(node, "unknown-fragment", f"unknown fragment {name!r}", nearest(name, self.fragments))
            return None
        self.named.add(f"fragments.{name}")
        if fragment.kind != "map":
            return map_of({"from": fragment}, fragment, {"from": (fragment.line, fragment.column)})
        return self.used(fragment)

    def _twice(self, node: Node) -> Met:
        def met(name: str, below: Node, above: Node) -> None:
            places = f"{below.file}:{below.line} and {above.file}:{above.line}"
            self.wrong(
                node, "overridden-twice", f"two fragments set {name}: {places}", "use one of them, or a row here"
            )

        return met

    def no_circles(self) -> None:
        """Fragments must not use each other in a circle; the mistake names the circle."""
        uses = {name: _uses(node) for name, node in self.fragments.items()}
        done: set[str] = set()

        def follow(name: str, way: tuple[str, ...]) -> None:
            if name in way:
                circle = " → ".join((*way[way.index(name) :], name))
                self.wrong(self.fragments[name], "circle", f"fragments use each other: {circle}", "no recursion")
            elif name in uses and name not in done:
                for other in uses[name]:
                    follow(other, (*way, name))
            done.add(name)

        for name in uses:
            follow(name, ())

    # -- tables -------------------------------------------------------------------------------------------------------
    def table(self, node: Node) -> tuple[dict[str, Any], Node] | None:
        """The table of a row: written there, or the name of one under ``tables``."""
        if node.kind == "scalar" and isinstance(node.value, str):
            found = self.tables.get(node.value)
            if found is None:
                self.wrong(node, "unknown-table", f"unknown table {node.value!r}", nearest(node.value, self.tables))
                return None
            self.named.add(f"tables.{node.value}")
            if found.kind != "map":
                self.wrong(node, "table", f"the table {node.value} is a list", "a map of text to constants")
                return None
            node = found
        elif not self.is_map(node, "table"):
            return None
        for key, value in node.items():
            if value.kind != "scalar":
                self.wrong(value, "table", f"the entry {key!r} is not a single value", "texts, numbers, booleans, null")
        return node.data(), node

    def whole_table(self, name: str, node: Node) -> None:
        """A table under ``tables`` is a map of text to constants, or a list of maps of constants."""
        rows = node.value if node.kind == "list" else [node]
        for row in rows:
            if row.kind != "map":
                self.wrong(row, "table", f"the table {name} holds a single value", "key: value, or a list of {…}")
                continue
            for key, value in row.items():
                if value.kind != "scalar":
                    self.wrong(
                        value, "table", f"the entry {key!r} is not a single value", "texts, numbers, booleans, null"
                    )


def _uses(node: Node) -> list[str]:
    """The names that stand under ``use`` anywhere in a fragment."""
    if node.kind == "list":
        return [name for item in node.value for name in _uses(item)]
    if node.kind != "map":
        return []
    found = node.get("use")
    named = [] if found is None else found.value if found.kind == "list" else [found]
    return [
        *(str(item.value) for item in named if item.kind == "scalar"),
        *(name for child in node.value.values() for name in _uses(child)),
    ]
