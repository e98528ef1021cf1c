"""One call of a program: the model's method, its parameters checked, its values in the names of the version that runs.

What surprises here: whatever a method has no parameter for is refused; a search without a limit gives all there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deployments.sandbox.notation import Doc
from deployments.sandbox.odoo.database import Database, Failure, Session, value_error
from deployments.sandbox.odoo.models import METHODS, MODELS
from deployments.sandbox.odoo.records import create, write
from deployments.sandbox.odoo.trade import cancel, cancel_picking, confirm, ready, set_quantity, validate

OF_MODEL = ("search_read", "create", "fields_get", "search_count")
"""Methods that take no ids."""
READS = ("search_read", "fields_get", "search_count", "read")
ACTIONS: Mapping[tuple[str, str], Any] = {
    ("sale.order", "action_confirm"): confirm,
    ("sale.order", "action_cancel"): cancel,
    ("stock.picking", "action_confirm"): lambda db, id, session: ready(db, id),
    ("stock.picking", "action_assign"): lambda db, id, session: ready(db, id),
    ("stock.picking", "action_cancel"): lambda db, id, session: cancel_picking(db, id),
    ("stock.picking", "button_validate"): validate,
}


def called(
    db: Database, model: str, method: str, ids: Sequence[int], named: Mapping[str, Any], session: Session
) -> Any:
    """What the method returns; the transaction is committed, or as if it had never begun."""
    if model not in MODELS:
        raise Failure("werkzeug.exceptions.NotFound", f"the model {model!r} does not exist", 404)
    parameters = METHODS.get(model, {}).get(method, METHODS[""].get(method))
    if parameters is None:
        raise Failure("werkzeug.exceptions.NotFound", f"'{model}' object has no attribute '{method}'", 404)
    if method in OF_MODEL and ids:
        raise Failure("werkzeug.exceptions.UnprocessableEntity", f"cannot call {model}.{method} with ids", 422)
    for name in named:
        if name not in parameters:
            text = f"got an unexpected keyword argument '{name}'"
            raise Failure("werkzeug.exceptions.UnprocessableEntity", text, 422)
    lang = session.context.get("lang")
    if lang is not None and db.one("res.lang", code=lang, active=True) is None:
        raise Failure("odoo.exceptions.UserError", f"Invalid language code: {lang}", 422)
    session.allowed()
    return db.transact(lambda: _done(db, model, method, list(ids), named, session))


def _done(db: Database, model: str, method: str, ids: list[int], named: Mapping[str, Any], session: Session) -> Any:
    if method == "search_read":
        return _search_read(db, model, named, session)
    if method == "search_count":
        return len(db.search(model, _spoken(db, model, named.get("domain") or []), session))
    if method == "read":
        return [_record(db, model, id, named.get("fields") or [], session) for id in ids if id in db.rows[model]]
    if method == "fields_get":
        names = db.names(model)
        wanted = named.get("allfields") or list(names)
        return {name: {"type": MODELS[model][names[name]].type} for name in wanted if name in names}
    if method == "create":
        return [create(db, model, _given(db, model, values), session) for values in named["vals_list"]]
    if method == "write":
        values = _given(db, model, named["vals"])
        if model == "stock.move" and "quantity" in values:
            for id in ids:
                set_quantity(db, db.get("stock.move", id), float(values["quantity"]))
            values = {name: value for name, value in values.items() if name != "quantity"}
        return write(db, model, ids, values, session)
    found: Any = True
    for id in ids:
        found = ACTIONS[model, method](db, id, session)
    return found


def _search_read(db: Database, model: str, named: Mapping[str, Any], session: Session) -> list[Doc]:
    ids = db.search(model, _spoken(db, model, named.get("domain") or []), session, named.get("order") or "id")
    start, limit = int(named.get("offset") or 0), named.get("limit")
    ids = ids[start : None if not limit else start + int(limit)]
    return [_record(db, model, id, named.get("fields") or [], session) for id in ids]


def _record(db: Database, model: str, id: int, fields: Sequence[str], session: Session) -> Doc:
    names = db.names(model)
    found: Doc = {"id": id}
    for field in fields or list(names):
        if field not in names:
            raise value_error(f"Invalid field {field!r} on model {model!r}")
        found[field] = db.told(model, id, names[field], session)
    return found


def _spoken(db: Database, model: str, domain: Sequence[Any]) -> list[Any]:
    """The domain in the names of 19; Odoo's own words of older versions for a kind of goods are understood."""
    names = db.names(model)
    found: list[Any] = []
    for term in domain:
        if isinstance(term, str):
            found.append(term)
            continue
        head, dot, rest = str(term[0]).partition(".")
        if head not in names:
            raise value_error(f"Invalid field {model}.{head} in leaf {tuple(term)!r}")
        if db.version < 18 and head == "type" and term[2] == "product":
            found.append(["is_storable", "=", True])
            continue
        found.append([f"{names[head]}{dot}{rest}", *term[1:]])
    return found


def _given(db: Database, model: str, values: Mapping[str, Any]) -> Doc:
    """Values in the names of 19, those inside commands too."""
    names, found = db.names(model), dict[str, Any]()
    for name, value in values.items():
        if name not in names:
            raise value_error(f"Invalid field {name!r} on model {model!r}")
        kind = MODELS[model][names[name]]
        if kind.type == "one2many":
            value = [[*one[:2], _given(db, kind.of, one[2])] if one[0] in (0, 1) else one for one in value or []]
        found[names[name]] = value
    return found
