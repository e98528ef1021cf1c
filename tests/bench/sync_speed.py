"""First and second sync of 100,000 stock levels beside a bare fetch-map-send loop in the same run.

What surprises here: Serai's side is everything but Prefect: pages accepted into records with lineage, the rules of trade
applied, idempotency keys fixed, receipts kept. The control fetches, maps, compares a hash in SQLite and sends.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import orjson
import requests

from flows import steps
from flows.wiring import House, open_house
from registry import BindingRow, RecordRow, Tx, claim_keys, consent, encode, new_uids, put_bindings, put_records
from tests.databases import fresh_postgres, fresh_sqlite

COUNT = 100_000
FILES = {
    "companies.yaml": "kz: {name: Bench, country: KZ, currency: KZT, tax: 0.16, price_list: retail}\n",
    "authority.yaml": "location: {'*': [erp]}\nvariant: {'*': [erp]}\nstock: {'*': [erp]}\n",
    "policies/stock.yaml": "shop: {locations: [main], share: 1}\n",
    "channels.yaml": """\
erp: {platform: bench_erp, company: kz, url: "env:BENCH_URL", entities: {location: on, variant: on, stock: on}}
shop: {platform: bench_shop, company: kz, url: "env:BENCH_URL", entities: {variant: on, stock: on}, receives: [stock]}
""",
    "platforms/bench_erp.yaml": """\
auth: {scheme: none}
check: GET /stock
resources:
  stock: {path: /stock, items: items, id: code, updated: changed_at, paging: cursor, paging_options: {param: cursor, next: next}, page_size: 250, stock_kind: on_hand}
""",
    "platforms/bench_shop.yaml": """\
auth: {scheme: none}
check: GET /stock
resources:
  stocks: {path: /stocks, items: items, id: sku, updated: null, create: POST /stocks, batch: 100, batch_path: POST /stocks/batch}
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
def api(count: int) -> Iterator[str]:
    """The local API in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stock_api", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
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
                RecordRow(uid=uid, entity="variant", values={"sku": sku, "name": sku, "unit": "each", "status": "active"})
                for uid, sku in part
            ])
            put_bindings(tx, [
                BindingRow(channel=channel, entity="variant", external_id=sku, uid=uid)
                for uid, sku in part for channel in ("erp", "shop")
            ])
        consent(tx, "shop", "stock", "bench")

    house.registry.attempt(work)


def bare_loop(url: str, store: Path) -> tuple[float, int]:
    """The control: fetch, map by hand, compare with the hash in SQLite, send by 100; seconds and rows sent."""
    began = time.perf_counter()
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
    return time.perf_counter() - began, sent


def serai(house: House) -> tuple[float, float, int]:
    """Pull and push of the whole; seconds of each, and rows written."""
    began = time.perf_counter()
    steps.pull(house, "erp", "stock", full=True, stretch=steps.UNBOUNDED)
    pulled = time.perf_counter()
    written = steps.push(house, "shop", "stock", stretch=steps.UNBOUNDED).total("written")
    return pulled - began, time.perf_counter() - pulled, written


def project(folder: Path) -> Path:
    """The bench's project folder."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def measure(count: int = COUNT) -> list[dict[str, Any]]:
    """Rows of name, value, unit, control, ratio."""
    rows: list[dict[str, Any]] = []
    with api(count) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BENCH_URL"] = url
        first, _ = bare_loop(url, folder / "control.db")
        second, sent = bare_loop(url, folder / "control.db")
        assert sent == 0
        requests.get(f"{url}/written", timeout=5)
        for dialect in ("SQLite", "PostgreSQL"):
            database = fresh_sqlite(folder / "sqlite") if dialect == "SQLite" else fresh_postgres()
            with database as address:
                os.environ["SERAI_REGISTRY"] = address
                house = open_house(project(folder / dialect))
                known(house, count)
                pull_1, push_1, written = serai(house)
                arrived = requests.get(f"{url}/written", timeout=5).json()
                pull_2, push_2, again = serai(house)
                house.close()
            assert written == arrived == count, (written, arrived)
            assert again == 0, again
            rows += [
                {"name": f"first sync of {count:,} on {dialect}", "value": round(pull_1 + push_1, 2), "unit": "s",
                 "control": round(first, 2), "ratio": round((pull_1 + push_1) / first, 2),
                 "detail": f"pull {pull_1:.1f} s, push {push_1:.1f} s"},
                {"name": f"second sync on {dialect}, 0 writes", "value": round(pull_2 + push_2, 2), "unit": "s",
                 "control": round(second, 2), "ratio": round((pull_2 + push_2) / second, 2),
                 "detail": f"pull {pull_2:.1f} s, push {push_2:.1f} s"},
            ]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append({"name": "peak memory of the process", "value": round(peak), "unit": "MB", "control": 250,
                     "ratio": round(peak / 250, 2), "detail": ""})
    return rows
