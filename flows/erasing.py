"""Forgetting a person: out of contributions, records, documents, lineage, inbox, parked items, logs and Prefect.

What surprises here:

* Accounts stay known by their ids, without anything of the person: what a channel still says of them is not taken
  again, and each channel that receives customers is told to hold nothing either.
* What the law demands of invoices is named in policies/customers.yaml, field by field; nothing else is kept.
* The proof is not what was meant to be done: after all is done, every table and file is looked through once more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from flows.erasing_files import clean_files, left_in_files
from flows.people import CUSTOMER
from flows.regions import personal
from flows.stewards import find
from flows.why import masked
from flows.wiring import House
from mappings import canonical
from mappings.commerce.customers.matching import MatchPolicy, reachable_email, reachable_phone
from registry import (
    Binding,
    ErasureRow,
    HopRow,
    RecordRow,
    Tx,
    digest,
    drop_keys,
    encode,
    forget_people,
    keys_of,
    linked,
    mark_due,
    members,
    new_uids,
    put_bindings,
    put_erased,
    put_erasure,
    put_hops,
    put_records,
    records,
    write_audit,
)
from registry.erasing import (
    Hit,
    bindings_ever,
    bindings_saying,
    cleaned,
    drop_bodies,
    drop_traces,
    forget_freed,
    look_through,
    take_out,
)
from registry.inbox import Inbox

ERASED: Final = "erased"
"""What stands where a record cannot be without a text."""
NO: Final = [{"key": "marketing/*/*", "purpose": "marketing", "channel": None, "means": None, "state": "denied"}]
NOWHERE: Final = {"name": ERASED, "street": ERASED, "city": ERASED, "region": None, "postcode": None, "phone": None}
_OURS: Final = ("binding", "record", "document")
"""Tables whose rows belong to somebody: of others than the person they are left alone."""


@dataclass(kw_only=True)
class Proof:
    """What was removed, by place; what is kept and why; which channels were told, or must be by hand; what is left."""

    uid: str
    at: datetime
    identities: list[str]
    backups_until: str
    removed: Counter[str] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)
    telling: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    shared: int = 0
    left: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """Whether nothing of the person was found afterwards."""
        return not self.left

    def row(self) -> dict[str, Any]:
        """The proof as plain JSON, without any personal value."""
        return {
            "erasure": self.uid, "at": self.at.isoformat(), "identities": self.identities, "clean": self.clean,
            "removed": dict(sorted(self.removed.items())), "kept": self.kept, "telling": self.telling,
            "by_hand": self.by_hand, "shared_with_others": self.shared, "left": dict(sorted(self.left.items())),
            "backups_until": self.backups_until,
        }


@dataclass(kw_only=True)
class _Subject:
    """A person in hand: their identities, the records that speak of them, and texts that are theirs alone."""

    people: list[str] = field(default_factory=list)
    of: dict[str, str] = field(default_factory=dict)
    bindings: list[Binding] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)

    @property
    def items(self) -> set[tuple[str, str, str]]:
        """(channel, entity, external id) of everything of theirs."""
        return {(one.channel, one.entity.split("/")[0], one.external_id) for one in self.bindings}


def erase(house: House, name: str, *, who: str, because: str) -> Proof:
    """Forgets a person, named as `find` takes it; returns the proof. Raises CannotBind when nobody is known by that.

    Afterwards no table, log or page of Prefect on this machine holds anything of the person but what the policy keeps
    of invoices, channels are told with the next writes, and nothing they still say of these accounts is taken in.
    """
    policy = house.project.customers.erasure
    uid, = new_uids(1)
    at = house.registry.now()
    proof = Proof(
        uid=uid, at=at, identities=[], backups_until=(at + timedelta(days=policy.backups_days)).date().isoformat()
    )

    def work(tx: Tx) -> _Subject:
        proof.removed.clear()
        subject = _subject(house, tx, find(tx, name), proof)
        _redact(house, tx, subject, proof)
        proof.removed.update(drop_traces(tx, subject.items, list(subject.of)))
        proof.removed["trait"] += forget_people(tx, subject.people)
        cards = [uid for uid, entity in subject.of.items() if entity in (CUSTOMER, "gift_card")]
        proof.removed["matchkey"] += drop_keys(tx, [key for keys in keys_of(tx, cards).values() for key in keys])
        hits = [hit for hit in look_through(tx, subject.texts) if hit.table not in _OURS or _theirs(hit.key, subject)]
        proof.removed.update(take_out(tx, (hit for hit in hits if not _done_with(hit)), subject.texts))
        if house.registry._inbox_engine is house.registry.engine:
            _inbox(tx, subject, proof)
        put_erased(tx, subject.items)
        _tell(house, tx, subject, proof)
        write_audit(tx, who, f"erase customer {subject.people[0]}", cleaned(because, subject.texts), None, uid)
        return subject

    subject = house.registry.attempt(work)
    if house.registry._inbox_engine is not house.registry.engine:
        Inbox(house.registry, house.registry._inbox_engine)._write(partial(_inbox, subject=subject, proof=proof))
    proof.identities = subject.people
    proof.removed.update(clean_files(house.project.state, subject.texts))
    forget_freed(house.registry)
    _check(house, subject, proof)
    said = cleaned(because, subject.texts)
    house.registry.attempt(lambda tx: put_erasure(tx, ErasureRow(
        uid=uid, at=at, who=who, because=said, identities=subject.people, proof=proof.row()
    )))
    return proof


def _subject(house: House, tx: Tx, uid: str, proof: Proof) -> _Subject:
    """Everything that speaks of the person: by reference, and what only mentions their address or number."""
    found = _Subject(people=members(tx, [uid])[uid])
    found.of = dict.fromkeys(found.people, CUSTOMER)
    for target, uids in ((CUSTOMER, found.people), ("order", None)):
        wanted = uids if uids is not None else [one for one, entity in found.of.items() if entity == "order"]
        for entity, names in house.references.items():
            for name, to in names.items():
                if to == target and wanted:
                    for mine in linked(tx, entity, name, wanted).values():
                        found.of.update(dict.fromkeys(mine, entity))
    found.bindings = bindings_ever(tx, list(found.of))
    contacts = {text for one in found.bindings if one.entity == CUSTOMER for text in _contacts(house, one)}
    others = {
        one.uid for one in bindings_saying(tx, contacts) if one.entity == CUSTOMER and one.uid not in found.of
    } if contacts else set()
    proof.shared = len(others)
    theirs = {
        text for one in bindings_ever(tx, [uid for uid in others if uid is not None]) for text in _texts(one, CUSTOMER)
    }
    mentioned = bindings_saying(tx, contacts - theirs) if contacts - theirs else []
    for one in mentioned:
        if one.uid is not None and one.uid not in found.of and one.entity != CUSTOMER:
            found.of[one.uid] = one.entity.split("/")[0]
    found.bindings = bindings_ever(tx, list(found.of))
    for one in found.bindings:
        entity = one.entity.split("/")[0]
        if found.of.get(str(one.uid)) == CUSTOMER or _about(one, found.people, contacts - theirs):
            found.texts |= _texts(one, entity) - theirs
    found.texts |= contacts - theirs
    return found


def _about(one: Binding, people: Collection[str], contacts: Collection[str]) -> bool:
    """Whether what an order or a message says of somebody is said of this person, who placed it."""
    values = one.values or {}
    return values.get("customer") in people or any(text in (one.values_text or "") for text in contacts)


def _contacts(house: House, one: Binding) -> set[str]:
    """E-mail addresses and telephone numbers in the forms in which they are written; never ones that are shared."""
    policy: MatchPolicy = house.project.customers.match
    values = one.values or {}
    row = house.project.channels.get(one.channel)
    country = None if row is None else row.company.country
    found = set()
    if (mail := reachable_email(values, policy)) is not None:
        found |= {mail, str(values["email"]).strip()}
    if (number := reachable_phone(values, policy, country)) is not None:
        found |= {*phone_forms(number), str(values["phone"]).strip()}
    return found


def phone_forms(number: str) -> set[str]:
    """The ways in which people and systems write a number given as E.164."""
    import phonenumbers

    parsed = phonenumbers.parse(number)
    kinds = phonenumbers.PhoneNumberFormat
    forms = {phonenumbers.format_number(parsed, kind)
             for kind in (kinds.E164, kinds.INTERNATIONAL, kinds.NATIONAL, kinds.RFC3966)}
    return forms | {number.removeprefix("+"), str(parsed.national_number)}


def _texts(one: Binding, entity: str) -> set[str]:
    """What an account says of somebody that names nobody else: contacts, full names, streets, numbers."""
    values = one.values or {}
    found: set[str] = set()
    for name in personal(entity):
        found |= set(_leaves(values.get(name)))
    return {text for text in found if _telling(text)}


def _leaves(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if key not in ("country", "city", "region", "kind", "points", "currency", "amount", "tier"):
                yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)


def _telling(text: str) -> bool:
    """Whether a text names somebody by itself: two words, an address, a long number; not a first name or a date."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}(T.*Z)?", text):
        return False
    return "@" in text or (len(text) >= 5 and len(text.split()) >= 2) or (len(text) >= 6 and any(
        sign.isdigit() for sign in text))


def _redact(house: House, tx: Tx, subject: _Subject, proof: Proof) -> None:
    """Contributions, projections and records without the person; what the policy keeps of invoices stays."""
    keep = house.project.customers.erasure.keep
    years = house.project.customers.erasure.years
    rows = []
    for one in subject.bindings:
        entity = one.entity.split("/")[0]
        group = house.of(one.channel).outward.get(entity) if one.channel in house.project.channels else None
        told = one.told
        if told is not None:
            told = None if group is None or entity == CUSTOMER else _wiped(masked(house, group, told), subject.texts)
        values = None if one.values is None else _without(entity, one.values, keep.get(entity, ()), subject.texts)
        changes: dict[str, Any] = {"values": values, "told": told}
        row = one.row(**changes)
        rows.append(type(row)(**{
            **{name: getattr(row, name) for name in row.__struct_fields__},
            "told_hash": None if told is None else one.told_hash, "kept": {} if entity == CUSTOMER else one.kept,
        }))
        proof.removed["binding"] += 1
    put_bindings(tx, rows)
    changed, hops = [], []
    for uid, record in records(tx, list(subject.of)).items():
        entity = subject.of[uid]
        if record.uid != uid or record.entity != entity:
            continue
        values = _without(entity, record.values, keep.get(entity, ()), subject.texts)
        text = encode(values)
        changed.append(RecordRow(uid=uid, entity=entity, values=text, state=record.state))
        hops.append(HopRow(
            uid=uid, entity=entity, channel="", direction="erase", before_hash=None, after_hash=digest(text),
            release=house.release_number,
        ))
        for name in keep.get(entity, ()):
            if record.values.get(name) is not None:
                proof.kept.append(f"{entity} {uid}: {name}, which the law demands of invoices, for {years} years")
    merged = [uid for uid in subject.people if uid not in {row.uid for row in changed}]
    changed += [RecordRow(uid=uid, entity=CUSTOMER, values=_without(CUSTOMER, {}, (), set())) for uid in merged]
    put_records(tx, changed)
    put_hops(tx, hops)
    proof.removed["record"] += len(changed)


def _without(entity: str, values: Mapping[str, Any], keep: Collection[str], texts: Collection[str]) -> dict[str, Any]:
    """The values without what is personal; a text that a record cannot be without says that it was erased."""
    schema = canonical.schemas()[entity]
    found = dict(values)
    for name in personal(entity) - set(keep):
        if name in schema["required"]:
            found[name] = ERASED if entity == CUSTOMER else f"{ERASED}-{digest(str(values.get(name))).hex()[:12]}"
        elif name in found:
            found[name] = None
    if entity == CUSTOMER:
        found["consents"] = NO
        found["address"] = NOWHERE      # what is empty leaves some channels as they are; what is overwritten does not
        found.pop("attributes", None)
    rest = _wiped({name: value for name, value in found.items() if name not in keep}, texts)
    return {name: rest.get(name, value) for name, value in found.items()}


def _wiped(value: Any, texts: Collection[str]) -> Any:
    """The value with ``…`` for these texts, wherever they stand in it."""
    if isinstance(value, str):
        return cleaned(value, texts)
    if isinstance(value, Mapping):
        return {key: _wiped(part, texts) for key, part in value.items()}
    return [_wiped(part, texts) for part in value] if isinstance(value, list) else value


def _theirs(key: tuple[Any, ...], subject: _Subject) -> bool:
    """Whether a row of `_OURS` is the person's: a record by its uid, others by channel and id."""
    ids = {(channel, part) for channel, _, id in subject.items for part in (id, id.split("/")[0])}
    return key[0] in subject.of or (len(key) > 2 and (key[0], key[2]) in ids)


def _done_with(hit: Hit) -> bool:
    """Whether the place was seen to already, field by field, or is the id by which a channel knows the account: without
    that nobody could be told."""
    return hit.place in ("binding.external_id", "binding.values", "binding.told", "record.values")


def _inbox(tx: Tx, subject: _Subject, proof: Proof) -> None:
    proof.removed["inbox"] += drop_bodies(tx, {(channel, id) for channel, _, id in subject.items})
    proof.removed.update(take_out(tx, list(look_through(tx, subject.texts, part="inbox")), subject.texts))


def _tell(house: House, tx: Tx, subject: _Subject, proof: Proof) -> None:
    """Every account on a channel that receives customers is due with nothing in it; the others are a person's to do."""
    due = set()
    for one in subject.bindings:
        if one.entity != CUSTOMER or one.state != "live" or one.channel not in house.project.channels:
            continue
        if CUSTOMER in house.channel(one.channel).receives and CUSTOMER in house.of(one.channel).outward:
            due.add((one.channel, CUSTOMER, str(one.uid)))
        else:
            proof.by_hand.append(f"{one.channel} customer {cleaned(one.external_id, subject.texts)}")
    proof.telling[:] = sorted({channel for channel, _, _ in due})
    proof.by_hand[:] = sorted(set(proof.by_hand))
    mark_due(tx, [(*key, None, True, "erase") for key in sorted(due)])


def _check(house: House, subject: _Subject, proof: Proof) -> None:
    """Looks through everything once more; ``left`` says where something of the person still stands."""
    keep = house.project.customers.erasure.keep

    def tables(tx: Tx, part: str) -> None:
        for hit in look_through(tx, subject.texts, part=part):
            mine = hit.table not in _OURS or _theirs(hit.key, subject)
            entity = subject.of.get(str(hit.key[0])) or (hit.key[1] if hit.table == "binding" else "")
            if mine and not (hit.table in ("binding", "record") and entity in keep):
                proof.left[hit.place] += 1

    with house.registry.read() as tx:
        tables(tx, "registry")
        if house.registry._inbox_engine is house.registry.engine:
            tables(tx, "inbox")
    if house.registry._inbox_engine is not house.registry.engine:
        Inbox(house.registry, house.registry._inbox_engine)._write(partial(tables, part="inbox"))
    proof.left.update(left_in_files(house.project.state, subject.texts))
