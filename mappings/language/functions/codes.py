"""Functions of identifiers and encodings: the same text always gives the same code."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import uuid
import zlib
from urllib.parse import quote

from mappings.language.functions.registry import Family, of_length
from mappings.language.operators import text_only
from mappings.language.values import Refused

family = Family("code")


def _bytes(value: str) -> bytes:
    of_length(len(text_only(value)))
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise Refused("text", "the text holds half a character (a lone surrogate)", value) from None


@family("sha256(value: text) -> text", "a fingerprint, in hexadecimal", "left(sha256('kettle'), 8)", "20cd4732")
def _sha256(value: str) -> str:
    return hashlib.sha256(_bytes(value)).hexdigest()


@family(
    "md5(value: text) -> text",
    "for platforms that ask for it; protects nothing",
    "md5('kettle')",
    "a442b5469d33091d0d022b38181dd88f",
)
def _md5(value: str) -> str:
    return hashlib.md5(_bytes(value), usedforsecurity=False).hexdigest()


@family("crc32(value: text) -> text", "a short check sum, 8 hexadecimal digits", "crc32('kettle')", "c116e03c")
def _crc32(value: str) -> str:
    return f"{zlib.crc32(_bytes(value)):08x}"


@family(
    "uuid5(namespace: text, name: text) -> text",
    "the UUID of a name in a namespace (a UUID, or `dns`, `url`): always the same",
    "uuid5('url', 'https://example.com/kettle')",
    "27778062-32cc-5967-8c0b-e99cd9ecd6f7",
)
def _uuid5(namespace: str, name: str) -> str:
    known = {"dns": uuid.NAMESPACE_DNS, "url": uuid.NAMESPACE_URL}
    try:
        space = known.get(text_only(namespace)) or uuid.UUID(namespace)
    except ValueError:
        raise Refused("uuid", "the namespace is a UUID, or one of dns, url", namespace) from None
    of_length(len(_bytes(name)))
    return str(uuid.uuid5(space, name))


@family("base64_encode(value: text) -> text", "in base64, of UTF-8", "base64_encode('чай')", "0YfQsNC5")
def _base64_encode(value: str) -> str:
    return base64.b64encode(_bytes(value)).decode()


@family("base64_decode(value: text) -> text", "the UTF-8 text that base64 holds", "base64_decode('0YfQsNC5')", "чай")
def _base64_decode(value: str) -> str:
    try:
        return base64.b64decode(_bytes(value), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Refused("base64", "the text is not base64 of UTF-8 text", value) from None


@family(
    "url_encode(value: text) -> text", "as part of an address", "url_encode('чай & 2')", "%D1%87%D0%B0%D0%B9%20%26%202"
)
def _url_encode(value: str) -> str:
    _bytes(value)
    return quote(value, safe="")


@family(
    "escape_html(value: text) -> text",
    "as text inside HTML",
    "escape_html('Tea & <kettle>')",
    "Tea &amp; &lt;kettle&gt;",
)
def _escape_html(value: str) -> str:
    of_length(len(text_only(value)))
    return html.escape(value)
