"""Callers who each book one appointment, with the model that books it for them; and what was said to each.

Both sides keep to their protocols; the words are those of tests/adversary's scripted model. A model's session that was
lost goes on in the next one, by the conversation that the daemon gives it. Each wish has a name of its own, by which
its yes, what was said about it and what is in the database can be told from others'.
May import: tests.adversary, lab.caller, websockets, the standard library.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal, Self

from websockets.asyncio.server import Server, ServerConnection, serve

from actors.tasks.effect_attempts import BROKEN, UNSURE
from actors.tasks.effect_runner import NO_STORE
from lab.caller import CallSettings
from tests.adversary.model import Function, Model, call
from tests.adversary.telephone import Telephone

READ_BACK = "Shall I book it?"
ANNOUNCED = re.compile(r"Your appointment on \w+ (\d+) (\w+) at (\d+):(\d\d) is booked\. Its code is ((?:\d ){3}\d)\.")
DENIALS = (BROKEN, NO_STORE, "already taken", "fully booked", "will not book anything")
# A caller who gets nowhere gives up.
MOST_TURNS, CALL_LIMIT_S = 7, 90.0
# The times that are wanted at about the same time, so that some callers want the same one.
TIMES_AT_A_TIME = 60
QUARTERS = [f"{hour:02}:{minute:02}" for hour in range(9, 17) for minute in range(0, 60, 15)]
SYLLABLES = ("ba", "do", "fe", "gi", "ku", "la", "mo", "ne", "pi", "ru", "so", "ta", "vi", "wo", "xe", "za")

Saying = Literal["booked", "denied", "unsure"]


@dataclass(slots=True)
class Wish:
    """yes: how often its caller agreed. said: what was said of it since the last yes, in order."""

    name: str
    yes: int = 0
    said: list[Saying] = field(default_factory=list)


@dataclass(slots=True)
class Announced:
    """That an appointment is booked, as it was said."""

    name: str
    day: int
    month: str
    at: str
    code: str


def name_of(number: int) -> str:
    """A name that no other number has."""
    letters = ""
    while number or not letters:
        number, digit = divmod(number, len(SYLLABLES))
        letters = SYLLABLES[digit] + letters
    return f"Maria {('ya' + letters).capitalize()}"


def saying_of(text: str) -> Saying | None:
    """What a sentence says of a booking; None if nothing that is final."""
    if ANNOUNCED.search(text):
        return "booked"
    if UNSURE in text:
        return "unsure"
    return "denied" if any(each in text for each in DENIALS) else None


class Bookers:
    """`async with Bookers(seed) as bookers:` the model listens on `port`. `keep_calling` places calls one by one.

    wanted: the first times wished for, as (day, time); later ones are drawn. before_yes: done once, before a caller
    agrees. wishes: by name. accepted: how many calls the daemon has taken, by conversation id. ends: of calls, by their
    outcome.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._numbers = 0
        self._calls = 0
        self._free_ids: list[str] = []  # of calls that have ended
        self._server: Server
        self.wanted: list[tuple[str, str]] = []
        self.before_yes: Callable[[], Awaitable[None]] | None = None
        self.wishes: dict[str, Wish] = {}
        self.announced: list[Announced] = []
        self.accepted: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.complaints: dict[str, list[str]] = defaultdict(list)

    async def __aenter__(self) -> Self:
        self._server = await serve(self._session, "127.0.0.1", 0, compression=None, max_size=None)
        self.port = int(next(iter(self._server.sockets)).getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    # --- callers ---

    async def keep_calling(self, url: str, enough: asyncio.Event) -> None:
        """Place one call after another until there are enough."""
        while not enough.is_set():
            self._calls += 1
            chance = Random(f"{self._seed} {self._calls}")
            # Some ids come again.
            again = self._free_ids and chance.random() < 0.15
            conversation_id = self._free_ids.pop(0) if again else f"book-{self._calls}"
            # Some hang up in the middle of it.
            patience_s = chance.uniform(2, 25) if chance.random() < 0.2 else CALL_LIMIT_S
            outcome = await self.call(url, conversation_id, patience_s)
            if chance.random() < 0.5 and 0 < self.accepted[conversation_id] < 3:
                self._free_ids.append(conversation_id)
            if outcome == "refused":  # VAIC would not come at once again
                await asyncio.sleep(1)

    async def call(self, url: str, conversation_id: str, patience_s: float = CALL_LIMIT_S) -> str:
        """Place one call. patience_s: then the caller hangs up. Returns how it ended."""
        settings = CallSettings(
            url=url,
            conversation_id=conversation_id,
            caller=f"+4930{self._calls:06}",
            formats=("raw/mulaw",),
            limit_s=CALL_LIMIT_S,
        )
        phone = Telephone(settings, lambda: datetime.now(UTC))
        living = asyncio.ensure_future(phone.live())
        await asyncio.wait({living}, timeout=patience_s)
        if not living.done():
            phone.hang_up()
            await asyncio.wait({living}, timeout=10)
            living.cancel()
        if phone.handset.media is not None:
            self.accepted[conversation_id] += 1
        self.ends[phone.outcome or "left"] += 1
        for line in phone.handset.complaints.lines():
            self.complaints[line.split(":")[0].split(" (")[0]].append(f"{conversation_id} {line}")
        return phone.outcome

    # --- the model ---

    async def _session(self, socket: ServerConnection) -> None:
        model = Model(1.0, lambda *_: None, time.time)
        talking = asyncio.create_task(self._talk(model))
        try:
            await model.serve(socket)
        finally:
            talking.cancel()
            with suppress(asyncio.CancelledError):
                await talking

    async def _talk(self, model: Model) -> None:
        await model.configured.wait()
        # By then a lost session's conversation has been told again.
        await model.sleep(0.7)
        await model.quiet(0.5)
        heard = len(model.said)
        for _ in range(MOST_TURNS):
            self._note(model, heard)
            heard = len(model.said)
            words, function = self._next(model)
            if function.name == "book_appointment_confirm":
                if (do := self.before_yes) is not None:
                    self.before_yes = None
                    await do()
                wish = self.wishes[_name_in(model)]
                # Before it is sent: from now on it may be done.
                wish.yes += 1
                wish.said = []
            await model.turn(words, function, ms=500)
            self._note(model, heard)
            heard = len(model.said)

    def _note(self, model: Model, heard: int) -> None:
        """Note what was said since."""
        name = _name_in(model)
        for text in model.said[heard:]:
            if found := ANNOUNCED.search(text):
                day, month, hour, minute, code = found.groups()
                self.announced.append(Announced(name, int(day), month, f"{hour}:{minute}", code.replace(" ", "")))
            if name in self.wishes and (saying := saying_of(text)) is not None:
                self.wishes[name].said.append(saying)

    def _next(self, model: Model) -> tuple[str, Function]:
        """What the caller says now, and what the model calls for it."""
        name, last = _name_in(model), _last_say(model)
        if not name:
            self._numbers += 1
            name = name_of(self._numbers)
            self.wishes[name] = Wish(name)
            day, at = self._time()
            wanted = {"day": day, "at": at, "name": name}
            return f"I'd like an appointment on {day} at {at}, my name is {name}.", call("book_appointment", wanted)
        if READ_BACK in last:
            return "Yes please.", call("book_appointment_confirm", {"yes": True})
        if "already taken" in last or "What time would suit you?" in last:
            _, at = self._time()
            return f"Then at {at}.", call("book_appointment_provide", {"at": at})
        return "Goodbye.", call("end_call")

    def _time(self) -> tuple[str, str]:
        if self.wanted:
            return self.wanted.pop(0)
        chance = Random(f"{self._seed} time {self._numbers} {len(self.announced)}")
        days, number = divmod(self._numbers // 2 + chance.randrange(TIMES_AT_A_TIME), len(QUARTERS))
        return f"{datetime.now(UTC).date() + timedelta(days=3 + days)}", QUARTERS[number]


def _name_in(model: Model) -> str:
    """The name of this conversation's wish; "" before it is said."""
    for item in model.items:
        if item["type"] == "function_call" and item["name"] == "book_appointment":
            with suppress(ValueError, KeyError):
                return str(json.loads(item["arguments"])["name"])
    return ""


def _last_say(model: Model) -> str:
    """What the last function's output has the caller told."""
    outputs: list[dict[str, Any]] = model.outputs
    return str(outputs[-1].get("say") or outputs[-1].get("hint") or "") if outputs else ""
