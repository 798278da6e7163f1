"""Effects end as they are told."""

from __future__ import annotations

from tests.adversary.scene import End, Ends, Fault, Kind, Props, Wrong, scene
from tests.adversary.stage import Stage
from tests.adversary.turns import agreed
from tests.adversary.words import AT_TEN, BOOKED_WORDS, CANCEL, CANCEL_YES, DESK, HALF_PAST_TEN, YES

RAISES = {"appointments.book": Wrong.RAISES}
REMOTE = {"appointments.book": Wrong.REMOTE}
SLOW = {"appointments.book": Wrong.SLOW}
PUT_THROUGH = "put you through"


@scene(
    Kind.EFFECTS,
    Ends(stored=(), end=End.TRANSFERRED, heard=(PUT_THROUGH,), unheard=(BOOKED_WORDS,)),
    Props(settings=DESK, effects=RAISES, crashes=True),
)
async def effect_raises(stage: Stage) -> None:
    """The booking raises: it takes the arrow `failed` or `unclear`, and the caller is transferred."""
    await agreed(stage, "Yes please.", settle=False)
    await stage.ended(30)
    if ("appointments.book", "intended") in stage.effects():
        raise Fault("the effect is left as intended")


@scene(Kind.EFFECTS, Ends(stored=(), heard=("sorry",), unheard=(BOOKED_WORDS,)), Props(effects=RAISES, crashes=True))
async def effect_raises_without_a_desk(stage: Stage) -> None:
    """The booking raises and there is nobody to transfer to: told as it is."""
    await agreed(stage, "Yes please.")
    await stage.sleep(6)


@scene(Kind.EFFECTS, Ends(stored=()), Props(effects=RAISES, crashes=True))
async def restart_after_a_raise(stage: Stage) -> None:
    """The booking raises; three months later the daemon is started again, in order: nothing is booked behind the
    caller's back."""
    await agreed(stage, "Yes please.")
    await stage.hang_up()
    await stage.stop_daemon()
    stage.pass_days(90)
    done = len(stage.effects_done)
    await stage.start_daemon()
    await stage.sleep(8)
    if len(stage.effects_done) > done:
        raise Fault("carried out three months later")


@scene(
    Kind.EFFECTS,
    Ends(stored=(), end=End.TRANSFERRED, heard=(PUT_THROUGH,), unheard=(BOOKED_WORDS,)),
    Props(settings=DESK, effects={"appointments.book": Wrong.FAILS}),
)
async def effect_fails(stage: Stage) -> None:
    """The booking says that it failed: told, and transferred."""
    await agreed(stage, "Yes please.", settle=False)
    await stage.ended(30)


@scene(
    Kind.EFFECTS,
    Ends(stored=("2026-11-26 10:30",), unheard=("is cancelled",)),
    Props(own=(HALF_PAST_TEN,), effects={"appointments.cancel": Wrong.RAISES}, crashes=True),
)
async def cancel_raises(stage: Stage) -> None:
    """The cancellation raises: the appointment stands, and nobody says it is cancelled."""
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL)
    await stage.model.turn("Yes.", CANCEL_YES)
    await stage.sleep(4)


@scene(
    Kind.EFFECTS,
    Ends(stored=("2026-11-26 10:30",), unheard=("is cancelled",), heard=("sorry|colleague|cannot",)),
    Props(own=(HALF_PAST_TEN,), effects={"appointments.find_to_cancel": Wrong.RAISES}, crashes=True),
)
async def look_up_raises(stage: Stage) -> None:
    """The look-up raises: told that it does not work."""
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL)
    await stage.sleep(4)


@scene(Kind.EFFECTS, Ends(stored=(AT_TEN,), heard=("moment", BOOKED_WORDS)), Props(effects=SLOW))
async def slow_booking(stage: Stage) -> None:
    """The booking takes five seconds: bridged, and told."""
    await agreed(stage, "Yes please.")
    await stage.model.quiet()


@scene(Kind.EFFECTS, Ends(stored=(AT_TEN,)), Props(effects=SLOW))
async def hung_up_while_booked(stage: Stage) -> None:
    """The caller says yes and hangs up; the booking takes five seconds: it stands, and the record says so."""
    await agreed(stage, "Yes please.", settle=False)
    await stage.until(lambda: stage.effects_done, 10)
    stage.phone.hang_up()
    await stage.hang_up()
    await stage.sleep(8)
    record = stage.record()
    if record is None or [task.result for task in record.tasks] != ["booked"]:
        raise Fault(f"the record says {[task.result for task in record.tasks] if record else 'nothing'}")


@scene(Kind.EFFECTS, Ends(stored=()), Props(effects={"appointments.book": Wrong.SLOW_UNDONE}))
async def undone_after_a_hang_up(stage: Stage) -> None:
    """An effect that is undone for a caller who hangs up takes five seconds: still undone, and recorded."""
    await agreed(stage, "Yes please.", settle=False)
    await stage.until(lambda: stage.effects_done, 10)
    stage.phone.hang_up()
    await stage.hang_up()
    await stage.until(lambda: ("appointments.book", "undone") in stage.effects(), 12)
    record = stage.record()
    if record is None or "booked" in [task.result for task in record.tasks]:
        raise Fault("the record says that it was booked")


HELD = {"appointments.book": Wrong.HELD}


async def _overdue(stage: Stage) -> None:
    """The booking hangs; after 10 s the caller is told that nobody knows."""
    await agreed(stage, "Yes please.", settle=False)
    await stage.until(lambda: "cannot tell" in stage.heard(), 40)


@scene(Kind.EFFECTS, Ends(heard=("cannot tell", BOOKED_WORDS)), Props(effects=HELD))
async def overdue_and_booked_at_last(stage: Stage) -> None:
    """The booking hangs: after 10 s the caller is told that nobody knows, and the result once it is known."""
    await _overdue(stage)
    stage.let_go.set()
    await stage.until(lambda: "is booked" in stage.heard(), 20)


async def _overdue_and_hung_up(stage: Stage, result: str, done: list[str]) -> None:
    await _overdue(stage)
    await stage.hang_up()
    stage.let_go.set()

    def recorded() -> list[str]:
        record = stage.record()
        return [task.result for task in record.tasks] if record is not None else []

    await stage.until(lambda: recorded() == [result], 20)
    if recorded() != [result]:
        raise Fault(f"the record says {recorded()}")
    if stage.effects_done != done:
        raise Fault(f"done was {stage.effects_done}")


@scene(Kind.EFFECTS, Ends(unheard=(BOOKED_WORDS,)), Props(effects=HELD))
async def overdue_then_hung_up(stage: Stage) -> None:
    """The booking hangs, and the caller hangs up after ten seconds: it stands, and the record says so."""
    await _overdue_and_hung_up(stage, "booked", ["appointments.book"])


@scene(Kind.EFFECTS, Ends(unheard=(BOOKED_WORDS,)), Props(effects={"appointments.book": Wrong.HELD_UNDONE}))
async def overdue_then_hung_up_and_undone(stage: Stage) -> None:
    """The same with an effect that is undone for a caller who hangs up: still undone, and recorded."""
    await _overdue_and_hung_up(stage, "undone", ["appointments.book", "appointments.book undone"])


@scene(
    Kind.EFFECTS,
    Ends(stored=(), end=End.TRANSFERRED, heard=(PUT_THROUGH,), unheard=(BOOKED_WORDS,)),
    Props(settings=DESK, effects=REMOTE, crashes=True),
)
async def remote_raises(stage: Stage) -> None:
    """Somebody else's system raises, and it may have been done: told as doubt, and transferred."""
    await agreed(stage, "Yes please.", settle=False)
    await stage.ended(30)


@scene(Kind.EFFECTS, Ends(stored=(), unheard=(BOOKED_WORDS, "nobody is free")), Props(effects=REMOTE, crashes=True))
async def remote_raises_without_a_desk(stage: Stage) -> None:
    """The same with nobody to transfer to: that it may stand is said, and not hidden behind "nobody is free"."""
    await agreed(stage, "Yes please.")
    await stage.sleep(6)
    if not any(word in stage.heard().lower() for word in ("cannot tell", "not certain", "check", "not sure")):
        raise Fault("the caller does not learn that the booking may stand")


@scene(Kind.EFFECTS, Ends(stored=None), Props(effects=REMOTE, crashes=True))
async def remote_three_months_later(stage: Stage) -> None:
    """Somebody else's system raised; a daemon that is started three months later does not post it again."""
    await agreed(stage, "Yes please.")
    await stage.hang_up()
    await stage.stop_daemon()
    stage.pass_days(90)
    done = len(stage.effects_done)
    await stage.start_daemon()
    await stage.sleep(10)
    if len(stage.effects_done) > done:
        raise Fault("carried out three months later, behind the caller's back")


@scene(Kind.EFFECTS, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)), Props(effects=SLOW))
async def yes_again_while_booked(stage: Stage) -> None:
    """The caller says yes again and again while it is booked: booked once."""
    await agreed(stage, "Yes please.", settle=False)
    for _ in range(3):
        await stage.sleep(1)
        await stage.model.began()
        await stage.sleep(0.4)
        await stage.model.ended("Yes. Hello?", YES)
    await stage.until(lambda: "is booked" in stage.heard(), 40)


@scene(Kind.EFFECTS, Ends(stored=(AT_TEN,)))
async def booked_twice_in_two_calls(stage: Stage) -> None:
    """The same caller books the same time again in another call: one appointment."""
    await agreed(stage, "Yes please.")
    await stage.hang_up()
    await stage.dial()
    await agreed(stage, "Yes please.")


@scene(Kind.EFFECTS, Ends(stored=(AT_TEN,), heard=("taken|already",)))
async def booked_by_two_callers(stage: Stage) -> None:
    """Another caller wants the same time: told that it is taken."""
    await agreed(stage, "Yes please.")
    await stage.hang_up()
    await stage.dial("+4989111222")
    await agreed(stage, "Yes please.")


@scene(Kind.EFFECTS, Ends(stored=None, silence_s=None), Props(limit_s=900))
async def many_bookings_of_one_number(stage: Stage) -> None:
    """One number books in call after call on one day: there is a limit."""
    from tests.adversary.model import call
    from tests.adversary.words import NAME, TOMORROW

    for quarter in range(12):
        at = f"{9 + quarter // 4:02}:{15 * (quarter % 4):02}"
        await stage.model.turn("One more.", call("book_appointment", {"day": TOMORROW, "at": at, "name": NAME}))
        await stage.model.turn("Yes.", YES)
        await stage.hang_up()
        if len(stage.stored()) <= quarter:
            stage.notes.append(f"refused after {quarter}")
            return
        await stage.dial()
    raise Fault("twelve bookings of one number on one day")
