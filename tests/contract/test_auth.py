"""How requests prove who they are from; the OAuth server is a real one on 127.0.0.1."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from connectors import CATALOG
from connectors.base import Connector
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.ports import Ports
from tests.contract.harness import Call, Fault, FixedClock, KeptTokens, Reply, Simulator, ports_with

SECRETS = {"token": "tok-1", "user": "me", "password": "p4ss:word", "client_id": "c-1", "client_secret": "cs-99f2"}


class Door(Simulator):
    """A resource behind tokens that end: ``/token`` hands them out, ``/things`` wants the newest."""

    def __init__(self) -> None:
        super().__init__()
        self.issued = 0

    def is_work(self, call: Call) -> bool:
        return call.path != "/token"

    def handle(self, call: Call) -> Reply:
        if call.path == "/token":
            self.issued += 1
            return Reply(body={"access_token": f"at-{self.issued}", "expires_in": 3600, "token_type": "bearer"})
        if call.headers.get("authorization", "").startswith("Bearer at-"):
            fresh = call.headers["authorization"] == f"Bearer at-{self.issued}"
            return Reply(body={"items": []}) if fresh else Reply(status=401)
        return Reply(body={"items": [], "seen": dict(call.headers)})


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    with door.running():
        yield door


def connect(door: Door, auth: Mapping[str, Any], ports: Ports | None = None) -> Connector:
    row = {"path": "/things", "paging": "single", "create": "POST /things"}
    description = {"auth": auth, "resources": {"things": row}}
    secrets = {name: f"env:{name.upper()}" for name in SECRETS}
    return CATALOG["generic_rest"](
        channel="erp-kz",
        url=door.url,
        options={"description": description, "secrets": secrets},
        ports=ports or ports_with(SECRETS),
    )


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"scheme": "bearer", "token": "token"}, "authorization", "Bearer tok-1"),
        ({"scheme": "header_key", "token": "token"}, "x-api-key", "tok-1"),
        ({"scheme": "header_key", "token": "token", "header": "Authorization", "prefix": "Token "}, "authorization",
         "Token tok-1"),
        ({"scheme": "basic"}, "authorization", "Basic " + base64.b64encode(b"me:p4ss:word").decode()),
        ({"scheme": "none"}, "authorization", None),
    ],
    ids=["bearer", "header", "prefixed", "basic", "none"],
)  # fmt: skip
def test_a_request_carries_the_proof_its_scheme_wants(
    door: Door, auth: Mapping[str, Any], header: str, value: str | None
) -> None:
    """And nothing when the system is open."""
    list(connect(door, auth).read("things"))
    assert door.calls[-1].headers.get(header) == value


def oauth(door: Door, **more: str) -> dict[str, str]:
    return {"scheme": "oauth2", "token_url": f"{door.url}/token", **more}


def test_a_token_is_asked_for_once_and_shared_by_all_workers(door: Door) -> None:
    """One token for as long as it lasts, kept outside the connector."""
    ports = ports_with(SECRETS)
    for _ in range(3):
        list(connect(door, oauth(door), ports).read("things"))
    assert door.issued == 1
    request = door.calls[0]
    assert parse_qs(request.body.decode())["grant_type"] == ["client_credentials"]
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"c-1:cs-99f2").decode()
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_token_is_renewed_a_minute_before_it_ends(door: Door) -> None:
    """None ends on the way to the platform."""
    ports = ports_with(SECRETS)
    assert isinstance(ports.clock, FixedClock)
    connector = connect(door, oauth(door), ports)
    list(connector.read("things"))
    ports.clock.at += timedelta(seconds=3600 - 61)
    list(connector.read("things"))
    assert door.issued == 1
    ports.clock.at += timedelta(seconds=2)
    list(connector.read("things"))
    assert door.issued == 2


def test_a_token_the_platform_revoked_is_renewed_once_and_the_write_is_sent_once(door: Door) -> None:
    """P2: a 401 was not carried out, so the same request goes again with a new token; a second 401 is a person's."""
    connector = connect(door, oauth(door))
    list(connector.read("things"))
    door.issued += 1  # the platform hands out another token elsewhere and ends ours
    list(connector.read("things"))
    assert door.issued == 3
    door.befall(Fault(reply=Reply(status=401)), Fault(reply=Reply(status=401)))
    with pytest.raises(Misconfigured, match="HTTP 401"):
        list(connector.read("things"))
    assert door.issued == 4


def test_two_workers_renewing_at_once_agree_on_one_token(door: Door) -> None:
    """P14: whoever stores second takes the first one's token."""

    class Raced(KeptTokens):
        def swap(self, version: int, tokens: Mapping[str, str]) -> bool:
            self.version, self.tokens = 7, {"access_token": f"at-{door.issued}", "expires_at": "2027-01-01T00:00:00Z"}
            return False

    ports = replace(ports_with(SECRETS), tokens=Raced())
    list(connect(door, oauth(door), ports).read("things"))
    assert door.calls[-1].headers["authorization"] == "Bearer at-1"


@pytest.mark.parametrize("credentials", ["header", "body"])
def test_refused_client_credentials_are_a_persons_task_and_stay_secret(door: Door, credentials: str) -> None:
    """P13: also when the token server repeats them."""

    class Refusing(Door):
        def is_work(self, call: Call) -> bool:
            return True

    refusing = Refusing()
    with refusing.running():
        refusing.befall(Fault(reply=Reply(status=400, body={"error": "invalid_client", "detail": "cs-99f2 is wrong"})))
        with pytest.raises(Misconfigured, match=r"^erp-kz: .*invalid_client") as caught:
            list(connect(refusing, oauth(refusing, credentials=credentials)).read("things"))
        assert "cs-99f2" not in "".join(traceback.format_exception(caught.value))
        refusing.befall(Fault(reply=Reply(status=503)))
        with pytest.raises(RetryLater):
            list(connect(refusing, oauth(refusing)).read("things"))
        refusing.befall(Fault(reply=Reply(body={"token": "x"})))
        with pytest.raises(ShapeChanged, match=r"^erp-kz: .*access_token"):
            list(connect(refusing, oauth(refusing)).read("things"))


def test_a_missing_secret_names_itself_and_the_channel(door: Door) -> None:
    """Ops read what to set."""
    with pytest.raises(Misconfigured, match=r"^erp-kz: .*`token`"):
        list(connect(door, {"scheme": "bearer"}, ports_with({})).read("things"))
    assert door.calls == []
