"""Whatever is said, declared and returned: the mind answers, and its calls keep to their schemas."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.mind import AssistantSaid, Called, CallOutput, Prompt, SystemNote, Tool, UserSaid, think
from tests.lab.mind_call import AT, DAY, NAME, NOW

WORDS = re.findall(
    "[^|]+",
    "tomorrow|ten|thirty|yes|no|small|large|appointment|cancel|my name is|Maria|what|make it|"
    "the second|order|and|because|one|double|two|pm|forget it|not|on Monday|,|?",
)
TALK = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
SCALAR = st.sampled_from([
    DAY, AT, NAME,
    {"type": "integer", "minimum": 2, "maximum": 12}, {"type": "number"}, {"type": "boolean"}, {"type": "string"},
    {"type": "string", "enum": ["small", "large", "two"]}, {"type": "integer", "enum": [1, 2, 10]},
    {"enum": ["yes", "no", 2, None]}, {"type": "string", "pattern": r"^\d{2,3}$"}, {"type": "string", "pattern": "("},
    {"type": "string", "format": "date-time"}, {"type": ["string", "null"], "format": "email"}, {"const": "run-1"},
    {"type": "object"}, {"$ref": "#/$defs/none"}, {},
])  # fmt: skip
SCHEMA = st.one_of(SCALAR, SCALAR.map(lambda one: {"type": "array", "items": one, "minItems": 1}))
NAMES = st.sampled_from(
    ["book", "book_provide", "book_confirm", "book_cancel", "book_choose", "end_call", "order_pizza", "a", "_", ""]
)
TOOLS = st.lists(
    st.builds(
        Tool,
        NAMES,
        TALK,
        st.one_of(
            st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
            st.dictionaries(
                st.sampled_from(["day", "at", "task", "name", "yes", "size", "choice"]), SCHEMA, max_size=4
            ).map(lambda found: {"type": "object", "properties": found, "required": list(found)[:1]}),
        ),
    ),
    max_size=5,
    unique_by=lambda one: one.name,
)
OUTPUT = st.one_of(
    TALK,
    st.fixed_dictionaries(
        {
            "say": TALK,
            "task": st.sampled_from(["book", "run-1"]),
            "needs": st.lists(st.sampled_from(["day", "at", "name"])),
        },
        optional={"result": st.none() | TALK, "next": TALK, "error": TALK, "hint": st.just("Call book_provide.")},
    ).map(json.dumps),
    st.fixed_dictionaries({"error": TALK, "hint": st.sampled_from(["Call one of: book, order_pizza.", "", 7])}).map(
        json.dumps
    ),
    st.recursive(
        st.none() | st.integers(), lambda inner: st.dictionaries(st.sampled_from(["say", "result", "needs"]), inner)
    ).map(json.dumps),
)
ITEMS = st.lists(
    st.one_of(
        TALK.map(UserSaid), TALK.map(AssistantSaid), TALK.map(SystemNote),
        st.builds(Called, st.sampled_from("xy"), NAMES, TALK), st.builds(CallOutput, st.sampled_from("xy"), OUTPUT),
    ),
    max_size=8,
).map(tuple)  # fmt: skip
CHOICES = st.sampled_from(["auto", "none", "required", "book", "end_call"])
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def check(value: Any, schema: Any) -> None:
    kind = schema.get("type")
    for one in [kind] if isinstance(kind, str) else []:
        assert isinstance(value, TYPES[one])
        assert isinstance(value, bool) == (one == "boolean")
    assert value in schema.get("enum", [value])
    assert value == schema.get("const", value)
    if isinstance(value, int | float):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, str):
        assert re.search(schema.get("pattern", ""), value)
    if isinstance(value, list):
        assert len(value) >= schema.get("minItems", 0)
        for one in value:
            check(one, schema["items"])


RULE = TALK.map(lambda ways: f"Is it?\nChoices: {ways}.\nAnswer with exactly one of: {ways}")


@given(TALK, st.none() | TALK | RULE, TOOLS.map(tuple), CHOICES, ITEMS, TALK)
@settings(max_examples=300)
def test_nothing_said_or_declared_makes_it_raise_or_break_a_schema(
    instructions: str, own: str | None, tools: tuple[Tool, ...], choice: str, items: tuple[Any, ...], said: str
) -> None:
    reply = think(Prompt(instructions, own, tools, choice, (*items, UserSaid(said)), NOW))

    assert reply.text or reply.calls
    for call in reply.calls:
        declared = next(one for one in tools if one.name == call.name).parameters.get("properties", {})
        assert isinstance(declared, dict)
        for name, value in json.loads(call.arguments).items():
            check(value, declared[name])
