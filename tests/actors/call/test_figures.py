"""The figures of a call from its rows: what the caller waited for, what was used, and what nobody heard."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from actors.call.figures import FiguresSoFar
from actors.messages.journal_rows import (
    AnsweredRow,
    BotHeardRow,
    CalledRow,
    CallerBeganRow,
    CallerSaidRow,
    CallerSpokeRow,
    CallRow,
    ClipRow,
    DialledRow,
    JournalEntry,
    ResponseRow,
    Row,
)
from store.figures import Silence
from tests.actors.calls import BEGAN


class Rows:
    """A call's rows, entered as they are given."""

    def __init__(self) -> None:
        self.so_far = FiguresSoFar()
        self._seqs = count(1)
        self(CallRow())

    def __call__(self, *rows: Row, at_ms: int = 0) -> Rows:
        for row in rows:
            at = BEGAN + timedelta(milliseconds=at_ms)
            self.so_far.enter(JournalEntry("c-1", next(self._seqs), at, row))
        return self

    def turn(self, item: str, onset_ms: int, quiet_ms: int, turn_ms: int) -> Rows:
        """The caller's turn. onset_ms, quiet_ms: the first and last sample. turn_ms: when the model tells its end."""
        began = CallerBeganRow(item=item, began_ms=onset_ms + 120, onset_ms=onset_ms)
        return self(began, CallerSpokeRow(item=item, ended_ms=turn_ms, quiet_ms=quiet_ms))

    def reply(self, *items: str, asked_ms: int, first_ms: int | None = None, status: str = "completed") -> Rows:
        return self(ResponseRow(status=status, items=items, asked_ms=asked_ms, first_ms=first_ms))


def heard(
    item: str, began_ms: int | None, heard_ms: int, *, generated_ms: int = 0, sent_ms: int | None = None
) -> BotHeardRow:
    """generated_ms: only of an item that the caller has cut."""
    return BotHeardRow(
        item=item,
        began_ms=began_ms,
        heard_ms=heard_ms,
        generated_ms=generated_ms or heard_ms,
        complete=not generated_ms,
        barged_in=bool(generated_ms),
        sent_ms=began_ms if sent_ms is None else sent_ms,
    )


def test_the_stages_of_an_answer_are_all_of_its_time() -> None:
    rows = Rows().turn("u-1", 1000, 2000, 2520).reply("i-1", asked_ms=2540, first_ms=2900)
    rows(heard("i-1", 2930, 1500, sent_ms=2910))
    (found,) = rows.so_far.new_answers()
    assert found == rows.so_far.answer_of("u-1")
    assert (found.item_id, found.answer_ms) == ("i-1", 930)
    assert found.stages == {"endpointing": 520, "ours": 30, "model": 360, "tool": 0, "playout": 20}
    assert sum(found.stages.values()) == found.answer_ms
    assert rows.so_far.new_answers() == []  # it is told once


def test_the_time_of_function_calls_is_not_the_models() -> None:
    rows = Rows().turn("u-1", 1000, 2000, 2500).reply(asked_ms=2500)
    rows(CalledRow(call="k-1", name="book", arguments="{}"), at_ms=2700)
    rows(CalledRow(call="k-2", name="note", arguments="{}"), at_ms=2800)
    rows(AnsweredRow(call="k-2", output="{}"), at_ms=2900)
    rows(AnsweredRow(call="k-1", output="{}"), at_ms=3300)
    rows.reply("i-1", asked_ms=3320, first_ms=3600)(heard("i-1", 3610, 900))
    found = rows.so_far.answer_of("u-1")
    assert found is not None
    assert found.asked_ms == 2500  # the first response to the turn, which called
    assert (found.tool_ms, found.stages["model"], found.stages["tool"]) == (600, 500, 600)
    assert sum(found.stages.values()) == found.answer_ms == 1610
    tools = [(each.name, each.at_ms, each.length_ms) for each in rows.so_far.figures().tools]
    assert tools == [("book", 2700, 600), ("note", 2800, 100)]


def test_rows_in_any_order_make_one_answer() -> None:
    """A short answer is heard before its response has ended; a cut one too."""
    rows = Rows().turn("u-1", 1000, 2000, 2500)(heard("i-1", 2900, 300))
    assert rows.so_far.new_answers() == []  # its response may yet tell the stages
    found = rows.so_far.answer_of("u-1")
    assert found is not None
    assert (found.answer_ms, found.stages) == (900, {"endpointing": 500, "playout": 0})
    assert [each.answer_ms for each in rows.reply("i-1", asked_ms=2510, first_ms=2880).so_far.new_answers()] == [900]


def test_an_answer_whose_response_never_ends_is_told_once_at_the_end() -> None:
    rows = Rows().turn("u-1", 1000, 2000, 2500)(heard("i-1", 2900, 300))
    rows.turn("u-2", 4000, 5000, 5500).reply("i-2", asked_ms=5510, first_ms=5900)(heard("i-2", 5910, 300))
    rows.turn("u-3", 7000, 8000, 8500)  # has none
    assert [each.item_id for each in rows.so_far.new_answers()] == ["i-2"]
    assert [each.item_id for each in rows.so_far.new_answers(over=True)] == ["i-1"]
    assert rows.so_far.new_answers(over=True) == []


def test_a_turn_that_the_caller_goes_on_from_is_not_answered() -> None:
    rows = Rows().turn("u-1", 1000, 2000, 2500).reply(asked_ms=2510, status="cancelled")
    rows.turn("u-2", 2700, 3500, 4000).reply("i-1", asked_ms=4010, first_ms=4400)(heard("i-1", 4420, 900))
    assert rows.so_far.answer_of("u-1") is None
    found = rows.so_far.answer_of("u-2")
    assert found is not None
    assert (found.answer_ms, found.asked_ms) == (920, 4010)


def test_what_was_playing_before_the_turn_is_no_answer_to_it() -> None:
    rows = Rows()(heard("i-0", 200, 1500, generated_ms=4000)).turn("u-1", 1400, 2000, 2500)
    assert rows.so_far.answer_of("u-1") is None


def test_without_a_sample_clock_an_answer_counts_from_the_end_that_the_model_told() -> None:
    rows = Rows()(CallerSpokeRow(item="u-1", began_ms=1000, ended_ms=2500), heard("i-1", 2900, 300))
    found = rows.so_far.answer_of("u-1")
    assert found is not None
    assert (found.quiet_ms, found.answer_ms) == (2500, 400)


def test_a_caller_who_interrupts_is_yielded_to() -> None:
    rows = Rows()(CallerBeganRow(item="u-1", began_ms=1150, onset_ms=1000))
    rows(heard("i-0", 200, 980, generated_ms=4000), CallerSpokeRow(item="u-1", ended_ms=2500, quiet_ms=2000))
    assert rows.so_far.yield_ms("u-1") == 180
    assert rows.so_far.yield_ms("u-2") is None
    assert rows.so_far.unheard_ms("i-0") == 3020
    assert rows.so_far.figures().unheard_ms == 3020


def test_a_caller_who_speaks_after_what_was_cut_interrupts_nobody() -> None:
    rows = Rows()(CallerBeganRow(item="u-1", began_ms=1400, onset_ms=1300), heard("i-0", 200, 980, generated_ms=4000))
    assert rows.so_far.yield_ms("u-1") is None


def test_of_two_sentences_that_a_caller_cuts_the_first_is_what_was_yielded() -> None:
    rows = Rows()(CallerBeganRow(item="u-1", began_ms=1150, onset_ms=1000))
    rows(heard("i-0", 200, 980, generated_ms=4000), heard("i-1", 900, 700, generated_ms=4000))
    assert rows.so_far.yield_ms("u-1") == 180


def test_what_was_sent_and_not_heard_is_no_greeting() -> None:
    rows = Rows()(heard("i-0", 500, 0, generated_ms=4000), heard("i-1", 800, 700))
    assert rows.so_far.figures().greeting_ms == 800


def test_what_was_generated_after_a_cut_was_paid_for_too() -> None:
    rows = Rows()(heard("i-0", 200, 980, generated_ms=4000))
    rows(ResponseRow(status="cancelled", items=("i-0",), asked_ms=100, tokens={"output_audio": 100}))  # five seconds
    assert rows.so_far.figures().unheard_ms == 3020 + 1000


def test_the_least_that_was_left_of_the_models_limits_is_that_of_the_call() -> None:
    rows = Rows()
    assert rows.so_far.figures().rates_left == {}
    rows(*(ResponseRow(rates_left=each) for each in ({"tokens": 0.5}, {"tokens": 0.04, "requests": 1.0}, {})))
    rows(ResponseRow(rates_left={"tokens": 0.9}))  # of another session
    assert rows.so_far.figures().rates_left == {"tokens": 0.04, "requests": 1.0}


def test_silences_are_told_with_who_was_heard_last() -> None:
    rows = Rows()(ClipRow(text="Hello.", item="c-1", began_ms=800, heard_ms=700, generated_ms=700))
    rows.turn("u-1", 4000, 5000, 5500)(heard("i-1", 7200, 1000)).turn("u-2", 9000, 9500, 9900)
    figures = rows.so_far.figures()
    assert figures.greeting_ms == 800
    assert figures.silences == (
        Silence(at_ms=1500, length_ms=2500, after="bot"),
        Silence(at_ms=5000, length_ms=2200, after="caller"),
    )
    assert figures.longest_silence_ms == 2500


def test_two_who_speak_at_once_leave_no_silence() -> None:
    rows = Rows()(heard("i-1", 0, 5000)).turn("u-1", 1000, 1500, 2000)(heard("i-2", 5900, 100))
    assert rows.so_far.figures().silences == ()


def test_costs_are_kept_at_the_turn_that_caused_them() -> None:
    rows = Rows()(ResponseRow(items=("i-0",), asked_ms=10, model="m", tokens={"output_audio": 40}, cost_usd=0.01))
    rows.turn("u-1", 1000, 2000, 2500)(CallerSaidRow(item="u-1", text="Hi.", model="t", seconds=1.0, cost_usd=0.001))
    rows(ResponseRow(asked_ms=2510, model="m", tokens={"input_text": 9}, cost_usd=0.02))
    rows(ResponseRow(items=("i-1",), asked_ms=3000, model="m", tokens={"input_text": 1}, cost_usd=0.03))
    rows(ResponseRow(status="aside", model="n", tokens={"input_text": 5}))
    greeting, turn = rows.so_far.spent_at("i-0"), rows.so_far.spent_at("u-1")
    assert (greeting.tokens, greeting.cost()) == ({"output_audio": 40}, 0.01)
    assert (turn.tokens, turn.seconds, turn.cost()) == ({"input_text": 15}, 1.0, 0.051)
    figures = rows.so_far.figures()
    assert (figures.tokens, figures.transcribed_s) == ({"output_audio": 40, "input_text": 15}, 1.0)
    assert (figures.cost_usd, figures.unpriced) == (0.061, ("n",))


def test_a_call_of_which_nothing_is_known_has_no_figures() -> None:
    figures = Rows().so_far.figures()
    assert (figures.greeting_ms, figures.silences, figures.tools, figures.cost_usd) == (None, (), (), None)


def test_each_connection_to_the_model_is_told() -> None:
    assert Rows()(DialledRow(took_ms=80), DialledRow(took_ms=95)).so_far.figures().dials_ms == (80, 95)
