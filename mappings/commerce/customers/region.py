"""What of a person a channel may be given: everything, a pseudonym, or nothing.

What surprises here: a pseudonym is the same for the same text wherever the project's secret is the same, so that a
channel can still tell two people apart; it cannot be turned back, and it looks like what it stands for (an e-mail
address stays one, under ``pseudonym.invalid``, where no mail is ever delivered).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Personal: TypeAlias = Literal["allow", "pseudonym", "deny"]
PERSONAL: Final = ("allow", "pseudonym", "deny")
KEPT: Final = ("country",)
"""Parts of a personal value that name nobody."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where a channel keeps what it is given, and what of a person may be given to it."""

    region: str = ""
    personal: Personal = "allow"


def shield(values: Mapping[str, Any], personal: Collection[str], rule: Region, secret: bytes) -> dict[str, Any]:
    """The record as a channel of this region may see it; ``personal`` are its fields marked so.

    ``allow``: as it is. ``deny``: without these fields. ``pseudonym``: a text becomes
    ``p- + 20 hex digits of HMAC-SHA256(secret, text)``, an e-mail address ``that@pseudonym.invalid``; other values
    (numbers, days, addresses but for their country) are left out.
    """
    if rule.personal == "allow":
        return dict(values)
    shown = {}
    for name, value in values.items():
        if name not in personal:
            shown[name] = value
        elif rule.personal == "pseudonym":
            veiled = _veiled(name, value, secret)
            if veiled is not None:
                shown[name] = veiled
    return shown


def pseudonym(text: str, secret: bytes) -> str:
    """The same for the same text and secret, and for nothing else."""
    return f"p-{hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:20]}"


def _veiled(name: str, value: Any, secret: bytes) -> Any:
    if isinstance(value, Mapping):
        return {key: part if key in KEPT else _veiled(key, part, secret) for key, part in value.items()}
    if not isinstance(value, str) or name in ("phone", "born_on"):
        return None
    return f"{pseudonym(value, secret)}@pseudonym.invalid" if name == "email" else pseudonym(value, secret)
