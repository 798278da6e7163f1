"""The model's own failures: errors, limits, sessions that end."""

from __future__ import annotations

from tests.adversary.model import Answer, call, say
from tests.adversary.scene import End, Ends, Fault, Kind, Props, scene
from tests.adversary.stage import Stage
from tests.adversary.words import AT_TEN, BOOKED_WORDS, DESK, OPEN, TOMORROW, WISH, YES

BRIDGED = Ends(stored=(), silence_s=20)
BUSY = {
    "type": "invalid_request_error",
    "code": "rate_limit_exceeded",
    "message": "Rate limit reached for gpt-realtime on tokens per min. Please try again in 8s.",
}
BROKEN = {"type": "server_error", "code": "server_error", "message": "The server had an error."}


@scene(Kind.MODEL, Ends(stored=(), silence_s=20, requests=40), Props(limit_s=200))
async def calls_for_ever(stage: Stage) -> None:
    """Each function output is answered by another function call: no loop without end."""

    def habit(model: object) -> Answer:
        opened = "book_appointment_provide" in stage.model.tools
        return Answer(
            items=(call("book_appointment_provide" if opened else "book_appointment", {"day": TOMORROW}),), delay_s=0.3
        )

    stage.model.habit = habit
    await stage.model.began()
    await stage.sleep(0.8)
    await stage.model.ended(WISH)
    await stage.sleep(60)


@scene(Kind.MODEL, Ends(stored=(), end=End.TALKING, heard=("say it again",), silence_s=20, requests=40))
async def calls_what_does_not_exist_for_ever(stage: Stage) -> None:
    """Each answer is a call of a function that nobody has declared, at once: stopped, and the caller gets on."""
    stage.model.habit = lambda _: Answer(items=(call("get_weather", {"city": "Berlin"}),), delay_s=0.01)
    await stage.model.began()
    await stage.sleep(0.8)
    await stage.model.ended("What is the weather like?")
    await stage.sleep(8)
    stage.model.habit = None
    asked = len(stage.model.requests)
    stage.notes.append(f"{asked} responses were asked for")
    if asked > 20:
        raise Fault(f"{asked} responses were asked for in one turn")
    await stage.model.turn("When are you open?", say("From nine to five."))
    if "From nine to five." not in stage.model.said:
        raise Fault("the next turn was not answered")


@scene(Kind.MODEL, Ends(stored=(), end=(End.HUNG_UP, End.TRANSFERRED), heard=("say it again",), requests=60))
async def calls_for_ever_in_every_turn(stage: Stage) -> None:
    """The same in one turn after another: the caller is not asked to repeat without end."""
    stage.model.habit = lambda _: Answer(items=(call("get_weather", {"city": "Berlin"}),), delay_s=0.01)
    for _ in range(3):
        await stage.model.began()
        await stage.sleep(0.8)
        await stage.model.ended("What is the weather like?")
        await stage.sleep(6)
    await stage.ended(20)


@scene(Kind.MODEL, Ends(stored=(), end=End.TALKING, silence_s=20, requests=40))
async def every_end_is_told_twice(stage: Stage) -> None:
    """Each response.done comes twice, also of responses that say nothing: nothing is asked for twice."""
    stage.model.twice = True
    stage.model.habit = lambda _: Answer(delay_s=0.01)
    await stage.model.turn("What are your hours?", settle=False)
    await stage.sleep(8)
    stage.model.habit = None
    asked = len(stage.model.requests)
    stage.notes.append(f"{asked} responses were asked for")
    if asked > 6:
        raise Fault(f"{asked} responses were asked for in 8 s")
    await stage.model.turn("When are you open?", say("From nine to five."))
    if "From nine to five." not in stage.model.said:
        raise Fault("the next turn was not answered")


@scene(Kind.MODEL, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)))
async def call_in_a_failed_response(stage: Stage) -> None:
    """A function call is complete, then its response fails: the call still goes on."""
    await stage.model.turn(WISH, OPEN, status="failed", error=BROKEN)
    await stage.sleep(4)
    await stage.model.quiet()
    if not stage.model.got(state="Confirm"):
        await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES)
    await stage.model.quiet()


@scene(Kind.MODEL, Ends(stored=(), end=End.TALKING, silence_s=20))
async def rate_limited(stage: Stage) -> None:
    """Every response fails with "try again in 8 s", for 8 s; then all is well."""
    over_s = stage.model.now_s() + 9
    stage.model.habit = lambda model: (
        Answer(status="failed", error=BUSY) if model.now_s() < over_s else Answer(items=(say("From nine to five."),))
    )
    await stage.model.turn("What are your hours?", settle=False)
    await stage.until(lambda: "From nine to five." in stage.model.said, 30)
    await stage.model.quiet()
    if "From nine to five." not in stage.model.said:
        raise Fault("never answered")


@scene(Kind.MODEL, Ends(stored=(), end=End.TALKING, silence_s=20))
async def rate_limited_and_asked_again(stage: Stage) -> None:
    """The same, and the caller asks again within the 8 s."""
    over_s = stage.model.now_s() + 9
    stage.model.habit = lambda model: (
        Answer(status="failed", error=BUSY) if model.now_s() < over_s else Answer(items=(say("From nine to five."),))
    )
    await stage.model.turn("What are your hours?", settle=False)
    await stage.sleep(3.5)
    await stage.model.turn("What are your hours?", settle=False)
    await stage.until(lambda: "From nine to five." in stage.model.said, 30)
    await stage.model.quiet()


@scene(Kind.MODEL, Ends(stored=(), end=(End.HUNG_UP, End.TRANSFERRED), silence_s=20), Props(settings=DESK, limit_s=300))
async def rate_limited_for_good(stage: Stage) -> None:
    """Every response fails, for good: the caller hears recorded words, and is handed over or hung up on in words."""
    stage.model.habit = lambda _: Answer(status="failed", error=BUSY)
    stage.model.script.extend(Answer(status="failed", error=BUSY, to_any=True) for _ in range(60))
    await stage.model.began()
    await stage.sleep(0.8)
    await stage.model.ended("What are your hours?")
    await stage.ended(120)


@scene(Kind.MODEL, BRIDGED)
async def update_is_refused(stage: Stage) -> None:
    """session.update with the task's functions is refused in mid-call: the caller is spoken to."""
    stage.model.refuse_update = {
        "type": "invalid_request_error",
        "code": "invalid_function_parameters",
        "message": "Invalid schema for function",
        "param": "session.tools[3].parameters",
    }
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.sleep(3)
    await stage.model.quiet()


@scene(Kind.MODEL, BRIDGED)
async def create_is_refused(stage: Stage) -> None:
    """response.create is refused with an error that is not "already active"."""
    stage.model.refuse_creates.extend([BUSY] * 4)
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.sleep(20)
    await stage.model.quiet()


@scene(Kind.MODEL, Ends(stored=(), heard=("say it again",)))
async def create_is_refused_for_another_reason(stage: Stage) -> None:
    """response.create is refused twice as such: the caller hears something within three seconds."""
    refusal = {"type": "invalid_request_error", "code": "invalid_value", "message": "no"}
    stage.model.refuse_creates.extend([refusal] * 2)
    heard = len(stage.phone.handset.ear.runs)
    await stage.model.turn("I'd like an appointment.", call("book_appointment"), settle=False)
    if not await stage.until(lambda: len(stage.phone.handset.ear.runs) > heard, 3):
        raise Fault("three seconds of silence after a refusal")
    await stage.model.quiet()


@scene(Kind.MODEL, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)))
async def socket_breaks_at_the_read_back(stage: Stage) -> None:
    """The model's socket breaks while it reads back; on the next one it is read back again."""
    await stage.model.turn(WISH, OPEN, settle=False)
    await stage.until(lambda: stage.model.speaking)
    await stage.sleep(0.5)
    connections = stage.model.connections
    await stage.model.drop()
    await stage.until(lambda: stage.model.connections > connections, 20)
    await stage.sleep(3)
    await stage.model.quiet()
    await stage.model.turn("Yes.", YES)


@scene(Kind.MODEL, Ends(stored=(AT_TEN,), heard=(BOOKED_WORDS,)))
async def socket_breaks_at_the_yes(stage: Stage) -> None:
    """The model's socket breaks when it is booked and not told: told on the next one."""
    await stage.model.turn(WISH, OPEN)
    await stage.model.turn("Yes.", YES, settle=False)
    await stage.until(stage.stored)
    await stage.model.drop()
    await stage.sleep(12)
    await stage.model.quiet()


@scene(Kind.MODEL, BRIDGED)
async def nothing_is_acknowledged(stage: Stage) -> None:
    """Items that are created are not acknowledged by the server."""
    stage.model.echo = False
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.sleep(5)
    await stage.model.quiet()


for _name, _props in {"zero": Props(expires_at=0), "past": Props(expires_in_s=-10)}.items():

    async def _storm(stage: Stage) -> None:
        before = stage.model.connections
        await stage.sleep(15)
        if stage.model.connections - before > 2:
            raise Fault(f"{stage.model.connections - before} model sessions in 15 s of one idle call")
        if (times := stage.heard().count("Hello, this is")) > 1:
            raise Fault(f"greeted {times} times")

    _storm.__doc__ = (
        f"session.created with an expires_at that is {_name}: no storm of new sessions, no second greeting."
    )
    scene(Kind.MODEL, Ends(stored=()), _props, name=f"expires_at_{_name}")(_storm)


@scene(Kind.MODEL, Ends(stored=(), silence_s=20))
async def error_without_a_code(stage: Stage) -> None:
    """An error event of no code and no message."""
    await stage.model.turn("I'd like an appointment.", call("book_appointment"), settle=False)
    await stage.model.emit("error", error={"type": "server_error", "code": None, "message": None})
    await stage.model.quiet()


@scene(Kind.MODEL, Ends(stored=(), silence_s=20))
async def unknown_events(stage: Stage) -> None:
    """Events that nobody knows, among those that everybody does."""
    await stage.model.emit("response.thinking.delta", delta="hm")
    await stage.model.turn("I'd like an appointment.", call("book_appointment"))
    await stage.model.emit("conversation.item.truncated", item_id="no such item", audio_end_ms=0)
    await stage.model.turn("Hm.", say("Which day?"))
    if "Which day" not in stage.heard():
        raise Fault("the call did not go on")


@scene(Kind.MODEL, Ends(stored=(), silence_s=20))
async def speaks_and_calls(stage: Stage) -> None:
    """The model speaks, calls and speaks in one response."""
    await stage.model.turn(WISH, say("Sure."), OPEN, say("One moment."))
    if "Shall I book" not in stage.heard():
        raise Fault("never read back")


@scene(Kind.MODEL, Ends(stored=(), silence_s=20))
async def talks_for_two_minutes(stage: Stage) -> None:
    """The model does not stop talking; the caller interrupts, and is heard."""
    await stage.model.turn("Tell me about you.", say("We are the Linden practice. " * 60), settle=False)
    await stage.sleep(20)
    await stage.model.began()
    await stage.sleep(0.8)
    await stage.model.ended("Stop. When are you open?", say("From nine to five."))
    await stage.sleep(4)
    if stage.phone.handset.ear.sounding:
        raise Fault("the bot went on talking over the caller")
    if "From nine to five" not in stage.heard():
        raise Fault("not answered")


@scene(Kind.MODEL, Ends(stored=(), silence_s=20), Props(first=Answer(status="failed", error=BROKEN, to_any=True)))
async def greeting_fails(stage: Stage) -> None:
    """The greeting's response fails: the caller is still greeted."""
    await stage.sleep(5)
    if not stage.phone.handset.ear.runs:
        raise Fault("nobody greets the caller")


@scene(Kind.MODEL, Ends(stored=(), silence_s=20), Props(first=Answer(hangs=True, to_any=True)))
async def greeting_hangs(stage: Stage) -> None:
    """The greeting's response begins, and nothing comes: the caller hears something within 10 s."""
    await stage.until(lambda: stage.phone.handset.ear.runs, 10)
    if not stage.phone.handset.ear.runs:
        raise Fault("10 s of silence in place of the greeting")
