"""Whole calls that book: what is said on the telephone stands in the database, and was heard by the caller."""

from __future__ import annotations

import json
import wave
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from appointments.bookings import AppointmentBook
from lab.caller import CallReport
from tests.calls.live import BOOKED, heard_words, practice, said_on, spoken
from tests.paced_loop import run_paced


def loudness(file: Path, report: CallReport) -> list[tuple[str, float, float]]:
    """Of each turn: whose it was, how loud its own channel is while it lasts, and how loud the other one."""
    with wave.open(str(file), "rb") as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, 24_000)
        tracks = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2).astype(float)
    measured: list[tuple[str, float, float]] = []
    for turn in report.turns:
        sound = np.sqrt((tracks[turn.began_ms * 24 : turn.ended_ms * 24] ** 2).mean(axis=0))
        own = 0 if turn.role == "caller" else 1
        measured.append((turn.role, float(sound[own]), float(sound[1 - own])))
    return measured


def test_a_call_books_what_was_said_and_leaves_a_report_a_recording_and_a_record(tmp_path: Path) -> None:
    async def call() -> None:
        async with practice(tmp_path) as services:
            wav = tmp_path / "call.wav"
            report = await services.call("rms_book", "rms_time_1030", "rms_name", "rms_yes", "rms_goodbye", out_wav=wav)
            record = await services.record()

            [appointment] = services.appointments()
            assert appointment.starts_at in said_on(record, 1, time(10, 30))
            assert (appointment.conversation_id, appointment.caller) == ("c-1", "+4930555010")

            assert (report.outcome, report.errors, report.barge_ins) == ("bot-disconnected", (), 0)
            assert [turn.role for turn in report.turns] == ["bot", "caller"] * 5 + ["bot"]
            assert "at 10:30 is booked" in heard_words(report)
            assert all(ms is not None and ms > 0 for ms in report.first_audio_ms)
            assert [(task.agent, task.states, task.result) for task in report.tasks] == [
                ("book_appointment", BOOKED, "booked"),
                ("end_call", ("HungUp",), "hangup"),
            ]
            assert_has_the_fields_that_were_promised(json.loads(report.model_dump_json()))

            # The other's channel may hold a last sound, never a voice.
            assert all(own > 300 and other < 30 for _, own, other in loudness(wav, report))

            assert (record.outcome, record.errors) == ("completed", ())
            assert [turn.text for turn in record.turns] == [turn.text for turn in report.turns]

    run_paced(call())


def assert_has_the_fields_that_were_promised(report: dict[str, object]) -> None:
    promised = {"conversation_id", "outcome", "turns", "tasks", "first_audio_ms", "barge_ins", "errors"}
    assert promised <= report.keys()
    assert isinstance(report["turns"], list)
    assert isinstance(report["tasks"], list)
    assert all({"role", "text", "began_ms", "ended_ms", "heard_ms"} <= turn.keys() for turn in report["turns"])
    assert all({"agent", "states", "result"} <= task.keys() for task in report["tasks"])


@pytest.mark.faults
def test_a_voice_and_words_that_nobody_here_recorded_book_as_well(tmp_path: Path) -> None:
    # A day whose name means only one: never today's, never tomorrow's.
    day = datetime.now(UTC) + timedelta(days=3)
    wish = f"I need an appointment on {day:%A} at half past two in the afternoon. My name is Peter Brown."
    yes = "Yes, that sounds perfect."
    voice = "en-gb-x-rp+f5"

    async def call() -> None:
        async with practice(tmp_path) as services:
            report = await services.call(
                spoken(wish, tmp_path / "wish.wav", voice), spoken(yes, tmp_path / "yes.wav", voice), "slt_goodbye"
            )

            [appointment] = services.appointments()
            assert appointment.starts_at == datetime.combine(day.date(), time(14, 30), UTC)
            assert (report.outcome, report.errors) == ("bot-disconnected", ())
            assert "at 14:30 is booked" in heard_words(report)

    run_paced(call())


# What is done about the rate of the others: tests/protocols/test_media.py.
@pytest.mark.parametrize(
    "media",
    [
        "raw/mulaw",
        *(pytest.param(f"raw/lpcm16{rate}", marks=pytest.mark.faults) for rate in ("", "_8", "_24")),
        *(
            pytest.param(f"wav/{each}", marks=pytest.mark.faults)
            for each in ("mulaw", "lpcm16", "lpcm16_8", "lpcm16_24")
        ),
    ],
)
def test_every_media_format_carries_the_voices_of_both(tmp_path: Path, media: str) -> None:
    async def call() -> None:
        async with practice(tmp_path) as services:
            report = await services.call("slt_goodbye", formats=(media,))

            assert (report.media_format, report.outcome, report.errors) == (media, "bot-disconnected", ())
            assert "Thank you for calling. Goodbye." in heard_words(report)

    run_paced(call())


def test_what_cannot_be_had_is_refused_in_words_that_the_caller_hears(tmp_path: Path) -> None:
    async def call() -> None:
        wish = "Please book me an appointment for tomorrow at half past seven in the evening."
        evening = spoken(wish, tmp_path / "evening.wav")
        async with practice(tmp_path) as services:
            today = datetime.now(UTC).date()
            for days in (1, 2):  # whichever of them will be tomorrow when the caller says so
                taken = datetime.combine(today + timedelta(days=days), time(10, 30), UTC)
                AppointmentBook(services.daemon.engine).book("practice", taken, 15, "", "somebody else", f"key-{days}")

            report = await services.call(evening, "slt_time_1030", "slt_name", "slt_yes_correct", "slt_goodbye")

            heard = heard_words(report)
            assert "We are open from nine to five. What time would suit you?" in heard
            assert "I am sorry, 10:30 is already taken. The nearest free time is 10:15." in heard
            assert {each.conversation_id for each in services.appointments()} == {"somebody else"}
            assert report.errors == ()

    run_paced(call())
