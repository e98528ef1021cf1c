"""``python -m tests.bench.limit_speed``: a full sync against a platform that allows so many calls, and counts them.

What surprises here: two workers push at once, each with a registry connection and a session of its own; the control is
the same work by the same code that does not know the limit and goes on whenever the platform's own wait is over.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests

from connectors.errors import RetryLater
from flows import steps
from flows.wiring import open_house
from tests.bench.sync_speed import api, known, project
from tests.databases import fresh_postgres, fresh_sqlite

RATE, BURST = 5, 20


def main() -> int:
    """Syncs with and without knowing the limit, on both databases; 1 when a call was too many or a tenth was unused."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.limit_speed", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="articles to sync")
    count = parser.parse_args().count
    kept = True
    for dialect in ("SQLite", "PostgreSQL"):
        for told in (True, False):
            counted = sync(count, dialect, told)
            share = counted["let_in"] / (BURST + RATE * counted["seconds"])
            print(
                f"{dialect}, limit {'known' if told else 'not known'}: {count:,} articles, "
                f"{counted['let_in']:.0f} calls let in within {counted['seconds']:.1f} s, "
                f"{share:.0%} of what is allowed; {counted['refused']:.0f} refused"
            )
            kept = kept and (not told or (counted["refused"] == 0 and share >= 0.9))
    return 0 if kept else 1


def sync(count: int, dialect: str, told: bool) -> dict[str, float]:
    """What the platform counted of two workers' pushes of ``count`` articles."""
    with tempfile.TemporaryDirectory() as name, api(count, RATE, BURST) as limited, api(count) as source:
        folder = Path(name)
        database = fresh_sqlite(folder / "sqlite") if dialect == "SQLite" else fresh_postgres()
        with database as address:
            os.environ.update(BENCH_URL=source, LIMITED_URL=limited, SERAI_REGISTRY=address)
            files = project(folder / "project")
            channels = (files / "channels.yaml").read_text(encoding="utf-8").splitlines()
            limits = f", settings: {{limits: {{rate: {RATE}, burst: {BURST}}}}}" if told else ""
            channels[1] = channels[1].replace("BENCH_URL", "LIMITED_URL").replace("company: kz", f"company: kz{limits}")
            (files / "channels.yaml").write_text("\n".join(channels) + "\n", encoding="utf-8")
            house = open_house(files)
            known(house, count)
            house.close()
            worker = open_house(files)
            steps.pull(worker, "erp", "stock", full=True, stretch=steps.UNBOUNDED)
            worker.close()
            workers = [threading.Thread(target=push, args=(files,)) for _ in range(2)]
            for one in workers:
                one.start()
            for one in workers:
                one.join()
        counted: dict[str, float] = requests.get(f"{limited}/calls", timeout=5).json()
        assert requests.get(f"{limited}/written", timeout=30).json() == count
        return counted


def push(files: Path) -> None:
    """Pushes until nothing is due; waits as long as it is told to."""
    house = open_house(files)
    while True:
        try:
            ledger = steps.push(house, "shop", "stock", stretch=steps.UNBOUNDED)
        except RetryLater as wait:
            time.sleep(wait.after)
        else:
            if not ledger.more:
                break
    house.close()


if __name__ == "__main__":
    sys.exit(main())
