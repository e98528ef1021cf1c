"""What a platform's answer means: exact JSON, the wait it asks for, what it said, masked.

What surprises here:

* Numbers stay exact: integers of any length are int, everything else is Decimal with its digits (promise P7).
* Half a surrogate pair, which JSON allows and no database stores, is let through: it is one document's fault, and
  refusing the page for it would stop the others (P6).
* A request that *may* have been carried out is ``Unsure``; 429 was not, a 5xx may have been.
* What a platform says about a failure may hold our own credential or a customer's address; it is masked before it
  goes into an error (P13).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from connectors.errors import ConnectorError, Misconfigured, RetryLater

BUSY, AWAY = 5.0, 15.0
"""Seconds to wait where the platform names none: after 429, and after a 5xx or a lost connection."""


class Unsure(RetryLater):
    """The request may have reached the platform. Repeating a read is safe; a write is ``unknown`` until settled.

    ``silent``: no answer came in time, so the next request would likely wait as long.
    """

    def __init__(self, message: str, *, after: float, silent: bool = False) -> None:
        super().__init__(message, after=after)
        self.silent = silent


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A platform's answer: ``body`` decoded (None when empty), lower-case headers, when its request began."""

    status: int
    headers: Mapping[str, str]
    body: Any
    url: str
    asked_at: datetime
    began: datetime
    """The earlier of ``asked_at`` and the same moment by the platform's clock."""

    @property
    def ok(self) -> bool:
        """The platform did what was asked."""
        return 200 <= self.status < 300


def _number(text: str) -> int | Decimal:
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = msgspec.json.Decoder(float_hook=_number)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def decoded(data: bytes) -> Any:
    """The JSON value, exact; raises ValueError that says where it is not JSON, and never quotes it."""
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError as fault:
        problem = str(fault)
    except RecursionError:
        problem = "it is nested too deeply"
    if b"\\ud" in data or b"\\uD" in data:  # msgspec refuses lone surrogates; the standard library keeps them
        try:
            return json.loads(data, parse_float=Decimal, parse_constant=_refuse)
        except (ValueError, RecursionError):
            pass
    raise ValueError(problem)


def understood(raw: bytes | None, largest: int, *, plain: bool) -> tuple[Any, str]:
    """The JSON value of a body (None when it is empty), and what stands against using it with the remedy, or "".

    ``raw`` None: it was larger than ``largest`` bytes. ``plain``: the bytes are wanted as they are.
    """
    if raw is None:
        smaller = "ask for smaller pages (`page_size`) or raise `largest_answer` in the channel's settings"
        return None, f"it is larger than {largest:,} bytes; {smaller}"
    try:
        return raw if plain else decoded(raw) if raw.strip() else None, ""
    except ValueError as fault:
        who = "is `url` the address of the API, or did a proxy or login page answer?"
        return None, f"it is not JSON: {fault}; {who}"


def encoded(value: Any) -> bytes:
    """JSON with Decimals as numbers, digit for digit; raises ValueError for what JSON cannot carry."""
    try:
        data = _ENCODER.encode(value)
    except UnicodeEncodeError:
        problem = "it holds half a surrogate pair, which no text may"
    except (TypeError, RecursionError) as fault:
        problem = str(fault)
    else:
        # The encoder writes a Decimal's text as it is; the words below may also stand in honest text.
        if (b"NaN" not in data and b"Infinity" not in data) or _finite(value):
            return data
        problem = "it holds a number that is not finite"
    raise ValueError(problem)


def _finite(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    if isinstance(value, Mapping):
        return all(_finite(item) for item in value.values())
    return not isinstance(value, list | tuple) or all(_finite(item) for item in value)


def wait(headers: Mapping[str, str], now: datetime, default: float) -> float:
    """Seconds that Retry-After asks for (a number, or a date against the answer's own Date), or the milliseconds of
    X-Rate-Limit-Time-Reset-Ms (BigCommerce's window); else ``default``."""
    text = headers.get("retry-after", "").strip()
    window = headers.get("x-rate-limit-time-reset-ms", "").strip()
    if text == "" and re.fullmatch(r"\d{1,9}", window):
        return int(window) / 1_000
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    then = dated(text)
    if then is None:
        return default
    return max(0.0, (then - (dated(headers.get("date", "")) or now)).total_seconds())


def dated(text: str) -> datetime | None:
    """The moment of an HTTP date; None where it is none."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


_EMAIL = re.compile(r"[^\s@\"'<>(){},;:]+@[^\s@\"'<>(){},;:]+")
_PHONE = re.compile(r"\+\d[\d ()-]{6,}\d")
LONGEST_SAYING = 300


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without our secrets, e-mail addresses and phone numbers, on one line of at most 300 characters."""
    for value in sorted((s for s in secrets if len(s) > 3), key=len, reverse=True):
        text = text.replace(value, "***")
    text = _PHONE.sub("***", _EMAIL.sub("***", text))
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= LONGEST_SAYING else text[:LONGEST_SAYING] + "…"


_SPEAKING = ("code", "type", "field", "message", "msg", "detail", "error_description", "title", "error", "errors")


def said(body: Any) -> str:
    """What the platform says is wrong, from the keys where platforms say it; "" where it says nothing."""
    if isinstance(body, Mapping):
        parts = [said(body[key]) for key in _SPEAKING if body.get(key) is not None]
        return ": ".join(part for part in dict.fromkeys(parts) if part)
    if isinstance(body, list):
        return "; ".join(part for part in map(said, body[:3]) if part)
    return "" if body is None else str(body)


_SCOPE = re.compile(r'scope="([^"]+)"')


def scope_of(answer: Answer) -> str | None:
    """The scope that the platform says is missing: in WWW-Authenticate, or as ``scope`` in its answer."""
    found = _SCOPE.search(answer.headers.get("www-authenticate", ""))
    if found is not None:
        return found[1]
    for place in (answer.body, answer.body.get("error") if isinstance(answer.body, Mapping) else None):
        if isinstance(place, Mapping):
            for key in ("scope", "required_scope", "missing_scope"):
                if isinstance(place.get(key), str):
                    return str(place[key])
    return None


def trouble(
    where: str, answer: Answer, clean: Callable[[str], str], remedy: Callable[[], str]
) -> ConnectorError | None:
    """The error an answer's status stands for; None for 2xx and for the 4xx that a caller judges."""
    status = answer.status
    if 200 <= status < 300:
        return None
    text = clean(said(answer.body))
    told = f"HTTP {status}: {text}" if text else f"HTTP {status}"
    if status in (401, 403):
        scope = scope_of(answer)
        missing = f"scope `{clean(scope)}`" if scope else "a valid credential" if status == 401 else "a right"
        return Misconfigured(f"{where}: {missing} is missing ({told}); {remedy()}")
    if status == 429:
        after = wait(answer.headers, answer.asked_at, BUSY)
        return RetryLater(f"{where}: the platform asks to wait {after:g} s ({told})", after=after)
    if 300 <= status < 400:
        return Misconfigured(f"{where}: the platform redirects ({told}); write its final address into `url`")
    if status == 408 or status >= 500:
        return Unsure(f"{where}: the platform failed ({told})", after=wait(answer.headers, answer.asked_at, AWAY))
    return None
