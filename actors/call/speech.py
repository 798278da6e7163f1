"""What a call has its model say: answers of tasks, sentences of ours, and what is owed after an interruption.

Not an actor: a part of a call's supervisor. May import: actors, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from actors.call.recorder import CallRecorder
from actors.messages.call import ResponseEnded
from actors.messages.clips import Clip
from actors.messages.model import CallerTyped, FunctionOutput, ModelSocketMessage, SessionChanged, Speak
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import AwaitWords, PlayClip, VaicSocketMessage
from actors.services import Services
from actors.system.address import Address
from actors.tasks.router import TaskRouter
from protocols.media import MediaFormat

# So often in a row the caller is asked to say it again.
MOST_UNANSWERED = 1
LINE_BACK = "Sorry, the line was interrupted. What did you say?"


class BotSpeech:
    """model, vaic: the places of the two sides."""

    def __init__(
        self,
        services: Services,
        tasks: TaskRouter,
        recorder: CallRecorder,
        model: Address[ModelSocketMessage],
        vaic: Address[VaicSocketMessage],
    ) -> None:
        self._services = services
        self._tasks = tasks
        self._recorder = recorder
        self._model = model
        self._vaic = vaic
        self._told_at = ""  # the time as the model's instructions have it
        self._owed: tuple[str, str] | None = None  # a sentence and its step, from when there was no model to say it
        self._unanswered = 0  # times in a row that the model was to say something, and did not

    def instructions(self) -> str:
        return self._services.instructions(self._tasks.instructions())

    def keep_time(self) -> None:
        """Before an answer: "today" and "in two hours" are reckoned from now, however long the call has lasted."""
        if self._services.clock() != self._told_at:
            self._change_session()

    def _change_session(self) -> None:
        self._told_at = self._services.clock()
        self._model.tell(SessionChanged(self.instructions(), self._tasks.tools()))

    def model_format(self, media: MediaFormat, answer_due: bool) -> ModelSessionConfig:
        """The call as a session of the model is to know it. media: the model's format."""
        profile, transcript = self._services.profile, self._recorder.transcript
        self._told_at = self._services.clock()
        return ModelSessionConfig(
            conversation_id=transcript.conversation_id,
            media=media,
            voice=profile.voice,
            transcription_model=profile.transcription_model,
            vad=profile.vad,
            instructions=self.instructions(),
            tools=self._tasks.tools(),
            history=transcript.history(),
            open_calls=transcript.open_calls(),
            answer_due=answer_due,
        )

    def greet(self) -> None:
        self._model.tell(Speak(f"{self.instructions()}\n\nGreet the caller with: {self._services.profile.greeting}"))

    def say(self, words: str, step_id: str = "") -> None:
        # Quoted, for there may be a caller's words in it, and those are no instructions.
        told = f"Say to the caller, word for word: {json.dumps(words, ensure_ascii=False)}"
        self._model.tell(Speak(f"{self.instructions()}\n\n{told}", step_id))

    def answer(self, outputs: dict[str, str], ready: bool = True) -> None:
        """Give the outputs of steps to the model, and before them what it may call from now on.

        ready: the model can speak; else what is to be said waits for `model_back`.
        """
        self._change_session()
        for step_id, output in outputs.items():
            if self._recorder.answered(step_id, output):
                self._model.tell(FunctionOutput(step_id, output))
            elif ready:  # no function was called: keys, or silence
                self.say(_words(json.loads(output)), step_id)
            else:
                self._owed = (_words(json.loads(output)), step_id)

    def typed(self, keys: str, by_task: bool, at_ms: float) -> None:
        """The caller has pressed keys. by_task: a task takes them."""
        text = f"The caller pressed these keys: {' '.join(keys)}."
        self._recorder.typed(text, at_ms)
        self.keep_time()
        self._model.tell(CallerTyped(text, answer=not by_task))

    def model_back(self, said_again: bool) -> None:
        """The model is ready, once more perhaps. said_again: it hears what the caller said last, and answers that."""
        if self._owed is not None:
            # What the caller said last may have been lost with whoever heard it.
            self.take_up(asked=True)
        elif not said_again and self._recorder.transcript.words_lost():
            self.say(LINE_BACK)

    def take_up(self, asked: bool = False) -> None:
        """The caller is back: say what is owed. asked: and if nothing is, ask."""
        if asked or self._recorder.transcript.answer_due():
            words, step_id = self._owed or self._tasks.ask_again() or (self._unsaid(), "")
            self._owed = None
            self.say(words or LINE_BACK, step_id)

    def _unsaid(self) -> str:
        """How a task has ended whose caller did not hear of it; "" where that was to end the call, which it did not."""
        told = json.loads(self._recorder.transcript.unsaid() or "{}")
        return "" if told.get("result") in ("transfer", "hangup") else _words(told)

    def response_ended(self, ended: ResponseEnded) -> bool:
        """Returns whether the model is of no use any more: it takes what it is told, and answers nothing."""
        if ended.spoken_items or ended.calls:
            self._unanswered = 0
        if not ended.given_up:
            return False
        self._unanswered += 1
        if self._unanswered <= MOST_UNANSWERED:
            self.own_words(Clip.SAY_AGAIN)
        return self._unanswered > MOST_UNANSWERED

    def own_words(self, clip: Clip) -> None:
        """A sentence of ours, where the model says nothing."""
        self._vaic.tell(AwaitWords(due=False))
        self._vaic.tell(PlayClip(clip))


def _words(told: Mapping[str, Any]) -> str:
    """What the caller is to hear of a step. told: its output."""
    return " ".join(filter(None, (told.get("say"), told.get("next"))))
