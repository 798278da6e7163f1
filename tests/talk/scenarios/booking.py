"""Callers who book: in various words, with corrections, digressions and times that are taken or closed."""

from __future__ import annotations

from collections.abc import Mapping

from tests.talk.scenario import Act, Answer, Asked, Ends, Kind, Line, Scenario, StoredAppointment
from tests.talk.scenarios.words import (
    BROWN,
    FRIDAY,
    JOHNSON,
    MILLER,
    MONDAY,
    SMITH,
    THIRD,
    TODAY,
    TOMORROW,
    TUESDAY,
    WILSON,
)

WISH = "I would like to book an appointment, please."


def booked(
    name: str,
    kind: Kind,
    about: str,
    wants: tuple[str, str, str],
    *says: Line,
    answers: Mapping[Asked, tuple[Answer, ...]] | None = None,
    leaves: str = "",
    under: str = "",
    others: tuple[StoredAppointment, ...] = (),
) -> Scenario:
    """A caller who has an appointment in the end.

    wants: day, time and name. says: the plain wish by default. leaves, under: time and name that are stored, if others.
    """
    day, at, called = wants
    stored = sorted([leaves or f"{day} {at}", *(each.at for each in others)])
    return Scenario(
        name=name,
        kind=kind,
        about=about,
        says=says or (Line(WISH, Act.BOOK),),
        wants={"day": day, "at": at, "name": called},
        answers=answers or {},
        ends=Ends(stored=tuple(stored), names=None if others else (under or called,)),
        others=others,
    )


def wish(text: str, **values: str) -> Line:
    return Line(text, Act.BOOK, values)


def no(text: str, **values: str) -> Line:
    return Line(text, Act.NO, values)


def chat(text: str) -> Line:
    return Line(text, Act.CHATS)


def gives(text: str, **values: str) -> Line:
    return Line(text, Act.GIVES, values)


TAKEN = StoredAppointment(at=f"{TOMORROW} 10:30", name="Somebody Else", caller="+4930555077")

_BOOKING = (
    booked("book_plain", Kind.BOOK, "every value is asked for", (TOMORROW, "10:30", SMITH)),
    booked(
        "book_all_at_once",
        Kind.BOOK,
        "everything in one sentence",
        (FRIDAY, "11:00", MILLER),
        wish(
            "Hello, my name is Anna Miller, and I need an appointment on Friday at eleven o'clock.",
            day=FRIDAY,
            at="11:00",
            name=MILLER,
        ),
    ),
    booked(
        "book_day_and_time",
        Kind.BOOK,
        "day and time with the wish",
        (TOMORROW, "14:30", BROWN),
        wish("Can I have an appointment tomorrow at half past two in the afternoon?", day=TOMORROW, at="14:30"),
    ),
    booked(
        "book_day_after_tomorrow",
        Kind.BOOK,
        "the day after tomorrow",
        (FRIDAY, "09:30", JOHNSON),
        wish("I'd like to make an appointment for the day after tomorrow at nine thirty.", day=FRIDAY, at="09:30"),
    ),
    booked(
        "book_by_date",
        Kind.BOOK,
        "the day by its date",
        (THIRD, "14:15", SMITH),
        wish("Please book me an appointment on the third of December at quarter past two.", day=THIRD, at="14:15"),
    ),
    booked(
        "book_noon",
        Kind.BOOK,
        "at noon",
        (TUESDAY, "12:00", WILSON),
        wish("Book an appointment for Tuesday at noon, please.", day=TUESDAY, at="12:00"),
    ),
    booked(
        "book_today",
        Kind.BOOK,
        "for the same day",
        (TODAY, "15:00", BROWN),
        wish("I need an appointment today at three o'clock.", day=TODAY, at="15:00"),
    ),
    booked(
        "book_chatty",
        Kind.BOOK,
        "the wish comes after a greeting and a reason",
        (MONDAY, "10:00", MILLER),
        wish(
            "Good morning. I hope that you can help me. I have had a headache for days, and I would like to make an"
            " appointment for Monday.",
            day=MONDAY,
        ),
    ),
    booked(
        "book_time_first",
        Kind.BOOK,
        "a time without a day",
        (TOMORROW, "16:45", JOHNSON),
        wish("Could you book me an appointment at quarter to five?", at="16:45"),
    ),
)

_CORRECTIONS = (
    booked(
        "correct_time",
        Kind.CORRECT,
        "another time at the read-back",
        (TOMORROW, "10:30", SMITH),
        answers={Asked.READ_BACK: (no("No, make it half past two, please.", at="14:30"),)},
        leaves=f"{TOMORROW} 14:30",
    ),
    booked(
        "correct_day",
        Kind.CORRECT,
        "another day at the read-back",
        (TOMORROW, "11:00", MILLER),
        answers={Asked.READ_BACK: (no("No, sorry, on Friday.", day=FRIDAY),)},
        leaves=f"{FRIDAY} 11:00",
    ),
    booked(
        "yes_but_at_eleven",
        Kind.CORRECT,
        "a yes that is a correction",
        (TOMORROW, "10:30", BROWN),
        answers={Asked.READ_BACK: (no("Yes, but at eleven.", at="11:00"),)},
        leaves=f"{TOMORROW} 11:00",
    ),
    booked(
        "correct_name",
        Kind.CORRECT,
        "another name at the read-back",
        (TOMORROW, "10:00", SMITH),
        answers={Asked.READ_BACK: (no("No, the name is Peter Brown.", name=BROWN),)},
        under=BROWN,
    ),
    booked(
        "no_and_then_what",
        Kind.CORRECT,
        "a plain no, and then the time that is to be changed",
        (TOMORROW, "10:30", SMITH),
        answers={
            Asked.READ_BACK: (no("No, that does not suit me."),),
            Asked.CHANGE: (gives("Eleven o'clock, please.", at="11:00"),),
        },
        leaves=f"{TOMORROW} 11:00",
    ),
    booked(
        "change_of_mind_twice",
        Kind.CORRECT,
        "two changes of mind at the read-back",
        (TOMORROW, "10:30", WILSON),
        answers={
            Asked.READ_BACK: (
                no("Actually, no. Eleven o'clock would be better.", at="11:00"),
                no("Hm, no. Make it three in the afternoon.", at="15:00"),
            )
        },
        leaves=f"{TOMORROW} 15:00",
    ),
    booked(
        "correct_before_the_name",
        Kind.CORRECT,
        "the time is taken back when the name is asked for",
        (TOMORROW, "10:30", JOHNSON),
        answers={Asked.NAME: (gives("Sorry, I meant eleven o'clock.", at="11:00"),)},
        leaves=f"{TOMORROW} 11:00",
    ),
    booked(
        "correct_at_once",
        Kind.CORRECT,
        "a correction within one sentence",
        (TOMORROW, "11:00", MILLER),
        wish("I would like an appointment tomorrow at ten, no, sorry, at eleven o'clock.", day=TOMORROW, at="11:00"),
    ),
    Scenario(
        name="give_up_at_the_read_back",
        kind=Kind.CORRECT,
        about="the caller wants no appointment any more",
        says=(Line(WISH, Act.BOOK),),
        wants={"day": TOMORROW, "at": "10:30", "name": SMITH},
        answers={Asked.READ_BACK: (Line("No, forget about it. I don't want it any more.", Act.GIVE_UP),)},
        ends=Ends(),
    ),
    Scenario(
        name="give_up_half_way",
        kind=Kind.CORRECT,
        about="the caller gives it up when the time is asked for",
        says=(Line(WISH, Act.BOOK),),
        wants={"day": TOMORROW, "name": SMITH},
        answers={Asked.AT: (Line("Oh, never mind. Forget it.", Act.GIVE_UP),)},
        ends=Ends(),
    ),
)

_DIGRESSIONS = (
    booked(
        "asks_for_the_hours",
        Kind.DIGRESS,
        "the opening hours before a time",
        (TOMORROW, "10:30", SMITH),
        answers={Asked.AT: (chat("When are you open?"),)},
    ),
    booked(
        "asks_for_the_address",
        Kind.DIGRESS,
        "the address before a day",
        (FRIDAY, "14:00", BROWN),
        answers={Asked.DAY: (chat("Before that, where are you located?"),)},
    ),
    booked(
        "asks_for_the_price",
        Kind.DIGRESS,
        "a question in place of a yes",
        (TOMORROW, "09:30", MILLER),
        answers={Asked.READ_BACK: (chat("What does it cost?"),)},
    ),
    booked(
        "asks_to_repeat",
        Kind.DIGRESS,
        "the read-back once more",
        (MONDAY, "15:00", WILSON),
        answers={Asked.READ_BACK: (chat("Sorry, could you repeat that?"),)},
    ),
    booked(
        "hold_on",
        Kind.DIGRESS,
        "the caller has to look at a calendar",
        (THIRD, "11:30", JOHNSON),
        answers={Asked.AT: (chat("Hold on a second, please."),)},
    ),
    booked(
        "asks_before_the_wish",
        Kind.DIGRESS,
        "a question before anything else",
        (TOMORROW, "11:00", SMITH),
        chat("Hello. What are your opening hours?"),
        Line(WISH, Act.BOOK),
    ),
)

_REFUSED = (
    booked(
        "too_late_in_the_day",
        Kind.REFUSED,
        "a time outside the opening hours",
        (TOMORROW, "10:30", SMITH),
        answers={
            Asked.AT: (gives("At eight in the evening.", at="20:00"), gives("Then at half past ten.", at="10:30"))
        },
    ),
    booked(
        "taken",
        Kind.REFUSED,
        "the time is another caller's",
        (TOMORROW, "10:30", BROWN),
        answers={Asked.AT: (gives("At half past ten.", at="10:30"), gives("Then at eleven o'clock.", at="11:00"))},
        others=(TAKEN,),
        leaves=f"{TOMORROW} 11:00",
    ),
    booked(
        "between_the_quarters",
        Kind.REFUSED,
        "a time at which no appointment begins",
        (TOMORROW, "10:30", MILLER),
        answers={Asked.AT: (gives("At ten past ten.", at="10:10"), gives("Half past ten, then.", at="10:30"))},
    ),
    booked(
        "already_past",
        Kind.REFUSED,
        "a time of today that is over",
        (TODAY, "15:00", WILSON),
        answers={
            Asked.AT: (gives("At nine in the morning.", at="09:00"), gives("At three in the afternoon.", at="15:00"))
        },
    ),
    booked(
        "two_refusals",
        Kind.REFUSED,
        "outside the hours, then taken, then free",
        (TOMORROW, "10:30", JOHNSON),
        answers={
            Asked.AT: (
                gives("At seven in the evening.", at="19:00"),
                gives("At half past ten.", at="10:30"),
                gives("At eleven o'clock.", at="11:00"),
            )
        },
        others=(TAKEN,),
        leaves=f"{TOMORROW} 11:00",
    ),
)

SCENARIOS = (*_BOOKING, *_CORRECTIONS, *_DIGRESSIONS, *_REFUSED)
