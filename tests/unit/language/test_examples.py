"""The tests that stand in a mapping file say what differs, also deep inside a record."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mappings.language import LintErrors, Mapping, run_tests_of

TEXT = """
platform: x
resource: r
inward:
  customer:
    fields:
      name: name
      address: {from: home, fields: {street: street, city: city}}
tests:
  - name: one
    given: {name: Kim, home: {street: Abay 10}}
    expect: {customer: {name: Kim}}
    absent: {customer: [PLACE]}
"""


def test_a_field_deep_inside_is_expected_to_be_absent(compiled: Callable[..., Mapping]) -> None:
    """A write must not touch what the record does not have: tests can say so of a part of an address."""
    (held,) = run_tests_of(compiled(TEXT.replace("PLACE", "address.city")))
    assert held.ok
    (broken,) = run_tests_of(compiled(TEXT.replace("PLACE", "address.street")))
    assert not broken.ok
    assert broken.diff == ("customer.address.street: expected to be absent, got 'Abay 10'",)


LIKE = """
platform: x
resource: r
inward:
  customer:
    fields:
      name: name
      group: {from: club, ref: customer, otherwise: wait}
tests:
  - name: base
    given: {name: Kim, state: a, club: c1}
    refs: {customer: {c1: u1}}
    expect: {customer: {name: Kim, group: u1}}
  - name: only what differs is said
    like: base
    given: [{state: b}, {id: "2", name: "0", club: null}]
    expect: {customer: [{name: Kim, group: u1}, {id: "2", name: "0", group: null}]}
  - name: its own references win, and what is like it is like the first too
    like: only what differs is said
    given: {name: Lee}
    refs: {}
    faults: [{field: group, kind: wait}]
"""


def test_a_test_like_an_earlier_one_says_only_what_differs(compiled: Callable[..., Mapping]) -> None:
    """A table of states is a line per state: each document is laid over the first of the test named, field by field;
    references, context and direction hold too."""
    results = run_tests_of(compiled(LIKE))
    assert [(one.name, one.diff) for one in results if not one.ok] == []
    broken = run_tests_of(compiled(LIKE.replace("[{name: Kim, group: u1}, {id", "[{name: Lee, group: u1}, {id")))
    assert [one.diff for one in broken] == [(), ("customer[0].name: expected 'Lee', got 'Kim'",), ()]


def test_a_test_like_one_that_is_not_there_is_a_mistake_with_its_line(compiled: Callable[..., Mapping]) -> None:
    """Never a test of an empty document."""
    text = LIKE.replace("like: base", "like: bases")
    with pytest.raises(LintErrors, match=r":15:.*no earlier test is called 'bases'.*base"):
        run_tests_of(compiled(text))
