"""What shoppers say of a product is what tills and kiosks show of it: approved, the newest first, with its mean."""

from __future__ import annotations

from typing import Any

from tests.scenario.world import World
from tests.unit.flows.retail import again, carries, live, records, written

CHANNELS = ("erp-kz", "shop-kz", "pos-kz")


def card(world: World) -> dict[str, Any]:
    (doc,) = world.sandbox.systems["pos"].docs("cards")
    return doc


def review(world: World, product: str, stars: int, text: str, status: str = "APPROVED") -> str:
    return str(world.people.add("shop", "reviews", {
        "productId": product, "stars": stars, "body": text, "author": "Дана", "status": status})["id"])


def test_a_review_in_the_shop_is_on_the_till_s_card_until_it_is_hidden(retail: World) -> None:
    """One review, one write of the card; what nobody approved is nowhere; without a review there are no stars."""
    carries(retail, "shop-kz", "review")
    carries(retail, "pos-kz", receives=["product"])
    retail.goods("KTL-1", on_hand=3)
    live(retail, *CHANNELS)
    assert (card(retail)["count"], card(retail).get("stars")) == (0, None)
    (page,) = retail.sandbox.systems["shop"].docs("products")
    review(retail, page["id"], 5, "Кипит быстро")
    bad = review(retail, page["id"], 2, "Шумит")
    review(retail, page["id"], 1, "СПАМ", "NEW")
    live(retail, *CHANNELS)
    assert (card(retail)["count"], card(retail)["stars"]) == (2, 3.5)
    assert sorted(one["text"] for one in card(retail)["reviews"]) == ["Кипит быстро", "Шумит"]
    assert len(records(retail.house, "review")) == 3
    assert "Дана" not in str(card(retail))
    marks = retail.marks()
    retail.people.edit("shop", "reviews", bad, {"status": "SPAM"})
    live(retail, *CHANNELS)
    assert (card(retail)["count"], card(retail)["stars"]) == (1, 5)
    assert [line for line in written(retail, marks, "pos")] == ["cards update P-KTL-1"]
    for _ in range(2):
        retail.step("pull_all", full=True)
        again(retail, *CHANNELS)
    assert len(written(retail, marks, "pos")) == 1
