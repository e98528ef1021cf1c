"""A worker in a process of its own: ``python -m tests.scenario.worker PROJECT REGISTRY SECONDS``.

Says ``ready`` once its house is open, then does rounds of everything until its input ends; exits 1 when a ledger does
not balance. SECONDS is how far the retailer's clock is ahead.
"""

from __future__ import annotations

import sys
import threading
from datetime import timedelta

from flows import steps
from flows.routes import load_mappings
from flows.settings import load_project
from flows.wiring import House
from tests.scenario.border import Clock, timed


def main(folder: str, url: str, ahead: str) -> int:
    """Works until told to stop."""
    clock = Clock()
    clock.ahead = timedelta(seconds=float(ahead))
    project = load_project(folder)
    house = House(project=project, registry=timed(url, clock), mappings=load_mappings(project))
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    print("ready", flush=True)
    while True:
        ended = over.is_set()
        uneven = [ledger.sentence() for ledger in steps.sync_all(house) if not ledger.balanced]
        if uneven:
            print(uneven, file=sys.stderr)
            return 1
        if ended:
            return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
