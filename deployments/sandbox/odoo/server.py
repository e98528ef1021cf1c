"""The simulated Odoo over real HTTP on 127.0.0.1: JSON-2 (19), JSON-RPC, automation rules, the sandbox's doors.

What surprises here:

* ``/_books``, ``/_control``, ``/_act/<verb>`` and ``/_settled`` are those of the other systems (sandbox/README.md).
* Ill tempers are told where by model and method: a read is a ``GET /<model>/<method>`` to them, any other call a
  ``POST``. ``/_control`` also takes ``{"conflict": 2}``: so many writes lose a race against somebody else's.
* A rule's post is unsigned, and names model and record only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from deployments.sandbox.design import Refused
from deployments.sandbox.erp import ERP
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Notices
from deployments.sandbox.odoo.acts import ACTS, PEOPLE
from deployments.sandbox.odoo.calls import OF_MODEL, READS, called
from deployments.sandbox.odoo.database import Database, Failure, Session
from deployments.sandbox.odoo.fill import ADMIN, empty, fill
from deployments.sandbox.quota import Quota
from deployments.sandbox.start import Part, Playing

PLACES = {"new order": "POST /sale.order/create", "reads": "GET", "catalogue": "/product.product"}
LOGIN, DATABASE = "serai@karavan.example", "karavan"
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder().decode


class Rules(Notices):
    """Automation rules that post to an address, with the queue, the attempts and the ill tempers of every system."""

    def __init__(self, db: Database, faults: Faults, name: str) -> None:
        super().__init__(ERP, db.books, faults, "")
        self._db = db

    def told(self, model: str, id: int, at: datetime) -> None:
        """The rules of a model hear of a record."""
        of = self._db.one("ir.model", model=model)
        for rule in self._db.all("base.automation", model_id=0 if of is None else of["id"], active=True):
            for action in self._db.all("ir.actions.server", base_automation_id=rule["id"], state="webhook"):
                self._urls = [action["webhook_url"]]
                names = [self._db.get("ir.model.fields", one)["name"] for one in action["webhook_field_ids"]]
                more = (
                    {}
                    if id not in self._db.rows[model]
                    else {name: self._db.value(model, id, name, ADMIN) for name in names}
                )
                body = {"_model": model, "_id": id, "_action": f"{action['name']}(#{action['id']})", **more}
                self.announce(model, _encode(body).decode(), at)

    def _post(self, url: str, delivery: str, data: bytes) -> bool:
        told = _decode(data)
        bodies = [event["id"] for event in told.get("events", [told])]
        return all(self.delivered(url, body.encode(), {"Content-Type": "application/json"}) for body in bodies)


@dataclass(frozen=True, kw_only=True)
class Running:
    """An Odoo that serves: where, with which key, and how to end it."""

    db: Database
    faults: Faults
    rules: Rules
    url: str
    token: str
    stop: Callable[[], None]


class Api:
    """What programs may ask: who they are, the limit of calls, the calls."""

    def __init__(self, db: Database, faults: Faults, token: str, companies: Sequence[int] = (1, 2)) -> None:
        self.db, self.faults, self.token, self.quota = db, faults, token, Quota()
        self.companies, self.conflicts = frozenset(companies), 0

    def answer(self, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, Any]:
        """Status and body of the answer to a post."""
        if path == "/jsonrpc":
            return 200, self._rpc(body)
        parts = path.strip("/").split("/")
        if self.db.version < 19 or parts[:2] != ["json", "2"] or len(parts) != 4:
            return 404, _told(
                Failure("werkzeug.exceptions.NotFound", "Did you mean POST /json/2/<model>/<method>?", 404)
            )
        try:
            scheme, _, key = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or key != self.token:
                raise Failure("werkzeug.exceptions.Unauthorized", "Invalid apikey", 401)
            if headers.get("x-odoo-database", DATABASE) != DATABASE:
                raise Failure("werkzeug.exceptions.NotFound", "no such database", 404)
            named = dict(body)
            return 200, self._call(parts[2], parts[3], named.pop("ids", []), named.pop("context", {}), named)
        except Failure as failure:
            return failure.status, _told(failure)

    def _rpc(self, body: Any) -> Doc:
        params = body["params"]
        try:
            result = self._service(params["service"], params["method"], params["args"])
        except Failure as failure:
            error = {"code": 200, "message": "Odoo Server Error", "data": _told(failure)}
            return {"jsonrpc": "2.0", "id": body.get("id"), "error": error}
        return {"jsonrpc": "2.0", "id": body.get("id"), "result": result}

    def _service(self, service: str, method: str, args: Sequence[Any]) -> Any:
        if (service, method) == ("common", "authenticate"):
            return 2 if list(args[:3]) == [DATABASE, LOGIN, self.token] else False
        if (service, method) != ("object", "execute_kw") or list(args[:3]) != [DATABASE, 2, self.token]:
            raise Failure("odoo.exceptions.AccessDenied", "Access Denied", 403)
        model, verb, given, named = args[3], args[4], list(args[5]), dict(args[6])
        ids = [] if verb in OF_MODEL else given.pop(0)
        for name in {"create": ("vals_list",), "write": ("vals",)}.get(verb, ()):
            if not given:
                raise Failure("builtins.IndexError", "list index out of range", 500)
            named[name] = given.pop(0)
        if given:
            raise Failure("builtins.TypeError", "too many positional arguments", 500)
        return self._call(model, verb, ids, named.pop("context", {}), named)

    def _call(self, model: str, method: str, ids: Sequence[int], context: Doc, named: Doc) -> Any:
        session = Session(companies=self.companies, context=context)
        if method in READS:
            return called(self.db, model, method, ids, named, session)
        told = {"resource": model, "op": method, "id": str(ids[0]) if ids else None, "reference": _reference(named),
                "of": context.get("serai_write")}  # fmt: skip
        try:
            if self.conflicts > 0:
                self.conflicts -= 1
                text = "could not serialize access due to concurrent update"
                raise Failure("psycopg2.errors.SerializationFailure", text, 500)
            ignored = method == "write" and self.faults.strike("ignore", "", f"/{model}") is not None
            found = True if ignored else called(self.db, model, method, ids, named, session)
        except Failure as failure:
            self.db.books.enter("write", self.db.now(), **told, status=failure.status, changed=False, code=failure.name)
            raise
        self.db.books.enter("write", self.db.now(), **told, status=200, changed=not ignored, code=None)
        return found


def _plain(value: Any) -> Any:
    """A rule tells ids of links and moments with microseconds."""
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


def _reference(named: Doc) -> Any:
    rows = named.get("vals_list")
    return rows[0].get("origin") if isinstance(rows, list) and rows and isinstance(rows[0], dict) else None


def _told(failure: Failure) -> Doc:
    return {
        "name": failure.name,
        "message": failure.message,
        "arguments": [failure.message],
        "context": {},
        "debug": "",
    }


def start(
    db: Database, *, port: int = 0, seed: int = 7, name: str = "odoo", companies: Sequence[int] = (1, 2)
) -> Running:
    """Serves the database on 127.0.0.1 (port 0: a free one)."""
    faults, token = Faults(PLACES), f"odoo-key-{seed}"
    api, rules = Api(db, faults, token, companies), Rules(db, faults, name)
    db.announce = rules.told
    db.late = lambda model: ((fault := faults.strike("backdate", "", f"/{model}")) and fault.seconds) or 0.0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1
        timeout = 120

        def _serve(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            if path.startswith("/_"):
                try:
                    self._send(200, _door(api, rules, path, dict(parse_qsl(query)), data))
                except Refused as refused:
                    self._send(refused.status, {"error": refused.error})
            elif path == "/web/version" and self.command == "GET":
                version = [db.version, 0, 0, "final", 0, ""]
                self._send(200, {"version_info": version, "version": f"{db.version}.0"})
            elif self.command != "POST":
                self._send(404, {"name": "werkzeug.exceptions.NotFound", "message": "Not Found"})
            else:
                self._tempered(path, data)

        do_GET = do_POST = _serve

        def _tempered(self, path: str, data: bytes) -> None:
            try:
                body = _decode(data)
            except msgspec.DecodeError:
                self._send(400, {"name": "werkzeug.exceptions.BadRequest", "message": "Invalid JSON"})
                return
            model, method = _about(path, body)
            word, place = "GET" if method in READS else "POST", f"/{model}/{method}"

            def strikes(kind: str) -> float | None:
                fault = faults.strike(kind, word, place)
                if fault is not None:
                    db.books.enter("fault", db.now(), fault=kind, method=word, path=place)
                return None if fault is None else fault.seconds

            wait, over = strikes("throttle"), api.quota.wait()
            if over is not None:
                db.books.enter("fault", db.now(), fault="over_limit", method=word, path=place)
            if wait is not None or over is not None:
                self._send(
                    429, b"<h1>Too Many Requests</h1>", {"Retry-After": f"{wait if wait is not None else over:g}"}
                )
            elif strikes("fail") is not None:
                self._send(500, b"<h1>Internal Server Error</h1>")
            elif strikes("garbage") is not None:
                self._send(200, b"<html>maintenance</html>")
            else:
                status, answer = api.answer(path, {k.lower(): v for k, v in self.headers.items()}, body)
                self._late(strikes, status, answer)

        def _late(self, strikes: Callable[[str], float | None], status: int, answer: Any) -> None:
            faults.wait(strikes("slow") or 0.0)
            lost = strikes("lose_answer")
            if lost is not None:
                faults.wait(lost)
                self.close_connection = True
            elif strikes("fail_after") is not None:
                self._send(500, b"<h1>Internal Server Error</h1>")
            else:
                self._send(status, answer)

        def _send(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
            raw = body if isinstance(body, bytes) else _encode(body)
            self.send_response(status)
            for key, value in {"Content-Type": "application/json; charset=utf-8", **(headers or {})}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """The books are the log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=name, daemon=True)
    thread.start()
    rules.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(10)
        rules.stop()
        db.books.close()

    url = f"http://127.0.0.1:{server.server_port}"
    return Running(db=db, faults=faults, rules=rules, url=url, token=token, stop=stop)


def _about(path: str, body: Any) -> tuple[str, str]:
    """The model and method of a call, whichever way it comes."""
    if path == "/jsonrpc":
        params = body.get("params", {}) if isinstance(body, dict) else {}
        args = params.get("args", [])
        return (str(args[3]), str(args[4])) if len(args) > 4 else ("common", "read")
    parts = path.strip("/").split("/")
    return (parts[2], parts[3]) if len(parts) == 4 else ("", "")


def _door(api: Api, rules: Rules, path: str, query: Mapping[str, str], data: bytes) -> Any:
    """The sandbox's own doors: books, ill tempers, acts of people."""
    if path == "/_books":
        return api.db.books.after(int(query.get("after", "0")))
    if path == "/_settled":
        return {"settled": rules.settled(float(query.get("timeout", "10")))}
    ask = _decode(data)
    if path == "/_control":
        if "limit" in ask:
            api.quota.command(ask["limit"])
        elif "conflict" in ask:
            api.conflicts = int(ask["conflict"])
        else:
            api.faults.command(ask)
        return {"ok": True}
    act = ACTS.get(path.removeprefix("/_act/"))
    if act is None:
        raise Refused(404, "no_act", f"acts here: {', '.join(ACTS)}")
    session = Session(companies=api.companies, context={"allowed_company_ids": sorted(api.companies), **PEOPLE})
    return api.db.transact(lambda: act(api.db, ask, session))


def play(part: Part) -> Playing:
    """Plays an ERP of the retailer: ``erp`` its house in Almaty, ``erp_bg`` the one in Plovdiv, of a database each."""
    company = "bg" if part.name.endswith("_bg") else "kz"
    db = empty(part.books)
    fill(db, part.retailer, [company])
    db.wall = part.wall
    running = start(db, seed=part.seed, name=part.name)
    return Playing(
        url=running.url, secrets={"TOKEN": running.token, "HOOK_SECRET": f"{part.name}-hook"}, stop=running.stop
    )
