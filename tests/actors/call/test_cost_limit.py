"""Budgets: a call that may cost no more ends in words, in a pause; and so do those of a bot that has spent its day."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.bots import BotProfile
from actors.call.cost_limit import CostLimit
from actors.call.figures import Spent
from actors.clips import Clip
from actors.prices import Price, Prices
from actors.spending import Spending
from tests.actors.calls import PROFILE, Call, WaitingDispatcher, clips

TARGET = "tel:+4930555001"
# A dollar for 100 tokens.
PRICES = Prices({"m": Price({"output_audio": 10_000.0})})


def profile(most: float = 0.0, most_a_day: float = 0.0, *, transfers: bool = False) -> BotProfile:
    return replace(
        PROFILE,
        model=replace(PROFILE.model, name="m"),
        max_cost_usd=most,
        max_cost_usd_per_day=most_a_day,
        transfer_targets={"reception": TARGET} if transfers else {},
        no_input_s=9999,
    )


def costs(call: Call, usd: float, response: str) -> None:
    """A task's own question was answered, which nobody hears; it costs so much."""
    tokens = round(100 * usd)
    usage = {"output_tokens": tokens, "output_token_details": {"audio_tokens": tokens}}
    aside = {"id": response, "metadata": {"consult": "c9"}}
    call.event("response.created", response={**aside, "status": "in_progress"})
    call.event("response.done", response={**aside, "status": "completed", "usage": usage})


def test_a_call_that_has_cost_all_that_it_may_ends_in_words(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=profile(2.0), prices=PRICES).greeted()
    costs(call, 1.5, "r-100")
    mailboxes.advance(5000)
    assert clips(call) == []
    costs(call, 0.5, "r-101")
    mailboxes.advance(2000)
    call.played()
    assert clips(call) == [Clip.GOODBYE.value]
    assert [name for name, _ in call.activities()] == ["hangup"]
    call.ends("bot-disconnected")
    assert call.outcome() == "too-costly"
    (record,) = call.records()
    assert record.errors == ("the budget of the call is spent",)


def test_what_a_transcript_costs_counts_at_once(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=profile(2.0), prices=Prices({"whisper-1": Price(minute=2.0)})).greeted()
    heard = {"item_id": "u-1", "content_index": 0, "transcript": "Hm.", "usage": {"type": "duration", "seconds": 60}}
    call.event("conversation.item.input_audio_transcription.completed", **heard)
    mailboxes.advance(2000)
    call.played()
    assert clips(call) == [Clip.GOODBYE.value]


def test_where_there_is_somebody_to_hand_over_to_the_caller_is(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=profile(2.0, transfers=True), prices=PRICES).greeted()
    costs(call, 2.0, "r-100")
    mailboxes.advance(2000)
    call.played()
    assert clips(call) == [Clip.ONE_MOMENT.value]
    assert [name for name, _ in call.activities()] == ["transfer"]


def test_what_the_bot_is_saying_is_heard_to_its_end(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=profile(2.0), prices=PRICES).greeted()
    call.bot_says("One two three four five six.", ms=3000)
    costs(call, 2.0, "r-100")
    mailboxes.advance(1500)
    assert clips(call) == []
    mailboxes.advance(3500)
    assert clips(call) == [Clip.GOODBYE.value]


def test_a_bot_that_has_spent_its_day_greets_nobody(mailboxes: WaitingDispatcher) -> None:
    spending = Spending()
    spending.read({"practice": 50.0})
    call = Call(mailboxes, profile=profile(0, 50.0), prices=PRICES, spending=spending)
    call.starts()
    call.model_is_ready()
    mailboxes.advance(2000)
    call.played()
    assert call.model.all("response.create") == []
    assert clips(call) == [Clip.GOODBYE.value]
    call.ends("bot-disconnected")
    assert call.outcome() == "too-costly"


@pytest.mark.parametrize(
    ("most", "most_a_day", "of_call", "of_others", "which"),
    [
        (0.0, 0.0, 99.0, 99.0, ""),
        (2.0, 0.0, 1.99, 99.0, ""),
        (2.0, 0.0, 2.0, 0.0, "call"),
        (0.0, 9.0, 1.0, 7.99, ""),
        (0.0, 9.0, 1.0, 8.0, "day"),
        (2.0, 9.0, 2.0, 8.0, "call"),
    ],
)
def test_a_budget_is_spent_by_the_call_or_by_its_bots_day(
    most: float, most_a_day: float, of_call: float, of_others: float, which: str
) -> None:
    spending, spent = Spending(), Spent(cost_usd=of_call)
    budget = CostLimit("c-1", "linden", profile(most, most_a_day), spent, spending)
    spending.read({"linden": of_others})
    assert budget.newly_spent(1000) == which
    assert budget.newly_spent(2000) == ""  # it is told once
    assert budget.since_ms == (1000 if which else None)


def test_a_call_counts_until_its_record_does() -> None:
    spending, spent = Spending(), Spent(cost_usd=1.0)
    budget = CostLimit("c-1", "linden", profile(0, 9.0), spent, spending)
    budget.newly_spent(0)
    assert spending.today("linden") == 1.0
    budget.close()
    budget.close()
    assert spending.today("linden") == 0.0
