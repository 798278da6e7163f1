"""The closed vocabulary of consent in English: how a task's sentence is paraphrased, and how a caller agrees to it.

Any other word makes the words something else: what may be meant by it cannot be listed. `said` and `own` (the task's
own sentence) are the words that are left of a text without its values: lower case, "it is" for "it's", `#` for a
value, `?` for itself.
May import: fsm, the standard library.
"""

from __future__ import annotations

import re

from fsm.phrases import consists_of, row_of

# What speech recognisers write for breath, hums and noise; without the hums that agree ("mhm", "uh huh").
_HUMS = frozenset({
    "uh", "um", "er", "erm", "hm", "hmm", "hmmm", "mm", "mmm", "ah", "aah", "oh", "ooh", "eh", "huh", "ha", "haha",
    "cough", "coughs", "coughing", "sigh", "sighs", "noise", "silence", "music", "blank", "audio", "inaudible",
    "breathing", "laughter", "laughs", "applause", "clears", "throat", "achoo", "ahem", "sneeze", "sneezes", "sniff",
    "sniffs", "yawns", "ugh", "phew", "tsk", "static", "beep", "unintelligible", "crosstalk"
})  # fmt: skip
# What they write for words that they did not understand: beside a yes these may be "but at eleven".
_NOT_UNDERSTOOD = re.compile(r"\b(?:inaudible|unintelligible|crosstalk)\b")
# Who ends with one of these has not finished.
_GOES_ON = (" uh", " um", " er", " erm")
_AGREEING_HUM = re.compile(r"\b(?:uh huh|mm hm+|m hm+|mmhmm+)\b")

# The verbs of an act. Where the act undoes or changes something, a read-back must name it: "is that right?" alone may
# be answered for the appointment as it stands.
_MAKES = ("book", "reserve", "schedule", "arrange", "booking")
_UNDOES = ("cancel", "delete", "remove", "cancelling", "canceling")
_CHANGES = ("move", "reschedule", "moving", "rescheduling")
_ACTS = (_MAKES, _UNDOES, _CHANGES)
# These take nothing from anybody: as with an appointment that is made, to praise what is offered is a yes. The last
# ones are no acts.
_HARMLESS = (
    "call", "ring", "phone", "text", "email", "note", "tell",
    "have", "am", "will", "would", "can", "got", "heard", "understand", "understood", "see", "noted", "wrote", "found",
)  # fmt: skip
_PLAIN = frozenset({*_MAKES, *_HARMLESS, *(f"{verb}ing" for verb in _HARMLESS)})
# Said of words rather than of an appointment ("delete that"): no yes, unless asked so.
_OF_WORDS = frozenset({"delete", "remove"})


def _verbs(own: str) -> tuple[str, ...]:
    """The verbs of what the task offers to do, in all wordings that mean the same."""
    named = re.findall(r"\bi (?:(?:will|am|would|can) )?(\w+)", own)
    return tuple(dict.fromkeys(verb for each in named for verb in _alike(each)))


def _alike(verb: str) -> tuple[str, ...]:
    return next((group for group in _ACTS if verb in group), (verb, f"{verb}ing"))


def _must_name(own: str) -> bool:
    """Whether it undoes or changes something, or does what nobody here knows: ends a contract, pays money."""
    return any(verb not in _PLAIN for verb in _verbs(own))


def _may_praise(own: str) -> bool:
    return not _must_name(own) or any(verb in _CHANGES for verb in _verbs(own))


# --- what the bot reads back ---

_FINE = r"(?:all )?(?:right|correct|okay|ok|alright|fine|good|great|perfect)"
_IT = r"(?:it|that|this)"
_ASKS_IF_RIGHT = (
    rf"is (?:that|this|it|everything) {_FINE}(?: (?:for|with|by) you)?",
    rf"does {_IT} (?:work|suit|sound (?:right|good|okay|ok|correct|fine))(?: (?:for )?you)?",
    rf"how (?:does {_IT} sound|is {_IT})(?: (?:for|to) you)?",
    rf"do you (?:agree|confirm)(?: (?:to )?{_IT})?",
    rf"(?:can|could|would|will) you (?:please )?confirm(?: {_IT})?(?: for me)?",
    rf"please confirm(?: {_IT})?",
    rf"(?:would you like|do you want) {_IT}",
)
# Of an appointment that stands already: no read-back of one that is to be made.
_STANDING = (
    r"(?:your|the|an) appointment (?:is|was) (?:booked|scheduled|reserved|set)(?= (?:for|on|at)\b)",
    r"you have(?: got)?|(?:i|we) (?:have )?found",
)
_PLAINLY = re.compile(rf"\b(?:{'|'.join(_ASKS_IF_RIGHT)})\b|\b(?:right|correct|ok|okay|alright)(?: \?)*$|\?")


def _paraphrases(own: str) -> list[str]:
    """The phrases of a read-back: the own sentence's, and those of any that mean the same."""
    act = (
        rf"(?:please |just |now )*(?:go ahead and )?(?:{'|'.join(map(re.escape, _verbs(own))) or 'do'})"
        rf"(?: (?:(?:the|your|an|that|this) appointment|{_IT}|you))?(?: in)?(?: for you)?(?: now| then)?"
    )
    do = rf"(?:{act}|go ahead|proceed|do (?:{_IT}|so))"
    chunks = (chunk.strip() for chunk in re.split("[#?]", own))
    return [
        r"\?",
        r"(?:(?:for|on|at|in|the|of|from|to|under|and|is|name|day|date|time|mr|mrs|ms) )*#",
        *(re.escape(chunk) for chunk in sorted(chunks, key=len, reverse=True) if chunk),
        *_ASKS_IF_RIGHT,
        rf"(?:shall|should|can|could) (?:i|we) {do}",
        rf"(?:would you like|you would like|(?:do )?you want)(?: (?:me|us))? to {do}",
        rf"(?:(?:i|we) (?:(?:will|would|am|are|can) )?)?{act}",
        r"(?:would you like|you would like|(?:do )?you want)(?: to have)?(?= (?:#|an appointment|the appointment))",
        rf"let me (?:just )?(?:confirm|check|repeat|read)(?: {_IT})?(?: back)?(?: (?:to|for|with) you)?",
        rf"(?:just )?to (?:confirm|check|repeat|be sure)(?: {_IT})?",
        r"(?:i|we) have(?: got)?(?: you)?(?: down)?",
        rf"{_IT} (?:is|would be|will be)",
        *(_STANDING if _must_name(own) else ()),
        r"(?:your|the|an) appointment(?: is| would be| will be)?",
        r"for you",
        r"(?:i am )?sorry|pardon|take your time|1 moment",
        r"i (?:did not|didn't) (?:catch|hear|get|understand) (?:that|you)",
        r"please (?:just )?(?:answer|say)(?: with)? yes(?: or no)?(?: and)?|yes or no",
        r"thank you|very good|got it|of course|all right",
        r"so|okay|ok|alright|right|correct|great|perfect|good|lovely|wonderful|excellent|fine|thanks|then|just|now"
        r"|please|well|certainly",
    ]  # fmt: skip


def _directions(words: str) -> list[str]:
    """ "From" and "to" before a value, in order."""
    return re.findall(r"\b(from|to) (?:(?:on|at|the) )*#", words)


def reads_back(said: str, own: str, *, after_others: bool) -> bool:
    """Whether words are a read-back of what `own` offers: nothing but that, and they name the act or ask plainly.

    after_others: they follow words that are no read-back, so a mere "is that right?" may be about those.
    """
    if not consists_of(said, _paraphrases(own)):
        return False
    ways, way = _directions(own), _directions(said)
    if way != ways and (not way or way != ways[-len(way) :]):  # to Friday, not from Friday
        return False
    verbs = _verbs(own)
    if any(verb in said.split() for verb in verbs):
        return True
    return not _must_name(own) and not after_others and _PLAINLY.search(said) is not None


# --- what the caller answers ---

_NICE = (
    r"(?:(?:all|very|quite|just|absolutely|perfectly|really|exactly) )*"
    r"(?:right|correct|fine|good|perfect|great|okay|ok|lovely|wonderful|excellent|brilliant|alright|ideal|nice)"
)
_YES = (
    r"yes|yeah|yep|yup|yea|yah|ya|yeh|aye|mhm|sure thing|sure why not|sure|for sure|okay|ok|okey|alright|all right"
    r"|all good|right|correct|exactly|absolutely|definitely|certainly|of course|indeed|affirmative|agreed|confirmed"
    r"|by all means|perfect|great|good|fine|lovely|wonderful|excellent|brilliant|super|fantastic|very good|very well"
    r"|spot on|please"
)
_FOR_ME = r"(?: (?:for|with|by|to) (?:me|us))?"
_AGREEING = (
    rf"(?:that|this|everything|all) is (?!all right\b|(?:\w+ )?(?:okay|ok|alright)\b){_NICE}{_FOR_ME}",
    rf"(?:(?:{_IT}|everything|all) )?(?:would be|will be|sounds) {_NICE}{_FOR_ME}",
    r"sounds like a plan|i am (?:fine|good|happy|okay|ok) with (?:that|it|this)",
    r"(?:that|it|this) (?:will|would) do(?: nicely| fine)?",
    r"(?:fine|good|great|perfect|okay|ok) (?:by|with|for) (?:me|us)",
    r"go (?:right )?ahead(?: with (?:that|it))?|go for it|(?:please )?(?:just )?do (?:it|that|this|so)|please do",
    r"let is do (?:it|that|this)|let is go (?:with|for) (?:it|that|this)",
    r"i would (?:like|love) that|i would love to|i want (?:it|that)|that is the 1|you (?:have )?got it|deal|confirm",
    r"i (?:agree|confirm|accept)(?: (?:to |with )?(?:it|that|this))?",
    r"(?:like )?(?:i|we) (?:already |have |just )*said yes",
    _YES,
)  # fmt: skip
# These praise an appointment: a yes where it is to be made, the contrary where it is to be cancelled.
_PRAISING = (
    rf"(?<=# )is {_NICE}{_FOR_ME}|(?:{_IT}|everything|all) looks {_NICE}",
    rf"(?:that|this|the) (?:time|day|date|slot) is {_NICE}{_FOR_ME}",
    rf"(?:(?:{_IT}|(?:that|this|the) (?:time|day|date|slot)) )?(?:works|suits)"
    rf"(?: (?:me|us))?(?: {_NICE}| well)?(?: for (?:me|us))?",
    r"(?:that|it|this) (?:will|would) (?:work|suit me)(?: (?:nicely|fine|for (?:me|us)))?",
    r"(?:i|we) (?:will take|can (?:make|do)) (?:it|that|this)(?: 1)?",
)
_POLITE = (
    r"(?:thank you|thanks|many thanks|cheers)(?: (?:so|very))?(?: much| kindly| indeed| a lot)?"
    r"(?: for (?:your|the|all your|all the) (?:help|time|patience))?",
    r"that is (?:all(?! right)|everything|very kind(?: of you)?|kind of you)|i am sure|for (?:me|us)",
    r"no problem|not a problem|no worries",
    r"good (?:morning|afternoon|evening)(?: to you)?|sir|madam|ma'am|very much|then|kindly",
    r"(?:the|my|an|that|this) appointment",
    r"(?:and )?(?:good ?bye|bye bye|bye)",
    r"and (?:(?:then|please|could you|can you) )*(?:put me through|connect me|transfer me|hand me over)"
    r"(?: to (?:(?:a|an|the|your|my|some|real) )*(?:human(?: being)?|person|colleague|someone|somebody|agent|operator"
    r"|reception|receptionist|desk|front desk|doctor|practice|representative))?",
    r"(?:well|so|and|sorry)(?= (?:yes|yeah|yep|yup|okay|ok|sure|correct|perfect|thank|thanks|please|that|go|right)\b)",
    r"(?:(?:for|on|at|in|the|of|from|to|under|with|this|name|my name is) )*#",
)
# Who says so comes: no goodbye to an appointment that is to be cancelled.
_COMING = r"see you(?: (?:then|there|soon|later))?(?: (?:on|at|the) #| #)*"
# These agree only beside a yes: "that's okay, thanks" declines, "I would" goes on.
_BESIDE_A_YES = (
    rf"(?:that|it|this) is (?:{_NICE}{_FOR_ME}|what i (?:said|want|wanted|meant|asked for))|i do|i would"
    r"|(?:it|that) is(?: it)?|you (?:can|may)|(?:as|like) i said|for the \w+ time|that 1"
)
# What speech recognition makes of a yes said quickly: "yes, a pleaser for that". Words that cannot say anything else.
_SLURRED = r"pleas\w{0,2}|that|this|it|do|me|us|(?:a|an|the|for|to|of|with|so)(?= \w)"
_OUTRIGHT_YES = re.compile(r"\b(?:yes|yeah|yep|yup)\b")
_BARE = re.compile(r"(?:(?:um|uh|er|erm) )*(?:yes|yeah|yep|yup|ok|okay|sure|mhm)(?: please)?(?: \?)+")
_FAREWELL = re.compile(r"bye\b|\bsee you\b")
_OUTRIGHT = re.compile(r"\b(?:yes|yeah|yep|yup|please|correct|exactly)\b")


def _agreeing(own: str | None) -> list[tuple[str, ...]]:
    """The phrases that agree; to "Shall I cancel it?", "cancel it" is one."""
    if own is None:
        return [_AGREEING]
    phrases: list[tuple[str, ...]] = [_PRAISING, _AGREEING] if _may_praise(own) else [_AGREEING]
    asked = own.split()
    meant = [verb for verb in _verbs(own) if not verb.endswith("ing") and (verb not in _OF_WORDS or verb in asked)]
    if not meant:
        return phrases
    verbs = "|".join(map(re.escape, meant))
    what = r"(?:(?:the|my|an|that|this) appointment|it|that|this|me|us|#)"
    # "I want to move it" may be another wish than the one that was read back.
    wish = "" if any(verb in _CHANGES for verb in meant) else r"(?:i would like|i want)(?: you)? to |"
    lead = rf"(?:{wish}you (?:can|may) |go ahead and |let (?:us|is) |please |just )*"
    return [(rf"{lead}(?:{verbs})(?: {what})?(?: in)?(?: for (?:me|us))?(?: now| then)?",), *phrases]


def heard_words(text: str) -> str:
    """The words without hums and noise; a hum that agrees is "mhm"."""
    return " ".join(word for word in _AGREEING_HUM.sub("mhm", text).split() if word not in _HUMS)


def agrees(said: str, own: str | None) -> bool:
    """Whether a caller's words are a yes, and nothing else, to what `own` offers. own: None if that is not known."""
    if "?" in said:
        return _BARE.fullmatch(said) is not None  # a voice that rises
    if _NOT_UNDERSTOOD.search(said) or (said.endswith(_GOES_ON) and _AGREEING_HUM.search(said) is None):
        return False
    said = heard_words(said)
    # "Okay, bye" leaves; "Thursday, fine" may be what is not to be cancelled.
    doubtful = _FAREWELL.search(said) is not None or ("#" in said and (own is None or not _may_praise(own)))
    if doubtful and not _OUTRIGHT.search(said):
        return False
    beside = f"{_BESIDE_A_YES}|{_SLURRED}" if _OUTRIGHT_YES.search(said) else _BESIDE_A_YES
    polite = _POLITE if own is None or _must_name(own) else (*_POLITE, _COMING)
    return row_of(said, polite, _agreeing(own), (beside,))


_NO = re.compile(r"\b(?:no|nope|nah|not|never|none|nothing|nobody|neither|nor|cannot|negative|[a-z]+n't)\b")


def declines(said: str) -> bool:
    """Whether there is a no among a caller's words."""
    return _NO.search(said) is not None


# These change nothing about what was read back: the question that follows them is still about that.
_UNDECIDED = (
    r"(?:i )?(?:do not|don't) know(?: yet)?",
    r"(?:i am )?not (?:(?:so|really|quite|very|too|entirely) )?sure(?: yet| about (?:it|that))?",
    r"maybe|perhaps|possibly|i guess",
    r"(?:let me|i (?:have|need) to) (?:think|see)(?: about (?:it|that))?",
    r"(?:just )?(?:a|1) (?:moment|second|minute|sec)(?: please)?|hold on|wait|good question|well|so|sorry|please",
)


def hesitates(said: str) -> bool:
    """Whether a caller's words decide nothing and ask for nothing."""
    said = heard_words(said)
    return bool(said) and consists_of(said, _UNDECIDED)
