"""Functions of text: nothing here makes text of a number, and no text grows beyond a million characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

import re2
from anyascii import anyascii

from mappings.language.functions.registry import Family, list_only, of_items, of_length, whole
from mappings.language.operators import same_value, text_only
from mappings.language.values import Refused

family = Family("text")

family("trim(value: text) -> text", "without blanks at both ends", "trim('  kettle ')", "kettle")(str.strip)
family("upper(value: text) -> text", "in capitals", "upper('kzt')", "KZT")(str.upper)
family("lower(value: text) -> text", "in small letters", "lower('RED')", "red")(str.lower)
family("title(value: text) -> text", "each word capitalised", "title('tea kettle')", "Tea Kettle")(str.title)
family(
    "casefold(value: text) -> text",
    "for comparing without regard to case",
    "casefold('Straße') == casefold('STRASSE')",
    True,
)(str.casefold)


@family(
    "normalise(value: text) -> text",
    "one code for one letter (Unicode NFC): what looks alike is equal",
    "normalise('и\u0306') == 'й'",
    True,
)
def _normalise(value: str) -> str:
    of_length(len(text_only(value)))
    return unicodedata.normalize("NFC", value)


@family(
    "squeeze(value: text) -> text", "trimmed, each run of blanks one space", "squeeze(' tea   kettle ')", "tea kettle"
)
def _squeeze(value: str) -> str:
    return " ".join(text_only(value).split())


@family("replace(value: text, old: text, new: text) -> text", "every `old` replaced", "replace('a-b', '-', '/')", "a/b")
def _replace(value: str, old: str, new: str) -> str:
    found = text_only(value).count(text_only(old))
    of_length(len(value) + found * len(text_only(new)))
    return value.replace(old, new)


@family(
    "split(value: text, by: text, limit: integer = 0) -> texts",
    "the parts between `by`; with a limit at most so many, the last one whole",
    "split('a,b,c', ',', 2)",
    ["a", "b,c"],
)
def _split(value: str, by: str, limit: int = 0) -> list[str]:
    if whole(limit) < 0 or not text_only(by):
        raise Refused("split", "`by` is not empty and the limit not negative")
    of_items(min(text_only(value).count(by) + 1, limit or len(value) + 1))
    return value.split(by, limit - 1)


@family("join(values: list, by: text = '') -> text", "the texts in one, `by` between", "join(['a', 'b'], '/')", "a/b")
def _join(values: Iterable[Any], by: str = "") -> str:
    texts = [text_only(value) for value in list_only(values)]
    of_length(sum(map(len, texts)) + len(text_only(by)) * len(texts))
    return by.join(texts)


_NOT_XML = re.compile("[\\\\]|[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPED = re.compile(r"\\(\\|u(?:00(?:0[1-9A-F]|1[0-9A-F])|FFF[EF]))")


@family(
    "escape_controls(value: text) -> text",
    r"signs that XML cannot hold as `\u001D`, a backslash twice: for marks of goods; `unescape_controls` undoes it",
    r"unescape_controls(escape_controls('0104\u001d21')) == '0104\u001d21'",
    True,
)
def _escape_controls(value: str) -> str:
    of_length(6 * len(text_only(value)))
    return _NOT_XML.sub(lambda found: "\\\\" if found[0] == "\\" else f"\\u{ord(found[0]):04X}", value)


@family(
    "unescape_controls(value: text) -> text",
    "the text that `escape_controls` was given",
    "unescape_controls(escape_controls('a')) == 'a'",
    True,
)
def _unescape_controls(value: str) -> str:
    return _ESCAPED.sub(lambda found: "\\" if found[1] == "\\" else chr(int(found[1][1:], 16)), text_only(value))


@family("left(value: text, count: integer) -> text", "the first characters", "left('kettle', 3)", "ket")
def _left(value: str, count: int) -> str:
    return text_only(value)[: max(whole(count), 0)]


@family("right(value: text, count: integer) -> text", "the last characters", "right('kettle', 2)", "le")
def _right(value: str, count: int) -> str:
    return text_only(value)[max(len(value) - max(whole(count), 0), 0) :]


@family(
    "substring(value: text, start: integer, end: integer = 0) -> text",
    "from the character `start` (the first is 0) up to `end`, which is left out; without it to the last",
    "substring('kettle', 1, 3)",
    "et",
)
def _substring(value: str, start: int, end: int | None = None) -> str:
    if whole(start) < 0 or (end is not None and whole(end) < start):
        raise Refused("substring", "start is not negative and end not before it")
    return text_only(value)[start:end]


@family(
    "find(value: text, part: text) -> integer?",
    "the place of the part (the first is 0); null without one",
    "find('kettle', 'tt')",
    2,
)
def _find(value: str, part: str) -> int | None:
    found = text_only(value).find(text_only(part))
    return None if found < 0 else found


def _padding(value: str, width: int, fill: str) -> str:
    if len(text_only(fill)) != 1 or not 0 <= whole(width) <= 1000:
        raise Refused("pad", "`fill` is one character and the width at most 1000")
    return fill * (width - len(text_only(value)))


@family(
    "pad_left(value: text, width: integer, fill: text = ' ') -> text",
    "filled up at the left; longer text stays",
    "pad_left('7', 3, '0')",
    "007",
)
def _pad_left(value: str, width: int, fill: str = " ") -> str:
    return _padding(value, width, fill) + value


@family(
    "pad_right(value: text, width: integer, fill: text = ' ') -> text",
    "filled up at the right; longer text stays",
    "pad_right('ab', 4, '.')",
    "ab..",
)
def _pad_right(value: str, width: int, fill: str = " ") -> str:
    return value + _padding(value, width, fill)


@family(
    "ascii(value: text) -> text",
    "in ASCII: accents dropped; Cyrillic, Georgian, Greek and others written in Latin letters",
    "ascii('Қазақстан, თბილისი, Ελλάδα')",
    "Qazaqstan, tbilisi, Ellada",
)
def _ascii(value: str) -> str:
    made: str = anyascii(text_only(value))
    of_length(len(made))
    return made


@family("slug(value: text) -> text", "for an address: Latin, small, hyphens", "slug('Чайник 2 л')", "chaynik-2-l")
def _slug(value: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", _ascii(value).lower()).strip("-")


class _Text(HTMLParser):
    """Keeps the text of HTML; a block or a line break becomes a line's end."""

    BLOCKS = frozenset(
        (
            "p",
            "div",
            "br",
            "hr",
            "li",
            "ul",
            "ol",
            "tr",
            "table",
            "blockquote",
            "section",
            "article",
            "header",
            "footer",
        )
    ) | {f"h{level}" for level in range(1, 7)}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in self.BLOCKS:
            self.parts.append("\n")
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.BLOCKS:
            self.parts.append("\n")
        if tag in ("script", "style"):
            self.hidden = max(self.hidden - 1, 0)

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


@family(
    "strip_html(value: text) -> text",
    "the text of HTML: no tags, scripts or styles; entities read, a line for each block",
    "strip_html('<p>Tea &amp; <b>kettle</b></p><script>x()</script>')",
    "Tea & kettle",
)
def _strip_html(value: str) -> str:
    of_length(len(text_only(value)))
    parser = _Text()
    try:
        parser.feed(value)
        parser.close()
    except (AssertionError, ValueError):
        raise Refused("html", "the text is not HTML", value) from None
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line)


@family(
    "contains(value: any, part: any) -> boolean",
    "whether the part is in the text or list",
    "contains('kettle', 'tt')",
    True,
)
def contains(value: Any, part: Any) -> bool:
    """Also the operator `in`; 1 is not in [true]."""
    if value.__class__ is str:
        return text_only(part) in value
    return any(same_value(item, part) for item in list_only(value))


@family("startswith(value: text, start: text) -> boolean", "whether it begins so", "startswith('SKU-1', 'SKU')", True)
def _startswith(value: str, start: str) -> bool:
    return text_only(value).startswith(text_only(start))


@family("endswith(value: text, end: text) -> boolean", "whether it ends so", "endswith('a.png', '.png')", True)
def _endswith(value: str, end: str) -> bool:
    return text_only(value).endswith(text_only(end))


@family("digits(value: text) -> text", "only the digits", "digits('+7 (701) 5')", "77015")
def _digits(value: str) -> str:
    return re.sub(r"[^0-9]", "", text_only(value))


@family("len(value: any) -> integer", "how many characters or items", "len('kettle')", 6)
def _len(value: Any) -> int:
    return len(value) if value.__class__ is str else len(list_only(value))


@lru_cache(maxsize=512)
def pattern(text: str) -> Any:
    """The compiled pattern. RE2 runs in time linear in the text; what would need more it does not know."""
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = str(error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else error)
        raise Refused("pattern", f"the pattern is not a regular expression of RE2: {said}") from None


@family(
    "matches(value: text, pattern: pattern) -> boolean",
    "whether the whole text fits (RE2)",
    "matches('AB-12', '[A-Z]+-[0-9]+')",
    True,
)
def _matches(value: str, form: str) -> bool:
    return pattern(form).fullmatch(text_only(value)) is not None


@family(
    "extract(value: text, pattern: pattern) -> text?",
    "the first match, or its first group; null without one",
    "extract('Order #1001', '#([0-9]+)')",
    "1001",
)
def _extract(value: str, form: str) -> str | None:
    found = pattern(form).search(text_only(value))
    if found is None:
        return None
    text: str | None = found.group(1) if found.re.groups else found.group(0)
    return text


@family(
    "replace_pattern(value: text, pattern: pattern, new: text) -> text",
    "every match (RE2) replaced by `new` as it stands",
    "replace_pattern('тел. 701', '[^0-9]+', '')",
    "701",
)
def _replace_pattern(value: str, form: str, new: str) -> str:
    parts, end = [], 0
    for found in pattern(form).finditer(text_only(value)):
        parts += [value[end : found.start()], text_only(new)]
        end = found.end()
    of_length(sum(map(len, parts)) + len(value) - end)
    return "".join(parts) + value[end:]
