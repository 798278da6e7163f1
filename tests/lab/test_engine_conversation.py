"""The engine's conversation: items a client makes, and what the model knows after one is cut or deleted."""

from __future__ import annotations

from base64 import b64encode

from lab.engine import Faults
from protocols.images import MOST_IMAGE_BYTES, image_of
from protocols.realtime.usage import tokens_by_kind
from tests.lab.engine_client import Client, Event, on_a_call, speech, user, words_of
from tests.pictures import png

STORY = "The red house stands by the river. The green house stands on the hill."


async def _order(client: Client) -> list[str | None]:
    return [event["previous_item_id"] for event in client.of("conversation.item.added")]


@on_a_call()
async def test_items_go_where_they_are_put_and_keep_the_ids_they_are_given(client: Client) -> None:
    for item_id, after in (("one", None), ("three", None), ("two", "one"), ("zero", "root")):
        place = {} if after is None else {"previous_item_id": after}
        await client.send("conversation.item.create", item={**user(item_id), "id": item_id}, **place)
        added = await client.next("conversation.item.added")
        assert added["item"]["id"] == item_id
        await client.next("conversation.item.done")
    assert await _order(client) == [None, "one", "one", None]


@on_a_call()
async def test_an_item_id_is_used_once(client: Client) -> None:
    await client.send("conversation.item.create", item={**user("Hello"), "id": "same"})
    await client.send("conversation.item.create", item={**user("Again"), "id": "same"}, event_id="mine")
    error = await client.error()
    assert (error["code"], error["event_id"]) == ("item_create_duplicate_item_id", "mine")


@on_a_call()
async def test_an_item_without_an_id_is_given_one_of_at_most_32_characters(client: Client) -> None:
    await client.send("conversation.item.create", item=user("Hello"))
    item_id = (await client.next("conversation.item.done"))["item"]["id"]
    assert item_id.startswith("item_")
    assert len(item_id) <= 32


@on_a_call()
async def test_a_call_and_its_output_can_be_put_back_after_a_reconnect(client: Client) -> None:
    call = {"type": "function_call", "name": "look_up", "arguments": "{}", "call_id": "call_1"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": '{"say": "It is on the hill."}'}
    await client.update(output_modalities=["text"])
    for item in (user("Where is it?"), call, output):
        await client.send("conversation.item.create", item=item)
    await client.send("response.create")
    assert words_of(await client.done()) == "It is on the hill."


@on_a_call()
async def test_after_a_truncate_the_model_knows_only_what_was_heard(client: Client) -> None:
    await client.say_exactly(STORY)
    item_id = (await client.done())["output"][0]["id"]
    generated_ms = len(client.audio()) // 48
    await client.send(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=generated_ms * 11 // 20
    )
    truncated = await client.next("conversation.item.truncated")
    assert (truncated["item_id"], truncated["audio_end_ms"]) == (item_id, generated_ms * 11 // 20)

    repeated = words_of(await client.ask("Sorry, could you repeat that?"))
    assert "red house stands by the river" in repeated
    assert "hill" not in repeated

    await client.send("conversation.item.retrieve", item_id=item_id)
    kept = (await client.next("conversation.item.retrieved"))["item"]["content"]
    assert kept == [{"type": "output_audio"}]


@on_a_call()
async def test_a_truncate_beyond_the_speech_or_of_what_is_no_speech_is_refused(client: Client) -> None:
    await client.say_exactly(STORY)
    spoken = (await client.done())["output"][0]["id"]
    await client.send("conversation.item.truncate", item_id=spoken, content_index=0, audio_end_ms=10**6)
    error = await client.error()
    assert (error["code"], error["param"]) == ("invalid_value", "audio_end_ms")
    assert "already shorter than 1000000ms" in error["message"]

    await client.send("conversation.item.truncate", item_id=spoken, content_index=1, audio_end_ms=10)
    assert (await client.error())["param"] == "content_index"

    told = {"type": "message", "role": "assistant", "id": "told", "content": [{"type": "output_text", "text": "Hi."}]}
    await client.send("conversation.item.create", item=told)
    await client.send("conversation.item.truncate", item_id="told", content_index=0, audio_end_ms=10)
    assert (await client.error())["code"] == "unsupported_content_type"


@on_a_call(speed=1)
async def test_a_message_can_be_truncated_while_it_is_still_being_spoken(client: Client) -> None:
    await client.say_exactly(STORY)
    item_id = (await client.next("response.output_audio.delta"))["item_id"]
    await client.send("response.cancel")
    await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=40)
    await client.next("conversation.item.truncated")
    assert "house" not in words_of(await client.ask("Sorry, could you repeat that?"))


@on_a_call()
async def test_a_deleted_item_is_forgotten(client: Client) -> None:
    await client.say_exactly(STORY)
    item_id = (await client.done())["output"][0]["id"]
    await client.send("conversation.item.delete", item_id=item_id)
    assert (await client.next("conversation.item.deleted"))["item_id"] == item_id
    assert "house" not in words_of(await client.ask("Sorry, could you repeat that?"))
    await client.send("conversation.item.delete", item_id=item_id)
    assert (await client.error())["code"] == "item_delete_invalid_item_id"


@on_a_call()
async def test_recorded_speech_in_an_item_is_heard(client: Client) -> None:
    await client.update(instructions="Opening hours: we are open from nine to five.", output_modalities=["text"])
    audio = b64encode(speech("slt_hours")).decode()
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]}
    await client.send("conversation.item.create", item=item)
    added = await client.next("conversation.item.added")
    assert "audio" not in added["item"]["content"][0]
    await client.send("response.create")
    assert "nine to five" in words_of(await client.done())


def picture(url: str, text: str = "The plan") -> Event:
    image = {"type": "input_image", "image_url": url, "detail": "low"}
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}, image]}


@on_a_call()
async def test_an_image_is_kept_sent_back_and_counted_in_the_usage(client: Client) -> None:
    await client.update(output_modalities=["text"])
    url = f"data:image/png;base64,{b64encode(png(800, 600, padding=MOST_IMAGE_BYTES)).decode()}"
    await client.send("conversation.item.create", item={**picture(url), "id": "plan"}, event_id="plan")
    added = await client.next("conversation.item.added")
    assert added["item"]["content"][1]["image_url"] == url
    await client.ask("What are your opening hours?")
    usage = client.of("response.done")[0]["response"]["usage"]
    details = usage["input_token_details"]
    assert details["image_tokens"] == 85 + 4 * 170
    assert usage["input_tokens"] == sum(details[f"{kind}_tokens"] for kind in ("text", "audio", "image"))
    assert tokens_by_kind(usage)["input_image"] == details["image_tokens"]


@on_a_call()
async def test_what_is_no_image_is_refused_with_its_place(client: Client) -> None:
    for url in ("https://clinic.example/plan.png", "data:image/png;base64,AAAA", "data:text/plain;base64,AAAA"):
        await client.send("conversation.item.create", item=picture(url), event_id="mine")
        error = await client.error()
        assert (error["code"], error["param"], error["event_id"]) == (
            "invalid_value", "item.content[1].image_url", "mine",
        )  # fmt: skip


@on_a_call(faults=Faults(refuse_images=True))
async def test_images_are_refused_on_demand(client: Client) -> None:
    await client.send("conversation.item.create", item=picture(image_of(png()).data_url()), event_id="mine")
    assert (await client.error())["event_id"] == "mine"
    await client.send("conversation.item.create", item=user("Hello"))
    await client.next("conversation.item.done")
