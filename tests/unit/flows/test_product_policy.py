"""policies/products.yaml: read, checked with file:line:column, and tested in its own file."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from deployments.authoring.schemas import schemas
from deployments.cli import app
from flows.settings import load_project
from mappings.commerce.products import Requirement
from mappings.language import LintErrors, load_yaml

COMPANIES = "kz: {name: Karavan, country: KZ, currency: KZT, tax: 0.16, price_list: retail}\n"
CHANNELS = "shop-kz: {platform: tryton, company: kz, url: http://localhost, entities: {product: on}}\n"
PRODUCTS = """\
shop-kz:
  content: [shop-kz, kk]
  over: [name, description]
  categories: {Чайники: "751"}
  attributes: {цвет: {name: color, values: {красный: red}}}
  requires:
    - product.description
    - {path: product.name, longest: 5, plain: true}
    - {any: [variant.gtin, variant.mpn]}
    - {path: product.attributes.size, when: {product.category: ["751"]}}
  unready: withdraw
  gtins: worldwide
tests:
  - name: a kettle in the shop's own words lacks a size and a number
    given:
      channel: shop-kz
      product:
        {name: Чайник, description: "", category: Чайники, attributes: {цвет: красный},
         content: [{key: kk, description: Мыс}]}
      variant: {gtin: "2000000000015", mpn: n/a}
    expect:
      product: {description: Мыс, category: "751", attributes: {color: red}}
      variant: {gtin: null}
      missing: [product.name, variant.gtin, product.attributes.size]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    for name, text in (("companies", COMPANIES), ("channels", CHANNELS), ("policies/products", PRODUCTS)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_the_file_says_what_a_channel_shows_and_requires_and_its_test_holds_it_to_that(project: Path) -> None:
    listing = load_project(project).products["shop-kz"]
    assert (listing.content, listing.over, listing.unready) == (("shop-kz", "kk"), ("name", "description"), "withdraw")
    assert listing.requires[1] == Requirement(paths=("product.name",), longest=5, plain=True)
    assert listing.requires[3].when == {"product.category": ("751",)}
    done = CliRunner().invoke(app, ["test", str(project), "--format", "json"])
    assert [row["passed"] for row in json.loads(done.stdout)] == [True]
    (project / "policies/products.yaml").write_text(PRODUCTS.replace("longest: 5", "longest: 6"))
    assert CliRunner().invoke(app, ["test", str(project)]).exit_code == 1


def test_an_editor_accepts_what_is_read(project: Path) -> None:
    data, _ = load_yaml(PRODUCTS, "products.yaml")
    jsonschema.Draft202012Validator(schemas()["products"]).validate(json.loads(json.dumps(data)))


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("shop-kz:\n", "shop-kk:\n", "1:1: unknown-channel: found 'shop-kk'; one of shop-kz"),
        ("over: [name,", "over: [title,", "unknown-field: found 'title'; one of name, description, link, images"),
        ("product.description\n", "product.text\n", "7:7: unknown-path: no listing has 'product.text'"),
        ("[variant.gtin,", "[product.gtin,", "no listing has 'product.gtin'; one of variant.gtin"),
        ("{any: ", "{path: product.link, any: ", "it needs `path` or `any`, one of them"),
        ("longest: 5", "longest: 0", "number: found 0; a whole number from 1 on"),
        ("plain: true", "plain: 1", "type: found 1; true or false"),
        ('"751"}\n  attr', "751}\n  attr", "the channel's word as text; put a number in quotes"),
        ("unready: withdraw", "unready: hide", "unready: found 'hide'; one of keep, withdraw"),
        ("gtins: worldwide", "gtins: all", "gtins: found 'all'; one of any, worldwide"),
        ("  unready", "  unreday", "unknown-key: unknown key 'unreday'; did you mean 'unready'?"),
        ("{цвет: {name: color,", "{тон: {name: color}, цвет: {name: color,", "twice: 'color' is the name of 'тон'"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(
    project: Path, before: str, after: str, says: str
) -> None:
    assert PRODUCTS.count(before) >= 1
    (project / "policies/products.yaml").write_text(PRODUCTS.replace(before, after, 1))
    with pytest.raises(LintErrors) as found:
        load_project(project)
    told = [str(error) for error in found.value.errors]
    assert any(says in line and line.startswith("policies/products.yaml:") for line in told), told
