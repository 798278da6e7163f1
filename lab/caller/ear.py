"""The ear: plays what the bot sends at playback speed, and records which samples were heard, and when.

Its clock is a count of samples, advanced by its owner 20 ms at a time; it has no socket, thread or clock.
May import: lab.caller.audio, protocols.media, the standard library. Rules from: docs/specs/vaic-streaming.md 7.4, 7.5.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from lab.caller.audio import TICK_MS
from protocols.media import MediaFormat

# The unit of time here: a sample of every format is a whole number of units.
UNITS_PER_MS = 48
_TICK_UNITS = TICK_MS * UNITS_PER_MS


@dataclass(slots=True, eq=False)
class HeardUtterance:
    """One utterance as it was heard: a play stream, or a part of one between long silences.

    gap_units: silence inside it because audio came late. lost_samples: sent but cut before it was heard.
    """

    stream_id: str
    text: str
    media: MediaFormat
    began_units: int
    ended_units: int
    heard_samples: int = 0
    gap_units: int = 0
    lost_samples: int = 0

    @property
    def began_ms(self) -> int:
        return self.began_units // UNITS_PER_MS

    @property
    def ended_ms(self) -> int:
        return self.ended_units // UNITS_PER_MS

    @property
    def heard_ms(self) -> int:
        return self.heard_samples * 1000 // self.media.sample_rate_hz

    @property
    def sent_ms(self) -> int:
        return (self.heard_samples + self.lost_samples) * 1000 // self.media.sample_rate_hz


@dataclass(slots=True, eq=False)
class AudioSegment:
    """Continuous audio, for the recording."""

    at_units: int
    media: MediaFormat
    audio: bytearray


@dataclass(slots=True, eq=False)
class _Stream:
    stream_id: str
    media: MediaFormat
    text: str
    barge_in: bool | None
    opened_units: int
    held: bytearray = field(default_factory=bytearray)
    open: bool = True
    run: HeardUtterance | None = None

    @property
    def held_samples(self) -> int:
        return len(self.held) // self.media.bytes_per_sample

    @property
    def held_units(self) -> int:
        return self.held_samples * self.units_per_sample

    @property
    def units_per_sample(self) -> int:
        return UNITS_PER_MS * 1000 // self.media.sample_rate_hz


class Ear:
    """Plays streams one after the other.

    split_ms: a silence this long inside a stream separates two utterances. keep: keep the audio.
    """

    def __init__(self, *, split_ms: int, keep: bool) -> None:
        self._split_units = split_ms * UNITS_PER_MS
        self._keep = keep
        self._at_units = 0
        self._queue: deque[_Stream] = deque()
        self._over: list[HeardUtterance] = []
        self._finished = 0
        self.runs: list[HeardUtterance] = []
        self.segments: list[AudioSegment] = []
        self.max_lead_ms = 0

    # --- state ---

    @property
    def now_ms(self) -> int:
        """The time played so far."""
        return self._at_units // UNITS_PER_MS

    @property
    def sounding(self) -> bool:
        """There is buffered audio that will be heard next."""
        return any(stream.held_samples for stream in self._queue)

    @property
    def busy(self) -> bool:
        """A stream is open, or still playing."""
        return bool(self._queue)

    @property
    def quiet_since_ms(self) -> int:
        """The time since which nothing is heard; now, while something is."""
        if self.sounding:
            return self.now_ms
        return self.runs[-1].ended_ms if self.runs else 0

    @property
    def dry_open(self) -> tuple[str, int] | None:
        """A stream that is open but has run out of audio, and for how many ms."""
        if not self.accepting or self.sounding:
            return None
        stream = self._queue[-1]
        since_units = stream.run.ended_units if stream.run else stream.opened_units
        return stream.stream_id, (self._at_units - since_units) // UNITS_PER_MS

    @property
    def accepting(self) -> bool:
        """A stream is open: fed audio will be heard."""
        return bool(self._queue) and self._queue[-1].open

    @property
    def media(self) -> MediaFormat | None:
        """The open stream's format."""
        return self._queue[-1].media if self.accepting else None

    def may_be_cut(self, *, barge_in: bool) -> bool:
        """Whether all open streams may be interrupted. barge_in: the default for streams that do not say."""
        return all(self._may_cut(stream, barge_in) for stream in self._queue)

    # --- what the bot sends ---

    def open(self, stream_id: str, media: MediaFormat, *, text: str = "", barge_in: bool | None = None) -> None:
        """Open a stream, heard after all earlier ones. barge_in: whether it may be interrupted; None: the default."""
        self.close()
        self._queue.append(_Stream(stream_id, media, text, barge_in, self._at_units))

    def feed(self, audio: bytes) -> None:
        """Add audio to the open stream; ignored if none is open."""
        if self.accepting:
            self._queue[-1].held += audio
            lead_ms = sum(stream.held_units for stream in self._queue) // UNITS_PER_MS
            self.max_lead_ms = max(self.max_lead_ms, lead_ms)

    def close(self) -> None:
        """Close the open stream; its buffered audio will still be heard."""
        if self._queue:
            self._queue[-1].open = False

    # --- time ---

    def play(self) -> None:
        """Hear the next 20 ms."""
        end_units = self._at_units + _TICK_UNITS
        at_units = self._at_units
        while self._queue:
            stream = self._queue[0]
            samples = min((end_units - at_units) // stream.units_per_sample, stream.held_samples)
            if samples:
                self._hear(stream, at_units, samples)
                at_units += samples * stream.units_per_sample
            if stream.open or stream.held_samples:
                break
            self._queue.popleft()
            self._finished += 1
            self._ended(stream)
        self._at_units = end_units

    def cut(self, *, barge_in: bool) -> HeardUtterance | None:
        """Drop all streams that may be interrupted; return the utterance that was being heard, if any.

        barge_in: the default for streams that do not say.
        """
        spoken = None
        for stream in list(self._queue):
            if self._may_cut(stream, barge_in):
                self._queue.remove(stream)
                if stream.run is not None:
                    spoken = stream.run
                    spoken.lost_samples += stream.held_samples
                self._ended(stream)
        return spoken

    def void(self) -> None:
        """The socket is lost, and every stream with it."""
        for stream in self._queue:
            stream.barge_in = True
        self.cut(barge_in=True)

    def take_over(self) -> list[HeardUtterance]:
        """The utterances that ended since the last call of this."""
        over, self._over = self._over, []
        return over

    def take_finished(self) -> int:
        """How many streams were played to their end since the last call of this."""
        finished, self._finished = self._finished, 0
        return finished

    @staticmethod
    def _may_cut(stream: _Stream, barge_in: bool) -> bool:
        return barge_in if stream.barge_in is None else stream.barge_in

    def _ended(self, stream: _Stream) -> None:
        if stream.run is not None:
            self._over.append(stream.run)

    def _hear(self, stream: _Stream, at_units: int, samples: int) -> None:
        run = stream.run
        if run is None or at_units - run.ended_units >= self._split_units:
            self._ended(stream)
            run = stream.run = HeardUtterance(stream.stream_id, stream.text, stream.media, at_units, at_units)
            self.runs.append(run)
        run.gap_units += at_units - run.ended_units
        width = samples * stream.media.bytes_per_sample
        if self._keep:
            self._remember(run, at_units, stream.held[:width])
        del stream.held[:width]
        run.heard_samples += samples
        run.ended_units = at_units + samples * stream.units_per_sample

    def _remember(self, run: HeardUtterance, at_units: int, audio: bytearray) -> None:
        if self.segments and run.heard_samples and run.ended_units == at_units:
            self.segments[-1].audio += audio
        else:
            self.segments.append(AudioSegment(at_units, run.media, audio))
