"""Which activities came before."""

from __future__ import annotations

import pytest

from actors.vaic.seen import MOST_REMEMBERED, SeenActivities
from protocols.limits import NAME_CHARS
from protocols.vaic import Activity


def key(value: str, id_: str = "a-1", timestamp: str = "") -> Activity:
    return Activity(type="event", name="DTMF", value=value, id=id_, timestamp=timestamp)


def test_what_is_told_twice_came_before() -> None:
    seen = SeenActivities()
    assert [seen.again(key("4")) for _ in range(3)] == [False, True, True]


@pytest.mark.parametrize("other", [key("5"), key("4", timestamp="later"), key("4", "a-2")])
def test_another_activity_did_not_whatever_its_id(other: Activity) -> None:
    seen = SeenActivities()
    assert not seen.again(key("4"))
    assert not seen.again(other)


@pytest.mark.parametrize("id_", ["", "a" * (NAME_CHARS + 1)])
def test_one_that_has_no_id_of_use_is_never_the_same(id_: str) -> None:
    seen = SeenActivities()
    assert not any(seen.again(key("4", id_)) for _ in range(2))


def test_of_an_earlier_socket_the_id_is_enough() -> None:
    assert SeenActivities(["a-1"]).again(key("4"))


def test_the_newest_are_remembered() -> None:
    seen = SeenActivities()
    for each in range(MOST_REMEMBERED + 1):
        seen.again(key("4", f"a-{each}"))
    assert seen.again(key("4", f"a-{MOST_REMEMBERED}"))
    assert seen.again(key("4", "a-1"))
    assert not seen.again(key("4", "a-0"))
