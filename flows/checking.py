"""What of a channel works before it is used: the address, the credential, each resource, each right.

What surprises here: reading is tried, one page of each resource that the channel's entities come from; what else the
platform has nobody here needs. Writing cannot be tried without writing, so it is judged by the rights that the platform
says it granted, where it says so at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

from connectors.base import Connector
from connectors.errors import ConnectorError, RetryLater
from flows.resources import resources_of
from flows.wiring import House


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that ``works``, does not (``detail`` says what to do), or cannot be known before it is used (None)."""

    what: str
    works: bool | None
    detail: str


def check(house: House, channel: str) -> list[Finding]:
    """What works on the channel; it is asked for little and nothing is kept or written. Raises Misconfigured when there
    is no such channel."""
    house.channel(channel)
    try:
        connector = house.connector(channel, "check")
        connector.check()
    except ConnectorError as fault:
        return [Finding(what="the account", works=False, detail=_said(channel, fault))]
    found = [Finding(what="the account", works=True, detail="the platform answers and takes the credential")]
    if connector.listens:
        found.append(_heard(connector, channel))
    granted = _granted(connector, channel, found)
    mappings = house.of(channel)
    carried = resources_of(house, channel)
    for resource in carried:
        found.append(_readable(connector, channel, resource))
    written = {mappings.outward[entity].mapping.resource: entity for entity in mappings.outward
               if entity in house.channel(channel).receives}
    for resource in dict.fromkeys((*carried, *written)):
        wanted = connector.scopes.get(resource, ())
        if granted is None or not wanted:
            if resource in written:
                needs = f"it needs {', '.join(wanted)}; " if wanted else ""
                found.append(Finding(
                    what=f"{resource}: write", works=None,
                    detail=f"{needs}the platform does not say; the first write of the mode `on` will show it",
                ))
            continue
        lacking = sorted(set(wanted) - granted)
        if lacking:
            words = f"scope {', '.join(lacking)} is missing; grant it and connect again"
            found.append(Finding(what=f"{resource}: rights", works=False, detail=words))
        elif resource in written:
            found.append(Finding(what=f"{resource}: write", works=True, detail=f"granted: {', '.join(wanted)}"))
    return found


def _heard(connector: Connector, channel: str) -> Finding:
    """Whether what the platform keeps for us can be asked for; nobody goes on, so that all of it stays there."""
    try:
        with closing(cast(Any, connector.kept())) as batches:
            next(batches, None)
    except ConnectorError as fault:
        return Finding(what="notices", works=_failed(fault), detail=_said(channel, fault))
    return Finding(what="notices", works=True, detail="what the platform keeps for us can be read")


def _granted(connector: Connector, channel: str, found: list[Finding]) -> frozenset[str] | None:
    try:
        return connector.granted()
    except ConnectorError as fault:
        found.append(Finding(what="the rights", works=False, detail=_said(channel, fault)))
        return None


def _readable(connector: Connector, channel: str, resource: str) -> Finding:
    """One page of the resource, or why there is none."""
    try:
        with closing(cast(Any, connector.read(resource))) as pages:
            docs: Sequence[Any] = next(pages).docs
    except ConnectorError as fault:
        return Finding(what=f"{resource}: read", works=_failed(fault), detail=_said(channel, fault))
    except StopIteration:
        return Finding(what=f"{resource}: read", works=True, detail="nothing there")
    several = "1 document" if len(docs) == 1 else f"{len(docs)} documents"
    return Finding(what=f"{resource}: read", works=True, detail=f"{several} on the first page")


def _failed(fault: ConnectorError) -> bool | None:
    """It does not work; None: whether it does was not to be known now."""
    return None if isinstance(fault, RetryLater) else False


def _said(channel: str, fault: ConnectorError) -> str:
    return str(fault).removeprefix(f"{channel}: ")
