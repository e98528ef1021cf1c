"""Speed of compiled mappings beside hand-written Python that gives identical records (CPU time, interleaved)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any

import orjson

from mappings.canonical import schemas, validator
from mappings.language import Mapping, compile  # the word for it
from tests.bench.mapping_by_hand import hand_levels, hand_orders
from tests.bench.mapping_cases import (
    CONTEXT,
    ORDER_MAPPING,
    ORDER_SCHEMA,
    REFS,
    STOCK_MAPPING,
    STOCK_SCHEMA,
    compiled,
    levels,
    orders,
)


def _interleaved(one: Callable[[], Any], other: Callable[[], Any], rounds: int) -> tuple[float, float, float]:
    """Best CPU seconds of each, and the median of the ratio other/one of neighbouring rounds."""
    ones: list[float] = []
    others: list[float] = []
    for number in range(rounds):
        pair = [(one, ones), (other, others)]
        for run, times in pair if number % 2 else reversed(pair):
            start = time.process_time()
            run()
            times.append(time.process_time() - start)
    ratios = sorted(b / a for a, b in zip(ones, others, strict=True))
    return min(ones), min(others), ratios[len(ratios) // 2]


def measure(*, rounds: int = 21) -> list[dict[str, Any]]:
    """Records per CPU second, the control's beside it, and ``ratio`` = compiled speed / hand-written speed.

    Each pair was first shown to give equal records. Without a source schema the compiled mapping is safe against null
    and absent in every path, which the control is not; *collecting faults* is the variant that a record takes in which
    something is wrong, here for records in which nothing is.
    """
    cases: list[tuple[str, str, Any, Any, Callable[..., Any]]] = [
        ("order", ORDER_MAPPING, ORDER_SCHEMA, orders(400), hand_orders),
        ("stock", STOCK_MAPPING, STOCK_SCHEMA, levels(5000), hand_levels),
    ]
    rows = []
    for name, text, schema, docs, hand in cases:
        trusting, safe = compiled(text, schema), compiled(text, None)
        for label, run in (
            ("", trusting.map_inward),
            (", null-safe", safe.map_inward),
            (", collecting faults", trusting.map_carefully),
        ):
            assert run(docs, REFS, CONTEXT).records == hand(docs, REFS, CONTEXT)
            own, control, ratio = _interleaved(
                partial(run, docs, REFS, CONTEXT), partial(hand, docs, REFS, CONTEXT), rounds
            )
            rows.append(
                {
                    "name": f"map {name}{label}",
                    "value": round(len(docs) / own),
                    "unit": "records/s CPU",
                    "control": round(len(docs) / control),
                    "ratio": round(ratio, 3),
                }
            )
    fastest = min(_seconds(partial(compiled, f"{ORDER_MAPPING}# {n}\n", ORDER_SCHEMA)) for n in range(rounds))
    rows.append(_figure("compile and check a map of 41 fields", round(fastest * 1e3, 1), "ms CPU"))
    docs = levels(5000)
    fastest = min(_seconds(partial(_checked_stock, _stock(), docs)) for _ in range(rounds)) / len(docs)
    rows.append(_figure("map, validate and hash a stock level", round(fastest * 1e6, 1), "µs CPU"))
    return rows


def _figure(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "control": None, "ratio": None}


def _seconds(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _stock() -> Mapping:
    """The stock mapping against the project's own canonical schema."""

    def load(name: str) -> str:
        raise FileNotFoundError(name)

    return compile(
        STOCK_MAPPING, "mappings/bench/stock.yaml", load=load, source_schema=STOCK_SCHEMA, canonical=schemas()
    )


def _checked_stock(mapping: Mapping, docs: list[Any]) -> list[bytes]:
    """Every record mapped, shown to be valid, and hashed."""
    valid = validator("stock").is_valid
    records = mapping.map_inward(docs, REFS, CONTEXT).records
    assert all(valid(record.values) for record in records)
    assert len(records) == len(docs)
    return [blake2b(orjson.dumps(record.values), digest_size=16).digest() for record in records]


if __name__ == "__main__":
    for row in measure():
        print(row)  # the bench's own page
