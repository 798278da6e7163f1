"""Whether words say what is to be done: every value in its order, and nothing else in its place."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.book_appointment import WHEN
from appointments.reschedule_appointment import RESCHEDULE_APPOINTMENT
from fsm import locales
from fsm.consent import Readback, Reply, Spoken, readback_of, reply, states
from fsm.english import English
from fsm.spec import Confirm

ENGLISH = English()


MONDAY = date(2026, 11, 23)


DAYS = st.dates(MONDAY, MONDAY + timedelta(days=365))


TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@given(day=DAYS, at=TIMES, other_day=DAYS, other_at=TIMES)
def test_a_tasks_own_sentence_states_its_own_values_and_no_others(
    day: date, at: time, other_day: date, other_at: time
) -> None:
    template = f"{WHEN}. Shall I book it?"
    readback = readback_of(template, {"day": day, "at": at}, (1,), {})
    assert states(readback, [Spoken(template.format(day=day, at=at), heard=True, today=MONDAY)], ENGLISH)
    assert not states(readback, [Spoken(template.format(day=day, at=at), heard=False, today=MONDAY)], ENGLISH)
    if other_day != day:
        assert not states(readback, [Spoken(template.format(day=other_day, at=at), heard=True, today=MONDAY)], ENGLISH)
    twelve_hours = {at.hour % 12 * 60 + at.minute, other_at.hour % 12 * 60 + other_at.minute}
    if len(twelve_hours) == 2:
        assert not states(readback, [Spoken(template.format(day=day, at=other_at), heard=True, today=MONDAY)], ENGLISH)


def test_phrases_are_said_as_the_tasks_formatter_writes_them_in_digits_or_words() -> None:
    readback = readback_of(
        "{count} {size}, {note}. Right?", {"count": 3, "size": "small", "note": "no olives"}, (1,), {}
    )
    for said in (
        "3 small, no olives. Right?",
        "So that's three small, no olives. Is that right?",
        "No olives, small, three?",
    ):
        assert states(readback, [Spoken(said, heard=True, today=MONDAY)], ENGLISH)
    for said in (
        "2 small, no olives. Right?",
        "Three small, right?",
        "Three large, no olives?",
        "Three small with no olives, right?",
    ):
        assert not states(readback, [Spoken(said, heard=True, today=MONDAY)], ENGLISH)


def test_a_sentence_may_hold_braces() -> None:
    readback = readback_of("Size {{S}}: {count}, {note}?", {"count": 3, "note": "none"}, (1,), {})
    assert (readback.sentence, readback.phrases) == ("Size {S}: 3, none?", ("3", "none"))


def test_a_yes_may_name_the_values_and_no_others() -> None:
    readback = readback_of(WHEN, {"day": date(2026, 11, 26), "at": time(10, 30)}, (1,), {})
    for words in ("at eleven", "Friday", "tomorrow", "quarter past ten", "for two people"):
        assert reply(readback, f"Yes, {words}.", MONDAY, ENGLISH) is Reply.OTHER
    for words in ("half past ten", "Thursday", "in three days, ten thirty"):
        assert reply(readback, f"Yes, {words}.", MONDAY, ENGLISH) is Reply.YES
    nothing = readback_of("Right?", {}, (1,), {})
    assert reply(nothing, "Yes, at eleven on Friday.", MONDAY, ENGLISH) is Reply.OTHER


def test_tomorrow_is_counted_from_the_day_on_which_it_is_said() -> None:
    readback = readback_of(WHEN + ". Right?", {"day": date(2026, 11, 24), "at": time(10)}, (1,), {})
    for today, right in ((MONDAY, True), (MONDAY + timedelta(days=1), False)):
        said = Spoken("Tomorrow at ten. Is that right?", heard=True, today=today)
        assert states(readback, [said], ENGLISH) is right
        assert (reply(readback, "Yes, tomorrow.", today, ENGLISH) is Reply.YES) is right


def test_from_and_to_are_not_taken_for_each_other() -> None:
    confirm = RESCHEDULE_APPOINTMENT.states["Confirm"]
    assert isinstance(confirm, Confirm)
    old, new = {"was_day": date(2026, 11, 24), "was_at": time(10, 30)}, {"day": date(2026, 11, 26), "at": time(11)}
    readback = readback_of(confirm.template, {**old, **new}, (1,), {}, locales.ENGLISH.formatter)
    assert readback.dates == (date(2026, 11, 24), date(2026, 11, 26))
    said = locales.ENGLISH.say(confirm.template, **old, **new)
    swapped = locales.ENGLISH.say(
        confirm.template, was_day=new["day"], was_at=new["at"], day=old["was_day"], at=old["was_at"]
    )
    assert states(readback, [Spoken(said, heard=True, today=MONDAY)], ENGLISH)
    assert not states(readback, [Spoken(swapped, heard=True, today=MONDAY)], ENGLISH)


def test_an_answer_that_takes_half_a_minute_is_no_yes_and_no_noise() -> None:
    readback = Readback((0,), {}, "It is Thursday. Shall I book it?")
    today, english = date(2026, 11, 25), English()
    assert reply(readback, "yes " * 100, today, english) is Reply.YES
    assert reply(readback, "yes " * 150, today, english) is Reply.OTHER
    assert reply(readback, "uh " * 400, today, english) is Reply.OTHER
    assert not english.wordless("no " + "uh " * 400)
    assert not english.parting("no " + "thanks " * 400)


def test_a_read_back_is_found_at_the_end_of_an_endless_turn_and_one_without_end_is_none() -> None:
    today, english = date(2026, 11, 25), English()
    sentence = "It is Thursday. Shall I book it?"
    said = [Spoken("And so on. " * 5000 + sentence, heard=True, today=today)]
    assert states(Readback((0,), {}, sentence), said, english)
    endless = "Shall I " + "very " * 300 + "book it?"
    assert not states(Readback((0,), {}, endless), [Spoken(endless, heard=True, today=today)], english)


@pytest.mark.parametrize(
    ("value", "said"), [("SW1A 1AA", "SW2A 3AA"), ("1012AB", "9999AB"), ("0012", "0 12"), ("007", "7")]
)
def test_letters_and_zeros_beside_digits_count(value: str, said: str) -> None:
    readback = readback_of("{code}. Is that right?", {"code": value}, (1,), {})
    for words, agreed in ((value, True), (said, False)):
        spoken = Spoken(f"{words}. Is that right?", heard=True, today=date(2026, 11, 23))
        assert states(readback, [spoken], English()) is agreed
