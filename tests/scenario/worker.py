"""A worker in a process of its own, on the world's registry and its systems.

What surprises here: the mappings are compiled when this is imported, once for all that are forked from there.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from flows import steps
from flows.settings import load_project
from flows.wiring import House
from tests.scenario.border import Clock, timed
from tests.scenario.project import compiled

compiled(False)


def work(folder: Path, url: str, ahead: timedelta, environment: Mapping[str, str], line: Connection) -> None:
    """Says that its house is open, then does rounds of everything until the line ends; exits 1 when a ledger does not
    balance. ``ahead`` is how far the retailer's clock is before this machine's.
    """
    os.environ.clear()
    os.environ.update(environment)
    clock = Clock()
    clock.ahead = ahead
    house = House(project=load_project(folder), registry=timed(url, clock), mappings=compiled(False))
    over = threading.Event()

    def listen() -> None:
        with suppress(EOFError):
            line.recv()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    line.send("ready")
    while True:
        ended = over.is_set()
        uneven = [ledger.sentence() for ledger in steps.sync_all(house) if not ledger.balanced]
        if uneven:
            print(uneven, file=sys.stderr)
            sys.exit(1)
        if ended:
            return
