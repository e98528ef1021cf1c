"""The simulated Odoo over real HTTP on 127.0.0.1: JSON-2 (19), JSON-RPC, automation rules, the sandbox's doors.

What surprises here:

* Ill tempers are told where by model and method: a read is a ``GET /<model>/<method>`` to them, any other call a
  ``POST``. ``/_control`` also takes ``{"conflict": 2}``: so many writes lose a race against somebody else's.
* A rule's post is unsigned, and names model and record only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from deployments.sandbox import serving
from deployments.sandbox.erp import ERP
from deployments.sandbox.faults import Faults
from deployments.sandbox.notation import Doc
from deployments.sandbox.notices import Event, Notices
from deployments.sandbox.odoo.acts import ACTS, PEOPLE
from deployments.sandbox.odoo.calls import OF_MODEL, READS, called
from deployments.sandbox.odoo.database import Database, Failure, Session
from deployments.sandbox.odoo.fill import ADMIN, empty, fill
from deployments.sandbox.quota import Quota
from deployments.sandbox.serving import Reply, Simulated, serve
from deployments.sandbox.start import Part, Playing

PLACES = {"new order": "POST /sale.order/create", "reads": "GET", "catalogue": "/product.product"}
LOGIN, DATABASE = "serai@karavan.example", "karavan"
_decode = msgspec.json.Decoder().decode


class Rules(Notices):
    """Automation rules that post to an address, with the queue, the attempts and the ill tempers of every system."""

    def __init__(self, db: Database, faults: Faults) -> None:
        super().__init__(ERP, db.books, faults, "")
        self._db = db
        self._to: dict[str, str] = {}

    def addresses(self, events: Sequence[Event]) -> Sequence[str]:
        return list(dict.fromkeys(self._to[model] for model, _, _ in events))

    def told(self, model: str, id: int, at: datetime) -> None:
        """The rules of a model hear of a record."""
        of = self._db.one("ir.model", model=model)
        for rule in self._db.all("base.automation", model_id=0 if of is None else of["id"], active=True):
            for action in self._db.all("ir.actions.server", base_automation_id=rule["id"], state="webhook"):
                self._urls = [action["webhook_url"]]
                self._to[model] = action["webhook_url"]
                names = [self._db.get("ir.model.fields", one)["name"] for one in action["webhook_field_ids"]]
                more = (
                    {}
                    if id not in self._db.rows[model]
                    else {name: self._db.value(model, id, name, ADMIN) for name in names}
                )
                body = {"_model": model, "_id": id, "_action": f"{action['name']}(#{action['id']})", **more}
                self.announce(model, serving.as_number(body).decode(), at)

    def _post(self, url: str, delivery: str, data: bytes, events: Sequence[Event]) -> bool:
        return all(self.delivered(url, body.encode(), {"Content-Type": "application/json"}) for _, body, _ in events)


@dataclass(frozen=True, kw_only=True)
class Running:
    """An Odoo that serves: where, with which key, and how to end it."""

    db: Database
    faults: Faults
    rules: Rules
    quota: Quota
    url: str
    token: str
    stop: Callable[[], None]


class Api:
    """What programs may ask: who they are, the limit of calls, the calls."""

    def __init__(self, db: Database, faults: Faults, token: str, companies: Sequence[int] = (1, 2)) -> None:
        self.db, self.faults, self.token, self.quota = db, faults, token, Quota()
        self.companies, self.conflicts = frozenset(companies), 0

    def conflicting(self, times: int) -> None:
        """So many of the next writes lose a race against somebody else's."""
        self.conflicts = times

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
    api, rules = Api(db, faults, token, companies), Rules(db, faults)
    db.announce = rules.told
    db.late = lambda model: ((fault := faults.strike("backdate", "", f"/{model}")) and fault.seconds) or 0.0

    def act(verb: Callable[[Database, Doc, Session], Doc], ask: Doc) -> Doc:
        session = Session(companies=api.companies, context={"allowed_company_ids": sorted(api.companies), **PEOPLE})
        done: Doc = db.transact(lambda: verb(db, ask, session))
        return done

    own = Simulated(
        system=db, faults=faults, notices=rules, acts=ACTS, act=act,
        controls={"limit": api.quota.command, "conflict": api.conflicting},
    )  # fmt: skip

    class Handler(serving.Handler):
        simulated = own
        broken = b"<h1>Internal Server Error</h1>"

        def asked(self, path: str, query: str, data: bytes) -> Reply | None:
            if path == "/web/version" and self.command == "GET":
                version = [db.version, 0, 0, "final", 0, ""]
                return Reply(200, {"version_info": version, "version": f"{db.version}.0"})
            if self.command != "POST":
                return Reply(404, {"name": "werkzeug.exceptions.NotFound", "message": "Not Found"})
            try:
                body = _decode(data)
            except msgspec.DecodeError:
                return Reply(400, {"name": "werkzeug.exceptions.BadRequest", "message": "Invalid JSON"})
            model, method = _about(path, body)
            word, place, over = "GET" if method in READS else "POST", f"/{model}/{method}", api.quota.wait()
            if over is not None:
                own.book("over_limit", word, place)
                return self.throttled(over)
            headers = {name.lower(): value for name, value in self.headers.items()}
            return self.tempered(word, place, lambda: Reply(*api.answer(path, headers, body)))

        def throttled(self, wait: float) -> Reply:
            return Reply(429, b"<h1>Too Many Requests</h1>", {"Retry-After": f"{wait:g}"})

    url, stop = serve(Handler, [own], port=port, name=name)
    return Running(db=db, faults=faults, rules=rules, quota=api.quota, url=url, token=token, stop=stop)


def _about(path: str, body: Any) -> tuple[str, str]:
    """The model and method of a call, whichever way it comes."""
    if path == "/jsonrpc":
        params = body.get("params", {}) if isinstance(body, dict) else {}
        args = params.get("args", [])
        return (str(args[3]), str(args[4])) if len(args) > 4 else ("common", "read")
    parts = path.strip("/").split("/")
    return (parts[2], parts[3]) if len(parts) == 4 else ("", "")


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
