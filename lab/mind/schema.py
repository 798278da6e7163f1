"""JSON schemas of a tool's parameters: the declared properties, and whether a value fits.

Supports the part of JSON schema that is usual for function calls, including pydantic's output.
May import: the standard library, lab.mind.prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import cast

from lab.mind.prompt import Tool

Schema = Mapping[str, object]
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class Property:
    """One parameter. schema: with references and alternatives resolved. nullable: null says that there is no value."""

    name: str
    schema: Schema
    required: bool
    nullable: bool = False

    @property
    def type(self) -> str:
        kind = self.schema.get("type")
        return kind if isinstance(kind, str) else ""

    @property
    def description(self) -> str:
        return str(self.schema.get("description") or self.schema.get("title") or "")

    @property
    def choices(self) -> tuple[object, ...]:
        """The values an enum or a const allows, also for an array's items; empty if not restricted."""
        schema = self.items if self.type == "array" else self.schema
        if "const" in schema:
            return (schema["const"],)
        return tuple(_listed(schema.get("enum")))

    @property
    def items(self) -> Schema:
        return _mapping(self.schema.get("items"))

    @property
    def pattern(self) -> str:
        return str(self.schema.get("pattern") or "")

    @property
    def kind(self) -> str:
        """The kind of value to extract: choice, date, time, date-time, boolean, number, digits, email, text or ""."""
        if self.choices:
            return "choice"
        if self.type == "boolean":
            return "boolean"
        if self.type in ("integer", "number"):
            return "number"
        if self.type not in ("string", ""):
            return ""
        declared = str(self.schema.get("format") or "")
        if declared in ("date", "time", "date-time", "email"):
            return declared
        return self._kind_of_text()

    def _kind_of_text(self) -> str:
        hint = f"{self.description} {self.pattern}"
        if "YYYY-MM-DD" in hint:
            return "date"
        if re.search(r"\bHH:MM", hint):
            return "time"
        about = re.findall(r"[a-z]+", f"{self.name} {self.description}".lower().replace("_", " "))
        if {"email", "mail"}.intersection(about):
            return "email"
        counted = {"number", "phone", "telephone", "digits", "code", "zip", "postcode", "pin", "id"}
        if re.search(r"\\d|\[0-9\]", self.pattern) or counted.intersection(about):
            return "digits"
        return "text"


def properties(tool: Tool) -> tuple[Property, ...]:
    """The parameters of a tool, in declared order."""
    declared = _mapping(tool.parameters.get("properties"))
    required = tool.parameters.get("required")
    names = set(map(str, required)) if isinstance(required, Sequence) else set()
    return tuple(
        Property(
            str(name),
            _plain_schema(_mapping(schema), tool.parameters),
            str(name) in names,
            _takes_null(_mapping(schema), tool.parameters),
        )
        for name, schema in declared.items()
    )


def _takes_null(schema: Schema, root: Schema, depth: int = 0) -> bool:
    """Whether a schema allows null, by its type or by one of its alternatives."""
    if depth > 8:
        return False
    kinds = schema.get("type")
    if kinds == "null" or "null" in _listed(kinds):
        return True
    options = [*_listed(schema.get("anyOf")), *_listed(schema.get("oneOf"))]
    if any(_takes_null(_mapping(one), root, depth + 1) for one in options):
        return True
    target = _referred(schema, root)
    return target is not None and _takes_null(target, root, depth + 1)


def fits(value: object, schema: Schema) -> bool:
    """Whether the schema allows a value."""
    kind = schema.get("type")
    if isinstance(value, bool) and kind in ("integer", "number"):  # True is an int only to Python
        return False
    if isinstance(kind, str) and not isinstance(value, _TYPES.get(kind, object)):
        return False
    listed = schema.get("enum")
    if isinstance(listed, Sequence) and not _among(value, listed):
        return False
    if "const" in schema and not _among(value, (schema["const"],)):
        return False
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int | float):
        return _in_range(value, schema)
    if isinstance(value, str):
        return _text_fits(value, schema)
    if isinstance(value, list):
        return all(fits(one, _mapping(schema.get("items"))) for one in value) and _counted(len(value), schema, "Items")
    return True


def _among(value: object, listed: Sequence[object]) -> bool:
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in listed)


def _in_range(value: float, schema: Schema) -> bool:
    bounds = {name: schema.get(name) for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")}
    low, high, above, below = (
        bound if isinstance(bound, int | float) and not isinstance(bound, bool) else None for bound in bounds.values()
    )
    return (
        (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
        and (below is None or value < below)
    )


def _text_fits(value: str, schema: Schema) -> bool:
    try:
        if re.search(str(schema.get("pattern") or ""), value) is None:
            return False
    except re.error:
        return False  # an invalid pattern fits nothing
    declared = schema.get("format")
    try:
        if declared == "date":
            date.fromisoformat(value)
        elif declared == "time":
            time.fromisoformat(value)
    except ValueError:
        return False
    return _counted(len(value), schema, "Length")


def _counted(count: int, schema: Schema, what: str) -> bool:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    return not (isinstance(low, int) and count < low) and not (isinstance(high, int) and count > high)


def _mapping(value: object) -> Schema:
    return cast(Schema, value) if isinstance(value, Mapping) else {}


def _listed(value: object) -> Sequence[object]:
    """The elements of a list; none of anything else."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _referred(schema: Schema, root: Schema) -> Schema | None:
    """What a schema's reference leads to; None if it has none."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    target = root
    for step in reference[2:].split("/"):
        target = _mapping(target.get(step))
    return target


def _plain_schema(schema: Schema, root: Schema, depth: int = 0) -> Schema:
    """The schema with references resolved and the first alternative other than null chosen."""
    if depth > 8:
        return {}
    target = _referred(schema, root)
    if target is not None:
        return _plain_schema(
            {**target, **{name: value for name, value in schema.items() if name != "$ref"}}, root, depth + 1
        )
    for several in ("anyOf", "oneOf", "allOf"):
        options = schema.get(several)
        if isinstance(options, Sequence) and not isinstance(options, str):
            chosen = next((_mapping(one) for one in options if _mapping(one).get("type") != "null"), {})
            rest = {name: value for name, value in schema.items() if name != several}
            return _plain_schema({**chosen, **rest}, root, depth + 1)
    kinds = schema.get("type")
    if isinstance(kinds, Sequence) and not isinstance(kinds, str):
        return {**schema, "type": next((kind for kind in kinds if kind != "null"), "")}
    if isinstance(schema.get("items"), Mapping):
        return {**schema, "items": _plain_schema(_mapping(schema["items"]), root, depth + 1)}
    return schema
