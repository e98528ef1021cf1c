"""Goods that move in Odoo: deliveries validated in whole or in part, and receipts of what came back.

What surprises here: see odoo.py. A delivery of less than was ordered leaves a backorder; a return is a
receipt of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.base import Doc, Receipt, Write
from connectors.odoo_facts import KEY, OPEN, REFUNDS, Refused, head, id_of, or_false

if TYPE_CHECKING:
    from connectors.odoo_writes import Writer

AT_ONCE = {"skip_backorder": True, "skip_immediate": True, "skip_sms": True}
"""No wizard asks whether to leave the rest for later: what is not there stays for another delivery."""


class Moves:
    """The transfers that a channel's writes lead to their end."""

    def __init__(self, writer: Writer) -> None:
        self.writer, self.odoo = writer, writer.odoo

    def validate(self, picking: int, pieces: Mapping[int, Decimal] | None) -> None:
        """Afterwards the transfer is done: of ``pieces`` by move, or of everything. Raises Refused."""
        moves = self.odoo.rows("stock.move", [["picking_id", "=", picking], OPEN], ["product_uom_qty"])
        quantity = "quantity" if self.odoo.version >= 17 else "quantity_done"
        own: Doc = {"picked": True} if self.odoo.version >= 17 else {}
        for move in moves:
            units = move["product_uom_qty"] if pieces is None else pieces.get(move["id"], Decimal(0))
            self.odoo.result("stock.move", "write", [move["id"]], {quantity: units, **(own if units else {})})
        done = self.odoo.result("stock.picking", "button_validate", [picking], context=AT_ONCE)
        if done is not True:
            raise Refused(f"{self.odoo.channel}: Odoo asks a person about transfer {picking}; validate it there")

    def shipment(self, resource: str, write: Write) -> Receipt:
        """A tracking number written; or, of a sale's open delivery, what left."""
        doc = write.doc
        told = {name: or_false(doc[name]) for name in ("carrier_tracking_ref",) if name in doc}
        if write.op == "update":
            if told:
                self.odoo.result("stock.picking", "write", [id_of(write)], told)
            return self.writer.receipt(resource, id_of(write))
        order = int(doc["order_id"])
        found = self.writer.by_key(resource, write) if write.attempt > 1 else None
        if found is not None:
            return Receipt(outcome="applied", id=str(found["id"]), doc=found)
        open_ones = self.odoo.rows(
            "stock.picking", [["sale_id", "=", order], ["picking_type_code", "=", "outgoing"], OPEN], ["name"], limit=1
        )
        if not open_ones:
            raise Refused(f"{self.odoo.channel}: sale {order} has no delivery that is still open")
        picking = int(open_ones[0]["id"])
        pieces = self._pieces(picking, doc["lines"]) if doc.get("lines") else None
        if told:
            self.odoo.result("stock.picking", "write", [picking], told)
        self.validate(picking, pieces)
        return self.writer.receipt(resource, picking)

    def _pieces(self, picking: int, lines: Sequence[Doc]) -> dict[int, Decimal]:
        """Move → how much of it, from pieces per key of a line; ValueError when the delivery has less."""
        left = {str(line["line"]): Decimal(line["quantity"]) for line in lines}
        moves = self.odoo.rows("stock.move", [["picking_id", "=", picking], OPEN], ["product_uom_qty", "sale_line_id"])
        keys = self._keys([head(move["sale_line_id"]) or 0 for move in moves])
        found: dict[int, Decimal] = {}
        for move in moves:
            key = keys.get(head(move["sale_line_id"]) or 0, "")
            found[move["id"]] = taken = min(left.get(key, Decimal(0)), Decimal(move["product_uom_qty"]))
            if key in left:
                left[key] -= taken
        if any(left.values()):
            raise ValueError(f"the delivery has less of line {', '.join(key for key in left if left[key])}")
        return found

    def _keys(self, lines: Sequence[int]) -> dict[int, str]:
        rows = self.odoo.rows("sale.order.line", [["id", "in", sorted(set(lines))]], [KEY])
        return {row["id"]: row[KEY] or str(row["id"]) for row in rows}

    def returned(self, resource: str, write: Write) -> Receipt:
        """A receipt of goods that a sale had sent: its moves name those that they undo."""
        doc = write.doc
        found = self.odoo.rows("stock.picking", [["origin", "=", write.key], ["state", "!=", "cancel"]],
                                ["state"], limit=1)  # fmt: skip
        picking = int(found[0]["id"]) if found else self.writer.made("stock.picking", self._receipt_of(write.key, doc))
        if not found or found[0]["state"] != "done":
            self.odoo.result("stock.picking", "action_confirm", [picking])
            self.validate(picking, None)
        return self.writer.receipt(resource, picking)

    def _receipt_of(self, key: str, doc: Doc) -> Doc:
        sent = self.odoo.rows(
            "stock.move",
            [
                ["picking_id.sale_id", "=", int(doc["order_id"])],
                ["picking_code", "=", "outgoing"],
                ["state", "=", "done"],
            ],
            ["product_id", "product_uom", "quantity", "sale_line_id", "location_id", "location_dest_id"],
        )
        if not sent:
            raise Refused(f"{self.odoo.channel}: of sale {doc['order_id']} nothing has left that could come back")
        place = doc.get("warehouse")
        fields = ["lot_stock_id", "in_type_id"]
        domain = [["lot_stock_id", "=", head(sent[0]["location_id"])]] if place is None else [["id", "=", int(place)]]
        house = self.odoo.rows("stock.warehouse", domain, fields, limit=1)[0]
        keys = self._keys([head(move["sale_line_id"]) or 0 for move in sent])
        aside = self._aside(head(house["lot_stock_id"]))
        moves = list[Any]()
        for line in doc["lines"]:
            left = Decimal(line["quantity"])
            for move in sent:
                taken = min(left, Decimal(move["quantity"]))
                if keys.get(head(move["sale_line_id"]) or 0) == line["line"] and taken > 0:
                    move["quantity"], left = Decimal(move["quantity"]) - taken, left - taken
                    place = aside if line.get("to") == "quarantine" else head(house["lot_stock_id"])
                    moves.append([0, 0, self._back(move, taken, place)])
            if left > 0:
                raise Refused(f"{self.odoo.channel}: of line {line['line']} less has left than came back")
        paid = "; ".join(f"{one['kind']} {one['amount']}" for one in doc.get("refunds") or [])
        return {
            **({REFUNDS: paid} if paid else {}),
            "origin": key,
            "picking_type_id": head(house["in_type_id"]),
            "move_ids": moves,
            "location_id": head(sent[0]["location_dest_id"]),
            "location_dest_id": head(house["lot_stock_id"]),
        }

    def _aside(self, lot: int | None) -> int | None:
        """The part of a warehouse's stock where goods wait that nobody looked at; its stock where it has none."""
        name = self.odoo.options.get("quarantine")
        domain: list[Any] = [["location_id", "=", lot], ["name", "=", name]]
        found = [] if name is None else self.odoo.rows("stock.location", domain, ["name"], limit=1)
        return int(found[0]["id"]) if found else lot

    def _back(self, move: Doc, quantity: Decimal, place: int | None) -> Doc:
        values = {"product_id": head(move["product_id"]), "product_uom": head(move["product_uom"]),
                  "product_uom_qty": quantity, "location_id": head(move["location_dest_id"]), "location_dest_id": place,
                  "origin_returned_move_id": move["id"], "sale_line_id": head(move["sale_line_id"]),
                  "to_refund": True}  # fmt: skip
        return values if self.odoo.version >= 19 else {**values, "name": move["product_id"][1]}
