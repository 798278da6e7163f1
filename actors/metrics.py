"""The metrics of a process, served at /metrics.

May import: prometheus_client. Label values are short and from closed sets: never a caller's or a peer's words.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# When each series began: as many again, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]


def from_zero(counter: Counter, *values: str) -> Counter:
    """Have the series of these values of the one label there from the start. One that begins with its first event is
    one that has not grown: an alert on its increase would not see that event.
    """
    for each in values:
        counter.labels(each)
    return counter


class PeerLabels:
    """Values of a label that a peer chooses: the first MOST are kept, any further one is "other".

    Each value is a series for good, which every scrape writes and Prometheus stores.
    """

    MOST = 50

    def __init__(self) -> None:
        self._kept: set[str] = set()

    def of(self, told: str) -> str:
        """The value to use. told: what the peer has said; only a short name of letters and _ is kept."""
        if told not in self._kept:
            named = told.isascii() and told.replace("_", "").isalpha() and len(told) < 64
            if not named or len(self._kept) >= self.MOST:
                return "other"
            self._kept.add(told)
        return told


BUILD_INFO = Gauge("tieline_build_info", "1 for the release that serves, and its Python.", ["version", "python"])
CALLS_LIVE = Gauge("tieline_calls_live", "Calls in progress.")
CALLS_CAPACITY = Gauge("tieline_calls_capacity", "Calls that may be in progress at a time, by TIELINE_MAX_CALLS.")
PROCESS_READY = Gauge("tieline_ready", "1 while new calls are wanted, as /readyz says; looked at every 5 s.")
CALLS_ENDED = Counter("tieline_calls_ended_total", "Calls that ended, by outcome.", ["outcome"])
CONNECTIONS_CUT = Counter("tieline_connections_cut_total", "Connections dropped before a call, by reason.", ["reason"])
AUTH_FAILURES = Counter("tieline_auth_failures_total", "Upgrades without a valid token, by answer.", ["status"])
AUTH_WAITS = Counter("tieline_auth_waits_total", "Times an address was made to wait after wrong tokens.")
KEY_FETCHES = from_zero(
    Counter("tieline_oauth_key_fetches_total", "Fetches of the issuer's keys, by result.", ["result"]), "ok", "failed"
)
TLS_EXPIRES = Gauge(
    "tieline_tls_certificate_expires_seconds", "When our certificate expires, in seconds since 1970; 0 if unknown."
)
TLS_RELOADS = from_zero(
    Counter("tieline_tls_reloads_total", "Loads of a changed certificate, by result.", ["result"]), "ok", "failed"
)
TOKEN_RELOADS = from_zero(
    Counter("tieline_token_reloads_total", "Loads of changed bearer tokens, by result.", ["result"]), "ok", "failed"
)
VAIC_REPORTS = from_zero(
    Counter("tieline_vaic_reports_total", "Calls in reports of VoiceAI Connect, by what became of them.", ["result"]),
    "stored", "without delays", "unknown call", "unreadable",
)  # fmt: skip
WORKERS_READY = Gauge("tieline_workers_ready", "Workers that serve, as their supervisor counts them.")
WORKER_FAILURES = Gauge(
    "tieline_worker_failures", "Deaths of each worker since it last stayed up for a minute.", ["worker"]
)
CALLS_REFUSED = Counter("tieline_calls_refused_total", "Calls that were refused, by reason.", ["reason"])
RESUMED_ELSEWHERE = Counter(
    "tieline_calls_resumed_elsewhere_total", "Calls resumed from another address than their last."
)
BAD_FRAMES = Counter(
    "tieline_bad_frames_total", "Frames that broke the protocol, by leg and reason.", ["leg", "reason"]
)
FLOODS = Counter("tieline_floods_total", "Sockets cut because they sent too much of any kind, by leg.", ["leg"])
CUT_SHORT = Counter("tieline_cut_short_total", "What was over its limit and therefore cut, by what.", ["what"])
UNKNOWN_FRAMES = Counter("tieline_unknown_frames_total", "Frames of an unknown type, ignored, by leg.", ["leg"])
MODEL_ERRORS = Counter("tieline_model_errors_total", "Error events of the model, by code.", ["code"])
MODEL_ERROR_CODES = PeerLabels()
TRANSFERS_FAILED = Counter("tieline_transfers_failed_total", "Transfers that nobody answered, by reason.", ["reason"])
TASK_FAULTS = Counter("tieline_task_faults_total", "Function calls that did not fit their task, by fault.", ["fault"])
FALSE_CLAIMS = Counter(
    "tieline_false_claims_total", "Statements of the model that something was done which was not, by what.", ["claim"]
)
TASKS_ENDED = Counter("tieline_tasks_ended_total", "Tasks that ended, by agent and outcome.", ["agent", "outcome"])
CHILD_DEATHS = Counter("tieline_child_deaths_total", "Actors that ended by an error, by kind.", ["child"])
ACTORS_STARTED = Counter("tieline_actors_started_total", "Actors that were started, by class.", ["actor"])
ACTORS_ENDED = Counter("tieline_actors_ended_total", "Actors that ended, normally or by an error, by class.", ["actor"])
MISSED = Counter("tieline_missed_audio_total", "Audio messages dropped from full mailboxes, by actor.", ["actor"])
ACTIVITIES = Counter("tieline_activities_total", "Activities that VAIC was sent for tasks and model, by kind.", ["do"])
IMAGES = from_zero(
    Counter("tieline_images_total", "Images that tasks had for the model, by what became of them.", ["result"]),
    "shown", "too_large", "not_png_or_jpeg", "broken", "too_many", "gone", "refused", "unsupported",
)  # fmt: skip
CLIPS_PLAYED = Counter("tieline_clips_played_total", "Recorded sentences played, by clip.", ["clip"])
SESSIONS_RENEWED = Counter("tieline_model_sessions_renewed_total", "Model sessions replaced before they expired.")
RENEWALS_DELAYED = Counter(
    "tieline_model_renewals_delayed_total",
    "Model sessions said to end so soon, or before they began, that the renewal was put off, by reason.",
    ["why"],
)
CLOCK_DISAGREEMENTS = Counter(
    "tieline_model_clock_disagreements_total", "Sockets of the model at whose opening its clock was a minute off ours."
)
MODEL_OVERRUNS = Counter(
    "tieline_model_overruns_total",
    "Turns of callers in which the model was asked for all that one turn may cost, by what was done then.",
    ["done"],
)
MODEL_LIMITED = Counter(
    "tieline_model_rate_limited_total",
    "Times the model refused something because of a limit on rates, by what.",
    ["what"],
)
UPDATES_REFUSED = Counter(
    "tieline_model_updates_refused_total",
    "Configurations and later updates of sessions that the model refused, by what was done.",
    ["done"],
)
TIMERS_FLOORED = Counter(
    "tieline_timers_floored_total", "Timers computed from what others say, and set to their floor, by timer.", ["timer"]
)
MODEL_TOKENS = from_zero(
    Counter(
        "tieline_model_token_fetches_total",
        "Fetches of an access token for the model's endpoint, by outcome.",
        ["outcome"],
    ),
    "ok",
    "failed",
)
MCP_APPROVALS = Counter(
    "tieline_mcp_approvals_total",
    "Requests of the model's server to carry out an MCP tool, by our answer.",
    ["answer"],
)
MODEL_STALLS = Counter("tieline_model_stalls_total", "Responses cancelled because nothing more of them arrived.")
MODEL_CIRCUIT = Gauge("tieline_model_circuit_open", "1 while the circuit breaker to the model is open.")
AUDIO_DROPPED = Counter("tieline_caller_audio_dropped_total", "Audio chunks of callers dropped by the rate limit.")
BARGE_INS = Counter("tieline_barge_ins_total", "Times a caller spoke while the bot did.")
LATE_DELTAS = Counter(
    "tieline_late_deltas_total", "Audio deltas dropped: of cancelled responses, or of too many items."
)
DEAD_LETTERS = Counter("tieline_dead_letters_total", "Messages to actors that had ended, by type.", ["kind"])
EFFECTS = Counter("tieline_effects_total", "Effects of tasks, by name and result.", ["effect", "result"])
LOOKUPS = Counter(
    "tieline_lookups_total", "Look-ups by what a caller claims, by effect and outcome.", ["effect", "outcome"]
)
BEFORE_CALL = Counter("tieline_before_call_total", "Look-ups before calls, by outcome.", ["outcome"])
TOOLS_REFUSED = Counter(
    "tieline_tools_refused_total", "Uses of MCP tools refused because the server has changed them, by tool.", ["tool"]
)
OUTBOX_DUE = Gauge("tieline_outbox_due", "What is to be told of calls that have ended, and has not arrived yet.")
OUTBOX_DEAD = Gauge("tieline_outbox_dead", "What was to be told of calls, and was given up.")
OUTBOX_TRIES = Counter("tieline_outbox_tries_total", "Tries to tell of a call that has ended, by result.", ["result"])
TRACES = Counter("tieline_traces_total", "Traces of calls that have ended, by what became of them.", ["result"])
EFFECTS_UNSETTLED = Gauge("tieline_effects_unsettled", "Effects whose outcome is not known and that nobody is at.")
KEYS_BOUNCED = Counter("tieline_keys_bounced_total", "Keys reported again within milliseconds, dropped.")
LOG_LINES_LOST = Counter(
    "tieline_lost_log_lines_total", "Log lines that stderr was too slow for, or did not take whole."
)
LOST_ROWS = Counter("tieline_lost_journal_rows_total", "Journal rows and records that could not be written.")
FENCED_ROWS = Counter(
    "tieline_fenced_journal_rows_total",
    "Journal rows and records that were not written because another process had taken their call over.",
)
HELD_ROWS = Gauge(
    "tieline_held_journal_rows", "Journal rows and records of calls whose rows the database does not take now."
)
JOB_FAILURES = Counter(
    "tieline_job_failures_total", "Failures of periodic jobs that nothing else tells of, by job.", ["job"]
)
STORE_READY = Gauge("tieline_store_ready", "1 while the store answers and its file is there.")
UNREADABLE = Counter(
    "tieline_unreadable_rows_total", "Rows of the store that cannot be read and were set aside, by table.", ["table"]
)
PASSED_OVER = Counter(
    "tieline_passed_over_journal_rows_total",
    "Journal rows or fields of rows, written by another release, that this one cannot read, by reason.",
    ["why"],
)
IDS_REPEATED = Counter("tieline_conversation_ids_repeated_total", "Calls with the conversation id of an earlier call.")
FORGOTTEN = Counter("tieline_calls_forgotten_total", "Calls of which the store has lost rows that it had.")
SLOW_TURNS = Counter("tieline_slow_turns_total", "Turns of an actor that held the loop over 20 ms.", ["actor"])
LOOP_LAG = Histogram(
    "tieline_loop_lag_seconds",
    "How late the event loop runs its timers, measured twenty times a second.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0),
)
LOOP_OVERLOADS = Counter(
    "tieline_loop_overloads_total", "Times the event loop was late for so long that each socket was allowed less."
)
ANSWER_S = Histogram(
    "tieline_answer_seconds",
    "From the caller's last sample with speech to the first of the bot's answer, as the caller hears it.",
    ["bot"],
    buckets=(0.3, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0),
)
ANSWER_STAGE_S = Histogram(
    "tieline_answer_stage_seconds",
    "The parts of an answer's time.",
    ["bot", "stage"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0),
)
GREETING_S = Histogram(
    "tieline_greeting_seconds",
    "From a call's start to the first sound of the bot.",
    ["bot"],
    buckets=(0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0),
)
YIELD_S = Histogram(
    "tieline_yield_seconds",
    "From the first sound of a caller who interrupts to the last of the bot.",
    ["bot"],
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0),
)
SILENCE_S = Histogram(
    "tieline_silence_seconds",
    "Times over a second in which nobody was heard, by who was heard last before.",
    ["bot", "after"],
    buckets=(1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 30.0),
)
TOOL_S = Histogram(
    "tieline_tool_seconds",
    "How long effects of tasks and look-ups took, by name and result.",
    ["tool", "outcome"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0),
)
CALL_S = Histogram(
    "tieline_call_seconds",
    "How long calls lasted, by outcome.",
    ["outcome"],
    buckets=(5, 15, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600),
)
DIAL_S = Histogram(
    "tieline_dial_seconds",
    "How long connections to the model took to open.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0),
)
TOKENS = Counter(
    "tieline_tokens_total",
    "Tokens that calls have used, by model of the price list, direction, modality and whether they were cached.",
    ["model", "direction", "modality", "cached"],
)
COST_USD = Counter("tieline_cost_usd_total", "What calls have cost at the model's provider, by what.", ["bot", "kind"])
TRANSCRIBED_S = Counter(
    "tieline_transcribed_seconds_total", "Seconds of callers' speech that were transcribed and billed by time."
)
UNHEARD_S = Counter("tieline_unheard_seconds_total", "Speech of bots that was paid for and never heard.", ["bot"])
RECORDING_LOST = Counter(
    "tieline_recording_blocks_lost_total",
    "Blocks of recordings, or whole ones, that were not kept, by why.",
    ["why"],
)
RECORDINGS_DUE = Gauge("tieline_recordings_due", "Ended parts of recordings that are not made, or not uploaded yet.")
RECORDING_TRIES = Counter("tieline_recording_tries_total", "Tries to make or upload recordings, by result.", ["result"])
BOT_INFO = Gauge("tieline_bot_info", "1 for the version of each bot that takes new calls.", ["bot", "digest"])
BOT_FAULTS = Gauge("tieline_bot_faults", "Faults of a bot's files as they are, which are therefore not used.", ["bot"])
BOT_RELOADS = Counter("tieline_bot_reloads_total", "Changed files of bots, by whether they were used.", ["outcome"])
RETENTION_DELETED = Counter(
    "tieline_retention_deleted_total", "Calls and effects of which something was deleted, by what.", ["what"]
)
RETENTION_ROWS = Counter("tieline_retention_rows_total", "Rows that retention has deleted or changed.")
RETENTION_BATCH = Histogram(
    "tieline_retention_batch_seconds",
    "How long a transaction of retention took, in which SQLite takes nothing else.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
)
RETENTION_ROUNDS = Counter(
    "tieline_retention_rounds_total", "Rounds of retention at this process, by result.", ["result"]
)
