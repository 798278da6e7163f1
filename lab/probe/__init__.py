"""The probe: grades any bot that VAIC could call, and any Realtime server, by the rules of the two wire specifications.

    report = await probe_bot(ProbeSettings(url="ws://127.0.0.1:8050"))          # tieline probe --to
    report = await probe_realtime(ProbeSettings(url="ws://127.0.0.1:9050"))     # tieline probe --realtime

May import: lab, protocols.
"""

from lab.probe.ledger import ProbeReport, RuleVerdict
from lab.probe.realtime import probe_realtime
from lab.probe.settings import ProbeSettings, Unreachable
from lab.probe.vaic import probe_bot

__all__ = ["ProbeReport", "ProbeSettings", "RuleVerdict", "Unreachable", "probe_bot", "probe_realtime"]
