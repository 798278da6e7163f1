"""Headers of the wav formats: written as other programs read them, and read wherever they stand."""

from __future__ import annotations

import wave
from base64 import b64decode, b64encode
from io import BytesIO

import pytest

from protocols.errors import WireError
from protocols.media import KNOWN, WAV, MediaFormat
from protocols.wav import MOST_BYTES, RIFF_TEXT, WavTranscoder, audio_at, header, to_model, with_header

MULAW, LPCM16, LPCM16_24 = KNOWN["wav/mulaw"], KNOWN["wav/lpcm16"], KNOWN["wav/lpcm16_24"]
AUDIO = bytes(range(240)) * 4
each_format = pytest.mark.parametrize("media", WAV, ids=lambda media: media.name)


def text(audio: bytes) -> str:
    return b64encode(audio).decode()


class Told:
    """A stream of a caller's audio, and what was told of its headers."""

    def __init__(self, media: MediaFormat) -> None:
        self.headers: list[bool] = []
        self.stream = WavTranscoder(media, media.raw, self.headers.append)

    def takes(self, *chunks: bytes) -> bytes:
        return b"".join(b64decode(self.stream.feed(text(chunk))) for chunk in chunks)


@pytest.mark.parametrize("media", [media for media in WAV if media.is_pcm], ids=lambda media: media.name)
@pytest.mark.parametrize("whole", [True, False])
def test_the_standard_library_reads_what_we_write(media: MediaFormat, whole: bool) -> None:
    file = b64decode(with_header(text(AUDIO), media, whole=whole))
    with wave.open(BytesIO(file)) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate()) == (1, 2, media.sample_rate_hz)
        if whole:
            assert read.readframes(read.getnframes()) == AUDIO
    assert file[44:] == AUDIO


@each_format
@pytest.mark.parametrize("length", [None, 960])
def test_what_we_write_is_read_and_says_its_length(media: MediaFormat, length: int | None) -> None:
    head = header(media, length)
    assert audio_at(head + AUDIO, media) == len(head)
    size, rest = int.from_bytes(head[4:8], "little"), int.from_bytes(head[-4:], "little")
    assert (size, rest) == ((0xFFFFFFFF,) * 2 if length is None else (len(head) - 8 + length, length))


@each_format
def test_a_header_at_the_beginning_is_taken_off_wherever_it_is_cut(media: MediaFormat) -> None:
    file = header(media) + AUDIO
    for border in range(len(header(media)) + 4):
        told = Told(media)
        assert told.takes(file[:border], file[border:]) == AUDIO
        assert told.headers == [True]
    told = Told(media)
    assert told.takes(*(file[at : at + 1] for at in range(len(file)))) == AUDIO


@each_format
def test_a_stream_without_a_header_is_read_too(media: MediaFormat) -> None:
    told = Told(media)
    assert told.takes(b"", AUDIO, AUDIO) == AUDIO * 2
    assert told.headers == [False]


@each_format
def test_a_header_in_each_chunk_is_taken_off(media: MediaFormat) -> None:
    told = Told(media)
    chunks = [b64decode(with_header(text(AUDIO), media, whole=True))] * 3
    assert told.takes(*chunks) == AUDIO * 3
    assert told.headers == [True]


def test_each_stream_begins_anew() -> None:
    told = Told(LPCM16)
    told.takes(header(LPCM16) + AUDIO, b"x")
    told.stream.flush()
    assert told.takes(AUDIO) == AUDIO
    told.stream.flush()
    assert told.takes(header(LPCM16)[:20]) == b""
    told.stream.flush()
    assert told.takes(header(LPCM16) + AUDIO) == AUDIO
    assert told.headers == [True, False, True]


def test_notes_before_the_audio_are_passed_over() -> None:
    head = header(LPCM16)
    noted = head[:12] + b"LIST" + (5).to_bytes(4, "little") + b"notes\0" + head[12:]
    assert Told(LPCM16).takes(noted + AUDIO) == AUDIO


def test_a_header_whose_encoding_stands_in_its_extension_is_read() -> None:
    head = header(LPCM16)
    extended = head[:20] + (0xFFFE).to_bytes(2, "little") + head[22:]
    assert Told(LPCM16).takes(extended + AUDIO) == AUDIO


def test_audio_that_begins_like_a_header_is_audio() -> None:
    assert Told(LPCM16).takes(b"RIFF" + AUDIO) == b"RIFF" + AUDIO
    assert text(b"RIFF").startswith(RIFF_TEXT)


@pytest.mark.parametrize(
    ("says", "is_one_of"), [(LPCM16, LPCM16_24), (LPCM16_24, LPCM16), (MULAW, LPCM16), (LPCM16, MULAW)]
)
def test_a_header_of_another_format_is_an_error_once(says: MediaFormat, is_one_of: MediaFormat) -> None:
    told = Told(is_one_of)
    with pytest.raises(WireError, match=r"wav_header: encoding .*Hz"):
        told.takes(header(says) + AUDIO)
    assert told.takes(AUDIO) == AUDIO


def test_a_header_without_an_end_is_given_up() -> None:
    told = Told(LPCM16)
    notes = b"LIST" + (1 << 30).to_bytes(4, "little")
    with pytest.raises(WireError, match="no audio"):
        told.takes(header(LPCM16)[:12] + notes, *[bytes(512)] * (MOST_BYTES // 512 + 1))
    assert told.takes(AUDIO) == AUDIO


def test_what_is_no_base64_is_refused_at_the_beginning_too() -> None:
    with pytest.raises(WireError, match="bad_audio"):
        Told(LPCM16).stream.feed("UklGR***")


def test_only_formats_with_headers_are_looked_at_for_one() -> None:
    def never(found: bool) -> None:
        raise AssertionError(found)

    raw = to_model(LPCM16_24.raw, never)
    assert not isinstance(raw, WavTranscoder)
    assert b64decode(raw.feed(text(header(LPCM16_24)))) == header(LPCM16_24)
    assert isinstance(to_model(LPCM16_24, never), WavTranscoder)
