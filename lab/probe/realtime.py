"""Grades a Realtime server: has sessions with it in a set of scenes, and notes which rules were kept or broken.

After each event that must be refused an update of the session shows that it goes on. A response's order is judged when
its socket has closed. May import: lab, protocols, the standard library.
Rules from: docs/specs/openai-realtime.md 1 to 6.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab.caller.audio import payloads, read_recording, silent_payload
from lab.probe.ledger import ProbedMessage, ProbeLedger, ProbeReport, at
from lab.probe.rules import BETA_NAMES, REALTIME_EVENTS, REALTIME_RULES, REALTIME_SPEC
from lab.probe.settings import ProbeSettings
from lab.probe.stage import graded, judge_refusal
from lab.probe.wire import ProbeSocket, opened
from protocols.media import LPCM16_24

_SPEECH = Path(__file__).parents[1] / "speech" / "slt_hours.wav"
_CHUNK_S = 0.02
_SILENCE_CHUNKS = 75  # after a sentence: voice detection counts samples
_LONG = "Count aloud from one to one hundred, all numbers in full."
_TOOL = {
    "type": "function",
    "name": "look_up_weather",
    "description": "Looks up the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "The city's name."}},
        "required": ["city"],
    },
}
_QUIET_VAD = {"type": "server_vad", "create_response": False, "interrupt_response": False}
# By rule: an event that must be answered with an error.
BAD: Mapping[str, Mapping[str, Any] | str] = {
    "bad no JSON": '{"type": "session.update"',
    "bad no type": {"session": {}},
    "bad unknown type": {"type": "session.weather"},
    "bad unknown key": {
        "type": "session.update",
        "session": {"type": "realtime", "instructions": "Refused.", "weather": "sunny"},
    },
    "bad session type": {"type": "session.update", "session": {"instructions": "Refused."}},
    "bad base64": {"type": "input_audio_buffer.append", "audio": "*** no base64 ***"},
    "bad empty commit": {"type": "input_audio_buffer.commit"},
    "bad item": {"type": "conversation.item.create"},
    "bad delete": {"type": "conversation.item.delete", "item_id": "probe_none"},
    "bad truncate": {
        "type": "conversation.item.truncate",
        "item_id": "probe_none",
        "content_index": 0,
        "audio_end_ms": 100,
    },
    "bad cancel": {"type": "response.cancel"},
    "bad output": {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "probe_none", "output": "{}"},
    },
}


class _Session:
    """One session. speed: of the caller's speech."""

    def __init__(self, line: ProbeSocket, ledger: ProbeLedger, speed: float) -> None:
        self.line = line
        self._ledger = ledger
        self._speed = speed
        self._numbers = count(1)

    @property
    def now(self) -> int:
        """The place of the next message."""
        return len(self.line.seen)

    async def send(self, kind: str, **fields: Any) -> ProbedMessage:
        return await self.line.send({"type": kind, "event_id": f"probe_{next(self._numbers)}", **fields})

    async def until_or_error(self, kind: str, since: int) -> ProbedMessage | None:
        """The first event of this type, or error."""
        return await self.line.until(lambda each: each.kind in (kind, "error"), since)

    async def update(self, **session: Any) -> ProbedMessage | None:
        """Change the session; return session.updated, or None."""
        asked = {"type": "realtime", **session}
        return await self.answered("session_updated", "session.updated", "session.update", session=asked)

    async def answered(self, rule: str, answer_kind: str, kind: str, **fields: Any) -> ProbedMessage | None:
        """Send an event; judge that it is answered with one of this type, and return that, or None."""
        since = self.now
        asked = await self.send(kind, **fields)
        answer = await self.until_or_error(answer_kind, since)
        good = answer is not None and answer.kind == answer_kind
        self._ledger.judge(rule, good, f"no {answer_kind}", asked, answer)
        return answer if good else None

    async def write(self, text: str, item_id: str | None = None) -> ProbedMessage | None:
        """Create a user's text; return conversation.item.done."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        if item_id is not None:
            item["id"] = item_id
        since = self.now
        asked = await self.send("conversation.item.create", item=item)
        added = await self.line.until("conversation.item.added", since)
        done = await self.line.until("conversation.item.done", since)
        order = added is not None and done is not None and self.line.seen.index(added) < self.line.seen.index(done)
        self._ledger.judge("item_added", order, "not added, then done", asked, added, done)
        return done

    async def respond(self, **response: Any) -> ProbedMessage | None:
        """Ask for a response; return its response.done."""
        since = self.now
        asked = await self.send("response.create", response=response)
        created = await self.line.until("response.created", since)
        fresh = at(created, "response", "status") == "in_progress"
        self._ledger.judge("response_created", fresh, "no response.created in progress", asked, created)
        return None if created is None else await self.done(at(created, "response", "id"), since)

    async def done(self, response_id: str, since: int) -> ProbedMessage | None:
        """The end of a response."""

        def ends(each: ProbedMessage) -> bool:
            return each.kind == "response.done" and at(each, "response", "id") == response_id

        done = await self.line.until(ends, since)
        if done is None:
            self._ledger.broken("response_done", f"no response.done of {response_id}", *self.line.seen[-1:])
        return done

    async def speak(self) -> None:
        """A sentence, and silence after it."""
        audio = [*payloads(read_recording(_SPEECH), LPCM16_24), *[silent_payload(LPCM16_24)] * _SILENCE_CHUNKS]
        for chunk in audio:
            await self.line.send({"type": "input_audio_buffer.append", "audio": chunk})
            await asyncio.sleep(_CHUNK_S / self._speed)


class _ServerProbe:
    """All scenes with one server."""

    def __init__(self, settings: ProbeSettings) -> None:
        self.settings = settings
        self.ledger = ProbeLedger(REALTIME_RULES)
        parts = urlsplit(settings.url)
        given = parse_qs(parts.query)
        named = {"model", "deployment", "intent", "call_id"} & given.keys()
        query = parts.query if named else "&".join(filter(None, (parts.query, f"model={settings.model}")))
        self.url = parts._replace(path=parts.path or "/v1/realtime", query=query).geturl()
        self._azure = (parts.hostname or "").endswith(".azure.com")

    def _headers(self, key: str) -> dict[str, str]:
        if not key:
            return {}
        return {"api-key": key} if self._azure else {"Authorization": f"Bearer {key}"}

    @asynccontextmanager
    async def session(self, scene: str) -> AsyncIterator[_Session]:
        """A session that is created. What was seen of responses is judged at its end."""
        ids: set[object] = set()

        def take(message: ProbedMessage) -> None:
            self._take(message, ids)

        headers, patience_s = self._headers(self.settings.token), self.settings.patience_s
        async with opened(self.url, headers, scene=scene, patience_s=patience_s, take=take) as line:
            self.ledger.kept("connects")
            created = await line.until("session.created")
            first = created is not None and line.received()[0] is created and isinstance(at(created, "session"), dict)
            self.ledger.judge("session_created", first, "the first event is another", *line.received()[:2])
            self.ledger.judge("session_expires", isinstance(at(created, "session", "expires_at"), int), "none", created)
            try:
                yield _Session(line, self.ledger, self.settings.speed)
            finally:
                _judge_responses(line.received(), self.ledger)

    def _take(self, message: ProbedMessage, ids: set[object]) -> None:
        kind = message.kind
        self.ledger.received(message)
        event_id = at(message, "event_id")
        if message.has_type and kind != "input_audio_buffer.dtmf_event_received":
            told = isinstance(event_id, str) and event_id not in ids
            self.ledger.judge("event_ids", told, f"event_id {event_id!r} in {kind}", message)
            ids.add(event_id)
        self.ledger.judge("ga_names", kind not in BETA_NAMES, kind, message)
        self.ledger.judge("known_events", kind in REALTIME_EVENTS or kind in BETA_NAMES, kind, message)
        if kind == "error":
            shaped = all(isinstance(at(message, "error", name), str) for name in ("type", "message"))
            self.ledger.judge("error_shape", shaped, "no type or message", message)

    # --- the session ---

    async def key(self) -> None:
        """A wrong key."""
        if not self.settings.token:
            return
        wrong = opened(self.url, self._headers("wrong"), scene="key", patience_s=1)
        await judge_refusal(self.ledger, "wrong_key", wrong, (401, 403))

    async def configure(self) -> None:
        """Updates of the session: what is set, left out, and null."""
        async with self.session("configure") as session:
            created = next(iter(session.line.of("session.created")), None)
            first = await session.update(
                instructions="Be brief.", tools=[_TOOL], audio={"input": {"turn_detection": _QUIET_VAD}}
            )
            if first is None:
                return
            names = _each(at(first, "session", "tools"), "name")
            echoed = (
                at(first, "session", "instructions") == "Be brief."
                and names == [_TOOL["name"]]
                and at(first, "session", "audio", "input", "turn_detection", "create_response") is False
            )
            self.ledger.judge("session_echo", echoed, "another instruction, tool or turn detection", first)
            shaped = at(first, "session", "type") == "realtime" and all(
                isinstance(at(first, "session", "audio", side), dict) for side in ("input", "output")
            )
            self.ledger.judge("session_shape", shaped, "no type realtime, audio.input or audio.output", first)
            before, after = (at(each, "session", "expires_at") for each in (created, first))
            self.ledger.judge("session_expiry_fixed", before == after, f"{before} became {after}", created, first)
            merged = await session.update(instructions="Be briefer.")
            kept = _each(at(merged, "session", "tools"), "name")
            self.ledger.judge("session_merge", kept == names, "the tools are gone", merged)
            off = await session.update(audio={"input": {"turn_detection": None}})
            held = at(off, "session", "audio", "input", "turn_detection")
            self.ledger.judge("session_null", off is not None and held is None, f"turn_detection {held}", off)

    async def formats(self) -> None:
        """Each audio format, both ways."""
        for name in ("audio/pcm", "audio/pcmu", "audio/pcma"):
            async with self.session(f"format {name}") as session:
                media = {"type": name, "rate": 24000} if name == "audio/pcm" else {"type": name}
                since = session.now
                await session.send(
                    "session.update",
                    session={"type": "realtime", "audio": {"input": {"format": media}, "output": {"format": media}}},
                )
                answer = await session.until_or_error("session.updated", since)
                told = [at(answer, "session", "audio", side, "format", "type") for side in ("input", "output")]
                self.ledger.judge(f"format {name}", told == [name, name], f"the formats are {told}", answer)

    # --- what is refused ---

    async def bad(self) -> None:
        """Events at fault, one after the other; a session that does not survive one is followed by another."""
        left = [*BAD]
        while left:
            async with self.session("bad") as session:
                if await session.update(instructions="Kept.", audio={"input": {"turn_detection": None}}) is None:
                    return
                while left and await self._refused(session, left.pop(0)):
                    pass

    async def _refused(self, session: _Session, rule: str) -> bool:
        since, event = session.now, BAD[rule]
        named = event if isinstance(event, str) else {**event, "event_id": f"bad_{rule.replace(' ', '_')}"}
        sent = await session.line.send(named)
        error = await session.line.until("error", since)
        self.ledger.judge(rule, error is not None, "no error", sent, error)
        if error is not None and isinstance(named, Mapping):
            told = at(error, "error", "event_id")
            self.ledger.judge("error_event_id", told == named["event_id"], f"{told!r} for {rule}", sent, error)
        now = await session.update(tool_choice="auto")
        if rule in ("bad unknown key", "bad session type") and error is not None and now is not None:
            kept = at(now, "session", "instructions") == "Kept."
            self.ledger.judge(rule, kept, "the rest of it was set", sent, error, now)
        lives = now is not None and session.line.closed is None
        self.ledger.judge("errors_survived", lives, f"after {rule}: close code {session.line.closed}", sent, error)
        return lives

    # --- items ---

    async def items(self) -> None:
        """An item is created, read and deleted; the buffer is cleared."""
        async with self.session("items") as session:
            done = await session.write("Good morning.", "probe_item_1")
            told = at(done, "item", "id")
            self.ledger.judge("item_id", told == "probe_item_1", f"the id is {told}", done)
            for kind, answer_kind, rule, fields in (
                ("conversation.item.retrieve", "conversation.item.retrieved", "item_retrieved", {"item_id": told}),
                ("conversation.item.delete", "conversation.item.deleted", "item_deleted", {"item_id": told}),
                ("input_audio_buffer.clear", "input_audio_buffer.cleared", "buffer_cleared", {}),
            ):
                await session.answered(rule, answer_kind, kind, **fields)

    # --- responses ---

    async def text(self) -> None:
        """A response in writing, with metadata; a second one meanwhile; and one beside the conversation."""
        async with self.session("text") as session:
            await session.update(
                output_modalities=["text"], instructions="Be brief.", audio={"input": {"turn_detection": None}}
            )
            await session.write("What are your opening hours?")
            since = session.now
            asked = await session.send("response.create", response={"metadata": {"probe": "first"}})
            second = await session.send("response.create")
            created = await session.line.until("response.created", since)
            done = await session.done(at(created, "response", "id"), since) if created is not None else None
            self._completed(done)
            marks = [at(each, "response", "metadata", "probe") for each in (created, done)]
            self.ledger.judge("response_metadata", marks == ["first"] * 2, f"{marks}", asked, created, done)
            await session.update(tool_choice="auto")
            errors = session.line.of("error", since)
            self.ledger.judge("second_response", errors, "no error", second, *errors)
            kinds = {each.kind for each in session.line.received(since)}
            good = "response.output_text.delta" in kinds and not any("audio" in each for each in kinds)
            self.ledger.judge("text_only", good, "no text, or audio", done)
            for other in session.line.of("response.created", since):
                await session.done(at(other, "response", "id"), since)
            await self._out_of_band(session)

    async def _out_of_band(self, session: _Session) -> None:
        since = session.now
        done = await session.respond(
            conversation="none",
            output_modalities=["text"],
            instructions="Answer with one word: yes.",
            input=[{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Is one odd?"}]}],
        )
        if done is not None:
            added = session.line.of("conversation.item.added", since)
            self.ledger.judge("out_of_band", not added, "an item is added", *added, done)

    def _completed(self, done: ProbedMessage | None) -> None:
        status = at(done, "response", "status")
        if done is None:
            return
        self.ledger.judge("response_completed", status == "completed", f"status {status}", done)
        usage = at(done, "response", "usage", "total_tokens")
        self.ledger.judge("response_usage", isinstance(usage, int), "no total_tokens", done)

    async def audio(self) -> None:
        """A spoken response, of which only the beginning was heard."""
        async with self.session("audio") as session:
            await session.update(output_modalities=["audio"], audio={"input": {"turn_detection": None}})
            await session.write("What are your opening hours?")
            since = session.now
            done = await session.respond()
            self._completed(done)
            deltas = session.line.of("response.output_audio.delta", since)
            words = session.line.of("response.output_audio_transcript.delta", since)
            both = bool(deltas and words)
            self.ledger.judge("audio_and_transcript", both, "audio or transcript is missing", done)
            if not deltas:
                return
            item_id = at(deltas[0], "item_id")
            since = session.now
            asked = await session.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)
            answer = await session.until_or_error("conversation.item.truncated", since)
            same = (at(answer, "item_id"), at(answer, "audio_end_ms")) == (item_id, 100)
            self.ledger.judge("truncated", same, "no conversation.item.truncated of it", asked, answer)

    async def function(self) -> None:
        """A function is called, its output taken and spoken of."""
        async with self.session("function") as session:
            await session.update(
                output_modalities=["text"],
                tools=[_TOOL],
                instructions="Use look_up_weather for questions about the weather.",
                audio={"input": {"turn_detection": None}},
            )
            await session.write("What is the weather in Berlin?")
            since = session.now
            done = await session.respond(tool_choice="required")
            called = await session.line.until("response.function_call_arguments.done", since) if done else None
            self.ledger.judge("function_called", called is not None, "no function is called", done)
            if called is None:
                return
            named = at(called, "name") == _TOOL["name"] and isinstance(at(called, "call_id"), str)
            self.ledger.judge("function_names", named, "no name or call_id", called)
            call_id = next(
                (
                    at(each, "item", "call_id")
                    for each in session.line.of("response.output_item.done", since)
                    if at(each, "item", "type") == "function_call"
                ),
                at(called, "call_id"),
            )
            since = session.now
            item = {"type": "function_call_output", "call_id": call_id, "output": '{"weather": "sunny"}'}
            asked = await session.send("conversation.item.create", item=item)
            taken = await session.until_or_error("conversation.item.done", since)
            told = await session.respond(tool_choice="none") if taken is not None else None
            good = taken is not None and taken.kind != "error" and at(told, "response", "status") == "completed"
            self.ledger.judge("function_output", good, "not taken, or not answered", asked, taken, told)

    async def cancel(self) -> None:
        """A response is cancelled while it comes."""
        async with self.session("cancel") as session:
            await session.update(output_modalities=["audio"], audio={"input": {"turn_detection": None}})
            since = session.now
            await session.send("response.create", response={"instructions": f"Say exactly: {_LONG} {_LONG} {_LONG}"})
            created = await session.line.until("response.created", since)
            if created is None:
                return
            asked = await session.send("response.cancel", response_id=at(created, "response", "id"))
            done = await session.done(at(created, "response", "id"), since)
            status = at(done, "response", "status")
            self.ledger.judge("cancelled", status == "cancelled", f"status {status}", asked, done)
            if status == "cancelled":
                reason = at(done, "response", "status_details", "reason")
                self.ledger.judge("cancel_reason", reason == "client_cancelled", f"reason {reason}", done)

    # --- voice detection ---

    async def voice(self) -> None:
        """A spoken question, answered by voice detection, with a transcript."""
        async with self.session("voice") as session:
            await session.update(
                audio={
                    "input": {
                        "turn_detection": {
                            **_QUIET_VAD,
                            "create_response": True,
                            "interrupt_response": True,
                            "silence_duration_ms": 500,
                        },
                        "transcription": {"model": "gpt-4o-mini-transcribe"},
                    }
                },
            )
            since = session.now
            await session.speak()
            created = await session.line.until("response.created", since)
            item_id = self._turn(session, since)
            self.ledger.judge("vad_answers", created is not None, "no response.created", created)
            if created is not None:
                await session.done(at(created, "response", "id"), since)
            text = await session.line.until(
                lambda each: each.kind == "conversation.item.input_audio_transcription.completed", since
            )
            good = text is not None and at(text, "item_id") == item_id
            self.ledger.judge("transcribed", good, "no transcript of this item", text)

    def _turn(self, session: _Session, since: int) -> str | None:
        """Judge the events of the first turn; return its item_id."""
        wanted = (
            *("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"),
            *("input_audio_buffer.committed", "conversation.item.added"),
        )
        met = [next(iter(session.line.of(kind, since)), None) for kind in wanted]
        places = [-1 if each is None else session.line.seen.index(each) for each in met]
        order = -1 not in places and places == sorted(places)
        self.ledger.judge("vad_order", order, "missing, or in another order", *met)
        if not order:
            return None
        ids = [*(at(each, "item_id") for each in met[:3]), at(met[3], "item", "id")]
        self.ledger.judge("vad_item", len(set(ids)) == 1 and ids[0], f"{ids}", *met)
        begin, end = at(met[0], "audio_start_ms"), at(met[1], "audio_end_ms")
        whole = type(begin) is int and type(end) is int and begin < end
        self.ledger.judge("vad_offsets", whole, f"{begin} to {end}", met[0], met[1])
        return ids[0] if isinstance(ids[0], str) else None

    async def listening(self) -> None:
        """A spoken sentence with create_response off, and one without voice detection."""
        async with self.session("listening") as session:
            await session.update(audio={"input": {"turn_detection": _QUIET_VAD}})
            since = session.now
            await session.speak()
            heard = await session.line.until("input_audio_buffer.committed", since)
            off = await session.update(audio={"input": {"turn_detection": None}})
            if heard is not None and off is not None:
                created = session.line.of("response.created", since)
                self.ledger.judge("vad_silent", not created, "a response is created", heard, *created)
            since = session.now
            await session.speak()
            asked = await session.send("input_audio_buffer.commit")
            committed = await session.line.until("input_audio_buffer.committed", since)
            added = await session.line.until("conversation.item.added", since)
            await session.update(tool_choice="auto")
            created = session.line.of("response.created", since)
            good = committed is not None and added is not None and not created
            self.ledger.judge("manual_turn", good, "no item, or a response", asked, committed, added, *created)

    async def interrupt(self) -> None:
        """The caller speaks while a response comes."""
        async with self.session("interrupt") as session:
            detection = {**_QUIET_VAD, "interrupt_response": True}
            await session.update(output_modalities=["audio"], audio={"input": {"turn_detection": detection}})
            since = session.now
            await session.send("response.create", response={"instructions": f"Say exactly: {_LONG} {_LONG} {_LONG}"})
            created = await session.line.until("response.created", since)
            if created is None or await session.line.until("response.output_audio.delta", since) is None:
                return
            await session.speak()
            started = await session.line.until("input_audio_buffer.speech_started", since)
            done = await session.done(at(created, "response", "id"), since)
            if started is None or done is None or session.line.seen.index(done) < session.line.seen.index(started):
                return  # it had come to its end before
            told = at(done, "response", "status"), at(done, "response", "status_details", "reason")
            self.ledger.judge("vad_interrupts", told == ("cancelled", "turn_detected"), f"{told}", started, done)


# --- the order of a response's events ---

# An item's events, by their rank; those of one rank may come in any order.
_RANKS = {
    "response.output_item.added": 0,
    "response.content_part.added": 1,
    "response.content_part.done": 3,
    "response.output_item.done": 4,
}
_STREAMED = {
    "response.output_text": ("text", "text_whole"),
    "response.output_audio_transcript": ("transcript", "transcript_whole"),
    "response.function_call_arguments": ("arguments", "function_arguments"),
}


def _judge_responses(received: Sequence[ProbedMessage], ledger: ProbeLedger) -> None:
    # By the id as JSON, which may be anything: a server that talks a lot has thousands of responses.
    events: dict[str, list[tuple[int, ProbedMessage]]] = {}
    for place, each in enumerate(received):
        if each.kind != "response.created":
            for told in {json.dumps(at(each, "response_id")), json.dumps(at(each, "response", "id"))}:
                events.setdefault(told, []).append((place, each))
    for begins, created in enumerate(received):
        if created.kind != "response.created":
            continue
        response_id = at(created, "response", "id")
        placed = events.get(json.dumps(response_id), [])
        own = [each for _, each in placed]
        ends = [each for each in own if each.kind == "response.done"]
        if not ends:
            continue
        ledger.judge("response_done", len(ends) == 1, f"{len(ends)} of {response_id}", *ends)
        late = own[own.index(ends[0]) + 1 :]
        ledger.judge("response_closed", not late, "events after its response.done", ends[0], *late)
        ahead = [each for place, each in reversed(placed) if place < begins]
        ledger.judge("response_order", not ahead, "events before response.created", *ahead, created)
        _judge_items(own, ledger)
        if at(ends[0], "response", "status") == "completed":
            _judge_whole(own, ends[0], ledger)
    loose = [
        each
        for each in received
        if each.kind.startswith("response.")
        and each.kind not in ("response.created", "response.done")
        and not each.kind.startswith("response.mcp_call.")
        and (not at(each, "response_id") or ("output_item" not in each.kind and not at(each, "item_id")))
    ]
    if any(each.kind == "response.done" for each in received):
        ledger.judge("response_ids", not loose, "without response_id or item_id", *loose[:2])


def _judge_items(own: Sequence[ProbedMessage], ledger: ProbeLedger) -> None:
    """The order of each item's events."""
    ranks: dict[str, int] = {}
    closed: set[tuple[str, str]] = set()
    for each in own:
        if each.kind == "response.done":
            continue
        item_id = str(at(each, "item_id") or at(each, "item", "id"))
        rule = "function_order" if "function_call" in each.text else "response_order"
        stem, _, last = each.kind.rpartition(".")
        rank = _RANKS.get(each.kind, 2)
        good = ranks.get(item_id, -1 if rank == 0 else 9) <= rank and (item_id, stem) not in closed
        ledger.judge(rule, good, f"{each.kind} in another place", each)
        ranks[item_id] = max(rank, ranks.get(item_id, 0))
        if last == "done" and rank == 2:
            closed.add((item_id, stem))


def _judge_whole(own: Sequence[ProbedMessage], done: ProbedMessage, ledger: ProbeLedger) -> None:
    """That nothing of a completed response is missing."""
    items = [at(each, "item", "id") for each in own if each.kind == "response.output_item.done"]
    output = _each(at(done, "response", "output"), "id")
    ledger.judge("response_output", items == output, f"{output} for {items}", done)
    for end in own:
        stem, _, last = end.kind.rpartition(".")
        if last != "done" or stem not in _STREAMED:
            continue
        name, rule = _STREAMED[stem]
        parts = [
            str(at(each, "delta"))
            for each in own
            if each.kind == f"{stem}.delta"
            and (at(each, "item_id"), at(each, "content_index")) == (at(end, "item_id"), at(end, "content_index"))
        ]
        whole = at(end, name)
        good = "".join(parts) == whole and (name != "arguments" or _is_object(whole))
        ledger.judge(rule, good, "the deltas are another text", end)
    for each in own:
        if each.kind == "response.output_audio.delta":
            ledger.judge("audio_readable", _is_pcm(at(each, "delta")), "no base64, or half a sample", each)


def _is_object(text: object) -> bool:
    try:
        return isinstance(json.loads(str(text)), dict)
    except ValueError:
        return False


def _each(told: object, name: str) -> list[object]:
    """That field of each object in a list."""
    return [one.get(name) for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def _is_pcm(text: object) -> bool:
    try:
        return len(b64decode(str(text), validate=True)) % 2 == 0
    except ValueError:
        return False


# --- all of it ---

REALTIME_SCENES = (
    *(_ServerProbe.configure, _ServerProbe.formats, _ServerProbe.bad, _ServerProbe.items, _ServerProbe.text),
    *(_ServerProbe.audio, _ServerProbe.function, _ServerProbe.cancel, _ServerProbe.voice, _ServerProbe.listening),
    *(_ServerProbe.interrupt, _ServerProbe.key),
)


async def probe_realtime(settings: ProbeSettings) -> ProbeReport:
    """Play the scenes with a server. Raises: Unreachable, before the first scene."""
    probe = _ServerProbe(settings)
    return await graded(probe, probe.session("connect"), REALTIME_SCENES, REALTIME_SPEC)
