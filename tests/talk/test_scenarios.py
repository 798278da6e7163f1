"""The scenarios as a whole; and one of them by speech, where there is flite."""

from __future__ import annotations

import shutil
from itertools import product

import pytest

from tests.talk.blame import Blame
from tests.talk.line import Condition
from tests.talk.scenario import Kind
from tests.talk.scenarios import all_scenarios, line_of
from tests.talk.speech import VOICES
from tests.talk.stage import play


def test_there_are_enough_of_every_kind_on_every_line() -> None:
    scenarios = all_scenarios().values()
    assert len(scenarios) >= 60
    assert {each.kind for each in scenarios} == set(Kind)
    assert {line_of(each) for each in scenarios} == set(product(VOICES, Condition))


@pytest.mark.faults
@pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite, which speaks for the callers")
def test_a_caller_who_is_heard_gets_an_appointment() -> None:
    verdict = play(all_scenarios()["book_plain"], "rms", Condition.CLEAR)
    assert verdict.blame != Blame.PRODUCT.value, "\n".join((*verdict.findings, *verdict.story))
    assert verdict.blame or verdict.stored == ("2026-11-26 10:30",)
    assert verdict.no_yes == 0
