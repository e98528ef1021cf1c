"""Tryton 8 for the integration tests: an ERP with a sale point, from its own packages on PyPI."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.systems import (
    HERE,
    PASSWORD,
    Postgres,
    await_answer,
    cache,
    digest,
    free_port,
    made,
    run,
    started,
)

TRYTON = (
    "trytond[postgresql]", "psycopg[binary]", "proteus", "python-dateutil", "trytond_account_invoice_stock",
    "trytond_sale", "trytond_sale_point", "trytond_stock_package_shipping",
)  # fmt: skip
TRYTON_VERSIONS = HERE / "tryton-constraints.txt"
TRYTON_MODULES = (
    "party", "product", "account", "account_product", "account_invoice_stock", "stock", "sale", "sale_point",
    "stock_package_shipping",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Tryton:
    """A running Tryton with one company, a chart of accounts, two warehouses and no goods."""

    url: str
    user: str
    password: str
    database_url: str


def tryton_programs() -> Path:
    """The venv that holds Tryton and its modules."""

    def install(folder: Path) -> None:
        run([sys.executable, "-m", "venv", folder], seconds=120)
        run([folder / "bin" / "python", "-m", "pip", "install", "-q", "-c", TRYTON_VERSIONS, *TRYTON], seconds=600)

    return made(cache() / f"tryton-{digest(TRYTON, TRYTON_VERSIONS.read_text(), sys.version)}", install) / "bin"


@contextlib.contextmanager
def tryton_home(server: Postgres, port: int) -> Iterator[Path]:
    """A folder with Tryton's configuration."""
    with tempfile.TemporaryDirectory(prefix="serai-tryton-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / "trytond.conf").write_text(
            f"[web]\nlisten = 127.0.0.1:{port}\n[database]\nuri = {server.url('')}\npath = {home}\n"
        )
        (home / "password").write_text(PASSWORD)
        yield home


def tryton_dump(server: Postgres, programs: Path) -> Path:
    """A dump of Tryton's database as tryton_setup.py leaves it."""
    setup = HERE / "tryton_setup.py"

    def set_up(file: Path) -> None:
        server.create("tryton_new")
        with tryton_home(server, 0) as home:
            command = [programs / "trytond-admin", "-c", home / "trytond.conf", "-d", "tryton_new"]
            env = {"TRYTONPASSFILE": str(home / "password")}
            run([*command, "--all", "--email", "admin@example.test"], seconds=300, cwd=home, env=env)
            run([*command, "-u", *TRYTON_MODULES, "--activate-dependencies"], seconds=600, cwd=home, env=env)
            run([programs / "python", setup, home / "trytond.conf", "tryton_new", PASSWORD], seconds=300, cwd=home)
        server.dump("tryton_new", file)

    recipe = digest(TRYTON_VERSIONS.read_text(), TRYTON_MODULES, PASSWORD, setup.read_text())
    return made(cache() / f"tryton-{server.major}-{recipe}.dump", set_up)


@contextlib.contextmanager
def tryton(server: Postgres) -> Iterator[Tryton]:
    """Tryton 8 on a free port of 127.0.0.1, freshly set up."""
    programs, port = tryton_programs(), free_port()
    server.restore(tryton_dump(server, programs), "tryton")
    with tryton_home(server, port) as home:
        log = home / "server.log"
        with log.open("wb") as out, started(
            [programs / "trytond", "-c", home / "trytond.conf", "-d", "tryton"], out=out, cwd=home
        ) as process:
            await_answer(f"http://127.0.0.1:{port}/", process, log, seconds=90)
            yield Tryton(url=f"http://127.0.0.1:{port}/tryton", user="integration", password=PASSWORD,
                         database_url=server.url("tryton"))  # fmt: skip
