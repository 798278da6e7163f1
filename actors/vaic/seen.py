"""Which activities of VAIC's came before, so that none is carried out twice.

May import: protocols, the standard library. Rules from: docs/specs/vaic-streaming.md 4.1.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocols.limits import NAME_CHARS
from protocols.vaic import Activity

# Of one socket: what is repeated comes soon.
MOST_REMEMBERED = 256


class SeenActivities:
    """The activities of one socket, and the ids of those that came on the call's earlier sockets.

    After a resume an id says that it is the same. On one socket all that it says must be the same too: that every peer
    gives each activity an id of its own is not certain, and a key that is pressed twice is two.
    """

    __slots__ = ("_earlier", "_here")

    def __init__(self, earlier: Iterable[str] = ()) -> None:
        self._earlier = frozenset(earlier)
        self._here: dict[str, int] = {}  # what they say, as a hash; the newest last

    def again(self, activity: Activity) -> bool:
        """Whether it came before; it is remembered."""
        if not 0 < len(activity.id) <= NAME_CHARS:
            return False
        if activity.id in self._earlier:
            return True
        says = hash(activity.model_dump_json())
        before = self._here.pop(activity.id, None)
        self._here[activity.id] = says
        if len(self._here) > MOST_REMEMBERED:
            del self._here[next(iter(self._here))]
        return says == before
