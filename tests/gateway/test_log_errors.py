"""What the log tells of an exception: its kinds and its frames, and none of the words that it may hold."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from gateway.log_errors import HIDDEN, MAX_CAUSES, MAX_FRAMES, error_frames, error_text
from protocols.errors import TransportLost

WORDS = "xylophone"


def raised(crash: object) -> BaseException:
    try:
        crash()  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError


def of_a_check() -> None:
    raise ValueError(f"{WORDS} is no name")


def of_the_database() -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text("SELECT :name FROM nothing"), {"name": WORDS})


def of_a_cause() -> None:
    try:
        of_a_check()
    except ValueError as error:
        raise KeyError(WORDS) from error


def of_an_attribute() -> None:
    None.title  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("crash", "told"),
    [
        (of_a_check, f"ValueError: {HIDDEN}"),
        (of_the_database, "OperationalError: SQLITE_ERROR"),
        (of_a_cause, f"KeyError: {HIDDEN} from ValueError: {HIDDEN}"),
        (of_an_attribute, "AttributeError: title"),
        (lambda: Path(f"/{WORDS}").read_text(), "FileNotFoundError: No such file or directory"),
        (lambda: json.loads(WORDS), f"JSONDecodeError: {HIDDEN}"),
    ],
)
def test_of_an_errors_text_only_what_cannot_be_a_callers_words_is_told(crash: object, told: str) -> None:
    error = raised(crash)
    assert error_text(error, frank=False).removesuffix(" from OperationalError: SQLITE_ERROR") == told
    assert WORDS not in error_text(error, frank=False)


def test_the_text_of_a_peers_error_is_logged_and_every_text_at_debug() -> None:
    assert error_text(TransportLost(1006, "gone"), frank=False) == "TransportLost: 1006 gone"
    assert error_text(raised(of_a_check), frank=True) == f"ValueError: {WORDS} is no name"
    assert error_text(ValueError(), frank=False) == "ValueError"


def test_the_frames_of_our_own_code_come_first_the_innermost_before_its_callers() -> None:
    error = raised(of_the_database)
    assert isinstance(error, OperationalError)
    assert isinstance(error.orig, sqlite3.OperationalError)
    first, second, *others = error_frames(error)
    assert [first.split(" ")[1], second.split(" ")[1]] == ["of_the_database", "raised"]
    assert first.startswith("tests/gateway/test_log_errors.py:")
    assert others[0].startswith("sqlalchemy/engine/default.py:")


def test_a_recursion_or_a_ring_of_causes_ends() -> None:
    def again(depth: int) -> None:
        if depth:
            again(depth - 1)
        raise ValueError

    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert error_text(one, frank=True) == "ValueError: one from ValueError: two"
    deep = raised(lambda: again(200))
    assert len(error_frames(deep)) <= MAX_FRAMES
    chain = ValueError(0)
    for number in range(1, 20):
        following = ValueError(number)
        following.__cause__ = chain
        chain = following
    assert error_text(chain, frank=True).count(" from ") == MAX_CAUSES - 1
