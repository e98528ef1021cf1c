"""Emits single values: the source of a row, its table, its reference, its type."""

from __future__ import annotations

from dataclasses import replace

from mappings.language.grammar import Row
from mappings.language.kinds import AMOUNTS, EXACT, NUMBERS, Scope, Val, kind_of, spoken, table_key
from mappings.language.lint import nearest
from mappings.language.shapes import Shape
from mappings.language.targets import Targets


class Scalars(Targets):
    """Emits what a row says before ``default`` and ``required``."""

    def _source(self, scope: Scope, row: Row) -> Val:
        if row.source is not None:
            return self.leaf(scope, row.source, absent=True)
        if row.ref is not None and not self.inward:
            return self.path(scope, (row.ref,), row.node, absent=True)
        if row.each is None and row.ref is None and row.default is not None:
            return Val(code="None", kind="null", sure=True)
        if row.ref is not None:
            self.wrong(row.node, "missing-key", "a reference has no from", "{from: customer.id, ref: customer}")
        return scope.source

    def _scalar(self, scope: Scope, row: Row, shape: Shape, chosen: Val | None) -> Val:
        """The source of a row, or what its cases chose, through its table, reference and type."""
        val = self._source(scope, row) if chosen is None else chosen
        unsaid = row.ref is None and chosen is None and row.default is None
        if self.inward and unsaid and shape.schema.get("x-ref") and val.kind != "null":
            self.wrong(
                row.node,
                "missing-ref",
                f"{row.name} refers to a {shape.schema['x-ref']}",
                f"{{from: …, ref: {shape.schema['x-ref']}}}",
            )
        if row.table is not None:
            val = self._table(row, val, shape)
        if row.ref is not None:
            return self._ref(row, val, shape)
        kind = row.as_
        if kind is None and self.inward and shape.kind in EXACT and val.kind != shape.kind and val.kind != "null":
            is_path = row.source is not None and row.source.segments is not None
            if shape.kind == "decimal" and val.kind == "integer":
                kind = None
            elif is_path or (val.kind in ("any", *NUMBERS) and shape.kind == "decimal"):
                kind = shape.kind
        if kind is None and self.inward and val.kind == "money" and (val.loose or row.round is not None):
            kind = "money"
        if kind is not None:
            found = shape.step("kind") if shape.kind == "quantity" else None
            enum = found[0].enum if found is not None else None
            if not self.inward and kind == "moment" and val.kind == "moment":
                return self._moment_out(scope, row, val)
            rounding = row.round if isinstance(row.round, str) and kind == "money" else None
            val = self.read(
                scope,
                kind,
                val,
                row.options,
                row.source.node if row.source else row.node,
                rounding=rounding,
                quantity_kind=enum[0] if enum is not None and len(enum) == 1 else None,
            )
        if row.round is not None and val.kind != "money":
            digits, mode = (row.round, "half_up") if isinstance(row.round, int) else (0, row.round)
            val = self._guarded(self.cook_guarded(val), True, lambda c: f"f_round({c}, {digits}, {mode!r})", val.kind)
        return val

    def _moment_out(self, scope: Scope, row: Row, val: Val) -> Val:
        options = {
            n: self._option(scope, o).code for n, o in {**self.forms.options.get("moment", {}), **row.options}.items()
        }
        zone, form = options.get("zone", "None"), options.get("format", "None")
        if zone == "'UTC'" and form == "None":
            return val
        return replace(self._guarded(val, True, lambda c: f"moment_text({c}, {zone}, {form})", "any"), sure=True)

    def _table(self, row: Row, val: Val, shape: Shape) -> Val:
        assert row.table is not None
        assert row.table_node is not None
        otherwise = row.otherwise or "error"
        if val.kind in ("object", "list", *AMOUNTS):
            return self._mistyped_at(row.node, f"{spoken(val.kind)} in a table", "single values")
        if val.values is not None and otherwise == "error" and not val.sure:
            lacking = [str(v) for v in map(table_key, val.values) if v not in row.table]
            if lacking:
                self.wrong(
                    row.table_node,
                    "table-gap",
                    f"the table misses {', '.join(lacking[:8])}",
                    "an entry for each, or otherwise: pass | default | park",
                )
            for key in row.table:
                if key not in map(table_key, val.values):
                    self.wrong(
                        row.table_node,
                        "unreachable",
                        f"{val.text} is never {key!r}",
                        nearest(key, map(table_key, val.values)),
                        key=key,
                    )
        self._in_target(row, row.table.values(), shape)
        table = self.constant(row.table, "T")
        values = list(row.table.values())
        kinds = {kind_of(v) for v in values if v is not None}
        kind = next(iter(kinds)) if len(kinds) == 1 else "any"
        if otherwise == "pass":
            kind = kind if kind == val.kind else "any"

        def make(code: str) -> str:
            if self.safe:
                return f"choose({table}, {code}, {otherwise!r})"
            key = code if val.kind == "text" else f"text_of({code})"
            if otherwise == "pass":
                return f"{table}.get({key}, {code})" if val.kind == "text" else f"choose({table}, {code}, 'pass')"
            return f"{table}.get({key}, MISSING)" if otherwise == "default" else f"{table}[{key}]"

        done = self._guarded(val, True, make, kind)
        nulls = done.null or None in values or self.safe
        return replace(
            done,
            null=nulls,
            absent=done.absent or otherwise == "default",
            sure=otherwise != "pass",
            values=tuple(v for v in values if v is not None) if otherwise in ("error", "park") else None,
        )

    def _ref(self, row: Row, val: Val, shape: Shape) -> Val:
        assert row.ref is not None
        otherwise = row.otherwise or ("error" if self.inward else "wait")
        if row.ref not in self.entities:
            self.wrong(
                row.node, "unknown-entity", f"unknown entity {row.ref!r}", nearest(row.ref, self.entities), key="ref"
            )
        wanted = shape.schema.get("x-ref")
        if self.inward and wanted is not None and wanted != row.ref:
            self.wrong(
                row.node, "wrong-ref", f"{row.name} refers to a {wanted}, not a {row.ref}", f"ref: {wanted}", key="ref"
            )
        val = self.referred(val)
        if self.inward:

            def make(code: str) -> str:
                if self.safe:
                    return f"refer(tr, refs, {row.ref!r}, text_of({code}), {otherwise!r}, OWN)"
                return f"refs[({row.ref!r}, {code if val.kind == 'text' else f'text_of({code})'})]"
        elif row.ref == self.naming and row.kept is None:  # the record's own id: it may be about to be created

            def make(code: str) -> str:
                known = self.name("r")
                return f"(None if ({known} := refs.get(({row.ref!r}, {code}))) is None else {known}.id)"
        else:

            def make(code: str) -> str:
                if self.safe:
                    return f"refer_out(refs, {row.ref!r}, {code}, {otherwise!r}, {row.kept!r})"
                found = f"refs[({row.ref!r}, {code})]"
                return f"{found}.id" if row.kept is None else f"{found}.kept[{row.kept!r}]"

        kind = "text" if row.kept is None else "any"
        result = self._guarded(val, True, make, kind)
        if row.kept is None and row.as_ is not None and not self.inward:
            return self.read(Scope(source=result), row.as_, result, row.options, row.node)
        return result

    def referred(self, val: Val) -> Val:
        """The id a value refers by: a platform's link, or the uid of a joined record."""
        if self.inward:
            if self.forms.link is not None and val.kind in ("list", "object", "any"):
                return self._link(val)
            if val.kind in ("object", "list", "boolean", *AMOUNTS):
                assert val.kind
                return replace(val, code=f"text_of({val.code})")
            return val
        if val.shape.step("uid") is not None and val.kind in ("object",):
            return self._guarded(val, True, lambda c: f"{c}['uid']", "text")
        return val

    def _link(self, val: Val) -> Val:
        step = str(self.forms.link)
        return replace(self._guarded(val, True, lambda c: f"at({c}, {step!r}, None)", "any"), null=True)
