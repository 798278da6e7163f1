"""The call report: what was said and heard, when, and what went wrong.

May import: lab.caller, pydantic, the standard library.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from lab.caller.ear import UNITS_PER_MS, HeardUtterance
from lab.caller.mouth import SpokenSentence
from lab.caller.phone import Phone, WrittenText
from lab.caller.record import DaemonRecord, RecordedTurn

Role = Literal["caller", "bot"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Part):
    """One sentence of the script, or one utterance of the bot; times in ms since `session.initiate`.

    heard_ms: of a bot's turn, what the caller heard; of a caller's, what was sent. sent_ms: all that was sent or said:
    more than heard_ms if the turn was cut; both 0 of a text. gap_ms: silence inside it because audio came late.
    """

    role: Role
    text: str
    began_ms: int
    ended_ms: int
    heard_ms: int
    sent_ms: int
    gap_ms: int = 0


class Task(_Part):
    """One run of a task in the daemon."""

    agent: str
    run_id: str | None
    states: tuple[str, ...]
    result: Any


class Outage(_Part):
    """A lost socket. resumed_ms: when the call was resumed, None if it was not."""

    lost_ms: int
    code: int
    resumed_ms: int | None


class Asked(_Part):
    """An activity of the bot. params: its parameters, or its value."""

    name: str
    params: Any
    at_ms: int


class CallReport(_Part):
    """One call, as its caller experienced it.

    outcome: the end as the caller has it: bot-disconnected, client-disconnected, transferred, refused or error.
    recorded_outcome: what the daemon's record says; None without one.
    first_audio_ms: for each caller turn, from the end of its speech to the bot's first sound after it; 0 if the bot
    did not wait for that end, None if it did not speak before the caller's next turn.
    barge_ins: how often the bot was interrupted; barge_in_stop_ms: for each one by the caller's speech, from its first
    sound to the bot's last. activities: what the bot asked VAIC for, in order. max_lead_ms: the most the bot's audio
    was ahead of playback. usage: of the daemon's record.
    """

    conversation_id: str
    outcome: str
    media_format: str | None
    turns: tuple[Turn, ...]
    tasks: tuple[Task, ...]
    first_audio_ms: tuple[int | None, ...]
    barge_ins: int
    barge_in_stop_ms: tuple[int, ...]
    outages: tuple[Outage, ...]
    transfer_target: str | None
    activities: tuple[Asked, ...]
    max_lead_ms: int
    usage: Any
    errors: tuple[str, ...]
    recorded_outcome: str | None = None


def report_call(conversation_id: str, phone: Phone, record: DaemonRecord | None) -> CallReport:
    """Combine what the phone knows with the daemon's record."""
    progress = phone.progress
    said, heard = phone.mouth.utterances, phone.ear.runs
    ended_ms = phone.now_ms if progress.ended_ms is None else progress.ended_ms
    caller = _worded([_caller_turn(utterance, ended_ms) for utterance in said], record)
    bot = _worded([_bot_turn(run) for run in heard], record)
    written = [_written_turn(each) for each in phone.texts]
    daemon_errors = tuple(f"daemon: {error}" for error in record.errors) if record else ()
    return CallReport(
        conversation_id=conversation_id,
        outcome=progress.outcome,
        media_format=phone.media.name if phone.media else None,
        turns=tuple(sorted(caller + bot + written, key=lambda turn: turn.began_ms)),
        tasks=tuple(Task(**task.model_dump()) for task in record.tasks) if record else (),
        first_audio_ms=tuple(first_audio(said, heard)),
        barge_ins=progress.barge_ins,
        barge_in_stop_ms=tuple(progress.barge_in_stop_ms),
        outages=tuple(
            Outage(lost_ms=each.lost_ms, code=each.code, resumed_ms=each.resumed_ms) for each in progress.losses
        ),
        transfer_target=progress.transfer_target,
        activities=tuple(Asked(name=it.name, params=it.params, at_ms=it.at_ms) for it in phone.requests.all),
        max_lead_ms=phone.ear.max_lead_ms,
        usage=record.usage if record else None,
        errors=(*phone.complaints.lines(), *daemon_errors),
        recorded_outcome=record.outcome if record else None,
    )


def first_audio(said: list[SpokenSentence], heard: list[HeardUtterance]) -> list[int | None]:
    """For each sentence, the ms from its end to the bot's first sound; None if the next sentence came first."""
    latencies: list[int | None] = []
    for number, utterance in enumerate(said):
        until_ms = said[number + 1].onset_ms if number + 1 < len(said) else None
        answer = next(
            (run.began_ms for run in heard if run.began_ms >= utterance.onset_ms and run.ended_ms > utterance.end_ms),
            None,
        )
        answered = answer is not None and (until_ms is None or answer < until_ms)
        latencies.append(max(answer - utterance.end_ms, 0) if answer is not None and answered else None)
    return latencies


def _caller_turn(utterance: SpokenSentence, call_ended_ms: int) -> Turn:
    ended_ms = max(min(utterance.end_ms, call_ended_ms), utterance.onset_ms)
    return Turn(
        role="caller",
        text=utterance.text,
        began_ms=utterance.onset_ms,
        ended_ms=ended_ms,
        heard_ms=utterance.sent_ms,
        sent_ms=ended_ms - utterance.onset_ms,
    )


def _bot_turn(run: HeardUtterance) -> Turn:
    return Turn(
        role="bot",
        text=run.text,
        began_ms=run.began_ms,
        ended_ms=run.ended_ms,
        heard_ms=run.heard_ms,
        sent_ms=run.sent_ms,
        gap_ms=run.gap_units // UNITS_PER_MS,
    )


def _written_turn(text: WrittenText) -> Turn:
    return Turn(role=text.role, text=text.text, began_ms=text.at_ms, ended_ms=text.at_ms, heard_ms=0, sent_ms=0)


def _worded(turns: list[Turn], record: DaemonRecord | None) -> list[Turn]:
    """The turns of one role, with the text of the daemon's record."""
    if record is None or not turns:
        return turns
    recorded = [each for each in record.turns if each.role == turns[0].role and each.text and each.heard_ms != 0]
    words: list[list[str]] = [[] for _ in turns]
    for place, each in enumerate(recorded):
        words[_match(place, each, turns, paired=len(recorded) == len(turns))].append(each.text or "")
    return [
        turn.model_copy(update={"text": " ".join(said) or turn.text}) for turn, said in zip(turns, words, strict=True)
    ]


def _match(place: int, recorded: RecordedTurn, turns: list[Turn], *, paired: bool) -> int:
    """The turn a recorded one corresponds to: by order if the numbers agree, else the nearest by start."""
    began_ms = recorded.began_ms
    if paired or began_ms is None:
        return min(place, len(turns) - 1)
    return min(range(len(turns)), key=lambda number: abs(turns[number].began_ms - began_ms))
