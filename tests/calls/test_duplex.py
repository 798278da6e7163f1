"""Calls as other settings of VAIC make them: half duplex, where the caller cannot interrupt, and suppressed silence."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Any

import pytest

from tests.calls.live import BOOKED, practice, said_on
from tests.paced_loop import run_paced

CONDUCTS: dict[str, dict[str, Any]] = {
    "half duplex": {"half_duplex": True},
    "suppressed silence": {"suppress_silence": True, "formats": ("raw/mulaw",)},
}


@pytest.mark.parametrize("conduct", CONDUCTS.values(), ids=CONDUCTS)
def test_a_call_goes_on_to_its_booking(tmp_path: Path, conduct: dict[str, Any]) -> None:
    async def call() -> None:
        async with practice(tmp_path, tapped=True) as services:
            report = await services.call("rms_book", "rms_time_1030", "rms_name", "rms_yes", "rms_goodbye", **conduct)
            record = await services.record()
            [appointment] = services.appointments()
            assert appointment.starts_at in said_on(record, 1, time(10, 30))
            assert (report.outcome, report.errors, report.barge_ins) == ("bot-disconnected", (), 0)
            assert [(task.agent, task.states, task.result) for task in report.tasks] == [
                ("book_appointment", BOOKED, "booked"),
                ("end_call", ("HungUp",), "hangup"),
            ]
            # In half duplex VAIC listens between the bot's sentences only.
            sentences = len(services.line.of("daemon", "vaic", "playStream.start"))
            stops = len(services.line.of("vaic", "daemon", "userStream.stop"))
            assert stops == (sentences if "half_duplex" in conduct else 0)

    run_paced(call())
