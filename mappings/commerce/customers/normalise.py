"""Names, e-mail addresses, telephone numbers and postal addresses in the one form in which they are compared.

What surprises here: what cannot be compared is None, never an empty text, so that two unknowns are never equal; and
nothing here is ever written to a channel: people keep their names as they spell them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from anyascii import anyascii

_WORD = re.compile(r"[a-z0-9]+")


def email(text: Any) -> str | None:
    """One text per address; None where it is no text or has no ``name@domain`` shape.

    ``name``: NFC, lower case, NFC again, without invisible signs. ``domain``: NFKC, lower case, in letters of ASCII as
    the name system holds it (IDNA). So ``Kim@Bücher.example`` and ``kim@xn--bcher-kva.example`` are one.
    """
    if not isinstance(text, str):
        return None
    seen = "".join(sign for sign in text.strip() if unicodedata.category(sign) not in ("Cf", "Cc"))
    name, _, domain = unicodedata.normalize("NFC", seen).rpartition("@")
    name = unicodedata.normalize("NFC", name.lower())
    domain = unicodedata.normalize("NFKC", domain).lower().rstrip(".")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    usable = name and domain and "@" not in name and not any(sign.isspace() for sign in name + domain)
    return f"{name}@{domain}" if usable else None


def phone(text: Any, country: str | None = None) -> str | None:
    """E.164, such as ``+77011234567``; ``country`` is assumed where there is no ``+``. None where it is no number."""
    if not isinstance(text, str):
        return None
    import phonenumbers  # its tables are a tenth of what a verb needs to start

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if valid else None


def name(text: Any) -> str | None:
    """The words of a name in any script, folded to Latin letters, in alphabetical order: order of names is custom."""
    found = words(text)
    return " ".join(sorted(found)) if found else None


def address(found: Any, country: str | None = None) -> str | None:
    """``country postcode|city street`` folded; None without a street, or with neither postcode nor city.

    Words of the street are kept in their order: "10 12th St" and "12 10th St" are two places.
    """
    if not isinstance(found, Mapping):
        return None
    street, where = _line(found.get("street")), _line(found.get("postcode")) or _line(found.get("city"))
    if street is None or where is None:
        return None
    return f"{(found.get('country') or country or '').lower()} {where} {street}"


def words(text: Any) -> list[str]:
    """The words of a text: any script folded to Latin letters, lower case, without punctuation."""
    return _WORD.findall(anyascii(text).lower()) if isinstance(text, str) else []


def _line(text: Any) -> str | None:
    return " ".join(words(text)) or None
