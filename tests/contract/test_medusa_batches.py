"""Medusa's batches answer in any order."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from connectors.base import Write
from connectors.errors import ShapeChanged
from connectors.medusa_facts import paired

NEW = [Write(key=f"k{n}", op="create", doc={"title": f"Jar {n}"}) for n in range(4)]
OLD = [Write(key="k9", op="update", doc={}, id="prod_9")]
WORDS = [f"JAR-{n}" for n in range(4)]


@given(st.permutations(range(4)))
def test_what_a_batch_created_is_told_apart_by_its_reference(order: list[int]) -> None:
    """P2: an article never gets the id of another, in whatever order Medusa names them."""
    created = [{"id": f"prod_{n}", "external_id": f"JAR-{n}"} for n in order]
    answer = {"created": created, "updated": [{"id": "prod_9", "external_id": "JAR-9"}]}
    found = paired(NEW, OLD, answer, lambda doc: doc["external_id"], WORDS)
    assert {key: doc["id"] for key, doc in found.items()} == {
        **{f"k{n}": f"prod_{n}" for n in range(4)}, "k9": "prod_9"
    }  # fmt: skip


@pytest.mark.parametrize("words", [["JAR-0"], ["JAR-0", "JAR-0", "JAR-2", "JAR-3"], ["JAR-0", "JAR-1", "JAR-2", "X"]])
def test_an_answer_that_does_not_name_just_what_was_created_is_not_believed(words: list[str]) -> None:
    """P3: the writes are open then, and settled by their reference."""
    answer = {"created": [{"id": f"prod_{word}", "external_id": word} for word in words], "updated": []}
    with pytest.raises(ShapeChanged):
        paired(NEW, [], answer, lambda doc: doc["external_id"], WORDS)
