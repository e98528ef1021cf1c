"""What a connector was held against, and when: the source of the README's table, the console's badge, `serai check`.

What surprises here: an empty text says that it was not tried so, and is said as loudly as what was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.errors import Misconfigured

WAYS = {
    "contract": "contract",
    "examples": "vendor's examples",
    "simulator": "simulator",
    "real": "real system",
}
"""Field → what people read."""
KEYS = ("when", *WAYS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """``contract``: the description that the vendor published and every request was judged by; ``examples``: how many
    of the vendor's own examples were read; ``simulator``: what stood in the vendor's place; ``real``: the real system,
    with its version. ``when`` is the year and month."""

    when: str = ""
    contract: str = ""
    examples: str = ""
    simulator: str = ""
    real: str = ""

    def was(self) -> dict[str, str]:
        """What it was held against, in the words of `WAYS`."""
        return {word: text for way, word in WAYS.items() if (text := getattr(self, way)) != ""}

    def was_not(self) -> list[str]:
        """What it was not held against."""
        return [word for way, word in WAYS.items() if getattr(self, way) == ""]

    def badge(self) -> str:
        """One line: ``contract, simulator (2026-11); not: vendor's examples, real system``."""
        if not self.was():
            return "nothing on record"
        lacking = f"; not: {', '.join(self.was_not())}" if self.was_not() else ""
        return f"{', '.join(self.was())} ({self.when}){lacking}"

    def row(self, platform: str) -> str:
        """The platform's line in the table of README.md."""
        texts = [getattr(self, way) or "–" for way in WAYS]
        return f"| `{platform}` | {' | '.join(texts)} | {self.when or '–'} |"


def read_verified(where: str, value: Any) -> Verified:
    """What a description says under ``verified``; left out, nothing is on record. Raises Misconfigured."""
    if value is None:
        return Verified()
    texts = isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values())
    if not texts or set(value) - set(KEYS):
        raise Misconfigured(f"{where}: should be texts under {', '.join(KEYS)}, each only where it was done")
    if "when" not in value:
        raise Misconfigured(f"{where}: `when` is missing, the year and month it was last done")
    return Verified(**value)
