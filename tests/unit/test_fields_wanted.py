"""A platform that can be asked for some fields only is asked for those the mappings read, and for nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flows import steps
from flows.wiring import opened
from tests.prefect.places import PLATFORM, TOKEN, write_project

PLACES = [{"code": f"{number:03}", "title": f"№ {number}", "manager": {"phone": "+7 701"}} for number in range(3)]


@pytest.fixture
def asked() -> list[dict[str, list[str]]]:
    """The query of each request for places."""
    return []


@pytest.fixture
def url(asked: list[dict[str, list[str]]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            asked.append(query)
            docs: list[dict[str, Any]] = PLACES
            if "only" in query:
                names = query["only"][0].split(",")
                docs = [{name: doc[name] for name in names if name in doc} for doc in PLACES]
            text = json.dumps({"items": docs, "next_cursor": None}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize("select", [True, False])
def test_only_the_fields_that_a_mapping_reads_are_asked_for(
    tmp_path: Path, url: str, asked: list[dict[str, list[str]]], monkeypatch: pytest.MonkeyPatch, select: bool
) -> None:
    """Less to carry and less personal data to keep; a platform that cannot choose is asked as ever (P13)."""
    folder = write_project(tmp_path / "depot")
    if select:
        row = PLATFORM.replace("id: code,", "id: code, updated: null, select: only,")
        (folder / "platforms" / "depot.yaml").write_text(row, encoding="utf-8")
    monkeypatch.setenv("DEPOT_URL", url)
    monkeypatch.setenv("DEPOT_TOKEN", TOKEN)
    with opened(folder) as house:
        ledger = steps.pull(house, "depot", "places")
        assert ledger.row()["counts"] == {"location": {"created": 3}}
    assert {tuple(query.get("only", ())) for query in asked} == {("code,title",) if select else ()}
