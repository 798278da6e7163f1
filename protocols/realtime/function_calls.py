"""Which function outputs and images may be sent to the model, and when the model must then respond.

Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.4.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocols.realtime.objects import FunctionCallItem, FunctionCallOutputItem, NewItem
from protocols.realtime.shown_images import ShownImages

# Function calls that are known after their response has ended.
MOST_MADE = 256


class FunctionCalls:
    """The function calls of one model session. images: those it is shown.

    carried_over: by call id, the calls of a lost session that had no output when this session began. This session
    has no item for them, so each is created together with its output.
    """

    def __init__(self, carried_over: Mapping[str, FunctionCallItem] | None = None) -> None:
        self._carried_over = dict(carried_over or {})
        self._owed = set(self._carried_over)
        self._in_response: dict[str, str] = {}  # call id -> the response it was made in, while that runs
        self._outputs: dict[str, str] = {}
        self._made: dict[str, str] = {}  # call id -> the response that was told of it, also if it is over
        self.images = ShownImages()

    def called(self, call_id: str, response_id: str, told_of: str = "") -> bool:
        """The model made a call in a response that is still running. Returns whether that was not known yet.

        told_of: the response that the event names, which may be over; "" if it names none. What it has called is told
        again with its end, and was answered then if that comes late.
        """
        if self._in_response.get(call_id) == response_id or (told_of and self._made.get(call_id) == told_of):
            return False
        self._made[call_id] = told_of
        if len(self._made) > MOST_MADE:
            del self._made[next(iter(self._made))]
        self._owed.add(call_id)
        self._in_response[call_id] = response_id
        return True

    def made_in(self, response_id: str) -> int:
        """How many calls were made in a response that is still running."""
        return list(self._in_response.values()).count(response_id)

    def response_began(self, response_id: str) -> None:
        """A response has begun: the end of any other was missed, and its calls may be answered."""
        self._in_response = {call: each for call, each in self._in_response.items() if each == response_id}
        self.images.response_began(response_id)

    def answered(self, call_id: str, output: str) -> None:
        """Store a call's output. Ignored if the call already has one, or is unknown."""
        if call_id in self._owed:
            self._outputs[call_id] = output

    def response_ended(self, response_id: str) -> int:
        """The response has ended, so its calls may be answered. Returns how many calls it made."""
        ended = [call_id for call_id, response in self._in_response.items() if response == response_id]
        for call_id in ended:
            del self._in_response[call_id]
        self.images.response_ended(response_id)
        return len(ended)

    def settle(self) -> tuple[list[NewItem], bool]:
        """Return the items to create now, in order, and whether to request a response: only once no output is owed.

        Images come after the outputs, once none is owed.
        """
        items: list[NewItem] = []
        for call_id in list(self._outputs):
            # An output sent before its own response has ended was seen to get lost.
            if call_id in self._in_response:
                continue
            known_as = call_id
            if (call := self._carried_over.pop(call_id, None)) is not None:
                items.append(call)
                known_as = call.call_id or call_id
            items.append(FunctionCallOutputItem(call_id=known_as, output=self._outputs.pop(call_id)))
            self._owed.discard(call_id)
        speak = bool(items) and not self._owed
        if not self._owed:
            items += self.images.take()
        return items, speak
