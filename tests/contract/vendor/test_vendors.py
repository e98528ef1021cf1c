"""Every request a connector can make, against what its vendor published: a pass means that both agreed on that date."""

from __future__ import annotations

import os
import random

import pytest

from tests.contract.vendor.checking import Sent, Vendor, dropped, misspelt, retyped, vendors

VENDORS = vendors()
BREAKS = 200
SEED = int(os.environ.get("SERAI_TEST_SEED", "20261122"))


@pytest.fixture(params=VENDORS, ids=[vendor.name for vendor in VENDORS])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """One after the other."""
    found: Vendor = request.param
    return found


def distinct(vendor: Vendor) -> list[Sent]:
    """The recorded requests, those that differ."""
    return list({(one.operation, repr(one.body)): one for one in vendor.recorded()}.values())


def test_every_operation_was_sent_and_each_request_is_one_that_the_vendor_describes(vendor: Vendor) -> None:
    """Strict: no field that the vendor does not name. Prints how many operations, requests and breaks were checked."""
    requests = distinct(vendor)
    assert sorted({one.operation for one in requests}) == sorted(vendor.known())
    objections = {one.operation: why for one in requests if (why := vendor.objection(one)) is not None}
    assert objections == {}
    demanded = sum(len(vendor.required(one)) for one in requests)
    print(f"\n{vendor.name:14} {len(vendor.known()):4} operations used {len(requests):4} requests checked "
          f"{demanded:4} required fields {BREAKS if requests else 0:4} others broken with seed {SEED} "
          f"{len(vendor.examples()):4} published examples read")  # fmt: skip


def test_no_required_field_can_be_left_out_unnoticed(vendor: Vendor) -> None:
    """Each of them dropped: the check must object each time."""
    seen: set[tuple[str, str]] = set()
    for sent in distinct(vendor):
        for place in vendor.required(sent):
            shape = (sent.operation, ".".join("*" if isinstance(step, int) else step for step in place))
            if shape in seen:
                continue
            seen.add(shape)
            assert vendor.objection(dropped(sent, place)) is not None, shape
    assert len(seen) >= vendor.demanded


def test_two_hundred_other_slips_are_noticed(vendor: Vendor) -> None:
    """Names misspelt, values of another type, words of the text misspelt; the seed stands in the failure."""
    dice = random.Random(SEED)
    requests = distinct(vendor)
    assert requests or vendor.known() == [], "no schema is published that a request could break"
    for number in range(BREAKS if requests else 0):
        sent = dice.choice(requests)
        inside = vendor.breakable(sent)
        kind = dice.choice(("name", "type", "text"))
        if kind == "text" or not inside:
            broken = vendor.renamed(sent, dice)
        else:
            place = dice.choice(inside)
            broken = misspelt(sent, place) if kind == "name" else retyped(sent, place)
        assert broken is not None
        assert vendor.objection(broken) is not None, (
            f"seed {SEED}, break {number}: {kind} in {sent.operation}: {broken}"
        )


def test_the_simulator_answers_as_the_vendor_says_it_would(vendor: Vendor) -> None:
    """So that connector and simulator cannot share one misreading."""
    assert list(vendor.misfits()) == []


def test_each_published_example_is_read_as_what_it_is(vendor: Vendor) -> None:
    """The vendor's own words, not ours."""
    examples = vendor.examples()
    assert [(name, wrong) for name, wrong in examples if wrong is not None] == []
    assert len(examples) >= vendor.read


@pytest.mark.parametrize(
    "vendor", [one for one in VENDORS if type(one).spoilt is not Vendor.spoilt], ids=lambda vendor: vendor.name
)
def test_what_the_vendor_says_in_prose_only_is_a_rule_too(vendor: Vendor) -> None:
    """The types would let it pass; the platform would not."""
    spoilt = vendor.spoilt()
    assert spoilt
    assert [one.operation for one in spoilt if vendor.objection(one) is None] == []
