"""Judges mutants: lint refuses them, a test of their file fails, or they survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.mapping_files import PACKAGE, headers, read_mapping, source_schema
from mappings import canonical
from mappings.language import LintErrors, Mapping, compile, load_yaml, run_tests_of
from mappings.language.loader import load_node
from mappings.language.shapes import ANY, Book, shape_of
from tests.mutation.mutants import Mutant, mutants_of, mutated
from tests.projects import own_mappings, project_of

ROOT = PACKAGE.parent
EQUIVALENT: dict[str, Any] = load_yaml((Path(__file__).parent / "equivalent.yaml").read_text(), "equivalent.yaml")[0]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What became of the mutants of one file."""

    file: str
    tests: int
    lint: int
    equivalent: int
    survivors: Sequence[Mutant]
    unknown: Sequence[str]  # entries of equivalent.yaml that name no surviving mutant

    @property
    def mutants(self) -> int:
        """How many there were."""
        return self.tests + self.lint + self.equivalent + len(self.survivors)


def mapping_paths() -> list[Path]:
    """Every mapping file of the project, the retailers' own among them."""
    found = [*PACKAGE.glob("*/*.yaml"), *own_mappings()]
    return sorted(path for path in found if path.name != "forms.yaml")


def judge(path: Path, *, seed: int = 0, share: float = 1.0) -> Judged:
    """Compiles every mutant of a file and runs its tests; ``share`` of them when not all."""
    name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    heads = headers(text)
    folder = project_of(path)
    schema = source_schema(folder, heads["platform"], heads["resource"])
    shape = ANY if schema is None else shape_of(schema, Book(root=schema))
    entities = canonical.schemas()

    def built(text: str) -> Mapping:
        return compile(text, name, load=read_mapping, source_schema=schema, canonical=entities)

    mapping = built(text)
    if not all(result.ok for result in run_tests_of(mapping)):
        raise ValueError(f"{name}: its tests fail before anything is changed")
    known = dict(EQUIVALENT.get(name, {}))
    tests = lint = equivalent = 0
    survivors: list[Mutant] = []
    data = load_node(text, name).data()
    mutants = mutants_of(text, mapping, shape, entities, seed)
    for number, mutant in enumerate(mutants):
        if share < 1 and int(number * share) == int((number + 1) * share):
            continue
        try:
            caught = not all(result.ok for result in run_tests_of(built(mutated(data, mutant))))
        except LintErrors:
            lint += 1
            continue
        if caught:
            tests += 1
        elif known.pop(mutant.key, None) is not None:
            equivalent += 1
        else:
            survivors.append(mutant)
    return Judged(
        file=name,
        tests=tests,
        lint=lint,
        equivalent=equivalent,
        survivors=survivors,
        unknown=list(known) if share == 1 else [],
    )
