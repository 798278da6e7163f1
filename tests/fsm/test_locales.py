"""The languages that bots speak: every sentence in each of them, and values as they are said."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.book_appointment import BOOK_APPOINTMENT
from appointments.cancel_appointment import CANCEL_APPOINTMENT
from fsm.english import English
from fsm.german import German
from fsm.locales import (
    ENGLISH,
    READ_BACK,
    TASKS_GROUP,
    forms_of,
    languages_with_sentences,
    locale_of,
    sentences_in,
    sentences_of,
    spoken_together,
)
from fsm.registry import load_agents
from fsm.slot_types import SLOT_TYPES, Email, PhoneNumber, SlotOptions, YesNo
from fsm.spec import AgentSpec, Choose, Collect, Confirm, End
from fsm.testing.conversation import converse
from protocols.errors import MisuseError

ROOT = Path(__file__).parents[2]
GERMAN = locale_of("de-DE")
# What makes a sentence for a caller; its first argument is one.
SAYERS = {"SlotError", "Incomplete", "Refused", "Failed", "Unclear", "Said", "say", "say_or_owe", "of"}
# What is told of a call after its end has results that nobody hears.
UNHEARD = Path("actors/process/outbox_delivery.py")
OTHERS = sorted(languages_with_sentences() - {"en"})


@cache  # several tests look at the same files
def source() -> list[tuple[Path, ast.Module]]:
    paths = (path for room in ("fsm", "actors", "http_tools", "appointments") for path in (ROOT / room).rglob("*.py"))
    return [
        (path.relative_to(ROOT), ast.parse(path.read_text()))
        for path in sorted(paths)
        if "testing" not in path.parts and path.relative_to(ROOT) != UNHEARD
    ]


def texts(module: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def said(spec: AgentSpec) -> Iterator[str]:
    """Every text of a task that its caller can hear."""
    yield from (spec.not_understood, spec.still_there, spec.yes_or_no)
    for slot in spec.slots.values():
        yield from (slot.ask, slot.example, slot.keypad.ask if slot.keypad else "")
    for state in spec.states.values():
        match state:
            case Confirm(template=template, change=change):
                yield from (template, change)
            case Choose(ask=ask):
                yield ask
            case End(say=say):
                yield say
            case _:
                pass


def of_tasks() -> set[str]:
    keypads = (kind.keypad(name, SlotOptions()) for name, kind in SLOT_TYPES.items() if kind.keypad)
    return {
        *(text for spec in load_agents(installed=()).values() for text in said(spec) if text),
        *(keypad.ask for keypad in keypads),
    }


def sayings() -> Iterator[tuple[str, str | None]]:
    """Where the code makes a sentence, and which; None where it puts one together itself."""
    constants = {name: text for _, module in source() for name, text in named(module)}
    for path, module in source():
        for node in ast.walk(module):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SAYERS:
                given = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "say")]
                yield from ((f"{path}:{node.lineno}", text) for each in given for text in told(each, constants))


def named(module: ast.Module) -> Iterator[tuple[str, str]]:
    """The texts among a module's constants, by name."""
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from ((each.id, node.value.value) for each in node.targets if isinstance(each, ast.Name))


def told(argument: ast.expr, constants: Mapping[str, str]) -> Iterator[str | None]:
    match argument:
        case ast.Constant(value=str(text)) if " " in text:
            yield text
        case ast.Name(id=name) if name in constants:
            yield constants[name]
        case ast.IfExp(body=one, orelse=other):
            yield from (*told(one, constants), *told(other, constants))
        case ast.JoinedStr(values=parts):
            words = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
            if any(each.isalpha() for each in words):
                yield None
        case _:
            pass


def test_every_sentence_that_a_caller_can_hear_is_in_the_catalogue() -> None:
    known = set(sentences_in("en").values())
    assert not of_tasks() - known
    lacking = [f"{where}: {text or 'put together; write locale.say'}" for where, text in sayings() if text not in known]
    assert not lacking, "\n".join(lacking)


def test_the_keys_of_read_backs_tell_them() -> None:
    read_back = {
        state.template
        for spec in load_agents(installed=()).values()
        for state in spec.states.values()
        if isinstance(state, Confirm)
    }
    assert {text for key, text in sentences_in("en").items() if key.startswith(READ_BACK)} == read_back


def test_the_catalogue_has_no_sentence_that_nobody_says() -> None:
    english = sentences_in("en")
    code = of_tasks().union(*(texts(module) for _, module in source()))
    assert len(set(english.values())) == len(english), "one key for each sentence"
    unsaid = {key for key, text in english.items() if text not in code}
    assert not unsaid


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_sentence_and_form(language: str) -> None:
    english, here = sentences_in("en"), sentences_in(language)
    assert list(here) == list(english), f"what is missing in {language}.toml, or out of its order"
    assert forms_of(language).keys() == forms_of("en").keys()
    for key, text in here.items():
        assert text.strip() == text, key
        assert text, key
        assert fields(text) == fields(english[key]), f"the placeholders of {key}"
        assert text.endswith("?") == english[key].endswith("?"), f"{key}: a question is none, or the other way round"


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_german_says_days_and_times() -> None:
    values = {"day": date(2026, 11, 26), "at": time(10, 30), "name": "Anna Berg"}
    question = "{day} at {at} for {name}. Shall I book it?"
    assert ENGLISH.fill(question, values) == "Thursday 26 November at 10:30 for Anna Berg. Shall I book it?"
    assert GERMAN.fill(question, values) == (
        "Donnerstag, 26. November, um 10 Uhr 30, auf den Namen Anna Berg. Soll ich den Termin buchen?"
    )
    assert [GERMAN.time(at) for at in (time(9), time(0, 5), time(17, 45))] == ["9 Uhr", "0 Uhr 5", "17 Uhr 45"]
    assert [ENGLISH.time(at) for at in (time(9), time(0, 5))] == ["9:00", "0:05"]
    assert GERMAN.day_of_year(date(2027, 3, 1)) == "Montag, 1. März 2027"


@pytest.mark.parametrize("tag", ["en-GB", "en-US", "de-DE", "de-AT", "de-CH"])
@given(ahead=st.integers(1, 364), at=st.times().map(lambda at: at.replace(second=0, microsecond=0)))
def test_every_day_and_time_is_read_as_it_is_said(tag: str, ahead: int, at: time) -> None:
    locale, today = locale_of(tag), date(2026, 11, 23)
    day = today + timedelta(days=ahead)
    [reader] = locale.reader.readers()
    on_day, in_year = locale.say("{day} at {at}", day=day, at=at), locale.day_of_year(day)
    for said in (on_day, f"{locale.day(day)}, {locale.time(at)}.", f"{in_year}, {on_day}"):
        [named], times = reader.dates(said, today), reader.times(said, today)
        assert named == {day}, said
        assert all(at in one for one in times), said
        assert times, said


def test_a_text_of_the_author_stands_as_it_is_with_its_values_in_the_language() -> None:
    values = {"day": date(2026, 11, 26), "at": time(14), "price": 12.5, "agreed": YesNo.YES}
    assert (
        GERMAN.fill("Rückruf am {day:%A, %d. %B}, {at.hour} Uhr?", values)
        == "Rückruf am Donnerstag, 26. November, 14 Uhr?"
    )
    assert GERMAN.fill("{price:.2f}, {price:EUR}, {agreed}", values) == "12,50, 12,50 Euro, ja"
    assert ENGLISH.fill("{price:.2f}, {price:EUR}, {agreed}", values) == "12.50, 12.50 euros, yes"
    assert ENGLISH.fill("{day:%A}", values) == "Thursday"
    assert locale_of("fr-FR").fill("{day:%A}", values) == "Thursday", "the model translates the whole sentence"


def test_spelled_values_are_said_in_the_language() -> None:
    assert GERMAN.say("{value:ear}", value=Email("a-b@example.com")) == "a Minus b at example Punkt com"
    assert GERMAN.say("{value:ear}", value=PhoneNumber("+49305550012")) == "plus 49 30 555 00 12"


def test_lists_are_said_in_the_language() -> None:
    assert GERMAN.listed(["eins", "zwei", "drei"]) == "eins, zwei und drei"
    assert ENGLISH.listed(["one", "two", "three"]) == "one, two and three"
    assert ENGLISH.listed(["one"]) == "one"


def test_a_region_has_names_of_its_own() -> None:
    assert locale_of("de-AT").day(date(2027, 1, 4)) == "Montag, 4. Jänner"


def test_where_there_are_no_sentences_the_english_ones_stand_with_english_values() -> None:
    french = locale_of("fr-FR")
    assert (french.translates, GERMAN.translates, ENGLISH.translates) == (True, False, False)
    assert french.say("{day} at {at}", day=date(2026, 11, 26), at=time(10, 30)) == "Thursday 26 November at 10:30"
    assert isinstance(french.reader, English)


def test_a_tag_that_nobody_knows_is_spoken_of_in_english() -> None:
    assert locale_of("tlh").day(date(2026, 11, 26)) == "Thursday 26 November"


def test_a_tag_tells_the_language() -> None:
    assert (locale_of("de-AT").language, locale_of("de").language) == ("de", "de")
    assert locale_of("en-GB") is ENGLISH


def test_a_new_language_is_one_file() -> None:
    assert languages_with_sentences() == {path.stem for path in (ROOT / "fsm" / "sentences").iterdir()}


def test_a_package_of_tasks_brings_sentences_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name, sentences in (("pizzeria", 'which_size = "Which size?"'), ("hello", 'which_day = "Which day?"')):
        (tmp_path / name / "sentences").mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("")
        (tmp_path / name / "sentences" / "en.toml").write_text(f"[sentences]\n{sentences}\n")
    tasks = [EntryPoint(task, f"pizzeria.{task}:TASK", TASKS_GROUP) for task in ("order", "cancel")]
    assert sentences_of(tasks, "en") == {**sentences_of((), "en"), "which_size": "Which size?"}
    assert sentences_of(tasks, "de") == sentences_of((), "de"), "it has none in German"
    assert sentences_of([EntryPoint("x", "not_there.x:X", TASKS_GROUP)], "en") == sentences_of((), "en")
    with pytest.raises(MisuseError, match="package hello has sentences of keys that are taken: which_day"):
        sentences_of([EntryPoint("x", "hello.x:X", TASKS_GROUP)], "en")


# --- conversations in German ---


def test_a_booking_is_spoken_in_german() -> None:
    booking = converse(BOOK_APPOINTMENT, locale=GERMAN).opens()
    assert booking.says == "Welcher Tag würde Ihnen passen?"
    assert "Next, the caller is to be asked: Welcher Tag würde Ihnen passen?" in booking.run.instructions()
    booking.gives(day="2025-01-01")
    assert booking.says == "Dieser Tag ist schon vorbei. Welcher Tag würde Ihnen passen?"
    booking.gives(day="2026-11-26", at="10:10")
    assert booking.says == "Termine beginnen zu jeder Viertelstunde. Welche Uhrzeit würde Ihnen passen?"
    booking.is_silent()
    assert booking.says == "Sind Sie noch da? Um wie viel Uhr? Zum Beispiel halb elf."
    booking.gives(at="22:00")
    assert booking.says == "Wir haben von 9 Uhr bis 17 Uhr geöffnet. Welche Uhrzeit würde Ihnen passen?"
    booking.keys("10")
    assert booking.says == (
        "Entschuldigung, das habe ich nicht verstanden. "
        "Bitte geben Sie die Uhrzeit mit vier Ziffern ein, zum Beispiel 1 0 3 0 für halb elf."
    )
    booking.keys("1030").gives(name="unknown")
    assert booking.says == "Ich habe keinen Namen verstanden. Auf welchen Namen soll ich den Termin buchen?"
    booking.gives(name="Anna Berg")
    sentence = "Donnerstag, 26. November, um 10 Uhr 30, auf den Namen Anna Berg. Soll ich den Termin buchen?"
    readback = booking.run.readback()
    assert booking.says == sentence
    assert readback is not None
    assert (readback.sentence, readback.phrases) == (sentence, ("Anna Berg",))
    booking.says_no()
    assert booking.says == "Was soll ich ändern?"
    assert booking.crashes().gives(at="11:00").says.startswith("Donnerstag, 26. November, um 11 Uhr, ")


def test_a_cancelling_says_what_it_has_not_found_in_german() -> None:
    booking = converse(CANCEL_APPOINTMENT, locale=GERMAN).opens().gives_up()
    assert booking.says == "In Ordnung, Ihr Termin bleibt, wie er ist. Kann ich sonst noch etwas für Sie tun?"


def test_every_state_of_the_included_tasks_has_words_in_each_language() -> None:
    for language in OTHERS:
        locale = locale_of(language)
        for spec in load_agents(installed=()).values():
            assert all(locale.of(text) != text for text in said(spec) if text), spec.name
            assert any(isinstance(state, Collect | End) for state in spec.states.values())


def test_what_no_voice_says_is_taken_out_of_values() -> None:
    said = ENGLISH.fill("{a}, {b:spelled}", {"a": "10\x07\u202e30\u2066 \u00e4\n", "b": "1\u202a2"})
    assert said == "10 30 \u00e4 , 1  2"


@pytest.mark.parametrize("tag", ["de-x-phone", "de-123", "de-1996"])
def test_values_are_said_in_the_language_of_a_tag_whose_rest_cldr_does_not_know(tag: str) -> None:
    assert locale_of(tag).weekday(0) == "Montag"


def test_each_language_of_a_bot_reads_a_yes_of_the_others_beside_its_own() -> None:
    german, english = spoken_together([GERMAN, ENGLISH])
    assert [type(each) for each in german.reader.readers()] == [German, English]
    assert [type(each) for each in english.reader.readers()] == [English, German]
