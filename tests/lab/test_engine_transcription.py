"""Transcription sessions: they write down what they hear, and answer nobody."""

from __future__ import annotations

from typing import Any

import websockets

from lab.engine import Engine
from tests.lab.engine_client import KEY, Client, in_order, running, speech, user
from tests.paced_loop import run_paced

HEARD = {
    "format": {"type": "audio/pcm", "rate": 24000},
    "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
}


async def update(client: Client, **session: Any) -> dict[str, Any]:
    await client.send("session.update", session={"type": "transcription", **session})
    told: dict[str, Any] = (await client.next("session.updated"))["session"]
    return told


async def with_client(engine: Engine, query: str) -> Client:
    socket = await websockets.connect(f"{engine.url}?{query}", additional_headers=KEY, compression=None)
    client = Client(socket, engine)
    await client.next("session.created")
    return client


def test_what_is_heard_is_written_down_and_not_answered() -> None:
    async def call() -> None:
        async with running() as engine:
            client = await with_client(engine, "intent=transcription")
            created = client.events[0]["session"]
            assert (created["type"], created["object"]) == ("transcription", "realtime.transcription_session")
            assert "output" not in created["audio"]
            assert "tools" not in created
            told = await update(client, audio={"input": HEARD}, include=["item.input_audio_transcription.logprobs"])
            assert told["audio"]["input"]["transcription"]["model"] == "gpt-4o-transcribe"
            assert told["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 400
            assert "create_response" not in told["audio"]["input"]["turn_detection"]
            assert told["include"] == ["item.input_audio_transcription.logprobs"]
            assert told["expires_at"] == created["expires_at"]

            await client.append(speech("rms_hours"))
            written = await client.next("conversation.item.input_audio_transcription.completed")
            assert "hours" in written["transcript"].lower()
            await client.send("input_audio_buffer.clear")
            await client.next("input_audio_buffer.cleared")
            kinds = client.kinds()
            assert in_order(kinds, "input_audio_buffer.speech_started", "input_audio_buffer.committed")
            assert not [kind for kind in kinds if kind.startswith("response.")]
            await client.socket.close()

    run_paced(call())


def test_a_part_of_an_update_leaves_the_rest_as_it_is() -> None:
    async def call() -> None:
        async with running() as engine:
            client = await with_client(engine, "intent=transcription&model=gpt-4o-transcribe")
            await update(client, audio={"input": HEARD})
            told = await update(client, audio={"input": {"turn_detection": None}})
            assert told["audio"]["input"]["turn_detection"] is None
            assert told["audio"]["input"]["transcription"]["language"] == "en"
            assert (await update(client))["audio"]["input"] == told["audio"]["input"]
            await client.socket.close()

    run_paced(call())


def test_each_kind_of_session_refuses_what_belongs_to_the_other() -> None:
    async def call() -> None:
        async with running() as engine:
            client = await with_client(engine, "intent=transcription")
            await client.send("session.update", session={"type": "realtime", "instructions": "Talk."})
            assert (await client.error())["param"] == "session.type"
            await client.send("session.update", session={"type": "transcription", "instructions": "Talk."})
            assert (await client.error())["code"] == "unknown_parameter"
            await client.send("conversation.item.create", item=user("Hello."))
            await client.send("response.create")
            assert "no responses" in (await client.error())["message"]
            await client.socket.close()
            client = await with_client(engine, "model=gpt-realtime")
            await client.send("session.update", session={"type": "transcription"})
            assert (await client.error())["param"] == "session.type"
            await client.socket.close()

    run_paced(call())
