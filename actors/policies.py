"""Restart policies and time limits, by name: what is tried again, how often, and how long anybody waits for what.

May import: actors.system, the standard library.
"""

from __future__ import annotations

from actors.system.restart import Restart, RestartPolicy

# The names under which a call's supervisor starts its children; a task's is followed by its run id.
VAIC, MODEL = "vaic", "model"
POLICIES = {
    # A crash of ours is repaired on the same wire; a lost socket is not an error to repair: VAIC comes back by itself.
    VAIC: RestartPolicy(restart=Restart.TRANSIENT, intensity=3, period_s=10),
    # How long it may be away is a time limit of the call's; this is for sessions that come up and break.
    # A caller who waits for a model that is back again waits for no longer than the cap.
    MODEL: RestartPolicy(restart=Restart.PERMANENT, intensity=40, period_s=60, backoff_s=0.5, backoff_cap_s=0.7),
}
TASK_POLICY = RestartPolicy(restart=Restart.TRANSIENT, intensity=2, period_s=30, shutdown_s=1.0)

# The children of the switchboard.
JOURNAL_POLICY = RestartPolicy(restart=Restart.PERMANENT, intensity=10, period_s=60, backoff_s=0.1)
CALL_POLICY = RestartPolicy(restart=Restart.TEMPORARY)

# For VAIC's `start` activity, once the model is ready; without it the bot greets all the same.
START_LIMIT_S = 3.0
# For VAIC to come back with session.resume after its socket was lost.
RESUME_LIMIT_S = 60.0
# For the last sentence of a call to be spoken and heard, before it ends without it.
FAREWELL_LIMIT_S = 20.0
# For session.end, VAIC's answer to our hangup or transfer.
END_LIMIT_S = 6.0
# For tasks in the middle of a step, after the caller has left.
SETTLE_LIMIT_S = 3.0
# For a model session to be had, at the start of a call and after a loss.
MODEL_LIMIT_S = 20.0
# For a recorded sentence of ours to be heard.
CLIP_LIMIT_S = 10.0
# For one step of a task: a step that takes longer has hung, and its agent is abandoned.
STEP_LIMIT_S = 10.0
