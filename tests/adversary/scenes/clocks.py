"""More of times and effects: the night when the clocks change, undoing that fails, two things at once."""

from __future__ import annotations

from tests.adversary.model import Answer, call, say
from tests.adversary.scene import End, Ends, Fault, Kind, Own, Props, Wrong, scene
from tests.adversary.stage import Stage
from tests.adversary.turns import agreed, over_the_last_words
from tests.adversary.words import (
    AT_TEN,
    BOOKED_WORDS,
    CANCEL,
    CANCEL_YES,
    DESK,
    END,
    FRIDAY,
    HALF_PAST_TEN,
    HAND_OVER,
    MOVE,
    MOVE_YES,
    NAME,
    OPEN,
    TOMORROW,
    WISH,
    YES,
)

BERLIN = {"time_zone": "Europe/Berlin"}


@scene(
    Kind.KEYS, Ends(stored=("2026-10-26 09:00",), heard=("10:00",)), Props(now="2026-10-24T10:00:00", settings=BERLIN)
)
async def booked_past_the_end_of_summer_time(stage: Stage) -> None:
    """Ten o'clock in Berlin on the day after the clocks go back is nine in UTC."""
    await stage.model.turn(WISH, call("book_appointment", {"day": "2026-10-26", "at": "10:00", "name": NAME}))
    await stage.model.turn("Yes.", YES)


@scene(
    Kind.KEYS, Ends(stored=("2027-03-29 08:00",), heard=("10:00",)), Props(now="2027-03-27T10:00:00", settings=BERLIN)
)
async def booked_past_the_beginning_of_summer_time(stage: Stage) -> None:
    """And on the day after they go forward it is eight."""
    await stage.model.turn(WISH, call("book_appointment", {"day": "2027-03-29", "at": "10:00", "name": NAME}))
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, Ends(stored=(AT_TEN,), names=(NAME,), heard=(BOOKED_WORDS,)))
async def asked_what_it_costs_and_thanked(stage: Stage) -> None:
    """ "Yes." "What does it cost?" is answered, "thank you": the question has come after the yes; read back again."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", say("All right."))
    await stage.model.turn("What does it cost?", say("It is free."))
    await stage.model.turn("Thank you.", YES)
    if stage.stored():
        raise Fault("booked by thanks for an answer")
    await stage.model.quiet()
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, Ends(stored=(f"{TOMORROW} 10:30",), unheard=("is cancelled",)), Props(own=(HALF_PAST_TEN,)))
async def thanks_in_place_of_a_yes_to_a_cancellation(stage: Stage) -> None:
    """A cancellation is read back, and the caller says "thank you, bye": nothing is cancelled."""
    await stage.model.turn("What about my appointment tomorrow? John Smith.", CANCEL)
    await stage.model.turn("Thank you.", CANCEL_YES)
    await stage.model.turn("Bye.", CANCEL_YES)


@scene(
    Kind.EFFECTS,
    Ends(stored=(f"{TOMORROW} 10:30",), unheard=("is now on",)),
    Props(own=(HALF_PAST_TEN,), effects={"appointments.move": Wrong.RAISES}, crashes=True),
)
async def move_raises(stage: Stage) -> None:
    """The move raises: the appointment stands where it was, and nobody says that it was moved."""
    await stage.model.turn("Move my appointment from tomorrow to Friday at eleven. John Smith.", MOVE)
    await stage.model.turn("Yes.", MOVE_YES)
    await stage.sleep(4)
    if not stage.effects_done:
        stage.notes.append(str(stage.effects()))


@scene(Kind.EFFECTS, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)),
       Props(effects={"appointments.book": Wrong.SLOW}, own=(Own(at=f"{FRIDAY} 11:00"),)))  # fmt: skip
async def cancels_while_it_books(stage: Stage) -> None:
    """While the booking runs the caller has the Friday one cancelled: both are told."""
    await agreed(stage, settle=False)
    await stage.sleep(1)
    friday = call("cancel_appointment", {"name": NAME, "which": FRIDAY})
    await stage.model.turn("And cancel the Friday one. John Smith.", friday, settle=False)
    await stage.sleep(10)
    await stage.model.quiet()
    await stage.model.turn("Yes.", CANCEL_YES)
    await stage.model.quiet()
    if not stage.model.got(result="removed"):
        await stage.model.turn("Yes, cancel it.", CANCEL_YES)


@scene(Kind.EFFECTS, Ends(stored=()), Props(effects={"appointments.book": Wrong.SLOW}))
async def given_up_while_it_books(stage: Stage) -> None:
    """ "Yes" and, while it books, "no, cancel that": what was booked is told, and cancelled by a yes of its own."""
    await agreed(stage, settle=False)
    await stage.sleep(1)
    await stage.model.turn("No, cancel that!", call("book_appointment_cancel"), settle=False)
    await stage.sleep(8)
    await stage.model.quiet()
    if stage.stored() and "is booked" not in stage.heard():
        raise Fault("booked, and the caller was not told")
    if stage.stored():
        await stage.model.turn("Cancel it. John Smith.", CANCEL)
        await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.STALE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), end=End.HUNG_UP))
async def yes_bye_and_the_end_in_the_next_response(stage: Stage) -> None:
    """ "Yes, bye": the yes, and end_call in the response that should tell what was booked."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes, bye.", YES, settle=False)
    stage.model.script.append(Answer(items=(END,), to_any=True))
    await stage.ended(40)


@scene(Kind.STALE, Ends(stored=(), end=End.TALKING, silence_s=20), Props(settings=DESK))
async def hand_over_nobody_asked_for(stage: Stage) -> None:
    """The model hands over of its own accord; the caller says "no, stay" into it: not transferred."""
    await stage.model.turn("When are you open?", HAND_OVER, settle=False)
    await over_the_last_words(stage, "No, stay with me.", say("All right."), ms=800, after_s=0.5)
    await stage.sleep(8)
