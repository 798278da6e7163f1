"""Runs a simulated call: drives a person and a phone with a socket and a clock.

May import: lab.caller, websockets, loguru, the standard library. Rules from: docs/specs/vaic-streaming.md 2, 7.9.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from loguru import logger
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from lab.caller.audio import TICK_MS, read_recording
from lab.caller.events import CallerEvent
from lab.caller.person import Person
from lab.caller.phone import Phone
from lab.caller.record import fetch_record
from lab.caller.report import CallReport, report_call
from lab.caller.script import Interrupt, Say, ScriptError, ScriptStep
from lab.caller.settings import CallSettings
from lab.caller.wav import write_call

_DIAL_LIMIT_S = 10.0
REDIAL_MS = 500
_LATE_S = 0.05  # if ticks run later than this, on a busy loop, several are made up between two yields to it
_CATCH_UP_TICKS = 5
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # the protocol allows a whole utterance in one chunk (7.4)
_FINAL_STATUS = (400, 401, 403, 404)  # HTTP statuses after which VAIC does not dial again


Tap = Callable[[Phone, bool, str | bytes], None]


async def place_call(
    settings: CallSettings,
    script: Sequence[ScriptStep],
    on_event: Callable[[CallerEvent], None] | None = None,
    bot_owes: Callable[[], bool] | None = None,
    tap: Tap | None = None,
) -> CallReport:
    """Call the bot, play the script, and report. A call that fails is reported, not raised.

    on_event: called with each event during the call. bot_owes: whether the bot is about to say something; while it is,
    the caller waits without a limit. tap: called with each message after it was sent (True) or taken.
    Raises: ScriptError for a file that cannot be read, before it dials.
    """
    for step in script:
        if isinstance(step, Say | Interrupt):
            if settings.chat:
                raise ScriptError(f"{step.file}: nothing is said in a chat; write write:WORDS")
            read_recording(step.file)
    call = _Call(settings, script, on_event or _ignore, bot_owes or _never, tap or _untapped)
    await call.live()
    phone = call.phone
    record = None
    if settings.ops_url is not None and phone.media is not None:
        record = await fetch_record(settings.ops_url, settings.conversation_id, settings.ops_token)
        if record is None:
            phone.complaints.add("no_call_record", "the daemon's ops endpoint gave none")
    if settings.out_wav is not None:
        length_ms = phone.progress.ended_ms or 0
        await asyncio.to_thread(write_call, settings.out_wav, length_ms, phone.mouth.utterances, phone.ear.segments)
    return report_call(settings.conversation_id, phone, record)


def run_call(
    settings: CallSettings, script: Sequence[ScriptStep], on_event: Callable[[CallerEvent], None] | None = None
) -> CallReport:
    """`place_call` for callers without an event loop."""
    return asyncio.run(place_call(settings, script, on_event))


def _ignore(_event: CallerEvent) -> None:
    pass


def _never() -> bool:
    return False


def _untapped(_phone: Phone, _sent: bool, _message: str | bytes) -> None:
    pass


def tick_s(number: int, speed: float) -> float:
    """When a tick is due, in seconds since the first: an absolute time, so that delays do not add up."""
    return number * TICK_MS / 1000 / speed


class _Call:
    """The clock and the socket of a call: every 20 ms of the call's time the person acts and the phone plays."""

    def __init__(
        self,
        settings: CallSettings,
        script: Sequence[ScriptStep],
        tell: Callable[[CallerEvent], None],
        bot_owes: Callable[[], bool],
        tap: Tap,
    ) -> None:
        self.phone = Phone(settings, tell, lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
        self._settings = settings
        self._person = Person(
            script,
            self.phone,
            pause_ms=settings.pause_ms,
            patience_ms=int(settings.patience_s * 1000),
            tell=tell,
            bot_owes=bot_owes,
        )
        self._tap = tap
        self._socket: ClientConnection | None = None
        self._begun = asyncio.Event()
        self._log = logger.bind(conversation=settings.conversation_id)

    async def live(self) -> None:
        """Run the whole call."""
        async with asyncio.TaskGroup() as tasks:
            line = tasks.create_task(self._keep_line())
            await self._keep_time()
            if self._socket is None:
                line.cancel()
            else:
                await self._socket.close()
        if self.phone.progress.outcome not in ("client-disconnected", "refused") and (undone := self._person.undone):
            self.phone.complaints.add("script_not_finished", ", ".join(undone))

    # --- time ---

    async def _keep_time(self) -> None:
        await self._begun.wait()
        loop = asyncio.get_running_loop()
        began_s, ticks, life = loop.time(), 0, self._person.live()
        while not self.phone.over:
            if not self.phone.progress.ended:
                next(life, None)
            self.phone.tick()
            await self._flush()
            if self.phone.drop_for_ms is not None and self._socket is not None:
                self._socket.transport.abort()
            ticks += 1
            early_s = began_s + tick_s(ticks, self._settings.speed) - loop.time()
            if early_s > -_LATE_S or ticks % _CATCH_UP_TICKS == 0:
                await asyncio.sleep(max(0.0, early_s))

    async def _flush(self) -> None:
        """Write the outbox. Two tasks may run this: popping one by one keeps the order."""
        outbox = self.phone.outbox
        try:
            while outbox and self._socket is not None:
                message = outbox.popleft()
                await self._socket.send(message)
                self._tap(self.phone, True, message)
        except ConnectionClosed:
            pass  # the reading task reports it

    # --- the socket ---

    async def _keep_line(self) -> None:
        while True:
            socket = await self._dial()
            if socket is not None:
                await self._converse(socket)
                self._log.debug("socket closed", code=socket.close_code)
            if self.phone.over:
                return
            pause_ms, self.phone.drop_for_ms = self.phone.drop_for_ms, None
            await asyncio.sleep((REDIAL_MS if pause_ms is None else pause_ms) / 1000 / self._settings.speed)

    async def _dial(self) -> ClientConnection | None:
        """Open a socket. A first refusal ends the call, a later one only if its status is final."""
        try:
            return await connect(
                self._settings.url,
                additional_headers={"Authorization": f"Bearer {self._settings.token}"}
                if self._settings.token
                else None,
                compression=None,
                proxy=None,
                max_size=_MAX_MESSAGE_BYTES,
                open_timeout=_DIAL_LIMIT_S,
                close_timeout=1,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            if not self._begun.is_set() or status in _FINAL_STATUS:
                self._give_up("refused", "upgrade_refused", f"HTTP {status}")
        except (OSError, InvalidHandshake, InvalidURI) as error:
            if not self._begun.is_set():
                self._give_up("error", "not_connected", str(error) or type(error).__name__)
        return None

    def _give_up(self, outcome: str, rule: str, detail: str) -> None:
        self.phone.fail(outcome if not self._begun.is_set() else "error", rule, detail)
        self._begun.set()

    async def _converse(self, socket: ClientConnection) -> None:
        async with socket:
            self._socket = socket
            self.phone.connected()
            await self._flush()
            self._begun.set()
            try:
                async for message in socket:
                    self.phone.received(message)
                    self._tap(self.phone, False, message)
                    if self.phone.outbox:
                        await self._flush()
                    if self.phone.over:
                        break
                if self.phone.flood is not None:
                    socket.transport.abort()  # a close would wait behind what still comes
            except ConnectionClosed:
                pass
            self._socket = None
        self.phone.lost(socket.close_code or 1006)
