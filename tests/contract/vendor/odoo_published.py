"""What Odoo's public source says of the models and fields that are used here, read by hand and written down as facts.

What surprises here:

* Nothing of it comes from the simulator or the connector; where they differ from it, they are wrong. Read 2026-11-23 in
  copies of the public repository: 16.0 (of March 2024), 17.0 (May 2024), 18.0 (December 2024), 19.0 (three copies, of
  January, March and August 2026, which agree in every fact below). Beside each model stands its file below ``addons/``
  of odoo/odoo (``base``: ``odoo/addons/base/models``); a module that adds fields to it is named after the file.
* The methods' parameters are those of ``odoo/models.py`` (19.0: ``odoo/orm/models.py``), the form of a call that of the
  documentation of 19.0 (developer/reference/external_api) and, for JSON-RPC, of 16.0.

A field is ``name type marks``. Types: ``char text html bool int float date datetime``, ``a|b|c`` a selection, ``?``
a selection whose values are the database's, ``>model`` many to one, ``*model.inverse`` one to many, ``&model`` many to
many. Marks: ``!`` required, and nothing fills it; ``+`` required, filled by a default or a computation; ``c`` computed
or related and not stored; ``k`` computed or related, stored; ``w`` such a one may be written all the same; ``s`` one
that is not stored may be searched all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

VERSIONS: Final = (16, 17, 18, 19)
LOGGED: Final = "id int k; create_date datetime k; write_date datetime k; display_name char cs"
"""Every model has these (odoo/fields.py, ``_log_access``)."""

_AT_19: Final[Mapping[str, tuple[str, str]]] = {
    "res.company": ("base/res_company.py", "name char kw+; currency_id >res.currency +"),
    "res.currency": ("base/res_currency.py", "name char !; active bool"),
    "res.country": ("base/res_country.py", "name char !; code char !"),
    "res.lang": ("base/res_lang.py", "name char !; code char !; active bool"),
    "uom.uom": ("uom/models/uom_uom.py", "name char !"),
    "product.category": ("product/models/product_category.py", "name char !"),
    "product.attribute": ("product/models/product_attribute.py",
                          "name char !; value_ids *product.attribute.value.attribute_id"),
    "product.attribute.value": ("product/models/product_attribute_value.py",
                                "name char !; attribute_id >product.attribute !"),
    "product.template.attribute.line": (
        "product/models/product_template_attribute_line.py",
        "product_tmpl_id >product.template !; attribute_id >product.attribute !; value_ids &product.attribute.value"),
    "product.template.attribute.value": (
        "product/models/product_template_attribute_value.py",
        "name char cs; attribute_id >product.attribute k; product_tmpl_id >product.template k;"
        " product_attribute_value_id >product.attribute.value !;"
        " attribute_line_id >product.template.attribute.line !"),
    "product.template": (
        "product/models/product_template.py, stock, account",
        "name char !; default_code char kw; barcode char cws; description_sale text; active bool; sale_ok bool;"
        " type consu|service|combo +; is_storable bool kw; categ_id >product.category; uom_id >uom.uom +;"
        " list_price float; standard_price float cws; company_id >res.company; taxes_id &account.tax;"
        " product_variant_ids *product.product.product_tmpl_id;"
        " attribute_line_ids *product.template.attribute.line.product_tmpl_id"),
    "product.product": (
        "product/models/product_product.py, stock",
        "default_code char; barcode char; active bool; product_tmpl_id >product.template +; lst_price float cw;"
        " standard_price float; product_template_attribute_value_ids &product.template.attribute.value;"
        " free_qty float cs; qty_available float cws; virtual_available float cs"),
    "product.pricelist": (
        "product/models/product_pricelist.py",
        "name char !; active bool; currency_id >res.currency +; company_id >res.company;"
        " item_ids *product.pricelist.item.pricelist_id"),
    "product.pricelist.item": (
        "product/models/product_pricelist_item.py",
        "pricelist_id >product.pricelist; company_id >res.company k; currency_id >res.currency k;"
        " applied_on 3_global|2_product_category|1_product|0_product_variant +; product_tmpl_id >product.template;"
        " product_id >product.product; min_quantity float; date_start datetime; date_end datetime;"
        " compute_price percentage|formula|fixed +; fixed_price float; percent_price float"),
    "res.partner": (
        "base/res_partner.py",
        "name char; email char; phone char; street char; street2 char; city char; zip char; country_id >res.country;"
        " country_code char cs; is_company bool; vat char; lang ? kw; ref char; active bool;"
        " type contact|invoice|delivery|other; parent_id >res.partner; company_id >res.company; partner_share bool k;"
        " comment html"),
    "stock.location": (
        "stock/models/stock_location.py",
        "name char !; usage supplier|view|internal|customer|inventory|production|transit +;"
        " location_id >stock.location; company_id >res.company; active bool"),
    "stock.warehouse": (
        "stock/models/stock_warehouse.py",
        "name char +; code char !; active bool; company_id >res.company +; lot_stock_id >stock.location +;"
        " in_type_id >stock.picking.type; out_type_id >stock.picking.type"),
    "stock.picking.type": (
        "stock/models/stock_picking.py",
        "name char !; code incoming|outgoing|internal +; warehouse_id >stock.warehouse kw;"
        " default_location_src_id >stock.location kw+; default_location_dest_id >stock.location kw+;"
        " company_id >res.company +"),
    "stock.quant": (
        "stock/models/stock_quant.py",
        "warehouse_id >stock.warehouse cs; product_id >product.product !; location_id >stock.location !;"
        " quantity float; reserved_quantity float +; available_quantity float c; inventory_quantity float;"
        " company_id >res.company k"),
    "stock.picking": (
        "stock/models/stock_picking.py, sale_stock, stock_delivery",
        "name char; state draft|waiting|confirmed|assigned|done|cancel k; origin char; partner_id >res.partner;"
        " picking_type_id >stock.picking.type +; picking_type_code incoming|outgoing|internal cs;"
        " location_id >stock.location kw+; location_dest_id >stock.location kw+; scheduled_date datetime kw;"
        " date_done datetime; sale_id >sale.order kw; carrier_id >delivery.carrier; carrier_tracking_ref char;"
        " backorder_id >stock.picking; move_ids *stock.move.picking_id; company_id >res.company k; note html"),
    "stock.move": (
        "stock/models/stock_move.py, sale_stock, stock_account",
        "picking_id >stock.picking; product_id >product.product !; product_uom >uom.uom kw+; product_uom_qty float +;"
        " quantity float kw; picked bool kw; date datetime +; origin char;"
        " state draft|waiting|confirmed|partially_available|assigned|done|cancel; location_id >stock.location kw+;"
        " location_dest_id >stock.location kw+; sale_line_id >sale.order.line; origin_returned_move_id >stock.move;"
        " to_refund bool; picking_code incoming|outgoing|internal cs; warehouse_id >stock.warehouse;"
        " company_id >res.company +"),
    "ir.model": ("base/ir_model.py", "name char !; model char +"),
    "ir.model.fields": ("base/ir_model.py", "name char +; model char !"),
    "base.automation": (
        "base_automation/models/base_automation.py",
        # its computation only empties it, so somebody has to say it
        "name char !; model_id >ir.model !; trigger on_stage_set|on_user_set|on_tag_set|on_state_set|on_priority_set"
        "|on_archive|on_unarchive|on_create|on_create_or_write|on_write|on_unlink|on_change|on_time|on_time_created"
        "|on_time_updated|on_message_received|on_message_sent|on_webhook !; active bool;"
        " action_server_ids *ir.actions.server.base_automation_id"),
    "ir.actions.server": (
        "base/ir_actions.py, base_automation, mail",
        "name char kw; model_id >ir.model !; base_automation_id >base.automation; webhook_url char;"
        " state object_write|object_create|object_copy|code|webhook|multi|next_activity|mail_post|followers"
        "|remove_followers !; webhook_field_ids &ir.model.fields"),
    "delivery.carrier": ("delivery/models/delivery_carrier.py", "name char !"),
    "account.tax": ("account/models/account_tax.py", "name char !; amount float +; price_include bool cs"),
    "sale.order": (
        "sale/models/sale_order.py, sale_stock",
        "name char +; state draft|sent|sale|cancel; client_order_ref char; origin char; reference char;"
        " date_order datetime +; partner_id >res.partner !; partner_shipping_id >res.partner kw+;"
        " pricelist_id >product.pricelist kw; currency_id >res.currency k; warehouse_id >stock.warehouse kw;"
        " company_id >res.company +; amount_total float k; amount_paid float c;"
        " delivery_status pending|started|partial|full k; invoice_status upselling|invoiced|to invoice|no k;"
        " invoice_ids &account.move cs; picking_ids *stock.picking.sale_id; order_line *sale.order.line.order_id;"
        " note html kw"),
    "sale.order.line": (
        "sale/models/sale_order_line.py, delivery",
        "order_id >sale.order !; sequence int; display_type line_section|line_subsection|line_note; is_delivery bool;"
        " product_id >product.product; name text kw+; product_uom_qty float kw+; product_uom_id >uom.uom kw;"
        " price_unit float kw+; discount float kw; tax_ids &account.tax kw; price_subtotal float k;"
        " price_total float k; qty_delivered float kw; company_id >res.company k"),
    "account.move": (
        "account/models/account_move.py",
        "name char kw; move_type entry|out_invoice|out_refund|in_invoice|in_refund|out_receipt|in_receipt +;"
        " state draft|posted|cancel +; payment_state not_paid|in_payment|paid|partial|reversed|blocked"
        "|invoicing_legacy k; invoice_date date; amount_total float kw; amount_residual float k;"
        " currency_id >res.currency kw+; partner_id >res.partner; invoice_origin char; ref char;"
        " reversed_entry_id >account.move; company_id >res.company kw"),
    "crm.lead": (
        "crm/models/crm_lead.py",
        "name char kw+; type lead|opportunity +; partner_id >res.partner; contact_name char kw; email_from char kw;"
        " phone char kw; description html; active bool; probability float kw; referred char;"
        " company_id >res.company kw"),
    "pos.config": ("point_of_sale/models/pos_config.py",
                   "name char !; picking_type_id >stock.picking.type +; company_id >res.company +"),
    "pos.session": (
        "point_of_sale/models/pos_session.py",
        "name char; config_id >pos.config !; state opening_control|opened|closing_control|closed +;"
        " start_at datetime; stop_at datetime; company_id >res.company cs"),
    "pos.payment.method": ("point_of_sale/models/pos_payment_method.py", "name char !"),
    "pos.payment": ("point_of_sale/models/pos_payment.py",
                    "pos_order_id >pos.order !; amount float !; payment_method_id >pos.payment.method !"),
    "pos.order": (
        "point_of_sale/models/pos_order.py",
        "name char +; pos_reference char; session_id >pos.session; config_id >pos.config kw; date_order datetime;"
        " state draft|cancel|paid|done; partner_id >res.partner; amount_total float !; amount_tax float !;"
        " amount_paid float !; currency_id >res.currency cs; company_id >res.company !;"
        " lines *pos.order.line.order_id; payment_ids *pos.payment.pos_order_id"),
    "pos.order.line": (
        "point_of_sale/models/pos_order.py",
        "order_id >pos.order !; product_id >product.product !; full_product_name char; qty float; price_unit float;"
        " discount float; price_subtotal float !; price_subtotal_incl float !; refunded_orderline_id >pos.order.line"),
}  # fmt: skip
_UNTIL: Final[Mapping[int, Mapping[str, str]]] = {
    18: {
        "product.template": "categ_id >product.category +",
        "product.product": "qty_available float cs",
        "product.pricelist.item": "pricelist_id >product.pricelist +",
        "res.partner": "lang ?",
        "stock.move": "name char !; location_id >stock.location !",
        "sale.order.line": "display_type line_section|line_note; product_uom_id -; product_uom >uom.uom kw;"
                           " tax_ids -; tax_id &account.tax kw",
        "ir.actions.server": "name char kw+; state object_write|object_create|code|webhook|multi|next_activity"
                             "|mail_post|followers|remove_followers +",
        "pos.session": "name char +",
        "pos.order": "session_id >pos.session !; config_id >pos.config kw; state draft|cancel|paid|done|invoiced",
    },
    17: {
        "product.template": "is_storable -; type consu|service|combo|product kw;"
                            " detailed_type consu|service|combo|product +",
        "stock.picking.type": "code incoming|outgoing|internal !; default_location_src_id >stock.location kw;"
                              " default_location_dest_id >stock.location kw",
        "stock.picking": "sale_id >sale.order k",
        "stock.move": "location_dest_id >stock.location !",
        "account.tax": "price_include bool",
        "sale.order": "delivery_status pending|partial|full k; warehouse_id >stock.warehouse kw+",
        "account.move": "payment_state not_paid|in_payment|paid|partial|reversed|invoicing_legacy k",
    },
    16: {
        "product.template": "type consu|service|product kw; detailed_type consu|service|product +",
        "res.country": "code char",
        "res.partner": "type contact|invoice|delivery|private|other",
        "stock.picking.type": "default_location_src_id >stock.location; default_location_dest_id >stock.location",
        "stock.picking": "picking_type_id >stock.picking.type !; sale_id >sale.order kw",
        "stock.move": "quantity -; quantity_done float kw; picked -",
        "base.automation": "name -; model_id -; action_server_ids -;"
                           " trigger on_create|on_write|on_create_or_write|on_unlink|on_change|on_time !",
        "ir.actions.server": "name char !; state code|object_create|object_write|multi|mail_post|followers"
                             "|next_activity +; base_automation_id -; webhook_url -; webhook_field_ids -",
        "sale.order": "state draft|sent|sale|done|cancel; pricelist_id >product.pricelist kw+; amount_paid -",
        "pos.order": "config_id >pos.config cws",
    },
}  # fmt: skip
"""The last version in which a field was so (``-``: it was not there); what a later one says holds for earlier ones."""
INHERITS: Final[Mapping[str, tuple[str, str]]] = {"product.product": ("product.template", "product_tmpl_id")}
"""Model → the model whose fields it has too (``_inherits``), and the link to it; 16 has one more, see `inherits`."""
RETAILERS: Final[Mapping[str, str]] = {
    "product.template": "x_code char", "sale.order": "x_serai_payment char", "sale.order.line": "x_serai_key char",
    "stock.picking": "x_serai_refunds char",
}  # fmt: skip
"""Fields that a retailer adds in Odoo's own settings, as connectors/README.md asks."""
METHODS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "": {"search_read": ("domain", "fields", "offset", "limit", "order"), "create": ("vals_list",), "write": ("vals",),
         "fields_get": ("allfields", "attributes"), "search_count": ("domain", "limit"), "read": ("fields", "load")},
    "sale.order": {"action_confirm": (), "action_cancel": ()},
    "stock.picking": {"action_confirm": (), "action_assign": (), "button_validate": (), "action_cancel": ()},
}  # fmt: skip
"""Model ("": every one) → public method → its parameters, the same in all four versions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One field: its type, what it links to or may hold; whether it is kept, may be written or searched, must be given.
    """

    type: str
    of: str = ""
    inverse: str = ""
    values: tuple[str, ...] | None = None
    stored: bool = True
    written: bool = True
    searched: bool = True
    needed: bool = False


def fact(type: str, marks: str) -> Fact:
    """The field that a type and marks stand for."""
    computed = "c" in marks or "k" in marks
    found = Fact(
        type=type, stored="c" not in marks, written=not computed or "w" in marks,
        searched="c" not in marks or "s" in marks, needed="!" in marks,
    )  # fmt: skip
    if type[0] in ">&*":
        of, inverse = type[1:].rpartition(".")[::2] if type[0] == "*" else (type[1:], "")
        kind = {">": "many2one", "&": "many2many", "*": "one2many"}[type[0]]
        return replace(found, type=kind, of=of, inverse=inverse)
    if "|" in type or type == "?":
        return replace(found, type="selection", values=None if type == "?" else tuple(type.split("|")))
    return replace(found, type={"bool": "boolean", "int": "integer"}.get(type, type))


@cache
def models(version: int) -> Mapping[str, Mapping[str, Fact]]:
    """Model → field → its fact, as a version has them."""
    found: dict[str, dict[str, Fact]] = {}
    for model, (_, text) in _AT_19.items():
        rows = {name: rest for name, *rest in _rows(f"{LOGGED}; {text}")}
        for until in sorted(_UNTIL, reverse=True):
            if version <= until:
                rows |= {name: rest for name, *rest in _rows(_UNTIL[until].get(model, ""))}
        rows |= {name: rest for name, *rest in _rows(RETAILERS.get(model, ""))}
        found[model] = {name: fact(type, marks) for name, (type, marks) in rows.items() if type != "-"}
    inherited = dict(INHERITS)
    if version == 16:
        inherited["base.automation"] = ("ir.actions.server", "action_server_id")
    for model, (of, _) in inherited.items():
        own = found[model]
        found[model] = {name: replace(one, stored=False) for name, one in found[of].items() if name not in own} | own
    return found


def _rows(text: str) -> Iterator[tuple[str, str, str]]:
    for part in filter(None, (one.strip() for one in text.split(";"))):
        name, rest = part.split(" ", 1)
        split = re.fullmatch(r"(.+?)(?: ([ckws!+]+))?", rest)
        assert split is not None
        yield name, split[1], split[2] or ""
