"""`serai` as a person types it: its exit code, what it says, and what it never says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployments.cli import main
from tests.prefect.places import CHANNELS, CODES, MAPPING, TOKEN, Depot, write_project


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a verb left behind: exit code and both outputs."""

    returncode: int
    stdout: str
    stderr: str


Serai = Callable[..., Said]


@pytest.fixture
def serai(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Serai:
    """Runs the console script's function in this process: a traceback there is an error here."""

    def run(*words: str, **env: str) -> Said:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["serai", *words, "--project", str(project)])
            for name, value in env.items():
                patched.setenv(name, value)
            capsys.readouterr()
            with pytest.raises(SystemExit) as end:
                main()
        out, err = capsys.readouterr()
        return Said(returncode=int(end.value.code or 0), stdout=out, stderr=err)

    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "depot")


@pytest.fixture(scope="module")
def depot() -> Iterator[Depot]:
    with Depot().serving() as depot:
        yield depot


@pytest.fixture
def known(depot: Depot) -> dict[str, str]:
    return {"DEPOT_URL": depot.url, "DEPOT_TOKEN": TOKEN}


@pytest.mark.parametrize(
    ("file", "text", "place", "words"),
    [
        ("channels.yaml", CHANNELS.replace("every:", "evry:"), "channels.yaml:7:", "did you mean 'every'"),
        ("channels.yaml", CHANNELS.replace("company: kz", "company: bg"), "channels.yaml:3:", "one of kz"),
        ("channels.yaml", CHANNELS + "depot: {}\n", "channels.yaml:8:", "depot"),
        ("authority.yaml", "locaton: {'*': [depot]}\n", "authority.yaml:1:", "location"),
        ("policies/stock.yaml", "shop: {locations: [a], share: 1}\n", "policies/stock.yaml:1:", "one of depot"),
        ("mappings/depot/places.yaml", MAPPING.replace("name: title", "name: titel"), "places.yaml:7:", "title"),
        ("mappings/depot/places.yaml", MAPPING.replace("name: title", "nam: title"), "places.yaml:7:", "name"),
    ],
)
def test_a_mistake_in_yaml_is_named_with_file_and_line(
    serai: Serai, project: Path, file: str, text: str, place: str, words: str
) -> None:
    """Whoever edits YAML is told where, what and what is allowed, by every verb, before anything runs."""
    (project / file).parent.mkdir(exist_ok=True)
    (project / file).write_text(text, encoding="utf-8")
    linted = serai("lint")
    assert linted.returncode == 1
    assert place in linted.stdout
    assert words in linted.stdout
    status = serai("status")
    assert status.returncode == 1
    assert place in status.stderr
    assert not (project / ".serai" / "registry.db").exists()


def test_lint_finds_the_mistakes_of_all_files_in_one_go(serai: Serai, project: Path) -> None:
    """An author mends everything at once instead of running lint once per mistake."""
    (project / "channels.yaml").write_text(CHANNELS.replace("every:", "evry:"), encoding="utf-8")
    (project / "authority.yaml").write_text("locaton: {'*': [depot]}\n", encoding="utf-8")
    found = json.loads(serai("lint", "--format", "json").stdout)
    assert {Path(error["file"]).name for error in found} == {"authority.yaml", "channels.yaml"}
    assert all(error["line"] >= 1 and error["allowed"] for error in found)


def test_a_folder_that_is_no_project_says_what_to_name(serai: Serai, project: Path) -> None:
    """The first thing that goes wrong for a new user has its remedy in the message."""
    (project / "channels.yaml").unlink()
    said = serai("status")
    assert said.returncode == 1
    assert "--project" in said.stderr


def test_a_failing_test_in_a_mapping_is_shown_with_its_place(serai: Serai, project: Path) -> None:
    """The exit code fails a build, the text says what came instead."""
    mapping = project / "mappings" / "depot" / "places.yaml"
    mapping.write_text(MAPPING.replace('expect: {location: {code: "007"', 'expect: {location: {code: "7"'))
    said = serai("test")
    assert said.returncode == 1
    assert "mappings/depot/places.yaml:11: a code stays text" in said.stdout
    assert 'expected  "7"\n    got       "007"' in said.stdout
    assert "mappings/depot/places.yaml:6: code" in said.stdout, "the row that set it"
    mapping.write_text(MAPPING)
    assert serai("test").returncode == 0


def test_a_pull_by_hand_balances_and_the_second_changes_nothing(serai: Serai, known: dict[str, str]) -> None:
    """Without any Prefect the work can be done by hand, and its account adds up (P1, P4)."""
    first, second = (json.loads(serai("pull", "depot", "--json", **known).stdout) for _ in range(2))
    assert [ledger["counts"] for ledger in first] == [{"location": {"created": len(CODES)}}]
    assert [ledger["counts"] for ledger in second] == [{"location": {"unchanged": len(CODES)}}]
    assert all(ledger["balanced"] for ledger in first + second)


def test_a_missing_secret_names_the_variable(serai: Serai, known: dict[str, str]) -> None:
    """The person who deploys reads which variable to set, and no secret (P13)."""
    said = serai("pull", "depot", **{**known, "DEPOT_TOKEN": ""})
    assert said.returncode == 1
    assert "DEPOT_TOKEN" in said.stderr


def test_a_refused_token_names_the_channel_and_never_the_token(serai: Serai, known: dict[str, str]) -> None:
    """A secret in a terminal ends up in a ticket (P13)."""
    said = serai("pull", "depot", **{**known, "DEPOT_TOKEN": "wrong-token-2718"})
    assert said.returncode == 1
    assert "depot" in said.stderr
    assert "wrong-token-2718" not in said.stdout + said.stderr


def test_an_unreachable_system_is_a_sentence_and_loses_nothing(serai: Serai, known: dict[str, str]) -> None:
    """The cursor stands where it was: once the system is back, the same call reads everything (P15)."""
    away = {**known, "DEPOT_URL": "http://127.0.0.1:9"}
    said = serai("pull", "depot", **away)
    assert said.returncode == 1
    assert "depot" in said.stderr
    back = json.loads(serai("pull", "depot", "--json", **known).stdout)
    assert back[0]["counts"] == {"location": {"created": len(CODES)}}


def test_a_page_of_garbage_is_refused_whole(serai: Serai, depot: Depot, known: dict[str, str]) -> None:
    """A missing list is never an empty page, or a catalogue would look deleted (P6, P10)."""
    try:
        for garbage in ({"error": "maintenance"}, [1, 2, 3], "<html>"):
            depot.garbage = garbage
            said = serai("pull", "depot", **known)
            assert said.returncode == 1, garbage
            assert "depot" in said.stderr
    finally:
        depot.garbage = None
    back = json.loads(serai("pull", "depot", "--json", **known).stdout)
    assert back[0]["counts"] == {"location": {"created": len(CODES)}}


def test_a_mode_needs_a_reason_and_the_audit_keeps_it(serai: Serai, project: Path) -> None:
    """Months later the audit answers who switched a channel on, and why."""
    refused = serai("channel", "depot", "location", "shadow")
    assert refused.returncode == 1
    assert "--because" in refused.stderr
    done = serai("channel", "depot", "location", "shadow", "--because", "stocktaking", SERAI_USER="aigerim")
    assert done.stdout.strip() == "depot location: on → shadow"
    (row,) = json.loads(serai("channel", "depot", "--json").stdout)
    assert row["mode"] == "shadow"
    from flows.wiring import opened
    from registry import audit_rows

    with opened(project) as house, house.registry.read() as tx:
        (entry,) = audit_rows(tx)
    assert (entry.who, entry.because, entry.before, entry.after) == ("aigerim", "stocktaking", "on", "shadow")


def test_the_command_in_a_process_of_its_own_ends_with_its_exit_code(project: Path) -> None:
    """A shell script sees success and failure, and a person one line instead of a traceback."""
    command = [sys.executable, "-m", "deployments.cli", "status", "--project"]
    right = subprocess.run([*command, str(project)], capture_output=True, text=True, check=False)
    wrong = subprocess.run([*command, str(project / "policies")], capture_output=True, text=True, check=False)
    assert (right.returncode, wrong.returncode) == (0, 1)
    assert len(wrong.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (("channel", "shop"), "depot"),
        (("channel", "depot", "price", "on", "--because", "x"), "location"),
        (("channel", "depot", "location", "maybe", "--because", "x"), "off, shadow, canary, on"),
        (("pull", "shop"), "depot"),
        (("match", "bind", "depot", "1", "no-such-record"), "serai match"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(serai: Serai, words: tuple[str, ...], allowed: str) -> None:
    """Nobody has to look up what a channel, an entity or a mode is called."""
    said = serai(*words)
    assert said.returncode == 1
    assert allowed in said.stderr


def test_without_a_prefect_server_deploy_says_what_to_set(project: Path) -> None:
    """In a process of its own: this one may have a server that other tests started."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SERAI_"))}
    command = [sys.executable, "-m", "deployments.cli", "deploy", "--project", str(project)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=env)
    assert said.returncode == 1
    assert "PREFECT_API_URL" in said.stderr


def test_a_pressed_red_button_shows_in_the_status(serai: Serai) -> None:
    """Whoever looks at a quiet channel sees why it is quiet."""
    assert serai("channel", "depot", "pause").returncode == 0
    (row,) = json.loads(serai("status", "--json").stdout)
    assert "writes paused" in row["modes"]
    assert serai("channel", "depot", "resume", "--because", "checked").returncode == 0
    (row,) = json.loads(serai("status", "--json").stdout)
    assert "paused" not in row["modes"]
