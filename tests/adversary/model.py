"""The scripted model: a Realtime server that keeps to the protocol, and says and calls what a scene scripts.

Without a script it obeys: it says the greeting, any verbatim sentence, and the `say` of a function's output. It also
makes up the caller's speech: the audio it receives is silence, and it sends the events of voice detection by script.
May import: tests.adversary, websockets, the standard library.
Rules from: docs/specs/openai-realtime.md 3.2, 4.3, 4.4, 4.6.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

_WORD_FOR_WORD = re.compile(r'word for word: (".*")\s*$', re.DOTALL)
_GREET = re.compile(r"Greet the caller with: (.*)$", re.DOTALL)
# Speech at a natural pace: the duration of a sentence, and how much faster than that it is generated.
_MS_PER_SENTENCE, MS_PER_LETTER = 300, 60
_DELTA_MS, _DELTA_EVERY_S = 100, 0.02
# A millisecond of mu-law other than silence, because the telephone complains about silence.
_ULAW_MS = b"\x55" * 8
_SILENT_MS = b"\xff" * 8
_WORDS_AFTER_S = 0.3
_LOOK_S = 0.05
# Time limit for a function's output: tasks run on threads, by the machine's clock instead of the loop's.
_ANSWERED_S = 80
_SESSION_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """then_s: pause after it, before the response goes on."""

    then_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Say(_Item):
    """Speech. ms: its length, by default that of the text. audio_done: False to leave out the event of its end.

    stalls: after this many ms nothing more is sent, neither of it nor of its response. mute: its audio is silence.
    """

    text: str
    ms: int = 0
    audio_done: bool = True
    status: str = "completed"
    stalls: int | None = None
    mute: bool = False

    @property
    def length_ms(self) -> int:
        return self.ms or _MS_PER_SENTENCE + MS_PER_LETTER * len(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(_Item):
    """Text instead of speech."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Function(_Item):
    """A function call. arguments: JSON text, perhaps invalid. call_id: to reuse one."""

    name: str
    arguments: str = "{}"
    call_id: str = ""
    status: str = "completed"


Item = Say | Write | Function


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response. status, reason, error: how it ends. delay_s: before it begins. burst: all its function calls arrive
    in one segment. to_any: it also answers a request with a sentence to say. hangs: it begins and never ends. never: it
    does not begin.
    """

    items: tuple[Item, ...] = ()
    status: str = "completed"
    reason: str = ""
    error: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.05
    burst: bool = False
    to_any: bool = False
    hangs: bool = False
    never: bool = False


def say(text: str, ms: int = 0, then_s: float = 0.0) -> Say:
    return Say(text=text, ms=ms, then_s=then_s)


def call(name: str, arguments: dict[str, Any] | str = "{}", then_s: float = 0.0) -> Function:
    """A function call. arguments: an object, or the text to send instead."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return Function(name=name, arguments=text, then_s=then_s)


@dataclass(eq=False)
class _Response:
    """The response being generated. open_item, text: the speech that has begun and not ended."""

    id: str
    request: dict[str, Any]
    output: list[dict[str, Any]] = field(default_factory=list)
    open_item: str = ""
    text: str = ""
    task: asyncio.Task[None] | None = None

    def shape(self, status: str, reason: str = "", error: dict[str, str] | None = None) -> dict[str, Any]:
        details = {"type": status, "reason": reason or None, "error": error or None}
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "status_details": None if status in ("completed", "in_progress") else details,
            "output": self.output,
            "conversation_id": "conv",
            "metadata": self.request.get("metadata"),
        }


class Model:
    """One conversation's model, over all sockets that the daemon opens for it.

    speed: factor by which it runs faster than the loop's clock. speech: called for the caller's speech with (item,
    begins, counts): its beginning or its end, and whether a human would call it speech. wall_s: the scene's time of
    day, in seconds since 1970.

    script: the next answers, in order; when it is empty the model obeys. habit: an answer given every time instead.
    expires_in_s: of the session, as reported. refuse_update: the error that later session.updates get.
    refuse_creates: the errors that the response.creates to come get. echo: items that are created are acknowledged.
    twice: response.done is sent twice.
    requests: the response.creates so far. outputs: of functions, in order. said: what it has said and written.
    """

    def __init__(self, speed: float, speech: Callable[[str, bool, bool], None], wall_s: Callable[[], float]) -> None:
        self._speed = speed
        self._wall_s = wall_s
        self._speech = speech
        self._socket: ServerConnection | None = None
        self._active: _Response | None = None
        self._detects: dict[str, Any] = {}
        self._born_s = asyncio.get_running_loop().time()
        self._unanswered: set[str] = set()
        self._turn = ""
        self._turn_counts = True
        self._words: set[asyncio.Task[None]] = set()
        self.script: deque[Answer] = deque()
        self.habit: Callable[[Model], Answer] | None = None
        self.expires_in_s: float = _SESSION_S
        self.expires_at: int | None = None
        self.refuse_update: dict[str, str] | None = None
        self.refuse_creates: deque[dict[str, str]] = deque()
        self.echo = True
        self.twice = False
        self.configured = asyncio.Event()
        self.connections = 0
        self.requests: list[dict[str, Any]] = []
        self.items: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.tools: list[str] = []
        self.instructions = ""
        self.updates = 0
        self.audio_ms = 0.0
        self.play_until_s = 0.0
        self.noise_reduction: object = None

    # --- time ---

    def now_s(self) -> float:
        """Seconds of the call's time since this model was created."""
        return (asyncio.get_running_loop().time() - self._born_s) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    async def until(self, true: Callable[[], object], limit_s: float = 40) -> bool:
        """Wait for something to become true; returns whether it did."""
        end_s = self.now_s() + limit_s
        while not true():
            if self.now_s() > end_s:
                return False
            await self.sleep(_LOOK_S)
        return True

    @property
    def speaking(self) -> bool:
        """Whether audio of a response is being generated."""
        return self._active is not None and bool(self._active.open_item)

    @property
    def busy(self) -> bool:
        return self._active is not None

    async def quiet(self, gap_s: float = 1.2, limit_s: float = 40) -> bool:
        """Wait until nobody speaks or is about to. Returns False if that took too long."""
        began_s = still_s = self.now_s()

        def settled() -> bool:
            nonlocal still_s
            now_s = self.now_s()
            owed = self._unanswered and now_s - began_s < _ANSWERED_S
            if self.busy or self.script or owed or self.play_until_s > now_s - 0.1:
                still_s = now_s
            return now_s - still_s > gap_s

        return await self.until(settled, limit_s)

    # --- the socket ---

    async def serve(self, socket: ServerConnection) -> None:
        """Serve one socket of the daemon until it ends. Events go to the newest one."""
        self._socket, self._active = socket, None
        self.connections += 1
        expires_at = int(self._wall_s() + self.expires_in_s) if self.expires_at is None else self.expires_at
        session = {
            "id": "sess",
            "object": "realtime.session",
            "type": "realtime",
            "expires_at": expires_at,
            "audio": {},
        }
        await self.emit("session.created", session=session)
        try:
            async for text in socket:
                await self._take(json.loads(text))
        except ConnectionClosed:
            pass

    async def emit(self, kind: str, **fields: Any) -> None:
        """Send an event; nothing if the socket is gone."""
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(_event(kind, fields))

    async def cut(self) -> None:
        """Drop the response being generated or waiting to begin, without events."""
        self.script.clear()
        await self._cancel("turn_detected")

    async def drop(self) -> None:
        """Lose the socket."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _take(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "input_audio_buffer.append":
                self.audio_ms += len(base64.b64decode(event["audio"])) / len(_ULAW_MS)
            case "session.update":
                await self._update(event["session"])
            case "conversation.item.create":
                await self._create_item(event["item"])
            case "response.create":
                await self._create(event.get("response") or {}, event.get("event_id"))
            case "response.cancel":
                await self._cancel("client_cancelled")
            case _:
                pass  # truncation, deletion: this model has no memory besides its script

    async def _update(self, session: dict[str, Any]) -> None:
        self.updates += 1
        if self.refuse_update is not None and self.configured.is_set():
            await self.emit("error", error=self.refuse_update)
            return
        if "tools" in session:
            self.tools = [tool["name"] for tool in session["tools"]]
        self.instructions = session.get("instructions", self.instructions)
        audio = session.get("audio") or {}
        heard = audio.get("input") or {}
        self._detects = heard.get("turn_detection") or self._detects
        self.noise_reduction = heard.get("noise_reduction", self.noise_reduction)
        formats = {side: {"format": told.get("format")} for side, told in audio.items()}
        await self.emit("session.updated", session={"type": "realtime", "audio": formats})
        self.configured.set()

    async def _create_item(self, told: dict[str, Any]) -> None:
        item = {"id": _new("item"), **told}
        self.items.append(item)
        if item["type"] == "function_call_output":
            self._unanswered.discard(item["call_id"])
            try:
                output = json.loads(item["output"])
            except ValueError:
                output = {"say": item["output"]}
            self.outputs.append(output)
        if self.echo:
            await self.emit("conversation.item.added", item=item)
            await self.emit("conversation.item.done", item=item)

    async def _create(self, request: dict[str, Any], event_id: str | None) -> None:
        self.requests.append(request)
        if self.refuse_creates:
            await self.emit("error", error={**self.refuse_creates.popleft(), "event_id": event_id})
        elif request.get("conversation") == "none":
            await self._aside(request)
        elif self._active is not None:
            code = "conversation_already_has_active_response"
            await self.emit("error", error={"type": "invalid_request_error", "code": code, "message": "busy"})
        else:
            self.begin(request)

    # --- what it says ---

    def begin(self, request: dict[str, Any] | None = None) -> None:
        """Begin a response: the server's own where there is no request."""
        response = self._active = _Response(_new("resp"), request or {})
        response.task = asyncio.create_task(self._respond(response))

    def _plan(self, request: dict[str, Any]) -> Answer:
        """Scripted answers are for requests without a sentence to say, unless `to_any`."""
        told = "instructions" in request
        if self.script and (self.script[0].to_any or not told):
            return self.script.popleft()
        if self.habit is not None and not told:
            return self.habit(self)
        return Answer(items=(say(self._obedient(request.get("instructions", ""))),))

    def _obedient(self, told: str) -> str:
        if word_for_word := _WORD_FOR_WORD.search(told):
            return str(json.loads(word_for_word[1]))
        if greet := _GREET.search(told):
            return greet[1]
        outputs: list[dict[str, Any]] = []
        for item in reversed(self.items):
            if item["type"] == "message":
                break
            if item["type"] == "function_call_output":
                outputs.insert(0, json.loads(item["output"]))
        words = [part for each in outputs for part in (each.get("say") or each.get("hint"), each.get("next")) if part]
        return " ".join(words) or "Sorry, what was that?"

    async def _respond(self, response: _Response) -> None:
        plan = self._plan(response.request)
        if plan.never:
            return
        await self.sleep(plan.delay_s)
        await self.emit("response.created", response=response.shape("in_progress"))
        if plan.hangs:
            return
        burst: list[str] | None = [] if plan.burst else None
        for item in plan.items:
            match item:
                case Say():
                    await self._speak(response, item)
                case Write():
                    await self._write(response, item)
                case Function():
                    await self._call(response, item, burst)
            await self.sleep(item.then_s)
        if burst and self._socket is not None:
            socket = self._socket
            await asyncio.gather(*(socket.send(text) for text in burst))
        await self._done(response, plan.status, plan.reason, plan.error)

    async def _done(
        self, response: _Response, status: str, reason: str = "", error: dict[str, str] | None = None
    ) -> None:
        if self._active is response:
            self._active = None
            for _ in range(2 if self.twice else 1):
                await self.emit("response.done", response=response.shape(status, reason, error))

    async def _cancel(self, reason: str) -> None:
        response = self._active
        if response is None:
            return
        if response.task is not None:
            response.task.cancel()
        # Not every function call of an interrupted response is answered.
        self._unanswered -= {item.get("call_id", "") for item in response.output}
        if response.open_item:
            part = _part(response, response.open_item)
            await self.emit("response.output_audio.done", **part)
            await self.emit("response.output_audio_transcript.done", **part, transcript=response.text)
            await self._item_done(response, _message(response.open_item, "incomplete", []), remember=False)
        await self._done(response, "cancelled", reason)

    async def _speak(self, response: _Response, item: Say) -> None:
        item_id = _new("item")
        part, begun = _part(response, item_id), _message(item_id, "in_progress", [])
        response.open_item, response.text = item_id, item.text
        await self.emit(
            "response.output_item.added", response_id=response.id, output_index=part["output_index"], item=begun
        )
        await self.emit("conversation.item.added", item=begun)
        await self.emit("response.content_part.added", **part, part={"type": "audio", "transcript": ""})
        left_ms = item.length_ms if item.stalls is None else item.stalls
        while left_ms > 0:
            ms = min(_DELTA_MS, left_ms)
            left_ms -= ms
            audio = (_SILENT_MS if item.mute else _ULAW_MS) * int(ms)
            await self.emit("response.output_audio.delta", **part, delta=base64.b64encode(audio).decode())
            self.play_until_s = max(self.play_until_s, self.now_s()) + ms / 1000
            await self.sleep(_DELTA_EVERY_S)
        if item.stalls is not None:
            await asyncio.Event().wait()  # until it is cancelled
        if item.audio_done:
            await self.emit("response.output_audio.done", **part)
        await self.emit("response.output_audio_transcript.done", **part, transcript=item.text)
        self.said.append(item.text)
        response.open_item = ""
        content = [{"type": "output_audio", "transcript": item.text}]
        await self._item_done(response, _message(item_id, item.status, content))

    async def _write(self, response: _Response, item: Write) -> None:
        item_id = _new("item")
        part, begun = _part(response, item_id), _message(item_id, "in_progress", [])
        await self.emit(
            "response.output_item.added", response_id=response.id, output_index=part["output_index"], item=begun
        )
        await self.emit("response.output_text.delta", **part, delta=item.text)
        await self.emit("response.output_text.done", **part, text=item.text)
        self.said.append(item.text)
        content = [{"type": "output_text", "text": item.text}]
        await self._item_done(response, _message(item_id, "completed", content))

    async def _item_done(self, response: _Response, item: dict[str, Any], *, remember: bool = True) -> None:
        index = len(response.output)
        if remember:
            response.output.append(item)
            self.items.append(item)
        await self.emit("response.output_item.done", response_id=response.id, output_index=index, item=item)

    async def _call(self, response: _Response, item: Function, burst: list[str] | None) -> None:
        item_id, call_id, index = _new("item"), item.call_id or _new("call"), len(response.output)
        about = {
            "id": item_id,
            "object": "realtime.item",
            "type": "function_call",
            "name": item.name,
            "call_id": call_id,
        }
        begun = {**about, "status": "in_progress", "arguments": ""}
        whole = {**about, "status": item.status, "arguments": item.arguments}
        place = {"response_id": response.id, "output_index": index}
        argued = {**place, "item_id": item_id, "call_id": call_id}

        async def put(kind: str, **fields: Any) -> None:
            if burst is None:
                await self.emit(kind, **fields)
            else:
                burst.append(_event(kind, fields))

        await put("response.output_item.added", **place, item=begun)
        await put("conversation.item.added", item=begun)
        await put("response.function_call_arguments.delta", **argued, delta=item.arguments)
        await put("response.function_call_arguments.done", **argued, name=item.name, arguments=item.arguments)
        response.output.append(whole)
        self.items.append(whole)
        self._unanswered.add(call_id)
        await put("response.output_item.done", **place, item=whole)
        await put("conversation.item.done", item=whole)

    async def _aside(self, request: dict[str, Any]) -> None:
        """Answer an out-of-band request in text, with the first of the allowed answers."""
        response = _Response(_new("resp"), request)
        await self.emit("response.created", response=response.shape("in_progress"))
        choice = re.search(r"exactly one of: ([^\s,.]+)", str(request.get("instructions", "")))
        await self._write(response, Write(text=choice[1] if choice else "none"))
        self.said.pop()
        self.items.pop()
        await self.emit("response.done", response=response.shape("completed"))

    # --- the caller, as voice detection reports it ---

    async def began(self, *last: Function, counts: bool = True) -> None:
        """The caller begins to speak and interrupts the bot. last: function calls of the interrupted response that are
        completed after speech_started. counts: whether a human would call this speech.
        """
        self._turn, self._turn_counts = _new("user"), counts
        self._speech(self._turn, True, counts)
        self.play_until_s = 0.0
        cut = self._active if self._detects.get("interrupt_response", True) else None
        if cut is not None and cut.task is not None:
            cut.task.cancel()
        await self.emit(
            "input_audio_buffer.speech_started", item_id=self._turn, audio_start_ms=int(self.now_s() * 1000)
        )
        if cut is not None:
            for function in last:
                await self._call(cut, function, None)
            await self._cancel("turn_detected")

    async def stopped(self) -> None:
        """Send speech_stopped, and nothing after it."""
        self._speech(self._turn, False, self._turn_counts)
        await self.emit("input_audio_buffer.speech_stopped", item_id=self._turn, audio_end_ms=int(self.now_s() * 1000))

    async def ended(self, words: str | None, *items: Item, late_s: float = 0.0, **how: Any) -> None:
        """The caller's turn ends, and the server answers with `items`, or by its script. words: None if no transcript
        follows. late_s: the transcript's extra delay. how: fields of the Answer.
        """
        if items or how:
            self.script.appendleft(Answer(items=items, **how))
        await self.stopped()
        await self.committed()
        if words is not None:
            self.write_down(words, _WORDS_AFTER_S + late_s)
        if self._detects.get("create_response", True) and self._active is None:
            self.begin()

    async def committed(self) -> None:
        """Send the committed event: the turn becomes an item."""
        item: dict[str, Any] = {"id": self._turn, "type": "message", "role": "user", "status": "completed"}
        item["content"] = [{"type": "input_audio", "transcript": None}]
        self.items.append(item)
        await self.emit("input_audio_buffer.committed", item_id=self._turn, previous_item_id=None)
        await self.emit("conversation.item.added", item=item)
        await self.emit("conversation.item.done", item=item)

    def write_down(self, words: str, after_s: float) -> None:
        """Send the turn's transcript after a delay."""
        turn = self._turn

        async def later() -> None:
            await self.sleep(after_s)
            kind = "conversation.item.input_audio_transcription.completed"
            await self.emit(kind, item_id=turn, content_index=0, transcript=words, usage={})

        task = asyncio.create_task(later())
        self._words.add(task)
        task.add_done_callback(self._words.discard)

    async def not_written_down(self) -> None:
        """Send that the turn's transcription failed."""
        kind = "conversation.item.input_audio_transcription.failed"
        error = {
            "type": "transcription_error",
            "code": "audio_unintelligible",
            "message": "The audio could not be read.",
        }
        await self.emit(kind, item_id=self._turn, content_index=0, error=error)

    async def turn(self, words: str | None, *items: Item, ms: int = 800, settle: bool = True, **how: Any) -> None:
        """The caller speaks for `ms` once it is quiet, and is answered. settle: wait until the answer was said.

        how: fields of the Answer, and late_s.
        """
        if settle:
            await self.quiet()
        await self.began()
        await self.sleep(ms / 1000)
        await self.ended(words, *items, **how)
        if settle:
            await self.quiet()

    @property
    def last_output(self) -> dict[str, Any]:
        """The output of the last function call; empty if none was answered."""
        return self.outputs[-1] if self.outputs else {}

    def got(self, **fields: Any) -> bool:
        """Whether some function output has these fields."""
        return any(all(each.get(name) == value for name, value in fields.items()) for each in self.outputs)


def _new(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:12]}"


def _event(kind: str, fields: dict[str, Any]) -> str:
    return json.dumps({"type": kind, "event_id": _new("event"), **fields})


def _part(response: _Response, item_id: str) -> dict[str, Any]:
    return {"response_id": response.id, "item_id": item_id, "output_index": len(response.output), "content_index": 0}


def _message(item_id: str, status: str, content: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }
