"""Transfers the caller to a human, by VAIC's transfer activity.

May import: fsm, the standard library.
"""

from __future__ import annotations

from fsm.spec import AgentSpec, Collect, End, Slot

HAND_OVER = AgentSpec(
    name="hand_over",
    description="The caller wants to speak to a human, a person, an operator or a colleague. Call this at once.",
    start="Collect",
    slots={
        "to": Slot(
            str,
            ask="Whom would you like to speak to?",
            describe="To whom, only if the caller names it.",
            choices="transfer_targets",
        )
    },
    states={
        "Collect": Collect(slots=("to",), retries=2),
        "HandedOver": End("transfer", say="I will put you through to a colleague.", target="to"),
        "Cancelled": End("cancelled", say="All right. Is there anything else I can do for you?"),
    },
    transitions={("Collect", "filled"): "HandedOver", ("Collect", "gave_up"): "HandedOver"},
    carries_notes=True,
    ends_call=True,
)
