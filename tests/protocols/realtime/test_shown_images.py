"""Images of a session: when they go, and which of them an error, a response or a loss is about."""

from __future__ import annotations

from protocols.realtime.objects import ErrorDetail, InputText, SystemMessage
from protocols.realtime.shown_images import ShownImages

ABOUT_ONE = ErrorDetail(code="invalid_value", param="item.content[1].image_url")


def sent(*item_ids: str) -> ShownImages:
    images = ShownImages()
    for each in item_ids:
        images.sent(each)
    return images


def completed(images: ShownImages, response_id: str = "r-1") -> None:
    """A response that begins now."""
    images.response_began(response_id)
    images.proved(response_id)
    images.response_ended(response_id)


def test_an_item_is_given_once() -> None:
    images, item = ShownImages(), SystemMessage(content=(InputText(text="none"),))
    images.show(item)
    assert images.take() == [item]
    assert images.take() == []


def test_the_server_refuses_the_one_that_it_names() -> None:
    images = sent("image-1", "image-2")
    assert images.refused(ErrorDetail(code="invalid_value", event_id="image-2")) == ("image-2",)
    assert images.refused(ErrorDetail(code="invalid_value", event_id="image-2")) == ()
    assert images.refused(ErrorDetail(code="invalid_value", event_id="c1")) == ()
    assert images.doubtful == ("image-1",)


def test_one_that_was_taken_can_be_refused_later() -> None:
    images = sent("image-1")
    images.added("image-1")
    completed(images)
    assert images.refused(ErrorDetail(code="invalid_value", event_id="image-1")) == ("image-1",)


def test_an_error_that_names_nothing_is_about_the_oldest_image_that_is_open_if_it_speaks_of_one() -> None:
    images = sent("image-1", "image-2", "image-3")
    assert images.refused(ErrorDetail(code="invalid_value", param="session.voice")) == ()
    images.added("image-1")
    assert images.refused(ErrorDetail(code="invalid_image")) == ("image-2",)
    assert images.refused(ABOUT_ONE) == ("image-3",)
    assert images.refused(ABOUT_ONE) == ()


def test_where_the_server_tells_of_no_item_it_may_be_any_of_them() -> None:
    assert sent("image-1").refused(ABOUT_ONE) == ("image-1",)
    assert sent("image-1", "image-2").refused(ABOUT_ONE) == ("image-1", "image-2")


def test_a_response_that_fails_is_blamed_on_images_that_none_was_completed_with() -> None:
    images = sent("image-1")
    completed(images)
    images.sent("image-2")
    images.sent("image-3")
    images.added("image-3")
    images.added("item-of-another")
    images.response_began("r-2")
    assert images.blamed("r-2") == ("image-2", "image-3")
    assert not images.blamed("r-2")


def test_a_response_has_only_what_was_sent_before_it_began() -> None:
    images = sent("image-1")
    images.response_began("r-1")
    images.sent("image-2")
    assert images.blamed("r-1") == ("image-1",)
    images.proved("r-1")
    images.response_ended("r-1")
    images.response_began("r-2")
    images.response_ended("r-9")
    assert images.blamed("r-2") == ("image-2",)


def test_of_a_response_whose_beginning_was_not_told_any_image_may_be_the_reason() -> None:
    images = sent("image-1", "image-2")
    images.proved("r-1")
    assert images.blamed("r-1") == ("image-1", "image-2")


def test_a_loss_may_be_due_to_what_was_not_told_and_to_what_is_answered_with_for_the_first_time() -> None:
    images = sent("image-1", "image-2", "image-3")
    images.added("image-2")
    images.added("image-3")
    assert list(images.doubtful) == ["image-1"]
    images.response_began("r-1")
    images.sent("image-4")
    images.added("image-4")
    assert list(images.doubtful) == ["image-1", "image-2", "image-3"]
    images.proved("r-1")
    images.response_ended("r-1")
    images.response_began("r-2")
    assert list(images.doubtful) == ["image-4"]
    images.response_ended("r-2")
    assert list(images.doubtful) == []
