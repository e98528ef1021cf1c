"""``python -m deployments.sandbox [--port 8700] [--seed 7] [--folder books]``: the five systems until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from deployments.sandbox.start import start_sandbox


def main() -> None:
    """Starts the systems, prints where they are and how to speak to them, and serves until stopped."""
    parser = argparse.ArgumentParser(prog="python -m deployments.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8700, help="0: a free one (default 8700)")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same data (default 7)")
    parser.add_argument("--folder", type=Path, default=None, help="where the books go, one file per system")
    chosen = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    sandbox = start_sandbox(port=chosen.port, seed=chosen.seed, folder=chosen.folder)
    for name, value in sandbox.environment().items():
        print(f"export {name}={value}", flush=True)
    stopped.wait()
    sandbox.stop()


if __name__ == "__main__":
    main()
