"""[start], [vaic.config], [activities] and [transfer] of a bot's file: what is made of them, and what is refused."""

from __future__ import annotations

import pytest

from actors.bots import TransferWith, known_start
from gateway.bots.describe import described
from tests.gateway.bots.folders import BOT, bot, faults, files

HEARD = '[bot]\ngreeting = "Hello {start.name}."\ninstructions = "{{ }} {name} for {start.name}."\n'
HOURS = f'{BOT}[hours]\nmon = ["09:00-17:00"]\n'
WITH_TOOL = """
[[task]]
file = "tasks/note.toml"
[tool.crm.note]
url = "https://crm.example/notes"
body = { callee = "{start.callee}", topic = "{topic}" }
"""
NOTE = """
[task]
name = "note"
description = "A note."
[slot.topic]
type = "text"
ask = "What?"
[flow]
collect = ["topic"]
confirm = "{topic}?"
done = { say = "Noted." }
[effect]
tool = "crm.note"
"""


def test_texts_are_filled_with_what_start_tells_or_what_stands_there_without() -> None:
    profile = bot(f'{HEARD}[start]\nname = "you"').profile
    assert profile.filled(profile.greeting, {}) == "Hello you."
    assert profile.filled(profile.greeting, {}, {"name": "Ada {x}"}) == "Hello Ada {x}."
    assert profile.filled(profile.instructions, {}, {"name": True}) == "{ } linden for true."


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        (
            HEARD,
            'bot.greeting: {start.name} needs what stands there where VAIC sends none; write name = "…" in [start]',
        ),
        (f"{BOT}[start]\n2nd = 1", "start.2nd"),
        (f'{BOT}[vaic.config]\nsendDTMF = "yes"', "vaic.config: sendDTMF needs true or false"),
        (f"{BOT}[vaic.config]\ndirectSTT = true", "vaic.config: directSTT cannot be changed within a call"),
        (f'{BOT}[activities]\nallow = ["config"]', "activities.allow"),
        (f'{BOT}[activities]\nallow = ["send_dtmf", "send_dtmf"]', "activities: allow names one twice"),
        (f'{BOT}[activities]\nallow = ["play_url"]', 'activities: needs both: "play_url" in allow'),
        (f'{BOT}[activities]\nurls = {{ a = "https://x/" }}', 'activities: needs both: "play_url" in allow'),
        (f'{BOT}[transfer]\na = {{ to = "1" }}', 'transfer.a.to: "1" is no address to transfer to'),
        (
            f'{BOT}[transfer]\na = {{ to = "tel:1", next = "b" }}',
            'transfer.a.next: "b" is no target; there is no other',
        ),
        (
            f'{BOT}[transfer]\na = {{ to = "tel:1", next = "b" }}\nb = {{ to = "tel:2", next = "a" }}',
            'transfer.a.next: "a" has been tried by then; there is no other',
        ),
        (
            f'{HOURS}[transfer]\na = {{ to = "tel:1", when_closed = "b" }}\nb = {{ to = "tel:2", next = "a" }}',
            'transfer.a.when_closed: "a" has been tried by then; there is no other',
        ),
        (
            f'{BOT}[transfer]\na = {{ to = "tel:1", when_closed = "b" }}\nb = "tel:2"',
            "transfer.a.when_closed: the bot has no hours; write [hours], or leave it out",
        ),
        (f'{BOT}[transfer]\na = {{ to = "tel:1", sip_headers = {{ "X Y" = "1" }} }}', "transfer.a.sip_headers"),
        (
            f'{BOT}[transfer]\na = {{ to = "tel:1", sip_headers = {{ X = "{{name}}" }} }}',
            "transfer.a.sip_headers.X: nothing is known to put in for {name}",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_key(toml: str, told: str) -> None:
    assert any(each.split(": ", 1)[1].startswith(told) for each in faults(toml)), faults(toml)


def test_a_task_whose_function_an_activity_would_hide_is_refused() -> None:
    task = NOTE.replace('name = "note"', 'name = "send_dtmf"')
    found = faults(
        f'{BOT}[activities]\nallow = ["send_dtmf"]\n{WITH_TOOL}[start]\ncallee = ""', tasks__note_dot_toml=task
    )
    assert ["the task send_dtmf has a function of this name; rename it" in each for each in found] == [True]


def test_a_tool_may_send_what_start_tells() -> None:
    assert faults(f'{BOT}{WITH_TOOL}[start]\ncallee = ""', tasks__note_dot_toml=NOTE) == []
    (told,) = faults(BOT + WITH_TOOL, tasks__note_dot_toml=NOTE)
    assert "{start.callee} is no value of the task note" in told


def test_all_of_it_is_shown_and_compared() -> None:
    toml = (
        f'{HEARD}[start]\nname = ""\n[vaic.config]\nbargeIn = false\n'
        '[activities]\nallow = ["play_url"]\nurls = { music = "https://x/" }\n'
        '[transfer]\na = { to = "tel:1", reason = "asked", sip_headers = { X = "{start.name}" } }\n'
    )
    made = bot(toml)
    assert made.profile.transfer_with == {"a": TransferWith("asked", "", {"X": "{start.name}"})}
    shown = described(made, files(toml))
    assert {
        name: text for name, text in shown.items() if name.startswith(("start", "vaic", "activities", "transfer"))
    } == {
        "start.name": '""',
        "vaic.config.bargeIn": "false",
        "activities.allow": "play_url",
        "activities.urls.music": "https://x/",
        "transfer.a": "tel:1",
        "transfer.a.reason": "asked",
        "transfer.a.sip_headers": "X = {start.name}",
    }


def test_of_parameters_what_can_stand_in_a_text_is_kept() -> None:
    told = {
        "callee": " +49\n30 ",
        "agentConnected": True,
        "participants": [{"participant": "caller"}],
        "dialoutMetadata": {"campaign": "June", "deep": {"er": 1}},
        "locale": None,
        "X-Header": "no name",
        "empty": "\u0000",
        "number": 7,
    }
    assert known_start(told) == {
        "callee": "+49 30",
        "agentConnected": True,
        "dialoutMetadata_campaign": "June",
        "number": 7,
    }
    assert len(known_start({f"p{each}": "x" for each in range(100)})) == 64
