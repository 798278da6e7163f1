"""How callers behave: silent, pressing keys, interrupting, hanging up, spelling, coughing, unsure, two at a time."""

from __future__ import annotations

from collections.abc import Mapping

from tests.talk.scenario import Act, Answer, Asked, Deed, End, Ends, Keys, Kind, Line, Scenario
from tests.talk.scenarios.booking import WISH, booked, chat, gives, no, wish
from tests.talk.scenarios.stored import CANCEL, MINE
from tests.talk.scenarios.words import BROWN, FRIDAY, JOHNSON, MILLER, MONDAY, NEXT_FRIDAY, SMITH, TOMORROW, WILSON

_THIS = {"day": TOMORROW, "at": "10:30", "name": SMITH}
_WISH = Line(WISH, Act.BOOK)
_SILENT = (Deed.NOTHING,)

_SILENCES = (
    booked(
        "silent_at_the_day",
        Kind.SILENCE,
        "nothing is said when the day is asked for, then it is",
        (TOMORROW, "10:30", SMITH),
        answers={Asked.DAY: _SILENT},
    ),
    booked(
        "silent_at_the_read_back",
        Kind.SILENCE,
        "nothing is said to the read-back, then yes",
        (FRIDAY, "14:00", BROWN),
        answers={Asked.READ_BACK: _SILENT},
    ),
    Scenario(
        name="silent_at_the_greeting",
        kind=Kind.SILENCE,
        about="nothing is said until the bot asks whether anybody is there",
        says=_SILENT,
        wants=_THIS,
        answers={Asked.THERE: (wish(WISH),)},
        ends=Ends(stored=(f"{TOMORROW} 10:30",)),
    ),
    Scenario(
        name="silent_for_good",
        kind=Kind.SILENCE,
        about="nobody is there any more when the time is asked for",
        says=(_WISH,),
        wants={"day": TOMORROW},
        answers={Asked.AT: _SILENT * 5, Asked.THERE: _SILENT * 5, Asked.MORE: (_WISH, *_SILENT * 5)},
        ends=Ends(end=(End.HUNG_UP, End.TRANSFERRED)),
    ),
    Scenario(
        name="silent_afterwards",
        kind=Kind.SILENCE,
        about="an appointment is booked, and nothing more is said",
        says=(_WISH, *_SILENT * 5),
        wants=_THIS,
        answers={Asked.THERE: _SILENT * 5},
        ends=Ends(stored=(f"{TOMORROW} 10:30",)),
    ),
)

_KEYS = (
    booked(
        "yes_by_key",
        Kind.KEYS,
        "key 1 for yes",
        (TOMORROW, "10:30", MILLER),
        answers={Asked.READ_BACK: (Keys("1", Act.YES),)},
    ),
    booked(
        "no_by_key",
        Kind.KEYS,
        "key 2 for no, then another time",
        (TOMORROW, "10:30", WILSON),
        answers={
            Asked.READ_BACK: (Keys("2", Act.NO),),
            Asked.CHANGE: (gives("At eleven o'clock.", at="11:00"),),
        },
        leaves=f"{TOMORROW} 11:00",
    ),
    booked(
        "time_by_keys",
        Kind.KEYS,
        "the time with four keys",
        (TOMORROW, "14:30", BROWN),
        answers={Asked.AT: (Keys("1430", Act.GIVES, {"at": "14:30"}),)},
    ),
    booked(
        "day_and_time_by_keys",
        Kind.KEYS,
        "day and time with four keys each",
        (MONDAY, "09:30", JOHNSON),
        answers={
            Asked.DAY: (Keys("3011", Act.GIVES, {"day": MONDAY}),),
            Asked.AT: (Keys("0930", Act.GIVES, {"at": "09:30"}),),
        },
    ),
)


def _interrupting(
    name: str,
    about: str,
    interrupts: Mapping[Asked, Line],
    stored: tuple[str, ...],
    *,
    says: tuple[Answer, ...] = (_WISH,),
    answers: Mapping[Asked, tuple[Answer, ...]] | None = None,
) -> Scenario:
    return Scenario(
        name=name,
        kind=Kind.INTERRUPT,
        about=about,
        says=says,
        wants=_THIS,
        interrupts=interrupts,
        answers=answers or {},
        ends=Ends(stored=stored),
    )


def _hanging_up(
    name: str, about: str, answers: Mapping[Asked, tuple[Answer, ...]], stored: tuple[str, ...] = ()
) -> Scenario:
    return Scenario(
        name=name,
        kind=Kind.INTERRUPT,
        about=about,
        says=(_WISH,),
        wants=_THIS,
        answers=answers,
        ends=Ends(stored=stored, end=(End.CALLER_HUNG_UP,)),
    )


_INTERRUPTIONS = (
    _interrupting(
        "into_the_greeting",
        "the wish is said into the greeting",
        {Asked.MORE: wish("I need an appointment for tomorrow, please.", day=TOMORROW)},
        (f"{TOMORROW} 10:30",),
        says=(),
    ),
    _interrupting(
        "no_into_the_read_back",
        "another time is said into the read-back",
        {Asked.READ_BACK: no("No, wait, at eleven o'clock.", at="11:00")},
        (f"{TOMORROW} 11:00",),
    ),
    _interrupting(
        "yes_into_the_read_back",
        "a yes before the read-back is over must not count; the next one does",
        {Asked.READ_BACK: Line("Yes, yes.", Act.CHATS)},
        (f"{TOMORROW} 10:30",),
    ),
    _interrupting(
        "question_into_the_name",
        "a question while the name is asked for",
        {Asked.NAME: chat("When do you close?")},
        (f"{TOMORROW} 10:30",),
    ),
    _hanging_up("hangs_up_at_the_time", "the caller leaves in mid-task", {Asked.AT: (Deed.HANGS_UP,)}),
    _hanging_up(
        "hangs_up_at_the_read_back", "the caller leaves without an answer", {Asked.READ_BACK: (Deed.HANGS_UP,)}
    ),
    _hanging_up(
        "hangs_up_afterwards",
        "the caller leaves once it is booked",
        {Asked.MORE: (_WISH, Deed.HANGS_UP)},
        (f"{TOMORROW} 10:30",),
    ),
)

_NAMES = (
    booked(
        "name_spelled",
        Kind.NAMES,
        "the name is said and spelled",
        (TOMORROW, "10:30", SMITH),
        answers={Asked.NAME: (gives("John Smith. That is S, M, I, T, H.", name=SMITH),)},
    ),
    booked(
        "name_only_the_last",
        Kind.NAMES,
        "one name only",
        (FRIDAY, "11:00", "Wilson"),
        answers={Asked.NAME: (gives("Wilson.", name="Wilson"),)},
    ),
    booked(
        "name_introduced",
        Kind.NAMES,
        "the caller introduces herself with the wish",
        (TOMORROW, "14:00", JOHNSON),
        wish("This is Mary Johnson. I would like to book an appointment for tomorrow.", day=TOMORROW, name=JOHNSON),
    ),
    booked(
        "name_why",
        Kind.NAMES,
        "the caller asks why, then says it",
        (MONDAY, "10:00", BROWN),
        answers={Asked.NAME: (chat("Why do you need my name?"), gives("Well, it's Peter Brown.", name=BROWN))},
    ),
    booked(
        "name_of_another",
        Kind.NAMES,
        "the appointment is for somebody else",
        (TOMORROW, "15:00", MILLER),
        answers={Asked.NAME: (gives("It's for my wife. Her name is Anna Miller.", name=MILLER),)},
    ),
)

_UNSURE = (
    booked(
        "not_sure_of_the_time",
        Kind.UNSURE,
        "no idea at first, then a time",
        (TOMORROW, "10:30", SMITH),
        answers={Asked.AT: (chat("I am not sure. Let me think."),)},
    ),
    booked(
        "not_sure_at_the_read_back",
        Kind.UNSURE,
        "neither yes nor no, then yes",
        (FRIDAY, "09:30", BROWN),
        answers={Asked.READ_BACK: (chat("Hm, I don't know, maybe."),)},
    ),
    booked(
        "next_friday",
        Kind.UNSURE,
        "next Friday may be this week's or the one after: what is read back is corrected if it is the wrong one",
        (NEXT_FRIDAY, "10:00", WILSON),
        wish("I would like to book an appointment for next Friday."),
    ),
    booked(
        "two_people",
        Kind.UNSURE,
        "somebody else in the room says the time",
        (TOMORROW, "11:00", MILLER),
        answers={
            Asked.AT: (
                chat("Hold on, I will ask my husband."),
                Line("At eleven o'clock.", Act.GIVES, {"at": "11:00"}, by_other=True),
            )
        },
    ),
    booked(
        "cough_before_the_yes",
        Kind.UNSURE,
        "a cough, and then yes",
        (TOMORROW, "10:30", JOHNSON),
        answers={Asked.READ_BACK: (Line("Yes, please.", Act.YES, coughs=True),)},
    ),
    booked(
        "cough_at_the_read_back",
        Kind.UNSURE,
        "a cough is no answer",
        (TOMORROW, "14:30", SMITH),
        answers={Asked.READ_BACK: (Deed.COUGHS,)},
    ),
    booked(
        "yes_and_goodbye",
        Kind.UNSURE,
        "the yes comes with a goodbye",
        (MONDAY, "11:30", BROWN),
        answers={Asked.READ_BACK: (Line("Yes, please. Thank you very much, goodbye.", Act.YES),)},
    ),
    Scenario(
        name="changes_the_task",
        kind=Kind.UNSURE,
        about="the caller begins to book, and then wants the old appointment cancelled",
        says=(_WISH,),
        wants={"name": SMITH},
        answers={Asked.DAY: (Line("No, wait. I need to cancel my appointment first.", Act.CANCEL),)},
        others=(MINE,),
        ends=Ends(),
    ),
    Scenario(
        name="two_wishes",
        kind=Kind.UNSURE,
        about="after the cancellation the caller wants to know the hours",
        says=(CANCEL, chat("When are you open tomorrow?")),
        wants={"name": SMITH},
        others=(MINE,),
        ends=Ends(),
    ),
    Scenario(
        name="nothing_after_all",
        kind=Kind.UNSURE,
        about="a wrong number",
        says=(Line("Oh, sorry, I have the wrong number. Goodbye.", Act.BYE),),
        ends=Ends(),
    ),
    booked(
        "thinks_aloud",
        Kind.UNSURE,
        "the time is found while it is said",
        (TOMORROW, "11:00", WILSON),
        answers={Asked.AT: (gives("Um, let me see, well, I think eleven o'clock.", at="11:00"),)},
    ),
)

SCENARIOS = (*_SILENCES, *_KEYS, *_INTERRUPTIONS, *_NAMES, *_UNSURE)
