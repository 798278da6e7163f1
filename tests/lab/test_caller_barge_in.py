"""The simulated caller interrupts, where the bot and VAIC's settings let it."""

from __future__ import annotations

from lab.caller import BargedIn, CallerEvent, HangUp, Interrupt, Say, Wait
from lab.caller.audio import read_recording
from tests.lab.caller_bot import NO, YES, Bot, call


async def interruptible(bot: Bot) -> None:
    await bot.accept()
    await bot.act("config", sessionParams={"sendEventsToBot": ["playFinished"]})
    long_story = await bot.say(20_000)
    await bot.caller_began()
    await bot.send("userStream.speech.started")
    await bot.caller_finished()
    await bot.send("userStream.speech.stopped")
    assert long_story
    await bot.say(300)
    await bot.got("playFinished")
    await bot.act("hangup")


def test_an_interruption_cuts_what_vaic_had_buffered() -> None:
    events: list[CallerEvent] = []
    report, [bot] = call([Interrupt(NO, after_ms=800)], interruptible, on_event=events.append)

    assert report.errors == ()
    story, said, answer = report.turns
    assert story.sent_ms == 20_000
    assert story.heard_ms == story.ended_ms - story.began_ms
    assert said.began_ms - story.began_ms == 800 + read_recording(NO).began_ms
    assert report.barge_ins == 1
    assert report.barge_in_stop_ms == (story.ended_ms - said.began_ms,)
    assert 0 < report.barge_in_stop_ms[0] < 5000
    assert answer.began_ms > said.ended_ms
    assert report.max_lead_ms == 20_000
    assert len(bot.all("playFinished")) == 1  # a stream that was cut has not finished
    assert BargedIn in [type(event) for event in events]


def test_a_protected_prompt_is_heard_to_its_end() -> None:
    async def insists(bot: Bot) -> None:
        await bot.accept()
        await bot.got("userStream.start")
        await bot.say(2000, activityParams={"bargeIn": False})
        await bot.send("userStream.speech.started")

    report, _ = call([Wait(3500), HangUp()], insists)

    assert (report.turns[0].heard_ms, report.barge_ins) == (2000, 0)


def test_with_barge_in_off_the_bot_plays_on_and_does_not_hear_the_caller() -> None:
    heard_while_playing: list[bool] = []

    async def half_duplex(bot: Bot) -> None:
        await bot.accept()
        await bot.until(lambda: bot.chunks > 0)
        await bot.act("config", sessionParams={"bargeIn": False, "sendEventsToBot": ["playFinished"]})
        await bot.say(3000)
        await bot.send("userStream.speech.started")
        await bot.got("userStream.stop")
        before = bot.chunks
        await bot.got("playFinished")
        heard_while_playing.append(bot.chunks > before)
        await bot.until(lambda: len(bot.all("userStream.start")) == 2)
        await bot.caller_finished()
        await bot.send("userStream.speech.recognition", alternatives=[{"text": "no"}])
        await bot.until(lambda: len(bot.all("userStream.stop")) == 2)
        await bot.say(300)
        await bot.until(lambda: len(bot.all("userStream.start")) == 3)
        await bot.act("hangup")

    report, _ = call([Interrupt(YES, after_ms=500), Say(NO)], half_duplex)

    assert heard_while_playing == [False]
    assert report.barge_ins == 0
    story, interruption, sentence, _ = report.turns
    assert story.heard_ms == 3000
    assert interruption.heard_ms < interruption.sent_ms
    assert sentence.heard_ms == sentence.sent_ms
