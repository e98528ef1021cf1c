"""What every connector promises of inbound notices: genuine ones read, all others refused without a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.base import Connector, Request
from connectors.errors import Forged, Misconfigured
from tests.contract.harness import (
    SPREAD,
    Simulator,
    Subject,
    ports_with,
)


def sent_at(connector: Connector) -> datetime:
    return connector.ports.clock.now()


def test_a_genuine_notice_names_what_changed(subject: Subject, simulator: Simulator, connector: Connector) -> None:
    """P2: with the delivery's id and the source's moment."""
    if "notices" in subject.lacks:
        with pytest.raises(Misconfigured, match="shop-kz"):
            connector.subscribe("http://127.0.0.1:8080/hooks/shop-kz")
        return
    seeded = subject.seed(simulator, SPREAD[:1])
    request = subject.notice(simulator, seeded[0], SPREAD[0], sent=sent_at(connector), delivery="d-1")
    (notice,) = connector.receive(request).notices
    assert (notice.resource, notice.id, notice.at) == (subject.resource, seeded[0], SPREAD[0])
    assert notice.delivery


@pytest.mark.parametrize("forgery", ["altered body", "altered signature", "no signature", "stale", "from the future"])
def test_a_forged_altered_or_stale_notice_is_refused(
    subject: Subject, simulator: Simulator, connector: Connector, forgery: str
) -> None:
    """P13: and the refusal does not say why."""
    request = forged(subject, simulator, connector, forgery)
    if "signature" in subject.lacks and forgery not in ("altered signature", "no signature"):
        assert all(notice.doc is None for notice in connector.receive(request).notices), "nothing of it is believed"
        return
    with pytest.raises(Forged) as caught:
        connector.receive(request)
    assert "signature" not in str(caught.value)
    assert "stale" not in str(caught.value)


def forged(subject: Subject, simulator: Simulator, connector: Connector, forgery: str) -> Any:
    if "notices" in subject.lacks:
        return Request(method="POST", url="/", query={}, headers={}, body=b"{}", at=sent_at(connector))
    request = subject.notice(simulator, "7", SPREAD[0], sent=sent_at(connector), delivery="d-1")
    if forgery == "altered body":
        return replace(request, body=request.body.replace(b"7", b"8"))
    word = subject.secrets.get("hook_secret", "?").encode()  # some platforms send it in the body
    if forgery == "altered signature":
        headers = {name: "0" * len(value) for name, value in request.headers.items()}
        query = {name: "0" * len(value) for name, value in request.query.items()}  # some in the address
        return replace(request, query=query, headers=headers, body=request.body.replace(word, b"0" * len(word)))
    if forgery == "no signature":
        return replace(request, query={}, headers={}, body=request.body.replace(word, b""))
    away = timedelta(days=1) if forgery == "stale" else timedelta(days=-1)
    return replace(request, at=request.at + away)


def test_a_replayed_notice_is_refused_by_age_or_known_by_its_delivery(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P2: sent again under another delivery id it has the old one, which the inbox knows; after a while it is stale."""
    if "notices" in subject.lacks:
        return  # everything is refused, as asserted above
    request = subject.notice(simulator, "7", SPREAD[0], sent=sent_at(connector), delivery="d-1")
    first = connector.receive(request).notices
    copied = {name: "d-2" if value == "d-1" else value for name, value in request.headers.items()}
    try:
        second = connector.receive(replace(request, headers=copied, at=request.at + timedelta(seconds=30))).notices
    except Forged:
        second = first
    assert [notice.delivery for notice in second] == [notice.delivery for notice in first]
    if "signature" in subject.lacks:
        return  # its age cannot be proven; the inbox knows the delivery
    with pytest.raises(Forged):
        connector.receive(replace(request, at=request.at + timedelta(hours=6)))


def test_two_secrets_are_valid_while_one_is_rotated(subject: Subject, simulator: Simulator) -> None:
    """A rotation loses no notice."""
    if "notices" in subject.lacks or "hook_secret" not in subject.secrets:
        assert "hook_secret" not in subject.secrets
        return
    references = {name: f"env:{name}" for name in [*subject.secrets, "hook_secret_previous"]}
    values = {**subject.secrets, "hook_secret": "new-one", "hook_secret_previous": subject.secrets["hook_secret"]}
    connector = subject.connect(simulator, ports=ports_with(values), options={"secrets": references})
    request = subject.notice(simulator, "7", SPREAD[0], sent=sent_at(connector), delivery="d-1")
    assert len(connector.receive(request).notices) == 1
    ended = ports_with({**values, "hook_secret_previous": "another"})
    with pytest.raises(Forged):
        subject.connect(simulator, ports=ended, options={"secrets": references}).receive(request)


def test_subscribing_twice_is_subscribing_once(subject: Subject, simulator: Simulator, connector: Connector) -> None:
    """P2: a restart doubles no webhook."""
    if "notices" in subject.lacks:
        return  # asserted above
    for _ in range(2):
        connector.subscribe("http://127.0.0.1:8080/hooks/shop-kz")
    assert getattr(simulator, "hooks", ["?"]) == ["http://127.0.0.1:8080/hooks/shop-kz"]
