"""TOML files as they are read, and what is wrong with a bot's: where, and what to write instead.

May import: pydantic, the standard library.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.bots.positions import KeyPath, lines_of

# That are told at once: nobody reads more, and a file that is something else altogether has tens of thousands.
MOST_FAULTS = 100
M = TypeVar("M", bound=BaseModel)
_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
# A key of more parts than any table of ours has: tomllib takes memory and time by the square of their number. It stands
# at the beginning of a line, or within an inline table.
_PART = r"""[ \t]*+(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\."""
_DEEP = re.compile(rf"(?:^|[{{,])[ \t]*+\[{{0,2}}(?:{_PART}){{32}}", re.MULTILINE)
# By what tomllib says: what was probably meant.
_HINTS = {
    "Expected '=' after a key in a key/value pair": "; a name with signs like @ or . in it stands in quotes",
    "Invalid value": '; texts stand in quotes, like "…"',
    "Expected newline or end of document after a statement": "; write each key on a line of its own",
}


@dataclass(frozen=True, slots=True, order=True)
class BotFault:
    """One fault. file: as the user names it. line: from 1; 0 if it concerns the file. path: of the key, or "".

    message: what is wrong, and what to write.
    """

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class BotFaults(Exception):
    """Files that make no bot. faults: all that was found, in order."""

    def __init__(self, faults: Iterable[BotFault]) -> None:
        told = sorted(faults)
        if rest := told[MOST_FAULTS:]:
            first = rest[0]
            told[MOST_FAULTS:] = [BotFault(first.file, first.line, first.path, "and more; put the others right first")]
        self.faults = tuple(told)
        super().__init__("\n".join(map(str, self.faults)))


class Source:
    """One TOML file, for telling faults by its lines. file: as the user names it. text, data: its content."""

    def __init__(self, file: str, text: str, data: Mapping[str, Any]) -> None:
        self.file = file
        self._text = text
        self.data = data
        self._lines: Mapping[KeyPath, int] | None = None

    def fault(self, path: Sequence[str | int], message: str) -> BotFault:
        """A fault at a key; at the innermost table around it if there is no such key."""
        return BotFault(self.file, self.line(path), self._shown(path), message)

    def line(self, path: Sequence[str | int]) -> int:
        """The line of a key, from 1; that of the innermost table around it if there is no such key."""
        if self._lines is None:
            self._lines = lines_of(self._text)
        known = tuple(path)
        while known and known not in self._lines:
            known = known[:-1]
        return self._lines.get(known, 1)

    def _shown(self, path: Sequence[str | int]) -> str:
        """A path as in TOML. An index is told for tables only: a line tells which text of a list is meant."""
        told = ""
        for number, key in enumerate(path):
            if isinstance(key, int):
                told += f"[{key + 1}]" if isinstance(self.at(path[: number + 1]), dict) else ""
            else:
                told += f".{key}" if told else key
        return told

    def at(self, path: Sequence[str | int]) -> object:
        """The value of a key; None if there is none."""
        value: Any = self.data
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def text_of(file: str, content: bytes) -> str:
    """The text of a file. file: as the user names it. Raises: BotFaults with one fault."""
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BotFaults([BotFault(file, line, "", "is not UTF-8; save it as UTF-8")]) from None


def parse_toml(file: str, content: bytes) -> Source:
    """Read a TOML file. file: as the user names it. Raises: BotFaults with one fault."""
    text = text_of(file, content)
    if (deep := _DEEP.search(text)) is not None:
        line = text.count("\n", 0, deep.start()) + 1
        raise BotFaults([BotFault(file, line, "", "is nested too deeply")])
    try:
        source = Source(file, text, tomllib.loads(text))
        # Neither JSON nor any setting has them.
        if endless := [source.fault(path, "must be a number, like 1.5") for path in _not_finite(source.data)]:
            raise BotFaults(endless)
        return source
    except RecursionError:
        raise BotFaults([BotFault(file, 1, "", "is nested too deeply")]) from None
    except ValueError as error:  # besides those of TOML, numbers with thousands of digits
        message = str(error)
        found = _AT_LINE.search(message)
        end = max(1, len(text.splitlines()))
        line = (int(found[1]) if found[1] else end) if found else 1
        wrong = _AT_LINE.sub("", message)
        hint = _HINTS.get(wrong, "")
        raise BotFaults([BotFault(file, line, "", f"is no TOML: {wrong[:1].lower()}{wrong[1:]}{hint}")]) from None


def _not_finite(value: object, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Where inf and nan stand."""
    match value:
        case dict():
            for key, each in value.items():
                yield from _not_finite(each, *path, key)
        case list():
            for at, each in enumerate(value):
                yield from _not_finite(each, *path, at)
        case float() if not math.isfinite(value):
            yield path


def checked(model: type[M], source: Source) -> M:
    """The data of a file as a model. Raises: BotFaults."""
    try:
        return validated(model, source.data)
    except ValidationError as error:
        raise BotFaults(faults_of(error, source, model)) from None


def validated(model: type[M], data: object) -> M:
    """Data of a TOML file as a model. Raises: ValidationError."""
    # By way of JSON, where strict means what TOML means: a list is a list, and a date may be a text.
    return model.model_validate_json(json.dumps(data, default=str), strict=True)


def faults_of(error: ValidationError, source: Source, model: type[BaseModel], prefix: KeyPath = ()) -> list[BotFault]:
    """The faults of a model, each once. prefix: where its data stand in the file."""
    found: dict[KeyPath, BotFault] = {}
    for each in error.errors(include_url=False):
        path = _path_in(source, prefix, each)
        if path in found:
            continue
        if len(found) > MOST_FAULTS:
            break
        found[path] = source.fault(path, message_of(each, path, model, len(prefix)))
    return list(found.values())


def _path_in(source: Source, prefix: KeyPath, error: ErrorDetails) -> KeyPath:
    """Where in the file an error is: pydantic's location without the names of a union's members."""
    path = prefix
    for number, key in enumerate(error["loc"]):
        last = number == len(error["loc"]) - 1
        inside = source.at(path)
        known = (isinstance(inside, dict) and key in inside) or (isinstance(inside, list) and isinstance(key, int))
        if known or (last and error["type"] == "missing"):
            path = (*path, key)
    return path


# By pydantic's type of error; filled with its context.
_MESSAGES = {
    "string_type": 'must be a text in quotes, like "…"',
    "int_type": "must be a whole number, like 3",
    "int_from_float": "must be a whole number, like 3",
    "float_type": "must be a number, like 1.5",
    "finite_number": "must be a number, like 1.5",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "greater_than": "must be more than {gt}",
    "string_too_short": "must not be empty",
    "too_long": "has more than {max_length}; leave some out",
    "tuple_type": 'must be a list, like ["…"]',
    "list_type": 'must be a list, like ["…"]',
    "dict_type": "must be a table, like {{ key = … }}",
    "model_type": "must be a table, like {{ key = … }}",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
    "union_tag_not_found": "needs {discriminator}, for example type = …",
}
# By the pattern that a text must match.
_FORMS = {
    "^/": 'must begin with a slash, like "/desk"',
    "^https?://": 'must be a URL, like "https://host/path"',
    "^[A-Za-z0-9_-]{1,64}$": "has letters, digits, - and _ only, at most 64 of them",
}
# Keys that are missed, with what to write.
_EXAMPLES = {
    "bot": '[bot], with greeting = "…" and instructions = "…"',
    "greeting": 'greeting = "Hello, this is … How can I help you?"',
    "instructions": 'instructions = { file = "instructions.md" }',
}
# Keys that one may expect, with what to write instead.
_INSTEAD: Mapping[tuple[str, ...], str] = {
    ("model", "tools"): "is not the model's here: its functions are the bot's tasks; write [[task]]",
    ("model", "tool_choice"): "is Tieline's to decide; leave it out",
    ("model", "instructions"): "stands in [bot]; write it there",
    ("model", "output_modalities"): "is always audio; leave it out",
    ("model", "audio"): "is written without this table: voice, speed, turn_detection and so on stand in [model] itself",
    ("model", "format"): "is chosen for each call by what VoiceAI Connect offers; leave it out",
    ("model", "model"): "is called name here; write name = …",
    ("model", "temperature"): "is no field of the Realtime API any more; leave it out",
    ("model", "type"): "is always realtime; leave it out",
}


def message_of(error: ErrorDetails, path: KeyPath, model: type[BaseModel], skip: int = 0) -> str:
    """What is wrong, and what to write. path: in the file, of which the first `skip` keys lead to the model."""
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "missing":
            return missing(str(path[-1]))
        case "extra_forbidden":
            if told := _INSTEAD.get(tuple(map(str, path[-2:]))):
                return told
            return unknown_key(str(path[-1]), _keys_at(_schema_of(model), path[skip:-1]))
        case "string_pattern_mismatch":
            return _FORMS.get(context["pattern"], "is not of the form that it must have: {pattern}").format(**context)
        case kind if kind in _MESSAGES:
            return _MESSAGES[kind].format(**context)
        case _:
            return error["msg"][:1].lower() + error["msg"][1:]


def missing(key: str) -> str:
    """The message for a key that has to be written."""
    return f"is missing; write {_EXAMPLES.get(key, f'{key} = …')}"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message for a key that a table does not have."""
    return f"is no key of this table; {unknown_name(key, known)}"


def unknown_name(name: str, known: Iterable[str]) -> str:
    """What to write instead of a name that is not known: the nearest, and all there are."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    told = f'did you mean "{near[0]}"? ' if near else ""
    return f"{told}there are {', '.join(names)}"


@cache
def _schema_of(model: type[BaseModel]) -> Mapping[str, Any]:
    return model.model_json_schema()


def _keys_at(schema: Mapping[str, Any], path: KeyPath) -> set[str]:
    """The keys that a table may have, by the JSON schema of its model."""
    tables = _members(schema, schema)
    for key in path:
        inner: list[Mapping[str, Any]] = []
        for each in tables:
            found = each.get("items") if isinstance(key, int) else each.get("properties", {}).get(key)
            found = found or each.get("additionalProperties")
            inner += _members(found, schema) if isinstance(found, dict) else []
        tables = inner
    return {name for each in tables for name in each.get("properties", {})}


def _members(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A schema without references: itself, or each of its alternatives."""
    if "$ref" in schema:
        schema = whole["$defs"][str(schema["$ref"]).rpartition("/")[2]]
    others = (*schema.get("anyOf", ()), *schema.get("oneOf", ()))
    return [schema, *(found for each in others for found in _members(each, whole))]
