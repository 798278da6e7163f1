"""Settles effects whose outcome is unknown: begun by a process that has died, raised by a task, or left to a human.

May import: actors, fsm, protocols, store, loguru, the standard library. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from loguru import logger
from sqlalchemy import Engine

from actors.bots import Arrival, Bot
from actors.metrics import EFFECTS, EFFECTS_UNSETTLED
from actors.tasks.effect_attempts import BROKEN, STATUS, UNAVAILABLE, EffectAttempts, checked, declaration, unsure
from fsm.effects import DeclaredEffect, EffectRequest, EffectResult, Failed, Ok, Remote, Unclear
from fsm.secret import Secret
from protocols.errors import MisuseError
from store import effect_log
from store.causes import code_of
from store.database import reading
from store.effect_log import LoggedEffect, Status
from store.watch import Watch

# Every KEEP_EVERY_S a process refreshes the intents that it is carrying out; one without an outcome that was not
# refreshed for this long belongs to a process that has died. Whoever takes it over must have seen that itself, in looks
# that followed one another: nothing is refreshed during an outage of the database, and clocks differ.
ABANDONED = timedelta(seconds=60)
KEEP_EVERY_S = 15.0
RECOVER_EVERY_S = 20.0
LONGEST_GAP_S = 1.5 * RECOVER_EVERY_S
# For a process to come that can make the version of an effect; then a human decides.
FOREIGN_PATIENCE = timedelta(hours=1)
# Why a settled effect is unclear again; shown in the list of unsettled effects.
UNDO_FAILED = "the caller hung up, and it could not be undone"
# What a human decides about an effect whose outcome is unknown.
Decision = Literal["done", "undone", "retry"]


class EffectRecovery:
    """Settles effects in the database of the attempts, which tell what their own process is carrying out.

    watched: how long `recover` must have seen an effect of another process unchanged.
    """

    def __init__(self, attempts: EffectAttempts, watched: timedelta = ABANDONED) -> None:
        self._attempts = attempts
        self._watch: Watch[tuple[object, ...]] = Watch(watched.total_seconds(), LONGEST_GAP_S)
        self._engine = attempts.engine
        # Of the effects that were found without an outcome: one may have to be read and compiled.
        self._versions: dict[tuple[str, str], Bot | None] = {}
        self._now = attempts.now
        self._away: set[str] = set()  # what the log says cannot be done

    @property
    def engine(self) -> Engine:
        """The database."""
        return self._engine

    def recover(self) -> int:
        """Finish or undo the effects that a dead process left without an outcome; returns how many were settled.

        An effect that cannot be settled now is tried again by the next `recover`, until it is too old. An unclear one
        is looked up if possible, and never done again.
        """
        ended = 0
        try:
            with reading(self._engine) as connection:
                found = effect_log.intended(connection) + effect_log.unclear(connection)
        except UNAVAILABLE as error:
            self._tell_away("abandoned effects cannot be looked up", error)
            return 0
        self._tell_back("abandoned effects cannot be looked up")
        wanted = {(each.bot, each.bot_digest) for each in found}
        self._versions = {which: bot for which, bot in self._versions.items() if which in wanted}
        for known in self._unchanged(found):
            if known.key in self._attempts.under_way or self._is_recent(known):
                continue
            log = logger.bind(conversation=known.conversation_id, effect=known.name, key=known.key)
            try:
                with self._attempts.alone(known.key) as alone:
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

    def _unchanged(self, found: list[LoggedEffect]) -> list[LoggedEffect]:
        """Those that nobody has touched while this process looked."""
        rows: dict[tuple[object, ...], LoggedEffect] = {
            (each.key, each.status, each.epoch, each.settled_at): each for each in found
        }
        return [rows[row] for row in self._watch.look(self._now().timestamp(), rows)]

    def keep(self) -> None:
        """Refresh the effects being carried out, store outcomes that could not be stored, count unsettled effects."""
        try:
            unstored, under_way = dict(self._attempts.unstored), self._attempts.under_way
            if unstored or under_way:
                with self._engine.begin() as connection:
                    for key, result in unstored.items():
                        self._attempts.settle(connection, key, result)
                    effect_log.keep(connection, under_way, self._now())
            for key in unstored:
                del self._attempts.unstored[key]
            EFFECTS_UNSETTLED.set(len(self.unsettled()))
        except UNAVAILABLE as error:
            self._tell_away("the effects under way cannot be kept", error)
        else:
            self._tell_back("the effects under way cannot be kept")

    def _tell_away(self, what: str, error: Exception) -> None:
        """One line for an outage, however often it is met."""
        if what not in self._away:
            self._away.add(what)
            logger.error(what, reason=code_of(error))

    def _tell_back(self, what: str) -> None:
        if what in self._away:
            self._away.discard(what)
            logger.warning(f"{what}: it is over")

    def unsettled(self) -> list[LoggedEffect]:
        """The effects of unknown outcome that no process is carrying out. Raises: SQLAlchemy's OperationalError."""
        with reading(self._engine) as connection:
            intended = [each for each in effect_log.intended(connection) if not self._is_recent(each)]
            return intended + effect_log.unclear(connection)

    def words(self, known: LoggedEffect) -> str:
        """What its caller was told of it, in the language that its bot speaks."""
        bot = self._version(known) or self._present(known)
        return known.say if bot is None else bot.profile.locale.of(known.say)

    def has(self, key: str) -> bool:
        """Whether an unsettled effect has this key. Raises: SQLAlchemy's OperationalError."""
        return any(each.key == key for each in self.unsettled()) or key in self.damaged()

    def decide(self, key: str, decision: Decision) -> Status | None:
        """Settle an effect as a human decided. Returns its status; None if no unsettled effect has this key.

        done: it was done. undone: it was not. retry: carry it out now. Raises: MisuseError if it cannot be carried out;
        also whatever the effect raises, which leaves it unclear.
        """
        known = next((each for each in self.unsettled() if each.key == key), None)
        status: Status = "ok" if decision == "done" else "undone"
        if known is None:
            return self._decide_damaged(key, decision, status)
        if decision != "retry":
            with self._engine.begin() as connection:
                return status if effect_log.decide(connection, known, status, self._now()) else None
        effect, request = self._declared(known)
        if not isinstance(effect, Remote) or request is None:
            raise MisuseError(f"{known.name} is not an effect that can be carried out again")
        with self._engine.begin() as connection:
            if not effect_log.decide(connection, known, "intended", self._now()):
                return None
        result: EffectResult = unsure(effect)
        try:
            result = checked(effect.do(request))
        finally:
            with self._engine.begin() as connection:
                self._attempts.settle(connection, key, result)
        return STATUS[type(result)]

    def damaged(self) -> list[str]:
        """The keys of effects that cannot be read, unless they are settled. Raises: SQLAlchemy's OperationalError."""
        with reading(self._engine) as connection:
            return effect_log.damaged(connection)

    def _decide_damaged(self, key: str, decision: Decision, status: Status) -> Status | None:
        if key not in self.damaged():
            return None
        if decision == "retry":
            raise MisuseError("a damaged effect cannot be carried out again: nobody knows what it was")
        with self._engine.begin() as connection:
            return status if effect_log.decide_damaged(connection, key, status, self._now()) else None

    def _declared(self, known: LoggedEffect) -> tuple[DeclaredEffect | None, EffectRequest | None]:
        """The effect as its call had it, or as the bot has it now; and its request. None: that a human must settle."""
        for bot in (self._version(known), self._present(known)):
            declared = None if bot is None else declaration(bot, known.name)
            if declared is not None:
                return declared.effect, self._attempts.request(known, declared)
        return None, None

    def _foreign(self, known: LoggedEffect) -> bool:
        """Whether this process cannot make the version that the effect is of.

        Another may be able to: what the present version declares under the same name may be another system's.
        """
        return bool(known.bot_digest) and self._version(known) is None

    def _version(self, known: LoggedEffect) -> Bot | None:
        which = known.bot, known.bot_digest
        if which not in self._versions:
            self._versions[which] = self._attempts.bots.version(*which)
        return self._versions[which]

    def _present(self, known: LoggedEffect) -> Bot | None:
        """The bot's present version; for an effect of the release before, which had one bot, the one by default."""
        bots = self._attempts.bots
        if known.bot:
            return bots.present(known.bot)
        return bots.choose(Arrival("", "", "", known.caller, known.conversation_id))

    def recovered(self, remote: Remote, request: EffectRequest, known: LoggedEffect) -> EffectResult:
        """The result of a remote effect that a process which has died may have done."""
        if remote.recover == "human" or self._too_old(remote, known):
            return unsure(remote)
        found = None if remote.recover == "retry" else remote.recover(request)
        if found is not None:
            return found
        if any(isinstance(value, Secret) and value.lost for value in request.slots.values()):
            return unsure(remote)  # the process that knew it has died
        if remote.recover == "retry":
            return remote.do(request)
        if self._is_recent(known, remote) and not remote.drops_duplicates:
            return unsure(remote)  # it is looked up again when that can tell
        return remote.do(request)

    def _recover_one(self, known: LoggedEffect) -> Status | None:
        """Finish or undo an abandoned effect, as its policy says. None if another process has taken it over, or may.

        None also while the first request may still be under way.
        """
        foreign = self._foreign(known)
        if foreign and self._now() - known.intended_at < FOREIGN_PATIENCE:
            return None
        effect, request = (None, None) if foreign else self._declared(known)
        if isinstance(effect, Remote) and self._is_recent(known, effect):
            return None
        with self._engine.begin() as connection:
            if not effect_log.take_over(connection, known, self._now(), known.epoch):
                return None
        result: EffectResult = unsure(effect)
        status: Status | None = None
        if isinstance(effect, Remote) and request is not None:
            given_up = effect.recover == "human" or self._too_old(effect, known)
            if not given_up and effect.on_hang_up == "undo" and effect.undo is not None:
                found = effect.recover(request) if callable(effect.recover) else Ok()
                # What was refused or has failed has changed nothing; undoing it would.
                if isinstance(found, Ok | Unclear):
                    effect.undo(request)
                result, status = Ok(), "undone"
            else:
                result = checked(self.recovered(effect, request, known))
        with self._engine.begin() as connection:
            self._attempts.settle(connection, known.key, result, status)
        return status or STATUS[type(result)]

    def _clear_up(self, known: LoggedEffect) -> Status | None:
        """Look up an unclear effect, without ever repeating it. Returns its status, None if that is still unknown."""
        effect, request = (None, None) if self._foreign(known) else self._declared(known)
        if not isinstance(effect, Remote) or not callable(effect.recover) or request is None:
            return None
        if known.say == UNDO_FAILED or self._too_old(effect, known) or self._is_recent(known, effect):
            return None
        result = checked(effect.recover(request) or Failed(BROKEN))
        if isinstance(result, Unclear):
            return None
        with self._engine.begin() as connection:
            self._attempts.settle(connection, known.key, result)
        return STATUS[type(result)]

    def _too_old(self, remote: Remote, known: LoggedEffect) -> bool:
        return self._now() - known.intended_at > remote.recover_within

    def _is_recent(self, known: LoggedEffect, remote: Remote | None = None) -> bool:
        """Whether another process may be at it, or the request on its way: not finding the effect proves nothing.

        remote: counts its own longest time, if that is longer.
        """
        longest = timedelta(seconds=0.0 if remote is None else remote.longest_s)
        return self._now() - (known.settled_at or known.intended_at) <= max(ABANDONED, longest)
