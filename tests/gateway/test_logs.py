"""The logs: one line per event, a call's lines carry its id, and no secret or caller's words ever appear."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Never

import pytest
from loguru import logger
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from fsm.spec import AgentSpec, Collect, End, Slot
from gateway.log_writer import MAX_LINES, WRITER
from gateway.logs import set_up_logs
from tests.gateway.daemons import Vaic, counted, logs_put_back, run, serving, socket

LOST = "tieline_lost_log_lines_total"
KEY, TOKEN = "sk-0123456789abcdef", "s3cret-token-of-ours"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL) +[\w.]+: .+")
# Marks to look for in the log: what the caller says and presses, the caller's name, what the bot answers.
SAID, ANSWERED, PRESSED, CALLER = "xylophone", "marmalade", "8675309", "+4930555010"
AUDIO = "U1dPUkRGSVNI" * 50


@pytest.fixture(autouse=True)
def usual_logs() -> Iterator[None]:
    with logs_put_back():
        yield


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    WRITER.flush()
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


# --- one line ---


def test_an_event_is_one_line_with_its_conversation_first_then_its_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("INFO")
    logger.bind(conversation="c-1").info("call began", bot="front desk", media="raw/mulaw", caller="")
    (line,) = lines(capsys)
    assert LINE.fullmatch(line)
    assert line.endswith(": call began  conversation=c-1 bot='front desk' media=raw/mulaw caller=''")
    assert f" {__name__}: " in line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("c-1\n2026-03-04 INFO forged: call ended", r"'c-1\n2026-03-04 INFO forged: call ended'"),
        ("c-1\nforged", r"'c-1\nforged'"),
        ("c-1\r\x1b[2J", r"'c-1\r\x1b[2J'"),
        ("c\u2028d", r"'c\u2028d'"),
        ("\ud800", r"'\ud800'"),
        ("{record}", "{record}"),
        ("</red>", "</red>"),
        (r"\<red>", r"\<red>"),
        (r"\<nonsense>", r"\<nonsense>"),
        ("käse", "käse"),
    ],
)  # fmt: skip
def test_text_of_a_peer_stays_within_its_field(value: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO")
    logger.info("frame ignored", detail=value)
    (line,) = lines(capsys)
    assert line.endswith(f": frame ignored  detail={shown}")


def test_a_message_of_several_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO")
    logger.info("one\ntwo")
    (line,) = lines(capsys)
    assert line.endswith(r": 'one\ntwo'")


def test_levels_below_the_one_set_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("WARNING")
    logger.debug("debug")
    logger.info("info")
    logger.warning("warning")
    assert [line.rpartition(": ")[2] for line in lines(capsys)] == ["warning"]


def test_the_standard_librarys_loggers_are_written_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO")
    logging.getLogger("pykka").warning("Unhandled message in %s", "Switchboard")
    logging.getLogger("pykka").info("registered")
    logging.getLogger("websocket").error("goodbye")
    (line,) = lines(capsys)
    assert LINE.fullmatch(line)
    assert line.endswith(" pykka: Unhandled message in Switchboard")


def test_an_error_is_one_line_with_its_conversation_and_its_frames_and_without_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("INFO")
    crash_with(SAID)
    (line,) = lines(capsys)
    assert LINE.fullmatch(line)
    assert ": child died  conversation=c-1 error='ValueError: ***' trace='tests/gateway/test_logs.py:" in line
    assert SAID not in line


def test_where_debug_is_logged_an_error_has_its_text_still_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("WARNING", levels={"tests": "DEBUG"})
    crash_with(SAID)
    (line,) = lines(capsys)
    assert rf"error='ValueError: no {SAID}\n2026-01-01 forged' " in line


def test_the_levels_of_modules_hold_for_what_is_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("WARNING", levels={"tests.gateway": "DEBUG", "tests.gateway.test_logs": "INFO", "test": "ERROR"})
    logger.debug("debug")
    logger.info("info")
    logging.getLogger("tests.gateway.other").warning("other")
    logging.getLogger("tests").info("not this")
    assert [line.rpartition(": ")[2] for line in lines(capsys)] == ["info", "other"]


def test_an_uncaught_exception_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO")
    thread = threading.Thread(target=crash_uncaught, name="dial")
    thread.start()
    thread.join()

    async def scene() -> None:
        asyncio.get_running_loop().call_soon(lambda words: crash_uncaught(), SAID)
        await asyncio.sleep(0)

    run(scene)
    warnings.warn(f"two\nlines of {KEY}", stacklevel=1)
    told = lines(capsys)
    assert not [line for line in told if not LINE.fullmatch(line) or SAID in line or KEY in line]
    assert [re.sub(r"^\S+ (\w+) +", r"\1 ", line).partition("  ")[0] for line in told[:1]] == [
        "ERROR gateway.logs: a thread has failed"
    ]
    assert re.search(r" ERROR +asyncio: Exception in callback .* error='ValueError: \*\*\*' trace=", told[1])
    assert " WARNING py.warnings: " in told[2]


def crash_uncaught() -> None:
    raise ValueError(f"no {SAID}\n2026-01-01 forged")


def crash_with(words: str) -> None:
    try:
        raise ValueError(f"no {words}\n2026-01-01 forged")
    except ValueError:
        logger.bind(conversation="c-1").exception("child died")


# --- as JSON ---


def test_an_event_as_json_has_the_same_fields_and_none_of_a_peers_can_take_the_place_of_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("INFO", "json")
    logger.bind(conversation="c-1\nforged").warning("frame ignored", rows=3, found=None, detail="\ud800", level="low")
    crash_with(SAID)
    first, second = (json.loads(line) for line in lines(capsys))
    assert datetime.fromisoformat(first.pop("time")).utcoffset() is not None
    assert first == {
        "level": "WARNING",
        "module": __name__,
        "message": "frame ignored",
        "conversation": "c-1\nforged",
        "rows": 3,
        "found": None,
        "detail": "\ud800",
        "level_": "low",
    }
    assert (second["error"], second["conversation"]) == ("ValueError: ***", "c-1")
    assert second["trace"][0].startswith("tests/gateway/test_logs.py:")
    assert second["trace"][0].endswith(" crash_with")


# --- who reads ---


def test_a_log_that_is_not_read_blocks_nothing_and_dropped_lines_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    lost = counted(LOST)
    with os.fdopen(writing, "w") as pipe, os.fdopen(reading) as reader:
        monkeypatch.setattr(sys, "stderr", pipe)
        set_up_logs("INFO")
        for number in range(2 * MAX_LINES):
            logger.info("nobody reads this", number=number)
        missed = round(counted(LOST) - lost)
        assert missed > 0
        numbers = [int(reader.readline().rpartition("=")[2]) for _ in range(2 * MAX_LINES - missed)]
        assert numbers == sorted(set(numbers))
        WRITER.flush()


def test_what_a_full_disk_has_left_of_a_line_is_not_the_beginning_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk(io.StringIO):
        is_full = True

        def write(self, text: str) -> int:
            super().write(text[:20] if self.is_full else text)
            if self.is_full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return len(text)

    disk, lost = Disk(), counted(LOST)
    monkeypatch.setattr(sys, "stderr", disk)
    set_up_logs("INFO")
    logger.info("this finds no room")
    WRITER.flush()
    assert counted(LOST) == lost + 1
    disk.is_full = False
    for _ in range(2):
        logger.info("this does")
        WRITER.flush()
    cut, *whole, end = disk.getvalue().split("\n")
    assert (len(cut), [line.endswith(": this does") for line in whole], end) == (20, [True, True], "")


# Writes to a file that takes so many bytes, then to one that takes all; tells how many lines were counted as lost.
FULL_DISK = """
import resource, sys
from loguru import logger
from actors.metrics import LOG_LINES_LOST
from gateway.log_writer import WRITER
from gateway.logs import set_up_logs

set_up_logs("INFO")
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
for number in range(2000):
    logger.info("what is told", number=number)
WRITER.flush()
lost = int(LOG_LINES_LOST._value.get())
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
logger.info("there is room again")
WRITER.flush()
print(lost)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
@pytest.mark.parametrize("buffering", ["", "1"], ids=["buffered", "unbuffered"])
def test_each_line_that_a_full_disk_has_no_room_for_is_counted_however_much_of_a_batch_it_takes(
    tmp_path: Path, buffering: str
) -> None:
    file = tmp_path / "log"
    with file.open("w") as log:
        environment = os.environ | {"PYTHONUNBUFFERED": buffering}
        command = [sys.executable, "-c", FULL_DISK]
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=log, check=True, timeout=60)
    *whole, cut, end = file.read_text().splitlines()
    assert len(whole) == 2000 - int(ended.stdout)
    assert all(line.endswith(f" number={number}") for number, line in enumerate(whole))
    assert LINE.fullmatch(end)
    assert not LINE.fullmatch(cut) or not cut.endswith(f" number={len(whole)}")


# Without standard files: they are opened before a socket gets their numbers, and what is logged is counted as lost.
CLOSED = """
import os, socket, stat
from loguru import logger
from actors.metrics import LOG_LINES_LOST
from gateway.log_writer import WRITER
from gateway.logs import set_up_logs

set_up_logs("INFO")
assert min(each.fileno() for each in socket.socketpair()) > 2
assert all(stat.S_ISCHR(os.fstat(number).st_mode) for number in range(3))
logger.info("nobody reads this")
WRITER.flush()
assert LOG_LINES_LOST._value.get() == 1
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such shell")
def test_a_process_without_standard_files_counts_its_lines_as_lost_and_gives_their_numbers_to_no_socket() -> None:
    command = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, CLOSED]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


def test_lines_after_the_reader_closed_are_counted_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    lost = counted(LOST)
    pipe = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stderr", pipe)
    set_up_logs("INFO")
    logger.info("nobody reads this")
    WRITER.flush()
    assert counted(LOST) == lost + 1
    with contextlib.suppress(BrokenPipeError):
        pipe.close()
    # The writer is of the process: what it writes next begins a line of its own, here and not in another test.
    monkeypatch.setattr(sys, "stderr", read := io.StringIO())
    logger.info("somebody reads this")
    WRITER.flush()
    assert read.getvalue().startswith("\n")


# --- secrets ---


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer ***"),
        (f"authorization: bearer {TOKEN}", "authorization: bearer ***"),
        (f"{{'api-key': '{TOKEN}'}}", "{'api-key': '***'}"),
        (f"refused for {KEY}!", "refused for ***!"),
        (f"wss://x.openai.azure.com/r?api-key={TOKEN}&deployment=d", "wss://x.openai.azure.com/r?api-key=***&deployment=d"),
        (f"wss://x/r?model=m&access_token={TOKEN}", "wss://x/r?model=m&access_token=***"),
        (f"postgresql://tieline:{TOKEN}@db:5432/t", "postgresql://tieline:***@db:5432/t"),
        (f"postgresql+psycopg://tieline:a/{TOKEN}@db/t", "postgresql+psycopg://tieline:***@db/t"),
        ("ws://127.0.0.1:9050/v1/realtime?model=gpt-realtime", "ws://127.0.0.1:9050/v1/realtime?model=gpt-realtime"),
        ("sqlite:////var/lib/tieline.sqlite3", "sqlite:////var/lib/tieline.sqlite3"),
    ],
)  # fmt: skip
def test_text_that_looks_like_a_secret_is_replaced_everywhere(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("DEBUG")
    logger.error(text.replace("{", "{{").replace("}", "}}"), why=text)
    logging.getLogger("asyncio").error(text)
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("failed")
    told = lines(capsys)
    assert not [line for line in told if TOKEN in line or KEY in line]
    assert told[0].split(": ", 1)[1].startswith(shown)
    assert told[0].endswith(f"why={shown}") or told[0].endswith(f"why={shown!r}")
    assert told[1].endswith(f"asyncio: {shown}")
    assert f" error={f'ValueError: {shown}'!r} " in told[-1]


def test_words_of_ours_are_no_secret_and_a_secret_that_looks_like_a_word_is_one_where_it_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("INFO", secrets=["correcthorsebattery", "horse", ""])
    logger.warning("upgrade refused", reason="bad or missing bearer token")
    logger.warning("said correcthorsebattery to a horse", why="correcthorsebattery")
    first, second = lines(capsys)
    assert first.endswith("reason='bad or missing bearer token'")
    assert second.endswith(": said *** to a horse  why=***")


# --- a call ---


@asynccontextmanager
async def talkative_model() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A model that transcribes, says, calls a function with, and reports errors with the marked words; and its end.

    It sends events as recorded from the real interface, and ignores what it receives.
    """
    done = asyncio.Event()

    async def session(connection: ServerConnection) -> None:
        await say(connection, "session.created", session={"type": "realtime"})
        async for text in connection:
            event = json.loads(text)
            if event["type"] == "session.update":
                await say(connection, "session.updated", session={"type": "realtime"})
            elif event["type"] == "response.create" and not done.is_set():
                await speak(connection)
            elif event["type"] == "conversation.item.create" and event["item"]["type"] == "function_call_output":
                done.set()

    async with serve(session, "127.0.0.1", 0, compression=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", done


async def say(connection: ServerConnection, kind: str, **fields: object) -> None:
    await connection.send(json.dumps({"type": kind, "event_id": "e", **fields}))


async def speak(connection: ServerConnection) -> None:
    part = {"response_id": "r-1", "item_id": "i-1", "output_index": 0, "content_index": 0}
    call = {"id": "i-2", "type": "function_call", "status": "completed", "call_id": "call-1"}
    call |= {"name": "book_appointment", "arguments": json.dumps({"day": SAID, "reason": SAID})}
    heard = "conversation.item.input_audio_transcription.completed"
    await say(connection, heard, item_id="i-0", content_index=0, transcript=f"my word is {SAID}")
    await say(connection, "response.created", response={"id": "r-1", "status": "in_progress"})
    await say(connection, "response.output_audio.delta", **part, delta=AUDIO)
    await say(connection, "response.output_audio_transcript.done", **part, transcript=f"so it is {ANSWERED}")
    await say(connection, "response.output_audio.done", **part)
    await say(connection, "response.output_item.done", response_id="r-1", output_index=1, item=call)
    failure = {"type": "invalid_request_error", "code": "unknown_parameter", "message": f"bad {SAID}", "param": "item"}
    await say(connection, "error", error=failure)
    await connection.send(f"not JSON: {SAID}")
    await say(connection, "response.done", response={"id": "r-1", "status": "completed"})


async def whole_call(vaic: Vaic, conversation_id: str) -> None:
    """Everything that a caller can send in a call, valid and invalid."""
    await vaic.calls(conversation_id, caller=CALLER, botName="front-desk")
    activities = [{"type": "event", "name": name, **more} for name, more in (
        ("start", {"parameters": {"caller": CALLER}}), ("DTMF", {"value": PRESSED}), ("noUserInput", {"value": SAID}))
    ]  # fmt: skip
    await vaic.says("activities", conversationId=conversation_id, activities=activities)
    await vaic.says("userStream.start", conversationId=conversation_id)
    for chunk in (AUDIO, f"*{SAID}*"):
        await vaic.says("userStream.chunk", conversationId=conversation_id, audioChunk=chunk)
    await vaic.connection.send(f"not JSON either: {SAID}")
    await vaic.says("activities", conversationId=conversation_id, activities=[{"type": "wave", "name": {"x": SAID}}])


def test_a_calls_lines_are_found_by_its_id_and_hold_neither_words_nor_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    set_up_logs("INFO")

    async def scene() -> None:
        async with talkative_model() as (url, done), serving(
            tmp_path, openai_url=f"{url}?api-key={TOKEN}", vaic_token=TOKEN, host="127.0.0.1"
        ) as daemon:  # fmt: skip
            with pytest.raises(InvalidStatus):
                async with socket(daemon, "sk-stolen-token"):
                    pass
            async with socket(daemon, TOKEN) as vaic:
                await whole_call(vaic, "c-1")
                await done.wait()
                await vaic.ends("c-1")

    run(scene)
    told = lines(capsys)
    assert not [line for line in told if not LINE.fullmatch(line)]
    assert not [line for line in told if "sk-stolen" in line or TOKEN in line or KEY in line]
    for words in (SAID, ANSWERED, PRESSED, CALLER, CALLER[1:], AUDIO[:24]):
        assert not [line for line in told if words in line]
    story = [re.sub(r"^\S+ (\w+) +\S+ ", r"\1 ", line) for line in told if " conversation=c-1" in line]
    assert story[0] == "INFO call began  conversation=c-1 bot=linden media=raw/lpcm16_24"
    ended = r"INFO call ended  conversation=c-1 outcome=client-disconnected by=caller s=\d+\.\d bot=\S+"
    assert re.fullmatch(ended, story[-1])
    for line in (
        "WARNING frame ignored  conversation=c-1 leg=vaic reason=not_json detail=''",
        "WARNING frame ignored  conversation=c-1 leg=model reason=not_json detail=''",
        "WARNING model error  conversation=c-1 code=unknown_parameter param=item",
    ):
        assert story.count(line) == 1, story
    task = re.compile(r"INFO task  conversation=c-1 run=\S+ agent=book_appointment state=\w+ result=open")
    assert [line for line in story if task.fullmatch(line)]


def test_a_kind_of_bad_frame_is_logged_once_per_conversation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("INFO")

    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as one, socket(daemon) as two:
            for vaic, conversation_id in ((one, "c-1"), (two, "c-2")):
                await vaic.calls(conversation_id)
                for _ in range(3):
                    await vaic.connection.send("no JSON")
                    await vaic.says("userStream.start", conversationId="c-other")
                await vaic.is_served(conversation_id)
                await vaic.ends(conversation_id)

    run(scene)
    ignored = [line.partition("  ")[2] for line in lines(capsys) if "frame ignored" in line]
    kinds = ("not_json", "other_conversation")
    assert ignored == [f"conversation={c} leg=vaic reason={kind} detail=''" for c in ("c-1", "c-2") for kind in kinds]


def test_a_refused_call_is_logged_with_its_id_and_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("INFO")

    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.initiates("c-1\nforged", supportedMediaFormats=["opus"])
            await vaic.hears("session.error")

    run(scene)
    (line,) = [line for line in lines(capsys) if "refused" in line]
    assert line.endswith(
        r": call refused  conversation='c-1\nforged' reason='no common media format' address=127.0.0.1"
    )


def raises_the_value(value: str, *_: object) -> Never:
    raise RuntimeError(f"no such caller: {value}\n2026-01-01T00:00:00.000 INFO forged")


LEAKS = AgentSpec(
    name="book_appointment",
    description="The caller wants an appointment.",
    start="Collect",
    slots={"reason": Slot(str, ask="Why?", check=raises_the_value, describe="The reason.")},
    states={
        "Collect": Collect(slots=("reason",)),
        "Done": End("done", say="Done."),
        "Human": End("transfer", say="No."),
        "Cancelled": End("cancelled", say="Right."),
    },
    transitions={("Collect", "filled"): "Done", ("Collect", "gave_up"): "Human"},
)


def test_a_task_that_raises_with_a_callers_words_in_its_text_is_told_in_lines_of_its_call_without_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("INFO")

    async def scene() -> None:
        async with (
            talkative_model() as (url, done),
            serving(tmp_path, agents={LEAKS.name: LEAKS}, openai_url=url) as daemon,
            socket(daemon) as vaic,
        ):
            await whole_call(vaic, "c-1")
            await done.wait()
            await vaic.ends("c-1")

    run(scene)
    told = lines(capsys)
    assert not [line for line in told if not LINE.fullmatch(line) or SAID in line]
    deaths = [line for line in told if "child died" in line]
    assert deaths
    for line in deaths:
        assert re.search(r": child died  conversation=c-1 child=task:\S+ error='RuntimeError: \*\*\*' trace='", line)
        frames = line.partition(" trace='")[2].split(", ")
        assert frames[0].startswith("tests/gateway/test_logs.py:")
        assert frames[1].startswith("fsm/")


def test_a_call_without_a_model_says_so_once_and_how_often_it_was_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("INFO")

    async def scene() -> None:
        before = counted("tieline_child_deaths_total", child="model")
        async with serving(tmp_path, speed=10.0) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            await vaic.hears_until("activities")
            assert counted("tieline_child_deaths_total", child="model") - before > 3

    run(scene)
    told = [line for line in lines(capsys) if " conversation=c-1" in line and "model" in line]
    lost, given_up = [line.partition(": ")[2] for line in told if " INFO " not in line]
    assert lost.startswith("child died  conversation=c-1 child=model:1 reason=")
    assert re.fullmatch(r"no model for this call  conversation=c-1 reason=ConnectionRefusedError lost=\d+", given_up)
