"""Images of a session: when they go, and which of them an error is about."""

from __future__ import annotations

from protocols.realtime.objects import ErrorDetail, InputText, SystemMessage
from protocols.realtime.shown_images import ShownImages


def sent(*item_ids: str) -> ShownImages:
    images = ShownImages()
    for each in item_ids:
        images.sent(each)
    return images


def test_an_item_is_given_once() -> None:
    images, item = ShownImages(), SystemMessage(content=(InputText(text="none"),))
    images.show(item)
    assert images.take() == [item]
    assert images.take() == []


def test_the_server_refuses_the_one_that_it_names() -> None:
    images = sent("image-1", "image-2")
    assert images.refused(ErrorDetail(code="invalid_value", event_id="image-2")) == "image-2"
    assert images.refused(ErrorDetail(code="invalid_value", event_id="image-2")) == ""
    assert images.refused(ErrorDetail(code="invalid_value", event_id="c1")) == ""
    assert images.untold == ("image-1",)


def test_one_that_was_taken_can_be_refused_later() -> None:
    images = sent("image-1")
    images.added("image-1")
    images.proved()
    assert images.refused(ErrorDetail(code="invalid_value", event_id="image-1")) == "image-1"


def test_an_error_that_names_nothing_is_about_the_one_image_that_is_open_if_it_speaks_of_one() -> None:
    images = sent("image-1")
    assert images.refused(ErrorDetail(code="invalid_value", param="session.voice")) == ""
    assert images.refused(ErrorDetail(code="invalid_value", param="item.content[1].image_url")) == "image-1"
    two = sent("image-1", "image-2")
    assert two.refused(ErrorDetail(code="invalid_image")) == ""
    two.added("image-1")
    assert two.refused(ErrorDetail(code="invalid_image")) == "image-2"


def test_a_response_that_fails_is_blamed_on_images_that_none_was_completed_with() -> None:
    images = sent("image-1")
    images.proved()
    images.sent("image-2")
    images.sent("image-3")
    images.added("image-3")
    images.added("item-of-another")
    assert images.blamed() == ("image-2", "image-3")
    assert not images.blamed()


def test_one_is_untold_until_the_server_shows_that_it_has_it() -> None:
    images = sent("image-1", "image-2", "image-3")
    images.added("image-2")
    assert images.untold == ("image-1", "image-3")
    images.proved()
    assert not images.untold
