"""What models write where values belong: a good value is kept when another is bad, and nothing is guessed."""

from __future__ import annotations

from typing import Any

from tests.adversary.model import call
from tests.adversary.scene import End, Ends, Fault, Kind, add, scene
from tests.adversary.stage import Stage
from tests.adversary.words import AT_TEN, FRIDAY, NAME, OPEN, TOMORROW, WISH, YES

LEFT = Ends(stored=(), end=End.TALKING)


async def _asked(stage: Stage, arguments: dict[str, Any] | str, day: str | None, at: str | None) -> None:
    """The model opens the task like this. day, at: what of it must be kept, as the output writes it; None: nothing."""
    await stage.model.turn(WISH, call("book_appointment", arguments))
    output = stage.model.last_output
    if not (output.get("say") or output.get("hint")):
        raise Fault(f"answered with neither words nor a hint: {output}")
    slots = output.get("slots") or {}
    kept = (slots.get("day"), (slots.get("at") or "")[:5] or None)
    if kept != (day, at):
        raise Fault(f"kept {kept}, not {(day, at)}; the answer was {output}")


CASES: dict[str, tuple[dict[str, Any] | str, str | None, str | None]] = {
    "natural": ({"day": "tomorrow", "at": "10 am"}, None, None),
    "bad_time": ({"day": TOMORROW, "at": "ten o'clock"}, TOMORROW, None),
    "bad_day": ({"day": "Thursday", "at": "10:00"}, None, "10:00"),
    "unknown_key": ({"day": TOMORROW, "at": "10:00", "purpose": "checkup", "name": NAME}, TOMORROW, "10:00"),
    "null_and_empty": ({"day": TOMORROW, "at": None, "name": ""}, TOMORROW, None),
    "numbers": ({"day": 20261126, "at": 1000}, None, None),
    "list": ({"day": [TOMORROW], "at": "10:00"}, None, "10:00"),
    "hour_24": ({"day": TOMORROW, "at": "24:00"}, TOMORROW, None),
    "odd_minute": ({"day": TOMORROW, "at": "10:07"}, TOMORROW, None),
    "not_available": ({"day": TOMORROW, "at": "N/A", "name": "N/A"}, TOMORROW, None),
    "last_year": ({"day": "2025-11-26", "at": "10:00"}, None, "10:00"),
    "evening": ({"day": TOMORROW, "at": "22:00"}, TOMORROW, None),
    "truncated": ('{"day": "2026-11-26", "at": "10:', None, None),
    "empty": ("", None, None),
    "null": ("null", None, None),
    "string": ('"tomorrow"', None, None),
    "deep": ("[" * 3000 + "]" * 3000, None, None),
    "infinity": ('{"day": Infinity, "at": NaN}', None, None),
    "surrogate": ('{"day": "\\ud800", "at": "10:00"}', None, "10:00"),
}
for _name, (_arguments, _day, _at) in CASES.items():

    async def _case(
        stage: Stage,
        arguments: dict[str, Any] | str = _arguments,
        day: str | None = _day,
        at: str | None = _at,
    ) -> None:
        await _asked(stage, arguments, day, at)

    _case.__doc__ = f"The model writes {str(_arguments)[:60]}"
    add(Kind.ARGUMENTS, f"writes_{_name}", _case, LEFT)


# Whether these are understood is left open: what they are not is misunderstood.
LENIENT: dict[str, tuple[dict[str, Any] | str, str, str]] = {
    "datetime": ({"day": f"{TOMORROW}T10:00:00Z", "at": "10:00", "name": NAME}, TOMORROW, "10:00"),
    "ampm": ({"day": TOMORROW, "at": "10:00 AM", "name": NAME}, TOMORROW, "10:00"),
    "short_time": ({"day": TOMORROW, "at": "9:30", "name": NAME}, TOMORROW, "09:30"),
    "seconds": ({"day": TOMORROW, "at": "10:00:00", "name": NAME}, TOMORROW, "10:00"),
    "dots": ({"day": "26.11.2026", "at": "10:00", "name": NAME}, TOMORROW, "10:00"),
    "offset": ({"day": TOMORROW, "at": "10:00+09:00", "name": NAME}, TOMORROW, "01:00"),
    "zulu": ({"day": TOMORROW, "at": "10:00Z", "name": NAME}, TOMORROW, "10:00"),
    "nested": ({"slots": {"day": TOMORROW, "at": "10:00", "name": NAME}}, TOMORROW, "10:00"),
    "wrapped": ({"arguments": {"day": TOMORROW, "at": "10:00"}}, TOMORROW, "10:00"),
    "trailing": ('{"day": "2026-11-26", "at": "10:00"} I hope that is fine', TOMORROW, "10:00"),
    "fence": ('```json\n{"day": "2026-11-26", "at": "10:00"}\n```', TOMORROW, "10:00"),
    "twice": ('{"day": "2026-11-26", "day": "2026-11-27", "at": "10:00"}', FRIDAY, "10:00"),
}
for _name, (_written, _meant_day, _meant_at) in LENIENT.items():

    async def _lenient(
        stage: Stage,
        written: dict[str, Any] | str = _written,
        day: str = _meant_day,
        at: str = _meant_at,
    ) -> None:
        await stage.model.turn(WISH, call("book_appointment", written))
        output = stage.model.last_output
        slots = output.get("slots") or {}
        if slots.get("day") not in (None, day) or (slots.get("at") or at)[:5] != at:
            raise Fault(f"misunderstood as {slots}")
        if not (output.get("say") or output.get("hint")):
            raise Fault(f"answered with neither words nor a hint: {output}")

    _lenient.__doc__ = f"The model writes {str(_written)[:60]}: understood or refused, but not misunderstood."
    add(Kind.ARGUMENTS, f"writes_{_name}", _lenient, LEFT)


@scene(Kind.ARGUMENTS, LEFT)
async def writes_an_offset_confirmed(stage: Stage) -> None:
    """10:00+09:00 is 01:00 here: converted or refused, not cut to 10:00 and booked."""
    await stage.model.turn(WISH, call("book_appointment", {"day": TOMORROW, "at": "10:00+09:00", "name": NAME}))
    await stage.model.turn("Yes.", YES)


@scene(Kind.ARGUMENTS, LEFT)
async def writes_a_long_name(stage: Stage) -> None:
    """A name of 9,000 letters."""
    await stage.model.turn(WISH, call("book_appointment", {"day": TOMORROW, "name": "x" * 9000}))
    if len(str(stage.model.last_output)) > 4000:
        raise Fault("the name is given back to the model in full")


@scene(Kind.ARGUMENTS, LEFT)
async def writes_a_very_long_name(stage: Stage) -> None:
    """Arguments of 20,000 letters."""
    await stage.model.turn(WISH, call("book_appointment", {"day": TOMORROW, "name": "x" * 20_000}))
    if not stage.model.outputs:
        raise Fault("never answered")


@scene(Kind.ARGUMENTS, Ends(stored=(AT_TEN,), heard=("is booked",)))
async def corrects_itself(stage: Stage) -> None:
    """Wrong, and right in the next response; the caller notices nothing."""
    await stage.model.turn(WISH, call("book_appointment", {"day": "tomorrow"}), settle=False)
    fixed = call("book_appointment_provide", {"day": TOMORROW, "at": "10:00", "name": NAME})
    await stage.until(lambda: stage.model.outputs)
    await stage.model.quiet()
    await stage.model.turn("Tomorrow at ten, John Smith.", fixed)
    await stage.model.turn("Yes.", YES)


@scene(Kind.ARGUMENTS, LEFT)
async def calls_what_does_not_exist(stage: Stage) -> None:
    """A function that nobody has declared, twice."""
    await stage.model.turn("What is the weather like?", call("get_weather", {"city": "Berlin"}))
    await stage.model.turn("And tomorrow?", call("multi_tool_use.parallel", {"tool_uses": []}))
    if len(stage.model.outputs) != 2:
        raise Fault("a function call was not answered")


@scene(Kind.ARGUMENTS, Ends(stored=(AT_TEN,)))
async def the_same_call_id_twice(stage: Stage) -> None:
    """Two function calls under one id: taken once."""
    from dataclasses import replace

    same = replace(OPEN, call_id="call_same")
    await stage.model.turn(WISH, same, same)
    await stage.model.turn("Yes.", YES)
