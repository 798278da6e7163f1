"""The commands `effects` and `effects settle`: effects whose outcome is not known.

May import: gateway, rich, typer, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from gateway.commands.calls import Unmasked, noted
from gateway.commands.console import FAILED, WRONG_SETTING, err, out, usable_or_exit
from gateway.settings import read_store_settings

if TYPE_CHECKING:
    from gateway.effects import EffectRecovery

effects_app = typer.Typer(no_args_is_help=False, invoke_without_command=True)


@effects_app.callback()
def effects(context: typer.Context, unmasked: Unmasked = False) -> None:
    """List the effects of tasks whose outcome is not known, or settle one."""
    if context.invoked_subcommand is None:
        list_effects(unmasked=unmasked)


@effects_app.command("list")
def list_effects(unmasked: Unmasked = False) -> None:
    """List the effects whose outcome is not known: what may have been done, for whom, and since when."""
    from gateway.call_queries import masker, without_caller
    from gateway.effects import shown

    with effects_or_exit() as recovery:
        left = [(each, recovery.words(each)) for each in recovery.unsettled()]
        damaged = recovery.damaged()
        if left:  # of these the values are shown
            noted(recovery.engine, "listed effects", unmasked=unmasked)
    mask = masker(unmasked=unmasked)
    for each, said in left:
        since = f"{each.intended_at:%Y-%m-%d %H:%M} UTC"
        out.print(f"[bold]{escape(each.key)}[/bold]  {each.status}  {escape(each.name)}  {since}")
        values = ", ".join(f"{name}={value}" for name, value in each.slots.items())
        lines = [f"caller {mask(each.caller) or 'withheld'}; {values}"]
        if said:
            lines.append(f"the caller was told: {said}")
        for line in lines:
            out.print(escape(f"  {line if unmasked else without_caller(line, each.caller)}"))
    for key in damaged:
        out.print(f"[bold]{escape(key)}[/bold]  damaged")
        out.print("  its row cannot be read: find out whether it was done, and settle it as done or undone")
    if not left and not damaged:
        # Which store was asked: a shell may lack the variable that the daemon has.
        out.print(f"No effect is unsettled in {escape(shown(read_store_settings().database_url))}")


@effects_app.command("settle")
def settle_effect(
    key: Annotated[str, typer.Argument(help="The effect's key, as the list has it.")],
    outcome: Annotated[
        Literal["done", "undone", "retry"],
        typer.Argument(help="done: it stands. undone: it does not. retry: carry it out now."),
    ],
) -> None:
    """Store the outcome of an effect, or carry it out again."""
    with effects_or_exit() as recovery:
        try:
            # Before it is done, as far as there is something to do: what another system was told cannot be taken back.
            if recovery.has(key):
                noted(recovery.engine, "settles", key, **{"as": outcome})
            status = recovery.decide(key, outcome)
            if status is not None:
                noted(recovery.engine, "settled", key, **{"as": outcome}, status=status)
        except Exception as error:  # noqa: BLE001 - code of a task and a remote system
            err.print(f"[red]not settled[/red] {type(error).__name__}: {escape(str(error))}")
            raise typer.Exit(FAILED) from None
    if status is None:
        err.print(f"[red]unknown effect[/red] {escape(key)}: no unsettled effect has this key")
        raise typer.Exit(WRONG_SETTING)
    out.print(f"{escape(key)}  {status}")


@contextmanager
def effects_or_exit() -> Iterator[EffectRecovery]:
    """The effects in the database of the settings, or exit with 2 if it cannot be opened. Needs no other setting."""
    from gateway.effects import effect_recovery
    from gateway.logs import set_up_logs

    set_up_logs("WARNING")
    with usable_or_exit(), effect_recovery(read_store_settings().database_url) as recovery:
        yield recovery
