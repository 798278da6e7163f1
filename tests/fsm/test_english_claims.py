"""English statements that something was done: which words are one, and which are none."""

from __future__ import annotations

import pytest

from fsm.claims import ANY_DEED, Deed, deeds_in, literal
from fsm.english import English
from fsm.english_claims import denial
from fsm.registry import load_agents
from fsm.spec import Collect, Confirm, End

B, C, M = Deed.BOOKED, Deed.CANCELLED, Deed.MOVED


@pytest.mark.parametrize(
    ("words", "deeds"),
    [
        ("Eleven was not free, so I have booked you in at ten.", {B}),
        ("Great, your appointment for tomorrow at ten is booked. Anything else?", {B}),
        ("All right, your appointment tomorrow at ten is booked.", {B}),
        ("It's booked!", {B}),
        ("I have booked you in for Thursday at ten.", {B}),
        ("I've just booked that for you.", {B}),
        ("You're booked in for tomorrow at ten.", {B}),
        ("You are now booked for Thursday.", {B}),
        ("Your appointment has been scheduled for Friday at eleven.", {B}),
        ("Perfect, that's been booked for you.", {B}),
        ("Your booking is confirmed.", ANY_DEED),
        ("You're all set for Thursday at ten.", ANY_DEED),
        ("Done!", ANY_DEED),
        ("All booked.", {B}),
        ("No problem, your appointment is cancelled.", {C}),
        ("I have cancelled it for you.", {C}),
        ("Your appointment on Thursday 26 November at 10:30 has been canceled.", {C}),
        ("I've moved your appointment to Friday at eleven.", {M}),
        ("Your appointment is now on Friday 27 November at 11:00.", {M}),
        ("Your appointment was successfully rescheduled.", {M}),
        ("Your appointment has already been booked.", {B}),
        ("Of course, everything is booked.", {B}),
        ("Thank you, John. Your appointment is booked; see you tomorrow.", {B}),
        ("I went ahead and booked it.", {B}),
        ("I've put you down for Thursday at ten.", {B}),
        ("I've got you in for Thursday.", {B}),
        ("You're in for Thursday at ten.", {B}),
        ("You are registered for Thursday.", {B}),
        ("You now have an appointment on Thursday at ten.", {B}),
        ("That's you booked in.", {B}),
        ("Got you booked for ten.", {B}),
        ("We have it booked for you.", {B}),
        ("Consider it booked.", {B}),
        ("Booked for Thursday at ten.", {B}),
        ("Booked for 10:00.", {B}),
        ("It's in the calendar.", {B}),
        ("I've added it to the calendar.", {B}),
        ("Your slot is secured.", {B}),
        ("It's locked in.", {B}),
        ("I locked it in for you.", {B}),
        ("Thursday at ten is yours.", {B}),
        ("Your appointment stands.", {B}),
        ("Your spot is confirmed.", ANY_DEED),
        ("Confirmed for Thursday at ten.", ANY_DEED),
        ("You're good to go.", ANY_DEED),
        ("Consider it done.", ANY_DEED),
        ("The booking went through.", ANY_DEED),
        ("That's all sorted.", ANY_DEED),
        ("I've sent you a confirmation.", ANY_DEED),
        ("Your appointment is gone.", {C}),
        ("You no longer have an appointment.", {C}),
        ("It's off the books.", {C}),
        ("It's no longer booked.", {C}),
        ("I've taken you off the list.", {C}),
        ("I've switched it to Friday.", {M}),
        ("It's now on Friday at eleven.", {M}),
        ("Your appointment is now Friday at eleven.", {M}),
        ("Your new appointment is on Friday at eleven.", {M, B}),
        ("The booking was successful.", ANY_DEED),
        ("Successfully booked.", {B}),
        ("And that's it, booked!", {B}),
        ("Appointment booked for Thursday at ten.", {B}),
        ("Reservation made.", {B}),
        ("Done and dusted.", ANY_DEED),
        ("I was able to book it for you.", {B}),
        ("I managed to get you in tomorrow at ten.", {B}),
        ("We were able to move it to Friday.", {M}),
        ("I managed to cancel your appointment.", {C}),
        ("Your time is locked in.", {B}),
        ("Ten o'clock is reserved for you.", {B}),
        ("That's in the calendar now.", {B}),
        ("Your appointment is set for tomorrow at ten.", {B}),
        ("That appointment no longer exists.", {C}),
        ("See you tomorrow at ten, it's all arranged.", ANY_DEED),
        ("As you asked, I have cancelled it.", {C}),
        ("I'm happy to say that your appointment is booked.", {B}),
        ("I can tell you that it's booked.", {B}),
    ],
)
def test_a_statement_that_something_was_done(words: str, deeds: set[Deed]) -> None:
    assert deeds_in(words, English()) == deeds


@pytest.mark.parametrize(
    "words",
    [
        "Shall I book it?",
        "Thursday 26 November at 10:00 for John Smith. Shall I book it?",
        "Is it booked?",
        "Has your appointment been cancelled?",
        "Your appointment is not booked yet.",
        "Nothing is booked yet.",
        "I haven't booked anything.",
        "I could not cancel it.",
        "Once it is booked, you will get a code.",
        "Your appointment is booked once you say yes.",
        "As soon as your appointment is booked I will tell you.",
        "It will be booked in a moment.",
        "I will have it booked in a second.",
        "I'm afraid that's booked already.",
        "Unfortunately ten o'clock is booked.",
        "Ten o'clock is already booked, would eleven suit you?",
        "That time is booked by someone else.",
        "We're fully booked on Monday.",
        "We are booked out until Friday.",
        "So you said your appointment was booked for Thursday.",
        "I understand that your appointment was cancelled.",
        "Let me check whether it is booked.",
        "You would like it cancelled, is that right?",
        "I can have that changed for you.",
        "Which appointment would you like moved?",
        "You have an appointment booked for tomorrow at ten and want to cancel it.",
        "Your appointment on Thursday at 10:30. Shall I cancel it?",
        "I move your appointment from Thursday at 10:30 to Friday at eleven. Is that right?",
        "All right, I will not book anything. Is there anything else?",
        "All right, your appointment stays as it is.",
        "I am sorry, I cannot tell whether that went through.",
        "If it is cancelled you can book again.",
        "I could not do that, so I have not booked it.",
        "Hello, this is the Linden practice. How can I help you?",
        "Okay, great. At what time?",
        "One moment, I am booking it now.",
        "I've switched to English.",
        "I've put you on hold.",
        "I put you on the waiting list.",
        "The slot is booked.",
        "I'm afraid that's gone.",
        "It's on our list of services.",
        "You're in for a treat.",
        "You're in the right place.",
        "You are down the hall on the left.",
        "I have that as Thursday at ten.",
        "The choice is yours.",
        "It's yours if you want it.",
        "It is not in the calendar.",
        "It may have gone through.",
        "I'll get that sorted.",
        "Once you're in the calendar you get a code.",
        "I have you down for tomorrow at ten, John Smith.",
        "So I put you down for Thursday at ten, is that right?",
        "I can put you in for Thursday.",
        "Your new appointment would be on Friday at eleven.",
        "You have an appointment on Thursday at ten.",
        "I was not able to book it.",
        "I haven't managed to book it.",
        "I am able to book that for you.",
        "I'm happy to book that for you.",
        "If I was able to book it, you get a code.",
        "As you said, it might be booked.",
        "I see it is booked already.",
        "Your time is up.",
        "Ten o'clock is reserved for emergencies.",
        "The booking was not successful.",
        "That's it. Shall I book it?",
        "",
    ],
)
def test_no_statement_that_something_was_done(words: str) -> None:
    assert deeds_in(words, English()) == set()


@pytest.mark.parametrize("deeds", [{B}, {C}, {M}, {B, C}, ANY_DEED], ids=["B", "C", "M", "B and C", "any"])
def test_a_retraction_is_no_statement(deeds: frozenset[Deed]) -> None:
    words = denial(frozenset(deeds))
    assert deeds_in(words, English()) == set()
    assert "nothing is" in words


@pytest.mark.parametrize(("deeds", "said"), [({B}, "booked"), ({C}, "cancelled"), ({M}, "changed"), ({B, C}, "done")])
def test_a_statement_is_taken_back_by_its_own_word_where_it_is_one(deeds: set[Deed], said: str) -> None:
    assert denial(frozenset(deeds)) == f"I am sorry, I said that wrongly: nothing is {said} yet."


def test_tasks_claim_what_they_have_done_when_they_have_ended_and_nothing_before() -> None:
    ends, questions = {}, []
    for name, spec in load_agents().items():
        for state in spec.states.values():
            match state:
                case End(outcome=outcome, say=say) if deeds := deeds_in(literal(say), English()):
                    ends[name, outcome] = deeds
                case Confirm(template=template):
                    questions.append(template)
                case Collect(slots=slots):
                    questions += [spec.slots[slot].ask for slot in slots]
                case _:
                    pass
    assert ends == {
        ("book_appointment", "booked"): {B},
        ("cancel_appointment", "removed"): {C},
        ("reschedule_appointment", "moved"): {M},
    }
    assert {each for each in questions if deeds_in(literal(each), English())} == set()


@pytest.mark.parametrize(
    ("words", "noun", "participle"),
    [
        ("Your parking space is booked.", "space", "noted"),
        ("Great, your parking space for tomorrow at ten is booked. Anything else?", "space", "noted"),
        ("Your parking space A12 is booked.", "space", "noted"),
        ("I've reserved the parking space for you.", "space", "noted"),
        ("I've booked you a parking space.", "space", "noted"),
        ("The pickup of your device on Friday, 27 November at 10:30 is scheduled.", "pickup", "noted"),
        ("We've noted your callback for Monday at ten.", "callback", "noted"),
        ("Your order 7 has been shipped.", "order", "shipped"),
        ("I've written down your message and will pass it on.", "message", "written"),
        ("I have noted your callback time.", "time", "noted"),
        ("Your name for the callback is noted.", "name", "noted"),
    ],
)
def test_what_it_names_and_says_was_done_to_it(words: str, noun: str, participle: str) -> None:
    assert [(each.noun, each.participle) for each in English().statements(words)] == [(noun, participle)]


@pytest.mark.parametrize(
    "words",
    [
        "Your parking space is booked?",
        "Shall I book the parking space?",
        "I will book your parking space.",
        "Once your parking space is booked, you get a message.",
        "Your parking space is booked as soon as you say yes.",
        "Your parking space is not booked yet.",
        "You said your parking space was booked.",
        "I'm afraid the parking space is already booked.",
        "The parking space is booked through the app.",
        "Your parking space is going to be booked.",
        "Let me get your parking space booked.",
        "You want your parking space booked for Friday.",
        "I have noted your callback for ten. Is that right?",
        "I've written down your message. Correct?",
        "Our office is closed on Sundays.",
        "Your appointment is booked.",  # claims_in finds it
        "I am sorry, I said that wrongly: that is not done yet.",
        "",
    ],
)
def test_nothing_that_was_done_to_what_it_names(words: str) -> None:
    assert English().statements(words) == []


def test_who_has_booked_nothing_claims_nothing() -> None:
    assert deeds_in("I have booked nothing yet.", English()) == set()
