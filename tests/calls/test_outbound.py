"""A call that VoiceAI Connect has dialled, and that a machine answers: its instructions say what the bot does then."""

from __future__ import annotations

import tomllib
from pathlib import Path

from lab.caller import CallReport
from lab.script import ScriptTable, script_of
from tests.calls.live import practice
from tests.gateway.bots.folders import written
from tests.paced_loop import run_paced

BOT = """\
[bot]
greeting = "Hello, this is the Linden practice about your {start.dialoutMetadata_reason}."
instructions = "If a machine answers, say who has called and why, and end the call."

[start]
dialoutMetadata_reason = "visit"

[[task]]
use = "end_call"
"""
# The machine's words are not recorded; what the model does about them stands for its instructions.
MODEL = """\
heard = ["You have reached Anna. Please leave a message after the tone."]
default = "Who is there?"

[[rule]]
heard = "after the tone"
say = "Please call the Linden practice about your check-up. Goodbye."
call.end_call = {}
"""


def test_a_message_is_left_on_a_machine_and_the_call_is_ended(tmp_path: Path) -> None:
    bots = tmp_path / "bots"
    written(bots, "recall", BOT)
    script = script_of(ScriptTable.model_validate(tomllib.loads(MODEL)), str, lambda level, line: None)

    async def call() -> CallReport:
        async with practice(tmp_path, bots=bots, script=script) as services:
            return await services.call(
                "rms_hours",
                url=f"{services.vaic_url}/bots/recall",
                start={"outboundTarget": "+4930555777", "dialoutMetadata": {"reason": "check-up"}},
            )

    report = run_paced(call())
    assert (report.outcome, report.recorded_outcome, report.errors) == ("bot-disconnected", "completed", ())
    greeting, machine, *message = [turn.text for turn in report.turns]
    assert greeting == "Hello, this is the Linden practice about your check-up."
    assert machine == "You have reached Anna. Please leave a message after the tone."
    assert message[0].startswith("Please call the Linden practice about your check-up.")
    assert [(task.agent, task.result) for task in report.tasks] == [("end_call", "hangup")]
