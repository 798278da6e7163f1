"""The running responses of a model session: how much audio was passed on, what comes too late, what to truncate.

Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.6, 7.3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from protocols.ledger import ItemHeard
from protocols.limits import MOST_ITEMS, NAME_CHARS
from protocols.media import MediaFormat, decoded_bytes
from protocols.realtime.client_events import ConversationItemDelete, ConversationItemTruncate
from protocols.realtime.objects import Item, Response

# The latest responses that are known to have ended.
ENDED_KNOWN = 64
# Responses in progress at a time: the server allows one; with more, the oldest counts as ended.
MOST_RUNNING = 16
# Names of ours that are known.
MOST_RENAMED = 256

Cut = ConversationItemTruncate | ConversationItemDelete


class Piece(IntEnum):
    """What a piece of audio is: dropped, the first of its item, or one that follows."""

    DROPPED = 0
    FIRST = 1
    NEXT = 2


# For each piece of audio: to look a member up in its class takes as long as the rest.
DROPPED, FIRST, NEXT = Piece


@dataclass(slots=True)
class Running:
    """A response in progress. spoken: ms of audio passed on, by item. audio_ended: items whose audio is complete.

    worded: items whose words were told. asked_ms: when it was created. first_ms: when its first audio arrived.
    """

    spoken: dict[str, float] = field(default_factory=dict)
    audio_ended: set[str] = field(default_factory=set)
    worded: set[str] = field(default_factory=set)
    asked_ms: float | None = None
    first_ms: float | None = None


class RunningResponses:
    """The responses of the default conversation, without out-of-band ones. media: the session's format.

    Some servers number their items, and begin anew with each response or session: one whose id another item of the call
    has had gets a name of ours. used: ids of items of before this session. names: ours, by response and id.
    """

    __slots__ = (
        "_bytes_per_ms",
        "_delete_when_done",
        "_discarded",
        "_ended",
        "_items",
        "_number",
        "_on_wire",
        "_outputs_sent",
        "_running",
        "_used",
        "names",
    )

    def __init__(self, media: MediaFormat, used: Container[str] = ()) -> None:
        self._used = used
        self._number = 1
        self.names: dict[tuple[str, str], str] = {}
        self._on_wire: dict[str, str] = {}  # ids, by names of ours
        self._bytes_per_ms = media.bytes_per_ms
        self._running: dict[str, Running] = {}
        self._discarded: set[str] = set()
        self._ended: deque[str] = deque(maxlen=ENDED_KNOWN)
        self._delete_when_done: set[str] = set()
        # Item ids of this session. It has other ids for what a lost session said, so it cannot truncate those items.
        self._items: set[str] = set()
        # Function calls whose outputs were sent since the last response began, and are not yet confirmed by the server.
        self._outputs_sent: set[str] = set()

    def output_sent(self, call_id: str) -> None:
        """The output of a function call was sent to the server."""
        self._outputs_sent.add(call_id)

    def output_added(self, call_id: str) -> None:
        """The server has added the output to the conversation, so the next response sees it."""
        self._outputs_sent.discard(call_id)

    @property
    def outputs_on_the_way(self) -> bool:
        """Some outputs are not yet confirmed: a response that begins now may not see them."""
        return bool(self._outputs_sent)

    def begun(self, response: Response, discarded: bool, now_ms: float | None = None) -> None:
        """A response has begun. discarded: the caller is already speaking, so none of its audio is passed on."""
        self._outputs_sent.clear()
        if len(self._running) >= MOST_RUNNING:
            self.ended(next(iter(self._running)))
        self._discarded.discard(response.id)
        self.names = {key: name for key, name in self.names.items() if key[0] != response.id}  # of one with its id
        self._running[response.id] = Running(asked_ms=now_ms)
        if discarded:
            self._discarded.add(response.id)

    def named(self, response_id: str) -> str:
        """The response that an id in an event stands for; the id itself if none is known by it.

        Where a response began, or is spoken of, without an id, it is the one that runs.
        """
        if not response_id:
            return next(reversed(self._running), "")
        if "" in self._running and response_id not in self._running and response_id not in self._ended:
            return ""
        return response_id

    def running_one(self, response_id: str) -> str:
        """The same, or else the newest that runs, if any does."""
        named = self.named(response_id)
        return named if named in self._running else next(reversed(self._running), named)

    def known(self, response_id: str) -> bool:
        """Whether it runs, or has ended."""
        return response_id in self._running or self.over(response_id)

    def runs(self, response_id: str) -> bool:
        """Whether a response of that id runs: its beginning is not told twice."""
        return response_id in self._running

    def over(self, response_id: str) -> bool:
        """It has ended: any further event about it is a duplicate, or late. So it is without an id, if none runs."""
        return response_id in self._ended if response_id else not self._running

    def takes(self, response_id: str, item_id: str, payload: str) -> Piece:
        """Count a piece of audio, to be passed on unless it is dropped. payload: base64 in the session's format."""
        running = self._running.get(response_id)
        if running is None:
            response_id = self.named(response_id)
            running = self._running.get(response_id)
        if running is None or response_id in self._discarded:
            return DROPPED
        spoken, length_ms = running.spoken, decoded_bytes(payload) / self._bytes_per_ms
        name = self.names.get((response_id, item_id), item_id) if self.names else item_id
        if name in spoken:
            spoken[name] += length_ms
            if running.audio_ended:
                running.audio_ended.discard(name)  # its end was told too early: it comes with the response's
            return NEXT
        return FIRST if self._begins(response_id, running, item_id, length_ms) else DROPPED

    def _begins(self, response_id: str, running: Running, item_id: str, length_ms: float) -> bool:
        """Note the first of an item, unless it has an id beyond reason, or there are too many of them."""
        if len(item_id) > NAME_CHARS or len(running.spoken) >= MOST_ITEMS:
            return False
        name = self.name(response_id, item_id)
        self._items.add(name)
        running.spoken[name] = length_ms
        return True

    def name(self, response_id: str, item_id: str) -> str:
        """What an item of a response is called. item_id: as the server told it."""
        response_id = self.named(response_id)
        if (name := self.names.get((response_id, item_id))) is not None:
            return name
        running = self._running.get(response_id)
        if running is None or item_id in running.spoken:
            return item_id
        name = item_id
        while name in self._items or name in self._used:
            self._number += 1
            name = f"{item_id}~{self._number}"
        if name != item_id:
            self.names[response_id, item_id] = name
            self._on_wire[name] = item_id
            if len(self.names) > MOST_RENAMED:
                del self.names[next(iter(self.names))]
            if len(self._on_wire) > MOST_RENAMED:
                del self._on_wire[next(iter(self._on_wire))]
        return name

    def use(self, used: Container[str]) -> None:
        """Before this session there were items with these ids."""
        self._used = used

    def first_came(self, response_id: str, now_ms: float) -> None:
        """The first piece of an item's audio has arrived."""
        running = self._running.get(self.named(response_id))
        if running is not None and running.first_ms is None:
            running.first_ms = now_ms

    def takes_text(self, response_id: str, item_id: str) -> bool:
        """An item in writing is complete. Returns whether to pass it on."""
        running = self._running.get(response_id)
        if running is None or response_id in self._discarded or not self._begins(response_id, running, item_id, 0.0):
            return False
        running.audio_ended.add(self.name(response_id, item_id))
        return True

    def worded(self, response_id: str, item_id: str) -> None:
        """The words of an item were told."""
        if (running := self._running.get(response_id)) is not None:
            running.worded.add(self.name(response_id, item_id))

    def unworded(self, response: Response) -> list[Item]:
        """The items of a response that has ended which were heard, and whose words were not told on the way."""
        running = self._running.get(response.id)
        if running is None:
            return []
        told = [each.model_copy(update={"id": self.name(response.id, each.id)}) for each in response.output]
        return [each for each in told if each.id in running.spoken and each.id not in running.worded]

    def discarded(self, response_id: str) -> bool:
        """Whether the response was interrupted, so that its audio is dropped."""
        return response_id in self._discarded

    def audio_ended(self, response_id: str, item_id: str) -> bool:
        """All audio of an item has arrived. Returns whether to pass on its end: once, of an item that was passed on."""
        running, item_id = self._running.get(response_id), self.name(response_id, item_id)
        if running is None or item_id not in running.spoken or item_id in running.audio_ended:
            return False
        running.audio_ended.add(item_id)
        return response_id not in self._discarded

    def unended(self, response_id: str) -> list[str]:
        """Ids of the response's items whose audio was passed on, but not the end of it."""
        running = self._running.get(response_id)
        if running is None or response_id in self._discarded:
            return []
        return [item_id for item_id in running.spoken if item_id not in running.audio_ended]

    def all_unended(self) -> list[str]:
        """The same of all running responses."""
        return [item_id for response_id in self._running for item_id in self.unended(response_id)]

    def something_heard(self) -> bool:
        """Whether audio of any running response was passed on."""
        return any(running.spoken for running in self._running.values())

    def discard_all(self) -> None:
        """The caller has interrupted: drop what still arrives of the running responses."""
        self._discarded.update(self._running)

    def discard(self, item_id: str) -> bool:
        """Drop the rest of the response that contains the item. Returns whether that response is still running."""
        speaking = [each for each, running in self._running.items() if item_id in running.spoken]
        self._discarded.update(speaking)
        return bool(speaking)

    def ended(self, response_id: str) -> tuple[Running, list[Cut]]:
        """The response has ended. Returns its totals, and the deletions that had to wait for its end."""
        if response_id:
            self._ended.append(response_id)
        running = self._running.pop(response_id, None) or Running()
        self._discarded.discard(response_id)
        unheard = [item_id for item_id in running.spoken if item_id in self._delete_when_done]
        self._delete_when_done.difference_update(unheard)
        return running, [ConversationItemDelete(item_id=self._on_wire.get(each, each)) for each in unheard]

    def heard(self, items: Iterable[ItemHeard]) -> list[Cut]:
        """Truncate each interrupted item to what was heard; delete it if nothing was."""
        cuts: list[Cut] = []
        for item in items:
            generated_ms = max((each.spoken.get(item.item_id, 0.0) for each in self._running.values()), default=0.0)
            if item.complete or item.item_id not in self._items:
                continue
            item_id = self._on_wire.get(item.item_id, item.item_id)
            if item.heard_ms >= 1:
                # The server refuses a truncation beyond the audio it generated, which it counts in whole ms.
                end_ms = min(item.heard_ms, int(generated_ms)) if generated_ms else item.heard_ms
                cuts.append(ConversationItemTruncate(item_id=item_id, content_index=0, audio_end_ms=max(1, end_ms)))
            elif generated_ms:
                self._delete_when_done.add(item.item_id)
            else:
                cuts.append(ConversationItemDelete(item_id=item_id))
        return cuts


class WrittenResponses(RunningResponses):
    """Those of a conversation in writing: a server that speaks in it all the same is not heard."""

    __slots__ = ()

    def takes(self, response_id: str, item_id: str, payload: str) -> Piece:
        return DROPPED

    def audio_ended(self, response_id: str, item_id: str) -> bool:
        return False
