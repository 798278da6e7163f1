"""What the simulated VAIC does about the bot's activities: recordings, URLs, transfers, keys."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from lab.caller import ScriptError, parse_start
from lab.caller.requests import PLAYED_MS, RINGING_MS
from tests.lab.caller_line import Line

URL = "https://media.example/music.wav"
NUMBERS = count(1)


def asks(line: Line, name: str, **fields: Any) -> None:
    activity = {"type": "event", "name": name, "id": f"b-{next(NUMBERS)}", "timestamp": "t", **fields}
    line.bot("activities", activities=[activity])


def told(line: Line) -> list[tuple[str, Any]]:
    """The events that the bot was told since the last call, but for `start`."""
    frames = [json.loads(text) for text in line.phone.outbox]
    line.phone.outbox.clear()
    every = [each for frame in frames if frame["type"] == "activities" for each in frame["activities"]]
    ends = [("session.end", frame["reasonCode"]) for frame in frames if frame["type"] == "session.end"]
    return [(each["name"], each.get("value")) for each in every if each["name"] != "start"] + ends


def test_everything_that_the_bot_asks_for_is_kept_in_order() -> None:
    line = Line()
    asks(line, "sendDtmf", activityParams={"dtmfDigits": "12#"})
    asks(line, "sendMetaData", value={"mood": "good"})
    line.configure(sendDTMF=True)
    assert [(each.name, each.params) for each in line.phone.requests.all] == [
        ("sendDtmf", {"dtmfDigits": "12#"}),
        ("sendMetaData", {"mood": "good"}),
        ("config", {"sendDTMF": True}),
    ]
    assert line.phone.complaints.lines() == []


def test_one_activity_twice_is_obeyed_once_and_complained_of() -> None:
    line = Line()
    activity = {"type": "event", "name": "sendMetaData", "id": "b", "timestamp": "t", "value": {"mood": "good"}}
    line.bot("activities", activities=[activity, activity])
    assert len(line.phone.requests.all) == 1
    assert ["activity_repeated" in each for each in line.phone.complaints.lines()] == [True]


@pytest.mark.parametrize(
    ("recorded", "asked", "wrong"),
    [
        (False, ["start", "pause", "resume", "stop"], 0),
        (True, ["pause", "resume", "pause", "stop"], 0),
        (False, ["pause"], 1),
        (True, ["start", "resume"], 2),
        (False, ["stop"], 1),
    ],
)
def test_a_recording_is_paused_only_while_it_runs(recorded: bool, asked: list[str], wrong: int) -> None:
    line = Line(recorded=recorded)
    for each in asked:
        asks(line, f"{each}CallRecording")
    assert [
        each for each in line.phone.complaints.lines() if "recording_state" in each
    ] == line.phone.complaints.lines()
    assert len(line.phone.complaints.lines()) == wrong


def test_recordings_of_urls_are_played_one_after_the_other_and_reported_where_that_is_asked_for() -> None:
    line = Line()
    line.configure(sendEventsToBot=["playFinished"])
    for _ in range(2):
        asks(line, "playUrl", activityParams={"playUrlUrl": URL})
    line.run(PLAYED_MS - 40)
    assert told(line) == []
    line.run(40)
    assert told(line) == [("playFinished", None)]
    line.run(PLAYED_MS)
    assert told(line) == [("playFinished", None)]
    asks(line, "playUrl", activityParams={"playUrlUrl": URL})
    asks(line, "abortPrompts")
    line.run(2 * PLAYED_MS)
    assert told(line) == []


def test_a_url_that_cannot_be_played_is_told_where_the_bot_wants_to_know() -> None:
    line = Line(unplayable=(URL,))
    asks(line, "playUrl", activityParams={"playUrlUrl": URL})
    line.run(40)
    assert told(line) == []
    line.configure(playUrlFailureHandling="notify-bot")
    asks(line, "playUrl", activityParams={"playUrlUrl": URL})
    line.run(20)
    assert told(line) == [("playUrlFailed", {"reason": "not found", "playUrlUrl": URL, "selfGenerated": False})]


def test_a_transfer_rings_and_fails_and_the_next_is_answered() -> None:
    line = Line(transfers=("busy", "answered"))
    line.configure(transferNotifications=True)
    asks(line, "transfer", activityParams={"transferTarget": "tel:1"})
    line.run(RINGING_MS - 40)
    assert told(line) == []
    line.run(40)
    assert told(line) == [("transferStatus", {"status": "failed", "reasonCode": "busy", "reason": "busy"})]
    line.bot("userStream.speech.started")  # it goes on
    asks(line, "transfer", activityParams={"transferTarget": "tel:2"})
    line.run(RINGING_MS)
    assert told(line) == [("transferStatus", {"status": "answered"}), ("session.end", "transferred")]
    assert line.phone.progress.transfer_target == "tel:2"
    assert line.phone.complaints.lines() == []


def test_without_notifications_a_transfer_ends_the_call_at_once() -> None:
    line = Line(transfers=("busy",))
    asks(line, "transfer", activityParams={"transferTarget": "tel:1"})
    assert told(line) == [("session.end", "transferred")]


def test_start_has_the_parameters_that_are_asked_for() -> None:
    given = parse_start(["ticket=88213", "callee=sales", "empty="])
    line = Line(start=given)
    (start,) = [
        json.loads(text)["activities"][0] for text in line.opening if '"start"' in text and "activities" in text
    ]
    assert {name: start["parameters"][name] for name in given} == {"ticket": "88213", "callee": "sales", "empty": ""}
    with pytest.raises(ScriptError, match="NAME=VALUE"):
        parse_start(["ticket"])
