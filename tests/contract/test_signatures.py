"""Which notices are believed: encodings, what is signed, and what a stranger may change."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from connectors.base import Request
from connectors.errors import Forged, Misconfigured, ShapeChanged
from connectors.signatures import header_token, hmac_sha256
from tests.contract.generic_rest_simulator import HOOK, Described
from tests.contract.harness import SPREAD

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
KEY = "k3y"


def notice(body: bytes, **headers: str) -> Request:
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method="POST", url="/hook", query={}, headers=lower, body=body, at=NOW)


def digest(signed: bytes, key: str = KEY) -> bytes:
    return hmac.new(key.encode(), signed, hashlib.sha256).digest()


@given(st.binary(max_size=200))
def test_every_encoding_of_a_right_signature_is_believed(body: bytes) -> None:
    """Hex, base64, with a prefix; signed over the body alone."""
    right = digest(body)
    hmac_sha256({"header": "x-sig"}, [KEY], notice(body, x_sig=right.hex()))
    hmac_sha256({"header": "x-sig"}, [KEY], notice(body, x_sig=right.hex().upper()))
    hmac_sha256({"header": "X-Sig", "encoding": "base64"}, [KEY], notice(body, x_sig=base64.b64encode(right).decode()))
    hmac_sha256({"header": "x-sig", "prefix": "sha256="}, [KEY], notice(body, x_sig="sha256=" + right.hex()))


@given(body=st.binary(min_size=1, max_size=60), place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_changed_bit_anywhere_is_refused(body: bytes, place: int, flip: int) -> None:
    """P13: in the body, the signature, or the timestamp."""
    options = {"header": "x-sig", "timestamp": "x-time"}
    stamp = str(int(NOW.timestamp()))
    right = digest(stamp.encode() + b"." + body)
    hmac_sha256(options, [KEY], notice(body, x_sig=right.hex(), x_time=stamp))

    def flipped(data: bytes) -> bytes:
        at = place % len(data)
        return data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]

    for request in (
        notice(flipped(body), x_sig=right.hex(), x_time=stamp),
        notice(body, x_sig=flipped(right).hex(), x_time=stamp),
        notice(body, x_sig=right.hex(), x_time=str(int(stamp) + flip)),
        notice(body, x_sig=digest(stamp.encode() + b"." + body, "another").hex(), x_time=stamp),
    ):
        with pytest.raises(Forged):
            hmac_sha256(options, [KEY], request)


@pytest.mark.parametrize("seconds", [-301, 301, 10**9])
def test_a_right_signature_of_another_time_is_refused(seconds: int) -> None:
    """P2: within the tolerance it is believed, beyond it is a replay."""
    options = {"header": "x-sig", "timestamp": "x-time", "tolerance": "300"}
    for stamp, fine in ((NOW + timedelta(seconds=299), True), (NOW + timedelta(seconds=seconds), False)):
        text = str(int(stamp.timestamp()))
        request = notice(b"{}", x_sig=digest(text.encode() + b".{}").hex(), x_time=text)
        if fine:
            hmac_sha256(options, [KEY], request)
        else:
            with pytest.raises(Forged):
                hmac_sha256(options, [KEY], request)


@pytest.mark.parametrize("stamp", ["", "yesterday", "²", "9" * 5000, "nan", "1e5"])
def test_a_signed_timestamp_that_is_none_is_refused(stamp: str) -> None:
    """Never an error of ours, whatever stands in the header."""
    request = notice(b"{}", x_sig=digest(stamp.encode() + b".{}").hex(), x_time=stamp)
    with pytest.raises(Forged):
        hmac_sha256({"header": "x-sig", "timestamp": "x-time"}, [KEY], request)


@pytest.mark.parametrize("signature", ["", "zz", "0", "é", "=" * 40, "0" * 64])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_signature_that_is_none_is_refused(signature: str, encoding: str) -> None:
    """Never an error of ours."""
    with pytest.raises(Forged):
        hmac_sha256({"header": "x-sig", "encoding": encoding}, [KEY], notice(b"{}", x_sig=signature))


def test_a_delivery_id_is_believed_only_where_it_is_signed() -> None:
    """P2: who replays a captured notice under a new id does not get it processed anew."""
    signed = {"header": "x-sig", "timestamp": "x-time", "delivery": "x-id", "signed": "delivery.timestamp.body"}
    stamp = str(int(NOW.timestamp()))
    right = digest(f"d-1.{stamp}.{{}}".encode()).hex()
    assert hmac_sha256(signed, [KEY], notice(b"{}", x_sig=right, x_time=stamp, x_id="d-1")) == "d-1"
    with pytest.raises(Forged):
        hmac_sha256(signed, [KEY], notice(b"{}", x_sig=right, x_time=stamp, x_id="d-2"))
    unsigned = {"header": "x-sig", "timestamp": "x-time", "delivery": "x-id"}
    right = digest(f"{stamp}.{{}}".encode()).hex()
    ids = {hmac_sha256(unsigned, [KEY], notice(b"{}", x_sig=right, x_time=stamp, x_id=id)) for id in ("d-1", "d-2")}
    assert len(ids) == 1


@pytest.mark.parametrize("verify", [hmac_sha256, header_token])
def test_an_empty_secret_lets_nobody_in(verify: Callable[..., str]) -> None:
    """P13: an HMAC with an empty key is one that anybody can make."""
    right = digest(b"{}", "").hex()
    for secrets in ([], [""], [KEY, ""]):
        with pytest.raises(Misconfigured):
            verify({"header": "x-sig"}, secrets, notice(b"{}", x_sig=right))


def test_a_fixed_token_proves_the_sender() -> None:
    """And only that: two different bodies are two deliveries, the same body is one."""
    options = {"header": "x-token", "prefix": "Bearer "}
    ids = [header_token(options, ["old", KEY], notice(body, x_token=f"Bearer {KEY}")) for body in (b"a", b"b", b"a")]
    assert ids[0] == ids[2] != ids[1]
    for given_token in ("", "Bearer", f"Bearer {KEY} ", f"Bearer {KEY}x", "Bearer é"):
        with pytest.raises(Forged):
            header_token(options, [KEY], notice(b"a", x_token=given_token))


def signed_notice(body: bytes) -> Request:
    stamp = str(int(NOW.timestamp()))
    return notice(body, x_sig="", x_timestamp=stamp, x_signature=digest(stamp.encode() + b"." + body, HOOK).hex())


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[]", b"7", b'{"resource": 7, "id": "1"}', b'{"resource": "things"}']
)
def test_a_malformed_notice_is_an_error_that_names_the_channel(body: bytes) -> None:
    """P1: signed, so the platform changed its shape; nothing is silently dropped."""
    subject = Described("cursor")
    with pytest.raises(ShapeChanged, match=r"^shop-kz: a signed notice"):
        subject.connect(subject.simulator()).receive(signed_notice(body))


def test_one_delivery_may_carry_many_events() -> None:
    """P2: each event has its own key; a resource nobody described is passed over and named in the reply."""
    subject = Described("cursor")
    connector = subject.connect(subject.simulator())
    body = (
        b'{"delivery": "d-9", "events": [{"resource": "things", "id": 7, "at": "2026-03-01T09:00:00Z"},'
        b' {"resource": "others", "id": "1"}, {"resource": "things", "id": "007"}]}'
    )
    received = connector.receive(signed_notice(body))
    assert [(one.delivery, one.id, one.at) for one in received.notices] == [
        ("d-9:0", "7", SPREAD[0]),
        ("d-9:2", "007", NOW),
    ]
    assert "others" in received.reply
    assert received.status == 202


def test_topics_name_our_resources() -> None:
    """A platform's own words for its events."""
    subject = Described("cursor")
    options: dict[str, Any] = dict(subject.options(subject.simulator()))
    options["description"] = {
        **options["description"],
        "notices": {"resource": "type", "id": "data.id", "at": "at", "topics": {"thing.updated": "things"}},
    }
    connector = subject.connect(subject.simulator(), options=options)
    received = connector.receive(signed_notice(b'{"type": "thing.updated", "data": {"id": "1"}}'))
    assert [(one.resource, one.id) for one in received.notices] == [("things", "1")]
