"""A verb's house: opened for the verb, with the addresses of a running demo when the project is one.

What surprises here: `serai demo` invents addresses and tokens for its systems at each start. It leaves them in
the project's own folder, readable by its owner only, while it runs, so that any verb in another terminal just works.
Nothing of the kind is done for other projects: their secrets come from the environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.wiring import House

DEMO = "demo-systems.json"


@contextmanager
def opened(project: Path, *, disk: bool = False, writing: str | None = None) -> Iterator[House]:
    """The project's house, closed afterwards; variables that are set already win over a demo's.

    ``disk``: with the files as they are, whatever release is in force. ``writing``: in a hurry, with no more than a
    decision about this entity needs.
    """
    from flows import wiring

    with_demo(project)
    with wiring.opened(project, disk=disk, writing=writing) as house:
        yield house


def with_demo(project: Path) -> None:
    """Afterwards the environment holds a running demo's addresses, beside what it held already."""
    for name, value in _demo(project).items():
        os.environ.setdefault(name, value)


@contextmanager
def told(project: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Inside the block, verbs in other terminals find the demo's systems."""
    path = project / ".serai" / DEMO
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({"pid": os.getpid(), "environment": dict(environment)}), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _demo(project: Path) -> dict[str, str]:
    with suppress(OSError, ValueError, KeyError):
        noted = json.loads((project / ".serai" / DEMO).read_text(encoding="utf-8"))
        os.kill(noted["pid"], 0)
        return dict(noted["environment"])
    return {}
