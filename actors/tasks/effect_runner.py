"""Carries out the effects of tasks: once for each idempotency key, even across crashes.

Called by the threads of all FsmAgents. A local effect is one transaction together with its intent and outcome; a remote
effect commits its intent first, so that after a crash it is known that the effect may have been done.
May import: actors' metrics, fsm, store, SQLAlchemy, loguru. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, assert_never

from loguru import logger
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from actors.metrics import EFFECTS, EFFECTS_UNSETTLED, LOOKUPS
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
from fsm.registry import effects_of
from fsm.spec import AgentSpec
from protocols.errors import Fenced, MisuseError
from store import effect_log
from store.database import reading
from store.effect_log import LoggedEffect, Status
from store.leases import fenced

NO_STORE = "I am sorry, I cannot get at our books at the moment."
BROKEN = "I am sorry, that did not work."
UNSURE = "I am sorry, I cannot tell whether that went through. Please check with us before you rely on it."
TOO_MANY = "I am sorry, I cannot do more than that for you by myself."
# Every KEEP_EVERY_S a process refreshes the intents that it is carrying out; one without an outcome that was not
# refreshed for this long belongs to a process that has died.
ABANDONED = timedelta(seconds=60)
KEEP_EVERY_S = 15.0
RECOVER_EVERY_S = 20.0
# Why a settled effect is unclear again, for whoever reads the list of unsettled effects.
UNDO_FAILED = "the caller hung up, and it could not be undone"
_GONE = (OperationalError, InterfaceError, PoolTimeout)
# Raised before anything was sent.
_NOT_SENT = (NotSent, ConnectionRefusedError)
_STATUS: dict[type[EffectResult], Status] = {Ok: "ok", Refused: "refused", Failed: "failed", Unclear: "unclear"}
# What a human decides about an effect whose outcome is unknown.
Decision = Literal["done", "undone", "retry"]


class _NoStore(Exception):
    """The database is unavailable. say: for the caller; UNSURE after a failed commit, which may have succeeded."""

    def __init__(self, say: str) -> None:
        super().__init__(say)
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
        self._unstored: dict[str, EffectResult] = {}  # outcomes that the database could not take, by key
        self._done = threading.Condition()

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        """Do the effect once for the request's key; later calls return its first result.

        An effect that raises is Failed, or Unclear if it may have been done. Raises: Fenced.
        """
        try:
            result = self._carry_out(name, self._declared[name], request)
        except _NoStore as error:
            logger.bind(conversation=request.context.conversation_id).exception("the database is unavailable")
            result = Unclear(error.say) if error.say == UNSURE else Failed(error.say)
        EFFECTS.labels(name, _STATUS[type(result)]).inc()
        return result

    def spent(self, context: TaskContext) -> str:
        """The sentence for a caller who may have no further effect; "" if one more is allowed, or nobody can say."""
        try:
            with reading(self._engine) as connection:
                spent = self._too_many(connection, context.conversation_id, context.caller, more=1)
        except _GONE:
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
        effect = self._declared[name]
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

    # --- recovery, after dead processes and effects that raised ---

    def recover(self) -> int:
        """Finish or undo the effects that a dead process left without an outcome; returns how many were settled.

        An effect that cannot be settled now is tried again by the next `recover`, until it is too old. An unclear one
        is looked up if possible, and never done again.
        """
        ended = 0
        try:
            with reading(self._engine) as connection:
                left = effect_log.unsettled(connection, self._now() - ABANDONED)
                left += effect_log.unclear(connection)
        except _GONE:
            logger.exception("abandoned effects cannot be looked up")
            return 0
        for known in left:
            if known.key in self._under_way:
                continue
            log = logger.bind(conversation=known.conversation_id, effect=known.name, key=known.key)
            try:
                with self._alone(known.key) as alone:
                    settle = self._recover_one if known.status == "intended" else self._clear_up
                    status = settle(known) if alone else None
            except Exception:  # code of a task and a remote system: one failure must not hold up the others
                log.exception("an abandoned effect could not be settled")
                continue
            if status is not None:
                ended += 1
                EFFECTS.labels(known.name, status).inc()
                log.warning("abandoned effect settled", status=status)
        return ended

    def keep(self) -> None:
        """Refresh the effects being carried out, store outcomes that could not be stored, count unsettled effects."""
        try:
            unstored, under_way = dict(self._unstored), tuple(self._under_way)
            if unstored or under_way:
                with self._engine.begin() as connection:
                    for key, result in unstored.items():
                        self._settle(connection, key, result)
                    effect_log.keep(connection, under_way, self._now())
            for key in unstored:
                del self._unstored[key]
            EFFECTS_UNSETTLED.set(len(self.unsettled()))
        except _GONE:
            logger.exception("the effects under way cannot be kept")

    def unsettled(self) -> list[LoggedEffect]:
        """The effects of unknown outcome that no process is carrying out. Raises: SQLAlchemy's OperationalError."""
        with reading(self._engine) as connection:
            return effect_log.unsettled(connection, self._now() - ABANDONED) + effect_log.unclear(connection)

    def decide(self, key: str, decision: Decision) -> Status | None:
        """Settle an effect as a human decided. Returns its status; None if no unsettled effect has this key.

        done: it was done. undone: it was not. retry: carry it out now. Raises: MisuseError if it cannot be carried out;
        also whatever the effect raises, which leaves it unclear.
        """
        known = next((each for each in self.unsettled() if each.key == key), None)
        if known is None:
            return None
        if decision != "retry":
            status: Status = "ok" if decision == "done" else "undone"
            with self._engine.begin() as connection:
                return status if effect_log.decide(connection, known, status, self._now()) else None
        effect, request = self._declared.get(known.name), self._request(known)
        if not isinstance(effect, Remote) or request is None:
            raise MisuseError(f"{known.name} is not an effect that can be carried out again")
        with self._engine.begin() as connection:
            if not effect_log.decide(connection, known, "intended", self._now()):
                return None
        result: EffectResult = Unclear(UNSURE)
        try:
            result = _checked(effect.do(request))
        finally:
            with self._engine.begin() as connection:
                self._settle(connection, key, result)
        return _STATUS[type(result)]

    # --- once for each key ---

    def _carry_out(self, name: str, effect: DeclaredEffect, request: EffectRequest) -> EffectResult:
        if isinstance(effect, Local) and effect.reads_only:
            return self._look(name, effect, request)
        with self._alone(request.key) as alone:
            if not alone:
                return Unclear(UNSURE)
            meant = self._logged(name, request)
            if isinstance(effect, Local):
                return self._locally(effect, request, meant)
            return self._remotely(effect, request, meant)

    @contextmanager
    def _alone(self, key: str) -> Iterator[bool]:
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
        except _GONE as error:
            raise _NoStore(UNSURE if committing else NO_STORE) from error

    # --- local ---

    def _look(self, name: str, lookup: Local, request: EffectRequest) -> EffectResult:
        try:
            with reading(self._engine) as connection:
                savepoint = connection.begin_nested()
                result = _checked(lookup.do(request, connection))
                # Nothing was confirmed yet, so a look-up must not write: roll back in case it did.
                savepoint.rollback()
            self._tally(name, lookup, request, result)
            return result
        except _GONE as error:
            raise _NoStore(NO_STORE) from error
        except Exception:  # noqa: BLE001 - code of a task
            _log_raised(request, "a look-up has raised")
            return Failed(BROKEN)

    def _tally(self, name: str, lookup: Local, request: EffectRequest, result: EffectResult) -> None:
        """Count an attempt in its own transaction, because what a look-up writes is rolled back."""
        if lookup.tally is None:
            return
        with self._engine.begin() as connection:
            outcome = lookup.tally(request, result, connection)
        LOOKUPS.labels(name, outcome).inc()
        log = logger.bind(conversation=request.context.conversation_id, run=request.context.run_id)
        log.info("look-up", effect=name, outcome=outcome)

    def _locally(self, local: Local, request: EffectRequest, meant: LoggedEffect) -> EffectResult:
        try:
            return self._in_transaction(local, request, meant)
        except (_NoStore, Fenced):
            raise
        except Exception:  # noqa: BLE001 - code of a task
            _log_raised(request, "an effect has raised, and was rolled back")
        with self._transaction(meant) as connection:
            if not effect_log.intend(connection, meant):
                return _recorded(_known(connection, meant.key), meant)
            self._settle(connection, meant.key, Failed(BROKEN))
        return Failed(BROKEN)

    def _in_transaction(self, local: Local, request: EffectRequest, meant: LoggedEffect) -> EffectResult:
        with self._transaction(meant) as connection:
            if not effect_log.intend(connection, meant):
                return _recorded(_known(connection, meant.key), meant)
            if self._too_many(connection, meant.conversation_id, meant.caller):
                return self._refuse(connection, meant)
            savepoint = connection.begin_nested()
            result = _checked(local.do(request, connection))
            # A refused or failed effect must have changed nothing.
            (savepoint.commit if isinstance(result, Ok) else savepoint.rollback)()
            self._settle(connection, meant.key, result)
            return result

    # --- limits ---

    def _too_many(self, connection: Connection, conversation_id: str, caller: str, more: int = 0) -> bool:
        """Whether the effects in the log, and so many more, exceed what one call or caller may have."""
        limits = self._limits
        if limits.per_call and effect_log.count_of_call(connection, conversation_id) + more > limits.per_call:
            return True
        if not limits.per_number_a_day or not caller:
            return False
        since = self._now() - timedelta(days=1)
        return effect_log.count_of_caller(connection, caller, since) + more > limits.per_number_a_day

    def _refuse(self, connection: Connection, meant: LoggedEffect) -> EffectResult:
        logger.bind(conversation=meant.conversation_id).warning("too many effects", effect=meant.name)
        result = Failed(TOO_MANY)
        self._settle(connection, meant.key, result)
        return result

    # --- remote ---

    def _remotely(self, remote: Remote, request: EffectRequest, meant: LoggedEffect) -> EffectResult:
        known: LoggedEffect | None = None  # logged by a process that has died since
        with self._transaction(meant) as connection:
            if not effect_log.intend(connection, meant):
                known = _known(connection, meant.key)
                if not (_is(known, meant) and effect_log.take_over(connection, known, self._now(), meant.epoch)):
                    return _recorded(known, meant)
            elif self._too_many(connection, meant.conversation_id, meant.caller):
                return self._refuse(connection, meant)
        try:
            result = _checked(remote.do(request) if known is None else self._recovered(remote, request, known))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of a task
            _log_raised(request, "an effect has raised")
            result = Failed(BROKEN) if known is None and isinstance(error, _NOT_SENT) else Unclear(UNSURE)
        try:
            with self._transaction(meant) as connection:
                self._settle(connection, meant.key, result)
        except _NoStore:
            logger.bind(conversation=meant.conversation_id).exception("an effect's outcome could not be stored")
            self._unstored[meant.key] = result
        return result

    def _recovered(self, remote: Remote, request: EffectRequest, known: LoggedEffect) -> EffectResult:
        """The result of a remote effect that a process which has died may have done."""
        if remote.recover == "human" or self._too_old(remote, known):
            return Unclear(UNSURE)
        if remote.recover == "retry":
            return remote.do(request)
        return remote.recover(request) or remote.do(request)

    def _recover_one(self, known: LoggedEffect) -> Status | None:
        """Finish or undo an abandoned effect, as its policy says. None if another process has taken it over."""
        with self._engine.begin() as connection:
            if not effect_log.take_over(connection, known, self._now(), known.epoch):
                return None
        effect, request = self._declared.get(known.name), self._request(known)
        result: EffectResult = Unclear(UNSURE)
        status: Status | None = None
        if isinstance(effect, Remote) and request is not None:
            given_up = effect.recover == "human" or self._too_old(effect, known)
            if not given_up and effect.on_hang_up == "undo" and effect.undo is not None:
                if not callable(effect.recover) or effect.recover(request) is not None:
                    effect.undo(request)
                result, status = Ok(), "undone"
            else:
                result = _checked(self._recovered(effect, request, known))
        with self._engine.begin() as connection:
            self._settle(connection, known.key, result, status)
        return status or _STATUS[type(result)]

    def _clear_up(self, known: LoggedEffect) -> Status | None:
        """Look up an unclear effect, without ever repeating it. Returns its status, None if that is still unknown."""
        effect, request = self._declared.get(known.name), self._request(known)
        if not isinstance(effect, Remote) or not callable(effect.recover) or request is None:
            return None
        if known.say == UNDO_FAILED or self._too_old(effect, known) or self._is_recent(known):
            return None
        result = _checked(effect.recover(request) or Failed(BROKEN))
        if isinstance(result, Unclear):
            return None
        with self._engine.begin() as connection:
            self._settle(connection, known.key, result)
        return _STATUS[type(result)]

    def _too_old(self, remote: Remote, known: LoggedEffect) -> bool:
        return self._now() - known.intended_at > remote.recover_within

    def _is_recent(self, known: LoggedEffect) -> bool:
        """Whether the request may still be on its way, so that not finding the effect proves nothing."""
        return self._now() - (known.settled_at or known.intended_at) < ABANDONED

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
        except _GONE:
            logger.exception("an effect that was not undone could not be marked")

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
        case "intended" | "unclear":
            return Unclear(UNSURE)
        case _:
            assert_never(known.status)


def _checked(result: EffectResult) -> EffectResult:
    """Check what a task's code returned. Raises: TypeError if it is not a result, or cannot be stored."""
    if type(result) not in _STATUS:
        raise TypeError(f"an effect has returned a {type(result).__name__}")
    if isinstance(result, Ok):
        json.dumps(dict(result.values))
    return result


def _log_raised(request: EffectRequest, what: str) -> None:
    log = logger.bind(conversation=request.context.conversation_id, run=request.context.run_id, key=request.key)
    log.opt(exception=True).error(what)
