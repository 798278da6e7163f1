"""The VAIC session by message injection: what VAIC sends, what it is sent, what was heard."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from uuid import uuid4

import numpy as np
import pytest
from loguru import logger

from actors.clips import Clip
from actors.messages.call import (
    BotBegan,
    BotHeard,
    CallerArrived,
    CallerWrote,
    ClipHeard,
    DigitsPressed,
    TransferFailed,
    VaicEnded,
)
from actors.messages.model import CallerAudio, Heard, KeyStoppedBot
from actors.messages.vaic import (
    AskVaic,
    AwaitWords,
    BotAudio,
    BotAudioEnded,
    BotText,
    CallerBargedIn,
    CallerFellSilent,
    CallerRecognised,
    CallerTurnCommitted,
    HangUp,
    LastWords,
    PlayClip,
    Transfer,
)
from actors.system.mailbox import MailboxFull
from actors.system.signals import ChildDied
from actors.transport.rate_limit import AUDIO_AHEAD_S, CONTROL_BYTES, CONTROLS_AHEAD
from actors.vaic.config import SocketOrigin
from actors.vaic.session import VaicSocket
from protocols.activities import ACTION
from protocols.errors import TransportLost
from protocols.ledger import ItemHeard
from protocols.limits import MOST_ACTIVITIES, MOST_KEYS, NAME_CHARS, TURN_CHARS, UNPLAYED_MS
from protocols.media import (
    KNOWN,
    LPCM16,
    LPCM16_24,
    MULAW,
    NO_AUDIO,
    WAV,
    MediaFormat,
    Transcoder,
    decoded_bytes,
    model_format,
)
from protocols.wav import audio_at, header, with_header
from tests.actors.calls import CLIPS
from tests.actors.vaic.scene import MS_100, NOON, PLAYED, Scene
from tests.counted import counted
from tests.cranked import CrankedDispatcher


@pytest.fixture
def scene(mailboxes: CrankedDispatcher) -> Scene:
    return Scene(mailboxes)


def spoken(payload: str) -> dict[str, object]:
    return {"type": "userStream.chunk", "audioChunk": payload}


def test_the_first_thing_said_is_session_accepted_with_the_format(scene: Scene) -> None:
    assert scene.wire.frames == [{"type": "session.accepted", "conversationId": "c-1", "mediaFormat": "raw/lpcm16_24"}]


def test_the_start_event_asks_for_barge_in_and_tells_the_call(scene: Scene) -> None:
    scene.wire.types()
    scene.hears(
        {"type": "activities", "activities": [{"type": "event", "name": "start", "parameters": {"caller": "1"}}]}
    )
    assert scene.call.expect(CallerArrived).parameters == {"caller": "1"}
    config = scene.wire.last("activities")["activities"][0]
    assert config["name"] == "config"
    assert config["sessionParams"]["bargeIn"] is True


def test_what_vaic_sends_is_shown_at_debug_and_nothing_of_what_is_said(scene: Scene) -> None:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line).strip()), level="DEBUG", format="{message} {extra}")
    played = {"type": "event", "name": "playFinished", "value": {"streamId": "p-1"}}
    keys = {"type": "event", "name": "DTMF", "value": "4711"}
    scene.hears({"type": "activities", "activities": [played, keys]}, {"type": "userStream.start"})
    scene.hears({"type": "session.end", "reasonCode": "client-disconnected"})
    logger.remove(sink)
    told = [line for line in lines if line.startswith("VAIC says")]
    assert "'events': ['playFinished', 'DTMF'], 'carry': [['streamId'], []]" in told[0]
    assert "'type': 'userStream.start'" in told[1]
    assert "'reason': 'client-disconnected'" in told[2]
    assert not any("4711" in line for line in told)


def test_user_streams_are_acknowledged_each_time_and_their_audio_goes_to_the_model_untouched(scene: Scene) -> None:
    scene.wire.types()
    for _ in range(2):
        scene.hears({"type": "userStream.start"}, {"type": "userStream.chunk", "audioChunk": "AAAAAAAA"})
        scene.hears({"type": "userStream.stop"})
    assert scene.wire.types() == ["userStream.started", "userStream.stopped"] * 2
    assert scene.model.all(CallerAudio) == [CallerAudio("AAAAAAAA")] * 2


def test_participants_are_echoed_where_vaic_sends_them_and_only_there(scene: Scene) -> None:
    scene.hears({"type": "userStream.start", "participant": "caller"})
    assert scene.wire.last("userStream.started")["participant"] == "caller"
    scene.hears({"type": "userStream.stop", "participant": "caller"})
    scene.hears({"type": "userStream.start"})
    assert "participant" not in scene.wire.last("userStream.started")


def test_caller_audio_is_resampled_when_the_formats_differ(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, media=LPCM16)
    scene.hears({"type": "userStream.start"})
    for _ in range(50):
        scene.hears({"type": "userStream.chunk", "audioChunk": b64encode(bytes(640)).decode()})
    sent = sum(decoded_bytes(message.payload) for message in scene.model.all(CallerAudio))
    assert 46_000 <= sent <= 48_000  # one second, but for what the filter still holds


@pytest.mark.parametrize("media", WAV, ids=lambda media: media.name)
@pytest.mark.parametrize("headed", [True, False])
def test_a_wav_stream_is_heard_with_its_header_or_without_and_the_log_says_which(
    mailboxes: CrankedDispatcher, media: MediaFormat, headed: bool, all_lines: list[str]
) -> None:
    scene, raw = Scene(mailboxes, media=media), Scene(mailboxes, media=media.raw)
    sent = [b64encode(bytes(range(1, 161)) * (media.bytes_per_ms // 8)).decode() for _ in range(5)]
    first = with_header(sent[0], media, whole=False) if headed else sent[0]
    for each, chunks in ((scene, [first, *sent[1:]]), (raw, sent)):
        each.hears({"type": "userStream.start"}, *(spoken(chunk) for chunk in chunks))
    ours, theirs = (
        np.frombuffer(b"".join(b64decode(audio.payload) for audio in each.model.all(CallerAudio)), np.uint8)
        for each in (scene, raw)
    )
    assert len(ours) == len(theirs) > 0
    if media.raw in (MULAW, LPCM16_24):
        assert ours.tobytes() == theirs.tobytes()
    (told,) = [line for line in all_lines if "WAV stream" in line]
    assert str(headed) in told


def test_a_header_of_another_rate_in_each_chunk_leaves_the_caller_unheard_and_the_call_in_place(
    mailboxes: CrankedDispatcher,
) -> None:
    media = next(each for each in WAV if each.raw is LPCM16)
    scene, other = Scene(mailboxes, media=media), next(each for each in WAV if each.raw is LPCM16_24)
    wrong = with_header(b64encode(bytes(640)).decode(), other, whole=True)
    scene.hears({"type": "userStream.start"}, *(spoken(wrong) for _ in range(200)))
    assert scene.model.all(CallerAudio) == []
    scene.hears({"type": "userStream.stop"})
    assert scene.wire.last("userStream.stopped")
    assert scene.wire.closed is None


@pytest.mark.parametrize("media", WAV, ids=lambda media: media.name)
def test_each_play_stream_of_a_wav_format_begins_with_a_header(
    mailboxes: CrankedDispatcher, media: MediaFormat
) -> None:
    scene = Scene(mailboxes, media=media)
    for item_id in ("i-1", "i-2"):
        scene.told(BotAudio(item_id, MS_100), BotAudioEnded(item_id))
    scene.told(PlayClip(Clip.ONE_MOMENT))
    scene.mailboxes.advance(3000)
    begins: dict[str, bytes] = {}
    for frame in scene.wire.frames:
        if frame["type"] == "playStream.start":
            assert frame["mediaFormat"] == media.name
        elif frame["type"] == "playStream.chunk":
            begins.setdefault(frame["streamId"], b64decode(frame["audioChunk"]))
    assert len(begins) == 3
    assert all(audio_at(audio, media) == len(header(media)) for audio in begins.values())


def test_a_chunk_of_the_caller_that_is_dropped_does_not_shift_those_that_follow(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.hears({"type": "userStream.start"})
    second = b64encode(bytes(LPCM16_24.bytes_per_ms * 1000)).decode()
    scene.hears(*[spoken(second)] * AUDIO_AHEAD_S)
    odd = b64encode(bytes(48_001)).decode()
    before = counted("tieline_caller_audio_dropped_total")
    scene.hears(spoken(odd))
    assert counted("tieline_caller_audio_dropped_total") - before == 1
    scene.model.all(CallerAudio)
    mailboxes.advance(1000)
    scene.hears({"type": "userStream.chunk", "audioChunk": b64encode(b"\1" + b"\2\3" * 50).decode()})
    (heard,) = scene.model.all(CallerAudio)
    assert b64decode(heard.payload) == b"\0\1" + b"\2\3" * 50


@pytest.mark.parametrize("media", KNOWN.values(), ids=lambda media: media.name)
def test_fifteen_seconds_in_one_chunk_are_heard_whole(mailboxes: CrankedDispatcher, media: MediaFormat) -> None:
    scene = Scene(mailboxes, media=media)
    scene.hears({"type": "userStream.start"})
    scene.hears({"type": "userStream.chunk", "audioChunk": b64encode(bytes(media.bytes_per_ms * 15_000)).decode()})
    heard = sum(decoded_bytes(each.payload) for each in scene.model.all(CallerAudio))
    assert heard // model_format(media).bytes_per_ms == pytest.approx(15_000, abs=30)  # the filter holds the rest
    assert scene.wire.closed is None


def test_bot_audio_becomes_one_play_stream_an_item(scene: Scene) -> None:
    scene.wire.types()
    scene.told(BotAudio("i-1", MS_100), BotAudio("i-1", MS_100), BotAudioEnded("i-1"))
    assert scene.wire.types() == ["playStream.start", "playStream.chunk", "playStream.chunk", "playStream.stop"]
    assert scene.call.expect(BotBegan) == BotBegan("i-1")
    scene.mailboxes.advance(199)
    scene.call.expect_nothing()
    scene.mailboxes.advance(1)
    heard = scene.call.expect(BotHeard)
    assert (heard.item.heard_ms, heard.item.complete, heard.barged_in) == (200, True, False)


def test_an_item_begins_with_its_first_piece_and_again_with_its_first_sound(scene: Scene) -> None:
    quiet, loud = (b64encode(sample * 2400).decode() for sample in (b"\x20\0", b"\x20\7"))
    scene.told(*(BotAudio("i-1", audio) for audio in (quiet, quiet, loud, quiet, loud)), BotAudioEnded("i-1"))
    assert scene.call.all(BotBegan) == [BotBegan("i-1", silent=True), BotBegan("i-1")]
    scene.mailboxes.advance(500)
    assert scene.call.expect(BotHeard).item.heard_ms == 500


def test_a_burst_is_paced_by_timers_and_arrives_whole(scene: Scene) -> None:
    scene.told(BotAudio("i-1", b64encode(bytes(48_000)).decode()), BotAudioEnded("i-1"))
    assert scene.wire.types().count("playStream.chunk") == 4
    scene.mailboxes.advance(300)
    assert 2 <= scene.wire.types().count("playStream.chunk") <= 4
    scene.mailboxes.advance(1000)
    assert scene.wire.types()[-1] == "playStream.stop"
    assert scene.call.expect(BotHeard).item.heard_ms == 1000


def test_barge_in_tells_vaic_first_then_stops_the_stream_and_tells_what_was_heard(scene: Scene) -> None:
    scene.told(BotAudio("i-1", b64encode(bytes(48_000)).decode()))
    scene.mailboxes.advance(250)
    scene.wire.types()
    scene.told(CallerBargedIn())
    assert scene.wire.types() == ["userStream.speech.started", "playStream.stop"]
    (item,) = scene.model.expect(Heard).items
    assert (item.item_id, item.heard_ms, item.complete) == ("i-1", 250, False)
    assert scene.call.expect(BotHeard).barged_in
    scene.mailboxes.advance(5000)
    assert scene.wire.types() == []


def test_a_caller_who_speaks_into_silence_is_no_barge_in_but_vaic_is_told(scene: Scene) -> None:
    scene.wire.types()
    scene.told(CallerBargedIn(), CallerFellSilent(), CallerTurnCommitted(), CallerRecognised("hello"))
    assert scene.wire.types() == [
        "userStream.speech.started",
        "userStream.speech.stopped",
        "userStream.speech.committed",
        "userStream.speech.recognition",
    ]
    scene.model.expect_nothing()


def test_a_caller_who_begins_to_speak_twice_has_stopped_between(scene: Scene) -> None:
    scene.wire.types()
    scene.told(CallerBargedIn(), CallerBargedIn(), CallerFellSilent(), CallerBargedIn())
    started, stopped = "userStream.speech.started", "userStream.speech.stopped"
    assert scene.wire.types() == [started, stopped, started, stopped, started]


def test_keys_are_told_in_any_spelling_of_the_event(scene: Scene) -> None:
    for name, value in (("DTMF", "4"), ("dtmf", "12#"), ("Dtmf", 7), ("DTMF", None), ("DTMF", "<script>")):
        scene.hears({"type": "activities", "activities": [{"type": "event", "name": name, "value": value}]})
    assert [message.digits for message in scene.call.all(DigitsPressed)] == ["4", "12#", "7"]


def test_an_event_is_known_without_its_type_and_with_spaces_around_its_name(scene: Scene) -> None:
    for told in ({"name": "DTMF"}, {"name": " DTMF ", "type": "Event "}, {"name": "DTMF", "type": 7}):
        scene.hears({"type": "activities", "activities": [{**told, "value": "4"}]})
    assert len(scene.call.all(DigitsPressed)) == 3
    scene.hears({"type": "activities", "activities": [{"text": "hello"}]})
    assert scene.call.all(CallerWrote) == [CallerWrote("hello")]


def test_an_activity_that_nobody_knows_and_keys_that_are_none_are_counted_and_told(
    scene: Scene, log_lines: list[str]
) -> None:
    before = counted("tieline_unknown_frames_total", leg="vaic")
    bad = counted("tieline_bad_frames_total", leg="vaic", reason="bad_fields")
    for told in ({"name": "weather"}, {"name": "w" * 300}, {"type": "evnt", "name": "DTMF"}, {"name": "voiceDetected"}):
        scene.hears({"type": "activities", "activities": [{"type": "event", **told}]})
    assert counted("tieline_unknown_frames_total", leg="vaic") - before == 3
    for value in ({"digit": "4"}, "four", None):
        scene.hears({"type": "activities", "activities": [{"type": "event", "name": "DTMF", "value": value}]})
    assert counted("tieline_bad_frames_total", leg="vaic", reason="bad_fields") - bad == 3
    assert len(log_lines) == 2, "each kind once"
    assert "activity weather" in log_lines[0]


def test_keys_are_read_from_a_text_or_a_whole_number_and_nothing_else(scene: Scene) -> None:
    for value in (0, "0", 42, 1.5, True, -1, [4], {"digit": "5", "A": 1}):
        scene.hears({"type": "activities", "activities": [{"type": "event", "name": "DTMF", "value": value}]})
    assert [message.digits for message in scene.call.all(DigitsPressed)] == ["0", "0", "42"]


def test_half_a_sample_of_one_user_stream_does_not_shift_the_next(scene: Scene) -> None:
    chunk = b64encode(bytes(range(6))).decode()
    for stream in (b64encode(b"abc").decode(), chunk):
        scene.hears({"type": "userStream.start"}, {"type": "userStream.chunk", "audioChunk": stream})
        scene.hears({"type": "userStream.stop"})
    assert [each.payload for each in scene.model.all(CallerAudio)] == [b64encode(b"ab").decode(), chunk]


def test_the_resume_of_another_call_is_answered_unless_the_call_is_ending(scene: Scene) -> None:
    scene.wire.types()
    resume = b'{"type":"session.resume","conversationId":"c-2"}'
    scene.hears(resume)
    assert scene.wire.types() == ["session.error"]
    scene.told(HangUp("done"))
    scene.wire.types()
    scene.hears(resume)
    assert scene.wire.types() == []


def test_hangup_is_sent_once_and_afterwards_only_acknowledgements(scene: Scene) -> None:
    scene.wire.types()
    scene.told(HangUp("done"), HangUp("done"), BotAudio("i-1", MS_100), CallerBargedIn())
    scene.hears({"type": "userStream.stop"})
    assert scene.wire.types() == ["activities", "userStream.stopped"]
    scene.hears({"type": "session.end", "reasonCode": "bot-disconnected"})
    assert scene.call.expect(VaicEnded).reason_code == "bot-disconnected"


def test_a_hangup_waits_until_vaic_has_played_what_should_have_been_heard(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100), BotAudioEnded("i-1"), BotAudio("i-2", MS_100))
    scene.hears(PLAYED)  # the first of two, of which the second is on its way
    scene.told(BotAudioEnded("i-2"))
    scene.mailboxes.advance(200)
    scene.wire.types()
    scene.told(HangUp("done"))
    assert scene.wire.types() == []
    scene.hears(PLAYED)
    assert scene.wire.types() == ["activities"]
    scene.mailboxes.advance(2000)
    assert scene.wire.types() == []


def test_a_hangup_in_the_middle_of_what_is_said_waits_for_nothing(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100), BotAudioEnded("i-1"))
    scene.wire.types()
    scene.told(HangUp("drained"))
    assert scene.wire.types() == ["activities"]


def test_a_caller_who_leaves_while_a_hangup_waits_is_not_hung_up_on(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100), BotAudioEnded("i-1"))
    scene.mailboxes.advance(100)
    scene.wire.types()
    scene.told(HangUp("done"))
    scene.hears({"type": "session.end", "reasonCode": "client-disconnected"}, PLAYED)
    scene.mailboxes.advance(2000)
    assert scene.wire.types() == []


@pytest.mark.parametrize(
    "frame",
    [
        b"{",
        b"[]",
        b'{"type":"userStream.chunk"}',
        b'{"type":"session.dance"}',
        b'{"type":"session.initiate","conversationId":"c-1"}',
        b'{"type":"userStream.chunk","conversationId":"someone-else","audioChunk":"AAAA"}',
        b'{"type":"session.end","conversationId":"someone-else"}',
        b'{"type":"userStream.chunk","conversationId":"c-1","audioChunk":"AAAA"}',
        b'{"type":"activities","activities":[{"type":"event","name":"novelty"},{"type":"message","text":" "}]}',
        b'{"type":"playStream.mark.reached"}',
    ],
)
def test_a_frame_that_makes_no_sense_changes_nothing(scene: Scene, frame: bytes) -> None:
    scene.wire.types()
    scene.hears(frame, frame)
    assert scene.wire.types() == []
    scene.call.expect_nothing()
    scene.model.expect_nothing()
    scene.parent.expect_nothing()


def test_text_that_is_no_text_loses_the_socket_with_1007(scene: Scene) -> None:
    scene.hears(b'{"type":"activities","activities":[{"type":"message","text":"\xff"}]}')
    death = scene.parent.expect(ChildDied)
    assert isinstance(death.reason, TransportLost)
    assert (death.reason.code, scene.wire.closed) == (1007, 1007)


@pytest.mark.parametrize("kind", ["activities", "beside audio", "unknown"])
def test_a_message_that_is_not_audio_counts_once_more_for_each_kb_of_it(
    mailboxes: CrankedDispatcher, kind: str
) -> None:
    long = "x" * 10 * CONTROL_BYTES
    messages: dict[str, dict[str, object]] = {
        "activities": {"type": "activities", "activities": [{"type": "event", "name": "e", "value": long}]},
        "beside audio": {"type": "userStream.chunk", "audioChunk": MS_100, "x": long},
        "unknown": {"type": "new", "x": long},
    }
    scene = Scene(mailboxes)
    scene.hears({"type": "userStream.start"})
    scene.hears(*[messages[kind]] * (CONTROLS_AHEAD // 12))
    assert scene.wire.closed is None
    scene.hears(*[messages[kind]] * 3)
    assert scene.wire.closed == 1008


def test_audio_is_no_control_message_however_long_its_chunks_are(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.hears({"type": "userStream.start"})
    for _ in range(CONTROLS_AHEAD):
        scene.hears({"type": "userStream.chunk", "audioChunk": MS_100 * 10})  # as the vendor's sample sends it
        mailboxes.advance(1000)
    assert scene.wire.closed is None


def test_a_resume_of_another_call_on_this_socket_is_refused_and_this_call_goes_on(scene: Scene) -> None:
    scene.wire.types()
    scene.hears({"type": "session.resume", "conversationId": "someone-else"})
    (answer,) = scene.wire.frames
    assert (answer["type"], answer["conversationId"]) == ("session.error", "someone-else")
    assert scene.wire.closed is None
    scene.parent.expect_nothing()


BROKEN = ("A", "AAAAA", MS_100[:-1], MS_100[:-3], "AA=A", "====", "AAA=AAAA", "AAAAAAAA=", "ÄÖÜß", "AA\nA", "")


@pytest.mark.parametrize("media", KNOWN.values(), ids=lambda media: media.name)
def test_a_chunk_with_a_broken_tail_or_of_odd_length_loses_itself_at_most(
    mailboxes: CrankedDispatcher, media: MediaFormat
) -> None:
    scene, other = Scene(mailboxes, media=media), Scene(mailboxes)
    for each in (scene, other):
        each.hears({"type": "userStream.start"})
    scene.hears(*map(spoken, BROKEN))
    scene.hears(*(spoken(b64encode(bytes(length)).decode()) for length in (1, 3, 321, 639, 1)))
    scene.hears(*[spoken(MS_100)] * 10)
    sent = sum(decoded_bytes(audio.payload) for audio in scene.model.all(CallerAudio))
    assert sent >= 9 * 4800 * model_format(media).bytes_per_ms // media.bytes_per_ms
    assert scene.wire.closed is None
    scene.parent.expect_nothing()
    other.hears(spoken(MS_100))
    assert other.model.all(CallerAudio) == [CallerAudio(MS_100)]


def test_audio_ten_times_faster_than_real_time_is_thinned_and_no_other_call_notices(
    mailboxes: CrankedDispatcher,
) -> None:
    scene, other = Scene(mailboxes), Scene(mailboxes)
    for each in (scene, other):
        each.hears({"type": "userStream.start"})
    chunk = spoken(b64encode(bytes(LPCM16_24.bytes_per_ms * 20)).decode())
    for number in range(1500):  # 30 s in 3 s
        mailboxes.advance(2)
        scene.hears(chunk)
        if number % 10 == 0:
            other.hears(chunk)
    assert len(other.model.all(CallerAudio)) == 150
    heard_s = len(scene.model.all(CallerAudio)) / 50
    assert AUDIO_AHEAD_S < heard_s < AUDIO_AHEAD_S + 4 * 3 + 1
    assert scene.wire.closed is None
    for _ in range(10_000):
        if scene.wire.closed is None:
            mailboxes.advance(2)
            scene.hears(chunk)
    assert scene.wire.closed == 1008, "who does not stop is cut"


@pytest.mark.parametrize("media", KNOWN.values(), ids=lambda media: media.name)
def test_bad_audio_of_the_model_is_left_out_and_the_call_goes_on(
    mailboxes: CrankedDispatcher, media: MediaFormat
) -> None:
    scene = Scene(mailboxes, media=media)
    before = counted("tieline_bad_frames_total", leg="model", reason="bad_audio")
    scene.told(*(BotAudio("i-1", "A") for _ in range(9)), BotAudio("i-1", MS_100))
    scene.parent.expect_nothing()
    assert scene.wire.types()[-1] == "playStream.chunk"
    assert counted("tieline_bad_frames_total", leg="model", reason="bad_audio") - before == 9
    scene.told(*(BotAudio("i-2", broken) for broken in BROKEN * 4), BotAudio("i-2", MS_100), BotAudioEnded("i-2"))
    mailboxes.advance(10_000)
    scene.parent.expect_nothing()
    assert scene.wire.closed is None
    assert scene.wire.types()[-1] == "playStream.stop"


def test_one_bad_activity_does_not_lose_its_neighbours(scene: Scene) -> None:
    before = counted("tieline_bad_frames_total", leg="vaic", reason="bad_fields")
    keys = [{"type": "event", "name": "DTMF", "value": key, "id": number} for number, key in enumerate("12")]
    scene.hears({"type": "activities", "activities": [keys[0], {"name": "no type"}, None, 7, keys[1]]})
    assert [message.digits for message in scene.call.all(DigitsPressed)] == ["1", "2"]
    assert counted("tieline_bad_frames_total", leg="vaic", reason="bad_fields") - before == 1


def test_of_more_activities_than_a_message_may_have_the_first_are_taken_and_it_is_counted(scene: Scene) -> None:
    before = counted("tieline_bad_frames_total", leg="vaic", reason="bad_fields")
    noise: list[dict[str, object]] = [{"type": "event", "name": "silenceDetected"}] * (MOST_ACTIVITIES - 1)
    keys: list[dict[str, object]] = [{"type": "event", "name": "DTMF", "value": str(key)} for key in range(9)]
    scene.hears({"type": "activities", "activities": [*noise, *keys]})
    assert [message.digits for message in scene.call.all(DigitsPressed)] == ["0"]
    assert counted("tieline_bad_frames_total", leg="vaic", reason="bad_fields") - before == 1


@pytest.mark.parametrize("value", ["failed", " Failed", {"status": "FAILED"}])
def test_a_transfer_that_failed_is_understood_however_it_is_written(scene: Scene, value: object) -> None:
    scene.told(Transfer("tel:1", "asked"))
    scene.hears({"type": "activities", "activities": [{"type": "event", "name": "transferStatus", "value": value}]})
    assert scene.call.expect(TransferFailed) == TransferFailed("unknown")


@pytest.mark.parametrize("name", ["start", "DTMF", "playFinished", "transferStatus", "noUserInput", "", None])
@pytest.mark.parametrize("value", [None, "", 7, [], {}, {"status": None}, {"a": {"b": [None]}}])
def test_an_activity_without_its_fields_or_with_others_ends_nothing(
    mailboxes: CrankedDispatcher, name: str | None, value: object
) -> None:
    scene = Scene(mailboxes)
    told = {"name": name, "value": value, "parameters": value, "activityParams": value, "sessionParams": value}
    for fields in (told, {"name": name}, {"value": value}):
        for kind in ({"type": "event"}, {"type": "message"}, {}):
            scene.hears({"type": "activities", "activities": [{**kind, **fields}]})
    scene.parent.expect_nothing()
    assert scene.wire.closed is None
    scene.hears({"type": "activities", "activities": [{"type": "event", "name": "DTMF", "value": "5"}]})
    assert scene.call.all(DigitsPressed)[-1].digits == "5"


def test_a_lost_socket_ends_the_actor_with_its_code_and_reports_what_was_heard(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100 * 3))
    scene.mailboxes.advance(50)
    scene.wire.breaks(1001)
    scene.mailboxes.drain()
    death = scene.parent.expect(ChildDied)
    assert isinstance(death.reason, TransportLost)
    assert death.reason.code == 1001
    assert scene.call.expect(BotHeard).item.heard_ms == 50


def test_a_socket_that_closes_after_our_hangup_is_the_end_and_no_loss(scene: Scene) -> None:
    scene.told(HangUp("done"))
    scene.wire.breaks(1000)
    scene.mailboxes.drain()
    assert scene.call.expect(VaicEnded)
    scene.parent.expect_nothing()


def test_stopping_closes_the_socket_normally(scene: Scene) -> None:
    scene.vaic.stop(block=False)
    scene.mailboxes.drain()
    assert scene.wire.closed == 1000
    assert scene.parent.expect(ChildDied).reason is None


def test_a_resumed_call_is_accepted_again_and_its_audio_needs_no_new_start(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, origin=SocketOrigin.RESUMED)
    assert scene.wire.types() == ["session.accepted"]
    scene.hears({"type": "userStream.chunk", "audioChunk": "AAAA"})
    assert scene.model.expect(CallerAudio)


def test_a_replacement_after_a_crash_sends_no_acceptance_and_goes_on(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, origin=SocketOrigin.REPLACED)
    assert scene.wire.types() == []
    scene.hears({"type": "userStream.chunk", "audioChunk": "AAAA"})
    assert scene.model.expect(CallerAudio)


def test_the_play_stream_carries_exactly_the_bots_audio(scene: Scene) -> None:
    audio = bytes(range(256)) * 150
    scene.told(BotAudio("i-1", b64encode(audio).decode()), BotAudioEnded("i-1"))
    scene.mailboxes.advance(2000)
    played = b"".join(b64decode(f["audioChunk"]) for f in scene.wire.frames if f["type"] == "playStream.chunk")
    assert played == audio


def noise(ms: int, seed: int) -> str:
    """Sound that differs from another seed's in every moment, 24 kHz in base64."""
    samples = np.random.default_rng(seed).integers(-9000, 9000, ms * 24, dtype=np.int16)
    return b64encode(samples.tobytes()).decode()


def test_what_the_transcoder_held_at_a_barge_in_is_not_heard_in_the_next_utterance(
    mailboxes: CrankedDispatcher,
) -> None:
    scene = Scene(mailboxes, media=LPCM16)
    scene.told(BotAudio("i-1", noise(200, seed=1)), CallerBargedIn())
    scene.wire.frames.clear()
    scene.told(BotAudio("i-2", noise(200, seed=2)), BotAudioEnded("i-2"))
    scene.mailboxes.advance(300)
    played = b"".join(b64decode(frame["audioChunk"]) for frame in scene.wire.all("playStream.chunk"))
    fresh = Transcoder(LPCM16_24, LPCM16)
    expected = b64decode(fresh.feed(noise(200, seed=2))) + b64decode(fresh.flush())
    assert len(played) == len(expected)
    # The resampler's dither is random: a sample may differ by one or two.
    difference = np.frombuffer(played, "<i2").astype(int) - np.frombuffer(expected, "<i2").astype(int)
    assert np.abs(difference).max() <= 4


def test_a_mailbox_filled_by_our_own_actors_leaves_the_wire_to_the_next_incarnation(scene: Scene) -> None:
    scene.told(*[CallerFellSilent()] * (VaicSocket.max_messages + 1))
    assert isinstance(scene.parent.expect(ChildDied).reason, MailboxFull)
    assert scene.wire.closed is None


# --- ids, which a peer chooses ---


def test_an_item_without_an_id_is_heard_and_is_not_taken_for_the_last_words(scene: Scene) -> None:
    scene.told(BotAudio("", MS_100), BotAudioEnded(""))
    assert scene.call.expect(BotBegan).item_id == ""
    scene.mailboxes.advance(100)
    assert scene.call.expect(BotHeard).item.complete
    scene.parent.expect_nothing()


def test_an_item_without_an_id_is_stopped_by_a_key(scene: Scene) -> None:
    scene.told(BotAudio("", MS_100))
    scene.hears({"type": "activities", "activities": [{"type": "event", "name": "DTMF", "value": "4"}]})
    assert scene.model.expect(KeyStoppedBot).item_id == ""
    scene.wire.types()
    scene.told(BotAudio("", MS_100))
    assert scene.wire.types() == []


def test_the_model_cannot_name_an_item_like_a_recorded_sentence(mailboxes: CrankedDispatcher) -> None:
    """Ids of both are in one list of what was heard: those of ours are not to be guessed."""
    ids = set()
    for _ in range(2):
        scene = Scene(mailboxes, new_id=lambda: uuid4().hex)
        scene.told(PlayClip(Clip.ONE_MOMENT), PlayClip(Clip.ONE_MOMENT))
        ids |= {began.item_id for began in scene.call.all(BotBegan)}
    assert len(ids) == 4


def test_a_stream_in_which_nothing_more_comes_is_stopped_and_goes_on_in_another(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100))
    scene.mailboxes.advance(900)
    assert "playStream.stop" not in scene.wire.types()
    scene.mailboxes.advance(700)
    assert scene.wire.types() == ["playStream.stop"]
    scene.mailboxes.advance(60_000)
    assert scene.wire.types() == []
    scene.told(BotAudio("i-1", MS_100))
    assert scene.wire.types() == ["playStream.start", "playStream.chunk"]
    scene.mailboxes.advance(1600)
    assert scene.wire.types() == ["playStream.stop"]
    assert [begun.item_id for begun in scene.call.all(BotBegan)] == ["i-1", "i-1"]


def test_a_stream_is_not_looked_at_while_the_call_is_ending_and_is_once_it_goes_on(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100), Transfer("tel:1", "asked"))
    scene.mailboxes.advance(3000)
    assert "playStream.stop" not in scene.wire.types()
    status: dict[str, object] = {"type": "event", "name": "transferStatus", "value": {"status": "failed"}}
    scene.hears({"type": "activities", "activities": [status]})
    scene.told(BotAudio("i-2", MS_100))
    scene.mailboxes.advance(1600)
    assert scene.wire.types()[-1] == "playStream.stop"


# --- how much of what a peer sends is used ---


def test_one_participant_is_heard_at_a_time(scene: Scene) -> None:
    before = counted("tieline_bad_frames_total", leg="vaic", reason="too_many_participants")
    started: dict[str, object] = {"type": "userStream.start", "participant": "caller"}
    scene.hears(started, started | {"participant": "callee"}, started | {"participant": "p" * (NAME_CHARS + 1)})
    assert counted("tieline_bad_frames_total", leg="vaic", reason="too_many_participants") - before == 2
    assert len(scene.wire.all("userStream.started")) == 1
    for participant in ("caller", "callee"):
        scene.hears({"type": "userStream.chunk", "participant": participant, "audioChunk": "AAAAAAAA"})
    assert len(scene.model.all(CallerAudio)) == 1
    scene.hears(started, {"type": "userStream.stop", "participant": "caller"}, started | {"participant": "callee"})
    assert [each["participant"] for each in scene.wire.all("userStream.started")] == ["caller", "caller", "callee"]
    scene.parent.expect_nothing()


def test_what_names_no_participant_is_of_the_stream_that_is_open(scene: Scene) -> None:
    chunk: dict[str, object] = {"type": "userStream.chunk", "audioChunk": "AAAAAAAA"}
    scene.hears({"type": "userStream.start", "participant": 7}, chunk, chunk | {"participant": "7"})
    assert len(scene.model.all(CallerAudio)) == 2
    scene.hears({"type": "userStream.stop"}, chunk, chunk | {"participant": "7"})
    assert scene.model.all(CallerAudio) == []
    scene.hears({"type": "userStream.start"}, chunk)
    assert len(scene.model.all(CallerAudio)) == 1


def test_the_models_speech_beyond_ten_minutes_is_dropped_and_the_call_goes_on(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, media=MULAW)
    before = counted("tieline_cut_short_total", what="unplayed audio")
    minute = b64encode(bytes(60 * 8000)).decode()
    assert UNPLAYED_MS == 10 * 60_000
    scene.told(*[BotAudio("i-1", minute)] * 12)  # the eleventh is the first that there is no longer room for
    assert counted("tieline_cut_short_total", what="unplayed audio") - before == 1
    scene.told(CallerBargedIn())
    scene.wire.types()
    scene.told(BotAudio("i-2", MS_100))
    assert scene.wire.types()[:2] == ["playStream.start", "playStream.chunk"]


def test_keys_and_reasons_of_any_length_are_cut(scene: Scene) -> None:
    scene.hears({"type": "activities", "activities": [{"type": "event", "name": "DTMF", "value": "4" * 1000}]})
    assert scene.call.expect(DigitsPressed).digits == "4" * MOST_KEYS
    scene.hears({"type": "session.end", "reasonCode": "r" * 1000})
    assert scene.call.expect(VaicEnded).reason_code == "r" * NAME_CHARS


def test_in_half_duplex_a_text_that_comes_after_the_answer_began_is_not_reported(scene: Scene) -> None:
    scene.hears({"type": "userStream.start"})
    for late in (False, True, False):
        scene.told(CallerBargedIn(), CallerFellSilent(), CallerTurnCommitted())
        scene.wire.types()
        if late:
            scene.hears({"type": "userStream.stop"}, {"type": "userStream.start"})
        scene.told(CallerRecognised("At ten."))
        assert ("userStream.speech.recognition" in scene.wire.types()) is not late


# --- in writing ---


def message(text: str) -> dict[str, object]:
    return {"type": "activities", "activities": [{"type": "message", "text": text}]}


def test_what_the_caller_writes_goes_to_the_call_and_silences_the_bot(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100))
    scene.call.expect(BotBegan)
    scene.hears(message("  At ten. "))
    assert scene.model.expect(KeyStoppedBot) == KeyStoppedBot("i-1")
    assert scene.wire.types()[-1] == "playStream.stop"
    assert scene.call.expect(CallerWrote) == CallerWrote("At ten.")


def test_a_text_longer_than_a_turn_is_cut(scene: Scene) -> None:
    scene.hears(message("a" * (TURN_CHARS + 1)))
    assert scene.call.expect(CallerWrote) == CallerWrote("a" * TURN_CHARS)


@pytest.fixture
def chat(mailboxes: CrankedDispatcher) -> Scene:
    return Scene(mailboxes, media=NO_AUDIO, text=True)


def test_a_call_without_audio_is_accepted_without_a_format(chat: Scene) -> None:
    chat.hears({"type": "session.resume"})
    assert chat.wire.frames == [{"type": "session.accepted", "conversationId": "c-1"}] * 2


def test_in_writing_the_bot_sends_messages_that_count_as_heard(chat: Scene) -> None:
    chat.wire.types()
    chat.mailboxes.advance(40)
    chat.told(BotText("i-1", "Hello."), BotText("i-2", "And", cut_off=True))
    texts = [frame["activities"] for frame in chat.wire.all("activities")]
    assert texts == [
        [{"type": "message", "text": "Hello.", "id": "id-1", "timestamp": NOON}],
        [{"type": "message", "text": "And", "id": "id-2", "timestamp": NOON}],
    ]
    assert chat.wire.types() == ["activities"] * 2
    assert chat.call.expect(BotBegan) == BotBegan("i-1")
    heard = chat.call.expect(BotHeard)
    assert (heard.item, heard.barged_in) == (ItemHeard("i-1", 1, 0, 40, complete=True), False)
    assert chat.call.expect(BotBegan) == BotBegan("i-2")
    assert not chat.call.expect(BotHeard).item.complete


def test_in_writing_a_recorded_sentence_is_sent_as_its_words(chat: Scene) -> None:
    chat.told(PlayClip(Clip.GOODBYE))
    assert chat.wire.last("activities")["activities"][0]["text"] == CLIPS[Clip.GOODBYE].words
    assert chat.call.expect(BotBegan).clip
    heard = chat.call.expect(ClipHeard)
    assert (heard.clip, heard.item.complete) == (Clip.GOODBYE, True)
    assert "playStream.start" not in chat.wire.types()


def test_in_writing_nobody_is_asked_to_wait_and_a_hangup_waits_for_nothing(chat: Scene) -> None:
    chat.told(AwaitWords(due=True))
    chat.mailboxes.advance(60_000)
    chat.told(BotText("i-1", "Goodbye."), HangUp("done"))
    assert [each.get("text") or each["name"] for each in chat.wire.activities()] == ["Goodbye.", "hangup"]


def test_in_writing_vaic_keeps_its_own_limit_on_silence(chat: Scene) -> None:
    chat.hears({"type": "activities", "activities": [{"type": "event", "name": "start"}]})
    settings = chat.wire.last("activities")["activities"][0]["sessionParams"]
    assert "userNoInputGiveUpTimeoutMS" not in settings
    assert settings["sendDTMF"] is True


def test_a_call_in_writing_that_breaks_ends_in_words(chat: Scene) -> None:
    chat.told(LastWords(Clip.CALL_AGAIN, "internal error"))
    assert [each.get("text") or each["name"] for each in chat.wire.activities()] == [
        CLIPS[Clip.CALL_AGAIN].words,
        "hangup",
    ]


def test_a_chat_that_is_being_hung_up_takes_no_more_texts(chat: Scene) -> None:
    chat.told(HangUp("done"))
    chat.hears(message("Wait!"))
    chat.call.expect_nothing()


# --- what VAIC is asked for ---


def asked(*actions: Mapping[str, object]) -> list[AskVaic]:
    return [AskVaic(f"a-{number}", ACTION.validate_python(each)) for number, each in enumerate(actions)]


def test_activities_go_out_at_once_under_their_ids_but_a_recording_waits_for_the_bots_speech(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100))
    scene.told(*asked({"do": "play_url", "url": "https://media.example/a.wav"}, {"do": "send_dtmf", "digits": "1"}))
    assert scene.activities() == [("sendDtmf", {"dtmfDigits": "1"})]
    scene.wire.types()
    scene.told(BotAudioEnded("i-1"))
    assert scene.wire.frames[-1]["activities"][0]["id"] == "a-0"
    assert scene.wire.types() == ["playStream.stop", "activities"]


@pytest.mark.parametrize("end", ["barge-in", "starved"])
def test_a_recording_follows_speech_that_ends_otherwise(scene: Scene, end: str) -> None:
    scene.told(BotAudio("i-1", MS_100), *asked({"do": "play_url", "url": "https://media.example/a.wav"}))
    assert scene.activities() == []
    if end == "barge-in":
        scene.told(CallerBargedIn())
    else:
        scene.mailboxes.advance(3000)
    assert [name for name, _ in scene.activities()] == ["playUrl"]


def test_several_recordings_keep_their_order(scene: Scene) -> None:
    urls = [f"https://media.example/{each}.wav" for each in "abc"]
    scene.told(BotAudio("i-1", MS_100), *asked(*({"do": "play_url", "url": each} for each in urls)))
    scene.told(BotAudioEnded("i-1"))
    assert [params["playUrlUrl"] for _, params in scene.activities()] == urls


def test_nothing_is_asked_for_once_the_end_was_ordered(scene: Scene) -> None:
    scene.told(HangUp("done"), *asked({"do": "send_dtmf", "digits": "1"}))
    assert [name for name, _ in scene.activities()] == ["hangup"]
