"""A false statement of the model is corrected until the caller has heard the correction."""

from __future__ import annotations

from datetime import date

import pytest
from prometheus_client import REGISTRY

from actors.messages.call import BotHeard, BotSaid
from actors.tasks.claims import SAID_WRONGLY, WHAT_NEXT, ClaimWatch
from actors.tasks.effect_attempts import UNSURE
from actors.tasks.router import ANYTHING_ELSE
from appointments.cancel_appointment import CANCEL_APPOINTMENT
from fsm.agents.hand_over import HAND_OVER
from fsm.claims import Deed, Done
from fsm.effects import EffectResult, Ok, Unclear
from fsm.english import English
from protocols.ledger import ItemHeard
from tests.actors.calls import (
    AGENTS,
    BOOKED,
    NO_WATCH_S,
    PIZZA_SLOTS,
    Call,
    Oven,
    StuckOven,
    WaitingDispatcher,
)

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
    call.model.frames.clear()
    call.bot_says(text, ms=500)
    call.mailboxes.advance(600)
    asked = [frame["response"].get("instructions", "") for frame in call.model.all("response.create")]
    return [each.rpartition("word for word: ")[2].strip('"') for each in asked]


def counted(claim: str) -> float:
    return REGISTRY.get_sample_value("tieline_false_claims_total", {"claim": claim}) or 0.0


def test_a_false_claim_is_corrected_at_once_by_the_read_back_that_is_open_and_counted(
    mailboxes: WaitingDispatcher,
) -> None:
    call, before = booking(mailboxes), counted("booked")
    (told,) = says(call, "Great, it is booked.")
    assert told.startswith(f"{DENIAL} Tuesday 24 November at 10:30 for Ada.")
    assert counted("booked") - before == 1
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
