"""What may stand in the braces of a template that people write into files: one rule for tasks, tools and sentences.

A template of a file must not be able to fail in a call. Tasks in Python are code, and may use all that Python formats.
Pure. May import: the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import Formatter

# The forms of values, by what has them: those of strftime for days and times, with literal text between the signs.
EAR = "ear"
OF_DAYS = r"ear|(?=.*%)(?:%-?[aAbBdjmuVyY]|[^%{}]){1,40}"
OF_TIMES = r"ear|(?=.*%)(?:%-?[HIMpS]|[^%{}]){1,40}"
# One character at a time.
SPELLED = "spelled"
OF_TEXTS = SPELLED
OF_GROUPS = f"ear|{SPELLED}"
# Of what is sensitive, nothing else.
LAST4 = "last4"
# With so many decimals, or as a sum of a currency.
DECIMALS = r"\.[0-6]f"
OF_AMOUNTS = f"{DECIMALS}|[A-Z]{{3}}"
# Of tools' requests, in any of which a day or time may stand as in ISO 8601.
_FORM = re.compile(f"|iso|{OF_DAYS}|{OF_TIMES}|{OF_GROUPS}|{OF_AMOUNTS}|{LAST4}")
# Digits alone would count the values.
VALUE = r"[^\W\d][\w-]*"
_NAME = re.compile(VALUE)
_ATTRIBUTE = re.compile(r"\.(\w+)")
_PLAIN_NAME = "write the name of a value, without attributes and indexes"


@dataclass(frozen=True, slots=True)
class Part:
    """Text, and the value after it. name: None at the end. form: after the colon."""

    text: str
    name: str | None
    form: str


def parts_of(template: str, named: re.Pattern[str] = _NAME, allowed: re.Pattern[str] = _FORM) -> Iterator[Part]:
    """The parts of a file's template. named: what may stand for a value. allowed: which forms it may have.

    Raises: ValueError, with what to write, for braces that do not pair, attributes, conversions, widths and the like.
    """
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{error}; write a brace that is to be said as {{{{ or }}}}") from None
    for text, name, form, conversion in parsed:
        if name is not None:
            if not named.fullmatch(name):
                indexed = _ATTRIBUTE.sub(r"[\1]", name)
                told = f"write {{{indexed}}}" if "[" in name and named.fullmatch(indexed) else _PLAIN_NAME
                raise ValueError(f"{{{name}}}: {told}")
            if conversion:
                raise ValueError(f"{{{name}!{conversion}}}: write {{{name}}}")
            if not allowed.fullmatch(form or ""):
                raise ValueError(f"{{{name}:{form}}}: there is no such form of a value; write {{{name}}}")
        yield Part(text, name, form or "")
