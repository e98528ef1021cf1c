"""The real systems, booted once a session as soon as a test wants them, and a house between each shop and the ERP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.wiring import House, opened
from registry import Tx, consent
from tests.integration import medusa, systems, tryton, vendure
from tests.integration.people import Books, Clerk, MedusaShop, VendureShop
from tests.integration.swallow import Proxy
from tests.retailer import environment

RECEIVED = ("product", "variant", "stock", "price")
HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Karavan:
    """Karavan Home: its clerk, its shop, Serai between them, and the systems' own books."""

    clerk: Clerk
    shop: MedusaShop | VendureShop
    erp: Books
    house: House
    folder: Path
    wire: Proxy
    """Between Serai and Tryton."""
    door: Proxy
    """Between Serai and the shop."""


@pytest.fixture(scope="session")
def server() -> Iterator[systems.Postgres]:
    """A PostgreSQL for all of them."""
    with systems.postgres() as found:
        yield found


@pytest.fixture(scope="session")
def erp(server: systems.Postgres) -> Iterator[tryton.Tryton]:
    """One Tryton, whoever asks."""
    with tryton.tryton(server) as found:
        yield found


@pytest.fixture(scope="session")
def wire(erp: tryton.Tryton) -> Iterator[Proxy]:
    """The only way from Serai to Tryton."""
    with Proxy(erp.url).running() as found, environment(dict(
        SERAI_TRYTON_URL=found.url, SERAI_TRYTON_USER=erp.user, SERAI_TRYTON_PASSWORD=erp.password
    )):  # fmt: skip
        yield found


@pytest.fixture(scope="session")
def medusa_shop(server: systems.Postgres) -> Iterator[medusa.Medusa]:
    """One Medusa."""
    with medusa.medusa(server) as found:
        yield found


@pytest.fixture(scope="session")
def vendure_shop(server: systems.Postgres) -> Iterator[vendure.Vendure]:
    """One Vendure."""
    with vendure.vendure(server) as found:
        yield found


@pytest.fixture(scope="session")
def on_medusa(
    erp: tryton.Tryton, wire: Proxy, medusa_shop: medusa.Medusa, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Karavan]:
    """Tryton and a shop on Medusa, with Serai allowed to create articles there."""
    folder = tmp_path_factory.mktemp("medusa")
    with between(erp, wire, MedusaShop(medusa_shop), "project", folder) as found:
        yield found


@pytest.fixture(scope="session")
def on_vendure(
    erp: tryton.Tryton, wire: Proxy, vendure_shop: vendure.Vendure, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Karavan]:
    """Tryton and a shop on Vendure, with Serai allowed to create articles there."""
    folder = tmp_path_factory.mktemp("vendure")
    with between(erp, wire, VendureShop(vendure_shop), "project_vendure", folder) as found:
        yield found


@pytest.fixture(params=["medusa", "vendure"])
def karavan(request: pytest.FixtureRequest) -> Karavan:
    """Karavan Home on each of the shops in turn."""
    found: Karavan = request.getfixturevalue(f"on_{request.param}")
    return found


@contextmanager
def between(
    erp: tryton.Tryton, wire: Proxy, shop: MedusaShop | VendureShop, project: str, into: Path
) -> Iterator[Karavan]:
    """A house of its own between the ERP and a shop, each behind a proxy."""
    folder = into / "project"
    shutil.copytree(HERE / project, folder)
    if isinstance(shop, MedusaShop):
        rows = folder / "channels.yaml"
        rows.write_text(rows.read_text(encoding="utf-8").replace("cusgroup_staff", shop.staff), encoding="utf-8")
        (folder / "campaigns").mkdir()
    name = f"SERAI_{shop.name.upper()}"
    with (
        Proxy(shop.url).running() as door,
        environment({f"{name}_URL": door.url, f"{name}_KEY": shop.key}),
        opened(folder) as house,
    ):
        (channel,) = [name for name, row in house.project.channels.items() if row.platform == shop.name]

        def allow(tx: Tx) -> None:
            for entity in RECEIVED:
                consent(tx, channel, entity, "the test's owner")

        house.registry.attempt(allow)
        yield Karavan(
            clerk=Clerk(erp), shop=shop, house=house, folder=folder, wire=wire, door=door,
            erp=Books(system="tryton", url=erp.database_url),
        )  # fmt: skip
