"""Updates of a live session that the server refuses: what is sent in their place, and that this comes to an end."""

from __future__ import annotations

import copy
import json
from typing import Any, cast

import pytest

from protocols.realtime.client_events import SessionUpdate
from protocols.realtime.objects import ErrorDetail, FunctionTool, Session
from protocols.realtime.session_updates import SessionUpdates


def whole(*names: str) -> Session:
    return Session(type="realtime", instructions="Now.", tools=tuple(FunctionTool(name=name) for name in names))


def names(update: SessionUpdate | None) -> list[str] | None:
    """The tools of an update; None where there is none, or it leaves them as they are."""
    if update is None or update.session.tools is None:
        return None
    return [tool.name for tool in update.session.tools if isinstance(tool, FunctionTool)]


def test_a_refusal_is_known_by_the_events_id_or_by_its_parameter() -> None:
    updates = SessionUpdates()
    assert not updates.refused(ErrorDetail(param="session.tools[0]")), "nothing was sent yet"
    sent = updates.update(whole("book"))
    assert updates.refused(ErrorDetail(event_id=sent.event_id))
    assert updates.refused(ErrorDetail(param="session.tools[0].parameters"))
    assert not updates.refused(ErrorDetail(event_id="ask-1", param="session.tools[0]"))
    assert not updates.refused(ErrorDetail(param="response.tools"))
    updates.update(whole("book"))
    assert not updates.refused(ErrorDetail(event_id=sent.event_id)), "an older one"


def test_what_is_refused_is_sent_without_the_tool_that_is_named() -> None:
    updates = SessionUpdates()
    updates.update(whole("a", "b", "c"))
    smaller = updates.smaller(ErrorDetail(param="session.tools[1].parameters"))
    assert names(smaller) == ["a", "c"]
    assert smaller is not None
    assert smaller.session.instructions == "Now."
    assert updates.refused(ErrorDetail(event_id=smaller.event_id))


def test_where_no_tool_is_named_the_instructions_are_sent_alone_and_then_nothing() -> None:
    for param in (None, "session.tools", "session.tools[7]"):
        updates = SessionUpdates()
        updates.update(whole("a", "b"))
        smaller = updates.smaller(ErrorDetail(param=param))
        assert smaller is not None
        assert (smaller.session.instructions, smaller.session.tools) == ("Now.", None)
        assert updates.smaller(ErrorDetail(param=param)) is None


def test_updates_end_even_if_every_form_is_refused() -> None:
    updates = SessionUpdates()
    updates.update(whole(*"abcdefgh"))
    times = 0
    while updates.smaller(ErrorDetail(param="session.tools[0]")) is not None:
        times += 1
    assert times == 8


# --- the whole configuration ---

PCM = {"type": "audio/pcm", "rate": 24000}
CONFIGURATION: dict[str, Any] = {
    "type": "realtime",
    "instructions": "Be kind.",
    "output_modalities": ("audio",),
    "audio": {
        "input": {
            "format": PCM,
            "noise_reduction": {"type": "near_field", "strength": 0.5},
            "transcription": {"model": "whisper-1", "delay": "low"},
            "turn_detection": {"type": "server_vad", "threshold": 0.5, "idle_timeout_ms": 6000},
        },
        "output": {"format": PCM, "voice": "marin", "speed": 1.1},
    },
    "tools": ({"type": "function", "name": "a"}, {"type": "function", "name": "b"}),
    "reasoning": {"effort": "low"},
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
}
ESSENTIAL = {
    "type": "realtime",
    "instructions": "Be kind.",
    "tools": [{"type": "function", "name": "a"}, {"type": "function", "name": "b"}],
    "audio": {"input": {"format": PCM}, "output": {"format": PCM}},
}


def configured() -> SessionUpdates:
    updates = SessionUpdates()
    updates.set_up(Session.model_validate(CONFIGURATION))
    return updates


def written(update: SessionUpdate) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(update.to_wire())["session"])


WHOLE = json.loads(json.dumps(CONFIGURATION))


def without(*path: str) -> dict[str, Any]:
    session = copy.deepcopy(WHOLE)
    inner = session
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return cast("dict[str, Any]", session)


@pytest.mark.parametrize(
    ("param", "left_out"),
    [
        ("session.reasoning", ("reasoning",)),
        ("session.reasoning.effort", ("reasoning", "effort")),
        ("session.audio.output.speed", ("audio", "output", "speed")),
        ("session.audio.output.voice", ("audio", "output", "voice")),
        ("session.audio.output.voice.id", ("audio", "output", "voice")),
        ("audio.output.speed", ("audio", "output", "speed")),
        ("session.audio.input.turn_detection.idle_timeout_ms", ("audio", "input", "turn_detection", "idle_timeout_ms")),
        ("session.audio.input.transcription.delay", ("audio", "input", "transcription", "delay")),
        ("session.output_modalities[0]", ("output_modalities",)),
        # A part that means nothing without it goes too.
        ("session.audio.input.noise_reduction.type", ("audio", "input", "noise_reduction")),
        ("session.truncation.retention_ratio", ("truncation",)),
    ],
)
def test_the_setting_that_is_named_is_left_out_and_nothing_else(param: str, left_out: tuple[str, ...]) -> None:
    smaller = configured().smaller_whole(ErrorDetail(param=param))
    assert smaller is not None
    path, update = smaller
    assert path == f"session.{'.'.join(left_out)}"
    assert written(update) == without(*left_out)


def test_the_first_configuration_is_without_the_settings_that_are_known_to_be_refused() -> None:
    known = ("session.reasoning", "session.audio.output.speed", "session.unheard_of")
    update = SessionUpdates().set_up(Session.model_validate(CONFIGURATION), known)
    wanted = without("reasoning")
    del wanted["audio"]["output"]["speed"]
    assert written(update) == wanted


def test_a_setting_may_be_named_by_the_errors_text_alone() -> None:
    smaller = configured().smaller_whole(ErrorDetail(message="Unknown parameter: 'session.reasoning'."))
    assert smaller is not None
    assert (smaller[0], written(smaller[1])) == ("session.reasoning", without("reasoning"))


@pytest.mark.parametrize("param", [None, "", "session", "session.audio", "session.audio.input", "session.unheard_of"])
def test_where_no_setting_is_named_all_that_are_optional_are_left_out_at_once(param: str | None) -> None:
    updates = configured()
    smaller = updates.smaller_whole(ErrorDetail(param=param))
    assert smaller is not None
    assert written(smaller[1]) == ESSENTIAL
    assert updates.smaller_whole(ErrorDetail(param=param)) is None


@pytest.mark.parametrize(
    "param", ["session.type", "session.instructions", "session.tools", "session.audio.output.format.rate"]
)
def test_what_a_call_cannot_do_without_is_not_left_out(param: str) -> None:
    assert configured().smaller_whole(ErrorDetail(param=param)) is None


def test_a_tool_that_is_named_is_left_out() -> None:
    smaller = configured().smaller_whole(ErrorDetail(param="session.tools[0].parameters"))
    assert smaller is not None
    assert smaller[0] == "session.tools[0]"
    assert names(smaller[1]) == ["b"]


def test_a_configuration_gets_smaller_until_it_is_taken_or_nothing_is_left() -> None:
    updates, params = configured(), ["session.reasoning", "session.truncation", "session.audio.output.voice"]
    for param in params:
        assert updates.smaller_whole(ErrorDetail(param=param)) is not None
    assert updates.smaller_whole(ErrorDetail(param=params[0])) is not None, "no longer there: all optional ones go"
    assert updates.smaller_whole(ErrorDetail(param=params[0])) is None
    updates = configured()
    updates.taken()
    assert updates.smaller_whole(ErrorDetail(param=params[0])) is None


def test_the_settings_that_were_refused_are_told_once_when_the_rest_is_taken_and_tools_are_not() -> None:
    updates = configured()
    for param in ("session.reasoning", "session.tools[0]", "session.truncation.retention_ratio"):
        assert updates.smaller_whole(ErrorDetail(param=param)) is not None
    assert updates.taken() == ["session.reasoning", "session.truncation"]
    assert updates.taken() == []


def test_a_smaller_configuration_has_the_change_that_was_sent_meanwhile() -> None:
    updates = configured()
    updates.update(whole("book"))
    smaller = updates.smaller_whole(ErrorDetail(param="session.reasoning"))
    assert smaller is not None
    assert smaller[1].session.instructions == "Now."
    assert names(smaller[1]) == ["book"]
    assert "reasoning" not in written(smaller[1])
