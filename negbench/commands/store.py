"""The commands ``negbench store ...``."""

from __future__ import annotations

from typing import Annotated

import typer

import negbench
from negbench.commands.shared import AsJson
from negbench.terminal import show

app = typer.Typer(
    no_args_is_help=True,
    help="Look after the store: what it holds, what is damaged, what may go.\n\nExample: negbench store size",
)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the artifacts, those that were not used for longest first, with the grids that use them."""
    show(negbench.list_store(), as_json)


@app.command()
def size(as_json: AsJson = False) -> None:
    """Show how much the store holds, by kind of artifact and by grid."""
    show(negbench.store_size(), as_json)


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Compare every byte with its digest, and set aside what is damaged; exit with code 1 if anything is."""
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
    """Show, or with --yes remove, what no grid uses, or what it takes to get below a size."""
    show(negbench.prune_store(keep_under, remove=yes), as_json)
