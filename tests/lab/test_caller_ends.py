"""The simulated caller's keys, and the ways in which its calls end or never begin."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from lab.caller import CallReport, CallSettings, Dtmf, HangUp, Say, ScriptError, place_call
from tests.lab.caller_bot import CALL, NO, YES, Bot, Conduct, answering, call, serving


def menu(**params: Any) -> Conduct:
    async def conduct(bot: Bot) -> None:
        await bot.accept()
        await bot.act("config", sessionParams=params)
        await bot.say(300)
        await bot.until(lambda: "#" in "".join(key["value"] for key in bot.all("DTMF")))
        await bot.act("hangup")

    return conduct


def test_keys_come_one_by_one_or_collected_as_the_bot_asked() -> None:
    report, [bot] = call([Dtmf("12#")], menu(sendDTMF=True))
    collecting, [collector] = call([Dtmf("12#")], menu(sendDTMF=True, dtmfCollect=True))

    assert [key["value"] for key in bot.all("DTMF")] == ["1", "2", "#"]
    assert [key["value"] for key in collector.all("DTMF")] == ["12#"]
    assert report.errors == collecting.errors == ()
    assert report.outcome == "bot-disconnected"


def test_keys_are_not_reported_unless_the_bot_asked_for_them() -> None:
    report, [bot] = call([Dtmf("#"), HangUp()], menu())

    assert not bot.all("DTMF")
    assert [error.partition(" (")[0] for error in report.errors] == ["dtmf_not_reported: sendDTMF is off"]


def test_a_transfer_ends_the_call_as_transferred() -> None:
    async def hands_over(bot: Bot) -> None:
        await bot.accept()
        await bot.say(400)
        await bot.caller_finished()
        await bot.act("transfer", activityParams={"transferTarget": "tel:+4930555001"})

    report, [bot] = call([Say(NO)], hands_over)

    assert (report.outcome, report.transfer_target, report.errors) == ("transferred", "tel:+4930555001", ())
    assert bot.all("session.end")[0]["reasonCode"] == "transferred"


def test_last_words_that_the_bot_cuts_by_hanging_up_were_not_heard() -> None:
    async def hasty(bot: Bot) -> None:
        await bot.accept()
        await bot.say(2000)
        await bot.until(lambda: bot.chunks >= 20)
        await bot.act("hangup")

    report, _ = call([], hasty)

    [turn] = report.turns
    assert turn.sent_ms == 2000
    assert turn.heard_ms < 2000
    assert report.errors == ()


def test_the_person_hangs_up_when_the_bot_does_not() -> None:
    async def lingers(bot: Bot) -> None:
        await bot.accept()
        await bot.say(300)
        await bot.caller_finished()
        await bot.say(300)

    report, [bot] = call([Say(NO)], lingers, patience_s=3)

    assert (report.outcome, report.errors) == ("client-disconnected", ())
    assert bot.all("session.end")[0]["reasonCode"] == "client-disconnected"


def test_a_silent_bot_is_reported_and_the_script_goes_on() -> None:
    async def mute(bot: Bot) -> None:
        await bot.accept()

    report, _ = call([Say(NO), Say(YES)], mute, patience_s=2)

    silences = [error for error in report.errors if error.startswith("no_answer")]
    assert len(silences) == 3
    assert "after the call was accepted" in silences[0]
    assert f"after {NO}" in silences[1]
    assert f"after {YES}" in silences[2]
    assert report.first_audio_ms == (None, None)
    assert report.outcome == "client-disconnected"


def test_a_bot_that_hangs_up_early_leaves_the_script_unfinished() -> None:
    report, _ = call([Say(NO), Say(YES), HangUp()], answering(1))

    assert report.outcome == "bot-disconnected"
    assert [error.partition(" (")[0] for error in report.errors] == [f"script_not_finished: {YES}, hangup"]


def test_a_call_without_end_is_ended() -> None:
    async def endless(bot: Bot) -> None:
        await bot.accept()
        await bot.say(60_000)

    report, _ = call([Say(NO)], endless, limit_s=5)

    assert report.outcome == "error"
    assert report.errors[0].startswith("call_too_long")


# --- refusals ---


def test_a_wrong_token_is_reported_as_refused() -> None:
    report, _ = call([Say(NO)], answering(1), token="guess")
    assert report.outcome == "refused"
    assert report.errors[0].startswith("upgrade_refused: HTTP 401")


def test_a_full_bot_is_reported_as_refused() -> None:
    report, _ = call([Say(NO)], answering(1), refuse=HTTPStatus.SERVICE_UNAVAILABLE)
    assert report.outcome == "refused"
    assert report.errors[0].startswith("upgrade_refused: HTTP 503")


def test_a_declined_call_is_reported_with_the_reason() -> None:
    async def declines(bot: Bot) -> None:
        await bot.until(lambda: bool(bot.frames))
        await bot.send("session.error", reason="speech model unavailable")

    report, _ = call([Say(NO)], declines)
    assert report.outcome == "refused"
    assert report.errors[0].startswith("refused: speech model unavailable")
    assert report.turns == ()


def test_nobody_at_the_other_end_is_an_error_of_the_call() -> None:
    async def to_nobody() -> CallReport:
        async with serving(answering(0)) as server:
            url = server.url
        return await place_call(CallSettings(url=url, conversation_id=CALL), [Say(NO)])

    report = asyncio.run(to_nobody())
    assert report.outcome == "error"
    assert report.errors[0].startswith("not_connected")


def test_a_call_that_the_bot_never_accepts_ends_with_an_error() -> None:
    async def stares(bot: Bot) -> None:
        await bot.until(lambda: False)

    report, _ = call([Say(NO)], stares)
    assert report.outcome == "error"
    assert report.errors[0].startswith("not_answered: session.initiate")


def test_a_file_that_is_no_speech_is_named_before_anybody_is_called(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"RIFFRAFF")
    with pytest.raises(ScriptError, match=r"noise\.wav"):
        call([Say(tmp_path / "noise.wav")], answering(1))


def test_formats_nobody_can_speak_are_refused() -> None:
    with pytest.raises(ScriptError, match="audio/alaw"):
        CallSettings(url="ws://bot", conversation_id=CALL, formats=("raw/lpcm16", "audio/alaw"))
