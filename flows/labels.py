"""What people call a record."""

from __future__ import annotations

from collections.abc import Sequence

from flows.pledges import AT
from registry import Tx, records


def labels(tx: Tx, uids: Sequence[str]) -> dict[str, str]:
    """uid → what people call the record: its SKU, code or number, or that of the record it is about.

    A bundle at a place, which is no record, is called by both.
    """
    apart = {uid: uid.split(AT) for uid in uids if AT in uid}
    whole = {uid for uid in uids if uid not in apart}
    names = _labels(tx, sorted(whole.union(*apart.values())))
    return names | {uid: " at ".join(names.get(one, one) for one in two) for uid, two in apart.items()}


def _labels(tx: Tx, uids: Sequence[str]) -> dict[str, str]:
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
