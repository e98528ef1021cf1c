"""What every connector does when its platform throttles, fails, forbids or falls silent."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from connectors import CATALOG, DESCRIBED
from connectors.base import Connector
from connectors.errors import Misconfigured, RetryLater
from connectors.rest import Rest
from tests.contract.harness import (
    SPREAD,
    Fault,
    Reply,
    Simulator,
    Subject,
    ports_with,
    read_all,
    subjects,
)


def chained(error: BaseException) -> Iterator[BaseException]:
    """The error and all that hang on it, as a logger that prints causes and contexts would meet them."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def test_every_platform_of_the_catalogue_is_held_to_the_contract() -> None:
    """A platform without a simulator would be one nobody ever asked; files and tables have contracts of their own."""
    others = {name for name, connector in CATALOG.items() if not issubclass(connector, Rest)}
    assert {subject.platform for subject in subjects()} == {*CATALOG, *DESCRIBED} - others


def test_a_request_to_slow_down_is_obeyed_to_the_second(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P14: Retry-After is the platform's own figure."""
    simulator.befall(Fault(reply=subject.throttled(37)))
    with pytest.raises(RetryLater) as caught:
        list(connector.read(subject.resource))
    assert caught.value.after == 37
    assert len(simulator.work) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_platform_in_trouble_is_read_later(
    subject: Subject, simulator: Simulator, connector: Connector, status: int
) -> None:
    """P14: a read that failed is repeated after the wait the platform names."""
    reply = Reply(status=status, raw=b"<h1>oops</h1>", headers={"Retry-After": "11"})
    simulator.befall(Fault(reply=reply))
    with pytest.raises(RetryLater) as caught:
        list(connector.read(subject.resource))
    assert caught.value.after == 11


def test_a_read_without_an_answer_is_tried_later(subject: Subject, simulator: Simulator) -> None:
    """P15: silence ends with the time-out, and says so."""
    simulator.befall(Fault(reply=Reply(body={}), delay=1.0))
    with pytest.raises(RetryLater, match=r"^shop-kz: "):
        list(subject.connect(simulator, timeout=0.3).read(subject.resource))


def test_a_broken_connection_is_tried_later(subject: Subject, simulator: Simulator, connector: Connector) -> None:
    """P15: a connection that closes in mid-answer loses nothing."""
    subject.seed(simulator, SPREAD)
    simulator.befall(Fault())
    with pytest.raises(RetryLater, match=r"^shop-kz: "):
        list(connector.read(subject.resource))
    assert len(read_all(connector, subject)[0]) == len(SPREAD)


def test_an_unreachable_host_names_the_channel_and_the_setting(subject: Subject, simulator: Simulator) -> None:
    """Ops read what to do."""
    away = subject.connect(simulator, url="http://127.0.0.1:9")
    for attempt in (away.check, lambda: list(away.read(subject.resource))):
        with pytest.raises(RetryLater, match=r"^shop-kz: .*`url`"):
            attempt()


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_right_is_a_persons_task_and_named(
    subject: Subject, simulator: Simulator, connector: Connector, status: int
) -> None:
    """P13, P14: the scope and the reference of the secret are named, its value never; nothing is retried."""
    reply = subject.denied(status, "things:read")
    if "forbidden" in subject.lacks:
        reply = Reply(status=status)
    simulator.befall(*[Fault(reply=reply)] * 3)
    with pytest.raises(Misconfigured, match=r"^shop-kz: ") as caught:
        list(connector.read(subject.resource))
    if "forbidden" not in subject.lacks:
        assert "things:read" in str(caught.value)
    assert not subject.secrets or "env:TEST_" in str(caught.value)


def test_check_finds_a_wrong_credential(subject: Subject, simulator: Simulator, connector: Connector) -> None:
    """A person is told before the first read."""
    connector.check()
    if not subject.secrets:
        return
    wrong = subject.connect(simulator, ports=ports_with({name: "wrong-value" for name in subject.secrets}))
    with pytest.raises(Misconfigured, match=r"^shop-kz: "):
        wrong.check()


def test_no_error_holds_a_credential(subject: Subject, simulator: Simulator) -> None:
    """P13: neither message nor traceback nor a chained error, also when the platform itself repeats the credential."""
    sent = " ".join(value for name, value in subject.secrets.items() if name != "hook_secret")
    echo = Reply(status=500, body={"error": {"message": f"I do not know {sent}"}})
    faults: list[tuple[Fault, Mapping[str, Any]]] = [
        (Fault(reply=replace(echo, status=status)), {}) for status in (400, 401, 403, 404, 429, 500)
    ]
    faults += [(Fault(), {}), (Fault(reply=Reply(raw=b"<")), {}), (Fault(reply=echo, delay=0.6), {"timeout": 0.2})]
    for fault, given in faults:
        connector = subject.connect(simulator, **given)
        simulator.befall(fault, fault)  # who renews a refused token meets it twice
        with pytest.raises(Exception) as caught:  # noqa: PT011 (any error will do: none may hold it)
            list(connector.read(subject.resource))
        simulator._faults.clear()
        told = "".join(traceback.format_exception(caught.value)) + "".join(
            repr(vars(error)) + repr(error) for error in chained(caught.value)
        )
        for value in subject.secrets.values():
            assert value not in told


def test_a_credential_with_a_line_break_is_named_not_shown(subject: Subject, simulator: Simulator) -> None:
    """P13: the HTTP library prints a header it cannot send."""
    if not subject.secrets:
        return
    connector = subject.connect(simulator, ports=ports_with({name: "s3cret-value\n" for name in subject.secrets}))
    with pytest.raises(Misconfigured) as caught:
        list(connector.read(subject.resource))
    assert "s3cret-value" not in "".join(traceback.format_exception(caught.value))
    assert any(name in str(caught.value) for name in subject.secrets)


def test_every_request_takes_its_share_of_the_budget(
    subject: Subject, simulator: Simulator, connector: Connector
) -> None:
    """P14: no request begins that the budget was not asked for."""
    subject.seed(simulator, SPREAD)
    list(connector.read(subject.resource))
    taken = connector.ports.budget.taken  # type: ignore[attr-defined]
    assert taken == ["live"] * len(simulator.calls)
