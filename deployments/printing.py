"""How rows, JSON and mistakes are printed, in a terminal, into a pipe, on a pull request.

What surprises here: a row is a plain mapping whose keys are the columns; rich is imported only when a table is drawn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from mappings.language import LintError

Rows = Sequence[Mapping[str, Any]]


def print_json(value: Any) -> None:
    """Prints exactly one JSON value: decimals as text, moments in UTC."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=plain)
    sys.stdout.write("\n")


def plain(value: Any) -> Any:
    """A value JSON does not know, as it is printed."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return _moment(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def show(title: str, rows: Rows, as_json: bool, *, nothing: str) -> None:
    """Prints rows as a table, or as a JSON list; ``nothing`` is what a table says when there are none."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        sys.stdout.write(nothing + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_lines=False)
    for name in rows[0]:
        table.add_column(str(name).replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else _cell(value) for value in row.values()))
    # A pipe has no width: rows are then printed whole, so that grep finds them on one line.
    console = Console() if sys.stdout.isatty() else Console(width=400)
    console.print(table)


def _cell(value: Any) -> str:
    from rich.markup import escape

    if isinstance(value, bool):
        return "yes" if value else ""
    return escape(_moment(value.replace(microsecond=0)) if isinstance(value, datetime) else str(value))


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


_EXACT = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def one_line(value: Any) -> str:
    """A value as JSON on one line: text in quotes, so that ``7`` and ``"7"`` differ for the eye too."""
    return _EXACT.encode(value).decode("utf-8")


def in_full(value: Any) -> str:
    """A document as JSON on many lines, numbers exactly as they are."""
    return msgspec.json.format(_EXACT.encode(value), indent=2).decode("utf-8")


def annotation(error: LintError, title: str = "") -> str:
    """A mistake as GitHub shows it beside the line of a pull request."""
    said = error.what + (f"; {error.allowed}" if error.allowed else "")
    place = f"file={_escaped(error.file)},line={error.line},col={error.column},title={_escaped(title or error.code)}"
    return f"::error {place}::{said.translate(_BREAKS)}"


_BREAKS = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})


def _escaped(text: str) -> str:
    return text.translate(_BREAKS).replace(":", "%3A").replace(",", "%2C")
