"""The ears of a bot that assists: a session for each party that transcribes, and an advisor that is told the words."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest

from actors.messages.call import EndCall
from actors.model.ears import may_dial
from tests.actors.calls import PROFILE, Call, FakeWire, WaitingDispatcher

SOUND = b64encode(bytes(960)).decode()


class Assisted:
    """A call of two people in which a bot assists: two ears and an advisor are dialled."""

    def __init__(self, mailboxes: WaitingDispatcher) -> None:
        self.mailboxes = mailboxes
        self.call = Call(mailboxes, profile=replace(PROFILE, assists=True, agents={}))
        *self.ears, self.advisor = self.call.dialler.wires

    def ready(self, *wires: FakeWire) -> None:
        for wire in wires or (*self.ears, self.advisor):
            for kind in ("session.created", "session.updated"):
                self.event(wire, kind, session={"type": "realtime"})

    def event(self, wire: FakeWire, kind: str, **fields: object) -> None:
        wire.receives({"type": kind, "event_id": "e", **fields})
        self.mailboxes.drain()

    def begins(self) -> None:
        self.ready()
        self.call.starts()
        for each in ("caller", "callee"):
            self.call.vaic("userStream.start", participant=each)

    def says(self, wire: FakeWire, text: str, item: str = "u-1") -> None:
        self.event(wire, "input_audio_buffer.speech_started", item_id=item, audio_start_ms=100)
        self.event(wire, "input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=900)
        self.event(wire, "input_audio_buffer.committed", item_id=item, previous_item_id=None)
        self.event(wire, "conversation.item.input_audio_transcription.completed", item_id=item, content_index=0,
                   transcript=text)  # fmt: skip

    def metadata(self) -> list[object]:
        return [each["value"] for each in self.call.wire.activities() if each.get("name") == "sendMetaData"]


@pytest.fixture
def assisted(mailboxes: WaitingDispatcher) -> Assisted:
    assisted = Assisted(mailboxes)
    assisted.begins()
    return assisted


def test_the_ears_transcribe_and_answer_nothing_and_the_advisor_writes(mailboxes: WaitingDispatcher) -> None:
    assisted = Assisted(mailboxes)
    assisted.ready()
    for ear in assisted.ears:
        session = ear.last("session.update")["session"]
        detection = session["audio"]["input"]["turn_detection"]
        assert (detection["create_response"], detection["interrupt_response"]) == (False, False)
        assert (session["tools"], session["output_modalities"]) == ([], ["text"])
    assert assisted.advisor.last("session.update")["session"]["output_modalities"] == ["text"]


def test_the_settings_of_all_sessions_are_known_as_the_bots(assisted: Assisted) -> None:
    profile = replace(PROFILE, assists=True, agents={})
    other = replace(profile, model=replace(profile.model, name="other"))
    dialled = [purpose.settings for purpose in assisted.call.dialler.purposes]
    assert len({repr(each) for each in dialled}) == 2, "the advisor's, and the ears'"
    assert all(may_dial(profile, each) for each in dialled)
    assert not any(may_dial(other, each) for each in dialled)


def test_nobody_is_greeted(assisted: Assisted) -> None:
    assert assisted.advisor.all("response.create") == []


def test_what_a_party_says_is_told_to_the_advisor_whose_answer_is_advice(assisted: Assisted) -> None:
    first, second = assisted.ears
    assisted.says(first, "My bill is wrong.")
    assisted.says(second, "I will have a look.")
    told = [item["content"][0]["text"] for item in assisted.call.items("message", [assisted.advisor])]
    assert told == ["caller: My bill is wrong.", "callee: I will have a look."]
    assert all(ear.all("response.create") == [] for ear in assisted.ears)
    assert len(assisted.advisor.all("response.create")) == 1
    assisted.call.bot_writes("Offer a refund.")
    assert assisted.metadata() == [{"advice": "Offer a refund."}]
    assert "playStream.start" not in assisted.call.wire.types()
    assert [(turn.role, turn.text) for turn in assisted.call.describe().turns] == [
        ("caller", "caller: My bill is wrong."), ("caller", "callee: I will have a look."), ("bot", "Offer a refund."),
    ]  # fmt: skip


def test_an_ear_that_is_lost_is_dialled_again_and_hears_what_was_said_meanwhile(assisted: Assisted) -> None:
    first, second = assisted.ears
    first.breaks()
    assisted.mailboxes.drain()
    assisted.call.vaic("userStream.chunk", audioChunk=SOUND, participant="caller")
    assisted.call.vaic("userStream.chunk", audioChunk=SOUND, participant="callee")
    assert len(second.all("input_audio_buffer.append")) == 1
    assisted.mailboxes.advance(1000)
    again = assisted.call.dialler.wires[-1]
    assert again not in (first, second, assisted.advisor)
    assisted.ready(again)
    assert len(again.all("input_audio_buffer.append")) == 1
    assisted.says(again, "Hello?")
    assert assisted.call.items("message", [assisted.advisor])[-1]["content"][0]["text"] == "caller: Hello?"


def test_two_people_go_on_without_an_ear_or_the_advisor(assisted: Assisted) -> None:
    wires, broken = assisted.call.dialler.wires, 0
    for _ in range(200):
        for wire in wires[broken:]:
            wire.breaks(4000)
        broken = len(wires)
        assisted.mailboxes.advance(5000)
    assert broken > 20, "the ears are dialled as long as the call lasts"
    assert (assisted.call.wire.closed, assisted.call.records()) == (None, [])
    assert {name for name, _ in assisted.call.activities()} == {"startRecognition"}


def test_silence_is_nobodys_concern(assisted: Assisted) -> None:
    assisted.says(assisted.ears[0], "Hm.")
    asked = len(assisted.advisor.all("response.create"))
    assisted.call.bot_writes("-")
    assisted.mailboxes.advance(600_000)
    assert len(assisted.advisor.all("response.create")) == asked
    assert assisted.metadata() == []


def test_a_drain_leaves_the_call_to_another_process_and_hangs_up_on_nobody(assisted: Assisted) -> None:
    assisted.call.told(EndCall("drained", in_words=True))
    assert "parked" in assisted.call.row_kinds()
    assert all(name in ("startRecognition", "sendMetaData") for name, _ in assisted.call.activities())


def test_the_ears_end_with_the_call(assisted: Assisted) -> None:
    assisted.call.ends()
    assisted.mailboxes.until(assisted.call.is_gone)
    assert all(wire.closed is not None for wire in assisted.call.dialler.wires)


def test_an_advisor_that_speaks_is_read_and_not_heard(assisted: Assisted) -> None:
    assisted.says(assisted.ears[0], "My bill is wrong.")
    for ear in assisted.ears:
        assisted.event(ear, "response.created", response={"id": "r-e", "status": "in_progress"})
        assisted.event(ear, "response.output_audio.delta", response_id="r-e", item_id="i-e", output_index=0,
                       content_index=0, delta=SOUND)  # fmt: skip
        assisted.event(ear, "response.done", response={"id": "r-e", "status": "completed"})
    item = {"id": "i-1", "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_audio", "transcript": "Offer a refund."}]}  # fmt: skip
    assisted.event(assisted.advisor, "response.created", response={"id": "r-1", "status": "in_progress"})
    assisted.event(assisted.advisor, "response.output_audio.delta", response_id="r-1", item_id="i-1", output_index=0,
                   content_index=0, delta=SOUND)  # fmt: skip
    assisted.event(assisted.advisor, "response.output_item.done", response_id="r-1", output_index=0, item=item)
    assisted.event(assisted.advisor, "response.done", response={"id": "r-1", "status": "completed", "output": [item]})
    assert not [frame for frame in assisted.call.wire.frames if frame["type"].startswith("playStream")]
    assert assisted.metadata() == [{"advice": "Offer a refund."}]
    assert all(ear.all("response.create") == [] for ear in assisted.ears)


def test_the_record_counts_what_the_transcripts_cost(assisted: Assisted) -> None:
    for number, ear in enumerate(assisted.ears):
        assisted.event(ear, "conversation.item.input_audio_transcription.completed", item_id=f"u-{number}",
                       content_index=0, transcript="Hm.", usage={"type": "duration", "seconds": 1.5})  # fmt: skip
    assisted.event(assisted.ears[0], "conversation.item.input_audio_transcription.completed", item_id="u-3",
                   content_index=0, transcript="", usage={"type": "tokens", "total_tokens": 7, "input_tokens": 5,
                   "output_tokens": 2, "input_token_details": {"audio_tokens": 5, "text_tokens": 0}})  # fmt: skip
    figures = assisted.call.describe().figures
    assert (figures.transcribed_s, figures.tokens) == (3.0, {"input_audio": 5, "output_text": 2})
