"""What all calls of a process share: the bot they offer, and the ways to the outside.

May import: actors, fsm, protocols, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from actors.messages.clips import Clips
from actors.messages.journal import JournalMessage
from actors.system.address import Address
from actors.transport.dialler import Dials
from fsm.effects import Effects
from fsm.spec import AgentSpec
from protocols.realtime.objects import ServerVad

# Everything is set explicitly: the defaults differ between models (docs/specs/openai-realtime.md 2.3).
TELEPHONE_VAD = ServerVad(
    threshold=0.5,
    prefix_padding_ms=300,
    silence_duration_ms=500,
    create_response=True,
    interrupt_response=True,
    idle_timeout_ms=None,
)


@dataclass(frozen=True, slots=True)
class BotProfile:
    """Who answers the telephone.

    transfer_targets: tel: or sip: URIs by the names callers may ask for, the first for whom it does not matter; empty
    where there are no humans to hand over to. lead_ms: how far VAIC is kept ahead of the caller's ear. no_input_s: a
    caller who was asked something and is silent for so long is asked again. filler_s: see CallerSessionConfig.
    """

    instructions: str
    greeting: str
    voice: str
    transcription_model: str
    time_zone: ZoneInfo
    agents: Mapping[str, AgentSpec]
    transfer_targets: Mapping[str, str] = field(default_factory=dict)
    vad: ServerVad = TELEPHONE_VAD
    lead_ms: int = 400
    no_input_s: float = 8.0
    filler_s: float = 1.5
    clips: Clips = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Services:
    """effects: carry out what tasks do to the world. now: the wall clock, UTC. new_id: never the same twice.
    rand: in [0, 1). short_of: what the process has not enough of for another call, "" if nothing.
    """

    profile: BotProfile
    dialler: Dials
    effects: Effects
    journal: Address[JournalMessage]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    rand: Callable[[], float] = field(repr=False)
    short_of: Callable[[], str] = lambda: ""

    def instructions(self, tasks: str) -> str:
        """What the model is told: who it is, what day it is, and last the open tasks."""
        now = self.local_now()
        today = f"Today is {now:%A, %Y-%m-%d, %H:%M} ({self.profile.time_zone.key})."
        return "\n\n".join(part for part in (self.profile.instructions, today, tasks) if part)

    def local_now(self) -> datetime:
        """The wall clock where "tomorrow" is meant."""
        return self.now().astimezone(self.profile.time_zone)
