"""Vendure 3 for the integration tests: a shop behind GraphQL, from its own packages on npm.

What surprises here: server and worker are one process; npm has no `batch-execute` of the range that `delegate` asks
for, so both are overridden; the tables are made by the server itself when it starts on an empty database.
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

MANIFEST = {
    "name": "shop",
    "overrides": {"@graphql-tools/batch-execute": "^10.0.0", "@graphql-tools/delegate": "^12.0.0"},
    "dependencies": {"@vendure/core": "3.7.3", "pg": "8.16.3"},
}
SERVER = """
const { bootstrap, JobQueueService, DefaultJobQueuePlugin, dummyPaymentHandler } = require('@vendure/core')
bootstrap({
  apiOptions: { hostname: '127.0.0.1', port: +process.env.PORT, adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: {
    tokenMethod: ['bearer', 'api-key'],
    superadminCredentials: { identifier: 'admin', password: process.env.PASSWORD },
  },
  dbConnectionOptions: { type: 'postgres', url: process.env.DATABASE_URL, synchronize: process.env.NEW === 'yes' },
  paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
  plugins: [DefaultJobQueuePlugin.init({ pollInterval: 250 })],
}).then(app => app.get(JobQueueService).start()).catch(error => { console.error(error); process.exit(1) })
"""


@dataclass(frozen=True, kw_only=True)
class Vendure:
    """A running Vendure with a channel in tenge, two stock locations and no goods; ``key`` is an API key."""

    url: str
    key: str
    database_url: str


@contextlib.contextmanager
def vendure_server(server: Postgres, programs: Path, database: str, *, new: bool) -> Iterator[str]:
    """Vendure's address while it runs on that database."""
    port = free_port()
    env = {"PORT": str(port), "DATABASE_URL": server.url(database), "PASSWORD": PASSWORD, "NEW": "yes" if new else "no",
           "VENDURE_DISABLE_TELEMETRY": "true", "NODE_OPTIONS": ""}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="serai-vendure-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as out, started(
            ["node", programs / "server.js"], out=out, cwd=programs, env=env
        ) as process:
            await_answer(f"http://127.0.0.1:{port}/health", process, log, seconds=180)
            yield f"http://127.0.0.1:{port}"


def vendure_dump(server: Postgres, programs: Path) -> Path:
    """A dump of Vendure's database as vendure_setup.py leaves it, with its key in a file of the same name."""
    setup = HERE / "vendure_setup.py"

    def set_up(file: Path) -> None:
        server.create("vendure_new")
        with vendure_server(server, programs, "vendure_new", new=True) as url:
            keys = run([sys.executable, setup, url, "admin", PASSWORD], seconds=120)
        file.with_suffix(".json").write_text(keys)
        server.dump("vendure_new", file)

    recipe = digest(MANIFEST, SERVER, PASSWORD, setup.read_text())
    return made(cache() / f"vendure-{server.major}-{recipe}.dump", set_up)


@contextlib.contextmanager
def vendure(server: Postgres) -> Iterator[Vendure]:
    """Vendure 3 on a free port of 127.0.0.1, freshly set up."""
    programs = node_programs("vendure", MANIFEST, {"server.js": SERVER}, "--ignore-scripts")
    dump = vendure_dump(server, programs)
    server.restore(dump, "vendure")
    keys = json.loads(dump.with_suffix(".json").read_text())
    with vendure_server(server, programs, "vendure", new=False) as url:
        yield Vendure(url=url, database_url=server.url("vendure"), **keys)
