"""A false statement of the model is corrected until the caller has heard the correction."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from actors.messages.call import BotHeard, BotSaid
from actors.messages.journal_rows import JournalEntry, OwedRow
from actors.tasks.claims import SAID_WRONGLY, WHAT_NEXT, ClaimWatch
from actors.tasks.effect_attempts import UNSURE
from actors.tasks.router import ANYTHING_ELSE
from appointments.cancel_appointment import CANCEL_APPOINTMENT
from fsm.agents.hand_over import HAND_OVER
from fsm.claims import Deed, Done
from fsm.effects import EffectResult, Local, Ok, Unclear
from fsm.english import English
from fsm.locales import locale_of
from fsm.spec import AgentSpec, Confirm, End
from fsm.task_file import Parts, compile_task
from protocols.ledger import ItemHeard
from tests.actors.calls import (
    AGENTS,
    BEGAN,
    BOOKED,
    NO_WATCH_S,
    PIZZA,
    PIZZA_SLOTS,
    PROFILE,
    Call,
    Oven,
    StuckOven,
    WaitingDispatcher,
    left_by,
    read_again,
)
from tests.counted import counted

TODAY = date(2026, 11, 25)
DENIAL = "I am sorry, I said that wrongly: nothing is booked yet."
EVERYTHING = frozenset(Deed)
BOOKING: dict[str, object] = {"day": "2026-11-24", "at": "10:30", "name": "Ada"}


class Watched:
    """A watch, and what it is told. Time is the number of the item, in s."""

    def __init__(self, possible: frozenset[Deed] = EVERYTHING) -> None:
        self.watch = ClaimWatch(English(), possible)
        self.items = 0

    def heard(self, text: str, share: float = 1.0, *, words_first: bool = True) -> None:
        self.items += 1
        item = ItemHeard(f"i-{self.items}", round(1000 * share), 1000, self.items * 1000, share == 1)
        facts = BotSaid(item.item_id, text), BotHeard(item, barged_in=share < 1)
        for fact in facts if words_first else reversed(facts):
            self.watch.note(fact)

    def false(self, *done: Done, overdue: bool = False) -> list[str]:
        return [claim.sentence for claim in self.watch.false(done, TODAY, overdue=overdue)]

    def asked(self) -> None:
        self.watch.asked(DENIAL, self.items * 1000 + 500)


@pytest.mark.parametrize("words_first", [True, False])
def test_a_claim_counts_once_it_was_heard_whenever_its_words_come(words_first: bool) -> None:
    watched = Watched()
    watched.heard("It is booked.", words_first=words_first)
    assert watched.false() == ["it is booked."]


def test_a_claim_that_was_cut_off_before_it_was_heard_is_none() -> None:
    watched = Watched()
    watched.heard("One moment please, I look. It is booked now.", 0.4)
    assert not watched.watch.open
    watched.heard("It is booked. Is there anything else?", 0.6)
    assert watched.watch.open


def test_what_no_task_of_the_bot_can_do_is_not_corrected() -> None:
    watched = Watched(frozenset({Deed.CANCELLED}))
    watched.heard("Your table is booked. It is booked.")
    assert not watched.watch.open


def test_a_correction_is_asked_for_again_once_something_else_was_heard_in_its_place() -> None:
    watched = Watched()
    watched.heard("It is booked.")
    assert watched.false()
    before = watched.watch.correcting
    watched.asked()
    assert (before, watched.watch.correcting) == (False, True)
    assert watched.false() == []
    assert watched.false(overdue=True) == ["it is booked."]
    watched.heard("At 12 Linden Street.")
    assert watched.false() == ["it is booked."]


def test_what_had_begun_before_the_correction_was_asked_for_is_not_taken_for_another_answer() -> None:
    watched = Watched()
    watched.heard("It is booked.")
    watched.watch.asked(DENIAL, 5000)
    watched.heard("Anything else?")
    assert watched.false() == []


def test_another_false_claim_is_corrected_although_a_correction_is_still_to_come() -> None:
    watched = Watched()
    watched.heard("It is booked.")
    watched.watch.asked(DENIAL, 5000)
    watched.heard("Your visit is cancelled.")
    assert watched.false() == ["it is booked.", "your visit is cancelled."]


def test_a_correction_that_was_heard_to_its_end_is_the_last_of_it() -> None:
    watched = Watched()
    watched.heard("It is booked.")
    watched.asked()
    watched.heard(f"{DENIAL} {WHAT_NEXT}", 0.5)
    assert watched.watch.correcting
    watched.heard(f"Well. {DENIAL} {WHAT_NEXT}")
    assert not watched.watch.open
    assert not watched.watch.correcting


def test_a_model_that_says_something_else_each_time_is_asked_three_times() -> None:
    watched = Watched()
    watched.heard("It is booked.")
    asks = 0
    while watched.false():
        asks += 1
        watched.asked()
        watched.heard("Lovely!")
    assert asks == 3


def test_a_task_that_ends_settles_only_claims_about_its_own_deeds() -> None:
    watched = Watched()
    watched.heard("It is booked. Your visit is cancelled.")
    watched.watch.answered(frozenset({Deed.BOOKED}))
    assert watched.false() == ["your visit is cancelled."]
    watched.watch.answered(frozenset({Deed.CANCELLED}))
    assert not watched.watch.open


def test_a_claim_after_one_that_was_answered_is_corrected_as_often_as_the_first() -> None:
    watched = Watched()
    asks = []
    for _ in range(2):
        asks.append(0)
        watched.heard("It is booked.")
        while watched.false() and asks[-1] < 2:
            asks[-1] += 1
            watched.asked()
            watched.heard("Lovely!")
        watched.watch.answered(frozenset({Deed.BOOKED}))
    assert asks == [2, 2]


def test_a_claim_that_has_become_true_is_forgotten() -> None:
    watched = Watched()
    watched.heard("It is booked.")
    watched.asked()
    watched.heard("Hm.")
    assert watched.false(Done(frozenset({Deed.BOOKED}), frozenset(), frozenset(), "")) == []
    assert not watched.watch.open


def test_each_claim_is_counted_once() -> None:
    watched = Watched()
    claims = English().claims("It is booked.")
    assert watched.watch.new(claims) == claims
    assert watched.watch.new(claims) == []


# --- in a call ---


def booking(mailboxes: WaitingDispatcher, result: EffectResult = BOOKED) -> Call:
    call = Call(mailboxes, effects={"appointments.book": Oven(result)}, no_input_s=NO_WATCH_S).greeted()
    call.answered("call-1", "book_appointment", **BOOKING)
    return call


def says(call: Call, text: str) -> list[str]:
    """The bot says this to its end. Returns what it is told to say word for word after that."""
    # Not cleared: among them may be an output that a thread was quick to give.
    before = len(call.model.all("response.create"))
    call.bot_says(text, ms=500)
    call.mailboxes.advance(600)
    asked = [frame["response"].get("instructions", "") for frame in call.model.all("response.create")[before:]]
    return [each.rpartition("word for word: ")[2].strip('"') for each in asked]


def false_claims(claim: str) -> float:
    return counted("tieline_false_claims_total", claim=claim)


def test_a_false_claim_is_corrected_at_once_by_the_read_back_that_is_open_and_counted(
    mailboxes: WaitingDispatcher,
) -> None:
    call, before = booking(mailboxes), false_claims("booked")
    (told,) = says(call, "Great, it is booked.")
    assert told.startswith(f"{DENIAL} Tuesday 24 November at 10:30 for Ada.")
    assert false_claims("booked") - before == 1
    assert says(call, told) == []


def test_a_false_claim_without_a_task_is_corrected(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, no_input_s=NO_WATCH_S).greeted()
    assert says(call, "I have booked you in.") == [f"{DENIAL} {WHAT_NEXT}"]


def test_what_was_booked_may_be_said_and_another_day_is_corrected_by_it(mailboxes: WaitingDispatcher) -> None:
    call = booking(mailboxes)
    call.hears_out()
    booked = call.answered("call-2", "book_appointment_confirm", yes=True)["say"]
    assert says(call, booked) == []
    assert says(call, "Your appointment on Tuesday at half past ten is booked.") == []
    assert says(call, "Your appointment is booked for Friday.") == [f"{SAID_WRONGLY} {booked}"]


def test_an_unclear_result_is_told_as_unclear(mailboxes: WaitingDispatcher) -> None:
    call = booking(mailboxes, Unclear(UNSURE))
    call.hears_out()
    told = call.answered("call-2", "book_appointment_confirm", yes=True)["say"]
    assert told == f"{UNSURE} {ANYTHING_ELSE}"
    says(call, told)
    assert says(call, "It is booked.") == [UNSURE]


def hanging(mailboxes: WaitingDispatcher, name: str, stuck: StuckOven) -> Call:
    """A call that has been told that the outcome of a task's effect is not known."""
    call = Call(mailboxes, effects={name: stuck}, no_input_s=NO_WATCH_S).greeted()
    task, slots = ("order_pizza", PIZZA_SLOTS) if name == "pizza.bake" else ("book_appointment", BOOKING)
    call.answered("call-1", task, **slots)
    call.hears_out()
    call.model_calls(("call-2", f"{task}_confirm", {"yes": True}))
    assert stuck.entered.wait(5)
    mailboxes.advance(10_000)
    says(call, UNSURE)
    return call


def test_a_claim_about_a_step_that_is_overdue_is_told_as_doubt(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    assert says(hanging(mailboxes, "appointments.book", stuck), "It is booked.") == [UNSURE]


def test_doubt_about_one_task_is_none_about_another(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    assert says(hanging(mailboxes, "pizza.bake", stuck), "It is booked.") == [f"{DENIAL} {WHAT_NEXT}"]


def test_what_one_task_has_done_does_not_correct_a_claim_about_another(mailboxes: WaitingDispatcher) -> None:
    agents = {**AGENTS, CANCEL_APPOINTMENT.name: CANCEL_APPOINTMENT}
    call = Call(mailboxes, agents=agents, no_input_s=NO_WATCH_S).greeted()
    call.answered("call-1", "book_appointment", **BOOKING)
    call.hears_out()
    says(call, call.answered("call-2", "book_appointment_confirm", yes=True)["say"])
    (told,) = says(call, "Your old appointment is cancelled.")
    assert told == f"I am sorry, I said that wrongly: nothing is cancelled yet. {WHAT_NEXT}"


def test_that_a_task_was_cancelled_may_be_said(mailboxes: WaitingDispatcher) -> None:
    agents = {**AGENTS, CANCEL_APPOINTMENT.name: CANCEL_APPOINTMENT}
    call = Call(mailboxes, agents=agents, no_input_s=NO_WATCH_S).greeted()
    call.answered("call-1", "book_appointment", **BOOKING)
    call.caller_says("No, leave it.")
    says(call, call.answered("call-2", "book_appointment_cancel")["say"])
    assert says(call, "It is cancelled.") == []


def test_a_caller_who_was_told_something_false_is_not_hung_up_on(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, no_input_s=NO_WATCH_S).greeted()
    call.caller_says("Tomorrow at ten. Bye.")
    call.answered("call-1", "end_call")
    assert says(call, "It is booked. Goodbye.") == [f"{DENIAL} {WHAT_NEXT}"]
    says(call, f"{DENIAL} {WHAT_NEXT}")
    call.played()
    assert call.activities() == []


def test_a_transfer_waits_for_the_correction(mailboxes: WaitingDispatcher) -> None:
    call = Call(
        mailboxes,
        agents={**AGENTS, HAND_OVER.name: HAND_OVER},
        transfer_targets={"reception": "tel:+4930555001"},
        no_input_s=NO_WATCH_S,
    ).greeted()
    call.caller_says("Tomorrow at ten, and put me through.")
    call.answered("call-1", "hand_over", to="reception")
    assert says(call, "It is booked. I will put you through.") == [DENIAL]
    call.played()
    assert call.activities() == []
    says(call, DENIAL)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer"]


def test_a_claim_is_judged_once_the_step_is_answered_that_may_make_it_true(mailboxes: WaitingDispatcher) -> None:
    call = booking(mailboxes, Ok({"appointment": 1, "code": "4711"}))
    call.hears_out()
    call.model_calls(("call-2", "book_appointment_confirm", {"yes": True}))
    assert all("wrongly" not in each for each in says(call, "It is booked."))
    call.mailboxes.until(lambda: "call-2" in call.outputs())
    assert all("wrongly" not in each for each in says(call, call.outputs()["call-2"]["say"]))


# --- a task of one's own ---

DENIED = "I am sorry, I said that wrongly: that is not done yet."
PARKING = """
[task]
name = "parking"
description = "The caller wants a parking space."
[slot.at]
type = "time"
ask = "When?"
[flow]
collect = ["at"]
confirm = "A parking space at {at}. Is that right?"
done = { say = "Your parking space is booked. See you then!" }
[effect]
tool = "crm.parking"
"""
ABHOLUNG = """
[task]
name = "abholung"
description = "Der Anrufer will, dass etwas abgeholt wird."
[slot.at]
type = "time"
ask = "Wann?"
[flow]
collect = ["at"]
confirm = "Eine Abholung um {at}. Ist das richtig?"
done = { say = "Die Abholung ist eingetragen. Danke!" }
[effect]
tool = "crm.parking"
"""
CALLBACK = replace(
    PIZZA, name="callback", states={**PIZZA.states, "Baked": End("noted", say="Your callback on file is noted.")}
)
AT_TEN: dict[str, object] = {"at": "10:00"}


def ours(written: str) -> AgentSpec:
    return compile_task(tomllib.loads(written), Parts(effects={"crm.parking": Local(lambda request, store: Ok())}))


def own_call(mailboxes: WaitingDispatcher, task: AgentSpec, tag: str = "en-GB", **given: Any) -> Call:
    """A call of a bot with this task and two others."""
    agents = {**AGENTS, task.name: task}
    profile = replace(PROFILE, agents=agents, no_input_s=NO_WATCH_S, locale=locale_of(tag))
    return Call(mailboxes, effects={"crm.parking": Oven()}, profile=profile, **given)


@pytest.mark.parametrize(
    "lie",
    [
        "Your parking space is booked.",
        "Great, your parking space for ten o'clock is booked. Anything else?",
        "I have booked your parking space.",
        "I've booked you a parking space at ten.",
        "Your parking space is reserved.",
        "I have registered your parking space.",
    ],
)
def test_what_a_task_file_says_when_it_is_done_is_corrected_before_that(mailboxes: WaitingDispatcher, lie: str) -> None:
    call, before = own_call(mailboxes, ours(PARKING)).greeted(), false_claims("parking")
    call.answered("call-1", "parking", **AT_TEN)
    (told,) = says(call, lie)
    assert told.startswith("I am sorry, I said that wrongly: ")
    assert told.endswith("A parking space at 10:00. Is that right?")
    assert false_claims("parking") - before == 1
    assert says(call, told) == []


@pytest.mark.parametrize("written", [PARKING, PARKING.partition("[effect]")[0]], ids=["an effect", "no effect"])
def test_once_it_is_done_in_truth_there_is_no_second_correction(mailboxes: WaitingDispatcher, written: str) -> None:
    call = own_call(mailboxes, ours(written)).greeted()
    call.answered("call-1", "parking", **AT_TEN)
    (told,) = says(call, "Your parking space is booked.")
    assert told == f"{DENIED} A parking space at 10:00. Is that right?"
    assert says(call, told) == []
    call.caller_says("Yes.")
    call.model_calls(("call-2", "parking_confirm", {"yes": True}))
    mailboxes.until(lambda: "call-2" in call.outputs())
    assert says(call, call.outputs()["call-2"]["say"]) == []
    assert says(call, "Your parking space is booked.") == []


@pytest.mark.parametrize("done", ["parking", "garage"])
def test_either_of_two_tasks_that_say_the_same_makes_it_true(mailboxes: WaitingDispatcher, done: str) -> None:
    painted = PARKING.replace("is booked", "is painted")
    garage = painted.replace('"parking"', '"garage"').replace("See you then!", "Bye!")
    agents = {"parking": ours(painted), "garage": ours(garage)}
    profile = replace(PROFILE, agents=agents, no_input_s=NO_WATCH_S)
    call = Call(mailboxes, effects={"crm.parking": Oven()}, profile=profile).greeted()
    call.answered("call-1", done, **AT_TEN)
    says(call, call.answered("call-2", f"{done}_confirm", yes=True)["say"])
    assert says(call, "Your parking space is painted.") == []


def test_it_is_booked_is_corrected_for_a_task_file_as_well(mailboxes: WaitingDispatcher) -> None:
    call = own_call(mailboxes, ours(PARKING)).greeted()
    call.answered("call-1", "parking", **AT_TEN)
    (told,) = says(call, "Great, it is booked.")
    assert told.startswith(DENIAL)


@pytest.mark.parametrize(
    "lie", ["Your callback is noted.", "I have noted your callback.", "We've noted your callback."]
)
def test_so_is_what_a_task_in_python_says(mailboxes: WaitingDispatcher, lie: str) -> None:
    call, before = own_call(mailboxes, CALLBACK).greeted(), false_claims("callback")
    call.answered("call-1", "callback", **PIZZA_SLOTS)
    assert says(call, lie) == [f"{DENIED} 2 small, none. Right?"]
    assert false_claims("callback") - before == 1


@pytest.mark.parametrize(
    "lie",
    [
        "Die Abholung ist eingetragen.",
        "Ich habe Ihre Abholung um zehn Uhr eingetragen.",
        "Es ist eingetragen.",
        "Ihre Abholung ist notiert.",
    ],
)
def test_and_what_one_says_in_german(mailboxes: WaitingDispatcher, lie: str) -> None:
    call = own_call(mailboxes, ours(ABHOLUNG), "de-DE").greeted()
    call.answered("call-1", "abholung", **AT_TEN)
    (told,) = says(call, lie)
    assert told.startswith("Entschuldigung, das war nicht richtig: ")
    assert told.endswith("Eine Abholung um 10 Uhr. Ist das richtig?")


@pytest.mark.parametrize(
    "words",
    [
        "A parking space at 10:00. Is that right?",
        "Shall I book the parking space?",
        "Is your parking space booked?",
        "I will book your parking space.",
        "I can book you a parking space.",
        "Once your parking space is booked, you can park there all day.",
        "Your parking space is not booked yet.",
        "You said your parking space is booked.",
        "I have booked nothing yet. Your parking space is still free.",
        "I've noted ten o'clock for your parking space.",
        "Unfortunately the parking space at nine is already booked.",
        "I have your parking space down for ten, is that right?",
    ],
)
def test_what_states_nothing_of_it_is_not_corrected(mailboxes: WaitingDispatcher, words: str) -> None:
    call = own_call(mailboxes, ours(PARKING)).greeted()
    call.answered("call-1", "parking", **AT_TEN)
    assert says(call, words) == []


def test_what_a_task_says_itself_before_it_is_done_is_not_corrected(mailboxes: WaitingDispatcher) -> None:
    states = {**CALLBACK.states, "Confirm": Confirm("I have noted your callback: {count} {size.value}, {note}. Right?")}
    call = own_call(mailboxes, replace(CALLBACK, states=states)).greeted()
    call.answered("call-1", "callback", **PIZZA_SLOTS)
    assert says(call, "I have noted your callback: 2 small, none. Right?") == []


def test_what_an_end_says_that_no_effect_precedes_is_no_claim(mailboxes: WaitingDispatcher) -> None:
    states = {**CALLBACK.states, "Baked": End("noted"), "Human": End("transfer", say="Your callback is noted.")}
    call = own_call(mailboxes, replace(CALLBACK, states=states)).greeted()
    call.answered("call-1", "callback", **PIZZA_SLOTS)
    assert says(call, "Your callback is noted.") == []


TRUTHS = [
    "Your parking space at ten is booked.",
    "I have booked your parking space.",
    "It is booked.",
    "All done! Anything else?",
]


def parked(mailboxes: WaitingDispatcher) -> Call:
    call = own_call(mailboxes, ours(PARKING)).greeted()
    call.answered("call-1", "parking", **AT_TEN)
    assert says(call, call.answered("call-2", "parking_confirm", yes=True)["say"]) == []
    return call


def test_what_it_has_done_may_be_said_in_other_words_and_another_time_is_corrected(
    mailboxes: WaitingDispatcher,
) -> None:
    call = parked(mailboxes)
    assert [told for truth in TRUTHS for told in says(call, truth)] == []
    (told,) = says(call, "Your parking space at eleven is booked.")
    assert told == f"{SAID_WRONGLY} Your parking space is booked. See you then!"


def test_so_it_may_after_another_process_has_taken_the_call_over(mailboxes: WaitingDispatcher) -> None:
    second = own_call(mailboxes, ours(PARKING), resume_state=left_by(parked(mailboxes)))
    second.model_is_ready()
    assert [told for truth in TRUTHS for told in says(second, truth)] == []


def test_a_claim_that_is_not_corrected_yet_is_taken_over_with_the_call(mailboxes: WaitingDispatcher) -> None:
    watched = Watched()
    watched.watch.own = {("callback", "noted"): frozenset({"callback"})}
    watched.heard("Your callback is noted.")
    other = Watched()
    row = read_again(JournalEntry("c-1", 1, BEGAN, OwedRow(claims=watched.watch.left()))).row
    assert isinstance(row, OwedRow)
    other.watch.restore(row.claims)
    assert other.false(Done(frozenset(), frozenset(), frozenset(), "", "pizza")) == ["your callback is noted."]
    assert other.false(Done(frozenset(), frozenset(), frozenset(), "", "callback")) == []


def test_a_task_that_ends_settles_claims_about_itself() -> None:
    watched = Watched()
    watched.watch.own = {("callback", "noted"): frozenset({"callback"})}
    watched.heard("Your callback is noted.")
    watched.watch.answered(frozenset(), "pizza")
    assert watched.watch.open
    watched.watch.answered(frozenset(), "callback")
    assert not watched.watch.open


def test_what_a_look_up_has_found_may_be_said_of_a_task() -> None:
    watched = Watched()
    watched.watch.own = {("callback", "noted"): frozenset({"callback"})}
    watched.heard("Your callback is noted.")
    assert watched.false(Done(frozenset(), frozenset(), frozenset(), "", found=True)) == []


def test_all_done_may_be_said_of_whatever_a_task_has_done() -> None:
    watched = Watched()
    watched.heard("All done!")
    assert watched.false(Done(frozenset(), frozenset(), frozenset(), "", "callback")) == []
