"""Who is blamed: each rule, on a call of which only the facts are given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.talk.blame import Blame, blamed, differences
from tests.talk.facts import Facts
from tests.talk.rows import CallOfRows, record
from tests.talk.scenario import CALLER, Act, Asked, End, Ends, Keys, Line

BOOKED = ("2026-11-26 10:30", "John Smith", "+49")
ENDS = Ends(stored=(BOOKED[0],))
WISH = Line("I need an appointment tomorrow at half past ten.", Act.BOOK, {"day": "2026-11-26", "at": "10:30"})
YES = Line("Yes, please.", Act.YES)
NO = Line("No, I do not want that.", Act.NO)
BYE = Line("Goodbye.", Act.BYE)


def booking(*, answer: Line = YES, heard: str | None = None) -> CallOfRows:
    """A call up to the answer to what is read back, and what was called for it."""
    call = CallOfRows()
    call.bot("How can I help you?")
    call.caller(WISH, WISH.text)
    call.called("book_appointment", {"day": "2026-11-26", "at": "10:30"})
    call.bot("Thursday 26 November at 10:30 for John Smith. Shall I book it?")
    call.caller(answer, answer.text if heard is None else heard, Asked.READ_BACK)
    return call


def booked(call: CallOfRows) -> CallOfRows:
    call.called("book_appointment_confirm", {"yes": True}, state="Booked", result="booked")
    call.task("booked")
    call.bot("Your appointment is booked. Is there anything else?")
    return call


def ended(call: CallOfRows, heard: str = BYE.text) -> CallOfRows:
    call.caller(BYE, heard)
    call.called("end_call", {})
    call.bot("Goodbye.")
    return call


def good() -> Facts:
    return ended(booked(booking())).facts(stored=[BOOKED])


def who(facts: Facts, ends: Ends = ENDS) -> tuple[Blame | None, str]:
    blame, findings = blamed(ends, facts)
    return blame, findings[0].what if findings else ""


def test_nobody_is_blamed_for_a_call_that_went_well() -> None:
    assert who(good()) == (None, "")
    assert differences(ENDS, good()) == []


# --- ears ---


def test_a_word_that_matters_was_misheard() -> None:
    call = booking(heard="Nice cheese.")
    call.bot("Sorry, I did not get that.")
    facts = ended(call).facts()
    assert who(facts) == (Blame.EARS, "'Yes, please.' was heard as 'Nice cheese.'")


def test_a_misheard_word_that_changes_nothing_is_no_fault_of_the_ears() -> None:
    call = booking(heard="Yes, peas.")
    call.called("book_appointment_confirm", {"yes": False})  # as if the rules had taken it for a no
    assert who(ended(call).facts())[0] is Blame.MIND


@pytest.mark.parametrize(("heard", "what"), [("", "was heard without words"), (None, "was not heard")])
def test_a_sentence_that_left_no_words(heard: str | None, what: str) -> None:
    call = CallOfRows()
    call.bot("How can I help you?")
    call.caller(WISH, heard)
    assert who(call.facts(outcome="client-disconnected")) == (Blame.EARS, f"{WISH.text!r} {what}")


def test_words_that_the_caller_did_not_say() -> None:
    call = booked(booking())
    call.turn("Goodbye, and see you on Monday.")
    call.called("end_call", {})
    facts = call.facts()  # nothing is stored, for whatever reason
    blame, what = who(replace(facts, stored=[]))
    assert blame is Blame.EARS
    assert "where the caller said nothing" in what


# --- mind ---


def test_what_was_heard_and_not_done() -> None:
    call = booking()
    call.bot("Sorry, I did not get that.")
    blame, what = who(ended(call).facts())
    assert blame is Blame.MIND
    assert what == "'Yes, please.', heard as 'Yes, please.', became no call"


def test_a_value_that_was_heard_and_taken_for_another() -> None:
    call = CallOfRows()
    call.caller(WISH, WISH.text)
    call.called("book_appointment", {"day": "2026-11-26", "at": "22:30"})
    blame, what = who(call.facts(outcome="client-disconnected"))
    assert blame is Blame.MIND
    assert "22:30" in what


# --- product ---


def test_an_effect_without_any_yes() -> None:
    call = CallOfRows()
    call.caller(WISH, WISH.text)
    call.called("book_appointment", {"day": "2026-11-26", "at": "10:30"})
    call.task("booked")
    blame, findings = blamed(ENDS, ended(call).facts(stored=[BOOKED]))
    assert blame is Blame.PRODUCT
    assert findings[0].no_yes


def test_an_effect_after_a_no_that_was_heard() -> None:
    blame, findings = blamed(ENDS, ended(booked(booking(answer=NO))).facts(stored=[BOOKED]))
    assert blame is Blame.PRODUCT
    assert findings[0].no_yes
    assert findings[0].what == "booked after 'No, I do not want that.', heard as 'No, I do not want that.'"


def test_an_effect_after_a_no_that_was_heard_as_a_yes_is_the_ears() -> None:
    blame, findings = blamed(ENDS, ended(booked(booking(answer=NO, heard="Yes, I want that."))).facts(stored=[BOOKED]))
    assert blame is Blame.EARS
    assert findings[0].no_yes


def test_a_yes_by_key_is_one() -> None:
    call = CallOfRows()
    call.caller(WISH, WISH.text)
    call.called("book_appointment", {"day": "2026-11-26", "at": "10:30"})
    call.bot("Shall I book it?")
    call.caller(Keys("1", Act.YES), None, Asked.READ_BACK)
    call.task("booked")
    assert who(ended(call).facts(stored=[BOOKED])) == (None, "")


def test_an_appointment_of_which_no_call_spoke() -> None:
    other = ("2026-11-26 11:00", "John Smith", "+49")
    facts = replace(good(), stored=[other])
    assert who(facts) == (Blame.PRODUCT, "stored is 2026-11-26 11:00, of which no function call spoke")
    assert who(replace(good(), before=[other], stored=[other, BOOKED]))[1] != who(facts)[1]


def test_an_appointment_of_another_caller_s_that_is_gone() -> None:
    others = ("2026-11-27 09:00", "Anna Miller", "+4930555077")
    found = [each.what for each in blamed(ENDS, replace(good(), before=[others]))[1]]
    assert "the appointment of Anna Miller at 2026-11-27 09:00 is gone" in found


def test_an_appointment_of_the_caller_s_that_is_gone_by_itself() -> None:
    own = ("2026-11-27 09:00", "John Smith", CALLER)
    assert who(replace(good(), before=[own])) == (
        Blame.PRODUCT,
        "gone without a task that ended so: 2026-11-27 09:00",
    )


def test_a_cancellation_that_was_agreed_to() -> None:
    call = CallOfRows()
    call.caller(Line("Cancel my appointment.", Act.CANCEL), "Cancel my appointment.")
    call.called("cancel_appointment", {})
    call.bot("Your appointment on Friday. Shall I cancel it?")
    call.caller(YES, YES.text, Asked.READ_BACK)
    call.called("cancel_appointment_confirm", {"yes": True}, state="Removed", result="removed")
    call.task("removed", "cancel_appointment")
    assert who(ended(call).facts(before=[("2026-11-27 09:00", "John Smith", CALLER)]), Ends()) == (None, "")


def test_a_long_silence() -> None:
    assert who(replace(good(), silence_s=21.0)) == (Blame.PRODUCT, "nobody was heard for 21 s")
    assert who(replace(good(), silence_s=19.0))[0] is None


def test_a_crash_a_broken_rule_and_a_missing_record() -> None:
    assert who(replace(good(), crashed=["it broke: ValueError: x"]))[0] is Blame.PRODUCT
    assert who(replace(good(), broken=["unasked_frame: x (at 3 ms)"]))[0] is Blame.PRODUCT
    assert who(replace(good(), broken=["no_call_record: x (at 3 ms)"]))[0] is None
    assert who(replace(good(), record=None)) == (Blame.PRODUCT, "the call left no record")
    lacking = who(replace(good(), record=record()))
    assert lacking == (Blame.PRODUCT, "the record lacks the result of a task: booked")


def test_a_hang_up_that_nothing_asked_for() -> None:
    facts = booking().facts()
    assert who(facts)[1].startswith("hung up, and nothing had asked for it")
    silent = replace(facts, record=record(outcome="silent"))
    assert who(silent, Ends())[0] is None


def test_a_transfer_that_nothing_asked_for() -> None:
    facts = replace(good(), outcome="transferred", to="tel:+49")
    assert who(facts) == (Blame.PRODUCT, "transferred, and no task had ended so")


def test_an_end_that_was_asked_for_and_did_not_come() -> None:
    facts = replace(good(), outcome="client-disconnected", gave_up="nobody hung up for 25 s after 'Goodbye.'")
    assert who(facts)[0] is Blame.PRODUCT


def test_a_call_ended_despite_a_wish_is_the_products_fault() -> None:
    call = ended(booked(booking()))
    call.caller(Line("Wait, cancel my appointment.", Act.CANCEL), "Wait, cancel my appointment.")
    assert who(call.facts(stored=[BOOKED])) == (
        Blame.PRODUCT,
        "the call was ended over 'Wait, cancel my appointment.'",
    )


def test_a_yes_that_did_not_count() -> None:
    call = booking()
    call.called("book_appointment_confirm", {"yes": True}, state="Confirm", error="misstated")
    call.bot("Thursday 26 November at 10:30 for John Smith. Shall I book it?")
    call.caller(YES, YES.text, Asked.READ_BACK)
    facts = ended(booked(call)).facts(stored=[BOOKED])
    assert who(facts) == (Blame.PRODUCT, "'Yes, please.' did not count: misstated")


def test_a_yes_need_not_count_after_an_answer_that_was_misheard() -> None:
    call = booking(heard="The chair was not as right.")
    call.bot("Sorry, I did not get that. Shall I book it?")
    call.caller(YES, YES.text, Asked.READ_BACK)
    call.called("book_appointment_confirm", {"yes": True}, state="Confirm", error="misstated")
    call.bot("Thursday 26 November at 10:30 for John Smith. Shall I book it?")
    call.caller(YES, YES.text, Asked.READ_BACK)
    assert who(ended(booked(call)).facts(stored=[BOOKED])) == (None, "")


def test_speech_on_the_line_that_never_became_a_turn() -> None:
    call = CallOfRows()
    call.caller(WISH, None)
    facts = call.facts(outcome="client-disconnected", voiced=[(100, 900)])
    assert who(facts) == (Blame.PRODUCT, f"{WISH.text!r} was on the line, and no turn of the caller's began")


def test_a_turn_that_the_model_was_never_asked_about() -> None:
    call = CallOfRows()
    call.caller(WISH, WISH.text)
    call.forget_thoughts()
    facts = call.facts(outcome="client-disconnected")
    assert who(facts) == (Blame.PRODUCT, f"the model was never asked to answer {WISH.text!r}")


def test_what_nothing_explains_is_the_product_s() -> None:
    blame, what = who(replace(good(), stored=[]))
    assert blame is Blame.PRODUCT
    assert what.startswith("nothing explains it: stored is nothing")


# --- what was wanted ---


def test_differences_from_what_the_caller_wanted() -> None:
    ends = Ends(stored=(BOOKED[0],), names=("John Smith",), end=(End.TRANSFERRED,), to="tel:1")
    facts = replace(good(), stored=[(BOOKED[0], "Anna Miller", "+49")], gave_up="they talked in circles")
    assert differences(ends, facts) == [
        "stored for Anna Miller, not for John Smith",
        "the call ended as bot-disconnected, not transferred",
        "the caller was put through to nobody, not to tel:1",
        "they talked in circles",
    ]
    assert differences(Ends(), facts)[0] == "stored is 2026-11-26 10:30, not nothing"


def test_how_a_name_is_spelt_is_not_heard() -> None:
    assert differences(replace(ENDS, names=("Jon Smyth",)), good()) == []
