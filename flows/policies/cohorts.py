"""The row ``cohorts`` of policies/stock.yaml: named sets of articles, for which rows of channels may say otherwise.

What surprises here: a cohort is defined once, for all channels; a channel's row names it and says what differs there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flows.setting_files import Row, SettingsFile
from mappings.commerce.stock.cohorts import Cohort, overlaps

ROW: Final = "cohorts"
"""The name in policies/stock.yaml that is no channel's."""
KEYS: Final = ("skus", "category", "field")


def read(rows: dict[str, Row]) -> dict[str, Cohort]:
    """Takes the row ``cohorts`` out of those of policies/stock.yaml. Two that name the same thing are a mistake."""
    if ROW not in rows:
        return {}
    file, table = rows.pop(ROW)
    found = {}
    for name, row in table.items() if file.is_map((ROW,), table) else ():
        cohort = _cohort(file, name, row)
        if cohort is not None:
            found[name] = cohort
    for one, other, what in overlaps(found.values()):
        file.fail((ROW, other), "overlapping-cohorts", f"{other} and {one} both name {what}",
                  "each SKU, category and field value in one cohort")
    return found


def _cohort(file: SettingsFile, name: str, row: Any) -> Cohort | None:
    path = (ROW, name)
    if not file.keys(path, row, KEYS):
        return None
    if not row:
        file.fail(path, "cohort", "it names nothing", "skus: [SKU, …], category: NAME or field: {NAME: VALUE}")
        return None
    skus, category, fields = row.get("skus", []), row.get("category", []), row.get("field", {})
    categories = [category] if isinstance(category, str) else category
    sound = file.list_of_texts((*path, "skus"), skus) and file.list_of_texts((*path, "category"), categories)
    if not isinstance(fields, Mapping) or not all(isinstance(text, str) for text in (*fields, *fields.values())):
        file.fail((*path, "field"), "cohort", f"found {fields!r}", "a field of variants and its text, as in "
                  "{listing: back_order}: an attribute, or a field of their own")
        sound = False
    return Cohort(
        name=name, skus=frozenset(skus), categories=frozenset(categories), fields=frozenset(fields.items())
    ) if sound else None
