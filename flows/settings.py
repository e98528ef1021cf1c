"""What a retailer's project folder says: companies, channels, authority, policies, platforms; read, checked, frozen.

What surprises here: every value is read by the language's YAML 1.2 loader, so ``on`` and ``007`` are text; addresses
and secrets stay references (``env:NAME``) until use; an unknown key anywhere is an error with file:line and the nearest
known key, and so is a value of another type. Channels, companies and policies may stand in ``<name>.<env>.yaml`` too,
which then replaces whole rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from connectors import CATALOG, DESCRIBED, SPEAKS, platforms, speaker
from connectors.errors import Misconfigured, Stopped
from connectors.ports import Ports, SystemClock
from flows import policies
from flows.setting_files import Row, SettingsFile, is_number, one_of, read_rows, seconds
from mappings import canonical
from mappings.commerce.breaker import Breaker
from mappings.commerce.customers.policy import CustomerPolicy
from mappings.commerce.fulfilment.policy import Fulfilment
from mappings.commerce.orders.figures import OrderPolicy
from mappings.commerce.prices.currencies import NO_FX, Fx
from mappings.commerce.prices.pipeline import Pipeline
from mappings.commerce.products import Listing
from mappings.commerce.stock import StockPolicy
from mappings.language import LintError, LintErrors

ENTITIES: Final = (
    "location", "product", "variant", "customer", "offer", "gift_card", "stock", "price", "order", "decision",
    "shipment", "return", "loyalty_event", "interaction", "review", "settlement",
)
"""Every canonical entity, in the order in which one may refer to those before it."""
MODES: Final = ("off", "shadow", "canary", "on")
ON_DELETE: Final = ("archive", "zero_and_hide", "delete", "ignore")
ROUTE_ORDER: Final = {entity: position for position, entity in enumerate(ENTITIES)}
Order = list[str] | Literal["newest", "origin"]

CHANNEL_KEYS: Final = (
    "platform", "company", "companies", "url", "secrets", "entities", "receives", "every", "settings", "timeout",
    "on_delete",
)
COMPANY_KEYS: Final = ("name", "country", "currency", "tax", "price_list", "zone")
STATE: Final = ".serai"


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
    """One account of a platform. ``entities`` holds first modes; ``every`` is the schedule in seconds.

    ``companies``: whose orders and customers it hears of, its own ``company`` among them.
    """

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
    companies: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Project:
    """One retailer: a project folder, read and checked. ``authority`` is per entity, per field or ``*``.

    Each policy stands in the field named after its file; ``tests`` are those that stand in policy files.
    """

    folder: Path
    companies: Mapping[str, Company]
    channels: Mapping[str, Channel]
    authority: Mapping[str, Mapping[str, Order]]
    stock: Mapping[str, StockPolicy]
    breaker: Mapping[str, Breaker] = field(default_factory=dict)
    customers: CustomerPolicy = field(default_factory=CustomerPolicy)
    orders: Mapping[str, OrderPolicy] = field(default_factory=dict)
    fulfilment: Fulfilment = field(default_factory=Fulfilment)
    products: Mapping[str, Listing] = field(default_factory=dict)
    taxes: policies.taxes.Taxes = field(default_factory=policies.taxes.Taxes)
    fx: Fx = NO_FX
    prices: Mapping[str, Pipeline] = field(default_factory=dict)
    tests: Sequence[policies.Example] = ()
    counting: policies.sources.Counting = field(default_factory=policies.sources.Counting)

    @property
    def state(self) -> Path:
        """Where this project's databases and logs live."""
        return self.folder / STATE

    def breaker_of(self, channel: str) -> Breaker:
        """What the channel takes without a person: its own row of policies/breaker.yaml, else that of ``*``."""
        return self.breaker.get(channel) or self.breaker.get(policies.breaker.EVERY) or Breaker()


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

    def take(self, n: float, lane: str, bucket: str = "") -> None:
        """No request may begin."""
        raise Stopped("settings are read, no request may begin")

    def told(self, available: float, bucket: str = "") -> None:
        """Nothing is counted."""

    def back(self, n: float, bucket: str = "") -> None:
        """Nothing is counted."""

    def refused(self, after: float, bucket: str = "") -> None:
        """Nothing is counted."""


UNASKED: Final = Ports(secrets=_Unasked(), tokens=_Unasked(), budget=_Unasked(), clock=SystemClock())
"""The ports of a connector that nobody may ask anything of."""


RULES: Final = ("authority", *policies.FILES)
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
    legal = read_rows(root, "companies", environment, errors)
    companies = _companies(legal, errors)
    rows = read_rows(root, "channels", environment, errors)
    if errors and not (legal and rows):
        raise LintErrors(errors)        # a file that cannot be read would make every name in the others unknown
    channels = _channels(root, rows, companies, legal, errors)
    authority = _authority(read_rows(root, "authority", environment, errors, rules), rows, errors)
    tests: list[policies.Example] = []

    def of(policy: str) -> dict[str, Row]:
        found = read_rows(root, f"policies/{policy}", environment, errors, rules)
        if policies.TESTS in found:
            tests.extend(policies.examples(policy, *found.pop(policies.TESTS)))
        return found

    stock_rows = of("stock")
    counting = policies.sources.read(stock_rows, rows, errors)
    cohorts = policies.cohorts.read(stock_rows)
    stock = policies.stock.read(stock_rows, rows, errors, cohorts)
    breakers = policies.breaker.read(of("breaker"), rows, errors)
    customers = policies.customers.read(of("customers"), rows, errors)
    orders = policies.orders.read(of("orders"), rows, errors)
    zones = {company.id: company.zone for company in companies.values()}
    fulfilment = policies.fulfilment.read(of("fulfilment"), rows, errors, zones=zones)
    products = policies.products.read(of("products"), rows, errors)
    taxes = policies.taxes.read(of("taxes"), companies, errors)
    fx = policies.fx.read(of("fx"), errors)
    prices = policies.prices.read(
        of("prices"), rows, errors, selling={name: channel.company for name, channel in channels.items()},
        companies=companies, taxes=taxes, fx=fx,
    )
    if not any(error.file.startswith("policies/") for error in errors):
        _allotted(rows, channels, stock)
        _declared(rows, channels, authority, counting)
    if errors:
        raise LintErrors(errors)
    return Project(
        folder=root, companies=companies, channels=channels, authority=authority, stock=stock, breaker=breakers,
        customers=customers, orders=orders,
        fulfilment=fulfilment,
        products=products,
        taxes=taxes, fx=fx, prices=prices,
        tests=tests, counting=counting,
    )


def _companies(rows: Mapping[str, Row], errors: list[LintError]) -> dict[str, Company]:
    companies = {}
    for name, (file, row) in rows.items():
        if not file.keys((name,), row, COMPANY_KEYS, ("name", "country", "currency", "tax", "price_list")):
            continue
        if not file.texts((name,), row, [key for key in COMPANY_KEYS if key != "tax"]):
            continue
        tax = row["tax"]
        if not is_number(tax) or not 0 <= tax < 1:
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
    root: Path, rows: Mapping[str, Row], companies: Mapping[str, Company], legal: Mapping[str, Row],
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
        if descriptions[platform] is None and (platform not in CATALOG or platform in SPEAKS.values()):
            file.fail((name, "platform"), "unknown-platform", f"found {platform!r}",
                      one_of(platforms()) + f", or a description in platforms/{platform}.yaml")
            continue
        company = companies.get(row["company"])
        if company is None:
            if row["company"] not in legal:
                file.fail((name, "company"), "unknown-company", f"found {row['company']!r}", one_of(legal))
            continue
        every, timeout = seconds(row.get("every", "5m")), row.get("timeout", 30)
        if every is None:
            file.fail((name, "every"), "duration", f"found {row['every']!r}", "a duration such as 30s, 5m or 1h")
            continue
        if not is_number(timeout) or not 0 < timeout <= 600:
            file.fail((name, "timeout"), "timeout", f"found {timeout!r}", "seconds, above 0 and at most 600")
            continue
        if not _carried(file, name, row):
            continue
        others = row.get("companies") or []
        if not file.list_of_texts((name, "companies"), others):
            continue
        strange = [position for position, other in enumerate(others) if other not in legal]
        for position in strange:
            file.fail((name, "companies", position), "unknown-company", f"found {others[position]!r}", one_of(legal))
        if strange:
            continue
        channels[name] = Channel(
            name=name, platform=platform, company=company, url=row["url"], secrets=dict(row.get("secrets") or {}),
            entities=dict(row["entities"]), every=every, settings=dict(row.get("settings") or {}),
            receives=tuple(sorted(row.get("receives") or [], key=lambda entity: ROUTE_ORDER.get(entity, 99))),
            timeout=float(timeout), on_delete=row.get("on_delete", "archive"), description=descriptions[platform],
            companies=frozenset({company.id, *others}),
        )
    return channels


def _carried(file: SettingsFile, name: str, row: Mapping[str, Any]) -> bool:
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
    """The YAML description of a system, read from platforms/<name>.yaml of the project, else from those that come with
    Serai, and checked by the connector it is for.

    None for a platform without one.
    """
    path, folder = root / "platforms" / f"{platform}.yaml", root
    if not path.is_file() and platform in DESCRIBED:
        path = DESCRIBED[platform]
        folder = path.parents[1]
    if "/" in platform or not path.is_file():
        return None
    file = SettingsFile(path, folder)
    if not file.errors:
        try:
            CATALOG[speaker(file.data)](
                channel=platform, url="http://localhost", options={"description": file.data, "platform": platform},
                ports=UNASKED,
            )
        except Misconfigured as fault:
            _misdescribed(file, str(fault).removeprefix(f"{platform}: {file.name}: "))
    errors.extend(file.errors)
    return dict(file.data)


def _misdescribed(file: SettingsFile, sentence: str) -> None:
    """Adds the connector's sentence (``resources.items: unknown key `pathh`; …``) at the place that it names."""
    row = re.match(r"([\w.-]+): ", sentence)
    key = re.search(r"unknown key `([^`]+)`|unknown (paging|scheme) `|see `(\w+)", sentence)
    named = next(filter(None, key.groups()), None) if key else None
    path = (*(row[1].split(".") if row else ()), *((named,) if named is not None else ()))
    file.fail(path, "description", sentence, "what connectors/README.md says of descriptions")


def _authority(
    rows: Mapping[str, Row], channels: Iterable[str], errors: list[LintError]
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
                        file.fail((entity, name, position), "unknown-channel", f"found {channel!r}", one_of(channels))
            authority[entity][name] = order
    return authority


def _declared(
    rows: Mapping[str, Row], channels: Mapping[str, Channel], authority: Mapping[str, Mapping[str, Order]],
    counting: policies.sources.Counting,
) -> None:
    """A channel whose stock counts and that does not say what its figure means is an error: nobody can guess it."""
    told = {name: channel.receives for name, channel in channels.items()}
    carried = {name: channel.entities for name, channel in channels.items()}
    for name in policies.sources.undeclared(carried, told, authority, counting):
        rows[name][0].fail((name, "entities", "stock"), "no-source",
                           f"{name} says how much stock there is, and policies/stock.yaml not what that means",
                           f"in policies/stock.yaml: sources: {{{name}: {{figure: on_hand, restocks: source}}}}; "
                           "figure is on_hand, available or available_before_own_open_orders")


def _allotted(rows: Mapping[str, Row], channels: Mapping[str, Channel], policies: Mapping[str, StockPolicy]) -> None:
    """A channel that receives stock and has no allotment would show zero of everything: that is an error."""
    for name, channel in channels.items():
        if "stock" in channel.receives and name not in policies:
            file, row = rows[name]
            file.fail((name, "receives", row["receives"].index("stock")), "no-policy",
                      f"{name} receives stock, and policies/stock.yaml does not say how much of it {name} may show",
                      f"a row in policies/stock.yaml: {name}: {{locations: [CODE], share: 0.5}}")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return False
    return True
