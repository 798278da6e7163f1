"""Effects: what a task does outside its own state, exactly once, and the results.

May import: fsm.locales, fsm.scratchpad, pydantic, the standard library. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from pydantic import JsonValue

from fsm.locales import ENGLISH, Locale
from fsm.scratchpad import Note


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a run knows about the call it belongs to.

    conversation_id: the key of the call in the store, which no other call has (store/call_keys.py). caller: the number
    that the caller claims, in E.164; "" for nobody. now: the wall clock, aware, in the bot's time zone. choices: the
    values allowed for slots with `choices`, by the name of the setting whose keys they are. notes: the scratchpads of
    the call's earlier tasks, for a task with `carries_notes`. bot, bot_digest: the version that declares the effects.
    before: what is known of the call from its beginning, by names like "before.name" and "start.callee": facts of the
    run, and of each of its effects.
    locale: the language that is spoken with the caller.
    """

    conversation_id: str
    run_id: str
    caller: str
    now: Callable[[], datetime]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    bot: str = ""
    bot_digest: str = ""
    before: Mapping[str, JsonValue] = field(default_factory=dict)
    locale: Locale = ENGLISH


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """One effect to carry out.

    key: the idempotency key: equal for every attempt at this step of this run, and unique to it.
    slots: the confirmed values, of the types the table declares. facts: other values the run knows, such as results of
    its look-ups: take an id from there, never from the model.
    """

    key: str
    slots: Mapping[str, Any]
    context: TaskContext
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


# Upper bound on states between a confirmed yes and its effect; enumerates the idempotency keys that a dead process may
# have written.
STATES_AHEAD = 8


def effect_key(conversation_id: str, run_id: str, entered: int) -> str:
    """The idempotency key of a step. entered: how many states the run has entered; a repeated step has the same."""
    return f"{conversation_id}:{run_id}:{entered}"


def effect_keys_ahead(conversation_id: str, run_id: str, entered: int) -> list[str]:
    """The keys of the steps that may have followed in a process that has died. entered: by the run's snapshot."""
    return [effect_key(conversation_id, run_id, entered + ahead) for ahead in range(1, STATES_AHEAD + 1)]


@dataclass(frozen=True, slots=True)
class Ok:
    """It is done. values: its results, for the task's output (a booking's number).

    images: PNG or JPEG, by the names by which `show_image` shows them. They are in this process only: no log has them.
    """

    values: Mapping[str, JsonValue] = field(default_factory=dict)
    images: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The request cannot be met as it is, and nothing was done. say: why, in words for the caller.

    facts: put into the run's context, where arrows tell refusals apart by them. Look-ups only: they are not logged.
    """

    say: str
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be carried out, and nothing was done. say: the apology, in words for the caller.

    why: for those who run the daemon: short, the same for all calls that meet it, and none of the caller's words.
    """

    say: str
    why: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may have been done; nobody knows whether it was. say: the caller is told that. why: as in Failed."""

    say: str
    why: str = field(default="", compare=False)


EffectResult = Ok | Refused | Failed | Unclear


class NotSent(Exception):
    """Raised by a Remote's `do` when nothing has reached the remote system. say: the apology; "" for Tieline's.

    why: as in Failed; the reason itself may hold anything, and is only logged.
    """

    def __init__(self, reason: str = "", say: str = "", why: str = "") -> None:
        super().__init__(reason)
        self.say = say
        self.why = why


# What happens to an effect if the caller hangs up while it is carried out.
OnHangUp = Literal["finish", "undo"]


@dataclass(frozen=True, slots=True)
class Local:
    """An effect in our own database: `do` and the log of its outcome are one transaction, so it is done once.

    do, undo: get the open connection of that transaction (SQLAlchemy's); an exception rolls it back, and so does any
    result of `do` other than Ok. An exception of `do` counts as Failed. undo: reverses an Ok. reads_only: a look-up; it
    may run before the caller confirmed anything, and repeatedly. tally: records each run of a look-up, in a transaction
    of its own; returns its outcome, a short word from a closed set, for the metric and the log.
    """

    do: Callable[[EffectRequest, Any], EffectResult]
    undo: Callable[[EffectRequest, Any], None] | None = None
    on_hang_up: OnHangUp = "finish"
    reads_only: bool = False
    tally: Callable[[EffectRequest, EffectResult, Any], str] | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """An effect in a remote system, outside our transactions.

    do: raises NotSent if nothing was sent; that counts as Failed. Any other exception counts as Unclear: the effect is
    never repeated on its own, only looked up or settled by a human.
    recover: what to do when a process died in `do`. "retry": do it again; the remote system drops duplicates by the
    key. "human": do not repeat it; the caller is told that it is uncertain. A function looks it up by the key: returns
    its result if it was done, None if not; then it is done, as soon as the first request cannot be under way any more.
    drops_duplicates: the remote system does it once for a key, so that it need not be waited for.
    recover_within: since the intent; an effect that is unsettled for longer is left to a human.
    reads_only: a look-up, as with Local: it is not logged, has no limits, and what it raises counts as Failed. It runs
    without a connection to our database.
    say: what a caller hears who waits for it longer than say_after_s; "" for the recorded "one moment". longest_s: it
    ends by itself within that time; 0 if nothing sees to it, so that the limit of every step holds.
    facts: the names of those that it reads: no others are logged with it, where others could read them. None: all.
    tally: as with Local; it sees to its own transaction. unclear: what a caller is told where nobody knows whether it
    was done and `do` has not said it; "" for Tieline's words.
    """

    do: Callable[[EffectRequest], EffectResult]
    recover: Literal["retry", "human"] | Callable[[EffectRequest], EffectResult | None] = "human"
    undo: Callable[[EffectRequest], None] | None = None
    on_hang_up: OnHangUp = "finish"
    recover_within: timedelta = timedelta(hours=1)
    reads_only: bool = False
    say: str = ""
    say_after_s: float = 0.0
    longest_s: float = 0.0
    tally: Callable[[EffectRequest, EffectResult], str] | None = None
    drops_duplicates: bool = False
    unclear: str = ""
    facts: frozenset[str] | None = None


DeclaredEffect = Local | Remote


class Effects(Protocol):
    """Carries out the effects that a run's table names."""

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        """Do the effect once for the request's key; later calls return the first result."""
        ...

    def begun(self, keys: Sequence[str]) -> bool:
        """Whether any of these may have been carried out already, by a run that has died since."""
        ...

    def spent(self, context: TaskContext) -> str:
        """Why this call or caller may have no further effect, in words for the caller; "" if it may."""
        ...

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        """The caller hung up during the effect. Returns whether it was undone, as its policy decides."""
        ...
