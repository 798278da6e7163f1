"""Carrying out what tasks do to the world: once for a key, whoever dies in between.

For the threads of all FsmAgents. A local effect is one transaction with its intent and outcome; a remote one leaves its
intent first, so that whoever comes after a crash knows that it may have been done.
May import: actors' counters, fsm, store, SQLAlchemy, loguru. Rules from: specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import assert_never

from loguru import logger
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from actors.counters import EFFECTS
from fsm.effects import EffectRequest, EffectResult, Failed, Local, Ok, Refused, Remote, TaskContext
from fsm.registry import effects_of
from fsm.spec import AgentSpec
from store import effect_log
from store.database import reading
from store.effect_log import LoggedEffect, Status

NO_STORE = "I am sorry, I cannot get at our books at the moment."
UNSURE = "I am sorry, I cannot tell whether that went through. Please check with us before you rely on it."
# An intent that is older and has no outcome belongs to a process that is gone: no step takes so long.
ABANDONED = timedelta(seconds=60)


class EffectDesk:
    """agents: whose effects these are. now: the wall clock, aware."""

    def __init__(self, engine: Engine, agents: Mapping[str, AgentSpec], now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self._declared = effects_of(agents)
        self._specs = {name: spec for spec in agents.values() for name in spec.effects}

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        """Do it once for the request's key, and give the first result again. What the effect raises passes through."""
        match self._declared[name]:
            case Local(reads_only=True) as lookup:
                result = self._look(lookup, request)
            case Local() as local:
                result = self._locally(name, local, request)
            case Remote() as remote:
                result = self._remotely(name, remote, request)
            case other:
                assert_never(other)
        EFFECTS.labels(name, type(result).__name__.lower()).inc()
        return result

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        """The caller left while it was carried out: take it back, if that is its policy. Returns whether it was."""
        effect = self._declared[name]
        if effect.on_hang_up != "undo" or effect.undo is None:
            return False
        with self._engine.begin() as connection:
            known = effect_log.find(connection, request.key)
            if known is None or known.status != "ok":
                return False
            if isinstance(effect, Local):
                effect.undo(request, connection)
            else:
                effect.undo(request)
            effect_log.settle(connection, request.key, "undone", known.values, "", self._now())
        EFFECTS.labels(name, "undone").inc()
        return True

    def recover(self) -> int:
        """Bring to an end what processes that are gone have left half done; returns how many effects that were."""
        with reading(self._engine) as connection:
            left = effect_log.unsettled(connection, self._now() - ABANDONED)
        for known in left:
            effect = self._declared.get(known.name)
            status: Status = "unclear"
            if isinstance(effect, Remote):
                status = self._bring_to_an_end(effect, known)
            logger.bind(conversation=known.conversation_id).warning(
                "effect left half done", effect=known.name, key=known.key, now=status
            )
        return len(left)

    # --- local ---

    def _look(self, lookup: Local, request: EffectRequest) -> EffectResult:
        try:
            with reading(self._engine) as connection:
                return lookup.do(request, connection)
        except OperationalError:
            return self._no_store(request)

    def _locally(self, name: str, local: Local, request: EffectRequest) -> EffectResult:
        committing = False
        try:
            with self._engine.begin() as connection:
                if not effect_log.intend(connection, self._logged(name, request)):
                    return self._recorded(connection, name, request)
                savepoint = connection.begin_nested()
                result = local.do(request, connection)
                # What was refused or failed half way has changed nothing.
                (savepoint.commit if isinstance(result, Ok) else savepoint.rollback)()
                self._settle(connection, request.key, result)
                committing = True
            return result
        except OperationalError:
            # A connection lost while committing leaves open whether it was.
            return Failed(UNSURE) if committing else self._no_store(request)

    # --- remote ---

    def _remotely(self, name: str, remote: Remote, request: EffectRequest) -> EffectResult:
        try:
            with self._engine.begin() as connection:
                intended = effect_log.intend(connection, self._logged(name, request))
                known = None if intended else effect_log.find(connection, request.key)
                if known is not None and (known.name != name or known.status != "intended"):
                    return self._recorded(connection, name, request)
        except OperationalError:
            return self._no_store(request)
        result = remote.do(request) if intended else self._recovered(remote, request)
        try:
            with self._engine.begin() as connection:
                self._settle(connection, request.key, result)
        except OperationalError:
            logger.bind(conversation=request.context.conversation_id).exception("an outcome could not be written down")
        return result

    def _recovered(self, remote: Remote, request: EffectRequest) -> EffectResult:
        match remote.recover:
            case "retry":
                return remote.do(request)
            case "human":
                return Failed(UNSURE)
            case look_up:
                return look_up(request) or remote.do(request)

    def _bring_to_an_end(self, remote: Remote, known: LoggedEffect) -> Status:
        """The caller has gone long ago: finish or undo, as its policy says."""
        request = self._request(known)
        status: Status
        if remote.recover == "human":
            result: EffectResult = Failed(UNSURE)
            status = "unclear"
        elif remote.on_hang_up == "undo" and remote.undo is not None:
            remote.undo(request)
            result, status = Ok(), "undone"
        else:
            result = self._recovered(remote, request)
            status = _status(result)
        with self._engine.begin() as connection:
            self._settle(connection, known.key, result, status)
        return status

    # --- the log ---

    def _recorded(self, connection: Connection, name: str, request: EffectRequest) -> EffectResult:
        """What came of it the first time."""
        known = effect_log.find(connection, request.key)
        assert known is not None  # its key was taken
        if known.name != name:
            logger.bind(conversation=known.conversation_id).error("one key, two effects", key=known.key, effect=name)
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

    def _settle(self, connection: Connection, key: str, result: EffectResult, status: Status | None = None) -> None:
        values = result.values if isinstance(result, Ok) else {}
        say = "" if isinstance(result, Ok) else result.say
        effect_log.settle(connection, key, status or _status(result), values, say, self._now())

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
        )

    def _request(self, known: LoggedEffect) -> EffectRequest:
        slots = self._specs[known.name].slots
        context = TaskContext(known.conversation_id, known.run_id, known.caller, self._now)
        return EffectRequest(
            key=known.key,
            slots={slot: slots[slot].read(value) for slot, value in known.slots.items()},
            context=context,
            facts=known.facts,
        )

    def _no_store(self, request: EffectRequest) -> Failed:
        logger.bind(conversation=request.context.conversation_id).exception("the database cannot be had")
        return Failed(NO_STORE)


def _status(result: EffectResult) -> Status:
    match result:
        case Ok():
            return "ok"
        case Refused():
            return "refused"
        case Failed(say=say):
            return "unclear" if say == UNSURE else "failed"
        case _:
            assert_never(result)
