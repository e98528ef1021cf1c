"""The verbs of ``serai``, by what they are about, and what their arguments have in common.

What surprises here: importing these modules costs nothing; each verb imports what it needs when it runs, so that
``serai lint`` does not pay for Prefect.
"""

from __future__ import annotations

import re
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

MISTAKE, DEFECT = 1, 3
"""Exit codes: something a person can mend; a ledger that does not balance."""
HERE = Path()

Project = Annotated[
    Path, typer.Option("--project", envvar="SERAI_PROJECT", help="the retailer's folder, which holds channels.yaml")
]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
Deployed = Annotated[bool, typer.Option("--deployed", help="through Prefect's worker instead of in this process")]
Because = Annotated[str, typer.Option("--because", help="the reason, kept in the audit")]
Channel = Annotated[str, typer.Argument(help="a name from channels.yaml")]
AnyChannel = Annotated[str | None, typer.Option("--channel", help="only this channel")]
AllMappings = Annotated[bool, typer.Option("--all", help="also the mappings of platforms not used here")]
Paths = Annotated[
    list[Path] | None, typer.Argument(help="mapping files, folders, Markdown pages; the project when absent")
]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="a port to take as it is; 0 for any free one")]


def say(sentence: str) -> None:
    """Prints a line at once, also into a pipe."""
    typer.echo(sentence)
    sys.stdout.flush()


def plain_number(text: str) -> Decimal:
    """A number as a person types it, such as -12490.00. Raises InvalidOperation for anything else."""
    if re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,12})?", text) is None:
        raise InvalidOperation
    return Decimal(text)


def number(count: int, noun: str) -> str:
    """``1 mistake``, ``2 mistakes``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
