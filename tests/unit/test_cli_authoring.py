"""`serai lint`, `test`, `explain` as an author types them: what is found, shown and written, and what is left alone."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from deployments.authoring import explaining
from deployments.authoring.editing import written
from deployments.authoring.finding import files_of, shipped, shown
from deployments.authoring.testing import run
from deployments.authoring.updating import updates
from deployments.cli import main
from flows.mapping_files import compile_file
from mappings.language import load_yaml
from tests.prefect.places import write_project

Serai = Callable[..., tuple[int, str, str]]

ORDER = """\
# An order of the depot.
platform: depot
resource: orders
forms: {money: {currency: currency}, moment: {zone: UTC}}
inward:
  order:
    number: number
    placed_at: {from: placed, as: moment}
    status: {from: state, table: {OPEN: open, DONE: delivered}}
    payment: = 'open'
    currency: = 'KZT'
    lines:
      each: lines
      fields:
        key: id
        name: title
        quantity: {from: quantity, as: {quantity: {unit: each}}}
        total: {from: total, as: {money: {currency: doc.currency}}}
    total: {from: total, as: money}
tests:
  - name: an order of two lines   # the first
    given:
      {id: "1", number: "7", placed: "2026-03-01T09:00:00Z", state: OPEN, currency: KZT, total: 5,
       lines: [{id: a, title: Kettle, quantity: 2, total: 3}, {id: b, title: Cup, quantity: 1, total: 2}]}
    expect:
      order:
        number: "7"          # text
        status: open
        lines:
          - {key: a, name: Kettle, total: {amount: "3.00", currency: KZT}}
          - key: b
            name: Cup        # its name
            total: {amount: "2.00", currency: KZT}
    absent: {order: [customer]}
  - {name: a state nobody knows, given: {id: "2", state: ODD}, faults: [{field: status, rule: table}]}
"""
SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"}, "number": {"type": "string"}, "placed": {"type": "string"},
        "state": {"type": "string"}, "currency": {"type": "string"}, "total": {"type": ["integer", "null"]},
        "lines": {"type": "array", "items": {"type": "object", "properties": {
            "id": {"type": "string"}, "title": {"type": "string"}, "quantity": {"type": "integer"},
            "total": {"type": "integer"}}}},
    },
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A right project with two mappings, and the working directory of whoever types."""
    folder = write_project(tmp_path / "depot")
    (folder / "mappings" / "depot" / "orders.yaml").write_text(ORDER, encoding="utf-8")
    (folder / "mappings" / "depot" / "orders.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def orders(project: Path) -> Path:
    return project / "mappings" / "depot" / "orders.yaml"


@pytest.fixture
def serai(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Serai:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["serai", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


# -- lint -------------------------------------------------------------------------------------------------------------
def test_a_mistake_is_shown_under_the_path_a_person_can_click(serai: Serai, orders: Path) -> None:
    """From wherever lint is called, file:line:column opens the place."""
    orders.write_text(ORDER.replace("from: placed,", "from: placd,"))
    code, out, _ = serai("lint", "mappings/depot/orders.yaml")
    assert code == 1
    assert out.startswith("mappings/depot/orders.yaml:8:23: unknown-path: ")
    assert "placed" in out
    assert "1 mapping file checked, 1 mistake" in out


def test_only_what_the_paths_name_is_checked(serai: Serai, project: Path, orders: Path) -> None:
    """Whoever edits one file is not told about the others."""
    orders.write_text("platform: depot\nresource: orders\n")
    assert serai("lint", "mappings/depot/places.yaml")[0] == 0
    assert serai("lint", "channels.yaml")[0] == 0
    assert serai("lint", "mappings")[0] == 1
    (project / "authority.yaml").write_text("locaton: {'*': [depot]}\n")
    code, out, _ = serai("lint", "authority.yaml")
    assert code == 1
    assert "authority.yaml:1:1: unknown-entity" in out


def test_a_path_that_is_not_there_is_said_in_one_line(serai: Serai, project: Path) -> None:
    """A mistyped path is not a clean bill of health."""
    code, out, err = serai("lint", "mapings")
    assert (code, out) == (1, "")
    assert err.strip() == "there is no file or folder mapings"


def test_a_mistake_becomes_an_annotation_of_a_pull_request(serai: Serai, orders: Path) -> None:
    """GitHub shows the mistake beside its line; separators inside it are escaped."""
    orders.write_text(ORDER.replace("from: placed,", "from: placd,"))
    out = serai("lint", "mappings", "--format", "github")[1].splitlines()[0]
    found = re.fullmatch(r"::error file=([^,]+),line=(\d+),col=(\d+),title=([^,:]+)::(.+)", out)
    assert found is not None, out
    assert found.groups()[:4] == ("mappings/depot/orders.yaml", "8", "23", "unknown-path")


def test_yaml_in_markdown_is_held_to_the_same_rules(serai: Serai, project: Path) -> None:
    """An example that readers copy is right, or is named with its line on the page."""
    page = project / "guide.md"
    text = "# Guide\n\n```yaml\n" + ORDER + "```\n\n* indented:\n\n  ```yaml\n  a: 1\n  b: [x]\n  ```\n"
    page.write_text(text, encoding="utf-8")
    assert serai("lint", "guide.md")[0] == 0
    page.write_text(text.replace("table: {OPEN: open", "tabel: {OPEN: open").replace("b: [x]", "a: [x]"))
    code, out, _ = serai("lint", "guide.md")
    assert code == 1
    assert "guide.md:12:27: unknown-key: unknown key 'tabel'" in out
    assert "guide.md:45:3: duplicate-key" in out
    assert "2 examples checked" in out


def test_what_a_page_shows_as_wrong_is_left_alone(serai: Serai, project: Path) -> None:
    """A catalogue of mistakes can be linted with the rest."""
    (project / "guide.md").write_text("```yaml\n# wrong\na: @b\n```\n\n```yaml\n# mended\na: '@b'\n```\n")
    assert serai("lint", "guide.md")[:2] == (0, "1 example checked, 0 mistakes\n")


def test_settings_in_markdown_are_one_project(serai: Serai, project: Path) -> None:
    """A page that shows a channel and its authority shows two files that agree."""
    page = project / "guide.md"
    files = {name: (project / name).read_text() for name in ("companies.yaml", "channels.yaml", "authority.yaml")}
    files["platforms/depot.yaml"] = (project / "platforms" / "depot.yaml").read_text()
    text = "".join(f"```yaml\n# {name}\n{body}```\n" for name, body in files.items())
    page.write_text(text)
    assert serai("lint", "guide.md")[:2] == (0, "4 examples checked, 0 mistakes\n")
    page.write_text(text.replace("{'*': [depot]}", "{'*': [depto]}"))
    code, out, _ = serai("lint", "guide.md")
    assert code == 1
    line = page.read_text().splitlines().index("location: {'*': [depto]}") + 1
    assert f"guide.md:{line}:" in out


def test_forms_of_a_project_s_own_platform_are_read(serai: Serai, project: Path, orders: Path) -> None:
    """A private platform has its forms beside its mappings, and a mistake in them is named where it stands."""
    forms = orders.parent / "forms.yaml"
    forms.write_text("money: {currency: currency}\n")
    orders.write_text(ORDER.replace("total: {from: total, as: money}", "total: {from: total, as: money}"))
    assert serai("test", "mappings")[0] == 0
    forms.write_text("money: {curency: currency}\n")
    code, out, _ = serai("lint", "mappings/depot/forms.yaml")
    assert code == 1
    assert "mappings/depot/forms.yaml:1:9: unknown-key" in out


def test_bytes_that_are_no_text_are_a_mistake_not_a_traceback(serai: Serai, orders: Path) -> None:
    orders.write_bytes(ORDER.encode().replace(b"depot.", b"depot \xff"))
    code, out, _ = serai("lint", "mappings")
    assert code == 1
    assert "not UTF-8" in out


# -- test -------------------------------------------------------------------------------------------------------------
def test_a_failure_shows_each_field_with_both_values_and_its_row(serai: Serai, orders: Path) -> None:
    """Whoever broke a row finds it without a search; text and number differ for the eye."""
    assert serai("test", "mappings")[0] == 0
    wrong = ORDER.replace('number: "7"          #', "number: 7          #").replace("name: Cup  ", "name: Mug  ")
    orders.write_text(wrong)
    code, out, _ = serai("test", "mappings/depot/orders.yaml")
    assert code == 1
    assert out.splitlines() == [
        "mappings/depot/orders.yaml:21: an order of two lines",
        "  order.number",
        "    expected  7",
        '    got       "7"',
        "    by        mappings/depot/orders.yaml:7: number",
        "  order.lines[1].name",
        '    expected  "Mug"',
        '    got       "Cup"',
        "    by        mappings/depot/orders.yaml:16: title",
        "2 tests in 1 file, 1 failed",
    ]


@pytest.mark.parametrize(
    ("expression", "count"),
    [("state", 1), ("order", 2), ("orders and not state", 1), ("stays or two", 2), ("NOT order", 1)],
)
def test_some_tests_are_chosen_by_name(serai: Serai, project: Path, expression: str, count: int) -> None:
    """While a mapping is written only its one test is run."""
    assert f"{count} test" in serai("test", "-k", expression)[1]


@pytest.mark.parametrize(("expression", "words"), [("nothing-fits", "no test of 2"), ("a and not", "cannot be read")])
def test_a_choice_that_fits_nothing_fails(serai: Serai, project: Path, expression: str, words: str) -> None:
    """A mistyped name does not turn a build green."""
    code, _, err = serai("test", "-k", expression)
    assert code == 1
    assert words in err


def test_an_update_is_shown_and_touches_only_what_failed(serai: Serai, orders: Path) -> None:
    """Comments, quotes and everything that was right stay as they were written."""
    wrong = (
        ORDER.replace('number: "7"          # text', "number: '8'          # text")
        .replace("status: open\n", "status: delivered\n        customer: c1\n")
        .replace("absent: {order: [customer]}", "absent: {order: [total, customer]}")
        .replace("key: a, name: Kettle", "key: a, name: Pot, sku: '1'")
        .replace("rule: table}]", "rule: nope}]")
    )
    orders.write_text(wrong)
    code, out, _ = serai("test", "mappings", "--update")
    assert code == 0, out
    assert "\n-        number: '8'          # text\n" in out
    assert "\n+        number: '7'          # text\n" in out
    assert "2 tests updated, 0 left" in out
    assert serai("test", "mappings")[0] == 0
    wanted = ORDER.replace('number: "7"          # text', "number: '7'          # text")
    assert orders.read_text() == wanted.replace("rule: table}]", "kind: fault}]").replace(
        "{field: status, kind", "{field: status, entity: order, kind"
    )
    assert serai("test", "mappings", "--update")[1] == "no test fails, nothing is updated\n"


def test_a_file_of_windows_keeps_its_line_ends(serai: Serai, orders: Path) -> None:
    """An update of one value is a difference of one line, wherever the file was written."""
    wrong = ORDER.replace("faults: [{field: status, rule: table}]", "expect: {}").replace("name: Cup  ", "name: Mug  ")
    orders.write_bytes(wrong.replace("\n", "\r\n").encode())
    assert serai("test", "mappings", "--update")[0] == 0
    text = orders.read_bytes().decode()
    assert text.count("\n") == text.count("\r\n") == wrong.count("\n")
    assert serai("test", "mappings")[0] == 0


def test_a_test_that_cannot_be_updated_is_left_and_named(serai: Serai, orders: Path) -> None:
    """What an update cannot bring about it does not half do."""
    text = ORDER.replace("absent: {order: [customer]}", "direction: outward")
    orders.write_text(text)
    code, out, _ = serai("test", "mappings", "--update")
    assert code == 1
    assert "left as it is: an order of two lines" in out
    assert orders.read_text() == text


def test_a_broken_property_is_shown_with_the_smallest_document(serai: Serai, project: Path) -> None:
    """What no example showed: this channel would be written to for ever (P4)."""
    path = project / "mappings" / "depot" / "places.yaml"
    schema = path.with_suffix(".schema.json")
    schema.write_text(schema.read_text().replace('"code": {"type": "string"}', '"code": {"enum": ["007", "1"]}'))
    text = path.read_text()
    outward = "outward:\n  entity: location\n  fields: {code: code, title: = upper(name)}\ntests:"
    path.write_text(text.replace("tests:", outward))
    words = ("test", "mappings/depot/places.yaml", "--properties", "--examples", "30")
    assert serai("test", "mappings/depot/places.yaml")[0] == 0
    code, out, _ = serai(*words)
    assert code == 1
    assert "mappings/depot/places.yaml:7:5: echo: location.name: " in out
    rows = json.loads(serai(*words, "--format", "json")[1])
    (broken,) = [row for row in rows if row["test"] == "inward: echo" and not row["passed"]]
    given = broken["differences"][0]["given"]
    assert given["title"] != given["title"].upper()
    path.write_text(text.replace("tests:", outward.replace("= upper(name)", "name")))
    assert " echo: " not in serai(*words)[1]


plain = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2000),
    st.sampled_from(["", "x", "007", "on", "null", "a: b", "a #b", "it's", 'say "x"', "Чайник", " x", "1.0", "-", "{"]),
    st.sampled_from(["é\t", "two\nlines", "\n"]),
)
value = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["a", "b b", "on", "7", "ключ"]), inner, max_size=3),
    max_leaves=8,
)
content = st.dictionaries(st.sampled_from(["p", "q", "r s"]), value, min_size=1, max_size=3)


def block(data: Any, indent: str, draw: Callable[[Any], Any]) -> str:
    """Data as YAML, block or flow style as drawn, comments between."""
    if isinstance(data, dict | list) and data and draw(st.booleans()):
        lines = []
        for key, one in data.items() if isinstance(data, dict) else enumerate(data):
            head = f"{written(key)}:" if isinstance(data, dict) else "-"
            note = draw(st.sampled_from(["", "  # note", "\n\n" + indent + "# note"]))
            if one and (isinstance(one, dict | list) or "\n" in str(one)):
                lines.append(f"{indent}{head}{note}\n{block(one, indent + '  ', draw)}")
            else:
                quote = draw(st.sampled_from(["", "'", '"']))
                lines.append(f"{indent}{head} {written(one, quote=quote)}{note}")
        return "\n".join(lines)
    if isinstance(data, str) and "\n" in data.strip() and draw(st.booleans()):
        return f"{indent}|-\n" + "\n".join(f"{indent}  {line}" for line in data.split("\n"))
    return indent + written(data)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content, content, st.data())
def test_whatever_came_can_be_written_in_whatever_style(
    tmp_path_factory: pytest.TempPathFactory, came: dict[str, Any], wrong: dict[str, Any], data: st.DataObject
) -> None:
    """An update makes the test pass or leaves the file alone; what is before and after the test is never touched."""
    folder = tmp_path_factory.mktemp("update")
    path = folder / "things.yaml"
    before = (
        "platform: depot\nresource: things\ninward:\n  customer:\n    required: false\n"
        "    fields: {attributes: payload}\n"
        f"tests:\n  - name: one\n    given: {{id: a, payload: {written(came)}}}\n    expect:\n      customer:\n"
        "        attributes:   # what came\n"
    )
    after = "\n  # the last\n  - {name: two, given: {id: b}, absent: {customer: [attributes]}}\n"
    path.write_text(before + block(wrong, " " * 10, data.draw) + after, encoding="utf-8")
    outcomes = run([path], folder)
    failed = [one for one in outcomes if not one.result.ok]
    for one in updates(failed):
        assert list(one.left) == []
        assert one.text.startswith(before[: before.index("    expect:")])
        assert one.text.endswith(after)
        path.write_text(one.text, encoding="utf-8")
    assert all(one.result.ok for one in run([path], folder))
    assert load_yaml(path.read_text(encoding="utf-8"), shown(path))[0]["tests"][0]["given"]["payload"] == came


# -- explain ----------------------------------------------------------------------------------------------------------
def test_every_field_is_led_back_to_its_row_and_source(serai: Serai, project: Path) -> None:
    """An engineer sees where each field comes from without reading the file."""
    code, out, _ = serai("explain", "depot/orders", "--json")
    assert code == 0
    rows = {row["field"]: row for row in json.loads(out)}
    assert rows["order.lines[].total"] == {
        "field": "order.lines[].total", "row": "mappings/depot/orders.yaml:18",
        "from": "lines[].total, currency", "how": None,
    }
    assert rows["order.status"]["how"] == "table"


def test_a_document_is_shown_with_every_value_s_way(serai: Serai, project: Path, tmp_path: Path) -> None:
    """A surprising value is led back to the figure in the document."""
    document = tmp_path / "order.json"
    document.write_text('{"id": "9", "state": "DONE", "total": 12345678901234567890123, "currency": "KZT",'
                        ' "lines": [{"id": "a", "quantity": 1, "total": 1}, {"id": "b", "quantity": 2, "total": 2}]}')
    code, out, _ = serai("explain", "orders", str(document), "--json")
    assert code == 0
    shown = json.loads(out)
    rows = {row["field"]: row for row in shown["values"]["order 9"]}
    assert rows["status"] == {
        "field": "status", "value": '"delivered"', "row": "mappings/depot/orders.yaml:9",
        "from": "state", "found": '"DONE"',
    }
    assert rows["lines[1].total"]["value"] == "2.00 KZT"
    assert rows["lines[1].total"]["found"] == '2, "KZT"'
    assert rows["total"]["value"] == "12345678901234567890123.00 KZT"
    assert shown["got"][0]["entity"] == "order"


def test_a_test_of_the_file_is_explained_by_its_name(serai: Serai, project: Path) -> None:
    code, out, _ = serai("explain", "orders", "nobody knows")
    assert code == 0
    assert "fault: order 2: status from state" in out


def test_every_value_of_every_mapping_s_tests_has_its_row() -> None:
    """Whatever a mapping that comes with Serai makes of its own tests, each value is led back to a line of the file."""
    lost = []
    for path in files_of(None, shipped()):
        mapping = compile_file(None, path)
        for test in mapping.tests.data():
            made = explaining.run(mapping, test)
            given = test["given"] if isinstance(test["given"], list) else [test["given"]]
            for title, rows in explaining.values(mapping, made, given):
                lost += [f"{mapping.name}: {title}: {row['field']}" for row in rows if row["row"] is None]
    assert lost == []


def test_the_graph_joins_every_source_with_its_fields(serai: Serai, project: Path) -> None:
    """Mermaid draws it: every edge ends at nodes that are there, every path and field is a node."""
    out = serai("explain", "orders", "--graph")[1]
    assert out.startswith("flowchart LR\n")
    nodes = dict(re.findall(r'^    (\w+)\["(.*)"\]$', out, re.MULTILINE))
    edges = re.findall(r"^  (\w+) -->(?:\|[^|]*\|)? (\w+)$", out, re.MULTILINE)
    named = {(nodes[source], nodes[target]) for source, target in edges}
    assert {("state", "status"), ("lines[].title", "lines[].name"), ("currency", "total")} <= named
    assert out.count("subgraph") == out.count("\n  end")


def test_the_fields_a_mapping_reads_are_listed(serai: Serai, project: Path) -> None:
    """What has to be asked of the platform, and nothing else."""
    found = json.loads(serai("explain", "orders", "--needs", "--json")[1])
    assert found == {"depot orders": [
        "currency", "id", "lines[].id", "lines[].quantity", "lines[].title", "lines[].total", "number", "placed",
        "state", "total",
    ]}


def test_the_generated_source_is_python(serai: Serai, project: Path) -> None:
    out = serai("explain", "orders", "--python")[1]
    compile(out, "shown", "exec")
    assert "def inward(docs, refs, context, records, skips, safe):" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ordres",), "did you mean"),
        (("nowhere/orders",), "there is no mapping nowhere/orders"),
        (("orders", "no-such-test"), "neither a JSON file nor a test"),
        (("orders", "a"), "write more of its name"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_those_that_are(
    serai: Serai, project: Path, words: tuple[str, ...], said: str
) -> None:
    code, _, err = serai("explain", *words)
    assert code == 1
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_broken_document_is_named(serai: Serai, project: Path, tmp_path: Path) -> None:
    """A cut-off download is not a traceback."""
    (tmp_path / "cut.json").write_text('{"id": ')
    code, _, err = serai("explain", "orders", str(tmp_path / "cut.json"))
    assert code == 1
    assert "cut.json is not JSON" in err


def test_a_mapping_with_a_mistake_is_not_explained(serai: Serai, orders: Path) -> None:
    orders.write_text(ORDER.replace("from: placed,", "from: placd,"))
    code, _, err = serai("explain", "orders")
    assert code == 1
    assert "orders.yaml:8:23" in err


