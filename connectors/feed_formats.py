"""What a feed's file looks like: each format as pure functions from rows to text, by the platform's published rules.

What surprises here:

* Nothing is repaired. A text that a spreadsheet would run as a formula, or a sign that XML cannot hold, makes its row
  ``fault`` (a rejection that names the field), never another text.
* Numbers are written digit by digit as they came: no exponent, no float on the way.
* Lists go as repeated elements in XML, as one cell with commas in CSV and TSV, where a comma of an address is ``%2C``.

Facts and where they stand (looked up 2026-11-22): Google product data, support.google.com/merchants/answer/7052112;
local inventory, …/answer/3061342; Meta catalogue, developers.facebook.com/docs/commerce-platform/catalog/fields and the
feed formats under …/marketing-api/catalog/reference; Kaspi price list, kaspi.kz/merchantcabinet/support (XML) with
kaspi.kz/kaspishopping.xsd, read by the marketplace every 30 to 60 minutes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape, quoteattr

Row = Mapping[str, Any]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A file is ``head(settings, at)``, then ``row`` of each item in the order of ids, then ``tail``, in UTF-8.

    ``fault`` says what is wrong with a row, None when it can be written. ``needs`` names settings of the channel.
    """

    suffix: str
    media: str
    head: Callable[[Mapping[str, Any], datetime], str]
    row: Callable[[Row], str]
    fault: Callable[[Row], str | None]
    tail: str = ""
    needs: tuple[str, ...] = ()


def plain(value: Any) -> str:
    """A value as a file writes it; null is nothing. Raises TypeError for what has no exact text (a float, a map)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str | int):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no exact text")


def separated(columns: Sequence[str], required: Sequence[str], delimiter: str, suffix: str, media: str) -> Format:
    """CSV or TSV (RFC 4180): a line of names, then a line per item; a cell is quoted where it must be, quotes doubled.

    Lines end with CR LF: with LF alone the library would leave a CR within a cell unquoted, and readers break the line.
    """

    def line(cells: Sequence[str]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
        return text.getvalue()

    def cell(value: Any) -> str:
        return ",".join(plain(one).replace(",", "%2C") for one in value) if isinstance(value, list) else plain(value)

    def fault(row: Row) -> str | None:
        for name in columns:
            try:
                text = cell(row.get(name))
            except TypeError as problem:
                return f"{name}: {problem}"
            if name in required and text == "":
                return f"{name}: is empty, and the platform requires it"
            if text.startswith(_FORMULA):
                return f"{name}: begins with {text[0]!r}, which spreadsheets run as a formula; begin it with a letter"
            if "\0" in text:
                return f"{name}: holds the sign NUL"
        return _unknown(row, columns)

    return Format(
        suffix=suffix, media=media, fault=fault, head=lambda settings, at: line(columns),
        row=lambda row: line([cell(row.get(name)) for name in columns]),
    )


def _unknown(row: Row, columns: Sequence[str]) -> str | None:
    strange = sorted(set(row) - set(columns))
    return f"{strange[0]}: is no column of this feed" if strange else None


def _holds(text: str) -> str | None:
    found = _NOT_XML.search(text)
    return None if found is None else f"holds the sign U+{ord(found[0]):04X}, which XML cannot hold"


def _element(name: str, value: Any) -> str:
    return f"<{name}>{escape(plain(value))}</{name}>"


GOOGLE_REQUIRED = ("id", "title", "description", "link", "image_link", "availability", "price")
GOOGLE_COLUMNS = (
    *GOOGLE_REQUIRED, "sale_price", "sale_price_effective_date", "availability_date", "additional_image_link", "brand",
    "gtin", "mpn", "identifier_exists", "condition", "google_product_category", "product_type", "item_group_id",
    "color", "size", "material", "pattern", "gender", "age_group", "unit_pricing_measure", "unit_pricing_base_measure",
)  # fmt: skip
_GOOGLE_LENGTHS = {"id": 50, "title": 150, "description": 5000, "brand": 70, "mpn": 70, "item_group_id": 50}


def _google_head(settings: Mapping[str, Any], at: datetime) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0">\n<channel>\n'
        f"{_element('title', settings.get('title', ''))}\n{_element('link', settings.get('link', ''))}\n"
        f"{_element('description', settings.get('title', ''))}\n"
    )


def _google_row(row: Row) -> str:
    parts = []
    for name in GOOGLE_COLUMNS:
        value = row.get(name)
        values = value if isinstance(value, list) else [value]
        parts += [_element(f"g:{name}", one) for one in values if one is not None]
    return f"<item>{''.join(parts)}</item>\n"


def _google_fault(row: Row) -> str | None:
    for name in GOOGLE_COLUMNS:
        value = row.get(name)
        try:
            texts = [plain(one) for one in (value if isinstance(value, list) else [value])]
        except TypeError as problem:
            return f"{name}: {problem}"
        if name in GOOGLE_REQUIRED and not any(texts):
            return f"{name}: is empty, and the platform requires it"
        wrong = next((found for text in texts if (found := _holds(text)) is not None), None)
        if wrong is not None:
            return f"{name}: {wrong}"
        longest = max(map(len, texts), default=0)
        if longest > _GOOGLE_LENGTHS.get(name, longest):
            return f"{name}: has {longest} characters, at most {_GOOGLE_LENGTHS[name]} are taken"
    return _unknown(row, GOOGLE_COLUMNS)


GOOGLE = Format(
    suffix="xml", media="application/rss+xml; charset=utf-8", head=_google_head, row=_google_row, fault=_google_fault,
    tail="</channel>\n</rss>\n",
)
GOOGLE_TSV = separated(GOOGLE_COLUMNS, GOOGLE_REQUIRED, "\t", "tsv", "text/tab-separated-values; charset=utf-8")
LOCAL_REQUIRED = ("store_code", "id", "availability")
GOOGLE_LOCAL = separated(
    (*LOCAL_REQUIRED, "quantity", "price", "sale_price", "pickup_method", "pickup_sla", "instore_product_location"),
    LOCAL_REQUIRED, "\t", "tsv", "text/tab-separated-values; charset=utf-8",
)
META_REQUIRED = ("id", "title", "description", "availability", "condition", "price", "link", "image_link", "brand")
META = separated(
    (*META_REQUIRED, "sale_price", "sale_price_effective_date", "additional_image_link", "gtin", "mpn", "item_group_id",
     "google_product_category", "product_type", "quantity_to_sell_on_facebook", "color", "size", "material", "status"),
    META_REQUIRED, ",", "csv", "text/csv; charset=utf-8",
)

PRICE_LIST_KEYS = ("sku", "model", "brand", "availabilities", "price", "cityprices")
_AVAILABILITY = ("available", "storeId", "preOrder", "stockCount")
_CITY = ("cityId", "price")


def _list_head(settings: Mapping[str, Any], at: datetime) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<kaspi_catalog date="{at:%Y-%m-%dT%H:%M:%SZ}" xmlns="kaspiShopping" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="kaspiShopping http://kaspi.kz/kaspishopping.xsd">\n'
        f"{_element('company', settings.get('company'))}\n{_element('merchantid', settings.get('merchant_id'))}\n"
        "<offers>\n"
    )


def _list_row(row: Row) -> str:
    places = "".join(
        f"<availability {' '.join(f'{key}={_quoted(one[key])}' for key in _AVAILABILITY if one.get(key) is not None)}/>"
        for one in row["availabilities"]
    )
    brand = "" if row.get("brand") is None else _element("brand", row["brand"])
    cities = row.get("cityprices") or []
    price = _element("price", row.get("price")) if not cities else "<cityprices>" + "".join(
        f"<cityprice cityId={_quoted(one['cityId'])}>{escape(plain(one['price']))}</cityprice>" for one in cities
    ) + "</cityprices>"
    return (
        f"<offer sku={_quoted(row['sku'])}>{_element('model', row['model'])}{brand}"
        f"<availabilities>{places}</availabilities>{price}</offer>\n"
    )


def _quoted(value: Any) -> str:
    return quoteattr(plain(value), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _list_fault(row: Row) -> str | None:
    """A price list takes whole prices above zero and at least one place; everything else is text."""
    if (strange := _unknown(row, PRICE_LIST_KEYS)) is not None:
        return strange
    places = row.get("availabilities") or []
    nested = [(f"availabilities.{key}", one.get(key)) for one in places for key in _AVAILABILITY]
    nested += [(f"cityprices.{key}", one.get(key)) for one in row.get("cityprices") or [] for key in _CITY]
    flat = [(name, row.get(name)) for name in ("sku", "model", "brand", "price")]
    for name, value in (*flat, *nested):
        try:
            text = plain(value)
        except TypeError as problem:
            return f"{name}: {problem}"
        if (wrong := _holds(text)) is not None:
            return f"{name}: {wrong}"
        if name.endswith("price") and value is not None and not _whole(value):
            return f"{name}: is no whole amount above zero, the only ones a price list takes"
    if any(row.get(name) in (None, "") for name in ("sku", "model")):
        return "sku or model: is empty, and the platform requires them"
    if not places:
        return "availabilities: names no place, and the platform requires one"
    priced = row.get("price") is not None or row.get("cityprices")
    return None if priced else "price: is empty, and there is none by city"


def _whole(value: Any) -> bool:
    return not isinstance(value, str) and value > 0 and value == int(value)


PRICE_LIST = Format(
    suffix="xml", media="application/xml; charset=utf-8", head=_list_head, row=_list_row, fault=_list_fault,
    tail="</offers>\n</kaspi_catalog>\n", needs=("company", "merchant_id"),
)
