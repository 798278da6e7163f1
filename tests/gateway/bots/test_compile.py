"""From files to a bot: what each key does, and every fault with its line and what to write instead."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any, Self
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, model_validator

from actors.bots import TELEPHONE_VAD, RecordingMode
from actors.clips import Clip
from fsm.english import English
from fsm.german import German
from fsm.registry import BrokenTask, TaskFactory
from fsm.spec import AgentSpec
from gateway.bots.compile import ADVISES, Defaults, compile_bot
from gateway.bots.describe import described
from gateway.bots.faults import MOST_FAULTS, BotFaults
from gateway.bots.files import EXAMPLE, read_folder
from gateway.bots.texts import fill
from gateway.daemon import CLIPS, read_clips
from gateway.settings import read_settings
from protocols.media import KNOWN
from protocols.realtime.objects import (
    CustomVoice,
    NoiseReduction,
    RetentionRatio,
    SemanticVad,
    TokenLimits,
    Transcription,
)
from protocols.realtime.profiles import PROFILES
from tests.fsm.tables import table
from tests.gateway.bots.folders import BOT, DEFAULTS, PROFILE, TASKS, bot, faults, files, toml

WHOLE = """\
[bot]
name = "linden"
title = "Linden Dental"
greeting = "Hello, this is {name}."
instructions = { file = "instructions.md" }
language = "en-GB"
languages = ["en-GB", "de-DE"]
time_zone = "Europe/London"
region = "gb"
disclosure = "You are speaking with an automated assistant."

[model]
name = "gpt-realtime-2"; voice = { id = "voice_1" }; speed = 1.1
turn_detection = { type = "semantic_vad", eagerness = "low" }
transcription = { language = "en" }
noise_reduction = "far_field"
max_output_tokens = 2000
truncation = { type = "retention_ratio", retention_ratio = 0.8, token_limits = { post_instructions = 8000 } }
reasoning = { effort = "low" }
parallel_tool_calls = false
tracing = "auto"
prompt = { id = "pmpt_1" }
include = ["item.input_audio_transcription.logprobs"]

[hours]
mon = ["09:00-12:30", "14:00-17:00"]
closed = ["2026-12-25"]

[[task]]
use = "book_appointment"
resource = "linden"; length_min = 30

[[task]]
use = "end_call"

[transfer]
reception = "tel:+4930555001"
doctor = "sip:doctor@host"

[turn]
no_input_s = 6; filler_s = 0
yes_without_words = true

[vaic]
formats = ["raw/mulaw", "wav/lpcm16"]

[limits]
max_call_s = 1200; effects_per_call = 3; effects_per_number = 0
max_cost_usd = 2.5; max_cost_usd_per_day = 100
""".replace("; ", "\n")


def test_every_key_reaches_the_bot() -> None:
    made = bot(WHOLE, instructions_dot_md="You are {name}. We are open {hours}. {{x}} {{{name}}}")
    profile, model = made.profile, made.profile.model
    assert (made.name, len(made.digest)) == ("linden", 64)
    assert profile.greeting == "You are speaking with an automated assistant. Hello, this is Linden Dental."
    assert profile.instructions.splitlines()[0] == (
        "You are Linden Dental. We are open on Monday from nine in the morning to half past twelve in the afternoon "
        "and from two in the afternoon to five in the afternoon. {x} {Linden Dental}"
    )
    assert profile.instructions.endswith("Speak English (en-GB), whatever language the caller speaks.")
    assert (profile.time_zone, profile.region) == (ZoneInfo("Europe/London"), "GB")
    assert (model.name, model.voice, model.speed) == ("gpt-realtime-2", CustomVoice(id="voice_1"), 1.1)
    assert model.turn_detection == SemanticVad(eagerness="low")
    assert "create_response" in model.turn_detection.model_fields_set, "sent, because defaults differ between models"
    assert model.transcription == Transcription(model="whisper-1", language="en")
    assert model.noise_reduction == NoiseReduction(type="far_field")
    limits = TokenLimits(post_instructions=8000)
    assert model.truncation == RetentionRatio(retention_ratio=0.8, token_limits=limits)
    assert (model.max_output_tokens, model.parallel_tool_calls, model.tracing) == (2000, False, "auto")
    assert model.include == ("item.input_audio_transcription.logprobs",)
    assert list(profile.agents) == ["book_appointment", "end_call"]
    assert list(profile.transfer_targets) == ["reception", "doctor"]
    assert (profile.no_input_s, profile.filler_s, profile.yes_without_words) == (6, 0, True)
    assert profile.media_formats == ("raw/mulaw", "wav/lpcm16")
    assert (profile.max_call_s, profile.effects_per_call, profile.effects_per_number) == (1200, 3, 0)
    assert (profile.max_cost_usd, profile.max_cost_usd_per_day) == (2.5, 100)


def test_a_bot_that_sets_nothing_has_what_the_deployment_sets_and_all_tasks() -> None:
    made = bot().profile
    assert made == replace(PROFILE, instructions="Be kind.", greeting="Hello.")
    assert len(made.agents) == 5


def test_the_example_is_whole() -> None:
    made = compile_bot(read_folder(EXAMPLE / "linden"), DEFAULTS).profile
    assert made.greeting == "Hello, this is the Linden practice. How can I help you?"
    assert "We are open every day from nine in the morning to five in the afternoon." in made.instructions


def test_a_part_of_voice_detection_leaves_the_rest_as_it_is_for_telephones() -> None:
    made = bot(f'{BOT}[model]\nturn_detection = {{ type = "server_vad", silence_duration_ms = 700 }}')
    assert made.profile.model.turn_detection == TELEPHONE_VAD.model_copy(update={"silence_duration_ms": 700})


def test_noise_reduction_can_be_switched_off() -> None:
    assert bot(f'{BOT}[model]\nnoise_reduction = "off"').profile.model.noise_reduction is None


def test_a_bot_speaks_its_language() -> None:
    profile = bot(f'{BOT}language = "de-AT"\n[hours]\nmon = ["09:00-12:30"]').profile
    assert (profile.locale.tag, profile.locales) == ("de-AT", {})
    assert profile.instructions == "Be kind.\n\nSpeak German (de-AT), whatever language the caller speaks."


def test_a_bot_that_speaks_the_callers_language_begins_in_the_first() -> None:
    profile = bot(f'{BOT}language = "caller"\nlanguages = ["de-DE", "en-GB"]').profile
    assert (profile.locale.tag, list(profile.locales)) == ("de-DE", ["de-DE", "en-GB"])


def test_callers_are_transcribed_in_the_bots_language_unless_it_says_otherwise() -> None:
    def language(keys: str) -> str | None:
        return bot(f"task = []\n{BOT}{keys}").profile.model.transcription.language

    assert language('language = "de-DE"') == "de"
    assert language('language = "de-DE"\n[model]\ntranscription = { language = "nl" }') == "nl"
    for keys in ("", 'language = "caller"\nlanguages = ["de-DE", "en-GB"]', 'language = "gsw-CH"'):
        assert language(keys) is None


def test_texts_have_hours_and_closed_days_in_the_bots_language() -> None:
    hours = '[hours]\nmon = ["09:00-12:30", "14:00-17:00"]\nclosed = ["2026-12-24", "2026-12-25"]'
    toml = BOT.replace("Be kind.", "Offen: {hours}. Zu: {closed}.") + f'language = "de-DE"\n{hours}'
    told, _, _ = bot(toml).profile.instructions.partition("\n")
    assert told == (
        "Offen: am Montag von 9 Uhr bis 12 Uhr 30 und von 14 Uhr bis 17 Uhr."
        " Zu: Donnerstag, 24. Dezember 2026 und Freitag, 25. Dezember 2026."
    )


def test_a_bot_has_sentences_of_its_own() -> None:
    own = 'still_there = "Hallo?"\nconfirm_booking = "{name} am {day} um {at}?"'
    toml = f'{BOT}language = "de-DE"\n[sentences]\n{own}'
    locale = bot(toml).profile.locale
    assert locale.of("Are you still there?") == "Hallo?"
    assert locale.of("What should I change?") == "Was soll ich ändern?"
    values = {"day": date(2026, 11, 26), "at": time(10, 30), "name": "Anna Berg"}
    assert locale.fill("{day} at {at} for {name}. Shall I book it?", values) == (
        "Anna Berg am Donnerstag, 26. November um 10 Uhr 30?"
    )
    assert bot(f'{BOT}[sentences]\nfarewell = "Bye."').profile.locale.of("Thank you for calling. Goodbye.") == "Bye."


def test_sentences_of_its_own_are_checked() -> None:
    keys = 'still_ther = "Hallo?"\ntaken = "{time} is gone."\nfarewell = "Bye {"\n'
    told = faults(f"{BOT}[sentences]\n{keys}")
    assert told[0].startswith(
        'linden/bot.toml:5: sentences.still_ther: is no key of this table; did you mean "still_there"?'
    )
    assert told[1:] == [
        "linden/bot.toml:6: sentences.taken: nothing is known to put in for {time}; there is {at}, {nearest}",
        "linden/bot.toml:7: sentences.farewell: Single '{' encountered in format string; write a brace that is to "
        "be said as {{ or }}",
    ]
    assert faults(f'{BOT}[sentences]\nconfirm_booking = "{{name}}?"') == [
        "linden/bot.toml:5: sentences.confirm_booking: must name {at} too: the caller's yes agrees to it"
    ]
    several = f'{BOT}language = "caller"\nlanguages = ["de-DE", "en-GB"]\n[sentences]\nfarewell = "Bye."'
    assert faults(several) == [
        "linden/bot.toml:6: sentences: are for a bot that speaks one language; leave them out, or one language"
    ]


def test_a_language_in_which_no_yes_is_understood_has_no_tasks_that_wait_for_one() -> None:
    waits = (
        "no yes is understood in French (fr-FR), and book_appointment, cancel_appointment, reschedule_appointment "
        "would wait for one; leave them out, or speak one of: German (de), English (en)"
    )
    assert faults(f'{BOT}language = "fr-FR"') == [f"linden/bot.toml:4: bot.language: {waits}"]
    several = f'{BOT}language = "caller"\nlanguages = ["de-DE", "fr-FR"]'
    assert faults(several) == [f"linden/bot.toml:5: bot.languages: {waits}"]
    assert faults(f'{BOT}language = "caller"') == [
        "linden/bot.toml:4: bot.language: book_appointment, cancel_appointment, reschedule_appointment would wait "
        "for a yes, which is understood only in languages that are named; "
        'write them, for example languages = ["en-GB", "de-DE"]'
    ]
    assert bot(f'task = []\n{BOT}language = "caller"').profile.languages == ()
    assert bot(f'task = []\n{BOT}language = "fr-FR"').profile.locale.language == "fr"


def test_a_bot_that_speaks_its_callers_language_understands_a_yes_in_each() -> None:
    profile = bot(f'{BOT}language = "caller"\nlanguages = ["de-DE", "en-GB", "de-AT"]').profile
    read = {tag: [type(each) for each in locale.reader.readers()] for tag, locale in profile.locales.items()}
    assert read == {"de-DE": [German, English], "en-GB": [English, German], "de-AT": [German, English]}
    assert profile.locale is profile.locales["de-DE"]


def test_a_bot_without_recordings_has_the_included_ones_of_its_language_or_none() -> None:
    included = read_clips(read_settings(OPENAI_API_KEY="unused", host="127.0.0.1"))
    defaults = replace(DEFAULTS, clips=included)
    for tag, goodbye in (("en-GB", "Goodbye."), ("de-DE", "Auf Wiederhören.")):
        clips = compile_bot(files(f'{BOT}language = "{tag}"'), defaults).profile.clips
        assert clips[Clip.GOODBYE].words.endswith(goodbye)
    assert compile_bot(files(f'task = []\n{BOT}language = "fr-FR"'), defaults).profile.clips == {}
    ours = replace(DEFAULTS, profile=replace(PROFILE, clips=included["en"]))
    assert compile_bot(files(f'task = []\n{BOT}language = "fr-FR"'), ours).profile.clips == included["en"], (
        "the deployment's own"
    )


ASSISTANT = '[bot]\nmode = "assist"\ninstructions = "Know the rules."\n'


def test_a_bot_that_assists_offers_no_tasks_and_ends_no_call() -> None:
    profile = bot(ASSISTANT).profile
    assert (profile.assists, profile.agents, profile.max_call_s, profile.greeting) == (True, {}, 0, "")
    assert profile.instructions == f"Know the rules.\n\n{ADVISES}"
    assert not bot().profile.assists
    assert bot(BOT + 'mode = "talk"').profile == bot().profile


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ('greeting = "Hello."', "4: bot.greeting"),
        ('disclosure = "I am a machine."', "4: bot.disclosure"),
        ('[[task]]\nuse = "end_call"', "4: task"),
        ('[transfer]\ndesk = "tel:+491"', "4: transfer"),
        ("[turn]\nno_input_s = 5", "4: turn"),
        ("[limits]\nmax_call_s = 60", "4: limits"),
        ('[activities]\nallow = ["send_dtmf"]', "4: activities"),
    ],
)
def test_a_bot_that_assists_sets_nothing_that_is_for_callers(more: str, where: str) -> None:
    told = f"linden/bot.toml:{where}: is for a bot that talks to callers; leave it out, or mode"
    assert faults(f"{ASSISTANT}{more}\n") == [told]


def test_a_disclosure_that_is_in_the_greeting_is_not_said_twice() -> None:
    assert bot(f'{BOT}disclosure = "Hello."').profile.greeting == "Hello."


def test_a_bots_own_recordings_replace_those_of_the_deployment_one_by_one() -> None:
    sound = (CLIPS / "en" / "goodbye.wav").read_bytes()
    made = bot(BOT, clips__goodbye_dot_wav=sound, clips__goodbye_dot_txt="Bye.")
    assert {clip: each.words for clip, each in made.profile.clips.items()} == {Clip.GOODBYE: "Bye."}


def test_tasks_without_settings_get_the_bots_hours_too() -> None:
    made = bot(f'{BOT}[hours]\nsun = ["10:00-11:00"]')
    assert made.profile.agents["book_appointment"] is not PROFILE.agents["book_appointment"]
    assert made.profile.agents["end_call"] is PROFILE.agents["end_call"]


CALLBACK = """\
[task]
name = "callback"
description = "The caller wants to be called back."
[slot.at]
type = "time"
ask = "At what time?"
check = "within_hours"
[flow]
collect = ["at"]
confirm = "A callback at {at}. Is that right?"
done = { say = "We will call you back." }
"""


def test_a_task_in_toml_is_offered_and_knows_the_hours() -> None:
    toml = f'{BOT}[hours]\nmon = ["09:00-17:00"]\n[[task]]\nfile = "tasks/callback.toml"'
    made = bot(toml, tasks__callback_dot_toml=CALLBACK)
    assert list(made.profile.agents) == ["callback"]


def test_every_fault_is_told_at_once_with_its_line_and_what_to_write() -> None:
    toml = """\
[bot]
name = "lindn"
greting = "Hello"
greeting = "Hello {nobody}. We are open {hours}."
instructions = { file = "x.txt" }
language = "english"
time_zone = "Berlin"
[model]
voice = "nova"
speed = 3
turn_detection = { type = "server_vad", create_response = false, idle_timeout_ms = 600 }
tools = []
[hours]
mon = ["14:00-12:30"]
tue = ["09:00-12:00", "11:00-13:00"]
[[task]]
use = "book_appointment"
lenght_min = 3
[[task]]
use = "end_cal"
[[task]]
use = "end_call"
loud = true
[[task]]
use = "end_call"
[[task]]
file = "tasks/callback.toml"
[transfer]
desk = "030 555"
[limits]
max_call_s = "1200"
max_cost_usd = -2.5
[modle]
"""
    assert faults(toml, tasks__callback_dot_toml='[task]\nname = "callback"\ndescription = ""\n') == [
        'linden/bot.toml:2: bot.name: the folder is called "linden"; write name = "linden"',
        'linden/bot.toml:3: bot.greting: is no key of this table; did you mean "greeting"? there are disclosure, '
        "greeting, instructions, language, languages, mode, name, region, time_zone, title",
        "linden/bot.toml:4: bot.greeting: nothing is known to put in for {nobody}; there are {name}, {hours}, "
        "{closed}, {time_zone}, {languages}, {transfer}; for a brace write {{",
        "linden/bot.toml:4: bot.greeting: {hours} is empty, because the bot does not set it; write [hours]",
        'linden/bot.toml:5: bot.instructions.file: there is no file "x.txt" in the folder; write one there',
        'linden/bot.toml:6: bot.language: "english" is no language; write it like "en-GB"',
        'linden/bot.toml:7: bot.time_zone: "Berlin" is no time zone of the IANA database; write one like '
        '"Europe/Berlin"',
        'linden/bot.toml:9: model.voice: the Realtime API has no voice "nova"; write one like "marin"',
        "linden/bot.toml:10: model.speed: must be 1.5 or less",
        "linden/bot.toml:11: model.turn_detection.idle_timeout_ms: must be 5000 or more",
        "linden/bot.toml:12: model.tools: is not the model's here: its functions are the bot's tasks; write [[task]]",
        'linden/bot.toml:14: hours.mon: 12:30 is before 14:00; write "12:30-14:00", or two days if it passes midnight',
        'linden/bot.toml:15: hours.tue: "09:00-12:00" and "11:00-13:00" overlap; write "09:00-13:00"',
        'linden/bot.toml:18: task[1].lenght_min: is no key of this table; did you mean "length_min"? there are '
        "ahead_days, database, hours, length_min, resource",
        'linden/bot.toml:20: task[2].use: there is no task "end_cal"; did you mean "end_call"? there are '
        "book_appointment, cancel_appointment, end_call, hand_over, reschedule_appointment",
        "linden/bot.toml:23: task[3].loud: the task end_call has no settings; leave it out",
        "linden/bot.toml:24: task[4]: the task end_call stands here twice; leave one out",
        'linden/bot.toml:29: transfer.desk: "030 555" is no address to transfer to; write it like '
        '"tel:+4930555001" or "sip:desk@host"',
        "linden/bot.toml:31: limits.max_call_s: must be a number, like 1.5",
        "linden/bot.toml:32: limits.max_cost_usd: must be 0.0 or more",
        'linden/bot.toml:33: modle: is no key of this table; did you mean "model"? there are activities, '
        "after_call, before_call, bot, hours, limits, mcp, model, privacy, recording, retention, sentences, start, "
        "task, tool, transfer, turn, vaic",
        "linden/tasks/callback.toml:3: task.description: must not be empty",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("toml", "others", "fault"),
    [
        ("", {}, 'linden/bot.toml:1: bot: is missing; write [bot], with greeting = "…"'),
        ("[bot]\n", {}, 'linden/bot.toml:1: bot.greeting: is missing; write greeting = "Hello, this is'),
        ("x = nope", {}, "linden/bot.toml:1: is no TOML: invalid value; texts stand in quotes"),
        ("[bot]\n\nname = 'a'\nname = 'b'", {}, "linden/bot.toml:4: is no TOML: cannot overwrite a value"),
        ("[bot]\nname = '''", {}, "linden/bot.toml:2: is no TOML:"),
        (f"x = {'[' * 9999}", {}, "linden/bot.toml:1: is nested too deeply"),
        (f"\n\n{'a.' * 60_000}a = 1", {}, "linden/bot.toml:3: is nested too deeply"),
        (f"\n[{'a . ' * 60}a]\nb = 1", {}, "linden/bot.toml:2: is nested too deeply"),
        (f"""x = {{ b = 1, {'"a".' * 60}a = 1 }}""", {}, "linden/bot.toml:1: is nested too deeply"),
        (f"{BOT}x = {'1' * 9999}", {}, "linden/bot.toml:1: is no TOML: exceeds the limit"),
        ('[bot]\nname = "a"; greeting = "b"', {},
         "linden/bot.toml:2: is no TOML: expected newline or end of document after a statement; write each key"),
        (b"[bot]\n\nname = '\xff'", {}, "linden/bot.toml:3: is not UTF-8"),
        (f'{BOT}language = "de-DE"\nlanguages = ["en-GB"]', {}, '4: bot.language: "de-DE" is not among languages'),
        (f"{BOT}[hours]\nclosed = [2026-12-25]", {}, "linden/bot.toml:4: hours: it is never open"),
        (f'{BOT}[vaic]\nformats = ["raw/alaw"]', {}, '5: vaic.formats: "raw/alaw" is no media format of VoiceAI'),
        (f"{BOT}[turn]\nno_input_s = nan", {}, "linden/bot.toml:5: turn.no_input_s: must be a number"),
        (f'{BOT}[model]\nturn_detection = {{ type = "vad" }}', {},
         "model.turn_detection: 'type' must be one of 'server_vad'"),
        (f"{BOT}[model]\nturn_detection = {{ threshold = 0.5 }}", {}, "model.turn_detection: needs 'type'"),
        (f'{BOT}[model]\ntruncation = "some"', {}, "linden/bot.toml:5: model.truncation: must be 'auto' or 'disabled'"),
        (f"{BOT}[model]\ntemperature = 0.8", {}, "no field of the Realtime API any more"),
        (f'{BOT}[model]\nturn_detection = {{ type = "server_vad", create_response = false }}', {},
         "linden/bot.toml:5: model.turn_detection.create_response: must be true"),
        (f'{BOT}[model]\ntranscription = {{ delay = "long" }}', {},
         "linden/bot.toml:5: model.transcription.delay: must be 'minimal', 'low', 'medium', 'high' or 'xhigh'"),
        (f'{BOT}[model.mcp.docs]\nrequire_approval = "never"', {},
         "linden/bot.toml:4: model.mcp.docs: needs one of server_url, connector_id and tunnel_id"),
        (f'{BOT}[model.mcp.docs]\nserver_url = "https://x.test/"', {},
         'linden/bot.toml:4: model.mcp.docs: each tool would be refused; write approve = ["…"]'),
        (f'{BOT}[model.mcp.docs]\nserver_url = "https://x.test/"\nrequire_approval = "never"\napprove = ["a"]', {},
         "linden/bot.toml:4: model.mcp.docs: nothing is asked for"),
        (f'{BOT}[model.mcp.docs]\nserver_url = "https://x.test/"\nallowed_tools = ["a"]\napprove = ["b"]', {},
         "linden/bot.toml:4: model.mcp.docs: approve names b, which is not among allowed_tools"),
        (f'{BOT}[model.mcp.docs]\nserver_url = "https://x.test/"\nrequire_approval = "never"\nauthorization = "t0k"',
         {}, "linden/bot.toml:7: model.mcp.docs.authorization: write the name of a secret"),
        (f'{BOT}[model.mcp.docs]\nserver_url = "https://x.test/"\nrequire_approval = "never"\n'
         'authorization = "secret:NOT_SET"', {},
         "linden/bot.toml:7: model.mcp.docs.authorization: TIELINE_SECRET_NOT_SET: is not set"),
        (f'{BOT}[model.mcp."d o"]\nserver_url = "https://x.test/"\nrequire_approval = "never"', {},
         "linden/bot.toml:4: model.mcp"),
        (f'{BOT}[[task]]\nuse = "book_appointment"\nlength_min = 400\nhours = {{ mon = ["09:00-12:00"] }}', {},
         "linden/bot.toml:4: task[1]: no appointment of 400 min fits"),
        (f'{BOT}[hours]\nmon = ["09:00-09:20"]\n[[task]]\nuse = "book_appointment"\nlength_min = 30', {},
         "linden/bot.toml:6: task[1]: no appointment of 30 min fits"),
        (f"{BOT}[[task]]\n", {}, 'linden/bot.toml:4: task[1]: needs either use = "NAME"'),
        (f"{BOT}task = 3\n", {}, "linden/bot.toml:4: bot.task: is no key of this table"),
        (f'{BOT}[[task]]\nfile = "tasks/x.toml"\n', {"tasks__y_dot_toml": ""},
         'no file "tasks/x.toml" in the folder; there is tasks/y.toml'),
        (f'{BOT}[[task]]\nfile = "tasks/y.toml"\n', {"tasks__y_dot_toml": "a = b"},
         "linden/tasks/y.toml:1: is no TOML"),
        (f'{BOT}[[task]]\nfile = "y.toml"\nx = 1\n', {"y_dot_toml": CALLBACK},
         "task[1].x: is no key of a task in a file"),
        ('[bot]\ngreeting = "x"\ninstructions = { file = "i.txt" }', {"i_dot_txt": "a\nb {hour}"},
         "linden/i.txt:2: nothing is known"),
        ('[bot]\ngreeting = "x"\ninstructions = { file = "i.txt" }', {"i_dot_txt": b"a\n\xff"},
         "linden/i.txt:2: is not UTF-8"),
        ('[bot]\ngreeting = "x"\ninstructions = { file = "i.txt" }', {"i_dot_txt": " \n"}, "linden/i.txt:1: is empty"),
        (BOT, {"clips__helo_dot_wav": b""}, "linden/clips/helo.wav: is no recording of ours; there are call_again"),
        (BOT, {"clips__goodbye_dot_txt": "Bye."},
         "linden/clips/goodbye.txt: stands alone; put clips/goodbye.wav beside it"),
        (BOT, {"clips__goodbye_dot_txt": "Bye.", "clips__goodbye_dot_wav": b"RIFF"},
         "linden/clips/goodbye.wav: is no WAV file"),
        (f'{BOT}[[task]]\nfile = "y.toml"', {"y_dot_toml": CALLBACK}, "linden/y.toml:7: slot.at.check: needs [hours]"),
    ],
)  # fmt: skip
def test_a_fault_is_told_where_it_is(toml: str | bytes, others: dict[str, Any], fault: str) -> None:
    found = faults(toml, **others)
    assert any(fault in each for each in found), found


@pytest.mark.parametrize(
    "toml",
    [
        BOT + "".join(f"[x{each:04}]\n" for each in range(300)),
        BOT + "[sentences]\n" + "".join(f'k{each:04} = "x"\n' for each in range(300)),
        BOT + '[[task]]\nuse = "nobody"\n' * 300,
    ],
)
def test_of_very_many_faults_the_first_are_told(toml: str) -> None:
    found = faults(toml)
    assert len(found) == MOST_FAULTS + 1
    assert found[-1].endswith("and more; put the others right first")


def test_what_is_too_much_of_anything_is_told() -> None:
    many = BOT + "[transfer]\n" + "".join(f'k{each} = {{ to = "tel:1", next = "k{each}" }}\n' for each in range(101))
    assert faults(many) == ["linden/bot.toml:4: transfer: has more than 100; leave some out"]


def test_two_tasks_whose_functions_would_be_mixed_up_are_told() -> None:
    toml = f'{BOT}[[task]]\nuse = "end_call"\n[[task]]\nfile = "t.toml"\n[hours]\nmon = ["09:00-17:00"]'
    assert "begin alike" in faults(toml, t_dot_toml=CALLBACK.replace('"callback"', '"end_call_now"'))[0]


class Line(BaseModel):
    number: int


def test_a_task_that_needs_settings_is_told_to_need_them_and_is_not_offered_without() -> None:
    tasks = {"order_pizza": TaskFactory("order_pizza", Line, lambda _: table())}
    toml = f'{BOT}[[task]]\nuse = "order_pizza"'
    with pytest.raises(BotFaults, match=r"4: task\[1\]: the task order_pizza needs the settings number"):
        compile_bot(files(toml), Defaults(PROFILE, tasks))
    assert list(compile_bot(files(f"{toml}\nnumber = 3"), Defaults(PROFILE, tasks)).profile.agents) == ["order_pizza"]
    assert compile_bot(files(), Defaults(PROFILE, tasks)).profile.agents == {}


def test_a_task_that_cannot_be_had_is_told_where_a_bot_uses_it() -> None:
    tasks = {**TASKS, "order_pizza": BrokenTask("order_pizza", "the task 'order_pizza' cannot be loaded: KeyError")}
    told = faults(f'{BOT}[[task]]\nuse = "order_pizza"\nnumber = 3', defaults=Defaults(PROFILE, tasks))
    assert told == [
        "linden/bot.toml:5: task[1].use: the task 'order_pizza' cannot be loaded: KeyError; correct the package, or"
        " leave the task out"
    ]
    told = faults(f'{BOT}[[task]]\nuse = "order_pasta"', defaults=Defaults(PROFILE, tasks))
    assert told[0].endswith("; the task 'order_pizza' cannot be loaded: KeyError"), "a task may have another name"
    bot = compile_bot(files(), Defaults(PROFILE, tasks))
    assert "order_pizza" not in bot.profile.agents, "a bot that names none offers those that can be had"
    assert "end_call" in bot.profile.agents


class Picky(BaseModel):
    number: int = 1

    @model_validator(mode="after")
    def _divides(self) -> Self:
        assert 12 // self.number
        return self


@pytest.mark.parametrize("error", [ZeroDivisionError("by 0"), RecursionError(), SystemExit(3), AssertionError("a\nb")])
def test_a_task_whose_code_raises_is_named_where_the_bot_uses_it(error: BaseException) -> None:
    def build(settings: Picky) -> AgentSpec:
        if settings.number > 1:
            raise error
        return table()

    tasks = {"order_pizza": TaskFactory("order_pizza", Picky, build)}
    toml = f'{BOT}[[task]]\nuse = "order_pizza"\nnumber = '
    for number in (0, 2):  # its settings' own code, and its table's
        told = faults(f"{toml}{number}\n[[task]]\nuse = 3", defaults=Defaults(PROFILE, tasks))
        assert told[0].startswith("linden/bot.toml:5: task[1].use: the task order_pizza cannot be made: "), told
        assert "test_compile.py:" in told[0]
        assert len(told) == 2, "the other faults are told as well"


def test_unknown_placeholders_are_left_as_they_are() -> None:
    assert fill("{a} {b} {{c}} { d }", {"a": "1"}) == "1 {b} {c} { d }"


MUTILATED = st.sampled_from(WHOLE.splitlines(keepends=True))
PIECES = st.sampled_from(
    ["", "[", "]", '"', "=", "{", "}", "\n", "#", "1", "x", "[[task]]\n", "\\", "'''", "\0", "é", "."]
)


@given(st.data())
@settings(deadline=None)
def test_a_mutilated_file_has_faults_with_lines_and_never_breaks_anything(data: st.DataObject) -> None:
    text = WHOLE
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        until = data.draw(st.integers(at, min(len(text), at + 20)))
        text = text[:at] + data.draw(st.one_of(PIECES, MUTILATED)) + text[until:]
    try:
        compile_bot(files(text, instructions_dot_md="You are {name}."), DEFAULTS)
    except BotFaults as wrong:
        told = wrong.faults
    else:
        return
    assert told
    for fault in told:
        assert fault.file == "linden/bot.toml"
        assert 1 <= fault.line <= text.count("\n") + 1
        assert fault.message


DATA = tomllib.loads(f'{WHOLE}[[task]]\nfile = "tasks/callback.toml"\n')
VALUES = st.sampled_from([
    0, -1, 10**400, 1.5, float("nan"), float("inf"), True, "", "x", "caller", [], ["x"], [1], [[]], [{}], {}, {"x": 1},
    {"type": "server_vad"}, {"type": 3}, {"type": "semantic_vad", "eagerness": []}, {"file": 3}, {"file": "bot.toml"},
    {"file": "../x"}, date(2026, 1, 1), time(9), datetime(2026, 1, 1, tzinfo=UTC), {"mon": ["09:00-10:00"]},
    {"mon": [9]}, {"mon": "09:00"}, ["09:00-10:00", "09:00-10:00"], {"retention_ratio": 2}, {"id": "x"},
])  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys and indices of everything in a value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


@given(st.data())
@settings(deadline=None)
def test_any_value_of_any_key_is_taken_or_told(data: st.DataObject) -> None:
    changed = copy.deepcopy(DATA)
    for _ in range(data.draw(st.integers(1, 3))):
        *outer, key = data.draw(st.sampled_from(list(places(changed))))
        inside: Any = changed
        for each in outer:
            inside = inside[each]
        inside[key] = copy.deepcopy(data.draw(VALUES))
    text = "\n".join(f"{key} = {toml(value)}" for key, value in changed.items())
    told = faults(text, instructions_dot_md="Be kind.", tasks__callback_dot_toml=CALLBACK)
    assert all(re.match(r"linden/(bot|tasks/callback)\.toml:\d+: ", each) for each in told), told


def test_a_bot_at_a_server_that_takes_only_pcm_speaks_formats_of_pcm() -> None:
    made = bot(f'{BOT}[model]\nprofile = "localai"').profile
    assert made.model.profile is PROFILES["localai"]
    assert made.media_formats[0] == "raw/lpcm16_24"
    assert all(KNOWN[name].is_pcm for name in made.media_formats)
    one = bot(f'{BOT}[model]\nprofile = "speaches"\n[vaic]\nformats = ["raw/lpcm16_8"]').profile
    assert one.media_formats == ("raw/lpcm16_8",)
    assert bot(f'{BOT}[model]\nprofile = "xai"').profile.media_formats == ()
    told = faults(f'{BOT}[model]\nprofile = "localai"\n[vaic]\nformats = ["raw/lpcm16", "raw/mulaw"]')
    assert told == [
        "linden/bot.toml:7: vaic.formats: raw/mulaw cannot be converted for a model's server that takes only PCM; "
        "leave it out"
    ]


def test_an_mcp_server_of_the_models_is_told_with_its_secrets_which_are_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIELINE_SECRET_DOCS", "t0ken")
    toml = f"""{BOT}[model]
turn_detection = {{ type = "server_vad", idle_timeout_ms = 6000 }}
[model.mcp.docs]
server_url = "https://mcp.example.com/mcp"
authorization = "secret:DOCS"
headers = {{ X-Key = "secret:DOCS", X-Plain = "yes" }}
allowed_tools = ["search", "read"]
approve = ["search"]
[model.mcp.calendar]
connector_id = "connector_googlecalendar"
require_approval = {{ never = {{ read_only = true }} }}
"""
    whole = bot(toml)
    made = whole.profile.model
    docs, calendar = made.mcp
    assert json.loads(docs.to_wire()) == {
        "type": "mcp",
        "server_label": "docs",
        "server_url": "https://mcp.example.com/mcp",
        "authorization": "t0ken",
        "headers": {"X-Key": "t0ken", "X-Plain": "yes"},
        "allowed_tools": ["search", "read"],
        "require_approval": "always",
    }
    assert json.loads(calendar.to_wire()) == {
        "type": "mcp",
        "server_label": "calendar",
        "connector_id": "connector_googlecalendar",
        "require_approval": {"never": {"read_only": True}},
    }
    assert made.approved == {("docs", "search")}
    shown = described(whole, files(toml))
    assert (shown["model.approved"], shown["model.mcp.docs.allowed_tools"]) == ("docs.search", "search, read")
    assert "t0ken" not in repr(made) + repr(shown)
    assert made.turn_detection == TELEPHONE_VAD.model_copy(update={"idle_timeout_ms": 6000})


@pytest.mark.parametrize("mode", ["off", "always", "after_notice", "after_yes"])
def test_a_recording_that_waits_for_a_notice_needs_one(mode: str) -> None:
    end = f'\n[recording]\nmode = "{mode}"\n'
    assert bot(f'{BOT}disclosure = "You are recorded."{end}').profile.recording is RecordingMode(mode)
    if mode.startswith("after"):
        assert faults(BOT + end) == [
            f'linden/bot.toml:6: recording.mode: "{mode}" waits for a notice; write it as disclosure of [bot]'
        ]
    else:
        assert bot(BOT + end).profile.recording is RecordingMode(mode)
