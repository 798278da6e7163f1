"""The engine's ears on the wire: turns found in real speech, barge-in, push-to-talk, and its voice heard back."""

from __future__ import annotations

from base64 import b64decode

import numpy as np
import pytest

from lab.ears import load_transcriber
from lab.engine.sound import A_LAW, G711, HEARING_HZ, MU_LAW, resampled
from tests.lab.engine_client import Client, connected, in_order, on_a_call, running, speech, words_of
from tests.paced_loop import run_paced

HOURS = "You work at a clinic. Opening hours: we are open from nine to five."
STORY = "Here comes a very long story about nothing at all, which nobody wants to hear to its end."
TRANSCRIBED = {"transcription": {"model": "whisper-1"}}
TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]
DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"


@pytest.mark.parametrize("media", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_a_spoken_question_is_heard_and_answered_in_speech(media: str) -> None:
    async def call() -> None:
        async with running() as engine, connected(engine) as client:
            form = {"format": {"type": media}}
            await client.update(instructions=HOURS, audio={"input": {**form, **TRANSCRIBED}, "output": form})
            audio = speech("slt_hours", media)
            width = len(audio) // 40 + 1  # at no border of samples or windows
            for start in range(0, len(audio), width):
                await client.append(audio[start : start + width])
            response = await client.done()
            _judge_turn(client)
            assert "nine to five" in words_of(response)
            assert "we are open" in load_transcriber().transcribe(_heard_back(client.audio(), media)).lower()

    run_paced(call())


def _judge_turn(client: Client) -> None:
    kinds = client.kinds(since=2)
    assert kinds[:6] == TURN
    assert in_order(kinds, *TURN[:5], DELTA, COMPLETED)
    ids = {event["item_id"] for kind in TURN[:3] for event in client.of(kind)}
    assert ids == {client.of(COMPLETED)[0]["item_id"]}
    assert "opening hours" in client.of(COMPLETED)[0]["transcript"].lower()
    began_ms = client.of(TURN[0])[0]["audio_start_ms"]
    ended_ms = client.of(TURN[1])[0]["audio_end_ms"]
    assert 0 <= began_ms < 500
    assert 2000 < ended_ms < 3400


def _heard_back(audio: bytes, media: str) -> bytes:
    if media == "audio/pcm":
        return resampled(audio, 24_000, HEARING_HZ)
    law = MU_LAW if media == "audio/pcmu" else A_LAW
    return resampled(law.decode(audio).tobytes(), 8_000, HEARING_HZ)


@on_a_call()
async def test_without_transcription_nothing_is_told_of_the_words_but_they_are_heard(client: Client) -> None:
    await client.update(instructions=HOURS)
    await client.append(speech("rms_hours"))
    assert "nine to five" in words_of(await client.done())
    assert not client.of(COMPLETED)


@on_a_call(speed=1, pace=1)
async def test_speech_interrupts_the_response_and_gets_an_answer_of_its_own(client: Client) -> None:
    await client.update(instructions=HOURS, audio={"input": TRANSCRIBED})
    await client.say_exactly(STORY)
    first = (await client.next("response.output_audio.delta"))["item_id"]
    await client.append(speech("slt_hours"))
    since = len(client.events)
    cancelled = await client.done()
    kinds = client.kinds(since)
    assert in_order(kinds, TURN[0], "response.output_audio.done", "response.output_item.done", "response.done")
    assert cancelled["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    await client.send("conversation.item.truncate", item_id=first, content_index=0, audio_end_ms=50)
    committed = await client.next("input_audio_buffer.committed")
    assert committed["previous_item_id"] == first
    await client.next("conversation.item.truncated")
    await client.next("response.output_audio.delta")
    assert client.of("response.created")[-1]["response"]["id"] != cancelled["id"]


@on_a_call(speed=1, pace=1)
async def test_where_interruption_is_off_the_answer_to_a_turn_is_refused_while_one_runs(client: Client) -> None:
    vad = {"type": "server_vad", "interrupt_response": False}
    await client.update(audio={"input": {"turn_detection": vad}})
    await client.say_exactly(STORY)
    await client.next("response.output_audio.delta")
    await client.append(speech("rms_yes"))
    assert (await client.error())["code"] == "conversation_already_has_active_response"
    assert in_order(client.kinds(), *TURN[:5], "error")
    await client.send("response.cancel")
    assert (await client.done())["status_details"]["reason"] == "client_cancelled"


@on_a_call()
async def test_the_client_may_keep_the_decision_to_answer(client: Client) -> None:
    vad = {"type": "server_vad", "create_response": False}
    await client.update(instructions=HOURS, output_modalities=["text"], audio={"input": {"turn_detection": vad}})
    await client.append(speech("slt_hours"))
    await client.next("conversation.item.done")
    await client.update()  # whatever the turn brought with it would have come before this answer
    assert not client.of("response.created")
    await client.send("response.create")
    assert "nine to five" in words_of(await client.done())


@on_a_call()
async def test_push_to_talk_ends_a_turn_by_commit_and_answers_on_request(client: Client) -> None:
    await client.update(
        instructions=HOURS, output_modalities=["text"], audio={"input": {"turn_detection": None, **TRANSCRIBED}}
    )
    await client.append(speech("slt_hours", silence_ms=0))
    await client.send("input_audio_buffer.commit")
    committed = await client.next("input_audio_buffer.committed")
    assert client.kinds(since=2) == ["input_audio_buffer.committed"]
    await client.send("response.create")
    assert "nine to five" in words_of(await client.done())
    assert client.of(COMPLETED)[0]["item_id"] == committed["item_id"]

    await client.send("conversation.item.retrieve", item_id=committed["item_id"])
    audio = b64decode((await client.next("conversation.item.retrieved"))["item"]["content"][0]["audio"])
    assert abs(len(audio) - len(speech("slt_hours", silence_ms=0))) < 48 * 2


@on_a_call()
async def test_a_cleared_or_short_buffer_cannot_be_committed(client: Client) -> None:
    await client.update(audio={"input": {"turn_detection": None}})
    await client.append(bytes(48 * 500))
    await client.send("input_audio_buffer.clear")
    await client.next("input_audio_buffer.cleared")
    await client.append(bytes(48 * 99))
    await client.send("input_audio_buffer.commit")
    assert (await client.error())["code"] == "input_audio_buffer_commit_empty"
    await client.append(bytes(48 * 1))
    await client.send("input_audio_buffer.commit")
    await client.next("input_audio_buffer.committed")


@on_a_call(speed=100)
async def test_long_silence_after_an_answer_makes_the_model_ask(client: Client) -> None:
    await client.update(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}})
    await client.append(bytes(48 * 1000))
    await client.say_exactly("Hello.")
    await client.done()
    since = len(client.events)
    triggered = await client.next("input_audio_buffer.timeout_triggered")
    assert triggered["audio_end_ms"] == 1000
    await client.next("response.created")
    assert in_order(
        client.kinds(since),
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    )


@pytest.mark.parametrize(
    ("law", "known"),
    [(MU_LAW, {0xFF: 0, 0x80: 32124, 0x00: -32124}), (A_LAW, {0xD5: 8, 0xAA: 32256, 0x2A: -32256})],
)
def test_the_companding_tables_are_those_of_g711(law: G711, known: dict[int, int]) -> None:
    levels = law.decode(bytes(range(256)))
    assert {code: int(levels[code]) for code in known} == known
    assert np.array_equal(law.decode(law.encode(levels)), levels)
    ramp = np.arange(-32000, 32000, 7, dtype=np.int16)
    error = np.abs(law.decode(law.encode(ramp)).astype(int) - ramp)
    assert (error <= np.maximum(np.abs(ramp.astype(int)) / 16, 16)).all()


@on_a_call(speed=100, pace=0.05, think_ms=20_000)
async def test_nobody_is_asked_for_a_word_while_speaking(client: Client) -> None:
    await client.update(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}})
    await client.say_exactly(STORY)
    await client.next("response.output_audio.delta")
    await client.append(speech("slt_hours", silence_ms=0))
    assert (await client.done())["status"] == "cancelled"
    # Thinking takes four times as long as the idle timeout here.
    await client.say_exactly("Nothing.", conversation="none", output_modalities=["text"])
    await client.done()
    assert not client.of("input_audio_buffer.timeout_triggered")
