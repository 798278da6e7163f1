"""`[before_call]` and `[after_call]` of a bot's file: the look-up before a call, and what is told after it.

May import: actors, gateway.bots, http_tools, store's outbox, the standard library.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from actors.bots import DIALLED, OF_START, AfterCall, BeforeCall
from gateway.bots.faults import BotFault, Source
from gateway.bots.positions import KeyPath
from gateway.bots.schema import AfterCallSection, BeforeCallSection
from gateway.bots.task_files import OF_CALL, has_form
from gateway.bots.tools import BotTool
from http_tools.declaration import ToolTable
from http_tools.tool import look_up_within, teller
from store.outbox import FACTS, TRANSCRIPT

SECONDS = "seconds"
# How much longer than the greeting waits a look-up may take: so that one that is late is counted as such.
LATE_MARGIN_S = 0.2


def facts(*, words: bool) -> list[str]:
    """The names of what may be told of a call. words: whether its words are."""
    return [name for name in FACTS if name != TRANSCRIPT or words]


def with_body(table: ToolTable, *, words: bool) -> ToolTable:
    """The tool of an `after_call` with a body: everything that may be told, if it has none of its own."""
    if table.body is not None or table.method == "GET":
        return table
    body = {name: f"{{{name}}}" for name in ("conversation", "caller", *facts(words=words))}
    return table.model_copy(update={"body": body})


class Hooks:
    """Makes the two of one bot. tools: the bot's. faults: gets what is wrong."""

    def __init__(self, source: Source, tools: Mapping[str, BotTool], faults: list[BotFault]) -> None:
        self._source = source
        self._tools = tools
        self._faults = faults

    def before(self, given: BeforeCallSection | None) -> tuple[BeforeCall | None, dict[str, bool]]:
        """The look-up, and whether each value that it keeps has a default. None if there is none, or it is wrong."""
        if given is None:
            return None, {}
        path = ("before_call",)
        found = self._tool(given.tool, path)
        if found is None or found.table is None:
            return None, {}
        table = found.table
        if not table.reads_only:
            self._fault((*path, "tool"), f"needs a look-up; say reads_only = true in [tool.{given.tool}]")
        kept = table.ok.keep
        for name in given.defaults:
            if name not in kept:
                message = f"nothing is kept under this name; write keep = {{ {name} = … }} in ok of [tool.{given.tool}]"
                self._fault((*path, "defaults", name), message)
        own = {*OF_CALL, DIALLED}
        self._faults += self._unknown(found, table, own, f"{{{OF_START}NAME}} for a parameter of VAIC's start")
        named = table.placeholders()
        hook = BeforeCall(
            tool=given.tool,
            look_up=look_up_within(given.tool, table, found.host, given.within_s + LATE_MARGIN_S),
            within_s=given.within_s,
            defaults=given.defaults,
            needs_start=any(each == DIALLED or each.startswith(OF_START) for each in named),
        )
        return hook, {name: name in given.defaults for name in kept}

    def after(self, given: AfterCallSection | None) -> AfterCall | None:
        """What is told after a call; None if nothing, or if it is wrong."""
        if given is None:
            return None
        path = ("after_call",)
        found = self._tool(given.tool, path)
        if found is None or found.table is None:
            return None
        table = found.table
        if not table.idempotent or table.reads_only:
            message = (
                f"may be sent more than once, with one Idempotency-Key; say idempotent = true in [tool.{given.tool}]"
                " if the far side honours it"
            )
            self._fault((*path, "tool"), message)
        names = facts(words=given.words)
        table = with_body(table, words=given.words)
        more = "" if given.words else f"{{{TRANSCRIPT}}} with words = true"
        self._faults += self._unknown(found, table, {*OF_CALL, *names}, more)
        send, longest_s = teller(given.tool, table, found.host)
        return AfterCall(given.tool, send, longest_s, given.words)

    def _tool(self, name: str, path: KeyPath) -> BotTool | None:
        found = self._tools.get(name)
        if found is None:
            there = f"there are {', '.join(self._tools)}" if self._tools else f"write [tool.{name}]"
            self._fault((*path, "tool"), f'there is no tool "{name}"; {there}')
        return found

    def _unknown(self, tool: BotTool, table: ToolTable, known: Collection[str], more: str) -> Iterator[BotFault]:
        there = ", ".join(f"{{{each}}}" for each in sorted(known)) + (f", and {more}" if more else "")
        for path, _, each in table.named():
            if each not in known and not (each.startswith(OF_START) and DIALLED in known):
                yield self._source.fault((*tool.path, *path), f"{{{each}}} is not known here; there are {there}")
        for path, each, form in table.formed():
            if not has_form(float if each == SECONDS else str, form):
                message = f"{{{each}:{form}}}: what is sent has no such form; write {{{each}}}"
                yield self._source.fault((*tool.path, *path), message)

    def _fault(self, path: KeyPath, message: str) -> None:
        self._faults.append(self._source.fault(path, message))
