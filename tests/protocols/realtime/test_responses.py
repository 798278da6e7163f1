"""Responses that run: what is passed on, what comes too late, and what is cut or taken back."""

from __future__ import annotations

import pytest

from protocols.ledger import ItemHeard
from protocols.limits import MOST_ITEMS, NAME_CHARS
from protocols.media import LPCM16_24, NO_AUDIO
from protocols.realtime.client_events import ConversationItemDelete, ConversationItemTruncate
from protocols.realtime.objects import Response
from protocols.realtime.responses import (
    MOST_RENAMED,
    MOST_RUNNING,
    Piece,
    RunningResponses,
    WrittenResponses,
)

MS_100 = "A" * 6400


def response(name: str = "r-1") -> Response:
    return Response(id=name)


def running(*names: str) -> RunningResponses:
    found = RunningResponses(LPCM16_24)
    for name in names or ("r-1",):
        found.begun(response(name), discarded=False)
    return found


def heard(heard_ms: int, complete: bool = False, item_id: str = "i-1") -> ItemHeard:
    return ItemHeard(item_id, heard_ms, 0, 0, complete)


def test_only_what_runs_and_is_not_discarded_is_passed_on() -> None:
    found = running("r-1", "r-2")
    assert found.takes("r-1", "i-1", MS_100)
    assert not found.takes("r-9", "i-9", MS_100)
    found.discard_all()
    assert not found.audio_ended("r-1", "i-1")
    assert not found.audio_ended("r-2", "i-2")
    assert not found.takes("r-1", "i-1", MS_100)
    found.begun(response("r-3"), discarded=False)
    assert found.takes("r-3", "i-3", MS_100)
    found.begun(response("r-4"), discarded=True)
    assert not found.takes("r-4", "i-4", MS_100)


def test_what_is_told_without_an_id_is_about_the_response_that_runs() -> None:
    found = running("r-1")
    assert found.takes("", "i-1", MS_100)
    assert (found.named(""), found.running_one("r-9")) == ("r-1", "r-1")
    found.ended("r-1")
    assert found.over("")
    found.begun(response(""), discarded=False)
    assert found.takes("r-2", "i-2", MS_100)
    assert not found.takes("r-1", "i-3", MS_100), "it has ended"
    assert found.known("")
    assert found.named("r-2") == ""
    found.discard_all()
    found.begun(response(""), discarded=False)
    assert found.takes("r-3", "i-3", MS_100)
    found.ended("")
    assert not found.takes("r-3", "i-3", MS_100)


def test_words_of_heard_items_that_nobody_has_told_yet_are_found_in_the_response() -> None:
    found = running("r-1")
    for item_id in ("i-1", "i-2"):
        found.takes("r-1", item_id, MS_100)
    found.worded("r-1", "i-1")
    output = [{"id": item_id, "type": "message"} for item_id in ("i-1", "i-2", "i-3", "")]
    ended = Response.model_validate({"id": "r-1", "output": output})
    assert [each.id for each in found.unworded(ended)] == ["i-2"]
    assert found.unworded(response("r-9")) == []


def test_only_the_response_that_speaks_an_item_is_discarded_for_it() -> None:
    found = running("r-1", "r-2")
    found.takes("r-1", "i-1", MS_100)
    assert not found.discard("i-9")
    assert found.takes("r-1", "i-1", MS_100)
    assert found.discard("i-1")
    assert not found.takes("r-1", "i-1", MS_100)
    assert found.takes("r-2", "i-2", MS_100)


def test_an_item_without_an_end_is_reported_unless_it_was_discarded() -> None:
    found = running("r-1", "r-2")
    found.takes("r-1", "i-1", MS_100)
    found.takes("r-1", "i-2", MS_100)
    found.takes("r-2", "i-3", MS_100)
    assert found.audio_ended("r-1", "i-1")
    assert found.unended("r-1") == ["i-2"]
    assert found.unended("r-9") == []
    found.discard_all()
    assert found.unended("r-2") == []


def test_only_what_was_passed_on_ends_and_once_unless_more_of_it_comes() -> None:
    found = running()
    assert not found.audio_ended("r-9", "i-1")
    assert not found.audio_ended("r-1", "i-1"), "before it has begun"
    found.takes("r-1", "i-1", MS_100)
    assert found.unended("r-1") == ["i-1"]
    assert [found.audio_ended("r-1", "i-1") for _ in range(2)] == [True, False]
    found.takes("r-1", "i-1", MS_100)
    assert found.unended("r-1") == ["i-1"]
    assert found.audio_ended("r-1", "i-1")
    assert found.unended("r-1") == []


def test_audio_counts_as_heard_only_while_its_response_runs() -> None:
    found = running()
    assert not found.something_heard()
    found.takes("r-1", "i-1", MS_100)
    assert found.something_heard()
    found.ended("r-1")
    assert not found.something_heard()


def test_an_ended_response_tells_what_was_spoken_and_is_not_discarded_any_more() -> None:
    found = running()
    found.takes("r-1", "i-1", MS_100)
    found.takes("r-1", "i-1", MS_100)
    found.takes("r-1", "i-2", MS_100)
    found.discard_all()
    over, cuts = found.ended("r-1")
    assert (over.spoken, cuts) == ({"i-1": 200.0, "i-2": 100.0}, [])
    assert not found.audio_ended("r-1", "i-1"), "told with it"
    over, cuts = found.ended("r-1")
    assert (over.spoken, cuts) == ({}, [])


def test_an_item_in_writing_is_spoken_once_it_is_whole() -> None:
    responses = RunningResponses(LPCM16_24)
    assert not responses.takes_text("r-1", "i-0")
    responses.begun(Response(id="r-1"), discarded=False)
    assert responses.takes_text("r-1", "i-1")
    assert not responses.takes_text("r-1", "i" * (NAME_CHARS + 1))
    assert responses.unended("r-1") == []
    unheard = ItemHeard("i-1", heard_ms=0, generated_ms=0, began_ms=None, complete=False)
    assert responses.heard((unheard,)) == [ConversationItemDelete(item_id="i-1")]
    assert list(responses.ended("r-1")[0].spoken) == ["i-1"]


def test_of_an_interrupted_response_nothing_in_writing_is_passed_on_nor_more_items_than_allowed() -> None:
    responses = RunningResponses(LPCM16_24)
    responses.begun(Response(id="r-1"), discarded=True)
    assert not responses.takes_text("r-1", "i-1")
    responses.begun(Response(id="r-2"), discarded=False)
    taken = [responses.takes_text("r-2", f"i-{number}") for number in range(MOST_ITEMS + 1)]
    assert taken == [True] * MOST_ITEMS + [False]


def test_of_a_server_that_speaks_in_a_conversation_in_writing_nothing_is_passed_on() -> None:
    found = WrittenResponses(NO_AUDIO)
    found.begun(response(), discarded=False)
    assert found.takes("r-1", "i-1", MS_100) is Piece.DROPPED
    assert not found.audio_ended("r-1", "i-1")
    assert found.takes_text("r-1", "i-1")


def test_an_output_is_on_the_way_until_it_is_added_or_another_response_begins() -> None:
    found = running()
    found.output_sent("c-1")
    found.output_sent("c-2")
    on_the_way = [found.outputs_on_the_way]
    for added in ("c-1", "c-2"):
        found.output_added(added)
        on_the_way.append(found.outputs_on_the_way)
    found.output_sent("c-3")
    found.begun(response("r-2"), discarded=False)
    assert [*on_the_way, found.outputs_on_the_way] == [True, True, False, False]


@pytest.mark.parametrize(("heard_ms", "end_ms"), [(1, 1), (150, 150), (200, 200), (201, 200), (900, 200)])
def test_an_item_is_cut_where_it_was_heard_to_and_not_behind_its_own_end(heard_ms: int, end_ms: int) -> None:
    found = running()
    found.takes("r-1", "i-1", MS_100)
    found.takes("r-1", "i-1", MS_100)
    assert found.heard([heard(heard_ms)]) == [
        ConversationItemTruncate(item_id="i-1", content_index=0, audio_end_ms=end_ms)
    ]


def test_an_item_of_less_than_a_millisecond_is_still_cut_behind_its_beginning() -> None:
    found = running()
    found.takes("r-1", "i-1", "AAAA")
    (cut,) = found.heard([heard(5)])
    assert isinstance(cut, ConversationItemTruncate)
    assert cut.audio_end_ms == 1


@pytest.mark.parametrize("next_ones", [(), ("r-2",)])
def test_an_item_whose_response_is_over_is_cut_where_it_was_heard_to(next_ones: tuple[str, ...]) -> None:
    found = running("r-1", *next_ones)
    found.takes("r-1", "i-1", MS_100)
    found.ended("r-1")
    (cut,) = found.heard([heard(70)])
    assert isinstance(cut, ConversationItemTruncate)
    assert cut.audio_end_ms == 70


def test_what_was_heard_to_its_end_or_is_not_of_this_session_is_left_alone() -> None:
    found = running()
    found.takes("r-1", "i-1", MS_100)
    assert found.heard([heard(100, complete=True), heard(50, item_id="i-old"), heard(0, item_id="i-old")]) == []


def test_what_was_not_heard_at_all_is_taken_back_once_it_is_complete() -> None:
    found = running("r-1", "r-2")
    found.takes("r-1", "i-1", MS_100)
    found.takes("r-2", "i-2", MS_100)
    assert found.heard([heard(0)]) == []
    assert found.ended("r-2")[1] == []
    assert found.ended("r-1")[1] == [ConversationItemDelete(item_id="i-1")]
    assert found.heard([heard(0)]) == [ConversationItemDelete(item_id="i-1")], "complete already"


def test_a_response_that_never_ends_counts_as_ended_once_there_are_too_many() -> None:
    names = [f"r-{number}" for number in range(MOST_RUNNING + 1)]
    found = running(*names)
    assert [name for name in names if not found.takes(name, f"i-{name}", MS_100)] == names[:1]
    assert found.over(names[0])


def test_a_response_is_heard_with_so_many_items_and_its_next_ones_are_dropped() -> None:
    found = running("r-1", "r-2")
    assert {found.takes("r-1", f"i-{number}", MS_100) for number in range(MOST_ITEMS)} == {Piece.FIRST}
    assert found.takes("r-1", "i-more", MS_100) is Piece.DROPPED
    assert found.takes("r-1", "i-0", MS_100) is Piece.NEXT
    assert found.takes("r-2", "i-more", MS_100) is Piece.FIRST
    over, _ = found.ended("r-1")
    assert list(over.spoken) == [f"i-{number}" for number in range(MOST_ITEMS)]


def test_an_item_with_the_id_of_another_has_a_name_of_its_own_and_is_cut_by_its_id() -> None:
    found = RunningResponses(LPCM16_24, {"i-0"})
    named = []
    for number, item_id in enumerate(("i-0", "i-1", "i-1", "i-1")):
        found.begun(response(f"r-{number}"), discarded=False)
        assert [found.takes(f"r-{number}", item_id, MS_100) for _ in range(2)] == [Piece.FIRST, Piece.NEXT]
        named.append(name := found.name(f"r-{number}", item_id))
        assert found.unended(f"r-{number}") == [name]
        assert found.audio_ended(f"r-{number}", item_id)
        found.worded(f"r-{number}", item_id)
        told = Response.model_validate({"id": f"r-{number}", "output": [{"id": item_id, "type": "message"}]})
        assert found.unworded(told) == []
        over, _ = found.ended(f"r-{number}")
        assert over.spoken == {name: 200.0}
        assert found.name(f"r-{number}", item_id) == name, "its words may come late"
    assert (len(set(named)), named[1]) == (4, "i-1")
    assert "i-0" not in named
    assert found.heard([heard(50, item_id=named[3])]) == [
        ConversationItemTruncate(item_id="i-1", content_index=0, audio_end_ms=50)
    ]
    assert found.heard([heard(0, item_id=named[0])]) == [ConversationItemDelete(item_id="i-0")]
    assert found.heard([heard(50, item_id="i-0")]) == [], "of a session before"


def test_items_without_ids_of_responses_without_ids_are_kept_apart() -> None:
    found, named = RunningResponses(LPCM16_24), []
    for _ in range(3):
        found.begun(response(""), discarded=False)
        assert found.takes("", "", MS_100) is Piece.FIRST
        named.append(found.name("", ""))
        found.ended("")
    assert len(set(named)) == 3


def test_names_that_are_not_told_any_more_are_forgotten() -> None:
    found = RunningResponses(LPCM16_24)
    for number in range(MOST_RENAMED + 9):
        found.begun(response(f"r-{number}"), discarded=False)
        found.takes(f"r-{number}", "i-1", MS_100)
        found.ended(f"r-{number}")
    assert len(found.names) == MOST_RENAMED


def test_what_is_taken_back_once_its_response_is_over_goes_by_its_id() -> None:
    found = running()
    found.takes("r-1", "i-1", MS_100)
    found.ended("r-1")
    found.begun(response("r-2"), discarded=False)
    found.takes("r-2", "i-1", MS_100)
    name = found.name("r-2", "i-1")
    assert found.heard([heard(0, item_id=name)]) == []
    assert found.ended("r-2")[1] == [ConversationItemDelete(item_id="i-1")]
    found.begun(response("r-3"), discarded=False)
    found.takes("r-3", "i-1", MS_100)
    assert not found.discard("i-1")
    assert found.discard(found.name("r-3", "i-1"))


def test_an_item_in_writing_with_the_id_of_another_has_a_name_of_its_own() -> None:
    found = running()
    assert found.takes_text("r-1", "i-1")
    found.begun(response("r-2"), discarded=False)
    assert found.takes_text("r-2", "i-1")
    assert found.name("r-2", "i-1") != found.name("r-1", "i-1") == "i-1"
