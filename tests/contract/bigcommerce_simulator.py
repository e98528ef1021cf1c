"""BigCommerce for the contract suite: its own OpenAPI files answer, on products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tests.contract.published import PublishedSubject


class BigCommerce(PublishedSubject):
    """Hooks are not signed: they bring back a header of ours and carry ids only."""

    platform, resource = "bigcommerce", "products"
    files = ("products_catalog.v3.yml", "product-variants_catalog.v3.yml", "inventory.v3.yml", "price_lists.v3.yml",
             "orders.v2.oas2.yml", "webhooks.v3.yml", "locations.v3.yml")  # fmt: skip
    lacks: ClassVar[Mapping[str, str]] = {
        "signature": "a fixed header proves the sender only", "delete": "an article is archived, not deleted",
    }  # fmt: skip


SUBJECTS = [BigCommerce()]
