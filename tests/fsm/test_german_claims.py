"""German statements that something was done: which words are one, and which are none."""

from __future__ import annotations

import pytest

from fsm.claims import ANY_DEED, Deed, deeds_in, literal
from fsm.english import English
from fsm.german import German
from fsm.german_claims import denial
from fsm.locales import locale_of

B, C, M = Deed.BOOKED, Deed.CANCELLED, Deed.MOVED


@pytest.mark.parametrize(
    ("words", "deeds"),
    [
        ("Ihr Termin am Donnerstag, 26. November, um 10 Uhr 30 ist gebucht.", {B}),
        ("Super, Ihr Termin für morgen um zehn ist gebucht. Kann ich sonst noch etwas tun?", {B}),
        ("Der Termin ist jetzt für Sie gebucht.", {B}),
        ("Ihr Termin wurde eingetragen.", {B}),
        ("Es ist gebucht.", {B}),
        ("Er ist für Sie reserviert.", {B}),
        ("Ich habe Ihren Termin am Freitag um elf gebucht.", {B}),
        ("Ich habe Sie für Donnerstag um zehn eingetragen.", {B}),
        ("Ich habe das für Sie gebucht.", {B}),
        ("Damit habe ich Sie für Donnerstag vorgemerkt.", {B}),
        ("Wir haben Ihren Termin reserviert.", {B}),
        ("Sie sind für Donnerstag eingetragen.", {B}),
        ("Gebucht!", {B}),
        ("Gebucht ist er.", {B}),
        ("So, ist gebucht.", {B}),
        ("Alles klar, schon gebucht.", {B}),
        ("Ich kann Ihnen bestätigen, dass Ihr Termin gebucht ist.", {B}),
        ("Am Freitag um elf ist Ihr Termin gebucht.", {B}),
        ("Kein Problem, Ihr Termin ist abgesagt.", {C}),
        ("Ihr Termin am Donnerstag wurde storniert.", {C}),
        ("Ich habe ihn abgesagt.", {C}),
        ("Ich habe Ihren Termin gelöscht.", {C}),
        ("Ihr Termin ist auf Freitag, 27. November, um 11 Uhr verlegt.", {M}),
        ("Ich habe Ihren Termin auf Freitag verschoben.", {M}),
        ("Ihr Termin ist jetzt am Freitag um elf.", {M}),
        ("Ihre Buchung ist bestätigt.", ANY_DEED),
        ("Alles erledigt.", ANY_DEED),
        ("Das ist erledigt.", ANY_DEED),
        ("Das hat geklappt.", ANY_DEED),
        ("Ihr Termin ist schon gebucht.", {B}),
        ("Danke, Jan. Ihr Termin ist gebucht; bis morgen.", {B}),
        ("Der Termin steht.", {B}),
        ("Leider war elf Uhr nicht frei, ich habe Sie um zehn eingetragen.", {B}),
        ("Elf Uhr kann ich nicht buchen, deshalb habe ich Sie um zehn eingetragen.", {B}),
        ("Ihr Termin am Donnerstag um zehn steht fest, bis dann!", {B}),
        ("Super, damit steht Ihr Termin.", {B}),
        ("So, das wäre gebucht.", {B}),
        ("Das wäre damit erledigt!", ANY_DEED),
        ("Ich habe den Termin angelegt.", {B}),
        ("Die Stornierung ist erfolgt.", ANY_DEED),
        ("Ihre Buchung war erfolgreich.", ANY_DEED),
        ("Alles fertig.", ANY_DEED),
        ("Ihr Termin ist jetzt Freitag um elf.", {M}),
        ("Ihr neuer Termin ist am Freitag um elf.", {B, M}),
        ("Der neue Termin ist am Freitag um elf.", {B, M}),
        ("Sie stehen im Kalender.", {B}),
        ("Der Termin ist fix.", {B}),
        ("Das ist jetzt fest.", {B}),
        ("Der Termin gehört Ihnen.", {B}),
        ("Hab's gebucht.", {B}),
        ("Sie haben jetzt einen Termin am Donnerstag um zehn.", {B}),
        ("Hat geklappt.", ANY_DEED),
        ("Termin bestätigt.", ANY_DEED),
        ("Der Termin ist raus.", {C}),
        ("Sie haben keinen Termin mehr.", {C}),
        ("Ich konnte den Termin für Sie buchen.", {B}),
        ("Den Termin konnte ich absagen.", {C}),
        ("Wir konnten ihn auf Freitag verschieben.", {M}),
        ("Ich habe Ihren Termin auf Freitag gelegt.", {M}),
        ("Ihr Termin ist hiermit aufgehoben.", {C}),
        ("Ihr Termin am Donnerstag entfällt.", {C}),
        ("Ihr Termin wäre dann gebucht.", {B}),
        ("Sie stehen für morgen um zehn im Kalender.", {B}),
        ("Sie sind für morgen um zehn angemeldet.", {B}),
        ("Der Termin um zehn gehört Ihnen.", {B}),
        ("Der Platz ist Ihnen sicher.", {B}),
        ("So, das hätten wir.", ANY_DEED),
        ("Das ist unter Dach und Fach.", ANY_DEED),
        ("Wie gewünscht habe ich den Termin abgesagt.", {C}),
        ("Ich kann Ihnen sagen, dass Ihr Termin gebucht ist.", {B}),
    ],
)
def test_a_statement_that_something_was_done(words: str, deeds: set[Deed]) -> None:
    assert deeds_in(words, German()) == deeds


@pytest.mark.parametrize(
    "words",
    [
        "Soll ich den Termin buchen?",
        "Donnerstag, 26. November, um 10 Uhr, auf den Namen Jan Müller. Soll ich den Termin buchen?",
        "Ist er gebucht?",
        "Wurde Ihr Termin abgesagt?",
        "Ihr Termin ist noch nicht gebucht.",
        "Es ist noch nichts gebucht.",
        "Gebucht ist er noch nicht.",
        "Ich habe nichts gebucht.",
        "Ich konnte ihn nicht absagen.",
        "Sobald der Termin gebucht ist, bekommen Sie einen Code.",
        "Ihr Termin ist gebucht, sobald Sie ja sagen.",
        "Wenn er storniert ist, können Sie neu buchen.",
        "Er wird gleich gebucht.",
        "Das werde ich für Sie gebucht haben.",
        "Ich kann das für Sie eintragen.",
        "10 Uhr ist leider schon gebucht.",
        "Dieser Montag ist schon reserviert, geht es am Dienstag?",
        "Leider ist der Termin schon vergeben.",
        "Wir sind am Montag ausgebucht.",
        "Sie sagten, Ihr Termin sei gebucht.",
        "Ich habe verstanden, dass Sie ihn abgesagt haben möchten.",
        "Ich prüfe, ob er gebucht ist.",
        "Sie möchten ihn storniert haben, ist das richtig?",
        "Sie haben den Termin gebucht.",
        "Welcher Termin soll verlegt werden?",
        "Ihr Termin am Donnerstag um 10 Uhr 30. Soll ich ihn absagen?",
        "Ich verlege Ihren Termin von Donnerstag auf Freitag. Ist das richtig?",
        "In Ordnung, ich buche nichts. Kann ich sonst noch etwas für Sie tun?",
        "In Ordnung, Ihr Termin bleibt, wie er ist.",
        "Es tut mir leid, ich kann nicht sagen, ob das geklappt hat.",
        "Es tut mir leid, das hat nicht geklappt.",
        "Dieser Termin wurde inzwischen abgesagt oder verlegt.",
        "Diesen Termin haben Sie schon: 10 Uhr an diesem Tag ist für Sie gebucht.",
        "Auf welchen Namen ist der Termin gebucht?",
        "Einen Moment, ich buche ihn gerade.",
        "Guten Tag, hier ist die Praxis Linden.",
        "Das ist nicht möglich.",
        "Ihr Termin steht noch nicht.",
        "Ich glaube nicht, ich habe nichts eingetragen.",
        "Sie sagten, ich habe Sie eingetragen.",
        "Ich hoffe, ich habe Sie richtig eingetragen.",
        "Ich kann nicht sagen, ob ich Sie eingetragen habe.",
        "Der Termin steht noch nicht fest.",
        "Wenn Sie ja sagen, steht Ihr Termin.",
        "Steht der Termin?",
        "Der Termin steht noch aus.",
        "Das wäre gebucht, sobald Sie ja sagen.",
        "Das wäre am Freitag gebucht.",
        "Die Buchung war leider nicht erfolgreich.",
        "Wenn Sie fertig sind, drücken Sie die Rautetaste.",
        "Ihre Brille ist fertig.",
        "Ihr neuer Termin wäre am Freitag um elf.",
        "Der Termin ist leider weg.",
        "Der Termin ist noch nicht fest.",
        "Sie stehen noch nicht im Kalender.",
        "Wenn Sie im Kalender stehen, sehe ich das.",
        "Sie haben jetzt keinen Termin.",
        "Haben Sie jetzt einen Termin?",
        "Hat nicht geklappt.",
        "Ich konnte den Termin nicht buchen.",
        "Ich konnte leider keinen Termin buchen.",
        "Ich konnte noch nichts buchen.",
        "Wenn ich ihn buchen konnte, sage ich Bescheid.",
        "Ich konnte Ihren Namen nicht finden, damit ich den Termin absagen kann.",
        "Ihr Termin wäre dann am Freitag um elf.",
        "Der Termin entfällt, wenn Sie nicht kommen.",
        "Sie sind noch nicht für morgen angemeldet.",
        "Sie sind bei uns angemeldet.",
        "Das hätten wir gern gewusst.",
        "Wie gesagt, es ist noch nichts gebucht.",
        "Ich kann Ihnen nicht sagen, ob er gebucht ist.",
        "",
    ],
)
def test_no_statement_that_something_was_done(words: str) -> None:
    assert deeds_in(words, German()) == set()


@pytest.mark.parametrize(
    ("deeds", "said"),
    [({B}, "gebucht"), ({C}, "abgesagt"), ({M}, "geändert"), ({B, C}, "erledigt"), (ANY_DEED, "erledigt")],
)
def test_a_retraction_is_no_statement(deeds: set[Deed], said: str) -> None:
    words = denial(frozenset(deeds))
    assert words == f"Entschuldigung, das war nicht richtig: Es ist noch nichts {said}."
    assert deeds_in(words, German()) == set()


def test_each_sentence_of_ours_states_in_german_what_it_does_in_english() -> None:
    stated: set[Deed] = set()
    for english, german in locale_of("de-DE").sentences.items():
        deeds = deeds_in(literal(german), German())
        assert deeds == deeds_in(literal(english), English()), german
        stated |= deeds
    assert stated == {B, C, M}


@pytest.mark.parametrize(
    ("words", "noun", "participle"),
    [
        ("Die Abholung ist eingetragen.", "abholung", "notiert"),
        ("Ihr Rückruf ist notiert.", "rueckruf", "notiert"),
        ("Super, Ihr Rückruf am Montag um zehn Uhr ist notiert. Noch etwas?", "rueckruf", "notiert"),
        ("Ich habe Ihren Rückruf notiert.", "rueckruf", "notiert"),
        ("Ich habe die Abholung für Montag um zehn eingetragen.", "abholung", "notiert"),
        ("Die Abholung Ihres Geräts wurde für Montag eingetragen.", "abholung", "notiert"),
        ("Ihre Abholung am Freitag, 27. November um 10:30 ist jetzt eingetragen.", "abholung", "notiert"),
        ("Ihr Parkplatz A12 ist reserviert.", "parkplatz", "notiert"),
        ("Wir haben Ihre Nachricht weitergeleitet.", "nachricht", "weitergeleitet"),
        ("Am Montag ist Ihr Tisch reserviert.", "tisch", "notiert"),
        ("Ihr Name für den Rückruf ist notiert.", "name", "notiert"),
    ],
)
def test_what_it_names_and_says_was_done_to_it(words: str, noun: str, participle: str) -> None:
    assert [(each.noun, each.participle) for each in German().statements(words)] == [(noun, participle)]


@pytest.mark.parametrize(
    "words",
    [
        "Soll ich die Abholung eintragen?",
        "Ist Ihre Abholung eingetragen?",
        "Ich werde die Abholung eintragen.",
        "Die Abholung wird eingetragen.",
        "Die Abholung kann eingetragen werden.",
        "Sobald die Abholung eingetragen ist, hören Sie von uns.",
        "Die Abholung ist eingetragen, sobald Sie ja sagen.",
        "Die Abholung ist noch nicht eingetragen.",
        "Sie sagten, Ihre Abholung sei eingetragen.",
        "Der Parkplatz ist leider schon reserviert.",
        "Ich habe Ihren Rückruf um zehn notiert. Stimmt das?",
        "Ich habe die Abholung um zehn vorgemerkt. Ist das so richtig?",
        "Die Praxis ist am Montag geschlossen.",
        "Ihr Termin ist gebucht.",  # claims_in finds it
        "Entschuldigung, das war nicht richtig: Das ist noch nicht erledigt.",
        "",
    ],
)
def test_nothing_that_was_done_to_what_it_names(words: str) -> None:
    assert German().statements(words) == []
