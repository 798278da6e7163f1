"""References: every document and section that a module names exists, and so does every link target in docs/."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

KINDS = frozenset({".py", ".md", ".toml", ".cfg", ".service", ".socket"})
SECTION = r"\d+(?:\.\d+)*"
SECTIONS = rf"{SECTION}(?:(?:,| to| and) {SECTION})*"
# A document that a text names, with the sections of it that it names.
REFERENCE = re.compile(rf"(?P<document>[\w./-]*\w\.md)\b(?: (?P<sections>{SECTIONS}))?")
# A section of a document that the module's docstring names: "(7.4)", "(10.6: 20-100 ms)".
BARE = re.compile(rf"\(({SECTION}\.\d+)(?:: [^)]*)?\)")
RULES_FROM = re.compile(r'Rules from: (.*?)\.(?=["\s]|$)')
# Rules that others keep, and that are found under these names.
OUTSIDE = re.compile(r"\bRFC \d+|\bITU-T\b|\bsd_notify\(3\)|speak_lib\.h|the model's published shape")
# What a reference looked like before the documents were part of the repository.
NOWHERE = re.compile(r"(?<![\w/.-])(?:\.\./)*(?:specs|shared)/[\w./-]+|\bdesign \d[\d.]*")
# A source file that a text names; the guide has its readers write one.
SOURCE = re.compile(r"(?<![\w/.-])(?:actors|benchmarks|deploy|fsm|gateway|lab|protocols|store|tests)/[\w/-]+\.py\b")
TO_BE_WRITTEN = frozenset({"fsm/agents/callback.py"})
# In the folder of each bot.
OF_BOTS = frozenset({"instructions.md"})
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")


def problems(path: Path, text: str, root: Path = ROOT) -> list[str]:
    """Every unresolved reference in the text of a file. path: of the file, below `root`."""
    found = [*_documents(path, text, root), *_sources(text, root)]
    if path.suffix == ".md":
        found += [*_links(path, text), *_own_sections(text)]
    if path.suffix == ".py":
        found += [*_rules(text), *_bare(text, root)]
    return found


def _documents(path: Path, text: str, root: Path) -> Iterator[str]:
    plain = _unwrapped(text)
    for reference in REFERENCE.finditer(plain):
        if reference["document"].rpartition("/")[2] in OF_BOTS:
            continue
        document = _document(path, reference["document"], root)
        if document is None:
            yield f"{reference[0]}: no such document"
        elif reference["sections"]:
            known = sections(document)
            yield from (
                f"{reference[0]}: no section {each}" for each in _each(reference["sections"]) if each not in known
            )
    for nowhere in NOWHERE.finditer(plain):
        if path.suffix != ".md" or not (path.parent / nowhere[0].rstrip(".")).exists():
            yield f"{nowhere[0]}: is not in the repository"


def _document(path: Path, name: str, root: Path) -> Path | None:
    """A document is named from the root, in docs/ from its own folder, and by its name alone if it is in docs/."""
    candidates = [root / name]
    if path.suffix == ".md":
        candidates.append(path.parent / name)
    if "/" not in name:
        candidates.append(root / "docs" / name)
    return next((each for each in candidates if each.is_file()), None)


def _sources(text: str, root: Path) -> Iterator[str]:
    for name in sorted(set(SOURCE.findall(text)) - TO_BE_WRITTEN):
        if not (root / name).is_file():
            yield f"{name}: no such file"


def _rules(text: str) -> Iterator[str]:
    for rules in RULES_FROM.findall(_unwrapped(text)):
        references = list(REFERENCE.finditer(rules))
        if not references and not OUTSIDE.search(rules):
            yield f"Rules from: {rules}: names no document"
        yield from (f"Rules from: {each[0]}: names no section" for each in references if not each["sections"])


def _bare(text: str, root: Path) -> Iterator[str]:
    """Numbers in comments and docstrings: each is a section of exactly one document that the module names."""
    if not BARE.search(text):
        return
    rules = " ".join(RULES_FROM.findall(_unwrapped(text)))
    named = {name for name in (each["document"] for each in REFERENCE.finditer(rules)) if (root / name).is_file()}
    for prose in _prose(text):
        for number in BARE.findall(prose):
            holders = [name for name in named if number in sections(root / name)]
            if len(holders) != 1:
                yield f"({number}): is a section of {len(holders)} of the documents that the module names"


def _links(path: Path, text: str) -> Iterator[str]:
    for link in LINK.finditer(_without_code(text)):
        target, _, anchor = link["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        linked = path.parent / target if target else path
        if target and not linked.exists():
            yield f"{link['target']}: no such file"
        elif anchor and anchor not in anchors(text if linked == path else linked.read_text()):
            yield f"{link['target']}: no such heading"


def _own_sections(text: str) -> Iterator[str]:
    known = sections_of(text)
    yield from (f"§{each}: no such section" for each in re.findall(rf"§({SECTION})", text) if each not in known)


# --- documents ---


@cache
def sections(document: Path) -> frozenset[str]:
    return sections_of(document.read_text())


def sections_of(text: str) -> frozenset[str]:
    """The numbers of a document's headings, and of the rows of its numbered tables."""
    numbered = [re.match(rf"({SECTION})\.?(?: |$)", heading) for heading in _headings(text)]
    rows = re.findall(rf"^\| ({SECTION}\.\d+) \|", text, re.MULTILINE)
    return frozenset([*(each[1] for each in numbered if each), *rows])


def anchors(text: str) -> frozenset[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    made: list[str] = []
    for heading in _headings(text):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        again = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", each) is not None for each in made)
        made.append(f"{slug}-{again}" if again else slug)
    return frozenset(made)


def _headings(text: str) -> list[str]:
    return [each.strip() for each in re.findall(r"^#{1,6} (.+)$", _without_code(text, spans=False), re.MULTILINE)]


def _without_code(text: str, *, spans: bool = True) -> str:
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text) if spans else text


def _each(listed: str) -> Iterator[str]:
    """The sections that "2.3 to 2.5, 6 and 7" names."""
    for part in re.split(r", | and ", listed):
        first, _, last = part.partition(" to ")
        yield first
        if last:
            head, _, begin = first.rpartition(".")
            same_parent = last.rpartition(".")[0] == head
            numbers = range(int(begin) + 1, int(last.rpartition(".")[2])) if same_parent else ()
            yield from (f"{head}.{number}" if head else str(number) for number in numbers)
            yield last


# --- texts ---


def _unwrapped(text: str) -> str:
    """The text with its lines joined, because a reference may continue on the next line, also in comments."""
    paragraphs = re.split(r"\n\s*\n", text)
    return "\n".join(re.sub(r"\s*\n\s*(?:# )?|\s+", " ", each) for each in paragraphs)


def _prose(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    yield from (token.string for token in tokens if token.type == tokenize.COMMENT)


def texts() -> list[Path]:
    """Every text that may contain references, except this file, which has broken ones on purpose."""
    rooms = [each for each in ROOT.iterdir() if each.is_dir() and not each.name.startswith(".")]
    inside = [path for room in rooms if room.name not in ("build", "out") for path in room.rglob("*")]
    every = [path for path in [*ROOT.iterdir(), *inside] if path.suffix in KINDS or path.name == "Makefile"]
    return sorted(path for path in every if path.is_file() and path != Path(__file__))


# --- the tests ---


def test_every_reference_leads_to_a_document_and_a_section() -> None:
    paths = texts()
    broken = [f"{path.relative_to(ROOT)}: {each}" for path in paths for each in problems(path, path.read_text())]
    assert not broken, "\n" + "\n".join(broken)


def test_there_are_references_to_check() -> None:
    """That there are references to check at all."""
    rules = [
        rule for path in texts() if path.suffix == ".py" for rule in RULES_FROM.findall(_unwrapped(path.read_text()))
    ]
    assert len(rules) >= 79
    assert len([rule for rule in rules if "docs/specs/" in rule]) >= 70


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "specs").mkdir(parents=True)
    (tmp_path / "docs" / "specs" / "wire.md").write_text(
        "# Wire\n## 2. Frames\n### 2.1 Text\n### 2.2 `close`, twice\n### 2.3 Ping\n## 10. Choices\n| 10.1 | a | b |\n"
        "```\n## 3. Not a heading\n```\n## Same\n## Same\n"
    )
    (tmp_path / "docs" / "other.md").write_text("# Other\n## 2. Rows\n### 2.1 Text\n")
    (tmp_path / "actors").mkdir()
    (tmp_path / "actors" / "here.py").write_text("")
    return tmp_path


SOUND = {
    "m.py": [
        '"""A module. Rules from: docs/specs/wire.md 2.1 to 2.3, 10 and 10.1."""\n# (2.2), and (10.1: 20 ms).',
        '"""A module. Rules from: docs/other.md 2,\ndocs/specs/wire.md 2.\n"""',
        '"""A module. Rules from: RFC 6455, section 5."""',
        "# See docs/other.md, other.md and actors/here.py.",
        "x = f(2.1)",
    ],
    "docs/page.md": [
        "[The wire](specs/wire.md#22-close-twice), [twice](specs/wire.md#same-1), [here](#here).\n# Here",
        "As in specs/wire.md 2.1.",
        "[elsewhere](https://nowhere.example/x#y) and `[no](link)`.\n```\n[no](link)\n```\n",
        "# 1. One\n§1 says it.",
    ],
}
BROKEN = {
    "m.py": [
        '"""A module. Rules from: docs/specs/gone.md 2.1."""',
        '"""A module. Rules from: docs/specs/wire.md 2.4."""',
        '"""A module. Rules from: docs/specs/wire.md 2.1, 7."""',
        '"""A module. Rules from: docs/specs/wire.md 2.1 to 2.5."""',
        '"""A module. Rules from: docs/specs/wire.md 3."""',
        '"""A module. Rules from: docs/specs/wire.md\n2.9.\n"""',
        '"""A module. Rules from: docs/specs/wire.md."""',
        '"""A module. Rules from: the wire."""',
        '"""A module. Rules from: specs/wire.md 2.1."""',
        '"""A module. Rules from: design 4.5."""',
        "# The wire does so (2.1).",
        '"""A module. Rules from: docs/specs/wire.md 2."""\n# It does so (2.7).',
        '"""A module. Rules from: docs/specs/wire.md 2, docs/other.md 2."""\n# Which one (2.1)?',
        "# See docs/gone.md.",
        "# See ../shared/layout.md.",
        "# See actors/gone.py.",
    ],
    "docs/page.md": [
        "[gone](gone.md)",
        "[gone](specs/wire.md#gone)",
        "[gone](#gone)",
        "[three](specs/wire.md#3-not-a-heading)",
        "![gone](gone.svg)",
        "As in specs/wire.md 2.4.",
        "As in `actors/gone.py`.",
        "# 1. One\n§2 says it.",
    ],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in SOUND.items() for text in texts])
def test_a_resolved_reference_is_no_problem(repository: Path, name: str, text: str) -> None:
    assert problems(repository / name, text, repository) == []


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BROKEN.items() for text in texts])
def test_an_unresolved_reference_is_found(repository: Path, name: str, text: str) -> None:
    assert problems(repository / name, text, repository)
