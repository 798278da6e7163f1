"""Calls to a daemon whose bot is a folder: what a task in a file does at a real HTTP server.

The model is scripted (tests.adversary.model). Everything but the HTTP servers runs SPEED times as fast as the clock.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from gateway.daemon import Daemon, run
from lab.caller import CallSettings
from store.database import open_database
from store.journal import CallRecord, Journal
from tests.adversary.model import Function, Model, call
from tests.adversary.telephone import Telephone
from tests.calls.process import process
from tests.calls.settings import daemon_settings
from tests.gateway.bots.folders import written
from tests.gateway.daemons import until
from tests.http_tools.server import Answer, HttpServer, answers, http_server, sends
from tests.paced_loop import loop_time_s, run_paced

SPEED = 4.0
LIMIT_S = 300.0  # only ends what hangs
CALLER = "+4930555010"
# More than the places at one host.
MANY = 9

CALLBACK = """\
[task]
name = "callback"
description = "The caller wants to be called back."

[slot.topic]
type = "choice"
choices = ["billing", "repair"]
ask = "Is it about billing or a repair?"

[slot.at]
type = "time"
ask = "At what time?"
check = "within_hours"

[slot.ticket]
type = "text"
stored = true

[flow]
collect = ["topic", "at"]
confirm = "A callback about {topic} at {at}. Is that right?"
done = { say = "It is noted as {ticket}." }

[effect]
tool = "crm.callback"
"""
PRICE = """\
[task]
name = "price"
description = "The caller asks for a price."

[slot.what]
type = "text"
ask = "Of what?"

[slot.price]
type = "number"
stored = true

[flow]
collect = ["what"]
done = { say = "It is {price} euros." }

[effect]
tool = "price.find"
"""
TOML = """\
[bot]
greeting = "Hello."
instructions = "Be kind."

[hours]
mon = ["09:00-17:00"]
tue = ["09:00-17:00"]
wed = ["09:00-17:00"]
thu = ["09:00-17:00"]
fri = ["09:00-17:00"]
sat = ["09:00-17:00"]
sun = ["09:00-17:00"]

[[task]]
file = "tasks/callback.toml"
[[task]]
file = "tasks/price.toml"
[[task]]
use = "book_appointment"

[tool.crm.callback]
url = "CRM/callbacks"
auth = { bearer = "secret:CRM" }
body = { number = "{caller}", topic = "{topic}", at = "{at:iso}" }
ok = { keep = { ticket = "data.id" } }
lookup = { get = "CRM/callbacks/by-key/{key}" }

[tool.price.find]
method = "GET"
url = "SHOP/prices"
query = { what = "{what}" }
ok = { keep = { price = "price" } }
reads_only = true
"""


class Scene:
    """A daemon with one bot, and its calls."""

    def __init__(self, url: str, folder: Path, models: deque[Model]) -> None:
        self._url = url
        self._models = models
        self._dialling = asyncio.Lock()  # which model a socket is for is told by its turn only
        self._database = folder / "tieline.sqlite3"

    @asynccontextmanager
    async def call(self, name: str) -> AsyncIterator[Model]:
        """A call that was greeted; its caller hangs up at the end. name: its conversation's."""
        model = Model(SPEED, lambda *_: None, lambda: datetime.now(UTC).timestamp())
        settings = CallSettings(
            url=self._url, conversation_id=name, caller=CALLER, formats=("raw/mulaw",), speed=SPEED, limit_s=600
        )
        phone = Telephone(settings, lambda: datetime.now(UTC))
        async with self._dialling:
            self._models.append(model)
            living = asyncio.create_task(phone.live())
            await model.configured.wait()
        try:
            await model.until(lambda: model.said)
            await model.quiet()
            yield model
            phone.hang_up()
            await living
        finally:
            living.cancel()

    def due_now(self) -> None:
        """Let the time of all letters come, as if the claims of a process that died had run out."""
        with sqlite3.connect(self._database) as connection:
            connection.execute("update outbox set due_at = '2026-01-01 00:00:00.000000'")

    async def record(self, name: str) -> CallRecord:
        """The record of a call that has ended."""
        engine = open_database(f"sqlite:///{self._database}")
        try:
            return await until(lambda: asyncio.to_thread(Journal(engine).record, name))
        finally:
            engine.dispose()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self._database) as connection:
            return list(connection.execute(query))


@asynccontextmanager
async def models_served() -> AsyncIterator[tuple[str, deque[Model]]]:
    """The URL of the models, and those that take the next sockets."""
    models: deque[Model] = deque()

    async def serve_model(socket: ServerConnection) -> None:
        await models.popleft().serve(socket)

    async with asyncio.timeout(LIMIT_S), serve(serve_model, "127.0.0.1", 0, compression=None) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", models


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    database = f"sqlite:///{folder}/tieline.sqlite3"
    async with (
        models_served() as (model_url, models),
        Daemon(daemon_settings(model_url, database), SPEED, clock_s=loop_time_s) as daemon,
    ):
        yield Scene(daemon.vaic_url, folder, models)


HOOKS = """
[before_call]
tool = "crm.who"
within_s = 2
defaults = { name = "somebody" }

[after_call]
tool = "crm.ended"
words = true

[tool.crm.who]
method = "GET"
url = "SHOP/callers"
query = { number = "{caller}" }
ok = { keep = { name = "name" } }
reads_only = true

[tool.crm.ended]
url = "CRM/calls"
idempotent = true
retry = { times = 0 }
"""


@contextmanager
def bot(
    folder: Path, environment: pytest.MonkeyPatch, *script: Answer, shop: tuple[Answer, ...] = (), more: str = ""
) -> Iterator[tuple[HttpServer, HttpServer]]:
    """A bot's folder, and the two servers its tools reach. script, shop: their answers. more: of the first tool."""
    with http_server(*script) as crm, http_server(*shop) as prices:
        toml = (
            TOML.replace("[tool.price", f"{more}\n[tool.price")
            .replace("CRM/", f"{crm.url}/")
            .replace("SHOP/", f"{prices.url}/")
        )
        written(folder / "bots", "desk", toml, tasks__callback_dot_toml=CALLBACK, tasks__price_dot_toml=PRICE)
        environment.setenv("TIELINE_BOTS", str(folder / "bots"))
        environment.setenv("TIELINE_TOOL_PRIVATE_HOSTS", "localhost")
        environment.setenv("TIELINE_SECRET_CRM", "of-the-crm")
        yield crm, prices


OPEN = call("callback", {"topic": "repair", "at": "10:30"})
YES = call("callback_confirm", {"yes": True})


async def called_back(model: Model) -> None:
    await model.turn("Please call me back about a repair at half past ten.", OPEN)
    await model.turn("Yes please.", YES)


def test_a_call_reaches_the_webhook_once_with_what_was_agreed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bot(tmp_path, monkeypatch, answers(201, {"data": {"id": "T-7"}})) as (crm, _):

        async def act() -> None:
            async with scene(tmp_path) as daemon:
                async with daemon.call("c-1") as model:
                    await called_back(model)
                    assert model.said[-2:] == [
                        "A callback about repair at 10:30. Is that right?",
                        "It is noted as T-7.",
                    ]
                record = await daemon.record("c-1")
                assert [(task.agent, task.result) for task in record.tasks] == [("callback", "done")]
                [(key, name, status)] = daemon.rows("select key, name, status from effect")
                assert (name, status) == ("crm.callback", "ok")
                [sent] = crm.received
                assert (sent.method, sent.target) == ("POST", "/callbacks")
                assert sent.json == {"number": CALLER, "topic": "repair", "at": "10:30"}
                assert sent.headers["idempotency-key"] == key
                assert sent.headers["authorization"] == "Bearer of-the-crm"

        run_paced(act())


@pytest.mark.parametrize(
    ("found", "said", "status"),
    [
        (answers(200, {"data": {"id": "T-7"}}), "It is noted as T-7.", "ok"),
        (answers(404, {}), "I got no answer from our system, so I do not know whether that was done.", "unclear"),
    ],
)
def test_a_webhook_that_resets_the_connection_is_asked_whether_it_was_done(
    found: Answer, said: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = sends(b'HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{"data"', reset=True)
    with bot(tmp_path, monkeypatch, torn, found) as (crm, _):

        async def act() -> None:
            async with scene(tmp_path) as daemon:
                async with daemon.call("c-1") as model:
                    await called_back(model)
                    assert said in model.said[-1]
                [(key, logged)] = daemon.rows("select key, status from effect")
                assert logged == status
                post, *asked = crm.received
                assert post.method == "POST"
                assert asked
                assert {(each.method, each.target) for each in asked} == {
                    ("GET", f"/callbacks/by-key/{key.replace(':', '%3A')}")
                }

        run_paced(act())


def test_who_waits_for_a_tool_hears_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "One moment, I am writing that down."
    said = threading.Event()

    def held(wire: socket.socket) -> None:
        said.wait(LIMIT_S)
        answers(201, {"data": {"id": "T-7"}})(wire)

    with bot(tmp_path, monkeypatch, held, more=f'say = "{words}"\nsay_after_s = 1\ntotal_s = 30\n'):

        async def act() -> None:
            async with scene(tmp_path) as daemon, daemon.call("c-1") as model:
                await model.turn("Please call me back about a repair at half past ten.", OPEN)
                await model.turn("Yes please.", YES, settle=False)
                await until(lambda: asyncio.to_thread(lambda: words in model.said))
                said.set()
                await model.until(lambda: model.said[-1] == "It is noted as T-7.")
                assert model.said[-2:] == [words, "It is noted as T-7."]

        run_paced(act())


def test_a_booking_does_not_wait_for_look_ups_that_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, answered = threading.Event(), list[socket.socket]()

    def held(wire: socket.socket) -> None:
        go_on.wait(LIMIT_S)
        answered.append(wire)
        answers(200, {"price": 12})(wire)

    with bot(tmp_path, monkeypatch, shop=(held,)) as (_, shop):

        async def act() -> None:
            async with scene(tmp_path) as daemon:
                day = datetime.now(UTC) + timedelta(days=2)
                waiting = call("price", {"what": "a crown"})
                async with asyncio.TaskGroup() as callers:
                    over = asyncio.Event()
                    for number in range(MANY):
                        callers.create_task(_asks(daemon, f"look-up-{number}", waiting, over))
                    async with daemon.call("booking") as model:
                        await until(lambda: asyncio.to_thread(lambda: len(shop.received) >= MANY - 1))
                        opens = call(
                            "book_appointment", {"day": f"{day:%Y-%m-%d}", "at": "10:00", "name": "John Smith"}
                        )
                        await model.turn("An appointment, John Smith.", opens)
                        await model.turn("Yes please.", call("book_appointment_confirm", {"yes": True}))
                        assert "is booked" in model.said[-1]
                        assert not answered
                        [status] = daemon.rows("select status from effect")
                        assert status == ("ok",)
                    go_on.set()
                    over.set()

        run_paced(act())


async def _asks(daemon: Scene, name: str, function: Function, over: asyncio.Event) -> None:
    async with daemon.call(name) as model:
        await model.turn("What does a crown cost?", function, settle=False)
        await over.wait()


def hooked(folder: Path) -> None:
    """Give the bot a look-up before its calls, and somebody to tell of them."""
    file = folder / "bots" / "desk" / "bot.toml"
    toml = file.read_text()
    crm, shop = (re.search(f'url = "(.*)/{path}"', toml) for path in ("callbacks", "prices"))
    assert crm is not None
    assert shop is not None
    toml = re.sub('greeting = ".*"', 'greeting = "Hello, {before.name}."', toml)
    body = 'body = { number = "{caller}"'
    assert body in toml
    hooks = HOOKS.replace("CRM/", f"{crm[1]}/").replace("SHOP/", f"{shop[1]}/")
    file.write_text(toml.replace(body, f'{body}, name = "{{before.name}}"') + hooks)


def test_a_call_is_looked_up_before_and_told_of_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = answers(201, {"data": {"id": "T-7"}}), answers(503), answers(200)
    with bot(tmp_path, monkeypatch, *script, shop=(answers(200, {"name": "Ada"}),)) as (crm, shop):
        hooked(tmp_path)

        async def act() -> None:
            async with scene(tmp_path) as daemon:
                async with daemon.call("c-1") as model:
                    assert "Ada" in model.said[0]
                    await called_back(model)
                [asked] = shop.received
                assert (asked.method, asked.target) == ("GET", f"/callers?number={CALLER.replace('+', '%2B')}")
                assert crm.received[0].json["name"] == "Ada"
                await until(lambda: asyncio.to_thread(daemon.rows, "select 1 from outbox where reason > ''"))
                daemon.due_now()
                await until(lambda: asyncio.to_thread(daemon.rows, "select 1 from outbox where status = 'sent'"))

        run_paced(act())
        _, refused, sent = crm.received
        assert sent.target == "/calls"
        assert sent.headers["idempotency-key"] == refused.headers["idempotency-key"] == "c-1:after"
        assert refused.body == sent.body
        told = sent.json
        assert (told["conversation"], told["caller"], told["bot"]) == ("c-1", CALLER, "desk")
        assert told["outcome"] == "client-disconnected"
        assert [(each["task"], each["outcome"]) for each in told["tasks"]] == [("callback", "done")]
        assert [(each["effect"], each["status"]) for each in told["effects"]] == [("crm.callback", "ok")]
        assert told["effects"][0]["key"] == crm.received[0].headers["idempotency-key"]
        assert "Yes please." in [turn["text"] for turn in told["transcript"]]


def test_what_a_killed_process_was_telling_another_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = threading.Event()

    def held(wire: socket.socket) -> None:
        killed.wait(LIMIT_S)

    with bot(tmp_path, monkeypatch, held, answers(200), shop=(answers(404),)) as (crm, _):
        hooked(tmp_path)

        async def act() -> None:
            async with (
                models_served() as (model_url, models),
                process(model_url, f"sqlite:///{tmp_path}/tieline.sqlite3", SPEED) as daemon,
            ):
                async with Scene(daemon.url, tmp_path, models).call("c-1") as model:
                    assert "somebody" in model.said[0]  # nothing was found
                await until(lambda: asyncio.to_thread(lambda: crm.received))
                daemon.kill()
                killed.set()
            async with scene(tmp_path) as another:
                another.due_now()
                await until(lambda: asyncio.to_thread(another.rows, "select 1 from outbox where status = 'sent'"))

        run(act())
        first, again = crm.received
        assert first.headers["idempotency-key"] == again.headers["idempotency-key"] == "c-1:after"
        assert first.body == again.body
