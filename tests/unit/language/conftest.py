"""What the tests of the language share: the canonical schemas of the project, and a way to compile text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mappings import language

ROOT = Path(__file__).resolve().parents[3]
CANONICAL: dict[str, Any] = {
    path.name.removesuffix(".json").removesuffix(".schema"): json.loads(path.read_text())
    for path in sorted((ROOT / "mappings" / "canonical").glob("*.json"))
}


def loader(files: dict[str, str]) -> Callable[[str], str]:
    def load(name: str) -> str:
        if name not in files:
            raise FileNotFoundError(name)
        return files[name]

    return load


@pytest.fixture(scope="session")
def canonical() -> dict[str, Any]:
    return CANONICAL


@pytest.fixture
def compiled() -> Callable[..., language.Mapping]:
    """Compiles a mapping text against the project's canonical schemas."""

    def run(
        text: str,
        schema: Any = None,
        *,
        files: dict[str, str] | None = None,
        name: str = "mappings/x/y.yaml",
        entities: Any = None,
    ) -> language.Mapping:
        return language.compile(
            text,
            name,
            load=loader(files or {}),
            source_schema=schema,
            canonical=CANONICAL if entities is None else entities,
        )

    return run
