"""Images: PNG and JPEG are known by their bytes, whole ones only, within a limit; and how they go over the wire."""

from __future__ import annotations

from base64 import b64decode, b64encode
from contextlib import suppress
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.model.audio_buffer import KEPT_MS
from actors.transport.websocket import WRITE_LIMIT_BYTES
from gateway.vaic_endpoint import MAX_MESSAGE_BYTES
from protocols.images import MOST_AT_ONCE_BYTES, MOST_IMAGE_BYTES, MOST_PIXELS, ImageFault, image_bytes, image_of
from protocols.limits import HISTORY_CHARS
from protocols.media import LPCM16_24
from tests.pictures import jpeg, png, png_of

# A text, an archive, an animation, vector graphics, a page, and the beginning of a PNG that was taken for text.
OTHERS = [b"", b"\x89PNG", b"a plan", b"PK\x03\x04", b"GIF89a", b"<svg/>", b"<!doctype html>", b"\x89PNG\n\x1a\n" * 9]


def why(content: bytes) -> str:
    with pytest.raises(ImageFault) as caught:
        image_of(content)
    return caught.value.reason


def test_a_png_and_a_jpeg_are_known_with_their_size_in_pixels() -> None:
    found = image_of(png(640, 480))
    assert (found.kind, found.width, found.height) == ("image/png", 640, 480)
    found = image_of(jpeg(1024, 768))
    assert (found.kind, found.width, found.height) == ("image/jpeg", 1024, 768)
    assert found.digest != image_of(jpeg(1024, 767)).digest


@pytest.mark.parametrize("content", OTHERS)
def test_anything_else_is_none_whatever_its_name(content: bytes) -> None:
    assert why(content) == "not_png_or_jpeg"


@pytest.mark.parametrize("whole", [png(9, 9), jpeg()])
def test_one_that_is_cut_off_is_none_wherever_it_ends(whole: bytes) -> None:
    assert {why(whole[:length]) for length in range(len(whole))} == {"not_png_or_jpeg", "broken"}


def test_a_png_with_one_damaged_bit_is_none() -> None:
    whole = png(9, 9)
    for at in range(8, len(whole)):
        assert why(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]) == "broken"


def test_one_without_pixels_is_none() -> None:
    whole = png()
    assert why(whole[: whole.index(b"IDAT") - 4] + whole[whole.index(b"IEND") - 4 :]) == "broken"
    assert why(png(0, 4)) == "broken"
    assert why(jpeg(0)) == "broken"
    # A segment that does not count itself would be read for ever.
    assert why(b"\xff\xd8\xff\xe0\0\0" + jpeg()) == "broken"


def test_the_limit_is_of_the_whole_file() -> None:
    assert len(image_of(png_of(MOST_IMAGE_BYTES)).content) == MOST_IMAGE_BYTES
    assert why(png_of(MOST_IMAGE_BYTES + 1)) == "too_large"
    assert why(bytes(50 * 1024 * 1024)) == "too_large"


def test_one_of_more_parts_than_any_program_writes_is_none_so_that_none_is_looked_at_for_long() -> None:
    whole = png()
    nothing = b"\0\0\0\0prVt" + crc32(b"prVt").to_bytes(4)
    assert image_of(whole[:33] + nothing * 900 + whole[33:]).width == 3
    assert why(whole[:33] + nothing * 1100 + whole[33:]) == "broken"
    assert why(b"\xff\xd8" + b"\xff" * 1100 + jpeg()[2:]) == "broken"


def test_of_more_pixels_than_anybody_unpacks_it_is_too_large() -> None:
    assert image_of(png(MOST_PIXELS, 1)).width == MOST_PIXELS
    assert why(png(MOST_PIXELS + 1, 1)) == "too_large"
    assert why(png(1, MOST_PIXELS + 1)) == "too_large"
    assert why(jpeg(65535, 65535)) == "too_large"


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", png()[:33], jpeg()[:40]]))
def test_no_bytes_break_the_reader(rest: bytes, head: bytes) -> None:
    with suppress(ImageFault):
        image_of(head + rest)


def test_on_the_wire_it_is_a_data_url_of_its_kind() -> None:
    head, _, payload = image_of(jpeg()).data_url().partition(",")
    assert (head, b64decode(payload)) == ("data:image/jpeg;base64", jpeg())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b64encode(b"plan").decode(), b"plan"),
        (f"data:image/png;base64,{b64encode(b'plan').decode()}", b"plan"),
        ("data:image/png;name=a.png;base64,cGxh\r\nbg==\r\n", b"plan"),
        ("cGxh bg==", b"plan"),
        ("https://clinic.example/plan.png", None),
        ("data:image/png,plan", None),
        ("cGxhbg", b"plan"),
        ("data:image/png;base64,_-8", b"\xff\xef"),
        ("cGxhb", None),
        ("Käse", None),
        ("", b""),
    ],
)
def test_what_a_system_sends_as_an_image_is_read(text: str, found: bytes | None) -> None:
    assert image_bytes(text) == found


def test_nothing_that_is_written_at_once_is_more_than_a_peer_may_leave_unread() -> None:
    image, at_once = MOST_IMAGE_BYTES * 4 // 3, MOST_AT_ONCE_BYTES * 4 // 3
    kept = int(KEPT_MS * LPCM16_24.bytes_per_ms * 4 / 3)  # of an utterance, and of what was said since
    assert image + HISTORY_CHARS + 2 * kept < WRITE_LIMIT_BYTES
    assert at_once + kept < WRITE_LIMIT_BYTES
    # The server may send the item back.
    assert image < MAX_MESSAGE_BYTES // 2
