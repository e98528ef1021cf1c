"""`serai new`: what starts from a skeleton works at once, says what is left to do, and overwrites nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments.authoring.inferring import of_samples
from deployments.cli import main
from deployments.sandbox.start import Sandbox, start_sandbox
from mappings.language import load_yaml

ROOT = Path(__file__).parents[2]
Serai = Callable[..., tuple[int, str, str]]
SPECS = Path(os.environ.get("SERAI_SPECS", Path(__file__).parents[3] / "shared" / "specs"))
ORDERS = {
    "orders": [
        {
            "id": 1001, "order_number": "A-7", "created_at": "2026-03-01T10:00:00+06:00", "state": "PAID",
            "financial_status": "paid", "currency": "KZT", "total_price": "1250.50",
            "customer": {"id": 5, "name": "Ким", "email": "kim@example.kz", "phone": None},
            "line_items": [
                {"id": 1, "sku": "007", "title": "Kettle", "quantity": 2, "unit_price": "500.25", "total": "1000.50"}
            ],
        },
        {
            "id": 1002, "order_number": "A-8", "created_at": "2026-03-01T10:00:00+06:00", "state": "SHIPPED",
            "financial_status": "pending", "currency": "KZT", "total_price": "0.00", "customer": None, "line_items": [],
        },
    ]
}


@pytest.fixture
def serai(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Serai:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SERAI_PROJECT", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["serai", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert "SERAI_PROJECT" not in os.environ
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture
def project(serai: Serai, tmp_path: Path) -> Path:
    assert serai("new", "project", "shop")[0] == 0
    return tmp_path / "shop"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    found = start_sandbox()
    yield found
    found.stop()


def test_a_new_project_lints_and_its_tests_pass_wherever_it_lies(serai: Serai, project: Path) -> None:
    """The first thing a new user makes is green, outside the checkout, with the option before the verb or behind it."""
    code, out, _ = serai("--project", "shop", "lint")
    assert (code, out.splitlines()[-1].endswith(" 0 mistakes")) == (0, True), out
    assert serai("lint", "shop")[0] == 0
    code, out, _ = serai("--project", "shop", "test")
    assert code == 0, out
    assert " 0 failed" in out
    assert serai("test", "shop")[1] == "2 tests in 1 file, 0 failed\n"


def test_a_new_project_looks_at_the_simulated_systems(
    serai: Serai, project: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its README's promise: with the printed addresses, survey and try work on real channels."""
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    code, out, err = serai("--project", "shop", "survey", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["unreachable"] == {}
    assert found["read"]["shop-kz product"] > 100


def test_a_survey_that_could_ask_nobody_is_no_clean_bill(
    serai: Serai, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the addresses are set nothing is known, which is not that nothing is wrong."""
    for name in ("SERAI_ERP_URL", "SERAI_SHOP_URL"):
        monkeypatch.delenv(name, raising=False)
    code, out, err = serai("--project", "shop", "survey")
    assert (code, out) == (1, "")
    assert "SERAI_ERP_URL" in err
    assert "SERAI_SHOP_URL" in err


def test_every_file_of_a_new_project_points_an_editor_at_its_schema(project: Path) -> None:
    """Completion works in the new folder too: every modeline leads to a schema that is there."""
    files = [path for path in project.rglob("*.yaml") if path.parent.name != "platforms"]
    assert len(files) >= 5
    for path in files:
        found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
        assert found is not None, path
        assert (path.parent / found[1]).is_file(), path


def test_nothing_that_exists_is_overwritten(serai: Serai, project: Path) -> None:
    """A name typed twice costs nobody a day's work."""
    (project / "channels.yaml").write_text((project / "channels.yaml").read_text() + "# mine\n")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert "not an empty folder" in serai("new", "project", "shop")[2]
    assert "exists" in serai("--project", "shop", "new", "mapping", "sandbox_shop", "products")[2]
    assert "already" in serai("--project", "shop", "new", "platform", "sandbox_shop")[2]
    assert before == {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}


def test_a_new_platform_works_with_its_row_in_the_channels(serai: Serai, project: Path) -> None:
    """The row that is printed is the row that works."""
    code, out, _ = serai("--project", "shop", "new", "platform", "till")
    assert code == 0
    checked = serai("--project", "shop", "lint")[1]
    assert re.fullmatch(r"1 project, \d+ mapping files checked, 0 mistakes\n", checked)  # before a channel uses it, too
    row = re.search(r"channels\.yaml: (till-1: .*)", out)
    assert row is not None
    channels = project / "channels.yaml"
    channels.write_text(channels.read_text() + "\n" + row[1].replace("company: …", "company: kz") + "\n")
    code, out, _ = serai("--project", "shop", "lint")
    assert code == 0, out
    code, out, _ = serai("--project", "shop", "test", "-k", "mappings/till")
    assert (code, out) == (0, "3 tests in 1 file, 0 failed\n")
    code, _, err = serai("--project", "shop", "try", "till/products", "--channel", "till-1", "--id", "1")
    assert code == 1
    assert "TILL_URL" in err


OPENAPI = """\
openapi: 3.0.3
servers: [{url: "https://api.example.test/v1"}]
paths:
  /orders:
    get:
      parameters:
        - {name: page, in: query, schema: {type: integer}}
        - {name: limit, in: query, schema: {type: integer}}
        - {name: updated_since, in: query, schema: {type: string}}
      responses: {"200": {description: "", content: {application/json: {schema: {$ref: "#/components/schemas/Page"}}}}}
    post: {responses: {"200": {description: ""}}}
  /orders/{id}:
    patch: {responses: {"200": {description: ""}}}
components:
  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}
  schemas:
    Order: {type: object, properties: {id: {type: string}, number: {type: string}, updated_at: {type: string}}}
    Page: {type: object, properties: {orders: {type: array, items: {$ref: "#/components/schemas/Order"}},
           meta: {type: object, properties: {total_pages: {type: integer}}}}}
"""


def test_a_vendor_s_openapi_file_becomes_a_description_that_lints(
    serai: Serai, project: Path, tmp_path: Path
) -> None:
    """Credential, list, paging, the filter for changes and what may be written are read off; the mapping's command is
    printed with the place of its schema, and works."""
    (tmp_path / "api.yaml").write_text(OPENAPI)
    code, out, _ = serai("--project", "shop", "new", "platform", "till", "--from-openapi", "api.yaml")
    assert code == 0
    described, _ = load_yaml((project / "platforms/till.yaml").read_text(), "till.yaml")
    assert described["auth"] == {"scheme": "header_key", "header": "X-Key", "token": "token"}
    assert described["resources"] == {"orders": {
        "path": "/orders", "items": "orders", "updated": "updated_at", "since": "updated_since", "paging": "page",
        "paging_options": {"pages": "meta.total_pages"}, "create": "POST /orders", "update": "PATCH /orders/{id}",
    }}  # fmt: skip
    channels = project / "channels.yaml"
    row = next(line for line in out.splitlines() if "channels.yaml: " in line).partition("channels.yaml: ")[2]
    channels.write_text(channels.read_text() + "\n" + row.replace("company: …", "company: kz") + "\n")
    command = next(line for line in out.splitlines() if "serai new mapping" in line).split("`")[1]
    code, out, err = serai("--project", "shop", *shlex.split(command)[1:])
    assert code == 0, err
    assert "number: number" in (project / "mappings/till/orders.yaml").read_text()
    assert "api.yaml describes no paths" not in serai("--project", "shop", "lint")[1]


def test_a_connector_in_python_starts_with_a_simulator_and_passes_the_contract_at_once(tmp_path: Path) -> None:
    """Tried in a copy of the checkout, as somebody would who adds a platform."""
    for name in ("connectors", "mappings", "registry", "flows", "deployments", "tests/contract"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
    for name in ("pyproject.toml", "tests/__init__.py"):
        shutil.copyfile(ROOT / name, tmp_path / name)

    def run(*words: str) -> str:
        made = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert made.returncode == 0, made.stdout + made.stderr
        return made.stdout

    run("deployments.cli", "new", "platform", "acme_shop", "--python")
    assert '"acme_shop": "connectors.acme_shop:AcmeShop"' in (tmp_path / "connectors/__init__.py").read_text()
    assert "| `acme_shop` | – | – | the one that it was started with | – | never yet |" in (
        tmp_path / "connectors/README.md").read_text()
    assert run("deployments.cli", "lint", "mappings/acme_shop").endswith("1 mapping file checked, 0 mistakes\n")
    assert run("deployments.cli", "test", "mappings/acme_shop") == "3 tests in 1 file, 0 failed\n"
    tests = [f"tests/contract/test_{name}.py" for name in ("reading", "writing", "notices")]
    said = run("pytest", "-q", "-k", "acme_shop", "-p", "no:cacheprovider", "-p", "no:xdist", *tests)
    assert re.search(r"\b3\d passed|\[100%\]", said), said
    run("ruff", "check", "-q", "connectors/acme_shop.py", "tests/contract/acme_shop_simulator.py")


def test_a_sample_becomes_rows_marked_for_review_that_lint(serai: Serai, project: Path, tmp_path: Path) -> None:
    """Half of the work is done: names and types propose the rows, the sample itself is the first test."""
    (tmp_path / "page.json").write_text(json.dumps(ORDERS))
    words = ("--project", "shop", "new", "mapping", "till", "orders", "--from-sample", "page.json")
    code, out, _ = serai(*words)
    assert code == 0
    path = project / "mappings" / "till" / "orders.yaml"
    text = path.read_text()
    order = load_yaml(text, "orders.yaml")[0]["inward"]["order"]
    assert order["number"] == "order_number"
    assert order["placed_at"] == {"from": "created_at", "as": "moment"}
    assert order["customer"]["from"] == "customer.id"
    assert order["total"] == {"from": "total_price", "as": {"money": {"currency": "currency"}}}
    assert order["lines"]["fields"]["total"] == {"from": "total", "as": {"money": {"currency": "doc.currency"}}}
    assert order["status"]["table"]["SHIPPED"] == "shipped"
    body = text[text.index("inward:") : text.index("tests:")].splitlines()
    heads = {"inward:", "order:", "fields:", "from: customer", "each: line_items"}
    assert [line for line in body if "# review" not in line and line.strip() not in heads] == []
    assert serai("lint", str(path))[0] == 0
    assert serai("test", str(path))[1] == "1 test in 1 file, 0 failed\n"
    assert str(path.relative_to(tmp_path)) in out


def test_the_schema_of_a_sample_says_what_was_seen(serai: Serai, project: Path, tmp_path: Path) -> None:
    """Null in one sample is nullable, missing in one is not required, and only fields that are read are kept."""
    docs = [{"id": "1", "code": "007", "title": None, "n": 1, "at": "2026-03-01T10:00:00Z"},
            {"id": "2", "code": "8", "title": "Cup", "n": 1.5, "unread": {"a": 1}}]
    assert of_samples(docs) == {
        "type": "object",
        "required": ["id", "code", "title", "n"],
        "properties": {
            "id": {"type": "string"}, "code": {"type": "string"},
            "title": {"type": ["string", "null"], "examples": ["Cup"]}, "n": {"type": "number"},
            "at": {"type": "string", "format": "date-time"},
            "unread": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
        },
    }
    (tmp_path / "docs.json").write_text(json.dumps(docs))
    assert serai("--project", "shop", "new", "mapping", "till", "products", "--from-sample", "docs.json")[0] == 0
    written = json.loads((project / "mappings" / "till" / "products.schema.json").read_text())
    assert set(written["properties"]) == {"id", "code", "title"}


def test_what_no_field_resembles_is_left_to_do_and_the_update_completes_the_test(
    serai: Serai, project: Path, tmp_path: Path
) -> None:
    """The skeleton says exactly what remains; once it lints, the test is filled from the sample."""
    (tmp_path / "one.json").write_text('{"id": "1", "zzz": "Kettle", "code": "007"}')
    code, out, _ = serai("--project", "shop", "new", "mapping", "till", "products", "--from-sample", "one.json")
    assert code == 0
    assert re.search(r"to do: shop/mappings/till/products\.yaml:\d+:\d+: required-field: .* nothing sets name", out)
    path = project / "mappings" / "till" / "products.yaml"
    assert serai("lint", str(path))[0] == 1
    path.write_text(re.sub(r"# name:.*", "name: zzz", path.read_text()))
    assert serai("test", str(path))[0] == 1
    assert serai("test", str(path), "--update")[0] == 0
    assert '        code: "007"' in path.read_text()
    assert serai("test", str(path))[0] == 0


def test_a_bare_skeleton_works_too(serai: Serai, project: Path) -> None:
    for resource in ("products", "warehouses", "buyers"):
        assert serai("--project", "shop", "new", "mapping", "till", resource)[0] == 0
    assert serai("lint", "shop/mappings/till/products.yaml")[0] == 0
    assert serai("test", "shop/mappings/till/products.yaml")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new", "mapping", "till", "orders"), "--project"),
        (("--project", "shop", "new", "mapping", "till", "gadgets"), "--entity"),
        (("--project", "shop", "new", "mapping", "till", "x", "--entity", "ordr"), "did you mean 'order'"),
        (("--project", "shop", "new", "mapping", "Till", "orders"), "no name of a platform"),
        (("--project", "shop", "new", "mapping", "till", "orders", "--from-sample", "nix.json"), "no file nix.json"),
        (("--project", "shop", "new", "mapping", "till", "orders", "--from-sample", "cut.json"), "not JSON"),
        (("--project", "shop", "new", "mapping", "till", "orders", "--from-sample", "o.json#/x"), "there is orders"),
        (("--project", "shop", "new", "mapping", "till", "orders", "--from-schema", "o.json"), "describes no object"),
        (("--project", "shop", "new", "mapping", "till", "orders", "--from-sample", "no.json"), "holds no document"),
        (("new", "platform", "till"), "belongs to a project"),
    ],
)
def test_what_cannot_be_started_is_said_in_one_line_and_nothing_is_written(
    serai: Serai, project: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """A wrong name, a missing file, a cut-off download: one sentence, exit code 1, no half a file."""
    (tmp_path / "cut.json").write_text('{"a": ')
    (tmp_path / "no.json").write_text("[1, 2]")
    (tmp_path / "o.json").write_text(json.dumps(ORDERS))
    before = sorted(tmp_path.rglob("*"))
    code, out, err = serai(*words)
    assert (code, out) == (1, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("file", "resource", "fields"),
    [
        ("bigcommerce/customers.v3.yml#/components/schemas/customer_Full", "customers", ("email", "phone")),
        ("square/api.json#/components/schemas/Order", "orders", ("status", "total", "location")),
    ],
)
def test_a_vendor_s_own_schema_is_a_start(
    serai: Serai, project: Path, file: str, resource: str, fields: tuple[str, ...]
) -> None:
    """OpenAPI files as vendors publish them: references, nullable values, allOf."""
    if not (SPECS / file.partition("#")[0]).is_file():
        pytest.skip(f"{SPECS / file.partition('#')[0]} is not there; SERAI_SPECS names the folder")
    words = ("--project", "shop", "new", "mapping", "vendor", resource, "--from-schema", str(SPECS / file))
    code, out, _ = serai(*words)
    assert code == 0
    path = project / "mappings" / "vendor" / f"{resource}.yaml"
    order = load_yaml(path.read_text(), "x")[0]["inward"][resource.removesuffix("s")]
    assert set(fields) <= set(order)
    linted = serai("lint", str(path))
    assert (linted[0] == 0) is ("to do:" not in out), linted
