"""Reads YAML 1.2 so that nothing changes its type unseen, and every key and leaf knows its file, line and column.

What surprises here:

* ``on``, ``no``, ``007``, ``1E5``, ``12:30`` and dates are text. Only ``-?(0|[1-9][0-9]*)`` is an integer and only
  that with a fraction is a number (an exact ``Decimal``). ``null``, ``~`` and nothing are null; ``true``, ``false``
  are booleans; what stands in quotes is always text.
* Map keys are always text: ``5: x`` has the key ``"5"``.
* Duplicate keys and tags are errors. Aliases work, but what they expand to is bounded, and so are depth and size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import yaml

from mappings.language.lint import LintError, LintErrors

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 100_000

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+\Z")
_CONSTANTS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_MUST_QUOTE = re.compile(r"(?:[:\[{,]|^\s*-)\s*[@*&!%|`]")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Node:
    """A place in a YAML file: a scalar (``value`` is plain data), a list of nodes, or a map of text to nodes."""

    __slots__ = ("column", "end", "file", "keys", "kind", "line", "plain", "size", "value")

    def __init__(self, kind: str, value: Any, file: str, line: int, column: int) -> None:
        self.kind = kind
        self.value = value
        self.file = file
        self.line = line
        self.column = column
        self.end = (line, column)
        self.keys: dict[str, tuple[int, int]] = {}
        self.plain = False  # a scalar written without quotes
        self.size = 1  # nodes it expands to

    def items(self) -> Iterator[tuple[str, Node]]:
        """The entries of a map, in the order of the file."""
        return iter(self.value.items())

    def get(self, key: str) -> Node | None:
        """The entry of a map, or None."""
        found: Node | None = self.value.get(key)
        return found

    def data(self) -> Any:
        """The plain data: dicts with text keys, lists, text, int, Decimal, bool, None."""
        if self.kind == "map":
            return {key: node.data() for key, node in self.value.items()}
        if self.kind == "list":
            return [node.data() for node in self.value]
        return self.value

    def error(self, code: str, what: str, allowed: str = "", *, key: str | None = None) -> LintError:
        """A mistake at this node, or at the key of that name in this map."""
        line, column = self.keys.get(key, (self.line, self.column)) if key is not None else (self.line, self.column)
        return LintError(file=self.file, line=line, column=column, code=code, what=what, allowed=allowed)


def scalar(text: str) -> Any:
    """The value of an unquoted scalar, by the rules at the head of this module."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) <= 400:  # an integer longer than that is no business value; as text it reaches the type check
        if _INTEGER.match(text):
            return int(text)
        if _NUMBER.match(text):
            return Decimal(text)
    return text


def load_node(text: str, name: str) -> Node:
    """The file as a tree of nodes; ``LintErrors`` with the position of the mistake when it cannot be read."""

    def fail(line: int, column: int, code: str, what: str, allowed: str = "") -> LintErrors:
        return LintErrors([LintError(file=name, line=line, column=column, code=code, what=what, allowed=allowed)])

    if len(text) > MAX_CHARACTERS:
        raise fail(1, 1, "too-large", f"{len(text)} characters", f"at most {MAX_CHARACTERS}")
    try:
        return _compose(text, name, fail)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        lines = text.splitlines()
        raise fail(line + 1, column + 1, "yaml", str(error.problem or error.context), _remedy(lines, line)) from None
    except yaml.YAMLError as error:
        raise fail(1, 1, "yaml", str(error).replace("\n", " "), "the file must be YAML in UTF-8") from None


def _remedy(lines: Sequence[str], line: int) -> str:
    """What to do about a line the parser stumbled over: the silent and the loud mis-parses of expressions."""
    for number in (line, line - 1):
        shown = lines[number] if 0 <= number < len(lines) else ""
        if _MUST_QUOTE.search(shown):
            return "quote it: a value that starts with @ * & ! % | or ` must stand in quotes"
        if re.search(r"[:\[{,]\s*=\s", shown):
            return "quote it: an expression with ': ', ' #' or, in braces, one of , [ ] { } must stand in quotes"
    return ""


def _place(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _compose(text: str, name: str, fail: Callable[..., LintErrors]) -> Node:
    stack: list[tuple[Node, str | None, str | None]] = []  # container, key that waits for its value, its anchor
    anchors: dict[str, Node] = {}
    root: Node | None = None

    def place(node: Node, is_key: bool, raw: str) -> None:
        nonlocal root
        if not stack:
            if root is not None:
                raise fail(node.line, node.column, "documents", "a second document", "one document per file")
            root = node
            return
        parent, key, anchor = stack[-1]
        if parent.kind == "list":
            parent.value.append(node)
        elif key is None:
            if not is_key:
                raise fail(node.line, node.column, "key", "a key that is not text", "keys are plain text")
            if raw in parent.value:
                first = parent.keys[raw]
                raise fail(
                    node.line,
                    node.column,
                    "duplicate-key",
                    f"{raw!r} stands here twice",
                    f"the first is at line {first[0]}",
                )
            parent.keys[raw] = (node.line, node.column)
            stack[-1] = (parent, raw, anchor)
            return
        else:
            parent.value[key] = node
            stack[-1] = (parent, None, anchor)
        parent.size += node.size
        if parent.size > MAX_NODES:
            raise fail(node.line, node.column, "too-large", "aliases expand too far", f"at most {MAX_NODES} values")

    for event in yaml.parse(text, Loader=_LOADER):
        line, column = _place(event.start_mark)
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if event.tag is not None:
                raise fail(line, column, "tag", f"the tag {event.tag}", "tags are not read; a text with ! is quoted")
            if len(stack) >= MAX_DEPTH:
                raise fail(line, column, "too-deep", f"more than {MAX_DEPTH} levels", "")
            is_map = isinstance(event, yaml.MappingStartEvent)
            node = Node("map" if is_map else "list", {} if is_map else [], name, line, column)
            stack.append((node, None, event.anchor))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node, _, anchor = stack.pop()
            node.end = _place(event.end_mark)
            if anchor is not None:  # known only now: an alias inside its own anchor would be endless
                anchors[anchor] = node
            place(node, False, "")
        elif isinstance(event, yaml.ScalarEvent):
            if event.tag is not None:
                raise fail(line, column, "tag", f"the tag {event.tag}", "tags are not read; quote a text with !")
            plain = event.style is None or event.style == ""
            plain = plain and event.implicit[0]
            node = Node("scalar", scalar(event.value) if plain else event.value, name, line, column)
            node.plain = plain
            node.end = _place(event.end_mark)
            if event.anchor is not None:
                anchors[event.anchor] = node
            place(node, True, event.value)
        elif isinstance(event, yaml.AliasEvent):
            known = anchors.get(event.anchor or "")
            if known is None:
                raise fail(
                    line,
                    column,
                    "alias",
                    f"*{event.anchor} names no anchor above it",
                    "quote it: a value that starts with * must stand in quotes",
                )
            place(known, False, "")
    return root if root is not None else Node("scalar", None, name, 1, 1)


def load_yaml(text: str, name: str) -> tuple[Any, Callable[..., tuple[int, int]]]:
    """The plain data of a YAML file, and ``where(*path)``: the (line, column) of a key or leaf, counted from 1.

    ``where("channels", "shop-kz", "every")`` is the place of the key ``every``; a number in the path is an index. A
    path that does not exist gives the place of the deepest part that does. Raises ``LintErrors``.
    """
    root = load_node(text, name)

    def where(*path: str | int) -> tuple[int, int]:
        node, place = root, (root.line, root.column)
        for part in path:
            if node.kind == "map" and str(part) in node.value:
                place, node = node.keys[str(part)], node.value[str(part)]
            elif node.kind == "list" and isinstance(part, int) and -len(node.value) <= part < len(node.value):
                node = node.value[part]
                place = (node.line, node.column)
            else:
                break
        return place

    return root.data(), where
