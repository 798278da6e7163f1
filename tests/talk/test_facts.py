"""Which turns and calls belong to what the caller did, and what the caller heard."""

from __future__ import annotations

from actors.messages.journal_rows import BotHeardRow, BotSaidRow, ClipRow
from tests.talk.facts import exchanges, words_heard
from tests.talk.rows import CallOfRows
from tests.talk.scenario import Act, Deed, Keys, Line

LINE = Line("At ten.", Act.GIVES, {"at": "10:00"})


def test_turns_and_calls_belong_to_the_sentence_that_they_follow() -> None:
    call = CallOfRows()
    call.bot("How can I help you?")
    call.caller(Line("I need an appointment.", Act.BOOK), "I need an appointment.")
    call.called("book_appointment", {})
    call.bot("At what time?")
    call.caller(LINE, "At ten.")
    call.called("book_appointment_provide", {"at": "10:00"}, state="CollectName")
    heard, unclaimed = exchanges(call.facts())
    assert [each.heard for each in heard] == ["I need an appointment.", "At ten."]
    assert [[one.name for one in each.calls] for each in heard] == [["book_appointment"], ["book_appointment_provide"]]
    assert heard[1].calls[0].output == {"task": "t1", "state": "CollectName"}
    assert unclaimed == []


def test_a_turn_without_words_of_the_caller_belongs_to_no_line() -> None:
    call = CallOfRows()
    call.caller(LINE, None)
    call.bot("Are you still there?")
    call.turn("The weather will be cloudy.")
    heard, unclaimed = exchanges(call.facts())
    assert heard[0].turns == []
    assert [turn.text for turn in unclaimed] == ["The weather will be cloudy."]


def test_a_caller_who_does_nothing_has_no_turns() -> None:
    call = CallOfRows()
    call.caller(Deed.NOTHING, None)
    call.caller(Keys("1", Act.YES), None)
    heard, _ = exchanges(call.facts())
    assert [each.turns for each in heard] == [[], []]


def test_what_was_cut_was_heard_in_part() -> None:
    rows = [
        BotSaidRow(item="a", text="0123456789"),
        BotSaidRow(item="b", text="never heard"),
        BotHeardRow(item="a", began_ms=0, heard_ms=500, generated_ms=1000, complete=False, barged_in=True),
        BotHeardRow(item="b", began_ms=None, heard_ms=0, generated_ms=1000, complete=False, barged_in=True),
        ClipRow(text="One moment, please.", heard_ms=900),
    ]
    assert words_heard(rows) == ["01234", "One moment, please."]
