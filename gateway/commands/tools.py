"""The command `tools try`: a bot's tool with values of one's own, and what a task would make of the reply.

May import: actors, fsm, gateway, http_tools, protocols, loguru, rich, typer, the standard library.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from loguru import logger
from rich.markup import escape

from gateway.commands.bots import OfBots, bot_or_exit, defaults_or_exit
from gateway.commands.console import FAILED, WRONG_SETTING, err, out

if TYPE_CHECKING:
    from actors.bots import AfterCall, Bot
    from fsm.effects import EffectRequest, EffectResult, Ok
    from fsm.locales import Locale
    from fsm.spec import AgentSpec, Known, Slot
    from http_tools.declaration import ToolTable
    from http_tools.exchange import Reply, Request
    from http_tools.tool import ToolHost

tools_app = typer.Typer(no_args_is_help=True)
# Of a reply's body, in characters.
MOST_SHOWN = 4000


@tools_app.callback()
def tools() -> None:
    """The tools of bots."""


@tools_app.command(name="try")
def try_tool(
    name: Annotated[str, typer.Argument(metavar="BOT", help="A bot's name, or its folder.")],
    tool: Annotated[str, typer.Argument(help="The tool's name, like crm.callback.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE", help="Slots, kept values, and caller, key, conversation."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the request, and send nothing.")] = False,
    root: OfBots = None,
) -> None:
    """Send a tool's request with these values, and show the reply and what becomes of it. Secrets are shown as ***.

    Exits with 0 if it was done, 1 if not or if that is unclear, 2 for wrong values or files.
    """
    from fsm.effects import NotSent, Ok
    from gateway.bots.faults import parse_toml
    from gateway.bots.files import BOT_FILE
    from gateway.bots.tools import tools_of
    from http_tools.declaration import left_out
    from http_tools.tool import shown

    defaults = defaults_or_exit()
    host = replace(defaults.tools, heard=_print_reply, missed=_print_missed)
    if dry_run:
        host = replace(host, secret=lambda _: "***")
    bot, files = bot_or_exit(name, root, replace(defaults, tools=host))
    declared = tools_of(parse_toml(files.path(BOT_FILE), files.contents[BOT_FILE]), host, [])
    table = declared[tool].table if tool in declared else None
    if table is None:
        err.print(f"[red]unknown tool[/red] {escape(tool)}: there is {escape(', '.join(declared) or 'none')}")
        raise typer.Exit(WRONG_SETTING)
    users = [spec for spec in bot.profile.agents.values() if tool in spec.effects]
    after, do, samples = bot.profile.after_call, declared[tool].effect.do, dict[str, Any]()
    if after is not None and after.tool == tool:
        table, do, samples = _telling(bot, after, table, host)
    needed = {each for path, text, each in table.named() if not left_out(path, text)}
    kept = {name for each in declared.values() if each.table is not None for name in each.table.ok.keep}
    request = _request(bot, users, values or [], kept | table.placeholders(), samples)
    _check_whole(request, users, needed)
    logger.disable("http_tools")  # what it would say is shown here
    try:
        _print_request(shown(tool, table, host, request))
        if dry_run:
            return
        result = do(request)
    except NotSent as error:
        err.print(f"[red]not sent[/red] {escape(str(error))}")
        raise typer.Exit(FAILED) from None
    finally:
        logger.enable("http_tools")
    for line in _told(result, tool, table, users, request, bot):
        out.print(escape(line))
    if not isinstance(result, Ok) or _does_not_fit(result, tool, users):
        raise typer.Exit(FAILED)


def _does_not_fit(result: Ok, tool: str, users: list[AgentSpec]) -> bool:
    from fsm.spec import Act

    acts = ((spec, act) for spec in users for act in spec.states.values() if isinstance(act, Act))
    return any(act.effect == tool and spec.misfit(act, result.values) is not None for spec, act in acts)


def _request(
    bot: Bot,
    users: list[AgentSpec],
    given: list[str],
    others: set[str] | frozenset[str],
    samples: Mapping[str, Any],
) -> EffectRequest:
    """The request of an effect with these values, or exit with 2. others: names that are no slots. samples: facts that
    need not be given.
    """
    from fsm.effects import EffectRequest, TaskContext
    from fsm.spec import Known, SlotError
    from gateway.bots.faults import unknown_name

    now = datetime.now(bot.profile.time_zone)
    own = {"caller": "", "key": f"try-{uuid.uuid4()}", "conversation": "try"}
    slots: dict[str, Any] = {}
    facts = dict(samples)
    for each in given:
        name, equals, text = each.partition("=")
        if not equals:
            _refuse(each, "write NAME=VALUE")
        user = next((spec for spec in users if name in spec.slots), None)
        if name in own:
            own[name] = text
        elif user is None:
            known = {*own, *others, *(slot for spec in users for slot in spec.slots)}
            if name not in known:
                _refuse(each, f"there is no {name}: {unknown_name(name, known)}")
            facts[name] = text
        else:
            try:
                slots[name] = _value(user, name, text, Known(now, slots, locale=bot.profile.locale))
            except SlotError as error:
                _refuse(each, bot.profile.locale.of(error.say))
    context = TaskContext(
        own["conversation"],
        "t1",
        own["caller"],
        lambda: now,
        bot=bot.name,
        bot_digest=bot.digest,
        locale=bot.profile.locale,
    )
    return EffectRequest(own["key"], slots, context, facts)


def _telling(
    bot: Bot, after: AfterCall, table: ToolTable, host: ToolHost
) -> tuple[ToolTable, Callable[[EffectRequest], EffectResult], dict[str, Any]]:
    """The tool as an ended call is told by it, what sends it, and the facts of an invented call."""
    from gateway.bots.hooks import with_body
    from http_tools.tool import teller

    whole = with_body(table, words=after.words)
    return whole, teller(after.tool, whole, host)[0], _an_ended_call(bot, words=after.words)


def _an_ended_call(bot: Bot, *, words: bool) -> dict[str, Any]:
    """What an `after_call` is told of, by the names of its facts, as an example."""
    from gateway.bots.hooks import facts

    now = datetime.now(UTC)
    sample = {
        "bot": bot.name,
        "version": bot.digest,
        "outcome": "completed",
        "started": (now - timedelta(minutes=1)).isoformat(timespec="seconds"),
        "ended": now.isoformat(timespec="seconds"),
        "seconds": 60.0,
        "tasks": [{"task": next(iter(bot.profile.agents), "task"), "run": "t1", "outcome": "done"}],
        "effects": [{"key": "try:t1:1", "effect": "example", "status": "ok"}],
        "transcript": [{"role": "caller", "text": "Hello.", "began_ms": 1200}],
    }
    return {name: sample[name] for name in facts(words=words)}


def _refuse(given: str, why: str) -> NoReturn:
    err.print(f"[red]wrong value[/red] {escape(given)}: {escape(why)}")
    raise typer.Exit(WRONG_SETTING) from None


def _check_whole(request: EffectRequest, users: list[AgentSpec], needed: set[str]) -> None:
    """Exit with 2 if values are missing without which nothing can be sent; note those that a task would have."""
    given = {*request.slots, *request.facts, "caller", "key", "conversation"}
    if lacking := sorted(needed - given):
        err.print(f"[red]missing[/red] {escape(' '.join(f'{name}=…' for name in lacking))}")
        raise typer.Exit(WRONG_SETTING)
    for spec in users:
        if unasked := [name for name, slot in spec.slots.items() if slot.asked and name not in given]:
            err.print(f"[yellow]note[/yellow] the task {spec.name} would have {escape(', '.join(unasked))} as well")


def _value(task: AgentSpec, name: str, text: str, known: Known) -> Any:
    """A slot's value as the task takes it from a caller. Raises: SlotError."""
    from fsm.spec import SlotError

    slot = task.slots[name]
    try:
        value = slot.read(text, known.now)
    except ValueError:
        try:  # a number, or true
            value = slot.read(json.loads(text), known.now)
        except ValueError:
            raise SlotError(_what_it_takes(slot)) from None
    return value if slot.check is None or slot.stored else slot.check(value, known)


def _what_it_takes(slot: Slot[Any]) -> str:
    if issubclass(slot.value_type, Enum):
        return f"write one of {', '.join(str(each.value) for each in slot.value_type)}"
    forms = {date: "a day like 2026-11-24", time: "a time like 10:30", int: "a whole number", float: "a number"}
    return f"write {forms.get(slot.value_type, slot.value_type.__name__)}"


def _print_missed(reason: str) -> None:
    out.print(escape(f"\nno reply: {reason}"))


def _print_request(request: Request) -> None:
    out.print(escape(f"{request.method} {request.url}"))
    for name, value in request.headers.items():
        out.print(escape(f"{name}: {value}"))
    if request.body is not None:
        out.print(escape(f"\n{json.dumps(json.loads(request.body), indent=2, ensure_ascii=False)}"))


def _print_reply(reply: Reply) -> None:
    text = "(no JSON)" if reply.body is None else json.dumps(reply.body, indent=2, ensure_ascii=False)
    more = " …" if len(text) > MOST_SHOWN else ""
    out.print(escape(f"\nreply {reply.status}\n{text[:MOST_SHOWN]}{more}"))


def _told(
    result: EffectResult, tool: str, table: ToolTable, users: list[AgentSpec], request: EffectRequest, bot: Bot
) -> Iterator[str]:
    """What a result is to each task that uses the tool, and to a hook."""
    from fsm.effects import Ok
    from fsm.spec import Act, End, Known
    from fsm.walk import NOT_UNDERSTOOD

    event = type(result).__name__.lower()
    values = dict(result.values) if isinstance(result, Ok) else {}
    locale = request.context.locale
    said = "" if isinstance(result, Ok) else locale.of(result.say)
    yield f"\n{event}{''.join(f', {name} = {json.dumps(value)}' for name, value in values.items())}"
    if users and isinstance(result, Ok):
        yield from (f"image {name}: {_looked_at(result.images.get(name))}" for name in table.ok.keep_images)
    before, after = bot.profile.before_call, bot.profile.after_call
    if after is not None and after.tool == tool:
        yield "told after a call: the caller has gone" + (f"; {said}" if said else "")
    elif said and users:
        yield f"the caller hears: {said}"
    if before is not None and before.tool == tool:
        found = {**before.defaults, **values}
        named = ", ".join(
            f"{{before.{name}}} is {json.dumps(value, ensure_ascii=False)}" for name, value in found.items()
        )
        yield f"before a call: {named or 'nothing is found'}"
    for spec in users:
        for name, act in spec.states.items():
            if not isinstance(act, Act) or act.effect != tool:
                continue
            then, slots = event, dict(request.slots)
            if (misfit := spec.misfit(act, values)) is not None:
                then = "failed" if spec.reads_only(act) else "unclear"
                given = json.dumps(values[misfit], ensure_ascii=False)
                what = spec.slots[misfit].value_type.__name__
                yield f"{spec.name}: {misfit} is no {what}: {given}; the caller hears: {locale.of(NOT_UNDERSTOOD)}"
            else:
                slots |= {fill: spec.slots[fill].filled_by(values[fill]) for fill in act.fills if fill in values}
            known = Known(request.context.now(), slots, {**request.facts, **values})
            arrow = next(each for each in spec.arrows(name, then) if each.when is None or each.when(known))
            end = spec.states[arrow.to]
            told = f", which says: {_sentence(end.say, slots, locale)}" if isinstance(end, End) and end.say else ""
            yield f"{spec.name}: {name} → {arrow.to}{told}"


def _looked_at(content: bytes | None) -> str:
    """An image that the reply should hold, as far as it can be shown to a model."""
    from protocols.images import ImageFault, image_of

    if content is None:
        return "the reply has none at that place"
    try:
        image = image_of(content)
    except ImageFault as fault:
        return f"{len(content)} bytes; {fault}"
    return f"{image.kind}, {image.width}x{image.height}, {len(content)} bytes"


def _sentence(template: str, slots: Mapping[str, Any], locale: Locale) -> str:
    try:
        return locale.fill(template, slots)
    except (KeyError, ValueError):  # of values that were not given
        return locale.of(template)
