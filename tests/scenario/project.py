"""The project of the scenarios' retailer: the sandbox's, with everything switched on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from shutil import copy, copytree
from tempfile import TemporaryDirectory

import mappings
from flows.routes import PlatformMappings, load_mappings
from flows.settings import load_project
from tests.projects import RETAIL

LABEL = 12
"""Letters of a name that lossy tills keep."""
SHORT_LABELS = f"""\
extends: sandbox_pos/articles
platform: sandbox_pos
resource: articles
outward:
  entity: variant
  fields:
    label: = left(name, {LABEL})
"""
STREET = 12
"""Letters of a street that a lossy CRM keeps."""

PRICING = ("prices.yaml", "fx.yaml")
"""What the retailer's channels ask beside their list; every channel of a world asks what its list says."""
ABROAD = ("erp-bg:", "shop-bg:")
ANYTHING = "'*': {price: 1000000, moved: 1000000, records: 1000000, deletions: 1000000}\n"
"""A breaker that holds nothing but a price of nothing."""


def write_project(folder: Path, *, lossy: bool = False, abroad: bool = False) -> Path:
    """The sandbox retailer's project with everything switched on; ``abroad``: as it is, with the second company's
    channels and stock in escrow; else one company and fixed allotments.

    ``lossy``: the tills keep the beginning of a name only, the CRM that of a street, and all but the ERP answer a write
    without the document, so that what they hold afterwards is known from the next read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in RETAIL.iterdir():
        if path.suffix == ".yaml":
            copy(path, folder)
        elif path.name in ("policies", "platforms", "mappings"):
            copytree(path, folder / path.name, dirs_exist_ok=True)
    for name in PRICING:
        (folder / "policies" / name).unlink(missing_ok=True)
    if lossy:
        contacts = (Path(mappings.__file__).parent / "sandbox_crm" / "contacts.yaml").read_text(encoding="utf-8")
        whole = "street: {from: address.street,"
        assert whole in contacts
        cut = contacts.replace(whole, f'street: {{from: "= left(address.street, {STREET})",')
        for name, own in (("sandbox_pos/articles", SHORT_LABELS), ("sandbox_crm/contacts", cut)):
            file = folder / "mappings" / f"{name}.yaml"
            file.parent.mkdir()
            file.write_text(own, encoding="utf-8")
        for name in ("shop", "pos", "crm"):
            path = folder / "platforms" / f"sandbox_{name}.yaml"
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("create: POST", "returns_doc: false, create: POST"), encoding="utf-8")
    channels = folder / "channels.yaml"
    text = channels.read_text(encoding="utf-8").replace(": shadow", ": on")
    if not abroad:
        text = text[: text.index("\n# The company in Plovdiv")]
        for path in (folder / "authority.yaml", *(folder / "policies").iterdir()):
            kept = path.read_text(encoding="utf-8").replace(", erp-bg", "").replace(", shop-bg", "")
            kept = kept.replace(", allocation: hard", "").replace(", stores: {almaty-2: per_shift}", "")
            lines = kept.splitlines(keepends=True)
            path.write_text("".join(line for line in lines if not line.lstrip().startswith(ABROAD)), encoding="utf-8")
    channels.write_text(text.replace("  every: 5m\n", "  every: 5m\n  timeout: 3\n"), encoding="utf-8")
    return folder


@cache
def compiled(lossy: bool) -> Mapping[str, PlatformMappings]:
    """Compiled once for all worlds of the process: every project of a kind has the same mappings."""
    with TemporaryDirectory() as folder:
        return load_mappings(load_project(write_project(Path(folder), lossy=lossy)))
