"""What the caller hears next: the question of the current state, with more help at each attempt, until it gives up.

May import: fsm, the standard library.
"""

from __future__ import annotations

from fsm.memory import Memory
from fsm.spec import AgentSpec, Choose, Collect, Confirm, End
from fsm.walk import Step, Walk


def settle(spec: AgentSpec, memory: Memory, walk: Walk) -> None:
    """Set the sentence for the run's current state and count a failed attempt; may take `gave_up` first."""
    memory.asked = ""
    match spec.states[memory.state]:
        case Collect(retries=retries):
            memory.asked = walk.step.asked or next(iter(walk.missing_here()), "")
            if _gives_up(spec, memory, walk, memory.asked or memory.state, retries):
                return
            question = _question(spec, memory)
        case Confirm(template=question, retries=retries) | Choose(ask=question, retries=retries):
            if _gives_up(spec, memory, walk, memory.state, retries):
                return
            question = memory.locale.fill(question, memory.slots)
        case End(say=template):
            question = memory.locale.fill(template, memory.slots)
        case _:
            return
    told = walk.step.told
    # A sentence that is a question is not followed by another one; after a silence it is, to repeat what was asked.
    asks = (told.endswith("?") or walk.step.piece) and memory.asked and not walk.step.silent
    memory.say = told if asks else f"{told} {question}".strip()


def _gives_up(spec: AgentSpec, memory: Memory, walk: Walk, key: str, retries: int) -> bool:
    step = walk.step
    if spent := walk.spent():
        # Known before the read-back, so that nobody agrees to what is not done.
        memory.note("decision", f"gave up on {key}: no further effect is allowed")
        step.told = spent
        walk.go("gave_up")
        settle(spec, memory, walk)
        return True
    failed = step.failed and step.counts
    if failed:
        (memory.no_input if step.silent else memory.no_match)[key] += 1
    # A silent caller may have left: the call's own watch says goodbye, and nobody is transferred who did not ask.
    worn_out = failed and not step.silent and memory.no_match[key] >= retries
    if not worn_out and len(memory.visited) < spec.patience:
        return False
    memory.note("decision", f"gave up on {key}")
    walk.step = Step(acted=step.acted, taken=step.taken, actions=step.actions, images=step.images)
    walk.go("gave_up")
    settle(spec, memory, walk)
    return True


def _question(spec: AgentSpec, memory: Memory) -> str:
    if memory.asked:
        attempts = memory.no_input[memory.asked] + memory.no_match[memory.asked]
        return spec.slots[memory.asked].question(attempts, memory.locale)
    # A Collect waits with nothing missing only after a no: the Confirm before it has the question.
    confirm = spec.states[memory.visited[-2]]
    return memory.locale.of(confirm.change) if isinstance(confirm, Confirm) else ""
