"""``python -m tests.mutation [PATH…]``: every mutant of every mapping, who caught it, and who survived."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.mutation.judging import Judged, judge, mapping_paths

WANTED = 0.95
MOST_EQUIVALENT = 0.03


def main() -> int:
    """Prints a line per file and the survivors; 0 when enough are caught and few are called equivalent."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="mapping files or folders (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="draws the sample where a place gives many mutants")
    parser.add_argument("--quiet", action="store_true", help="no survivors, only the figures")
    given = parser.parse_args()
    wanted = [path.resolve() for path in given.paths]
    paths = [p for p in mapping_paths() if not wanted or any(p == w or w in p.parents for w in wanted)]
    if not paths:
        parser.error(f"no mapping there; there are {', '.join(sorted({p.parent.name for p in mapping_paths()}))}")
    began = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        judged = list(pool.map(partial(judge, seed=given.seed), paths))
    width = max(len(one.file) for one in judged)
    print(f"{'file':{width}}  mutants  by tests  by lint  equivalent  survivors")
    for one in judged:
        _row(one, width, quiet=given.quiet)
    total = sum(one.mutants for one in judged)
    caught = sum(one.tests + one.lint for one in judged)
    equivalent = sum(one.equivalent for one in judged)
    unknown = [f"{one.file}: {key}" for one in judged for key in one.unknown]
    for key in unknown:
        print(f"equivalent.yaml names what did not survive: {key}")
    share = caught / max(total - equivalent, 1)
    print(
        f"{total} mutants of {len(judged)} files in {time.monotonic() - began:.0f} s (seed {given.seed}): "
        f"{caught} caught ({share:.1%} of those that change something), "
        f"{equivalent} equivalent ({equivalent / max(total, 1):.1%})"
    )
    return 0 if share >= WANTED and equivalent <= MOST_EQUIVALENT * total and not unknown else 1


def _row(one: Judged, width: int, *, quiet: bool) -> None:
    print(
        f"{one.file:{width}}  {one.mutants:7}  {one.tests:8}  {one.lint:7}  {one.equivalent:10}  {len(one.survivors):9}"
    )
    for mutant in () if quiet else one.survivors:
        print(f"  {one.file}:{mutant.line}: {mutant.key}")


if __name__ == "__main__":
    sys.exit(main())
