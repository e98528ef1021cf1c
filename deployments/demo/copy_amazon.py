"""What the copy loop does with Amazon, as fairly as with the others: orders, figures and prices, tracking numbers.

What surprises here: as in ``copy_loop.py`` nothing is shared with Serai. The script takes an order once it is paid for,
tells Amazon the ERP's figure of the warehouse, and sends a parcel's number for every order that the ERP sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import requests

Doc = dict[str, Any]
NAME = "AMAZON"
SELLER, MARKETPLACE = "A3KARAVANHOME1", "A1KARAVANKZ001"
LISTINGS = f"/listings/2021-08-01/items/{SELLER}"


class CopyAmazon:
    """One seller's account, with a token that lasts the day; whoever asks too often waits a moment."""

    def __init__(self, environment: Mapping[str, str], session: requests.Session) -> None:
        self._env, self._session = environment, session
        self._url = environment.get(f"SERAI_{NAME}_URL", "")
        self._token = ""

    def call(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Doc | None = None) -> Any:
        """A request with three tries; the answer's JSON."""
        for attempt in range(3):
            try:
                if not self._token:
                    self._token = self._logged_in()
                answer = self._session.request(method, self._url + path, json=body, params=query,
                                               timeout=2, headers={"x-amz-access-token": self._token})
                if answer.status_code == 429:
                    time.sleep(0.4)
                answer.raise_for_status()
                return answer.json() if answer.content else None
            except requests.RequestException:
                if attempt == 2:
                    raise
        return None

    def _logged_in(self) -> str:
        names = ("client_id", "client_secret", "refresh_token")
        form = {name: self._env[f"SERAI_{NAME}_{name.upper()}"] for name in names} | {"grant_type": "refresh_token"}
        answer = self._session.post(f"{self._url}/auth/o2/token", data=form, timeout=2)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _pages(self, path: str, rows: str, token: str, **query: str) -> Iterator[Doc]:
        while True:
            found = self.call("GET", path, query)
            yield from found[rows]
            following = (found.get("pagination") or {}).get("nextToken")
            if following is None:
                return
            query[token] = following

    def listed(self) -> set[str]:
        """The SKUs that stand there."""
        rows = self._pages(LISTINGS, "items", "pageToken", marketplaceIds=MARKETPLACE, pageSize="20", sortBy="sku")
        return {row["sku"] for row in rows}

    def change(self, sku: str, attribute: str, value: Doc) -> None:
        """One attribute of a listing becomes this."""
        patch = {"op": "replace", "path": f"/attributes/{attribute}", "value": [value]}
        self.call("PATCH", f"{LISTINGS}/{quote(sku, safe='')}", {"marketplaceIds": MARKETPLACE},
                  {"productType": "PRODUCT", "patches": [patch]})

    def orders(self) -> list[Doc]:
        """Every order that is paid for."""
        parts = "BUYER,RECIPIENT,PROCEEDS,FULFILLMENT"
        rows = self._pages("/orders/2026-01-01/orders", "orders", "paginationToken", marketplaceIds=MARKETPLACE,
                           createdAfter="2026-01-01T00:00:00Z", includedData=parts)
        return [row for row in rows if "proceeds" in row]

    def confirm(self, order: Doc, number: int, row: Doc) -> None:
        """A parcel left."""
        items = [{"orderItemId": item["orderItemId"], "quantity": item["quantityOrdered"]}
                 for item in order["orderItems"]]
        parcel = {"packageReferenceId": str(number), "carrierCode": "Other", "carrierName": row["carrier"] or "Other",
                  "trackingNumber": row["tracking"], "shipDate": row["sent_at"], "orderItems": items}  # fmt: skip
        self.call("POST", f"/orders/v0/orders/{order['orderId']}/shipmentConfirmation",
                  body={"marketplaceId": MARKETPLACE, "packageDetail": parcel})
