"""Audio kept while no session is live: the newest of it, and the beginning of an utterance."""

from __future__ import annotations

from actors.model.audio_buffer import BEFORE_PIECES, KEPT_MS, AudioBuffer, UtteranceBuffer


def length_ms(payload: str) -> float:
    """Of a piece named for its length: "7 of 100 ms"."""
    return float(payload.split()[2])


def pieces(count: int, ms: int = 100, begin: int = 0) -> list[str]:
    return [f"{number} of {ms} ms" for number in range(begin, begin + count)]


def buffer(payloads: list[str]) -> AudioBuffer:
    found = AudioBuffer(length_ms)
    for payload in payloads:
        found.append(payload)
    return found


def utterance(before: list[str], said: list[str]) -> UtteranceBuffer:
    found = UtteranceBuffer(length_ms)
    for payload in before:
        found.append(payload)
    found.begin()
    for payload in said:
        found.append(payload)
    return found


# --- a buffer ---


def test_a_full_buffer_drops_the_oldest_audio() -> None:
    whole = pieces(KEPT_MS // 100)
    assert buffer(whole).take() == whole
    assert buffer([*whole, *pieces(2, begin=40)]).take() == [*whole[2:], *pieces(2, begin=40)]


def test_pieces_count_by_their_length() -> None:
    one_more = "x of 150 ms"
    assert buffer([*pieces(KEPT_MS // 100), one_more]).take() == [*pieces(KEPT_MS // 100 - 2, begin=2), one_more]


def test_audio_that_was_taken_is_not_kept_and_uses_no_capacity() -> None:
    found = buffer(pieces(30))
    found.take()
    assert found.take() == []
    for payload in (whole := pieces(KEPT_MS // 100)):
        found.append(payload)
    assert found.take() == whole


# --- an utterance ---


def test_an_utterance_begins_a_moment_before_it_was_noticed() -> None:
    before = pieces(BEFORE_PIECES + 5, ms=20)
    said = pieces(3, begin=100)
    assert utterance(before, said).take() == [*before[5:], *said]


def test_the_beginning_of_a_long_utterance_is_kept() -> None:
    said = pieces(KEPT_MS // 100 + 10)
    assert utterance([], said).take() == said[: KEPT_MS // 100]


def test_an_utterance_begins_once_however_often_that_is_reported() -> None:
    found = utterance(pieces(1), pieces(1, begin=1))
    found.begin()
    assert found.take() == pieces(2)


def test_an_utterance_that_was_understood_or_taken_is_not_kept() -> None:
    found = utterance(pieces(1), pieces(1))
    found.forget()
    assert found.take() == []
    found = utterance(pieces(1), pieces(1))
    found.take()
    assert found.take() == []


def test_the_next_utterance_begins_with_the_audio_since_the_last_one() -> None:
    found = utterance(pieces(1), pieces(KEPT_MS // 100))
    found.forget()
    found.append("a of 20 ms")
    found.begin()
    found.append("b of 20 ms")
    assert found.take() == ["a of 20 ms", "b of 20 ms"]
