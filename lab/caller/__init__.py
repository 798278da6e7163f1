"""The simulated caller: AudioCodes VoiceAI Connect and a person on the telephone, as a WebSocket client.

May import: lab.caller, protocols.
"""

from lab.caller.call import place_call, run_call
from lab.caller.events import (
    BargedIn,
    BotSpoke,
    BotWrote,
    CallerEvent,
    CallerRecognised,
    CallerSpoke,
    Dropped,
    Ended,
    Resumed,
)
from lab.caller.report import CallReport, Outage, Task, Turn
from lab.caller.script import (
    Drop,
    Dtmf,
    HangUp,
    Interrupt,
    Say,
    ScriptError,
    ScriptStep,
    Wait,
    Write,
    parse_script,
    parse_start,
)
from lab.caller.settings import CallSettings

__all__ = [
    "BargedIn",
    "BotSpoke",
    "BotWrote",
    "CallReport",
    "CallSettings",
    "CallerEvent",
    "CallerRecognised",
    "CallerSpoke",
    "Drop",
    "Dropped",
    "Dtmf",
    "Ended",
    "HangUp",
    "Interrupt",
    "Outage",
    "Resumed",
    "Say",
    "ScriptError",
    "ScriptStep",
    "Task",
    "Turn",
    "Wait",
    "Write",
    "parse_script",
    "parse_start",
    "place_call",
    "run_call",
]
