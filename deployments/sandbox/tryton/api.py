"""What programs may ask of the simulated Tryton: log-in, sessions that end, one method of a model per call.

What surprises here: a refusal is HTTP 200 with ``error``; a session that ended is 401 without a word; a method that is
not meant for programs is 403; ``_timestamp`` in the context makes a write depend on what the caller saw.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from deployments.sandbox.notation import Doc
from deployments.sandbox.tryton.database import Database, Failure, plain, tagged, unknown, user_error
from deployments.sandbox.tryton.models import MODELS
from deployments.sandbox.tryton.trade import BUTTONS, asked

LOG_IN = ("common.db.login", "model.res.user.get_preferences")
READS = ("search_read", *(method.rpartition(".")[2] for method in LOG_IN))
HIDDEN = ("product.list_price", "product.gross_price")
WRITABLE = ("party.party", "party.address", "party.contact_mechanism", "party.identifier", "product.template",
            "product.product", "product.identifier")  # fmt: skip
"""What the groups of Serai's user let it write; the rest is the cashiers'."""
Answer = tuple[int, Any]


class Api:
    """The calls of one database, and whoever is logged in."""

    def __init__(self, db: Database, user: str, password: str) -> None:
        self.db, self.user, self.password = db, user, password
        self.sessions: set[str] = set()
        self._given = 0

    def end_sessions(self, _: Any = True) -> None:
        """Every session is over, as after some minutes without a call."""
        self.sessions.clear()

    def answer(self, headers: Mapping[str, str], request: Mapping[str, Any]) -> Answer:
        """Status and body of the answer to a post."""
        method, params = str(request["method"]), list(request["params"])
        told = {"id": request["id"]}
        if method == LOG_IN[0]:
            if params[0] != self.user or params[1] != {"password": self.password}:
                return 401, b"<!doctype html>\n<title>401 Unauthorized</title>"
            self._given += 1
            self.sessions.add(f"session-{self._given}")
            return 200, {**told, "result": [2, f"session-{self._given}", None]}
        if not self._known(headers.get("authorization", "")):
            return 401, None
        if method == LOG_IN[1]:
            return 200, {**told, "result": {"company": 1, "language": "en", "groups": [10, 11, 15, 17]}}
        *arguments, context = params
        model, _, verb = method.removeprefix("model.").rpartition(".")
        if model in HIDDEN or (model in MODELS and verb not in ("search_read", "create", "write", "delete")
                               and (model, verb) not in BUTTONS):  # fmt: skip
            return 403, b"<!doctype html>\n<title>403 Forbidden</title>"
        try:
            return 200, {**told, "result": tagged(self._called(model, verb, plain(arguments), context))}
        except Failure as failure:
            return 200, {**told, "error": failure.error}

    def _known(self, proof: str) -> bool:
        scheme, _, session = proof.partition(" ")
        try:
            user, _, rest = base64.b64decode(session).decode().partition(":")
        except ValueError:
            return False
        return scheme == "Session" and user == self.user and rest.partition(":")[2] in self.sessions

    def _called(self, model: str, verb: str, arguments: list[Any], context: Mapping[str, Any]) -> Any:
        if model not in MODELS:
            raise unknown(model)
        if verb == "search_read":
            with self.db.lock:
                return self._found(model, context, *arguments)
        if model not in WRITABLE:
            raise user_error(f'You are not allowed to access "{MODELS[model].label}".')
        entries = list(_booked(self.db, model, verb, arguments))
        before = {int(entry["id"]): self._asked(int(entry["id"])) for entry in entries if entry["resource"] == "prices"}
        try:
            done = self.db.transact(lambda: self._done(model, verb, arguments, context.get("_timestamp") or {}))
        except Failure as failure:
            for entry in entries:
                self._book(entry, changed=False, code=str(failure.error[0]))
            raise
        for entry in entries:
            self._book(entry, changed=entry["changed"], code=None, made=done)
        for id, was in before.items():
            now = self._asked(id)
            if was != now:
                sku = self.db.get("product.product", id)["code"]
                self.db.books.enter("price", self.db.now(), sku=sku, list="tills", was=was, now=now, currency="KZT",
                                    why="api")  # fmt: skip
        return done

    def _asked(self, product: int) -> str | None:
        price = asked(self.db, product) if product in self.db.rows["product.product"] else None
        return None if price is None else f"{price[0]:.2f}"

    def _found(self, model: str, context: Mapping[str, Any], domain: list[Any], offset: int = 0,
               limit: int | None = None, order: Any = None, fields: Sequence[str] = ()) -> list[Doc]:  # fmt: skip
        ids = self.db.search(model, domain, order, archived=context.get("active_test") is False)
        return [self.db.read(model, id, fields) for id in ids[offset : None if limit is None else offset + limit]]

    def _done(self, model: str, verb: str, arguments: list[Any], seen: Mapping[str, str]) -> Any:
        if verb == "create":
            return [self.db.create(model, values) for values in arguments[0]]
        pairs = list(zip(arguments[::2], arguments[1::2], strict=True)) if verb == "write" else [(arguments[0], None)]
        for ids, _ in pairs:
            for id in ids:
                version = seen.get(f"{model},{id}")
                if version is not None and self.db.rows[model].get(id) is not None \
                        and float(self.db.value(model, id, "_timestamp")) > float(version):  # fmt: skip
                    raise Failure("ConcurrencyException", "Records were modified in the meanwhile")
        for ids, values in pairs:
            if values is None:
                for id in ids:
                    self.db.delete(model, id)
            else:
                self.db.write(model, ids, values)
        return None

    def _book(self, entry: Doc, *, changed: bool, code: str | None, made: Any = None) -> None:
        id = entry["id"] if entry["id"] is not None or not made else str(made[0])
        self.db.books.enter("write", self.db.now(), **{**entry, "id": id, "changed": changed}, reference=None,
                            status=200 if code is None else 400, code=code)  # fmt: skip


def _booked(db: Database, model: str, verb: str, arguments: list[Any]) -> Any:
    """What a call writes, an entry for each record: articles and their prices are told apart."""
    if verb == "create":
        for _ in arguments[0]:
            yield {"resource": _resource(model, {}), "op": "create", "id": None, "changed": True}
        return
    pairs = zip(arguments[::2], arguments[1::2], strict=False) if verb == "write" else [(arguments[0], {})]
    for ids, values in pairs:
        for id in ids:
            held = db.rows.get(model, {}).get(id)
            changed = held is None or any(name not in held.doc or held.doc[name] != value
                                          for name, value in values.items())  # fmt: skip
            yield {"resource": _resource(model, values), "op": verb, "id": str(id), "changed": changed}


def _resource(model: str, values: Mapping[str, Any]) -> str:
    if model.startswith("product."):
        return "prices" if values and set(values) <= {"gross_price", "list_price"} else "variants"
    return "customers"
