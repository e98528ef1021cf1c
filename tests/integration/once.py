"""Everything that is due, once, in a process of its own: ``python -m tests.integration.once FOLDER``; tests kill it."""

from __future__ import annotations

import sys
from pathlib import Path

from flows.steps import sync_all
from flows.wiring import opened

if __name__ == "__main__":
    with opened(Path(sys.argv[1])) as house:
        for ledger in sync_all(house):
            print(ledger.sentence())
