"""Starts the systems in this process, filled with the data of a demo retailer.

What surprises here: any of them can be played by a simulator of its own, which brings its server, its opening data and
its secrets; the others do not notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deployments.demo.data import Retailer, karavan_home
from deployments.sandbox.books import Books
from deployments.sandbox.crm import CRM
from deployments.sandbox.design import Design
from deployments.sandbox.engine import System
from deployments.sandbox.erp import ERP, ERP_BG
from deployments.sandbox.market import MARKET
from deployments.sandbox.notices import Notices
from deployments.sandbox.people import People
from deployments.sandbox.pos import POS
from deployments.sandbox.seed import fill
from deployments.sandbox.server import Served, handler, served
from deployments.sandbox.serving import serve
from deployments.sandbox.shop import SHOP, SHOP_BG


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a simulator is given to play a system of the retailer: name, books, seed, and the opening data (or none)."""

    name: str
    books: Books
    seed: int
    retailer: Retailer | None
    wall: Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Playing:
    """A simulator that plays a system: its address, its secrets by name (TOKEN, HOOK_SECRET, …), and how to end it.

    ``desk``: the stores take back with it what was bought online.
    """

    url: str
    secrets: Mapping[str, str]
    stop: Callable[[], None]
    desk: bool = False


Player = Callable[[Part], Playing]
DESIGNS: tuple[Design, ...] = (ERP, CRM, SHOP, POS, MARKET, ERP_BG, SHOP_BG)


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Running systems: ``urls``, ``tokens``, ``readers`` (tokens that may only read), ``hook_secrets`` by name.

    ``url``: under which the systems' prefixes stand. ``playing``: those that a simulator plays;
    they are not among the others.
    """

    url: str
    systems: Mapping[str, System]
    urls: Mapping[str, str]
    tokens: Mapping[str, str]
    readers: Mapping[str, str]
    hook_secrets: Mapping[str, str]
    playing: Mapping[str, Playing]
    notices: Mapping[str, Notices]
    _stop: Callable[[], None]

    @property
    def port(self) -> int:
        """The port of ``url``."""
        return int(self.url.rpartition(":")[2])

    def environment(self) -> dict[str, str]:
        """What channels.yaml refers to: SERAI_ERP_URL, SERAI_ERP_TOKEN, SERAI_ERP_HOOK_SECRET, and so on."""
        found = {}
        for name in self.systems:
            found[f"SERAI_{name.upper()}_URL"] = self.urls[name]
            found[f"SERAI_{name.upper()}_TOKEN"] = self.tokens[name]
            found[f"SERAI_{name.upper()}_HOOK_SECRET"] = self.hook_secrets[name]
        for name, one in self.playing.items():
            found[f"SERAI_{name.upper()}_URL"] = one.url
            found |= {f"SERAI_{name.upper()}_{secret}": value for secret, value in one.secrets.items()}
        return found

    def people(self) -> People:
        """The people around the systems."""
        desk = next((name for name, one in self.playing.items() if one.desk), "pos")
        return People(self.url, {name: one.url for name, one in self.playing.items()}, desk)

    def stop(self) -> None:
        """Afterwards nothing listens, nothing is sent, and the books are on disk."""
        self._stop()
        for one in self.playing.values():
            one.stop()


def start_sandbox(
    *,
    port: int = 0,
    seed: int = 7,
    folder: Path | None = None,
    filled: bool = True,
    wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    players: Mapping[str, Player] | None = None,
) -> Sandbox:
    """Starts all systems on 127.0.0.1 (port 0: a free one); their books go to ``folder``/<system>.jsonl when given.

    ``filled`` False: empty systems that know their locations and stores only. The same seed gives the same data.
    ``players``: which of them a simulator of its own plays.
    """
    retailer = karavan_home(seed) if filled else None
    playing = {
        name: player(Part(name=name, books=_books(name, folder), seed=seed, retailer=retailer, wall=wall))
        for name, player in (players or {}).items()
    }
    systems: dict[str, System] = {}
    notices: dict[str, Notices] = {}
    offered: dict[str, Served] = {}
    for design in DESIGNS:
        name = design.name
        if name in playing:
            continue
        books = _books(name, folder)
        system = System(design, books=books, wall=wall)
        notices[name] = Notices(design, books, system.faults, f"{name}-hook-secret-{seed}")
        system.announce, system.ask = notices[name].announce, notices[name].ask
        systems[name] = system
        offered[name] = served(system, notices[name], token=f"{name}-token-{seed}", reader=f"{name}-reader-{seed}")
    fill(systems, retailer)
    url, stop = serve(handler(offered), [one.simulated for one in offered.values()], port=port, name="sandbox")
    return Sandbox(
        url=url,
        systems=systems,
        urls={name: f"{url}/{name}" for name in systems},
        tokens={name: one.token for name, one in offered.items()},
        readers={name: one.reader for name, one in offered.items()},
        hook_secrets={name: f"{name}-hook-secret-{seed}" for name in systems},
        playing=playing,
        notices=notices,
        _stop=stop,
    )


def _books(name: str, folder: Path | None) -> Books:
    return Books(name, None if folder is None else folder / f"{name}.jsonl")
