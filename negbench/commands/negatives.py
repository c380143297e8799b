"""Commands that write negatives: mine, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import negbench
from negbench.commands.shared import AsJson, Assignments, GridPath, label_of_stage
from negbench.errors import InputError
from negbench.terminal import show

app = typer.Typer()

OutNegatives = Annotated[
    Path | None,
    typer.Option(
        help="Where to write them: .jsonl, .parquet, .json or a folder; without it the first are shown.",
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(help="Format of --out, by default triplet; negbench parts format lists them.", show_default=False),
]


@app.command()
def mine(
    method: Annotated[str, typer.Argument(help="Method as in a grid: bm25, 'margin(margin=0.1)', ...")],
    collection: Annotated[
        str, typer.Option(help="Collection as in a grid: helpdesk, a folder, hub:ID, ir_datasets:ID.")
    ],
    encoder: Annotated[
        str, typer.Option(help="Encoder that finds candidates: hub id, model folder or name of offline weights.")
    ] = "all-MiniLM-L6-v2",
    out: OutNegatives = None,
    format: Format = None,
    negatives: Annotated[int, typer.Option(min=1, max=1000, help="Negatives per query.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    assignments: Assignments = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Mine the negatives of a method, without training.

    They are for the training queries of a collection.

    Example: negbench mine 'margin(margin=0.1)' --collection helpdesk --negatives 4 --out mined.parquet
    """
    _check_format(out, format, collection)
    mined = negbench.mine(
        method,
        collection,
        encoder=encoder,
        seed=seed,
        negatives=negatives,
        format=format,
        overrides=assignments,
        progress=label_of_stage,
    )
    show(mined if out is None else mined.save(out, format), as_json)


@app.command()
def export(
    grid: GridPath,
    method: Annotated[str, typer.Argument(help="Row of the grid's table, such as simans.", show_default=False)],
    out: OutNegatives = None,
    format: Format = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the row; by default the grid's first.", show_default=False)
    ] = None,
    assignments: Assignments = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Write the negatives that a method of a grid trains on.

    A draw that is not stored is made, without training.

    Example: negbench export grid.yaml simans --out simans.jsonl --format flagembedding
    """
    asked = negbench.load_grid(grid, assignments)
    _check_format(out, format, asked)
    mined = negbench.load_negatives(asked, method, seed=seed, format=format, progress=label_of_stage)
    show(mined if out is None else mined.save(out, format), as_json)


def _check_format(out: Path | None, format: str | None, read: str | negbench.Grid) -> None:
    """Refuse a format, or a place for it, before anything is mined."""
    if out is None and format is not None:
        raise InputError(f"--format {format}: is that of a file; give --out, where it is to be written")
    if out is not None:
        from negbench.api.mined import check_format

        check_format(out, format, read)
