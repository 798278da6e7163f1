"""A bot with two tasks in files and the tools that they use."""

from __future__ import annotations

from tests.gateway.bots.folders import BOT

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
