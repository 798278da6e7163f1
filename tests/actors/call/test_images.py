"""Images that tasks show the model: once, in each session that follows, and in words where they cannot be shown."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from actors.bots import BotProfile
from actors.call.images import MOST_KEPT
from actors.messages.journal_rows import ImageRow
from actors.metrics import IMAGES
from fsm.effects import Local, Ok
from fsm.run import UNSEEN
from fsm.spec import Arrow
from protocols.activities import PauseCallRecording, ShowImage
from protocols.images import MOST_AT_ONCE_BYTES, MOST_IMAGE_BYTES, image_of
from protocols.realtime.profiles import PROFILES
from tests.actors.calls import (
    BEGAN,
    NO_WATCH_S,
    PIZZA_SLOTS,
    PROFILE,
    Call,
    FakeWire,
    Oven,
    WaitingDispatcher,
    left_by,
)
from tests.fsm.tables import eat, table
from tests.pictures import jpeg, png, png_of

PLAN, CARD = png(800, 600), jpeg()
SHOWN = ShowImage(file="plan.png", about="The plan of floor {count}")
ABOUT = "[An image from the system, not from the caller: The plan of floor 2]"
IN_WORDS = "There was an image for you that cannot be shown: The plan of floor 2"


def profile(*actions: ShowImage, images: dict[str, bytes] | None = None, **changes: Any) -> BotProfile:
    """A bot whose task shows these images where it reads back."""
    spec = table(actions={"Confirm": (PauseCallRecording(), *(actions or (SHOWN,)))}, **changes)
    found = {name: image_of(content) for name, content in (images or {"plan.png": PLAN}).items()}
    return replace(PROFILE, agents={"order_pizza": spec}, no_input_s=NO_WATCH_S, images=found)


def ordered(mailboxes: WaitingDispatcher, bot: BotProfile | None = None, **more: Any) -> Call:
    """A call in which the model was shown what the task shows."""
    call = Call(mailboxes, profile=bot or profile(), **more).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    return call


def shown(*wires: FakeWire) -> list[tuple[str, bytes]]:
    """The images in these sessions: what stands beside each, and its content."""
    found = []
    for wire in wires:
        for frame in wire.all("conversation.item.create"):
            parts = {part["type"]: part for part in frame["item"].get("content", ())}
            if "input_image" in parts:
                assert frame["event_id"] == frame["item"]["id"]
                url = parts["input_image"]["image_url"]
                found.append((parts["input_text"]["text"], b64decode(url.partition(";base64,")[2])))
    return found


def told(wire: FakeWire) -> list[str]:
    """What a session was told by the system, in words."""
    items = [frame["item"] for frame in wire.all("conversation.item.create")]
    return [item["content"][0]["text"] for item in items if item.get("role") == "system"]


def rows(call: Call) -> list[ImageRow]:
    return [entry.row for entry in left_by(call).rows if isinstance(entry.row, ImageRow)]


def ids(call: Call) -> list[str]:
    """The ids of the items with an image in the newest session."""
    frames = call.model.all("conversation.item.create")
    return [frame["event_id"] for frame in frames if "event_id" in frame]


def count(result: str) -> float:
    return float(IMAGES.labels(result)._value.get())


def lost(call: Call) -> None:
    """The model's session is lost, and another one is ready."""
    call.model.breaks()
    call.mailboxes.advance(1000)
    call.model_is_ready()


# --- shown ---


def test_a_task_shows_an_image_after_its_answer_and_before_the_model_speaks(mailboxes: WaitingDispatcher) -> None:
    before = count("shown")
    call = ordered(mailboxes)
    assert shown(call.model) == [(ABOUT, PLAN)]
    kinds = [each.get("item", each)["type"] for each in call.model.frames if each["type"] != "session.update"]
    assert kinds[-3:] == ["function_call_output", "message", "response.create"]
    assert count("shown") == before + 1
    assert len(call.activities()) == 1  # VAIC learns nothing of it


def test_the_journal_has_its_name_and_not_its_bytes(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes, profile(images={"plan.png": png_of(MOST_IMAGE_BYTES)}))
    assert max(len(str(entry.row)) for entry in left_by(call).rows) < 4096
    lost(call)
    (row,) = rows(ordered(mailboxes))
    assert (row.name, row.about, row.digest, row.unseen) == (
        "plan.png",
        "The plan of floor 2",
        image_of(PLAN).digest,
        "",
    )


def test_the_detail_is_passed_on_where_it_is_set(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes, profile(SHOWN.model_copy(update={"detail": "low"}), SHOWN))
    parts = [part for item in call.items("message") for part in item["content"] if part["type"] == "input_image"]
    assert [part.get("detail", "unset") for part in parts] == ["low", "unset"]


def test_two_images_of_one_step_come_in_order_before_one_response(mailboxes: WaitingDispatcher) -> None:
    bot = profile(SHOWN, ShowImage(file="card.jpg", about="A card"), images={"plan.png": PLAN, "card.jpg": CARD})
    call = ordered(mailboxes, bot)
    assert [content for _, content in shown(call.model)] == [PLAN, CARD]
    assert len(call.model.all("response.create")) == 1


def test_one_that_is_too_much_for_one_step_is_told_in_words(mailboxes: WaitingDispatcher) -> None:
    names = [f"{number}.png" for number in range(MOST_AT_ONCE_BYTES // MOST_IMAGE_BYTES + 1)]
    large = dict.fromkeys(names, png_of(MOST_IMAGE_BYTES))
    before = count("too_many")
    call = ordered(mailboxes, profile(*(ShowImage(file=name, about=name) for name in names), images=large))
    assert [about[-6:-1] for about, _ in shown(call.model)] == names[:-1]
    assert told(call.model) == [f"There was an image for you that cannot be shown: {names[-1]}"]
    assert count("too_many") == before + 1


def test_a_step_that_is_repeated_after_a_crash_shows_nothing_twice(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes, effects={"pizza.bake": Oven(RuntimeError("burnt"), SystemExit())})
    call.answered("call-2", "order_pizza_confirm", yes=True)
    assert len(shown(call.model)) == 1


def test_keys_that_lead_to_it_show_it_before_the_words_about_it(mailboxes: WaitingDispatcher) -> None:
    shows = {"Human": (ShowImage(file="plan.png", about="The menu"),)}
    spec = table(transitions={("Confirm", "no"): "Human"}, actions=shows)
    call = ordered(mailboxes, replace(profile(), agents={"order_pizza": spec}))
    call.bot_says("2 small, none. Right?", ms=1000)
    mailboxes.advance(2000)
    call.model.frames.clear()
    call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": "2"}])  # no
    mailboxes.until(lambda: shown(call.model) and call.model.all("response.create"))
    kinds = [each["type"] for each in call.model.frames]
    assert kinds.index("conversation.item.create") < kinds.index("response.create")


# --- in other sessions ---


def test_a_session_that_follows_sees_it_again_where_it_stood(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes)
    call.bot_says("Floor two is on the plan.", ms=1000)
    mailboxes.advance(2000)
    first = call.model
    lost(call)
    assert call.model is not first
    assert shown(call.model) == [(ABOUT, PLAN)]
    kinds = [frame["item"].get("role") or frame["item"]["type"] for frame in call.model.all("conversation.item.create")]
    assert kinds == ["assistant", "function_call", "function_call_output", "user", "assistant"]


def test_a_renewed_session_has_it_from_the_moment_it_takes_over(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=profile())
    call.starts()
    expires_at = int((BEGAN + timedelta(seconds=100)).timestamp())
    call.event("session.created", session={"type": "realtime", "expires_at": expires_at})
    call.event("session.updated", session={"type": "realtime"})
    call.bot_says("Hello.", item="hello")
    mailboxes.advance(50_000)
    first, second = call.dialler.wires
    call.dialler.wires.remove(second)
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.dialler.wires.append(second)
    call.model_is_ready()
    assert (shown(first), shown(second)) == ([(ABOUT, PLAN)], [])
    call.dialler.wires.remove(second)
    call.bot_says("Floor two is on the plan.")
    call.dialler.wires.append(second)
    mailboxes.advance(5000)
    assert (first.closed, shown(second)) == (1000, [(ABOUT, PLAN)])


def test_what_is_shown_while_no_session_is_live_is_seen_once_by_the_next(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=profile()).greeted()
    call_1 = {"id": "fc-1", "type": "function_call", "status": "completed", "call_id": "call-1"}
    item = call_1 | {"name": "order_pizza", "arguments": json.dumps(PIZZA_SLOTS)}
    call.event("response.created", response={"id": "r-p", "status": "in_progress"})
    # Both at once: however fast the task is, it shows the image after the loss.
    call.model.receives(
        {
            "type": "response.output_item.done",
            "response_id": "r-p",
            "item": item | {"arguments": json.dumps(PIZZA_SLOTS)},
        }
    )
    call.model.breaks()
    mailboxes.until(lambda: "image" in call.row_kinds())
    mailboxes.advance(1000)
    call.model_is_ready()
    mailboxes.until(lambda: "call-1" in call.outputs())
    assert shown(*call.dialler.wires) == [(ABOUT, PLAN)]


def test_another_process_shows_it_again_and_not_twice(mailboxes: WaitingDispatcher) -> None:
    left = left_by(ordered(mailboxes))
    call = Call(mailboxes, profile=profile(), resume_state=left)
    call.model_is_ready()
    mailboxes.drain()
    assert shown(call.model) == [(ABOUT, PLAN)]
    assert "image" not in call.row_kinds()


@pytest.mark.parametrize("images", [{"other.png": PLAN}, {"plan.png": png(1, 1)}], ids=["gone", "another"])
def test_where_the_file_has_gone_the_model_is_told_in_words(
    mailboxes: WaitingDispatcher, images: dict[str, bytes]
) -> None:
    left, before = left_by(ordered(mailboxes)), count("gone")
    call = Call(mailboxes, profile=profile(images=images), resume_state=left)
    call.model_is_ready()
    assert (shown(call.model), told(call.model)) == ([], [IN_WORDS])
    lost(call)
    assert count("gone") == before + 1


def test_a_session_sees_the_newest_images_within_the_limit(mailboxes: WaitingDispatcher) -> None:
    half = {f"{number}.png": png_of(MOST_IMAGE_BYTES // 2 - number) for number in range(3)}
    call = ordered(mailboxes, profile(*(ShowImage(file=name, about=name) for name in half), images=half))
    assert len(shown(call.model)) == 3
    lost(call)
    assert [about[-6:-1] for about, _ in shown(call.model)] == ["1.png", "2.png"]
    assert told(call.model) == ["There was an image for you that cannot be shown: 0.png"]


# --- refused ---


def refuse(call: Call, **error: object) -> None:
    (item_id,) = ids(call)
    refused = {"type": "invalid_request_error", "code": "invalid_value", "message": "no", "event_id": item_id}
    call.event("error", error=refused | error)


def test_what_the_server_refuses_is_told_counted_and_noted_by_the_task_and_the_call_goes_on(
    mailboxes: WaitingDispatcher,
) -> None:
    seen: list[object] = []

    def was_unseen(known: Any) -> bool:
        seen.append(known.facts.get(UNSEEN))
        return bool(seen[-1])

    ways = {("Confirm", "yes"): (Arrow("Human", when=was_unseen), Arrow("Bake"))}
    call, before = ordered(mailboxes, profile(transitions=ways)), count("refused")
    refuse(call)
    mailboxes.until(lambda: call.row_kinds()[-1] == "task")
    assert told(call.model) == [IN_WORDS]
    assert count("refused") == before + 1
    record = call.describe()
    assert record.errors == ("model: does not take the image plan.png: invalid_value",)
    assert [text for _, _, text in record.tasks[0].notes][-1] == "show_image: plan.png was not seen"
    call.answered("call-2", "order_pizza_confirm", yes=True)
    assert seen == ["plan.png"]
    lost(call)
    assert (shown(call.model), told(call.model)) == ([], [IN_WORDS])


def test_what_another_error_is_about_is_no_image(mailboxes: WaitingDispatcher) -> None:
    call, before = ordered(mailboxes), count("refused")
    refuse(call, event_id="event-7")
    refuse(call, event_id=None, param="session.voice")
    assert (told(call.model), count("refused")) == ([], before)


def test_an_image_that_makes_responses_fail_is_taken_back(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes)
    error = {"type": "invalid_request_error", "code": "image_parse_error", "message": "no"}
    failed = {"id": "r-f", "status": "failed", "status_details": {"type": "failed", "error": error}}
    call.event("response.created", response={"id": "r-f", "status": "in_progress"})
    call.event("response.done", response=failed)
    assert [each["item_id"] for each in call.model.all("conversation.item.delete")] == ids(call)
    assert told(call.model) == [IN_WORDS]


def test_a_response_that_fails_by_itself_is_blamed_on_no_image(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes)
    error = {"type": "server_error", "code": "server_error", "message": "no"}
    failed = {"id": "r-f", "status": "failed", "status_details": {"type": "failed", "error": error}}
    call.event("response.created", response={"id": "r-f", "status": "in_progress"})
    call.event("response.done", response=failed)
    assert call.model.all("conversation.item.delete") == []


def test_an_image_with_which_two_sessions_were_lost_is_not_sent_to_a_third(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes)
    lost(call)
    assert shown(call.model) == [(ABOUT, PLAN)]
    lost(call)
    assert (shown(call.model), told(call.model)) == ([], [IN_WORDS])


def test_one_that_the_server_has_taken_is_sent_to_every_session(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes)
    (item_id,) = ids(call)
    for _ in range(4):
        call.event("conversation.item.added", item={"id": item_id, "type": "message", "role": "user", "content": []})
        lost(call)
        assert shown(call.model) == [(ABOUT, PLAN)]


def test_an_image_that_ends_two_sessions_that_answer_with_it_is_not_sent_to_a_third(
    mailboxes: WaitingDispatcher,
) -> None:
    call = ordered(mailboxes)
    for number in range(2):
        (item_id,) = ids(call)
        call.event("conversation.item.added", item={"id": item_id, "type": "message", "role": "user", "content": []})
        call.event("response.created", response={"id": f"r-p{number}", "status": "in_progress"})
        lost(call)
        assert len(shown(call.model)) == 1 - number
    assert told(call.model) == [IN_WORDS]


# --- of tools ---


def looks_up(*names: str) -> BotProfile:
    """A bot whose task shows what a look-up has kept, by default a card."""
    spec = table(
        states={"Look": table().states["Bake"]},
        transitions={
            ("Details", "filled"): "Look",
            ("Look", "ok"): "Confirm",
            ("Look", "refused"): "Details",
            ("Look", "failed"): "Human",
        },
        effects={"pizza.bake": Local(eat)},
        actions={"Confirm": tuple(ShowImage(kept=name, about=f"The {name}") for name in names or ("card",))},
    )
    return replace(profile(), agents={"order_pizza": spec})


def test_an_image_that_a_tool_has_kept_is_shown_also_to_the_next_session(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes, looks_up(), effects={"pizza.bake": Oven(Ok({"ticket": 7}, {"card": CARD}))})
    about = "[An image from the system, not from the caller: The card]"
    assert shown(call.model) == [(about, CARD)]
    assert "card" not in json.dumps(call.outputs())
    lost(call)
    assert shown(call.model) == [(about, CARD)]


@pytest.mark.parametrize(
    ("images", "why"),
    [
        ({}, "gone"),
        ({"card": b"<html>"}, "not_png_or_jpeg"),
        ({"card": CARD[:-9]}, "broken"),
        ({"card": png_of(MOST_IMAGE_BYTES + 1)}, "too_large"),
    ],
)
def test_one_that_is_none_is_told_in_words_and_its_task_knows(
    mailboxes: WaitingDispatcher, images: dict[str, bytes], why: str
) -> None:
    before = count(why)
    call = ordered(mailboxes, looks_up(), effects={"pizza.bake": Oven(Ok({}, images))})
    assert told(call.model) == ["There was an image for you that cannot be shown: The card"]
    mailboxes.until(
        lambda: [text for _, _, text in call.describe().tasks[0].notes][-1:] == ["show_image: card was not seen"]
    )
    assert count(why) == before + 1


def test_another_process_does_not_have_it(mailboxes: WaitingDispatcher) -> None:
    left = left_by(ordered(mailboxes, looks_up(), effects={"pizza.bake": Oven(Ok({}, {"card": CARD}))}))
    call = Call(mailboxes, profile=looks_up(), resume_state=left)
    call.model_is_ready()
    assert told(call.model) == ["There was an image for you that cannot be shown: The card"]


def test_a_server_that_takes_no_images_by_its_profile_is_sent_none(mailboxes: WaitingDispatcher) -> None:
    before, bot = count("unsupported"), profile()
    call = ordered(mailboxes, replace(bot, model=replace(bot.model, profile=PROFILES["speaches"])))
    assert (shown(call.model), told(call.model)) == ([], [IN_WORDS])
    assert count("unsupported") == before + 1


def test_a_read_back_that_is_read_again_shows_nothing_again_unless_it_is_another(mailboxes: WaitingDispatcher) -> None:
    call = ordered(mailboxes)
    call.answered("call-2", "order_pizza_provide", note="soft")
    assert len(shown(call.model)) == 1
    call.answered("call-3", "order_pizza_provide", count=1)
    assert [about for about, _ in shown(call.model)] == [ABOUT, ABOUT.replace("2", "1")]


def test_two_images_that_were_kept_under_one_name_are_two_in_the_next_session(mailboxes: WaitingDispatcher) -> None:
    oven = Oven(Ok({}, {"card": CARD}), Ok({}, {"card": PLAN}))
    call = ordered(mailboxes, looks_up(), effects={"pizza.bake": oven})
    call.answered("call-2", "order_pizza_provide", note="soft")
    call.answered("call-3", "order_pizza_confirm", yes=False)
    call.answered("call-4", "order_pizza_provide", size="large")
    before = count("gone")
    lost(call)
    assert [content for _, content in shown(call.model)] == [CARD, PLAN]
    assert count("gone") == before


def test_of_what_tools_keep_the_newest_are_there(mailboxes: WaitingDispatcher) -> None:
    many = {f"{number}": png(number + 1) for number in range(MOST_KEPT + 1)}
    call = ordered(mailboxes, looks_up(*many), effects={"pizza.bake": Oven(Ok({}, many))})
    assert [content for _, content in shown(call.model)] == list(many.values())[1:]
    assert told(call.model) == ["There was an image for you that cannot be shown: The 0"]


def test_what_is_kept_again_is_among_the_newest(mailboxes: WaitingDispatcher) -> None:
    many = {f"{number}": png(number + 1) for number in range(MOST_KEPT + 1)}
    last = many.pop(f"{MOST_KEPT}")
    oven = Oven(Ok({}, many), Ok({}, {"0": many["0"]}), Ok({}, {"last": last}))
    call = ordered(mailboxes, looks_up("0"), effects={"pizza.bake": oven})
    call.answered("call-2", "order_pizza_provide", note="soft")
    call.answered("call-3", "order_pizza_provide", note="hard")
    assert len(oven.requests) == 3
    lost(call)
    assert [content for _, content in shown(call.model)] == [many["0"]]


def test_of_two_hundred_at_once_the_newest_are_there_and_none_of_before_in_their_place(
    mailboxes: WaitingDispatcher,
) -> None:
    many = {f"{number}": png(number + 2) for number in range(200)}
    oven = Oven(Ok({}, {"0": CARD}), Ok({}, many))
    call = ordered(mailboxes, looks_up("0", "199"), effects={"pizza.bake": oven})
    call.model.frames.clear()
    call.answered("call-2", "order_pizza_provide", note="soft")
    assert [content for _, content in shown(call.model)] == [many["199"]]
    assert told(call.model) == ["There was an image for you that cannot be shown: The 0"]
