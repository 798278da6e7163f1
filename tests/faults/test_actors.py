"""A bug of ours in each kind of actor of a call: the call goes on, or ends in words, and no other call notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from lab.caller import BotSpoke, CallerEvent, CallerSpoke
from tests.faults.scene import CRASHABLE, Scene, longest_gap_ms, play
from tests.faults.scripts import QUESTION, WISH

# After the caller's question, so long until the bot is in the middle of its answer.
INTO_THE_ANSWER_S = 2.0


def test_actor_crashes_are_repaired_or_end_in_words(tmp_path: Path, figures: dict[str, float]) -> None:
    async def act(scene: Scene) -> None:
        def crash(actor: str, conversation_id: str) -> Callable[[CallerEvent], None]:
            """In the middle of the answer; a task's agent, when its question was heard."""

            def happened(event: CallerEvent) -> None:
                heard.append(event)
                if actor == "FsmAgent":
                    if sum(isinstance(each, BotSpoke) for each in heard) == 2 and isinstance(event, BotSpoke):
                        scene.nodes[0].crash(actor, conversation_id)
                elif isinstance(event, CallerSpoke) and sum(isinstance(each, CallerSpoke) for each in heard) == 1:
                    asyncio.get_running_loop().call_later(
                        INTO_THE_ANSWER_S, scene.nodes[0].crash, actor, conversation_id
                    )

            heard: list[CallerEvent] = []
            return happened

        agent, model, vaic, supervisor = await asyncio.gather(
            scene.call(*WISH, conversation_id="agent", on_event=crash("FsmAgent", "agent")),
            scene.call(*QUESTION, conversation_id="model", on_event=crash("OpenAISocket", "model")),
            scene.call(*QUESTION, conversation_id="vaic", on_event=crash("VaicSocket", "vaic")),
            scene.call(*QUESTION, conversation_id="supervisor", on_event=crash("CallSupervisor", "supervisor")),
        )
        log = scene.nodes[0].log.read_text()
        # All four have died of it.
        assert log.count("AssertionError") >= 4

        assert (agent.outcome, agent.errors) == ("bot-disconnected", ())
        assert len(scene.appointments()) == 1
        assert [task.result for task in (await scene.record("agent")).tasks] == ["booked", "hangup"]

        # A caller's side that crashes loses what it was about to play: the bot says that the line was interrupted.
        for name, report, limit_s in (("model", model, 1.5), ("vaic", vaic, 2.0)):
            assert (report.outcome, report.errors) == ("bot-disconnected", ()), name
            record = await scene.record(name)
            assert record.outcome == "completed"
            asked = next(turn for turn in report.turns if turn.role == "caller")
            scene.measured(f"{name}: silence", longest_gap_ms(report, asked.ended_ms), limit_s)

        assert supervisor.outcome == "bot-disconnected"
        record = await scene.record("supervisor")
        assert record.outcome == "failed"
        words = [turn for turn in supervisor.turns if turn.role == "bot"][-1]
        assert words.heard_ms > 4000, "the apology was not heard to its end"

    play(tmp_path, figures, act, program=CRASHABLE)
