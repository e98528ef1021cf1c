"""The console over real HTTP and a real registry: it says what a switch will do, does just that, and for us alone."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from deployments.console.__main__ import main
from deployments.console.app import create_app
from deployments.console.guard import host_name
from deployments.console.times import ago
from deployments.drain import Drain
from deployments.loopback import is_loopback
from flows import steps
from registry import (
    AuditRow,
    ParkedRow,
    RunRow,
    audit_rows,
    consented,
    mark_due,
    modes,
    new_uids,
    outbox_counts,
    park,
    parked,
    paused,
    put_run,
    records_where,
    set_mode,
)
from tests.retailer import Retailer, running, served, until

PREFECT = "http://127.0.0.1:4200"
WHO = {"who": "Aigerim", "because": "stocktaking until noon"}


@pytest.fixture
def retailer(tmp_path: Path) -> Iterator[Retailer]:
    with running(tmp_path / "karavan") as found:
        yield found


@pytest.fixture
def url(retailer: Retailer) -> Iterator[str]:
    with served(create_app(retailer.house, prefect=PREFECT)) as address:
        yield address


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retailer]:
    """For tests after which nothing may have changed."""
    with running(tmp_path_factory.mktemp("calm")) as found:
        yield found
        assert audit(found) == []


@pytest.fixture(scope="module")
def calm_url(calm: Retailer) -> Iterator[str]:
    with served(create_app(calm.house, prefect=PREFECT)) as address:
        yield address


def get(url: str, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{url}{path}", headers=headers, timeout=10)


def page(url: str, path: str) -> str:
    """The page's text, its markup taken away."""
    answer = get(url, path)
    assert answer.status_code == 200, answer.text
    return text_of(answer.text)


def text_of(markup: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup)))


def form(url: str, path: str) -> dict[str, str]:
    """The hidden fields of the question at ``path``."""
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', get(url, path).text)
    }


def press(url: str, path: str, fields: dict[str, str], **headers: str) -> requests.Response:
    return requests.post(f"{url}{path}", data=fields, headers=headers, timeout=20, allow_redirects=False)


def audit(retailer: Retailer) -> list[AuditRow]:
    with retailer.house.registry.read() as tx:
        return audit_rows(tx)


def mode_of(retailer: Retailer, channel: str, entity: str) -> str:
    with retailer.house.registry.read() as tx:
        return modes(tx)[channel, entity]


def test_one_entity_is_switched_and_the_audit_says_who_and_why(retailer: Retailer, url: str) -> None:
    """A toggle asks, acts, and writes the audit."""
    fields = form(url, "/channels/shop-kz/mode?entity=product&mode=off")
    answer = press(url, "/channels/shop-kz/mode", fields | WHO)
    assert answer.status_code == 303
    assert mode_of(retailer, "shop-kz", "product") == "off"
    assert mode_of(retailer, "shop-kz", "variant") == "on"
    [row] = audit(retailer)
    assert (row.who, row.what, row.because) == ("Aigerim", "mode of product on shop-kz", "stocktaking until noon")
    assert (row.before, row.after) == ("on", "off")
    shown = page(url, "/audit")
    assert all(word in shown for word in ("Aigerim", "mode of product on shop-kz", "stocktaking until noon"))


def test_a_whole_channel_is_switched_and_only_what_changed_is_audited(retailer: Retailer, url: str) -> None:
    """One row per entity that moved."""
    with retailer.house.registry.write() as tx:
        set_mode(tx, "shop-kz", "product", "off", "Engineer", "before")
    fields = form(url, "/channels/shop-kz/mode?entity=&mode=off")
    press(url, "/channels/shop-kz/mode", fields | WHO)
    assert [row.what for row in audit(retailer)] == ["mode of variant on shop-kz", "mode of product on shop-kz"]
    assert {mode_of(retailer, "shop-kz", entity) for entity in ("product", "variant")} == {"off"}


def test_the_question_names_what_will_happen(retailer: Retailer, url: str) -> None:
    """Admins know what a toggle will do before they press it: due writes, parked records, orders."""
    with retailer.house.registry.write() as tx:
        mark_due(tx, [("shop-kz", "product", uid, None, False, None) for uid in new_uids(3)])
        park(tx, [ParkedRow(channel="shop-kz", entity="product", direction="inward", external_id="7", message="no")])
    off = page(url, "/channels/shop-kz/mode?entity=&mode=off")
    assert "In the outbox, kept until it is on again: 3 to write." in off
    assert "1 parked record stays parked until replayed." in off
    assert "customers there may see old figures" in off
    assert "Orders placed" not in off
    assert "Orders placed on erp-kz are not taken in" in page(url, "/channels/erp-kz/mode?entity=&mode=off")
    with retailer.house.registry.write() as tx:
        set_mode(tx, "shop-kz", "product", "off", "Engineer", "before")
    on = page(url, "/channels/shop-kz/mode?entity=product&mode=on")
    assert "3 writes are due; those of product wait until shop-kz was read." in on
    assert "serai pull shop-kz reads it now" in on
    assert "Now: off." in on
    with retailer.house.registry.write() as tx:
        set_mode(tx, "shop-kz", "product", "on", "Engineer", "before")
    steps.pull(retailer.house, "shop-kz", "products")
    with retailer.house.registry.write() as tx:
        set_mode(tx, "shop-kz", "product", "off", "Engineer", "before")
    assert "3 writes are due and go out at once" in page(url, "/channels/shop-kz/mode?entity=product&mode=on")
    pause = page(url, "/channels/shop-kz/pause?paused=1")
    assert "No write to shop-kz begins later than 2 seconds from now." in pause
    assert "3 writes are due now and will wait" in pause


def test_a_card_leads_to_what_waits_for_a_reference(retailer: Retailer, url: str) -> None:
    """A record that nobody bound yet stands on the card as in `serai status`, though nothing is parked."""
    with retailer.house.registry.write() as tx:
        park(tx, [ParkedRow(channel="shop-kz", entity="variant", direction="inward", external_id="7", kind="waiting",
                            message="no product is known for this reference")])  # fmt: skip
    assert "Parked none Waiting 1 for a reference" in page(url, "/channels/shop-kz")
    assert "Waiting" not in page(url, "/channels/pos-kz")


def test_asking_switches_nothing(calm: Retailer, calm_url: str) -> None:
    """A GET never acts."""
    for mode in ("off", "shadow", "on"):
        assert get(calm_url, f"/channels/shop-kz/mode?entity=&mode={mode}").status_code == 200
    assert get(calm_url, "/channels/shop-kz/pause?paused=1").status_code == 200
    assert audit(calm) == []


def test_two_admins_at_once_do_not_overrule_each_other_unseen(retailer: Retailer, url: str) -> None:
    """What the first saw is no longer so: nothing is switched, and the question says what is true now."""
    fields = form(url, "/channels/shop-kz/mode?entity=product&mode=off")
    with retailer.house.registry.write() as tx:
        set_mode(tx, "shop-kz", "product", "shadow", "Bolat", "looking")
    answer = press(url, "/channels/shop-kz/mode", fields | WHO)
    assert answer.status_code == 409
    assert "Somebody switched meanwhile. Now: shadow." in text_of(answer.text)
    assert 'value="Aigerim"' in answer.text
    assert mode_of(retailer, "shop-kz", "product") == "shadow"
    assert len(audit(retailer)) == 1


@pytest.mark.parametrize("missing", ["who", "because"])
def test_no_switch_without_a_name_and_a_reason(calm: Retailer, calm_url: str, missing: str) -> None:
    """The audit keeps both."""
    fields = form(calm_url, "/channels/shop-kz/mode?entity=product&mode=off") | WHO | {missing: "   "}
    answer = press(calm_url, "/channels/shop-kz/mode", fields)
    assert answer.status_code == 422
    assert audit(calm) == []


def test_the_red_button_pauses_and_resumes(retailer: Retailer, url: str) -> None:
    """It is separate from the modes; pressing it needs no reason, letting go does."""
    press(url, "/channels/pos-kz/pause", form(url, "/channels/pos-kz/pause?paused=1") | {"who": "Aigerim"})
    with retailer.house.registry.read() as tx:
        assert paused(tx) == {"pos-kz"}
    assert "writes paused" in page(url, "/channels/pos-kz")
    resume = form(url, "/channels/pos-kz/pause?paused=0")
    assert press(url, "/channels/pos-kz/pause", resume | {"who": "Aigerim"}).status_code == 422
    press(url, "/channels/pos-kz/pause", resume | WHO)
    with retailer.house.registry.read() as tx:
        assert paused(tx) == set()
    assert [(row.before, row.after) for row in audit(retailer)] == [("paused", "writing"), ("writing", "paused")]


def test_consent_to_create_is_asked_where_it_is_missing_and_lets_waiting_writes_go(
    retailer: Retailer, url: str
) -> None:
    """First contact creates nothing without consent."""
    retailer.add_product("K-1")
    steps.sync_all(retailer.house)
    assert retailer.shop_titles() == {}
    path = "/channels/shop-kz/mode?entity=product&mode=on"
    assert "Also allow Serai to create product on shop-kz" in page(url, path)
    press(url, "/channels/shop-kz/mode", form(url, path) | WHO | {"consent": "yes"})
    with retailer.house.registry.read() as tx:
        assert consented(tx) == {("shop-kz", "product")}
    steps.push_all(retailer.house)
    assert retailer.shop_titles() == {"K-1": "Чайник «Алатау»"}
    assert "Also allow" not in page(url, path)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
def test_another_sites_page_cannot_switch(calm: Retailer, calm_url: str, headers: dict[str, str]) -> None:
    """Forged requests and DNS rebinding are refused, even with the right token."""
    fields = form(calm_url, "/channels/shop-kz/mode?entity=product&mode=off") | WHO
    assert press(calm_url, "/channels/shop-kz/mode", fields, **headers).status_code in (403, 421)
    assert audit(calm) == []


@pytest.mark.parametrize("token", ["", "guessed", None])
def test_a_post_without_the_pages_token_does_nothing(calm: Retailer, calm_url: str, token: str | None) -> None:
    """CSRF"""
    fields = form(calm_url, "/channels/shop-kz/mode?entity=product&mode=off") | WHO
    del fields["token"]
    answer = press(calm_url, "/channels/shop-kz/mode", fields | ({} if token is None else {"token": token}))
    assert answer.status_code == 403
    assert "reload it and press again" in text_of(answer.text)
    assert press(calm_url, "/parked/replay", {"uid": "x", "token": token or ""}).status_code == 403
    assert audit(calm) == []


def test_a_strangers_name_for_this_machine_reads_nothing(calm_url: str) -> None:
    """DNS rebinding"""
    for host in ("evil.example", "evil.example:4280", "localhost.evil.example", "0.0.0.0", "", "[::ffff:10.0.0.1]"):
        answer = get(calm_url, "/", Host=host)
        assert answer.status_code in (400, 421), host
        assert "shop-kz" not in answer.text
    for host in ("localhost:9999", "127.0.0.1", "[::1]:4280"):
        assert get(calm_url, "/", Host=host).status_code == 200


def test_a_large_form_is_refused_unread(calm_url: str) -> None:
    """Bad input"""
    assert press(calm_url, "/channels/shop-kz/mode", {"because": "x" * 100_000}).status_code == 413


@pytest.mark.parametrize(
    "path",
    ["/channels/no-such", "/channels/shop-kz/mode?entity=stock&mode=on", "/channels/shop-kz/mode?entity=&mode=canary",
     "/channels/no-such/pause?paused=1"],
)  # fmt: skip
def test_what_does_not_exist_is_404_and_says_what_there_is(calm_url: str, path: str) -> None:
    """Errors name what was found and what is allowed."""
    answer = get(calm_url, path)
    assert answer.status_code == 404
    assert re.search("channels.yaml has|it carries|allowed:", text_of(answer.text))


@pytest.mark.parametrize(
    ("path", "status"),
    [("/no-such-page", 404), ("/channels/shop-kz/mode", 422), (f"/stock?sku={'x' * 300}", 422)]
)
def test_a_mistyped_address_is_answered_with_a_page_that_leads_back(calm_url: str, path: str, status: int) -> None:
    """Who types an address wrongly reads a sentence in the console, not a line for programs."""
    answer = get(calm_url, path)
    assert answer.status_code == status
    assert "Back to the channels" in text_of(answer.text)


def test_parked_records_show_their_remedy_and_go_on_when_replayed(retailer: Retailer, url: str) -> None:
    """P6: both directions, by the button."""
    retailer.add_product("K-0")
    steps.sync_all(retailer.house)
    retailer.add_product("K-1")
    with retailer.house.registry.write() as tx:
        uid = records_where(tx, "product", "", 1)[0].uid
        tx_rows = [
            ParkedRow(
                channel="erp-kz", entity="product", direction="inward", external_id="K-1", resource="products",
                message="state: 'Z' is not in the table", file="mappings/sandbox_erp/products.yaml", line=9,
                remedy="add the row, then `serai replay`", path="$.state", value_masked="Z",
            ),
            ParkedRow(
                channel="shop-kz", entity="product", direction="outward", record_uid=uid, message="title <script>",
            ),
        ]  # fmt: skip
        park(tx, tx_rows)
    shown = get(url, "/parked").text
    assert "mappings/sandbox_erp/products.yaml:9" in shown
    assert "add the row, then <code>serai replay</code>" in shown
    assert "<script>" not in shown.replace("<script src=", "").replace("title &lt;script&gt;", "")
    assert "product K-1" not in page(url, "/parked?channel=shop-kz")
    fields = {"token": form(url, "/parked")["token"], "channel": ""}
    with retailer.house.registry.read() as tx:
        uids = [row.uid for row in parked(tx)]
    answer = requests.post(f"{url}/parked/replay", data=[*fields.items(), *(("uid", uid) for uid in uids)], timeout=20)
    assert "2 of 2 went on, 0 still parked." in text_of(answer.text)
    assert "Nothing is parked" in text_of(answer.text)
    with retailer.house.registry.read() as tx:
        assert parked(tx) == []
        assert outbox_counts(tx)["shop-kz", "product", "due"] == 2


def test_a_replay_against_a_system_that_is_away_says_so(retailer: Retailer, url: str) -> None:
    """Errors name the channel and the remedy; the item stays."""
    with retailer.house.registry.write() as tx:
        park(tx, [ParkedRow(channel="erp-kz", entity="product", direction="inward", external_id="K-1",
                            resource="products", message="no")])  # fmt: skip
        [row] = parked(tx)
    retailer.fault("erp", "throttle", next=5, seconds=7)
    answer = requests.post(
        f"{url}/parked/replay", data={"token": form(url, "/parked")["token"], "uid": row.uid}, timeout=20
    )
    assert "0 of 1 went on, 1 still parked." in text_of(answer.text)
    assert "erp-kz" in text_of(answer.text)


def test_the_runs_page_shows_ledgers_and_turns_red_when_one_does_not_balance(retailer: Retailer, url: str) -> None:
    """P1, P3: with a link to the run's page in Prefect where it ran there."""
    retailer.add_product("K-1")
    steps.pull(retailer.house, "erp-kz", "products")
    now = retailer.house.registry.now()
    with retailer.house.registry.write() as tx:
        put_run(tx, RunRow(run=new_uids(1)[0], channel="pos-kz", what="articles", direction="inward", read=12,
                           counts={"variant": {"created": 11}}, balanced=False, started_at=now, ended_at=now,
                           prefect_run_id="0b6d1f34-3a1c-4e55-9d37-0242ac120002"))  # fmt: skip
    shown = page(url, "/runs")
    assert "products from erp-kz" in shown
    assert "1 created" in shown
    assert "balanced" in shown
    assert "does not balance" in shown
    assert f"{PREFECT}/runs/flow-run/0b6d1f34-3a1c-4e55-9d37-0242ac120002" in get(url, "/runs").text
    assert "does not balance" not in page(url, "/runs?channel=erp-kz")
    assert "red" in page(url, "/channels/pos-kz")


def test_the_card_shows_freshness_outbox_and_what_waits(retailer: Retailer, url: str) -> None:
    """A card per channel."""
    assert "Last read never" in page(url, "/channels/erp-kz")
    retailer.add_product("K-1")
    steps.pull_all(retailer.house)
    shown = page(url, "/channels/erp-kz")
    assert "Last read just now" in shown
    assert "Outbox empty" in shown
    assert "Outbox 1 to write" in page(url, "/channels/shop-kz")
    assert all(name in page(url, "/") for name in ("erp-kz", "shop-kz", "pos-kz"))


def test_an_unchanged_page_is_not_sent_again(retailer: Retailer, url: str) -> None:
    """Polling costs a 204; a switch by anybody else arrives with the next poll."""
    seen = re.search(r"/cards\?seen=(\w+)", get(url, "/").text)
    assert seen is not None
    assert get(url, f"/cards?seen={seen[1]}").status_code == 204
    with retailer.house.registry.write() as tx:
        set_mode(tx, "shop-kz", "product", "shadow", "Bolat", "looking")
    answer = get(url, f"/cards?seen={seen[1]}")
    assert answer.status_code == 200
    assert "mixed" in text_of(answer.text)


def test_a_drain_that_gives_no_sign_of_life_is_said_on_top(retailer: Retailer, url: str) -> None:
    """Status"""
    assert "Nothing is being delivered right now" in page(url, "/")
    drain = Drain(retailer.house, lambda _: None)
    thread = threading.Thread(target=drain.run, daemon=True)
    thread.start()
    try:
        until(lambda: "Nothing is being delivered" not in page(url, "/"))
    finally:
        drain.stop()
        thread.join(10)


def test_names_and_reasons_are_shown_as_text(retailer: Retailer, url: str) -> None:
    """No markup of a person gets into the page."""
    fields = form(url, "/channels/shop-kz/mode?entity=product&mode=off")
    press(url, "/channels/shop-kz/mode", fields | {"who": "<b>Bo</b>lat", "because": "<img src=x onerror=alert(1)>"})
    shown = get(url, "/audit").text
    assert "&lt;b&gt;Bo&lt;/b&gt;lat" in shown
    assert "<img" not in shown


def test_every_page_loads_from_here_only(calm_url: str) -> None:
    """No CDN, no fonts from elsewhere; the browser is told to allow nothing else."""
    for path in ("/", "/parked", "/runs", "/audit", "/channels/shop-kz/mode?entity=&mode=off"):
        answer = get(calm_url, path)
        assert set(re.findall(r'(?:src|href)="(https?://[^"]+)"', answer.text)) <= {PREFECT}
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        for name in re.findall(r'"(/static/[^"]+)"', answer.text):
            assert get(calm_url, name).status_code == 200


def test_the_program_refuses_another_address_than_loopback(calm: Retailer, capsys: pytest.CaptureFixture[str]) -> None:
    """Until accounts exist; on loopback it starts and stops in order."""
    command = [sys.executable, "-m", "deployments.console", "--project", str(calm.folder)]
    for host in ("0.0.0.0", "192.168.1.10", "example.org", "::"):
        assert main(["--project", str(calm.folder), "--host", host]) == 2
        assert f"refuses to listen on '{host}'" in capsys.readouterr().err
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "shop-kz" in page(process.stdout.readline().split()[1], "/")
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_only_this_machine_is_loopback() -> None:
    """Names other than localhost may mean anything tomorrow."""
    assert all(is_loopback(host) for host in ("localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("", "0.0.0.0", "10.0.0.1", "localhost.evil.example", "::", "1"))
    assert [host_name(text) for text in ("a:1", "[::1]:2", "b", "", "[::1]")] == ["a", "::1", "b", "", "::1"]


def test_ages_read_as_people_say_them(calm: Retailer) -> None:
    """Freshness at a glance."""
    from datetime import timedelta

    now = calm.house.registry.now()
    gaps = {3: "just now", 25: "20 s ago", 150: "2 min ago", 7_300: "2 h ago", 90_000: "1 day ago", -120: "in 2 min"}
    assert {seconds: ago(now - timedelta(seconds=seconds), now) for seconds in gaps} == gaps
