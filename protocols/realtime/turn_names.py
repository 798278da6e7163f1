"""One name for each turn of the caller, also where an event about it comes without its item's id.

Without it the words of a turn would belong to no turn, and a no would be a turn without words.
May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Container

# Turns whose transcript may still come.
MOST_TURNS = 64


class TurnNames:
    """A turn is named by its item; one that begins without an id, until its item is told, by a name of ours.

    new_name: makes one. used: the items that the call had before this session, with other words.
    """

    def __init__(self, new_name: Callable[[], str], used: Container[str] = ()) -> None:
        self._new_name = new_name
        self._used = used
        self._names: dict[str, str] = {}  # by item
        self._newest = ""
        self._untold: set[str] = set()
        self._committed: str | None = None  # the newest turn that is known to be in the conversation
        self._idle = ""
        self._unnamed = False  # the newest turn began without an id, and its item is not known yet

    def began(self, item_id: str) -> str:
        """The name of a turn that begins. item_id: "" if it was not told; some servers tell that of a turn before."""
        known = self._names.get(item_id)
        is_used = known == self._committed if known is not None else item_id in self._used
        self._newest = self._new_name() if is_used or not item_id else item_id
        self._unnamed = not item_id
        if item_id:
            self._remember(item_id, self._newest)
        return self._newest

    def of(self, item_id: str) -> str:
        """The name of the turn of an item. item_id: "" if it was not told: that of the newest turn."""
        if not item_id:
            return self._newest
        if item_id not in self._names:
            other = self._new_name() if item_id in self._used else item_id
            self._remember(item_id, self._newest if self._unnamed else other)
            self._unnamed = False
        return self._names[item_id]

    def ended(self, item_id: str) -> str:
        """The name of the turn that ends now: the newest one, also if its item has the id of one that is over."""
        name = self.of(item_id)
        if name == self._committed and name != self._newest:
            self._remember(item_id, self._newest)
            self._unnamed = False
            return self._newest
        return name

    def committed(self, item_id: str, *, due: bool = False) -> bool:
        """The turn of an item is in the conversation, so that its transcript is still to come.

        item_id: "" if it was not told. due: a turn has ended, and this was waited for. Returns whether it was not known
        yet.
        """
        if item_id:
            self._untold.add(item_id)
        before, self._committed = self._committed, self.ended(item_id) if due else self.of(item_id)
        return not self._committed or self._committed != before

    def told(self, item_id: str) -> None:
        """The transcript of an item has come, or failed. item_id: "" if it was not told: any that is still to come."""
        if item_id:
            self._untold.discard(item_id)
        else:
            self._untold.clear()

    @property
    def untold(self) -> bool:
        """Whether the transcript of any turn is still to come."""
        return bool(self._untold)

    def use(self, used: Container[str]) -> None:
        """Before this session there were items with these ids."""
        self._used = used

    def fell_idle(self, item_id: str) -> None:
        """The server takes a silence of the caller for a turn."""
        self._idle = item_id

    def is_idle(self, item_id: str) -> bool:
        """Whether an item is the latest silence that the server has taken for a turn."""
        return bool(item_id) and item_id == self._idle

    def _remember(self, item_id: str, name: str) -> None:
        self._names[item_id] = name
        if len(self._names) > MOST_TURNS:
            del self._names[next(iter(self._names))]
