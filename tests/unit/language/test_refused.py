"""What an author must not be able to write: escapes, endless work, memory bombs, silent changes of type."""

from collections.abc import Callable

import pytest

from mappings.language import LintErrors, Mapping

PROBES = [
    "().__class__",
    "().__class__.__bases__[0].__subclasses__()",
    "name.__class__",
    "this['__class__']",
    "upper.__globals__",
    "name.upper()",
    "__import__('os')",
    "open('x')",
    "eval('1')",
    "exec('1')",
    "getattr(name, 'x')",
    "globals()",
    "walk(1)",
    "f_upper(name)",
    "MISSING.x()",
    "lambda: 1",
    "(lambda: 1)()",
    "[x for x in [1] for y in [1] for z in [1]]",
    "[[z for z in [1]] for x in [1] for y in [1]]",
    "sum(sum(sum(z for z in a) for y in a) for x in a)",
    "9 ** 9 ** 9",
    "'a' * 10",
    "10 * 'a'",
    "'a' * 10 ** 10",
    "[1] * 1000000",
    "1 << 100",
    "1 | 2",
    "~1",
    "1e999999",
    "1_000",
    "0x10",
    "1j",
    "b'x'",
    "...",
    "f'{name}'",
    "(x := 1)",
    "{x for x in [1]}",
    "{x: 1 for x in [1]}",
    "(x for x in [1])",
    "[*name]",
    "upper(*name)",
    "upper(**name)",
    "{**name}",
    "name[1:2]",
    "name[name]",
    "await name",
    "yield name",
    "1 < 2 < 3",
    "1 if 'x' else 2",
    "not 1",
    "1 and 2",
    "'a' + 1",
    "'a' < 1",
    "null + 1",
    "1 is 1",
    "upper(1)",
    "upper(null)",
    "upper()",
    "upper('a', 'b')",
    "upper(x='a')",
    "print(name)",
    "range(10)",
    "money(1)",
    "moment('2026-01-01T00:00:00')",
    "money(1, 'KZT') * money(1, 'KZT')",
    "money(1, 'KZT') + 1",
    "[x for __x in [1]]",
    "for x in y: pass",
    "import os",
    "1; 2",
    "",
    "9" * 51,
    "(" * 300 + ")" * 300,
    "1 + " * 400 + "1",
    "1 if true else " * 100 + "1",
    "upper(" * 200 + "name" + ")" * 200,
    "up.x",
    "out.never",
]


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p[:40])
def test_an_unsafe_or_meaningless_expression_is_refused_when_it_is_read(
    compiled: Callable[..., Mapping], probe: str
) -> None:
    """Nothing but whitelisted syntax reaches the generated source; the message has a place."""
    head = "platform: x\nresource: r\ninward:\n  product:\n    required: false\n    fields:\n"
    text = head + f"      name: {'= ' + probe!r}\n"
    with pytest.raises(LintErrors) as refused:
        compiled(text)
    error = refused.value.errors[0]
    assert (error.file, error.line) == ("mappings/x/y.yaml", 7)
    assert error.code in {
        "expression",
        "too-deep",
        "unknown-function",
        "unreachable",
        "wrong-type",
        "scope",
        "unknown-field",
        "unknown-path",
        "money-currency",
        "naive-moment",
        "quote",
    }


def test_the_generated_module_has_no_builtins_to_escape_to(compiled: Callable[..., Mapping]) -> None:
    """Even if a name slipped through, there is nothing behind it."""
    mapping = compiled("platform: x\nresource: r\ninward: {product: {required: false, fields: {name: name}}}\n")
    builtins = mapping._space["__builtins__"]
    assert set(builtins) == {"enumerate", "frozenset", "len", "str", "int", "bool", "list", "dict", "Exception"}


def test_texts_of_the_author_reach_the_source_as_constants_only(compiled: Callable[..., Mapping]) -> None:
    """Quotes, newlines and code in names, keys, tables and reasons stay data."""
    evil = "x'] + __import__('os').system('true') + ['"
    text = f"""platform: x
resource: r
inward:
  product:
    required: false
    drop_if: {{{evil!r}: "= this['a''b'] == 'never'"}}
    fields:
      name:
        from: "= this['{evil.replace("'", ".")}']"
        default: = 'd'
        table: {{"'": "'\\"\\n"}}
        otherwise: pass
"""
    mapping = compiled(text)
    result = mapping.map_inward([{"id": "1"}], {}, {})
    assert [record.values for record in result.records] == [{"name": "d"}]


@pytest.mark.parametrize("levels", [3, 9, 30, 200])
def test_lists_in_lists_work_to_a_depth_and_are_refused_beyond_it(
    compiled: Callable[..., Mapping], levels: int
) -> None:
    """No nesting ends in a traceback: it maps, or it is a mistake with a place."""
    row = "{each: a, fields: {x: x}}"
    for _ in range(levels - 1):
        row = f"{{each: a, fields: {{x: {row}}}}}"
    fields = f"{{attributes: {{fields: {{x: {row}}}}}}}"
    text = f"platform: x\nresource: r\ninward: {{product: {{required: false, fields: {fields}}}}}\n"
    if levels > 3:
        with pytest.raises(LintErrors, match="too-deep"):
            compiled(text)
    else:
        doc = {"id": "1", "a": [{"a": [{"a": [{"x": "deep"}]}]}]}
        (record,) = compiled(text).map_inward([doc], {}, {}).records
        assert record.values == {"attributes": {"x": [{"x": [{"x": [{"x": "deep"}]}]}]}}
