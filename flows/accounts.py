"""Accounts of customers that a person bound: each becomes an identity of its own, linked to who the person said.

What surprises here: a customer's account never shares the record of another that speaks for itself. So it can be taken
out again (`serai customer split`), with whatever it said, bought and was told since, as if a rule had joined it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry import (
    BindingRow,
    LikenessRow,
    RecordRow,
    Tx,
    encode,
    lock_records,
    members,
    new_uids,
    put_likenesses,
    put_records,
    set_people,
)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """An account that is somebody's, as a person said: ``to`` is any of their identities; ``values`` what the channel
    says of it, as far as it was read."""

    channel: str
    external_id: str
    to: str
    values: Mapping[str, Any]


def linked_accounts(tx: Tx, accounts: Sequence[Bound], *, who: str, because: str) -> list[BindingRow]:
    """Makes an identity for each account and links it; returns the bindings to store.

    Afterwards each is part of its person, whose record is what it was: the next read brings what the account says.
    """
    if not accounts:
        return []
    lock_records(tx, sorted({one.to for one in accounts}))
    same = members(tx, {one.to for one in accounts})
    uids = new_uids(len(accounts))
    put_records(tx, [
        RecordRow(uid=uid, entity="customer", values=encode({"name": "", **one.values}))
        for uid, one in zip(uids, accounts, strict=True)
    ])
    put_likenesses(tx, [
        LikenessRow(one=one.to, other=uid, state="merged", score="1", because=because, who=who)
        for uid, one in zip(uids, accounts, strict=True)
    ])
    set_people(tx, {uid: same[one.to][0] for uid, one in zip(uids, accounts, strict=True)})
    return [
        BindingRow(channel=one.channel, entity="customer", external_id=one.external_id, uid=uid, state="live")
        for uid, one in zip(uids, accounts, strict=True)
    ]
