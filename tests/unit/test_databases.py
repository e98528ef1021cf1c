"""The databases that tests run on leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import lives
from tests.retailer import until

RUN = """
from pathlib import Path
from sqlalchemy import make_url
from tests.databases import fresh_postgres
with fresh_postgres(migrated=False) as url:
    data = make_url(url).query["host"]
    print(Path(data, "postmaster.pid").read_text().split()[0], data, flush=True)
    input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", ["ended", "killed"])
def test_no_postgresql_server_outlives_the_test_run_that_started_it(how: str) -> None:
    """Nothing has to be cleaned up by hand, also after a run that was interrupted."""
    env = {name: value for name, value in os.environ.items() if name != "SERAI_TEST_POSTGRES"}
    command = [sys.executable, "-c", RUN]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert run.stdin is not None
    assert run.stdout is not None
    pid, _, folder = run.stdout.readline().strip().partition(" ")
    assert lives(int(pid))
    if how == "killed":
        run.send_signal(signal.SIGKILL)
    run.stdin.close()
    run.stdout.close()
    run.wait(60)
    until(lambda: not lives(int(pid)) and not Path(folder).parent.exists(), 60)
