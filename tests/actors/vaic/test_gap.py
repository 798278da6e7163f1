"""A caller's audio that stops in mid-utterance: the model is given silence until the turn ends."""

from __future__ import annotations

from base64 import b64decode, b64encode

from actors.messages.model import CallerAudio
from actors.messages.vaic import CallerBargedIn, CallerFellSilent
from actors.services import TELEPHONE_VAD
from actors.vaic.gap import FILL_MS, MOST_FILLS
from protocols.media import LPCM16_24, MULAW
from tests.actors.vaic.scene import Scene
from tests.cranked import CrankedDispatcher

START: dict[str, object] = {"type": "userStream.start"}
STOP: dict[str, object] = {"type": "userStream.stop"}
CHUNK: dict[str, object] = {"type": "userStream.chunk", "audioChunk": b64encode(bytes(960)).decode()}


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
    mailboxes.advance(1500)
    assert filled_ms(scene) == FILL_MS
    scene.told(CallerFellSilent())
    mailboxes.advance(20_000)
    assert filled_ms(scene) == 0


def test_a_gap_is_filled_up_to_a_limit(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.told(CallerBargedIn())
    mailboxes.advance(60_000)
    assert filled_ms(scene) == MOST_FILLS * FILL_MS


def test_audio_that_comes_is_left_as_it_is_and_so_is_silence_between_turns(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.hears(START)
    scene.told(CallerBargedIn())
    for _ in range(20):
        scene.hears(CHUNK)
        mailboxes.advance(500)
    assert filled_ms(scene) == 20 * 20
    scene.told(CallerFellSilent())
    mailboxes.advance(60_000)
    assert filled_ms(scene) == 0


def test_a_turn_is_watched_by_its_own_timer_only(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.told(CallerBargedIn(), CallerFellSilent(), CallerBargedIn())
    mailboxes.advance(1500)
    assert filled_ms(scene) == FILL_MS


def test_silence_on_a_mulaw_line_is_mulaw(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, media=MULAW)
    scene.told(CallerBargedIn())
    mailboxes.advance(1500)
    audio = b"".join(b64decode(each.payload) for each in scene.model.all(CallerAudio))
    assert audio == b"\xff" * MULAW.bytes_per_ms * FILL_MS


def test_what_fills_a_gap_is_longer_than_the_silence_that_ends_a_turn() -> None:
    assert TELEPHONE_VAD.silence_duration_ms < FILL_MS
