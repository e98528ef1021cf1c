"""One `serai up` for all tests of this folder: a real Prefect server, worker, drain, console and receiver."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from deployments.leash import descendants
from tests.prefect.places import TOKEN, Depot, write_project
from tests.processes import gone

STARTS_WITHIN = 200
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Up:
    """A running house: its project, its system, its parent process, the addresses, the environment for `serai`."""

    project: Path
    depot: Depot
    process: subprocess.Popen[str]
    urls: dict[str, str]
    env: dict[str, str]
    output: Path

    def serai(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Runs a verb as a user would, in a process of its own."""
        command = [sys.executable, "-m", "deployments.cli", *words]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Started once, and ended the hard way: after SIGKILL of the parent not one of its processes may be left.

    It ends with the last test of the folder: an idle Prefect takes a tenth of a core.
    """
    folder = tmp_path_factory.mktemp("house")
    project = write_project(folder / "depot")
    output = folder / "output"
    with Depot().serving() as depot:
        env = {**os.environ, "DEPOT_URL": depot.url, "DEPOT_TOKEN": TOKEN, "SERAI_PROJECT": str(project)}
        with output.open("w") as out:
            process = start_up(env, out)
        try:
            wait_for_line(process, output, "everything is up", STARTS_WITHIN)
            urls = json.loads((project / ".serai" / "running.json").read_text())["urls"]
            api = f"{urls['prefect']}/api"
            from prefect.settings import PREFECT_API_URL, temporary_settings

            os.environ["PREFECT_API_URL"] = api  # for what reads the environment; the settings were read at import
            with temporary_settings({PREFECT_API_URL: api}):
                yield Up(project=project, depot=depot, process=process, urls=urls, env=env, output=output)
        finally:
            os.environ.pop("PREFECT_API_URL", None)
            family = descendants(process.pid)
            process.kill()
            process.wait(timeout=10)
            gone(family)


def start_up(env: dict[str, str], out: TextIO) -> subprocess.Popen[str]:
    """`serai up` on free ports; it is killed when the test run is."""
    command = [sys.executable, "-m", "deployments.cli", "up"]
    for name in ("prefect", "console", "receiver"):
        command += [f"--{name}-port", "0"]
    libc = ctypes.CDLL(None)
    return subprocess.Popen(
        command, env=env, stdout=out, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )  # fmt: skip


def wait_for_line(process: subprocess.Popen[str], output: Path, line: str, seconds: float) -> None:
    """Returns when the output holds the line; fails with the output when the process ended or time is up."""
    deadline = time.monotonic() + seconds
    while line not in output.read_text():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.2)


def with_words(root: int, words: str, where: str = "cmdline") -> list[int]:
    """The processes below ``root`` whose command line (or environment) holds the words."""
    found = []
    for pid in descendants(root):
        try:
            text = Path(f"/proc/{pid}/{where}").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in text:
            found.append(pid)
    return found
