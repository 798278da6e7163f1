"""English statements that something has been done: "it is booked", "I have cancelled it", "you're all set".

A question, a condition ("once it is booked"), a denial and a restatement ("you said it was booked") state nothing. What
is not recognised is not a statement: a truthful one must not be corrected.
May import: fsm.claims, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fsm.claims import ANY_DEED, Claim, Deed

_DEEDS: dict[str, frozenset[Deed]] = {
    **dict.fromkeys(("booked", "reserved", "scheduled"), frozenset({Deed.BOOKED})),
    **dict.fromkeys(("cancelled", "canceled", "deleted", "removed"), frozenset({Deed.CANCELLED})),
    **dict.fromkeys(("moved", "rescheduled", "changed", "postponed", "shifted"), frozenset({Deed.MOVED})),
    **dict.fromkeys(("confirmed", "arranged", "completed", "complete", "done", "all set", "taken care of"), ANY_DEED),
    **dict.fromkeys(("made", "set up", "put in", "fixed"), frozenset({Deed.BOOKED})),
}
# With these verbs alone the speaker needs no object: "I have booked you in".
_PARTICIPLE = "|".join(sorted(_DEEDS, key=len, reverse=True))
_ADVERBS = r"(?:(?:now|all|just|successfully|officially|also|indeed|been|then|safely|duly|both|already) )*"
_NOUN = r"(?:appointment|booking|reservation|visit|cancellation|change|order|meeting|check up|checkup)s?"
_PRONOUN = r"(?:it|that|this|everything|you|they|both)"
# The subject, directly before its verb or with its values between: "your appointment on thursday at ten is booked".
_SUBJECT = rf"(?:\b(?:your|the|an?|both|new) (?:[a-z]+ )?{_NOUN}\b[^,;]*?|\b{_PRONOUN})"
_BE = rf"(?:'s|'re| is| are| was| were|(?: has| have|'ve|'s) {_ADVERBS}been)"
_PASSIVE = re.compile(rf"(?P<subject>{_SUBJECT}){_BE} {_ADVERBS}(?P<deed>{_PARTICIPLE})\b")
_ACTIVE = re.compile(rf"\b(?:i|we)(?:'ve| have)? {_ADVERBS}(?P<deed>{_PARTICIPLE})\b(?! (?:up|out|solid)\b)")
_NOW_ON = re.compile(rf"\b(?:your|the) (?:[a-z]+ )?{_NOUN} is now (?:on|at|for)\b")
_FILLER = r"(?:(?:great|good|perfect|okay|ok|alright|all|right|yes|there|you|go|sure|and|wonderful|excellent|lovely) )*"
_BARE = re.compile(rf"^{_FILLER}(?P<deed>{_PARTICIPLE})(?: (?:for you|then|now|in))?$")
# Words before a statement that make it something else.
_NONE_BEFORE = re.compile(
    r"\b(?:not|never|nothing|nobody|none|no|cannot|unable|without|failed|[a-z]+n't|if|when|whenever|once|unless|until|till"
    r"|before|whether|after|soon|will|would|could|can|may|might|shall|should|must|maybe|perhaps|possibly|probably"
    r"|assume|understand|see|said|say|says|told|tell|mentioned|believe|think|thought|suppose|sounds|wish|wished|hope"
    r"|want|wanted|like|need|needs|try|trying|let me|going to|check|checking|ask|asked)\b"
)
_NONE_AFTER = re.compile(
    r"\b(?:if|once|unless|until|as soon as|when you|after you|provided|by (?:someone|somebody|another))\b"
)
# "I'm afraid that's booked" is about another caller's appointment.
_TAKEN = re.compile(r"\b(?:afraid|sorry|unfortunately|already)\b")
_HARMLESS = re.compile(
    r"\b(?:no (?:problem|worries|trouble|doubt)|of course|i can confirm|i'd like to confirm|not a problem)\b"
)
_DENIALS = {Deed.BOOKED: "booked", Deed.CANCELLED: "cancelled", Deed.MOVED: "changed"}


def claims_in(sentence: str) -> Iterator[Claim]:
    """The statements in one sentence. sentence: in lower case, with plain apostrophes."""
    if sentence.rstrip().endswith("?"):
        return
    for clause in re.split(r";|:(?!\d)| but | and i will ", _HARMLESS.sub(" ", sentence)):
        deeds = _claimed(clause.strip())
        if deeds:
            yield Claim(deeds, clause.strip())


def _claimed(clause: str) -> frozenset[Deed]:
    bare = re.sub(r"[^a-z' ]+", " ", clause).split()
    if match := _BARE.search(" ".join(bare)):
        return _DEEDS[match["deed"]]
    found = _NOW_ON.search(clause)
    if found is not None:
        return frozenset() if _NONE_BEFORE.search(clause[: found.start()]) else frozenset({Deed.MOVED})
    for pattern in (_PASSIVE, _ACTIVE):
        for match in pattern.finditer(clause):
            before, within, after = clause[: match.start()], match[0], clause[match.end() :]
            if _NONE_BEFORE.search(before) or _NONE_BEFORE.search(within) or _NONE_AFTER.search(after):
                continue
            if _TAKEN.search(before + within) and not re.search(r"\byou", within):
                continue
            return _DEEDS[match["deed"]]
    return frozenset()


def denial(deeds: frozenset[Deed]) -> str:
    """The sentence that takes claims back."""
    verbs = [_DENIALS[deed] for deed in deeds]
    return f"I am sorry, I said that wrongly: nothing is {verbs[0] if len(verbs) == 1 else 'done'} yet."
