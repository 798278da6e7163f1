"""Callers who have an appointment already: they move it, cancel it, or keep it; and callers who want a human."""

from __future__ import annotations

from tests.talk.scenario import BILLING, RECEPTION, Act, Asked, End, Ends, Kind, Line, Scenario, StoredAppointment
from tests.talk.scenarios.booking import WISH, gives, no
from tests.talk.scenarios.words import FRIDAY, MILLER, MONDAY, SMITH, TOMORROW

MINE, MINE_TOO = StoredAppointment(at=f"{TOMORROW} 10:30"), StoredAppointment(at=f"{FRIDAY} 14:00")
TAKEN = StoredAppointment(at=f"{MONDAY} 11:00", name="Somebody Else", caller="+4930555077")
MOVE = Line("I would like to move my appointment, please.", Act.MOVE)
CANCEL = Line("I would like to cancel my appointment, please.", Act.CANCEL)
AT_TOMORROW, AT_FRIDAY = f"{TOMORROW} 10:30", f"{FRIDAY} 14:00"

_MOVING = (
    Scenario(
        name="move_plain",
        kind=Kind.MOVE,
        about="every value is asked for",
        says=(MOVE,),
        wants={"name": SMITH, "day": MONDAY, "at": "11:00"},
        others=(MINE,),
        ends=Ends(stored=(f"{MONDAY} 11:00",)),
    ),
    Scenario(
        name="move_at_once",
        kind=Kind.MOVE,
        about="the new day and time with the wish",
        says=(
            Line("Can you move my appointment to Monday at eleven o'clock?", Act.MOVE, {"day": MONDAY, "at": "11:00"}),
        ),
        wants={"name": SMITH, "day": MONDAY, "at": "11:00"},
        others=(MINE,),
        ends=Ends(stored=(f"{MONDAY} 11:00",)),
    ),
    Scenario(
        name="move_one_of_two",
        kind=Kind.MOVE,
        about="there are two, and the one on Friday is meant",
        says=(MOVE,),
        wants={"name": SMITH, "which": FRIDAY, "day": MONDAY, "at": "15:00"},
        others=(MINE, MINE_TOO),
        ends=Ends(stored=(AT_TOMORROW, f"{MONDAY} 15:00")),
    ),
    Scenario(
        name="move_to_a_taken_time",
        kind=Kind.MOVE,
        about="the new time is another caller's",
        says=(Line("I need to reschedule my appointment.", Act.MOVE),),
        wants={"name": SMITH, "day": MONDAY, "at": "11:00"},
        answers={Asked.AT: (gives("At eleven o'clock.", at="11:00"), gives("Then at half past eleven.", at="11:30"))},
        others=(MINE, TAKEN),
        ends=Ends(stored=(f"{MONDAY} 11:00", f"{MONDAY} 11:30")),
    ),
    Scenario(
        name="move_and_leave_it",
        kind=Kind.MOVE,
        about="at the read-back the appointment is to stay where it is",
        says=(MOVE,),
        wants={"name": SMITH, "day": MONDAY, "at": "11:00"},
        answers={Asked.READ_BACK: (Line("No, forget it. Leave it as it is.", Act.GIVE_UP),)},
        others=(MINE,),
        ends=Ends(stored=(AT_TOMORROW,)),
    ),
    Scenario(
        name="move_with_a_correction",
        kind=Kind.MOVE,
        about="another time at the read-back",
        says=(MOVE,),
        wants={"name": SMITH, "day": MONDAY, "at": "11:00"},
        answers={Asked.READ_BACK: (no("No, at half past two, please.", at="14:30"),)},
        others=(MINE,),
        ends=Ends(stored=(f"{MONDAY} 14:30",)),
    ),
)

_CANCELLING = (
    Scenario(
        name="cancel_plain",
        kind=Kind.CANCEL,
        about="the only one there is",
        says=(CANCEL,),
        wants={"name": SMITH},
        others=(MINE,),
        ends=Ends(),
    ),
    Scenario(
        name="cancel_because",
        kind=Kind.CANCEL,
        about="with a reason",
        says=(Line("I'm sorry, I have to work tomorrow. I need to cancel my appointment.", Act.CANCEL),),
        wants={"name": SMITH},
        others=(MINE,),
        ends=Ends(),
    ),
    Scenario(
        name="cancel_one_of_two",
        kind=Kind.CANCEL,
        about="there are two, and the one tomorrow is meant",
        says=(CANCEL,),
        wants={"name": SMITH, "which": TOMORROW},
        others=(MINE, MINE_TOO),
        ends=Ends(stored=(AT_FRIDAY,)),
    ),
    Scenario(
        name="cancel_the_other_one",
        kind=Kind.CANCEL,
        about="at the read-back the caller means the one on Friday",
        says=(CANCEL,),
        wants={"name": SMITH},
        answers={
            Asked.WHICH: (gives("Tomorrow.", which=TOMORROW), gives("On Friday.", which=FRIDAY)),
            Asked.READ_BACK: (no("No, the one on Friday.", which=FRIDAY),),
        },
        others=(MINE, MINE_TOO),
        ends=Ends(stored=(AT_TOMORROW,)),
    ),
    Scenario(
        name="keep_it",
        kind=Kind.CANCEL,
        about="the caller keeps the appointment after all",
        says=(CANCEL,),
        wants={"name": SMITH},
        answers={Asked.READ_BACK: (Line("No, don't cancel it. I will keep it.", Act.GIVE_UP),)},
        others=(MINE,),
        ends=Ends(stored=(AT_TOMORROW,)),
    ),
    Scenario(
        name="cancel_under_a_wrong_name",
        kind=Kind.CANCEL,
        about="the first name does not fit, the second does",
        says=(CANCEL,),
        wants={"name": SMITH},
        answers={Asked.NAME: (gives("Anna Miller.", name=MILLER), gives("It may be John Smith.", name=SMITH))},
        others=(MINE,),
        ends=Ends(),
    ),
    Scenario(
        name="cancel_and_book",
        kind=Kind.CANCEL,
        about="one is cancelled, and then another one booked",
        says=(CANCEL, Line(WISH, Act.BOOK)),
        wants={"name": SMITH, "day": MONDAY, "at": "10:00"},
        answers={Asked.READ_BACK: (Line("Yes, please.", Act.YES),)},
        others=(MINE,),
        ends=Ends(stored=(f"{MONDAY} 10:00",)),
    ),
)

_TRANSFERRED = (End.TRANSFERRED,)
_HUMANS = (
    Scenario(
        name="human_at_once",
        kind=Kind.HUMAN,
        about="a human, and nothing else",
        says=(Line("I want to speak to a human, please.", Act.HUMAN),),
        wants={"to": "reception"},
        ends=Ends(end=_TRANSFERRED, to=RECEPTION),
    ),
    Scenario(
        name="human_by_name",
        kind=Kind.HUMAN,
        about="whom they want is said with the wish",
        says=(Line("Could you put me through to billing, please?", Act.HUMAN, {"to": "billing"}),),
        wants={"to": "billing"},
        ends=Ends(end=_TRANSFERRED, to=BILLING),
    ),
    Scenario(
        name="human_while_booking",
        kind=Kind.HUMAN,
        about="a human in place of a time",
        says=(Line(WISH, Act.BOOK),),
        wants={"day": TOMORROW, "to": "reception"},
        answers={Asked.AT: (Line("I would rather talk to a real person.", Act.HUMAN),)},
        ends=Ends(end=_TRANSFERRED, to=RECEPTION),
    ),
    Scenario(
        name="human_at_the_read_back",
        kind=Kind.HUMAN,
        about="a human in place of a yes",
        says=(Line(WISH, Act.BOOK),),
        wants={"day": TOMORROW, "at": "10:30", "name": SMITH, "to": "reception"},
        answers={
            Asked.READ_BACK: (Line("Can I speak to somebody, please?", Act.HUMAN),),
        },
        ends=Ends(end=_TRANSFERRED, to=RECEPTION),
    ),
    Scenario(
        name="human_and_then_not",
        kind=Kind.HUMAN,
        about="the caller thinks better of it when asked whom",
        says=(Line("I want to speak to somebody.", Act.HUMAN),),
        answers={Asked.WHOM: (Line("Oh, never mind. Forget it.", Act.GIVE_UP),)},
        ends=Ends(),
    ),
)

SCENARIOS = (*_MOVING, *_CANCELLING, *_HUMANS)
