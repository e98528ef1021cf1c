"""Karavan Home, a retailer in Almaty made up from a seed: goods, people, past orders, and how its systems disagree;
with a second company in Plovdiv.

What surprises here:

* Nothing is read from a clock and no global state is used: the same seed gives the same retailer, to the last letter.
* The disagreements are exact in number, so that a survey can be held against them: 41 prices that differ between the
  ERP and a channel, 12 SKUs of which the channels together show more than the warehouse holds, 5 SKUs that only the
  shop knows and 3 that only the marketplace knows, 3 people entered twice in the CRM, 4 shop orders that the ERP lacks.
* Some SKUs are ``007``, ``00712`` and ``1E5``: text that careless programs turn into numbers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from deployments.demo.tariff import in_plovdiv, on_amazon, on_market

OPENED = datetime(2026, 2, 1, 4, 0, tzinfo=UTC)
"""When the opening data was entered into all systems."""
WAREHOUSE = "almaty-wh"
LAST_KETTLE = "KTL-777-RED"
"""One lies in the warehouse, none in the stores; the shop and the marketplace both show it at first."""
PRODUCTS = 220
PRICES_APART = {"shop": 26, "market": 15}
OVERSELLING = 12
ONLY_SHOP, ONLY_MARKET = 5, 3
PEOPLE, TWICE = 50, 3
KNOWN_ORDERS, LOST_ORDERS = 6, 4
AT_MARKET = 8
"""SKUs of which some lie in the marketplace's own warehouse."""
ABROAD = 20
"""Products that the company in Plovdiv sells too."""
ON_AMAZON, AT_AMAZON, AMAZON_APART = 30, 5, 4
"""SKUs listed on Amazon and not on the other marketplace; those of which some lie in its network; those whose price
there is another than it should be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """Where goods lie; kind is warehouse, store, or market: a warehouse from which the marketplace sells by itself."""

    code: str
    name: str
    kind: str
    company: str = "kz"


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """What is stocked and sold. ``sold_in`` names the systems that know it; ``prices`` and ``shows`` hold what a
    channel has where it differs from ``price`` or from its share of the warehouse."""

    sku: str
    name: str
    gtin: str | None
    options: Mapping[str, str]
    price: Decimal
    on_hand: Mapping[str, int]
    sold_in: frozenset[str]
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    shows: Mapping[str, int] = field(default_factory=dict)

    def price_in(self, system: str) -> Decimal:
        """The price the system has at the opening."""
        asked = {"market": on_market, "amazon": on_amazon}.get(system)
        return self.prices.get(system, self.price if asked is None else asked(self.price))

    def shown_in(self, system: str) -> int:
        """The figure a channel shows at the opening: 60 % of the warehouse in the shop, 40 % on the marketplace, 10 %
        on Amazon."""
        percent = {"shop": 60, "market": 40, "amazon": 10}[system]
        return self.shows.get(system, self.on_hand.get(WAREHOUSE, 0) * percent // 100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """What variants have in common."""

    code: str
    title: str
    text: str | None
    brand: str | None
    category: str
    variants: Sequence[Variant]


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody who buys. ``known_in`` names the systems; each writes name, e-mail and phone in its own way."""

    first: str
    last: str
    latin: str
    email: str
    phone: str
    """Ten digits, without country."""
    language: str
    street: str
    known_in: frozenset[str]
    twice: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PastOrder:
    """An order in the shop from before; ``known`` when the ERP and the CRM have it too."""

    person: int
    skus: Sequence[str]
    day: int
    known: bool

    @property
    def number(self) -> str:
        """The shop's number of it."""
        return str(1001 + self.day)


@dataclass(frozen=True, kw_only=True, slots=True)
class Abroad:
    """A variant as the company in Plovdiv has it: price in EUR, and what lies there; its shop shows the warehouse."""

    product: Product
    variant: Variant
    title: str
    price: Decimal
    on_hand: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Retailer:
    """All of it. ``abroad``: what the second company, in Plovdiv, sells of the same catalogue."""

    locations: Sequence[Location]
    products: Sequence[Product]
    people: Sequence[Person]
    orders: Sequence[PastOrder]
    abroad: Sequence[Abroad]

    def variants(self) -> Iterator[Variant]:
        """Every variant, in the order of the catalogue."""
        return (variant for product in self.products for variant in product.variants)


LOCATIONS = (
    Location(code=WAREHOUSE, name="Алматы, қойма / склад Райымбек", kind="warehouse"),
    Location(code="almaty-1", name="Karavan Home Достык", kind="store"),
    Location(code="almaty-2", name="Karavan Home Абай", kind="store"),
    Location(code="astana-1", name="Karavan Home Астана, Керуен", kind="store"),
    Location(code="mkt-alm", name="Маркетплейс, склад в Алматы", kind="market"),
    Location(code="plovdiv-wh", name="Пловдив, склад Тракия", kind="warehouse", company="bg"),
    Location(code="plovdiv-1", name="Karavan Home Пловдив, Главната", kind="store", company="bg"),
    Location(code="amz-alm", name="Amazon, склады сети", kind="market"),
)
LISTED_FROM = "astana-1"
"""The store in which buyers of the marketplace that takes a price list fetch their goods."""
MARKET_WAREHOUSE = "MKT-ALM"
"""What the marketplace calls ``mkt-alm``."""
NETWORKS: Mapping[str, str] = {"market": "mkt-alm", "amazon": "amz-alm"}
"""Marketplace → the place of ours that is its own warehouse."""

_COLOURS = (("RED", "красный"), ("BLU", "синий"), ("GRN", "жасыл"), ("IVR", "айвори"), ("BLK", "чёрный"))
_SIZES = {
    "RUG": (("080", "80×150 см"), ("120", "120×180 см"), ("160", "160×230 см"), ("200", "200×300 см")),
    "TXT": (("S", "50×90 см"), ("M", "70×140 см"), ("L", "200×220 см")),
    "PAN": (("20", "20 см"), ("24", "24 см"), ("28", "28 см")),
    "SAM": (("3L", "3 л"), ("5L", "5 л"), ("7L", "7 л")),
}
_FAMILIES: Sequence[tuple[str, str, int, tuple[str, ...], tuple[int, int]]] = (
    ("KTL", "Чайники", 40, ("Чайник", "Шәйнек", "Kettle"), (6_490, 38_990)),
    ("PAN", "Посуда", 65, ("Сковорода", "Қазан", "Казан", "Saucepan"), (4_990, 64_990)),
    ("TXT", "Текстиль", 55, ("Полотенце", "Көрпе", "Сүлгі", "Throw"), (1_990, 29_990)),
    ("RUG", "Ковры", 40, ("Ковёр", "Кілем", "Rug"), (14_990, 249_990)),
    ("SAM", "Самовары", 20, ("Самовар", "Samovar"), (34_990, 189_990)),
)
_NAMES = (
    "Алатау", "Шымбұлақ", "Медеу", "Көктөбе", "Тұлпар", "Ақ бота", "Жібек жолы", "Наурыз", "Алтын орда", "Сары арқа",
    "Каспий", "Балхаш", "Отрар", "Тараз", "Silk Road", "Steppe", "Tulpar", "Nomad", "Caravan", "Saule", "Қызғалдақ",
    "Бәйтерек", "Ұлытау", "Хан Тәңірі", "Есік",
)  # fmt: skip
_BRANDS = ("Karavan", "Serik & Co", "Тулпар", None, "Nomad Living", "Әсем")
_FIRST = (
    ("Айгерім", "Aigerim", "kk"), ("Әсел", "Assel", "kk"), ("Нұрлан", "Nurlan", "kk"), ("Ерлан", "Yerlan", "kk"),
    ("Динара", "Dinara", "ru"), ("Тимур", "Timur", "ru"), ("Анна", "Anna", "ru"), ("Сергей", "Sergey", "ru"),
    ("Ольга", "Olga", "ru"), ("Гүлнәр", "Gulnar", "kk"), ("Maria", "Maria", "en"), ("James", "James", "en"),
    ("Жанна", "Zhanna", "ru"), ("Қуаныш", "Kuanysh", "kk"),
)  # fmt: skip
_LAST = (
    ("Сейтқали", "Seitkali"), ("Жұмабаева", "Zhumabayeva"), ("Ахметов", "Akhmetov"), ("Ибраева", "Ibrayeva"),
    ("Ким", "Kim"), ("Петрова", "Petrova"), ("Смаилов", "Smailov"), ("Нұрпейіс", "Nurpeis"), ("O'Brien", "O'Brien"),
    ("Müller", "Müller"), ("Оспанова", "Ospanova"), ("Байжанов", "Baizhanov"), ("Цой", "Tsoi"),
)  # fmt: skip
_STREETS = ("пр. Абая", "ул. Панфилова", "мкр. Самал-2,", "Төле би көшесі", "пр. Достык", "Seifullin Ave")
_ODD_SKUS = ("007", "00712", "1E5", "000", "12.50", "0x1F", "TRUE", "2026-01")
"""Merchants have such SKUs; each is text and stays so."""


def karavan_home(seed: int = 7) -> Retailer:
    """The retailer of a seed."""
    dice = random.Random(f"karavan-home-{seed}")  # noqa: S311 - goods are made up here, not secrets
    products = _apart(_catalogue(dice), dice)
    people = _people(dice)
    orders = _orders(products, people, dice)
    more = random.Random(f"karavan-home-{seed}-more")  # noqa: S311 - the newer places change nothing of the older ones
    products = _in_more_places(products, more)
    abroad = _abroad(products, more)
    products = _on_amazon(products, random.Random(f"karavan-home-{seed}-amazon"))  # noqa: S311 - as above
    return Retailer(locations=LOCATIONS, products=products, people=people, orders=orders, abroad=abroad)


def _in_more_places(products: Sequence[Product], dice: random.Random) -> list[Product]:
    """The same goods with what lies in the store in Astana and in the warehouse of the marketplace."""
    listed = [v.sku for p in products for v in p.variants if {"erp", "market"} <= v.sold_in and not v.shows]
    at_market = set(dice.sample(listed, min(AT_MARKET, len(listed))))
    return [
        replace(product, variants=[
            variant if variant.on_hand == {} else replace(variant, on_hand={
                **variant.on_hand, "astana-1": 0 if variant.sku == LAST_KETTLE else dice.randrange(0, 7),
                **({"mkt-alm": dice.randrange(4, 11)} if variant.sku in at_market else {}),
            }) for variant in product.variants
        ]) for product in products
    ]  # fmt: skip


def _on_amazon(products: Sequence[Product], dice: random.Random) -> list[Product]:
    """The same goods, some of them listed on Amazon: of those that the other marketplace does not have."""
    fit = [v.sku for p in products for v in p.variants
           if {"erp", "shop", "pos"} <= v.sold_in and "market" not in v.sold_in and not v.shows and not v.prices]
    chosen = dice.sample(fit, ON_AMAZON)
    apart, held = set(chosen[:AMAZON_APART]), set(chosen[-AT_AMAZON:])
    return [
        replace(product, variants=[
            variant if variant.sku not in chosen else replace(
                variant, sold_in=variant.sold_in | {"amazon"},
                prices={"amazon": variant.price_in("amazon") + 1_000} if variant.sku in apart else {},
                on_hand={**variant.on_hand, **({"amz-alm": dice.randrange(3, 9)} if variant.sku in held else {})},
            ) for variant in product.variants
        ]) for product in products
    ]  # fmt: skip


def _abroad(products: Sequence[Product], dice: random.Random) -> list[Abroad]:
    """Some of the kettles, textiles and rugs, with names for shoppers in Bulgaria and prices in EUR."""
    words = {"KTL": "Чайник", "TXT": "Текстил", "RUG": "Килим"}
    fit = [
        product for product in products
        if product.code[:3] in words and {"erp", "shop"} <= product.variants[0].sold_in and len(product.variants) > 1
    ]
    return [
        Abroad(
            product=product, variant=variant, title=f"{words[product.code[:3]]} „{product.title}“",
            price=in_plovdiv(variant.price),
            on_hand={"plovdiv-wh": dice.choice((0, 3, 6, 10, 25)), "plovdiv-1": dice.randrange(0, 6)},
        )
        for product in dice.sample(fit, ABROAD) for variant in product.variants
    ]  # fmt: skip


def _gtin(n: int) -> str:
    """An EAN-13 of Kazakhstan's range with its check digit."""
    digits = f"487{n:09d}"
    odd, even = sum(map(int, digits[::2])), sum(map(int, digits[1::2]))
    return f"{digits}{-(odd + 3 * even) % 10}"


def _catalogue(dice: random.Random) -> list[Product]:
    """220 products: most in the ERP, the tills and the shop, some on the marketplace, a few on one channel only."""
    odd = list(_ODD_SKUS)
    found: list[Product] = []
    serial = 0
    for prefix, category, count, words, (low, high) in _FAMILIES:
        for n in range(count):
            number = 777 if prefix == "KTL" and n == 0 else 100 + n
            title = f"{dice.choice(words)} «{dice.choice(_NAMES)}» {number}"
            base = Decimal(dice.randrange(low, high, 500) // 10 * 10)
            kinds = _SIZES.get(prefix, _COLOURS)
            label = "цвет" if prefix == "KTL" else "размер"
            chosen = sorted(dice.sample(range(len(kinds)), k=dice.choices((1, 2, 3), weights=(50, 35, 15))[0]))
            in_shop, on_market = dice.random() < 0.85, dice.random() < 0.45
            variants = []
            for step, kind in enumerate([0] if number == 777 else chosen):
                serial += 1
                code, value = kinds[kind]
                plain = prefix == "PAN" and step == 0 and n % 8 == 3 and odd
                sold_in = {"erp", "pos"} | ({"shop"} if in_shop else set()) | ({"market"} if on_market else set())
                variants.append(
                    Variant(
                        sku=odd.pop(0) if plain else f"{prefix}-{number}-{code}",
                        name=f"{title}, {value}",
                        gtin=None if dice.random() < 0.1 else _gtin(serial),
                        options={label: value},
                        price=base + 1_000 * step + (Decimal("0.50") if dice.random() < 0.03 else 0),
                        on_hand={
                            WAREHOUSE: dice.choice((0, 2, 3, 5, 8, 12, 20, 35, 60)),
                            "almaty-1": dice.randrange(0, 13),
                            "almaty-2": dice.randrange(0, 9),
                        },
                        sold_in=frozenset(sold_in),
                    )
                )
            text = None if dice.random() < 0.3 else f"{title}. {dice.choice(_NAMES)}: қолдан жасалған / ручная работа."
            found.append(
                Product(
                    code=f"{prefix}-{number}",
                    title=title,
                    text=text,
                    brand=dice.choice(_BRANDS),
                    category=category,
                    variants=variants,
                )
            )
    return found


def _apart(products: list[Product], dice: random.Random) -> list[Product]:
    """The same catalogue with the systems in disagreement, exactly as often as the constants say."""
    changed = {variant.sku: variant for product in products for variant in product.variants}
    kettle = changed[LAST_KETTLE]
    changed[LAST_KETTLE] = replace(
        kettle, on_hand={WAREHOUSE: 1, "almaty-1": 0, "almaty-2": 0}, shows={"shop": 1, "market": 1},
        sold_in=frozenset({"erp", "pos", "shop", "market"}), price=Decimal(24_990),
    )  # fmt: skip
    both = [v.sku for v in changed.values() if {"shop", "market"} <= v.sold_in and v.sku != LAST_KETTLE]
    for sku in dice.sample([sku for sku in both if changed[sku].on_hand[WAREHOUSE] > 0], OVERSELLING - 1):
        held = changed[sku].on_hand[WAREHOUSE]
        changed[sku] = replace(changed[sku], shows={"shop": held, "market": held})
    taken: set[str] = {LAST_KETTLE}
    for system, count in PRICES_APART.items():
        fit = [v.sku for v in changed.values() if system in v.sold_in and v.sku not in taken]
        for sku in dice.sample(fit, count):
            taken.add(sku)
            off = Decimal(dice.choice((-2_000, -1_000, -500, 500, 1_000, 1_500, 2_500)))
            was = changed[sku].price_in(system)
            changed[sku] = replace(changed[sku], prices={system: was + off if was + off > 0 else was + 500})
    alone = [p for p in products if len(p.variants) == 1 and p.variants[0].sku not in taken]
    alone = [p for p in alone if changed[p.variants[0].sku].shows == {}]
    for n, product in enumerate(dice.sample(alone, ONLY_SHOP + ONLY_MARKET)):
        sku = product.variants[0].sku
        changed[sku] = replace(
            changed[sku], sold_in=frozenset({"shop" if n < ONLY_SHOP else "market"}), on_hand={}, gtin=None
        )
    return [replace(p, variants=[changed[v.sku] for v in p.variants]) for p in products]


def _people(dice: random.Random) -> list[Person]:
    """50 people: the first 14 are in CRM, shop and marketplace, the others in one to three systems."""
    found = []
    pairs = dice.sample([(first, last) for first in _FIRST for last in _LAST], PEOPLE)
    for n, ((first, latin, language), (last, latin_last)) in enumerate(pairs):
        if n < 14:
            known = {"crm", "shop", "market"}
        else:
            known = set(dice.choice((("crm",), ("shop",), ("crm", "shop"), ("erp", "crm"), ("erp", "crm", "shop"))))
        mail = f"{latin}.{latin_last}".lower().replace("'", "").replace("ü", "u")
        found.append(
            Person(
                first=first,
                last=last,
                latin=f"{latin} {latin_last}",
                email=f"{mail}@example.kz",
                phone=f"{dice.choice((701, 702, 705, 707, 747, 775, 777))}{dice.randrange(2_000_000, 9_999_999)}",
                language=language,
                street=f"{dice.choice(_STREETS)} {dice.randrange(1, 200)}",
                known_in=frozenset(known),
                twice=n < TWICE,
            )
        )
    return found


def _orders(products: Sequence[Product], people: Sequence[Person], dice: random.Random) -> list[PastOrder]:
    """Past orders of the shop: the first ones are known to ERP and CRM, the last ones were lost on the way."""
    skus = [
        v.sku for p in products for v in p.variants
        if {"erp", "shop"} <= v.sold_in and v.shows == {} and v.on_hand[WAREHOUSE] >= 5 and v.prices == {}
    ]  # fmt: skip
    shoppers = [n for n, person in enumerate(people) if "shop" in person.known_in]
    return [
        PastOrder(
            person=dice.choice(shoppers), skus=dice.sample(skus, dice.choice((1, 1, 2))), day=n,
            known=n < KNOWN_ORDERS,
        )
        for n in range(KNOWN_ORDERS + LOST_ORDERS)
    ]  # fmt: skip
