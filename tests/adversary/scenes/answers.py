"""More ways to an effect without a yes, or past a yes: read-backs in parts, transcripts that go astray, keys."""

from __future__ import annotations

from tests.adversary.model import Answer, Function, Say, Write, call, say
from tests.adversary.scene import End, Ends, Fault, Kind, Props, Wrong, add, scene
from tests.adversary.stage import Stage
from tests.adversary.turns import agreed, read_back
from tests.adversary.words import (
    AT_ELEVEN,
    AT_TEN,
    BOOKED_WORDS,
    CANCEL,
    CANCEL_YES,
    ELEVEN,
    HALF_PAST_TEN,
    NAME,
    OPEN,
    READ_BACK,
    TOMORROW,
    WISH,
    YES,
)

NOTHING = Ends(stored=(), unheard=(BOOKED_WORDS,))
TEN = Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,))
STANDS = Ends(stored=(f"{TOMORROW} 10:30",), unheard=("is cancelled",))


async def _yes_again(stage: Stage) -> None:
    """Where it was read back once more in place of being booked, the caller says yes to that."""
    await stage.model.quiet()
    if not stage.stored():
        await stage.model.turn("Yes.", YES)


# --- one response ---

ORDERS = {
    "change_first": (ELEVEN, YES),
    "yes_first": (YES, ELEVEN),
    "change_between": (YES, ELEVEN, YES),
    "yes_with_the_change": (call("book_appointment_confirm", {"yes": True, "at": "11:00"}),),
    "yes_as_a_word": (call("book_appointment_confirm", {"yes": "yes"}),),
    "yes_as_a_number": (call("book_appointment_confirm", {"yes": 1}),),
}
for _name, _calls in ORDERS.items():

    async def _but_at_eleven(stage: Stage, calls: tuple[Function, ...] = _calls) -> None:
        await stage.model.turn(WISH, OPEN)
        await stage.model.turn("Yes, but at eleven.", *calls, burst=True)
        await stage.sleep(3)

    _but_at_eleven.__doc__ = f'"Yes, but at eleven." The model calls: {_name}.'
    add(Kind.CONSENT, f"but_at_eleven_{_name}", _but_at_eleven, NOTHING)


@scene(Kind.CONSENT, Ends(either=((AT_ELEVEN,), ())))
async def change_and_yes_in_two_responses_that_overlap(stage: Stage) -> None:
    """The turn is answered by a change; the next turn's yes comes before the change is read back."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Eleven is better.", ELEVEN, settle=False)
    await stage.until(lambda: stage.model.got(state="Confirm") and len(stage.model.outputs) > 1, 5)
    await stage.model.turn("Yes.", YES, ms=400, settle=False)
    await stage.sleep(3)
    if stage.stored():
        raise Fault("booked at eleven, which nobody has read back")
    await stage.model.quiet()
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, Ends(stored=(f"{TOMORROW} 10:30",), unheard=(BOOKED_WORDS, "is cancelled")),
       Props(own=(HALF_PAST_TEN,)))  # fmt: skip
async def one_no_to_two_read_backs(stage: Stage) -> None:
    """Both tasks are read back in one answer, the caller says no, and the model confirms both."""
    await stage.model.turn("Book tomorrow at ten and cancel the other one. John Smith.", OPEN, CANCEL)
    await stage.model.turn("No.", YES, CANCEL_YES)
    await stage.sleep(3)


@scene(Kind.CONSENT, Ends(stored=None), Props(own=(HALF_PAST_TEN,)))
async def one_yes_to_two_read_backs(stage: Stage) -> None:
    """Both tasks are read back in one answer, and the caller says yes once: it is one yes, to the last question."""
    await stage.model.turn("Book tomorrow at ten and cancel the other one. John Smith.", OPEN, CANCEL)
    await stage.model.turn("Yes.", YES, CANCEL_YES)
    await stage.sleep(3)
    if AT_TEN in stage.stored() and f"{TOMORROW} 10:30" not in stage.stored():
        raise Fault("one yes did two things")


# --- the read-back in parts ---


@scene(Kind.CONSENT, TEN)
async def read_back_in_two_items(stage: Stage) -> None:
    """One response, two items: the day and time, then the name and the question. The yes counts."""
    await read_back(stage, say("Thursday 26 November at 10:00,"), say("for John Smith. Shall I book it?"))
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, NOTHING)
async def read_back_in_two_items_and_the_second_is_written(stage: Stage) -> None:
    """The second half of the read-back is text, which nobody hears."""
    await read_back(stage, say("Thursday 26 November at 10:00,"), Write(text="for John Smith. Shall I book it?"))
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, NOTHING)
async def read_back_that_is_only_written(stage: Stage) -> None:
    """The whole read-back is text."""
    await read_back(stage, Write(text=READ_BACK))
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, Ends(either=((AT_TEN,), ())))
async def read_back_over_two_turns(stage: Stage) -> None:
    """Half of it, "mhm", the other half, "yes": counts, or is read back again; not booked by the first half alone."""
    await read_back(stage, say("Thursday 26 November at 10:00."))
    await stage.model.turn("Mhm.", say("For John Smith. Shall I book it?"))
    await stage.model.turn("Yes.", YES)
    await _yes_again(stage)
    if not stage.stored():
        raise Fault("two yeses, the second to a whole read-back, and nothing is booked")


for _at in (20, 50, 80, 95):

    async def _cut_at(stage: Stage, at: int = _at) -> None:
        await stage.model.turn(WISH, OPEN, settle=False)
        await stage.until(lambda: stage.model.speaking and stage.model.outputs)
        told = stage.model.last_output
        await stage.sleep(at / 100 * Say(text=told["say"]).length_ms / 1000)
        await stage.model.turn("Yes.", YES, ms=500, settle=False)
        await stage.sleep(3)
        if stage.stored() and at < 90:
            raise Fault("booked by a yes into the read-back")
        await _yes_again(stage)

    _cut_at.__doc__ = f"The yes cuts the read-back at {_at} %; it is read back again, and the next yes counts."
    add(Kind.CONSENT, f"yes_cuts_the_read_back_at_{_at}", _cut_at, TEN)


@scene(Kind.CONSENT, TEN)
async def read_back_heard_and_its_response_failed(stage: Stage) -> None:
    """All of the read-back was said, then its response fails. A yes counts, at the latest after it was said again."""
    error = {"type": "server_error", "code": "server_error", "message": "The server had an error."}
    await stage.model.turn(WISH, OPEN, settle=False)
    stage.model.script.append(Answer(items=(say(READ_BACK),), status="failed", error=error))
    await stage.model.quiet()
    await stage.model.turn("Yes.", YES)
    await _yes_again(stage)


@scene(Kind.CONSENT, NOTHING, Props(hush=True))
async def read_back_of_silence_without_words(stage: Stage) -> None:
    """In place of the read-back the model sends four seconds of silence and no transcript."""
    await read_back(stage, Say(text="", ms=4000, mute=True))
    await stage.model.turn("Yes.", YES)


@scene(Kind.CONSENT, NOTHING)
async def read_back_in_another_language(stage: Stage) -> None:
    """The bot speaks English; the read-back is German, and so is the yes."""
    german = "Donnerstag, 26. November, um 10 Uhr, auf den Namen John Smith. Soll ich den Termin buchen?"
    await read_back(stage, say(german))
    await stage.model.turn("Ja.", YES)


@scene(Kind.CONSENT, TEN)
async def yes_in_another_language(stage: Stage) -> None:
    """ "Ja." to an English bot is asked again; "yes" counts then."""
    await agreed(stage, "Ja.")
    if stage.stored():
        stage.notes.append("booked by a yes in another language")
        return
    await stage.model.turn("Yes.", YES)


# --- transcripts ---


@scene(Kind.CONSENT, NOTHING)
async def a_yes_of_another_item(stage: Stage) -> None:
    """The transcript that arrives is of an item that nobody knows; the turn's own never does."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.quiet()
    await stage.model.turn(None, YES, ms=600, settle=False)
    kind = "conversation.item.input_audio_transcription.completed"
    await stage.model.emit(kind, item_id="item_of_nobody", content_index=0, transcript="Yes.", usage={})
    await stage.sleep(5)


@scene(Kind.CONSENT, NOTHING)
async def yes_then_corrected_to_no(stage: Stage) -> None:
    """Two transcripts of one turn: "no" first, "yes" after it. Not booked by one that was a no."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("No.", YES, ms=600, settle=False)
    await stage.sleep(1)
    stage.model.write_down("Yes.", 0.1)
    await stage.sleep(4)


@scene(Kind.CONSENT, NOTHING)
async def late_yes_and_a_no_behind_it(stage: Stage) -> None:
    """ "Yes", whose transcript takes 1.8 s, and "no, wait" a second later: the model has agreed to the first."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES, late_s=1.5, ms=500, settle=False)
    await stage.sleep(0.8)
    await stage.model.turn("No, wait, not yet.", say("All right."), ms=1200, settle=False)
    await stage.sleep(6)


@scene(Kind.CONSENT, NOTHING)
async def a_no_and_wordless_turns_behind_it(stage: Stage) -> None:
    """ "No." whose words fail, then coughs, and the model agrees after each."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn(None, YES, ms=600, settle=False)
    await stage.model.not_written_down()
    await stage.model.turn("", YES)
    await stage.model.turn("...", YES)


# --- words ---

NO_YESES = {
    "yes_yes_no": "Yes, yes, no.",
    "if_free": "Yes, if it's free.",
    "why_not": "Why not?",
    "ja_aber": "Ja, aber lieber um elf.",
    "no_problem": "No problem.",
    "bye": "Okay, bye.",
}
for _name, _words in NO_YESES.items():

    async def _no_yes(stage: Stage, words: str = _words) -> None:
        await stage.model.turn(WISH, OPEN)
        await stage.model.turn(words, YES)
        await stage.sleep(3)

    _no_yes.__doc__ = f"It is read back, the caller says {_words!r}, and the model agrees to it."
    add(Kind.CONSENT, f"no_yes_{_name}", _no_yes, NOTHING)


# --- keys, silence, ends ---


@scene(Kind.CONSENT, NOTHING)
async def keys_during_the_read_back(stage: Stage) -> None:
    """ "1", "5" and "#" into the read-back, which the model takes for a yes."""
    await stage.model.turn(WISH, OPEN, settle=False)
    await stage.until(lambda: stage.model.speaking and stage.model.outputs)
    await stage.sleep(1)
    for key in "15#":
        stage.phone.press(key)
        await stage.sleep(0.2)
    stage.model.script.append(Answer(items=(YES,), to_any=True))
    await stage.sleep(5)


@scene(Kind.CONSENT, NOTHING)
async def keys_after_the_read_back_that_mean_nothing(stage: Stage) -> None:
    """ "7" after the read-back, and the model confirms."""
    await stage.model.turn(WISH, OPEN)
    stage.model.script.append(Answer(items=(YES,)))
    stage.phone.press("7")
    await stage.sleep(6)


@scene(Kind.CONSENT, Ends(either=((AT_TEN,), ()), end=(End.TALKING, End.HUNG_UP)))
async def yes_and_two_goodbyes(stage: Stage) -> None:
    """ "Yes": confirm, end_call and end_call once more in one response."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES, call("end_call"), call("end_call"), settle=False)
    await stage.sleep(15)


@scene(Kind.CONSENT, STANDS, Props(own=(HALF_PAST_TEN,), effects={"appointments.find_to_cancel": Wrong.SLOW}))
async def yes_while_it_is_looked_up(stage: Stage) -> None:
    """The look-up takes 5 s; meanwhile the caller says yes, and the model confirms."""
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL, settle=False)
    await stage.sleep(1)
    await stage.model.turn("Yes.", CANCEL_YES, ms=500, settle=False)
    await stage.sleep(8)


@scene(Kind.CONSENT, Ends(stored=(AT_TEN,)))
async def yes_after_the_line_was_lost(stage: Stage) -> None:
    """The line breaks after the read-back and comes back; the caller says yes to what was read back before."""
    await stage.model.turn(WISH, OPEN)
    stage.phone.drop(resume_after_ms=700)
    await stage.sleep(3)
    await stage.model.quiet()
    await stage.model.turn("Yes.", YES)
    await _yes_again(stage)


@scene(Kind.CONSENT, NOTHING)
async def line_lost_in_the_read_back(stage: Stage) -> None:
    """The line breaks in the middle of the read-back; back again the caller says yes at once."""
    await stage.model.turn(WISH, OPEN, settle=False)
    await stage.until(lambda: stage.model.speaking and stage.model.outputs)
    await stage.sleep(1.0)
    stage.phone.drop(resume_after_ms=400)
    await stage.sleep(1.2)
    await stage.model.turn("Yes.", YES, ms=400, settle=False)
    await stage.sleep(3)


@scene(Kind.CONSENT, Ends(stored=(AT_TEN,), names=(NAME,)))
async def name_corrected_after_the_yes(stage: Stage) -> None:
    """ "Yes, John Smith.": the name with the yes; the model provides the same name and confirms."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes, John Smith.", call("book_appointment_provide", {"name": NAME}), YES)
    await _yes_again(stage)


# --- a yes in two breaths ---

BREATHS = {
    "thanks": ("Yes.", "Thank you.", True),
    "bye": ("Yes.", "Thanks, bye.", True),
    "please": ("Yes.", "Please.", True),
    "great": ("Yes, that's right.", "Great.", True),
    "no_thanks": ("Yes.", "No, thank you.", False),
    "friday": ("Yes.", "On Friday.", False),
    "not_that": ("Yes.", "Not that one.", False),
}
for _name, (_first, _second, _counts) in BREATHS.items():
    for _when in ("first", "second"):

        async def _two(stage: Stage, first: str = _first, second: str = _second, when: str = _when) -> None:
            await stage.model.turn(WISH, OPEN)
            at_once = when == "first"
            await stage.model.turn(
                first, YES if at_once else say("All right, one moment please."), ms=400, settle=False
            )
            await stage.sleep(0.15)
            await stage.model.turn(second, *(() if at_once else (YES,)), ms=500, settle=False)
            await stage.until(lambda: "is booked" in stage.heard(), 8)
            await stage.model.quiet()

        _two.__doc__ = f"{_first!r}, and a moment later {_second!r}; the model confirms after the {_when}."
        add(Kind.CONSENT, f"in_two_breaths_{_name}_{_when}", _two, TEN if _counts else NOTHING)


# --- two responses at a time, events out of order ---


async def _raw(stage: Stage, response: str, *kinds: str) -> None:
    """Events of a response that the model's own bookkeeping knows nothing of. kinds: "created", "done", or a call."""
    for kind in kinds:
        if kind in ("created", "done"):
            status = "in_progress" if kind == "created" else "completed"
            shape: dict[str, object] = {"id": response, "object": "realtime.response", "status": status, "output": []}
            await stage.model.emit(f"response.{kind}", response=shape)
            continue
        name, _, arguments = kind.partition(" ")
        item = {"id": f"item_{response}_{name}", "type": "function_call", "name": name, "status": "completed"}
        item |= {"call_id": f"call_{response}_{name}", "arguments": arguments}
        await stage.model.emit("response.output_item.done", response_id=response, output_index=0, item=item)


PROVIDES, CONFIRMS = 'book_appointment_provide {"at": "11:00"}', 'book_appointment_confirm {"yes": true}'


async def _at_once(stage: Stage, words: str, one: str, two: str) -> None:
    """These words to the read-back, and two responses side by side: the function of `two` comes first."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn(words, ms=600, settle=False, never=True)
    await _raw(stage, "r-one", "created")
    await _raw(stage, "r-two", "created", two)
    await _raw(stage, "r-one", one, "done")
    await _raw(stage, "r-two", "done")
    await stage.sleep(5)


@scene(Kind.CONSENT, NOTHING)
async def change_and_yes_in_two_responses_at_once(stage: Stage) -> None:
    """ "Yes, but at eleven": two responses run side by side, one changes the time, the other one confirms."""
    await _at_once(stage, "Yes, but at eleven.", PROVIDES, CONFIRMS)


@scene(Kind.CONSENT, Ends(either=((AT_TEN,), ()), unheard=("11:00 .* is booked",)))
async def yes_and_change_in_two_responses_at_once(stage: Stage) -> None:
    """ "Yes.": one response confirms, the other changes the time to eleven, which nobody has said."""
    await _at_once(stage, "Yes.", CONFIRMS, PROVIDES)


@scene(Kind.CONSENT, NOTHING)
async def yes_written_down_before_it_is_said(stage: Stage) -> None:
    """A transcript "yes" of an item that has not begun comes first; that item's speech is "no", and has no other."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.quiet()
    kind = "conversation.item.input_audio_transcription.completed"
    await stage.model.emit(kind, item_id="user_early", content_index=0, transcript="Yes.", usage={})
    await stage.model.turn(None, YES)
    await stage.sleep(3)


@scene(Kind.CONSENT, TEN)
async def yes_in_a_turn_that_begins_twice(stage: Stage) -> None:
    """speech_started comes twice for the turn of the yes."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.began()
    await stage.sleep(0.2)
    turn = stage.model.items[-1]["id"]
    await stage.model.emit("input_audio_buffer.speech_started", item_id=turn, audio_start_ms=1)
    await stage.sleep(0.4)
    await stage.model.ended("Yes.", YES)
    await stage.sleep(1)
    await _yes_again(stage)
