"""The scripted model: which rule answers what, what it says and calls, and what a rebuilt session remembers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from lab.mind import (
    AssistantSaid,
    Called,
    CallOutput,
    ImageSeen,
    Prompt,
    PromptItem,
    Reply,
    SystemNote,
    Tool,
    UserSaid,
    next_heard,
)
from lab.mind.scripted import NO_RULE, Scripted
from lab.script import ScriptTable, script_of

NOW = datetime(2026, 11, 23, 14, 5)  # noqa: DTZ001  the caller's wall clock
CALLBACK = Tool(
    "callback",
    "The caller wants to be called back.",
    {
        "type": "object",
        "properties": {"topic": {"type": "string"}, "note": {"type": ["string", "null"]}},
        "required": ["topic", "note"],
    },
)
CONFIRM = Tool("callback_confirm", "", {"type": "object", "properties": {"yes": {"type": "boolean"}}})


class Talk:
    """A conversation with a scripted model. noted: what it has put on the log."""

    def __init__(self, **script: Any) -> None:
        self.noted: list[str] = []
        table = ScriptTable.model_validate(script)
        made = script_of(table, lambda number: f"s.toml:{number + 1}", self._note)
        self.model: Scripted = made.model
        self.prompt = Prompt("You are a clinic.", None, (CALLBACK, CONFIRM), "auto", (), NOW)

    def _note(self, level: str, text: str) -> None:
        self.noted.append(f"{level} {text}")

    def after(self, *items: PromptItem, **changes: Any) -> Reply:
        """The reply to these items, which join the conversation as it does."""
        self.prompt = replace(self.prompt, items=(*self.prompt.items, *items))
        reply = self.model.think(replace(self.prompt, **changes))
        made: list[PromptItem] = [AssistantSaid(reply.text)] if reply.text else []
        made += [Called(f"c{len(self.prompt.items)}", one.name, one.arguments) for one in reply.calls]
        self.prompt = replace(self.prompt, items=(*self.prompt.items, *made))
        return reply


def calls(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    return [(one.name, json.loads(one.arguments)) for one in reply.calls]


def test_the_first_rule_whose_pattern_is_in_the_callers_words_answers() -> None:
    talk = Talk(
        rule=[
            {
                "heard": "rück(ruf|en)|zurückrufen",
                "say": "Gern.",
                "call": {"callback": {"topic": "billing", "note": "x"}},
            },
            {"heard": "rufen", "say": "Wen?"},
        ],
        language="de",
        heard=["…"],
    )
    reply = talk.after(UserSaid("Können Sie mich ZURÜCKRUFEN?"))
    assert (reply.text, calls(reply)) == ("Gern.", [("callback", {"topic": "billing", "note": "x"})])
    assert talk.noted == ["INFO s.toml:1: this rule answers"]


def test_functions_are_called_in_the_files_order_and_groups_stand_in_words_and_arguments() -> None:
    rule = {
        "heard": r"number is (?P<number>[\d ]+\d)",
        "say": "You said {number}.",
        "call": {"callback": {"topic": "{number}", "note": "n", "more": ["{number}", 3, {"x": "{number}"}]}, "end": {}},
    }
    reply = Talk(rule=[rule]).after(UserSaid("The number is 12 34."))
    assert reply.text == "You said 12 34."
    assert calls(reply) == [
        ("callback", {"topic": "12 34", "note": "n", "more": ["12 34", 3, {"x": "12 34"}]}),
        ("end", {}),
    ]


def test_a_rule_for_once_gives_way_to_the_next_that_fits_and_others_stay() -> None:
    talk = Talk(
        rule=[{"heard": "yes", "say": "One.", "once": True}, {"heard": "yes", "say": "Two."}],
    )
    assert [talk.after(UserSaid("Yes.")).text for _ in range(3)] == ["One.", "Two.", "Two."]


def test_a_session_that_is_rebuilt_goes_on_where_the_old_one_was() -> None:
    talk = Talk(rule=[{"heard": "yes", "say": "One.", "once": True}, {"heard": "yes", "say": "Two."}])
    rebuilt = (UserSaid("Yes."), AssistantSaid("One."))
    assert talk.after(*rebuilt, UserSaid("Yes.")).text == "Two."


def test_an_output_is_answered_by_its_rule_else_as_it_asks() -> None:
    talk = Talk(
        rule=[
            {"heard": "call", "call": {"callback": {"topic": "t", "note": "n"}}},
            {"output": '"state": "Confirm"', "of": "callback", "call": {"callback_confirm": {"yes": True}}},
            {"output": "done", "of": "other", "say": "Never."},
        ],
    )
    called = talk.after(UserSaid("Call me."))
    (call_id,) = [item.call_id for item in talk.prompt.items if isinstance(item, Called)]
    assert calls(called)[0][0] == "callback"
    agreed = talk.after(CallOutput(call_id, json.dumps({"state": "Confirm", "say": "Is that right?"})))
    assert (agreed.text, calls(agreed)) == ("", [("callback_confirm", {"yes": True})])
    last = [item.call_id for item in talk.prompt.items if isinstance(item, Called)][-1]
    assert talk.after(CallOutput(last, json.dumps({"result": "done", "say": "All done.", "next": "Else?"}))).text == (
        "All done. Else?"
    )


def test_all_that_is_not_answered_yet_is_answered_at_once() -> None:
    talk = Talk(rule=[{"heard": "first", "say": "A.", "once": True}, {"heard": "second", "say": "B."}])
    assert talk.after(UserSaid("The first."), UserSaid("And the second.")).text == "A. B."


def test_what_no_rule_fits_is_answered_by_the_default() -> None:
    assert Talk().after(UserSaid("Hello?")).text == NO_RULE
    talk = Talk(default="Wie bitte?", language="de", heard=[])
    assert talk.after(UserSaid("Hallo?")).text == "Wie bitte?"
    assert talk.noted == ["INFO no rule fits what was heard"]


def test_what_a_response_is_told_to_say_comes_first() -> None:
    talk = Talk(rule=[{"heard": ".", "say": "No."}])
    told = talk.after(UserSaid("Hello."), response_instructions='Say exactly: "Guten Tag. Wie kann ich helfen?"')
    assert told.text == "Guten Tag. Wie kann ich helfen?"


def test_a_question_beside_the_conversation_is_answered_by_a_word() -> None:
    talk = Talk(rule=[{"asked": "which day", "say": "tomorrow"}])
    asked = "Which day is meant?\nAnswer with exactly one of: today, tomorrow"
    assert talk.after(SystemNote("facts"), response_instructions=asked).text == "tomorrow"
    assert Talk().after(SystemNote("today, she says"), response_instructions=asked).text == "today", "as the mind does"


def test_nothing_is_called_where_nothing_may_be() -> None:
    talk = Talk(rule=[{"heard": "call", "say": "Yes.", "call": {"callback": {"topic": "t"}}}])
    assert talk.after(UserSaid("Call."), tool_choice="none") == Reply("Yes.")


def test_a_function_that_is_not_offered_is_called_all_the_same_and_told_with_its_line() -> None:
    talk = Talk(rule=[{"heard": "yes", "call": {"calback": {"topic": "t"}}}])
    assert calls(talk.after(UserSaid("Yes."))) == [("calback", {"topic": "t"})]
    assert (
        talk.noted[-1]
        == "WARNING s.toml:1: calback is called, and not offered now; there are callback, callback_confirm"
    )


def test_a_nullable_parameter_that_the_rule_leaves_out_is_null() -> None:
    talk = Talk(rule=[{"heard": "call", "call": {"callback": {"topic": "t"}}}])
    assert calls(talk.after(UserSaid("Call."))) == [("callback", {"topic": "t", "note": None})]


@pytest.mark.parametrize(
    ("said", "next_one"),
    [
        ([], "Ja."),
        (["Ja."], "Nein."),
        (["Ja.", "[keys: 12]", "Nein."], "Ja."),
        (["Nein."], "Ja."),  # a history whose beginning was cut off
        (["Ja.", "Nein.", "Ja."], ""),
    ],
)
def test_utterances_are_taken_in_the_files_order_whatever_stands_between(said: list[str], next_one: str) -> None:
    assert next_heard(["Ja.", "Nein.", "Ja."], said) == next_one


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ({"rule": [{"say": "Yes."}]}, "needs one of heard, output, asked and image"),
        ({"rule": [{"heard": "a", "output": "b", "say": "Yes."}]}, "needs one of heard, output, asked and image"),
        ({"rule": [{"heard": "a"}]}, "says and calls nothing"),
        ({"rule": [{"heard": "(", "say": "Yes."}]}, "is no regular expression"),
        ({"rule": [{"heard": "a", "of": "callback", "say": "Yes."}]}, "has of, which belongs to output"),
        ({"rule": [{"asked": "a", "say": "b", "call": {"end": {}}}]}, "nothing can be called"),
        ({"rule": [{"heard": "(?P<day>a)", "say": "{days}?"}]}, "has {days}, which is no group (?P<days>…)"),
        ({"rule": [{"heard": "a", "call": {"end": {"x": ["{day}"]}}}]}, "it has no groups"),
        ({"language": "German"}, "is no language"),
        ({"language": "de"}, "ears know no language"),
        ({"heard": ["", "Yes."]}, "must not be empty"),
    ],
)
def test_what_is_wrong_with_a_script_is_told(script: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        ScriptTable.model_validate(script)


def test_an_image_is_spoken_of_by_its_rule_and_what_it_is_can_be_named() -> None:
    talk = Talk(
        rule=[
            {"heard": "room", "call": {"callback": {"topic": "t", "note": "n"}}},
            {"image": r"plan of floor (?P<floor>\d)", "say": "Floor {floor} on a {kind}, {width} by {height}."},
        ]
    )
    talk.after(UserSaid("Where is my room?"))
    (call_id,) = [item.call_id for item in talk.prompt.items if isinstance(item, Called)]
    output = CallOutput(call_id, json.dumps({"say": "Let me look."}))
    seen = ImageSeen("[From the system: The plan of floor 2]", "image/jpeg", 640, 480)
    assert talk.after(output, seen).text == "Let me look. Floor 2 on a jpeg, 640 by 480."
    assert talk.after(UserSaid("Thank you."), ImageSeen("A cat", "image/png", 1, 1)).text == NO_RULE


def test_only_a_rule_for_images_names_what_an_image_is() -> None:
    with pytest.raises(ValidationError, match=r"\{width\}, which is no group"):
        ScriptTable.model_validate({"rule": [{"heard": "plan", "say": "{width} pixels."}]})
