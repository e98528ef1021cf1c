"""What the simulated portal holds, and what happens in it: people, deals and their lines, and its books.

What surprises here:

* A write moves a record's stamp also when it changes nothing; stamps carry the portal's offset and whole seconds.
* Of telephone numbers and addresses of mail each has an id of its own; one that comes without an id is one more.
* Nothing is unique, and what does not exist among the fields is passed over.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from deployments.sandbox.books import Books
from deployments.sandbox.notation import ALMATY, Doc

MULTIPLE = ("PHONE", "EMAIL", "WEB", "IM")
_ADDRESS = ("ADDRESS", "ADDRESS_2", "ADDRESS_CITY", "ADDRESS_POSTAL_CODE", "ADDRESS_REGION", "ADDRESS_PROVINCE",
            "ADDRESS_COUNTRY", "ADDRESS_COUNTRY_CODE", "ADDRESS_LOC_ADDR_ID")  # fmt: skip
_UTM = ("UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM")
_ORIGIN = ("ORIGINATOR_ID", "ORIGIN_ID", "ORIGIN_VERSION")
STAGES = ("NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "WON", "LOSE", "APOLOGY")
CURRENCIES = ("KZT", "EUR", "USD", "RUB")
FIELDS: Mapping[str, Mapping[str, str | None]] = {
    "contact": {
        **dict.fromkeys(("POST", "COMMENTS", "HONORIFIC", "NAME", "SECOND_NAME", "LAST_NAME", "PHOTO", "LEAD_ID",
                         "SOURCE_DESCRIPTION", "COMPANY_ID", "BIRTHDATE", *_ADDRESS, *_UTM, *_ORIGIN)),
        "TYPE_ID": "CLIENT", "SOURCE_ID": "CALL", "EXPORT": "Y", "OPENED": "Y", "ASSIGNED_BY_ID": "1",
    },
    "company": {
        **dict.fromkeys(("TITLE", "LOGO", "LEAD_ID", "BANKING_DETAILS", "COMMENTS", "ADDRESS_LEGAL", *_ADDRESS, *_UTM,
                         *(f"REG_{name}" for name in _ADDRESS), *_ORIGIN)),
        "COMPANY_TYPE": "CUSTOMER", "INDUSTRY": "IT", "REVENUE": "0", "CURRENCY_ID": "KZT", "EMPLOYEES": "EMPLOYEES_1",
        "OPENED": "Y", "IS_MY_COMPANY": "N", "ASSIGNED_BY_ID": "1",
    },
    "deal": {
        **dict.fromkeys(("TITLE", "LEAD_ID", "COMPANY_ID", "CONTACT_ID", "QUOTE_ID", "BEGINDATE", "CLOSEDATE",
                         "COMMENTS", "ADDITIONAL_INFO", "LOCATION_ID", "SOURCE_DESCRIPTION", *_UTM, *_ORIGIN[:2])),
        "TYPE_ID": "SALE", "STAGE_ID": "NEW", "PROBABILITY": None, "CURRENCY_ID": "KZT", "OPPORTUNITY": "0.00",
        "IS_MANUAL_OPPORTUNITY": "N", "TAX_VALUE": "0.00", "OPENED": "Y", "CATEGORY_ID": "0", "IS_RECURRING": "N",
        "IS_RETURN_CUSTOMER": "N", "IS_REPEATED_APPROACH": "N", "SOURCE_ID": "CALL", "ASSIGNED_BY_ID": "1",
    },
}  # fmt: skip
"""Kind → what may be written, with what stands there when nobody wrote it."""


class Fault(Exception):
    """What the portal answers in place of a result."""

    def __init__(self, description: str, error: str | int = "", status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status

    @property
    def said(self) -> Doc:
        """As it goes into the answer."""
        return {"error": self.error, "error_description": self.description}


@dataclass(kw_only=True, slots=True)
class Row:
    """A record and when it changed."""

    doc: Doc
    at: datetime


@dataclass(kw_only=True)
class Portal:
    """One portal. ``announce(kind, what, id, moment)`` is told of every change but the seed's."""

    name: str
    books: Books
    page: int = 50
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    announce: Callable[[str, str, str, datetime], object] = lambda kind, what, id, at: None
    zone: Any = ALMATY
    lock: Any = field(default_factory=threading.RLock)
    rows: dict[str, dict[int, Row]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    handlers: list[Doc] = field(default_factory=list)
    """Who is told of which event: {event, handler, auth_type, offline}."""
    queue: dict[tuple[str, str], Doc] = field(default_factory=dict)
    """The last offline event of each record, by event and id; what a process holds has its PROCESS_ID."""
    extended: bool = True
    """Whether its plan lets a process hold offline events until it clears them."""
    opening: datetime | None = None
    """While set, the clock stands at this moment and nobody is told: the opening data is entered."""

    def now(self) -> datetime:
        """The portal's clock."""
        return self.wall() if self.opening is None else self.opening

    def stamp(self, moment: datetime | None = None) -> str:
        """A moment as the portal writes it: its own offset, whole seconds."""
        return (self.now() if moment is None else moment).astimezone(self.zone).isoformat(timespec="seconds")

    def number(self, kind: str, first: int = 1) -> int:
        """The next id of a kind."""
        self.numbers[kind] = self.numbers.get(kind, first - 1) + 1
        return self.numbers[kind]

    def table(self, kind: str) -> dict[int, Row]:
        """The records of a kind, by id."""
        return self.rows.setdefault(kind, {})

    def get(self, kind: str, id: Any, lost: str = "Not found") -> Doc:
        """The record. Raises Fault when there is none, or no id."""
        text = str(id)
        if not text.isdigit() or int(text) == 0:
            raise Fault("ID is not defined or invalid.")
        row = self.table(kind).get(int(text))
        if row is None:
            raise Fault(lost)
        return row.doc

    def booked(self, resource: str, op: str, id: Any, *, reference: Any = None, code: str | None = None) -> None:
        """A request to write, as the books have it."""
        self.books.enter(
            "write", self.now(), resource=resource, op=op, id=None if id is None else str(id), reference=reference,
            status=200 if code is None else 400, changed=code is None, code=code,
        )  # fmt: skip

    def drop(self, kind: str, id: Any, lost: str) -> None:
        """Afterwards the record is gone."""
        self.get(kind, id, lost)
        del self.table(kind)[int(str(id))]
        self.told(kind, "DELETE", str(id))

    def put(self, kind: str, doc: Doc, id: int | None = None) -> Doc:
        """A row of the catalogue or the shop entered or replaced; who has bound its event is told."""
        what = "ADD" if id is None else "UPDATE"
        id = self.number(kind) if id is None else id
        self.table(kind)[id] = Row(doc={**doc, "id": id}, at=self.now())
        self.told(kind, what, str(id))
        return self.table(kind)[id].doc

    def met(self, doc: Mapping[str, Any], by: str = "people") -> Doc:
        """Somebody was called, met or written to: an activity of the CRM, with its own facts over the usual ones."""
        id, stamp = str(doc.get("ID") or self.number("activity")), self.stamp()
        old = self.table("activity").get(int(id))
        usual: Doc = {
            "ID": id, "OWNER_ID": "0", "OWNER_TYPE_ID": "3", "TYPE_ID": "2", "PROVIDER_ID": "VOXIMPLANT_CALL",
            "PROVIDER_TYPE_ID": "CALL", "PROVIDER_GROUP_ID": None, "ASSOCIATED_ENTITY_ID": "0", "SUBJECT": "Call",
            "CREATED": stamp, "START_TIME": stamp, "END_TIME": stamp, "DEADLINE": stamp, "COMPLETED": "Y",
            "STATUS": "2", "RESPONSIBLE_ID": "1", "PRIORITY": "2", "NOTIFY_TYPE": "0", "NOTIFY_VALUE": "0",
            "DESCRIPTION": "", "DESCRIPTION_TYPE": "1", "DIRECTION": "2", "LOCATION": "", "SETTINGS": [],
            "ORIGINATOR_ID": None, "ORIGIN_ID": None, "AUTHOR_ID": "1", "EDITOR_ID": "1", "RESULT_MARK": "0",
        }  # fmt: skip
        made = {**usual, **({} if old is None else old.doc), **doc, "LAST_UPDATED": stamp}
        self.table("activity")[int(id)] = Row(doc=made, at=self.now())
        self.told("activity", "ADD" if old is None else "UPDATE", id)
        return made

    def told(self, kind: str, what: str, id: str) -> None:
        """Who has bound the event is told."""
        if self.opening is None:
            self.announce(kind, what, id, self.now())

    # ── the CRM ──────────────────────────────────────────────────────────────────────────────────────────────────

    def enter(self, kind: str, fields: Any, id: Any = None, *, by: str = "api") -> Doc:
        """A record of the CRM entered or changed, with all that follows. Raises Fault; then nothing has happened."""
        if not isinstance(fields, Mapping):
            raise Fault("Parameter 'fields' must be array.")
        old = None if id is None else self.get(kind, id)
        written = {name: _text(value) for name, value in fields.items() if name in FIELDS[kind]}
        written |= {name: _text(value) for name, value in fields.items() if str(name).startswith("UF_")}
        self._checked(kind, written, fields)
        moment = self.now()
        doc: Doc = dict(FIELDS[kind]) if old is None else dict(old)
        if old is None:
            id = self.number(kind)
            doc |= {"ID": str(id), "DATE_CREATE": self.stamp(moment), "CREATED_BY_ID": "1"}
        doc |= written | {"DATE_MODIFY": self.stamp(moment), "MODIFY_BY_ID": "1"}
        doc |= {"LAST_ACTIVITY_TIME": doc.get("LAST_ACTIVITY_TIME", self.stamp(moment)), "LAST_ACTIVITY_BY": "1"}
        if kind == "deal":
            self._dealt(doc, old)
        else:
            self._reachable(doc, fields)
        self.table(kind)[int(str(id))] = Row(doc=doc, at=moment)
        self._journal(kind, old, doc, by)
        self.told(kind, "ADD" if old is None else "UPDATE", doc["ID"])
        return doc

    def _checked(self, kind: str, written: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        if kind == "company" and written.get("TITLE", "?") in ("", None):
            raise Fault("The field 'Company Name' is required.", "ERROR_CORE")
        if written.get("CURRENCY_ID", "KZT") not in CURRENCIES:
            raise Fault('Invalid value for the "Currency" field')
        for row in _rows(fields.get("EMAIL")):
            value = str(row.get("VALUE") or "")
            if value != "" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
                raise Fault("The field 'Work e-mail' contains an invalid address.", "ERROR_CORE")
        if len(str(written.get("NAME") or "")) > 255:
            raise Fault("The maximum length of the field 'First name' is 255.", "ERROR_CORE")

    def _dealt(self, doc: Doc, old: Doc | None) -> None:
        if doc["STAGE_ID"] not in STAGES:
            doc["STAGE_ID"] = "NEW" if old is None else old["STAGE_ID"]
        doc["OPPORTUNITY"] = _money(doc["OPPORTUNITY"])
        stage = doc["STAGE_ID"]
        doc["STAGE_SEMANTIC_ID"] = "S" if stage == "WON" else "F" if stage in ("LOSE", "APOLOGY") else "P"
        doc["CLOSED"] = "N" if doc["STAGE_SEMANTIC_ID"] == "P" else "Y"
        doc["TITLE"] = doc["TITLE"] or f"Deal #{doc['ID']}"
        doc.setdefault("rows", [])

    def _reachable(self, doc: Doc, fields: Mapping[str, Any]) -> None:
        """Rows with an id are changed or deleted, rows without one are added."""
        for name in MULTIPLE:
            held = [dict(row) for row in doc.get(name, [])]
            for row in _rows(fields.get(name)):
                value, own = str(row.get("VALUE") or ""), str(row.get("ID") or "")
                mine = next((one for one in held if one["ID"] == own), None)
                if own and mine is None:
                    continue
                if mine is not None and (value == "" or row.get("DELETE") == "Y"):
                    held.remove(mine)
                elif mine is not None:
                    mine |= {"VALUE": value, "VALUE_TYPE": str(row.get("VALUE_TYPE") or mine["VALUE_TYPE"])}
                elif value != "":
                    word = str(row.get("VALUE_TYPE") or "WORK")
                    new = {"ID": str(self.number("multifield", 101)), "VALUE_TYPE": word}
                    held.append({**new, "VALUE": value, "TYPE_ID": name})
            doc[name] = held
        doc |= {"HAS_PHONE": "Y" if doc["PHONE"] else "N", "HAS_EMAIL": "Y" if doc["EMAIL"] else "N", "HAS_IMOL": "N"}

    def _journal(self, kind: str, old: Doc | None, doc: Doc, by: str) -> None:
        if kind in ("contact", "company"):
            facts = {name: next((row["VALUE"] for row in doc[name.upper()]), "") for name in ("email", "phone")}
            id = doc["ID"] if kind == "contact" else f"CO_{doc['ID']}"
            self.books.enter("customer", self.now(), id=id, **facts, why=by)
        if kind != "deal":
            return
        number = str(doc["TITLE"]).rpartition(" ")[2]
        if old is None:
            self.books.enter(
                "order", self.now(), id=doc["ID"], number=number, reference=doc["ORIGIN_ID"], total=doc["OPPORTUNITY"],
                currency=doc["CURRENCY_ID"], lines=[], handed_over=False, state=doc["STAGE_ID"],
                customer=doc["CONTACT_ID"] or "", why=by,
            )  # fmt: skip
        elif old["STAGE_ID"] != doc["STAGE_ID"]:
            moved = {"was": old["STAGE_ID"], "now": doc["STAGE_ID"]}
            self.books.enter("change", self.now(), id=doc["ID"], number=number, **moved, why=by)

    def lines(self, id: Any, rows: Any) -> None:
        """Afterwards the deal has these lines; its sum follows unless it was told by hand. Raises Fault."""
        deal = self.get("deal", id)
        made = []
        for n, row in enumerate(_rows(rows)):
            price, quantity = _number(row.get("PRICE", 0)), _number(row.get("QUANTITY", 1))
            product = str(row.get("PRODUCT_ID") or 0)
            if not product.isdigit():
                raise Fault("PRODUCT_ID is not a number<br>", "ERROR_CORE")
            name = str(row.get("PRODUCT_NAME") or "") or f"[{n + 1}]"
            made.append({
                "ID": str(self.number("row")), "OWNER_ID": deal["ID"], "OWNER_TYPE": "D", "PRODUCT_ID": int(product),
                "PRODUCT_NAME": name, "ORIGINAL_PRODUCT_NAME": name, "PRODUCT_DESCRIPTION": None, "PRICE": price,
                "PRICE_EXCLUSIVE": price, "PRICE_NETTO": price, "PRICE_BRUTTO": price, "PRICE_ACCOUNT": _money(price),
                "QUANTITY": quantity, "DISCOUNT_TYPE_ID": 2, "DISCOUNT_RATE": 0, "DISCOUNT_SUM": 0, "TAX_RATE": None,
                "TAX_INCLUDED": str(row.get("TAX_INCLUDED") or "N"), "CUSTOMIZED": "Y", "MEASURE_CODE": 796,
                "MEASURE_NAME": "pcs", "SORT": (n + 1) * 10, "XML_ID": "", "TYPE": 1, "STORE_ID": None,
                "RESERVE_ID": None, "DATE_RESERVE_END": None, "RESERVE_QUANTITY": None,
            })  # fmt: skip
        after = dict(deal) | {"rows": made, "DATE_MODIFY": self.stamp()}
        if deal["IS_MANUAL_OPPORTUNITY"] != "Y":
            after["OPPORTUNITY"] = _money(sum((row["PRICE"] * row["QUANTITY"] for row in made), Decimal(0)))
        self.table("deal")[int(deal["ID"])] = Row(doc=after, at=self.now())
        self.told("deal", "UPDATE", deal["ID"])


def _text(value: Any) -> str | None:
    """A value as the CRM keeps it: text, yes and no as Y and N."""
    if isinstance(value, bool):
        return "Y" if value else "N"
    if value is None or isinstance(value, dict | list):
        return None
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _rows(value: Any) -> Sequence[Mapping[str, Any]]:
    rows = list(value.values()) if isinstance(value, Mapping) else value
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _number(value: Any) -> Decimal:
    """A figure, to four places; 0 for what is none, as a cast gives."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    exact = found.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    whole = exact.to_integral_value()
    return whole.quantize(Decimal(1)) if exact == whole else exact.normalize()


def _money(value: Any) -> str:
    return str(_number(value).quantize(Decimal("0.01"), ROUND_HALF_UP))
