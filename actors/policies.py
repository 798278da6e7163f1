"""Restart policies and time limits, by name.

May import: actors.system, the standard library.
"""

from __future__ import annotations

from actors.system.restart import Restart, RestartPolicy

# The names under which a call's supervisor starts its children; a task's is followed by its run id.
VAIC, MODEL, EAR = "vaic", "model", "ear"
POLICIES = {
    # A crash is restarted on the same wire. A lost socket is not (actors/vaic/leg.py): VAIC reconnects by itself.
    VAIC: RestartPolicy(restart=Restart.TRANSIENT, intensity=3, period_s=10),
    # For sessions that connect and break; MODEL_LIMIT_S bounds how long the model may be unreachable.
    # The backoff cap is the longest a caller waits for a model that is reachable again.
    MODEL: RestartPolicy(restart=Restart.PERMANENT, intensity=40, period_s=60, backoff_s=0.5, backoff_cap_s=0.7),
    # Of a bot that assists: without one the call goes on, so it is tried as long as the call lasts.
    EAR: RestartPolicy(restart=Restart.PERMANENT, intensity=40, period_s=60, backoff_s=0.5, backoff_cap_s=30.0),
}
TASK_POLICY = RestartPolicy(restart=Restart.TRANSIENT, intensity=2, period_s=30, shutdown_s=1.0)

LOOK_UP_POLICY = RestartPolicy(restart=Restart.TEMPORARY, shutdown_s=1.0)

# The children of the switchboard.
# It may take long to end: its last attempt waits for a server that may not answer.
JOURNAL_POLICY = RestartPolicy(restart=Restart.PERMANENT, intensity=10, period_s=60, backoff_s=0.1, shutdown_s=12.0)
CALL_POLICY = RestartPolicy(restart=Restart.TEMPORARY)
PROBE_POLICY = RestartPolicy(restart=Restart.TEMPORARY)

# The store to answer the JournalWriter, which asks it every five seconds at least. After that no new calls are taken.
STORE_LIMIT_S = 12.0
# Any sign of the JournalWriter, which tries again and again while the store is away. A process whose writer hangs is
# killed by its watchdog well before other processes may end its calls, 75 s after the last renewal.
WRITER_LIMIT_S = 30.0

# VAIC's `start` activity after the model is ready; without it the bot greets when this has passed.
START_LIMIT_S = 3.0
# session.resume after VAIC's socket was lost.
RESUME_LIMIT_S = 60.0
# The last sentence of a call to be heard, once it has begun; after that the call ends anyway.
FAREWELL_LIMIT_S = 20.0
# The last sentence to begin; after that a recorded one is played.
FAREWELL_START_LIMIT_S = 6.0
# What the caller says during the last sentence to end.
INTERRUPTION_LIMIT_S = 30.0
# session.end, VAIC's answer to our hangup.
END_LIMIT_S = 6.0
# The same for a transfer that was answered; for what becomes of it: TRANSFER_LIMIT_S in actors/vaic/phase.py.
TRANSFER_END_LIMIT_S = 60.0
# Tasks in the middle of a step, after the caller has left.
SETTLE_LIMIT_S = 3.0
# The same, once the record so far is written: longer than any effect takes that has not hung.
OVERTIME_LIMIT_S = 600.0
# A model session to be ready, at the start of a call and after a loss.
MODEL_LIMIT_S = 20.0
# A refusal of the model is tried once more in this time, on a new connection; the next one ends the call's attempts.
REFUSAL_S = 60.0
# Least time from a model session's readiness to its renewal, so that a wrong `expires_at` does not cause endless
# dialling. The shortest real sessions last half an hour (docs/specs/openai-realtime.md 1.3).
RENEW_FLOOR_S = 10.0
# The same for a session that by our clock has ended already, so that its real end is unknown.
RENEW_BLIND_S = 1200.0
# Least remaining time of a call that was taken over: the clock of the process that began it may be wrong, and that must
# not hang up on the caller at once.
LONGEST_FLOOR_S = 60.0
# From a bot's longest call to its goodbye: so long somebody who speaks is not cut off, nor the result of a step.
LONGEST_GRACE_S = 30.0
# How often a pause is looked for in that time.
PAUSE_LOOK_S = 1.0
# A recorded sentence to be heard.
CLIP_LIMIT_S = 10.0
# The transcript of a turn with a yes in it. It arrives 0.3 to 1 s after the turn, while the caller waits.
WORDS_LIMIT_S = 2.0
# One step of a task: a longer one has hung.
STEP_LIMIT_S = 10.0
# Of a step whose effect ends by itself: what it may take besides, to wait for its turn and to be logged.
EFFECT_MARGIN_S = 3.0
