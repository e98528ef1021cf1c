"""``python -m deployments.sandbox`` starts everything by itself and ends cleanly."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import deployments
from deployments.sandbox.start import DESIGNS


def test_the_command_tells_how_to_speak_to_the_systems_and_leaves_full_books(tmp_path: Path) -> None:
    """It prints what channels.yaml refers to, listens on this machine only, stops on a signal; its books are whole."""
    started = subprocess.Popen(
        [sys.executable, "-m", "deployments.sandbox", "--port", "0", "--folder", str(tmp_path)],
        cwd=Path(deployments.__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        lines = [started.stdout.readline().strip() for _ in range(15)]
        told = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        address = urlsplit(told["SERAI_ERP_URL"])
        assert address.hostname == "127.0.0.1"
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=10)
        connection.request("GET", "/erp/ping", headers={"Authorization": f"Bearer {told['SERAI_ERP_TOKEN']}"})
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{design.name}.jsonl" for design in DESIGNS}
    assert all(path.read_text(encoding="utf-8").endswith("}\n") for path in tmp_path.iterdir())
