"""Tries software of others on the lab: `python -m tests.clients [NAME …]`; `--light` for what CI tries, `--list` lists.

Each client is installed, the newest there is, into an environment of its own below .clients/. It exits with 1 if a
scene of one failed; a client that its registry does not have is told, and fails nothing.
May import: tests.clients, tests.http_tools, tests.lab, lab, gateway (logs, files), the standard library.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.bots.faults import checked, parse_toml
from gateway.logs import set_up_logs
from lab.caller import CallSettings, Drop, Dtmf, Say, ScriptStep, Write, place_call
from lab.engine import Engine, EngineSettings
from lab.script import Script, ScriptTable, script_of
from tests.clients.catalogue import CLIENTS, Client
from tests.http_tools.mcp_server import mcp_server
from tests.lab.engine_client import SPEECH, speech
from tests.ports import free_ports

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".clients"
LIMIT_S = 400.0
TOKEN = "open-sesame"


@dataclass(frozen=True, slots=True)
class Result:
    """passed: by scene. trouble: why the client was not tried at all."""

    client: Client
    version: str = ""
    passed: dict[str, str] | None = None
    trouble: str = ""

    @property
    def failed(self) -> bool:
        return self.passed is not None and any(self.passed.get(scene) != "passed" for scene in self.client.scenes)

    def line(self) -> str:
        told = self.passed or {}
        scenes = ", ".join(
            scene if told.get(scene) == "passed" else f"{scene.upper()} FAILED ({told.get(scene, 'did not end')})"
            for scene in self.client.scenes
        )
        return f"{self.client.name:<20}{self.version:<10}{self.trouble or scenes}"


# --- environments ---


async def output_of(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> tuple[int, str]:
    """The exit code of a command, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        return 1, f"no end in {LIMIT_S:.0f} s"
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, told.decode(errors="replace")


async def installed(client: Client) -> tuple[str, str]:
    """Install a client. Returns its version, or why there is none."""
    folder = CACHE / client.name
    folder.mkdir(parents=True, exist_ok=True)
    if client.is_node:
        if shutil.which("npm") is None:
            return "", "not tried: there is no npm"
        (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
        code, told = await output_of(
            "npm", "install", "--no-audit", "--no-fund", *(f"{each}@latest" for each in client.packages), cwd=folder
        )
        # It may have been put there by hand, where the registry at hand has it not.
        if code and not (folder / "node_modules" / client.distribution).is_dir():
            missing = "E404" in told or " 404 " in told
            return "", "not tried: its registry does not have it here" if missing else f"not installed: {told[-300:]}"
        for script in (HERE / "node").glob("*.mjs"):
            shutil.copy(script, folder)
        _, version = await output_of(
            "node", "-p", f"JSON.parse(fs.readFileSync('node_modules/{client.distribution}/package.json')).version",
            cwd=folder,
        )  # fmt: skip
        return version.strip(), ""
    python = folder / "bin" / "python"
    if not python.exists():
        await output_of(sys.executable, "-m", "venv", str(folder))
    code, told = await output_of(
        str(python), "-m", "pip", "install", "--quiet", "--upgrade", "--disable-pip-version-check", *client.packages
    )
    if code:
        return "", f"not installed: {told[-300:]}"
    _, version = await output_of(
        str(python), "-c", f"from importlib.metadata import version; print(version('{client.distribution}'))"
    )
    return version.strip(), ""


# --- clients of the engine ---


async def tried(client: Client, environment: dict[str, str]) -> Result:
    """Install a client and play its scenes."""
    version, trouble = await installed(client)
    if trouble:
        return Result(client, trouble=trouble)
    if client.bot:
        return Result(client, version, await called(client))
    folder = CACHE / client.name
    script = HERE / client.script
    command = ("node", script.name) if client.is_node else (str(folder / "bin" / "python"), str(script))
    _, told = await output_of(*command, cwd=folder, env=environment)
    passed: dict[str, str] = {}
    for line in told.splitlines():
        match line.split(" ", 2):
            case ["passed", scene]:
                passed[scene] = "passed"
            case ["failed", scene, why]:
                passed[scene] = why
    result = Result(client, version, passed)
    if result.failed:
        print(told, file=sys.stderr)
    return result


def the_script() -> Script:
    source = parse_toml("model.toml", (HERE / "model.toml").read_bytes())
    return script_of(checked(ScriptTable, source), lambda number: f"rule {number}", lambda *_: None)


# --- bots that the simulated caller calls ---


async def called(client: Client) -> dict[str, str]:
    """Have the caller talk to a bot: to its hang-up, and over a lost socket, which the library does not resume."""
    port = free_ports()
    environment = {**os.environ, "PORT": str(port), "TOKEN": TOKEN}
    process = await asyncio.create_subprocess_exec(
        "node", Path(client.script).name, cwd=CACHE / client.name, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            assert await process.stdout.readline() == b"listening\n"
            hours = Say(SPEECH / "rms_hours.wav")
            return {
                "call": await _call(port, [hours, Dtmf("#")], "bot-disconnected", []),
                "chat": await _call(port, [Write("hello"), Write("disconnect")], "bot-disconnected", [], chat=True),
                "resume": await _call(
                    port,
                    [hours, Drop(500)],
                    "error",
                    ["resume_refused: conversation not found", "script_not_finished: drop:500"],
                ),
            }
    finally:
        process.terminate()
        await process.wait()


async def _call(port: int, steps: Sequence[ScriptStep], outcome: str, errors: list[str], *, chat: bool = False) -> str:
    settings = CallSettings(
        url=f"ws://127.0.0.1:{port}",
        token=TOKEN,
        conversation_id=str(uuid.uuid4()),
        formats=("raw/lpcm16",),
        ops_url=None,
        chat=chat,
    )
    report = await place_call(settings, steps)
    told = [each.partition(" (at")[0] for each in report.errors]
    return "passed" if (report.outcome, told) == (outcome, errors) else f"{report.outcome}: {told}"


# --- all of it ---


async def try_all(clients: Sequence[Client]) -> list[Result]:
    with tempfile.TemporaryDirectory() as name, mcp_server() as shop:
        folder = Path(name)
        (folder / "hours.raw").write_bytes(speech("rms_hours", silence_ms=1500))
        script = the_script()
        async with (
            Engine(EngineSettings(port=0), script=script) as plain,
            Engine(EngineSettings(port=0, self_signed=folder / "ca.pem"), script=script) as secured,
        ):
            environment = {
                **{key: value for key, value in os.environ.items() if not key.startswith(("OPENAI_", "TIELINE_"))},
                "ENGINE_URL": plain.url,
                "ENGINE_TLS_URL": secured.url.replace("127.0.0.1", "localhost"),
                "MCP_URL": shop.url,
                "SPEECH": str(folder / "hours.raw"),
                "SSL_CERT_FILE": str(folder / "ca.pem"),
                "NODE_EXTRA_CA_CERTS": str(folder / "ca.pem"),
            }
            results = []
            for client in clients:
                results.append(await tried(client, environment))
                print(results[-1].line(), flush=True)
            return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which of them; all, if left out")
    parser.add_argument("--light", action="store_true", help="only those that are quick to install and try")
    parser.add_argument("--list", action="store_true", help="list them, and try none")
    options = parser.parse_args()
    known = {client.name: client for client in CLIENTS}
    if unknown := set(options.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = [each for each in CLIENTS if (each.name in options.names or not options.names)]
    chosen = [each for each in chosen if each.light or not options.light]
    if options.list:
        for each in chosen:
            print(f"{each.name:<20}{each.distribution:<28}{', '.join(each.scenes)}")
        return 0
    set_up_logs("WARNING")
    results = asyncio.run(try_all(chosen))
    failed = sum(each.failed or "not installed" in each.trouble for each in results)
    tried_of = sum(each.passed is not None for each in results)
    print(f"{tried_of - sum(each.failed for each in results)} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
