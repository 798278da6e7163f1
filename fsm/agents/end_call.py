"""Ends the call: says the farewell, after which the call hangs up.

May import: fsm, the standard library.
"""

from __future__ import annotations

from fsm.spec import AgentSpec, End

END_CALL = AgentSpec(
    name="end_call",
    description="The caller says goodbye or has nothing more to ask: ends the call after your farewell.",
    ends_call=True,
    start="HungUp",
    slots={},
    states={"HungUp": End("hangup", say="Thank you for calling. Goodbye.")},
    transitions={},
)
