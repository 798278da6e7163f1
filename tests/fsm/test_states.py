"""What a table is made of: how values are read, how a slot asks, which states wait."""

from __future__ import annotations

from datetime import date, time

import pytest
from pydantic import ValidationError

from fsm.errors import SlotError
from fsm.slot_types import Digits
from fsm.spec import Act, Choice, Choose, Collect, Confirm, End, Keypad, Known, Reason, Slot
from fsm.states import State, waits
from tests.fsm.tables import NOW, Size

KNOWN = Known(NOW, {})


# --- values ---


@pytest.mark.parametrize(
    ("value_type", "raw", "value"),
    [
        (int, 3, 3),
        (str, "3", "3"),
        (bool, True, True),
        (date, "2026-11-24", date(2026, 11, 24)),
        (time, "10:30", time(10, 30)),
        (Size, "large", Size.LARGE),
    ],
)
def test_a_value_is_read_by_its_declared_type(value_type: type[object], raw: object, value: object) -> None:
    assert Slot(value_type).read(raw) == value


@pytest.mark.parametrize(
    ("value_type", "raw"),
    [(int, "3"), (int, 3.5), (int, True), (str, 3), (bool, 1), (date, 20261124), (time, 1030), (Size, "huge")],
)
def test_what_is_not_of_the_type_is_refused_and_not_converted(value_type: type[object], raw: object) -> None:
    with pytest.raises(ValidationError):
        Slot(value_type).read(raw)


@pytest.mark.parametrize(
    ("value_type", "given", "value"),
    [(str, 4711, "4711"), (str, 1.5, "1.5"), (Digits, 4711, Digits("4711")), (int, 7, 7), (Size, "small", Size.SMALL)],
)
def test_a_systems_number_fills_a_text_and_all_else_must_be_of_the_type(
    value_type: type[object], given: object, value: object
) -> None:
    assert Slot(value_type).filled_by(given) == value
    for wrong in (True, [given], {"id": given}, None, "x" * 501):
        with pytest.raises(ValueError, match=r"Input should be|longer than can be said"):
            Slot(value_type).filled_by(wrong)


@pytest.mark.parametrize("value", [date(2026, 11, 24), time(10, 30), Size.SMALL, 3, "x", True])
def test_a_value_written_is_read_back(value: object) -> None:
    slot = Slot(type(value))
    assert slot.read(slot.write(value)) == value


def test_a_schema_has_the_description_for_the_model_and_no_title() -> None:
    assert Slot(int).schema() == {"type": "integer"}
    assert Slot(Size, describe="How large.").schema() == {
        "enum": ["small", "large"],
        "type": "string",
        "description": "How large.",
    }
    assert "description" not in Slot(Size).schema(), "each slot has its own"


def test_a_check_gives_the_value_to_keep_or_the_sentence_for_the_caller() -> None:
    def even(value: int, known: Known) -> int:
        if value < 0:
            raise SlotError("Not below zero.")
        return value + value % 2

    assert Slot(int, check=even).checked(3, KNOWN) == 4
    assert Slot(int).checked(3, KNOWN) == 3
    with pytest.raises(SlotError) as refused:
        Slot(int, check=even).checked(-1, KNOWN)
    assert refused.value.say == str(refused.value) == "Not below zero."


# --- questions ---


def test_a_question_climbs_from_its_words_to_an_example_to_the_keys() -> None:
    keypad = Keypad("Key it in.", lambda keys, known: int(keys))
    full = Slot(int, ask="How many?", example="Say three.", keypad=keypad)
    assert [full.question(attempts) for attempts in range(4)] == [
        "How many?",
        "How many? Say three.",
        "Key it in.",
        "Key it in.",
    ]
    plain = Slot(int, ask="How many?")
    assert [plain.question(attempts) for attempts in range(4)] == ["How many?"] * 4


@pytest.mark.parametrize(
    ("slot", "asked"),
    [(Slot(int), True), (Slot(int, optional=True), False), (Slot(int, stored=True), False)],
)
def test_what_is_optional_or_stored_is_not_asked_for(slot: Slot[int], asked: bool) -> None:
    assert slot.asked is asked


# --- states ---

RULE = Choice("by rule", when=lambda known: True)


@pytest.mark.parametrize(
    ("state", "waiting", "events"),
    [
        (Collect(("x",)), True, ("filled", "gave_up")),
        (Confirm("Right?"), True, ("yes", "no", "gave_up")),
        (Choose({"a": Choice("x")}, ask="Which?"), True, ("a", "gave_up")),
        (Choose({"a": Choice("x"), "b": RULE}, default="a"), False, ("a", "b")),
        (Act("x.do"), False, ("ok", "refused", "failed")),
        (End("done"), False, ()),
    ],
)
def test_a_state_waits_for_the_caller_or_not_and_raises_its_events(
    state: State, waiting: bool, events: tuple[str, ...]
) -> None:
    assert waits(state) is waiting
    assert state.events == events


def test_a_choice_is_decided_without_the_caller_by_a_rule_or_by_reasoning() -> None:
    choices = {"a": Choice("x"), "b": RULE}
    asking = Choose(choices, ask="Which?")
    assert [asking.decides(event) for event in ("a", "b", "gave_up")] == [False, True, False]
    reasoning = Choose(choices, ask="Which?", reason=Reason("Which?"))
    assert [reasoning.decides(event) for event in ("a", "b", "gave_up")] == [True, True, False]
