"""The tests that stand in a mapping file say what differs, also deep inside a record."""

from __future__ import annotations

from collections.abc import Callable

from mappings.language import Mapping, run_tests_of

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
