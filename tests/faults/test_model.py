"""The model is lost, silent or refuses service: what the caller hears, and what is never lost."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.caller import BotSpoke, CallerEvent, CallerSpoke
from tests.calls.tap import Passed, at_the
from tests.faults.faultproxy import Link
from tests.faults.scene import Scene, longest_gap_ms, play
from tests.faults.scripts import ONE_MOMENT, QUESTION, WISH, booked_once

Figures = dict[str, float]
HOURS = "We are open every day from nine in the morning to five in the afternoon."
CALL_AGAIN = "Please call again later."
SAY_AGAIN = "Could you say it again?"
# A scene about "one moment", which is switched off where durations are not judged.
BRIDGED = {"TIELINE_FILLER_S": "1.5"}


def in_second_responses(scene: Scene, do: Callable[[Link], object]) -> Callable[[Passed], None]:
    """With each link, when its model is well into its second sentence, which the caller hears by then."""
    deltas: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def watch(passed: Passed) -> None:
        if passed.kind == "response.output_audio.delta":
            of_link = deltas[passed.port]
            of_link[passed.frame["response_id"]] += 1
            if [*of_link.values()][1:] == [8]:
                do(next(link for link in scene.model.links if link.port == passed.port))

    return watch


def sessions(scene: Scene) -> list[float]:
    """When each of the call's sessions was ready, in ms of the clock."""
    ready: list[float] = []
    for passed in scene.line.of("model", "daemon", "session.created", "session.updated"):
        if passed.kind == "session.created":
            ready.append(0.0)
        elif not ready[-1]:
            ready[-1] = passed.at_ms
    return ready


def lose_model(scene: Scene) -> None:
    for link in scene.model.to(scene.tapped):
        link.reset()


def test_model_reset_while_nobody_speaks_is_not_noticed(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        lost_ms: list[float] = []

        def happened(event: CallerEvent) -> None:
            ended = len(scene.line.of("model", "daemon", "response.done"))
            if isinstance(event, BotSpoke) and ended >= 2 and not lost_ms:
                lost_ms.append(asyncio.get_running_loop().time() * 1000)
                lose_model(scene)

        report = await scene.call(*WISH, on_event=happened)
        await booked_once(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        assert len(sessions(scene)) == 2
        scene.measured("ready again", sessions(scene)[1] - lost_ms[0], 1)

    play(tmp_path, figures, act)


FAULTS: dict[str, Callable[[Link], None]] = {
    "reset": lambda link: link.reset(),
    "half closed": lambda link: link.half_close(),
    "cut within a message": lambda link: link.cut_after(1000),
    # Somewhat more than both sides speak in real time.
    "slow": lambda link: link.slow(160_000),
}


def test_model_path_that_breaks_in_mid_utterance_is_a_short_gap_and_nothing_is_said_twice(
    tmp_path: Path, figures: Figures
) -> None:
    async def act(scene: Scene) -> None:
        left = [*FAULTS.values()]

        def breaks(link: Link) -> None:
            if left:
                left.pop()(link)

        scene.line.watch = in_second_responses(scene, breaks)
        names = [f"c-{number}" for number in range(len(FAULTS))]
        reports = await asyncio.gather(*(scene.call(*QUESTION, conversation_id=name) for name in names))
        assert not left
        assert len(sessions(scene)) == 2 * len(FAULTS) - 1, "all but the slow one had to be replaced"
        for name, report in zip(names, reports, strict=True):
            record = await scene.record(name)
            assert (report.outcome, report.errors, record.outcome) == ("bot-disconnected", (), "completed")
            scene.measured(f"{name}: longest silence", longest_gap_ms(report), 1.5)

    play(tmp_path, figures, act)


def test_model_reset_between_a_call_and_its_output_has_one_result(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        # The second function that is called is the yes.
        scene.line.watch = at_the(2, "response.function_call_arguments.done", lambda: lose_model(scene))
        report = await scene.call(*WISH, attentive=True)
        await booked_once(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        yes = [turn for turn in report.turns if turn.role == "caller"][1]
        answer = next(turn for turn in report.turns if turn.role == "bot" and turn.began_ms > yes.ended_ms)
        scene.measured("result heard after the yes", answer.began_ms - yes.ended_ms, 3 + 2)

    play(tmp_path, figures, act)


def test_model_path_silent_is_bridged_and_the_last_turn_is_answered(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        def happened(event: CallerEvent) -> None:
            if isinstance(event, CallerSpoke) and len(sessions(scene)) == 1:
                for link in scene.model.to(scene.tapped):
                    link.blackhole()

        # Who is asked for a moment gives it.
        report = await scene.call(*QUESTION, on_event=happened, pause_ms=8000)
        record = await scene.record()
        assert (report.outcome, report.errors, record.outcome) == ("bot-disconnected", (), "completed")
        asked = next(turn for turn in report.turns if turn.role == "caller")
        answer = next(turn for turn in record.turns if "nine in the morning" in turn.text and turn.heard_ms)
        assert answer.began_ms is not None
        scene.measured("last turn answered", answer.began_ms - asked.ended_ms, 12)
        filler = next(turn for turn in report.turns[report.turns.index(asked) :] if turn.role == "bot")
        scene.measured("filler", filler.began_ms - asked.ended_ms, 6)

    play(tmp_path, figures, act)


@pytest.mark.alone
@pytest.mark.parametrize("status", [401, 429])
def test_model_refuses_at_the_upgrade(tmp_path: Path, figures: Figures, status: int) -> None:
    async def act(scene: Scene) -> None:
        scene.engine.inject(upgrade_status=status)
        scene.model.target = scene.engine.address  # the tap would take the upgrade by itself
        loop = asyncio.get_running_loop()
        if status == 429:
            loop.call_later(6, scene.engine.inject)
        report = await scene.call(*(QUESTION if status == 429 else ()))
        record = await scene.record()
        said = [turn.text for turn in record.turns if turn.role == "bot"]
        if status == 401:
            assert said[-1].endswith(CALL_AGAIN)
            assert (report.outcome, record.outcome) == ("bot-disconnected", "failed")
            assert record.errors
            scene.measured("words", report.turns[0].began_ms, 2)
        else:
            assert said[0] == ONE_MOMENT
            assert (report.outcome, record.outcome) == ("bot-disconnected", "completed")
            # The caller has asked while there was no model: that is answered, whatever else was to be said.
            [answer] = [turn for turn in record.turns if turn.role == "bot" and turn.text == HOURS]
            assert answer.began_ms is not None
            scene.measured("words", answer.began_ms, 8)

    play(tmp_path, figures, act, environment=BRIDGED)


def test_model_that_refuses_the_session_is_dialled_once_more_and_the_record_says_what_it_refused(
    tmp_path: Path, figures: Figures
) -> None:
    async def act(scene: Scene) -> None:
        scene.engine.inject(refuse_updates=True)
        report = await scene.call()
        record = await scene.record()
        said = [turn.text for turn in record.turns if turn.role == "bot"]
        assert said[-1].endswith(CALL_AGAIN)
        assert (report.outcome, record.outcome) == ("bot-disconnected", "failed")
        assert any("session.audio.input.transcription.model" in error for error in record.errors)
        assert len(sessions(scene)) == 2
        scene.measured("words", report.turns[0].began_ms, 3)

    play(tmp_path, figures, act)


def test_model_that_refuses_a_setting_answers_without_it(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        scene.engine.inject(refuse_setting="audio.input.noise_reduction")
        report = await scene.call(*QUESTION)
        record = await scene.record()
        assert (report.outcome, record.outcome) == ("bot-disconnected", "completed")
        assert [turn for turn in record.turns if turn.role == "bot" and turn.text == HOURS]
        assert record.errors == ("model: refuses session.audio.input.noise_reduction",)
        assert len(sessions(scene)) == 1
        scene.measured("words", report.turns[0].began_ms, 3)

    play(tmp_path, figures, act)


def test_model_down_for_good_ends_in_an_apology(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        scene.model.refuses = True
        report = await scene.call()
        record = await scene.record()
        said = [turn.text for turn in record.turns if turn.role == "bot"]
        assert said[0] == ONE_MOMENT
        assert said[-1].endswith(CALL_AGAIN)
        assert (report.outcome, record.outcome, record.errors) == (
            "bot-disconnected",
            "failed",
            ("model: WebSocketTimeoutException",),
        )
        last = [turn for turn in report.turns if turn.role == "bot"][-1]
        scene.measured("apology", last.began_ms, 20.5)

    play(tmp_path, figures, act, environment=BRIDGED)


@pytest.mark.parametrize("fault", ["fail_responses", "mute"])
def test_model_that_fails_or_is_mute_is_asked_again_and_there_are_words(
    tmp_path: Path, figures: Figures, fault: str
) -> None:
    async def act(scene: Scene) -> None:
        loop = asyncio.get_running_loop()

        def happened(event: CallerEvent) -> None:
            if isinstance(event, CallerSpoke) and "hours" in event.file.name:
                value = {"fail_responses": 1} if fault == "fail_responses" else {"mute": True}
                scene.engine.inject(**value)
                if fault == "mute":
                    loop.call_later(5.5, scene.engine.inject)

        report = await scene.call(*QUESTION, on_event=happened)
        record = await scene.record()
        assert (report.outcome, record.outcome) == ("bot-disconnected", "completed")
        asked = next(turn for turn in report.turns if turn.role == "caller")
        # The answer, asked for once more; or, when that is mute too, a sentence of ours.
        words = "nine in the morning" if fault == "fail_responses" else SAY_AGAIN
        answer = next(turn for turn in record.turns if words in turn.text and turn.heard_ms)
        assert answer.began_ms is not None
        scene.measured("words", answer.began_ms - asked.ended_ms, 4 if fault == "fail_responses" else 8)

    play(tmp_path, figures, act)


@pytest.mark.alone
def test_model_session_that_ends_is_replaced_and_that_is_not_noticed(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        report = await scene.call("slt_hours", *WISH)
        await booked_once(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        assert len(sessions(scene)) >= 2
        # No call was cut, and every request was answered as usual.
        assert [turn.gap_ms for turn in report.turns if turn.role == "bot"] == [0] * 5
        scene.measured("slowest answer", max(each or 0 for each in report.first_audio_ms), 1.0 + 0.3)

    play(tmp_path, figures, act, session_s=30)
