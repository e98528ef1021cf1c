"""Tests that are like an earlier one: laid over what that one says, so that they say only what differs."""

from __future__ import annotations

from mappings.language.loader import Node

INHERITED = ("direction", "refs", "context")


def laid(tests: Node | None) -> Node | None:
    """The tests with every ``like`` carried out: each document of ``given`` is laid, field by field of its top level,
    over the first document of the test named, and takes over that test's direction, references and context.

    What is not in form is left as it is, for the runner to complain about.
    """
    if tests is None or tests.kind != "list":
        return tests
    known: dict[str, Node] = {}
    made = Node("list", [], tests.file, tests.line, tests.column)
    for test in tests.value:
        one = test
        if test.kind == "map" and (base := named(test, known)) is not None:
            one = _over(test, base)
        if one.kind == "map" and (name := one.get("name")) is not None:
            known.setdefault(str(name.value), one)
        made.value.append(one)
    return made


def named(test: Node, known: dict[str, Node]) -> Node | None:
    """The earlier test that this one is like."""
    like = test.get("like")
    return None if like is None else known.get(str(like.value))


def _over(test: Node, base: Node) -> Node:
    entries = {key: node for key, node in base.items() if key in INHERITED} | dict(test.items())
    first, given = base.get("given"), test.get("given")
    while first is not None and first.kind == "list":
        first = first.value[0] if first.value else None
    if first is not None and first.kind == "map" and given is not None:
        entries["given"] = _documents(given, first)
    return _copy(test, entries)


def _documents(given: Node, first: Node) -> Node:
    if given.kind == "list":
        return _copy(given, [_documents(one, first) for one in given.value])
    return _copy(given, {**first.value, **given.value}) if given.kind == "map" else given


def _copy(node: Node, value: object) -> Node:
    made = Node(node.kind, value, node.file, node.line, node.column)
    made.end, made.keys, made.size = node.end, node.keys, node.size
    return made
