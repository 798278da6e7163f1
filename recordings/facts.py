"""What the loop notes of the sound of a call, and what is known of the part of it that one process records.

Pure. May import: pydantic, the standard library.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Noted(StrEnum):
    """What an entry is of."""

    CALLER = "c"  # a chunk of the caller's, which has just arrived
    STREAM = "s"  # a user stream begins: half a sample and a header of before are none of its
    BOT = "b"  # a piece of the bot's speech, heard from that time on
    CUT = "x"  # nothing more of the bot is heard from that time on
    AWAY = "a"  # VAIC's socket is lost
    BACK = "k"  # VAIC has resumed the call


# What, at which ms of the process's clock, and base64 in VAIC's format, "" where it is no sound. A plain tuple of plain
# values, because two are made for each 20 ms of a call.
Entry = tuple[str, float, str]
CALLER, STREAM, BOT, CUT = (each.value for each in (Noted.CALLER, Noted.STREAM, Noted.BOT, Noted.CUT))


# Of a call, in the folder with its recordings.
MANIFEST = "manifest.json"
_OF_A_BLOCK = 512
# Longer names no file system takes.
_MOST_NAME = 150


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ConsentStep(_Facts):
    """One step to a recording. what: a RecordingEvent's name. at_ms: from the call's start, as the others.

    words: of the notice as it had to be heard, or of the caller's answer. from_ms, to_ms: when they were heard, or
    spoken; None where there are none.
    """

    what: str
    at_ms: int
    words: str = ""
    from_ms: int | None = None
    to_ms: int | None = None


class PartFacts(_Facts):
    """What is known of a part as it begins.

    media: VAIC's name of the call's format. began_at: by the wall clock. origin_ms: the same moment by the clock of the
    entries; nothing before it is recorded. since_call_ms: from the call's start, after a takeover by the clocks of two
    processes. consent: how the caller came to be recorded.
    """

    conversation_id: str
    bot: str
    bot_digest: str
    media: str
    began_at: AwareDatetime
    origin_ms: float
    since_call_ms: int
    mode: str
    consent: tuple[ConsentStep, ...] = ()


@dataclass(frozen=True, slots=True)
class SpoolBlock:
    """Some seconds of a part, for its spool. part: a name that no other part has. number: from 1.

    until_ms: the entries' clock; what comes later stands in the next block. last: the part ends then. key, epoch: of
    the call's lease, as far as its process has one: 0 without.
    """

    part: str
    facts: PartFacts
    number: int
    entries: tuple[Entry, ...]
    until_ms: float
    last: bool = False
    key: str = ""
    epoch: int = 0

    @property
    def size(self) -> int:
        """About its bytes."""
        return _OF_A_BLOCK + sum(len(payload) for _, _, payload in self.entries)


def folder_name(key: str) -> str:
    """The name of the folder with a call's recordings, within that of its day. key: the call's."""
    name = quote(key, safe="~@+ ")
    if len(name) > _MOST_NAME or name.startswith("."):
        name = f"{name[:_MOST_NAME].lstrip('.')}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    return name
