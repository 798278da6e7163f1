"""How much of what a peer sends is used in a call: beyond that it is cut, and counted, and the call goes on.

May import: pydantic, the standard library.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# Of names and ids, in characters.
NAME_CHARS = 256
# Some servers number what they name.
Id = Annotated[str, Field(max_length=NAME_CHARS, coerce_numbers_to_str=True)]
# Of one turn's words, and of a function call's arguments: more than an hour of speech.
TURN_CHARS = 64 * 1024
# Of all turns and arguments of a call: a day of speech.
CALL_CHARS = 4 * 1024 * 1024
# Of a conversation that is told to a new session, its newest part: half of what a Realtime model remembers. It is
# written at once, and must stay below what a peer may leave unread.
HISTORY_CHARS = 128 * 1024
# Parties of a call that a bot which assists hears; one that talks hears one.
MOST_PARTICIPANTS = 2
# Failures in the record of one call.
MOST_ERRORS = 100
# Activities in one message, and keys in one activity.
MOST_ACTIVITIES = 100
MOST_KEYS = 64
# Items of one response of the model, and parts of one item: each takes some 5 us to read. A spoken answer is one item,
# or a few between function calls.
MOST_ITEMS = 64
MOST_ITEM_PARTS = 16
# Of the model's speech that waits to be played.
UNPLAYED_MS = 10 * 60 * 1000
