"""How values are written into columns: exact JSON text, 16-byte digests, moments as whole microseconds, uids.

What surprises here: JSON numbers keep every digit (a Decimal is written as a JSON number and read back as a Decimal,
``0.10`` stays ``0.10``); keys are sorted, so equal documents have equal digests; lone surrogates are refused.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

Json: TypeAlias = Mapping[str, Any] | Sequence[Any] | str
"""A JSON document: plain data, or text that ``encode`` has already written (text is stored as it is)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encoder = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_plain = msgspec.json.Encoder(decimal_format="number")
decode: Callable[[str | bytes], Any] = msgspec.json.Decoder(float_hook=Decimal).decode
"""The data of a JSON text; numbers with a fraction or an exponent are Decimals."""


def encode(value: Any) -> str:
    """JSON text with sorted keys and exact numbers; raises ValueError or TypeError for what JSON cannot hold."""
    text = _encoder.encode(value).decode("utf-8")
    if "NaN" in text or "Infinity" in text:  # of a Decimal, or within a text: decoding tells
        decode(text)
    return text


def encode_all(values: Sequence[Any]) -> list[str]:
    """``encode`` of each, in one pass."""
    lines = _encoder.encode_lines(values).decode("utf-8")
    return [encode(value) for value in values] if "NaN" in lines or "Infinity" in lines else lines.split("\n")[:-1]


def encoded(value: Any) -> bytes:
    """``encode``, as bytes."""
    data = _encoder.encode(value)
    if b"NaN" in data or b"Infinity" in data:
        decode(data)
    return data


def verbatim(text: str) -> msgspec.Raw:
    """What ``encode`` wrote, to stand in another document as it is."""
    return msgspec.Raw(text.encode())


def digest(text: str | bytes) -> bytes:
    """16 bytes of BLAKE2b: equal for equal text, and for nothing else that anybody will ever meet."""
    return hashlib.blake2b(text.encode() if isinstance(text, str) else text, digest_size=16).digest()


def document_hashes(docs: Sequence[Any], salt: bytes) -> list[bytes]:
    """24 bytes for each native document as it came: 8 for ``salt`` (what else decides what it means), 16 for itself."""
    head = hashlib.blake2b(salt, digest_size=8).digest()
    blake, lines = hashlib.blake2b, _plain.encode_lines(docs).split(b"\n")     # within a document none is written so
    return [head + blake(line, digest_size=16).digest() for line in lines[:-1]]


def same_document(one: bytes | None, other: bytes) -> bool:
    """Whether two of these are of one document, whatever else decides what it means; an unknown one may be."""
    return one is None or one[8:] == other[8:]


def as_text(value: Json | None) -> str | None:
    """Text for a JSON column: text passes as it is, data is encoded, None stays None (SQL null)."""
    return value if value is None or isinstance(value, str) else encode(value)


def as_texts(values: Sequence[Json | None]) -> list[str | None]:
    """``as_text`` of each: what is data is encoded in one pass."""
    data = [value for value in values if value is not None and type(value) is not str]
    texts = iter(encode_all(data)) if data else iter(())
    return [value if value is None or type(value) is str else next(texts) for value in values]


@lru_cache(maxsize=256)  # the rows of a page bear the same few moments
def micros(moment: datetime) -> int:
    """Whole microseconds since 1970 in UTC; raises ValueError for a naive moment."""
    if moment.tzinfo is None:
        raise ValueError(f"naive moment {moment.isoformat()}: moments are aware; attach UTC before storing")
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=1_024)  # the rows of a page bear the few stamps of the transactions that wrote them
def moment(value: int) -> datetime:
    """The aware UTC moment of a stored number of microseconds."""
    return _EPOCH + timedelta(microseconds=value)


def maybe_micros(value: datetime | None) -> int | None:
    """``micros``, with None for None."""
    return None if value is None else micros(value)


def maybe_moment(value: int | None) -> datetime | None:
    """``moment``, with None for None."""
    return None if value is None else moment(value)


def new_uids(n: int) -> list[str]:
    """``n`` fresh uids in ascending order: 12 hex digits of milliseconds and 20 random ones."""
    stamp = f"{time.time_ns() // 1_000_000:012x}"
    noise = os.urandom(10 * n).hex()
    return sorted(stamp + noise[20 * i : 20 * i + 20] for i in range(n))


def holdable(text: str) -> bool:
    """Whether every database holds this text: no NUL character and no lone surrogate."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
