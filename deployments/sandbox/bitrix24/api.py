"""How the portal answers: who asks, whether it may, how often it may, one method or fifty, in its own envelope.

What surprises here:

* Requests are counted per source in a bucket that leaks; what comes on top of it is 503 ``QUERY_LIMIT_EXCEEDED``.
* Each method's time is added up over ten minutes; who has used it up gets 429 ``OPERATION_TIME_LIMIT`` for that method
  only. ``batch`` itself takes no time, the calls in it do.
* A token lives an hour; a refresh token is good once, and renewing with an old one is refused.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from deployments.sandbox.bitrix24.lists import Listed
from deployments.sandbox.bitrix24.methods import methods
from deployments.sandbox.bitrix24.queries import from_query, lowered, referred
from deployments.sandbox.bitrix24.state import Fault, Portal
from deployments.sandbox.notation import Doc

SCOPES = frozenset({"crm", "catalog", "sale"})
BASIC = ("scope", "feature.get", "events", "event.bind", "event.unbind", "event.get", "event.offline.get",
         "event.offline.clear", "event.offline.list")  # fmt: skip
MOST = 50
"""So many commands has a batch."""
LIFE = timedelta(hours=1)


@dataclass(kw_only=True)
class Bucket:
    """A counter that falls by ``rate`` a second, ``speed`` times as fast as the real one; over ``burst`` it blocks."""

    rate: float = 2.0
    burst: float = 50.0
    speed: float = 1.0
    clock: Callable[[], float] = time.monotonic
    level: float = 0.0
    refusals: int = 0
    """How often somebody came too soon."""
    asked: int = 0
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._at = self.clock()

    def limited(self, limit: Mapping[str, Any] | None) -> None:
        """Afterwards the bucket is empty and has this ``rate`` and ``burst`` (None: no limit)."""
        limit = {"rate": 1e9, "burst": 1e9} if limit is None else limit
        self.rate, self.burst, self.level = float(limit["rate"]), float(limit["burst"]), 0.0

    def hastened(self, speed: float) -> None:
        """Afterwards it falls so many times as fast as the real one."""
        self.speed = float(speed)

    def lets_in(self) -> bool:
        """Whether one more request may come now."""
        now = self.clock()
        self.level = max(0.0, self.level - (now - self._at) * self.rate * self.speed)
        self._at = now
        if self.level + 1 > self.burst:
            self.refusals += 1
            return False
        self.level, self.asked = self.level + 1, self.asked + 1
        return True


@dataclass(kw_only=True)
class Meter:
    """The time that each method took, in baskets of a minute kept for ten; over ``limit`` seconds it blocks."""

    limit: float = 480.0
    cost: Callable[[str], float] = lambda method: 0.02
    baskets: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    """Method → minute → seconds spent, when it began."""

    def used(self, method: str, now: float) -> tuple[float, int]:
        """Seconds spent by now, and when the oldest basket stops counting."""
        held = self.baskets.setdefault(method, {})
        for minute in [m for m, (_, began) in held.items() if now - began >= 600]:
            del held[minute]
        oldest = min((began for _, began in held.values()), default=now)
        return sum(spent for spent, _ in held.values()), int(oldest) + 600

    def spend(self, method: str, now: float) -> None:
        """One more call was carried out."""
        basket = self.baskets.setdefault(method, {}).setdefault(int(now // 60), [0.0, now])
        basket[0] += self.cost(method)


class Api:
    """The portal's door. ``webhook`` is <user>/<code>; an application has ``client`` (id, secret) and its tokens."""

    def __init__(
        self, portal: Portal, *, webhook: str, client: tuple[str, str], refresh: str, bucket: Bucket | None = None,
        scopes: frozenset[str] = SCOPES, administrator: bool = True,
    ) -> None:  # fmt: skip
        self.portal, self.webhook, self.client, self.scopes = portal, webhook, client, scopes
        self.bucket, self.meter = Bucket() if bucket is None else bucket, Meter()
        self.methods = methods(portal)
        self.refresh = refresh
        """The refresh token that is good now."""
        self.code = ""
        """What a person's consent gave, good once."""
        self.tokens: dict[str, datetime] = {}
        """Access token → when it ends."""
        self.silent: set[str] = set()
        """Kinds whose every record the asking user may not see."""
        self._given = 0

    # ── the authorization server ─────────────────────────────────────────────────────────────────────────────────

    def token(self, form: Mapping[str, str]) -> tuple[int, Doc]:
        """Status and body of the answer of the authorization server."""
        if (form.get("client_id"), form.get("client_secret")) != self.client:
            return 401, {"error": "invalid_client", "error_description": "Invalid client"}
        grant = form.get("grant_type")
        right = {"refresh_token": self.refresh, "authorization_code": self.code}.get(str(grant), "")
        given = form.get("refresh_token" if grant == "refresh_token" else "code", "")
        if right == "" or not hmac.compare_digest(right.encode(), given.encode()):
            return 400, {"error": "invalid_grant", "error_description": "Invalid grant"}
        self._given += 1
        access, self.code = f"access-{self._given}-{self.client[1][:4]}", ""
        self.refresh = f"refresh-{self._given + 1}-{self.client[1][:4]}"
        self.tokens[access] = self.portal.now() + LIFE
        return 200, {
            "access_token": access, "client_endpoint": "/rest/", "domain": "oauth.bitrix.info",
            "expires_in": int(LIFE.total_seconds()), "member_id": "a223c6b3710f85df22e9377d6c4f7553",
            "refresh_token": self.refresh, "scope": ",".join(sorted(self.scopes)), "status": "L",
        }  # fmt: skip

    # ── methods ──────────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, path: str, params: Doc) -> tuple[int, Doc]:
        """HTTP status and body of the answer to ``<user>/<code>/<method>`` or ``<method>`` with ``auth``."""
        before, _, method = path.strip("/").rpartition("/")
        if not self.bucket.lets_in():
            return 503, {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}
        params = dict(params)
        try:
            self._known(before, params.pop("auth", None))
            return 200, self._answered(method.removesuffix(".json"), params, webhook=bool(before))
        except Fault as fault:
            return fault.status, fault.said

    def _known(self, code: str, token: Any) -> None:
        if code:
            if not hmac.compare_digest(code.encode(), self.webhook.encode()):
                raise Fault("Invalid request credentials", "INVALID_CREDENTIALS", 401)
            return
        ends = self.tokens.get(str(token))
        if ends is None:
            raise Fault("Wrong authorization data", "NO_AUTH_FOUND", 401)
        if self.portal.now() >= ends:
            raise Fault("The access token provided has expired", "expired_token", 401)

    def _answered(self, method: str, params: Doc, *, webhook: bool) -> Doc:
        with self.portal.lock:
            began = self.portal.now()
            if method == "batch":
                told = {"result": self._batch(lowered(params), webhook=webhook)}
                return told | {"time": self._time(method, began)}
            made = self._one(method, params, webhook=webhook)
            return _envelope(made) | {"time": self._time(method, began)}

    def _one(self, method: str, params: Doc, *, webhook: bool) -> Any:
        if method == "scope":
            return sorted(self.scopes)
        work = self.methods.get(method)
        if work is None:
            raise Fault("Method not found!", "ERROR_METHOD_NOT_FOUND", 404)
        if method not in BASIC and method.partition(".")[0] not in self.scopes:
            why = "The request requires higher privileges than provided by the access token"
            raise Fault(why, "insufficient_scope", 403)
        if webhook and method.startswith("event."):
            raise Fault("Application context required", "WRONG_AUTH_TYPE", 403)
        now = self.portal.now().timestamp()
        if self.meter.used(method, now)[0] > self.meter.limit:
            why = "Method is blocked due to operation time limit."
            raise Fault(why, "OPERATION_TIME_LIMIT", 429)
        kind = method.split(".")[1] if method.startswith("crm.") else ""
        if kind in self.silent and not method.endswith(".list"):
            raise Fault("Access denied.")
        made = work(params)
        self.meter.spend(method, now)
        if kind in self.silent:
            made = Listed(result=[], total=0)
        return made

    def _batch(self, params: Doc, *, webhook: bool) -> Doc:
        """Every command in its turn, with what the earlier ones gave; one that fails stops the rest only with halt."""
        commands = params.get("cmd")
        named = commands if isinstance(commands, Mapping) else dict(enumerate(commands or []))
        results: Doc = {}
        told: dict[str, Doc] = {"result_error": {}, "result_total": {}, "result_next": {}, "result_time": {}}
        for n, (name, line) in enumerate(named.items()):
            key = str(name)
            began = self.portal.now()
            try:
                if n >= MOST:
                    raise Fault("Max batch length exceeded", "ERROR_BATCH_LENGTH_EXCEEDED")
                method, _, query = str(line).partition("?")
                if method == "batch":
                    raise Fault("Method is not allowed for batch usage", "ERROR_BATCH_METHOD_NOT_ALLOWED", 405)
                made = self._one(method, referred(from_query(query), results), webhook=webhook)
            except Fault as fault:
                told["result_error"][key] = fault.said
                if str(params.get("halt")) in ("1", "True", "true"):
                    break
                continue
            results[key] = made.result if isinstance(made, Listed) else made
            if isinstance(made, Listed) and made.total is not None:
                told["result_total"][key] = made.total
                if made.following is not None:
                    told["result_next"][key] = made.following
            told["result_time"][key] = self._time(method, began)
        return {"result": results or [], **{name: part or [] for name, part in told.items()}}

    def _time(self, method: str, began: datetime) -> Doc:
        """What an answer says of its own making."""
        now = self.portal.now()
        used, resets = self.meter.used(method, now.timestamp())
        return {
            "start": began.timestamp(), "finish": now.timestamp(), "duration": 0.01, "processing": 0.01,
            "date_start": self.portal.stamp(began), "date_finish": self.portal.stamp(now),
            "operating_reset_at": resets, "operating": used,
        }  # fmt: skip


def _envelope(made: Any) -> Doc:
    if not isinstance(made, Listed):
        return {"result": made}
    found: Doc = {"result": made.result}
    if made.following is not None:
        found["next"] = made.following
    return found if made.total is None else found | {"total": made.total}
