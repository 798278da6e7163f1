"""A conversation with the mind for its tests: a front desk's tools, and a `Call` that keeps the items."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from lab.mind import AssistantSaid, Called, CallOutput, Prompt, Reply, Tool, UserSaid, think

NOW = datetime(2026, 11, 23, 14, 5)  # noqa: DTZ001  the caller's wall clock, a Monday
INSTRUCTIONS = """You are the receptionist of Lindgren Dental. Speak briefly. Never invent a time.
Today is Monday, 2026-11-23, 14:05 (Europe/Berlin).
We are open from Monday to Friday, nine to five. Our address is 12 Harbour Street in Kiel.
A check-up costs 40 euros and takes half an hour. You can park behind the house."""


def tool(name: str, description: str, required: tuple[str, ...] = (), /, **properties: Mapping[str, object]) -> Tool:
    return Tool(name, description, {"type": "object", "properties": properties, "required": list(required)})


DAY = {"type": "string", "format": "date", "description": "The day, YYYY-MM-DD"}
AT = {"type": "string", "format": "time", "description": "The time of day, HH:MM"}
NAME = {"type": "string", "description": "The caller's name"}
BOOK = tool("book_appointment", "Book an appointment for the caller.", day=DAY, at=AT)
CANCEL = tool("cancel_appointment", "Cancel an appointment that the caller has.", name=NAME)
MOVE = tool("reschedule_appointment", "Move an appointment to another day or time.", name=NAME, day=DAY, at=AT)
HUMAN = tool(
    "hand_over",
    "The caller wants to speak to a human.",
    target={"type": "string", "enum": ["reception", "sales", "billing"]},
)
END = tool("end_call", "The caller says goodbye or is done; ends the call.")
FRONT_DESK = (BOOK, CANCEL, MOVE, HUMAN, END)


def state_tools(opener: Tool, yes: str = "yes") -> tuple[Tool, ...]:
    """The tools that the product declares while a task is open."""
    slots = opener.parameters["properties"]
    return (
        Tool(f"{opener.name}_provide", "The caller answers or corrects.", {"type": "object", "properties": slots}),
        tool(
            f"{opener.name}_confirm", "The caller agrees to what was read back, or not.", **{yes: {"type": "boolean"}}
        ),
        tool(f"{opener.name}_cancel", "The caller no longer wants this."),
    )


class Call:
    """A conversation with the mind, kept as a Realtime session keeps it."""

    def __init__(self, *tools: Tool, instructions: str = INSTRUCTIONS) -> None:
        self.prompt = Prompt(instructions, None, tools, "auto", (), NOW)

    def hears(self, text: str) -> Reply:
        return self._next(UserSaid(text))

    def does(self, text: str) -> tuple[str, dict[str, Any]]:
        """The only function call that the mind makes for what the caller says."""
        reply = self.hears(text)
        assert len(reply.calls) == 1, reply
        return reply.calls[0].name, json.loads(reply.calls[0].arguments)

    def says(self, text: str) -> str:
        """What the mind answers without a call."""
        reply = self.hears(text)
        assert reply.calls == (), reply
        return reply.text

    def returns(self, *tools: Tool, **output: object) -> str:
        """The product answers the last call and declares its tools; the mind speaks."""
        self.prompt = replace(self.prompt, tools=tools or self.prompt.tools)
        return self._next(CallOutput(f"call-{len(self.prompt.items) - 1}", json.dumps(output))).text

    def in_task(self, opener: Tool, say: str, *needs: str, others: tuple[Tool, ...] = FRONT_DESK) -> Call:
        """A task was opened and has just asked for something."""
        items = (
            *self.prompt.items,
            UserSaid("Hello."),
            Called(f"call-{len(self.prompt.items) + 1}", opener.name, "{}"),
        )
        self.prompt = replace(self.prompt, items=items)
        assert (
            self.returns(*others, *state_tools(opener), task=opener.name, state="Collect", needs=list(needs), say=say)
            == say
        )
        return self

    def _next(self, item: UserSaid | CallOutput) -> Reply:
        reply = think(replace(self.prompt, items=(*self.prompt.items, item)))
        self.prompt = replace(self.prompt, items=(*self.prompt.items, item))
        if reply.text:
            self.prompt = replace(self.prompt, items=(*self.prompt.items, AssistantSaid(reply.text)))
        for call in reply.calls:
            called = Called(f"call-{len(self.prompt.items)}", call.name, call.arguments)
            self.prompt = replace(self.prompt, items=(*self.prompt.items, called))
        return reply
