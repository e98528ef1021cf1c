"""What a function of the language is, and how a family of them is written down.

A signature is in the language's own words (``replace(value: text, old: text, new: text) -> text``); the checker reads
the kinds of arguments and result from it. Beside the kinds of values a parameter may be one of the words of
``words.py`` (``pattern``, ``zone``, ``mode``, …): text of which a constant is checked when the file is read. As a
result ``same`` is the kind of the first argument, ``item`` that of its items, the other words of ``results.py`` say
what a list holds, and ``?`` that it may be null. A parameter with ``= …`` may be left out; ``*name`` takes any number.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mappings.language.operators import MAX_TEXT
from mappings.language.values import Refused, wrong

MAX_ITEMS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter: its kind, and whether it may be left out or repeated."""

    name: str
    kind: str
    optional: bool = False
    many: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """A function of the language. ``example`` is an expression and ``gives`` its value; a test runs every one."""

    name: str
    family: str
    signature: str
    parameters: tuple[Parameter, ...]
    result: str
    nullable: bool
    run: Callable[..., Any]
    what: str
    example: str
    gives: Any
    takes_null: bool = False


class Family:
    """The functions of one file, by name, in the order in which they stand there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.functions: dict[str, Function] = {}

    def __call__(
        self, signature: str, what: str, example: str, gives: Any, *, takes_null: bool = False
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Registers the function that the decorator stands above (or that it is called with)."""
        tree = ast.parse(f"def {signature.removesuffix('?')}: ...").body[0]
        assert isinstance(tree, ast.FunctionDef)
        assert isinstance(tree.returns, ast.Name)
        firsts = len(tree.args.args) - len(tree.args.defaults)
        parameters = [Parameter(name=a.arg, kind=_kind(a), optional=i >= firsts) for i, a in enumerate(tree.args.args)]
        if tree.args.vararg is not None:
            parameters.append(Parameter(name=tree.args.vararg.arg, kind=_kind(tree.args.vararg), many=True))
        result = tree.returns.id

        def keep(run: Callable[..., Any]) -> Callable[..., Any]:
            assert tree.name not in self.functions
            self.functions[tree.name] = Function(
                name=tree.name,
                family=self.name,
                signature=signature,
                parameters=tuple(parameters),
                result=result,
                nullable=signature.endswith("?"),
                run=run,
                what=what,
                example=example,
                gives=gives,
                takes_null=takes_null,
            )
            return run

        return keep


def _kind(argument: ast.arg) -> str:
    return argument.annotation.id if isinstance(argument.annotation, ast.Name) else "any"


def list_only(values: Any) -> Any:
    """A list as it is; anything else is refused."""
    if values.__class__ is not list:
        raise wrong(values, "a list")
    return values


def whole(value: Any, what: str = "a whole number") -> int:
    """A whole number as it is; anything else is refused."""
    if value.__class__ is not int:
        raise wrong(value, what)
    return value


def of_length(length: int) -> None:
    """Refuses a text before it is built."""
    if length > MAX_TEXT:
        raise Refused("length", f"the text would grow beyond {MAX_TEXT:,} characters")


def of_items(count: int) -> None:
    """Refuses a list before it is built."""
    if count > MAX_ITEMS:
        raise Refused("length", f"the list would grow beyond {MAX_ITEMS:,} items")
