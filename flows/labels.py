"""What people call a record."""

from __future__ import annotations

from collections.abc import Sequence

from registry import Tx, records


def labels(tx: Tx, uids: Sequence[str]) -> dict[str, str]:
    """uid → what people call the record: its SKU, code or number, or that of the record it is about."""
    found = {uid: record.values for uid, record in records(tx, uids).items()}
    about = {uid: values.get("variant") or values.get("order") for uid, values in found.items()}
    others = {uid: record.values for uid, record in records(tx, sorted({one for one in about.values() if one})).items()}
    names = {}
    for uid, values in found.items():
        for said in (values, others.get(about[uid] or "", {})):
            name = next((said[key] for key in ("sku", "code", "number") if isinstance(said.get(key), str)), None)
            if name is not None:
                names[uid] = name
                break
    return names
