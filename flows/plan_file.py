"""A plan as a file: JSON that machines read and `apply` takes back, exact to the last digit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from flows.apply import CannotApply
from flows.plan import Plan

FORMAT = "serai-plan/1"
_encoder = msgspec.json.Encoder(decimal_format="number")


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format: str
    plan: Plan


_decoder = msgspec.json.Decoder(_File, float_hook=Decimal)


def to_json(made: Plan) -> bytes:
    """The plan as indented JSON; numbers with a fraction are JSON numbers with all their digits."""
    return msgspec.json.format(_encoder.encode(_File(format=FORMAT, plan=made)), indent=2) + b"\n"


def read_plan(path: Path) -> Plan:
    """The plan in a file that `to_json` wrote. Raises CannotApply for anything else, saying what it found."""
    try:
        text = path.read_bytes()
    except OSError as fault:
        raise CannotApply(f"{path}: {fault.strerror}; `serai plan --format json --out FILE` writes one") from None
    try:
        head: Any = msgspec.json.decode(text)
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise CannotApply(f"{path} is no plan of this version; write one with `serai plan --format json --out`")
        return _decoder.decode(text).plan
    except msgspec.MsgspecError as fault:
        raise CannotApply(f"{path} is no plan: {fault}; write one with `serai plan --format json --out`") from None
