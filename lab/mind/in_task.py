"""Calls inside an open task: an answer, a correction, a yes or a no, or cancelling it.

May import: the standard library, lab.mind.
"""

from __future__ import annotations

import re

from lab.mind import speech
from lab.mind.calling import call, confirming, is_yes_or_no, own_properties
from lab.mind.language import (
    Intent,
    answer,
    described_intents,
    intents,
    is_closed_question,
    is_open_question,
    is_question,
    stem,
    stems,
    words,
)
from lab.mind.opening import opener, wants_human
from lab.mind.prompt import FunctionCall, Prompt, Tool
from lab.mind.schema import properties
from lab.mind.situation import Situation
from lab.mind.spoken_time import without_dates_and_times
from lab.mind.values import Utterance, hear

_INSTEAD = re.compile(r"\b(?:make (?:it|that)|let's (?:do|say|take)|rather|instead)\b", re.IGNORECASE)
_WISH = re.compile(
    r"\b(?:i(?:'d| would)? (?:also |still )?(?:like|want|need)|(?:can|could) (?:i|you|we)|please)\b", re.IGNORECASE
)
# Inside a task that cancels something these mean that it is to stay, so the task is given up.
_KEEP = re.compile(r"\b(?:(?:don't|do not|not) cancel|(?:keep|leave) (?:it|that|my|the))\b", re.IGNORECASE)
_CALLED_BACK = re.compile(r"\b(?:actually|no|wait|stop|oh)\b.*\bcancel (?:that|this|it)\W*$", re.IGNORECASE)
# Said of what is to be cancelled or changed, these mean what stands already, and not what is being booked.
_STANDING = re.compile(r"\b(?:first|(?:old|other) (?:one|appointment)|(?:that|which|the one) i have)\b", re.IGNORECASE)
_OF_OTHERS = Intent.CANCEL, Intent.CHANGE


def in_task(prompt: Prompt, here: Situation) -> tuple[FunctionCall, ...]:
    """A call of one of the open task's tools; empty if the utterance is not about the task."""
    up_to = intents(here.said)
    said_yes = answer(here.said)
    own = described_intents(here.open_task, "")
    if (wants_human(here) and Intent.HUMAN not in own and not said_yes) or (
        Intent.GOODBYE in up_to and said_yes is None
    ):
        return ()
    if _is_about_another(prompt, here, up_to):
        return ()
    given = None if is_digression(prompt, here) else _given(here)
    leaving = _leaving(up_to, here, said_yes)
    if leaving is not None and not (given and _INSTEAD.search(here.said)):
        return (call(leaving, here, {}),)
    if _asks_for_another_task(prompt, here):
        return ()
    if given:
        return (call(given[0], here, given[1]),)
    return _yes_or_no(here, True if said_yes is None and own & up_to & {*_OF_OTHERS} else said_yes)


def _yes_or_no(here: Situation, said_yes: bool | None) -> tuple[FunctionCall, ...]:
    """The answer to a read-back. "Cancel it" is a yes in a task that cancels."""
    confirm = confirming(here)
    others = [one.name for tool in here.state_tools if tool is not confirm for one in properties(tool)]
    if confirm is None or said_yes is None or _asked(here) in others or is_open_question(here.said):
        return ()
    wanted = next(one for one in properties(confirm) if one.kind == "boolean")
    return (call(confirm, here, {wanted.name: said_yes}),)


def is_digression(prompt: Prompt, here: Situation) -> bool:
    """Whether the caller asks a question that is not about the value asked for."""
    if not is_question(here.said):
        return False
    covered = speech.fact(without_dates_and_times(here.said, here.today), prompt)[1]
    return is_open_question(here.said) or covered >= 0.5


def named_only(here: Situation) -> str:
    """The word by which the caller named a parameter without giving a value: "the time"; "" otherwise."""
    about = stems(here.said)
    for tool in here.state_tools:
        for one in properties(tool):
            if about and about <= stems(f"{one.name} {one.description}") and one.kind not in ("choice", "boolean"):
                return next(word for word in words(here.said) if stem(word) in about)
    return ""


# ---- cancelling ------------------------------------------------------------------------------------------------------


def _leaving(up_to: frozenset[Intent], here: Situation, said_yes: bool | None) -> Tool | None:
    """The task's cancel tool, if the caller gives up. "Cancel it" gives up any task but one that cancels."""
    gives_up = Intent.GIVE_UP in up_to
    if Intent.CANCEL not in described_intents(here.open_task, ""):
        gives_up = gives_up or Intent.CANCEL in up_to
    elif confirming(here) is None:
        gives_up = (
            gives_up or re.search(rf"{_KEEP.pattern}|\bcancel (?:that|this)\W*$", here.said, re.IGNORECASE) is not None
        )
    elif said_yes is not False:
        gives_up = (
            gives_up or re.search(rf"{_KEEP.pattern}|{_CALLED_BACK.pattern}", here.said, re.IGNORECASE) is not None
        )
    out = _way_out(here)
    return out if gives_up else None


def _way_out(here: Situation) -> Tool | None:
    """The task's cancel tool: found by its name without the task's, else by its description."""
    leaves = {Intent.CANCEL, Intent.GIVE_UP}
    by_name = (tool for tool in here.state_tools if described_intents(_own_name(tool, here), "") & leaves)
    told = (tool for tool in here.state_tools if described_intents("", tool.description) & leaves)
    return next(by_name, None) or next(told, None)


def _own_name(tool: Tool, here: Situation) -> str:
    return tool.name.removeprefix(here.open_task)


def _is_about_another(prompt: Prompt, here: Situation, up_to: frozenset[Intent]) -> bool:
    """Whether the caller wants something else cancelled or changed.

    "Cancel my appointment" while a pizza is ordered, or while the appointment is being moved; but while one is being
    booked, it means that one, unless it is to be cancelled "first".
    """
    other = opener(prompt, here, here.said) if up_to & {*_OF_OTHERS} and Intent.GIVE_UP not in up_to else None
    if other is None or not described_intents(other.name, "") & up_to & {*_OF_OTHERS}:
        return False
    things = {word for word in stems(other.name) & stems(here.said) if not described_intents(word, "")}
    about_booked = described_intents(here.open_task, "") & {*_OF_OTHERS} or _STANDING.search(here.said)
    return bool(things - stems(here.open_task)) or (bool(things) and bool(about_booked))


def _asks_for_another_task(prompt: Prompt, here: Situation) -> bool:
    """Whether the caller asks for another task in words that do not belong to the open one."""
    other = opener(prompt, here, here.said) if _WISH.search(here.said) else None
    if other is None:
        return False
    both = stems(here.open_task) | stems(here.read_back)
    return len(stems(other.name) & stems(here.said) - both) > 0


# ---- answers ---------------------------------------------------------------------------------------------------------


def _given(here: Situation) -> tuple[Tool, dict[str, object]] | None:
    """The state tool that takes the most values, and those values, less the ones just read back."""
    best: tuple[Tool, dict[str, object]] | None = None
    for tool in here.state_tools:
        if is_yes_or_no(tool, here):
            continue
        asked = _asked_of(tool, here)
        heard = hear(tool, Utterance(here.said, asked, here.today, here.question))
        known = {} if asked else hear(tool, Utterance(here.read_back, "", here.today))
        new = {name: value for name, value in heard.items() if known.get(name) != value}
        if new and (best is None or len(new) > len(best[1])):
            best = tool, new
    return best


def _asked_of(tool: Tool, here: Situation) -> str:
    """The tool's parameter that the caller was asked for, or ""."""
    if _is_choice(tool, here):
        return own_properties(tool, here)[0].name
    if any(_is_choice(other, here) for other in here.state_tools):
        return ""  # the caller was asked to choose, not for a missing value
    asked = _asked(here)
    return asked if any(one.name == asked for one in properties(tool)) else ""


def _asked(here: Situation) -> str:
    """The parameter the caller was asked for; "" if a yes or no to a read-back is expected."""
    wanted = next((one for tool in here.state_tools for one in properties(tool) if one.name == here.asked), None)
    if wanted is not None and wanted.kind != "boolean" and confirming(here) and is_closed_question(here.question):
        return ""
    return here.asked


def _is_choice(tool: Tool, here: Situation) -> bool:
    """Whether a tool's only parameter is a required choice."""
    return [(one.kind, one.required) for one in own_properties(tool, here)] == [("choice", True)]
