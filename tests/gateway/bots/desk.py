"""A bot with two tasks in files and the tools that they use."""

from __future__ import annotations

from dataclasses import replace

from gateway.bots.compile import Defaults
from gateway.settings import read_tool_secret
from http_tools.guard import HostGuard
from http_tools.tool import ToolHost
from tests.gateway.bots.folders import BOT, DEFAULTS

CALLBACK = """\
[task]
name = "callback"
description = "The caller wants to be called back."

[slot.topic]
type = "choice"
choices = ["billing", "repair"]
ask = "Is it about billing or a repair?"

[slot.day]
type = "date"
ask = "On which day?"
check = ["not_past", "within_hours"]

[slot.at]
type = "time"
ask = "At what time?"
check = "within_hours"

[flow]
collect = ["topic", "day", "at"]
confirm = "A callback about {topic} on {day} at {at}. Is that right?"
done = { say = "We will call you back." }

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
type = "amount"
stored = true

[flow]
collect = ["what"]
done = { say = "It is {price}." }

[effect]
tool = "price.find"
"""
TOML = f"""\
{BOT}[hours]
mon = ["09:00-17:00"]

[[task]]
file = "tasks/callback.toml"

[[task]]
file = "tasks/price.toml"

[tool.crm.callback]
url = "https://crm.example/callbacks"
auth = {{ bearer = "secret:CRM" }}
body = {{ number = "{{caller}}", topic = "{{topic}}", at = "{{at:iso}}" }}
ok = {{ keep = {{ ticket = "data.id" }} }}

[tool.price.find]
method = "GET"
url = "https://shop.example/prices"
query = {{ what = "{{what}}" }}
ok = {{ keep = {{ price = "price" }} }}
reads_only = true
"""
TASKS = {"tasks__callback_dot_toml": CALLBACK, "tasks__price_dot_toml": PRICE}


def with_tools(guard: HostGuard | None = None) -> Defaults:
    """What a bot with tools is compiled with; its secrets are those of the environment."""
    return replace(DEFAULTS, tools=ToolHost(guard or HostGuard(), read_tool_secret))


def with_mcp(server: str, pin: str = "", tool: str = "callback") -> str:
    """The desk with its callback at an MCP server."""
    http = TOML.partition("[tool.crm.callback]\n")[2].partition("\n\n")[0]
    mcp = f"""\
mcp = "crm"
name = "{tool}"
arguments = {{ topic = "{{topic}}", number = "{{caller}}" }}
ok = {{ keep = {{ ticket = "id" }} }}
{f'input_schema = "{pin}"' if pin else ""}
[mcp.crm]
url = "{server}"
auth = {{ bearer = "secret:CRM" }}"""
    return TOML.replace(http, mcp)
