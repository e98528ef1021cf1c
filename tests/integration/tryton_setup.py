"""Gives a new Tryton database a company in Almaty, accounts, 16 % VAT, two warehouses, a till, a carrier and no goods.

Run by Tryton's own interpreter: ``python tryton_setup.py trytond.conf DATABASE PASSWORD``. It uses what Tryton ships
for such a purpose (proteus and the tools of its modules' tests), in the process, without a server. Serai's user has
the groups that it needs and is no administrator.
"""

import datetime as dt
import sys
from decimal import Decimal

from proteus import Model, config

config_file, database, password = sys.argv[1:]
config.set_trytond(database, user="admin", config_file=config_file)

# these need the pool that the line above has filled
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, create_tax, get_accounts  # noqa: E402
from trytond.modules.account_invoice.tests.tools import (  # noqa: E402
    create_payment_term,
    set_fiscalyear_invoice_sequences,
)
from trytond.modules.company.tests.tools import create_company, get_company  # noqa: E402
from trytond.modules.currency.tests.tools import get_currency  # noqa: E402

Party, Country, Currency = Model.get("party.party"), Model.get("country.country"), Model.get("currency.currency")
kazakhstan = Country(name="Kazakhstan", code="KZ", code3="KAZ", code_numeric="398")
kazakhstan.save()
tenge = get_currency("KZT")
tenge.rates.new(date=dt.date(2020, 1, 1), rate=Decimal(1))
tenge.save()

house = Party(name="Karavan Home")
house.addresses[0].street, house.addresses[0].city, house.addresses[0].country = "Abay Ave 1", "Almaty", kazakhstan
house.save()
create_company(party=house, currency=tenge)
company = get_company()
User = Model.get("res.user")
admin = User(config.get_config().user)
admin.companies.append(company)
admin.company = company
admin.save()
config.get_config()._context = User.get_preferences(True, config.get_config().context)

# one long fiscal year: the database is kept and used for years
year = create_fiscalyear(company, today=(dt.date(2020, 1, 1), dt.date(2039, 12, 31)))
set_fiscalyear_invoice_sequences(year).click("create_period")
create_chart(company)
accounts = get_accounts(company)
tax = create_tax(Decimal("0.16"), company)
tax.name = tax.description = "VAT 16 %"
tax.save()
Category = Model.get("product.category")
goods = Category(name="Goods with 16 % VAT", accounting=True)
goods.account_expense, goods.account_revenue = accounts["expense"], accounts["revenue"]
goods.customer_taxes.append(tax)
goods.save()
create_payment_term().save()

Location = Model.get("stock.location")
warehouse, = Location.find([("type", "=", "warehouse")])
warehouse.name, warehouse.code = "Warehouse Almaty", "almaty-wh"
warehouse.save()
shop = Location(name="Store Abay", code="almaty-1", type="warehouse")
for kind in ("input", "output", "storage"):
    place = Location(name=f"Store Abay {kind}", code=f"almaty-1-{kind}",
                     type="storage")
    place.save()
    setattr(shop, f"{kind}_location", place)
shop.save()

Uom, Template = Model.get("product.uom"), Model.get("product.template")
unit, = Uom.find([("name", "=", "Unit")])
service = Template(name="Delivery", type="service", default_uom=unit, salable=True, sale_uom=unit,
                   list_price=Decimal(0), account_category=goods)
service.products[0].suffix_code = "DELIVERY"
service.save()
carrier = Model.get("carrier")(party=Party(name="Kazpost"), carrier_product=service.products[0])
carrier.party.save()
carrier.save()

Journal, Sequence, Point = Model.get("account.journal"), Model.get("ir.sequence.strict"), Model.get("sale.point")
Method = Model.get("sale.point.payment.method")
kind, = Model.get("ir.sequence.type").find([("name", "=", "POS")])
till = Point(name="Till Abay 1")
till.journal, = Journal.find([("type", "=", "revenue")], limit=1)
till.sequence = Sequence(name="Till Abay 1", prefix="A1-", company=company, sequence_type=kind)
till.sequence.save()
till.storage_location = shop.storage_location
till.return_location = shop.storage_location
till.customer_location, = Location.find([("type", "=", "customer")], limit=1)
till.save()
for name, cash in (("Cash", True), ("Card", False)):
    Method(name=name, account=accounts["cash"], cash=cash).save()

Group = Model.get("res.group")
serai = User(name="Serai", login="integration", password=password)
serai.companies.append(get_company())
serai.company = company
for name in ("Sales", "Stock", "Account Product Administration", "Party", "Carrier Administration", "Accounting Party",
             "POS"):
    for group in Group.find([("name", "=", name)]):
        serai.groups.append(group)
print("groups:", [group.name for group in Group.find([])])
serai.save()
