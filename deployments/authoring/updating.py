"""New expectations for tests that fail: what came is written where something else was expected.

What surprises here: only failing expectations are touched, in the file's own words, and the new text is compiled and
its tests are run before anything is written; a test that cannot be brought about so is left as it is and named.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.authoring.editing import Edits
from deployments.authoring.finding import shown
from deployments.authoring.linting import Checked
from deployments.authoring.testing import Outcome
from flows.mapping_files import compile_file
from mappings.language import Difference, LintErrors, TestResult, run_tests_of
from mappings.language.examples import ABSENT
from mappings.language.loader import Node


@dataclass(frozen=True, kw_only=True)
class Update:
    """One file's new text, the same as a diff, and the names of failing tests it does not mend."""

    path: Path
    text: str
    diff: str
    left: Sequence[str]


def updates(failed: Sequence[Outcome]) -> list[Update]:
    """An update per file with failed tests; nothing is written yet."""
    by_file: dict[Path, list[Outcome]] = {}
    for outcome in failed:
        by_file.setdefault(outcome.path, []).append(outcome)
    return [_update(path, outcomes, outcomes[0].checked) for path, outcomes in by_file.items()]


def _update(path: Path, outcomes: Sequence[Outcome], checked: Checked | None) -> Update:
    """Test by test, each on the text the one before left; one that does not pass afterwards changes nothing.

    Nothing of a policy is changed: what it decides is for a person to expect.
    """
    if checked is None:
        return Update(path=path, text=path.read_text(encoding="utf-8"), diff="",
                      left=[outcome.result.name for outcome in outcomes])
    old = text = path.read_bytes().decode("utf-8")  # line ends stay as they are
    mapping, left = checked.mapping, []
    for name in [outcome.result.name for outcome in outcomes]:
        node = next(test for test in mapping.tests.value if str(test.value["name"].value) == name)
        result = next(result for result in run_tests_of(mapping) if result.line == node.line)
        edits = Edits(text=text)
        try:
            _expect(edits, node, result)
            new = edits.done()
            made = compile_file(checked.folder, path, name=shown(path), text=new)
            passes = all(one.ok for one in run_tests_of(made) if one.name == name)
        except (LintErrors, LookupError, ValueError):
            passes = False
        if passes:
            text, mapping = new, made
        else:
            left.append(name)
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), text.splitlines(keepends=True), shown(path), shown(path), n=1
    )
    return Update(path=path, text=text, diff="".join(lines), left=left)


def _expect(edits: Edits, test: Node, result: TestResult) -> None:
    """Edits that turn what a test expects into what came."""
    gone: dict[int, tuple[Node, list[str | int]]] = {}
    unexpected = [one.got for one in result.differences if one.path == ("faults",)]
    for one in result.differences:
        if not one.path:
            raise LookupError(one.what)
        if one.path == ("faults",):
            continue
        node, parent = _node(test, one.path), _node(test, one.path[:-1])
        if node is None or parent is None:
            raise LookupError(one.field)
        if one.path[0] == "faults" and unexpected:
            edits.replace(node, unexpected.pop(0))
        elif one.expected is ABSENT or one.got is ABSENT:
            gone.setdefault(id(parent), (parent, []))[1].append(one.path[-1])
        else:
            _replace(edits, node, one)
    for parent, keys in gone.values():
        edits.remove(parent, keys)
    if unexpected and (faults := test.get("faults")) is not None:
        edits.append(faults, unexpected)
    elif unexpected:
        edits.put(test, "faults", unexpected)


def _replace(edits: Edits, node: Node, one: Difference) -> None:
    if not isinstance(one.got, list) or node.kind != "list":
        edits.replace(node, _kept(one.got))
    elif one.path[0] == "skips" or one.path[0] == "id":
        edits.replace(node, one.got)
    elif len(one.got) < len(node.value):
        edits.remove(node, range(len(one.got), len(node.value)))
    else:
        edits.append(node, _kept(one.got[len(node.value) :]))


def _kept(value: Any) -> Any:
    """A whole record as a test would say it: without a ``keep`` that holds nothing."""
    if isinstance(value, list):
        return [_kept(one) for one in value]
    if isinstance(value, dict) and value.get("keep") == {}:
        return {key: one for key, one in value.items() if key != "keep"}
    return value


def _node(node: Node | None, path: Iterable[str | int]) -> Node | None:
    for part in path:
        if node is None or node.kind == "scalar":
            return None
        node = node.value[part] if isinstance(part, int) else node.get(part)
    return node
