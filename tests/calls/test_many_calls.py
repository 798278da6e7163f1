"""Many calls in one process: none disturbs another, and none leaves anything behind."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import stat
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pykka
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from actors.call.transcript import Transcript
from actors.system.actor import LoopActor
from actors.tasks.agent import FsmAgent
from actors.transport.websocket import FramedWire
from lab.caller import CallReport, Drop, HangUp, ScriptStep, Wait
from tests.calls.live import Practice, heard_words, practice
from tests.gateway.daemons import until
from tests.paced_loop import run_paced

LIMIT_S = 60.0


def held() -> Counter[str]:
    """What a process holds that a call may have left: by kind, how many."""
    gc.collect()
    ours = Counter(
        type(each).__name__
        for each in gc.get_objects()
        if isinstance(each, LoopActor | FsmAgent | Transcript | FramedWire)
    )
    timers = sum(isinstance(each, asyncio.TimerHandle) and not each.cancelled() for each in gc.get_objects())
    # Pools keep the threads they have once made; actors must not.
    pools = ("asyncio_", "dial", "hearing", "speaking")
    threads = [each.name for each in threading.enumerate() if not each.name.startswith(pools)]
    return ours + Counter(
        {
            "actors": len(pykka.ActorRegistry.get_all()),
            "sockets": sum(is_socket(int(each)) for each in os.listdir("/dev/fd")),
            "timers": timers,
            "threads": len(threads),
            "tasks": len(asyncio.all_tasks()),
        }
    )


def is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:  # the one that listed the others
        return False


async def ten_calls(services: Practice, name: str, *steps: str | ScriptStep) -> list[CallReport]:
    """Ten calls at a time: cut off early and late, resumed, in every format; and one that lives through the steps."""

    def place(number: int, *steps: str | ScriptStep, **settings: Any) -> Awaitable[CallReport]:
        return services.call(*steps, conversation_id=f"{name}-{number}", **settings)

    return await asyncio.gather(
        place(0, *steps),
        place(1, HangUp()),
        place(2, HangUp(), formats=("raw/lpcm16_8",)),
        place(3, Wait(1500), HangUp()),
        place(4, Wait(1500), HangUp(), formats=("raw/mulaw",)),
        place(5, Wait(1000), Drop(), Wait(500), HangUp()),
        place(6, Wait(1000), Drop(), Drop(), HangUp()),
        place(7, Wait(200), HangUp(), formats=("raw/lpcm16",)),
        place(8, Wait(2500), HangUp()),
        place(9, Wait(3500), HangUp()),
    )


# By tens that are placed together, in each of which one call lives through the steps.
FEW: list[dict[str, tuple[str | ScriptStep, ...]]] = [{"a": ("slt_goodbye",), "b": (HangUp(),)}]
FIFTY = [
    {"a": ("rms_goodbye",), "b": ("slt_goodbye",)},
    {"c": (HangUp(),), "d": ("slt_book", HangUp())},
    {"e": ("slt_hours", HangUp())},
]


@pytest.mark.parametrize("rounds", [FEW, pytest.param(FIFTY, marks=pytest.mark.faults)], ids=["twenty", "fifty"])
def test_calls_twenty_at_a_time_end_well_and_leave_nothing_behind(
    tmp_path: Path, rounds: list[dict[str, tuple[str | ScriptStep, ...]]]
) -> None:
    async def calls() -> None:
        async with practice(tmp_path, speed=4) as services:
            await ten_calls(services, "first", "slt_book", HangUp())  # what is made once and kept is made now
            await until_quiet(services)
            before = held()

            reports: list[CallReport] = []
            for each in rounds:
                for ten in await asyncio.gather(*(ten_calls(services, name, *steps) for name, steps in each.items())):
                    reports += ten
            await until_quiet(services)

            completed = sum(HangUp() not in steps for each in rounds for steps in each.values())
            ended = {"bot-disconnected": completed, "client-disconnected": len(reports) - completed}
            assert Counter(report.outcome for report in reports) == ended
            assert [error for report in reports for error in report.errors] == []
            assert {(await services.record(report.conversation_id)).outcome for report in reports} == {
                "completed",
                "client-disconnected",
            }

            # The last sockets, threads and timers take a moment to go.
            give_up_s = time.monotonic() + LIMIT_S
            while (left := held() - before) and time.monotonic() < give_up_s:
                await services.daemon.live_calls()
            assert left == Counter()

    run_paced(calls())


async def until_quiet(services: Practice) -> None:
    async def quiet() -> bool:
        return not (await services.daemon.live_calls() or services.engine.connections)

    await until(quiet)


# --- bad frames ---

BAD_FROM_VAIC: list[str | bytes] = [
    "",
    "not json",
    "null",
    "[]",
    "42",
    "{}",
    '{"type":null}',
    '{"type":7}',
    '{"type":"no.such.thing","conversationId":"rude"}',
    '{"type":"userStream.chunk"}',
    '{"type":"userStream.chunk","conversationId":"rude","audioChunk":12}',
    '{"type":"userStream.chunk","conversationId":"rude","audioChunk":"%%%"}',
    '{"type":"userStream.chunk","conversationId":"rude","audioChunk":"AA=="}',
    '{"type":"userStream.chunk","conversationId":"polite","audioChunk":"AAAA"}',
    '{"type":"userStream.stop","conversationId":"rude"}',
    '{"type":"activities","conversationId":"rude","activities":"none"}',
    '{"type":"activities","conversationId":"rude","activities":[{"type":"event"},{"name":"DTMF","value":{"a":1}}]}',
    '{"type":"session.initiate","conversationId":"polite","expectAudioMessages":true,"supportedMediaFormats":["raw/mulaw"]}',
    '{"type":"session.end","conversationId":"polite","reasonCode":"client-disconnected"}',
    '{"type":"session.accepted","conversationId":"rude","mediaFormat":"raw/mulaw"}',
    "[" * 100_000,
    '{"type":"activities","conversationId":"rude","activities":[{"type":"event","name":"DTMF","value":NaN,"delay":NaN}]}',
    '{"type":"activities","type":"no.such.thing","conversationId":"polite","conversationId":"rude","activities":[]}',
    '{"type":"session.initiate","conversationId":"rude","expectAudioMessages":true,"supportedMediaFormats":["raw/mulaw"]}',
    '{"type":"session.resume","conversationId":"polite"}',
    '{"type":"userStream.chunk","conversationId":"rude","audioChunk":"' + "A" * 160_000 + 'A"}',
    '{"type":"userStream.chunk","conversationId":"rude","audioChunk":"' + "A" * 160_000 + '"}',
    b"\x00\xff\xfe",
    b"{}",
]
BAD_FROM_MODEL: list[str | bytes] = [
    "",
    "not json",
    "[]",
    '{"type":"response.output_audio.delta"}',
    '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","output_index":0,"content_index":0,"delta":"%"}',
    '{"type":"response.done"}',
    '{"type":"response.done","response":{"id":"never begun","status":"completed"}}',
    '{"type":"no.such.event"}',
    '{"type":"error","error":{"type":"server_error","message":"We are sorry."}}',
    '{"type":"input_audio_buffer.speech_stopped","item_id":"i","audio_end_ms":5}',
    b"\x00\xff\xfe",
]


class Rude:
    """A VAIC that says what it likes."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, "conversationId": "rude"} | fields))

    async def next(self, kind: str) -> dict[str, Any]:
        async for message in self.socket:
            frame: dict[str, Any] = json.loads(message)
            if frame["type"] == kind:
                return frame
        raise AssertionError(f"closed with {self.socket.close_code} before {kind}")


@asynccontextmanager
async def rude_call(url: str, answer: str, kind: str, **fields: Any) -> AsyncIterator[Rude]:
    async with websockets.connect(url, close_timeout=1) as socket:
        rude = Rude(socket)
        await rude.send(kind, **fields)
        await rude.next(answer)
        yield rude


async def be_rude(services: Practice) -> None:
    initiate = {"expectAudioMessages": True, "supportedMediaFormats": ["raw/mulaw"], "caller": "rude", "botName": "b"}
    async with rude_call(services.daemon.vaic_url, "session.accepted", "session.initiate", **initiate) as rude:
        for bad in BAD_FROM_VAIC:
            await rude.socket.send(bad)
        await rude.send("activities", activities=[{"type": "event", "name": "start", "id": "1", "timestamp": "now"}])
        await rude.next("playStream.chunk")
        *_, model = services.model_tap.clients
        for bad in BAD_FROM_MODEL:
            await model.send(bad)
        await rude.send("userStream.start")
        await rude.next("userStream.started")
        await rude.socket.send("x" * 2**20 + "x")
        await rude.socket.wait_closed()
        assert rude.socket.close_code == 1009
    async with rude_call(services.daemon.vaic_url, "session.accepted", "session.resume") as rude:
        await rude.send("session.end", reasonCode="client-disconnected", reason="enough")
        await rude.socket.wait_closed()
        assert rude.socket.close_code == 1000


async def knock_rudely(services: Practice) -> None:
    """Bad frames on sockets that are no call yet, and what is no WebSocket at all."""
    for bad in (each for each in BAD_FROM_VAIC if "session.initiate" not in str(each) and "resume" not in str(each)):
        async with websockets.connect(services.daemon.vaic_url, close_timeout=1) as socket:
            await socket.send(bad)
            await socket.send('{"type":"connection.validate"}')
            assert json.loads(await socket.recv()) == {"type": "connection.validated", "success": True}
    host, port = services.daemon.vaic_url.removeprefix("ws://").rstrip("/").split(":")
    for bytes_ in (b"\x16\x03\x01 hello", b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", os.urandom(4096)):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(bytes_)
        writer.write_eof()
        await reader.read()
        writer.close()


def test_bad_frames_in_one_call_never_reach_another(tmp_path: Path) -> None:
    async def calls() -> None:
        async with practice(tmp_path, tapped=True) as services:
            polite = asyncio.create_task(services.call("slt_hours", "slt_goodbye", conversation_id="polite"))
            await knock_rudely(services)
            await be_rude(services)
            report = await polite

            assert (report.outcome, report.errors) == ("bot-disconnected", ())
            assert [turn.role for turn in report.turns] == ["bot", "caller", "bot", "caller", "bot"]
            assert "Thank you for calling. Goodbye." in heard_words(report)
            assert (await services.record("rude")).outcome == "client-disconnected"

    run_paced(calls())
