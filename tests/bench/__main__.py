"""``python -m tests.bench``: every figure beside its control, and where the time goes; exit code 1 when a gate fails.

``--json`` prints a list of name, value, unit, control, ratio and gate instead. ``--count`` syncs fewer stock levels.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import mapping_speed, sync_speed

GATED_MAPPINGS = ("map order", "map stock")


def main() -> int:
    """Measures, prints, and says whether every gate holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="a list of figures instead of tables")
    parser.add_argument("--count", type=int, default=sync_speed.COUNT, help="stock levels to sync")
    asked = parser.parse_args()
    synced, profile = sync_speed.measure(asked.count)
    rows = [*mapping_rows(), *synced, start_of_a_verb()]
    if asked.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        show(rows, profile, asked.count)
    return 0 if all(holds(row) for row in rows) else 1


def mapping_rows() -> list[dict[str, Any]]:
    """The mapping speeds; the two with their source schema have a gate."""
    return [
        {**row, "gate": "≥ 0.8"} if row["name"] in GATED_MAPPINGS else row for row in mapping_speed.measure()
    ]


def start_of_a_verb(times: int = 3) -> dict[str, Any]:
    """How long the shortest verb takes from the shell, beside an interpreter that does nothing."""

    def fastest(*words: str) -> float:
        found = []
        for _ in range(times):
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
            found.append(time.perf_counter() - began)
        return min(found)

    own, bare = fastest("-m", "deployments.cli", "--help"), fastest("-c", "pass")
    return {"name": "serai --help", "value": round(own, 2), "unit": "s", "control": round(bare, 2),
            "ratio": round(own / bare, 1)}


def holds(row: Mapping[str, Any]) -> bool:
    """Whether the row's ratio keeps its gate; a row without one always does."""
    sign, _, bound = row.get("gate", "").partition(" ")
    if not sign:
        return True
    ratio = float(row["ratio"])
    return ratio >= float(bound) if sign == "≥" else ratio <= float(bound)


def show(rows: Sequence[Mapping[str, Any]], profile: Mapping[str, Mapping[str, float]], count: int) -> None:
    """The figures and the profile as tables."""
    console = Console(width=150 if not sys.stdout.isatty() else None)
    figures = Table("figure", "value", "control", "ratio", "gate", "", title="Beside a control in the same run")
    for row in rows:
        mark = "" if not row.get("gate") else "[green]holds[/]" if holds(row) else "[red]missed[/]"
        figures.add_row(
            str(row["name"]), f"{row['value']} {row['unit']}", "" if row["control"] is None else str(row["control"]),
            "" if row["ratio"] is None else str(row["ratio"]), f"{row.get('gate', '')} {mark}".strip(),
            str(row.get("detail", "")),
        )
    console.print(figures)
    spent = Table("phase", *profile, title=f"Where the time goes: µs a record, of {count:,}",
                  caption="a push on PostgreSQL has two threads: each waits for the other within its phases")
    phases = sorted({name for one in profile.values() for name in one})
    for phase in sorted(phases, key=lambda name: -sum(one.get(name, 0.0) for one in profile.values())):
        spent.add_row(phase, *(f"{one.get(phase, 0.0) / count * 1e6:.1f}" for one in profile.values()))
    spent.add_row("in all", *(f"{sum(one.values()) / count * 1e6:.1f}" for one in profile.values()), style="bold")
    console.print(spent)


if __name__ == "__main__":
    sys.exit(main())
