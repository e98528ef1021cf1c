"""The bounds a canonical schema sets to a text: how long it is, what it looks like, which words there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.language.values import Refused

RULES = ("minLength", "maxLength", "pattern", "enum")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What a text must be. ``form`` is searched in it, as JSON Schema does."""

    least: int = 0
    most: int | None = None
    form: re.Pattern[str] | None = None
    words: tuple[Any, ...] | None = None


EMPTY = Rule(least=1)


def rule_of(schema: Mapping[str, Any]) -> Rule | None:
    """The bounds of a text field; None when it has none."""
    if not any(word in schema for word in RULES):
        return None
    return Rule(
        least=schema.get("minLength", 0),
        most=schema.get("maxLength"),
        form=re.compile(schema["pattern"]) if "pattern" in schema else None,
        words=tuple(schema["enum"]) if "enum" in schema else None,
    )


def within(value: Any, rule: Rule) -> Any:
    """The text, when it keeps to its field's bounds; null, absent and what waits for a reference pass."""
    if value.__class__ is not str:
        return value
    if len(value) < rule.least:
        what = "the text is empty" if not value else f"the text is shorter than {rule.least} characters"
        raise Refused("schema", what, value)
    if rule.most is not None and len(value) > rule.most:
        raise Refused("schema", f"the text is longer than {rule.most} characters", value)
    if rule.form is not None and rule.form.search(value) is None:
        raise Refused("schema", f"the text does not have the form {rule.form.pattern}", value)
    if rule.words is not None and value not in rule.words:
        raise Refused("schema", f"the text is none of {', '.join(str(word) for word in rule.words[:20])}", value)
    return value
