"""Several parameters of one kind, free text, spelled values, and null: what the mind makes of what is said for each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsm.effects import Local, Ok
from fsm.task_file import Parts, compile_task
from lab.mind.spelled import is_spelling, spelled
from lab.mind.values import Utterance, hear
from tests.lab.mind_call import AT, DAY, END, NOW, Call, tool
from tests.lab.mind_desk import Desk


def text(description: str) -> dict[str, object]:
    return {"type": "string", "description": description}


def day(description: str) -> dict[str, object]:
    return {**DAY, "description": description}


RENT = tool(
    "rent_car",
    "The caller wants to rent a car.",
    **{"from": day("The first day, YYYY-MM-DD"), "until": day("The last day, YYYY-MM-DD")},
    customer_number=text("The customer number"),
    phone=text("A telephone number: pass exactly what the caller has just said of it"),
    remark=text("Anything else the caller wishes"),
)
ROOM = tool("reserve_room", "Reserve a room.", arrival=day("The day of arrival"), departure=day("The day of departure"))
SHIFT = tool(
    "report_hours", "Report hours of work.", start=AT | {"description": "HH:MM"}, end=AT | {"description": "HH:MM"}
)
MONDAY, THURSDAY, FRIDAY, SATURDAY = "2026-11-30", "2026-11-26", "2026-11-27", "2026-11-28"


@pytest.mark.parametrize(
    ("said", "asked", "expected"),
    [
        ("From Monday until Friday.", "", {"from": MONDAY, "until": FRIDAY}),
        ("Between Monday and Friday.", "", {"from": MONDAY, "until": FRIDAY}),
        ("Until Friday, from Monday on.", "", {"from": MONDAY, "until": FRIDAY}),
        ("Until Friday.", "from", {"until": FRIDAY}),
        ("Friday.", "until", {"until": FRIDAY}),
        ("From Monday to Friday.", "customer_number", {"from": MONDAY, "until": FRIDAY}),
        ("From Monday until Friday, no, Saturday.", "", {"from": MONDAY, "until": SATURDAY}),
        ("Not Monday, Thursday.", "from", {"from": THURSDAY}),
    ],
)
def test_two_dates_of_one_task_are_not_mixed(said: str, asked: str, expected: dict[str, str]) -> None:
    assert hear(RENT, Utterance(said, asked, NOW.date())) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I arrive on Thursday and the departure is on Friday.", {"arrival": THURSDAY, "departure": FRIDAY}),
        ("I leave on Friday and arrive on Thursday.", {"arrival": THURSDAY, "departure": FRIDAY}),
        ("From Thursday to Friday.", {"arrival": THURSDAY, "departure": FRIDAY}),
    ],
)
def test_a_date_belongs_to_what_the_words_before_it_name(said: str, expected: dict[str, str]) -> None:
    assert hear(ROOM, Utterance(said, "", NOW.date())) == expected


@pytest.mark.parametrize(
    ("said", "asked", "expected"),
    [
        ("From ten to twelve.", "", {"start": "10:00", "end": "12:00"}),
        ("Between nine and eleven o'clock.", "", {"start": "09:00", "end": "11:00"}),
        ("It ended at eleven o'clock.", "end", {"end": "11:00"}),
        ("Eleven.", "end", {"end": "11:00"}),
        ("Quarter to ten.", "start", {"start": "09:45"}),
    ],
)
def test_two_times_of_one_task_are_not_mixed(said: str, asked: str, expected: dict[str, str]) -> None:
    assert hear(SHIFT, Utterance(said, asked, NOW.date())) == expected


@pytest.mark.parametrize(
    ("said", "asked", "expected"),
    [
        ("One two double three.", "customer_number", {"customer_number": "1233"}),
        ("Oh three zero, one two three four five six.", "phone", {"phone": "030123456"}),
        ("My customer number is four seven one one.", "phone", {"customer_number": "4711"}),
        (
            "My customer number is four seven one one and my phone is oh one seven, one two three.",
            "",
            {"customer_number": "4711", "phone": "017123"},
        ),
        (
            "Four seven one one is my customer number and the phone number is oh three zero one.",
            "",
            {"customer_number": "4711", "phone": "0301"},
        ),
        ("One two three four five six.", "from", {}),  # whose it is cannot be told
    ],
)
def test_two_numbers_of_one_task_are_not_mixed(said: str, asked: str, expected: dict[str, str]) -> None:
    assert hear(RENT, Utterance(said, asked, NOW.date())) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Please put a child seat in the back.", {"remark": "put a child seat in the back"}),
        ("The bumper fell off on Monday.", {"remark": "The bumper fell off on Monday"}),
        ("I don't know.", {}),
    ],
)
def test_free_text_that_was_asked_for_is_taken_as_it_is_said(said: str, expected: dict[str, str]) -> None:
    assert hear(RENT, Utterance(said, "remark", NOW.date())) == expected


@pytest.mark.parametrize(
    ("said", "characters"),
    [
        ("S W one A, one A A.", "SW1A1AA"),
        ("SW1A 1AA", "SW1A1AA"),
        ("D E eight nine, three seven zero four", "DE893704"),
        ("It's M as in Martha, double O, R E.", "MOORE"),
        ("My postcode is B one dash seven, please.", "B1-7"),
        ("A child seat", None),
        ("The 3rd", None),
        ("10 am", None),
    ],
)
def test_what_is_spelled_is_read_as_characters(said: str, characters: str | None) -> None:
    assert spelled(said) == characters
    assert is_spelling(said) == (characters is not None)


@pytest.mark.parametrize(
    ("description", "said", "value"),
    [
        ("The postcode", "S W one A, one A A.", "SW1A1AA"),
        ("The caller's name", "S M I T H.", "Smith"),
        (
            "An e-mail address, as the caller says it.",
            "It's anna dot smith at example dot com.",
            "anna.smith@example.com",
        ),
        (
            "The e-mail address",
            "a n n a underscore one at mail dash box dot example dot org",
            "anna_1@mail-box.example.org",
        ),
    ],
)
def test_a_spelled_value_goes_to_the_parameter_that_was_asked_for(description: str, said: str, value: str) -> None:
    name = "name" if "name" in description else "given"
    declared = tool("order", "Order it.", **{name: text(description), "phone": text("A telephone number")})
    assert hear(declared, Utterance(said, name, NOW.date())) == {name: value}


TASK: dict[str, Any] = {
    "task": {"name": "rent", "description": "The caller wants to rent a car."},
    "slot": {
        "customer": {"type": "digits", "length": 6, "ask": "What is your customer number?"},
        "phone": {"type": "phone", "region": "DE", "ask": "On which number can we reach you?"},
        "from": {"type": "date", "ask": "From which day?"},
        "until": {"type": "date", "ask": "Until which day?"},
        "wish": {"type": "text", "ask": "Is there anything that you wish for?"},
        "email": {"type": "email", "ask": "What is your e-mail address?"},
        "code": {"type": "postcode", "region": "GB", "ask": "What is your postcode?"},
        "iban": {"type": "iban", "ask": "What is your IBAN?"},
    },
    "flow": {
        "collect": ["customer", "phone", "from", "until", "wish", "email", "code", "iban"],
        "confirm": "{customer}, {phone}, {from}, {until}, {wish}, {email}, {code}, {iban}. Is that right?",
        "done": {"say": "All right."},
    },
    "effect": {"tool": "cars.rent"},
}


def test_a_task_with_every_kind_of_spelled_value_is_carried_out_by_what_the_caller_says() -> None:
    effects = {"cars.rent": Local(lambda request, connection: Ok())}
    call = Desk([compile_task(TASK, Parts(effects=effects, checks={}, rules={}, region="DE"))])
    for said in (
        "I want to rent a car.",
        "My customer number is one two three four five six.",
        "Oh three zero, one two three four five six seven.",
        "From Monday.",
        "Until Tuesday.",
        "A child seat, please.",
        "It's anna dot smith at example dot com.",
        "S W one A, one A A.",
        "D E eight nine, three seven zero four, zero zero four four",
        "zero five three two, zero one three zero, zero zero.",
    ):
        call.hears(said)
    assert call.hears("Yes.") == "All right."
    ((_, slots),) = call.world.done
    assert {name: str(value) for name, value in slots.items()} == {
        "customer": "123456",
        "phone": "+49301234567",
        "from": "2026-11-30",
        "until": "2026-11-24",
        "wish": "A child seat",
        "email": "anna.smith@example.com",
        "code": "SW1A 1AA",
        "iban": "DE89370400440532013000",
    }


# As the SDKs of agents declare functions in strict mode: all parameters required, what may be left out takes null.
STRICT = tool(
    "order_taxi",
    "Order a taxi for the caller.",
    ("place", "at", "note", "seats", "kind"),
    place=text("Where the caller is picked up"),
    at={"type": ["string", "null"], "description": "HH:MM, null for at once"},
    note={"anyOf": [{"type": "string"}, {"type": "null"}], "description": "A note for the driver"},
    seats={"anyOf": [{"$ref": "#/$defs/seats"}, {"type": "null"}], "description": "How many seats"},
    kind={"type": ["string", "null"], "enum": ["van", "limousine", None]},
)


def test_what_may_be_null_is_null_instead_of_asked_for() -> None:
    call = Call(STRICT, END)
    assert call.says("I would like to order a taxi, please.") == "Could you tell me: Where the caller is picked up?"
    assert call.does("Harbour Street 5.") == (
        "order_taxi",
        {"place": "Harbour Street 5", "at": None, "note": None, "seats": None, "kind": None},
    )


def test_what_was_said_for_it_is_given_all_the_same() -> None:
    name, arguments = Call(STRICT, END).does("Please order a taxi van at half past ten, my place is Harbour Street 5.")
    assert (name, arguments["at"], arguments["kind"], arguments["note"]) == ("order_taxi", "10:30", "van", None)
    assert json.dumps(arguments["place"]).startswith('"Harbour Street 5')
