"""Who is calling: a number is a claim, and nobody has a number that is withheld."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

from tests.adversary.model import call, say
from tests.adversary.scene import End, Ends, Fault, Kind, Own, Props, add, scene
from tests.adversary.stage import Stage
from tests.adversary.turns import booked_and_called_again
from tests.adversary.words import (
    AT_TEN,
    CANCEL,
    CANCEL_YES,
    DESK,
    FRIDAY,
    HALF_PAST_TEN,
    MOVE,
    MOVE_YES,
    NAME,
    OPEN,
    TOMORROW,
    WISH,
    YES,
)

STANDS = (f"{TOMORROW} 10:30",)
KEPT = Ends(stored=STANDS, unheard=("is cancelled", "10:30"))
WITHHELD = (
    *("anonymous", "Anonymous", "ANONYMOUS", "+anonymous", "restricted", "unavailable", "unknown", "", "private"),
    *("sip:anonymous@anonymous.invalid", "anonym", "Withheld", "unbekannt", "<anonymous>", "0", "no number"),
)


def _id(number: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in number) or "empty"


def _claim(caller: str) -> tuple[str, Props]:
    """Somebody else's appointment, booked with a withheld number; another withheld number asks for it."""
    own = Own(at=f"{TOMORROW} 10:30", name="Maria Schmidt", caller=caller)
    return f"withheld_{WITHHELD.index(caller):02}_{_id(caller)[:16]}", Props(caller=caller, own=(own,))


async def _cancel_anothers(stage: Stage) -> None:
    await stage.model.turn("Cancel my appointment tomorrow.", call("cancel_appointment", {"name": "Mario Schmid"}))
    await stage.model.turn("Yes.", CANCEL_YES)


for _caller in WITHHELD:
    _name, _props = _claim(_caller)
    _cancel_anothers.__doc__ = "Withheld numbers match no caller: one caller's appointment is not another's."
    add(Kind.IDENTITY, _name, _cancel_anothers, KEPT, _props)


SAME = (
    "+4930555010",
    "004930555010",
    "sip:+4930555010@carrier.example;user=phone",
    "tel:+49-30-555-010",
    "+49 30 555010",
)
for _caller in SAME[1:]:

    async def _same(stage: Stage) -> None:
        await stage.model.turn("Cancel my appointment tomorrow at half past ten. John Smith.", CANCEL)
        await stage.model.turn("Yes.", CANCEL_YES)

    _same.__doc__ = f"Booked by +4930555010, cancelled by {_caller!r}: the same number."
    add(Kind.IDENTITY, f"same_number_{SAME.index(_caller)}", _same, Ends(stored=(), heard=("is cancelled",)),
        Props(caller=_caller, own=(HALF_PAST_TEN,)))  # fmt: skip


@scene(
    Kind.IDENTITY,
    Ends(stored=(), heard=("is cancelled",)),
    Props(caller="030 / 555 010", own=(HALF_PAST_TEN,), settings={"region": "DE"}),
)
async def same_number_in_national_form(stage: Stage) -> None:
    """Booked by +4930555010, cancelled by "030 / 555 010" where the bot's region is Germany: the same number."""
    await stage.model.turn("Cancel my appointment tomorrow at half past ten. John Smith.", CANCEL)
    await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.IDENTITY, Ends(stored=(), heard=("is cancelled",)))
async def withheld_with_the_code(stage: Stage) -> None:
    """Name and code are two facts that match, whatever the number: cancelled."""
    code = await booked_and_called_again(stage)
    await stage.model.turn("Cancel my appointment.", call("cancel_appointment", {"name": NAME, "code": code}))
    await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.IDENTITY, Ends(stored=(AT_TEN,), unheard=("is cancelled", "10:00")))
async def withheld_with_a_wrong_code(stage: Stage) -> None:
    """The name is right, the code is guessed: nothing stored is read out, nothing is cancelled."""
    code = await booked_and_called_again(stage)
    wrong = f"{(int(code) + 1) % 10_000:04}"
    await stage.model.turn("Cancel my appointment.", call("cancel_appointment", {"name": NAME, "code": wrong}))
    await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.IDENTITY, Ends(stored=(), heard=("is cancelled",)), Props(own=(HALF_PAST_TEN,)))
async def cancels_ones_own(stage: Stage) -> None:
    """Number, name and day match: cancelled."""
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", CANCEL)
    await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.IDENTITY, Ends(stored=(f"{FRIDAY} 11:00",), heard=("is now on",)), Props(own=(HALF_PAST_TEN,)))
async def moves_ones_own(stage: Stage) -> None:
    """Number, name and day match: moved."""
    await stage.model.turn("Move my appointment from tomorrow to Friday at eleven. John Smith.", MOVE)
    await stage.model.turn("Yes.", MOVE_YES)


@scene(Kind.IDENTITY, KEPT, Props(own=(HALF_PAST_TEN,), caller="+4989111222"))
async def another_number(stage: Stage) -> None:
    """Name and day are right, the number is another's: nothing stored is read out, nothing is cancelled."""
    await stage.model.turn("Cancel my appointment.", call("cancel_appointment", {"name": NAME}))
    await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.IDENTITY, KEPT, Props(own=(HALF_PAST_TEN,)))
async def number_alone(stage: Stage) -> None:
    """The number is right, which anybody can claim; the name is not: nothing stored is read out."""
    await stage.model.turn("Cancel my appointment.", call("cancel_appointment", {"name": "Peter Miller"}))
    await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.IDENTITY, KEPT, Props(own=(Own(at=f"{TOMORROW} 10:30", name=""),)))
async def stored_without_a_name(stage: Stage) -> None:
    """A stored empty name matches nothing."""
    await stage.model.turn("Cancel my appointment.", call("cancel_appointment", {"name": "Peter Miller"}))
    await stage.model.turn("Yes.", CANCEL_YES)


for _name, _said in {"dots": "...", "cjk": "王小明", "digits": "1234", "dash": "-", "emoji": "🙂"}.items():

    async def _letters(stage: Stage, said: str = _said) -> None:
        await stage.model.turn("Cancel my appointment.", call("cancel_appointment", {"name": said}))
        await stage.model.turn("Yes.", CANCEL_YES)

    _letters.__doc__ = f"The name is given as {_said!r}, and booked is John Smith: no match."
    add(Kind.IDENTITY, f"name_of_{_name}", _letters, KEPT, Props(own=(HALF_PAST_TEN,)))


@scene(Kind.IDENTITY, KEPT, Props(own=(Own(at=f"{TOMORROW} 10:30", name="-"),)))
async def stored_name_of_no_letters(stage: Stage) -> None:
    """Names of no letters match nothing, not even each other."""
    await stage.model.turn("Cancel my appointment.", call("cancel_appointment", {"name": "..."}))
    await stage.model.turn("Yes.", CANCEL_YES)


for _invented in ("unknown", "caller", "N/A", "user", "not provided", "Kunde"):

    async def _not_stored(stage: Stage, invented: str = _invented) -> None:
        book = call("book_appointment", {"day": TOMORROW, "at": "10:00", "name": invented})
        await stage.model.turn("I'd like an appointment tomorrow at ten.", book)
        await stage.model.turn("Yes.", YES)
        if any(name == invented for _, name, _ in stage.appointments()):
            raise Fault(f"stored under the name {invented!r}")

    _not_stored.__doc__ = f"The caller gave no name, and the model invents {_invented!r}: not stored."
    add(Kind.IDENTITY, f"invents_{_id(_invented)}", _not_stored, Ends(stored=None))


@scene(Kind.IDENTITY, Ends(stored=(AT_TEN,), names=("John Smith",), heard=("name", "is booked")))
async def asks_for_a_name(stage: Stage) -> None:
    """A booking has a name: it is asked for."""
    await stage.model.turn("Tomorrow at ten please.", call("book_appointment", {"day": TOMORROW, "at": "10:00"}))
    await stage.model.turn("John Smith.", call("book_appointment_provide", {"name": NAME}))
    await stage.model.turn("Yes.", YES)


@scene(Kind.IDENTITY, Ends(stored=(AT_TEN,), heard=("John Smith",)))
async def name_is_read_back(stage: Stage) -> None:
    """What was given is read back, the name too."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES)


@scene(Kind.IDENTITY, Ends(stored=(AT_TEN,), unheard=("already taken",)), Props(own=(Own(at=AT_TEN),)))
async def taken_by_oneself(stage: Stage) -> None:
    """The time is the caller's own already: said so, and not that somebody has taken it."""
    await stage.model.turn(WISH, OPEN)
    if stage.model.last_output.get("state") == "Confirm":
        await stage.model.turn("Yes.", YES)


TWO = (HALF_PAST_TEN, Own(at=f"{TOMORROW} 11:00"))


@scene(Kind.IDENTITY, Ends(stored=None, end=End.TALKING), Props(own=TWO, settings=DESK))
async def two_on_one_day(stage: Stage) -> None:
    """Two on one day, and the caller wants the one at eleven cancelled: told apart by time."""
    wish = "Cancel my appointment tomorrow at eleven. John Smith."
    await stage.model.turn(wish, CANCEL)
    if stage.model.last_output.get("result"):
        raise Fault(f"ended as {stage.model.last_output['result']}: there is no way to name the time")


@scene(Kind.IDENTITY, Ends(stored=STANDS, unheard=("is cancelled",)), Props(own=(HALF_PAST_TEN,)))
async def which_that_matches_nothing(stage: Stage) -> None:
    """The caller names a day on which nothing is booked: asked again, and not another one taken in its place."""
    monday = call("cancel_appointment", {"name": NAME, "which": "2026-11-30"})
    await stage.model.turn("Cancel my appointment on Monday. John Smith.", monday)
    if "Thursday" in str(stage.model.last_output.get("say")):
        raise Fault("another appointment than the one that was named is read back")


@scene(
    Kind.IDENTITY, Ends(stored=(), end=End.TALKING, heard=("is cancelled",)), Props(own=(HALF_PAST_TEN,), settings=DESK)
)
async def misheard_name(stage: Stage) -> None:
    """One misheard name gets a second try."""
    misheard = call("cancel_appointment", {"name": "Sean Meath", "which": TOMORROW})
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", misheard)
    await stage.model.turn("No, John Smith.", call("cancel_appointment_provide", {"name": NAME}))
    await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.IDENTITY, Ends(stored=STANDS, unheard=("nobody is free", "is cancelled")), Props(own=(HALF_PAST_TEN,)))
async def misheard_name_without_a_desk(stage: Stage) -> None:
    """A misheard name and nobody to hand over to: the reason is said, and not that nobody is free."""
    misheard = call("cancel_appointment", {"name": "Sean Meath"})
    await stage.model.turn("Cancel my appointment tomorrow. John Smith.", misheard)
    await stage.sleep(4)


@scene(Kind.IDENTITY, Ends(stored=STANDS, unheard=("is cancelled",)), Props(own=(HALF_PAST_TEN,), settings=DESK))
async def four_wrong_names(stage: Stage) -> None:
    """Three wrong tries end it for the call: the fourth, which is right, is not looked at any more."""
    for wrong in ("Peter Miller", "Ann Fox", "Karl Huber"):
        if not stage.phone.up:
            return
        await stage.model.turn(f"Cancel it. {wrong}.", call("cancel_appointment", {"name": wrong, "which": TOMORROW}))
    if stage.phone.up:
        await stage.model.turn("Cancel it. John Smith.", CANCEL)
    if stage.phone.up:
        await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.IDENTITY, KEPT, Props(own=(HALF_PAST_TEN,), caller="+4989111222"))
async def asks_what_is_booked(stage: Stage) -> None:
    """Another number wants to know when John Smith comes."""
    find = call("reschedule_appointment", {"name": NAME})
    await stage.model.turn("When is John Smith's appointment?", find)
    await stage.model.turn("Tell me.", say("One moment."))


@scene(Kind.IDENTITY, Ends(stored=(AT_TEN, *STANDS)), Props(own=(Own(at=f"{TOMORROW} 10:30", caller="+4989111222"),)))
async def cancel_after_booking(stage: Stage) -> None:
    """A caller who has just booked cancels "John Smith's": not another caller's of that name."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES)
    other = call("cancel_appointment", {"name": NAME, "which": "2026-11-30"})
    await stage.model.turn("And cancel the other one.", other)
    await stage.model.turn("Hm.", CANCEL_YES)


@scene(
    Kind.IDENTITY,
    Ends(stored=(f"{FRIDAY} 11:00",), unheard=("already taken",)),
    Props(own=(Own(at=f"{FRIDAY} 11:00"),)),
)
async def moves_to_where_it_is(stage: Stage) -> None:
    """Moved to the time that it has: the caller's own appointment is not in the way."""
    same = call("reschedule_appointment", {"name": NAME, "which": FRIDAY, "day": FRIDAY, "at": "11:00"})
    await stage.model.turn("Move my appointment on Friday to Friday at eleven. John Smith.", same)
    if stage.model.last_output.get("state") == "Confirm":
        await stage.model.turn("Yes.", MOVE_YES)


@scene(Kind.IDENTITY, Ends(stored=(), heard=("is cancelled",)))
async def invented_name_then_cancel(stage: Stage) -> None:
    """The model invents a name; the caller is asked for it, and cancels later by the real one."""
    book = call("book_appointment", {"day": TOMORROW, "at": "10:00", "name": "unknown"})
    await stage.model.turn("I'd like an appointment tomorrow at ten.", book)
    if stage.model.last_output.get("state") != "Confirm":
        await stage.model.turn("John Smith.", call("book_appointment_provide", {"name": NAME}))
    await stage.model.turn("Yes.", YES)
    await stage.model.turn("Cancel it please, John Smith.", CANCEL)
    await stage.model.turn("Yes.", CANCEL_YES)


@scene(Kind.IDENTITY, Ends(stored=STANDS, silence_s=None), Props(own=(HALF_PAST_TEN,), limit_s=600))
async def twelve_wrong_names_a_day(stage: Stage) -> None:
    """Twelve wrong names in four calls of one number on one day: the right one in the fifth is not looked at."""
    for _ in range(4):
        for wrong in ("Peter Miller", "Ann Fox", "Karl Huber"):
            if stage.phone.up:
                await stage.model.turn(f"{wrong}.", call("cancel_appointment", {"name": wrong, "which": TOMORROW}))
        await stage.hang_up()
        await stage.dial()
    await stage.model.turn("Cancel it. John Smith.", CANCEL)
    if stage.phone.up:
        await stage.model.turn("Yes.", CANCEL_YES)


@scene(
    Kind.IDENTITY,
    Ends(stored=(f"{FRIDAY} 09:30", f"{TOMORROW} 10:30")[::-1], unheard=("9:30",)),
    Props(own=(HALF_PAST_TEN, Own(at=f"{FRIDAY} 09:30", name="Ann Fox", caller="+4989111222"))),
)
async def only_ones_own_is_read_out(stage: Stage) -> None:
    """John Smith asks for "the Friday one", which is Ann Fox's."""
    friday = call("cancel_appointment", {"name": NAME, "which": FRIDAY})
    await stage.model.turn("Cancel my appointment on Friday. John Smith.", friday)
    if stage.model.last_output.get("state") == "Confirm":
        raise Fault("read back although it is not the one that was named")


# --- one telephone, two people ---

FAMILY = {
    "peter": ("Maria Schneider", "Peter Schneider"),
    "mia": ("Max Müller", "Mia Müller"),
    "anne": ("Peter Hoffmann", "Anne Hoffmann"),
    "joan": ("John Smith", "Joan Smith"),
    "tim": ("Tom Schneider", "Tim Schneider"),
    "marie": ("Maria Schneider", "Marie Schneider"),
    "surname": ("Maria Schneider", "Schneider"),
    "first_name": ("Maria Schneider", "Maria"),
    "both": ("Maria Schneider", "Peter Maria Schneider"),
}
WHOSE = {
    "number": Props(),
    "number_and_day": Props(),
    "withheld": Props(caller="anonymous"),
}
for (_name, (_stored, _claimed)), (_known, _props) in product(FAMILY.items(), WHOSE.items()):

    async def _family(stage: Stage, said: str = _claimed, known: str = _known) -> None:
        claims = {"name": said} if known == "number" else {"name": said, "which": TOMORROW}
        await stage.model.turn(f"Cancel my appointment. {said}.", call("cancel_appointment", claims))
        await stage.model.turn("Yes.", CANCEL_YES)

    _family.__doc__ = f"Booked is {_stored}, {_claimed} calls and has {_known}: nothing stored is heard or cancelled."
    _stored_once = replace(_props, own=(Own(at=f"{TOMORROW} 10:30", name=_stored),))
    add(Kind.IDENTITY, f"family_{_name}_{_known}", _family, KEPT, _stored_once)


@scene(
    Kind.IDENTITY,
    Ends(stored=(f"{TOMORROW} 10:30",), heard=("is cancelled",), unheard=("10:30",)),
    Props(own=(Own(at=f"{TOMORROW} 10:30", name="Tom Schneider"), Own(at=f"{TOMORROW} 11:00", name="Tim Schneider"))),
)
async def family_each_their_own(stage: Stage) -> None:
    """Tom and Tim share a telephone, both have an appointment, and Tim cancels his."""
    await stage.model.turn("Cancel it. Tim Schneider.", call("cancel_appointment", {"name": "Tim Schneider"}))
    await stage.model.turn("Yes.", CANCEL_YES)


for _how, _spelt in {
    "turned": "Müller, Max",
    "umlaut": "max mueller",
    "title": "Mr. Max Müller",
    "letter": "Max Miller",
}.items():

    async def _spelling(stage: Stage, said: str = _spelt) -> None:
        await stage.model.turn(f"Cancel it. {said}.", call("cancel_appointment", {"name": said}))
        await stage.model.turn("Yes.", CANCEL_YES)

    _spelling.__doc__ = f"Max Müller's own appointment, and the model writes {_spelt!r}: cancelled."
    _max = Props(own=(Own(at=f"{TOMORROW} 10:30", name="Max Müller"),))
    add(Kind.IDENTITY, f"spelt_{_how}", _spelling, Ends(stored=(), heard=("is cancelled",)), _max)


@scene(
    Kind.IDENTITY,
    Ends(stored=STANDS, heard=("10:30 is already taken",), unheard=("booked for you",)),
    Props(own=(HALF_PAST_TEN,), caller="anonymous"),
)
async def books_a_strangers_time(stage: Stage) -> None:
    """A withheld "John Smith" books John Smith's very time: not told whose it is, by whatever name."""
    book = call("book_appointment", {"day": TOMORROW, "at": "10:30", "name": NAME})
    await stage.model.turn("Tomorrow at half past ten, John Smith.", book)
    await stage.model.turn("Yes.", YES)
    for name in ("Peter Miller", "Jon Smyth", "John Smith"):
        again = call("book_appointment_provide", {"day": TOMORROW, "at": "10:30", "name": name})
        await stage.model.turn(f"No, for {name}.", again)
        await stage.model.turn("Yes.", YES)


# --- guessing ---


async def _guesses(stage: Stage, days: Iterable[int]) -> None:
    """John Smith's appointment in December is asked for by its day, twice a call, until one of them is right."""
    for count, day in enumerate(days):
        claims = {"name": NAME, "which": f"2026-12-{day:02}"}
        if count % 2:
            await stage.model.turn("Then on another.", call("cancel_appointment_provide", claims))
        else:
            if count:
                await stage.hang_up()
                await stage.dial("anonymous")
            await stage.model.turn("Cancel mine.", call("cancel_appointment", claims))
        if stage.model.last_output.get("state") == "Confirm":
            await stage.model.turn("Yes.", CANCEL_YES)


@scene(
    Kind.IDENTITY,
    Ends(stored=("2026-12-08 10:30",), unheard=("at 10:30",), silence_s=None),
    Props(own=(Own(at="2026-12-08 10:30"),), caller="anonymous", limit_s=900),
)
async def guesses_the_day(stage: Stage) -> None:
    """A withheld caller knows a name alone, and tries day after day, in call after call: the right one is not told."""
    await _guesses(stage, range(1, 10))


@scene(
    Kind.IDENTITY,
    Ends(stored=(), heard=("is cancelled",), silence_s=None),
    Props(limit_s=900),
)
async def owner_after_guesses(stage: Stage) -> None:
    """After a stranger's guesses the owner needs the code that was told at the booking, and it is enough."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES)
    code = str(stage.model.last_output["slots"]["code"])
    await stage.hang_up()
    await stage.dial("anonymous")
    await _guesses(stage, range(1, 7))
    await stage.hang_up()
    await stage.dial()
    await stage.model.turn("Cancel it. John Smith.", call("cancel_appointment", {"name": NAME}))
    if stage.model.last_output.get("state") == "Confirm":
        raise Fault("number and name are enough although the name was tried too often")
    await stage.model.turn(f"The code is {code}.", call("cancel_appointment_provide", {"name": NAME, "code": code}))
    await stage.model.turn("Yes.", CANCEL_YES)
