"""Tasks in TOML: a flow, states one by one, and every fault named where it stands."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from fsm.effects import Failed, Local, Ok, Remote
from fsm.errors import SlotError
from fsm.spec import AgentSpec, Known
from fsm.task_file import MOST_CHOICES, MOST_SLOTS, MOST_STATES, TO_HUMAN, Parts, TaskFileError, compile_task
from fsm.testing import Recorder, converse
from protocols.activities import PauseCallRecording, SendMetaData

CALLBACK = """
[task]
name = "callback"
description = "The caller wants to be called back."
[slot.topic]
type = "choice"
choices = ["billing", "repair"]
ask = "Is it about billing or a repair?"
[slot.at]
type = "time"
ask = "At what time?"
check = "within_hours"
[flow]
collect = ["topic", "at"]
confirm = "A callback about {topic} at {at}. Is that right?"
done = { say = "We will call you back." }
[effect]
tool = "crm.callback"
"""
PRICE = """
[task]
name = "price"
description = "The caller asks what something costs."
[slot.what]
type = "choice"
choices = { crown = "a crown", clean = "a cleaning" }
ask = "The price of what?"
[slot.price]
type = "amount"
currency = "euros"
stored = true
[flow]
collect = ["what"]
done = { say = "The price of {what} is {price}. Is there anything else?" }
[effect]
tool = "prices"
"""
CHOOSING = """
[task]
name = "pick_up"
description = "The caller wants something fetched."
[slot.size]
type = "number"
lowest = 1
ask = "How many parcels?"
[state.Collect]
collect = ["size"]
on = { filled = "Decide", gave_up = "Human" }
[state.Decide]
ask = "Today or tomorrow?"
[state.Decide.choose.van]
means = "a van"
when = { slot = "size", above = 10 }
[state.Decide.choose.bike]
means = "a bike"
[state.Decide.on]
van = "Van"
bike = [{ to = "Van", when = "busy", then = { tried = "bike" } }, { to = "Bike" }]
gave_up = "Human"
[state.Van]
end = "van"
say = "A van comes for {size}."
[state.Bike]
end = "bike"
[state.Human]
end = "transfer"
[state.Cancelled]
end = "cancelled"
"""


def within_hours(at: Any, known: Known) -> Any:
    if at.hour >= 17:
        raise SlotError("We close at five.")
    return at


PARTS = Parts(
    effects={
        "crm.callback": Remote(lambda request: Ok(), "human"),
        "prices": Local(lambda request, connection: Ok({"price": 80}), reads_only=True),
    },
    checks={"within_hours": within_hours},
    rules={"busy": lambda known: known.slots.get("size") == 7},
)


def compiled(text: str) -> AgentSpec:
    return compile_task(tomllib.loads(text), PARTS)


def faults(text: str) -> list[str]:
    with pytest.raises(TaskFileError) as raised:
        compiled(text)
    return [str(each) for each in raised.value.faults]


def test_a_flow_asks_reads_back_acts_and_says() -> None:
    world = Recorder()
    talk = converse(compiled(CALLBACK), effects=world).opens(topic="repair")
    assert talk.says == "At what time?"
    talk.gives(at="20:00")
    assert talk.says == "We close at five. At what time?"
    talk.gives(at="10:30")
    assert talk.says == "A callback about repair at 10:30. Is that right?"
    talk.says_yes()
    assert (talk.says, talk.outcome) == ("We will call you back.", "done")
    assert [name for name, _ in world.requests] == ["crm.callback"]


def test_where_a_flow_says_nothing_else_who_is_not_understood_or_whose_tool_fails_gets_a_human() -> None:
    talk = converse(compiled(CALLBACK)).opens(topic="repair")
    for _ in range(3):
        talk.gives(at="20:00")
    assert (talk.says, talk.outcome) == (TO_HUMAN, "transfer")
    world = Recorder(results={"crm.callback": [Failed("The system is down.")]})
    talk = converse(compiled(CALLBACK), effects=world).opens(topic="repair", at="10:30").says_yes()
    assert (talk.says, talk.outcome) == (f"The system is down. {TO_HUMAN}", "transfer")


def test_a_look_up_needs_no_yes_and_fills_what_is_said() -> None:
    world = Recorder(results={"prices": [Ok({"price": 80})]})
    talk = converse(compiled(PRICE), effects=world).opens(what="crown")
    assert talk.says == "The price of a crown is 80.00 euros. Is there anything else?"


def test_an_effect_without_a_read_back_is_refused() -> None:
    text = CALLBACK.replace('confirm = "A callback about {topic} at {at}. Is that right?"\n', "")
    assert "an effect without a yes" in faults(text)[0]


def test_states_choices_conditions_and_rules() -> None:
    spec = compiled(CHOOSING)
    assert converse(spec).opens(size=11).says == "A van comes for 11."
    assert converse(spec).opens(size=2).chooses("bike").outcome == "bike"
    assert converse(spec).opens(size=7).chooses("bike").outcome == "van"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('type = "time"', 'type = "tim"'), "slot.at.type: there is no type 'tim'"),
        (
            ('check = "within_hours"', 'check = "always"'),
            "slot.at.check: there is no check 'always'; there is: with",
        ),
        (('check = "within_hours"', 'chek = "within_hours"'), "slot.at.chek: there is no such key here"),
        (('check = "within_hours"', "lowest = 3"), "slot.at.lowest: does not apply to the type 'time'"),
        (('type = "time"', 'type = "text"\nkeypad = true'), "slot.at.keypad: the type 'text' cannot be keyed in"),
        (('choices = ["billing", "repair"]', ""), "slot.topic.choices: name at least one choice"),
        (('ask = "At what time?"', ""), "slot.at.ask: write the question for it"),
        (
            ('tool = "crm.callback"', 'tool = "crm.call"'),
            "effect.tool: there is no tool 'crm.call'; there is: crm.",
        ),
        (('name = "callback"', 'name = "Call back"'), "the name must be small letters"),
        (("at {at}. Is", "at {when}. Is"), "speaks of the unknown slot 'when'"),
        (("at {at}. Is", "at {at. Is"), "flow.confirm: "),
        (("at {at}. Is", "at {at:%A}. Is"), "flow.confirm: {at:%A}: the type 'time' has no such form; write {at}"),
        (("about {topic} at {at}", "then"), "flow.confirm: the read-back in Confirm names no value"),
        (("or a repair?", "{topic}?"), "slot.topic.ask: is said as it stands, and names no values"),
        (('"repair"]', '""]'), "slot.topic.choices: has a choice without words"),
        (('["billing", "repair"]', '{ billing = "billing", repair = " " }'), "has a choice without words"),
        (('"repair"]', '"the Billing"]'), 'slot.topic.choices: "billing" and "the Billing" are both said as "billing"'),
        (('"repair"]', '"{topic}"]'), "slot.topic.choices: is said as it stands"),
        (("[effect]", "[state.X]\nend = 'x'\n[effect]"), "state: a file with [flow] has no states"),
        (('done = { say = "We will call you back." }', ""), "flow.done: Field required"),
        (('collect = ["topic", "at"]', 'collect = ["topic", "at"]\nretries = "3"'), "flow.retries: "),
    ],
)
def test_a_fault_is_told_where_it_stands(change: tuple[str, str], told: str) -> None:
    assert any(told in each for each in faults(CALLBACK.replace(*change)))


def many(form: str, count: int) -> str:
    return "".join(form.format(each) for each in range(count))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('["billing", "repair"]', "[" + many('"c{}", ', MOST_CHOICES + 1) + "]"), "slot.topic.choices: "),
        (("[flow]", many('[slot.s{}]\ntype = "text"\noptional = true\n', MOST_SLOTS) + "[flow]"), "slot: "),
        (("[flow]", many('[state.s{}]\nend = "done"\n', MOST_STATES + 1) + "[flow]"), "state: "),
    ],
)
def test_a_task_that_is_too_large_to_be_one_is_told(change: tuple[str, str], told: str) -> None:
    assert any(each.startswith(told) for each in faults(CALLBACK.replace(*change)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('ask = "Today or', 'ask = "{today} or'), "speaks of the unknown slot 'today'"),
        (('when = "busy"', 'when = "lazy"'), "state.Decide.on.bike.0.when: there is no rule 'lazy'; there is: busy"),
        (('slot = "size", above', 'slot = "sise", above'), "state.Decide.choose.van.when: there is no slot 'sise'"),
        (('slot = "size", above', 'slot = "size", is_'), "state.Decide.choose.van.when.is_: there is no such key"),
        (('slot = "size", above', 'slot = "size", over'), "state.Decide.choose.van.when.over: there is no such key"),
        (('end = "van"', 'end = "van"\nact = "x"'), "state.Van: write exactly one of collect, confirm"),
        (('end = "van"', 'end = "van"\nretries = 2'), "state.Van.retries: does not apply to a state that has `end`"),
        (('gave_up = "Human"\n[state.Van]', "[state.Van]"), "state 'Decide' has no arrow for 'gave_up'"),
    ],
)
def test_a_fault_in_states_is_told_where_it_stands(change: tuple[str, str], told: str) -> None:
    assert any(told in each for each in faults(CHOOSING.replace(*change)))


@pytest.mark.parametrize(
    "value",
    ["inf", "-inf", "nan", "0", "-0", "-1", "86400.1", "1e300", "1" + 400 * "0", "true", '"3"', "2026-11-24"],
)
def test_a_retention_that_is_no_length_of_time_is_told(value: str) -> None:
    text = CALLBACK.replace("[slot.topic]", f"retention = {{ slot = {value} }}\n[slot.topic]")
    assert faults(text)[0].startswith("task.retention.slot: ")


@pytest.mark.parametrize("key", ["lowest", "highest"])
@pytest.mark.parametrize("value", ["inf", "nan", "1" + 400 * "0", "true", '"3"', "2026-11-24"])
def test_a_bound_that_is_no_number_is_told(key: str, value: str) -> None:
    assert faults(CHOOSING.replace("lowest = 1", f"{key} = {value}"))[0].startswith(f"slot.size.{key}: ")


def test_bounds_between_which_there_is_nothing_are_told() -> None:
    [fault] = faults(CHOOSING.replace("lowest = 1", "lowest = 3\nhighest = 2"))
    assert fault == "slot.size.highest: is below lowest; write 3 or more"


@pytest.mark.parametrize(("value", "holds"), [("2026-11-24", True), ("2026-11-25", False), ('"2026-11-24"', True)])
def test_days_and_times_of_conditions_may_be_written_as_toml_has_them(value: str, holds: bool) -> None:
    text = CHOOSING.replace('type = "number"\nlowest = 1', 'type = "date"')
    text = text.replace("above = 10", f"is = {value}")
    assert converse(compiled(text)).opens(size="2026-11-24").state == ("Van" if holds else "Decide")
    text = text.replace('type = "date"', 'type = "time"').replace(f"is = {value}", "below = 10:30:00")
    assert converse(compiled(text)).opens(size="10:15").state == "Van"


def test_all_faults_are_told_at_once() -> None:
    text = CALLBACK.replace('type = "time"', 'type = "tim"').replace("crm.callback", "crm.call")
    assert len(faults(text)) == 2


def test_all_holes_of_a_table_are_told_at_once_each_where_it_is() -> None:
    text = CHOOSING.replace('gave_up = "Human" }', 'gave_up = "Humam" }').replace('gave_up = "Human"\n', "")
    text = text.replace('say = "A van comes for {size}."', 'say = "A van comes for {sise}."')
    told = faults(text)
    assert [each.partition(": ")[0] for each in told] == [
        "state.Van.say",
        "state.Collect.on.gave_up",
        "state.Decide.on",
    ]
    assert "leads to an unknown state, 'Humam'; there is Collect, Decide, " in told[1]
    text = CHOOSING.replace(
        'bike = [{ to = "Van", when = "busy", then = { tried = "bike" } }, { to = "Bike" }]', 'bike = "Van"'
    )
    told = faults(text + '[state.Attic]\nend = "attic"\n')
    assert [each.partition(": ")[0] for each in told] == ["state.Bike", "state.Attic"]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (('confirm = "A callback about {topic} at {at}. Is that right?"\n', ""), "effect.tool"),
        (('collect = ["topic", "at"]', 'collect = ["topic"]'), "slot.at"),
        (('say = "We will call you back."', 'say = "We will call {whom} back."'), "flow.done"),
        (("[flow]", '[flow]\ngave_up = { say = "Bye.", hangup = true }\nfailed = { say = "No." }'), "flow.collect"),
    ],
)
def test_a_hole_in_a_flow_is_told_by_the_key_that_it_follows_from(change: tuple[str, str], key: str) -> None:
    assert faults(CALLBACK.replace(*change))[0].partition(": ")[0] == key


def test_a_file_without_flow_and_states() -> None:
    assert faults('[task]\nname = "x"\ndescription = "x"') == ["needs [flow], or its states as [state.NAME]"]


ASKING = """
actions = [{ do = "pause_call_recording" }]
done = { say = "Done.", actions = [{ do = "send_meta_data", value = { topic = "{topic}" } }] }
"""


def test_actions_of_a_flow_belong_to_its_beginning_and_its_ends() -> None:
    spec = compile_task(tomllib.loads(CALLBACK.replace('\ndone = { say = "We will call you back." }', ASKING)), PARTS)
    assert spec.actions == {
        "Collect": (PauseCallRecording(),),
        "Done": (SendMetaData(value={"topic": "{topic}"}),),
    }


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ('{ do = "fly" }', "flow.actions.0: Input tag 'fly'"),
        ('{ digits = "1" }', "flow.actions.0: Unable to extract tag"),
        ('{ do = "send_dtmf", digits = "one" }', 'flow.actions.0.digits: "one" are no keys'),
        ('{ do = "send_dtmf", digits = "1", pause = 2 }', "flow.actions.0.pause: there is no such key here"),
        (
            '{ do = "send_dtmf", digits = "{topic}" }',
            "flow.collect: an action of state 'Collect' sends the slot",
        ),
        ('{ do = "config", params = { directTTS = false } }', "flow.actions.0.params: directTTS cannot be changed"),
    ],
)
def test_an_action_that_vaic_would_not_understand_is_told_where_it_stands(action: str, told: str) -> None:
    text = CALLBACK.replace("[flow]", f"[flow]\nactions = [{action}]")
    assert [each[: len(told)] for each in faults(text)] == [told]


def test_some_slots_alone_are_asked_again_after_a_refusal() -> None:
    from fsm.effects import Refused

    text = CALLBACK.replace('collect = ["topic", "at"]', 'collect = ["topic", "at"]\nrefused_asks = ["at"]')
    world = Recorder(results={"crm.callback": [Refused("That time has gone.")]})
    talk = converse(compiled(text), effects=world).opens(topic="repair", at="10:30").says_yes()
    assert talk.says == "That time has gone. At what time?"
    assert talk.gives(at="11:00").says == "A callback about repair at 11:00. Is that right?"
