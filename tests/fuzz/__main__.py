"""``python -m tests.fuzz``: fuzzes the loader, the compiler and what they make, until the time is up.

Prints what was tried; a text that breaks an invariant is shrunk, printed with the seed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter

from hypothesis import HealthCheck, Phase, seed as seeded, settings

from tests.fuzz.targets import TARGETS, fresh

EXAMPLES = 200


def main() -> int:
    """0 when nothing broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long (default 300)")
    parser.add_argument("--seed", type=int, help="repeats a run")
    parser.add_argument("--target", choices=TARGETS, help="only this one")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
    names = [asked.target] if asked.target else list(TARGETS)
    end = time.monotonic() + asked.seconds
    tried: Counter[str] = Counter()
    print(f"seed {seed}, {asked.seconds:g} s, targets: {', '.join(names)}", flush=True)
    number = 0
    while time.monotonic() < end:
        name = names[number % len(names)]
        run = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )(seeded(seed + number)(fresh(name)))
        try:
            run()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            traceback.print_exc()
            print(f"{name} broke: python -m tests.fuzz --target {name} --seed {seed + number} --seconds 1", flush=True)
            return 1
        tried[name] += EXAMPLES
        number += 1
    print("; ".join(f"{name}: {count:,} examples" for name, count in tried.items()) + "; nothing broke")
    return 0


if __name__ == "__main__":
    sys.exit(main())
