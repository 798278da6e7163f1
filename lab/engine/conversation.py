"""A session's default conversation: its items in order, and their form as input of `lab.mind`.
May import: protocols, lab.mind, lab.engine.refusals, lab.engine.sound, the standard library.
Rules from: docs/specs/openai-realtime.md 3.3, 4.6.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from lab import mind
from lab.engine.refusals import InvalidEvent
from lab.engine.sound import HEARING_HZ, Intake, audio_bytes, resampled
from protocols.images import Image, ImageFault, image_bytes, image_of
from protocols.realtime.objects import (
    AssistantMessage,
    AudioFormat,
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    Item,
    McpApprovalResponse,
    NewItem,
    SystemMessage,
    UserMessage,
)

NewId = Callable[[str], str]
# Of an image, as of an append; what the product sends has a limit of its own.
_MOST_IMAGE_BYTES = 15 * 1024 * 1024


@dataclass(slots=True)
class StoredItem:
    """One item, and what is kept with it beyond the API's fields.

    said: its text for `lab.mind`. audio: of a caller's item, s16le at 16 kHz. words: of a spoken item, each with the ms
    from its start at which the word ends. sent_ms: how much of its speech was sent. is_done: of a call of an MCP
    server's tool, it has its output. images: that a client has put into it.
    """

    item: Item
    said: str = ""
    audio: bytes = b""
    words: list[tuple[str, float]] = field(default_factory=list)
    sent_ms: float = 0
    was_cut: bool = False
    is_done: bool = False
    images: tuple[Image, ...] = ()

    def add_words(self, words: str, over_ms: float) -> None:
        """Add words of the model's speech, with their leading space. over_ms: where they end."""
        self.words.append((words, over_ms))
        if not self.was_cut:
            self.said += words

    def cut(self, heard_ms: int) -> None:
        """Drop what follows the first heard_ms."""
        self.was_cut = True
        self.said = "".join(words for words, over_ms in self.words if over_ms <= heard_ms)
        self.sent_ms = heard_ms
        # As in the API, a truncated item has no transcript.
        self.item = self.item.model_copy(update={"content": (ContentPart(type="output_audio"),)})

    def with_audio(self) -> Item:
        """The item with the caller's audio in it, as 24 kHz PCM."""
        if not self.audio:
            return self.item
        audio = b64encode(resampled(self.audio, HEARING_HZ, 24_000)).decode()
        first, *rest = self.item.content
        return self.item.model_copy(update={"content": (first.model_copy(update={"audio": audio}), *rest)})

    def seen(self) -> tuple[mind.PromptItem, ...]:
        """The item as input of `lab.mind`; nothing if it has no content for it."""
        item = self.item
        match item.type, item.role:
            case "message", "system":
                return (mind.SystemNote(self.said),)
            case "message", "user" if self.images:
                return tuple(mind.ImageSeen(self.said, each.kind, each.width, each.height) for each in self.images)
            case "message", "user":
                return (mind.UserSaid(self.said),)
            case "message", _:
                return (mind.AssistantSaid(self.said.strip()),) if self.said.strip() else ()
            case "function_call", _:
                return (mind.Called(item.call_id, item.name, item.arguments),)
            case "function_call_output", _:
                return (mind.CallOutput(item.call_id, item.output),)
            case "mcp_call", _:
                called = mind.Called(item.id, item.name, item.arguments)
                return (called, mind.CallOutput(item.id, item.output)) if self.is_done else (called,)
            case _:
                return ()


def seen(entries: Iterable[StoredItem]) -> tuple[mind.PromptItem, ...]:
    """A conversation as input of `lab.mind`."""
    return tuple(item for entry in entries for item in entry.seen())


class Conversation:
    """Items in order, by id."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._entries: list[StoredItem] = []

    def __iter__(self) -> Iterator[StoredItem]:
        return iter(tuple(self._entries))

    @property
    def last_id(self) -> str | None:
        return self._entries[-1].item.id if self._entries else None

    def add(self, entry: StoredItem, after: str | None = None) -> str | None:
        """Insert an item; return the id of the one before it. after: an id, "root", or None for the end.

        Raises: InvalidEvent.
        """
        item = entry.item
        if self._at(item.id) is not None:
            raise InvalidEvent(
                "item_create_duplicate_item_id", f"An item with id '{item.id}' already exists.", "item.id"
            )
        if item.type == "function_call_output" and not self._has_call(item.call_id):
            raise InvalidEvent("invalid_tool_call_id", f"Tool call ID '{item.call_id}' not found in conversation.")
        at = self._place(after)
        self._entries.insert(at, entry)
        return self._entries[at - 1].item.id if at else None

    def before(self, item_id: str) -> str | None:
        """The id of the item before this one, if both exist."""
        at = self._at(item_id)
        return self._entries[at - 1].item.id if at else None

    def get(self, item_id: str, verb: str) -> StoredItem:
        """The item with this id. Raises: InvalidEvent with the code item_<verb>_invalid_item_id."""
        at = self._at(item_id)
        if at is None:
            raise InvalidEvent(f"item_{verb}_invalid_item_id", f"Item with item_id '{item_id}' not found.", "item_id")
        return self._entries[at]

    def delete(self, item_id: str) -> None:
        """Raises: InvalidEvent."""
        self._entries.remove(self.get(item_id, "delete"))

    def truncate(self, item_id: str, content_index: int, heard_ms: int) -> None:
        """Keep only what the caller heard of a spoken item. Raises: InvalidEvent."""
        entry = self.get(item_id, "truncate")
        if not entry.sent_ms:
            raise InvalidEvent(
                "unsupported_content_type", "Only model output audio messages can be truncated.", "item_id"
            )
        if content_index != 0:
            raise InvalidEvent("invalid_value", f"The item has no content at {content_index}.", "content_index")
        if heard_ms > entry.sent_ms:
            already = f"Audio content of {entry.sent_ms:.0f}ms is already shorter than {heard_ms}ms"
            raise InvalidEvent("invalid_value", already, "audio_end_ms")
        entry.cut(heard_ms)

    def _at(self, item_id: str) -> int | None:
        return next((at for at, entry in enumerate(self._entries) if entry.item.id == item_id), None)

    def _has_call(self, call_id: str) -> bool:
        return any(entry.item.type == "function_call" and entry.item.call_id == call_id for entry in self._entries)

    def _place(self, after: str | None) -> int:
        if after is None:
            return len(self._entries)
        if after == "root":
            return 0
        at = self._at(after)
        if at is None:
            message = f"Previous item with id '{after}' not found."
            raise InvalidEvent("item_create_invalid_previous_item_id", message, "previous_item_id")
        return at + 1


def entry_of(new: NewItem, new_id: NewId, media: AudioFormat) -> StoredItem:
    """An item that the client created. media: the format of its audio, if any. Raises: InvalidEvent."""
    common = {"object": "realtime.item", "status": "completed"}
    match new:
        case SystemMessage() | UserMessage() | AssistantMessage():
            parts = tuple(ContentPart(**part.model_dump(exclude_unset=True, exclude={"audio"})) for part in new.content)
            texts = (part.text for part in new.content if not isinstance(part, InputAudio | InputImage))
            item = Item(id=new.id or new_id("item"), type="message", role=new.role, content=parts, **common)
            audio = b"".join(_recorded(part.audio, media) for part in new.content if isinstance(part, InputAudio))
            images = tuple(
                _image(part.image_url, at) for at, part in enumerate(new.content) if isinstance(part, InputImage)
            )
            return StoredItem(item, said=" ".join(texts), audio=audio, images=images)
        case FunctionCallItem():
            call_id = new.call_id or new_id("call")
            return StoredItem(
                Item(
                    id=new.id or new_id("item"),
                    type=new.type,
                    name=new.name,
                    call_id=call_id,
                    arguments=new.arguments,
                    **common,
                )
            )
        case FunctionCallOutputItem():
            return StoredItem(
                Item(id=new.id or new_id("item"), type=new.type, call_id=new.call_id, output=new.output, **common)
            )
        case McpApprovalResponse():
            raise InvalidEvent("invalid_value", "An approval is an item of the conversation only.", "item.type")


def _image(url: str, at: int) -> Image:
    """Raises: InvalidEvent. at: the place of the part in its item."""
    content = image_bytes(url) if url.startswith("data:image/") else None
    try:
        return image_of(content or b"", _MOST_IMAGE_BYTES)
    except ImageFault as fault:
        where = f"item.content[{at}].image_url"
        raise InvalidEvent("invalid_value", f"Invalid image: it {fault}.", where) from None


def _recorded(payload: str, media: AudioFormat) -> bytes:
    intake = Intake(media)
    return intake.take(audio_bytes(payload, "item.content.audio")) + intake.flush()


def caller_entry(item_id: str, audio: bytes) -> StoredItem:
    """A caller's utterance, not transcribed yet. audio: s16le at 16 kHz."""
    part = ContentPart(type="input_audio", transcript=None)
    item = Item(id=item_id, object="realtime.item", type="message", status="completed", role="user", content=(part,))
    return StoredItem(item, audio=audio)
