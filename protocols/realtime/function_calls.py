"""Which function outputs may be sent to the model, and when it owes words about them.

Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.4.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocols.realtime.objects import FunctionCallItem, FunctionCallOutputItem, NewItem


class FunctionCalls:
    """The function calls of one model session.

    carried_over: calls of a session that was lost, by their ids, unanswered when this one began. The new session does
    not know them: each enters the conversation together with its output.
    """

    def __init__(self, carried_over: Mapping[str, FunctionCallItem] | None = None) -> None:
        self._carried_over = dict(carried_over or {})
        self._owed = set(self._carried_over)
        self._in_response: dict[str, str] = {}  # call id -> the response it was made in, while that runs
        self._outputs: dict[str, str] = {}

    def called(self, call_id: str, response_id: str) -> None:
        """The model made a call, in a response that still runs."""
        self._owed.add(call_id)
        self._in_response[call_id] = response_id

    def answered(self, call_id: str, output: str) -> None:
        """An output is there. One for a call that is not owed any more is dropped: a call has one answer."""
        if call_id in self._owed:
            self._outputs[call_id] = output

    def response_ended(self, response_id: str) -> int:
        """A response is over: what it called may be answered. Returns how many calls that were."""
        ended = [call_id for call_id, response in self._in_response.items() if response == response_id]
        for call_id in ended:
            del self._in_response[call_id]
        return len(ended)

    def settle(self) -> tuple[list[NewItem], bool]:
        """The items to create now, in order, and whether the model is to speak about them: once none is owed."""
        items: list[NewItem] = []
        for call_id in list(self._outputs):
            # Racing an output against the end of its own response was seen to lose it.
            if call_id in self._in_response:
                continue
            known_as = call_id
            if (call := self._carried_over.pop(call_id, None)) is not None:
                items.append(call)
                known_as = call.call_id or call_id
            items.append(FunctionCallOutputItem(call_id=known_as, output=self._outputs.pop(call_id)))
            self._owed.discard(call_id)
        return items, bool(items) and not self._owed
