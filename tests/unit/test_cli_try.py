"""`serai try` against the sandbox's real shop: what is fetched and shown, and that nothing at all is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from deployments.cli import main
from deployments.sandbox.start import Sandbox, start_sandbox
from flows import steps
from flows.wiring import opened
from registry import Registry
from registry.tables import metadata
from tests.retailer import write_project

Serai = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    found = start_sandbox()
    yield found
    found.stop()


@pytest.fixture
def folder(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose tokens may read everything."""
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    return write_project(tmp_path / "retailer")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The method of every request that leaves this process."""
    methods: list[str] = []
    send = HTTPAdapter.send

    def noted(self: HTTPAdapter, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        methods.append(str(request.method))
        return send(self, request, **how)

    monkeypatch.setattr(HTTPAdapter, "send", noted)
    return methods


@pytest.fixture
def serai(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Serai:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["serai", *words, "--project", str(folder)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


def one_id(sandbox: Sandbox, resource: str = "products") -> str:
    headers = {"Authorization": f"Bearer {sandbox.tokens['shop']}"}
    answer = requests.get(f"{sandbox.urls['shop']}/{resource}", headers=headers, timeout=10).json()
    return str(answer[resource][0]["id"])


def everything(registry: Registry) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but the inbox, which is a file of its own."""
    with registry.read() as tx:
        return {table.name: sorted(map(tuple, tx.conn.execute(table.select())), key=repr)
                for table in metadata.sorted_tables if table.name != "inbox"}


def test_one_live_document_is_shown_with_what_becomes_of_it(
    serai: Serai, sandbox: Sandbox, folder: Path, sent: list[str]
) -> None:
    """Before anything runs an engineer sees a real document and its record; no write call, no registry (P12)."""
    id = one_id(sandbox)
    sent.clear()
    code, out, _ = serai("try", "sandbox_shop/products", "--channel", "shop-kz", "--id", id, "--json")
    assert code == 0
    shown = json.loads(out)
    assert shown["given"][0]["id"] == id
    assert {record["entity"] for record in shown["got"]} == {"product"}
    assert shown["got"][0]["name"] == shown["given"][0]["title"]
    assert set(sent) == {"GET"}
    assert not (folder / ".serai").exists()


def test_a_person_sees_both_sides(serai: Serai, sandbox: Sandbox) -> None:
    """The document as it came, then field by field what the mapping makes of it."""
    id = one_id(sandbox)
    code, out, _ = serai("try", "sandbox_shop/products", "--channel", "shop-kz", "--id", id)
    assert code == 0
    assert f'"id": "{id}"' in out
    assert "products.yaml:" in out
    assert out.endswith("nothing was written\n")


def test_references_are_resolved_and_the_registry_is_as_it_was(
    serai: Serai, sandbox: Sandbox, folder: Path, sent: list[str]
) -> None:
    """In a house in operation the look shows the records that are known, and leaves every table as it was (P12)."""
    with opened(folder) as house:
        for resource in steps.resources_of(house, "erp-kz"):
            steps.pull(house, "erp-kz", resource)
        before = everything(house.registry)
    order = requests.get(
        f"{sandbox.urls['erp']}/items", headers={"Authorization": f"Bearer {sandbox.tokens['erp']}"}, timeout=10
    ).json()["items"][0]
    sent.clear()
    code, out, _ = serai("try", "sandbox_erp/items", "--channel", "erp-kz", "--id", order["code"], "--json")
    assert code == 0, out
    shown = json.loads(out)
    assert shown["unknown"] == []
    product = shown["got"][0]["product"]
    assert product in {row[0] for row in before["record"]}, "the record's own uid"
    assert set(sent) == {"GET"}
    with opened(folder) as house:
        after = everything(house.registry)
    assert after == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sandbox_shop/products", "--channel", "shop-kz", "--id", "no-such"), "shop-kz has no products with the id"),
        (("sandbox_shop/products", "--channel", "shop", "--id", "1"), "there is no channel 'shop'"),
        (("sandbox_shop/products", "--channel", "erp-kz", "--id", "1"), "erp-kz is a sandbox_erp"),
        (("sandbox_erp/items", "--channel", "erp-kz", "--id", ""), "erp-kz"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(serai: Serai, words: tuple[str, ...], said: str) -> None:
    """A wrong id, channel or mapping each has its own sentence and exit code 1."""
    code, _, err = serai("try", *words)
    assert code == 1
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_an_unreachable_channel_is_named(serai: Serai, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERAI_SHOP_URL", "http://127.0.0.1:9")
    code, _, err = serai("try", "sandbox_shop/products", "--channel", "shop-kz", "--id", "1")
    assert code == 1
    assert "shop-kz" in err
    assert "Traceback" not in err


def test_a_channel_and_an_id_are_needed(serai: Serai) -> None:
    """A forgotten option is a wrong argument, not a guess."""
    assert serai("try", "sandbox_shop/products")[0] == 2
