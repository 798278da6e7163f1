"""Which German words read back what is to be done, and which are a yes to it: tables of examples.

The model is taken to confirm each time, so a wrong one here is a booking that nobody agreed to.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import pytest

from fsm.consent import Readback, Reply, Spoken, readback_of, reply, states
from fsm.german import German
from fsm.german_consent import declines
from tests.fsm.examples import cases, lines

GERMAN = German()
WEDNESDAY, THURSDAY, FRIDAY = date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 27)


def _readback(sentence: str, template: str, **values: object) -> Readback:
    return replace(readback_of(template, values, (1,), {}), sentence=sentence)


BOOK = _readback(
    "Donnerstag, 26. November, um 10 Uhr 30, auf den Namen Jan Müller. Soll ich den Termin buchen?",
    "{day} {at} {name}", day=THURSDAY, at=time(10, 30), name="Jan Müller",
)  # fmt: skip
CANCEL = _readback(
    "Ihr Termin am Donnerstag, 26. November, um 10 Uhr 30. Soll ich ihn absagen?",
    "{day} {at}", day=THURSDAY, at=time(10, 30),
)  # fmt: skip
MOVE = _readback(
    "Ich verlege Ihren Termin von Donnerstag, 26. November, um 10 Uhr 30 auf Freitag, 27. November, um 11 Uhr. "
    "Ist das richtig?",
    "{was_day} {was_at} {day} {at}", was_day=THURSDAY, was_at=time(10, 30), day=FRIDAY, at=time(11),
)  # fmt: skip


def _states(readback: Readback, *said: str) -> bool:
    return states(readback, [Spoken(each, True, WEDNESDAY) for each in said], GERMAN)


def _reply(readback: Readback, words: str) -> Reply:
    return reply(readback, words, WEDNESDAY, GERMAN)


READ_BACK = {
    "book": (
        BOOK,
        """
        Donnerstag, 26. November, um 10 Uhr 30, auf den Namen Jan Müller. Soll ich den Termin buchen?
        Donnerstag, den 26. November, um halb elf, auf den Namen Jan Müller. Soll ich den Termin buchen?
        Morgen um halb elf für Jan Müller. Ist das richtig?
        Morgen, halb elf, Jan Mueller. Stimmt das so?
        Also morgen um zehn Uhr dreißig für Jan Müller. Passt das?
        Am Donnerstag, den sechsundzwanzigsten November, um halb elf für Jan Müller. Ist das so in Ordnung?
        Am 26.11. um 10:30 Uhr für Jan Müller. Soll ich das buchen?
        Gut, dann buche ich morgen um halb elf einen Termin für Jan Müller. Einverstanden?
        Soll ich den Termin am Donnerstag, den 26. November, um 10:30 Uhr für Jan Müller buchen?
        Darf ich morgen um halb elf für Jan Müller eintragen?
        Möchten Sie Donnerstag, 26. November, um 10 Uhr 30 für Jan Müller reservieren?
        Ich wiederhole: Donnerstag, 26. November, um 10 Uhr 30, Jan Müller. Ist alles richtig?
        Zur Sicherheit noch einmal: Das wäre morgen früh um halb elf für Jan Müller. Richtig?
        Zur Sicherheit: Das wäre morgen früh um halb elf für Jan Müller. Richtig?
        Sehr gerne, also Donnerstag um 10 Uhr 30 für Herrn Jan Müller. Bestätigen Sie das?
        Bitte antworten Sie mit Ja oder Nein. Morgen um halb elf für Jan Müller. Soll ich ihn buchen?
        """,
    ),
    "cancel": (
        CANCEL,
        """
        Ihr Termin am Donnerstag, 26. November, um 10 Uhr 30. Soll ich ihn absagen?
        Ihr Termin ist am Donnerstag um halb elf. Soll ich ihn stornieren?
        Sie haben einen Termin am Donnerstag, 26. November, um 10:30 Uhr. Soll ich ihn für Sie absagen?
        Ich habe Ihren Termin morgen um halb elf gefunden. Soll ich ihn löschen?
        Also, ich sage Ihren Termin am Donnerstag um 10 Uhr 30 ab. Ist das richtig?
        Möchten Sie den Termin am 26. November um 10:30 Uhr absagen?
        """,
    ),
    "move": (
        MOVE,
        """
        Soll ich Ihren Termin von morgen um halb elf auf Freitag um elf verlegen?
        Ich verlege Ihren Termin von Donnerstag um halb elf auf Freitag um elf. Ist das richtig?
        Soll ich Ihren Termin von morgen um halb elf auf Freitag, den 27. November, um 11 Uhr verschieben?
        Ich verschiebe den Termin vom 26. November um 10:30 Uhr auf den 27. November um 11 Uhr. Stimmt das?
        """,
    ),
}
NO_READ_BACK = {
    "book": (
        BOOK,
        """
        Donnerstag, 26. November, um 10 Uhr 30, für Jan Müller.
        Donnerstag, 26. November, um 10 Uhr 30, für Jan Müller. Soll ich den Termin nicht buchen?
        Donnerstag, 26. November, um 10 Uhr 30 ist leider vergeben, Jan Müller. Soll ich weiter suchen?
        Sie haben am Donnerstag, 26. November, um 10 Uhr 30 einen Termin, Jan Müller. Ist das richtig?
        Donnerstag, 26. November, um 10 Uhr 30 oder um elf für Jan Müller. Soll ich buchen?
        Donnerstag, 26. November, um 10 Uhr 30 für Jan Müller und Eva Müller. Soll ich buchen?
        Donnerstag, 26. November, um viertel elf für Jan Müller. Soll ich buchen?
        Donnerstag, 26. November, gegen 10 Uhr 30 für Jan Müller. Soll ich buchen?
        Donnerstag, 26. November, um 10 Uhr 30 für Jan Müller kostet 90 Euro. Soll ich buchen?
        Donnerstag, 26. November, um 10 Uhr 30 für Jan Müller. Soll ich ihn absagen?
        Donnerstag, 26. November, um 10 Uhr 30 für Jan Müller. Soll ich ihn verschieben?
        Donnerstag, 26. November, um 10 Uhr 30 für Jan Müller. Sind Sie noch da?
        Donnerstag, 26. November, um 10 Uhr 30 für Jan Müller. Ist das Ihr erster Besuch?
        Donnerstag, 26. November, um 11 Uhr 30 für Jan Müller. Soll ich buchen?
        Nächsten Donnerstag um 10 Uhr 30 für Jan Müller. Soll ich buchen?
        Dienstag, 26. November, um 10 Uhr 30 für Jan Müller. Soll ich buchen?
        Donnerstag, 26. November, um 10 Uhr 30. Soll ich den Termin buchen?
        Donnerstag, 26. November, für Jan Müller. Soll ich den Termin buchen?
        Soll ich den Termin buchen?
        Ist das richtig?
        Thursday 26 November at 10:30 for Jan Müller. Shall I book it?
        """,
    ),
    "cancel": (
        CANCEL,
        """
        Ihr Termin am Donnerstag um halb elf. Ist das richtig?
        Ihr Termin am Donnerstag um halb elf. Soll ich ihn behalten?
        Ihr Termin am Donnerstag um halb elf. Soll ich ihn nicht absagen?
        Ihr Termin am Freitag um halb elf. Soll ich ihn absagen?
        Ihr Termin am Donnerstag um halb elf. Soll ich ihn verlegen?
        """,
    ),
    "move": (
        MOVE,
        """
        Ich verlege Ihren Termin von Freitag um elf auf Donnerstag um halb elf. Ist das richtig?
        Ich verlege Ihren Termin auf Donnerstag um halb elf von Freitag um elf. Ist das richtig?
        Donnerstag um halb elf, Freitag um elf. Ist das richtig?
        Ich buche Donnerstag um halb elf und Freitag um elf. Ist das richtig?
        Ich verlege Ihren Termin auf Freitag um elf. Ist das richtig?
        """,
    ),
}


@pytest.mark.parametrize(("readback", "said"), cases(READ_BACK))
def test_a_paraphrase_of_what_is_offered_reads_it_back(readback: Readback, said: str) -> None:
    assert _states(readback, said)


@pytest.mark.parametrize(("readback", "said"), cases(NO_READ_BACK))
def test_words_that_say_anything_else_read_nothing_back(readback: Readback, said: str) -> None:
    assert not _states(readback, said)
    assert not _states(readback, f"Gut. {said}")


@pytest.mark.parametrize("after", ["Möchten Sie erinnert werden?", "Der ist gerade weg.", "Oder Freitag?", "Nein."])
def test_what_is_said_after_a_read_back_takes_it_away(after: str) -> None:
    assert not _states(BOOK, BOOK.sentence, after)
    assert _states(BOOK, BOOK.sentence, after, BOOK.sentence)


@pytest.mark.parametrize(
    "name", ["Anna Freitag", "Jan Halb", "Eva Morgen", "Otto Mai", "Karl Elf", "Dr. Weiß", "Über Sön-Groß", "Nein"]
)
def test_a_name_of_any_words_is_read_back(name: str) -> None:
    sentence = BOOK.sentence.replace("Jan Müller", name)
    readback = Readback((1,), {}, sentence, BOOK.dates, BOOK.times, (name,))
    assert _states(readback, sentence)
    assert not _states(readback, sentence.replace("10 Uhr 30", "11 Uhr"))
    assert _reply(readback, "Ja, bitte.") is Reply.YES


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("Ein Rückruf um 11 Uhr. Soll ich das veranlassen?", "Also ein Rückruf um elf. Soll ich das veranlassen?"),
        ("Ich bestelle um 11 Uhr ein Taxi. Einverstanden?", "Um elf bestelle ich ein Taxi. Ist das richtig?"),
    ],
)
def test_other_acts_have_the_words_of_their_own_sentence(own: str, said: str) -> None:
    readback = Readback((1,), {}, own, times=(time(11),))
    assert _states(readback, own)
    assert _states(readback, said) == ("Taxi" not in said)  # its words in another order are none that are known
    assert not _states(readback, said.replace("elf", "zwölf"))


def test_what_ends_a_contract_has_to_be_named_and_praise_does_not_agree_to_it() -> None:
    own = "Ihr Vertrag zum 26. November. Soll ich ihn kündigen?"
    readback = Readback((1,), {}, own, dates=(THURSDAY,))
    assert _states(readback, own)
    assert _states(readback, "Ihr Vertrag zum sechsundzwanzigsten November. Soll ich ihn für Sie kündigen?")
    assert not _states(readback, "Ihr Vertrag zum 26. November. Ist das richtig?")
    assert _reply(readback, "Ja, kündigen Sie ihn.") is Reply.YES
    assert _reply(readback, "Das passt.") is not Reply.YES
    assert _reply(readback, "Der 26. November, prima.") is not Reply.YES


# --- what the caller answers ---

YES = """
Ja.
Ja, bitte.
Ja bitte.
Ja, danke.
Ja, gerne.
Ja, gern, danke.
Ja, genau.
Ja, ja.
Ja, das stimmt.
Ja, das ist richtig.
Ja, richtig.
Ja, das ist korrekt so.
Ja, ist okay.
Ja, machen Sie das bitte.
Ja, so machen wir das.
Ja, alles klar.
Ja, das wär's, danke.
Äh, ja.
Ähm, ja, bitte.
Ach ja, gerne.
Also ja.
Mhm.
Mhm, ja.
Jawohl.
Jep.
Jo.
Genau.
Genau so.
Ganz genau.
Richtig.
Korrekt.
Stimmt.
Stimmt so.
Stimmt genau.
Gern.
Gerne.
Sehr gerne.
Sehr gern, danke.
Gerne doch.
Klar.
Na klar.
Alles klar.
Okay.
OK, danke.
Okay?
In Ordnung.
Geht in Ordnung.
Das ist in Ordnung.
Einverstanden.
Ich bin einverstanden.
Damit bin ich einverstanden.
Gut.
Ja, gut.
Sehr gut.
Ist gut.
Das ist gut so.
Das wäre super.
Das wäre nett.
Prima, danke.
Super.
Perfekt, vielen Dank.
Wunderbar.
Auf jeden Fall.
Natürlich.
Selbstverständlich.
So ist es.
Machen Sie das.
Ja, tun Sie das.
Ja, das können Sie so machen.
Ja, machen das.
Bestätigt.
Ja, danke schön, bis dann.
Das klingt gut.
Hört sich gut an.
Ich bestätige das.
Ich habe ja gesagt.
Ich habe doch schon Ja gesagt.
Guten Morgen, ja bitte.
Ja, und dann verbinden Sie mich bitte.
Ja bitte. Danke, tschüss.
[Husten] Ja.
Ja, morgen.
Ja, morgen um halb elf.
Ja, am Donnerstag um zehn Uhr dreißig.
Ja, am 26.11. um halb elf.
Ja, genau, am Donnerstag, den sechsundzwanzigsten, um halb elf.
Ja, morgen früh um halb elf, bitte.
Ja, doch.
Ja, alles richtig.
Das ist alles richtig so.
Stimmt alles.
So stimmt's.
So ist das richtig.
Ja, ist in Ordnung.
Ja, das ist für mich okay.
Das ist mir recht.
Das geht klar.
Aber ja.
Aber natürlich.
Na sicher.
Ja, absolut.
Definitiv.
Das wär super.
Das machen wir so.
Ja, machen Sie mal.
Ja, können Sie machen.
Ja, das haben Sie richtig verstanden.
Ja, wie besprochen.
Yes, bitte.
"""
YES_TO_NOTE = """
Ja, das stimmt alles.
Ja, ja, passt schon.
Ja, tragen Sie das so ein.
Ja, das können Sie so eintragen.
Ja, notieren Sie das bitte so.
Ja gerne, nehmen Sie das so auf.
"""
YES_TO_BOOK = """
Passt.
Ja, passt.
Das passt.
Das passt mir gut.
Passt mir.
Passt so.
Ja, das geht.
Halb elf passt gut.
Donnerstag ist gut.
Halb elf wäre super.
Den nehme ich.
Ich nehme den Termin.
Ja, so passt es.
Donnerstag passt es mir gut.
Es geht bei mir.
Ja, das würde mir passen.
Ja, nehm ich.
Buchen Sie den.
Ja, buchen Sie ihn bitte.
Ja, bitte buchen.
Ja, buchen Sie den Termin.
Ja, tragen Sie mich ein.
Ich möchte den Termin buchen.
Ja, für Jan Müller.
Ja, Jan Mueller.
"""
YES_TO_CANCEL = """
Ja, sagen Sie ihn ab.
Bitte absagen.
Ja, absagen bitte.
Ja, ich möchte den Termin absagen.
Stornieren Sie ihn bitte.
"""
YES_TO_MOVE = """
Ja, verlegen Sie ihn.
Bitte verschieben.
Ja, auf Freitag um elf.
Ja, von Donnerstag auf Freitag.
Freitag um elf ist perfekt.
"""
NO_YES = """
Nein.
Nee.
Nö.
Nein danke.
Nein, danke, passt schon.
Lieber nicht.
Ja, lieber nicht.
Ja, nein.
Nein, ja.
Ja... nein.
Ja nee.
Stimmt nicht.
Das stimmt nicht.
Das stimmt so nicht.
Das ist nicht richtig.
Das ist falsch.
Passt nicht.
Das passt mir nicht.
Passt schon.
Geht so.
Es geht.
Es geht mir gut, danke.
Geht das.
Passt es.
Passt es so.
Das ist es ja.
Ja, das ist es ja gerade.
Ich habe ja
Mhm?
Ist gut jetzt.
Jein.
Von mir aus nicht.
Können Sie machen.
Alles gut.
Schon gut.
Ist schon okay.
Ist okay, danke.
Ist lieb, danke.
Das ist nett.
Das ist schön.
Das ist okay.
Nicht ganz.
Noch nicht.
Auf keinen Fall.
Ja, aber lieber elf.
Ja, aber um elf.
Ja, aber
Ja, oder?
Ja, um zwölf.
Ja, am Samstag.
Ja, übermorgen um halb elf.
Ja, um viertel elf.
Ja, gegen elf.
Ja, nächsten Donnerstag.
Ja, für Eva Müller.
Ja, für meine Frau.
Ja, und noch einen um elf.
Ja?
Ja, bitte?
Wie bitte?
Bitte?
Bitte.
Ist das richtig?
Wirklich? Ja.
Sind Sie sicher?
Passt das?
Ja, hallo.
Hallo?
Ja, ich bin noch dran.
Ja, ich höre Sie.
Ja, am Apparat.
Ach so.
Na ja.
Naja.
Na gut, wenn es sein muss.
Danke.
Vielen Dank.
Bis dann.
Das können Sie nicht machen.
Können Sie das so machen?
Können Sie das so machen.
Was können Sie machen?
Danke, das ist alles.
Okay, tschüss.
Okay, bis dann.
Ja, [unverständlich].
Super, bis dann.
Gut, auf Wiederhören.
Guten Morgen.
Guten Tag.
Gute Frage.
Ich glaube ja.
Ich denke schon.
Wahrscheinlich ja.
Vielleicht.
Ich weiß nicht.
Mein Mann sagt ja.
Ich sage nicht ja.
Sagen Sie ja?
Doch.
Ja, doch nicht.
Ja, wenn es sein muss.
Ja, und was kostet das?
Ja, einen Moment.
Moment, ja.
Kann ich auch später kommen?
Verbinden Sie mich mit einem Menschen.
Yes, no.
Eben.
Mit
Das ist
Ich möchte
Um
"""


NOTE = Readback((1,), {}, "Eine Nachricht an 4711. Ist das richtig?", phrases=("4711",))
CLOSING = Readback((1,), {}, "Soll ich Ihren Vertrag 4711 kündigen?", phrases=("4711",))
NOT_A_YES_TO_A_MOVE = """
Das möchte ich ändern.
Ja gut, das möchte ich ändern.
Bitte ändern.
Ändern Sie den Termin.
Ich möchte den Termin verschieben.
"""
NOT_A_YES_TO_A_CANCELLATION = """
Ja, tragen Sie das so ein.
Der Termin ist gut.
Ja, der Termin ist gut.
Genau, der Termin ist richtig.
Ja, Donnerstag um halb elf ist gut.
Streichen Sie das.
Löschen Sie das.
Das möchte ich streichen.
"""
NOT_A_YES_TO_ANOTHER_ACT = """
Das passt mir gut.
Den nehme ich.
Ich nehme das.
4711 ist gut.
"""
UNFINISHED_OR_DOUBTFUL = """
Nun ja.
Nun ja, gut.
So ja.
Geht so.
Ja, geht so.
Ja, und dann
Ja, ähm
Ja, äh ...
Ach ja.
Stimmt ja.
Ich habe ja.
Das geht ja.
Das passt ja gut.
Toll.
"""


@pytest.mark.parametrize(
    ("readback", "words"),
    [
        *((MOVE, words) for words in lines(NOT_A_YES_TO_A_MOVE)),
        *((CANCEL, words) for words in lines(NOT_A_YES_TO_A_CANCELLATION)),
        *((CLOSING, words) for words in lines(NOT_A_YES_TO_ANOTHER_ACT)),
        *((each, words) for each in (BOOK, CANCEL, CLOSING) for words in lines(UNFINISHED_OR_DOUBTFUL)),
    ],
)
def test_what_another_act_or_a_doubt_would_be_is_no_yes(readback: Readback, words: str) -> None:
    assert _reply(readback, words) is not Reply.YES


@pytest.mark.parametrize(
    ("readback", "words"),
    [
        (MOVE, "Ja, verlegen Sie ihn bitte."),
        (MOVE, "Das passt mir gut."),
        (CANCEL, "Ja, sagen Sie ihn ab."),
        (CANCEL, "Ja, sag ihn ab."),
        (CLOSING, "Ja, kündigen Sie ihn."),
        (CLOSING, "Ja, das können Sie so kündigen."),
        (BOOK, "Ja, trag das ein."),
        (BOOK, "Ja, alles richtig."),
        (BOOK, "Aber sicher!"),
        (BOOK, "Na gut."),
        (BOOK, "Ja, das will ich."),
    ],
)
def test_a_yes_may_name_the_act(readback: Readback, words: str) -> None:
    assert _reply(readback, words) is Reply.YES


@pytest.mark.parametrize("said", ["4711?", "4711, stimmt das?", "Ihren Vertrag 4711. Ist das richtig?"])
def test_an_act_that_nobody_here_knows_must_be_named(said: str) -> None:
    assert _states(CLOSING, CLOSING.sentence)
    assert not _states(CLOSING, said)


@pytest.mark.parametrize("words", lines(YES))
@pytest.mark.parametrize("readback", [BOOK, CANCEL], ids=["book", "cancel"])
def test_a_yes_is_one_to_anything(readback: Readback, words: str) -> None:
    assert _reply(readback, words) is Reply.YES


@pytest.mark.parametrize(
    ("readback", "words"),
    [*((BOOK, each) for each in lines(YES_TO_BOOK)), *((NOTE, each) for each in lines(YES_TO_NOTE)),
     *((CANCEL, each) for each in lines(YES_TO_CANCEL)),
     *((MOVE, each) for each in lines(YES_TO_MOVE))],
)  # fmt: skip
def test_what_agrees_to_one_act_is_a_yes_to_it(readback: Readback, words: str) -> None:
    assert _reply(readback, words) is Reply.YES


@pytest.mark.parametrize("words", lines(NO_YES))
@pytest.mark.parametrize("readback", [BOOK, CANCEL, MOVE], ids=["book", "cancel", "move"])
def test_anything_else_is_no_yes(readback: Readback, words: str) -> None:
    assert _reply(readback, words) is not Reply.YES


@pytest.mark.parametrize(
    "words", ["Ich möchte das ändern.", "Bitte ändern.", "Ändern Sie das.", "Können wir das ändern."]
)
def test_a_change_of_what_is_read_back_is_no_yes_to_a_move(words: str) -> None:
    """ "Ändern" is a verb of moving too, and what is meant may be the day that was read back."""
    assert _reply(MOVE, words) is not Reply.YES


@pytest.mark.parametrize(
    "words", ["Das passt mir gut.", "Donnerstag ist gut.", "Den nehme ich.", "Ja, buchen Sie ihn.", "Passt."]
)
def test_what_praises_an_appointment_does_not_agree_to_cancel_it(words: str) -> None:
    assert _reply(CANCEL, words) is not Reply.YES


@pytest.mark.parametrize(
    "words",
    ["Ich weiß nicht.", "Weiß ich noch nicht.", "Vielleicht.", "Moment bitte.", "Einen kleinen Moment.",
     "Da muss ich mal überlegen.",
     "Äh, ich bin mir nicht sicher.", "Na ja.", "Warten Sie mal."],
)  # fmt: skip
def test_who_hesitates_has_not_answered(words: str) -> None:
    assert _reply(BOOK, words) is Reply.UNDECIDED


@pytest.mark.parametrize("words", ["nein", "ja nein", "lieber nicht", "nee du", "das ist falsch", "keinen termin"])
def test_a_no_is_seen_among_other_words(words: str) -> None:
    assert declines(words)


@pytest.mark.parametrize("words", ["ja", "passt", "ja aber", "genau"])
def test_where_there_is_no_no(words: str) -> None:
    assert not declines(words)


@pytest.mark.parametrize(
    ("words", "is_bare"),
    [
        ("Nein.", True),
        ("Äh, nee, nein.", True),
        ("Nö!", True),
        ("Nein, Donnerstag.", False),
        ("Ja, nein.", False),
        ("Nicht.", False),
    ],
)
def test_a_no_and_nothing_else_is_told_from_other_answers(words: str, is_bare: bool) -> None:
    assert (_reply(BOOK, words) is Reply.NO) is is_bare
