"""Writes the seeds of the corpus: a sample of each frame, and streams of WebSocket frames.

Usage: python -m tests.fuzz.seeds. May import: protocols, tests, the standard library.
"""

from __future__ import annotations

import json

from protocols.realtime.client_events import AnyClientEvent
from protocols.realtime.server_events import AnyServerEvent
from protocols.vaic import FromVaic, ToVaic
from tests.fuzz.targets import CORPUS
from tests.protocols.wire import library, models, sample


def main() -> None:
    """Write them, in place of those there are."""
    for name, union in (("vaic", FromVaic), ("bot", ToVaic), ("realtime", AnyServerEvent), ("client", AnyClientEvent)):
        for number, (_, model) in enumerate(sorted(models(union).items())):
            _write(name, number, json.dumps(sample(model)).encode())
    peer = library(masks=True)
    peer.send_text(b"hello")
    peer.send_text("ä".encode() * 80)
    peer.send_ping(b"there")
    peer.send_text(b"part one, ", fin=False)
    peer.send_pong(b"in between")
    peer.send_continuation(b"part two", fin=True)
    peer.send_binary(b"\0\1")
    peer.send_close(1000, "bye")
    sent = peer.data_to_send()
    for number, stream in enumerate((sent[0], b"".join(sent[:3]), b"".join(sent[3:6]), b"".join(sent))):
        _write("frames", number, bytes((7 * number,)) + stream)

    said = {
        "type": "dialog",
        "side": "Bot",
        "turnDelayMs": 1180,
        "botDelayMs": 900,
        "sttDelayMs": 90,
        "ttsDelayMs": 60.5,
    }
    of_one = {"conversationId": "c-1", "transcript": [said, {"message": "Yes."}, said]}
    for number, pushed in enumerate(
        (of_one, [of_one, {"cdr": {"conversationId": "c-2"}, "messages": {"1": said}}, said])
    ):
        _write("reports", number, json.dumps(pushed).encode())


def _write(name: str, number: int, data: bytes) -> None:
    (CORPUS / name).mkdir(parents=True, exist_ok=True)
    (CORPUS / name / f"seed-{number:02}").write_bytes(data)


if __name__ == "__main__":
    main()
