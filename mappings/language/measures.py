"""What an amount counts, known before anything runs: its currency, its unit, the kinds of quantity it may be.

The schema of a platform says so of a field by ``x-currency``, ``x-unit`` and ``x-kind`` (``on_hand``, ``available``,
``ordered``); the canonical schemas say it of quantities; a mapping says it by constants (``money(x, 'KZT')``). Nothing
known means nothing is refused here: while a mapping runs, values carry what they count and are checked again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mappings.language.shapes import Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """``kinds`` are all the kinds of quantity it may be; empty or None: unknown."""

    currency: str | None = None
    unit: str | None = None
    kinds: tuple[str, ...] = ()

    def either(self, other: Measure) -> Measure:
        """What is known of a value that is one or the other."""
        return Measure(
            currency=self.currency if self.currency == other.currency else None,
            unit=self.unit if self.unit == other.unit else None,
            kinds=tuple(dict.fromkeys((*self.kinds, *other.kinds))) if self.kinds and other.kinds else (),
        )

    def joined(self, other: Measure) -> Measure:
        """What is known of a sum or a difference: what one side does not tell, the other does."""
        return Measure(
            currency=self.currency or other.currency, unit=self.unit or other.unit, kinds=self.kinds or other.kinds
        )

    def clash(self, other: Measure) -> str:
        """In which way two amounts cannot be added or compared; "" when nothing is known against it."""
        if self.currency and other.currency and self.currency != other.currency:
            return f"{self.currency} and {other.currency}"
        if self.unit and other.unit and self.unit != other.unit:
            return f"{self.unit} and {other.unit}"
        if self.kinds and other.kinds and not set(self.kinds) & set(other.kinds):
            return f"{' or '.join(self.kinds)} and {' or '.join(other.kinds)}"
        return ""

    def without_kind(self) -> Measure:
        """The same of another kind."""
        return replace(self, kinds=())


UNMEASURED = Measure()


def measure_of(shape: Shape) -> Measure:
    """What a schema says that a field counts."""
    schema = shape.schema
    if shape.kind == "quantity":
        found = shape.step("kind")
        kinds = found[0].enum if found is not None else None
        return Measure(kinds=tuple(map(str, kinds)) if kinds is not None else ())
    said = {name: schema.get(f"x-{name}") for name in ("currency", "unit", "kind")}
    if not any(isinstance(value, str) for value in said.values()):
        return UNMEASURED
    currency, unit, kind = (value if isinstance(value, str) else None for value in said.values())
    return Measure(currency=currency, unit=unit, kinds=(kind,) if kind is not None else ())
