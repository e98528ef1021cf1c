"""What is fuzzed: each target is a Hypothesis test that an example count and a seed can be given to."""

from __future__ import annotations

import contextlib
import copy
import decimal
import difflib
import json
import re
import time
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, note, strategies as st
from hypothesis.strategies import SearchStrategy

from mappings.language import LintErrors, load_yaml
from mappings.language.functions import FUNCTIONS, Function
from mappings.language.types import READERS
from mappings.language.values import EXACT
from tests.fuzz import authors, invariants

_KNOWN: dict[str, tuple[Callable[..., None], dict[str, SearchStrategy[Any]]]] = {}


def target(**strategies: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a function as a target, with what it is given."""

    def keep(run: Callable[..., None]) -> Callable[..., None]:
        _KNOWN[run.__name__] = (run, strategies)
        return run

    return keep


def fresh(name: str) -> Callable[[], None]:
    """The target as a Hypothesis test, to which settings and a seed can be given."""
    run, strategies = _KNOWN[name]

    def test(**given_values: Any) -> None:
        run(**given_values)

    test.__name__ = test.__qualname__ = name
    return given(**strategies)(test)


RANDOM = st.randoms(use_true_random=False)
NASTY = "ab:{}[]-\n \t\"'&*!#=,|%@1.?>~\x00\ufeff\u2028é"


@target(text=st.text(max_size=80) | st.text(alphabet=NASTY, max_size=80), rng=RANDOM, own=st.booleans())
def yaml_text(text: str, rng: Random, own: bool) -> None:
    """Any text is read or refused with its place, and what is read is plain data."""
    if own:
        author = authors.Author(rng)
        text = author.slipped(author.file())
    try:
        data, where = load_yaml(text, "channels.yaml")
    except LintErrors as refused:
        invariants.right(refused, lines=len(re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text)) + 1)
        return
    assert where() >= (1, 1)
    json.dumps(data, default=str)


@target(rng=RANDOM)
def mapping_file(rng: Random) -> None:
    """Any mapping file compiles or is refused; what compiles maps any document, and changes none."""
    text = authors.Author(rng).file()
    note(text)
    mapping = invariants.compiled(text)
    if mapping is not None:
        docs = [{**({"id": "1"} if rng.randrange(4) else {}), **_object(authors.document(rng))}, authors.document(rng)]
        before = copy.deepcopy(docs)
        note(repr(docs))
        invariants.total(mapping, docs)
        assert docs == before, "a document was changed"


HOLDER = "platform: x\nresource: r\ninward: {variant: {required: false, fields: {attributes: {fields: {v: %s}}}}}\n"


@target(rng=RANDOM)
def expression(rng: Random) -> None:
    """Any expression is refused or total."""
    text = authors.Author(rng).expression()
    note(text)
    mapping = invariants.compiled(HOLDER % json.dumps(f"= {text}"))
    if mapping is not None:
        doc = _object(authors.document(rng))
        note(repr(doc))
        invariants.total(mapping, [{"id": "1", "l": [doc], "n": 3, "a": "2026-03-01", "m": {}, **doc}, doc])


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"a": value}


@lru_cache(maxsize=256)
def _schema(path: Path) -> Any:
    found = path.with_suffix("").with_suffix(".schema.json")
    return json.loads(found.read_text()) if found.is_file() else None


@target(rng=RANDOM)
def crossed_file(rng: Random) -> None:
    """Real mapping files with lines exchanged, over their schemas, with documents of their own tests and without."""
    path, text = authors.Author(rng).crossed()
    note(f"{path.parent.name}/{path.name}")
    note("".join(difflib.unified_diff(authors.REAL[path].splitlines(True), text.splitlines(True), n=0)))
    mapping = invariants.compiled(text, f"mappings/{path.parent.name}/{path.name}", _schema(path))
    if mapping is None:
        return
    docs = [authors.document(rng)]
    tests = mapping.tests.data() if mapping.tests is not None else []
    for test in tests if isinstance(tests, list) else []:
        found = test.get("given") if isinstance(test, dict) else None
        docs += found if isinstance(found, list) else [found]
    docs = [_hurt(rng, rng.choice(docs)) for _ in range(3)] + docs[:1]
    note(repr(docs))
    invariants.total(mapping, docs)


def _hurt(rng: Random, good: Any) -> Any:
    """A document with one of its places replaced."""
    good = copy.deepcopy(good)
    holder = good
    while isinstance(holder, dict | list) and holder:
        keys: Any = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = rng.choice(keys)
        if rng.randrange(3) == 0:
            holder[key] = authors.document(rng)
            break
        holder = holder[key]
    return good


@target(rng=RANDOM)
def function(rng: Random) -> None:
    """Any function with any values gives a value or refuses, in time, and leaves its arguments alone."""
    name = rng.choice(sorted({*FUNCTIONS, *READERS}))
    found: Function | None = FUNCTIONS.get(name)
    run: Callable[..., Any] = found.run if found is not None else READERS[name]
    args = [_argument(rng) for _ in range(rng.randint(1, 4))]
    note(f"{name}{tuple(args)!r}"[:2000])
    before, start = copy.deepcopy(args), time.process_time()
    with decimal.localcontext(EXACT), contextlib.suppress(Exception):  # generated code makes a fault of any exception
        run(*args)
    assert args == before, "an argument was changed"
    assert time.process_time() - start < invariants.SECONDS, "the function took too long"


def _argument(rng: Random) -> Any:
    amounts = ((Decimal("12.50"), "KZT"), (Decimal(7), "JPY"), (Decimal(3), "each", "on_hand"))
    other = rng.choice((rng.choice(amounts), 3, "day", "UTC", [1, 2]))
    return rng.choice((authors.document(rng), other))


TARGETS = tuple(_KNOWN)
