"""The command `agents`: lists the tasks, shows the table of one, draws its chart.

May import: fsm, gateway.commands, protocols, rich, tomlkit, typer, the standard library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from fsm.spec import AgentSpec, End
from fsm.states import DerivedArrow
from gateway.commands.console import err, out
from protocols.errors import MisuseError


def agents(
    name: Annotated[str | None, typer.Argument(help="A task.")] = None,
    diagram: Annotated[Path | None, typer.Option(help="Draw its state chart into this SVG file.")] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Print it as a task file.")] = False,
) -> None:
    """List the tasks, or show one of them."""
    from fsm.registry import TaskFactory, broken, load_tasks, needed_settings, offered

    try:
        tasks = load_tasks()
        known, lost = offered(tasks), {each.name: each for each in broken(tasks)}
        unset = {
            each: needed_settings(task)
            for each, task in tasks.items()
            if isinstance(task, TaskFactory) and each not in known
        }
        if name is None:
            columns = Column("task", no_wrap=True), "asks for", "ends as", "what it is for"
            table = Table(*columns, box=None, pad_edge=False)
            for spec in known.values():
                table.add_row(spec.name, *map(escape, described(spec)))
            for task, settings in unset.items():
                table.add_row(task, "", "", escape(_needs(settings)))
            out.print(table)
            for each in lost.values():
                err.print(f"[red]wrong task[/red] {escape(each.why)}")
        elif name in lost:
            err.print(f"[red]wrong task[/red] {escape(lost[name].why)}")
            raise typer.Exit(2)
        elif name in unset:
            err.print(f"[red]no table[/red] {escape(name)} {escape(_needs(unset[name]))}")
            raise typer.Exit(2)
        elif name not in known:
            err.print(f"[red]unknown task[/red] {escape(name)}: there is {', '.join([*known, *unset])}")
            raise typer.Exit(2)
        elif toml:
            print_file(known[name])
        else:
            show_agent(known[name], diagram)
    except MisuseError as error:
        err.print(f"[red]wrong task[/red] {escape(str(error))}")
        raise typer.Exit(2) from None


def _needs(settings: list[str]) -> str:
    """What a bot writes that uses a task whose table depends on its settings."""
    named = ", ".join(settings) or "[hours]"
    return f"needs settings: {named}; a bot gives them in its [[task]], and `tieline bots show` shows the task"


def described(spec: AgentSpec) -> tuple[str, str, str]:
    """A task in one line: what it asks for, how it may end, what it is for."""
    asked = ", ".join(name for name, slot in spec.slots.items() if slot.asked) or "-"
    ends = ", ".join(state.outcome for state in spec.states.values() if isinstance(state, End))
    return asked, ends, spec.description.partition(". ")[0].rstrip(".")


def print_file(spec: AgentSpec) -> None:
    """Print a task as a task file, whatever it was written in. Raises: MisuseError for what a file cannot say."""
    from tomlkit import dumps

    from fsm.task_export import as_file

    typer.echo(dumps(as_file(spec)), nl=False)


def show_agent(spec: AgentSpec, diagram: Path | None) -> None:
    if diagram is not None:
        from fsm.diagram import draw

        diagram.parent.mkdir(parents=True, exist_ok=True)
        diagram.write_text(draw(spec))
        out.print(f"[green]drawn[/green] {escape(str(diagram))}")
        return
    table = Table("state", "event", "leads to", box=None, pad_edge=False)
    for state in spec.states:
        for event, arrow in spec.arrows_from(state):
            about = f" ({arrow.about})" if isinstance(arrow, DerivedArrow) and arrow.about else ""
            table.add_row(state, event + about, arrow.to, style="dim" if arrow.derived else "")
    out.print(table)
