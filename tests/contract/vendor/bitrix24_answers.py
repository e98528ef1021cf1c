"""The pages' own examples of answers, errors and events, read by the connector; and the simulated portal held to them.

What surprises here: an example is put in the place of the portal's answer, over the socket, so that all that the
connector does with one is done with these too. Examples with comments or gaps in their JSON were left out by those who
took them from the pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from connectors.base import Request, Write
from connectors.bitrix24 import Bitrix24
from connectors.bitrix24_facts import EVENTS, PREFIXES, RESOURCES
from connectors.errors import ConnectorError, Misconfigured
from deployments.sandbox.bitrix24.server import TOKENS
from tests.contract.bitrix24_simulator import HOOK_SECRET, WEBHOOK, Simulated
from tests.contract.harness import Call, Fault, Reply, ports_with
from tests.contract.vendor.bitrix24 import VENDOR, answers, session, titles


def _shown(method: str, heading: str) -> Iterator[Any]:
    """The examples under a heading of a method's page."""
    for block in answers():
        if block["file"] == titles().get(method) and block["heading"] == heading and "json" in block:
            yield block["json"]


def _in_batch(name: str, result: Any = None, error: Any = None) -> dict[str, Any]:
    """An answer to a batch with one command."""
    failed = {} if error is None else {name: error}
    return {"result": {"result": {} if failed else {name: result}, "result_error": failed, "result_total": [],
                       "result_next": [], "result_time": []}, "time": {}}  # fmt: skip


class _Stage:
    """A connector in front of a portal that says what it is told to say first."""

    def __init__(self, simulated: Simulated) -> None:
        self.simulated = simulated
        secrets = {"webhook": WEBHOOK, "hook_secret": HOOK_SECRET}
        options = {"secrets": {name: f"env:{name}" for name in secrets}, "catalogue": 23, "offers": 24}
        ports = ports_with(secrets)
        self.connector = Bitrix24(channel="c", url=simulated.url, options=options | {"responsible": 1}, ports=ports)

    def says(self, *bodies: Any, status: int = 200) -> None:
        """Its next answers."""
        self.simulated._faults.clear()
        self.simulated.befall(*[Fault(reply=Reply(status=status, body=body)) for body in bodies])


def replayed() -> list[tuple[str, str | None]]:
    """Each example with what is wrong in how it was read."""
    found: list[tuple[str, str | None]] = []
    simulated = Simulated()
    with simulated.running():
        stage = _Stage(simulated)
        for method in VENDOR.known():
            for n, body in enumerate(_shown(method, "Response Handling")):
                found.append((f"{method} {n}", _wrong(lambda m=method, b=body: _read(stage, m, b))))  # type: ignore[misc]  # bound now
            for n, body in enumerate(_shown(method, "Error Handling")):
                found.append((f"{method} error {n}", _wrong(lambda m=method, b=body: _refused(stage, m, b))))  # type: ignore[misc]  # bound now
        found += [(f"event {name}", _wrong(lambda b=body: _heard(stage, b))) for name, body in _events()]  # type: ignore[misc]  # bound now
    return found


def _wrong(work: Callable[[], str | None]) -> str | None:
    try:
        return work()
    except ConnectorError as fault:
        return f"{type(fault).__name__}: {fault}"


def _read(stage: _Stage, method: str, body: Any) -> str | None:
    """What is wrong in how an answer was read; raises what the connector raises."""
    connector, result = stage.connector, body["result"]
    for resource, facts in RESOURCES.items():
        field = facts.paging_options["param"][1:]
        if method == f"{facts.path}.list":
            docs = result if isinstance(result, list) else next(iter(result.values()))
            further = [_in_batch("x")] if resource in ("deals", "orders") else []
            if further:  # what the list leaves out is asked for: the portal of this example is not at hand
                further = [_rows_of(resource, docs)]
            stage.says(body, *further)
            page = next(iter(connector.read(resource)))
            return None if [d[field] for d in page.docs] == [d[field] for d in docs] else "other documents"
        if method == facts.fetch and resource != "stock":
            doc = result if facts.path.startswith("crm.") else next(iter(result.values()))
            id = f"{PREFIXES.get(resource, '')}{doc[field]}"
            rows = [_rows_of(resource, [doc])] if resource == "deals" else []
            stage.says(_in_batch(f"g{doc[field]}", result), *rows)
            read = connector.fetch(resource, [id])[id]
            same = read is not None and all(read[name] == value for name, value in _exact(doc).items())
            return None if same else "another document"
        for op in ("create", "update", "delete"):
            if getattr(facts, op) == method and resource != "stock":
                return _written(stage, resource, op, result)
    if method == "crm.deal.productrows.get":
        stage.says(_in_batch("g5", {"ID": "5"}), _in_batch("d5", result))
        deal = connector.fetch("deals", ["5"])["5"]
        return None if deal is not None and deal["rows"] == _exact(result) else "other lines"
    if method == "event.get":
        stage.connector._hooked = False
        try:
            stage.says({"result": []}, body)
            held = connector._asked("event.get", {}).body["result"]
        finally:
            stage.connector._hooked = True
        return None if isinstance(held, list) else "no handlers"
    stage.says(body)
    return None if connector._asked(method, {}).body["result"] == _exact(result) else "another result"


def _rows_of(resource: str, docs: list[Any]) -> Any:
    """What the portal says of the lines of deals, and of orders by their numbers."""
    named: dict[str, Any]
    if resource == "deals":
        named = {f"d{doc['ID']}": [] for doc in docs}
    else:
        named = {f"g{doc['id']}": {"order": {**doc, "basketItems": []}} for doc in docs}
    return {"result": {"result": named, "result_error": [], "result_total": [], "result_next": [], "result_time": []}}


def _exact(value: Any) -> Any:
    """As the connector reads it: figures exact."""
    from connectors.answers import decoded

    return decoded(json.dumps(value).encode())


def _written(stage: _Stage, resource: str, op: str, result: Any) -> str | None:
    id = None if op == "create" else f"{PREFIXES.get(resource, '')}7"
    stage.says(*([_in_batch("offers", {"offers": []})] if resource == "products" and op == "update" else []),
               _in_batch("w0_0", result))  # fmt: skip
    doc = {"name": "A", "productId": 1, "catalogGroupId": 1, "price": 1, "currency": "KZT"}
    (receipt,) = stage.connector.write(resource, [Write(key="k", op=op, id=id, doc=doc)])  # type: ignore[arg-type]  # one of the three
    made = result if isinstance(result, int) else next(iter(result.values()))["id"]
    wanted = id if op != "create" else f"{PREFIXES.get(resource, '')}{made}"
    return None if (receipt.outcome, receipt.id) == ("applied", wanted) else f"{receipt}"


def _refused(stage: _Stage, method: str, body: Any) -> str | None:
    """An error is never taken for a result, whatever status it came with, alone or in a batch."""
    for status in (400, 200):
        stage.says(body, status=status)
        try:
            stage.connector._asked(method, {"id": 1})
        except Misconfigured:
            continue
        return f"with HTTP {status} it was taken for an answer"
    writes = {facts.create: name for name, facts in RESOURCES.items() if facts.create and name != "stock"}
    if method in writes:
        stage.says(_in_batch("w0_0", error=body))
        (receipt,) = stage.connector.write(writes[method], [Write(key="k", op="create", doc={"name": "A"})])
        return None if receipt.outcome == "rejected" and receipt.detail else f"{receipt}"
    return None


def _events() -> Iterator[tuple[str, Any]]:
    for block in answers():
        if block["heading"] == "What the Handler Receives" and isinstance(block.get("json"), dict):
            yield str(block["json"]["event"]), block["json"]


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}[{key}]" if name else key, inner)
    elif not isinstance(value, list):
        yield name, str(value)


def _heard(stage: _Stage, body: Any) -> str | None:
    """An event that we listen to is news of its record; any other is taken and passed over."""
    told = {**body, "auth": {**body.get("auth", {}), "application_token": HOOK_SECRET}}
    sent = datetime.fromtimestamp(int(body["ts"]), UTC)
    data = urlencode(list(_flat("", told))).encode()
    request = Request(method="POST", url="/", query={}, headers={}, body=data, at=sent + timedelta(seconds=1))
    notices = stage.connector.receive(request).notices
    resource = EVENTS.get(body["event"])
    if resource is None:
        return None if not notices else "nobody asked for it"
    fields = {name.upper(): value for name, value in body["data"]["FIELDS"].items()}
    wanted = (resource, f"{PREFIXES.get(resource, '')}{fields['ID']}", sent)
    return None if [(one.resource, one.id, one.at) for one in notices] == [wanted] else f"{notices}"


# ── the simulated portal ─────────────────────────────────────────────────────────────────────────────────────────────


def _kinds(method: str) -> Mapping[str, set[str]]:
    """Field → the JSON types that the examples of a method's answers have it in."""
    found: dict[str, set[str]] = {}
    for body in _shown(method, "Response Handling"):
        for doc in _documents(body["result"]):
            for name, value in doc.items():
                found.setdefault(name, set()).add(_kind(value))
    return found


def _documents(result: Any) -> Iterator[dict[str, Any]]:
    if isinstance(result, dict) and len(result) == 1 and isinstance(next(iter(result.values())), dict | list):
        result = next(iter(result.values()))
    for doc in result if isinstance(result, list) else [result]:
        if isinstance(doc, dict):
            yield doc


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    words: tuple[tuple[type, str], ...] = ((str, "text"), (dict, "object"), (list, "list"))
    return next((word for kind, word in words if type(value) is kind), "null")


def answered() -> list[str]:
    """What the simulated portal says otherwise than the pages' examples: fields of another type, or that none shows."""
    simulated, wrong = session(), set[str]()
    page, simulated.portal.page = simulated.portal.page, 50
    for call in list(simulated.calls):
        if call.path == TOKENS:
            continue
        reply = json.loads(simulated.handle(call).data())
        for method, result in _results(call, reply):
            kinds = _kinds(method)
            get = _kinds(method.removesuffix(".list") + ".get") if method.endswith(".list") else {}
            for doc in _documents(result):
                for name, value in doc.items():
                    shown = kinds.get(name, set()) | get.get(name, set())
                    if shown and _kind(value) not in shown | {"null"} and shown != {"null"}:
                        wrong.add(f"{method}: {name} is {_kind(value)}, shown as {sorted(shown)}")
                    if not shown and kinds and not name.startswith("UF_") and name not in _MORE:
                        wrong.add(f"{method}: no example shows {name}")
    simulated.portal.page = page
    return sorted(wrong)


_MORE = frozenset({"PHONE", "EMAIL"})
"""Fields that the pages tell of in prose where their example lacks them."""


def _results(call: Call, reply: Any) -> Iterator[tuple[str, Any]]:
    method = call.path.lstrip("/")
    if method != "batch":
        if "result" in reply:
            yield method, reply["result"]
        return
    held = reply["result"]["result"]
    for name, line in call.json["cmd"].items():
        if held and name in held:
            yield line.partition("?")[0], held[name]
