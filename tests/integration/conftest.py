"""The real systems, booted once a session, and a house between them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.wiring import House, opened
from registry import Tx, consent
from tests.integration import systems
from tests.integration.people import Books, Clerk, Shopper
from tests.integration.swallow import Proxy

RECEIVED = ("product", "variant", "stock", "price")


@dataclass(frozen=True, kw_only=True)
class Karavan:
    """Karavan Home: its clerk, its shopper, Serai between them, and the systems' own books."""

    clerk: Clerk
    shopper: Shopper
    erp: Books
    shop: Books
    house: House
    wire: Proxy
    """Between Serai and Tryton."""


@pytest.fixture(scope="session")
def karavan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Karavan]:
    """Freshly set-up systems with Serai allowed to create articles in the shop."""
    with ExitStack() as stack:
        stack.callback(restored(dict(os.environ)))
        server = stack.enter_context(systems.postgres())
        medusa = stack.enter_context(systems.medusa(server))
        tryton = stack.enter_context(systems.tryton(server))
        wire = stack.enter_context(Proxy(tryton.url).running())
        os.environ.update(
            SERAI_TRYTON_URL=wire.url, SERAI_TRYTON_USER=tryton.user, SERAI_TRYTON_PASSWORD=tryton.password,
            SERAI_MEDUSA_URL=medusa.url, SERAI_MEDUSA_KEY=medusa.key,
        )  # fmt: skip
        folder = tmp_path_factory.mktemp("karavan") / "project"
        shutil.copytree(Path(__file__).parent / "project", folder)
        house = stack.enter_context(opened(folder))

        def allow(tx: Tx) -> None:
            for entity in RECEIVED:
                consent(tx, "shop-kz", entity, "the test's owner")

        house.registry.attempt(allow)
        yield Karavan(
            clerk=Clerk(tryton), shopper=Shopper(medusa), house=house, wire=wire,
            erp=Books(system="tryton", url=tryton.database_url), shop=Books(system="medusa", url=medusa.database_url),
        )  # fmt: skip


def restored(before: dict[str, str]) -> Callable[[], None]:
    """Puts the environment back."""

    def work() -> None:
        os.environ.clear()
        os.environ.update(before)

    return work
