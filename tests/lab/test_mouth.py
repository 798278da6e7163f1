"""The mouth, judged by ears: what it says must be understood, in every voice and at every sample rate."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.ears import load_transcriber
from lab.mouth import VOICES, Flite, SpeechSynthesis, Synthesiser, espeak, load_synthesis, spoken_form

FLITE = shutil.which("flite")


@pytest.fixture(params=["espeak", "flite"])
def synthesiser(request: pytest.FixtureRequest) -> Synthesiser:
    if request.param == "espeak":
        return espeak()
    if FLITE is None:
        pytest.skip("flite is not installed")
    return Flite(FLITE)


SENTENCES = [
    "Would you like to book an appointment?",
    "Your appointment is on the twenty fourth of November.",
    "We are open from Monday to Friday.",
    "Thank you for calling, and have a nice day.",
]


def words_understood(mouth: SpeechSynthesis, sentence: str) -> int:
    heard = load_transcriber().transcribe(mouth.synthesize(sentence, 16_000)).lower()
    return sum(word in heard for word in sentence.lower().strip("?.").replace(",", "").split())


def test_synthesised_speech_is_recognised(synthesiser: Synthesiser) -> None:
    # Not each word: eSpeak says nothing twice in quite the same way.
    understood = sum(words_understood(SpeechSynthesis(synthesiser), sentence) for sentence in SENTENCES)
    assert understood / sum(len(sentence.split()) for sentence in SENTENCES) > 0.8


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("10:30", "10 30"),
        ("09:00", "9 o'clock"),
        ("9:00 a.m.", "9 a.m."),
        ("14:05", "2 oh 5 p.m."),
        ("17:00", "5 p.m."),
        ("12:00", "12 o'clock"),
    ],
)
def test_a_time_is_said_as_people_say_it(written: str, spoken: str) -> None:
    assert spoken_form(f"Come at {written}, please") == f"Come at {spoken}, please"


@pytest.mark.parametrize("sample_rate_hz", [8_000, 16_000, 24_000])
def test_speech_lasts_as_long_at_any_sample_rate(synthesiser: Synthesiser, sample_rate_hz: int) -> None:
    mouth = SpeechSynthesis(synthesiser)
    duration_s = len(mouth.synthesize("Hello, how can I help you?", sample_rate_hz)) / 2 / sample_rate_hz
    assert duration_s == pytest.approx(len(mouth.synthesize("Hello, how can I help you?", 48_000)) / 96_000, rel=0.05)
    assert 1.0 < duration_s < 3.0


@pytest.mark.parametrize("text", ["", "  ", "...", "-"])
def test_no_words_make_no_sound(synthesiser: Synthesiser, text: str) -> None:
    assert list(SpeechSynthesis(synthesiser).say(text)) == []


def test_each_voice_sounds_like_no_other(synthesiser: Synthesiser) -> None:
    spoken = {SpeechSynthesis(synthesiser).synthesize("Good morning.", voice=voice) for voice in VOICES}
    assert len(spoken) == len(VOICES) == 10


def test_a_voice_keeps_its_pace(synthesiser: Synthesiser) -> None:
    mouth = SpeechSynthesis(synthesiser)
    once, again = (len(mouth.synthesize("Good morning.", voice="ash")) for _ in range(2))
    assert again == pytest.approx(once, rel=0.05)


def test_speed_shortens_and_stretches(synthesiser: Synthesiser) -> None:
    mouth = SpeechSynthesis(synthesiser)
    slow, usual, fast = (len(mouth.synthesize("We are open from nine to five.", speed=s)) for s in (0.5, 1.0, 1.5))
    assert usual * 1.5 < slow
    assert fast < usual * 0.8


def test_each_sentence_is_given_as_soon_as_it_is_spoken(synthesiser: Synthesiser) -> None:
    assert len(list(SpeechSynthesis(synthesiser).say("Tuesday at 10:30. Shall I book it?"))) == 2


def test_text_that_looks_like_an_option_is_only_said(synthesiser: Synthesiser) -> None:
    assert SpeechSynthesis(synthesiser).synthesize("-voice nobody") != b""


def test_two_threads_do_not_mix_their_words(synthesiser: Synthesiser) -> None:
    mouth, texts = SpeechSynthesis(synthesiser), ["Good morning.", "I would like to cancel my appointment."] * 8
    alone = [len(mouth.synthesize(text)) for text in texts]
    with ThreadPoolExecutor(4) as threads:
        together = [len(speech) for speech in threads.map(mouth.synthesize, texts)]
    assert together == pytest.approx(alone, rel=0.05)


def test_the_process_shares_one_synthesiser() -> None:
    assert load_synthesis() is load_synthesis()
    assert load_synthesis().synthesize("Hello.") != b""


def test_another_language_has_voices_of_its_own() -> None:
    german, english = load_synthesis("de-AT"), SpeechSynthesis(espeak())
    words = "Guten Morgen. Um 14:05 Uhr."
    assert german.synthesize(words) != english.synthesize(words)
    assert len({german.synthesize(words, voice=voice) for voice in VOICES}) == len(VOICES)
    with pytest.raises(OSError, match="speaks no 'xx'"):
        load_synthesis("xx")
