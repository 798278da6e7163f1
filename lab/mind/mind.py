"""Decides what a speech model would say or call next.

Rules over what the caller said and the names, descriptions and schemas of the declared tools. Knows no task by name
and invents no value. Pure: no clock, no sockets, no state between two responses.
May import: the standard library, lab.mind.
"""

from __future__ import annotations

import re
from dataclasses import replace

from lab.mind import speech
from lab.mind.calling import call, heard_since, waiting
from lab.mind.in_task import in_task, is_digression, named_only
from lab.mind.language import (
    Intent,
    answer,
    asks_for_a_moment,
    asks_to_repeat,
    is_greeting,
    is_question,
)
from lab.mind.opening import by_intent, opening, score, still_missing, up_to, wants_human
from lab.mind.prompt import Called, FunctionCall, Prompt, Reply, UserSaid
from lab.mind.reasoning import decided
from lab.mind.runs import parsed
from lab.mind.situation import Situation, look

ANYTHING_ELSE = "Is there anything else I can do for you?"
HOW_CAN_I_HELP = "How can I help you?"
NOT_UNDERSTOOD = "Sorry, I did not get that."


def think(prompt: Prompt) -> Reply:
    """The next reply, with words, calls or both. Does not raise for any conversation or schema."""
    told = decided(prompt) or speech.dictated(prompt)
    if told:
        return Reply(told)
    here = look(prompt)
    if prompt.tool_choice == "none":
        return _speak(prompt, here)
    forced = [tool for tool in prompt.tools if tool.name == prompt.tool_choice]
    if forced:
        return Reply(calls=(call(forced[0], here, heard_since(forced[0], here)),))
    reply = _after_calls(prompt, here) if here.outputs or not here.said else _answer(prompt, here)
    if prompt.tool_choice == "required" and not reply.calls and prompt.tools:
        tool = max(prompt.tools, key=lambda one: score(one, prompt.tools, here))
        return Reply(calls=(call(tool, here, heard_since(tool, here)),))
    return reply


def _after_calls(prompt: Prompt, here: Situation) -> Reply:
    """Speak the outputs; if the caller spoke while the function ran, act on that instead."""
    spoken_over = _answer(prompt, here).calls if here.outputs and here.said else _mended(prompt, here)
    return Reply(calls=spoken_over) if spoken_over else _speak(prompt, here)


def _mended(prompt: Prompt, here: Situation) -> tuple[FunctionCall, ...]:
    """The call that a failed call's hint asks for, if the caller's last words give its values. Tried once."""
    hint = next((str(found["hint"]) for one in here.outputs if "hint" in (found := parsed(one))), "")
    at = max((index for index, item in enumerate(prompt.items) if isinstance(item, UserSaid)), default=-1)
    failed = [item for item in prompt.items[at + 1 :] if isinstance(item, Called)]
    if not hint or at < 0 or len(failed) != 1 or speech.results(here.outputs):
        return ()
    hinted = tuple(tool for tool in prompt.tools if tool.name in re.findall(r"\w+", hint))
    before = replace(prompt, tools=hinted, items=prompt.items[: at + 1])
    calls = _answer(before, look(before)).calls
    return () if [(one.name, one.arguments) for one in calls] == [(failed[0].name, failed[0].arguments)] else calls


def _speak(prompt: Prompt, here: Situation) -> Reply:
    """A reply without calls."""
    if here.outputs:
        return Reply(speech.results(here.outputs) or speech.joined(NOT_UNDERSTOOD, speech.lead_back(here)))
    if here.said:
        return Reply(_words_only(prompt, here))
    if here.pending:
        return Reply("One moment, please.")
    if here.last_said:
        return Reply(speech.joined("Are you still there?", speech.lead_back(here)))
    return Reply(f"Hello. {HOW_CAN_I_HELP}")


def _answer(prompt: Prompt, here: Situation) -> Reply:
    """The reply to what the caller said."""
    if asks_to_repeat(here.said) and (here.read_back or here.last_said):
        return Reply(here.read_back or here.last_said)
    if asks_for_a_moment(here.said):
        return Reply("Take your time.")
    calls = in_task(prompt, here) if here.open_task and waiting(here) is None else ()
    calls = calls or by_intent(here)
    if not calls and not (here.open_task and is_digression(prompt, here)):
        calls = opening(prompt, here)
    if calls:
        return Reply(calls=calls)
    missing = still_missing(here) if not here.open_task or wants_human(here) else ""
    return Reply(missing or _words_only(prompt, here))


# ---- words -----------------------------------------------------------------------------------------------------------


def _words_only(prompt: Prompt, here: Situation) -> str:
    """The words if there is nothing to call."""
    wanted = up_to(here)
    back = speech.lead_back(here)
    if Intent.HUMAN in wanted:
        return speech.joined("I am sorry, I cannot put you through to anyone.", back)
    if Intent.GOODBYE in wanted:
        return "Thank you for calling. Goodbye."
    if wanted and not is_question(here.said):
        return back or (
            f"All right. {ANYTHING_ELSE}"
            if Intent.GIVE_UP in wanted
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
        return _not_understood(here, back)
    return _chat(prompt, here)


def _not_understood(here: Situation, back: str) -> str:
    said_yes = answer(here.said)
    if not here.open_task and said_yes is not None:
        return HOW_CAN_I_HELP if said_yes else "All right. Thank you for calling. Goodbye."
    named = named_only(here)
    return f"What should the {named} be?" if named else speech.joined(NOT_UNDERSTOOD, back or HOW_CAN_I_HELP)


def _chat(prompt: Prompt, here: Situation) -> str:
    """The words in a session without tools: repeat on request, state a fact, else echo."""
    echo = re.match(
        r"\W*(?:please )?(?:say|repeat)(?: after me| exactly)?[:,]?\s+(.+)", here.said, re.IGNORECASE | re.DOTALL
    )
    if echo:
        return echo[1].strip(" \"'")
    told, covered = speech.fact(here.said, prompt)
    return told if covered >= 0.5 else f"You said: {here.said.strip()}"
