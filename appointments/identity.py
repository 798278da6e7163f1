"""Finds the caller's appointment, and proves by two facts that it is theirs.

A caller's number proves nothing, nor does a name: anybody can send or guess either. So nothing stored is mentioned
before two facts match one appointment, and the number of wrong attempts is limited.
May import: appointments, fsm, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Self, get_args

from sqlalchemy import Connection

from appointments import attempts, bookings
from appointments.attempts import Outcome
from appointments.bookings import Appointment
from fsm.conditions import Condition, ConditionRule
from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused
from fsm.locales import Locale
from fsm.names import has_letters, is_whole, same_person
from fsm.spec import Arrow

# Facts that must match to prove that an appointment is the caller's.
ENOUGH = 2
# Wrong attempts after which a call has no more: room for a name misheard and a day mistaken.
WRONG_IN_CALL = 3
# Within 24 hours from one number, because the next call has new attempts.
WRONG_IN_A_DAY = 10
A_DAY = timedelta(days=1)
# For one name within 24 hours and all callers: a withheld number has no limit of its own, and each call new attempts,
# so a stranger who knows a name would find the day. Few, because most appointments are within a few weeks.
WRONG_OF_NAME_IN_A_DAY = 5
# Facts that still prove an appointment whose name was tried too often: one is the code, which its owner was told. Two
# of them would let a stranger guess the code instead of the day.
ENOUGH_WITH_CODE = 3
# The fact under which a run knows the code that it goes on without.
DROPPED = "dropped_code"
NO_MORE = "I cannot look for appointments any more, since what I was told did not fit any of them too often."


@dataclass(frozen=True, slots=True)
class Claims:
    """The facts by which a caller identifies an appointment; "" or None if unknown. number: in E.164."""

    number: str = ""
    name: str = ""
    code: str = ""
    day: date | None = None

    @classmethod
    def of(cls, request: EffectRequest) -> Self:
        slots, code = request.slots, request.slots.get("code", "")
        if code == request.facts.get(DROPPED):
            code = ""
        return cls(request.context.caller, slots.get("name", ""), code, slots.get("which"))

    @property
    def made(self) -> int:
        """How many facts the caller has given."""
        return sum(map(bool, (self.number, self.name, self.code, self.day)))

    def fitting(self, appointment: Appointment, starts_at: datetime) -> int:
        """How many of them match the appointment. starts_at: the appointment's, in the bot's time zone."""
        return sum(
            (
                bool(self.number) and appointment.caller == self.number,
                same_person(appointment.name, self.name),
                self.by_code(appointment),
                starts_at.date() == self.day,
            )
        )

    def prove(self, appointment: Appointment, starts_at: datetime) -> bool:
        """Whether the facts prove that the appointment is the caller's. starts_at: as for `fitting`.

        Two match, and neither the name nor the code is another one: what was misheard or mistaken is given again. The
        number may be another telephone's; the day says which of the caller's appointments is meant.
        """
        named = not self.name or not has_letters(appointment.name) or same_person(appointment.name, self.name)
        coded = not self.code or not appointment.code or self.by_code(appointment)
        return self.fitting(appointment, starts_at) >= ENOUGH and named and coded

    def by_code(self, appointment: Appointment) -> bool:
        """Whether the code is the appointment's."""
        return bool(self.code) and appointment.code == self.code


def find(resource: str, request: EffectRequest, connection: Connection) -> EffectResult:
    """Find the resource's appointment that two facts match. If refused, the fact `ask` names the slot to ask for."""
    claims, now = Claims.of(request), request.context.now()
    wrong = attempts.wrong_in_call(connection, request.context.conversation_id)
    if _too_often(request, connection):
        return Failed(NO_MORE)
    if claims.made < ENOUGH:
        return _ask("which", "incomplete", "Your number is withheld, so I need more than a name.")
    candidates = _candidates(resource, claims, now, connection)
    proven = _proven(claims, candidates, now)
    by_others = {} if proven or not claims.code else _proven(replace(claims, code=""), candidates, now)
    tried = attempts.wrong_names(connection, now - A_DAY) if proven or by_others else {}
    guessed = {
        each.id
        for each in candidates
        if each.id in proven and _guessed(each.name, tried) and not _beyond_guessing(claims, each, proven[each.id])
    }
    proven = {each: local for each, local in proven.items() if each not in guessed}
    if proven:
        coded = {each.id for each in candidates if claims.code and each.code == claims.code}
        return _the_one_meant({each: local for each, local in proven.items() if each in coded} or proven, request)
    locale = request.context.locale
    said = locale.say("I cannot find an appointment {described}.", described=_described(claims, locale))
    if wrong + 1 >= WRONG_IN_CALL:
        return Failed(said)
    if any(each.id in by_others and not _guessed(each.name, tried) for each in candidates):
        # Without the code they would have been told of it already.
        without = f"{said} {locale.of('I will go on without the code.')}"
        return Refused(without, {"ask": "name", "tried": "wrong", DROPPED: claims.code})
    if not is_whole(claims.name):
        said = f"{said} {locale.of('I need the first name and the surname.')}"
    # Beside two other facts the name must be wrong; otherwise ask for name and day in turn.
    # What was guessed and what is wrong get the same answer.
    return _ask("which" if wrong and claims.made <= ENOUGH else "name", "limited" if guessed else "wrong", said)


def _candidates(resource: str, claims: Claims, now: datetime, connection: Connection) -> list[Appointment]:
    day = None
    if claims.day is not None:
        day = _midnight(claims.day, now), _midnight(claims.day + timedelta(days=1), now)
    return bookings.upcoming(connection, resource, now, caller=claims.number, code=claims.code, day=day)


def _only_miscoded(resource: str, request: EffectRequest, connection: Connection) -> bool:
    """Whether a wrong attempt, the call's last, would have found the appointment without its code."""
    claims, now = Claims.of(request), request.context.now()
    if not claims.code:
        return False
    candidates = _candidates(resource, claims, now, connection)
    found, tried = _proven(replace(claims, code=""), candidates, now), attempts.wrong_names(connection, now - A_DAY)
    return any(each.id in found and not _guessed(each.name, tried) for each in candidates)


def _proven(claims: Claims, candidates: Iterable[Appointment], now: datetime) -> dict[int, datetime]:
    """When those begin that the facts prove to be the caller's, by id."""
    return {each.id: local for each in candidates if claims.prove(each, local := each.starts_at.astimezone(now.tzinfo))}


def owns(request: EffectRequest, appointment: Appointment, connection: Connection) -> bool:
    """Whether number and name prove that an appointment is the caller's, for one who has not been asked to prove it.

    Without a number nothing does, because a caller who books says a name and a day of their own choice, and as often as
    they like.
    """
    claims = Claims.of(request)
    if not claims.number or appointment.caller != claims.number or not same_person(appointment.name, claims.name):
        return False
    tried = attempts.wrong_names(connection, request.context.now() - A_DAY)
    return not _too_often(request, connection) and not _guessed(appointment.name, tried)


def _too_often(request: EffectRequest, connection: Connection) -> bool:
    """Whether the call or its number has had as many wrong attempts as it may have."""
    context = request.context
    # Within 24 hours, not since midnight: otherwise someone who guesses would only have to wait for midnight.
    return (
        attempts.wrong_in_call(connection, context.conversation_id) >= WRONG_IN_CALL
        or attempts.wrong_by_number(connection, context.caller, context.now() - A_DAY) >= WRONG_IN_A_DAY
    )


def _guessed(name: str, tried: Mapping[str, int]) -> bool:
    """Whether a stored name was tried too often. Compared with each: a name can be varied and still match."""
    return sum(times for each, times in tried.items() if same_person(name, each)) >= WRONG_OF_NAME_IN_A_DAY


def _beyond_guessing(claims: Claims, appointment: Appointment, starts_at: datetime) -> bool:
    return claims.by_code(appointment) and claims.fitting(appointment, starts_at) >= ENOUGH_WITH_CODE


def tally(resource: str, request: EffectRequest, result: EffectResult, connection: Connection) -> str:
    """Store an attempt and its outcome."""
    outcome: Outcome = "matched" if isinstance(result, Ok) else "wrong"
    if result == Failed(NO_MORE):
        outcome = "limited"
    if isinstance(result, Refused):
        outcome = _OUTCOMES[str(result.facts["tried"])]
    # Not a guess at the name where all but the code match.
    if isinstance(result, Refused):
        miscoded = DROPPED in result.facts
    else:
        miscoded = outcome == "wrong" and _only_miscoded(resource, request, connection)
    context = request.context
    attempts.attempted(
        connection,
        key=request.key,
        conversation_id=context.conversation_id,
        caller=context.caller,
        outcome=outcome,
        name="" if miscoded else request.slots.get("name", ""),
        at=context.now(),
    )
    return outcome


_OUTCOMES: dict[str, Outcome] = {each: each for each in get_args(Outcome)}


def asked_anew(*, name: str, day: str, at: str) -> tuple[Arrow, ...]:
    """The arrows of a refused `find`, each to the state that collects what has to be given again."""
    return (
        Arrow(name, when=ConditionRule(Condition.model_validate({"fact": "ask", "is": "name"}))),
        Arrow(at, when=ConditionRule(Condition.model_validate({"fact": "ask", "is": "which_at"}))),
        Arrow(day),
    )


def still_theirs(resource: str, request: EffectRequest, connection: Connection) -> Appointment | None:
    """The resource's appointment that was found and read back; None if it has changed, or is no longer the caller's."""
    mine = bookings.held(connection, int(str(request.facts["appointment"])))
    if mine is None or mine.resource != resource:
        return None
    tz = request.context.now().tzinfo
    was, local = datetime.combine(request.slots["was_day"], request.slots["was_at"], tz), mine.starts_at.astimezone(tz)
    return mine if mine.starts_at == was and Claims.of(request).prove(mine, local) else None


def _the_one_meant(proven: dict[int, datetime], request: EffectRequest) -> EffectResult:
    """Select one of the caller's appointments by the day and time given."""
    day, at, locale = request.slots.get("which"), request.slots.get("which_at"), request.context.locale
    on_day = {each: local for each, local in proven.items() if day in (None, local.date())}
    if not on_day:
        none_then = locale.say("There is none on {day}.", day=day)
        return _ask("which", "matched", f"{none_then} {_listed(proven, locale)}".strip())
    fitting = {each: local for each, local in on_day.items() if at in (None, local.time())}
    if len(fitting) == 1:
        [(found, local)] = fitting.items()
        return Ok({"was_day": local.date().isoformat(), "was_at": f"{local:%H:%M:%S}", "appointment": found})
    left = fitting or on_day
    one_day = len({local.date() for local in left.values()}) == 1
    none_then = "" if fitting else locale.say("There is none at {at}.", at=at)
    return _ask("which_at" if one_day else "which", "matched", f"{none_then} {_listed(left, locale)}".strip())


def _ask(slot: str, tried: Outcome, say: str) -> Refused:
    return Refused(say, {"ask": slot, "tried": tried})


def _described(claims: Claims, locale: Locale) -> str:
    return " ".join(
        locale.say(part, name=claims.name, day=claims.day)
        for part, claimed in (
            ("under the name {name}", claims.name),
            ("on {day}", claims.day),
            ("with that code", claims.code),
            ("for your number", claims.number),
        )
        if claimed
    )


def _listed(proven: dict[int, datetime], locale: Locale) -> str:
    """The appointments to choose from; "" if there is one, because it is not the one that the caller named."""
    if len(proven) == 1:
        return ""
    times = [locale.say("{day} at {at}", day=local.date(), at=local.time()) for local in proven.values()][:3]
    return locale.say("Your next appointments are on {appointments}.", appointments=locale.listed(times))


def _midnight(day: date, now: datetime) -> datetime:
    return datetime.combine(day, time(), now.tzinfo)
