"""What a tool's file says of requests and replies: templates, and JMESPath expressions.

Pure. May import: fsm, jmespath, the standard library.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from fsm.conditions import plain
from fsm.locales import LONGEST_TEXT, Locale
from fsm.templates import VALUE, parts_of

# A number as people write it; JMESPath wants its literals in backticks.
_NUMBER = re.compile(r"(?P<quoted>'[^']*'|\"[^\"]*\"|`[^`]*`)|(?<![\w.\[:])(?P<number>-?\d+(?:\.\d+)?)(?![\w.\]:])")


# Names with a point, which are no attributes: what was found before the call, and parameters of its start.
_POINTED = re.compile(r"(before|start)\.\w+")
# What may stand for a value: one, or one of a list in a reply, `alternatives[0]`.
_NAMED = re.compile(rf"{VALUE}(\[[\w-]+\])*|{_POINTED.pattern}")
# A text that is one name and nothing else.
ALONE = re.compile(r"\{((?:(?:before|start)\.)?\w+)\}")


# The forms that every value has.
_PLAIN = ("", "iso")


class Missing(Exception):
    """A template names a value that is not known."""


class _Formatter(string.Formatter):
    def get_field(self, field_name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        if _POINTED.fullmatch(field_name):
            return self.get_value(field_name, args, kwargs), field_name
        return super().get_field(field_name, args, kwargs)

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        try:
            return kwargs[str(key)]
        except KeyError:
            raise Missing(str(key)) from None

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec in _PLAIN:
            return _text(plain(value))
        return str(super().format_field(value, format_spec))


_FORMATTER = _Formatter()


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else "" if value is None else str(value)


def fields(template: str) -> set[str]:
    """The names in a template. Raises: ValueError for what a template of a file must not have, with what to write."""
    return {part.name.partition("[")[0] for part in parts_of(template, _NAMED) if part.name is not None}


def forms(template: str) -> Iterator[tuple[str, str]]:
    """The names in a template that have a form other than that of ISO 8601, each with it. Raises: as `fields`."""
    for part in parts_of(template, _NAMED):
        if part.name is not None and part.form not in _PLAIN:
            yield part.name, part.form


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The template with its values: days and times as in ISO 8601. Raises: Missing."""
    try:
        return _FORMATTER.vformat(template, (), values)
    except (KeyError, IndexError, TypeError, ValueError):
        raise Missing(template) from None


def said(template: str, values: Mapping[str, Any], locale: Locale) -> str:
    """The template as a sentence for a caller: days and times for the ear, unless `{at:iso}` asks. Raises: Missing."""
    try:
        return _Spoken(locale).vformat(template, (), values)
    except (KeyError, IndexError, TypeError, ValueError):
        raise Missing(template) from None


class _Spoken(_Formatter):
    def __init__(self, locale: Locale) -> None:
        self._speaker = locale.formatter

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "iso" or isinstance(value, bool | None):
            return super().format_field(value, format_spec)
        if isinstance(value, list | dict) or (isinstance(value, str) and len(value) > LONGEST_TEXT):
            raise ValueError("nothing that can be said")
        return str(self._speaker.format_field(value, format_spec))


def filled_url(template: str, values: Mapping[str, Any]) -> str:
    """The same, with every value quoted so that it stays within its place. Raises: Missing."""
    return filled(template, {name: _Quoted(value) for name, value in values.items()})


class _Quoted:
    """A value that quotes itself when it is formatted."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __getitem__(self, key: Any) -> _Quoted:
        return _Quoted(self._value[int(key) if isinstance(self._value, list) else key])

    def __str__(self) -> str:
        return quote(_text(plain(self._value)), safe="")

    def __format__(self, format_spec: str) -> str:
        return quote(_FORMATTER.format_field(self._value, format_spec), safe="")


def filled_json(template: Any, values: Mapping[str, Any]) -> Any:
    """JSON with templates in its texts. A text that is one name alone becomes its value, or is left out without one."""
    match template:
        case dict():
            pairs = {key: filled_json(each, values) for key, each in template.items()}
            return {key: each for key, each in pairs.items() if each is not _LEFT_OUT}
        case list():
            return [each for each in (filled_json(one, values) for one in template) if each is not _LEFT_OUT]
        case str() if (alone := ALONE.fullmatch(template)) is not None:
            return plain(values[alone[1]]) if values.get(alone[1]) is not None else _LEFT_OUT
        case str():
            return filled(template, values)
        case _:
            return template


_LEFT_OUT = object()


def expression(text: str) -> ParsedResult:
    """A JMESPath expression, in which numbers may stand as they are. Raises: ValueError."""
    try:
        made = jmespath.compile(_NUMBER.sub(lambda match: match["quoted"] or f"`{match['number']}`", text))
    except JMESPathError as error:
        raise ValueError(f"is no JMESPath expression: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError("is nested too deeply; write a shorter one") from None
    for function, arguments in _called(made.parsed):
        _check_called(function, arguments)
    return made


def _called(node: Any) -> Iterator[tuple[str, int]]:
    """The functions in a parsed expression, each with the number of its arguments."""
    nodes = [node]
    while nodes:
        found = nodes.pop()
        if found["type"] == "function_expression":
            yield found["value"], len(found["children"])
        nodes += (each for each in found["children"] if isinstance(each, dict))


def _check_called(function: str, arguments: int) -> None:
    """Raises: ValueError for a function that JMESPath does not have, or not with so many arguments."""
    known = Functions.FUNCTION_TABLE.get(function)
    if known is None:
        raise ValueError(f"there is no function {function}(); there are {', '.join(sorted(Functions.FUNCTION_TABLE))}")
    signature = known["signature"]
    least, at_least = len(signature), bool(signature and signature[-1].get("variadic"))
    if arguments < least or (arguments > least and not at_least):
        raise ValueError(f"{function}() takes {least} values{' or more' if at_least else ''}, and not {arguments}")


# What an expression may raise when it is applied: what JMESPath says itself, and what it lets through of Python's, as
# of contains(text, `1`), [::0], or ceil() of what is no number.
_INAPPLICABLE = (JMESPathError, ValueError, TypeError, ArithmeticError, RecursionError)


def searched(value: ParsedResult, document: Any) -> Any:
    """What an expression finds; None if nothing, or if it cannot be applied."""
    try:
        return value.search(document)
    except _INAPPLICABLE:
        return None


def holds(condition: ParsedResult, document: Any) -> bool:
    """Whether a condition is true of a document. What cannot be compared is not."""
    try:
        return bool(condition.search(document))
    except _INAPPLICABLE:
        return False
