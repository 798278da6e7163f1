"""From a bot's files to the bot: everything that calls need is made and checked here, before one uses it.

May import: actors, fsm, gateway.bots, gateway.settings, http_tools, protocols, loguru, pydantic, the standard library.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, get_args
from zoneinfo import ZoneInfo

from loguru import logger
from pydantic import BaseModel, SecretStr, ValidationError

from actors.bots import (
    OF_BEFORE,
    OF_START,
    TELEPHONE_VAD,
    AfterCall,
    BeforeCall,
    Bot,
    BotProfile,
    ModelSettings,
    RecordingMode,
    TransferWith,
)
from actors.clips import Clip, Clips, recording
from fsm.hours import Hours
from fsm.locales import READ_BACK, READERS, Locale, language_name, locale_of, sentences_in, spoken_together
from fsm.redaction import Redaction, looked_up_name
from fsm.registry import BrokenTask, Registered, TaskFactory, broken, clash, effects_of, offered
from fsm.spec import AgentSpec, Confirm
from fsm.table import closure
from gateway.bots.faults import (
    BotFault,
    BotFaults,
    Source,
    checked,
    faults_of,
    missing,
    parse_toml,
    text_of,
    unknown_key,
    unknown_name,
    validated,
)
from gateway.bots.files import BOT_FILE, MOST_TEXT_BYTES, BotFiles
from gateway.bots.hooks import Hooks
from gateway.bots.images import BotImages
from gateway.bots.languages import CALLER, own_placeholders, placeholders, told_language
from gateway.bots.schema import (
    MOST_TARGETS,
    BotSection,
    BotToml,
    ModelSection,
    ServerMcpSection,
    TaskSection,
    TextFile,
    TransferSection,
)
from gateway.bots.task_files import TaskFiles
from gateway.bots.texts import doubled, fill, unfilled
from gateway.bots.tools import BotTool, tools_of
from gateway.settings import SettingsError, read_tool_secret
from http_tools.declaration import secret_name
from http_tools.guard import HostGuard
from http_tools.tool import ToolHost
from protocols.activities import Offered
from protocols.errors import MisuseError
from protocols.images import Image
from protocols.media import KNOWN
from protocols.realtime.objects import McpTool, NoiseReduction, ServerVad
from protocols.realtime.profiles import PROFILES

_CLIPS = "clips/"
# The mode of a bot that listens to two people and advises one of them.
ASSIST = "assist"
ADVISES = (
    "You listen to a call between a caller and an agent, and advise the agent in writing; nobody hears you. You are "
    "told each thing that is said, with who said it. After each one answer with one short piece of advice for the "
    "agent, or with nothing but a dash if there is none."
)
T = TypeVar("T")
# Letters of the languages that the Realtime API transcribes.
ISO_639_1 = 2
# Voices of OpenAI's speech synthesis, which the Realtime API refuses.
_OTHER_VOICES = frozenset({"fable", "nova", "onyx"})


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a bot gets that sets nothing of its own.

    profile: by the deployment. tasks: all that are registered. tools: what the tools of all bots share. clips: the
    included recordings by language; None where those of the profile are the deployment's own, for all its bots.
    """

    profile: BotProfile
    tasks: Mapping[str, Registered]
    tools: ToolHost = field(default_factory=lambda: ToolHost(HostGuard(), read_tool_secret))
    clips: Mapping[str, Clips] | None = None

    def clips_in(self, locale: Locale) -> Clips:
        """The recordings of a bot that speaks this language; none where there are none in it."""
        return self.profile.clips if self.clips is None else self.clips.get(locale.language, {})


def compile_bot(files: BotFiles, defaults: Defaults) -> Bot:
    """Make a bot from its files. Raises: BotFaults, with all that is wrong."""
    return _Compiler(files, defaults).bot()


class _Compiler:
    """Makes one bot. Each part notes its faults and goes on, so that all are told at once."""

    def __init__(self, files: BotFiles, defaults: Defaults) -> None:
        self._files = files
        self._defaults = defaults
        self._faults: list[BotFault] = []
        self._source = parse_toml(files.path(BOT_FILE), files.contents[BOT_FILE])
        self._before: BeforeCall | None = None
        self._images: Mapping[str, Image] = {}
        self._by_call = False  # whether texts are filled for each call
        given = self._source.data.get("hours")
        # As they stand in the file; None where there are none, or wrong ones.
        self._hours: object = given if given is not None and _part("hours", given) is not None else None

    def bot(self) -> Bot:
        toml, tasks = self._parts()
        tools = tools_of(self._source, self._defaults.tools, self._faults)
        hooks = Hooks(self._source, tools, self._faults)
        self._before, kept = hooks.before(toml.before_call)
        self._by_call = self._before is not None or bool(toml.start)
        agents = self._agents(tasks, tools, toml, kept)
        profile = self._profile(toml, agents, kept, hooks.after(toml.after_call))
        if self._faults:
            raise BotFaults(set(self._faults))
        return Bot(self._files.name, self._files.digest, profile)

    # --- the form ---

    def _parts(self) -> tuple[BotToml, Tasks | None]:
        """The file's parts; in place of a wrong one its default, so that the others can be looked at.

        The tasks keep their places in the file, also where one is wrong.
        """
        try:
            toml = checked(BotToml, self._source)
        except BotFaults as wrong:
            self._faults += wrong.faults
        else:
            return toml, toml.task
        right: dict[str, Any] = {"bot": BotSection(greeting="-", instructions="-")}
        for name in BotToml.model_fields.keys() & self._source.data.keys():
            given = self._source.data[name]
            found = _part(name, given)
            if found is None and isinstance(given, dict):
                wrong_keys = _wrong_keys(name, given)
                found = _part(name, {key: each for key, each in given.items() if key not in wrong_keys})
                found = found or _part(name, {key: each for key, each in given.items() if _part(name, {key: each})})
            if found is not None:
                right[name] = getattr(found, name)
        given = self._source.data.get("task", [])
        tasks = [_part("task", [each]) for each in given] if isinstance(given, list) else []
        return BotToml.model_construct(**right), tuple(each.task[0] if each and each.task else None for each in tasks)

    def _fault(self, path: tuple[str | int, ...], message: str) -> None:
        self._faults.append(self._source.fault(path, message))

    # --- the parts ---

    def _profile(
        self, toml: BotToml, agents: Mapping[str, AgentSpec], kept: Mapping[str, bool], after: AfterCall | None
    ) -> BotProfile:
        """kept: see Hooks.before."""
        base, bot = self._defaults.profile, toml.bot
        self._check_names(toml.privacy.names, kept)
        own, _, _ = self._files.name.partition("@")
        if bot.name not in (None, own, self._files.name):
            self._fault(("bot", "name"), f'the folder is called "{self._files.name}"; write name = "{own}"')
        languages = self._languages(bot)
        locales = self._locales(toml, languages)
        locale = locales[0] if locales else base.locale
        self._readable(bot, locales, agents)
        one = bot.language != CALLER or len(locales) < 2
        clips = {**self._defaults.clips_in(locale), **self._clips()}
        for each in locales or (locale,):
            each.prepare()
        values = self._values(toml, locale)
        disclosure = self._filled(bot.disclosure or "", values, ("bot", "disclosure"))
        values |= {f"{OF_BEFORE}{name}": "…" if has_default else "" for name, has_default in kept.items()}
        values |= {f"{OF_START}{name}": "…" for name in toml.start}
        if bot.mode == ASSIST:
            self._check_assistant(toml)
        elif self._lacks_greeting():
            self._fault(("bot", "greeting"), missing("greeting"))
        greeting = self._for_calls(bot.greeting or "", values, ("bot", "greeting"))
        if (mode := toml.recording.mode) in ("after_notice", "after_yes") and not disclosure:
            self._fault(("recording", "mode"), f'"{mode}" waits for a notice; write it as disclosure of [bot]')
        told = self._whole(disclosure)
        instructions = self._instructions(bot, values)
        model = self._model(toml.model, base.model, locale if bot.language and bot.language != CALLER else None)
        assists = bot.mode == ASSIST
        told_all = (instructions, self._whole(told_language(bot.language, locales)), ADVISES if assists else "")
        return replace(
            base,
            instructions="\n\n".join(filter(None, told_all)),
            greeting=greeting if told in greeting else f"{told} {greeting}",
            disclosure=disclosure,
            languages=languages,
            locale=locale,
            locales={} if one else {each.tag: each for each in locales},
            model=model,
            time_zone=ZoneInfo(bot.time_zone) if bot.time_zone else base.time_zone,
            region=bot.region or base.region,
            agents=agents,
            transfer_targets={name: _address(each) for name, each in toml.transfer.items()} or base.transfer_targets,
            transfer_with=self._transfers(toml.transfer, values, toml.hours),
            start=toml.start,
            vaic_params=toml.vaic.config,
            model_may=self._model_may(toml, agents),
            recordings=toml.activities.urls,
            redaction=Redaction(frozenset(toml.privacy.redact), bot.region or base.region, tuple(toml.privacy.names)),
            no_input_s=_or(toml.turn.no_input_s, base.no_input_s),
            filler_s=_or(toml.turn.filler_s, base.filler_s),
            yes_without_words=_or(toml.turn.yes_without_words, base.yes_without_words),
            max_call_s=0 if assists else _or(toml.limits.max_call_s, base.max_call_s),
            assists=assists,
            max_cost_usd=toml.limits.max_cost_usd,
            max_cost_usd_per_day=toml.limits.max_cost_usd_per_day,
            effects_per_call=_or(toml.limits.effects_per_call, base.effects_per_call),
            effects_per_number=_or(toml.limits.effects_per_number, base.effects_per_number),
            media_formats=self._formats(toml, model),
            hours=toml.hours,
            clips=clips,
            clips_of={} if one else {each.tag: self._defaults.clips_in(each) for each in locales} | {locale.tag: clips},
            before_call=self._before,
            after_call=after,
            recording=RecordingMode(mode),
            images=self._images,
        )

    def _check_names(self, names: Sequence[str], kept: Collection[str]) -> None:
        for name in map(looked_up_name, names):
            if name and name not in kept:
                there = ", ".join(f"{{before.{each}}}" for each in sorted(kept)) or "nothing that a look-up keeps"
                self._fault(("privacy", "names"), f"nothing is known as {{before.{name}}}; there is {there}")

    def _lacks_greeting(self) -> bool:
        """Whether the file has none. It may be wrong otherwise, so that something else stands for its [bot]."""
        given = self._source.data.get("bot")
        return isinstance(given, dict) and "greeting" not in given

    def _check_assistant(self, toml: BotToml) -> None:
        """A bot that assists has nothing to say to a caller, and nothing to do for one."""
        of_talk = ("task", "transfer", "turn", "limits", "activities", "recording")
        for path in (("bot", "greeting"), ("bot", "disclosure"), *((name,) for name in of_talk)):
            given: Any = toml
            for key in path:
                given = getattr(given, key)
            if given not in (None, {}, type(given)()):
                self._fault(path, "is for a bot that talks to callers; leave it out, or mode")

    def _transfers(
        self, targets: Mapping[str, str | TransferSection], values: Mapping[str, str], hours: Hours | None
    ) -> dict[str, TransferWith]:
        """What transfers are made with, by the names of their targets."""
        of_calls = {name: each for name, each in values.items() if name.startswith((OF_BEFORE, OF_START))}
        made = {name: each for name, each in targets.items() if isinstance(each, TransferSection)}
        for name, each in made.items():
            for header, text in each.sip_headers.items():
                for _, fault in unfilled(text, of_calls):
                    self._fault(("transfer", name, "sip_headers", header), fault)
            if len(targets) <= MOST_TARGETS:  # else told already
                self._check_order(targets, name)
            if each.when_closed and hours is None:
                self._fault(("transfer", name, "when_closed"), "the bot has no hours; write [hours], or leave it out")
        return {
            name: TransferWith(
                each.reason, each.referred_by or "", each.sip_headers, each.next or "", each.when_closed or ""
            )
            for name, each in made.items()
        }

    def _check_order(self, targets: Mapping[str, str | TransferSection], name: str) -> None:
        """No target leads back to itself, by whichever way."""

        def after(target: str) -> dict[str, str]:
            made = targets.get(target)
            ways = (("next", made.next), ("when_closed", made.when_closed)) if isinstance(made, TransferSection) else ()
            return {key: other for key, other in ways if other is not None}

        for key, other in after(name).items():
            tried = closure({other}, lambda target: after(target).values())
            if name in tried or other not in targets:
                there = ", ".join(each for each in targets if each != name and each not in tried) or "no other"
                told = f'"{name}" has been tried by then' if other in targets else f'"{other}" is no target'
                self._fault(("transfer", name, key), f"{told}; there is {there}")

    def _formats(self, toml: BotToml, model: ModelSettings) -> tuple[str, ...]:
        """The media formats of calls: of PCM alone, if the model's server knows no other."""
        formats = toml.vaic.formats or self._defaults.profile.media_formats
        if not model.profile.pcm_only:
            return formats
        for number, name in enumerate(toml.vaic.formats):
            if not KNOWN[name].is_pcm:
                message = f"{name} cannot be converted for a model's server that takes only PCM; leave it out"
                self._fault(("vaic", "formats", number), message)
        pcm = tuple(name for name in formats or KNOWN if KNOWN[name].is_pcm)
        return tuple(sorted(pcm, key=lambda name: -KNOWN[name].sample_rate_hz)) if not formats else pcm

    def _model_may(self, toml: BotToml, agents: Mapping[str, AgentSpec]) -> tuple[Offered, ...]:
        """What the model may ask VAIC for; its functions share their names with those of no task."""
        for number, name in enumerate(toml.activities.allow):
            if other := clash(name, agents):
                self._fault(("activities", "allow", number), f"the task {other} has a function of this name; rename it")
        return toml.activities.allow

    def _readable(self, bot: BotSection, locales: Sequence[Locale], agents: Mapping[str, AgentSpec]) -> None:
        """Tasks with a read-back need a language in which a yes is understood."""
        asking = sorted(
            name for name, spec in agents.items() if any(isinstance(each, Confirm) for each in spec.states.values())
        )
        unread = [language_name(locale.tag) for locale in locales if not locale.is_read]
        if asking and unread:
            known = ", ".join(map(language_name, sorted(READERS)))
            self._fault(
                ("bot", "languages" if bot.language == CALLER else "language"),
                f"no yes is understood in {', '.join(unread)}, and {', '.join(asking)} would wait for one; "
                f"leave them out, or speak one of: {known}",
            )
        if asking and bot.language == CALLER and not bot.languages:
            self._fault(
                ("bot", "language"),
                f"{', '.join(asking)} would wait for a yes, which is understood only in languages that are named; "
                'write them, for example languages = ["en-GB", "de-DE"]',
            )

    def _locales(self, toml: BotToml, languages: tuple[str, ...]) -> tuple[Locale, ...]:
        """The languages with the bot's own sentences in them."""
        locales = tuple(map(locale_of, languages)) or ((self._defaults.profile.locale,) if toml.sentences else ())
        if len(locales) > 1 and toml.sentences:
            self._fault(("sentences",), "are for a bot that speaks one language; leave them out, or one language")
            return locales
        if len(locales) > 1:
            return spoken_together(locales)
        english, own = sentences_in("en"), {}
        for key, text in toml.sentences.items():
            path = ("sentences", key)
            if key not in english:
                self._fault(path, unknown_key(key, english))
                continue
            ours = placeholders(english[key])
            known = {name for name, _ in ours}
            try:
                given = own_placeholders(text, ours)
            except ValueError as error:
                self._fault(path, str(error))
                continue
            if given - known:
                there = ", ".join(f"{{{each}}}" for each in sorted(known)) or "none"
                self._fault(path, f"nothing is known to put in for {{{min(given - known)}}}; there is {there}")
                continue
            if key.startswith(READ_BACK) and known - given:
                self._fault(path, f"must name {{{min(known - given)}}} too: the caller's yes agrees to it")
                continue
            own[key] = text
        return tuple(each.with_own(own) for each in locales) if own else locales

    def _languages(self, bot: BotSection) -> tuple[str, ...]:
        if bot.language is None or bot.language == CALLER:
            return bot.languages
        if bot.languages and bot.language not in bot.languages:
            self._fault(
                ("bot", "language"), f'"{bot.language}" is not among languages; add it there, or leave them out'
            )
        return (bot.language,)

    def _values(self, toml: BotToml, locale: Locale) -> dict[str, str]:
        """What fills the placeholders of texts."""
        hours, bot = toml.hours, toml.bot
        base = self._defaults.profile
        return {
            "name": bot.title or bot.name or self._files.name.partition("@")[0],
            "hours": hours.week(locale) if hours else "",
            "closed": locale.listed([locale.day_of_year(day) for day in hours.closed]) if hours else "",
            "time_zone": bot.time_zone or base.time_zone.key,
            "languages": ", ".join(bot.languages),
            "transfer": ", ".join(toml.transfer or base.transfer_targets),
        }

    def _filled(self, text: str, values: Mapping[str, str], path: tuple[str | int, ...], *, again: bool = False) -> str:
        """A text with its placeholders filled in. again: see fill."""
        for _, fault in unfilled(text, values):
            self._fault(path, fault)
        return fill(text, values, again=again)

    def _for_calls(self, text: str, values: Mapping[str, str], path: tuple[str | int, ...]) -> str:
        """A text that is filled once more for each call, if calls differ: see BotProfile.filled."""
        return self._filled(text, values, path, again=self._by_call)

    def _whole(self, text: str) -> str:
        """A text that has been filled, as a part of one that is filled again."""
        return doubled(text) if self._by_call else text

    def _instructions(self, bot: BotSection, values: Mapping[str, str]) -> str:
        given = bot.instructions
        if not isinstance(given, TextFile):
            return self._for_calls(given, values, ("bot", "instructions")).strip()
        path = ("bot", "instructions", "file")
        content = self._files.contents.get(given.file.removeprefix("./"))
        if content is None:
            texts = [name for name in self._files.contents if name.endswith((".md", ".txt"))]
            there = f"there is {', '.join(sorted(texts))}" if texts else "write one there"
            self._fault(path, f'there is no file "{given.file}" in the folder; {there}')
            return ""
        file = self._files.path(given.file)
        if len(content) > MOST_TEXT_BYTES:
            message = f"is longer than {MOST_TEXT_BYTES // 1024} KB; shorten what the model is told"
            self._faults.append(BotFault(file, 0, "", message))
            return ""
        try:
            text = text_of(file, content)
        except BotFaults as wrong:
            self._faults += wrong.faults
            return ""
        if not text.strip():
            self._faults.append(BotFault(file, 1, "", "is empty; write what the model is to be told"))
        for at, fault in unfilled(text, values):
            self._faults.append(BotFault(file, text[:at].count("\n") + 1, "", fault))
        return fill(text, values, again=self._by_call).strip()

    def _model(self, given: ModelSection, base: ModelSettings, locale: Locale | None) -> ModelSettings:
        """The session's settings. locale: in which callers' words are transcribed; None if they may be of any."""
        turns, noise = given.turn_detection, given.noise_reduction
        if isinstance(given.voice, str) and given.voice in _OTHER_VOICES:
            self._fault(("model", "voice"), f'the Realtime API has no voice "{given.voice}"; write one like "marin"')
        if turns is not None:
            self._check_turns(turns)
            # What is left out there has another default with each model.
            if isinstance(turns, ServerVad):
                turns = TELEPHONE_VAD.model_copy(update=_given(turns))
            else:
                turns = type(turns)(
                    **{"eagerness": "auto", "create_response": True, "interrupt_response": True} | _given(turns)
                )
        transcription = base.transcription
        if locale is not None and len(locale.language) == ISO_639_1:
            transcription = transcription.model_copy(update={"language": locale.language})
        if given.transcription is not None:
            transcription = transcription.model_copy(update=_given(given.transcription))
        if isinstance(noise, str):
            noise = None if noise == "off" else NoiseReduction(type=noise)
            changed: dict[str, Any] = {"noise_reduction": noise}
        else:
            changed = {} if noise is None else {"noise_reduction": noise}
        names = (
            "name",
            "voice",
            "speed",
            "max_output_tokens",
            "truncation",
            "reasoning",
            "parallel_tool_calls",
            "tracing",
        )
        for name in (*names, "prompt", "include"):
            if (value := getattr(given, name)) is not None:
                changed[name] = value
        if given.profile is not None:
            changed["profile"] = PROFILES[given.profile]
        servers = tuple(self._server_mcp(name, server) for name, server in given.mcp.items())
        return replace(
            base,
            transcription=transcription,
            turn_detection=turns or base.turn_detection,
            mcp=servers,
            approved=frozenset((name, tool) for name, server in given.mcp.items() for tool in server.approve),
            **changed,
        )

    def _server_mcp(self, name: str, given: ServerMcpSection) -> McpTool:
        """An MCP server as the model's server is told of it."""
        path = ("model", "mcp", name)
        told = _given(given) | {"require_approval": given.require_approval}
        told.pop("approve", None)
        if given.authorization is not None:
            told["authorization"] = self._secret(given.authorization, (*path, "authorization"))
        if given.headers:
            told["headers"] = {
                key: self._secret(text, (*path, "headers", key)) if text.startswith("secret:") else text
                for key, text in given.headers.items()
            }
        return McpTool(server_label=name, **told)

    def _secret(self, given: str, path: tuple[str | int, ...]) -> str:
        """The secret of this name; "" if it cannot be had."""
        try:
            return self._defaults.tools.secret(secret_name(given))
        except (ValueError, SettingsError) as error:
            self._fault(path, str(error))
            return ""

    def _check_turns(self, turns: BaseModel) -> None:
        path = ("model", "turn_detection")
        for name in ("create_response", "interrupt_response"):
            if getattr(turns, name) is False:
                self._fault((*path, name), "must be true: turns of the caller are answered by it; leave it out")

    # --- tasks ---

    def _agents(
        self, tasks: Tasks | None, tools: Mapping[str, BotTool], toml: BotToml, kept: Mapping[str, bool]
    ) -> dict[str, AgentSpec]:
        """The tasks that the bot offers, by name. kept: see Hooks.before."""
        if toml.bot.mode == ASSIST:
            return {}
        region = toml.bot.region or self._defaults.profile.region
        registered = self._defaults.tasks
        used: dict[int, AgentSpec | None] = {}
        if tasks is None:
            there = (task for task in registered.values() if not isinstance(task, BrokenTask))
            used = dict(enumerate(self._made(task, {}, ("hours",)) for task in there))
        for number, section in enumerate(tasks or ()):
            if section is not None and section.use is not None:
                used[number] = self._used(section.use, section.settings(), ("task", number))
        in_python = [spec for spec in used.values() if spec is not None]
        images = BotImages(self._files, tools, self._faults)
        for number, spec in used.items():
            if spec is not None:
                images.of_python(spec, self._source, ("task",) if tasks is None else ("task", number))
        hours = None if self._hours is None else Hours.model_validate(self._hours)
        known = {f"{OF_BEFORE}{name}": has_default for name, has_default in kept.items()}
        known |= {f"{OF_START}{name}": True for name in toml.start}
        files = TaskFiles(self._source, tools, in_python, offered(registered), hours, region, self._faults, known)
        for number, section in enumerate(tasks or ()):
            if section is not None and section.file is not None:
                path = ("task", number)
                for key in section.settings():
                    self._fault((*path, key), "is no key of a task in a file; write it into the file, or leave it out")
                if (source := self._task_source(section.file, path)) is not None:
                    used[number] = made = files.compiled(source)
                    if made is not None:
                        images.of_file(made, source)
        self._images = images.found
        files.check_tools({hook.tool for hook in (toml.before_call, toml.after_call) if hook is not None})
        agents = self._by_name(used)
        try:
            effects_of(agents)
        except MisuseError as error:
            self._fault(("task",), f"{error}; give one of them another name")
        return agents

    def _by_name(self, tasks: Mapping[int, AgentSpec | None]) -> dict[str, AgentSpec]:
        """The tasks by name. tasks: by their places in the file; None for one that is wrong."""
        agents: dict[str, AgentSpec] = {}
        for number, spec in sorted(tasks.items()):
            path = ("task", number)
            if spec is None:
                continue
            if spec.name in agents:
                self._fault(path, f"the task {spec.name} stands here twice; leave one out")
            elif other := clash(spec.name, agents):
                self._fault(path, f"the tasks {other} and {spec.name} have names that begin alike; rename one")
            agents[spec.name] = spec
        return agents

    def _task_source(self, name: str, path: tuple[str | int, ...]) -> Source | None:
        """A task's file; None if it cannot be read."""
        content = self._files.contents.get(name.removeprefix("./"))
        if content is None:
            files = [each for each in self._files.contents if each.startswith("tasks/")]
            there = f"there is {', '.join(sorted(files))}" if files else "write it there"
            self._fault((*path, "file"), f'there is no file "{name}" in the folder; {there}')
            return None
        try:
            return parse_toml(self._files.path(name.removeprefix("./")), content)
        except BotFaults as wrong:
            self._faults += wrong.faults
        return None

    def _used(self, name: str, settings: Mapping[str, Any], path: tuple[str | int, ...]) -> AgentSpec | None:
        tasks = self._defaults.tasks
        task = tasks.get(name)
        if task is None:
            lost = "".join(f"; {each.why}" for each in broken(tasks))
            self._fault((*path, "use"), f'there is no task "{name}"; {unknown_name(name, tasks)}{lost}')
            return None
        if isinstance(task, BrokenTask):
            self._fault((*path, "use"), f"{task.why}; correct the package, or leave the task out")
            return None
        return self._made(task, settings, path)

    def _made(
        self, task: AgentSpec | TaskFactory[Any], settings: Mapping[str, Any], path: tuple[str | int, ...]
    ) -> AgentSpec | None:
        """A task with its settings. One that needs some that are not there is left out where none are given."""
        if not isinstance(task, TaskFactory):
            for key in settings:
                self._fault((*path, key), f"the task {task.name} has no settings; leave it out")
            return task
        fields = task.settings.model_fields
        if not settings and (self._hours is None or "hours" not in fields):
            if task.default is None and path[0] == "task":
                missing = ", ".join(name for name, field in fields.items() if field.is_required())
                self._fault(path, f"the task {task.name} needs the settings {missing}; write them below use")
            return task.default
        given = dict(settings)
        if self._hours is not None and "hours" in fields:
            given.setdefault("hours", self._hours)
        if not self._secrets_put_in(given, task, path):
            return None
        try:
            return task.make(validated(task.settings, given))
        except ValidationError as error:
            self._faults += faults_of(error, self._source, task.settings, path)
        except MisuseError as error:
            self._fault(path, f"{error}; correct the task")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of a task: the other bots go on
            logger.opt(exception=True).debug("a task could not be made", bot=self._files.name, task=task.name)
            entry = (*path, "use") if path[0] == "task" else path
            self._fault(entry, f"the task {task.name} cannot be made: {described(error)}; correct its code")
        return None

    def _secrets_put_in(self, given: dict[str, Any], task: TaskFactory[Any], path: tuple[str | int, ...]) -> bool:
        """Put in the secrets that settings name. Returns whether all could be had."""
        before = len(self._faults)
        for key, about in task.settings.model_fields.items():
            if key in given and SecretStr in (about.annotation, *get_args(about.annotation)):
                given[key] = self._secret(str(given[key]), (*path, key))
        return len(self._faults) == before

    # --- recordings ---

    def _clips(self) -> Clips:
        found = {}
        contents = self._files.contents
        known = {clip.value for clip in Clip}
        for path in sorted(contents):
            stem, _, kind = path.removeprefix(_CLIPS).rpartition(".")
            if not path.startswith(_CLIPS) or kind not in ("wav", "txt"):
                continue
            file, other = self._files.path(path), f"{_CLIPS}{stem}.{'txt' if kind == 'wav' else 'wav'}"
            if stem not in known:
                self._faults.append(
                    BotFault(file, 0, "", f"is no recording of ours; there are {', '.join(sorted(known))}")
                )
            elif other not in contents:
                self._faults.append(BotFault(file, 0, "", f"stands alone; put {other} beside it"))
            elif kind == "wav":
                try:
                    found[Clip(stem)] = recording(contents[path], contents[other])
                except ValueError as error:
                    self._faults.append(BotFault(file, 0, "", f"{error}; record it again, mono, of 16 bits"))
        return found


# The tasks in the order of the file; None in place of one whose form is wrong.
Tasks = tuple[TaskSection | None, ...]
# In place of parts that are looked at elsewhere.
_ANY_BOT = {"greeting": "-", "instructions": "-"}


def _part(name: str, given: object) -> BotToml | None:
    """One part of the file beside others that are right; None if it is wrong."""
    try:
        return _read_part(name, given)
    except ValidationError:
        return None


def _wrong_keys(name: str, given: Mapping[str, object]) -> set[int | str]:
    """The keys of a part that are wrong by themselves."""
    try:
        _read_part(name, given)
    except ValidationError as wrong:
        return {place for each in wrong.errors() for place in each["loc"][1:2]}
    return set()


def _read_part(name: str, given: object) -> BotToml:
    """Raises: ValidationError."""
    data = {"bot": _ANY_BOT, name: {**_ANY_BOT, **given} if name == "bot" and isinstance(given, dict) else given}
    return validated(BotToml, data)


def built(build: Callable[[BotFiles], Bot], files: BotFiles) -> Bot:
    """What `build` makes of a bot's files; whatever its tasks' code raises is their fault. Raises: BotFaults."""
    try:
        return build(files)
    except BotFaults:
        raise
    except (Exception, SystemExit) as error:  # a fault of ours, or of a task's code: the other bots go on
        logger.opt(exception=True).debug("a bot could not be made", bot=files.name)
        fault = BotFault(files.path(BOT_FILE), 0, "", f"a task cannot be made: {type(error).__name__}: {error}")
        raise BotFaults([fault]) from error


def described(error: BaseException) -> str:
    """An error of a task's code, with the line of that code that raised it."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    told = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {told}' if told else ''} ({at.filename}:{at.lineno})"


def _given(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.model_fields_set}


def _address(target: str | TransferSection) -> str:
    return target.to if isinstance(target, TransferSection) else target


def _or(given: T | None, default: T) -> T:
    return default if given is None else given
