"""Turns that many scenes are made of."""

from __future__ import annotations

from tests.adversary.model import Answer, Item
from tests.adversary.stage import Stage
from tests.adversary.words import HAND_OVER, OPEN, WISH, YES


async def agreed(stage: Stage, words: str = "Yes.", *, settle: bool = True) -> None:
    """The wish is read back, the caller says these words, and the model agrees. settle: as of `Model.turn`."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn(words, YES, settle=settle)


async def read_back(stage: Stage, *items: Item) -> None:
    """The wish, and these items in place of its read-back."""
    await stage.model.turn(WISH, OPEN, settle=False)
    stage.model.script.append(Answer(items=items))
    await stage.model.quiet()


async def booked_and_called_again(stage: Stage) -> str:
    """Book, then call again with a withheld number. Returns the code that was told at the booking."""
    await agreed(stage)
    code = str(stage.model.last_output["slots"]["code"])
    await stage.hang_up()
    await stage.dial("anonymous")
    return code


async def put_through(stage: Stage) -> bool:
    """The caller asks for a human, and is handed over. Returns whether a transfer was begun within 20 s."""
    tried = len(stage.phone.handset.transfers)
    await stage.model.turn("A human please.", HAND_OVER, settle=False)
    return await stage.until(lambda: len(stage.phone.handset.transfers) > tried, 20)


async def over_the_last_words(
    stage: Stage, words: str | None, *answer: Item, after_s: float = 0.9, ms: int = 600
) -> None:
    """The caller speaks for `ms` into what the bot says now, and is answered."""
    await stage.until(lambda: stage.model.speaking)
    await stage.sleep(after_s)
    await stage.model.turn(words, *answer, ms=ms, settle=False)
