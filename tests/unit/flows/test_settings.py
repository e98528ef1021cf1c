"""A retailer's YAML: each mistake is found before anything runs, with file, line and remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import Misconfigured
from flows.ports import EnvironmentSecrets
from flows.routes import load_mappings
from flows.settings import load_project
from mappings.language import LintError, LintErrors, load_yaml
from tests.projects import RETAIL

FILES = ("companies.yaml", "channels.yaml", "authority.yaml", "policies/stock.yaml")
Edit = Callable[[str, str, str], None]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The sandbox retailer's settings, to be spoilt."""
    for name in (*FILES, "platforms", "mappings"):
        source, target = RETAIL / name, tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return tmp_path


@pytest.fixture
def edit(project: Path) -> Edit:
    """Replaces one text of a file by another; the text must be there."""

    def change(file: str, old: str, new: str) -> None:
        text = (project / file).read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}"
        (project / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def mistakes(project: Path, environment: str | None = None) -> list[LintError]:
    """What is wrong with the settings; nothing when they can be used."""
    try:
        load_project(project, environment=environment)
    except LintErrors as found:
        return list(found.errors)
    return []


def errors(project: Path, environment: str | None = None) -> list[LintError]:
    found = mistakes(project, environment)
    assert found, "nothing was said"
    return found


def line_of(project: Path, file: str, text: str) -> int:
    lines = (project / file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "allowed"),
    [
        ("companies.yaml", "currency: KZT", "curency: KZT", "unknown-key", "did you mean 'currency'"),
        ("companies.yaml", "currency: KZT", "currency: tenge", "currency", "KZT"),
        ("companies.yaml", "name: Karavan Home", "name: 7", "type", "in quotes"),
        ("companies.yaml", "country: KZ", "country: Kazakhstan", "country", "ISO 3166"),
        ("companies.yaml", "tax: 0.16", "tax: 16", "tax", "0.16 for 16 %"),
        ("companies.yaml", "tax: 0.16", "tax: true", "tax", "0.16 for 16 %"),
        ("companies.yaml", "zone: Asia/Almaty", "zone: Almaty", "zone", "Asia/Almaty"),
        ("companies.yaml", "price_list: retail, ", "", "missing-key", "price_list"),
        ("channels.yaml", "platform: sandbox_crm", "plattform: sandbox_crm", "unknown-key", "did you mean 'platform'"),
        ("channels.yaml", "platform: sandbox_crm", "platform: sandbox_crn", "unknown-platform", "medusa"),
        ("channels.yaml", "platform: sandbox_crm", "platform: 1", "type", "in quotes"),
        ("channels.yaml", "platform: sandbox_crm", "platform: generic_rest", "unknown-platform", "platforms/"),
        ("channels.yaml", "company: kz", "company: ge", "unknown-company", "one of bg, kz"),
        ("channels.yaml", "company: kz", "company: [kz]", "type", "text"),
        ("channels.yaml", "every: 5m", "every: 5", "duration", "30s, 5m or 1h"),
        ("channels.yaml", "every: 5m", "every: 5m\n  timeout: soon", "timeout", "seconds"),
        ("channels.yaml", "every: 5m", "every: 5m\n  timeout: 0", "timeout", "above 0"),
        ("channels.yaml", "every: 5m", "every: 5m\n  on_delete: burn", "on-delete", "archive"),
        ("channels.yaml", "{customer: shadow, order", "{custmer: shadow, order", "unknown-key", "'customer'"),
        ("channels.yaml", "{customer: shadow, order", "{customer: maybe, order", "mode", "off, shadow, canary, on"),
        ("channels.yaml", "receives: [variant, price, order]", "receives: [variant, product]", "receives",
         "one of location"),
        ("channels.yaml", "receives: [variant, price, order]", "receives: variant", "type", "[first, second]"),
        ("channels.yaml", "receives: [variant, price, order]", "receives: [[variant]]", "type", "[first, second]"),
        ("channels.yaml", "settings: {orders_from", "settings: [orders_from", "yaml", ""),
        ("channels.yaml", "secrets: {token: env:SERAI_CRM_TOKEN", "secrets: {token: 5", "type", "env:NAME"),
        ("authority.yaml", "location: ", "locaton: ", "unknown-entity", "location"),
        ("authority.yaml", "{'*': [erp-kz, erp-bg]}", "{'*': [erp]}", "unknown-channel", "erp-kz"),
        ("authority.yaml", "{'*': [erp-kz, erp-bg]}", "{'*': erp-kz}", "authority", "newest, origin, or a list"),
        ("authority.yaml", "{'*': [erp-kz, erp-bg]}", "{name: [erp-kz]}", "authority", "'*'"),
        ("authority.yaml", "given_name:", "given_nam:", "unknown-key", "did you mean 'given_name'"),
        ("policies/stock.yaml", "share: 0.6", "shares: 0.6", "unknown-key", "did you mean 'share'"),
        ("policies/stock.yaml", "share: 0.6", "share: 1.6", "share", "0 to 1"),
        ("policies/stock.yaml", "share: 0.6", "share: true", "share", "0 to 1"),
        ("policies/stock.yaml", "safety: 0", "safety: -1", "safety", "whole units"),
        ("policies/stock.yaml", "safety: 0", "safety: true", "safety", "whole units"),
        ("policies/stock.yaml", "[almaty-wh]", "almaty-wh", "type", "[first, second]"),
        ("policies/stock.yaml", "shop-kz:", "shop-ge:", "unknown-channel", "shop-kz"),
        ("policies/stock.yaml", "figure: on_hand", "figure: on_hands", "figure", "available_before_own_open_orders"),
        ("policies/stock.yaml", "restocks: source", "restocks: nobody", "restocks", "one of source, serai"),
        ("policies/stock.yaml", "figure: on_hand, restocks: source", "figure: on_hand", "missing-key", "restocks"),
        ("policies/stock.yaml", "fresh: 15m", "fresh: 15", "duration", "30s, 5m, 2h or 1d"),
        ("policies/stock.yaml", "dead_after: 8", "dead_after: 0", "dead-after", "from 1 on"),
        ("policies/stock.yaml", "dead: keep", "dead: hide", "dead", "minus_expected_sales"),
        ("policies/stock.yaml", "pos-kz: {posts", "till: {posts", "unknown-channel", "pos-kz"),
        ("policies/stock.yaml", "posts_to_erp: per_receipt", "posts_to_erp: daily", "posts-to-erp", "per_shift"),
        ("platforms/sandbox_crm.yaml", "check: GET /ping", "chek: GET /ping", "description", "`check`"),
        ("platforms/sandbox_crm.yaml", "page_size: 20", "page_sise: 20", "description", "`page_size`"),
        ("platforms/sandbox_crm.yaml", "paging: page,", "paging: pages,", "description", "`page`"),
        ("platforms/sandbox_crm.yaml", "page_size: 20", "page_size: many", "description", "int"),
    ],
)
def test_a_mistake_is_found_at_its_line_with_what_is_allowed(
    project: Path, edit: Edit, file: str, old: str, new: str, code: str, allowed: str
) -> None:
    """Whoever edits YAML reads where, what and what is allowed, before anything runs (P12)."""
    load_project(project)
    edit(file, old, new)
    found = [error for error in errors(project) if error.file == file]
    assert found, f"nothing was said of {new!r}"
    one = next((error for error in found if error.code == code), found[0])
    assert code in (one.code, "yaml")
    assert allowed in f"{one.what}; {one.allowed}"
    if code not in ("missing-key", "yaml"):
        assert one.line == line_of(project, file, new.splitlines()[-1])
    assert str(one).startswith(f"{file}:{one.line}:{one.column}: ")


SMALL = {
    "companies.yaml": "kz: {name: K, country: KZ, currency: KZT, tax: '0.16', price_list: retail, zone: UTC}\n",
    "channels.yaml": """\
a: {platform: medusa, company: kz, url: env:A_URL, secrets: {token: env:A}, entities: {product: on, stock: on},
  receives: [product, stock], every: 5m, settings: {x: y}, timeout: '5', on_delete: archive}
b: {platform: tryton, company: kz, url: env:B_URL, entities: {product: on}}
""",
    "authority.yaml": "product: {'*': [a, b], name: newest}\norder: {'*': origin}\n",
    "policies/stock.yaml": "a: {locations: [w, v], share: '0.6', safety: '0'}\n",
}
KINDS: tuple[Any, ...] = ("text", "", 7, True, None, ["x", ["y"]], {"x": {"y": 1}})


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key and list item of a document."""
    found = [path] if path else []
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, child in children:
        found += places(child, (*path, key))
    return found


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


@pytest.mark.parametrize("file", SMALL)
def test_whatever_stands_in_a_file_the_answer_is_a_project_or_a_list_of_mistakes(tmp_path: Path, file: str) -> None:
    """A value of the wrong kind anywhere is a mistake with a place, never a traceback (P12)."""
    (tmp_path / "policies").mkdir()
    for name, text in SMALL.items():
        (tmp_path / name).write_text(text.replace("'", "") if "*" not in text else text, encoding="utf-8")
    load_project(tmp_path)
    original = load_yaml((tmp_path / file).read_text(encoding="utf-8"), file)[0]
    refused = []
    for place in places(original):
        for value in KINDS:
            changed = deepcopy(original)
            at(changed, place[:-1])[place[-1]] = value
            (tmp_path / file).write_text(json.dumps(changed, default=float), encoding="utf-8")
            said = mistakes(tmp_path)
            assert all(error.line >= 1 and error.what and error.allowed for error in said), said
            if said:
                refused.append((place, value))
    settled = {place for place in places(original) if (place, {"x": {"y": 1}}) not in refused}
    assert settled <= {("a", "secrets"), ("a", "settings"), ("a", "settings", "x")}, settled


@pytest.mark.parametrize(("policy", "text", "line", "allowed"), [
    ("customers", "loyalty: {authority: [a]}\n", 1, "one of a, b"),
    ("customers", "erasure:\n  keep: {order: 7}\n", 2, "[first, second]"),
    ("customers", "erasure:\n  keep: {'*': null}\n", 2, "order or return"),
    ("fulfilment", "calendars: {kz: {hours: [{days: [[mon]], from: '09:00', to: '18:00'}]}}\n", 1, "mon, tue"),
    ("fulfilment", "routing: {r: {places: [w], by: [{x: y}]}}\n", 1, "priority, distance, stock"),
    ("fulfilment", "channels: {a: {routing: {pickup: [r]}}}\nrouting: {r: {places: [w]}}\n", 1, "one of r"),
    ("prices", "a:\n  list_company: [kz]\n", 2, "text for 'list_company'"),
    ("stock", "a: {locations: [w], preset: [hard]}\n", 1, "one of"),
])
def test_a_list_where_a_policy_takes_a_name_is_a_mistake_with_a_place(
    tmp_path: Path, policy: str, text: str, line: int, allowed: str
) -> None:
    """A list or a number where a name belongs is told with file, line and what is allowed, no traceback (P12)."""
    (tmp_path / "policies").mkdir()
    for name, settings in SMALL.items():
        (tmp_path / name).write_text(settings.replace("'", "") if "*" not in settings else settings, encoding="utf-8")
    (tmp_path / "policies" / f"{policy}.yaml").write_text(text, encoding="utf-8")
    said = [error for error in mistakes(tmp_path) if error.file == f"policies/{policy}.yaml"]
    assert said
    assert said[0].line == line
    assert allowed in said[0].allowed


def test_a_number_that_is_wrong_is_shown_as_it_was_typed(project: Path, edit: Edit) -> None:
    """An author reads 1.5 again, as it stands in the file, not how the program holds it."""
    edit("authority.yaml", "{'*': [erp-kz, erp-bg]}", "{'*': [1.5]}")
    edit("companies.yaml", "tax: 0.16", "tax: 16.50")
    said = [error.what for error in errors(project)]
    assert {"found [1.5]", "found 16.50"} <= set(said)


def test_mistakes_of_all_files_are_told_at_once(project: Path, edit: Edit) -> None:
    """An author mends everything in one go, also beside a file that is no YAML at all."""
    edit("companies.yaml", "tax: 0.16", "tax: 16")
    edit("authority.yaml", "location: ", "locaton: ")
    edit("policies/stock.yaml", "shop-kz: {", "shop-kz: {{")
    assert {error.file for error in errors(project)} >= {"companies.yaml", "authority.yaml", "policies/stock.yaml"}


def test_a_file_that_is_not_utf8_is_named(project: Path) -> None:
    """A file saved by an old editor is a sentence, not a traceback."""
    (project / "authority.yaml").write_bytes("product: {'*': [erp-kz]} # Алматы".encode("cp1251"))
    (error,) = [error for error in errors(project) if error.file == "authority.yaml"]
    assert "UTF-8" in error.what + error.allowed


def test_shares_of_a_location_that_add_up_to_more_than_all_of_it_are_refused(project: Path, edit: Edit) -> None:
    """Two channels can never be promised the same unit (P8)."""
    edit("policies/stock.yaml", "share: 0.4", "share: 0.4001")
    (error,) = errors(project)
    assert (error.code, error.line) == ("shares", line_of(project, "policies/stock.yaml", "shop-kz:"))
    assert "1.0001" in error.what
    assert "at most 1" in error.allowed
    edit("policies/stock.yaml", "share: 0.4001", "share: 0.4")
    allotted = load_project(project).stock
    assert allotted["shop-kz"].share + allotted["market-kz"].share == Decimal(1)


def test_a_channel_that_receives_stock_without_an_allotment_is_refused(project: Path, edit: Edit) -> None:
    """Without a policy the channel would show zero of everything and sell nothing (P8)."""
    text = (project / "policies/stock.yaml").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("market-kz:"))
    (project / "policies/stock.yaml").write_text(kept + "\n", encoding="utf-8")
    (error,) = errors(project)
    assert (error.file, error.code) == ("channels.yaml", "no-policy")
    assert error.line == line_of(project, "channels.yaml", "receives: [stock, price, shipment, decision]")
    assert "policies/stock.yaml" in error.allowed
    assert "market-kz" in error.allowed
    (project / "policies/stock.yaml").unlink()
    found = [(error.code, error.what.split()[0]) for error in errors(project)]
    assert {name for code, name in found if code == "no-policy"} >= {"market-kz", "shop-kz"}
    assert [name for code, name in found if code == "no-source"] == ["erp-kz", "erp-bg"]


def test_a_source_of_stock_that_does_not_say_what_its_figure_means_is_refused(project: Path, edit: Edit) -> None:
    """Whether an order is in it when it is confirmed or when its goods have gone cannot be guessed (P8)."""
    edit("policies/stock.yaml", "  erp-kz: {figure: on_hand", "  crm-kz: {figure: on_hand")
    (error,) = errors(project)
    assert (error.file, error.code) == ("channels.yaml", "no-source")
    assert error.line == line_of(project, "channels.yaml", "entities: {location: on")
    assert "sources: {erp-kz: {figure: on_hand, restocks: source}}" in error.allowed


def test_an_environment_replaces_whole_rows_and_only_those(project: Path) -> None:
    """Production differs from staging by what its file says; the other channels stay as they are."""
    (project / "channels.staging.yaml").write_text(
        "crm-kz: {platform: sandbox_crm, company: kz, url: 'http://127.0.0.1:9/crm', entities: {customer: off}}\n",
        encoding="utf-8",
    )
    plain, staging = load_project(project), load_project(project, environment="staging")
    assert plain.channels["crm-kz"].receives == ("customer", "order", "loyalty_event")
    assert staging.channels["crm-kz"].receives == ()
    assert staging.channels["crm-kz"].entities == {"customer": "off"}
    assert {name: row for name, row in staging.channels.items() if name != "crm-kz"} == {
        name: row for name, row in plain.channels.items() if name != "crm-kz"
    }


def test_a_mistake_in_an_environments_file_is_named_there(project: Path) -> None:
    """Nobody looks for staging's mistake in production's file."""
    (project / "channels.staging.yaml").write_text("crm-kz: {platform: sandbox_crm}\n", encoding="utf-8")
    load_project(project)
    assert {error.file for error in errors(project, "staging")} == {"channels.staging.yaml"}


def test_the_environment_is_named_by_a_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same image runs everywhere; SERAI_ENV says where it is."""
    (project / "channels.staging.yaml").write_text("crm-kz: {}\n", encoding="utf-8")
    monkeypatch.setenv("SERAI_ENV", "staging")
    with pytest.raises(LintErrors):
        load_project(project)


def test_a_secret_is_looked_up_when_it_is_used_and_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings can be read without any secret; whoever deploys reads which variable to set (P13)."""
    secrets = EnvironmentSecrets(channel="crm-kz", references={"token": "env:SERAI_TEST_CRM_TOKEN"})
    with pytest.raises(Misconfigured, match=r"crm-kz.*SERAI_TEST_CRM_TOKEN is not set"):
        secrets.get("token")
    monkeypatch.setenv("SERAI_TEST_CRM_TOKEN", "")
    with pytest.raises(Misconfigured, match="SERAI_TEST_CRM_TOKEN"):
        secrets.get("token")
    monkeypatch.setenv("SERAI_TEST_CRM_TOKEN", "s3cret")
    assert secrets.get("token") == "s3cret"
    with pytest.raises(Misconfigured, match=r"needs the secret 'hook_secret'.*hook_secret: env:NAME") as missing:
        secrets.get("hook_secret")
    assert "s3cret" not in str(missing.value)


def test_settings_hold_references_and_never_secrets(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that is printed or logged shows no secret (P13)."""
    monkeypatch.setenv("SERAI_ERP_TOKEN", "planted-9d1c")
    assert "planted-9d1c" not in repr(load_project(project))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("extends: sandbox_erp/products", "extend: sandbox_erp/products", "extend"),
        ("extends: sandbox_erp/products", "extends: sandbox_erp/produkts", "produkts"),
    ],
)
def test_a_mistake_in_the_retailers_own_mapping_is_named_by_its_file(
    project: Path, edit: Edit, old: str, new: str, says: str
) -> None:
    """An override is the retailer's own file, and so is its mistake."""
    file = "mappings/sandbox_erp/products.yaml"
    edit(file, old, new)
    with pytest.raises(LintErrors) as found:
        load_mappings(load_project(project))
    first = found.value.errors[0]
    assert first.file.endswith(file)
    assert first.line == line_of(project, file, new)
    assert says in first.what
