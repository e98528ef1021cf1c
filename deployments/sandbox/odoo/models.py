"""The models of the simulated Odoo: which fields there are, of which type, and what older versions call them.

What surprises here: these are facts of Odoo 19.0 Community, only as many as a retailer's house touches; a field that is
not here is refused, as Odoo does. A table of what Odoo's source says, which knows nothing of this one, is held against
it (`tests/contract/vendor/odoo_published.py`).

A field's type: ``char text html bool int float money date datetime``, ``a|b|c`` a selection, ``>model`` many to one,
``*model.field`` one to many, ``&model`` many to many. ``=`` before it: computed and not stored, so that it can neither
be written nor searched; ``~``: computed and stored, so that its change does not move the stamp; ``!`` after it:
required.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TEXT = {
    "res.company": "name char! | currency_id >res.currency!",
    "res.currency": "name char! | active bool",
    "res.country": "name char! | code char!",
    "res.lang": "name char! | code char! | active bool",
    "uom.uom": "name char!",
    "product.category": "name char!",
    "product.attribute": "name char! | value_ids *product.attribute.value.attribute_id",
    "product.attribute.value": "name char! | attribute_id >product.attribute!",
    "product.template.attribute.line": "product_tmpl_id >product.template! | attribute_id >product.attribute!"
    " | value_ids &product.attribute.value",
    "product.template.attribute.value": "name =char | attribute_id =>product.attribute"
    " | product_tmpl_id >product.template"
    " | product_attribute_value_id >product.attribute.value! | attribute_line_id >product.template.attribute.line!",
    "product.template": "name char! | default_code char | barcode char | description_sale text | active bool"
    " | sale_ok bool | type consu|service|combo | is_storable bool | categ_id >product.category | uom_id >uom.uom!"
    " | list_price float | standard_price float | company_id >res.company | taxes_id &account.tax"
    " | product_variant_ids *product.product.product_tmpl_id"
    " | attribute_line_ids *product.template.attribute.line.product_tmpl_id | x_code char",
    "product.product": "name =char | display_name =char | default_code char | barcode char | active bool"
    " | sale_ok =bool | type =consu|service|combo | is_storable =bool | product_tmpl_id >product.template!"
    " | uom_id =>uom.uom | lst_price =float | standard_price float | company_id =>res.company"
    " | product_template_attribute_value_ids &product.template.attribute.value | free_qty =float"
    " | qty_available =float | virtual_available =float | list_price =float",
    "product.pricelist": "name char! | active bool | currency_id >res.currency! | company_id >res.company"
    " | item_ids *product.pricelist.item.pricelist_id",
    "product.pricelist.item": "pricelist_id >product.pricelist! | company_id =>res.company"
    " | currency_id =>res.currency | applied_on 3_global|2_product_category|1_product|0_product_variant!"
    " | product_tmpl_id >product.template | product_id >product.product | min_quantity float | date_start datetime"
    " | date_end datetime | compute_price fixed|percentage|formula! | fixed_price float | percent_price float",
    "res.partner": "name char | email char | phone char | street char | street2 char | city char | zip char"
    " | country_id >res.country | country_code =char | is_company bool | vat char | lang char | ref char | active bool"
    " | type contact|invoice|delivery|other | parent_id >res.partner | company_id >res.company | partner_share ~bool"
    " | comment html",
    "stock.location": "name char! | usage supplier|view|internal|customer|inventory|production|transit!"
    " | location_id >stock.location | company_id >res.company | active bool",
    "stock.warehouse": "name char! | code char! | active bool | company_id >res.company!"
    " | lot_stock_id >stock.location! | in_type_id >stock.picking.type | out_type_id >stock.picking.type",
    "stock.picking.type": "name char! | code incoming|outgoing|internal! | warehouse_id >stock.warehouse"
    " | default_location_src_id >stock.location! | default_location_dest_id >stock.location!"
    " | company_id >res.company!",
    "stock.quant": "warehouse_id =>stock.warehouse | product_id >product.product! | location_id >stock.location!"
    " | quantity float"
    " | reserved_quantity float | available_quantity =float | inventory_quantity float | company_id >res.company",
    "stock.picking": "name char | state ~draft|waiting|confirmed|assigned|done|cancel | origin char"
    " | partner_id >res.partner | picking_type_id >stock.picking.type! | picking_type_code ~incoming|outgoing|internal"
    " | location_id >stock.location! | location_dest_id >stock.location! | scheduled_date datetime | date_done datetime"
    " | sale_id >sale.order | carrier_id >delivery.carrier | carrier_tracking_ref char | backorder_id >stock.picking"
    " | move_ids *stock.move.picking_id | company_id >res.company | note html"
    " | x_serai_refunds char",
    "stock.move": "name char! | picking_id >stock.picking | product_id >product.product! | product_uom >uom.uom"
    " | product_uom_qty float! | quantity float | picked bool | date datetime | origin char"
    " | state draft|waiting|confirmed|partially_available|assigned|done|cancel | location_id >stock.location!"
    " | location_dest_id >stock.location! | sale_line_id >sale.order.line | origin_returned_move_id >stock.move"
    " | to_refund bool | picking_code =incoming|outgoing|internal | warehouse_id >stock.warehouse"
    " | company_id >res.company",
    "ir.model": "name char! | model char!",
    "ir.model.fields": "name char! | model char!",
    "base.automation": "name char! | model_id >ir.model! | trigger on_create_or_write|on_write|on_unlink! | active bool"
    " | action_server_ids *ir.actions.server.base_automation_id",
    "ir.actions.server": "name char! | model_id >ir.model! | base_automation_id >base.automation | webhook_url char"
    " | state webhook|code! | webhook_field_ids &ir.model.fields",
    "delivery.carrier": "name char!",
    "account.tax": "name char! | amount float | price_include bool",
    "sale.order": "name char | state draft|sent|sale|cancel | client_order_ref char | origin char | reference char"
    " | date_order datetime | partner_id >res.partner! | partner_shipping_id >res.partner | pricelist_id"
    " >product.pricelist | currency_id ~>res.currency | warehouse_id >stock.warehouse | company_id >res.company"
    " | amount_total ~money | amount_paid =float | delivery_status ~pending|started|partial|full"
    " | invoice_status ~upselling|invoiced|to invoice|no | invoice_ids &account.move | picking_ids"
    " *stock.picking.sale_id | order_line *sale.order.line.order_id | note html | x_serai_payment char",
    "sale.order.line": "order_id >sale.order! | sequence int | display_type line_section|line_note"
    " | is_delivery bool | product_id >product.product | name text | product_uom_qty float | product_uom_id >uom.uom"
    " | price_unit float | discount float | tax_ids &account.tax | price_subtotal ~money | price_total ~money"
    " | qty_delivered ~float | company_id >res.company | x_serai_key char",
    "account.move": "name char | move_type out_invoice|out_refund|entry! | state draft|posted|cancel"
    " | payment_state ~not_paid|in_payment|paid|partial|reversed | invoice_date date | amount_total ~money"
    " | amount_residual ~money | currency_id >res.currency! | partner_id >res.partner | invoice_origin char | ref char"
    " | reversed_entry_id >account.move | company_id >res.company",
    "crm.lead": "name char! | type lead|opportunity! | partner_id >res.partner | contact_name char | email_from char"
    " | phone char | description html | active bool | probability float | referred char | company_id >res.company",
    "pos.config": "name char! | picking_type_id >stock.picking.type! | company_id >res.company!",
    "pos.session": "name char | config_id >pos.config! | state opening_control|opened|closing_control|closed"
    " | start_at datetime | stop_at datetime | company_id >res.company",
    "pos.payment.method": "name char!",
    "pos.payment": "pos_order_id >pos.order! | amount money! | payment_method_id >pos.payment.method!",
    "pos.order": "name char | pos_reference char | session_id >pos.session! | config_id =>pos.config"
    " | date_order datetime | state draft|cancel|paid|done | partner_id >res.partner | amount_total float"
    " | amount_tax float | amount_paid float | currency_id =>res.currency | company_id >res.company"
    " | lines *pos.order.line.order_id | payment_ids *pos.payment.pos_order_id",
    "pos.order.line": "order_id >pos.order! | product_id >product.product! | full_product_name char | qty float"
    " | price_unit float | discount float | price_subtotal float | price_subtotal_incl float"
    " | refunded_orderline_id >pos.order.line",
}
LOGGED = {"id": "int", "create_date": "datetime", "write_date": "datetime", "display_name": "=char"}
"""Every model has these."""
METHODS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "": {"search_read": ("domain", "fields", "offset", "limit", "order"), "create": ("vals_list",), "write": ("vals",),
         "fields_get": ("allfields", "attributes"), "search_count": ("domain",), "read": ("fields",)},
    "sale.order": {"action_confirm": (), "action_cancel": ()},
    "stock.picking": {"action_confirm": (), "action_assign": (), "button_validate": (), "action_cancel": ()},
}  # fmt: skip
"""Model ("": every one) → public method → its parameters."""
OLDER: Mapping[int, Mapping[str, Mapping[str, str | None]]] = {
    18: {"sale.order.line": {"product_uom_id": "product_uom", "tax_ids": "tax_id"}},
    17: {"product.template": {"is_storable": None}, "product.product": {"is_storable": None}},
    16: {"sale.order": {"amount_paid": None}, "stock.move": {"quantity": "quantity_done", "picked": None},
         "base.automation": {"action_server_ids": None},
         "ir.actions.server": {"base_automation_id": None, "webhook_url": None, "webhook_field_ids": None}},
}
"""Up to this version → model → field of 19 → its name then; None: it was not there."""
UNTIL: Mapping[tuple[str, str], int] = {("stock.move", "name"): 18}
"""The last version that had a field."""
SINCE: Mapping[tuple[str, str], Mapping[str, int]] = {
    ("product.template", "type"): {"combo": 17}, ("product.product", "type"): {"combo": 17},
    ("sale.order", "delivery_status"): {"started": 18}, ("ir.actions.server", "state"): {"webhook": 17},
}  # fmt: skip
"""Values of a selection that 16 had not, and the first version that has them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a model: its type, the model it links to, how it is kept."""

    type: str
    of: str = ""
    inverse: str = ""
    computed: bool = False
    stored: bool = True
    required: bool = False


def _field(text: str) -> Field:
    mark, bare = (text[0], text[1:]) if text[0] in "=~" else ("", text)
    required, bare = bare.endswith("!"), bare.rstrip("!")
    type, of, inverse = {"bool": "boolean", "int": "integer", "money": "float"}.get(bare, bare), "", ""
    if bare[0] in ">&":
        type, of = "many2one" if bare[0] == ">" else "many2many", bare[1:]
    elif bare[0] == "*":
        type, (of, _, inverse) = "one2many", bare[1:].rpartition(".")
    elif "|" in bare:
        type, of = "selection", bare
    return Field(type=type, of=of, inverse=inverse, computed=mark != "", stored=mark != "=", required=required)


def _fields(text: str) -> dict[str, Field]:
    parts = [part.strip().partition(" ") for part in text.split(" | ")]
    return {name: _field(type.strip()) for name, _, type in parts}


MODELS: Mapping[str, Mapping[str, Field]] = {
    model: {**_fields(" | ".join(f"{name} {type}" for name, type in LOGGED.items())), **_fields(text)}
    for model, text in _TEXT.items()
}


def choices(version: int, model: str, name: str) -> Sequence[str]:
    """The values that a selection has in a version."""
    since = SINCE.get((model, name), {})
    return [value for value in MODELS[model][name].of.split("|") if version >= since.get(value, 0)]


def renamed(version: int, model: str) -> Mapping[str, str | None]:
    """Field of 19 → its name in a version, where that is another one."""
    found: dict[str, str | None] = {}
    for until, models in OLDER.items():
        if version <= until:
            found |= models.get(model, {})
    return found
