"""Recordings in a bot's own voice: by the lab's synthesis, and by a model."""

from __future__ import annotations

import asyncio
import json
import threading
import wave
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from websockets.sync.server import ServerConnection, serve

from actors.bots import ModelSettings
from actors.clips import Clip, load_clips
from gateway.bots.clips import RATE_HZ, TRIES, ModelSpeaker, NotSpoken, record_clips
from gateway.bots.loading import load_bots
from gateway.daemon import CLIPS
from protocols.realtime.objects import Transcription
from run import app
from tests.gateway.bots.folders import BOT, DEFAULTS, written
from tests.lab.engine_client import running

DEFAULT_CLIPS = load_clips(CLIPS / "en")
SETTINGS = ModelSettings("cedar", Transcription(model="whisper-1"), speed=1.1)


def test_the_labs_synthesis_records_every_sentence_with_words_of_the_bots_own(tmp_path: Path) -> None:
    folder = written(tmp_path, "mine", clips__goodbye_dot_txt="")
    (folder / "clips" / "goodbye.txt").write_text("Bye  then.\n")
    result = CliRunner().invoke(app, ["bots", "clips", "mine", "--in", str(tmp_path)])
    assert result.exit_code == 0, result.output
    loaded = load_bots(tmp_path, DEFAULTS)
    assert not loaded.faults
    clips = loaded.bots["mine"].profile.clips
    assert set(clips) == set(Clip)
    assert clips[Clip.GOODBYE].words == "Bye then."
    with wave.open(str(folder / "clips" / "one_moment.wav")) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE_HZ)
        assert sound.getnframes() > RATE_HZ / 2


def test_a_german_bots_sentences_are_recorded_in_german(tmp_path: Path) -> None:
    folder = written(tmp_path, "mine", f'{BOT}language = "de-DE"')
    result = CliRunner().invoke(app, ["bots", "clips", "mine", "--in", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert (folder / "clips" / "still_there.txt").read_text() == "Sind Sie noch da?\n"


def test_a_language_without_words_of_ours_needs_the_bots_own(tmp_path: Path) -> None:
    written(tmp_path, "mine", f'task = []\n{BOT}language = "fr-FR"')
    result = CliRunner().invoke(app, ["bots", "clips", "mine", "--in", str(tmp_path)])
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert "there are no words for it in the bot's language: write them into" in told


def test_a_model_says_the_sentences_in_the_bots_voice() -> None:
    async def scene() -> None:
        async with running() as engine:

            def speak() -> bytes:
                with ModelSpeaker(f"{engine.url}?model=gpt-realtime", {"Authorization": "Bearer any"}, SETTINGS) as say:
                    return say("One moment, please.")

            sound = await asyncio.to_thread(speak)
            assert len(sound) > RATE_HZ, "half a second, of 16 bits"

    asyncio.run(asyncio.wait_for(scene(), 30))


@contextmanager
def model(*answers: list[dict[str, Any]] | None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A model with these answers, one a request; None closes the line. Yields its URL, and what it was sent."""
    heard: list[dict[str, Any]] = []
    left = list(answers)

    def talk(line: ServerConnection) -> None:
        for message in line:
            heard.append(json.loads(message))
            if (answer := left.pop(0)) is None:
                return
            for event in answer:
                line.send(json.dumps({"event_id": "e", **event}))

    with serve(talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime", heard
        finally:
            server.shutdown()
            thread.join()


UPDATED: list[dict[str, Any]] = [
    {"type": "session.created", "session": {}}, {"type": "session.updated", "session": {"type": "realtime"}}
]  # fmt: skip
PLACE = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}


def spoken(words: str, sound: bytes = b"\1\0") -> list[dict[str, Any]]:
    return [
        {"type": "response.output_audio.delta", **PLACE, "delta": b64encode(sound).decode()},
        {"type": "something.new"},
        {"type": "response.output_audio_transcript.done", **PLACE, "transcript": words},
        {"type": "response.done", "response": {"id": "r", "status": "completed"}},
    ]


def test_a_model_that_says_more_than_it_was_told_is_asked_again() -> None:
    answers = UPDATED, spoken("Sure! One moment, please."), spoken("One moment please", b"\2\0")
    with model(*answers) as (url, heard), ModelSpeaker(url, {}, SETTINGS) as say:
        assert say("One moment, please.") == b"\2\0"
    update, first, again = heard
    assert update["session"]["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000}, "voice": "cedar", "speed": 1.1
    }  # fmt: skip
    assert first == again
    assert 'word for word: "One moment, please."' in first["response"]["instructions"]


ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "no such voice"}}
FAILED = {"type": "response.done", "response": {"id": "r", "status_details": {"error": {"message": "out of credit"}}}}


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([UPDATED, *[spoken("Sure!")] * TRIES], "says 'Sure!' instead of 'Hello.'"),
        ([[ERROR]], "the model refuses: no such voice"),
        ([UPDATED, [FAILED]], "the model has failed: out of credit"),
        ([UPDATED, None], "the model is gone"),
        ([None], "the model is gone"),
    ],
)
def test_why_a_sentence_cannot_be_recorded_is_said(answers: list[list[dict[str, Any]] | None], why: str) -> None:
    with model(*answers) as (url, _), pytest.raises(NotSpoken, match=why), ModelSpeaker(url, {}, SETTINGS) as say:
        say("Hello.")


def test_a_model_that_is_not_there_is_told() -> None:
    with pytest.raises(NotSpoken, match="cannot be reached"), ModelSpeaker("ws://127.0.0.1:1/", {}, SETTINGS):
        pass


def test_a_sentence_that_fails_leaves_those_before_it(tmp_path: Path) -> None:
    sounds = iter([b"\0\0" * 10])
    made = record_clips(tmp_path, DEFAULT_CLIPS, lambda words: next(sounds))
    assert next(made).name == f"{next(iter(Clip)).value}.wav"
    with pytest.raises(RuntimeError):
        next(made)
