"""The images that a bot's tasks show its model. Those in its folder are a part of its version, read when it is made.

May import: fsm, gateway.bots, protocols, the standard library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fsm.spec import Act, AgentSpec
from gateway.bots.faults import BotFault, Source
from gateway.bots.files import BotFiles
from gateway.bots.positions import KeyPath
from gateway.bots.task_files import after_ok
from gateway.bots.tools import BotTool
from protocols.activities import ShowImage
from protocols.images import MOST_AT_ONCE_BYTES, Image, ImageFault, image_of

_TOO_MANY = f"together they have more than {MOST_AT_ONCE_BYTES // 1024} KB; scale them down, or show some of them later"


class BotImages:
    """Reads the images of one bot. found: by the path in the folder, as tasks name it. faults: gets what is wrong."""

    def __init__(self, files: BotFiles, tools: Mapping[str, BotTool], faults: list[BotFault]) -> None:
        self._files = files
        self._tools = tools
        self._faults = faults
        self.found: dict[str, Image] = {}

    def of_file(self, spec: AgentSpec, source: Source) -> None:
        """A task in a file of the bot's."""
        kept, sizes = self._kept(spec), Counter[KeyPath]()
        for path, each in _shown_in(source.data):
            name = each.get("kept")
            if isinstance(name, str) and kept is not None and name not in kept:
                there = f"there is {', '.join(sorted(kept))}" if kept else "none keeps any"
                told = f"no tool of this task keeps an image {name!r}; {there}: keep_images in ok of [tool.NAME]"
                self._faults.append(source.fault((*path, "kept"), told))
            elif isinstance(name, str) and kept is not None and self._is_too_early(spec, name, each):
                told = f"no tool has kept {name!r} before: show it where the task comes after the tool was done"
                self._faults.append(source.fault((*path, "kept"), told))
            if isinstance(file := each.get("file"), str):
                if fault := self._take(file):
                    self._faults.append(source.fault((*path, "file"), fault))
                sizes[path[:-1]] += self._size(file)
        self._faults += [source.fault(path, _TOO_MANY) for path, size in sizes.items() if size > MOST_AT_ONCE_BYTES]

    def of_python(self, spec: AgentSpec, source: Source, path: KeyPath) -> None:
        """A task written in Python. path: where the bot uses it."""
        for state, actions in spec.actions.items():
            files = [each.file for each in actions if isinstance(each, ShowImage) and each.file]
            for fault in filter(None, map(self._take, files)):
                self._faults.append(source.fault(path, f"{spec.name} shows an image: {fault}"))
            if sum(map(self._size, files)) > MOST_AT_ONCE_BYTES:
                self._faults.append(source.fault(path, f"{spec.name} shows images in {state}: {_TOO_MANY}"))

    def _is_too_early(self, spec: AgentSpec, name: str, action: Mapping[str, Any]) -> bool:
        """Whether no state with this action comes after a tool that keeps an image of that name."""
        this, after = (name, action.get("about")), set[str]()
        for state, act in spec.states.items():
            if isinstance(act, Act) and name in self._images_of(act.effect):
                after |= after_ok(spec, state)
        return not any(
            isinstance(each, ShowImage) and (each.kept, each.about) == this
            for state in after
            for each in spec.actions.get(state, ())
        )

    def _take(self, file: str) -> str:
        """Read an image. Returns what is wrong, and what to do; "" if nothing is."""
        content = self._files.contents.get(file.removeprefix("./"))
        if content is None:
            there = [name for name in sorted(self._files.contents) if name.lower().endswith((".png", ".jpg", ".jpeg"))]
            told = f"there is {', '.join(there)}" if there else "put it there"
            return f'there is no file "{file}" in the bot\'s folder; {told}'
        if file not in self.found:
            try:
                self.found[file] = image_of(content)
            except ImageFault as fault:
                return f"{self._files.path(file.removeprefix('./'))} {fault}"
        return ""

    def _size(self, file: str) -> int:
        image = self.found.get(file)
        return 0 if image is None else len(image.content)

    def _kept(self, spec: AgentSpec) -> set[str] | None:
        """The names of the images that a task's tools keep; None if they cannot be told."""
        tools = [self._tools.get(name) for name in spec.effects]
        if any(tool is None or tool.table is None for tool in tools):
            return None  # an effect in Python has its own, and of a tool that is wrong nobody knows
        return {name for effect in spec.effects for name in self._images_of(effect)}

    def _images_of(self, effect: str) -> Collection[str]:
        """The names of the images that a tool keeps."""
        tool = self._tools.get(effect)
        return () if tool is None or tool.table is None else tool.table.ok.keep_images


def _shown_in(value: object, *path: str | int) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The actions of a task's file that show an image, with the keys that lead to them."""
    match value:
        case dict() if value.get("do") == "show_image":
            yield path, value
        case dict():
            for key, each in value.items():
                yield from _shown_in(each, *path, key)
        case list():
            for at, each in enumerate(value):
                yield from _shown_in(each, *path, at)
