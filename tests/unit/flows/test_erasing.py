"""Forgetting a person: afterwards no table, file, log or page of Prefect knows them, and nothing comes back."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from flows import erasing_files, stewards
from flows.erasing import ERASED, erase, phone_forms
from flows.matching import CannotBind
from mappings.commerce.customers.policy import Erasure
from registry import ParkedRow, erasures, park, put_run, write_audit
from registry.erasing import look_through
from registry.runs import RunRow
from registry.tables import metadata
from tests.scenario.world import World
from tests.unit.flows.retail import again, live, records, take, uid_of

MAIL, PHONE, NAME, STREET = "zarina.q@example.kz", "+77015550199", "Зарина Қуанышева", "пр. Достык 117, кв. 9"
SECRETS = [MAIL, MAIL.upper(), NAME, NAME.upper(), STREET, *phone_forms(PHONE)]


def account(id: str, email: str = MAIL, name: str = NAME, phone: str | None = PHONE) -> dict[str, Any]:
    given, _, family = name.partition(" ")
    return {"id": id, "email": email, "firstName": given, "lastName": family, "phone": phone, "locale": "ru-KZ",
            "defaultAddress": {"name": name, "address1": STREET, "city": "Алматы", "zip": "050000", "countryCode": "KZ",
                               "phone": phone},
            "createdAt": "2026-03-01T09:00:00Z", "updatedAt": "2026-03-01T09:00:00Z"}


def dumped(world: World) -> Iterator[tuple[str, bytes]]:
    """Every cell of every table, unpacked, and on SQLite the bytes of the files themselves."""
    for engine, _ in world.registry._parts():
        with engine.connect() as conn:
            for table in metadata.sorted_tables:
                if not engine.dialect.has_table(conn, table.name):
                    continue
                for row in conn.execute(table.select()):
                    for name, value in row._mapping.items():
                        if isinstance(value, memoryview | bytes):
                            raw = bytes(value)
                            packed = table.name == "document" and row._mapping["packed"]
                            yield f"{table.name}.{name}", zlib.decompress(raw) if packed else raw
                        elif isinstance(value, str):
                            yield f"{table.name}.{name}", value.encode()
        if engine.dialect.name == "sqlite":
            base = Path(str(engine.url.database))
            for path in (base, Path(f"{base}-wal")):
                if path.is_file():
                    yield path.name, path.read_bytes()


def grepped(world: World) -> list[tuple[str, str]]:
    """(place, secret) wherever a secret stands, in databases and in every file of the project's state."""
    found = [(place, secret) for place, cell in dumped(world) for secret in SECRETS if secret.encode() in cell]
    for path in world.house.project.state.rglob("*"):
        if path.is_file() and not path.name.startswith("registry"):
            said = path.read_bytes()
            found += [(path.name, secret) for secret in SECRETS if secret.encode() in said]
    return found


def known_everywhere(world: World) -> str:
    """A person with accounts in shop, CRM and ERP, orders, a parked item, a notice, a log, a page of Prefect."""
    world.goods("KTL-1", on_hand=10)
    everywhere = ("erp-kz", "shop-kz", "crm-kz")
    live(world, *everywhere)
    world.people.add("crm", "contacts", {"properties": {
        "external_id": "", "firstname": "Зарина", "lastname": "Қуанышева", "fullname": NAME, "email": MAIL,
        "phone": PHONE, "language": "ru", "street": STREET, "city": "Алматы", "zip": "", "country": "KZ"}})
    world.buy("shop", {"KTL-1": 1}, who=1)
    world.buy("shop", {"KTL-1": 2}, who=2)
    live(world, *everywhere)
    shop = world.sandbox.systems["shop"]
    (bought,) = [doc for doc in shop.docs("customers") if doc["email"] == "buyer1@example.kz"]
    take(world, "shop-kz", "customers", [account(str(bought["id"]))], world.registry.now())
    (order,) = [doc for doc in shop.docs("orders") if doc.get("customerId", doc.get("customer")) in (
        bought["id"], str(bought["id"])) or "buyer1@example.kz" in str(doc)]
    place = {"name": NAME, "address1": STREET, "city": "Алматы", "zip": "050000", "countryCode": "KZ", "phone": PHONE}
    contact = {"name": NAME, "email": MAIL, "phone": PHONE}
    take(world, "shop-kz", "orders", [{**order, "contact": contact, "shippingAddress": place}], world.registry.now())
    live(world, "erp-kz", "crm-kz")

    def work(tx: Any) -> None:
        park(tx, [ParkedRow(
            channel="shop-kz", entity="customer", direction="inward", external_id=str(bought["id"]),
            resource="customers", document=f'{{"email": "{MAIL}"}}'.encode(), message=f"the address of {NAME} is odd",
        )])
        put_run(tx, RunRow(
            run="r1", channel="shop-kz", what="customers", direction="inward", started_at=tx.now, ended_at=tx.now,
            read=1, balanced=True, counts={}, error=f"a driver said: {MAIL.upper()} is too long",
        ))
        write_audit(tx, "Aigerim", "channel shop-kz customer on", f"{NAME} asked", None, None)

    world.registry.attempt(work)
    world.registry.inbox.put([
        ("shop-kz", "d1", "customers", str(bought["id"]), world.registry.now(), f'{{"email": "{MAIL}"}}'.encode()),
        ("crm-kz", "d2", "contacts", "77", world.registry.now(), f'{{"seen": "{NAME}"}}'.encode()),
    ])
    state = world.house.project.state
    (state / "logs").mkdir(parents=True, exist_ok=True)
    (state / "logs" / "drain.log").write_text(f"10:00 started\n10:01 {MAIL} 8 (701) 555 0199\n10:02 ended\n", "utf-8")
    (state / "prefect").mkdir(exist_ok=True)
    with closing(sqlite3.connect(state / "prefect" / "prefect.db")) as conn:
        conn.execute("CREATE TABLE artifact (id TEXT PRIMARY KEY, data JSON, description TEXT)")
        conn.execute("CREATE TABLE log (id TEXT PRIMARY KEY, message TEXT)")
        conn.execute("INSERT INTO artifact VALUES ('a', ?, ?)", (f'{{"who": "{MAIL}"}}', f"about {NAME}"))
        conn.execute("INSERT INTO log VALUES ('l', ?)", (f"called {PHONE}",))
        conn.execute("INSERT INTO log VALUES ('m', 'all is well')")
        conn.commit()
    return str(bought["id"])


def test_nothing_of_a_person_is_left_anywhere_and_nothing_comes_back(retail_on_each: World) -> None:
    """P13: erasure leaves none behind: contributions, documents, lineage, inbox, parked, logs, Prefect, databases."""
    world = retail_on_each
    world.house.project = replace(world.house.project, customers=replace(
        world.house.project.customers, erasure=Erasure(backups_days=35)))
    id = known_everywhere(world)
    places = {place for place, _ in grepped(world)}
    assert {"binding.values", "record.values", "document.body", "parked.document", "run.error", "audit.because",
            "inbox.body", "drain.log", "prefect.db", "binding.told"} <= places
    others = {uid: row.values for uid, row in records(world.house, "customer").items() if row.values["name"] != NAME}
    proof = erase(world.house, f"shop-kz:{id}", who="Aigerim", because=f"{NAME} wrote to us")
    assert grepped(world) == []
    assert proof.clean
    assert proof.telling == ["crm-kz", "erp-kz"]
    assert proof.by_hand == [f"shop-kz customer {id}"]
    assert proof.backups_until == (proof.at + timedelta(days=35)).date().isoformat()
    assert {"binding", "record", "document", "inbox", "logs", "prefect"} <= set(+proof.removed)
    for _ in range(2):
        world.step("pull_all", full=True)
        again(world, "erp-kz", "crm-kz", "shop-kz")
    assert grepped(world) == []
    for system, kind in (("erp", "customers"), ("crm", "contacts")):
        said = str(list(world.sandbox.systems[system].docs(kind)))
        assert [secret for secret in SECRETS if secret in said] == []
        assert ERASED in said
    after = {uid: row.values for uid, row in records(world.house, "customer").items()}
    assert {uid: after[uid] for uid in others} == others
    orders = records(world.house, "order").values()
    assert [row.values["lines"] != [] and row.values["total"] is not None for row in orders] == [True, True]
    with world.registry.read() as tx:
        (kept,) = erasures(tx)
    assert kept.proof["clean"] is True
    assert NAME not in kept.because


def test_what_a_running_prefect_writes_only_afterwards_is_taken_out_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P13: its server keeps events for seconds before they reach its database."""
    monkeypatch.setattr(erasing_files, "LATE", 1.0)
    path = tmp_path / "prefect" / "prefect.db"
    path.parent.mkdir()
    started, swept = Event(), Event()

    def server() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as conn:
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("CREATE TABLE events (id TEXT, payload JSON)")
            conn.execute("INSERT INTO events VALUES ('one', ?)", (f'{{"who": "{MAIL}"}}',))
            started.set()
            while conn.execute("SELECT count(*) FROM events WHERE payload LIKE ?", (f"%{MAIL}%",)).fetchone() != (0,):
                time.sleep(0.01)
            conn.execute("INSERT INTO events VALUES ('two', ?)", (f'{{"who": "{MAIL}"}}',))
            swept.wait(60)

    writer = Thread(target=server)
    writer.start()
    try:
        assert started.wait(60)
        removed = erasing_files.clean_files(tmp_path, [MAIL])
        assert list(erasing_files.left_in_files(tmp_path, [MAIL])) == []
    finally:
        swept.set()
        writer.join(60)
    assert removed["prefect"] == 2


def test_what_the_law_demands_of_invoices_stays_and_the_proof_names_it(retail: World) -> None:
    world = retail
    world.house.project = replace(world.house.project, customers=replace(
        world.house.project.customers, erasure=Erasure(keep={"order": ("address",)}, years=5)))
    id = known_everywhere(world)
    proof = erase(world.house, f"shop-kz:{id}", who="Aigerim", because="asked")
    assert {place for place, _ in grepped(world)} <= {"binding.values", "record.values", "registry.db",
                                                      "registry.db-wal"}
    (order,) = [row for row in records(world.house, "order").values() if row.values.get("address")
                and row.values["address"]["street"] == STREET]
    assert [line for line in proof.kept if order.uid in line and "address" in line and "5 years" in line]
    assert order.values.get("buyer") is None
    assert proof.clean


def test_who_was_merged_is_forgotten_under_every_account_and_who_shares_a_number_is_not(retail: World) -> None:
    """All identities of the person go; somebody else with the same telephone number keeps it."""
    world = retail
    take(world, "shop-kz", "customers", [account("1"), account("2", "other@example.kz", "Бек Омаров")])
    one, two = (uid_of(world.house, "shop-kz", "customer", id) for id in ("1", "2"))
    stewards.split(world.house, one, who="A", because="they share a telephone")
    take(world, "shop-kz", "customers", [account("3", "third@example.kz", "Z Quanysheva", None)])
    three = uid_of(world.house, "shop-kz", "customer", "3")
    stewards.merge(world.house, one, three, who="A", because=f"{NAME} married")
    proof = erase(world.house, MAIL, who="A", because="asked")
    assert proof.clean
    assert proof.identities == sorted([one, three])
    assert proof.shared == 1
    with world.registry.read() as tx:
        assert list(look_through(tx, [MAIL, "third@example.kz", NAME])) == []
        assert stewards.find(tx, "other@example.kz") == two
        with pytest.raises(CannotBind):
            stewards.find(tx, MAIL)
    left = [row.values for row in records(world.house, "customer").values() if row.uid == two]
    assert [row["phone"] for row in left] == [PHONE]


__all__ = ["datetime"]
