"""The images of one model session: which wait for their place, and which the server may not take.

Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 1.5, 3.3, 4.4.
"""

from __future__ import annotations

from enum import Enum

from protocols.realtime.objects import ErrorDetail, NewItem


class _Shown(Enum):
    SENT = "sent"
    ADDED = "added"  # the server has told that it is in the conversation
    PROVED = "proved"  # a response that began after it was completed


class ShownImages:
    """Items with an image; those in which the model is only told of one have no id, and are passed through."""

    __slots__ = ("_items", "_running", "_tells", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[NewItem] = []
        self._items: dict[str, _Shown] = {}  # by their ids
        # The response that runs, and the images that it is the first to have; None if none runs that is known.
        self._running: tuple[str, tuple[str, ...]] | None = None
        self._tells = False  # the server tells of the items that it adds, in their order

    def show(self, item: NewItem) -> None:
        """An item for the conversation; `take` says when."""
        self._waiting.append(item)

    def take(self) -> list[NewItem]:
        """The items to create now, in order."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def sent(self, item_id: str) -> None:
        """The server was sent an image."""
        self._items[item_id] = _Shown.SENT

    def added(self, item_id: str) -> None:
        """The server has told that an item is in the conversation."""
        self._tells = True
        if self._items.get(item_id) is _Shown.SENT:
            self._items[item_id] = _Shown.ADDED

    def response_began(self, response_id: str) -> None:
        """A response has begun: it has what was sent before, and nothing that is sent from now on."""
        self._running = response_id, self._that_are(_Shown.SENT, _Shown.ADDED)

    def response_ended(self, response_id: str) -> None:
        if self._running is not None and self._running[0] == response_id:
            self._running = None

    def proved(self, response_id: str) -> None:
        """A response was completed: the model can answer with the images that it had."""
        if self._running is not None and self._running[0] == response_id:
            self._items |= dict.fromkeys((each for each in self._running[1] if each in self._items), _Shown.PROVED)

    @property
    def doubtful(self) -> tuple[str, ...]:
        """The ids of the images that may be why the session is lost: the server has not told of them, or answers with
        them for the first time.
        """
        _, had = self._running or ("", ())
        return tuple(
            item_id for item_id, state in self._items.items()
            if state is _Shown.SENT or (state is _Shown.ADDED and item_id in had)
        )  # fmt: skip

    def refused(self, error: ErrorDetail) -> tuple[str, ...]:
        """The images that an error event is about, by the ids of their items.

        Some servers do not say which event they refuse. If the error speaks of an image, it is then the oldest one that
        they have not told of; where they tell of none, it may be any.
        """
        if error.event_id is not None:
            refused: tuple[str, ...] = (error.event_id,)
        elif "image" in f"{error.code} {error.param}":
            untold = self._that_are(_Shown.SENT)
            refused = untold[:1] if self._tells else untold
        else:
            refused = ()
        return tuple(each for each in refused if self._items.pop(each, None) is not None)

    def blamed(self, response_id: str) -> tuple[str, ...]:
        """A response has failed because of what stands in the conversation: the images that may be the reason.

        Of a response whose beginning was not told, all with which none was completed.
        """
        blamed = self._that_are(_Shown.SENT, _Shown.ADDED)
        if self._running is not None and self._running[0] == response_id:
            blamed = tuple(each for each in self._running[1] if each in blamed)
        for item_id in blamed:
            del self._items[item_id]
        return blamed

    def _that_are(self, *states: _Shown) -> tuple[str, ...]:
        return tuple(item_id for item_id, state in self._items.items() if state in states)
