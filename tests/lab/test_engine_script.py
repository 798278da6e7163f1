"""The engine with a script, on the wire: what it takes the caller's speech as, what it answers, in which voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.caller.audio import read_recording, resample
from lab.caller.script import ScriptError
from lab.caller.typed import record_text
from lab.ears import SAMPLE_RATE_HZ, TurnDetector
from lab.engine import Engine, EngineSettings
from lab.script import Script, ScriptTable, script_of
from tests.lab.engine_client import connected, speech, user, words_of
from tests.paced_loop import run_paced

TRANSCRIBED = {"input": {"transcription": {"model": "whisper-1"}}}
COMPLETED = "conversation.item.input_audio_transcription.completed"
GERMAN = {
    "language": "de-DE",
    "heard": ["Ich möchte zurückgerufen werden.", "Ja, bitte."],
    "default": "Wie bitte?",
    "rule": [
        {"heard": "zurückgerufen", "say": "Um was geht es?"},
        {"heard": "^ja", "call": {"callback": {"yes": True}}},
    ],
}


def scripted(**script: Any) -> Script:
    return script_of(ScriptTable.model_validate(script), str, lambda _level, _text: None)


def said(words: str, folder: Path, language: str = "de") -> bytes:
    """A caller's speech as the API takes it, with the silence that ends the turn."""
    recording = read_recording(record_text(words, language, folder))
    return resample(recording.samples, recording.sample_rate_hz, 24_000).tobytes() + bytes(2 * 24_000)


def test_german_is_heard_by_the_script_and_spoken_with_a_german_voice(tmp_path: Path) -> None:
    async def call() -> None:
        settings = EngineSettings(port=0, speed=20)
        async with Engine(settings, script=scripted(**GERMAN)) as engine, connected(engine) as client:
            await client.update(audio=TRANSCRIBED)
            await client.append(said("Ich möchte, dass Sie mich zurückrufen.", tmp_path))
            assert words_of(await client.done()) == "Um was geht es?"
            assert len(client.audio()) > 24_000, "half a second of speech"
            await client.append(said("Ja.", tmp_path))
            answer = await client.done()
            assert [(item["name"], item["arguments"]) for item in answer["output"]] == [("callback", '{"yes": true}')]
            await client.append(said("Noch etwas.", tmp_path))
            assert words_of(await client.done()) == "Wie bitte?"
            heard = [event["transcript"] for event in client.of(COMPLETED)]
            assert heard == ["Ich möchte zurückgerufen werden.", "Ja, bitte.", ""]

    run_paced(call())


def test_english_is_heard_by_the_ears_and_typed_text_too() -> None:
    rules = [{"heard": r"opening hours", "say": "From nine to five."}, {"heard": "^typed$", "say": "I have read it."}]

    async def call() -> None:
        settings = EngineSettings(port=0, speed=20)
        async with Engine(settings, script=scripted(rule=rules)) as engine, connected(engine) as client:
            await client.append(speech("slt_hours"))
            assert words_of(await client.done()) == "From nine to five."
            await client.send("conversation.item.create", item=user("typed"))
            await client.send("response.create")
            assert words_of(await client.done()) == "I have read it."

    run_paced(call())


@pytest.mark.parametrize("language", ["de", "en"])
def test_two_sentences_of_a_text_are_one_turn(language: str, tmp_path: Path) -> None:
    text = "Ja, bitte. Das ist richtig." if language == "de" else "Yes, please. That is right."
    recording = read_recording(record_text(text, language, tmp_path))
    samples = resample(recording.samples, recording.sample_rate_hz, SAMPLE_RATE_HZ).tobytes()
    happened = TurnDetector().feed(samples + bytes(2 * SAMPLE_RATE_HZ))
    assert [type(each).__name__ for each in happened] == ["SpeechStarted", "SpeechStopped"]


@pytest.mark.parametrize(
    ("text", "language", "told"), [("Ja.", "xx", "speaks no 'xx'"), ("…", "de", "no words to say")]
)
def test_what_cannot_be_said_is_refused(text: str, language: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=told):
        record_text(text, language, tmp_path)
