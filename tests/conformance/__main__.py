"""Plays the WebSocket conformance suite against both of our sides; fails where not the known cases fail.

Usage: python -m tests.conformance. The suite waits by the clock: nothing else should run beside it.
May import: tests.conformance, kosoku, loguru, the standard library.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

from kosoku._kosoku import CaseResult
from loguru import logger

from tests.conformance.websockets import judge_client, judge_server

# Why a verdict is not the best one, by the beginning of the case's number: NON-STRICT, which is within the rules.
WITHIN = {
    "6.4.": "1007 at the end of the message, not in the midst of it: the JSON reader is who finds what is no UTF-8",
    "3.": "the peer's text came in one read with what breaks the protocol, and is not answered",
    "4.": "the same",
    "5.": "the same",
}
# FAILED, and why it stays so.
BROKEN = {"7.1.5": "a close frame between two fragments is answered with 1002, not 1000: a choice of `websockets`"}


def _told(side: str, cases: list[CaseResult]) -> Iterator[str]:
    yield f"{side}: {sum(case.passed for case in cases)} of {len(cases)} cases passed"
    for case in cases:
        if not case.passed:
            yield f"  {case.case_id} {case.result_close}: {BROKEN.get(case.case_id, 'new')}"
        elif case.behavior.value == "NON-STRICT":
            why = next((why for begin, why in WITHIN.items() if case.case_id.startswith(begin)), "new")
            yield f"  {case.case_id} not strict: {why}"


def main() -> int:
    """Print both sides' verdicts. Returns the exit code."""
    logger.remove()
    new = False
    for side, judge in (("server", judge_server), ("client", judge_client)):
        cases = asyncio.run(judge())
        sys.stdout.writelines(f"{line}\n" for line in _told(side, cases))
        new |= {case.case_id for case in cases if not case.passed} != set(BROKEN)
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
