"""Tryton's sale points (module `sale_point`) as tills: receipts with the sessions of their drawers, articles, stores.

What surprises here (seen on trytond_sale_point 8.0.0, November 2026; the rest stands in tryton.py):

* A till and an ERP are one database, and a sale and a receipt may have the same id: so the tills are a platform of
  their own, on a channel of their own beside the ERP's.
* A receipt has a number from *done* on, and keeps it when somebody opens it again; before that it is no receipt. Its
  goods leave Tryton's stock, in one move, only when it is *posted*.
* The day of a receipt is a date; its moment is that of its record. A session (only cash has one) opens with the first
  cash payment after the last was closed; closing it moves no receipt's stamp, so sessions are watched too.
* Amounts are computed from unit prices with (`unit_gross_price`) and without tax, rounded per line, halves to even;
  what comes back is a negative quantity of a receipt that names no other; change is a negative payment, in cash.
* Reading them takes the group *POS*.
"""

from __future__ import annotations

from typing import Any

from connectors.tryton import Tryton
from connectors.tryton_facts import TILL, adjusted
from connectors.verified import Verified


class TrytonPoint(Tryton):
    """The sale points of one company of a Tryton database; ``url``, secrets and options as `Tryton` has them."""

    platform = "tryton_point"
    verified = Verified(
        when="2026-11", simulator="of what trytond 8.0.12 does", real="trytond_sale_point 8.0.0 on PostgreSQL 15"
    )
    resources = TILL

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.resources = adjusted(TILL, self.options)
