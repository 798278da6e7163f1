"""The simulated caller on real sockets: a whole call, and the sound of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.caller import BotSpoke, CallerEvent, CallerRecognised, CallerSpoke, Ended, HangUp, Say, Wait
from lab.caller.audio import read_recording, resample
from tests.lab.caller_bot import BYTES_PER_MS, CALL, NO, YES, Bot, answering, call, channels, mulaw_size, tone


def test_a_call_is_reported_turn_by_turn() -> None:
    report, [bot] = call([Say(NO), Say(YES)], answering(2))

    assert report.errors == ()
    assert report.outcome == "bot-disconnected"
    assert [turn.role for turn in report.turns] == ["bot", "caller", "bot", "caller", "bot"]
    assert [turn.heard_ms for turn in report.turns if turn.role == "bot"] == [400, 600, 600]
    for said, file in zip([turn for turn in report.turns if turn.role == "caller"], [NO, YES], strict=True):
        speech = read_recording(file)
        assert said.ended_ms - said.began_ms == speech.ended_ms - speech.began_ms == said.heard_ms
    # 300 ms is what the bot waits for; the rest is the way there and back, at twenty times the speed.
    assert all(ms is not None and 280 <= ms < 5000 for ms in report.first_audio_ms)
    assert bot.all("session.end")[0]["reasonCode"] == "bot-disconnected"


def test_the_wire_is_spoken_in_vaics_order_and_words() -> None:
    report, [bot] = call([Say(NO)], answering(1), caller="anonymous", bot_name="dentist")

    initiate = bot.frames[0]
    assert initiate == {
        "type": "session.initiate",
        "conversationId": CALL,
        "expectAudioMessages": True,
        "botName": "dentist",
        "caller": "anonymous",
        "supportedMediaFormats": ["raw/lpcm16_24", "raw/lpcm16", "raw/mulaw"],
    }
    start = bot.all("start")[0]
    assert start["parameters"]["vaigConversationId"] == CALL
    assert start["parameters"]["caller"] == "anonymous"
    kinds = [frame["type"] for frame in bot.frames]
    assert kinds[1] == "activities"
    assert kinds.count("userStream.start") == 1
    assert kinds[-1] == "session.end"
    assert report.media_format == "raw/lpcm16_24"


def test_events_tell_the_call_as_it_goes() -> None:
    events: list[CallerEvent] = []

    async def bot_side(bot: Bot) -> None:
        await bot.accept()
        await bot.say(400, altText="Good morning.")
        await bot.caller_finished()
        await bot.send("userStream.speech.recognition", alternatives=[{"text": "No, that is not right."}])
        await bot.say(300)

    report, _ = call([Say(NO), Wait(1500), HangUp()], bot_side, on_event=events.append)

    assert [type(event) for event in events] == [BotSpoke, CallerSpoke, CallerRecognised, BotSpoke, Ended]
    greeting = events[0]
    assert isinstance(greeting, BotSpoke)
    assert (greeting.heard_ms, greeting.text) == (400, "Good morning.")
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert ended.outcome == "client-disconnected"
    assert ended.at_ms >= report.turns[-1].ended_ms
    assert [turn.text for turn in report.turns] == ["Good morning.", "No, that is not right.", ""]


# --- media ---


@pytest.mark.parametrize("media", ["raw/lpcm16_24", "raw/lpcm16", "raw/mulaw"])
def test_the_bot_hears_the_recording_in_the_format_it_chose(media: str) -> None:
    report, [bot] = call([Say(NO)], answering(1, media))

    assert report.media_format == media
    assert bot.chunk_sizes == {BYTES_PER_MS[media] * 20}
    rate = 8000 if media == "raw/mulaw" else BYTES_PER_MS[media] * 500
    speech = read_recording(NO)
    spoken = np.abs(resample(speech.samples, speech.sample_rate_hz, rate).astype(float))
    heard = mulaw_size(bytes(bot.audio)) if media == "raw/mulaw" else np.frombuffer(bot.audio, "<i2")
    heard = np.abs(heard.astype(float))
    if media == "raw/mulaw":
        heard *= 4  # a 14-bit scale
    size = len(heard) + len(spoken)
    matches = np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(spoken, size).conj(), size)
    at = int(np.argmax(matches[: len(heard) - len(spoken)]))
    alike = np.corrcoef(heard[at : at + len(spoken)], spoken)[0, 1]
    assert alike > 0.999
    assert heard[at : at + len(spoken)].max() == pytest.approx(spoken.max(), rel=0.03)


def test_chunks_keep_the_pace_of_the_persons_time() -> None:
    async def listens(bot: Bot) -> None:
        await bot.accept()
        await bot.until(lambda: bot.chunks >= 250)
        await bot.act("hangup")

    _, [bot] = call([], listens, speed=10.0)

    lasted_ms = (bot.last_chunk_s - bot.first_chunk_s) * 1000 * 10
    assert lasted_ms == pytest.approx((bot.chunks - 1) * 20, abs=1000)  # 100 ms of the machine's
    assert len(bot.audio) == bot.chunks * 960


@pytest.mark.parametrize("media", ["raw/lpcm16_24", "raw/lpcm16", "raw/mulaw"])
def test_every_sample_sent_is_heard_once_however_it_was_cut_into_chunks(media: str, tmp_path: Path) -> None:
    audio = tone(1000, media)

    async def stutters(bot: Bot) -> None:
        await bot.accept()
        await bot.start("p-1", media)
        at = 0
        for number in range(1000):
            piece = audio[at : at + 2 * (number * 37 % 450)]
            at += len(piece)
            await bot.chunk("p-1", piece)
            if at >= len(audio):
                break
        await bot.stop("p-1")

    report, _ = call([Wait(2500), HangUp()], stutters, out_wav=tmp_path / "call.wav")

    [turn] = report.turns
    assert (turn.heard_ms, turn.sent_ms, turn.gap_ms) == (1000, 1000, 0)
    right = channels(tmp_path / "call.wav")[:, 1]
    sounding = np.flatnonzero(right)
    assert (turn.ended_ms - turn.began_ms) * 24 == 24_000
    if media == "raw/lpcm16_24":
        assert sounding[0] == turn.began_ms * 24
        assert right[sounding[0] : sounding[0] + 24_000].tobytes() == audio
        assert len(sounding) == 24_000


def test_the_recording_has_both_sides_where_mouth_and_ear_had_them(tmp_path: Path) -> None:
    report, _ = call([Say(NO)], answering(1), out_wav=tmp_path / "call.wav")

    left, right = channels(tmp_path / "call.wav").T
    greeting, said, answer = report.turns
    for turn in (greeting, answer):
        heard = right[turn.began_ms * 24 : turn.ended_ms * 24]
        assert heard.tobytes() == tone(turn.heard_ms)
    assert np.count_nonzero(right) == (400 + 600) * 24
    speech = read_recording(NO)
    sound = resample(speech.samples, speech.sample_rate_hz, 24_000)
    at = (said.began_ms - speech.began_ms) * 24
    assert np.array_equal(left[at : at + len(sound)], sound)
    assert not left[:at].any()
    assert not left[at + len(sound) :].any()
