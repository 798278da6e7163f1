"""The responses that run in a model session: what of them was passed on, what is late, and what is to be cut.

Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.6, 7.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocols.ledger import ItemHeard
from protocols.media import MediaFormat, decoded_bytes
from protocols.realtime.client_events import ConversationItemDelete, ConversationItemTruncate
from protocols.realtime.objects import Response

Cut = ConversationItemTruncate | ConversationItemDelete


@dataclass(slots=True)
class Running:
    """A response as it goes. spoken: ms passed on, by item. audio_ended: items whose audio is complete."""

    spoken: dict[str, float] = field(default_factory=dict)
    audio_ended: set[str] = field(default_factory=set)


class RunningResponses:
    """Those of the conversation; what runs beside it is not told here. media: the session's format."""

    __slots__ = ("_bytes_per_ms", "_delete_when_done", "_discarded", "_items", "_outputs_sent", "_running")

    def __init__(self, media: MediaFormat) -> None:
        self._bytes_per_ms = media.bytes_per_ms
        self._running: dict[str, Running] = {}
        self._discarded: set[str] = set()
        self._delete_when_done: set[str] = set()
        # What a lost session has said, this one knows by other names, and cannot cut.
        self._items: set[str] = set()
        # Function calls whose outputs were sent since the last response began, and are not in the conversation yet.
        self._outputs_sent: set[str] = set()

    def output_sent(self, call_id: str) -> None:
        """The output of a function call is on its way to the server."""
        self._outputs_sent.add(call_id)

    def output_added(self, call_id: str) -> None:
        """It is in the conversation: the next response knows of it."""
        self._outputs_sent.discard(call_id)

    @property
    def outputs_on_the_way(self) -> bool:
        """The server has not told of all that it was sent: a response that it begins now may not know of it."""
        return bool(self._outputs_sent)

    def begun(self, response: Response, discarded: bool) -> None:
        """discarded: it comes too late already, for the caller speaks."""
        self._outputs_sent.clear()
        self._running[response.id] = Running()
        if discarded:
            self._discarded.add(response.id)

    def takes(self, response_id: str, item_id: str, payload: str) -> bool:
        """A piece of audio, base64, has come. Returns whether it is to be passed on."""
        running = self._running.get(response_id)
        if running is None or response_id in self._discarded:
            return False
        self._items.add(item_id)
        running.spoken[item_id] = running.spoken.get(item_id, 0.0) + decoded_bytes(payload) / self._bytes_per_ms
        return True

    def discarded(self, response_id: str) -> bool:
        """The caller has begun to speak since it began."""
        return response_id in self._discarded

    def audio_ended(self, response_id: str, item_id: str) -> bool:
        """All of an item's audio has come. Returns whether that is to be passed on."""
        if (running := self._running.get(response_id)) is not None:
            running.audio_ended.add(item_id)
        return response_id not in self._discarded

    def unended(self, response_id: str) -> list[str]:
        """Items of a response of which audio was passed on, but not its end."""
        running = self._running.get(response_id)
        if running is None or response_id in self._discarded:
            return []
        return [item_id for item_id in running.spoken if item_id not in running.audio_ended]

    def something_heard(self) -> bool:
        """Of what runs now, something was passed on."""
        return any(running.spoken for running in self._running.values())

    def discard_all(self) -> None:
        """The caller speaks: whatever still comes of what runs now comes too late."""
        self._discarded.update(self._running)

    def discard(self, item_id: str) -> bool:
        """The same for the response that speaks an item. Returns whether it still runs."""
        speaking = [each for each, running in self._running.items() if item_id in running.spoken]
        self._discarded.update(speaking)
        return bool(speaking)

    def ended(self, response_id: str) -> tuple[Running, list[Cut]]:
        """A response is over: what there was of it, and what is now to be taken back."""
        running = self._running.pop(response_id, None) or Running()
        self._discarded.discard(response_id)
        unheard = [item_id for item_id in running.spoken if item_id in self._delete_when_done]
        self._delete_when_done.difference_update(unheard)
        return running, [ConversationItemDelete(item_id=item_id) for item_id in unheard]

    def heard(self, items: Iterable[ItemHeard]) -> list[Cut]:
        """What to tell the model of items that were cut: how much was heard. With nothing heard they are taken back."""
        cuts: list[Cut] = []
        for item in items:
            generated_ms = max((each.spoken.get(item.item_id, 0.0) for each in self._running.values()), default=0.0)
            if item.complete or item.item_id not in self._items:
                continue
            if item.heard_ms >= 1:
                # The server refuses a cut behind its own end; it is in whole ms and may count a little less.
                end_ms = min(item.heard_ms, int(generated_ms)) if generated_ms else item.heard_ms
                cuts.append(
                    ConversationItemTruncate(item_id=item.item_id, content_index=0, audio_end_ms=max(1, end_ms))
                )
            elif generated_ms:
                self._delete_when_done.add(item.item_id)
            else:
                cuts.append(ConversationItemDelete(item_id=item.item_id))
        return cuts
