"""English: words, stems, questions and the caller's intents. Independent of any task.

May import: the standard library, lab.mind.spoken_words.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from lab.mind.spoken_words import plain

STOP = frozenset(
    re.findall(
        r"\S+",
        """
        a an the this that these those it its i i'd i'm i'll i've me my mine we us our you your yours he she they them
        their is are was were be been am do does did done have has had will would shall should can could may might must
        to of for in on at by with from as and or but if so not no yes please thank thanks well just also too then there
        here what when where who why how which want wants wanted like need needs needed get got let let's hello hi hey
        good some any one up out about into over than very really now caller callers user tool use used more
        give tell say says said asks ask set once already new
        """,
    )
)
# Synonyms that callers and authors of tool descriptions use.
_ALIKE = (
    "book make schedule arrange reserve fix",
    "appointment meeting visit consultation",
    "order buy purchase",
    "report submit register",
    "fault problem issue trouble broken defect",
    "price cost fee charge expensive",
    "phone telephone mobile",
    "address located location street",
    "open opening closed close closing",
    "check look find search show",
)
_SUFFIX = re.compile(r"(?<=[a-z]{3})(?:'s|ments?|ings?|ations?|ies|ied|ed|es|s|e|y)$")


def _cut(word: str) -> str:
    return _SUFFIX.sub("", _SUFFIX.sub("", word) if len(word) > 6 else word)


_SYNONYM = {_cut(word): _cut(group.split()[0]) for group in _ALIKE for word in group.split()}


def stem(word: str) -> str:
    """A word without its ending, replaced by the first of its synonyms."""
    cut = _cut(word)
    return _SYNONYM.get(cut, cut)


def words(text: str) -> list[str]:
    """The words of a text or a name_in_snake_case, in lower case, number words as digits."""
    return re.findall(r"[a-z0-9']+", plain(re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", text)))


def stems(text: str) -> frozenset[str]:
    """The stems of a text's words, without stop words."""
    about = re.sub(r"\bmake (?:it|that)\b", "", text, flags=re.IGNORECASE)  # introduces a correction
    return frozenset(stem(word) for word in words(about) if word not in STOP and not word.isdigit())


class Intent(Enum):
    """The caller's intents that do not depend on a task."""

    GIVE_UP = auto()
    CANCEL = auto()
    CHANGE = auto()
    HUMAN = auto()
    GOODBYE = auto()


_PERSON = (
    r"(?:human|people|persons?|agent|somebody|someone|operator|representative|colleague|staff|manager|employee|advisor)"
)
_SAID = {
    Intent.GIVE_UP: re.compile(
        r"\b(?:forget (?:it|about|that|the)|never ?mind|no longer|leave it|scrap (?:it|that)|changed my mind\W*$"
        r"|(?:not|no)\b.{0,20}\b(?:want|need|interested)\b.{0,60}\bany ?more\b"
        r"|let's (?:stop|leave)|stop (?:it|that|this)|^(?:please )?stop(?: please)?\W*$"
        r"|(?:do not|don't) (?:want|need) (?:to \w+ )?(?:an?|it|the|that|this)\b)"
        r"|n't (?:want|need)\b.{0,60}\bany ?more\b"
    ),
    Intent.CANCEL: re.compile(
        r"\b(?:cancel\w*|call (?:it|that|the \w+) off|call off|(?:delete|remove|drop) (?:my|the|our)"
        r"|(?:can't|cannot|can not) (?:make it to|come to|keep|make) (?:my|the|our))\b"
    ),
    Intent.CHANGE: re.compile(
        r"\b(?:re-?schedul\w*|postpon\w*|(?:move|change|shift|push|bring) (?:my|the|our|an?|it|that|this)\b)"
    ),
    Intent.HUMAN: re.compile(
        r"\b(?:(?:speak|talk|connect|transfer|put|get|give|want|need)\b(?: me)?(?: \w+){0,3}?"
        r" (?:an? |some |real |actual |live ){0,2}"
        r"(?:human|somebody|someone|operator|representative|colleague|staff|real person|manager|employee|advisor)"
        rf"|(?:speak|talk|connect|transfer|put)\b(?: \w+){{0,3}}? (?:to|with|through)\b(?: \w+){{0,2}}? {_PERSON}"
        r"|a (?:quick )?word with|human being|real person|put me through|transfer me|connect me)"
    ),
    Intent.GOODBYE: re.compile(r"\b(?:good ?bye|bye|see you|hang up|have a (?:nice|good) (?:day|one))\b"),
}
_DESCRIBED = {
    Intent.GIVE_UP: re.compile(r"\b(?:no longer|gives? up|forget|abandon\w*|abort\w*|any ?more|never ?mind)\b"),
    Intent.CANCEL: re.compile(r"\b(?:cancel\w*|call off|revoke|withdraw)\b"),
    Intent.CHANGE: re.compile(r"\b(?:re-?schedul\w*|postpon\w*|move|moves|change|changes|shift)\b"),
    Intent.HUMAN: re.compile(
        rf"\b(?:hand ?(?:s )?over|handover|escalat\w*|human|operator|colleague|transfers?|(?:speak|talk) (?:to"
        rf"|with) (?:an? )?{_PERSON})\b"
    ),
    Intent.GOODBYE: re.compile(r"\b(?:good ?bye|bye|hang ?up|end (?:the )?call|ends the call)\b"),
}
_DONE = re.compile(
    r"(?:\W|\b(?:ok|okay|great|perfect|fine|all right|no|nope|well|oh|many|very much|so much|a lot|for your help"
    r"|you too|thanks|thank you|that's all|that is all|that's it|that was all|nothing else)\b)+"
)
_REPEAT = re.compile(
    r"\b(?:repeat|say (?:that|it) again|once (?:more|again)|pardon|come again|what did you say|what (?:was"
    r"|were) .{1,30} again|(?:didn't|did not|couldn't) (?:hear|catch|get)"
    r")\b|^\W*(?:what|sorry|excuse me)\W*$"
)


def intents(text: str) -> frozenset[Intent]:
    """The intents in what the caller said."""
    said = plain(text)
    return frozenset(intent for intent, pattern in _SAID.items() if pattern.search(said))


def is_done(text: str) -> bool:
    """Whether it is only thanks or "that's all", which is a goodbye if no task is open."""
    said = plain(text)
    return _DONE.fullmatch(said) is not None and re.search(r"\b(?:thank|that|nothing)", said) is not None


def described_intents(name: str, description: str) -> frozenset[Intent]:
    """A tool's intents: by its name, else by the beginning of its description."""
    for text in (" ".join(words(name)), plain(re.split(r"[.;(]", description)[0]), plain(description)):
        found = frozenset(intent for intent, pattern in _DESCRIBED.items() if pattern.search(text))
        if found:
            return found
    return frozenset()


def asks_to_repeat(text: str) -> bool:
    """Whether the caller asks for a repetition."""
    return _REPEAT.search(plain(text)) is not None


_MOMENT = re.compile(
    r"(?:hold on|hang on|wait|(?:just |give me |only )?(?:a|one) (?:second|moment|minute|sec)"
    r"|let me (?:think|see|check|look)|bear with me)"
)
_BESIDE = (
    r"(?:\W|\b(?:um+|uh+|er|hm+|oh|ok|okay|well|please|sorry|yes|just|for|about it|about that|i have to think)\b)*"
)


def asks_for_a_moment(text: str) -> bool:
    """Whether it is only "hold on a second" or the like."""
    said = text.lower().replace("’", "'")
    return re.fullmatch(rf"{_BESIDE}(?:{_MOMENT.pattern}\b{_BESIDE})+", said) is not None


_LEAD = r"^(?:\W|\b(?:um+|uh+|oh|ah|er|well|and|but|ok|okay|so|hello|hi|i think|actually|sorry|wait|hold on)\b)*"
_NO = re.compile(
    _LEAD + r"(?:(?:no|nope|nah|wrong|incorrect|negative|never)\b"
    r"|(?:that's|that is|it's|it is|this is)? ?(?:not|wrong|incorrect)\b|(?:that|it|this) isn't"
    r"|(?:please )?(?:don't|do not)\b"
    r"|[\w ]{1,30}\b(?:is|are|was|were) (?:not right|not correct|wrong|incorrect)\b|i don't (?:think|want)"
    r"|i do not (?:think|want)|i'd rather not)"
)
_YES = re.compile(
    _LEAD + r"(?:(?:yes|yeah|yep|yup|yea|sure|correct|right|exactly|absolutely|definitely|certainly|indeed|agreed"
    r"|perfect|fine"
    r"|great|good|alright|all right|of course|please do|go ahead|sounds good|do it|do that|confirm(?:ed)?|i do"
    r"|i would|book it|i (?:think|guess|believe) so|(?:that )?sounds (?:good|great|fine|perfect))\b"
    r"|(?:that's|that is|that|it's|it is|this is|that would be) (?:right|correct|fine|good|great|perfect|ok|okay"
    r"|works|it|true)\b"
    r"|please\W*$)|^\W*(?:ok|okay)\b|[,.] (?:yes|yeah|please do)(?:,? please)?\W*$"
)


def answer(text: str) -> bool | None:
    """Yes, no, or neither."""
    said = plain(text)
    if _NO.search(said):
        return False
    return True if _YES.search(said) else None


_BY_THE_WAY = re.compile(
    r"^(?:\W|\b(?:before (?:that|we \w+|i \w+)|first(?: of all)?|1st|and|but|also|by the way|well|actually|sorry"
    r"|excuse me|ok|okay"
    r"|yes|yeah|no|hello|hi|just|so|um+|uh+|hm+|oh|(?:a |1 |1 more |quick |another |one |more )*question|please"
    r"|wait|hold on"
    r"|(?:can|could|would) you (?:please )?tell me|tell me|do you know|i(?:'d| would) like to know|i want to know"
    r"|i was wondering|i wonder)\b)*"
)
_OPEN = re.compile(
    r"(?!(?:what|how) about\b)(?:what|what's|when|when's|where|where's|who|who's|whose|why|how|how's|which)\b"
)
_CLOSED = re.compile(
    r"(?!do (?:it|that|this)\b)"
    r"(?:is|are|was|were|am|do|does|did|have|has|had|will|would|can|could|may|might|should|shall|must)"
    r" (?:i|you|we|they|he|she|it|there|the|this|that|your|my|our|an?|any|all)\b"
)


def is_open_question(text: str) -> bool:
    """Whether it is a question with what, when, where and the like."""
    return _OPEN.match(_BY_THE_WAY.sub("", plain(text))) is not None


def is_closed_question(text: str) -> bool:
    """Whether it is a yes-no question."""
    return _CLOSED.match(_BY_THE_WAY.sub("", plain(text))) is not None


def is_question(text: str) -> bool:
    """Whether it is any question, including requests ("could you book ...")."""
    return is_open_question(text) or is_closed_question(text)


def is_greeting(text: str) -> bool:
    """Whether it is only a greeting."""
    return re.fullmatch(r"(?:\W|hello|hi|hey|good|morning|afternoon|evening|there)+", plain(text)) is not None


def sentences(text: str) -> list[str]:
    """The sentences of a text; lines and list items are separate."""
    parts = re.split(r"(?<=[.!?])(?<![ap]\.m\.)(?<!\b[ap]\.)\s+(?=[A-Z\"'])|\s*\n+\s*[-*]?\s*", text)
    return [part.strip() for part in parts if part.strip()]
