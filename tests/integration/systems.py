"""Boots PostgreSQL for the integration tests, and gives what tryton.py, medusa.py and vendure.py boot theirs with.

What surprises here:

* PostgreSQL refuses to run as root: then the server (not the tests) runs as ``postgres`` or ``nobody``, in a throw-away
  folder that such a user can reach.
* Nothing that runs is kept: the cache holds what is slow to make (a venv, node_modules, one dump of each freshly set-up
  database), and every session restores the dumps into a new cluster. Both are named after a hash of what they were
  made from, so a new version or a changed set-up makes new ones.
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


# --- Node.js ----------------------------------------------------------------------------------------------------------


def node_programs(name: str, manifest: Mapping[str, Any], files: Mapping[str, str], *options: str) -> Path:
    """The folder of an npm project with its modules installed and these files beside them."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing(f"node and npm are not installed: {name} wants Node.js ≥ {NODE[0]}.{NODE[1]}")
        raise AssertionError
    version = run([node, "--version"], seconds=20).strip()
    if tuple(int(part) for part in version.removeprefix("v").split(".")[:2]) < NODE:
        missing(f"Node.js is {version}: {name} wants ≥ {NODE[0]}.{NODE[1]}")

    def install(folder: Path) -> None:
        for file, text in {"package.json": json.dumps({"private": True, **manifest}), **files}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        run([npm, "install", "--no-audit", "--no-fund", *options], seconds=600, cwd=folder)

    return made(cache() / f"{name}-{digest(manifest, files, version)}", install)
