"""Declared tools against a real HTTP server: what is sent, how often, and what the caller is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from actors.tasks.effect_attempts import checked
from fsm.effects import EffectRequest, EffectResult, Failed, NotSent, Ok, Refused, TaskContext, Unclear
from fsm.secret import DOTS, Secret, without_secrets
from http_tools.declaration import ToolTable
from http_tools.exchange import MOST_BODY_BYTES, Broken
from http_tools.guard import HostGuard
from http_tools.hosts import HostGates
from http_tools.tool import HttpTool, ToolHost, look_up_within, remote, teller
from http_tools.trace_context import CALL, EFFECT, TraceIds
from protocols.images import MOST_IMAGE_BYTES, ImageFault, image_of
from tests.http_tools.server import Answer, HttpServer, answers, http_server, sends
from tests.pictures import jpeg, png

KEY = "call-1:t1:3"
SECRETS = {"CRM": "s3cret-of-the-crm", "HOOK": "whsec_" + base64.b64encode(b"signing key").decode()}
CALLBACK: dict[str, Any] = {
    "url": "{base}/callbacks",
    "body": {"number": "{caller}", "topic": "{topic}", "at": "{at:iso}", "count": "{count}", "note": "{note}"},
    "ok": {"when": "status < 300", "keep": {"ticket": "data.id"}},
    "refused": {"when": "status == 409", "say": "That time has just gone. {alternatives[0]} is free."},
    "failed": {"say": "I cannot reach our system right now."},
    "total_s": 5,
}


def request(**slots: Any) -> EffectRequest:
    given = {"topic": "billing", "at": time(10, 30), "day": date(2026, 11, 24), "count": 2} | slots
    context = TaskContext("call-1", "t1", "+4930123", lambda: datetime(2026, 11, 23, tzinfo=UTC))
    return EffectRequest(KEY, given, context, {})


def around(guard: HostGuard | None = None, pause: Callable[[float], None] = lambda seconds: None) -> ToolHost:
    return ToolHost(guard or HostGuard(private=("localhost",)), SECRETS.__getitem__, pause=pause)


def tool(server: HttpServer, **more: Any) -> HttpTool:
    return HttpTool("crm.callback", declared(server, **more), around())


def declared(server: HttpServer, **more: Any) -> ToolTable:
    return ToolTable.model_validate(CALLBACK | {"url": f"{server.url}/callbacks"} | more)


def done(server: HttpServer, **more: Any) -> EffectResult:
    return tool(server, **more).carry_out(request())


# --- what is sent, and what comes of it ---


def test_a_request_carries_values_and_key_and_keeps_what_it_is_told() -> None:
    with http_server(answers(201, {"data": {"id": "T-7"}})) as server:
        assert done(server, auth={"bearer": "secret:CRM"}) == Ok({"ticket": "T-7"})
    [sent] = server.received
    assert (sent.method, sent.target) == ("POST", "/callbacks")
    assert sent.json == {"number": "+4930123", "topic": "billing", "at": "10:30", "count": 2}
    assert sent.headers["idempotency-key"] == KEY
    assert sent.headers["authorization"] == f"Bearer {SECRETS['CRM']}"
    assert sent.headers["traceparent"] == TraceIds().traceparent("call-1", EFFECT, KEY)


def test_what_is_no_logged_effect_belongs_to_the_call_itself() -> None:
    whole = TraceIds("key").traceparent("call-1", CALL)
    with http_server(answers(200, {"data": {"id": "T-7"}})) as server:
        shared = replace(around(), ids=TraceIds("key"))
        HttpTool("price", declared(server, reads_only=True), shared).look_up(request())
        teller("after", declared(server), shared)[0](request())
    assert [each.headers["traceparent"] for each in server.received] == [whole, whole]


def test_an_effect_says_what_is_said_while_it_is_waited_for_and_how_long_it_may_take() -> None:
    table = {"url": "https://crm.example/", "say": "One moment.", "say_after_s": 2, "total_s": 12}
    effect = remote("crm", ToolTable.model_validate(table), around())
    assert (effect.say, effect.say_after_s, effect.longest_s) == ("One moment.", 2.0, 12.0)
    asks = table | {"lookup": {"get": "https://crm.example/{key}"}}
    assert remote("crm", ToolTable.model_validate(asks), around()).longest_s > 12


def test_an_effect_reads_what_its_requests_and_its_refusal_name() -> None:
    refused = {"when": "status == 409", "say": "Sorry, {before.name}, {reason}."}
    table = {"url": "https://crm.example/{id}", "body": {"at": "{at}"}, "refused": refused}
    effect = remote("crm", ToolTable.model_validate(table), around())
    assert effect.facts == frozenset({"id", "at", "before.name", "reason"})


def test_a_refusal_is_told_in_the_words_of_the_file() -> None:
    with http_server(answers(409, {"alternatives": ["11:00", "12:00"]})) as server:
        assert done(server) == Refused("That time has just gone. 11:00 is free.")


def test_a_refusal_that_lacks_its_values_is_told_all_the_same() -> None:
    with http_server(answers(409, {"alternatives": []})) as server:
        assert isinstance(done(server), Refused)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 503, 302])
def test_what_was_not_done_has_failed(status: int) -> None:
    with http_server(answers(status, {"error": "no"})) as server:
        failed = done(server)
        assert isinstance(failed, Failed)
        assert failed.say == "I cannot reach our system right now."
    assert (len(server.received), failed.why) == (1, f"status {status}")


@pytest.mark.parametrize("status", [500, 502, 504])
def test_what_may_have_been_done_is_unclear_and_not_tried_again(status: int) -> None:
    with http_server(answers(status), answers(201, {"data": {"id": 1}})) as server:
        assert isinstance(done(server), Unclear)
    assert len(server.received) == 1


def test_an_idempotent_one_is_tried_again_with_the_same_key() -> None:
    with http_server(answers(503), answers(500), answers(201, {"data": {"id": 1}})) as server:
        retry = {"times": 2, "on": ["connect", "500", "503"]}
        assert done(server, idempotent=True, retry=retry) == Ok({"ticket": 1})
    assert {each.headers["idempotency-key"] for each in server.received} == {KEY}
    assert len(server.received) == 3


def test_the_servers_wait_is_kept_if_there_is_time_for_it() -> None:
    pauses: list[float] = []
    with http_server(answers(429, Retry_After="2"), answers(429, Retry_After="60")) as server:
        declaration = declared(server, idempotent=True, retry={"times": 5, "on": ["429"]})
        result = HttpTool("crm", declaration, around(pause=pauses.append)).carry_out(request())
    assert isinstance(result, Failed)
    assert pauses == [2.0]


# --- servers that misbehave ---


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data"',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "nonsense", "many headers", "a long header"],
)
@pytest.mark.parametrize("reset", [False, True])
def test_an_answer_that_breaks_off_is_unclear(raw: bytes, reset: bool) -> None:
    with http_server(sends(raw, reset=reset)) as server:
        assert isinstance(done(server), Unclear)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b'{"data": NaN}',
        b'{"data": {"id": 1e999}}',
        b'{"data": {}}',
        b"[1]",
        b'"data"',
        '{"data": {"id": "7"}}'.encode("utf-16"),
    ],
)
def test_an_answer_without_the_wanted_value_is_unclear(body: bytes) -> None:
    with http_server(answers(200, body)) as server:
        assert isinstance(done(server), Unclear)


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with http_server(answers(200, b" " * (MOST_BODY_BYTES + 1))) as server:
        assert isinstance(done(server), Unclear)


@pytest.mark.parametrize("kind", ["silent", "head by bytes", "body by bytes"])
def test_a_slow_one_is_given_up_in_time(kind: str) -> None:
    with http_server() as server:
        slow = {
            "silent": server.says_nothing(),
            "head by bytes": server.drips(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000),
            "body by bytes": server.drips(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 10_000),
        }
        server.script[:] = [slow[kind]]
        assert isinstance(done(server, total_s=0.3), Unclear)


def test_a_redirect_is_not_followed() -> None:
    with http_server(answers(201, {})) as inner, http_server(answers(307, Location=f"{inner.url}/x")) as server:
        assert isinstance(done(server), Failed)
        assert inner.received == []


def test_nobody_there_is_told_as_not_sent_and_tried_again_even_if_not_idempotent() -> None:
    with http_server() as server:
        pass
    tried: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        tried.append(host)
        return ["127.0.0.1"]

    guard = HostGuard(private=("localhost",), resolve=resolve)
    declaration = declared(server, retry={"times": 2, "on": ["connect"]})
    with pytest.raises(NotSent) as raised:
        HttpTool("crm", declaration, around(guard=guard)).carry_out(request())
    assert raised.value.say == "I cannot reach our system right now."
    assert len(tried) == 3


@pytest.mark.parametrize("second", [answers(503), answers(401), answers(409, {"alternatives": ["x"]})])
def test_what_an_earlier_try_may_have_done_is_not_told_as_failed(second: Answer) -> None:
    with http_server(sends(b"", reset=True), second) as server:
        assert isinstance(done(server, idempotent=True, retry={"times": 1, "on": ["timeout"]}), Unclear)
    assert len(server.received) == 2


def test_a_second_try_that_cannot_be_sent_leaves_it_unclear() -> None:
    with http_server() as server:
        server.script[:] = [server.says_nothing()]
        retry = {"times": 2, "on": ["connect", "timeout"]}
        assert isinstance(done(server, idempotent=True, retry=retry, total_s=0.3), Unclear)


def test_a_query_needs_no_path() -> None:
    with http_server(answers(201, {"data": {"id": 1}})) as server:
        done(server, url=server.url, query={"what": "{topic}"})
    assert server.received[0].target == "/?what=billing"


def test_a_callers_words_are_no_template() -> None:
    with http_server(answers(201, {"data": {"id": 1}})) as server:
        tool(server, query={"q": "{topic}"}).carry_out(request(topic="{caller} {"))
    assert server.received[0].target.endswith("?q=%7Bcaller%7D+%7B")


def test_a_value_to_keep_that_cannot_be_computed_is_a_missing_one() -> None:
    with http_server(answers(200, {"items": None})) as server:
        assert isinstance(done(server, ok={"keep": {"n": "length(items)"}}), Unclear)


@pytest.mark.parametrize("value", ["a" * 4000, ["a" * 4000], 10**4200], ids=["text", "list", "number"])
def test_a_value_to_keep_that_is_too_long_is_a_missing_one(value: Any) -> None:
    with http_server(answers(200, {"n": value})) as server:
        assert isinstance(done(server, ok={"keep": {"n": "n"}}), Unclear)
        looks = {"method": "GET", "body": None, "reads_only": True, "lookup": None}
        assert isinstance(tool(server, ok={"keep": {"n": "n"}}, **looks).look_up(request()), Failed)


@pytest.mark.parametrize("value", ["a" * 501, {"id": 1}, ["ten"], [["ten"]]], ids=["text", "object", "list", "lists"])
def test_a_refusal_does_not_say_what_nobody_could_listen_to(value: Any) -> None:
    refused = {"when": "status == 409", "say": "Only {n} is free."}
    with http_server(answers(409, {"n": value})) as server:
        assert done(server, refused=refused) == Refused("I am sorry, that is not possible.")
    with http_server(answers(409, {"n": "10\n\u202e30\x07"})) as server:
        assert done(server, refused=refused) == Refused("Only 10 30  is free.")


# --- without an answer ---


def looked_up(status: int, body: object, **more: Any) -> EffectResult:
    with http_server(sends(b""), answers(status, body)) as server:
        lookup = {"get": f"{server.url}/callbacks/by-key/{{key}}"}
        result = done(server, lookup=lookup, **more)
    assert [each.method for each in server.received] == ["POST", "GET"]
    assert server.received[1].target == "/callbacks/by-key/call-1%3At1%3A3"
    return result


def test_what_was_done_without_an_answer_is_found_by_its_key() -> None:
    assert looked_up(200, {"data": {"id": "T-8"}}) == Ok({"ticket": "T-8"})


@pytest.mark.parametrize("status", [404, 500, 401])
def test_what_is_not_found_stays_unclear(status: int) -> None:
    assert isinstance(looked_up(status, {}), Unclear)


def test_a_look_up_that_lacks_a_value_leaves_it_unclear_and_says_why(log_lines: list[str]) -> None:
    with http_server(sends(b"")) as server:
        lookup = {"get": f"{server.url}/by-note/{{note}}"}
        assert isinstance(done(server, lookup=lookup, unclear={"say": "Nobody knows."}), Unclear)
    assert [each.method for each in server.received] == ["POST"]
    [line] = [each for each in log_lines if "lacks a value" in each]
    assert "note" in line


def test_recovery_asks_and_does_again_only_what_was_not_done() -> None:
    with http_server(answers(404), answers(200, {"data": {"id": 3}}), answers(500)) as server:
        effect = remote("crm", declared(server, lookup={"get": f"{server.url}/by-key/{{key}}"}), around())
        assert callable(effect.recover)
        assert effect.recover(request()) is None
        assert effect.recover(request()) == Ok({"ticket": 3})
        with pytest.raises(Broken):
            effect.recover(request())


def test_how_an_effect_is_recovered_follows_from_its_file() -> None:
    with http_server() as server:
        assert remote("crm", declared(server), around()).recover == "human"
        assert remote("crm", declared(server, idempotent=True), around()).recover == "retry"


# --- authentication ---


def test_access_tokens_are_fetched_once_and_used_until_they_expire() -> None:
    token = answers(200, {"access_token": "t-1", "expires_in": 3600})
    with http_server(token) as issuer, http_server(answers(201, {"data": {"id": 1}})) as server:
        oauth = {"token_url": f"{issuer.url}/token", "client_id": "tieline", "client_secret": "secret:CRM"}
        crm = tool(server, auth={"oauth2": oauth})
        assert isinstance(crm.carry_out(request()), Ok)
        assert isinstance(crm.carry_out(request()), Ok)
    assert len(issuer.received) == 1
    assert b"grant_type=client_credentials" in issuer.received[0].body
    assert server.received[1].headers["authorization"] == "Bearer t-1"


def test_a_slow_issuer_of_tokens_holds_another_call_no_longer_than_its_own_time() -> None:
    with http_server() as issuer, http_server() as server:
        issuer.script[:] = [issuer.says_nothing()]
        oauth = {"token_url": f"{issuer.url}/token", "client_id": "tieline", "client_secret": "secret:CRM"}
        crm = tool(server, auth={"oauth2": oauth}, total_s=60)
        ended: list[object] = []

        def hold() -> None:
            try:
                crm.carry_out(request())
            except NotSent as error:
                ended.append(error)

        holder = threading.Thread(target=hold, daemon=True)
        holder.start()
        issuer.wait_for(1)
        with pytest.raises(NotSent, match="no access token in time"):
            crm.request(request(), until_s=0.0)  # its time is over; the other's is not
        assert ended == []
        issuer.gone.set()
        holder.join()
    assert server.received == []


@pytest.mark.parametrize("lasts", [None, "soon", -1, 10**400, True])
def test_a_token_whose_end_is_told_oddly_is_a_token(lasts: object) -> None:
    issued = answers(200, {"access_token": "t-1", "expires_in": lasts})
    with http_server(issued) as issuer, http_server(answers(201, {"data": {"id": 1}})) as server:
        oauth = {"token_url": f"{issuer.url}/token", "client_id": "tieline", "client_secret": "secret:CRM"}
        assert isinstance(done(server, auth={"oauth2": oauth}), Ok)


def test_without_an_access_token_nothing_is_sent() -> None:
    with http_server(answers(401, {})) as issuer, http_server() as server:
        oauth = {"token_url": f"{issuer.url}/token", "client_id": "tieline", "client_secret": "secret:CRM"}
        with pytest.raises(NotSent):
            done(server, auth={"oauth2": oauth})
    assert server.received == []


def test_basic_and_header_authentication() -> None:
    with http_server(answers(201, {"data": {"id": 1}})) as server:
        done(server, auth={"basic": {"user": "me", "password": "secret:CRM"}})
        done(server, auth={"header": {"name": "X-Api-Key", "value": "secret:CRM"}})
    assert server.received[0].headers["authorization"].startswith("Basic ")
    assert server.received[1].headers["x-api-key"] == SECRETS["CRM"]


def test_a_request_is_signed_as_standard_webhooks_are() -> None:
    with http_server(answers(201, {"data": {"id": 1}})) as server:
        done(server, auth={"hmac": "secret:HOOK"})
    [sent] = server.received
    at = sent.headers["webhook-timestamp"]
    signed = hmac.new(b"signing key", f"{KEY}.{at}.".encode() + sent.body, hashlib.sha256).digest()
    assert sent.headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"
    assert sent.headers["webhook-id"] == KEY


# --- what a caller says stays where it belongs ---


def test_a_callers_words_cannot_leave_their_place() -> None:
    with http_server(answers(201, {"data": {"id": 1}})) as server:
        crm = tool(server, url=f"{server.url}/x/{{topic}}", query={"q": "{topic}"}, headers={"X-Topic": "{topic}"})
        crm.carry_out(request(topic="../a?b=c\r\nX-Evil: 1"))
    [sent] = server.received
    assert sent.target == "/x/..%2Fa%3Fb%3Dc%0D%0AX-Evil%3A%201?q=..%2Fa%3Fb%3Dc%0D%0AX-Evil%3A+1"
    assert "x-evil" not in sent.headers
    assert sent.json["topic"] == "../a?b=c\r\nX-Evil: 1"


def test_a_value_that_is_not_known_sends_nothing() -> None:
    with http_server() as server, pytest.raises(NotSent):
        done(server, url=f"{server.url}/x/{{unknown}}")
    assert server.received == []


# --- look-ups ---


def test_a_look_up_has_neither_key_nor_yes() -> None:
    with http_server(answers(200, {"data": {"id": 80}})) as server:
        reads = {"method": "GET", "body": None, "reads_only": True, "query": {"what": "{topic}"}}
        effect = remote("price", declared(server, **reads), around())
        assert effect.do(request()) == Ok({"ticket": 80})
    [sent] = server.received
    assert sent.target == "/callbacks?what=billing"
    assert "idempotency-key" not in sent.headers
    assert effect.reads_only


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "no whole reply: RemoteDisconnected"),
        (b"HTTP/1.1 500 No\r\n\r\n", "status 500"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", "status 200"),
    ],
)
def test_a_look_up_without_an_answer_has_failed(raw: bytes, why: str) -> None:
    with http_server(sends(raw)) as server:
        reads = {"method": "GET", "body": None, "reads_only": True}
        failed = tool(server, **reads).look_up(request())
        assert isinstance(failed, Failed)
        assert failed.say == "I cannot reach our system right now."
        assert failed.why == why


# --- hosts ---


def test_a_host_that_fails_is_left_alone_for_a_while_and_then_tried_by_one() -> None:
    now = [0.0]
    with http_server(answers(503)) as server:
        guard = HostGuard(private=("localhost",))
        shared = ToolHost(guard, SECRETS.__getitem__, lambda: now[0], gates=HostGates(lambda: now[0]))
        crm = HttpTool("crm", declared(server), shared)
        for _ in range(5):
            assert isinstance(crm.carry_out(request()), Failed)
        with pytest.raises(NotSent, match="failed repeatedly"):
            crm.carry_out(request())
        assert len(server.received) == 5
        server.script[:] = [answers(201, {"data": {"id": 1}})]
        now[0] = 10.5
        assert isinstance(crm.carry_out(request()), Ok)
        assert isinstance(crm.carry_out(request()), Ok)


def test_a_slow_host_takes_no_more_threads_than_its_own() -> None:
    with http_server() as slow, http_server(answers(201, {"data": {"id": 1}})) as quick:
        slow.script[:] = [slow.says_nothing()]
        shared = around()
        slow_tool = HttpTool("slow", declared(slow, total_s=30), shared)
        threads = [threading.Thread(target=slow_tool.carry_out, args=(request(),), daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        slow.wait_for(8)
        with pytest.raises(NotSent, match="at a time"):
            HttpTool("slow", declared(slow, total_s=0.2), shared).carry_out(request())
        assert isinstance(HttpTool("quick", declared(quick), shared).carry_out(request()), Ok)


# --- before and after a call ---


def test_a_look_up_before_a_call_keeps_what_there_is() -> None:
    ok = {"keep": {"name": "name", "customer": "id"}}
    with http_server(answers(200, {"name": "Ada", "id": None})) as server:
        table = declared(server, reads_only=True, body=None, ok=ok)
        assert look_up_within("crm.who", table, around(), 5.0)(request()) == Ok({"name": "Ada"})
        assert isinstance(HttpTool("crm.who", table, around()).look_up(request()), Failed)


def test_a_look_up_within_a_limit_ends_by_itself() -> None:
    with http_server() as server:
        server.script = [server.says_nothing()]
        look_up = look_up_within("crm.who", declared(server, reads_only=True, body=None), around(), 0.05)
        assert isinstance(look_up(request()), Failed)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (answers(204), Ok()),
        (answers(409), Refused("status 409")),
        (answers(401), Failed("status 401")),
        (answers(503), Failed("status 503")),
        (sends(b"", reset=True), None),
    ],
)
def test_what_may_arrive_twice_is_there_or_never_taken_or_sent_again(
    answer: Answer, result: EffectResult | None
) -> None:
    with http_server(answer) as server:
        tell, longest_s = teller("crm.ended", declared(server, idempotent=True, ok={}), around())
        told = tell(request())
    assert longest_s == 5.0
    assert told == result if result else isinstance(told, Failed)
    assert server.received[0].headers["idempotency-key"] == KEY


@pytest.mark.parametrize(
    ("body", "result"), [({"error": "duplicate"}, Ok()), ({"error": "closed"}, Refused("status 409"))]
)
def test_a_duplicate_has_arrived_where_the_file_says_so(body: Any, result: Any) -> None:
    ok, refused = {"when": "status < 300 || error == 'duplicate'"}, {"when": "status == 409", "say": "No."}
    with http_server(answers(409, body)) as server:
        tell, _ = teller("crm.ended", declared(server, idempotent=True, ok=ok, refused=refused), around())
        assert tell(request()) == result


def test_what_cannot_be_sent_is_sent_again() -> None:
    with http_server() as server:
        table = declared(server, idempotent=True)
    tell, _ = teller("crm.ended", table, around())
    assert isinstance(tell(request()), Failed)  # nobody listens there any more


def test_what_is_told_after_calls_keeps_no_call_from_its_host() -> None:
    with http_server(answers(503)) as server:
        shared = around()
        table = declared(server, idempotent=True, total_s=30)
        tell, _ = teller("crm.ended", table, shared)
        for _ in range(5):
            assert isinstance(tell(request()), Failed)
        assert "failed repeatedly" in str(tell(request()))  # nor is it asked for ever itself
        server.script[:] = [answers(201, {"data": {"id": 1}})]
        assert isinstance(HttpTool("crm", table, shared).carry_out(request()), Ok)


def test_slow_ones_of_it_keep_no_place_of_a_calls() -> None:
    with http_server() as server:
        server.script[:] = [server.says_nothing()]
        shared = around()
        table = declared(server, idempotent=True, total_s=30)
        tell, _ = teller("crm.ended", table, shared)
        threads = [threading.Thread(target=tell, args=(request(),), daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        server.wait_for(8)
        server.script[:] = [answers(201, {"data": {"id": 1}})]
        assert isinstance(HttpTool("crm", table, shared).carry_out(request()), Ok)


# --- images ---


@pytest.mark.parametrize(
    ("keep", "body", "kept"),
    [
        ({"card": "data.photo"}, {"data": {"id": 1, "photo": base64.b64encode(jpeg()).decode()}}, {"card": jpeg()}),
        ({"card": "data.photo"}, {"data": {"id": 1, "photo": image_of(png()).data_url()}}, {"card": png()}),
        ({"card": "data.photo"}, {"data": {"id": 1, "photo": "https://crm.example/7.png"}}, {"card": b"https://crm.example/7.png"}),
        ({"card": "data.photo"}, {"data": {"id": 1, "photo": None}}, {}),
        ({"card": "data.photo", "plan": "data.plan"}, {"data": {"id": 1, "plan": ""}}, {"plan": b""}),
    ],
)  # fmt: skip
def test_an_image_in_a_reply_is_kept_beside_its_values(
    keep: dict[str, str], body: object, kept: dict[str, bytes]
) -> None:
    with http_server(answers(200, body)) as server:
        assert done(server, ok={"keep": {"ticket": "data.id"}, "keep_images": keep}) == Ok({"ticket": 1}, kept)


def test_an_image_that_is_too_large_to_be_shown_takes_no_value_with_it() -> None:
    photo = base64.b64encode(jpeg() + bytes(3 * 1024 * 1024)).decode()
    with http_server(answers(200, {"id": 1, "photo": photo})) as server:
        result = checked(done(server, ok={"keep": {"ticket": "id"}, "keep_images": {"card": "photo"}}))
    assert isinstance(result, Ok)
    assert result.values == {"ticket": 1}
    with pytest.raises(ImageFault) as refused:
        image_of(result.images["card"])
    assert refused.value.reason == "too_large"
    assert len(result.images["card"]) <= MOST_IMAGE_BYTES + 1


def test_an_image_that_a_reply_lacks_is_logged_with_its_call(log_lines: list[str]) -> None:
    with http_server(answers(200, {"photo": None})) as server:
        assert done(server, ok={"keep_images": {"card": "photo"}}) == Ok()
    [line] = [each for each in log_lines if "lacks an image" in each]
    assert (f"'conversation': '{request().context.conversation_id}'" in line, "'image': 'card'" in line) == (True, True)


def test_a_reply_that_is_an_image_is_kept_whole_and_asked_for() -> None:
    with http_server(answers(200, png())) as server:
        assert done(server, ok={"keep_images": {"plan": "@"}}) == Ok({}, {"plan": png()})
        done(server, ok={"keep_images": {"plan": "@"}}, headers={"Accept": "image/webp"})
        done(server, ok={})
    accepted = [each.headers["accept"] for each in server.received]
    assert accepted == ["application/json, image/png, image/jpeg", "image/webp", "application/json"]


def test_what_a_tool_keeps_as_an_image_is_not_one_of_its_values() -> None:
    secret = replace(request(), slots={"pin": Secret("4711")})
    result = without_secrets(Ok({"pin": "4711"}, {"card": b"4711"}), secret)
    assert result == Ok({"pin": DOTS}, {"card": b"4711"})
