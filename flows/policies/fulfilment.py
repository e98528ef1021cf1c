"""policies/fulfilment.yaml: by when orders are answered, sent and collected, who answers them, and from where they go.

What surprises here: the file has three tables of its own, ``channels``, ``calendars`` and ``routing``; a channel's row
takes what it leaves out from the row ``*``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from flows.setting_files import Row, SettingsFile, one_of
from mappings.commerce.fulfilment.calendar import DAYS, NeverOpen, calendar, minutes
from mappings.commerce.fulfilment.deadlines import KINDS as DEADLINES, Term, Terms, deadlines, state
from mappings.commerce.fulfilment.decisions import answer
from mappings.commerce.fulfilment.policy import EVERY, ChannelRules, Fulfilment
from mappings.commerce.fulfilment.routing import BY, SERVICES, Place, Routing, Unroutable, distance, route
from mappings.language import LintError

TABLES: Final = ("channels", "calendars", "routing")
KEYS: Final = (*DEADLINES, "soon", "acceptance", "routing", "returns")
CALENDAR_KEYS: Final = ("zone", "hours", "holidays", "cut_off")
HOURS_KEYS: Final = ("days", "from", "to")
ROUTING_KEYS: Final = ("places", "by", "parcels")
TERM_KEYS: Final = ("within", "counted", "days")
COUNTED: Final = ("always", "open")
ACCEPTANCE: Final = ("automatic", "person", "none")
DURATION: Final = re.compile(r"(\d{1,6})([mhd])")
UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
TIME: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")
TERMS: Final = ("a duration such as 30m, {within: 4h, counted: open} for hours in which the place is open, or "
                "{days: 2} for days on which it opens")
Path = tuple[str | int, ...]


def read(
    rows: Mapping[str, Row], channels: Collection[str], errors: list[LintError], *, zones: Mapping[str, str]
) -> Fulfilment:
    """The whole file. ``zones``: company → its time zone, in which its calendar counts unless it names another."""
    tables: dict[str, dict[str, Any]] = {}
    files: dict[str, SettingsFile] = {}
    for name, (file, table) in rows.items():
        if name not in TABLES:
            file.fail((name,), "unknown-key", f"unknown key {name!r}", f"known: {', '.join((*TABLES, 'tests'))}")
        elif file.is_map((name,), table):
            tables[name], files[name] = table, file
    routing = {}
    for name, row in tables.get("routing", {}).items():
        if (rule := _routing(files["routing"], ("routing", name), row)) is not None:
            routing[name] = rule
    calendars = {}
    for name, row in tables.get("calendars", {}).items():
        if name not in zones:
            files["calendars"].fail(("calendars", name), "unknown-company", f"found {name!r}", one_of(zones))
        elif (usable := _calendar(files["calendars"], ("calendars", name), row, zones[name])) is not None:
            calendars[name] = usable
    table = tables.get("channels", {})
    usual = table.get(EVERY)
    found: dict[str, ChannelRules] = {}
    for name, row in table.items():
        file, path = files["channels"], ("channels", name)
        if name not in channels and name != EVERY:
            file.fail(path, "unknown-channel", f"found {name!r}", one_of({*channels, EVERY}))
        elif file.keys(path, row, KEYS):
            rules = _rules(file, path, row, tables.get("routing", {}), usual if isinstance(usual, dict) else {})
            if rules is not None:
                found[name] = rules
    return Fulfilment(channels=found, calendars=calendars, routing=routing)


def _rules(
    file: SettingsFile, path: Path, row: Mapping[str, Any], routings: Collection[str], usual: Mapping[str, Any]
) -> ChannelRules | None:
    before = len(file.errors)
    whole = {**usual, **row}

    def fail(key: str, code: str, what: str, allowed: str, *further: str) -> None:
        if key in row:      # else the row `*` says it
            file.fail((*path, key, *further), code, what, allowed)

    terms: dict[str, Term] = {}
    for kind in DEADLINES:
        if kind in whole:
            term = _term(whole[kind])
            if term is not None:
                terms[kind] = term
            else:
                fail(kind, "term", f"found {whole[kind]!r}", TERMS)
    soon = _duration(whole.get("soon", "1h"))
    if soon is None:
        fail("soon", "duration", f"found {whole['soon']!r}", "a duration such as 15m, 2h or 1d")
    acceptance = whole.get("acceptance", "person")
    if acceptance not in ACCEPTANCE:
        fail("acceptance", "acceptance", f"found {acceptance!r}", f"one of {', '.join(ACCEPTANCE)}")
    found = whole.get("routing", {})
    routing = found if isinstance(found, dict) else dict.fromkeys(SERVICES, found)
    for service, name in routing.items():
        if service not in SERVICES:
            fail("routing", "service", f"found {service!r}", f"one of {', '.join(SERVICES)}", service)
        elif not isinstance(name, str) or name not in routings:
            fail("routing", "unknown-routing", f"found {name!r}", one_of(routings))
    returns = whole.get("returns")
    if returns is not None and not (isinstance(returns, list) and all(isinstance(code, str) for code in returns)):
        fail("returns", "type", f"found {returns!r}", "a list of codes of locations; [] when only the channel refunds")
        return None
    if len(file.errors) > before or soon is None:
        return None
    return ChannelRules(
        terms=Terms(of=terms, soon=soon), acceptance=acceptance, routing=routing,
        returns=None if returns is None else tuple(returns),
    )


def _term(found: Any) -> Term | None:
    """``30m``, ``{within: 4h, counted: open}`` or ``{days: 2}``; None: it is none of them."""
    if isinstance(found, str) and (span := _duration(found)) is not None:
        return Term(span=span)
    if isinstance(found, dict) and set(found) <= set(TERM_KEYS):
        days, within, counted = found.get("days"), found.get("within"), found.get("counted", "always")
        if isinstance(days, int) and not isinstance(days, bool) and 0 <= days <= 365 and len(found) == 1:
            return Term(counted="days", days=days)
        if days is None and counted in COUNTED and (span := _duration(within)) is not None:
            return Term(span=span, counted=counted)
    return None


def _duration(found: Any) -> timedelta | None:
    match = DURATION.fullmatch(found) if isinstance(found, str) else None
    return None if match is None else timedelta(**{UNITS[match[2]]: int(match[1])})


def _calendar(file: SettingsFile, path: Path, row: Any, zone: str) -> Any:
    if not file.keys(path, row, CALENDAR_KEYS):
        return None
    ok = True
    zone = row.get("zone", zone)
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        file.fail((*path, "zone"), "zone", f"found {zone!r}", "a time zone such as Asia/Almaty")
        ok = False
    hours, holidays, cut_off = row.get("hours"), row.get("holidays", []), row.get("cut_off")
    if hours is not None and not (isinstance(hours, list) and len(hours) > 0):
        file.fail((*path, "hours"), "hours", f"found {hours!r}", "rows {days: [mon, …], from: HH:MM, to: HH:MM}")
        ok = False
    for position, one in enumerate(hours if isinstance(hours, list) else ()):
        ok = _hours(file, (*path, "hours", position), one) and ok
    if cut_off is not None and not (isinstance(cut_off, str) and TIME.fullmatch(cut_off) and cut_off != "24:00"):
        file.fail((*path, "cut_off"), "time", f"found {cut_off!r}", "a time such as \"14:00\"")
        ok = False
    days = []
    for position, day in enumerate(holidays if isinstance(holidays, list) else [holidays]):
        try:
            days.append(date.fromisoformat(day))
        except (TypeError, ValueError):
            file.fail((*path, "holidays", position), "date", f"found {day!r}", "a date such as 2026-12-16")
            ok = False
    return calendar(zone=zone, hours=hours, holidays=days, cut_off=cut_off) if ok else None


def _hours(file: SettingsFile, path: Path, row: Any) -> bool:
    if not file.keys(path, row, HOURS_KEYS, HOURS_KEYS):
        return False
    if not isinstance(row["days"], list) or not row["days"] or not all(day in DAYS for day in row["days"]):
        file.fail((*path, "days"), "days", f"found {row['days']!r}", f"a list of {', '.join(DAYS)}")
        return False
    wrong = [key for key in ("from", "to") if not (isinstance(row[key], str) and TIME.fullmatch(row[key]))]
    for key in wrong:
        file.fail((*path, key), "time", f"found {row[key]!r}", "a time such as \"09:00\"; midnight at the end is 24:00")
    if not wrong and minutes(row["from"]) >= minutes(row["to"]):
        file.fail((*path, "to"), "hours", f"{row['to']} is not after {row['from']}",
                  "hours within one day; past midnight needs a second row for the day after")
        return False
    return not wrong


def _routing(file: SettingsFile, path: Path, row: Any) -> Routing | None:
    if not file.keys(path, row, ROUTING_KEYS, ("places",)):
        return None
    if not file.list_of_texts((*path, "places"), row["places"]):
        return None
    by, parcels = row.get("by", ["priority"]), row.get("parcels", 1)
    if not isinstance(by, list) or not by or not all(one in BY for one in by) or len(set(by)) < len(by):
        file.fail((*path, "by"), "by", f"found {by!r}", f"a list of {', '.join(BY)}, each at most once")
        return None
    if isinstance(parcels, bool) or not isinstance(parcels, int) or not 1 <= parcels <= 4:
        file.fail((*path, "parcels"), "parcels", f"found {parcels!r}", "1 (never split) to 4")
        return None
    if not row["places"] or len(set(row["places"])) < len(row["places"]) or len(row["places"]) > 40:
        file.fail((*path, "places"), "places", f"found {row['places']!r}", "1 to 40 codes of locations, each once")
        return None
    return Routing(places=tuple(row["places"]), by=tuple(by), parcels=parcels)


def example(policy: Fulfilment, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What becomes of an ``order`` of a ``channel`` of a ``company``: its deadlines, their state ``now``, its route
    over ``free`` units (place → variant → number) and ``places`` (code → services, closed, and distance, or position
    and address), its answer."""
    order, channel = given["order"], given["channel"]
    rules = policy.of(channel)
    place = policy.calendar_of(given.get("company", ""), given.get("zone", "UTC"), given.get("location"))
    ready = given.get("ready_at")
    try:
        due = deadlines(order, rules.terms, place, ready_at=None if ready is None else datetime.fromisoformat(ready))
    except NeverOpen as fault:
        return {"fault": str(fault)}
    came: dict[str, Any] = {f"{kind}_by": _text(at) for kind, at in due.items()}
    if "now" in given:
        now = datetime.fromisoformat(given["now"])
        came["pressing"] = {kind: word for kind, at in due.items()
                            if (word := state(at, now, rules.terms.soon)) != "running"}
    verdict: Any = None
    service = (order.get("delivery") or {}).get("kind") or "ship"
    routing = policy.route_of(channel, service)
    if "free" in given and routing is not None:
        verdict = route(
            {line["key"]: (line["variant"], Decimal(line["quantity"]["value"])) for line in order["lines"]},
            {code: {variant: Decimal(units) for variant, units in row.items()} for code, row in given["free"].items()},
            {code: Place(code=code, services=frozenset(row.get("services", ["ship"])), closed=row.get("closed"),
                         distance=float(row["distance"]) if "distance" in row else distance(row, order.get("address")))
             for code, row in given["places"].items()},
            routing, service=service, chosen=given.get("chosen"),
        )
        came["route"] = {"unroutable": verdict.reason} if isinstance(verdict, Unroutable) else {
            part.line: part.place for part in verdict
        }
    stuck = verdict if isinstance(verdict, Unroutable) else None
    decided = answer(order, rules.acceptance, () if stuck is None else stuck.short,
                     None if stuck is None else stuck.reason)
    came["answer"] = None if decided is None else {"kind": decided.kind, "reason": decided.reason}
    return came


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
