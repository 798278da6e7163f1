"""The names of the caller's turns where events come without an item's id."""

from __future__ import annotations

from itertools import count

import pytest

from protocols.realtime.turn_names import MOST_TURNS, TurnNames


@pytest.fixture
def names() -> TurnNames:
    numbers = count(1)
    return TurnNames(lambda: f"ours-{next(numbers)}")


def test_a_turn_is_named_by_its_item(names: TurnNames) -> None:
    assert [names.began("u-1"), names.of("u-1"), names.began("u-2"), names.of("u-1")] == ["u-1", "u-1", "u-2", "u-1"]


def test_a_turn_that_began_without_an_id_keeps_its_name_when_its_item_is_told(names: TurnNames) -> None:
    assert names.began("u-1") == "u-1"
    assert names.began("") == "ours-1"
    assert names.of("") == "ours-1"
    assert names.of("u-1") == "u-1", "the transcript of the turn before comes late"
    assert names.of("u-2") == "ours-1"
    assert names.began("") == "ours-2"
    assert names.of("u-2") == "ours-1"
    assert names.of("u-3") == "ours-2"
    assert names.of("u-4") == "u-4", "of a turn whose beginning was never told"


def test_an_end_without_an_id_is_that_of_the_newest_turn(names: TurnNames) -> None:
    names.began("u-1")
    assert names.of("") == "u-1"


def test_that_a_turn_is_in_the_conversation_is_news_once_whichever_way_it_was_told(names: TurnNames) -> None:
    names.began("u-1")
    assert [names.committed(""), names.committed("u-1"), names.committed("u-1")] == [True, False, False]
    assert names.untold
    names.began("")
    assert [names.committed("u-2"), names.committed("")] == [True, False]
    names.told("")
    assert not names.untold, "the transcript that came belongs to one of them"


def test_of_a_server_that_names_no_turn_each_is_news(names: TurnNames) -> None:
    assert [names.committed(""), names.committed("")] == [True, True]


def test_old_turns_are_forgotten(names: TurnNames) -> None:
    names.began("")
    assert names.of("u-0") == "ours-1"
    for number in range(1, MOST_TURNS + 1):
        names.began(f"u-{number}")
    assert names.of("u-0") == "u-0"


def test_a_silence_that_the_server_takes_for_a_turn_is_known_by_its_item() -> None:
    names = TurnNames(lambda: "ours")
    assert not names.is_idle("")
    names.fell_idle("")
    assert not names.is_idle("")
    names.fell_idle("u-1")
    assert names.is_idle("u-1")
    assert not names.is_idle("u-2")


def test_a_turn_is_untold_from_its_commit_to_its_transcript() -> None:
    names, seen = TurnNames(lambda: "ours"), []
    for happens, item_id in ((names.committed, ""), (names.committed, "u-1"), (names.told, "u-2"), (names.told, "u-1")):
        happens(item_id)
        seen.append(names.untold)
    assert seen == [False, True, True, False]


@pytest.mark.parametrize("began", ["u-1", ""])
def test_a_server_that_gives_every_turn_one_id_has_turns_of_its_own_all_the_same(names: TurnNames, began: str) -> None:
    heard = []
    for _ in range(3):
        name = names.began(began)
        assert names.ended("u-1") == name
        assert names.committed("u-1", due=True)
        assert not names.committed("u-1"), "told twice"
        assert names.of("u-1") == name
        heard.append(name)
    assert len(set(heard)) == 3


def test_the_commit_alone_may_have_the_same_id(names: TurnNames) -> None:
    for _ in range(3):
        name = names.began("")
        assert names.ended("") == name
        assert names.committed("u-1", due=True)
        assert names.of("u-1") == name


def test_a_turn_that_was_not_committed_may_begin_again_under_its_id(names: TurnNames) -> None:
    assert names.began("u-1") == names.ended("u-1") == names.began("u-1") == "u-1"
    assert names.committed("u-1", due=True)


def test_a_turn_with_the_id_of_one_before_the_session_has_a_name_of_its_own() -> None:
    numbers = count(1)
    names = TurnNames(lambda: f"ours-{next(numbers)}", {"u-1"})
    assert [names.began("u-1"), names.ended("u-1"), names.of("u-1")] == ["ours-1"] * 3
    names.use({"u-1", "u-2", "u-3"})
    assert names.of("u-2") == names.of("u-2") == "ours-2", "of a turn whose beginning was never told"
    assert [names.began(""), names.of("u-3"), names.began("u-4")] == ["ours-3", "ours-3", "u-4"]
