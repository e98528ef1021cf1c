"""A short, repeatable part of ``make fuzz``: the same examples in every run, and everything it ever found."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.fuzz import invariants
from tests.fuzz.targets import TARGETS, fresh

FOUND = sorted(Path(__file__).with_name("corpus").glob("*.json"))
EXAMPLES = {"mapping_file": 25, "crossed_file": 25}


@pytest.mark.parametrize("target", TARGETS)
def test_whatever_an_author_writes_is_refused_or_total(target: str) -> None:
    """P6: text gives a mapping or its mistakes; a mapping gives records, faults or skips for any document."""
    quick = settings(
        max_examples=EXAMPLES.get(target, 60),
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    quick(fresh(target))()


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_fuzzing_once_broke_stays_mended(path: Path) -> None:
    """P1, P6: each file of the corpus is a mapping and documents that once were lost, or stopped a page."""
    found = json.loads(path.read_text(), parse_float=str)
    mapping = invariants.compiled(json.dumps(found["mapping"]))
    assert (mapping is not None) == found["compiles"], found["why"]
    if mapping is not None:
        invariants.total(mapping, found["documents"])


def test_a_record_that_vanishes_is_noticed() -> None:
    """A fuzzer that cannot fail is none."""
    mapping = invariants.compiled(json.dumps(json.loads(FOUND[0].read_text())["mapping"]))
    assert mapping is not None
    assert mapping.outward is not None
    invariants.total(mapping, [{"uid": "u"}])
    mapping._space["outward"] = lambda *_: None
    with pytest.raises(AssertionError):
        invariants.total(mapping, [{"uid": "u"}])
