"""What days and times German words name: a table of examples."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.german import German
from tests.fsm.examples import both, nov

GERMAN = German()
MONDAY = date(2026, 11, 23)


def dec(*days: int) -> set[date]:
    return {date(2026, 12, day) for day in days}


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Donnerstag, 26. November, um 10 Uhr 30", [nov(26)]),
        ("am Donnerstag, den 26. November 2026, um 10:30 Uhr", [nov(26)]),
        ("am Donnerstag, den sechsundzwanzigsten November", [nov(26)]),
        ("am Donnerstag, dem 26.", [nov(26)]),
        ("Donnerstag der sechsundzwanzigste", [nov(26)]),
        ("am sechsundzwanzigsten", [nov(26)]),
        ("am 26.11.", [nov(26)]),
        ("am 26.11. um zehn", [nov(26)]),
        ("am 26. 11. 2027", [{date(2027, 11, 26)}]),
        ("26.11.27", [{date(2027, 11, 26)}]),
        ("am 26.11 um zehn", [nov(26)]),
        ("am sechsundzwanzigsten elften", [nov(26)]),
        ("am ersten zwölften", [dec(1)]),
        ("am dritten Dezember", [dec(3)]),
        ("am 1. Jänner", [{date(2027, 1, 1)}]),
        ("am siebten Julei", [{date(2027, 7, 7)}]),
        ("am 7. Juno", [{date(2027, 6, 7)}]),
        ("am 3. März", [{date(2027, 3, 3)}]),
        ("am 3. Maerz", [{date(2027, 3, 3)}]),
        ("am 3. Dez. um zehn", [dec(3)]),
        ("26 November", [nov(26)]),
        ("26. November zweitausendsiebenundzwanzig", [{date(2027, 11, 26)}]),
        ("26. November zwanzig siebenundzwanzig", [{date(2027, 11, 26)}]),
        ("26. November zwanzig dreißig", [nov(26)]),  # rather 20:30
        ("2026-11-26", [nov(26)]),
        ("heute", [nov(23)]),
        ("heute Morgen", [nov(23)]),
        ("Montag heute", [nov(23)]),
        ("Guten Tag, heute", [nov(23)]),
        ("heute früh", [nov(23)]),
        ("heute Abend", [nov(23)]),
        ("morgen", [nov(24)]),
        ("morgen früh", [nov(24)]),
        ("morgen Vormittag um zehn", [nov(24)]),
        ("nicht morgen", [nov(24)]),
        ("Guten Morgen", []),
        ("am Morgen", []),
        ("Guten Morgen, ja, morgen", [nov(24)]),
        ("morgen, Dienstag, den 24.", [nov(24)]),
        ("morgen, also Dienstag", [nov(24)]),
        ("morgen, Freitag", [set()]),  # it is a Tuesday
        ("übermorgen", [nov(25)]),
        ("uebermorgen", [nov(25)]),
        ("Übermorgen früh", [nov(25)]),
        ("in zwei Tagen", [nov(25)]),
        ("in drei Tage", [nov(26)]),
        ("in vierhundert Tagen", [{date(2027, 12, 28)}]),
        ("in vierhunderteins Tagen", []),
        ("in drei Wochen", [dec(14)]),
        ("in einer Woche", [nov(30)]),
        ("in acht Tagen", []),  # in a week, or in eight days
        ("heute in einer Woche", [nov(30)]),
        ("morgen in zwei Wochen", [dec(8)]),
        ("Donnerstag in einer Woche", [dec(3)]),
        ("am Donnerstag", [nov(26)]),
        ("am Donnerstagvormittag", [nov(26)]),
        ("am Donnerstagmorgen", [nov(26)]),
        ("am Sonnabend", [nov(28)]),
        ("am Samstag", [nov(28)]),
        ("am Montag", [nov(23, 30)]),
        ("diesen Donnerstag", [nov(26)]),
        ("kommenden Donnerstag", [nov(26)]),
        ("nächsten Donnerstag", [nov(26) | dec(3)]),
        ("naechsten Donnerstag", [nov(26) | dec(3)]),
        ("übernächsten Donnerstag", []),
        ("letzten Donnerstag", []),
        ("letzte Woche Donnerstag", []),
        ("letzte Woche am Donnerstag", []),
        ("am Donnerstag letzter Woche", []),
        ("am Donnerstag der vergangenen Woche", []),
        ("jeden Donnerstag", []),
        ("donnerstags", []),
        ("nächste Woche", []),
        ("nächste Woche Donnerstag", [dec(3)]),
        ("nächste Woche am Donnerstag", [dec(3)]),
        ("Donnerstag nächster Woche", [dec(3)]),
        ("am Donnerstag der nächsten Woche", [dec(3)]),
        ("diese Woche Donnerstag", [nov(26)]),
        ("übernächste Woche Montag", [dec(7)]),
        ("am Freitag dieser Woche", [nov(27)]),
        ("kommende Woche Freitag", [dec(4)]),
        ("am Freitag kommender Woche", [dec(4)]),
        ("am Freitag der kommenden Woche", [dec(4)]),
        ("am Freitag übernächster Woche", [dec(11)]),
        ("am Freitag der übernächsten Woche", [dec(11)]),
        ("in einem Tag", [nov(24)]),
        ("von Dienstag, 24. November, auf Donnerstag, 26. November", [nov(24), nov(26)]),
        ("Donnerstag oder Freitag", [nov(26), nov(27)]),
        ("Freitag, 26. November", [{date(2027, 11, 26)}]),  # it is a Thursday
        ("nicht heute, morgen", [nov(23), nov(24)]),
        ("am 31.", [dec(31)]),
        ("am fünften Dezember", [dec(5)]),
        ("der zweite Termin", []),
        ("am 32.", []),
        ("zum ersten Mal", []),
        ("um 10.", []),
        ("um 10.11.", []),
        ("10.11", []),
        ("am 29. Februar", [{date(2028, 2, 29)}]),
        ("am 31. Februar", [{date.min}]),
        ("zehn Leute", []),
        ("", []),
    ],
)
def test_days_that_are_named(text: str, days: list[set[date]]) -> None:
    assert GERMAN.dates(text, MONDAY) == days
    for before in ("bitte", "ja gut bitte"):
        assert GERMAN.dates(f"{before} {text} bitte {text} bitte", MONDAY) == 2 * days, "wherever it stands"


@pytest.mark.parametrize(
    "text",
    [
        "übermorgen", "in zwei Wochen", "morgen in zwei Wochen", "Donnerstag in einer Woche", "nächsten Donnerstag",
        "nächste Woche Donnerstag", "nächste Woche am Donnerstag", "Donnerstag nächster Woche",
        "Donnerstag der nächsten Woche", "Donnerstag, den 26. November 2026", "26. November zwanzig siebenundzwanzig",
        "Donnerstag, den sechsundzwanzigsten elften", "26.11.27",
    ],
)  # fmt: skip
def test_a_day_is_read_to_its_last_word_and_from_its_first(text: str) -> None:
    assert GERMAN.read(f"bitte {text} bitte", MONDAY, ()).rest == "bitte # bitte"


@pytest.mark.parametrize(
    ("month", "names"),
    list(enumerate(
        (
            "Januar Jänner Jan.", "Februar Feber Feb.", "März Maerz Marz Mrz.", "April Apr.", "Mai", "Juni Juno Jun.",
            "Juli Julei Jul.", "August Aug.", "September Sept. Sep.", "Oktober Okt.", "November Nov.", "Dezember Dez.",
        ),
        start=1,
    )),
)  # fmt: skip
def test_each_month_has_several_names(month: int, names: str) -> None:
    day = date(2026 if month == 12 else 2027, month, 3)
    assert [GERMAN.dates(f"am 3. {name}", MONDAY) for name in names.split()] == [[{day}]] * len(names.split())


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("am Mittwoch", nov(25) | dec(2)),
        ("nächste Woche Montag", nov(30)),
        ("nächsten Mittwoch", dec(2)),
        ("Donnerstag in einer Woche", dec(3)),
    ],
)
def test_days_that_are_named_in_the_middle_of_a_week(text: str, days: set[date]) -> None:
    assert GERMAN.dates(text, date(2026, 11, 25)) == [days]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("um elf verlegen", [both(11)]),
        ("um zehn buchen?", [both(10)]),
        ("um zehn Leute", []),
        ("halb elf", [both(10, 30)]),
        ("um halb elf", [both(10, 30)]),
        ("um halb 11 Uhr", [both(10, 30)]),
        ("halb eins", [both(0, 30)]),
        ("halb zwölf", [both(11, 30)]),
        ("halb dreizehn", []),
        ("Viertel nach neun", [both(9, 15)]),
        ("viertel vor zehn", [both(9, 45)]),
        ("viertel vor eins", [both(0, 45)]),
        ("viertel nach eins", [both(1, 15)]),
        ("viertel nach 25", []),
        ("viertel vor zehnter", []),
        ("Viertel elf", []),  # 10:15 for some, unknown to others
        ("um viertel elf", []),
        ("drei viertel elf", [both(10, 45)]),
        ("dreiviertel elf", [both(10, 45)]),
        ("dreiviertel eins", [both(0, 45)]),
        ("fünf vor halb elf", [both(10, 25)]),
        ("fünf nach halb elf", [both(10, 35)]),
        ("zehn Minuten vor zehn", [both(9, 50)]),
        ("zehn nach neun", [both(9, 10)]),
        ("10 Uhr 30", [both(10, 30)]),
        ("zehn Uhr dreißig", [both(10, 30)]),
        ("zehn Uhr dreissig", [both(10, 30)]),
        ("zehn dreißig", [both(10, 30)]),
        ("zehn Uhr fünf", [both(10, 5)]),
        ("zehn Uhr null fünf", [both(10, 5)]),
        ("ein Uhr", [both(1)]),
        ("um eins", [both(1)]),
        ("um zehn", [both(10)]),
        ("gegen zehn", [both(10)]),
        ("10 Uhr", [both(10)]),
        ("10:30 Uhr", [both(10, 30)]),
        ("10.30 Uhr", [both(10, 30)]),
        ("um 10.30.", [both(10, 30)]),
        ("um 10.11.", [both(10, 11)]),
        ("um 10.", [both(10)]),
        ("10.11", []),
        ("am 26.11. um zehn", [both(10)]),
        ("um 1030", [both(10, 30)]),
        ("sechzehn Uhr fünfundvierzig", [{time(16, 45)}]),
        ("16 Uhr 45", [{time(16, 45)}]),
        ("0 Uhr 30", [{time(0, 30)}]),
        ("24 Uhr", [{time(0)}]),
        ("25 Uhr", []),
        ("um Mitternacht", [{time(0)}]),
        ("acht Uhr morgens", [{time(8)}]),
        ("um acht am Morgen", [{time(8)}]),
        ("morgen früh um acht", [{time(8)}]),
        ("heute Morgen um acht", [{time(8)}]),
        ("morgen um acht", [both(8)]),
        ("Guten Morgen, um drei", [both(3)]),
        ("das ist zu früh, um drei", [both(3)]),
        ("am Donnerstagmorgen um acht", [{time(8)}]),
        ("am Donnerstagnachmittag um drei", [{time(15)}]),
        ("um drei am Nachmittag", [{time(15)}]),
        ("halb vier nachmittags", [{time(15, 30)}]),
        ("acht Uhr abends", [{time(20)}]),
        ("zwölf Uhr mittags", [{time(12)}]),
        ("ein Uhr mittags", [{time(13)}]),
        ("elf Uhr mittags", [{time(11)}]),
        ("zwölf Uhr nachts", [{time(0)}]),
        ("drei Uhr nachts", [{time(3)}]),
        ("elf Uhr nachts", [{time(23)}]),
        ("morgens oder abends, um zehn", [both(10)]),
        ("morgen, zehn", [both(10)]),
        ("lieber elf", [both(11)]),
        ("Wir haben von neun bis siebzehn Uhr geöffnet.", []),
        ("Wir haben von 9 Uhr bis 17 Uhr geöffnet, also um zehn?", [both(10)]),
        ("von zehn auf elf", [both(10), both(11)]),
        ("um zehn Uhr zwei Personen", [both(10)]),
        ("zehn Personen", []),
        ("auf zehn Personen", []),
        ("meine Nummer ist zehn", []),
        ("Donnerstag, 26. November", []),
        ("am dritten vierten", []),
        ("drei kleine", []),
        ("um 10:75", []),
    ],
)
def test_times_that_are_named(text: str, times: list[set[time]]) -> None:
    assert GERMAN.times(text, MONDAY) == times
    assert GERMAN.times(f"ja gut bitte {text} bitte", MONDAY) == times, "wherever it stands"


def test_numbers_and_umlauts_are_compared_however_they_are_written() -> None:
    assert GERMAN.words("einundzwanzig, zwo, ein Uhr, ein Termin") == ("21", "2", "1", "uhr", "ein", "termin")
    assert GERMAN.words("Für Müller, zwölf") == GERMAN.words("fuer Mueller, 12") == ("fuer", "mueller", "12")
    assert GERMAN.words("fu\u0308r") == ("fuer",)
    assert GERMAN.words("26.11.2026") == ("26", "11", "2026") == GERMAN.words("26. 11. 2026")
    assert GERMAN.words("007") == ("007",)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Am 26. November um 10. Soll ich buchen?", ["am 26. november um 10.", "soll ich buchen?"]),
        ("Den 26. um zehn. Passt das?", ["den 26. um zehn.", "passt das?"]),
        ("Um 10:30. Passt das?", ["um 10:30.", "passt das?"]),
        ("Gut. Danke!", ["gut.", "danke!"]),
        ("Am 26. ", ["am 26. "]),
        ("", []),
    ],
)
def test_the_dot_of_an_ordinal_ends_no_sentence(text: str, sentences: list[str]) -> None:
    assert [each.strip() for each in GERMAN.sentences(text)] == [each.strip() for each in sentences]


@pytest.mark.parametrize(
    ("text", "phrases", "named", "rest"),
    [
        ("Freitag, nicht Ada", ["Ada Freitag"], set(), "# nicht ada"),
        ("Ada Freitag am Freitag", ["Ada Freitag"], {"Ada Freitag"}, "# am #"),
        ("für Frau Müller", ["Müller"], {"Müller"}, "fuer frau #"),
        ("Der Code ist eins zwei zwei fünf.", ["1225"], {"1225"}, "der code ist #"),
        ("null drei null, doppel fünf, einundzwanzig", ["030 55 21"], {"030 55 21"}, "#"),
        ("null drei null, doppel fünf, zwölf", ["030 55 21"], set(), "0 3 0 doppel 5 12"),
        ("geht's morgen früh um zehn?", [], set(), "geht es # um # ?"),
    ],
)
def test_a_text_is_its_values_and_its_other_words(text: str, phrases: list[str], named: set[str], rest: str) -> None:
    reading = GERMAN.read(text, MONDAY, phrases)
    assert (set(reading.phrases), reading.rest) == (named, rest)


@pytest.mark.parametrize(
    "text",
    ["", "Äh.", "Ähm, hm.", "[Husten]", "*hust*", "Hatschi!", "[unverständlich]", "Untertitel der Amara.org-Community"],
)
def test_hums_and_imagined_subtitles_are_no_words(text: str) -> None:
    assert GERMAN.wordless(text)


@pytest.mark.parametrize("text", ["Ja.", "Hm, nein.", "Um zehn.", "Danke."])
def test_words_are_words(text: str) -> None:
    assert not GERMAN.wordless(text)


@pytest.mark.parametrize(
    "text",
    ["Tschüss!", "Vielen Dank, auf Wiederhören.", "Danke, Ihnen auch einen schönen Tag.", "Ja, danke.", "Das war's.",
     "Okay, bis dann.", "Ja, ich warte.", "Danke, ich bleibe dran.", "Das wäre nett."],
)  # fmt: skip
def test_thanks_and_goodbyes_ask_for_nothing(text: str) -> None:
    assert GERMAN.parting(text)


@pytest.mark.parametrize(
    "text",
    [
        "Danke, aber ich habe noch eine Frage.",
        "Nein.",
        "Moment!",
        "",
        "Warten Sie.",
        "Ich warte bis morgen früh um zehn.",
    ],
)
def test_other_words_are_no_goodbye(text: str) -> None:
    assert not GERMAN.parting(text)


PIECES = [
    "der", "26.", "um", "zehn", "vor", "nach", "halb", "10", ":", ".", "morgen", "nächsten", "donnerstag", "november",
    "mai", "in", "einer", "woche", "viertel", "drei", "99999", "31.", "11.", "früh", "uhr", "hundert",
]  # fmt: skip


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_any_text_can_be_read(text: str) -> None:
    for each in GERMAN.sentences(text):
        assert all(isinstance(one, frozenset) for one in GERMAN.dates(each, MONDAY) + GERMAN.times(each, MONDAY))
        list(GERMAN.claims_in(each))
    GERMAN.agrees(GERMAN.read(text, MONDAY, ("26", "halb elf")).rest, "soll ich ihn buchen ?")
    GERMAN.wordless(text)
    GERMAN.words(text)


def test_every_day_and_time_is_read_back_as_it_is_written() -> None:
    names = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
    months = (
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
        "Dezember",
    )  # fmt: skip
    for ahead in range(365):
        day = MONDAY + timedelta(days=ahead)
        said = f"{names[day.weekday()]}, {day.day}. {months[day.month - 1]}"
        assert GERMAN.dates(said, MONDAY) == [{day}], said
        assert GERMAN.dates(f"am {day.day}.{day.month}.", MONDAY) == [{day}]
    for minutes in range(0, 24 * 60, 7):
        at = time(*divmod(minutes, 60))
        for said in (f"um {at.hour} Uhr {at.minute}", f"{at.hour}:{at.minute:02} Uhr"):
            assert at in GERMAN.times(said, MONDAY)[0], said
