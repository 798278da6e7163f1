"""The state all calls of a load run share: settings, figures, and the pairs of callers and models.

May import: lab.load, protocols.media, the standard library.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from lab.load.figures import Delays, DirectionFigures, Histogram
from lab.load.stamps import Stamp, StampsByLength
from lab.load.wheel import Wheel
from protocols.media import KNOWN, LPCM16_24, MULAW, MediaFormat

MOST_FAULTS = 20  # different faults reported; more say nothing new


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSettings:
    """A run. url: the bot's. calls: concurrent calls at the end of the ramp. seconds: measured in each of its steps.

    step: calls added with each step of the ramp; 0 for all at once. rate: most new calls per second.
    call_s: length of a call, after which another follows; 0 for calls that last. model_port: of the fake model.
    turn_s: time between barge-ins of a caller; 0 for none. silent: calls without any audio. plain: the program under
    test only relays bytes, so both ends talk without a handshake. transcripts: the model also sends transcripts.
    certificate, key: PEM files, for a model behind TLS. patient: do not spin while waiting; sends up to 1 ms late.
    """

    url: str
    calls: int
    seconds: float
    model_port: int
    chunk_ms: int = 20
    media: str = LPCM16_24.name
    token: str = ""
    step: int = 0
    rate: float = 100.0
    call_s: float = 0.0
    turn_s: float = 0.0
    silent: bool = False
    plain: bool = False
    transcripts: bool = False
    patient: bool = False
    pid: int = 0
    certificate: str = ""
    key: str = ""
    seed: int = 1

    @property
    def caller_media(self) -> MediaFormat:
        return KNOWN[self.media]

    @property
    def model_media(self) -> MediaFormat:
        return MULAW if self.media == MULAW.name else LPCM16_24

    @property
    def altered(self) -> bool:
        """The bot must convert the audio, so no stamp survives."""
        return self.caller_media is not self.model_media


class Direction:
    """One direction of all calls together. late_us: nothing is sent later than this after it was due."""

    def __init__(self) -> None:
        self.delays = Histogram()
        self.total = Histogram()
        self.sent = self.passed = self.misplaced = 0
        self._told = (0, 0, 0)

    def arrived(self, delay_us: int) -> None:
        self.passed += 1
        self.delays.add(delay_us)

    def take(self) -> DirectionFigures:
        """The figures since the last call."""
        now = (self.sent, self.passed, self.misplaced)
        sent, passed, misplaced = (new - old for new, old in zip(now, self._told, strict=True))
        self._told = now
        return DirectionFigures(sent=sent, passed=passed, misplaced=misplaced, delays=self.delays.take(into=self.total))


class InOrder:
    """Checks that a stream's stamps come from one sender and in order. passed: how many arrived."""

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self.passed = 0
        self._stream: int | None = None
        self._next = 0

    def arrived(self, stamp: Stamp, now_us: int) -> bool:
        """Count a stamp. Returns whether it is the first of its stream."""
        first = self._stream is None
        if first:
            self._stream, self._next = stamp.stream, stamp.number
        if stamp.stream != self._stream or stamp.number < self._next:
            self._direction.misplaced += 1
        self._next = stamp.number + 1
        self.passed += 1
        self._direction.arrived(stamp.delay_us(now_us))
        return first


class Caller(Protocol):
    """A caller, as its model and the run see it. ending: it has hung up. model: its model, once known."""

    times: StampsByLength
    ending: bool
    model: Model | None

    def end(self) -> None: ...


class Model(Protocol):
    """A model session, as its caller and the run see it. LoadModel describes the fields."""

    count: int
    first_number: int
    barged_in_us: int
    order: InOrder
    times: StampsByLength


@dataclass(slots=True)
class RunState:
    """The state of a run. callers: those with an open call, by number. expecting: see LoadModel.caller."""

    settings: LoadSettings
    loop: asyncio.AbstractEventLoop
    wheel: Wheel
    up: Direction = field(default_factory=Direction)
    down: Direction = field(default_factory=Direction)
    set_up: Histogram = field(default_factory=Histogram)
    first_audio: Histogram = field(default_factory=Histogram)
    barge_in: Histogram = field(default_factory=Histogram)
    everything: Histogram = field(default_factory=Histogram)
    callers: dict[int, Caller] = field(default_factory=dict)
    models: dict[int, Model] = field(default_factory=dict)
    expecting: Caller | None = None
    talking: bool = True
    opened: int = 0
    failed: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def fault(self, what: str) -> None:
        """Count a fault."""
        if what in self.faults or len(self.faults) < MOST_FAULTS:
            self.faults[what] += 1

    def delays(self) -> tuple[Delays, Delays, Delays]:
        return self.set_up.take(), self.first_audio.take(), self.barge_in.take()
