"""The engine's faults: each does what it is named for, as often as it was told to, and no more."""

from __future__ import annotations

import asyncio

import pytest
import websockets

from lab.engine import Faults
from tests.lab.engine_client import KEY, connected, running, words_of
from tests.paced_loop import run_paced


async def _close_code(engine_url: str) -> int | None:
    async with websockets.connect(f"{engine_url}?model=any", additional_headers=KEY) as socket:
        await socket.wait_closed()
        return socket.close_code


def test_an_upgrade_is_refused_as_often_as_was_asked_for() -> None:
    async def call() -> None:
        async with running(faults=Faults(upgrade_status=429, times=2)) as engine:
            for _ in range(2):
                with pytest.raises(websockets.InvalidStatus) as refused:
                    await _close_code(engine.url)
                assert refused.value.response.status_code == 429
            async with connected(engine):
                pass

    run_paced(call())


@pytest.mark.parametrize("faults", [Faults(drop_after_ms=0), Faults(drop_on="session.created")])
def test_a_dropped_connection_ends_without_a_close_frame(faults: Faults) -> None:
    async def call() -> None:
        async with running(faults=faults) as engine:
            async with asyncio.timeout(5):
                assert await _close_code(engine.url) == 1006

    run_paced(call())


def test_a_fault_can_be_injected_into_an_open_connection_and_taken_back() -> None:
    async def call() -> None:
        async with running() as engine:
            async with connected(engine) as client:
                engine.inject(Faults(drop_on="response.create"))
                await client.update(instructions="All is well so far.")
                with pytest.raises(websockets.ConnectionClosedError):
                    await client.ask("Hello.")
            engine.inject(Faults())
            async with connected(engine) as client:
                assert (await client.ask("Hello."))["status"] == "completed"

    run_paced(call())


def test_a_drop_in_mid_response_lets_out_what_came_before_it() -> None:
    async def call() -> None:
        async with running(faults=Faults(drop_on="response.output_audio.done")) as engine, connected(engine) as client:
            with pytest.raises(websockets.ConnectionClosedError):
                await client.ask("Hello.")
            assert client.audio()

    run_paced(call())


def test_responses_fail_as_often_as_was_asked_for_without_a_sound() -> None:
    async def call() -> None:
        async with running(faults=Faults(fail_responses=1)) as engine, connected(engine) as client:
            failed = await client.ask("Hello.")
            assert failed["status"] == "failed"
            assert failed["status_details"]["error"]["code"] == "rate_limit_exceeded"
            assert not client.audio()
            assert (await client.ask("Hello."))["status"] == "completed"

    run_paced(call())


def test_an_expired_session_says_so_and_closes_with_1001() -> None:
    async def call() -> None:
        async with running(faults=Faults(expire_after_s=0.05)) as engine, connected(engine) as client:
            assert (await client.error())["code"] == "session_expired"
            await client.socket.wait_closed()
            assert client.socket.close_code == 1001

    run_paced(call())


def test_a_session_ends_when_the_lifetime_it_promised_is_over() -> None:
    async def call() -> None:
        async with running(session_s=0.05) as engine, connected(engine) as client:
            assert (await client.error())["code"] == "session_expired"

    run_paced(call())


def test_a_mute_response_has_words_but_no_audio() -> None:
    async def call() -> None:
        async with running(faults=Faults(mute=True)) as engine, connected(engine) as client:
            assert words_of(await client.ask("Hello."))
            assert not client.audio()

    run_paced(call())


def test_a_silent_engine_reads_and_answers_nothing() -> None:
    async def call() -> None:
        async with running() as engine, connected(engine) as client:
            engine.inject(Faults(silent=True))
            await client.send("session.update", session={"type": "realtime", "instructions": "Unheard."})
            # The answer to a ping shows that what stood before it was read.
            await (await client.socket.ping())
            engine.inject(Faults())
            session = await client.update()
            assert session["instructions"] == "Unheard."
            assert len(client.of("session.updated")) == 1

    run_paced(call())


def test_updates_can_be_refused() -> None:
    async def call() -> None:
        async with running() as engine, connected(engine) as client:
            engine.inject(Faults(refuse_updates=True))
            await client.send("session.update", session={"type": "realtime", "instructions": "Refused."})
            error = await client.error()
            assert error["code"] == "invalid_value"

    run_paced(call())


def test_one_setting_can_be_refused() -> None:
    async def call() -> None:
        async with running() as engine, connected(engine) as client:
            engine.inject(Faults(refuse_setting="audio.output.speed"))
            await client.update(instructions="Taken.")
            speed = {"type": "realtime", "audio": {"output": {"speed": 1.2}}}
            await client.send("session.update", session=speed)
            error = await client.error()
            assert (error["code"], error["param"]) == ("unknown_parameter", "session.audio.output.speed")

    run_paced(call())


def test_faults_are_read_from_a_command_lines_words() -> None:
    assert Faults.parse(["mute=true", "fail_responses=2"]) == Faults(mute=True, fail_responses=2)
    with pytest.raises(ValueError, match="drop_after"):
        Faults.parse(["drop_after=10"])


def test_connections_leave_nothing_behind() -> None:
    async def call() -> None:
        async with running() as engine:
            for _ in range(5):
                async with connected(engine) as client:
                    await client.say_exactly("This is cut short by the end of the connection.")
            async with connected(engine) as last:
                await last.ask("Hello.")
                assert engine.connections == 1

    run_paced(call())
