"""Reads the leaves of a mapping file: paths, expressions, words; every mistake is kept with its place.

Reading never stops at the first mistake: every unknown key, misplaced value and unreadable expression of a file is
collected, so that its author mends them in one go. Whether paths and types are right is checked by the compiler.
"""

from __future__ import annotations

import ast
import re
import warnings

from mappings.language.grammar import MAX_EXPRESSION_DEPTH, Leaf
from mappings.language.lint import LintError, nearest
from mappings.language.loader import Node


class Leaves:
    """Reads scalars and leaves, and keeps what is wrong."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.texts = {name: text.splitlines()}
        self.errors: list[LintError] = []

    # -- small readers ------------------------------------------------------------------------------------------------
    def wrong(self, node: Node, code: str, what: str, allowed: str = "", *, key: str | None = None) -> None:
        """Keeps a mistake at a node or at one of its keys."""
        self.errors.append(node.error(code, what, allowed, key=key))

    def is_map(self, node: Node, what: str) -> bool:
        """Whether the node is a map; a mistake otherwise."""
        if node.kind != "map":
            self.wrong(node, "shape", f"{what} is a map", "write keys and values under it")
        return node.kind == "map"

    def is_list(self, node: Node, what: str, allowed: str) -> bool:
        """Whether the node is a list; a mistake otherwise."""
        if node.kind != "list":
            self.wrong(node, "shape", f"{what} is a list", allowed)
        return node.kind == "list"

    def known(self, node: Node, keys: tuple[str, ...], what: str) -> None:
        """Every key that the grammar does not know is a mistake."""
        for key in node.value:
            if key in keys:
                continue
            if self._spilled(node, key):
                self.wrong(
                    node,
                    "quote",
                    f"{key!r} is the rest of an expression",
                    "quote it: in braces, an expression with , [ ] { } must stand in quotes",
                    key=key,
                )
            else:
                self.wrong(node, "unknown-key", f"unknown key {key!r} in {what}", nearest(key, keys), key=key)

    @staticmethod
    def _spilled(node: Node, key: str) -> bool:
        value = node.value[key]
        cut = any(isinstance(v.value, str) and v.plain and v.value.startswith("=") for v in node.value.values())
        return cut and value.kind == "scalar" and value.value is None and value.plain

    def text(self, node: Node, what: str) -> str:
        """A text scalar; a mistake otherwise."""
        if node.kind != "scalar" or not isinstance(node.value, str) or not node.value:
            self.wrong(node, "text", f"{what} is a text", "")
            return ""
        return node.value

    def choice(self, node: Node, what: str, known: tuple[str, ...]) -> str:
        """One of the known words; a mistake otherwise."""
        value = self.text(node, what)
        if value and value not in known:
            self.wrong(node, "choice", f"{value!r} is no {what}", nearest(value, known))
        return value

    def leaf(self, node: Node) -> Leaf:
        """A path or an expression."""
        if node.kind != "scalar":
            self.wrong(node, "leaf", "a path or an expression is wanted here", "for example name, or = upper(name)")
            return Leaf(node=node, text="", segments=())
        value = node.value
        if not isinstance(value, str):
            shown = {None: "null", True: "true", False: "false"}.get(value, str(value))
            self.wrong(node, "bare-value", f"{shown} is neither a path nor an expression", f"write = {shown}")
            return Leaf(node=node, text="", segments=())
        if value.startswith("="):
            return self.expression(node, value[1:])
        if not value or re.search(r"[\s\[\](){},'\"]", value) or ".." in value or value[0] == "." or value[-1] == ".":
            self.wrong(
                node,
                "path",
                f"{_short(value)} is not a path",
                "names with dots between, such as customer.id; an "
                "expression begins with =, a constant text is = 'text'",
            )
            return Leaf(node=node, text=value, segments=())
        if value.count(".") >= MAX_EXPRESSION_DEPTH:
            self.wrong(node, "too-deep", f"a path of more than {MAX_EXPRESSION_DEPTH} steps", "split it with let:")
            return Leaf(node=node, text="", segments=())
        return Leaf(node=node, text=value, segments=tuple(value.split(".")))

    def expression(self, node: Node, text: str) -> Leaf:
        """The tree of an expression; what Python cannot parse is a mistake with the remedy for silent mis-parses."""
        stripped = text.strip()
        if len(stripped) > 2000:
            self.wrong(node, "too-large", "an expression of more than 2000 characters", "split it with let:")
            return Leaf(node=node, text="", segments=())
        try:
            with warnings.catch_warnings():  # Python has opinions on '\\d' and 1if that are none of the author's
                warnings.simplefilter("ignore")
                tree = ast.parse(stripped, mode="eval").body
            if _depth(tree) <= MAX_EXPRESSION_DEPTH:
                return Leaf(node=node, text=stripped, tree=tree)
            self.wrong(node, "too-deep", f"nested deeper than {MAX_EXPRESSION_DEPTH} levels", "split it with let:")
            return Leaf(node=node, text="", segments=())
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            what = getattr(error, "msg", None) or "too deep"
            self.wrong(
                node,
                "quote" if self._cut(node) else "expression",
                f"= {_short(stripped)}: {what}",
                "quote it: what follows on this line was cut off by YAML"
                if self._cut(node)
                else "a subset of Python's expressions; see mappings/README.md",
            )
            return Leaf(node=node, text="", segments=())

    def _cut(self, node: Node) -> bool:
        lines = self.texts.get(node.file, [])
        line, column = node.end
        rest = lines[line - 1][column - 1 :] if 0 < line <= len(lines) else ""
        return node.plain and re.match(r"\s+#|\s*[,\]\[{}]|\s*:\s", rest) is not None


def _depth(tree: ast.AST) -> int:
    """How deep an expression is nested."""
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
