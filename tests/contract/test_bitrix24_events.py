"""Events that a Bitrix24 portal keeps for us: in packets, once, forgotten when they are stored; and the two ways beside
each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.bitrix24 import Bitrix24
from connectors.errors import Misconfigured
from deployments.sandbox.bitrix24.api import Bucket
from deployments.sandbox.bitrix24.events import EVENTS
from deployments.sandbox.bitrix24.server import Running, empty, start
from tests.contract.harness import ports_with


@pytest.fixture
def running() -> Iterator[Running]:
    found = start(empty(), bucket=Bucket(speed=1_000))
    try:
        yield found
    finally:
        found.stop()


def connect(running: Running, **options: Any) -> Bitrix24:
    """The application on the portal."""
    secrets = {"client_id": running.client_id, "client_secret": running.client_secret,
               "refresh_token": running.api.refresh, "hook_secret": running.hook_secret}  # fmt: skip
    given = {"secrets": {name: f"env:{name}" for name in secrets}, "oauth": running.doors, **options}
    return Bitrix24(channel="crm-kz", url=running.url, options=given, ports=ports_with(secrets))


def contact(running: Running, **fields: Any) -> str:
    return str(running.portal.enter("contact", fields, by="people")["ID"])


def test_what_the_portal_kept_comes_once_with_its_record_and_is_forgotten_when_it_is_stored(running: Running) -> None:
    """P1: a packet that nobody stored is not forgotten; of a record's many changes one is kept."""
    connector = connect(running, events="offline")
    connector.subscribe("http://127.0.0.1:9/never")
    id = contact(running, NAME="Dina")
    for name in ("Aigerim", "Aliya"):
        running.portal.enter("contact", {"NAME": name}, id, by="people")
    running.portal.enter("company", {"TITLE": "Karavan"}, by="people")
    packets = connector.kept()
    first = next(packets)
    assert [(one.resource, one.id) for one in first] == [("contacts", id), ("contacts", id), ("companies", "CO_1")]
    assert len(running.portal.queue) == 3, "who has not gone on has not stored them"
    assert list(packets) == []
    assert running.portal.queue == {}
    assert [one for notices in connector.kept() for one in notices] == []
    running.portal.drop("contact", id, "lost")
    ((gone,),) = connector.kept()
    assert (gone.resource, gone.id) == ("contacts", id)
    assert connector.fetch("contacts", [id]) == {id: None}


def test_more_than_a_packet_comes_whole_and_each_delivery_is_told_apart(running: Running) -> None:
    """P1, P2: 120 contacts in packets of 50."""
    connector = connect(running, events="offline")
    connector.subscribe("http://127.0.0.1:9/never")
    made = [contact(running, NAME=f"A{n}") for n in range(120)]
    found = [list(notices) for notices in connector.kept()]
    assert [len(notices) for notices in found] == [50, 50, 20]
    assert sorted(one.id for notices in found for one in notices) == sorted(made)
    assert len({one.delivery for notices in found for one in notices}) == 120


def test_a_packet_of_a_worker_that_died_is_not_given_to_another_and_what_changed_since_is(running: Running) -> None:
    """The portal hides what a process holds; a change that comes after it is told by itself."""
    connector = connect(running, events="offline")
    connector.subscribe("http://127.0.0.1:9/never")
    id = contact(running, NAME="Dina")
    next(connector.kept())
    assert [one for notices in connect(running, events="offline").kept() for one in notices] == []
    running.portal.drop("contact", id, "lost")
    assert [one.id for notices in connector.kept() for one in notices] == [id]


def test_a_portal_whose_plan_holds_nothing_gives_its_events_away_at_once(running: Running) -> None:
    """Without `rest_offline_extended` a packet is deleted as it is given."""
    running.portal.extended = False
    connector = connect(running, events="offline")
    connector.subscribe("http://127.0.0.1:9/never")
    id = contact(running, NAME="Dina")
    assert [one.id for notices in connector.kept() for one in notices] == [id]
    assert running.portal.queue == {}


def test_events_are_bound_in_one_way_only(running: Running) -> None:
    """P2: bound in both, an event would come in both; changing the setting unbinds the other, others' stay."""
    other = {"event": EVENTS[0], "handler": "http://127.0.0.1:9/other", "auth_type": "0", "offline": 0}
    running.portal.handlers.append(other)
    for way, flag in (("online", 0), ("offline", 1), ("offline", 1), ("online", 0)):
        connector = connect(running, events=way)
        connector.subscribe("http://127.0.0.1:9/hooks")
        ours = [row for row in running.portal.handlers if row != other]
        assert {row["offline"] for row in ours} == {flag}
        assert sorted(row["event"] for row in ours) == sorted(EVENTS)
    assert other in running.portal.handlers
    assert list(connector.kept()) == []


def test_a_word_that_is_no_way_is_refused(running: Running) -> None:
    with pytest.raises(Misconfigured, match="allowed: online, offline"):
        connect(running, events="both")
