"""The tape of a call: what is on it, and what never was."""

from __future__ import annotations

import pytest

from actors.vaic.tape import AHEAD, NotedTranscoder, Tape
from protocols.errors import WireError
from protocols.media import LPCM16, LPCM16_24, Transcoder
from recordings.facts import Noted


class Clock:
    def __init__(self) -> None:
        self.at_ms = 0.0

    def __call__(self) -> float:
        return self.at_ms


def test_before_it_begins_nothing_of_the_caller_is_on_it_and_of_the_bot_what_was_sent_ahead() -> None:
    clock = Clock()
    tape = Tape(clock)
    tape.caller("before")
    tape.mark(Noted.AWAY)
    tape.bot(300.0, "ahead")
    assert tape.take() == ()
    clock.at_ms = 200.0
    tape.begin()
    tape.caller("after")
    tape.bot(400.0, "")
    assert tape.take() == (("b", 300.0, "ahead"), ("c", 200.0, "after"), ("x", 400.0, ""))
    assert tape.take() == ()


def test_what_was_sent_ahead_takes_little_room_while_nobody_agrees() -> None:
    tape = Tape(Clock())
    for number in range(10 * AHEAD):
        tape.bot(float(number), "piece")
    tape.begin()
    assert len(tape.take()) == AHEAD


def test_after_its_end_nothing_is_on_it() -> None:
    tape = Tape(Clock())
    tape.begin()
    tape.caller("last")
    tape.end()
    tape.caller("after")
    tape.bot(1.0, "after")
    tape.stream()
    assert tape.take() == (("c", 0.0, "last"),)


def test_a_transcoder_gives_what_it_would_and_the_tape_has_what_came() -> None:
    tape = Tape(Clock())
    tape.begin()
    noted, plain = (NotedTranscoder(Transcoder(LPCM16, LPCM16_24), tape), Transcoder(LPCM16, LPCM16_24))
    payload = "AAAA" * 320
    # Only as long: the resampler dithers at random.
    assert [len(noted.feed(payload)) for _ in range(5)] == [len(plain.feed(payload)) for _ in range(5)]
    with pytest.raises(WireError):
        noted.feed("A")
    noted.skip("AAAAAA==")
    assert noted.flush() != ""
    assert [what for what, _, _ in tape.take()] == ["c"] * 5 + ["s"]
