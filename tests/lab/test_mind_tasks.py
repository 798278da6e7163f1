"""`lab.mind` with tasks it was not written for: it knows only their declarations."""

from __future__ import annotations

import json

import pytest

from tests.lab.mind_call import AT, BOOK, END, Call, state_tools, tool

PIZZA = tool(
    "order_pizza",
    "Order pizzas for delivery or pickup.",
    size={"type": "string", "enum": ["small", "medium", "large"]},
    toppings={"type": "array", "items": {"type": "string", "enum": ["mushrooms", "ham", "extra_cheese", "olives"]}},
    quantity={
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": 20}, {"type": "null"}],
        "description": "How many pizzas",
    },
    delivered={"type": "boolean", "description": "Whether it is to be delivered"},
)
READING = tool(
    "report_meter_reading",
    "Take down the reading of a meter.",
    customer={"type": "string", "pattern": r"^\d{6}$", "description": "The customer number"},
    kwh={"type": "number", "description": "The reading in kilowatt hours"},
    read_on={"type": "string", "format": "date", "description": "The day it was read"},
)
REPAIR = tool(
    "report_fault",
    "Report a broken device and ask for a repair.",
    device={"type": "string", "enum": ["washing_machine", "dishwasher", "fridge"]},
    problem={"type": "string", "description": "What is wrong with it"},
    phone={"type": "string", "description": "Phone number to call back"},
)
SHOP = (PIZZA, READING, REPAIR, END)


def test_an_order_is_taken_by_the_schema_alone() -> None:
    call = Call(*SHOP)

    assert call.does("Hi, I would like to order two large pizzas with mushrooms and extra cheese") == (
        "order_pizza",
        {"size": "large", "toppings": ["mushrooms", "extra_cheese"], "quantity": 2},
    )
    asked = {"task": "order_pizza", "state": "Collect", "needs": ["delivered"], "say": "Shall we deliver it?"}
    call.returns(*SHOP, *state_tools(PIZZA, "agreed"), **asked)
    assert call.does("Yes, please.") == ("order_pizza_provide", {"delivered": True})
    call.returns(task="order_pizza", state="Confirm", needs=[], say="Two large pizzas. Is that right?")
    assert call.does("No, not large, medium.") == ("order_pizza_provide", {"size": "medium"})
    call.returns(task="order_pizza", state="Confirm", needs=[], say="Two medium pizzas. Is that right?")
    assert call.does("No, three.") == ("order_pizza_provide", {"quantity": 3})
    call.returns(task="order_pizza", state="Confirm", needs=[], say="Three medium pizzas. Is that right?")
    assert call.does("That is right.") == ("order_pizza_confirm", {"agreed": True})


@pytest.mark.parametrize(
    ("needs", "said", "expected"),
    [
        ("size", "the second one", {"size": "medium"}),
        ("size", "A median one, please.", {"size": "medium"}),
        ("quantity", "four", {"quantity": 4}),
        ("quantity", "Make it a dozen, I mean twelve.", {"quantity": 12}),
        ("toppings", "Olives and ham.", {"toppings": ["ham", "olives"]}),
        ("delivered", "No, thank you.", {"delivered": False}),
    ],
)
def test_a_bare_value_is_taken_for_what_was_asked(needs: str, said: str, expected: dict[str, object]) -> None:
    name, arguments = Call().in_task(PIZZA, "Which one?", needs, others=SHOP).does(said)

    assert name == "order_pizza_provide"
    assert {key: sorted(value) if isinstance(value, list) else value for key, value in arguments.items()} == expected


def test_digits_numbers_and_dates_in_one_sentence_do_not_mix() -> None:
    call = Call(*SHOP)

    assert call.does("I want to report a meter reading, my customer number is four seven one one nine two.") == (
        "report_meter_reading",
        {"customer": "471192"},
    )
    call.returns(
        *SHOP, *state_tools(READING), task="report_meter_reading", needs=["kwh"], say="What does the meter say?"
    )
    assert call.does("Two thousand five hundred and six, read today") == (
        "report_meter_reading_provide",
        {"kwh": 2506.0, "read_on": "2026-11-23"},
    )


def test_free_text_and_phone_numbers_are_taken_when_asked_for() -> None:
    call = Call(*SHOP)

    assert call.does("My washing machine is broken.") == ("report_fault", {"device": "washing_machine"})
    call.returns(*SHOP, *state_tools(REPAIR), task="report_fault", needs=["problem"], say="What is wrong with it?")
    assert call.does("It makes a terrible noise.") == ("report_fault_provide", {"problem": "It makes a terrible noise"})
    call.returns(task="report_fault", needs=["phone"], say="Which number can we call?")
    assert call.does("oh one five two, double three four") == ("report_fault_provide", {"phone": "0152334"})


@pytest.mark.parametrize("said", ["It does not start any more.", "The door won't close"])
def test_a_complaint_is_not_taken_for_giving_up(said: str) -> None:
    call = Call().in_task(REPAIR, "What is wrong with it?", "problem", others=SHOP)

    assert call.does(said) == ("report_fault_provide", {"problem": said.rstrip(".")})


def test_done_with_one_answer_is_not_done_with_the_call() -> None:
    call = Call().in_task(PIZZA, "Which toppings?", "toppings", others=SHOP)

    assert call.does("Mushrooms, that's all.") == ("order_pizza_provide", {"toppings": ["mushrooms"]})
    assert call.says("I don't know.") == "Sorry, I did not get that. Which toppings?"
    assert Call(*SHOP).does("That's all, thank you.") == ("end_call", {})


def test_two_wishes_in_one_sentence_are_two_calls() -> None:
    reply = Call(*SHOP, BOOK).hears("I would like to book an appointment for tomorrow and order two small pizzas")

    assert [(one.name, json.loads(one.arguments)) for one in reply.calls] == [
        ("book_appointment", {"day": "2026-11-24"}),
        ("order_pizza", {"size": "small", "quantity": 2}),
    ]


TAXI = tool(
    "order_taxi",
    "Order a taxi to pick the caller up.",
    pickup={"type": "string", "description": "Address where the caller is picked up"},
    at=AT,
    passengers={"type": "integer", "minimum": 1, "maximum": 8, "description": "How many people travel"},
)


def test_a_new_task_of_three_slots_needs_nothing_but_its_declaration() -> None:
    call = Call(*SHOP, TAXI)

    assert call.does("I need a taxi at nine for three people.") == ("order_taxi", {"at": "09:00", "passengers": 3})
    call.returns(TAXI, *state_tools(TAXI), task="order_taxi", needs=["pickup"], say="Where shall we pick you up?")
    assert call.does("From Harbour Street 5, and make it ten.") == (
        "order_taxi_provide",
        {"pickup": "From Harbour Street 5", "at": "10:00"},
    )
    call.returns(task="order_taxi", needs=[], say="Harbour Street 5 at ten o'clock for 3. Is that right?")
    assert call.does("No, we are four people.") == ("order_taxi_provide", {"passengers": 4})


def test_a_parameter_that_a_tool_insists_on_is_asked_for_first() -> None:
    weather = tool(
        "get_weather", "Get the weather of a city.", ("city",), city={"type": "string", "description": "Which city"}
    )
    call = Call(weather)

    assert call.says("Can you get the weather for me?") == "Could you tell me: Which city?"
    assert call.does("Berlin, please.") == ("get_weather", {"city": "Berlin"})
    assert call.returns(temperature=21, sky="clear") == "Temperature 21, sky clear."


def test_the_run_of_a_task_is_taken_from_its_newest_output() -> None:
    run = {"type": "string", "enum": ["run-1", "run-2"]}
    provide = tool("book_appointment_provide", "The caller answers.", ("task",), task=run, at=AT)
    call = Call(BOOK)
    call.does("I want to book an appointment.")
    call.returns(BOOK, provide, task="run-2", needs=["at"], say="At what time?")

    assert call.does("At eleven.") == ("book_appointment_provide", {"at": "11:00", "task": "run-2"})


@pytest.mark.parametrize("in_task", [False, True])
def test_a_required_parameter_of_a_transfer_is_asked_for(in_task: bool) -> None:
    connect = tool(
        "connect_operator",
        "Connect the caller to a human.",
        ("department",),
        department={"type": "string", "enum": ["sales", "tech"], "description": "sales: orders; tech: broken devices"},
    )
    others = (connect, END)
    call = Call().in_task(PIZZA, "Which size?", "size", others=others) if in_task else Call(*others)

    assert call.says("I want to talk to a human.").startswith("Could you tell me: ")
    assert call.does("My device is broken.") == ("connect_operator", {"department": "tech"})
