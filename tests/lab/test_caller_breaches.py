"""Whatever a bot does against the wire's rules, the simulated caller names."""

from __future__ import annotations

import pytest

from lab.caller import Drop, Wait
from tests.lab.caller_bot import Bot, Conduct, call, tone, until_lost


async def early_sound(bot: Bot) -> None:
    await bot.until(lambda: bool(bot.frames))
    await bot.start("p-1")
    await bot.accept()


async def odd_format(bot: Bot) -> None:
    await bot.accept("raw/opus")


async def unoffered_play_format(bot: Bot) -> None:
    await bot.accept()
    await bot.start("p-1", "raw/lpcm16_8")
    await bot.chunk("p-1", b"\1\0")
    await bot.stop("p-1")


async def twice_accepted(bot: Bot) -> None:
    await bot.accept()
    await bot.accept()


async def loose_chunk(bot: Bot) -> None:
    await bot.accept()
    await bot.chunk("p-1", tone(20))


async def late_chunk(bot: Bot) -> None:
    await bot.accept()
    await bot.chunk(await bot.say(20), tone(20))


async def loose_stop(bot: Bot) -> None:
    await bot.accept()
    await bot.stop("p-1")


async def two_streams(bot: Bot) -> None:
    await bot.accept()
    await bot.start("p-1")
    await bot.chunk("p-1", tone(20))
    await bot.start("p-2")


async def same_id(bot: Bot) -> None:
    await bot.accept()
    for _ in range(2):
        await bot.start("p-1")
        await bot.chunk("p-1", tone(20))
        await bot.stop("p-1")


async def nothing_said(bot: Bot) -> None:
    await bot.accept()
    await bot.start("p-1")
    await bot.stop("p-1")


async def talks_on(bot: Bot) -> None:
    await bot.accept()
    await bot.start("p-1")
    await bot.chunk("p-1", tone(2000))
    await bot.until(lambda: bot.chunks > 3)
    await bot.send("userStream.speech.started")
    await bot.stop("p-1")
    await bot.chunk("p-1", tone(20))


async def forgets_to_stop(bot: Bot) -> None:
    await bot.accept()
    await bot.start("p-1")
    await bot.chunk("p-1", tone(20))
    await bot.until(lambda: bot.chunks > 150)


async def feeds_silence(bot: Bot) -> None:
    await bot.accept()
    await bot.start("p-1")
    for _ in range(110):
        await bot.chunk("p-1", bytes(960))
    await bot.stop("p-1")


async def tears_samples(bot: Bot) -> None:
    await bot.accept()
    await bot.start("p-1")
    await bot.chunk("p-1", b"\1\0\1")
    await bot.stop("p-1")


async def no_base64(bot: Bot) -> None:
    await bot.accept()
    await bot.start("p-1")
    await bot.send("playStream.chunk", streamId="p-1", audioChunk="*!*")


async def starts_twice(bot: Bot) -> None:
    await bot.accept()
    await bot.send("userStream.speech.started")
    await bot.send("userStream.speech.started")


async def stops_unstarted(bot: Bot) -> None:
    await bot.accept()
    await bot.send("userStream.speech.stopped")


async def no_words(bot: Bot) -> None:
    await bot.accept()
    await bot.send("userStream.speech.recognition", alternatives=[])


async def invents_participant(bot: Bot) -> None:
    await bot.accept()
    await bot.send("userStream.speech.committed", participant="caller")


async def other_call(bot: Bot) -> None:
    await bot.accept()
    await bot.send("userStream.speech.committed", conversationId="another")


async def ends_the_session(bot: Bot) -> None:
    await bot.accept()
    await bot.send("session.end")


async def extra_field(bot: Bot) -> None:
    await bot.accept()
    await bot.send("userStream.speech.committed", mood="fine")


async def binary(bot: Bot) -> None:
    await bot.accept()
    await bot.socket.send(b'{"type": "userStream.speech.committed"}')


async def no_json(bot: Bot) -> None:
    await bot.accept()
    await bot.socket.send("hello")


async def unasked(bot: Bot) -> None:
    await bot.accept()
    await bot.got("userStream.start")
    await bot.send("userStream.stopped")


async def deaf(bot: Bot) -> None:
    bot.acknowledges = False
    await bot.accept()
    await bot.say(4000)
    await bot.act("config", sessionParams={"sendEventsToBot": ["playFinished"]})
    await bot.got("playFinished")


async def validates(bot: Bot) -> None:
    await bot.accept()
    await bot.socket.send('{"type": "connection.validated", "success": true}')


async def no_activity(bot: Bot) -> None:
    await bot.accept()
    await bot.send("activities", activities=[])


async def strange_event(bot: Bot) -> None:
    await bot.accept()
    await bot.act("sing")


async def nowhere(bot: Bot) -> None:
    await bot.accept()
    await bot.act("transfer")


async def bad_keys(bot: Bot) -> None:
    await bot.accept()
    await bot.act("sendDtmf", activityParams={"dtmfDigits": "12a"})


async def bad_settings(bot: Bot) -> None:
    await bot.accept()
    await bot.act("config", sessionParams={"bargeIn": "perhaps"})


async def talks_after_hangup(bot: Bot) -> None:
    await bot.accept()
    await bot.act("hangup")
    await bot.start("p-1")


BREACHES = [
    (early_sound, "before_session_accepted: playStream.start"),
    (odd_format, "format_not_offered: raw/opus"),
    (unoffered_play_format, "format_not_offered: raw/lpcm16_8 for p-1"),
    (twice_accepted, "second_answer: session.accepted"),
    (loose_chunk, "chunk_outside_stream: p-1"),
    (late_chunk, "chunk_after_stop: p-"),
    (loose_stop, "stop_outside_stream: p-1"),
    (two_streams, "second_open_stream: p-2 before p-1 was stopped"),
    (same_id, "stream_id_reused: p-1"),
    (nothing_said, "empty_stream: p-1"),
    (talks_on, "chunk_after_interruption: p-1"),
    (forgets_to_stop, "stream_left_open: p-1"),
    (feeds_silence, "silence_fed: p-1"),
    (tears_samples, "torn_sample: p-1"),
    (no_base64, "bad_audio: p-1"),
    (starts_twice, "speech_started_twice"),
    (stops_unstarted, "speech_stopped_without_start"),
    (no_words, "no_alternatives: userStream.speech.recognition"),
    (invents_participant, "participant_invented: userStream.speech.committed"),
    (other_call, "other_conversation: another"),
    (ends_the_session, "unknown_frame: session.end"),
    (extra_field, "bad_fields: userStream.speech.committed.mood: extra_forbidden"),
    (binary, "binary_frame"),
    (no_json, "not_json"),
    (unasked, "unasked_frame: userStream.stopped"),
    (deaf, "not_acknowledged: userStream.start"),
    (validates, "unasked_frame: connection.validated"),
    (no_activity, "no_activities"),
    (strange_event, "unknown_event: sing"),
    (nowhere, "transfer_without_target"),
    (bad_keys, "bad_dtmf_digits"),
    (bad_settings, "bad_params: bargeIn"),
    (talks_after_hangup, "after_hangup: playStream.start"),
]


@pytest.mark.parametrize(("breach", "complaint"), BREACHES, ids=[each[0].__name__ for each in BREACHES])
def test_a_breach_of_the_wire_is_named(breach: Conduct, complaint: str) -> None:
    async def then_hangs_up(bot: Bot) -> None:
        await breach(bot)
        if breach is not talks_after_hangup:
            await bot.act("hangup")

    report, _ = call([], then_hangs_up, patience_s=5)

    assert report.errors
    assert report.errors[0].startswith(complaint)
    assert len(report.errors) == 1 or breach in (two_streams, no_base64)


def test_a_changed_format_after_a_resume_is_named() -> None:
    async def changes(bot: Bot) -> None:
        await bot.accept("raw/mulaw")
        await bot.act("hangup")

    report, _ = call([Wait(600), Drop()], until_lost, changes)

    assert report.errors[0].startswith("format_changed: raw/lpcm16_24 to raw/mulaw")


@pytest.mark.parametrize(("code", "complaints"), [(1000, 0), (1011, 1)])
def test_how_the_bot_closes_after_session_end_is_judged(code: int, complaints: int) -> None:
    async def closes(bot: Bot) -> None:
        await bot.accept()
        await bot.act("hangup")
        await bot.socket.close(code)

    report, _ = call([], closes)
    assert len([error for error in report.errors if error.startswith("closed_badly")]) == complaints


def test_a_breach_that_goes_on_is_counted_not_repeated() -> None:
    async def babbles(bot: Bot) -> None:
        await bot.accept()
        for _ in range(40):
            await bot.chunk("p-1", tone(20))
        await bot.act("hangup")

    report, _ = call([], babbles)
    [error] = report.errors
    assert error.startswith("chunk_outside_stream: p-1 (40 times from ")
