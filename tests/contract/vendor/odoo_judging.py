"""How one call of Odoo, and one value that it tells, are judged by the facts of its source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deployments.sandbox.odoo.models import Field
from tests.contract.vendor.checking import Place
from tests.contract.vendor.odoo_published import Fact

Models = Mapping[str, Mapping[str, Fact]]
OPERATORS = ("=", "!=", "in", "not in", ">", ">=", "<", "<=", "like", "ilike", "=like", "=ilike", "child_of")
CONTEXT: Mapping[str, type | tuple[type, ...]] = {
    "lang": str, "active_test": bool, "allowed_company_ids": list, "location": int, "disable_cancel_warning": bool,
    "skip_backorder": bool, "skip_immediate": bool, "skip_sms": bool, "serai_write": str,
}  # fmt: skip
UNKNOWN = Fact(type="", stored=False)
GIVEN: Mapping[str, tuple[str, ...]] = {"create": ("vals_list",), "write": ("ids", "vals"), "search_read": (),
                                        "fields_get": ()}  # fmt: skip
"""What a method cannot do without; an action wants ids."""


def objections(known: Models, model: str, method: str, parameters: Sequence[str], body: Any) -> Iterator[str]:
    """What Odoo would refuse of a call, or pass over in silence."""
    for name in body:
        if name not in (*parameters, "ids", "context"):
            yield f"{method} has no parameter {name}"
    for name in GIVEN.get(method, ("ids",)):
        if name not in body:
            yield f"{method} needs {name}"
    ids = body.get("ids")
    if ids is not None and method in ("search_read", "create", "fields_get"):
        yield f"{method} takes no ids"
    if ids is not None and not (isinstance(ids, list) and ids and all(whole(id) for id in ids)):
        yield "ids are whole numbers"
    if not isinstance(body.get("context"), dict):
        yield "no context"
        return
    for name, value in body["context"].items():
        if name not in CONTEXT or not isinstance(value, CONTEXT[name]) or (whole(value) and CONTEXT[name] is bool):
            yield f"context {name}: {value!r}"
        if name == "allowed_company_ids" and not all(whole(one) for one in value):
            yield f"context {name}: {value!r}"
    for name in ("limit", "offset"):
        if body.get(name) is not None and not whole(body[name]):
            yield f"{name} is no number"
    for name in ("fields", "attributes", "allfields"):
        yield from _listed(known[model], name, body.get(name, []))
    order = body.get("order", "id")
    parts = [part.strip() for part in order.split(",")] if isinstance(order, str) else [""]
    sorted_by = [re.fullmatch(r"(\w+)( desc)?", part) for part in parts]
    if any(part is None or not known[model].get(part[1], UNKNOWN).stored for part in sorted_by):
        yield f"order {order!r}"
    domain = body.get("domain", [])
    if not isinstance(domain, list):
        yield "a domain is a list"
        return
    for term in domain:
        yield from _term(known, model, term)
    rows = body.get("vals_list", [body["vals"]] if "vals" in body else [])
    if not isinstance(rows, list):
        yield "values are a list"
        return
    for values in rows:
        yield from _values(known, model, values, method == "create")


def whole(value: Any) -> bool:
    """A whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _listed(fields: Mapping[str, Fact], name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{name} is no list"
        return
    for one in value:
        if not isinstance(one, str) or (name == "fields" and one not in fields):
            yield f"there is no field {one!r}"
        if name == "attributes" and one not in ("type", "string", "required", "readonly"):
            yield f"attribute {one!r}"


def _term(known: Models, model: str, term: Any) -> Iterator[str]:
    if term in ("&", "|", "!"):
        return
    if not isinstance(term, list) or len(term) != 3 or not isinstance(term[0], str) or term[1] not in OPERATORS:
        yield f"a term is [field, operator, value]: {term!r}"
        return
    steps, of = term[0].split("."), model
    for number, step in enumerate(steps):
        kind = known[of].get(step)
        if kind is None or not kind.searched or (number < len(steps) - 1 and kind.of not in known):
            yield f"{of}.{step} cannot be searched"
            return
        of = kind.of
    values = term[2] if isinstance(term[2], list) else [term[2]]
    if any(isinstance(value, dict | list) for value in values) or (
        isinstance(term[2], list) != (term[1] in ("in", "not in"))
    ):
        yield f"{term[0]} {term[1]}: {term[2]!r}"


def _values(known: Models, model: str, values: Any, fresh: bool, given: str = "") -> Iterator[str]:
    if not isinstance(values, dict):
        yield "values are an object"
        return
    for name, value in values.items():
        kind = known[model].get(name)
        if kind is None or not kind.written:
            yield f"{model}.{name} cannot be written"
        elif not _fits(kind, value):
            yield f"{model}.{name}: {value!r}"
        elif kind.type in ("one2many", "many2many"):
            for command in value:
                if command[0] in (0, 1) and len(command) == 3 and whole(command[1]):
                    yield from _values(known, kind.of, command[2], command[0] == 0, kind.inverse)
                elif command[0] not in (4, 6) or not all(
                    whole(id) for id in (command[2] if command[0] == 6 else [command[1]])
                ):
                    yield f"{model}.{name}: command {command!r}"
    if fresh:
        yield from (f"{model} needs {name}" for name in _needs(known, model)
                    if name != given and values.get(name) in (None, False, ""))  # fmt: skip


_MORE: Mapping[str, tuple[str, ...]] = {"res.partner": ("name",), "sale.order.line": ("product_id",)}
"""What a constraint of the tables demands: a contact has a name (base/res_partner.py), a line that is none of text its
product (sale/sale_order_line.py)."""


def _needs(known: Models, model: str) -> list[str]:
    return [*(name for name, kind in known[model].items() if kind.needed), *_MORE.get(model, ())]


def demanded(known: Models, model: str, values: Mapping[str, Any], place: Place, given: str = "") -> list[Place]:
    """The places in values that Odoo cannot do without, those of lines inside them too."""
    found: list[Place] = [(*place, name) for name in _needs(known, model) if name != given]
    for name, value in values.items():
        kind = known[model][name]
        if kind.type == "one2many":
            for index, command in enumerate(value):
                if command[0] == 0:
                    found += demanded(known, kind.of, command[2], (*place, name, index, 2), kind.inverse)
    return found


def looser(ours: Field, values: Sequence[str], theirs: Fact) -> Iterator[str]:
    """What the simulator's field may do or hold beyond the published one."""
    if ours.type != theirs.type and (ours.type, theirs.values) != ("char", None):
        yield f"{ours.type} is {theirs.type}"
    if not set(values) <= set(theirs.values or ()):
        yield f"{values} is {theirs.values}"
    if ours.type.endswith("2many") and (ours.of, ours.inverse) != (theirs.of, theirs.inverse):
        yield f"it links {theirs.of} {theirs.inverse}"
    if ours.type == "many2one" and ours.of != theirs.of:
        yield f"it links {theirs.of}"
    if ours.stored and not theirs.searched:
        yield "it cannot be searched"


def _fits(kind: Fact, value: Any) -> bool:
    if value is False:
        return True
    if kind.type in ("one2many", "many2many"):
        return isinstance(value, list) and all(isinstance(one, list) and one for one in value)
    if kind.type in ("many2one", "integer"):
        return whole(value)
    if kind.type == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind.type == "boolean":
        return isinstance(value, bool)
    if kind.type == "datetime":
        return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value) is not None
    if kind.type == "selection":
        return isinstance(value, str) and (kind.values is None or value in kind.values)
    return isinstance(value, str)


def told_right(kind: Fact, value: Any) -> bool:
    """As Odoo tells it: false for empty, a pair for a link, numbers as numbers."""
    if kind.type == "many2one":
        return value is False or (
            isinstance(value, list) and len(value) == 2 and whole(value[0]) and isinstance(value[1], str)
        )
    if kind.type in ("one2many", "many2many"):
        return isinstance(value, list) and all(whole(id) for id in value)
    if kind.type == "float":
        return isinstance(value, float)
    return value != "" and _fits(kind, value)
