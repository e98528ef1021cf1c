"""Which channels a change goes to, and how its writes are grouped: computed from the compiled mappings.

What surprises here: no route is written down anywhere; what a channel receives, and what its outward mapping joins,
say it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from flows.mapping_files import compile_file, mapping_files, may_write
from flows.regions import denied
from flows.release import Content
from flows.segmenting import wants_segments
from flows.settings import Project
from mappings import canonical
from mappings.language import LintErrors, Mapping as MappingFile


@dataclass(frozen=True, kw_only=True)
class Group:
    """How an outward mapping groups records: ``base`` is the entity whose uid stands in the outbox.

    ``name`` is how bindings of the group are filed: the entity itself, or ``stock/variant`` for a grouped write, so
    that what we told about a group never collides with what the channel says of a single record.
    """

    entity: str
    base: str
    name: str
    joins: tuple[str, ...]
    needs: frozenset[str]
    mapping: MappingFile


@dataclass(frozen=True, kw_only=True)
class Route:
    """A change of an entity touches ``group`` on ``channel``; ``how`` tells where the group's uid is found.

    ``self``: the changed record is the group. ``holds``: the changed record refers to it in ``field``. ``held``: the
    group's base refers to the changed record in ``field``.
    """

    channel: str
    group: Group
    how: Literal["self", "holds", "held"]
    field: str = ""


@dataclass(frozen=True, kw_only=True)
class PlatformMappings:
    """The compiled mappings of one platform: by resource inward, by entity outward."""

    inward: Mapping[str, MappingFile]
    outward: Mapping[str, Group]


def routes_of(
    project: Project, loaded: Mapping[str, PlatformMappings], refers: Mapping[str, Mapping[str, str]]
) -> dict[str, list[Route]]:
    """Entity → the routes its changes take, computed from what channels receive and how their mappings group it."""
    routes: dict[str, list[Route]] = {}
    for channel in project.channels.values():
        for entity in channel.receives:
            group = loaded[channel.platform].outward.get(entity)
            if group is None:
                continue
            bought = ("order",) if wants_segments(group) else ()
            for changed in dict.fromkeys((group.entity, group.base, *group.joins, *bought)):
                route = _route(channel.name, group, changed, refers)
                if route is not None:
                    routes.setdefault(changed, []).append(route)
    return routes


def _route(channel: str, group: Group, changed: str, refers: Mapping[str, Mapping[str, str]]) -> Route | None:
    if changed == group.base:
        return Route(channel=channel, group=group, how="self")
    for name, target in refers.get(changed, {}).items():
        if target == group.base:
            return Route(channel=channel, group=group, how="holds", field=name)
    for name, target in refers.get(group.base, {}).items():
        if target == changed:
            return Route(channel=channel, group=group, how="held", field=name)
    return None


def load_mappings(
    project: Project, content: Content | None = None, writing: str | None = None
) -> dict[str, PlatformMappings]:
    """The mappings of every platform the project uses, those on disk or of a content; with ``writing`` only those that
    may write this entity, for who is in a hurry.

    Raises LintErrors with the faults of all files.
    """
    errors: list[Any] = []
    loaded = {}
    for platform in sorted({channel.platform for channel in project.channels.values()}):
        inward: dict[str, MappingFile] = {}
        outward: dict[str, Group] = {}
        compilers = [
            partial(compile_file, project.folder, path) for path in mapping_files(project.folder, platform).values()
            if writing is None or may_write(path.read_text(encoding="utf-8", errors="replace"), writing)
        ] if content is None else content.mappings(project.folder, platform, writing)
        for compiled in compilers:
            try:
                mapping = compiled()
            except LintErrors as fault:
                errors.extend(fault.errors)
                continue
            if mapping.inward:
                inward[mapping.resource] = mapping
            if mapping.outward is not None:
                outward[mapping.outward.entity] = group_of(mapping)
        loaded[platform] = PlatformMappings(inward=inward, outward=outward)
    errors.extend(denied(project, loaded))
    if errors:
        raise LintErrors(errors)
    return loaded


def group_of(mapping: MappingFile) -> Group:
    """How the outbox files the writes of an outward mapping."""
    head = mapping.outward
    if head is None:
        raise ValueError(f"{mapping.name} has no outward block")
    outward = mapping.source[mapping.source.index("def outward("):]
    joined = tuple(head.with_) + ((head.entity,) if head.per is not None and head.per != head.entity else ())
    return Group(
        entity=head.entity, base=head.per or head.entity, joins=joined, mapping=mapping,
        needs=frozenset(name for name in canonical.fields(head.entity) if f"'{name}'" in outward),
        name=head.entity if head.per in (None, head.entity) else f"{head.entity}/{head.per}",
    )
