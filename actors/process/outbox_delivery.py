"""Tells of calls that have ended, as their bots say: from the outbox, on threads of its own, until it has arrived.

Each bot's letters are sent one after another by one thread, so that a slow system delays only the letters to it.
May import: actors, fsm, protocols, store, loguru, the standard library. Rules from: docs/architecture.md 5.4.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from loguru import logger
from pydantic import JsonValue

from actors.bots import AfterCall, Bot, Bots
from actors.metrics import OUTBOX_DEAD, OUTBOX_DUE, OUTBOX_TRIES
from actors.tasks.effect_attempts import UNAVAILABLE, checked
from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused, TaskContext
from protocols.caller_id import e164
from store.causes import code_of
from store.journal import CallRecord
from store.outbox import TRANSCRIPT, Letter, Outbox, WaitingLetter

# How often it is looked for letters that are due.
DELIVER_EVERY_S = 1.0
# The pause after the first try that was in vain; each next one is twice as long, up to the longest.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 900.0
# How much longer than its tool takes a letter is claimed for.
MARGIN_S = 30.0
# Bots whose letters are sent at one time.
MOST_BOTS = 8
# Letters of a bot in a row that do not arrive, after which the others wait: a system that is down is not asked to take
# thousands of them, and the places of couriers are for bots whose systems answer.
FAILURES, REST_S = 5, 30.0
# Looks between two times that what is kept no longer is deleted.
CLEAR_EVERY = 600
# The process ends: how long a letter that is being sent is waited for. It is sent again by another process.
LEAVE_S = 2.0
NO_HOOK = "its bot tells nothing of calls any more, or cannot be made here"


def letter_of(record: CallRecord, *, words: bool) -> Letter:
    """What is told of a call. record: under the call's key. words: with its transcript."""
    facts: dict[str, Any] = {
        "bot": record.bot,
        "version": record.bot_digest,
        "outcome": record.outcome,
        "started": record.started_at.isoformat(),
        "ended": record.ended_at.isoformat(),
        "seconds": round((record.ended_at - record.started_at).total_seconds(), 1),
        "tasks": [{"task": each.agent, "run": each.run_id, "outcome": each.result} for each in record.tasks],
    }
    if words:
        facts[TRANSCRIPT] = [
            {"role": each.role, "text": each.text, "began_ms": each.began_ms} for each in record.turns if each.text
        ]
    key = f"{record.conversation_id}:after"
    return Letter(key, record.conversation_id, record.bot, record.bot_digest, record.caller, facts)


def version_of(bots: Bots, name: str, digest: str, is_outage: Callable[[Exception], bool]) -> Bot | None:
    """A version of a bot; None if it cannot be made. Raises: what is_outage says is an outage of the store."""
    try:
        return bots.version(name, digest)
    except Exception as error:  # code of tasks, or what the database holds
        if is_outage(error):
            raise
        logger.exception("a version of a bot cannot be made", bot=name, digest=digest)
        return None


def pause_s(tries: int, rand: Callable[[], float]) -> float:
    """From a try that was in vain to the next. tries: so far. rand: in [0, 1)."""
    return min(FIRST_PAUSE_S * 2.0 ** min(tries - 1, 30), LONGEST_PAUSE_S) * (1 + 0.2 * rand())


class OutboxDelivery:
    """Sends the letters of all processes' calls. `deliver` on one thread again and again, `leave` at the end.

    now: the wall clock, aware. rand: in [0, 1). clock_s: monotonic.
    """

    def __init__(
        self,
        outbox: Outbox,
        bots: Bots,
        now: Callable[[], datetime],
        rand: Callable[[], float],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._bots = bots
        self._now = now
        self._rand = rand
        self._clock_s = clock_s
        self._couriers: dict[str, threading.Thread] = {}  # by bot
        self._turns: dict[str, int] = {}  # by bot, the look at which its last courier began
        self._rests: dict[str, float] = {}  # by bot, until when
        self._leaving = threading.Event()
        self._looks = 0

    def deliver(self) -> None:
        """Begin to send what is due, and count what is there."""
        try:
            self._look()
        except UNAVAILABLE as error:  # told by the journal's writer; the letters wait
            logger.debug("the outbox cannot be read", reason=code_of(error))

    def _look(self) -> None:
        self._couriers = {bot: each for bot, each in self._couriers.items() if each.is_alive()}
        if self._looks % CLEAR_EVERY == 0:
            self._outbox.clear()
        self._looks += 1
        there = self._outbox.count()
        OUTBOX_DUE.set(there.due)
        OUTBOX_DEAD.set(there.dead)
        if not there.due:
            return
        # Who has waited longest first: where many systems are slow, each bot has its turn.
        for bot in sorted(self._outbox.bots(), key=lambda bot: self._turns.get(bot, 0)):
            if len(self._couriers) >= MOST_BOTS or self._leaving.is_set():
                return
            if bot in self._couriers or self._clock_s() < self._rests.get(bot, -math.inf):
                continue
            courier = threading.Thread(target=self._send_some_of, args=(bot,), name=f"outbox {bot}", daemon=True)
            courier.start()
            self._couriers[bot], self._turns[bot] = courier, self._looks

    def leave(self) -> None:
        """Begin with no further letter, and wait a moment for those that are being sent."""
        self._leaving.set()
        self.wait(LEAVE_S)

    def wait(self, limit_s: float) -> None:
        """Wait until what is being sent now was sent, or was in vain. limit_s: for all of it."""
        until_s = time.monotonic() + limit_s
        for courier in list(self._couriers.values()):
            courier.join(max(until_s - time.monotonic(), 0.0))

    def _send_some_of(self, bot: str) -> None:
        """Send a bot's letters that are due, as many as are read at a time."""
        failures, made = 0, _Versions(self._bots)
        try:
            for letter in self._outbox.due(bot):
                if self._leaving.is_set():
                    return
                result = self._send(letter, made)
                if result is None:
                    continue
                failures = 0 if isinstance(result, Ok | Refused) else failures + 1
                if failures >= FAILURES:
                    self._rests[bot] = self._clock_s() + REST_S
                    return
        except UNAVAILABLE as error:
            logger.warning("the outbox waits for its database", reason=code_of(error))
        except Exception:  # noqa: BLE001 - the thread's edge: the next look begins again
            logger.exception("the outbox of a bot has failed", bot=bot)

    def _send(self, letter: WaitingLetter, made: _Versions) -> EffectResult | None:
        """Returns what came of it; None if another process has the letter."""
        bot = made.telling(letter)
        hook = None if bot is None else bot.profile.after_call
        claimed = self._outbox.claim(letter, MARGIN_S + (0.0 if hook is None else hook.longest_s))
        if claimed is None:
            return None
        log = logger.bind(conversation=claimed.conversation_id, bot=claimed.bot)
        result: EffectResult = Failed(NO_HOOK)
        if bot is not None and hook is not None:
            result = self._sent(hook, claimed, bot.profile.region, log)
        match result:
            case Ok():
                self._outbox.arrived(claimed)
                OUTBOX_TRIES.labels("ok").inc()
                log.info("told of the call", tries=claimed.tries)
                return result
            case Refused():
                self._outbox.give_up(claimed, result.say)
                dead = True
            case _:
                again_s = pause_s(claimed.tries, self._rand)
                dead = self._outbox.failed(claimed, result.say, again_s) == "dead"
        OUTBOX_TRIES.labels("refused" if isinstance(result, Refused) else "failed").inc()
        if dead:
            log.error("it cannot be told of this call: given up", reason=result.say, tries=claimed.tries)
        elif claimed.tries == 1:  # once for each call
            log.warning("it could not be told of this call: tried again", reason=result.say)
        return result

    def _sent(self, hook: AfterCall, letter: WaitingLetter, region: str, log: Any) -> EffectResult:
        facts: dict[str, JsonValue] = dict(letter.facts)
        caller = e164(letter.caller, region)
        context = TaskContext(
            letter.conversation_id, "after", caller, self._now, bot=letter.bot, bot_digest=letter.bot_digest
        )
        try:
            return checked(hook.send(EffectRequest(letter.key, {}, context, facts)))
        except (Exception, SystemExit) as error:
            log.exception("telling of a call has raised")
            return Failed(type(error).__name__)


class _Versions:
    """The bots by which one courier tells. A version is made once, however many letters are of it."""

    def __init__(self, bots: Bots) -> None:
        self._bots = bots
        self._made: dict[str, Bot | None] = {}  # by digest

    def telling(self, letter: WaitingLetter) -> Bot | None:
        """The bot as it is now, if it tells: an address that was put right counts for what waits. Else the call's."""
        bot = self._bots.present(letter.bot)
        if bot is not None and bot.profile.after_call is not None:
            return bot
        if letter.bot_digest not in self._made:
            made = version_of(self._bots, letter.bot, letter.bot_digest, lambda error: isinstance(error, UNAVAILABLE))
            self._made[letter.bot_digest] = made
        return self._made[letter.bot_digest]
