"""The words of replies: sentences given by instructions, outputs, facts and courtesies.

May import: the standard library, lab.mind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from lab.mind.calling import confirming
from lab.mind.language import sentences, stem, stems, words
from lab.mind.prompt import AssistantSaid, Prompt, SystemNote, UserSaid
from lab.mind.runs import parsed, say
from lab.mind.situation import Situation

LONGEST = 400  # characters of an output that was not written for speech

_DICTATED = re.compile(
    r"(?:\bgreet (?:the )?\w+ with|\bsay(?: exactly| only| this| the following)*(?: (?:to|and) [\w ]{1,30})?"
    r"(?:,? word for word)?|\bread out)\s*:\s*(?P<rest>.+)",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"\b(?:say|saying|greet|greeting|speak|tell|telling|read)\b[^.\"“\n]*[\"“](?P<rest>[^\"”]+ [^\"”]+)[\"”]"
)
_TELL = re.compile(
    r"\b(?:tell|inform|let) the (?:caller|user|customer)(?: know)?,?(?: that)? (?P<rest>[^.\n]+)", re.IGNORECASE
)
_APOLOGY = re.compile(r"\bapologi[sz]e\b", re.IGNORECASE)


def dictated(prompt: Prompt) -> str:
    """The sentence that the response's instructions demand, or ""."""
    own = prompt.response_instructions or ""
    if prompt.instructions and own.startswith(prompt.instructions):
        own = own[len(prompt.instructions) :]
    newest = next((item for item in reversed(prompt.items) if not isinstance(item, AssistantSaid)), None)
    if not own and prompt.items and prompt.items[-1] is newest and isinstance(newest, SystemNote | UserSaid):
        match = _last(_DICTATED, newest.text) if isinstance(newest, SystemNote) else _greeting_in(newest.text)
        return _unquoted(match["rest"]) if match else ""
    match = _last(_DICTATED, own) or _last(_QUOTED, own)
    if match:
        return _unquoted(match["rest"])
    match = _last(_TELL, own) if len(own) < LONGEST else None  # in a longer text it is one general rule among others
    if match:
        return _from_the_model(match["rest"])
    return "I am sorry about that." if _APOLOGY.search(own) else ""


def _greeting_in(text: str) -> re.Match[str] | None:
    return re.search(r"^\W*(?:greet (?:the )?\w+ with|say exactly)\s*:\s*(?P<rest>.+)", text, re.IGNORECASE)


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return found[-1] if found else None


def _unquoted(sentence: str) -> str:
    sentence = sentence.strip()
    try:
        return str(json.loads(sentence)).strip() if sentence.startswith('"') else _without_quotes(sentence)
    except ValueError:
        return _without_quotes(sentence)


def _without_quotes(sentence: str) -> str:
    quoted = re.match(r"[\"“']([^\"”]+)[\"”'](?:[.\s]|$)", sentence)
    return (quoted[1] if quoted else sentence.strip('"“”')).strip()


_PERSONS = {"you are": "I am", "you're": "I am", "you": "I", "your": "my", "they": "you", "their": "your"}


def _from_the_model(told: str) -> str:
    """An instruction in the first person: "you are looking it up" becomes "I am looking it up"."""
    pattern = r"\b(" + "|".join(_PERSONS) + r")\b"
    turned = re.sub(pattern, lambda match: _PERSONS[match[0].lower()], told.strip(), flags=re.IGNORECASE)
    return turned[:1].upper() + turned[1:] + "."


def results(outputs: tuple[str, ...]) -> str:
    """The outputs of function calls as sentences, without repetitions; "" if there are only hints for the model."""
    spoken = [one for one in dict.fromkeys(_result(output) for output in outputs) if one]
    failed = any("hint" in parsed(output) for output in outputs)
    return " ".join(spoken) or ("" if failed else "All right.")


def _result(output: str) -> str:
    found = parsed(output)
    if not found:
        text = output.strip()
        return "" if text in ("", "{}", "null", '""') else text.strip('"')[:LONGEST]
    if "say" in found:
        after = found.get("next")  # the sentence with which an earlier task goes on
        return joined(say(found), after if isinstance(after, str) else "")
    if "hint" in found:
        return ""  # a hint for the model, not for the caller
    if isinstance(found.get("error"), str) and re.fullmatch(r"[a-z_]+", str(found["error"])):
        return "I am sorry, that did not work."
    for key in ("message", "error", "result", "answer", "text", "summary", "status"):
        value = found.get(key)
        if isinstance(value, Mapping):
            return _result_of(value)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()[:LONGEST]
    return _result_of(found)


def _result_of(found: Mapping[str, object]) -> str:
    """Names and values as a list."""
    plain = [
        (str(name).replace("_", " "), value) for name, value in found.items() if isinstance(value, str | int | float)
    ]
    listed = ", ".join(
        f"{name} {'yes' if value is True else 'no' if value is False else value}" for name, value in plain
    )
    return f"{listed[:1].upper()}{listed[1:]}."[:LONGEST] if listed else "All right."


# ---- facts -----------------------------------------------------------------------------------------------------------

_TO_THE_MODEL = re.compile(
    r"^(?:you\b(?! (?:can|may|will|need|find)\b)|never\b|always\b|do not\b|don't\b|if\b|when (?:the|a) caller"
    r"|use\b|ask\b|say\b|speak\b|keep\b|be\b|greet\b|call\b"
    r"|offer\b|answer\b|act\b|confirm\b|help\b)|\b(?:the|a) (?:caller|user|customer)\b|\w_\w|\btools?\b",
    re.IGNORECASE,
)
_ASKS_FOR = {  # words to expect in the answer, by word of the question
    "where": "address street located at",
    "when": "open time from until day",
    "much": "price euros dollars",
    "pay": "card cash",
    "hours": "open",
    "number": "phone",
    "time": "today",
}


def fact(question: str, prompt: Prompt) -> tuple[str, float]:
    """The sentences of the instructions that best answer a question, and the share of it they cover, 0 to 1."""
    asked = stems(question)
    hinted = {stem(word) for asks, hint in _ASKS_FOR.items() if asks in words(question) for word in hint.split()}
    wanted = asked | hinted
    own = prompt.response_instructions
    text = prompt.instructions if own is None or prompt.instructions in own else f"{prompt.instructions}\n{own}"
    told = [one for one in sentences(text) if not _TO_THE_MODEL.search(one)]
    scored = [(_overlap(one, asked, hinted), one) for one in told]
    best = max((score for score, _ in scored), default=0.0)
    if best <= 0 or not wanted:
        return "", 0.0
    return " ".join(one for score, one in scored if score >= best * 0.99)[:LONGEST], min(1.0, best / max(1, len(asked)))


def _overlap(sentence: str, asked: frozenset[str], hinted: set[str]) -> float:
    own = stems(sentence) | {stem(word) for word in words(sentence) if stem(word) in hinted}
    return len(own & asked) + 0.6 * bool(own & hinted)


def who_i_am(question: str, prompt: Prompt) -> str:
    """The instructions' "You are the receptionist of ..." as an answer to "who are you?", or ""."""
    if not re.search(r"\bwho(?:'s| is| are| am) (?:you|this|i (?:speaking|talking))\b", question, re.IGNORECASE):
        return ""
    persona = next((one for one in sentences(prompt.instructions) if re.match(r"you are\b", one, re.IGNORECASE)), "")
    return _from_the_model(persona.rstrip(".")) if persona else ""


def lead_back(here: Situation) -> str:
    """The open task's question, or ""; a read-back as a whole, for the caller must know what a yes is to."""
    if not here.open_task:
        return ""
    return here.read_back if confirming(here) is not None else here.question


def joined(*parts: str) -> str:
    """Join the sentences that are not empty."""
    return " ".join(part.strip() for part in parts if part.strip())
