"""The effects in a database, opened outside the daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.effects import effect_recovery
from protocols.errors import MisuseError
from store.database import open_database


def test_a_new_database_has_nothing_unsettled_and_none_of_its_effects_is_tried_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.sqlite3"
    open_database(url).dispose()
    with effect_recovery(url) as recovery:
        assert (recovery.unsettled(), recovery.decide("c-1:t1:4", "retry"), recovery.recover()) == ([], None, 0)


def test_a_database_that_cannot_be_opened_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(MisuseError), effect_recovery(f"sqlite:///{tmp_path}"):
        pass


def test_a_store_that_is_not_there_is_not_made_by_asking_for_its_effects(tmp_path: Path) -> None:
    file = tmp_path / "none.sqlite3"
    with pytest.raises(MisuseError, match="there is no such file"), effect_recovery(f"sqlite:///{file}"):
        pass
    assert not file.exists()
