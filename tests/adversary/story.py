"""What the caller experienced, from the call's journal.

May import: actors' journal rows, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from actors.messages.journal_rows import (
    AnsweredRow,
    BotHeardRow,
    BotSaidRow,
    CalledRow,
    CallerSaidRow,
    CallerSpokeRow,
    CallerTypedRow,
    ClipRow,
    EndedRow,
    ErrorRow,
    JournalEntry,
    ResumedRow,
    WordsRow,
)
from tests.adversary.model import MS_PER_LETTER

_ARGUMENTS, _OUTPUT = 160, 330


def heard_by(journal: Sequence[JournalEntry]) -> Iterator[str]:
    """What the caller heard of the bot, in order; interrupted sentences up to the words heard, at the model's pace."""
    words = _words(journal)
    for entry in journal:
        match entry.row:
            case BotHeardRow(item=item, heard_ms=heard_ms, complete=complete) if heard_ms:
                said = words.get(item, "")
                yield said if complete else said[: heard_ms // MS_PER_LETTER]
            case ClipRow(text=text, heard_ms=heard_ms) if heard_ms:
                yield text


def story(journal: Sequence[JournalEntry]) -> Iterator[str]:
    """A line for everything that the caller said or heard and the model did."""
    words = _words(journal)
    for entry in journal:
        match entry.row:
            case BotHeardRow() as row:
                cut = "" if row.complete else f" [cut: {row.heard_ms} of {row.generated_ms} ms]"
                yield f"{(row.began_ms or 0) / 1000:6.1f} bot     {words.get(row.item, '?')}{cut}"
            case ClipRow() as row:
                yield f"{(row.began_ms or 0) / 1000:6.1f} clip    {row.text}"
            case CallerSpokeRow() as row:
                yield f"{(row.began_ms or row.ended_ms) / 1000:6.1f} caller  until {row.ended_ms / 1000:.1f}"
            case CallerSaidRow() as row:
                yield f"       caller  {row.text!r}"
            case CallerTypedRow() as row:
                yield f"{row.at_ms / 1000:6.1f} keys    {row.text}"
            case CalledRow() as row:
                yield f"         -> {row.name}({row.arguments[:_ARGUMENTS]})"
            case AnsweredRow() as row:
                yield f"         <- {row.output[:_OUTPUT]}"
            case ErrorRow() as row:
                yield f"       error   {row.text}"
            case ResumedRow():
                yield "       resumed"
            case EndedRow() as row:
                yield f"       ended   {row.outcome}"
            case _:
                pass


def _words(journal: Sequence[JournalEntry]) -> dict[str, str]:
    return {entry.row.item: entry.row.text for entry in journal if isinstance(entry.row, BotSaidRow | WordsRow)}
