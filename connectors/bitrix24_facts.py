"""What Bitrix24's collections are to us: which methods read and write them, what is asked for, what their news are.

What surprises here: see bitrix24.py, whose facts these are. ``Resource.path`` is the common part of a collection's
method names (``crm.contact`` → ``crm.contact.list``); ``since`` is a key of the filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.base import Doc, Resource
from connectors.errors import Misconfigured

PAGE = 50
"""Documents in a page and commands in a batch, always."""
REFERENCE = "ORIGIN_ID"
ORIGINATOR = "serai"
"""What stands in ORIGINATOR_ID of what we created; our key stands in ORIGIN_ID."""
MULTIPLE = ("PHONE", "EMAIL", "WEB", "IM")
"""Fields that hold several values, each with an id of its own."""


def _crm(path: str, **given: Any) -> Resource:
    facts: dict[str, Any] = {
        "items": "result", "id": "ID", "updated": "DATE_MODIFY", "since": ">=DATE_MODIFY", "lag": 60.0,
        "paging": "keyset", "paging_options": {"param": ">ID", "size": ""}, "page_size": PAGE, "fetch_size": PAGE,
        "fetch": f"{path}.get", "create": f"{path}.add", "update": f"{path}.update", "delete": f"{path}.delete",
        "batch": PAGE, "reference": REFERENCE, "reference_field": REFERENCE, "returns_doc": False,
    }  # fmt: skip
    return Resource(path=path, **{**facts, **given})


RESOURCES: Mapping[str, Resource] = {
    "contacts": _crm("crm.contact"),
    "deals": _crm("crm.deal", fetch_size=PAGE // 2, batch=PAGE // 2),
}
SELECTED: Mapping[str, Sequence[str]] = {
    "contacts": ("*", "UF_*", *MULTIPLE),
    "deals": ("*", "UF_*"),
}
"""Resource → what a list is asked for; several values of a field come only when it is named."""
SCOPES: Mapping[str, tuple[str, ...]] = {"contacts": ("crm",), "deals": ("crm",)}
"""Resource → the rights that its reading and writing need."""
EVENTS: Mapping[str, str] = {
    **{f"ONCRM{word}{what}": resource for word, resource in (("CONTACT", "contacts"), ("DEAL", "deals"))
       for what in ("ADD", "UPDATE", "DELETE")},
}  # fmt: skip
"""Event → the resource it is news of."""


def adjusted(options: Mapping[str, Any]) -> Mapping[str, Resource]:
    """The resources with the channel's own ``lag`` and ``batch``. Raises Misconfigured."""
    found = dict(RESOURCES)
    for name, most in (("lag", 86_400), ("batch", PAGE)):
        value = options.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
            raise Misconfigured(f"`{name}` in the channel's settings should be a whole number from 1 to {most}")
        for resource, facts in found.items():
            batch = name == "batch"
            found[resource] = replace(facts, batch=min(value, facts.batch)) if batch else replace(facts, lag=value)
    return found


def listing(resource: str, facts: Resource, query: Mapping[str, str], wanted: Sequence[str] = ()) -> Doc:
    """The parameters of a list: by id from the last one on, without counting (``start: -1``); no page shifts."""
    selected = list(SELECTED[resource])
    if wanted and "*" not in wanted:
        needed = (facts.id, facts.updated, *wanted)
        selected = sorted({path.partition(".")[0].partition("[")[0] for path in needed if path})
    return {"select": selected, "filter": dict(query), "order": {facts.id: "ASC"}, "start": -1}
