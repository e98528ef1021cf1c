"""Hypothesis strategies for documents and records that a JSON Schema allows, biased to the values that hurt.

What surprises here:

* Beside the boundary values (0, "", null, absent, "007", "1E5", 2**53+1, 0.10, non-Latin text) a place is given what
  the mapping's own tests show there (``seen``): a currency is mostly a currency, an id sometimes an id twice.
* Most documents are ``tame``: where the tests show codes there are codes (a currency), and amounts have two digits, so
  that whole orders become records. Half of them are a test's own document with up to three places drawn anew. The
  others are wild.
* Numbers come as the decoder of a channel gives them: whole ones as int, others as Decimal.
* What a schema marks ``writeOnly`` is never told by a platform and stands in no document.
"""

from __future__ import annotations

import copy
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from hypothesis import strategies as st

from mappings.language.properties.lossless import ITEM, Path
from mappings.language.shapes import Shape, shape_of

Seen: TypeAlias = Mapping[Path, Sequence[Any]]
Sample: TypeAlias = st.SearchStrategy[Any]

TEXTS = ("a", "", "0", "007", "1E5", " b ", "null", "false", "Чайник", "ჩაიდანი", "kettle & co", "🫖", "a/b", "O'Neil")
NUMBERS = (0, 1, 2, -1, 10, Decimal("0.10"), Decimal("12490.05"), Decimal("0.005"), 2**53 + 1, Decimal("-0.01"))
WILD = (Decimal("0.005"), 2**53 + 1, -1, Decimal("-0.01"))
MOMENTS = (
    "2026-03-01T09:00:00Z",
    "2026-03-01T14:00:00+05:00",
    "1999-12-31T23:59:59.999999Z",
    "2026-10-25T02:30:00.500+01:00",
    "2024-02-29T00:00:00-03:30",
)
DATES = ("2026-03-01", "1999-12-31", "2024-02-29")
DEEPEST = 12


def places(value: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every place of a document with its value; the items of a list share one place."""
    yield at, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner, (*at, ITEM))


def seen_in(documents: Sequence[Any]) -> dict[Path, list[Any]]:
    """What stands where in documents that somebody wrote: place → its single values, without repetition."""
    found: dict[Path, list[Any]] = {}
    for document in documents:
        for at, value in places(document):
            known = found.setdefault(at, [])
            if not isinstance(value, dict | list) and not any(v == value and type(v) is type(value) for v in known):
                known.append(value)
    return found


def samples(shape: Shape, seen: Seen, documents: Sequence[Any] = ()) -> Sample:
    """Values the shape allows; ``documents`` are good ones. They shrink to the smallest: null, empty, absent."""
    drawing = _Drawing(seen, tame=True)
    tame, wild = drawing.samples(shape), _Drawing(seen, tame=False).samples(shape)
    if not documents:
        return st.one_of(tame, tame, tame, wild)
    varied = _varied(drawing, shape, documents)
    return st.one_of(tame, varied, tame, varied, wild)


@st.composite
def _varied(draw: Any, drawing: _Drawing, shape: Shape, documents: Sequence[Any]) -> Any:
    """A good document with up to three places drawn anew or, where they may be absent, taken away."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(0, 3))):
        spots = list(_spots(document, shape, ()))
        if not spots:
            break
        holder, key, here, at = draw(st.sampled_from(range(len(spots))).map(spots.__getitem__))
        if here is None:
            del holder[key]
        else:
            holder[key] = draw(drawing.samples(here, at))
    return document


def _spots(value: Any, shape: Shape, at: Path) -> Iterator[tuple[Any, Any, Shape | None, Path]]:
    """Where a document can change: (holder, key, its shape or None to take it away, place)."""
    if isinstance(value, dict):
        for name, inner in value.items():
            step = shape.step(name)
            if step is not None:
                yield value, name, step[0], (*at, name)
                if name not in shape.required:
                    yield value, name, None, (*at, name)
                yield from _spots(inner, step[0], (*at, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield value, number, shape.item, (*at, ITEM)
            yield from _spots(inner, shape.item, (*at, ITEM))


class _Drawing:
    """Builds the strategies of one document; ``at`` is the place, by which ``seen`` knows what tests show there."""

    def __init__(self, seen: Seen, *, tame: bool) -> None:
        self.seen, self.tame = seen, tame
        self.known: dict[Path, Sample] = {}

    def samples(self, shape: Shape, at: Path = ()) -> Sample:
        """Values of one place, null among them where the schema allows it."""
        if len(at) > DEEPEST:
            return st.none()
        if at not in self.known:
            values = self._values(shape, at)
            nullable = shape.null and shape.kind != "any"
            self.known[at] = st.one_of(st.none(), values, values, values) if nullable else values
        return self.known[at]

    def _values(self, shape: Shape, at: Path) -> Sample:
        if shape.enum is not None:
            return st.sampled_from(shape.enum)
        schema = shape.schema
        here = [value for value in self.seen.get(at, ()) if value is not None]
        if shape.kind == "boolean":
            return st.booleans()
        if shape.kind in ("integer", "decimal") and "string" not in _listed(schema.get("type")):
            known = [value for value in here if not isinstance(value, str | bool)]
            return self._numbers(schema, known, whole=shape.kind == "integer")
        if shape.kind in ("text", "moment", "date", "decimal"):
            return self._texts(schema, [value for value in here if isinstance(value, str)])
        if shape.kind == "list":
            size = int(schema.get("minItems", 0))
            most = min(int(schema.get("maxItems", 9)), max(size, 2))
            return st.lists(self.samples(shape.item, (*at, ITEM)), min_size=size, max_size=most)
        if shape.kind == "any" and "properties" not in schema:
            return self._union(shape, at) if isinstance(schema.get("type"), list) else _anything(here)
        return self._objects(shape, at)

    def _union(self, shape: Shape, at: Path) -> Sample:
        kinds = [kind for kind in shape.schema["type"] if kind != "null"]
        shapes = [shape_of({**shape.schema, "type": kind}, shape.book) for kind in kinds]
        nothing = st.none() if "null" in shape.schema["type"] else st.nothing()
        return st.one_of(nothing, *(self._values(one, at) for one in shapes))

    def _objects(self, shape: Shape, at: Path) -> Sample:
        required: dict[str, Sample] = {}
        optional: dict[str, Sample] = {}
        for name, schema in shape.properties.items():
            if schema.get("writeOnly") is not True:
                sample = self.samples(shape_of(schema, shape.book), (*at, name))
                (required if name in shape.required else optional)[name] = sample
        extra = shape.schema.get("additionalProperties")
        if shape.properties or extra is False:
            return st.fixed_dictionaries(required, optional=optional)
        one = self.samples(shape_of(extra, shape.book), (*at, ITEM)) if isinstance(extra, dict) else _anything(())
        return st.dictionaries(st.sampled_from(("a", "цвет", "0")), one, max_size=2)

    def _numbers(self, schema: Mapping[str, Any], here: Sequence[Any], *, whole: bool) -> Sample:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))

        def allowed(value: Any) -> bool:
            return (
                (not whole or value == int(value))
                and (low is None or value > low or (value == low and "minimum" in schema))
                and (high is None or value < high or (value == high and "maximum" in schema))
                and not (self.tame and value in WILD)
            )

        known = [v for v in (*here, *NUMBERS, *(v for v in (low, high) if v is not None)) if allowed(v)]
        least = -(10**9) if low is None else int(low) + ("minimum" not in schema)
        drawn = st.integers(least, 10**12 if high is None else int(high))
        if whole:
            return st.sampled_from([int(v) for v in known]) | drawn if known else drawn
        return st.one_of(st.sampled_from(known), drawn.map(lambda n: Decimal(n).scaleb(-2)).filter(allowed))

    def _texts(self, schema: Mapping[str, Any], here: Sequence[str]) -> Sample:
        form, pattern = schema.get("format"), schema.get("pattern")
        least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 60))
        fits = re.compile(pattern, re.ASCII).search if pattern is not None else None

        def allowed(text: str) -> bool:
            return least <= len(text) <= most and (fits is None or fits(text) is not None)

        if "x-ref" in schema:
            return st.sampled_from([f"{schema['x-ref']}:{id}" for id in ("1", "007", "b/2")])
        if self.tame and here and all(re.fullmatch("[A-Za-z]{1,4}", text) for text in here):
            return st.sampled_from(here)
        if form == "date-time" and any(map(allowed, (*here, *MOMENTS))):
            others = MOMENTS if not (self.tame and here) else ()
            return st.sampled_from([text for text in (*here, *others) if allowed(text)])
        if form == "date":
            return st.sampled_from(DATES)
        if form == "decimal":
            plain = [format(Decimal(n), "f") for n in NUMBERS if not (self.tame and n in WILD)]
            cents = st.integers(-(10**6), 10**12).map(lambda n: format(Decimal(n).scaleb(-2), "f"))
            return st.sampled_from([text for text in (*here, *plain) if allowed(text)]) | cents.filter(allowed)
        if pattern is not None and self.tame and here:
            return st.sampled_from(here)
        if pattern is not None:
            whole = pattern[:1] == "^" and pattern[-1:] == "$"
            drawn = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=whole).filter(allowed)
            return st.sampled_from(here) | drawn if here else drawn
        known = [text for text in (*here, *here, *TEXTS) if allowed(text)]
        letters = string.ascii_letters + string.digits + " -_.@қҰღ"
        drawn = st.text(letters, min_size=least, max_size=max(least, min(most, 12)))
        return st.sampled_from(known) | drawn if known else drawn


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _anything(here: Sequence[Any]) -> Sample:
    return st.sampled_from((None, *here, *here, 0, "", False, "007", 2**53 + 1, Decimal("0.10"), "Чайник"))
