"""The bots of a process: a version is told from another by its name and digest."""

from __future__ import annotations

from actors.bots import Arrival, OneBot
from tests.actors.bots import a_bot

ARRIVAL = Arrival(path="/", bot_name="front-desk", dialled="", caller="", conversation_id="c-1")


def test_one_bot_answers_every_call() -> None:
    bots = OneBot(a_bot("linden").profile, "linden")
    assert bots.choose(ARRIVAL) is bots.present("linden") is bots.version("linden", "")
    assert bots.choose(ARRIVAL).name == "linden"


def test_what_one_bot_never_was_cannot_be_had() -> None:
    bots = OneBot(a_bot("linden").profile, "linden")
    assert bots.present("dental") is bots.version("dental", "") is bots.version("linden", "1") is None
