"""A call with all that a trace has: its journal, as two processes wrote it, and its effect."""

from __future__ import annotations

from datetime import datetime, timedelta

from actors.call.replay import left_record
from actors.messages.journal import CallOpening, ResumeState
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
    InheritedRow,
    JournalEntry,
    LostModelRow,
    ParkedRow,
    ResponseRow,
    ResumedRow,
    Row,
    StoreRow,
    TaskRow,
    UnreadRow,
)
from store.effect_log import LoggedEffect
from store.journal import CallRecord
from tests.store.other_process import AT

KEY, CALLER = "c-1", "+4930555010"
TOKENS = {"input_audio": 100, "input_audio_cached": 40, "input_text": 300, "output_audio": 60, "output_text": 20}
MODEL = "gpt-realtime"
OPENING = CallOpening(bot="linden", bot_digest="abc", caller=CALLER, media="raw/mulaw")
TALK: tuple[tuple[float, Row | UnreadRow], ...] = (
    (0.0, CallRow(bot="linden", bot_digest="abc", caller=CALLER, media="raw/mulaw")),
    (0.4, DialledRow(took_ms=310)),
    (2.0, ResponseRow(status="completed", items=("b-1",), asked_ms=450, first_ms=550, model=MODEL)),
    (2.0, BotSaidRow(item="b-1", text="Hello, this is Linden.")),
    (2.1, BotHeardRow(item="b-1", began_ms=600, heard_ms=1400, generated_ms=1400, complete=True, barged_in=False)),
    (4.0, CallerBeganRow(item="u-1", began_ms=4000)),
    (6.0, CallerSpokeRow(item="u-1", began_ms=4000, ended_ms=6000, quiet_ms=5500)),
    (6.5, CallerSaidRow(item="u-1", text=f"Call {CALLER} or 030 555 0110 on 2026-11-24.", model="whisper")),
    (6.6, CalledRow(call="k-1", name="callback", arguments='{"topic": "billing"}', response="r-1")),
    (6.6, ResponseRow(status="completed", asked_ms=6050, model=MODEL, tokens=TOKENS, cost_usd=0.01)),
    (6.7, TaskRow(run="t1", agent="callback", response="r-1", state="Execute", result="open")),
    (7.4, TaskRow(run="t1", agent="callback", response="r-1", state="Done", result="completed")),
    (7.4, AnsweredRow(call="k-1", output='{"say": "We will call you."}')),
    (9.0, ResponseRow(status="completed", items=("b-2",), asked_ms=7450, first_ms=8600, model=MODEL)),
    (9.1, BotSaidRow(item="b-2", text="We will call you.")),
    (9.9, BotHeardRow(item="b-2", began_ms=8900, heard_ms=900, generated_ms=3000, complete=False, barged_in=True,
                      sent_ms=8650)),
    (10.0, ParkedRow()),
    (10.5, InheritedRow()),
    (10.5, ResumedRow()),
    (10.6, LostModelRow(reason="ConnectionRefusedError")),
    (10.7, StoreRow(fault="the store does not answer")),
    (10.9, StoreRow()),
    (11.0, CallerBeganRow(item="u-2", began_ms=11000)),
    (12.0, CallerSpokeRow(item="u-2", began_ms=11000, ended_ms=12000, quiet_ms=11800)),
    (12.2, CalledRow(call="k-2", name="price", arguments="{}", response="r-2")),
    (12.3, AnsweredRow(call="k-2", output='{"error": "bad_value"}')),
    (12.4, ResponseRow(status="failed", asked_ms=12050, model=MODEL)),
    (12.5, UnreadRow("of tomorrow", known=False)),
    (13.0, ErrorRow(text="model: ConnectionRefusedError")),
    (20.0, EndedRow(outcome="failed")),
)  # fmt: skip
EFFECT = LoggedEffect(
    key="c-1:t1:3",
    name="crm.callback",
    conversation_id=KEY,
    run_id="t1",
    caller=CALLER,
    slots={},
    facts={},
    intended_at=AT + timedelta(seconds=6.8),
    status="ok",
    settled_at=AT + timedelta(seconds=7.3),
)


def entries(rows: tuple[tuple[float, Row | UnreadRow], ...] = TALK, key: str = KEY) -> tuple[JournalEntry, ...]:
    """A journal. rows: each with the seconds from the call's start."""
    return tuple(JournalEntry(key, seq, moment(at_s), row) for seq, (at_s, row) in enumerate(rows, 1))


def moment(at_s: float) -> datetime:
    return AT + timedelta(seconds=at_s)


def record_of(journal: tuple[JournalEntry, ...], opening: CallOpening = OPENING) -> CallRecord:
    whole = left_record(journal[0].conversation_id, ResumeState(opening, journal))
    assert whole is not None
    return whole
