"""Tools of a bot's file and the tasks that use them: what is made of them, and every fault with its line."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

import pytest

from actors.bots import Bot
from fsm.effects import EffectRequest, Ok, Remote, TaskContext
from gateway.bots.compile import compile_bot
from gateway.settings import read_tool_secret
from http_tools.guard import HostGuard
from http_tools.mcp_client import fingerprint
from http_tools.tool import ToolHost
from tests.gateway.bots import folders
from tests.gateway.bots.desk import CALLBACK, PRICE, TASKS, TOML, with_mcp, with_tools
from tests.gateway.bots.folders import DEFAULTS, files
from tests.http_tools.mcp_server import mcp_server
from tests.http_tools.server import answers, http_server


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")


def made(toml: str, guard: HostGuard | None = None, **tasks: str) -> Bot:
    return compile_bot(files(toml, **TASKS | tasks), with_tools(guard))


def faults(toml: str, guard: HostGuard | None = None, **tasks: str) -> list[str]:
    return folders.faults(toml, defaults=with_tools(guard), **TASKS | tasks)


def test_tasks_in_files_have_the_bots_tools_as_their_effects() -> None:
    agents = made(TOML).profile.agents
    callback, price = agents["callback"].effects["crm.callback"], agents["price"].effects["price.find"]
    assert isinstance(callback, Remote)
    assert (callback.reads_only, callback.recover) == (False, "human")
    assert isinstance(price, Remote)
    assert price.reads_only


def test_a_tool_carries_out_what_its_file_says_with_the_deployments_secret() -> None:
    with http_server(answers(201, {"data": {"id": "T-7"}})) as server:
        toml = TOML.replace("https://crm.example", server.url)
        bot = made(toml, HostGuard(private=("localhost",)))
        effect = bot.profile.agents["callback"].effects["crm.callback"]
        assert isinstance(effect, Remote)
        context = TaskContext("call-1", "t1", "+4930123", lambda: datetime(2026, 11, 23, tzinfo=UTC))
        assert effect.do(EffectRequest("call-1:t1:3", {"topic": "repair", "at": time(10, 30)}, context)) == Ok(
            {"ticket": "T-7"}
        )
    [sent] = server.received
    assert sent.json == {"number": "+4930123", "topic": "repair", "at": "10:30"}
    assert sent.headers["authorization"] == "Bearer of-the-crm"


def test_a_tool_may_name_what_an_earlier_one_of_its_task_has_kept() -> None:
    toml = TOML.replace("ticket = ", "id = ").replace('what = "{what}"', 'what = "{what}", id = "{id}"')
    told = "linden/bot.toml:22: tool.price.find.query.id: {id} is no value of the task price"
    assert [each.partition(";")[0] for each in faults(toml)] == [told]
    both = f"""\
{PRICE.partition("[flow]")[0]}
[slot.topic]
type = "text"
ask = "What?"
[slot.at]
type = "time"
ask = "When?"
[state.Collect]
collect = ["what", "topic", "at"]
on = {{ filled = "Confirm", gave_up = "Human" }}
[state.Confirm]
confirm = "{{what}}, {{topic}} at {{at}}. Is that right?"
on = {{ yes = "Call", no = "Collect", gave_up = "Human" }}
[state.Call]
act = "crm.callback"
on = {{ ok = "Find", refused = "Collect", failed = "Human" }}
[state.Find]
act = "price.find"
fills = ["price"]
on = {{ ok = "Done", refused = "Human", failed = "Human" }}
[state.Done]
end = "done"
say = "It is {{price}}."
[state.Human]
end = "transfer"
[state.Cancelled]
end = "cancelled"
"""
    assert faults(toml, tasks__price_dot_toml=both) == []


@pytest.mark.parametrize(
    ("change", "tasks", "fault"),
    [
        (
            ('"{topic}"', '"{topicc}"'), {},
            "linden/bot.toml:16: tool.crm.callback.body.topic: {topicc} is no value of the task callback; there are"
            " {at}, {caller}, {conversation}, {day}, {key}, {topic}",
        ),
        (
            ('"crm.callback"', '"crm.callbak"'), {"tasks__callback_dot_toml": CALLBACK.replace("crm.", "x.")},
            'linden/bot.toml:13: tool.crm.callback: no task uses it; name it in a task\'s file, like [effect] tool ='
            ' "crm.callback", or leave it out',
        ),
        (
            ("https://crm.example", "http://10.0.0.1"), {},
            "linden/bot.toml:14: tool.crm.callback.url: tools may not reach 10.0.0.1; if they should, add it to"
            " TIELINE_TOOL_PRIVATE_HOSTS",
        ),
        (
            ("https://crm.example", "http://crm.example"), {},
            "linden/bot.toml:14: tool.crm.callback.url: would send a secret in clear text; write https://, or add"
            " crm.example to TIELINE_TOOL_PRIVATE_HOSTS",
        ),
        (
            ("secret:CRM", "secret:SHOP"), {},
            "linden/bot.toml:15: tool.crm.callback.auth: secret:SHOP: TIELINE_SECRET_SHOP: is not set; set it, or"
            " TIELINE_SECRET_SHOP_FILE to the file that holds the secret",
        ),
        (
            ("secret:CRM", "sk-1234"), {},
            'linden/bot.toml:15: tool.crm.callback.auth.bearer: write the name of a secret, like "secret:CRM", and'
            " never the secret itself",
        ),
        (
            ("reads_only", "read_only"), {},
            'linden/bot.toml:24: tool.price.find.read_only: is no key of this table; did you mean "reads_only"? there'
            " are arguments, auth, body, connect_s, failed, headers, idempotent, input_schema, lookup, mcp, method,"
            " name, ok, query, reads_only, refused,"
            " retry, say, say_after_s, total_s, unclear, url",
        ),
        (
            ('url = "https://crm', 'link = "https://crm'), {},
            "linden/bot.toml:13: tool.crm.callback.url: is missing; write url = …",
        ),
        (
            ('{ price = "price" }', "{}"), {},
            "linden/tasks/price.toml:9: slot.price: nothing fills it; write keep = { price = … } in ok of"
            " [tool.price.find]",
        ),
        (
            ("", ""), {"tasks__callback_dot_toml": CALLBACK.replace("We will call you back.", "Yours is {ticket}.")},
            "linden/tasks/callback.toml:23: flow.done: state 'Done' speaks of the unknown slot 'ticket'; there is"
            " topic, day, at; [tool.crm.callback] keeps it: to say it, write [slot.ticket] with its type and stored ="
            " true",
        ),
        (
            ("", ""), {"tasks__callback_dot_toml": CALLBACK.replace("slot.topic", "slot.key").replace("topic", "key")},
            "linden/tasks/callback.toml:5: slot.key: {key} is the call's own for tools; give it another name",
        ),
        (
            ("", ""), {"tasks__price_dot_toml": PRICE.replace('"Of what?"', '"Of what?"\ncheck = "not_past"')},
            'linden/tasks/price.toml:8: slot.what.check: not_past is for the types "date" and "time"; leave it out',
        ),
        (
            ("[hours]\nmon", "[turn]\nno_input_s = 9 #"), {},
            "linden/tasks/callback.toml:13: slot.day.check: needs [hours] in bot.toml; write them there",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_told_where_it_is(change: tuple[str, str], tasks: dict[str, Any], fault: str) -> None:
    assert fault in faults(TOML.replace(*change), **tasks)


OPTIONAL = '[slot.note]\ntype = "text"\noptional = true\nread_back = false\n'


@pytest.mark.parametrize(
    "line",
    [
        'lookup = { get = "https://crm.example/by-note/{note}" }',
        'headers = { X-Note = "{note}" }',
        'query = { q = "about {note}" }',
    ],
)
def test_a_value_that_may_be_missing_is_told_where_it_is_needed(line: str) -> None:
    toml = TOML.replace("ok = { keep = { ticket", f"{line}\nok = {{ keep = {{ ticket")
    with_note = CALLBACK.replace("[flow]", f"{OPTIONAL}[flow]")
    [fault] = faults(toml, tasks__callback_dot_toml=with_note)
    assert fault.startswith("linden/bot.toml:17: tool.crm.callback.")
    assert "{note} may be missing where the task callback uses this" in fault


def test_a_value_that_may_be_missing_may_be_left_out() -> None:
    toml = TOML.replace("ok = { keep = { ticket", 'query = { q = "{note}" }\nok = { keep = { ticket')
    assert faults(toml, tasks__callback_dot_toml=CALLBACK.replace("[flow]", f"{OPTIONAL}[flow]")) == []


def test_a_value_that_the_tool_itself_is_to_find_is_told() -> None:
    [fault] = faults(TOML.replace("shop.example/prices", "shop.example/prices/{price}"))
    assert "{price} may be missing where the task price uses this" in fault


def test_a_host_that_the_deployment_does_not_allow_is_told() -> None:
    told = faults(TOML, HostGuard(hosts=("crm.example",)))
    assert told == [
        "linden/bot.toml:21: tool.price.find.url: tools may not reach shop.example; if they should, add it to"
        " TIELINE_TOOL_HOSTS"
    ]


def test_a_wrong_tool_is_told_once_and_its_task_is_not_wrong_for_that() -> None:
    assert len(faults(TOML.replace("secret:CRM", "sk-1234"))) == 1


@pytest.mark.parametrize(
    "line", ['query = { q = "{note}" }', 'headers = { X-Note = "{note}" }', 'url = "https://crm.example/{note}"']
)
def test_what_a_tool_sends_is_read_back(line: str) -> None:
    note = '[slot.note]\ntype = "text"\nask = "What is it about?"\n[flow]'
    url = 'url = "https://crm.example/callbacks"'
    toml = TOML.replace(url, line if line.startswith("url") else f"{url}\n{line}")
    silent = CALLBACK.replace("[flow]", note).replace('"at"]', '"at", "note"]')
    told = (
        "linden/tasks/callback.toml:25: flow.confirm: does not name {note}, which crm.callback sends: the caller agrees"
        " to what is read back; name it, or write read_back = false in [slot.note]"
    )
    price = TASKS["tasks__price_dot_toml"]
    assert faults(toml, tasks__callback_dot_toml=silent, tasks__price_dot_toml=price) == [told]
    for said in (
        silent.replace("about {topic}", "about {topic}, {note},"),
        silent.replace("[flow]", "read_back = false\n[flow]"),
    ):
        assert faults(toml, tasks__callback_dot_toml=said, tasks__price_dot_toml=price) == []


def test_templates_that_could_fail_in_a_call_are_refused() -> None:
    for wrong in (
        "{topic[99]}",
        "{topic!r}",
        "{topic:{topic}}",
        "{topic:%%H}",
        "{topic.__class__}",
        "{at:>1000000000}",
    ):
        told = faults(
            TOML, tasks__callback_dot_toml=CALLBACK.replace("call you back.", wrong), tasks__price_dot_toml=PRICE
        )
        assert len(told) == 1, told
        assert told[0].startswith(f"linden/tasks/callback.toml:23: flow.done.say: {wrong[:3]}"), told
    for wrong in ("{topic!r}", "{topic:>1000000000}", "{topic.x}", "{topic:{at}}"):
        toml = TOML.replace('topic = "{topic}"', f'topic = "{wrong}"')
        told = faults(toml, tasks__callback_dot_toml=CALLBACK, tasks__price_dot_toml=PRICE)
        assert [each.split(": ")[0] for each in told] == ["linden/bot.toml:13"], told


@pytest.mark.parametrize(
    "wrong",
    ["{topic:%H}", "{topic:spelled}", "{topic:ear}", "{day:%H}", "{day:ear}", "{at:%A}", "{at:EUR}", "{key:%d}"],
)
def test_a_form_that_a_value_does_not_have_where_it_is_sent_is_refused(wrong: str) -> None:
    toml = TOML.replace('topic = "{topic}"', f'topic = "{{topic}} {wrong}"')
    told = f"linden/bot.toml:16: tool.crm.callback.body.topic: {wrong}: what is sent has no such form; write "
    assert [each[: len(told)] for each in faults(toml)] == [told]


def test_forms_of_days_times_and_amounts_may_be_sent() -> None:
    toml = TOML.replace('topic = "{topic}"', 'topic = "{topic:iso} {day:%d.%m.} {at:%H-%M} {at:iso}"')
    assert faults(toml) == []


# --- tools of MCP servers ---


PIN = fingerprint({})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            ('mcp = "crm"', 'mcp = "crn"'),
            '14: tool.crm.callback.mcp: there is no server "crn"; did you mean "crm"? there are crm',
        ),
        (
            ("[mcp.crm]\nurl", "[mcp.crm]\nhost = 1\nurl"),
            "20: mcp.crm.host: is no key of this table; there are auth, url",
        ),
        (
            ("https://crm", "http://crm"),
            "20: mcp.crm.url: would send a secret in clear text; write https://, or add crm.example to "
            "TIELINE_TOOL_PRIVATE_HOSTS",
        ),
        (("secret:CRM", "secret:NONE"), "21: mcp.crm.auth: secret:NONE: TIELINE_SECRET_NONE: is not set"),
        (
            (f'input_schema = "{PIN}"', ""),
            '13: tool.crm.callback.input_schema: is missing; write input_schema = "sha256:…", '
            "as `tieline bots check` tells where it reaches the server",
        ),
        (
            ('{topic}"', '{subject}"'),
            "16: tool.crm.callback.arguments.topic: {subject} is no value of the task callback",
        ),
    ],
)
def test_a_fault_of_an_mcp_tool_is_told_where_it_is(change: tuple[str, str], fault: str) -> None:
    told = faults(with_mcp("https://crm.example/mcp", PIN).replace(*change))
    assert any(each.startswith(f"linden/bot.toml:{fault}") for each in told), told


def test_a_right_one_is_an_effect_and_its_server_is_not_asked_when_it_is_loaded() -> None:
    assert faults(with_mcp("https://crm.example/mcp", PIN)) == []


def test_that_the_package_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    [fault] = faults(with_mcp("https://crm.example/mcp", PIN))
    assert fault == "linden/bot.toml:14: tool.crm.callback.mcp: needs the package mcp; install tieline[mcp]"


def test_one_that_only_reads_is_the_models_by_a_task_without_a_yes() -> None:
    toml = with_mcp("https://crm.example/mcp", PIN).replace(
        'method = "GET"\nurl = "https://shop.example/prices"\nquery = ',
        f'mcp = "crm"\nname = "price"\ninput_schema = "{PIN}"\narguments = ',
    )
    effect = made(toml).profile.agents["price"].effects["price.find"]
    assert isinstance(effect, Remote)
    assert effect.reads_only
    [fault] = faults(toml.replace("reads_only = true", ""))
    assert "an effect without a yes" in fault


def test_where_servers_are_asked_what_differs_there_is_told() -> None:
    missed: list[str] = []
    host = ToolHost(HostGuard(private=("localhost",)), read_tool_secret, asks=True, missed=missed.append)

    def asked(toml: str) -> list[str]:
        return folders.faults(toml, defaults=replace(DEFAULTS, tools=host), **TASKS)

    with mcp_server() as server:
        [missing] = asked(with_mcp(server.url))
        assert missing.startswith(
            "linden/bot.toml:13: tool.crm.callback.input_schema: is missing; write input_schema = "
        )
        pin = missing.rpartition("= ")[2].strip('"')
        assert asked(with_mcp(server.url, pin)) == []
        [changed] = asked(with_mcp(server.url, PIN))
        assert changed.startswith(
            f'linden/bot.toml:18: tool.crm.callback.input_schema: its input schema is now "{pin}"'
        )
        [none] = asked(with_mcp(server.url, pin, "call_back"))
        assert none.startswith("linden/bot.toml:15: tool.crm.callback.name: the MCP server has no tool call_back")
        writes = with_mcp(server.url, pin).replace('name = "callback"', 'name = "callback"\nreads_only = true')
        assert any("16: tool.crm.callback.reads_only: the server does not say" in each for each in asked(writes))
        assert missed == []
    assert asked(with_mcp(server.url, pin)) == []
    [why] = missed
    assert why.startswith("linden/bot.toml: crm.callback: the MCP server could not be asked: no ")


PAY = """\
[task]
name = "pay"
description = "The caller wants to pay."
[slot.card]
type = "digits"
sensitive = true
check = "luhn"
ask = "Key in your card."
[flow]
collect = ["card"]
confirm = "{card:last4}?"
done = { say = "Paid." }
[effect]
tool = "charge"
"""


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ('body = { number = "{card}" }', []),
        ('query = { number = "{card}" }', ["query.number"]),
        ('headers = { X-Card = "{card}" }', ["headers.X-Card"]),
        ('lookup = { get = "https://pay.example/{card}" }\nbody = {}', ["lookup.get"]),
    ],
)
def test_a_sensitive_value_may_stand_in_the_body_only(where: str, told: list[str]) -> None:
    tool = f'[[task]]\nfile = "tasks/pay.toml"\n[tool.charge]\nmethod = "POST"\nurl = "https://pay.example/"\n{where}\n'
    found = [each for each in folders.faults(folders.BOT + tool, tasks__pay_dot_toml=PAY) if "is sensitive" in each]
    assert len(found) == len(told)
    assert all(path in each for path, each in zip(told, found, strict=True))
