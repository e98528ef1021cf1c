"""What a release covers, read from a checkout or from the registry: mappings, authority and policies, by content.

What surprises here: a mapping is more than its file. The forms of its platform, its schema and every file it extends
decide its values too, so all of them are part of the content. Addresses, secrets, modes and schedules are not: they
stay those of the folder the process was started in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from flows.mapping_files import PACKAGE, headers, may_write
from flows.settings import RULES, Project
from mappings import canonical
from mappings.language import LintError, LintErrors, Mapping as MappingFile, compile as compile_mapping
from registry import Release, Tx, content_hash, release_texts

OWN = "project/"
"""How names of the project's own files begin; all others are those that come with Serai."""
KEPT = 500
"""Compiled mappings that this process keeps: of what is in force, and of checkouts that are compared with it."""
_compiled: dict[tuple[str, ...], MappingFile] = {}
_BASES = re.compile(r"^\s*(?:extends|use):[ \t]*[\"']?([\w.-]+)/", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Content:
    """The texts by name: ``project/authority.yaml``, ``project/mappings/…``, ``mappings/<platform>/…``."""

    texts: Mapping[str, str]

    @cached_property
    def hash(self) -> str:
        """The same for the same names and texts, and for nothing else."""
        return content_hash(self.texts)

    @property
    def rules(self) -> dict[str, str]:
        """Authority and policies, as `load_project` takes them."""
        return {name.removeprefix(OWN): text for name, text in self.texts.items()
                if name.startswith(OWN) and not name.startswith(f"{OWN}mappings/")}

    def mappings(
        self, folder: Path, platform: str, writing: str | None = None
    ) -> list[Callable[[], MappingFile]]:
        """A compiler for each mapping of a platform (with ``writing`` for those that may write this entity), the
        project's own instead of Serai's; each raises LintErrors."""
        found: dict[str, str] = {}
        for start in (f"mappings/{platform}/", f"{OWN}mappings/{platform}/"):
            found.update({
                name.removeprefix(start): name for name in sorted(self.texts)
                if name.startswith(start) and name.endswith(".yaml") and not name.endswith("/forms.yaml")
            })
        return [partial(self._compiled, folder, platform, name) for name in found.values()
                if writing is None or may_write(self.texts[name], writing)]

    def _compiled(self, folder: Path, platform: str, name: str) -> MappingFile:
        text = self.texts[name]
        key = (shown(name, folder), text, *(self._folder_hash(one) for one in (platform, *_BASES.findall(text))))
        if key not in _compiled:
            heads = {"platform": platform, "resource": Path(name).stem, **headers(text)}
            while len(_compiled) >= KEPT:
                _compiled.pop(next(iter(_compiled)), None)
            _compiled[key] = compile_mapping(
                text, shown(name, folder), load=partial(self._load, name),
                source_schema=self._schema(heads["platform"], heads["resource"]), canonical=canonical.schemas(),
            )
        return _compiled[key]

    def _folder_hash(self, platform: str) -> str:
        """The digest of all texts of a platform, and of those that they lie over."""
        if platform not in self._folders:
            self._folders[platform] = ""        # a base that lies over its own platform ends here
            mine = {name: text for name, text in self.texts.items() if f"/{platform}/" in name}
            below = {base for text in mine.values() for base in _BASES.findall(text)}
            self._folders[platform] = content_hash({**mine, **{base: self._folder_hash(base) for base in below}})
        return self._folders[platform]

    @cached_property
    def _folders(self) -> dict[str, str]:
        return {}

    def _load(self, own: str, name: str) -> str:
        """What a file lies over: the project's, except the file itself, before Serai's."""
        name = name.removeprefix("mappings/")
        for found in (f"{OWN}mappings/{name}", f"mappings/{name}"):
            if found != own and found in self.texts:
                return self.texts[found]
        raise FileNotFoundError(name)

    def _schema(self, platform: str, resource: str) -> Mapping[str, Any] | None:
        for start in (f"{OWN}mappings/", "mappings/"):
            text = self.texts.get(f"{start}{platform}/{resource}.schema.json")
            if text is not None:
                schema: Mapping[str, Any] = json.loads(text)
                return schema
        return None


def shown(name: str, folder: Path) -> str:
    """The name of a text as people know the file: from the checkout, or from where the project's folder lies."""
    if name.startswith(f"{OWN}mappings/"):
        return f"{folder.name}/{name.removeprefix(OWN)}"
    return name.removeprefix(OWN)


def on_disk(project: Project) -> Content:
    """What a release of this checkout would hold. Raises LintErrors for a file that is no text."""
    texts = {}
    for rule in RULES:
        path = project.folder / f"{rule}.yaml"
        for found in sorted({path, *path.parent.glob(f"{path.stem}.*.yaml")}):
            if not found.is_file():
                continue
            texts[f"{OWN}{found.relative_to(project.folder).as_posix()}"] = _text(found)
    wanted = {channel.platform for channel in project.channels.values()}
    seen: set[str] = set()
    while wanted - seen:
        platform = sorted(wanted - seen)[0]
        seen.add(platform)
        for start, place in ((OWN + "mappings/", project.folder / "mappings"), ("mappings/", PACKAGE)):
            for path in sorted((place / platform).glob("*")):
                if path.suffix in (".yaml", ".json"):
                    text = texts[f"{start}{platform}/{path.name}"] = _text(path)
                    wanted.update(base for base in _BASES.findall(text) if path.suffix == ".yaml")
    return Content(texts=texts)


def released(tx: Tx, of: Release) -> Content:
    """What a release holds."""
    return Content(texts=release_texts(tx, of))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        what = f"byte {fault.start + 1} of the file is not UTF-8"
        raise LintErrors([LintError(file=path.name, line=1, column=1, code="encoding", what=what)]) from None
