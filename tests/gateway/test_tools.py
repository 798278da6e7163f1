"""The command `tools try`, as it is typed."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.commands.console import FAILED, WRONG_SETTING
from http_tools.exchange import MOST_BODY_BYTES
from run import app
from tests.gateway.bots.desk import TASKS, TOML, with_mcp
from tests.gateway.bots.folders import BOT, written
from tests.http_tools.mcp_server import mcp_server
from tests.http_tools.server import Answer, HttpServer, answers, http_server, sends
from tests.pictures import png

VALUES = ("topic=repair", "at=10:30", "caller=+4930123", "key=k-1")


@pytest.fixture(autouse=True)
def private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_TOOL_PRIVATE_HOSTS", "localhost")


def tried(folder: Path, server: HttpServer | None, tool: str, *values: str, toml: str = TOML) -> Result:
    if server is not None:
        toml = toml.replace("https://crm.example", server.url).replace("https://shop.example", server.url)
    written(folder, "desk", toml, **TASKS)
    return CliRunner().invoke(app, ["tools", "try", "desk", tool, *values, "--in", str(folder)])


def test_a_dry_run_shows_the_request_without_secrets_and_sends_nothing(tmp_path: Path) -> None:
    with http_server() as server:
        result = tried(tmp_path, server, "crm.callback", *VALUES, "--dry-run")
    assert result.exit_code == 0, result.output
    assert f"POST {server.url}/callbacks" in result.stdout
    assert "Authorization: Bearer ***" in result.stdout
    assert "Idempotency-Key: k-1" in result.stdout
    assert '"number": "+4930123",' in result.stdout
    assert '"at": "10:30"' in result.stdout
    assert server.received == []


def test_a_try_shows_the_reply_and_what_the_task_makes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    with http_server(answers(201, {"data": {"id": "T-7"}})) as server:
        result = tried(tmp_path, server, "crm.callback", *VALUES)
    assert result.exit_code == 0, result.output
    assert "of-the-crm" not in result.output
    assert server.received[0].headers["authorization"] == "Bearer of-the-crm"
    assert "reply 201" in result.stdout
    assert 'ok, ticket = "T-7"' in result.stdout
    assert "callback: Execute → Done, which says: We will call you back." in result.stdout


def test_values_of_a_reply_fill_the_tasks_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    with http_server(answers(200, {"price": 12.5})) as server:
        result = tried(tmp_path, server, "price.find", "what=a crown")
    assert server.received[0].target == "/prices?what=a+crown"
    assert "price: Execute → Done, which says: It is 12.50." in result.stdout


def test_a_value_that_does_not_fit_its_slot_is_told_as_the_task_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    with http_server(answers(200, {"price": "twelve"}), answers(200, {"price": 12})) as server:
        result = tried(tmp_path, server, "price.find", "what=a crown")
        assert result.exit_code == FAILED
        assert 'price: price is no float: "twelve"; the caller hears: I am sorry, I could not make' in result.stdout
        assert "price: Execute → Failed" in result.stdout
        assert tried(tmp_path, server, "price.find", "what=a crown").exit_code == 0


def test_what_has_failed_is_told_and_exits_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    with http_server(answers(400, {"error": "no"})) as server:
        result = tried(tmp_path, server, "crm.callback", *VALUES)
    assert result.exit_code == FAILED
    assert "failed" in result.stdout
    assert "the caller hears: I am sorry, I cannot reach our system at the moment." in result.stdout
    assert "callback: Execute → Failed" in result.stdout


@pytest.mark.parametrize(
    ("tool", "value", "told"),
    [
        ("crm.x", "topic=repair", "there is crm.callback, price.find"),
        ("crm.callback", "topic", "write NAME=VALUE"),
        ("crm.callback", "topic=roof", "topic=roof: write one of billing, repair"),
        ("crm.callback", "at=25:00", "at=25:00: write a time like 10:30"),
        ("crm.callback", "tpoic=repair", 'there is no tpoic: did you mean "topic"? there are at, caller, '),
        ("crm.callback", "topic=repair", "missing at=…"),
        ("crm.callback", "at=23:00", "We are open on Monday"),
    ],
)
def test_a_wrong_tool_or_value_is_told_and_exits_with_2(tool: str, value: str, told: str, tmp_path: Path) -> None:
    result = tried(tmp_path, None, tool, value, "--dry-run")
    assert result.exit_code == WRONG_SETTING
    assert told in result.stderr


@pytest.mark.parametrize(
    ("answer", "shown", "told"),
    [
        (answers(500, {"error": "x"}), "reply 500", "unclear"),
        (answers(200, b"<html>no</html>"), "(no JSON)", "unclear"),
        (
            answers(200, b'"' + b"x" * MOST_BODY_BYTES + b'"'),
            "no reply: the reply is longer than 262144 bytes",
            "unclear",
        ),
        (answers(302, None, Location="https://crm.example/"), "reply 302", "failed"),
        (sends(b"HTTP/1.1 2"), "no reply: no whole reply: ", "unclear"),
    ],
)
def test_what_comes_back_is_shown_whatever_it_is(
    answer: Answer, shown: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    with http_server(answer) as server:
        result = tried(tmp_path, server, "crm.callback", *VALUES)
    assert result.exit_code == FAILED
    assert shown in result.stdout
    assert f"\n{told}\n" in result.stdout
    assert len(result.stdout) < 6000


def test_why_nothing_came_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    with http_server() as server:
        pass  # nobody listens there any more
    look_up = tried(tmp_path, server, "price.find", "what=x")
    assert (look_up.exit_code, "no reply: no connection: " in look_up.stdout) == (FAILED, True)
    effect = tried(tmp_path, server, "crm.callback", *VALUES)
    assert (effect.exit_code, "not sent no connection: " in effect.stderr) == (FAILED, True)


def test_a_value_that_a_task_would_have_asked_for_is_noted(tmp_path: Path) -> None:
    result = tried(tmp_path, None, "price.find", "--dry-run")
    assert (result.exit_code, result.stderr) == (0, "note the task price would have what as well\n")


def test_a_secret_that_is_not_set_is_told(tmp_path: Path) -> None:
    result = tried(tmp_path, None, "crm.callback", *VALUES)
    assert (result.exit_code, "TIELINE_SECRET_CRM: is not set" in result.stderr) == (WRONG_SETTING, True)


HOOKS = """\
[before_call]
tool = "crm.who"
defaults = { salutation = "Sir" }

[after_call]
tool = "crm.ended"

[tool.crm.who]
method = "GET"
url = "https://crm.example/who"
query = { number = "{caller}" }
ok = { keep = { salutation = "name" } }
refused = { when = "status == 404", say = "Nobody we know." }
reads_only = true

[tool.crm.ended]
url = "https://crm.example/calls"
idempotent = true
"""


def test_the_tool_of_an_ended_call_is_shown_and_sent_an_examples_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    with http_server(answers(200), answers(500)) as server:
        done, failed = (
            tried(tmp_path, server, "crm.ended", "outcome=transferred", toml=TOML + HOOKS) for _ in range(2)
        )
    assert (done.exit_code, failed.exit_code) == (0, FAILED), done.output
    assert (server.received[0].json["outcome"], server.received[0].json["seconds"]) == ("transferred", 60.0)
    assert '"tasks": [' in done.stdout
    assert "told after a call: the caller has gone; status 500" in failed.stdout
    assert "the caller hears" not in failed.stdout


def test_a_look_up_before_calls_is_nothing_that_the_caller_hears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    with http_server(answers(404), answers(200, {"name": "Dr Ada"})) as server:
        unknown, known = (tried(tmp_path, server, "crm.who", toml=TOML + HOOKS) for _ in range(2))
    assert "the caller hears" not in unknown.stdout
    assert 'before a call: {before.salutation} is "Sir"' in unknown.stdout
    assert 'before a call: {before.salutation} is "Dr Ada"' in known.stdout


def test_a_tool_of_an_mcp_server_is_checked_shown_and_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    run = CliRunner().invoke
    patient = "total_s = 60\n[mcp.crm]"
    with mcp_server() as server:
        written(tmp_path, "desk", with_mcp(server.url).replace("[mcp.crm]", patient), **TASKS)
        checked = run(app, ["bots", "check", str(tmp_path)])
        assert checked.exit_code == WRONG_SETTING
        pin = checked.stderr.partition("input_schema = ")[2].strip().strip('"')
        toml = with_mcp(server.url, pin).replace("[mcp.crm]", patient)
        shown = tried(tmp_path, None, "crm.callback", *VALUES, "--dry-run", toml=toml)
        assert run(app, ["bots", "check", str(tmp_path)]).exit_code == 0
        assert (shown.exit_code, server.tickets) == (0, [])
        assert (f"POST {server.url}" in shown.stdout, '"topic": "repair"' in shown.stdout) == (True, True)
        assert "of-the-crm" not in shown.output
        result = tried(tmp_path, None, "crm.callback", *VALUES, toml=toml)
    assert result.exit_code == 0, result.output
    assert server.tickets == ["repair"]
    assert 'ok, ticket = "T-1"' in result.stdout
    assert "callback: Execute → Done, which says: We will call you back." in result.stdout


LOOKS = """\
#:schema ../../task.schema.json
[task]
name = "look"
description = "The caller tells of a damage."
[flow]
done = { say = "I look.", actions = [{ do = "show_image", kept = "photo", about = "The damage" }] }
[effect]
tool = "photo.find"
"""
PHOTO = """\
[[task]]
file = "tasks/look.toml"
[tool.photo.find]
method = "GET"
url = "https://shop.example/photo"
reads_only = true
ok = { keep_images = { photo = "photo" } }
"""


@pytest.mark.parametrize(
    ("photo", "told"),
    [
        (png(30, 20), f"image/png, 30x20, {len(png(30, 20))} bytes"),
        (png(30, 20)[:-9], f"{len(png(30, 20)) - 9} bytes; is cut off or damaged; save it again"),
        (None, "the reply has none at that place"),
    ],
)
def test_what_a_reply_has_as_an_image_is_looked_at(tmp_path: Path, photo: bytes | None, told: str) -> None:
    body = {"photo": None if photo is None else b64encode(photo).decode()}
    with http_server(answers(200, body)) as server:
        toml = f"{BOT}{PHOTO}".replace("https://shop.example", server.url)
        written(tmp_path, "desk", toml, tasks__look_dot_toml=LOOKS)
        result = CliRunner().invoke(app, ["tools", "try", "desk", "photo.find", "--in", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert f"\nok\nimage photo: {told}\nlook: " in result.stdout
