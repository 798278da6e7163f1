"""Which yes agrees to what was read back, by the facts of one call: said, heard to its end, answered in words."""

from __future__ import annotations

from datetime import date, time, timedelta
from itertools import count

import pytest

from actors.messages.call import BotHeard, BotSaid, CallerSaid, CallerSpeaks
from actors.tasks.consent import ReadbackConsent
from fsm.consent import Agreement, Readback, Verdict
from fsm.english import English
from protocols.ledger import LAST_MOMENT_MS, ItemHeard

SENTENCE = "Thursday 26 November at 10:30. Shall I book it?"
MONDAY = date(2026, 11, 23)


def readback(day: int = 26, at: time = time(10, 30), reading: int = 3) -> Readback:
    slots = {"day": f"2026-11-{day}", "at": at.isoformat()}
    return Readback((reading, 0), slots, SENTENCE, (date(2026, 11, day),), (at,), ())


class Conversation:
    """The facts of a call, told as they happen. now_ms: moves on as somebody speaks."""

    def __init__(self, *, yes_without_words: bool = False) -> None:
        self.consent = ReadbackConsent(English(), self.day_at, yes_without_words)
        self.now_ms = 1000.0
        self.midnight_ms = float("inf")
        self._numbers = count(1)

    def day_at(self, at_ms: float) -> date:
        return MONDAY + timedelta(days=at_ms >= self.midnight_ms)

    def asked(self, what: Readback | None = None) -> Conversation:
        self.consent.asked("t1", what or readback(), self.now_ms)
        return self

    def bot(self, text: str = SENTENCE, ms: int = 2000, heard_ms: int | None = None) -> Conversation:
        """The bot says this; heard_ms: where it was cut."""
        item, until_ms = f"i-{next(self._numbers)}", ms if heard_ms is None else heard_ms
        self.consent.note(BotSaid(item, text))
        heard = ItemHeard(item, until_ms, ms, int(self.now_ms), complete=heard_ms is None)
        self.consent.note(BotHeard(heard, barged_in=heard_ms is not None))
        self.now_ms += until_ms
        return self

    def caller(self, words: str | None = "Yes.", after_ms: float = 300) -> Conversation:
        """The caller says this. words: None where nobody has written them down yet."""
        self.now_ms += after_ms
        item = f"u-{next(self._numbers)}"
        self.consent.note(CallerSpeaks(item, began=True, at_ms=self.now_ms))
        self.now_ms += 500
        self.consent.note(CallerSpeaks(item, began=False, at_ms=self.now_ms))
        if words is not None:
            self.consent.note(CallerSaid(item, words))
        return self

    @property
    def agreement(self) -> Agreement | None:
        return self.consent.judge("t1")

    @property
    def verdict(self) -> Verdict:
        agreement = self.consent.judge("t1", final=True)
        assert agreement is not None
        return agreement.verdict


def test_a_yes_to_what_was_read_back_and_heard_agrees_to_that_read_back() -> None:
    assert Conversation().asked().bot().caller().agreement == Agreement(Verdict.AGREED, readback())


def test_a_run_that_reads_nothing_back_has_nothing_agreed_to() -> None:
    talk = Conversation().bot().caller()
    assert talk.verdict is Verdict.UNHEARD
    talk.asked().bot().caller()
    assert talk.consent.judge("t2") == Agreement(Verdict.UNHEARD)
    talk.consent.asked("t1", None, talk.now_ms)
    assert talk.verdict is Verdict.UNHEARD


def test_what_was_said_before_the_step_is_not_its_read_back() -> None:
    assert Conversation().bot().asked().caller().verdict is Verdict.UNHEARD
    assert Conversation().bot().caller().asked().verdict is Verdict.UNHEARD


@pytest.mark.parametrize(
    "said",
    [
        SENTENCE,
        "So that is Thursday the twenty-sixth at half past ten. Shall I book it?",
        "I have the 26th at ten thirty. Is that right?",
        "In three days, at half past ten in the morning, ok?",
    ],
)
def test_a_paraphrase_that_names_the_same_values_counts(said: str) -> None:
    assert Conversation().asked().bot(said).caller().verdict is Verdict.AGREED


@pytest.mark.parametrize(
    "said",
    [
        "Lovely! Shall I also tell you how to find us?",
        "Friday 27 November at 10:30. Shall I book it?",
        "Friday 26 November at 10:30. Shall I book it?",
        "Thursday 26 November at 10:00. Shall I book it?",
        "Thursday 26 November. Shall I book it?",
        "At half past ten, shall I book it?",
        "Thursday 26 November at 10:30, or Friday at 10:30. Which one?",
        "Thursday 26 November at 10:30. No, sorry, Friday. Shall I book it?",
        "Thursday 26 November at 10:30. Shall I keep it?",
        "",
    ],
)
def test_a_read_back_with_a_wrong_or_missing_value_does_not_count(said: str) -> None:
    assert Conversation().asked().bot(said).caller().verdict is Verdict.MISSTATED


def test_a_read_back_may_be_spoken_in_several_items() -> None:
    talk = Conversation().asked().bot("Thursday 26 November", ms=900).bot("at 10:30. Shall I book it?", ms=900)
    assert talk.caller().verdict is Verdict.AGREED


@pytest.mark.parametrize(
    "words", ["Yes.", "Yes please.", "Go ahead.", "Book it.", "Er, yes?", "Mm-hmm.", "Yes, half past ten."]
)
def test_words_that_agree_count(words: str) -> None:
    assert Conversation().asked().bot().caller(words).verdict is Verdict.AGREED


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("", Verdict.WORDLESS),
        ("[cough]", Verdict.WORDLESS),
        ("Hm.", Verdict.WORDLESS),
        ("No.", Verdict.A_NO),
        ("No, that does not suit me.", Verdict.NOT_A_YES),
        ("What does it cost?", Verdict.NOT_A_YES),
        ("No, the Friday one.", Verdict.NOT_A_YES),
        ("Yes, but at eleven.", Verdict.NOT_A_YES),
        ("Yes, at eleven.", Verdict.NOT_A_YES),
        ("Friday please.", Verdict.NOT_A_YES),
        ("Wait.", Verdict.NOT_A_YES),
        ("Thank you, that is all I wanted to know.", Verdict.NOT_A_YES),
        ("A human, please.", Verdict.NOT_A_YES),
    ],
)
def test_a_cough_a_no_a_question_or_another_value_is_not_a_yes(words: str, verdict: Verdict) -> None:
    assert Conversation().asked().bot().caller(words).verdict is verdict


def test_words_that_come_late_are_waited_for() -> None:
    talk = Conversation().asked().bot().caller(None)
    assert talk.agreement is None
    talk.consent.note(CallerSaid("u-2", "Yes."))
    assert talk.agreement == Agreement(Verdict.AGREED, readback())


def test_a_missing_transcript_is_not_a_yes_unless_a_setting_says_so() -> None:
    assert Conversation().asked().bot().caller(None).verdict is Verdict.WORDLESS
    assert Conversation(yes_without_words=True).asked().bot().caller(None).verdict is Verdict.AGREED
    assert Conversation(yes_without_words=True).asked().bot().caller("").verdict is Verdict.WORDLESS


def test_no_transcript_is_waited_for_if_it_could_not_make_a_yes() -> None:
    assert Conversation().asked().caller(None).agreement == Agreement(Verdict.UNHEARD, readback())


def test_a_caller_who_has_not_answered_has_not_agreed() -> None:
    assert Conversation().asked().bot().verdict is Verdict.UNHEARD


def test_a_cough_after_the_yes_takes_nothing_back_and_words_after_it_do() -> None:
    assert Conversation().asked().bot().caller("Yes.").caller("").verdict is Verdict.AGREED
    assert Conversation().asked().bot().caller("Yes.").caller("No, wait.").verdict is Verdict.NOT_A_YES
    assert Conversation().asked().bot().caller("Yes.").caller(None).agreement is None


def test_thanks_in_another_breath_go_on_with_the_yes_unless_the_bot_has_said_something_between() -> None:
    yes = Conversation().asked().bot().caller("Yes.")
    assert yes.caller("Thank you.").caller("Bye.").verdict is Verdict.AGREED
    assert yes.bot("One mo", heard_ms=400).caller("Thanks.").verdict is Verdict.AGREED
    assert yes.bot("Friday at eleven?", heard_ms=500).caller("Thanks.").verdict is not Verdict.AGREED
    assert Conversation().asked().bot().caller("No.").caller("Thank you.").verdict is Verdict.A_NO
    assert Conversation().asked().bot().caller("Yes.").caller("No, thank you.").verdict is Verdict.NOT_A_YES
    assert Conversation().asked().bot(heard_ms=900).caller("Yes.").caller("Thanks.").verdict is Verdict.UNHEARD
    assert Conversation().asked().bot().caller("Thank you.").verdict is Verdict.NOT_A_YES


def test_a_read_back_cut_by_a_cough_and_said_again_in_full_counts() -> None:
    talk = Conversation().asked().bot(heard_ms=600).caller("")
    assert talk.verdict is Verdict.UNHEARD
    assert talk.bot().caller().verdict is Verdict.AGREED


@pytest.mark.parametrize(
    ("early_ms", "verdict"),
    [(0, Verdict.AGREED), (LAST_MOMENT_MS, Verdict.AGREED), (LAST_MOMENT_MS + 1, Verdict.UNHEARD)],
)
def test_a_yes_into_the_last_moment_of_the_read_back_counts(early_ms: float, verdict: Verdict) -> None:
    assert Conversation().asked().bot().caller(after_ms=-early_ms).verdict is verdict


@pytest.mark.parametrize("words", ["I don't know, maybe.", "I am not sure.", "Hm, let me think.", "One moment please."])
def test_a_caller_who_hesitates_may_say_yes_to_the_question_put_again(words: str) -> None:
    asked = Conversation().asked().bot().caller(words)
    assert asked.verdict is Verdict.NOT_A_YES
    assert asked.bot("Sorry, I did not get that. Shall I book it?").caller().verdict is Verdict.AGREED


@pytest.mark.parametrize("said", ["Shall I look for another time?", "Would you like me to call you back?"])
def test_a_yes_to_another_question_after_a_hesitation_is_none_to_the_read_back(said: str) -> None:
    assert Conversation().asked().bot().caller("I don't know.").bot(said).caller().verdict is not Verdict.AGREED


def test_the_last_moment_of_a_short_sentence_is_half_of_it() -> None:
    said = "Thursday 26 November at 10:30?"
    assert Conversation().asked().bot(said, ms=100).caller(after_ms=-50).verdict is Verdict.AGREED
    assert Conversation().asked().bot(said, ms=100).caller(after_ms=-51).verdict is Verdict.UNHEARD


def test_the_last_moment_is_a_tenth_of_a_second_and_a_piece() -> None:
    # What nobody misses of a sentence. 200 ms are a syllable, 50 ms are less than two clocks agree to.
    assert LAST_MOMENT_MS == 120


def test_a_yes_into_a_reminder_counts_once_the_read_back_was_heard() -> None:
    talk = Conversation().asked().bot().asked()  # the silence was a step, and it reads the same back
    assert talk.bot(f"Are you still there? {SENTENCE}", heard_ms=700).caller("Yes!").verdict is Verdict.AGREED


def test_a_step_that_changes_nothing_does_not_want_the_read_back_again() -> None:
    assert Conversation().asked().bot().caller("Yes.").asked().verdict is Verdict.AGREED


def test_another_read_back_wants_another_yes() -> None:
    for other in (readback(day=27), readback(at=time(11)), readback(reading=5)):
        assert Conversation().asked().bot().caller("Yes, but another.").asked(other).verdict is Verdict.UNHEARD


def test_a_yes_after_a_no_does_not_count_for_an_earlier_reading() -> None:
    talk = Conversation().asked().bot().caller("No.").bot("I see. What else?").caller("Yes.")
    assert talk.verdict is Verdict.MISSTATED
    assert talk.bot().caller("Yes.").verdict is Verdict.AGREED


def test_after_a_question_of_the_callers_the_bot_must_have_read_it_back_again() -> None:
    for answer in (
        "It is in Berlin.",
        "No, he is away then. Would you like to be called when he is back?",
        "We are open from nine to five. Shall I book it?",
    ):
        talk = Conversation().asked().bot().caller("Is that in Munich?").bot(answer).caller("Yes please.")
        assert talk.verdict is Verdict.MISSTATED
        assert talk.bot().caller("Yes.").verdict is Verdict.AGREED
    asked = Conversation().asked().bot().caller("What are your hours?")
    assert asked.bot(f"We are open from nine to five. {SENTENCE}").caller("Yes.").verdict is Verdict.AGREED


def test_a_question_and_a_yes_with_nothing_between_them_is_no_yes() -> None:
    assert Conversation().asked().bot().caller("Is that in Munich?").caller("Yes.").verdict is Verdict.UNHEARD


def test_tomorrow_said_after_midnight_is_another_day() -> None:
    tomorrow = "Tomorrow at half past ten. Is that right?"
    for midnight_ms, verdict in ((0.0, Verdict.MISSTATED), (float("inf"), Verdict.AGREED)):
        talk = Conversation()
        talk.midnight_ms = midnight_ms
        what = readback(day=24)
        assert talk.asked(what).bot(tomorrow).caller("Yes.").verdict is verdict
    talk = Conversation().asked(readback(day=24)).bot(tomorrow)
    talk.midnight_ms = talk.now_ms
    assert talk.caller("Yes, tomorrow.").verdict is Verdict.NOT_A_YES


def test_what_the_bot_offers_after_the_read_back_is_what_the_caller_answers() -> None:
    talk = Conversation().asked().bot().caller("Anything else?").bot("Eleven is free too, at 11:00. Shall I?").caller()
    assert talk.verdict is Verdict.MISSTATED


def test_an_item_played_on_two_sockets_was_heard_if_nothing_of_it_was_lost() -> None:
    for first_heard_ms, verdict in ((900, Verdict.UNHEARD), (1000, Verdict.AGREED)):
        talk = Conversation().asked()
        talk.consent.note(BotSaid("i-1", SENTENCE))
        talk.consent.note(BotHeard(ItemHeard("i-1", first_heard_ms, 1000, 1000, complete=False), barged_in=False))
        talk.consent.note(BotHeard(ItemHeard("i-1", 1000, 1000, 3000, complete=True), barged_in=False))
        talk.now_ms = 4000
        assert talk.caller().verdict is verdict


def test_a_key_needs_the_read_back_and_no_words() -> None:
    talk = Conversation().asked().bot()
    assert talk.consent.keyed("t1", talk.now_ms).verdict is Verdict.AGREED
    assert talk.consent.keyed("t1", talk.now_ms - LAST_MOMENT_MS - 1).verdict is Verdict.UNHEARD
    assert talk.consent.keyed("t2", talk.now_ms).verdict is Verdict.UNHEARD


@pytest.mark.parametrize(
    "said",
    ["Eleven.", "Yes, Friday.", "Make it Friday.", "Eleven would be better.", "Is Friday free?", "The 27th, please."],
)
def test_a_correction_that_the_model_has_passed_over_needs_another_reading(said: str) -> None:
    talk = Conversation().asked().bot().caller(said).bot("OK?", ms=300).caller()
    agreed = [each is Verdict.AGREED for each in (talk.verdict, talk.bot().caller().verdict)]
    assert agreed == [False, True]


@pytest.mark.parametrize(("yes_without_words", "verdict"), [(False, Verdict.WORDLESS), (True, Verdict.AGREED)])
def test_the_words_of_an_earlier_turn_are_waited_for_since_they_may_be_a_no(
    yes_without_words: bool, verdict: Verdict
) -> None:
    talk = Conversation(yes_without_words=yes_without_words).asked().bot().caller(None).caller()
    assert talk.agreement is None
    assert talk.verdict is verdict
    verdicts = []
    for words in ("No.", "Hm."):
        talk.consent.note(CallerSaid("u-2", words))
        verdicts.append(talk.verdict)
    assert verdicts == [Verdict.UNHEARD, Verdict.AGREED]


@pytest.mark.parametrize(
    "asked",
    ["Are you still there?", "Anything else?", "Shall I send you a brochure?", "Would another time be better for you?"],
)
def test_a_yes_to_a_later_question_about_something_else_is_none(asked: str) -> None:
    talk = Conversation().asked().bot().bot(asked).caller()
    verdicts = [talk.verdict, talk.bot().caller().verdict]
    assert verdicts == [Verdict.MISSTATED, Verdict.AGREED]


@pytest.mark.parametrize("said", ["That is taken, I am afraid.", "We are closed then, sorry."])
def test_a_read_back_that_is_taken_away_again_is_none(said: str) -> None:
    assert (
        Conversation().asked().bot(f"Thursday 26 November at 10:30. {said} OK?").caller().verdict is Verdict.MISSTATED
    )


def test_whether_the_caller_has_said_a_word_is_not_known_before_the_transcript() -> None:
    talk = Conversation().bot("What can I do for you?").caller(None)
    assert talk.consent.has_spoken() is None
    assert talk.consent.has_spoken(final=True) is False
    assert talk.caller("Goodbye.").consent.has_spoken()


def test_words_count_since_the_last_sentence_that_was_heard_before_them() -> None:
    talk = Conversation().bot("What can I do for you?").caller("A pizza.")
    assert talk.consent.has_spoken() is True
    assert talk.bot("Which one?").consent.has_spoken() is True, "nobody has answered that yet"
    assert talk.caller("").consent.has_spoken() is False
    cut = Conversation().bot("What can I do for you?").caller("A pizza.").bot("Which one?", heard_ms=500).caller("")
    assert cut.consent.has_spoken() is True
    assert Conversation().consent.has_spoken() is False


def test_words_and_keys_count_from_a_moment_on() -> None:
    talk = Conversation().bot("What can I do for you?").caller("Goodbye.")
    began_ms = talk.now_ms - 500
    assert [talk.consent.has_spoken(since_ms) for since_ms in (began_ms, began_ms + 1)] == [True, False]
    talk.consent.keys_pressed(5000)
    assert [talk.consent.has_spoken(since_ms) for since_ms in (5000, 5001)] == [True, False]


def test_keys_count_as_words_until_the_caller_has_heard_and_answered_something_else() -> None:
    talk = Conversation().bot("What can I do for you?")
    talk.consent.keys_pressed(talk.now_ms)
    assert talk.consent.has_spoken() is True
    assert talk.bot("Which one?").caller("").consent.has_spoken() is False


def test_a_turn_without_a_transcript_is_words_where_a_setting_says_so() -> None:
    talk = Conversation(yes_without_words=True).bot("What can I do for you?").caller(None)
    assert (talk.consent.has_spoken(), talk.consent.has_spoken(final=True)) == (None, True)
