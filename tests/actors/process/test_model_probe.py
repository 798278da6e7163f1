"""Sessions that no call has: what they send, and how they end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from actors.messages.switchboard import ProbeModel, ShutDown
from actors.model.session import OpenAISocket
from actors.transport.circuit import Milestone
from actors.transport.dialler import DialFailed, Purpose
from protocols.media import LPCM16_24, MULAW, MediaFormat
from tests.actors.calls import FakeWire, WaitingDispatcher, living
from tests.actors.process.scene import Scene
from tests.counted import counted


@pytest.fixture
def scene(mailboxes: WaitingDispatcher, engine: Engine) -> Scene:
    return Scene(mailboxes, engine)


def like_a_call(scene: Scene, media: MediaFormat = LPCM16_24) -> Purpose:
    [profile] = scene.bots.profiles()
    return Purpose("", profile.model, media)


def wanted(scene: Scene, *, answers: bool) -> FakeWire:
    """A probe is due: its wire, with a session that is set up."""
    scene.told(ProbeModel(like_a_call(scene), answers))
    [wire] = scene.dialler.wires
    says(scene, wire, {"type": "session.created", "session": {}}, {"type": "session.updated", "session": {}})
    return wire


def says(scene: Scene, wire: FakeWire, *events: dict[str, Any]) -> None:
    for event in events:
        wire.receives(event)
    scene.mailboxes.drain()


def test_a_session_that_is_set_up_is_all_that_is_wanted_where_the_configuration_was_refused(scene: Scene) -> None:
    wire = wanted(scene, answers=False)
    [update] = wire.frames
    assert update["type"] == "session.update"
    assert [tool["name"] for tool in update["session"]["tools"]], "as a call's"
    assert scene.dialler.worked_up_to is Milestone.SESSION
    assert (living(OpenAISocket), wire.closed) == ([], 1000)


@pytest.mark.parametrize(("media", "form"), [(LPCM16_24, "audio/pcm"), (MULAW, "audio/pcmu")])
def test_a_probe_has_the_format_of_the_calls_that_were_refused(scene: Scene, media: MediaFormat, form: str) -> None:
    scene.told(ProbeModel(like_a_call(scene, media), answers=False))
    [wire] = scene.dialler.wires
    says(scene, wire, {"type": "session.created", "session": {}})
    [update] = wire.frames
    assert [each["format"]["type"] for each in update["session"]["audio"].values()] == [form, form]
    assert scene.dialler.purposes[-1].media is media, "its outcome is told to their circuit"


def test_where_answers_were_refused_one_is_asked_for(scene: Scene) -> None:
    wire = wanted(scene, answers=True)
    update, create = wire.frames
    assert (update["type"], create["type"]) == ("session.update", "response.create")
    asked = {"id": "r-1", "metadata": create["response"]["metadata"]}
    says(scene, wire, {"type": "response.created", "response": asked})
    says(scene, wire, {"type": "response.done", "response": asked | {"status": "completed"}})
    assert scene.dialler.worked_up_to is Milestone.RESPONSE
    assert (living(OpenAISocket), wire.closed) == ([], 1000)


def test_a_probe_that_is_refused_ends_and_is_no_defect(scene: Scene) -> None:
    deaths = counted("tieline_child_deaths_total", child="probe")
    wire = wanted(scene, answers=True)
    says(scene, wire, {"type": "error", "error": {"type": "invalid_request_error", "code": "insufficient_quota"}})
    assert scene.dialler.tripped == ["insufficient_quota"]
    scene.dialler.refusals = [DialFailed(0, "insufficient_quota", final=True)]
    scene.told(ProbeModel(like_a_call(scene), answers=True))
    assert living(OpenAISocket) == []
    assert counted("tieline_child_deaths_total", child="probe") == deaths
    assert scene.status().accepting


def test_settings_that_no_bot_has_are_not_tried(scene: Scene) -> None:
    [profile] = scene.bots.profiles()
    for settings in (None, replace(profile.model, voice="another")):
        scene.told(ProbeModel(Purpose("", settings), answers=False))
    assert scene.dialler.dials == []


def test_a_process_that_leaves_takes_its_probe_with_it(scene: Scene) -> None:
    wanted(scene, answers=True)
    scene.told(ShutDown(), ProbeModel(like_a_call(scene), answers=False))
    assert living(OpenAISocket) == []
    assert len(scene.dialler.dials) == 1
