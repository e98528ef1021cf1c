"""What would a mapping make of one live document? It is fetched, mapped and shown; nothing is written anywhere.

What surprises here: the project's registry is only read, to resolve references; without one a registry in a temporary
folder stands in. The one thing a look may leave behind is a renewed access token, which the platform hands out once.
References that nobody knows yet resolve to ``<entity>:<id>``, and are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from connectors.base import Doc
from deployments.authoring import CannotDo
from flows.settings import load_project
from flows.wiring import House, registry_url
from mappings.language import Inward, Mapping as MappingFile
from registry import open_registry, uids_for


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One live document and what the mapping makes of it; ``unknown`` are references to records nobody knows yet."""

    document: Doc
    made: Inward
    unknown: list[tuple[str, str]]


def look(folder: Path, mapping: MappingFile, channel: str, id: str) -> Tried:
    """Fetches the document and maps it.

    Raises CannotDo when the channel, the resource or the document is not there, ConnectorError when the channel cannot
    be asked.
    """
    if not mapping.inward:
        raise CannotDo(f"{mapping.name} maps nothing inward; `serai explain {mapping.name}` shows what it writes")
    with _house(folder) as (house, known):
        row = house.channel(channel)
        if row.platform != mapping.platform:
            raise CannotDo(f"{channel} is a {row.platform}, {mapping.name} is a mapping of {mapping.platform}")
        house.descriptor(channel, mapping.resource)
        document = house.connector(channel, "look").fetch(mapping.resource, [id]).get(id)
        if document is None:
            raise CannotDo(f"{channel} has no {mapping.resource} with the id {id!r}")
        context = house.context(channel, house.registry.now())
        wanted = mapping.inward_references([document], context)
        refs: dict[tuple[str, str], str] = {}
        if known:
            with house.registry.read() as tx:
                refs = uids_for(tx, channel, wanted)
        unknown = sorted(wanted - refs.keys())
        made = mapping.map_inward([document], {**{key: ":".join(key) for key in unknown}, **refs}, context)
    own = {(record.entity, record.id) for record in made.records}
    return Tried(document=document, made=made, unknown=[key for key in unknown if key not in own])


@contextmanager
def _house(folder: Path) -> Iterator[tuple[House, bool]]:
    """A house for looking only, and whether its registry knows anything: no mapping is compiled, no row is written."""
    project = load_project(folder)
    url = registry_url(project.state)
    known = not url.startswith("sqlite:") or (project.state / "registry.db").exists()
    with TemporaryDirectory() as place:
        registry = open_registry(url if known else f"sqlite:///{Path(place) / 'registry.db'}")
        if not known:
            registry.migrate()
        house = House(project=project, registry=registry, mappings={})
        try:
            yield house, known
        finally:
            house.close()

