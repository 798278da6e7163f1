"""Where the samples of a track belong: the bot's by the ledger's time, the caller's by their own clock."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.media import LPCM16, LPCM16_8, LPCM16_24, MULAW, MediaFormat, mulaw
from recordings.tracks import BotTrack, CallerTrack, Samples, runs, samples_of

RNG = np.random.default_rng(7)
ORIGIN_MS = 1_234.567


def noise(ms: int, media: MediaFormat = LPCM16_24) -> Samples:
    return RNG.integers(-9000, 9000, media.sample_rate_hz * ms // 1000).astype(np.int16)


def bot_track(media: MediaFormat = LPCM16_24) -> BotTrack:
    return BotTrack(BytesIO(), media, ORIGIN_MS)


def heard(track: BotTrack | CallerTrack, media: MediaFormat = LPCM16_24, ms: int = 2000) -> Samples:
    return track.sound.read(0, media.sample_rate_hz * ms // 1000)


# --- the bot ---


@pytest.mark.parametrize("media", [LPCM16_24, LPCM16, LPCM16_8])
def test_pieces_that_follow_each_other_are_one_sound_to_the_sample(media: MediaFormat) -> None:
    track, sound = bot_track(media), noise(800, media)
    piece = media.sample_rate_hz // 50
    for number in range(40):
        at_ms = ORIGIN_MS + 333.3 + 20 * number + (1e-7 if number % 2 else -1e-7)
        track.heard(at_ms, sound[number * piece : (number + 1) * piece])
    at = round(333.3 * media.sample_rate_hz / 1000)
    assert np.array_equal(heard(track, media)[at : at + len(sound)], sound)
    assert [each.sample for each in track.anchors] == [at]


def test_a_cut_takes_away_what_would_have_been_heard_later() -> None:
    track, sound = bot_track(), noise(1000)
    track.heard(ORIGIN_MS + 100, sound)
    track.cut(ORIGIN_MS + 350)
    track.heard(ORIGIN_MS + 900, sound[:2400])
    all_ = heard(track)
    assert np.array_equal(all_[2400:8400], sound[:6000])
    assert not all_[8400:21600].any()
    assert np.array_equal(all_[21600:24000], sound[:2400])
    assert track.cuts_ms == [250.0 + 100]


def test_a_cut_while_nothing_is_heard_is_none() -> None:
    track = bot_track()
    track.cut(ORIGIN_MS + 10)
    track.heard(ORIGIN_MS + 20, noise(20))
    track.cut(ORIGIN_MS + 500)
    assert track.cuts_ms == []
    assert track.sound.length == 480 + 480


def test_what_was_heard_before_the_recording_began_is_left_out() -> None:
    track, sound = bot_track(), noise(100)
    track.heard(ORIGIN_MS - 60, sound)
    assert np.array_equal(heard(track)[: 40 * 24], sound[60 * 24 :])
    assert track.sound.length == 40 * 24


def test_mu_law_is_decoded() -> None:
    samples = np.array([0, 1000, -1000, 32000], np.int16)
    assert np.abs(samples_of(mulaw(samples), MULAW) - samples.astype(int)).max() < 1000
    assert len(samples_of(b"\1\2\3", LPCM16)) == 1


# --- the caller ---


def caller_track() -> CallerTrack:
    return CallerTrack(BytesIO(), BytesIO(), LPCM16_24, ORIGIN_MS)


def hear(track: CallerTrack, sound: Samples, arrivals_ms: list[float], chunk_ms: int = 20) -> None:
    """Chunks of a sound; each has arrived at that time."""
    size = 24 * chunk_ms
    for number, at_ms in enumerate(arrivals_ms):
        track.heard(ORIGIN_MS + at_ms, sound[number * size : (number + 1) * size])
    track.place()


def test_jitter_and_a_stall_leave_the_caller_whole() -> None:
    track, sound = caller_track(), noise(1000)
    on_time = [100.0 + 20 * (number + 1) for number in range(50)]
    # Each some ms late; for 400 ms nothing came, then all at once.
    late = [at + RNG.uniform(0, 8) for at in on_time]
    late[10:30] = [late[30]] * 20
    late[3] = on_time[3]
    hear(track, sound, late)
    all_ = heard(track)
    assert np.array_equal(all_[2400 : 2400 + len(sound)], sound)
    assert len(track.anchors) == 1


def test_silence_that_was_not_sent_is_silence() -> None:
    track, sound = caller_track(), noise(400)
    hear(track, sound, [20.0 * (n + 1) for n in range(10)] + [500.0 + 20 * (n + 1) for n in range(10)])
    all_ = heard(track)
    assert np.array_equal(all_[:4800], sound[:4800])
    assert not all_[4800:12000].any()
    assert np.array_equal(all_[12000:16800], sound[4800:])
    assert [each.sample for each in track.anchors] == [0, 12000]


def test_speech_that_comes_all_at_once_was_spoken_before() -> None:
    track, sound = caller_track(), noise(1000)
    track.heard(ORIGIN_MS + 1500, sound)
    track.place()
    assert np.array_equal(heard(track)[12000:36000], sound)


def test_what_was_spoken_before_the_recording_began_is_left_out() -> None:
    track, sound = caller_track(), noise(1000)
    track.heard(ORIGIN_MS + 300, sound)
    track.place()
    assert np.array_equal(heard(track)[:7200], sound[-7200:])
    assert track.sound.length == 7200
    assert [(each.sample, each.at_ms) for each in track.anchors] == [(0, 0.0)]


def test_a_caller_of_whom_nothing_came_is_silent() -> None:
    track = caller_track()
    track.place()
    assert track.sound.length == 0
    assert track.anchors == []


@pytest.mark.parametrize("drift", [-200e-6, 200e-6])
def test_a_clock_that_is_a_little_off_does_not_carry_the_caller_away(drift: float) -> None:
    """In ten minutes the two clocks are 120 ms apart; no sample is further from its time than one chunk."""
    chunks = [((number + 1) * 480 * (1 + drift), 480) for number in range(30_000)]
    placed = runs(chunks, jitter=240, look_ahead=120_000)
    spoken = 0
    worst = 0.0
    for at, count in placed:
        for place in (0, count):
            due = (spoken + place) * (1 + drift)
            worst = max(worst, abs(at + place - due))
        spoken += count
    # A clock that is slow is made up for; one that is fast has said all of this before, and nothing is thrown away.
    assert spoken == 30_000 * 480
    assert worst <= (480 if drift > 0 else 3000)


@settings(max_examples=60, deadline=None)
@given(
    pauses=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 60)), min_size=1, max_size=8),
    seed=st.integers(0, 1000),
)
def test_any_pauses_under_any_jitter_put_each_run_within_its_jitter(pauses: list[tuple[int, int]], seed: int) -> None:
    """pauses: chunks in a row, then the pause after them in chunks. One chunk in four comes without delay."""
    rng = np.random.default_rng(seed)
    chunks: list[tuple[float, int]] = []
    spoken_at: list[int] = []
    clock = 0
    for count, pause in pauses:
        for number in range(count):
            delay = 0.0 if number % 4 == 0 else rng.uniform(0, 200)
            spoken_at.append(clock)
            clock += 480
            chunks.append((max(clock + delay, chunks[-1][0] if chunks else 0.0), 480))
        clock += 480 * pause
    placed = runs(chunks, jitter=240, look_ahead=120_000)
    starts = [at + offset for at, count in placed for offset in range(0, count, 480)]
    assert len(starts) == len(spoken_at)
    assert all(abs(at - due) <= 240 for at, due in zip(starts, spoken_at, strict=True))
    assert all(second - first >= 480 for first, second in pairwise(starts))
