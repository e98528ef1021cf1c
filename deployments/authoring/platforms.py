"""Starts a platform: in a project a private system's description, in Serai's own checkout one that comes with Serai.

What surprises here: what is started passes lint, its tests and the contract suite as it is; a line of ``CATALOG`` and a
row of the table in connectors/README.md are written too, since tests ask for both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from connectors import platforms
from connectors.verified import Verified
from deployments.authoring import CannotDo, describing
from deployments.authoring.finding import project_of, shown
from deployments.authoring.proposing import entity_of
from deployments.authoring.skeletons import (
    CONNECTOR,
    DESCRIPTION,
    FORMS,
    PRODUCT_SCHEMA,
    PRODUCTS,
    PUBLISHED,
    SIMULATOR,
)  # fmt: skip
from deployments.authoring.starting import MODELINE, Started, named, root_of, schema_place, schema_text, write_new
from flows.mapping_files import PACKAGE

LINES = re.compile(r"(?<=^_LINES = \{\n)(?:    .*\n)+", re.MULTILINE)
TABLE = re.compile(r"(?<=^\|---\|---\|---\|---\|---\|---\|\n)(?:\| .*\n)+", re.MULTILINE)
STARTED = Verified(when="never yet", simulator="the one that it was started with")


def platform(folder: Path, name: str, *, openapi: Sequence[str] = (), python: bool = False) -> Started:
    """A platform's description or connector, its forms, a first mapping. Raises CannotDo."""
    named(name, "platform")
    project = project_of(folder.resolve())
    if name in platforms() or (PACKAGE / name).is_dir():
        raise CannotDo(f"Serai knows a platform {name!r} already; choose another name")
    if project is not None:
        if python:
            raise CannotDo("a connector in Python comes with Serai, not with a project; run this in Serai's own folder")
        return _private(project, name, openapi)
    try:
        root = root_of(folder)
    except CannotDo:
        raise CannotDo("a private platform belongs to a project; name one with --project, or start one with "
                       "`serai new project DIR`") from None
    if python == bool(openapi):
        raise CannotDo("a platform that comes with Serai is described by its vendor's files (--from-openapi FILE, once "
                       "for each) or written in Python (--python); name one of the two")
    return _described(root, name, openapi) if openapi else _written(root, name)


def _private(project: Path, name: str, openapi: Sequence[str]) -> Started:
    found = describing.collections(openapi) if openapi else []
    key = re.sub("[^A-Z0-9]", "_", name.upper())
    entities = dict.fromkeys(filter(None, (entity_of(one.name) for one in found))) or {"product": None}
    row = (f'{name}-1: {{platform: {name}, company: …, url: "env:{key}_URL", secrets: {{token: "env:{key}_TOKEN"}}, '
           f"entities: {{{', '.join(f'{entity}: shadow' for entity in entities)}}}, every: 5m}}")
    said = [f"a row for channels.yaml: {row}"]
    texts = {project / "platforms" / f"{name}.yaml": DESCRIPTION.format(name=name)} | _mapping(project, name)
    if found:
        texts = {project / "platforms" / f"{name}.yaml": describing.description(name, openapi, found)}
        texts |= {path: text for path, text in _mapping(project, name).items() if path.name == "forms.yaml"}
        said += _mappings(name, found)
    said.append(f"`serai lint`; then `serai try {name}/products --channel {name}-1 --id …` shows a real document")
    return Started(files=write_new(texts), errors=[], next=said)


def _described(root: Path, name: str, openapi: Sequence[str]) -> Started:
    found = describing.collections(openapi)
    both = [one for one in found if "create: " in one.row and "update: " in one.row]
    text = describing.description(name, openapi, found)
    verified = 'verified: {when: never yet, simulator: the one that it was started with}\n'
    texts = {root / "connectors" / "platforms" / f"{name}.yaml": text.replace("auth: ", f"{verified}auth: ", 1)}
    texts |= {path: text for path, text in _mapping(root, name).items() if path.name == "forms.yaml"}
    if both:
        files = ", ".join(f'"{Path(file).name}"' for file in openapi)
        since = "" if "since: " in both[0].row else '"since": "its files name no filter for changes", '
        texts[root / "tests" / "contract" / f"{name}_simulator.py"] = PUBLISHED.format(
            name=name, title=_title(name), resource=both[0].name, files=files + ",", lacks=since
        )
    written = write_new(texts)
    _listed(root, name, None)
    tested = f"`pytest tests/contract -k {name}`: the contract suite in front of what the vendor's files say"
    none = "a contract subject: no list of the files is both created and updated"
    return Started(files=written, errors=[], next=[*_mappings(name, found), tested if both else none])


def _written(root: Path, name: str) -> Started:
    files = write_new({
        root / "connectors" / f"{name}.py": CONNECTOR.format(name=name, title=_title(name)),
        root / "tests" / "contract" / f"{name}_simulator.py": SIMULATOR.format(name=name, title=_title(name)),
    } | _mapping(root, name))
    _listed(root, name, f'    "{name}": "connectors.{name}:{_title(name)}",\n')
    return Started(files=files, errors=[], next=[
        f"{_title(name)} stands in CATALOG (connectors/__init__.py) and in the table of connectors/README.md",
        f"`pytest tests/contract -k {name}`: the contract suite holds; now make both say what {_title(name)} does",
        f"`serai lint mappings/{name}`; `serai test mappings/{name}`",
    ])


def _mappings(name: str, found: Sequence[describing.Found]) -> list[str]:
    """The commands that propose a mapping for each collection."""
    return [f"`serai new mapping {name} {one.name} --from-schema '{one.schema}'`" for one in found]


def _mapping(root: Path, name: str) -> dict[Path, str]:
    """Forms and a first mapping both ways."""
    place = root / "mappings" / name
    return {
        place / "forms.yaml": MODELINE.format(schema_place(root, place, "forms")) + FORMS,
        place / "products.yaml": MODELINE.format(schema_place(root, place)) + PRODUCTS.format(name=name),
        place / "products.schema.json": schema_text(name, "products", PRODUCT_SCHEMA),
    }


def _listed(root: Path, name: str, line: str | None) -> None:
    """Adds the line of the catalogue, and the row of the table of platforms, in their order."""
    if line is not None:
        _inserted(root / "connectors" / "__init__.py", LINES, line)
    _inserted(root / "connectors" / "README.md", TABLE, STARTED.row(name) + "\n")


def _inserted(path: Path, block: re.Pattern[str], line: str) -> None:
    text = path.read_text(encoding="utf-8")
    found = block.search(text)
    if found is None:
        raise CannotDo(f"{shown(path)} has no list to put a line into; add: {line.strip()}")
    lines = sorted([*found[0].splitlines(keepends=True), line])
    path.write_text(text[: found.start()] + "".join(lines) + text[found.end() :], encoding="utf-8")


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
