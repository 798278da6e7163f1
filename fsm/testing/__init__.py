"""For authors of tasks: scripted and random conversations with a task, and proofs about its table.

No audio, no sockets, no database: a conversation runs in milliseconds. `machine` needs hypothesis, the rest only
Tieline.
May import: fsm, the standard library.
"""

from fsm.testing.conversation import Conversation, Recorder, converse
from fsm.testing.proofs import prove

__all__ = ["Conversation", "Recorder", "converse", "prove"]
