"""Every mistake an author can make is named with file, line, column, what, and what is allowed."""

from collections.abc import Callable
from typing import Any

import pytest

from mappings.language import LintErrors, Mapping, load_yaml

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "name", "number", "amount", "state", "at", "lines", "flag"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "number": {"type": "integer"},
        "amount": {"type": "number"},
        "state": {"type": "string", "enum": ["new", "done"]},
        "at": {"type": "string"},
        "flag": {"type": "boolean"},
        "customer": {
            "type": ["object", "null"],
            "properties": {"id": {"type": "string"}},
            "additionalProperties": False,
        },
        "lines": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        },
    },
}
HEAD = "platform: x\nresource: r\n"


def inward(fields: str, entity: str = "order") -> str:
    """A partial block of one entity, fields from line 7 on."""
    rows = "".join(f"      {line}\n" for line in fields.splitlines())
    return f"{HEAD}inward:\n  {entity}:\n    required: false\n    fields:\n{rows}"


CORPUS: list[tuple[str, str, str, str]] = [
    # what the author wrote, line:column, code, words of the message
    (
        "platform: x\nresource: r\ninwards: {}\ninward: {order: {required: false, fields: {}}}",
        "3:1",
        "unknown-key",
        "did you mean 'inward'",
    ),
    ("resource: r\ninward: {order: {required: false, fields: {}}}", "1:1", "missing-key", "no platform"),
    (HEAD, "1:1", "missing-key", "neither inward nor outward"),
    (HEAD + "inward: {ordr: {number: name}}", "3:10", "unknown-entity", "did you mean 'order'"),
    (HEAD + "inward: {order: {number: name}}", "3:10", "required-field", "order: nothing sets"),
    (inward("numbr: name"), "7:7", "unknown-field", "did you mean 'number'"),
    (inward("number: {form: name}"), "7:16", "unknown-key", "did you mean 'from'"),
    (inward("number: nam"), "7:15", "unknown-path", "did you mean 'name'"),
    (inward("number: customer.idd"), "7:15", "unknown-path", "customer has no 'idd'; did you mean 'id'"),
    (inward("number: name.first"), "7:15", "unknown-path", "it is text"),
    (inward("number: lines.id"), "7:15", "unknown-path", "a list is read by each:"),
    (inward("number: 5"), "7:15", "bare-value", "write = 5"),
    (inward("number: true"), "7:15", "bare-value", "write = true"),
    (inward("number:"), "7:14", "bare-value", "write = null"),
    (inward("number: open now"), "7:15", "path", "a constant text is = 'text'"),
    (inward("number: [name]"), "7:15", "shape", "{items: […]}"),
    (inward("number: {}"), "7:15", "empty-row", "says nothing"),
    (inward("number: number"), "7:15", "wrong-type", "as: text"),
    (inward("status: state"), "7:15", "enum", "status is never 'new'"),
    (inward("handed_over: name"), "7:20", "wrong-type", "a boolean"),
    (inward("status: = 'opn'"), "7:15", "enum", "did you mean 'open'"),
    (inward("status: {from: state, table: {new: open}}"), "7:36", "table-gap", "the table misses done"),
    (inward("status: {from: state, table: {new: open, done: shiped}}"), "7:48", "enum", "did you mean 'shipped'"),
    (
        inward("status: {from: state, table: {new: open, done: shipped, dnoe: open}}"),
        "7:63",
        "unreachable",
        "did you mean 'done'",
    ),
    (inward("status: {from: state, table: {new: open}, otherwise: past}"), "7:60", "choice", "did you mean 'pass'"),
    (inward("status: {from: state, table: {new: open}, otherwise: default}"), "7:49", "alone", "needs default"),
    (inward("total: amount"), "7:14", "money-currency", "money without currency"),
    (inward("total: {from: amount, as: money}"), "7:21", "money-currency", "forms: {money: {currency"),
    (inward("total: = amount"), "7:14", "float-money", "as: money"),
    (inward("placed_at: at"), "7:18", "naive-moment", "forms: {moment: {zone: UTC}}"),
    (inward("placed_at: {from: at, as: momnt}"), "7:33", "unknown-type", "did you mean 'moment'"),
    (inward("customer: customer.id"), "7:17", "missing-ref", "{from: …, ref: customer}"),
    (inward("customer: {from: customer.id, ref: variant}"), "7:37", "wrong-ref", "ref: customer"),
    (inward("customer: {from: customer.id, ref: custmer}"), "7:37", "unknown-entity", "did you mean 'customer'"),
    (
        inward("customer: {from: customer.id, ref: customer, table: {a: b}}"),
        "7:52",
        "contradiction",
        "one of ref, table",
    ),
    (inward("number: {from: name, otherwise: wait}"), "7:28", "alone", "needs ref or table"),
    (inward("number: {from: name, where: = flag}"), "7:28", "alone", "needs each"),
    (inward("number: {from: name, required: yes}"), "7:38", "boolean", "true or false"),
    (inward("number: {from: name, on_error: ignore}"), "7:38", "choice", "known: absent"),
    (inward("number: {from: name, default: none}"), "7:37", "unknown-path", "a constant text is = 'text'"),
    (inward("lines: {each: lines, fields: {key: id}}"), "7:14", "required-field", "nothing sets quantity, total"),
    (inward("lines: {each: name, fields: {key: id}}"), "7:14", "wrong-type", "each over text"),
    (inward("number: = uper(name)"), "7:15", "unknown-function", "did you mean 'upper'"),
    (inward("number: = name.upper()"), "7:15", "expression", "functions: upper(x)"),
    (inward("number: = name + number"), "7:15", "wrong-type", "text(x) makes text of a number"),
    (inward("number: = name if number else name"), "7:15", "wrong-type", "compare it"),
    (inward("number: = 'a' if state == 'nwe' else 'b'"), "7:15", "unreachable", "did you mean 'new'"),
    (inward("number: = 'a' if amount == 'x' else 'b'"), "7:15", "wrong-type", "compared with"),
    (inward("number: = out.total"), "7:15", "unknown-field", "no field above"),
    (inward("number: = up.name"), "7:15", "scope", "no enclosing item"),
    (inward("number: = context.chanel"), "7:15", "unknown-path", "did you mean 'channel'"),
    (inward("number: = (name"), "7:15", "expression", "never closed"),
    (inward("number: {from: = left(name, 3)}"), "7:22", "quote", "quote it"),
    (inward("number: = 'x #y'"), "7:15", "quote", "quote it"),
    (inward("number: = name if flag else x: y"), "7:36", "yaml", "quote it"),
    (inward("number: @name"), "7:15", "yaml", "quote it"),
    (inward("number: *name"), "7:15", "alias", "quote it"),
    (inward("number: !name"), "7:15", "tag", "quote"),
    (inward("number: name\nnumber: id"), "8:7", "duplicate-key", "the first is at line 7"),
    (
        HEAD + "inward: {order: {required: false, each: lines, fields: {number: id}}}",
        "3:10",
        "missing-key",
        "items have no key",
    ),
    (HEAD + "inward: {order: {required: false, fields: {}, evry: 1}}", "3:47", "unknown-key", "unknown key 'evry'"),
    (
        HEAD + "forms: {mony: {}}\ninward: {order: {required: false, fields: {}}}",
        "3:9",
        "unknown-key",
        "did you mean 'money'",
    ),
    (
        HEAD + "forms: {money: {curency: x}}\ninward: {order: {required: false, fields: {}}}",
        "3:17",
        "unknown-key",
        "currency",
    ),
    (
        HEAD + "extends: y/gone\ninward: {order: {required: false, fields: {}}}",
        "3:10",
        "extends",
        "no mapping y/gone.yaml",
    ),
    (HEAD + "outward: {fields: {}}", "3:10", "missing-key", "names no entity"),
    (HEAD + "outward: {entity: order, fields: {nme: number}}", "3:35", "unknown-field", "did you mean 'name'"),
    (HEAD + "outward: {entity: order, fields: {name: nmber}}", "3:41", "unknown-path", "did you mean 'number'"),
    (
        HEAD + "outward: {entity: order, fields: {amount: total}}",
        "3:43",
        "wrong-type",
        "amount is a number, total is money",
    ),
    (HEAD + "outward: {entity: order, with: {customer: many}, fields: {}}", "3:32", "shape", "with: [product, price]"),
    (HEAD + "outward: {entity: stock, per: varant, fields: {}}", "3:31", "unknown-entity", "did you mean 'variant'"),
]


@pytest.mark.parametrize(("text", "place", "code", "words"), CORPUS, ids=[f"{row[2]}: {row[3]}" for row in CORPUS])
def test_a_mistake_is_named_where_it_stands(
    compiled: Callable[..., Mapping], text: str, place: str, code: str, words: str
) -> None:
    """The corpus of messages: place, code, and the words that help."""
    with pytest.raises(LintErrors) as refused:
        compiled(text, SCHEMA)
    shown = str(refused.value).splitlines()
    assert any(line.startswith(f"mappings/x/y.yaml:{place}: {code}: ") and words in line for line in shown), shown


def test_all_mistakes_of_a_file_are_told_at_once(compiled: Callable[..., Mapping]) -> None:
    """An author mends a file in one go, in the order of its lines."""
    with pytest.raises(LintErrors) as refused:
        compiled(inward("number: nam\nstatus: = 'opn'\nplaced_at: at\ntotal: amount"), SCHEMA)
    assert [error.line for error in refused.value.errors] == [7, 8, 9, 10]


def test_a_right_file_has_no_mistakes(compiled: Callable[..., Mapping]) -> None:
    """The corpus's schema and head are right themselves."""
    compiled(
        inward("number: name\nstatus: {from: state, table: {new: open, done: shipped}}\nhanded_over: flag"), SCHEMA
    )


def test_project_yaml_knows_the_place_of_every_setting() -> None:
    """Errors of channels.yaml name file, line and column, too."""
    data, where = load_yaml(
        "shop-kz:\n  platform: medusa\n  entities: {product: on, stock: [off, 007]}\n", "channels.yaml"
    )
    assert data["shop-kz"]["entities"] == {"product": "on", "stock": ["off", "007"]}
    assert where("shop-kz", "platform") == (2, 3)
    assert where("shop-kz", "entities", "stock") == (3, 27)
    assert where("shop-kz", "entities", "stock", 1) == (3, 40)
    assert where("shop-kz", "gone") == (1, 1)
