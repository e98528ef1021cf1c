"""Files as documents and back: CSV, JSON, JSON Lines, XML and XLSX, each as plain functions over bytes.

What surprises here:

* A file is read whole or refused whole: what is wrong is ``Malformed`` with its line, and nothing before it counts.
* CSV and XML have only text; a cell that is empty is "". XLSX has numbers and dates: they become exact decimals and
  ISO text. The mapping says what text means.
* In XML a child that repeats becomes a list, and one that may repeat must be named in ``lists``, or a file with one
  line would look otherwise than a file with two. A document type is refused: entities are a way to fill memory.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import msgspec

from connectors.answers import decoded
from connectors.base import Doc
from connectors.paging import at

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Malformed(Exception):
    """The file is not what its description says: where, and what was found."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


Options = Mapping[str, Any]


def read_csv(data: bytes, options: Options) -> Iterator[Doc]:
    """Rows by the names of the first line. ``delimiter`` (,), ``encoding`` (utf-8, with or without its mark)."""
    text = io.StringIO(_text(data, options), newline="")
    lines = csv.reader(text, delimiter=options.get("delimiter", ","), strict=True)
    try:
        names = next(lines, [])
        twice = [name for name, count in Counter(names).items() if count > 1]
        if not names or twice:
            raise Malformed(1, f"two columns are called {twice[0]!r}" if twice else "there is no line of names")
        for row in lines:
            if row and len(row) != len(names):
                raise Malformed(lines.line_num, f"{len(row)} cells under {len(names)} names")
            if row:
                yield dict(zip(names, row, strict=True))
    except csv.Error as fault:
        raise Malformed(lines.line_num, str(fault)) from None


def read_jsonl(data: bytes, options: Options) -> Iterator[Doc]:
    """An object a line; empty lines are passed over."""
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            yield _object(line, number)


def read_json(data: bytes, options: Options) -> Iterator[Doc]:
    """A list of objects at ``items`` ("": the file is the list), or one object."""
    try:
        whole = decoded(data)
    except ValueError as fault:
        raise Malformed(data.count(b"\n") + 1, f"it is not JSON: {fault}") from None
    found = at(whole, options.get("items", "")) if options.get("items") else whole
    rows = found if isinstance(found, list) else [found]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise Malformed(1, f"item {number} is no object" if found is not None else "there is no list at `items`")
        yield row


def read_xml(data: bytes, options: Options) -> Iterator[Doc]:
    """Every element called ``item``; attributes as ``@name``, text beside children as ``#text``."""
    if b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data:
        raise Malformed(1, "it has a document type or entities, which are not read")
    lists = frozenset(options.get("lists", ()))
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(data)):  # noqa: S314 (entities are refused above)
            if _local(element.tag) == options["item"]:
                found = _element(element, lists)
                yield found if isinstance(found, dict) else {"#text": found}
                element.clear()
    except ElementTree.ParseError as fault:
        raise Malformed(fault.position[0], str(fault)) from None


def read_xlsx(data: bytes, options: Options) -> Iterator[Doc]:
    """Rows of ``sheet`` (the first), by the names of its first line; rows without any value are passed over."""
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as fault:
        raise Malformed(1, f"it is no workbook: {type(fault).__name__}") from None
    wanted = options.get("sheet", book.sheetnames[0])
    if wanted not in book.sheetnames:
        raise Malformed(1, f"there is no sheet {wanted!r}; there are {', '.join(book.sheetnames)}")
    rows = book[wanted].iter_rows(values_only=True)
    names = [None if name is None else str(name) for name in next(rows, ())]
    if not any(names) or len(set(filter(None, names))) != len([*filter(None, names)]):
        raise Malformed(1, "the first line should name the columns, each once")
    for row in rows:
        doc = {name: _cell(value) for name, value in zip(names, row, strict=False) if name is not None}
        if any(value is not None for value in doc.values()):
            yield doc


def written_csv(docs: Sequence[Doc], options: Options) -> bytes:
    """``columns`` (those of the first document) and a line each; raises ValueError for what has no cell."""
    columns = list(options.get("columns") or docs[0])
    out = io.StringIO()
    writer = csv.writer(out, delimiter=options.get("delimiter", ","), lineterminator="\r\n")
    writer.writerow(columns)
    for doc in docs:
        odd = sorted(set(doc) - set(columns))
        if odd:
            raise ValueError(f"`{odd[0]}` is no column of this file")
        writer.writerow([_plain(name, doc.get(name)) for name in columns])
    return out.getvalue().encode(options.get("encoding", "utf-8"))


def written_jsonl(docs: Sequence[Doc], options: Options) -> bytes:
    """An object a line."""
    return b"".join(_encode(doc) + b"\n" for doc in docs)


def written_json(docs: Sequence[Doc], options: Options) -> bytes:
    """A list, at ``items`` where that is set."""
    return _encode({options["items"]: list(docs)} if options.get("items") else list(docs))


def written_xml(docs: Sequence[Doc], options: Options) -> bytes:
    """Elements called ``item`` in one called ``root`` (items); lists as repeated elements, ``@name`` as attributes."""
    root = options.get("root", "items")
    body = "".join(_tag(options["item"], doc) for doc in docs)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{body}</{root}>\n'.encode()


READ: Mapping[str, Callable[[bytes, Options], Iterator[Doc]]] = {
    "csv": read_csv, "jsonl": read_jsonl, "json": read_json, "xml": read_xml, "xlsx": read_xlsx,
}  # fmt: skip
WRITTEN: Mapping[str, Callable[[Sequence[Doc], Options], bytes]] = {
    "csv": written_csv, "jsonl": written_jsonl, "json": written_json, "xml": written_xml,
}  # fmt: skip


def _text(data: bytes, options: Options) -> str:
    encoding = str(options.get("encoding", "utf-8"))
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as fault:
        line = data[: fault.start].count(b"\n") + 1
        raise Malformed(line, f"byte {fault.start} is not {encoding}; name the file's `encoding`") from None


def _object(line: bytes, number: int) -> Doc:
    try:
        found = decoded(line)
    except ValueError as fault:
        raise Malformed(number, f"it is not JSON: {fault}") from None
    if not isinstance(found, dict):
        raise Malformed(number, "it is no object")
    return found


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _element(element: ElementTree.Element, lists: frozenset[str]) -> Any:
    found: Doc = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    for child in element:
        name, value = _local(child.tag), _element(child, lists)
        if name in lists:
            found.setdefault(name, []).append(value)
        elif name in found:
            found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), value]
        else:
            found[name] = value
    text = (element.text or "").strip() if len(element) else (element.text or "")
    if not found:
        return text
    return {**found, "#text": text} if text else found


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value


def _plain(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str | int):
        return str(value)
    raise ValueError(f"`{name}` is a {type(value).__name__}, which a cell cannot hold")


def _tag(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_tag(name, one) for one in value)
    if not isinstance(value, dict):
        return f"<{name}>{escape(_plain(name, value))}</{name}>"
    marks = "".join(f" {key[1:]}={quoteattr(_plain(key, one))}" for key, one in value.items() if key.startswith("@"))
    inner = "".join(
        escape(_plain(key, one)) if key == "#text" else _tag(key, one)
        for key, one in value.items() if not key.startswith("@")
    )
    return f"<{name}{marks}>{inner}</{name}>"
