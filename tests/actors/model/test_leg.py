"""The model's leg: audio is kept for the next session, and an utterance not understood is sent again."""

from __future__ import annotations

import pytest

from actors.messages.call import BotSaid, CallerSaid, CallerSpeaks, FunctionCalled, SpeechFact
from actors.messages.model import (
    CallerAudio,
    ModelSocketMessage,
)
from actors.model.audio_buffer import ModelRef
from actors.model.leg import cause_of, renew_in_s
from protocols.errors import MisuseError, ModelRefused, TransportLost
from protocols.media import LPCM16_24
from tests.probe import Probe


def test_caller_audio_waits_for_a_live_session_and_only_the_newest_is_kept() -> None:
    stable_ref, model = ModelRef(LPCM16_24), Probe[ModelSocketMessage]("model")
    chunks = [CallerAudio(f"{number:04d}" * 1600) for number in range(60)]  # 100 ms each
    for chunk in chunks[:50]:
        stable_ref.tell(chunk)
    stable_ref.occupant = model
    for chunk in chunks[50:]:
        stable_ref.tell(chunk)
    model.expect_nothing()
    stable_ref.hears(True)
    assert model.arrived == chunks[-40:]


def piece(name: str) -> CallerAudio:
    return CallerAudio(name * 1600)  # 100 ms


def hearing() -> tuple[ModelRef, Probe[ModelSocketMessage]]:
    ref, model = ModelRef(LPCM16_24), Probe[ModelSocketMessage]("model")
    ref.occupant = model
    ref.hears(True)
    return ref, model


def test_an_utterance_not_understood_is_sent_again_before_buffered_audio() -> None:
    ref, _ = hearing()
    ref.note(CallerSpeaks("u-1", began=True, at_ms=0))
    ref.tell(piece("said"))
    ref.hears(False)
    ref.occupant = model = Probe[ModelSocketMessage]("the next model")
    ref.tell(piece("kept"))
    assert ref.hears(True)
    assert model.arrived == [piece("said"), piece("kept")]
    assert not ref.hears(True), "once"


@pytest.mark.parametrize(
    "fact",
    [
        CallerSaid("u-1", "hello"),
        BotSaid("i-1", "hello"),
        FunctionCalled(call_id="c-1", name="book", arguments="{}", response_id="r-1"),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_an_utterance_that_was_understood_is_not_sent_again(fact: SpeechFact | FunctionCalled) -> None:
    ref, model = hearing()
    ref.note(CallerSpeaks("u-1", began=True, at_ms=0))
    ref.tell(piece("said"))
    ref.note(CallerSpeaks("u-1", began=False, at_ms=100))
    ref.note(fact)
    model.arrived.clear()
    assert not ref.hears(True)
    model.expect_nothing()


def test_whether_the_caller_speaks_is_as_the_model_has_told() -> None:
    ref, _ = hearing()
    told = []
    for began in (True, False):
        ref.note(CallerSpeaks("u-1", began=began, at_ms=0))
        told.append(ref.caller_speaks)
    assert told == [True, False]


@pytest.mark.parametrize(
    ("left_s", "due_s", "delayed"),
    [
        (3600, 3540, ""),
        (100, 50, ""),
        (20, 10, ""),
        (19.9, 10, "near"),
        (0.1, 10, "near"),
        (0, 1200, "past"),
        (-1.8e9, 1200, "past"),
    ],
)
def test_a_session_is_renewed_before_its_end_but_never_at_once(left_s: float, due_s: float, delayed: str) -> None:
    assert renew_in_s(left_s) == (due_s, delayed)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TransportLost(1006, "ConnectionRefusedError"), "ConnectionRefusedError"),
        (TransportLost(1011), "closed with 1011"),
        (ModelRefused("status 401 at the upgrade"), "status 401 at the upgrade"),
        (MisuseError("what the caller said"), "MisuseError"),
        (None, "it has ended"),
    ],
)
def test_a_cause_is_short_and_holds_no_words(error: Exception | None, cause: str) -> None:
    assert cause_of(error) == cause
