"""The header of the `wav/` formats: taken off what VAIC sends, put before what it is sent.

Where it stands in a chunked stream is not documented: once at its beginning, or in each chunk. Of VAIC's any is read,
or none; which is sent is a setting. May import: protocols, the standard library.
Rules from: docs/specs/vaic-streaming.md 6, 12.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from enum import Enum
from struct import Struct

from protocols.errors import WireError
from protocols.media import MediaFormat, Transcoder, decoded, model_format

RIFF, WAVE = b"RIFF", b"WAVE"
# How base64 that begins with RIFF begins.
RIFF_TEXT = "UklGR"
PCM, EXTENSIBLE, MULAW = 1, 0xFFFE, 7  # the codes of encodings
# The error for a header that says another format than was agreed.
BAD_HEADER = "wav_header"
# The length of what has not ended yet, as is usual in a pipe.
OPEN_END = 0xFFFFFFFF
# What comes before the audio: a header has 44 or 58 bytes, and may have notes.
MOST_BYTES = 4096

_CHUNK = Struct("<4sI")
_FORMAT = Struct("<HHIIHH")


class WavHeader(Enum):
    """Where a header stands in what VAIC is sent."""

    STREAM = "stream"  # before the first chunk of each play stream
    CHUNK = "chunk"  # each chunk is a file of its own
    NONE = "none"


def header(media: MediaFormat, length: int | None = None) -> bytes:
    """What stands before the audio of a file. length: of the audio in bytes; None if it is not known yet."""
    code, width = (PCM if media.is_pcm else MULAW), media.bytes_per_sample
    form = _FORMAT.pack(code, 1, media.sample_rate_hz, media.sample_rate_hz * width, width, 8 * width)
    chunks = _CHUNK.pack(b"fmt ", len(form)) + form
    if not media.is_pcm:  # which has the size of an extension, and the number of samples
        samples = (OPEN_END if length is None else length).to_bytes(4, "little")
        chunks = _CHUNK.pack(b"fmt ", len(form) + 2) + form + b"\0\0" + _CHUNK.pack(b"fact", 4) + samples
    behind = len(WAVE) + len(chunks) + _CHUNK.size
    whole = OPEN_END if length is None else behind + length
    return _CHUNK.pack(RIFF, whole) + WAVE + chunks + _CHUNK.pack(b"data", OPEN_END if length is None else length)


def with_header(payload: str, media: MediaFormat, *, whole: bool) -> str:
    """Base64 audio behind a header. whole: it is a file of its own; else the beginning of a stream."""
    try:
        audio = b64decode(payload)
    except ValueError:  # what passes through is not looked at before
        audio = b""
    return b64encode(header(media, len(audio) if whole else None) + audio).decode("ascii")


def audio_at(data: bytes, media: MediaFormat) -> int | None:
    """Where the audio begins in a WAV file, or in what has come of it; None while that is not known.

    0 if the file has no header. Raises: WireError("wav_header") if it says another format.
    """
    begin = RIFF + data[4:8] + WAVE
    if data[: len(begin)] != begin[: len(data)]:
        return 0
    at = len(begin)
    while len(data) >= at + _CHUNK.size:
        kind, size = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if kind == b"data":
            return at
        if kind == b"fmt " and len(data) >= at + _FORMAT.size:
            _check(_FORMAT.unpack_from(data, at), media)
        at += size + (size & 1)
    return None


def _check(told: tuple[int, ...], media: MediaFormat) -> None:
    code, channels, rate_hz, _, _, bits = told
    codes = (PCM, EXTENSIBLE) if media.is_pcm else (MULAW,)
    if code not in codes or (channels, rate_hz, bits) != (1, media.sample_rate_hz, 8 * media.bytes_per_sample):
        raise WireError(BAD_HEADER, f"encoding {code}, {channels} channels, {rate_hz} Hz, {bits} bits")


class WavTranscoder(Transcoder):
    """A Transcoder of audio with headers, or without: at the beginning of a stream, and of each piece.

    told: whether there is one, at the beginning of each stream.
    """

    __slots__ = ("_begins", "_head", "_media", "_told")

    def __init__(self, source: MediaFormat, target: MediaFormat, told: Callable[[bool], None]) -> None:
        super().__init__(source, target)
        self._media = source
        self._told = told
        self._begins = True  # nothing of the stream was judged yet
        self._head = b""  # what may be the beginning of a header

    def feed(self, payload: str) -> str:
        if not (self._begins or self._head or payload.startswith(RIFF_TEXT)):
            return super().feed(payload)
        data = self._head + decoded(payload)
        self._head = b""
        begin = audio_at(data, self._media)
        if begin is None:
            if len(data) > MOST_BYTES:
                raise WireError(BAD_HEADER, "no audio follows")
            self._head = data
            return ""
        if self._begins:
            self._begins = False
            self._told(begin > 0)
        fed = super().feed(b64encode(data[begin:]).decode("ascii"))
        self._is_standard = False  # that was ours
        return fed

    def flush(self) -> str:
        self._begins, self._head = True, b""
        return super().flush()


def to_model(media: MediaFormat, told: Callable[[bool], None]) -> Transcoder:
    """Converts a caller's audio to the model's format. told: see WavTranscoder."""
    target = model_format(media)
    return WavTranscoder(media, target, told) if media.wav else Transcoder(media, target)
