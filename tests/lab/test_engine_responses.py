"""The engine's responses: the order of their events, their pace, and what a request may override."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lab.engine.work import Workshop
from tests.lab.engine_client import Client, connected, in_order, on_a_call, running, user, words_of
from tests.paced_loop import loop_time_s, run_paced

SPOKEN = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]
BOOK = {
    "type": "function",
    "name": "book_table",
    "description": "Book a table for guests",
    "parameters": {"type": "object", "properties": {"guests": {"type": "integer", "description": "number of guests"}}},
}
LONG = " ".join(f"This is sentence number {number} of a rather long story." for number in range(1, 9))


@on_a_call()
async def test_a_spoken_response_has_the_events_of_the_traces_in_their_order(client: Client) -> None:
    await client.say_exactly("Welcome to the clinic. How can I help you?")
    await client.next("rate_limits.updated")
    assert client.kinds(since=1) == SPOKEN

    response = client.of("response.done")[0]["response"]
    assert response["status"] == "completed"
    assert response["status_details"] is None
    assert response["conversation_id"].startswith("conv_")
    assert words_of(response) == "Welcome to the clinic. How can I help you?"
    assert "".join(event["delta"] for event in client.of("response.output_audio_transcript.delta")) == words_of(
        response
    )
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    # One token for 50 ms of the model's speech.
    assert usage["output_token_details"]["audio_tokens"] == round(len(client.audio()) / 48 / 50)


@on_a_call()
async def test_every_event_has_an_id_of_its_own(client: Client) -> None:
    await client.ask("Hello")
    assert len({event["event_id"] for event in client.events}) == len(client.events)


@on_a_call(speed=1, pace=5)
async def test_speech_comes_in_quarter_seconds_and_five_times_faster_than_it_plays(client: Client) -> None:
    await client.say_exactly("One moment, please. I will look that up for you now.")
    await client.next("response.output_audio.delta")
    began_s = loop_time_s()
    await client.done()
    took_s = loop_time_s() - began_s
    sizes = [len(event["delta"]) for event in client.of("response.output_audio.delta")]
    assert sizes[:4] == [3200, 6400, 16000, 16000]
    assert set(sizes[2:-1]) == {16000}
    played_s = len(client.audio()) / 48000
    assert played_s > 2
    assert played_s / 6.5 < took_s < played_s / 3


@on_a_call()
async def test_the_transcript_runs_a_little_ahead_of_the_speech(client: Client) -> None:
    await client.say_exactly(LONG)
    await client.done()
    spoken = client.of("response.done")[0]["response"]
    total_ms, characters = len(client.audio()) / 48, len(words_of(spoken))
    sent_ms = told = 0.0
    for event in client.events:
        if event["type"] == "response.output_audio_transcript.delta":
            told += len(event["delta"])
        elif event["type"] == "response.output_audio.delta":
            sent_ms += len(event["delta"]) * 3 / 4 / 48
            assert told / characters > sent_ms / total_ms - 0.05
            assert told / characters < (sent_ms + 1500) / total_ms + 0.05


@on_a_call()
async def test_a_written_response_has_text_in_place_of_speech(client: Client) -> None:
    await client.update(output_modalities=["text"])
    await client.say_exactly("Good morning.")
    response = await client.done()
    assert client.kinds(since=2) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert response["output"][0]["content"] == [{"type": "output_text", "text": "Good morning."}]
    assert response["output_modalities"] == ["text"]


@on_a_call()
async def test_a_function_call_is_made_and_its_output_spoken_when_asked_for(client: Client) -> None:
    await client.update(tools=[BOOK], output_modalities=["text"])
    response = await client.ask("Please book a table for four guests.")
    assert client.kinds(since=4)[:8] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    call = response["output"][0]
    assert (call["type"], call["name"], call["status"]) == ("function_call", "book_table", "completed")
    assert json.loads(call["arguments"]) == {"guests": 4}
    deltas = client.of("response.function_call_arguments.delta")
    assert "".join(delta["delta"] for delta in deltas) == call["arguments"]

    output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"say": "Table nine is yours."}'}
    await client.send("conversation.item.create", item=output)
    await client.send("response.create")
    assert words_of(await client.done()) == "Table nine is yours."


@on_a_call()
async def test_a_request_overrides_tools_and_instructions_for_itself_only(client: Client) -> None:
    await client.update(tools=[BOOK], instructions="Our address is Mill Lane seven.", output_modalities=["text"])
    spoken = await client.ask("Please book a table for four guests.", tools=[], tool_choice="none")
    assert [item["type"] for item in spoken["output"]] == ["message"]
    forced = await client.ask("Hello.", tool_choice={"type": "function", "name": "book_table"})
    assert [item["type"] for item in forced["output"]] == ["function_call"]
    # Its own instructions replace the session's: what those told is not known.
    replaced = await client.ask("What is your address?", tools=[], instructions="You know nothing.")
    assert "Mill Lane" not in words_of(replaced)
    assert "Mill Lane" in words_of(await client.ask("What is your address?", tools=[]))


@on_a_call()
async def test_only_one_response_runs_in_the_conversation(client: Client) -> None:
    await client.say_exactly(LONG)
    await client.send("response.create", event_id="second")
    error = await client.error()
    assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", None)
    assert (await client.done())["status"] == "completed"
    await client.say_exactly("Now it is free.")
    assert (await client.done())["status"] == "completed"


@on_a_call(speed=1)
async def test_a_cancelled_response_closes_what_it_opened(client: Client) -> None:
    await client.say_exactly(LONG)
    created = await client.next("response.created")
    await client.next("response.output_audio.delta")
    await client.send("response.cancel", response_id=created["response"]["id"])
    response = await client.done()
    assert client.kinds()[-6:] == SPOKEN[6:12]
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["output"][0]["status"] == "incomplete"
    assert LONG.startswith(words_of(response))
    assert words_of(response) != LONG
    await client.send("response.cancel")
    assert (await client.error())["code"] == "response_cancel_not_active"


@on_a_call(speed=1)
async def test_an_out_of_band_response_runs_beside_the_conversation_and_leaves_no_trace(client: Client) -> None:
    await client.send("conversation.item.create", item={**user("My name is Ada."), "id": "item_name"})
    await client.say_exactly(LONG)
    await client.next("response.output_audio.delta")
    await client.send(
        "response.create",
        response={
            "conversation": "none",
            "metadata": {"topic": "aside"},
            "output_modalities": ["text"],
            "tools": [],
            "input": [{"type": "item_reference", "id": "item_name"}],
            "instructions": "Say exactly: Noted.",
        },
    )
    aside = await client.done()
    assert aside["metadata"] == {"topic": "aside"}
    assert aside["conversation_id"] is None
    assert words_of(aside) == "Noted."
    await client.send("response.cancel")
    assert (await client.done())["metadata"] is None
    added = {event["item"]["id"] for event in client.of("conversation.item.added")}
    assert aside["output"][0]["id"] not in added


@on_a_call(speed=1)
async def test_a_question_beside_the_conversation_is_answered_in_one_word_while_the_model_speaks(
    client: Client,
) -> None:
    await client.update(tools=[BOOK], instructions="You take bookings.")
    await client.say_exactly(LONG)
    await client.next("response.output_audio.delta")
    await client.send(
        "response.create",
        response={
            "conversation": "none",
            "metadata": {"consult": "c1"},
            "output_modalities": ["text"],
            "input": [user('{"slots": {"reason": "a terrible pain"}}')],
            "instructions": "Is it urgent?\nChoices: urgent: pain or bleeding; routine: all else.\n"
            "Answer with exactly one of: urgent, routine.",
            "tools": [],
            "max_output_tokens": 50,
        },
    )
    created = await client.next("response.created")
    assert created["response"]["metadata"] == {"consult": "c1"}
    answered = await client.done()
    assert (answered["metadata"], words_of(answered)) == ({"consult": "c1"}, "urgent")
    spoken = await client.done()
    assert (spoken["status"], words_of(spoken)) == ("completed", LONG)


@on_a_call(speed=1)
async def test_an_out_of_band_response_is_cancelled_by_its_id_only(client: Client) -> None:
    await client.say_exactly(LONG, conversation="none")
    created = await client.next("response.created")
    await client.send("response.cancel")
    assert (await client.error())["code"] == "response_cancel_not_active"
    await client.send("response.cancel", response_id=created["response"]["id"])
    assert (await client.done())["status"] == "cancelled"


def test_a_long_answer_is_begun_before_it_is_all_synthesised(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, synthesize = asyncio.Event(), Workshop.synthesize

    def first_only(workshop: Workshop, sentence: str, *how: Any) -> asyncio.Future[bytes]:
        async def in_turn() -> bytes:
            if not LONG.startswith(sentence):
                await begun.wait()
            return await synthesize(workshop, sentence, *how)

        return asyncio.ensure_future(in_turn())

    async def call() -> None:
        async with running(speed=1000) as engine, connected(engine) as client:
            await client.say_exactly(LONG)
            await client.next("response.output_audio.delta")
            begun.set()
            assert words_of(await client.done()) == LONG

    monkeypatch.setattr(Workshop, "synthesize", first_only)
    run_paced(call())


@on_a_call(think_ms=1500, speed=1)
async def test_a_thinking_model_can_be_cancelled_before_it_says_anything(client: Client) -> None:
    await client.send("response.create")
    await client.next("response.created")
    await client.send("response.cancel")
    response = await client.done()
    assert (response["status"], response["output"]) == ("cancelled", [])
    assert in_order(client.kinds(), "response.created", "response.done")
