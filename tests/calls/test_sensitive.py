"""Calls with a card number on a real daemon: afterwards its digits are nowhere but at the tool."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from fsm.checks import passes_luhn
from fsm.secret import DOTS
from lab.caller import CallReport, Dtmf, HangUp, Write
from tests.calls.live import Practice, practice
from tests.gateway.bots.folders import written
from tests.http_tools.server import answers, http_server
from tests.paced_loop import run_paced

BOT = """\
[bot]
greeting = "Hello, how can I help you?"
instructions = "You take payments."
[[task]]
file = "tasks/pay.toml"
[tool.card.charge]
method = "POST"
url = "http://localhost:PORT/charges"
body = {{ number = "{{card}}", code = "{{code}}" }}
ok = {{ when = "status < 300", keep = {{ receipt = "receipt" }} }}
""".replace("{{", "{").replace("}}", "}")
PAY = """\
[task]
name = "pay"
description = "The caller wants to pay by card."
[slot.card]
type = "digits"
sensitive = true
check = "luhn"
ask = "Please key in the number of your card, and then the hash key."
[slot.code]
type = "digits"
sensitive = true
length = 3
ask = "And the three digits on its back."
[flow]
collect = ["card", "code"]
confirm = "The card ends in {card:last4}. Shall I charge it?"
done = { say = "Thank you, it is paid." }
[effect]
tool = "card.charge"
"""
FEW, MANY, AT_A_TIME, AT_A_DAEMON = 5, 500, 10, 50


def stays(number: int) -> bool:
    """Of every five calls one hangs up inside the zone."""
    return number % 5 != 4


def card(number: int) -> str:
    """A number that passes its check and that nothing else here has."""
    stem = f"4{(number + 1) * 7_368_787_003 % 10**14:014d}"
    return next(f"{stem}{last}" for last in range(10) if passes_luhn(f"{stem}{last}"))


def traces_of(numbers: list[str], text: str) -> list[str]:
    """The numbers that a text has in one piece or digit by digit, or of which it has more than the last four."""
    squeezed = text.replace(" ", "")
    return [each for each in numbers if each[:12] in squeezed or each[4:] in squeezed]


def files_in(folder: Path) -> dict[str, str]:
    """What every file there holds, the database's among them."""
    return {str(each): each.read_bytes().decode("latin-1") for each in folder.rglob("*") if each.is_file()}


async def pay(services: Practice, number: int) -> CallReport:
    digits = card(number)
    more = (Dtmf("123"), Write("Yes, that is right."), Write("Thank you."), HangUp()) if stays(number) else (HangUp(),)
    return await services.call(
        Write("I want to pay by card."),
        Dtmf(f"{digits}#" if stays(number) else digits[:15]),
        *more,
        conversation_id=f"c-{number}",
        chat=True,
    )


@pytest.mark.parametrize("calls", [FEW, pytest.param(MANY, marks=pytest.mark.faults)])
def test_the_digits_are_at_the_tool_and_nowhere_else(tmp_path: Path, all_lines: list[str], calls: int) -> None:
    sent: list[str] = []

    async def some(first: int, last: int, bots: Path) -> None:
        async with practice(
            tmp_path, tapped=True, bots=bots, tool_private_hosts="localhost", tool_hosts="localhost"
        ) as services:
            for at in range(first, last, AT_A_TIME):
                await asyncio.gather(*(pay(services, each) for each in range(at, min(at + AT_A_TIME, last))))
            for each in range(first, last):
                await services.record(f"c-{each}")
            sent.extend(
                json.dumps(each.frame, ensure_ascii=False) for each in services.line.passed if each.to == "model"
            )

    with http_server(answers(200, {"receipt": "R-7"})) as far_side:
        bots = tmp_path / "bots"
        written(bots, "desk", BOT.replace("PORT", str(far_side.port)), tasks__pay_dot_toml=PAY)
        for first in range(0, calls, AT_A_DAEMON):
            run_paced(some(first, min(first + AT_A_DAEMON, calls), bots))
    paid = {number for number in range(calls) if stays(number)}
    got = [json.loads(each.body) for each in far_side.received]
    assert sorted(each["number"] for each in got) == sorted(card(each) for each in paid)
    assert {each["code"] for each in got} == {"123"}
    everything = {"model": "\n".join(sent), "logs": "".join(all_lines), **files_in(tmp_path)}
    for where, text in everything.items():
        assert not traces_of([card(each) for each in range(calls)], text), where
    assert everything["model"].count(DOTS) >= 2 * len(paid)
