"""`generic_rest` in front of the five systems of the sandbox, by the demo's own descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors import CATALOG
from connectors.base import Connector, Write
from connectors.errors import Misconfigured
from connectors.paging import at
from connectors.ports import Ports
from deployments.sandbox.start import Sandbox, start_sandbox
from mappings.language import load_yaml
from tests.contract.harness import ports_with
from tests.projects import RETAIL

PLATFORMS = RETAIL / "platforms"
SYSTEMS = ("erp", "crm", "shop", "pos", "market")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = start_sandbox()
    yield sandbox
    sandbox.stop()


def connect(sandbox: Sandbox, system: str, *, token: str | None = None) -> Connector:
    path = PLATFORMS / f"sandbox_{system}.yaml"
    described, _ = load_yaml(path.read_text(encoding="utf-8"), path.name)
    secrets = {"token": token or sandbox.tokens[system], "hook_secret": sandbox.hook_secrets[system]}
    ports: Ports = ports_with(secrets)
    options: dict[str, Any] = {
        "platform": path.stem,
        "description": described,
        "secrets": {name: f"env:{name.upper()}" for name in secrets},
    }
    return CATALOG["generic_rest"](channel=f"{system}-kz", url=sandbox.urls[system], options=options, ports=ports)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_resource_is_read_whole_and_resumes_after_any_page(sandbox: Sandbox, system: str) -> None:
    """P1, P15: five ways of paging, each row once, each cursor good for the same rest."""
    connector = connect(sandbox, system)
    connector.check()
    rows = 0
    for name, facts in connector.resources.items():
        pages = list(connector.read(name))
        ids = [[str(at(doc, facts.id)) for doc in page.docs] for page in pages]
        flat = [id for page in ids for id in page]
        assert len(flat) == len(set(flat)), name
        rows += len(flat)
        middle = len(pages) // 2
        if pages[:-1]:
            rest = [
                str(at(doc, facts.id)) for page in connector.read(name, pages[middle - 1].cursor) for doc in page.docs
            ]
            assert rest == [id for page in ids[middle:] for id in page], name
        found = connector.fetch(name, [*flat[:3], "there is none"])
        assert found["there is none"] is None
        assert [id for id, doc in found.items() if doc is not None] == flat[:3]
    assert rows > 50


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_reader_may_read_and_a_write_names_the_missing_scope(sandbox: Sandbox, system: str) -> None:
    """P13: Misconfigured, with the scope the system asks for and without the token."""
    connector = connect(sandbox, system, token=sandbox.readers[system])
    connector.check()
    name, facts = next((name, facts) for name, facts in connector.resources.items() if facts.update is not None)
    (page, *_) = connector.read(name)
    doc = page.docs[0] if page.docs else {facts.id: "1"}
    write = Write(key="k", op="update", id=str(at(doc, facts.id)), doc={})
    with pytest.raises(Misconfigured, match=rf"^{system}-kz: .*scope `") as caught:
        list(connector.write(name, [write]))
    assert sandbox.readers[system] not in str(caught.value)


def test_an_order_is_created_once_and_found_by_our_reference(sandbox: Sandbox) -> None:
    """P2: the ERP accepts duplicates, so we look before we try again."""
    connector = connect(sandbox, "erp")
    item = next(iter(connector.read("items"))).docs[0]
    line = {
        "ref": "1", "item": item["code"], "text": item["name"], "qty": "1.000",
        "price": "10.00", "discount": "0.00", "sum": "10.00",
    }  # fmt: skip
    doc = {
        "ordered_at": "2026-03-01T09:00:00Z", "state": "confirmed", "paid": "yes", "currency": "KZT",
        "lines": [line], "delivery": "0.00", "total": "10.00",
    }  # fmt: skip
    write = Write(key="our-order-1", op="create", doc=doc)
    (receipt,) = connector.write("orders", [write])
    assert receipt.outcome == "applied", receipt.detail
    again = Write(key="our-order-1", op="create", doc=doc, attempt=2)
    (second,) = connector.write("orders", [again])
    assert (second.outcome, second.id) == ("applied", receipt.id)
    (settled,) = connector.settle("orders", [write])
    assert settled.id == receipt.id
    (strange,) = connector.settle("orders", [Write(key="nobody's", op="create", doc=doc)])
    assert strange.detail.startswith("not found")
