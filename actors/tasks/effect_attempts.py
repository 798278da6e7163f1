"""The attempts of one process at effects: one at a time for each key, and what the effect log says of them.

Shared by the threads of all FsmAgents, and by the recovery of what other processes have begun.
May import: actors, fsm, protocols, store, SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from actors.bots import Bot, Bots
from fsm.effects import (
    DeclaredEffect,
    EffectRequest,
    EffectResult,
    Failed,
    Ok,
    Refused,
    Remote,
    TaskContext,
    Unclear,
)
from fsm.secret import without_secrets
from fsm.spec import AgentSpec
from protocols.images import MOST_IMAGE_BYTES
from protocols.text import well_formed, well_formed_json
from store import effect_log
from store.effect_log import LoggedEffect, Status

BROKEN = "I am sorry, that did not work."
UNSURE = "I am sorry, I cannot tell whether that went through. Please check with us before you rely on it."
# How long an attempt waits for another one with the same key, in seconds.
PATIENCE_S = 5.0
# What SQLAlchemy raises when the database is unavailable.
UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout)
STATUS: dict[type[EffectResult], Status] = {Ok: "ok", Refused: "refused", Failed: "failed", Unclear: "unclear"}


def unsure(effect: DeclaredEffect | None, why: str = "") -> Unclear:
    """What a caller is told of an effect that may have been done. effect: None if nobody has it any more."""
    return Unclear((effect.unclear if isinstance(effect, Remote) else "") or UNSURE, why)


@dataclass(frozen=True, slots=True)
class Declaration:
    """An effect, and the bot and the task that declare it."""

    bot: Bot
    effect: DeclaredEffect
    spec: AgentSpec


def declaration(bot: Bot, name: str) -> Declaration | None:
    """A bot's effect of that name; None if it has none."""
    for spec in bot.profile.agents.values():
        if (effect := spec.effects.get(name)) is not None:
            return Declaration(bot, effect, spec)
    return None


class EffectAttempts:
    """The keys that this process is carrying out. bots: whose tasks declare the effects. now: aware.

    patience_s: how long `alone` waits. unstored: outcomes that the database could not take, by key.
    """

    def __init__(
        self,
        engine: Engine,
        bots: Bots,
        now: Callable[[], datetime],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.engine = engine
        self.now = now
        self.bots = bots
        self.unstored: dict[str, EffectResult] = {}
        self._patience_s = patience_s
        self._under_way: set[str] = set()
        self._done = threading.Condition()

    @property
    def under_way(self) -> tuple[str, ...]:
        """The keys that are being carried out."""
        return tuple(self._under_way)

    @contextmanager
    def alone(self, key: str) -> Iterator[bool]:
        """Wait for another thread's attempt with this key. Yields False after `patience_s`: that attempt may hang."""
        with self._done:
            alone = self._done.wait_for(lambda: key not in self._under_way, self._patience_s)
            if alone:
                self._under_way.add(key)
        try:
            yield alone
        finally:
            if alone:
                with self._done:
                    self._under_way.discard(key)
                    self._done.notify_all()

    def settle(self, connection: Connection, key: str, result: EffectResult, status: Status | None = None) -> None:
        """Log an outcome. status: another one than the result's."""
        values = result.values if isinstance(result, Ok) else {}
        say = "" if isinstance(result, Ok) else result.say
        effect_log.settle(connection, key, status or STATUS[type(result)], values, say, self.now())

    def declared(self, name: str, context: TaskContext) -> Declaration:
        """An effect of a task of a call. Raises: KeyError if the call's bot has none of that name."""
        bot = self.bots.version(context.bot, context.bot_digest)
        declared = None if bot is None else declaration(bot, name)
        if declared is None:
            raise KeyError(f"{context.bot} {context.bot_digest} {name}")
        return declared

    def entry(self, name: str, declared: Declaration, request: EffectRequest, epoch: int) -> LoggedEffect:
        """The log entry of a request's intent. epoch: of the conversation's lease."""
        context, slots = request.context, declared.spec.slots
        names = declared.effect.facts if isinstance(declared.effect, Remote) else None
        return LoggedEffect(
            key=request.key,
            name=name,
            conversation_id=context.conversation_id,
            run_id=context.run_id,
            caller=context.caller,
            bot=context.bot,
            bot_digest=context.bot_digest,
            slots={slot: slots[slot].write(value) for slot, value in request.slots.items()},
            facts={name: value for name, value in request.facts.items() if names is None or name in names},
            intended_at=self.now(),
            epoch=epoch,
        )

    def request(self, known: LoggedEffect, declared: Declaration) -> EffectRequest | None:
        """The logged request; None if it no longer fits the task's table, which has changed since."""
        context = TaskContext(
            known.conversation_id,
            known.run_id,
            known.caller,
            self.now,
            bot=known.bot,
            bot_digest=known.bot_digest,
            locale=declared.bot.profile.locale,
        )
        slots = declared.spec.slots
        try:
            read = {slot: slots[slot].read(value) for slot, value in known.slots.items()}
        except (KeyError, ValueError):
            return None
        return EffectRequest(known.key, read, context, known.facts)


def checked(result: EffectResult, request: EffectRequest | None = None) -> EffectResult:
    """What a task's code returned, in well-formed texts. Raises: TypeError or ValueError if it cannot be stored.

    request: whose secrets are left out of it.
    """
    if type(result) not in STATUS:
        raise TypeError(f"an effect has returned a {type(result).__name__}")
    if request is not None:
        result = without_secrets(result, request)
    if not isinstance(result, Ok):
        return replace(result, say=well_formed(result.say))
    # PostgreSQL takes no inf and no nan, which a reply's 1e400 would become.
    values = json.dumps(dict(result.values), allow_nan=False)
    sound = well_formed_json(values)
    if not all(isinstance(each, bytes) for each in result.images.values()):
        raise TypeError("an effect has returned an image that is no bytes")
    # One that is too large is none, and a byte too many tells so as well as all the others.
    images = {name: each[: MOST_IMAGE_BYTES + 1] for name, each in result.images.items()}
    return Ok(result.values if sound == values else json.loads(sound), images)
