"""Parsing and serialising, common to the frames of both wire protocols.

May import: protocols.bad_fields, protocols.errors, protocols.text, pydantic, orjson, the standard library.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, get_args, get_origin

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from protocols.bad_fields import MOST_ERRORS, without_bad_fields
from protocols.errors import WireError
from protocols.text import BACKSLASH, text_of, well_formed_json

F = TypeVar("F", bound="Frame")
# A frame above this length may hold no more than so many values: a megabyte of empty lists would take a second to read.
# A long frame of a peer that means well is one long text, but for those of a model.
SIMPLE_BYTES, MOST_VALUES = 16 * 1024, 4000
# The reason of a WireError: there are more.
TOO_MANY_VALUES = "too_many_values"


class Frame(BaseModel):
    """A frame, or a part of one. Written with exactly the fields that were set: null and absent differ here."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    # The beginning of a frame of this class on the wire. `type` has a default, so it need not be given.
    _head: ClassVar[bytes] = b""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        kind = cls.model_fields.get("type")
        cls._head = f'{{"type":"{kind.default}",'.encode() if kind is not None else b""

    def to_wire(self) -> bytes:
        """The frame as JSON, UTF-8: its `type` first, then the fields that were set."""
        text: bytes = self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_unset=True)
        if "type" in self.__pydantic_fields_set__:
            return text
        return self._head + text[1:] if len(text) > 2 else self._head[:-1] + b"}"


# A number of more digits than the reader of JSON takes (4300, as CPython does). Looked for where one may begin, so that
# no digit is looked at twice.
_ENDLESS = re.compile(rb"(?<=[:,\[\s])-?(?=[\d.]{4300})\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


class FrameTemplate:
    """A frame that is written many times and differs only in its last field, a text: serialised once, then filled in.

    Used for a call's audio: creating and serialising a model takes four times as long. orjson escapes a text in a
    quarter of the time of pydantic's serialiser. model: the frame. last: the field. fixed: all others.
    """

    __slots__ = ("_before",)

    def __init__(self, model: type[Frame], last: str, **fixed: Any) -> None:
        self._before, _, end = model(**{last: ""}, **fixed).to_wire().rpartition(b'""')
        if end != b"}":
            raise ValueError(f"{last} is not the last field of {model.__name__}")

    def fill(self, text: str) -> bytes:
        """The frame with this text, as `to_wire` would write it."""
        return b"".join((self._before, orjson.dumps(text), b"}"))


class SentFrame(Frame):
    """A frame that we send: an undeclared field is a bug, and refused."""

    model_config = ConfigDict(extra="forbid")


class CamelFrame(Frame):
    """A frame whose wire names are camelCase."""

    model_config = ConfigDict(alias_generator=to_camel)


class SentCamelFrame(CamelFrame):
    """A frame that we send, with camelCase names."""

    model_config = ConfigDict(extra="forbid")


class _WritesWhatItIs(BaseModel):
    """Fields with only one value, such as `type` or `role`, are written although they are not set."""

    _only_values: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        super().__pydantic_init_subclass__()
        literals = {name: each for name, each in cls.model_fields.items() if get_origin(each.annotation) is Literal}
        cls._only_values = frozenset(
            name
            for name, each in literals.items()
            if get_args(each.annotation) == (each.default,) and isinstance(each.default, str)
        )

    def model_post_init(self, _context: Any, /) -> None:
        self.__pydantic_fields_set__.update(self._only_values)


class SentPart(_WritesWhatItIs, SentFrame):
    """A part of a frame that we send."""


class SentCamelPart(_WritesWhatItIs, SentCamelFrame):
    """A part of a frame that we send, with camelCase names."""


# A peer may write null for a missing text. Audio frames do not use this: it costs a function call.
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


# What is mostly digits, such as a telephone number, may come as a number.
Digits = Annotated[Text, BeforeValidator(lambda value: text_of(value) or value)]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame of an unknown type, which a newer peer may send: to be counted and ignored."""

    type: str


def _count_values(frame: bytes | str, most: int) -> None:
    """At most: what separates values may also stand in a text."""
    sent = frame.encode(errors="surrogatepass") if isinstance(frame, str) else frame
    if sent.count(b",") + sent.count(b"[") + sent.count(b"{") > most:
        raise WireError(TOO_MANY_VALUES)
    # Escapes that may have to be replaced: each costs as much as a value.
    if b"\\" in sent and sent.count(rb"\u0000") + sent.count(rb"\ud") + sent.count(rb"\uD") > MOST_VALUES:
        raise WireError(TOO_MANY_VALUES)


# The reason of a WireError: the peer's text is no UTF-8, which ends a WebSocket with this code (RFC 6455, 8.1).
NOT_UTF8, NOT_UTF8_CODE = "not_utf8", 1007


def _ignore(_: WireError) -> None:
    pass


class Codec(Generic[F]):
    """Reads the frames of one direction of one wire.

    strict: with a bad field a frame is refused as a whole. most_values: see MOST_VALUES.
    """

    def __init__(self, union: Any, *, strict: bool = False, most_values: int = MOST_VALUES) -> None:
        self._strict = strict
        self._most_values = most_values
        validator = TypeAdapter(union).validator
        # The adapter's own methods first handle options that are not used here.
        self._validate = validator.validate_json
        self._validate_parsed = validator.validate_python

    def parse(self, frame: bytes | str, bad_field: Callable[[WireError], None] = _ignore) -> F | Unknown:
        """One frame as its type. What is wrong in it and not needed is left out: bad_field is told once a frame.

        Raises: WireError, whose reason is not_json, not_utf8, not_an_object, no_type, bad_fields or too_many_values;
        detail names the fields only.
        """
        if len(frame) > SIMPLE_BYTES:
            _count_values(frame, self._most_values)
        # Audio has no backslash, and to call a function for each frame takes longer than to look for one.
        if type(frame) is str or BACKSLASH in frame:
            frame = well_formed_json(frame)
        try:
            parsed: F = self._validate(frame)
        except ValidationError as error:
            return self._mend(frame, error, bad_field)
        return parsed

    def _mend(self, frame: bytes | str, error: ValidationError, bad_field: Callable[[WireError], None]) -> F | Unknown:
        if error.error_count() > MOST_ERRORS:
            # Its type is known, or there would be one error.
            raise WireError("bad_fields", f"{from_json(frame)['type']}.*: {error.error_count()} errors") from None
        first = error.errors(include_url=False, include_input=False)[0]
        match first["type"]:
            case "json_invalid":
                sent = frame.encode(errors="surrogatepass") if isinstance(frame, str) else frame
                if not self._strict and sent.startswith(BOM_UTF8) and not sent.startswith(BOM_UTF8, len(BOM_UTF8)):
                    return self.parse(sent[len(BOM_UTF8) :], bad_field)  # a reader may ignore it (RFC 8259, 8.1)
                if not self._strict and (shorter := _ENDLESS.sub(b"null", sent)) != sent:
                    bad_field(WireError("bad_fields", "a number of too many digits"))
                    return self.parse(shorter, bad_field)
                raise WireError(NOT_UTF8 if _is_not_utf8(frame) else "not_json") from None
            # At the top level only: inside a frame these are bad fields.
            case "union_tag_invalid" if not first["loc"]:
                if len(frame) > SIMPLE_BYTES:
                    _count_values(frame, MOST_VALUES)  # what nobody reads may not cost more than that
                return Unknown(str(first["ctx"]["tag"])[:64])
            case "union_tag_not_found" if not first["loc"]:
                raise WireError("no_type") from None
            case "model_attributes_type" | "model_type" | "dict_type" if len(first["loc"]) < 2:
                raise WireError("not_an_object") from None
        found = WireError("bad_fields", f"{'.'.join(str(part) for part in first['loc'])}: {first['type']}")
        mended: F | None = None if self._strict else without_bad_fields(frame, error, self._validate_parsed)
        if mended is None:
            raise found from None
        bad_field(found)
        return mended


def _is_not_utf8(frame: bytes | str) -> bool:
    if isinstance(frame, str):
        return False
    try:
        frame.decode()
    except UnicodeDecodeError:
        return True
    return False
