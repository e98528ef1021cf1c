"""What holds for every test: no setting of whoever runs them leaks in, above all no address of a real registry.

What surprises here: on several workers the tests of a file stay together, so that a Chromium or a Prefect server is
started once; those of ``BY_THEMSELVES`` are long, share nothing and go to whichever worker is free.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import pytest
from hypothesis import settings

KEPT = ("SERAI_TEST_", "SERAI_CACHE", "SERAI_POSTGRES_BIN", "SERAI_SPECS")
BY_THEMSELVES = (
    "tests/scenario/test_crashes.py", "tests/scenario/test_histories.py", "tests/scenario/test_escrow.py",
    "tests/scenario/test_meetings.py::test_two_", "tests/prefect/test_prefect_runs.py::test_ctrl_c_",
)
TOGETHER = "tests/prefect/"
"""One house for all tests of this folder."""

for name in list(os.environ):
    if name.startswith(("SERAI_", "PREFECT_")) and not name.startswith(KEPT):
        del os.environ[name]
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
# Each worker and every process that a test starts would compile the whole project anew: 8 s of a worker's first 12.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shared machine is slow at times; what a property may take is bounded by pytest-timeout.
settings.register_profile("serai", deadline=None, print_blob=True)
settings.load_profile("serai")


def pytest_collection_finish() -> None:
    """What was imported and collected lives to the end; to look at it again at each collection is 5 % of all work."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deals out files in their order: what takes longest (browser, Prefect, scenarios) comes before the unit tests."""
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(BY_THEMSELVES):
                return nodeid
            return TOGETHER if nodeid.startswith(TOGETHER) else nodeid.partition("::")[0]

    return ByFile(config, log)
