"""What days and times English words name, and what they answer: a table of examples."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.english import English
from tests.fsm.examples import both, nov

ENGLISH = English()
MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Thursday 26 November at 10:30.", [nov(26)]),
        ("Thursday, November 26th, 2026 at 10:30 AM", [nov(26)]),
        ("Thursday the twenty-sixth of November", [nov(26)]),
        ("November twenty sixth, ten thirty", [nov(26)]),
        ("November 26 2027", [{date(2027, 11, 26)}]),
        ("the 26th at ten thirty", [nov(26)]),
        ("Thursday the 26th", [nov(26)]),
        ("Tuesday 1st", [{date(2026, 12, 1)}]),
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
        ("24 November 2500", [nov(24)]),
        ("26 November twenty twenty-seven", [{date(2027, 11, 26)}]),
        ("26 November twenty twenty-eight", [nov(26)]),  # rather 20:28
        ("29 February", [{date(2028, 2, 29)}]),
        ("31 February", [{date.min}]),
        ("in a day", [nov(24)]),
        ("in three days' time", [nov(26)]),
        ("in a week", [nov(30)]),
        ("in 2 weeks", [{date(2026, 12, 7)}]),
        ("in a fortnight", [{date(2026, 12, 7)}]),
        ("two weeks from today", [{date(2026, 12, 7)}]),
        ("a week from now", [nov(30)]),
        ("in 400 days", [{date(2027, 12, 28)}]),
        ("in 401 days", []),
        ("this Thursday", [nov(26)]),
        ("coming Thursday", [nov(26)]),
        ("Thursday week", [{date(2026, 12, 3)}]),
        ("last Thursday", []),
        ("every Thursday", []),
        ("Thursday last week", []),
        ("Thursday of last week", []),
        ("last week on Thursday", []),
        ("last week Thursday", []),
        ("at last, Thursday", [nov(26)]),
        ("Thursday 24", [nov(26)]),  # rather midnight
        ("Thursday 25", [{date(2027, 2, 25)}]),
        ("Thursday 25 people", [nov(26)]),
        ("Thursday 31", [{date(2026, 12, 31)}]),
        ("Thursday the 32nd", [nov(26)]),
        ("the 32nd", []),
        ("the 5th floor", []),
        ("the 5th 10:30", [{date(2026, 12, 5)}]),
        ("the 5th ten", [{date(2026, 12, 5)}]),
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


def test_every_day_of_a_month_is_read_in_words() -> None:
    words = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
        fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third
        twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first"""
    days = [ENGLISH.dates(f"on the {word} of December", MONDAY) for word in words.split()]
    assert days == [[{date(2026, 12, day)}] for day in range(1, 32)]


@pytest.mark.parametrize(
    "text",
    [
        "on Thursday 26th", "on Thursday the 26th", "on the 26th of November", "on Thursday week",
        "on Thursday next week", "on November 26 2027",
    ],
)  # fmt: skip
def test_a_day_is_read_to_its_last_word_and_from_its_first(text: str) -> None:
    assert ENGLISH.read(text, MONDAY, ()).rest == "on #"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("on Wednesday", nov(25) | {date(2026, 12, 2)}),
        ("on Thursday", nov(26)),
        ("on Monday", nov(30)),
        ("next Thursday", nov(26) | {date(2026, 12, 3)}),
        ("next Wednesday", {date(2026, 12, 2)}),
        ("Wednesday week", {date(2026, 12, 2)}),
        ("Thursday next week", {date(2026, 12, 3)}),
        ("Monday next week", nov(30) | {date(2026, 12, 7)}),
    ],
)
def test_days_that_are_named_in_the_middle_of_a_week(text: str, days: set[date]) -> None:
    assert ENGLISH.dates(text, date(2026, 11, 25)) == [days]


def test_a_leap_day_is_found_across_a_century_without_one() -> None:
    assert ENGLISH.dates("29 February", date(2096, 3, 1)) == [{date(2104, 2, 29)}]


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
        ("ten oh one", [both(10, 1)]),
        ("ten oh nine", [both(10, 9)]),
        ("ten oh zero", []),
        ("ten oh ten", []),
        ("ten ten", [both(10, 10)]),
        ("ten nine", []),
        ("ten sixty", []),
        ("at ten 26th", [both(10)]),
        ("at 23 30", [{time(23, 30)}]),
        ("at 24 30", [{time(0)}]),
        ("half twelve", [both(0, 30)]),
        ("half thirteen", []),
        ("one minute past one", [both(1, 1)]),
        ("fifty nine minutes past nine", [both(9, 59)]),
        ("ten minutes before nine", [both(8, 50)]),
        ("quarter to one", [both(0, 45)]),
        ("ten after nine", [both(9, 10)]),
        ("a quarter past twenty four", [{time(0, 15)}]),
        ("a quarter past 25", []),
        ("a quarter past zero", []),
        ("half past noon", [both(0, 30)]),
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
        ("not 4 in the morning 5 in the evening", [{time(4)}, {time(17)}]),
        ("at 2330", [{time(23, 30)}]),
        ("at 2430", []),
        ("at 2359", [{time(23, 59)}]),
        ("at 930", [both(9, 30)]),
        ("at 99", []),
        ("at 12345", []),
        ("12 am", [{time(0)}]),
        ("12 pm", [{time(12)}]),
        ("at 12:59", [both(0, 59)]),
        ("at 13:00", [{time(13)}]),
        ("at 25", []),
        ("at 25:00", []),
        ("at ten this evening", [{time(22)}]),
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
        ("We are open from 8 to 24.", []),
        ("We are open, come at ten to 25 Mill Lane", [both(10)]),
        ("We are open, come at ten to 5th Street", [both(10)]),
        ("We are open, at 10:00 or 11:30?", [both(10), both(11, 30)]),
        ("from 10:30 to 11:00", [both(10, 30), both(11)]),
        ("at ten of your offices", []),
        ("at ten under the name Smith", [both(10)]),
        ("at eleven now", [both(11)]),
        ("at ten people", []),
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
    assert ENGLISH.words("twenty one, thirty nine, ninety ninth") == ("21", "39", "99")
    assert ENGLISH.words("twenty ten, twenty zero, twenty 5") == ("20", "10", "20", "0", "20", "5")


def test_a_long_number_is_a_word_and_keeps_its_zeros() -> None:
    assert ENGLISH.words("012345678") == ("012345678",)
    assert ENGLISH.words("0123456789") == ("0123456789",)


@pytest.mark.parametrize(
    ("text", "phrases", "named", "rest"),
    [
        ("Ada Ada", ["ada"], {"ada"}, "#"),
        ("the Bora Bora Bora hotel", ["bora bora"], {"bora bora"}, "the # bora hotel"),
        ("Ada, not Bob.", ["ada", "bob"], {"ada", "bob"}, "# not #"),
        ("Ada.", ["bob"], set(), "ada"),
        ("Anne, Marie it is?", ["anne marie"], {"anne marie"}, "# it is ?"),
        ("2 small, none.", ["2 small", "2"], {"2 small"}, "# none"),
        ("the 26th for 26 people", ["26"], {"26"}, "the # for # people"),
        ("oh one two three four five six seven eight nine", ["0123456789"], {"0123456789"}, "#"),
        ("tomorrow morning at ten", [], set(), "# at #"),
        ("at ten in the morning please", [], set(), "at # please"),
        ("morning or evening, at ten", [], set(), "morning or evening at #"),
    ],
)
def test_a_text_is_its_values_and_its_other_words(text: str, phrases: list[str], named: set[str], rest: str) -> None:
    reading = ENGLISH.read(text, MONDAY, phrases)
    assert (set(reading.phrases), reading.rest) == (named, rest)


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


@pytest.mark.parametrize(
    "text",
    ["Thanks, bye!", "Okay, I'll wait.", "Thank you, I'll hold.", "I can stay on the line.", "Same to you.",
     "Sounds good.", "That would be great, thanks a lot.", "Okay, talk to you later."],
)  # fmt: skip
def test_thanks_goodbyes_and_who_waits_ask_for_nothing(text: str) -> None:
    assert ENGLISH.parting(text)


@pytest.mark.parametrize(
    "text",
    ["Wait.", "Hold on.", "No, thank you.", "I can't wait.", "I won't hold.", "I'll wait until Friday.",
     "Okay, but I have a question.", ""],
)  # fmt: skip
def test_what_is_another_wish_is_no_goodbye(text: str) -> None:
    assert not ENGLISH.parting(text)


@pytest.mark.parametrize(
    "text", ["", "Um.", "[coughs]", "Achoo!", "Ahem.", "(sneezes)", "[static]", "[unintelligible]"]
)
def test_hums_and_noises_are_no_words(text: str) -> None:
    assert ENGLISH.wordless(text)
