"""Builds function calls: collects the values the caller has said for a tool's parameters.

May import: the standard library, lab.mind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from lab.mind.prompt import FunctionCall, Tool
from lab.mind.schema import Property, fits, properties
from lab.mind.situation import Situation
from lab.mind.values import Utterance, hear


def call(tool: Tool, here: Situation, values: Mapping[str, object]) -> FunctionCall:
    """The call, with parameters that have only one possible value filled in: the current run, and constants.

    A strict schema requires every parameter: those without a value are null where they may be.
    """
    given = dict(values)
    for one in properties(tool):
        if is_run(one, here) and fits(here.run, one.schema):
            given[one.name] = here.run
        elif one.required and one.name not in given and len(one.choices) == 1 and one.type != "array":
            given[one.name] = one.choices[0]
        elif one.required and one.nullable and one.name not in given:
            given[one.name] = None
    return FunctionCall(tool.name, json.dumps(given))


def is_run(one: Property, here: Situation) -> bool:
    """Whether a parameter selects a run of a task; its value is known from the task's output."""
    return (bool(here.run) and here.run in one.choices) or (one.name == "task" and bool(one.choices))


def own_properties(tool: Tool, here: Situation) -> list[Property]:
    """Its parameters, without the one that selects a run."""
    return [one for one in properties(tool) if not is_run(one, here)]


def is_yes_or_no(tool: Tool, here: Situation) -> bool:
    """Whether a tool's only parameter is a boolean: such a tool confirms."""
    return [one.kind for one in own_properties(tool, here)] == ["boolean"]


def confirming(here: Situation) -> Tool | None:
    """The tool that takes the answer to a read-back; None if there is none."""
    return next((tool for tool in here.state_tools if is_yes_or_no(tool, here)), None)


def heard_since(tool: Tool, here: Situation) -> dict[str, object]:
    """The values the caller gave for a tool since the last call; newer ones replace older ones."""
    heard: dict[str, object] = {}
    wanted = waiting(here)
    for text in here.history[:-1] if wanted is not None and wanted[0] is tool else ():
        heard.update(hear(tool, Utterance(text, "", here.today)))
    asked = wanted[1].name if wanted is not None and wanted[0] is tool else here.asked
    if all(one.name != asked for one in properties(tool)):
        asked = ""
    heard.update(hear(tool, Utterance(here.said, asked, here.today, here.question)))
    return heard


# Tools of others may have required parameters: these are asked for before the call is made.


def missing(tool: Tool, here: Situation, heard: Mapping[str, object]) -> list[Property]:
    """The required parameters without a value."""
    return [
        one
        for one in properties(tool)
        if one.required
        and not one.nullable
        and one.name not in heard
        and not is_run(one, here)
        and len(one.choices) != 1
    ]


def question_for(wanted: Property) -> str:
    """The question for a parameter."""
    about = wanted.description.rstrip(".?! ") or wanted.name.replace("_", " ")
    return f"Could you tell me: {about}?"


def waiting(here: Situation) -> tuple[Tool, Property] | None:
    """The tool and the parameter of `question_for`, if that was the last thing said."""
    for tool in here.openers:
        for one in properties(tool):
            if one.required and here.last_said.endswith(question_for(one)):
                return tool, one
    return None
