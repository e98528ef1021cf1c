"""What Tryton computes and refuses: codes and barcodes of articles, receipts and what is paid, sessions of drawers.

What surprises here: a rule of trade that says no undoes the whole call, also what the same call did to other records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from deployments.sandbox.notation import Doc
from deployments.sandbox.tryton.database import Database, user_error

CENT = Decimal("0.01")
SALE, LINE, PAYMENT = "sale.point.sale", "sale.point.sale.line", "sale.point.payment"
SESSION = "sale.point.cash.session"


# ── parties ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _reached(kind: str) -> Callable[[Database, int], str]:
    def first(db: Database, party: int) -> str:
        ways = db.all("party.contact_mechanism", party=party)
        return next((str(row["value"]) for row in ways if row["type"] == kind and row["active"]), "")

    return first


def _numbered(db: Database, ids: Sequence[int]) -> None:
    for id in ids:
        if db.get("party.party", id)["code"] is None:
            db.touch("party.party", id, {"code": str(id)})


# ── articles ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _coded(db: Database, ids: Sequence[int]) -> None:
    """The code is the template's and the product's, one after the other; unique among those that are active."""
    for id in ids:
        doc = db.get("product.product", id)
        template = db.get("product.template", doc["template"])
        code = f"{template['code'] or ''}{doc['suffix_code'] or ''}" or None
        if code != doc["code"]:
            db.touch("product.product", id, {"code": code})
        same = [other for other in db.codes.get(code, ()) if other != id] if code is not None else []
        if doc["active"] and any(db.get("product.product", other)["active"] for other in same):
            raise user_error("Code of active product must be unique.")


def _coded_too(db: Database, ids: Sequence[int]) -> None:
    for id in ids:
        _coded(db, [doc["id"] for doc in db.all("product.product", template=id)])


def _valid(db: Database, ids: Sequence[int]) -> None:
    for id in ids:
        row = db.get("product.identifier", id)
        if row["type"] == "ean" and not is_ean(str(row["code"])):
            product = db.get("product.product", row["product"])
            name = db.get("product.template", product["template"])["name"]
            called = f"[{product['code']}] {name}" if product["code"] else name
            raise user_error(f'The International Article Number "{row["code"]}" for product "{called}" is not valid.')


def is_ean(code: str) -> bool:
    """Whether a barcode of 8, 12, 13 or 14 digits ends in its check digit."""
    if not code.isdigit() or len(code) not in (8, 12, 13, 14):
        return False
    weighed = sum(int(digit) * (3 if n % 2 else 1) for n, digit in enumerate(reversed(code)))
    return weighed % 10 == 0


def _used(name: str) -> Callable[[Database, int], Any]:
    def price(db: Database, product: int) -> Any:
        own = db.get("product.product", product)
        return db.get("product.template", own["template"])[name] if own[name] is None else own[name]

    return price


def rate_of(db: Database, product: int) -> Decimal:
    """The tax of an article, as a fraction."""
    category = db.value("product.product", product, "account_category")
    taxes = () if category is None else db.get("product.category", category)["customer_taxes"]
    return sum((Decimal(db.get("account.tax", tax)["rate"]) for tax in taxes), Decimal(0))


def asked(db: Database, product: int) -> tuple[Decimal, Decimal] | None:
    """What a till asks for one of an article, with tax and without; None: nobody set a price."""
    gross, net = (_used(name)(db, product) for name in ("gross_price", "list_price"))
    share = 1 + rate_of(db, product)
    if gross is not None:
        return gross, (gross / share).quantize(Decimal("0.0001"))
    return None if net is None else ((net * share).quantize(Decimal("0.0001")), net)


# ── receipts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _total(db: Database, sale: int) -> Decimal:
    """Gross of each line, rounded by itself, halves to even."""
    return sum((worth(line) for line in db.all(LINE, sale=sale)), Decimal("0.00"))


def worth(line: Doc) -> Decimal:
    """Gross of a line."""
    price: Decimal = line["unit_gross_price"]
    return (Decimal(str(line["quantity"])) * price).quantize(CENT, ROUND_HALF_EVEN)


def _paid(db: Database, sale: int) -> Decimal:
    return sum((row["amount"] for row in db.all(PAYMENT, sale=sale)), Decimal(0))


def _owed(db: Database, sale: int) -> Decimal:
    return _total(db, sale) - _paid(db, sale)


def _into_the_drawer(db: Database, ids: Sequence[int]) -> None:
    """Cash belongs to the open session of its point, which it opens; what is given back is cash."""
    for id in ids:
        row = db.get(PAYMENT, id)
        method = db.get("sale.point.payment.method", row["method"])
        if row["amount"] < 0 and not method["cash"]:
            raise user_error(
                f'The value "{method["name"]}" for field "Method" in record "({id})" of "Sale Point Payment" is not '
                "valid according to its domain."
            )
        if method["cash"] and row["session"] is None:
            db.touch(PAYMENT, id, {"session": session_of(db, db.get(SALE, row["sale"])["point"])})


def session_of(db: Database, point: int) -> int:
    """The open session of a point, opened where there is none."""
    held = [row for row in db.all(SESSION, point=point)]
    found = next((row["id"] for row in held if row["state"] == "open"), None)
    if found is not None:
        return int(found)
    last = held[-1]["id"] if held else None
    return db.create(SESSION, {"point": point, "previous_session": last})


def _start(db: Database, session: int) -> Decimal:
    last = db.get(SESSION, session)["previous_session"]
    return Decimal(0) if last is None else Decimal(db.get(SESSION, last)["end_amount"])


def _balance(db: Database, session: int) -> Decimal:
    return sum((row["amount"] for row in db.all(PAYMENT, session=session)), Decimal("0.00"))


def _moved(db: Database, model: str, id: int, button: str, allowed: Sequence[str], to: str) -> None:
    doc = db.get(model, id)
    if doc["state"] not in allowed:
        name = doc.get("number") or f"({id})"
        label = {SALE: "Sale Point Sale", SESSION: "Point of Sale Cash Session"}[model]
        raise user_error(f'You can not call "{button}" on "{name}" of "{label}".')
    db.touch(model, id, {"state": to})


def process(db: Database, ids: Sequence[int]) -> None:
    """Receipts that are paid in full are done, and get their numbers."""
    for id in ids:
        if _owed(db, id) != 0 or db.one(LINE, sale=id) is None:
            name = db.get(SALE, id)["number"] or f"({id})"
            raise user_error(f'You can not call "process" on "{name}" of "Sale Point Sale".')
        _moved(db, SALE, id, "process", ("open",), "done")
        doc = db.get(SALE, id)
        if doc["number"] is None:
            prefix = db.get("sale.point", doc["point"])["prefix"] or ""
            db.numbers[prefix] = db.numbers.get(prefix, 0) + 1
            db.touch(SALE, id, {"number": f"{prefix}{db.numbers[prefix]}"})


def post(db: Database, ids: Sequence[int]) -> None:
    """Receipts are in the books."""
    for id in ids:
        _moved(db, SALE, id, "post", ("done",), "posted")


def reopen(db: Database, ids: Sequence[int]) -> None:
    """Receipts that were done are open again, under the same number."""
    for id in ids:
        _moved(db, SALE, id, "open", ("done", "cancelled"), "open")


def cancel(db: Database, ids: Sequence[int]) -> None:
    """Receipts of nothing that was paid are cancelled."""
    for id in ids:
        _moved(db, SALE, id, "cancel", ("open",), "cancelled")
        if _paid(db, id) != 0:
            name = db.get(SALE, id)["number"] or f"({id})"
            raise user_error(f'The sale "{name}" is cancelled so cannot have amount paid.')


def close(db: Database, ids: Sequence[int]) -> None:
    """Drawers that hold what they should are closed."""
    for id in ids:
        there, due = db.get(SESSION, id)["end_amount"], _start(db, id) + _balance(db, id)
        if there != due:
            raise user_error(f'To close session "({id})" you must change end amount to have {due} instead of {there}.')
        _moved(db, SESSION, id, "close", ("open",), "closed")


COMPUTE: Mapping[tuple[str, str], Callable[[Database, int], Any]] = {
    ("party.party", "email"): _reached("email"),
    ("party.party", "phone"): _reached("phone"),
    ("product.product", "list_price_used"): _used("list_price"),
    ("product.product", "gross_price_used"): _used("gross_price"),
    (SALE, "currency"): lambda db, id: 1,
    (SALE, "total"): _total,
    (SALE, "amount_paid"): _paid,
    (SALE, "amount_to_pay"): _owed,
    (LINE, "unit"): lambda db, id: db.value("product.product", db.get(LINE, id)["product"], "sale_uom"),
    (SESSION, "start_amount"): _start,
    (SESSION, "balance"): _balance,
}
AFTER: Mapping[str, Callable[[Database, Sequence[int]], None]] = {
    "party.party": _numbered, "product.product": _coded, "product.template": _coded_too, "product.identifier": _valid,
    PAYMENT: _into_the_drawer,
}  # fmt: skip
BUTTONS: Mapping[tuple[str, str], Callable[[Database, Sequence[int]], None]] = {
    (SALE, "process"): process, (SALE, "post"): post, (SALE, "open"): reopen, (SALE, "cancel"): cancel,
    (SESSION, "close"): close,
}  # fmt: skip
