"""Facts older than the caller's last word end nothing; and what the caller has agreed to comes about."""

from __future__ import annotations

from tests.adversary.model import Answer, Function, Item, call, say
from tests.adversary.scene import End, Ends, Fault, Kind, Props, Wrong, scene
from tests.adversary.stage import Stage
from tests.adversary.turns import over_the_last_words, put_through
from tests.adversary.words import AT_TEN, BOOKED_WORDS, DESK, END, HAND_OVER, OPEN, WISH, YES

TALKING = Ends(stored=(), end=End.TALKING)
NOT_BOOKED = Ends(stored=(), unheard=(BOOKED_WORDS,))
GONE = Ends(stored=(), end=End.HUNG_UP)
THROUGH = Ends(stored=(), end=End.TRANSFERRED)
HUMAN = Props(settings=DESK)


async def _cut_off(stage: Stage, *functions: Item) -> None:
    """The caller says "wait" into the response whose function call is complete, before it is done."""
    await stage.model.quiet()
    await stage.model.began()
    await stage.sleep(0.6)
    await stage.model.ended("That is all, bye.", say("Thank you.", then_s=0.0), *functions, say("Good" + "bye" * 20))
    await stage.until(lambda: len(stage.model.said) > 1 and stage.model.speaking)
    await stage.sleep(0.1)
    await stage.model.began()
    await stage.sleep(0.8)
    await stage.model.ended("Wait, one more thing!", say("Sure, what is it?"))
    await stage.sleep(8)


@scene(Kind.STALE, TALKING)
async def wait_after_end_call(stage: Stage) -> None:
    """end_call is complete, the caller says "wait" into its response: not hung up."""
    await _cut_off(stage, END)


@scene(Kind.STALE, TALKING, HUMAN)
async def wait_after_hand_over(stage: Stage) -> None:
    """hand_over is complete, the caller says "wait" into its response: not transferred."""
    await _cut_off(stage, HAND_OVER)


async def _too_late(stage: Stage, function: Function) -> None:
    """The caller speaks into the answer; its function call is complete just behind that, and then it is cut."""
    await stage.model.turn("That is all.", say("Thank you very much for calling us today", 3000), settle=False)
    await stage.until(lambda: stage.model.speaking)
    await stage.sleep(0.3)
    await stage.model.began(function)
    await stage.sleep(0.8)
    await stage.model.ended("Wait, one more thing!", say("Sure, what is it?"))
    await stage.sleep(10)


@scene(Kind.STALE, TALKING)
async def end_call_after_the_barge_in(stage: Stage) -> None:
    """end_call comes complete after the caller has begun to speak, in the response that is cut: not hung up."""
    await _too_late(stage, END)


@scene(Kind.STALE, TALKING, HUMAN)
async def hand_over_after_the_barge_in(stage: Stage) -> None:
    """hand_over comes complete after the caller has begun to speak, in the response that is cut: not transferred."""
    await _too_late(stage, HAND_OVER)


@scene(Kind.STALE, NOT_BOOKED)
async def yes_after_the_barge_in(stage: Stage) -> None:
    """A yes comes complete in the response that the caller's "no, wait" cuts: not booked."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", say("All right, one moment", 3000), settle=False)
    await stage.until(lambda: stage.model.speaking)
    await stage.sleep(0.3)
    await stage.model.began(YES)
    await stage.sleep(0.8)
    await stage.model.ended("No, wait!", say("Sorry?"))
    await stage.sleep(5)


@scene(Kind.STALE, TALKING)
async def wait_before_the_farewell(stage: Stage) -> None:
    """end_call is answered; the caller speaks before the farewell begins, and is answered."""
    await stage.model.turn("Bye.", END, settle=False)
    await stage.until(lambda: stage.model.outputs)
    await stage.model.began()
    await stage.sleep(0.3)
    await stage.model.ended("Oh wait, can you also cancel my appointment?", say("Sure, under what name?"))
    await stage.sleep(8)


@scene(Kind.STALE, GONE)
async def bye_again_after_a_wait(stage: Stage) -> None:
    """Called off once, a second end_call hangs up."""
    await stage.model.turn("Bye.", END, settle=False)
    await over_the_last_words(stage, "Oh wait, what are your hours?", say("From nine to five."))
    await stage.model.quiet()
    await stage.model.turn("Thanks, bye.", END, settle=False)
    await stage.ended(15)


@scene(Kind.STALE, GONE)
async def goodbye_said_with_end_call(stage: Stage) -> None:
    """The goodbye is spoken in the response that calls end_call, and the model says nothing more: hung up soon."""
    await stage.model.turn("Bye.", say("Thank you for calling, goodbye."), END, settle=False)
    stage.model.script.extend(Answer(to_any=True) for _ in range(4))
    if not await stage.ended(12):
        raise Fault("not hung up 12 s after the goodbye")


@scene(Kind.STALE, GONE)
async def mute_farewell(stage: Stage) -> None:
    """end_call, and the model never says a farewell: hung up within a few seconds, in words."""
    stage.model.habit = lambda _: Answer()
    await stage.model.turn("Bye.", END, settle=False)
    stage.model.script.extend(Answer(to_any=True) for _ in range(6))
    if not await stage.ended(15):
        raise Fault("not hung up in 15 s")


@scene(Kind.STALE, Ends(stored=(AT_TEN,), end=End.HUNG_UP, heard=(BOOKED_WORDS, "bye")))
async def yes_and_bye(stage: Stage) -> None:
    """ "Yes, bye.": the yes and end_call in one response. Booked, told, and hung up."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes, bye.", YES, END, burst=True, settle=False)
    await stage.ended(30)


@scene(Kind.STALE, Ends(stored=(AT_TEN,), end=End.HUNG_UP, heard=(BOOKED_WORDS,)))
async def bye_and_yes(stage: Stage) -> None:
    """The same, in the other order."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes, bye.", END, YES, settle=False)
    await stage.ended(30)


@scene(
    Kind.STALE,
    Ends(stored=(AT_TEN,), end=End.HUNG_UP, heard=(BOOKED_WORDS,)),
    Props(effects={"appointments.book": Wrong.SLOW}, slow_s=4),
)
async def yes_and_bye_slow(stage: Stage) -> None:
    """The same, and the booking takes four seconds."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes, bye.", YES, END, burst=True, settle=False)
    await stage.ended(30)


@scene(Kind.STALE, Ends(stored=(AT_TEN,), end=End.TRANSFERRED, heard=(BOOKED_WORDS,)), HUMAN)
async def yes_and_put_me_through(stage: Stage) -> None:
    """ "Yes, and put me through": booked, told, and transferred."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes, and put me through to a human.", YES, HAND_OVER, burst=True, settle=False)
    await stage.ended(30)


@scene(Kind.STALE, THROUGH, HUMAN)
async def thanks_over_the_transfer(stage: Stage) -> None:
    """ "Okay, thanks" into "I will put you through": carried out after it."""
    await stage.model.turn("A human please.", HAND_OVER, settle=False)
    await over_the_last_words(stage, "Okay, thanks.", say("You are welcome."))
    await stage.ended(20)


@scene(Kind.STALE, THROUGH, HUMAN)
async def cough_over_the_transfer(stage: Stage) -> None:
    """A cough into "I will put you through": still carried out."""
    await stage.model.turn("A human please.", HAND_OVER, settle=False)
    await over_the_last_words(stage, "", say("Sorry?"))
    await stage.ended(20)


@scene(Kind.STALE, TALKING, HUMAN)
async def no_over_the_transfer(stage: Stage) -> None:
    """ "No wait, I'd rather book something" into "I will put you through": called off."""
    await stage.model.turn("A human please.", HAND_OVER, settle=False)
    book = call("book_appointment", {"day": "2026-11-26"})
    await over_the_last_words(stage, "No wait, I'd rather book an appointment for tomorrow.", book)
    await stage.sleep(8)


@scene(Kind.STALE, GONE)
async def thanks_over_the_farewell(stage: Stage) -> None:
    """ "Thanks, bye!" into the farewell: hung up."""
    await stage.model.turn("That is all.", END, settle=False)
    await over_the_last_words(stage, "Thanks, bye!", say("Goodbye."))
    if not await stage.ended(15):
        raise Fault("not hung up 15 s after the goodbyes")


@scene(Kind.STALE, GONE)
async def cough_over_the_farewell(stage: Stage) -> None:
    """A cough into the farewell, which the model answers with nothing: hung up."""
    await stage.model.turn("That is all, goodbye.", END, settle=False)
    await over_the_last_words(stage, "")
    await stage.ended(15)


@scene(Kind.STALE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)))
async def told_while_the_caller_speaks(stage: Stage) -> None:
    """ "Yes … no, not that": the booking is done while the caller goes on. The caller is told that it stands."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes", YES, settle=False)
    await stage.until(lambda: stage.model.got(result="booked"))
    await stage.model.began()
    await stage.sleep(0.8)
    await stage.model.ended("no, not that!", say("Sorry. What would you like?"))
    await stage.model.quiet()
    await stage.sleep(6)
    await stage.model.quiet()


@scene(Kind.STALE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)), Props(effects={"appointments.book": Wrong.SLOW}))
async def result_lands_in_speech(stage: Stage) -> None:
    """The booking takes 5 s; the caller says "hello?" just when it is done: what it came to is said."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes please.", YES, settle=False)
    await stage.sleep(4.6)
    await stage.model.began()
    await stage.until(lambda: stage.model.got(result="booked"), 6)
    await stage.sleep(0.3)
    await stage.model.ended("Hello?", say("I am still here."))
    await stage.model.quiet()
    await stage.sleep(4)
    await stage.model.quiet()


@scene(
    Kind.STALE,
    Ends(stored=(), heard=("does not work at the moment",), end=(End.TRANSFERRED, End.TALKING)),
    Props(settings=DESK, effects={"appointments.book": Wrong.FAILS_SLOW}, slow_s=3),
)
async def failure_while_the_caller_speaks(stage: Stage) -> None:
    """The booking fails, which ends in a transfer, while the caller speaks: told first, or instead."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes", YES, settle=False)
    await stage.sleep(1.5)
    await stage.model.began()
    await stage.until(lambda: stage.model.got(result="transfer"), 10)
    await stage.sleep(1.5)
    if not stage.phone.up:
        raise Fault("transferred in mid-sentence")
    await stage.model.ended("and how do I get there?", say("Take the bus."))
    await stage.ended(20)


@scene(
    Kind.STALE,
    Ends(stored=(), heard=("transfer|put you through|nobody|colleague",)),
    Props(settings=DESK, transfer="fails"),
)
async def transfer_fails(stage: Stage) -> None:
    """VAIC says that the transfer failed and keeps the call: the caller is told, and it is recorded."""
    await put_through(stage)
    said = len(stage.phone.handset.ear.runs)
    await stage.until(lambda: len(stage.phone.handset.ear.runs) > said, 15)
    if len(stage.phone.handset.ear.runs) <= said:
        raise Fault("the transfer failed, and the caller is told nothing")
    await stage.model.quiet()


@scene(Kind.STALE, Ends(stored=(), heard=("One moment", "nobody")), Props(settings=DESK, transfer="ignored"))
async def transfer_ignored(stage: Stage) -> None:
    """VAIC says nothing about a transfer: the caller is asked to wait, twice, told in the end, and the call goes on."""
    await put_through(stage)
    said = len(stage.phone.handset.ear.runs)
    await stage.until(lambda: len(stage.phone.handset.ear.runs) > said + 2, 45)
    await stage.model.quiet()
    await stage.model.turn("Where are you?", say("In the city."))


@scene(Kind.STALE, Ends(stored=None))
async def last_turn_is_recorded(stage: Stage) -> None:
    """The caller hangs up right after speaking; the transcript comes a second later. The record has it."""
    await stage.model.quiet()
    await stage.model.began()
    await stage.sleep(0.8)
    await stage.model.ended("I will call again tomorrow.", never=True, late_s=0.7)
    record = await stage.hang_up()
    turns = [turn.text for turn in record.turns if turn.role == "caller"] if record else []
    if turns != ["I will call again tomorrow."]:
        raise Fault(f"the record has the caller say {turns}")


@scene(Kind.STALE, Ends(stored=(AT_TEN,)))
async def end_call_while_read_back(stage: Stage) -> None:
    """At the read-back the caller says "yes, thank you" and the model hangs up: asked first, then booked."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes, thank you.", END)
    await stage.sleep(6)
    if not stage.phone.up:
        raise Fault("hung up on a caller who has said yes")
    await stage.model.turn("Yes, book it.", YES)


@scene(Kind.STALE, Ends(stored=(), end=End.TALKING), HUMAN)
async def hand_over_while_read_back(stage: Stage) -> None:
    """At the read-back the model hands over of its own accord: the caller is asked first."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Hm, let me think.", HAND_OVER)
    await stage.sleep(6)


@scene(Kind.STALE, TALKING)
async def end_call_on_a_noise(stage: Stage) -> None:
    """The caller has said nothing, and the model hangs up for a noise."""
    await stage.model.turn("", END, ms=200)
    await stage.sleep(6)


@scene(Kind.STALE, TALKING, HUMAN)
async def hand_over_on_a_noise(stage: Stage) -> None:
    """The caller has said nothing, and the model hands over for a noise."""
    await stage.model.turn("", HAND_OVER, ms=200)
    await stage.sleep(6)


@scene(Kind.STALE, TALKING, Props(first=Answer(items=(END,), to_any=True)))
async def end_call_in_the_greeting(stage: Stage) -> None:
    """Nobody has said anything yet; the model calls end_call in place of the greeting."""
    await stage.sleep(8)


@scene(Kind.STALE, TALKING, Props(settings=DESK, first=Answer(items=(HAND_OVER,), to_any=True)))
async def hand_over_in_the_greeting(stage: Stage) -> None:
    """Nobody has said anything yet; the model calls hand_over in place of the greeting."""
    await stage.sleep(8)


@scene(Kind.STALE, TALKING)
async def end_call_in_a_reminder(stage: Stage) -> None:
    """The caller is silent; the model hangs up when it is told to ask whether anybody is there."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    stage.model.script.append(Answer(items=(END,), to_any=True))
    await stage.sleep(16)


@scene(Kind.STALE, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)))
async def output_crosses_the_turn(stage: Stage) -> None:
    """The server has begun its answer to "mhm" before the output came in: the output is still spoken of."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes", YES, settle=False)
    await stage.model.until(lambda: not stage.model.busy)
    await stage.model.began()
    await stage.sleep(0.15)
    await stage.model.ended("mhm", say("Mhm, one moment."), delay_s=0.0)
    await stage.until(lambda: stage.model.got(result="booked"), 10)
    await stage.model.quiet()
    await stage.sleep(3)
    await stage.model.quiet()
