"""The sandbox's own systems over HTTP: one port, a path prefix, routes and tokens for each."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from deployments.sandbox import serving
from deployments.sandbox.design import Refused
from deployments.sandbox.engine import System
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Notices
from deployments.sandbox.serving import Reply, Simulated, decoded, told

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A system as the server offers it: ``token`` may do everything, ``reader`` only read."""

    system: System
    notices: Notices
    simulated: Simulated
    token: str
    reader: str


def served(system: System, notices: Notices, *, token: str, reader: str) -> Served:
    """A system with the people around it."""

    def act(verb: Callable[[System, Doc], Doc], ask: Doc) -> Doc:
        with system.lock:
            return verb(system, ask)

    simulated = Simulated(
        system=system, faults=system.faults, notices=notices, acts={**ACTS, **system.design.acts}, act=act,
        controls={"limit": system.quota.command}, decode=_decode,
    )  # fmt: skip
    return Served(system=system, notices=notices, simulated=simulated, token=token, reader=reader)


def handler(systems: Mapping[str, Served]) -> type[serving.Handler]:
    """Who answers for all systems under one port."""

    class Handler(serving.Handler):
        broken = _error("internal", "something broke")

        def asked(self, path: str, query: str, data: bytes) -> Reply | None:
            name, _, rest = path.lstrip("/").partition("/")
            if name not in systems:
                here = ", ".join(f"/{known}" for known in systems)
                return Reply(404, _error("no_system", f"systems here: {here}"))
            one, method, path = systems[name], self.command, "/" + rest
            if path.startswith("/_"):
                return one.simulated.door(method, path, query, data)
            self.simulated = one.simulated
            over = one.system.quota.wait()
            if over is not None:
                one.simulated.book("over_limit", method, path)
                return self.throttled(over)
            proof, expected = self.headers.get("Authorization", ""), self.headers.get("If-Match")
            params = dict(parse_qsl(query, keep_blank_values=True))

            def routed() -> Reply:
                return told(lambda: _routed(one, proof, method, path, params, data, expected))

            return self.tempered(method, path, routed)

        do_POST = do_PATCH = do_DELETE = do_PUT = serving.Handler.do_GET

        def throttled(self, wait: float) -> Reply:
            return Reply(429, _error("throttled", "too many requests"), {"Retry-After": f"{wait:g}"})

    return Handler


def _error(code: str, message: str) -> Doc:
    return {"error": {"code": code, "message": message}}


def _json(data: bytes) -> Any:
    return decoded(_decode, data)


def _remove(system: System, ask: Doc) -> Doc:
    system.remove(str(ask["resource"]), str(ask["id"]), by="people")
    return {"ok": True}


ACTS: Mapping[str, Callable[[System, Doc], Doc]] = {
    "add": lambda system, ask: system.add(str(ask["resource"]), ask["doc"]),
    "edit": lambda system, ask: system.edit(str(ask["resource"]), str(ask["id"]), ask["changes"]),
    "look": lambda system, ask: system.get(str(ask["resource"]), str(ask["id"])),
    "remove": _remove,
}
"""What people do in every system."""


def _routed(
    one: Served, proof: str, method: str, path: str, query: Mapping[str, str], data: bytes, expected: str | None
) -> Reply:
    """A request to the system's API."""
    system = one.system
    reads = method == "GET"
    if not hmac.compare_digest(proof.encode(), f"Bearer {one.token}".encode()):
        if not hmac.compare_digest(proof.encode(), f"Bearer {one.reader}".encode()):
            raise Refused(401, "unauthorized", "send Authorization: Bearer with this system's token")
        if not reads:
            scope = "write:" + path.split("/")[1]
            raise Refused(403, "forbidden", f"the token lacks {scope}", scope=scope)
    if path == "/ping":
        return Reply(200, {"system": system.design.name, "now": system.design.written(system.now())})
    if path == "/webhooks" and reads:
        return Reply(200, {"items": [{"url": url} for url in one.notices.urls()]})
    if path == "/webhooks":
        ask = _json(data)
        if method != "POST" or not isinstance(ask, dict) or not isinstance(ask.get("url"), str):
            raise Refused(422, "invalid", 'POST {"url": "…"}', field="url")
        return Reply(201 if one.notices.subscribe(ask["url"]) else 200, {"url": ask["url"]})
    steps = [unquote(step) for step in path[1:].split("/")]
    name = steps[0]
    if name not in system.design.collections:
        raise Refused(404, "no_resource", f"resources here: {', '.join(system.design.collections)}")
    if len(steps) == 1 and reads:
        return Reply(200, system.listing(name, query))
    if len(steps) == 1 and method == "POST":
        status, _, doc = system.write(name, "create", _json(data))
        return Reply(status, doc)
    if len(steps) == 2 and steps[1] == "batch" and method == "POST" and system.design.batch > 0:
        return _batch(system, name, _json(data))
    if len(steps) == 2 and reads:
        return Reply(200, system.get(name, steps[1]))
    if len(steps) == 2 and method in ("PATCH", "DELETE"):
        op, doc = ("update", _json(data)) if method == "PATCH" else ("delete", None)
        status, _, after = system.write(name, op, doc, id=steps[1], expected=expected)
        return Reply(status, after)
    raise Refused(405, "not_allowed", f"{method} {path} is not offered")


def _batch(system: System, name: str, body: Any) -> Reply:
    """One result per row and in order; a refused row does not stop the others."""
    rows: list[Doc] = body["items"]
    if len(rows) > system.design.batch:
        raise Refused(422, "too_many", f"at most {system.design.batch} rows in a batch", field="items")
    results: list[Doc] = []
    for row in rows:
        id, op = row.get("id"), str(row.get("op", ""))
        try:
            if op in ("update", "delete") and not isinstance(id, str):
                raise Refused(422, "invalid", f"{op} needs an id", field="id")
            told = None if row.get("expected") is None else str(row["expected"])
            status, made, doc = system.write(name, op, row.get("doc"), id=id, expected=told)
            results.append({"status": status, "id": made, "doc": doc})
        except Refused as refused:
            results.append({"status": refused.status, "id": id, "error": refused.error})
    return Reply(200, {"results": results})
