"""The scenes that every change must pass: what is booked, and for whom, without doubt. All of them: `make hell`."""

from __future__ import annotations

import pytest

from tests.adversary.known import KNOWN
from tests.adversary.scene import SCENES
from tests.adversary.scenes import load_scenes
from tests.adversary.stage import play

load_scenes()
TESTED = (
    "obedient",
    "yes_with_the_opening",
    "change_and_yes_00ms",
    "change_then_yes",
    "not_a_yes_no",
    "not_a_yes_cost",
    "read_back_wrong_day",
    "late_words_are_a_no",
    "opens_twice_the_same",
    "wait_after_end_call",
    "cancels_ones_own",
    "socket_breaks_at_the_read_back",
)


@pytest.mark.parametrize("name", TESTED)
def test_a_scene_ends_as_it_must(name: str) -> None:
    assert name not in KNOWN
    verdict = play(SCENES[name])
    assert not verdict.faults, "\n".join((*verdict.faults, verdict.doc, *verdict.story, *verdict.notes))


def test_there_are_scenes_of_every_kind_and_known_faults_are_faults_of_scenes() -> None:
    assert len(SCENES) >= 120
    assert set(KNOWN) <= set(SCENES)
