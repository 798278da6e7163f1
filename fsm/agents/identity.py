"""Finds the caller's appointment, and proves by two facts that it is theirs.

A caller's number proves nothing, nor does a name: anybody can send or guess either. So nothing stored is mentioned
before two facts match one appointment, and the number of wrong attempts is limited.
May import: fsm, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from difflib import SequenceMatcher
from typing import Self

from sqlalchemy import Connection

from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused
from fsm.errors import SlotError
from fsm.spec import Arrow, Known
from store import appointments, identity
from store.appointments import Appointment
from store.identity import Outcome

ENOUGH = 2
WRONG_IN_CALL, WRONG_IN_A_DAY = 3, 10
# Least similarity of two names. Names come from speech, so the same name is spelt in many ways; a second fact has to
# match as well.
ALIKE = 0.7
LONGEST_NAME = 100
NO_MORE = "I cannot look for appointments any more, since what I was told did not fit any of them too often."
# What models put in as the name of a caller who gave none. A name with any other word in it is accepted.
_NO_NAMES = """
    a anonim anonym anonyme anonymous anrufer available blank blocked caller client customer default empty first full
    given gast guest human i id inconnu invité is it keine known kunde last madam me mentioned missing mr mrs ms myself
    n na name nil no nobody none not null of ok okay person placeholder please private provided restricted said self
    sir somebody someone specified stated still tba tbd test the they this unavailable unbekannt undefined unknown
    unnamed unspecified user withheld yes yet your desconocido sconosciuto onbekend nepoznat неизвестно 未知 不明
"""
PLACEHOLDERS = frozenset(_NO_NAMES.split())


def real_name(name: str, known: Known) -> str:
    """The name with its spaces normalised. Raises: SlotError for a placeholder, no letters, or excessive length."""
    name = " ".join(name.split())
    words = "".join(letter if letter.isalpha() else " " for letter in name.casefold()).split()
    if not words or len(name) > LONGEST_NAME or PLACEHOLDERS.issuperset(words):
        raise SlotError("I did not get a name.")
    return name


@dataclass(frozen=True, slots=True)
class Claims:
    """The facts by which a caller identifies an appointment; "" or None if unknown. number: in E.164."""

    number: str = ""
    name: str = ""
    code: str = ""
    day: date | None = None

    @classmethod
    def of(cls, request: EffectRequest) -> Self:
        slots = request.slots
        return cls(request.context.caller, slots.get("name", ""), slots.get("code", ""), slots.get("which"))

    @property
    def made(self) -> int:
        """How many facts the caller has given."""
        return sum(map(bool, (self.number, self.name, self.code, self.day)))

    def fitting(self, appointment: Appointment, starts_at: datetime) -> int:
        """How many of them match the appointment. starts_at: the appointment's, in the bot's time zone."""
        return sum(
            (
                bool(self.number) and appointment.caller == self.number,
                alike(appointment.name, self.name),
                bool(self.code) and appointment.code == self.code,
                starts_at.date() == self.day,
            )
        )

    def prove(self, appointment: Appointment, starts_at: datetime) -> bool:
        """Whether the facts prove that the appointment is the caller's. starts_at: as for `fitting`.

        A name that does not match outweighs number and day, which others may know; a code outweighs a misheard name.
        """
        others = bool(_letters(appointment.name) and self.name) and not alike(appointment.name, self.name)
        by_code = bool(self.code) and appointment.code == self.code
        return self.fitting(appointment, starts_at) >= ENOUGH and (by_code or not others)


def alike(stored: str, said: str) -> bool:
    """Whether two names may be the same one, misheard. A name without letters matches none."""
    one, other = _letters(stored), _letters(said)
    return bool(one and other) and SequenceMatcher(None, one, other).ratio() >= ALIKE


def _letters(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in plain if letter.isalpha())


def find(request: EffectRequest, connection: Connection) -> EffectResult:
    """Find the appointment that two facts match. If refused, the fact `ask` names the slot to ask for."""
    claims, now = Claims.of(request), request.context.now()
    wrong = identity.wrong_in_call(connection, request.context.conversation_id)
    # Within 24 hours, not since midnight: otherwise someone who guesses would only have to wait for midnight.
    today = identity.wrong_by_number(connection, claims.number, now - timedelta(days=1))
    if wrong >= WRONG_IN_CALL or today >= WRONG_IN_A_DAY:
        return Failed(NO_MORE)
    if claims.made < ENOUGH:
        return _ask("which", "incomplete", "Your number is withheld, so I need more than a name.")
    day = None
    if claims.day is not None:
        day = _midnight(claims.day, now), _midnight(claims.day + timedelta(days=1), now)
    candidates = appointments.upcoming(connection, now, caller=claims.number, code=claims.code, day=day)
    proven = {
        each.id: local for each in candidates if claims.prove(each, local := each.starts_at.astimezone(now.tzinfo))
    }
    if proven:
        coded = {each.id for each in candidates if claims.code and each.code == claims.code}
        return _the_one_meant({each: local for each, local in proven.items() if each in coded} or proven, request)
    said = f"I cannot find an appointment {_described(claims)}."
    if wrong + 1 >= WRONG_IN_CALL:
        return Failed(said)
    # If number and day are known, the name must be wrong; otherwise ask for name and day in turn.
    return _ask("which" if wrong and not (claims.number and claims.day) else "name", "wrong", said)


def tally(request: EffectRequest, result: EffectResult, connection: Connection) -> str:
    """Store an attempt and its outcome."""
    outcome: Outcome = "matched" if isinstance(result, Ok) else "wrong"
    if isinstance(result, Refused):
        outcome = _OUTCOMES[str(result.facts["tried"])]
    context = request.context
    identity.attempted(
        connection,
        key=request.key,
        conversation_id=context.conversation_id,
        caller=context.caller,
        outcome=outcome,
        at=context.now(),
    )
    return outcome


_OUTCOMES: dict[str, Outcome] = {"matched": "matched", "incomplete": "incomplete", "wrong": "wrong"}


def asked_anew(*, name: str, day: str, at: str) -> tuple[Arrow, ...]:
    """The arrows of a refused `find`, each to the state that collects what has to be given again."""
    return (
        Arrow(name, when=lambda known: known.facts.get("ask") == "name"),
        Arrow(at, when=lambda known: known.facts.get("ask") == "which_at"),
        Arrow(day),
    )


def still_theirs(request: EffectRequest, connection: Connection) -> Appointment | None:
    """The appointment that was found and read back; None if it has changed since, or is no longer the caller's."""
    mine = appointments.held(connection, int(str(request.facts["appointment"])))
    if mine is None:
        return None
    tz = request.context.now().tzinfo
    was, local = datetime.combine(request.slots["was_day"], request.slots["was_at"], tz), mine.starts_at.astimezone(tz)
    return mine if mine.starts_at == was and Claims.of(request).prove(mine, local) else None


def _the_one_meant(proven: dict[int, datetime], request: EffectRequest) -> EffectResult:
    """Select one of the caller's appointments by the day and time given."""
    day, at = request.slots.get("which"), request.slots.get("which_at")
    on_day = {each: local for each, local in proven.items() if day in (None, local.date())}
    if not on_day:
        return _ask("which", "matched", f"There is none on {_day(day)}. {_listed(proven)}".strip())
    fitting = {each: local for each, local in on_day.items() if at in (None, local.time())}
    if len(fitting) == 1:
        [(found, local)] = fitting.items()
        return Ok({"was_day": local.date().isoformat(), "was_at": f"{local:%H:%M:%S}", "appointment": found})
    left = fitting or on_day
    one_day = len({local.date() for local in left.values()}) == 1
    none_then = "" if fitting else f"There is none at {_at(at)}. "
    return _ask("which_at" if one_day else "which", "matched", f"{none_then}{_listed(left)}".strip())


def _ask(slot: str, tried: Outcome, say: str) -> Refused:
    return Refused(say, {"ask": slot, "tried": tried})


def _described(claims: Claims) -> str:
    return " ".join(
        part
        for part, claimed in (
            (f"under the name {claims.name}", claims.name),
            (f"on {_day(claims.day)}", claims.day),
            ("with that code", claims.code),
            ("for your number", claims.number),
        )
        if claimed
    )


def _listed(proven: dict[int, datetime]) -> str:
    """The appointments to choose from; "" if there is one, because it is not the one that the caller named."""
    if len(proven) == 1:
        return ""
    *most, last = [f"{_day(local.date())} at {_at(local.time())}" for local in proven.values()][:3]
    return f"Your next appointments are on {', '.join(most)} and {last}."


def _day(day: date | None) -> str:
    return f"{day:%A} {day.day} {day:%B}" if day else ""


def _at(at: time | None) -> str:
    return f"{at.hour}:{at:%M}" if at else ""


def _midnight(day: date, now: datetime) -> datetime:
    return datetime.combine(day, time(), now.tzinfo)
