"""The effects in a database, opened outside the daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.effects import effect_runner
from protocols.errors import MisuseError


def test_a_new_database_has_nothing_unsettled_and_none_of_its_effects_is_tried_again(tmp_path: Path) -> None:
    with effect_runner(f"sqlite:///{tmp_path}/new.sqlite3") as runner:
        assert (runner.unsettled(), runner.decide("c-1:t1:4", "retry"), runner.recover()) == ([], None, 0)


def test_a_database_that_cannot_be_opened_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(MisuseError), effect_runner(f"sqlite:///{tmp_path}/no/folder/new.sqlite3"):
        pass
