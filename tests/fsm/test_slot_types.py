"""The ready-made types: what is taken, what is asked again, what is said back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import Any

import pytest

from fsm.consent import Spoken, readback_of, states
from fsm.effects import Ok, Remote
from fsm.english import English
from fsm.errors import Incomplete, SlotError
from fsm.locales import ENGLISH, locale_of
from fsm.slot_types import DOES_NOT_FIT, SLOT_TYPES, Digits, Email, Iban, SlotOptions, YesNo, choices_of, phone_of
from fsm.spec import Act, AgentSpec, Collect, Confirm, End, Slot
from fsm.states import Known
from fsm.testing import Conversation, converse
from fsm.testing.conversation import NOON, Recorder

NOTHING_KNOWN = Known(NOON, {})


def checked(kind: str, value: Any, **options: Any) -> Any:
    check = SLOT_TYPES[kind].check
    assert check is not None
    made = check("slot", SlotOptions(**options))
    kept = made(value, NOTHING_KNOWN)
    assert made(kept, NOTHING_KNOWN) == kept, "a kept value must pass again"
    return kept


def said(kind: str, value: Any) -> str:
    return ENGLISH.fill(SLOT_TYPES[kind].ear.format("slot"), {"slot": value})


@dataclass
class Case:
    kind: str
    value: Any
    kept: Any
    options: dict[str, Any]


@pytest.mark.parametrize(
    "case",
    [
        Case("phone", "030 555 0012", "+49305550012", {"region": "DE"}),
        Case("phone", "oh three zero, triple five, double oh one two", "+49305550012", {"region": "DE"}),
        Case("phone", "plus four nine thirty 5550012", "+49305550012", {}),
        Case("phone", "0049 30 5550012", "+49305550012", {}),
        Case("iban", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000", {}),
        Case("email", "anna dot smith at example dot com", "anna.smith@example.com", {}),
        Case("digits", "one two 34", "1234", {"length": 4}),
        Case("postcode", "eins null eins eins fünf", "10115", {"region": "DE"}),
        Case("postcode", "D-10115", "10115", {"region": "DE"}),
        Case("postcode", "１０１１５", "10115", {"region": "DE"}),
        Case("digits", "１２ ３", "123", {"length": 3}),
        Case("phone", "０３０ ５５５ ００１２", "+49305550012", {"region": "DE"}),
        Case("email", "max zwei drei at gmail Punkt com", "max23@gmail.com", {}),
        Case("postcode", "die Postleitzahl ist CH 8001", "8001", {"region": "CH"}),
        Case(
            "phone",
            "Meine Nummer ist null drei null, fünf fünf fünf, null null eins zwei",
            "+49305550012",
            {"region": "DE"},
        ),
        Case("phone", "null achthundert, doppel drei null eins null null null", "+498003301000", {"region": "DE"}),
        Case("iban", "IBAN: Dora Emil 89 3704 0044 0532 0130 00", "DE89370400440532013000", {}),
        Case("email", "meine E-Mail ist anna Punkt smith Klammeraffe example Punkt com", "anna.smith@example.com", {}),
        Case("postcode", "sw1a 1aa", "SW1A 1AA", {"region": "GB"}),
        Case("code", "B-MW 1234", "BMW1234", {}),
        Case("code", "b wie Berta, M W, eins zwei drei vier", "BMW1234", {}),
        Case("code", "Mein Kennzeichen ist ES AB 123", "ESAB123", {}),  # Esslingen, and no "es"
        Case("code", "hh ab 12", "HHAB12", {}),
        Case("code", "it's alpha bravo one two", "AB12", {"length": 4}),
        Case("text", "  the  tap drips ", "the tap drips", {}),
        Case("name", "Anna  Smith", "Anna Smith", {}),
        Case("number", 3, 3, {"lowest": 1, "highest": 9}),
        Case("amount", 12.345, 12.35, {}),
    ],
    ids=lambda case: f"{case.kind} {case.value}",
)
def test_a_value_is_kept_in_one_form(case: Case) -> None:
    assert checked(case.kind, case.value, **case.options) == case.kept


@pytest.mark.parametrize(
    ("kind", "value", "options"),
    [
        ("phone", "I have none", {"region": "DE"}),
        ("phone", "12", {"region": "DE"}),
        ("iban", "DE88 3704 0044 0532 0130 00", {}),  # a wrong check digit
        ("email", "anna at home", {}),
        ("digits", "1234567", {"length": 4}),
        ("postcode", "1011", {"region": "DE"}),
        ("text", "...", {}),
        ("name", "unknown", {}),
        ("number", 0, {"lowest": 1}),
        ("amount", 9.5, {"highest": 9}),
    ],
)
def test_what_cannot_be_kept_is_asked_again(kind: str, value: Any, options: dict[str, Any]) -> None:
    with pytest.raises(SlotError):
        checked(kind, value, **options)


@pytest.mark.parametrize(
    ("tag", "lowest", "told"), [("en-GB", 1.5e6, "at least 1500000."), ("de-DE", 2.5, "mindestens 2,5 sein.")]
)
def test_a_bound_is_told_as_people_write_it(tag: str, lowest: float, told: str) -> None:
    check = SLOT_TYPES["number"].check
    assert check is not None
    with pytest.raises(SlotError, match=told):
        check("slot", SlotOptions(lowest=lowest))(0, Known(NOON, {}, {}, locale_of(tag)))


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("date", date(2026, 11, 24), "Tuesday 24 November"),
        ("time", time(9, 5), "9:05"),
        ("digits", Digits("1234567"), "123 45 67"),
        ("phone", phone_of("DE")("+49305550012"), "030 555 00 12"),
        ("phone", phone_of("US")("+16502530000"), "650 253 0000"),
        ("phone", phone_of("DE")("+43305550012"), "plus 43 3055 500 12"),
        ("phone", phone_of("")("+49305550012"), "plus 49 30 555 00 12"),
        ("phone", phone_of("DE")("desk"), "de sk"),
        ("iban", Iban("DE89370400440532013000"), "DE89 3704 0044 0532 0130 00"),
        ("email", Email("a-b@example.com"), "a dash b at example dot com"),
        ("choice", choices_of("size", ("l", "a large one"))("l"), "a large one"),
        ("yes_no", YesNo.YES, "yes"),
        ("number", 3, "3"),
        ("amount", 12.5, "12.50"),
    ],
)
def test_a_value_is_said_for_the_ear(kind: str, value: Any, words: str) -> None:
    assert said(kind, value) == words


@pytest.mark.parametrize("kind", sorted(SLOT_TYPES.keys() - {"choice"}))
def test_every_type_can_be_declared_stored_and_restored(kind: str) -> None:
    slot: Slot[Any] = Slot(SLOT_TYPES[kind].value_type)
    assert slot.schema()["type"] in ("string", "integer", "number", "boolean")


def test_a_spelled_value_is_plain_text_as_json_and_comes_back_as_it_was() -> None:
    slot = Slot(phone_of("DE"))
    written = slot.write(phone_of("DE")("+49305550012"))
    assert type(written) is str
    assert slot.read(written).ear() == "030 555 00 12"


def number_task(region: str = "DE") -> AgentSpec:
    kind = SLOT_TYPES["phone"]
    assert kind.check is not None
    slot: Slot[Any] = Slot(
        phone_of(region),
        ask="What is your number?",
        check=kind.check("number", SlotOptions(region=region)),
        pieces=True,
    )
    return AgentSpec(
        name="call_back",
        description="The caller wants a call back.",
        start="Collect",
        slots={"number": slot},
        states={
            "Collect": Collect(("number",)),
            "Confirm": Confirm("A call to {number:ear}. Is that right?"),
            "Write": Act("write"),
            "Done": End("done"),
            "Human": End("transfer"),
            "Cancelled": End("cancelled"),
        },
        transitions={
            ("Collect", "filled"): "Confirm",
            ("Collect", "gave_up"): "Human",
            ("Confirm", "yes"): "Write",
            ("Confirm", "no"): "Collect",
            ("Confirm", "gave_up"): "Human",
            ("Write", "ok"): "Done",
            ("Write", "refused"): "Collect",
            ("Write", "failed"): "Human",
        },
        effects={"write": Remote(lambda request: Ok(), "human")},
    )


def talk(region: str = "DE") -> Conversation:
    return converse(number_task(region), effects=Recorder())


def test_a_number_is_taken_piece_by_piece() -> None:
    call = talk("US").opens(number="six five oh")
    assert call.says == "650, yes. Please go on."
    call.gives(number="two five three")
    assert call.says == "253, yes. Please go on."
    call.gives(number="double oh double oh")
    assert call.says == "A call to 650 253 0000. Is that right?"
    assert call.slots == {"number": "+16502530000"}


def test_the_rest_of_a_number_goes_on_from_its_beginning_though_it_would_be_one_by_itself() -> None:
    assert talk("US").opens(number="650 253 0000").slots == {"number": "+16502530000"}
    call = talk("US").opens(number="plus four nine").gives(number="650 253 0000")
    assert call.slots == {"number": "+496502530000"}


def test_what_the_model_is_to_pass_on_in_pieces_is_taken_in_pieces() -> None:
    told = {name for name, kind in SLOT_TYPES.items() if "only a part" in kind.describe}
    assert told == {name for name, kind in SLOT_TYPES.items() if kind.pieces} == {"digits", "phone", "iban", "code"}


def test_any_number_of_pieces_is_no_failed_attempt() -> None:
    call = talk("US").opens()
    for piece in "650253000":
        call.gives(number=piece)
        assert call.state == "Collect"
    assert call.gives(number="0").state == "Confirm"


def test_a_number_that_seemed_whole_is_continued() -> None:
    call = talk().opens(number="0305550012").gives(number="34")
    assert call.slots == {"number": "+4930555001234"}


def test_another_whole_number_replaces_the_first() -> None:
    call = talk().opens(number="0305550012").gives(number="030 777 88 99")
    assert call.slots == {"number": "+49307778899"}


def test_pieces_that_do_not_fit_together_begin_anew_and_end_at_a_human() -> None:
    call = talk().opens(number="1234567890")
    call.gives(number="1234567890")
    assert "from the beginning" in call.says
    assert call.gives(number="030").says == "030, yes. Please go on."
    for _ in range(4):
        call.gives(number="nonsense")
    assert call.outcome == "transfer"


@pytest.mark.parametrize(
    "piece", ["plus neunundvierzig drei null", "plus neunundvierzig eins sieben null", "+49 30 12"]
)
def test_the_beginning_of_a_number_is_not_whole(piece: str) -> None:
    with pytest.raises(Incomplete) as error:
        checked("phone", piece, region="DE")
    assert error.value.piece.startswith("+49")


@pytest.mark.parametrize(
    "number", ["DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 00 1", "NO93 8601 1117 948"]
)
def test_a_whole_iban_with_a_wrong_check_digit_is_told_at_once(number: str) -> None:
    with pytest.raises(Incomplete) as error:
        checked("iban", number)
    assert (error.value.piece, error.value.say) == ("", DOES_NOT_FIT)


def test_a_number_is_acknowledged_in_groups_of_three() -> None:
    with pytest.raises(Incomplete) as error:
        checked("digits", "123456789", length=12)
    assert error.value.say.startswith("123 456 789, yes.")


def test_an_iban_is_acknowledged_in_groups_of_four() -> None:
    with pytest.raises(Incomplete) as error:
        checked("iban", "DE 89 3704 0044")
    assert error.value.say.startswith("DE89 3704 0044, yes.")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e308])
def test_what_is_no_amount_is_asked_again(value: float) -> None:
    for options in ({}, {"lowest": 1.0, "highest": 100.0}):
        with pytest.raises(SlotError):
            checked("amount", value, **options)


def test_the_digits_of_an_address_are_told_from_words() -> None:
    assert said("email", Email("max23@gmail.com")) == "max 2 3 at gmail dot com"


def test_after_a_no_the_number_begins_anew() -> None:
    call = talk("US").opens(number="6502530000").says_no()
    call.gives(number="650").gives(number="253").gives(number="1111")
    assert call.slots == {"number": "+16502531111"}


def test_a_piece_said_again_with_the_rest_is_the_whole() -> None:
    call = talk("US").opens(number="650").gives(number="650 253 0000")
    assert call.slots == {"number": "+16502530000"}


def test_pieces_survive_a_crash() -> None:
    call = talk().opens(number="030").crashes().gives(number="5550012")
    assert call.slots == {"number": "+49305550012"}


@pytest.mark.parametrize(
    "words",
    [
        "A call to 030 555 00 12. Is that right?",
        "A call to 0 3 0, 5 5 5, 0 0 1 2. Is that right?",
        "A call to oh three oh, triple five, double oh one two. Is that right?",
        "A call to 0305550012. Is that right?",
    ],
)
def test_a_number_may_be_read_back_in_any_grouping(words: str) -> None:
    readback = readback_of(
        "A call to {number:ear}. Is that right?", {"number": phone_of("DE")("+49305550012")}, (1,), {}
    )
    assert states(readback, [Spoken(words, heard=True, today=NOON.date())], English())


@pytest.mark.parametrize("words", ["A call to 030 555 00 13. Is that right?", "A call to 030 555 00. Is that right?"])
def test_another_number_read_back_counts_for_nothing(words: str) -> None:
    readback = readback_of(
        "A call to {number:ear}. Is that right?", {"number": phone_of("DE")("+49305550012")}, (1,), {}
    )
    assert not states(readback, [Spoken(words, heard=True, today=NOON.date())], English())


@pytest.mark.parametrize(
    ("words", "value"),
    [("yes", "yes"), ("Ja", "yes"), ("Jawohl!", "yes"), ("nein", "no"), ("Nö.", "no"), ("NO", "no"), ("maybe", None),
     ("", None), ("ja, aber", None)],
)  # fmt: skip
def test_yes_and_no_are_taken_in_either_language(words: str, value: str | None) -> None:
    slot = Slot(YesNo, ask="?")
    if value is None:
        with pytest.raises(ValueError, match="yes"):
            slot.read(words)
    else:
        assert slot.read(words) == value
        assert slot.write(slot.read(words)) == value


@pytest.mark.parametrize(
    ("words", "value"),
    [("crown", "crown"), ("Eine Krone", "crown"), ("krone", "crown"), ("die Krone", "crown"), ("Füllung", "filling"),
     ("fuellung", "filling"), ("Filling", "filling"), ("Kronen", None), ("eine", None), ("die", None)],
)  # fmt: skip
def test_a_choice_is_taken_by_its_words_too(words: str, value: str | None) -> None:
    slot = Slot(choices_of("what", ("crown", "eine Krone"), ("filling", "eine Füllung")), ask="?")
    assert slot.schema()["enum"] == ["crown", "filling"]
    if value is None:
        with pytest.raises(ValueError, match="crown"):
            slot.read(words)
    else:
        assert slot.read(words) == value
