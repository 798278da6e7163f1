"""The play stream: the audio sent to the caller, and how much of it was heard.

Pure state: it takes facts and the time, and returns the frames to write, in order. It knows no socket, thread or clock,
so its tests never sleep.
May import: protocols, the standard library. Rules from: docs/specs/vaic-streaming.md 5.11, 7.4, 7.5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from protocols.frames import FrameTemplate
from protocols.ledger import HeardLedger, ItemHeard
from protocols.media import MediaFormat, decoded_bytes, pieces
from protocols.transitions import Table, go, never, rows, stay
from protocols.vaic import PlayStreamChunk, PlayStreamStart, PlayStreamStop
from protocols.wav import WavHeader, with_header

# Longer chunks from the model are cut to this, so that barge-in stays crisp and the ledger exact (10.6: 20-100 ms).
PIECE_MS = 100
# An open stream without audio is stopped after this: where barge-in is off, VAIC does not listen while one is open.
STARVED_MS = 1000
# Tolerance for rounding: a timer set for the moment at which something is due must find it due.
TOLERANCE_MS = 0.5


class Playback(Enum):
    """Whether VAIC has reported that the bot's speech it was sent was played."""

    CONFIRMED = "confirmed"  # everything that was sent, or nothing was
    STREAMING = "streaming"  # a play stream is open
    UNCONFIRMED = "unconfirmed"  # no stream is open


class PlaybackEvent(Enum):
    STARTED = "playStream.start sent"
    STOPPED = "playStream.stop sent"
    PLAYED = "playFinished"
    PLAYED_MORE_WAITS = "playFinished (more waits)"  # in the queue or in an open stream: an earlier stream was played


# Globals, because a member of an enum takes longer to look up.
STREAMING, EACH_CHUNK = Playback.STREAMING, WavHeader.CHUNK

PLAYBACK: Table[Playback, PlaybackEvent, None] = Table(
    "playback",
    Playback.CONFIRMED,
    rows(
        go((Playback.CONFIRMED, Playback.UNCONFIRMED), PlaybackEvent.STARTED, STREAMING, None),
        go(STREAMING, PlaybackEvent.STOPPED, Playback.UNCONFIRMED, None),
        go((Playback.CONFIRMED, Playback.UNCONFIRMED), PlaybackEvent.PLAYED, Playback.CONFIRMED, None),
        stay(Playback, PlaybackEvent.PLAYED_MORE_WAITS, None),
    ),
    rows(
        never(STREAMING, PlaybackEvent.STARTED, "one stream is open at a time"),
        never((Playback.CONFIRMED, Playback.UNCONFIRMED), PlaybackEvent.STOPPED, "no stream is open"),
        never(STREAMING, PlaybackEvent.PLAYED, "more waits while a stream is open"),
    ),
)


class Playout:
    """At most one play stream is open at a time; an item has one, or several if its audio stops in between.

    Stream ids are never used twice in a call.

    lead_ms: how far VAIC is kept ahead of the caller's ear. series: begins its stream ids, and those of no other.
    wav_header: where one stands, if the format has headers.
    waiting_ms: how much speech waits to be sent.
    """

    __slots__ = (
        "_chunk",
        "_conversation_id",
        "_lead_ms",
        "_ledger",
        "_media",
        "_next_due_ms",
        "_playback",
        "_plays_until_ms",
        "_queue",
        "_series",
        "_short",
        "_stream_id",
        "_streams",
        "_wav_header",
        "waiting_ms",
    )

    def __init__(
        self,
        conversation_id: str,
        media: MediaFormat,
        lead_ms: int,
        series: str,
        wav_header: WavHeader = WavHeader.STREAM,
    ) -> None:
        self._conversation_id = conversation_id
        self._media = media
        self._lead_ms = lead_ms
        self._wav_header = wav_header if media.wav else WavHeader.NONE
        # So many characters of base64 are surely one piece, as nearly all are.
        self._short = media.bytes_per_ms * PIECE_MS
        self._series, self._streams = series, 0
        self._ledger = HeardLedger()
        # Item, payload, length in ms. An empty payload marks the end of its item: the stream is stopped there.
        self._queue: deque[tuple[str, str, float]] = deque()
        self.waiting_ms = 0.0
        self._next_due_ms = 0.0  # of the first in the queue, where there is one
        self._playback = PLAYBACK.start
        self._stream_id = ""  # of the newest stream
        # The open stream's chunks.
        self._chunk = FrameTemplate(PlayStreamChunk, "audio_chunk", conversation_id="", stream_id="")
        self._plays_until_ms = 0.0

    def bot_audio(self, item_id: str, payload: str, now_ms: float) -> list[bytes]:
        """Take the next piece of an item's speech; return the frames to write now.

        payload: base64 in the call's media format. now_ms: monotonic, any origin.
        """
        if not payload:
            return self.due(now_ms)
        frames: list[bytes] = []
        for piece in (payload,) if len(payload) <= self._short else pieces(payload, self._media, PIECE_MS):
            length_ms = decoded_bytes(piece) / self._media.bytes_per_ms
            self._ledger.generated(item_id, length_ms)
            if not self._queue and self._plays_until_ms + length_ms - self._lead_ms <= now_ms:
                self._send(item_id, piece, length_ms, now_ms, frames)  # it is due, and need not be queued for that
            else:
                self._queue.append((item_id, piece, length_ms))
                self.waiting_ms += length_ms
        if self._queue:
            frames += self.due(now_ms)
        return frames

    def item_done(self, item_id: str, now_ms: float, cut_off: bool = False) -> list[bytes]:
        """No more of an item will come; its stream ends when the last of it was sent. cut_off: it is unfinished."""
        self._ledger.all_generated(item_id, cut_off)
        self._queue.append((item_id, "", 0.0))
        return self.due(now_ms)

    def due(self, now_ms: float) -> list[bytes]:
        """The frames whose time has come: VAIC is never more than `lead_ms` ahead of the ear."""
        frames: list[bytes] = []
        queue, until_ms = self._queue, now_ms + TOLERANCE_MS
        while queue:
            item_id, payload, length_ms = queue[0]
            # At once if VAIC has nothing left to play, or if it is an item's end.
            self._next_due_ms = self._plays_until_ms + min(0.0, length_ms - self._lead_ms) if payload else 0.0
            if self._next_due_ms > until_ms:
                break
            queue.popleft()
            if payload:
                self.waiting_ms -= length_ms
                self._send(item_id, payload, length_ms, now_ms, frames)
            else:
                self._stop_stream(frames)
        return frames

    def next_due_ms(self) -> float | None:
        """When to ask `due` and `pop_finished` again; None while there is nothing to wait for."""
        if self._queue:
            return self._next_due_ms
        return self._ledger.next_end_ms()

    def pop_finished(self, now_ms: float) -> list[ItemHeard]:
        """The items that were heard to their end since the last call."""
        return self._ledger.pop_finished(now_ms)

    def cut(self, now_ms: float) -> tuple[list[bytes], list[ItemHeard]]:
        """Fall silent at once: the frames for it, and what was heard of each item that had not ended."""
        frames: list[bytes] = []
        self._stop_stream(frames)
        self._queue.clear()
        self.waiting_ms = 0.0
        self._plays_until_ms = now_ms
        return frames, self._ledger.cut(now_ms)

    @property
    def streaming(self) -> bool:
        """A play stream is open."""
        return self._playback is STREAMING

    def starves(self, now_ms: float) -> bool:
        """A play stream is open, though VAIC has had nothing to play for STARVED_MS."""
        return self.streaming and not self._queue and now_ms - self._plays_until_ms >= STARVED_MS - TOLERANCE_MS

    def starves_in_ms(self, now_ms: float) -> float:
        """After how long `starves` is to be asked again: not before it can be true."""
        return STARVED_MS if self._queue else max(0.0, self._plays_until_ms + STARVED_MS - now_ms)

    def pause(self) -> list[bytes]:
        """Stop the open stream; what still comes of its item opens another one."""
        frames: list[bytes] = []
        self._stop_stream(frames)
        return frames

    def play_finished(self) -> bool:
        """VAIC has played something to its end; it does not say what (4.3). Returns whether that is all it was sent."""
        quiet = self.quiet
        self._advance(PlaybackEvent.PLAYED if quiet else PlaybackEvent.PLAYED_MORE_WAITS)
        return quiet

    @property
    def unconfirmed(self) -> bool:
        """All should have been heard by now, but VAIC has not said that it has played it."""
        return self._playback is Playback.UNCONFIRMED and self.next_due_ms() is None

    def waits(self) -> bool:
        """Whether anything is still to be sent, or reported as heard. Asked per chunk: a property takes longer."""
        return bool(self._queue or self._ledger.ended)

    @property
    def quiet(self) -> bool:
        """Nothing is waiting to be sent and no stream is open."""
        return not self._queue and self._playback is not STREAMING

    def _send(self, item_id: str, payload: str, length_ms: float, now_ms: float, frames: list[bytes]) -> None:
        sent = with_header(payload, self._media, whole=True) if self._wav_header is EACH_CHUNK else payload
        if self._playback is not STREAMING:
            if self._wav_header is WavHeader.STREAM:
                sent = with_header(payload, self._media, whole=False)
            self._streams += 1
            self._stream_id = f"{self._series}-{self._streams}"
            self._advance(PlaybackEvent.STARTED)
            self._ledger.stream_opens(item_id, now_ms)
            ids = {"conversation_id": self._conversation_id, "stream_id": self._stream_id}
            frames.append(PlayStreamStart(**ids, media_format=self._media.name).to_wire())
            self._chunk = FrameTemplate(PlayStreamChunk, "audio_chunk", **ids)
        frames.append(self._chunk.fill(sent))
        # An empty buffer at VAIC plays from now on; a filled one goes on from its end.
        plays_from_ms = now_ms if now_ms > self._plays_until_ms else self._plays_until_ms
        self._plays_until_ms = plays_from_ms + length_ms
        self._ledger.sent(item_id, length_ms, plays_from_ms)

    def _stop_stream(self, frames: list[bytes]) -> None:
        if self._playback is STREAMING:
            stop = PlayStreamStop(conversation_id=self._conversation_id, stream_id=self._stream_id)
            frames.append(stop.to_wire())
            self._advance(PlaybackEvent.STOPPED)

    def _advance(self, event: PlaybackEvent) -> None:
        self._playback, _ = PLAYBACK.step(self._playback, event)


class NotedPlayout(Playout):
    """A Playout that tells what the caller hears: `noted` of each piece, from when on and in base64, as it is sent.

    An empty piece says that nothing more is heard from then on.
    """

    __slots__ = ("_noted",)

    def __init__(
        self,
        conversation_id: str,
        media: MediaFormat,
        lead_ms: int,
        series: str,
        wav_header: WavHeader,
        noted: Callable[[float, str], None],
    ) -> None:
        super().__init__(conversation_id, media, lead_ms, series, wav_header)
        self._noted = noted

    def cut(self, now_ms: float) -> tuple[list[bytes], list[ItemHeard]]:
        self._noted(now_ms, "")
        return super().cut(now_ms)

    def _send(self, item_id: str, payload: str, length_ms: float, now_ms: float, frames: list[bytes]) -> None:
        super()._send(item_id, payload, length_ms, now_ms, frames)
        self._noted(self._plays_until_ms - length_ms, payload)
