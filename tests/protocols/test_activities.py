"""What VAIC is asked for: how it stands on the wire, and what is refused before it gets there."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import JsonValue, ValidationError

from protocols.activities import (
    ACTION,
    MOST_ABOUT,
    MOST_NAME,
    HangUpEvent,
    ShowImage,
    StartRecognition,
    TransferEvent,
    filled,
    on_wire,
    values_named,
)

MUSIC = "https://media.example/music.wav"


@pytest.mark.parametrize(
    ("action", "wire"),
    [
        ({"do": "send_dtmf", "digits": "12#"}, {"name": "sendDtmf", "activity_params": {"dtmfDigits": "12#"}}),
        ({"do": "play_url", "url": MUSIC}, {"name": "playUrl", "activity_params": {"playUrlUrl": MUSIC}}),
        (
            {"do": "play_url", "url": "data:audio/wav;base64,AA==", "media_format": "wav/lpcm16", "alt_text": "Hi."},
            {
                "name": "playUrl",
                "activity_params": {
                    "playUrlUrl": "data:audio/wav;base64,AA==",
                    "playUrlMediaFormat": "wav/lpcm16",
                    "playUrlAltText": "Hi.",
                },
            },
        ),
        (
            {"do": "config", "params": {"bargeIn": False, "anyOther": [1]}},
            {"name": "config", "session_params": {"bargeIn": False, "anyOther": [1]}},
        ),
        (
            {"do": "config", "params": {"sendEventsToBot": ["noUserInput"]}},
            {"name": "config", "session_params": {"sendEventsToBot": ["playFinished", "noUserInput"]}},
        ),
        ({"do": "sensitive_info", "on": True}, {"name": "config", "session_params": {"sensitiveInfo": True}}),
        ({"do": "start_call_recording"}, {"name": "startCallRecording"}),
        ({"do": "stop_call_recording"}, {"name": "stopCallRecording"}),
        ({"do": "pause_call_recording"}, {"name": "pauseCallRecording"}),
        ({"do": "resume_call_recording"}, {"name": "resumeCallRecording"}),
        ({"do": "send_meta_data", "value": {"mood": "good"}}, {"name": "sendMetaData", "value": {"mood": "good"}}),
        ({"do": "abort_prompts"}, {"name": "abortPrompts"}),
        ({"do": "expect_another_bot_message"}, {"name": "expectAnotherBotMessage"}),
    ],
)
def test_each_action_stands_on_the_wire_as_vaic_names_it(action: dict[str, Any], wire: dict[str, Any]) -> None:
    assert on_wire(ACTION.validate_python(action)) == wire


def test_a_transfer_carries_what_it_is_made_with_and_nothing_that_is_not_set() -> None:
    plain = TransferEvent(target="tel:1", reason="asked")
    assert on_wire(plain)["activity_params"] == {"transferTarget": "tel:1", "handoverReason": "asked"}
    whole = TransferEvent(target="sip:a@b", reason="asked", referred_by="sip:bot@b", sip_headers={"X-Ticket": "88213"})
    assert on_wire(whole) == {
        "name": "transfer",
        "activity_params": {
            "transferTarget": "sip:a@b",
            "handoverReason": "asked",
            "transferReferredByURL": "sip:bot@b",
            "transferSipHeaders": [{"name": "X-Ticket", "value": "88213"}],
        },
    }
    asked = {"name": "startRecognition", "activity_params": {"targetParticipant": "caller"}}
    assert on_wire(StartRecognition(participant="caller")) == asked
    assert on_wire(HangUpEvent(reason="done")) == {"name": "hangup", "activity_params": {"hangupReason": "done"}}


@pytest.mark.parametrize(
    "action",
    [
        {"do": "fly"},
        {"do": "send_dtmf", "digits": ""},
        {"do": "send_dtmf", "digits": "1" * 21},
        {"do": "send_dtmf", "digits": "12a"},
        {"do": "send_dtmf", "digits": "1{pin}"},
        {"do": "play_url", "url": "ftp://media.example/music.wav"},
        {"do": "play_url", "url": "https://media.example/a b"},
        {"do": "config", "params": {}},
        {"do": "config", "params": {"bargeIn": "yes"}},
        {"do": "config", "params": {"bargeIn": True}, "leaving": {"bargeIn": "no"}},
        {"do": "config", "params": {"userNoInputTimeoutMS": True}},
        {"do": "config", "params": {"sendEventsToBot": [1]}},
        {"do": "config", "params": {"directSTT": False}},
        {"do": "sensitive_info", "on": 1},
        {"do": "send_meta_data", "value": {}},
        {"do": "send_meta_data", "value": {"long": "x" * 9000}},
        {"do": "abort_prompts", "now": True},
    ],
)
def test_what_vaic_would_ignore_is_refused(action: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ACTION.validate_python(action)


def test_texts_are_filled_with_values_and_one_alone_keeps_its_type() -> None:
    deep: JsonValue = [{"size": "{size}"}]
    value = {"count": "{count}", "text": "{count} of {size}", "deep": deep, "n": 1, "{size}": ""}
    action = ACTION.validate_python({"do": "send_meta_data", "value": value})
    assert values_named(action) == {"count", "size"}
    done = on_wire(filled(action, {"count": 3, "size": "small"}))
    assert done["value"] == {"count": 3, "text": "3 of small", "deep": [{"size": "small"}], "n": 1, "{size}": ""}


def test_keys_are_checked_again_once_they_are_known() -> None:
    action = ACTION.validate_python({"do": "send_dtmf", "digits": "{pin}"})
    assert on_wire(filled(action, {"pin": "0815"}))["activity_params"] == {"dtmfDigits": "0815"}
    assert on_wire(filled(action, {"pin": 815}))["activity_params"] == {"dtmfDigits": "815"}
    for values in ({"pin": "zero"}, {"pin": ""}, {}):
        with pytest.raises(ValueError, match=r"keys|known"):
            filled(action, values)


def test_a_value_is_never_taken_for_the_name_of_another() -> None:
    action = ACTION.validate_python({"do": "send_meta_data", "value": {"said": "so: {said}"}})
    assert on_wire(filled(action, {"said": "{pin}", "pin": "1"}))["value"] == {"said": "so: {pin}"}
    keys = ACTION.validate_python({"do": "send_dtmf", "digits": "{said}"})
    with pytest.raises(ValueError, match="keys"):
        filled(keys, {"said": "{pin}"})


@pytest.mark.parametrize(
    "given",
    [
        {"about": "A plan"},
        {"file": "plan.png"},
        {"file": "plan.png", "kept": "plan", "about": "A plan"},
        {"file": "plan.png", "about": ""},
        {"file": "plan.png", "about": "x" * (MOST_ABOUT + 1)},
        {"file": "x" * (MOST_NAME + 1), "about": "A plan"},
        {"file": "plan.png", "about": "A plan", "detail": "all"},
        {"url": "https://clinic.example/plan.png", "about": "A plan"},
    ],
)
def test_an_image_comes_from_one_place_and_is_told_of(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ShowImage.model_validate(given)
    with pytest.raises(ValidationError):
        ACTION.validate_python({"do": "show_image", **given})  # it is not VAIC's


def test_what_is_told_of_an_image_is_filled_and_cut() -> None:
    shown = ShowImage(file="plan.png", about="Floor {floor}, {note}")
    assert values_named(shown) == {"floor", "note"}
    told = filled(shown, {"floor": 2, "note": "x" * MOST_ABOUT}).about
    assert told == f"Floor 2, {'x' * MOST_ABOUT}"[:MOST_ABOUT]
