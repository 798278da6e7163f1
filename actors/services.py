"""What all calls of a process share: the bot's profile, and the services they use.

May import: actors, fsm, protocols, store, the standard library.
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
from fsm.consent import Language
from fsm.effects import Effects
from fsm.english import English
from fsm.spec import AgentSpec
from protocols.realtime.objects import NoiseReduction, ServerVad
from store.call_keys import call_key

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
    """What the bot says, offers and waits for.

    instructions: the model's, without date and tasks. greeting: its first sentence. voice, transcription_model: the
    Realtime API's names. agents: the tasks it offers, by name.
    transfer_targets: tel: or sip: URIs by the names callers may ask for; the first is the default, empty: no transfers.
    lead_ms: how far the play stream runs ahead of what the caller hears.
    region: see protocols.caller_id.e164.
    no_input_s: silence before the bot speaks up. filler_s: see CallerSessionConfig. max_call_s: 0 for no limit.
    noise_reduction: of the caller's audio, before voice detection and model; None for none.
    language: of the bot's sentences; also judges a yes. yes_without_words: a turn without a transcript may be a yes to
    a read-back.
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
    region: str = ""
    no_input_s: float = 8.0
    filler_s: float = 1.5
    max_call_s: float = 0.0
    noise_reduction: NoiseReduction | None = None
    clips: Clips = field(default_factory=dict)
    language: Language = field(default_factory=English)
    yes_without_words: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """The shared services of a process.

    dialler: opens sockets to the model. effects: carries out effects of tasks. journal: the JournalWriter's address.
    now: the wall clock, UTC. new_id: unique ids. rand: in [0, 1).
    short_of: the resource too scarce for another call, as a refusal's reason; "" if none.
    call_key: the key in the store of the call that this process has under a conversation id; see store/call_keys.py.
    """

    profile: BotProfile
    dialler: Dials
    effects: Effects
    journal: Address[JournalMessage]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    rand: Callable[[], float] = field(repr=False)
    short_of: Callable[[], str] = lambda: ""
    call_key: Callable[[str], str] = call_key

    def instructions(self, tasks: str) -> str:
        """The session's instructions: the profile's, the date and time, then `tasks`, the text about open tasks."""
        return "\n\n".join(part for part in (self.profile.instructions, self.clock(), tasks) if part)

    def clock(self) -> str:
        """Date and time to the minute, as the model reads them."""
        return f"Today is {self.local_now():%A, %Y-%m-%d, %H:%M} ({self.profile.time_zone.key})."

    def local_now(self) -> datetime:
        """The wall clock in the profile's time zone."""
        return self.now().astimezone(self.profile.time_zone)
