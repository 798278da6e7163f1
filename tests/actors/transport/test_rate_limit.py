"""Token buckets: what passes, and what is more than a peer may send."""

from __future__ import annotations

import pytest

from actors.transport.rate_limit import AUDIO_PER_REAL_TIME, MESSAGES_AHEAD, RateLimits, TokenBucket
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
    # Each counts for 20 ms, and 10 s of audio may come at once.
    assert passed == 500
    assert all(rate_limits.surplus.take(1) for _ in range(MESSAGES_AHEAD))
    assert not rate_limits.surplus.take(1)
