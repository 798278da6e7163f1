"""The images that a call's tasks show its model: in the conversation once, and in each session that follows.

The journal has them by name and digest, never their bytes. Those in the bot's folder are a part of its version, which
another process has too; what an effect has kept is in this process only. Where one cannot be shown, the model is told
of it in words, its task learns it as a fact, and it is counted.
Not an actor: a part of a call's supervisor. May import: actors, protocols, the standard library.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from actors.bots import BotProfile
from actors.call.recorder import CallRecorder
from actors.call.transcript import image_item
from actors.messages.call import ImageRefused
from actors.messages.journal_rows import ImageRow
from actors.messages.model import ModelSocketMessage, ShowImageItem
from actors.metrics import IMAGES
from actors.system.address import Address
from actors.tasks.router import TaskRouter
from protocols.images import MOST_AT_ONCE_BYTES, Image, ImageFault, image_of

# Images that effects have kept in a call; of more, the oldest are dropped.
MOST_KEPT = 8
# Sessions that may be lost with an image that they were sent and did not confirm: the next one is not sent it.
MOST_LOSSES = 2
# Why an image is not seen, besides what is wrong with it itself.
GONE, TOO_MANY, REFUSED, UNSUPPORTED = "gone", "too_many", "refused", "unsupported"


class CallImages:
    """profile: of the bot that answers the call. model: the stable address of its session. log: bound to the call."""

    def __init__(
        self,
        profile: BotProfile,
        tasks: TaskRouter,
        recorder: CallRecorder,
        model: Address[ModelSocketMessage],
        log: Any,
    ) -> None:
        self._profile = profile
        self._tasks = tasks
        self._recorder = recorder
        self._model = model
        self._log = log
        self._kept: dict[str, Image] = {}  # by digest: a later look-up may keep another one of the same name
        self._named: dict[tuple[str, str], str] = {}  # their digests, by run and name
        self._faults: dict[tuple[str, str], str] = {}  # why what was kept is no image
        self._gone: set[str] = set()  # the keys of those that are counted as gone
        self._losses: Counter[str] = Counter()  # by the ids of their items

    def look(self, now_ms: float) -> None:
        """Take what the tasks' effects have kept, and show the model what the tasks show it and it has not seen."""
        kept, to_show = self._tasks.take_images()
        for place in kept:  # what they were before is not what they are now, also of one that is dropped
            self._named.pop(place, None)
            self._faults.pop(place, None)
        for place, content in list(kept.items())[-MOST_KEPT:]:
            try:
                image = image_of(content)
            except ImageFault as fault:
                self._faults[place] = fault.reason
                continue
            self._kept.pop(image.digest, None)  # it is the newest, if it was kept before too
            self._named[place], self._kept[image.digest] = image.digest, image
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        left, transcript = MOST_AT_ONCE_BYTES, self._recorder.transcript
        for key, action in to_show.items():
            if not transcript.shows(key):
                row = ImageRow(
                    key=key,
                    file=action.file,
                    kept=action.kept,
                    about=action.about,
                    detail=action.detail,
                    at_ms=round(now_ms - transcript.began_ms),
                )
                left -= self._show(row, left)

    def image(self, row: ImageRow) -> Image | None:
        """The image that was shown, for another session; None if this process does not have that one (any more)."""
        found = self._kept.get(row.digest) if row.kept else self._found(row)
        if isinstance(found, Image) and found.digest == row.digest:
            return found
        if row.key not in self._gone:
            self._gone.add(row.key)
            IMAGES.labels(GONE).inc()
            self._log.warning("an image that the model has seen is gone", image=row.name)
        return None

    def refused(self, message: ImageRefused) -> None:
        """The model's server does not take an image, or sessions end when they are sent it."""
        row = next((each for each in self._recorder.transcript.images() if each.item == message.item_id), None)
        if row is None or row.unseen:
            return
        if message.lost:
            self._losses[row.item] += 1
            if self._losses[row.item] < MOST_LOSSES:
                return
        self._log.warning("the model's server does not take an image", image=row.name, why=message.why)
        self._recorder.image_refused(row, message.why)
        row = row.model_copy(update={"unseen": REFUSED})
        self._unseen(row)
        self._model.tell(ShowImageItem(image_item(row, None)))

    def _show(self, row: ImageRow, left: int) -> int:
        """Show an image, or tell of it. left: how many bytes more may be written at once. Returns how many were."""
        found = self._found(row)
        if isinstance(found, Image) and self._is_seen(row, found):
            return 0
        if isinstance(found, Image) and len(found.content) > left:
            found = TOO_MANY
        if isinstance(found, str):
            row = row.model_copy(update={"unseen": found})
            self._log.warning("an image cannot be shown to the model", image=row.name, why=found)
            self._unseen(row)
            self._model.tell(ShowImageItem(image_item(row, None)))
            return 0
        row = row.model_copy(update={"digest": found.digest})
        self._recorder.image(row)
        IMAGES.labels("shown").inc()
        self._log.info("image shown", image=row.name, bytes=len(found.content), pixels=f"{found.width}x{found.height}")
        self._model.tell(ShowImageItem(image_item(row, found)))
        return len(found.content)

    def _unseen(self, row: ImageRow) -> None:
        self._recorder.image(row)
        IMAGES.labels(row.unseen).inc()
        self._tasks.unseen(row.run, row.name)

    def _found(self, row: ImageRow) -> Image | str:
        """The image of that name; why there is none."""
        if self._profile.model.profile.no_images:
            return UNSUPPORTED
        if row.file:
            return self._profile.images.get(row.file, GONE)
        place = row.run, row.kept
        return self._kept.get(self._named.get(place, ""), self._faults.get(place, GONE))

    def _is_seen(self, row: ImageRow, image: Image) -> bool:
        """Whether the run has shown just that already: a read-back that is read again does not have it paid again."""
        this = row.run, image.digest, row.about, row.detail, ""
        shown = self._recorder.transcript.images()
        return any((each.run, each.digest, each.about, each.detail, each.unseen) == this for each in shown)
