"""The figures as they are stored: read again as they were written, also by a release that knows less."""

from __future__ import annotations

from store.figures import STAGES, AnswerFigures, CallFigures, Silence, answer


def test_an_answer_without_all_its_marks_has_the_stages_between_those_that_are_there() -> None:
    marks = {"item_id": "i-1", "quiet_ms": 100, "turn_ms": 600, "heard_ms": 1100}
    whole = answer(**marks, asked_ms=610, first_ms=1000, sent_ms=1010)  # type: ignore[arg-type]
    assert whole.complete
    assert whole.stages.keys() == set(STAGES)
    known = {"asked_ms": {"endpointing", "playout"}, "first_ms": {"endpointing", "playout"}, "sent_ms": {"endpointing"}}
    for missing, stages in known.items():
        others = {"asked_ms": 610, "first_ms": 1000, "sent_ms": 1010} | {missing: None}
        found = answer(**marks, **others)  # type: ignore[arg-type]
        assert not found.complete
        assert found.stages == {stage: length_ms for stage, length_ms in whole.stages.items() if stage in stages}


def test_figures_are_read_as_they_were_written() -> None:
    figures = CallFigures(greeting_ms=700, silences=(Silence(at_ms=1, length_ms=1500, after="bot"),), cost_usd=0.25)
    assert CallFigures.model_validate(figures.model_dump(mode="json") | {"of_a_later_release": 1}) == figures
    found = answer(item_id="i-1", quiet_ms=100, turn_ms=600, heard_ms=1100, asked_ms=610, first_ms=1000, sent_ms=1010)
    assert AnswerFigures.model_validate(found.model_dump(mode="json")) == found


def test_the_longest_silence_is_none_where_there_is_none() -> None:
    assert CallFigures().longest_silence_ms == 0
