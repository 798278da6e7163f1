"""The part of the session's instructions that keeps an open task in the model's mind during a digression.

Contains only words of the table's author, never the caller's: what a caller says must not become an instruction.
May import: fsm, the standard library. Rules from: docs/architecture.md 4.5.
"""

from __future__ import annotations

from collections.abc import Sequence

from fsm.locales import ENGLISH, Locale
from fsm.spec import AgentSpec, Choose, Collect, Confirm
from fsm.tools import cancel_name, choose_name, confirm_name, provide_name


def instructions(spec: AgentSpec, run_id: str, state: str, needs: Sequence[str], locale: Locale = ENGLISH) -> str:
    """A few lines for the model; "" if the state waits for nothing. needs: slots still missing, the next one first.

    locale: of the sentences for the caller in them.
    """
    back = _ASK_AGAIN
    match spec.states[state]:
        case Collect():
            now = (
                f"Next, the caller is to be asked: {locale.of(spec.slots[needs[0]].ask)}"
                if needs
                else _ASK_WHAT_TO_CHANGE
            )
        case Confirm():
            now = (
                "The caller is to say yes or no to what was read back; "
                f"call {confirm_name(spec.name)} with that answer, never without it. "
                "A yes of the caller counts only right after the whole read-back, heard to its end."
            )
            back = _READ_BACK_AGAIN
        case Choose(ask=ask) if ask:
            choose = choose_name(spec.name)
            now = f"The caller is to be asked: {locale.of(ask)} Call {choose} with the way the caller has chosen."
        case _:
            return ""
    return "\n".join(
        (
            f"Open task: {spec.name} (run {run_id}), state {state}, still missing: {', '.join(needs) or 'nothing'}.",
            now,
            f"Call {provide_name(spec.name)} as soon as the caller gives or corrects a value, "
            f"and {cancel_name(spec.name)} when the caller gives the task up.",
            f'Speak to the caller what {spec.name} and its functions return under "say" as it is given there.',
            f"Answer a question of the caller about something else in one sentence, then come back to this task {back}",
        )
    )


_ASK_AGAIN = "by asking the caller again for what it waits for; do so too if the caller has cut the question off."
# Only the question at its end would not do: the yes to it is refused (actors/tasks/consent.py).
_READ_BACK_AGAIN = (
    'by saying its last "say" to the caller again as a whole, every value and the question at the end. Do so too if '
    "the caller has cut it off, hesitates, or says anything else that is neither a yes, a no nor a value."
)
_ASK_WHAT_TO_CHANGE = "Next, the caller is to be asked which value is to be changed."
