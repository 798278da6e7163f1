"""The tools of a bot: what its file declares under `[tool.NAME]`, as effects of its tasks.

May import: actors.metrics, fsm, gateway.bots, gateway.settings, http_tools, pydantic, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pydantic import ValidationError

from actors.metrics import TOOLS_REFUSED
from fsm.effects import EffectRequest, EffectResult, Failed, NotSent, Remote
from gateway.bots.faults import BotFault, Source, unknown_name, validated
from gateway.bots.positions import KeyPath
from gateway.settings import Settings, SettingsError, ToolSettings, listed, read_tool_secret
from http_tools.declaration import McpServer, McpToolTable, ToolTable, tool_form, tools_in
from http_tools.exchange import Broken, NotAllowed, Unsent
from http_tools.guard import HostGuard
from http_tools.mcp_client import Pinned, prepare
from http_tools.tool import ToolHost, offered, remote
from http_tools.trace_context import TraceIds


@dataclass(frozen=True, slots=True)
class BotTool:
    """A tool of a bot. path: where it stands in the file. table: None if it is wrong, which is told already.

    host: what it needs of the deployment, with the secrets as they are now.
    """

    path: KeyPath
    table: ToolTable | None
    effect: Remote
    host: ToolHost


def tool_host(settings: Settings | ToolSettings) -> ToolHost:
    """What the tools of all bots share."""
    guard = HostGuard(listed(settings.tool_hosts), listed(settings.tool_private_hosts))
    ids = TraceIds(settings.trace_key.get_secret_value())
    return ToolHost(guard, read_tool_secret, refused=lambda tool: TOOLS_REFUSED.labels(tool).inc(), ids=ids)


def tools_of(source: Source, host: ToolHost, faults: list[BotFault]) -> dict[str, BotTool]:
    """A bot's tools by name. faults: gets what the form of the file does not tell."""
    tools: dict[str, BotTool] = {}
    given = source.data.get("tool")
    for keys, each in tools_in(given) if isinstance(given, dict) else ():
        name, path = ".".join(keys), ("tool", *keys)
        if name in tools:
            faults.append(source.fault(path, f"the tool {name} stands here twice; leave one out"))
        table = _table_of(source, path, each, faults)
        if table is None:
            reads_only = isinstance(each, Mapping) and each.get("reads_only") is True
            tools[name] = BotTool(path, None, Remote(_broken, reads_only=reads_only), host)
            continue
        # Where its URLs and secrets stand.
        of = ("mcp", table.mcp) if isinstance(table, McpToolTable) else path
        faults += _unreachable(source, of, table, host.guard)
        secrets = {}
        for secret in sorted(table.secrets()):
            try:
                secrets[secret] = host.secret(secret)
            except SettingsError as error:
                faults.append(source.fault((*of, "auth"), f"secret:{secret}: {error}"))
        own = replace(host, secret=secrets.__getitem__)
        if isinstance(table, McpToolTable):
            faults += _not_as_pinned(
                source, path, table, replace(own, asks=own.asks and secrets.keys() == table.secrets())
            )
        tools[name] = BotTool(path, table, remote(name, table, own), own)
    return tools


def _table_of(source: Source, path: KeyPath, given: object, faults: list[BotFault]) -> ToolTable | None:
    """A tool as it is declared; None if it is wrong. faults: gets what the form of the file does not tell."""
    try:
        table = validated(tool_form(given), given)
    except ValidationError:
        return None
    return _at_its_server(source, path, table, faults) if isinstance(table, McpToolTable) else table


def _at_its_server(source: Source, path: KeyPath, table: McpToolTable, faults: list[BotFault]) -> McpToolTable | None:
    """A tool with its server's URL and credentials; None if there are none, or wrong ones."""
    servers = source.data.get("mcp", {})
    given = servers.get(table.mcp) if isinstance(servers, dict) else None
    if given is None:
        there = unknown_name(table.mcp, servers) if servers else f'write [mcp.{table.mcp}] with url = "https://…"'
        faults.append(source.fault((*path, "mcp"), f'there is no server "{table.mcp}"; {there}'))
        return None
    try:
        prepare()
    except ImportError:
        faults.append(source.fault((*path, "mcp"), "needs the package mcp; install tieline[mcp]"))
        return None
    try:
        server = validated(McpServer, given)
    except ValidationError:  # told with the form of the file
        return None
    return table.model_copy(update={"url": server.url, "auth": server.auth})


def _not_as_pinned(source: Source, path: KeyPath, tool: McpToolTable, host: ToolHost) -> Iterator[BotFault]:
    """What is not at its server as the file has it; without asking there, whether it is pinned at all."""
    name, found = ".".join(map(str, path[1:])), None
    if host.asks:
        try:
            found = offered(name, tool, host)
        except (Unsent, Broken, NotAllowed, NotSent) as error:
            host.missed(f"{source.file}: {name}: the MCP server could not be asked: {error}")
        else:
            if found is None:
                yield source.fault(
                    (*path, "name"), f"the MCP server has no tool {tool.name}; correct it, or leave it out"
                )
                return
    if not tool.input_schema:
        told = (
            f'"{found.input_schema}"'
            if found
            else '"sha256:…", as `tieline bots check` tells where it reaches the server'
        )
        yield source.fault((*path, "input_schema"), f"is missing; write input_schema = {told}")
    elif found and (differs := found.differs(Pinned(tool.name, tool.input_schema, tool.reads_only))):
        key = "input_schema" if found.input_schema != tool.input_schema else "reads_only"
        yield source.fault((*path, key), f"{differs}; see what has changed, and correct this")


def _broken(request: EffectRequest) -> EffectResult:
    """In place of a tool that is wrong, so that the tasks that use it can be looked at."""
    return Failed("")


def _unreachable(source: Source, path: KeyPath, tool: ToolTable, guard: HostGuard) -> Iterator[BotFault]:
    """The URLs that the deployment does not allow."""
    for keys, url in tool.urls().items():
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not guard.admits(host):
            setting = "TIELINE_TOOL_PRIVATE_HOSTS" if guard.is_private(host) else "TIELINE_TOOL_HOSTS"
            yield source.fault((*path, *keys), f"tools may not reach {host}; if they should, add it to {setting}")
        elif parts.scheme == "http" and tool.secrets() and host not in guard.private:
            message = f"would send a secret in clear text; write https://, or add {host} to TIELINE_TOOL_PRIVATE_HOSTS"
            yield source.fault((*path, *keys), message)
