"""The changes that mutation testing makes to a module: cosmic-ray's operators, and left-out statements.

What no test should check is left alone: annotations, log messages, metrics, and unions of types.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# Operators that need arguments of their own, and those that change nothing: `is` compares enum members or None.
NOT_USED = {
    "core/VariableReplacer",
    "core/VariableInserter",
    "core/ReplaceComparisonOperator_Is_Eq",
    "core/ReplaceComparisonOperator_IsNot_NotEq",
}
LEFT_OUT = "statement left out"
# Calls that only log or count, and one that is for the type checker and never reached.
SAID_ONLY = re.compile(r"(\b_?log(ger)?\b|\.inc\(|\.dec\(|\.set\(\d|\.observe\(|\bassert_never\()")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. line, end_line: where. was, now: the lines that differ. occurrence: of the operator in the module."""

    path: str
    line: int
    end_line: int
    operator: str
    occurrence: int
    was: str
    now: str


def source_of(root: Path, mutant: Mutant) -> str:
    """The module's source with the change applied."""
    source = (root / mutant.path).read_text()
    if mutant.operator == LEFT_OUT:
        return _left_out(source, mutant.line, mutant.end_line)
    changed = mutate_code(source, get_operator(mutant.operator)(), mutant.occurrence)
    assert isinstance(changed, str), f"{mutant} cannot be made"
    return changed


def possible(root: Path, mutant: Mutant) -> bool:
    """Whether the change can be applied and compiles; some of cosmic-ray's do not."""
    try:
        compile(source_of(root, mutant), mutant.path, "exec")
    except (SyntaxError, AttributeError):
        return False
    return True


def mutants_of(root: Path, path: str) -> list[list[Mutant]]:
    """The places of a module that can be changed, in order; for each, the possible changes."""
    source = (root / path).read_text()
    lines = source.splitlines()
    skipped = _skipped(ast.parse(source))
    places: defaultdict[tuple[int, int, str], list[Mutant]] = defaultdict(list)
    nodes = list(ast_nodes(get_ast(source)))
    for name in sorted(set(operator_names()) - NOT_USED):
        operator, occurrence = get_operator(name)(), 0
        for node in nodes:
            for (line, column), (end_line, _) in operator.mutation_positions(node):
                if not _is_skipped(skipped, line, column):
                    family = "Binary" if "Binary" in name else "Comparison" if "Comparison" in name else name
                    places[line, column, family].append(Mutant(path, line, end_line, name, occurrence, "", ""))
                occurrence += 1
    for statement in _statements(ast.parse(source)):
        line, end_line = statement.lineno, statement.end_lineno or statement.lineno
        if not SAID_ONLY.search("\n".join(lines[line - 1 : end_line])):
            places[line, statement.col_offset, LEFT_OUT].append(Mutant(path, line, end_line, LEFT_OUT, 0, "", ""))
    return [places[place] for place in sorted(places)]


def shown(root: Path, mutant: Mutant) -> Mutant:
    """The mutant with the lines that it changes; they are costly to find, so it is done for those drawn only."""
    before, after = (root / mutant.path).read_text().splitlines(), source_of(root, mutant).splitlines()
    begin = next((n for n, (one, two) in enumerate(zip(before, after, strict=False)) if one != two), len(before))
    same_at_end = 0
    limit = min(len(before), len(after)) - begin
    while same_at_end < limit and before[-1 - same_at_end] == after[-1 - same_at_end]:
        same_at_end += 1
    was, now = before[begin : len(before) - same_at_end], after[begin : len(after) - same_at_end]
    return Mutant(
        mutant.path, mutant.line, mutant.end_line, mutant.operator, mutant.occurrence, "\n".join(was), "\n".join(now)
    )


def _left_out(source: str, line: int, end_line: int) -> str:
    lines = source.splitlines(keepends=True)
    first = lines[line - 1]
    lines[line - 1 : end_line] = [first[: len(first) - len(first.lstrip())] + "pass\n"]
    return "".join(lines)


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Calls made for their effect, and assignments to attributes (except in `__init__`) or subscripts."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for each in ast.walk(function):
            calls = isinstance(each, ast.Expr) and isinstance(each.value, ast.Call | ast.Await)
            targets = each.targets if isinstance(each, ast.Assign) else [getattr(each, "target", None)]
            keeps = isinstance(each, ast.Assign | ast.AugAssign) and function.name != "__init__"
            if calls or (keeps and any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)):
                assert isinstance(each, ast.stmt)
                yield each


Span = tuple[int, int, int, int]


def _skipped(tree: ast.Module) -> list[Span]:
    found: list[ast.expr | ast.stmt] = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found += [node.returns] if node.returns else []
                found += [each for each in node.decorator_list if ast.unparse(each) == "cache"]  # affects only speed
            case ast.arg() | ast.AnnAssign():
                found += [node.annotation] if node.annotation else []
            case ast.Expr(value=ast.Call() as call) if SAID_ONLY.search(ast.unparse(call)):
                found.append(node)
            case ast.Call(func=ast.Name(id="dataclass" | "ConfigDict")):
                found.append(node)  # frozen, slots: they only forbid what no code does
            case ast.Call(func=ast.Name(id="cast" | "TypeVar" | "isinstance")):
                found += node.args[:1] if ast.unparse(node.func) == "cast" else node.args[1:]
            case ast.Subscript() if ast.unparse(node.value) in (
                "Mapping",
                "tuple",
                "dict",
                "list",
                "Codec",
                "Annotated",
            ):
                found.append(node)
    # Unions of types under a name.
    found += [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp)
              and isinstance(node.value.op, ast.BitOr)]  # fmt: skip
    return [_span(node) for node in found]


def _span(node: ast.expr | ast.stmt) -> Span:
    at_sign = isinstance(node, ast.Name)  # a decorator begins before its name
    return node.lineno, node.col_offset - at_sign, node.end_lineno or node.lineno, node.end_col_offset or 0


def _is_skipped(spans: list[Span], line: int, column: int) -> bool:
    return any((top, left) <= (line, column) < (bottom, right) for top, left, bottom, right in spans)
