"""The functions by which the model asks VAIC for something, and what becomes of their arguments."""

from __future__ import annotations

from typing import get_args

import pytest

from actors.tasks.activity_tools import action_of, activity_tools
from fsm.arguments import CallFault
from protocols.activities import Offered, PlayUrl, SendMetaData, StartCallRecording

MUSIC = {"music": "https://media.example/music.wav"}


OF_MODEL: tuple[Offered, ...] = ("play_url",)


def test_every_activity_that_may_be_offered_has_a_function_with_an_object_of_parameters() -> None:
    tools = activity_tools(get_args(Offered), MUSIC)
    assert [tool.name for tool in tools] == list(get_args(Offered))
    assert all(tool.description and tool.parameters["type"] == "object" for tool in tools)
    assert not any(tool.parameters["additionalProperties"] for tool in tools), "the model makes up none"
    assert activity_tools((), {}) == ()


def test_the_model_chooses_a_recording_by_its_name_and_no_url() -> None:
    (tool,) = activity_tools(OF_MODEL, MUSIC)
    which = {"type": "string", "enum": ["music"], "description": "Which recording."}
    assert tool.parameters["properties"] == {"name": which}
    assert action_of("play_url", '{"name": "music"}', MUSIC) == PlayUrl(url=MUSIC["music"])
    with pytest.raises(ValueError, match="There are: music"):
        action_of("play_url", '{"url": "https://evil.example/"}', MUSIC)


def test_arguments_are_taken_as_they_are() -> None:
    assert action_of("send_meta_data", '{"value": {"said": "{pin}"}}', {}) == SendMetaData(value={"said": "{pin}"})
    assert action_of("start_call_recording", "", {}) == StartCallRecording()


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("send_dtmf", '{"digits": "one"}', "digits"),
        ("send_dtmf", '{"digits": "{pin}"}', "digits"),
        ("send_dtmf", "{}", "digits"),
        ("sensitive_info", '{"on": "yes"}', "on"),
        ("send_meta_data", '{"value": "good"}', "value"),
        ("abort_prompts", '{"all": true}', "all"),
    ],
)
def test_arguments_that_do_not_fit_are_named(name: str, arguments: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"^Not like this: {told}"):
        action_of(name, arguments, {})


def test_arguments_that_are_no_object_are_told_as_for_any_function() -> None:
    with pytest.raises(CallFault, match="bad_json"):
        action_of("send_dtmf", "[", {})
