"""The ears, tried on real speech: what counts as an utterance, and which words are in it."""

from __future__ import annotations

import json
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lab.ears import SpeechStarted, SpeechStopped, TurnDetector, VadEvent, VadSettings, load_transcriber

SPEECH = Path(__file__).parents[2] / "lab" / "speech"
WORDS: dict[str, str] = json.loads((SPEECH / "transcripts.json").read_text())
RATE = 16_000


def silence(duration_ms: int) -> bytes:
    return bytes(2 * RATE * duration_ms // 1000)


def speech(name: str) -> bytes:
    with wave.open(str(SPEECH / name)) as recording:
        return bytes(recording.readframes(recording.getnframes()))


def spoken_in_silence(name: str) -> bytes:
    return silence(700) + speech(name) + silence(700)


def noise(level: float, duration_ms: int) -> bytes:
    samples = np.random.default_rng(7).normal(0, level * 32767, RATE * duration_ms // 1000)
    return samples.clip(-32768, 32767).astype(np.int16).tobytes()


def only_utterance(events: list[VadEvent]) -> tuple[int, int]:
    assert [type(event) for event in events] == [SpeechStarted, SpeechStopped]
    started, stopped = events
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    return started.audio_start_ms, stopped.audio_end_ms


def heard_words(text: str) -> str:
    return " ".join("".join(c for c in text.lower() if c.isalnum() or c in " '").split())


# Some of both voices each time.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.faults if place % 4 else ()) for place, name in enumerate(WORDS)]
)
def test_a_sentence_in_silence_is_one_utterance(name: str) -> None:
    audio, ears = spoken_in_silence(name), TurnDetector()
    start_ms, end_ms = only_utterance(ears.feed(audio))
    assert ears.utterance() == audio[start_ms * 32 : end_ms * 32]
    # Everything loud is inside, so no word was cut.
    loud_ms = np.flatnonzero(np.abs(np.frombuffer(audio, np.int16).astype(np.int32)) > 1500) // 16
    assert start_ms <= loud_ms[0]
    assert end_ms >= loud_ms[-1]


@pytest.mark.parametrize("chunk", [1, 320, 641, 1024, 100_000])
def test_the_size_of_the_pieces_changes_nothing(chunk: int) -> None:
    audio = spoken_in_silence("slt_yes.wav")
    whole, piecemeal = TurnDetector(), TurnDetector()
    events = [event for at in range(0, len(audio), chunk) for event in piecemeal.feed(audio[at : at + chunk])]
    assert events == whole.feed(audio)
    assert piecemeal.utterance() == whole.utterance() != b""


def test_a_short_word_is_an_utterance() -> None:
    # The first word of "Yes, please do that.": 0.4 s.
    only_utterance(TurnDetector().feed(silence(700) + speech("slt_yes.wav")[: 2 * RATE * 6 // 10] + silence(700)))


def test_prefix_padding_moves_the_start_back_and_never_below_zero() -> None:
    audio = spoken_in_silence("rms_no.wav")
    bare, _ = only_utterance(TurnDetector(VadSettings(prefix_padding_ms=0)).feed(audio))
    padded, _ = only_utterance(TurnDetector(VadSettings(prefix_padding_ms=300)).feed(audio))
    everything, _ = only_utterance(TurnDetector(VadSettings(prefix_padding_ms=5000)).feed(audio))
    assert (bare - padded, everything) == (300, 0)


def test_silence_duration_is_part_of_the_utterance_and_decides_when_it_ends() -> None:
    audio = spoken_in_silence("rms_no.wav")
    _, early = only_utterance(TurnDetector(VadSettings(silence_duration_ms=300)).feed(audio))
    _, late = only_utterance(TurnDetector(VadSettings(silence_duration_ms=600)).feed(audio))
    assert late - early == 300


def test_a_pause_shorter_than_the_silence_duration_does_not_end_the_utterance() -> None:
    audio = silence(500) + speech("slt_yes.wav") + silence(200) + speech("slt_no.wav") + silence(1500)
    only_utterance(TurnDetector(VadSettings(silence_duration_ms=1200)).feed(audio))
    assert len(TurnDetector(VadSettings(silence_duration_ms=200)).feed(audio)) == 4


def test_two_utterances_in_one_piece_are_taken_in_their_order() -> None:
    ears = TurnDetector()
    events = ears.feed(spoken_in_silence("slt_yes.wav") + spoken_in_silence("rms_book.wav"))
    assert len(events) == 4
    first, second = ears.utterance(), ears.utterance()
    assert 0 < len(first) < len(second)
    assert ears.utterance() == b""


def test_threshold_decides_what_is_speech() -> None:
    audio = spoken_in_silence("slt_yes.wav")
    assert TurnDetector(VadSettings(threshold=1.0)).feed(audio) == []
    eager, _ = only_utterance(TurnDetector(VadSettings(threshold=0.05)).feed(audio))
    wary, _ = only_utterance(TurnDetector(VadSettings(threshold=0.97)).feed(audio))
    assert eager < wary


@pytest.mark.parametrize(
    "sound",
    [silence(3000), noise(0.01, 3000), noise(0.2, 3000), silence(500) + noise(0.9, 5) + silence(500)],
    ids=["silence", "hiss", "roar", "click"],
)
def test_what_is_not_speech_raises_nothing(sound: bytes) -> None:
    assert TurnDetector().feed(sound) == []


def test_speech_is_found_at_the_same_place_after_a_minute_of_silence() -> None:
    start_ms, end_ms = only_utterance(TurnDetector().feed(spoken_in_silence("slt_name.wav")))
    # A whole number of windows of silence, so that the windows fall on the speech in the same way.
    later_start_ms, later_end_ms = only_utterance(
        TurnDetector().feed(silence(64_000) + spoken_in_silence("slt_name.wav"))
    )
    assert (later_start_ms - start_ms, later_end_ms - end_ms) == (64_000, 64_000)


def test_outside_speech_only_the_prefix_is_kept() -> None:
    ears = TurnDetector(VadSettings(prefix_padding_ms=300))
    ears.feed(silence(60_000))
    assert 300 <= len(ears.take_buffered()) / 32 < 300 + 32


def test_with_detection_off_all_is_kept_up_to_two_minutes_and_taken_by_commit() -> None:
    ears = TurnDetector(None)
    assert ears.feed(spoken_in_silence("slt_yes.wav")) == []
    assert ears.take_buffered() == spoken_in_silence("slt_yes.wav")
    assert ears.take_buffered() == b""
    for _ in range(13):
        ears.feed(silence(10_000))
    assert len(ears.take_buffered()) == len(silence(120_000))


def test_clear_forgets_the_audio_but_not_the_time() -> None:
    ears = TurnDetector()
    ears.feed(silence(960) + speech("slt_book.wav"))
    spoke_before = ears.speaking
    ears.clear()
    assert (spoke_before, ears.speaking) == (True, False)
    assert ears.take_buffered() == b""
    cleared_at_ms = 960 + len(speech("slt_book.wav")) // 32
    start_ms, _ = only_utterance(ears.feed(spoken_in_silence("slt_yes.wav")))
    assert start_ms > cleared_at_ms


def test_settings_changed_while_someone_speaks_hold_at_once() -> None:
    ears = TurnDetector(VadSettings(silence_duration_ms=5000))
    assert [type(event) for event in ears.feed(spoken_in_silence("slt_yes.wav"))] == [SpeechStarted]
    ears.configure(VadSettings(silence_duration_ms=500))
    assert [type(event) for event in ears.feed(silence(40))] == [SpeechStopped]


@pytest.mark.parametrize(
    "name",
    ["slt_book_full.wav", "rms_book.wav", "slt_monday.wav", "rms_yes.wav", "slt_no.wav", "rms_hours.wav"],
)
def test_the_words_of_an_utterance_are_written_down(name: str) -> None:
    ears = TurnDetector()
    ears.feed(spoken_in_silence(name))
    assert heard_words(load_transcriber().transcribe(ears.utterance())) == heard_words(WORDS[name])


@pytest.mark.parametrize(
    "sound",
    [b"", b"\1", silence(20), silence(3000), speech("slt_yes.wav")[16_000:17_600], noise(0.05, 3000), noise(0.3, 200)],
    ids=["nothing", "half a sample", "20 ms", "silence", "50 ms of speech", "hiss", "burst"],
)
def test_where_there_are_no_words_none_are_written(sound: bytes) -> None:
    assert load_transcriber().transcribe(sound) == ""


def test_two_threads_are_served_at_once() -> None:
    names = ["slt_human.wav", "rms_human.wav"] * 2
    with ThreadPoolExecutor(2) as threads:
        heard = list(threads.map(lambda name: load_transcriber().transcribe(speech(name)), names))
    assert [heard_words(text) for text in heard] == [heard_words(WORDS[name]) for name in names]


def test_speech_longer_than_the_model_can_hold_is_written_down_to_its_end() -> None:
    names = ["slt_human.wav", "rms_book.wav", "rms_book_full.wav"] * 2
    text = load_transcriber().transcribe(b"".join(speech(name) for name in names))
    assert heard_words(text).count("appointment") == 4


def softer(pcm: bytes, by_db: float) -> bytes:
    return (np.frombuffer(pcm, np.int16) * 10 ** (-by_db / 20)).astype(np.int16).tobytes()


def test_near_field_keeps_out_a_voice_that_is_far_away() -> None:
    far = softer(spoken_in_silence("rms_book_full.wav"), 26)
    assert TurnDetector(VadSettings(near_field=False)).feed(far) != []
    ears = TurnDetector(VadSettings(near_field=True))
    assert ears.feed(far) == []
    only_utterance(ears.feed(spoken_in_silence("slt_yes.wav")))
    assert ears.feed(far) == []


def test_near_field_hears_a_caller_beside_a_voice_that_is_far_away() -> None:
    near = np.frombuffer(spoken_in_silence("slt_book.wav"), np.int16)
    far = np.frombuffer(softer(speech("rms_book_full.wav"), 26), np.int16)
    both = (near + np.resize(far, len(near))).astype(np.int16).tobytes()
    ears = TurnDetector(VadSettings(near_field=True))
    only_utterance(ears.feed(both + silence(700)))
    assert heard_words(load_transcriber().transcribe(ears.utterance())) == heard_words(WORDS["slt_book.wav"])


def test_near_field_hears_a_caller_who_speaks_softly() -> None:
    only_utterance(TurnDetector(VadSettings(near_field=True)).feed(softer(spoken_in_silence("slt_book.wav"), 14)))
