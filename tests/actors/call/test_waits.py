"""A caller waits for an effect elsewhere: its own words are said once, and its step has the time that it may take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from actors.clips import Clip
from actors.messages.call import EffectOver
from fsm.agents.end_call import END_CALL
from fsm.effects import Remote
from fsm.spec import AgentSpec
from tests.actors.calls import CLIPS, Call, StuckOven, WaitingDispatcher, with_a_hanging_task
from tests.fsm.tables import table

WORDS = "One moment, I am writing that down."


@pytest.fixture
def stuck() -> StuckOven:
    return StuckOven()


def agents(stuck: StuckOven, **waits: Any) -> Mapping[str, AgentSpec]:
    spec: AgentSpec = table(effects={"pizza.bake": Remote(stuck, **waits)})
    return {spec.name: spec}


def said(call: Call) -> int:
    """How often the model was asked to say the effect's words."""
    return sum(WORDS in json.dumps(frame) for frame in call.model.all("response.create"))


def recorded(call: Call) -> list[str]:
    """The recorded sentences that the caller has heard."""
    words = {recording.words for recording in CLIPS.values()}
    return [turn.text for turn in call.describe().turns if turn.text in words]


def test_who_waits_longer_hears_the_effects_words_once_and_not_the_recorded_ones(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck, agents=agents(stuck, say=WORDS, say_after_s=2.5))
    mailboxes.advance(2_400)
    assert said(call) == 0
    assert recorded(call) == []
    mailboxes.advance(100)
    assert said(call) == 1
    call.bot_says(WORDS)
    call.hears_out()
    assert recorded(call) == []
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())
    assert said(call) == 1


def test_who_does_not_wait_so_long_hears_none_of_them(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    call = with_a_hanging_task(mailboxes, stuck, agents=agents(stuck, say=WORDS, say_after_s=2.5))
    mailboxes.advance(2_400)
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())
    mailboxes.advance(1_000)
    assert said(call) == 0


def test_who_says_goodbye_meanwhile_hears_none_of_them(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    tasks = {**agents(stuck, say=WORDS, say_after_s=2.5), END_CALL.name: END_CALL}
    call = with_a_hanging_task(mailboxes, stuck, agents=tasks)
    assert call.answered("call-3", "end_call")["result"] == "hangup"
    mailboxes.advance(2_500)
    assert said(call) == 0
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())


def test_after_the_effect_the_recorded_ones_bridge_what_the_task_still_does(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck, agents=agents(stuck, say=WORDS, say_after_s=2.5))
    mailboxes.advance(2_400)
    (task,) = call.describe().tasks
    call.told(EffectOver(task.run_id, WORDS))
    mailboxes.advance(2_000)
    call.hears_out(until_ms=2_000)
    assert (said(call), recorded(call)) == (0, [CLIPS[Clip.ONE_MOMENT].words])
    stuck.freed.set()


def test_a_model_that_does_not_say_them_is_bridged_by_the_recorded_ones(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck, agents=agents(stuck, say=WORDS, say_after_s=2.5))
    mailboxes.advance(2_500)
    assert said(call) == 1
    mailboxes.advance(2_000)
    call.hears_out(until_ms=2_000)
    assert recorded(call) == [CLIPS[Clip.ONE_MOMENT].words]
    stuck.freed.set()


def test_a_step_has_the_time_that_its_effect_may_take(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    call = with_a_hanging_task(mailboxes, stuck, agents=agents(stuck, longest_s=20.0))
    mailboxes.advance(22_900)
    assert "call-2" not in call.outputs()
    mailboxes.advance(100)
    assert call.outputs()["call-2"]["error"] == "failed"
    stuck.freed.set()


def test_a_step_whose_effect_takes_no_longer_than_others_has_their_limit(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck, agents=agents(stuck, longest_s=5.0))
    mailboxes.advance(9_900)
    assert "call-2" not in call.outputs()
    mailboxes.advance(100)
    assert call.outputs()["call-2"]["error"] == "failed"
    stuck.freed.set()
