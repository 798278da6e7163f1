"""The guide to activities holds what it says: its task and its bot are compiled, and its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from protocols.activities import Action, Offered, PauseCallRecording, SensitiveInfo
from tests.gateway.bots.folders import BOT, bot

GUIDE = (Path(__file__).parents[1] / "docs" / "activities.md").read_text()
TASK, *TABLES = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
ROWS = dict(
    re.findall(
        r"^\| (`\w+`(?:, `\w+…`)*) \|.*\| ([^|]+) \|$", GUIDE.split("## What VAIC is asked for")[1], re.MULTILINE
    )
)


def test_the_guides_bot_is_right_in_every_table() -> None:
    profile = bot("\n".join((BOT, *TABLES, '[[task]]\nfile = "tasks/pay.toml"')), tasks__pay_dot_toml=TASK).profile
    assert profile.agents["pay"].actions["Collect"] == (PauseCallRecording(), SensitiveInfo(on=True))
    assert profile.model_may == ("start_call_recording", "send_dtmf", "play_url")
    assert profile.recordings == {"music": "https://media.example/music.wav"}
    assert profile.vaic_params["userNoInputTimeoutMS"] == 9000
    assert profile.start == {"callerDisplayName": "there", "ticket": ""}
    assert profile.transfer_targets == {"desk": "tel:+4930555001", "night": "sip:night@voice.example"}
    assert (profile.transfer_with["desk"].next, profile.transfer_with["desk"].sip_headers) == (
        "night",
        {"X-Ticket": "{start.ticket}"},
    )


def test_every_action_is_in_the_table_with_what_the_model_may() -> None:
    union, *_ = get_args(Action)
    kinds = {kind.model_fields["do"].default for kind in get_args(union)}
    told: dict[str, str] = {}
    for names, may in ROWS.items():
        first, *others = re.findall(r"`(\w+)…?`", names)
        told |= dict.fromkeys((first, *(f"{each}{first.removeprefix('start_')}" for each in others)), may)
    assert told.keys() - {"do"} == kinds
    assert {name for name in kinds if told[name] != "no"} == set(get_args(Offered))
