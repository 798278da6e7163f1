"""The simulated caller loses its socket, or the bot closes it, and the call goes on."""

from __future__ import annotations

from lab.caller import CallerEvent, Drop, Dropped, HangUp, Resumed, Say, ScriptStep, Wait
from tests.lab.caller_bot import CALL, NO, YES, Bot, call, until_lost


async def resumed(bot: Bot) -> None:
    await bot.accept()
    await bot.caller_finished()
    await bot.say(300)
    await bot.caller_finished()
    await bot.act("hangup")


def test_a_dropped_call_is_resumed_on_a_new_socket_and_goes_on() -> None:
    events: list[CallerEvent] = []
    script: list[ScriptStep] = [Wait(1000), Drop(resume_after_ms=400), Say(NO), Say(YES)]
    report, [first, second] = call(script, until_lost, resumed, on_event=events.append)

    assert report.errors == ()
    assert report.outcome == "bot-disconnected"
    [outage] = report.outages
    assert outage.resumed_ms is not None
    assert outage.resumed_ms - outage.lost_ms >= 400
    assert second.frames[0] == {"type": "session.resume", "conversationId": CALL}
    assert (len(first.all("start")), len(second.all("start"))) == (1, 0)
    assert len(second.all("userStream.start")) == 1
    assert [type(event) for event in events if isinstance(event, Dropped | Resumed)] == [Dropped, Resumed]


def test_what_was_being_played_when_the_socket_went_is_void() -> None:
    async def talks(bot: Bot) -> None:
        await bot.accept()
        await bot.say(5000)

    async def says_more(bot: Bot) -> None:
        await bot.accept()
        await bot.say(200)

    report, _ = call([Wait(600), Drop(), Wait(1000), HangUp()], talks, says_more)

    cut, more = report.turns
    assert (cut.sent_ms, more.heard_ms) == (5000, 200)
    assert cut.heard_ms < 1000
    assert report.barge_ins == 0


def test_a_bot_that_closes_the_socket_is_called_again_as_vaic_does() -> None:
    async def hands_over(bot: Bot) -> None:
        await bot.accept()
        await bot.say(300)
        await bot.until(lambda: bot.chunks > 50)
        await bot.socket.close(1001)

    report, _ = call([Wait(2000), Say(NO), Say(YES)], hands_over, resumed)

    assert (report.outcome, report.errors) == ("bot-disconnected", ())
    assert [outage.code for outage in report.outages] == [1001]


def test_a_bot_that_closes_the_socket_to_hang_up_is_reported() -> None:
    async def closes(bot: Bot) -> None:
        await bot.accept()
        await bot.say(300)
        await bot.socket.close()

    async def refuses(bot: Bot) -> None:
        await bot.until(lambda: bool(bot.frames))
        await bot.send("session.error", reason="unknown conversation")

    report, _ = call([Say(NO)], closes, refuses)

    assert report.outcome == "error"
    rules = [error.partition(" (")[0] for error in report.errors]
    assert rules[:2] == ["closed_to_hang_up", "resume_refused: unknown conversation"]


def test_a_call_that_nobody_resumes_is_given_up() -> None:
    async def closes_at_once(bot: Bot) -> None:
        await bot.socket.close(1012)

    report, bots = call([Wait(100), Drop(), HangUp()], until_lost, closes_at_once, speed=100.0)

    assert report.outcome == "error"
    assert report.errors[0].startswith("not_resumed")
    assert len(bots) > 2
