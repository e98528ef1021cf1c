"""A mapping is safe to let strangers edit: it ends in time and memory, reaches nothing, and changes no type unseen."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mappings import language
from mappings.language import Mapping
from mappings.language.amounts import plain
from tests.unit.language.conftest import CANONICAL, ROOT

PROBING = Path(__file__).with_name("probing.py")
STOPPED = {
    "length": ("doubling text", "doubling text by join", "doubling text by replace", "doubling text by base64"),
    "work": ("loops in loops", "loops in expressions"),
    "pad": ("wide padding",),
    "date": ("far days",),
    "round": ("monstrous digits",),
    "number": ("squaring", "monstrous quotient"),
}
HARMLESS = {"class in a path", "comparing nests", "exploding pattern", "monstrous sum"}
"""What may run: a path is a look-up in the document whatever its name; what it costs is bounded by the document."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of every probe, in a process that may use 1 GiB and a minute of CPU time."""
    ran = subprocess.run(
        [sys.executable, str(PROBING)],
        cwd=tmp_path_factory.mktemp("nowhere"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_what_a_hostile_author_writes_is_refused_or_stopped_by_a_bound(outcomes: dict[str, Any]) -> None:
    """P6, P14: all the bombs of YAML, text, lists, numbers, loops and patterns end within a gigabyte and a minute."""
    probes = {name: said for name, said in outcomes.items() if name != "reached"}
    ran = {name for name, said in probes.items() if not said.startswith(("refused", "stopped"))}
    assert ran == HARMLESS
    for rule, names in STOPPED.items():
        for name in names:
            assert probes[name] == f"stopped: {rule}", name
    for name in ("alias bomb", "tag of an object", "power tower", "class", "getattr", "look-alike of a name", "key on"):
        assert probes[name].startswith("refused: "), name


def test_a_mapping_reaches_no_file_network_or_process(outcomes: dict[str, Any]) -> None:
    """P13: while the tests of every mapping of the project run, the interpreter opens, starts and loads nothing."""
    assert outcomes["reached"] == []


# -- the generated source ---------------------------------------------------------------------------------------------
def _everything() -> list[Mapping]:
    def load(name: str) -> str:
        path = ROOT / "mappings" / name
        if not path.is_file():
            raise FileNotFoundError(name)
        return path.read_text()

    found = []
    for path in sorted((ROOT / "mappings").glob("sandbox_*/*.yaml")):
        text = path.read_text()
        if "\nresource:" in text:
            schema = json.loads(path.with_suffix(".schema.json").read_text())
            found.append(language.compile(text, path.name, load=load, source_schema=schema, canonical=CANONICAL))
    return found


def _asks_a_class(node: ast.Compare) -> bool:
    """``x.__class__ is str``: the one question that generated code asks of a Python object."""
    ends = isinstance(node.ops[0], ast.Is | ast.IsNot) and isinstance(node.comparators[0], ast.Name)
    return ends and isinstance(node.left, ast.Attribute) and node.left.attr == "__class__"


METHODS = {
    *("append", "get", "take", "failed", "waiting", "pending", "begin", "fault", "item", "id", "kept"),
    *("null_operand", "operands", "settle"),
}
"""Every attribute that generated code asks for: of lists and dicts, of references, and of the memory of faults."""
STATEMENTS = (
    *(ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Expr, ast.Assign, ast.If, ast.For, ast.Try),
    *(ast.ExceptHandler, ast.Continue, ast.Pass, ast.Delete, ast.expr, ast.expr_context, ast.operator, ast.unaryop),
    *(ast.cmpop, ast.boolop, ast.comprehension, ast.keyword, ast.Raise),
)


def test_generated_code_names_nothing_but_documents_and_the_language() -> None:
    """No import, no while, no class, no attribute of a Python object; every global is the language's or a constant."""
    for mapping in _everything():
        tree = ast.parse(mapping.source)
        made = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        made |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
        made |= {n.name for n in ast.walk(tree) if isinstance(n, ast.ExceptHandler) and n.name is not None}
        asked = {n.left for n in ast.walk(tree) if isinstance(n, ast.Compare) and _asks_a_class(n)}
        given_names = set(mapping._space) | set(mapping._space["__builtins__"])
        for node in ast.walk(tree):
            assert isinstance(node, STATEMENTS), ast.dump(node)
            assert not isinstance(node, ast.Lambda | ast.Await | ast.Yield | ast.YieldFrom | ast.JoinedStr)
            if isinstance(node, ast.Attribute) and node not in asked:
                assert node.attr in METHODS, node.attr
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                assert node.id in made | given_names, node.id
                assert not node.id.startswith("__"), node.id


def test_nothing_in_reach_of_generated_code_leads_outside() -> None:
    """Its globals hold functions of the language, classes of results and constants: no module, nothing of Python's."""
    for mapping in _everything()[:3]:
        for name, value in mapping._space.items():
            if name == "__builtins__":
                assert set(value) <= {
                    "enumerate",
                    "frozenset",
                    "len",
                    "str",
                    "int",
                    "bool",
                    "list",
                    "dict",
                    "Exception",
                }
                continue
            assert not isinstance(value, type(sys)), name
            if callable(value):
                module = getattr(value, "__module__", None)
                assert module is None or module.startswith("mappings.language") or value in (str,), (name, module)


# -- types ------------------------------------------------------------------------------------------------------------
EDGES: tuple[Any, ...] = (
    0,
    "",
    False,
    None,
    "007",
    "1E5",
    2**53 + 1,
    Decimal("0.10"),
    True,
    1,
    "0",
    "false",
    "null",
    1.0,
)[:-1]
WAYS = {
    "path": "v",
    "expression": "= v",
    "let": {"let": {"n": "v"}, "from": "n"},
    "default": {"from": "v", "default": "v"},
    "each": {"each": "l"},
    "each_from": {"each": "l", "from": "= this"},
    "items": {"items": ["v", "v"]},
    "fields": {"fields": {"in": "v"}},
    "literal": "= [v, v]",
    "object": "= {'in': v}",
    "generated": "= [x for x in l]",
    "either": "= v if 1 == 1 else v",
    "nth": "= nth(l, 0)",
    "sliced": "= slice(l, 0, 2)",
    "joined": "= concat(l, l)",
    "numbered": "= numbered(l)",
    "looked_up": "= lookup(m, 'in')",
    "distinct": "= distinct(l)",
}
TABLE = {
    "0": "zero",
    "": "empty",
    "false": "no",
    "007": "seven",
    "1E5": "e",
    "true": "yes",
    "1": "one",
    "0.10": "dime",
    "null": "word",
}


def _shapes(way: str, value: Any) -> Any:
    found: dict[str, Any] = {
        "each": [value, value],
        "each_from": [value, value],
        "items": [value, value],
        "literal": [value, value],
        "generated": [value, value],
        "sliced": [value, value],
        "distinct": [value],
        "joined": [value] * 4,
        "fields": {"in": value},
        "object": {"in": value},
        "numbered": [{"index": 0, "value": value}, {"index": 1, "value": value}],
    }
    return found.get(way, value)


def _compile(rows: dict[str, Any]) -> Mapping:
    block = {"required": False, "fields": {"attributes": {"fields": rows}}}
    text = json.dumps({"platform": "x", "resource": "r", "inward": {"variant": block}})
    return language.compile(text, "x/y.yaml", load=_nothing, source_schema=None, canonical=CANONICAL)


def _nothing(name: str) -> str:
    raise FileNotFoundError(name)


THROUGH = _compile(WAYS)
PICKED = _compile({"table": {"from": "v", "table": TABLE, "otherwise": "park"}, "same": "= [v == w, w in [v]]"})


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@settings(max_examples=60, deadline=None)
@given(value=st.sampled_from(EDGES) | st.text(max_size=4) | st.integers() | st.booleans())
def test_no_way_through_a_mapping_changes_a_values_type(value: Any) -> None:
    """P7: what is text stays text, a zero a zero, false false, null null; exact numbers become their text, once."""
    doc = {"id": "1", "v": value, "l": [value, value], "m": {"in": value}}
    result = THROUGH.map_inward([doc], {}, {})
    assert not result.faults
    came = result.records[0].values["attributes"]
    for way in WAYS:
        assert _same(came[way], plain(_shapes(way, value))), (way, value, came[way])


@settings(max_examples=60, deadline=None)
@given(value=st.sampled_from(EDGES), other=st.sampled_from(EDGES))
def test_tables_and_comparisons_tell_values_apart_that_python_would_not(value: Any, other: Any) -> None:
    """P7: a table has one entry per canonical text; true is not 1, 0 is not false, "0" is not 0."""
    (record, *_) = PICKED.map_inward([{"id": "1", "v": value, "w": other}], {}, {}).records or [None]
    if record is None:  # no entry: parked
        assert value not in (0, "", False, "007", "1E5", True, 1)
        return
    written = {None: None, True: "true", False: "false"}
    key = written[value] if value is None or isinstance(value, bool) else str(value)
    assert record.values["attributes"]["table"] == (None if key is None else TABLE[key])
    alike = value is other if isinstance(value, bool) or isinstance(other, bool) else value == other
    assert record.values["attributes"]["same"] == [alike, alike]


@pytest.mark.parametrize("field", ["where", "drop_if"])
def test_a_condition_that_lacks_its_value_is_told_and_loses_nothing(
    compiled: Callable[..., Mapping], field: str
) -> None:
    """P1: an order line whose quantity is absent is a fault of the order, never a line that was not there."""
    rows = {"each": "lines", "where": "= qty > 0", "fields": {"n": "n"}}
    block: dict[str, Any] = {"required": False, "fields": {"attributes": {"fields": {"lines": rows}}}}
    if field == "drop_if":
        block = {"required": False, "fields": {"name": "name"}, "drop_if": {"nothing": "= qty > 0"}}
    mapping = compiled(json.dumps({"platform": "x", "resource": "r", "inward": {"variant": block}}))
    result = mapping.map_inward([{"id": "1", "lines": [{"n": 1, "qty": 2}, {"n": 2}]}], {}, {})
    assert (result.records, result.skips) == ([], [])
    assert [fault.rule for fault in result.faults] == ["null"]
