"""Sentences that many scenes use. A scene begins on Wednesday 2026-11-25, 10:00 UTC, unless it says otherwise."""

from __future__ import annotations

from tests.adversary.model import call
from tests.adversary.scene import Own

TODAY, TOMORROW, FRIDAY = "2026-11-25", "2026-11-26", "2026-11-27"
AT_TEN, AT_ELEVEN = f"{TOMORROW} 10:00", f"{TOMORROW} 11:00"
NAME = "John Smith"

WISH = "I'd like an appointment tomorrow at ten, my name is John Smith."
OPEN = call("book_appointment", {"day": TOMORROW, "at": "10:00", "name": NAME})
YES = call("book_appointment_confirm", {"yes": True})
NO = call("book_appointment_confirm", {"yes": False})
ELEVEN = call("book_appointment_provide", {"at": "11:00"})
# The read-back in a model's own words, with every value.
READ_BACK = "Thursday 26 November at 10:00, for John Smith. Shall I book it?"
BOOKED_WORDS = r"is booked"

CANCEL = call("cancel_appointment", {"name": NAME, "which": TOMORROW})
CANCEL_YES = call("cancel_appointment_confirm", {"yes": True})
MOVE = call("reschedule_appointment", {"name": NAME, "which": TOMORROW, "day": FRIDAY, "at": "11:00"})
MOVE_YES = call("reschedule_appointment_confirm", {"yes": True})
END = call("end_call")
HAND_OVER = call("hand_over", {"to": "reception"})

DESK = {"transfer_targets": "reception=tel:+49301"}
HALF_PAST_TEN = Own(at=f"{TOMORROW} 10:30")
