"""The closed vocabulary of consent in German, as fsm/english_consent.py has it in English.

Any other word makes the words something else. `said` and `own` are the words that are left of a text without its
values: in letters without umlauts ("fuer"), "geht es" for "geht's", `#` for a value, `?` for itself.
May import: fsm, the standard library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fsm.phrases import consists_of, row_of

# What speech recognisers write for breath, hums and noise; without the one that agrees ("mhm"). "Um" is a word.
_HUMS = frozenset({
    "aeh", "aehm", "oeh", "oehm", "eh", "ehm", "em", "hm", "hmm", "hmmm", "mm", "mmm", "ah", "aah", "oh", "och",
    "puh", "ha", "haha", "husten", "hustet", "seufzt", "seufzen", "raeuspern", "raeuspert", "lachen", "lacht", "musik",
    "stille", "rauschen", "geraeusche", "applaus", "uh", "hust", "raeusper", "niesen", "niest", "hatschi", "gaehnt",
    "uff", "piepton", "hintergrundgeraeusche", "unverstaendlich"
})  # fmt: skip
# What they write for words that they did not understand: beside a yes these may be "aber um elf".
_NOT_UNDERSTOOD = re.compile(r"\bunverstaendlich\b")
# Who ends with one of these has not finished.
_GOES_ON = (" aeh", " aehm", " oeh", " oehm", " ehm")
_AGREEING_HUM = re.compile(r"\b(?:m hm+|mm hm+|mhm+|mmhm+)\b")


@dataclass(frozen=True, slots=True)
class _Verb:
    """How an act is named: "soll ich ihn absagen", "ich sage ihn ab". particle: the verb's part at the end."""

    infinitive: str
    finite: str = ""
    particle: str = ""


# The verbs of an act. Where the act undoes or changes something, a read-back must name it. "Ich buche um" is none of
# them: "um" stands before a time too.
_MAKES = (
    _Verb("buchen", "buche"), _Verb("reservieren", "reserviere"), _Verb("eintragen", "trage", "ein"),
    _Verb("vereinbaren", "vereinbare"), _Verb("ausmachen"), _Verb("festmachen"), _Verb("vormerken"),
)  # fmt: skip
_UNDOES = (
    _Verb("absagen", "sage", "ab"), _Verb("stornieren", "storniere"), _Verb("loeschen", "loesche"),
    _Verb("streichen", "streiche"), _Verb("austragen"),
)  # fmt: skip
_CHANGES = (
    _Verb("verlegen", "verlege"), _Verb("verschieben", "verschiebe"), _Verb("umbuchen"), _Verb("aendern", "aendere")
)  # fmt: skip
_ACTS = (_MAKES, _UNDOES, _CHANGES)
# These take nothing from anybody: as with an appointment that is made, to praise what is offered is a yes. Verbs that
# another particle makes an act ("ich gebe das Konto frei", "ich melde das Auto ab") are none of them.
_HARMLESS = (
    _Verb("anrufen", "rufe", "an"), _Verb("zurueckrufen", "rufe", "zurueck"), _Verb("notieren", "notiere"),
    _Verb("aufschreiben"), _Verb("weitergeben"), _Verb("ausrichten"),
)  # fmt: skip
_PLAIN = frozenset(word for verb in (*_MAKES, *_HARMLESS) for word in (verb.infinitive, verb.finite) if word)
# Said of words rather than of an appointment ("streichen Sie das", "das möchte ich ändern"): no yes, unless asked so.
_OF_WORDS = frozenset({"loeschen", "streichen", "aendern"})
_NO_VERBS = frozenset({"habe", "werde", "sie", "die", "ihre", "eine", "meine", "diese"})


def _verbs(own: str) -> tuple[_Verb, ...]:
    """The verbs of what the task offers to do, in all wordings that mean the same."""
    words = own.split()
    found = [group for group in _ACTS if any(verb.infinitive in words for verb in group)]
    finites = re.findall(r"(?<!\bsoll )(?<!\bdarf )(?<!\bkann )\bich (\w+e)\b", own)
    found += [group for group in _ACTS if group not in found and any(verb.finite in finites for verb in group)]
    asked = re.findall(r"\b(?:soll|darf|kann|moechten|wollen)\b[^?]* (\w+n) \?", own)
    # Verbs of other acts, as they stand.
    others = [_Verb(infinitive, infinitive[:-1]) for infinitive in asked]
    others += [_Verb(f"{finite}n", finite) for finite in finites if finite not in _NO_VERBS]
    return tuple(verb for group in found for verb in group) or tuple(others)


def _must_name(own: str) -> bool:
    """Whether it undoes or changes something, or does what nobody here knows: ends a contract, pays money."""
    return any(verb.infinitive not in _PLAIN and verb.finite not in _PLAIN for verb in _verbs(own))


def _may_praise(own: str) -> bool:
    return not _must_name(own) or any(verb in _CHANGES for verb in _verbs(own))


# --- what the bot reads back ---

_FINE = r"(?:richtig|korrekt|okay|ok|in ordnung|gut|recht)"
_IT = r"(?:das|es|dies|alles)"
_ASKS_IF_RIGHT = (
    rf"ist {_IT}(?: so| fuer sie| ihnen)* {_FINE}(?: so| fuer sie)*",
    rf"(?:stimmt|passt) {_IT}(?: so| fuer sie| ihnen)*|passt ihnen {_IT}(?: so)?",
    r"(?:sind sie |waeren sie )?(?:damit )?einverstanden(?: damit)?",
    r"habe ich (?:das|es|sie) (?:so )?richtig verstanden",
    r"(?:koennen|koennten|wuerden) sie (?:mir )?(?:das|es) (?:bitte )?(?:so )?bestaetigen|bestaetigen sie (?:das|es)",
    r"bitte bestaetigen sie(?: das| es)?",
)
# Of an appointment that stands already: no read-back of one that is to be made.
_STANDING = (
    r"(?:ihr|der|ein) termin (?:ist|war) (?:gebucht|eingetragen|vereinbart)(?= (?:fuer|am|auf|um)\b)",
    r"sie haben|gefunden|(?:ich|wir) haben?(?: fuer sie)?",
)
_PLAINLY = re.compile(rf"\b(?:{'|'.join(_ASKS_IF_RIGHT)})\b|\b(?:richtig|korrekt|ok|okay|einverstanden)(?: \?)*$|\?")
_BEFORE_VALUE = (
    r"fuer|am|um|an|im|den|der|dem|von|vom|auf|zum|zu|unter|und|ist|namen|name|tag|datum|uhrzeit|uhr|herrn?|frau|also"
    r"|dann|ein termin|einen termin|der termin|ihr termin"
)


def _paraphrases(own: str) -> list[str]:
    """The phrases of a read-back: the own sentence's, and those of any that mean the same."""
    verbs = _verbs(own)
    infinitives = "|".join(re.escape(verb.infinitive) for verb in verbs) or "machen|tun"
    finites = "|".join(re.escape(verb.finite) for verb in verbs if verb.finite) or "mache"
    particles = "|".join(re.escape(verb.particle) for verb in verbs if verb.particle)
    chunks = (chunk.strip() for chunk in re.split("[#?]", own))
    return [
        r"\?",
        rf"(?:(?:{_BEFORE_VALUE}) )*#",
        *(re.escape(chunk) for chunk in sorted(chunks, key=len, reverse=True) if chunk),
        *_ASKS_IF_RIGHT,
        *(_STANDING if _must_name(own) else ()),
        r"(?:soll|darf|kann) ich(?: sie| ihnen)?",
        r"(?:moechten|wollen|wuenschen|wuerden) sie(?: gerne?)?(?: dass ich)?",
        r"sie (?:moechten|wollen|wuenschen)(?: gerne?)?",
        rf"(?:ich|wir) (?:werde|wuerde|wuerden|werden)|(?:ich )?(?:{finites})(?: ich)?|{infinitives}",
        *([particles] if particles else ()),
        r"(?:das|es) (?:ist|waere|waer)|(?:waere|ist) (?:das|es)|ihr termin (?:ist|waere)",
        r"(?:ihn|es|das|dies|diesen|(?:den|einen|ihren|diesen|der|ein|ihr) termin)",
        r"(?:ich|wir) haben?(?: (?:also|dann|fuer sie))*(?: (?:notiert|verstanden|vorgemerkt))?",
        r"(?:noch (?:ein)?mal )?zur (?:sicherheit|bestaetigung|kontrolle)(?: noch (?:ein)?mal)?",
        r"ich (?:wiederhole|fasse zusammen)(?: noch einmal| kurz)*",
        r"fuer sie",
        r"(?:es )?tut mir leid|entschuldigung|verzeihung|(?:einen )?moment",
        r"(?:ich habe )?(?:das|sie) (?:leider )?nicht verstanden|das habe ich (?:leider )?nicht verstanden",
        r"bitte (?:antworten|sagen) sie(?: bitte)?(?: mit)? ja(?: oder nein)?|ja oder nein",
        r"vielen dank|danke(?: schoen| sehr)?|sehr gut|sehr gerne?|alles klar|in ordnung|mache ich|mach ich",
        r"so|okay|ok|also|richtig|korrekt|gut|gerne?|prima|super|perfekt|wunderbar|schoen|klar|dann|nun|jetzt|bitte|ja",
    ]  # fmt: skip


def _directions(words: str) -> list[str]:
    """ "Von" and "auf" before a value, in order."""
    ways = re.findall(r"\b(von|vom|auf|zum|zu) (?:(?:den|dem|der|am|um) )*#", words)
    return ["von" if way in ("von", "vom") else "auf" for way in ways]


def reads_back(said: str, own: str, *, after_others: bool) -> bool:
    """Whether words are a read-back of what `own` offers: nothing but that, and they name the act or ask plainly.

    after_others: they follow words that are no read-back, so a mere "ist das richtig?" may be about those.
    """
    if not consists_of(said, _paraphrases(own)):
        return False
    ways, way = _directions(own), _directions(said)
    if way != ways and (not way or way != ways[-len(way) :]):  # auf Freitag, nicht von Freitag
        return False
    words = said.split()
    if any(verb.infinitive in words or (verb.finite and verb.finite in words) for verb in _verbs(own)):
        return True
    return not _must_name(own) and not after_others and _PLAINLY.search(said) is not None


# --- what the caller answers ---

_VERY = r"(?:(?:so|sehr|ganz|genau|voellig|vollkommen|absolut|auch) )*"
_GOOD = r"richtig|korrekt|gut|prima|perfekt|super|toll|wunderbar|klasse|ausgezeichnet|ideal|bestens|recht"
_NICE = rf"{_VERY}(?:{_GOOD})(?: so)?"
_WELCOME = rf"{_VERY}(?:{_GOOD}|schoen|nett|lieb)"  # "das ist nett" thanks, "das wäre nett" agrees
_FOR_ME = r"(?: (?:fuer|von) (?:mich|uns|mir|ihnen))?"
_YES = (
    r"ja doch|ja|jawohl|jawoll|jap|jep|jo|jou|jau|jup|jaa+|yes|yeah|yep|genau(?: so)?|ganz genau|exakt|richtig|korrekt"
    r"|stimmt(?! ja\b)(?: (?:so|alles|genau))*|alles (?:richtig|korrekt)(?: so)?|absolut|definitiv|logisch|sicher doch"
    r"|aber (?:ja|klar|sicher(?: doch)?|natuerlich|selbstverstaendlich)|na sicher|klar doch|na gut|vollkommen richtig"
    r"|sehr gerne?|gerne?(?: doch)?|aber gerne?|na klar|klar|alles klar|okay|ok|okey|in ordnung"
    r"|einverstanden|sehr gut|gut(?: so)?|prima|super|perfekt|wunderbar|klasse|bestens|ausgezeichnet|hervorragend"
    r"|auf jeden fall|auf alle faelle|unbedingt|natuerlich|selbstverstaendlich|sicher|freilich|so ist es|mhm"
    r"|von mir aus"
)
_AGREEING = (
    rf"(?:das|es|alles|so) (?:ist (?:alles )?{_NICE}|waere {_WELCOME}){_FOR_ME}|(?<!# )(?<!termin )ist {_NICE}",
    rf"(?:(?:das|es) )?(?:ist|waere)(?: fuer (?:mich|uns))? in ordnung{_FOR_ME}",
    r"(?:das|es|alles) stimmt(?: so| genau| alles)*|so (?:stimmt|ist) (?:es|das)(?: (?:richtig|korrekt))?",
    r"das (?:ist|waere) (?:mir|uns) (?:sehr |auch )?recht|(?:das )?geht (?:klar|in ordnung)",
    rf"(?:das )?(?:klingt|hoert sich) {_NICE}(?: an)?",
    r"(?:bitte )?(?:machen|tun) sie (?:das|es|mal)(?: so)?|machen wir(?: (?:das|es))?(?: so)?",
    r"so machen wir (?:das|es)|das machen wir(?: so)?|das haben sie richtig verstanden",
    r"(?:das|so) koennen sie (?:das |es )?(?:gerne? )?(?:so )?machen|mach(?:en)? (?:das|es)(?: so)?|nur zu|bestaetigt",
    r"(?:damit )?bin ich (?:damit )?einverstanden|ich bin (?:damit )?einverstanden(?: damit)?",
    r"ich (?:stimme (?:dem )?zu|bestaetige(?: das| es)?)|(?:das )?bestaetige ich",
    r"(?:das )?(?:moechte ich|haette ich gerne?)|ich (?:moechte|haette) das(?: gerne?)?|das will ich",
    r"ich (?:habe (?:(?:doch|ja|schon|bereits|gerade) )*ja gesagt|sagte (?:(?:doch|schon|bereits|gerade) )*ja)",
    _YES,
)  # fmt: skip
# These praise an appointment: a yes where it is to be made, the contrary where it is to be cancelled.
_PRAISING = (
    rf"(?:(?<=# )|(?<=termin ))(?:ist|waere) {_NICE}{_FOR_ME}",
    # "Geht so", "es geht" and "das passt ja" are no praise, "es geht mir gut" is about the caller; "geht das" asks.
    r"(?!(?:es )?geht so\b|(?:(?:das|es) )?geht (?:mir|uns)\b|es geht (?!(?:bei|fuer)\b))"
    r"(?:(?:das|es|alles) (?:passt|geht)|(?<=# )(?:passt|geht)(?: (?:es|das))?|passt|geht)(?! (?:ja|schon)\b)"
    r"(?: (?:mir|uns|bei mir|bei uns))?(?: so)?"
    r"(?: (?:sehr |ganz )?(?:gut|prima|super|perfekt|wunderbar|bestens|hervorragend|ausgezeichnet))?(?: fuer mich)?",
    r"(?:(?:das|es) |(?<=# ))wuerde (?:(?:mir|uns|bei mir|bei uns|gut|sehr gut) )*(?:passen|gehen)|da habe ich zeit",
    r"(?:den|das) nehme ich|nehme ich|ich nehme (?:den termin|den|das|ihn)|nehmen wir|so (?:passt|geht) (?:es|das)",
)
_POLITE = (
    r"(?:vielen|besten|herzlichen|schoenen|tausend) dank(?: (?:auch|ihnen))?",
    r"danke(?: (?:schoen|sehr|ihnen|vielmals))*|dankeschoen",
    r"bitte(?: (?:schoen|sehr))?|bitteschoen",
    r"(?:das ist )?(?:sehr )?(?:nett|lieb|freundlich)(?: von ihnen)?",
    r"das ist alles(?! (?:richtig|korrekt)\b)|das (?:war|waere?) es",
    r"guten (?:tag|morgen|abend)|gruess gott|moin|bis dann",
    r"(?:fuer (?:mich|uns)|kein problem|dann(?= \w)|wie (?:gesagt|besprochen))",
    r"(?:(?:der|den|mein|meinen|einen|diesen) )termin",
    r"(?:und )?(?:auf wieder(?:hoeren|sehen|schauen)|tschuess|tschuss|ciao|servus)",
    r"und (?:(?:dann|bitte) )*(?:verbinden sie mich|stellen sie mich durch)(?: bitte)?"
    r"(?: (?:mit|zu) (?:(?:einem|einer|der|dem|ihrem|ihrer) )?(?:menschen|mitarbeiter(?:in)?|kolleg(?:en|in)|praxis"
    r"|anmeldung|rezeption|empfang|zentrale|jemandem))?",
    r"ach(?= (?:ja )?(?:gerne?|gut|okay|ok|bitte|prima|super)\b)",
    r"(?:also|nun(?! ja\b)|so(?! ja\b)|und|entschuldigung)"
    r"(?= (?:ja|gut|okay|ok|genau|richtig|gerne?|danke|bitte|klar|stimmt(?! es\b)|prima)\b)",
    r"(?:(?:fuer|am|um|an|im|den|der|dem|von|vom|auf|zum|unter|mit|also|name|namen|mein name ist) )*#",
)
# These agree only beside a yes: "ist okay, danke" declines.
_BESIDE_A_YES = (
    rf"(?:das |es )?(?:ist|waere)(?: fuer (?:mich|uns))? (?:okay|ok){_FOR_ME}|(?:das|es) ist es(?! ja\b)"
    r"|(?:das )?(?:koennen|duerfen) sie (?:(?:gerne?|so|auch) )*machen|das (?:koennen|duerfen) sie|passt schon(?! ja\b)"
)
# These agree to what undoes nothing, even where the read-back names no verb ("Ist das richtig?").
_NOTE_IT = (
    r"(?:(?:das|es|so) )?(?:koennen|duerfen) sie (?:(?:das|es|mich|gerne?|bitte|so) )*(?:eintragen|notieren|aufnehmen)"
    r"|(?:notieren sie(?: (?:das|es|mich|bitte|so))+|tragen sie(?: (?:das|es|mich|bitte|so))+ ein"
    r"|nehmen sie(?: (?:das|es|mich|bitte|so))+ auf)"
)
_OUTRIGHT_YES = re.compile(r"\b(?:ja|jawohl|jap|jep|jo|jau|genau|gerne?)\b")
# "Ja?", "Mhm?" and "Ja, bitte?" ask what was said.
_BARE = re.compile(r"(?:(?:aeh|aehm|hm) )*(?:ja )?(?:okay|ok|gerne?)(?: bitte)?(?: \?)+")
_FAREWELL = re.compile(r"\b(?:wiederhoeren|wiedersehen|wiederschauen|tschuess|tschuss|ciao|servus|bis dann)\b")
_OUTRIGHT = re.compile(r"\b(?:ja|jawohl|jap|jep|jo|gerne?|genau|richtig|korrekt)\b")


def _agreeing(own: str | None) -> list[tuple[str, ...]]:
    """The phrases that agree; to "Soll ich ihn absagen?", "sagen Sie ihn ab" is one."""
    if own is None:
        return [_AGREEING]
    phrases: list[tuple[str, ...]] = [_PRAISING, _AGREEING] if _may_praise(own) else [_AGREEING]
    verbs = [verb for verb in _verbs(own) if verb.infinitive not in _OF_WORDS or _asked(verb, own)]
    if not verbs:
        return phrases
    what = r"(?:(?:den|meinen|einen|diesen) termin|ihn|es|das|den|mich|uns|mir|fuer mich|bitte|jetzt|dann|so|gerne?|#)"
    # "Ich möchte ihn verschieben" may be another wish than the one that was read back.
    wish = "" if any(verb in _CHANGES for verb in verbs) else r"(?:ich|wir) (?:moechte|moechten|will|wollen)|"
    lead = rf"(?:(?:{wish}(?:sie )?koennen(?: sie)?|bitte) )?"
    infinitives = "|".join(re.escape(verb.infinitive) for verb in verbs)
    ordered = [
        rf"(?:{re.escape(_imperative(verb))} sie|{re.escape(verb.finite[:-1])}e?)(?: {what})*"
        f"{f' {verb.particle}' if verb.particle else ''}"
        for verb in verbs
        if verb.finite
    ]
    return [
        (rf"(?:(?:das|es|ihn) (?=koennen ))?{lead}(?:{what} )*(?:{infinitives})(?: sie)?(?: {what})*", *ordered),
        *phrases,
    ]


def _asked(verb: _Verb, own: str) -> bool:
    return not {verb.infinitive, verb.finite}.isdisjoint(own.split())


def _imperative(verb: _Verb) -> str:
    """Of "trage", "tragen": the polite imperative is the infinitive without its particle."""
    return verb.infinitive.removeprefix(verb.particle)


def heard_words(text: str) -> str:
    """The words without hums and noise; a hum that agrees is "mhm"."""
    return " ".join(word for word in _AGREEING_HUM.sub("mhm", text).split() if word not in _HUMS)


def agrees(said: str, own: str | None) -> bool:
    """Whether a caller's words are a yes, and nothing else, to what `own` offers. own: None if that is not known."""
    if "?" in said:
        return _BARE.fullmatch(said) is not None  # a voice that rises
    if _NOT_UNDERSTOOD.search(said) or said.endswith(_GOES_ON):
        return False
    said = heard_words(said)
    # "Okay, tschüss" leaves; "Donnerstag, gut" may be what is not to be cancelled.
    doubtful = _FAREWELL.search(said) is not None or ("#" in said and (own is None or not _may_praise(own)))
    if doubtful and not _OUTRIGHT.search(said):
        return False
    beside: tuple[str, ...] = (_BESIDE_A_YES,) if _OUTRIGHT_YES.search(said) else ()
    if beside and own is not None and not _must_name(own):
        beside = (_NOTE_IT, _BESIDE_A_YES)  # "das können Sie so eintragen" is more than "das können Sie"
    return row_of(said, _POLITE, _agreeing(own), beside)


_NO = re.compile(
    r"\b(?:nein|nee|ne|noe|nicht|nix|nichts|nie|niemals|niemand|kein|keine[nmrs]?|keinesfalls|keineswegs|falsch)\b"
)


def declines(said: str) -> bool:
    """Whether there is a no among a caller's words."""
    return _NO.search(said) is not None


# These change nothing about what was read back: the question that follows them is still about that.
_UNDECIDED = (
    r"(?:das )?(?:ich )?weiss (?:ich )?(?:es |das )?(?:noch |jetzt )*nicht(?: genau| so recht| so genau)?|keine ahnung",
    r"(?:da )?(?:ich )?bin (?:ich )?(?:mir )?(?:noch |da )*nicht (?:(?:ganz|so|wirklich) )*sicher",
    r"vielleicht|moeglicherweise|eventuell|kann sein",
    r"(?:ich )?(?:da )?muss (?:ich )?(?:da )?(?:noch |mal |kurz |erst |einmal )*"
    r"(?:ueberlegen|nachdenken|nachsehen|schauen)",
    r"(?:mal |lassen sie mich (?:mal |kurz |noch )*)(?:sehen|schauen|ueberlegen|nachsehen)",
    r"(?:einen |nen |kleinen )*(?:moment|augenblick)(?: (?:mal|bitte|noch))*",
    r"(?:eine |1 )?(?:sekunde|minute)(?: bitte)?",
    r"warten sie(?: (?:mal|bitte|kurz|noch))*|gute frage|tja|naja|na ja|na|also|entschuldigung|bitte|ja(?= moment\b)",
)


def hesitates(said: str) -> bool:
    """Whether a caller's words decide nothing and ask for nothing."""
    said = heard_words(said)
    return bool(said) and consists_of(said, _UNDECIDED)
