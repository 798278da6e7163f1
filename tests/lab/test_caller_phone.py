"""The simulated caller's telephone and the person at it, without a socket."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from lab.caller import Drop, Interrupt, Say, ScriptError, ScriptStep, Wait, Write, run_call
from lab.caller.audio import SpeechRecording, read_recording, silent_payload
from lab.caller.events import BargedIn, BotWrote
from lab.caller.person import Person
from lab.caller.phone import Phone
from lab.caller.settings import CallSettings
from protocols.errors import MisuseError
from protocols.media import KNOWN, LPCM16_24
from protocols.wav import WavHeader, header, with_header
from tests.lab.caller_bot import a_recording
from tests.lab.caller_line import Line


def test_a_bot_of_the_vendors_library_names_no_conversation_and_closes_without_a_code() -> None:
    line = Line()
    for frame in (
        {"type": "userStream.speech.started"},
        {"type": "playStream.start", "streamId": "p-1", "mediaFormat": "raw/lpcm16_24"},
        {"type": "playStream.chunk", "streamId": "p-1", "audioChunk": b64encode(bytes(960)).decode()},
        {"type": "playStream.stop", "streamId": "p-1"},
        {"type": "userStream.speech.hypothesis", "alternatives": [{"text": "hello"}]},
        {"type": "userStream.speech.recognition", "alternatives": [{"text": "hello", "confidence": 0.9}]},
        {"type": "userStream.speech.committed"},
        {"type": "activities", "activities": [{"type": "event", "name": "hangup"}]},
    ):
        line.phone.received(json.dumps(frame))
    line.run(40)
    line.phone.lost(1005)
    assert line.phone.over
    assert line.phone.progress.outcome == "bot-disconnected"
    assert line.phone.complaints.lines() == []


def test_another_number_is_told_as_the_call_begins_too() -> None:
    first, start = map(json.loads, Line(start={"caller": "+4930901820"}).opening)
    assert (first["type"], first["caller"]) == ("session.initiate", "+4930901820")
    assert start["activities"][0]["parameters"]["caller"] == "+4930901820"


def test_a_bot_of_the_vendors_library_answers_a_resume_without_the_format() -> None:
    line = Line()
    line.phone.drop(0)
    line.phone.connected()
    line.phone.received('{"type":"session.accepted"}')
    line.stream(40)
    line.run(40)
    assert line.phone.ear.runs
    assert line.phone.complaints.lines() == []


def test_a_call_that_is_accepted_without_a_format_is_not() -> None:
    class Unnamed(Line):
        accepted: ClassVar[dict[str, str]] = {}

    line = Unnamed()
    assert line.phone.complaints.lines()[0].startswith("format_not_offered")
    assert line.phone.media is None


class WavLine(Line):
    accepted: ClassVar[dict[str, str]] = {"mediaFormat": "wav/lpcm16"}


def test_of_a_wav_format_each_user_stream_begins_with_a_header() -> None:
    line = WavLine(formats=("wav/lpcm16",))
    for _ in range(2):
        line.run(40)
        chunks = [json.loads(text).get("audioChunk", "") for text in line.phone.outbox]
        audio = [b64decode(chunk) for chunk in filter(None, chunks)]
        assert [len(each) for each in audio] == [44 + 640, 640]
        assert audio[0].startswith(b"RIFF")
        line.phone.outbox.clear()
        line.phone.lost(1006)
        line.phone.connected()
        line.bot("session.accepted", mediaFormat="wav/lpcm16")
        line.phone.tick()
        line.bot("userStream.started")
        line.phone.outbox.clear()


@pytest.mark.parametrize("form", WavHeader)
def test_a_wav_stream_of_the_bots_is_heard_without_its_headers(form: WavHeader) -> None:
    line, wav = WavLine(formats=("wav/lpcm16",)), KNOWN["wav/lpcm16"]
    line.bot("playStream.start", streamId="p-1", mediaFormat=wav.name)
    for number in range(5):
        chunk = b64encode(b"\1\0" * 320).decode()
        if form is WavHeader.CHUNK or (form is WavHeader.STREAM and not number):
            chunk = with_header(chunk, wav, whole=form is WavHeader.CHUNK)
        line.bot("playStream.chunk", streamId="p-1", audioChunk=chunk)
    line.bot("playStream.stop", streamId="p-1")
    line.run(200)
    assert [run.heard_ms for run in line.phone.ear.runs] == [100]
    assert line.phone.complaints.lines() == []


@pytest.mark.parametrize(("head", "told"), [(header(KNOWN["wav/mulaw"]), "encoding 7"), (b"RIFF", "no audio follows")])
def test_a_header_that_is_wrong_or_has_no_end_is_complained_of(head: bytes, told: str) -> None:
    line = WavLine(formats=("wav/lpcm16",))
    line.bot("playStream.start", streamId="p-1", mediaFormat="wav/lpcm16")
    line.bot("playStream.chunk", streamId="p-1", audioChunk=b64encode(head).decode())
    assert "wav_header" in line.phone.complaints.lines()[0]
    assert told in line.phone.complaints.lines()[0]


def test_speech_started_stops_the_bot_in_the_same_20_ms(tmp_path: Path) -> None:
    line = Line()
    line.stream(5000)
    line.run(400)
    speech = read_recording(a_recording(tmp_path, lead_ms=100, speech_ms=300))
    line.phone.say(speech)
    line.run(240)
    line.bot("userStream.speech.started")
    line.run(1000)

    [run] = line.phone.ear.runs
    assert run.heard_ms == 640
    assert line.phone.progress.barge_in_stop_ms == [240 - 100]
    assert BargedIn(at_ms=660, stop_ms=140) in line.events


def test_speech_started_while_nobody_speaks_cuts_but_counts_as_no_barge_in() -> None:
    line = Line()
    line.stream(5000)
    line.run(400)
    line.bot("userStream.speech.started")

    assert (line.phone.progress.barge_ins, line.phone.progress.barge_in_stop_ms) == (1, [])
    assert BargedIn(at_ms=420, stop_ms=None) in line.events


def test_a_key_cuts_the_bot_where_that_is_switched_on() -> None:
    line = Line(send_dtmf=True)
    line.stream(5000)
    line.run(200)
    line.phone.press("1")
    line.run(200)
    line.configure(bargeInOnDTMF=True)
    line.phone.press("2")
    line.run(200)
    assert [run.heard_ms for run in line.phone.ear.runs] == [400]
    assert line.sent().count("activities") == 3  # start, and two keys


def test_abort_prompts_empties_the_ear() -> None:
    line = Line()
    line.configure(bargeIn=False)
    line.stream(5000)
    line.run(200)
    activity = {"type": "event", "name": "abortPrompts", "id": "b", "timestamp": "t"}
    line.bot("activities", activities=[activity])
    assert not line.phone.ear.sounding


def test_one_chunk_goes_out_every_20_ms_and_silence_when_nothing_is_said(tmp_path: Path) -> None:
    line = Line()
    line.sent()
    line.phone.say(read_recording(a_recording(tmp_path, lead_ms=0, speech_ms=60)))
    line.run(200)

    chunks = [json.loads(text)["audioChunk"] for text in line.phone.outbox]
    silent = [chunk == silent_payload(LPCM16_24) for chunk in chunks]
    # A chunk is complete, and goes out, 20 ms after its first sample was spoken.
    assert silent == [True] + [False] * 3 + [True] * 6


def test_half_duplex_listens_again_when_the_bot_has_nothing_to_say() -> None:
    line = Line()
    line.configure(bargeIn=False, resumeRecognitionTimeoutMS=1000)
    line.bot("userStream.speech.recognition", alternatives=[{"text": "hello"}])
    line.run(20)
    assert "userStream.stop" in line.sent()
    line.bot("userStream.stopped")
    line.run(900)
    assert line.sent() == []
    line.run(200)
    assert line.sent() == ["userStream.start"]


def test_nothing_can_be_said_before_the_call_is_taken(tmp_path: Path) -> None:
    phone = Phone(CallSettings(url="ws://bot", conversation_id="c-1"), lambda _event: None, str)
    phone.connected()
    with pytest.raises(MisuseError):
        phone.say(read_recording(a_recording(tmp_path, lead_ms=0, speech_ms=60)))


def test_a_new_socket_begins_with_the_resume_and_with_nothing_of_the_old_one() -> None:
    line = Line()
    line.run(100)
    line.phone.drop(0)
    line.phone.connected()
    assert line.sent() == ["session.resume"]


@pytest.mark.parametrize(("before", "after"), [(["started"], "started"), (["started", "stopped"], "stopped")])
def test_after_a_resume_an_utterance_may_begin_or_end(before: list[str], after: str) -> None:
    line = Line()
    for word in before:
        line.bot(f"userStream.speech.{word}")
    line.phone.drop(0)
    line.phone.connected()
    line.bot("session.accepted", mediaFormat="raw/lpcm16_24")
    line.bot(f"userStream.speech.{after}")
    assert line.phone.complaints.lines() == []


# --- the person ---


class Life:
    """A person at a phone whose bot is played by hand."""

    def __init__(self, *script: ScriptStep) -> None:
        self.line = Line()
        self.bot_owes = False
        self._person = Person(
            script,
            self.line.phone,
            pause_ms=700,
            patience_ms=9000,
            tell=self.line.events.append,
            bot_owes=lambda: self.bot_owes,
        )
        self._life = self._person.live()

    def run(self, ms: int) -> None:
        for _ in range(ms // 20):
            next(self._life, None)
            self.line.phone.tick()

    @property
    def began_ms(self) -> list[int]:
        return [utterance.began_ms for utterance in self.line.phone.mouth.utterances]


def test_what_the_bot_says_on_through_an_interruption_is_no_answer_to_it(tmp_path: Path) -> None:
    word = a_recording(tmp_path, lead_ms=0, speech_ms=100)
    life = Life(Interrupt(word, 200), Say(word))
    life.line.stream(1000)  # until 1020
    life.line.bot("playStream.stop", streamId="p-1")
    life.run(4000)
    assert life.began_ms == [220]

    life.line.stream(400)  # reusing the stream's name is a breach of no matter here
    life.run(400 + 680)
    assert life.began_ms == [220]
    life.run(40)
    assert life.began_ms == [220, 4020 + 400 + 700]


def test_the_person_waits_for_what_the_bot_is_about_to_say_however_long_that_takes(tmp_path: Path) -> None:
    word = a_recording(tmp_path, lead_ms=0, speech_ms=100)
    life = Life(Say(word))
    life.line.stream(300)  # "one moment"
    life.line.bot("playStream.stop", streamId="p-1")
    life.bot_owes = True
    life.run(20_000)
    assert life.began_ms == []
    life.bot_owes = False
    life.run(680)
    assert life.began_ms == []
    life.run(40)
    assert life.began_ms == [20_000 + 700]
    assert life.line.phone.complaints.lines() == []


def test_after_an_outage_the_person_gives_the_bot_time_to_go_on(tmp_path: Path) -> None:
    word = a_recording(tmp_path, lead_ms=0, speech_ms=100)
    life = Life(Wait(400), Drop(0), Say(word))
    life.line.stream(300)
    life.run(3000)
    life.line.phone.connected()
    life.line.bot("session.accepted", mediaFormat="raw/lpcm16_24")
    life.run(700)
    assert life.began_ms == []
    life.run(40)
    assert life.began_ms == [3020 + 700]


def test_barge_in_that_is_locked_stays_off() -> None:
    line = Line(half_duplex=True)
    line.configure(bargeIn=True)
    line.sent()
    line.stream(200)
    line.run(40)
    assert "userStream.stop" in line.sent()


def test_suppressed_silence_is_not_sent() -> None:
    line = Line(suppress_silence=True)
    line.run(400)
    line.sent()
    line.run(1000)
    assert line.sent() == []
    line.phone.say(SpeechRecording(Path("a.wav"), np.full(24 * 400, 3000, np.int16), 24_000, 0, 400))
    line.run(1000)
    assert line.sent().count("userStream.chunk") == 30


# --- a chat ---


class ChatLine(Line):
    accepted: ClassVar[dict[str, str]] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(chat=True, **settings)

    def writes(self, text: str) -> None:
        self.bot("activities", activities=[{"type": "message", "text": text, "id": "b", "timestamp": "t"}])


def test_a_chat_offers_and_sends_no_audio() -> None:
    line = ChatLine()
    initiate = json.loads(line.phone.outbox[0])
    assert (initiate["expectAudioMessages"], initiate["supportedMediaFormats"]) == (False, [])
    line.run(200)
    assert line.sent() == ["session.initiate", "activities"]
    assert line.phone.complaints.lines() == []


def test_a_bot_of_the_vendors_library_accepts_a_chat_with_a_format() -> None:
    class Named(ChatLine):
        accepted: ClassVar[dict[str, str]] = {"mediaFormat": "raw/lpcm16"}

    line = Named()
    line.phone.received('{"type":"activities","activities":[{"type":"message","text":"Hello."}]}')
    assert [each.text for each in line.phone.texts] == ["Hello."]
    line.run(200)
    assert "userStream.start" not in line.sent()


def test_a_person_in_a_chat_writes_once_the_bot_has_answered_and_is_quiet() -> None:
    line = ChatLine()
    person = Person(
        [Write("At ten."), Write("Yes.")],
        line.phone,
        pause_ms=200,
        patience_ms=5000,
        tell=line.events.append,
        bot_owes=lambda: False,
    )
    life = person.live()

    def lives(ms: int) -> list[str]:
        for _ in range(ms // 20):
            next(life, None)
            line.phone.tick()
        return [each.text for each in line.phone.texts if each.role == "caller"]

    assert lives(400) == []
    line.writes("Hello.")
    assert lives(100) == []
    line.writes("When?")
    assert lives(400) == ["At ten."]
    assert lives(1000) == ["At ten."]
    line.writes("Is that right?")
    assert lives(400) == ["At ten.", "Yes."]
    assert [each.text for each in line.events if isinstance(each, BotWrote)] == ["Hello.", "When?", "Is that right?"]
    assert line.phone.complaints.lines() == []


def test_nothing_can_be_said_in_a_chat(tmp_path: Path) -> None:
    settings = CallSettings(url="ws://bot", conversation_id="c-1", chat=True)
    with pytest.raises(ScriptError, match="nothing is said in a chat"):
        run_call(settings, [Say(tmp_path / "a.wav")])
