"""The load generator: its stamps and figures by themselves, and whole runs against daemons and a bot that loses."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.uri import parse_uri

import run
from lab.load.caller import LoadCaller
from lab.load.figures import BIN_US, Histogram
from lab.load.line import LoadSocket
from lab.load.model import LoadModel
from lab.load.run_state import LoadSettings, RunState
from lab.load.stamps import STAMP_BYTES, Stamp, StampedChunk, StampsByLength, StampsInAudio, find_stamp
from lab.load.wheel import Wheel
from tests.lab.load_bot import ROOT, wait_until_listening
from tests.mortal import mortal
from tests.ports import free_ports

NUMBERS = st.integers(0, 2**32 - 1)


@given(stream=NUMBERS, number=NUMBERS, sent_us=NUMBERS)
def test_a_stamp_is_found_in_the_message_that_carries_it(stream: int, number: int, sent_us: int) -> None:
    chunk = StampedChunk('{"type":"t","audio":"', bytes(960), '"}', masks=False)
    frame = chunk.stamped(stream, number, sent_us)
    assert json.loads(frame[4:])["type"] == "t"
    assert find_stamp(frame[4:]) == Stamp(stream, number, sent_us)


def test_a_message_without_a_stamp_has_none() -> None:
    assert find_stamp(b'{"type":"session.update"}') is None


@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=50), count=st.integers(1, 5))
def test_stamps_are_found_however_the_audio_is_cut(cuts: list[int], count: int) -> None:
    from base64 import b64decode

    chunk = StampedChunk('{"audio":"', bytes(120), '"}', masks=False)
    frames = [json.loads(chunk.stamped(7, number, 5)[4:])["audio"] for number in range(count)]
    audio = b"".join(map(b64decode, frames))
    stamps, found, at, turn = StampsInAudio(), [], 0, 0
    while at < len(audio):
        found += stamps.feed(audio[at : at + cuts[turn % len(cuts)]])
        at += cuts[turn % len(cuts)]
        turn += 1
    assert found == [Stamp(7, number, 5) for number in range(count)]
    assert len(audio) > STAMP_BYTES


def test_a_delay_is_measured_across_the_wrap_of_the_clock() -> None:
    assert Stamp(1, 1, 2**32 - 10).delay_us(2**32 + 5) == 15


@given(delays=st.lists(st.integers(0, 2_000_000), min_size=1, max_size=300))
def test_quantiles_are_those_of_the_delays_to_a_bin(delays: list[int]) -> None:
    histogram = Histogram()
    for delay in delays:
        histogram.add(delay)
    told = histogram.take()
    shown = np.minimum(delays, 1_000_000)
    for share, got_ms in ((0.5, told.p50_ms), (0.99, told.p99_ms)):
        exact = float(np.quantile(shown, share, method="inverted_cdf"))
        assert abs(round(got_ms * 1000) - exact) <= BIN_US
    assert told.max_ms == max(delays) / 1000
    assert histogram.take().count == 0


def test_resampled_audio_is_told_by_its_length() -> None:
    times = StampsByLength(20)
    for sent_us in (0, 20_000):
        times.sent(sent_us)
    # The resampler held the first chunk; with the second comes nearly all of it.
    assert times.arrived(19.6, 21_000) == [1_000]
    times.sent(40_000)
    assert times.arrived(20.2, 43_000) == [3_000]


def test_audio_that_waited_for_a_late_machine_is_not_lost() -> None:
    times = StampsByLength(20)
    for number in range(10):
        times.sent(20_000 * number)
    arrived = [delay for _ in range(10) for delay in times.arrived(20.0, 190_000)]
    times.sent(200_000)
    arrived += times.arrived(20.0, 201_000)
    assert len(arrived) + times.held == 11


def test_what_the_resampler_holds_at_the_end_is_not_lost_either_after_a_late_start() -> None:
    times = StampsByLength(20)
    for number in range(5):
        times.sent(20_000 * number)
    arrived = [delay for _ in range(5) for delay in times.arrived(20.0, 110_000)]
    for number in (5, 6):
        times.sent(20_000 * number)
    assert len(arrived) + times.held == 7, "two are in the resampler, three came while it was late"


def test_what_no_resampler_holds_is_lost() -> None:
    times = StampsByLength(20)
    times.sent(0)
    arrived = times.arrived(20.0, 1_000)
    for number in range(1, 6):
        times.sent(20_000 * number)
    assert len(arrived) + times.held == 4, "of six"


def test_a_bot_that_resamples_nothing_holds_nothing_back_and_is_told_of() -> None:
    loop = asyncio.new_event_loop()
    settings = LoadSettings(url="ws://x/", calls=1, seconds=1, model_port=1, media="raw/lpcm16")
    state = RunState(settings, loop, Wheel(20, Random(1), patient=True))
    caller = LoadCaller(state, 7)
    state.callers[7] = caller
    model = ToldModel(state)
    chunk = StampedChunk('{"type":"input_audio_buffer.append","audio":"', bytes(640), '"}', masks=False)
    for number in range(5):
        caller.times.sent(number)
        model.message(chunk.stamped(7, number, 0)[4:], number)
    loop.close()
    assert caller.model is model
    assert (state.up.passed, caller.times.held) == (5, 0)
    assert list(state.faults) == ["the bot sends raw/lpcm16 to the model as it is"]


# --- whole runs ---


@contextmanager
def bot(tmp_path: Path, program: str, *arguments: str, **settings: str) -> Iterator[tuple[int, int]]:
    """A bot as a process; yields its process id and its port."""
    port = free_ports()
    with (tmp_path / "bot.log").open("wb") as log:
        command = mortal([sys.executable, program, *arguments, "--port", str(port)])
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stderr=log)
        try:
            wait_until_listening(port, process)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait(timeout=60)


def place(tmp_path: Path, port: int, model_port: int, *options: str) -> tuple[int, dict[str, Any], str]:
    """`tieline load` against a bot: its exit code, its report, and what it said."""
    report = tmp_path / "report.json"
    where = ["--to", f"ws://127.0.0.1:{port}", "--model-port", str(model_port), "--json", str(report)]
    ran = CliRunner().invoke(run.app, ["load", *where, "--calls", "5", "--seconds", "1.5", "--patient", *options])
    return ran.exit_code, json.loads(report.read_text()), ran.output


@pytest.fixture(scope="module")
def tieline(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[tuple[int, int, int]]:
    """A daemon for one run after the other: its process id, its port, and that of its model."""
    folder, model_port = tmp_path_factory.mktemp("tieline"), free_ports()
    settings = {
        "TIELINE_OPENAI_URL": f"ws://127.0.0.1:{model_port}",
        "TIELINE_DATABASE_URL": f"sqlite:///{shutil.copy(migrated_file, folder)}",
        "TIELINE_LOG_LEVEL": "WARNING",
        "TIELINE_MAX_LAG_MS": "0",  # whatever else keeps the machine busy
    }
    with bot(folder, "run.py", "serve", "--ops-port", "0", **settings) as (pid, port):
        yield pid, port, model_port


@pytest.mark.parametrize("media", ["raw/lpcm16_24", "raw/lpcm16", "raw/mulaw"])
def test_a_daemon_loses_nothing(tieline: tuple[int, int, int], tmp_path: Path, media: str) -> None:
    pid, port, model_port = tieline
    code, report, said = place(tmp_path, port, model_port, "--format", media, "--pid", str(pid))
    assert code == 0, said
    (stretch,) = report["stretches"]
    for way in ("up", "down"):
        assert stretch[way]["passed"] > 0  # of 375, where the machine is in time
        assert stretch[way]["misplaced"] == 0
        assert stretch[way]["delays"]["p50_ms"] > 0
    assert (report["lost_up"], report["lost_down"], report["failed"], report["opened"]) == (0, 0, 0, 5)
    assert stretch["pid"]["rss_mb"] > 10


@pytest.mark.faults  # a generator that gets no core in time loses chunks itself
def test_calls_that_end_are_followed_by_others_and_nothing_counts_as_lost(
    tieline: tuple[int, int, int], tmp_path: Path
) -> None:
    _, port, model_port = tieline
    code, report, said = place(tmp_path, port, model_port, "--call-seconds", "0.4")
    assert code == 0, said
    assert report["opened"] > 5
    assert (report["lost_up"], report["lost_down"], report["failed"]) == (0, 0, 0)


def test_barge_ins_and_first_words_are_timed(tieline: tuple[int, int, int], tmp_path: Path) -> None:
    _, port, model_port = tieline
    code, report, said = place(tmp_path, port, model_port, "--turn-seconds", "0.5")
    assert report["barge_in"]["count"] > 0, said
    assert report["first_audio"]["count"] > 0
    assert code in (0, 1)  # what was still to come of a cut sentence is dropped, as it must be


def test_a_ramp_is_told_step_by_step_and_drawn(tieline: tuple[int, int, int], tmp_path: Path) -> None:
    picture = tmp_path / "load.png"
    _, port, model_port = tieline
    code, report, said = place(tmp_path, port, model_port, "--ramp", "3", "--seconds", "0.5", "--plot", str(picture))
    assert code == 0, said
    assert [each["calls"] for each in report["stretches"]] == [3, 5]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_bot_that_loses_audio_is_reported(tmp_path: Path) -> None:
    model_port = free_ports()
    with bot(tmp_path, "tests/lab/load_bot.py", "--model-port", str(model_port)) as (_, port):
        code, report, said = place(tmp_path, port, model_port)
    assert code == 1
    assert report["lost_up"] > 0
    assert report["lost_down"] == 0
    assert "lost on the way up" in said


def test_a_bot_that_cannot_be_reached_is_reported(tmp_path: Path) -> None:
    code, report, said = place(tmp_path, free_ports(), free_ports())
    assert code == 1
    assert report["failed"] == 5
    assert "no connection" in said


class ToldModel(LoadModel):
    """A session whose timers are kept, to be run by hand."""

    def __init__(self, run: RunState) -> None:
        self.said: list[str] = []
        self.later: list[Callable[[], None]] = []
        super().__init__(run, 1)

    def say(self, kind: str, **fields: Any) -> None:
        self.said.append(kind)

    def _after(self, delay_s: float, do: Callable[[], None]) -> None:
        self.later.append(do)


@pytest.mark.parametrize(
    ("events", "spoken"),
    [
        ([{"type": "session.update", "session": {"type": "realtime"}}], "by a turn"),
        ([{"type": "response.create"}], "asked"),
        ([{"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}}], "never"),
        (
            [
                {
                    "type": "session.update",
                    "session": {"audio": {"input": {"turn_detection": {"create_response": False}}}},
                }
            ],
            "never",
        ),
    ],
)
def test_a_bot_that_relies_on_turn_detection_is_spoken_to(events: list[dict[str, Any]], spoken: str) -> None:
    loop = asyncio.new_event_loop()
    settings = LoadSettings(url="ws://x/", calls=1, seconds=1, model_port=1)
    state = RunState(settings, loop, Wheel(20, Random(1), patient=True))
    caller = LoadCaller(state, 7)
    state.callers[7] = caller
    model = ToldModel(state)
    for event in events:
        model.message(json.dumps(event).encode(), 0)
    chunk = StampedChunk('{"type":"input_audio_buffer.append","audio":"', bytes(960), '"}', masks=False)
    model.message(chunk.stamped(7, 0, 0)[4:], 0)
    assert caller.model is model
    for _ in range(2):
        later, model.later = model.later, []
        for do in later:
            do()
    loop.close()
    assert ("input_audio_buffer.speech_started" in model.said) == (spoken == "by a turn")
    assert model.said.count("response.created") == (spoken != "never")


@pytest.mark.parametrize(("close", "why"), [(b"\x88\x00", ""), (b"\x88\x02\x03\xf3", "the socket was lost (1011)")])
def test_a_close_that_gives_no_code_is_no_failure(close: bytes, why: str) -> None:
    ends: list[str] = []

    class Ending(LoadSocket):
        def gone(self, why: str) -> None:
            ends.append(why)

    socket = Ending(ClientProtocol(parse_uri("ws://x/"), state=OPEN))
    socket.data_received(close)
    socket.connection_lost(None)
    assert ends == [why]


def test_an_unknown_format_is_refused() -> None:
    ran = CliRunner().invoke(run.app, ["load", "--format", "mp3"])
    assert ran.exit_code == 2
    assert "unknown format" in ran.stderr
