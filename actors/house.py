"""What all calls of a process share: the bot they offer, and the ways to the outside.

May import: actors, fsm, protocols, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from actors.address import Address
from actors.dialler import Dials
from actors.messages import JournalMessage
from fsm.effects import Effect
from fsm.spec import AgentSpec
from protocols.realtime.objects import ServerVad

# Everything is set explicitly: the defaults differ between models (specs/openai-realtime.md 2.3).
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
    """Who answers the telephone. transfer_target: a tel: or sip: URI, or "" where there are no humans to hand over to.

    lead_ms: how far VAIC is kept ahead of the caller's ear.
    """

    instructions: str
    greeting: str
    voice: str
    transcription_model: str
    time_zone: ZoneInfo
    agents: Mapping[str, AgentSpec]
    transfer_target: str = ""
    vad: ServerVad = TELEPHONE_VAD
    lead_ms: int = 400


@dataclass(frozen=True, slots=True)
class House:
    """effects: what tasks do to the world, by name. now: the wall clock, UTC. new_id: never the same twice.
    rand: in [0, 1).
    """

    profile: BotProfile
    dialler: Dials
    effects: Mapping[str, Effect]
    journal: Address[JournalMessage]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    rand: Callable[[], float] = field(repr=False)

    def local_now(self) -> datetime:
        """The wall clock where "tomorrow" is meant."""
        return self.now().astimezone(self.profile.time_zone)
