"""Boots PostgreSQL, Tryton and Medusa for the integration tests, as anybody installs them, and ends what it started.

What surprises here:

* PostgreSQL refuses to run as root: then the server (not the tests) runs as ``postgres`` or ``nobody``, in a throw-away
  folder that such a user can reach.
* Nothing that runs is kept: the cache holds what is slow to make (Tryton's venv, Medusa's node_modules, one dump of
  each freshly set-up database), and every session restores the dumps into a new cluster. Both are named after a hash
  of what they were made from, so a new version or a changed set-up makes new ones.
* Medusa's CLI wants ts-node and @swc/core unless the configuration is plain JavaScript and ``NODE_ENV=production``.
* A program started here outlives neither its ``with`` nor this process: it runs on the leash of deployments/leash.py,
  which ends it and what it started.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
TRYTON = (
    "trytond[postgresql]", "psycopg[binary]", "proteus", "python-dateutil", "trytond_account_invoice_stock",
    "trytond_sale", "trytond_stock_package_shipping",
)  # fmt: skip
TRYTON_VERSIONS = HERE / "tryton-constraints.txt"
TRYTON_MODULES = (
    "party", "product", "account", "account_product", "account_invoice_stock", "stock", "sale",
    "stock_package_shipping",
)  # fmt: skip
MEDUSA = {"@medusajs/medusa": "2.21.2", "@medusajs/framework": "2.21.2", "@medusajs/cli": "2.21.2"}
NODE = (20, 19)
PASSWORD = "a-password-for-tests"  # of throw-away systems on loopback


def missing(what: str) -> None:
    """Skips visibly, naming the remedy; on CI it fails, because there the real systems must run."""
    if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        pytest.fail(f"on CI the real systems must run: {what}", pytrace=False)
    pytest.skip(what)


def cache() -> Path:
    """The folder outside the checkout that keeps what is slow to make."""
    root = Path(os.environ.get("SERAI_CACHE") or Path.home() / ".cache" / "serai") / "systems"
    root.mkdir(parents=True, exist_ok=True)
    return root


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Only one process at a time makes ``path``; a killed one leaves no lock behind."""
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made(path: Path, make: Callable[[Path], None]) -> Path:
    """``path``, made once: an interrupted attempt is never taken for a finished one."""
    done = path.with_name(path.name + ".done")
    with alone(path):
        if not done.exists():
            if path.is_dir():
                shutil.rmtree(path)
            make(path)
            done.touch()
    return path


def digest(*parts: Any) -> str:
    """Ten characters that change when anything the parts hold changes."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:10]


def run(argv: Sequence[str | Path], *, seconds: float, cwd: Path | None = None, env: Mapping[str, str] | None = None,
        user: str | None = None) -> str:  # fmt: skip
    """What the program printed; raises with the end of it when it fails or takes longer than ``seconds``."""
    with tempfile.TemporaryFile() as out:
        with started(argv, out=out, cwd=cwd, env=env, user=user) as process:
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
        out.seek(0)
        said = out.read().decode(errors="replace")
    if code != 0:
        how = f"took more than {seconds:.0f} s" if code is None else f"ended with {code}"
        raise RuntimeError(f"{Path(argv[0]).name} {' '.join(map(str, argv[1:4]))} … {how}:\n{said[-3000:]}")
    return said


@contextlib.contextmanager
def started(
    argv: Sequence[str | Path], *, out: Any, cwd: Path | None = None, env: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    """A program that ends with the block and, whatever becomes of us, with this process; as ``user``, from root."""
    leash = [sys.executable, "-m", "deployments.leash", str(os.getpid()), "--"]
    if user is not None:
        leash += ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
    process = subprocess.Popen(
        [*leash, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=cwd,
        env={**os.environ, **(env or {})}, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path, *, seconds: float) -> None:
    """Returns when ``url`` answers anything but a server error; raises with the end of the log when it does not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{url} did not answer within {seconds:.0f} s:\n{log.read_text(errors='replace')[-3000:]}")


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running cluster on loopback: throw-away, trusted, not synced to disk."""

    bin: Path
    major: str
    port: int

    def url(self, name: str) -> str:
        """The address of one database."""
        return f"postgresql://serai@127.0.0.1:{self.port}/{name}"

    def create(self, name: str) -> None:
        """An empty database, in UTF-8."""
        run([self.bin / "psql", "-qX", self.url("postgres"), "-c", f'CREATE DATABASE "{name}"'], seconds=60)

    def dump(self, name: str, file: Path) -> None:
        """The whole of a database, in one file."""
        run([self.bin / "pg_dump", "-Fc", "-Z1", "--no-owner", "-f", file, self.url(name)], seconds=300)

    def restore(self, file: Path, name: str) -> None:
        """A new database, as it was when dumped."""
        self.create(name)
        run([self.bin / "pg_restore", "--no-owner", "-j2", "-d", self.url(name), file], seconds=300)


def postgres_programs() -> Path:
    """The folder of an installed PostgreSQL's programs, the newest one first."""
    found = [Path(folder) for folder in (os.environ.get("SERAI_POSTGRES_BIN"),) if folder]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    found += [Path(path).parent for path in (shutil.which("postgres"),) if path]
    for folder in found:
        if all((folder / program).exists() for program in ("initdb", "postgres", "pg_dump", "pg_restore", "psql")):
            return folder
    missing("PostgreSQL is not installed: apt install postgresql, or name its folder in SERAI_POSTGRES_BIN")
    raise AssertionError


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL on a free port of 127.0.0.1, gone without a trace afterwards."""
    programs = postgres_programs()
    major = run([programs / "postgres", "--version"], seconds=20).split()[2].split(".")[0]
    user = None
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
    with tempfile.TemporaryDirectory(prefix="serai-postgres-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        if user is not None:
            shutil.chown(home, user)
        data, port = home / "data", free_port()
        run([programs / "initdb", "-D", data, "-U", "serai", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            seconds=120, cwd=home, user=user)  # fmt: skip
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": home, "fsync": "off",
                    "synchronous_commit": "off", "full_page_writes": "off", "max_connections": 200,
                    "timezone": "UTC"}  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = home / "postgres.log"
        with log.open("wb") as out, started(
            [programs / "postgres", "-D", data, *options], out=out, cwd=home, user=user
        ) as process:
            until = time.monotonic() + 60
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            while subprocess.run(ready, check=False).returncode:
                if time.monotonic() > until or process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-3000:]}")
                time.sleep(0.1)
            yield Postgres(bin=programs, major=major, port=port)


# --- Tryton -----------------------------------------------------------------------------------------------------------


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


# --- Medusa -----------------------------------------------------------------------------------------------------------

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
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing(f"node and npm are not installed: Medusa wants Node.js ≥ {NODE[0]}.{NODE[1]}")
        raise AssertionError
    version = run([node, "--version"], seconds=20).strip()
    if tuple(int(part) for part in version.removeprefix("v").split(".")[:2]) < NODE:
        missing(f"Node.js is {version}: Medusa wants ≥ {NODE[0]}.{NODE[1]}")

    def install(folder: Path) -> None:
        folder.mkdir()
        (folder / "package.json").write_text(json.dumps({"name": "shop", "private": True, "dependencies": MEDUSA}))
        (folder / "medusa-config.js").write_text(CONFIG)
        (folder / "src").mkdir()
        run([npm, "install", "--no-audit", "--no-fund", "--legacy-peer-deps"], seconds=600, cwd=folder)

    return made(cache() / f"medusa-{digest(MEDUSA, CONFIG, version)}", install)


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
