"""The practice of the appointment tasks: what is set of it, slots shared by the tasks, and taken times.

May import: appointments, fsm, store, pydantic, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from sqlalchemy import Connection

from appointments import bookings
from appointments.identity import owns
from appointments.own_database import own_database
from fsm.effects import DeclaredEffect, EffectRequest, Local, Refused
from fsm.errors import SlotError
from fsm.hours import NINE_TO_FIVE, Hours, said_minute
from fsm.keypad import KEYPAD_DATE, KEYPAD_TIME
from fsm.locales import Locale
from fsm.names import real_name
from fsm.spec import Known, Slot
from store.database import WrongDatabase, shown

GONE = "That appointment has been cancelled or moved in the meantime."


class Practice(BaseModel):
    """The settings of the appointment tasks.

    Raises: ValidationError, also for a piece of a day in which no appointment fits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource: Annotated[
        str, Field(min_length=1, description="Whose time is booked; bots with different ones do not see each other's.")
    ] = "practice"
    length_min: Annotated[int, Field(ge=5, le=480, description="How long an appointment takes, in minutes.")] = 15
    ahead_days: Annotated[int, Field(ge=1, le=3650, description="How far ahead one can book, in days.")] = 365
    hours: Annotated[Hours, Field(description="When appointments can be; the bot's opening hours unless set here.")] = (
        NINE_TO_FIVE
    )

    database: Annotated[
        SecretStr | None,
        Field(description='A database of this bot\'s own, by the name of the secret with its URL: "secret:NAME".'),
    ] = None

    @field_validator("database")
    @classmethod
    def _a_url(cls, given: SecretStr | None) -> SecretStr | None:
        try:
            if given is not None:
                shown(given.get_secret_value())
        except WrongDatabase as error:
            raise ValueError(str(error)) from None
        return given

    def effects(self, effects: Mapping[str, Local]) -> Mapping[str, DeclaredEffect]:
        """The effects of a task, in the database that they are for."""
        if self.database is None:
            return effects
        own = own_database(self.database.get_secret_value())
        return {name: own.effect(each) for name, each in effects.items()}

    @model_validator(mode="after")
    def _room_for_one(self) -> Self:
        if not any(self._starts(weekday) for weekday in range(7)):
            raise ValueError(f"no appointment of {self.length_min} min fits into the hours; write a shorter length_min")
        return self

    def _starts(self, weekday: int) -> list[time]:
        return [
            time(*divmod(minute, 60))
            for span in self.hours.of_weekday(weekday)
            for minute in range(span.from_min, span.until_min - self.length_min + 1, self.length_min)
        ]

    def starts(self, day: date) -> list[time]:
        """The times of a day at which an appointment can begin; none if it is closed."""
        return self._starts(day.weekday()) if self.hours.on(day) else []

    def open_day(self, day: date, known: Known) -> date:
        """Check that the day is not past, within `ahead_days`, and open. Raises: SlotError."""
        today, locale = known.now.date(), known.locale
        if day < today:
            raise SlotError("That day has already passed. Which day would suit you?")
        if day > today + timedelta(days=self.ahead_days):
            too_far = locale.say(
                "That is too far ahead: we book up to {period} in advance.", period=_ahead(self.ahead_days, locale)
            )
            raise SlotError(f"{too_far} {locale.of('Which day would suit you?')}")
        if not (starts := self.starts(day)):
            question = locale.of("Which other day would suit you?")
            raise SlotError(f"{self.hours.said_closed(day, locale)} {question}")
        if day == today and known.now.time() >= starts[-1]:
            raise SlotError("We have nothing left today. Which other day would suit you?")
        return day

    def open_time(self, at: time, known: Known) -> time:
        """Check that an appointment can begin at this time, and that it is not past. Raises: SlotError."""
        day, locale = known.slots.get("day"), known.locale
        question = locale.of("What time would suit you?")
        if not self.hours.open_at(at, day):
            raise SlotError(f"{self.hours.said_on(day, locale)} {question}")
        starts = {each for weekday in range(7) for each in self._starts(weekday)} if day is None else self.starts(day)
        if at not in starts:
            raise SlotError(f"{self._begin(at, sorted(starts), locale)} {question}")
        if day == known.now.date() and at <= known.now.time():
            raise SlotError("It is already later than that today. What time would suit you?")
        return at

    def _begin(self, at: time, starts: list[time], locale: Locale) -> str:
        """When appointments begin, as a sentence for one who asks for another time."""
        # Of one or two, the times themselves are shorter.
        minutes = {each.minute for each in starts} if len(starts) > 2 else frozenset(range(60))
        if said := next((words for grid, words in _GRIDS if minutes <= grid and not _on(grid, at)), ""):
            return locale.of(said)
        near = sorted(starts, key=lambda each: abs(_minute(each) - _minute(at)))[:2]
        times = [said_minute(_minute(each), locale) for each in sorted(near)]
        if len(times) == 1:
            return locale.say("The nearest appointment begins at {time}.", time=times[0])
        return locale.say("Appointments begin at {first} or {second}.", first=times[0], second=times[1])

    def day_slot(
        self, describe: str = "The day of the appointment as YYYY-MM-DD, reckoned from today's date."
    ) -> Slot[date]:
        """The slot of the day. describe: as for Slot."""
        return Slot(
            date,
            ask="Which day would suit you?",
            check=self.open_day,
            describe=describe,
            example="You can say tomorrow, next Monday, or a date.",
            keypad=KEYPAD_DATE,
        )

    def time_slot(self) -> Slot[time]:
        """The slot of the time of day."""
        return Slot(
            time,
            ask="At what time?",
            check=self.open_time,
            describe="The time of day at which the appointment begins as HH:MM, on the 24-hour clock.",
            example="For example, half past ten.",
            keypad=KEYPAD_TIME,
        )

    def taken(self, request: EffectRequest, connection: Connection) -> Refused:
        """Refuse a time that is already booked: say so if it is the caller's own, else name the nearest free one."""
        day, at, now = request.slots["day"], request.slots["at"], request.context.now()
        locale = request.context.locale
        wanted = datetime.combine(day, at, now.tzinfo)
        holder = bookings.at(connection, self.resource, wanted)
        if holder is not None and owns(request, holder, connection):
            yours = "You have that time already: {at} on that day is booked for you. What other time would suit you?"
            return Refused(locale.say(yours, at=at))
        candidates = [datetime.combine(day, each, now.tzinfo) for each in self.starts(day)]
        free = bookings.free_times(connection, self.resource, [each for each in candidates if each > now])
        if not free:
            return Refused("I am sorry, that day is fully booked by now. Which other day and time would suit you?")
        nearest = min(free, key=lambda each: abs(each - wanted))
        taken = "I am sorry, {at} is already taken. The nearest free time is {nearest}. What time would suit you?"
        return Refused(locale.say(taken, at=at, nearest=nearest.time()))


# By the minutes at which all appointments begin, the widest grid last.
_GRIDS: tuple[tuple[frozenset[int], str], ...] = (
    (frozenset({0}), "Appointments begin at the full hours."),
    (frozenset({0, 30}), "Appointments begin at the full and half hours."),
    (frozenset({0, 15, 30, 45}), "Appointments begin at the full, half and quarter hours."),
)
_PERIODS = (
    (365, "a year", "{number} years"),
    (7, "a week", "{number} weeks"),
    (1, "a day", "{number} days"),
)


def _ahead(days: int, locale: Locale) -> str:
    length, one, several = next(each for each in _PERIODS if days % each[0] == 0)
    return locale.of(one) if days == length else locale.say(several, number=days // length)


def _on(grid: frozenset[int], at: time) -> bool:
    return at.minute in grid and not at.second and not at.microsecond


def _minute(at: time) -> int:
    return 60 * at.hour + at.minute


def digits(code: str, known: Known) -> str:
    """The digits of a code, without what is said or written between them."""
    told = "".join(each for each in code if each.isdecimal())
    if not told:
        raise SlotError("I did not get the code.")
    return told


# Which of the caller's appointments; asked for only if that is unclear.
WHICH = Slot(
    date,
    ask="On which day is the one that you mean?",
    describe="The day of the appointment that is booked already as YYYY-MM-DD; only if the caller says it.",
    keypad=KEYPAD_DATE,
)
WHICH_AT = Slot(
    time,
    ask="At what time is the one that you mean?",
    describe="The time of the appointment that is booked already as HH:MM; only if the caller says it.",
    keypad=KEYPAD_TIME,
)
CODE = Slot(
    str,
    check=digits,
    describe="The code of the appointment that is booked already, digits only; only if the caller says it.",
    optional=True,
)
# Filled by the look-up, for the read-back.
WAS_DAY, WAS_AT = Slot(date, stored=True), Slot(time, stored=True)
WAS = "{was_day} at {was_at}"
# The slots by which an existing appointment is found, then those that the look-up fills, in a table's order.
BOOKED_ALREADY: Mapping[str, Slot[Any]] = {
    "name": Slot(
        str,
        ask="Under what name is it booked?",
        check=real_name,
        describe="The caller's name, as the caller says it; leave it out until then.",
        example="You can also tell me the code that you were given for it.",
    ),
    "which": WHICH,
    "which_at": WHICH_AT,
    "code": CODE,
    "was_day": WAS_DAY,
    "was_at": WAS_AT,
}
