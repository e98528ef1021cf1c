"""First and second sync of 100,000 stock levels beside a bare fetch-map-send loop in the same run.

What surprises here:

* Serai's side is everything but Prefect: pages accepted into records with lineage, the rules of trade applied,
  idempotency keys fixed, receipts kept. The control fetches, maps, compares a hash in SQLite and sends.
* It is measured as it runs: this process reads, the drain (`deployments.drain`, a process of its own) writes what is
  decided meanwhile; the clock stops when nothing is open. The gate is the clock's; the CPU of all parties stands
  beside it. What one process takes that reads first and writes then is measured too, on a registry of its own: it
  says where the time goes.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import orjson
import requests
from sqlalchemy import text

from deployments.drain import alive
from flows import steps
from flows.wiring import House, open_house
from registry import BindingRow, RecordRow, Tx, claim_keys, consent, new_uids, put_bindings, put_records
from tests.bench.cpu import parent, seconds
from tests.bench.phases import phases
from tests.databases import fresh_postgres, fresh_sqlite

COUNT = 100_000
MEMORY = 250
TURNS = 3
"""Of so many runs, each right after one of the control's, the middle one by the clock counts, and so of the control's:
one run differs from the next by up to a fifth."""
FILES = {
    "companies.yaml": "kz: {name: Bench, country: KZ, currency: KZT, tax: 0.16, price_list: retail}\n",
    "authority.yaml": "location: {'*': [erp]}\nvariant: {'*': [erp]}\nstock: {'*': [erp]}\n",
    "policies/stock.yaml": "sources: {erp: {figure: on_hand, restocks: source}}\nshop: {locations: [main], share: 1}\n",
    "channels.yaml": """\
erp: {platform: bench_erp, company: kz, url: "env:BENCH_URL", entities: {location: on, variant: on, stock: on}}
shop: {platform: bench_shop, company: kz, url: "env:BENCH_URL", entities: {variant: on, stock: on}, receives: [stock]}
""",
    "platforms/bench_erp.yaml": """\
auth: {scheme: none}
check: GET /stock
resources:
  stock:
    {path: /stock, items: items, id: code, updated: changed_at, page_size: 250, stock_kind: on_hand, paging: cursor,
     paging_options: {param: cursor, next: next}}
""",
    "platforms/bench_shop.yaml": """\
auth: {scheme: none}
check: GET /stock
resources:
  stocks:
    {path: /stocks, items: items, id: sku, updated: null, create: POST /stocks, batch: 100,
     batch_path: POST /stocks/batch}
""",
    "mappings/bench_erp/stock.yaml": """\
platform: bench_erp
resource: stock
id: code
forms: {moment: {zone: UTC}}
inward:
  stock:
    variant: {from: item, ref: variant, otherwise: wait}
    location: {from: location, ref: location, otherwise: wait}
    quantity: {from: on_hand, as: {quantity: {unit: each, kind: on_hand}}}
    as_of: {from: changed_at, as: moment}
""",
    "mappings/bench_erp/stock.schema.json": """\
{"type": "object", "required": ["code", "item", "location", "on_hand", "changed_at"], "properties": {
  "code": {"type": "string"}, "item": {"type": "string"}, "location": {"type": "string"},
  "on_hand": {"type": "string", "format": "decimal"}, "changed_at": {"type": "string", "format": "date-time"}}}
""",
    "mappings/bench_shop/stocks.yaml": """\
platform: bench_shop
resource: stocks
id: sku
outward:
  entity: stock
  per: variant
  fields:
    sku: {ref: variant}
    available: = sum(int(stock.publish) for stock in stocks)
""",
}  # fmt: skip


@contextmanager
def api(count: int, *limit: int) -> Iterator[str]:
    """The local API in a process of its own; ``limit``: calls a second, and at once."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stock_api", str(count), *map(str, limit)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.communicate()


def known(house: House, count: int) -> None:
    """The variants and the location that the stock levels refer to, as earlier syncs would have left them."""
    uids = new_uids(count + 1)
    skus = [f"SKU-{n:06d}" for n in range(count)]

    def work(tx: Tx) -> None:
        place = uids[count]
        put_records(tx, [RecordRow(uid=place, entity="location", values={"code": "main", "name": "Main"})])
        claim_keys(tx, [("location", "code", "main", place)])
        put_bindings(tx, [BindingRow(channel="erp", entity="location", external_id="main", uid=place)])
        for start in range(0, count, 10_000):
            part = list(zip(uids[start:start + 10_000], skus[start:start + 10_000], strict=False))
            part = [(uid, sku) for uid, sku in part if uid != place]
            put_records(tx, [
                RecordRow(uid=uid, entity="variant", values={"sku": sku, "name": sku, "unit": "each"})
                for uid, sku in part
            ])
            put_bindings(tx, [
                BindingRow(channel=channel, entity="variant", external_id=sku, uid=uid)
                for uid, sku in part for channel in ("erp", "shop")
            ])
        consent(tx, "shop", "stock", "bench")

    house.registry.attempt(work)


def bare_loop(url: str, store: Path) -> int:
    """The control: fetch, map by hand, compare with the hash in SQLite, send by 100; rows sent."""
    session = requests.Session()
    session.trust_env = False
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    database = sqlite3.connect(store)
    database.execute("create table if not exists sent (sku text primary key, hash blob)")
    held = dict(database.execute("select sku, hash from sent"))
    batch: list[tuple[str, bytes, dict[str, Any]]] = []
    sent = 0

    def flush() -> None:
        nonlocal sent
        rows = [{"op": "create", "doc": doc} for _, _, doc in batch]
        answer = session.post(f"{url}/stocks/batch", data=orjson.dumps({"items": rows}), timeout=30,
                              headers={"Content-Type": "application/json"})
        results = decode(answer.content)["results"]
        database.executemany("insert or replace into sent values (?, ?)", [
            (sku, mark) for (sku, mark, _), result in zip(batch, results, strict=True) if result["status"] == 200
        ])
        database.commit()
        sent += len(batch)
        batch.clear()

    cursor: str | None = "0"
    while cursor is not None:
        page = decode(session.get(f"{url}/stock", params={"cursor": cursor}, timeout=30).content)
        for row in page["items"]:
            doc = {"sku": row["item"], "available": int(Decimal(row["on_hand"]))}
            mark = blake2b(orjson.dumps(doc), digest_size=16).digest()
            if held.get(row["item"]) != mark:
                batch.append((row["item"], mark, doc))
                if len(batch) == 100:
                    flush()
        cursor = page["next"]
    if batch:
        flush()
    database.close()
    return sent


@dataclass(frozen=True, kw_only=True)
class Took:
    """Seconds of one piece of work by the clock, and of all CPU (cpu.py); what it gave; where the time went."""

    wall: float
    cpu: float
    gave: int
    spent: Mapping[str, float] = field(default_factory=dict)


def took(work: Callable[[], int], server: int | None = None) -> Took:
    """Does it and measures it; ``server`` is the database's process."""
    with phases() as spent:
        wall, cpu = time.perf_counter(), seconds(server)
        gave = work()
        wall, cpu = time.perf_counter() - wall, seconds(server) - cpu
    return Took(wall=wall, cpu=cpu, gave=gave, spent=spent)


@contextmanager
def drain(house: House) -> Iterator[subprocess.Popen[bytes]]:
    """The drain beside this process, as `serai up` has it; inside the block it works."""
    folder = house.project.folder
    with (folder / "drain.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployments.drain", "--project", str(folder)], stderr=log,
            env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
        )
    try:
        while alive(house) is None:
            _works(process, folder)
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


def _works(process: subprocess.Popen[bytes], folder: Path) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"the drain ended: {(folder / 'drain.log').read_text(encoding='utf-8')[-2_000:]}")


def beside(house: House, process: subprocess.Popen[bytes], server: int | None) -> Took:
    """Pull of the whole while the drain writes, until no write is open; gives what was read."""

    def work() -> int:
        read = steps.pull(house, "erp", "stock", full=True, stretch=steps.UNBOUNDED).read
        while _anything_open(house):
            _works(process, house.project.folder)
            time.sleep(0.1)
        return read

    return took(work, server)


def _anything_open(house: House) -> bool:
    with house.registry.read() as tx:
        return bool(tx.rows(text("SELECT 1 FROM outbox LIMIT 1")))


def one_after_the_other(house: House, server: int | None) -> tuple[Took, Took]:
    """Pull of the whole (gives what was read) and push (gives what was written), in this process."""
    return (
        took(lambda: steps.pull(house, "erp", "stock", full=True, stretch=steps.UNBOUNDED).read, server),
        took(lambda: steps.push(house, "shop", "stock", stretch=steps.UNBOUNDED).total("written"), server),
    )


def server_of(house: House) -> int | None:
    """The database server's process; None for SQLite."""
    if not house.registry.postgres:
        return None
    with house.registry.read() as tx:
        return parent(tx.rows(text("SELECT pg_backend_pid()"))[0][0])


def project(folder: Path) -> Path:
    """The bench's project folder."""
    for name, lines in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines, encoding="utf-8")
    return folder


def measure(count: int = COUNT) -> tuple[list[dict[str, Any]], dict[str, dict[str, float]]]:
    """Rows of name, value, unit, control, ratio, gate; and title → phase → seconds."""
    rows: list[dict[str, Any]] = []
    profile: dict[str, dict[str, float]] = {}
    reads = writes = 0
    with api(count) as url, tempfile.TemporaryDirectory() as name:
        os.environ["BENCH_URL"] = url
        for dialect, first_gate in (("SQLite", 5.0), ("PostgreSQL", 4.0)):
            folder = Path(name) / dialect
            turns: list[list[Took]] = []
            for turn in range(TURNS):
                with _bench(folder / f"two-{turn}", dialect, count, url) as (house, server, control), \
                        drain(house) as process:
                    first = beside(house, process, server)
                    written = _written(url)
                    second = beside(house, process, server)
                    reads, writes = max(reads, _peak(os.getpid())), max(writes, _peak(process.pid))
                assert [first.gave, second.gave, written, _written(url)] == [count, count, count, 0], (first, second)
                turns.append([first, second, *control])
            firsts, again, *controls = zip(*turns, strict=True)
            rows += [
                _row(f"first sync of {count:,}, {dialect}", firsts, controls[0], f"≤ {first_gate:g}"),
                _row(f"second sync, 0 writes, {dialect}", again, controls[1], "≤ 2.5"),
            ]
            with _bench(folder / "one", dialect, count, url) as (house, server, control):
                parts = [*one_after_the_other(house, server), *one_after_the_other(house, server)]
            assert [part.gave for part in parts] == [count, count, count, 0], parts
            titles = ("first pull", "first push", "second pull")
            rows += [
                _row(f"{dialect}, one process: {title}", [part], [against], "")
                for title, part, against in zip(titles, parts, (control[0], control[0], control[1]), strict=False)
            ]
            profile |= {f"{title}, {dialect}": dict(part.spent) for title, part in zip(titles, parts, strict=False)}
    most = max(reads, writes)
    rows.append({"name": "peak memory of a process", "value": most, "unit": "MB", "control": MEMORY,
                 "ratio": round(most / MEMORY, 2), "gate": "≤ 1",
                 "detail": f"who reads {reads} MB, the drain {writes} MB, together {reads + writes} MB"})
    return rows, profile


@contextmanager
def _bench(
    folder: Path, dialect: str, count: int, url: str
) -> Iterator[tuple[House, int | None, tuple[Took, Took]]]:
    """A house of its own on an empty registry, its database server, and the control's two runs just before."""
    folder.mkdir(parents=True)
    control = _control(folder, count, url)
    _written(url)
    with fresh_sqlite(folder / "registry") if dialect == "SQLite" else fresh_postgres() as address:
        os.environ["SERAI_REGISTRY"] = address
        house = open_house(project(folder / "project"))
        try:
            known(house, count)
            yield house, server_of(house), control
        finally:
            house.close()


def _control(folder: Path, count: int, url: str) -> tuple[Took, Took]:
    """The control's first and second run."""
    first, second = (took(partial(bare_loop, url, folder / "control.db")) for _ in range(2))
    assert [first.gave, second.gave] == [count, 0]
    return first, second


def _written(url: str) -> int:
    """What arrived at the API since it was asked last."""
    return int(requests.get(f"{url}/written", timeout=5).json())


def _peak(process: int) -> int:
    """Megabytes that the process held at most."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def _row(name: str, parts: Sequence[Took], controls: Sequence[Took], gate: str) -> dict[str, Any]:
    """The middle of the parts beside the middle of the controls; all of them in the detail."""
    part, control = (sorted(of, key=lambda one: one.wall)[len(of) // 2] for of in (parts, controls))
    every = "; " + ", ".join(
        f"{one.wall:.2f} beside {other.wall:.2f}" for one, other in zip(parts, controls, strict=True)
    )
    return {
        "name": name, "value": round(part.wall, 2), "unit": "s", "control": round(control.wall, 2),
        "ratio": round(part.wall / control.wall, 2), **({"gate": gate} if gate else {}),
        "detail": f"{part.cpu:.1f} s CPU beside {control.cpu:.1f} s, {part.cpu / control.cpu:.1f}×"
                  + (every if len(parts) > 1 else ""),
    }
