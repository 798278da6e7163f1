"""German statements that something has been done: "ist gebucht", "ich habe ihn abgesagt", "alles erledigt".

As fsm/english_claims.py: what is not recognised is not a statement. In German the verb's parts stand apart: the
participle is looked for first, then what makes a statement of it before or behind it.
May import: fsm.claims, fsm.statements, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fsm.claims import ANY_DEED, Claim, Deed
from fsm.statements import AROUND, StatementWords, first_end, near, stated

_DEEDS: dict[str, frozenset[Deed]] = {
    **dict.fromkeys(
        (
            "gebucht", "reserviert", "eingetragen", "vorgemerkt", "vereinbart", "festgemacht", "ausgemacht", "angelegt",
            "fixiert", "eingeplant",
        ),
        frozenset({Deed.BOOKED}),
    ),
    **dict.fromkeys(
        (
            "abgesagt", "storniert", "geloescht", "gestrichen", "gecancelt", "ausgetragen", "aufgehoben", "annulliert",
            "rausgenommen", "herausgenommen",
        ),
        frozenset({Deed.CANCELLED}),
    ),
    **dict.fromkeys(
        ("verlegt", "verschoben", "umgebucht", "geaendert", "gelegt", "umgelegt", "vorverlegt"), frozenset({Deed.MOVED})
    ),
    **dict.fromkeys(("bestaetigt", "erledigt", "abgeschlossen", "geklappt", "veranlasst", "erfolgt"), ANY_DEED),
}  # fmt: skip
_PARTICIPLE = re.compile(rf"\b(?P<deed>{'|'.join(_DEEDS)})\b")
_DONE = re.compile(r"\bfertig\b")
_NOUN = (
    r"(?:termin|termine|buchung|reservierung|besuch|stornierung|absage|verlegung|aenderung|bestellung|anfrage|auftrag"
    r"|termins)"
)
_BE = r"(?:ist|sind|wurde|wurden|war|waren)"
_SUBJECT = re.compile(rf"\b(?:ihr|ihre|der|die|das|ein|eine|dieser|diese|beide|neuer) (?:\w+ )?{_NOUN}\b")
# A pronoun is one only beside its verb: "ist für Sie gebucht" has none.
_PRONOUN = re.compile(
    rf"\b(?:es|er|sie|das|alles|beides) (?:{_BE}|hat)\b|\b(?:{_BE}|hat) (?:es|er|das|alles|beides)\b|\bsie sind\b"
    r"|\b(?:es|er|alles|das) (?:jetzt |nun |auch )?$"
)
_AUXILIARY = re.compile(rf"\b(?:{_BE}|hat)\b")
_I = re.compile(r"\b(?:ich habe?|wir haben|habe? ich|haben wir)\b")
# The auxiliary behind the participle: "gebucht ist er", "dass er gebucht ist".
_BEHIND = re.compile(rf"^ (?P<verb>{_BE}|hat|habe?n?)\b(?: (?P<subject>ich|wir|er|es|das|alles|sie))?")
# What a task of one's own has done to what it names: any participle, any noun.
_OWN_DONE = (
    r"(?P<done>(?!(?:geschlossen|geoeffnet|gesperrt|geeignet|gegeben|bekannt|geehrt|beliebt|erlaubt|begrenzt|benoetigt"
    r"|erwuenscht|gewuenscht|gewollt|gemeint)\b)"
    r"(?:[a-z]{0,9}ge[a-z]{2,14}(?:t|en)|[a-z]{2,14}iert|(?:be|ver|er|ent|hinter|ueber|unter)[a-z]{2,14}(?:t|en)))"
)
_OWN_ENDS = r"(?=(?: worden)?(?: *$|[ ]*[.,!;:]| und\b| oder\b))"
_PREPOSITION = (
    "am|an|auf|aus|bei|beim|bis|fuer|im|in|mit|nach|um|unter|ueber|von|vom|vor|wegen|zu|zum|zur|ab|ihres|ihrer|des|der"
)
_ADVERB = (
    "jetzt|nun|schon|bereits|soeben|gerade|damit|hiermit|auch|somit|erfolgreich|gerne?|so|heute|morgen|ihnen|[a-z]+tag"
)
_DET = "(?:ihr|ihren?|der|die|das|den|einen?|dieser?|dieses|diesen|beide|neuen?)"
# The noun is the last word before one of these; compounds are one word.
_NAMED = (
    rf"{_DET} (?:[a-z]+ ){{0,2}}?(?P<noun>[a-z]{{2,}})"
    rf"(?= ?[,.]? ?[a-z]{{0,3}}\d|,| (?:{_PREPOSITION}|{_ADVERB}|{_BE}|hat|habe|haben)\b"
    rf"| {_OWN_DONE.replace('?P<done>', '?:')}{_OWN_ENDS})"
)
_BETWEEN = rf"(?: (?:{_PREPOSITION}|{_ADVERB}|worden|\d)(?: |\b).{{0,120}}?|,? ?[a-z]{{0,3}}\d.{{0,120}}?)??"
# What is named begins the clause or follows the verb: "Ihr Name für den Rückruf ist notiert" is not about the callback.
_OWN = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:^|[,!:–-] ?|\b(?:und|also|gut|super|prima|perfekt|okay|ok|ja) ){_NAMED}{_BETWEEN}"
        rf" (?:{_BE}|habe? ich|haben wir) (?:.{{0,120}}? )??{_OWN_DONE}{_OWN_ENDS}",
        rf"\b(?:{_BE}|ich habe?|wir haben|habe? ich|haben wir) (?:(?:{_ADVERB}|fuer sie) )*{_NAMED}"
        rf"{_BETWEEN} {_OWN_DONE}{_OWN_ENDS}",
    )
)
# "Ich konnte den Termin buchen", "den konnte ich absagen": what follows is the verb.
_MANAGED = (
    r"\b(?:(?:ich|wir) konnten?|konnten? (?:ich|wir))\b"
    r"(?:(?! (?:nicht|nichts|kein\w*|leider|weder)\b)[^,;]){0,100}? "
)
# Between a verb and what belongs to it, in a statement that denies nothing.
_WITHIN = r"(?:(?!(?:nicht|noch|kein\w*|leider)\b)[\w:]+ ){0,12}?"
# Statements without a participle.
_OTHERS: tuple[tuple[re.Pattern[str], frozenset[Deed]], ...] = (
    (
        re.compile(
            rf"\b(?:ihr|der) (?:\w+ )?{_NOUN} (?:ist|liegt) (?:jetzt|nun)"
            r" (?:am|um|auf|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch)\b"
            rf"|{_MANAGED}(?:verlegen|verschieben|umbuchen|aendern|umlegen|vorverlegen)\b"
        ),
        frozenset({Deed.MOVED}),
    ),
    # What was moved is booked for its new time, and a new one may just have been booked.
    (
        re.compile(r"\b(?:ihr neuer|der neue) termin (?:ist|liegt)\b(?! (?:noch|dann)\b)"),
        frozenset({Deed.MOVED, Deed.BOOKED}),
    ),
    (
        re.compile(
            rf"\bsie stehen {_WITHIN}(?:drin|(?:im|in unserem) (?:kalender|terminbuch|plan))\b"
            rf"|\bsie sind {_WITHIN}(?:fuer|am|um) {_WITHIN}angemeldet\b"
            rf"|{_MANAGED}(?:buchen|reservieren|eintragen|vereinbaren|sichern|vormerken|unterbringen)\b"
            rf"|\b(?:termin|platz|zeit) {_WITHIN}ist ihnen {_WITHIN}sicher\b"
            r"|\b(?:(?:ihr|der|dieser) termin|das|es|er) ist (?:(?:jetzt|nun|damit) )*(?:fest|fix)(?= ?(?:[,.!]|$))"
            rf"|\b(?:termin|zeit|platz|er) {_WITHIN}gehoert (?:jetzt |nun |damit )?ihnen\b"
            r"|\bsie haben (?:jetzt|nun|damit|somit) (?:einen|ihren|den) termin\b"
            r"|\bhab's (?:ihnen )?(?:gebucht|eingetragen)\b"
        ),
        frozenset({Deed.BOOKED}),
    ),
    (
        re.compile(
            r"\bihr termin ist (?:(?:jetzt|nun|damit) )*(?:raus|weg)\b|\bder termin ist (?:(?:jetzt|nun|damit) )*raus\b"
            r"|\bsie haben (?:(?:jetzt|nun|damit) )*keinen termin mehr\b"
            rf"|\b(?:ihr|der|dieser) termin {_WITHIN}entfaellt\b|{_MANAGED}(?:absagen|stornieren|loeschen|streichen)\b"
        ),
        frozenset({Deed.CANCELLED}),
    ),
    (
        re.compile(
            r"\b(?:ihr|der|dieser) termin(?: [^,;]{1,80})? steht(?: (?:also|jetzt|nun|damit|dann|somit|so|fest))*"
            r"(?= ?(?:[,.!]|$))|\b(?:damit|somit|jetzt|nun) steht (?:ihr|der) termin\b"
        ),
        frozenset({Deed.BOOKED}),
    ),
    (re.compile(rf"\b(?:ihre|die) {_NOUN} (?:ist|war) (?:(?:auch|also|jetzt) )?erfolgreich\b(?! \w)"), ANY_DEED),
    (
        re.compile(
            r"^(?:(?:so|und|gut|super|prima|perfekt|okay),? )*das haetten wir"
            r"(?: (?:damit|also|nun|jetzt|schon|geschafft))*(?= ?(?:[,.!]|$))"
            r"|\b(?:unter dach und fach|in trockenen tuechern)\b"
        ),
        ANY_DEED,
    ),
)
_FILLER = (
    r"(?:(?:super|prima|perfekt|gut|sehr|okay|ok|alles|klar|ja|so|wunderbar|in|ordnung|danke|schon|bereits|ist|sind"
    r"|wurde|damit|hiermit|also|und|dann|gerne?|jetzt|nun|soeben|gerade|beides|erfolgreich|hat|termin|buchung) )*"
)
_BARE = re.compile(rf"^{_FILLER}(?P<deed>{'|'.join(_DEEDS)}|fertig)(?: (?:fuer sie|jetzt|nun|dann|worden))*$")
# Words before a statement that make it something else.
_NONE_BEFORE = re.compile(
    r"\b(?:nicht|nichts|nie|niemals|niemand|kein|keine[nmrs]?|ohne|weder|wenn|falls|sobald|sofern|bevor|ob|bis(?= sie)"
    r"|nachdem|werde|wird|werden|wuerde|wuerden|kann|koennen|koennte|koennten|moechte|moechten|soll|sollen|sollte|will"
    r"|wollen|muss|muessen|darf|vielleicht|wahrscheinlich|vermutlich|sagten|sagen|gesagt|verstehe|verstanden|erwaehnt"
    r"|dachte|glaube|denke|hoffe|wuensche|angeblich|versuche|versucht|pruefe|schaue|nachgesehen|sehe|gesehen|gefragt"
    r"|frage|waere|waeren|haette|haetten|sei|inzwischen|zwischenzeitlich|gerade eben erst)\b"
)
_NONE_AFTER = re.compile(r"\b(?:wenn|falls|sobald|sofern|nachdem|vorausgesetzt|durch jemand\w*|von jemand\w*)\b")
_DENIED = re.compile(r"^ (?:ist|sind|wurde|wurden|habe?n?|hat)\b(?: \w+){0,4} (?:nicht|nichts|kein\w*)\b")
# "Der Montag ist leider schon gebucht" is about another caller's appointment.
_TAKEN = re.compile(r"\b(?:leider|schon|bereits|bedaure|leid|anderweitig|vergeben)\b")
_YOURS = re.compile(r"\b(?:ihr|ihre[nmrs]?|sie|ihnen)\b")
_HARMLESS = re.compile(
    r"\b(?:kein problem|kein thema|keine sorge|keine ursache|(?:das )?kann ich (?:ihnen )?(?:gerne? )?bestaetigen"
    r"|ich kann (?:ihnen )?(?:gerne? )?(?:bestaetigen|sagen(?=, dass))|ich freue mich,? ihnen sagen zu koennen"
    r"|wie (?:gesagt|gewuenscht|besprochen|sie (?:sagten|wuenschten|wollten|es wollten))|selbstverstaendlich)\b"
)
# "So, das wäre erledigt", "Ihr Termin wäre dann gebucht" are no conditions: nothing follows.
_WERE = re.compile(
    r"\b(?:das|(?:ihr|der) termin) waere"
    rf" (?=(?:(?:damit|somit|hiermit|dann|also|nun|jetzt|schon|alles) )*(?:{'|'.join(_DEEDS)}) ?[.!]*$)"
)
_CLAUSES = re.compile(r";|:(?!\d)| aber | sondern | und ich werde ")
# "Elf Uhr war nicht frei, ich habe Sie um zehn eingetragen": what precedes is another sentence, unless it reports it.
_MAIN_CLAUSE = re.compile(
    r",(?: (?:deshalb|daher|also|und))?(?= (?:ich habe?|wir haben) )|, (?:deshalb|daher|also) (?=habe? ich )"
)
_REPORTS = re.compile(
    r"\b(?:sagten?|sagen|gesagt|glaube|denke|dachte|hoffe|verstehe|verstanden|meinen|meinten|fuerchte|vermute|scheint"
    r"|wuensche\w*|angenommen)\b"
)
_DENIALS = {Deed.BOOKED: "gebucht", Deed.CANCELLED: "abgesagt", Deed.MOVED: "geändert"}
_NOTED = (
    "notiert", "vermerkt", "eingetragen", "aufgenommen", "gespeichert", "erfasst", "registriert", "festgehalten",
    "hinterlegt", "angelegt", "vorgemerkt", "vereinbart", "gebucht", "reserviert",
)  # fmt: skip
_WORDS = StatementWords(_DEEDS, _NOUN, _OWN, _CLAUSES, _HARMLESS, _NONE_BEFORE, _NONE_AFTER, _TAKEN, _YOURS, _NOTED)
# Each takes a sentence in small letters without umlauts.
statements_in = _WORDS.statements_in


def claims_in(sentence: str) -> Iterator[Claim]:
    """The statements in one sentence. sentence: in small letters without umlauts."""
    if sentence.rstrip().endswith("?") or not _may_state(sentence):
        return
    for clauses in _WORDS.clauses(sentence):
        reported = _REPORTS.search(clauses) is not None
        for clause in [clauses] if reported else _MAIN_CLAUSE.split(clauses):
            if (claim := _claimed(_WERE.sub("das ist ", clause.strip()))) is not None:
                yield claim


def _may_state(sentence: str) -> bool:
    return any(each.search(sentence) for each in (_PARTICIPLE, _DONE, *(other for other, _ in _OTHERS)))


def _claimed(clause: str) -> Claim | None:
    if bare := _BARE.search(" ".join(re.findall(r"[a-z]+", clause))):
        return Claim(_DEEDS.get(bare["deed"], ANY_DEED), clause)
    # What makes statements something else is searched for once, not once for each of them.
    never, taken = first_end(_NONE_BEFORE, clause), first_end(_TAKEN, clause)
    unless = max((each.start() for each in _NONE_AFTER.finditer(clause)), default=-1)
    if (claim := stated(clause, _OTHERS, never, unless)) is not None:
        return claim
    begin = 0
    for match in _PARTICIPLE.finditer(clause):
        end = match.end()
        before, behind = clause[max(begin, end - AROUND) : match.start()], clause[end : end + AROUND]
        denied = never <= end or unless >= end or _DENIED.search(behind) is not None
        others = taken <= end and _YOURS.search(before) is None
        if not denied and not others and _states(before, behind):
            return Claim(_DEEDS[match["deed"]], near(clause, end))
        begin = end
    return None


def _states(before: str, behind: str) -> bool:
    """Whether a participle between these words states that it was done."""
    if _I.search(before):
        return True
    subject = _SUBJECT.search(before) is not None
    if _AUXILIARY.search(before):
        return subject or _PRONOUN.search(before) is not None
    following = _BEHIND.search(behind)
    if following is None:
        return False
    if following["verb"].startswith("ha") and following["verb"] != "hat":
        return following["subject"] in ("ich", "wir") or re.search(r"\b(?:ich|wir)\b", before) is not None
    return subject or following["subject"] is not None or _PRONOUN.search(before) is not None


def denial(deeds: frozenset[Deed]) -> str:
    """The sentence that takes claims back."""
    if not deeds:
        return "Entschuldigung, das war nicht richtig: Das ist noch nicht erledigt."
    verbs = [_DENIALS[deed] for deed in deeds]
    return f"Entschuldigung, das war nicht richtig: Es ist noch nichts {verbs[0] if len(verbs) == 1 else 'erledigt'}."
