"""What days and times English words name, and what they answer: a table of examples."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.english import English

ENGLISH = English()
MONDAY = date(2026, 11, 23)


def nov(*days: int) -> set[date]:
    return {date(2026, 11, day) for day in days}


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Thursday 26 November at 10:30.", [nov(26)]),
        ("Thursday, November 26th, 2026 at 10:30 AM", [nov(26)]),
        ("Thursday the twenty-sixth of November", [nov(26)]),
        ("November twenty sixth, ten thirty", [nov(26)]),
        ("the 26th at ten thirty", [nov(26)]),
        ("Thursday the 26th", [nov(26)]),
        ("2026-11-26", [nov(26)]),
        ("26 November twenty twenty-six at noon", [nov(26)]),
        ("today", [nov(23)]),
        ("tonight at eight", [nov(23)]),
        ("this afternoon", [nov(23)]),
        ("tomorrow, half past ten", [nov(24)]),
        ("tomorrow, Tuesday the 24th", [nov(24)]),
        ("the day after tomorrow", [nov(25)]),
        ("in two days", [nov(25)]),
        ("a week from tomorrow", [{date(2026, 12, 1)}]),
        ("Maybe a week from tomorrow", [{date(2026, 12, 1)}]),
        ("tomorrow week", [{date(2026, 12, 1)}]),
        ("on Thursday", [nov(26)]),
        ("on Monday", [nov(23, 30)]),
        ("next Thursday", [nov(26) | {date(2026, 12, 3)}]),
        ("Thursday next week", [{date(2026, 12, 3)}]),
        ("the first of December", [{date(2026, 12, 1)}]),
        ("the 5th", [{date(2026, 12, 5)}]),
        ("the 31st", [{date(2026, 12, 31)}]),
        ("from Tuesday 24 November to Thursday 26 November", [nov(24), nov(26)]),
        ("Thursday or Friday", [nov(26), nov(27)]),
        ("Friday 26 November", [{date(2027, 11, 26)}]),  # it is a Thursday
        ("not today tomorrow", [nov(23), nov(24)]),
        ("not tomorrow week tomorrow", [{date(2026, 12, 1)}, nov(24)]),
        ("tomorrow, Friday", [set()]),  # it is a Tuesday
        ("at ten November twenty sixth", [nov(26)]),
        ("24 November 1900", [{date(1900, 11, 24)}]),
        ("24 November 1899", [nov(24)]),
        ("24 November 2199", [{date(2199, 11, 24)}]),
        ("24 November 2200", [nov(24)]),
        ("the second appointment", []),
        ("you may come at ten", []),
        ("in the 2 rooms", []),
        ("", []),
    ],
)
def test_days_that_are_named(text: str, days: list[set[date]]) -> None:
    assert ENGLISH.dates(text, MONDAY) == days
    for before in ("please", "well please", "oh well please", "oh well yes please"):
        assert ENGLISH.dates(f"{before} {text} please {text} please", MONDAY) == 2 * days, "wherever it stands"


def both(hour: int, minute: int = 0) -> set[time]:
    return {time(hour, minute), time(hour + 12, minute)}


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("Thursday 26 November at 10:30. Shall I book it?", [both(10, 30)]),
        ("at 9:00", [both(9)]),
        ("at 16:45", [{time(16, 45)}]),
        ("at ten thirty", [both(10, 30)]),
        ("tomorrow, half past ten", [both(10, 30)]),
        ("at half ten", [both(10, 30)]),
        ("quarter to eleven in the morning", [{time(10, 45)}]),
        ("a quarter past four in the afternoon", [{time(16, 15)}]),
        ("ten minutes past nine", [both(9, 10)]),
        ("ten oh five", [both(10, 5)]),
        ("ten fifty nine", [both(10, 59)]),
        ("at 10:75", []),
        ("at 10:61", []),
        ("4:45 p.m.", [{time(16, 45)}]),
        ("4.45pm", [{time(16, 45)}]),
        ("four forty-five pm", [{time(16, 45)}]),
        ("ten o'clock", [both(10)]),
        ("tomorrow at ten", [both(10)]),
        ("tomorrow morning at ten", [{time(10)}]),
        ("tomorrow ten, please", [both(10)]),
        ("the 26th, ten thirty", [both(10, 30)]),
        ("November 26 at 10", [both(10)]),
        ("at noon", [{time(12)}]),
        ("twelve noon", [{time(12)}]),
        ("midnight", [{time(0)}]),
        ("not midnight noon", [{time(0)}, {time(12)}]),
        ("at 1030", [both(10, 30)]),
        ("my code is 1030", []),
        ("my number ten", []),
        ("at 1060", []),
        ("not ten oh five nine oh five", [both(10, 5), both(9, 5)]),
        ("in the evening, at ten", [{time(22)}]),
        ("not 4 pm 5 pm", [{time(16)}, {time(17)}]),
        ("at 2330", [{time(23, 30)}]),
        ("at 2430", []),
        ("at 24:00", [{time(0)}]),
        ("at 0:30", [{time(0, 30)}]),
        ("sixty minutes past nine", []),
        ("a quarter past thirty", []),
        ("a quarter to the fifth", []),
        ("quarter to fifth", []),
        ("at 13:30", [{time(13, 30)}]),
        ("at 12:30", [both(0, 30)]),
        ("morning or evening, at ten", [both(10)]),
        ("Good morning, at 16:00", [{time(16)}]),
        ("We are open from nine to five.", []),
        ("We are open from 9:00 until 17:00, so at ten?", [both(10)]),
        ("from 10:30 to 11:00", [both(10, 30), both(11)]),
        ("at ten of your offices", []),
        ("for two people", []),
        ("Thursday 26 November", []),
        ("three small ones", []),
    ],
)
def test_times_that_are_named(text: str, times: list[set[time]]) -> None:
    assert ENGLISH.times(text, MONDAY) == times
    for before in ("please", "well please", "oh well please", "oh well yes please"):
        assert ENGLISH.times(f"{before} {text} please {text} please", MONDAY) == 2 * times, "wherever it stands"


def test_numbers_in_words_are_numbers_in_digits() -> None:
    tens = "ten twenty thirty forty fifty sixty seventy eighty ninety"
    assert ENGLISH.words(tens) == tuple(str(number) for number in range(10, 100, 10))
    teens = "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    assert ENGLISH.words(teens) == tuple(str(number) for number in range(11, 20))
    units = "zero one two three four five six seven eight nine"
    assert ENGLISH.words(units) == tuple(str(number) for number in range(10))


PIECES = [
    "the", "26th", "at", "ten", "to", "past", "half", "10", ":", ".", "tomorrow", "next", "thursday", "november",
    "may", "of", "in", "a", "week", "from", "day", "after", "oh", "99999", "31", "february", "am", "noon",
]  # fmt: skip


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_any_text_can_be_read(text: str) -> None:
    for each in ENGLISH.sentences(text):
        assert all(isinstance(one, frozenset) for one in ENGLISH.dates(each, MONDAY) + ENGLISH.times(each, MONDAY))
    ENGLISH.agrees(ENGLISH.read(text, MONDAY, ("26", "half past")).rest, "shall i book it ?")
    ENGLISH.wordless(text)
    ENGLISH.words(text)
