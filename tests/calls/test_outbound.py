"""A call that VoiceAI Connect has dialled, and that a machine answers: its instructions say what the bot does then."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

from gateway.daemon import Daemon
from lab.caller import CallReport, CallSettings, Say, place_call
from lab.engine import Engine, EngineSettings
from lab.script import ScriptTable, script_of
from tests.calls.live import LIMIT_S, PATIENCE_S, PAUSE_MS, SPEED, recording
from tests.calls.settings import daemon_settings
from tests.paced_loop import loop_time_s, run_paced

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
    (tmp_path / "bots" / "recall").mkdir(parents=True)
    (tmp_path / "bots" / "recall" / "bot.toml").write_text(BOT)
    script = script_of(ScriptTable.model_validate(tomllib.loads(MODEL)), str, lambda level, line: None)

    async def call() -> CallReport:
        async with asyncio.timeout(LIMIT_S), Engine(EngineSettings(port=0, speed=SPEED), script=script) as engine:
            settings = daemon_settings(engine.url, f"sqlite:///{tmp_path}/practice.sqlite3")
            settings = settings.model_copy(update={"bots": str(tmp_path / "bots")})
            async with Daemon(settings, SPEED, clock_s=loop_time_s) as daemon:
                how = CallSettings(
                    url=f"{daemon.vaic_url}/bots/recall",
                    conversation_id="c-1",
                    ops_url=daemon.ops_url,
                    speed=SPEED,
                    pause_ms=PAUSE_MS,
                    patience_s=PATIENCE_S * SPEED,
                    limit_s=LIMIT_S * SPEED,
                    start={"outboundTarget": "+4930555777", "dialoutMetadata": {"reason": "check-up"}},
                )
                return await place_call(how, [Say(recording("rms_hours"))])

    report = run_paced(call())
    assert (report.outcome, report.recorded_outcome, report.errors) == ("bot-disconnected", "completed", ())
    greeting, machine, *message = [turn.text for turn in report.turns]
    assert greeting == "Hello, this is the Linden practice about your check-up."
    assert machine == "You have reached Anna. Please leave a message after the tone."
    assert message[0].startswith("Please call the Linden practice about your check-up.")
    assert [(task.agent, task.result) for task in report.tasks] == [("end_call", "hangup")]
