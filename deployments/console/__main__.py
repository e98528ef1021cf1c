"""``python -m deployments.console``: serves the console of a project folder on this machine until SIGTERM."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deployments.console.app import create_app
from deployments.loopback import NotLoopback, address, listen, serve
from deployments.telling import log_to_stderr
from flows.wiring import opened


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 2 when it may not or cannot listen."""
    parser = argparse.ArgumentParser(prog="deployments.console", description="The console of business admins.")
    parser.add_argument("--project", type=Path, default=Path(os.environ.get("SERAI_PROJECT", ".")))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4280)
    parser.add_argument("--prefect", default=os.environ.get("SERAI_PREFECT_URL"), help="address of Prefect's UI")
    given = parser.parse_args(arguments)
    log_to_stderr()
    try:
        sock = listen(given.host, given.port)
    except (NotLoopback, OSError) as error:
        print(f"console: {error}", file=sys.stderr)
        return 2
    with opened(given.project) as house:
        print(f"console {address(sock)}", flush=True)
        serve(create_app(house, prefect=given.prefect), sock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
