"""A socket is lost during a call, VAIC's or the model's, at the worst moments: the call goes on and books."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from lab.caller import CallReport, Drop
from lab.engine import Faults
from tests.calls.live import BOOKED, Practice, heard_words, practice, said_on
from tests.calls.tap import at_the
from tests.paced_loop import run_paced

WISH = ("slt_book_named", "slt_yes_correct", "slt_goodbye")
GREETING = "Hello, this is the Linden practice. How can I help you?"


async def assert_booked(services: Practice, report: CallReport) -> None:
    """The caller was asked, agreed and heard the result; no rule of VAIC was broken, and no request unanswered."""
    [appointment] = services.appointments()
    assert appointment.starts_at in said_on(await services.record(), 1, time(10, 30))
    assert (report.outcome, report.errors) == ("bot-disconnected", ())
    assert (report.tasks[0].states, report.tasks[0].result) == (BOOKED, "booked")
    heard = heard_words(report)
    assert heard.count(GREETING) == 1
    assert "at 10:30 for Maria Lopez. Shall I book it?" in heard
    assert "at 10:30 is booked" in heard


# --- VAIC's socket ---


# So long the line is gone: between two turns, or while the bot asks.
@pytest.mark.parametrize("outage_ms", [400, pytest.param(8000, marks=pytest.mark.faults)])
def test_a_call_whose_socket_is_lost_is_resumed_and_books(tmp_path: Path, outage_ms: int) -> None:
    async def call() -> None:
        async with practice(tmp_path, tapped=True) as services:
            report = await services.call(
                "slt_book_named", Drop(resume_after_ms=outage_ms), "slt_yes_correct", "slt_goodbye"
            )

            await assert_booked(services, report)
            [outage] = report.outages
            assert outage.resumed_ms is not None
            # The model's session is untouched.
            assert len(services.line.of("model", "daemon", "session.created")) == 1
            assert services.line.of("model", "daemon", "error") == []

    run_paced(call())


# --- the model's socket ---

MOMENTS = {
    "the caller was understood, and nothing was done yet": ("response.function_call_arguments.done", 1),
    "the bot is in the middle of its question": ("response.output_audio.delta", 25),
}


@pytest.mark.faults
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_model_that_is_lost_in_mid_call_is_dialled_again_and_knows_what_was_said(tmp_path: Path, moment: str) -> None:
    async def call() -> None:
        async with practice(tmp_path, tapped=True) as services:

            def lose() -> None:
                services.model_tap.refusals = 1  # the first attempt to dial again fails too
                services.model_tap.cut()

            kind, number = MOMENTS[moment]
            services.line.watch = at_the(number, kind, lose)
            # A caller who gives the bot time to think of the rest.
            report = await services.call(*WISH, pause_ms=4000)

            await assert_booked(services, report)
            assert len(services.line.of("model", "daemon", "session.created")) == 2
            # What it is told of the conversation it understands, and it is told of nothing that it cannot know.
            assert services.line.of("model", "daemon", "error") == []
            assert report.barge_ins == 0

    run_paced(call())


def test_a_model_that_is_lost_before_it_has_greeted_greets_when_it_is_back(tmp_path: Path) -> None:
    async def call() -> None:
        async with practice(tmp_path, faults=Faults(drop_on="response.created", times=1)) as services:
            report = await services.call("slt_goodbye")

            assert (report.outcome, report.errors) == ("bot-disconnected", ())
            said = [turn.text for turn in report.turns if turn.role == "bot"]
            assert said == [GREETING, "Thank you for calling. Goodbye."]

    run_paced(call())


def test_a_caller_whose_words_were_lost_with_the_model_is_not_left_in_silence(tmp_path: Path) -> None:
    async def call() -> None:
        async with practice(tmp_path, faults=Faults(drop_on="input_audio_buffer.committed", times=1)) as services:
            # The session that follows is told what the caller said, and answers that.
            report = await services.call("slt_goodbye")

            assert (report.outcome, report.errors) == ("bot-disconnected", ())
            assert report.turns[-1].text == "Thank you for calling. Goodbye."

    run_paced(call())
