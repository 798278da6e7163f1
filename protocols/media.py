"""Media formats: their sizes, negotiation, and conversion. Headers: protocols/wav.py.

May import: protocols, numpy, soxr, the standard library.
Rules from: docs/specs/vaic-streaming.md 6, docs/specs/openai-realtime.md 5.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from protocols.errors import WireError
from protocols.realtime.objects import PcmFormat, PcmuFormat


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """A mono format. name: VAIC's. bytes_per_ms: exact for all of them. wav: with a header, see protocols/wav.py."""

    name: str
    sample_rate_hz: int
    bytes_per_sample: int
    bytes_per_ms: int
    wav: bool = False

    @property
    def is_pcm(self) -> bool:
        return self.bytes_per_sample == 2

    @property
    def silent_byte(self) -> bytes:
        """What silence is made of."""
        return b"\x00" if self.is_pcm else b"\xff"

    @property
    def raw(self) -> MediaFormat:
        """The format of the same audio without a header."""
        return KNOWN[self.name.replace("wav/", "raw/")] if self.wav else self


# The loudest sample of a line on which nobody speaks, 39 dB below full scale. Speech over a telephone peaks 20 dB above
# that.
QUIET_PEAK = 372
# Its mu-law code, complemented.
QUIET_CODE = 31

LPCM16_24 = MediaFormat("raw/lpcm16_24", 24000, 2, 48)
LPCM16 = MediaFormat("raw/lpcm16", 16000, 2, 32)
LPCM16_8 = MediaFormat("raw/lpcm16_8", 8000, 2, 16)
MULAW = MediaFormat("raw/mulaw", 8000, 1, 8)
# Of a call in which nobody speaks: its texts pass as activities. Nothing is ever in it.
NO_AUDIO = MediaFormat("", 24000, 2, 48)

RAW = (LPCM16_24, LPCM16, LPCM16_8, MULAW)
WAV = tuple(replace(each, name=each.name.replace("raw/", "wav/"), wav=True) for each in RAW)
KNOWN = {each.name: each for each in (*RAW, *WAV)}
# What soxr's filter of medium quality, which works in blocks, holds back on the way to 24 kHz, by the source's rate.
HELD_BACK_MS = {16000: 21, 8000: 43}


def _offered(name: str) -> MediaFormat | None:
    """The format that a name stands for in any case, with parameters that say nothing else; None if it is none."""
    kind, *parameters = "".join(name.lower().split()).split(";")
    media = KNOWN.get(kind)
    plain = () if media is None else ("channels=1", f"rate={media.sample_rate_hz}")
    return media if all(each in plain for each in parameters) else None


def negotiate(offered: Sequence[str], wanted: Sequence[str] = ()) -> MediaFormat | None:
    """The format for both directions of a call, or None if there is no common one. wanted: the bot's own, best first.

    24 kHz PCM is the model's own, so it is preferred anywhere in the list; else VAIC's order (best first) decides. All
    raw formats come before any with a header, whose place in a chunked stream is not documented.
    """
    common = [media for name in offered if (media := _offered(name)) is not None]
    if wanted:
        return next((KNOWN[name] for name in wanted if KNOWN[name] in common), None)
    # Sorting keeps VAIC's order among equals.
    return min(common, key=lambda media: (media.wav, media.raw is not LPCM16_24), default=None)


def model_format(media: MediaFormat) -> MediaFormat:
    """The model session's format if VAIC's is `media`: mu-law for mu-law, 24 kHz for all PCM."""
    return LPCM16_24 if media.is_pcm else MULAW


def held_back_ms(media: MediaFormat) -> int:
    """How far the model is behind what VAIC has sent, on average, because a Transcoder's filter holds it back."""
    return 0 if media.sample_rate_hz == model_format(media).sample_rate_hz else HELD_BACK_MS[media.sample_rate_hz]


def realtime_format(media: MediaFormat) -> PcmFormat | PcmuFormat:
    """The Realtime API's object for a format that `model_format` returned."""
    return PcmFormat(rate=24000) if media.is_pcm else PcmuFormat()


def decoded_bytes(payload: str) -> int:
    """The number of bytes that a base64 text encodes, without decoding it."""
    size = len(payload) * 3 // 4
    if not size or payload[-1] != "=":
        return size
    return size - 2 if payload[-2:] == "==" else size - 1


# Of base64 for URLs, and of what is broken into lines, as standard base64.
_STANDARD = str.maketrans("-_", "+/", " \t\r\n")


def decoded(payload: str) -> bytes:
    """The bytes that a base64 text encodes, whichever alphabet, line breaks and padding it has.

    Raises: WireError("bad_audio") if it is no base64.
    """
    try:
        return b64decode(payload, validate=True)
    except ValueError:
        standard = payload.translate(_STANDARD).rstrip("=")
    try:
        return b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError:
        raise WireError("bad_audio") from None


def pieces(payload: str, media: MediaFormat, piece_ms: int) -> list[str]:
    """Split a base64 text at sample borders into pieces of about `piece_ms`, without decoding it."""
    # Four characters are three bytes, and a piece must hold whole samples of one or two bytes: multiples of six bytes.
    width = media.bytes_per_ms * piece_ms // 6 * 8
    if len(payload) <= width + width // 4:
        return [payload]
    return [payload[start : start + width] for start in range(0, len(payload), width)]


def silence(media: MediaFormat, length_ms: int) -> bytes:
    """Silence of this length, in the format's bytes."""
    return media.silent_byte * (media.bytes_per_ms * length_ms)


def inaudible(payload: str, media: MediaFormat) -> bool:
    """Whether base64 audio, in a format that `model_format` returned, holds nothing louder than a quiet line."""
    try:
        audio = b64decode(payload)
    except ValueError:
        return False
    if not media.is_pcm:
        # Apart from the sign, the complement of a code rises with the amplitude.
        return bool(np.all((~np.frombuffer(audio, np.uint8) & 0x7F) <= QUIET_CODE))
    samples = np.frombuffer(audio[: len(audio) & ~1], "<i2").astype(np.int32)
    return bool(np.all(np.abs(samples) <= QUIET_PEAK))


class Transcoder:
    """Converts one direction of a call's audio, as a stream: base64 in one format to base64 in another.

    Where the rates are equal, audio passes through unchanged. Otherwise both are PCM, and soxr resamples. No sample is
    split between two pieces of the result, wherever those of the source end.

    Of what passes through only the length is looked at, once a piece of the stream can only be standard base64: to
    look at each character costs a tenth of all that is done with a piece.
    """

    __slots__ = ("_is_pcm", "_is_standard", "_rest", "_stream")

    def __init__(self, source: MediaFormat, target: MediaFormat) -> None:
        self._is_pcm = source.is_pcm
        self._rest = b""
        self._is_standard = False
        # "MQ" is soxr's medium quality: far better than a telephone line, with little delay.
        self._stream = (
            None
            if source.sample_rate_hz == target.sample_rate_hz
            else soxr.ResampleStream(source.sample_rate_hz, target.sample_rate_hz, 1, dtype="int16", quality="MQ")
        )

    def feed(self, payload: str) -> str:
        """Convert a piece; may be empty while the filter fills. Raises: WireError("bad_audio") if it is no base64."""
        if self._stream is not None:
            return self._resample(self._whole_samples(payload), last=False)
        # Eight characters are six bytes, which are whole samples of either size.
        if self._is_standard and payload and len(payload) & 7 == 0 and payload[-1] != "=" and not self._rest:
            return payload
        whole = not self._is_pcm or not (self._rest or decoded_bytes(payload) & 1)
        if self._is_standard and whole and not len(payload) & 3:
            return payload
        passed = b64encode(self._whole_samples(payload)).decode("ascii")
        # Without either character, as digital silence is, it may be base64 for URLs as well.
        self._is_standard = self._is_standard or (passed == payload and ("/" in payload or "+" in payload))
        return passed

    def _whole_samples(self, payload: str) -> bytes:
        """The samples of a piece. One that is split between two pieces comes with the second."""
        piece = decoded(payload)
        if not self._is_pcm:
            return piece
        # What lacks its padding may have been cut off, and half a sample would shift all that follows.
        if len(payload) & 3 and len(piece) & 1:
            raise WireError("bad_audio")
        audio = self._rest + piece
        whole = len(audio) & ~1
        self._rest = audio[whole:]
        return audio[:whole]

    def skip(self, payload: str) -> None:
        """Leave a piece out, such that what follows is read at the borders of its samples."""
        # Half a sample that was left out, or whose other half was, is replaced by a quiet one.
        if self._is_pcm:
            self._rest = b"\0" * (len(self._rest) + decoded_bytes(payload) & 1)

    def flush(self) -> str:
        """End an utterance: returns what the filter still held. The next piece begins a new stream."""
        self._rest, self._is_standard = b"", False
        if self._stream is None:
            return ""
        tail = self._resample(b"", last=True)
        self._stream.clear()
        return tail

    def _resample(self, audio: bytes, last: bool) -> str:
        assert self._stream is not None
        samples: np.ndarray = self._stream.resample_chunk(np.frombuffer(audio, dtype="<i2"), last=last)
        return b64encode(samples.tobytes()).decode("ascii")


class Hears(Protocol):
    """What takes a caller's audio on its way to the model: a Transcoder, or what stands before one."""

    def feed(self, payload: str, /) -> str:
        """As in Transcoder."""
        ...

    def skip(self, payload: str, /) -> None:
        """As in Transcoder."""
        ...

    def flush(self) -> str:
        """As in Transcoder."""
        ...


class Unheard:
    """Feeds a transcoder silence in the place of what it is given, sample for sample, so that no clock shifts."""

    __slots__ = ("_silent_byte", "hearing")

    def __init__(self, hearing: Hears, media: MediaFormat) -> None:
        self.hearing = hearing
        self._silent_byte = media.silent_byte

    def skip(self, payload: str) -> None:
        self.hearing.skip(payload)

    def flush(self) -> str:
        return self.hearing.flush()

    def feed(self, payload: str) -> str:
        return self.hearing.feed(b64encode(self._silent_byte * decoded_bytes(payload)).decode("ascii"))


def mulaw(samples: NDArray[np.int16]) -> bytes:
    """16-bit samples as G.711 mu-law, a byte each."""
    return _to_mulaw()[samples.view(np.uint16)].tobytes()


def linear(audio: bytes | bytearray) -> NDArray[np.int16]:
    """G.711 mu-law as 16-bit samples."""
    return _from_mulaw()[np.frombuffer(audio, dtype=np.uint8)]


@cache
def _from_mulaw() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.uint8)
    exponent = ((codes >> 4) & 7).astype(np.int32)
    size = ((((codes & 0x0F).astype(np.int32) << 3) + 132) << exponent) - 132
    samples: NDArray[np.int16] = np.where(codes & 0x80, -size, size).astype(np.int16)
    return samples


@cache
def _to_mulaw() -> NDArray[np.uint8]:
    """The codes, indexed by the 16 bits of a sample as unsigned."""
    samples = np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)
    biased = np.minimum(np.abs(samples), 32635) + 132
    exponent = np.floor(np.log2(biased)).astype(np.int32) - 7
    mantissa = (biased >> (exponent + 3)) & 0x0F
    sign = np.where(samples < 0, 0x80, 0)
    codes: NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes
