"""Media formats: negotiation, sizes without decoding, and resampling as a stream."""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64encode
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.caller.audio import decode, encode
from protocols.errors import WireError
from protocols.media import (
    KNOWN,
    LPCM16,
    LPCM16_8,
    LPCM16_24,
    MULAW,
    NO_AUDIO,
    QUIET_CODE,
    QUIET_PEAK,
    RAW,
    MediaFormat,
    Transcoder,
    decoded_bytes,
    held_back_ms,
    inaudible,
    linear,
    model_format,
    mulaw,
    negotiate,
    pieces,
    realtime_format,
    silence,
)
from protocols.wav import to_model

# The loudest sample of a quiet line, and one a little louder.
QUIET, SOUND = 372, 520
FORMATS = ("mulaw", "lpcm16", "lpcm16_8", "lpcm16_24")
# The least signal-to-noise ratio of what a caller said once it is the model's, and once it has come back, in dB. What
# passes through has none the second time: it is the same.
CLEAR_DB = {"raw/lpcm16_24": 80, "raw/lpcm16": 75, "raw/lpcm16_8": 75, "raw/mulaw": 36}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["raw/lpcm16", "wav/lpcm16", "raw/lpcm16_24", "raw/mulaw"], LPCM16_24),
        (["raw/mulaw", "raw/lpcm16"], MULAW),
        (["wav/lpcm16", "raw/lpcm16"], LPCM16),
        (["raw/lpcm16_8"], LPCM16_8),
        (["wav/mulaw", "audio/opus"], KNOWN["wav/mulaw"]),
        (["wav/mulaw", "wav/lpcm16", "wav/lpcm16_24", "raw/lpcm16_8"], LPCM16_8),
        (["wav/mulaw", "wav/lpcm16", "wav/lpcm16_24"], KNOWN["wav/lpcm16_24"]),
        (["audio/alaw", "audio/wav", "mulaw"], None),
        (["RAW/MuLaw "], MULAW),
        (["raw/lpcm16; rate=16000;channels=1"], LPCM16),
        (["raw/lpcm16;rate=8000", "raw/lpcm16;channels=2", ";", ""], None),
        ([], None),
    ],
)
def test_the_models_own_format_is_preferred_then_vaics_order(offered: list[str], chosen: MediaFormat | None) -> None:
    assert negotiate(offered) is chosen


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (["raw/mulaw"], MULAW),
        (["raw/lpcm16_8", "wav/lpcm16", "raw/mulaw"], KNOWN["wav/lpcm16"]),
        (["raw/lpcm16_8"], None),
    ],
)
def test_a_bot_that_names_its_formats_gets_the_first_that_is_offered_and_no_other(
    wanted: list[str], chosen: MediaFormat | None
) -> None:
    assert negotiate(["raw/lpcm16_24", "WAV/lpcm16", "raw/mulaw"], wanted) is chosen


def test_all_eight_formats_are_known_and_each_with_a_header_has_its_raw_one() -> None:
    assert sorted(KNOWN) == sorted(f"{kind}/{name}" for kind in ("raw", "wav") for name in FORMATS)
    for media in KNOWN.values():
        assert media.wav == media.name.startswith("wav/")
        assert media.raw is KNOWN[f"raw/{media.name[4:]}"]
        assert model_format(media) is model_format(media.raw)
        assert realtime_format(media) == realtime_format(media.raw)


def test_mulaw_stays_mulaw_and_all_pcm_becomes_24_khz() -> None:
    assert model_format(MULAW) is MULAW
    assert realtime_format(MULAW).type == "audio/pcmu"
    assert {model_format(each) for each in (LPCM16, LPCM16_8, LPCM16_24)} == {LPCM16_24}


def test_an_empty_piece_passes_wherever_it_comes_in_a_stream() -> None:
    stream = Transcoder(LPCM16_24, LPCM16_24)
    assert [stream.feed(piece) for piece in ("", "AA+/AA+/", "")] == ["", "AA+/AA+/", ""]


@pytest.mark.parametrize("size", range(12))
def test_the_length_of_base64_is_computed_without_decoding(size: int) -> None:
    assert decoded_bytes(b64encode(bytes(size)).decode()) == size


@pytest.mark.parametrize("media", [LPCM16_24, LPCM16, LPCM16_8, MULAW])
@pytest.mark.parametrize("length_ms", [1, 99, 100, 124, 126, 333, 1000])
def test_pieces_are_whole_samples_and_together_the_input(media: MediaFormat, length_ms: int) -> None:
    audio = bytes(range(256)) * 200
    audio = audio[: media.bytes_per_ms * length_ms]
    cut = [b64decode(piece, validate=True) for piece in pieces(b64encode(audio).decode(), media, 100)]
    assert b"".join(cut) == audio
    assert all(len(piece) % media.bytes_per_sample == 0 for piece in cut)
    assert all(len(piece) <= media.bytes_per_ms * 125 for piece in cut)


@pytest.mark.parametrize(("length_ms", "parts"), [(20, 1), (25, 1), (26, 2), (40, 2)])
def test_no_piece_is_cut_off_that_is_shorter_than_a_quarter(length_ms: int, parts: int) -> None:
    payload = b64encode(bytes(LPCM16_24.bytes_per_ms * length_ms)).decode()
    assert len(pieces(payload, LPCM16_24, 20)) == parts


def test_equal_formats_are_passed_through_unchanged_and_looked_at_once_a_stream() -> None:
    through = Transcoder(LPCM16_24, LPCM16_24)
    payload = "not even base64!"
    with pytest.raises(WireError, match="bad_audio"):
        through.feed(payload)
    assert through.feed("AAAA//AA") == "AAAA//AA"
    assert through.feed(payload) is payload
    assert through.flush() == ""
    with pytest.raises(WireError, match="bad_audio"):
        through.feed(payload)


@pytest.mark.parametrize("media", [LPCM16_24, LPCM16, MULAW, KNOWN["wav/lpcm16_24"]], ids=lambda media: media.name)
@pytest.mark.parametrize("size", [480, 482, 484])
def test_base64_of_another_alphabet_or_broken_into_lines_or_without_padding_is_heard(
    media: MediaFormat, size: int
) -> None:
    audio = tone(media.sample_rate_hz, 1.0).tobytes()[1000 : 1000 + size]
    standard = b64encode(audio).decode()
    url = urlsafe_b64encode(audio).decode()
    assert url != standard
    lines = "\r\n".join(standard[at : at + 76] for at in range(0, len(standard), 76))
    for sent in (url, url.rstrip("="), standard.rstrip("="), lines, standard + "\n", f" {standard}"):
        plain, other = (to_model(media, lambda _: None) for _ in range(2))
        for _ in range(3):
            expected = np.frombuffer(b64decode(plain.feed(standard)), np.uint8)
            got = np.frombuffer(b64decode(other.feed(sent), validate=True), np.uint8)
            assert len(got) == len(expected)
            assert media is LPCM16 or np.array_equal(got, expected)  # soxr's dither differs


@pytest.mark.parametrize("media", [LPCM16_24, MULAW], ids=lambda media: media.name)
def test_base64_for_urls_is_heard_after_silence_that_is_the_same_in_both_alphabets(media: MediaFormat) -> None:
    stream = Transcoder(media, media)
    audio = b"\xfb\xef\xff\xfb\xef\xff"
    for _ in range(2):
        assert stream.feed("AAAAAAAA") == "AAAAAAAA"
        assert b64decode(stream.feed(urlsafe_b64encode(audio).decode()), validate=True) == audio


def tone(rate_hz: int, length_s: float) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(int(rate_hz * length_s)) / rate_hz)).astype("<i2")


@pytest.mark.parametrize(("source", "target"), [(LPCM16, LPCM16_24), (LPCM16_24, LPCM16), (LPCM16_8, LPCM16_24)])
@pytest.mark.parametrize("chunk_bytes", [640, 641, 1, 7000])
def test_a_tone_survives_resampling_in_chunks_of_any_size(
    source: MediaFormat, target: MediaFormat, chunk_bytes: int
) -> None:
    length_s = 0.02 if chunk_bytes == 1 else 0.5
    sent = tone(source.sample_rate_hz, length_s).tobytes()
    stream = Transcoder(source, target)
    got = b"".join(
        b64decode(stream.feed(b64encode(sent[at : at + chunk_bytes]).decode()))
        for at in range(0, len(sent), chunk_bytes)
    )
    got += b64decode(stream.flush())
    expected = tone(target.sample_rate_hz, length_s)
    heard = np.frombuffer(got, dtype="<i2")
    assert abs(len(heard) - len(expected)) <= 2
    if length_s > 0.1:
        middle = slice(len(expected) // 4, len(expected) // 2)
        assert np.corrcoef(heard[middle], expected[middle])[0, 1] > 0.99


def voice(rate_hz: int) -> NDArray[np.float64]:
    """Three seconds of five tones of the telephone's band."""
    time_s = np.arange(3 * rate_hz) / rate_hz
    tones: NDArray[np.float64] = 3000 * np.sin(2 * np.pi * np.outer((313, 811, 1507, 2477, 3301), time_s)).sum(axis=0)
    return tones


def converted(stream: Transcoder, audio: bytes) -> bytes:
    """Converted in chunks of any size, most of which end within a sample."""
    sizes = np.random.default_rng(1).integers(1, 3000, len(audio))
    borders = [0, *np.cumsum(sizes)]
    chunks = (audio[begin:end] for begin, end in pairwise(borders) if begin < len(audio))
    return b"".join(b64decode(stream.feed(b64encode(chunk).decode())) for chunk in chunks) + b64decode(stream.flush())


def clearness_db(wanted: NDArray[np.float64], got: NDArray[np.float64]) -> float:
    """The signal-to-noise ratio, without the edges of the recording, which filters cannot know."""
    assert len(got) == len(wanted)
    inner = slice(len(wanted) // 20, -len(wanted) // 20)
    noise = ((wanted - got)[inner] ** 2).sum()
    return float("inf") if not noise else float(10 * np.log10((wanted[inner] ** 2).sum() / noise))


@pytest.mark.parametrize("media", RAW, ids=lambda media: media.name)
def test_a_voice_is_as_clear_as_its_format_allows_both_ways_in_chunks_of_any_size(media: MediaFormat) -> None:
    model = model_format(media)
    said = encode(np.rint(voice(media.sample_rate_hz)).astype(np.int16), media)
    heard = converted(Transcoder(media, model), said)
    back = converted(Transcoder(model, media), heard)

    least_db = CLEAR_DB[media.name]
    assert clearness_db(voice(model.sample_rate_hz), decode(heard, model).astype(float)) >= least_db
    if media.sample_rate_hz == model.sample_rate_hz:
        assert back == said
    else:
        wanted, got = (decode(audio, media).astype(float) for audio in (said, back))
        assert clearness_db(wanted, got) >= least_db
        inner = slice(len(wanted) // 20, -len(wanted) // 20)
        assert np.abs(wanted - got)[inner].max() <= 4, "a click at a border"


@pytest.mark.parametrize(("source", "target"), [(LPCM16, LPCM16_24), (LPCM16_24, LPCM16_8)])
def test_an_hour_later_not_a_sample_is_missing_and_the_phase_is_the_same(
    source: MediaFormat, target: MediaFormat
) -> None:
    def second(rate_hz: int) -> NDArray[np.float64]:
        wave: NDArray[np.float64] = 8000 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz)
        return wave

    stream, got, newest = Transcoder(source, target), 0, b""
    chunk = b64encode(second(source.sample_rate_hz).astype("<i2").tobytes() * 20).decode()
    for _ in range(3600 // 20):
        newest = b64decode(stream.feed(chunk))
        got += len(newest)
    rest = b64decode(stream.flush())
    assert got + len(rest) == 3600 * 1000 * target.bytes_per_ms
    wanted = second(target.sample_rate_hz)
    assert clearness_db(wanted, decode((newest + rest)[-2 * len(wanted) :], target).astype(float)) > 75


@pytest.mark.parametrize("target", [LPCM16_24, LPCM16], ids=lambda media: media.name)
def test_a_chunk_that_is_left_out_does_not_shift_what_follows(target: MediaFormat) -> None:
    sent = tone(24000, 0.2).tobytes()
    odd = [b64encode(sent[at : at + 481]).decode() for at in range(0, len(sent), 481)]
    for dropped in (3, 4):  # one that ends within a sample, one that ends it
        stream, got = Transcoder(LPCM16_24, target), b""
        for number, payload in enumerate(odd):
            if number == dropped:
                stream.skip(payload)
            else:
                got += b64decode(stream.feed(payload))
        got += b64decode(stream.flush())
        rest = np.frombuffer(got, "<i2")[-len(got) // 4 :].astype(int)
        wanted = tone(target.sample_rate_hz, 0.2)[-len(rest) :].astype(int)
        # Within the fraction of a sample that the rate makes of what is missing; shifted by a byte it is noise.
        assert np.abs(rest - wanted)[: -len(rest) // 8].max() < 1000


def test_of_mu_law_a_chunk_that_is_left_out_leaves_nothing_behind() -> None:
    through = Transcoder(MULAW, MULAW)
    through.skip(b64encode(b"abc").decode())
    assert through.feed("AAAA") == "AAAA"


def test_a_stream_can_be_flushed_and_used_again() -> None:
    stream = Transcoder(LPCM16_24, LPCM16)
    sizes = []
    for _ in range(3):
        payload = b64encode(tone(24000, 0.1).tobytes()).decode()
        sizes.append(decoded_bytes(stream.feed(payload)) + decoded_bytes(stream.flush()))
    assert sizes == [3200, 3200, 3200]


def test_half_a_sample_is_not_part_of_the_next_utterance() -> None:
    payload = b64encode(tone(24000, 0.1).tobytes()).decode()
    fresh, used = Transcoder(LPCM16_24, LPCM16), Transcoder(LPCM16_24, LPCM16)
    used.feed(b64encode(bytes(481)).decode())
    used.flush()
    got, expected = (np.frombuffer(b64decode(stream.feed(payload)), "<i2").astype(int) for stream in (used, fresh))
    assert np.abs(got - expected).max() <= 2  # soxr's dither differs


@pytest.mark.parametrize("before", ["", "////////"], ids=["", "its base64 is known to be the standard one"])
@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 5, 481, 960, 4801])
def test_no_sample_of_what_passes_through_is_split(chunk_bytes: int, before: str) -> None:
    sent = tone(24000, 0.05).tobytes()
    through, got = Transcoder(LPCM16_24, LPCM16_24), b""
    assert through.feed(before) == before
    for at in range(0, len(sent), chunk_bytes):
        piece = b64decode(through.feed(b64encode(sent[at : at + chunk_bytes]).decode()))
        assert len(piece) % 2 == 0
        got += piece
    assert got == sent


def test_mu_law_of_any_length_passes_through() -> None:
    through = Transcoder(MULAW, MULAW)
    through.feed("////")
    for length in range(1, 9):
        payload = b64encode(bytes(length)).decode()
        assert through.feed(payload) is payload


def test_half_a_sample_at_the_end_of_an_utterance_is_dropped_where_nothing_is_converted() -> None:
    through = Transcoder(LPCM16_24, LPCM16_24)
    through.feed(b64encode(b"abc").decode())
    assert through.flush() == ""
    assert through.feed("AAAAAAAA") == "AAAAAAAA"


@pytest.mark.parametrize(
    ("media", "payload"),
    [*((LPCM16_24, each) for each in ("A", "AA", "AAAAA", "AAAAAAA")), (MULAW, "A"), (MULAW, "AAAAA")],
)
def test_base64_that_is_cut_off_does_not_pass_through(media: MediaFormat, payload: str) -> None:
    with pytest.raises(WireError, match="bad_audio"):
        Transcoder(media, media).feed(payload)


def test_invalid_base64_is_refused() -> None:
    with pytest.raises(WireError, match="bad_audio"):
        Transcoder(LPCM16, LPCM16_24).feed("***")


def test_pcm_is_asked_for_at_the_models_rate() -> None:
    assert realtime_format(LPCM16_24).model_dump() == {"type": "audio/pcm", "rate": 24000}


def test_samples_have_two_bytes_and_mulaw_has_one() -> None:
    assert [each.bytes_per_sample for each in (LPCM16, LPCM16_8, LPCM16_24, MULAW)] == [2, 2, 2, 1]
    assert [each.is_pcm for each in (LPCM16, LPCM16_8, LPCM16_24, MULAW)] == [True, True, True, False]
    assert [each.bytes_per_ms for each in (LPCM16, LPCM16_8, LPCM16_24, MULAW)] == [32, 16, 48, 8]


def decoded(code: int) -> int:
    """The sample that a mu-law code stands for, by the table of G.711."""
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 132 << ((code & 0x70) >> 4)) - 132
    return -magnitude if code & 0x80 else magnitude


def test_a_sample_becomes_the_nearest_code_of_mulaw() -> None:
    samples = np.array([0, 1, -1, 100, -100, 1000, -1000, 8000, -8000, 32_000, -32_000, 32_767, -32_768], dtype="<i2")
    levels = sorted({decoded(code) for code in range(256)})
    for sample, code in zip(samples.tolist(), mulaw(samples), strict=True):
        nearest = min(abs(level - sample) for level in levels)
        assert abs(decoded(code) - sample) <= max(nearest + 1, abs(sample) // 32 + 8), sample
        assert sample == 0 or decoded(code) == 0 or (decoded(code) > 0) == (sample > 0)


def test_every_code_of_mulaw_becomes_its_sample() -> None:
    assert linear(bytes(range(256))).tolist() == [decoded(code) for code in range(256)]


def test_every_code_of_mulaw_is_used() -> None:
    every = np.arange(-32_768, 32_768).astype("<i2")
    assert len(set(mulaw(every))) >= 255
    assert [decoded(code) for code in mulaw(every)] == sorted(decoded(code) for code in mulaw(every))


@pytest.mark.parametrize("media", [LPCM16_24, MULAW], ids=lambda media: media.name)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_line_is_audible_from_one_loud_sample_on(media: MediaFormat, sign: int) -> None:
    def line(peak: int) -> str:
        samples = np.zeros(160, np.int16)
        samples[80] = sign * peak
        return b64encode(mulaw(samples) if media is MULAW else samples.astype("<i2").tobytes()).decode()

    assert inaudible(b64encode(silence(media, 20)).decode(), media)
    assert [inaudible(line(peak), media) for peak in (QUIET, SOUND, 32767)] == [True, False, False]


def test_a_quiet_line_is_as_loud_in_either_format() -> None:
    assert linear(bytes([~QUIET_CODE & 0xFF])).tolist() == [QUIET_PEAK]


def test_the_loudest_sample_of_all_is_audible_and_so_is_what_is_no_audio() -> None:
    assert not inaudible(b64encode(np.array([-32768], "<i2").tobytes()).decode(), LPCM16_24)
    assert not inaudible("A", LPCM16_24)
    assert inaudible(b64encode(bytes(3)).decode(), LPCM16_24)


@pytest.mark.parametrize("media", [*KNOWN.values(), NO_AUDIO], ids=lambda media: media.name)
def test_a_format_has_as_many_bytes_a_millisecond_as_its_samples_have(media: MediaFormat) -> None:
    assert media.bytes_per_ms * 1000 == media.sample_rate_hz * media.bytes_per_sample


@pytest.mark.parametrize("media", [LPCM16, LPCM16_8, LPCM16_24, MULAW])
def test_what_a_transcoder_holds_back_is_known(media: MediaFormat) -> None:
    transcoder, piece = Transcoder(media, model_format(media)), b64encode(silence(media, 20)).decode()
    came_ms, behind_ms = 0.0, []
    for number in range(1, 401):
        came_ms += decoded_bytes(transcoder.feed(piece)) / model_format(media).bytes_per_ms
        behind_ms.append(20 * number - came_ms)
    assert np.mean(behind_ms[100:]) == pytest.approx(held_back_ms(media), abs=2)
