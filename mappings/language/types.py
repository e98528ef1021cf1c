"""Every type that ``as:`` may name, and the function that reads it; those of people's addresses stand here."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from mappings.language.amounts import money_of, quantity_of
from mappings.language.moments import date_of, moment_of
from mappings.language.values import (
    Refused,
    boolean_of,
    decimal_of,
    integer_of,
    list_of,
    object_of,
    text_of,
    wrong,
)


def email_of(value: Any) -> str:
    """An e-mail address without surrounding blanks; the domain in lower case."""
    text = text_of(value).strip()
    local, at, domain = text.rpartition("@")
    if not at or not local or "." not in domain or any(c.isspace() for c in text):
        raise Refused("email", "the text is not an e-mail address", value)
    return f"{local}@{domain.lower()}"


@lru_cache(maxsize=4096)
def _phone(text: str, region: str | None) -> str | None:
    import phonenumbers  # its tables are a tenth of what a verb needs to start

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phone_of(value: Any, region: str | None = None) -> str:
    """A telephone number as E.164 text; ``region`` reads numbers written without a country code."""
    if value.__class__ is not str:
        raise wrong(value, "text with a telephone number")
    number = _phone(value, region)
    if number is None:
        raise Refused("phone", "the text is not a telephone number" + ("" if region else " (no region is set)"), value)
    return number


Reader: TypeAlias = Callable[..., Any]
READERS: dict[str, Reader] = {
    "text": text_of,
    "integer": integer_of,
    "decimal": decimal_of,
    "boolean": boolean_of,
    "object": object_of,
    "list": list_of,
    "date": date_of,
    "moment": moment_of,
    "money": money_of,
    "quantity": quantity_of,
    "email": email_of,
    "phone": phone_of,
}
"""Every type of `as:`, and the function that reads it."""
