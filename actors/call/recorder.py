"""A call's recorder: turns every fact into a row and writes it to the transcript and the journal as it happens.

Not an actor: the part of a call's supervisor that writes.
May import: actors, fsm, protocols, store's record types, loguru, pydantic, the standard library.
Rules from: docs/architecture.md 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never

from pydantic import JsonValue

from actors.call.cost_limit import CostLimit
from actors.call.transcript import Transcript
from actors.messages.call import (
    AskedAside,
    BotHeard,
    BotSaid,
    CallerSaid,
    CallerSpeaks,
    ClipHeard,
    EffectFailed,
    FunctionCalled,
    LookedUp,
    PartyTranscribed,
    ResponseEnded,
    SpeechFact,
    Usage,
)
from actors.messages.journal import AppendRow, DraftRecord, WriteRecord
from actors.messages.journal_rows import (
    ActivitiesSeenRow,
    ActivityRow,
    AnsweredRow,
    BotHeardRow,
    BotSaidRow,
    CalledRow,
    CallerBeganRow,
    CallerSaidRow,
    CallerSpokeRow,
    CallerTypedRow,
    CallRow,
    ClipRow,
    DialledRow,
    EndedRow,
    ErrorRow,
    ImageRow,
    InheritedRow,
    JournalEntry,
    LookedUpRow,
    LostModelRow,
    OwedRow,
    ParkedRow,
    RecordingRow,
    ResponseRow,
    ResumedRow,
    Row,
    StartRow,
    StoreRow,
    TaskRow,
    WordsRow,
)
from actors.metrics import (
    ANSWER_S,
    ANSWER_STAGE_S,
    CALL_S,
    CALLS_ENDED,
    COST_USD,
    DIAL_S,
    GREETING_S,
    SILENCE_S,
    TASKS_ENDED,
    TOKENS,
    TRANSCRIBED_S,
    UNHEARD_S,
    YIELD_S,
    from_zero,
)
from actors.services import Services
from actors.system.address import send
from actors.tasks.handle import ABANDONED, TaskHandle
from actors.tasks.replay import owed_left
from actors.transport.violations import cut
from fsm.redacted_turns import RedactedSpeech, Role, Words
from fsm.redaction import Redaction
from protocols.ledger import ItemHeard
from protocols.limits import CALL_CHARS, MOST_ERRORS
from protocols.media import KNOWN, held_back_ms
from store.figures import OTHER, OUTCOMES, AnswerFigures
from store.journal import CallRecord

# Of an answer's time in the metrics: names the call, in so many characters at most (OpenMetrics: 128 with the name).
EXEMPLAR, EXEMPLAR_CHARS = "call", 100
from_zero(CALLS_ENDED, *OUTCOMES, OTHER)
# Who ended a call, by its outcome; any other outcome is a reason code of VAIC's.
ENDED_BY = {
    "completed": "bot",
    "transferred": "bot",
    "silent": "bot",
    "too-long": "bot",
    "too-costly": "bot",
    "client-disconnected": "caller",
    "failed": "tieline",
    "drained": "tieline",
    "lost": "nobody",
}


def log_end(record: CallRecord, log: Any) -> None:
    """The one line that tells how a call ended. log: bound to the conversation."""
    lasted_s = round((record.ended_at - record.started_at).total_seconds(), 1)
    by = ENDED_BY.get(record.outcome, "vaic")
    log.info("call ended", outcome=record.outcome, by=by, s=lasted_s, bot=record.bot)


def count_end(record: CallRecord) -> None:
    """Count a call that has ended, and what is known only then."""
    label = record.outcome if record.outcome in OUTCOMES else OTHER
    CALLS_ENDED.labels(label).inc()
    CALL_S.labels(label).observe(max(0.0, (record.ended_at - record.started_at).total_seconds()))
    figures = record.figures
    if figures.greeting_ms is not None:
        GREETING_S.labels(record.bot).observe(_seconds(figures.greeting_ms))
    for silence in figures.silences:
        SILENCE_S.labels(record.bot, silence.after).observe(_seconds(silence.length_ms))
    for turn in record.turns:
        if turn.yield_ms is not None:
            YIELD_S.labels(record.bot).observe(_seconds(turn.yield_ms))
    UNHEARD_S.labels(record.bot).inc(figures.unheard_ms / 1000)
    for task in record.tasks:
        if task.result == ABANDONED:
            TASKS_ENDED.labels(task.agent, ABANDONED).inc()


def _seconds(length_ms: float) -> float:
    """For a histogram. A call that went on in another process has times of two clocks, one of which may have been set:
    none of its lengths is below 0, which would make the sum of a metric fall.
    """
    return max(0.0, length_ms / 1000)


def count_end_for_another(record: CallRecord) -> None:
    """Count a call whose process has died, and what that one had not counted when it happened."""
    count_end(record)
    answers = (turn.answer for turn in record.turns if turn.answer is not None)
    _observe_answers((each for each in answers if not each.complete), record.conversation_id, record.bot)


def _observe_answers(answers: Iterable[AnswerFigures], call: str, bot: str) -> None:
    """call: its id, by which a dashboard finds the call of a slow answer; without it where it is no short text."""
    exemplar = {EXEMPLAR: call} if len(call) <= EXEMPLAR_CHARS and call.isprintable() else None
    for answer in answers:
        ANSWER_S.labels(bot).observe(_seconds(answer.answer_ms), exemplar)
        for stage, length_ms in answer.stages.items():
            ANSWER_STAGE_S.labels(bot, stage).observe(_seconds(length_ms), exemplar)


class CallRecorder:
    """Writes one call's rows. transcript: of the call so far. log: a logger bound to the conversation."""

    def __init__(self, services: Services, transcript: Transcript, log: Any) -> None:
        self.transcript = transcript
        self.clips = services.profile.clips
        self._services = services
        self._stored = services.profile.redaction
        # Elsewhere arguments are kept whole: another process may have to make the call again.
        self._stored_of_call = Redaction(frozenset({"cards"} if services.profile.takes_secrets else ()))
        self._log = log
        media = KNOWN.get(transcript.media_format)
        self._held_back_ms = 0 if media is None else held_back_ms(media)  # of what the model has heard
        self.budget = CostLimit(
            transcript.conversation_id,
            services.bot.name,
            services.profile,
            transcript.figures.all,
            services.spending,
        )
        self._speech = RedactedSpeech(labelled=services.profile.assists)
        self._rows = 0
        self._chars = 0  # of words and arguments so far
        self._owed = OwedRow()  # as the journal has it
        self._lost = ""  # why the model was lost last
        self._ended: tuple[str, datetime] | None = None  # as the journal has it: the outcome, and when

    # --- the conversation ---

    def note(self, fact: SpeechFact) -> SpeechFact:
        """Record a fact. Returns it as far as it was recorded: no other part of the call keeps more of its words.

        What the bot's redaction leaves out stands in it yet, for its tasks.
        """
        if isinstance(fact, CallerSaid | BotSaid):
            fact = replace(fact, text=self._within(fact.text))
            self._note_words(fact)
        else:
            self._write(self._row(fact))
        return fact

    def bot_unheard(self, item_id: str) -> ItemHeard:
        """The bot spoke an item while the caller had no socket. Returns what is recorded: 0 ms heard."""
        unheard = ItemHeard(item_id, heard_ms=0, generated_ms=0, began_ms=None, complete=False)
        self.note(BotHeard(unheard, barged_in=False))
        return unheard

    def called(self, call: FunctionCalled) -> None:
        arguments = self._stored_of_call(self._within(call.arguments))
        self._write(CalledRow(call=call.call_id, name=call.name, arguments=arguments, response=call.response_id))

    def answered(self, call_id: str, output: str) -> bool:
        """Record the output of a function call. Returns False if there was no such call."""
        known = self.transcript.has_call(call_id)
        if known:
            self._write(AnsweredRow(call=call_id, output=output))
        return known

    def typed(self, text: str, at_ms: float) -> None:
        self._write(CallerTypedRow(text=self._stored(text), at_ms=self._since(at_ms)))

    def task(self, run: TaskHandle) -> None:
        """Record a task's current state."""
        run_id = run.context.run_id
        snapshot = run.status.snapshot if run.status else None  # None if it crashed in its first step
        state = snapshot.visited[-1] if snapshot and snapshot.visited else ""
        self._write(
            TaskRow(
                run=run_id,
                agent=run.spec.name,
                response=run.response_id,
                state=state,
                result=run.result,
                snapshot=snapshot,
            )
        )
        self._log.info("task", run=run_id, agent=run.spec.name, state=state, result=run.result)

    def task_gone(self, row: TaskRow) -> None:
        """Record that an open task of another process cannot go on here. row: its last."""
        self._write(row.model_copy(update={"result": "failed", "snapshot": None}))

    def owed(self, row: OwedRow) -> None:
        """Record what the caller must hear yet, if that has changed."""
        if row != self._owed:
            self._owed = row
            self._write(row)

    def asked_aside(self, asked: AskedAside) -> None:
        """A task's question to the model was answered; nobody has heard it."""
        self._write(ResponseRow(status="aside", **self._billed(asked.used, "aside")))

    def party_transcribed(self, transcribed: PartyTranscribed) -> None:
        """What a party said was transcribed; the words are recorded as what the model is told of them."""
        self._write(ResponseRow(status="transcript", **self._billed(transcribed.used, "transcript")))

    def dialled(self, took_ms: float) -> None:
        """A connection to the model was opened."""
        DIAL_S.observe(took_ms / 1000)
        self._write(DialledRow(took_ms=round(took_ms)))

    def lost_model(self, reason: str, *, was_there: bool) -> None:
        """Record that the model was lost and another session is tried. was_there: one was, and is told again."""
        if was_there or reason != self._lost:
            self._lost = reason
            self._write(LostModelRow(reason=reason))

    def error(self, text: str) -> bool:
        """Record a failure; of a call with too many of them no more. text: must hold none of the caller's words.

        Returns whether it was recorded.
        """
        if len(self.transcript.errors) >= MOST_ERRORS:
            return False
        self._write(ErrorRow(text=text))
        return True

    def store_changed(self, fault: str) -> None:
        """The store cannot be used any more, or can again. fault: why not, "" if it can."""
        self._write(StoreRow(fault=fault))

    def not_played(self, reason: str) -> None:
        """Record and log once that VAIC could not play a recording. reason: VAIC's."""
        if self._error_once(f"playUrl: {reason}"):
            self._log.warning("VAIC could not play a recording", reason=reason)

    def setting_refused(self, setting: str) -> None:
        """Record once that the model's server refuses a setting of the session."""
        self._error_once(f"model: refuses {setting}")

    def effect_failed(self, failure: EffectFailed) -> None:
        """Record once that an effect failed or is unclear: a task that is asked again gets the first result again."""
        told = f"effect {failure.effect} {failure.result}: "
        if not any(each.startswith(told) and each.endswith(failure.key) for each in self.transcript.errors):
            self.error(f"{told}{failure.why}{': ' if failure.why else ''}{failure.key}")

    def _error_once(self, text: str) -> bool:
        return text not in self.transcript.errors and self.error(text)

    # --- where the call is ---

    def began(self) -> None:
        call = self.transcript
        row = CallRow(bot=call.bot, bot_digest=call.bot_digest, caller=call.caller, media=call.media_format)
        self._write(row, call.started_at)

    def looked_up(self, found: LookedUp) -> None:
        """The look-up before the call has ended. found: as it is kept."""
        self._stored = self._stored.knowing(found.values)
        self._write(LookedUpRow(outcome=found.outcome, values=dict(found.values)))

    def started(self, parameters: Mapping[str, JsonValue]) -> None:
        """VAIC's `start` has come. parameters: as they are kept."""
        self._write(StartRow(parameters=dict(parameters)))

    def activities_seen(self, ids: tuple[str, ...]) -> None:
        """VAIC has sent activities with these ids."""
        self._write(ActivitiesSeenRow(ids=ids))

    def activity(self, row: ActivityRow) -> None:
        """VAIC is asked for something."""
        self._write(row)

    def image(self, row: ImageRow) -> None:
        """A task shows the model an image, or it is known that it could not."""
        self._write(row)

    def image_refused(self, row: ImageRow, why: str) -> None:
        """Record once that the model's server does not take an image. why: the server's code."""
        self._error_once(f"model: does not take the image {row.name}: {why}")

    def recording(self, what: str, at_ms: float, words: str, from_ms: float | None, to_ms: float | None) -> None:
        """One step to a recording of the call."""
        self._write(
            RecordingRow(
                what=what,
                at_ms=self._since(at_ms),
                words=self._stored(words),
                from_ms=self._since_or_none(from_ms),
                to_ms=self._since_or_none(to_ms),
            )
        )

    def resumed(self) -> None:
        """VAIC resumed the call on another socket."""
        self._write(ResumedRow())

    def parked(self) -> None:
        """Record that this process releases the call for another one."""
        self._write(ParkedRow())

    def restore(self, rows: Sequence[JournalEntry], last_seq: int = 0) -> None:
        """Go on from the rows another process wrote. last_seq: of the last one, which may be unreadable."""
        for entry in rows:
            self.transcript.enter(entry)
            match entry.row:
                case CallerSaidRow(text=text) | BotSaidRow(text=text) | CalledRow(arguments=text):
                    self._chars += len(text)
                case _:
                    pass
            match entry.row:
                case CallerSaidRow(item=item, text=text):
                    self._speech.restore("caller", item, text, self._stored)
                case BotSaidRow(item=item, text=text):
                    self._speech.restore("bot", item, text, self._stored)
                case WordsRow(role=role, item=item, text=text):
                    self._speech.restore_whole(role, item, text)
                case LookedUpRow(values=values):
                    self._stored = self._stored.knowing(values)
                case _:
                    pass
        self.transcript.figures.new_answers()  # that process has counted them
        self._rows = max(last_seq, rows[-1].seq if rows else 0)
        self._owed = owed_left(rows)
        self._write(InheritedRow())

    def describe(self) -> CallRecord:
        """The record as it is now. Its outcome is "open" until one was written."""
        return self.transcript.record(*(self._ended or ("open", self._services.now())))

    def draft(self, outcome: str) -> None:
        """The caller has left, but a task is in the middle of a step: write the record so far."""
        send(self._services.journal, DraftRecord(self._last_record(outcome)))

    def close(self, outcome: str) -> None:
        """The call has ended: write its record."""
        record = self._last_record(outcome, over=True)
        self._observe_answers(over=True)
        count_end(record)
        log_end(record, self._log)
        self.budget.close()
        send(self._services.journal, WriteRecord(record))

    def _last_record(self, outcome: str, *, over: bool = False) -> CallRecord:
        """The record of the ended call. over: no task goes on.

        The end is written to the journal once, unless the outcome changes.
        """
        self._note_whole(self._speech.ended(self._stored))
        if self._ended is None or self._ended[0] != outcome:
            self._ended = outcome, self._services.now() if self._ended is None else self._ended[1]
            self._write(EndedRow(outcome=outcome), self._ended[1])
        return self.transcript.record(*self._ended, over=over)

    # --- rows ---

    def _row(self, fact: CallerSpeaks | BotHeard | ClipHeard | ResponseEnded) -> Row:
        match fact:
            case CallerSpeaks(began=True):
                onset_ms = self._spoken(fact)
                return CallerBeganRow(item=fact.item_id, began_ms=self._since(fact.at_ms), onset_ms=onset_ms)
            case CallerSpeaks():
                began_ms, ended_ms = self.transcript.speech_began_ms(fact.item_id), self._since(fact.at_ms)
                return CallerSpokeRow(
                    item=fact.item_id,
                    began_ms=self._since_or_none(began_ms),
                    ended_ms=ended_ms,
                    quiet_ms=self._spoken(fact),
                )
            case BotHeard(item=item):
                return BotHeardRow(
                    item=item.item_id,
                    began_ms=self._since_or_none(item.began_ms),
                    heard_ms=item.heard_ms,
                    generated_ms=item.generated_ms,
                    complete=item.complete,
                    barged_in=fact.barged_in,
                    sent_ms=self._since_or_none(item.sent_ms),
                )
            case ClipHeard(item=item):
                return ClipRow(
                    text=self.clips[fact.clip].words,
                    item=item.item_id,
                    began_ms=self._since_or_none(item.began_ms),
                    heard_ms=item.heard_ms,
                    generated_ms=item.generated_ms,
                    complete=item.complete,
                )
            case ResponseEnded():
                return ResponseRow(
                    status=fact.status,
                    usage=dict(fact.usage),
                    items=fact.spoken_items,
                    asked_ms=self._since_or_none(fact.asked_ms),
                    first_ms=self._since_or_none(fact.first_ms),
                    rates_left=dict(fact.rates_left),
                    **self._billed(fact.used, "response"),
                )
            case _:
                assert_never(fact)

    def _note_words(self, fact: CallerSaid | BotSaid) -> None:
        """Record a turn's words, and all those of turns before it that need not be held back any more."""
        role: Role = "caller" if isinstance(fact, CallerSaid) else "bot"
        text, whole = self._speech.said(role, fact.item_id, fact.text, self._stored)
        if isinstance(fact, CallerSaid):
            self._write(CallerSaidRow(item=fact.item_id, text=text, **self._billed(fact.used, "transcript")))
        else:
            self._write(BotSaidRow(item=fact.item_id, text=text))
        self._note_whole(whole)

    def _note_whole(self, whole: Iterable[Words]) -> None:
        for role, item, text in whole:
            self._write(WordsRow(role=role, item=item, text=text))

    def _billed(self, used: Usage, what: str) -> dict[str, Any]:
        """Count what was used. Returns it as the fields of a row. what: a response, a transcript or an aside."""
        prices = self._services.prices
        cost_usd = prices.cost(used.model, used.tokens, used.seconds)
        for kind, count in used.tokens.items():
            direction, modality, *cached = kind.split("_")
            TOKENS.labels(prices.name(used.model), direction, modality, "true" if cached else "false").inc(count)
        TRANSCRIBED_S.inc(used.seconds)
        COST_USD.labels(self.transcript.bot, what).inc(cost_usd or 0.0)
        return {"model": used.model, "tokens": dict(used.tokens), "seconds": used.seconds, "cost_usd": cost_usd}

    def _within(self, text: str) -> str:
        """As much of a text from outside as the call's record still has room for."""
        text = cut(text, CALL_CHARS - self._chars, "transcripts of a call")
        self._chars += len(text)
        return text

    def _spoken(self, fact: CallerSpeaks) -> int | None:
        """When VAIC sent the sample of which the model tells."""
        return None if fact.spoken_ms is None else self._since(fact.spoken_ms - self._held_back_ms)

    def _since(self, at_ms: float) -> int:
        """In ms from the call's start, because another process has another monotonic clock."""
        return round(at_ms - self.transcript.began_ms)

    def _since_or_none(self, at_ms: float | None) -> int | None:
        return None if at_ms is None else self._since(at_ms)

    def _write(self, row: Row, at: datetime | None = None) -> None:
        """Write the same row to the transcript and the journal. at: default now."""
        self._rows += 1
        entry = JournalEntry(self.transcript.conversation_id, self._rows, at or self._services.now(), row)
        self.transcript.enter(entry)
        self._observe_answers()
        send(self._services.journal, AppendRow(entry))

    def _observe_answers(self, *, over: bool = False) -> None:
        """Count those that are complete now. over: the others too."""
        if answers := self.transcript.figures.new_answers(over=over):
            _observe_answers(answers, self.transcript.conversation_id, self.transcript.bot)
