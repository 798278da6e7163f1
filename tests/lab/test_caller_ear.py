"""The simulated caller's ear, to the sample."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.caller.ear import UNITS_PER_MS, Ear
from protocols.media import LPCM16, LPCM16_8, LPCM16_24, MULAW, MediaFormat

MEDIA = [LPCM16_24, LPCM16, LPCM16_8, MULAW]


def an_ear() -> Ear:
    return Ear(split_ms=700, keep=True)


def listen(ear: Ear, ms: int) -> None:
    for _ in range(ms // 20):
        ear.play()


@pytest.mark.parametrize("media", MEDIA, ids=lambda media: media.name)
def test_the_ear_hears_at_playback_speed_to_the_sample(media: MediaFormat) -> None:
    ear = an_ear()
    listen(ear, 100)
    ear.open("p-1", media)
    ear.feed(bytes(media.bytes_per_ms * 50 + media.bytes_per_sample))
    ear.close()

    listen(ear, 40)
    [run] = ear.runs
    assert run.heard_samples == media.sample_rate_hz * 40 // 1000
    assert ear.sounding

    listen(ear, 40)
    assert run.heard_samples == media.sample_rate_hz * 50 // 1000 + 1
    assert run.ended_units - run.began_units == 50 * UNITS_PER_MS + 48_000 // media.sample_rate_hz
    assert run.began_ms == 100
    assert ear.take_finished() == 1
    assert not ear.busy


def test_streams_are_heard_one_after_the_other_without_a_gap() -> None:
    ear = an_ear()
    for number, media in enumerate(MEDIA):
        ear.open(f"p-{number}", media)
        ear.feed(bytes(media.bytes_per_ms * 33))
        ear.close()
    listen(ear, 200)

    assert [(run.began_ms, run.ended_ms) for run in ear.runs] == [(0, 33), (33, 66), (66, 99), (99, 132)]
    assert ear.quiet_since_ms == 132
    assert ear.max_lead_ms == 132


def test_audio_that_comes_late_leaves_a_gap_in_the_utterance() -> None:
    ear = an_ear()
    ear.open("p-1", LPCM16_24)
    ear.feed(bytes(48 * 30))
    listen(ear, 100)
    ear.feed(bytes(48 * 20))
    listen(ear, 100)

    [run] = ear.runs
    assert (run.heard_ms, run.began_ms, run.ended_ms, run.gap_units) == (50, 0, 120, 70 * UNITS_PER_MS)
    assert [(piece.at_units // UNITS_PER_MS, len(piece.audio)) for piece in ear.segments] == [(0, 1440), (100, 960)]


def test_a_long_silence_within_a_stream_parts_two_utterances() -> None:
    ear = an_ear()
    ear.open("p-1", LPCM16_24)
    ear.feed(bytes(48 * 20))
    listen(ear, 720)
    assert ear.take_over() == []
    ear.feed(bytes(48 * 20))
    listen(ear, 20)

    assert [(run.began_ms, run.gap_units) for run in ear.runs] == [(0, 0), (720, 0)]
    assert ear.take_over() == [ear.runs[0]]


def test_a_cut_loses_what_was_held_and_no_more() -> None:
    ear = an_ear()
    ear.open("p-1", MULAW)
    ear.feed(b"\x10" * 8 * 1000)
    ear.close()
    ear.open("p-2", MULAW)
    ear.feed(b"\x10" * 8 * 500)
    listen(ear, 260)

    assert ear.cut(barge_in=False) is None
    run = ear.cut(barge_in=True)
    listen(ear, 100)

    assert run is ear.runs[0]
    assert (run.heard_ms, run.sent_ms, run.ended_ms) == (260, 1000, 260)
    assert len(ear.runs) == 1  # of the second stream nothing was ever heard
    assert not ear.accepting


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 5)), max_size=30))
def test_no_sample_is_heard_twice_or_lost(feeds: list[tuple[int, int]]) -> None:
    ear = an_ear()
    ear.open("p-1", LPCM16)
    sent = bytearray()
    for length, ticks in feeds:
        audio = bytes((len(sent) + at) % 251 for at in range(length))
        sent += audio
        ear.feed(audio)
        listen(ear, ticks * 20)
    ear.close()
    listen(ear, 3000)

    heard = b"".join(bytes(piece.audio) for piece in ear.segments)
    assert heard == sent[: len(sent) // 2 * 2]
    assert sum(run.heard_samples for run in ear.runs) == len(sent) // 2
    for run, later in zip(ear.runs, ear.runs[1:], strict=False):
        assert run.ended_units <= later.began_units
    for run in ear.runs:
        assert run.ended_units - run.began_units - run.gap_units == run.heard_samples * 3
