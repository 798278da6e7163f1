"""Activities on the wire of a real daemon: `start`, what a task asks for, and a transfer that tries another target."""

from __future__ import annotations

from pathlib import Path

from tests.calls.live import practice
from tests.gateway.bots.folders import written
from tests.paced_loop import run_paced

BOT = """\
[bot]
greeting = "Hello {start.callerDisplayName}, this is the desk. How can I help you?"
instructions = "You put callers through."
[start]
callerDisplayName = "there"
ticket = ""
[vaic.config]
userNoInputTimeoutMS = 9000
[transfer]
desk = { to = "tel:+4930555001", sip_headers = { X-Ticket = "{start.ticket}" }, next = "night" }
night = "sip:night@voice.example"
[[task]]
file = "tasks/hand_over.toml"
"""
HAND_OVER = """\
[task]
name = "hand_over"
description = "The caller wants to speak to a human."
ends_call = true
[flow]
done = { say = "I will put you through.", transfer = true, actions = [
    { do = "start_call_recording" },
    { do = "send_meta_data", value = { wish = "a human" } },
] }
"""


def test_a_task_asks_vaic_and_a_transfer_that_is_busy_goes_to_the_next_target(tmp_path: Path) -> None:
    bots = tmp_path / "bots"
    written(bots, "desk", BOT, tasks__hand_over_dot_toml=HAND_OVER)

    async def call() -> None:
        async with practice(tmp_path, bots=bots) as services:
            report = await services.call(
                "slt_human",
                transfers=("busy", "answered"),
                start={"ticket": "88213", "callerDisplayName": "Ada"},
            )

            assert (report.outcome, report.errors) == ("transferred", ("daemon: transfer failed: busy",))
            assert report.turns[0].text == "Hello Ada, this is the desk. How can I help you?"
            asked = [(each.name, each.params) for each in report.activities]
            assert asked[0][1]["userNoInputTimeoutMS"] == 9000
            assert [name for name, _ in asked] == [
                "config", "startCallRecording", "sendMetaData", "transfer", "transfer",
            ]  # fmt: skip
            assert asked[2][1] == {"wish": "a human"}
            assert asked[3][1]["transferSipHeaders"] == [{"name": "X-Ticket", "value": "88213"}]
            assert [each["transferTarget"] for _, each in asked[3:]] == ["tel:+4930555001", "sip:night@voice.example"]
            assert (await services.record()).outcome == "transferred"

    run_paced(call())
