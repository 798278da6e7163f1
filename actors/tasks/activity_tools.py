"""What the model itself may ask VAIC for, where its bot allows it: one function each, of the activity's name.

Pure. May import: fsm, protocols, pydantic, the standard library.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import ValidationError

from fsm.arguments import read_object
from fsm.spec import ToolSpec
from protocols.activities import ACTION, MOST_METADATA, Action, Offered, SendDtmf, values_named

_DESCRIPTIONS: Mapping[Offered, str] = {
    "send_dtmf": "Presses keys on the caller's line, for a machine at the other end.",
    "play_url": "Plays a recording to the caller, after what you say now.",
    "sensitive_info": "Before the caller says something sensitive, such as a card number: on. After it: off.",
    "start_call_recording": "Starts recording the call. Only once the caller has agreed to it.",
    "stop_call_recording": "Stops recording the call.",
    "pause_call_recording": "Pauses the recording of the call, before something that must not be recorded.",
    "resume_call_recording": "Goes on recording the call.",
    "send_meta_data": "Passes facts about the call on to the contact centre's system. The caller does not notice.",
    "abort_prompts": "Stops the recording that is being played.",
}
_PARAMETERS: Mapping[str, dict[str, object]] = {
    "send_dtmf": {"digits": {"type": "string", "description": "The keys, in order.", "pattern": "^[0-9*#]{1,20}$"}},
    "sensitive_info": {"on": {"type": "boolean"}},
    "send_meta_data": {
        "value": {"type": "object", "description": f"The facts, by name; at most {MOST_METADATA} characters."}
    },
}
NAME = "name"  # of a recording, as the bot has it


def activity_tools(allowed: Collection[Offered], recordings: Collection[str]) -> tuple[ToolSpec, ...]:
    """The functions of a bot's model. recordings: the names of those that it may have played."""
    which = {NAME: {"type": "string", "enum": list(recordings), "description": "Which recording."}}
    return tuple(
        ToolSpec(name, _DESCRIPTIONS[name], _schema(which if name == "play_url" else _PARAMETERS.get(name, {})))
        for name in allowed
    )


def _schema(properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def action_of(name: str, arguments: str, recordings: Mapping[str, str]) -> Action:
    """What a function call asks for. recordings: URLs by name. Raises: ValueError, CallFault if that cannot be."""
    given = read_object(arguments)
    if name == "play_url":
        if (url := recordings.get(str(given.get(NAME, "")))) is None:
            raise ValueError(f"There is no such recording. There are: {', '.join(recordings)}.")
        given = {"url": url}
    try:
        action = ACTION.validate_python({**given, "do": name})
    except ValidationError as error:
        wrong = sorted({".".join(map(str, each["loc"][1:])) for each in error.errors()})
        raise ValueError(f"Not like this: {', '.join(filter(None, wrong)) or name}.") from None
    if isinstance(action, SendDtmf) and values_named(action):
        raise ValueError("Not like this: digits.")
    return action
