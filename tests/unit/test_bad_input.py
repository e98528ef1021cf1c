"""What people and systems get wrong, through the real command line: an error that helps, and nothing lost."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployments.cli import main
from deployments.sandbox.people import People
from deployments.sandbox.start import Sandbox, start_sandbox
from registry import cursors, open_registry, records_where
from tests.scenario.project import write_project

PRODUCTS = 130


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a verb left behind."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


Serai = Callable[..., Said]


@pytest.fixture(scope="module")
def systems() -> Iterator[Sandbox]:
    """The five systems; the ERP knows some products."""
    sandbox = start_sandbox(filled=False)
    people = People(sandbox.url)
    for n in range(PRODUCTS):
        people.add("erp", "products", {"code": f"P-{n:03}", "title": f"Чайник {n}", "images": [], "state": "A"})
    yield sandbox
    sandbox.stop()


@pytest.fixture
def people(systems: Sandbox) -> Iterator[People]:
    yield People(systems.url)
    for name in systems.systems:
        People(systems.url).calm(name)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "karavan")


@pytest.fixture
def serai(
    project: Path, systems: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Serai:
    """The console script in this process: a traceback is an error of the test. No secret is ever printed."""

    def run(*words: str, **env: str | None) -> Said:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["serai", *words, "--project", str(project)])
            for name, value in {**systems.environment(), **env}.items():
                patched.setenv(name, value) if value is not None else patched.delenv(name, raising=False)
            capsys.readouterr()
            with pytest.raises(SystemExit) as end:
                main()
        out, err = capsys.readouterr()
        said = Said(code=int(end.value.code or 0), out=out, err=err)
        secrets = [*systems.tokens.values(), *systems.hook_secrets.values()]
        assert [secret for secret in secrets if secret in said.all] == []
        assert "Traceback" not in said.all
        return said

    return run


def stored(project: Path) -> tuple[int, list[str]]:
    """How many products are known, and which cursors stand."""
    registry = open_registry(f"sqlite:///{project / '.serai' / 'registry.db'}")
    try:
        with registry.read() as tx:
            return len(records_where(tx, "product")), [row.resource for row in cursors(tx) if row.channel == "erp-kz"]
    finally:
        registry.close()


MISTAKES = [
    ("channels.yaml", "platform: sandbox_erp", "platfrom: sandbox_erp", "did you mean 'platform'"),
    ("companies.yaml", "currency: KZT", "currency: KZT, vat: 0.16", "name, country, currency, tax"),
    ("authority.yaml", "given_name:", "givn_name:", "did you mean 'given_name'"),
    ("policies/stock.yaml", "safety: 0", "safty: 0", "did you mean 'safety'"),
    ("platforms/sandbox_erp.yaml", "{path: /locations", "{pathh: /locations", "`path`"),
    ("mappings/sandbox_erp/products.yaml", "    brand: =", "    brnad: =", "brand"),
    ("mappings/sandbox_erp/products.yaml", "inward:", "inwards:", "inward"),
]


@pytest.mark.parametrize(("file", "old", "new", "remedy"), MISTAKES)
def test_an_unknown_key_stops_every_verb_before_anything_is_touched(
    serai: Serai, project: Path, file: str, old: str, new: str, remedy: str
) -> None:
    """P12: lint and each verb name file, line and the nearest known key; no database is made, nobody is asked."""
    text = (project / file).read_text(encoding="utf-8")
    assert old in text
    (project / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    line = next(n for n, row in enumerate((project / file).read_text(encoding="utf-8").splitlines(), 1) if new in row)
    linted = serai("lint")
    assert linted.code == 1
    assert f"{file}:{line}:" in linted.out
    assert remedy in linted.out
    for words in (["push", "shop-kz"], ["survey"]):
        said = serai(*words)
        assert said.code == 1, words
        assert f"{file}:{line}:" in said.err, words
        assert remedy in said.err
    assert not (project / ".serai").exists()


@pytest.mark.parametrize(
    "text", ["erp-kz: [", "\tx: 1", "a: &x [*x]", "erp-kz: {platform: a, platform: b}", "- erp-kz", "7"]
)
def test_a_channels_file_that_is_no_settings_is_a_sentence_with_a_place(
    serai: Serai, project: Path, text: str
) -> None:
    """What an editor or a merge leaves behind is found where it stands."""
    (project / "channels.yaml").write_text(text, encoding="utf-8")
    said = serai("status")
    assert said.code == 1
    assert re.match(r"channels\.yaml:[12]:\d+: ", said.err), said.err
    assert "authority.yaml" not in said.err


def test_a_missing_secret_names_channel_and_variable_and_loses_nothing(serai: Serai, project: Path) -> None:
    """P13: whoever deploys reads what to set; once it is set, the same call takes all."""
    for missing in ("SERAI_ERP_TOKEN", "SERAI_ERP_URL"):
        said = serai("pull", "erp-kz", "products", **{missing: None})
        assert said.code == 1
        assert "erp-kz" in said.err
        assert missing in said.err
        assert stored(project) == (0, [])
    assert serai("pull", "erp-kz", "products").code == 0
    assert stored(project) == (PRODUCTS, ["products"])


def test_a_wrong_token_names_the_channel_and_loses_nothing(serai: Serai, project: Path) -> None:
    """A refused token is a person's to mend; it is not repeated in the sentence."""
    said = serai("pull", "erp-kz", "products", SERAI_ERP_TOKEN="planted-wrong-31415")
    assert said.code == 1
    assert "erp-kz" in said.err
    assert "planted-wrong-31415" not in said.all
    assert stored(project) == (0, [])


def test_a_system_that_is_not_there_is_named_and_the_next_run_takes_all(serai: Serai, project: Path) -> None:
    """P1: nothing is concluded from silence; no cursor moves."""
    said = serai("pull", "erp-kz", "products", SERAI_ERP_URL="http://127.0.0.1:9/erp")
    assert said.code == 1
    assert "erp-kz" in said.err
    assert stored(project) == (0, [])
    assert serai("pull", "erp-kz", "products").code == 0
    assert stored(project) == (PRODUCTS, ["products"])


@pytest.mark.parametrize("temper", ["garbage", "throttle"])
def test_an_answer_that_is_no_page_moves_no_cursor_and_the_next_run_takes_all(
    serai: Serai, project: Path, people: People, temper: str
) -> None:
    """P1, P6: half an answer is no page; the error names the channel, and nothing of it is believed."""
    people.temper("erp", temper, on="GET /products", next=20)
    said = serai("pull", "erp-kz", "products")
    assert said.code == 1
    assert "erp-kz" in said.err
    assert stored(project) == (0, [])
    people.calm("erp")
    assert serai("pull", "erp-kz", "products").code == 0
    assert stored(project) == (PRODUCTS, ["products"])


def test_one_bad_document_is_listed_with_its_remedy_and_the_rest_is_taken(
    serai: Serai, project: Path, systems: Sandbox
) -> None:
    """P6: the pull succeeds, the list says which field of which document, where in the mapping, and what to type."""
    doc = systems.systems["erp"].tables["products"].rows["P-042"].doc
    kept = doc["state"]
    doc["state"] = "Q"
    try:
        (ledger,) = json.loads(serai("pull", "erp-kz", "products", "--json").out)
        assert ledger["counts"] == {"product": {"created": PRODUCTS - 1, "parked": 1}}
        (row,) = json.loads(serai("parked", "--json").out)
        said = json.dumps(row, ensure_ascii=False)
        for word in ("P-042", "status", "products.yaml", "serai replay"):
            assert word in said
    finally:
        doc["state"] = kept
    (again,) = json.loads(serai("replay", "--json").out)
    assert again["counts"] == {"product": {"created": 1}}
    assert json.loads(serai("parked", "--json").out) == []
    assert stored(project)[0] == PRODUCTS


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (("pull", "erp-kz", "produkts"), "products"),
        (("reconcile", "erp-kz", "produkts"), "products"),
        (("pull", "erp"), "erp-kz"),
        (("push", "shop"), "shop-kz"),
        (("push", "shop-kz", "varaint"), "variant"),
        (("why", "shop-kz", "varaint", "X"), "variant"),
        (("channel", "shop-kz", "varaint", "on", "--because", "x"), "variant"),
        (("parked", "--channel", "shop"), "shop-kz"),
        (("match", "accept", "--exact", "--channel", "shop"), "shop-kz"),
    ],
)
def test_a_typing_error_is_answered_with_what_there_is(serai: Serai, words: tuple[str, ...], allowed: str) -> None:
    """Nobody has to look up a name, and nothing happens to another one."""
    said = serai(*words)
    assert said.code == 1
    assert allowed in said.err


def test_a_registry_that_cannot_be_reached_is_a_sentence_without_its_password(serai: Serai) -> None:
    """P13: the database's address may stand in the sentence, its password never."""
    said = serai("status", SERAI_REGISTRY="postgresql+psycopg2://serai:planted-pw-2718@127.0.0.1:9/none")
    assert said.code == 1
    assert "SERAI_REGISTRY" in said.err
    assert "planted-pw-2718" not in said.all


def test_a_platform_that_answers_a_write_with_garbage_loses_and_doubles_nothing(
    serai: Serai, project: Path, people: People, systems: Sandbox
) -> None:
    """P3, P2: what became of the write is found out; in the end the shop has each page once."""
    for channel in ("erp-kz", "shop-kz"):
        assert serai("pull", channel).code == 0
    assert serai("match", "accept", "--exact", "--channel", "shop-kz").code == 0
    people.temper("shop", "garbage", on="POST /products", next=1)
    first = serai("push", "shop-kz", "product")
    assert first.code in (0, 1)
    people.calm("shop")
    serai("push", "shop-kz", "product")
    handles = [doc["handle"] for doc in systems.systems["shop"].docs("products")]
    assert len(handles) == len(set(handles))
    (row,) = [row for row in json.loads(serai("status", "--json").out) if row["channel"] == "shop-kz"]
    assert len(handles) == PRODUCTS or any(key in json.dumps(row) for key in ("due", "unknown"))


def test_the_command_itself_ends_with_a_line_and_its_code(project: Path, systems: Sandbox) -> None:
    """A shell script and a person both understand what the installed command says."""
    command = [str(Path(sys.executable).parent / "serai"), "pull", "erp-kz", "products", "--project", str(project)]
    env = {**os.environ, **systems.environment()}
    wrong = subprocess.run(
        command, env={**env, "SERAI_ERP_URL": "http://127.0.0.1:9/erp"}, capture_output=True, text=True, check=False
    )
    right = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (wrong.returncode, right.returncode) == (1, 0)
    assert len(wrong.stderr.strip().splitlines()) == 1
    assert "erp-kz" in wrong.stderr
    assert f"{PRODUCTS} created" in right.stdout


@pytest.mark.parametrize(
    ("words", "code", "remedy"),
    [
        (("settlement", "list", "--channel", "shop"), 1, "shop-kz"),
        (("settlement", "show", "S-1", "--channel", "shop"), 1, "shop-kz"),
        (("order", "show", "1001", "--channel", "shop"), 1, "shop-kz"),
        (("match", "bind", "shop-kz", "1", "X", "--entity", "varaint"), 1, "variant"),
        (("plan", "--entity", "varaint"), 2, "variant"),
        (("replay", "no-such-number"), 1, "serai parked"),
    ],
)
def test_a_name_that_is_not_there_is_never_answered_with_nothing_to_do(
    serai: Serai, words: tuple[str, ...], code: int, remedy: str
) -> None:
    """A typing error is no empty list: nobody concludes from it that all is well."""
    said = serai(*words)
    assert said.code == code, said.all
    assert remedy in said.err


@pytest.mark.parametrize(
    ("words", "code", "found"),
    [
        (("price", "shop-kz", "X", "nan", "--because", "x"), 2, "'nan'"),
        (("price", "shop-kz", "X", "inf", "--because", "x"), 2, "'inf'"),
        (("price", "shop-kz", "X", "1e999999", "--because", "x"), 2, "'1e999999'"),
        (("price", "crm-kz", "X", "5", "--because", "x"), 1, "crm-kz is told no price"),
        (("stop", "X", "--keep", "-1", "--because", "x"), 2, "--keep"),
        (("stop", "X", "--channel", "erp-kz", "--because", "x"), 1, "erp-kz is told no stock"),
        (("loyalty", "redeem", "C", "--at", "pos-kz", "--receipt", "r", "--points", "nan"), 2, "'nan'"),
        (("loyalty", "earn", "C", "--at", "pos-kz", "--receipt", "r", "--amount", "nan KZT"), 2, "'nan KZT'"),
        (("up", "--console-port", "99999999"), 2, "65535"),
    ],
)
def test_a_figure_that_means_nothing_is_refused_before_anything_is_decided(
    serai: Serai, words: tuple[str, ...], code: int, found: str
) -> None:
    """A price of nan, a buffer below nothing, a channel that never hears of it: a sentence, and nothing is kept."""
    said = serai(*words)
    assert said.code == code, said.all
    assert found in " ".join(said.err.split())
    assert json.loads(serai("stop", "--list", "--json").out) == []


@pytest.mark.parametrize("words", [("survey", "--html"), ("plan", "--format", "html", "--out")])
def test_a_file_that_cannot_be_written_is_named_with_the_reason(
    serai: Serai, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Whoever mistypes a folder reads which, not where the program stood."""
    there = tmp_path / "no" / "such" / "page.html"
    said = serai(*words, str(there))
    assert said.code == 1
    assert str(there) in said.err
    assert "No such file or directory" in said.err


@pytest.mark.parametrize(
    ("address", "said_of_it"),
    [
        ("nonsense", "allowed: sqlite:///"),
        ("postgresql://serai:planted-pw-2718@127.0.0.1:port/none", "allowed: sqlite:///"),
        ("sqlite:///{here}/notes.txt", "not a database"),
    ],
)
def test_a_registry_that_is_none_is_a_sentence(serai: Serai, tmp_path: Path, address: str, said_of_it: str) -> None:
    """P13: an address nobody can read, or a file that is no database, names the setting and never a password."""
    (tmp_path / "notes.txt").write_text("no database\n" * 100, encoding="utf-8")
    said = serai("status", SERAI_REGISTRY=address.format(here=tmp_path))
    assert said.code == 1
    assert "SERAI_REGISTRY" in said.err
    assert said_of_it in said.err
    assert "planted-pw-2718" not in said.all
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "no database\n" * 100


def test_a_registry_of_a_newer_version_is_left_as_it_is(serai: Serai, project: Path) -> None:
    """Whoever goes back to an older checkout reads so, and no table is touched."""
    assert serai("migrate").code == 0
    with closing(sqlite3.connect(project / ".serai" / "registry.db")) as there:
        there.execute("UPDATE alembic_version SET version_num = '9999'")
        there.commit()
    for verb in ("status", "migrate"):
        said = serai(verb)
        assert said.code == 1
        assert "9999" in said.err
        assert "update Serai" in said.err


def test_an_address_with_half_a_bracket_names_its_channel(serai: Serai) -> None:
    """An address that cannot even be read as one is the channel's `url` to mend."""
    said = serai("pull", "erp-kz", "products", SERAI_ERP_URL="http://[::1")
    assert said.code == 1
    assert "erp-kz: `url`" in said.err


def test_a_deployed_run_without_prefect_says_what_to_start(project: Path, systems: Sandbox) -> None:
    """No server of Prefect's is started in passing, and nobody waits for one."""
    command = [str(Path(sys.executable).parent / "serai"), "reconcile", "shop-kz", "--deployed",
               "--project", str(project)]
    env = {**os.environ, **systems.environment()}
    env.pop("PREFECT_API_URL", None)
    for address, found in (({}, "PREFECT_API_URL is not set"),
                           ({"PREFECT_API_URL": "http://127.0.0.1:9/api"}, "does not answer")):
        said = subprocess.run(command, env={**env, **address}, capture_output=True, text=True, check=False, timeout=60)
        assert said.returncode == 1
        assert found in said.stderr
        assert "serai up" in said.stderr
        assert "Traceback" not in said.stderr


def test_a_terminal_without_cyrillic_gets_the_answer_all_the_same(project: Path, tmp_path: Path) -> None:
    """What such a terminal cannot show is written as \\u0427, and nothing else is left out."""
    (tmp_path / "one.json").write_text('{"id": "1", "title": "Чайник", "images": []}', encoding="utf-8")
    serai = str(Path(sys.executable).parent / "serai")
    command = [serai, "explain", "sandbox_shop/products", str(tmp_path / "one.json"), "--project", str(project)]
    said = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"},
                          capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "\\u0427\\u0430\\u0439\\u043d\\u0438\\u043a" in said.stdout


def test_an_input_that_is_closed_is_a_sentence(project: Path) -> None:
    """A job of a scheduler that has no stdin reads what was missing."""
    command = f"{Path(sys.executable).parent / 'serai'} explain sandbox_shop/products - --project {project} <&-"
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert len(said.stderr.strip().splitlines()) == 1
    assert "- is not JSON" in said.stderr
