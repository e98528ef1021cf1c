"""What a retailer's project folder says: companies, channels, authority, policies, platforms; read, checked, frozen.

What surprises here: every value is read by the language's YAML 1.2 loader, so ``on`` and ``007`` are text; addresses
and secrets stay references (``env:NAME``) until use; an unknown key anywhere is an error with file:line and the nearest
known key, and so is a value of another type. Channels, companies and policies may stand in ``<name>.<env>.yaml`` too,
which then replaces whole rows.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from connectors import CATALOG
from connectors.base import Misconfigured, Ports, Stopped, SystemClock
from mappings import canonical
from mappings.commerce.breaker import Breaker
from mappings.commerce.stock import StockPolicy
from mappings.language import LintError, LintErrors, load_yaml

ENTITIES: Final = (
    "location", "product", "variant", "customer", "stock", "price", "order", "shipment", "return", "interaction",
)
"""Every canonical entity, in the order in which one may refer to those before it."""
MODES: Final = ("off", "shadow", "canary", "on")
ON_DELETE: Final = ("archive", "zero_and_hide", "delete", "ignore")
ROUTE_ORDER: Final = {entity: position for position, entity in enumerate(ENTITIES)}
Order = list[str] | Literal["newest", "origin"]

CHANNEL_KEYS: Final = (
    "platform", "company", "url", "secrets", "entities", "receives", "every", "settings", "timeout", "on_delete",
)
COMPANY_KEYS: Final = ("name", "country", "currency", "tax", "price_list", "zone")
STOCK_KEYS: Final = ("locations", "share", "safety")
BREAKER_KEYS: Final = ("records", "price", "at_least")
EVERY: Final = "*"
STATE: Final = ".serai"
DESCRIBED: Final = "generic_rest"
"""The connector of private systems, which take their name from their description."""


@dataclass(frozen=True, kw_only=True)
class Company:
    """A legal entity: currency, tax rate (0.16 = 16 %), price list, country (ISO 3166) and time zone follow from it."""

    id: str
    name: str
    country: str
    currency: str
    tax: Decimal
    price_list: str
    zone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One account of a platform. ``entities`` holds first modes; ``every`` is the schedule in seconds."""

    name: str
    platform: str
    company: Company
    url: str
    secrets: Mapping[str, str]
    entities: Mapping[str, str]
    receives: tuple[str, ...]
    every: int
    settings: Mapping[str, Any]
    timeout: float
    on_delete: str
    description: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Project:
    """One retailer: a project folder, read and checked. ``authority`` is per entity, per field or ``*``."""

    folder: Path
    companies: Mapping[str, Company]
    channels: Mapping[str, Channel]
    authority: Mapping[str, Mapping[str, Order]]
    stock: Mapping[str, StockPolicy]
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    sources: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """Where this project's databases and logs live."""
        return self.folder / STATE

    def breaker(self, channel: str) -> Breaker:
        """What the channel takes without a person: its own row of policies/breaker.yaml, else that of ``*``."""
        return self.breakers.get(channel) or self.breakers.get(EVERY) or Breaker()


class _File:
    """One YAML file with positions: collects errors instead of stopping at the first."""

    def __init__(self, path: Path, folder: Path, text: str | None = None) -> None:
        self.name = str(path.relative_to(folder))
        self.errors: list[LintError] = []
        self.data: Any = None
        self._where: Callable[..., tuple[int, int]] = lambda *path: (1, 1)
        try:
            self.data, self._where = load_yaml(
                path.read_text(encoding="utf-8") if text is None else text, self.name
            )
        except LintErrors as found:
            self.errors += found.errors
        except UnicodeDecodeError as fault:
            self.fail((), "encoding", f"byte {fault.start + 1} of the file is not UTF-8", "text in UTF-8")
        if self.data is None:
            self.data = {}
        if not isinstance(self.data, dict):
            self.fail((), "shape", f"found {type(self.data).__name__}", "a mapping of names to rows")
            self.data = {}

    def fail(self, path: tuple[str | int, ...], code: str, what: str, allowed: str) -> None:
        line, column = self._where(*path)
        self.errors.append(
            LintError(file=self.name, line=line, column=column, code=code, what=what, allowed=allowed)
        )

    def keys(self, path: tuple[str | int, ...], row: Any, allowed: Iterable[str], required: Iterable[str] = ()) -> bool:
        """Whether the row is a mapping with only allowed keys and all required ones; each failure is an error."""
        known = list(allowed)
        if not isinstance(row, dict):
            self.fail(path, "shape", f"found {row!r}", f"a mapping with keys {', '.join(known)}")
            return False
        ok = True
        for key in row:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}? known: " if near else "known: "
                self.fail((*path, key), "unknown-key", f"unknown key {key!r}", hint + ", ".join(known))
                ok = False
        for key in required:
            if key not in row:
                self.fail(path, "missing-key", f"{key!r} is missing", f"required: {', '.join(required)}")
                ok = False
        return ok

    def texts(self, path: tuple[str | int, ...], row: Mapping[str, Any], names: Iterable[str]) -> bool:
        """Whether these keys hold text where they stand; each that does not is an error."""
        wrong = [name for name in names if name in row and (not isinstance(row[name], str) or row[name] == "")]
        for name in wrong:
            self.fail((*path, name), "type", f"found {row[name]!r}", f"text for {name!r}; put a number in quotes")
        return not wrong

    def list_of_texts(self, path: tuple[str | int, ...], found: Any) -> bool:
        """Whether it is a list of text; else that is an error."""
        if isinstance(found, list) and all(isinstance(item, str) for item in found):
            return True
        self.fail(path, "type", f"found {found!r}", "a list of names, such as [first, second]")
        return False


class _Unasked:
    """The ports of a connector that is only checked: it asks nobody anything."""

    def get(self, name: str) -> str:
        """No secret is known here."""
        raise Misconfigured(f"the secret {name!r} was asked for while settings are read")

    def load(self) -> tuple[int, Mapping[str, str]]:
        """There are no tokens."""
        return 0, {}

    def swap(self, version: int, tokens: Mapping[str, str]) -> bool:
        """Nothing is kept."""
        return False

    def take(self, n: int, lane: str) -> None:
        """No request may begin."""
        raise Stopped("settings are read, no request may begin")


UNASKED: Final = Ports(secrets=_Unasked(), tokens=_Unasked(), budget=_Unasked(), clock=SystemClock())
"""The ports of a connector that nobody may ask anything of."""


RULES: Final = ("authority", "policies/stock", "policies/breaker")
"""The settings that a release covers, beside the mappings."""


def load_project(
    folder: Path | str, *, environment: str | None = None, rules: Mapping[str, str] | None = None
) -> Project:
    """The project in ``folder``. Raises LintErrors with every fault found, each with file:line:column and remedy.

    ``rules`` are the texts of authority and policies by file name, of a release; without it those on disk count.
    """
    root = Path(folder).resolve()
    environment = environment or os.environ.get("SERAI_ENV")
    if not (root / "channels.yaml").is_file():
        raise LintErrors([LintError(
            file=str(folder), line=1, column=1, code="no-project", what="there is no channels.yaml in this folder",
            allowed="a project folder; name one with --project DIR or SERAI_PROJECT",
        )])
    errors: list[LintError] = []
    legal = _rows(root, "companies", environment, errors)
    companies = _companies(legal, errors)
    rows = _rows(root, "channels", environment, errors)
    if errors and not (legal and rows):
        raise LintErrors(errors)        # a file that cannot be read would make every name in the others unknown
    channels = _channels(root, rows, companies, legal, errors)
    authority = _authority(_rows(root, "authority", environment, errors, rules), rows, errors)
    stock = _stock(_rows(root, "policies/stock", environment, errors, rules), rows, errors)
    breakers = _breakers(_rows(root, "policies/breaker", environment, errors, rules), rows, errors)
    if not any(error.file.startswith("policies/") for error in errors):
        _allotted(rows, channels, stock)
    if errors:
        raise LintErrors(errors)
    return Project(
        folder=root, companies=companies, channels=channels, authority=authority, stock=stock, breakers=breakers
    )


_Row = tuple[_File, Any]


def _rows(
    root: Path, name: str, environment: str | None, errors: list[LintError], texts: Mapping[str, str] | None = None
) -> dict[str, _Row]:
    """name → (its file, its row); the environment's file replaces whole rows. ``texts`` count instead of the disk."""
    found: dict[str, _Row] = {}
    for stem in (name, f"{name}.{environment}" if environment else None):
        path = root / f"{stem}.yaml"
        if stem is None or not (path.is_file() if texts is None else f"{stem}.yaml" in texts):
            continue
        file = _File(path, root, None if texts is None else texts[f"{stem}.yaml"])
        errors.extend(file.errors)
        file.errors = errors
        found.update({key: (file, row) for key, row in file.data.items()})
    return found


def _companies(rows: Mapping[str, _Row], errors: list[LintError]) -> dict[str, Company]:
    companies = {}
    for name, (file, row) in rows.items():
        if not file.keys((name,), row, COMPANY_KEYS, ("name", "country", "currency", "tax", "price_list")):
            continue
        if not file.texts((name,), row, [key for key in COMPANY_KEYS if key != "tax"]):
            continue
        tax = row["tax"]
        if not _is_number(tax) or not 0 <= tax < 1:
            file.fail((name, "tax"), "tax", f"found {tax!r}", "a rate from 0 to below 1, such as 0.16 for 16 %")
            continue
        if not re.fullmatch("[A-Z]{3}", row["currency"]):
            file.fail((name, "currency"), "currency", f"found {row['currency']!r}", "an ISO 4217 code such as KZT")
            continue
        if not re.fullmatch("[A-Z]{2}", row["country"]):
            file.fail((name, "country"), "country", f"found {row['country']!r}", "an ISO 3166 code such as KZ")
            continue
        if not _is_zone(row.get("zone", "UTC")):
            file.fail((name, "zone"), "zone", f"found {row['zone']!r}", "a time zone such as Asia/Almaty")
            continue
        companies[name] = Company(**{**row, "id": name, "tax": Decimal(tax)})
    return companies


def _channels(
    root: Path, rows: Mapping[str, _Row], companies: Mapping[str, Company], legal: Mapping[str, _Row],
    errors: list[LintError],
) -> dict[str, Channel]:
    """The channels without mistakes. A company that holds mistakes itself (it is in ``legal`` only) is told once."""
    channels = {}
    descriptions: dict[str, Mapping[str, Any] | None] = {}
    for name, (file, row) in rows.items():
        if not file.keys((name,), row, CHANNEL_KEYS, ("platform", "company", "url", "entities")):
            continue
        if not file.texts((name,), row, ("platform", "company", "url", "on_delete")):
            continue
        platform = row["platform"]
        if platform not in descriptions:
            descriptions[platform] = described(root, platform, errors)
        if descriptions[platform] is None and (platform not in CATALOG or platform == DESCRIBED):
            file.fail((name, "platform"), "unknown-platform", f"found {platform!r}",
                      _known(set(CATALOG) - {DESCRIBED}) + f", or a description in platforms/{platform}.yaml")
            continue
        company = companies.get(row["company"])
        if company is None:
            if row["company"] not in legal:
                file.fail((name, "company"), "unknown-company", f"found {row['company']!r}", _known(legal))
            continue
        every, timeout = _seconds(row.get("every", "5m")), row.get("timeout", 30)
        if every is None:
            file.fail((name, "every"), "duration", f"found {row['every']!r}", "a duration such as 30s, 5m or 1h")
            continue
        if not _is_number(timeout) or not 0 < timeout <= 600:
            file.fail((name, "timeout"), "timeout", f"found {timeout!r}", "seconds, above 0 and at most 600")
            continue
        if not _carried(file, name, row):
            continue
        channels[name] = Channel(
            name=name, platform=platform, company=company, url=row["url"], secrets=dict(row.get("secrets") or {}),
            entities=dict(row["entities"]), every=every, settings=dict(row.get("settings") or {}),
            receives=tuple(sorted(row.get("receives") or [], key=lambda entity: ROUTE_ORDER.get(entity, 99))),
            timeout=float(timeout), on_delete=row.get("on_delete", "archive"), description=descriptions[platform],
        )
    return channels


def _carried(file: _File, name: str, row: Mapping[str, Any]) -> bool:
    """Whether entities, receives, secrets, settings and on_delete of a channel can be used; each fault is an error."""
    entities, receives = row["entities"], row.get("receives")
    if not file.keys((name, "entities"), entities, ENTITIES):
        return False
    ok = True
    for entity, mode in entities.items():
        if mode not in MODES:
            file.fail((name, "entities", entity), "mode", f"found {mode!r}", f"one of {', '.join(MODES)}")
            ok = False
    if receives is not None and file.list_of_texts((name, "receives"), receives):
        for position, entity in enumerate(receives):
            if entity not in entities:
                file.fail((name, "receives", position), "receives", f"found {entity!r}, which `entities` does not name",
                          f"one of {', '.join(entities)}")
                ok = False
    elif receives is not None:
        ok = False
    for key in ("secrets", "settings"):
        if row.get(key) is not None and not isinstance(row[key], dict):
            file.fail((name, key), "type", f"found {type(row[key]).__name__}", "a mapping of names to values")
            ok = False
    secrets = row.get("secrets")
    for secret, reference in secrets.items() if isinstance(secrets, dict) else ():
        if not isinstance(reference, str) or reference == "":
            file.fail((name, "secrets", secret), "type", f"found {type(reference).__name__}", "a reference: env:NAME")
            ok = False
    if row.get("on_delete", "archive") not in ON_DELETE:
        file.fail((name, "on_delete"), "on-delete", f"found {row['on_delete']!r}", f"one of {', '.join(ON_DELETE)}")
        ok = False
    return ok


def described(root: Path, platform: str, errors: list[LintError]) -> Mapping[str, Any] | None:
    """The YAML description of a private system, read from platforms/<name>.yaml and checked by the connector it is for.

    None for a platform without one.
    """
    path = root / "platforms" / f"{platform}.yaml"
    if "/" in platform or not path.is_file():
        return None
    file = _File(path, root)
    if not file.errors:
        try:
            CATALOG[DESCRIBED](
                channel=platform, url="http://localhost", options={"description": file.data, "platform": platform},
                ports=UNASKED,
            )
        except Misconfigured as fault:
            _misdescribed(file, str(fault).removeprefix(f"{platform}: {file.name}: "))
    errors.extend(file.errors)
    return dict(file.data)


def _misdescribed(file: _File, sentence: str) -> None:
    """Adds the connector's sentence (``resources.items: unknown key `pathh`; …``) at the place that it names."""
    row = re.match(r"([\w.-]+): ", sentence)
    key = re.search(r"unknown key `([^`]+)`|unknown (paging|scheme) `|see `(\w+)", sentence)
    named = next(filter(None, key.groups()), None) if key else None
    path = (*(row[1].split(".") if row else ()), *((named,) if named is not None else ()))
    file.fail(path, "description", sentence, "what connectors/README.md says of descriptions")


def _authority(
    rows: Mapping[str, _Row], channels: Iterable[str], errors: list[LintError]
) -> dict[str, dict[str, Order]]:
    channels = set(channels)
    authority: dict[str, dict[str, Order]] = {}
    for entity, (file, row) in rows.items():
        if entity not in ENTITIES:
            file.fail((entity,), "unknown-entity", f"unknown entity {entity!r}", f"one of {', '.join(ENTITIES)}")
            continue
        if not isinstance(row, dict) or "*" not in row:
            file.fail((entity,), "authority", f"found {row!r}", "a mapping of fields to orders of channels, with '*'")
            continue
        known = (*canonical.fields(entity), "*")
        if not file.keys((entity,), row, known):
            continue
        authority[entity] = {}
        for name, order in row.items():
            if order not in ("newest", "origin"):
                if not isinstance(order, list):
                    file.fail((entity, name), "authority", f"found {order!r}", "newest, origin, or a list of channels")
                    continue
                if not file.list_of_texts((entity, name), order):
                    continue
                for position, channel in enumerate(order):
                    if channel not in channels and channel not in ("origin", "desk"):
                        file.fail((entity, name, position), "unknown-channel", f"found {channel!r}", _known(channels))
            authority[entity][name] = order
    return authority


def _stock(
    rows: Mapping[str, _Row], channels: Iterable[str], errors: list[LintError]
) -> dict[str, StockPolicy]:
    channels = set(channels)
    policies: dict[str, StockPolicy] = {}
    for name, (file, row) in rows.items():
        if name not in channels:
            file.fail((name,), "unknown-channel", f"found {name!r}", _known(channels))
            continue
        if not file.keys((name,), row, STOCK_KEYS, ("locations", "share")):
            continue
        if not file.list_of_texts((name, "locations"), row["locations"]):
            continue
        share, safety = row["share"], row.get("safety", 0)
        if isinstance(safety, bool) or not isinstance(safety, int) or safety < 0:
            file.fail((name, "safety"), "safety", f"found {safety!r}", "whole units from 0 on")
            continue
        if not _is_number(share) or not 0 <= share <= 1:
            file.fail((name, "share"), "share", f"found {share!r}", "a fraction from 0 to 1")
            continue
        policies[name] = StockPolicy(
            locations=tuple(row["locations"]), share=Decimal(share), safety=safety
        )
    for location in {location for policy in policies.values() for location in policy.locations}:
        total = sum((policy.share for policy in policies.values() if location in policy.locations), Decimal(0))
        if total > 1:
            name = next(name for name, policy in policies.items() if location in policy.locations)
            rows[name][0].fail((name, "share"), "shares", f"the shares of {location} add up to {total}", "at most 1")
    return policies


def _breakers(
    rows: Mapping[str, _Row], channels: Iterable[str], errors: list[LintError]
) -> dict[str, Breaker]:
    channels = set(channels)
    breakers: dict[str, Breaker] = {}
    for name, (file, row) in rows.items():
        if name not in channels and name != EVERY:
            file.fail((name,), "unknown-channel", f"found {name!r}", _known({*channels, EVERY}))
            continue
        if not file.keys((name,), row, BREAKER_KEYS):
            continue
        wrong = [key for key in ("records", "price") if key in row and not (_is_number(row[key]) and row[key] >= 0)]
        for key in wrong:
            file.fail((name, key), "share", f"found {row[key]!r}", "a fraction from 0 on, such as 0.3 for 30 %")
        least = row.get("at_least", 0)
        if isinstance(least, bool) or not isinstance(least, int) or least < 0:
            file.fail((name, "at_least"), "at-least", f"found {least!r}", "a whole number of writes from 0 on")
        elif not wrong:
            usual = Breaker()
            breakers[name] = Breaker(
                records=Decimal(row.get("records", usual.records)), price=Decimal(row.get("price", usual.price)),
                at_least=row.get("at_least", usual.at_least),
            )
    return breakers


def _allotted(rows: Mapping[str, _Row], channels: Mapping[str, Channel], policies: Mapping[str, StockPolicy]) -> None:
    """A channel that receives stock and has no allotment would show zero of everything: that is an error."""
    for name, channel in channels.items():
        if "stock" in channel.receives and name not in policies:
            file, row = rows[name]
            file.fail((name, "receives", row["receives"].index("stock")), "no-policy",
                      f"{name} receives stock, and policies/stock.yaml does not say how much of it {name} may show",
                      f"a row in policies/stock.yaml: {name}: {{locations: [CODE], share: 0.5}}")


def _is_number(found: Any) -> bool:
    """An exact number: YAML's ``true`` is none."""
    return isinstance(found, int | Decimal) and not isinstance(found, bool)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _known(names: Collection[str]) -> str:
    return f"one of {', '.join(sorted(names))}" if names else "none is defined yet"


def _seconds(text: object) -> int | None:
    match = re.fullmatch(r"(\d+)([smh])", str(text))
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else None
