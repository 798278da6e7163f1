"""What callers and recognisers make of digits, letters and signs, as characters: "double five", "A wie Anton", "at".

English and German together: a bot in one is told numbers in the other too, and their words do not clash.
Pure. May import: fsm, the standard library.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from fsm.german_numbers import cardinal, folded

_DIGITS: Mapping[str, str] = {
    "zero": "0", "oh": "0", "o": "0", "nought": "0", "naught": "0", "nil": "0", "one": "1", "ein": "1", "two": "2",
    "to": "2", "too": "2", "three": "3", "four": "4", "for": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "niner": "9",
}  # fmt: skip
_TEENS: Mapping[str, str] = {
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16",
    "seventeen": "17", "eighteen": "18", "nineteen": "19",
}  # fmt: skip
_TENS: Mapping[str, str] = {
    "twenty": "2", "thirty": "3", "forty": "4", "fifty": "5", "sixty": "6", "seventy": "7", "eighty": "8", "ninety": "9"
}  # fmt: skip
_SIZES: Mapping[str, int] = {"hundred": 100, "thousand": 1000}
_REPEATED: Mapping[str, int] = {
    "double": 2, "twice": 2, "doppel": 2, "doppelt": 2, "doppelte": 2, "zweimal": 2, "zwomal": 2, "triple": 3,
    "dreimal": 3, "dreifach": 3, "viermal": 4,
}  # fmt: skip
_SIGNS: Mapping[str, str] = {
    "at": "@", "ät": "@", "aet": "@", "klammeraffe": "@", "dot": ".", "point": ".", "punkt": ".", "period": ".",
    "dash": "-", "hyphen": "-", "minus": "-", "bindestrich": "-", "strich": "-", "underscore": "_",
    "unterstrich": "_", "plus": "+", "slash": "/", "schrägstrich": "/",
}  # fmt: skip
# Said between the groups of a number as it is printed; what they stand for is left out of it.
_SEPARATORS: Mapping[str, str] = {
    word: _SIGNS[word] for word in ("dash", "hyphen", "bindestrich", "strich", "slash", "schrägstrich")
}
_SEPARATORS_OF_CODES: Mapping[str, str] = {
    **_SEPARATORS, "minus": "-", "space": "-", "blank": "-", "leerzeichen": "-"
}  # fmt: skip
# The letter alphabets of radio and telephone, the German one with names and with towns (DIN 5009); a word that is not
# listed stands for its first letter after "as in".
_ALPHABETS = """
    alfa alpha bravo charlie delta echo foxtrot golf hotel india juliett juliet kilo lima mike november oscar papa
    quebec romeo sierra tango uniform victor whiskey xray yankee zulu
    anton berta bertha caesar cäsar david dora emil friedrich gustav heinrich ida jakob julius kaufmann konrad ludwig
    marie marta martha nathan nordpol otto paula quelle richard rudolf samuel siegfried theodor ulrich viktor wilhelm
    xanthippe ypsilon zacharias zeppelin
    aachen berlin chemnitz düsseldorf duesseldorf essen frankfurt goslar hamburg ingelheim jena köln koeln leipzig
    münchen muenchen nürnberg nuernberg offenbach potsdam quickborn rostock salzwedel tübingen tuebingen unna völklingen
    voelklingen wuppertal xanten zwickau
"""
_ALPHABET: Mapping[str, str] = {word: word[0] for word in _ALPHABETS.split()} | {
    "ärger": "ä", "ökonom": "ö", "übermut": "ü", "eszett": "ß", "charlotte": "ch", "schule": "sch", "zed": "z",
    "zee": "z", "zett": "z", "jott": "j", "vau": "v", "ix": "x", "bee": "b", "cee": "c", "dee": "d", "eff": "f",
    "gee": "g", "aitch": "h", "haitch": "h", "jay": "j", "kay": "k", "ell": "l", "pee": "p", "cue": "q", "queue": "q",
    "ess": "s", "tee": "t", "vee": "v", "ex": "x",
}  # fmt: skip
_UMLAUTS: Mapping[str, str] = {"a": "ä", "o": "ö", "u": "ü", "aachen": "ä", "offenbach": "ö", "unna": "ü"}
# What the next character is, said before it: nothing that is asked for tells capitals from small letters.
_KINDS = frozenset({
    "capital", "letter", "digit", "figure", "buchstabe", "ziffer", "großes", "grosses", "kleines"
})  # fmt: skip
# After these "a" is an article, where a letter follows with a word for it: "it is a B as in Bravo".
_BEFORE_ARTICLES = frozenset({"is", "s", "then", "with"})
_AS_IN = frozenset({"as", "for", "like", "wie"})
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
# "twenty-two", "double-five".
_HYPHENED = re.compile(rf"\b({'|'.join((*_TENS, *_REPEATED))})[-–](?=\w)", re.IGNORECASE)
_SAID_BETWEEN = frozenset({"and", "und", "then", "dann", "again", "nochmal"})
# What is said round a value, and is no part of it: hums anywhere, the others before it or behind it.
_HUMS = frozenset({
    "ähm", "äh", "aehm", "aeh", "öhm", "erm", "uhm", "uh", "ehm", "hm", "hmm", "mhm"
})  # fmt: skip
HUMS_OF_NUMBERS = _HUMS | {"um", "er", "eh", "em"}  # words of their own elsewhere
_LEAD = frozenset({
    "my", "the", "our", "your", "number", "numbers", "code", "phone", "telephone", "mobile", "cell", "account",
    "customer", "post", "postal", "zip", "postcode", "is", "it", "that", "its", "iban", "yes",
    "yeah", "okay", "ok", "well", "so", "please", "sure", "of", "course", "would", "be", "sorry", "no", "wait",
    "meine", "mein", "die", "der", "das", "unsere", "nummer", "rufnummer", "telefonnummer", "handynummer",
    "mobilnummer", "kundennummer", "kennzeichen", "autokennzeichen", "buchungsnummer", "bestellnummer",
    "auftragsnummer", "rechnungsnummer", "plate", "licence", "license", "registration", "booking", "reference",
    "kontonummer", "postleitzahl", "plz", "telefon", "handy", "lautet", "ist", "wäre", "waere", "es", "ja", "gerne",
    "gern", "also", "bitte", "moment", "entschuldigung", "wie", "gesagt", "genau",
})  # fmt: skip
_MAIL_LEAD = _LEAD | frozenset(
    {"email", "mail", "address", "adresse", "mailadresse", "emailadresse", "i", "am", "ich", "bin"}
)
# With these a name can follow that is one of the words before.
_LEAD_ENDS = frozenset({"is", "ist", "lautet", "wäre", "waere", "s", "am", "m", "bin", ":"})
# How an address is written, said with it.
_OF_WRITING = re.compile(
    r"\b(?:(?:alles|all|komplett|in)\s+)(?:(?:und|and|in|ein|einem|one|lower|case|klein|zusammen|together|word|wort"
    r"|lowercase|geschrieben|kleingeschrieben|zusammengeschrieben)\b\s*)+"
    r"|\b(?:kleingeschrieben|zusammengeschrieben|lower\s*case)\b",
    re.IGNORECASE,
)
# Words that stand in an address by themselves only: beside others they are of a sentence round it.
_OF_SENTENCES = frozenset({
    "am", "my", "is", "address", "adresse", "alles", "everything", "meine", "mein", "lautet", "ist", "bin", "ich",
    "zusammen", "together", "geschrieben", "written", "spelled", "buchstabiert", "the", "it", "that",
})  # fmt: skip
# Digits in a row of digits; in an address words and letters.
_SOUNDS_LIKE = frozenset({"oh", "o", "to", "too", "for", "ein", "a", "nil", "hundred", "thousand"})
_BEHIND = frozenset({
    "please", "thanks", "thank", "you", "okay", "ok", "yes", "bitte", "danke", "ja", "genau", "that", "is", "it", "s"
})  # fmt: skip
_BEHIND_MAIL = frozenset({"please", "thanks", "bitte", "danke", "kleingeschrieben", "zusammengeschrieben"})
_MARKS = frozenset(",;:.!?…'’-")
# Of these some are also the first letters of an IBAN or a postcode: "NO 93".
_LETTERS = 2
_BETWEEN_GROUPS = re.compile(r"[ ./-]+")
# Of a code as it is written: more letters in a row are a word.
_MOST_LETTERS = 3


def digits(text: str) -> str | None:
    """The digits, with a leading "+" if it is said; None where a word is no digit. Separators are left out.

    What is said before and behind them ("my number is …, please"), and hums, are passed over.
    """
    found: list[str] = []
    for kind, said in _units(_bare(text), signs={"plus": "+", **_SEPARATORS}):
        if kind == "word":
            return None
        if kind == "sign" and said == "+" and not found:
            found.append("+")
        elif kind == "sign" and said not in "-./()#,;:":
            return None
        elif kind == "characters":
            if not said.isdecimal():
                return None
            found.append(said)
    return "".join(found)


def characters(text: str) -> str | None:
    """Letters and digits as said one by one, upper case ("D E eight nine"); None where a word is neither.

    What is said round them is passed over, as in digits.
    """
    found: list[str] = []
    for kind, said in _units(_bare(text), signs=_SEPARATORS_OF_CODES):
        match kind:
            case "characters":
                found.append(said)
            case "word" if len(said) == 1 or any(each.isdecimal() for each in said) or said.isupper():
                found.append(said)
            case "word":
                return None
            case _:
                continue
    return "".join(found).upper()


def code(text: str) -> str | None:
    """As characters, of what is written too ("B-MW 1234", "hh ab 12"): a licence plate, the number of a booking."""
    groups = _BETWEEN_GROUPS.split(_plain(text).strip(" ./-"))
    written = "".join(groups)
    plain = written.isalnum() and all(len(each) <= _MOST_LETTERS or not each.isalpha() for each in groups)
    if not plain or written.isalpha():
        return characters(text)
    return written if written == written.upper() else characters(text) or written.upper()


def address(text: str) -> str:
    """An e-mail address as said ("anna dot smith at example dot com"): lower case, without spaces.

    "" where words beside others show that something else is said with it.
    """
    text = _OF_WRITING.sub(" ", re.sub(r"\be[- ]mail", "email", _plain(text), flags=re.IGNORECASE))
    words = _words(re.sub(r"\b(at|ät)[- ](?:zeichen|sign)\b", r"\1", text, flags=re.IGNORECASE))
    # A lead may be the name itself, "mail at example dot com": it ends in a verb.
    lead = _lead(words, _MAIL_LEAD)
    while lead and words[lead - 1].casefold() not in _LEAD_ENDS:
        lead -= 1
    words = [word for word in _without_end(words[lead:], _BEHIND_MAIL) if word.casefold() not in _HUMS]
    units = [
        unit for unit in _units(words, signs=_SIGNS, in_address=True) if unit[0] != "sign" or unit[1] not in ",;:?!"
    ]
    kinds = ["sign", *(kind for kind, _ in units), "sign"]
    for at, (kind, said) in enumerate(units):
        if kind == "word" and said.casefold() in _OF_SENTENCES and {kinds[at], kinds[at + 2]} != {"sign"}:
            return ""
    return "".join(said for _, said in units).lower().rstrip(".")


def _words(text: str) -> list[str]:
    return _WORD.findall(_HYPHENED.sub(r"\1 ", _plain(text)))


def _plain(text: str) -> str:
    """In the characters that are compared: of full width or another script's digits become those of ASCII."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in normal)


def _bare(text: str) -> list[str]:
    """The words of a number or code, without what is said round it."""
    words = [word for word in _words(text) if word.casefold() not in HUMS_OF_NUMBERS]
    words = list(_plainly(words))
    return _without_end(words[_lead(words, _LEAD) :], _BEHIND)


def _plainly(words: list[str]) -> Iterator[str]:
    """Without articles and kinds of letters and digits, "X-ray" as one word."""
    at = 0
    while at < len(words):
        following = "".join(words[at + 1 : at + 2]).casefold()
        of_kind = words[at].casefold() in _KINDS and (
            (len(following) == 1 and following.isalnum()) or following in _ALPHABET or _digit(following) != ""
        )
        if ray := _ray_end(words, at):
            yield "xray"
        elif not of_kind and not _is_article(words, at):
            yield words[at]
        at = ray or at + 1


def _is_article(words: list[str], at: int) -> bool:
    """Whether it is that of a letter that is said with a word for it. "A", as recognisers write the letter, is none."""
    before = words[at - 1].casefold() if at else ""
    article = words[at] in ("an", "ein") or (words[at] == "a" and before in _BEFORE_ARTICLES)
    as_in = "".join(words[at + 2 : at + 3]).casefold() in _AS_IN
    return article and as_in and _example_end(words, at + 1) > 0


def _lead(words: list[str], known: frozenset[str]) -> int:
    """How many words are said before a value. known: those that may be."""
    at, mixed = 0, any(word.islower() for word in words)
    while at < len(words):
        word, following = words[at].casefold(), words[at + 1] if at + 1 < len(words) else ""
        of_it = word in ("s", "m") and at > 0 and words[at - 1] in "'’"  # "it's", "I'm"
        sigh = word in ("oh", "o") and _next_word(words, at) in known  # not the digit
        letters = len(word) == _LETTERS and (words[at].isupper() or not at) and following.isdecimal()
        # "mein Kennzeichen ist ES AB 12"
        letters = letters or (mixed and len(word) == _LETTERS and "".join(words[at : at + 2]).isupper())
        if not (word in _MARKS or of_it or sigh or (word in known and not letters)):
            break
        at += 1
    return at


def _next_word(words: list[str], at: int) -> str:
    return next((word.casefold() for word in words[at + 1 :] if word not in _MARKS), "")


def _without_end(words: list[str], known: frozenset[str]) -> list[str]:
    last = len(words)
    while last and (words[last - 1] in _MARKS or words[last - 1].casefold() in known):
        last -= 1
    return words[:last]


def _units(words: list[str], signs: Mapping[str, str], *, in_address: bool = False) -> Iterator[tuple[str, str]]:
    """Each piece of the words: ("characters", those meant), ("sign", one), ("word", one that means itself).

    in_address: words for numbers are digits there too, but not what only sounds like one, and names are no letters.
    """
    at = 0
    while at < len(words):
        word, lower = words[at], words[at].casefold()
        following = words[at + 1].casefold() if at + 1 < len(words) else ""
        if following in _AS_IN and (end := _example_end(words, at)):
            yield "characters", words[end - 1][0]
            at = end
        elif lower == "double" and following in ("u", "you"):
            yield "characters", "w"
            at += 2
        elif lower == "umlaut" and following in _UMLAUTS:
            yield "characters", _UMLAUTS[following]
            at += 2
        elif (repeated := _repetition(words, at)) is not None:
            text, used = repeated
            yield "characters", text
            at += used
        elif lower in signs:
            yield "sign", signs[lower]
            at += 1
        elif not (in_address and lower in _SOUNDS_LIKE) and (read := _number(words, at)):
            number, used = read
            yield "characters", number
            at += used
        elif word.isdecimal():
            yield "characters", word
            at += 1
        elif lower in _SAID_BETWEEN and not in_address:
            at += 1
        elif not word.isalnum():
            yield "sign", word
            at += 1
        elif lower in _ALPHABET and not in_address:
            yield "characters", _ALPHABET[lower]
            at += 1
        else:
            yield "word", word
            at += 1


def _example_end(words: list[str], at: int) -> int:
    """The index after "A as in Anton", "A for Anton", "A wie Anton", "A wie in Anton"; 0 if it is none."""
    named = at + 2 + (at + 2 < len(words) and words[at + 2].casefold() == "in")
    if named >= len(words) or not words[named].isalpha():
        return 0
    same = words[named][0].casefold() == words[at][0].casefold()
    # "four for ..." is no letter.
    return named + 1 if same and words[at].isalpha() and len(words[named]) > 1 else 0


def _ray_end(words: list[str], at: int) -> int:
    """The index after "X-ray", however it is written; 0 if it is none."""
    if words[at].casefold() != "x":
        return 0
    ray = at + 1 + (words[at + 1 : at + 2] in (["-"], ["–"]))
    return ray + 1 if "".join(words[ray : ray + 1]).casefold() == "ray" else 0


def _repetition(words: list[str], at: int) -> tuple[str, int] | None:
    """Read "double five", "Doppel-N", "zwei mal die fünf": the characters, and how many words it took."""
    lower = [word.casefold() for word in words[at : at + 4]]
    times, used = _REPEATED.get(lower[0]), 1
    if times is None and lower[1:2] in (["mal"], ["times"]) and (count := _digit(lower[0])) and count in "234":
        times, used = int(count), 2
    # "double a" is two of the letter.
    used += times is not None and lower[used : used + 1] in (["die"], ["der"], ["eine"], ["the"])
    if times is None or len(lower) <= used:
        return None
    what = lower[used]
    one = _digit(what) or (words[at + used] if len(what) == 1 and what.isalnum() else _ALPHABET.get(what, ""))
    return (one * times, used + 1) if len(one) == 1 else None


def _digit(word: str) -> str:
    """The digit that a word is; "" if it is none."""
    if found := _DIGITS.get(word):
        return found
    if len(word) == 1 and word.isdecimal():
        return word
    number = cardinal(folded(word))
    return str(number) if number is not None and number < 10 else ""


def _number(words: list[str], at: int) -> tuple[str, int] | None:
    """The digits of a number and how many words it took: "thirty two" is two, "two hundred and five" four."""
    lower = [word.casefold() for word in words[at : at + 6]]
    found = _below_100(lower)
    text, used = found or ("1", int(lower[0] == "a"))
    if (size := _SIZES.get(lower[used] if used < len(lower) else "")) and (found or lower[0] in ("a", *_SIZES)):
        number, used = int(text) * size, used + 1
        # Only what is joined to it: "eight hundred, five five" goes on with other digits.
        if lower[used : used + 1] == ["and"] and (rest := _below_100(lower[used + 1 :])) and 0 < int(rest[0]) < size:
            number, used = number + int(rest[0]), used + 1 + rest[1]
        return str(number), used
    if found is None and (german := cardinal(folded(lower[0]))) is not None:
        return str(german), 1
    return found


def _below_100(lower: list[str]) -> tuple[str, int] | None:
    """The same of English words, below a hundred."""
    if not lower:
        return None
    word = lower[0]
    if word in _TENS:
        unit = _DIGITS.get(lower[1], "0") if len(lower) > 1 else "0"
        return (_TENS[word] + unit, 2) if unit != "0" else (f"{_TENS[word]}0", 1)
    found = _TEENS.get(word) or _DIGITS.get(word)
    return (found, 1) if found else None


def said_digits(word: str) -> str:
    """The digits that one word of English or German stands for: "41" for "einundvierzig"; "" for none."""
    if (known := _below_100([word.lower()])) is not None:
        return known[0]
    number = cardinal(folded(word))
    return "" if number is None else str(number)


def repeats(word: str) -> int:
    """How often the digit after a word is meant: "double"; 0 if it does not say that."""
    return _REPEATED.get(word.lower(), 0)


def is_ten(word: str) -> bool:
    """Whether the digit after it is added to it: "forty one"."""
    return word.lower() in _TENS
