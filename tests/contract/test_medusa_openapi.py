"""What the Medusa connector asks for, against the OpenAPI description Medusa published in October 2024 (2.0).

A pass means "agrees with the contract the vendor published on that date". What came later is named in `SINCE`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.medusa import Medusa
from tests.contract.harness import ports_with
from tests.contract.medusa_simulator import KEY

SPECS = Path(os.environ.get("SERAI_SPECS", Path(__file__).parents[3] / "shared" / "specs"))
PATHS = (
    ("post", "/admin/products/batch"),
    ("post", "/admin/products/{id}/variants/batch"),
    ("post", "/admin/customers"),
    ("post", "/admin/customers/{id}"),
    ("post", "/admin/orders/{id}/fulfillments"),
    ("post", "/admin/orders/{id}/fulfillments/{fulfillment_id}/shipments"),
    ("get", "/admin/stores"),
    ("get", "/admin/shipping-profiles"),
    ("get", "/admin/products/{id}"),
    ("get", "/admin/orders/{id}"),
    ("get", "/admin/reservations"),
    ("post", "/admin/price-lists/{id}/prices/batch"),
)
SINCE = {
    "/admin/inventory-items/location-levels/batch": "2.5: levels of several items in one call",
    "/admin/price-lists/{id}/prices": "2.12.3: what a list holds, page by page",
    "/admin/products/{id}/options/batch": "2.17: values of an option on a route of its own",
}
LATER = {"returns": {"updated_at"}}
"""Resource → parameters that 2.21 takes (tests/integration) and the description of 2.0 does not name."""


@cache
def published() -> Mapping[str, Any]:
    """The description, or a visible skip where it is not at hand."""
    file = SPECS / "medusa" / "admin.openapi.full.yaml"
    if not file.is_file():
        pytest.skip(f"the vendor's description is not at {file}; name its folder in SERAI_SPECS")
    with file.open(encoding="utf-8") as text:
        found: Mapping[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["paths"]
    return found


def test_every_path_is_published_or_known_to_be_newer() -> None:
    """A path that Medusa never described is a slip of ours."""
    paths = published()
    for method, path in PATHS:
        assert method in paths.get(path, {}), f"{method} {path} is not in the description"
    assert not [path for path in SINCE if path in paths], "no longer newer: move it to PATHS"


@pytest.mark.parametrize("name", sorted(Medusa.resources))
def test_every_parameter_of_a_list_is_published(name: str) -> None:
    """Medusa refuses most unknown parameters and ignores others in silence, which would lose a window."""
    connector = Medusa(channel="shop-kz", url="http://shop.example", options={}, ports=ports_with({"key": KEY}))
    facts = connector.resources[name]
    described = {one["name"] for one in published()[facts.path]["get"]["parameters"]}
    asked = {*facts.params, "limit", *([facts.since] if facts.since else [])}
    asked |= {"offset"} if facts.paging == "offset" else {facts.paging_options["param"]}
    plain = {one.partition("[")[0] for one in asked}
    described |= {"with_deleted"} | LATER.get(name, set())  # with_deleted is in the guides, not in the description
    assert plain - described == set()
