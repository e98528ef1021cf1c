"""policies/customers.yaml: who is one person, what survives, what is sent where, who is in a segment, what is erased.

What surprises here: each top-level name is a subject, not a channel. Once ``regions`` is there, every channel that
receives something needs a row in it (or ``*``): what nobody decided is an error, not an allowance.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from flows.setting_files import Row, SettingsFile, is_number, one_of
from mappings import canonical
from mappings.commerce.customers.consent import Purpose, Quiet, may_reach, quiet_of, strictest
from mappings.commerce.customers.matching import FEATURES, FOUND_BY, MatchPolicy, Rule, features, likeness
from mappings.commerce.customers.normalise import email, phone
from mappings.commerce.customers.policy import EVERY, CustomerPolicy, Erasure, Loyalty
from mappings.commerce.customers.region import PERSONAL, Region, shield
from mappings.commerce.customers.segments import Segment, purchases, segments_of
from mappings.commerce.customers.survivorship import COMPLETE, NEWEST, Group
from mappings.language import LintError

SUBJECTS: Final = ("match", "survivorship", "consent", "regions", "loyalty", "segments", "erasure")
MATCH_KEYS: Final = ("merge", "review", "rules", "relays", "shared")
RULE_KEYS: Final = ("same", "differ", "score")
PURPOSE_KEYS: Final = ("basis", "quiet")
BASES: Final = ("consent", "contract", "legal_obligation", "legitimate_interest")
REGION_KEYS: Final = ("region", "personal")
SEGMENT_KEYS: Final = (
    "recency_to", "recency_from", "frequency", "money", "currency", "categories", "stores", "channels",
)
ERASURE_KEYS: Final = ("keep", "years", "backups_days")
LOYALTY_KEYS: Final = ("authority", "tills", "within")
LONGEST_WAIT: Final = 30
"""Seconds a buyer may be made to wait at a till."""


def read(
    rows: Mapping[str, Row], channels: Mapping[str, Row], errors: list[LintError]
) -> CustomerPolicy:
    """What the file says; what it leaves out is as `CustomerPolicy` has it."""
    found: dict[str, Any] = {}
    for name, (file, row) in rows.items():
        if name not in SUBJECTS:
            file.fail((name,), "unknown-key", f"unknown key {name!r}", one_of(SUBJECTS))
        elif file.is_map((name,), row):
            read_one = {"match": _match, "survivorship": _survivorship, "consent": _purposes, "regions": _regions,
                        "loyalty": _loyalty, "segments": _segments, "erasure": _erasure}[name]
            found["purposes" if name == "consent" else name] = read_one(file, row, channels)
    return CustomerPolicy(**{name: value for name, value in found.items() if value is not None})


def _known(file: SettingsFile, path: tuple[str | int, ...], name: Any, channels: Collection[str]) -> bool:
    if isinstance(name, str) and name in channels:
        return True
    file.fail(path, "unknown-channel", f"found {name!r}", one_of(channels))
    return False


def _match(file: SettingsFile, row: Mapping[str, Any], _: Collection[str]) -> MatchPolicy | None:
    if not file.keys(("match",), row, MATCH_KEYS, ("merge", "review", "rules")):
        return None
    for name in ("merge", "review"):
        if not is_number(row[name]) or not 0 < row[name] <= 1:
            file.fail(("match", name), "score", f"found {row[name]!r}", "a score above 0, at most 1")
            return None
    if row["review"] > row["merge"]:
        file.fail(("match", "review"), "score", f"{row['review']} is above merge ({row['merge']})", "at most `merge`")
    lists = {name: row.get(name) or [] for name in ("relays", "shared")}
    if not all(file.list_of_texts(("match", name), found) for name, found in lists.items()):
        return None
    if not isinstance(row["rules"], list):
        file.fail(("match", "rules"), "shape", f"found {row['rules']!r}", "a list of {same: [email], score: 1}")
        return None
    rules = [_rule(file, number, rule) for number, rule in enumerate(row["rules"])]
    shared: set[str] = set()
    for number, text in enumerate(lists["shared"]):
        plain = email(text) or phone(text)
        if plain is None:
            file.fail(("match", "shared", number), "shared", f"found {text!r}",
                      "an e-mail address, or a telephone number with its +")
        else:
            shared.add(plain)
    return MatchPolicy(
        merge=Decimal(row["merge"]), review=Decimal(row["review"]), rules=tuple(rule for rule in rules if rule),
        relays=tuple(text.lower() for text in lists["relays"]), shared=frozenset(shared),
    )


def _rule(file: SettingsFile, number: int, row: Any) -> Rule | None:
    path = ("match", "rules", number)
    if not file.keys(path, row, RULE_KEYS, ("score",)):
        return None
    sides: dict[str, tuple[str, ...]] = {}
    for side in ("same", "differ"):
        names = row.get(side) or []
        if not file.list_of_texts((*path, side), names):
            return None
        for position, name in enumerate(names):
            if name not in FEATURES:
                file.fail((*path, side, position), "unknown-feature", f"found {name!r}", one_of(FEATURES))
        sides[side] = tuple(names)
    if not is_number(row["score"]) or not 0 <= row["score"] <= 1:
        file.fail((*path, "score"), "score", f"found {row['score']!r}", "a score from 0 to 1")
        return None
    if not sides["differ"] and not {*FOUND_BY, "verified_email"}.intersection(sides["same"]):
        file.fail(path, "never-found", f"nobody is looked for by {' and '.join(sides['same']) or 'nothing'}",
                  f"at least one of {', '.join(FOUND_BY)} in `same`")
    return Rule(score=Decimal(row["score"]), **sides)


def _survivorship(file: SettingsFile, row: Mapping[str, Any], channels: Collection[str]) -> tuple[Group, ...]:
    groups, taken = [], dict[str, str]()
    for name, group in row.items():
        path = ("survivorship", name)
        if not file.keys(path, group, ("fields", "order"), ("fields", "order")):
            continue
        if not all(file.list_of_texts((*path, key), group[key]) for key in ("fields", "order")):
            continue
        allowed = [one for one in canonical.fields("customer") if one not in ("consents", "accounts")]
        for position, one in enumerate(group["fields"]):
            if one not in allowed:
                file.fail((*path, "fields", position), "unknown-field", f"found {one!r}", one_of(allowed))
            elif one in taken:
                file.fail((*path, "fields", position), "twice", f"{one} is in {taken[one]} already", "one group")
            taken[one] = name
        for position, word in enumerate(group["order"]):
            if word not in (NEWEST, COMPLETE):
                _known(file, (*path, "order", position), word, channels)
        groups.append(Group(name=name, fields=tuple(group["fields"]), order=tuple(group["order"])))
    return tuple(groups)


def _purposes(file: SettingsFile, row: Mapping[str, Any], _: Collection[str]) -> dict[str, Purpose]:
    purposes = {}
    for name, purpose in row.items():
        path = ("consent", name)
        if not file.keys(path, purpose, PURPOSE_KEYS, ("basis",)):
            continue
        if purpose["basis"] not in BASES:
            file.fail((*path, "basis"), "basis", f"found {purpose['basis']!r}", one_of(BASES))
        quiet = purpose.get("quiet")
        hours: Quiet | None = None
        if quiet is not None and file.keys((*path, "quiet"), quiet, ("from", "to"), ("from", "to")):
            try:
                hours = quiet_of(quiet)
            except (TypeError, ValueError):
                file.fail((*path, "quiet"), "hours", f"found {quiet!r}", 'hours such as {from: "21:00", to: "09:00"}')
        purposes[name] = Purpose(basis=str(purpose["basis"]), quiet=hours)
    return purposes


def _regions(file: SettingsFile, row: Mapping[str, Any], channels: Mapping[str, Row]) -> dict[str, Region]:
    regions = {}
    for name, region in row.items():
        path = ("regions", name)
        if name != EVERY and not _known(file, path, name, channels):
            continue
        if not file.keys(path, region, REGION_KEYS, REGION_KEYS) or not file.texts(path, region, REGION_KEYS):
            continue
        if region["personal"] not in PERSONAL:
            file.fail((*path, "personal"), "personal", f"found {region['personal']!r}", one_of(PERSONAL))
            continue
        regions[name] = Region(region=region["region"], personal=region["personal"])
    if EVERY not in row:
        for name, (_, channel) in channels.items():
            if name not in row and isinstance(channel, dict) and channel.get("receives"):
                file.fail(("regions",), "no-region", f"{name} receives something and has no region",
                          f"a row `{name}: {{region: kz, personal: allow}}`, or one for `'*'`")
    for name, region in regions.items():
        _, channel = channels.get(name, (None, None))
        receives = channel.get("receives") if isinstance(channel, dict) else None
        for entity in receives if isinstance(receives, list) else ():
            if region.personal == "deny" and entity in canonical.ENTITIES and _needs_a_person(entity):
                file.fail(("regions", name, "personal"), "personal",
                          f"{name} may be given nothing of a person and receives {entity}",
                          f"`pseudonym` or `allow`, or {name} without {entity} in `receives`")
    return regions


def _needs_a_person(entity: str) -> bool:
    """Whether a record of the entity cannot be without a personal value."""
    schema = canonical.schemas()[entity]
    return any(schema["properties"][name].get("x-personal") for name in schema["required"])


def _loyalty(file: SettingsFile, row: Mapping[str, Any], channels: Collection[str]) -> Loyalty | None:
    if not file.keys(("loyalty",), row, LOYALTY_KEYS, ("authority",)):
        return None
    tills, within = row.get("tills") or [], row.get("within", Loyalty.within)
    if not _known(file, ("loyalty", "authority"), row["authority"], channels):
        return None
    if not file.list_of_texts(("loyalty", "tills"), tills):
        return None
    for position, till in enumerate(tills):
        _known(file, ("loyalty", "tills", position), till, channels)
    if ("within" in row and not is_number(within)) or not 0 < within <= LONGEST_WAIT:
        file.fail(("loyalty", "within"), "seconds", f"found {within!r}", f"seconds above 0, at most {LONGEST_WAIT}")
        return None
    return Loyalty(authority=str(row["authority"]), tills=frozenset(tills), within=float(within))


def _segments(file: SettingsFile, row: Mapping[str, Any], channels: Collection[str]) -> tuple[Segment, ...]:
    segments = []
    for name, segment in row.items():
        path = ("segments", name)
        if not file.keys(path, segment, SEGMENT_KEYS):
            continue
        wrong = [key for key in ("recency_to", "recency_from", "frequency")
                 if key in segment and (isinstance(segment[key], bool) or not isinstance(segment[key], int))]
        for key in wrong:
            file.fail((*path, key), "number", f"found {segment[key]!r}", "a whole number")
        if "money" in segment and (not is_number(segment["money"]) or "currency" not in segment):
            file.fail((*path, "money"), "money", f"found {segment['money']!r}", "an amount, with `currency` beside it")
            wrong.append("money")
        lists = [key for key in ("categories", "stores", "channels") if key in segment]
        if wrong or not all([file.list_of_texts((*path, key), segment[key]) for key in lists]):
            continue
        for position, channel in enumerate(segment.get("channels", ())):
            _known(file, (*path, "channels", position), channel, channels)
        segments.append(Segment(
            name=name, recency_to=segment.get("recency_to"), recency_from=segment.get("recency_from"),
            frequency=segment.get("frequency", 1), currency=segment.get("currency"),
            money=None if "money" not in segment else Decimal(segment["money"]),
            categories=frozenset(segment.get("categories", ())), stores=frozenset(segment.get("stores", ())),
            channels=frozenset(segment.get("channels", ())),
        ))
    return tuple(segments)


def _erasure(file: SettingsFile, row: Mapping[str, Any], _: Collection[str]) -> Erasure | None:
    if not file.keys(("erasure",), row, ERASURE_KEYS):
        return None
    keep = row.get("keep") or {}
    if not file.is_map(("erasure", "keep"), keep):
        return None
    kept: dict[str, tuple[str, ...]] = {}
    for entity, names in keep.items():
        path = ("erasure", "keep", entity)
        if entity not in canonical.ENTITIES or entity == "customer":
            file.fail(path, "unknown-entity", f"found {entity!r}", "an entity that is an invoice: order or return")
        elif file.list_of_texts(path, names):
            kept[entity] = tuple(names)
            for position, name in enumerate(names):
                if name not in canonical.fields(entity):
                    file.fail((*path, position), "unknown-field", f"found {name!r}", one_of(canonical.fields(entity)))
    numbers = {name: row[name] for name in ("years", "backups_days") if name in row}
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            file.fail(("erasure", name), "number", f"found {number!r}", "a whole number from 0 on")
            return None
    return Erasure(keep=kept, **numbers)


def example(policy: CustomerPolicy, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the policy says of ``match`` (two customers), ``consents`` (lists of statements, with ``ask``), ``orders``
    (with ``now``), or ``personal`` (values of a customer for a ``channel``).
    """
    if "match" in given:
        one, other = (features(values, policy.match, given.get("country")) for values in given["match"])
        found = likeness(one, other, policy.match)
        return {"score": str(found.score), "verdict": found.verdict, "because": found.because}
    if "consents" in given:
        return _asked(policy, given["consents"], given["ask"])
    if "orders" in given:
        bought = purchases(given["orders"], datetime.fromisoformat(given["now"]))
        return {"segments": segments_of(bought, policy.segments), "orders": bought.orders,
                "spent": {currency: str(amount) for currency, amount in bought.spent.items()}}
    marked = {name for name, field in canonical.schemas()["customer"]["properties"].items() if field.get("x-personal")}
    return {"shown": sorted(shield(given["personal"], marked, policy.region(given["channel"]), b"example"))}


def _asked(
    policy: CustomerPolicy, said: Sequence[Sequence[Mapping[str, Any]]], ask: Mapping[str, Any]
) -> dict[str, Any]:
    answer = may_reach(
        strictest(said), ask["purpose"], ask["channel"], ask["means"], datetime.fromisoformat(ask["now"]),
        ask.get("zone", "UTC"), policy.purposes.get(ask["purpose"]),
    )
    return {"allowed": answer.allowed, "because": answer.because,
            "until": None if answer.until is None else answer.until.isoformat().replace("+00:00", "Z")}
