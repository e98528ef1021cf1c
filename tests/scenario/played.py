"""A retailer one of whose systems is played by a vendor's simulator; the others know their places only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import copytree

from deployments.sandbox.people import People
from deployments.sandbox.start import Player, start_sandbox
from flows import steps
from flows.wiring import House, opened
from registry import consent, outbox_counts
from tests.projects import RETAIL
from tests.retailer import environment

ROUNDS = 8


@contextmanager
def played(folder: Path, players: Mapping[str, Player], files: Mapping[str, str]) -> Iterator[tuple[House, People]]:
    """Serai between the systems, with these files in its project and a consent to all that is written; the people."""
    copytree(RETAIL / "platforms", folder / "platforms")
    companies = re.sub(r"(?m)^bg:.*\n", "", (RETAIL / "companies.yaml").read_text(encoding="utf-8"))
    for name, text in {"companies": companies, **files}.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sandbox = start_sandbox(filled=False, players=players)
    try:
        with environment(sandbox.environment() | {"SERAI_DEV": "1"}), opened(folder) as found:
            for channel in found.project.channels.values():
                for entity in channel.receives:
                    found.registry.attempt(partial(consent, channel_name=channel.name, entity=entity, who="Aigerim"))
            yield found, sandbox.people()
    finally:
        sandbox.stop()


def quiet(house: House) -> None:
    """Rounds of everything until nothing moves any more."""
    for _ in range(ROUNDS):
        ledgers = steps.sync_all(house)
        assert [one.sentence() for one in ledgers if not one.balanced] == []
        with house.registry.read() as tx:
            moving = {key: n for key, n in outbox_counts(tx).items() if key[2] in ("due", "decided", "sent", "unknown")}
        if not moving:
            return
    raise AssertionError(f"no quiet after {ROUNDS} rounds: {moving}")
