"""A caller's audio that stops in mid-utterance: the model is given silence until the turn ends."""

from __future__ import annotations

from base64 import b64decode, b64encode

import numpy as np
import pytest

from actors.bots import TELEPHONE_VAD
from actors.messages.call import CallerInaudible
from actors.messages.model import CallerAudio
from actors.messages.vaic import CallerBargedIn, CallerFellSilent
from actors.vaic.gap import GAP_S, MOST_SILENT
from protocols.media import LPCM16_24, MULAW
from tests.actors.vaic.scene import Scene
from tests.cranked import CrankedDispatcher

START: dict[str, object] = {"type": "userStream.start"}
STOP: dict[str, object] = {"type": "userStream.stop"}
CHUNK: dict[str, object] = {"type": "userStream.chunk", "audioChunk": b64encode(bytes(960)).decode()}
_TONE = (3000 * np.sin(np.arange(480) / 5)).astype("<i2").tobytes()
SOUND: dict[str, object] = {"type": "userStream.chunk", "audioChunk": b64encode(_TONE).decode()}
FILL_MS = round(1000 * GAP_S)
DEAD_MS = MOST_SILENT * FILL_MS


def filled_ms(scene: Scene) -> float:
    """How much audio the model was given since the last time."""
    return sum(len(b64decode(each.payload)) for each in scene.model.all(CallerAudio)) / LPCM16_24.bytes_per_ms


def test_a_stream_that_stops_in_mid_utterance_goes_on_in_silence_until_the_turn_ends(
    mailboxes: CrankedDispatcher,
) -> None:
    scene = Scene(mailboxes)
    scene.hears(START, CHUNK)
    scene.told(CallerBargedIn())
    scene.hears(STOP)
    filled_ms(scene)
    mailboxes.advance(800)
    assert filled_ms(scene) == 3 * FILL_MS
    scene.told(CallerFellSilent())
    mailboxes.advance(20_000)
    assert filled_ms(scene) == 0


def test_a_gap_is_filled_up_to_a_limit(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.told(CallerBargedIn())
    mailboxes.advance(60_000)
    assert filled_ms(scene) == MOST_SILENT * FILL_MS


def test_audio_that_comes_is_left_as_it_is_and_so_is_silence_between_turns(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.hears(START)
    scene.told(CallerBargedIn())
    for _ in range(12):
        scene.hears(CHUNK)
        mailboxes.advance(200)
    assert filled_ms(scene) == 12 * 20
    scene.told(CallerFellSilent())
    mailboxes.advance(60_000)
    assert filled_ms(scene) == 0


def test_a_turn_is_watched_by_its_own_timer_only(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.told(CallerBargedIn(), CallerFellSilent(), CallerBargedIn())
    mailboxes.advance(2 * FILL_MS)
    assert filled_ms(scene) == 2 * FILL_MS
    mailboxes.advance(60_000)
    assert len(scene.call.all(CallerInaudible)) == 1


def test_silence_on_a_mulaw_line_is_mulaw(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, media=MULAW)
    scene.told(CallerBargedIn())
    mailboxes.advance(FILL_MS)
    audio = b"".join(b64decode(each.payload) for each in scene.model.all(CallerAudio))
    assert audio == b"\xff" * MULAW.bytes_per_ms * FILL_MS


@pytest.mark.parametrize("frames", [(), (CHUNK,)], ids=["no audio", "silence"])
def test_a_turn_that_goes_on_without_a_sound_is_reported(
    mailboxes: CrankedDispatcher, frames: tuple[dict[str, object], ...]
) -> None:
    scene = Scene(mailboxes)
    scene.hears(START, SOUND)
    scene.told(CallerBargedIn())
    for _ in range(DEAD_MS // 250 - 1):
        scene.hears(*frames)
        mailboxes.advance(250)
    scene.call.expect_nothing()
    mailboxes.advance(250)
    scene.call.expect(CallerInaudible)
    mailboxes.advance(60_000)
    scene.call.expect_nothing()


def test_one_sound_now_and_then_keeps_a_turn_alive(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.hears(START)
    scene.told(CallerBargedIn())
    for _ in range(6):
        for _ in range(24):
            scene.hears(CHUNK)
            mailboxes.advance(250)
        scene.hears(SOUND)
        mailboxes.advance(750)
    scene.call.expect_nothing()


def test_a_turn_that_has_ended_is_not_dead(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.told(CallerBargedIn())
    mailboxes.advance(DEAD_MS - 100)
    scene.told(CallerFellSilent())
    mailboxes.advance(60_000)
    scene.call.expect_nothing()


def test_the_end_of_a_turn_is_told_once(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.told(CallerBargedIn(), CallerFellSilent(), CallerFellSilent())
    assert scene.wire.types().count("userStream.speech.stopped") == 1


def test_one_gap_ends_no_turn() -> None:
    assert TELEPHONE_VAD.silence_duration_ms >= 2 * FILL_MS
