"""Plays a scene: a real daemon with its own store, a scripted model and a simulated telephone, on one clock.

Everything runs on one loop whose clock waits for its work (tests.paced_loop): a busy machine makes a scene slow, not
different.
May import: everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import event
from websockets.asyncio.server import ServerConnection, serve

from actors.messages.journal_rows import JournalEntry, decode
from appointments.bookings import AppointmentBook, book, by_effect, remove
from fsm.effects import EffectRequest, EffectResult, Failed, Local, Ok, Remote
from fsm.registry import load_agents
from fsm.spec import AgentSpec
from gateway.daemon import Daemon
from gateway.settings import Settings
from lab.caller import CallSettings
from store.database import open_database
from store.journal import CallRecord, Journal
from tests.adversary.model import Model
from tests.adversary.scene import End, Ends, Fault, Props, Scene, Wrong
from tests.adversary.story import heard_by, story
from tests.adversary.telephone import Telephone
from tests.crashes import logged_crashes
from tests.paced_loop import loop_time_s, run_paced
from tests.silence import longest_silence_s

SPEED = 8.0
# Of the loop's clock: after a hang-up, until the call's record is written.
RECORD_LIMIT_S = 10.0
# Of the machine's clock: an effect that a scene forgets to let go.
HELD_LIMIT_S = 60.0
# Breaches of VAIC's protocol that do not spoil a call by themselves.
FORGIVEN = ("no_call_record",)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a scene. faults: none if it passed. story: what the caller experienced. took_s: in real time."""

    scene: str
    kind: str
    doc: str
    faults: tuple[str, ...]
    stored: tuple[str, ...]
    outcome: str
    silence_s: float
    notes: tuple[str, ...]
    story: tuple[str, ...]
    took_s: float


class EffectError(Exception):
    """An exception that an effect raises unexpectedly."""


class Stage:
    """What a scene's script can see and do.

    model, phone: of the current call. speed: factor by which everything runs faster than the loop's clock. notes: lines
    for the report. effects_done: names of the misbehaving effects that were carried out. let_go: releases held effects.
    """

    def __init__(self, props: Props, folder: Path, speed: float) -> None:
        self._props = props
        self._folder = folder
        self.speed = speed
        self._loop = asyncio.get_running_loop()
        self._born_s = self._loop.time()
        self._base = datetime.fromisoformat(props.now).replace(tzinfo=UTC)
        self._calls = 0
        self._sounds: list[list[int]] = []
        self._open_sound: list[int] | None = None
        self._daemon: Daemon | None = None
        self._living: asyncio.Task[None] | None = None
        self._model_url = ""
        self._exit = AsyncExitStack()
        self._stored = asyncio.Event()  # something was, by one of the daemon's threads
        self.conversation_id = ""
        self.notes: list[str] = []
        self.effects_done: list[str] = []
        self.let_go = threading.Event()
        self.model: Model
        self.phone: Telephone

    # --- time ---

    def now(self) -> datetime:
        """The time of day in the scene, for all threads."""
        return self._base + timedelta(seconds=(self._loop.time() - self._born_s) * self.speed)

    def pass_days(self, days: float) -> None:
        """Advance the calendar, but not the clocks of timers."""
        self._base += timedelta(days=days)

    async def sleep(self, seconds: float) -> None:
        """Sleep for seconds of the call's time."""
        await asyncio.sleep(seconds / self.speed)

    async def until(self, true: Callable[[], object], limit_s: float = 40) -> bool:
        """Wait for something to become true; returns whether it did."""
        return await self.model.until(true, limit_s)

    async def ended(self, limit_s: float = 40) -> bool:
        """Wait for the bot to end the call; returns whether it did."""
        return await self.until(lambda: not self.phone.up, limit_s)

    # --- the daemon ---

    @property
    def daemon(self) -> Daemon:
        assert self._daemon is not None
        return self._daemon

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self._folder}/scene.sqlite3"

    async def open(self) -> None:
        """Open the store, the model's port and the daemon."""
        engine = open_database(self.database_url)
        with engine.begin() as connection:
            for number, own in enumerate(self._props.own):
                starts_at = datetime.fromisoformat(own.at).replace(tzinfo=UTC)
                book(
                    connection,
                    resource="practice",
                    starts_at=starts_at,
                    duration_min=15,
                    caller=own.caller,
                    conversation_id="before",
                    effect_key=f"before-{number}",
                    name=own.name,
                )
        engine.dispose()
        server = await self._exit.enter_async_context(
            serve(self._to_model, "127.0.0.1", 0, compression=None, max_size=None)
        )
        self._model_url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        await self.start_daemon()

    async def start_daemon(self) -> None:
        settings: dict[str, Any] = {
            "openai_url": self._model_url,
            "database_url": self.database_url,
            "host": "127.0.0.1",
            "port": 0,
            "ops_port": 0,
            "vaic_token": SecretStr(""),
            "time_zone": "UTC",
            "transfer_targets": {},
            "max_lag_ms": 0,
            **self._props.settings,
        }
        agents = _misbehaving(load_agents(), self._props, self.speed, self.effects_done, self.let_go)
        self._daemon = Daemon(Settings(**settings), self.speed, clock_s=loop_time_s, now=self.now, agents=agents)
        await self._daemon.__aenter__()
        event.listen(self._daemon.engine, "checkin", self._returned)

    def _returned(self, *_: object) -> None:
        """A connection to the store is returned: what was done over it is committed."""
        if threading.current_thread() is not threading.main_thread():  # else we were reading
            self._loop.call_soon_threadsafe(self._stored.set)

    async def stop_daemon(self) -> None:
        if self._daemon is not None:
            daemon, self._daemon = self._daemon, None
            await daemon.__aexit__()

    async def close(self) -> None:
        self.let_go.set()
        await self.stop_daemon()
        await self._exit.aclose()

    async def _to_model(self, socket: ServerConnection) -> None:
        await self.model.serve(socket)

    # --- calls ---

    async def dial(self, caller: str | None = None, *, greeted: bool = True, **how: Any) -> None:
        """Place a call with a model of its own, and wait for the end of the greeting. caller: default the scene's."""
        self._calls += 1
        self.conversation_id = f"call-{self._calls}"
        self._sounds, self._open_sound = [], None
        self.model = Model(self.speed, self._speech, lambda: self.now().timestamp())
        self.model.expires_in_s, self.model.expires_at = self._props.expires_in_s, self._props.expires_at
        if self._props.first is not None:
            self.model.script.append(self._props.first)
        settings = CallSettings(
            url=self.daemon.vaic_url,
            conversation_id=self.conversation_id,
            caller=self._props.caller if caller is None else caller,
            formats=("raw/mulaw",),
            speed=self.speed,
            limit_s=self._props.limit_s,
            **how,
        )
        self.phone = Telephone(settings, self.now, transfer=self._props.transfer)
        self._living = asyncio.create_task(self.phone.live())
        if greeted:
            await self.until(self.model.configured.is_set)
            await self.sleep(0.5)
            await self.model.quiet()

    async def hang_up(self) -> CallRecord | None:
        """The caller hangs up, unless the call has ended; returns the daemon's record."""
        if self.phone.up:
            self.phone.hang_up()
        if self._living is not None:
            await asyncio.wait({self._living}, timeout=RECORD_LIMIT_S)
            self._living.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECORD_LIMIT_S):
                while self.record() is None:
                    await self._stored.wait()
                    self._stored.clear()
        return self.record()

    def record(self) -> CallRecord | None:
        """The daemon's record of the call; None until it has ended."""
        return Journal(self.daemon.engine).record(self.conversation_id)

    def _speech(self, _turn: str, begins: bool, counts: bool) -> None:
        if begins and counts:
            self._open_sound = [self.phone.now_ms, self.phone.now_ms]
            self._sounds.append(self._open_sound)
        elif self._open_sound is not None:
            self._open_sound[1] = self.phone.now_ms
            self._open_sound = None

    # --- results ---

    def stored(self) -> tuple[str, ...]:
        """The times of the stored appointments."""
        return tuple(at for at, _, _ in self.appointments())

    def appointments(self) -> list[tuple[str, str, str]]:
        """(time, name, caller), in order of time."""
        everything = AppointmentBook(self.daemon.engine).all()
        return sorted(
            (f"{each.starts_at.astimezone(UTC):%Y-%m-%d %H:%M}", each.name, each.caller) for each in everything
        )

    def effects(self) -> list[tuple[str, str]]:
        """(name, status) of every effect in the log."""
        with sqlite3.connect(self._folder / "scene.sqlite3") as connection:
            return list(connection.execute("select name, status from effect order by intended_at"))

    def journal(self) -> list[JournalEntry]:
        """The call's journal so far."""
        return [decode(row) for row in self.daemon.journal.rows(self.conversation_id)]

    def heard(self) -> str:
        """Everything that the caller has heard in this call, clips included."""
        return "\n".join(heard_by(self.journal()))

    def silence_s(self) -> float:
        """The longest silence, from the greeting to the end of the call, or until now."""
        now_ms = self.phone.handset.progress.ended_ms or self.phone.now_ms
        if self._open_sound is not None:
            self._open_sound[1] = now_ms
        bots = [(run.began_ms, run.ended_ms) for run in self.phone.handset.ear.runs]
        return longest_silence_s(bots, [(began_ms, ended_ms) for began_ms, ended_ms in self._sounds], now_ms)


# --- effects that misbehave ---


def _unbook(request: EffectRequest, connection: Any) -> None:
    if (booked := by_effect(connection, request.key)) is not None:
        remove(connection, booked.id)


def _misbehaving(
    agents: Mapping[str, AgentSpec], props: Props, speed: float, done: list[str], let_go: threading.Event
) -> Mapping[str, AgentSpec]:
    if not props.effects:
        return agents

    def of(name: str, effect: Local | Remote) -> Local | Remote:
        wrong = props.effects.get(name)
        if wrong is None or isinstance(effect, Remote):
            return effect

        def remote(_: EffectRequest) -> EffectResult:
            done.append(name)
            raise EffectError(name)

        def local(request: EffectRequest, connection: Any) -> EffectResult:
            done.append(name)
            match wrong:
                case Wrong.RAISES:
                    raise EffectError(name)
                case Wrong.FAILS | Wrong.FAILS_SLOW:
                    time.sleep(props.slow_s / speed if wrong is Wrong.FAILS_SLOW else 0)
                    return Failed("I am sorry, that does not work at the moment.")
                case _:
                    # On the task's own thread, by the machine's clock.
                    time.sleep(props.slow_s / speed)
                    return effect.do(request, connection)

        def held(_: EffectRequest) -> EffectResult:
            done.append(name)
            let_go.wait(HELD_LIMIT_S)
            return Ok({"appointment": 1, "code": "4711"})

        match wrong:
            case Wrong.REMOTE:
                return Remote(remote, recover="retry")
            case Wrong.HELD:
                return Remote(held, recover="human", on_hang_up="finish")
            case Wrong.HELD_UNDONE:
                return Remote(held, recover="human", undo=lambda _: done.append(f"{name} undone"), on_hang_up="undo")
            case _:
                pass
        if wrong is Wrong.SLOW_UNDONE:
            return replace(effect, do=local, undo=_unbook, on_hang_up="undo")
        return replace(effect, do=local)

    return {
        name: replace(spec, effects={each: of(each, effect) for each, effect in spec.effects.items()})
        for name, spec in agents.items()
    }


# --- playing a scene ---


def play(scene: Scene, speed: float = SPEED) -> Verdict:
    """Play a scene and judge it."""
    began_s = time.monotonic()
    with logged_crashes() as crashed, tempfile.TemporaryDirectory() as folder:
        verdict = run_paced(_played(scene, Path(folder), speed))
    notes = (*verdict.notes, *(f"log: {each}" for each in dict.fromkeys(crashed)))
    faults = verdict.faults
    if crashed and not scene.props.crashes:
        faults = (*faults, f"crashed: {crashed[0]}")
    return replace(verdict, faults=faults, notes=notes, took_s=time.monotonic() - began_s)


async def _played(scene: Scene, folder: Path, speed: float) -> Verdict:
    faults: list[str] = []
    async with _stage(scene.props, folder, speed) as stage:
        try:
            async with asyncio.timeout(scene.props.limit_s / speed):
                await stage.dial()
                await scene.script(stage)
        except TimeoutError:
            faults.append(f"the scene was not over in {scene.props.limit_s:.0f} s")
        except Fault as fault:
            faults.append(str(fault))
        outcome, silence_s = stage.phone.outcome, stage.silence_s()
        record = await stage.hang_up()
        if record is None:
            faults.append("the call left no record")
        faults += judge(scene.ends, stage, outcome, silence_s)
        forgiven = (*FORGIVEN, "silence_fed") if scene.props.hush else FORGIVEN
        faults += [line for line in stage.phone.handset.complaints.lines() if not line.startswith(forgiven)]
        return Verdict(
            scene.name,
            scene.kind.value,
            scene.doc,
            tuple(faults),
            stage.stored(),
            outcome,
            silence_s,
            tuple(stage.notes),
            tuple(story(stage.journal())),
            0.0,
        )


@asynccontextmanager
async def _stage(props: Props, folder: Path, speed: float) -> AsyncIterator[Stage]:
    stage = Stage(props, folder, speed)
    try:
        await stage.open()
        yield stage
    finally:
        await stage.close()


def judge(ends: Ends, stage: Stage, outcome: str, silence_s: float) -> list[str]:
    """The faults at the end. outcome: of the call when the script had ended."""
    faults = []
    lawful = ends.either if ends.either is not None else None if ends.stored is None else (ends.stored,)
    stored = stage.stored()
    if lawful is not None and stored not in lawful:
        wanted = " or ".join(", ".join(each) or "nothing" for each in lawful)
        faults.append(f"stored is {', '.join(stored) or 'nothing'}, not {wanted}")
    if ends.names is not None and (names := tuple(name for _, name, _ in stage.appointments())) != ends.names:
        faults.append(f"stored for {', '.join(names) or 'nobody'}, not for {', '.join(ends.names) or 'nobody'}")
    if ends.end is not None:
        lawful_ends = (ends.end,) if isinstance(ends.end, End) else ends.end
        if outcome not in {each.value for each in lawful_ends}:
            wanted = " or ".join(each.name.lower() for each in lawful_ends)
            faults.append(f"the call ended as {outcome or 'talking'}, not {wanted}")
    heard = stage.heard()
    faults += [f"never heard: {each}" for each in ends.heard if not re.search(each, heard, re.IGNORECASE)]
    faults += [f"heard: {each}" for each in ends.unheard if re.search(each, heard, re.IGNORECASE)]
    if ends.silence_s is not None and silence_s > ends.silence_s:
        faults.append(f"nobody was heard for {silence_s:.0f} s")
    if ends.requests is not None and len(stage.model.requests) > ends.requests:
        faults.append(f"{len(stage.model.requests)} responses were asked for")
    return faults
