"""No silence without an end: whenever nobody has been heard for a while, somebody says something."""

from __future__ import annotations

from tests.adversary.model import Answer, Say, Write, call, say
from tests.adversary.scene import End, Ends, Fault, Kind, Props, Wrong, scene
from tests.adversary.stage import Stage
from tests.adversary.words import AT_TEN, BOOKED_WORDS, DESK, END, NAME, OPEN, TOMORROW, WISH, YES

BRIDGED = Ends(stored=(), silence_s=20)
LONG = Props(limit_s=300)
STEP = "Which day would suit you"


async def _spoken_to(stage: Stage, within_s: float, why: str) -> None:
    """The caller hears something within so many seconds from now."""
    runs = len(stage.phone.handset.ear.runs)
    if not await stage.until(lambda: len(stage.phone.handset.ear.runs) > runs or not stage.phone.up, within_s):
        raise Fault(f"{within_s:.0f} s of silence {why}")


@scene(Kind.SILENCE, Ends(stored=(), end=End.HUNG_UP, silence_s=20), LONG)
async def after_the_greeting(stage: Stage) -> None:
    """Nobody says anything after the greeting: asked at most three times, and ended in words."""
    await stage.ended(110)


@scene(Kind.SILENCE, Ends(stored=(), end=End.HUNG_UP, silence_s=20), LONG)
async def after_an_answer(stage: Stage) -> None:
    """A question is answered, no task is open, and the caller says nothing more."""
    await stage.model.turn("When are you open?", say("Every day from nine to five."))
    await stage.ended(110)


@scene(Kind.SILENCE, Ends(stored=(), end=(End.HUNG_UP, End.TRANSFERRED), silence_s=20), LONG)
async def in_a_task(stage: Stage) -> None:
    """A task asks for the day, and the caller says nothing more."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.ended(140)


@scene(Kind.SILENCE, Ends(stored=(), end=(End.HUNG_UP, End.TRANSFERRED), silence_s=20), LONG)
async def at_the_read_back(stage: Stage) -> None:
    """It is read back, and the caller says nothing more."""
    await stage.model.turn(WISH, OPEN)
    await stage.ended(140)


@scene(Kind.SILENCE, BRIDGED)
async def one_moment(stage: Stage) -> None:
    """ "One moment, let me check." and no function call, as models do."""
    await stage.model.turn(WISH, say("One moment, let me check that for you."))
    await _spoken_to(stage, 20, 'after "one moment"')


@scene(Kind.SILENCE, BRIDGED)
async def one_moment_and_again(stage: Stage) -> None:
    """Asked again, the model says "one moment" again, and again."""
    stage.model.habit = lambda _: Answer(items=(say("One moment please."),))
    await stage.model.turn(WISH)
    await stage.sleep(50)


@scene(Kind.SILENCE, BRIDGED)
async def empty_answer(stage: Stage) -> None:
    """The response to the caller's turn has nothing in it."""
    await stage.model.turn("When are you open?", never=False, settle=False)
    stage.model.script.clear()
    await _spoken_to(stage, 20, "after an empty answer")


@scene(Kind.SILENCE, BRIDGED)
async def answers_nothing(stage: Stage) -> None:
    """The response is completed, without any output."""
    await stage.model.turn("When are you open?", status="completed", settle=False)
    await _spoken_to(stage, 20, "after nothing")


@scene(Kind.SILENCE, BRIDGED)
async def no_response_begins(stage: Stage) -> None:
    """The turn is committed, and the server begins no response."""
    await stage.model.turn("When are you open?", never=True, settle=False)
    await _spoken_to(stage, 20, "as no response begins")


@scene(Kind.SILENCE, BRIDGED)
async def response_hangs(stage: Stage) -> None:
    """The response begins, and nothing comes."""
    await stage.model.turn("When are you open?", hangs=True, settle=False)
    await _spoken_to(stage, 20, "as the response hangs")


@scene(Kind.SILENCE, Ends(stored=(), heard=("From nine to five",), silence_s=10))
async def response_stalls(stage: Stage) -> None:
    """The audio stops in mid-sentence, and the response does not end: said again."""
    half = Say(text="We are open every day from", stalls=900)
    await stage.model.turn("When are you open?", half, settle=False)
    stage.model.script.append(Answer(items=(say("From nine to five."),)))
    await _spoken_to(stage, 10, "as the response stalls")
    await stage.until(lambda: "From nine to five." in stage.model.said, 10)
    await stage.model.quiet()


@scene(Kind.SILENCE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), silence_s=15))
async def booked_and_stalled(stage: Stage) -> None:
    """It is booked, and the sentence about it stalls again and again."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES, settle=False)
    stalled = Answer(items=(Say(text="Your appointment", stalls=600),))
    stage.model.script.extend([stalled, stalled])
    await stage.until(lambda: stage.stored() != (), 10)
    await stage.sleep(25)
    await stage.model.quiet()


for _reason in ("max_output_tokens", "content_filter"):

    async def _cut_short(stage: Stage, reason: str = _reason) -> None:
        half = say("We are open every day from")
        await stage.model.turn("When are you open?", half, status="incomplete", reason=reason)
        await _spoken_to(stage, 20, "after half an answer")

    _cut_short.__doc__ = f"The answer is cut short by {_reason}."
    scene(Kind.SILENCE, BRIDGED, name=f"cut_by_{_reason}")(_cut_short)

    async def _owed(stage: Stage, reason: str = _reason) -> None:
        await stage.model.turn(WISH, OPEN)
        await stage.model.turn("Yes.", YES, settle=False)
        stage.model.script.append(Answer(status="incomplete", reason=reason))
        await stage.until(lambda: stage.stored() != (), 10)
        await stage.sleep(12)
        await stage.model.quiet()

    _owed.__doc__ = f"It is booked, and the sentence about it falls to {_reason}: said word for word."
    scene(Kind.SILENCE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)), name=f"booked_and_{_reason}")(_owed)


@scene(Kind.SILENCE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), silence_s=20))
async def booked_and_text_only(stage: Stage) -> None:
    """It is booked, and the model writes text where speech was asked for."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES, settle=False)
    stage.model.script.append(Answer(items=(Write(text="Your appointment is booked."),)))
    await stage.until(lambda: stage.stored() != (), 10)
    await stage.sleep(12)
    await stage.model.quiet()


@scene(Kind.SILENCE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), silence_s=20))
async def silent_after_the_booking(stage: Stage) -> None:
    """It is booked, and the model says nothing of its own about it, ever: our words are said word for word."""
    await stage.model.turn(WISH, OPEN)
    stage.model.habit = lambda _: Answer()
    await stage.model.turn("Yes.", YES, settle=False)
    await stage.sleep(25)
    await stage.model.quiet()


@scene(Kind.SILENCE, Ends(stored=(), heard=("Shall I book",), silence_s=20))
async def read_back_filtered(stage: Stage) -> None:
    """The read-back falls to the content filter, twice."""
    await stage.model.turn(WISH, OPEN, settle=False)
    stage.model.script.extend(Answer(status="incomplete", reason="content_filter") for _ in range(2))
    await stage.sleep(25)
    await stage.model.quiet()


@scene(Kind.SILENCE, Ends(stored=(), heard=("Shall I book",), silence_s=20))
async def read_back_fails_midway(stage: Stage) -> None:
    """server_error in the middle of the read-back: the audio has no end, the response failed."""
    half = Say(text="Thursday 26 Nov", ms=900, audio_done=False, status="incomplete")
    await stage.model.turn(WISH, OPEN, settle=False)
    error = {"type": "server_error", "code": "server_error", "message": "The server had an error"}
    stage.model.script.append(Answer(items=(half,), status="failed", error=error))
    await stage.sleep(25)
    await stage.model.quiet()


# --- the caller's side ---


@scene(Kind.SILENCE, BRIDGED, LONG)
async def radio(stage: Stage) -> None:
    """speech_started, and never an end: a radio in the background."""
    await stage.model.began(counts=False)
    await stage.sleep(100)


@scene(Kind.SILENCE, BRIDGED, LONG)
async def radio_in_a_task(stage: Stage) -> None:
    """The same, where a task has asked for the day."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.model.began(counts=False)
    await stage.sleep(100)


@scene(Kind.SILENCE, BRIDGED, LONG)
async def babble(stage: Stage) -> None:
    """Voices in the background: turns of 12 s without words, one after the other, each cutting the bot."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    for _ in range(8):
        await stage.model.began(counts=False)
        await stage.sleep(12)
        await stage.model.ended("", say("Sorry, which day?", 3000))
        await stage.sleep(0.2)
        if not stage.phone.up:
            break


@scene(Kind.SILENCE, BRIDGED, LONG)
async def stopped_without_committed(stage: Stage) -> None:
    """speech_started, speech_stopped, and no committed: the turn was too short for the server."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.model.began()
    await stage.sleep(0.3)
    await stage.model.stopped()
    await _spoken_to(stage, 20, "after a turn that was not committed")


@scene(Kind.SILENCE, BRIDGED, LONG)
async def stopped_without_committed_no_task(stage: Stage) -> None:
    """The same, where no task is open."""
    await stage.model.began()
    await stage.sleep(0.3)
    await stage.model.stopped()
    await _spoken_to(stage, 20, "after a turn that was not committed")


@scene(Kind.SILENCE, BRIDGED, LONG)
async def stream_stops_in_speech(stage: Stage) -> None:
    """`userStream.stop` in mid-utterance: silence is appended until the turn ends."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.model.began()
    await stage.sleep(0.5)
    stage.phone.handset.mute()
    await stage.sleep(0.2)
    heard_ms = stage.model.audio_ms
    if not await stage.until(lambda: stage.model.audio_ms - heard_ms >= 600, 5):
        raise Fault("the line fell silent in mid-utterance, and the model is sent nothing that would end the turn")
    await stage.model.ended("Tomorrow at", say("At what time?"))
    await stage.model.quiet()


@scene(Kind.SILENCE, BRIDGED, LONG)
async def stream_stops_and_stays(stage: Stage) -> None:
    """`userStream.stop` in mid-utterance, and no end of speech ever comes."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.model.began(counts=False)
    stage.phone.handset.mute()
    await stage.sleep(80)


@scene(Kind.SILENCE, BRIDGED)
async def words_are_empty(stage: Stage) -> None:
    """Turns without words, which the model does not answer."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    for _ in range(3):
        await stage.model.began(counts=False)
        await stage.sleep(0.3)
        await stage.model.ended("", delay_s=0.05)
        await stage.sleep(6)


@scene(Kind.SILENCE, BRIDGED)
async def half_open_socket(stage: Stage) -> None:
    """VAIC resumes on a new socket while the old one is half open."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    stage.phone.drop(resume_after_ms=500, half_open=True)
    await stage.sleep(1)
    await stage.until(lambda: stage.phone.handset.up_since_ms is not None, 10)
    await stage.model.turn(
        "Tomorrow at ten.", call("book_appointment_provide", {"day": TOMORROW, "at": "10:00", "name": NAME})
    )
    await stage.sleep(2)
    if "10:00" not in stage.heard():
        raise Fault("nothing is heard on the new socket")


@scene(Kind.SILENCE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)))
async def socket_lost_at_the_yes(stage: Stage) -> None:
    """The line breaks right after the yes, and comes back: what was booked is told."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES, settle=False)
    stage.phone.drop(resume_after_ms=1500)
    await stage.sleep(8)
    await stage.model.quiet()
    await stage.sleep(10)
    await stage.model.quiet()


@scene(Kind.SILENCE, Ends(stored=(), end=End.HUNG_UP, silence_s=20), Props(limit_s=300))
async def nobody_hangs_up(stage: Stage) -> None:
    """The model says goodbye without end_call, and the caller waits."""
    await stage.model.turn("Thanks, bye.", say("Goodbye!"))
    await stage.ended(110)


@scene(Kind.SILENCE, Ends(stored=(), end=(End.HUNG_UP, End.TALKING), silence_s=20))
async def wait_for_end_call(stage: Stage) -> None:
    """end_call, and its farewell hangs at the server."""
    await stage.model.turn("Bye.", END, settle=False)
    stage.model.script.append(Answer(hangs=True, to_any=True))
    if not await stage.ended(20):
        raise Fault("not hung up in 20 s")


@scene(
    Kind.SILENCE, Ends(stored=(), end=(End.HUNG_UP, End.TRANSFERRED), silence_s=20), Props(settings=DESK, limit_s=300)
)
async def model_is_mute(stage: Stage) -> None:
    """From its greeting on the model says nothing at all, whatever it is asked."""
    stage.model.habit = lambda _: Answer()
    for _ in range(20):
        stage.model.script.append(Answer(to_any=True))
    for _ in range(3):
        await stage.model.began()
        await stage.sleep(0.8)
        await stage.model.ended("Hello?")
        await stage.sleep(10)
    await stage.ended(80)


@scene(Kind.SILENCE, Ends(stored=None, silence_s=None))
async def noise_reduction_is_set(stage: Stage) -> None:
    """The session asks for noise reduction."""
    if not stage.model.noise_reduction:
        raise Fault("the session's noise_reduction is not set")


@scene(Kind.SILENCE, Ends(stored=(), silence_s=20), Props(limit_s=300))
async def silence_with_a_no_input_setting(stage: Stage) -> None:
    """Said twice that nothing is needed; the reminder goes on in a human tempo: at most three in a row."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    asked = len(stage.model.requests)
    await stage.sleep(90)
    reminders = len(stage.model.requests) - asked
    if reminders > 4:
        raise Fault(f"asked {reminders} times")


@scene(Kind.SILENCE, Ends(stored=None, end=End.TALKING))
async def wait_into_the_goodbye(stage: Stage) -> None:
    """Nobody answers three times; the caller comes back while the recorded goodbye plays, and wants an appointment."""
    await stage.until(lambda: stage.phone.now_ms > 41_300)
    await stage.model.began()
    await stage.sleep(2)
    await stage.model.ended("Wait! I want an appointment tomorrow at ten, John Smith.", OPEN)
    await stage.sleep(10)


async def _later_than(stage: Stage, ms: int) -> None:
    await stage.until(lambda: stage.phone.now_ms > ms)


@scene(Kind.SILENCE, Ends(stored=(), heard=("Sure.",), end=End.HUNG_UP), Props(settings={"max_call_s": 30}))
async def too_long_in_mid_sentence(stage: Stage) -> None:
    """The longest call passes in the middle of a caller's sentence: it is heard, answered, and then the call ends."""
    await _later_than(stage, 26_500)
    await stage.model.began()
    await stage.sleep(6)
    await stage.model.ended("I would like an appointment tomorrow.", say("Sure."))
    await stage.sleep(10)


@scene(
    Kind.EFFECTS,
    Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,), end=End.HUNG_UP),
    Props(settings={"max_call_s": 28}, effects={"appointments.book": Wrong.SLOW}, slow_s=6),
)
async def too_long_while_it_books(stage: Stage) -> None:
    """The longest call passes while the appointment is being booked: the caller hears that it is."""
    await _later_than(stage, 17_000)
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES, settle=False)
    await stage.sleep(25)
