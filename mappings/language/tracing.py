"""What the safe variant calls: it walks paths step by step, remembers what it met, and turns exceptions into faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mappings.language.faults import Fault, InwardRecord, Kind, LocalRef, Skip
from mappings.language.values import MISSING, NullOperand, Refused, masked, text_of


@dataclass(frozen=True, kw_only=True, slots=True)
class RowInfo:
    """Where a row stands and what becomes of its faults."""

    field: str
    file: str
    line: int
    column: int
    text: str
    on_error: str = "fault"
    has_default: bool = False
    required: bool = False


MAX_FAULTS = 100
"""Of one item; more tell nothing new."""


class NullResult(NullOperand):
    """A row gives null where its field cannot be null."""


class MissingReference(Refused):
    """A reference that is not known yet."""

    def __init__(self, entity: str, id: str, otherwise: str, what: str) -> None:
        super().__init__("reference", what, id)
        self.reference = (entity, id)
        self.kind: Kind = "fault" if otherwise == "error" else otherwise  # type: ignore[assignment]  # wait | fetch


class Depends(Exception):
    """A row needs another that already has its fault; nothing more is to be said."""


class _Faulted:
    """Stands for a value that could not be had."""


FAULTED: Any = _Faulted()


class Pending:
    """A reference that may be an item of the same document; settled when the document's items are known."""

    __slots__ = ("entity", "id", "place")

    def __init__(self, entity: str, id: str, place: tuple[RowInfo, str, str, str]) -> None:
        self.entity = entity
        self.id = id
        self.place = place


class Trace:
    """The safe variant's memory of one document: what each row met, and the faults of each item."""

    def __init__(self, doc: int, rows: list[RowInfo], faults: list[Fault], skips: list[Skip] | None = None) -> None:
        self.doc = doc
        self.rows = rows
        self.faults = faults
        self.skips = skips if skips is not None else []
        self.on_error = "fault"
        self.skipped = False
        self.first = len(faults)
        self.operands: list[tuple[str, Any]] = []
        self.entity = ""
        self.id: str | None = None
        self.failed = False
        self.prefix = ""
        self.row: RowInfo | None = None
        self.waiting: list[tuple[int, InwardRecord, list[Pending]]] = []
        self.pending: list[Pending] = []

    def item(self, entity: str, id: str | None, on_error: str) -> None:
        """The faults that follow are this item's; ``on_error`` is its block's."""
        self.entity, self.id, self.failed, self.pending = entity, id, False, []
        self.on_error, self.skipped, self.first = on_error, False, len(self.faults)

    def begin(self, row: int, prefix: str) -> None:
        """The operands that follow are this row's."""
        self.operands = []
        self.row, self.prefix = self.rows[row], prefix

    def null_operand(self, error: Exception, row: int) -> Any:
        """Null where a row with a default lacked a value; any other fault goes on."""
        if isinstance(error, Depends) or not self._lacked(error):
            raise error
        return None

    def _lacked(self, error: Exception) -> bool:
        if isinstance(error, NullOperand):
            return True
        return not isinstance(error, Refused) and any(v is None or v is MISSING for _, v in self.operands)

    def fault(self, error: Exception, row: int, prefix: str) -> Any:
        """Keeps the fault of a row and gives what stands in its place."""
        info = self.rows[row]
        if isinstance(error, Depends):
            self.failed = True
            return FAULTED
        absent = any(value is MISSING for _, value in self.operands)
        if self._lacked(error) and absent and not info.required and not isinstance(error, NullResult):
            return MISSING  # the document does not speak of it
        on_error = info.on_error if info.on_error != "fault" else self.on_error
        if on_error == "absent":
            return MISSING
        self.failed = True
        if self.skipped or len(self.faults) - self.first >= MAX_FAULTS:
            return FAULTED
        kind: Kind = "park" if on_error == "park" else "fault"
        reference = None
        if isinstance(error, MissingReference):
            kind, reference = error.kind, error.reference
        elif isinstance(error, Parked):
            kind = "park"
        path, value = self._met(error)
        rule, message = self._said(error, path)
        if on_error == "skip" and kind in ("fault", "park"):
            self.skipped = True
            del self.faults[self.first :]
            self.skips.append(Skip(self.doc, self.entity, self.id, f"{prefix + info.field}: {message} ({rule})"))
            return FAULTED
        self.faults.append(
            Fault(
                doc=self.doc,
                entity=self.entity,
                id=self.id,
                kind=kind,
                field=prefix + info.field,
                path=path,
                file=info.file,
                line=info.line,
                column=info.column,
                rule=rule,
                message=message,
                value=value,
                reference=reference,
            )
        )
        return FAULTED

    def _met(self, error: Exception) -> tuple[str, str]:
        operands = self.operands
        lacking = [(path, value) for path, value in operands if value is None or value is MISSING]
        if lacking and self._lacked(error):
            return lacking[0][0], masked(lacking[0][1])
        value = getattr(error, "value", MISSING)
        if value is not MISSING:
            same = [path for path, met in operands if met is value or _same(met, value)]
            return (same or [path for path, _ in operands[-1:]] or [""])[0], masked(value)
        return (operands[-1][0], masked(operands[-1][1])) if operands else ("", "")

    def _said(self, error: Exception, path: str) -> tuple[str, str]:
        if self._lacked(error) and path:
            what = (
                str(error)
                if isinstance(error, NullOperand) and str(error).startswith(("required", "null is not"))
                else "a value is needed"
            )
            return "null", f"{what}, {path.split(' ')[0]} is null or absent; `default:` or first(…) can stand in"
        if isinstance(error, Refused):
            return error.rule, str(error)
        return "type", f"the value does not fit ({type(error).__name__})"

    def settle(self, add: Any) -> None:
        """References to items of this document become local; the others are faults now."""
        own = {(record.entity, record.id) for _, record, _ in self.waiting}
        for at, record, pending in self.waiting:
            local: list[LocalRef] = []
            _find(record.values, (), own, local)
            lost = [p for p in pending if (p.entity, p.id) not in own]
            for p in lost:
                info, prefix, path, otherwise = p.place
                kind: Kind = "fault" if otherwise == "error" else otherwise  # type: ignore[assignment]  # wait | fetch
                self.faults.append(
                    Fault(
                        doc=at,
                        entity=record.entity,
                        id=record.id,
                        kind=kind,
                        field=prefix + info.field,
                        path=path,
                        file=info.file,
                        line=info.line,
                        column=info.column,
                        rule="reference",
                        message=f"no {p.entity} is known for this reference",
                        value=masked(p.id),
                        reference=(p.entity, p.id),
                    )
                )
            if not lost:
                add(record._replace(local=tuple(local)) if local else record)


def _same(met: Any, value: Any) -> bool:
    """Whether a refused number is what the path held as text."""
    return met.__class__ is str and value.__class__ is Decimal and met == str(value)


class Parked(Refused):
    """A value that a person must look at (``otherwise: park``)."""


def _find(value: Any, path: tuple[str | int, ...], own: set[tuple[str, str]], found: list[LocalRef]) -> None:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries):
        if isinstance(inner, Pending):
            if (inner.entity, inner.id) in own:
                found.append(LocalRef((*path, key), inner.entity, inner.id))
            value[key] = None
        else:
            _find(inner, (*path, key), own, found)


# -- what the safe source calls ---------------------------------------------------------------------------------------
def walk(
    tr: Trace,
    root: Any,
    label: str,
    steps: tuple[str, ...],
    absent: bool,
    empties: tuple[Any, ...],
    whole: bool = False,
) -> Any:
    """Follows a path step by step and remembers what it met, or where it stopped.

    ``empties`` count as null, but for the value at the end of a path that is ``whole``.
    """
    current = root
    for number, step in enumerate(steps):
        if current is FAULTED:
            raise Depends
        if current is None or current is MISSING:
            tr.operands.append(
                (f"{label}{'.'.join(steps)} (stops at {'.'.join(steps[:number]) or 'its start'})", current)
            )
            return current if absent or current is None else None
        if current.__class__ is list and step.lstrip("-").isdigit():
            index = int(step)
            current = current[index] if -len(current) <= index < len(current) else MISSING
        elif current.__class__ is dict:
            current = current.get(step, MISSING)
        else:
            tr.operands.append(
                (f"{label}{'.'.join(steps)} (stops at {'.'.join(steps[:number]) or 'its start'})", current)
            )
            raise Refused("path", f"there is no {step!r} in what stands there", current)
        if empties and not (whole and number == len(steps) - 1) and emptied(current, empties) is None:
            current = None
    if current is FAULTED:
        raise Depends
    tr.operands.append((label + ".".join(steps), current))
    return None if current is MISSING and not absent else current


def met(tr: Trace, value: Any, text: str, absent: bool) -> Any:
    """A value computed before."""
    if value is FAULTED:
        raise Depends
    tr.operands.append((text, value))
    return None if value is MISSING and not absent else value


def emptied(value: Any, empties: tuple[Any, ...]) -> Any:
    """Null where the platform writes null in another way; 0 is not false."""
    for empty in empties:
        if value.__class__ is empty.__class__ and value == empty:
            return None
    return value


def at(value: Any, step: str, missing: Any) -> Any:
    """One step that may lead nowhere."""
    if value is None or value is MISSING:
        return value if missing is MISSING else None
    if value.__class__ is list:
        index = int(step)
        return value[index] if -len(value) <= index < len(value) else missing
    if value.__class__ is dict:
        return value.get(step, missing)
    raise Refused("path", f"there is no {step!r} in what stands there", value)


def nullified(value: Any) -> Any:
    """Absent as null, for an operand."""
    return None if value is MISSING else value


def need(value: Any) -> Any:
    """A required value."""
    if value is None or value is MISSING:
        raise NullOperand("required")
    return value


def not_null(value: Any) -> Any:
    """A value that may be absent, but not null."""
    if value is None:
        raise NullResult("null is not allowed here")
    return value


def no_case() -> Any:
    """What `when` gives where no condition holds."""
    raise Refused("when", "no case of `when` holds; `else:` or `default:` say what then")


CHECKED: Mapping[str, tuple[type, str, str]] = {
    "text": (str, "text", "; as: text reads numbers too"),
    "integer": (int, "a whole number", "; as: integer reads it"),
    "boolean": (bool, "true or false", ""),
    "list": (list, "a list", ""),
    "object": (dict, "an object", ""),
}


def only(kind: type, name: str, hint: str = "", *, null: bool = True) -> Any:
    """A check that a value is what the schema promised; absent passes, and null where the field may be null."""

    def check(value: Any) -> Any:
        if value is None and not null:
            raise NullResult("null is not allowed here")
        if value is None or value is MISSING or value.__class__ is kind or value.__class__ is Pending:
            return value
        raise Refused("type", f"{name} is wanted here{hint}", value)

    return check


def choose(table: Mapping[str, Any], value: Any, otherwise: str) -> Any:
    """The entry of a table, or what `otherwise` says."""
    key = text_of(value)
    if key in table:
        return table[key]
    if otherwise == "pass":
        return value
    if otherwise == "default":
        return MISSING
    known = ", ".join(list(table)[:20])
    raise (Parked if otherwise == "park" else Refused)(
        "table", f"the table has no entry for it; it has: {known}", value
    )


def refer(
    tr: Trace, refs: Mapping[tuple[str, str], Any], entity: str, id: str, otherwise: str, own: frozenset[str]
) -> Any:
    """The uid of a reference; one that may be an item of the same document waits until its end."""
    found = refs.get((entity, id))
    if found is not None:
        return found
    if entity in own and tr.row is not None:
        path = tr.operands[-1][0] if tr.operands else ""
        pending = Pending(entity, id, (tr.row, tr.prefix, path, otherwise))
        tr.pending.append(pending)
        return pending
    raise MissingReference(entity, id, otherwise, f"no {entity} is known for this reference")


def refer_out(refs: Mapping[tuple[str, str], Any], entity: str, uid: str, otherwise: str, kept: str | None) -> Any:
    """The external id of a record, or an id kept with it."""
    found = refs.get((entity, uid))
    if found is None:
        raise MissingReference(entity, uid, otherwise, f"this {entity} has no id on the channel yet")
    if kept is None:
        return found.id
    if kept not in found.kept:
        raise MissingReference(entity, uid, otherwise, f"nothing is kept under {kept} for this {entity}")
    return found.kept[kept]


def region(context: Mapping[str, Any]) -> Any:
    """The country of the company, which reads telephone numbers without a country code."""
    company = context.get("company")
    return company.get("country") if isinstance(company, Mapping) else None
