"""Everything of one retailer on this machine, under one parent: Prefect server and worker, drain, console, receiver.

What surprises here:

* Whatever ends this process ends all of them, SIGKILL included: each child runs on a leash (``deployments.leash``).
* A part that ends by itself is started again, with a growing pause; the others do not wait for it. Webhooks are taken,
  and the drain writes, while Prefect's server is still starting or away.
* Nothing listens on another address than 127.0.0.1. A preferred port that is taken is replaced by a free one.
* ``.serai/running.json`` in the project folder holds the addresses while it runs, for ``serai`` in another terminal.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from deployments.leash import PATIENCE

PORTS = {"prefect": 4200, "console": 4280, "receiver": 4290}
"""Preferred ports of what listens."""
PREFECT_STARTS_WITHIN = 180.0
"""Seconds; an empty database takes 14 to 22 on an idle machine, several times that on a busy one."""
STARTS_WITHIN = 60.0
POOL = "serai"
LONGEST_PAUSE = 30.0
FEWEST_AT_ONCE = 4
"""Scheduled runs that go side by side even on a small machine: a long first read must not hold up the others."""

Say = Callable[[str], None]


class CannotStart(Exception):
    """A part did not come up; the message names its log."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """What runs: its addresses, and the environment that makes another process part of it."""

    project: Path
    urls: Mapping[str, str]
    env: Mapping[str, str]


@dataclass(kw_only=True)
class Part:
    """One child process with its log."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    lasting: bool = True
    starts: int = 0
    again_at: float = 0.0
    started_at: float = field(default=0.0)

    def start(self) -> None:
        """Afterwards the command runs on a leash of this process, its output going to the log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # commands are put together in this module
                [sys.executable, "-m", "deployments.leash", str(os.getpid()), "--", *self.command],
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1
        self.started_at = time.monotonic()

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def last_lines(self, count: int = 5) -> str:
        """The end of the log, indented."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join("    " + line for line in lines[-count:])


def environment(project: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """The settings every part runs under: loopback, own databases in the project's .serai folder, no telemetry."""
    api = f"http://127.0.0.1:{ports['prefect']}/api"
    home = project / ".serai" / "prefect"
    return {
        "SERAI_PROJECT": str(project),
        "SERAI_CONSOLE_URL": f"http://127.0.0.1:{ports['console']}",
        "SERAI_PREFECT_URL": f"http://127.0.0.1:{ports['prefect']}",
        "SERAI_RECEIVER_URL": f"http://127.0.0.1:{ports['receiver']}",
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api,
        # The UI is broken on another port than 4200 unless told where the API is.
        "PREFECT_UI_API_URL": api,
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(ports["prefect"]),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        # Without this, runs, logs and artifacts are kept for ever.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        # A run that waits for its turn is not late at once.
        "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "60",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_CLI_PROMPT": "false",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def running(
    project: Path,
    *,
    ports: Mapping[str, int] | None = None,
    env: Mapping[str, str] | None = None,
    say: Say = print,
) -> Iterator[Running]:
    """Starts everything for ``project``, saying so; inside the block it runs; afterwards no process is left.

    ``ports`` names ports that must be taken as they are (``prefect``, ``console``, ``receiver``); others are chosen.
    ``env`` is added to every part's environment (the addresses and secrets that channels.yaml refers to).
    Raises CannotStart when a part does not come up, or when this project already runs.
    """
    project = project.resolve()
    folder = project / ".serai"
    for needed in ("logs", "prefect"):
        (folder / needed).mkdir(parents=True, exist_ok=True)
    with _only_one(folder):
        chosen = choose_ports(ports or {})
        full_env = {**os.environ, **(env or {}), **environment(project, chosen)}
        urls = {name: f"http://127.0.0.1:{port}" for name, port in chosen.items()}
        house = _House(project=project, env=full_env, say=say)
        try:
            if full_env.get("SERAI_DEV") == "1":
                say(red("what is on disk runs, not a release: saving a file of this project changes what is written"))
            house.once("migrate", "deployments.cli", "migrate", "--project", str(project))
            say("starting Prefect's server (15 to 60 s the first time), the console and the receiver")
            house.start("server", "deployments.prefect_server", "server", "start")
            for name in ("console", "receiver"):
                house.start(name, f"deployments.{name}", "--project", str(project), "--port", str(chosen[name]))
            for name in ("console", "receiver"):
                house.wait(name, partial(_answers, f"{urls[name]}/health"), STARTS_WITHIN)
                say(f"{name:<9} {urls[name]}")
            # Notices move before Prefect is up: the drain needs only the registry.
            house.start("drain", "deployments.drain", "--project", str(project))
            # Platforms are told where notices go; one that is away or sends none does not hold up the rest.
            house.start("subscribe", "deployments.cli", "channel", "all", "subscribe", lasting=False)
            house.wait("server", partial(_answers, f"{urls['prefect']}/api/health"), PREFECT_STARTS_WITHIN)
            say(f"prefect   {urls['prefect']}")
            house.once("deploy", "deployments.deploy", "--project", str(project))
            house.start(
                "worker", "prefect", "worker", "start",
                "--pool", POOL, "--type", "process", "--limit", str(runs_at_once()),
            )  # fmt: skip
            say(f"worker    polls the work pool {POOL!r}; logs of all parts are in {folder / 'logs'}")
            here = Running(project=project, urls=urls, env=full_env)
            _note(folder, here)
            house.supervise_in_background()
            yield here
        finally:
            house.stop()
            (folder / "running.json").unlink(missing_ok=True)


def runs_at_once() -> int:
    """How many scheduled runs the worker has side by side: one per core, as each is a process of its own."""
    return max(FEWEST_AT_ONCE, os.cpu_count() or 1)


def red(sentence: str) -> str:
    """The sentence in red where somebody looks at a terminal, and as it is in a log."""
    return f"\x1b[1;31m{sentence}\x1b[0m" if sys.stdout.isatty() else sentence


def up(project: Path, *, ports: Mapping[str, int] | None = None, say: Say = print) -> None:
    """``serai up``: runs until Ctrl-C or SIGTERM, then stops every part."""
    with interruptible(), running(project, ports=ports, say=say):
        say("everything is up; Ctrl-C stops it all")
        while True:
            time.sleep(3600)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind like Ctrl-C, and Ctrl-C ends the block without a traceback.

    SIGINT is set as well: a shell that starts a program in the background has it ignored, and Python keeps it so.
    """

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def running_now(project: Path) -> dict[str, str]:
    """Addresses by name of what ``serai up`` runs for this project at the moment; empty when it does not run."""
    try:
        noted: dict[str, Any] = json.loads((project.resolve() / ".serai" / "running.json").read_text())
        os.kill(noted["pid"], 0)
    except (OSError, ValueError):
        return {}
    return dict(noted["urls"])


def choose_ports(fixed: Mapping[str, int]) -> dict[str, int]:
    """A port for everything that listens: the fixed one, else the preferred one, else a free one."""
    chosen: dict[str, int] = {}
    for name, preferred in PORTS.items():
        if name in fixed and fixed[name] != 0:
            if not _free(fixed[name]):
                raise CannotStart(
                    f"port {fixed[name]} for {name} is taken by another program; name another one, or 0 for a free one"
                )
            chosen[name] = fixed[name]
        else:
            chosen[name] = preferred if name not in fixed and _free(preferred) else _any_free(set(chosen.values()))
    return chosen


class _House:
    """The children of this process, in the order of their start."""

    def __init__(self, *, project: Path, env: Mapping[str, str], say: Say) -> None:
        self._logs = project / ".serai" / "logs"
        self._env = env
        self._say = say
        self._parts: dict[str, Part] = {}
        self._supervisor: Any = None
        self._stopping = False

    def start(self, name: str, module: str, *arguments: str, lasting: bool = True) -> None:
        part = Part(
            name=name,
            command=[sys.executable, "-m", module, *arguments],
            env=self._env,
            log=self._logs / f"{name}.log",
            lasting=lasting,
        )
        self._parts[name] = part
        part.start()

    def once(self, name: str, module: str, *arguments: str) -> None:
        """Runs a command to its end; raises CannotStart with the end of its output."""
        self.start(name, module, *arguments)
        part = self._parts.pop(name)
        process = part.process
        if process is None:
            raise AssertionError("start leaves a process")
        try:
            code = process.wait(timeout=PREFECT_STARTS_WITHIN)
        except subprocess.TimeoutExpired:
            _end([part])
            late = f"had not ended after {PREFECT_STARTS_WITHIN:.0f} s"
            raise CannotStart(f"{name} {late}; its log {part.log} ends:\n{part.last_lines(12)}") from None
        except BaseException:
            _end([part])
            raise
        if code != 0:
            raise CannotStart(f"{name} failed (exit code {code}); its log {part.log} ends:\n{part.last_lines(12)}")

    def wait(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Returns when the part is ready, saying every few seconds that it is not; raises CannotStart."""
        part = self._parts[name]
        began = time.monotonic()
        said = began
        while not ready():
            now = time.monotonic()
            if part.ended() or now - began > seconds:
                why = "ended" if part.ended() else f"was not ready after {seconds:.0f} s"
                raise CannotStart(f"{name} {why}; its log {part.log} ends:\n{part.last_lines(12)}")
            if now - said > 5:
                said = now
                self._say(f"  … {name} is starting ({now - began:.0f} s)")
            time.sleep(0.2)

    def supervise_in_background(self) -> None:
        import threading

        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._supervisor.start()

    def _supervise(self) -> None:
        """Starts again what ended by itself, after 1, 2, 4 … 30 s; a minute of health forgets earlier falls."""
        while not self._stopping:
            for part in self._parts.values():
                if not part.ended() or not part.lasting or self._stopping:
                    continue
                now = time.monotonic()
                if part.again_at < part.started_at:
                    if now - part.started_at > 60:
                        part.starts = 1
                    pause = min(LONGEST_PAUSE, 2.0 ** (part.starts - 1))
                    part.again_at = now + pause
                    self._say(f"{part.name} ended by itself; starting it again in {pause:.0f} s (log: {part.log})")
                elif now >= part.again_at:
                    part.start()
            time.sleep(0.25)

    def stop(self) -> None:
        """Ends what writes first, then what listens, Prefect's server last; afterwards none is left."""
        self._stopping = True
        if self._supervisor is not None:
            self._supervisor.join(timeout=5)
        for names in (("subscribe", "drain", "worker"), ("receiver", "console"), ("server",)):
            _end([self._parts[name] for name in names if name in self._parts])


def _end(parts: Sequence[Part]) -> None:
    """Asks the leashes of all to end their commands, and waits; a second Ctrl-C does not leave anybody behind."""
    alive = [part.process for part in parts if part.process is not None and part.process.poll() is None]
    for process in alive:
        process.terminate()
    for process in alive:
        while process.poll() is None:
            with suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
                process.wait(timeout=PATIENCE)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two of these on one project would be two Prefect servers on one SQLite file."""
    lock: IO[str]
    with (folder / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            urls = ", ".join(f"{name} {url}" for name, url in running_now(folder.parent).items())
            raise CannotStart(
                f"{folder.parent} is already running ({urls or 'still starting'}); stop that one with Ctrl-C first"
            ) from None
        yield


def _note(folder: Path, here: Running) -> None:
    draft = folder / "running.json.new"
    draft.write_text(json.dumps({"pid": os.getpid(), "urls": dict(here.urls)}))
    draft.replace(folder / "running.json")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _any_free(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port


def _answers(url: str) -> bool:
    """Whether a part says that it is well. A proxy of the environment is for the outside, not for this machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
