"""`serai demo`: Karavan Home on simulated systems, to look around in; with --once, one scripted day and a verdict.

What surprises here: the project is a fresh copy in ``.serai/demo`` below the working directory, so every demo begins at
first contact. The day's exit code is 0 only if the judge, who reads nothing but the systems' own books, finds every
system right.
"""

from __future__ import annotations

import json as jsonlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from deployments.demo.data import LAST_KETTLE, WAREHOUSE, karavan_home
from deployments.demo.judge import Claim, Verdict, judge
from deployments.demo.scenes import Goods
from deployments.demo.script import UNKNOWN_SKU, day
from deployments.demo.systems import COUNTED, MORE, PLAYERS
from deployments.sandbox.people import People
from deployments.sandbox.start import Sandbox, start_sandbox

HERE = Path(__file__).parent
SEED = 7
SYSTEMS = ("erp", "crm", "shop", "pos", "market", "amazon", "pricelist", "erp_bg", "shop_bg")
FETCHED_EVERY = 1.0
"""Seconds; the real marketplace comes for its price list every 30 to 60 minutes."""


def run_demo(*, once: bool, json: bool, without_serai: bool, seed: int = SEED) -> int:
    """The exit code: 0, or 1 when the judge found something wrong."""
    folder = fresh_project(Path.cwd() / ".serai" / "demo")
    say = partial(Console(stderr=True).print, soft_wrap=True, highlight=False)
    say(f"starting {len(SYSTEMS)} simulated systems (seed {seed}) and the data of Karavan Home")
    players = MORE if without_serai else PLAYERS  # the copy loop speaks with the sandbox's own systems
    sandbox = start_sandbox(seed=seed, folder=folder / ".serai" / "books", players=players)
    os.environ.update(sandbox.environment() | {"SERAI_DEV": "1"})
    try:
        if without_serai:
            return _finish(play_without(sandbox, seed), json)
        if once:
            with ThreadPoolExecutor(1) as aside:  # the copy loop plays while Prefect's server starts
                loop = aside.submit(play_aside, seed)
                played = play(sandbox, folder, seed, say, after=loop.result)
                beside = {line["at"]: line for line in loop.result()["lines"]}
            for line in played["lines"]:
                line["loop"] = said(beside[line["at"]])
            return _finish(played, json)
        return look_around(sandbox, folder, say)
    finally:
        sandbox.stop()


def fresh_project(folder: Path) -> Path:
    """A copy of the demo's project files, its databases forgotten."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for path in HERE.iterdir():
        if path.suffix == ".yaml":
            shutil.copy(path, folder)
        elif path.is_dir() and path.name in ("policies", "platforms", "mappings"):
            shutil.copytree(path, folder / path.name)
    return folder


def goods(seed: int) -> Goods:
    """SKUs that everybody sells, of which there is enough, and about which no two systems disagree."""
    retailer = karavan_home(seed)
    in_astana = {variant.sku: variant.on_hand.get("astana-1", 0) for variant in retailer.variants()}
    apt = [
        variant.sku for product in retailer.products for variant in product.variants
        if {"erp", "shop", "market", "pos"} <= variant.sold_in and not variant.shows and not variant.prices
        and variant.on_hand.get(WAREHOUSE, 0) >= 20 and variant.on_hand.get("almaty-1", 0) >= 3
        and variant.on_hand.get("almaty-2", 0) >= 1 and variant.sku != LAST_KETTLE
    ]
    held = next(variant.sku for variant in retailer.variants() if "mkt-alm" in variant.on_hand)
    network = next(v.sku for v in retailer.variants() if "amz-alm" in v.on_hand and not v.prices)
    amazon = next(v.sku for v in retailer.variants()
                  if "amazon" in v.sold_in and not v.prices and v.sku != network and v.on_hand[WAREHOUSE] >= 20)
    listed = next(sku for sku in apt[10:] if in_astana[sku] >= 3)
    abroad = next(offer.variant.sku for offer in retailer.abroad if offer.on_hand["plovdiv-wh"] >= 6)
    return Goods(stocked=apt[0], priced=apt[1], ordered=apt[2], second=apt[3], third=apt[4], till=apt[5],
                 collect=apt[6], returned=apt[7], unpaid=apt[8], signed=apt[9], held=held, abroad=abroad,
                 amazon=amazon, network=network, listed=listed)


def look_around(sandbox: Sandbox, folder: Path, say: Any) -> int:
    """Everything runs until Ctrl-C; prints where to look, and the survey of first contact."""
    from deployments.commands.houses import told
    from deployments.local import interruptible, running
    from deployments.tables import print_survey
    from flows import steps
    from flows.survey import survey
    from flows.wiring import opened

    with interruptible(), told(folder, {**sandbox.environment(), "SERAI_DEV": "1"}):
        with opened(folder) as house:
            say("what is wrong today, before anything is connected (`serai survey`; nothing is written):")
            print_survey(survey(house))
        with running(folder, env=sandbox.environment(), say=say) as here:
            connect(sandbox, here.urls["receiver"], every=60)
            say(f"\nconsole  {here.urls['console']}\nPrefect  {here.urls['prefect']}\nproject  {folder}")
            say("reading every channel once; from now on notices come at once, the timetable is the safety net")
            with opened(folder) as house:
                read = sum(ledger.read for ledger in steps.pull_all(house))
            say(f"{read} items read: the ERP's are records now, the others wait in shadow for a person")
            say("next, in another terminal (or the first two in the console):\n" + "\n".join(
                f"  .venv/bin/serai {words} --project .serai/demo" for words in (
                    "match", "match accept --exact", "channel shop-kz all on --because trying", "pull shop-kz",
                    "status",
                )
            ) + "\nCtrl-C stops it all")
            while True:
                time.sleep(3600)
    return 0


def play(sandbox: Sandbox, folder: Path, seed: int, say: Any, *, after: Callable[[], object]) -> dict[str, Any]:
    """The day with Serai; what happened, the verdict, and Serai's own counts beside the books'.

    It begins when Prefect answers and ``after`` has returned, which needs the same cores.
    """
    from deployments.local import running

    with running(folder, env=sandbox.environment(), ports={"prefect": 0, "console": 0, "receiver": 0}, say=say) as here:
        os.environ.update({name: here.env[name] for name in here.env if name.startswith(("SERAI_", "PREFECT_"))})
        from deployments.demo.with_serai import WithSerai
        from flows.wiring import opened

        after()
        began_at = time.monotonic()
        people = sandbox.people()
        connect(sandbox, here.urls["receiver"], every=FETCHED_EVERY)
        with opened(folder) as house:
            keeper = WithSerai(house=house, people=people, systems=SYSTEMS)
            began = _marks(people)
            lines = _play(people, keeper, seed, say)
            quiet = _marks(people)
            extra = keeper.quiet_round()
            counts = keeper.counts()
            balanced = keeper.all_balanced()
        seconds = time.monotonic() - began_at
    books = {name: people.books(name) for name in SYSTEMS}
    verdict = judge(books, began=began, quiet=quiet, seconds=seconds, claims=claims_of(books, counts))
    return {
        "lines": lines, "verdict": verdict,
        "serai": {
            "every_run_balanced": balanced, "writes_in_a_further_round": extra,
            "lag_seconds": {"longest": round(max(keeper.lags), 2), "median": round(median(keeper.lags), 2)},
            "counts": {" ".join(key): dict(outcomes) for key, outcomes in sorted(counts.items())},
            "why": [answer.row() for answer in keeper.answers],
        },
    }


def connect(sandbox: Sandbox, receiver: str, *, every: float) -> None:
    """What is set up outside of Serai: the price list is fetched at the receiver."""
    people, token = sandbox.people(), sandbox.playing["pricelist"].secrets["TOKEN"]
    people.fetches(f"{receiver}/feeds/{channel_of('pricelist')}/{token}", every=every)


def play_aside(seed: int) -> dict[str, Any]:
    """The same day with a copy loop, on systems of its own."""
    sandbox = start_sandbox(seed=seed, players=MORE)
    try:
        return play_without(sandbox, seed)
    finally:
        sandbox.stop()


def play_without(sandbox: Sandbox, seed: int) -> dict[str, Any]:
    """The same day with a plain copy loop."""
    from deployments.demo.without_serai import WithoutSerai

    began_at = time.monotonic()
    people = sandbox.people()
    keeper = WithoutSerai(sandbox.environment(), people)
    began = _marks(people)
    lines = _play(people, keeper, seed, lambda *_: None)
    quiet = _marks(people)
    keeper.catch_up()
    books = {name: people.books(name) for name in SYSTEMS}
    verdict = judge(books, began=began, quiet=quiet, seconds=time.monotonic() - began_at)
    return {"lines": lines, "verdict": verdict, "failures": keeper.failures}


def _play(people: People, keeper: Any, seed: int, say: Any) -> list[dict[str, Any]]:
    lines = []
    for moment in day(people, keeper, goods(seed)):
        began = time.monotonic()
        done = moment.act()
        followed = moment.follow()
        seen = moment.seen()
        lines.append({"at": moment.at, "what": moment.what, "done": done or "", "followed": followed, "seen": seen,
                      "seconds": round(time.monotonic() - began, 1)})
        say(f"{moment.at} {moment.what}: {'; '.join(one for one in (followed, seen) if one)}")
    return lines


def _marks(people: People) -> dict[str, int]:
    return {name: len(people.books(name)) for name in SYSTEMS}


def claims_of(
    books: Mapping[str, Any], counts: Mapping[tuple[str, str, str], Mapping[str, int]]
) -> list[Claim]:
    """Serai's own counts beside those of the systems' books: what was written to each, and which orders came of it."""
    claims: list[Claim] = []
    for system, counted in COUNTED.items():
        for entities, resource in counted.items():
            ours = sum(counts.get((channel_of(system), "outward", entity), {}).get("written", 0) for entity in entities)
            taken = [entry for entry in books[system] if entry["kind"] == "write" and 200 <= entry["status"] < 300]
            writes: dict[str, bool] = {}
            for of, write, changed in map(_step_of, taken):
                if of == resource:
                    writes[write] = writes.get(write, False) or changed
            claims.append(Claim(system=system, what=f"{' and '.join(entities)} writes", ours=ours,
                                least=sum(writes.values()), most=len(writes)))
    for system in ("shop", "market", "amazon", "pos", "shop_bg"):
        found = counts.get((channel_of(system), "inward", "order"), {})
        known = found.get("created", 0) + found.get("parked", 0)  # a parked order is a record, its park beside it
        placed = sum(1 for entry in books[system] if entry["kind"] in ("order", "sale") and entry.get("why") != "api")
        claims.append(Claim(system=system, what="orders taken", ours=known, least=placed, most=placed))
    return claims


def _step_of(entry: Mapping[str, Any]) -> tuple[str, str, bool]:
    """The resource that a call wrote, which write it is a step of (its own, unless it says), and whether that changed
    anything."""
    of, _, key = str(entry.get("of") or f"{entry['resource']}/{entry['n']}").partition("/")
    return of, key, bool(entry["changed"])


def channel_of(system: str) -> str:
    """What the project calls a system: erp → erp-kz, erp_bg → erp-bg."""
    name, _, company = system.partition("_")
    return f"{name}-{company or 'kz'}"


def said(line: Mapping[str, Any]) -> str:
    """What people did and saw, and what the keeper said of it."""
    return "; ".join(part for part in (line["done"], line["followed"], line["seen"]) if part)


def _finish(played: dict[str, Any], json: bool) -> int:
    verdict: Verdict = played["verdict"]
    if json:
        jsonlib.dump({**played, "verdict": verdict.row()}, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        show(played, verdict)
    return 0 if verdict.right else 1


def show(played: Mapping[str, Any], verdict: Verdict) -> None:
    """The day and its verdict as tables."""
    console = Console()
    table = Table(title="Karavan Home, one trading day", title_justify="left", pad_edge=False, show_lines=True)
    alone = not any("loop" in line for line in played["lines"])
    columns = [("", 5), ("what happens", 30), ("a copy loop", 40), ("s", 5)] if alone else [
        ("", 5), ("what happens", 30), ("what a copy loop makes of it", 34), ("what Serai makes of it", 48), ("s", 5)
    ]  # fmt: skip
    for name, width in columns:
        table.add_column(name, max_width=width, justify="right" if name == "s" else "left", overflow="fold")
    for line in played["lines"]:
        loop = () if alone else (line["loop"],)
        table.add_row(line["at"], line["what"], *loop, said(line), f"{line['seconds']:.1f}")
    console.print(table)
    figures = Table(title="the judge, from the systems' own books", title_justify="left", pad_edge=False)
    figures.add_column("figure")
    figures.add_column("value", justify="right")
    for name, value in verdict.row().items():
        if name not in ("disagreements", "right"):
            figures.add_row(name, str(value))
    console.print(figures)
    for sentence in verdict.disagreements[:20]:
        console.print(f"  · {sentence}", highlight=False)
    console.print("[bold green]every system is right[/]" if verdict.right else "[bold red]not every system is right[/]")


__all__ = ["UNKNOWN_SKU", "run_demo"]
