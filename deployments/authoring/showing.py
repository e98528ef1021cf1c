"""How a mapped document is shown: its values with the rows and sources they come from, faults and skips after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from deployments.authoring.explaining import problems, values
from deployments.printing import print_json, show
from mappings.language import Mapping as MappingFile
from mappings.language.examples import shown as as_expected
from mappings.language.faults import Inward, Outward


def show_result(
    mapping: MappingFile, test: Mapping[str, Any], made: Inward | Outward, as_json: bool, **more: Any
) -> None:
    """Prints what came of a document, as tables or as one JSON object, which holds ``more`` too."""
    given = test["given"] if isinstance(test["given"], list) else [test["given"]]
    tables = values(mapping, made, given)
    said = list(problems(made))
    if as_json:
        print_json({"given": given, "got": got(made), "values": dict(tables), "problems": said, **more})
        return
    for title, rows in tables:
        show(title, short(rows), as_json=False, nothing=f"{title}: no field is set")
    for sentence in said or ([] if tables else ["nothing came of it"]):
        typer.echo(sentence)


def short(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows for a terminal: of the row's file only the name, so that a table fits on a screen."""
    return [{**row, "row": row["row"] and row["row"].rpartition("/")[2]} for row in rows]


def got(made: Inward | Outward) -> list[dict[str, Any]]:
    """The records, each with its entity, or the documents with their ids."""
    if isinstance(made, Inward):
        return [{"entity": record.entity, **as_expected(record)} for record in made.records]
    return [{"id": doc.id, "document": doc.doc} for doc in made.docs]
