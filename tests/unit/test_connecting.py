"""Access that a person grants on a platform's own page: a real authorization server, a real browser's way back."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import pytest
import requests

from connectors.errors import ConnectorError, Misconfigured
from deployments.consent import Asked, Door, ask, take
from flows.checking import check
from flows.settings import load_project
from flows.wiring import House, opened
from mappings.language import LintErrors
from tests.contract.harness import Call, Reply, Simulator
from tests.prefect.places import CHANNELS, PLATFORM, write_project
from tests.retailer import environment

SECRETS = {"DEPOT_ID": "client-17", "DEPOT_SECRET": "s3cret-of-the-app"}
AUTH = """\
auth: {scheme: oauth2, grant: authorization_code, authorize_url: /consent, token_url: /token, scope: read write,
       credentials: body}
scopes: {places: read write}
"""


class Platform(Simulator):
    """A platform that asks people: codes are good once, refresh tokens too, access tokens until they are ended."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, str] = {}
        self.refresh = self.access = "none yet"
        self.count = 0
        self.scope = "read write"
        self.refuses = False

    def is_work(self, call: Call) -> bool:
        return call.path == "/places"

    def handle(self, call: Call) -> Reply:
        if call.path == "/consent":
            return self.consent(call)
        if call.path == "/token":
            return self.token({name: values[0] for name, values in parse_qs(call.body.decode()).items()})
        if call.headers.get("authorization") != f"Bearer {self.access}":
            return Reply(status=401, body={"error": "invalid_token"})
        return Reply(body={"items": [{"code": "007", "title": "Depot"}], "next_cursor": None})

    def consent(self, call: Call) -> Reply:
        """The page; this person agrees at once, or does not."""
        asked = call.query
        if self.refuses:
            back = {"error": "access_denied", "state": asked["state"]}
        else:
            self.count += 1
            self.codes[f"code-{self.count}"] = asked["code_challenge"]
            back = {"code": f"code-{self.count}", "state": asked["state"]}
        return Reply(status=302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    def token(self, form: dict[str, str]) -> Reply:
        if (form.get("client_id"), form.get("client_secret")) != ("client-17", "s3cret-of-the-app"):
            return Reply(status=401, body={"error": "invalid_client"})
        if form["grant_type"] == "authorization_code":
            proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
            good = self.codes.pop(form["code"], None) == proof.decode()
        else:
            good = form["refresh_token"] == self.refresh
        if not good:
            return Reply(status=400, body={"error": "invalid_grant"})
        self.count += 1
        self.access, self.refresh = f"access-{self.count}", f"refresh-{self.count}"
        return Reply(body={
            "access_token": self.access, "refresh_token": self.refresh, "expires_in": 3600, "scope": self.scope,
        })  # fmt: skip


@pytest.fixture
def platform() -> Iterator[Platform]:
    found = Platform()
    with found.running():
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = write_project(tmp_path / "depot")
    secrets = "secrets: {client_id: env:DEPOT_ID, client_secret: env:DEPOT_SECRET}"
    (folder / "channels.yaml").write_text(CHANNELS.replace("secrets: {token: env:DEPOT_TOKEN}", secrets))
    lines = PLATFORM.split("\n", 1)[1].replace("check: GET /ping\n", "")
    (folder / "platforms" / "depot.yaml").write_text(AUTH + lines)
    return folder


@pytest.fixture
def house(platform: Platform, project: Path) -> Iterator[House]:
    with environment({"DEPOT_URL": platform.url, **SECRETS}), opened(project) as found:
        yield found


def consented(house: House) -> tuple[Asked, str]:
    """A person opens the page; what was asked, and the address that the browser ended on."""
    door = Door()
    asked = ask(house, "depot", door.address)
    visits = threading.Timer(0.05, lambda: requests.get(asked.page, timeout=10))
    visits.start()
    answer = door.wait(20)
    visits.join()
    assert answer is not None
    return asked, answer


def test_a_person_connects_a_channel_from_the_command_line_and_it_works_at_once(
    platform: Platform, project: Path
) -> None:
    """P13: the page is printed, the answer taken on loopback, and no token or code appears anywhere in plain."""
    env = {**os.environ, "DEPOT_URL": platform.url, **SECRETS}
    words = [sys.executable, "-m", "deployments.cli", "connect", "depot", "--print", "--project", str(project)]
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(2)]
        assert "consent" in first[0]
        assert requests.get(first[1].strip(), timeout=10).status_code == 200
        said = "".join(first) + process.stdout.read()
    assert process.returncode == 0, said
    assert "1 document on the first page" in said
    assert "depot: depot, verified against: nothing on record" in said
    assert "granted: read, write" not in said  # nothing is written to this channel, so its right is not asked after
    kept = b"".join(path.read_bytes() for path in (project / ".serai").rglob("*") if path.is_file())
    for token in (platform.access, platform.refresh, "code-1", "s3cret-of-the-app"):
        assert token not in said
        assert token.encode() not in kept


def test_a_grant_that_does_not_exist_is_named_when_the_project_is_read(project: Path) -> None:
    """A word typed wrong is no other way of getting a token."""
    described = project / "platforms" / "depot.yaml"
    described.write_text(described.read_text().replace("authorization_code", "autorization_code"))
    with pytest.raises(LintErrors, match=r"autorization_code.*allowed: client_credentials, refresh_token"):
        load_project(project)


def test_a_token_is_renewed_and_its_refresh_token_with_it(platform: Platform, house: House) -> None:
    """A platform that gives a new refresh token each time is followed through any number of renewals."""
    asked, answer = consented(house)
    take(house, "depot", asked, answer, "ops")
    for _ in range(3):
        platform.access = "ended by the platform"
        assert [one.works for one in check(house, "depot")] == [True, True]
    assert platform.refresh == "refresh-5"


def test_two_workers_that_renew_at_once_both_go_on(platform: Platform, house: House, project: Path) -> None:
    """P2: the second worker's refresh token is used up; what the first one stored is as good for it."""
    asked, answer = consented(house)
    take(house, "depot", asked, answer, "ops")
    with opened(project) as other:
        mine, theirs = house.connector("depot"), other.connector("depot")
        version, stale = theirs.ports.tokens.load()  # type: ignore[attr-defined]
        platform.access = "ended by the platform"
        mine.check()
        tokens = theirs.ports.tokens  # type: ignore[attr-defined]
        fresh, seen = tokens.load, []

        def load() -> tuple[int, object]:  # the second worker looked before the first had stored
            seen.append(1)
            return (version, stale) if len(seen) == 1 else fresh()

        tokens.load = load
        theirs.check()
    assert platform.refresh == "refresh-3"


@pytest.mark.parametrize("answer", ["/consented?code=code-1&state=forged", "/consented?code=code-1", "/consented?"])
def test_an_answer_to_another_question_stores_nothing(platform: Platform, house: House, answer: str) -> None:
    """P13: any page may send a browser to the door; only who holds the state is answered."""
    asked = ask(house, "depot", "http://127.0.0.1:1/consented")
    with pytest.raises(Misconfigured, match="no answer to what was just asked"):
        take(house, "depot", asked, answer, "ops")
    with pytest.raises(ConnectorError, match="serai connect"):
        house.connector("depot").check()


def test_a_person_who_refuses_is_taken_at_their_word(platform: Platform, house: House) -> None:
    """Nothing is stored, and the message says what the platform said."""
    platform.refuses = True
    asked, answer = consented(house)
    with pytest.raises(Misconfigured, match=r"nobody consented.*access_denied"):
        take(house, "depot", asked, answer, "ops")
    assert [(one.what, one.works) for one in check(house, "depot")] == [("the account", False)]


def test_a_right_that_was_not_granted_is_named_before_anything_is_written(platform: Platform, house: House) -> None:
    """`serai check` reads what it may read and says what is missing for the rest."""
    platform.scope = "read"
    asked, answer = consented(house)
    take(house, "depot", asked, answer, "ops")
    found = {one.what: one for one in check(house, "depot")}
    assert found["places: read"].works is True
    assert found["places: rights"].works is False
    assert "scope write is missing" in found["places: rights"].detail


def test_check_says_in_json_and_by_its_exit_code_that_nobody_consented_yet(platform: Platform, project: Path) -> None:
    """Exit code 1, and the sentence says which command mends it."""
    env = {**os.environ, "DEPOT_URL": platform.url, **SECRETS}
    words = [sys.executable, "-m", "deployments.cli", "check", "--json", "--project", str(project)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (row,) = json.loads(done.stdout)
    assert (row["channel"], row["state"]) == ("depot", "missing")
    assert "serai connect" in row["detail"]
