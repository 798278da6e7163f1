"""Outputs of functions: each sent once, after its response, and spoken about when none is owed."""

from __future__ import annotations

from protocols.realtime.function_calls import MOST_MADE, FunctionCalls
from protocols.realtime.objects import FunctionCallItem, FunctionCallOutputItem, InputText, NewItem, UserMessage


def outputs(items: list[NewItem]) -> list[tuple[str, str]]:
    return [(item.call_id, item.output) for item in items if isinstance(item, FunctionCallOutputItem)]


def called(*call_ids: str) -> FunctionCalls:
    """Calls made in the response r-1."""
    calls = FunctionCalls()
    for call_id in call_ids:
        calls.called(call_id, "r-1")
    return calls


def test_an_output_waits_for_the_end_of_its_own_response() -> None:
    calls = called("c-1")
    calls.answered("c-1", "{}")
    assert calls.settle() == ([], False)
    assert calls.response_ended("r-2") == 0
    assert calls.settle() == ([], False)
    assert calls.response_ended("r-1") == 1
    items, speak = calls.settle()
    assert (outputs(items), speak) == ([("c-1", "{}")], True)


def test_a_call_that_is_told_twice_is_one_call_and_its_id_may_come_again_in_another_response() -> None:
    calls = called("c-1")
    assert not calls.called("c-1", "r-1")
    assert calls.made_in("r-1") == 1
    assert calls.called("c-1", "r-2")


def test_the_end_of_a_response_that_was_missed_is_the_beginning_of_another() -> None:
    calls = called("c-1")
    calls.called("c-2", "r-2")
    for call_id in ("c-1", "c-2"):
        calls.answered(call_id, "{}")
    calls.response_began("r-2")
    assert outputs(calls.settle()[0]) == [("c-1", "{}")]


def test_an_output_is_sent_when_its_own_response_has_ended_though_one_before_it_waits_for_another() -> None:
    calls = called("c-1")
    calls.called("c-2", "r-2")
    for call_id in ("c-2", "c-1"):
        calls.answered(call_id, "{}")
    assert calls.response_ended("r-1") == 1
    items, speak = calls.settle()
    assert (outputs(items), speak) == ([("c-1", "{}")], False)
    assert calls.response_ended("r-2") == 1
    items, speak = calls.settle()
    assert (outputs(items), speak) == ([("c-2", "{}")], True)


def test_words_are_owed_once_the_last_output_of_all_is_there() -> None:
    calls = called("c-1", "c-2")
    assert calls.response_ended("r-1") == 2
    calls.answered("c-2", "two")
    items, speak = calls.settle()
    assert (outputs(items), speak) == ([("c-2", "two")], False)
    calls.answered("c-1", "one")
    items, speak = calls.settle()
    assert (outputs(items), speak) == ([("c-1", "one")], True)


def test_without_a_new_output_no_response_is_requested() -> None:
    calls = called("c-1")
    calls.response_ended("r-1")
    calls.answered("c-1", "{}")
    calls.settle()
    assert calls.settle() == ([], False)


def test_a_call_has_one_answer() -> None:
    calls = called("c-1")
    calls.response_ended("r-1")
    calls.answered("c-1", "first")
    calls.settle()
    calls.answered("c-1", "second")
    assert calls.settle() == ([], False)


def test_an_output_that_nobody_asked_for_is_dropped() -> None:
    calls = FunctionCalls()
    calls.answered("c-1", "{}")
    assert calls.settle() == ([], False)


def test_a_call_of_a_lost_session_enters_with_its_output_and_by_the_name_it_bears_there() -> None:
    lost = FunctionCallItem(name="book", arguments="{}", call_id="old-1")
    calls = FunctionCalls({"c-1": lost})
    calls.called("c-2", "r-1")
    calls.answered("c-1", "{}")
    items, speak = calls.settle()
    assert items == [lost, FunctionCallOutputItem(call_id="old-1", output="{}")]
    assert not speak, "c-2 is owed"


def test_a_lost_call_without_a_name_of_its_own_keeps_its_id() -> None:
    calls = FunctionCalls({"c-1": FunctionCallItem(name="book", arguments="{}")})
    calls.answered("c-1", "{}")
    items, speak = calls.settle()
    assert (outputs(items), speak) == ([("c-1", "{}")], True)


def test_an_image_follows_the_outputs_and_waits_as_they_do_for_the_end_of_the_response() -> None:
    calls, image = called("c-1"), UserMessage(id="image-1", content=(InputText(text="a plan"),))
    calls.images.show(image)
    calls.answered("c-1", "{}")
    assert calls.settle() == ([], False)
    calls.response_ended("r-1")
    items, speak = calls.settle()
    assert ([item.type for item in items], items[-1], speak) == (["function_call_output", "message"], image, True)


def test_an_image_alone_asks_for_no_response() -> None:
    calls, image = called(), UserMessage(id="image-1", content=(InputText(text="a plan"),))
    calls.images.show(image)
    assert calls.settle() == ([image], False)


def test_a_call_that_is_told_of_again_after_its_response_is_over_is_known() -> None:
    calls = FunctionCalls()
    assert calls.called("call-1", "r-1", "r-1")
    calls.response_ended("r-1")
    assert not calls.called("call-1", "r-2", "r-1")
    assert calls.called("call-1", "r-2", "r-2"), "another one with its id"
    assert calls.called("call-1", "r-3", ""), "of whichever response"


def test_calls_that_nobody_tells_of_any_more_are_forgotten() -> None:
    calls = FunctionCalls()
    for number in range(MOST_MADE + 1):
        assert calls.called(f"call-{number}", "r-1", "r-1")
        calls.response_ended("r-1")
    assert not calls.called(f"call-{MOST_MADE}", "r-1", "r-1")
    assert calls.called("call-0", "r-1", "r-1")
