"""How fast a verb starts: what it imports before it does anything."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

WITH_PREFECT = {"deploy", "plan", "apply"}
"""Verbs that may pay for Prefect: `deploy` speaks to its server, the other two take their time anyway."""

PROBE = """
import ast, importlib, inspect, json, sys, textwrap, time
from deployments import cli

def verbs(app, before=""):
    for one in app.registered_commands:
        yield before + (one.name or one.callback.__name__), one.callback
    for group in app.registered_groups:
        if group.typer_instance.registered_callback is not None:
            yield before + group.name, group.typer_instance.registered_callback.callback
        yield from verbs(group.typer_instance, f"{before}{group.name} ")

def imports(callback):
    tree = ast.parse(textwrap.dedent(inspect.getsource(callback)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)

only = set(sys.argv[1].split(",")) if sys.argv[1] else None
left_out = set(sys.argv[2].split(","))
found = {}
for name, callback in verbs(cli.app):
    if name in left_out or only is not None and name not in only:
        continue
    began = time.perf_counter()
    for module in imports(callback):
        importlib.import_module(module)
    found[name] = [m for m in ("prefect", "sqlalchemy", "fastapi", "hypothesis") if m in sys.modules]
    print(f"{name}: {1000 * (time.perf_counter() - began):.0f} ms", file=sys.stderr)
print(json.dumps(found))
"""


def loaded(only: str = "") -> dict[str, list[str]]:
    """Verb → the heavy modules in memory after its imports and those of the verbs before it."""
    command = [sys.executable, "-c", PROBE, only, ",".join(WITH_PREFECT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    print(done.stderr)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_no_verb_waits_for_prefect() -> None:
    """A verb that is typed all day answers at once: Prefect alone would cost it more than a second."""
    found = loaded()
    assert {"lint", "test", "pull", "push", "survey", "status", "match", "match accept"} <= set(found)
    assert {verb: heavy for verb, heavy in found.items() if "prefect" in heavy} == {}


@pytest.mark.parametrize("verb", ["lint", "test", "explain", "schema", "new project", "new mapping"])
def test_an_author_s_verb_opens_no_database(verb: str) -> None:
    """Lint runs at every save: it loads neither the database's library nor anything that serves pages."""
    assert loaded(verb) == {verb: []}
