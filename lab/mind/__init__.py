"""The language model of the embedded realtime engine: `think(prompt)` gives the next words or function calls.

Replaces OpenAI's realtime model on a developer's machine; must be able to use any task declared to it.
May import: text_to_num, the standard library.
"""

from lab.mind.mind import think
from lab.mind.prompt import (
    AssistantSaid,
    Called,
    CallOutput,
    FunctionCall,
    ImageSeen,
    Prompt,
    PromptItem,
    Reply,
    SystemNote,
    Tool,
    UserSaid,
)
from lab.mind.scripted import next_heard

__all__ = [
    "AssistantSaid",
    "CallOutput",
    "Called",
    "FunctionCall",
    "ImageSeen",
    "Prompt",
    "PromptItem",
    "Reply",
    "SystemNote",
    "Tool",
    "UserSaid",
    "next_heard",
    "think",
]
