"""The spoken end of a call: no hang-up or transfer before the last sentence was heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actors.call.farewell import HANDED_OVER, NO_MODEL, TOO_COSTLY, PendingHangup
from actors.call.phase import CallEvent
from actors.clips import Clip
from actors.messages.call import BotHeard, BotSaid, CallerSaid, CallerSpeaks, ClipHeard, EndCall, ResponseEnded
from actors.messages.vaic import HangUp, Transfer
from actors.policies import FAREWELL_LIMIT_S
from actors.vaic.session import VaicSocket
from fsm.effects import Failed
from fsm.locales import Locale
from protocols.ledger import ItemHeard
from tests.actors.calls import (
    MS_100,
    NO_WATCH_S,
    PIZZA_SLOTS,
    PROFILE,
    Call,
    Dialect,
    Oven,
    StuckOven,
    WaitingDispatcher,
    clips,
    living,
    with_a_hanging_task,
)

TARGET = "tel:+4930555001"


HEARD, CALLED_OFF = CallEvent.FAREWELL_HEARD, CallEvent.CALLED_OFF


def ended(*spoken: str, status: str = "completed", calls: int = 0) -> ResponseEnded:
    return ResponseEnded(status, spoken, calls, {})


def heard(item: str, complete: bool = True, barged_in: bool = False) -> BotHeard:
    return BotHeard(ItemHeard(item, 100, 100 if complete else 500, 0, complete), barged_in)


def clip_heard(clip: Clip, complete: bool = True) -> ClipHeard:
    return ClipHeard(clip, ItemHeard("clip", 100, 100 if complete else 500, 0, complete))


# --- the rule ---


@pytest.fixture
def pending_hangup() -> PendingHangup:
    return PendingHangup(HangUp("conversation ended"), "completed")


def test_the_call_ends_when_the_farewell_is_both_generated_and_heard(pending_hangup: PendingHangup) -> None:
    assert pending_hangup.note(ended("i-1", "i-2")) is None
    assert pending_hangup.note(heard("i-1")) is None
    assert pending_hangup.note(heard("i-2")) is HEARD


def test_words_that_were_heard_before_their_response_ended_count_too(pending_hangup: PendingHangup) -> None:
    assert pending_hangup.note(heard("i-1")) is None
    assert pending_hangup.note(ended("i-1")) is HEARD


@pytest.mark.parametrize(
    "not_the_last", [ended(), ended("i-1", calls=1), ended("i-1", status="cancelled"), ended("i-1", status="failed")]
)
def test_a_response_that_is_silent_or_broken_or_calls_a_function_holds_no_farewell(
    pending_hangup: PendingHangup, not_the_last: ResponseEnded
) -> None:
    assert pending_hangup.note(not_the_last) is None
    assert pending_hangup.note(heard("i-1")) is None
    assert pending_hangup.note(ended("i-2")) is None
    assert pending_hangup.note(heard("i-2")) is HEARD


def test_the_farewell_stays_the_first_that_could_be_whatever_is_said_after_them(pending_hangup: PendingHangup) -> None:
    pending_hangup.note(ended("i-1"))
    pending_hangup.note(ended("i-2"))
    assert pending_hangup.note(heard("i-1")) is HEARD


def spoken_into(pending_hangup: PendingHangup, words: str, item: str = "u-1") -> CallEvent | None:
    """The caller speaks into the farewell. Returns what that leads to."""
    pending_hangup.note(ended("i-1"))
    assert pending_hangup.note(CallerSpeaks(item, began=True, at_ms=0)) is None
    assert pending_hangup.note(heard("i-1", complete=False, barged_in=True)) is None
    assert pending_hangup.note(CallerSpeaks(item, began=False, at_ms=0)) is None
    return pending_hangup.note(CallerSaid(item, words))


@pytest.mark.parametrize("words", ["Wait, one more thing!", "No, stop.", "What does it cost?", "Okay, and a cake."])
def test_a_new_request_of_the_caller_calls_the_end_off(pending_hangup: PendingHangup, words: str) -> None:
    assert spoken_into(pending_hangup, words) is CALLED_OFF


@pytest.mark.parametrize("words", ["", "Okay, thanks.", "Thanks, bye!", "Okay, I'll wait.", "Yes.", "Hm."])
def test_thanks_or_a_cough_have_the_end_wait_for_the_next_sentence(pending_hangup: PendingHangup, words: str) -> None:
    assert spoken_into(pending_hangup, words) is None
    assert pending_hangup.note(heard("i-1")) is None, "it was interrupted"
    assert pending_hangup.note(ended("i-2")) is None
    assert pending_hangup.note(heard("i-2")) is HEARD


def test_after_an_interruption_no_farewell_has_begun(pending_hangup: PendingHangup) -> None:
    pending_hangup.begun = True
    assert not pending_hangup.unsaid
    pending_hangup.note(CallerSpeaks("u-1", began=True, at_ms=0))
    assert pending_hangup.unsaid


def test_a_question_of_the_bot_s_after_an_interruption_waits_for_its_answer(pending_hangup: PendingHangup) -> None:
    assert pending_hangup.note(BotSaid("i-0", "Anything else? Goodbye.")) is None
    assert spoken_into(pending_hangup, "Yes.") is None
    assert pending_hangup.note(BotSaid("i-2", "Yes? What is it?")) is CALLED_OFF


def test_a_question_of_the_bot_after_a_cough_is_not_waited_for(pending_hangup: PendingHangup) -> None:
    assert spoken_into(pending_hangup, "") is None
    assert pending_hangup.note(BotSaid("i-2", "Sorry, what was that?")) is None
    assert pending_hangup.note(ended("i-2")) is None
    assert pending_hangup.note(heard("i-2")) is HEARD


def test_words_that_come_late_are_waited_for(pending_hangup: PendingHangup) -> None:
    pending_hangup.note(CallerSpeaks("u-1", began=True, at_ms=0))
    assert pending_hangup.note(ended("i-2")) is None
    assert pending_hangup.note(heard("i-2")) is None
    assert pending_hangup.note(CallerSaid("u-1", "Okay, thanks.")) is HEARD


def test_what_was_said_in_the_response_that_asked_for_the_end_is_the_farewell_if_no_other_follows(
    pending_hangup: PendingHangup,
) -> None:
    pending_hangup.said_before(["i-0"], heard=[])
    unsaid = [pending_hangup.unsaid]
    assert pending_hangup.note(heard("i-0")) is None, "another may follow"
    unsaid.append(pending_hangup.unsaid)
    assert unsaid == [True, False]
    assert pending_hangup.note(ended()) is HEARD


def test_what_was_said_before_the_caller_spoke_again_is_no_farewell(pending_hangup: PendingHangup) -> None:
    pending_hangup.said_before(["i-0"], heard=["i-0"])
    pending_hangup.note(CallerSpeaks("u-1", began=True, at_ms=0))
    pending_hangup.note(CallerSaid("u-1", "Okay, thanks."))
    pending_hangup.said_before(["i-0"], heard=["i-0"])  # the response that called for the end has ended meanwhile
    assert pending_hangup.note(ended()) is None
    assert pending_hangup.note(ended("i-1")) is None
    assert pending_hangup.note(heard("i-1")) is HEARD


def test_a_farewell_that_a_lost_socket_cut_is_neither_heard_nor_called_off(pending_hangup: PendingHangup) -> None:
    pending_hangup.note(ended("i-1"))
    assert pending_hangup.note(heard("i-1", complete=False)) is None


def test_a_sentence_of_ours_is_waited_for_whatever_else_is_said() -> None:
    pending_hangup = PendingHangup(HangUp("drained"), "drained", Clip.CALL_AGAIN)
    for fact in (ended("i-1"), heard("i-1"), CallerSpeaks("u-1", began=True, at_ms=0), clip_heard(Clip.ONE_MOMENT)):
        assert pending_hangup.note(fact) is None
    assert pending_hangup.note(clip_heard(Clip.CALL_AGAIN, complete=False)) is None
    assert pending_hangup.note(clip_heard(Clip.CALL_AGAIN)) is HEARD


# --- in a call ---


@pytest.fixture
def call(mailboxes: WaitingDispatcher) -> Call:
    return Call(mailboxes, no_input_s=NO_WATCH_S).greeted()


def ask_to_end(call: Call, call_id: str = "call-1") -> None:
    assert call.answered(call_id, "end_call")["result"] == "hangup"


def say_goodbye(call: Call) -> None:
    """It should have been heard by now."""
    ask_to_end(call)
    call.bot_says("Goodbye.", ms=500)
    call.mailboxes.advance(500)


def test_the_call_is_hung_up_when_the_farewell_was_heard_and_no_earlier(call: Call) -> None:
    ask_to_end(call)
    call.bot_says("Thank you for calling. Goodbye.", ms=2000)
    call.mailboxes.advance(1990)
    assert call.activities() == []
    call.mailboxes.advance(10)
    assert call.activities() == []  # by our clock it was heard
    call.played()
    assert call.activities() == [("hangup", {"hangupReason": "conversation ended"})]
    assert call.records() == []
    call.ends("bot-disconnected")
    assert call.outcome() == "completed"
    assert call.records()[0].turns[-1].text == "Thank you for calling. Goodbye."


def test_the_sentence_that_still_sounds_when_the_task_ends_is_not_taken_for_the_farewell(call: Call) -> None:
    call.bot_says("One moment please.", ms=1000)
    ask_to_end(call)
    call.mailboxes.advance(3000)
    assert call.activities() == []


def test_a_caller_who_speaks_into_the_farewell_is_not_hung_up_on_until_there_is_another(call: Call) -> None:
    ask_to_end(call)
    call.bot_says("Thank you for calling. Goodbye.", ms=2000)
    call.mailboxes.advance(700)
    call.caller_says("Wait, one more thing!")
    call.bot_says("Of course.", ms=500)
    call.mailboxes.advance(60_000)
    assert call.activities() == []
    assert call.describe().barge_ins == 1
    ask_to_end(call, "call-2")
    call.bot_says("Goodbye.", ms=500)
    call.mailboxes.advance(500)
    call.played()
    assert call.activities() == [("hangup", {"hangupReason": "conversation ended"})]


def test_a_caller_who_speaks_before_the_farewell_sounds_is_not_hung_up_on_after_the_answer(call: Call) -> None:
    ask_to_end(call)
    call.caller_says("Wait, one more thing!")
    call.bot_says("Of course, what is it?", ms=500)
    call.mailboxes.advance(3000)
    assert call.activities() == []


def test_a_farewell_that_the_model_never_speaks_is_said_by_a_clip_after_six_seconds(call: Call) -> None:
    ask_to_end(call)
    call.mailboxes.advance(5900)
    assert call.activities() == []
    call.mailboxes.advance(1000)
    call.mailboxes.advance(1000)
    call.played()
    assert "goodbye" in clips(call)
    assert [name for name, _ in call.activities()] == ["hangup"]
    call.ends("bot-disconnected")
    assert call.outcome() == "completed"


def test_a_farewell_that_the_model_fails_to_say_twice_is_said_by_a_clip_at_once(call: Call) -> None:
    ask_to_end(call)
    for response in ("r-x", "r-y"):
        call.event("response.created", response={"id": response, "status": "in_progress"})
        call.event("response.done", response={"id": response, "status": "failed"})
    call.mailboxes.advance(1000)
    call.played()
    assert clips(call) == ["goodbye"]
    assert [name for name, _ in call.activities()] == ["hangup"]


def test_the_limit_of_a_farewell_runs_from_its_first_word_however_often_the_bot_begins_anew(call: Call) -> None:
    ask_to_end(call)
    call.event("response.created", response={"id": "r-long", "status": "in_progress"})
    for second in range(round(FAREWELL_LIMIT_S)):
        assert call.activities() == []
        part = {"response_id": "r-long", "item_id": f"i-{second // 10}", "output_index": 0, "content_index": 0}
        for _ in range(10):
            call.event("response.output_audio.delta", **part, delta=MS_100)
        call.mailboxes.advance(1000)
    assert [name for name, _ in call.activities()] == ["hangup"]


def test_a_transfer_that_the_model_never_announces_is_announced_by_a_clip(mailboxes: WaitingDispatcher) -> None:
    call = transferred(mailboxes, TARGET)
    mailboxes.advance(6000)
    mailboxes.advance(1000)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer"]
    call.ends("transferred")
    assert call.outcome() == "transferred"


def says_goodbye_with_end_call(call: Call) -> None:
    """The bot says goodbye and calls end_call in one response, which has not ended yet."""
    call.caller_says("That is all, bye.")
    call.event("response.created", response={"id": "r-bye", "status": "in_progress"})
    part: dict[str, Any] = {"response_id": "r-bye", "item_id": "i-bye", "output_index": 0, "content_index": 0}
    for _ in range(8):
        call.event("response.output_audio.delta", **part, delta="A" * 6400)
    call.event("response.output_audio.done", **part)
    item = {"id": "fc", "type": "function_call", "status": "completed", "call_id": "call-1", "name": "end_call",
            "arguments": "{}"}  # fmt: skip
    call.event("response.output_item.done", response_id="r-bye", output_index=1, item=item)


def test_a_goodbye_in_the_response_that_called_for_the_end_is_enough(call: Call) -> None:
    says_goodbye_with_end_call(call)
    call.event("response.done", response={"id": "r-bye", "status": "completed"})
    call.mailboxes.until(lambda: "call-1" in call.outputs())
    call.model_calls()  # nothing more is said
    assert call.activities() == []
    call.mailboxes.advance(800)
    call.played()
    assert [name for name, _ in call.activities()] == ["hangup"]


def test_a_goodbye_is_enough_where_the_task_has_ended_before_the_response_that_said_it(call: Call) -> None:
    says_goodbye_with_end_call(call)
    call.mailboxes.until(lambda: any(task.result == "hangup" for task in call.describe().tasks))
    call.event("response.done", response={"id": "r-bye", "status": "completed"})
    assert "call-1" in call.outputs()
    call.model_calls()  # nothing more is said
    assert call.activities() == []
    call.mailboxes.advance(800)
    call.played()
    assert [name for name, _ in call.activities()] == ["hangup"]


def test_the_end_of_another_task_does_not_erase_the_farewell(call: Call) -> None:
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}), ("call-3", "end_call", {}))
    call.mailboxes.until(lambda: {"call-2", "call-3"} <= set(call.outputs()))
    call.bot_says("It is in the oven. Goodbye.", ms=500)
    call.mailboxes.advance(500)
    call.played()
    assert [name for name, _ in call.activities()] == ["hangup"]


def cut_off(call: Call, call_id: str, name: str) -> dict[str, Any]:
    """The caller speaks into a response that then calls a function. Returns the function's output."""
    call.event("response.created", response={"id": "r-x", "status": "in_progress"})
    call.caller_begins("u-x")
    item = {"id": "fc", "type": "function_call", "status": "completed", "call_id": call_id, "name": name,
            "arguments": "{}"}  # fmt: skip
    call.event("response.output_item.done", response_id="r-x", output_index=1, item=item)
    call.event("response.done", response={"id": "r-x", "status": "cancelled"})
    call.mailboxes.until(lambda: call_id in call.outputs())
    return call.outputs()[call_id]


def test_a_function_of_a_response_that_the_caller_cut_off_is_not_carried_out(call: Call) -> None:
    call.caller_says("That is all.")
    assert cut_off(call, "call-1", "end_call")["error"] == "cut_off"
    assert call.describe().tasks == ()
    call.mailboxes.advance(7000)
    assert call.activities() == []


def test_an_end_that_was_asked_for_before_the_caller_s_last_words_waits_for_what_they_are(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck, transfer_targets={"all": TARGET})
    call.caller_says("Stop, forget it!", item="u-stop")
    stuck.result = Failed("The oven is broken.")
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())
    assert call.outputs()["call-2"]["result"] == "transfer"
    call.bot_says("All right.", ms=500)
    mailboxes.advance(3000)
    assert call.activities() == []


def test_a_farewell_that_waits_for_a_task_which_hangs_is_a_clip_once_that_is_given_up(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.told(CallerSpeaks("u-bye", True, 0), CallerSpeaks("u-bye", False, 0), CallerSaid("u-bye", "Yes, and goodbye."))
    call.answered("call-3", "end_call")
    mailboxes.advance(9000)
    assert Clip.GOODBYE.value not in clips(call)
    mailboxes.advance(6000)
    assert clips(call)[-1] == Clip.GOODBYE.value


def test_thanks_while_the_task_that_transfers_is_at_work_are_judged_when_it_ends(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck, transfer_targets={"all": TARGET})
    call.caller_says("Okay, thanks.", item="u-thanks")
    stuck.result = Failed("The oven is broken.")
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())
    call.bot_says("The oven is broken. I will put you through.", ms=500)
    mailboxes.advance(500)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer"]


def test_thanks_during_the_announcement_do_not_call_a_transfer_off(mailboxes: WaitingDispatcher) -> None:
    call = transferred(mailboxes, TARGET)
    call.bot_says("I will put you through to a colleague.", ms=2000)
    mailboxes.advance(1000)
    call.caller_says("Okay, thanks.")
    assert call.activities() == []
    call.bot_says("You are welcome.", ms=500)
    mailboxes.advance(500)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer"]


def test_what_a_caller_says_into_a_farewell_is_judged_in_the_bot_s_language(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=replace(PROFILE, locale=Locale(reader=Dialect()), no_input_s=NO_WATCH_S)).greeted()
    ask_to_end(call)
    call.bot_says("Goodbye.", ms=2000)
    mailboxes.advance(500)
    call.caller_says("Tschüss!")
    call.bot_says("Have a nice day.", ms=500)
    mailboxes.advance(500)
    call.played()
    assert [name for name, _ in call.activities()] == ["hangup"]


def test_a_function_call_after_an_interrupted_farewell_calls_the_end_off(mailboxes: WaitingDispatcher) -> None:
    call = transferred(mailboxes, TARGET)
    call.bot_says("I will put you through to a colleague.", ms=2000)
    mailboxes.advance(1000)
    call.caller_says("Yes.")
    call.answered("call-3", "order_pizza")
    call.bot_says("Small or large?", ms=500)
    mailboxes.advance(3000)
    assert call.activities() == []


def test_a_hang_up_that_vaic_never_confirms_ends_the_call_by_itself(call: Call) -> None:
    say_goodbye(call)
    call.mailboxes.advance(5900)
    assert call.records() == []
    call.mailboxes.advance(100)
    assert call.outcome() == "completed"
    assert call.wire.closed == 1000


def test_a_vaic_that_never_says_that_it_has_played_all_is_given_a_second(call: Call) -> None:
    say_goodbye(call)
    call.mailboxes.advance(990)
    assert call.activities() == []
    call.mailboxes.advance(10)
    assert [name for name, _ in call.activities()] == ["hangup"]


def test_a_socket_that_is_lost_before_the_hangup_has_the_call_hung_up_on_the_next(call: Call) -> None:
    say_goodbye(call)
    call.wire.breaks()
    call.mailboxes.advance(500)
    assert call.records() == []
    wire = call.resumes()
    assert [frame["activities"][0]["name"] for frame in wire.all("activities")] == ["hangup"]
    wire.receives({"type": "session.end", "conversationId": "c-1", "reasonCode": "bot-disconnected"})
    call.mailboxes.drain()
    assert call.outcome() == "completed"


def test_a_caller_s_side_that_crashes_before_the_hangup_has_another_say_it(call: Call) -> None:
    say_goodbye(call)
    [vaic] = living(VaicSocket)
    vaic.tell("what no mailbox takes")
    call.mailboxes.advance(1000)
    assert [name for name, _ in call.activities()] == ["hangup"]


def test_a_vaic_that_closes_its_socket_after_our_hang_up_has_ended_the_call(call: Call) -> None:
    say_goodbye(call)
    call.played()
    call.wire.breaks(1000)
    call.mailboxes.drain()
    assert call.outcome() == "completed"


def test_a_farewell_to_a_caller_whose_socket_is_lost_ends_the_call_at_its_time(call: Call) -> None:
    ask_to_end(call)
    call.bot_says("Goodbye.", ms=2000)
    call.mailboxes.advance(500)
    call.wire.breaks()
    call.mailboxes.advance(18_000)
    assert call.records() == []
    call.mailboxes.advance(2000)
    assert call.outcome() == "completed"


def transferred(mailboxes: WaitingDispatcher, target: str, **more: Any) -> Call:
    """A call whose task has just handed over to a human."""
    call = Call(
        mailboxes,
        effects={"pizza.bake": Oven(Failed("The oven is broken."))},
        **{"transfer_targets": {"all": target} if target else {}, "no_input_s": NO_WATCH_S, **more},
    )
    call.greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    ended = call.answered("call-2", "order_pizza_confirm", yes=True)["result"]
    assert ended == ("transfer" if target else "not_transferred")
    return call


def test_a_task_that_hands_over_has_the_caller_transferred_after_the_last_sentence(
    mailboxes: WaitingDispatcher,
) -> None:
    call = transferred(mailboxes, TARGET)
    call.bot_says("The oven is broken. I will put you through.", ms=1000)
    call.mailboxes.advance(900)
    assert call.activities() == []
    call.mailboxes.advance(100)
    call.played()
    ((name, parameters),) = call.activities()
    assert (name, parameters["transferTarget"]) == ("transfer", TARGET)
    call.ends("transferred")
    assert call.outcome() == "transferred"


def test_without_a_transfer_target_the_call_goes_on(mailboxes: WaitingDispatcher) -> None:
    call = transferred(mailboxes, "")
    call.bot_says("The oven is broken.", ms=500)
    call.mailboxes.advance(60_000)
    assert call.activities() == []
    assert call.records() == []


# --- a transfer that nobody answers ---

FAILED = {"status": "failed", "reasonCode": "no-answer", "reason": "the caller's words"}
NOBODY = "I am sorry, nobody is free to take your call at the moment. Is there anything else I can do for you?"


def transfer_fails(call: Call) -> None:
    call.vaic("activities", activities=[{"type": "event", "name": "transferStatus", "value": FAILED}])


def asked_to_say(call: Call) -> list[str]:
    return [each["response"].get("instructions", "") for each in call.model.all("response.create")]


def put_through(mailboxes: WaitingDispatcher, **more: Any) -> Call:
    call = transferred(mailboxes, TARGET, **more)
    call.bot_says("The oven is broken. I will put you through.", ms=500)
    mailboxes.advance(500)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer"]
    return call


def test_a_failed_transfer_is_said_and_recorded_and_the_call_goes_on(
    mailboxes: WaitingDispatcher,
) -> None:
    call = put_through(mailboxes)
    mailboxes.advance(10_000)  # it rings
    transfer_fails(call)
    assert NOBODY in asked_to_say(call)[-1]
    assert call.describe().errors[-1] == "transfer failed: no-answer"
    call.bot_says(NOBODY, ms=500)
    mailboxes.advance(500)
    call.played()
    ask_to_end(call, "call-9")
    call.bot_says("Goodbye.", ms=500)
    mailboxes.advance(500)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer", "hangup"]
    call.ends("bot-disconnected")
    assert call.outcome() == "completed"


def test_a_caller_who_hears_nothing_after_a_failed_transfer_is_asked(mailboxes: WaitingDispatcher) -> None:
    call = put_through(mailboxes, no_input_s=8)
    mailboxes.advance(10_000)
    transfer_fails(call)
    call.bot_says(NOBODY, ms=500)
    mailboxes.advance(500)
    call.played()
    mailboxes.advance(8_000)
    assert '"Are you still there?"' in asked_to_say(call)[-1]


def test_a_call_that_became_too_long_while_it_rang_ends_when_nobody_answers(mailboxes: WaitingDispatcher) -> None:
    profile = replace(PROFILE, transfer_targets={"reception": TARGET}, max_call_s=10, no_input_s=NO_WATCH_S)
    call = put_through(mailboxes, profile=profile)
    mailboxes.advance(12_000)
    transfer_fails(call)
    mailboxes.advance(1000)
    mailboxes.advance(900)
    call.played()
    assert clips(call) == [Clip.GOODBYE.value]


@pytest.mark.parametrize(("in_words", "clip"), [(True, Clip.CALL_AGAIN), (False, Clip.GOODBYE)])
def test_an_end_that_was_asked_for_while_it_rang_comes_when_nobody_answers(
    mailboxes: WaitingDispatcher, in_words: bool, clip: Clip
) -> None:
    call = put_through(mailboxes)
    call.told(EndCall("drained", in_words=in_words))
    mailboxes.advance(10_000)
    transfer_fails(call)
    mailboxes.advance(900)
    call.played()
    assert clips(call) == [clip.value]
    assert [name for name, _ in call.activities()] == ["transfer", "hangup"]
    call.ends("bot-disconnected")
    assert call.outcome() == "drained"


def test_an_end_that_was_asked_for_while_it_rang_is_forgotten_when_somebody_answers(
    mailboxes: WaitingDispatcher,
) -> None:
    call = put_through(mailboxes)
    call.told(EndCall("drained", in_words=True))
    call.ends("transferred")
    assert call.outcome() == "transferred"


def test_a_caller_whose_transfer_fails_while_the_model_is_away_is_told_when_it_is_back(
    mailboxes: WaitingDispatcher,
) -> None:
    call = put_through(mailboxes)
    call.model.breaks()
    mailboxes.drain()
    transfer_fails(call)
    mailboxes.advance(1000)
    call.model_is_ready()
    assert NOBODY in asked_to_say(call)[-1]


def test_a_call_goes_on_past_the_limit_of_a_transfer_that_has_failed(mailboxes: WaitingDispatcher) -> None:
    call = put_through(mailboxes)
    mailboxes.advance(10_000)
    transfer_fails(call)
    call.bot_says(NOBODY, ms=500)
    mailboxes.advance(500)
    call.played()
    mailboxes.advance(60_000)
    assert (call.records(), call.is_gone()) == ([], False)


def test_a_transfer_that_fails_and_was_announced_by_a_clip_ends_in_words_because_no_model_is_left(
    mailboxes: WaitingDispatcher,
) -> None:
    call = transferred(mailboxes, TARGET)
    LOSSES["refused"](call)
    mailboxes.advance(1000)
    call.played()
    transfer_fails(call)
    mailboxes.advance(1000)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer", "hangup"]
    assert clips(call) == ["one_moment", "call_again"]
    call.ends("bot-disconnected")
    assert call.outcome() == "failed"


def test_a_transfer_that_fails_after_the_model_was_lost_for_good_ends_in_words(mailboxes: WaitingDispatcher) -> None:
    call = put_through(mailboxes)
    LOSSES["refused"](call)
    transfer_fails(call)
    mailboxes.advance(1000)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer", "hangup"]
    assert clips(call)[-1] == "call_again"
    call.ends("bot-disconnected")
    assert call.outcome() == "failed"


def test_who_waits_for_a_transfer_that_vaic_ignores_is_told_after_40_s_and_the_call_goes_on(
    mailboxes: WaitingDispatcher,
) -> None:
    call = put_through(mailboxes)
    mailboxes.advance(39_000)
    assert clips(call) == ["one_moment", "one_moment"]
    assert not [each for each in call.describe().errors if each.startswith("transfer")]
    mailboxes.advance(1000)
    assert NOBODY in asked_to_say(call)[-1]
    assert call.describe().errors[-1] == "transfer failed: unanswered"
    call.bot_says(NOBODY, ms=500)
    mailboxes.advance(500)
    call.played()
    call.ends("transferred")  # somebody has answered after all
    assert call.outcome() == "transferred"


def test_a_transfer_that_vaic_ignores_ends_in_words_if_no_model_is_left(mailboxes: WaitingDispatcher) -> None:
    call = transferred(mailboxes, TARGET)
    LOSSES["refused"](call)
    mailboxes.advance(1000)
    call.played()
    mailboxes.advance(40_000)
    mailboxes.advance(1000)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer", "hangup"]
    assert clips(call) == [*["one_moment"] * 3, "call_again"]


def test_a_transfer_that_is_answered_ends_the_call_at_the_latest_after_a_minute(mailboxes: WaitingDispatcher) -> None:
    call = put_through(mailboxes)
    call.vaic("activities", activities=[{"type": "event", "name": "transferStatus", "value": {"status": "answered"}}])
    mailboxes.advance(59_900)
    assert call.records() == []
    mailboxes.advance(100)
    assert call.outcome() == "transferred"


# --- what else may end the call meanwhile ---

LOSSES: dict[str, Callable[[Call], None]] = {
    "refused": lambda call: call.refused_for_good(),
    "drained": lambda call: call.told(EndCall("drained", in_words=True)),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("ms", [0, 400])
def test_a_transfer_is_announced_by_a_clip_where_the_model_is_lost_before_it_has_said_so(
    mailboxes: WaitingDispatcher, loss: str, ms: int
) -> None:
    call = transferred(mailboxes, TARGET)
    call.bot_says("The oven is broken. I will put you through.", ms=ms) if ms else None
    LOSSES[loss](call)
    mailboxes.advance(100)
    assert call.activities() == []
    mailboxes.advance(300 + 1000)
    call.played()
    ((name, parameters),) = call.activities()
    assert (name, parameters) == ("transfer", {"transferTarget": TARGET, "handoverReason": "handed over by a task"})
    assert clips(call) == ["one_moment"]
    call.ends("transferred")
    assert call.outcome() == "transferred"


@pytest.mark.parametrize("target", ["", TARGET])
def test_a_goodbye_stays_one_where_the_model_is_lost_before_it_was_heard(
    mailboxes: WaitingDispatcher, target: str
) -> None:
    call = Call(mailboxes, transfer_targets={"desk": target} if target else {}).greeted()
    ask_to_end(call)
    call.bot_says("Goodbye!", ms=400)
    call.refused_for_good()
    mailboxes.advance(100)
    assert call.activities() == []
    mailboxes.advance(300 + 1000)
    call.played()
    assert call.activities() == [("hangup", {"hangupReason": "conversation ended"})]
    assert clips(call) == ["goodbye"]
    call.ends("bot-disconnected")
    (record,) = call.records()
    assert record.outcome == "completed"


def test_a_sentence_of_ours_that_is_being_said_stays_the_same_where_the_model_is_lost_as_well() -> None:
    ours = PendingHangup(HangUp("drained"), "drained", Clip.CALL_AGAIN)
    assert ours.in_words_of_ours().clip is Clip.CALL_AGAIN


@pytest.mark.parametrize(
    ("reason", "own", "told"),
    [
        ("asked for a person", HANDED_OVER, "asked for a person"),
        ("asked for a person", "at night", "at night"),
        (NO_MODEL, HANDED_OVER, NO_MODEL),
        (NO_MODEL, "at night", NO_MODEL),
        (TOO_COSTLY, "at night", TOO_COSTLY),
    ],
)
def test_the_next_target_is_told_why(reason: str, own: str, told: str) -> None:
    first = PendingHangup(Transfer("tel:1", reason, next=Transfer("tel:2", own)), "transferred")
    second = first.to_next(revocable=True)
    assert second is not None
    assert second.act == Transfer("tel:2", told)
