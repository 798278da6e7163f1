"""Carries out the effects of tasks: once for each idempotency key, even across crashes.

Called by the threads of all FsmAgents. A local effect is one transaction together with its intent and outcome; a remote
effect commits its intent first, so that after a crash it is known that the effect may have been done.
May import: actors, fsm, protocols, store, SQLAlchemy, loguru. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import assert_never

from loguru import logger
from sqlalchemy import Connection, Engine

from actors.bots import Bot, Bots
from actors.metrics import EFFECTS, LOOKUPS, TOOL_S
from actors.tasks.effect_attempts import (
    BROKEN,
    PATIENCE_S,
    STATUS,
    UNAVAILABLE,
    UNSURE,
    Declaration,
    EffectAttempts,
    checked,
    unsure,
)
from actors.tasks.effect_recovery import ABANDONED, UNDO_FAILED, EffectRecovery
from fsm.effects import (
    DeclaredEffect,
    EffectRequest,
    EffectResult,
    Failed,
    Local,
    NotSent,
    Ok,
    Refused,
    Remote,
    TaskContext,
    Unclear,
)
from fsm.secret import Secret
from fsm.spec import Act, AgentSpec
from protocols.errors import Fenced
from store import effect_log
from store.database import DatabaseAway, reading
from store.effect_log import LoggedEffect
from store.leases import fenced
from store.rows import UnreadableRow

NO_STORE = "I am sorry, I cannot get at our books at the moment."
TOO_MANY = "I am sorry, I cannot do more than that for you by myself."
# What is kept of a reason.
WHY_CHARS = 100
# Raised before anything was sent.
_NOT_SENT = (NotSent, ConnectionRefusedError)


class _NoStore(Exception):
    """The database is unavailable. say: for the caller; UNSURE after a failed commit, which may have succeeded."""

    def __init__(self, say: str) -> None:
        self.say = say


@dataclass(frozen=True, slots=True)
class EffectLimits:
    """Limits on effects that change something; 0: any number.

    per_call: for one conversation. per_number_a_day: for one caller's number within 24 hours; not for withheld numbers,
    which many callers share.
    """

    per_call: int = 0
    per_number_a_day: int = 0


NO_LIMITS = EffectLimits()


class EffectRunner:
    """Runs effects against the database. bots: whose tasks declare them. now: the wall clock, aware.

    patience_s: how long an attempt waits for another one with the same key before it answers UNSURE.
    epoch_of: the epoch of a conversation's lease, 0 if it has none; a stale epoch is fenced and changes nothing.
    recovery: settles the effects that nobody is carrying out any more. watched: see EffectRecovery.
    """

    def __init__(
        self,
        engine: Engine,
        bots: Bots,
        now: Callable[[], datetime],
        patience_s: float = PATIENCE_S,
        epoch_of: Callable[[str], int] = lambda _: 0,
        limits: EffectLimits = NO_LIMITS,
        watched: timedelta = ABANDONED,
    ) -> None:
        self._attempts = EffectAttempts(engine, bots, now, patience_s)
        self.recovery = EffectRecovery(self._attempts, watched)
        self._engine = engine
        self._epoch_of = epoch_of
        self._now = now
        self._limits = limits

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        """Do the effect once for the request's key; later calls return its first result.

        An effect that raises is Failed, or Unclear if it may have been done. Raises: Fenced.
        """
        began_s = monotonic()
        try:
            declared = self._declared(name, request.context)
            result = self._carry_out(name, declared, request)
            if isinstance(result, Ok):
                _tell_misfit(declared.spec, name, request, result)
        except UnreadableRow:
            # It may have been done: the row that says so is damaged.
            log = logger.bind(conversation=request.context.conversation_id, effect=name, key=request.key)
            log.error("the log of this effect cannot be read")
            result = Unclear(UNSURE, "its row cannot be read")
        except _NoStore as error:
            logger.bind(conversation=request.context.conversation_id).exception("the database is unavailable")
            result = (Unclear if error.say == UNSURE else Failed)(error.say, "the database is unavailable")
        EFFECTS.labels(name, STATUS[type(result)]).inc()
        TOOL_S.labels(name, STATUS[type(result)]).observe(monotonic() - began_s)
        return result

    def begun(self, keys: Sequence[str]) -> bool:
        """Whether any of these is in the log; also if nobody can say."""
        try:
            with reading(self._engine) as connection:
                return any(effect_log.find(connection, key) is not None for key in keys)
        except (*UNAVAILABLE, UnreadableRow):
            logger.exception("the effects that were begun cannot be read")
            return True

    def spent(self, context: TaskContext) -> str:
        """The sentence for a caller who may have no further effect; "" if one more is allowed, or nobody can say."""
        try:
            # Before the transaction: it may have to be read and compiled.
            limits = self._limits_of(self._attempts.bots.version(context.bot, context.bot_digest))
            with reading(self._engine) as connection:
                spent = self._too_many(connection, context, limits, more=1)
        except UNAVAILABLE:
            # The same is checked when the effect is to be carried out.
            logger.bind(conversation=context.conversation_id).exception("the effects so far cannot be counted")
            return ""
        if spent:
            logger.bind(conversation=context.conversation_id).warning("no further effect is allowed")
        return TOO_MANY if spent else ""

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        """The caller hung up during the effect: undo it, if that is its policy. Returns whether it was undone.

        The call may have ended by now, and its lease with it; it only matters that no other process has taken it over.
        """
        effect = self._attempts.declared(name, request.context).effect
        if effect.on_hang_up != "undo" or effect.undo is None:
            return False
        try:
            known = self._found(request.key)
            undone = known is not None and self._undo(effect, request, known)
        except Exception:  # noqa: BLE001 - code of a task, a remote system, or the database
            logger.bind(conversation=request.context.conversation_id, effect=name, key=request.key).exception(
                "an effect could not be undone"
            )
            self._leave_to_human(request.key)
            return False
        if undone:
            EFFECTS.labels(name, "undone").inc()
        return undone

    # --- once for each key ---

    def _declared(self, name: str, context: TaskContext) -> Declaration:
        """The effect, once for each request: the version of its bot may have to be read. Raises: KeyError, _NoStore."""
        try:
            return self._attempts.declared(name, context)
        except UNAVAILABLE as error:
            raise _NoStore(NO_STORE) from error

    def _carry_out(self, name: str, declared: Declaration, request: EffectRequest) -> EffectResult:
        effect = declared.effect
        if effect.reads_only:
            return self._look(name, effect, request)
        with self._attempts.alone(request.key) as alone:
            if not alone:
                return unsure(effect, "another attempt goes on")
            epoch, limits = self._epoch_of(request.context.conversation_id), self._limits_of(declared.bot)
            meant = self._attempts.entry(name, declared, request, epoch)
            if isinstance(effect, Local):
                return self._locally(effect, request, meant, limits)
            return self._remotely(effect, request, meant, limits)

    @contextmanager
    def _transaction(self, logged: LoggedEffect) -> Iterator[Connection]:
        """A transaction fenced by the lease under which the effect was intended. Raises: _NoStore, Fenced.

        Not by the current lease: the call may have ended while the effect was carried out.
        """
        committing = False
        try:
            with fenced(self._engine, logged.conversation_id, logged.epoch) as connection:
                yield connection
                committing = True
        except UNAVAILABLE as error:
            raise _NoStore(UNSURE if committing else NO_STORE) from error

    # --- look-ups ---

    def _look(self, name: str, lookup: DeclaredEffect, request: EffectRequest) -> EffectResult:
        try:
            # However slow a remote system is, it holds no connection of ours.
            do = partial(self._look_in_store, lookup) if isinstance(lookup, Local) else lookup.do
            result = checked(do(request), request)
            self._tally(name, lookup, request, result)
        except (*UNAVAILABLE, DatabaseAway) as error:
            raise _NoStore(NO_STORE) from error
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of a task
            return Failed(BROKEN, _raised(request, "a look-up has raised", error))
        return Failed(result.say, result.why) if isinstance(result, Unclear) else result  # it has changed nothing

    def _look_in_store(self, lookup: Local, request: EffectRequest) -> EffectResult:
        with reading(self._engine) as connection:
            savepoint = connection.begin_nested()
            result = lookup.do(request, connection)
            # Nothing was confirmed yet, so a look-up must not write: roll back in case it did.
            savepoint.rollback()
        return result

    def _tally(self, name: str, lookup: DeclaredEffect, request: EffectRequest, result: EffectResult) -> None:
        """Count an attempt in its own transaction, because what a look-up writes is rolled back."""
        if lookup.tally is None:
            return
        if isinstance(lookup, Remote):
            outcome = lookup.tally(request, result)
        else:
            with self._engine.begin() as connection:
                outcome = lookup.tally(request, result, connection)
        LOOKUPS.labels(name, outcome).inc()
        log = logger.bind(conversation=request.context.conversation_id, run=request.context.run_id)
        log.info("look-up", effect=name, outcome=outcome)

    # --- local ---

    def _locally(self, local: Local, request: EffectRequest, meant: LoggedEffect, limits: EffectLimits) -> EffectResult:
        try:
            return self._in_transaction(local, request, meant, limits)
        except (_NoStore, Fenced):
            raise
        except Exception as error:  # noqa: BLE001 - code of a task
            failed = Failed(BROKEN, _raised(request, "an effect has raised, and was rolled back", error))
        with self._transaction(meant) as connection:
            if not effect_log.intend(connection, meant):
                return _recorded(_known(connection, meant.key), meant)
            self._attempts.settle(connection, meant.key, failed)
        return failed

    def _in_transaction(
        self, local: Local, request: EffectRequest, meant: LoggedEffect, limits: EffectLimits
    ) -> EffectResult:
        with self._transaction(meant) as connection:
            if not effect_log.intend(connection, meant):
                return _recorded(_known(connection, meant.key), meant)
            if self._too_many(connection, request.context, limits):
                return self._refuse(connection, meant)
            savepoint = connection.begin_nested()
            result = checked(local.do(request, connection), request)
            # A refused or failed effect must have changed nothing.
            (savepoint.commit if isinstance(result, Ok) else savepoint.rollback)()
            self._attempts.settle(connection, meant.key, result)
            return result

    # --- limits ---

    def _too_many(self, connection: Connection, context: TaskContext, limits: EffectLimits, more: int = 0) -> bool:
        """Whether the effects in the log, and so many more, exceed what one call or caller may have."""
        caller = context.caller
        if limits.per_call and effect_log.count_of_call(connection, context.conversation_id) + more > limits.per_call:
            return True
        if not limits.per_number_a_day or not caller:
            return False
        since = self._now() - timedelta(days=1)
        return effect_log.count_of_caller(connection, caller, since) + more > limits.per_number_a_day

    def _limits_of(self, bot: Bot | None) -> EffectLimits:
        """The bot's own limits, and the deployment's where it has none."""
        limits = self._limits
        if bot is None:
            return limits
        per_call, per_number = bot.profile.effects_per_call, bot.profile.effects_per_number
        return EffectLimits(
            limits.per_call if per_call is None else per_call,
            limits.per_number_a_day if per_number is None else per_number,
        )

    def _refuse(self, connection: Connection, meant: LoggedEffect) -> EffectResult:
        logger.bind(conversation=meant.conversation_id).warning("too many effects", effect=meant.name)
        result = Failed(TOO_MANY, "too many effects")
        self._attempts.settle(connection, meant.key, result)
        return result

    # --- remote ---

    def _remotely(
        self, remote: Remote, request: EffectRequest, meant: LoggedEffect, limits: EffectLimits
    ) -> EffectResult:
        known: LoggedEffect | None = None  # logged by a process that has died since
        with self._transaction(meant) as connection:
            if not effect_log.intend(connection, meant):
                known = _known(connection, meant.key)
                if not (_is(known, meant) and effect_log.take_over(connection, known, self._now(), meant.epoch)):
                    return _recorded(known, meant)
            elif self._too_many(connection, request.context, limits):
                return self._refuse(connection, meant)
        try:
            did = remote.do(request) if known is None else self.recovery.recovered(remote, request, known)
            result = checked(did, request)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of a task
            why = _raised(request, "an effect has raised", error)
            away = isinstance(error.__cause__, (*UNAVAILABLE, DatabaseAway))
            say = (error.say if isinstance(error, NotSent) else "") or (NO_STORE if away else BROKEN)
            result = Failed(say, why) if known is None and isinstance(error, _NOT_SENT) else unsure(remote, why)
        try:
            with self._transaction(meant) as connection:
                self._attempts.settle(connection, meant.key, result)
        except _NoStore:
            logger.bind(conversation=meant.conversation_id).exception("an effect's outcome could not be stored")
            self._attempts.unstored[meant.key] = result
        return result

    # --- undoing ---

    def _undo(self, effect: DeclaredEffect, request: EffectRequest, known: LoggedEffect) -> bool:
        if isinstance(effect, Local):
            with self._transaction(known) as connection:
                undone = effect_log.take_back(connection, request.key, self._now())
                if undone and effect.undo is not None:
                    effect.undo(request, connection)
            return undone
        if known.status != "ok" or effect.undo is None:
            return False
        # Outside a transaction, which would hold locks while we wait for the remote system.
        effect.undo(request)
        with self._transaction(known) as connection:
            effect_log.take_back(connection, request.key, self._now())
        return True

    def _found(self, key: str) -> LoggedEffect | None:
        with reading(self._engine) as connection:
            return effect_log.find(connection, key)

    def _leave_to_human(self, key: str) -> None:
        """The effect was done and could not be undone: only a human can decide what holds."""
        try:
            with self._engine.begin() as connection:
                known = effect_log.find(connection, key)
                if known is not None and known.status == "ok":
                    effect_log.decide(connection, known, "unclear", self._now(), UNDO_FAILED)
        except (*UNAVAILABLE, UnreadableRow):
            logger.exception("an effect that was not undone could not be marked")


def _known(connection: Connection, key: str) -> LoggedEffect:
    found = effect_log.find(connection, key)
    assert found is not None  # the insert failed because this key exists
    return found


def _is(known: LoggedEffect, meant: LoggedEffect) -> bool:
    return (known.name, known.slots) == (meant.name, meant.slots)


def _recorded(known: LoggedEffect, meant: LoggedEffect) -> EffectResult:
    """The result of the first attempt, as logged."""
    if not _is(known, meant):
        logger.bind(conversation=known.conversation_id).error(
            "two different effects have the same key", key=known.key, effect=meant.name
        )
        return Unclear(UNSURE)
    match known.status:
        case "ok":
            return Ok(known.values)
        case "refused":
            return Refused(known.say)
        case "failed":
            return Failed(known.say)
        case "undone":
            return Failed(BROKEN)
        case "unclear" if known.say != UNDO_FAILED:  # which is for those who settle it
            return Unclear(known.say or UNSURE)
        case "intended" | "unclear":
            return Unclear(UNSURE)
        case _:
            assert_never(known.status)


def _raised(request: EffectRequest, what: str, error: BaseException) -> str:
    """Log what an effect has raised. Returns that in a few words: only what says so tells nothing of the caller."""
    log = logger.bind(conversation=request.context.conversation_id, run=request.context.run_id, key=request.key)
    if any(isinstance(value, Secret) for value in request.slots.values()):
        log.error(what, error=type(error).__name__)  # its own words may hold what was keyed in
        return type(error).__name__
    log.opt(exception=True).error(what)
    return (error.why if isinstance(error, NotSent) else "")[:WHY_CHARS] or type(error).__name__


def _tell_misfit(spec: AgentSpec, effect: str, request: EffectRequest, result: Ok) -> None:
    """Log by name what the task cannot take of a result: for its caller it has failed, or is unclear."""
    for act in spec.states.values():
        if isinstance(act, Act) and act.effect == effect and (slot := spec.misfit(act, result.values)) is not None:
            log = logger.bind(conversation=request.context.conversation_id, run=request.context.run_id)
            log.error("an effect has given a value that its slot cannot have", effect=effect, slot=slot)
            return
