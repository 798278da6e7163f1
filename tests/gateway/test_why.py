"""Why a call went as it did, in words: from records and journals of every kind, also of an earlier release."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from actors.call.recorder import ENDED_BY
from actors.messages.journal import CallOpening
from actors.messages.journal_rows import (
    AnsweredRow,
    BotHeardRow,
    BotSaidRow,
    CalledRow,
    CallerBeganRow,
    CallerSaidRow,
    CallerSpokeRow,
    CallRow,
    DialledRow,
    EndedRow,
    ErrorRow,
    ForeignSnapshot,
    ImageRow,
    InheritedRow,
    LookedUpRow,
    LostModelRow,
    ParkedRow,
    ResponseRow,
    ResumedRow,
    Row,
    StoreRow,
    TaskRow,
    UnreadRow,
)
from gateway.why import ENDS, UNSEEN, why
from protocols.vaic_reports import VaicDelays
from store.call_reports import VaicReport
from store.effect_log import LoggedEffect
from store.figures import OUTCOMES
from store.journal import CallRecord
from tests.gateway.traces.journals import CALLER, entries, record_of
from tests.store.other_process import AT, record

OPENING = CallOpening(bot="linden", bot_digest="abcdef0123456789", caller=CALLER, media="raw/lpcm16_24")
ASKED = ForeignSnapshot(visited=("Ask",))


def page(*rows: tuple[float, Row | UnreadRow], effects: Sequence[LoggedEffect] = (), **more: Any) -> str:
    """What is told of a journal with these rows."""
    journal = entries(rows)
    return "\n".join(why(record_of(journal, OPENING), journal, effects, **more))


def section(text: str, title: str) -> list[str]:
    """The lines below a title."""
    lines = text.splitlines()
    start = lines.index(title) + 1
    rest = lines[start:]
    return [line.strip() for line in (rest[: rest.index("")] if "" in rest else rest)]


TALK = (
    (0.0, CallRow(bot="linden", caller=CALLER, media="raw/lpcm16_24")),
    (0.4, DialledRow(took_ms=310)),
    (0.5, LookedUpRow(outcome="found")),
    (2.0, BotSaidRow(item="b-1", text="Hello, this is Linden.")),
    (2.1, BotHeardRow(item="b-1", began_ms=600, heard_ms=1400, generated_ms=1400, complete=True, barged_in=False)),
    (4.0, CallerBeganRow(item="u-1", began_ms=4000)),
    (6.0, CallerSpokeRow(item="u-1", began_ms=4000, ended_ms=6000, quiet_ms=5500)),
    (6.5, CallerSaidRow(item="u-1", text=f"Call me back at {CALLER}.")),
    (6.6, CalledRow(call="k-1", name="callback", arguments="{}", response="r-1")),
    (6.7, TaskRow(run="t1", agent="callback", state="Ask", result="open", snapshot=ASKED)),
    (6.8, AnsweredRow(call="k-1", output='{"say": "When?"}')),
    (9.0, ResponseRow(items=("b-2",), asked_ms=6050, first_ms=8600, model="gpt-realtime", cost_usd=0.0123,
                      rates_left={"tokens": 0.04, "requests": 0.5})),
    (9.1, BotSaidRow(item="b-2", text="At what time?")),
    (9.9, BotHeardRow(item="b-2", began_ms=8900, heard_ms=900, generated_ms=3000, complete=False, barged_in=True,
                      sent_ms=8650)),
)  # fmt: skip


def test_a_call_is_told_turn_by_turn_with_what_was_slow_and_what_it_cost() -> None:
    told = page(*TALK, (12.0, EndedRow(outcome="client-disconnected")))
    lines = told.splitlines()
    assert lines[0] == "c-1: client-disconnected after 0:12"
    assert lines[1] == "2026-11-24 09:30:00 UTC, bot linden abcdef012345, caller +49…10, raw/lpcm16_24"
    assert lines[3:10] == [
        "  0:00.5          * look-up before the call: found",
        '  0:00.6  bot     "Hello, this is Linden."',
        '  0:04.0  caller  "Call me back at +49…10."  [answered after 3.4 s]',
        "  0:06.6          * the model calls callback",
        "  0:06.7          * callback: Ask",
        '  0:08.9  bot     "At"  [2.1 s of it not heard]',
        "  0:12.0          * the end: client-disconnected",
    ]
    assert (
        section(told, "Slow")[0]
        == "0:05.5 answered after 3.4 s: model 2.4 s, endpointing 0.5 s, playout 0.2 s, tool 0.2 s, ours 0.1 s"
    )
    assert section(told, "Tasks") == ["callback: abandoned, by Ask"]
    assert section(told, "Cost") == [
        "0.0123 USD",
        "2.1 s of speech were paid for and not heard",
        "of the model account's limit on tokens 4% was left",
    ]
    assert section(told, "Why it ended") == [
        "The caller hung up.",
        'Last heard from the bot: "At"',
        "Cut short by that: callback",
    ]
    assert "Broke" not in lines
    assert "555010" not in told
    assert CALLER in page(*TALK, unmasked=True)


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ((3300,), ["answer 1 after 3.3 s, by ours 3.4 s"]),
        ((900, 1200, 3300), ["3 answers, median 1.2 s, slowest 3.3 s; by ours 1, so that they cannot be matched"]),
    ],
)
def test_what_voiceai_connect_has_measured_stands_beside_ours(theirs: tuple[int, ...], told: list[str]) -> None:
    report = VaicReport(received_at=AT, delays=tuple(VaicDelays(turn_ms=each) for each in theirs))
    assert section(page(*TALK, report=report), "By VoiceAI Connect's clock") == told


def test_a_call_without_a_model_names_the_cause_and_what_it_means() -> None:
    told = page(
        (0.0, CallRow()),
        (0.1, LostModelRow(reason="ConnectionRefusedError")),
        (9.0, LostModelRow(reason="TimeoutError")),
        (12.0, LostModelRow(reason="ConnectionRefusedError")),
        (20.0, ErrorRow(text="model: ConnectionRefusedError")),
        (24.0, EndedRow(outcome="failed")),
    )
    cause = "nothing listens at the model's address (TIELINE_OPENAI_URL, a proxy before it)"
    assert section(told, "Broke") == [f"model: ConnectionRefusedError: {cause}"]
    assert section(told, "Why it ended")[1] == f"Because of: model: ConnectionRefusedError: {cause}"
    assert section(told, "Tried again") == [
        "the model was dialled again after ConnectionRefusedError, 2 times",
        "the model was dialled again after TimeoutError",
    ]


def test_images_stand_in_the_course_and_those_that_were_not_shown_among_what_broke() -> None:
    told = page(
        (0.0, CallRow()),
        (1.0, ImageRow(key="t1:1:0", file="plan.png")),
        (2.0, ImageRow(key="t2:1:0", kept="card", unseen="too_large")),
        (3.0, ImageRow(key="t2:3:0", kept="card", unseen="too_large")),
        (4.0, ErrorRow(text="model: does not take the image plan.png: invalid_value")),
        (4.0, ImageRow(key="t1:1:0", file="plan.png", unseen="refused")),
        (5.0, EndedRow(outcome="silent")),
    )
    course = [line.partition("* ")[2] for line in told.splitlines()]
    assert [line for line in course if "image" in line] == [
        "the model is shown the image plan.png",
        "the image card is not shown: too_large",
        "the image card is not shown: too_large",
        "broken: model: does not take the image plan.png: invalid_value",
        "the image plan.png is not shown: refused",
    ]
    assert section(told, "Broke") == [
        "model: does not take the image plan.png: invalid_value",
        f"the image card was not shown to the model: {UNSEEN['too_large']}",
    ]


@pytest.mark.parametrize(
    "error",
    [
        "model: limit on rates",
        "model: session refused: invalid_value session.voice",
        "model: closed with 1011",
        "model: answers nothing",
        "model: the model answers nothing",
    ],
)
def test_each_way_to_lose_the_model_is_told_in_words(error: str) -> None:
    told = page((0.0, CallRow()), (20.0, ErrorRow(text=error)), (24.0, EndedRow(outcome="failed")))
    [broke] = section(told, "Broke")
    assert broke.startswith(f"{error}: the ")


def test_a_call_that_moved_and_whose_effects_are_uncertain_says_so() -> None:
    effect = LoggedEffect("c-1:t1:4", "crm.book", "c-1", "t1", CALLER, {}, {}, AT, status="unclear", settled_at=AT)
    told = page(
        (0.0, CallRow()), (1.0, ResumedRow()), (2.0, ParkedRow()), (3.0, InheritedRow()), (4.0, InheritedRow()),
        (4.5, ErrorRow(text="effect crm.find failed: c-1:t1:2")),
        (4.6, ErrorRow(text="effect crm.move failed: status 503: c-1:t1:3")),
        (5.0, ErrorRow(text="effect crm.book unclear: c-1:t1:4")), (6.0, UnreadRow("mood", known=False)),
        (6.5, AnsweredRow(call="k", output='{"error": "wrong_state"}')), (6.6, AnsweredRow(call="l", output="[1")),
        (7.0, TaskRow(run="t1", agent="book", result="failed")), (8.0, EndedRow(outcome="lost")),
        effects=[effect],
    )  # fmt: skip
    assert section(told, "Tried again") == [
        "VoiceAI Connect resumed the call on another socket",
        "another process went on with the call, 2 times",
    ]
    assert section(told, "Effects") == ["crm.book: unclear, begun 09:30:00, settled 09:30:00  (c-1:t1:4)"]
    assert section(told, "Broke") == [
        "effect crm.find failed: c-1:t1:2: not done: the log of that key says why",
        "effect crm.move failed: status 503: c-1:t1:3: not done",
        "effect crm.book unclear: c-1:t1:4: see `tieline effects`, and the log of that key",
        "function calls of the model that were answered with an error: 1",
        "rows of the journal that this release cannot read: 1",
    ]
    assert "  0:02.0          * this process lets the call go, to another one" in told.splitlines()


@pytest.mark.parametrize("outcome", sorted(OUTCOMES | {"open", "call-refused"}))
def test_each_outcome_has_a_sentence(outcome: str) -> None:
    told = why(record(outcome=outcome), ())
    (sentence, *_) = told[told.index("Why it ended") + 1 :]
    assert sentence.strip().endswith(".")
    assert outcome in ENDS or outcome in sentence
    # What VoiceAI Connect has nothing to do with is not said to be its doing.
    assert outcome not in ENDED_BY or outcome in ENDS


def test_a_record_of_an_earlier_release_whose_journal_is_gone_is_told_as_far_as_it_goes() -> None:
    old = CallRecord.model_validate({
        "conversation_id": "c-0", "bot": "front-desk", "caller": "", "media_format": "raw/mulaw",
        "outcome": "completed", "started_at": AT, "ended_at": AT + timedelta(seconds=65),
        "turns": [{"role": "bot", "text": "Hello.", "item_id": "b", "began_ms": None, "ended_ms": None, "heard_ms": 0}],
    })  # fmt: skip
    assert why(old, ()) == [
        "c-0: completed after 1:05",
        "2026-11-24 09:30:00 UTC, bot front-desk, caller withheld, raw/mulaw",
        "",
        '  0:00.0  bot     "Hello."  [never heard]',
        "",
        "Why it ended",
        "  The bot said goodbye and hung up.",
    ]


def test_a_long_turn_is_cut_to_a_line() -> None:
    told = page((0.0, CallRow()), (1.0, CallerSaidRow(item="u", text="word " * 200)), (2.0, EndedRow(outcome="silent")))
    assert max(map(len, told.splitlines())) < 130


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ([(25.0, StoreRow())], "0:14 to 0:25: nothing could be confirmed to the caller meanwhile"),
        ([(25.0, StoreRow(fault="a call's lease cannot be written")), (26.0, StoreRow())],
         "0:14 to 0:26: nothing could be confirmed to the caller meanwhile"),
        ([(20.0, InheritedRow()), (21.0, StoreRow())],
         "0:14 to 0:20: nothing could be confirmed to the caller meanwhile"),
        ([], "0:14 on: nothing could be confirmed to the caller"),
    ],
)  # fmt: skip
def test_a_store_that_was_away_during_the_call_is_told(then: list[tuple[float, Row]], told: str) -> None:
    away = (14.0, StoreRow(fault="the store does not answer"))
    lines = page(*TALK, away, *then, (30.0, EndedRow(outcome="client-disconnected")))
    assert section(lines, "Broke") == [f"the store does not answer from {told}"]
    assert "  0:14.0          * the store does not answer: noticed now, it may have begun 12 s before" in lines
    assert ("the store answers again" in lines) == (StoreRow() in [row for _, row in then])
