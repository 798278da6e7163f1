"""The caller: hears what the bot has asked and answers that, as a person does, rather than in a fixed order.

A sentence that was not understood is said again, and values that are read back wrongly are corrected.
May import: tests.talk, tests.adversary's telephone, fsm, lab.caller, the standard library.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from difflib import SequenceMatcher

import numpy as np

from fsm.english import English
from lab.caller.audio import SpeechRecording, recording_of
from tests.adversary.telephone import Telephone
from tests.talk.facts import Done
from tests.talk.scenario import NOW, Act, Answer, Asked, Deed, Keys, Line, Scenario
from tests.talk.speech import RATE_HZ, VOICES, cough, sentence

# The bot has had its say once it was quiet for so long.
PAUSE_MS = 800
# Nobody waits longer than this for a word.
PATIENCE_MS = 30_000
# After the bot's goodbye, or its "I will put you through".
GOODBYE_LIMIT_MS = 25_000
MOST_TURNS = 24
# So often somebody says the same sentence, each time more slowly; and says goodbye, before they hang up.
MOST_TRIES, MOST_GOODBYES = 3, 3
KEY_MS = 250
_BARGE_IN_AFTER_MS = 900
_LOOK_MS = 40
_LATE_MS = 3000
_SLOWER = 0.88
# What a wish is called when it was not understood.
_IN_OTHER_WORDS = {
    Act.BOOK: ("I need an appointment.", "Please make an appointment for me.", "Book an appointment."),
    Act.MOVE: ("I want to reschedule my appointment.", "Please move my appointment to another day."),
    Act.CANCEL: ("Please cancel my appointment.", "I want to cancel an appointment."),
    Act.HUMAN: ("I want to talk to a person.", "Connect me to somebody, please."),
    Act.GIVE_UP: ("Never mind. Forget it.", "Leave it as it is. I don't want it any more."),
}
_GOODBYES = ("No, that is all. Thank you, bye.", "Goodbye.")
_YES = ("Yes, please.", "Yes, that is right.", "Yes.", "That is correct.", "Yes, go ahead.")
_TODAY = date.fromisoformat(NOW[:10])
_ALIKE = 0.7

_ASKED = (
    (Asked.READ_BACK, r"(?<!name )shall i (?:book|cancel) it|is that right"),
    (Asked.CHANGE, r"what should i change"),
    (Asked.NAME, r"what name|should the name be"),
    (Asked.WHICH, r"which day is the one|date of the one"),
    (Asked.WHICH_AT, r"what time is the one"),
    (Asked.DAY, r"which (?:other )?day|should the (?:day|date) be|key in the date"),
    (Asked.AT, r"what (?:other )?time|should the time be|key in the time"),
    (Asked.WHOM, r"whom would you like"),
    (Asked.MORE, r"anything else|how can i help|what can i do for you"),
    (Asked.AGAIN, r"say it again"),
    (Asked.THERE, r"still there"),
    (Asked.PARTING, r"good ?bye|put you through"),
)
_NOT_UNDERSTOOD = re.compile(r"did not get", re.IGNORECASE)


def asked(words: str) -> Asked:
    """What the bot's words ask last."""
    found = [(match.start(), what) for what, pattern in _ASKED for match in re.finditer(pattern, words, re.IGNORECASE)]
    return max(found, key=lambda each: each[0], default=(0, Asked.NOTHING))[1]


def misread(words: str, wants: Mapping[str, str]) -> list[str]:
    """The slots that a read-back names otherwise than is wanted, or not at all; none in a bare "Shall I book it?"."""
    english = English()
    wrong: list[str] = []
    if not english.dates(words, _TODAY) and not english.times(words, _TODAY):
        return wrong
    if "cancel it" in words:  # what else is wanted is for afterwards
        wants = {slot: wants[slot] for slot in ("which", "which_at") if slot in wants}
    for slot, value in wants.items():
        match slot:
            case "day" | "which":
                right = any(date.fromisoformat(value) in each for each in english.dates(words, _TODAY))
            case "at" | "which_at":
                right = any(time.fromisoformat(value) in each for each in english.times(words, _TODAY))
            case "name" if " for " in words:
                right = _names(words, value)
            case _:
                right = True
        if not right:
            wrong.append(slot)
    return wrong


def _names(words: str, name: str) -> bool:
    """Whether a name is said, or one that sounds like it to somebody who hears their own."""
    said, parts = re.findall(r"[a-z']+", words.lower()), name.lower().split()
    windows = (said[at : at + len(parts)] for at in range(len(said) - len(parts) + 1))
    return any(SequenceMatcher(None, "".join(parts), "".join(each)).ratio() >= _ALIKE for each in windows)


_PHRASES = {
    ("day", "2026-11-25"): ("Today.", "Today, please."),
    ("day", "2026-11-26"): ("Tomorrow.", "Tomorrow, please."),
    ("day", "2026-11-27"): ("On Friday.", "Friday, please."),
    ("day", "2026-11-30"): ("On Monday.", "Monday, please."),
    ("day", "2026-12-01"): ("On Tuesday.", "The first of December."),
    ("day", "2026-12-03"): ("The third of December.", "December the third."),
    ("day", "2026-12-04"): ("The fourth of December.", "December the fourth."),
    ("at", "09:00"): ("At nine in the morning.", "Nine o'clock."),
    ("at", "09:30"): ("At half past nine.", "Nine thirty."),
    ("at", "10:00"): ("At ten o'clock.", "Ten in the morning."),
    ("at", "10:10"): ("At ten past ten.", "Ten minutes past ten."),
    ("at", "10:30"): ("At half past ten.", "Ten thirty, please."),
    ("at", "11:00"): ("At eleven o'clock.", "Eleven, please."),
    ("at", "11:30"): ("At half past eleven.", "Eleven thirty."),
    ("at", "12:00"): ("At noon.", "Twelve o'clock."),
    ("at", "14:00"): ("At two in the afternoon.", "Two o'clock."),
    ("at", "14:15"): ("At quarter past two.", "Two fifteen."),
    ("at", "14:30"): ("At half past two.", "Two thirty in the afternoon."),
    ("at", "15:00"): ("At three o'clock.", "Three in the afternoon."),
    ("at", "19:00"): ("At seven in the evening.", "Seven o'clock in the evening."),
    ("at", "20:00"): ("At eight in the evening.", "Eight o'clock in the evening."),
    ("at", "16:45"): ("At quarter to five.", "Four forty five."),
}


def phrase(slot: str, value: str, turn: int) -> Line:
    """A sentence that gives this value. turn: the wording changes with it."""
    kind = {"which": "day", "which_at": "at"}.get(slot, slot)
    if kind == "name":
        text = (f"My name is {value}.", f"The name is {value}.", f"{value}.")[turn % 3]
    elif kind == "to":
        text = f"The {value}, please."
    else:
        wordings = _PHRASES[kind, value]
        text = wordings[turn % len(wordings)]
    return Line(text, Act.GIVES, {slot: value})


@dataclass(slots=True)
class Person:
    """One caller at a telephone, from the first word to the end of the call.

    words: gives all that the caller has heard of the bot, in order. coming: what the bot is saying. speed: how many
    times faster than the loop's clock they live. done: what the caller did. gave_up: why they put the phone down.
    """

    scenario: Scenario
    voice: str
    phone: Telephone
    words: Callable[[], list[str]]
    coming: Callable[[], str]
    speed: float
    seed: int
    done: list[Done] = field(default_factory=list)
    gave_up: str = ""
    _wants: dict[str, str] = field(default_factory=dict)
    _used: Counter[Asked] = field(default_factory=Counter)
    _interrupted: set[Asked] = field(default_factory=set)
    _known: int = 0  # of the bot's sentences
    _known_ms: int = 0  # until when the bot's sounds belong to those

    async def live(self) -> None:
        """Talk until somebody hangs up."""
        self._wants = dict(self.scenario.wants)
        turns = 0
        while (heard := await self._bots_turn()) and turns < MOST_TURNS:
            turns += 1
            what = asked(heard)
            if what is Asked.PARTING:
                await self._wait_for_the_end(heard)
            elif (answer := self._answer(what, heard)) is not None:
                await self._do(answer, what)
        if turns == MOST_TURNS:
            self.gave_up = self.gave_up or f"they talked in circles for {MOST_TURNS} turns"
        if self.phone.up:
            self.gave_up = self.gave_up or f"the bot said nothing for {PATIENCE_MS / 1000:.0f} s"
            self.phone.hang_up()

    # --- hearing ---

    async def _bots_turn(self) -> str:
        """What the bot says next, once it is quiet; empty if it says nothing any more, or the call is over."""
        while self.phone.up and self._idle_ms < PATIENCE_MS:
            what = self._to_be_interrupted()
            if what is not None:
                await self._do(self.scenario.interrupts[what], what)
            elif self._idle_ms >= PAUSE_MS and (words := self._news()):
                return words
            await self._tick()
        return ""

    def _news(self) -> str:
        """What was heard since it was last asked for; empty while it is not known."""
        runs = self.phone.handset.ear.runs
        if not runs or runs[-1].ended_ms <= self._known_ms:
            return ""
        heard = self.words()
        # A row for each stream: those of a busy machine come late. One that was cut at once may leave none.
        if len(heard) < len({run.stream_id for run in runs}) and self._idle_ms < _LATE_MS:
            return ""
        new = " ".join(heard[self._known :])
        if new:
            self._known, self._known_ms = len(heard), runs[-1].ended_ms
        return new

    @property
    def _idle_ms(self) -> int:
        """How long nobody has been heard."""
        busy_until_ms = self.done[-1].end_ms if self.done else 0
        return self.phone.now_ms - max(self.phone.handset.ear.quiet_since_ms, busy_until_ms)

    def _to_be_interrupted(self) -> Asked | None:
        """What is being asked, if the caller does not let the bot say it to its end."""
        ear, left = self.phone.handset.ear, self.scenario.interrupts.keys() - self._interrupted
        if not left or not ear.sounding or not ear.runs or ear.runs[-1].heard_ms < _BARGE_IN_AFTER_MS:
            return None
        what = asked(self.coming())
        if what not in left:
            return None
        self._interrupted.add(what)
        return what

    async def _wait_for_the_end(self, farewell: str) -> None:
        """The bot has said goodbye: the call ends, or it says something else."""
        while self.phone.up and not self.phone.handset.ear.sounding:
            if self._idle_ms > GOODBYE_LIMIT_MS:
                self.gave_up = f"nobody hung up for {GOODBYE_LIMIT_MS / 1000:.0f} s after {farewell!r}"
                self.phone.hang_up()
            await self._tick()

    async def _tick(self) -> None:
        await asyncio.sleep(_LOOK_MS / 1000 / self.speed)

    # --- answering ---

    def _answer(self, what: Asked, heard: str) -> Answer | None:
        """What to say or do; None to wait."""
        last = self.done[-1] if self.done else None
        if last is not None and isinstance(line := last.answer, Line) and not line.coughs:
            misunderstood = _NOT_UNDERSTOOD.search(heard) is not None or line.act in _IN_OTHER_WORDS
            if what in (Asked.THERE, Asked.AGAIN) or (misunderstood and what is last.asked):
                return self._once_more(line)
            if line.act is Act.GIVE_UP and what not in (Asked.MORE, Asked.NOTHING):
                return self._in_other_words(line)
            if what is Asked.NOTHING and line.act is Act.CHATS:  # "take your time"
                what = last.asked
        if what is Asked.READ_BACK and (wrong := misread(heard, self._wants)):
            return self._correction(wrong)
        if left := self.scenario.answers.get(what, ())[self._used[what] :]:
            self._used[what] += 1
            return left[0]
        return self._usual(what)

    def _usual(self, what: Asked) -> Answer | None:
        match what:
            case Asked.READ_BACK:
                return Line(_YES[(self.seed + len(self.done)) % len(_YES)], Act.YES)
            case Asked.MORE:
                used = self._used[Asked.MORE]
                self._used[Asked.MORE] += 1
                return self.scenario.says[used] if used < len(self.scenario.says) else self._goodbye()
            case Asked.NOTHING | Asked.PARTING:
                return None
            case Asked.CHANGE if self._wants:
                slot = self._corrected_last() or next(iter(self._wants))
                return phrase(slot, self._wants[slot], self.seed + len(self.done))
            case Asked.THERE | Asked.AGAIN:
                return Line("Yes, I am still here.", Act.CHATS)
        if what.value in self._wants:
            return phrase(what.value, self._wants[what.value], self.seed + len(self.done))
        return Line("I do not know.", Act.CHATS)

    def _once_more(self, line: Line) -> Answer | None:
        """The same sentence again; after MOST_TRIES in other words, or given up."""
        if line.act is Act.BYE:
            return self._goodbye()
        if line.act in _IN_OTHER_WORDS:
            return self._in_other_words(line)
        slot = next(iter(line.values), "")
        if line.act is Act.GIVES and slot in self._wants:  # in another wording
            return phrase(slot, self._wants[slot], self.seed + len(self.done))
        tries = sum(each.answer == line for each in self.done)
        return line if tries < MOST_TRIES else self._usual(self.done[-1].asked)

    def _in_other_words(self, wish: Line) -> Answer:
        said = {each.answer.text for each in self.done if isinstance(each.answer, Line)}
        left = [text for text in _IN_OTHER_WORDS[wish.act] if text not in said]
        if left:
            return Line(left[0], wish.act)
        self.gave_up = f"{wish.text!r} was not understood in other words either"
        return Deed.HANGS_UP

    def _goodbye(self) -> Answer:
        taken = sum(isinstance(each.answer, Line) and each.answer.act is Act.BYE for each in self.done)
        if taken >= MOST_GOODBYES:
            self.gave_up = f"nobody hung up after {taken} goodbyes"
            return Deed.HANGS_UP
        return Line((self.scenario.goodbye, *_GOODBYES)[taken], Act.BYE)

    def _corrected_last(self) -> str:
        for each in reversed(self.done):
            if isinstance(each.answer, Line) and each.answer.act is Act.NO and each.answer.values:
                return next(iter(each.answer.values))
        return ""

    def _correction(self, wrong: Sequence[str]) -> Line:
        lines = [phrase(slot, self._wants[slot], self.seed + len(self.done)) for slot in wrong[:2]]
        values = {slot: value for line in lines for slot, value in line.values.items()}
        return Line(f"No. {' '.join(line.text for line in lines)}", Act.NO, values)

    # --- doing ---

    async def _do(self, answer: Answer, what: Asked) -> None:
        now_ms = self.phone.now_ms
        done = Done(answer, what, now_ms, now_ms)
        self.done.append(done)
        match answer:
            case Line():
                await self._say(self._recording(answer), done)
                self._wants |= {slot: value for slot, value in answer.values.items() if slot in self._wants}
            case Keys():
                for key in answer.keys:
                    self.phone.press(key)
                    await asyncio.sleep(KEY_MS / 1000 / self.speed)
                done.end_ms = self.phone.now_ms
                self._wants |= {slot: value for slot, value in answer.values.items() if slot in self._wants}
            case Deed.COUGHS:
                await self._say(cough(self.seed), done)
            case Deed.HANGS_UP:
                self.phone.hang_up()
            case Deed.NOTHING:
                pass

    def _recording(self, line: Line) -> SpeechRecording:
        voice = VOICES[(VOICES.index(self.voice) + 1) % len(VOICES)] if line.by_other else self.voice
        tries = sum(each.answer == line for each in self.done)  # this one too
        said = sentence(line.text, voice, _SLOWER ** (tries - 1))
        if not line.coughs:
            return said
        pause = np.zeros(RATE_HZ // 2, np.int16)
        return recording_of(said.file, np.concatenate([cough(self.seed).samples, pause, said.samples]), RATE_HZ)

    async def _say(self, recording: SpeechRecording, done: Done) -> None:
        said = self.phone.handset.say(recording)
        done.onset_ms, done.end_ms = said.onset_ms, said.end_ms
        while self.phone.up and self.phone.now_ms < said.end_ms:
            await self._tick()
