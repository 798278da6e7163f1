"""The settings of a simulated call.

May import: lab.caller.script, protocols.media, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.caller.script import ScriptError
from protocols.media import KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """One call's settings. All times are in call time: at `speed` 4 the call runs four times as fast.

    url: the bot's, ws:// or wss://. token: the bearer token, "" for none.
    formats: offered media formats, best first. chat: no audio is offered or expected (directSTT and
    directTTS are off): both sides write. barge_in, send_dtmf: VAIC's settings until the bot changes them with `config`.
    half_duplex: barge-in is off and stays so, as where an administrator has locked it. suppress_silence: no audio is
    sent while the person is silent. pause_ms: how long the bot must be quiet before the person speaks. patience_s: how
    long the person waits for the bot to say something. limit_s: the longest a call may last.
    start: parameters of `start` besides the caller's and the callee's. transfers: what becomes of each transfer, in
    order: "answered", or the reason code of its failure; after the last one, and where the bot has not asked to be
    told, VAIC ends the call as transferred at once. recorded: VAIC records the call from the beginning. unplayable:
    URLs of recordings that cannot be played.
    out_wav: where to record the call, caller left, bot right. ops_url, ops_token: where to
    fetch the daemon's call record, and with which bearer token.
    Raises: ScriptError for an unknown format, or a speed that is not positive.
    """

    url: str
    conversation_id: str
    token: str = ""
    bot_name: str = "front-desk"
    caller: str = "+4930555010"
    callee: str = "+4930555099"
    formats: tuple[str, ...] = ("raw/lpcm16_24", "raw/lpcm16", "raw/mulaw")
    chat: bool = False
    barge_in: bool = True
    send_dtmf: bool = False
    half_duplex: bool = False
    suppress_silence: bool = False
    speed: float = 1.0
    pause_ms: int = 700
    patience_s: float = 30.0
    limit_s: float = 600.0
    start: Mapping[str, Any] = field(default_factory=dict)
    transfers: tuple[str, ...] = ()
    recorded: bool = False
    unplayable: tuple[str, ...] = ()
    out_wav: Path | None = None
    ops_url: str | None = None
    ops_token: str = field(default="", repr=False)

    @property
    def offered(self) -> tuple[str, ...]:
        return () if self.chat else self.formats

    def __post_init__(self) -> None:
        unknown = [name for name in self.formats if name not in KNOWN]
        if unknown or not self.formats:
            raise ScriptError(f"formats to offer are {', '.join(KNOWN)}; not {', '.join(unknown) or 'none'}")
        if not self.speed > 0:
            raise ScriptError(f"speed {self.speed} is not positive")
