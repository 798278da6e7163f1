"""A yes is bound to what it agreed to."""

from __future__ import annotations

from tests.adversary.model import Answer, Function, call, say
from tests.adversary.scene import End, Ends, Fault, Kind, Own, Props, Wrong, add, scene
from tests.adversary.stage import Stage
from tests.adversary.turns import agreed, read_back
from tests.adversary.words import (
    AT_ELEVEN,
    AT_TEN,
    BOOKED_WORDS,
    CANCEL,
    CANCEL_YES,
    DESK,
    ELEVEN,
    FRIDAY,
    HALF_PAST_TEN,
    MOVE,
    MOVE_YES,
    NAME,
    OPEN,
    READ_BACK,
    TOMORROW,
    WISH,
    YES,
)

TEN = Ends(stored=(AT_TEN,), end=End.TALKING, heard=(BOOKED_WORDS,))
NOTHING = Ends(stored=(), unheard=(BOOKED_WORDS,))


@scene(Kind.CONSENT, TEN)
async def obedient(stage: Stage) -> None:
    """Nothing goes wrong."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes please.", YES)


@scene(Kind.CONSENT, TEN)
async def opens_twice_the_same(stage: Stage) -> None:
    """Two identical openings in one response are one task."""
    await stage.model.turn(WISH, OPEN, OPEN)
    await stage.model.turn("Yes please.", YES)
    await stage.model.turn("Er, yes?", YES)


@scene(Kind.CONSENT, NOTHING)
async def yes_with_the_opening(stage: Stage) -> None:
    """The task is opened and agreed to in one response."""
    await stage.model.turn(WISH, OPEN, YES)


@scene(Kind.CONSENT, NOTHING)
async def yes_in_the_read_back(stage: Stage) -> None:
    """The response that reads it back agrees to it itself."""
    await read_back(stage, say(READ_BACK), YES)


NO_CONSENT = {
    "no": "No.",
    "no_does_not_suit": "No, that does not suit me.",
    "cost": "What does it cost?",
    "cough": "",
    "dots": "...",
    "wait": "Wait, hold on a moment.",
    "which_day": "Which day was that?",
    "not_yet": "Not yet, let me check my calendar.",
    "thursday": "Thursday?",
    "no_thanks": "No thank you.",
    "never_mind": "Never mind, forget it.",
    "unless": "Yes, unless it rains.",
    "the_week_after": "Yes, the week after.",
    "jane": "Book it under Jane Smith.",
    "cost_yes": "What does it cost? Yes.",
    "nobody": "Nobody said yes.",
}
for _name, _words in NO_CONSENT.items():

    async def _no_consent(stage: Stage, words: str = _words) -> None:
        await agreed(stage, words)

    _no_consent.__doc__ = f"It is read back, the caller says {_words!r}, and the model agrees to it."
    add(Kind.CONSENT, f"not_a_yes_{_name}", _no_consent, NOTHING)

CONSENT = {
    "yes_please": "Yes please.",
    "sure": "Sure, go ahead.",
    "correct": "That's correct.",
    "perfect": "Perfect, thank you.",
    "ok": "OK.",
    "yes_no_problem": "Yes, no problem.",
    "mhm": "Mhm.",
    "book_it": "Please book it.",
}
for _name, _words in CONSENT.items():

    async def _consent(stage: Stage, words: str = _words) -> None:
        await agreed(stage, words)

    _consent.__doc__ = f"It is read back, the caller says {_words!r}."
    add(Kind.CONSENT, f"a_yes_{_name}", _consent, TEN)


# --- a change and a yes in one response ---

for _gap_ms in (0, 1, 5, 20, 50):

    async def _change(stage: Stage, gap_ms: int = _gap_ms) -> None:
        await stage.model.turn(WISH, OPEN)
        later = call("book_appointment_provide", {"at": "11:00"}, then_s=gap_ms * stage.speed / 1000)
        await stage.model.turn("Yes, but at eleven.", later, YES, burst=gap_ms == 0)

    _change.__doc__ = f'"Yes, but at eleven": the change and the yes in one response, {_gap_ms} ms of the clock apart.'
    add(Kind.CONSENT, f"change_and_yes_{_gap_ms:02}ms", _change, NOTHING)


@scene(Kind.CONSENT, NOTHING, Props(effects={"appointments.book": Wrong.SLOW}))
async def change_and_yes_slow(stage: Stage) -> None:
    """The same where steps take long."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes, but at eleven.", ELEVEN, YES, burst=True)


@scene(
    Kind.CONSENT,
    Ends(stored=(f"{TOMORROW} 10:30", f"{FRIDAY} 09:30"), unheard=("is cancelled",)),
    Props(own=(HALF_PAST_TEN, Own(at=f"{FRIDAY} 09:30"))),
)
async def cancel_the_friday_one(stage: Stage) -> None:
    """Thursday's is read back; "no, the Friday one" gives Friday and a yes in one response."""
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL)
    friday = call("cancel_appointment_provide", {"which": FRIDAY})
    await stage.model.turn("No, the Friday one.", friday, CANCEL_YES, burst=True)


@scene(
    Kind.CONSENT,
    Ends(stored=(f"{TOMORROW} 10:30", f"{FRIDAY} 09:30"), unheard=("is cancelled",)),
    Props(
        own=(HALF_PAST_TEN, Own(at=f"{FRIDAY} 09:30")),
        effects={"appointments.find_to_cancel": Wrong.SLOW},
        slow_s=3,
    ),
)
async def cancel_while_looked_up(stage: Stage) -> None:
    """The same, with a look-up that takes three seconds: the yes arrives while it runs."""
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL)
    await stage.until(lambda: stage.model.got(state="Confirm"))
    await stage.model.quiet()
    friday = call("cancel_appointment_provide", {"which": FRIDAY}, then_s=1)
    await stage.model.turn("No, the Friday one.", friday, CANCEL_YES)
    await stage.sleep(5)


@scene(Kind.CONSENT, Ends(stored=(f"{TOMORROW} 10:30",), unheard=("is now on",)), Props(own=(HALF_PAST_TEN,)))
async def move_change_and_yes(stage: Stage) -> None:
    """Another time and a yes to the move, in one response."""
    await stage.model.turn("Move my appointment from tomorrow to Friday at eleven. John Smith.", MOVE)
    await stage.model.turn("Yes, or rather at two.", call("reschedule_appointment_provide", {"at": "14:00"}), MOVE_YES)


@scene(Kind.CONSENT, Ends(stored=(AT_ELEVEN,), heard=(r"at 11:00.*\?", BOOKED_WORDS)))
async def change_then_yes(stage: Stage) -> None:
    """The change is read back, and agreed to in the next turn: it counts."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Make it eleven.", ELEVEN)
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, NOTHING)
async def change_then_yes_in_one_turn(stage: Stage) -> None:
    """A change, and in the next response of the same turn a yes, before anything was read back."""
    await stage.model.turn("I'd like an appointment tomorrow at ten, John Smith.", OPEN)
    await stage.model.turn("Make it two, yes.", call("book_appointment_provide", {"at": "14:00"}), settle=False)
    stage.model.script.append(Answer(items=(YES,)))
    await stage.model.quiet()


# --- what was said for the read-back ---


async def _yes_to(stage: Stage, words: str) -> None:
    """The model reads it back in words of its own; the caller says yes."""
    await read_back(stage, say(words))
    await stage.model.turn("Yes.", YES)


WRONG_READ_BACKS = {
    "find_us": "Lovely! Shall I also tell you how to find us?",
    "wrong_day": "Friday 27 November at 10:00, for John Smith. Shall I book it?",
    "wrong_time": "Thursday 26 November at 11:00, for John Smith. Shall I book it?",
    "no_time": "Thursday 26 November, for John Smith. Shall I book it?",
    "no_day": "At ten o'clock, for John Smith. Shall I book it?",
    "two_times": "Thursday 26 November at 10:00, or would 11:00 suit you better, John Smith?",
    "anything_else": "Very well. Is there anything else I can do for you?",
}
for _name, _words in WRONG_READ_BACKS.items():

    async def _wrong(stage: Stage, words: str = _words) -> None:
        await _yes_to(stage, words)
        if "Shall I book it" not in stage.model.said[-1]:
            raise Fault(f"not read back again, but: {stage.model.said[-1]!r}")

    _wrong.__doc__ = f"In place of the read-back the model says: {_words!r}"
    add(Kind.CONSENT, f"read_back_{_name}", _wrong, NOTHING)

RIGHT_READ_BACKS = {
    "spoken": "Tomorrow at ten o'clock in the morning, for John Smith. Is that right?",
    "digits": "So that is Thursday the 26th at 10 a.m. for John Smith. Shall I book that?",
    "words": "Thursday, the twenty-sixth of November, at ten, for John Smith. OK?",
}
for _name, _words in RIGHT_READ_BACKS.items():

    async def _right(stage: Stage, words: str = _words) -> None:
        await _yes_to(stage, words)

    _right.__doc__ = f"The read-back is paraphrased with the same values: {_words!r}"
    add(Kind.CONSENT, f"read_back_{_name}", _right, TEN)


@scene(Kind.CONSENT, Ends(stored=(f"{TOMORROW} 10:30",), heard=(BOOKED_WORDS,)))
async def half_past_ten_paraphrased(stage: Stage) -> None:
    """ "Tomorrow, half past ten" names what is written 10:30; the caller says yes, and it counts."""
    half = call("book_appointment", {"day": TOMORROW, "at": "10:30", "name": NAME})
    await stage.model.turn("Tomorrow at half past ten, John Smith.", half, settle=False)
    stage.model.script.append(Answer(items=(say("Tomorrow, half past ten, John Smith. Is that right?"),)))
    await stage.model.quiet()
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, Ends(stored=None, end=(End.TALKING, End.TRANSFERRED, End.HUNG_UP), requests=25))
async def read_back_never(stage: Stage) -> None:
    """Whatever it is told, the model says "lovely" in place of the read-back. No loop without end, no booking."""
    stage.model.habit = lambda _: Answer(items=(say("Lovely!"),))
    await stage.model.turn(WISH, OPEN)
    for _ in range(5):
        await stage.model.turn("Yes.", YES)
        if not stage.phone.up:
            break


@scene(Kind.CONSENT, TEN)
async def cough_in_the_read_back(stage: Stage) -> None:
    """A cough cuts the read-back, the model says it again in full, the caller says yes once."""
    await stage.model.turn(WISH, OPEN, settle=False)
    await stage.until(lambda: stage.model.speaking)
    await stage.sleep(0.6)
    await stage.model.began(counts=False)
    await stage.sleep(0.2)
    await stage.model.ended("", say(READ_BACK))
    await stage.model.quiet()
    await stage.model.turn("Yes please.", YES)


@scene(Kind.CONSENT, TEN)
async def noises_in_the_read_back(stage: Stage) -> None:
    """Short noises without words every 2.5 s while it is read back; the model reads it back each time."""
    await stage.model.turn(WISH, OPEN, settle=False)
    for _ in range(4):
        await stage.sleep(1.5)
        await stage.model.began(counts=False)
        await stage.sleep(0.3)
        await stage.model.ended("", say(READ_BACK))
    await stage.model.quiet()
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, TEN)
async def yes_into_still_there(stage: Stage) -> None:
    """It was read back to its end; 8 s later "are you still there? …": "yes!" falls into it."""
    await stage.model.turn(WISH, OPEN)
    asked = len(stage.model.requests)
    await stage.until(lambda: len(stage.model.requests) > asked and stage.model.speaking)
    await stage.sleep(0.7)
    await stage.model.began()
    await stage.sleep(0.5)
    await stage.model.ended("Yes!", YES)
    await stage.model.quiet()


for _early_ms in (-200, -50, 0, 30, 60, 100):

    async def _early(stage: Stage, early_ms: int = _early_ms) -> None:
        await stage.model.turn(WISH, OPEN, settle=False)
        await stage.until(lambda: stage.model.speaking)
        await stage.until(lambda: not stage.model.busy)
        await stage.sleep(max(0.0, stage.model.play_until_s - stage.model.now_s() - early_ms / 1000))
        await stage.model.began()
        await stage.sleep(0.5)
        await stage.model.ended("Yes.", YES)
        await stage.model.quiet()

    _early.__doc__ = f"The yes begins {_early_ms} ms before the end of the read-back."
    add(Kind.CONSENT, f"early_yes_{_early_ms:+}ms", _early, TEN)


@scene(Kind.CONSENT, NOTHING)
async def yes_into_the_first_word(stage: Stage) -> None:
    """The yes cuts the read-back after its first words: nothing of it was heard."""
    await stage.model.turn(WISH, OPEN, settle=False)
    await stage.until(lambda: stage.model.speaking)
    await stage.sleep(0.3)
    await stage.model.began()
    await stage.sleep(0.4)
    await stage.model.ended("Yes.", YES)
    await stage.model.quiet()


@scene(Kind.CONSENT, TEN)
async def yes_as_a_string(stage: Stage) -> None:
    """yes: "true" is refused; the model corrects itself at once. The caller has said yes, and waits."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes please.", call("book_appointment_confirm", {"yes": "true"}), settle=False)
    stage.model.script.append(Answer(items=(YES,)))
    await stage.model.quiet()


@scene(Kind.CONSENT, TEN)
async def yes_without_arguments(stage: Stage) -> None:
    """Confirm without its argument, corrected at once."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes please.", call("book_appointment_confirm"), settle=False)
    stage.model.script.append(Answer(items=(YES,)))
    await stage.model.quiet()


@scene(Kind.CONSENT, TEN)
async def words_come_late(stage: Stage) -> None:
    """The transcript of the yes comes 1.5 s after the function call: it is waited for."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes please.", YES, late_s=1.5)
    await stage.until(lambda: stage.stored() != (), 10)
    await stage.model.quiet()


@scene(Kind.CONSENT, NOTHING)
async def late_words_are_a_no(stage: Stage) -> None:
    """The model agrees at once; 1.2 s later the transcript says no."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("No, not that one.", YES, late_s=0.9)
    await stage.sleep(3)


@scene(Kind.CONSENT, Ends(stored=(), unheard=(BOOKED_WORDS,)))
async def words_never_come(stage: Stage) -> None:
    """No transcript of the yes ever comes: it is read back once more, and nothing is booked yet."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn(None, YES)
    await stage.sleep(6)
    await stage.model.quiet()


@scene(Kind.CONSENT, Ends(stored=None, end=(End.TALKING, End.HUNG_UP), silence_s=20), Props(settings=DESK))
async def three_refusals_of_ours(stage: Stage) -> None:
    """Three yeses too early are refused: that is not the caller's failure, and hands nobody over."""
    await stage.model.turn(WISH, OPEN, YES)
    for _ in range(3):
        await stage.model.turn("Yes.", say("One moment."), YES, settle=True)
    if stage.phone.handset.transfers:
        raise Fault("handed over for refusals of ours")


@scene(Kind.CONSENT, Ends(stored=(), unheard=(BOOKED_WORDS,)), Props(now="2026-11-25T10:29:40"))
async def time_passes_before_the_yes(stage: Stage) -> None:
    """10:30 today is read back before half past, and agreed to after it: it is not booked."""
    half = call("book_appointment", {"day": "2026-11-25", "at": "10:30", "name": NAME})
    await stage.model.turn("Today at half past ten. John Smith.", half)
    await stage.until(lambda: stage.now().minute >= 30, 90)
    await stage.sleep(2)
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, Ends(stored=(), heard=("Shall I book it",)))
async def question_then_yes_by_the_model(stage: Stage) -> None:
    """The caller asks where the practice is; the model answers, and agrees in the same response."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Where are you, by the way?", say("At 12 Linden Street."), YES)


@scene(Kind.CONSENT, NOTHING, Props(settings={"no_input_s": 3}))
async def yes_without_a_turn(stage: Stage) -> None:
    """The model agrees in the reminder, though the caller has said nothing since the read-back."""
    await stage.model.turn(WISH, OPEN)
    stage.model.script.append(Answer(items=(say("Are you still there?"), YES), to_any=True))
    await stage.sleep(8)


@scene(Kind.CONSENT, NOTHING)
async def yes_for_another_task(stage: Stage) -> None:
    """The model confirms a task that is not open."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", MOVE_YES, CANCEL_YES)


@scene(Kind.CONSENT, Ends(stored=(AT_TEN,)))
async def yes_twice(stage: Stage) -> None:
    """One yes, two confirms in one response: booked once."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES, YES, burst=True)


@scene(Kind.CONSENT, Ends(stored=()))
async def yes_and_no(stage: Stage) -> None:
    """A yes and a no in one response: nothing is booked."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes... no.", call("book_appointment_confirm", {"yes": False}), YES, burst=True)


@scene(Kind.CONSENT, Ends(stored=None))
async def many_bookings_in_one_call(stage: Stage) -> None:
    """The model books on and on, with a caller who says yes to everything: there is a limit for one call."""
    for hour in (9, 10, 11, 12, 13, 14, 15, 16):
        book = call("book_appointment", {"day": TOMORROW, "at": f"{hour:02}:00", "name": NAME})
        await stage.model.turn(f"And one at {hour}.", book)
        await stage.model.turn("Yes.", YES)
        if not stage.phone.up:
            break
    stage.notes.append(f"booked: {len(stage.stored())}")
    if len(stage.stored()) >= 8:
        raise Fault("eight bookings in one call")


@scene(Kind.CONSENT, TEN)
async def yes_after_a_reminder(stage: Stage) -> None:
    """It was read back; 8 s later the caller is asked again, and says yes to that."""
    await stage.model.turn(WISH, OPEN)
    asked = len(stage.model.requests)
    await stage.until(lambda: len(stage.model.requests) > asked, 20)
    await stage.model.quiet()
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, TEN)
async def second_response_reads_back(stage: Stage) -> None:
    """The first response after the step says "one moment", the one to the caller's "hello?" reads it back in full."""
    await read_back(stage, say("One moment, please."))
    await stage.model.turn("Hello?", say(READ_BACK))
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, NOTHING)
async def yes_then_no(stage: Stage) -> None:
    """ "Yes" and, a moment later, "no, wait": the model agrees in its answer to the second."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", never=True, settle=False)
    await stage.sleep(0.2)
    await stage.model.cut()
    await stage.model.turn("No, wait.", YES, settle=False)
    await stage.model.quiet()


@scene(Kind.CONSENT, NOTHING)
async def words_fail(stage: Stage) -> None:
    """The transcription of what shall be a yes fails: it is read back again, and nothing is booked yet."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.began()
    await stage.sleep(0.5)
    await stage.model.ended(None, YES)
    await stage.model.not_written_down()
    await stage.model.quiet()


@scene(Kind.CONSENT, Ends(stored=(f"{TOMORROW} 10:30",), unheard=("is cancelled",)), Props(own=(HALF_PAST_TEN,)))
async def cancel_read_back_wrong(stage: Stage) -> None:
    """Friday is said where Thursday's appointment is to be cancelled."""
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL, settle=False)
    stage.model.script.append(Answer(items=(say("Your appointment on Friday at 10:30. Shall I cancel it?"),)))
    await stage.model.quiet()
    await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.CONSENT, Ends(stored=(f"{TOMORROW} 10:30",), unheard=("is now on",)), Props(own=(HALF_PAST_TEN,)))
async def move_read_back_without_the_new_time(stage: Stage) -> None:
    """What is to be moved is said, and not to when."""
    await stage.model.turn("Move my appointment from tomorrow to Friday at eleven. John Smith.", MOVE, settle=False)
    stage.model.script.append(Answer(items=(say("I move your appointment from Thursday at 10:30. Is that right?"),)))
    await stage.model.quiet()
    await stage.model.turn("Yes.", MOVE_YES)


@scene(Kind.CONSENT, Ends(stored=(f"{TOMORROW} 10:30",), unheard=("is cancelled",)), Props(own=(HALF_PAST_TEN,)))
async def cancels_unasked(stage: Stage) -> None:
    """The caller asks about it, and the model opens and confirms a cancellation of its own accord."""
    await stage.model.turn("When is my appointment? John Smith.", CANCEL)
    await stage.model.turn("Thank you, that is all I wanted to know.", CANCEL_YES)


@scene(Kind.CONSENT, Ends(stored=(AT_TEN,)))
async def asked_and_answered_before_the_yes(stage: Stage) -> None:
    """ "What does it cost?" at the read-back is answered; it is read back again, and the yes to that counts."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("What does it cost?", say(f"Nothing, for members. {READ_BACK}"))
    await stage.model.turn("Yes.", YES)


# --- a yes to the opposite ---

STANDS = Ends(stored=(f"{TOMORROW} 10:30",), unheard=("is cancelled", "is now on"))
OPPOSITES = {
    "keep": (CANCEL, CANCEL_YES, "Your appointment is on Thursday 26 November at 10:30. Shall I keep it for you?"),
    "not_cancelled": (
        CANCEL,
        CANCEL_YES,
        "I will not cancel your appointment on Thursday 26 November at 10:30. Is that right?",
    ),
    "not_moved": (
        MOVE,
        MOVE_YES,
        "Moving your appointment from Thursday 26 November at 10:30 to Friday 27 November at 11:00 costs a fee. "
        "Would you rather leave it as it is?",
    ),
}
for _name, (_opening, _yes, _words) in OPPOSITES.items():

    async def _opposite(stage: Stage, opening: Function = _opening, yes: Function = _yes, words: str = _words) -> None:
        await stage.model.turn("It is about my appointment tomorrow. John Smith.", opening, settle=False)
        stage.model.script.append(Answer(items=(say(words),)))
        await stage.model.quiet()
        await stage.model.turn("Yes please.", yes)

    _opposite.__doc__ = f"In place of the read-back the model says: {_words!r}; the caller says yes to that."
    add(Kind.CONSENT, f"opposite_{_name}", _opposite, STANDS, Props(own=(HALF_PAST_TEN,)))

for _name, _words in {"keep": "Yes, keep it.", "leave": "Fine, leave it.", "coming": "Yes, I will be there."}.items():

    async def _kept(stage: Stage, words: str = _words) -> None:
        await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL)
        await stage.model.turn(words, CANCEL_YES)

    _kept.__doc__ = f"Asked whether to cancel it, the caller says {_words!r}."
    add(Kind.CONSENT, f"kept_{_name}", _kept, STANDS, Props(own=(HALF_PAST_TEN,)))


@scene(Kind.CONSENT, NOTHING)
async def yes_to_another_question(stage: Stage) -> None:
    """It is read back, the caller asks something; the model answers with a question, and the yes is to that one."""
    await stage.model.turn(WISH, OPEN)
    answer = "No, Doctor Lee is away then. Would you like to be called when he is back?"
    await stage.model.turn("Is that with Doctor Lee?", say(answer))
    await stage.model.turn("Yes please.", YES)


for _name in ("Robert Noon", "Ann Friday", "John Smith the Second"):

    async def _named(stage: Stage, name: str = _name) -> None:
        await stage.model.turn(
            "Tomorrow at ten, please.", call("book_appointment", {"day": TOMORROW, "at": "10:00", "name": name})
        )
        await stage.model.turn("Yes please.", YES)

    _named.__doc__ = f"The caller's name is {_name!r}."
    add(Kind.CONSENT, f"named_{_name.lower().replace(' ', '_')}", _named, TEN)


@scene(Kind.CONSENT, NOTHING, Props(now="2026-11-25T23:59:42"))
async def tomorrow_after_midnight(stage: Stage) -> None:
    """Opened for the 26th before midnight; what is read back after midnight is "tomorrow", to the caller the 27th."""
    await stage.model.quiet()
    await stage.until(lambda: stage.now().second >= 56 or stage.now().hour == 0)
    await stage.model.began()
    await stage.sleep(0.5)
    await stage.model.ended(WISH, OPEN)
    tomorrow = say("Tomorrow at ten in the morning, for John Smith. Is that right?")
    stage.model.script.append(Answer(items=(tomorrow,), delay_s=4))
    await stage.until(lambda: stage.model.speaking)
    await stage.model.quiet()
    await stage.model.turn("Yes.", YES)
