"""A plan says exactly what apply then does, and neither does anything else (P12).

The retailer of `tests.scenario.world`: real simulated systems over HTTP, the demo's project, a real registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from flows.apply import Applied, CannotApply, Moved, apply, first_release
from flows.deciding import LOOKS_FOR
from flows.plan import ABSENT, Plan, Scope, plan
from flows.plan_file import read_plan, to_json
from flows.wiring import House, open_house
from registry import (
    audit_rows,
    bindings_where,
    hops_of,
    newest_release,
    outbox_counts,
    records_where,
)
from tests.scenario.border import Border, Crash
from tests.scenario.kept import made
from tests.scenario.world import World
from tests.unit.flows.retail import again, allow, live, values

ALL = ("erp-kz", "crm-kz", "shop-kz", "pos-kz", "market-kz")
SYSTEM = {name: name.removesuffix("-kz") for name in ALL}
Edit = Callable[[Path], None]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[World]:
    """A retailer in agreement, its first release made."""
    with made(tmp_path, in_agreement) as found:
        yield found


def in_agreement(world: World) -> World:
    """Two articles everywhere; the marketplace, which is told no names, has one of its own."""
    for sku, price in (("KTL-1", "1000.00"), ("KTL-2", "2500.50")):
        world.goods(sku, on_hand=10, price=price)
    world.people.edit("market", "offers", "KTL-1", {"title": "Kettle of the market"})
    live(world, *ALL)
    assert first_release(world.house, "Aigerim") is not None
    return world


# ── what an engineer edits ──────────────────────────────────────────────────────────────────────────────────────────
def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def override(folder: Path, platform: str, resource: str, block: str) -> None:
    """Rows of the project's own over those of a platform's mapping."""
    head = f"extends: {platform}/{resource}\nplatform: {platform}\nresource: {resource}\n"
    write(folder, f"mappings/{platform}/{resource}.yaml", head + block)


def titles(folder: Path, prefix: str = "Karavan ") -> None:
    override(folder, "sandbox_shop", "products",
             f"outward:\n  entity: product\n  fields:\n    title: = '{prefix}' + name\n")


def names(folder: Path) -> None:
    override(folder, "sandbox_erp", "products", "inward:\n  product:\n    name: = upper(title)\n")


def authority(folder: Path) -> None:
    path = folder / "authority.yaml"
    text = path.read_text(encoding="utf-8")
    write(folder, "authority.yaml", text.replace(
        "variant: {'*': [erp-kz]}", "variant: {'*': [erp-kz], name: [market-kz, erp-kz]}"
    ))


def shares(folder: Path, shop: str = "0.3", market: str = "0.7") -> None:
    text = (folder / "policies/stock.yaml").read_text(encoding="utf-8")
    for channel, share in (("shop-kz", shop), ("market-kz", market)):
        text = re.sub(rf"(?m)^({channel}: .*share: )[0-9.]+", rf"\g<1>{share}", text)
    write(folder, "policies/stock.yaml", text)


def dearer(folder: Path, factor: str = "140") -> None:
    override(folder, "sandbox_shop", "prices",
             f"outward:\n  entity: price\n  fields:\n    amountMinor: = int(amount(gross) * {factor})\n")


def all_at_once(folder: Path) -> None:
    for edit in (titles, authority, shares, dearer):
        edit(folder)


EDITS: Mapping[str, Edit] = {
    "a row outward": titles, "a row inward": names, "authority": authority, "shares of stock": shares,
    "prices": dearer, "all at once": all_at_once,
}


def files(world: World) -> Path:
    """The checkout: what the engineer edits."""
    return world.house.project.folder


# ── what systems hold ───────────────────────────────────────────────────────────────────────────────────────────────
def documents(world: World) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(system, resource, id) → document, of all systems, as they themselves have them."""
    return {
        (name, resource, id): deepcopy(row.doc)
        for name, system in world.sandbox.systems.items() for resource, table in system.tables.items()
        for id, row in table.rows.items()
    }


def changed(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> set[tuple[str, str, str]]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def planned(world: World, made: Plan) -> set[tuple[str, str, str]]:
    """The documents that a plan names, as (system, resource, id)."""
    return {
        (SYSTEM[one.channel], world.house.of(one.channel).outward[one.entity].mapping.resource, str(one.id))
        for one in made.writes
    }


def holds(world: World, made: Plan, side: str) -> list[str]:
    """Planned fields that the systems' documents do not hold as the plan says; ``side`` is before or after."""
    docs = documents(world)
    wrong = []
    for one in made.writes:
        resource = world.house.of(one.channel).outward[one.entity].mapping.resource
        doc = docs[SYSTEM[one.channel], resource, str(one.id)]
        for change in one.fields:
            wanted = getattr(change, side)
            if wanted == ABSENT:    # what is told no more stays as it is
                wanted = change.before
            if doc[change.path] != wanted:
                wrong.append(f"{one.channel} {one.label} {change.path}: {doc[change.path]!r}, planned {wanted!r}")
    return wrong


def applied(world: World, made: Plan, **how: Any) -> Applied:
    return apply(world.house, made, who="Aigerim", **how)


# ── plan = apply ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_what_a_plan_says_is_exactly_what_apply_does(shop: World, edit: Edit) -> None:
    """P12: the same documents, the same fields, from and to the same values; and the next plan is empty."""
    edit(files(shop))
    made = plan(shop.house)
    assert made.writes
    assert holds(shop, made, "before") == []
    marks, before = shop.marks(), documents(shop)

    done = applied(shop, made)

    assert (len(done.written), done.left, done.skipped) == (len(made.writes), [], [])
    assert changed(before, documents(shop)) == planned(shop, made)
    assert holds(shop, made, "after") == []
    written = {tuple(line.split()[i] for i in (0, 1, 3)) for line in shop.writes(marks)}
    assert written == planned(shop, made)
    assert plan(shop.house).writes == []
    with shop.registry.read() as tx:
        assert outbox_counts(tx) == {}


def test_plan_and_apply_agree_on_either_database(retail_on_each: World) -> None:
    """P12, P15: what a plan reads is copied from SQLite and PostgreSQL alike."""
    shop = in_agreement(retail_on_each)
    all_at_once(files(shop))
    made = plan(shop.house)
    before = documents(shop)
    applied(shop, made)
    assert made.writes
    assert changed(before, documents(shop)) == planned(shop, made)
    assert plan(shop.house).writes == []


def test_what_runs_needs_no_plan(retail: World) -> None:
    """A checkout equal to what runs changes nothing, before the first release and after it."""
    retail.goods("KTL-1", on_hand=10)
    live(retail, *ALL)
    retail.buy("shop", {"KTL-1": 1})
    retail.until_quiet()
    assert plan(retail.house).writes == []
    first_release(retail.house, "Aigerim")
    made = plan(retail.house, Scope(all_of_it=True))
    assert (made.writes, made.files) == ([], [])


def test_a_plan_asks_nobody_and_writes_nowhere(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """P12: no request leaves, and every row of the registry is as it was."""
    all_at_once(files(shop))
    before, sent = rows(shop), []

    def send(self: object, request: requests.PreparedRequest, **_: object) -> requests.Response:
        sent.append(request.url)
        raise AssertionError("a plan sends nothing")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    made = plan(shop.house)
    assert made.writes
    assert sent == []
    assert rows(shop) == before


def rows(world: World) -> list[str]:
    """Everything the registry holds."""
    with world.registry.engine.connect() as conn:
        return list(conn.connection.dbapi_connection.iterdump())  # type: ignore[union-attr]  # it is SQLite's


def test_a_plan_names_the_file_and_line_behind_each_write(shop: World) -> None:
    """P11, P12: why a title, a figure and a name would be others."""
    for edit in (titles, authority, shares):
        edit(files(shop))
    made = plan(shop.house)
    because = {(one.channel, one.entity, one.label): one.because for one in made.writes}
    assert because["shop-kz", "product", "P-KTL-2"] == ("project/mappings/sandbox_shop/products.yaml:7",)
    assert because["shop-kz", "variant", "KTL-1"] == ("authority.yaml: variant.name: erp-kz → market-kz, erp-kz",)
    assert because["shop-kz", "stock", "KTL-1"][0].startswith("policies/stock.yaml: market-kz.share 0.4 → 0.7")
    assert [(file.name, file.what) for file in made.files] == [
        ("authority.yaml", "changed"), ("project/mappings/sandbox_shop/products.yaml", "added"),
        ("policies/stock.yaml", "changed"),
    ]


def shop_page(world: World, handle: str) -> str:
    return next(doc["id"] for doc in world.sandbox.systems["shop"].docs("products") if doc["handle"] == handle)


def test_money_that_moves_is_summed_exactly_and_the_breaker_says_what_it_thinks(shop: World) -> None:
    """P9: a factor in a mapping that makes everything dearer by 40 % is told before it is live."""
    write(files(shop), "policies/breaker.yaml", "'*': {price: 0.3}\n")
    dearer(files(shop))
    (part,) = [part for part in plan(shop.house).parts if part.writes]
    assert part.money() == {"KZT": (Decimal("1400.20"), Decimal("1000.20"))}
    assert part.verdict.held
    assert part.verdict.because == ("2 prices would move by more than 30 %, the farthest from 2500.50 to 3500.70",)
    dearer(files(shop), "120")
    assert [part.verdict.held for part in plan(shop.house).parts if part.writes] == [False]
    write(files(shop), "policies/breaker.yaml", "'*': {price: 0.1}\n")
    assert [part.verdict.held for part in plan(shop.house).parts if part.writes] == [True]


def test_what_a_changed_mapping_lets_through_is_created_as_planned(retail: World) -> None:
    """P12: a page and its articles, which refer to a page that does not exist while the plan is made."""
    keep_out = "outward:\n  entity: product\n  drop_if:\n    not for the shop: = code == 'P-NEW'\n  fields: {}\n"
    override(files(retail), "sandbox_shop", "products", keep_out)
    retail.house.close()
    retail.desk = opened_again(retail)
    retail.house = retail.worker()
    retail.goods("KTL-1")
    retail.goods("NEW", listed=False)
    live(retail, *ALL)
    first_release(retail.house, "Aigerim")
    allow(retail, "shop-kz")
    (files(retail) / "mappings/sandbox_shop/products.yaml").unlink()

    made = plan(retail.house)
    kinds = {(one.entity, one.op, one.label) for one in made.writes if one.channel == "shop-kz"}
    assert {("product", "create", "P-NEW"), ("variant", "create", "NEW")} <= kinds
    marks, before = retail.marks(), documents(retail)
    done = applied(retail, made)
    assert done.left == []
    new = {(resource, doc["handle"] if resource == "products" else doc["sku"])
           for (_, resource, _), doc in documents(retail).items()
           if doc not in before.values() and resource in ("products", "variants")}
    assert new == {("products", "P-NEW"), ("variants", "NEW")}
    assert len(retail.writes(marks)) == len(made.writes)
    assert plan(retail.house).writes == []


def opened_again(world: World) -> House:
    """The world's desk, its files read again."""
    return open_house(files(world), registry=world.desk.registry)


def test_part_of_a_plan_is_applied_and_the_rest_is_planned_again(shop: World) -> None:
    """``--channel`` and ``--entity``: nothing of the others is written, and nothing of them is forgotten."""
    all_at_once(files(shop))
    whole = {one.key for one in plan(shop.house).writes}
    part = plan(shop.house, Scope(channel="shop-kz", entity="price"))
    assert {one.entity for one in part.writes} == {"price"}
    before = documents(shop)
    applied(shop, part)
    assert changed(before, documents(shop)) == planned(shop, part)
    with shop.registry.read() as tx:
        assert outbox_counts(tx) == {}      # records are others now, and no channel hears of it by itself
    rest = plan(shop.house)
    assert {one.key for one in rest.writes} == whole - {one.key for one in part.writes}
    applied(shop, rest)
    assert plan(shop.house).writes == []


# ── what moved meanwhile ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_planned_record_that_moved_is_named_and_nothing_is_done(shop: World) -> None:
    """P12: the others are applied when the person says so; the moved one is planned anew."""
    titles(files(shop))
    made = plan(shop.house)
    shop.people.edit("erp", "products", "P-KTL-1", {"title": "Renamed"})
    again(shop, "erp-kz", "shop-kz")
    before = documents(shop)
    with pytest.raises(Moved) as refused:
        applied(shop, made)
    assert [one.label for one in refused.value.writes] == ["P-KTL-1"]
    assert "shop-kz product P-KTL-1" in str(refused.value)
    assert documents(shop) == before
    with shop.registry.read() as tx:
        release = newest_release(tx)
    assert release is not None
    assert release.number == 1

    done = applied(shop, made, skip_stale=True)
    assert [one.label for one in done.written] == ["P-KTL-2"]
    assert changed(before, documents(shop)) == {("shop", "products", shop_page(shop, "P-KTL-2"))}
    (left,) = plan(shop.house).writes
    assert (left.label, left.fields[0].after) == ("P-KTL-1", "Karavan Renamed")


def test_a_plan_is_refused_for_other_files_and_after_another_release(shop: World) -> None:
    """What was read in the plan is what goes live, or nothing does."""
    titles(files(shop))
    made = plan(shop.house)
    titles(files(shop), "Other ")
    with pytest.raises(CannotApply, match="are not those that were planned"):
        applied(shop, made)
    other = plan(shop.house)
    applied(shop, other)
    titles(files(shop))
    with pytest.raises(CannotApply, match="release 2 went live since"):
        applied(shop, made)


def test_a_plan_of_another_registry_is_refused(shop: World) -> None:
    """A plan made against staging is not applied to production, whatever the files say."""
    titles(files(shop))
    with pytest.raises(CannotApply, match="another registry"):
        applied(shop, replace(plan(shop.house), registry="1"))


def test_a_plan_survives_its_file(shop: World, tmp_path: Path) -> None:
    """What `apply` reads is what `plan` wrote, to the last digit; anything else is refused in a sentence."""
    all_at_once(files(shop))
    made = plan(shop.house)
    path = tmp_path / "plan.json"
    path.write_bytes(to_json(made))
    assert read_plan(path) == made
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(CannotApply, match="is no plan of this version"):
        read_plan(path)
    with pytest.raises(CannotApply, match="No such file"):
        read_plan(tmp_path / "none.json")


# ── what runs ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_saving_a_file_changes_nothing_that_runs(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """P12: workers run the released set; even a file that no longer passes lint stops nobody."""
    titles(files(shop))
    write(files(shop), "authority.yaml", "product: nonsense\n")
    worker = open_house(files(shop), registry=shop.desk.registry)
    assert worker.release_number == 1
    assert worker.of("shop-kz").outward["product"].mapping.hash == (
        shop.desk.of("shop-kz").outward["product"].mapping.hash
    )
    assert worker.authority("product") == {"*": ["erp-kz"]}
    assert not worker.outdated()

    monkeypatch.setenv("SERAI_DEV", "1")
    write(files(shop), "authority.yaml", "product: {'*': [erp-kz]}\n")
    follower = open_house(files(shop), registry=shop.desk.registry)
    assert follower.release_number is None
    assert "Karavan" in follower.of("shop-kz").outward["product"].mapping.source
    assert not follower.outdated()
    titles(files(shop), "Other ")
    assert follower.outdated()


def test_a_release_is_known_by_those_who_work_and_by_what_they_leave(shop: World) -> None:
    """P11: who works for long sees that another release is in force; hops and audit name it."""
    worker = open_house(files(shop), registry=shop.desk.registry)
    titles(files(shop))
    done = applied(shop, plan(shop.house), because="shorter")
    assert worker.outdated()
    with shop.registry.read() as tx:
        (page,) = [b for b in bindings_where(tx, "shop-kz", "product") if b.external_id == shop_page(shop, "P-KTL-1")]
        newest = hops_of(tx, str(page.uid))[0]
        audited = audit_rows(tx, 1)[0]
    assert (newest.direction, newest.channel, newest.release) == ("outward", "shop-kz", 2)
    assert (audited.what, audited.who, audited.because, audited.after) == (
        "release 2", "Aigerim", "shorter", done.release.content
    )


def test_a_changed_mapping_is_applied_to_kept_documents_without_asking_again(shop: World) -> None:
    """§7: contributions are mapped anew; when a field last moved stays, so nobody's newer edit is overruled."""
    before = {b.external_id: b.changed for b in kept(shop, "erp-kz", "product")}
    names(files(shop))
    marks = shop.marks()
    done = applied(shop, plan(shop.house))
    assert done.contributions == 2
    assert values(shop.house, "product", "P-KTL-1")["name"] == "ЧАЙНИК KTL-1"
    assert {b.external_id: b.changed for b in kept(shop, "erp-kz", "product")} == before
    assert {b.mapping_hash for b in kept(shop, "erp-kz", "product")} == {
        open_house(files(shop), registry=shop.desk.registry).of("erp-kz").inward["products"].hash
    }
    assert shop.writes(marks, "erp") == []
    assert [entry for entry in shop.sandbox.systems["erp"].books.after(marks["erp"])] == []


def kept(world: World, channel: str, entity: str) -> list[Any]:
    with world.registry.read() as tx:
        return bindings_where(tx, channel, entity)


# ── killed and repeated ─────────────────────────────────────────────────────────────────────────────────────────────
def crashes(world: World, made: Plan, places: Iterable[int]) -> Iterator[int]:
    """Kills an apply before these crossings of the border, one after another, until it lives."""
    for place in places:
        world.restart(Border(at=place))
        try:
            applied(world, made)
        except Crash:
            yield place
            world.pass_time(LOOKS_FOR)
            continue
        return
    raise AssertionError("it never got through")


@pytest.mark.parametrize(
    "places", [(1, 2, 4, 7, 11, 16, 22, 29, 37, 46, 56), range(4, 100, 5)], ids=["ever later", "each fifth"]
)
def test_an_apply_that_is_killed_anywhere_is_simply_repeated(shop: World, places: Iterable[int]) -> None:
    """P15: each repetition goes one step further; at the end everything is as planned, and nothing else is."""
    for edit in (titles, names, authority, shares):
        edit(files(shop))
    made = plan(shop.house)
    before = documents(shop)
    assert len(list(crashes(shop, made, places))) > 3
    assert holds(shop, made, "after") == []
    assert changed(before, documents(shop)) == planned(shop, made)
    with shop.registry.read() as tx:
        release = newest_release(tx)
        assert {record.values["name"] for record in records_where(tx, "product")} == {"ЧАЙНИК KTL-1", "ЧАЙНИК KTL-2"}
    assert release is not None
    assert (release.number, release.settled_at is not None) == (2, True)
    assert plan(shop.house).writes == []
