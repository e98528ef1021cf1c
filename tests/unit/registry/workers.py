"""What the processes of test_processes.py do; importable, because a process is told it by name."""

from __future__ import annotations

from registry import (
    BindingRow,
    HopRow,
    RecordRow,
    Tx,
    bindings,
    claim_due,
    claim_keys,
    close_outbox,
    lock_records,
    mark_due,
    new_uids,
    open_registry,
    put_bindings,
    put_hops,
    put_records,
    records,
)


def migrate(url: str, _n: int) -> bool:
    """Migrates; whether the registry is migrated afterwards."""
    reg = open_registry(url)
    reg.migrate()
    done = reg.migrated()
    reg.close()
    return done


def hammer(url: str, n: int) -> dict[str, int]:
    """Brings pages of SKUs that all processes share, counts each up, claims and closes writes; what it counted."""
    reg = open_registry(url)
    pages, size = 8, 25
    told = 0
    for page in range(pages):
        skus = [f"SKU-{page}-{k:02d}" for k in range(size)]
        fresh = dict(zip(skus, new_uids(size), strict=True))

        def accept(tx: Tx, fresh: dict[str, str] = fresh) -> None:
            owners = claim_keys(tx, [("variant", "sku", sku, uid) for sku, uid in fresh.items()])
            uids = {sku: owners["variant", "sku", sku] for sku in fresh}
            held = lock_records(tx, list(uids.values()))
            counted = {uid: held[uid].values["n"] + 1 if uid in held else 1 for uid in uids.values()}
            put_records(tx, [RecordRow(uid=uid, entity="variant", values={"n": n}) for uid, n in counted.items()])
            rows = [
                BindingRow(channel=f"shop-{n}", entity="variant", external_id=sku, uid=uid) for sku, uid in uids.items()
            ]
            put_bindings(tx, rows)
            put_hops(
                tx, [HopRow(uid=u, entity="variant", channel=f"shop-{n}", direction="inward") for u in uids.values()]
            )
            mark_due(tx, [("pos", "variant", uid, None, False, f"{n}") for uid in uids.values()])

        reg.attempt(accept)
        told += reg.attempt(lambda tx: close_outbox(tx, [row.id for row in claim_due(tx, "pos", "variant", 10)]))
        reg.inbox.put([("shop", f"delivery {page}", "orders", "1", reg.now(), None)])
    reg.close()
    return {"accepted": pages * size, "told": told}


def create_the_same(url: str, n: int) -> str:
    """Brings one new SKU from a channel of its own; the uid it was bound to."""
    reg = open_registry(url)
    (mine,) = new_uids(1)

    def accept(tx: Tx) -> str:
        if bindings(tx, f"shop-{n}", [("variant", "1")]):
            raise AssertionError("the channel was bound before it spoke")
        owner = claim_keys(tx, [("variant", "sku", "KETTLE", mine)])["variant", "sku", "KETTLE"]
        if owner not in records(tx, [owner]):
            put_records(tx, [RecordRow(uid=owner, entity="variant", values={"sku": "KETTLE"})])
        put_bindings(tx, [BindingRow(channel=f"shop-{n}", entity="variant", external_id="1", uid=owner)])
        return owner

    uid = reg.attempt(accept)
    reg.close()
    return uid
