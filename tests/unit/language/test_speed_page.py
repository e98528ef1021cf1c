"""The bench compares like with like."""

from tests.bench import mapping_by_hand, mapping_cases as page


def test_the_compiled_and_the_hand_written_mapping_give_the_same_records() -> None:
    """A speed beside a control means something only if both do the same work; with and without the source schema."""
    cases = [
        (page.ORDER_MAPPING, page.ORDER_SCHEMA, page.orders(40), mapping_by_hand.hand_orders),
        (page.STOCK_MAPPING, page.STOCK_SCHEMA, page.levels(40), mapping_by_hand.hand_levels),
    ]
    for text, schema, docs, by_hand in cases:
        expected = by_hand(docs, page.REFS, page.CONTEXT)
        for used in (schema, None):
            result = page.compiled(text, used).map_inward(docs, page.REFS, page.CONTEXT)
            assert result.faults == []
            assert result.records == expected
