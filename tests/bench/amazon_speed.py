"""``python -m tests.bench.amazon_speed``: a full read of a seller's listings against Amazon's published usage plan.

What surprises here: the marketplace is the simulated one, a process of its own, and its plan is ``--speed`` times the
published one. A search shows 20 listings, and a thousand before a new window begins; so 20,000 SKUs are 1,000 searches.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.amazon_facts import LIMITS
from deployments.sandbox.amazon.api import Plan
from deployments.sandbox.amazon.fill import enter
from deployments.sandbox.amazon.server import empty, start
from flows.wiring import open_house
from tests.bench.sync_speed import FILES
from tests.databases import fresh_sqlite

OPERATION = "searchListingsItems"


def main() -> int:
    """Reads all listings on one connector; 1 when a call was too many or a tenth of the plan was not used."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.amazon_speed", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="listings to read")
    parser.add_argument("--speed", type=float, default=10.0, help="how much faster than the published plan")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.count, given.speed)
        return 0
    there = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.amazon_speed", "--serve", "--count", str(given.count), "--speed",
         str(given.speed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        return read(there, given.count, given.speed)
    finally:
        there.communicate()


def read(there: subprocess.Popen[str], count: int, speed: float) -> int:
    """One full read by a worker that knows the plan, as it leases its calls from the registry."""
    assert there.stdout is not None
    assert there.stdin is not None
    told = json.loads(there.stdout.readline())
    plan = {name: {"rate": limit.rate * speed, "burst": limit.burst} for name, limit in LIMITS.items()}
    with tempfile.TemporaryDirectory() as name, fresh_sqlite(Path(name) / "sqlite") as address:
        secrets = {f"AMAZON_{key.upper()}": value for key, value in told["secrets"].items()}
        os.environ |= {"AMAZON_URL": told["url"], "SERAI_REGISTRY": address, **secrets}
        row = {"platform": "amazon", "company": "kz", "url": "env:AMAZON_URL", "entities": {"stock": "on"},
               "secrets": {key: f"env:AMAZON_{key.upper()}" for key in told["secrets"]},
               "settings": {**told["settings"], "limits": plan}}  # fmt: skip
        (Path(name) / "channels.yaml").write_text(json.dumps({"market": row}), encoding="utf-8")
        (Path(name) / "companies.yaml").write_text(FILES["companies.yaml"], encoding="utf-8")
        (Path(name) / "authority.yaml").write_text("stock: {'*': [market]}\n", encoding="utf-8")
        (Path(name) / "policies").mkdir()
        (Path(name) / "policies" / "stock.yaml").write_text(
            "sources: {market: {figure: available, restocks: source}}\n", encoding="utf-8"
        )
        house = open_house(Path(name))
        began = time.monotonic()
        seen = {doc["sku"] for page in house.connector("market").read("listings") for doc in page.docs}
        seconds = time.monotonic() - began
        house.close()
    there.stdin.write("?\n")
    there.stdin.flush()
    counted: dict[str, Any] = json.loads(there.stdout.readline())
    limit = plan[OPERATION]
    share = counted["calls"] / (limit["burst"] + limit["rate"] * seconds)
    print(f"{len(seen):,} of {count:,} listings in {counted['calls']} searches within {seconds:.1f} s, {share:.0%} of "
          f"what is allowed; {counted['refused']} over the limit")
    return 0 if len(seen) == count and counted["refused"] == 0 and share >= 0.9 else 1


def serve(count: int, speed: float) -> None:
    """The marketplace, until its standard input ends; a line asks for what it counted."""
    market = empty()
    for n in range(count):
        market.opening = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=n // 40)
        enter(market, f"SKU-{n:06d}", title=f"Kettle {n}", price=Decimal(990 + n), available=n % 90)
    market.opening = None
    plan = Plan(speed=speed)
    running = start(market, plan=plan)
    calls = 0
    allows = plan.allows

    def counted(operation: Any) -> bool:
        nonlocal calls
        fits = allows(operation)
        calls += fits and operation.name == OPERATION
        return fits

    plan.allows = counted  # type: ignore[method-assign]  # each search that was let in is counted
    print(json.dumps({"url": running.url, "secrets": dict(running.secrets), "settings": dict(running.settings)}),
          flush=True)  # fmt: skip
    for _ in sys.stdin:
        print(json.dumps({"calls": calls, "refused": sum(plan.refusals.values())}), flush=True)
    running.stop()


if __name__ == "__main__":
    sys.exit(main())
