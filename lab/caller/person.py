"""The person: plays the script in steps of 20 ms, and waits for its turn as people do.

May import: lab.caller, the standard library.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from lab.caller.audio import TICK_MS, SpeechRecording, read_recording
from lab.caller.events import CallerEvent, CallerSpoke
from lab.caller.phone import Phone
from lab.caller.script import Drop, Dtmf, HangUp, Interrupt, Say, ScriptStep, Wait, Write, as_word

_KEY_MS = 200  # between two keys pressed


class Person:
    """One caller and their phone.

    pause_ms: how long the bot must be quiet before the person speaks. patience_ms: how long the person waits for it to
    say something. tell: called with CallerSpoke. bot_owes: whether the bot is about to say something; meanwhile its
    silence does not count.
    """

    def __init__(
        self,
        script: Sequence[ScriptStep],
        phone: Phone,
        *,
        pause_ms: int,
        patience_ms: int,
        tell: Callable[[CallerEvent], None],
        bot_owes: Callable[[], bool],
    ) -> None:
        self._steps = deque(script)
        self._doing: ScriptStep | None = None
        self._phone = phone
        self._pause_ms = pause_ms
        self._patience_ms = patience_ms
        self._tell = tell
        self._bot_owes = bot_owes
        self._owed_until_ms = 0
        self._last = "the call was accepted"
        self._asked_ms = 0
        self._asked_until_ms = 0
        self._asked_texts = 0  # that the bot had sent by then

    @property
    def undone(self) -> list[str]:
        """The steps that were not played, as script words."""
        steps = self._steps if self._doing is None else [self._doing, *self._steps]
        return [as_word(step) for step in steps]

    def live(self) -> Iterator[None]:
        """Advance 20 ms with each `next`, until the person has hung up."""
        for _ in self._live_through():
            if self._bot_owes():
                self._owed_until_ms = self._phone.now_ms
            yield

    def _live_through(self) -> Iterator[None]:
        while self._steps:
            self._doing = self._steps.popleft()
            yield from self._do(self._doing)
            self._doing = None
        yield from self._await_hangup()
        self._phone.hang_up()

    def _do(self, step: ScriptStep) -> Iterator[None]:
        match step:
            case Say():
                yield from self._await_turn()
                yield from self._speak(read_recording(step.file))
            case Write():
                yield from self._await_turn()
                self._write(step.text)
            case Interrupt():
                yield from self._await_speech(step.after_ms)
                yield from self._speak(read_recording(step.file))
            case Dtmf():
                yield from self._await_turn()
                yield from self._press(step.digits)
            case Drop():
                self._phone.drop(step.resume_after_ms)
                while self._phone.up_since_ms is None:
                    yield
            case Wait():
                yield from self._pass(step.ms)
            case HangUp():
                self._phone.hang_up()
            case _:
                assert_never(step)

    # --- what the person hears ---

    @property
    def _answered(self) -> bool:
        """The bot has spoken since the person did, and not only over the person."""
        if self._phone.bot_texts > self._asked_texts:
            return True
        runs = self._phone.ear.runs
        return bool(runs) and runs[-1].began_ms >= self._asked_ms and runs[-1].ended_ms > self._asked_until_ms

    @property
    def _idle_ms(self) -> int:
        """How long neither has spoken nor the bot owed speech; time without a socket does not count."""
        up_since_ms = self._phone.up_since_ms
        if up_since_ms is None:
            return 0
        texts = self._phone.texts
        read_ms = texts[-1].at_ms if texts else 0
        since_ms = max(read_ms, self._phone.ear.quiet_since_ms, self._asked_until_ms, self._owed_until_ms, up_since_ms)
        return self._phone.now_ms - since_ms

    @property
    def _heard_ms(self) -> int:
        """How much the bot has said since the person last spoke."""
        return sum(run.heard_ms for run in self._phone.ear.runs if run.began_ms >= self._asked_ms)

    def _await_turn(self) -> Iterator[None]:
        while not (self._answered and self._idle_ms >= self._pause_ms):
            if self._idle_ms > self._patience_ms:
                self._complain_of_silence()
                return
            yield

    def _await_speech(self, after_ms: int) -> Iterator[None]:
        while self._heard_ms < after_ms or not self._phone.ear.sounding:
            if self._answered and self._idle_ms >= self._pause_ms:
                self._phone.complaints.add("not_interrupted", f"the bot spoke for {self._heard_ms} ms only")
                return
            if self._idle_ms > self._patience_ms:
                self._complain_of_silence()
                return
            yield

    def _await_hangup(self) -> Iterator[None]:
        while self._idle_ms <= self._patience_ms:
            yield
        if not self._answered:
            self._complain_of_silence()

    def _complain_of_silence(self) -> None:
        self._phone.complaints.add("no_answer", f"the bot said nothing for {self._patience_ms} ms after {self._last}")

    # --- what the person does ---

    def _speak(self, speech: SpeechRecording) -> Iterator[None]:
        said = self._phone.say(speech)
        self._last = str(speech.file)
        self._asked_ms, self._asked_until_ms = said.onset_ms, said.end_ms
        while self._phone.now_ms < said.end_ms:
            yield
        self._tell(CallerSpoke(speech.file, said.onset_ms, said.end_ms))
        self._doing = None
        # The silence at the file's end is not speech, but nothing else can be said meanwhile.
        while self._phone.mouth.speaking:
            yield

    def _write(self, text: str) -> None:
        self._last = f"write:{text}"
        self._asked_ms = self._asked_until_ms = self._phone.now_ms
        self._asked_texts = self._phone.bot_texts
        self._phone.write(text)

    def _press(self, keys: str) -> Iterator[None]:
        self._last = f"dtmf:{keys}"
        for number, pressed in enumerate([keys] if self._phone.collects_keys else keys):
            if number:
                yield from self._pass(_KEY_MS)
            self._phone.press(pressed)
            self._asked_ms = self._asked_until_ms = self._phone.now_ms

    def _pass(self, ms: int) -> Iterator[None]:
        for _ in range(-(-ms // TICK_MS)):
            yield
