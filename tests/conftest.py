"""What holds for every test: no setting of whoever runs them leaks in, above all no address of a real registry."""

from __future__ import annotations

import os

from hypothesis import settings

KEPT = ("SERAI_TEST_", "SERAI_CACHE", "SERAI_POSTGRES_BIN")

for name in list(os.environ):
    if name.startswith(("SERAI_", "PREFECT_")) and not name.startswith(KEPT):
        del os.environ[name]
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"

# A shared machine is slow at times; what a property may take is bounded by pytest-timeout.
settings.register_profile("serai", deadline=None, print_blob=True)
settings.load_profile("serai")
