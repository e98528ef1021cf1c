"""The small retailer whose tills ask a shelf: a channel with a figure per place beside shops that have one figure.

What surprises here: nothing of it is in the demo. The tills' shelves are the sandbox's; the mapping that reads and
writes them, and the policies, are written into the project of the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.sandbox.people import Refusal
from flows.routes import PlatformMappings, load_mappings
from flows.settings import Project, load_project
from registry import put_channels
from tests.scenario.world import World, world

SHELVES = """\
platform: sandbox_pos
resource: shelves
inward:
  stock:
    variant: {from: sku, ref: variant, otherwise: wait}
    location: {from: store, ref: location, otherwise: wait}
    quantity: {from: units, as: {quantity: {kind: available}}}
outward:
  entity: stock
  fields:
    store: {from: location, ref: location}
    sku: {from: variant, ref: variant}
    units: = int(max(0, publish))
"""
POLICY = """\
sources:
  erp-kz: {figure: on_hand, restocks: source}
pos:
  pos-kz: {posts_to_erp: per_receipt}
shop-kz: {locations: [almaty-wh, almaty-1], share: 0.6, allocation: hard}
market-kz: {locations: [almaty-wh], share: 0.4, allocation: hard}
pos-kz: {locations: [almaty-1, almaty-2], share: 0.4, allocation: hard}
"""
ALL_SHOWN = """\
sources:
  erp-kz: {figure: on_hand, restocks: source}
pos:
  pos-kz: {posts_to_erp: per_receipt}
shop-kz: {locations: [almaty-wh, almaty-1], share: 0.5, allocation: hard}
market-kz: {locations: [almaty-wh, almaty-2], share: 0.5, allocation: hard}
pos-kz: {locations: [almaty-1, almaty-2], share: 0.5, allocation: hard}
"""
"""No place has anything that nobody shows: a unit too many on show is one too many in the sum."""
TILLS, SHOP, MARKET = "pos-kz", "shop-kz", "market-kz"


@contextmanager
def shelved(tmp_path: Path, url: str, seed: int, *, all_shown: bool = False) -> Iterator[World]:
    """No goods yet, and nothing is switched on. ``all_shown``: some channel shows each unit of every place."""
    with world(tmp_path, url, seed) as found:
        files = found.desk.project.folder
        (files / "mappings" / "sandbox_pos").mkdir(parents=True, exist_ok=True)
        (files / "mappings" / "sandbox_pos" / "shelves.yaml").write_text(SHELVES, encoding="utf-8")
        (files / "policies" / "stock.yaml").write_text(ALL_SHOWN if all_shown else POLICY, encoding="utf-8")
        fulfilment = files / "policies" / "fulfilment.yaml"
        rules = fulfilment.read_text(encoding="utf-8").replace(
            "curbside: counters}", "curbside: counters, ship: doors}"
        ).replace("routing:\n", "routing:\n  doors: {places: [almaty-1, almaty-wh]}\n", 1)
        if all_shown:
            rules = rules.replace("routing:\n", "routing:\n  cellars: {places: [almaty-2, almaty-wh]}\n", 1)
            rules = rules.replace("acceptance: automatic}", "acceptance: automatic, routing: {ship: cellars}}", 1)
        fulfilment.write_text(rules, encoding="utf-8")
        channels = files / "channels.yaml"
        text = channels.read_text(encoding="utf-8")
        at = text.index("pos-kz:")
        tills = text[at:].replace("{location: on, ", "{location: on, stock: on, ", 1).replace(
            "receives: [variant, price, order]", "receives: [variant, stock, price, order]", 1
        )
        channels.write_text(text[:at] + tills, encoding="utf-8")
        found.desk.project = load_project(files)
        found.desk.mappings = _compiled(found.desk.project)
        found.desk.registry.attempt(lambda tx: put_channels(tx, [
            (row.name, row.platform, row.company.id, dict(row.entities)) for row in found.desk.project.channels.values()
        ]))
        found.house.close()
        found.house = found.worker()
        yield found


_KEPT: dict[str, dict[str, PlatformMappings]] = {}


def _compiled(project: Project) -> dict[str, PlatformMappings]:
    """Compiled once for all tests of the process."""
    if not _KEPT:
        _KEPT["all"] = load_mappings(project)
    return _KEPT["all"]


def shelf(found: World, store: str, sku: str = "KTL-1") -> int:
    """What the tills of a store may sell."""
    number = next(doc["id"] for doc in found.sandbox.systems["pos"].docs("stores") if doc["code"] == store)
    doc = found.sandbox.systems["pos"].find("shelves", f"{number}:{sku}")
    return 0 if doc is None else int(doc["units"])


def sell(found: World, store: str, units: int, sku: str = "KTL-1") -> bool:
    """Whether a till of the store sold it."""
    try:
        found.people.sell_at_till(store, {sku: units})
    except Refusal as refused:
        found.tell(f"{store} turns down {units}: {refused.code}")
        return False
    found.tell(f"{store} sells {units}")
    return True
