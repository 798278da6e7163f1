"""English statements that something has been done: "it is booked", "I have cancelled it", "you're all set".

A question, a condition ("once it is booked"), a denial and a restatement ("you said it was booked") state nothing. What
is not recognised is not a statement: a truthful one must not be corrected.
May import: fsm.claims, fsm.statements, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fsm.claims import ANY_DEED, Claim, Deed
from fsm.statements import StatementWords, first_end, near, stated

_DEEDS: dict[str, frozenset[Deed]] = {
    **dict.fromkeys(("booked", "reserved", "scheduled"), frozenset({Deed.BOOKED})),
    **dict.fromkeys(("cancelled", "canceled", "deleted", "removed"), frozenset({Deed.CANCELLED})),
    **dict.fromkeys(("moved", "rescheduled", "changed", "postponed", "shifted"), frozenset({Deed.MOVED})),
    **dict.fromkeys(
        (
            "confirmed", "arranged", "completed", "complete", "done", "all set", "taken care of", "sorted", "settled",
            "finalised", "finalized", "good to go",
        ),
        ANY_DEED,
    ),
    **dict.fromkeys(
        ("made", "set up", "put in", "fixed", "secured", "locked in", "in place"), frozenset({Deed.BOOKED})
    ),
}  # fmt: skip
# With these verbs alone the speaker needs no object: "I have booked you in".
_PARTICIPLE = "|".join(sorted(_DEEDS, key=len, reverse=True))
_ADVERB = "now|all|just|successfully|officially|also|indeed|then|safely|duly|both|already"
_ADVERBS = rf"(?:(?:{_ADVERB}|been) )*"
_NOUN = r"(?:appointment|booking|reservation|visit|cancellation|change|order|meeting|check up|checkup)s?"
_PRONOUN = r"(?:it|that|this|everything|you|they|both)"
# The subject of a passive, directly before its verb or with its values between: "your appointment on friday is booked".
# Verb and subject are searched for separately: one pattern for both would try every verb for every subject.
_SUBJECT = re.compile(
    rf"\b(?:your|the|an?|both|new) (?:[a-z]+ )?{_NOUN}\b|\byour (?:[a-z]+ )?(?:slot|spot|place|time)\b"
)
_SUBJECT_PRONOUN = re.compile(rf"\b{_PRONOUN}$")
_LONGEST_PRONOUN = len("everything")
_BE = rf"(?:'s|'re| is| are| was| were|(?: has| have|'ve|'s) (?:(?:{_ADVERB}) )*+been)"
_PASSIVE = re.compile(rf"{_BE} {_ADVERBS}(?P<deed>{_PARTICIPLE})\b")
_NO_PART_OF_SUBJECT = re.compile("[,;]")
# "I have booked it", "I went ahead and booked it", "I have it booked for you".
_ACTIVE = re.compile(
    rf"\b(?:i|we)(?:'ve| have)?(?: (?:went|gone) ahead and)?(?: (?:got )?(?:it|that|this|you|everything)(?: all)?)?"
    rf" {_ADVERBS}(?P<deed>{_PARTICIPLE})\b(?! (?:up|out|solid|nothing|no)\b)"
)
_DAY = r"(?:(?:this |next )?[a-z]+day|today|tomorrow)"
_BOOKS = r"(?:the|our|your) (?:calendar|diary|schedule|books?|appointment book)"
_IVE = rf"\b(?:i|we)(?:'ve| have)? {_ADVERBS}"
# Not "on hold", "on the waiting list", "for a moment".
_FOR_WHEN = r"(?:for|on|at) (?!(?:an?|our|hold|it|me|that)\b|the (?![a-z]+(?:st|nd|rd|th)\b)[a-z])"
_MANAGED = r"\b(?:i|we)(?:'ve| have)? (?:(?:was|were) able|managed) to "
# Statements without a participle of a deed.
_OTHERS: tuple[tuple[re.Pattern[str], frozenset[Deed]], ...] = (
    (
        re.compile(
            rf"\b(?:your|the) (?:[a-z]+ )?{_NOUN} is now (?:on|at|for|{_DAY})\b|\bit(?:'s| is) now (?:on|for) {_DAY}"
            rf"|{_IVE}(?:switched|pushed|swapped|bumped) (?:it|that|(?:your|the) {_NOUN}) "
            rf"|{_MANAGED}(?:move|reschedule|change|postpone|shift)\b"
        ),
        frozenset({Deed.MOVED}),
    ),
    # What was moved is booked for its new time, and a new one may just have been booked.
    (re.compile(rf"\byour new {_NOUN} is (?:on|at|for|{_DAY})\b"), frozenset({Deed.MOVED, Deed.BOOKED})),
    (
        re.compile(
            rf"{_IVE}(?:put|got|added|entered|registered|signed|slotted|pencill?ed) you(?: (?:down|in|up))? {_FOR_WHEN}"
            rf"|{_IVE}(?:put|added|entered|saved) .{{1,40}} (?:in|into|to|on) {_BOOKS}\b"
            rf"|{_IVE}locked (?:it|that|you) in\b"
            rf"|\b(?:it|that|you|your {_NOUN})(?:'s|'re| is| are) {_ADVERBS}(?:in|on) {_BOOKS}\b"
            rf"|\byou(?:'re| are) {_ADVERBS}in (?:the|our) system {_FOR_WHEN}"
            rf"|\byour {_NOUN}(?:'s| is) {_ADVERBS}set {_FOR_WHEN}"
            rf"|{_MANAGED}(?:book|reserve|schedule|arrange|secure|(?:get|fit|squeeze|put|slot) you in)\b"
            rf"|\byou(?:'re| are) {_ADVERBS}(?:in|down|entered|registered|signed up) {_FOR_WHEN}"
            r"|\byou(?: now have| have now(?: got)?| now have got) (?:an|your) appointment\b"
            r"|\b(?:it|slot|spot|place|time|o'clock|at [a-z0-9:]+)(?: is|'s) "
            rf"{_ADVERBS}(?:yours|(?:saved|held|kept|reserved|set aside) for you)(?= ?(?:[,.!]|$))"
            r"|\byour appointment stands(?= ?(?:[,.!]|$))"
        ),
        frozenset({Deed.BOOKED}),
    ),
    (
        re.compile(
            rf"{_IVE}(?:taken|took) (?:you|it) off\b|\byour {_NOUN} is {_ADVERBS}gone\b"
            rf"|\b(?:it|your {_NOUN})(?:'s| is) {_ADVERBS}(?:off {_BOOKS}|no longer (?:booked|scheduled))"
            rf"(?= ?(?:[,.!]|$| for| now))|\byou(?: now)? no longer have an? {_NOUN}\b"
            rf"|\b(?:your|that|the) {_NOUN}(?: now)? no longer exists\b|{_MANAGED}(?:cancel|delete|remove)\b"
        ),
        frozenset({Deed.CANCELLED}),
    ),
    (
        re.compile(
            r"\b(?:booking|reservation|cancellation|change|it|that|everything) (?:has |just )?(?:went|gone) through\b"
            rf"|\b(?:your|the) (?:[a-z]+ )?{_NOUN}(?: is| was| has been) {_ADVERBS}successful\b"
            rf"|{_IVE}sent you (?:a|the|your) confirmation\b|\bconfirmation (?:has been|was|is) sent\b"
        ),
        ANY_DEED,
    ),
)
_FILLER = (
    r"(?:(?:great|good|perfect|okay|ok|alright|all|right|yes|there|you|go|sure|and|wonderful|excellent|lovely|that's it"
    r"|successfully|officially|(?:your |the )?(?:appointment|booking|reservation|cancellation|change)) )*"
)
# "That's you booked in", "consider it done", "booked for Thursday at ten".
_BARE = re.compile(
    rf"^{_FILLER}(?:(?:that's|got|have) you |consider (?:it|that|yourself) )?(?P<deed>{_PARTICIPLE})"
    r"(?:(?: (?:for you|then|now|in|and dusted))*$"
    rf"|(?: in)? (?:for|on|to|at)(?: the)?(?: (?:{_DAY}\b|half past|[a-z]+(?: o'clock)?$)|$))"
)
# Words before a statement that make it something else.
_NONE_BEFORE = re.compile(
    r"\b(?:not|never|nothing|nobody|none|no|cannot|unable|without|failed|[a-z]+n't|if|when|whenever|once|unless|until|till"
    r"|before|whether|after|soon|will|would|could|can|may|might|shall|should|must|maybe|perhaps|possibly|probably"
    r"|assume|understand|see(?! you\b)|said|say|says|told|tell|mentioned|believe|think|thought|suppose|sounds|wish"
    r"|wished|hope|want|wanted|like|need|needs|try|trying|let me|going to|check|checking|ask|asked)\b"
)
_NONE_AFTER = re.compile(
    r"\b(?:if|once|unless|until|as soon as|when you|after you|provided|by (?:someone|somebody|another))\b"
)
# "I'm afraid that's booked" is about another caller's appointment.
_TAKEN = re.compile(r"\b(?:afraid|sorry|unfortunately|already)\b")
_YOURS = re.compile(r"\byou")
_HARMLESS = re.compile(
    r"\b(?:no (?:problem|worries|trouble|doubt)|of course|i can (?:confirm|tell you)|i'd like to confirm|not a problem"
    r"|i(?:'m| am) (?:very |so )?(?:happy|glad|pleased|delighted) to (?:say|tell you|let you know|confirm|inform you)"
    r"|you(?:'ll| will) be (?:happy|glad|pleased) to (?:hear|know)"
    r"|(?:just )?(?:as|like) you (?:said|asked|wanted|wished|requested|needed|like|want|wish))\b"
)
# What a task of one's own has done to what it names: any participle, any noun.
_DONE = (
    r"(?P<done>(?!(?:closed|interested|pleased|delighted|required|needed|limited|included|located|allowed|supposed"
    r"|expected|used)\b)(?:[a-z]{2,}ed|made|sent|paid|put|set|written|taken|done|sold|kept|given|bought|held|passed))\b"
)
_PREPOSITION = "for|on|at|in|from|to|with|under|as|by|of|until|till"
# The noun is the last word before one of these: in "your callback time" it is the time.
_NOUN_ENDS = (
    r"(?=[ ,]*(?:$|[.,;:!]|[a-z]{0,3}\d)"
    rf"|{_BE}\b| (?:{_PREPOSITION}|{_ADVERB}|and|today|tomorrow|this|next|[a-z]+day)\b)"
)
_NAMED = rf"(?:your|the|an?|both|new) (?:[a-z']+ ){{0,3}}?(?P<noun>[a-z']+){_NOUN_ENDS}"
# A subject begins its clause: "your name for the callback is noted" is not about the callback.
_OWN_PASSIVE = re.compile(
    rf"(?:^|[,!:–-] ?|\b(?:and|that|so|now|then|good|great|okay|ok|right|perfect) ){_NAMED}"
    rf"(?:,? (?:{_PREPOSITION}|[a-z]+day|today|tomorrow|\d).{{0,120}}?|,? ?[a-z]{{0,3}}\d.{{0,120}}?)??"
    rf"{_BE} {_ADVERBS}{_DONE}"
    r"(?! (?:through|via|online|automatically|usually|always|every|each|daily)\b)"
)
_OWN_ACTIVE = re.compile(
    rf"\b(?:i|we)(?:'ve| have)? {_ADVERBS}{_DONE}(?: (?:in|up|down|on|off|you|through))?(?: (?:you|for you))? {_NAMED}"
)
# Without one of these words a sentence states nothing; few sentences have any.
_MENTIONED = re.compile(rf"{_PARTICIPLE}|{'|'.join(each.pattern for each, _ in _OTHERS)}")
# "Eleven was not free, so I have booked ten": what precedes "so" is another sentence.
_CLAUSES = re.compile(r";|:(?!\d)| but | and i will |, so (?=(?:i|we)(?:'ve| have) )")
_DENIALS = {Deed.BOOKED: "booked", Deed.CANCELLED: "cancelled", Deed.MOVED: "changed"}
_NOTED = (
    "noted", "recorded", "registered", "logged", "saved", "entered", "filed", "scheduled", "booked", "arranged",
    "reserved",
)  # fmt: skip
_WORDS = StatementWords(
    _DEEDS, _NOUN, (_OWN_PASSIVE, _OWN_ACTIVE), _CLAUSES, _HARMLESS, _NONE_BEFORE, _NONE_AFTER, _TAKEN, _YOURS, _NOTED
)
# Each takes a sentence in lower case, with plain apostrophes.
statements_in = _WORDS.statements_in


def claims_in(sentence: str) -> Iterator[Claim]:
    """The statements in one sentence. sentence: in lower case, with plain apostrophes."""
    if _MENTIONED.search(sentence) is None or sentence.rstrip().endswith("?"):
        return
    for clause in _WORDS.clauses(sentence):
        if (claim := _claimed(clause.strip())) is not None:
            yield claim


def _claimed(clause: str) -> Claim | None:
    bare = re.sub(r"[^a-z' ]+", " ", clause).split()
    if match := _BARE.search(" ".join(bare)):
        return Claim(_DEEDS[match["deed"]], clause)
    # What makes statements something else is searched for once, not once for each of them.
    never, taken = first_end(_NONE_BEFORE, clause), first_end(_TAKEN, clause)
    unless = max((each.start() for each in _NONE_AFTER.finditer(clause)), default=-1)
    if (claim := stated(clause, _OTHERS, never, unless)) is not None:
        return claim
    for start, end, deed in (*_passives(clause), *_actives(clause)):
        if never <= start or _NONE_BEFORE.search(clause, start, end) or unless >= end:
            continue
        if taken <= end and not _YOURS.search(clause[start:end]):
            continue
        return Claim(_DEEDS[deed], near(clause, end))
    return None


def _actives(clause: str) -> Iterator[tuple[int, int, str]]:
    """Each "I have booked": where it begins, where it ends, its participle."""
    for match in _ACTIVE.finditer(clause):
        yield match.start(), match.end(), match["deed"]


def _passives(clause: str) -> Iterator[tuple[int, int, str]]:
    """Each subject with its "is booked": where it begins, where it ends, its participle."""
    begin = 0  # of what may be the next one's subject
    subjects, at = list(_SUBJECT.finditer(clause)), 0
    stops, passed = [stop.end() for stop in _NO_PART_OF_SUBJECT.finditer(clause)], 0
    for match in _PASSIVE.finditer(clause):
        verb = match.start()
        while passed < len(stops) and stops[passed] <= verb:
            begin, passed = max(begin, stops[passed]), passed + 1
        while at < len(subjects) and subjects[at].start() < begin:
            at += 1
        named = at < len(subjects) and subjects[at].end() <= verb
        pronoun = _SUBJECT_PRONOUN.search(clause, max(begin, verb - _LONGEST_PRONOUN), verb)
        subject = subjects[at] if named else pronoun
        if subject is not None:
            yield subject.start(), match.end(), match["deed"]
            begin = match.end()


def denial(deeds: frozenset[Deed]) -> str:
    """The sentence that takes claims back."""
    if not deeds:
        return "I am sorry, I said that wrongly: that is not done yet."
    verbs = [_DENIALS[deed] for deed in deeds]
    return f"I am sorry, I said that wrongly: nothing is {verbs[0] if len(verbs) == 1 else 'done'} yet."
