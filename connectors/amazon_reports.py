"""Documents that Amazon makes: unpacked, and settlement reports read.

What surprises here: a settlement report is text with tabs; its first row is the sum, and every other row leaves those
columns empty. Its moments are written as ``2026-03-01 09:00:00 UTC``, with an offset, or in Europe as ``01.03.2026
09:00:00 UTC``, its amounts there with a comma (samples that sellers published, looked up 2026-11-22; Amazon describes
columns only).
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from connectors.base import Doc
from connectors.errors import ShapeChanged
from connectors.window import moment as stamp

LARGEST_DOCUMENT: Final = 64_000_000
"""Bytes of an unpacked document."""


def unpacked(data: bytes, algorithm: str | None) -> bytes:
    """A document's content. Raises ShapeChanged for what cannot be unpacked, or would fill the memory."""
    if algorithm is None:
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            found = packed.read(LARGEST_DOCUMENT + 1)
    except (OSError, EOFError, zlib.error) as fault:
        raise ShapeChanged(f"a document cannot be unpacked ({algorithm}): {type(fault).__name__}") from None
    if len(found) > LARGEST_DOCUMENT:
        raise ShapeChanged(f"a document is larger than {LARGEST_DOCUMENT:,} bytes")
    return found


_COLUMNS: Final[Mapping[str, str]] = {
    "transaction-type": "type", "order-id": "orderId", "amount-type": "amountType",
    "amount-description": "description", "amount": "amount", "sku": "sku", "order-item-code": "orderItemId",
    "quantity-purchased": "quantity", "adjustment-id": "adjustmentId",
    "posted-date-time": "postedAt", "posted-date": "postedDate",
}  # fmt: skip


_NEEDED: Final = frozenset({
    "settlement-id", "total-amount", "currency", "transaction-type", "order-id", "amount-type", "amount-description",
    "amount",
})  # fmt: skip


def settlement(report: Doc, text: str) -> Doc:
    """A settlement report as a document: what it is of, and its rows. Raises ShapeChanged naming the missing column."""
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    lacking = sorted(_NEEDED - set(rows[0])) if rows else ["row"]
    if lacking:
        raise ShapeChanged(f"settlement report {report['reportId']}: it has no {lacking[0]}")
    head, *rest = rows
    return {
        "reportId": report["reportId"], "createdTime": report["createdTime"], "settlementId": head["settlement-id"],
        "start": moment(head.get("settlement-start-date")), "end": moment(head.get("settlement-end-date")),
        "depositDate": moment(head.get("deposit-date")), "total": number(head["total-amount"]),
        "currency": head["currency"],
        "rows": [_row(n, row) for n, row in enumerate(rest, 1)],
    }  # fmt: skip


def _row(n: int, row: Mapping[str, str]) -> Doc:
    found: Doc = {"row": str(n)} | {name: row.get(column) or None for column, name in _COLUMNS.items()}
    found["amount"] = number(str(found["amount"]))
    found["postedAt"] = moment(found["postedAt"] or found.pop("postedDate", None))
    found.pop("postedDate", None)
    return found


def number(text: str) -> str:
    """An amount as the report writes it, with a point: ``1.234,50`` and ``1234.50`` are the same."""
    text = text.strip().replace(" ", "")
    if re.fullmatch(r"-?[\d.]*,\d{1,2}", text):
        return text.replace(".", "").replace(",", ".")
    return text


def moment(text: str | None) -> str | None:
    """ISO text of a report's moment; what is none stays as it is, for its mapping to say so."""
    plain = (text or "").strip().removesuffix(" UTC")
    for form in ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y-%m-%d", "%d.%m.%Y"):
        try:
            return datetime.strptime(plain, form).replace(tzinfo=UTC).isoformat()
        except ValueError:
            continue
    found = stamp(plain)
    return text or None if found is None else found.isoformat()
