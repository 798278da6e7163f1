"""What the model tells the caller was done, and was not: our next words correct it; what is true is not corrected."""

from __future__ import annotations

from tests.adversary.model import Answer, call, say
from tests.adversary.scene import End, Ends, Fault, Kind, Props, Wrong, scene
from tests.adversary.stage import Stage
from tests.adversary.turns import read_back
from tests.adversary.words import (
    AT_TEN,
    BOOKED_WORDS,
    CANCEL,
    CANCEL_YES,
    DESK,
    END,
    HALF_PAST_TEN,
    HAND_OVER,
    MOVE,
    OPEN,
    TOMORROW,
    WISH,
    YES,
)

LIE = "Great, your appointment for tomorrow at ten is booked. Anything else?"
TAKEN_BACK = "said that wrongly"
CORRECTED = Ends(stored=(), end=End.TALKING, heard=("nothing is booked yet",))
UNTOUCHED = (TAKEN_BACK,)


@scene(
    Kind.CLAIMS,
    Ends(stored=(), end=End.TALKING, heard=(r"nothing is booked yet\. Thursday 26 .*Shall I book it",)),
)
async def lies_booked(stage: Stage) -> None:
    """The model says "is booked" where nothing was: our next words correct it."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes please.", say(LIE))


@scene(Kind.CLAIMS, CORRECTED)
async def lies_booked_without_a_task(stage: Stage) -> None:
    """The model says "is booked", has not even opened a task, and is silent after that."""
    await stage.model.turn(WISH, say("All right, your appointment tomorrow at ten is booked."))


@scene(Kind.CLAIMS, Ends(stored=(AT_TEN,), heard=(TAKEN_BACK, "Shall I book it", BOOKED_WORDS)))
async def all_done_in_place_of_the_read_back(stage: Stage) -> None:
    """The model says "all done" in place of the read-back: corrected by it, and the yes to that counts."""
    await read_back(stage, say("All done. Is there anything else I can do for you?"))
    await stage.model.turn("Yes.", YES)


@scene(Kind.CLAIMS, Ends(stored=(AT_TEN,), heard=("nothing is booked yet", BOOKED_WORDS)))
async def lies_booked_then_books(stage: Stage) -> None:
    """Corrected, and then booked in order: no second correction."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes please.", say(LIE))
    await stage.model.turn("Yes.", YES)
    if stage.heard().count("nothing is booked yet") > 1:
        raise Fault("corrected more than once")


@scene(Kind.CLAIMS, CORRECTED)
async def lies_and_hangs_up(stage: Stage) -> None:
    """ "It is booked, goodbye" and end_call in one response: corrected, and not hung up on."""
    await stage.model.turn(f"{WISH} Bye.", say("Your appointment is booked. Goodbye!"), END)


@scene(Kind.CLAIMS, CORRECTED)
async def lies_and_hangs_up_next(stage: Stage) -> None:
    """The caller says goodbye into the lie's last word; the model hangs up: corrected first."""
    await stage.model.turn(WISH, say("Your appointment is booked."), settle=False)
    await stage.until(lambda: stage.model.speaking)
    await stage.until(lambda: not stage.model.busy)
    await stage.sleep(max(0.0, stage.model.play_until_s - stage.model.now_s() + 0.1))
    await stage.model.began()
    await stage.sleep(0.6)
    await stage.model.ended("Thank you, bye.", say("Goodbye!"), END)
    await stage.model.quiet()


@scene(
    Kind.CLAIMS,
    Ends(stored=(), end=End.TRANSFERRED, heard=("nothing is booked yet",)),
    Props(settings=DESK),
)
async def lies_and_transfers(stage: Stage) -> None:
    """ "It is booked, I put you through": corrected, then transferred as the caller wished."""
    wish = f"{WISH} And put me through, please."
    await stage.model.turn(wish, say("Your appointment is booked."), HAND_OVER, settle=False)
    await stage.ended(40)


@scene(Kind.CLAIMS, CORRECTED)
async def lies_and_the_caller_goes_on(stage: Stage) -> None:
    """The caller speaks before the correction begins, and the model answers that: corrected after it."""
    await stage.model.turn(WISH, say("Your appointment is booked."), settle=False)
    await stage.until(lambda: stage.model.speaking)
    await stage.until(lambda: not stage.model.busy)
    await stage.sleep(max(0.0, stage.model.play_until_s - stage.model.now_s() + 0.1))
    await stage.model.began()
    await stage.sleep(0.8)
    await stage.model.ended("And where are you?", say("At 12 Linden Street."))
    await stage.model.quiet()


@scene(Kind.CLAIMS, CORRECTED)
async def lies_and_will_not_correct(stage: Stage) -> None:
    """Told to correct it, the model says "lovely" twice; the third time it does as it is told."""
    await stage.model.turn(WISH, say("Your appointment is booked."), settle=False)
    stage.model.script += [Answer(items=(say("Lovely!"),), to_any=True)] * 2
    await stage.until(lambda: "nothing is booked" in stage.heard(), 40)


@scene(Kind.CLAIMS, Ends(stored=(), requests=12, end=(End.TALKING, End.HUNG_UP)))
async def lies_and_never_corrects(stage: Stage) -> None:
    """The model never says what it is told: no loop without end."""
    await stage.model.turn(WISH, say("Your appointment is booked."), settle=False)
    stage.model.script += [Answer(items=(say("Lovely!"),), to_any=True)] * 8
    await stage.sleep(30)


@scene(
    Kind.CLAIMS,
    Ends(stored=(f"{TOMORROW} 10:30",), heard=("nothing is cancelled yet",)),
    Props(own=(HALF_PAST_TEN,)),
)
async def lies_cancelled(stage: Stage) -> None:
    """The appointment was found and read back, and the model says it is cancelled."""
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL)
    await stage.model.turn("Yes.", say("No problem, I have cancelled your appointment."))


@scene(
    Kind.CLAIMS,
    Ends(stored=(f"{TOMORROW} 10:30",), heard=(TAKEN_BACK,)),
    Props(own=(HALF_PAST_TEN,)),
)
async def lies_moved(stage: Stage) -> None:
    """Found, and not moved: "booked for Friday at eleven now" is as untrue as "moved"."""
    await stage.model.turn("Move my appointment from tomorrow to Friday at eleven. John Smith.", MOVE)
    await stage.model.turn("Yes.", say("Your appointment is now booked for Friday at eleven."))


@scene(Kind.CLAIMS, Ends(stored=(AT_TEN,), heard=(rf"{TAKEN_BACK}\. Your appointment on Thursday 26",)))
async def lies_about_the_day(stage: Stage) -> None:
    """Booked for Thursday, and the model says Friday: corrected by what is booked."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES)
    await stage.model.turn("When was that?", say("Your appointment is booked for Friday at ten."))


# --- what is true ---


@scene(Kind.CLAIMS, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), unheard=UNTOUCHED))
async def truth_after_a_booking(stage: Stage) -> None:
    """After it was booked the model may say so, again and in other words."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES)
    await stage.model.turn("Is it booked now?", say("Yes, you're booked for tomorrow at ten. All set!"))
    await stage.model.turn("Thanks.", say("Your appointment on Thursday the 26th at ten o'clock is confirmed."))


@scene(Kind.CLAIMS, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), unheard=UNTOUCHED))
async def truth_in_the_same_response(stage: Stage) -> None:
    """The model says "it is booked" and calls for it in one response: true by the time it was heard."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", say("Wonderful, it is booked."), YES)


@scene(Kind.CLAIMS, Ends(stored=(), heard=("is cancelled",), unheard=UNTOUCHED), Props(own=(HALF_PAST_TEN,)))
async def truth_of_a_look_up(stage: Stage) -> None:
    """What was found is stored: to say that it is booked is true, and after that, that it is cancelled."""
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL, settle=False)
    words = "Your appointment is booked for Thursday 26 November at 10:30. Shall I cancel it?"
    stage.model.script.append(Answer(items=(say(words),)))
    await stage.model.quiet()
    await stage.model.turn("Yes.", CANCEL_YES)
    await stage.model.turn("So it's gone?", say("Yes, your appointment has been cancelled."))


@scene(Kind.CLAIMS, Ends(stored=(), unheard=UNTOUCHED))
async def truth_of_what_is_not_done(stage: Stage) -> None:
    """Questions, conditions, denials and what the caller has said claim nothing."""
    for words in (
        "So you say your appointment was booked last week?",
        "It will be booked once you say yes.",
        "Nothing is booked yet, I'm afraid.",
        "I'm afraid ten o'clock is already booked.",
        "We are fully booked on Monday.",
    ):
        await stage.model.turn("Hm?", say(words))


@scene(Kind.CLAIMS, Ends(stored=(), heard=("cannot tell",), unheard=("nothing is booked",)), Props(
    effects={"appointments.book": Wrong.REMOTE}, crashes=True
))  # fmt: skip
async def doubt_is_not_denied(stage: Stage) -> None:
    """Nobody knows whether it was booked, and the model says it is: told as doubt, and not that nothing is."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES)
    await stage.until(lambda: "cannot tell" in stage.heard(), 20)
    await stage.model.turn("And?", say("Your appointment is booked."))
    if not await stage.until(lambda: stage.heard().count("cannot tell") > 1, 20):
        raise Fault("the doubt is not told again")


@scene(Kind.CLAIMS, Ends(stored=(), heard=("nothing is booked yet",)))
async def claims_before_it_was_asked_for_a_name(stage: Stage) -> None:
    """The task is open and asks for a name; the model says all is set."""
    await stage.model.turn("Tomorrow at ten.", call("book_appointment", {"day": TOMORROW, "at": "10:00"}))
    await stage.model.turn("Yes.", say("I have booked you in for tomorrow at ten."))
