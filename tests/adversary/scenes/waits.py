"""More waits and ends: silence as speech, streams that stop, transfers that ring, goodbyes at every moment."""

from __future__ import annotations

from tests.adversary.model import Answer, Say, call, say
from tests.adversary.scene import End, Ends, Fault, Kind, Own, Props, Wrong, add, scene
from tests.adversary.stage import Stage
from tests.adversary.turns import agreed, booked_and_called_again, over_the_last_words, put_through
from tests.adversary.words import (
    AT_TEN,
    BOOKED_WORDS,
    CANCEL,
    CANCEL_YES,
    DESK,
    END,
    HALF_PAST_TEN,
    HAND_OVER,
    NAME,
    OPEN,
    TOMORROW,
    WISH,
    YES,
)

BRIDGED = Ends(stored=(), silence_s=20)
OVER = (End.HUNG_UP, End.TRANSFERRED)
LONG = Props(limit_s=300)
TALKING = Ends(stored=(), end=End.TALKING, silence_s=20)
GONE = Ends(stored=(), end=End.HUNG_UP)
BOOKED = Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,))
SLOW = {"appointments.book": Wrong.SLOW}
HUSH = Answer(items=(Say(text="", ms=5000, mute=True),), to_any=True)


# --- silence as speech ---


@scene(Kind.SILENCE, Ends(stored=(), end=OVER, silence_s=20), Props(settings=DESK, limit_s=300, hush=True))
async def silence_is_all_it_says(stage: Stage) -> None:
    """Whatever the model is asked, it sends five seconds of silence, without words."""
    stage.model.script.extend([HUSH] * 40)
    await stage.model.turn("Hello?", settle=False)
    await stage.ended(150)


@scene(Kind.SILENCE, BRIDGED, Props(limit_s=300, hush=True))
async def a_minute_of_silence_as_an_answer(stage: Stage) -> None:
    """One answer is a minute of silence, without words."""
    await stage.model.turn("When are you open?", Say(text="", ms=60_000, mute=True), settle=False)
    await stage.sleep(70)


@scene(Kind.SILENCE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), silence_s=20), Props(hush=True))
async def booked_and_told_in_silence(stage: Stage) -> None:
    """It is booked, and the sentence about it is silence without words."""
    await agreed(stage, settle=False)
    stage.model.script.append(HUSH)
    await stage.until(lambda: stage.stored() != (), 10)
    await stage.sleep(20)
    await stage.model.quiet()


@scene(Kind.SILENCE, Ends(stored=(), end=End.HUNG_UP, silence_s=20), Props(hush=True))
async def farewell_of_silence(stage: Stage) -> None:
    """The farewell is silence without words: hung up."""
    await stage.model.turn("Bye.", END, settle=False)
    stage.model.script.append(HUSH)
    await stage.ended(25)


# --- streams ---


async def _mute_then_quiet(stage: Stage) -> None:
    stage.phone.handset.mute()
    await stage.ended(150)


@scene(Kind.SILENCE, Ends(stored=(), end=OVER, silence_s=20), LONG)
async def stream_stops_after_the_greeting(stage: Stage) -> None:
    """`userStream.stop` after the greeting, and nothing more of the caller."""
    await _mute_then_quiet(stage)


@scene(Kind.SILENCE, Ends(stored=(), end=OVER, silence_s=20), LONG)
async def stream_stops_in_the_read_back(stage: Stage) -> None:
    """`userStream.stop` in the read-back."""
    await stage.model.turn(WISH, OPEN, settle=False)
    await stage.until(lambda: stage.model.speaking and stage.model.outputs)
    await _mute_then_quiet(stage)


@scene(Kind.SILENCE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), end=OVER, silence_s=20),
       Props(effects=SLOW, limit_s=300))  # fmt: skip
async def stream_stops_while_it_books(stage: Stage) -> None:
    """`userStream.stop` during the booking."""
    await agreed(stage, settle=False)
    await stage.sleep(1)
    await _mute_then_quiet(stage)


@scene(Kind.SILENCE, GONE)
async def stream_stops_in_the_farewell(stage: Stage) -> None:
    """`userStream.stop` in the farewell."""
    await stage.model.turn("Bye.", END, settle=False)
    await stage.until(lambda: stage.model.speaking and stage.model.outputs)
    stage.phone.handset.mute()
    if not await stage.ended(20):
        raise Fault("not hung up in 20 s")


@scene(Kind.SILENCE, Ends(stored=(), end=OVER, silence_s=20), LONG)
async def speech_that_the_line_is_lost_in(stage: Stage) -> None:
    """speech_started; the line is lost and comes back, and that turn never ends."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.model.began(counts=False)
    stage.phone.drop(resume_after_ms=500)
    await stage.ended(150)


@scene(Kind.SILENCE, BRIDGED, LONG)
async def half_open_in_an_answer(stage: Stage) -> None:
    """The socket is half open from the middle of an answer on; VAIC resumes after 5 s."""
    await stage.model.turn("When are you open?", say("Every day from nine to five, but not on holidays."), settle=False)
    await stage.until(lambda: stage.model.speaking)
    stage.phone.drop(resume_after_ms=5000, half_open=True)
    await stage.sleep(25)


@scene(Kind.SILENCE, Ends(stored=None, heard=("cannot tell", BOOKED_WORDS), silence_s=20),
       Props(effects={"appointments.book": Wrong.HELD}, limit_s=300))  # fmt: skip
async def silent_while_a_tool_hangs(stage: Stage) -> None:
    """The booking hangs for 50 s and the caller is silent: somebody speaks at least every 20 s."""
    await agreed(stage, settle=False)
    await stage.sleep(50)
    stage.let_go.set()
    await stage.sleep(8)


@scene(Kind.SILENCE, Ends(stored=(), end=OVER, silence_s=20), Props(settings=DESK, limit_s=300))
async def keypad_instead_of_words(stage: Stage) -> None:
    """The caller only presses keys that mean nothing, every 6 s, in a task that asks for the day."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    for _ in range(20):
        if not stage.phone.up:
            return
        stage.phone.press("*")
        await stage.sleep(6)


# --- transfers ---

TO_DESK = Props(settings=DESK)
IGNORED = Props(settings=DESK, transfer="ignored", limit_s=300)


@scene(Kind.STALE, Ends(stored=(), heard=("nobody|put you through",), silence_s=20), IGNORED)
async def speaks_while_it_rings(stage: Stage) -> None:
    """It rings; the caller says "never mind, book me in tomorrow at ten" meanwhile, and is served after it."""
    await put_through(stage)
    await stage.sleep(5)
    await stage.model.turn(
        "Never mind, I'd rather book an appointment tomorrow at ten. John Smith.", OPEN, ms=2000, settle=False
    )
    await stage.sleep(60)
    if not stage.phone.up:
        raise Fault("the call is gone")
    await stage.model.quiet()
    if "10:00" not in stage.heard():
        raise Fault("what the caller said while it rang was never answered")


@scene(Kind.STALE, Ends(stored=(), silence_s=20, end=(End.TALKING, *OVER)), IGNORED)
async def silent_while_it_rings(stage: Stage) -> None:
    """The transfer rings for 45 s: never 20 s without a word."""
    await put_through(stage)
    await stage.sleep(70)


@scene(Kind.STALE, Ends(stored=(), end=(End.TALKING, *OVER), silence_s=20), IGNORED)
async def goodbye_while_it_rings(stage: Stage) -> None:
    """The transfer rings, and the caller says goodbye; the model calls end_call."""
    await put_through(stage)
    await stage.sleep(3)
    await stage.model.turn("Forget it, bye.", END, settle=False)
    await stage.sleep(70)
    if stage.phone.up:
        await stage.ended(60)


@scene(Kind.STALE, Ends(stored=(), heard=("nobody",), silence_s=20, end=End.TALKING),
       Props(settings=DESK, transfer="fails", limit_s=300))  # fmt: skip
async def transfer_fails_twice(stage: Stage) -> None:
    """It fails, the caller asks for it again, and it fails again: told both times."""
    for _ in range(2):
        if not await put_through(stage):
            raise Fault("not tried")
        await stage.sleep(3)
        await stage.model.quiet()


@scene(Kind.STALE, Ends(stored=(), end=OVER, silence_s=20), Props(settings=DESK, transfer="fails", limit_s=300))
async def transfer_fails_and_the_model_is_mute(stage: Stage) -> None:
    """It fails, and the model says nothing more, ever."""
    await put_through(stage)
    stage.model.habit = lambda _: Answer()
    stage.model.script.extend(Answer(to_any=True) for _ in range(30))
    await stage.ended(120)


@scene(Kind.STALE, Ends(stored=(), end=OVER), TO_DESK)
async def hand_over_and_end_call(stage: Stage) -> None:
    """hand_over and end_call in one response: the caller, who asked for a human, is put through or said goodbye to."""
    await stage.model.turn("A human please.", HAND_OVER, END, burst=True, settle=False)
    if not await stage.ended(30):
        raise Fault("neither in 30 s")


@scene(Kind.STALE, Ends(stored=(), end=OVER), TO_DESK)
async def end_call_and_hand_over(stage: Stage) -> None:
    """The same in the other order."""
    await stage.model.turn("A human please.", END, HAND_OVER, settle=False)
    if not await stage.ended(30):
        raise Fault("neither in 30 s")


@scene(Kind.STALE, GONE)
async def end_call_twice(stage: Stage) -> None:
    """end_call twice in one response: one farewell, hung up."""
    await stage.model.turn("Bye.", END, END, settle=False)
    if not await stage.ended(20):
        raise Fault("not hung up in 20 s")


@scene(Kind.STALE, GONE)
async def end_call_in_two_responses(stage: Stage) -> None:
    """end_call, and in place of the farewell end_call again."""
    await stage.model.turn("Bye.", END, settle=False)
    stage.model.script.append(Answer(items=(END,), to_any=True))
    if not await stage.ended(20):
        raise Fault("not hung up in 20 s")


# --- "wait" at each moment ---

for _after in (0.0, 0.8, 1.6, 1.9):

    async def _wait(stage: Stage, after_s: float = _after) -> None:
        await stage.model.turn("That is all, bye.", END, settle=False)
        await stage.until(lambda: stage.model.outputs and stage.model.speaking)
        await stage.sleep(after_s)
        if not stage.phone.up:
            return
        await stage.model.began()
        await stage.sleep(1.5)
        if not stage.phone.up:
            raise Fault("hung up while the caller speaks")
        await stage.model.ended("Wait, can you book me in tomorrow at ten? John Smith.", OPEN)
        await stage.sleep(10)
        if not stage.phone.up:
            raise Fault("hung up on a caller who has said wait")

    _wait.__doc__ = f'"Wait …" {_after} s after the farewell has begun: not hung up on.'
    add(Kind.STALE, f"wait_{round(1000 * _after):04}ms_into_the_farewell", _wait, Ends(stored=()))


@scene(Kind.STALE, TALKING)
async def wait_whose_words_fail(stage: Stage) -> None:
    """ "Wait" into the farewell, whose transcription fails; the model asks what it is. Not hung up on for 15 s."""
    await stage.model.turn("That is all, bye.", END, settle=False)
    await over_the_last_words(stage, None, say("Sure, what is it?"), ms=1000, after_s=0.5)
    await stage.model.not_written_down()
    await stage.sleep(12)


@scene(Kind.STALE, TALKING)
async def a_long_wait(stage: Stage) -> None:
    """The caller speaks for 6 s into the farewell."""
    await stage.model.turn("That is all, bye.", END, settle=False)
    await stage.until(lambda: stage.model.outputs and stage.model.speaking)
    await stage.sleep(0.5)
    await stage.model.began()
    await stage.sleep(6)
    if not stage.phone.up:
        raise Fault("hung up over the caller's word")
    await stage.model.ended("Wait, I forgot something, it is about my mother.", say("Sure, what is it?"))
    await stage.sleep(8)


@scene(Kind.STALE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), end=End.HUNG_UP), Props(effects=SLOW))
async def goodbye_while_it_books(stage: Stage) -> None:
    """The booking takes 5 s; meanwhile the caller says goodbye, and the model calls end_call: told first."""
    await agreed(stage, settle=False)
    await stage.sleep(1.5)
    await stage.model.turn("Thanks, bye.", END, ms=600, settle=False)
    await stage.ended(40)


@scene(Kind.STALE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), end=End.TRANSFERRED),
       Props(effects=SLOW, settings=DESK))  # fmt: skip
async def hand_over_while_it_books(stage: Stage) -> None:
    """The same with hand_over."""
    await agreed(stage, settle=False)
    await stage.sleep(1.5)
    await stage.model.turn("And put me through to somebody.", HAND_OVER, ms=600, settle=False)
    await stage.ended(40)


# --- hung up at every step ---

STEPS = {
    "in_the_read_back": (False, False, 0.8, ()),
    "after_the_read_back": (True, False, 0.0, ()),
    "with_the_yes": (True, True, 0.0, None),
    "as_it_books": (True, True, 1.0, (AT_TEN,)),
}
for _name, (_settle, _yes, _after_s, _stored) in STEPS.items():

    async def _gone(stage: Stage, settle: bool = _settle, yes: bool = _yes, after_s: float = _after_s) -> None:
        await stage.model.turn(WISH, OPEN, settle=settle)
        if yes:
            await stage.model.turn("Yes.", YES, settle=False)
        await stage.sleep(after_s)
        await stage.hang_up()
        await stage.sleep(10)
        record = stage.record()
        results = [task.result for task in record.tasks] if record else []
        if ("booked" in results) is not (AT_TEN in stage.stored()):
            raise Fault(f"the record says {results}, stored is {stage.stored()}")

    _gone.__doc__ = f"The caller hangs up {_name.replace('_', ' ')}: the record and the book say the same."
    add(Kind.EFFECTS, f"hung_up_{_name}", _gone, Ends(stored=_stored), Props(effects=SLOW))


@scene(Kind.EFFECTS, BOOKED, Props(effects=SLOW))
async def line_lost_while_it_books(stage: Stage) -> None:
    """The line is lost for 8 s while it books: told when the caller is back."""
    await agreed(stage, settle=False)
    await stage.sleep(1)
    stage.phone.drop(resume_after_ms=8000)
    await stage.sleep(14)
    await stage.model.quiet()


@scene(Kind.EFFECTS, BOOKED, Props(effects=SLOW))
async def model_lost_while_it_books(stage: Stage) -> None:
    """The model's socket is lost while it books: told on the next one."""
    await agreed(stage, settle=False)
    await stage.sleep(1)
    await stage.model.drop()
    await stage.sleep(14)
    await stage.model.quiet()


# --- identity ---


@scene(Kind.IDENTITY, Ends(stored=(AT_TEN,), unheard=("is cancelled",)))
async def three_wrong_codes_then_the_right_one(stage: Stage) -> None:
    """Name right, three wrong codes, then the right one: not looked at any more in this call."""
    code = int(await booked_and_called_again(stage))
    for off in (1, 2, 3, 0):
        if stage.phone.up:
            told = f"{(code + off) % 10_000:04}"
            await stage.model.turn("Cancel it.", call("cancel_appointment", {"name": NAME, "code": told}))
    if stage.phone.up:
        await stage.model.turn("Yes.", CANCEL_YES)


ALIKE = (HALF_PAST_TEN, Own(at=f"{TOMORROW} 11:00", name="Jon Smith"))


@scene(Kind.IDENTITY, Ends(stored=(f"{TOMORROW} 10:30",), heard=("is cancelled",)), Props(own=ALIKE))
async def two_names_alike(stage: Stage) -> None:
    """John and Jon Smith share a telephone, both come tomorrow; Jon cancels his."""
    jon = call("cancel_appointment", {"name": "Jon Smith", "which": TOMORROW})
    await stage.model.turn("Cancel my appointment tomorrow. Jon Smith.", jon)
    await stage.model.turn("Yes.", CANCEL_YES)


NUMBERS = {
    "user_phone": "sip:+4930555010@10.0.0.1:5060;user=phone;transport=tcp",
    "escaped": "sip:%2B4930555010@carrier.example",
}
for _name, _caller in NUMBERS.items():

    async def _same(stage: Stage) -> None:
        await stage.model.turn("Cancel my appointment tomorrow at half past ten. John Smith.", CANCEL)
        await stage.model.turn("Yes.", CANCEL_YES)

    _same.__doc__ = f"Booked by +4930555010, cancelled by {_caller!r}: the same number."
    add(Kind.IDENTITY, f"same_number_{_name}", _same, Ends(stored=(), heard=("is cancelled",)),
        Props(caller=_caller, own=(HALF_PAST_TEN,)))  # fmt: skip


# --- what is said to be done ---

LIES = {
    "put_down": "I've put you down for Thursday at ten. Anything else?",
    "good_to_go": "You're good to go.",
    "calendar": "It's in the calendar.",
    "confirmed_for": "Confirmed for Thursday at ten!",
}
for _name, _words in LIES.items():

    async def _lies(stage: Stage, words: str = _words) -> None:
        await stage.model.turn(WISH, OPEN)
        await stage.model.turn("Hm, I am not sure.", say(words))
        await stage.model.quiet()

    _lies.__doc__ = f"Nothing is booked, and the model says {_words!r}: corrected."
    add(Kind.CLAIMS, f"lies_{_name}", _lies, Ends(stored=(), heard=("said that wrongly",)))


@scene(Kind.KEYS, Ends(stored=(), silence_s=20))
async def a_flood_of_hashes(stage: Stage) -> None:
    """Three hundred "#" in a task that asks for the day: the call goes on, and is spoken to."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment", {"name": NAME}))
    for _ in range(10):
        stage.phone.press("#" * 30)
        await stage.sleep(0.05)
    await stage.sleep(10)
    if not stage.phone.up:
        raise Fault("the call is gone")
    provide = call("book_appointment_provide", {"day": TOMORROW, "at": "10:00"})
    await stage.model.turn("Tomorrow at ten.", provide)
    if "10:00" not in stage.heard():
        raise Fault("not served after the flood")


@scene(Kind.STALE, TALKING, Props(settings=DESK))
async def wait_over_the_transfer_in_its_last_moment(stage: Stage) -> None:
    """ "No, wait" begins as the sentence before the transfer ends."""
    await stage.model.turn("A human please.", HAND_OVER, settle=False)
    await stage.until(lambda: stage.model.outputs and stage.model.speaking)
    length_s = Say(text=stage.model.last_output["say"]).length_ms / 1000
    await over_the_last_words(stage, "No, wait, when are you open?", say("From nine to five."), after_s=length_s - 0.25)
    await stage.sleep(8)
