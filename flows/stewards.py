"""What a person asks and decides of customers: whom a name means, that two are one, or two for good."""

from __future__ import annotations

from flows.consequences import follow
from flows.matching import CannotBind
from flows.people import CUSTOMER, join, take_apart
from flows.wiring import House
from mappings.commerce.customers.normalise import email, phone
from registry import LikenessRow, Tx, bindings, members, owners, put_likenesses, records, write_audit


def find(tx: Tx, name: str) -> str:
    """The identity that ``name`` means: a uid, ``channel:id``, an e-mail address or a telephone number.

    Raises CannotBind when nobody is meant by it.
    """
    found = records(tx, [name])
    if name in found and found[name].entity == CUSTOMER:
        return name
    channel, colon, id = name.partition(":")
    if colon:
        there = bindings(tx, channel, [(CUSTOMER, id)]).get((CUSTOMER, id))
        if there is not None and there.uid is not None:
            return there.uid
    for kind, value in (("email", email(name)), ("phone", phone(name))):
        if value is not None:
            owned = owners(tx, [(CUSTOMER, kind, value)])
            if owned:
                return next(iter(owned.values()))
    raise CannotBind("nobody is known by that; name a uid, channel:id, e-mail address, or telephone number with its +")


def merge(house: House, one: str, other: str, *, who: str, because: str) -> str:
    """Joins two people by a person's word; returns the uid of the person. Raises CannotBind."""
    def work(tx: Tx) -> str:
        first, second = sorted((find(tx, one), find(tx, other)))
        if second in members(tx, [first])[first]:
            raise CannotBind("these two are one person already")
        row = LikenessRow(one=first, other=second, state="merged", score="1", because="a person said so", who=who,
                          reason=because)
        changes = join(house, tx, [row], cause=f"desk:{who}")
        follow(house, tx, changes, now=tx.now, cause="desk")
        write_audit(tx, who, f"merge customers {first} and {second}", because, None, changes[0].uid)
        return changes[0].uid

    return house.registry.attempt(work)


def split(house: House, one: str, other: str | None = None, *, who: str, because: str) -> list[str]:
    """Takes an identity out of its person, or undoes one link; returns the people there are now. Raises CannotBind."""
    def work(tx: Tx) -> list[str]:
        first = find(tx, one)
        second = None if other is None else find(tx, other)
        changes = take_apart(house, tx, first, second, who=who, because=because, cause=f"desk:{who}")
        follow(house, tx, changes, now=tx.now, cause="desk")
        write_audit(tx, who, f"split customer {first}" + (f" and {second}" if second else ""), because, None, None)
        return [change.uid for change in changes]

    return house.registry.attempt(work)


def decide(house: House, one: str, other: str, *, same: bool, who: str, because: str) -> None:
    """What a steward says of a pair: one person, or two for good. Raises CannotBind."""
    if same:
        merge(house, one, other, who=who, because=because)
        return

    def work(tx: Tx) -> None:
        first, second = sorted((find(tx, one), find(tx, other)))
        if second in members(tx, [first])[first]:
            raise CannotBind("these two are one person; `serai customer split` takes them apart")
        put_likenesses(tx, [LikenessRow(
            one=first, other=second, state="separate", score="0", because="a person said so", who=who, reason=because,
        )])
        write_audit(tx, who, f"customers {first} and {second} are two people", because, None, None)

    house.registry.attempt(work)
