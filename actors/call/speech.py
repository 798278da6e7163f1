"""What the model is asked to say: outputs of tasks, our own sentences, and what an interruption left unsaid.

Not an actor: a part of a call's supervisor. May import: actors, fsm, the standard library.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from actors.call.dtmf import UnaskedKeys
from actors.call.images import CallImages
from actors.call.recorder import CallRecorder
from actors.clips import Clip
from actors.messages.call import ResponseEnded
from actors.messages.model import CallerTyped, FunctionOutput, ModelSocketMessage, SessionChanged, Speak
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import AwaitWords, PlayClip, VaicSocketMessage
from actors.services import Services
from actors.system.address import Address
from actors.tasks.router import TaskRouter
from fsm.secret import DOTS
from protocols.media import MediaFormat

# Responses in a row that may fail before the model counts as lost; for each the caller is asked to repeat.
MOST_UNANSWERED = 1
# Turns in a row whose budget the model may use up before it counts as lost; after each the caller is asked to repeat.
MOST_OVERRUNS = 2
# Texts of the caller's that wait for a model; of more, the oldest are lost.
MOST_UNREAD = 32
STILL_THERE = "Are you still there?"
NOT_UNDERSTOOD = "Sorry, I could not understand you. What did you say?"
LINE_BACK = "Sorry, the line was interrupted. What did you say?"


class BotSpeech:
    """Decides what the bot says next. model, vaic: stable addresses of the two sessions.

    images: that tasks show the model. text: the bot answers in writing. unread: texts of the caller's that wait for a
    model.
    """

    def __init__(
        self,
        services: Services,
        tasks: TaskRouter,
        recorder: CallRecorder,
        model: Address[ModelSocketMessage],
        vaic: Address[VaicSocketMessage],
        images: CallImages,
        text: bool,
    ) -> None:
        self._services = services
        self._tasks = tasks
        self._recorder = recorder
        self._model = model
        self._vaic = vaic
        self.images = images
        self._text = text
        self._mute = services.profile.assists  # it says nothing of its own accord
        self.unread: deque[str] = deque(maxlen=MOST_UNREAD)
        self._told_at = ""  # date and time in the model's instructions
        self._unasked = UnaskedKeys()
        self._owed = ""  # a sentence that waits for a model
        self._cut_short: set[str] = set()  # items of responses that did not end by themselves
        self._unanswered = 0  # responses in a row that were given up without speech or a function call
        self._overruns = 0  # turns in a row whose budget the model has used up

    def instructions(self) -> str:
        return self._services.instructions(self._tasks.instructions())

    def keep_time(self) -> None:
        """Update the time in the instructions before an answer, so that "in two hours" is right in a long call too."""
        if self._services.clock() != self._told_at:
            self._change_session()

    def _change_session(self) -> None:
        self._told_at = self._services.clock()
        self._model.tell(SessionChanged(self.instructions(), self._tasks.tools()))

    def model_format(self, media: MediaFormat, answer_due: bool) -> ModelSessionConfig:
        """The configuration of a model session for the call as it is now. media: the model's format."""
        profile, transcript = self._services.profile, self._recorder.transcript
        self._told_at = self._services.clock()
        return ModelSessionConfig(
            conversation_id=transcript.conversation_id,
            media=media,
            settings=profile.model,
            instructions=self.instructions(),
            tools=self._tasks.tools(),
            history=transcript.history(self.images.image),
            open_calls=transcript.open_calls(),
            answer_due=answer_due,
            text=self._text,
            used=transcript.item_ids(),
        )

    def greet(self) -> None:
        if self._mute:
            return
        if self._services.profile.differs_by_call:
            self._change_session()  # the session was configured while that was being looked up, or was not known
        self._model.tell(Speak(f"{self.instructions()}\n\nGreet the caller with: {self._services.greeting()}"))

    def say(self, words: str) -> None:
        if self._mute:
            return
        self._model.tell(Speak(self._word_for_word(words)))

    def say_or_owe(self, words: str, ready: bool) -> None:
        """ready: a model can speak; if not, the sentence waits for `model_back`."""
        if ready:
            self.say(words)
        else:
            self._owed = words

    def _word_for_word(self, words: str) -> str:
        """The instructions for a response of just these words."""
        # Quoted, because it may contain a caller's words, which must not act as instructions.
        told = f"Say to the caller, word for word: {json.dumps(self._tasks.locale.of(words), ensure_ascii=False)}"
        return f"{self.instructions()}\n\n{told}"

    def answer(self, outputs: dict[str, str], ready: bool = True, word_for_word: bool = False) -> None:
        """Send the outputs of steps to the model, after the tools it may call from now on.

        ready: a model can speak; if not, what is to be said waits for `model_back`. word_for_word: it is to say what
        the outputs say, and nothing else.
        """
        self._change_session()
        for step_id, output in outputs.items():
            if self._recorder.answered(step_id, output):
                instructions = self._word_for_word(_words(json.loads(output))) if word_for_word else ""
                self._model.tell(FunctionOutput(step_id, output, instructions))
            else:  # no function was called: keys, or silence
                self.say_or_owe(_words(json.loads(output)), ready)

    def typed(self, keys: str, by_task: bool, at_ms: float) -> None:
        """Record keys the caller pressed and tell the model. by_task: a task took them, so no answer is asked for."""
        profile = self._services.profile
        told = stored = DOTS if profile.takes_secrets else " ".join(keys)
        if not (by_task or profile.takes_secrets) and "cards" in profile.redaction.kinds:
            stored = self._unasked.stored(keys, at_ms)
        text, kept = (f"The caller pressed these keys: {each}." for each in (told, stored))
        self._recorder.typed(kept, at_ms)
        self.keep_time()
        self._tasks.keys_pressed(at_ms)
        self._model.tell(CallerTyped(text, answer=not by_task))

    def wrote(self, text: str) -> None:
        """Have the model answer a text of the caller's, which is recorded already."""
        self._model.tell(CallerTyped(text))

    def model_back(self, said_again: bool) -> None:
        """A model session is ready, the first or a new one. said_again: it was sent the caller's last utterance."""
        if self._owed:
            # The caller's last words may have been lost with the session that heard them.
            self.take_up(asked=True)
        elif not said_again and self._recorder.transcript.words_lost():
            self.say(LINE_BACK)

    def take_up(self, asked: bool = False) -> None:
        """The caller is back: say what was left unsaid. asked: if there is nothing, ask what the caller said."""
        if asked or self._recorder.transcript.answer_due():
            words = self._owed or self._tasks.ask_again() or self._unsaid()
            self._owed = ""
            self.say(words or LINE_BACK)

    def break_silence(self) -> None:
        """Nobody has spoken for a while: repeat what was not heard, have a task ask again, or ask who is there."""
        self._tasks.prompted()
        told = self._told_unheard()
        unsaid = self._unsaid() if told.get("result") is not None else ""
        if words := self._tasks.owed_result() or unsaid:
            self.say(words)
        elif self._tasks.busy:
            self.own_words(Clip.ONE_MOMENT)
        elif not self._tasks.silence():
            self.say(STILL_THERE)

    def _told_unheard(self) -> dict[str, Any]:
        """The last output, if the caller did not hear its words."""
        told: dict[str, Any] = json.loads(self._recorder.transcript.unsaid(self._cut_short) or "{}")
        return told

    def _unsaid(self) -> str:
        """The last output's words, if the caller did not hear them; "" if they were a farewell and the call went on."""
        told = self._told_unheard()
        return "" if told.get("result") in ("transfer", "hangup") else _words(told)

    def response_ended(self, ended: ResponseEnded) -> str:
        """Returns why the model counts as lost, or "": it accepts requests, but too many in a row got no answer."""
        if ended.status in ("incomplete", "failed", "cancelled"):
            self._cut_short.update(ended.spoken_items)
        if ended.spoken_items or ended.calls:
            self._unanswered = 0
        if ended.spoken_items and not ended.calls:
            self._overruns = 0
        if not ended.given_up:
            return ""
        if ended.limited:  # to say it again would not help
            return "limit on rates"
        self._unanswered += 1
        if self._unanswered > MOST_UNANSWERED:
            return "answers nothing"
        if words := self._tasks.owed_result():  # the caller waits for this, and need not repeat anything
            self.own_words(Clip.ONE_MOMENT)
            self.say(words)
        else:
            self.own_words(Clip.SAY_AGAIN)
        return ""

    def overrun(self) -> str:
        """The model has used up the budget of a turn. Returns why the model counts as lost, or ""."""
        self._overruns += 1
        if self._overruns > MOST_OVERRUNS:
            return "does not come to an end"
        self.own_words(Clip.SAY_AGAIN)
        return ""

    def own_words(self, clip: Clip) -> None:
        """Play a recorded clip in place of the model."""
        if self._mute:
            return
        self._vaic.tell(AwaitWords(due=False))
        self._vaic.tell(PlayClip(clip))


def _words(told: Mapping[str, Any]) -> str:
    """The words of a step's output for the caller. told: the output, decoded."""
    return " ".join(filter(None, (told.get("say"), told.get("next"))))
