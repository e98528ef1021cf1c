"""Each test of this folder runs once per subject: a line of CATALOG in front of its simulated platform."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.base import Connector
from tests.contract.harness import Simulator, Subject, subjects

SUBJECTS = subjects()


@pytest.fixture(params=SUBJECTS, ids=[subject.name for subject in SUBJECTS])
def subject(request: pytest.FixtureRequest) -> Subject:
    """One after the other."""
    found: Subject = request.param
    return found


@pytest.fixture
def simulator(subject: Subject) -> Iterator[Simulator]:
    """The subject's platform, fresh and running."""
    simulator = subject.simulator()
    with simulator.running():
        yield simulator


@pytest.fixture
def connector(subject: Subject, simulator: Simulator) -> Iterator[Connector]:
    """A connector on it."""
    connector = subject.connect(simulator)
    yield connector
    connector.close()
