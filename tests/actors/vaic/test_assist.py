"""The VAIC session of a bot that assists: two parties on streams of their own, and advice as metadata."""

from __future__ import annotations

from base64 import b64decode, b64encode
from itertools import count
from typing import Any

import numpy as np
import pytest

from actors.clips import Clip
from actors.messages.call import BotBegan, BotHeard, CallerArrived, CallerWrote, CallMessage, VaicReady
from actors.messages.model import CallerAudio, ModelSocketMessage
from actors.messages.vaic import (
    BotText,
    CallerBargedIn,
    CallerFellSilent,
    CallerRecognised,
    CallerTurnCommitted,
    LastWords,
    Overheard,
    OverheardMessage,
    PlayClip,
)
from actors.system.address import ParentLink
from actors.system.signals import ChildDied
from actors.vaic.assist import PARTIES, AssistSocket
from actors.vaic.config import CallerSessionConfig, SocketOrigin
from actors.vaic.gap import GAP_S
from protocols.media import KNOWN, LPCM16, LPCM16_24, MediaFormat
from protocols.wav import header
from tests.actors.calls import CLIPS, FakeWire
from tests.actors.vaic.scene import NOON
from tests.cranked import CrankedDispatcher
from tests.probe import Probe

SOUND = b64encode(bytes(960)).decode()


class Assisting:
    """An AssistSocket, its wire, and probes for the call, the advisor and the two ears."""

    def __init__(
        self,
        mailboxes: CrankedDispatcher,
        media: MediaFormat = LPCM16_24,
        origin: SocketOrigin = SocketOrigin.NEW,
    ) -> None:
        self.mailboxes, self.wire = mailboxes, FakeWire()
        self.call, self.advisor = Probe[CallMessage]("call"), Probe[ModelSocketMessage]("advisor")
        self.ears = (Probe[ModelSocketMessage]("ear 0"), Probe[ModelSocketMessage]("ear 1"))
        self.parent = Probe[ChildDied]("parent")
        ids = count(1)
        config = CallerSessionConfig(
            "c-1", media, origin, 0, 400, 1.5, CLIPS, lambda: f"id-{next(ids)}", lambda: NOON, text=True
        )
        link = ParentLink(self.parent, "vaic")
        self.vaic = AssistSocket.start(link, config, self.wire, self.call, self.advisor, self.ears)
        mailboxes.drain()
        self.call.expect(VaicReady)
        self.wire.frames.clear()

    def hears(self, *frames: dict[str, object]) -> None:
        for frame in frames:
            self.wire.receives({"conversationId": "c-1", **frame})
        self.mailboxes.drain()

    def streams(self, *participants: str | None) -> None:
        for each in participants:
            named: dict[str, object] = {} if each is None else {"participant": each}
            self.hears({"type": "userStream.start"} | named)
        self.wire.frames.clear()

    def told(self, *messages: object) -> None:
        for message in messages:
            self.vaic.tell(message)
        self.mailboxes.drain()

    def overhears(self, ear: int, *messages: OverheardMessage) -> list[dict[str, Any]]:
        """One ear tells these. Returns what VAIC was sent."""
        self.told(*(Overheard(ear, message) for message in messages))
        frames, self.wire.frames = self.wire.frames, []
        return frames


@pytest.fixture
def scene(mailboxes: CrankedDispatcher) -> Assisting:
    return Assisting(mailboxes)


def chunk(participant: str) -> dict[str, object]:
    return {"type": "userStream.chunk", "audioChunk": SOUND, "participant": participant}


def start(**parameters: object) -> dict[str, object]:
    return {"type": "activities", "activities": [{"type": "event", "name": "start", "parameters": parameters}]}


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        (None, PARTIES),
        ([], PARTIES),
        ("caller", PARTIES),
        ([{"participant": "anna"}, {"participant": "ben"}], ("anna", "ben")),
        ([{"participant": 1}, {"participant": 2}], ("1", "2")),
        ([{"participant": "anna"}, {"participant": []}, "x", *({"participant": name} for name in ("ben", "eve"))],
         ("anna", "ben")),
    ],
)  # fmt: skip
def test_recognition_is_asked_for_each_party_that_start_names(
    scene: Assisting, told: object, asked: tuple[str, ...]
) -> None:
    scene.hears(start(participants=told))
    config, *started = scene.wire.activities()
    assert (config["name"], config["sessionParams"]["connectOnPrompt"]) == ("config", False)
    assert [(each["name"], each["activityParams"]["targetParticipant"]) for each in started] == [
        ("startRecognition", each) for each in asked
    ]
    assert scene.call.expect(CallerArrived).parameters == {"participants": told}


def test_each_party_is_heard_by_its_own_ear_and_never_by_the_advisor(scene: Assisting) -> None:
    scene.streams("caller", "callee")
    scene.hears(chunk("callee"), chunk("caller"), chunk("caller"))
    assert [len(ear.all(CallerAudio)) for ear in scene.ears] == [2, 1]
    assert scene.advisor.all(CallerAudio) == []


def test_sound_that_names_no_party_is_of_the_one_stream_that_is_open(scene: Assisting) -> None:
    nobodys = {name: value for name, value in chunk("").items() if name != "participant"}
    scene.hears(nobodys)
    scene.streams("caller")
    scene.hears(nobodys)
    scene.streams("callee")
    scene.hears(nobodys)
    assert [len(ear.all(CallerAudio)) for ear in scene.ears] == [1, 0]


def test_on_a_resumed_socket_the_parties_are_heard_without_a_new_start(mailboxes: CrankedDispatcher) -> None:
    scene = Assisting(mailboxes, origin=SocketOrigin.RESUMED)
    scene.hears(chunk("callee"), chunk("caller"), chunk("callee"), chunk("eve"))
    assert [len(ear.all(CallerAudio)) for ear in scene.ears] == [2, 1]


def test_the_parties_audio_is_resampled_apart(mailboxes: CrankedDispatcher) -> None:
    scene = Assisting(mailboxes, LPCM16)
    scene.streams("caller", "callee")
    loud = b64encode(np.full(480, 3000, "<i2").tobytes()).decode()
    for _ in range(50):
        scene.hears(chunk("caller") | {"audioChunk": loud}, chunk("callee"))
    first, second = (b"".join(b64decode(each.payload) for each in ear.all(CallerAudio)) for ear in scene.ears)
    assert len(first) == len(second) >= 40 * 1440
    assert np.abs(np.frombuffer(first[-1440:], "<i2").astype(int) - 3000).max() < 30
    assert np.abs(np.frombuffer(second, "<i2").astype(int)).max() <= 1


def test_a_stream_that_stops_and_starts_again_is_heard_by_the_same_ear(scene: Assisting) -> None:
    scene.streams("caller", "callee")
    scene.hears({"type": "userStream.stop", "participant": "caller"})
    assert scene.wire.types() == ["userStream.stopped"]
    scene.hears(chunk("caller"))
    assert scene.ears[0].all(CallerAudio) == []
    scene.streams("caller")
    scene.hears(chunk("caller"))
    assert len(scene.ears[0].all(CallerAudio)) == 1


def test_half_a_sample_of_a_stream_shifts_nothing_of_the_one_after(scene: Assisting) -> None:
    scene.streams("caller", "callee")
    scene.hears(chunk("caller") | {"audioChunk": b64encode(b"\1").decode()})
    scene.hears({"type": "userStream.stop", "participant": "caller"})
    scene.streams("caller")
    scene.hears(chunk("caller") | {"audioChunk": b64encode(b"\2\3\2\3").decode()})
    assert b"".join(b64decode(each.payload) for each in scene.ears[0].all(CallerAudio)) == b"\2\3\2\3"


def test_the_header_of_a_wav_stream_is_no_sound_for_an_ear(mailboxes: CrankedDispatcher) -> None:
    scene, sound = Assisting(mailboxes, KNOWN["wav/lpcm16_24"]), b"\2\3" * 480
    scene.streams("caller", "callee")
    headed = header(KNOWN["wav/lpcm16_24"]) + sound
    scene.hears(chunk("callee") | {"audioChunk": b64encode(headed).decode()})
    assert b"".join(b64decode(each.payload) for each in scene.ears[0].all(CallerAudio)) == b""
    assert b"".join(b64decode(each.payload) for each in scene.ears[1].all(CallerAudio)) == sound


def test_a_stream_of_another_conversation_takes_no_ear(scene: Assisting) -> None:
    scene.hears({"type": "userStream.start", "participant": "eve", "conversationId": "c-2"})
    scene.streams("caller", "callee")
    scene.hears(chunk("callee"))
    assert len(scene.ears[1].all(CallerAudio)) == 1


def test_a_third_party_is_not_heard(scene: Assisting) -> None:
    scene.streams("caller", "callee")
    scene.hears({"type": "userStream.start", "participant": "eve"}, chunk("eve"))
    assert scene.wire.types() == []
    assert [ear.all(CallerAudio) for ear in scene.ears] == [[], []]


def test_what_an_ear_notices_is_reported_with_the_party_and_its_words_reach_the_call(scene: Assisting) -> None:
    scene.streams("caller", "callee")
    sent = scene.overhears(
        1, CallerBargedIn(), CallerFellSilent(), CallerTurnCommitted(), CallerRecognised("I can help you with that.")
    )
    assert [(each["type"].removeprefix("userStream.speech."), each["participant"]) for each in sent] == [
        ("started", "callee"), ("stopped", "callee"), ("committed", "callee"), ("recognition", "callee"),
    ]  # fmt: skip
    assert [each.get("participantId") for each in sent] == ["callee", "callee", "callee", None]
    assert scene.call.expect(CallerWrote) == CallerWrote("callee: I can help you with that.")


def test_a_party_without_a_name_is_reported_without_one(scene: Assisting) -> None:
    scene.streams(None)
    for each in scene.overhears(0, CallerBargedIn(), CallerRecognised("Hello.")):
        assert not {"participant", "participantId"} & each.keys()
    assert scene.call.expect(CallerWrote) == CallerWrote("Hello.")


def test_an_ear_that_has_no_party_yet_is_not_listened_to(scene: Assisting) -> None:
    assert scene.overhears(0, CallerBargedIn(), CallerRecognised("Hello.")) == []
    scene.call.expect_nothing()


def test_the_gap_in_one_party_s_audio_is_filled_for_its_ear(scene: Assisting) -> None:
    scene.streams("caller", "callee")
    scene.overhears(0, CallerBargedIn())
    scene.overhears(1, CallerBargedIn())
    scene.hears(chunk("callee"))
    scene.mailboxes.advance(round(1000 * GAP_S))
    assert [len(ear.all(CallerAudio)) for ear in scene.ears] == [1, 1]
    scene.overhears(0, CallerFellSilent())
    scene.mailboxes.advance(round(1000 * GAP_S))
    assert [len(ear.all(CallerAudio)) for ear in scene.ears] == [0, 1]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"participant": "caller"}, "caller: My bill is wrong."),
        ({"participant": 7}, "7: My bill is wrong."),
        ({"participant": []}, "My bill is wrong."),
        (None, "My bill is wrong."),
    ],
)
def test_what_vaic_transcribes_itself_is_taken_with_the_party(scene: Assisting, parameters: object, words: str) -> None:
    message = {"type": "message", "text": " My bill is wrong. ", "parameters": parameters}
    scene.hears({"type": "activities", "activities": [message]})
    assert scene.call.expect(CallerWrote) == CallerWrote(words)


def test_advice_is_sent_as_metadata_and_a_dash_is_none(scene: Assisting) -> None:
    scene.told(BotText("i-1", "Offer a refund."), BotText("i-2", " - "))
    (advice,) = scene.wire.activities()
    assert (advice["type"], advice["name"], advice["value"]) == ("event", "sendMetaData", {"advice": "Offer a refund."})
    for item in ("i-1", "i-2"):
        assert scene.call.expect(BotBegan) == BotBegan(item)
        assert scene.call.expect(BotHeard).item.complete


def test_nobody_is_ever_spoken_to_nor_hung_up_on(scene: Assisting) -> None:
    scene.told(PlayClip(Clip.GOODBYE))
    assert scene.wire.types() == []
    scene.told(LastWords(Clip.CALL_AGAIN, "internal error"))
    assert (scene.wire.types(), scene.wire.closed) == ([], 1011)
    assert scene.parent.expect(ChildDied).reason is None
