"""The project folders that come with Serai: the sandbox's own retailer, in which the tests play, and the demo's."""

from __future__ import annotations

from pathlib import Path

import deployments

RETAIL = Path(deployments.__file__).parent / "sandbox" / "retail"
DEMO = Path(deployments.__file__).parent / "demo"


def own_mappings() -> list[Path]:
    """Every mapping file of the two, once: what the demo has of the sandbox's retailer is a link to it."""
    found = [path for folder in (RETAIL, DEMO) for path in folder.glob("mappings/*/*.yaml")]
    return sorted({path.resolve() for path in found if path.name != "forms.yaml"})


def project_of(path: Path) -> Path | None:
    """The project folder that a mapping file belongs to; None: it comes with the package."""
    return next((folder for folder in (RETAIL, DEMO) if path.is_relative_to(folder)), None)
