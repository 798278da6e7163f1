"""The call's transcript: turns joined by item, texts as heard, and the conversation for a new session."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors.call.transcript import Transcript, _together
from actors.messages.journal_rows import (
    BotHeardRow,
    BotSaidRow,
    CallerBeganRow,
    CallerSaidRow,
    CallerSpokeRow,
    ClipRow,
    JournalEntry,
    Row,
)
from protocols.ledger import ItemHeard
from protocols.limits import HISTORY_CHARS
from protocols.realtime.objects import NewItem
from store.journal import TaskRecord
from tests.actors.calls import BEGAN, TEN_WORDS


@pytest.fixture
def transcript() -> Transcript:
    return Transcript("c-1", "practice", "+4930123", "raw/lpcm16_24", BEGAN, began_ms=5000)


def heard(item: str, began_ms: int | None, heard_ms: int, generated_ms: int | None = None) -> ItemHeard:
    """generated_ms: only of an item that was cut."""
    return ItemHeard(item, heard_ms, generated_ms or heard_ms, began_ms, complete=generated_ms is None)


def caller_turn(transcript: Transcript, item: str, began_ms: float, ended_ms: float, text: str) -> None:
    transcript.caller_speaks(item, began=True, at_ms=began_ms)
    transcript.caller_speaks(item, began=False, at_ms=ended_ms)
    transcript.caller_said(item, text)


def texts(transcript: Transcript) -> list[str]:
    return [turn.text for turn in transcript.record("completed", BEGAN).turns]


def told(items: tuple[NewItem, ...]) -> list[tuple[str, str]]:
    """A conversation's items: who or what, and the words or the call id."""
    wire = [item.model_dump(mode="json") for item in items]
    return [
        (item["role"], item["content"][0]["text"]) if item["type"] == "message" else (item["type"], item["call_id"])
        for item in wire
    ]


def test_a_record_describes_the_call_as_admitted_and_ended(transcript: Transcript) -> None:
    record = transcript.record("completed", BEGAN + timedelta(seconds=42))
    assert (record.conversation_id, record.bot, record.caller) == ("c-1", "practice", "+4930123")
    assert (record.media_format, record.outcome) == ("raw/lpcm16_24", "completed")
    assert (record.started_at, record.ended_at) == (BEGAN, BEGAN + timedelta(seconds=42))
    assert (record.turns, record.tasks, record.barge_ins, record.errors, record.usage) == ((), (), 0, (), {})


def test_a_row_of_speech_may_tell_when_it_began_and_need_not(transcript: Transcript) -> None:
    rows: tuple[Row, ...] = (
        CallerSpokeRow(item="u-1", began_ms=100, ended_ms=900),
        CallerBeganRow(item="u-2", began_ms=2000),
        CallerSpokeRow(item="u-2", began_ms=None, ended_ms=2500),
    )
    for seq, row in enumerate(rows, 1):
        transcript.enter(JournalEntry("c-1", seq, BEGAN, row))
    for item in ("u-1", "u-2"):
        transcript.caller_said(item, "Hello?")
    turns = transcript.record("open", BEGAN).turns
    assert [(turn.began_ms, turn.ended_ms) for turn in turns] == [(100, 900), (2000, 2500)]


def test_how_soon_the_bot_yielded_stands_at_the_turn_of_the_caller_who_cut_it(transcript: Transcript) -> None:
    rows: tuple[Row, ...] = (
        BotSaidRow(item="i-0", text="I can offer"),
        CallerBeganRow(item="u-1", began_ms=1150, onset_ms=1000),
        BotHeardRow(item="i-0", began_ms=200, heard_ms=980, generated_ms=4000, complete=False, barged_in=True),
        CallerSpokeRow(item="u-1", ended_ms=2500),
        CallerSaidRow(item="u-1", text="Stop."),
    )
    for seq, row in enumerate(rows, 1):
        transcript.enter(JournalEntry("c-1", seq, BEGAN, row))
    turns = transcript.record("open", BEGAN).turns
    assert [(turn.role, turn.yield_ms) for turn in turns] == [("bot", None), ("caller", 180)]


def test_facts_about_an_item_in_any_order_make_one_turn(transcript: Transcript) -> None:
    transcript.caller_said("u-1", "Hello?")  # its words were recognised before its end was told
    transcript.caller_speaks("u-1", began=True, at_ms=5100)
    transcript.bot_heard(heard("i-1", 6000, 700), barged_in=False)
    transcript.bot_said("i-1", "Good day.")
    transcript.caller_speaks("u-1", began=False, at_ms=5900)
    caller, bot = transcript.record("open", BEGAN).turns
    assert (caller.role, caller.item_id, caller.text) == ("caller", "u-1", "Hello?")
    assert (caller.began_ms, caller.ended_ms, caller.heard_ms) == (100, 900, 800)
    assert (bot.role, bot.item_id, bot.text) == ("bot", "i-1", "Good day.")
    assert (bot.began_ms, bot.ended_ms, bot.heard_ms) == (1000, 1700, 700)


def test_turns_stand_in_the_order_in_which_they_began_to_sound(transcript: Transcript) -> None:
    caller_turn(transcript, "u-1", 8000, 9000, "second")
    transcript.bot_said("i-1", "first")
    transcript.bot_heard(heard("i-1", 6000, 1500), barged_in=False)
    assert texts(transcript) == ["first", "second"]


def test_a_turn_that_was_never_heard_stands_where_it_came_up(transcript: Transcript) -> None:
    transcript.bot_said("i-1", "first")
    transcript.bot_heard(heard("i-1", 5000 + 1, 500), barged_in=False)
    caller_turn(transcript, "u-1", 6000, 7000, "second")
    transcript.bot_said("i-2", "third")
    transcript.bot_heard(ItemHeard("i-2", 0, 500, None, complete=False), barged_in=True)
    caller_turn(transcript, "u-2", 7500, 8000, "fourth")
    transcript.bot_said("i-3", "fifth")
    turns = transcript.record("open", BEGAN).turns
    assert [turn.item_id for turn in turns] == ["i-1", "u-1", "i-2", "u-2", "i-3"]
    assert [turn.heard_ms for turn in turns] == [500, 1000, 0, 500, 0]


@pytest.mark.parametrize(
    ("heard_ms", "text"), [(0, ""), (10, ""), (300, "one two three"), (950, TEN_WORDS), (1000, TEN_WORDS)]
)
def test_an_interrupted_sentence_keeps_the_words_that_were_heard(
    transcript: Transcript, heard_ms: int, text: str
) -> None:
    transcript.bot_said("i-1", TEN_WORDS)
    transcript.bot_heard(heard("i-1", 6000, heard_ms, generated_ms=1000), barged_in=True)
    (turn,) = transcript.record("open", BEGAN).turns
    assert turn.text == text
    assert turn.heard_ms == heard_ms
    assert told(transcript.history()) == ([("assistant", text)] if text else [])


def test_what_was_heard_to_its_end_is_kept_whole(transcript: Transcript) -> None:
    transcript.bot_said("i-1", TEN_WORDS)
    transcript.bot_heard(heard("i-1", 6000, 1000), barged_in=False)
    assert texts(transcript) == [TEN_WORDS]


def test_a_sentence_was_heard_to_its_end_once_all_of_it_was(transcript: Transcript) -> None:
    transcript.bot_said("i-1", TEN_WORDS)
    known = [transcript.heard_to_end("i-1")]
    transcript.bot_heard(heard("i-2", 5000, 100, generated_ms=900), barged_in=False)
    transcript.bot_heard(heard("i-1", 6000, 900), barged_in=False)
    known += [transcript.heard_to_end(item) for item in ("i-1", "i-2", "i-3")]
    assert known == [False, True, False, False]


def test_barge_ins_are_counted_if_the_caller_heard_the_interrupted_item(transcript: Transcript) -> None:
    transcript.bot_heard(heard("i-1", 6000, 300, generated_ms=1000), barged_in=True)
    transcript.bot_heard(
        ItemHeard("i-2", 0, 500, None, complete=False), barged_in=True
    )  # queued behind it, never heard
    transcript.bot_heard(heard("i-3", 8000, 300, generated_ms=1000), barged_in=False)  # the socket went
    transcript.bot_heard(heard("i-4", 9000, 300), barged_in=True)  # it had just ended
    assert transcript.record("open", BEGAN).barge_ins == 1


def test_tasks_are_told_by_their_newest_state_and_tokens_are_added_up(transcript: Transcript) -> None:
    transcript.task(TaskRecord(agent="book_appointment", run_id="t1", states=("CollectDate",), result="open"))
    transcript.task(TaskRecord(agent="order_pizza", run_id="t2", states=("What",), result="open"))
    transcript.task(
        TaskRecord(agent="book_appointment", run_id="t1", states=("CollectDate", "Cancelled"), result="cancelled")
    )
    transcript.spent({"input_tokens": 5, "output_tokens": 1})
    transcript.spent({"input_tokens": 7})
    transcript.errors.append("model: TransportLost")
    record = transcript.record("open", BEGAN)
    assert record.tasks == (
        TaskRecord(agent="book_appointment", run_id="t1", states=("CollectDate", "Cancelled"), result="cancelled"),
        TaskRecord(agent="order_pizza", run_id="t2", states=("What",), result="open"),
    )
    assert record.usage == {"input_tokens": 12, "output_tokens": 1}
    assert record.errors == ("model: TransportLost",)


def test_history_holds_what_was_said_and_heard_with_calls_and_outputs_in_order(
    transcript: Transcript,
) -> None:
    transcript.bot_said("i-1", "Hello.")
    transcript.bot_heard(heard("i-1", 5500, 400), barged_in=False)
    caller_turn(transcript, "u-1", 6000, 7000, "Tomorrow.")
    transcript.called("call-1", "book_appointment", '{"day":"2026-11-24"}')
    transcript.answered("call-1", '{"say":"At what time?"}')
    transcript.bot_said("i-2", TEN_WORDS)
    transcript.bot_heard(heard("i-2", 8000, 200, generated_ms=1000), barged_in=True)
    caller_turn(transcript, "u-2", 8200, 9000, "At ten.")
    history = transcript.history()
    assert told(history) == [
        ("assistant", "Hello."),
        ("user", "Tomorrow."),
        ("function_call", "call-1"),
        ("function_call_output", "call-1"),
        ("assistant", "one two"),
        ("user", "At ten."),
    ]
    call, output = (item.model_dump() for item in history[2:4])
    assert (call["name"], call["arguments"]) == ("book_appointment", '{"day":"2026-11-24"}')
    assert output["output"] == '{"say":"At what time?"}'


def test_history_has_a_sentence_that_was_cut_before_the_words_that_cut_it(transcript: Transcript) -> None:
    # The words of an item come with its end: of one that is cut while it is generated the caller's turn is told first.
    transcript.caller_speaks("u-1", began=True, at_ms=6300)
    transcript.bot_heard(heard("i-1", 6000, 300, generated_ms=300), barged_in=True)
    transcript.bot_said("i-1", "We are open")
    transcript.caller_said("u-1", "Stop.")
    assert told(transcript.history()) == [("assistant", "We are open"), ("user", "Stop.")]


def test_what_was_not_recognised_heard_or_answered_is_no_part_of_history(transcript: Transcript) -> None:
    transcript.caller_speaks("u-1", began=True, at_ms=6000)
    transcript.bot_said("i-1", "Nobody heard this.")
    transcript.bot_heard(ItemHeard("i-1", 0, 500, None, complete=False), barged_in=True)
    transcript.called("call-1", "end_call", "{}")
    assert transcript.history() == ()


def test_calls_are_open_until_they_are_answered_and_have_ids_that_a_session_takes(transcript: Transcript) -> None:
    long_id = "call_" + "x" * 40
    transcript.called(long_id, "end_call", "{}")
    transcript.called("call-2", "order_pizza", "{}")
    transcript.answered("call-2", "{}")
    transcript.answered("call-9", "{}")
    ((key, call),) = transcript.open_calls().items()
    assert key == long_id
    assert call.model_dump(include={"name", "call_id"}) == {"name": "end_call", "call_id": long_id[:32]}
    transcript.answered(long_id, '{"done":1}')
    assert transcript.open_calls() == {}
    outputs = [item.model_dump() for item in transcript.history() if item.type == "function_call_output"]
    assert [output["call_id"] for output in outputs] == [long_id[:32], "call-2"]


def test_an_answer_is_due_while_the_bots_last_words_were_not_heard_to_their_end(transcript: Transcript) -> None:
    assert not transcript.answer_due(), "nobody has said anything"
    transcript.bot_said("i-1", "Hello.")
    transcript.bot_heard(heard("i-1", 5500, 400), barged_in=False)
    assert not transcript.answer_due()
    transcript.caller_speaks("u-1", began=True, at_ms=6000)
    assert not transcript.answer_due(), "the caller still speaks"
    transcript.caller_said("u-1", "Tomorrow.")
    assert transcript.answer_due()
    transcript.called("call-1", "book_appointment", "{}")
    assert not transcript.answer_due(), "the output will ask for words"
    transcript.answered("call-1", "{}")
    assert transcript.answer_due()
    transcript.bot_heard(heard("i-2", 7000, 100, generated_ms=900), barged_in=False)
    assert transcript.answer_due(), "a lost socket cut it"


def test_pressed_keys_have_no_transcript_to_wait_for(transcript: Transcript) -> None:
    transcript.caller_speaks("u-1", began=True, at_ms=6000)
    assert transcript.last_words_due()
    transcript.caller_typed("The caller pressed these keys: 1.", 7000)
    assert not transcript.last_words_due()


def test_the_output_of_a_call_is_unsaid_until_it_was_heard_or_interrupted(transcript: Transcript) -> None:
    assert transcript.unsaid() is None
    caller_turn(transcript, "u-1", 6000, 7000, "Yes.")
    transcript.called("call-1", "book_appointment_confirm", '{"yes":true}')
    transcript.answered("call-1", '{"say":"It is booked."}')
    assert transcript.unsaid() == '{"say":"It is booked."}'
    transcript.bot_heard(heard("i-1", 7500, 300, generated_ms=900), barged_in=False)
    assert transcript.unsaid() == '{"say":"It is booked."}'
    transcript.bot_heard(heard("i-2", 9000, 900), barged_in=False)
    assert transcript.unsaid() is None
    transcript.answered("call-1", '{"say":"It is booked."}')
    caller_turn(transcript, "u-2", 10_000, 11_000, "Thanks.")
    assert transcript.unsaid() is None


@pytest.mark.parametrize(
    ("first", "then", "complete"),
    [
        (ItemHeard("i-1", 500, 500, 100, complete=False), ItemHeard("i-1", 400, 400, 900, complete=True), True),
        (ItemHeard("i-1", 499, 500, 100, complete=False), ItemHeard("i-1", 400, 400, 900, complete=True), False),
        (ItemHeard("i-1", 500, 500, None, complete=False), ItemHeard("i-1", 300, 400, 900, complete=False), False),
    ],
)
def test_an_item_played_on_two_sockets_was_heard_to_its_end_if_both_parts_were(
    first: ItemHeard, then: ItemHeard, complete: bool
) -> None:
    whole = _together(first, then)
    assert (whole.heard_ms, whole.generated_ms) == (first.heard_ms + then.heard_ms, 900)
    assert whole.complete is complete
    assert whole.began_ms == (100 if first.began_ms is not None else 900)


def test_a_caller_who_began_to_speak_when_the_journal_ends_did_so_on_this_process_clock(transcript: Transcript) -> None:
    transcript.enter(JournalEntry("c-1", 1, BEGAN, CallerBeganRow(item="u-1", began_ms=1500)))
    assert transcript.speech_began_ms("u-1") == 6500


def test_a_clip_of_the_first_release_began_as_long_before_its_row_as_it_was_heard(transcript: Transcript) -> None:
    row = ClipRow(clip="one_moment", text="One moment.", heard_ms=900, generated_ms=900, complete=True)
    transcript.enter(JournalEntry("c-1", 1, BEGAN + timedelta(seconds=5), row))
    (turn,) = transcript.record("completed", BEGAN).turns
    assert (turn.text, turn.began_ms) == ("One moment.", 4100)


def test_a_new_session_is_told_the_newest_part_of_a_long_conversation(transcript: Transcript) -> None:
    for number in range(6):
        caller_turn(transcript, f"u-{number}", 6000 + number, 6000 + number, str(number) * (HISTORY_CHARS // 5))
    history = told(transcript.history())
    assert [text[0] for _, text in history] == ["2", "3", "4", "5"]
    caller_turn(transcript, "u-9", 9000, 9000, "9" * 2 * HISTORY_CHARS)
    assert [text[0] for _, text in told(transcript.history())] == ["9"], "the last turn in any case"
