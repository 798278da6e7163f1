"""One target in a process of atheris: `python -m tests.fuzz.one TARGET [libFuzzer's options] DIRECTORIES`.

May import: tests.fuzz, atheris, the standard library.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(
    include=["protocols", "websockets.frames", "websockets.protocol", "websockets.streams"]
):
    from tests.fuzz.targets import TARGETS, seeds, words

from tests.fuzz.mutator import JsonMutator


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    name, *options = sys.argv[1:]
    more: dict[str, Any] = {}
    if vocabulary := words(name):
        more["custom_mutator"] = JsonMutator(seeds(name), vocabulary)
    # By this name libFuzzer starts itself again, to merge a corpus.
    program = Path("out/fuzz") / f"{name}.sh"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.fuzz.one {name} "$@"\n')
    program.chmod(0o755)
    atheris.Setup([str(program), *options], TARGETS[name], **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
