"""What a call has its model say: answers of tasks, sentences of ours, and what is owed after an interruption.

Not an actor: a part of a call's supervisor. May import: actors, the standard library.
"""

from __future__ import annotations

import json

from actors.address import Address
from actors.diary import Diary
from actors.house import House
from actors.messages import CallerTyped, FunctionOutput, ModelSocketMessage, SessionChanged, Speak
from actors.tasks import TaskDesk

LINE_BACK = "Sorry, the line was interrupted. What did you say?"


class Talk:
    """model: the place of the model's side."""

    def __init__(self, house: House, tasks: TaskDesk, diary: Diary, model: Address[ModelSocketMessage]) -> None:
        self._house = house
        self._tasks = tasks
        self._diary = diary
        self._model = model

    def instructions(self) -> str:
        return self._house.instructions(self._tasks.instructions())

    def greet(self) -> None:
        self._model.tell(Speak(f"{self.instructions()}\n\nGreet the caller with: {self._house.profile.greeting}"))

    def say(self, words: str, step_id: str = "") -> None:
        # Quoted, for there may be a caller's words in it, and those are no instructions.
        told = f"Say to the caller, word for word: {json.dumps(words, ensure_ascii=False)}"
        self._model.tell(Speak(f"{self.instructions()}\n\n{told}", step_id))

    def answer(self, outputs: dict[str, str]) -> None:
        """Give the outputs of steps to the model, and before them what it may call from now on."""
        self._model.tell(SessionChanged(self.instructions(), self._tasks.tools()))
        for step_id, output in outputs.items():
            if self._diary.answered(step_id, output):
                self._model.tell(FunctionOutput(step_id, output))
            else:  # no function was called: keys, or silence
                told = json.loads(output)
                self.say(" ".join(filter(None, (told.get("say"), told.get("next")))), step_id)

    def typed(self, keys: str, by_task: bool, at_ms: float) -> None:
        """The caller has pressed keys. by_task: a task takes them."""
        text = f"The caller pressed these keys: {' '.join(keys)}."
        self._diary.typed(text, at_ms)
        self._model.tell(CallerTyped(text, answer=not by_task))

    def model_back(self, words_owed: bool) -> None:
        """The model is ready, once more perhaps. words_owed: to a caller for whom we were away."""
        if words_owed:
            # What the caller said last may have been lost with whoever heard it.
            self.take_up(asked=True)
        elif self._diary.book.words_lost():
            self.say(LINE_BACK)

    def take_up(self, asked: bool = False) -> None:
        """The caller is back: say what is owed. asked: and if nothing is, ask."""
        if asked or self._diary.book.answer_due():
            words, step_id = self._tasks.ask_again() or ("", "")
            self.say(words or LINE_BACK, step_id)
