"""Reads a call from its journal, for a process that takes it over or closes its record.

Pure. May import: actors, protocols, store's record types, the standard library.
Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from actors.call.transcript import Transcript
from actors.messages.journal import CallOpening, ResumeState
from actors.messages.journal_rows import CallRow, EndedRow, InheritedRow, JournalEntry
from actors.services import Services
from protocols.media import MediaFormat
from protocols.vaic import SessionInitiate
from store.journal import CallRecord

LOST = "lost"


def initiate_of(conversation_id: str, opening: CallOpening) -> SessionInitiate:
    """The session.initiate the call began with, as far as the journal keeps it."""
    return SessionInitiate(
        conversation_id=conversation_id,
        caller=opening.caller,
        expect_audio_messages=not opening.text,
        supported_media_formats=(opening.media,) if opening.media else (),
    )


def began_at(resume_state: ResumeState) -> datetime | None:
    """When the call began; None if its journal is empty."""
    return resume_state.rows[0].at if resume_state.rows else None


def opening_in(rows: Sequence[JournalEntry]) -> CallOpening:
    """What the journal's first row keeps of the call's beginning; nothing of one that has lost it."""
    first = rows[0].row if rows else None
    if not isinstance(first, CallRow):
        return CallOpening()
    return CallOpening(bot=first.bot, bot_digest=first.bot_digest, caller=first.caller, media=first.media)


def new_transcript(
    services: Services, initiate: SessionInitiate, media: MediaFormat, now_ms: float, resume_state: ResumeState | None
) -> Transcript:
    """An empty transcript of a new call, or of one that is taken over. now_ms: on the call's clock."""
    now = services.now()
    began = (resume_state and began_at(resume_state)) or now
    began_ms = round(now_ms - (now - began).total_seconds() * 1000)
    bot = services.bot
    return Transcript(
        initiate.conversation_id, bot.name, initiate.caller, media.name, began, began_ms, bot_digest=bot.digest
    )


def left_record(conversation_id: str, resume_state: ResumeState, outcome: str = LOST) -> CallRecord | None:
    """The record of a call as its journal has it; None if that is empty.

    outcome: if the journal holds no end of the call; by default its process is gone, and it was not resumed. The end is
    the time of the last row then.
    """
    began, opening, rows = began_at(resume_state), resume_state.opening, resume_state.rows
    if began is None:
        return None
    transcript = Transcript(
        conversation_id, opening.bot, opening.caller, opening.media, began, 0, bot_digest=opening.bot_digest
    )
    for entry in rows:
        transcript.enter(entry)
    return transcript.record(*(transcript.ended or (outcome, rows[-1].at)), over=outcome == LOST)


def end_row(record: CallRecord, resume_state: ResumeState) -> JournalEntry | None:
    """The row that ends the journal of such a call; None if it has one. record: from `left_record`."""
    for entry in reversed(resume_state.rows):
        if isinstance(entry.row, EndedRow):
            return None
        if isinstance(entry.row, InheritedRow):
            break
    seq = max(resume_state.last_seq, resume_state.rows[-1].seq) + 1
    return JournalEntry(record.conversation_id, seq, record.ended_at, EndedRow(outcome=record.outcome))
