"""The silence watchdog: whenever nobody has spoken for too long, the bot says something or ends the call."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from actors.call.silence import LIMITS_S, LINE, MOST_ATTEMPTS, TURN_LIMIT_S, Line, LineAction, LineEvent, SilenceWatch
from actors.clips import Clip
from actors.messages.call import BotBegan, BotHeard, CallerInaudible, CallerSaid, CallerSpeaks, ClipHeard
from actors.messages.journal import AppendRow, CallOpening, ResumeState
from actors.services import BotProfile
from fsm.locales import Locale
from protocols.errors import MisuseError
from protocols.ledger import ItemHeard
from tests.actors.calls import (
    NO_WATCH_S,
    PIZZA_SLOTS,
    PROFILE,
    Call,
    Dialect,
    FakeDialler,
    StuckOven,
    WaitingDispatcher,
    call_services,
    clips,
    with_a_hanging_task,
)
from tests.probe import Probe

L, E, A = Line, LineEvent, LineAction

# --- the rule ---


@pytest.mark.parametrize(("state", "event"), LINE.pairs)
def test_every_pair_of_the_line(state: Line, event: LineEvent) -> None:
    if (state, event) in LINE.never:
        with pytest.raises(MisuseError):
            LINE.step(state, event)
        return
    target, action = LINE.step(state, event)
    overdue = event in (E.LIMIT, E.LIMIT_LAST)
    assert (action is not A.NOTHING) == overdue
    # Whatever is done about a silence is itself watched, unless it is the end.
    assert (target is L.OFF) == (
        event is E.CLOSED or action is A.END_CALL or (state is L.OFF and event is not E.OPENED)
    )
    if event is E.LIMIT_LAST:
        assert action is (A.PLAY_CLIP if state is L.ASKED else A.END_CALL)
    speaks = state in (L.CALLER, L.BOTH)
    if event is E.LIMIT:
        assert (action is A.END_TURN) == speaks
    if not overdue and event is not E.CLOSED and event is not E.OPENED and state is not L.OFF:
        assert (target in (L.CALLER, L.BOTH)) == {E.CALLER_BEGAN: True, E.CALLER_STOPPED: False}.get(event, speaks)
        sounds = state in (L.BOT, L.BOTH)
        expected = {E.BOT_BEGAN: True, E.BOT_HEARD: False, E.BOT_CUT: False}.get(event, sounds)
        assert (target in (L.BOT, L.BOTH)) == expected


def test_a_limit_runs_wherever_the_caller_hears_nothing_or_is_not_answered() -> None:
    for line in Line:
        watch = SilenceWatch(8)
        watch.line = line
        assert (watch.limit_s() is None) == (line in (L.OFF, L.BOT)), line
    assert all(limit_s <= TURN_LIMIT_S for limit_s in LIMITS_S.values())


def heard(item: str, complete: bool = True) -> ItemHeard:
    return ItemHeard(item, 100, 100 if complete else 500, 0, complete)


def test_the_bot_is_heard_until_the_last_of_what_sounds_has_ended() -> None:
    watch = SilenceWatch(8)
    watch.happened(E.OPENED)
    lines = []
    for fact in (
        BotBegan("i-1"),
        BotBegan("i-2"),
        BotHeard(heard("i-1"), barged_in=False),
        BotHeard(heard("i-2"), barged_in=False),
        BotBegan("clip"),
        ClipHeard(Clip.ONE_MOMENT, heard("clip")),
    ):
        watch.note(fact)
        lines.append(watch.line)
    # A recorded sentence answers nothing.
    assert lines == [L.BOT, L.BOT, L.BOT, L.LISTENING, L.BOT, L.WAITING]


@pytest.mark.parametrize("events", [(E.CLOSED, E.OPENED), (E.OPENED,)])
def test_what_sounded_on_a_socket_that_is_gone_is_not_waited_for_on_the_next(events: tuple[LineEvent, ...]) -> None:
    watch = SilenceWatch(8)
    watch.happened(E.OPENED)
    watch.note(BotBegan("i-1"))
    for event in events:
        watch.happened(event)
    watch.note(BotBegan("i-2"))
    watch.note(BotHeard(heard("i-2"), barged_in=False))
    assert (watch.line, watch.limit_s()) == (L.LISTENING, 8)


def test_a_word_of_the_caller_resets_the_count_unless_we_ended_the_turn() -> None:
    watch = SilenceWatch(8)
    watch.happened(E.OPENED)
    for number in range(MOST_ATTEMPTS):
        watch.note(CallerSpeaks(f"u-{number}", began=True, at_ms=0))
        assert watch.overdue() is A.END_TURN
        watch.note(CallerSaid(f"u-{number}", "the news at nine"))
    watch.note(CallerSpeaks("u-9", began=True, at_ms=0))
    watch.note(CallerSpeaks("u-9", began=False, at_ms=0))
    watch.note(CallerSaid("u-9", "hello?"))
    for _ in range(MOST_ATTEMPTS):
        assert watch.overdue() is A.ASK
        watch.note(BotBegan("i-1"))
        watch.note(BotHeard(heard("i-1"), barged_in=False))
    assert watch.overdue() is A.END_CALL


def test_words_of_turns_that_we_ended_answer_no_prompt() -> None:
    watch = SilenceWatch(8)
    watch.happened(E.OPENED)
    for number in range(MOST_ATTEMPTS):
        watch.note(CallerSpeaks(f"u-{number}", began=True, at_ms=0))
        watch.overdue()
        watch.note(CallerSaid(f"u-{number}", "the news at nine"))
    watch.note(CallerSpeaks("u-9", began=True, at_ms=0))
    assert watch.overdue() is A.END_CALL


def test_a_turn_without_an_id_has_words_like_any_other() -> None:
    watch = SilenceWatch(8)
    watch.happened(E.OPENED)
    for _ in range(MOST_ATTEMPTS):
        assert watch.overdue() is A.ASK
        watch.note(BotBegan("i-1"))
        watch.note(BotHeard(heard("i-1"), barged_in=False))
    watch.note(CallerSaid("", "hello?"))
    assert watch.overdue() is A.ASK


# --- in a call ---


def spoken(call: Call) -> list[str]:
    """The last lines of what the model was asked to say."""
    every = [frame["response"] for frame in call.model.all("response.create")]
    return [each["instructions"].splitlines()[-1] for each in every if "instructions" in each]


@pytest.fixture
def call(mailboxes: WaitingDispatcher) -> Call:
    return Call(mailboxes).greeted()


STILL_THERE = '"Are you still there?"'


def test_a_caller_who_says_nothing_after_the_greeting_is_asked_three_times_and_then_told_goodbye(call: Call) -> None:
    for number in range(3):
        call.mailboxes.advance(7990 if number else 7490)  # the greeting was heard half a second ago
        assert len(spoken(call)) == number
        call.mailboxes.advance(10)
        assert spoken(call)[-1].endswith(STILL_THERE)
        call.bot_says("Are you still there?", ms=500)
        call.mailboxes.advance(500)
    call.mailboxes.advance(8000)
    call.mailboxes.advance(900)
    call.played()
    assert clips(call) == ["goodbye"]
    assert [name for name, _ in call.activities()] == ["hangup"]
    call.ends("bot-disconnected")
    assert call.outcome() == "silent"


def test_a_model_that_does_not_break_the_silence_is_replaced_by_a_clip(call: Call) -> None:
    call.mailboxes.advance(8000)
    call.model_calls()  # a response without anything in it
    call.mailboxes.advance(6000)
    call.mailboxes.advance(900)
    assert clips(call) == ["still_there"]


def test_silences_that_the_models_server_breaks_are_counted_and_end_the_call_too(call: Call) -> None:
    call.mailboxes.advance(500)
    for number in range(MOST_ATTEMPTS + 1):
        call.mailboxes.advance(6000)
        assert call.activities() == []
        call.event("input_audio_buffer.timeout_triggered", item_id=f"idle-{number}", audio_start_ms=0, audio_end_ms=1)
        call.event("input_audio_buffer.committed", item_id=f"idle-{number}")
        call.event("conversation.item.input_audio_transcription.completed", item_id=f"idle-{number}", content_index=0,
                   transcript="Thanks for watching.", usage={})  # fmt: skip
        if number < MOST_ATTEMPTS:
            call.bot_says("Are you still there?", ms=500)
            call.mailboxes.advance(500)
    call.mailboxes.advance(900)
    call.played()
    assert spoken(call) == []
    assert clips(call) == ["goodbye"]
    assert not [turn for turn in call.describe().turns if turn.role == "caller"], "nobody has said anything"
    call.ends("bot-disconnected")
    assert call.outcome() == "silent"


def test_a_word_of_the_caller_resets_the_count_of_silences(call: Call) -> None:
    for number in range(MOST_ATTEMPTS + 2):
        call.mailboxes.advance(8000)
        call.bot_says("Are you still there?", ms=100)
        call.mailboxes.advance(100)
        call.caller_says("Yes.")
        call.bot_says("Well?", ms=100)
        call.mailboxes.advance(100)
        assert len(spoken(call)) == number + 1
    assert call.activities() == []


def test_one_moment_let_me_check_without_a_call_is_followed_by_words(call: Call) -> None:
    call.caller_says("Is there anything tomorrow?")
    call.bot_says("One moment, let me check that.", ms=1000)
    call.mailboxes.advance(9000)
    assert spoken(call)[-1].endswith(STILL_THERE)


def booked(call: Call) -> str:
    """The order is stored. Returns what is owed to the caller about it."""
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    output = call.answered("call-2", "order_pizza_confirm", yes=True)
    assert output["result"] == "baked"
    return str(output["say"])


def test_a_model_that_says_nothing_of_what_was_stored_is_told_the_words(call: Call) -> None:
    owed = booked(call)
    for response in ("r-f1", "r-f2"):  # filtered, asked for again, and filtered again
        call.event("response.created", response={"id": response, "status": "in_progress"})
        why = {"type": "incomplete", "reason": "content_filter"}
        call.event("response.done", response={"id": response, "status": "incomplete", "status_details": why})
    call.mailboxes.advance(900)
    call.mailboxes.advance(8000)
    assert owed in spoken(call)[-1]


def appointment_booked(call: Call) -> str:
    """Returns what is to be told."""
    call.answered("call-1", "book_appointment", day="2026-11-26", at="10:00", name="John Smith")
    return str(call.answered("call-2", "book_appointment_confirm", yes=True)["say"])


def test_an_answer_that_does_not_tell_what_was_done_is_followed_by_our_words_after_two_seconds(call: Call) -> None:
    owed = appointment_booked(call)
    call.caller_says("Hello?")
    call.bot_says("I am still here.", ms=300)
    call.mailboxes.advance(300)
    call.mailboxes.advance(1900)
    assert spoken(call) == []
    call.mailboxes.advance(100)
    assert owed in spoken(call)[-1]
    call.bot_says(owed, ms=300)
    call.mailboxes.advance(300)
    call.mailboxes.advance(7900)
    assert len(spoken(call)) == 1
    call.mailboxes.advance(100)
    assert spoken(call)[-1].endswith(STILL_THERE)


NOTICE = "You are speaking with an automated assistant."


@pytest.fixture
def disclosing(mailboxes: WaitingDispatcher) -> Call:
    """A call whose bot has to say something of itself."""
    ours = call_services(mailboxes, Probe("journal"), FakeDialler())
    call = Call(mailboxes, profile=replace(ours.profile, greeting=f"{NOTICE} Hello.", disclosure=NOTICE))
    call.starts()
    call.model_is_ready()
    call.model.frames.clear()
    return call


def test_a_disclosure_that_was_heard_with_the_greeting_is_not_said_again(disclosing: Call) -> None:
    disclosing.bot_says(f"{NOTICE} Hello.", ms=1000)
    disclosing.mailboxes.advance(1000)
    disclosing.caller_says("Hello?")
    disclosing.bot_says("I am here.", ms=300)
    disclosing.mailboxes.advance(300)
    disclosing.mailboxes.advance(7900)
    assert spoken(disclosing) == []


@pytest.mark.parametrize("greeting", [f"{NOTICE} Hello.", "Hello there!"])
def test_a_disclosure_that_was_interrupted_or_left_out_is_said_until_it_was_heard(
    disclosing: Call, greeting: str
) -> None:
    disclosing.bot_says(greeting, ms=2000)
    disclosing.mailboxes.advance(500)
    for number in range(4):
        disclosing.caller_says("I have a question.")
        disclosing.bot_says("Yes?", ms=300)
        disclosing.mailboxes.advance(300)
        disclosing.mailboxes.advance(2000)
        assert NOTICE in spoken(disclosing)[-1]
        assert len(spoken(disclosing)) == number + 1
        disclosing.bot_says(NOTICE, ms=2000)
        disclosing.mailboxes.advance(2000 if number == 3 else 500)
    disclosing.caller_says("So.")
    disclosing.bot_says("Yes?", ms=300)
    disclosing.mailboxes.advance(300)
    disclosing.mailboxes.advance(7900)
    assert len(spoken(disclosing)) == 4


def test_an_answer_that_tells_what_was_done_is_followed_by_nothing(call: Call) -> None:
    appointment_booked(call)
    call.bot_says("Great, that is booked for you.", ms=300)
    call.mailboxes.advance(300)
    call.mailboxes.advance(7900)
    assert spoken(call) == []


def test_what_was_done_is_not_told_again_where_the_words_of_the_answer_come_late(call: Call) -> None:
    owed = appointment_booked(call)
    part: dict[str, object] = {"response_id": "r-x", "item_id": "i-x", "output_index": 0, "content_index": 0}
    call.event("response.created", response={"id": "r-x", "status": "in_progress"})
    for _ in range(3):
        call.event("response.output_audio.delta", **part, delta=b64encode(b"\x55" * 4800).decode())
    call.event("response.output_audio.done", **part)
    call.event("response.done", response={"id": "r-x", "status": "completed"})
    call.mailboxes.advance(1000)
    call.event("response.output_audio_transcript.done", **part, transcript=owed)
    call.mailboxes.advance(6000)
    assert spoken(call) == []


def test_a_model_that_answers_nothing_after_something_was_done_is_told_the_words_at_once(call: Call) -> None:
    owed = appointment_booked(call)
    call.model_calls()
    call.model_calls()
    assert owed in spoken(call)[-1]
    call.mailboxes.advance(900)
    assert clips(call) == ["one_moment"]


def test_an_answer_that_is_cut_by_its_length_after_something_was_stored_is_said_word_for_word(call: Call) -> None:
    owed = booked(call)
    call.bot_says("That is ba", ms=300, status="incomplete")
    call.mailboxes.advance(300)
    call.mailboxes.advance(8000)
    assert owed in spoken(call)[-1]
    call.bot_says(owed, ms=300)
    call.mailboxes.advance(300)
    call.mailboxes.advance(8000)
    assert spoken(call)[-1].endswith(STILL_THERE), "it was said"


def radio(call: Call, ms: int) -> None:
    """The caller's line has sound for so long, in quarters of a second."""
    for _ in range(ms // 250):
        call.vaic("userStream.chunk", audioChunk=b64encode(b"\x00\x20" * 100).decode())
        call.mailboxes.advance(250)


def test_speech_without_an_end_is_ended_and_the_caller_asked_and_in_the_end_hung_up_on_in_words(call: Call) -> None:
    call.vaic("userStream.start")
    for number in range(3):
        call.caller_begins(f"u-{number}")
        radio(call, 29_750)
        assert call.model.all("input_audio_buffer.commit") == []
        radio(call, 250)
        assert len(call.model.all("input_audio_buffer.commit")) == 1
        assert spoken(call)[-1].endswith('"Sorry, I could not understand you. What did you say?"')
        call.event("input_audio_buffer.committed", item_id=f"u-{number}", previous_item_id=None)
        call.model.frames.clear()
        call.bot_says("Sorry?", ms=100)
        call.mailboxes.advance(50)
    call.caller_begins("u-9")
    radio(call, 30_000)
    call.mailboxes.advance(900)
    call.played()
    assert clips(call) == ["goodbye"]
    call.ends("bot-disconnected")
    call.mailboxes.advance(2000)  # the transcript of the last turn is waited for
    assert call.outcome() == "silent"


def test_a_model_that_hangs_up_in_place_of_asking_a_silent_caller_is_not_obeyed(call: Call) -> None:
    call.caller_says("I'd like a pizza.")
    call.bot_says("Small or large?", ms=300)
    call.mailboxes.advance(300)
    call.mailboxes.advance(8000)
    call.model_calls(("call-1", "end_call", {}))
    assert call.outputs()["call-1"]["error"] == "not_asked_for"
    call.caller_says("No thanks, bye.")
    call.model_calls(("call-2", "end_call", {}))
    call.mailboxes.until(lambda: "call-2" in call.outputs())
    assert call.outputs()["call-2"]["result"] == "hangup"


def test_a_turn_without_a_sound_is_ended_after_seconds_and_the_caller_asked(call: Call) -> None:
    call.caller_begins("u-1")
    call.mailboxes.advance(7400)
    assert call.model.all("input_audio_buffer.commit") == []
    call.mailboxes.advance(100)
    assert len(call.model.all("input_audio_buffer.commit")) == 1
    assert spoken(call)[-1].endswith('"Sorry, I could not understand you. What did you say?"')


def test_a_turn_without_a_sound_in_a_farewell_is_followed_by_another_one(call: Call) -> None:
    call.answered("call-1", "end_call")
    call.caller_begins("u-1")
    call.mailboxes.advance(7500)
    call.mailboxes.advance(1000)
    call.played()
    assert clips(call) == ["goodbye"]
    assert [name for name, _ in call.activities()] == ["hangup"]


def test_a_turn_that_ended_before_its_silence_is_reported_is_not_ended_again(call: Call) -> None:
    call.told(CallerInaudible())
    assert call.model.frames == []


def test_a_turn_that_stopped_and_was_never_committed_does_not_keep_the_bot_from_speaking(call: Call) -> None:
    call.caller_begins("u-1")
    call.event("input_audio_buffer.speech_stopped", item_id="u-1", audio_end_ms=900)
    call.mailboxes.advance(8000)
    assert spoken(call)[-1].endswith(STILL_THERE)


def test_a_response_that_fails_in_mid_sentence_does_not_leave_the_bot_speaking_for_ever(call: Call) -> None:
    part: dict[str, Any] = {"response_id": "r-x", "item_id": "i-x", "output_index": 0, "content_index": 0}
    call.event("response.created", response={"id": "r-x", "status": "in_progress"})
    call.event("response.output_audio.delta", **part, delta="A" * 6400)
    call.event("response.done", response={"id": "r-x", "status": "failed", "status_details": {"type": "failed"}})
    assert call.wire.types()[-1] == "playStream.stop"
    call.mailboxes.advance(100)
    call.mailboxes.advance(8000)
    assert spoken(call)[-1].endswith(STILL_THERE)


@pytest.mark.parametrize("words", ["", "From nine to five."])
def test_silence_that_the_model_sends_as_speech_is_silence_where_it_has_no_words(call: Call, words: str) -> None:
    call.caller_says("When are you open?")
    call.bot_says(words, ms=7000)
    call.mailboxes.advance(8000)
    assert len(spoken(call)) == (not words)
    call.mailboxes.advance(7000)
    assert spoken(call)[-1].endswith(STILL_THERE)


def stalls(call: Call) -> None:
    """A response that speaks for 300 ms, and then nothing more of it comes."""
    part: dict[str, Any] = {"response_id": "r-x", "item_id": "i-x", "output_index": 0, "content_index": 0}
    call.event("response.created", response={"id": "r-x", "status": "in_progress"})
    for _ in range(3):
        call.event("response.output_audio.delta", **part, delta="A" * 6400)


def test_a_response_that_stalls_in_mid_sentence_is_cancelled_and_asked_for_again(call: Call) -> None:
    call.caller_says("When are you open?")
    stalls(call)
    call.mailboxes.advance(4900)
    assert call.model.all("response.cancel") == []
    call.mailboxes.advance(100)
    call.mailboxes.advance(100)
    assert call.model.last("response.cancel")["response_id"] == "r-x"
    call.event("response.done", response={"id": "r-x", "status": "cancelled"})
    assert len(call.model.all("response.create")) == 1
    call.bot_says("From nine to five.", ms=300)
    call.mailboxes.advance(300)
    assert [(turn.text, turn.heard_ms) for turn in call.describe().turns[-2:]] == [
        ("", 300),
        ("From nine to five.", 300),
    ]


def test_a_session_that_is_lost_in_mid_sentence_does_not_leave_the_bot_speaking_for_ever(call: Call) -> None:
    call.caller_says("When are you open?")
    stalls(call)
    call.model.breaks()
    call.mailboxes.advance(1000)
    assert call.wire.types()[-1] == "playStream.stop"
    call.model_is_ready()
    call.bot_says("From nine to five.", ms=300)
    call.mailboxes.advance(300)
    call.mailboxes.advance(8000)
    assert spoken(call)[-1].endswith(STILL_THERE)


def test_a_stalled_response_that_does_not_end_is_the_end_of_its_session_and_the_next_one_speaks(call: Call) -> None:
    call.caller_says("When are you open?")
    stalls(call)
    for _ in range(12):
        call.mailboxes.advance(1000)
    assert len(call.dialler.wires) == 2
    call.model_is_ready()
    assert len(call.model.all("response.create")) == 1


def test_a_caller_who_is_back_on_another_socket_is_not_left_in_silence(call: Call) -> None:
    call.bot_says("One two three four five six.", ms=3000)
    call.mailboxes.advance(1000)
    call.resumes()  # the old socket is half open: its loss is never told
    call.mailboxes.advance(8000)
    assert len(spoken(call)) == 1


def test_the_caller_is_not_asked_while_he_has_no_socket(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.advance(50_000)
    assert spoken(call) == []


def test_a_caller_who_is_back_after_a_loss_is_asked_in_the_next_silence(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.advance(1000)
    call.wire = call.resumes()
    call.bot_says("Where were we?", ms=500)
    call.mailboxes.advance(8000)
    assert spoken(call) == []
    call.mailboxes.advance(500)
    assert spoken(call)[-1].endswith(STILL_THERE)


def test_a_task_that_is_busy_is_bridged_by_a_clip_and_not_spoken_into(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.model.frames.clear()
    mailboxes.advance(9900)
    assert spoken(call) == []
    assert clips(call) == [Clip.ONE_MOMENT.value] * 2, "while the model is waited for, and after a silence"
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())


def ten_minutes(mailboxes: WaitingDispatcher) -> BotProfile:
    """The profile of calls that may last no longer."""
    ours = call_services(mailboxes, Probe("journal"), FakeDialler())
    return replace(ours.profile, max_call_s=600, no_input_s=NO_WATCH_S)


def test_a_call_taken_over_may_last_no_longer_than_it_might_have(mailboxes: WaitingDispatcher) -> None:
    profile = ten_minutes(mailboxes)
    first = Call(mailboxes, profile=profile).greeted()
    mailboxes.advance(499_000)
    rows = tuple(told.entry for told in first.journal.all(AppendRow))
    call = Call(mailboxes, profile=profile, resume_state=ResumeState(CallOpening(), rows))
    call.model_is_ready()
    call.bot_says("Sorry, the line was interrupted.")
    mailboxes.advance(100_800)
    assert clips(call) == []
    mailboxes.advance(200)
    assert clips(call) == ["goodbye"]


def test_a_call_that_lasts_too_long_ends_in_words(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=ten_minutes(mailboxes)).greeted()
    mailboxes.advance(598_900)
    assert clips(call) == []
    mailboxes.advance(200)
    mailboxes.advance(900)
    call.played()
    assert clips(call) == ["goodbye"]
    assert [name for name, _ in call.activities()] == ["hangup"]
    call.ends("bot-disconnected")
    assert call.outcome() == "too-long"


def said_goodbye(call: Call) -> None:
    """Nobody has answered three times, and the recorded goodbye plays."""
    for _ in range(MOST_ATTEMPTS):
        call.mailboxes.advance(8000)
        call.bot_says("Are you still there?", ms=500)
        call.mailboxes.advance(500)
    call.mailboxes.advance(8000)
    call.mailboxes.advance(200)


def test_what_the_caller_says_into_the_goodbye_calls_the_hangup_off(call: Call) -> None:
    said_goodbye(call)
    call.caller_says("Wait! I want a pizza.")
    call.mailboxes.advance(900)
    call.played()
    call.model_calls(("call-1", "order_pizza", {"size": "small"}))
    call.mailboxes.until(lambda: "call-1" in call.outputs())
    assert call.activities() == []
    call.bot_says("How many?", ms=300)
    call.mailboxes.advance(300)
    asked = len(spoken(call))
    call.mailboxes.advance(8000)
    # The silence is watched again, and the task's own thread asks.
    call.mailboxes.until(lambda: len(spoken(call)) > asked)
    assert spoken(call)[-1].endswith('"Are you still there? How many?"')


def test_words_into_the_goodbye_that_come_after_it_call_the_hangup_off(call: Call) -> None:
    said_goodbye(call)
    call.caller_begins("u-9")
    call.mailboxes.advance(900)
    call.played()
    assert call.activities() == []
    call.caller_says("I want a pizza.", "u-9")
    call.mailboxes.advance(7000)
    assert call.activities() == []


@pytest.mark.parametrize("words", ["Okay, bye.", ""])
def test_a_goodbye_or_a_cough_into_the_goodbye_lets_the_call_end(call: Call, words: str) -> None:
    said_goodbye(call)
    call.caller_says(words)
    call.mailboxes.advance(900)
    call.played()
    assert [name for name, _ in call.activities()] == ["hangup"]


@pytest.mark.parametrize(("words", "ends"), [("Tschüss!", True), ("Okay, bye.", False)])
def test_words_into_the_goodbye_are_judged_in_the_bot_s_language(
    mailboxes: WaitingDispatcher, words: str, ends: bool
) -> None:
    call = Call(mailboxes, profile=replace(PROFILE, locale=Locale(reader=Dialect()), no_input_s=8)).greeted()
    said_goodbye(call)
    call.caller_says(words)
    mailboxes.advance(900)
    call.played()
    assert bool(call.activities()) is ends


def test_a_caller_in_the_middle_of_a_sentence_may_end_it_past_the_longest_call(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=ten_minutes(mailboxes)).greeted()
    mailboxes.advance(595_000)
    call.vaic("userStream.start")
    call.caller_begins("u-1")
    radio(call, 10_000)
    assert clips(call) == []
    call.caller_says("That was long.", "u-1")
    mailboxes.advance(1000)
    mailboxes.advance(900)
    call.played()
    assert clips(call) == ["goodbye"]


def test_a_caller_who_never_ends_is_cut_off_past_the_longest_call(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=ten_minutes(mailboxes)).greeted()
    mailboxes.advance(590_000)
    call.vaic("userStream.start")
    call.caller_begins("u-1")
    radio(call, 25_000)
    call.caller_begins("u-2")
    radio(call, 14_000)
    assert clips(call) == []
    radio(call, 2500)
    call.played()
    assert clips(call) == ["goodbye"]


def test_a_result_is_told_before_a_call_ends_that_lasts_too_long(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    ours = call_services(mailboxes, Probe("journal"), FakeDialler())
    call = with_a_hanging_task(mailboxes, stuck, profile=replace(ours.profile, max_call_s=4, no_input_s=NO_WATCH_S))
    mailboxes.advance(4000)
    mailboxes.advance(2000)
    assert Clip.GOODBYE.value not in clips(call)
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())
    call.bot_says("Your pizza is in the oven.", ms=500)
    mailboxes.advance(2000)
    mailboxes.advance(900)
    call.played()
    assert clips(call)[-1] == Clip.GOODBYE.value
