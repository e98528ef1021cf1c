"""A private REST system described in YAML (``platforms/<name>.yaml`` of the project), so that it needs no Python.

What surprises here:

* The description is checked in full before the first request: an unknown key, scheme or style is Misconfigured and
  names the nearest known one.
* ``by_reference: {param: …, field: …}`` says once for all resources how a document is found by our reference;
  a resource's own ``reference`` and ``reference_field`` win, and ``reference: null`` opts out.
* ``subscribe`` is METHOD and path, or a map that also says where our address, the topic and the secret go in the body.
* 204 in the place of a list is an empty list; every other missing list is ShapeChanged.
* A notice's delivery id is taken from the signed body where it has one, else from the signature (signatures.py).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, ClassVar

import msgspec

from connectors import paging, schemes, signatures
from connectors.answers import Answer, decoded
from connectors.base import Cursor, Doc, Notice, Page, Receipt, Received, Request, Resource, Write
from connectors.errors import Misconfigured, ShapeChanged
from connectors.limits import read_limits
from connectors.oauth import grant_of
from connectors.paging import at
from connectors.ports import Ports
from connectors.rest import Rest
from connectors.verified import Verified, read_verified
from connectors.window import moment
from connectors.writes import NAMES, NOT_FOUND, filled, id_of, placed

_KEYS = (
    "speaks", "auth", "signature", "notices", "subscribe", "check", "by_reference", "limits", "scopes", "verified",
    "defaults", "resources",
)  # fmt: skip
_NOTICES = ("resource", "topics", "id", "at", "delivery", "list", "doc")
_FIELDS = {each.name: each for each in dataclasses.fields(Resource)}
NO_CONTENT = 204
_SUBSCRIBE = ("call", "url", "topic", "secret", "body")
_MAPS = ("params", "paging_options", "batch_options", "parts")
_CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) /\S*")
_CALLS = ("create", "update", "delete", "batch_path", "fetch")


class GenericRest(Rest):
    """One account of a system that its YAML describes; ``options["description"]`` is the parsed file."""

    platform: ClassVar[str] = "generic_rest"
    verified = Verified(when="2026-11", simulator="six dialects of a strict one; the demo's sandbox systems")

    def __init__(
        self,
        *,
        channel: str,
        url: str,
        options: Mapping[str, Any],
        ports: Ports,
        fields: Mapping[str, Sequence[str]] | None = None,
        lane: str = "live",
    ) -> None:
        super().__init__(channel=channel, url=url, options=options, ports=ports, fields=fields, lane=lane)
        where = f"{channel}: platforms/{options.get('platform', 'generic_rest')}.yaml"
        described = _mapping(where, options.get("description"), _KEYS)
        self.auth = _scheme(f"{where}: auth", described.get("auth", {"scheme": "none"}), schemes.OPTIONS)
        if self.auth["scheme"] == "oauth2":
            grant_of(self.auth)
        signature = described.get("signature")
        self._signature = None if signature is None else _scheme(f"{where}: signature", signature, signatures.OPTIONS)
        self._notices = _mapping(f"{where}: notices", described.get("notices", {}), _NOTICES)
        self._subscribe = _subscription(f"{where}: subscribe", described.get("subscribe"))
        self.check_path = _call(f"{where}: check", described.get("check"))
        if "limits" in described:
            read_limits(f"{where}: limits", described["limits"])
        scopes = _mapping(f"{where}: scopes", described.get("scopes", {}), tuple(described.get("resources") or ()))
        self.scopes = {name: _text(f"{where}: scopes.{name}", words).split() for name, words in scopes.items()}
        self.verified = read_verified(f"{where}: verified", described.get("verified"))
        by_reference = _texts(f"{where}: by_reference", described.get("by_reference", {}), ("param", "field"))
        common = _mapping(f"{where}: defaults", described.get("defaults", {}), _FIELDS)
        rows = described.get("resources")
        if not isinstance(rows, Mapping) or not rows:
            raise Misconfigured(f"{where}: `resources` should be a map of name → row, and hold at least one")
        self.resources = {
            str(name): _resource(f"{where}: resources.{name}", row, by_reference, common) for name, row in rows.items()
        }

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────

    def documents(self, facts: Resource, answer: Answer) -> Sequence[Doc]:
        """The list in an answer; a platform that says "no content" has none. Raises ShapeChanged."""
        return [] if answer.status == NO_CONTENT and answer.body is None else super().documents(facts, answer)

    def read(self, resource: str, cursor: Cursor | None = None) -> Iterator[Page]:
        """Pages from the cursor on, each document with its ``parts``."""
        facts = self.facts(resource)
        for page in super().read(resource, cursor):
            docs = [self._whole(facts, doc) for doc in page.docs] if facts.parts else page.docs
            yield dataclasses.replace(page, docs=docs)

    def fetch(self, resource: str, ids: Sequence[str]) -> Mapping[str, Doc | None]:
        """Every id asked for, once, with its ``parts``; None: the platform says that it does not exist."""
        facts = self.facts(resource)
        found = super().fetch(resource, ids)
        return {id: None if doc is None else self._whole(facts, doc) for id, doc in found.items()}

    def settle(self, resource: str, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order; what does no harm twice is sent again instead of being looked for."""
        if not self.facts(resource).repeatable:
            yield from super().settle(resource, writes)
            return
        again = NOT_FOUND + "nobody answered; it is sent again, which does no harm"
        yield from (Receipt(outcome="rejected", detail=again) for _ in writes)

    def _whole(self, facts: Resource, doc: Doc) -> Doc:
        for name, path in facts.parts.items():
            answer = self.call(*filled(path, id_of(facts, doc)), allow=(404,))
            rows = answer.body if answer.ok and answer.body is not None else []
            doc = {**doc, name: rows if isinstance(rows, list) else self.documents(facts, answer)}
        return doc

    # ── notices ──────────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(self, url: str) -> None:
        """Afterwards the platform notifies ``url``; where it lists its webhooks, a second call sends nothing."""
        if self._subscribe is None:
            super().subscribe(url)
            return
        places = self._subscribe
        method, path = filled(str(places["call"]), None)
        known = self.call("GET", path, allow=(400, 404, 405, 422)) if method == "POST" else None
        topics = self._notices.get("topics", {}) if "topic" in places else {"": None}
        for topic in topics:
            told = {places.get("url", "url"): url, **({places["topic"]: topic} if "topic" in places else {})}
            if known is not None and known.ok and _mentions(known.body, told):
                continue
            body: Doc = dict(places.get("body", {}))
            secret = self._signature.get("secret", "hook_secret") if self._signature is not None else "hook_secret"
            if "secret" in places:
                told |= {places["secret"]: self.ports.secrets.get(secret)}
            for place, value in told.items():
                body = placed(body, place.split("."), value)
            self.call(method, path, body=body, allow=(409,))

    def receive(self, request: Request) -> Received:
        """The notices of a verified request. Raises Forged, and ShapeChanged when a signed body cannot be read."""
        if self._signature is None:
            return super().receive(request)
        settings = self._signature
        verify = signatures.SIGNATURES[settings["scheme"]]
        secrets = self._hook_secrets(settings.get("secret", "hook_secret"))
        signed: str = self._named(lambda: verify(settings, secrets, request))
        try:
            body = decoded(request.body)
        except ValueError as fault:
            problem = str(fault)
        else:
            return self._noticed(body, signed, request)
        raise ShapeChanged(f"{self.channel}: a signed notice is not JSON: {problem}")

    def _hook_secrets(self, name: str) -> Sequence[str]:
        previous = f"{name}_previous"
        names = [name, previous] if previous in (self.options.get("secrets") or {}) else [name]
        return [self.ports.secrets.get(each) for each in names]

    def _noticed(self, body: Any, signed: str, request: Request) -> Received:
        places = {"resource": "resource", "id": "id", "at": "at", "delivery": "delivery", "list": "events"}
        places |= {key: value for key, value in self._notices.items() if key != "topics"}
        rows = at(body, places["list"])
        several = isinstance(rows, list)
        told = at(body, places["delivery"])
        delivery = str(told) if isinstance(told, str | int) and str(told) else signed
        notices, passed_over = [], set()
        for index, row in enumerate(rows if several else [body]):
            topic, id = at(row, places["resource"]), at(row, places["id"])
            if not isinstance(topic, str) or isinstance(id, bool) or not isinstance(id, str | int):
                raise ShapeChanged(
                    f"{self.channel}: a signed notice has no text at `{places['resource']}` or no id at "
                    f"`{places['id']}`; correct `notices`"
                )
            resource = str(self._notices.get("topics", {}).get(topic, topic))
            if resource not in self.resources:
                passed_over.add(resource)
                continue
            doc = at(row, places["doc"]) if "doc" in places else None
            notices.append(
                Notice(
                    delivery=f"{delivery}:{index}" if several else delivery,
                    resource=resource,
                    id=str(id),
                    at=moment(at(row, places["at"])) or request.at,
                    doc=doc if isinstance(doc, dict) else None,
                )
            )
        reply = f"passed over, not described: {', '.join(sorted(passed_over))}" if passed_over else ""
        return Received(notices=notices, reply=reply)


def _mentions(body: Any, told: Mapping[str, Any]) -> bool:
    """A list of webhooks, wherever in the answer it stands, has one with these values."""
    if isinstance(body, Mapping):
        return all(at(body, place) == value for place, value in told.items()) or any(
            _mentions(value, told) for value in body.values()
        )
    return isinstance(body, list) and any(_mentions(item, told) for item in body)


def _subscription(where: str, value: Any) -> Mapping[str, Any] | None:
    if not isinstance(value, Mapping):
        call = _call(where, value)
        return None if call is None else {"call": call}
    places = _mapping(where, value, _SUBSCRIBE)
    if "call" not in places:
        raise Misconfigured(f"{where}: `call` is missing, METHOD and path, such as `POST /hooks`")
    _call(f"{where}.call", places["call"])
    if not isinstance(places.get("body", {}), Mapping):
        raise Misconfigured(f"{where}.body: should be a map, found {type(places['body']).__name__}")
    texts = _texts(where, {key: value for key, value in places.items() if key != "body"}, _SUBSCRIBE)
    return {**texts, "body": places.get("body", {})}


def _unknown(where: str, key: Any, allowed: Collection[str], what: str = "key") -> Misconfigured:
    near = get_close_matches(str(key), list(allowed), n=1, cutoff=0.5)
    meant = f"; did you mean `{near[0]}`?" if near else ";"
    return Misconfigured(f"{where}: unknown {what} `{key}`{meant} allowed: {', '.join(sorted(allowed))}")


def _mapping(where: str, value: Any, allowed: Collection[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Misconfigured(f"{where}: should be a map, found {type(value).__name__}; allowed: {', '.join(allowed)}")
    for key in value:
        if key not in allowed:
            raise _unknown(where, key, allowed)
    return value


def _text(where: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | Decimal):
        raise Misconfigured(f"{where}: should be text, found {type(value).__name__}")
    return str(value)


def _texts(where: str, value: Any, allowed: Collection[str]) -> dict[str, str]:
    return {key: _text(f"{where}.{key}", text) for key, text in _mapping(where, value, allowed).items()}


def _scheme(where: str, value: Any, known: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Settings whose ``scheme`` names a known function, with none that it does not read."""
    if not isinstance(value, Mapping) or "scheme" not in value:
        raise Misconfigured(f"{where}: should be a map with `scheme`; known schemes: {', '.join(sorted(known))}")
    if value["scheme"] not in known:
        raise _unknown(where, value["scheme"], known, "scheme")
    return _texts(where, value, {"scheme", *known[value["scheme"]]})


def _call(where: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not _CALL.fullmatch(value)):
        raise Misconfigured(f"{where}: should be METHOD and path, such as `POST /items/{{id}}`")
    return value


def _resource(where: str, row: Any, by_reference: Mapping[str, str], common: Mapping[str, Any]) -> Resource:
    given = {**common, **_mapping(where, row, _FIELDS)}
    if "path" not in given:
        raise Misconfigured(f"{where}: `path` is missing; write the collection's path, such as `/items`")
    if "param" in by_reference and "create" in given:
        given.setdefault("reference", by_reference["param"])
        given.setdefault("reference_field", by_reference.get("field", by_reference["param"]))
    for name in _MAPS:
        allowed = {"paging_options": paging.OPTIONS, "batch_options": NAMES}.get(name)
        held = given.get(name, {})
        given[name] = _texts(f"{where}.{name}", held, allowed if allowed is not None else tuple(held))
    for name, value in given.items():
        given[name] = float(value) if isinstance(value, Decimal) else value
        if name in _CALLS:
            _call(f"{where}.{name}", value)
    try:
        facts = msgspec.convert(given, Resource)
    except msgspec.ValidationError as fault:
        problem = str(fault).replace(" - at `$.", "; see `")
    else:
        return _consistent(where, facts)
    raise Misconfigured(f"{where}: {problem}")


_RULES: Sequence[tuple[Callable[[Resource], bool], str]] = (
    (lambda facts: not facts.path.startswith("/"), "`path` should begin with /"),
    (lambda facts: facts.since is not None and facts.updated is None, "`since` needs `updated`, the stamp's place"),
    (lambda facts: facts.batch > 1 and facts.batch_path is None, "`batch` needs `batch_path`"),
    (lambda facts: (facts.reference is None) != (facts.reference_field is None),
     "`reference` and `reference_field` need each other: a platform may ignore the filter"),
    (lambda facts: "stamp" in facts.paging_options and facts.updated is None, "`stamp` needs `updated`"),
    (lambda facts: min(facts.batch, facts.page_size, facts.fetch_size) < 1, "sizes should be 1 or more"),
    (lambda facts: facts.lag < 0 or facts.visible_after < 0, "`lag` and `visible_after` are seconds, 0 or more"),
)  # fmt: skip


def _consistent(where: str, facts: Resource) -> Resource:
    if facts.paging not in paging.STYLES:
        raise _unknown(where, facts.paging, paging.STYLES, "paging")
    for broken, remedy in _RULES:
        if broken(facts):
            raise Misconfigured(f"{where}: {remedy}")
    return facts
