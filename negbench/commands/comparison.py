"""The command that puts two runs side by side: compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import negbench
from negbench.commands.shared import AsJson
from negbench.terminal import say, show

app = typer.Typer()


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="Folder with the results of a run, or its manifest.")],
    second: Annotated[Path, typer.Argument(help="Folder with the results of another run, or its manifest.")],
    out: Annotated[
        Path | None, typer.Option(help="Also write the comparison to a file: .md or .csv.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs by method, with intervals.

    A difference has an interval where both runs have values for the same queries and share a seed.

    Example: negbench compare runs/before runs/after --out difference.md
    """
    compared = negbench.compare(first, second)
    path = None if out is None else compared.save(out)
    show(compared, as_json)
    if path is not None:
        say(f"comparison in {path}", stderr=as_json)
