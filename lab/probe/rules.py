"""The rules of both wires as tables: what is asked of a peer, where it stands, and what a breach means.

A rule of VAIC's wire may name complaints of the simulated caller (lab/caller): it is broken by any of them, and kept
where messages of the types in `shown_by` passed without one. All other rules are decided by scenes.
May import: protocols.media, the standard library.
Rules from: docs/specs/vaic-streaming.md 2 to 11, docs/specs/openai-realtime.md 1 to 6; each names its section.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from protocols.media import KNOWN

VAIC_SPEC = "docs/specs/vaic-streaming.md"
REALTIME_SPEC = "docs/specs/openai-realtime.md"


class Breach(Enum):
    """What breaking a rule does: WARNS where the other side puts up with it, or the source is not certain."""

    FAILS = "fails"
    WARNS = "warns"


@dataclass(frozen=True, slots=True)
class ProbeRule:
    """One rule. section: of the wire's specification."""

    name: str
    section: str
    text: str
    breach: Breach = Breach.FAILS
    shown_by: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()


_FAILS, _WARNS = Breach.FAILS, Breach.WARNS
_SPEECH = ("userStream.speech.started", "userStream.speech.stopped")
_SPEECH_TEXTS = ("userStream.speech.hypothesis", "userStream.speech.recognition")
_AUDIO = ("playStream.chunk",)

VAIC_RULES = (
    # --- transport ---
    ProbeRule("connects", "2.1", "each upgrade with the right token succeeds"),
    ProbeRule("wrong_token", "2.1", "a wrong token is refused with HTTP 401 before the upgrade"),
    ProbeRule("http_get", "2.2", "a plain GET is answered with 200 and {type: ac-bot-api, success: true}", _WARNS),
    ProbeRule("no_compression", "2.1", "permessage-deflate is not negotiated", _WARNS),
    ProbeRule(
        "text_frames",
        "2.3",
        "every message is a text frame with a JSON object that has a type",
        complaints=("binary_frame",),
    ),
    ProbeRule(
        "known_messages",
        "5",
        "every message is one of the specification, with its fields",
        _WARNS,
        shown_by=("session.accepted", "session.error"),
        complaints=("unknown_frame", "unasked_frame"),
    ),
    ProbeRule(
        "right_conversation",
        "2.4",
        "conversationId, where sent, is the call's",
        shown_by=("session.accepted", "session.error"),
        complaints=("other_conversation",),
    ),
    ProbeRule(
        "no_participant",
        "9",
        "in an ordinary call no participant is named",
        _WARNS,
        shown_by=("userStream.started",),
        complaints=("participant_invented",),
    ),
    # --- validation ---
    ProbeRule("validate", "3.1", "connection.validate is answered with connection.validated, success true", _WARNS),
    ProbeRule("validate_alone", "3.1", "connection.validate starts nothing: no other message comes"),
    ProbeRule("validate_then_call", "3.1", "session.initiate on a validated socket is answered", _WARNS),
    # --- the beginning of a call ---
    ProbeRule(
        "answered",
        "3.2",
        "session.initiate is answered with session.accepted or session.error",
        complaints=("not_answered", "lost_before_session_accepted"),
    ),
    ProbeRule("answered_soon", "8", "the answer comes within 3 s", _WARNS),
    ProbeRule(
        "answer_first",
        "11.1",
        "nothing is sent before the answer",
        shown_by=("session.accepted", "session.error"),
        complaints=("before_session_accepted",),
    ),
    ProbeRule(
        "one_answer",
        "3.2",
        "there is exactly one answer a socket",
        shown_by=("session.accepted",),
        complaints=("second_answer",),
    ),
    ProbeRule(
        "offered_format",
        "11.2",
        "the format accepted is one of those offered, and each play stream's too",
        shown_by=("session.accepted",),
        complaints=("format_not_offered",),
    ),
    ProbeRule("minimal_initiate", "3.2", "optional fields of session.initiate may be missing"),
    ProbeRule("start_missing", "4.2", "a call without the start event is served", _WARNS),
    ProbeRule("initiate_without_formats", "3.2", "without supportedMediaFormats there is an answer at once", _WARNS),
    ProbeRule("initiate_with_null_formats", "3.2", "supportedMediaFormats null gets an answer at once", _WARNS),
    ProbeRule("initiate_without_id", "3.2", "without conversationId there is an answer or a close at once", _WARNS),
    ProbeRule("unknown_formats_refused", "6", "where no offered format is known the answer is session.error"),
    ProbeRule("two_initiates", "3.2", "a second session.initiate on a socket does not break the call", _WARNS),
    ProbeRule("before_initiate", "7.11", "what comes before session.initiate is ignored or refused", _WARNS),
    *(ProbeRule(f"format {name}", "6", f"a call that offers {name} only is served", _WARNS) for name in KNOWN),
    ProbeRule("greets", "7.2", "the bot plays something at the start: the call is answered by that", _WARNS),
    # --- user streams ---
    ProbeRule("user_started", "3.5", "userStream.start is answered with userStream.started"),
    ProbeRule("user_stopped", "3.7", "userStream.stop is answered with userStream.stopped"),
    ProbeRule("user_again", "3.5", "a user stream starts and stops many times a call"),
    ProbeRule(
        "speech_told",
        "7.8",
        "a caller who speaks is reported by userStream.speech.*: VAIC's silence timers rest on it",
    ),
    ProbeRule("speech_recommended", "7.3", "started, stopped and committed are all sent", _WARNS),
    ProbeRule(
        "speech_order",
        "5.7",
        "speech.started and speech.stopped alternate",
        _WARNS,
        shown_by=_SPEECH,
        complaints=("speech_started_twice", "speech_stopped_without_start"),
    ),
    ProbeRule(
        "speech_alternatives",
        "5.8",
        "hypothesis and recognition have at least one alternative",
        shown_by=_SPEECH_TEXTS,
        complaints=("no_alternatives",),
    ),
    ProbeRule("answers_speech", "7.3", "a caller's sentence is answered with a play stream", _WARNS),
    # --- play streams ---
    ProbeRule(
        "one_stream",
        "7.4",
        "one play stream at a time",
        shown_by=("playStream.start",),
        complaints=("second_open_stream",),
    ),
    ProbeRule(
        "new_stream_id",
        "5.11",
        "no streamId is used twice in a call",
        shown_by=("playStream.start",),
        complaints=("stream_id_reused",),
    ),
    ProbeRule(
        "chunks_inside",
        "7.4",
        "chunks come only between their stream's start and stop",
        shown_by=_AUDIO,
        complaints=("chunk_after_stop", "chunk_outside_stream"),
    ),
    ProbeRule(
        "stops_inside",
        "7.4",
        "a stop is of the stream that is open",
        shown_by=("playStream.stop",),
        complaints=("stop_outside_stream",),
    ),
    ProbeRule(
        "stream_ended",
        "7.4",
        "a stream is stopped at the end of its utterance, not kept open",
        shown_by=("playStream.stop",),
        complaints=("stream_left_open",),
    ),
    ProbeRule("no_silence", "7.4", "a stream is not fed with silence", _WARNS, _AUDIO, ("silence_fed",)),
    ProbeRule("no_empty_stream", "7.4", "a stream has audio", _WARNS, ("playStream.stop",), ("empty_stream",)),
    ProbeRule("whole_samples", "7.4", "no sample is split over two chunks", _FAILS, _AUDIO, ("torn_sample",)),
    ProbeRule("no_flood", "7.4", "what is sent can be played: no five minutes ahead, and no messages without end"),
    ProbeRule(
        "audio_readable",
        "2.3",
        "audio is base64, and a wav/ stream has a header",
        _FAILS,
        _AUDIO,
        ("bad_audio", "wav_header"),
    ),
    # --- barge-in ---
    ProbeRule("barge_in_told", "7.5", "the caller speaks into the bot's speech: userStream.speech.started comes"),
    ProbeRule("barge_in_stops", "7.5", "the interrupted stream is stopped"),
    ProbeRule("barge_in_order", "7.5", "speech.started comes before that stop", _WARNS),
    ProbeRule(
        "barge_in_final",
        "7.5",
        "no chunk of an interrupted stream follows speech.started",
        shown_by=("userStream.speech.started",),
        complaints=("chunk_after_interruption",),
    ),
    # --- what must not matter ---
    ProbeRule("odd unknown message", "2.5", "an unknown message is ignored"),
    ProbeRule("odd unknown field", "2.5", "unknown fields are ignored"),
    ProbeRule("odd unknown activity", "2.5", "an unknown activity is ignored"),
    ProbeRule("odd activity type", "4.1", "an activity of an unknown type is ignored"),
    ProbeRule("odd no activities", "3.8", "an activities message without activities is ignored"),
    ProbeRule("odd activity fields", "11.11", "an activity without name, id and timestamp is ignored"),
    ProbeRule("odd not JSON", "2.3", "what is no JSON is ignored"),
    ProbeRule("odd array", "2.3", "JSON that is no object is ignored"),
    ProbeRule("odd no type", "2.3", "an object without type is ignored"),
    ProbeRule("odd deep JSON", "2.3", "JSON nested deeply is ignored", _WARNS),
    ProbeRule("odd binary", "2.3", "a binary frame does no harm", _WARNS),
    ProbeRule("odd empty chunk", "3.6", "an empty chunk is taken"),
    ProbeRule("odd odd chunk", "3.6", "a chunk of an odd number of bytes is taken"),
    ProbeRule("odd chunk field", "3.6", "a chunk without audioChunk is ignored"),
    ProbeRule("odd base64", "2.3", "a chunk that is no base64 is ignored"),
    ProbeRule("odd late chunk", "3.6", "a chunk outside a user stream is dropped"),
    ProbeRule("odd participant", "9", "a stream of a participant is acknowledged with its name", _WARNS),
    ProbeRule("dtmf", "4.3", "DTMF is taken"),
    ProbeRule("dtmf_case", "10.17", "so is dtmf in small letters, or with many digits"),
    ProbeRule("events", "4.3", "noUserInput, playFinished, transferStatus and playUrlFailed are taken"),
    ProbeRule("second_start", "7.9", "a second start event does no harm"),
    # --- activities of the bot ---
    ProbeRule(
        "known_activities",
        "4.4",
        "the bot's events are those that VAIC knows",
        _WARNS,
        shown_by=("activities",),
        complaints=("unknown_event", "no_activities", "bad_params", "not_played", "recording_state"),
    ),
    ProbeRule(
        "activity_fields",
        "4.4",
        "transfers have a target, sendDtmf has digits",
        shown_by=("activities",),
        complaints=("transfer_without_target", "bad_dtmf_digits"),
    ),
    ProbeRule(
        "activity_once",
        "7.6",
        "no activity is sent twice, and after a hangup nothing but acknowledgements",
        _WARNS,
        shown_by=("activities",),
        complaints=("activity_repeated", "after_hangup"),
    ),
    # --- the end ---
    ProbeRule("never_ends", "11.5", "the bot sends no session.end"),
    ProbeRule(
        "stays", "11.5", "the bot does not close the socket of a call that goes on", complaints=("closed_to_hang_up",)
    ),
    ProbeRule("no_error", "11.7", "no session.error for what a call survives", complaints=("session_error",)),
    ProbeRule(
        "closes", "3.4", "after session.end the bot closes the socket", complaints=("not_closed_after_session_end",)
    ),
    ProbeRule(
        "closes_normally", "7.10", "it closes with 1000, or without a code", _WARNS, complaints=("closed_badly",)
    ),
    ProbeRule(
        "silent_at_end",
        "7.10",
        "it sends nothing after session.end that was not on its way",
        _WARNS,
        complaints=("after_session_end",),
    ),
    # --- resume ---
    ProbeRule("resume_unknown", "3.3", "session.resume of an unknown call is refused with session.error"),
    ProbeRule("resume_ended", "7.10", "so is that of a call that has ended", _WARNS),
    ProbeRule(
        "resumes",
        "7.9",
        "a call whose socket was lost is resumed on a new one (AudioCodes' own library cannot)",
        _WARNS,
        complaints=("not_resumed", "resume_refused"),
    ),
    ProbeRule("resume_streams", "7.9", "the resumed call's userStream.start is answered", _WARNS),
    ProbeRule(
        "resume_format",
        "11.2",
        "the user stream's format does not change",
        shown_by=("session.accepted",),
        complaints=("format_changed",),
    ),
    # --- text mode ---
    ProbeRule(
        "text_mode", "1.3", "a call without audio (expectAudioMessages false) gets texts or session.error, no audio"
    ),
    ProbeRule("text_answers", "1.3", "in text mode a message is answered with a message", _WARNS),
)

REALTIME_RULES = (
    # --- transport ---
    ProbeRule("connects", "1.1", "each upgrade succeeds"),
    ProbeRule("wrong_key", "1.4", "a wrong key is refused with HTTP 401 or 403 at the upgrade", _WARNS),
    ProbeRule("text_frames", "1.1", "every message is a text frame with a JSON object that has a type"),
    ProbeRule("no_flood", "1.1", "messages do not come without end"),
    ProbeRule("event_ids", "3", "every event has an event_id of its own", _WARNS),
    ProbeRule("known_events", "3.2", "every event is one of the interface of today", _WARNS),
    ProbeRule("ga_names", "1.7", "no event has a name of the beta interface", _WARNS),
    # --- session ---
    ProbeRule("session_created", "4.1", "session.created is the first event, and has the session"),
    ProbeRule("session_expires", "1.3", "session.created tells expires_at", _WARNS),
    ProbeRule("session_shape", "2.2", "the session has type realtime and audio.input and audio.output", _WARNS),
    ProbeRule("session_updated", "2.1", "session.update is answered with session.updated"),
    ProbeRule("session_echo", "2.1", "session.updated has what was set: instructions, tools, turn detection"),
    ProbeRule("session_merge", "2.1", "what an update leaves out stays as it was"),
    ProbeRule("session_null", "2.1", "turn_detection null switches it off"),
    ProbeRule("session_expiry_fixed", "1.3", "session.update does not move expires_at", _WARNS),
    *(
        ProbeRule(f"format {name}", "2.2", f"{name} is taken both ways, and confirmed", breach)
        for name, breach in (("audio/pcm", _FAILS), ("audio/pcmu", _WARNS), ("audio/pcma", _WARNS))
    ),
    # --- errors ---
    ProbeRule("error_shape", "1.5", "an error has type and message"),
    ProbeRule("error_event_id", "1.5", "an error names the event_id of the event at fault", _WARNS),
    ProbeRule("errors_survived", "1.5", "the socket stays open after an error"),
    ProbeRule("bad no JSON", "1.5", "what is no JSON gets an error"),
    ProbeRule("bad no type", "1.5", "an event without type gets an error"),
    ProbeRule("bad unknown type", "1.5", "an unknown event gets an error"),
    ProbeRule("bad unknown key", "2.1", "an unknown key refuses the whole session.update", _WARNS),
    ProbeRule("bad session type", "2.1", "session.update without session.type gets an error", _WARNS),
    ProbeRule("bad base64", "3.1", "audio that is no base64 gets an error"),
    ProbeRule("bad empty commit", "6", "a commit of an empty buffer gets an error", _WARNS),
    ProbeRule("bad item", "3.1", "conversation.item.create without an item gets an error"),
    ProbeRule("bad delete", "3.1", "deleting an unknown item gets an error", _WARNS),
    ProbeRule("bad truncate", "4.6", "truncating an unknown item gets an error", _WARNS),
    ProbeRule("bad cancel", "4.6", "a cancel with no response gets an error", _WARNS),
    ProbeRule("bad output", "3.3", "the output of an unknown call_id gets an error", _WARNS),
    # --- items ---
    ProbeRule("item_added", "3.1", "conversation.item.create is answered with added, then done"),
    ProbeRule("item_id", "3.3", "the item keeps the id that the client chose"),
    ProbeRule("item_retrieved", "3.1", "retrieve is answered with the item", _WARNS),
    ProbeRule("item_deleted", "3.1", "delete is answered with conversation.item.deleted"),
    ProbeRule("buffer_cleared", "3.1", "input_audio_buffer.clear is answered with cleared"),
    # --- responses ---
    ProbeRule("response_created", "4.2", "response.create is answered with response.created, in progress"),
    ProbeRule("response_done", "4.2", "each response ends with one response.done"),
    ProbeRule("response_completed", "3.3", "an undisturbed response has status completed"),
    ProbeRule("response_order", "4.2", "created, item added, part added, deltas, part done, item done, done"),
    ProbeRule("response_ids", "3.2", "each event of a response has its response_id and, of an item, item_id"),
    ProbeRule("response_closed", "4.2", "no event of a response follows its response.done"),
    ProbeRule("response_output", "3.3", "response.done has the items of the response in output"),
    ProbeRule("response_usage", "3.3", "response.done has usage with total_tokens", _WARNS),
    ProbeRule("response_metadata", "3.3", "metadata comes back in response.created and response.done"),
    ProbeRule("second_response", "6", "a second response.create is refused while a response is active", _WARNS),
    ProbeRule("out_of_band", "3.3", "a response with conversation none adds no item to the conversation", _WARNS),
    ProbeRule("text_only", "2.2", "output_modalities text gives text, and no audio"),
    ProbeRule("text_whole", "3.2", "the text's deltas are the text of its done"),
    ProbeRule("audio_and_transcript", "2.2", "output_modalities audio gives audio and a transcript"),
    ProbeRule("transcript_whole", "3.2", "the transcript's deltas are the transcript of its done"),
    ProbeRule("audio_readable", "1.1", "deltas of audio are base64 with whole samples"),
    # --- functions ---
    ProbeRule("function_called", "4.4", "tool_choice required has a function called", _WARNS),
    ProbeRule("function_order", "4.4", "item added, arguments' deltas, arguments done, item done, response.done"),
    ProbeRule("function_arguments", "4.4", "the arguments' deltas are those of done, and a JSON object"),
    ProbeRule("function_names", "1.7", "arguments.done has name and call_id", _WARNS),
    ProbeRule("function_output", "4.4", "a function's output is taken, and answered by the next response"),
    # --- cancel and truncate ---
    ProbeRule("cancelled", "3.1", "response.cancel ends the response with status cancelled"),
    ProbeRule("cancel_reason", "3.3", "with status_details.reason client_cancelled", _WARNS),
    ProbeRule("truncated", "4.6", "conversation.item.truncate is answered with the same item_id and audio_end_ms"),
    # --- voice detection ---
    ProbeRule("vad_order", "4.3", "speech_started, speech_stopped, committed, item added"),
    ProbeRule("vad_item", "3.2", "these have one item_id"),
    ProbeRule("vad_offsets", "3.2", "audio_start_ms and audio_end_ms are whole numbers, in order"),
    ProbeRule("vad_answers", "4.3", "with create_response a response follows"),
    ProbeRule("vad_silent", "2.3", "without create_response none follows"),
    ProbeRule("vad_interrupts", "3.3", "speech into a response ends it: cancelled, turn_detected", _WARNS),
    ProbeRule("transcribed", "4.3", "the caller's words come as a transcript of the same item", _WARNS),
    ProbeRule("manual_turn", "4.3", "without turn detection, commit makes an item and starts no response"),
)

# The events of the interface of today, and what the beta interface called them.
BETA_NAMES = frozenset(
    (
        *("response.text.delta", "response.text.done", "response.audio.delta", "response.audio.done"),
        *("response.audio_transcript.delta", "response.audio_transcript.done", "conversation.item.created"),
        *("transcription_session.updated", "transcription_session.created"),
    )
)
REALTIME_EVENTS = frozenset(
    (
        *("error", "rate_limits.updated", "session.created", "session.updated", "conversation.created"),
        *(f"conversation.item.{name}" for name in ("added", "done", "created", "retrieved", "truncated", "deleted")),
        *(
            f"conversation.item.input_audio_transcription.{name}"
            for name in ("delta", "completed", "failed", "segment")
        ),
        *(
            f"input_audio_buffer.{name}"
            for name in (
                *("speech_started", "speech_stopped", "committed", "cleared", "timeout_triggered"),
                "dtmf_event_received",
            )
        ),
        *(f"output_audio_buffer.{name}" for name in ("started", "stopped", "cleared")),
        *(
            f"response.{name}"
            for name in (
                *("created", "done", "output_item.added", "output_item.done", "content_part.added"),
                *("content_part.done", "output_text.delta", "output_text.done", "output_audio_transcript.delta"),
                *("output_audio_transcript.done", "output_audio.delta", "output_audio.done"),
                *("function_call_arguments.delta", "function_call_arguments.done"),
                *("mcp_call_arguments.delta", "mcp_call_arguments.done", "mcp_call.in_progress"),
                *("mcp_call.completed", "mcp_call.failed"),
            )
        ),
        *(f"mcp_list_tools.{name}" for name in ("in_progress", "completed", "failed")),
    )
)
