"""Which bot takes which call, and what is wrong with routes."""

from __future__ import annotations

from collections import Counter

import pytest

from actors.bots import Arrival
from gateway.bots.faults import BotFaults, checked, parse_toml
from gateway.bots.routes import Routes, faults_of_routes
from gateway.bots.schema import RoutesToml

BOTS = ("dental", "linden", "linden@draft")
ROUTES = """
[[route]]
path = "/dental/"
bot = "dental"
[[route]]
bot_name = "old"
dialled = "+4930*"
bot = "dental"
[[route]]
dialled = "+49891"
split = { linden = 0.9, "linden@draft" = 0.1 }
[[route]]
default = true
bot = "linden"
"""


def arrival(path: str = "/", bot_name: str = "", dialled: str = "", caller: str = "", call: str = "c-1") -> Arrival:
    return Arrival(path, bot_name, dialled, caller, call)


def routes(text: str = ROUTES, region: str = "") -> Routes:
    source = parse_toml("routes.toml", text.encode())
    toml = checked(RoutesToml, source)
    if wrong := faults_of_routes(toml, source, BOTS):
        raise BotFaults(wrong)
    return Routes.of(toml, region)


@pytest.mark.parametrize(
    ("arrival", "bot"),
    [
        (arrival(), "linden"),
        (arrival("/dental"), "dental"),
        (arrival("/dental/"), "dental"),
        (arrival("/dental/more"), "linden"),
        (arrival(bot_name="old", dialled="+49301"), "dental"),
        (arrival(bot_name="old", dialled="49301"), "dental"),
        (arrival(bot_name="old", dialled="+4989"), "linden"),
        (arrival(bot_name="new", dialled="+49301"), "linden"),
        (arrival("/bots/linden@draft"), "linden@draft"),
        (arrival("/bots/linden@draft/"), "linden@draft"),
        (arrival("/bots/dental", bot_name="old"), "dental"),
        (arrival("/bots/nobody"), None),
    ],
)
def test_the_first_route_that_fits_is_taken(arrival: Arrival, bot: str | None) -> None:
    assert routes().choose(arrival, BOTS) == bot


def test_a_caller_stays_with_one_bot_of_a_split_and_the_shares_are_kept() -> None:
    split = routes()
    numbers = range(3000)
    chosen = {
        number: split.choose(arrival(dialled="+49891", caller=f"+49{number}", call=f"c-{number}"), BOTS)
        for number in numbers
    }
    assert chosen == {
        number: split.choose(arrival(dialled="+49891", caller=f"+49{number}", call="another"), BOTS)
        for number in chosen
    }
    assert 240 < Counter(chosen.values())["linden@draft"] < 360
    withheld = {split.choose(arrival(dialled="+49891", call=f"c-{number}"), BOTS) for number in range(100)}
    assert withheld == {"linden", "linden@draft"}


def test_a_share_that_grows_keeps_the_callers_it_has() -> None:
    wider = routes(ROUTES.replace("0.9", "0.7").replace("0.1 ", "0.3 "))
    for number in range(500):
        call = arrival(dialled="+49891", caller=f"+49{number}")
        if routes().choose(call, BOTS) == "linden@draft":
            assert wider.choose(call, BOTS) == "linden@draft"


def test_without_routes_the_only_bot_takes_every_call_and_of_several_the_one_that_is_named() -> None:
    assert Routes().choose(arrival("/any", "any"), ["linden"]) == "linden"
    assert Routes().choose(arrival(bot_name="dental"), BOTS) == "dental"
    assert Routes().choose(arrival("/bots/dental", "linden"), BOTS) == "dental"
    assert Routes().choose(arrival(bot_name="nobody"), BOTS) is None


def test_a_draft_beside_the_only_bot_takes_none_of_its_calls() -> None:
    both = ["linden", "linden@draft"]
    assert Routes().choose(arrival("/any", "any"), both) == "linden"
    assert Routes().choose(arrival(bot_name="linden@draft"), both) == "linden@draft"
    assert Routes().choose(arrival("/bots/linden@draft"), both) == "linden@draft"
    assert Routes().choose(arrival(), ["linden@draft"]) == "linden@draft"
    assert Routes().choose(arrival(), ["linden@one", "linden@two"]) is None


@pytest.mark.parametrize(
    ("pattern", "number", "dialled"),
    [
        ("+4930555001", "tel:+4930555001", True),
        ("+4930555001", "tel:+49-30-555-001", True),
        ("+4930555001", "sip:+4930555001@sbc.example;user=phone", True),
        ("+4930555001", '"Desk" <sip:4930555001@sbc.example>', True),
        ("+4930555001", "+49 30 555 001", True),
        ("+4930555001", "004930555001", True),
        ("+4930555001", "030555001", True),
        ("030555001", "+4930555001", True),
        ("+4930*", "sip:030555001@sbc.example", True),
        ("+49 30 / 555*", "+4930555001", True),
        ("tel:+4930555001", "+4930555001", True),
        ("5001", "sip:5001@pbx.example", True),
        ("5001", "+495001", False),
        ("+4930555001", "+4930555002", False),
        ("+4930555001", "sip:reception@sbc.example", False),
        ("+4930*", "", False),
    ],
)
def test_a_dialled_number_fits_however_it_is_written(pattern: str, number: str, dialled: bool) -> None:
    text = f'[[route]]\ndialled = "{pattern}"\nbot = "dental"\n[[route]]\ndefault = true\nbot = "linden"'
    table = routes(text, "DE")
    assert table.choose(arrival(dialled=number), BOTS) == ("dental" if dialled else "linden")


def test_a_caller_stays_with_one_bot_however_the_number_is_written_and_withheld_ones_are_spread() -> None:
    text = '[[route]]\ndefault = true\nsplit = { linden = 0.5, "linden@draft" = 0.5 }'
    table = routes(text, "DE")
    for number in range(50):
        forms = [f"+4930555{number:03}", f"tel:+4930555{number:03}", f"sip:030555{number:03}@sbc.example"]
        assert len({table.choose(arrival(caller=each, call=each), BOTS) for each in forms}) == 1
    for withheld in ("anonymous", "sip:anonymous@anonymous.invalid", ""):
        chosen = {table.choose(arrival(caller=withheld, call=f"c-{number}"), BOTS) for number in range(100)}
        assert chosen == {"linden", "linden@draft"}


def test_where_no_route_fits_no_bot_takes_the_call() -> None:
    assert routes('[[route]]\npath = "/a"\nbot = "linden"').choose(arrival("/b"), BOTS) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[[route]]\npath = "/a"\nbot = "lindn"',
         'routes.toml:3: route[1].bot: there is no bot "lindn"; there are dental'),
        ('[[route]]\npath = "/a"\nsplit = { linden = 0.5, x = 0.5 }', 'route[1].split.x: there is no bot "x"'),
        ('[[route]]\npath = "/a"\nsplit = { linden = 0.5, dental = 0.4 }',
         "routes.toml:1: route[1]: the shares make 0.9"),
        ('[[route]]\nbot = "linden"', "route[1]: has no condition"),
        ('[[route]]\npath = "/a"', "route[1]: needs either bot"),
        ('[[route]]\npath = "/a"\ndefault = true\nbot = "linden"', "write two routes"),
        ('[[route]]\npath = "a"\nbot = "linden"',
         'routes.toml:2: route[1].path: must begin with a slash, like "/desk"'),
        ('[[route]]\ndialled = "reception"\nbot = "linden"',
         'routes.toml:2: route[1].dialled: "reception" is no number; write it like "+4930555001", or its beginning'),
        ('[[route]]\npath = "/a"\nsplit = { linden@draft = 1 }', "a name with signs like @ or . in it stands in"),
        ('[[route]]\nbotname = "a"\nbot = "linden"', 'did you mean "bot_name"?'),
        (
            '[[route]]\ndefault = true\nbot = "linden"\n[[route]]\npath = "/a"\nbot = "linden"',
            "routes.toml:4: route[2]: no call comes so far",
        ),
        ("[[routes]]", 'routes: is no key of this table; did you mean "route"?'),
    ],
)  # fmt: skip
def test_what_is_wrong_with_routes_is_told_with_its_line(text: str, fault: str) -> None:
    with pytest.raises(BotFaults) as wrong:
        routes(text)
    assert fault in str(wrong.value)


@pytest.mark.parametrize(
    ("escaped", "path"), [("/100%2525", "/100%25"), ("/100%25", "/100%"), ("/a%3Fb", "/a?b"), ("/a%2Fb/", "/a/b")]
)
def test_the_escapes_of_a_path_are_taken_out_once(escaped: str, path: str) -> None:
    """Those of a request at the door, those of a route when it is read."""
    table = routes(f'[[route]]\npath = "{escaped}"\nbot = "dental"\n[[route]]\ndefault = true\nbot = "linden"')
    assert table.choose(arrival(path), BOTS) == "dental"
    assert table.choose(arrival(escaped), BOTS) == ("dental" if path == escaped else "linden")


@pytest.mark.parametrize(
    ("arrival", "asks"),
    [
        (arrival(), True),
        (arrival(bot_name="old"), True),
        (arrival("/dental"), False),
        (arrival("/bots/linden"), False),
        (arrival(dialled="+49301"), False),
    ],
)
def test_the_dialled_number_is_asked_for_where_it_decides(arrival: Arrival, asks: bool) -> None:
    assert routes().asks_dialled(arrival) is asks


def test_routes_without_numbers_ask_for_none() -> None:
    assert not Routes().asks_dialled(arrival())
    assert not routes('[[route]]\ndefault = true\nbot = "linden"').asks_dialled(arrival())
