"""``python -m tests.bench.read_speed amazon|odoo``: a full read of 20,000 articles within a limit that is counted.

What surprises here: the platform is the simulated one, a process of its own. Amazon's usage plan is ``--speed`` times
the published one (20 listings a search, a thousand before a new window begins: 1,000 searches). Odoo publishes no
limit: it is given one, five calls a second and ten at once, and the channel is told the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.amazon_facts import LIMITS
from connectors.limits import Limit
from deployments.sandbox.amazon import server as amazon
from deployments.sandbox.amazon.api import Plan
from deployments.sandbox.amazon.fill import enter
from deployments.sandbox.odoo import server as odoo
from deployments.sandbox.odoo.fill import empty
from flows.wiring import open_house
from tests.bench.sync_speed import FILES
from tests.databases import fresh_sqlite

SEARCH = "searchListingsItems"
ODOO = Limit(rate=5.0, burst=10.0)
STOCK = "sources: {it: {figure: available, restocks: source}}\n"


@dataclass(frozen=True, kw_only=True)
class Read:
    """What is read of a platform: its resource, the entities of its channel, the limit, and who plays the platform."""

    resource: str
    entity: str
    limit: Limit
    serve: Callable[[int, float], None]


def main() -> int:
    """Reads everything on one connector; 1 when a call was too many or a tenth of the limit was not used."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.read_speed", description=__doc__)
    parser.add_argument("platform", choices=tuple(READS))
    parser.add_argument("--count", type=int, default=20_000, help="articles to read")
    parser.add_argument("--speed", type=float, default=2.0, help="how much faster than the published plan (Amazon)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    speed = given.speed if given.platform == "amazon" else 1.0
    if given.serve:
        READS[given.platform].serve(given.count, speed)
        return 0
    there = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.read_speed", given.platform, "--serve", "--count", str(given.count),
         "--speed", str(speed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        return read(there, given.platform, given.count, speed)
    finally:
        there.communicate()


def read(there: subprocess.Popen[str], platform: str, count: int, speed: float) -> int:
    """One full read by a worker that knows the limit, as it leases its calls from the registry."""
    assert there.stdout is not None
    assert there.stdin is not None
    told, what = json.loads(there.stdout.readline()), READS[platform]
    known: Mapping[str, Limit] = LIMITS if platform == "amazon" else {"": what.limit}
    limits = {name: {"rate": one.rate * speed, "burst": one.burst} for name, one in known.items()}
    with tempfile.TemporaryDirectory() as name, fresh_sqlite(Path(name) / "sqlite") as address:
        secrets = {f"BENCH_{key.upper()}": value for key, value in told["secrets"].items()}
        os.environ |= {"BENCH_URL": told["url"], "SERAI_REGISTRY": address, **secrets}
        row = {"platform": platform, "company": "kz", "url": "env:BENCH_URL", "entities": {what.entity: "on"},
               "secrets": {key: f"env:BENCH_{key.upper()}" for key in told["secrets"]},
               "settings": {**told["settings"], "limits": limits.get("", limits)}}  # fmt: skip
        files = {"channels.yaml": json.dumps({"it": row}), "companies.yaml": FILES["companies.yaml"],
                 "authority.yaml": f"{what.entity}: {{'*': [it]}}\n", "policies/stock.yaml": STOCK}  # fmt: skip
        for file, text in files.items():
            path = Path(name) / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        house = open_house(Path(name))
        began = time.monotonic()
        seen = {str(doc["sku" if platform == "amazon" else "id"])
                for page in house.connector("it").read(what.resource) for doc in page.docs}  # fmt: skip
        seconds = time.monotonic() - began
        house.close()
    there.stdin.write("?\n")
    there.stdin.flush()
    counted: dict[str, Any] = json.loads(there.stdout.readline())
    share = counted["calls"] / (what.limit.burst + what.limit.rate * speed * seconds)
    print(f"{platform}: {len(seen):,} of {count:,} articles in {counted['calls']} calls within {seconds:.1f} s, "
          f"{share:.0%} of what is allowed; {counted['refused']} over the limit")
    return 0 if len(seen) >= count and counted["refused"] == 0 and share >= 0.9 else 1


def serve_amazon(count: int, speed: float) -> None:
    """The marketplace, until its standard input ends; a line asks for what it counted."""
    market = amazon.empty()
    for n in range(count):
        market.opening = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=n // 40)
        enter(market, f"SKU-{n:06d}", title=f"Kettle {n}", price=Decimal(990 + n), available=n % 90)
    market.opening = None
    plan = Plan(speed=speed)
    running = amazon.start(market, plan=plan)
    calls, allows = [0], plan.allows

    def counted(operation: Any) -> bool:
        fits = allows(operation)
        calls[0] += fits and operation.name == SEARCH
        return fits

    plan.allows = counted  # type: ignore[method-assign]  # each search that was let in is counted
    given = {"url": running.url, "secrets": dict(running.secrets), "settings": dict(running.settings)}
    _tell(given, lambda: {"calls": calls[0], "refused": sum(plan.refusals.values())})
    running.stop()


def serve_odoo(count: int, speed: float) -> None:
    """The ERP with a limit, until its standard input ends; a line asks for what it counted."""
    db = empty()
    db.opening = datetime(2026, 3, 1, tzinfo=UTC)
    for n in range(count):      # entered bare: making articles as programs do looks for their likes each time
        made = db.insert("product.template", {"name": f"Kettle {n}", "type": "consu", "sale_ok": True, "uom_id": 1})
        db.insert("product.product", {"product_tmpl_id": made, "default_code": f"SKU-{n:06d}"})
    db.opening = None
    running = odoo.start(db)
    quota = running.quota
    quota.command({"rate": ODOO.rate, "burst": ODOO.burst})
    counted, wait = {"calls": 0, "refused": 0}, quota.wait

    def asked() -> float | None:
        found = wait()
        counted["calls" if found is None else "refused"] += 1
        return found

    quota.wait = asked  # type: ignore[method-assign]  # each call is counted
    settings = {"company": 1, "page_size": 50}      # 400 calls: enough that what the bucket held at first counts little
    _tell({"url": running.url, "secrets": {"token": running.token}, "settings": settings}, lambda: counted)
    running.stop()


def _tell(given: Mapping[str, Any], counted: Callable[[], Mapping[str, int]]) -> None:
    print(json.dumps(given), flush=True)
    for _ in sys.stdin:
        print(json.dumps(counted()), flush=True)


READS: Mapping[str, Read] = {
    "amazon": Read(resource="listings", entity="stock", limit=LIMITS[SEARCH], serve=serve_amazon),
    "odoo": Read(resource="variants", entity="variant", limit=ODOO, serve=serve_odoo),
}


if __name__ == "__main__":
    sys.exit(main())
