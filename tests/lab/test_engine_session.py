"""The engine's sessions: how they begin, what an update changes, and what is refused with which code."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import websockets
from websockets.typing import Subprotocol

from tests.lab.engine_client import KEY, Client, connected, on_a_call, running, user, words_of
from tests.paced_loop import run_paced


@on_a_call()
async def test_a_session_begins_with_the_whole_default_configuration(client: Client) -> None:
    session = client.events[0]["session"]
    audio = session["audio"]
    assert client.events[0]["type"] == "session.created"
    assert (session["model"], session["type"], session["object"]) == ("gpt-realtime", "realtime", "realtime.session")
    assert audio["input"]["turn_detection"]["type"] == "server_vad"
    assert audio["input"]["format"] == audio["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert audio["output"]["voice"] == "alloy"
    assert session["instructions"]
    assert abs(session["expires_at"] - time.time() - 3600) < 10


@on_a_call()
async def test_an_update_changes_what_it_names_and_clears_what_is_null(client: Client) -> None:
    vad = {"type": "server_vad", "threshold": 0.7, "idle_timeout_ms": 6000}
    first = await client.update(instructions="Be brief.", audio={"input": {"turn_detection": vad}})
    assert first["audio"]["input"]["turn_detection"]["threshold"] == 0.7
    assert first["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500

    second = await client.update(
        audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}}}
    )
    assert second["instructions"] == "Be brief."
    assert second["audio"]["input"]["turn_detection"]["threshold"] == 0.7
    assert second["audio"]["input"]["turn_detection"]["idle_timeout_ms"] == 6000

    third = await client.update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
    assert third["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }
    fourth = await client.update(instructions="", tools=[], audio={"input": {"turn_detection": None}})
    assert fourth["audio"]["input"]["turn_detection"] is None
    assert fourth["instructions"] == ""
    assert fourth["expires_at"] == first["expires_at"]


@on_a_call()
async def test_what_is_not_set_is_left_out_but_for_what_the_interface_reports_as_null(client: Client) -> None:
    nothing = {"anyOf": [{"type": "null"}], "default": None}
    tool = {"type": "function", "name": "book", "parameters": {"properties": {"day": nothing}}}
    told = await client.update(audio={"input": {"transcription": {"model": "whisper-1"}}}, tools=[tool])
    assert told["audio"]["input"]["transcription"].keys() <= {"model", "prompt"}
    assert told["tools"] == [tool]
    assert told["audio"]["input"]["noise_reduction"] is None
    assert told["audio"]["input"]["turn_detection"]["idle_timeout_ms"] is None
    assert (told["tracing"], told["prompt"], told["include"]) == (None, None, None)
    assert "reasoning" not in told
    assert "parallel_tool_calls" not in told


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"type": "session.update", "session": {"instructions": "x"}}, "missing_required_parameter", "session.type"),
    (
        {"type": "session.update", "session": {"type": "realtime", "temperature": 0.8}},
        "unknown_parameter",
        "session.temperature",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"vad": 1}}}},
        "unknown_parameter",
        "session.audio.input.vad",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"noise_reduction": "near"}}}},
        "invalid_value",
        "session.audio.input.noise_reduction",
    ),
    (
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "x"}}}},
        },
        "invalid_value",
        "session.audio.input.turn_detection.type",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "fable"}}}},
        "invalid_value",
        "session.audio.output.voice",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "tools": [{"type": "function", "strict": True}]}},
        "missing_required_parameter",
        "session.tools[0].name",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"speed": "1.0"}}}},
        "invalid_value",
        "session.audio.output.speed",
    ),
    ({"type": "session.update", "session": {"type": "transcription"}}, "invalid_value", "session.type"),
    ({"type": "ping"}, "invalid_value", "type"),
    ({"audio": "AAAA"}, "missing_required_parameter", "type"),
    ({"type": "input_audio_buffer.append", "audio": "no base64!"}, "invalid_value", "audio"),
    ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
    ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
    ({"type": "response.cancel"}, "response_cancel_not_active", None),
    ({"type": "response.cancel", "response_id": "resp_none"}, "response_cancel_not_active", None),
    ({"type": "output_audio_buffer.clear"}, "invalid_value", "type"),
    (
        {"type": "conversation.item.truncate", "item_id": "item_x", "content_index": 0, "audio_end_ms": 10},
        "item_truncate_invalid_item_id",
        "item_id",
    ),
    (
        {"type": "conversation.item.truncate", "item_id": "item_x", "content_index": 0, "audio_end_ms": 10.5},
        "invalid_value",
        "audio_end_ms",
    ),
    ({"type": "conversation.item.delete", "item_id": "item_x"}, "item_delete_invalid_item_id", "item_id"),
    ({"type": "conversation.item.retrieve", "item_id": "item_x"}, "item_retrieve_invalid_item_id", "item_id"),
    (
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_x", "output": "{}"},
        },
        "invalid_tool_call_id",
        None,
    ),
    (
        {"type": "conversation.item.create", "previous_item_id": "item_x", "item": user("Hello")},
        "item_create_invalid_previous_item_id",
        "previous_item_id",
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "assistant", "content": [{"type": "text"}]},
        },
        "invalid_value",
        "item.content[0].type",
    ),
    ({"type": "response.create", "response": {"temperature": 1}}, "unknown_parameter", "response.temperature"),
    (
        {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "item_x"}]}},
        "item_reference_invalid_item_id",
        "item_id",
    ),
    ({"type": "response.create", "response": {"metadata": {"k": "v" * 513}}}, "string_above_max_length", None),
]


STRICT = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "strict": True,
    "parameters": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "get_weather_args",
        "properties": {
            "city": {"title": "City", "type": "string", "description": "Its name."},
            "unit": {"anyOf": [{"enum": ["c", "f"], "type": "string"}, {"type": "null"}], "title": "Unit"},
            "place": {"$ref": "#/$defs/Place"},
        },
        "required": ["city", "unit", "place"],
        "additionalProperties": False,
        "$defs": {
            "Place": {"type": ["object", "null"], "properties": {}, "required": [], "additionalProperties": False}
        },
    },
}


@on_a_call()
async def test_a_strict_tool_is_taken_asked_for_and_called(client: Client) -> None:
    session = await client.update(tools=[STRICT], output_modalities=["text"])
    assert session["tools"] == [{name: each for name, each in STRICT.items() if name != "strict"}]
    assert words_of(await client.ask("How is the weather?")) == "Could you tell me: Its name?"
    (call,) = (await client.ask("Paris.", tools=[STRICT]))["output"]
    assert json.loads(call["arguments"]) == {"city": "Paris", "unit": None, "place": None}


@on_a_call()
async def test_what_is_refused_is_named_by_code_path_and_the_clients_event_id(client: Client) -> None:
    for number, (event, code, param) in enumerate(REFUSED):
        event_id = f"mine_{number}"
        await client.socket.send(json.dumps({**event, "event_id": event_id}))
        error = await client.error()
        assert (error["code"], error["event_id"]) == (code, event_id), event
        assert error["type"] == "invalid_request_error"
        assert param is None or error["param"] == param, event


@pytest.mark.parametrize("frame", ["{nonsense", "[]", '"text"', b"\x00\x01", "9" * 20])
def test_a_frame_that_is_no_event_is_answered_and_the_session_goes_on(frame: str | bytes) -> None:
    async def call() -> None:
        async with running() as engine, connected(engine) as client:
            await client.socket.send(frame)
            assert (await client.error())["code"] == "invalid_event"
            await client.update(instructions="Still here.")

    run_paced(call())


@on_a_call()
async def test_a_refused_update_changes_nothing_of_what_it_names(client: Client) -> None:
    await client.send("session.update", session={"type": "realtime", "instructions": "New.", "speed": 1})
    assert (await client.error())["param"] == "session.speed"
    before = client.events[0]["session"]
    assert (await client.update())["instructions"] == before["instructions"]


@on_a_call()
async def test_the_voice_is_locked_by_the_first_audio_and_takes_its_whole_update_down(client: Client) -> None:
    await client.update(audio={"output": {"voice": "cedar"}})
    await client.say_exactly("Hello.")
    await client.done()
    await client.send(
        "session.update", session={"type": "realtime", "instructions": "Lost.", "audio": {"output": {"voice": "ash"}}}
    )
    assert (await client.error())["code"] == "cannot_update_voice"
    after = await client.update(audio={"output": {"voice": "cedar"}})
    assert after["instructions"] != "Lost."


@on_a_call()
async def test_the_model_cannot_be_changed(client: Client) -> None:
    await client.send("session.update", session={"type": "realtime", "model": "another"})
    assert (await client.error())["param"] == "session.model"


async def _status(url: str, headers: dict[str, str]) -> int:
    try:
        async with websockets.connect(url, additional_headers=headers):
            return 101
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


def test_an_upgrade_needs_a_bearer_token_and_the_right_path() -> None:
    async def call() -> None:
        async with running() as engine:
            url = f"{engine.url}?model=any"
            assert await _status(url, {}) == 401
            assert await _status(url, {"Authorization": "Bearer "}) == 401
            assert await _status(url, KEY) == 101
            assert await _status(url.replace("realtime", "other"), KEY) == 404

    run_paced(call())


@pytest.mark.parametrize(
    ("offered", "status"), [(["realtime", "openai-insecure-api-key.any"], 101), (["realtime"], 401)]
)
def test_a_client_that_cannot_set_headers_has_its_key_in_a_subprotocol(offered: list[Subprotocol], status: int) -> None:
    async def call() -> None:
        async with running() as engine:
            url = f"{engine.url}?model=any"
            if status != 101:
                with pytest.raises(websockets.InvalidStatus, match=str(status)):
                    await websockets.connect(url, subprotocols=offered)
                return
            async with websockets.connect(url, subprotocols=offered) as socket:
                assert socket.subprotocol == "realtime"
                assert "session.created" in str(await socket.recv())

    run_paced(call())


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [("?model=any", {"OpenAI-Beta": "realtime=v1"}, "beta_api_shape_disabled"), ("", {}, "missing_model")],
)
def test_a_retired_or_incomplete_request_is_told_why_and_closed_with_4000(
    query: str, headers: dict[str, str], code: str
) -> None:
    async def call() -> None:
        async with (
            running() as engine,
            websockets.connect(engine.url + query, additional_headers={**KEY, **headers}) as socket,
        ):
            assert json.loads(await socket.recv())["error"]["code"] == code
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (4000, f"invalid_request_error.{code}")

    run_paced(call())
