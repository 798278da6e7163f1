"""What is told of calls that have ended, from a real outbox: until it has arrived, by one process at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from actors.bots import Bot
from actors.process.outbox_delivery import (
    FAILURES,
    LONGEST_PAUSE_S,
    MOST_BOTS,
    NO_HOOK,
    REST_S,
    OutboxDelivery,
    letter_of,
    pause_s,
)
from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused
from store import schema
from store.database import moment
from store.journal import CallRecord, Journal, TaskRecord, TurnRecord
from store.outbox import Outbox, OutboxCount
from tests.actors.bots import Folders, a_bot, telling
from tests.actors.calls import BEGAN, StuckOven
from tests.counted import counted

LIMIT_S = 60.0


def record(number: int = 1, bot: str = "desk") -> CallRecord:
    return CallRecord(
        conversation_id=f"c-{number}",
        bot=bot,
        bot_digest="1",
        caller="030 555010",
        media_format="raw/mulaw",
        outcome="completed",
        started_at=BEGAN,
        ended_at=BEGAN.replace(minute=BEGAN.minute + 1),
        turns=(TurnRecord(role="caller", text="Hello.", item_id="i", began_ms=10, ended_ms=20, heard_ms=10),),
        tasks=(TaskRecord(agent="callback", run_id="t1", states=("Done",), result="done"),),
    )


class Far:
    """The far side: answers in turn, the last one for ever."""

    def __init__(self, *answers: EffectResult | BaseException) -> None:
        self.answers = list(answers) or [Ok()]
        self.received: list[EffectRequest] = []
        self.told = threading.Event()

    def __call__(self, request: EffectRequest) -> EffectResult:
        self.received.append(request)
        self.told.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def folders(*bots: Bot) -> Folders:
    found = Folders()
    found.present_bots = {bot.name: bot for bot in bots}
    return found


class Office:
    """The deliveries of one database. put: letters of calls."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.outbox = engine, Outbox(engine)
        self.made: list[OutboxDelivery] = []
        self.now_s = 0.0

    def delivery(self, *bots: Bot) -> OutboxDelivery:
        return self.delivery_of(folders(*bots))

    def delivery_of(self, bots: Folders) -> OutboxDelivery:
        self.made.append(OutboxDelivery(self.outbox, bots, lambda: BEGAN, lambda: 0.0, lambda: self.now_s))
        return self.made[-1]

    def put(self, *records: CallRecord) -> None:
        Journal(self.engine).append((), (), [letter_of(each, words=False) for each in records])

    def due_now(self) -> None:
        """The time of all letters has come, and all claims have run out."""
        with self.engine.begin() as connection:
            connection.execute(schema.outbox.update().values(due_at=moment(self.engine.dialect.name, -1)))


@pytest.fixture
def office(engine: Engine) -> Iterator[Office]:
    office = Office(engine)
    yield office
    for each in office.made:
        each.leave()


def round_of(delivery: OutboxDelivery) -> None:
    delivery.deliver()
    delivery.wait(LIMIT_S)


def test_a_letter_tells_what_the_record_says_and_the_words_only_where_they_are_asked_for() -> None:
    told = letter_of(record(), words=False)
    assert (told.key, told.bot, told.bot_digest) == ("c-1:after", "desk", "1")
    assert told.facts == {
        "bot": "desk",
        "version": "1",
        "outcome": "completed",
        "started": "2026-11-23T13:05:00+00:00",
        "ended": "2026-11-23T13:06:00+00:00",
        "seconds": 60.0,
        "tasks": [{"task": "callback", "run": "t1", "outcome": "done"}],
    }
    words = letter_of(record(), words=True).facts
    assert words == {**told.facts, "transcript": [{"role": "caller", "text": "Hello.", "began_ms": 10}]}


def test_all_letters_that_are_due_are_sent(office: Office) -> None:
    crm = Far()
    office.put(*(record(number) for number in range(3)))
    round_of(office.delivery(telling("desk", crm)))
    assert [each.key for each in crm.received] == ["c-0:after", "c-1:after", "c-2:after"]
    [first, *_] = crm.received
    assert (first.context.caller, first.context.conversation_id) == ("+4930555010", "c-0")
    assert first.facts["effects"] == []
    assert office.outbox.count() == OutboxCount(0, 0)


def test_one_that_fails_or_raises_is_sent_again_with_the_same_key(office: Office, log_lines: list[str]) -> None:
    crm = Far(Failed("status 503"), ValueError("a bug"), Ok())
    office.put(record())
    delivery = office.delivery(telling("desk", crm))
    for _ in range(3):
        round_of(delivery)
        assert office.outbox.due("desk") == []  # not at once
        office.due_now()
    assert {each.key for each in crm.received} == {"c-1:after"}
    assert len(crm.received) == 3
    assert office.outbox.count().due == 0
    told = [line for line in log_lines if line.startswith("WARNING")]
    assert told == [
        "WARNING it could not be told of this call: tried again {'conversation': 'c-1', 'bot': 'desk', 'reason':"
        " 'status 503'}"
    ]


def test_what_is_refused_is_given_up_and_shown(office: Office) -> None:
    office.put(record())
    delivery = office.delivery(telling("desk", Far(Refused("status 410"))))
    round_of(delivery)
    [dead] = office.outbox.waiting()
    assert (dead.status, dead.reason) == ("dead", "status 410")
    round_of(delivery)
    assert (counted("tieline_outbox_dead"), counted("tieline_outbox_due")) == (1.0, 0.0)


def test_another_process_sends_what_one_that_died_was_sending(office: Office, stuck: StuckOven) -> None:
    office.put(record())
    frozen, crm = office.delivery(telling("desk", stuck)), Far()
    frozen.deliver()
    assert stuck.entered.wait(LIMIT_S)
    other = office.delivery(telling("desk", crm))
    round_of(other)
    assert crm.received == []  # it is claimed
    office.due_now()
    round_of(other)
    assert [each.key for each in crm.received] == ["c-1:after"]
    stuck.freed.set()
    frozen.wait(LIMIT_S)
    assert office.outbox.count() == OutboxCount(0, 0)


def test_a_slow_system_of_one_bot_delays_no_letter_of_another(office: Office, stuck: StuckOven) -> None:
    crm = Far()
    office.put(record(1, "slow"), record(2, "desk"))
    delivery = office.delivery(telling("slow", stuck), telling("desk", crm))
    delivery.deliver()
    assert stuck.entered.wait(LIMIT_S)
    assert crm.told.wait(LIMIT_S)
    stuck.freed.set()
    delivery.wait(LIMIT_S)
    assert office.outbox.count().due == 0


def test_what_no_bot_tells_any_more_waits_for_a_process_that_has_it(office: Office) -> None:
    office.put(record())
    round_of(office.delivery(a_bot("desk")))
    [waiting] = office.outbox.waiting()
    assert (waiting.reason, waiting.status) == (NO_HOOK, "due")
    office.due_now()
    crm = Far()
    round_of(office.delivery(telling("desk", crm)))
    assert len(crm.received) == 1


def test_a_system_that_is_down_is_tried_with_few_of_many_letters_until_it_answers(office: Office) -> None:
    crm, other = Far(Failed("no connection")), Far()
    office.put(*(record(number) for number in range(20)), record(99, "other"))
    delivery = office.delivery(telling("desk", crm), telling("other", other))
    for _ in range(3):
        round_of(delivery)
    tried = [each.key for each in crm.received]
    assert (len(tried), len(other.received)) == (FAILURES, 1)
    office.now_s += REST_S
    round_of(delivery)
    again = [each.key for each in crm.received[FAILURES:]]
    assert len(again) == FAILURES
    assert not set(again) & set(tried)  # each has its turn
    crm.answers[:] = [Ok()]
    office.now_s += REST_S
    office.due_now()
    round_of(delivery)
    assert office.outbox.count() == OutboxCount(0, 0)


def test_bots_whose_systems_are_down_keep_no_place_from_another(office: Office) -> None:
    down = [f"a-{number}" for number in range(MOST_BOTS)]
    office.put(*(record(number, bot) for number, bot in enumerate((*down, "z"))))
    crm = Far()
    delivery = office.delivery(*(telling(bot, Far(Failed("status 503"))) for bot in down), telling("z", crm))
    for _ in range(2):
        round_of(delivery)
        office.due_now()
    assert len(crm.received) == 1


def test_an_address_that_was_put_right_counts_for_what_waits(office: Office) -> None:
    office.put(record())
    wrong, right = Far(Failed("status 404")), Far()
    bots = folders(telling("desk", wrong))
    bots.versions["desk", "1"] = bots.present_bots["desk"]
    delivery = office.delivery_of(bots)
    round_of(delivery)
    bots.present_bots["desk"] = telling("desk", right)
    office.due_now()
    round_of(delivery)
    assert (len(wrong.received), len(right.received)) == (1, 1)


def test_a_bot_that_is_gone_tells_in_the_version_of_its_calls_which_is_made_once(office: Office) -> None:
    crm, bots = Far(), folders()
    bots.versions["desk", "1"] = telling("desk", crm)
    office.put(*(record(number) for number in range(3)))
    round_of(office.delivery_of(bots))
    assert len(crm.received) == 3
    assert bots.asked == [("desk", "1")]


def test_a_process_that_leaves_begins_with_no_further_letter(office: Office) -> None:
    crm = Far()
    office.put(record())
    delivery = office.delivery(telling("desk", crm))
    delivery.leave()
    round_of(delivery)
    assert crm.received == []
    assert office.outbox.count().due == 1


def test_pauses_grow_to_the_longest() -> None:
    assert [pause_s(tries, lambda: 0.0) for tries in (1, 2, 3)] == [5.0, 10.0, 20.0]
    assert pause_s(1000, lambda: 0.0) == LONGEST_PAUSE_S
    assert pause_s(1, lambda: 0.5) == 5.5
