"""Which words read back what is to be done, and which are a yes to it: tables of examples of what bots and callers say.

The model is taken to confirm each time, so a wrong one here is a booking that nobody agreed to.
"""

from __future__ import annotations

from datetime import date, time

import pytest

from appointments.book_appointment import BOOK_APPOINTMENT
from appointments.cancel_appointment import CANCEL_APPOINTMENT
from appointments.reschedule_appointment import RESCHEDULE_APPOINTMENT
from fsm import locales
from fsm.consent import Readback, Reply, Spoken, readback_of, reply, states
from fsm.english import English
from fsm.spec import AgentSpec, Confirm
from tests.fsm.examples import cases, lines

ENGLISH = English()
WEDNESDAY, THURSDAY, FRIDAY = date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 27)


def _readback(spec: AgentSpec, **values: object) -> Readback:
    confirm = spec.states["Confirm"]
    assert isinstance(confirm, Confirm)
    return readback_of(confirm.template, values, (1,), {}, locales.ENGLISH.formatter)


BOOK = _readback(BOOK_APPOINTMENT, day=THURSDAY, at=time(10, 30), name="John Smith")
CANCEL = _readback(CANCEL_APPOINTMENT, was_day=THURSDAY, was_at=time(10, 30))
MOVE = _readback(RESCHEDULE_APPOINTMENT, was_day=THURSDAY, was_at=time(10, 30), day=FRIDAY, at=time(11))


def _states(readback: Readback, *said: str) -> bool:
    return states(readback, [Spoken(each, True, WEDNESDAY) for each in said], ENGLISH)


def _reply(readback: Readback, words: str) -> Reply:
    return reply(readback, words, WEDNESDAY, ENGLISH)


# --- what the bot reads back ---

READ_BACK = {
    "book": (
        BOOK,
        """
        Thursday 26 November at 10:30 for John Smith. Shall I book it?
        Thursday 26 November at 10:30, for John Smith. Shall I book it?
        Tomorrow at half past ten, for John Smith. Is that right?
        Tomorrow, half past ten, John Smith. Is that right?
        So that is Thursday the 26th at 10:30 a.m. for John Smith. Shall I book that?
        Thursday at half past ten under the name John Smith. Is that right?
        Perfect! Tomorrow at half past ten, for Mr. John Smith. Shall I book this appointment for you?
        So that's tomorrow at ten thirty for John Smith, correct?
        Thursday, the twenty-sixth of November, at half past ten, for John Smith. OK?
        Thursday 26 November at 10:30, John Smith?
        Great! So I have Thursday, November 26th at ten thirty in the morning for John Smith. Is that correct?
        Let me just confirm: Thursday 26 November at 10:30 for John Smith. Is everything right?
        Just to confirm, an appointment for John Smith on Thursday 26 November at 10:30. Should I go ahead?
        Perfect, then I will book tomorrow at 10:30 for John Smith. Okay?
        Okay, John Smith, tomorrow morning at half past ten. Would you like me to book it for you?
        You would like an appointment on Thursday 26 November at 10:30, under the name of John Smith. Is that right?
        Do you want me to reserve Thursday 26 November at 10:30 for John Smith?
        Thank you. That would be Thursday 26 November at 10:30 for John Smith. Does that work for you?
        Shall I book Thursday 26 November at 10:30 for John Smith?
        We are open from nine to five. Thursday 26 November at 10:30 for John Smith. Shall I book it?
        I have you down for tomorrow at ten thirty, John Smith. Shall I go ahead and book it?
        Thursday 26 November at 10:30 for John Smith. Please say yes and I will book it.
        Please answer with yes or no. Thursday 26 November at 10:30 for John Smith. Shall I book it?
        """,
    ),
    "cancel": (
        CANCEL,
        """
        Your appointment on Thursday 26 November at 10:30. Shall I cancel it?
        Your appointment is on Thursday 26 November at 10:30. Shall I cancel it for you?
        Your appointment is booked for Thursday 26 November at 10:30. Shall I cancel it?
        You have an appointment on Thursday 26 November at 10:30. Shall I cancel it?
        I found your appointment on Thursday 26 November at 10:30. Should I cancel it?
        So you would like to cancel your appointment tomorrow at half past ten. Is that right?
        Do you want me to cancel the appointment on Thursday the 26th at 10:30?
        Okay, I will cancel your appointment on Thursday 26 November at 10:30. Is that correct?
        Just to confirm: cancel the appointment on Thursday at 10:30, right?
        """,
    ),
    "move": (
        MOVE,
        """
        I move your appointment from Thursday 26 November at 10:30 to Friday 27 November at 11:00. Is that right?
        So I will move your appointment from tomorrow at half past ten to Friday at eleven. Is that correct?
        Moving your appointment from Thursday at 10:30 to Friday at 11:00, okay?
        Shall I move the appointment from Thursday 26 November at 10:30 to Friday 27 November at 11:00?
        Would you like me to reschedule your appointment from Thursday at 10:30 to Friday at 11:00?
        """,
    ),
}
NO_READ_BACK = {
    "book": (
        BOOK,
        """
        Thursday 26 November at 10:30 for John Smith.
        I am sorry, John Smith, Thursday 26 November at 10:30 is taken. Shall I look for another time?
        So you do not want Thursday 26 November at 10:30 for John Smith any more. Is that right?
        You do not want it any more. Thursday 26 November at 10:30 for John Smith. Is that right?
        Thursday 26 November at 10:30, for Maria Jones, not for John Smith. Shall I book it?
        Thursday 26 November at 10:30 for John Smith and Maria Jones. Shall I book both?
        Thursday 26 November at 10:30 for John Smith Miller. Shall I book it?
        Thursday 26 November at 10:30 for Mary John Smith. Shall I book it?
        Thursday 26 November at 10:30 for Doctor John Smith. Shall I book it?
        Thursday 26 November at 10:30 for John Smith costs 90 euros. Do you want to hear about cheaper days?
        Thursday 26 November at 10:30 is full, John Smith. Shall I put you on the waiting list?
        You missed your appointment on Thursday 26 November at 10:30, John Smith, correct?
        Doctor Lee is away. You have missed it. Thursday 26 November at 10:30, John Smith, right?
        You had an appointment on Thursday 26 November at 10:30, John Smith, right?
        You have an appointment on Thursday 26 November at 10:30, John Smith. Is that right?
        Thursday 26 November at 10:30 in the evening, for John Smith. Shall I book it?
        Thursday 26 November 2027 at 10:30, for John Smith. Shall I book it?
        Thursday 26 November not at 10:30, for John Smith. Shall I book it?
        Wednesday or Thursday 26 November at 10:30 for John Smith?
        Thursday 26 November between 10:30 and 12:00 for John Smith. Shall I book it?
        Thursday 26 November around 10:30 for John Smith. Shall I book it?
        Tuesday 26 November at 10:30 for John Smith. Shall I book it?
        Next Thursday at 10:30 for John Smith. Shall I book it?
        You already have Thursday 26 November at 10:30, John Smith. Shall I cancel it?
        Thursday 26 November at 10:30 for John Smith. Shall I cancel it?
        Thursday 26 November at 10:30 for John Smith. Shall I move it?
        Thursday 26 November at 10:30 for John Smith. Before I book it, is this your first visit to us?
        Thursday 26 November at 10:30 for John Smith. Oh, I am sorry, that one has just gone. Shall I call you?
        Thursday 26 November at 10:30 for John Smith. Shall I book it? Or would you rather come later?
        Thursday 26 November at 10:30 for John Smith. Shall I not book it?
        Thursday 26 November at 10:30 for John Smith. Shall I book something else?
        Thursday 26 November at 10:30 for John Smith. Would you like to be called when he is back?
        Thursday 26 November at 10:30 for John Smith. Are you sure?
        Thursday 26 November at 10:30 for John Smith. Are you still there?
        Thursday 26 November at 10:30 for John Smith. Is that your first name?
        Thursday 26 November at 10:30 for John Smith. Or Friday?
        Thursday 26 November at 10:30 or 11:00 for John Smith. Shall I book it?
        Thursday 26 November at 10:30. Shall I book it?
        Thursday 26 November for John Smith. Shall I book it?
        At half past ten for John Smith. Shall I book it?
        Thursday 26 November at 10:30 for John. Shall I book it?
        Shall I book it?
        Is that right?
        No, Doctor Lee is away then. Would you like to be called when he is back?
        """,
    ),
    "cancel": (
        CANCEL,
        """
        Your appointment is on Thursday 26 November at 10:30. Shall I keep it for you?
        Your appointment is on Thursday 26 November at 10:30. Is that right?
        Your appointment on Thursday 26 November at 10:30. Shall I go ahead?
        Your appointment on Thursday 26 November at 10:30. Shall I confirm it?
        I will not cancel your appointment on Thursday 26 November at 10:30. Is that right?
        I won't cancel your appointment on Thursday 26 November at 10:30. Is that right?
        You cannot cancel your appointment on Thursday 26 November at 10:30. Okay?
        Your appointment on Thursday 26 November at 10:30. Shall I move it?
        Your appointment on Thursday 26 November at 10:30. To cancel it costs 20 euros. Is that right?
        Your appointment on Thursday 26 November at 10:30. Shall I cancel it, or leave it?
        Your appointment on Friday at 10:30. Shall I cancel it?
        """,
    ),
    "move": (
        MOVE,
        """
        Moving your appointment from Thursday 26 November at 10:30 to Friday 27 November at 11:00 costs a fee. Right?
        I move your appointment from Friday 27 November at 11:00 to Thursday 26 November at 10:30. Is that right?
        I move your appointment to Thursday 26 November at 10:30 from Friday 27 November at 11:00. Is that right?
        I move your appointment from Thursday 26 November at 10:30. Is that right?
        I book Thursday 26 November at 10:30 and Friday 27 November at 11:00. Is that right?
        Thursday 26 November at 10:30, Friday 27 November at 11:00. Is that right?
        I cancel your appointment on Thursday 26 November at 10:30 and on Friday 27 November at 11:00. Is that right?
        I move your appointment from Thursday at 10:30 to Friday at 11:00 or 12:00. Is that right?
        From Thursday 26 November at 10:30 to Friday 27 November at 11:00. Would you rather leave it as it is?
        """,
    ),
}


@pytest.mark.parametrize(("readback", "said"), cases(READ_BACK))
def test_a_paraphrase_of_what_is_offered_reads_it_back(readback: Readback, said: str) -> None:
    assert _states(readback, said)


@pytest.mark.parametrize(("readback", "said"), cases(NO_READ_BACK))
def test_words_that_say_anything_else_read_nothing_back(readback: Readback, said: str) -> None:
    assert not _states(readback, said)
    assert not _states(readback, f"Great. {said}")


@pytest.mark.parametrize(
    "after",
    ["Would you like a reminder?", "That one has just gone, I am sorry.", "We are closed then.", "Or Friday?", "No."],
)
def test_what_is_said_after_a_read_back_takes_it_away(after: str) -> None:
    assert not _states(BOOK, BOOK.sentence, after)
    assert _states(BOOK, BOOK.sentence, after, BOOK.sentence)


def test_a_short_question_after_a_read_back_leaves_it() -> None:
    assert _states(BOOK, BOOK.sentence, "Shall I book it?", "Is that right?", "Sorry, I did not catch that.")


NAMES = (
    "Robert Noon", "Ann Friday", "Mary Sunday", "Joy Today", "John Smith the Second", "May First", "March Third",
    "Tom Midnight", "Dora Night", "Dora Morning", "John Ten", "Kate Five", "Smith at 11:00", "J. R. Smith",
    "Who? Smith", "Dr. Smith", "John Smith, Jr.", "Seán O’Brien-Müller", "王小明", "محمد علي", "John 🙂", "{at} Smith",
    "Sam Right", "Is That",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_words_is_read_back(name: str) -> None:
    readback = _readback(BOOK_APPOINTMENT, day=THURSDAY, at=time(14), name=name)
    assert _states(readback, readback.sentence)
    assert _states(readback, f"You have been quick. {readback.sentence}")
    assert not _states(readback, _readback(BOOK_APPOINTMENT, day=THURSDAY, at=time(15), name=name).sentence)
    assert _reply(readback, "Yes please.") is Reply.YES


@pytest.mark.parametrize("name", ["Robert Noon", "Ann Friday", "Joy Today", "John Smith the Second", "Dora Morning"])
def test_a_name_is_taken_out_as_a_whole_before_days_and_times_are_read(name: str) -> None:
    readback = _readback(BOOK_APPOINTMENT, day=THURSDAY, at=time(10), name=name)
    assert _states(readback, f"So that's tomorrow at ten for {name}. Is that right?")
    assert not _states(readback, f"So that's Monday at ten for {name}. Is that right?")
    assert _reply(readback, f"Yes, for {name}, tomorrow at ten.") is Reply.YES


def test_a_name_that_says_when_is_read_back_by_nothing() -> None:
    readback = _readback(BOOK_APPOINTMENT, day=THURSDAY, at=time(10), name="John Smith on Friday at eleven")
    assert not _states(readback, readback.sentence)


# --- what the caller answers ---

YES = """
Yes.
Yes please.
Yes, please.
Yes, thank you.
Yes, thank you very much.
Yes, thanks.
Yeah.
Yeah, sure.
Yeah, that's fine.
Yep.
Yup.
Yes yes yes.
Yes, yes, that's right.
Yes, that's correct.
Yes, that is right, thank you.
Er, yes.
Um, yes, please.
Uh, yeah, okay.
Er, yes?
Okay?
Oh, yes please.
Ah, yes.
Well, yes.
So, yes.
And yes, please.
Sorry, yes.
Mhm.
Mm-hmm.
Uh-huh.
Mm-hmm, yes.
Sure.
Sure, go ahead.
Sure thing.
Okay.
OK, great.
Ok, perfect, thanks.
Alright.
All right, then.
Right.
Correct.
That's correct.
That is correct, yes.
Exactly.
Absolutely.
Definitely.
Of course.
Certainly.
By all means.
Perfect.
Perfect, thank you.
Great, thanks.
Lovely, thank you so much.
Good.
Fine, thanks.
Fine by me.
That's fine.
That's fine with me.
That's perfect for me.
That's great, thank you.
That's good.
Yes, that's okay.
Yes, that's all right, thanks.
Yes, I would.
Yes, it's fine.
That would be okay.
Everything is correct.
That sounds good.
Sounds good.
Sounds great, thanks.
Sounds like a plan.
Yes, that sounds perfect.
That will do.
That would be great.
That would be lovely, thank you.
Yes, that would be perfect.
Go ahead.
Please go ahead.
Yes, please go ahead.
Yes, do it.
Do that, please.
Yes, please do that.
Yes, a pleaser for that.
Yes, and put me through to a human.
Yes please, and then connect me to the reception.
Yes, pleas do it.
Please do.
I agree.
I confirm.
Yes, I confirm that.
Let's do that.
Yes, let's do it.
I'd like that.
I would like that, yes.
Yes, no problem.
Yes, that is all.
Yes, sir.
Yes, I do.
Yes, it is.
Yes, I want it.
That's the one.
Yes, you got it.
Confirm.
Good morning, yes please.
Good morning to you, yes please.
Yes, please. Thank you, bye.
Yes, thank you so much for your help.
Yes, that's what I said.
Yes, as I said.
For the last time, yes.
Yes, that one, please.
Yes, just do it.
Sure, why not.
I said yes.
Please.
[cough] Yes.
Yes, tomorrow.
Yes, tomorrow at half past ten.
Yes, Thursday at ten thirty.
Yes, on Thursday the 26th at half past ten in the morning.
Yes, the 26th of November.
Yes, tomorrow morning at half past ten, please.
"""
YES_TO_BOOK = """
Yes, let's book it.
Yes, book that appointment.
Yes, I'll take that one.
Yes, I can make that.
Yes, perfect, see you then.
Yes, see you tomorrow.
Yes, that time works.
That day is fine.
Yes, that works.
That works for me.
Works for me.
Yes, that suits me.
I'll take it.
Ten thirty is fine.
Thursday is good.
Tomorrow's fine, thanks.
Half past ten is perfect.
Half past ten works for me.
Book it.
Yes, book it.
Please book it.
Yes, please book it for me.
Book that, please.
Yes, book me in.
Go ahead and book it.
You can book it.
I'd like you to book it, please.
Yes, book the appointment.
Yes, book it then.
Yes, for John Smith.
Yes, John Smith.
Yes, my name is John Smith.
Yes, book it for John Smith, thanks.
"""
YES_TO_CANCEL = """
Cancel it.
Yes, cancel it.
Yes, please cancel it.
Please cancel my appointment.
Cancel that, please.
Yes, I want to cancel it.
I'd like to cancel it, yes.
Go ahead and cancel it.
Yes, cancel that appointment.
Just cancel it.
"""
YES_TO_MOVE = """
Yes, move it.
Please move it.
Yes, move it to Friday at eleven.
Friday at eleven is perfect.
Yes, from Thursday to Friday.
"""

NO_YES = """
No.
No, that does not suit me.
No thanks.
No, thank you.
Nope.
Nah.
Negative.
Not really.
Not yet.
Not now.
Not quite, yes.
Nobody said yes.
I never said yes.
I didn't say yes.
He said yes.
My husband will say yes.
Did I say yes?
Is it yes?
Oh yes?
Really? Yes.
Are you sure?
Is that okay?
Is that right?
Would that be okay?
Would that be good?
Sounds good?
Why not?
Yes, that day is taken.
Let's not.
You got it wrong.
The one on Friday.
Yes, no.
Yes... no.
Yes. Hm. No.
No, yes.
No problem.
That's okay.
That's all right, thanks.
It's okay, thank you.
It's fine.
I'm fine.
I'm good, thanks.
Let's
I would
That is
Go on.
Thank you.
Thanks.
Thank you, that is all I wanted to know.
Okay, bye.
Perfect, goodbye.
See you then.
Okay, see you tomorrow.
Yes, [inaudible].
[unintelligible] yes.
I'd like to
Bye.
Good morning.
Good afternoon.
Good grief.
Good question.
Hello?
Yes, hello.
Yes, speaking.
Yes, I'm still here.
Yes, I can hear you.
Yes, I heard you.
I know.
Yes, I know.
I see.
Yes, I see.
I think so.
I guess so.
I suppose so.
Maybe.
Maybe yes.
Yes, to the other.
Yes, put me through to a human.
And put me through to a human.
Yes, and put it off.
Yes, and put me down for eleven as well.
Yes, for my wife.
Yes, for
Yes, with a
Perhaps.
Possibly.
Probably yes.
I don't know.
I'm not sure.
Not sure.
Wait.
Wait, yes.
Yes, hold on.
Yes, one moment please.
Yes, one second, the doorbell.
Sure, in a minute.
Sure, let me check.
Okay, let me think.
Okay, I will think about it.
Okay, I'll call back.
Okay, so, hmm.
Yes, and
Yes, but
Yes, well
Yes, but not with John.
Yes, but make it Monday.
Yes, but I want to ask my wife.
Yes, unless it rains.
Yes, if you are sure.
Yes, as long as it's free of charge.
Yes, provided that it's Doctor Lee.
Only if it's Doctor Lee.
Yes, except the time.
Yes, depending on the price.
Yes, I changed my mind.
On second thought, yes.
Actually, yes.
That's impossible, yes.
Yes, unfortunately I'm away that day.
I'm at work then, yes.
Yes, it's too early.
Yes, that's too late.
Yes, that's wrong.
Yes, that's the wrong day.
Right, and who is that for?
Yeah, right, as if.
Hell no.
Of course not.
Absolutely not.
Fine, don't.
Fine, leave it.
Okay then, leave it.
Yes, keep it.
Please keep it.
Yes, leave it as it is.
Yes, I will be there.
Sure, I will come.
Good, I'm coming.
Okay, then I will come to it.
Yes, remind me of it.
Yes, the week after.
Yes, the day after.
Yes, the day after tomorrow.
Yes, next week.
Yes, in two weeks.
Yes, in a month.
Yes, in December.
Yes, a week later.
Yes, an hour later.
Yes, half an hour earlier.
Yes, half an hour after that.
Yes, in the afternoon.
Yes, evening.
Yes, this evening.
Yes, at half past.
Yes, quarter past.
Yes, at a quarter past ten.
Yes, at eleven.
Yes, at two.
Yes, at noon.
Yes, thirty.
Yes, fifteen.
Yes, eleven thirty.
Yes, ten thirty in the evening.
Yes, Friday.
Yes, Tuesday.
Yes, next Thursday.
Yes, Thursday next week.
Yes, Thursday the third.
Yes, the 27th.
Yes, 27 November.
Yes, and Friday too.
Yes, not on Thursday.
Thursday at half past ten.
Tomorrow?
Earlier please.
Later please.
Something sooner, please.
Yes, the other one.
The second one please.
Yes, two of them.
Yes, another time.
Yes, at Doctor Miller's.
Book it under Jane Smith.
Yes, for Jane Smith.
Yes, my name is Peter Miller.
Yes, under the name of Miller.
Yes, for my wife.
Book it for my son.
Yes, but it's Jon Smyth.
Yes, spelled S M Y T H.
Yes, John Smith Miller.
Yes, change the name.
Yes, the name is wrong.
Okay, read it again.
Yes, please repeat that.
Pardon?
Sorry?
Sorry.
What?
What does it cost?
What does it cost? Yes.
Yes. What does it cost?
Where is that?
Yes, is that with Doctor Miller?
Yes, can I ask something?
Yes, I have a question.
Yes, but first tell me the price.
Tell me more, yes.
Yes, I'd like to speak to a human.
Yes, talk to the operator.
A human, please.
Mum? Is it your friend? Yes.
Yes mum, I'm coming.
Yes, I'll have fries with that.
Yes, honey, I'm on the phone.
Book it sooner.
Book it tomorrow at eleven.
Book something else.
Don't book it.
Shall I book it?
Shall you book it?
Forget it.
Never mind.
Nein, danke.
Ja nein.
いいえ、はい
John Smith.
"""
NO_YES_TO_BOOK = """
Yes, cancel it.
Yes, please cancel everything.
Please cancel my appointment.
Yes, move it.
Cancel that.
"""
NO_YES_TO_CANCEL = """
Yes, book it.
Okay, move it to Friday please.
Yes, move it.
Yes, change it.
Do not cancel it.
Yes, don't cancel it.
Yes, cancel the other one.
Yes, cancel Friday's.
Yes, for John Smith.
Why cancel it?
Yes, see you then.
Yes, see you on Thursday.
I can make that.
Thursday is good.
Ten thirty is fine.
Tomorrow at half past ten is perfect.
Thursday, fine.
The appointment is fine.
That works for me.
Yes, that suits me.
I'll take it.
It looks good.
"""

NO_YES_TO_MOVE = """
Thursday is fine.
Yes, Thursday.
Yes, at half past ten.
Yes, from Friday to Thursday.
Yes, on Saturday at eleven.
Book it.
"""

TRUE_YESES = [
    *((readback, line) for line in lines(YES) for readback in (BOOK, CANCEL)),
    *((BOOK, line) for line in lines(YES_TO_BOOK)),
    *((CANCEL, line) for line in lines(YES_TO_CANCEL)),
    *((MOVE, line) for line in lines(YES_TO_MOVE)),
]
NON_YESES = [
    *((readback, line) for line in lines(NO_YES) for readback in (BOOK, CANCEL)),
    *((BOOK, line) for line in lines(NO_YES_TO_BOOK)),
    *((CANCEL, line) for line in lines(NO_YES_TO_CANCEL)),
    *((MOVE, line) for line in lines(NO_YES_TO_MOVE)),
]


@pytest.mark.parametrize(("readback", "words"), TRUE_YESES)
def test_a_true_yes_counts_at_once(readback: Readback, words: str) -> None:
    assert _reply(readback, words) is Reply.YES


@pytest.mark.parametrize(("readback", "words"), NON_YESES)
def test_what_is_no_plain_yes_does_not_count(readback: Readback, words: str) -> None:
    for each in (words, words.rstrip("."), words.lower(), f"Um, {words}"):
        assert _reply(readback, each) is not Reply.YES


@pytest.mark.parametrize("words", ["no " + "blah " * 6000 + "yes", "well " * 6000 + "yes", "yes " * 6000 + "no"])
def test_long_nonsense_is_no_yes_and_is_judged_at_once(words: str) -> None:
    assert _reply(BOOK, words) is Reply.OTHER


@pytest.mark.parametrize(
    "words",
    [
        "I don't know.", "I don't know, maybe.", "I'm not sure.", "Not really sure yet.", "Maybe.",
        "Perhaps, um, perhaps.",
        "Let me think.", "Let me think about it, one moment please.", "Hold on.", "Well, I guess.", "Good question.",
    ],
)  # fmt: skip
def test_words_that_decide_nothing_leave_a_caller_undecided(words: str) -> None:
    assert _reply(BOOK, words) is Reply.UNDECIDED


@pytest.mark.parametrize(
    "words",
    ["I don't know that doctor.", "Maybe at eleven.", "Not.", "Let me think, no.", "Maybe not.", "Wait, the fifth."],
)
def test_a_hesitation_with_anything_else_in_it_is_more_than_that(words: str) -> None:
    assert _reply(BOOK, words) is Reply.OTHER


@pytest.mark.parametrize(
    ("words", "is_bare"),
    [("No.", True), ("Um, nope, no!", True), ("No thanks.", False), ("No, Thursday.", False), ("Not.", False)],
)
def test_a_no_and_nothing_else_is_told_from_other_answers(words: str, is_bare: bool) -> None:
    assert (_reply(BOOK, words) is Reply.NO) is is_bare


@pytest.mark.parametrize("words", ["", "  ", "...", "Hm.", "Uh, um.", "[cough]", "(inaudible)", "*sighs*", "you", "👎"])
def test_hums_and_noise_are_no_words(words: str) -> None:
    assert _reply(BOOK, words) is Reply.WORDLESS


CLOSING = Readback((1,), {}, "I will close your account 4711. Is that right?", phrases=("4711",))


@pytest.mark.parametrize(
    ("readback", "words"),
    [
        (MOVE, "I'd like to move it."),
        (MOVE, "I want to move the appointment."),
        (CANCEL, "Delete that."),
        (CANCEL, "Yes, Thursday is good."),
        (CLOSING, "4711 is good."),
        (CLOSING, "That works for me."),
        (CLOSING, "I'll take it."),
        *((each, words) for each in (BOOK, CANCEL, CLOSING) for words in ("Yes, um", "Okay, er...", "Yes, erm.")),
    ],
)
def test_what_another_act_or_a_doubt_would_be_is_no_yes(readback: Readback, words: str) -> None:
    assert _reply(readback, words) is not Reply.YES


@pytest.mark.parametrize(
    ("readback", "words"),
    [
        (MOVE, "Yes, move it please."),
        (CANCEL, "Cancel it."),
        (CLOSING, "Yes, close it."),
        (CLOSING, "Yes."),
        (BOOK, "Um, yes."),
    ],
)
def test_a_yes_may_name_the_act(readback: Readback, words: str) -> None:
    assert _reply(readback, words) is Reply.YES


@pytest.mark.parametrize("said", ["4711?", "4711, is that right?", "Your account 4711. Is that right?"])
def test_an_act_that_nobody_here_knows_must_be_named(said: str) -> None:
    assert _states(CLOSING, CLOSING.sentence)
    assert not _states(CLOSING, said)
