"""A call read back from its journal, by whoever goes on with it or brings it to its end.

The rows are written by actors/call/recorder.py; one that holds less than is needed is left out.
Pure. May import: actors, fsm, protocols, store's record types, the standard library.
Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from actors.call.transcript import Transcript
from actors.messages.journal import ResumeState
from actors.services import Services
from protocols.ledger import ItemHeard
from protocols.media import MediaFormat
from protocols.vaic import SessionInitiate
from store.journal import CallRecord, JournalRow, TaskRecord

LOST = "lost"


def opening_of(initiate: SessionInitiate, media: str) -> dict[str, object]:
    """What the lease of a call says of it, for `initiate_of`."""
    return {"bot": initiate.bot_name, "caller": initiate.caller, "media": media}


def initiate_of(conversation_id: str, opening: Mapping[str, Any]) -> SessionInitiate:
    """What the call was opened with, as far as it matters later."""
    return SessionInitiate(
        conversation_id=conversation_id,
        bot_name=str(opening.get("bot", "")),
        caller=str(opening.get("caller", "")),
        expect_audio_messages=True,
        supported_media_formats=(str(opening.get("media", "")),),
    )


def began_at(resume_state: ResumeState) -> datetime | None:
    """When the call began; None where nothing tells."""
    return resume_state.rows[0].at if resume_state.rows else None


def new_transcript(
    services: Services, initiate: SessionInitiate, media: MediaFormat, now_ms: float, resume_state: ResumeState | None
) -> Transcript:
    """The book of a call that begins; or, still empty, of one that began elsewhere. now_ms: on the call's clock."""
    now = services.now()
    began = (resume_state and began_at(resume_state)) or now
    began_ms = now_ms - (now - began).total_seconds() * 1000
    return Transcript(initiate.conversation_id, initiate.bot_name, initiate.caller, media.name, began, began_ms)


def fill(transcript: Transcript, rows: Sequence[JournalRow]) -> None:
    """Put into a call's book what its journal tells. Times in rows are ms from the call's start."""
    for row in rows:
        try:
            _enter(transcript, row)
        except (KeyError, TypeError, ValueError):
            transcript.errors.append(f"journal: {row.kind} cannot be read")


def left_record(conversation_id: str, resume_state: ResumeState) -> CallRecord | None:
    """The record of a call that nobody will go on with; None where too little is known of it."""
    began, rows = began_at(resume_state), resume_state.rows
    if began is None:
        return None
    initiate = initiate_of(conversation_id, resume_state.opening)
    media = str(resume_state.opening.get("media", ""))
    transcript = Transcript(conversation_id, initiate.bot_name, initiate.caller, media, began, 0.0)
    fill(transcript, rows)
    return transcript.record(LOST, rows[-1].at if rows else began)


def _enter(transcript: Transcript, row: JournalRow) -> None:
    body: Mapping[str, Any] = row.body

    def at_ms(name: str) -> float:
        return transcript.began_ms + float(body[name])

    match row.kind:
        case "caller_spoke":
            transcript.caller_speaks(body["item"], began=True, at_ms=at_ms("began_ms"))
            transcript.caller_speaks(body["item"], began=False, at_ms=at_ms("ended_ms"))
        case "caller_said":
            transcript.caller_said(body["item"], body["text"])
        case "caller_typed":
            transcript.caller_typed(body["text"], at_ms("at_ms"))
        case "bot_said":
            transcript.bot_said(body["item"], body["text"])
        case "bot_heard":
            began = None if body["began_ms"] is None else round(at_ms("began_ms"))
            heard = ItemHeard(body["item"], body["heard_ms"], body["generated_ms"], began, body["complete"])
            transcript.bot_heard(heard, body["barged_in"])
        case "called":
            transcript.called(body["call"], body["name"], body["arguments"])
        case "answered":
            transcript.answered(body["call"], body["output"])
        case "task":
            transcript.task(_task(body))
        case "error":
            transcript.errors.append(body["text"])
        case _:
            pass


def _task(body: Mapping[str, Any]) -> TaskRecord:
    snapshot: Mapping[str, Any] = body["snapshot"] or {}
    return TaskRecord(
        agent=body["agent"],
        run_id=body["run"],
        states=tuple(snapshot.get("visited", ())),
        result=body["result"],
        notes=tuple((note["kind"], note["state"], note["text"]) for note in snapshot.get("notes", ())),
    )
