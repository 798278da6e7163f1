"""What a line adds to a voice."""

from __future__ import annotations

from base64 import b64decode
from itertools import islice
from pathlib import Path

import numpy as np

from lab.caller.audio import Samples, decode, recording_of
from protocols.media import KNOWN
from tests.talk.line import TICK_SAMPLES, Condition, MouthOnALine, background, noise
from tests.talk.speech import LEVEL_DB, RATE_HZ

MULAW = KNOWN["raw/mulaw"]


def level_db(sound: Samples) -> float:
    return float(20 * np.log10(np.sqrt((sound.astype(np.float64) ** 2).mean()) / 32768))


def test_noise_is_as_loud_as_its_name_says_and_the_same_for_the_same_seed() -> None:
    for condition, snr_db in ((Condition.NOISE_20, 20), (Condition.NOISE_10, 10)):
        sound = np.concatenate(list(islice(background(condition, "slt", 7), 250)))
        assert abs(level_db(sound) - (LEVEL_DB - snr_db)) < 1.5
        again = np.concatenate(list(islice(background(condition, "slt", 7), 250)))
        assert (sound == again).all()
        assert (sound != np.concatenate(list(islice(background(condition, "slt", 8), 250)))).any()


def test_a_clear_line_adds_nothing() -> None:
    mouth = MouthOnALine(background(Condition.CLEAR, "slt", 1))
    assert decode(b64decode(mouth.next_chunk(MULAW, 0, sent=True)), MULAW).any() == np.False_


def test_a_mouth_on_a_line_is_heard_above_it_all_the_time() -> None:
    beside = noise(3, -40)
    mouth = MouthOnALine(iter(beside.reshape(-1, TICK_SAMPLES)))
    quiet = decode(b64decode(mouth.next_chunk(MULAW, 0, sent=True)), MULAW)
    assert quiet.any()
    tone = (8000 * np.sin(np.arange(RATE_HZ) / 5)).astype(np.int16)
    mouth.say(recording_of(Path("tone"), tone, RATE_HZ), MULAW, 20)
    chunks = [mouth.next_chunk(MULAW, 20 * (2 + tick), sent=True) for tick in range(20)]
    heard = decode(b64decode(chunks[10]), MULAW)
    assert level_db(heard) > -20
    assert len(mouth.sent) == 21
