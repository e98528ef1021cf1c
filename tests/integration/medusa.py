"""Medusa 2 for the integration tests: a shop, from its own packages on npm.

What surprises here: its CLI wants ts-node and @swc/core unless the configuration is plain JavaScript and
``NODE_ENV=production``.
"""

from __future__ import annotations

import contextlib
import json
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
    node_programs,
    run,
    started,
)

MEDUSA = {"@medusajs/medusa": "2.21.2", "@medusajs/framework": "2.21.2", "@medusajs/cli": "2.21.2"}
CONFIG = """
const { defineConfig } = require('@medusajs/framework/utils')
module.exports = defineConfig({
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { ssl: false, sslmode: 'disable' },
    http: { storeCors: '*', adminCors: '*', authCors: '*', jwtSecret: 'for-tests', cookieSecret: 'for-tests' },
  },
  admin: { disable: true },
})
"""


@dataclass(frozen=True, kw_only=True)
class Medusa:
    """A running Medusa with a region in tenge, a sales channel, two stock locations and no goods.

    ``key`` is the secret key of its admin API; ``publishable`` the key of its store API, which is the shopper's.
    """

    url: str
    key: str
    publishable: str
    database_url: str


def medusa_programs() -> Path:
    """The npm folder that holds Medusa."""
    manifest = {"name": "shop", "dependencies": MEDUSA}
    return node_programs("medusa", manifest, {"medusa-config.js": CONFIG, "src/.keep": ""}, "--legacy-peer-deps")


def medusa_environment(server: Postgres, database: str) -> dict[str, str]:
    """What Medusa reads from its environment."""
    return {"DATABASE_URL": server.url(database).replace("postgresql:", "postgres:"), "NODE_ENV": "production",
            "MEDUSA_DISABLE_TELEMETRY": "1", "NODE_OPTIONS": ""}  # fmt: skip


def medusa_command(programs: Path, *words: str) -> list[str | Path]:
    """Medusa's CLI, without npx in between."""
    return ["node", programs / "node_modules" / "@medusajs" / "cli" / "cli.js", *words]


@contextlib.contextmanager
def medusa_server(server: Postgres, programs: Path, database: str) -> Iterator[str]:
    """Medusa's address while it runs on that database."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="serai-medusa-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as out, started(
            medusa_command(programs, "start", "-p", str(port), "-H", "127.0.0.1"), out=out, cwd=programs,
            env=medusa_environment(server, database),
        ) as process:  # fmt: skip
            await_answer(f"http://127.0.0.1:{port}/health", process, log, seconds=180)
            yield f"http://127.0.0.1:{port}"


def medusa_dump(server: Postgres, programs: Path) -> Path:
    """A dump of Medusa's database as medusa_setup.py leaves it, with its keys in a file of the same name."""
    setup = HERE / "medusa_setup.py"

    def set_up(file: Path) -> None:
        server.create("medusa_new")
        env = medusa_environment(server, "medusa_new")
        run(medusa_command(programs, "db:migrate"), seconds=600, cwd=programs, env=env)
        account = ("user", "-e", "admin@example.test", "-p", PASSWORD)
        run(medusa_command(programs, *account), seconds=180, cwd=programs, env=env)
        with medusa_server(server, programs, "medusa_new") as url:
            keys = run([sys.executable, setup, url, "admin@example.test", PASSWORD], seconds=120)
        file.with_suffix(".json").write_text(keys)
        server.dump("medusa_new", file)

    return made(cache() / f"medusa-{server.major}-{digest(MEDUSA, CONFIG, PASSWORD, setup.read_text())}.dump", set_up)


@contextlib.contextmanager
def medusa(server: Postgres) -> Iterator[Medusa]:
    """Medusa 2 on a free port of 127.0.0.1, freshly set up."""
    programs = medusa_programs()
    dump = medusa_dump(server, programs)
    server.restore(dump, "medusa")
    keys = json.loads(dump.with_suffix(".json").read_text())
    with medusa_server(server, programs, "medusa") as url:
        yield Medusa(url=url, database_url=server.url("medusa"), **keys)
