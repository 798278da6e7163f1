"""Who is to blame for a call that went wrong, derived from its facts alone.

Ears: a sentence was misheard in a word that matters, that is, one for which the rules that stand in for the model would
have done something else; or it was not heard, or words were heard that the caller did not say. Mind: what was said was
heard, and those rules did not do what it means. Product: what Tieline must never do, whatever it is told; and any other
fault that none of this explains.
Pure. May import: tests.talk, lab.mind, fsm, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import Enum

from actors.messages.journal_rows import BotHeardRow, TaskRow
from lab.mind import AssistantSaid, Called, Prompt, Reply, UserSaid, think
from tests.talk.facts import Call, Exchange, Facts, HeardTurn, ModelReply, exchanges
from tests.talk.scenario import CALLER, Act, Asked, Deed, Ends, Keys, Line

SILENCE_S = 20.0
# Least similarity of two spellings of one name.
ALIKE = 0.7
# Results of tasks that have changed something.
EFFECTS = ("booked", "moved", "removed")
# Breaches of VAIC's protocol that do not spoil a call by themselves.
TOLERATED = ("no_call_record",)
_WORDS = re.compile(r"[^\W_]+")


class Blame(Enum):
    EARS = "ears"
    MIND = "mind"
    PRODUCT = "product"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was wrong. no_yes: it is an effect that the caller had not agreed to."""

    who: Blame
    what: str
    no_yes: bool = False


def differences(ends: Ends, facts: Facts) -> list[str]:
    """Each result that is not what the caller wanted."""
    found = []
    stored = tuple(at for at, _, _ in facts.stored)
    if stored != ends.stored:
        found.append(f"stored is {', '.join(stored) or 'nothing'}, not {', '.join(ends.stored) or 'nothing'}")
    elif ends.names is not None and not _same_names(ends.names, [name for _, name, _ in facts.stored]):
        names = ", ".join(name for _, name, _ in facts.stored)
        found.append(f"stored for {names or 'nobody'}, not for {', '.join(ends.names)}")
    if facts.outcome not in {each.value for each in ends.end}:
        wanted = " or ".join(each.name.lower() for each in ends.end)
        found.append(f"the call ended as {facts.outcome or 'nothing'}, not {wanted}")
    if ends.to is not None and facts.to != ends.to:
        found.append(f"the caller was put through to {facts.to or 'nobody'}, not to {ends.to}")
    if facts.gave_up and facts.gave_up not in found:
        found.append(facts.gave_up)
    return found


def blamed(ends: Ends, facts: Facts) -> tuple[Blame | None, list[Finding]]:
    """Who is to blame, and all findings, the decisive one first; None if the call went as the caller wanted."""
    broken = [*effects_without_a_yes(facts), *product_faults(facts)]
    own = [each for each in broken if each.who is Blame.PRODUCT]
    if own:
        return Blame.PRODUCT, [*own, *(each for each in broken if each not in own)]
    wrong = differences(ends, facts)
    if broken:
        return broken[0].who, broken
    if not wrong:
        return None, []
    reasons = list(misunderstandings(facts))
    if reasons:
        return reasons[0].who, reasons
    return Blame.PRODUCT, [Finding(Blame.PRODUCT, f"nothing explains it: {'; '.join(wrong)}")]


# --- ears and mind ---


def misunderstandings(facts: Facts) -> Iterator[Finding]:
    """What was misheard or misunderstood, in order."""
    heard, unclaimed = exchanges(facts)
    found = [(each.done.onset_ms, finding) for each in heard if (finding := _misunderstood(each, facts)) is not None]
    for turn in unclaimed:
        if turn.text and _matters(turn, "", facts):
            what = f"heard {turn.text!r} at {turn.began_ms} ms, where the caller said nothing"
            found.append((turn.began_ms, Finding(Blame.EARS, what)))
    found.sort(key=lambda each: each[0])
    yield from (finding for _, finding in found)


def _misunderstood(exchange: Exchange, facts: Facts) -> Finding | None:
    if not isinstance(exchange.done.answer, Line):
        return None  # keys are told to the task, and not to the model
    said, turns = exchange.done.answer.text, exchange.turns
    if not turns:
        return _not_heard(exchange, facts)
    if not exchange.heard:
        return Finding(Blame.EARS, f"{said!r} was heard without words")
    if _plain(said) != _plain(exchange.heard) and _matters(turns[-1], said, facts, turns[:-1]):
        return Finding(Blame.EARS, f"{said!r} was heard as {exchange.heard!r}")
    if understood(exchange):
        return None
    if _first_reply(turns[-1], facts.replies) is None:
        return Finding(Blame.PRODUCT, f"the model was never asked to answer {said!r}")
    return Finding(Blame.MIND, f"{said!r}, heard as {exchange.heard!r}, became {_told(exchange.calls)}")


def _not_heard(exchange: Exchange, facts: Facts) -> Finding:
    """No turn of the caller's began: the ears' fault if the voice detection missed it, else the product's."""
    done = exchange.done
    assert isinstance(done.answer, Line)
    if any(began_ms <= done.end_ms and done.onset_ms <= ended_ms for began_ms, ended_ms in facts.voiced):
        return Finding(Blame.PRODUCT, f"{done.answer.text!r} was on the line, and no turn of the caller's began")
    return Finding(Blame.EARS, f"{done.answer.text!r} was not heard")


def _plain(text: str) -> list[str]:
    return _WORDS.findall(text.lower())


def _matters(turn: HeardTurn, said: str, facts: Facts, before: Sequence[HeardTurn] = ()) -> bool:
    """Whether the model would have done something else, had it heard what was said. before: turns of the same words."""
    given = _first_reply(turn, facts.replies)
    if given is None or turn.text is None:
        return bool(said)  # its effect is not known
    reply = think(_corrected(given.prompt, turn.text, said, [each.text for each in before if each.text]))
    return _meaning(reply) != _meaning(given.reply)


def _meaning(reply: Reply) -> object:
    return reply.calls or reply.text


def _first_reply(turn: HeardTurn, replies: Sequence[ModelReply]) -> ModelReply | None:
    """The first response that answers these words."""
    for given in replies:
        for item in reversed(given.prompt.items):
            if isinstance(item, AssistantSaid | Called):
                break
            if isinstance(item, UserSaid) and item.text == turn.text and given.at_ms >= turn.began_ms:
                return given
    return None


def _corrected(prompt: Prompt, heard: str, said: str, parts: Sequence[str]) -> Prompt:
    """The prompt with the words that were said in place of those heard."""
    items = list(prompt.items)
    for text, instead in [(heard, said), *((part, "") for part in parts)]:
        for at in reversed(range(len(items))):
            item = items[at]
            if isinstance(item, UserSaid) and item.text == text:
                items[at : at + 1] = [UserSaid(instead)] if instead else []
                break
    return replace(prompt, items=tuple(items))


def understood(exchange: Exchange) -> bool:
    """Whether what was called is what the caller meant."""
    answer, calls = exchange.done.answer, exchange.calls
    assert isinstance(answer, Line)
    given = all(any(_same(call.arguments.get(slot), value) for call in calls) for slot, value in answer.values.items())
    yes = any(_confirms(call, yes=True) for call in calls)
    match answer.act:
        case Act.YES:
            return yes or exchange.done.asked is not Asked.READ_BACK
        case Act.NO:
            refused = any(_confirms(call, yes=False) or call.name.endswith("_cancel") for call in calls)
            return not yes and given and (bool(answer.values) or refused)
        case Act.BOOK | Act.MOVE | Act.CANCEL:
            return given and any(call.name.startswith(_OPENS[answer.act]) for call in calls)
        case Act.GIVE_UP:
            return any(call.name.endswith("_cancel") for call in calls)
        case Act.HUMAN:
            return any(call.name.startswith("hand_over") for call in calls)
        case Act.BYE:
            return any(call.name == "end_call" for call in calls)
        case Act.GIVES:
            return given and not yes
        case Act.CHATS:
            return not yes and not any(
                call.name in ("end_call", "hand_over") or call.name.endswith("_cancel") for call in calls
            )


_WISHES = (Act.NO, Act.BOOK, Act.MOVE, Act.CANCEL, Act.GIVE_UP)
_OPENS = {Act.BOOK: "book_appointment", Act.MOVE: "reschedule_appointment", Act.CANCEL: "cancel_appointment"}


def _confirms(call: Call, *, yes: bool) -> bool:
    return call.name.endswith("_confirm") and call.arguments.get("yes") is yes


def _same(argument: object, value: str) -> bool:
    return isinstance(argument, str) and argument.casefold().removesuffix(":00") == value.casefold().removesuffix(":00")


def _same_names(wanted: Sequence[str], stored: Sequence[str]) -> bool:
    """Whether the names are the same or sound alike: a spelling is not heard."""
    return len(wanted) == len(stored) and all(map(_alike, stored, wanted))


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= ALIKE


def _told(calls: Sequence[Call]) -> str:
    return ", ".join(f"{call.name}({call.arguments})" for call in calls) or "no call"


# --- product ---


def effects_without_a_yes(facts: Facts) -> Iterator[Finding]:
    """Each effect that the caller had not agreed to. An effect after a misheard answer is the ears' fault."""
    heard, _ = exchanges(facts)
    for run, result in _effects(facts):
        agreed = next((each for each in reversed(heard) if _agreed_by(run, each, facts)), None)
        if agreed is None:
            keyed = any(isinstance(each.done.answer, Keys) and each.done.answer.act is Act.YES for each in heard)
            if not keyed:
                yield Finding(Blame.PRODUCT, f"{result}, and the model had called no yes", no_yes=True)
            continue
        answer = agreed.done.answer
        if isinstance(answer, Line | Keys) and answer.act is Act.YES:
            continue
        said = answer.text if isinstance(answer, Line) else answer.name if isinstance(answer, Deed) else answer.keys
        misheard = _plain(said) != _plain(agreed.heard)
        who = Blame.EARS if misheard else Blame.PRODUCT
        yield Finding(who, f"{result} after {said!r}, heard as {agreed.heard!r}", no_yes=True)


def _effects(facts: Facts) -> Iterator[tuple[str, str]]:
    """(run, result) of each task that has changed something."""
    seen = set()
    for row in facts.rows:
        if isinstance(row, TaskRow) and row.result in EFFECTS and row.run not in seen:
            seen.add(row.run)
            yield row.run, row.result


def _agreed_by(run: str, exchange: Exchange, facts: Facts) -> bool:
    """Whether the run's yes was called for this."""
    return any(_confirms(call, yes=True) and _of_run(call, run) for call in exchange.calls)


def _of_run(call: Call, run: str) -> bool:
    told = (call.output or {}).get("task")
    return told is None or told == run


def product_faults(facts: Facts) -> Iterator[Finding]:
    """What Tieline must never do, whatever it is told."""
    faults = [*_unheard_of(facts), *_gone(facts), *_wrong_ends(facts), *_refused(facts)]
    if facts.silence_s > SILENCE_S:
        faults.append(f"nobody was heard for {facts.silence_s:.0f} s")
    faults += [f"crashed: {each}" for each in facts.crashed]
    faults += [f"VAIC's protocol: {each}" for each in facts.broken if not each.startswith(TOLERATED)]
    if facts.record is None:
        faults.append("the call left no record")
    elif missing := [each for each in facts.results if each not in [task.result for task in facts.record.tasks]]:
        faults.append(f"the record lacks the result of a task: {', '.join(missing)}")
    yield from (Finding(Blame.PRODUCT, each) for each in faults)


def _unheard_of(facts: Facts) -> Iterator[str]:
    """Appointments that no function call has named."""
    given: dict[str, set[str]] = {"day": set(), "at": set()}
    for call in facts.calls:
        for slot, values in given.items():
            value = call.arguments.get(slot)
            if isinstance(value, str):
                values.add(value[:5] if slot == "at" else value)
    for done in facts.done:
        if isinstance(done.answer, Keys):
            for slot, value in done.answer.values.items():
                given.setdefault(slot, set()).add(value)
    for at, _, _ in set(facts.stored) - set(facts.before):
        day, clock = at.split(" ")
        if day not in given["day"] or clock not in given["at"]:
            yield f"stored is {at}, of which no function call spoke"


def _gone(facts: Facts) -> Iterator[str]:
    """Appointments that are no longer there: those of others, and more than tasks have moved or removed."""
    gone = [each for each in facts.before if each not in facts.stored]
    for at, name, caller in gone:
        if caller != CALLER:
            yield f"the appointment of {name or caller} at {at} is gone"
    if len(gone) > sum(facts.results.count(result) for result in ("moved", "removed")):
        yield f"gone without a task that ended so: {', '.join(at for at, _, _ in gone)}"


def _wrong_ends(facts: Facts) -> Iterator[str]:
    """An end that nothing has asked for, and one that was asked for and did not come."""
    names = {call.name for call in facts.calls}
    handed = "transfer" in facts.results
    recorded = facts.record.outcome if facts.record is not None else ""
    if facts.outcome == "bot-disconnected" and "end_call" not in names and recorded not in ("silent", "too-long"):
        yield f"hung up, and nothing had asked for it (recorded as {recorded or 'nothing'})"
    if facts.outcome == "transferred" and not handed:
        yield "transferred, and no task had ended so"
    if facts.outcome in ("error", "refused"):
        yield f"the call ended as {facts.outcome}"
    if facts.gave_up.startswith("nobody hung up") and ("end_call" in names or handed):
        yield facts.gave_up
    wish = _wish_after_the_end(facts)
    if facts.outcome in ("bot-disconnected", "transferred") and wish:
        yield f"the call was ended over {wish!r}"


def _wish_after_the_end(facts: Facts) -> str:
    """What the caller wanted after the last function that ends a call, and was heard to want."""
    heard, _ = exchanges(facts)
    ending = [at for at, each in enumerate(heard) if any(call.name in ("end_call", "hand_over") for call in each.calls)]
    for each in heard[ending[-1] + 1 :] if ending else ():
        answer = each.done.answer
        if isinstance(answer, Line) and answer.act in _WISHES and _plain(each.heard) == _plain(answer.text):
            return answer.text
    return ""


def _refused(facts: Facts) -> Iterator[str]:
    """A yes to what was heard to its end, that did not count.

    It need not, if an answer before it was misheard: what was heard may have been a no.
    """
    heard, _ = exchanges(facts)
    rows = list(facts.rows)
    ends_ms = [
        row.began_ms + row.heard_ms for row in rows if isinstance(row, BotHeardRow) and row.complete and row.began_ms
    ]
    misheard = False  # an answer to the read-back that this one answers
    for each in heard:
        answer, before = each.done.answer, misheard
        finding = _misunderstood(each, facts) if each.done.asked is Asked.READ_BACK else None
        misheard = each.done.asked is Asked.READ_BACK and (
            before or (finding is not None and finding.who is Blame.EARS)
        )
        if not isinstance(answer, Line) or answer.act is not Act.YES or each.done.asked is not Asked.READ_BACK:
            continue
        whole = any(each.done.onset_ms - 10_000 <= end_ms <= each.done.onset_ms for end_ms in ends_ms)
        for call in each.calls:
            error = (call.output or {}).get("error")
            if not error or not _confirms(call, yes=True):
                continue
            misheard = False  # it is read back again
            if whole and not before and _plain(each.heard) == _plain(answer.text):
                yield f"{answer.text!r} did not count: {error}"
