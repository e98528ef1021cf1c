"""The console's page of customers that may be one person: both are shown, one word decides, and the audit keeps it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from deployments.console.app import create_app
from flows import steps
from flows.wiring import House
from registry import audit_rows, likenesses, records_where, to_review
from tests.databases import sqlite_url  # noqa: F401 (fixture)
from tests.retailer import served
from tests.unit.flows.mailing import mailing

POLICY = "match: {merge: 1, review: 0.6, rules: [{same: [email], score: 1}, {same: [phone], score: 0.7}]}\n"


def tell(house: House, id: str, name: str) -> None:
    doc: dict[str, Any] = {
        "id": id, "name": name, "email": f"{id}@example.kz", "email_kind": None, "phone": "+77011234567",
        "consents": [],
    }
    steps.accept(house, "forms", "people", [doc], asked_at=house.registry.now())


@pytest.fixture
def page(tmp_path: Path, sqlite_url: str) -> Iterator[tuple[House, str]]:  # noqa: F811 (the fixture)
    """A house with one pair to review, and the console's address."""
    with mailing(tmp_path / "project", sqlite_url, POLICY) as (house, _):
        for id, name in (("1", "Kim <Li>"), ("2", "Anna Li")):
            tell(house, id, name)
        with served(create_app(house)) as url:
            yield house, url


def decide(url: str, link: str, **more: str) -> requests.Response:
    asked = requests.get(url + link, timeout=10).text
    found = dict(re.findall(r'name="(token|seen)" value="([^"]*)"', asked))
    return requests.post(url + link, data={**found, "who": "Aigerim", "because": "sisters", **more}, timeout=10,
                         headers={"Origin": url}, allow_redirects=False)


@pytest.mark.parametrize(("word", "people", "state"), [("accept", 1, "merged"), ("separate", 2, "separate")])
def test_a_steward_sees_both_and_decides_once(page: tuple[House, str], word: str, people: int, state: str) -> None:
    house, url = page
    listed = requests.get(f"{url}/review", timeout=10).text
    (link,) = re.findall(r'href="(/review/[0-9a-f]+/[0-9a-f]+)"', listed)
    both = requests.get(url + link, timeout=10).text
    assert "Kim &lt;Li&gt;" in both
    assert "+77011234567" in both
    assert "the same" in both
    assert decide(url, f"{link}/{word}", seen="another").status_code == 409
    assert decide(url, f"{link}/{word}", because="").status_code == 422
    with house.registry.read() as tx:
        assert len(to_review(tx)) == 1
    assert decide(url, f"{link}/{word}").status_code == 303
    with house.registry.read() as tx:
        assert to_review(tx) == []
        found = records_where(tx, "customer")
        (row,) = likenesses(tx, [found[0].uid])
        (noted, *_) = audit_rows(tx)
    assert (len(found), row.state, row.who, row.reason) == (people, state, "Aigerim", "sisters")
    assert (noted.who, noted.because) == ("Aigerim", "sisters")
    assert "Nobody waits" in requests.get(f"{url}/review", timeout=10).text
    assert requests.get(url + link, timeout=10).status_code == 404
