"""Token buckets: what passes, and what is more than a peer may send."""

from __future__ import annotations

import pytest

from actors.transport.rate_limit import (
    AUDIO_AHEAD_S,
    AUDIO_PER_REAL_TIME,
    FRAME_BYTES,
    MESSAGES_AHEAD,
    MODEL_TRAFFIC,
    VAIC_TRAFFIC,
    RateLimits,
    TokenBucket,
    Traffic,
)
from protocols.media import LPCM16_24


class Clock:
    """In ms."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_fills_at_its_rate_up_to_its_capacity() -> None:
    clock = Clock()
    bucket = TokenBucket(per_s=10, most=5, now_ms=clock)
    assert [bucket.take(1) for _ in range(6)] == [True] * 5 + [False]
    clock.now += 200
    assert [bucket.take(1) for _ in range(3)] == [True, True, False]
    clock.now += 1e6
    assert [bucket.take(1) for _ in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize(
    ("times_real", "passes"), [(1, True), (AUDIO_PER_REAL_TIME - 0.1, True), (AUDIO_PER_REAL_TIME + 1, False)]
)
@pytest.mark.parametrize("chunk_ms", [20, 100])
def test_audio_passes_up_to_four_times_as_fast_as_real(chunk_ms: int, times_real: float, passes: bool) -> None:
    clock = Clock()
    rate_limits = RateLimits(LPCM16_24, clock)
    taken = []
    for _ in range(round(120_000 / chunk_ms)):
        taken.append(rate_limits.audio.take(max(LPCM16_24.bytes_per_ms * chunk_ms / 3 * 4, rate_limits.least)))
        clock.now += chunk_ms / times_real
    assert all(taken) is passes


def test_a_refused_message_takes_no_tokens() -> None:
    clock = Clock()
    bucket = TokenBucket(per_s=10, most=5, now_ms=clock)
    assert not bucket.take(6)
    assert bucket.take(5)


def test_empty_chunks_count_as_much_as_20_ms_of_audio() -> None:
    rate_limits = RateLimits(LPCM16_24, Clock())
    passed = 0
    while rate_limits.audio.take(rate_limits.least):
        passed += 1
    # Each counts for 20 ms.
    assert passed == AUDIO_AHEAD_S * 50
    assert all(rate_limits.surplus.take(1) for _ in range(MESSAGES_AHEAD))
    assert not rate_limits.surplus.take(1)


def test_what_is_missing_in_a_bucket_stays_missing_when_it_changes() -> None:
    clock = Clock()
    bucket = TokenBucket(per_s=10, most=100, now_ms=clock)
    assert bucket.take(15)
    clock.now += 1000
    bucket.change(per_s=1, most=20)
    assert [bucket.take(15), bucket.take(1)] == [True, False], "15 were taken, and 10 came at the former rate"
    clock.now += 1000
    assert [bucket.take(1), bucket.take(1)] == [True, False]
    bucket.change(per_s=10, most=100)
    assert [bucket.take(80), bucket.take(1)] == [True, False]
    clock.now += 1e6
    assert [bucket.take(100), bucket.take(1)] == [True, False]
    bucket.change(per_s=10, most=20)
    clock.now += 1000
    assert not bucket.take(1), "who has used more than the new capacity waits until that is made up for"
    clock.now += 7100
    assert [bucket.take(1), bucket.take(1)] == [True, False]


# What a frame has besides its audio: type, conversation, stream.
ENVELOPE_CHARS = 200


def while_overloaded(traffic: Traffic, clock: Clock) -> TokenBucket:
    bucket = TokenBucket(traffic.per_s, traffic.ahead, clock)
    assert traffic.overloaded is not None
    bucket.change(traffic.overloaded.per_s, traffic.overloaded.ahead)
    return bucket


@pytest.mark.parametrize("chunk_ms", [10, 20, 100])
def test_a_caller_is_not_cut_while_the_loop_is_overloaded_not_even_after_five_seconds_of_silence(chunk_ms: int) -> None:
    clock = Clock()
    bucket = while_overloaded(VAIC_TRAFFIC, clock)
    cost = FRAME_BYTES + ENVELOPE_CHARS + LPCM16_24.bytes_per_ms * chunk_ms / 3 * 4
    late_ms = 5000 if chunk_ms >= 20 else 2000
    for number in range(120_000 // chunk_ms):
        assert bucket.take(cost)
        if number * chunk_ms % 30_000:
            clock.now += chunk_ms
        else:  # nothing arrives for a while, then all at once
            clock.now += late_ms
            for _ in range(late_ms // chunk_ms):
                assert bucket.take(cost)


@pytest.mark.parametrize(
    ("traffic", "per_s"), [(VAIC_TRAFFIC, 800_000), (MODEL_TRAFFIC, 1_900_000)], ids=["vaic", "model"]
)
def test_who_sends_nearly_as_much_as_is_usual_is_cut_within_seconds_of_an_overload(
    traffic: Traffic, per_s: int
) -> None:
    clock = Clock()
    bucket = while_overloaded(traffic, clock)
    for _ in range(500):
        clock.now += 10
        if not bucket.take(per_s / 100):
            return
    raise AssertionError("never cut")


def test_a_response_of_a_minute_may_come_at_once_while_the_loop_is_overloaded() -> None:
    bucket = while_overloaded(MODEL_TRAFFIC, Clock())
    for _ in range(60):
        for _ in range(10):  # deltas of 100 ms
            assert bucket.take(FRAME_BYTES + ENVELOPE_CHARS + LPCM16_24.bytes_per_ms * 100 / 3 * 4)
        for _ in range(4):  # words
            assert bucket.take(FRAME_BYTES + ENVELOPE_CHARS)
