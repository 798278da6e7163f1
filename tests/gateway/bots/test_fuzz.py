"""Files of bots with anything wrong in them: a bot, or faults with file and line, and never an error of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.bots.compile import compile_bot
from gateway.bots.faults import BotFault, BotFaults, checked, parse_toml
from gateway.bots.files import EXAMPLE, BotFiles, read_folder
from gateway.bots.routes import Routes, faults_of_routes
from gateway.bots.schema import RoutesToml
from http_tools.guard import HostGuard
from http_tools.tool import ToolHost
from tests.gateway.bots.desk import CALLBACK, PRICE, TOML
from tests.gateway.bots.folders import DEFAULTS

GUIDE = (Path(__file__).parents[3] / "docs" / "task-files.md").read_text()
(COURIER,) = (each for each in re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL) if "courier.order" in each)
TOOLS = f"""{TOML}
[[task]]
file = "tasks/courier.toml"

[tool.courier.order]
url = "https://courier.example/{{key}}"
headers = {{ X-Parcels = "{{parcels}}" }}
auth = {{ oauth2 = {{ token_url = "https://id.example/t", client_id = "t", client_secret = "secret:CRM" }} }}
connect_s = 0.5
total_s = 3.0
idempotent = true
retry = {{ times = 1, on = ["connect", "503"] }}
refused = {{ when = "status == 409", say = "No." }}
lookup = {{ get = "https://courier.example/{{key}}", done = "status < 300" }}
"""
WHOLE: Mapping[str, str] = {
    "bot.toml": TOOLS,
    "tasks/callback.toml": CALLBACK.replace("[slot.topic]", "retention = { slot = 60.0 }\npatience = 9\n[slot.topic]"),
    "tasks/price.toml": PRICE,
    "tasks/courier.toml": COURIER,
    "linden/bot.toml": (EXAMPLE / "linden" / "bot.toml").read_text(),
    "routes.toml": '[[route]]\npath = "/x"\nbot = "linden"\n[[route]]\ndefault = true\n'
    "split = { linden = 0.5, desk = 0.5 }\n",
}
ODD = [
    "inf", "-inf", "nan", "-0.0", "-0", "0", "-1", "1e308", "1" + 400 * "0", "9" * 5000, "0x7fffffffffffffff", "1.5",
    "2026-11-24", "10:30:00", "2026-11-24T10:30:00Z", "true", '""', '"x"', "'{'",
    '"{a.b}"', '"{0}"', '"{topic!r:>9}"',
    '"\\u0000"', '"\\U0010ffff"', "[]", "{}", "[[]]", "[1, 'x', {}]", "{ x = { y = nan } }",
    '{ slot = "at", is = inf }',
    "{ all = [] }", '{ file = "tasks" }', '"slot:x"', '"tasks/price.toml"', '"' + 3000 * "x" + '"', "[" * 60 + "]" * 60,
]  # fmt: skip
WORDS = sorted({word for text in WHOLE.values() for word in re.findall(r"[A-Za-z_]\w*", text)})
EVERY = 6
_VALUE = re.compile(r"(?<== )([^\s,}\]]+|\"[^\"]*\")(?=[\s,}\]])")
CHANGE = st.tuples(
    st.sampled_from(["value", "word", "line", "twice", "swap"]), st.integers(0, 10**6), st.sampled_from(ODD),
    st.sampled_from(WORDS),
)  # fmt: skip


def changed(text: str, how: str, at: int, odd: str, word: str) -> str:
    """A text with one thing in it wrong, or perhaps not."""
    lines = text.splitlines(keepends=True)
    number = at % len(lines)
    match how:
        case "value" | "word":
            places = list((_VALUE if how == "value" else re.compile(r"[A-Za-z_]\w*")).finditer(text))
            if not places:
                return text
            place = places[at % len(places)]
            return text[: place.start()] + (odd if how == "value" else word) + text[place.end() :]
        case "line":
            del lines[number]
        case "twice":
            lines.insert(number, lines[at // 7 % len(lines)])
        case "swap":
            lines[number], lines[0] = lines[0], lines[number]
    return "".join(lines) or "\n"


DEFAULTS_HERE = replace(DEFAULTS, tools=ToolHost(HostGuard(), lambda _: "secret"))
LINDEN = read_folder(EXAMPLE / "linden").contents


def told(path: str, text: str) -> tuple[BotFault, ...]:
    """What is wrong with these files if one of them is this text."""
    try:
        if path == "routes.toml":
            source = parse_toml(path, text.encode())
            routes = checked(RoutesToml, source)
            Routes.of(routes)
            return tuple(faults_of_routes(routes, source, ["desk", "linden"]))
        desk = {each: WHOLE[each].encode() for each in WHOLE if "/bot" not in each and each != "routes.toml"}
        contents = LINDEN if path.startswith("linden") else desk
        compile_bot(BotFiles("desk", {**contents, path.removeprefix("linden/"): text.encode()}), DEFAULTS_HERE)
    except BotFaults as wrong:
        return wrong.faults
    return ()


def test_the_files_that_are_changed_here_are_right() -> None:
    assert {path: told(path, text) for path, text in WHOLE.items() if path != "linden/bot.toml"} == {
        path: () for path in WHOLE if path != "linden/bot.toml"
    }
    assert [each.path for each in told("linden/bot.toml", WHOLE["linden/bot.toml"])] == ["bot.name"], (
        "its folder is another"
    )


@settings(max_examples=25)
@given(st.sampled_from(sorted(WHOLE)), st.lists(CHANGE, min_size=1, max_size=3))
@example("tasks/callback.toml", [("value", 2, "inf", "x")])
def test_whatever_is_wrong_is_told_with_file_and_line(path: str, changes: list[tuple[str, int, str, str]]) -> None:
    text = WHOLE[path]
    for change in changes:
        text = changed(text, *change)
    for fault in told(path, text):
        assert fault.line > 0, fault
        assert fault.message, fault


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_of_each_key(odd: str) -> None:
    """Of each odd value another sixth of the keys, so that it stays cheap."""
    places = [(path, place) for path, text in WHOLE.items() for place in _VALUE.finditer(text)]
    for path, place in places[ODD.index(odd) % EVERY :: EVERY]:
        text = WHOLE[path]
        for fault in told(path, text[: place.start()] + odd + text[place.end() :]):
            assert fault.line > 0, fault
