"""The example of deployments/examples/messages as a retailer has it: a buyer's message shows at the customer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from connectors.base import Request
from deployments import receiver
from deployments.authoring.testing import run
from deployments.sandbox.start import Sandbox, start_sandbox
from flows.notices import take_notices
from flows.profile import profile
from flows.steps import pull_all
from flows.wiring import House, opened
from tests.contract.messages_simulator import EXAMPLE, HOOK, KEY, Provider, webhook
from tests.retailer import environment, served

PHONE = "+77010000001"


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    with provider.running():
        yield provider


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    found = start_sandbox(filled=False)
    yield found
    found.stop()


@pytest.fixture
def house(tmp_path: Path, provider: Provider, sandbox: Sandbox) -> Iterator[House]:
    """The example's own files, with the CRM it names."""
    folder = shutil.copytree(EXAMPLE, tmp_path / "messages")
    person = {"properties": {"fullname": "Дина Ахметова", "email": "dina@example.test", "phone": PHONE}}
    token = {"Authorization": f"Bearer {sandbox.tokens['crm']}"}
    assert requests.post(f"{sandbox.urls['crm']}/contacts", json=person, headers=token, timeout=10).ok
    own = {"TALK_URL": provider.url, "TALK_KEY": KEY, "TALK_HOOK_SECRET": HOOK}
    with environment({**sandbox.environment(), **own}), opened(folder) as found:
        yield found


def deliver(house: House, request: Request) -> int:
    """The provider posts it to the receiver; the HTTP status it reads."""
    with served(receiver.create_app(receiver.intake_of(house))) as url:
        answer = requests.post(f"{url}{request.url}", data=request.body, headers=dict(request.headers), timeout=30)
    return answer.status_code


def test_what_a_buyer_writes_shows_at_the_customer_whom_the_crm_knows(house: House, provider: Provider) -> None:
    """The telephone number tells who it is; what was said stands at the customer, oldest first, each message once."""
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    provider.put("contacts", {"phone": "77010000001", "display_name": "Dina", "locale": "ru"}, at, "c1")
    asked = {"contact_id": "c1", "from_business": False, "text": "Где мой заказ?"}
    provider.put("messages", asked, at, "m1")
    pull_all(house)
    found = profile(house, PHONE)
    assert found.values["name"] == "Дина Ахметова"
    assert {one.channel for one in found.accounts} == {"crm-kz", "talk-kz"}
    assert [(one["direction"], one["means"], one["note"]) for one in found.interactions] == [
        ("in", "messenger", "Где мой заказ?")
    ]
    provider.put("messages", {"contact_id": "c1", "text": "В пути"}, datetime(2026, 3, 1, 9, 5, tzinfo=UTC), "m2")
    now = datetime.now(UTC)
    assert deliver(house, webhook("message.received", "m2", now, sent=now, delivery="d-1")) == 202
    assert deliver(house, webhook("message.received", "m2", now, sent=now, delivery="d-1")) == 202
    take_notices(house)
    assert [one["note"] for one in profile(house, PHONE).interactions] == ["Где мой заказ?", "В пути"]


def test_the_example_s_mappings_hold_what_their_tests_say() -> None:
    """Who copies the folder starts from what works."""
    outcomes = run([EXAMPLE / "mappings"], EXAMPLE)
    assert len(outcomes) == 6
    assert [outcome.result.diff for outcome in outcomes if not outcome.result.ok] == []


def test_a_webhook_that_nobody_signed_leaves_no_message(house: House, provider: Provider) -> None:
    """P13: and the answer does not say why."""
    provider.put("messages", {"contact_id": "c1", "text": "x"}, datetime(2026, 3, 1, 9, tzinfo=UTC), "m1")
    now = datetime.now(UTC)
    genuine = webhook("message.received", "m1", now, sent=now, delivery="d-1")
    forged = Request(method="POST", url=genuine.url, query={}, body=genuine.body.replace(b"m1", b"m2"),
                     headers=genuine.headers, at=now)  # fmt: skip
    assert deliver(house, forged) in (401, 403, 404)
    assert house.registry.inbox.claim(10, "test", 0) == []
