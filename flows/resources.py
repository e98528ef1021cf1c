"""What is read from a channel: its resources, each after those it may refer to, and what of them is switched on."""

from __future__ import annotations

from connectors.errors import Misconfigured
from flows.wiring import House, entity_order
from registry import modes


def resources_of(house: House, channel: str) -> list[str]:
    """The resources read from a channel, so that each comes after those it may refer to.

    A mapping of a resource that the connector has not (what an older interface of the platform tells) is not read.
    Nobody is asked: neither address nor secrets need to be set.
    """
    inward = house.of(channel).inward
    carried = house.channel(channel).entities
    there = house.offered(channel)
    wanted = {
        resource: [entity for entity in mapping.inward if entity in carried]
        for resource, mapping in inward.items() if there is None or resource in there
    }
    ranked = {resource: entity_order(entities)[0] for resource, entities in wanted.items() if entities}
    order = entity_order(list(set(ranked.values())))
    return sorted(ranked, key=lambda resource: (order.index(ranked[resource]), resource))


def followed(house: House, channel: str, resource: str) -> tuple[list[str], list[str]]:
    """The entities of a resource that are not switched off, and those of them that enter records."""
    mapping = house.of(channel).inward.get(resource)
    if mapping is None:
        raise Misconfigured(f"{channel}: nothing is read from a resource {resource!r}; "
                            f"there are {', '.join(resources_of(house, channel)) or 'none'}")
    with house.registry.read() as tx:
        mode = modes(tx)
    carried = {entity: mode.get((channel, entity), "off") for entity in mapping.inward}
    return (
        [entity for entity, word in carried.items() if word != "off"],
        [entity for entity, word in carried.items() if word in ("canary", "on")],
    )
