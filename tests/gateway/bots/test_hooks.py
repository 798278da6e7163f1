"""[before_call] and [after_call] of a bot's file: what is made of them, and every fault with its line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors.bots import Bot
from fsm.effects import EffectRequest, Ok, Refused, TaskContext
from gateway.bots.compile import compile_bot
from gateway.bots.describe import described
from http_tools.guard import HostGuard
from tests.gateway.bots import folders
from tests.gateway.bots.desk import CALLBACK, with_tools
from tests.gateway.bots.folders import files
from tests.http_tools.server import answers, http_server

GUIDE = (Path(__file__).parents[3] / "docs" / "tools.md").read_text()
[EXAMPLE] = re.findall(r"```toml\n(\[before_call\].*?)```", GUIDE, re.DOTALL)
BOT = """\
[bot]
greeting = "Hello, {before.name}."
instructions = "{{ }} Your name is {name}, the caller's {before.name}."
disclosure = "I am a {{machine}}."

[hours]
mon = ["09:00-17:00"]

[[task]]
file = "tasks/callback.toml"

[tool.crm.callback]
url = "https://crm.example/callbacks"
body = { topic = "{topic}", who = "{before.customer}", name = "for {before.name}" }

"""


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")


def made(toml: str, guard: HostGuard | None = None) -> Bot:
    return compile_bot(files(toml, tasks__callback_dot_toml=CALLBACK), with_tools(guard))


def faults(toml: str) -> list[str]:
    return folders.faults(toml, defaults=with_tools(), tasks__callback_dot_toml=CALLBACK)


def request(**facts: object) -> EffectRequest:
    context = TaskContext("c-1", "t", "+4930123", lambda: datetime(2026, 11, 23, tzinfo=UTC))
    return EffectRequest("c-1:after", {}, context, facts)  # type: ignore[arg-type]  # JSON


def test_the_guides_example_asks_and_tells() -> None:
    with http_server(answers(200, {"name": "Ada", "id": 7}), answers(404), answers(503), answers(200)) as server:
        bot = made((BOT + EXAMPLE).replace("https://crm.example", server.url), HostGuard(private=("localhost",)))
        before, after = bot.profile.before_call, bot.profile.after_call
        assert before is not None
        assert after is not None
        assert (before.within_s, before.needs_start, after.words) == (0.8, False, True)
        assert before.look_up(request()) == Ok({"name": "Ada", "customer": 7})
        assert before.look_up(request()) == Refused("Nobody we know.")
        facts = {"outcome": "completed", "seconds": 61.5, "tasks": [{"task": "callback"}], "transcript": []}
        assert [type(after.send(request(**facts))).__name__ for _ in range(2)] == ["Failed", "Ok"]
    asked, _, _, told = server.received
    assert (asked.target, asked.headers["authorization"]) == ("/callers?number=%2B4930123", "Bearer of-the-crm")
    assert told.json == {
        "call": "c-1",
        "from": "+4930123",
        "ended_as": "completed",
        "lasted": 61.5,
        "tasks": [{"task": "callback"}],
        "said": [],
    }
    assert told.headers["idempotency-key"] == "c-1:after"


def test_texts_are_filled_for_each_call() -> None:
    profile = made(BOT + EXAMPLE).profile
    found = {"name": "{Ada}"}
    assert profile.filled(profile.instructions, found) == "{ } Your name is linden, the caller's {Ada}."
    assert profile.filled(profile.greeting, found) == "I am a {machine}. Hello, {Ada}."
    assert profile.disclosure == "I am a {machine}."


def test_without_a_body_everything_is_told() -> None:
    toml = (BOT + EXAMPLE).replace("words = true", "words = false")
    toml = re.sub(r"(?m)^body = \{ call.*\n", "", toml)
    with http_server() as server:
        bot = made(toml.replace("https://crm.example", server.url), HostGuard(private=("localhost",)))
        assert bot.profile.after_call is not None
        bot.profile.after_call.send(request(outcome="completed", effects=[]))
    assert server.received[0].json == {
        "conversation": "c-1",
        "caller": "+4930123",
        "outcome": "completed",
        "effects": [],
    }


def test_what_only_start_tells_is_waited_for() -> None:
    toml = (BOT + EXAMPLE).replace('number = "{caller}" }', 'number = "{dialled}", tenant = "{start.tenant}" }')
    with http_server(answers(200, {"name": "Ada", "id": 7})) as server:
        bot = made(toml.replace("https://crm.example", server.url), HostGuard(private=("localhost",)))
        before = bot.profile.before_call
        assert before is not None
        assert before.needs_start
        before.look_up(request(**{"dialled": "+49 30", "start.tenant": "berlin"}))
    assert server.received[0].target == "/callers?number=%2B49+30&tenant=berlin"


def test_they_are_shown() -> None:
    told = described(made(BOT + EXAMPLE), files(BOT + EXAMPLE, tasks__callback_dot_toml=CALLBACK))
    assert told["before_call.tool"] == "crm.who"
    assert told["after_call.words"] == "true"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            ("reads_only = true", ""),
            "linden/bot.toml:17: before_call.tool: needs a look-up; say reads_only = true in [tool.crm.who]",
        ),
        (
            ('tool = "crm.who"', 'tool = "crm.whom"'),
            'linden/bot.toml:17: before_call.tool: there is no tool "crm.whom"; there are crm.callback, crm.who,'
            " crm.ended",
        ),
        (
            ("within_s = 0.8", "within_s = 3"),
            "linden/bot.toml:18: before_call.within_s: must be 2.0 or less",
        ),
        (
            ('{ name = "somebody we do not know yet" }', '{ nmae = "somebody" }'),
            "linden/bot.toml:19: before_call.defaults.nmae: nothing is kept under this name; write keep = { nmae = … }"
            " in ok of [tool.crm.who]",
        ),
        (
            ('{ name = "somebody we do not know yet" }', "{}"),
            "linden/bot.toml:2: bot.greeting: {before.name} has no value where nothing is found; write"
            " defaults = { name = … } in [before_call]",
        ),
        (
            ('{ name = "somebody we do not know yet" }', "{}"),
            "linden/bot.toml:14: tool.crm.callback.body.name: {before.name} is no value of the task callback; there are"
            " {at}, {caller}, {conversation}, {day}, {key}, {topic}",
        ),
        (
            ("Hello, {before.name}", "Hello, {before.nmae}"),
            "linden/bot.toml:2: bot.greeting: nothing is known to put in for {before.nmae}; there are {name}, {hours},"
            " {closed}, {time_zone}, {languages}, {transfer}, {before.name}, {before.customer}; for a brace write {{",
        ),
        (
            ("[before_call]", '[privacy]\nnames = ["Ada", "{before.nmae}"]\n[before_call]'),
            "linden/bot.toml:17: privacy.names: nothing is known as {before.nmae}; there is {before.customer},"
            " {before.name}",
        ),
        (
            ("{{machine}}", "{before.name}"),
            "linden/bot.toml:4: bot.disclosure: nothing is known to put in for {before.name}; there are {name},"
            " {hours}, {closed}, {time_zone}, {languages}, {transfer}; for a brace write {{",
        ),
        (
            ('number = "{caller}" }', 'number = "{callers}" }'),
            "linden/bot.toml:28: tool.crm.who.query.number: {callers} is not known here; there are {caller},"
            " {conversation}, {dialled}, {key}, and {start.NAME} for a parameter of VAIC's start",
        ),
        (
            ('number = "{caller}" }', 'number = "{caller:%d}" }'),
            "linden/bot.toml:28: tool.crm.who.query.number: {caller:%d}: what is sent has no such form; write {caller}",
        ),
        (
            ("words = true", ""),
            "linden/bot.toml:38: tool.crm.ended.body.said: {transcript} is not known here; there are {bot}, {caller},"
            " {conversation}, {effects}, {ended}, {key}, {outcome}, {seconds}, {started}, {tasks}, {version}, and"
            " {transcript} with words = true",
        ),
        (
            ("idempotent = true", ""),
            "linden/bot.toml:22: after_call.tool: may be sent more than once, with one Idempotency-Key; say"
            " idempotent = true in [tool.crm.ended] if the far side honours it",
        ),
        (
            ("words = true", 'words = "yes"'),
            "linden/bot.toml:23: after_call.words: must be true or false",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_and_what_to_write(change: tuple[str, str], fault: str) -> None:
    toml = BOT + EXAMPLE
    assert faults(toml) == []
    assert change[0] in toml
    told = faults(toml.replace(*change))
    assert fault in told, told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("within_s = 0.8", "within_s = 3", r"within_s: .* 2"),
        ("within_s = 0.8", "within_s = 0.8\nwhithin = 1", r"whithin: .*"),
    ],
)
def test_one_wrong_key_of_before_call_is_one_fault(old: str, new: str, told: str) -> None:
    [fault] = faults((BOT + EXAMPLE).replace(old, new))
    assert re.search(told, fault), fault
