"""Detects false statements of the model that something was done, and asks for a correction until the caller heard one.

The facts of one call go in, as they happen; out come the words to be said. No socket, thread or clock.
May import: actors, fsm, protocols, the standard library. Rules from: docs/architecture.md 4.9.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from weakref import WeakKeyDictionary

from actors.messages.call import SpeechFact
from actors.messages.journal_rows import HeardClaim
from actors.metrics import FALSE_CLAIMS
from actors.tasks.effect_attempts import UNSURE
from actors.tasks.handle import BEGUN_AGAIN, FAILED, OPEN, TaskHandle
from actors.tasks.heard_words import HeardWords, holds
from fsm.claims import Claim, Deed, Done, Statement, backs_also, deeds_in, literal, unbacked
from fsm.consent import Language
from fsm.context import SLOT, ContextItem
from fsm.locales import Locale
from fsm.spec import AgentSpec, End
from fsm.states import CANCELLED
from protocols.ledger import ItemHeard, words_heard

SAID_WRONGLY = "I am sorry, I said that wrongly."
WHAT_NEXT = "What shall I do for you?"
# Requests for a correction; a model that says something else each time will not say it.
MOST_ASKS = 3
# The newest ones are remembered: one correction takes back all of a kind.
MOST_OPEN = 8
# By task, the states after its deeds: a table never changes, and each call begins by asking for them, on the loop.
_after_deeds: WeakKeyDictionary[AgentSpec, frozenset[str]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Told:
    """What a task tells at its ends in one language. deeds: also those of the statements."""

    locale: Locale
    deeds: frozenset[Deed]
    statements: tuple[Statement, ...]


# Likewise, by task: to read them in its sentences takes a quarter of what a call's beginning does. A task of a package
# is told of in the languages of each version of each bot: so many are kept.
_told: WeakKeyDictionary[AgentSpec, list[_Told]] = WeakKeyDictionary()
MOST_LOCALES = 32


@dataclass(slots=True)
class ClaimWatch:
    """The watch over one call. Times are in ms on the clock of its facts.

    possible: the deeds that this bot's tasks can do; statements about anything else are ignored. own: the tasks that
    do something of their own, by the noun and the participle that say so.
    """

    language: Language
    possible: frozenset[Deed]
    own: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    _words: HeardWords = field(default_factory=HeardWords)
    _open: list[Claim] = field(default_factory=list)  # heard by the caller, and neither true nor corrected
    _counted: list[Claim] = field(default_factory=list)
    _correction: str = ""  # asked for last
    _asked_ms: float | None = None  # when; None once the caller has heard something else instead
    _asks: int = 0

    def note(self, fact: SpeechFact) -> None:
        if (heard := self._words.note(fact)) is not None:
            self._hear(*heard)

    def _hear(self, item: ItemHeard, text: str) -> None:
        if self._correction and item.complete and holds(text, self._correction, self.language):
            self._forget()
            return
        for claim in self._claims(words_heard(text, item)):
            if claim not in self._open:
                self._open = [*self._open, claim][-MOST_OPEN:]
                self._asked_ms = None
        # What began before the correction was asked for cannot be it.
        if self._asked_ms is not None and item.heard_ms and (item.began_ms or 0) >= self._asked_ms:
            self._asked_ms = None

    def _claims(self, text: str) -> list[Claim]:
        claims = [claim for claim in self.language.claims(text) if claim.deeds & self.possible]
        own = self.language.statements(text) if self.own else []
        tasks = (self.own.get((each.noun, each.participle)) for each in own)
        return claims + [Claim(frozenset(), each.sentence, of) for each, of in zip(own, tasks, strict=True) if of]

    def answered(self, deeds: frozenset[Deed], task: str = "") -> None:
        """A task that does such deeds has ended and reports the result, which corrects earlier claims."""
        self._open = [claim for claim in self._open if claim.deeds.isdisjoint(deeds) and task not in claim.tasks]
        if not self._open:
            self._forget()

    def left(self) -> tuple[HeardClaim, ...]:
        """The claims that may have to be corrected yet, for the journal."""
        return tuple(
            HeardClaim(
                deeds=tuple(sorted(each.deeds, key=lambda deed: deed.value)),
                sentence=each.sentence,
                tasks=tuple(sorted(each.tasks)),
            )
            for each in self._open
        )

    def restore(self, left: Iterable[HeardClaim]) -> None:
        """Go on from what the process before has left, and has counted."""
        self._open = [Claim(frozenset(each.deeds), each.sentence, frozenset(each.tasks)) for each in left]
        self._counted = list(self._open)

    @property
    def open(self) -> bool:
        """Whether a claim may have to be corrected."""
        return bool(self._open)

    @property
    def correcting(self) -> bool:
        """Whether a correction was requested that the caller has not heard yet."""
        return bool(self._open and self._correction)

    def false(self, done: Iterable[Done], today: date, *, overdue: bool = False) -> list[Claim]:
        """The claims to correct now; none while the last requested correction may still be heard.

        overdue: nobody has spoken for a while, so it will not come.
        """
        self._open = unbacked(self._open, done, self.language, today)
        if not self._open or self._asks >= MOST_ASKS:
            self._forget()
        return list(self._open) if self._asked_ms is None or overdue else []

    def new(self, claims: Iterable[Claim]) -> list[Claim]:
        """The claims that were not counted before."""
        found = [claim for claim in claims if claim not in self._counted]
        self._counted = [*self._counted, *found][-2 * MOST_OPEN :]
        return found

    def asked(self, correction: str, at_ms: float) -> None:
        """A correction was requested from the model. correction: the words by which it is recognised."""
        self._correction, self._asked_ms = correction, at_ms
        self._asks += 1

    def _forget(self) -> None:
        self._open, self._correction, self._asked_ms, self._asks = [], "", None, 0


class Corrections:
    """What the model has told the caller and is not true, and the words that correct it. agents: the bot's tasks."""

    def __init__(self, locale: Locale, agents: Mapping[str, AgentSpec]) -> None:
        self._locale = locale
        self._agents = agents
        self._deeds: Mapping[str, frozenset[Deed]] = {}
        self._watch = ClaimWatch(locale.reader, frozenset())
        self._untold: tuple[Done, ...] = ()  # what the process before has done, in runs that may be unreadable here
        self.speak(locale)

    def speak(self, locale: Locale) -> None:
        """Go on in another language."""
        self._locale = locale
        self._deeds = {name: _deeds_of(spec, locale) for name, spec in self._agents.items()}
        self._watch.language, self._watch.possible = locale.reader, frozenset().union(*self._deeds.values())
        self._watch.own = _own_of(self._agents, locale)

    def note(self, fact: SpeechFact) -> None:
        self._watch.note(fact)

    def left(self) -> tuple[HeardClaim, ...]:
        """What may have to be corrected yet, for the journal."""
        return self._watch.left()

    def restore(self, left: Iterable[HeardClaim], untold: Iterable[Done]) -> None:
        """Go on from what the process before has left, and has counted. untold: what it has done, and must be told."""
        self._watch.restore(left)
        self._untold = tuple(untold)

    def ended(self, task: str) -> None:
        """A run of the task has ended, and reports what was done."""
        self._watch.answered(self._deeds.get(task, frozenset()), task)

    @property
    def open(self) -> bool:
        """Whether a claim may have to be corrected."""
        return self._watch.open

    @property
    def correcting(self) -> bool:
        """Whether a correction was requested that the caller has not heard yet."""
        return self._watch.correcting

    def words(
        self,
        runs: Collection[TaskHandle],
        question: str,
        today: date,
        now_ms: float,
        *,
        asks: bool,
        overdue: bool,
    ) -> str:
        """The words to say now, "" if there are none. question: of the task that is asking, "" if none is.

        asks: they end in a question, because the call goes on. overdue: nobody has been heard for a while.
        """
        done = [*self._untold, *(each for run in runs for each in done_by(run, self._locale.reader))]
        false = self._watch.false(done, today, overdue=overdue)
        if not false:
            return ""
        for claim in self._watch.new(false):
            names = [*(deed.value for deed in claim.deeds), *claim.tasks]
            FALSE_CLAIMS.labels(names[0] if len(names) == 1 else "any").inc()
        mark, words = self._put_right(false, runs, done, question)
        self._watch.asked(mark, now_ms)
        return words if asks else mark

    def _put_right(
        self, false: Sequence[Claim], runs: Collection[TaskHandle], done: Sequence[Done], question: str
    ) -> tuple[str, str]:
        """The words that correct these claims, and the part to recognise them by."""
        deeds = frozenset(deed for claim in false for deed in claim.deeds)
        tasks = frozenset(task for claim in false for task in claim.tasks)
        doing = [run for run in runs if self._deeds[run.spec.name] & deeds or run.spec.name in tasks]
        unsure = self._locale.of(UNSURE)
        if any(run.say == unsure or _is_unclear(run) for run in doing):
            return unsure, unsure
        told = next((each.say for each in reversed(done) if each.deeds & deeds or each.task in tasks), "")
        if told:
            return told, f"{self._locale.of(SAID_WRONGLY)} {told}"
        denial = self._locale.reader.denial(deeds)
        return denial, f"{denial} {question or self._locale.of(WHAT_NEXT)}"


def done_by(run: TaskHandle, language: Language) -> list[Done]:
    """What a run has done, and what its look-ups found."""
    if run.status is None:
        return []
    values = [item for item in run.status.snapshot.items if item.category == SLOT]
    ended = run.result not in (OPEN, FAILED, BEGUN_AGAIN)
    deeds = backs_also(_deeds_told(run.say, language)) if ended else frozenset()
    if run.result == "cancelled":  # the task itself, which "it is cancelled" then refers to
        deeds |= {Deed.CANCELLED}
    changed = not _states_after_deeds(run.spec).isdisjoint(run.status.snapshot.visited)
    did = _done(run.spec, values, deeds, run.say)
    if changed or _states_own(run, language):
        did = replace(did, task=run.spec.name)
    stored = _done(run.spec, [item for item in values if item.source == "store"], frozenset(), run.say)
    stored = replace(stored, found=any(item.source == "store" for item in values) and Deed.CANCELLED not in deeds)
    if stored.dates or stored.times:
        stored = replace(stored, deeds=frozenset({Deed.BOOKED}))
    return [*([did] if deeds or did.task else []), *([stored] if stored.found else [])]


def _states_own(run: TaskHandle, language: Language) -> bool:
    """Whether the task's own words state what its End does: a read-back's, or a refusal's, "it is noted already"."""
    own = {(each.noun, each.participle) for each in statements_of(run.spec, run.context.locale)}
    return bool(own) and any((each.noun, each.participle) in own for each in language.statements(run.say))


def _is_unclear(run: TaskHandle) -> bool:
    """Whether the outcome of one of the run's effects is unknown."""
    return run.status is not None and any(note.text.endswith(": unclear") for note in run.status.snapshot.notes)


def _done(spec: AgentSpec, items: Iterable[ContextItem], deeds: frozenset[Deed], say: str) -> Done:
    values = [value for item in items for value in _read(spec, item)]
    dates = frozenset(value for value in values if isinstance(value, date))
    return Done(deeds, dates, frozenset(value for value in values if isinstance(value, time)), say)


def _read(spec: AgentSpec, item: ContextItem) -> list[object]:
    """An item's value; none if the run has ended with another table, in which this table cannot read it."""
    try:
        return [spec.slots[item.name].read(item.value)]
    except (KeyError, ValueError):
        return []


def _told_by(spec: AgentSpec, locale: Locale) -> _Told:
    known = _told.setdefault(spec, [])
    found = next((each for each in known if each.locale is locale), None)
    if found is None:
        statements = tuple(_statements_of(spec, locale))
        ends = (state.say for state in spec.states.values() if isinstance(state, End))
        ours = frozenset(deed for say in ends for deed in deeds_in(literal(locale.of(say)), locale.reader))
        found = _Told(locale, ours | {deed for each in statements for deed in each.deeds}, statements)
        known[:] = [*known, found][-MOST_LOCALES:]
    return found


def _deeds_of(spec: AgentSpec, locale: Locale) -> frozenset[Deed]:
    """What a task says has been done when it ends."""
    return _told_by(spec, locale).deeds


def _deeds_told(say: str, language: Language) -> frozenset[Deed]:
    """The deeds that words claim, of whatever they name."""
    return deeds_in(say, language) | {deed for each in language.statements(say) for deed in each.deeds}


def statements_of(spec: AgentSpec, locale: Locale) -> tuple[Statement, ...]:
    """What a task says was done to something of its own when it ends."""
    return _told_by(spec, locale).statements


def _statements_of(spec: AgentSpec, locale: Locale) -> list[Statement]:
    after = _states_after_deeds(spec)
    ends = [state for name, state in spec.states.items() if name in after and isinstance(state, End)]
    says = [literal(locale.of(end.say)) for end in ends if end.outcome != CANCELLED]
    return [each for say in says for each in locale.reader.statements(say)]


def _states_after_deeds(spec: AgentSpec) -> frozenset[str]:
    if (after := _after_deeds.get(spec)) is None:
        after = _after_deeds[spec] = spec.after_deeds()
    return after


def _own_of(agents: Mapping[str, AgentSpec], locale: Locale) -> dict[tuple[str, str], frozenset[str]]:
    """The tasks that do something of their own, by the noun and the participle that say so."""
    stated = [(name, each) for name, spec in agents.items() for each in statements_of(spec, locale)]
    return {
        (one.noun, one.participle): frozenset(
            name
            for name, each in stated
            if each.noun == one.noun and (each.participle == one.participle or one.deeds & backs_also(each.deeds))
        )
        for _, one in stated
    }
