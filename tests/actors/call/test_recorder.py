"""The record of a call: the process that saw the facts and one that read the journal write the same record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st
from loguru import logger

from actors.call.recorder import CallRecorder, count_end
from actors.call.replay import end_row, left_record, new_transcript
from actors.clips import Clip
from actors.messages.call import (
    BotHeard,
    BotSaid,
    CallerSaid,
    CallerSpeaks,
    ClipHeard,
    FunctionCalled,
    ResponseEnded,
    SpeechFact,
    Usage,
)
from actors.messages.journal import AppendRow, CallOpening, JournalMessage, ResumeState, WriteRecord
from actors.messages.journal_rows import EndedRow, JournalEntry, OwedResult, OwedRow, TaskRow, WordsRow
from actors.prices import Price, Prices
from actors.tasks.handle import TaskHandle
from actors.tasks.replay import calls_left, tasks_left
from fsm.answer import Snapshot, TaskStatus
from fsm.context import ContextItem
from fsm.effects import TaskContext
from fsm.scratchpad import Note
from protocols.ledger import ItemHeard
from protocols.limits import CALL_CHARS
from protocols.media import LPCM16_24
from protocols.vaic import SessionInitiate
from store.figures import CallFigures, Silence
from store.journal import CallRecord
from tests.actors.calls import BEGAN, PIZZA, FakeDialler, call_services, read_again
from tests.counted import counted
from tests.cranked import CrankedDispatcher
from tests.probe import Probe

OPENING = CallOpening(bot="practice", caller="+4930123", media=LPCM16_24.name)
INITIATE = SessionInitiate(conversation_id="c-1", bot_name=OPENING.bot, caller=OPENING.caller)


@dataclass(frozen=True)
class Answered:
    call_id: str
    output: str


@dataclass(frozen=True)
class Typed:
    text: str


@dataclass(frozen=True)
class Unheard:
    item_id: str


@dataclass(frozen=True)
class Task:
    run_id: str
    response_id: str
    result: str
    snapshot: Snapshot | None


@dataclass(frozen=True)
class Broke:
    text: str


@dataclass(frozen=True)
class Resumed:
    """The caller is back at the same process."""


Fact = SpeechFact | FunctionCalled | Answered | Typed | Unheard | Task | Broke | Resumed


@dataclass(frozen=True)
class Seen:
    """A fact, and its delay after the previous one. Its own times are in ms from then."""

    after_ms: int
    fact: Fact


class Process:
    """A process that has the call. boot_ms: its monotonic clock when the call began; they share the wall clock."""

    def __init__(self, boot_ms: int, wall_ms: int, left: Sequence[JournalEntry] = ()) -> None:
        self._boot_ms, self.wall_ms = boot_ms, wall_ms
        self._journal = Probe[JournalMessage]("journal")
        services = call_services(CrankedDispatcher(), self._journal, FakeDialler())
        prices = Prices({"gpt-realtime": Price({"input_text": 4.0, "output_audio": 64.0}, minute=0.01)})
        services = replace(services, prices=prices, now=lambda: BEGAN + timedelta(milliseconds=self.wall_ms))
        resume_state = ResumeState(OPENING, tuple(left)) if left else None
        transcript = new_transcript(services, INITIATE, LPCM16_24, boot_ms + wall_ms, resume_state)
        self.recorder = CallRecorder(services, transcript, logger)
        if left:
            self.recorder.restore(left)
        else:
            self.recorder.began()

    def sees(self, seen: Sequence[Seen]) -> Process:
        for each in seen:
            self.wall_ms += each.after_ms
            self._tell(each.fact, self._boot_ms + self.wall_ms)
        return self

    def ends(self, outcome: str) -> CallRecord:
        self.recorder.close(outcome)
        (record,) = [told.record for told in self._journal.arrived if isinstance(told, WriteRecord)]
        return record

    def journal(self) -> list[JournalEntry]:
        """Its rows, as another process reads them."""
        return [read_again(told.entry) for told in self._journal.arrived if isinstance(told, AppendRow)]

    def _tell(self, fact: Fact, now_ms: float) -> None:
        recorder = self.recorder
        match fact:
            case FunctionCalled():
                recorder.called(fact)
            case Answered():
                recorder.answered(fact.call_id, fact.output)
            case Typed():
                recorder.typed(fact.text, now_ms)
            case Unheard():
                recorder.bot_unheard(fact.item_id)
            case Task():
                context = TaskContext("c-1", fact.run_id, OPENING.caller, lambda: BEGAN)
                status = None if fact.snapshot is None else TaskStatus(fact.snapshot)
                recorder.task(TaskHandle(PIZZA, context, fact.response_id, status=status, result=fact.result))
            case Broke():
                recorder.error(fact.text)
            case Resumed():
                recorder.resumed()
            case CallerSpeaks(spoken_ms=spoken_ms):
                recorder.note(replace(fact, at_ms=now_ms + fact.at_ms, spoken_ms=_moved(spoken_ms, now_ms)))
            case ResponseEnded():
                asked_ms, first_ms = _moved(fact.asked_ms, now_ms), _moved(fact.first_ms, now_ms)
                recorder.note(replace(fact, asked_ms=asked_ms, first_ms=first_ms))
            case BotHeard(item=item) | ClipHeard(item=item):
                began_ms = None if item.began_ms is None else round(now_ms) + item.began_ms
                sent_ms = None if item.sent_ms is None else round(now_ms) + item.sent_ms
                recorder.note(replace(fact, item=replace(item, began_ms=began_ms, sent_ms=sent_ms)))
            case _:
                recorder.note(fact)


def _moved(at_ms: float | None, by_ms: float) -> float | None:
    return None if at_ms is None else at_ms + by_ms


def test_every_fact_leaves_its_trace_in_the_record() -> None:
    snapshot = Snapshot(
        agent=PIZZA.name, visited=("What",), items=(), notes=(Note(kind="fact", text="thin", at=BEGAN, state="What"),),
        no_match={}, no_input={}, asked="", say="Which one?",
    )  # fmt: skip
    process = Process(5000, 0).sees([
        Seen(100, CallerSpeaks("u-1", began=True, at_ms=0.0)),
        Seen(700, CallerSpeaks("u-1", began=False, at_ms=-50.0)),
        Seen(0, CallerSaid("u-1", "A pizza.")),
        Seen(0, ResponseEnded("completed", (), 1, {"input_tokens": 5, "output_tokens": 1})),
        Seen(0, FunctionCalled("call-1", "order_pizza", "{}", "r-1")),
        Seen(0, Task("t1", "r-1", "open", snapshot)),
        Seen(0, Task("t1", "r-1", "failed", None)),  # it died over the next step: what it has entered stays
        Seen(0, Answered("call-1", '{"say":"Which one?"}')),
        Seen(0, Answered("call-2", '{"say":"What?"}')),  # nobody has called that
        Seen(0, BotSaid("i-1", "Which one?")),
        Seen(900, BotHeard(ItemHeard("i-1", 300, 600, -300, complete=False), barged_in=True)),
        Seen(100, Typed("7")),
        Seen(1000, ClipHeard(Clip.ONE_MOMENT, ItemHeard("clip0-1", 900, 900, -900, complete=True))),
        Seen(0, ResponseEnded("completed", ("i-2",), 0, {"input_tokens": 2})),
        Seen(0, BotSaid("i-2", "A pizza.")),
        Seen(0, Unheard("i-2")),
        Seen(0, Broke("model: TransportLost")),
    ])  # fmt: skip
    record = process.ends("completed")
    assert [(turn.item_id, turn.text, turn.began_ms, turn.ended_ms, turn.heard_ms) for turn in record.turns] == [
        ("u-1", "A pizza.", 100, 750, 650),
        ("i-1", "Which", 1400, 1700, 300),
        ("keys-3", "7", 1800, 1800, 0),
        ("i-2", "A pizza.", None, None, 0),
        ("clip0-1", Clip.ONE_MOMENT.value, 1900, 2800, 900),
    ]
    assert [(task.run_id, task.states, task.result, task.notes) for task in record.tasks] == [
        ("t1", ("What",), "failed", (("fact", "What", "thin"),))
    ]
    assert (record.barge_ins, record.usage) == (1, {"input_tokens": 7, "output_tokens": 1})
    assert record.errors == ("model: TransportLost",)
    assert (record.outcome, record.started_at, record.ended_at) == (
        "completed", BEGAN, BEGAN + timedelta(milliseconds=2800),
    )  # fmt: skip
    kinds = [entry.row.kind for entry in process.journal()]
    assert (kinds.count("answered"), kinds[0], kinds[-1]) == (1, "call", "ended")


def test_a_sentence_sent_without_a_caller_does_not_sound_after_a_takeover() -> None:
    first = Process(5000, 0).sees([Seen(0, BotSaid("i-1", "Are you there?")), Seen(0, Unheard("i-1"))])
    second = Process(7000, 0, first.journal())
    assert not second.recorder.transcript.still_sounds("i-1")
    assert second.recorder.transcript.answer_due()


def test_what_is_owed_is_not_written_again_by_the_process_that_takes_over() -> None:
    owed = OwedRow(results=(OwedResult(run="t1", words="It is baked.", today=BEGAN.date()),))
    first = Process(5000, 0)
    first.recorder.owed(owed)
    second = Process(7000, 0, first.journal())
    second.recorder.owed(owed)
    assert [entry.row.kind for entry in second.journal()] == ["inherited"]
    second.recorder.owed(OwedRow())
    assert second.journal()[-1].row == OwedRow()


def test_an_end_without_a_record_does_not_end_the_call_after_a_takeover() -> None:
    first = Process(5000, 0)
    first.ends("completed")
    rows = first.journal() + Process(7000, 1000, first.journal()).journal()
    left = left_record("c-1", ResumeState(OPENING, tuple(rows)))
    assert left is not None
    assert (left.outcome, left.ended_at) == ("lost", rows[-1].at)
    # So its journal lacks an end; one that has it, and something that was settled after it, does not.
    end = end_row(left, ResumeState(OPENING, tuple(rows)))
    assert end is not None
    assert (end.seq, end.row) == (rows[-1].seq + 1, EndedRow(outcome="lost"))
    settled = replace(first.journal()[0], row=TaskRow(run="t1", agent=PIZZA.name, result="baked"))
    assert end_row(left, ResumeState(OPENING, (*first.journal(), settled))) is None


# --- any facts ---

# Without digits: those at the end of a turn are held back, and a process that takes over does not know them.
words = st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=12)
items = st.sampled_from(["i-1", "i-2", "i-3", "i-4"])
calls = st.sampled_from(["call-1", "call-2", "call-3"])
lengths = st.integers(0, 4000)
moments = st.integers(-5000, 0)
heard = st.builds(ItemHeard, items, lengths, lengths, st.none() | moments, st.booleans(), st.none() | moments)
used = st.builds(
    Usage,
    st.sampled_from(["gpt-realtime", "none", ""]),
    st.dictionaries(st.sampled_from(["input_text", "output_audio"]), st.integers(0, 9000)),
    st.sampled_from([0.0, 1.5]),
)
json_values = st.none() | st.booleans() | st.integers() | words | st.lists(words, max_size=2)
states = st.lists(st.sampled_from(["What", "Confirm", "Bake", "Baked"]), max_size=4).map(tuple)
snapshots = st.builds(
    Snapshot,
    agent=st.just(PIZZA.name),
    visited=states,
    items=st.lists(
        st.builds(
            ContextItem,
            name=words,
            value=json_values,
            category=words,
            source=st.sampled_from(["caller", "model", "store"]),
            confidence=st.floats(0, 1),
            at=st.just(BEGAN),
        ),
        max_size=2,
    ).map(tuple),
    notes=st.lists(
        st.builds(Note, kind=st.just("decision"), text=words, at=st.just(BEGAN), state=words), max_size=2
    ).map(tuple),
    no_match=st.dictionaries(words, st.integers(0, 3), max_size=2),
    no_input=st.just({}),
    asked=words,
    say=words,
)
facts: st.SearchStrategy[Fact] = st.one_of(
    st.builds(CallerSpeaks, items, st.booleans(), moments.map(float), st.none() | moments.map(float)),
    st.builds(CallerSaid, items, words, used),
    st.builds(BotSaid, items, words),
    st.builds(BotHeard, heard, st.booleans()),
    st.builds(ClipHeard, st.sampled_from(Clip), heard),
    st.builds(
        ResponseEnded,
        st.sampled_from(["completed", "cancelled"]),
        st.lists(items, max_size=2).map(tuple),
        st.just(0),
        st.dictionaries(st.sampled_from(["input_tokens", "output_tokens"]), st.integers(0, 9000)),
        used=used,
        asked_ms=st.none() | moments.map(float),
        first_ms=st.none() | moments.map(float),
    ),
    st.builds(FunctionCalled, calls, words, words, words),
    st.builds(Answered, calls, words),
    st.builds(Typed, words),
    st.builds(Unheard, items),
    st.builds(Task, st.sampled_from(["t1", "t2"]), words, st.sampled_from(["open", "baked"]), st.none() | snapshots),
    st.builds(Broke, words),
    st.just(Resumed()),
)
seen_facts = st.lists(st.builds(Seen, st.integers(0, 3000), facts), max_size=14)
# Monotonic clocks begin anywhere.
boots = st.integers(0, 10**9)

USAGE = Seen(0, ResponseEnded("completed", (), 0, {"output_tokens": 7}))
CLIP = Seen(0, ClipHeard(Clip.ONE_MOMENT, ItemHeard("clip0-1", 900, 900, -900, complete=True)))
SPEAKS = Seen(100, CallerSpeaks("i-1", began=True, at_ms=0.0))
FALLS_SILENT = Seen(700, CallerSpeaks("i-1", began=False, at_ms=0.0))
BROKEN = Seen(0, Broke("model: TransportLost"))
SENT_TO_NOBODY = Seen(0, Unheard("i-2"))


@example([USAGE, CLIP, SPEAKS, BROKEN, SENT_TO_NOBODY], 12_345)
@given(seen_facts, boots)
@settings(deadline=None)
def test_the_record_read_from_the_journal_is_the_record_of_the_process_that_saw_the_facts(
    seen: list[Seen], boot_ms: int
) -> None:
    process = Process(boot_ms, 0).sees(seen)
    record = process.ends("completed")
    rows = process.journal()
    assert left_record("c-1", ResumeState(OPENING, tuple(rows))) == record

    # One that died before the call's end.
    left = left_record("c-1", ResumeState(OPENING, tuple(rows[:-1])))
    # The moment of its end is not known: it is that of what was written last.
    assert left == record.model_copy(update={"outcome": "lost", "ended_at": rows[-2].at})


@example([USAGE, CLIP, SPEAKS, BROKEN, SENT_TO_NOBODY, FALLS_SILENT], 3, 12_345, 678)
@given(seen_facts, st.integers(0, 14), boots, boots)
@settings(deadline=None)
def test_a_call_taken_over_in_the_middle_has_the_record_of_one_that_stayed(
    seen: list[Seen], taken_over_after: int, boot_ms: int, other_boot_ms: int
) -> None:
    stayed = Process(boot_ms, 0).sees(seen)
    first = Process(boot_ms, 0).sees(seen[:taken_over_after])
    second = Process(other_boot_ms, first.wall_ms, first.journal()).sees(seen[taken_over_after:])
    conversation, other_conversation = stayed.recorder.transcript, second.recorder.transcript
    assert other_conversation.history() == conversation.history()
    assert other_conversation.open_calls() == conversation.open_calls()
    assert other_conversation.answer_due() == conversation.answer_due()

    record = stayed.ends("completed")
    # All of it, its times too: here the processes' wall clocks agree to the ms. Where they do not, what the second one
    # sees is shifted by their difference, because the two have only the wall clock in common.
    assert second.ends("completed") == record

    rows = first.journal() + second.journal()
    assert [entry.seq for entry in rows] == list(range(1, len(rows) + 1))
    assert left_record("c-1", ResumeState(OPENING, tuple(rows))) == record
    assert tasks_left(rows) == tasks_left(stayed.journal())
    assert calls_left(rows) == calls_left(stayed.journal())


def test_each_answer_in_the_record_is_counted_once_also_after_a_takeover() -> None:
    """Of the second and the fourth the response never ends, so that their stages are not known."""

    def talk(number: int, *, ends: bool) -> list[Seen]:
        item = f"i-{number}"
        heard = ItemHeard(item, heard_ms=500, generated_ms=500, began_ms=300, complete=True, sent_ms=290)
        ended = ResponseEnded("completed", (item,), 0, {}, asked_ms=-400.0, first_ms=-20.0)
        spoken = [
            Seen(1000, CallerSpeaks(f"u-{number}", began=True, at_ms=0)),
            Seen(1000, CallerSpeaks(f"u-{number}", began=False, at_ms=0)),
            Seen(1000, BotHeard(heard, barged_in=False)),
        ]
        return [*spoken, Seen(0, ended)] if ends else spoken

    before = counted("tieline_answer_seconds_count", bot=OPENING.bot)
    first = Process(1000, 0).sees([*talk(1, ends=True), *talk(2, ends=False)])
    second = Process(9000, first.wall_ms, left=first.journal()).sees([*talk(3, ends=True), *talk(4, ends=False)])
    record = second.ends("completed")
    answers = [turn.answer for turn in record.turns if turn.answer is not None]
    assert [each.complete for each in answers] == [True, False, True, False]
    assert counted("tieline_answer_seconds_count", bot=OPENING.bot) - before == len(answers)


def test_a_call_ended_when_its_caller_left_however_long_a_task_goes_on() -> None:
    process = Process(0, 1000)
    process.recorder.draft("client-disconnected")
    process.wall_ms += 5000
    record = process.ends("failed")
    assert record.ended_at == BEGAN + timedelta(milliseconds=1000)
    assert record.outcome == "failed"
    ends = [entry for entry in process.journal() if entry.row.kind == "ended"]
    assert [entry.at for entry in ends] == [record.ended_at] * 2


def test_an_end_that_stays_the_same_is_written_once() -> None:
    process = Process(0, 1000)
    process.recorder.draft("client-disconnected")
    process.wall_ms += 5000
    record = process.ends("client-disconnected")
    ends = [entry.at for entry in process.journal() if entry.row.kind == "ended"]
    assert ends == [record.ended_at] == [BEGAN + timedelta(milliseconds=1000)]


def test_the_words_of_a_call_are_limited_also_where_another_process_goes_on_with_it() -> None:
    before = counted("tieline_cut_short_total", what="transcripts of a call")
    quarter = "w" * (CALL_CHARS // 4)
    first = Process(boot_ms=1000, wall_ms=0).sees(
        [
            Seen(10, CallerSaid("u-1", quarter)),
            Seen(10, BotSaid("i-1", quarter)),
            Seen(10, FunctionCalled("f-1", "name", quarter, "r-1")),
        ]
    )
    then = Process(boot_ms=9000, wall_ms=first.wall_ms, left=first.journal()).sees(
        [Seen(10, CallerSaid("u-2", quarter[:-1])), Seen(10, BotSaid("i-2", "ab")), Seen(10, BotSaid("i-3", "c"))]
    )
    texts = {turn.item_id: len(turn.text) for turn in then.ends("completed").turns}
    assert texts == {"u-1": len(quarter), "i-1": len(quarter), "u-2": len(quarter) - 1, "i-2": 1, "i-3": 0}
    assert counted("tieline_cut_short_total", what="transcripts of a call") - before == 2


def test_of_a_card_in_two_turns_neither_half_is_stored_anywhere_also_at_another_process() -> None:
    halves = [
        Seen(10, CallerSaid("u-1", "4111 1111,")),
        Seen(10, BotSaid("i-1", "4111 1111, go on.")),
        Seen(9, CallerSaid("u-2", "1111 1111.")),
        Seen(10, BotSaid("i-2", "And 1111 1111, thanks.")),
        Seen(10, CallerSaid("u-3", "That is it.")),
    ]
    stayed = Process(boot_ms=1000, wall_ms=0).sees(halves)
    first = Process(boot_ms=1000, wall_ms=0).sees(halves[:2])
    second = Process(boot_ms=9000, wall_ms=first.wall_ms, left=first.journal()).sees(halves[2:])
    for process, mark in ((stayed, "[card]"), (second, "[digits]")):
        told = [turn.text for turn in process.ends("completed").turns]
        assert told == ["[digits],", "[digits], go on.", f"{mark}.", f"{mark}, thanks.", "That is it."]
        assert "1111" not in str(process.recorder.transcript.history())
    assert "1111" not in str(stayed.journal() + first.journal() + second.journal())


def test_a_number_that_is_no_cards_is_stored_once_that_is_known() -> None:
    said = [Seen(10, CallerSaid(f"u-{n}", text)) for n, text in enumerate(("It is 4711 0815.", "At ten.", "Yes."))]
    process = Process(boot_ms=1000, wall_ms=0).sees([*said[:2], Seen(10, BotSaid("i-1", "For 4 at 5 30?")), said[2]])
    assert process.journal()[-1].row == WordsRow(role="caller", item="u-0", text="It is 4711 0815.")
    record = process.ends("completed")
    assert [turn.text for turn in record.turns] == ["It is 4711 0815.", "At ten.", "For 4 at 5 30?", "Yes."]
    assert left_record("c-1", ResumeState(OPENING, tuple(process.journal()))) == record


def test_what_is_held_back_at_the_end_is_written_before_it() -> None:
    process = Process(boot_ms=1000, wall_ms=0).sees([Seen(10, CallerSaid("u-1", "It is 4711 0815."))])
    record = process.ends("completed")
    assert [turn.text for turn in record.turns] == ["It is 4711 0815."]
    assert [entry.row.kind for entry in process.journal()][-3:] == ["caller_said", "words", "ended"]


def test_what_is_beyond_the_limit_of_a_calls_words_is_kept_by_no_other_part_of_the_call() -> None:
    process = Process(boot_ms=1000, wall_ms=0)
    recorded = [
        process.recorder.note(fact)
        for fact in (CallerSaid("u-1", "w" * (CALL_CHARS - 1)), BotSaid("i-1", "yes"), CallerSaid("u-2", "no"))
    ]
    texts = [fact.text for fact in recorded if isinstance(fact, CallerSaid | BotSaid)]
    assert [len(text) for text in texts] == [CALL_CHARS - 1, 1, 0]


def test_a_greeting_before_the_call_by_a_clock_that_was_set_lowers_no_sum() -> None:
    figures = CallFigures(greeting_ms=-3_600_000, silences=(Silence(at_ms=0, after="bot", length_ms=-5),))
    before = counted("tieline_greeting_seconds_sum", bot="of two clocks")
    record = CallRecord(
        conversation_id="c-1",
        bot="of two clocks",
        caller="",
        media_format="",
        outcome="completed",
        started_at=BEGAN,
        ended_at=BEGAN,
        figures=figures,
    )
    count_end(record)
    assert counted("tieline_greeting_seconds_sum", bot="of two clocks") == before
    assert counted("tieline_greeting_seconds_count", bot="of two clocks") == 1
    assert counted("tieline_silence_seconds_sum", bot="of two clocks", after="bot") == 0
