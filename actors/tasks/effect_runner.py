"""Carries out the effects of tasks: once for each idempotency key, even across crashes.

Called by the threads of all FsmAgents. A local effect is one transaction together with its intent and outcome; a remote
effect commits its intent first, so that after a crash it is known that the effect may have been done.
May import: actors' metrics, fsm, store, SQLAlchemy, loguru. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from loguru import logger
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from actors.metrics import EFFECTS, LOOKUPS
from fsm.effects import DeclaredEffect, EffectRequest, EffectResult, Failed, Local, Ok, Refused, Remote, TaskContext
from fsm.registry import effects_of
from fsm.spec import AgentSpec
from store import effect_log
from store.database import reading
from store.effect_log import LoggedEffect, Status
from store.leases import fenced

NO_STORE = "I am sorry, I cannot get at our books at the moment."
UNSURE = "I am sorry, I cannot tell whether that went through. Please check with us before you rely on it."
# No step takes so long: an older intent without an outcome belongs to a process that is gone.
TOO_MANY = "I am sorry, I cannot do more than that for you by myself."
ABANDONED = timedelta(seconds=60)
_GONE = (OperationalError, InterfaceError, PoolTimeout)
_STATUS: dict[type[EffectResult], Status] = {Ok: "ok", Refused: "refused", Failed: "failed"}


class _NoStore(Exception):
    """The database is unavailable. say: for the caller; UNSURE after a failed commit, which may have succeeded."""

    def __init__(self, say: str) -> None:
        super().__init__(say)
        self.say = say


@dataclass(frozen=True, slots=True)
class EffectLimits:
    """How many effects that change something are carried out; 0: any number.

    per_call, per_number_a_day: for one conversation; for one caller's number within 24 hours. Withheld numbers are
    of many callers, and are limited by call alone.
    """

    per_call: int = 0
    per_number_a_day: int = 0


NO_LIMITS = EffectLimits()


class EffectRunner:
    """Runs effects against the database. agents: the tasks that declare them. now: the wall clock, aware.

    patience_s: how long an attempt waits for another one with the same key before it answers UNSURE.
    epoch_of: the epoch of a conversation's lease, 0 if it has none; a stale epoch is fenced and changes nothing.
    """

    def __init__(
        self,
        engine: Engine,
        agents: Mapping[str, AgentSpec],
        now: Callable[[], datetime],
        patience_s: float = 5.0,
        epoch_of: Callable[[str], int] = lambda _: 0,
        limits: EffectLimits = NO_LIMITS,
    ) -> None:
        self._engine = engine
        self._epoch_of = epoch_of
        self._now = now
        self._patience_s = patience_s
        self._limits = limits
        self._declared = effects_of(agents)
        self._specs = {name: spec for spec in agents.values() for name in spec.effects}
        self._under_way: set[str] = set()
        self._done = threading.Condition()

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        """Do the effect once for the request's key; later calls return its first result. Raises what it raises."""
        try:
            result = self._carry_out(name, self._declared[name], request)
        except _NoStore as error:
            logger.bind(conversation=request.context.conversation_id).exception("the database is unavailable")
            result = Failed(error.say)
        EFFECTS.labels(name, _STATUS[type(result)]).inc()
        return result

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        """The caller hung up during the effect: undo it, if that is its policy. Returns whether it was undone."""
        effect = self._declared[name]
        if effect.on_hang_up != "undo" or effect.undo is None:
            return False
        try:
            undone = self._undo(effect, request)
        except _NoStore:
            logger.bind(conversation=request.context.conversation_id).exception("an effect could not be undone")
            return False
        if undone:
            EFFECTS.labels(name, "undone").inc()
        return undone

    def recover(self) -> int:
        """Finish or undo the effects that a dead process left without an outcome; returns how many were settled.

        An effect that cannot be settled now is tried again by the next call.
        """
        ended = 0
        try:
            with reading(self._engine) as connection:
                left = effect_log.unsettled(connection, self._now() - ABANDONED)
        except _GONE:
            logger.exception("abandoned effects cannot be looked up")
            return 0
        for known in left:
            log = logger.bind(conversation=known.conversation_id, effect=known.name, key=known.key)
            try:
                status = self._recover_one(known)
            except Exception:  # code of a task and a remote system: one failure must not hold up the others
                log.exception("an abandoned effect could not be settled")
                continue
            if status is not None:
                ended += 1
                EFFECTS.labels(known.name, status).inc()
                log.warning("abandoned effect settled", status=status)
        return ended

    # --- once for each key ---

    def _carry_out(self, name: str, effect: DeclaredEffect, request: EffectRequest) -> EffectResult:
        if isinstance(effect, Local) and effect.reads_only:
            result = self._look(effect, request)
            self._tally(name, effect, request, result)
            return result
        with self._alone(request.key) as alone:
            if not alone:
                return Failed(UNSURE)
            meant = self._logged(name, request)
            if isinstance(effect, Local):
                return self._locally(effect, request, meant)
            return self._remotely(effect, request, meant)

    @contextmanager
    def _alone(self, key: str) -> Iterator[bool]:
        """Wait for another thread's attempt with this key. Yields False after `patience_s`: that effect may hang."""
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

    @contextmanager
    def _transaction(self, conversation_id: str) -> Iterator[Connection]:
        """A transaction fenced by the call's lease. Raises: _NoStore, Fenced."""
        committing = False
        try:
            with fenced(self._engine, conversation_id, self._epoch_of(conversation_id)) as connection:
                yield connection
                committing = True
        except _GONE as error:
            raise _NoStore(UNSURE if committing else NO_STORE) from error

    # --- local ---

    def _look(self, lookup: Local, request: EffectRequest) -> EffectResult:
        try:
            with reading(self._engine) as connection:
                savepoint = connection.begin_nested()
                result = lookup.do(request, connection)
                # Nothing was confirmed yet, so a look-up must not write: roll back in case it did.
                savepoint.rollback()
                return result
        except _GONE as error:
            raise _NoStore(NO_STORE) from error

    def _tally(self, name: str, lookup: Local, request: EffectRequest, result: EffectResult) -> None:
        """Count an attempt, in a transaction of its own: what a look-up has written is rolled back."""
        if lookup.tally is None:
            return
        try:
            with self._engine.begin() as connection:
                outcome = lookup.tally(request, result, connection)
        except _GONE as error:
            raise _NoStore(NO_STORE) from error
        LOOKUPS.labels(name, outcome).inc()
        log = logger.bind(conversation=request.context.conversation_id, run=request.context.run_id)
        log.info("look-up", effect=name, outcome=outcome)

    def _locally(self, local: Local, request: EffectRequest, meant: LoggedEffect) -> EffectResult:
        with self._transaction(meant.conversation_id) as connection:
            if not effect_log.intend(connection, meant):
                return _recorded(_known(connection, meant.key), meant)
            if self._too_many(connection, meant):
                return self._refuse(connection, meant)
            savepoint = connection.begin_nested()
            result = local.do(request, connection)
            # A refused or failed effect must have changed nothing.
            (savepoint.commit if isinstance(result, Ok) else savepoint.rollback)()
            self._settle(connection, meant.key, result)
            return result

    # --- limits ---

    def _too_many(self, connection: Connection, meant: LoggedEffect) -> bool:
        """Whether an effect that was just logged is one more than a call or a caller may have."""
        limits, caller = self._limits, meant.caller
        if 0 < limits.per_call < effect_log.count_of_call(connection, meant.conversation_id):
            return True
        if not limits.per_number_a_day or not caller:
            return False
        since = self._now() - timedelta(days=1)
        return effect_log.count_of_caller(connection, caller, since) > limits.per_number_a_day

    def _refuse(self, connection: Connection, meant: LoggedEffect) -> EffectResult:
        logger.bind(conversation=meant.conversation_id).warning("too many effects", effect=meant.name)
        result = Failed(TOO_MANY)
        self._settle(connection, meant.key, result)
        return result

    # --- remote ---

    def _remotely(self, remote: Remote, request: EffectRequest, meant: LoggedEffect) -> EffectResult:
        with self._transaction(meant.conversation_id) as connection:
            first = effect_log.intend(connection, meant)
            if not first:
                known = _known(connection, meant.key)
                if not (_is(known, meant) and effect_log.take_over(connection, known, self._now())):
                    return _recorded(known, meant)
            elif self._too_many(connection, meant):
                return self._refuse(connection, meant)
        result, status = (remote.do(request), None) if first else _recovered(remote, request)
        try:
            with self._transaction(meant.conversation_id) as connection:
                self._settle(connection, meant.key, result, status)
        except _NoStore:
            logger.bind(conversation=meant.conversation_id).exception("an effect's outcome could not be stored")
        return result

    def _recover_one(self, known: LoggedEffect) -> Status | None:
        """Finish or undo an abandoned effect, as its policy says. None if another process has taken it over."""
        with self._engine.begin() as connection:
            if not effect_log.take_over(connection, known, self._now()):
                return None
        effect, request = self._declared.get(known.name), self._request(known)
        result: EffectResult = Failed(UNSURE)
        status: Status | None = "unclear"
        if isinstance(effect, Remote) and request is not None:
            if effect.recover != "human" and effect.on_hang_up == "undo" and effect.undo is not None:
                if not callable(effect.recover) or effect.recover(request) is not None:
                    effect.undo(request)
                result, status = Ok(), "undone"
            else:
                result, status = _recovered(effect, request)
        with self._engine.begin() as connection:
            self._settle(connection, known.key, result, status)
        return status or _STATUS[type(result)]

    def _undo(self, effect: DeclaredEffect, request: EffectRequest) -> bool:
        if isinstance(effect, Local):
            with self._transaction(request.context.conversation_id) as connection:
                undone = effect_log.take_back(connection, request.key, self._now())
                if undone and effect.undo is not None:
                    effect.undo(request, connection)
            return undone
        with self._transaction(request.context.conversation_id) as connection:
            known = effect_log.find(connection, request.key)
        if known is None or known.status != "ok" or effect.undo is None:
            return False
        # Outside a transaction, which would hold locks while we wait for the remote system.
        effect.undo(request)
        with self._transaction(request.context.conversation_id) as connection:
            effect_log.take_back(connection, request.key, self._now())
        return True

    # --- the effect log ---

    def _settle(self, connection: Connection, key: str, result: EffectResult, status: Status | None = None) -> None:
        values = result.values if isinstance(result, Ok) else {}
        say = "" if isinstance(result, Ok) else result.say
        effect_log.settle(connection, key, status or _STATUS[type(result)], values, say, self._now())

    def _logged(self, name: str, request: EffectRequest) -> LoggedEffect:
        slots = self._specs[name].slots
        return LoggedEffect(
            key=request.key,
            name=name,
            conversation_id=request.context.conversation_id,
            run_id=request.context.run_id,
            caller=request.context.caller,
            slots={slot: slots[slot].write(value) for slot, value in request.slots.items()},
            facts=dict(request.facts),
            intended_at=self._now(),
            epoch=self._epoch_of(request.context.conversation_id),
        )

    def _request(self, known: LoggedEffect) -> EffectRequest | None:
        """The logged request; None if it no longer fits the task's table, which has changed since."""
        context = TaskContext(known.conversation_id, known.run_id, known.caller, self._now)
        try:
            slots = self._specs[known.name].slots
            read = {slot: slots[slot].read(value) for slot, value in known.slots.items()}
        except (KeyError, ValueError):
            return None
        return EffectRequest(known.key, read, context, known.facts)


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
        return Failed(UNSURE)
    match known.status:
        case "ok":
            return Ok(known.values)
        case "refused":
            return Refused(known.say)
        case "failed":
            return Failed(known.say)
        case _:
            return Failed(UNSURE)


def _recovered(remote: Remote, request: EffectRequest) -> tuple[EffectResult, Status | None]:
    """The result of a remote effect that may have been done before, and its status if the result does not imply it."""
    match remote.recover:
        case "retry":
            return remote.do(request), None
        case "human":
            return Failed(UNSURE), "unclear"
        case look_up:
            return look_up(request) or remote.do(request), None
