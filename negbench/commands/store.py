"""The commands ``negbench store ...``."""

from __future__ import annotations

from typing import Annotated

import typer

import negbench
from negbench.commands.shared import AsJson
from negbench.terminal import show

app = typer.Typer(
    no_args_is_help=True,
    help="Look after the store of finished stages.\n\n"
    "It shows what the store holds, what is damaged and what may go.\n\nExample: negbench store size",
)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the artifacts, and the grids that use them.

    Those that were not used for longest come first.

    Example: negbench store list
    """
    show(negbench.list_store(), as_json)


@app.command()
def size(as_json: AsJson = False) -> None:
    """Show the size of the store by kind of artifact and by grid.

    Example: negbench store size
    """
    show(negbench.store_size(), as_json)


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Compare every byte with its digest.

    What is damaged is set aside; the exit code is 1 if anything is.

    Example: negbench store verify
    """
    found = negbench.verify_store()
    show(found, as_json)
    if found.data["damaged"]:
        raise typer.Exit(1)


@app.command()
def prune(
    keep_under: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Remove until the store is smaller, such as 5GB: what was not used for longest, unused first.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it, only show what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what can be removed, and with --yes remove it.

    It is what no grid uses, or with --keep-under what it takes to get below a size.

    Example: negbench store prune --keep-under 5GB
    """
    show(negbench.prune_store(keep_under, remove=yes), as_json)
