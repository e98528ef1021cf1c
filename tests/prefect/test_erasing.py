"""A person is forgotten in Prefect's own database, while its server runs: names, parameters, artifacts, logs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from flows.erasing import erase, phone_forms
from flows.wiring import opened
from registry import BindingRow, RecordRow, encode, new_uids, put_bindings, put_records
from tests.prefect.conftest import Up
from tests.retailer import environment, until

NAME, MAIL, PHONE = "Зарина Қуанышева", "zarina.q@example.kz", "+77015550199"
SECRETS = [text.encode() for text in (NAME, NAME.upper(), MAIL, MAIL.upper(), *phone_forms(PHONE))]
TRIES = 10
ESCAPED = NAME.encode("unicode_escape")


def said(up: Up) -> set[str]:
    """``table.column`` wherever one of the texts stands, in every cell of every table; and files that hold one."""
    found = set()
    for path in (up.project / ".serai" / "prefect").rglob("*.db*"):
        if path.suffix == ".db":
            found |= set(cells(path))
        if any(secret in path.read_bytes() for secret in (*SECRETS, ESCAPED)):
            found.add(path.name)
    return found


def cells(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path, timeout=30)) as conn:
        tables = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in conn.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    raw = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else b""
                    if any(secret in raw for secret in (*SECRETS, ESCAPED)):
                        yield table


def tell_prefect(up: Up) -> str:
    """A flow run, artifacts and logs that speak of the person; the run's id."""
    def post(path: str, body: Any) -> Any:
        for _ in range(TRIES):
            answer = requests.post(f"{up.urls['prefect']}/api{path}", json=body, timeout=30)
            if answer.status_code != 503:   # somebody else writes: Prefect's own clients ask again too
                break
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    flow = post("/flows/", {"name": f"called {PHONE}"})
    run = post("/flow_runs/", {
        "flow_id": flow["id"], "name": f"pull orders of {NAME}", "parameters": {"who": MAIL, "names": [NAME]},
        "tags": [f"mail:{MAIL}"], "state": {"type": "COMPLETED", "message": f"{MAIL.upper()} was told"}})
    for key in (f"of-{PHONE[1:]}", f"of-{PHONE[2:]}"):
        post("/artifacts/", {"key": key, "type": "markdown", "data": f"# {NAME}", "description": f"about {MAIL}",
                             "flow_run_id": run["id"]})
    post("/logs/", [{"name": "serai", "level": 20, "message": f"{NAME} <{MAIL}> 8 (701) 555 0199",
                     "timestamp": datetime.now(UTC).isoformat(), "flow_run_id": run["id"]}])
    return str(run["id"])


def test_nothing_of_a_person_is_left_in_the_database_of_prefect(up: Up) -> None:
    """P13: whatever a run, its artifacts and its logs said; the server goes on, and the run is still there."""
    run = tell_prefect(up)
    places = {"flow", "flow_run", "flow_run_state", "artifact", "artifact_collection", "log", "events"}
    until(lambda: places <= said(up), 60)
    (uid,) = new_uids(1)
    values = {"name": NAME, "email": MAIL, "phone": PHONE}
    with environment({name: up.env[name] for name in ("DEPOT_URL", "DEPOT_TOKEN")}), opened(up.project) as house:
        channel = next(iter(house.project.channels))

        def known(tx: Any) -> None:
            put_records(tx, [RecordRow(uid=uid, entity="customer", values=encode(values))])
            put_bindings(tx, [BindingRow(channel=channel, entity="customer", external_id="77", uid=uid, state="live",
                                         values=encode(values))])

        house.registry.attempt(known)
        proof = erase(house, uid, who="Aigerim", because="asked")
    assert proof.clean, proof.left
    assert proof.removed["prefect"] >= 6
    assert said(up) == set()
    answer = requests.get(f"{up.urls['prefect']}/api/flow_runs/{run}", timeout=30)
    assert answer.json()["name"] == "pull orders of …"
