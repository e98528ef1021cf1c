"""Identifiers of goods: GTINs with their check digit, numbers that only one shop understands, makers' part numbers.

What surprises here: a GTIN of restricted circulation (a scale's label, a shop's own sticker) is a valid number and no
identity: two shops give the same one to different goods, so it neither matches records nor goes to a marketplace.
"""

from __future__ import annotations

import unicodedata
from typing import Any

_LENGTHS = (8, 12, 13, 14)
_PLACEHOLDERS = frozenset(
    {"0", "n/a", "na", "none", "null", "nil", "no", "unknown", "tbd", "todo", "test", "default", "mpn", "sku",
     "does not apply", "not applicable", "нет", "не указан", "неизвестно", "отсутствует", "жоқ"}
)
LONGEST_MPN = 70
"""Characters that Google's product data specification takes (support.google.com/merchants/answer/7052112, 2026-11)."""


def gtin(text: Any) -> str | None:
    """GTIN-14 (shorter ones with leading zeros) when the check digit is right, else None: typing errors match nothing.

    The check digit c makes ``Σ digit · weight`` a multiple of 10, weights 3, 1, 3, … counted from the digit before c.
    """
    if not isinstance(text, str):
        return None
    code = text.strip()
    if not (code.isascii() and code.isdigit() and len(code) in _LENGTHS) or not code.strip("0"):
        return None
    total = sum(int(digit) * (3 if position % 2 else 1) for position, digit in enumerate(reversed(code)))
    return code.zfill(14) if total % 10 == 0 else None


def restricted(code: str) -> bool:
    """Whether a GTIN-14 (of ``gtin``) is of restricted circulation: meaningful within one company or region only.

    By GS1 prefix p of the GTIN-13 in it: ``20…29`` and ``02``, ``04`` (within a region or a company), ``05`` and
    ``98``, ``99`` (coupons); of a GTIN-8 (six leading zeros): first digit 0 or 2. (GS1 General Specifications, 1.4.)
    """
    if code.startswith("000000"):
        return code[6] in "02"
    prefix = code[1:3]
    return prefix[0] == "2" or prefix in ("02", "04", "05", "98", "99")


def worldwide(text: Any) -> str | None:
    """The GTIN-14 that names these goods in every shop of the world; None where it is no GTIN, or a restricted one."""
    code = gtin(text)
    return None if code is None or restricted(code) else code


def mpn(text: Any) -> str | None:
    """The maker's part number, NFC, stripped; None where it is empty, longer than 70 signs, or stands for "none".

    A word such as ``n/a`` in this field makes a marketplace join goods that have nothing in common.
    """
    if not isinstance(text, str):
        return None
    number = " ".join(unicodedata.normalize("NFC", text).split())
    plain = number.casefold()
    usable = number and len(number) <= LONGEST_MPN and plain not in _PLACEHOLDERS and any(map(str.isalnum, plain))
    return number if usable and number.isprintable() else None
