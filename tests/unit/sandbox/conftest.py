"""A filled sandbox on a free port, and a plain HTTP client that keeps its connection."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from deployments.sandbox import Sandbox, start_sandbox
from deployments.sandbox.people import People
from tests.listening import Ear, listening


@dataclass(frozen=True)
class Answer:
    """An answer as it came."""

    status: int
    body: Any
    headers: dict[str, str]


Ask = Callable[..., Answer]


def asking(sandbox: Sandbox) -> Ask:
    """ask(system, method, path, body, query=…, token=…, headers=…, timeout=…) → Answer; OSError where none comes."""

    def ask(
        system: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 10,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=timeout)
        told = {"Authorization": f"Bearer {sandbox.tokens[system] if token is None else token}", **(headers or {})}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        target = f"/{system}{path}" + ("" if query is None else "?" + urlencode(query))
        try:
            connection.request(method, target, body=data, headers=told)
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as fault:
            raise ConnectionError(str(fault)) from fault
        finally:
            connection.close()
        try:
            found = json.loads(text, parse_float=Decimal) if text else None
        except ValueError:
            found = text
        return Answer(answer.status, found, {name.lower(): value for name, value in answer.getheaders()})

    return ask


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    running = start_sandbox()
    yield running
    running.stop()


@pytest.fixture
def ask(sandbox: Sandbox) -> Ask:
    return asking(sandbox)


@pytest.fixture
def hook() -> Iterator[Ear]:
    with listening() as ear:
        yield ear


@pytest.fixture
def people(sandbox: Sandbox) -> People:
    return People(sandbox.url)
