"""The call's book: turns joined by their items, texts as heard, and the conversation for a fresh session."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors.call_book import CallBook
from protocols.ledger import ItemHeard
from protocols.realtime.objects import NewItem
from store.journal import TaskRecord
from tests.actors.calls import BEGAN, TEN_WORDS


@pytest.fixture
def book() -> CallBook:
    return CallBook("c-1", "practice", "+4930123", "raw/lpcm16_24", BEGAN, began_ms=5000)


def heard(item: str, began_ms: int | None, heard_ms: int, generated_ms: int | None = None) -> ItemHeard:
    """generated_ms: only of an item that was cut."""
    return ItemHeard(item, heard_ms, generated_ms or heard_ms, began_ms, complete=generated_ms is None)


def caller_turn(book: CallBook, item: str, began_ms: float, ended_ms: float, text: str) -> None:
    book.caller_speaks(item, began=True, at_ms=began_ms)
    book.caller_speaks(item, began=False, at_ms=ended_ms)
    book.caller_said(item, text)


def texts(book: CallBook) -> list[str]:
    return [turn.text for turn in book.record("completed", BEGAN).turns]


def told(items: tuple[NewItem, ...]) -> list[tuple[str, str]]:
    """A conversation's items: who or what, and the words or the call id."""
    wire = [item.model_dump(mode="json") for item in items]
    return [
        (item["role"], item["content"][0]["text"]) if item["type"] == "message" else (item["type"], item["call_id"])
        for item in wire
    ]


def test_a_record_bears_the_call_as_it_was_admitted_and_ended(book: CallBook) -> None:
    record = book.record("completed", BEGAN + timedelta(seconds=42))
    assert (record.conversation_id, record.bot, record.caller) == ("c-1", "practice", "+4930123")
    assert (record.media_format, record.outcome) == ("raw/lpcm16_24", "completed")
    assert (record.started_at, record.ended_at) == (BEGAN, BEGAN + timedelta(seconds=42))
    assert (record.turns, record.tasks, record.barge_ins, record.errors, record.usage) == ((), (), 0, (), {})


def test_what_is_told_of_an_item_in_any_order_is_one_turn(book: CallBook) -> None:
    book.caller_said("u-1", "Hello?")  # its words were recognised before its end was told
    book.caller_speaks("u-1", began=True, at_ms=5100)
    book.bot_heard(heard("i-1", 6000, 700), barged_in=False)
    book.bot_said("i-1", "Good day.")
    book.caller_speaks("u-1", began=False, at_ms=5900)
    caller, bot = book.record("open", BEGAN).turns
    assert (caller.role, caller.item_id, caller.text) == ("caller", "u-1", "Hello?")
    assert (caller.began_ms, caller.ended_ms, caller.heard_ms) == (100, 900, 800)
    assert (bot.role, bot.item_id, bot.text) == ("bot", "i-1", "Good day.")
    assert (bot.began_ms, bot.ended_ms, bot.heard_ms) == (1000, 1700, 700)


def test_turns_stand_in_the_order_in_which_they_began_to_sound(book: CallBook) -> None:
    caller_turn(book, "u-1", 8000, 9000, "second")
    book.bot_said("i-1", "first")
    book.bot_heard(heard("i-1", 6000, 1500), barged_in=False)
    assert texts(book) == ["first", "second"]


def test_a_turn_that_was_never_heard_stands_where_it_came_up(book: CallBook) -> None:
    book.bot_said("i-1", "first")
    book.bot_heard(heard("i-1", 5000 + 1, 500), barged_in=False)
    caller_turn(book, "u-1", 6000, 7000, "second")
    book.bot_said("i-2", "third")
    book.bot_heard(ItemHeard("i-2", 0, 500, None, complete=False), barged_in=True)
    caller_turn(book, "u-2", 7500, 8000, "fourth")
    assert [turn.item_id for turn in book.record("open", BEGAN).turns] == ["i-1", "u-1", "i-2", "u-2"]


@pytest.mark.parametrize(
    ("heard_ms", "text"), [(0, ""), (10, ""), (300, "one two three"), (950, TEN_WORDS), (1000, TEN_WORDS)]
)
def test_of_a_sentence_that_was_cut_the_words_heard_are_kept(book: CallBook, heard_ms: int, text: str) -> None:
    book.bot_said("i-1", TEN_WORDS)
    book.bot_heard(heard("i-1", 6000, heard_ms, generated_ms=1000), barged_in=True)
    (turn,) = book.record("open", BEGAN).turns
    assert turn.text == text
    assert turn.heard_ms == heard_ms
    assert told(book.history()) == ([("assistant", text)] if text else [])


def test_what_was_heard_to_its_end_is_kept_whole(book: CallBook) -> None:
    book.bot_said("i-1", TEN_WORDS)
    book.bot_heard(heard("i-1", 6000, 1000), barged_in=False)
    assert texts(book) == [TEN_WORDS]


def test_barge_ins_are_counted_where_something_heard_was_cut(book: CallBook) -> None:
    book.bot_heard(heard("i-1", 6000, 300, generated_ms=1000), barged_in=True)
    book.bot_heard(ItemHeard("i-2", 0, 500, None, complete=False), barged_in=True)  # queued behind it, never heard
    book.bot_heard(heard("i-3", 8000, 300, generated_ms=1000), barged_in=False)  # the socket went
    book.bot_heard(heard("i-4", 9000, 300), barged_in=True)  # it had just ended
    assert book.record("open", BEGAN).barge_ins == 1


def test_tasks_are_told_by_their_newest_state_and_tokens_are_added_up(book: CallBook) -> None:
    book.task(TaskRecord(agent="book_appointment", run_id="t1", states=("CollectDate",), result="open"))
    book.task(TaskRecord(agent="order_pizza", run_id="t2", states=("What",), result="open"))
    book.task(
        TaskRecord(agent="book_appointment", run_id="t1", states=("CollectDate", "Cancelled"), result="cancelled")
    )
    book.spent({"input_tokens": 5, "output_tokens": 1})
    book.spent({"input_tokens": 7})
    book.errors.append("model: TransportLost")
    record = book.record("open", BEGAN)
    assert record.tasks == (
        TaskRecord(agent="book_appointment", run_id="t1", states=("CollectDate", "Cancelled"), result="cancelled"),
        TaskRecord(agent="order_pizza", run_id="t2", states=("What",), result="open"),
    )
    assert record.usage == {"input_tokens": 12, "output_tokens": 1}
    assert record.errors == ("model: TransportLost",)


def test_history_is_what_was_said_and_heard_with_calls_and_their_outputs_in_their_places(book: CallBook) -> None:
    book.bot_said("i-1", "Hello.")
    book.bot_heard(heard("i-1", 5500, 400), barged_in=False)
    caller_turn(book, "u-1", 6000, 7000, "Tomorrow.")
    book.called("call-1", "book_appointment", '{"day":"2026-11-24"}')
    book.answered("call-1", '{"say":"At what time?"}')
    book.bot_said("i-2", TEN_WORDS)
    book.bot_heard(heard("i-2", 8000, 200, generated_ms=1000), barged_in=True)
    caller_turn(book, "u-2", 8200, 9000, "At ten.")
    history = book.history()
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


def test_history_has_a_sentence_that_was_cut_before_the_words_that_cut_it(book: CallBook) -> None:
    # The words of an item come with its end: of one that is cut while it is generated the caller's turn is told first.
    book.caller_speaks("u-1", began=True, at_ms=6300)
    book.bot_heard(heard("i-1", 6000, 300, generated_ms=300), barged_in=True)
    book.bot_said("i-1", "We are open")
    book.caller_said("u-1", "Stop.")
    assert told(book.history()) == [("assistant", "We are open"), ("user", "Stop.")]


def test_what_was_not_recognised_heard_or_answered_is_no_part_of_history(book: CallBook) -> None:
    book.caller_speaks("u-1", began=True, at_ms=6000)
    book.bot_said("i-1", "Nobody heard this.")
    book.bot_heard(ItemHeard("i-1", 0, 500, None, complete=False), barged_in=True)
    book.called("call-1", "end_call", "{}")
    assert book.history() == ()


def test_calls_are_open_until_they_are_answered_and_have_ids_that_a_session_takes(book: CallBook) -> None:
    long_id = "call_" + "x" * 40
    book.called(long_id, "end_call", "{}")
    book.called("call-2", "order_pizza", "{}")
    book.answered("call-2", "{}")
    book.answered("call-9", "{}")
    ((key, call),) = book.open_calls().items()
    assert key == long_id
    assert call.model_dump(include={"name", "call_id"}) == {"name": "end_call", "call_id": long_id[:32]}
    book.answered(long_id, '{"done":1}')
    assert book.open_calls() == {}
    outputs = [item.model_dump() for item in book.history() if item.type == "function_call_output"]
    assert [output["call_id"] for output in outputs] == [long_id[:32], "call-2"]


def test_an_answer_is_due_while_the_bots_last_words_were_not_heard_to_their_end(book: CallBook) -> None:
    assert not book.answer_due(), "nobody has said anything"
    book.bot_said("i-1", "Hello.")
    book.bot_heard(heard("i-1", 5500, 400), barged_in=False)
    assert not book.answer_due()
    book.caller_speaks("u-1", began=True, at_ms=6000)
    assert not book.answer_due(), "the caller still speaks"
    book.caller_said("u-1", "Tomorrow.")
    assert book.answer_due()
    book.called("call-1", "book_appointment", "{}")
    assert not book.answer_due(), "the output will ask for words"
    book.answered("call-1", "{}")
    assert book.answer_due()
    book.bot_heard(heard("i-2", 7000, 100, generated_ms=900), barged_in=False)
    assert book.answer_due(), "a lost socket cut it"


def test_what_came_of_a_call_is_unsaid_until_it_was_heard_to_its_end_or_spoken_into(book: CallBook) -> None:
    assert book.unsaid() is None
    caller_turn(book, "u-1", 6000, 7000, "Yes.")
    book.called("call-1", "book_appointment_confirm", '{"yes":true}')
    book.answered("call-1", '{"say":"It is booked."}')
    assert book.unsaid() == '{"say":"It is booked."}'
    book.bot_heard(heard("i-1", 7500, 300, generated_ms=900), barged_in=False)
    assert book.unsaid() == '{"say":"It is booked."}'
    book.bot_heard(heard("i-2", 9000, 900), barged_in=False)
    assert book.unsaid() is None
    book.answered("call-1", '{"say":"It is booked."}')
    caller_turn(book, "u-2", 10_000, 11_000, "Thanks.")
    assert book.unsaid() is None
