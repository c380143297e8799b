"""The command that asks people about negatives: audit."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import negbench
from negbench.commands.shared import AsJson
from negbench.terminal import say, show

app = typer.Typer()


class Tool(StrEnum):
    """Tools that an audit's sheet can be labelled in."""

    label_studio = "label-studio"
    argilla = "argilla"


@app.command()
def audit(
    negatives: Annotated[
        list[Path],
        typer.Argument(
            help="Files or folders with mined negatives, 'pairs(path=FILE, query=Q, ...)', a grid, an audit's folder."
        ),
    ],
    collection: Annotated[
        str | None,
        typer.Option(
            help="Collection that the negatives are from, as in a grid; adds its judgments. Of a grid: which one",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        int | None,
        typer.Option(
            min=2, help="Draw this many pairs to label, and write the sheet; 200 is a good start.", show_default=False
        ),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.5,
            help="Draw as many pairs as intervals of this half-width need; 0.05 is 5 points.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        bool, typer.Option("--label", help="The same as --labels 200; a number in --labels, or --width, wins.")
    ] = False,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Model that scores all pairs, for a better draw and a narrower interval: bi-encoder, llm(...), ...",
            show_default=False,
        ),
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Label in a browser on this machine.")] = False,
    annotator: Annotated[
        str | None, typer.Option(help="With --serve: name of the annotator, if there are several.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the sheet; by default audits/NAME.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw and of the order of the sheet.")] = 0,
    answers: Annotated[
        Path | None,
        typer.Option(
            help="File with the answers instead of the sheet: columns item, answer or grade; or a tool's export.",
            show_default=False,
        ),
    ] = None,
    export: Annotated[
        Tool | None,
        typer.Option(help="Also write the sheet for another tool: label-studio or argilla.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate the false-negative rate of mined negatives.

    A sample of them is drawn, and you label it.

    NEGATIVES are files of sentence-transformers, FlagEmbedding, Tevatron or DPR, triples, or a grid that was run.
    Without --label, --labels, --width, --judge or --serve the negatives are only described. If the sheet has answers,
    the rate is estimated.

    Example: negbench audit mined.jsonl --label
    """

    def tell(address: str) -> None:
        say(f"open {address}", stderr=True)
        say("Press Ctrl-C to stop; all answers are saved.", stderr=True)

    result = negbench.audit(
        negatives,
        True if label and labels is None and width is None else labels,
        collection=collection,
        width=width,
        judge=judge,
        serve=serve,
        annotator=annotator,
        out=out,
        seed=seed,
        answers=answers,
        export=None if export is None else export.value,
        show=tell,
    )
    show(result, as_json)
