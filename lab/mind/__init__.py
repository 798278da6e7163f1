"""The mind of the embedded realtime engine: `think(prompt)` gives the model's next words or function calls.

It stands in for OpenAI's realtime model on a developer's machine and must drive any task declared to it.
May import: text_to_num, the standard library.
"""

from lab.mind.mind import think
from lab.mind.prompt import (
    AssistantSaid,
    Called,
    CallOutput,
    FunctionCall,
    Item,
    Prompt,
    Reply,
    SystemNote,
    Tool,
    UserSaid,
)

__all__ = [
    "AssistantSaid",
    "CallOutput",
    "Called",
    "FunctionCall",
    "Item",
    "Prompt",
    "Reply",
    "SystemNote",
    "Tool",
    "UserSaid",
    "think",
]
