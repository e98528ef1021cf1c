"""Whether an inbound notice is this channel's: each scheme is a function that raises Forged or names the delivery.

What surprises here:

* The errors say nothing of what was wrong with the notice: whoever forges one learns nothing.
* A delivery's id is believed only where the signature covers it. Otherwise the signed bytes are the id: whoever sends
  a captured notice again under a new delivery id gets the old one, which has one row in the inbox, however often.
* The platform sends the same notice again when our answer got lost, so a repetition within the tolerance is not
  refused here but told apart by that id; after the tolerance it is stale.
* While a secret is being rotated, ``<name>_previous`` among the channel's secrets is valid too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from connectors.base import Request
from connectors.errors import Forged, Misconfigured
from connectors.window import moment

Signature: TypeAlias = Callable[[Mapping[str, str], Sequence[str], Request], str]
"""verify(options, valid secrets, request) -> the delivery's id; raises Forged."""

TOLERANCE = 300.0
"""Seconds a signed timestamp may differ from the arrival, either way."""


def _refuse() -> Forged:
    return Forged("the notice is not from this channel")


def _header(options: Mapping[str, str], key: str, request: Request, default: str | None = None) -> str:
    name = options.get(key, default)
    if name is None:
        raise Misconfigured(f"signature: `{key}` is missing; write the name of a header there")
    found = request.headers.get(name.lower())
    if found is None or found == "":
        raise _refuse()
    return found


def _matches(secrets: Sequence[str], given: Callable[[str], bytes], expected: bytes) -> bool:
    if not secrets or "" in secrets:
        raise Misconfigured("signature: its secret is empty, so anybody could sign; set it")
    matched = False
    for secret in secrets:  # all of them, so that the time does not tell which one matched
        matched |= hmac.compare_digest(given(secret), expected)
    return matched


def hmac_sha256(options: Mapping[str, str], secrets: Sequence[str], request: Request) -> str:
    """HMAC-SHA256 in ``header``, after ``prefix``, ``encoding`` hex or base64.

    ``signed`` joins ``timestamp``, ``delivery`` and ``body`` with dots in the order given; by default
    ``timestamp.body`` where ``timestamp`` names a header, else ``body``. A timestamp further than ``tolerance``
    seconds from the arrival is refused.
    """
    text = _header(options, "header", request, "x-signature").removeprefix(options.get("prefix", ""))
    try:
        expected = base64.b64decode(text, validate=True) if options.get("encoding") == "base64" else bytes.fromhex(text)
    except (binascii.Error, ValueError):
        expected = b""
    parts = options.get("signed", "timestamp.body" if "timestamp" in options else "body").split(".")
    values = {"body": request.body}
    if "timestamp" in parts:
        values["timestamp"] = _header(options, "timestamp", request).encode()
    if "delivery" in parts:
        values["delivery"] = _header(options, "delivery", request).encode()
    signed = b".".join(values[part] for part in parts)
    if not _matches(secrets, lambda secret: hmac.new(secret.encode(), signed, hashlib.sha256).digest(), expected):
        raise _refuse()
    if "timestamp" in values:
        _fresh(options, values["timestamp"].decode(), request)
    return values["delivery"].decode() if "delivery" in values else hashlib.sha256(signed).hexdigest()


def _fresh(options: Mapping[str, str], text: str, request: Request) -> None:
    sent = moment(int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text)
    if sent is None or abs((request.at - sent).total_seconds()) > float(options.get("tolerance", TOLERANCE)):
        raise _refuse()


def header_token(options: Mapping[str, str], secrets: Sequence[str], request: Request) -> str:
    """A fixed secret in ``header``. It proves the sender only; whoever reads it once can send anything."""
    given = _header(options, "header", request, "x-token").removeprefix(options.get("prefix", ""))
    if not _matches(secrets, str.encode, given.encode()):
        raise _refuse()
    return hashlib.sha256(request.body).hexdigest()


SIGNATURES: Mapping[str, Signature] = {"hmac_sha256": hmac_sha256, "header_token": header_token}
OPTIONS: Mapping[str, frozenset[str]] = {
    "hmac_sha256": frozenset(
        {"secret", "header", "prefix", "encoding", "timestamp", "delivery", "signed", "tolerance"}
    ),
    "header_token": frozenset({"secret", "header", "prefix"}),
}
