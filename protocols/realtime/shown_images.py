"""The images of one model session: which wait for their place, and which the server may not take.

Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 1.5, 3.3, 4.4.
"""

from __future__ import annotations

from enum import Enum

from protocols.realtime.objects import ErrorDetail, NewItem


class _Shown(Enum):
    SENT = "sent"
    ADDED = "added"  # the server has told that it is in the conversation
    PROVED = "proved"  # a response was completed since


class ShownImages:
    """Items with an image; those in which the model is only told of one have no id, and are passed through."""

    __slots__ = ("_items", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[NewItem] = []
        self._items: dict[str, _Shown] = {}  # by their ids

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
        if self._items.get(item_id) is _Shown.SENT:
            self._items[item_id] = _Shown.ADDED

    def proved(self) -> None:
        """A response was completed: the model can answer with what it was shown."""
        self._items = dict.fromkeys(self._items, _Shown.PROVED)

    @property
    def untold(self) -> tuple[str, ...]:
        """The ids of the images of which nothing shows that the server has taken them."""
        return self._that_are(_Shown.SENT)

    def refused(self, error: ErrorDetail) -> str:
        """The image that an error event is about: its item's id; "" if it is about none.

        Some servers do not say which event they refuse: then it is the one image they have not told of, if the error
        speaks of an image.
        """
        refused = error.event_id or ""
        if error.event_id is None and len(self.untold) == 1 and "image" in f"{error.code} {error.param}":
            (refused,) = self.untold
        return refused if self._items.pop(refused, None) is not None else ""

    def blamed(self) -> tuple[str, ...]:
        """A response has failed because of what stands in the conversation: the images that may be the reason."""
        blamed = self._that_are(_Shown.SENT, _Shown.ADDED)
        for item_id in blamed:
            del self._items[item_id]
        return blamed

    def _that_are(self, *states: _Shown) -> tuple[str, ...]:
        return tuple(item_id for item_id, state in self._items.items() if state in states)
