"""The tools of a bot: what its file declares under `[tool.NAME]`, as effects of its tasks.

May import: fsm, gateway.bots, gateway.settings, http_tools, pydantic, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pydantic import ValidationError

from fsm.effects import EffectRequest, EffectResult, Failed, Remote
from gateway.bots.faults import BotFault, Source
from gateway.bots.positions import KeyPath
from gateway.settings import Settings, SettingsError, ToolSettings, listed, read_tool_secret
from http_tools.declaration import ToolTable, tools_in
from http_tools.guard import HostGuard
from http_tools.tool import ToolHost, remote


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
    return ToolHost(guard, read_tool_secret)


def tools_of(source: Source, host: ToolHost, faults: list[BotFault]) -> dict[str, BotTool]:
    """A bot's tools by name. faults: gets what the form of the file does not tell."""
    tools: dict[str, BotTool] = {}
    given = source.data.get("tool")
    for keys, each in tools_in(given) if isinstance(given, dict) else ():
        name, path = ".".join(keys), ("tool", *keys)
        if name in tools:
            faults.append(source.fault(path, f"the tool {name} stands here twice; leave one out"))
        try:
            table = ToolTable.model_validate_json(json.dumps(each, default=str), strict=True)
        except ValidationError:
            reads_only = isinstance(each, Mapping) and each.get("reads_only") is True
            tools[name] = BotTool(path, None, Remote(_broken, reads_only=reads_only), host)
            continue
        faults += _unreachable(source, path, table, host.guard)
        secrets = {}
        for secret in sorted(table.secrets()):
            try:
                secrets[secret] = host.secret(secret)
            except SettingsError as error:
                faults.append(source.fault((*path, "auth"), f"secret:{secret}: {error}"))
        own = replace(host, secret=secrets.__getitem__)
        tools[name] = BotTool(path, table, remote(name, table, own), own)
    return tools


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
