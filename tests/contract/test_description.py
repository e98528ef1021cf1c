"""Descriptions of private systems: every mistake named before the first request."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors import CATALOG, paging, schemes, signatures
from connectors.base import Connector
from connectors.errors import Misconfigured
from connectors.generic_rest import _KEYS, _NOTICES
from mappings.language import load_yaml
from tests.contract.harness import ports_with

ROOT = Path(connectors.__file__).parent.parent
GOOD: dict[str, Any] = {
    "auth": {"scheme": "bearer", "token": "token"},
    "signature": {"scheme": "hmac_sha256", "secret": "hook_secret"},
    "notices": {"resource": "resource", "id": "id", "at": "at"},
    "subscribe": "POST /webhooks",
    "check": "GET /ping",
    "by_reference": {"param": "ref", "field": "reference"},
    "resources": {"items": {"path": "/items", "create": "POST /items", "since": "since", "lag": 5}},
}


def connect(description: Any) -> Connector:
    options = {"platform": "our_erp", "description": description}
    return CATALOG["generic_rest"](channel="erp-kz", url="http://erp.example", options=options, ports=ports_with({}))


def changed(path: str, value: Any) -> dict[str, Any]:
    found = copy.deepcopy(GOOD)
    *steps, last = path.split("/")
    place = found
    for step in steps:
        place = place.setdefault(step, {})
    place[last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("autth", {}, "unknown key `autth`; did you mean `auth`"),
        ("resources/items/fetchs", "GET /x", "resources.items: unknown key `fetchs`; did you mean `fetch`"),
        ("resources/items/paging", "cursors", "unknown paging `cursors`; did you mean `cursor`"),
        ("resources/items/paging_options", {"nxt": "x"}, "unknown key `nxt`; did you mean `next`"),
        ("resources/items/batch_options", {"resluts": "x"}, "did you mean `results`"),
        ("resources/items/update", "PATCHY /x", "update: should be METHOD and path"),
        ("resources/items/create", "POST items", "create: should be METHOD and path"),
        ("resources/items/batch", "many", "Expected `int`, got `str`; see `batch`"),
        ("resources/items/batch", 5, "`batch` needs `batch_path`"),
        ("resources/items/page_size", 0, "1 or more"),
        ("resources/items/updated", None, "`since` needs `updated`"),
        ("resources/items/path", "items", "begin with /"),
        ("resources/items/reference", None, "need each other"),
        ("resources/items", {"items": "x"}, "`path` is missing"),
        ("resources/items", ["x"], "should be a map, found list"),
        ("resources", {}, "hold at least one"),
        ("auth/scheme", "beerer", "unknown scheme `beerer`; did you mean `bearer`"),
        ("auth/tokn", "x", "unknown key `tokn`; did you mean `token`"),
        ("auth", {"token": "x"}, "known schemes: basic, bearer"),
        ("signature/scheme", "hmac", "did you mean `hmac_sha256`"),
        ("signature/tolerence", 5, "did you mean `tolerance`"),
        ("notices/resorce", "x", "did you mean `resource`"),
        ("notices", "x", "should be a map, found str"),
        ("subscribe", "/webhooks", "subscribe: should be METHOD and path"),
        ("by_reference/parm", "x", "did you mean `param`"),
    ],
)
def test_a_mistake_in_a_description_names_its_place_and_what_is_allowed(path: str, value: Any, says: str) -> None:
    """Where, what was found, what is allowed."""
    with pytest.raises(Misconfigured) as caught:
        connect(changed(path, value))
    text = str(caught.value)
    assert text.startswith("erp-kz: platforms/our_erp.yaml: ")
    assert says in text


def test_a_missing_description_is_named() -> None:
    """`generic_rest` without its YAML cannot work."""
    with pytest.raises(Misconfigured, match="should be a map"):
        connect(None)


def test_one_line_says_how_all_resources_are_found_by_our_reference() -> None:
    """P2: a resource that is created has it, unless its own row says otherwise."""
    row = connect(GOOD).resources["items"]
    assert (row.reference, row.reference_field) == ("ref", "reference")
    own = changed("resources/items/reference", "external")
    own["resources"]["items"]["reference_field"] = "external_id"
    assert connect(own).resources["items"].reference == "external"
    none = changed("resources/items/reference", None)
    none["resources"]["items"]["reference_field"] = None
    assert connect(none).resources["items"].reference is None


@pytest.mark.parametrize(
    "path",
    [*sorted((ROOT / "deployments/sandbox/retail/platforms").glob("*.yaml")), *connectors.DESCRIBED.values(),
     *sorted((ROOT / "deployments/examples").glob("*/platforms/*.yaml"))],
    ids=lambda path: path.stem,
)  # fmt: skip
def test_every_description_that_comes_with_serai_is_right(path: Path) -> None:
    """The demo and the examples start, and so does a channel of a platform that needs no Python."""
    described, _ = load_yaml(path.read_text(encoding="utf-8"), path.name)
    assert connect(described).resources


def test_every_key_and_function_is_in_the_readme() -> None:
    """Who describes a system finds every word in one place."""
    text = (ROOT / "connectors" / "README.md").read_text(encoding="utf-8")
    words = {*_KEYS, *_NOTICES, *paging.STYLES, *paging.OPTIONS, *schemes.SCHEMES, *signatures.SIGNATURES, *CATALOG}
    for known in (*schemes.OPTIONS.values(), *signatures.OPTIONS.values()):
        words |= known
    assert sorted(word for word in words if f"`{word}`" not in text) == []


def test_the_engines_stay_small_enough_to_be_read_in_an_hour() -> None:
    """Who adds a platform reads them first; what only one platform needs belongs to that platform."""
    lines = {path.stem: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.glob("connectors/*.py")}
    assert sum(lines[engine] for engine in ("rest", "graphql", "paging", "auth", "signatures")) <= 1_000
    assert lines["base"] <= 250
    assert lines["rest"] < 400
