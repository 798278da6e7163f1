"""Opens tasks: finds the tool whose name, description and parameters fit what the caller wants.

May import: the standard library, lab.mind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lab.mind import speech
from lab.mind.calling import call, heard_since, missing, question_for, waiting
from lab.mind.language import Intent, described_intents, intents, is_done, is_open_question, is_question, stems
from lab.mind.prompt import FunctionCall, Prompt, Tool
from lab.mind.schema import properties
from lab.mind.situation import Situation
from lab.mind.values import Utterance, hear

ENOUGH = 2.0  # least score for a call: two words of the tool, one and a value, or two values
_TWO_WISHES = re.compile(r"(?:,|\.)?\s+(?:and also|also|and then|and)\s+(?=\w+ )", re.IGNORECASE)
_ONE_MORE = re.compile(r"\b(?:another|(?:a )?second|one more|also one|(?:^|and )one (?:for|on|at))\b", re.IGNORECASE)
_REACH = re.compile(r"\b(?:speak|talk|connect me|transfer me|put me)\b.{0,20}\b(?:to|with|through)\b", re.IGNORECASE)
_CANNOT_COME = re.compile(
    r"\b(?:can(?:'t|not| not)|won't be able to|unable to) (?:make it|come|attend|be there)\b", re.IGNORECASE
)
_ELSEWHEN = re.compile(r"\b(?:instead|another|other|different|later|earlier|can i come)\b", re.IGNORECASE)


def up_to(here: Situation) -> frozenset[Intent]:
    """The caller's intents; thanks alone are a goodbye if no task is open."""
    done = {Intent.GOODBYE} if is_done(here.said) and not here.open_task else set()
    return intents(here.said) | done


def wants_human(here: Situation) -> bool:
    """Whether the caller asks for a human, or by name for one whom a tool can reach."""
    if Intent.HUMAN in intents(here.said):
        return True
    asks = _REACH.search(here.said) is not None
    humans = (one for one in here.openers if asks and Intent.HUMAN in described_intents(one.name, one.description))
    return any(
        one.kind == "choice" and one.name in heard_since(tool, here) for tool in humans for one in properties(tool)
    )


def by_intent(here: Situation) -> tuple[FunctionCall, ...]:
    """The call for a goodbye or a request for a human, which may come at any time."""
    wanted = up_to(here) | ({Intent.HUMAN} if wants_human(here) else set())
    for intent in (Intent.HUMAN, Intent.GOODBYE):
        if intent in wanted:
            for tool in here.openers:
                heard = heard_since(tool, here)
                if intent in described_intents(tool.name, tool.description) and not missing(tool, here, heard):
                    return (call(tool, here, heard),)
    return ()


def opening(prompt: Prompt, here: Situation) -> tuple[FunctionCall, ...]:
    """The call that opens the task the caller asks for; two if one sentence asks for two."""
    two = _two_wishes(prompt, here)
    if two:
        return two
    tool = opener(prompt, here, here.said)
    if tool is not None:
        heard = heard_since(tool, here)
        if not missing(tool, here, heard):
            return (call(tool, here, heard),)
    wanted = waiting(here)
    if tool is None and wanted is not None:
        heard = heard_since(wanted[0], here)
        if wanted[1].name in heard and not missing(wanted[0], here, heard):
            return (call(wanted[0], here, heard),)
    return ()


def _two_wishes(prompt: Prompt, here: Situation) -> tuple[FunctionCall, ...]:
    """Two calls for "book an appointment and order a pizza" or "book one for Monday and another for Tuesday"."""
    clauses = _TWO_WISHES.split(here.said)
    if len(clauses) != 2:
        return ()
    first, second = (_named_opener(prompt, here, said) for said in clauses)
    if second is None and _ONE_MORE.search(clauses[1]):
        second = first
        if first is None or not hear(first, Utterance(clauses[1], "", here.today)):
            return ()
    if first is None or second is None or (first is second and not _ONE_MORE.search(clauses[1])):
        return ()
    return tuple(
        call(tool, here, hear(tool, Utterance(said, "", here.today)))
        for tool, said in zip((first, second), clauses, strict=True)
    )


def _named_opener(prompt: Prompt, here: Situation, said: str) -> Tool | None:
    tool = opener(prompt, here, said)
    return tool if tool is not None and _named(tool, prompt.tools, said) >= ENOUGH else None


def wishes(said: str) -> frozenset[Intent]:
    """The intents that select a task. A caller who cannot come wants to cancel, or to come another time."""
    found = intents(said) - {Intent.HUMAN, Intent.GOODBYE}
    if found or not _CANNOT_COME.search(said.replace("’", "'")):
        return found
    return frozenset({Intent.CHANGE if _ELSEWHEN.search(said) else Intent.CANCEL})


def opener(prompt: Prompt, here: Situation, said: str) -> Tool | None:
    """The tool whose name, description and parameters fit best what was said, if the score is enough."""
    wanted = wishes(said)
    if Intent.GIVE_UP in wanted and Intent.CANCEL not in wanted:
        return None
    fitting = [tool for tool in here.openers if _may_open(tool, wanted)]
    scored = [(_named(tool, prompt.tools, said), score(tool, prompt.tools, here, said), tool) for tool in fitting]
    named, best, tool = max(scored, key=lambda one: one[1], default=(0.0, 0.0, None))
    if tool is None or best < ENOUGH or (here.open_task and named < ENOUGH):
        return None
    if is_open_question(said) and named / (2 * max(1, len(stems(said)))) < max(0.4, speech.fact(said, prompt)[1]):
        return None
    return tool


def _may_open(tool: Tool, wanted: frozenset[Intent]) -> bool:
    """Whether the intents agree: a tool that cancels or changes needs a caller who wants that."""
    own = described_intents(tool.name, "")
    described = own or described_intents(tool.name, tool.description)
    return wanted - {Intent.GIVE_UP} <= described and not (own - {Intent.GIVE_UP}) - wanted


def _named(tool: Tool, tools: Iterable[Tool], said: str) -> float:
    """A score for words of a tool's name and description that were said; a word that all tools share counts half."""
    about = stems(said)
    others = [stems(one.name) for one in tools if one.name != tool.name]
    in_name = stems(tool.name) & about
    in_words = (stems(tool.description) & about) - in_name
    shared = {word for word in in_name | in_words if others and all(word in other for other in others)}
    return sum((1.0 if word in shared else 2.0) * (1.0 if word in in_name else 0.5) for word in in_name | in_words)


def score(tool: Tool, tools: Iterable[Tool], here: Situation, said: str | None = None) -> float:
    """A score for the words of a tool that were said, the values given for it, and its intent."""
    text = here.said if said is None else said
    heard = hear(tool, Utterance(text, "", here.today))
    about = stems(text)
    parameters = stems(" ".join(f"{one.name} {one.description}" for one in properties(tool))) & about
    voiced = described_intents(tool.name, tool.description) & (intents(text) | wishes(text))
    return _named(tool, tools, text) + len(heard) + 0.25 * len(parameters) + 2.0 * len(voiced)


def still_missing(here: Situation) -> str:
    """The question for the first missing required parameter of the tool that is wanted, or ""."""
    asked_for = waiting(here)
    wanted = asked_for[0] if asked_for is not None else None
    if wanted is None:
        own = wishes(here.said) | ({Intent.HUMAN} if wants_human(here) else set())
        fitting = [tool for tool in here.openers if _may_open(tool, own) and Intent.GIVE_UP not in own]
        wanted = max(fitting, key=lambda one: score(one, here.openers, here), default=None)
        if wanted is None or score(wanted, here.openers, here) < ENOUGH:
            return ""
    elif is_question(here.said) or intents(here.said):
        return ""
    still = missing(wanted, here, heard_since(wanted, here))
    return question_for(still[0]) if still else ""
