"""A bot that loses every seventh chunk of the caller's audio, and a launcher for bots."""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).parents[2]


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up_s = time.monotonic() + 60
    while True:
        assert process.poll() is None, "it ended before it listened"
        assert time.monotonic() < give_up_s, "it did not listen in time"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            # Polled, but not so often that the program is kept from its start.
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        else:
            return


async def one_call(vaic: ServerConnection, model_port: int) -> None:
    accepted = await vaic.recv()
    await vaic.send(
        json.dumps({"type": "session.accepted", "conversationId": json.loads(accepted)["conversationId"],
                    "mediaFormat": "raw/lpcm16_24"})
    )  # fmt: skip
    async with connect(f"ws://127.0.0.1:{model_port}") as model:
        await model.send('{"type":"session.update","session":{}}')
        await model.send('{"type":"response.create"}')

        async def down() -> None:
            async for text in model:
                event = json.loads(text)
                if event["type"] == "response.output_audio.delta":
                    await vaic.send(json.dumps({"type": "playStream.chunk", "audioChunk": event["delta"]}))

        task = asyncio.create_task(down())
        count = 0
        try:
            async for text in vaic:
                frame = json.loads(text)
                if frame["type"] == "userStream.start":
                    await vaic.send('{"type":"userStream.started"}')
                elif frame["type"] == "userStream.chunk":
                    count += 1
                    if count % 7:
                        append = {"type": "input_audio_buffer.append", "audio": frame["audioChunk"]}
                        await model.send(json.dumps(append))
        except ConnectionClosed:
            pass
        task.cancel()


async def main(port: int, model_port: int) -> None:
    async with serve(lambda vaic: one_call(vaic, model_port), "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--model-port", type=int)
    options = parser.parse_args()
    asyncio.run(main(options.port, options.model_port))
