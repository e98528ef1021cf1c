"""What a person is told of an article, and of figures that cannot be taken as they stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from tests.databases import registry_url, sqlite_url  # noqa: F401 (fixtures)
from tests.unit.flows.stockroom import Stockroom, stockroom

PARTS = [{"item": "cup", "n": "4"}, {"item": "pot", "n": "1"}]


@pytest.fixture
def room(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stockroom]:  # noqa: F811
    items = ({"code": "cup"}, {"code": "pot"}, {"code": "set", "parts": PARTS})
    with stockroom(tmp_path, sqlite_url, monkeypatch, items=items) as found:
        found.figure("cup", 12, quarantined="2", inbound=[{"key": "PO1", "n": "20", "on": "2027-01-15"}])
        found.figure("cup", -3, place="st")
        found.figure("cup", 40, place="fba")
        found.order("1001", {"set": 1})
        yield found


def serai(room: Stockroom, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--project", str(room.house.project.folder)])
    assert done.exit_code == 0, done.output
    return done.stdout


def told(room: Stockroom, *words: str) -> Any:
    return json.loads(serai(room, *words, "--json"))


def test_an_article_says_what_each_place_holds_what_is_free_and_who_has_the_rest(room: Stockroom) -> None:
    """P11: 12 less 2 quarantined, 3 missing at the store, 4 in the set that was sold: three cups."""
    said = told(room, "stock", "show", "cup", "--on", "2027-01-15")
    assert (said["free"], said["free_by_place"]) == ("3", {"wh": "3", "st": "0"})
    assert [(row["place"], row["figure"], row["held_by"]) for row in said["places"]] == [
        ("fba", "40 on_hand", "channel"), ("st", "-3 on_hand", "us"), ("wh", "12 on_hand", "us"),
    ]
    (promised,) = said["promised"]
    assert (promised["order"], promised["units"], promised["place"], promised["state"]) == ("1001", "4", "wh", "open")
    assert said["by_day"] == {"2027-01-15": "23"}
    assert any(note.startswith("cup at st: -3 each on_hand") for note in said["notes"])


def test_a_bundle_says_its_parts_and_how_many_can_be_put_together(room: Stockroom) -> None:
    said = serai(room, "stock", "show", "set")
    assert "set set: 0 each free" in said
    assert "put together of 4 × cup, 1 × pot" in said
    assert "0.25" not in said


def test_faults_are_listed_with_what_counts_instead(room: Stockroom) -> None:
    (fault,) = told(room, "stock", "faults")
    assert "it counts 0 there, and 3 are taken off the pool" in fault
    room.figure("cup", 3, place="st")
    assert "every figure can be taken as it stands" in serai(room, "stock", "faults")


def test_an_unknown_article_is_a_sentence(room: Stockroom) -> None:
    done = CliRunner().invoke(app, ["stock", "show", "mug", "--project", str(room.house.project.folder)])
    assert done.exit_code != 0
    assert "mug" in f"{done.output}{done.exception}"
