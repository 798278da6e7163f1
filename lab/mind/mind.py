"""The mind of the embedded realtime engine: what a speech model would say or call next.

Rules over what the caller said and the tools the session declares: their names, descriptions and schemas. It
knows no task by name and invents no value. Pure: no clock, no sockets, no state between two responses.
May import: the standard library, lab.mind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from lab.mind import speech
from lab.mind.language import (
    Intent,
    answer,
    asks_to_repeat,
    described_intents,
    intents,
    is_done,
    is_greeting,
    is_open_question,
    is_question,
    stems,
)
from lab.mind.prompt import FunctionCall, Prompt, Reply, Tool
from lab.mind.schema import Property, fits, properties
from lab.mind.situation import Situation, look
from lab.mind.spoken_time import without_dates_and_times
from lab.mind.values import Utterance, hear

ENOUGH = 2.0  # what a tool must score to be called: its two words, or one and a value, or two values
ANYTHING_ELSE = "Is there anything else I can do for you?"
HOW_CAN_I_HELP = "How can I help you?"
NOT_UNDERSTOOD = "Sorry, I did not get that."


def think(prompt: Prompt) -> Reply:
    """What to do next. Never raises on any conversation or schema; never returns neither words nor calls."""
    told = speech.dictated(prompt)
    if told:
        return Reply(told)
    here = look(prompt)
    if prompt.tool_choice == "none":
        return _speak(prompt, here)
    forced = [tool for tool in prompt.tools if tool.name == prompt.tool_choice]
    if forced:
        return Reply(calls=(_call(forced[0], here, _heard(forced[0], here)),))
    reply = _speak(prompt, here) if here.outputs or not here.said else _answer(prompt, here)
    if here.outputs and here.said:
        # The caller spoke while the function ran: do what was asked for, else speak the result.
        spoken_over = _answer(prompt, here)
        reply = spoken_over if spoken_over.calls else reply
    if prompt.tool_choice == "required" and not reply.calls and prompt.tools:
        tool = max(prompt.tools, key=lambda one: _score(one, prompt.tools, here))
        return Reply(calls=(_call(tool, here, _heard(tool, here)),))
    return reply


def _speak(prompt: Prompt, here: Situation) -> Reply:
    """A reply without calls."""
    if here.outputs:
        return Reply(speech.results(here.outputs))
    if here.said:
        return Reply(_words_only(prompt, here))
    if here.pending:
        return Reply("One moment, please.")
    if here.last_said:
        return Reply(speech.joined("Are you still there?", speech.lead_back(here)))
    return Reply(f"Hello. {HOW_CAN_I_HELP}")


def _answer(prompt: Prompt, here: Situation) -> Reply:
    """What to do about what the caller said."""
    if asks_to_repeat(here.said) and (here.read_back or here.last_said):
        return Reply(here.read_back or here.last_said)
    calls = _in_task(prompt, here) if here.open_task else ()
    calls = calls or _by_intent(here)
    if not calls and not (here.open_task and _is_digression(prompt, here)):
        calls = _opening(prompt, here)
    if calls:
        return Reply(calls=calls)
    missing = _still_missing(here) if not here.open_task else ""
    return Reply(missing or _words_only(prompt, here))


# ---- inside a task ---------------------------------------------------------------------------------------------------


def _in_task(prompt: Prompt, here: Situation) -> tuple[FunctionCall, ...]:
    """A call of one of the open task's own tools; nothing when what was said is not for it."""
    up_to = intents(here.said)
    said_yes = answer(here.said)
    if (Intent.HUMAN in up_to and not said_yes) or (Intent.GOODBYE in up_to and said_yes is None):
        return ()
    given = None if _is_digression(prompt, here) else _given(here)
    leaving = _leaving(up_to, here)
    if leaving is not None and not (given and _INSTEAD.search(here.said)):
        return (_call(leaving, here, {}),)
    if _asks_for_another_task(prompt, here):
        return ()
    if given:
        return (_call(given[0], here, given[1]),)
    confirm = next((tool for tool in here.state_tools if _is_yes_or_no(tool, here)), None)
    others = [one.name for tool in here.state_tools if tool is not confirm for one in properties(tool)]
    if confirm is None or said_yes is None or here.asked in others or is_open_question(here.said):
        return ()
    wanted = next(one for one in properties(confirm) if one.kind == "boolean")
    return (_call(confirm, here, {wanted.name: said_yes}),)


_INSTEAD = re.compile(r"\b(?:make (?:it|that)|let's (?:do|say|take)|rather|instead)\b", re.IGNORECASE)


def _leaving(up_to: frozenset[Intent], here: Situation) -> Tool | None:
    """The tool that gives the task up, when the caller does. "Cancel it" gives up any task but one that cancels."""
    if Intent.GIVE_UP not in up_to and (
        Intent.CANCEL not in up_to or Intent.CANCEL in described_intents(here.open_task, "")
    ):
        return None
    ways_out = (tool for tool in here.state_tools if _suffix_intents(tool, here) & {Intent.CANCEL, Intent.GIVE_UP})
    return next(ways_out, None)


_WISH = re.compile(
    r"\b(?:i(?:'d| would)? (?:also |still )?(?:like|want|need)|(?:can|could) (?:i|you|we)|please)\b", re.IGNORECASE
)


def _asks_for_another_task(prompt: Prompt, here: Situation) -> bool:
    """Whether another task is wished for in words that are more its own than the open one's."""
    other = _opener(prompt, here, here.said) if _WISH.search(here.said) else None
    if other is None:
        return False
    both = stems(here.open_task) | stems(here.read_back)
    return len(stems(other.name) & stems(here.said) - both) > 0


def _given(here: Situation) -> tuple[Tool, dict[str, object]] | None:
    """The state tool that takes most of what was said, and those values; not the ones just read back."""
    best: tuple[Tool, dict[str, object]] | None = None
    for tool in here.state_tools:
        if _is_yes_or_no(tool, here):
            continue
        asked = here.asked if any(one.name == here.asked for one in properties(tool)) else ""
        heard = hear(tool, Utterance(here.said, asked, here.today))
        known = {} if asked else hear(tool, Utterance(here.read_back, "", here.today))
        new = {name: value for name, value in heard.items() if known.get(name) != value}
        if new and (best is None or len(new) > len(best[1])):
            best = tool, new
    return best


def _is_yes_or_no(tool: Tool, here: Situation) -> bool:
    """Whether a boolean is all that a tool takes: such a tool confirms."""
    return [one.kind for one in properties(tool) if not _is_run(one, here)] == ["boolean"]


def _suffix_intents(tool: Tool, here: Situation) -> frozenset[Intent]:
    return described_intents(tool.name.removeprefix(here.open_task), tool.description)


def _is_digression(prompt: Prompt, here: Situation) -> bool:
    """A question of the caller's that is not about the value asked for."""
    if not is_question(here.said):
        return False
    covered = speech.fact(without_dates_and_times(here.said, here.today), prompt)[1]
    return is_open_question(here.said) or covered >= 0.5


# ---- outside a task --------------------------------------------------------------------------------------------------


def _intents(here: Situation) -> frozenset[Intent]:
    done = {Intent.GOODBYE} if is_done(here.said) and not here.open_task else set()
    return intents(here.said) | done


def _by_intent(here: Situation) -> tuple[FunctionCall, ...]:
    """Goodbye and a human being are asked for at any time, whatever the task."""
    up_to = _intents(here)
    for intent in (Intent.HUMAN, Intent.GOODBYE):
        if intent in up_to:
            for tool in here.openers:
                if intent in described_intents(tool.name, tool.description):
                    return (_call(tool, here, _heard(tool, here)),)
    return ()


def _opening(prompt: Prompt, here: Situation) -> tuple[FunctionCall, ...]:
    """The call that opens what the caller asks for; two when two things were asked for in one sentence."""
    best: dict[str, FunctionCall] = {}
    clauses = re.split(
        r"(?:,|\.)?\s+(?:and also|also|and then|and)\s+(?=(?:i|please|could|can|would|book|order)\b|\w+ )", here.said
    )
    for said in clauses if len(clauses) == 2 else ():
        tool = _opener(prompt, here, said)
        if tool is not None and _named(tool, prompt.tools, said) >= ENOUGH:
            best[tool.name] = _call(tool, here, hear(tool, Utterance(said, "", here.today)))
    if len(best) == 2:
        return tuple(best.values())
    tool = _opener(prompt, here, here.said)
    if tool is not None:
        heard = _heard(tool, here)
        if not _missing(tool, here, heard):
            return (_call(tool, here, heard),)
    waiting = _waiting(here)
    if tool is None and waiting is not None:
        heard = _heard(waiting[0], here)
        if waiting[1].name in heard and not _missing(waiting[0], here, heard):
            return (_call(waiting[0], here, heard),)
    return ()


def _opener(prompt: Prompt, here: Situation, said: str) -> Tool | None:
    """The tool whose name, description and parameters fit best what was said, if one fits well enough."""
    up_to = intents(said) - {Intent.HUMAN, Intent.GOODBYE}
    if Intent.GIVE_UP in up_to and Intent.CANCEL not in up_to:
        return None
    fitting = [tool for tool in here.openers if _may_open(tool, up_to)]
    scored = [(_named(tool, prompt.tools, said), _score(tool, prompt.tools, here, said), tool) for tool in fitting]
    named, score, tool = max(scored, key=lambda one: one[1], default=(0.0, 0.0, None))
    if tool is None or score < ENOUGH or (here.open_task and named < ENOUGH):
        return None
    if is_open_question(said) and named / (2 * max(1, len(stems(said)))) < max(0.4, speech.fact(said, prompt)[1]):
        return None
    return tool


def _may_open(tool: Tool, up_to: frozenset[Intent]) -> bool:
    """A tool that cancels or changes is for callers who want that, and for nobody else."""
    own = described_intents(tool.name, "")
    described = own or described_intents(tool.name, tool.description)
    return up_to - {Intent.GIVE_UP} <= described and not (own - {Intent.GIVE_UP}) - up_to


def _named(tool: Tool, tools: Iterable[Tool], said: str) -> float:
    """How much of a tool's name and description was said; a word that all tools share counts half."""
    about = stems(said)
    others = [stems(one.name) for one in tools if one.name != tool.name]
    in_name = stems(tool.name) & about
    in_words = (stems(tool.description) & about) - in_name
    shared = {word for word in in_name | in_words if others and all(word in other for other in others)}
    return sum((1.0 if word in shared else 2.0) * (1.0 if word in in_name else 0.5) for word in in_name | in_words)


def _score(tool: Tool, tools: Iterable[Tool], here: Situation, said: str | None = None) -> float:
    """The words that were said of a tool, what its parameters were given, and whether its intent was voiced."""
    text = here.said if said is None else said
    heard = hear(tool, Utterance(text, "", here.today))
    about = stems(text)
    parameters = stems(" ".join(f"{one.name} {one.description}" for one in properties(tool))) & about
    voiced = described_intents(tool.name, tool.description) & intents(text)
    return _named(tool, tools, text) + len(heard) + 0.25 * len(parameters) + 2.0 * len(voiced)


def _heard(tool: Tool, here: Situation) -> dict[str, object]:
    """What the caller gave for a tool since the last call, the newest word last."""
    heard: dict[str, object] = {}
    waiting = _waiting(here)
    for text in here.history[:-1] if waiting is not None and waiting[0] is tool else ():
        heard.update(hear(tool, Utterance(text, "", here.today)))
    asked = waiting[1].name if waiting is not None and waiting[0] is tool else here.asked
    if all(one.name != asked for one in properties(tool)):
        asked = ""
    heard.update(hear(tool, Utterance(here.said, asked, here.today)))
    return heard


# Tools that insist on a parameter, as other people's do: it is asked for before the call is made.


def _missing(tool: Tool, here: Situation, heard: dict[str, object]) -> list[Property]:
    return [
        one
        for one in properties(tool)
        if one.required and one.name not in heard and not _is_run(one, here) and len(one.choices) != 1
    ]


def _question_for(wanted: Property) -> str:
    about = wanted.description.rstrip(".?! ") or wanted.name.replace("_", " ")
    return f"Could you tell me: {about}?"


def _waiting(here: Situation) -> tuple[Tool, Property] | None:
    """The tool and the parameter that we have just asked for ourselves."""
    for tool in here.openers:
        for one in properties(tool):
            if one.required and here.last_said.endswith(_question_for(one)):
                return tool, one
    return None


def _still_missing(here: Situation) -> str:
    """Our question for the first parameter that a tool insists on, when its tool is wanted."""
    waiting = _waiting(here)
    wanted = waiting[0] if waiting is not None else None
    if wanted is None:
        up_to = intents(here.said) - {Intent.HUMAN, Intent.GOODBYE}
        fitting = [tool for tool in here.openers if _may_open(tool, up_to) and Intent.GIVE_UP not in up_to]
        wanted = max(fitting, key=lambda one: _score(one, here.openers, here), default=None)
        if wanted is None or _score(wanted, here.openers, here) < ENOUGH:
            return ""
    elif is_question(here.said) or intents(here.said):
        return ""
    missing = _missing(wanted, here, _heard(wanted, here))
    return _question_for(missing[0]) if missing else ""


# ---- calls and words -------------------------------------------------------------------------------------------------


def _is_run(one: Property, here: Situation) -> bool:
    """Whether a parameter says which run of a task is meant: the model knows it from the task's own output."""
    return (bool(here.run) and here.run in one.choices) or (one.name == "task" and bool(one.choices))


def _call(tool: Tool, here: Situation, values: dict[str, object]) -> FunctionCall:
    given = dict(values)
    for one in properties(tool):
        if _is_run(one, here) and fits(here.run, one.schema):
            given[one.name] = here.run
        elif one.required and one.name not in given and len(one.choices) == 1 and one.type != "array":
            given[one.name] = one.choices[0]
    return FunctionCall(tool.name, json.dumps(given))


def _words_only(prompt: Prompt, here: Situation) -> str:
    """What to say when there is nothing to call."""
    up_to = _intents(here)
    back = speech.lead_back(here)
    if Intent.HUMAN in up_to:
        return speech.joined("I am sorry, I cannot put you through to anyone.", back)
    if Intent.GOODBYE in up_to:
        return "Thank you for calling. Goodbye."
    if up_to and not is_question(here.said):
        return back or (
            f"All right. {ANYTHING_ELSE}"
            if Intent.GIVE_UP in up_to
            else f"I am sorry, I cannot do that. {ANYTHING_ELSE}"
        )
    if is_question(here.said):
        told = (
            speech.who_i_am(here.said, prompt) or speech.fact(here.said, prompt)[0] or "I am sorry, I do not know that."
        )
        return speech.joined(told, back)
    if is_greeting(here.said):
        return f"Hello. {back or HOW_CAN_I_HELP}"
    if here.open_task or prompt.tools:
        said_yes = answer(here.said)
        if not here.open_task and said_yes is not None:
            return HOW_CAN_I_HELP if said_yes else "All right. Thank you for calling. Goodbye."
        return speech.joined(NOT_UNDERSTOOD, back or HOW_CAN_I_HELP)
    return _chat(prompt, here)


def _chat(prompt: Prompt, here: Situation) -> str:
    """A session without tools: repeat on request, tell what is known, else show that it was heard."""
    echo = re.match(
        r"\W*(?:please )?(?:say|repeat)(?: after me| exactly)?[:,]?\s+(.+)", here.said, re.IGNORECASE | re.DOTALL
    )
    if echo:
        return echo[1].strip(" \"'")
    told, covered = speech.fact(here.said, prompt)
    return told if covered >= 0.5 else f"You said: {here.said.strip()}"
