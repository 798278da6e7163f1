"""Grades a bot: plays VAIC in a set of scenes, and notes which rules were seen to be kept or broken.

Whole calls are the simulated caller's (lab/caller), whose referee knows the rules of sequence; what no telephone does
is sent on sockets of the probe's own. After what must not matter, a user stream that stops and starts shows that the
call goes on.
May import: lab, protocols, the standard library. Rules from: docs/specs/vaic-streaming.md 2 to 11.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lab.caller import CallSettings, Drop, Dtmf, HangUp, Interrupt, Say, ScriptStep, Wait, Write, place_call
from lab.caller.events import BargedIn, BotSpoke, CallerEvent, CallerSpoke, Dropped
from lab.caller.phone import Phone
from lab.probe.ledger import ProbedMessage, ProbeLedger, ProbeReport, at
from lab.probe.rules import VAIC_RULES, VAIC_SPEC
from lab.probe.settings import ProbeSettings
from lab.probe.stage import graded, judge_refusal
from lab.probe.wire import Flooded, ProbeSocket, kept_message, opened
from protocols.media import KNOWN, RAW

_TALKED_ON_MS = 1500  # of the bot's speech after the caller's has begun: it was not interrupted
_STOPPED_BEFORE_MS = 300
_DEEP = 5000  # brackets
_SPEECH = Path(__file__).parents[1] / "speech"
_QUESTION, _INTERRUPTION = _SPEECH / "slt_hours.wav", _SPEECH / "slt_book_named.wav"
_FORMATS = tuple(each.name for each in RAW)
# What the caller complains of that says nothing of the bot's rules, or that a scene judges itself.
NOT_A_RULE = frozenset(
    (
        *("refused", "no_answer", "not_interrupted", "script_not_finished", "call_too_long", "no_call_record"),
        *("dtmf_not_reported", "not_connected", "upgrade_refused", "floods"),
    )
)
_BY_COMPLAINT = {complaint: rule.name for rule in VAIC_RULES for complaint in rule.complaints}


# --- what must not matter ---


def _event(name: str | None, **fields: Any) -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    return {"type": "activities", "activities": [{"type": "event", **named, **fields}]}


def _chunk(**fields: Any) -> dict[str, Any]:
    return {"type": "userStream.chunk", **fields}


# By rule: messages that a call must survive. An object gets the call's id.
ODD: Mapping[str, tuple[Mapping[str, Any] | str | bytes, ...]] = {
    "odd unknown message": ({"type": "userStream.weather", "sunny": True},),
    "odd unknown field": (_event("DTMF", value="1", id="odd-1", weather={"sunny": True}) | {"weather": [1, None]},),
    "odd unknown activity": (_event("weatherChanged", id="odd-2", value={"sunny": True}),),
    "odd activity type": ({"type": "activities", "activities": [{"type": "typing", "id": "odd-3"}]},),
    "odd no activities": ({"type": "activities", "activities": []}, {"type": "activities"}),
    "odd activity fields": (_event(None), {"type": "activities", "activities": [{}]}),
    "odd not JSON": ("good morning", '{"type": "userStream.chunk"'),
    "odd array": ("[1, 2]", "null"),
    "odd no type": ({"weather": "sunny"},),
    "odd deep JSON": ('{"type":"activities","activities":' + "[" * _DEEP + "]" * _DEEP + "}",),
    "odd binary": (b"\x00\x01good morning",),
    "odd empty chunk": (_chunk(audioChunk=""),),
    "odd odd chunk": (
        _chunk(audioChunk=b64encode(bytes(641)).decode()),
        _chunk(audioChunk=b64encode(bytes(1)).decode()),
    ),
    "odd chunk field": (_chunk(),),
    "odd base64": (_chunk(audioChunk="*** no base64 ***"), _chunk(audioChunk="AAAAA")),
    "dtmf": (_event("DTMF", value="4", id="odd-4"),),
    "dtmf_case": (_event("dtmf", value="12*#", id="odd-5"),),
    "events": (
        _event("noUserInput", value=1, id="odd-6"),
        _event("playFinished", id="odd-7"),
        _event("transferStatus", value={"status": "failed", "reasonCode": "busy", "reason": "busy"}, id="odd-8"),
        _event("playUrlFailed", value={"reason": "not found", "playUrlUrl": "", "selfGenerated": False}, id="odd-9"),
    ),
    "second_start": (_event("start", id="odd-10", parameters={}),),
}


class _RawCall:
    """One call on a socket of the probe's own."""

    def __init__(self, line: ProbeSocket, ledger: ProbeLedger, soon_s: float) -> None:
        self.line = line
        self._soon_s = soon_s
        self.id = f"probe-{uuid.uuid4()}"
        self._ledger = ledger

    async def send(self, message: Mapping[str, Any] | str | bytes) -> ProbedMessage:
        named = {**message, "conversationId": self.id} if isinstance(message, Mapping) else message
        return await self.line.send(named)

    async def begin(self, **fields: Any) -> ProbedMessage | None:
        """Send session.initiate; return the answer. fields: in place of the usual ones, see _initiate."""
        usual = {"conversationId": self.id, "botName": "probe", "caller": "+4930555010"}
        since = len(self.line.seen)
        asked = await self.line.send(_initiate(usual | fields))
        answer = await self.line.until(_is_answer, since)
        self._ledger.judge("answered", answer is not None, f"no answer; close code {self.line.closed}", asked, answer)
        if answer is not None:
            took_ms = answer.at_ms - asked.at_ms
            self._ledger.judge("answered_soon", took_ms <= self._soon_s * 1000, f"after {took_ms} ms", asked, answer)
        return answer

    async def accepted(self, *, start: bool = True) -> bool:
        """Begin, send start, and open the user stream. Whether the bot has taken the call."""
        answer = await self.begin()
        if answer is None or answer.kind != "session.accepted":
            return False
        if start:
            await self.send(_event("start", id="probe-start", parameters=self._parameters()))
        return await self._acknowledged("start", "user_started")

    def _parameters(self) -> dict[str, str]:
        return {"vaigConversationId": self.id, "caller": "+4930555010", "callee": "+4930555099"}

    async def alive(self) -> bool:
        """The user stream stops and starts again: whether the bot still follows."""
        if not await self._acknowledged("stop", "user_stopped"):
            return False
        return await self._acknowledged("start", "user_again")

    async def _acknowledged(self, what: str, rule: str) -> bool:
        done = {"start": "userStream.started", "stop": "userStream.stopped"}[what]
        since = len(self.line.seen)
        asked = await self.send({"type": f"userStream.{what}"})
        answer = await self.line.until(done, since)
        if self.line.closed is None or answer is not None:
            self._ledger.judge(rule, answer is not None, f"no {done}", asked, answer)
        return answer is not None

    async def end(self) -> None:
        """VAIC's last word; the bot closes."""
        if self.line.closed is not None:
            return
        asked = await self.send({"type": "session.end", "reasonCode": "client-disconnected", "reason": "probe"})
        closed = await self.line.happens(lambda: self.line.closed is not None)
        self._ledger.judge("closes", closed, "the socket stays open", asked)
        if closed:
            code = self.line.closed
            self._ledger.judge("closes_normally", code in (1000, 1005), f"close code {code}", asked)


_OUT = object()


def _is_answer(message: ProbedMessage) -> bool:
    return message.kind in ("session.accepted", "session.error")


def _is_error(answer: ProbedMessage | None) -> bool:
    return answer is not None and answer.kind == "session.error"


def _judge(ledger: ProbeLedger, message: ProbedMessage) -> None:
    """Judge what holds of each message of the bot's."""
    ledger.received(message)
    ledger.judge("never_ends", message.kind != "session.end", "session.end is VAIC's to send", message)


class _BotProbe:
    """All scenes with one bot."""

    def __init__(self, settings: ProbeSettings) -> None:
        self.settings = settings
        self.ledger = ProbeLedger(VAIC_RULES)
        self._headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}

    @asynccontextmanager
    async def line(self, scene: str, **how: str) -> AsyncIterator[ProbeSocket]:
        patience_s, take = self.settings.patience_s, partial(_judge, self.ledger)
        async with opened(
            self.settings.url, self._headers, scene=scene, patience_s=patience_s, take=take, **how
        ) as line:
            self.ledger.kept("connects")
            yield line

    @asynccontextmanager
    async def raw(self, scene: str) -> AsyncIterator[_RawCall]:
        async with self.line(scene) as line:
            yield _RawCall(line, self.ledger, self.settings.soon_s)

    # --- sockets without a call ---

    async def http(self) -> None:
        """A plain GET on the bot's URL."""
        url = self.settings.url.replace("ws", "http", 1)
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - from a ws: or wss: URL

        def get() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(request, timeout=self.settings.patience_s) as answer:  # noqa: S310 - as above
                    return answer.status, answer.read(1000).decode(errors="replace")
            except urllib.error.HTTPError as error:
                return error.code, ""
            except (OSError, ValueError) as error:
                return 0, str(error)

        status, body = await asyncio.to_thread(get)
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        good = status == 200 and told == {"type": "ac-bot-api", "success": True}
        self.ledger.judge("http_get", good, f"HTTP {status} {body[:80]}".strip())

    async def token(self) -> None:
        """A wrong token."""
        if not self.settings.token:
            return
        wrong = opened(self.settings.url, {"Authorization": "Bearer wrong"}, scene="token", patience_s=1)
        await judge_refusal(self.ledger, "wrong_token", wrong, (401,))

    async def compression(self) -> None:
        """permessage-deflate is offered."""
        async with self.line("compression", compression="deflate") as line:
            response = line.socket.response
            took = "" if response is None else response.headers.get("Sec-WebSocket-Extensions", "")
            self.ledger.judge("no_compression", not took, took)

    async def validate(self) -> None:
        """connection.validate, and then a call on the same socket."""
        async with self.raw("validate") as call:
            asked = await call.line.send({"type": "connection.validate"})
            answer = await call.line.until("connection.validated")
            good = at(answer, "success") is True
            self.ledger.judge("validate", good, "no connection.validated with success true", asked, answer)
            began = await call.begin()
            self.ledger.judge("validate_then_call", began is not None, "session.initiate is not answered", began)
            before = call.line.received()[: call.line.received().index(began)] if began else call.line.received()
            others = [each for each in before if each.kind != "connection.validated"]
            self.ledger.judge("validate_alone", not others, "it sends more", *(others or [asked]))
            await call.end()

    async def resume_unknown(self) -> None:
        """session.resume of a call that never was, and of one that has ended."""
        async with self.raw("resume_unknown") as call:
            await self._resume(call, "resume_unknown")
        async with self.raw("resume_ended") as ended:
            if not await ended.accepted():
                return
            await ended.end()
        async with self.raw("resume_ended") as call:
            call.id = ended.id
            await self._resume(call, "resume_ended")

    async def _resume(self, call: _RawCall, rule: str) -> None:
        asked = await call.send({"type": "session.resume", "supportedMediaFormats": list(_FORMATS)})
        answer = await call.line.until(_is_answer)
        self.ledger.judge(
            rule, _is_error(answer), f"answered with {answer.kind if answer else 'nothing'}", asked, answer
        )

    # --- how a call begins ---

    async def initiates(self) -> None:
        """session.initiate with fields that are missing or null."""
        async with self.raw("minimal") as call:
            answer = await call.begin(botName=_OUT, caller=_OUT, expectAudioMessages=_OUT)
            taken = answer is not None and answer.kind == "session.accepted"
            self.ledger.judge("minimal_initiate", taken, "not accepted", answer)
            await call.end()
        for rule, fields in (
            ("initiate_without_formats", {"supportedMediaFormats": _OUT}),
            ("initiate_with_null_formats", {"supportedMediaFormats": None}),
            ("initiate_without_id", {"conversationId": _OUT}),
        ):
            async with self.line(rule) as line:
                asked = await line.send(_initiate(fields))
                answer = await line.until(_is_answer)
                soon = answer is not None or line.closed is not None
                self.ledger.judge(rule, soon, "no answer", asked, answer)

    async def no_start(self) -> None:
        """The start event does not come."""
        async with self.raw("no_start") as call:
            if await call.accepted(start=False):
                self.ledger.judge("start_missing", await call.alive(), "the call does not go on", *call.line.seen[-1:])
                await call.end()

    async def twice(self) -> None:
        """Two initiates on one socket, and messages before the first one."""
        async with self.raw("two_initiates") as call:
            if await call.accepted():
                since = len(call.line.seen)
                second = await call.line.send(_initiate({"conversationId": call.id}))
                lives = await call.alive()
                again = call.line.of("session.accepted", since)
                self.ledger.judge("one_answer", not again, "accepted twice", second, *again)
                refused = call.line.of("session.error", since)
                good = lives or bool(refused)
                self.ledger.judge(
                    "two_initiates", good, f"the call does not go on ({call.line.closed})", second, *refused
                )
                await call.end()
        async with self.raw("before_initiate") as call:
            await call.send({"type": "userStream.start"})
            await call.send(_chunk(audioChunk="AAAA"))
            since = len(call.line.seen)
            await call.line.send(_initiate({"conversationId": call.id}))
            answer = await call.line.until(_is_answer)
            early = (
                [each for each in call.line.received() if not _is_answer(each)]
                if answer is None
                else (call.line.received()[: call.line.received().index(answer)])
            )
            self.ledger.judge("answer_first", not early, "something comes before the answer", *early, answer)
            good = answer is not None or call.line.closed is not None
            self.ledger.judge("before_initiate", good, "session.initiate is not answered after it", *call.line.seen[:4])
            await call.end()

    async def formats(self) -> None:
        """Each media format offered alone, and one that nobody knows."""
        for name in KNOWN:
            async with self.raw(f"format {name}") as call:
                answer = await call.begin(supportedMediaFormats=[name])
                taken = answer is not None and answer.kind == "session.accepted"
                if taken:
                    media = at(answer, "mediaFormat")
                    self.ledger.judge("offered_format", media == name, f"{media} for an offer of {name}", answer)
                    taken = media == name
                self.ledger.judge(f"format {name}", taken, "not accepted", answer)
                await call.end()
        async with self.raw("format unknown") as call:
            answer = await call.begin(supportedMediaFormats=["raw/telegraph"])
            said = "nothing" if answer is None else answer.kind
            self.ledger.judge("unknown_formats_refused", _is_error(answer), f"answered with {said}", answer)
            await call.end()

    # --- what must not matter ---

    async def odd(self) -> None:
        """Messages that a call survives, one after the other; a call that does not is followed by another."""
        left = [*ODD]
        while left:
            async with self.raw("odd") as call:
                if not await call.accepted():
                    return
                while left and await self._survived(call, left.pop(0)):
                    pass
                await call.end()

    async def _survived(self, call: _RawCall, rule: str) -> bool:
        since = len(call.line.seen)
        sent = [await call.send(message) for message in ODD[rule]]
        lives = await call.alive()
        errors = call.line.of("session.error", since)
        how = f"the socket closes with {call.line.closed}" if call.line.closed else "the bot answers no more"
        self.ledger.judge(rule, lives and not errors, "session.error" if errors else how, *sent, *errors)
        self.ledger.judge("stays", call.line.closed is None, f"code {call.line.closed}", *sent)
        self.ledger.judge("no_error", not errors, "session.error", *sent, *errors)
        return lives

    async def streams(self) -> None:
        """User streams: chunks outside of one, and one of a participant."""
        async with self.raw("streams") as call:
            if not await call.accepted():
                return
            await call.send({"type": "userStream.stop"})
            stopped = await call.line.until("userStream.stopped")
            late = await call.send(_chunk(audioChunk="AAAA"))
            await call.send({"type": "userStream.start"})
            again = await call.line.until("userStream.started", len(call.line.seen) - 1)
            lives = stopped is not None and again is not None and await call.alive()
            self.ledger.judge("odd late chunk", lives, "the call does not go on", late, again)
            await call.end()
        async with self.raw("participant") as call:
            answer = await call.begin()
            if answer is None or answer.kind != "session.accepted":
                return
            asked = await call.send({"type": "userStream.start", "participant": "caller"})
            answer = await call.line.until("userStream.started")
            named = at(answer, "participant") == "caller"
            self.ledger.judge("odd participant", named, "no userStream.started with the participant", asked, answer)
            await call.end()

    # --- whole calls ---

    async def call(self) -> None:
        """A call: greeting, a question, the answer, a key."""
        heard = await self._phone("call", [Say(_QUESTION), Dtmf("1"), Wait(2500), HangUp()], send_dtmf=True)
        if not heard.taken:
            return
        spoke = [each for each in heard.events if isinstance(each, BotSpoke)]
        said = [each for each in heard.events if isinstance(each, CallerSpoke)]
        first = heard.of("playStream.start")[:1]
        self.ledger.judge(
            "greets", spoke and (not said or spoke[0].began_ms < said[0].began_ms), "it is silent", *first
        )
        if said:
            speech = [each for each in heard.messages if each.kind.startswith("userStream.speech.")]
            kinds = {each.kind.removeprefix("userStream.speech.") for each in speech}
            self.ledger.judge("speech_told", speech, "no userStream.speech message comes", *speech[:2])
            missing = {"started", "stopped", "committed"} - kinds
            self.ledger.judge("speech_recommended", not missing, f"missing: {', '.join(sorted(missing))}", *speech[:4])
            answered = any(each.began_ms > said[0].began_ms for each in spoke)
            self.ledger.judge("answers_speech", answered, "nothing is played", *heard.of("playStream.start")[-1:])

    async def barge_in(self) -> None:
        """The caller speaks into the greeting, and into the answer."""
        heard = await self._phone("barge_in", [Interrupt(_INTERRUPTION, 600), Interrupt(_INTERRUPTION, 600), HangUp()])
        cuts = [each for each in heard.events if isinstance(each, BargedIn)]
        started = heard.of("userStream.speech.started")
        if cuts:
            self.ledger.kept("barge_in_told", *started[:1])
        for said in (each for each in heard.events if isinstance(each, CallerSpoke)):
            over = [
                each.ended_ms - said.began_ms
                for each in heard.events
                if isinstance(each, BotSpoke) and each.began_ms < said.began_ms < each.ended_ms
            ]
            if over and over[0] > _TALKED_ON_MS:
                self.ledger.broken(
                    "barge_in_told", f"the bot talks on for {over[0]} ms", *heard.of("playStream.start")[:1]
                )
        self._interrupted_streams(heard)

    def _interrupted_streams(self, heard: _HeardCall) -> None:
        """Each stream that is open when the caller is found to speak must be stopped, and only then."""
        stream: str | None = None
        stopped: ProbedMessage | None = None
        owing: tuple[str, ProbedMessage] | None = None
        for each in heard.messages:
            match each.kind:
                case "playStream.start":
                    stream = str(at(each, "streamId"))
                case "playStream.stop":
                    if owing is not None and owing[0] == at(each, "streamId"):
                        self.ledger.kept("barge_in_order", owing[1], each)
                        self.ledger.kept("barge_in_stops", owing[1], each)
                        owing = None
                    stream, stopped = None, each
                case "userStream.speech.started":
                    cut = any(
                        isinstance(event, BargedIn) and abs(event.at_ms - each.at_ms) <= 100 for event in heard.events
                    )
                    if not cut:
                        continue
                    if stream is not None:
                        owing = (stream, each)
                    elif stopped is not None and each.at_ms - stopped.at_ms < _STOPPED_BEFORE_MS:
                        self.ledger.broken("barge_in_order", "the stop comes first", stopped, each)
                        self.ledger.kept("barge_in_stops", stopped, each)
        if owing is not None:
            self.ledger.broken("barge_in_stops", f"no playStream.stop of {owing[0]}", owing[1])

    async def resume(self) -> None:
        """The socket is lost in the call, and comes back."""
        heard = await self._phone("resume", [Wait(500), Drop(200), Wait(1500), HangUp()])
        if not heard.taken:
            return
        answers = [each for each in heard.messages if _is_answer(each)]
        resumed = (
            heard.phone is not None and heard.phone.progress.open_loss is None and bool(heard.phone.progress.losses)
        )
        self.ledger.judge("resumes", resumed, "the call is not resumed", *answers[-1:])
        if resumed:
            asked = [place for place, each in enumerate(heard.messages) if each.sent and each.kind == "session.resume"]
            after = [each for each in heard.messages[asked[0] :] if not each.sent and each.kind == "userStream.started"]
            self.ledger.judge("resume_streams", after, "no userStream.started", *after)

    async def chat(self) -> None:
        """A call without audio, `expectAudioMessages: false`: both sides write."""
        heard = await self._phone("chat", [Write("What are your opening hours?"), Wait(1000), HangUp()], chat=True)
        audio = heard.of("playStream.start")
        answers = [each for each in heard.messages if _is_answer(each)]
        if answers:
            self.ledger.judge("text_mode", not audio, "a play stream is started", *answers, *audio[:1])
        if heard.taken and heard.phone is not None:
            written = [each for each in heard.of("activities") if '"message"' in each.text]
            asked = any(each.role == "caller" for each in heard.phone.texts)
            since_ms = next((each.at_ms for each in heard.phone.texts if each.role == "caller"), 0)
            if asked:
                late = [each for each in written if each.at_ms >= since_ms]
                self.ledger.judge("text_answers", late, "nothing is written", *late[:1])

    async def _phone(self, scene: str, script: Sequence[ScriptStep], **settings: Any) -> _HeardCall:
        heard = _HeardCall(scene, self.ledger)
        how = CallSettings(
            url=self.settings.url,
            conversation_id=f"probe-{uuid.uuid4()}",
            token=self.settings.token,
            bot_name="probe",
            speed=self.settings.speed,
            patience_s=self.settings.patience_s,
            limit_s=12 * self.settings.patience_s,
            **{"formats": _FORMATS, **settings},
        )
        report = await place_call(how, script, heard.events.append, tap=heard.tap)
        if heard.phone is not None and heard.phone.flood is not None:
            raise Flooded(heard.phone.flood, heard.messages[-1])
        heard.over(ended=report.outcome == "client-disconnected")
        dropped = [each for each in heard.events if isinstance(each, Dropped)]
        wanted = sum(isinstance(step, Drop) for step in script)
        if heard.taken:
            lost = dropped[wanted:]
            self.ledger.judge("stays", not lost, f"code {[each.code for each in lost]}", *heard.messages[-1:])
        return heard


def _initiate(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A session.initiate. fields: in place of the usual ones, or beside them; _OUT leaves one out."""
    usual = {
        "type": "session.initiate",
        "conversationId": f"probe-{uuid.uuid4()}",
        "expectAudioMessages": True,
        "supportedMediaFormats": list(_FORMATS),
    }
    return {name: each for name, each in (usual | dict(fields)).items() if each is not _OUT}


class _HeardCall:
    """What passed in a call of the simulated caller. messages: with the call's time."""

    def __init__(self, scene: str, ledger: ProbeLedger) -> None:
        self.scene = scene
        self.messages: list[ProbedMessage] = []
        self.events: list[CallerEvent] = []
        self.phone: Phone | None = None
        self._ledger = ledger
        self._complaints = 0

    @property
    def taken(self) -> bool:
        """The bot has accepted the call."""
        return self.phone is not None and self.phone.media is not None

    def of(self, kind: str) -> list[ProbedMessage]:
        return [each for each in self.messages if each.kind == kind and not each.sent]

    def tap(self, phone: Phone, sent: bool, message: str | bytes) -> None:
        self.phone = phone
        kept = kept_message(self.scene, phone.now_ms, message, sent=sent)
        self.messages.append(kept)
        if not sent:
            _judge(self._ledger, kept)
            for rule in VAIC_RULES:
                if kept.kind in rule.shown_by:
                    self._ledger.kept(rule.name, kept)
            self._note(kept)

    def over(self, *, ended: bool) -> None:
        """The call is over, ended by session.end or not: what was complained of without a message."""
        self._note(next((each for each in reversed(self.messages) if not each.sent), None))
        if ended:
            for rule in ("closes", "closes_normally", "silent_at_end"):
                self._ledger.kept(rule, *self.messages[-1:])

    def _note(self, message: ProbedMessage | None) -> None:
        if self.phone is None:
            return
        new = self.phone.complaints.met[self._complaints :]
        self._complaints += len(new)
        for complaint, detail in new:
            if complaint in NOT_A_RULE:
                continue
            rule = _BY_COMPLAINT.get(complaint, "known_messages")
            if complaint == "not_acknowledged":
                rule = {"userStream.start": "user_started", "userStream.stop": "user_stopped"}[detail]
            self._ledger.broken(rule, f"{complaint}: {detail}" if detail else complaint, message)


# --- all of it ---

VAIC_SCENES = (
    *(_BotProbe.call, _BotProbe.barge_in, _BotProbe.resume, _BotProbe.chat, _BotProbe.odd, _BotProbe.formats),
    *(_BotProbe.http, _BotProbe.token, _BotProbe.compression, _BotProbe.validate, _BotProbe.initiates),
    *(_BotProbe.no_start, _BotProbe.twice, _BotProbe.streams, _BotProbe.resume_unknown),
)


async def probe_bot(settings: ProbeSettings) -> ProbeReport:
    """Play the scenes with a bot. Raises: Unreachable, before the first scene."""
    probe = _BotProbe(settings)
    return await graded(probe, probe.line("connect"), VAIC_SCENES, VAIC_SPEC)
