"""What the simulated caller reads: scripts, recordings, formats; and how it counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.caller import Drop, Dtmf, HangUp, Interrupt, Say, ScriptError, ScriptStep, Wait, Write, parse_script
from lab.caller.audio import SpeechRecording, decode, encode, payloads, read_recording, silent_payload
from lab.caller.call import tick_s
from lab.caller.ear import UNITS_PER_MS, HeardUtterance
from lab.caller.mouth import Mouth, SpokenSentence
from lab.caller.report import first_audio
from lab.caller.script import as_word
from protocols.media import KNOWN, LPCM16, LPCM16_24, MULAW
from tests.lab.caller_bot import a_recording


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16_000, 1), (22_050, 2), (44_100, 2), (48_000, 1)])
def test_a_recording_of_any_rate_and_width_keeps_its_length_and_edges(rate: int, channels: int, tmp_path: Path) -> None:
    speech = read_recording(
        a_recording(tmp_path, lead_ms=200, speech_ms=500, tail_ms=300, rate=rate, channels=channels)
    )

    assert speech.length_ms == pytest.approx(1000, abs=1)
    assert speech.began_ms == pytest.approx(200, abs=10)
    assert speech.ended_ms == pytest.approx(700, abs=10)
    for media in KNOWN.values():
        assert len(payloads(speech, media)) == 50
        assert {len(payload) for payload in payloads(speech, media)} == {len(silent_payload(media))}


def test_a_recording_of_other_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="16-bit"):
        read_recording(a_recording(tmp_path, lead_ms=0, speech_ms=100, width=1))


def test_mulaw_is_g711s() -> None:
    samples = np.array([0, 4, -4, 1000, -1000, 32767, -32768], np.int16)
    assert encode(samples, MULAW) == bytes([0xFF, 0xFE, 0x7E, 0xCE, 0x4E, 0x80, 0x00])
    assert decode(b"\xff\x80\x00", MULAW).tolist() == [0, 32124, -32124]

    codes = bytes(range(256))
    # Minus zero is the one code that no sample is given.
    assert encode(decode(codes, MULAW), MULAW) == codes.replace(b"\x7f", b"\xff")
    every = np.arange(-32_635, 32_636, dtype=np.int16)
    error = np.abs(decode(encode(every, MULAW), MULAW).astype(int) - every)
    assert (error <= (np.abs(every.astype(int)) + 132) / 32).all()  # half a step


def test_ticks_are_due_at_absolute_times() -> None:
    assert tick_s(0, 1.0) == 0
    assert tick_s(180_000, 1.0) == 3600
    assert tick_s(50, 4.0) == 0.25


SCRIPT: list[tuple[str, ScriptStep]] = [
    ("a.wav", Say(Path("a.wav"))),
    ("odd:name@1.wav", Say(Path("odd:name@1.wav"))),
    ("interrupt:dir/b@2.wav@900", Interrupt(Path("dir/b@2.wav"), 900)),
    ("write:Yes: please.", Write("Yes: please.")),
    ("dtmf:12*#", Dtmf("12*#")),
    ("drop:250", Drop(250)),
    ("wait:500", Wait(500)),
    ("hangup", HangUp()),
]


@pytest.mark.parametrize(("word", "step"), SCRIPT)
def test_a_step_is_read_from_its_word_and_written_as_it(word: str, step: ScriptStep) -> None:
    assert parse_script([word]) == [step]
    assert as_word(step) == word


def test_short_words_of_a_script_use_the_defaults() -> None:
    assert parse_script(["drop", "interrupt:b.wav"]) == [Drop(), Interrupt(Path("b.wav"))]


def test_words_to_say_are_recorded_by_who_can_speak() -> None:
    assert parse_script(["text:Yes: please."], lambda text: Path(f"{text}.wav")) == [Say(Path("Yes: please..wav"))]
    with pytest.raises(ScriptError, match="nothing here can speak"):
        parse_script(["text:Yes."])


@pytest.mark.parametrize("word", ["dtmf:", "dtmf:1a", "wait:", "wait:soon", "drop:-1", "interrupt:a.wav@later"])
def test_a_word_that_means_nothing_is_named(word: str) -> None:
    with pytest.raises(ScriptError, match=word):
        parse_script(["a.wav", word])


def a_speech(began_ms: int, ended_ms: int) -> SpeechRecording:
    return SpeechRecording(Path("a.wav"), np.zeros(16 * (ended_ms + 100), np.int16), 16_000, began_ms, ended_ms)


def a_run(began_ms: int, ended_ms: int) -> HeardUtterance:
    return HeardUtterance("p", "", LPCM16_24, began_ms * UNITS_PER_MS, ended_ms * UNITS_PER_MS)


def test_the_first_audio_is_counted_from_the_last_sound_of_the_sentence() -> None:
    said = [
        SpokenSentence(a_speech(100, 1000), 0),
        SpokenSentence(a_speech(0, 500), 5000),
        SpokenSentence(a_speech(0, 500), 7000),
    ]
    heard = [a_run(1300, 2000), a_run(5200, 5400), a_run(7400, 8000)]

    # The second was answered into its middle only, and then not before the third; the third before its end.
    assert first_audio(said, heard) == [300, None, 0]
    assert first_audio(said, []) == [None, None, None]


def test_a_transcript_goes_to_the_oldest_sentence_that_has_none() -> None:
    mouth = Mouth()
    first = mouth.say(a_speech(0, 1000), LPCM16, 0)
    mouth.recognised("one", 1500)
    second = mouth.say(a_speech(0, 1000), LPCM16, 2000)
    third = mouth.say(a_speech(0, 1000), LPCM16, 4000)
    mouth.recognised("two", 4100)
    mouth.recognised("three", 5500)
    mouth.recognised("and a half", 5600)

    assert [first.text, second.text, third.text] == ["one", "two", "three and a half"]
