"""The command that says what there is to know before a grid: advise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import negbench
from negbench.commands.shared import GRID_ENCODER, AsJson, GridEncoder, Timing, label_of_stage
from negbench.terminal import show

app = typer.Typer()


@app.command()
def advise(
    collection: Annotated[
        str,
        typer.Argument(
            help="Collection as in a grid: helpdesk, a folder, a file of pairs, hub:ID, ir_datasets:ID.",
            show_default=False,
        ),
    ],
    encoder: GridEncoder = GRID_ENCODER,
    timing: Timing = True,
    out: Annotated[
        Path | None, typer.Option(help="New file for the suggested grid (YAML).", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Describe a collection and suggest a grid; nothing is trained.

    Example: negbench advise helpdesk --out grid.yaml
    """
    show(negbench.advise(collection, encoder=encoder, timing=timing, out=out, progress=label_of_stage), as_json)
