"""A small retailer for tests: the sandbox's real ERP, shop and tills, a project folder, programs served on loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import uvicorn
from fastapi import FastAPI

from deployments.loopback import address, listen
from deployments.sandbox.start import Sandbox, start_sandbox
from flows.settings import STATE
from flows.wiring import House, opened
from registry import consent, wake
from tests.databases import fresh_sqlite
from tests.projects import RETAIL

PLATFORMS = RETAIL / "platforms"
COMPANIES = "kz: {name: Karavan Home, country: KZ, currency: KZT, tax: 0.16, price_list: retail}\n"
ROW = """\
{name}-kz:
  platform: sandbox_{name}
  company: kz
  url: env:SERAI_{upper}_URL
  secrets: {{token: env:SERAI_{upper}_TOKEN, hook_secret: env:SERAI_{upper}_HOOK_SECRET}}
  entities: {{{entities}}}
  receives: [{receives}]
  timeout: 60
"""
CHANNELS = {
    "erp": ("product: on, variant: on, order: on, customer: on", ""),
    "shop": ("product: on, variant: on", "product, variant"),
    "pos": ("variant: on", "variant"),
}
AUTHORITY = "product: {'*': [erp-kz]}\nvariant: {'*': [erp-kz]}\norder: {'*': origin}\ncustomer: {'*': newest}\n"


def write_project(folder: Path) -> Path:
    """A project folder of three channels: the ERP owns products and variants, shop and tills receive them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        ROW.format(name=name, upper=name.upper(), entities=entities, receives=receives)
        for name, (entities, receives) in CHANNELS.items()
    ]
    (folder / "companies.yaml").write_text(COMPANIES, encoding="utf-8")
    (folder / "channels.yaml").write_text("".join(rows), encoding="utf-8")
    (folder / "authority.yaml").write_text(AUTHORITY, encoding="utf-8")
    shutil.copytree(PLATFORMS, folder / "platforms", dirs_exist_ok=True)
    return folder


@dataclass(frozen=True, kw_only=True)
class Retailer:
    """An open house over running systems."""

    folder: Path
    sandbox: Sandbox
    house: House

    def call(self, system: str, method: str, path: str, body: object = None) -> Any:
        """What a person does in the system itself, not through Serai."""
        answer = requests.request(
            method,
            f"{self.sandbox.urls[system]}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.sandbox.tokens[system]}"},
            timeout=10,
        )
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def add_product(self, code: str, title: str = "Чайник «Алатау»") -> None:
        """A new product in the ERP."""
        body: dict[str, Any] = {"code": code, "title": title, "text": None, "brand": "Karavan", "group": "Чайники"}
        self.call("erp", "POST", "/products", {**body, "images": [], "state": "A"})

    def shop_titles(self) -> dict[str, str]:
        """handle → title, as the shop itself has them."""
        found = self.call("shop", "GET", "/products")["products"]
        return {row["handle"]: row["title"] for row in found}

    def fault(self, system: str, kind: str, next: int = 1, **more: object) -> None:
        """Makes a system misbehave the next so many times."""
        self.call(system, "POST", "/_control", {"fault": kind, "next": next, **more})

    def heal(self, system: str) -> None:
        """Ends every ill temper of a system."""
        self.call(system, "POST", "/_control", {"clear": True})

    def allow_creating(self) -> None:
        """A person consents to creating products and variants everywhere."""

        def work(tx: Any) -> None:
            for channel, entity in (("shop-kz", "product"), ("shop-kz", "variant"), ("pos-kz", "variant")):
                consent(tx, channel, entity, "Aigerim")
                wake(tx, channel=channel)

        self.house.registry.attempt(work)

    def signed(self, system: str, body: bytes, *, secret: str | None = None, at: float | None = None) -> dict[str, str]:
        """The headers with which the system would send this body."""
        when = datetime.fromtimestamp(time.time() if at is None else at, UTC)
        return notice_headers(self.sandbox.hook_secrets[system] if secret is None else secret, body, at=when)


def notice_headers(secret: str, body: bytes, *, at: datetime) -> dict[str, str]:
    """The headers of a notice that was signed with the secret."""
    stamp = str(int(at.timestamp()))
    mark = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"x-timestamp": stamp, "x-delivery": uuid.uuid4().hex, "x-signature": mark}


def notice(resource: str, id: str, delivery: str | None = None) -> bytes:
    """A notice as shop and tills send it."""
    body = {"delivery": delivery or uuid.uuid4().hex, "resource": resource, "id": id, "at": "2026-03-01T09:00:00Z"}
    return json.dumps(body).encode()


@contextmanager
def running(folder: Path) -> Iterator[Retailer]:
    """The systems run and the house is open; afterwards nothing listens and the environment is as before.

    The registry is a copy of a migrated one: migrating it is four fifths of opening a house.
    """
    sandbox = start_sandbox(filled=False)
    try:
        write_project(folder)
        with environment(sandbox.environment()), fresh_sqlite(folder / STATE), opened(folder) as house:
            yield Retailer(folder=folder, sandbox=sandbox, house=house)
    finally:
        sandbox.stop()


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with these values, put back afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The address at which the application answers on a free loopback port, from a thread, while the block runs."""
    sock = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        until(lambda: server.started, 20)
        yield address(sock)
    finally:
        server.should_exit = True
        thread.join(10)
        sock.close()


def until(true: Callable[[], Any], seconds: float = 60.0) -> float:
    """Returns the seconds it took until ``true()`` was; fails when it does not become so in time."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not so within {seconds:g} s"
        time.sleep(0.02)
    return time.monotonic() - began
