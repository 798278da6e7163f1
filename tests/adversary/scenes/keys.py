"""Keys and clocks."""

from __future__ import annotations

import re

from tests.adversary.model import call, say
from tests.adversary.scene import Ends, Fault, Kind, Props, scene
from tests.adversary.stage import Stage
from tests.adversary.words import NAME, WISH

KEYED = Ends(stored=())


async def _keys(stage: Stage, keys: str, bounce_s: float | None = None) -> None:
    """Press them one by one, as a thumb does. bounce_s: after so long each is reported again."""
    for key in keys:
        stage.phone.press(key)
        if bounce_s is not None:
            await stage.sleep(bounce_s)
            stage.phone.press(key)
        await stage.sleep(0.3)


async def _asked_for_the_day(stage: Stage) -> None:
    await stage.model.turn("I'd like an appointment. John Smith.", call("book_appointment", {"name": NAME}))


@scene(Kind.KEYS, Ends(stored=(), heard=("26 November at 10:30",)))
async def keys_one_by_one(stage: Stage) -> None:
    """Day and time by keys, an event a key, as VAIC sends them."""
    await _asked_for_the_day(stage)
    await _keys(stage, "26112026#")
    await stage.model.quiet()
    await _keys(stage, "1030#")
    await stage.sleep(6)
    await stage.model.quiet()


@scene(Kind.KEYS, Ends(stored=(), heard=("26 November at 10:30",)))
async def keys_in_one_event(stage: Stage) -> None:
    """All keys of the day in one event, then those of the time."""
    await _asked_for_the_day(stage)
    stage.phone.press("26112026#")
    await stage.model.quiet()
    stage.phone.press("1030#")
    await stage.sleep(6)
    await stage.model.quiet()


@scene(Kind.KEYS, Ends(stored=(), heard=("26 November at 10:30",)))
async def keys_for_two_slots(stage: Stage) -> None:
    """Day and time in one event: taken one by one into consecutive slots."""
    await _asked_for_the_day(stage)
    stage.phone.press("26112026#1030#")
    await stage.sleep(6)
    await stage.model.quiet()


@scene(Kind.KEYS, Ends(stored=(), heard=("26 November at 10:30",)))
async def bouncing_key(stage: Stage) -> None:
    """Each key is reported twice within some milliseconds: the second is dropped."""
    await _asked_for_the_day(stage)
    await _keys(stage, "26112026#", bounce_s=0.02)
    await stage.model.quiet()
    await _keys(stage, "1030#", bounce_s=0.02)
    await stage.sleep(6)
    await stage.model.quiet()


@scene(Kind.KEYS, KEYED)
async def key_stops_the_bot(stage: Stage) -> None:
    """A key stops the bot: its stream is closed, and nothing of it counts as heard."""
    await _asked_for_the_day(stage)
    await stage.model.turn("What are your hours?", say("We are open every day. " * 8), settle=False)
    await stage.until(lambda: stage.phone.handset.ear.sounding, 10)
    await stage.sleep(1)
    stage.phone.press("2")
    await stage.sleep(1.5)
    if stage.phone.handset.ear.sounding:
        raise Fault("the bot goes on talking 1.5 s after a key")


@scene(Kind.KEYS, Ends(stored=(), silence_s=20))
async def keys_where_none_are_asked_for(stage: Stage) -> None:
    """Keys, and no task is open."""
    stage.phone.press("1", "2", "#", "*")
    await stage.sleep(12)


@scene(Kind.KEYS, Ends(stored=(), silence_s=20))
async def keys_of_no_day(stage: Stage) -> None:
    """99 99 is no day: asked again."""
    await _asked_for_the_day(stage)
    said = len(stage.model.said)
    stage.phone.press("99999999#")
    await stage.sleep(6)
    await stage.model.quiet()
    if len(stage.model.said) <= said:
        raise Fault("nothing is said to keys that make no day")


@scene(Kind.KEYS, Ends(stored=(), silence_s=20))
async def keys_without_an_end(stage: Stage) -> None:
    """Two keys of a day, and no more: asked again."""
    await _asked_for_the_day(stage)
    stage.phone.press("2", "6")
    await stage.sleep(20)


def _told(stage: Stage) -> str:
    """All that the model is told of beside the conversation, the newest last."""
    system = [item for item in stage.model.items if item.get("role") == "system"]
    texts = [str(part.get("text")) for item in system for part in item["content"]]
    return "\n".join([stage.model.instructions, *texts])


def _today(stage: Stage) -> str:
    """The last day that is told of as today's."""
    found = re.findall(r"(20\d\d-\d\d-\d\d)", _told(stage))
    return found[-1] if found else ""


@scene(Kind.KEYS, Ends(stored=()), Props(now="2026-11-25T23:59:50"))
async def midnight(stage: Stage) -> None:
    """The call begins before midnight; what "today" is in the instructions follows the clock."""
    await stage.until(lambda: stage.now().day == 26, 40)
    await stage.sleep(2)
    await stage.model.turn("I'd like to come tomorrow.", say("One moment."))
    if (day := _today(stage)) != "2026-11-26":
        raise Fault(f"past midnight of the 26th the model is told that it is {day}")


@scene(
    Kind.KEYS,
    Ends(stored=()),
    Props(now="2026-10-24T21:59:50", settings={"time_zone": "Europe/Berlin"}),
)
async def midnight_elsewhere(stage: Stage) -> None:
    """Midnight in Berlin, on the night when the clocks go back."""
    await stage.until(lambda: stage.now().hour == 22, 40)
    await stage.sleep(2)
    await stage.model.turn("I'd like to come tomorrow.", say("One moment."))
    if (day := _today(stage)) != "2026-10-25":
        raise Fault(f"past midnight of the 25th in Berlin the model is told that it is {day}")


@scene(
    Kind.KEYS,
    Ends(stored=()),
    Props(now="2027-03-28T00:59:50", settings={"time_zone": "Europe/Berlin"}),
)
async def summer_time_begins(stage: Stage) -> None:
    """The clocks go forward in the call: what time it is in the instructions follows."""
    await stage.until(lambda: stage.now().hour == 1, 40)
    await stage.sleep(2)
    await stage.model.turn("I'd like to come in two hours.", say("One moment."))
    if not re.search(r"\b0?3:00", _told(stage)):
        raise Fault("at three in the morning the model is told another time")


@scene(Kind.KEYS, Ends(stored=()))
async def time_of_day_follows(stage: Stage) -> None:
    """Two minutes into the call "in two hours" is counted from now."""
    await stage.model.turn(WISH, say("One moment, please."))
    for _ in range(7):
        await stage.sleep(14)
        await stage.model.turn("Hold on, I look for my calendar.", say("Take your time."))
    told = re.findall(r"\b(\d\d:\d\d)\b", _told(stage))
    if told and told[-1] < "10:01":
        raise Fault(f"at {stage.now():%H:%M} the model is told that it is {told[-1]}")
