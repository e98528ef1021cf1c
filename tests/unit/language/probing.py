"""Runs in a process of its own, with limits on memory and CPU time: what a hostile author may try, and what came of it.

Prints one JSON object: probe → outcome. ``reached`` lists what mapping reached for outside itself (audit events).
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from mappings import language  # noqa: E402  # the path is set first: the process starts in a folder of its own
from mappings.language import LintErrors  # noqa: E402

MEMORY, CPU = 1 << 30, 60
CANONICAL = {
    p.name.removesuffix(".schema.json"): json.loads(p.read_text()) for p in (ROOT / "mappings/canonical").glob("*.json")
}
CANONICAL = {name.removesuffix(".json"): schema for name, schema in CANONICAL.items()}
HEAD = "platform: x\nresource: r\n"
CHAIN = "abcdefghijklmnopqrstuvwxyz"
CONTEXT: dict[str, Any] = {
    "channel": "c",
    "company": {"country": "KZ"},
    "settings": {},
    "now": "2026-01-01T00:00:00Z",
    "run": "r",
}


def fields(rows: dict[str, Any], **keys: Any) -> str:
    """A mapping of one variant whose attributes have these rows."""
    block = {"required": False, "fields": {"attributes": {"fields": rows}}, **keys}
    return json.dumps({"platform": "x", "resource": "r", "inward": {"variant": block}})


def chained(first: str, step: str, length: int = 26, last: str = "") -> str:
    """A value that is built from itself, name by name, by ``let``."""
    let = {"a": f"= {first}"} | {b: "= " + step.replace("$", a) for a, b in itertools.pairwise(CHAIN[:length])}
    end = CHAIN[length - 1]
    return fields({"v": f"= {last.replace('$', end) or end}"}, let=let)


def nested_each(levels: int) -> Any:
    """Every item of the document for every item of the document, level by level."""
    return {"each": "doc.l", "fields": {"x": nested_each(levels - 1)}} if levels else "= 1"


ALIASES = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
LONG = {"id": "1", "t": "a" * 200_000, "l": list(range(2000)), "n": 10**300, "d": {"a": "x" * 1000}}
PROBES: dict[str, str] = {
    # what is refused when it is read
    "alias bomb": ALIASES + HEAD + "inward: {variant: {required: false, fields: {name: name}}}\n",
    "alias inside its own anchor": "a: &a [*a]\n",
    "tag of an object": HEAD + "inward: !!python/object/apply:os.system [true]\n",
    "tag of a name": HEAD + "inward: !!python/name:os.system ''\n",
    "deep flow lists": "[" * 100_000,
    "deep flow maps": "{a: " * 20_000,
    "deep block": "".join(" " * n + "a:\n" for n in range(500)),
    "deep parentheses": fields({"v": "= " + "(" * 900 + "1" + ")" * 900}),
    "deep minus": fields({"v": "= " + "-" * 1900 + "1"}),
    "deep not": fields({"v": "= " + "not " * 450 + "true"}),
    "deep attributes": fields({"v": "= " + ".".join(["a"] * 900)}),
    "deep path": fields({"v": ".".join(["a"] * 30_000)}),
    "long chain of and": fields({"v": "= " + " and ".join(["true"] * 380)}),
    "long line": "a: " + "x" * 2_000_000,
    "huge integer": fields({"v": "= " + "9" * 1900}),
    "huge float": fields({"v": "= 1e99999999"}),
    "power tower": fields({"v": "= 9 ** 9 ** 9 ** 9"}),
    "shift": fields({"v": "= 1 << 999999999"}),
    "text times number": fields({"v": "= 'a' * 1000000000"}),
    "list times number": fields({"v": "= [1] * 1000000000"}),
    "three loops": fields({"v": "= [1 for x in doc.l for y in doc.l for z in doc.l]"}),
    "format string": fields({"v": "= '{0.__class__}'.format(name)"}),
    "percent format": fields({"v": "= f'{name.__class__}'"}),
    "class": fields({"v": "= name.__class__"}),
    "class by index": fields({"v": "= this['__class__']"}),
    "class in a path": fields({"v": "__class__.__base__"}),
    "getattr": fields({"v": "= getattr(name, 'x')"}),
    "builtins": fields({"v": "= __builtins__"}),
    "globals of a function": fields({"v": "= upper.__globals__"}),
    "names of generated code": fields({"v": "= f_upper('a')"}),
    "look-alike of a name": fields({"v": "= ｅｖａｌ('1')"}),
    "look-alike of a dunder": fields({"v": "= name.＿＿class＿＿"}),
    "lambda": fields({"v": "= (lambda: 1)()"}),
    "walrus": fields({"v": "= (records := [])"}),
    "back reference": fields({"v": "= matches(t, '(a)\\\\1')"}),
    "huge repetition": fields({"v": "= matches(t, '((a{999}){999}){999}')"}),
    "pattern of the document": fields({"v": "= matches(t, t)"}),
    "key on": HEAD + "on: {x: y}\ninward: {variant: {required: false, fields: {name: name}}}\n",
    "key no": HEAD + "inward: {variant: {required: false, fields: {name: {from: name, no: yes}}}}\n",
    "duplicate key": HEAD + "inward: {variant: {required: false, fields: {name: name, name: sku}}}\n",
    "merge key": HEAD + "b: &b {name: name}\ninward: {variant: {required: false, fields: {<<: *b}}}\n",
    "extends outside": HEAD
    + "extends: ../../../etc/passwd\ninward: {variant: {required: false, fields: {name: name}}}\n",
    # what is stopped while it runs
    "doubling text": chained("t", "$ + $", last="$"),
    "doubling text by join": chained("t", "join([$, $, $])"),
    "doubling text by replace": chained("'aaaaaaaaaa'", "replace($, 'a', $)"),
    "doubling text by base64": chained("t", "base64_encode($)"),
    "doubling list": chained("l", "concat($, $)"),
    "doubling list by flatten": chained("l", "flatten([$, $, $])"),
    "nesting list": chained("l", "[$, $, $, $]"),
    "nesting object": chained("d", "{'a': $, 'b': $, 'c': $}"),
    "comparing nests": chained("l", "[$, $, $, $]", last="[$, 1] == [$, 2] or [[$]] == [[[$]]]"),
    "telling nests apart": chained("l", "[$, $, $, $]", last="distinct($)"),
    "squaring": chained("99999999999999999999", "$ * $"),
    "squaring decimals": chained("99999999999999999999.5", "$ * $"),
    "monstrous quotient": fields({"v": "= n // 0.0000000001"}),
    "monstrous sum": chained("n", "$ + $"),
    "loops in loops": fields({"v": nested_each(3)}),
    "loops in expressions": fields({"v": {"each": "doc.l", "from": "= len([x for x in doc.l for y in doc.l])"}}),
    "exploding pattern": fields({"v": "= matches(t, '(a+)+b')", "w": "= replace_pattern(t, '(a|aa)+$', 'x')"}),
    "wide padding": fields({"v": "= pad_left('', 1000000000)"}),
    "far days": fields({"v": "= add_business_days(date('2026-01-01'), 999999999)"}),
    "monstrous digits": fields({"v": "= round(0.5, 999999999)"}),
}


def outcome(text: str) -> str:
    """``refused: code``, or what became of a document: ``mapped``, or the rules of its faults."""
    try:
        mapping = language.compile(text, "probe.yaml", load=_load, source_schema=None, canonical=CANONICAL)
    except LintErrors as found:
        placed = all(error.file == "probe.yaml" and error.line >= 1 for error in found.errors)
        return f"refused: {found.errors[0].code}" if placed else "refused without a place"
    result = mapping.map_inward([LONG], {}, CONTEXT)
    return "mapped" if result.records else "stopped: " + ", ".join(sorted({fault.rule for fault in result.faults}))


def _load(name: str) -> str:
    raise FileNotFoundError(name)


def reached() -> list[str]:
    """What a second run of every mapping's own tests reached for (the first one fills the caches of zones)."""
    found: list[str] = []
    listening = False

    def hook(event: str, args: Any) -> None:
        if listening and event.split(".")[0] in (
            "open",
            "socket",
            "subprocess",
            "os",
            "import",
            "exec",
            "compile",
            "ctypes",
        ):
            found.append(f"{event} {args!r}"[:200])

    sys.addaudithook(hook)
    ready = []
    for path in sorted((ROOT / "mappings").glob("*/*.yaml")):
        text = path.read_text()
        if "resource:" not in text:
            continue
        schema = path.with_suffix(".schema.json")
        ready.append(
            language.compile(
                text,
                path.name,
                load=lambda name: (ROOT / "mappings" / name).read_text(),
                source_schema=json.loads(schema.read_text()) if schema.is_file() else None,
                canonical=CANONICAL,
            )
        )
    for mapping in ready:
        language.run_tests_of(mapping)
    listening = True
    for mapping in ready:
        language.run_tests_of(mapping)
    listening = False
    return found


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    told: dict[str, Any] = {name: outcome(text) for name, text in PROBES.items()}
    told["reached"] = reached()
    json.dump(told, sys.stdout)
