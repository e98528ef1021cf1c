"""The demo retailer's settings: they load, and every channel can do what channels.yaml says it does."""

from __future__ import annotations

from pathlib import Path

import pytest

import mappings
from flows.routes import PlatformMappings, load_mappings
from flows.settings import Project, load_project
from mappings.commerce.stock import problems

DEMO = Path(mappings.__file__ or "").parent.parent / "deployments" / "demo"


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(DEMO)


@pytest.fixture(scope="module")
def platforms(project: Project) -> dict[str, PlatformMappings]:
    return load_mappings(project)


def test_every_entity_a_channel_receives_can_be_written_there(
    project: Project, platforms: dict[str, PlatformMappings]
) -> None:
    """A toggle in the console never promises what no mapping can do."""
    for channel in project.channels.values():
        assert set(channel.receives) <= set(platforms[channel.platform].outward), channel.name
        assert set(channel.receives) <= set(channel.entities), channel.name


def test_every_entity_a_channel_carries_is_read_or_written(
    project: Project, platforms: dict[str, PlatformMappings]
) -> None:
    """A platform that can more (Odoo's leads, Bitrix24's catalogue) is used for what the retailer has there."""
    for channel in project.channels.values():
        known = platforms[channel.platform]
        read = {entity for mapping in known.inward.values() for entity in mapping.inward}
        assert set(channel.entities) <= read | set(channel.receives), channel.name


def test_every_entity_has_a_channel_that_decides_it(project: Project) -> None:
    """P4: a field without authority would be nobody's."""
    carried = {entity for channel in project.channels.values() for entity in channel.entities}
    assert carried - {"decision"} <= set(project.authority)     # what was decided is no channel's to say


def test_the_shares_of_every_location_leave_no_unit_shown_twice(project: Project) -> None:
    """P8: of what is free nothing is promised to two channels."""
    assert problems(project.stock) == []
    sold_from = {location for policy in project.stock.values() for location in policy.locations}
    assert sold_from == {"almaty-wh", "astana-1", "plovdiv-wh"}


def test_secrets_and_addresses_are_references(project: Project) -> None:
    """P13: no value of a secret stands in the project folder."""
    for channel in project.channels.values():
        for reference in [channel.url, *channel.secrets.values()]:
            assert reference.startswith(("env:SERAI_", "file:.serai/")), channel.name


def test_only_the_channel_with_authority_is_taken_before_a_person_agrees(project: Project) -> None:
    """First contact goes through shadow and its match report; what the demo has no use for is off."""
    for channel in project.channels.values():
        expected = {"on"} if channel.name.startswith("erp-") else {"shadow"}
        assert set(channel.entities.values()) - {"off"} == expected, channel.name
