"""A simulated Shopify shop for the bench, a process of its own, with the published limits ``speed`` times as fast.

What surprises here: the shop has all articles from the start, each a tenge too cheap and with nothing in stock, ten
variants a product. It prints where it serves; a line on its standard input asks for what it counted since the last one,
and its end ends it.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from deployments.sandbox.shopify.api import Bucket
from deployments.sandbox.shopify.server import empty, start
from deployments.sandbox.shopify.state import Shop

PLACE = "gid://shopify/Location/4"
OF_PRODUCT = 10


def filled(count: int) -> Shop:
    """A shop with so many articles."""
    shop = empty()
    shop.opening = datetime.now(UTC) - timedelta(days=1)
    shop.put(PLACE, {"legacyResourceId": "4", "name": "Almaty", "isActive": True, "fulfillsOnlineOrders": True,
                     "address": {}})  # fmt: skip
    for first in range(0, count, OF_PRODUCT):
        product = shop.product({"title": f"Kettle {first}", "handle": f"kettle-{first}"})
        shop.drop(next(reversed(shop.table("ProductVariant"))))
        for number in range(first, min(first + OF_PRODUCT, count)):
            doc = {"sku": f"SKU-{number:06d}", "price": f"{number % 97 + 6}.00", "title": str(number)}
            chosen = [{"name": "Colour", "value": str(number)}]
            made = shop.variant(product["id"], {**doc, "selectedOptions": chosen})
            shop.stock(made["item"], PLACE)
    shop.opening = None
    return shop


def main(count: int, speed: float) -> None:
    """Serves until its standard input ends."""
    shop = filled(count)
    bucket = Bucket(speed=speed)
    running = start(shop, bucket=bucket)
    running.api.bulks.seconds = 2.0
    calls: list[tuple[float, float, int]] = []
    answer = running.api.answer

    def counted(token: str, body: Any) -> tuple[int, Any]:
        before = bucket.spent
        told = answer(token, body)
        calls.append((time.monotonic(), bucket.spent - before, bucket.refusals))
        return told

    running.api.answer = counted  # type: ignore[method-assign]  # each call is noted with what it cost
    print(json.dumps({"url": running.url, "token": running.token}), flush=True)
    refused = 0
    for _ in sys.stdin:
        prices = [row.doc["price"] for row in shop.table("ProductVariant").values()]
        right = sum(level.available == n % 97 for n, level in enumerate(shop.levels.values()))
        print(json.dumps({
            "points": sum(points for _, points, _ in calls), "calls": len(calls), "refused": bucket.refusals - refused,
            "seconds": calls[-1][0] - calls[0][0] if calls else 0.0, "stocked": right,
            "priced": sum(price == f"{n % 97 + 7}.00" for n, price in enumerate(prices)),
        }), flush=True)  # fmt: skip
        calls.clear()
        refused = bucket.refusals
    running.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
